"""What becomes of the connections of a server process that is killed: its holder, a second owner of its
descriptors, hands those that it had not read from to the next process and ends the others in order."""
import contextlib
import os
import pathlib
import signal
import socket
import ssl

import pytest

from support import wait_for
from support.client import Client

pytestmark = pytest.mark.skipif(
    any(f"/{preset}/" in os.environ.get("SALLYPORT_BINARY", "") for preset in ("asan", "tsan")),
    reason="there is no holder in sanitizer builds")

SITE = """
    error_log stderr notice;
    worker_processes @workers@;
    server {
        listen @host@:@port:http@;
        listen @host@:@port:https@ ssl;
        listen unix:@dir@/http.sock;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        location / { proxy_pass http://@backend@; }
        location /hello { return 200 "hello"; }
    }
"""
GET = b"GET /hello HTTP/1.1\r\nHost: example.com\r\n\r\n"


@pytest.fixture
def site(sallyport, backend):
    def start(**values):
        return sallyport(SITE, **{"workers": 1, "host": "127.0.0.1", "backend": backend, **values})
    return start


def facts_of(pid):
    """/proc/PID/status as a dictionary."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)


def words_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""


def holders(proxy):
    return [pid for pid in proxy.processes() if words_of(pid).startswith("sallyport: holder")]


def server_pid(proxy):
    return proxy.status()["pid"]["server"]


def wait_for_accepted(proxy, count=1):
    # `status` itself comes by another socket.
    wait_for(lambda: proxy.status()["counters"]["connections_active"] == count, "it to be accepted")


def wait_for_first_bytes(proxy, count=1):
    def under_way():
        counters = proxy.status()["counters"]
        return counters["connections_active"] == count and counters["connections_idle"] == 0
    wait_for(under_way, "its first bytes to be read")


def kill(proxy, number=signal.SIGKILL, pid=None):
    pid = pid or server_pid(proxy)
    os.kill(pid, number)
    wait_for(lambda: f"server process {pid} exited on signal {int(number)}" in proxy.errors, "its death")


@contextlib.contextmanager
def killed(proxy):
    """The server process stands still meanwhile, and is dead afterwards: what is sent within lies unread."""
    pid = server_pid(proxy)
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: facts_of(pid)["State"].startswith("T"), "the server process to stand still")
    yield
    kill(proxy, pid=pid)


def assert_ends_in_order(client):
    """A FIN: a reset would raise."""
    client.socket.settimeout(20)
    assert client.socket.recv(1) == b""
    assert client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0, "a reset behind the FIN"


# --- connections that were not read from

def test_a_request_that_was_not_read_is_served_by_the_next_process(site):
    proxy = site()
    with proxy.client() as client:
        wait_for_accepted(proxy)
        with killed(proxy):
            client.send(GET)
        assert client.response().body == b"hello"
        assert client.get("/hello", host="example.com").status == 200
    proxy.wait_for_error("connections taken over from a server process that died: 1")


def test_a_client_that_has_said_nothing_yet_says_it_to_the_next_process(site):
    proxy = site(workers=2)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(proxy.client()) for _ in range(20)]
        wait_for_accepted(proxy, count=20)
        for _ in range(3):  # it may be handed on more than once
            kill(proxy)
            wait_for_accepted(proxy, count=20)
        for client in clients:
            assert client.get("/hello", host="example.com").body == b"hello"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_hands_connections_on_as_well(site, number):
    proxy = site()
    with proxy.client() as fresh, proxy.client() as used:
        assert used.get("/hello", host="example.com").status == 200
        wait_for_accepted(proxy, count=2)
        kill(proxy, number)
        assert_ends_in_order(used)
        assert fresh.get("/hello", host="example.com").body == b"hello"
    assert "the server process crashed" in proxy.errors


def test_a_client_that_has_said_all_and_closed_its_side_is_answered(site):
    proxy = site()
    with proxy.client() as client:
        wait_for_accepted(proxy)
        with killed(proxy):
            client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            client.half_close()
        assert client.response().body == b"hello"


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_a_connection_of_a_wildcard_address_is_handed_on(site, host):
    proxy = site(host=host)
    address = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}[host]
    with Client(proxy.port("http"), host=address) as client:
        wait_for_accepted(proxy)
        with killed(proxy):
            client.send(GET)
        assert client.response().body == b"hello"


class Handshake:
    """A TLS client whose bytes go out when the test says so."""

    def __init__(self, proxy):
        self.client = proxy.client("https")
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = proxy.authority.client_context().wrap_bio(
            self.incoming, self.outgoing, server_hostname="example.com")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def next(self):
        """Goes on with what has come; returns what is to be sent."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def receive(self):
        self.incoming.write(self.client.socket.recv(65536))


def test_a_client_hello_that_was_not_read_is_answered_by_the_next_process(site):
    proxy = site()
    with Handshake(proxy) as shaking:
        wait_for_accepted(proxy)
        with killed(proxy):
            shaking.client.send(shaking.next())
        shaking.receive()
        finished = shaking.next()
        while not finished:
            shaking.receive()
            finished = shaking.next()
        shaking.tls.write(GET)
        shaking.client.send(finished + shaking.outgoing.read())
        answer = b""
        while b"hello" not in answer:
            shaking.receive()
            with contextlib.suppress(ssl.SSLWantReadError):
                answer += shaking.tls.read(65536)


def test_worker_connections_holds_for_what_is_handed_on(sallyport):
    proxy = sallyport("events { worker_connections 4; }\nhttp { server { listen 127.0.0.1:@port:http@;"
                      "return 200 hello; } }", main="error_log stderr notice;")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(proxy.client()) for _ in range(3)]
        wait_for_accepted(proxy, count=3)
        with killed(proxy):
            for client in clients:
                client.send(GET[:10])  # an idle one would be closed for the next
            clients += [stack.enter_context(proxy.client()) for _ in range(2)]  # in the kernel's queue
        for client in clients[3:]:
            client.send(GET[:10])
        wait_for(lambda: proxy.status()["counters"]["limit_worker_connections"] >= 1, "the limit to be met")
        wait_for_first_bytes(proxy, count=4)
        for client in clients:
            client.send(GET[10:].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        for client in clients:
            assert client.response().body == b"hello"


# --- connections that were read from

def test_a_half_read_request_ends_with_a_fin_whatever_lies_unread(site):
    proxy = site()
    with proxy.client() as client:
        client.send(GET[:10])
        wait_for_first_bytes(proxy)
        with killed(proxy):
            client.send(GET[10:])
        assert_ends_in_order(client)
        client.send(b"x" * 100_000)  # is read away, or comes to a closed socket after the end was seen


def test_an_idle_connection_ends_with_a_fin_whatever_lies_unread(site):
    proxy = site()
    with proxy.client() as client, proxy.client() as silent:
        assert client.get("/hello", host="example.com").status == 200
        assert silent.get("/hello", host="example.com").status == 200
        with killed(proxy):
            client.send(GET)
        assert_ends_in_order(client)
        assert_ends_in_order(silent)


def test_a_handshake_under_way_ends_with_a_fin_whatever_lies_unread(site):
    proxy = site()
    with Handshake(proxy) as shaking:
        shaking.client.send(shaking.next())
        finished = b""
        while not finished:
            shaking.receive()
            finished = shaking.next()
        with killed(proxy):
            shaking.client.send(finished)
        assert_ends_in_order(shaking.client)


def test_an_upload_ends_with_a_fin_and_its_backend_sees_the_end(site, make_backend):
    def read_all(connection):
        while connection.take(1):
            pass

    proxy = site(backend=make_backend(serve=read_all))
    with proxy.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        wait_for(lambda: proxy.status()["counters"]["requests_active"] == 1, "the request to run")
        with killed(proxy):
            client.send(b"x" * 50_000)
        assert_ends_in_order(client)


def test_connections_over_a_unix_socket_are_told_apart_as_well(site):
    proxy = site()
    path = f"unix:{proxy.folder}/http.sock"
    with Client(path) as fresh, Client(path) as begun, Client(path) as used:
        assert used.get("/hello", host="example.com").status == 200
        wait_for_accepted(proxy, count=3)
        begun.send(GET[:10])
        wait_for(lambda: proxy.status()["counters"]["connections_idle"] == 2, "its first bytes to be read")
        with killed(proxy):
            for client in (fresh, used):
                client.send(GET)
            begun.send(GET[10:])
        assert_ends_in_order(begun)
        assert_ends_in_order(used)
        assert fresh.response().body == b"hello"


def test_a_process_that_drains_is_killed_and_its_clients_see_a_fin(site, backend):
    proxy = site()
    old = server_pid(proxy)
    with proxy.client() as client:
        client.send(GET[:10])
        wait_for_first_bytes(proxy)
        proxy.reload(SITE, workers=2, host="127.0.0.1", backend=backend)
        wait_for(lambda: server_pid(proxy) != old, "the new server process to answer alone")
        os.kill(old, signal.SIGSTOP)
        wait_for(lambda: facts_of(old)["State"].startswith("T"), "the old process to stand still")
        client.send(GET[10:])
        os.kill(old, signal.SIGKILL)
        assert_ends_in_order(client)
    assert proxy.get("/hello", port="http").status == 200
    wait_for(lambda: len(holders(proxy)) == 1, "one holder")


# --- the holder itself

def test_a_holder_is_a_small_child_of_the_supervisor_and_has_no_privileges(site):
    proxy = site()
    (holder,) = holders(proxy)
    facts = facts_of(holder)
    assert int(facts["PPid"]) == proxy.process.pid
    assert facts["Uid"] == facts_of(server_pid(proxy))["Uid"]
    assert facts["NoNewPrivs"] == "1" and int(facts["CapPrm"], 16) == int(facts_of(server_pid(proxy))["CapPrm"], 16)
    memory = pathlib.Path(f"/proc/{holder}/smaps_rollup")
    if os.access(memory, os.R_OK):
        rollup = dict(line.split(":", 1) for line in memory.read_text().splitlines()[1:])
        assert int(rollup["Private_Dirty"].split()[0]) < 1024, "kilobytes of its own"


def test_the_server_process_goes_on_without_its_holder_and_says_so_once(site):
    proxy = site()
    (holder,) = holders(proxy)
    os.kill(holder, signal.SIGKILL)
    errors = proxy.wait_for_error(f"the holder process {holder} has ended")
    assert proxy.get("/hello", port="http").body == b"hello"
    assert errors.count("the holder process") == 1
    kill(proxy)
    assert proxy.get("/hello", port="http").body == b"hello"
    assert len(holders(proxy)) == 1, "that of the next process"


def test_signals_that_end_a_group_do_not_end_the_holder(site):
    proxy = site()
    (holder,) = holders(proxy)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        os.kill(holder, number)
    with proxy.client() as client:
        wait_for_accepted(proxy)
        with killed(proxy):
            client.send(GET)
        assert client.response().body == b"hello"


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM])
def test_an_orderly_end_leaves_no_holder_behind(site, number):
    proxy = site()
    (holder,) = holders(proxy)
    proxy.send_signal(number)
    assert proxy.process.wait(20) == 0
    assert not words_of(holder)
    assert "holder" not in proxy.errors


def test_a_holder_ends_with_its_supervisor(site):
    proxy = site()
    (holder,) = holders(proxy)
    os.kill(proxy.process.pid, signal.SIGKILL)
    proxy.process.wait()
    proxy.process = None
    wait_for(lambda: not words_of(holder), "the holder to end")


def test_reloads_leave_one_holder(site, backend):
    proxy = site()
    (first,) = holders(proxy)
    proxy.reload(SITE, workers=1, host="127.0.0.1", backend=backend)
    assert holders(proxy) == [first]
    proxy.reload(SITE, workers=2, host="127.0.0.1", backend=backend)
    wait_for(lambda: len(proxy.processes()) == 3 and len(holders(proxy)) == 1, "the old ones to end")
    assert holders(proxy) != [first]
    assert "the holder process" not in proxy.errors


def test_an_upgrade_leaves_one_holder(site):
    proxy = site()
    (first,) = holders(proxy)
    proxy.send_signal(signal.SIGUSR2)
    wait_for(lambda: (proxy.folder / "program.pid.oldbin").exists() and
             (proxy.folder / "program.pid").exists(), "the new binary")
    new = int(proxy.read("program.pid"))
    session = proxy.process.pid
    wait_for(lambda: len(holders(proxy)) == 2, "two holders")
    proxy.send_signal(signal.SIGQUIT)
    assert proxy.process.wait(20) == 0
    proxy.process = None

    def left():
        return [pid for pid in proxy._processes(session) if "holder" in words_of(pid)]

    wait_for(lambda: len(left()) == 1 and first not in left(), "the old holder to be gone")
    assert proxy.get("/hello", port="http").status == 200
    os.kill(new, signal.SIGQUIT)
    wait_for(lambda: not proxy._processes(session), "all to end")


def test_master_process_off_has_no_holder(sallyport):
    proxy = sallyport("server { listen 127.0.0.1:@port:http@; return 200; }", main="master_process off;")
    assert len(proxy.processes()) == 1


def test_a_port_is_free_as_soon_as_the_program_has_ended(site):
    proxy = site()
    port = proxy.port("http")
    proxy.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
