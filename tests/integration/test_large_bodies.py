"""Large bodies pass through without staying: the memory of the program does not grow with them.

512 MB each way by default, 10 GB when SALLYPORT_LONG=1 is set (which needs 10 GB of disk for the
buffered requests).
"""
import os
import pathlib
import re
import select
import socket
import threading

import pytest

from support import seconds, wait_for

SANITIZED = any(f"/{preset}/" in os.environ.get("SALLYPORT_BINARY", "") for preset in ("asan", "tsan"))
LONG = os.environ.get("SALLYPORT_LONG") == "1"
SIZE = (10 << 30) if LONG else (32 << 20) if SANITIZED else (512 << 20)
BLOCK = memoryview(bytes(range(256)) * 4096)  # 1 MB whose bytes tell their offset's last digit
ALLOWED = 2048  # kB, beside proxy_buffers


class Bulk:
    """A backend of few system calls: GET is answered with SIZE bytes, POST with what was received."""

    def __init__(self, tls=None):
        self.tls = tls
        self.wrong = 0

    def __call__(self, connection):
        while True:
            request = connection.read_head()
            if request.field("Content-Length") == "0" or request.target == "/warm":
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            elif request.method == "GET":
                connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")
                send_bulk(connection.socket)
            else:
                taken, connection.pending = connection.pending, b""
                connection.received = b""
                self.wrong = receive_bulk(connection.socket, taken)
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nreceived")


def send_bulk(sock):
    sock.settimeout(seconds(600))
    for _ in range(SIZE // len(BLOCK)):
        sock.sendall(BLOCK)


def receive_bulk(sock, begun):
    """Takes SIZE bytes, `begun` among them; returns how many looks at them found wrong bytes."""
    sock.settimeout(seconds(600))
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    got, wrong = len(begun), int(bool(begun) and begun[0] != 0)
    while got < SIZE:
        count = sock.recv_into(view[:min(len(view), SIZE - got)])
        if count == 0:
            raise EOFError(f"{got} of {SIZE} bytes")
        wrong += buffer[0] != got % 256 or buffer[count - 1] != (got + count - 1) % 256
        got += count
    return wrong


class Watch:
    """The highest resident size of the program while it is at work, in kB beside what it had before.

    Pages of files (the program itself) come and go with the kernel's mood: they are left out.
    """

    def __init__(self, proxy):
        self.proxy = proxy
        self.before = self.highest = self.now()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def now(self):
        total = 0
        for pid in self.proxy.processes():
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            total += sum(int(re.search(rf"{kind}:\s+(\d+)", status)[1]) for kind in ("RssAnon", "RssShmem"))
        return total

    def _run(self):
        while not self._done.wait(0.02):
            self.highest = max(self.highest, self.now())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    @property
    def growth(self):
        return self.highest - self.before


SITE = """
    error_log stderr info;
    worker_processes 1;
    client_max_body_size 0;
    proxy_buffering @buffering@;
    proxy_request_buffering @buffering@;
    server {
        listen 127.0.0.1:@port:http@;
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        location / { proxy_pass http://@backend@; }
        location /secure {
            proxy_pass https://@secure@;
            proxy_ssl_name backend.test;
            proxy_ssl_trusted_certificate @authority@;
        }
    }
"""


@pytest.mark.parametrize("buffering", ["on", "off"])
@pytest.mark.parametrize("transport", ["plain", "tls"])
@pytest.mark.parametrize("way", ["down", "up"])
def test_memory_does_not_grow_with_a_body(sallyport, make_backend, authority, transport, buffering, way):
    bulk, secure = Bulk(), Bulk()
    certificate = authority.certificate("backend.test")
    proxy = sallyport(SITE, buffering=buffering, backend=make_backend(serve=bulk),
                      secure=make_backend(serve=secure, tls=certificate.server_context()))
    target = "/" if transport == "plain" else "/secure"
    # Buffers and contexts that stay are made by the first requests.
    with open_client(proxy, transport) as client:
        for _ in range(3):
            assert client.get("/warm").status == 200
    with Watch(proxy) as watch, open_client(proxy, transport) as client:
        if way == "down":
            client.send(f"GET {target} HTTP/1.1\r\nHost: example.com\r\n\r\n")
            client.receive_until(b"\r\n\r\n")
            assert receive_bulk(client.socket, client.pending) == 0
        else:
            client.send(f"POST {target} HTTP/1.1\r\nHost: example.com\r\nContent-Length: {SIZE}\r\n\r\n")
            send_bulk(client.socket)
            client.within = 600
            assert client.response().text == "received"
            assert bulk.wrong + secure.wrong == 0
    print(f"{way}, {transport}, buffering {buffering}: {watch.growth} kB above {watch.before} kB")
    assert SANITIZED or watch.growth <= ALLOWED


def open_client(proxy, transport):
    return proxy.client("http") if transport == "plain" else proxy.tls_client("https")


@pytest.mark.parametrize("buffering", ["on", "off"])
def test_a_hundred_slow_downloads_hold_little_each(sallyport, make_backend, buffering):
    """Back-pressure: what the client does not take is not taken from the backend."""
    def serve(connection):
        connection.read_head()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {1 << 40}\r\n\r\n")
        while True:
            connection.send(BLOCK.tobytes())

    proxy = sallyport(SITE, buffering=buffering, backend=make_backend(serve=serve), secure="127.0.0.1:1")
    clients = []
    with Watch(proxy) as watch:
        for _ in range(100):
            client = proxy.client()
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
            clients.append(client)
        for client in clients:
            client.receive(lambda data: len(data) > 1000)
        seen = -1
        while seen != (seen := proxy.status()["counters"]["loop_turns"]):
            select.select([], [], [], 0.2)
    for client in clients:
        client.close()
    wait_for(lambda: proxy.status()["counters"]["connections_active"] == 0, "the connections to end")
    assert SANITIZED or watch.growth <= ALLOWED + 100 * 160, f"{watch.growth} kB for 100 downloads"
