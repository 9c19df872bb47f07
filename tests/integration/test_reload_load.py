"""HUP, many times over, while clients are at work: nobody notices, and nothing is left behind."""
import os
import signal
import threading

import pytest

from support import wait_for
from support.backend import response
from support.load import Load

SANITIZED = any(f"/{preset}/" in os.environ.get("SALLYPORT_BINARY", "") for preset in ("asan", "tsan"))
RELOADS = 30 if SANITIZED else 200
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
