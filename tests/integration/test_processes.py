"""The processes: how they start, reload, die, come back and end."""
import json
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess

import pytest

from support import ProgramFailed, wait_for
from support.ports import fixed_port

ONE = """
    server {
        listen 127.0.0.1:@port:http@;
        return 200 "@says@\\n";
    }
"""
TWO = """
    server {
        listen 127.0.0.1:@port:http@;
        listen 127.0.0.1:@port:more@;
        return 200 "@says@\\n";
    }
"""
ROOT = os.geteuid() == 0


def refuses(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def server_pid(proxy):
    return proxy.status()["pid"]["server"]


def facts_of(pid):
    """/proc/PID/status as a dictionary."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.MULTILINE))


# --- start

def test_the_pid_file_is_there_only_when_every_socket_listens(sallyport):
    proxy = sallyport(TWO, says="hello")  # returns as soon as there is a pid file
    assert not refuses(proxy.port("http")) and not refuses(proxy.port("more"))
    assert int(proxy.read("program.pid")) == proxy.process.pid
    assert proxy.get().body == b"hello\n"


def test_the_pid_file_and_the_admin_socket_go_with_the_program(sallyport):
    proxy = sallyport(ONE, says="hello")
    assert (proxy.folder / "sallyport.sock").exists()
    proxy.stop()
    assert not (proxy.folder / "program.pid").exists()
    assert not (proxy.folder / "sallyport.sock").exists()


def test_an_address_in_use_is_named_and_nothing_starts(sallyport):
    proxy = sallyport.make()
    proxy.configure(TWO, says="hello")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # even one that would share
        other.bind(("127.0.0.1", proxy.port("more")))
        other.listen()
        with pytest.raises(ProgramFailed) as failed:
            proxy.start()
    assert failed.value.status == 1
    assert (f"sallyport: [emerg] bind() to 127.0.0.1:{proxy.port('more')} failed "
            "(98: Address already in use)") in failed.value.errors
    assert not (proxy.folder / "program.pid").exists()
    assert refuses(proxy.port("http"))


def test_a_bad_configuration_starts_nothing_and_shows_all_errors(sallyport):
    proxy = sallyport.make()
    with pytest.raises(ProgramFailed) as failed:
        proxy.start("server { lissten 80; }\nserver { listen 127.0.0.1:@port:http@; retrun 200; }")
    assert failed.value.status == 1
    assert 'unknown directive "lissten"' in failed.value.errors
    assert 'unknown directive "retrun"' in failed.value.errors
    assert not (proxy.folder / "program.pid").exists()


def test_daemon_returns_when_it_listens(sallyport):
    proxy = sallyport.make()
    proxy.configure(ONE, says="hello")
    done = proxy.run("-g", f"daemon on; pid {proxy.folder}/program.pid;", "-e", "logs/error.log")
    assert done.returncode == 0, done.stderr
    pid = int(proxy.read("program.pid"))
    try:
        assert proxy.get().body == b"hello\n"
        assert os.getsid(pid) == pid
    finally:
        os.kill(pid, signal.SIGQUIT)
    wait_for(lambda: not (proxy.folder / "program.pid").exists(), "the daemon to end")


def test_daemon_tells_that_it_failed(sallyport):
    proxy = sallyport.make()
    proxy.configure(ONE, says="hello")
    done = proxy.run("-g", "daemon on; pid /no/such/directory/x.pid;")
    assert done.returncode == 1
    assert "/no/such/directory/x.pid" in done.stderr
    assert refuses(proxy.port("http"))


@pytest.mark.skipif(not ROOT, reason="needs root to give it up")
def test_the_server_process_holds_no_root(sallyport):
    facts = facts_of(server_pid(sallyport(ONE, says="hello")))
    nobody = pwd.getpwnam("nobody")
    assert facts["Uid"].split() == [str(nobody.pw_uid)] * 4
    assert facts["Gid"].split() == [str(nobody.pw_gid)] * 4
    assert "0" not in facts["Groups"].split()
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(facts[kind], 16) == 0, kind
    assert facts["NoNewPrivs"] == "1"


@pytest.mark.skipif(not ROOT, reason="only root changes its user")
def test_user_names_whom_the_server_process_becomes(sallyport):
    proxy = sallyport(ONE, says="hello", main="user daemon;")
    assert facts_of(server_pid(proxy))["Uid"].split()[0] == str(pwd.getpwnam("daemon").pw_uid)


@pytest.mark.skipif(not ROOT, reason="only root changes its user")
def test_instances_of_different_users_keep_their_temporary_files_apart(sallyport, backend):
    held = "server { listen 127.0.0.1:@port:http@; location / { proxy_pass http://@backend@; } }"
    proxies = [sallyport(held, backend=backend, main=f"user {name};") for name in ("daemon", "nobody")]
    for proxy in proxies:  # the first one again, after the other has made its directory
        with proxy.client() as client:
            assert client.request("POST", "/", body=b"x" * 100_000).status == 200


@pytest.mark.skipif(not ROOT, reason="only root changes its user")
def test_an_unknown_user_is_named(sallyport):
    proxy = sallyport.make()
    with pytest.raises(ProgramFailed) as failed:
        proxy.start(ONE, says="hello", main="user no-such-user;")
    assert 'getpwnam("no-such-user") failed' in failed.value.errors


@pytest.mark.threads
def test_master_process_off_serves_reloads_and_ends(sallyport):
    proxy = sallyport(ONE, says="one", main="master_process off; worker_processes 2;")
    assert server_pid(proxy) == proxy.process.pid
    assert proxy.get().body == b"one\n"
    proxy.reload(TWO, says="two")
    assert proxy.get(port="more").body == b"two\n"


# --- end

@pytest.mark.threads
def test_quit_finishes_what_runs_and_closes_what_idles(sallyport, make_backend):
    backend = make_backend()
    proxy = sallyport("""
        server { listen 127.0.0.1:@port:http@; location / { proxy_pass http://@backend@; } }
    """, backend=backend)
    with proxy.client() as idle, proxy.client() as busy:
        assert idle.get("/").status == 200
        busy.send(b"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 10\r\n\r\n12345")
        wait_for(lambda: proxy.status()["counters"]["requests_active"] == 1, "the request to run")
        proxy.send_signal(signal.SIGQUIT)
        assert idle.is_closed()
        wait_for(lambda: refuses(proxy.port("http")), "the listener to close")
        assert proxy.process.poll() is None
        busy.send(b"67890")
        assert busy.response().status == 200
    proxy.stop()


def test_quit_twice_is_quit(sallyport):
    proxy = sallyport(ONE, says="hello")
    for _ in range(50):
        proxy.send_signal(signal.SIGQUIT)
    assert proxy.process.wait(20) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_term_and_int_end_at_once(sallyport, number):
    proxy = sallyport("""
        server { listen 127.0.0.1:@port:http@; location / { proxy_pass http://127.0.0.1:9; } }
    """)
    with proxy.client() as busy:
        busy.send(b"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 10\r\n\r\n12345")
        proxy.stop(number, within=5)
        assert busy.is_closed()
    assert refuses(proxy.port("http"))


def test_the_server_process_ends_with_its_supervisor(sallyport):
    proxy = sallyport(ONE, says="hello")
    child = server_pid(proxy)
    os.kill(proxy.process.pid, signal.SIGKILL)
    proxy.process.wait()
    proxy.process = None
    wait_for(lambda: not pathlib.Path(f"/proc/{child}").exists() or
             facts_of(child)["State"].startswith("Z"), "the server process to end")
    wait_for(lambda: refuses(proxy.port("http")), "its listener to close")


def test_a_program_that_was_killed_can_be_started_again(sallyport):
    proxy = sallyport("server { listen unix:@dir@/s; return 200; }\n" + ONE, says="hello")
    os.kill(proxy.process.pid, signal.SIGKILL)
    proxy.process.wait()
    proxy.process = None
    wait_for(lambda: refuses(proxy.port("http")), "the server process to end")
    (proxy.folder / "program.pid").unlink()
    proxy.start()
    assert proxy.get().body == b"hello\n"


# --- reload

@pytest.mark.threads
def test_reload_takes_the_new_configuration_in_place(sallyport):
    proxy = sallyport(ONE, says="one", main="worker_processes 2;")
    child = server_pid(proxy)
    with proxy.client() as kept:
        assert kept.get("/").body == b"one\n"
        status = proxy.reload(ONE, says="two")
        assert status is not None
        assert kept.get("/").body == b"two\n"
    assert server_pid(proxy) == child


@pytest.mark.threads
def test_reload_opens_new_listeners_and_closes_removed_ones(sallyport):
    proxy = sallyport(ONE, says="one", main="worker_processes 2;")
    proxy.reload(TWO, says="two")
    assert proxy.get(port="more").body == b"two\n"
    assert [entry["address"] for entry in proxy.status()["listeners"]] == [
        f"127.0.0.1:{proxy.port(name)}" for name in ("http", "more")]
    proxy.reload(ONE, says="three")
    wait_for(lambda: refuses(proxy.port("more")), "the removed listener to close")
    assert proxy.get().body == b"three\n"


@pytest.mark.parametrize("text, words", [
    ("server { lissten 80; }", 'unknown directive "lissten" in '),
    ("server { listen 127.0.0.1:@port:http@; listen 127.0.0.1:@taken@; return 200; }",
     "(98: Address already in use)"),
    ("server { listen 127.0.0.1:@port:http@ ssl; ssl_certificate /none; "
     "ssl_certificate_key /none; }", "/none"),
])
def test_a_bad_reload_leaves_the_old_configuration_and_says_why(sallyport, text, words):
    proxy = sallyport(ONE, says="one")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        proxy.configure(text, taken=other.getsockname()[1])
        proxy.send_signal(signal.SIGHUP)
        proxy.wait_for_error(words)
        proxy.wait_for_error("not reloaded")
    assert proxy.get().body == b"one\n"
    assert proxy.status()["generation"] == 1
    proxy.reload(ONE, says="two")
    assert proxy.get().body == b"two\n"


def test_many_reloads_at_once_end_with_the_newest(sallyport):
    proxy = sallyport(ONE, says="first")
    for number in range(20):
        proxy.configure(ONE, says=f"text {number}")
        proxy.send_signal(signal.SIGHUP)
    wait_for(lambda: proxy.get().body == b"text 19\n", "the newest configuration")


def test_directives_of_the_command_line_outlive_a_reload(sallyport):
    proxy = sallyport(ONE, says="one")  # the pid file is named by -g
    proxy.reload(ONE, says="two")
    assert int(proxy.read("program.pid")) == proxy.process.pid


def test_reload_and_quit_by_the_command_line(sallyport):
    proxy = sallyport(ONE, says="one")
    directives = f"pid {proxy.folder}/program.pid;"
    proxy.configure(ONE, says="two")
    assert proxy.run("-g", directives, "-s", "reload").returncode == 0
    wait_for(lambda: proxy.get().body == b"two\n", "the reload")
    assert proxy.run("-g", directives, "-s", "quit").returncode == 0
    assert proxy.process.wait(20) == 0
    done = proxy.run("-g", directives, "-s", "stop")
    assert done.returncode == 1
    assert (f'sallyport: [error] open() "{proxy.folder}/program.pid" failed '
            "(2: No such file or directory)") in done.stderr


# --- death of the server process

def test_a_killed_server_process_comes_back_and_refuses_nobody(sallyport):
    proxy = sallyport(ONE, says="hello", main="worker_processes 2;")
    for round_number in range(3):
        child = server_pid(proxy)
        os.kill(child, signal.SIGKILL)
        assert proxy.get().body == b"hello\n"  # waits in the supervisor's listening socket
        status = proxy.status()
        assert status["server_restarts"] == round_number + 1
        assert status["pid"]["server"] != child
    proxy.wait_for_error("exited on signal 9")


def test_a_new_server_process_has_the_last_good_configuration(sallyport):
    proxy = sallyport(ONE, says="one")
    proxy.reload(ONE, says="two")
    proxy.configure("server { lissten 80; }")
    proxy.send_signal(signal.SIGHUP)
    proxy.wait_for_error("not reloaded")
    os.kill(server_pid(proxy), signal.SIGKILL)
    assert proxy.get().body == b"two\n"


# --- limits

def test_worker_connections_makes_clients_wait(sallyport):
    proxy = sallyport("events { worker_connections 2; }\nhttp { " + ONE + " }", says="hello")
    with proxy.client() as first, proxy.client() as second, proxy.client() as third:
        for busy in (first, second):
            busy.send(b"GET / HT")  # an idle one would be closed for the next
        wait_for(lambda: proxy.status()["counters"]["connections_idle"] == 0 and
                 proxy.status()["counters"]["connections_active"] == 2, "two busy connections")
        third.send(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        proxy.wait_for_error("2 worker_connections are not enough")
        first.close()
        assert third.response().status == 200
    assert proxy.status()["counters"]["limit_worker_connections"] >= 1


def test_the_idle_client_that_waited_longest_makes_room_for_a_new_one(sallyport):
    proxy = sallyport("events { worker_connections 2; }\nhttp { " + ONE + " }", says="hello",
                      main="error_log stderr warn;")
    with proxy.client() as first, proxy.client() as second, proxy.client() as third:
        assert first.get("/").status == 200
        assert second.get("/").status == 200
        assert third.get("/").status == 200
        assert first.is_closed()
    # The third one came before the others were idle, or after.
    proxy.wait_for_error("2 worker_connections are not enough")
    assert proxy.status()["counters"]["relief_clients"] >= 1


# --- status, check, version

def test_status_tells_what_runs(sallyport):
    proxy = sallyport(ONE, says="hello", main="worker_processes 2;")
    proxy.get()
    # A request is counted once its answer has gone out.
    wait_for(lambda: proxy.status()["counters"]["responses_2xx"] == 1, "the request to be counted")
    status = proxy.status()
    assert status["generation"] == 1 and status["state"] == "running"
    assert status["pid"]["supervisor"] == proxy.process.pid
    assert len(status["workers"]) == 2
    assert status["listeners"] == [{"address": f"127.0.0.1:{proxy.port('http')}", "tls": False,
                                    "proxy_protocol": False}]
    text = subprocess.run([str(proxy.binary), "status", "-p", str(proxy.folder)],
                          capture_output=True, text=True, check=True).stdout
    assert f"127.0.0.1:{proxy.port('http')}" in text
    assert max(len(line) for line in text.splitlines()) <= 80


@pytest.mark.skipif(not ROOT, reason="needs a second user")
def test_the_admin_socket_is_the_owner_s_alone(sallyport):
    proxy = sallyport(ONE, says="hello")
    path = proxy.folder / "sallyport.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o666)  # the peer's credentials count, not only the mode
    done = subprocess.run(
        ["setpriv", "--reuid=nobody", "--clear-groups", "python3", "-c",
         f"import socket; s = socket.socket(socket.AF_UNIX); s.connect('{path}');"
         "s.send(b'{\"command\":\"status\"}\\n'); print(len(s.recv(100)))"],
        capture_output=True, text=True, check=False)
    assert done.stdout.strip() != "100"


def test_the_admin_socket_bounds_what_it_reads(sallyport):
    proxy = sallyport(ONE, says="hello")

    def ask(request):
        with socket.socket(socket.AF_UNIX) as asker:
            asker.settimeout(10)
            asker.connect(str(proxy.folder / "sallyport.sock"))
            try:
                asker.sendall(request)
                return asker.recv(65536)
            except (ConnectionResetError, BrokenPipeError):
                return b""

    assert ask(b"x" * 100000) == b""
    assert json.loads(ask(b"nonsense\n"))["error"]
    assert json.loads(ask(b'{"command": "dance"}\n'))["error"] == "unknown command"
    assert json.loads(ask(b'{"command": "status"}\n'))["generation"] == 1


def test_check_in_nginx_s_words(sallyport):
    proxy = sallyport.make()
    done = proxy.check(ONE, says="hello")
    file = proxy.folder / "conf/main.conf"
    assert done.returncode == 0
    assert done.stderr.splitlines()[-2:] == [
        f"sallyport: the configuration file {file} syntax is ok",
        f"sallyport: configuration file {file} test is successful"]
    assert proxy.run("-tq").stderr == ""
    done = proxy.check("server {\n    lissten 80;\n}\nservre {}\n")
    assert done.returncode == 1
    assert f'sallyport: [emerg] unknown directive "lissten" in {file}:2' in done.stderr
    assert f'sallyport: [emerg] unknown directive "servre" in {file}:4' in done.stderr
    assert done.stderr.endswith(f"sallyport: configuration file {file} test failed\n")


def test_check_as_json_and_dump(sallyport):
    proxy = sallyport.make()
    file = proxy.configure("server {\n    lissten 80;\n}\n")

    def run(*arguments):
        return subprocess.run([str(proxy.binary), "check", "-c", str(file), *arguments],
                              capture_output=True, text=True, check=False)

    done = run("--format", "json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert not report["ok"]
    first = report["diagnostics"][0]
    assert (first["file"], first["line"], first["column"]) == (str(file), 2, 5)
    proxy.configure(ONE, says="hello")
    done = run("--dump")
    assert done.returncode == 0
    assert done.stdout.startswith(f"# configuration file {file}:\n")
    assert 'return 200 "hello' in done.stdout


def test_a_missing_configuration_is_an_error(sallyport):
    proxy = sallyport.make()
    done = proxy.run("-t")
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr


def test_built_in_paths_are_shown(sallyport):
    proxy = sallyport.make()
    done = proxy.run("-V")
    assert done.returncode == 0
    assert re.match(r"sallyport version: sallyport/\d", done.stderr)
    assert f"--pid-path={proxy.folder}/sallyport.pid" in done.stderr
    assert "OpenSSL" in done.stderr


# --- the demonstration

def test_without_a_configuration_it_demonstrates_itself(sallyport):
    with fixed_port(8080):  # and 8443
        demonstrate(sallyport.make())


def demonstrate(proxy):
    for port in (8080, 8443):
        if not refuses(port):
            pytest.skip(f"port {port} is in use")
    if pathlib.Path("/etc/sallyport/sallyport.conf").exists():
        pytest.skip("this machine has a configuration")
    state = proxy.folder / "demonstration"
    environment = {**proxy.environment(), "XDG_STATE_HOME": str(state),
                   "XDG_RUNTIME_DIR": str(state)}
    state.mkdir()
    command = [str(proxy.binary)]
    if ROOT:  # the state directory of root is the machine's: as another user it is the test's
        os.chown(state, pwd.getpwnam("nobody").pw_uid, -1)
        command = ["setpriv", "--reuid=nobody", "--clear-groups", "--", *command]
    with open(proxy.folder / "stderr.log", "ab") as errors:
        proxy.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                         stdout=errors, stderr=errors, start_new_session=True)
    text = wait_for(lambda: "curl --cacert" in proxy.errors and proxy.errors, "the welcome")
    certificate = re.search(r"curl --cacert (\S+) https://localhost:8443/", text)[1]
    assert pathlib.Path(certificate).parent == state / "sallyport/demonstration"
    assert (state / "sallyport/demonstration/key.pem").stat().st_mode & 0o777 == 0o600

    def fetch(*arguments):
        return subprocess.run(["curl", "-sS", "--cacert", certificate, *arguments],
                              capture_output=True, text=True, check=True).stdout

    page = fetch("https://localhost:8443/<b>?x=<i>", "-g", "-H", "Accept: text/html")
    assert "TLSv1.3" in page and "<b>" not in page and "<i>" not in page
    assert "GET /" in fetch("https://localhost:8443/")
    assert "https://localhost:8443/x" in fetch("-I", "http://localhost:8080/x")
    proxy.stop()
