"""The directives of tunnels beside tunnel_pass and tunnel_allow."""
import socket
import threading
import time

import pytest

from support import NameServer, wait_for
from support.ports import reserve_port
from support.waiting import seconds
from test_tunnel_pass import SITE, echo, opened, request, start, status  # noqa: F401  (a fixture)


@pytest.mark.parametrize("size", ["512", "1m"])
def test_tunnel_buffer_size(start, size):  # noqa: F811
    proxy = start(f"tunnel_buffer_size {size}; tunnel_pass @backend@;")
    with proxy.client(within=30) as client:
        opened(client)
        writer = threading.Thread(target=client.socket.sendall, args=(b"x" * 200_000,))
        writer.start()
        assert client.receive_exactly(200_000) == b"x" * 200_000
        writer.join()


def test_tunnel_read_timeout_is_of_silence(start):  # noqa: F811
    """In both directions: one that is used lives on."""
    quiet = seconds(1)
    proxy = start(f"tunnel_read_timeout {quiet}s; tunnel_pass @backend@;",
                  lambda connection: [connection.receive() for _ in range(1000)])
    with proxy.client(within=30) as client:
        opened(client)
        began = time.monotonic()
        while time.monotonic() - began < 1.5 * quiet:
            client.send("x")
            time.sleep(quiet / 20)
        still = time.monotonic()
        assert client.is_closed()
        assert time.monotonic() - still >= quiet * 0.8


def test_tunnel_send_timeout(start):  # noqa: F811
    """A target that takes nothing."""
    done = threading.Event()
    proxy = start("tunnel_send_timeout 200ms; tunnel_socket_sndbuf 8k; tunnel_pass @backend@;",
                  lambda connection: done.wait(seconds(60)))
    try:
        with proxy.client(within=60) as client:
            opened(client)
            with pytest.raises(OSError):
                while True:
                    client.socket.sendall(bytes(65536))
    finally:
        done.set()


def test_tunnel_connect_timeout(start):  # noqa: F811
    """An address that never answers: a listener whose queue is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        proxy = start(f"tunnel_connect_timeout 200ms; tunnel_pass 127.0.0.1:{full.getsockname()[1]};")
        assert status(proxy, request("a.test:443")) == 504
        proxy.wait_for_error("upstream timed out (110: Connection timed out) while connecting to upstream")
        for each in waiting:
            each.close()


def test_tunnel_bind(start):  # noqa: F811
    def tell(connection):
        connection.send(connection.socket.getpeername()[0].encode())

    proxy = start("tunnel_bind 127.0.0.9; location / { tunnel_pass @backend@; }", tell)
    with proxy.client() as client:
        opened(client)
        assert client.receive_all() == b"127.0.0.9"
    for inside, address in (("tunnel_bind $http_from; tunnel_pass @backend@;", b"127.0.0.8"),
                            ("tunnel_bind off; tunnel_pass @backend@;", b"127.0.0.1")):
        proxy.reload(SITE.replace("#server", inside).replace("#http", "tunnel_bind 127.0.0.9;"))
        with proxy.client() as client:
            client.send(request("a.test:443", ("From", "127.0.0.8")))
            client.receive_until(b"\r\n\r\n")
            assert client.receive_all() == address


def test_sockets(start):  # noqa: F811
    proxy = start("tunnel_socket_keepalive on; tunnel_socket_rcvbuf 64k; tunnel_socket_sndbuf 64k; "
                  "tunnel_send_lowat 0; tunnel_pass @backend@;")
    with proxy.client() as client:
        opened(client)
        client.send("hello")
        assert client.receive_exactly(5) == b"hello"


@pytest.mark.parametrize("directives, got", [
    ("", 200), ("tunnel_next_upstream error;", 200), ("tunnel_next_upstream timeout;", 502),
    ("tunnel_next_upstream off;", 502), ("tunnel_next_upstream error off;", 502),
    ("tunnel_next_upstream_tries 1;", 502), ("tunnel_next_upstream_tries 2;", 200),
    ("tunnel_next_upstream_tries 0;", 200), ("tunnel_next_upstream_timeout 1h;", 200)])
def test_tunnel_next_upstream(start, directives, got):  # noqa: F811
    """The group's first server is not there."""
    proxy = start(f"{directives} tunnel_pass group;")
    with proxy.client() as client:
        client.send(request("a.test:443"))
        assert client.receive_until(b"\r\n").startswith(f"HTTP/1.1 {got} ".encode())
    if got == 502:
        proxy.wait_for_error("connect() failed (111: Connection refused) while connecting to upstream")


def test_all_addresses_of_a_name_are_tried(start):  # noqa: F811
    dns = NameServer({"app.test": ["127.0.0.77", "127.0.0.1"]})
    try:
        proxy = start("resolver @dns@ ipv6=off; tunnel_allow 127.0.0.0/8:*; tunnel_pass;", dns=dns)
        for _ in range(2):
            with proxy.client() as client:
                opened(client, f"app.test:{proxy.backend.port}")
    finally:
        dns.stop()


@pytest.mark.parametrize("line", [
    "tunnel_pass nobody;", "tunnel_pass a.test:x;", "tunnel_pass a b;", "tunnel_buffer_size 1;",
    "tunnel_buffer_size 2m;", "tunnel_connect_timeout x;", "tunnel_bind nobody;", "tunnel_bind 127.0.0.1 transparent;",
    "tunnel_socket_rcvbuf 2g;", "tunnel_socket_keepalive 1;", "tunnel_next_upstream http_500;",
    "tunnel_next_upstream_tries x;", "tunnel_pass; tunnel_pass;"])
def test_what_is_no_value(sallyport, line):
    result = sallyport.make().check(f"server {{ listen 127.0.0.1:@port:http@; {line} }}")
    assert result.returncode == 1 and line.split()[0].rstrip(";") in result.stderr
