"""HUP, many times over, while clients are at work: nobody notices, and nothing is left behind."""
import base64
import json
import os
import pathlib
import signal
import socket
import threading
import time

import pytest

from support import wait_for
from support.backend import response
from support.echo import EchoServer
from support.load import Load

SANITIZED = any(f"/{preset}/" in os.environ.get("SALLYPORT_BINARY", "") for preset in ("asan", "tsan"))
RELOADS = 30 if SANITIZED else 200
LONG = bool(os.environ.get("SALLYPORT_LONG"))
SITE = """
    worker_processes 2;
    keepalive_requests 1000000;
    upstream backends { server @backend@; keepalive 16; }
    server {
        listen 127.0.0.1:@port:http@;
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com *.example.com ~^www\\d+\\.example\\.org$;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        add_header X-Generation @generation@;
        location / { proxy_pass http://backends; }
        location ~ ^/regex/(\\w+)$ { proxy_pass http://backends/$1; }
    }
"""


def test_hup_under_load_loses_no_request_and_no_memory(sallyport, make_backend):
    backend = make_backend(lambda request: response(request.target))
    proxy = sallyport(SITE, backend=backend, generation=0)
    with Load(proxy) as load:
        load.wait_for_more(1000)
        for number in range(5):  # caches are warm, arenas are grown
            proxy.reload(generation=-number, text=SITE)
        load.wait_for_more(500)
        before = proxy.memory()
        for number in range(1, RELOADS + 1):
            proxy.reload(SITE, generation=number)
            assert not load.failures, f"after {number} reloads: {load.failures}"
        load.wait_for_more(1000)
        wait_for(lambda: SANITIZED or proxy.memory() <= before * 1.05 + 2048,
                 f"memory to be as before, {before} kB; it is {proxy.memory()} kB", within=5)
        assert proxy.get().field("X-Generation") == str(RELOADS)
    assert not load.failures
    assert load.answered > 3000


@pytest.mark.threads
def test_signals_in_a_burst_end_in_the_last_configuration(sallyport, make_backend):
    backend = make_backend(lambda request: response(request.target))
    proxy = sallyport(SITE, backend=backend, generation=0)
    with Load(proxy) as load:
        for number in range(1, 31):
            proxy.configure(SITE, generation=number)
            proxy.send_signal(signal.SIGHUP)
        wait_for(lambda: proxy.get().field("X-Generation") == "30", "the last configuration to serve")
        load.wait_for_more(100)
    assert not load.failures


@pytest.mark.threads
def test_bad_files_under_load_change_nothing(sallyport, make_backend):
    backend = make_backend(lambda request: response(request.target))
    proxy = sallyport(SITE, backend=backend, generation=0)
    with Load(proxy) as load:
        for number, text in enumerate(["no_such_directive;", "server {", "", SITE.replace("listen", "lisen"),
                                       SITE.replace("@cert:example.com@", "/nowhere")] * 4):
            proxy.configure(text or "}", generation=number)
            seen = proxy.errors.count("[emerg]")
            proxy.send_signal(signal.SIGHUP)
            wait_for(lambda: proxy.errors.count("[emerg]") > seen, "the error to be told")
            assert proxy.get().field("X-Generation") == "0"
    assert not load.failures


def test_a_transfer_and_a_tunnel_live_through_reloads(sallyport, make_backend):
    go_on = threading.Event()

    def serve(connection):
        if connection.read_request().field("Upgrade"):
            connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                            "Upgrade: websocket\r\n\r\n")
            while True:
                connection.send(connection.take(1))
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        go_on.wait(30)
        connection.send("world")

    text = SITE.replace("location /", """location /tunnel {
            proxy_pass http://backends;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
        }
        location /""", 1)
    proxy = sallyport(text, backend=make_backend(serve=serve), generation=0)
    with proxy.tls_client() as transfer, proxy.tls_client() as tunnel:
        transfer.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        transfer.receive(lambda data: data.endswith(b"hello"))
        tunnel.send("GET /tunnel HTTP/1.1\r\nHost: example.com\r\nConnection: upgrade\r\n"
                    "Upgrade: websocket\r\n\r\n")
        assert tunnel.response().status == 101
        for number in range(1, 11):
            proxy.reload(text, generation=number)
            tunnel.send(b"x")
            assert tunnel.receive_exactly(1) == b"x"
        go_on.set()
        assert transfer.response().text == "helloworld"


class OpenWebSocket:
    """A client's WebSocket that mostly is silent. Frames are small and masked with zeros."""

    def __init__(self, proxy):
        self.client = proxy.client()
        key = base64.b64encode(os.urandom(16)).decode()
        self.client.send("GET /socket HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n"
                         f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}"
                         "\r\n\r\n")
        assert self.client.response().status == 101

    def echoes(self, text):
        self.client.send(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
        return self.client.receive_exactly(2 + len(text)) == bytes([0x81, len(text)]) + text


def reload_now(proxy):
    """A reload by the control socket: no process is started for it. Its answer."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(60)
        control.connect(str(proxy.folder / "sallyport.control"))
        control.sendall(b'{"command":"reload"}\n')
        return json.loads(control.makefile().readline())


def descriptors(proxy):
    return sum(len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir())) for pid in proxy.processes())


def test_many_reloads_with_many_websockets_open_and_listeners_that_come_and_go(sallyport, make_backend):
    """The bar: 1,000 reloads within 2 minutes with 1,000 WebSockets (SALLYPORT_LONG=1)."""
    count, reloads = (1000, 1000) if LONG else (100, 60)
    echo = EchoServer()
    backend = make_backend(lambda request: response(request.target))
    text = "events { worker_connections 4096; }" + SITE.replace("worker_processes 2;", "").replace(
        "location / {", """location /socket {
            proxy_pass http://@echo@;
            proxy_read_timeout 1h;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
        }
        location / {""", 1)
    head, _, rest = ("worker_processes 2;\n" + text).partition("keepalive_requests")
    whole = head + "http { keepalive_requests" + rest + "}"
    more = whole.replace("server_name", "listen 127.0.0.1:@port:more@;\n        server_name", 1)
    proxy = sallyport(whole, backend=backend, echo=echo, generation=0)
    sockets = []
    try:
        for _ in range(count):
            sockets.append(OpenWebSocket(proxy))
        with Load(proxy) as load:
            load.wait_for_more(300)
            for number in range(6):
                proxy.configure(more if number % 2 else whole, generation=number)
                assert reload_now(proxy)["ok"]
            memory = proxy.memory()
            idle_descriptors = descriptors(proxy)
            began = time.monotonic()
            for number in range(reloads):
                proxy.configure(more if number % 2 else whole, generation=number)
                answer = reload_now(proxy)
                assert answer["ok"], answer
                assert not load.failures, f"after {number} reloads: {load.failures}"
            took = time.monotonic() - began
            load.wait_for_more(300)
            wait_for(lambda: SANITIZED or proxy.memory() <= memory * 1.05 + 2048,
                     f"memory to be as before, {memory} kB; it is {proxy.memory()} kB", within=10)
        assert not load.failures
        for number, open_socket in enumerate(sockets):
            assert open_socket.echoes(b"%d" % number), f"WebSocket {number}"
        assert proxy.get("/more", port="more").status == 200
        # The load has ended: fewer connections than with it.
        wait_for(lambda: descriptors(proxy) <= idle_descriptors + 8, "descriptors as before")
        print(f"{reloads} reloads in {took:.1f} s, memory {memory} -> {proxy.memory()} kB")
    finally:
        for open_socket in sockets:  # the server would wait for their part of the closing handshake
            open_socket.client.close()
        echo.stop()
