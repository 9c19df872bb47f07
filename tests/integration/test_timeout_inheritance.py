"""Time-outs by their effect on each level: short in http, long in a server, short again in a location."""
import contextlib
import socket
import threading
import time

import pytest

from support import seconds, wait_for
from support.backend import response

SHORT, LONG = "200ms", "60s"
WINDOW = 1.0  # what is not cut off within it is not short; what is to be cut off has more time
BODY = 24 << 20  # more than the kernel takes of what nobody reads

SITE = """
    {name} {short};
    client_max_body_size 0;
    server {{
        listen 127.0.0.1:@port:outer@;
        location / {{ proxy_pass http://@backend@; }}
    }}
    server {{
        listen 127.0.0.1:@port:inner@;
        {name} {long};
        location / {{ proxy_pass http://@backend@; }}
        location /short {{ {inner} proxy_pass http://@backend@; }}
    }}
"""
PLACES = {"http": ("outer", "/", True), "server": ("inner", "/", False),
          "location": ("inner", "/short", True)}


def patience(cut_off):
    return seconds(10) if cut_off else WINDOW


def answered(client, cut_off):
    """The status that comes in time, if any; 0: the connection ended instead."""
    client.socket.settimeout(patience(cut_off))
    try:
        received = client.socket.recv(65536)
    except TimeoutError:
        return None
    except OSError:
        return 0
    return int(received.split()[1]) if received else 0


def ask(client, target, head=""):
    client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n{head}\r\n")


def body_stops(client, target, _backend, cut_off):
    client.send(f"POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhe")
    return answered(client, cut_off) == 408


def client_is_idle(client, target, _backend, cut_off):
    ask(client, target)
    assert client.response().status == 200
    return answered(client, cut_off) == 0


def client_does_not_read(client, target, backend, cut_off):
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    ask(client, target, "X-Way: flood\r\n")
    began = time.monotonic()
    wait_for(lambda: any(connection.closed for connection in backend.connections) or
             time.monotonic() - began > patience(cut_off), "the end, or the end of the window")
    return any(connection.closed for connection in backend.connections)


def backend_is_silent(client, target, _backend, cut_off):
    ask(client, target, "X-Way: silent\r\n")
    return answered(client, cut_off) == 504


def backend_does_not_read(client, target, _backend, cut_off):
    client.send(f"POST {target} HTTP/1.1\r\nHost: a\r\nX-Way: deaf\r\nContent-Length: {BODY}\r\n\r\n")
    client.send(b"x" * BODY)
    return answered(client, cut_off) == 504


@pytest.fixture
def odd_backend(make_backend):
    done = threading.Event()

    def serve(connection):
        request = connection.read_head()
        way = request.field("X-Way")
        if way == "flood":
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            for _ in range(1000):
                connection.send(b"x" * (1 << 20))
        elif way in ("silent", "deaf"):
            done.wait(seconds(20))
        else:
            connection.read_body(request)
            connection.send(response("x"))
            connection.receive()

    yield make_backend(serve=serve)
    done.set()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name, scenario", [
    ("client_body_timeout", body_stops),
    ("keepalive_timeout", client_is_idle),
    ("send_timeout", client_does_not_read),
    ("proxy_read_timeout", backend_is_silent),
    ("proxy_send_timeout", backend_does_not_read),
], ids=lambda value: value if isinstance(value, str) else "")
def test_the_nearest_level_s_time_counts(sallyport, odd_backend, place, name, scenario):
    port, target, cut_off = PLACES[place]
    proxy = sallyport(SITE.format(name=name, short=SHORT, long=LONG, inner=f"{name} {SHORT};"),
                      backend=odd_backend)
    with proxy.client(port) as client:
        assert scenario(client, target, odd_backend, cut_off) is cut_off


@pytest.mark.parametrize("place", ["http", "server"])
def test_client_header_timeout_is_the_server_s(sallyport, backend, place):
    port, target, cut_off = PLACES[place]
    proxy = sallyport(SITE.format(name="client_header_timeout", short=SHORT, long=LONG, inner=""),
                      backend=backend)
    with proxy.client(port) as client:
        client.send(f"GET {target} HTTP/1.1\r\n")
        assert (answered(client, cut_off) == 0) is cut_off


@contextlib.contextmanager
def nobody_answers():
    """A port whose queue is full: the kernel drops every SYN."""
    with socket.socket() as listener, contextlib.ExitStack() as kept:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(10):
            waiting = kept.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(listener.getsockname())
            except TimeoutError:
                break
        else:
            raise AssertionError("the queue never became full")
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("place", PLACES)
def test_proxy_connect_timeout_is_the_nearest_level_s(sallyport, place):
    port, target, cut_off = PLACES[place]
    with nobody_answers() as address:
        proxy = sallyport(SITE.format(name="proxy_connect_timeout", short=SHORT, long=LONG,
                                      inner=f"proxy_connect_timeout {SHORT};"), backend=address)
        with proxy.client(port) as client:
            ask(client, target)
            assert (answered(client, cut_off) == 504) is cut_off
