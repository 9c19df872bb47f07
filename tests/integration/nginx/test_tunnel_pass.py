"""tunnel_pass: CONNECT over HTTP/1.1 and HTTP/2, to a server, a group, and to where the client wants.

Debian's nginx is older than the module, so the program is asked alone."""
import base64
import os
import signal
import socket
import threading

import pytest

from support import wait_for
from support.backend import response
from support.h2frames import CANCEL, NO_ERROR, data, headers, block
from support.h2raw import RawConnection
from support.ports import reserve_port

SITE = """
    http2 on;
    log_format one '$status "$request" $request_length $bytes_sent $upstream_addr $upstream_status '
                   '$upstream_bytes_sent $upstream_bytes_received';
    access_log @dir@/access.log one;
    upstream group { server 127.0.0.1:@nobody@; server @backend@; }
    #http
    server {
        listen 127.0.0.1:@port:http@;
        #server
    }
    server {
        listen 127.0.0.1:@port:plain@;
        location / { return 200 text; }
    }
    server {
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        tunnel_pass @backend@;
    }
"""


def request(target, *fields, version="1.1", host=None):
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"CONNECT {target} HTTP/{version}\r\nHost: {host or target}\r\n{lines}\r\n"


def echo(connection):
    """Sends back what it gets, until the end."""
    try:
        while True:
            connection.send(connection.receive())
    except EOFError:
        connection.send(b" and goodbye")


@pytest.fixture
def start(sallyport, make_backend):
    """start(inside the server, backend, inside http): the program and its backend."""
    def run(inside, serve=echo, *, http="", main="", **values):
        backend = serve if hasattr(serve, "port") else make_backend(serve=serve)
        text = SITE.replace("#server", inside).replace("#http", http)
        proxy = sallyport(text, main=main, backend=backend, nobody=reserve_port(), **values)
        proxy.backend = backend
        return proxy

    return run


def opened(client, target="example.com:443", **options):
    client.send(request(target, **options))
    head = client.receive_until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    return head


def status(proxy, text, port="http"):
    with proxy.client(port) as client:
        client.send(text)
        return int(client.receive_until(b"\r\n\r\n").split()[1])


# -- where it goes


@pytest.mark.parametrize("inside", ["tunnel_pass @backend@;", "tunnel_pass group;",
                                    "location / { tunnel_pass @backend@; }",
                                    "location / { if ($request_method = CONNECT) { tunnel_pass group; } }",
                                    "set $to group; location / { set $to group; tunnel_pass $to; }"])
def test_a_fixed_target(start, inside):
    """Whatever the client says, as with nginx."""
    proxy = start(inside)
    with proxy.client() as client:
        opened(client, "192.0.2.1:25")
        client.send("hello")
        assert client.receive_exactly(5) == b"hello"
        client.half_close()
        assert client.receive_all() == b" and goodbye"


def test_the_client_s_target(start):
    proxy = start("tunnel_allow 127.0.0.0/8:*; location / { tunnel_pass; }")
    with proxy.client() as client:
        opened(client, str(proxy.backend))
        client.send("hello")
        assert client.receive_exactly(5) == b"hello"
    assert status(proxy, request(f"127.0.0.1:{reserve_port()}")) == 502


def test_the_answer_has_no_framing(start):
    """RFC 9110 §9.3.6: neither Content-Length nor Transfer-Encoding; what follows is the tunnel's."""
    proxy = start("tunnel_pass @backend@; add_header X-More 1;")
    with proxy.client() as client:
        head = opened(client).decode().lower()
        assert "content-length" not in head and "transfer-encoding" not in head
        assert "connection:" not in head and "x-more: 1" in head


def test_early_bytes_are_the_tunnel_s(start):
    proxy = start("tunnel_pass @backend@;")
    with proxy.client() as client:
        client.send(request("a.test:443") + "GET / HTTP/1.1\r\n\r\n")
        client.receive_until(b"\r\n\r\n")
        assert client.receive_exactly(18) == b"GET / HTTP/1.1\r\n\r\n"


def test_much_both_ways(start):
    proxy = start("tunnel_pass @backend@;")
    sent = os.urandom(3_000_000)
    with proxy.client(within=30) as client:
        opened(client)
        writer = threading.Thread(target=client.socket.sendall, args=(sent,))
        writer.start()
        assert client.receive_exactly(len(sent)) == sent
        writer.join()


def test_a_whole_request_through_it(start, make_backend):
    """As a browser has it: TLS to the target, which the proxy does not see."""
    backend = make_backend(response("inside"))
    proxy = start("tunnel_pass @backend@;", backend)
    with proxy.client() as client:
        opened(client)
        assert client.get("/", host="example.com").text == "inside"


# -- HTTP/2 (RFC 9113 §8.5)


@pytest.mark.parametrize("port", ["http", "https"])
def test_over_http2(start, port):
    proxy = start("tunnel_pass @backend@;")
    with RawConnection(proxy.client(port) if port == "http" else proxy.tls_client(
            port, context=proxy.authority.client_context(protocols=["h2"]))) as peer:
        for number in (1, 3):
            peer.send(headers(number, block([(":method", "CONNECT"), (":authority", "any.test:443")]),
                              end_stream=False))
            assert peer.head(number).status == 200
            peer.send(data(number, b"hello"))
            peer.until(lambda n=number: peer.answer(n).body == b"hello", "the echo")
        for number in (1, 3):
            peer.send(data(number, b"", end_stream=True))
            peer.until(lambda n=number: peer.answer(n).over, "the end of the tunnel")
            assert peer.answer(number).ended and peer.answer(number).reset in (None, NO_ERROR)
            assert peer.answer(number).body == b"hello and goodbye"
        peer.fence()


def test_a_reset_over_http2_ends_the_backend_s_side(start):
    ended = threading.Event()

    def until_the_end(connection):
        try:
            connection.receive()
        except (EOFError, OSError):
            ended.set()

    proxy = start("tunnel_pass @backend@;", until_the_end)
    with RawConnection(proxy.client()) as peer:
        peer.send(headers(1, block([(":method", "CONNECT"), (":authority", "any.test:443")]), end_stream=False))
        assert peer.head(1).status == 200
        peer.send(b"\0\0\4\3\0\0\0\0\1" + CANCEL.to_bytes(4, "big"))
        wait_for(ended.is_set, "the backend's connection to end")
        peer.fence()


@pytest.mark.parametrize("fields", [
    [(":authority", "a.test")], [(":authority", "a.test:")], [(":authority", "a.test:0")],
    [(":authority", "u@a.test:443")], [(":authority", "a.test:443"), ("host", "b.test:443")],
    [(":authority", "a.test:443"), ("content-length", "3")], [("host", "a.test:443")],
    [(":authority", "a.test:443"), (":path", "/"), (":scheme", "https")]],
    ids=["no port", "empty port", "port 0", "userinfo", "another host", "length", "no authority", "path"])
def test_what_is_no_connect_over_http2(start, fields):
    proxy = start("tunnel_pass @backend@;")
    with RawConnection(proxy.client()) as peer:
        pseudo = [each for each in fields if each[0].startswith(":")]
        rest = [each for each in fields if not each[0].startswith(":")]
        peer.send(headers(1, block([(":method", "CONNECT"), *pseudo, *rest]), end_stream=False))
        peer.until(lambda: peer.answer(1).over or peer.answer(1).status, "a refusal")
        assert peer.answer(1).status in (None, 400)
    assert proxy.backend.connections == []


# -- what is refused


def test_without_tunnel_pass_connect_is_a_405(start):
    proxy = start("tunnel_pass @backend@;")
    with proxy.client("plain") as client:
        client.send(request("example.com:443") + "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().status == 405
        assert client.is_closed()
    with RawConnection(proxy.client("plain")) as peer:
        peer.send(headers(1, block([(":method", "CONNECT"), (":authority", "a.test:443")]), end_stream=False))
        assert peer.head(1).status == 405


@pytest.mark.parametrize("inside", [
    "location / { return 200 text; } location /tunnel { tunnel_pass @backend@; }",
    "return 200 text; location /tunnel { tunnel_pass @backend@; }",
    "location / { proxy_pass http://@backend@; } location /tunnel { tunnel_pass @backend@; }",
    "tunnel_pass @backend@; location / { root @dir@; }"])
def test_a_place_without_tunnel_pass_opens_none(start, inside):
    """A 2xx would be the tunnel's, and its text the other side's bytes. tunnel_pass is not inherited."""
    proxy = start(inside)
    with proxy.client() as client:
        client.send(request("example.com:443") + "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().status == 405
        assert client.is_closed()
    assert proxy.backend.connections == []


def test_other_methods_are_a_405(start):
    proxy = start("location / { tunnel_pass @backend@; } location /told { return 200 told; }")
    with proxy.client() as client:
        assert client.get("/").status == 405
        assert client.get("/told").text == "told"
        assert client.request("POST", "/", body=b"x").status == 405  # may close: a body that was not read


@pytest.mark.parametrize("target", ["example.com", "example.com:", ":443", ":", "example.com:0", "example.com:65536",
                                    "example.com:4x", "u:p@example.com:443", "http://example.com:443",
                                    "example.com:443/", "example.com:443?a", "example.com:443#a", "/", "*",
                                    "[::1:443", "a,b:443"])
def test_targets_that_are_none(start, target):
    proxy = start("tunnel_pass @backend@;")
    assert status(proxy, request(target, host="example.com:443")) == 400
    assert proxy.backend.connections == []


@pytest.mark.parametrize("host, got", [("example.com:443", 200), ("example.com", 200), ("EXAMPLE.com:443", 200),
                                       ("example.com:80", 400), ("other.test:443", 400), ("other.test", 400),
                                       ("", 400)])
def test_host_names_the_target(start, host, got):
    """RFC 9112 §3.2: whoever reads the other one must not see another target."""
    proxy = start("tunnel_pass @backend@;")
    with proxy.client() as client:
        client.send(f"CONNECT example.com:443 HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert client.receive_until(b"\r\n").startswith(f"HTTP/1.1 {got} ".encode())


@pytest.mark.parametrize("text, got", [
    (request("a.test:443", version="1.0"), 405),
    ("CONNECT a.test:443 HTTP/1.1\r\n\r\n", 400),
    (request("a.test:443", ("Content-Length", "3")) + "abc", 400),
    (request("a.test:443", ("Transfer-Encoding", "chunked")) + "0\r\n\r\n", 400)],
    ids=["HTTP/1.0", "no Host", "a length", "chunked"])
def test_what_is_no_connect(start, text, got):
    proxy = start("tunnel_pass @backend@;")
    with proxy.client() as client:
        client.send(text)
        assert client.response().status == got
        assert client.is_closed()
    assert proxy.backend.connections == []


# -- who may


def test_passwords_are_asked_of_a_proxy_s_client(start):
    """407 and Proxy-Authorization (RFC 9110 §11.7)."""
    proxy = start("auth_basic closed; auth_basic_user_file @dir@/users; tunnel_pass @backend@;")
    proxy.write("users", "plain:{PLAIN}password\n")

    def answer(*fields):
        with proxy.client() as client:
            client.send(request("a.test:443", *fields))
            head = client.receive_until(b"\r\n\r\n").decode()
            return int(head.split()[1]), head

    got, head = answer()
    assert got == 407 and 'Proxy-Authenticate: Basic realm="closed"' in head and "WWW-" not in head
    token = base64.b64encode(b"plain:password").decode()
    assert answer(("Proxy-Authorization", f"Basic {token}"))[0] == 200
    assert answer(("Authorization", f"Basic {token}"))[0] == 407
    wrong = base64.b64encode(b"plain:wrong").decode()
    assert answer(("Proxy-Authorization", f"Basic {wrong}"))[0] == 407


def test_access_rules_hold(start):
    proxy = start("deny all; tunnel_pass @backend@;")
    assert status(proxy, request("a.test:443")) == 403
    assert proxy.backend.connections == []


@pytest.mark.parametrize("shown", ["", "=200", "="])
@pytest.mark.parametrize("page", ["return 200 text;", "root @dir@/www;", "proxy_pass http://@page@;"])
def test_an_error_page_is_shown_and_is_no_tunnel(start, make_backend, page, shown):
    proxy = start(f"location / {{ tunnel_pass 127.0.0.1:@nobody@; error_page 502 {shown} /sorry; }} "
                  f"location = /sorry {{ {page} }}", page=make_backend(response("text")))
    proxy.write("www/sorry", "text")
    with proxy.client() as client:
        client.send(request("a.test:443"))
        answer = client.response()
        assert (answer.status, answer.text) == (502, "text")
        assert client.is_closed()


def test_an_error_page_without_a_text_is_no_tunnel_either(start):
    proxy = start("location / { deny all; error_page 403 /none; tunnel_pass @backend@; } "
                  "location = /none { return 204; }")
    assert status(proxy, request("a.test:443")) == 403
    assert proxy.backend.connections == []


def test_a_mirror_of_connect_opens_no_tunnel(start):
    proxy = start("location / { mirror /copy; tunnel_pass @backend@; }")
    with proxy.client() as client:
        opened(client)
        client.send(b"hello")
        assert client.receive_until(b"hello") == b"hello"
    assert len(proxy.backend.connections) == 1


# -- its end


def test_the_backend_s_end_is_passed_on(start):
    proxy = start("tunnel_pass @backend@;", lambda connection: connection.send("goodbye"))
    with proxy.client() as client:
        opened(client)
        assert client.receive_all() == b"goodbye"


def test_a_tunnel_survives_a_reload(start):
    proxy = start("tunnel_pass @backend@;")
    with proxy.client() as client:
        opened(client)
        proxy.reload(SITE.replace("#server", "return 404;").replace("#http", ""))
        client.send("after")
        assert client.receive_exactly(5) == b"after"
        assert status(proxy, request("a.test:443")) == 405


def test_worker_shutdown_timeout_ends_it(start):
    proxy = start("tunnel_pass @backend@;", main="worker_shutdown_timeout 300ms;")
    with proxy.client() as client:
        opened(client)
        proxy.send_signal(signal.SIGQUIT)
        assert client.is_closed()
    wait_for(lambda: proxy.process.poll() is not None, "the end of the program")


def test_a_graceful_stop_waits_for_it(start):
    proxy = start("tunnel_pass @backend@;")
    with proxy.client() as client:
        opened(client)
        proxy.send_signal(signal.SIGQUIT)
        wait_for(lambda: refuses(proxy.port("http")), "the listener to close")
        client.send("hello")
        assert client.receive_exactly(5) == b"hello"
        assert proxy.process.poll() is None
    wait_for(lambda: proxy.process.poll() is not None, "the end of the program")


def refuses(port):
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) != 0


def test_the_access_log_has_the_bytes_of_both_ways(start):
    proxy = start("tunnel_pass @backend@;")
    with proxy.client() as client:
        head = opened(client)
        client.send("hello")
        client.half_close()
        assert client.receive_all() == b"hello and goodbye"
    with RawConnection(proxy.client()) as peer:
        peer.send(headers(1, block([(":method", "CONNECT"), (":authority", "any.test:443")]), end_stream=False),
                  data(1, b"hello", end_stream=True))
        peer.until(lambda: peer.answer(1).over, "the end of the tunnel")
    first, second = proxy.lines("access.log", count=2)
    received = len(request("example.com:443")) + 5
    assert first == (f'200 "CONNECT example.com:443 HTTP/1.1" {received} {len(head) + 17} {proxy.backend} 200 5 17')
    words = second.split()
    assert words[:4] == ["200", '"CONNECT', "any.test:443", 'HTTP/2.0"']
    assert words[6:] == [str(proxy.backend), "200", "5", "17"]
    assert 17 + 9 < int(words[5]) < 300
