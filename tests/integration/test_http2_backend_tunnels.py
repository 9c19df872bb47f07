"""WebSocket to a backend of HTTP/2 (RFC 8441): from clients of HTTP/1.1 and of HTTP/2."""
import asyncio
import os
import threading
import time

import pytest
import websockets

from support import wait_for
from support.h2client import connect
from support.h2frames import ENABLE_CONNECT_PROTOCOL, INTERNAL_ERROR
from support.http2 import CANCEL, Http2
from support.waiting import seconds
from support.websocket import CLOSE, EchoStream, message, proof, unmasked

SITE = """
    worker_processes 1;
    events { }
    http {
        http2 on;
        log_format one '$status "$request" $upstream_status $request_length $bytes_sent $upstream_bytes_sent '
                       '$upstream_bytes_received $upstream_response_length';
        server {
            access_log @dir@/access.log one;
            listen 127.0.0.1:@port:http@;
            listen 127.0.0.1:@port:https@ ssl;
            server_name example.com;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            location / {
                proxy_pass http://@backend@;
                proxy_http_version 2;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection "upgrade";
                proxy_set_header Host $host;
                #more
            }
            location /plain/ { proxy_pass http://@backend@; proxy_http_version 2; }
        }
    }
"""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 §1.3
WEBSOCKET = [(":protocol", "websocket"), ("sec-websocket-version", "13")]
ALLOWED = {ENABLE_CONNECT_PROTOCOL: 1}


def upgrade(target="/chat", *, key=KEY, protocol="websocket", more=""):
    return (f"GET {target} HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n"
            + (f"Sec-WebSocket-Key: {key}\r\n" if key else "") + f"Sec-WebSocket-Version: 13\r\n{more}\r\n")


@pytest.fixture
def peer(make_backend):
    """peer(on_head, ...): a backend of HTTP/2 that takes extended CONNECTs."""
    def start(on_head=lambda stream: stream.head(200), *, settings=ALLOWED, **options):
        made = Http2(None, on_head=on_head, settings=settings, **options)
        made.backend = make_backend(serve=made)
        return made

    return start


@pytest.fixture
def echo(peer):
    behaviour = EchoStream()
    return peer(behaviour.on_head, on_data=behaviour.on_data)


# -- the bridge


@pytest.mark.parametrize("tls", [True, False])
def test_a_websocket_of_http1(sallyport, echo, tls):
    """websockets, which looks at the proxy's Sec-WebSocket-Accept, and at subprotocols."""
    proxy = sallyport(SITE, backend=echo.backend)

    async def run():
        scheme, port = ("wss", "https") if tls else ("ws", "http")
        options = ({"ssl": proxy.authority.client_context(), "server_hostname": "example.com"} if tls else {})
        async with websockets.connect(
                f"{scheme}://example.com:{proxy.port(port)}/chat?a=b", host="127.0.0.1", port=proxy.port(port),
                compression=None, origin="https://example.com", open_timeout=seconds(10), **options) as socket:
            for text in ("text", "x" * 70_000):
                await socket.send(text)
                assert await asyncio.wait_for(socket.recv(), seconds(10)) == text
            await (await socket.ping())

    asyncio.run(run())
    seen = echo.last
    assert seen.field(":method") == "CONNECT" and seen.field(":protocol") == "websocket"
    assert seen.field(":path") == "/chat?a=b" and seen.field(":scheme") == "http"
    assert seen.field(":authority") == "example.com"
    assert seen.field("sec-websocket-version") == "13" and seen.field("origin") == "https://example.com"
    assert not {name for name, _ in seen.fields} & {"sec-websocket-key", "sec-websocket-accept", "upgrade",
                                                    "connection", "content-length", "host"}


def test_the_proof_is_made_for_the_client(sallyport, peer):
    """Whatever the backend says of it, which over HTTP/2 has no business to (RFC 8441 §5)."""
    backend = peer(lambda stream: stream.head(200, [("sec-websocket-accept", "nonsense"),
                                                    ("sec-websocket-protocol", "chat"), ("x-more", "1")]))
    proxy = sallyport(SITE, backend=backend.backend)
    with proxy.client() as client:
        client.send(upgrade(more="Sec-WebSocket-Protocol: chat\r\n"))
        answer = client.response()
        assert answer.status == 101 and proof(KEY) == ACCEPT
        assert answer.all("Sec-WebSocket-Accept") == [ACCEPT]
        assert answer.field("Upgrade") == "websocket" and answer.field("Connection").lower() == "upgrade"
        assert answer.field("Sec-WebSocket-Protocol") == "chat" and answer.field("X-More") == "1"
        assert answer.field("Content-Length") is None and answer.field("Transfer-Encoding") is None
    assert backend.last.field("sec-websocket-protocol") == "chat"


@pytest.mark.parametrize("port", ["https", "http"])
def test_a_websocket_of_http2(sallyport, echo, port):
    proxy = sallyport(SITE, backend=echo.backend)
    with connect(proxy, port) as client:
        tunnels = [client.open("CONNECT", f"/{number}", fields=WEBSOCKET) for number in range(5)]
        for tunnel in tunnels * 2:
            assert tunnel.head().status == 200
            size, text = len(tunnel.body), os.urandom(50).hex().encode()
            tunnel.send(message(text))
            tunnel.wait_for(size + len(unmasked(text)))
            assert tunnel.body[size:] == unmasked(text)
            assert tunnel.field("sec-websocket-accept") is None
        for tunnel in tunnels:
            tunnel.send(message(b"\x03\xe8", CLOSE))
            tunnel.end()
            tunnel.response()
            assert tunnel.body.endswith(unmasked(b"\x03\xe8", CLOSE))
    assert {stream.path for stream in echo.requests} == {f"/{number}" for number in range(5)}
    assert all(stream.field("sec-websocket-key") is None for stream in echo.requests)
    assert len(echo.sessions) == 1
    wait_for(lambda: all(stream.ended and stream.reset_with is None for stream in echo.requests),
             "orderly ends at the backend")


def test_another_protocol(sallyport, peer):
    """Any token (RFC 8441 §4); it needs no key."""
    backend = peer()
    proxy = sallyport(SITE, backend=backend.backend)
    with proxy.client() as client:
        client.send(upgrade(protocol="mine", key=None))
        answer = client.response()
        assert (answer.status, answer.field("Upgrade")) == (101, "mine")
        assert answer.field("Sec-WebSocket-Accept") is None
    assert backend.last.field(":protocol") == "mine"


def test_a_large_conversation_on_one_connection(sallyport, peer):
    """Flow control of two hops; a plain request beside it."""
    def on_head(stream):
        stream.head(200) if stream.method == "CONNECT" else stream.respond(b"plain")

    backend = peer(on_head, on_data=lambda stream, data: stream.send(data))
    proxy = sallyport(SITE, backend=backend.backend)
    sent = os.urandom(1_500_000)
    with proxy.client(within=30) as client:
        client.send(upgrade(protocol="mine"))
        assert client.response().status == 101
        writer = threading.Thread(target=client.socket.sendall, args=(sent,))
        writer.start()
        assert client.receive_exactly(len(sent)) == sent
        writer.join()
        assert proxy.get("/plain/").text == "plain"
        client.send(b"again")
        assert client.receive_exactly(5) == b"again"
    assert len(backend.sessions) == 1


# -- what a backend cannot, or does not want to


def test_a_backend_without_the_setting_is_told_of(sallyport, peer):
    backend = peer(settings=None)
    proxy = sallyport(SITE, backend=backend.backend)
    with proxy.client() as client:
        client.send(upgrade())
        assert client.response().status == 502
    with connect(proxy, "http") as client:
        assert client.open("CONNECT", "/chat", fields=WEBSOCKET).head().status == 502
    proxy.wait_for_error("SETTINGS_ENABLE_CONNECT_PROTOCOL")
    assert "proxy_http_version 1.1" in proxy.errors
    assert backend.requests == []


def test_the_backend_s_settings_are_waited_for(sallyport, make_backend):
    """RFC 8441 §3: an extended CONNECT is nothing that one could try."""
    peer = Http2(None, on_head=lambda stream: stream.head(200), settings=ALLOWED)

    def serve(connection):
        time.sleep(0.3)
        peer(connection)

    proxy = sallyport(SITE, backend=make_backend(serve=serve))
    with proxy.client() as client:
        client.send(upgrade())
        assert client.response().status == 101


def test_a_backend_that_never_settles_is_given_up(sallyport, make_backend):
    proxy = sallyport(SITE.replace("#more", "proxy_send_timeout 200ms;"),
                      backend=make_backend(serve=lambda connection: [connection.receive() for _ in range(100)]))
    with proxy.client() as client:
        client.send(upgrade())
        assert client.response().status == 504


def test_a_backend_that_declines(sallyport, peer):
    backend = peer(lambda stream: stream.respond(b"no", status=403))
    proxy = sallyport(SITE, backend=backend.backend)
    with proxy.client() as client:
        client.send(upgrade() + "GET /smuggled HTTP/1.1\r\nHost: example.com\r\n\r\n")
        answer = client.response()
        assert (answer.status, answer.text) == (403, "no")
        assert client.is_closed()
    with connect(proxy, "http") as client:
        tunnel = client.open("CONNECT", "/chat", fields=WEBSOCKET)
        assert tunnel.head().status == 403
    assert [stream.path for stream in backend.requests] == ["/chat", "/chat"]


@pytest.mark.parametrize("key", [None, "", "short", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZSE=",
                                 "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])
def test_a_key_that_nobody_else_sees_is_looked_at(sallyport, peer, key):
    backend = peer()
    proxy = sallyport(SITE, backend=backend.backend)
    with proxy.client() as client:
        client.send(upgrade(key=key))
        assert client.response().status == 400
    assert backend.requests == []


@pytest.mark.parametrize("target, protocol", [("/plain/", "websocket"), ("/", "h2c"), ("/", "mine, other"),
                                              ("/", "mine/2")])
def test_what_is_not_passed_on(sallyport, peer, target, protocol):
    """Without proxy_set_header; and :protocol is one token."""
    backend = peer(lambda stream: stream.respond(b"plain"))
    proxy = sallyport(SITE, backend=backend.backend)
    with proxy.client() as client:
        client.send(upgrade(target, protocol=protocol))
        assert client.response().text == "plain"
    assert backend.last.method == "GET" and backend.last.field(":protocol") is None


# -- its ends


def test_half_closes_are_passed_on(sallyport, peer):
    ends = []

    def answer(stream):
        ends.append(bytes(stream.body))
        stream.send(b"got " + stream.body, end=True)

    backend = peer()
    backend.answer = answer
    proxy = sallyport(SITE, backend=backend.backend)
    with proxy.client() as client:
        client.send(upgrade(protocol="mine"))
        assert client.response().status == 101
        client.send("all of it")
        client.half_close()
        assert client.receive_all() == b"got all of it"
    with connect(proxy, "http") as client:
        tunnel = client.open("CONNECT", "/chat", fields=WEBSOCKET)
        tunnel.head()
        tunnel.send(b"of this, too")
        tunnel.end()
        assert tunnel.response().body == b"got of this, too"
    assert all(stream.reset_with is None for stream in backend.requests)


def test_the_backend_s_end_is_passed_on(sallyport, peer):
    backend = peer(lambda stream: (stream.head(200), stream.send(b"goodbye", end=True)))
    proxy = sallyport(SITE, backend=backend.backend)
    with proxy.client() as client:
        client.send(upgrade(protocol="mine"))
        assert client.response().status == 101
        assert client.receive_all() == b"goodbye"


def test_resets_are_passed_on(sallyport, peer):
    backend = peer(on_data=lambda stream, data: stream.reset(CANCEL))
    proxy = sallyport(SITE, backend=backend.backend)
    with connect(proxy, "http") as client:
        tunnel = client.open("CONNECT", "/chat", fields=WEBSOCKET)
        tunnel.head()
        tunnel.send(b"!")
        client.until(lambda: tunnel.over, "the end of the tunnel")
        assert tunnel.reset == INTERNAL_ERROR
        other = client.open("CONNECT", "/other", fields=WEBSOCKET)
        other.head()
        other.cancel(CANCEL)
        wait_for(lambda: backend.requests[1].reset_with is not None, "the reset at the backend")
        client.fence()
    with proxy.client() as client:
        client.send(upgrade(protocol="mine"))
        assert client.response().status == 101
        client.reset()
    wait_for(lambda: backend.requests[2].reset_with is not None or backend.requests[2].ended,
             "the end at the backend")


def test_a_quiet_tunnel_ends_after_proxy_read_timeout(sallyport, peer):
    backend = peer()
    proxy = sallyport(SITE.replace("#more", f"proxy_read_timeout {seconds(1)}s;"), backend=backend.backend)
    with proxy.client() as client:
        client.send(upgrade(protocol="mine"))
        assert client.response().status == 101
        assert client.is_closed()
    wait_for(lambda: backend.last.reset_with == CANCEL, "the reset at the backend")


def test_a_tunnel_survives_a_reload(sallyport, peer):
    backend = peer(on_data=lambda stream, data: stream.send(data))
    proxy = sallyport(SITE, backend=backend.backend)
    with proxy.client() as client:
        client.send(upgrade(protocol="mine"))
        assert client.response().status == 101
        proxy.reload(SITE.replace("#more", "proxy_set_header X-Turn 2;"))
        client.send("after")
        assert client.receive_exactly(5) == b"after"


def test_the_access_log_has_the_bytes_of_both_ways(sallyport, peer):
    def on_data(stream, data):
        if data:
            stream.send(b"0123456789", end=True)

    backend = peer(on_data=on_data)
    proxy = sallyport(SITE, backend=backend.backend)
    request = upgrade(protocol="mine")
    with proxy.client() as client:
        client.send(request)
        head = client.receive_until(b"\r\n\r\n")
        client.send(b"abcdef")
        assert client.receive_all() == b"0123456789"
    with connect(proxy, "http") as client:
        tunnel = client.open("CONNECT", "/chat", fields=WEBSOCKET)
        tunnel.head()
        tunnel.send(b"abcdef")
        tunnel.end()
        tunnel.response()
    first, second = (line.rsplit('"', 1) for line in proxy.lines("access.log", count=2))
    assert first[0] == '101 "GET /chat HTTP/1.1'
    status, received, sent, up, down, body = map(int, first[1].split())
    assert (status, received, body) == (200, len(request) + 6, 10)
    assert sent >= len(b"0123456789") + 50
    assert up > 6 and down > 10  # the frames' headers included
    assert second[0] == '200 "GET /chat HTTP/2.0'
    status, received, sent, up, down, body = map(int, second[1].split())
    assert (status, body) == (200, 10)
    assert 10 < sent < 200 and up > 6 and down > 10
