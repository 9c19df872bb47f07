"""TLS to the byte, for tests that break it: records, handshake messages, and the keys of TLS 1.3.

A Shaker is one side of a real handshake (Python's OpenSSL) whose bytes the test carries, and so may change:

    shaker = Shaker(context, name="example.com")
    client.send(shaker.hello())
    flight = shaker.flight(client)          # TLS 1.2: key exchange, ChangeCipherSpec, Finished
    keys = shaker.keys("CLIENT_HANDSHAKE_TRAFFIC_SECRET")
    client.send(keys.seal(HANDSHAKE, message(FINISHED, b"forged")))
"""
import itertools
import os
import ssl
import tempfile

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
(HELLO_REQUEST, CLIENT_HELLO, SERVER_HELLO, NEW_SESSION_TICKET, END_OF_EARLY_DATA, ENCRYPTED_EXTENSIONS,
 CERTIFICATE, SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST, SERVER_HELLO_DONE, CERTIFICATE_VERIFY,
 CLIENT_KEY_EXCHANGE, FINISHED, KEY_UPDATE) = 0, 1, 2, 4, 5, 8, 11, 12, 13, 14, 15, 16, 20, 24


VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
LARGEST = 2**24 - 1  # what the length of a handshake message can say


def record(kind, content, version=0x0303, size=None):
    """One record; `size` says another length than its own."""
    size = len(content) if size is None else size
    return bytes([kind]) + version.to_bytes(2, "big") + size.to_bytes(2, "big") + content


def records(data):
    """[(kind, content)] of whole records."""
    found = []
    while len(data) >= 5:
        size = int.from_bytes(data[3:5], "big")
        found.append((data[0], data[5:5 + size]))
        data = data[5 + size:]
    return found


def message(kind, body, size=None):
    """One handshake message; `size` says another length than its own."""
    return bytes([kind]) + (len(body) if size is None else size).to_bytes(3, "big") + body


def messages(content):
    """[whole message] of the handshake records' content."""
    found = []
    while content:
        size = 4 + int.from_bytes(content[1:4], "big")
        found.append(content[:size])
        content = content[size:]
    return found


def in_slices(kind, content, size):
    """The content in as many records as it takes."""
    return b"".join(record(kind, content[at:at + size]) for at in range(0, len(content), size))


CCS = record(CHANGE_CIPHER_SPEC, b"\1")
WARNING = record(ALERT, bytes([1, 90]))  # user_canceled


def orders(items):
    """name, items: every order, every omission, every repetition but the right one."""
    numbered = list(enumerate(items))
    for order in itertools.permutations(numbered):
        if list(order) != numbered:
            yield "order " + "".join(str(n) for n, _ in order), [item for _, item in order]
    for n, _ in numbered:
        yield f"without {n}", [item for m, item in numbered if m != n]
        yield f"{n} twice", [item for m, item in numbered for _ in range(1 + (m == n))]


class Keys:
    """One direction's record protection in TLS 1.3 (RFC 8446 §5.2, §7.3)."""

    def __init__(self, suite, secret):
        algorithm = hashes.SHA384() if suite == 0x1302 else hashes.SHA256()

        def expand(label, size):
            label = b"tls13 " + label
            info = size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
            return HKDFExpand(algorithm, size, info).derive(secret)

        cipher = ChaCha20Poly1305 if suite == 0x1303 else AESGCM
        self._cipher = cipher(expand(b"key", 16 if suite == 0x1301 else 32))
        self._iv = int.from_bytes(expand(b"iv", 12), "big")
        self.number = 0

    def _nonce(self):
        self.number += 1
        return (self._iv ^ (self.number - 1)).to_bytes(12, "big")

    def seal(self, kind, content, padding=0):
        plain = content + bytes([kind]) + bytes(padding)
        header = record(APPLICATION_DATA, b"", size=len(plain) + 16)
        return header + self._cipher.encrypt(self._nonce(), plain, header)

    def open(self, content):
        """(kind, content) of one record's content, or None if these are not its keys."""
        header = record(APPLICATION_DATA, b"", size=len(content))
        try:
            plain = self._cipher.decrypt(self._nonce(), content, header).rstrip(b"\0")
        except InvalidTag:
            self.number -= 1
            return None
        return plain[-1], plain[:-1]


class Shaker:
    def __init__(self, context, *, name=None, server=False):
        descriptor, self._log = tempfile.mkstemp(prefix="sallyport-keys-")
        os.close(descriptor)
        context.keylog_filename = self._log
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.engine = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name,
                                       server_side=server)
        self.done = False
        self.suite = None
        self._random = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.unlink(self._log)

    def take(self, data):
        """What it answers to these bytes; learns who speaks to whom on the way."""
        self.incoming.write(data)
        if not self.done:
            try:
                self.engine.do_handshake()
                self.done = True
            except ssl.SSLWantReadError:
                pass
        said = self.outgoing.read()
        for direction in (data, said):
            for kind, content in records(direction):
                if kind == HANDSHAKE and content[:1] == bytes([CLIENT_HELLO]):
                    self._random = content[6:38].hex()
                if kind == HANDSHAKE and content[:1] == bytes([SERVER_HELLO]):
                    self.suite = int.from_bytes(content[39 + content[38]:][:2], "big")
        return said

    def hello(self):
        return self.take(b"")

    def flight(self, client):
        """A client's flight after the server's, which is read from `client` for it."""
        while True:
            piece = client.socket.recv(65536)
            if not piece:
                raise EOFError("the server closed instead of answering the ClientHello")
            # Whole records only, so that take() sees each from its beginning.
            client.pending += piece
            if flight := self.take(self._whole(client)):
                return flight

    @staticmethod
    def _whole(client):
        end = 0
        while len(client.pending) >= end + 5:
            size = 5 + int.from_bytes(client.pending[end + 3:end + 5], "big")
            if len(client.pending) < end + size:
                break
            end += size
        taken, client.pending = client.pending[:end], client.pending[end:]
        return taken

    def keys(self, label):
        """Of TLS 1.3, by their secret's name in SSLKEYLOGFILE."""
        with open(self._log, encoding="ascii") as log:
            for line in log:
                parts = line.split()
                if parts[:2] == [label, self._random]:
                    return Keys(self.suite, bytes.fromhex(parts[2]))
        raise KeyError(label)

    def alert(self, data):
        """The name of the fatal alert that these bytes from the peer end with, else None."""
        self.incoming.write(data)
        try:
            if not self.done:
                self.engine.do_handshake()
            while self.engine.read(65536):
                pass
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return "close_notify"
        except ssl.SSLError as problem:
            reason = problem.reason or ""
            return reason.partition("_ALERT_")[2].lower() or f"not an alert: {reason}"
        return "close_notify"
