"""A well-behaved HTTP/2 client with many streams at once, on python3-h2. Every wait has a deadline.

    with H2Client(program.client()) as client:
        assert client.get("/").text == "hello"
        upload = client.open("POST", "/upload")
        upload.send(b"a part")
        upload.end(trailers=[("x-sum", "1")])
        assert upload.response().status == 200

Streams move while one of their client is waited for. A stream with `hold` gives no window back.
"""
import select
import ssl
import time

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes

from .h2frames import CANCEL, ERRORS, GOAWAY, NO_ERROR, take_frame
from .waiting import seconds


class Stream:
    """One exchange. `fields` are the response's without pseudo-headers."""

    def __init__(self, client, number, hold):
        self.client, self.number, self.hold = client, number, hold
        self.status = None
        self.fields = []
        self.interim = []  # (status, fields) of 1xx
        self.body = bytearray()
        self.trailers = []
        self.held = 0
        self.ended = False
        self.reset = None

    # -- sending

    def send(self, content):
        """As the windows let it through."""
        engine = self.client.engine
        while content:
            self.client.until(lambda: self.over or engine.local_flow_control_window(self.number) > 0,
                              "a window to send DATA")
            assert not self.over, f"{self} while its body was sent"
            room = min(engine.local_flow_control_window(self.number), engine.max_outbound_frame_size)
            engine.send_data(self.number, content[:room])
            content = content[room:]
            self.client.flush()

    def end(self, trailers=None):
        if self.ended and self.reset == NO_ERROR:
            return  # the answer was whole before, and the rest is not wanted (RFC 9113 §8.1)
        if trailers:
            self.client.engine.send_headers(self.number, trailers, end_stream=True)
        else:
            self.client.engine.end_stream(self.number)
        self.client.flush()

    def cancel(self, code=CANCEL):
        self.client.engine.reset_stream(self.number, code)
        self.reset = code
        self.client.flush()

    # -- receiving

    @property
    def over(self):
        return self.ended or self.reset is not None

    def field(self, name, default=None):
        return next((value for field, value in self.fields if field == name), default)

    def all(self, name):
        return [value for field, value in self.fields if field == name]

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def head(self):
        self.client.until(lambda: self.status or self.reset is not None, f"a response on {self}")
        assert self.status, f"no response: {self}"
        return self

    def response(self):
        """The whole response."""
        self.client.until(lambda: self.over, f"the end of {self}")
        assert self.ended and self.status, f"no whole response: {self}"
        return self

    def wait_for(self, size):
        self.client.until(lambda: len(self.body) >= size or self.over, f"{size} octets on {self}")
        assert len(self.body) >= size, self
        return self

    def release(self):
        """Gives back the window of what was held, and holds no more."""
        self.hold = False
        if self.held:
            self.client.engine.acknowledge_received_data(self.held, self.number)
            self.held = 0
            self.client.flush()

    def __repr__(self):
        reset = "" if self.reset is None else f", reset by {ERRORS.get(self.reset, self.reset)}"
        return f"<stream {self.number}: {self.status}, {len(self.body)} octets{reset}>"


class H2Client:
    def __init__(self, client, *, authority="example.com", settings=None, window=None, within=10):
        self.socket = client.socket
        self.scheme = "https" if isinstance(self.socket, ssl.SSLSocket) else "http"
        self.authority, self.within = authority, within
        self.engine = H2Connection(H2Configuration(client_side=True, header_encoding="latin-1"))
        if settings:
            self.engine.local_settings.update(settings)
            self.engine.local_settings.acknowledge()  # else the old values would be sent
        self.engine.initiate_connection()
        if window:
            self.engine.increment_flow_control_window(window)
        self.streams = {}
        self.pongs = []
        self.goaway = []  # frames
        self.closed = False
        self.settings_seen = False
        self._in, self._out = b"", b""
        self.flush()
        self.until(lambda: self.settings_seen, "the server's SETTINGS")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # -- requests

    def open(self, method, target, *, authority=None, fields=(), end=False, hold=False, scheme=None):
        """Begins a request. Pseudo-headers among the fields (":protocol") come first."""
        pseudo = [(":method", method), (":scheme", scheme or self.scheme), (":path", target),
                  (":authority", authority or self.authority)]
        pseudo += [field for field in fields if field[0].startswith(":")]
        stream = Stream(self, self.engine.get_next_available_stream_id(), hold)
        self.streams[stream.number] = stream
        self.engine.send_headers(stream.number,
                                 pseudo + [field for field in fields if not field[0].startswith(":")],
                                 end_stream=end)
        self.flush()
        return stream

    def start(self, target="/", method="GET", **options):
        """A request without a body whose response is not waited for."""
        return self.open(method, target, end=True, **options)

    def get(self, target="/", **options):
        return self.start(target, **options).response()

    def request(self, method, target, *, body=None, trailers=None, **options):
        stream = self.open(method, target, end=body is None and not trailers, **options)
        if body is not None:
            stream.send(body)
        if body is not None or trailers:
            stream.end(trailers)
        return stream.response()

    # -- the connection

    def setting(self, code):
        """What the server announced, or None."""
        return self.engine.remote_settings.get(SettingCodes(code))

    def update_settings(self, **pairs):
        """update_settings(INITIAL_WINDOW_SIZE=0)"""
        self.engine.update_settings({getattr(SettingCodes, name): value for name, value in pairs.items()})
        self.flush()

    def fence(self):
        """A PING there and back."""
        count = len(self.pongs)
        self.engine.ping(b"a fence!")
        self.flush()
        self.until(lambda: len(self.pongs) > count, "an answer to PING")

    def rest(self, pause):
        """Reads for so long, in seconds."""
        deadline = time.monotonic() + pause
        while time.monotonic() < deadline and not self.closed:
            self._turn(deadline - time.monotonic())

    def wait_for_goaway(self):
        self.until_or_closed(lambda: self.goaway, "GOAWAY")
        assert self.goaway, "the connection ended without GOAWAY"
        return self.goaway[-1]

    def wait_for_close(self):
        self.until_or_closed(lambda: False, "the end of the connection")

    def until(self, condition, what):
        self.until_or_closed(condition, what)
        assert condition(), f"the peer closed instead of {what}; GOAWAY: {self.goaway}"

    def until_or_closed(self, condition, what):
        deadline = time.monotonic() + seconds(self.within)
        while not condition() and not self.closed:
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {what}")
            self._turn(deadline - time.monotonic())

    def flush(self):
        """Sends what the engine has, and reads meanwhile, so that neither side blocks the other."""
        self._out += self.engine.data_to_send()
        deadline = time.monotonic() + seconds(self.within)
        while self._out and not self.closed:
            assert time.monotonic() < deadline, "the peer does not read"
            self._turn(deadline - time.monotonic())

    def _turn(self, within):
        """One attempt to send and one to receive; waits when neither can go on."""
        self.socket.setblocking(False)
        moved = self._send_some()
        moved |= self._receive_some()
        if not moved and not self.closed:
            select.select([self.socket], [self.socket] if self._out else [], [], max(0, min(within, 0.5)))

    def _send_some(self):
        self._out += self.engine.data_to_send()
        try:
            count = self.socket.send(self._out[:2**20]) if self._out else 0
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            self._out = b""  # it closed: what it said before is still to be read
            return self._receive_some()
        self._out = self._out[count:]
        return count > 0

    def _receive_some(self):
        try:
            piece = self.socket.recv(2**18)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            piece = b""
        if not piece:
            self.closed = True
            return False
        self._in += piece
        self._take_frames()
        return True

    def _take_frames(self):
        """All but GOAWAY goes to the engine, which would take nothing more after that."""
        while True:
            found, rest = take_frame(self._in)
            if found is None:
                return
            raw, self._in = self._in[:len(self._in) - len(rest)], rest
            if found.kind == GOAWAY:
                self.goaway.append(found)
                continue
            for event in self.engine.receive_data(raw):
                self._note(event)

    def _note(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, events.RemoteSettingsChanged):
            self.settings_seen = True
        elif isinstance(event, events.PingAckReceived):
            self.pongs.append(event.ping_data)
        elif isinstance(event, events.InformationalResponseReceived):
            status, *fields = event.headers
            stream.interim.append((int(status[1]), fields))
        elif isinstance(event, events.ResponseReceived):
            status, *stream.fields = event.headers
            stream.status = int(status[1])
        elif isinstance(event, events.TrailersReceived):
            stream.trailers = list(event.headers)
        elif isinstance(event, events.DataReceived):
            stream.body += event.data
            if stream.hold:
                stream.held += event.flow_controlled_length
            else:
                self.engine.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, events.StreamEnded):
            stream.ended = True
        elif isinstance(event, events.StreamReset):
            stream.reset = int(event.error_code)


def connect(program, port=None, *, name="example.com", context=None, **options):
    """An H2Client to a program, over TLS by ALPN if the port is called https."""
    port = port or ("https" if "https" in program.ports else "http")
    if not port.startswith("https"):
        return H2Client(program.client(port), **{"authority": name, **options})
    context = context or program.authority.client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = program.tls_client(port, name=name, context=context)
    assert client.socket.selected_alpn_protocol() == "h2"
    return H2Client(client, **{"authority": name, **options})
