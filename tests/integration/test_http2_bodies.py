"""Bodies over HTTP/2: nobody is read faster than the other side takes it, and nothing is held back."""
import hashlib
import socket
import threading

import pytest

from support import wait_for
from support.backend import response
from support.h2client import connect
from support.h2frames import CANCEL, ERRORS
from support.h2peer import PEER, starter
from support.waiting import seconds

SITE = """
    error_log stderr info;
    http2 on;
    client_max_body_size 0;
    server {
        listen 127.0.0.1:@port:http@;
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        proxy_http_version 1.1;
        location / { proxy_pass http://@backend@; }
        location /stream {
            proxy_pass http://@backend@;
            proxy_buffering off;
            proxy_request_buffering off;
        }
    }
"""
BOTH = pytest.mark.parametrize("port", ["https", "http"])
PATTERN = bytes(range(251)) * 4
# What may be under way between a client that takes nothing and the backend: sockets' buffers, the
# program's, and the windows that were given.
UNDER_WAY = 8 << 20


def octets(size):
    return (PATTERN * (size // len(PATTERN) + 1))[:size]


@pytest.fixture
def start(request):
    return starter(request)


# -- whole bodies


@BOTH
@pytest.mark.parametrize("size", [0, 1, 16_384, 65_535, 65_536, 10_000_000])
def test_downloads_and_uploads_arrive_whole(start, make_backend, port, size):
    backend = make_backend(lambda request: response(request.body if request.method == "POST" else octets(size)))
    proxy = start(SITE, backend=backend)
    with connect(proxy, port) as client:
        for location in ("/", "/stream"):
            down = client.get(location)
            assert (down.field("content-length"), len(down.body)) == (str(size), size)
            assert down.body == octets(size)
            up = client.request("POST", location, body=octets(size))
            assert up.body == octets(size)


@pytest.mark.threads
def test_many_bodies_at_once_each_way(start, make_backend):
    """20 streams of 1 MB each way on one connection, none mixed up."""
    backend = make_backend(lambda request: response(request.body))
    proxy = start(SITE, backend=backend)
    with connect(proxy, window=2**24) as client:
        streams = []
        for number in range(20):
            stream = client.open("POST", "/stream", fields=[("content-length", "1000000")])
            streams.append((stream, hashlib.sha256(bytes([number]) * 1_000_000).digest()))
        for number, (stream, _) in enumerate(streams):
            stream.send(bytes([number]) * 1_000_000)
            stream.end()
        for stream, digest in streams:
            assert hashlib.sha256(stream.response().body).digest() == digest


# -- flow control from end to end


class Sender:
    """Answers with as many bytes as it can get rid of, and tells how many those were."""

    def __init__(self):
        self.sent = 0
        self.done = threading.Event()

    def __call__(self, connection):
        connection.read_request()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {1 << 30}\r\n\r\n")
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        try:
            while True:
                self.sent += connection.socket.send(octets(65536))
        except OSError:
            self.done.set()


def stand_still(read):
    """The value once it has not changed for a while."""
    seen = [read(), 0]

    def still():
        now = read()
        seen[:] = [now, seen[1] + 1 if now == seen[0] else 0]
        return seen[1] >= 100  # polls, of 5 ms

    wait_for(still, "it to stand still")
    return seen[0]


@BOTH
def test_the_backend_is_read_no_faster_than_the_client_takes(start, make_backend, port):
    sender = Sender()
    proxy = start(SITE, backend=make_backend(serve=sender))
    with connect(proxy, port) as client:
        stream = client.start("/stream", hold=True)
        client.until(lambda: len(stream.body) == 65535, "all that the window lets through")
        assert stand_still(lambda: sender.sent) < UNDER_WAY
        client.fence()
        assert len(stream.body) == 65535
        before = sender.sent
        stream.release()
        stream.wait_for(3 * UNDER_WAY)
        assert sender.sent > before
        stream.cancel()
        wait_for(sender.done.is_set, "the backend's connection to end")


def test_a_window_of_zero_holds_one_stream_and_not_the_others(start, make_backend):
    """Neither do the octets that wait for it keep the connection's window."""
    sender = Sender()

    def serve(connection):
        if b"/endless" in connection.take_until(b" HTTP"):
            sender(connection)
        else:
            connection.take_until(b"\r\n\r\n")
            connection.send(response(octets(100_000)))

    proxy = start(SITE, backend=make_backend(serve=serve))
    with connect(proxy) as client:
        client.update_settings(INITIAL_WINDOW_SIZE=0)
        held = client.start("/stream/endless", hold=True)
        if PEER == "sallyport":  # nginx keeps the head until there is room for the body
            held.head()
        client.fence()
        assert held.body == b""
        client.update_settings(INITIAL_WINDOW_SIZE=65535)
        client.until(lambda: len(held.body) == 65535, "the window's worth")
        client.engine.increment_flow_control_window(2**20)  # the connection's
        for _ in range(3):
            assert client.get("/").body == octets(100_000)
        assert len(held.body) == 65535
        held.cancel()


@BOTH
def test_an_upload_is_taken_no_faster_than_the_backend_reads(start, make_backend, port):
    """proxy_request_buffering off: what the client could send stands still until the backend reads."""
    go_on = threading.Event()
    received = []

    def serve(connection):
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        request = connection.read_head()
        go_on.wait(seconds(30))
        connection.read_body(request)
        received.append(len(request.body))
        connection.send(response("read"))

    proxy = start(SITE, backend=make_backend(serve=serve))
    size = 3 * UNDER_WAY
    with connect(proxy, port, within=30) as client:
        stream = client.open("POST", "/stream", fields=[("content-length", str(size))])
        sent = 0
        for _ in range(size // 16384):
            while client.engine.local_flow_control_window(stream.number) < 16384:
                before = client.engine.local_flow_control_window(stream.number)
                client.fence()
                if client.engine.local_flow_control_window(stream.number) == before:
                    break
            if client.engine.local_flow_control_window(stream.number) < 16384:
                break
            stream.send(octets(16384))
            sent += 16384
        assert sent < UNDER_WAY
        go_on.set()
        while sent < size:
            piece = min(16384, size - sent)
            stream.send(octets(piece))
            sent += piece
        stream.end()
        assert stream.response().text == "read"
    assert received == [size]


def test_a_refused_upload_gives_its_window_back(start, backend):
    """Bodies that nobody reads must not use up the connection's window: 40 refusals of 100 KB each."""
    proxy = start(SITE.replace("location / {", "location /refused { return 403; }\nlocation / {"), backend=backend)
    with connect(proxy) as client:
        for _ in range(40):
            stream = client.open("POST", "/refused", fields=[("content-length", "100000")])
            sent = 0
            while sent < 100_000 and not stream.over:
                room = min(client.engine.local_flow_control_window(stream.number), 16384, 100_000 - sent)
                if room <= 0:
                    client.until(lambda: stream.over or client.engine.local_flow_control_window(
                        stream.number) > 0, "a window or an end")
                    continue
                client.engine.send_data(stream.number, bytes(room), end_stream=sent + room == 100_000)
                client.flush()
                sent += room
            client.until(lambda: stream.status and stream.over, "the refusal")
            assert stream.status == 403
            assert ERRORS[stream.reset or 0] == "NO_ERROR"
        assert client.request("POST", "/", body=octets(100_000)).status == 200


# -- trailers, interim responses, expectations


@pytest.mark.skipif(PEER == "nginx", reason="Debian's nginx has no trailers of requests or backends")
@BOTH
def test_trailers_go_both_ways(sallyport, make_backend, port):
    """Those of a request where its body is streamed; one that is held is sent with its length."""
    backend = make_backend(lambda request: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        b"3\r\nabc\r\n0\r\nX-Sum: 42\r\nX-Other: a\r\n\r\n"))
    proxy = sallyport(SITE, backend=backend)
    with connect(proxy, port) as client:
        answer = client.request("POST", "/stream", body=b"body", trailers=[("x-check", "7")],
                                fields=[("te", "trailers"), ("trailer", "x-check")])
        assert (answer.status, answer.text) == (200, "abc")
        assert answer.trailers == [("x-sum", "42"), ("x-other", "a")]
    assert backend.last.body == b"body"
    assert [line.lower() for line in backend.last.trailers] == ["x-check: 7"]


@pytest.mark.skipif(PEER == "nginx", reason="Debian's nginx drops interim responses")
@BOTH
def test_early_hints_come_at_once(sallyport, make_backend, port):
    released = threading.Event()

    def serve(connection):
        connection.read_request()
        connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        released.wait(seconds(10))
        connection.send(response("page"))

    proxy = sallyport(SITE, backend=make_backend(serve=serve))
    with connect(proxy, port) as client:
        stream = client.start("/")
        client.until(lambda: stream.interim, "early hints")
        assert stream.interim == [(103, [("link", "</a.css>; rel=preload")])]
        assert stream.status is None
        released.set()
        assert stream.response().text == "page"


@pytest.mark.skipif(PEER == "nginx", reason="nginx does not send 100 over HTTP/2")
@BOTH
@pytest.mark.parametrize("location", ["/", "/stream"])
def test_expect_100_continue(start, backend, port, location):
    proxy = start(SITE, backend=backend)
    with connect(proxy, port) as client:
        stream = client.open("PUT", location, fields=[("content-length", "4"), ("expect", "100-continue")])
        client.until(lambda: stream.interim, "100 Continue")
        assert stream.interim[0][0] == 100
        stream.send(b"body")
        stream.end()
        assert stream.response().status == 200
    assert backend.last.body == b"body"


def test_expect_100_continue_of_what_is_refused_anyway(start, backend):
    proxy = start(SITE.replace("client_max_body_size 0;", "client_max_body_size 3;"), backend=backend)
    with connect(proxy) as client:
        stream = client.open("PUT", "/", fields=[("content-length", "4"), ("expect", "100-continue")])
        assert stream.head().status == 413
        assert stream.interim == []


# -- the first byte


@BOTH
def test_server_sent_events_come_one_by_one(start, make_backend, port):
    events = threading.Semaphore(1)

    def serve(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            assert events.acquire(timeout=seconds(10))
            text = f"data: {number}\n\n"
            connection.send(f"{len(text):x}\r\n{text}\r\n")
        connection.send("0\r\n\r\n")

    proxy = start(SITE, backend=make_backend(serve=serve))
    with connect(proxy, port) as client:
        stream = client.start("/")
        assert stream.head().field("content-type") == "text/event-stream"
        for number in range(5):
            expected = "".join(f"data: {one}\n\n" for one in range(number + 1))
            client.until(lambda: stream.text == expected, f"event {number}")
            events.release()
        stream.response()


@BOTH
def test_a_streaming_upload_reaches_the_backend_at_once(start, make_backend, port):
    """Each part before the next is sent, without an announced length."""
    seen = []

    def serve(connection):
        connection.read_head()
        while size := int(connection.take_until(b"\r\n"), 16):
            seen.append(connection.take(size))
            connection.take(2)
        connection.take(2)
        connection.send(response("all of it"))

    proxy = start(SITE, backend=make_backend(serve=serve))
    with connect(proxy, port) as client:
        stream = client.open("POST", "/stream")
        for part in (b"one", b"two", b"three"):
            stream.send(part)
            client.until(lambda: b"".join(seen).endswith(part), f"{part} at the backend")
        stream.end()
        assert stream.response().text == "all of it"


def test_an_answer_before_the_end_of_the_upload(start, make_backend):
    """RFC 9113 §8.1: the response is whole, and the rest of the request is not wanted."""
    def serve(connection):
        connection.read_head()
        connection.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlate")

    proxy = start(SITE, backend=make_backend(serve=serve))
    with connect(proxy) as client:
        stream = client.open("POST", "/stream", fields=[("content-length", "1000000")])
        stream.send(b"a beginning")
        client.until(lambda: stream.ended, "the response")
        assert (stream.status, stream.text) == (401, "late")
        assert ERRORS[stream.reset or 0] == "NO_ERROR"
        client.fence()


# -- the end of a stream is the end of its work


@BOTH
@pytest.mark.parametrize("location", ["/", "/stream"])
def test_a_reset_reaches_the_backend(start, make_backend, port, location):
    ends = []

    def serve(connection):
        connection.read_request()
        try:
            connection.receive()
        except (EOFError, OSError):
            ends.append("closed")

    backend = make_backend(serve=serve)
    proxy = start(SITE, backend=backend)
    with connect(proxy, port) as client:
        stream = client.start(location)
        wait_for(lambda: backend.connections, "the backend to be asked")
        wait_for(lambda: b"\r\n\r\n" in backend.connections[0].received, "the request")
        stream.cancel(CANCEL)
        client.flush()
        wait_for(lambda: ends == ["closed"], "the backend's connection to end")
        client.fence()


def test_a_client_that_goes_away_ends_all_its_streams(start, make_backend):
    ends = []

    def serve(connection):
        connection.read_request()
        try:
            connection.receive()
        except (EOFError, OSError):
            ends.append("closed")

    backend = make_backend(serve=serve)
    proxy = start(SITE, backend=backend)
    client = connect(proxy)
    for _ in range(10):
        client.start("/")
    wait_for(lambda: len(backend.connections) == 10, "ten requests")
    wait_for(lambda: all(b"\r\n\r\n" in one.received for one in backend.connections), "ten heads")
    client.close()
    wait_for(lambda: len(ends) == 10, "all of the backend's connections to end")


def test_a_backend_that_breaks_off_is_a_reset_and_not_an_end(start, make_backend):
    """Half a body must not look like a whole one."""
    def serve(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it")

    proxy = start(SITE, backend=make_backend(serve=serve))
    with connect(proxy) as client:
        stream = client.start("/stream")
        client.until(lambda: stream.over, "the end")
        assert not stream.ended and ERRORS[stream.reset] in ("INTERNAL_ERROR", "CONNECT_ERROR", "CANCEL")
        client.fence()
