"""What replaces processes while clients are at work: reloads that need a new server process, upgrades
to a new binary and back, crashes."""
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from support import wait_for
from support.backend import response
from support.client import Client
from support.load import Load
from support.ports import reserve_port

LONG = bool(os.environ.get("SALLYPORT_LONG"))
TOOLS = pathlib.Path(os.environ.get("SALLYPORT_BINARY", ".")).parent / "tests/bench"
SITE = """
    error_log stderr notice;
    worker_processes @workers@;
    worker_shutdown_timeout @patience@;
    keepalive_requests 1000000;
    upstream backends { server @backend@; keepalive 16; }
    server {
        listen 127.0.0.1:@port:http@;
        listen 127.0.0.1:@port:https@ ssl;
        listen unix:@dir@/http.sock;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        location / { proxy_pass http://backends; }
        location /tunnel {
            proxy_pass http://backends;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
        }
    }
"""


def echo(connection):
    """A backend that answers with the target, and echoes what comes through a tunnel."""
    while True:
        request = connection.read_request()
        if request.field("Upgrade"):
            connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                            "Upgrade: websocket\r\n\r\n")
            while True:
                connection.send(connection.take(1))
        connection.send(response(request.target))


@pytest.fixture
def site(sallyport, make_backend):
    started = []

    def start(**values):
        started.append(sallyport(SITE, backend=make_backend(serve=echo),
                                 **{"workers": 2, "patience": "0", **values}))
        return started[-1]

    yield start
    for proxy in started:  # a new binary is no child of ours
        pid = pid_in(proxy, "program.pid")
        if pid and pid != proxy.process.pid:
            end(pid, signal.SIGTERM)


def open_tunnel(proxy):
    tunnel = proxy.client()
    tunnel.send("GET /tunnel HTTP/1.1\r\nHost: example.com\r\nConnection: upgrade\r\n"
                "Upgrade: websocket\r\n\r\n")
    assert tunnel.response().status == 101
    return tunnel


def assert_echoes(tunnel):
    tunnel.send(b"x")
    assert tunnel.receive_exactly(1) == b"x"


def server_pid(proxy):
    return proxy.status()["pid"]["server"]


def is_gone(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def pid_in(proxy, name):
    try:
        return int(proxy.read(name))
    except (ValueError, OSError):  # there is none, or it is being renamed
        return None


# --- reloads that need a new process

@pytest.mark.threads
@pytest.mark.parametrize("workers", [4, 1])
def test_another_number_of_workers_takes_over_and_the_old_ones_end_what_they_have(site, workers):
    proxy = site()
    old = server_pid(proxy)
    with open_tunnel(proxy) as tunnel, Load(proxy, forgiving=True) as load:
        load.wait_for_more(200)
        proxy.reload(SITE, workers=workers)
        # Until the old process has heard that it is to retire, it may answer, too.
        wait_for(lambda: server_pid(proxy) != old and len(proxy.status()["workers"]) == workers,
                 "the new server process to answer alone")
        load.wait_for_more(200)
        assert_echoes(tunnel)
        assert not is_gone(old)
        tunnel.close()
        wait_for(lambda: is_gone(old), "the old server process to end")
        load.wait_for_more(200)
    assert not load.failures
    proxy.wait_for_error("worker_processes changed: a new server process takes over")
    assert proxy.status()["server_restarts"] == 0


def test_status_tells_of_a_process_that_ends_and_of_what_it_has_left(site):
    proxy = site()
    old = server_pid(proxy)
    with open_tunnel(proxy) as tunnel, open_tunnel(proxy):
        assert proxy.status()["draining"] == []
        proxy.reload(SITE, workers=1)
        wait_for(lambda: server_pid(proxy) != old, "the new server process to answer alone")

        def left():
            return [(each["pid"], each["connections"]) for each in proxy.status()["draining"]]

        wait_for(lambda: left() == [(old, 2)], "two connections to be left")
        tunnel.close()
        wait_for(lambda: left() == [(old, 1)], "one connection to be left")
        os.kill(server_pid(proxy), signal.SIGKILL)
        wait_for(lambda: pid_of_status(proxy) and left() == [(old, 1)], "the next process to know, too")
    wait_for(lambda: proxy.status()["draining"] == [], "the old process to be gone")
    assert is_gone(old)


def test_worker_shutdown_timeout_bounds_the_end_of_the_old_process(site):
    proxy = site(patience="300ms")
    old = server_pid(proxy)
    with open_tunnel(proxy) as tunnel:
        proxy.reload(SITE, workers=3)
        wait_for(lambda: is_gone(old), "the old server process to end")
        assert tunnel.receive_all() == b""
    assert proxy.get("/next").text == "/next"
    proxy.wait_for_error("still has connections after worker_shutdown_timeout")


def test_worker_shutdown_timeout_bounds_a_graceful_end(site):
    proxy = site(patience="300ms")
    with open_tunnel(proxy) as tunnel:
        proxy.stop(signal.SIGQUIT, within=10)
        assert tunnel.receive_all() == b""


def test_a_successor_that_cannot_serve_leaves_the_old_process_alone(site):
    proxy = site()
    old = server_pid(proxy)
    wrong = SITE.replace("server_name example.com;", "server_name example.com; lissten 1;")
    proxy.configure(wrong, workers=5)
    proxy.send_signal(signal.SIGHUP)
    proxy.wait_for_error("not reloaded")
    assert server_pid(proxy) == old
    assert proxy.get("/still").text == "/still"


def test_a_reload_while_the_server_process_is_away_happens_once_it_is_back(site):
    proxy = site()
    os.kill(server_pid(proxy), signal.SIGKILL)
    proxy.wait_for_error("exited on signal 9")
    proxy.configure(SITE.replace("location / {", "location /new { return 204; } location / {"))
    proxy.send_signal(signal.SIGHUP)
    wait_for(lambda: proxy.get("/new").status == 204, "the new configuration to serve")


# --- a new binary

def upgrade(proxy):
    """USR2; returns once the new supervisor has its pid file."""
    old = pid_in(proxy, "program.pid")
    os.kill(old, signal.SIGUSR2)
    wait_for(lambda: pid_in(proxy, "program.pid") not in (None, old), "the new binary's pid file; "
             "the log has:\n" + proxy.errors[-2000:], within=20)
    assert pid_in(proxy, "program.pid.oldbin") == old
    return old, pid_in(proxy, "program.pid")


def end(pid, number=signal.SIGQUIT):
    os.kill(pid, number)
    wait_for(lambda: is_gone(pid), f"process {pid} to end", within=20)


@pytest.mark.threads
def test_a_new_binary_takes_over_as_nginx_s_does(site):
    proxy = site()
    with open_tunnel(proxy) as tunnel, Load(proxy, forgiving=True) as load:
        load.wait_for_more(100)
        old_server = server_pid(proxy)
        old, new = upgrade(proxy)
        load.wait_for_more(100)
        os.kill(old, signal.SIGWINCH)
        assert_echoes(tunnel)
        tunnel.close()
        wait_for(lambda: is_gone(old_server), "the old server process to end")
        assert not is_gone(old)
        load.wait_for_more(100)
        end(old)
        load.wait_for_more(100)
        assert pid_in(proxy, "program.pid") == new
        assert not (proxy.folder / "program.pid.oldbin").exists()
        assert proxy.status()["pid"]["supervisor"] == new
        with Client(f"unix:{proxy.folder}/http.sock") as client:
            assert client.get("/unix").text == "/unix"
    assert not load.failures
    end(new)
    assert not (proxy.folder / "program.pid").exists()
    assert not (proxy.folder / "http.sock").exists()


def test_status_tells_of_the_old_program_while_it_is_there(site):
    proxy = site()
    assert proxy.status()["old_program"] is None
    with open_tunnel(proxy) as tunnel, open_tunnel(proxy):
        old, new = upgrade(proxy)

        def old_program(*expected):
            told = proxy.status()["old_program"]
            return told and (told["pid"], told["state"], told["connections"]) == (old, *expected)

        wait_for(lambda: old_program("active", None), "both to serve")
        os.kill(old, signal.SIGWINCH)
        wait_for(lambda: old_program("draining", 2), "two connections to be left")
        tunnel.close()
        wait_for(lambda: old_program("draining", 1), "one connection to be left")
        assert proxy.status()["pid"]["supervisor"] == new
        # The next server process knows, too.
        os.kill(server_pid(proxy), signal.SIGKILL)
        wait_for(lambda: pid_of_status(proxy) and old_program("draining", 1), "the next to answer")
    wait_for(lambda: old_program("idle", None), "the old one to have nothing left")
    os.kill(old, signal.SIGHUP)
    wait_for(lambda: old_program("active", None), "the old one to serve again")
    end(old)
    wait_for(lambda: proxy.status()["old_program"] is None, "the old one to be forgotten")
    assert pid_in(proxy, "program.pid") == new


@pytest.mark.threads
def test_and_back_to_the_old_one(site):
    proxy = site()
    with Load(proxy, forgiving=True) as load:
        load.wait_for_more(100)
        old, new = upgrade(proxy)
        os.kill(old, signal.SIGWINCH)
        load.wait_for_more(100)
        os.kill(old, signal.SIGHUP)
        proxy.wait_for_error("start server process")
        end(new)
        wait_for(lambda: pid_in(proxy, "program.pid") == old, "the pid file to be the old one's again")
        load.wait_for_more(100)
        wait_for(lambda: proxy.status()["pid"]["supervisor"] == old, "the old one to answer")
    assert not load.failures
    with Client(f"unix:{proxy.folder}/http.sock") as client:
        assert client.get("/unix").text == "/unix"


def test_a_new_binary_that_dies_is_replaced_by_the_old_one_that_had_stopped_serving(site):
    proxy = site()
    old, new = upgrade(proxy)
    os.kill(old, signal.SIGWINCH)
    wait_for(lambda: proxy.errors.count("gracefully shutting down the server process"), "the rest")
    end(new, signal.SIGKILL)
    wait_for(lambda: pid_in(proxy, "program.pid") == old, "the old pid file")
    wait_for(lambda: proxy.status()["pid"]["supervisor"] == old, "the old one to answer")
    assert proxy.get("/back").text == "/back"


def test_a_new_binary_that_does_not_start_changes_nothing(site):
    proxy = site()
    old = pid_in(proxy, "program.pid")
    proxy.configure("no_such_directive;")
    os.kill(old, signal.SIGUSR2)
    proxy.wait_for_error("new binary process")
    wait_for(lambda: re.search(r"new binary process \d+ exited with code 1", proxy.errors), "its end")
    wait_for(lambda: pid_in(proxy, "program.pid") == old, "the pid file to have its name again")
    assert proxy.status()["pid"]["supervisor"] == old
    assert proxy.get("/here").text == "/here"


@pytest.mark.threads
def test_there_and_back_many_times_under_load(site):
    proxy = site()
    with Load(proxy, forgiving=True) as load:
        for _ in range(50 if LONG else 4):
            old, new = upgrade(proxy)
            os.kill(old, signal.SIGWINCH)
            load.wait_for_more(20)
            os.kill(old, signal.SIGHUP)
            load.wait_for_more(20)
            end(new)
            wait_for(lambda: pid_in(proxy, "program.pid") == old, "the old one's pid file")
            assert not load.failures
    assert not load.failures


# --- crashes

@pytest.mark.threads
def test_a_killed_server_process_costs_no_connection_that_it_had_not_read_from(site):
    """New connections all the time: each is answered, or was closed without an answer because the
    process that had read from it was killed; none is refused or left hanging."""
    proxy = site()
    stop = threading.Event()
    outcomes = {"answered": 0, "closed": 0}
    failures = []

    def ask():
        while not stop.is_set():
            try:
                with proxy.client(within=10) as client:
                    client.send("GET /x HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
                    data = client.receive_all()
                    outcomes["answered" if data.endswith(b"/x") else "closed"] += 1
            except ConnectionResetError:
                outcomes["closed"] += 1
            except OSError as failure:
                failures.append(repr(failure))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    killed, ready = 50 if LONG else 5, []
    for _ in range(killed):
        before = outcomes["answered"]
        wait_for(lambda: outcomes["answered"] > before + 50, "answers", within=20)
        pid = server_pid(proxy)
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: pid_of_status(proxy) not in (None, pid), "the server process to be back",
                 within=20)
        ready.append(time.monotonic() - began)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert outcomes["closed"] <= killed * 4 * 3
    assert proxy.status()["server_restarts"] == killed
    print(f"ready again after {sorted(ready)[len(ready) // 2] * 1000:.0f} ms (median), "
          f"{max(ready) * 1000:.0f} ms at most; {outcomes}")


def pid_of_status(proxy):
    try:
        return server_pid(proxy)
    except AssertionError:
        return None


def ask_when_ready(proxy, pid):
    """Returns once the instance says that it is ready, and its server process is not `pid`."""
    question = b'{"command": "ready"}\n'
    wait_for(lambda: is_gone(pid), "the killed process to be gone")
    while True:
        # The supervisor holds the socket: it connects at once, and the next process answers.
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(20)
            admin.connect(str(proxy.folder / "sallyport.sock"))
            admin.sendall(question)
            answer = admin.makefile().readline()
        if json.loads(answer)["ready"]:
            return


@pytest.fixture
def origin():
    """A backend that does not limit the rate; its port."""
    port = reserve_port()
    process = subprocess.Popen([TOOLS / "bench_origin", str(port)])
    try:
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(not (TOOLS / "bench_load").exists() or not (TOOLS / "bench_origin").exists(),
                    reason="needs the targets bench_load and bench_origin of the same build")
@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.skipif(
    not LONG, reason="SALLYPORT_LONG=1"))])
@pytest.mark.parametrize("listen", ["", "deferred"])
def test_kills_under_1000_new_connections_a_second(sallyport, origin, listen, kills):
    """Open loop: connections begin at their time, whatever became of those before. Each is answered,
    or its request had been read by the process that was killed: then it is closed in order. None is reset."""
    site = SITE.replace("@port:http@;", f"@port:http@ {listen};")
    proxy = sallyport(site, backend=f"127.0.0.1:{origin}", workers=2, patience="0")
    rate, ready = 1000, []
    load = subprocess.Popen([TOOLS / "bench_load", "--mode", "paced", "--rate", str(rate), "--port",
                             str(proxy.port("http")), "--name", "example.com"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(kills):
            wait_for(lambda: proxy.status()["counters"]["requests"] > rate // 4, "requests", within=20)
            pid = server_pid(proxy)
            began = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            ask_when_ready(proxy, pid)
            ready.append(round((time.monotonic() - began) * 1000))
    finally:
        report = json.loads(load.communicate()[0])
    ready.sort()
    print(f"ready again after {ready[kills // 2]} ms (median), {ready[-1]} ms at most; {report}")
    assert report["refused"] == report["failed"] == report["hanging"] == report["wrong"] == 0
    assert report["reset"] == 0
    # What the two workers have taken at most and not answered yet: a burst each.
    assert report["closed"] <= kills * 2 * 64
    assert report["answered"] + report["closed"] == report["begun"]
    assert proxy.status()["server_restarts"] == kills
    if LONG:
        assert report["begun"] / report["seconds"] >= rate * 0.99, "the rate was not offered"
        assert report["latest"] < rate / 2, "the rate was offered with gaps"
        assert ready[kills // 2] <= 300


# --- sessions of TLS

class Sessions:
    """Clients that keep what they got from one process, to show it to another."""

    def __init__(self, proxy, context):
        self.proxy = proxy
        self.context = context
        self.kept = []
        self.collect()

    def collect(self, count=8):
        """From whichever process and worker takes the connection."""
        for _ in range(count):
            with self.proxy.tls_client(context=self.context) as client:
                assert client.get("/t", host="example.com").status == 200
                self.kept.append(client.socket.session)

    def assert_all_resume(self):
        """All of those so far, at whichever process takes the connection."""
        for number, session in enumerate(self.kept):
            with self.proxy.tls_client(context=self.context, session=session) as client:
                assert client.get("/t", host="example.com").status == 200
                assert client.socket.session_reused, f"session {number} of {len(self.kept)}"


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def context(request, authority):
    version = ssl.TLSVersion.TLSv1_2
    return authority.client_context(
        versions=(version, version) if request.param == "TLSv1.2" else None)


def test_sessions_outlive_a_killed_server_process(site, context):
    proxy = site()
    sessions = Sessions(proxy, context)
    for _ in range(2):
        pid = server_pid(proxy)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: pid_of_status(proxy) not in (None, pid), "the server process to be back")
        sessions.assert_all_resume()
        sessions.collect()
    sessions.assert_all_resume()


def test_sessions_outlive_a_server_process_that_another_one_succeeds(site, context):
    proxy = site()
    sessions = Sessions(proxy, context)
    for workers in (1, 3):
        old = server_pid(proxy)
        proxy.reload(SITE, workers=workers)
        wait_for(lambda: pid_of_status(proxy) not in (None, old), "the successor to answer alone")
        sessions.assert_all_resume()
        sessions.collect()


def test_sessions_outlive_an_upgrade_and_the_way_back(site, context):
    proxy = site()
    sessions = Sessions(proxy, context)
    old, new = upgrade(proxy)
    sessions.collect()  # both serve
    sessions.assert_all_resume()
    os.kill(old, signal.SIGWINCH)
    wait_for(lambda: proxy.errors.count("gracefully shutting down the server process"), "the rest")
    sessions.collect()
    sessions.assert_all_resume()
    os.kill(old, signal.SIGHUP)
    wait_for(lambda: proxy.errors.count("start server process") == 3, "the way back")
    end(new)
    wait_for(lambda: pid_in(proxy, "program.pid") == old, "the old one's pid file")
    wait_for(lambda: proxy.status()["pid"]["supervisor"] == old, "the old one to answer")
    sessions.assert_all_resume()
    # And for good.
    old, new = upgrade(proxy)
    end(old)
    wait_for(lambda: proxy.status()["pid"]["supervisor"] == new, "the new one to answer")
    sessions.assert_all_resume()


def test_what_hands_over_the_secret_of_tickets_is_closed_once_it_was_read(site):
    proxy = site()
    old, new = upgrade(proxy)
    for pid in (old, new, proxy.status()["pid"]["server"]):
        folder = pathlib.Path(f"/proc/{pid}/fd")
        assert not [link for link in folder.iterdir() if "ticket" in os.readlink(link)]
