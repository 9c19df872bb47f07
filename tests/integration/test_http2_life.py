"""The life of an HTTP/2 connection: how it ends, and that no request is lost when it does."""
import signal
import threading

import pytest

from support import wait_for
from support.backend import response
from support.h2client import connect
from support.h2frames import ERRORS, LARGEST_WINDOW, PREFACE, continuation, headers, settings
from support.h2peer import PEER, starter
from support.h2raw import RawConnection
from support.waiting import seconds

SITE = """
    error_log stderr info;
    http2 on;
    server {
        access_log @dir@/access.log;
        listen 127.0.0.1:@port:http@;
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        location / { return 200 "first configuration"; }
        location /app { proxy_pass http://@backend@; }
    }
"""
BOTH = pytest.mark.parametrize("port", ["https", "http"])
OURS = pytest.mark.skipif(PEER == "nginx", reason="nginx does it otherwise, or not at all")


class Gate:
    """A backend whose answers wait for open()."""

    def __init__(self, make_backend):
        self._open = threading.Event()
        self.backend = make_backend(self._answer)

    def _answer(self, request):
        assert self._open.wait(seconds(30))
        return response(request.body or request.target)

    def open(self):
        self._open.set()


@pytest.fixture
def gate(make_backend):
    gate = Gate(make_backend)
    yield gate
    gate.open()


@pytest.fixture
def start(request):
    return starter(request)


def with_http(text, directives):
    return text.replace("http2 on;", f"http2 on; {directives}")


def counter(proxy, name):
    return proxy.status()["counters"][name]


# -- stopping


@BOTH
def test_streams_run_to_their_end_after_quit(start, gate, port):
    """GOAWAY says which streams are served, they are, and then the connection ends."""
    proxy = start(SITE, backend=gate.backend)
    with connect(proxy, port) as client:
        streams = [client.start(f"/app/{number}") for number in range(5)]
        upload = client.open("POST", "/app/upload", fields=[("content-length", "8")])
        upload.send(b"half")
        gate.backend.wait_for_requests(5)
        proxy.send_signal(signal.SIGQUIT)
        goaway = client.wait_for_goaway()
        assert ERRORS[goaway.code] == "NO_ERROR"
        assert goaway.last_stream >= upload.number
        upload.send(b"half")
        upload.end()
        gate.open()
        for number, stream in enumerate(streams):
            assert stream.response().text == f"/app/{number}"
        assert upload.response().text == "halfhalf"
        client.wait_for_close()
        last = client.goaway[-1]
        assert ERRORS[last.code] == "NO_ERROR" and last.last_stream >= upload.number


@OURS
def test_a_stop_is_announced_before_it_refuses(sallyport, gate):
    """RFC 9113 §6.8: first GOAWAY with the largest identifier, and what was on its way is still served."""
    proxy = sallyport(SITE, backend=gate.backend)
    with connect(proxy) as client:
        running = client.start("/app")
        gate.backend.wait_for_requests(1)
        proxy.send_signal(signal.SIGQUIT)
        first = client.wait_for_goaway()
        assert first.last_stream == LARGEST_WINDOW
        client.until(lambda: len(client.goaway) > 1, "the final GOAWAY")
        assert client.goaway[-1].last_stream == running.number
        gate.open()
        running.response()
        client.wait_for_close()


@BOTH
def test_an_idle_connection_ends_at_once_at_quit(start, backend, port):
    proxy = start(SITE, backend=backend)
    with connect(proxy, port) as client:
        client.get()
        proxy.send_signal(signal.SIGQUIT)
        client.wait_for_close()
        assert [ERRORS[frame.code] for frame in client.goaway][-1:] == ["NO_ERROR"]


@OURS
def test_worker_shutdown_timeout_ends_what_will_not_end(sallyport, gate):
    proxy = sallyport(SITE, main="worker_shutdown_timeout 300ms;", backend=gate.backend)
    with connect(proxy) as client:
        stream = client.start("/app")
        gate.backend.wait_for_requests(1)
        proxy.send_signal(signal.SIGQUIT)
        client.wait_for_close()
        assert stream.status is None


# -- reloading


@BOTH
def test_a_reload_loses_no_stream(start, gate, port):
    """What runs ends as it began; what comes after is served by the new configuration, here or, after
    GOAWAY, on the next connection."""
    proxy = start(SITE, backend=gate.backend)
    with connect(proxy, port) as client:
        assert client.get("/").text == "first configuration"
        running = client.start("/app/running")
        gate.backend.wait_for_requests(1)
        second = SITE.replace("first configuration", "second configuration")
        if PEER == "nginx":
            from support.h2peer import as_nginx
            proxy.configure(as_nginx(second))
            proxy.send_signal(signal.SIGHUP)
            client.wait_for_goaway()
        else:
            proxy.reload(second)
        with connect(proxy, port) as fresh:
            wait_for(lambda: fresh.get("/").text == "second configuration", "the new configuration")
        client.fence()
        if not client.goaway:
            assert client.get("/").text == "second configuration"
        else:
            assert ERRORS[client.goaway[-1].code] == "NO_ERROR"
        gate.open()
        assert running.response().text == "/app/running"
        if client.goaway:
            client.wait_for_close()


@OURS
@pytest.mark.threads
def test_no_request_is_lost_over_reloads(sallyport, backend):
    """A client that heeds GOAWAY, as browsers do, never sees a failure."""
    proxy = sallyport(SITE, main="worker_processes 2;", backend=backend)
    done, failures = threading.Event(), []

    def ask():
        while not done.is_set():
            with connect(proxy) as client:
                while not done.is_set() and not client.goaway:
                    streams = [client.start("/app") for _ in range(10)]
                    client.until_or_closed(lambda: all(one.over for one in streams), "ten answers")
                    last = client.goaway[-1].last_stream if client.goaway else LARGEST_WINDOW
                    failures.extend(one for one in streams if one.status != 200 and one.number <= last)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(5):
            proxy.reload(SITE.replace("first", f"turn {turn}"))
    finally:
        done.set()
        for thread in threads:
            thread.join(seconds(30))
    assert not failures


# -- limits of a connection


@BOTH
def test_an_idle_connection_is_let_go(start, backend, port):
    proxy = start(with_http(SITE, "keepalive_timeout 300ms;"), backend=backend)
    with connect(proxy, port) as client:
        assert client.get().status == 200
        client.wait_for_close()
        assert [ERRORS[frame.code] for frame in client.goaway] == ["NO_ERROR"]
    if PEER == "sallyport":
        assert counter(proxy, "limit_keepalive_time") == 1


@OURS
def test_pings_do_not_keep_an_idle_connection(sallyport, backend):
    proxy = sallyport(with_http(SITE, "keepalive_timeout 500ms;"), backend=backend)
    with connect(proxy) as client:
        client.get()
        pings = 0
        while not client.closed and pings < 200:
            count = len(client.pongs)
            client.engine.ping(b"not idle")
            client.flush()
            client.until_or_closed(lambda: len(client.pongs) > count, "an answer to PING")
            pings += 1
            client.rest(0.05)
        assert client.closed
        assert [ERRORS[frame.code] for frame in client.goaway][-1] == "NO_ERROR"


def test_a_connection_with_a_running_stream_is_not_idle(start, gate):
    proxy = start(with_http(SITE, "keepalive_timeout 200ms;"), backend=gate.backend)
    with connect(proxy) as client:
        running = client.start("/app")
        gate.backend.wait_for_requests(1)
        client.rest(1)
        assert not client.closed and not client.goaway
        gate.open()
        assert running.response().status == 200


@BOTH
def test_keepalive_requests(start, backend, port):
    """After so many a GOAWAY; what was on its way beyond is refused unprocessed, not lost."""
    proxy = start(with_http(SITE, "keepalive_requests 5;"), backend=backend)
    with connect(proxy, port) as client:
        answered = 0
        for _ in range(10):
            stream = client.start("/app")
            client.until_or_closed(lambda: stream.over, "an answer")
            answered += stream.status == 200
            if client.goaway or client.closed:
                break
        client.wait_for_close()
        assert 4 <= answered <= 6 if PEER == "nginx" else answered == 5
        assert ERRORS[client.goaway[-1].code] == "NO_ERROR"
        assert client.goaway[-1].last_stream in (2 * answered - 1, LARGEST_WINDOW)
    assert len(backend.requests) == answered
    if PEER == "sallyport":
        assert counter(proxy, "limit_keepalive_requests") == 1


@OURS
def test_keepalive_time(sallyport, backend):
    proxy = sallyport(with_http(SITE, "keepalive_time 300ms; keepalive_requests 1000000;"), backend=backend)
    with connect(proxy) as client:
        count = 0
        while not client.goaway and not client.closed and count < 100_000:
            client.until_or_closed(lambda stream=client.start(): stream.over, "an answer")
            count += 1
        client.wait_for_close()
        assert ERRORS[client.goaway[-1].code] == "NO_ERROR"
    assert counter(proxy, "limit_keepalive_age") == 1


# -- time


@OURS
@pytest.mark.parametrize("beginning", [b"", PREFACE[:5], PREFACE[:-1], PREFACE], ids=len)
@BOTH
def test_a_preface_that_stops_ends_in_time(sallyport, backend, beginning, port):
    proxy = sallyport(with_http(SITE, "client_header_timeout 300ms; keepalive_timeout 300ms;"), backend=backend)
    context = proxy.authority.client_context(protocols=["h2"])
    with proxy.client() if port == "http" else proxy.tls_client(context=context) as client:
        client.send(beginning)
        client.receive_all()
    assert counter(proxy, "limit_header_time") + counter(proxy, "limit_keepalive_time") == 1


@OURS
@pytest.mark.parametrize("rest", [b"", continuation(1, b"", end_headers=False)], ids=["HEADERS", "CONTINUATION"])
def test_a_field_block_that_stops_ends_in_time(sallyport, backend, rest):
    proxy = sallyport(with_http(SITE, "client_header_timeout 300ms;"), backend=backend)
    with RawConnection(proxy.client()) as peer:
        peer.send(headers(1, peer.get(), end_headers=False), rest)
        peer.expect_close()
    assert counter(proxy, "limit_header_time") == 1


@OURS
@pytest.mark.parametrize("location", ["/app", "/stream"])
def test_a_body_that_stops_ends_its_stream_only(sallyport, backend, location):
    """A 408 or a reset; a stream beside it goes on."""
    site = with_http(SITE, "client_body_timeout 300ms; client_body_min_rate 0;").replace(
        "location /app", "location /stream { proxy_request_buffering off; proxy_pass http://@backend@; }\n"
        "location /app")
    proxy = sallyport(site, backend=backend)
    with connect(proxy) as client:
        stopped = client.open("POST", location, fields=[("content-length", "10")])
        stopped.send(b"half")
        client.until(lambda: stopped.over, "the end of the stream")
        assert stopped.status in (None, 408)
        assert client.get().status == 200
    assert counter(proxy, "limit_body_time") == 1


@OURS
def test_a_response_that_is_not_taken_ends_its_stream_only(sallyport, make_backend):
    """send_timeout is a stream's, too: a window that stays shut reaps it (an HTTP/2 bomb's way to stay)."""
    backend = make_backend(response("x" * 100_000))
    proxy = sallyport(with_http(SITE, "send_timeout 300ms; send_min_rate 0;"), backend=backend)
    with connect(proxy, settings={4: 1000}) as client:
        stalled = client.start("/app", hold=True)
        client.until(lambda: stalled.over, "the stream to be reaped")
        assert not stalled.ended and len(stalled.body) == 1000
        assert client.get().status == 200
    assert counter(proxy, "limit_send_time") == 1


@OURS
def test_settings_that_are_never_acknowledged(sallyport, backend):
    """RFC 9113 §6.5.3 allows SETTINGS_TIMEOUT; either way the connection does not stay for ever."""
    proxy = sallyport(with_http(SITE, "client_header_timeout 300ms; keepalive_timeout 300ms;"), backend=backend)
    with proxy.client() as client:
        client.send(PREFACE + settings())
        data = client.receive_all()
    assert data  # SETTINGS came, then the end
