"""Peers that are slow on purpose, or gone: every wait ends, and nobody works for those who left."""
import contextlib
import resource
import socket
import threading
import time

import pytest

from support import seconds, wait_for
from support.backend import response

SITE = """
    error_log stderr info;
    client_header_timeout 1s;
    client_body_timeout 1s;
    client_body_min_rate 0;  # on a busy machine it might strike first
    send_timeout 1s;
    send_min_rate 0;
    keepalive_timeout 1s;
    client_max_body_size 0;
    server {
        listen 127.0.0.1:@port:http@;
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        location / { proxy_pass http://@backend@; }
        location /stream {
            proxy_pass http://@backend@;
            proxy_buffering off;
            proxy_request_buffering off;
        }
    }
"""


def open_client(proxy, transport):
    return proxy.client("http") if transport == "plain" else proxy.tls_client("https")


def trickle(client, pieces, pause=0.2):
    """Sends a piece every `pause` seconds for as long as the peer listens; the seconds that it did."""
    began = time.monotonic()
    client.socket.settimeout(pause)
    for piece in pieces:
        try:
            client.send(piece)
            received = client.socket.recv(65536)
            client.pending += received
            if not received:
                break
        except TimeoutError:
            continue
        except OSError:
            break
    else:
        raise AssertionError("the peer listened to the end")
    return time.monotonic() - began


def counter(proxy, name):
    return proxy.status()["counters"][name]


@pytest.mark.threads
@pytest.mark.parametrize("transport", ["plain", "tls"])
def test_a_head_that_trickles_is_cut_off_by_the_total_time(sallyport, backend, transport):
    """Each byte is in time; the head as a whole is not."""
    proxy = sallyport(SITE, backend=backend)
    with open_client(proxy, transport) as client:
        client.send("GET / HTTP/1.1\r\nHost: example.com\r\n")
        trickle(client, ["X: y\r\n"] * 80)
    assert counter(proxy, "limit_header_time") == 1
    assert backend.requests == []
    assert proxy.get().status == 200


def test_a_head_that_times_out_is_a_408_in_the_logs_and_no_answer(sallyport, backend):
    proxy = sallyport(SITE.replace("server {", "access_log @dir@/access.log; server {", 1),
                      backend=backend)
    with proxy.client("http") as client:
        client.send("GET /slow HTTP/1.1\r\nHost: example.com\r\n")
        assert client.receive_all() == b""
    [line] = proxy.lines(count=1)
    assert '"GET /slow HTTP/1.1" 408 0 "-" "-"' in line
    proxy.wait_for_error("client timed out (110: Connection timed out) while reading client request headers")


def test_a_client_that_never_says_anything_is_let_go(sallyport, backend):
    proxy = sallyport(SITE, backend=backend)
    with proxy.client("http") as silent, proxy.client("https") as no_handshake:
        assert silent.is_closed() and no_handshake.is_closed()
    assert counter(proxy, "limit_header_time") == 1
    assert counter(proxy, "limit_handshake_time") == 1


def test_a_handshake_that_trickles_is_cut_off(sallyport, backend):
    proxy = sallyport(SITE, backend=backend)
    with proxy.client("https") as client:
        trickle(client, [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] + [b"x"] * 80)
    assert counter(proxy, "limit_handshake_time") == 1


def test_an_idle_kept_connection_is_let_go(sallyport, backend):
    proxy = sallyport(SITE, backend=backend)
    with proxy.client() as client:
        assert client.get().status == 200
        assert client.is_closed()
    assert counter(proxy, "limit_keepalive_time") == 1


@pytest.mark.threads
@pytest.mark.parametrize("target", ["/", "/stream"])
@pytest.mark.parametrize("transport", ["plain", "tls"])
@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_body_that_stops_is_a_408(sallyport, make_backend, transport, target, framing):
    backend = make_backend()
    proxy = sallyport(SITE, backend=backend)
    with open_client(proxy, transport) as client:
        client.send(f"POST {target} HTTP/1.1\r\nHost: example.com\r\n{framing}\r\n\r\n")
        client.send("5\r\nhello\r\n5\r\nhe" if "chunked" in framing else "hello")
        answer = client.receive_all()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408")
    wait_for(lambda: counter(proxy, "limit_body_time") == 1, "the limit to be counted")
    assert backend.requests == []
    wait_for(lambda: all(connection.closed for connection in backend.connections),
             "the request to the backend to be given up")


def flood(connection):
    connection.read_request()
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    block = b"x" * (1 << 20)
    for _ in range(1000):
        connection.send(block)


@pytest.mark.threads
@pytest.mark.parametrize("target", ["/", "/stream"])
@pytest.mark.parametrize("transport", ["plain", "tls"])
def test_a_client_that_does_not_read_is_let_go(sallyport, make_backend, transport, target):
    backend = make_backend(serve=flood)
    proxy = sallyport(SITE, backend=backend)
    with open_client(proxy, transport) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(f"GET {target} HTTP/1.1\r\nHost: example.com\r\n\r\n")
        wait_for(lambda: backend.connections and backend.connections[0].closed,
                 "the backend's connection to be closed", within=15)
    wait_for(lambda: counter(proxy, "limit_send_time") == 1, "the limit to be counted")
    # The client is to blame, and so the line says.
    proxy.wait_for_error("client timed out (110: Connection timed out) while sending to client")
    assert "upstream timed out" not in proxy.errors


def test_many_slow_clients_do_not_hold_up_a_quick_one(sallyport, backend):
    proxy = sallyport(SITE.replace("client_header_timeout 1s", "client_header_timeout 20s"),
                      backend=backend)
    slow = [proxy.client() for _ in range(300)]
    for number, client in enumerate(slow):
        client.send("GET / HTTP/1.1\r\nHost: example.com\r\n" + "X: y\r\n" * (number % 3))
    assert [proxy.get().status for _ in range(20)] == [200] * 20
    for client in slow:
        client.close()


CROWD = """
    worker_processes 2;
    error_log stderr error;
    events {{ worker_connections 8000; }}
    http {{
        client_header_timeout 4s;
        client_body_timeout 4s;
        send_timeout 4s;
        server {{
            listen 127.0.0.1:@port:http@ backlog=8192;
            location / {{ proxy_pass http://@backend@; }}
            location /page {{ return 200 "{page}"; }}
        }}
    }}
"""


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 12_000
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the hard limit of descriptors is {hard}, {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_5000_slow_clients_hold_up_nobody_and_are_let_go(sallyport, backend, many_descriptors):
    """Heads and bodies that drip, and answers that nobody takes."""
    heads, bodies, readers = 2400, 2400, 200
    proxy = sallyport(CROWD.format(page="x" * 60_000), backend=backend)
    beginnings = (["GET / HTTP/1.1\r\nHost: a\r\nX: "] * heads +
                  ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"] * bodies +
                  ["GET /page HTTP/1.1\r\nHost: a\r\n\r\n" * 20] * readers)
    with contextlib.ExitStack() as open_clients:
        slow = []
        for beginning in beginnings:
            client = open_clients.enter_context(proxy.client())
            client.send(beginning)
            client.socket.setblocking(False)
            slow.append(client.socket)
        # The first are let go while the last still come: what counts is that all of them came.
        assert [proxy.get("/").status for _ in range(20)] == [200] * 20

        def drip():
            for each in slow[:heads + bodies]:
                with contextlib.suppress(OSError):
                    each.send(b"x")
            return (counter(proxy, "limit_header_time") == heads and
                    counter(proxy, "limit_body_rate") + counter(proxy, "limit_body_time") == bodies)
        wait_for(drip, "every slow head and body to be ended", within=60)
        assert [proxy.get("/").status for _ in range(20)] == [200] * 20
    wait_for(lambda: counter(proxy, "connections_active") == 0, "every connection to end", within=30)
    assert {request.method for request in backend.requests} == {"GET"}


# -- clients that leave

def leave_after(client, way):
    if way == "reset":
        client.reset()
    else:
        client.close()


@pytest.mark.threads
@pytest.mark.parametrize("way", ["close", "reset"])
@pytest.mark.parametrize("target", ["/", "/stream"])
@pytest.mark.parametrize("transport", ["plain", "tls"])
def test_the_backend_stops_working_for_a_client_that_left_before_the_answer(
        sallyport, make_backend, transport, target, way):
    asked, gone = threading.Event(), threading.Event()

    def serve(connection):
        connection.read_request()
        asked.set()
        try:
            connection.receive()
        except (EOFError, OSError):
            gone.set()

    proxy = sallyport(SITE, backend=make_backend(serve=serve))
    client = open_client(proxy, transport)
    client.send(f"GET {target} HTTP/1.1\r\nHost: example.com\r\n\r\n")
    assert asked.wait(seconds(10))
    leave_after(client, way)
    assert gone.wait(seconds(10)), "the backend still works for a client that is gone"
    proxy.wait_for_error("client prematurely closed connection")


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_that_holds_after_a_streamed_body_too(sallyport, make_backend, framing):
    asked, gone = threading.Event(), threading.Event()

    def serve(connection):
        connection.read_request()
        asked.set()
        try:
            connection.receive()
        except (EOFError, OSError):
            gone.set()

    proxy = sallyport(SITE, backend=make_backend(serve=serve))
    client = proxy.client()
    body = ("Content-Length: 5\r\n\r\nhello" if framing == "length" else
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    client.send(f"POST /stream HTTP/1.1\r\nHost: example.com\r\n{body}")
    assert asked.wait(seconds(10))
    client.close()
    assert gone.wait(seconds(10)), "the backend still works for a client that is gone"


@pytest.mark.parametrize("way", ["close", "reset"])
@pytest.mark.parametrize("target", ["/", "/stream"])
@pytest.mark.parametrize("transport", ["plain", "tls"])
def test_the_backend_stops_sending_to_a_client_that_left(sallyport, make_backend, transport, target, way):
    backend = make_backend(serve=flood)
    proxy = sallyport(SITE, backend=backend)
    client = open_client(proxy, transport)
    client.send(f"GET {target} HTTP/1.1\r\nHost: example.com\r\n\r\n")
    client.receive(lambda data: len(data) > 10_000)
    leave_after(client, way)
    wait_for(lambda: backend.connections[0].closed, "the backend's connection to be closed", within=5)
    wait_for(lambda: counter(proxy, "requests_aborted") == 1, "the request to be counted as aborted")


@pytest.mark.parametrize("target", ["/", "/stream"])
def test_a_client_that_leaves_in_the_body_takes_the_backend_s_request_with_it(
        sallyport, make_backend, target):
    backend = make_backend()
    proxy = sallyport(SITE, backend=backend)
    client = proxy.client()
    client.send(f"POST {target} HTTP/1.1\r\nHost: example.com\r\nContent-Length: 100000\r\n\r\nhello")
    if target == "/stream":
        wait_for(lambda: backend.connections and b"hello" in backend.connections[0].received,
                 "the body's beginning to reach the backend")
    client.close()
    wait_for(lambda: all(connection.closed for connection in backend.connections),
             "the backend's connection to be closed")
    assert backend.requests == []
    wait_for(lambda: counter(proxy, "requests_active") == 0, "the request to end")


def test_an_answer_without_a_backend_does_not_wait_for_an_endless_body(sallyport):
    """`return` with a client that sends as fast as it can: others are served meanwhile."""
    proxy = sallyport("""
        error_log stderr info;
        worker_processes 1;
        server {
            listen 127.0.0.1:@port:http@;
            location / { return 200 "short\\n"; }
        }
    """)
    stop = threading.Event()

    def pour():
        with proxy.client() as client:
            try:
                client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000000\r\n\r\n")
                while not stop.is_set():
                    client.send(b"x" * (1 << 20))
            except OSError:
                pass

    pouring = [threading.Thread(target=pour) for _ in range(2)]
    for thread in pouring:
        thread.start()
    try:
        assert [proxy.get().text for _ in range(20)] == ["short\n"] * 20
    finally:
        stop.set()
        for thread in pouring:
            thread.join(20)
    assert counter(proxy, "bytes_in") < 1 << 30


PATIENCE = seconds(1)
IMPATIENT = f"""
    client_max_body_size 0;
    proxy_read_timeout {PATIENCE}s;
    server {{
        listen 127.0.0.1:@port:http@;
        location / {{ proxy_pass http://@backend@; }}
        location /stream {{ proxy_pass http://@backend@; proxy_request_buffering off; }}
    }}
"""


@pytest.mark.threads
def test_an_upload_may_take_longer_than_the_backend_may_to_answer(sallyport, make_backend):
    """proxy_read_timeout begins when the backend has the whole request, as with nginx."""
    backend = make_backend(lambda request: response(f"{len(request.body)} bytes"))
    proxy = sallyport(IMPATIENT, backend=backend)
    with proxy.client() as client:
        client.send("POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 25\r\n\r\n")
        for _ in range(5):
            time.sleep(0.5 * PATIENCE)
            client.send("12345")
        assert client.response().text == "25 bytes"
    assert counter(proxy, "upstream_timeouts") == 0


def test_a_backend_may_take_longer_to_read_a_held_request_than_to_answer(sallyport, make_backend):
    size = 64 << 20  # many times what the kernel's buffers take

    def serve(connection):
        request = connection.read_head()
        left = size - len(connection.pending)
        room = bytearray(1 << 20)
        while left > 0:
            left -= connection.socket.recv_into(room, min(left, len(room)), socket.MSG_WAITALL)
            time.sleep(0.03 * PATIENCE)
        connection.send(response(request.target))

    proxy = sallyport(IMPATIENT, backend=make_backend(serve=serve))
    with proxy.client(within=20) as client:
        assert client.request("POST", "/held", body=b"x" * size).text == "/held"
    assert counter(proxy, "upstream_timeouts") == 0


def test_a_backend_that_has_an_upload_and_says_nothing_is_a_504_in_time(sallyport, make_backend):
    stop = threading.Event()

    def serve(connection):
        connection.read_request()
        stop.wait(seconds(20))

    proxy = sallyport(IMPATIENT, backend=make_backend(serve=serve))
    with proxy.client() as client:
        client.send("POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
        time.sleep(1.5 * PATIENCE)
        began = time.monotonic()
        client.send("12345")
        assert client.response().status == 504
        assert time.monotonic() - began > 0.5 * PATIENCE  # a 502 would follow much later
    stop.set()
    assert counter(proxy, "upstream_timeouts") == 1


def test_a_slow_backend_holds_up_nobody_else(sallyport, make_backend):
    free = threading.Event()

    def answer(request):
        if request.target == "/slow":
            free.wait(20)
        return response(request.target)

    proxy = sallyport(SITE, backend=make_backend(answer))
    slow = [proxy.client() for _ in range(50)]
    for client in slow:
        client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [proxy.get("/quick").text for _ in range(20)] == ["/quick"] * 20
    free.set()
    assert all(client.response().text == "/slow" for client in slow)
    for client in slow:
        client.close()


# -- clients that are never silent, and never done

RATES = (SITE.replace("client_body_min_rate 0;", "client_body_min_rate 1k;")
         .replace("client_body_timeout 1s;", "client_body_timeout 2s;")
         .replace("send_min_rate 0;", "send_min_rate 100k;"))


@pytest.mark.threads
@pytest.mark.parametrize("target", ["/", "/stream"])
@pytest.mark.parametrize("transport", ["plain", "tls"])
@pytest.mark.parametrize("framing", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
def test_a_body_that_drips_is_cut_off(sallyport, make_backend, transport, target, framing):
    backend = make_backend()
    proxy = sallyport(RATES, backend=backend)
    with open_client(proxy, transport) as client:
        client.send(f"POST {target} HTTP/1.1\r\nHost: example.com\r\n{framing}\r\n\r\n")
        trickle(client, ["1\r\nx\r\n" if "chunked" in framing else "x"] * 80)
        assert client.pending == b"" or client.pending.startswith(b"HTTP/1.1 408")
    wait_for(lambda: counter(proxy, "limit_body_rate") == 1, "the limit to be counted")
    assert counter(proxy, "limit_body_time") == 0
    assert backend.requests == []
    proxy.wait_for_error("client sent its body more slowly than client_body_min_rate allows")


@pytest.mark.threads
@pytest.mark.parametrize("transport", ["plain", "tls"])
def test_a_client_that_sips_is_let_go(sallyport, make_backend, transport):
    """It takes something all the time, so no pause is long; but far below the rate."""
    backend = make_backend(serve=flood)
    proxy = sallyport(RATES, backend=backend)
    with open_client(proxy, transport) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send("GET /stream HTTP/1.1\r\nHost: example.com\r\n\r\n")

        def sip():
            try:
                client.socket.recv(1)
            except OSError:
                pass
            return backend.connections and backend.connections[0].closed
        wait_for(sip, "the backend's connection to be closed", within=30)
    wait_for(lambda: counter(proxy, "limit_send_rate") + counter(proxy, "limit_send_time") == 1,
             "the limit to be counted")


def test_a_client_that_keeps_the_rate_is_served_to_the_end(sallyport, make_backend):
    """Longer than every time-out, and never a byte late."""
    backend = make_backend()
    proxy = sallyport(RATES.replace("client_body_min_rate 1k", "client_body_min_rate 100"),
                      backend=backend)
    with proxy.client() as client:
        client.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1000\r\n\r\n")
        began = time.monotonic()
        for _ in range(10):
            client.send("x" * 100)
            wait_for(lambda: time.monotonic() - began > 0.3, "the next piece's turn")
            began = time.monotonic()
        assert client.response().status == 200
    assert backend.last.body == b"x" * 1000
