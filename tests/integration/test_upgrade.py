"""What replaces processes while clients are at work: reloads that need a new server process, upgrades
to a new binary and back, crashes."""
import os
import pathlib
import re
import signal
import threading
import time

import pytest

from support import wait_for
from support.backend import response
from support.client import Client
from support.load import Load

LONG = bool(os.environ.get("SALLYPORT_LONG"))
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
    assert "worker_processes changed: a new server process takes over" in proxy.errors
    assert proxy.status()["server_restarts"] == 0


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
        assert proxy.status()["pid"]["supervisor"] == old
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
