"""An HTTP/2 client that sends any frame and says what became of the connection and its streams.

    with RawConnection(program.client()) as peer:
        peer.send(headers(1, peer.get("/")))
        assert peer.response(1).status == 200
        peer.send(frame(PING, payload=b"short"))
        peer.expect_connection_error(FRAME_SIZE_ERROR)
"""
import itertools
import time

import hpack

from . import h2frames as h2
from .waiting import seconds


_addresses = itertools.count()


def another_address():
    """Of loopback, for a client of its own: what one did is not held against the next."""
    number = next(_addresses)
    return f"127.1.{number // 250 % 250}.{number % 250 + 1}"


class Answer:
    """What came on one stream."""

    def __init__(self):
        self.heads = []  # each a list of (name, value): interim responses, the response, trailers
        self.body = b""
        self.frames = []  # of DATA: how many octets each had
        self.ended = False
        self.reset = None  # the code of RST_STREAM

    @property
    def status(self):
        final = [head for head in self.heads if not dict(head).get(":status", "1").startswith("1")]
        return int(dict(final[0])[":status"]) if final else None

    @property
    def over(self):
        return self.ended or self.reset is not None

    def __repr__(self):
        reset = "" if self.reset is None else f", reset by {h2.ERRORS.get(self.reset, self.reset)}"
        return f"<{self.status}: {len(self.body)} octets{', ended' if self.ended else ''}{reset}>"


class RawConnection:
    def __init__(self, client, *, scheme="http", authority="example.com", greet=True, settings=(),
                 within=10):
        self.client = client
        self.scheme, self.authority, self.within = scheme, authority, within
        self.decoder = hpack.Decoder(max_header_list_size=2**24)
        self.buffer = b""
        self.answers = {}
        self.frames = []  # all that came
        self.settings = {}
        self.acknowledged = 0  # SETTINGS of ours
        self.pongs = []
        self.goaway = None
        self.closed = False
        self._block = b""
        self.sent = 0
        if greet:
            self.send(h2.PREFACE + h2.settings(*settings))
            self.until(lambda: self.settings is not None and self.acknowledged, "SETTINGS and its ACK")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    # -- sending

    def send(self, *frames):
        """A peer that closes meanwhile is no failure: what it said is read later."""
        out = b"".join(frames)
        try:
            self.client.send(out)
            self.sent += len(out)
        except OSError:
            self._note_end()
        return self

    def fields(self, method="GET", path="/", *more):
        return [(":method", method), (":scheme", self.scheme), (":path", path),
                (":authority", self.authority), *more]

    def get(self, path="/", *more):
        """The field block of a GET."""
        return h2.block(self.fields("GET", path, *more))

    def post(self, path="/upload", *more):
        return h2.block(self.fields("POST", path, *more))

    # -- receiving

    def answer(self, stream=1):
        return self.answers.setdefault(stream, Answer())

    def until(self, condition, what):
        """Reads frames until condition() is true; fails if the peer closes or time runs out."""
        self.until_or_closed(condition, what)
        assert condition(), f"the peer closed instead of {what}; it sent {self.frames[-12:]}"

    def until_or_closed(self, condition, what):
        deadline = time.monotonic() + seconds(self.within)
        while not condition() and not self.closed:
            found, self.buffer = h2.take_frame(self.buffer)
            if found:
                self._take(found)
            elif time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {what}; so far: {self.frames[-12:]}")
            else:
                self._read(deadline)

    def _read(self, deadline):
        self.client.socket.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            piece = self.client.socket.recv(65536)
        except TimeoutError:
            return
        except OSError:
            piece = b""
        self.buffer += piece
        if not piece:
            self.closed = True

    def _note_end(self):
        """After a write that failed: what had come before is worth reading still."""
        deadline = time.monotonic() + seconds(1)
        while not self.closed:
            self._read(deadline)
            found, self.buffer = h2.take_frame(self.buffer)
            while found:
                self._take(found)
                found, self.buffer = h2.take_frame(self.buffer)
            if time.monotonic() > deadline:
                self.closed = True

    def _take(self, got):
        self.frames.append(got)
        if got.kind == h2.SETTINGS:
            if got.has(h2.ACK):
                self.acknowledged += 1
            else:
                self.settings.update(got.pairs)
                self.send(h2.settings(ack=True))
        elif got.kind == h2.PING and got.has(h2.ACK):
            self.pongs.append(got.payload)
        elif got.kind == h2.PING:
            self.send(h2.ping(got.payload, ack=True))
        elif got.kind == h2.GOAWAY:
            self.goaway = got
        elif got.kind == h2.RST_STREAM:
            self.answer(got.stream).reset = got.code
        elif got.kind == h2.DATA:
            answer = self.answer(got.stream)
            answer.body += got.content
            answer.frames.append(len(got.payload))
            answer.ended = got.has(h2.END_STREAM)
        elif got.kind in (h2.HEADERS, h2.CONTINUATION):
            self._take_block(got)

    def _take_block(self, got):
        self._block += got.content
        if got.kind == h2.HEADERS and got.has(h2.END_STREAM):
            self.answer(got.stream).ended = True
        if got.has(h2.END_HEADERS):
            self.answer(got.stream).heads.append(self.decoder.decode(self._block))
            self._block = b""

    def flood(self, batches, most=500):
        """Sends batch after batch, a PING behind each, until the server has had enough; how many it took."""
        taken = 0
        for batch in itertools.islice(batches, most):
            payload = b"batch%03d" % (taken % 1000)
            self.send(batch, h2.ping(payload))
            self.until_or_closed(lambda: self.goaway or payload in self.pongs[-1:], "an answer to PING or an end")
            if self.goaway or self.closed:
                break
            taken += 1
        return taken

    def rest(self, pause):
        """Reads for so long, in seconds, and sends nothing but what must be answered."""
        deadline = time.monotonic() + pause
        while not self.closed:
            self._read(deadline)
            self.until_or_closed(lambda: h2.take_frame(self.buffer)[0] is None, "no more frames")
            if time.monotonic() >= deadline:
                break
        return self

    def look(self):
        """Takes what is there, and hardly waits."""
        return self.rest(0)

    # -- what must come

    def response(self, stream=1):
        """The whole answer on a stream, which must not be reset before it ended."""
        self.until(lambda: self.answer(stream).over, f"the end of stream {stream}")
        answer = self.answer(stream)
        assert answer.ended and answer.status, answer
        return answer

    def head(self, stream=1):
        self.until(lambda: self.answer(stream).status or self.answer(stream).reset is not None,
                   f"a response on stream {stream}")
        assert self.answer(stream).status, self.answer(stream)
        return self.answer(stream)

    def fence(self, payload=b"a fence!"):
        """A PING there and back: all that was sent before has been looked at, and the connection lives."""
        count = self.pongs.count(payload)
        self.send(h2.ping(payload))
        self.until(lambda: self.pongs.count(payload) > count, "an answer to PING")
        assert self.goaway is None, self.goaway
        return self

    def wait_for_settings(self, count):
        self.until(lambda: self.acknowledged >= count, f"the ACK of SETTINGS number {count}")

    def expect_close(self):
        self.until_or_closed(lambda: False, "the end of the connection")

    def expect_connection_error(self, *codes):
        """The connection ends (RFC 9113 §5.4.1), and its GOAWAY, if it came through, has one of the codes."""
        self.expect_close()
        if self.goaway is not None:
            assert self.goaway.code in codes, (self.goaway, [h2.ERRORS[code] for code in codes])

    def expect_stream_error(self, stream, *codes):
        """RST_STREAM with one of the codes, or what an endpoint may make of it: a connection error
        (§5.4.2)."""
        answer = self.answer(stream)
        self.until_or_closed(lambda: self.goaway or answer.reset not in (None, h2.NO_ERROR),
                             f"a reset of stream {stream}")
        if answer.reset not in (None, h2.NO_ERROR):
            assert answer.reset in codes, (answer, [h2.ERRORS[code] for code in codes])
        else:
            self.expect_connection_error(*codes)
