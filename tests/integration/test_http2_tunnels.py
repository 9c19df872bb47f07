"""WebSocket over HTTP/2 (RFC 8441): an extended CONNECT, bridged to an HTTP/1.1 backend."""
import os
import socket
import threading

import pytest

from support import wait_for
from support.backend import response
from support.echo import EchoServer
from support.h2client import connect
from support.h2frames import CANCEL, ENABLE_CONNECT_PROTOCOL, block, data, headers
from support.h2raw import RawConnection
from support.websocket import accept, message, switching, unmasked

SITE = """
    http2 on;
    log_format one '$status "$request"';
    server {
        access_log @dir@/access.log one;
        listen 127.0.0.1:@port:http@;
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        location / {
            proxy_pass http://@backend@;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $host;
        }
        location /plain/ { proxy_pass http://@backend@; }
        location /told { return 200 told; }
    }
"""
BOTH = pytest.mark.parametrize("port", ["https", "http"])
WEBSOCKET = [(":protocol", "websocket"), ("sec-websocket-version", "13")]


@pytest.fixture
def echo():
    server = EchoServer()
    yield server
    server.stop()


def open_tunnel(client, target="/chat", fields=WEBSOCKET, **options):
    return client.open("CONNECT", target, fields=fields, **options)


def say(stream, text):
    """A message there and back."""
    size = len(stream.body)
    stream.send(message(text))
    expected = unmasked(text)
    stream.wait_for(size + len(expected))
    assert stream.body[size:] == expected


# -- the bridge


@BOTH
def test_extended_connect_is_announced(sallyport, echo, port):
    proxy = sallyport(SITE, backend=echo)
    with connect(proxy, port) as client:
        assert client.setting(ENABLE_CONNECT_PROTOCOL) == 1


@BOTH
def test_messages_go_both_ways(sallyport, echo, port):
    """The backend sees an HTTP/1.1 upgrade with a key; the client sees a 200 and no upgrade."""
    proxy = sallyport(SITE, backend=echo)
    with connect(proxy, port) as client:
        tunnel = open_tunnel(client, fields=[*WEBSOCKET, ("origin", "https://example.com")])
        assert tunnel.head().status == 200
        names = {name for name, _ in tunnel.fields}
        assert not names & {"upgrade", "connection", "sec-websocket-accept", "content-length",
                            "transfer-encoding"}
        say(tunnel, b"hello")
        say(tunnel, os.urandom(100).hex().encode())
        tunnel.send(message((1000).to_bytes(2, "big"), opcode=8))
        tunnel.end()
        tunnel.response()
        assert tunnel.body.endswith(unmasked((1000).to_bytes(2, "big"), opcode=8))
    seen = echo.headers[0]
    assert seen["Host"] == "example.com" and seen["Upgrade"].lower() == "websocket"
    assert seen["Origin"] == "https://example.com"
    assert len(seen["Sec-WebSocket-Key"]) == 24
    wait_for(lambda: echo.closed == [1000], "an orderly end at the backend")


@pytest.mark.threads
def test_many_tunnels_on_one_connection(sallyport, echo):
    """And ordinary requests between them."""
    proxy = sallyport(SITE, backend=echo)
    with connect(proxy) as client:
        tunnels = [open_tunnel(client) for _ in range(20)]
        for number, tunnel in enumerate(tunnels * 3):
            tunnel.head()
            say(tunnel, f"message {number}".encode())
            assert client.get("/told").text == "told"


def test_a_large_message(sallyport, echo):
    proxy = sallyport(SITE, backend=echo)
    with connect(proxy, within=30) as client:
        tunnel = open_tunnel(client)
        tunnel.head()
        say(tunnel, os.urandom(1_500_000).hex().encode())


# -- its ends


def test_half_closes_are_passed_on(sallyport, make_backend):
    """END_STREAM is the FIN of the other side."""
    def until_the_end(connection):
        try:
            while True:
                connection.receive()
        except EOFError:
            connection.send(b"got " + connection.pending)

    proxy = sallyport(SITE, backend=make_backend(serve=switching(until_the_end)))
    with connect(proxy) as client:
        tunnel = open_tunnel(client)
        assert tunnel.head().status == 200
        tunnel.send(b"all of it")
        tunnel.end()
        assert tunnel.response().body == b"got all of it"


def test_the_backend_s_end_is_passed_on(sallyport, make_backend):
    proxy = sallyport(SITE, backend=make_backend(
        serve=switching(lambda connection: connection.send("goodbye"))))
    with connect(proxy) as client:
        tunnel = open_tunnel(client)
        assert tunnel.head().status == 200
        client.until(lambda: tunnel.over, "the end of the tunnel")
        assert tunnel.body == b"goodbye"
        assert client.get("/told").text == "told"


def test_a_reset_ends_the_backend_s_connection(sallyport, make_backend):
    ended = threading.Event()

    def until_the_end(connection):
        try:
            connection.receive()
        except (EOFError, OSError):
            ended.set()

    proxy = sallyport(SITE, backend=make_backend(serve=switching(until_the_end)))
    with connect(proxy) as client:
        tunnel = open_tunnel(client)
        tunnel.head()
        tunnel.cancel(CANCEL)
        wait_for(ended.is_set, "the backend's connection to end")
        assert client.get("/told").text == "told"


def test_a_backend_that_resets_is_a_reset(sallyport, make_backend):
    proxy = sallyport(SITE, backend=make_backend(serve=switching(lambda connection: (
        connection.send("some"), connection.take_until(b"!"), connection.reset()))))
    with connect(proxy) as client:
        tunnel = open_tunnel(client)
        tunnel.wait_for(4)
        tunnel.send(b"!")
        client.until(lambda: tunnel.over, "the end of the tunnel")
        assert client.get("/told").text == "told"


def test_what_was_sent_before_the_connection_ended_arrives(sallyport, make_backend):
    """With END_STREAM behind it, it is whole, whatever becomes of the connection."""
    got = []

    def serve(connection):
        try:
            while True:
                connection.receive()
        except EOFError:
            got.append(connection.pending)

    proxy = sallyport(SITE, backend=make_backend(serve=switching(serve)))
    for number in range(1, 6):
        client = connect(proxy, "http")
        tunnel = open_tunnel(client)
        tunnel.head()
        client.engine.send_data(tunnel.number, b"all of it", end_stream=True)
        client.flush()
        client.close()
        wait_for(lambda: len(got) == number, "the end at the backend")
    assert got == [b"all of it"] * 5


def test_the_last_words_arrive_whatever_becomes_of_the_other_direction(sallyport, make_backend):
    """The backend has closed; what the client sends meets a reset, and must not overtake what was said."""
    closed = threading.Event()

    def serve(connection):
        connection.take_until(b"!")
        connection.send(bytes(100_000))
        connection.socket.shutdown(socket.SHUT_WR)
        connection.socket.close()
        closed.set()

    proxy = sallyport(SITE, backend=make_backend(serve=switching(serve)))
    with connect(proxy) as client:
        tunnel = open_tunnel(client, hold=True)
        tunnel.send(b"!")
        tunnel.wait_for(65535)
        wait_for(closed.is_set, "the backend to close")
        for _ in range(3):
            tunnel.send(b"more")
            client.fence()
        tunnel.release()
        tunnel.wait_for(100_000)
        assert tunnel.body == bytes(100_000)
        client.until(lambda: tunnel.ended, "the end of the response")
        assert client.get("/told").text == "told"


def test_a_quiet_tunnel_ends_after_proxy_read_timeout(sallyport, make_backend):
    proxy = sallyport(SITE.replace("proxy_http_version 1.1;", "proxy_http_version 1.1; proxy_read_timeout 150ms;"),
                      backend=make_backend(serve=switching(lambda connection: connection.receive())))
    with connect(proxy) as client:
        tunnel = open_tunnel(client)
        tunnel.head()
        client.until(lambda: tunnel.over, "the end of the tunnel")
        assert client.get("/told").text == "told"


def test_a_tunnel_survives_a_reload(sallyport, echo):
    proxy = sallyport(SITE, backend=echo)
    with connect(proxy) as client:
        tunnel = open_tunnel(client)
        tunnel.head()
        say(tunnel, b"before")
        proxy.reload(SITE.replace("return 200 told", "return 200 anew"))
        say(tunnel, b"after")


def test_nobody_reads_for_a_tunnel_that_is_not_taken(sallyport, make_backend):
    """Flow control is the tunnel's, too."""
    sent = []

    def endless(connection):
        while True:
            connection.send(bytes(65536))
            sent.append(65536)

    proxy = sallyport(SITE, backend=make_backend(serve=switching(endless)))
    with connect(proxy) as client:
        tunnel = open_tunnel(client, hold=True)
        tunnel.wait_for(65535)
        still = [0, -1]

        def stands_still():
            still[:] = [still[0] + 1 if sum(sent) == still[1] else 0, sum(sent)]
            return still[0] > 100

        wait_for(stands_still, "the backend to be held up")
        client.fence()
        assert len(tunnel.body) == 65535 and sum(sent) < 8 << 20


# -- what is no tunnel


def test_a_backend_that_declines_answers_as_usual(sallyport, make_backend):
    """Its 403 is the client's; a 200 without the upgrade is no tunnel (CVE-2026-2833)."""
    sent = threading.Event()
    backend = make_backend(lambda request: wait_for(sent.is_set, "the client to be early") and
                           response("no thanks", "403 Forbidden"))
    proxy = sallyport(SITE, backend=backend)
    with connect(proxy) as client:
        tunnel = open_tunnel(client)
        tunnel.send(b"GET /smuggled HTTP/1.1\r\nHost: example.com\r\n\r\n")
        client.fence()
        sent.set()
        assert tunnel.head().status == 403
        client.until(lambda: tunnel.over, "its end")
        backend.answer = response("not a tunnel")
        declined = open_tunnel(client)
        assert declined.head().status in (502, 501)
    assert all(seen.target == "/chat" for seen in backend.requests)


def test_a_101_that_proves_nothing_is_a_502(sallyport, make_backend):
    """The key was the proxy's, so it is the proxy that must look (RFC 6455 §4.1)."""
    def serve(connection):
        connection.read_request()
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
        connection.receive()

    proxy = sallyport(SITE, backend=make_backend(serve=serve))
    with connect(proxy) as client:
        assert open_tunnel(client).head().status == 502


def test_bytes_sent_early_are_held_until_the_101(sallyport, make_backend):
    """As long as the backend has not agreed, they could be taken for a request."""
    early, sent = [], threading.Event()

    def serve(connection):
        head = connection.read_head()
        wait_for(sent.is_set, "the client to be early")
        early.append(connection.pending)
        accept(connection, head)
        connection.take_until(b"early bytes!")
        connection.send(b"heard")

    proxy = sallyport(SITE, backend=make_backend(serve=serve))
    with connect(proxy) as client:
        tunnel = open_tunnel(client)
        tunnel.send(b"early bytes!")
        client.fence()
        sent.set()
        client.until(lambda: tunnel.over, "the end of the tunnel")
        assert tunnel.body == b"heard"
    assert early == [b""]


def raw(proxy):
    context = proxy.authority.client_context(protocols=["h2"])
    return RawConnection(proxy.tls_client(context=context), scheme="https")


def test_connect_without_a_protocol_is_refused(sallyport, backend):
    """No tunnel_pass, no proxy for everybody."""
    proxy = sallyport(SITE, backend=backend)
    with raw(proxy) as peer:
        peer.send(headers(1, block([(":method", "CONNECT"), (":authority", "example.com:443")]),
                          end_stream=False), data(1, b"hello"))
        peer.until(lambda: peer.answer(1).status or peer.answer(1).over, "a refusal")
        assert peer.answer(1).status in (400, 405, 501)
        peer.fence()
    assert backend.requests == []


@pytest.mark.parametrize("place", ["return 200 text;", "root @dir@/www;", "error_page 404 =200 /page; return 404;"])
def test_a_place_without_a_backend_opens_no_tunnel(sallyport, place):
    """RFC 8441 §5: any 2xx would say that the tunnel is there, and the text would be its bytes."""
    program = sallyport.make()
    program.write("www/chat", "text")
    program.start(f"""
        http2 on;
        server {{
            listen 127.0.0.1:@port:http@;
            location /chat {{ {place} }}
            location = /page {{ return 200 page; }}
        }}
    """)
    with connect(program) as client:
        tunnel = open_tunnel(client)
        assert tunnel.head().status == 501
        assert client.get("/page").text == "page"


@pytest.mark.parametrize("fields", [
    [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "example.com"),
     (":protocol", "websocket")],
    [(":method", "CONNECT"), (":authority", "example.com"), (":protocol", "websocket")],
    [(":method", "CONNECT"), (":scheme", "https"), (":path", "/"), (":protocol", "websocket")],
    [(":method", "CONNECT"), (":scheme", "https"), (":path", "/"), (":authority", "example.com")],
    [(":method", "CONNECT"), (":scheme", "https"), (":path", "/"), (":authority", "example.com"),
     (":protocol", "websocket"), (":protocol", "websocket")],
    [(":method", "CONNECT"), (":scheme", "https"), (":path", "/"), (":authority", "example.com"),
     (":protocol", "a b\r\nX: y")]],
    ids=["GET", "no :scheme and :path", "no :authority", "no :protocol", "two protocols", "no token"])
def test_a_malformed_extended_connect_is_refused(sallyport, backend, fields):
    """RFC 8441 §4; without :protocol, :scheme and :path may not be there (RFC 9113 §8.5)."""
    proxy = sallyport(SITE, backend=backend)
    with raw(proxy) as peer:
        peer.send(headers(1, block(fields), end_stream=False))
        peer.until(lambda: peer.answer(1).over or peer.answer(1).status, "a refusal")
        assert peer.answer(1).status in (None, 400, 405, 501)
    assert backend.requests == []


def test_an_upgrade_in_http2_is_no_upgrade(sallyport, backend):
    """The fields are forbidden there (RFC 9113 §8.2.2); h2 conformance asks for PROTOCOL_ERROR."""
    proxy = sallyport(SITE, backend=backend)
    with raw(proxy) as peer:
        peer.send(headers(1, peer.get("/", ("upgrade", "websocket"), ("connection", "upgrade"))))
        peer.expect_stream_error(1, 1)
    assert backend.requests == []


def test_a_tunnel_is_one_line_in_the_log(sallyport, echo):
    proxy = sallyport(SITE, backend=echo)
    with connect(proxy) as client:
        tunnel = open_tunnel(client)
        tunnel.head()
        say(tunnel, b"hello")
        tunnel.send(message((1000).to_bytes(2, "big"), opcode=8))
        tunnel.end()
        tunnel.response()
    [line] = proxy.lines("access.log", count=1)
    assert line == '200 "GET /chat HTTP/2.0"'  # served as the upgrade that it is in HTTP/1.1
