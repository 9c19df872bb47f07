"""WebSocket and other upgrades: websockets on both sides, tunnelled after the backend's 101 only."""
import asyncio
import os
import threading

import pytest
import websockets

from support import wait_for, websocket
from support.backend import response
from support.echo import EchoServer
from support.waiting import seconds

SITE = """
    server {
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
    }
"""


@pytest.fixture
def echo():
    server = EchoServer()
    yield server
    server.stop()


def converse(proxy, conversation, *, tls=True, **options):
    """Runs conversation(socket) over a connection through the proxy."""
    async def run():
        scheme, port = ("wss", "https") if tls else ("ws", "http")
        if tls:
            options.update(ssl=proxy.authority.client_context(), server_hostname="example.com")
        async with websockets.connect(
                f"{scheme}://example.com:{proxy.port(port)}/chat", host="127.0.0.1",
                port=proxy.port(port), max_size=None, **options) as socket:
            return await asyncio.wait_for(conversation(socket), seconds(30))

    return asyncio.run(run())


@pytest.mark.parametrize("tls", [True, False])
def test_messages_go_both_ways(sallyport, echo, tls):
    proxy = sallyport(SITE, backend=echo)

    async def conversation(socket):
        await socket.send("text")
        assert await socket.recv() == "text"
        await socket.send(b"\x00\xff")
        assert await socket.recv() == b"\x00\xff"

    converse(proxy, conversation, tls=tls)
    assert echo.headers[0]["Host"] == "example.com"
    wait_for(lambda: echo.closed == [1000], "an orderly end at the backend")


@pytest.mark.threads
def test_large_and_many_messages(sallyport, echo):
    proxy = sallyport(SITE, backend=echo)
    large = os.urandom(3_000_000)

    async def conversation(socket):
        await socket.send(large)
        assert await socket.recv() == large

        async def send_all():
            for number in range(2000):
                await socket.send(f"message {number}")

        sending = asyncio.ensure_future(send_all())
        for number in range(2000):
            assert await socket.recv() == f"message {number}"
        await sending

    converse(proxy, conversation, ping_interval=None)


def test_several_at_once(sallyport, echo):
    proxy = sallyport(SITE, main="worker_processes 2;", backend=echo)

    async def one(number):
        async with websockets.connect(f"ws://127.0.0.1:{proxy.port('http')}/") as socket:
            for count in range(20):
                await socket.send(f"{number} {count}")
                assert await socket.recv() == f"{number} {count}"

    async def all_of_them():
        await asyncio.gather(*(one(number) for number in range(20)))

    asyncio.run(all_of_them())
    assert len(echo.headers) == 20


def test_a_tunnel_survives_reloads(sallyport, echo):
    proxy = sallyport(SITE, backend=echo)

    async def conversation(socket):
        loop = asyncio.get_running_loop()
        for turn in range(3):
            await socket.send(f"before {turn}")
            assert await socket.recv() == f"before {turn}"
            await loop.run_in_executor(None, lambda: proxy.reload(
                SITE.replace("location / {", f"location / {{ proxy_set_header X-Turn {turn};")))
            await socket.send("after")
            assert await socket.recv() == "after"

    converse(proxy, conversation)


def test_pings_are_answered_by_the_other_side(sallyport, echo):
    proxy = sallyport(SITE, backend=echo)

    async def conversation(socket):
        await (await socket.ping())

    converse(proxy, conversation)


def test_the_close_code_arrives(sallyport, echo):
    proxy = sallyport(SITE, backend=echo)

    async def conversation(socket):
        await socket.close(4321, "mine")

    converse(proxy, conversation)
    wait_for(lambda: echo.closed == [4321], "the close code at the backend")


# -- the tunnel's edges, with raw sockets

UPGRADE = ("GET {target} HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n"
           "Upgrade: {protocol}\r\n\r\n")


def upgrade(target="/", protocol="mine"):
    return UPGRADE.format(target=target, protocol=protocol)


def switching(then):
    return websocket.switching(then, "mine")


def test_half_closes_are_passed_on(sallyport, make_backend):
    def until_the_end(connection):
        data = b""
        try:
            while True:
                data = connection.receive() and connection.pending
        except EOFError:
            connection.send(b"got " + data)

    proxy = sallyport(SITE, backend=make_backend(serve=switching(until_the_end)))
    with proxy.client() as client:
        client.send(upgrade())
        answer = client.response()
        assert answer.status == 101
        assert answer.field("Upgrade") == "mine"
        assert answer.field("Connection").lower() == "upgrade"
        client.send("all of it")
        client.half_close()
        assert client.receive_all() == b"got all of it"


def test_the_backend_s_end_is_passed_on(sallyport, make_backend):
    proxy = sallyport(SITE, backend=make_backend(
        serve=switching(lambda connection: connection.send("goodbye"))))
    with proxy.client() as client:
        client.send(upgrade())
        assert client.response().status == 101
        assert client.receive_all() == b"goodbye"


def test_bytes_sent_early_are_held_until_the_101(sallyport, make_backend):
    backend = make_backend(serve=switching(lambda connection: (
        connection.take_until(b"!"), connection.send(b"heard"))))
    proxy = sallyport(SITE, backend=backend)
    with proxy.client() as client:
        client.send(upgrade() + "early bytes!")
        assert client.response().status == 101
        assert client.receive_all() == b"heard"


def test_bytes_behind_the_101_reach_the_client(sallyport, make_backend):
    def serve(connection):
        connection.read_request()
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                        "Upgrade: mine\r\n\r\nat once")

    proxy = sallyport(SITE, backend=make_backend(serve=serve))
    with proxy.client() as client:
        client.send(upgrade())
        assert client.response().status == 101
        assert client.receive_all() == b"at once"


def test_an_upgrade_that_the_backend_declines_is_an_ordinary_answer(sallyport, make_backend):
    """And what the client sent behind it is not taken for a request (CVE-2026-2833)."""
    backend = make_backend(response("no thanks"))
    proxy = sallyport(SITE, backend=backend)
    with proxy.client() as client:
        client.send(upgrade() + "GET /smuggled HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert client.response().text == "no thanks"
        assert client.is_closed()
    assert [seen.target for seen in backend.requests] == ["/"]
    assert backend.last.field("Upgrade") == "mine"


@pytest.mark.parametrize("request_text", [
    upgrade("/plain/"),  # no proxy_set_header Upgrade
    upgrade(protocol="h2c"),
    upgrade(protocol="h2c, mine"),
    upgrade().replace("HTTP/1.1", "HTTP/1.0"),
    "GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: mine\r\n\r\n",  # Connection doesn't name it
])
def test_what_is_not_passed_on(sallyport, backend, request_text):
    proxy = sallyport(SITE, backend=backend)
    with proxy.client() as client:
        client.send(request_text)
        assert client.response().status == 200
    assert backend.last.field("Upgrade") is None
    assert "upgrade" not in (backend.last.field("Connection") or "").lower()


def test_a_101_that_nobody_asked_for_is_a_502(sallyport, make_backend):
    proxy = sallyport(SITE, backend=make_backend(serve=switching(lambda connection: None)))
    with proxy.client() as client:
        assert client.get("/", host="example.com").status == 502


def test_connect_is_refused(sallyport, backend):
    proxy = sallyport(SITE, backend=backend)
    with proxy.client() as client:
        client.send("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert client.response().status in (400, 405, 501)
    assert backend.requests == []


def test_a_quiet_tunnel_ends_after_proxy_read_timeout(sallyport, make_backend):
    def wait_for_the_end(connection):
        connection.receive()

    backend = make_backend(serve=switching(wait_for_the_end))
    # The time of the backend's 101, too, which may take a moment.
    proxy = sallyport(SITE.replace("proxy_http_version 1.1;", f"proxy_read_timeout {seconds(1)}s;"),
                      backend=backend)
    with proxy.client() as client:
        client.send(upgrade())
        assert client.response().status == 101
        assert client.is_closed()
