"""A name server on loopback, UDP and TCP on one port, whose answers a test changes as it goes."""
import socket
import struct
import threading

A, AAAA, SRV = 1, 28, 33
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5


class NameServer:
    """`records[name]` is a list of addresses, of both families; a name that is not there is NXDOMAIN.

    `services[name]` is a list of SRV records, (priority, weight, port, target); a target is a name, or
    bytes that are sent as they are.

    `ttl` goes with each. `mode` is how it answers: "answer", "silent", "servfail", "refused",
    "empty" (no error, no record), "truncated" (UDP says: ask by TCP), "garbage" (bytes that are no
    message, then an answer with a wrong id and one to another question, then the right one). `before`,
    where set, is called with the name before an answer leaves. `queries` has (protocol, name, type).
    """

    def __init__(self, records=None, *, ttl=1):
        self.records = {name: list(addresses) for name, addresses in (records or {}).items()}
        self.services = {}
        self.ttl = ttl
        self.mode = "answer"
        self.before = None
        self.queries = []
        self._stopping = False
        while True:
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind(("127.0.0.1", 0))
            self.port = self._udp.getsockname()[1]
            self._tcp = socket.socket()
            self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self._tcp.bind(("127.0.0.1", self.port))
                break
            except OSError:
                self._udp.close()
                self._tcp.close()
        self._tcp.listen(16)
        self._threads = [threading.Thread(target=run, daemon=True)
                         for run in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    __str__ = address.fget

    def asked(self, name):
        return [query for query in list(self.queries) if query[1] == name]

    def stop(self):
        self._stopping = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as poke:
            poke.sendto(b"", ("127.0.0.1", self.port))
        try:
            self._tcp.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        for thread in self._threads:
            thread.join(5)
        self._udp.close()
        self._tcp.close()

    def _serve_udp(self):
        while not self._stopping:
            try:
                query, peer = self._udp.recvfrom(4096)
                for answer in self._answers(query, "udp"):
                    self._udp.sendto(answer, peer)
            except OSError:
                return

    def _serve_tcp(self):
        while not self._stopping:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            # A thread each: resolvers keep their connections, and ask for many names on one.
            threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def _serve_connection(self, connection):
        with connection:
            connection.settimeout(60)
            try:
                while size := connection.recv(2, socket.MSG_WAITALL):
                    query = connection.recv(struct.unpack("!H", size)[0], socket.MSG_WAITALL)
                    for answer in self._answers(query, "tcp"):
                        connection.sendall(struct.pack("!H", len(answer)) + answer)
            except (OSError, struct.error):
                pass

    def _answers(self, query, protocol):
        if len(query) < 17 or self.mode == "silent":
            return []
        name, end = self._name(query)
        kind = struct.unpack_from("!H", query, end)[0]
        question = query[12:end + 4]
        self.queries.append((protocol, name, kind))
        if self.before:
            self.before(name)
        codes = {"servfail": SERVFAIL, "refused": REFUSED}
        if self.mode in codes:
            return [self._message(query[:2], question, [], codes[self.mode])]
        if self.mode == "empty":
            return [self._message(query[:2], question, [])]
        if self.mode == "truncated" and protocol == "udp":
            return [self._message(query[:2], question, [], truncated=True)]
        packed = [*map(self._packed, self.records.get(name, [])),
                  *map(self._packed_service, self.services.get(name, []))]
        is_known = name in self.records or name in self.services
        answer = self._message(query[:2], question, [each for each in packed if each[0] == kind],
                               0 if is_known else NXDOMAIN)
        if self.mode != "garbage":
            return [answer]
        lie = [self._packed("127.0.0.250"), self._packed("::2")]
        lie = [packed for packed in lie if packed[0] == kind]
        other = b"\x05other\x04test\x00" + question[-4:]
        return [b"\xff" * 40, query[:5], self._message(bytes([query[0] ^ 1, query[1]]), question, lie),
                self._message(query[:2], other, lie), answer]

    @staticmethod
    def _name(query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace").lower())
            at += 1 + query[at]
        return ".".join(labels), at + 1

    @staticmethod
    def _packed(address):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return (AAAA if ":" in address else A, socket.inet_pton(family, address))

    @staticmethod
    def _packed_service(record):
        priority, weight, port, target = record
        if isinstance(target, str):
            target = b"".join(bytes([len(label)]) + label.encode() for label in target.split(".")) + b"\0"
        return (SRV, struct.pack("!HHH", priority, weight, port) + target)

    def _message(self, number, question, records, code=0, truncated=False):
        flags = 0x8180 | (0x0200 if truncated else 0) | code
        head = number + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
        return head + question + b"".join(
            struct.pack("!HHHIH", 0xC00C, kind, 1, self.ttl, len(data)) + data
            for kind, data in records)
