"""Connections of clients: kept alive, pipelined, and ended when they should be."""
import pytest

from support import wait_for
from support.backend import response

SITE = """
    server {
        listen 127.0.0.1:@port:http@;
        location / { proxy_pass http://@backend@; }
        location /own/ { return 200 "$connection_requests"; }
    }
"""


def asking(*targets, fields=""):
    return "".join(f"GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n" for target in targets)


@pytest.fixture
def named_backend(make_backend):
    return make_backend(lambda request: response(request.target))


def test_one_connection_serves_many_requests(sallyport, named_backend):
    proxy = sallyport(SITE, backend=named_backend)
    with proxy.client() as client:
        assert [client.get(f"/{number}").text for number in range(50)] == [
            f"/{number}" for number in range(50)]
        assert client.get("/own/").text == "51"


def test_pipelined_requests_are_answered_in_their_order(sallyport, named_backend):
    proxy = sallyport(SITE, backend=named_backend)
    targets = [f"/{number}" if number % 3 else "/own/" for number in range(60)]
    with proxy.client() as client:
        client.send(asking(*targets))
        for number, target in enumerate(targets, 1):
            assert client.response().text == (str(number) if target == "/own/" else target)
    assert [seen.target for seen in named_backend.requests] == [
        target for target in targets if target != "/own/"]


def test_pipelined_bodies_end_where_they_say(sallyport, make_backend):
    backend = make_backend(lambda request: response(request.body))
    proxy = sallyport(SITE, backend=backend)
    with proxy.client() as client:
        client.send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
                    "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "2\r\ntw\r\n1\r\no\r\n0\r\n\r\n" + asking("/3"))
        assert [client.response().text for _ in range(3)] == ["one", "two", ""]


def test_a_request_may_arrive_byte_by_byte(sallyport, named_backend):
    proxy = sallyport(SITE, backend=named_backend)
    with proxy.client() as client:
        for byte in asking("/slow"):
            client.send(byte)
        assert client.response().text == "/slow"


def test_empty_lines_between_requests_are_forgiven(sallyport, named_backend):
    """RFC 9112 §2.2."""
    proxy = sallyport(SITE, backend=named_backend)
    with proxy.client() as client:
        client.send("\r\n" + asking("/1") + "\r\n" + asking("/2"))
        assert [client.response().text for _ in range(2)] == ["/1", "/2"]


def test_connection_close_is_obeyed(sallyport, named_backend):
    proxy = sallyport(SITE, backend=named_backend)
    with proxy.client() as client:
        client.send(asking("/last", fields="Connection: close\r\n") + asking("/never"))
        answer = client.response()
        assert answer.text == "/last"
        assert answer.field("Connection") == "close"
        assert client.is_closed()
    assert len(named_backend.requests) == 1


def test_a_backend_s_connection_close_is_its_own_matter(sallyport, make_backend):
    backend = make_backend(response("x", fields=[("Connection", "close")]))
    proxy = sallyport(SITE, backend=backend)
    with proxy.client() as client:
        for _ in range(3):
            answer = client.get("/")
            assert answer.field("Connection") in (None, "keep-alive")
    assert len(backend.connections) == 3


def test_keepalive_requests(sallyport, named_backend):
    proxy = sallyport("keepalive_requests 3;" + SITE, backend=named_backend)
    with proxy.client() as client:
        client.send(asking("/1", "/2", "/3", "/4"))
        answers = [client.response() for _ in range(3)]
        assert [answer.text for answer in answers] == ["/1", "/2", "/3"]
        assert [answer.field("Connection") for answer in answers[:2]] in (
            [None] * 2, ["keep-alive"] * 2)
        assert answers[2].field("Connection") == "close"
        assert client.is_closed()
    assert proxy.status()["counters"]


def test_keepalive_timeout_0(sallyport, named_backend):
    proxy = sallyport("keepalive_timeout 0;" + SITE, backend=named_backend)
    with proxy.client() as client:
        answer = client.get("/")
        assert answer.field("Connection") == "close"
        assert client.is_closed()


def test_an_idle_connection_is_closed_in_time(sallyport, named_backend):
    proxy = sallyport("keepalive_timeout 100ms;" + SITE, backend=named_backend)
    with proxy.client() as client:
        assert client.get("/").status == 200
        assert client.is_closed()


def test_keepalive_timeout_may_be_told_to_the_client(sallyport, named_backend):
    proxy = sallyport("keepalive_timeout 75s 20s;" + SITE, backend=named_backend)
    assert proxy.get("/").field("Keep-Alive") == "timeout=20"


def test_keepalive_settings_of_a_location_count_there(sallyport):
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            location / { return 200; }
            location /once { keepalive_timeout 0; return 200; }
        }
    """)
    with proxy.client() as client:
        assert client.get("/").status == 200
        assert client.get("/once").field("Connection") == "close"
        assert client.is_closed()


def test_a_head_that_never_ends_is_given_up(sallyport, named_backend):
    proxy = sallyport("client_header_timeout 150ms;" + SITE, backend=named_backend)
    with proxy.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n")
        got = client.receive_all()
        assert got == b"" or got.startswith(b"HTTP/1.1 408 ")
    assert named_backend.connections == []


def test_a_body_that_stops_is_a_408(sallyport, named_backend):
    proxy = sallyport("client_body_timeout 150ms;" + SITE, backend=named_backend)
    with proxy.client() as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
        got = client.receive_all()
        assert got == b"" or got.startswith(b"HTTP/1.1 408 ")
    assert named_backend.requests == []


def test_a_client_that_reads_nothing_is_given_up(sallyport, make_backend):
    backend = make_backend(response(b"x" * 30_000_000))
    proxy = sallyport("send_timeout 150ms;" + SITE, backend=backend)
    with proxy.client() as client:
        client.send(asking("/big"))
        wait_for(lambda: backend.connections and backend.connections[0].closed,
                 "the backend's connection to be closed")


@pytest.mark.parametrize("head, status", [
    ("GET /" + "x" * 9000 + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "y" * 9000 + "\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\n" + "X: y\r\n" * 150 + "\r\n", 431),
])
def test_heads_that_are_too_large(sallyport, named_backend, head, status):
    proxy = sallyport(SITE, backend=named_backend)
    with proxy.client() as client:
        client.send(head)
        answer = client.response()
        assert answer.status in (status, 431)
        assert client.is_closed()


def test_larger_heads_can_be_allowed(sallyport, named_backend):
    proxy = sallyport("large_client_header_buffers 4 32k; max_headers 200;" + SITE,
                      backend=named_backend)
    with proxy.client() as client:
        client.send("GET /" + "x" * 20000 + " HTTP/1.1\r\nHost: a\r\n" + "X: y\r\n" * 150 + "\r\n")
        assert client.response().status == 200
    assert len(named_backend.last.all("X")) == 150


def test_a_tls_connection_is_kept_alive_as_well(sallyport, named_backend):
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:https@ ssl;
            server_name example.com;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            keepalive_requests 5;
            location / { proxy_pass http://@backend@; }
        }
    """, backend=named_backend)
    with proxy.tls_client() as client:
        client.send(asking(*"/1 /2 /3 /4 /5 /6".split()))
        assert [client.response().text for _ in range(5)] == ["/1", "/2", "/3", "/4", "/5"]
        assert client.is_closed()


def test_curl_reuses_its_connection(sallyport, named_backend):
    proxy = sallyport(SITE, backend=named_backend)
    port = proxy.port("http")
    done = proxy.curl("/1", f"http://example.com:{port}/2", "-v")
    assert done.stdout == "/2/1" or done.stdout == "/1/2"
    assert "Re-using existing connection" in done.stderr
