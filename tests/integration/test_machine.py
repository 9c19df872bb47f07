"""Limits of the machine: descriptors, memory, CPUs, priority, environment, working directory."""
import os
import pathlib
import re
import resource

import pytest

from support import wait_for
from support.backend import response
from support.program import SANITIZED

ROOT = os.geteuid() == 0
LIMIT = 256
RETURNS = 'server { listen 127.0.0.1:@port:http@; return 200 "hello\\n"; }'
PROXIES = """
    events { worker_connections 10000; }
    http {
        server {
            listen 127.0.0.1:@port:http@ backlog=4096;
            keepalive_timeout 600s;
            location / { proxy_pass http://@backend@; proxy_connect_timeout 20s; }
            location /direct { return 200 direct; }
        }
    }
"""


def server_pid(proxy):
    return proxy.status()["pid"]["server"]


def limits_of(pid):
    """/proc/PID/limits as a dictionary: name -> (soft, hard)."""
    text = pathlib.Path(f"/proc/{pid}/limits").read_text()
    return {match[1].strip(): (match[2], match[3])
            for match in re.finditer(r"^(.{26})(\S+)\s+(\S+)", text, re.MULTILINE)}


def descriptors_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.fixture
def many_descriptors():
    """The test's own process may have as many as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 4096:
        pytest.skip(f"needs 4096 descriptors, the hard limit is {hard}")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def assert_same_server(proxy, pid):
    status = proxy.status()
    assert status["server_restarts"] == 0 and status["pid"]["server"] == pid


# -- descriptors

@pytest.mark.threads
@pytest.mark.parametrize("target", ["/", "/direct"])
def test_new_clients_are_served_and_old_idle_ones_closed(sallyport, backend, many_descriptors,
                                                         target):
    proxy = sallyport(PROXIES, backend=backend,
                      main=f"worker_processes 2; worker_rlimit_nofile {LIMIT};")
    pid = server_pid(proxy)
    clients = []
    try:
        for _ in range(1500):
            clients.append(proxy.client())
            assert clients[-1].get(target).status == 200
        assert clients[0].is_closed(), "the oldest had to go"
        assert descriptors_of(pid) <= LIMIT
        assert clients[-1].get(target).status == 200, "the newest is kept"
    finally:
        for client in clients:
            client.close()
    assert_same_server(proxy, pid)
    counters = proxy.status()["counters"]
    assert counters["relief_clients"] > 1000
    assert counters["accept_failures"] == 0, "it gave way before the limit was reached"
    words = "file descriptors run short (the limit is 256)"
    assert proxy.wait_for_error(words).count(words) == 1
    assert proxy.status()["machine"]["open_files"] == {"limit": LIMIT, "short": True}


@pytest.mark.skipif(SANITIZED, reason="UBSan's check of virtual calls opens a pipe, and none is to be had")
def test_idle_backends_are_closed_when_no_client_is_idle(sallyport, make_backend, many_descriptors):
    kept = make_backend()
    busy = make_backend(serve=lambda connection: connection.read_request() and
                        wait_for(lambda: released, "the end of the test", within=60))
    released = []
    proxy = sallyport("""
        upstream kept { server @kept@; keepalive 1000; }
        server {
            listen 127.0.0.1:@port:http@;
            location / { proxy_pass http://kept; }
            location /busy { proxy_pass http://@busy@; }
        }
    """, kept=kept, busy=busy, main=f"worker_rlimit_nofile {LIMIT};")
    clients = [proxy.client() for _ in range(60)]
    for client in clients:  # all at once, so that each needs a connection of its own
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
    for client in clients:
        client.send("x")
    for client in clients:
        assert client.response().status == 200
        client.close()
    wait_for(lambda: proxy.status()["counters"]["connections_active"] == 0, "all to be closed")
    assert proxy.status()["counters"]["upstream_idle"] > 0
    clients = []
    for _ in range(110):
        clients.append(proxy.client())
        clients[-1].send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(lambda: proxy.status()["counters"]["relief_backends"] > 0,
             "idle connections to backends to be closed")
    released.append(True)
    for client in clients:
        client.close()


def test_clients_wait_when_nothing_is_idle_and_are_served_when_there_is_room(
        sallyport, make_backend, many_descriptors):
    released = []

    def slow(request):
        wait_for(lambda: released, "the end of the wait", within=60)
        return response("done")

    proxy = sallyport(PROXIES, backend=make_backend(slow), main=f"worker_rlimit_nofile {LIMIT};")
    pid = server_pid(proxy)
    clients = []
    for _ in range(400):
        clients.append(proxy.client())
        clients[-1].send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    proxy.wait_for_error("nothing idle is left to close")
    assert descriptors_of(pid) <= LIMIT
    released.append(True)
    for client in clients:
        assert client.response().status == 200
        client.close()
    assert_same_server(proxy, pid)
    assert proxy.status()["counters"]["limit_open_files"] >= 1
    assert proxy.errors.count("nothing idle is left to close") == 1


def test_a_limit_that_the_system_sets_is_kept_too(sallyport, backend, many_descriptors):
    program = sallyport.make()
    program.configure(PROXIES, backend=backend)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, hard))
    try:
        proxy = program.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pid = server_pid(proxy)
    assert limits_of(pid)["Max open files"] == (str(hard), str(hard)), "the soft one was raised"


def test_bodies_in_files_and_reloads_live_within_the_limit(sallyport, backend, many_descriptors):
    proxy = sallyport(PROXIES, backend=backend, main="worker_rlimit_nofile 128;")
    pid = server_pid(proxy)
    clients = []
    for number in range(200):
        clients.append(proxy.client())
        body = b"x" * 100_000  # more than memory keeps: it needs a file
        assert clients[-1].request("POST", "/", body=body).status == 200
        if number % 40 == 39:
            proxy.reload(PROXIES)
    for client in clients:
        client.close()
    assert_same_server(proxy, pid)


def test_more_connections_than_descriptors_is_a_warning(sallyport):
    done = sallyport.make().check(
        "worker_processes 2; worker_rlimit_nofile 100; events { worker_connections 60; }\n"
        "http { " + RETURNS + " }")
    assert done.returncode == 0
    assert ("[warn] 120 worker_connections exceed open file resource limit: 100" in done.stderr)


# -- memory

def test_memory_near_its_limit_closes_idle_clients_and_still_serves(sallyport, many_descriptors):
    proxy = sallyport(RETURNS, main="memory_limit 8m; worker_processes 2;")
    pid = server_pid(proxy)
    assert proxy.status()["machine"]["memory"]["used"] > 8 << 20
    with proxy.client() as idle:
        assert idle.get("/").status == 200
        assert idle.is_closed()
    assert proxy.get("/").status == 200
    proxy.wait_for_error("memory runs short")
    assert proxy.status()["machine"]["memory"]["short"]
    assert_same_server(proxy, pid)


# -- what the server process is given

def test_the_limits_of_the_server_process(sallyport):
    proxy = sallyport(RETURNS, main="worker_rlimit_nofile 1234; worker_rlimit_core 5m;")
    limits = limits_of(server_pid(proxy))
    assert limits["Max open files"] == ("1234", "1234")
    soft, hard = limits["Max core file size"]
    assert hard == str(5 << 20)
    assert SANITIZED or soft == hard  # AddressSanitizer wants no core dumps of all its memory


@pytest.mark.skipif(ROOT, reason="root may raise any limit")
def test_a_limit_that_cannot_be_had_is_an_alert(sallyport):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    proxy = sallyport(RETURNS, main=f"worker_rlimit_nofile {hard + 1};")
    assert "[alert]" in proxy.wait_for_error("setrlimit() failed")


def test_worker_priority_is_the_server_process_s(sallyport):
    proxy = sallyport(RETURNS, main="worker_priority 7; worker_processes 2;")
    pid = server_pid(proxy)
    for thread in os.listdir(f"/proc/{pid}/task"):
        assert os.getpriority(os.PRIO_PROCESS, int(thread)) == 7
    assert os.getpriority(os.PRIO_PROCESS, proxy.process.pid) == os.getpriority(os.PRIO_PROCESS, 0)


def test_working_directory(sallyport):
    proxy = sallyport(RETURNS, main="working_directory /usr;")
    assert os.readlink(f"/proc/{server_pid(proxy)}/cwd") == "/usr"
    done = sallyport.make().check("working_directory /no/such; events {} http { " + RETURNS + " }")
    assert done.returncode == 1
    assert '[emerg] chdir("/no/such") failed (2: No such file or directory)' in done.stderr


def environment_of(pid):
    text = pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode()
    return dict(entry.split("=", 1) for entry in text.split("\0") if entry)


def test_the_environment_is_cleaned_but_for_what_env_names(sallyport, monkeypatch):
    for name, value in {"TZ": "UTC", "KEPT": "as it was", "CHANGED": "old", "GONE": "x"}.items():
        monkeypatch.setenv(name, value)
    proxy = sallyport(RETURNS, main="env KEPT; env CHANGED=new=er; env ABSENT;")
    environment = environment_of(server_pid(proxy))
    assert environment.pop("TZ") == "UTC"
    assert environment.pop("KEPT") == "as it was"
    assert environment.pop("CHANGED") == "new=er"
    assert "GONE" not in environment and "ABSENT" not in environment
    assert "PATH" not in environment and "HOME" not in environment


def cpus_of(pid):
    """What each thread may run on, by the thread's name."""
    return {pathlib.Path(f"/proc/{pid}/task/{thread}/comm").read_text().strip():
            os.sched_getaffinity(int(thread)) for thread in os.listdir(f"/proc/{pid}/task")}


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_workers_run_on_their_cpus(sallyport):
    usable = sorted(os.sched_getaffinity(0))
    proxy = sallyport(RETURNS, main="worker_processes 2; worker_cpu_affinity auto;")
    cpus = cpus_of(server_pid(proxy))
    assert cpus["worker 0"] == {usable[0]} and cpus["worker 1"] == {usable[1]}
    assert cpus["sallyport"] == set(usable)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_cpus_change_with_a_reload(sallyport):
    usable = sorted(os.sched_getaffinity(0))
    mask = f"{1 << usable[1]:b}"
    proxy = sallyport(RETURNS, main="worker_processes 2;")
    pid = server_pid(proxy)
    proxy.reload(f"worker_cpu_affinity {mask};\nevents {{}} http {{ {RETURNS} }}")
    assert cpus_of(pid)["worker 0"] == {usable[1]} == cpus_of(pid)["worker 1"]
    proxy.reload("events {} http { " + RETURNS + " }")
    assert cpus_of(pid)["worker 0"] == set(usable)


def test_a_reload_that_changes_a_process_s_limits_starts_a_new_one(sallyport):
    proxy = sallyport("worker_rlimit_nofile 1000; events {} http { " + RETURNS + " }")
    old = server_pid(proxy)
    proxy.reload("worker_rlimit_nofile 1001; events {} http { " + RETURNS + " }")
    # Until the old process has heard that it is to retire, it may answer, too.
    new = wait_for(lambda: (pid := server_pid(proxy)) != old and pid, "the new server process to answer")
    assert limits_of(new)["Max open files"] == ("1001", "1001")
