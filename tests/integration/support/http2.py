"""A backend that speaks HTTP/2, by the Python library h2: what `serve` of a Backend is given.

    http2 = Http2(lambda stream: stream.respond(b"hello"))
    backend = make_backend(serve=http2)            # in the clear, by prior knowledge
    backend = make_backend(serve=http2, tls=...)   # with context.set_alpn_protocols(["h2"])

Each connection is a Session, each request a Stream; a test may answer from its own thread. What the
library would not send, `session.send_raw(frame(...))` does.
"""
import threading

import h2.config
import h2.connection
import h2.events
import h2.settings

from .waiting import wait_for

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 3, 4, 5, 6, 7, 8, 9)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0, 1, 7, 8, 11


def frame(kind, flags=0, stream=0, payload=b""):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
            + payload)


def header_block(*fields):
    """HPACK: literals that are not indexed."""
    block = b""
    for name, value in fields:
        name, value = (text.encode("latin-1") if isinstance(text, str) else text
                       for text in (name, value))
        block += b"\0" + _length(len(name)) + name + _length(len(value)) + value
    return block


def _length(number):
    if number < 127:
        return bytes([number])
    encoded, number = b"\x7f", number - 127
    while number >= 128:
        encoded, number = encoded + bytes([number % 128 + 128]), number // 128
    return encoded + bytes([number])


class Stream:
    """A request as the backend sees it, and the way of its answer."""

    def __init__(self, session, number, fields):
        self.session = session
        self.number = number
        self.fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]
        self.body = b""
        self.trailers = []
        self.ended = False
        self.reset_with = None
        self._waiting = b""  # for the window
        self._ends = False
        self._trailers = None

    def all(self, name):
        return [value for field, value in self.fields if field == name]

    def field(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    @property
    def path(self):
        return self.field(":path")

    @property
    def method(self):
        return self.field(":method")

    def respond(self, body=b"", *, status=200, fields=(), trailers=(), end=True):
        body = body.encode() if isinstance(body, str) else body
        only_head = end and not body and not trailers
        self.head(status, fields, end=only_head)
        if not only_head:
            self.send(body, end=end, trailers=trailers)

    def head(self, status=200, fields=(), *, end=False):
        with self.session.lock:
            self.session.h2.send_headers(self.number, [(":status", str(status)), *fields],
                                         end_stream=end)
            self.session.flush()

    def send(self, data=b"", *, end=False, trailers=()):
        with self.session.lock:
            self._waiting += data
            self._ends = self._ends or end
            self._trailers = list(trailers)
            self.go_on()

    def go_on(self):
        """As far as the window allows."""
        h2 = self.session.h2
        while self._waiting and self.reset_with is None:
            room = min(h2.local_flow_control_window(self.number), h2.max_outbound_frame_size)
            if room <= 0:
                break
            piece, self._waiting = self._waiting[:room], self._waiting[room:]
            h2.send_data(self.number, piece)
        if self._ends and not self._waiting and self.reset_with is None:
            self._ends = False
            if self._trailers:
                h2.send_headers(self.number, self._trailers, end_stream=True)
            else:
                h2.end_stream(self.number)
        self.session.flush()

    def reset(self, code=CANCEL):
        with self.session.lock:
            self.session.h2.reset_stream(self.number, code)
            self.session.flush()


class Session:
    def __init__(self, owner, connection):
        self.owner = owner
        self.connection = connection
        self.lock = threading.RLock()
        self.streams = {}
        self.pings = 0
        self.goaway = None  # the code of the peer's
        self.closed = False
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding=None, validate_outbound_headers=False,
            normalize_outbound_headers=False))

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.connection.socket.sendall(data)

    def send_raw(self, data):
        with self.lock:
            self.connection.socket.sendall(data)

    def go_away(self, last_stream=None, code=NO_ERROR):
        last = max(self.streams, default=0) if last_stream is None else last_stream
        self.send_raw(frame(GOAWAY, payload=last.to_bytes(4, "big") + code.to_bytes(4, "big")))

    def close(self):
        import socket
        try:
            self.connection.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def run(self):
        with self.lock:
            if self.owner.settings:
                self.h2.update_settings(self.owner.settings)
                self.h2.local_settings.acknowledge()
            self.h2.initiate_connection()
            self.flush()
        if self.owner.greet:
            self.owner.greet(self)
        try:
            while True:
                data = self.connection.receive()
                with self.lock:
                    events = self.h2.receive_data(data)
                    self.flush()
                for event in events:
                    self.take(event)
        finally:
            self.closed = True

    def take(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.RequestReceived):
            stream = self.streams[event.stream_id] = Stream(self, event.stream_id, event.headers)
            self.owner.requests.append(stream)
            if self.owner.on_head:
                self.owner.on_head(stream)
        elif isinstance(event, h2.events.DataReceived):
            stream.body += event.data
            with self.lock:
                if self.owner.reads:
                    self.h2.acknowledge_received_data(event.flow_controlled_length,
                                                      event.stream_id)
                self.flush()
            if self.owner.on_data:
                self.owner.on_data(stream, event.data)
        elif isinstance(event, h2.events.TrailersReceived):
            stream.trailers = [(name.decode(), value.decode()) for name, value in event.headers]
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
            if self.owner.answer:
                self.owner.answer(stream)
        elif isinstance(event, h2.events.StreamReset):
            if stream:
                stream.reset_with = int(event.error_code)
        elif isinstance(event, h2.events.WindowUpdated):
            with self.lock:
                for each in self.streams.values():
                    each.go_on()
        elif isinstance(event, h2.events.PingReceived):
            self.pings += 1
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = int(event.error_code)


class Http2:
    """`answer(stream)` when a request has ended, `on_head(stream)` when it begins, `greet(session)` when
    a connection does. reads=False never opens a window."""

    def __init__(self, answer=None, *, on_head=None, on_data=None, greet=None, settings=None,
                 reads=True):
        self.answer = answer
        self.on_head = on_head
        self.on_data = on_data
        self.greet = greet
        self.settings = settings
        self.reads = reads
        self.requests = []
        self.sessions = []

    def __call__(self, connection):
        session = Session(self, connection)
        self.sessions.append(session)
        session.run()

    def wait_for_requests(self, count):
        return wait_for(lambda: len(self.requests) >= count and self.requests,
                        f"{count} requests to reach the backend")

    @property
    def last(self):
        return self.wait_for_requests(1)[-1]
