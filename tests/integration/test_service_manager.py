"""What systemd is told over NOTIFY_SOCKET."""
import os
import signal
import socket
import subprocess

import pytest

from support import wait_for
from support.client import Client
from support.waiting import seconds

SERVES = 'server { listen 127.0.0.1:@port:http@; return 200 "@says@\\n"; }'


class Manager:
    """The other end of NOTIFY_SOCKET. `heard` has each message as a dictionary."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(seconds(10))
        self.heard = []

    def wait_for(self, key, value="1"):
        """Reads until a message has this line."""
        while True:
            text = self.socket.recv(4096).decode()
            self.heard.append(dict(line.split("=", 1) for line in text.splitlines()))
            if self.heard[-1].get(key) == value:
                return self.heard[-1]


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path, monkeypatch):
    path = str(tmp_path / "notify")
    name = path if request.param == "path" else f"@sallyport-test-{os.getpid()}"
    manager = Manager(name.replace("@", "\0", 1) if name.startswith("@") else name)
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    yield manager
    manager.socket.close()


def test_the_manager_hears_of_start_reload_and_stop(sallyport, manager):
    proxy = sallyport(SERVES, says="one")
    ready = manager.wait_for("READY")
    assert ready["MAINPID"] == str(proxy.process.pid)
    assert ready["STATUS"] == "Serving"
    assert len(manager.heard) == 1
    proxy.reload(SERVES, says="two")
    assert int(manager.wait_for("RELOADING")["MONOTONIC_USEC"]) > 0
    assert manager.wait_for("READY")["STATUS"] == "Serving"
    proxy.configure("server { lissten 80; }")
    proxy.send_signal(signal.SIGHUP)
    manager.wait_for("RELOADING")
    assert "has errors" in manager.wait_for("READY")["STATUS"]
    proxy.stop()
    manager.wait_for("STOPPING")


def test_the_server_process_is_not_given_the_manager_s_variables(sallyport, manager):
    proxy = sallyport(SERVES + " ", says="one")
    manager.wait_for("READY")
    with open(f"/proc/{proxy.status()['pid']['server']}/environ", "rb") as file:
        assert b"NOTIFY_SOCKET" not in file.read()


def test_the_pid_of_a_daemon_is_told(sallyport, manager):
    program = sallyport.make()
    program.configure(SERVES, says="hello")
    done = program.run("-g", f"daemon on; pid {program.folder}/program.pid;", "-e",
                       "logs/error.log")
    assert done.returncode == 0, done.stderr
    pid = int(program.read("program.pid"))
    try:
        assert manager.wait_for("READY")["MAINPID"] == str(pid)
    finally:
        os.kill(pid, signal.SIGQUIT)
    wait_for(lambda: not (program.folder / "program.pid").exists(), "the daemon to end")


def test_a_manager_that_has_gone_stops_nothing(sallyport, manager):
    proxy = sallyport(SERVES, says="one")
    manager.socket.close()
    proxy.reload(SERVES, says="two")
    assert proxy.get().body == b"two\n"


def test_the_watchdog_hears_of_the_server_process_and_not_of_the_supervisor(
        sallyport, manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    proxy = sallyport(SERVES, says="one", main="worker_processes 2;")
    for _ in range(5):
        manager.wait_for("WATCHDOG")
    child = proxy.status()["pid"]["server"]
    os.kill(child, signal.SIGSTOP)
    try:
        manager.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(100):  # what was on its way, and then nothing
                manager.wait_for("WATCHDOG")
    finally:
        os.kill(child, signal.SIGCONT)
    manager.socket.settimeout(seconds(10))
    manager.wait_for("WATCHDOG")
    os.kill(child, signal.SIGKILL)
    assert proxy.get().body == b"one\n"
    for _ in range(5):
        manager.wait_for("WATCHDOG")


# -- upgrades

def pid_in(file):
    try:
        return int(file.read_text())
    except (ValueError, OSError):  # there is none, or it is being renamed
        return None


def upgraded(manager, old):
    """USR2; the pid of the new supervisor, once the manager knows it."""
    os.kill(old, signal.SIGUSR2)
    ready = manager.wait_for("READY")
    assert ready["MAINPID"] != str(old)
    return int(ready["MAINPID"])


def test_the_main_process_is_told_after_an_upgrade_and_on_the_way_back(sallyport, manager):
    proxy = sallyport(SERVES, main="error_log stderr notice;", says="one")
    pid_file = proxy.folder / "program.pid"
    old = proxy.process.pid
    manager.wait_for("READY")
    new = upgraded(manager, old)
    os.kill(old, signal.SIGWINCH)
    proxy.wait_for_error("gracefully shutting down the server process")
    os.kill(old, signal.SIGHUP)
    manager.wait_for("MAINPID", str(old))
    # The manager has another main process before the one that it had ends; that one says nothing of
    # it, since the service goes on.
    os.kill(new, signal.SIGQUIT)
    assert manager.wait_for("READY")["MAINPID"] == str(old)
    assert proxy.get().body == b"one\n"
    new = upgraded(manager, old)
    os.kill(old, signal.SIGQUIT)
    # Gone, not only its pid file: until then the new one is not the last to leave.
    wait_for(lambda: proxy.process.poll() is not None, "the old one to end")
    assert not pid_file.with_name("program.pid.oldbin").exists()
    assert proxy.get().body == b"one\n"
    os.kill(new, signal.SIGQUIT)
    wait_for(lambda: not pid_file.exists(), "the new one to end")
    manager.wait_for("STOPPING")
    assert sum("STOPPING" in message for message in manager.heard) == 1


# -- socket activation

def start_with(program, text, *listeners):
    """As systemd starts it: the sockets are descriptors 3 and up, LISTEN_PID is the program's."""
    program.configure(text)
    pid_file = program.folder / "program.pid"
    count = len(listeners)
    moves = " ".join(f"{3 + i}<&{listener.fileno()}" for i, listener in enumerate(listeners))
    shell = f'export LISTEN_PID=$$ LISTEN_FDS={count}; exec "$@" {moves}'
    command = program.command("-e", "stderr", "-g", f"daemon off; pid {pid_file};")
    with open(program.folder / "stderr.log", "ab") as errors:
        program.process = subprocess.Popen(
            ["/bin/bash", "-c", shell, "bash", *command], env=program.environment(),
            cwd=program.folder, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
            start_new_session=True, pass_fds=[listener.fileno() for listener in listeners])
    wait_for(pid_file.exists, "the pid file")
    return program


def high(listener):
    """The same with a number that the redirections do not overwrite."""
    return socket.socket(fileno=os.dup2(listener.detach(), 50 + listener.family))


def test_activated_sockets_are_used_and_outlive_the_program(sallyport, tmp_path):
    tcp = high(socket.create_server(("127.0.0.1", 0)))
    local = socket.socket(socket.AF_UNIX)
    local.bind(str(tmp_path / "socket"))
    local.listen()
    os.chmod(tmp_path, 0o755)
    local = high(local)
    with tcp, local:
        port = tcp.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as early:
            early.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            program = start_with(sallyport.make(), f"""
                worker_processes 2;
                events {{}}
                http {{ server {{ listen 127.0.0.1:{port}; listen unix:{tmp_path}/socket;
                                  return 200 "activated\\n"; }} }}
            """, tcp, local)
            early.settimeout(seconds(10))
            assert early.recv(4096).startswith(b"HTTP/1.1 200"), "it waited in the manager's socket"
        program.reload()
        program.ports["http"] = port
        assert program.get().body == b"activated\n"
        program.stop()
        assert (tmp_path / "socket").exists(), "the file is the manager's"
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass  # still in the manager's queue


def test_activated_sockets_stay_the_manager_s_after_an_upgrade(sallyport, tmp_path):
    os.chmod(tmp_path, 0o755)
    local = socket.socket(socket.AF_UNIX)
    local.bind(str(tmp_path / "socket"))
    local.listen()
    with high(local) as local:
        program = start_with(sallyport.make(), f"""
            events {{}}
            http {{ server {{ listen unix:{tmp_path}/socket; return 200 "activated\\n"; }} }}
        """, local)
        pid_file = program.folder / "program.pid"
        old = program.process.pid
        os.kill(old, signal.SIGUSR2)
        new = wait_for(lambda: pid_in(pid_file) not in (None, old) and pid_in(pid_file),
                       "the new binary's pid file")
        os.kill(old, signal.SIGQUIT)
        wait_for(lambda: not pid_file.with_name("program.pid.oldbin").exists(), "the old one to end")
        with Client(f"unix:{tmp_path}/socket") as client:
            assert client.get("/").body == b"activated\n"
        os.kill(new, signal.SIGQUIT)
        wait_for(lambda: not pid_file.exists(), "the new one to end")
        assert (tmp_path / "socket").exists(), "the file is the manager's"


def test_an_activated_socket_that_nobody_wants_is_told(sallyport):
    with high(socket.create_server(("127.0.0.1", 0))) as tcp:
        program = start_with(sallyport.make(), SERVES.replace("@says@", "hello"), tcp)
        program.wait_for_error(f"socket 127.0.0.1:{tcp.getsockname()[1]} is not used")
        assert program.get().body == b"hello\n"
