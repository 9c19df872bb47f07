"""WebSocket by hand (RFC 6455): frames, the proof of a handshake, and backends that switch."""
import base64
import hashlib

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def proof(key):
    """Sec-WebSocket-Accept for a Sec-WebSocket-Key (§4.2.2)."""
    return base64.b64encode(hashlib.sha1(((key or "") + GUID).encode()).digest()).decode()


def message(payload, opcode=TEXT):
    """A client's frame, masked with zeros."""
    return _head(payload, opcode, 0x80) + bytes(4) + payload


def unmasked(payload, opcode=TEXT):
    """A server's frame."""
    return _head(payload, opcode, 0) + payload


def _head(payload, opcode, mask):
    size = len(payload)
    length = (bytes([mask | size]) if size < 126 else bytes([mask | 126]) + size.to_bytes(2, "big")
              if size < 65536 else bytes([mask | 127]) + size.to_bytes(8, "big"))
    return bytes([0x80 | opcode]) + length


def take_message(data):
    """(opcode, payload, rest) of a masked frame, or None as long as it is not whole."""
    if len(data) < 2:
        return None
    size, at = data[1] & 0x7f, 2
    if size >= 126:
        width = 2 if size == 126 else 8
        size, at = int.from_bytes(data[2:2 + width], "big"), 2 + width
    if len(data) < at + 4 + size:
        return None
    mask = data[at:at + 4]
    payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data[at + 4:at + 4 + size]))
    return data[0] & 0x0f, payload, data[at + 4 + size:]


class EchoStream:
    """`on_head` and `on_data` of an Http2 backend: takes every extended CONNECT, and sends back what it
    gets, the close frame included."""

    def __init__(self):
        self.rest = {}

    def on_head(self, stream):
        stream.head(200)

    def on_data(self, stream, data):
        key = (id(stream.session), stream.number)
        rest = self.rest.get(key, b"") + data
        while found := take_message(rest):
            opcode, payload, rest = found
            stream.send(unmasked(payload, PONG if opcode == PING else opcode), end=opcode == CLOSE)
        self.rest[key] = rest


def accept(connection, head, protocol="websocket"):
    """The 101 that, of a WebSocket, proves that the backend has read the key (§4.2.2)."""
    fields = f"Connection: Upgrade\r\nUpgrade: {protocol}\r\n"
    if protocol == "websocket":
        fields += f"Sec-WebSocket-Accept: {proof(head.field('Sec-WebSocket-Key'))}\r\n"
    connection.send(f"HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n")


def switching(then, protocol="websocket"):
    """A backend of HTTP/1.1 that switches, and then does what it likes."""
    def serve(connection):
        connection.request = connection.read_request()
        accept(connection, connection.request, protocol)
        then(connection)
    return serve
