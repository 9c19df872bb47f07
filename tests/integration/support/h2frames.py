"""HTTP/2 to the byte: frames (RFC 9113 §4, §6) and HPACK (RFC 7541), sound and unsound.

    frame(PING, payload=b"8 octets")                 any frame, with any flags, stream and length
    headers(1, block(get()), end_stream=True)        HEADERS, with padding or priority where wanted
    literal("x-a", "1", index=True)                  one field of a block, in each representation
"""
import struct

from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

(DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE,
 CONTINUATION) = range(10)
PRIORITY_UPDATE = 16
KINDS = dict(enumerate("DATA HEADERS PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE "
                       "CONTINUATION".split()))

ACK = END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED,
 FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM,
 INADEQUATE_SECURITY, HTTP_1_1_REQUIRED) = range(14)
ERRORS = dict(enumerate(
    "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED "
    "FRAME_SIZE_ERROR REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM "
    "INADEQUATE_SECURITY HTTP_1_1_REQUIRED".split()))

(HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE,
 MAX_HEADER_LIST_SIZE) = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8
NO_RFC7540_PRIORITIES = 9

DEFAULT_WINDOW = 65535
LARGEST_WINDOW = 2**31 - 1


# -- frames


def frame(kind, flags=0, stream=0, payload=b"", size=None):
    """One frame; `size` says another length than its own."""
    size = len(payload) if size is None else size
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _padded(payload, padding):
    return payload if padding is None else bytes([padding]) + payload + bytes(padding)


def priority_fields(depends_on=0, weight=16, exclusive=False):
    """Weight as it is spoken of: from 1 to 256."""
    return struct.pack(">IB", depends_on | (exclusive << 31), weight - 1)


def data(stream, content=b"", *, end_stream=False, padding=None):
    flags = END_STREAM * end_stream | PADDED * (padding is not None)
    return frame(DATA, flags, stream, _padded(content, padding))


def headers(stream, fragment, *, end_stream=True, end_headers=True, padding=None, priority=None):
    flags = (END_STREAM * end_stream | END_HEADERS * end_headers | PADDED * (padding is not None) |
             WITH_PRIORITY * (priority is not None))
    return frame(HEADERS, flags, stream, _padded((priority or b"") + fragment, padding))


def continuation(stream, fragment=b"", *, end_headers=True):
    return frame(CONTINUATION, END_HEADERS * end_headers, stream, fragment)


def priority(stream, **fields):
    return frame(PRIORITY, 0, stream, priority_fields(**fields))


def rst_stream(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def settings(*pairs, ack=False, **named):
    """settings((INITIAL_WINDOW_SIZE, 1), ...)"""
    return frame(SETTINGS, ACK * ack, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs), **named)


def ping(payload=b"12345678", *, ack=False, stream=0):
    return frame(PING, ACK * ack, stream, payload)


def goaway(code=NO_ERROR, last=0, debug=b"", stream=0):
    return frame(GOAWAY, 0, stream, struct.pack(">II", last, code) + debug)


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def in_frames(stream, fragment, size, *, end_stream=True):
    """A field block as one HEADERS and as many CONTINUATION frames as it takes."""
    pieces = [fragment[at:at + size] for at in range(0, len(fragment), size)] or [b""]
    out = headers(stream, pieces[0], end_stream=end_stream, end_headers=len(pieces) == 1)
    for number, piece in enumerate(pieces[1:], 2):
        out += continuation(stream, piece, end_headers=number == len(pieces))
    return out


class Frame:
    """One received frame."""

    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    def has(self, flag):
        return bool(self.flags & flag)

    @property
    def content(self):
        """Of DATA and HEADERS: without padding and priority."""
        content = self.payload
        if self.kind in (DATA, HEADERS) and self.has(PADDED):
            content = content[1:len(content) - content[0]]
        if self.kind == HEADERS and self.has(WITH_PRIORITY):
            content = content[5:]
        return content

    @property
    def code(self):
        """The error of RST_STREAM and GOAWAY."""
        at = 4 if self.kind == GOAWAY else 0
        return int.from_bytes(self.payload[at:at + 4], "big")

    @property
    def last_stream(self):
        return int.from_bytes(self.payload[:4], "big") & LARGEST_WINDOW

    @property
    def pairs(self):
        return [struct.unpack_from(">HI", self.payload, at) for at in range(0, len(self.payload), 6)]

    def __repr__(self):
        name = KINDS.get(self.kind, f"type {self.kind}")
        if self.kind in (RST_STREAM, GOAWAY):
            name += f" {ERRORS.get(self.code, self.code)}"
            if self.kind == GOAWAY:
                name += f" last={self.last_stream} {self.payload[8:].decode('latin-1')!r}"
        return f"<{name} flags={self.flags:#x} stream={self.stream} {len(self.payload)} octets>"


def take_frame(buffer):
    """(the first whole frame or None, the rest) of received bytes."""
    if len(buffer) < 9:
        return None, buffer
    size = int.from_bytes(buffer[:3], "big")
    if len(buffer) < 9 + size:
        return None, buffer
    kind, flags, stream = struct.unpack_from(">BBI", buffer, 3)
    return Frame(kind, flags, stream & LARGEST_WINDOW, buffer[9:9 + size]), buffer[9 + size:]


# -- HPACK

_huffman = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


def octets(text):
    return text.encode("latin-1") if isinstance(text, str) else text


def integer(value, prefix, first=0):
    """An integer with a prefix of so many bits, after the bits of `first` (RFC 7541 §5.1)."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def string(text, *, huffman=False):
    text = octets(text)
    if huffman:
        text = _huffman.encode(text)
    return integer(len(text), 7, 0x80 if huffman else 0) + text


def indexed(index):
    return integer(index, 7, 0x80)


def literal(name, value, *, index=False, never=False, huffman=False):
    """`name` is text, or the index of an entry that has it. `index`: it is put into the dynamic table."""
    prefix, first = (6, 0x40) if index else (4, 0x10 if never else 0)
    begin = integer(name, prefix, first) if isinstance(name, int) else (
        bytes([first]) + string(name, huffman=huffman))
    return begin + string(value, huffman=huffman)


def table_size(size):
    return integer(size, 5, 0x20)


def block(fields):
    """Literals only: the same bytes wherever it stands."""
    return b"".join(literal(name, value) for name, value in fields)
