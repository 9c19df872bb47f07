"""Where logs go besides files: syslog, compressed files, paths with variables; and what happens when a
place fails."""
import ctypes
import errno
import gzip
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

from support import wait_for
from support.syslog import SyslogServer

pytestmark = pytest.mark.threads

STAMP = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
ERROR = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\w+\] \d+#\d+: "


def site(directives="", location="return 200 hello;"):
    return f"""
        log_format mine '$arg_n';
        server {{
            listen 127.0.0.1:@port:http@;
            {directives}
            location / {{ {location} }}
        }}
    """


def ask(proxy, numbers):
    numbers = list(numbers)
    for first in range(0, len(numbers), 500):  # below keepalive_requests
        with proxy.client() as client:
            for number in numbers[first:first + 500]:
                assert client.get(f"/?n={number}").status == 200


def lines_of(packed):
    """The lines of a gzip file as zcat sees them, members and all. An empty file is none to zcat."""
    if packed.stat().st_size == 0:
        return []
    done = subprocess.run(["zcat", str(packed)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def dropped(proxy):
    return proxy.status()["counters"]["log_lines_dropped"]


# -- syslog


def test_access_log_over_udp(sallyport):
    with SyslogServer() as server:
        proxy = sallyport(site(
            f"access_log syslog:server={server.address},facility=local3,severity=notice,tag=edge mine;"))
        ask(proxy, range(50))
        wait_for(lambda: len(server.messages) >= 50, "50 messages")
        name = socket.gethostname()
        for number, message in enumerate(server.messages):
            # local3 is 19, notice 5
            assert re.fullmatch(rf"<157>{STAMP} {re.escape(name)} edge: {number}", message), message


def test_access_log_to_a_unix_socket_without_hostname(sallyport, open_folder):
    with SyslogServer(open_folder / "log") as server:
        proxy = sallyport(site(f"access_log syslog:server={server.address},nohostname mine;"))
        ask(proxy, range(500))  # more than a Unix socket queues
        wait_for(lambda: len(server.messages) >= 500, "500 messages")
        assert re.fullmatch(rf"<190>{STAMP} sallyport: 0", server.messages[0]), server.messages[0]
        assert [message.rpartition(" ")[2] for message in server.messages] == [str(n) for n in range(500)]
        assert dropped(proxy) == 0


def test_error_log_over_udp_with_each_line_s_severity(sallyport):
    with SyslogServer() as server:
        proxy = sallyport(site(f"error_log syslog:server={server.address},tag=edge info;"
                               "error_log @dir@/error.log crit;",
                               location="proxy_pass http://127.0.0.1:1;"))
        assert proxy.get("/x").status == 502
        with proxy.client() as client:
            client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n")
            assert client.response().status == 400
        wait_for(lambda: len(server.messages) >= 2, "two messages")
        # local7 is 23; error 3, info 6
        assert re.match(rf"<187>{STAMP} \S+ edge: {ERROR}\*\d+ connect\(\) failed", server.messages[0])
        assert re.match(rf"<190>{STAMP} \S+ edge: {ERROR}\*\d+ ", server.messages[1])
        assert not any("\n" in message for message in server.messages)
        assert proxy.read("error.log") == ""


def test_the_same_datagrams_as_nginx_sends(sallyport, nginx):
    messages = []
    for run in (sallyport, nginx):
        with SyslogServer() as server:
            proxy = run("""
                log_format mine '$request_method $uri "$http_x"';
                server {
                    listen 127.0.0.1:@port:http@;
                    access_log syslog:server=@server@,facility=cron,severity=debug,tag=same_tag mine;
                    location / { return 200; }
                }
            """, server=server.address)
            proxy.get("/a%20b", fields=[("X", 'q"')])
            wait_for(lambda got=server.messages: got, "a message")
            messages.append(re.sub(STAMP, "STAMP", server.messages[0]))
    assert messages[0] == messages[1]


def test_a_dead_syslog_server_costs_lines_and_nothing_else(sallyport):
    with SyslogServer() as first:
        port = first.port
    proxy = sallyport(f"error_log @dir@/error.log;"
                      + site(f"access_log syslog:server=127.0.0.1:{port} mine;"
                             "access_log @dir@/access.log mine;"))
    for number in range(5):
        ask(proxy, [number])
        proxy.lines(count=number + 1)
    wait_for(lambda: dropped(proxy) > 0, "lines to be dropped")
    assert "(111: Connection refused)" in proxy.wait_for_line("error.log", "lines are dropped")
    assert proxy.read("error.log").count("lines are dropped") == 1
    with SyslogServer(port=port) as server:
        wait_for(lambda: (ask(proxy, ["again"]), "is written again" in proxy.read("error.log"))[1],
                 "the log to say that it is over")
        assert re.search(r"\d+ lines were lost", proxy.read("error.log"))
        assert server.messages


def test_a_unix_syslog_server_that_is_stuck_or_gone_holds_up_nobody(sallyport, open_folder):
    path = open_folder / "log"
    stuck = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    stuck.bind(str(path))  # and never reads
    path.chmod(0o666)
    proxy = sallyport("error_log @dir@/error.log;"
                      + site(f"access_log syslog:server=unix:{path} mine;"
                             f"error_log syslog:server=unix:{path} info;"))
    ask(proxy, range(2000))
    wait_for(lambda: dropped(proxy) > 0, "lines to be dropped")
    stuck.close()
    path.unlink()
    ask(proxy, range(10))
    with SyslogServer(path) as server:
        wait_for(lambda: (ask(proxy, ["back"]), any("back" in m for m in server.messages))[1],
                 "the server that came back to be found")
    proxy.wait_for_line("error.log", "lines are dropped")
    assert proxy.read("error.log").count("lines are dropped") == 1


# -- buffers and gzip


def test_lines_wait_for_the_buffer_and_are_written_at_the_end(sallyport):
    proxy = sallyport(site("access_log @dir@/access.log mine buffer=1k;"), main="worker_processes 1;")
    ask(proxy, ["a" * 100] * 5)
    proxy.status()
    assert proxy.read("access.log") == ""
    ask(proxy, ["b" * 100] * 6)
    proxy.lines(count=10)
    proxy.stop()
    assert proxy.read("access.log").split() == ["a" * 100] * 5 + ["b" * 100] * 6


def test_flush_writes_what_is_old_enough(sallyport):
    proxy = sallyport(site("access_log @dir@/access.log mine buffer=1m flush=200ms;"))
    ask(proxy, [1])
    assert proxy.lines(count=1) == ["1"]


def test_a_compressed_log_can_be_read_while_it_is_written(sallyport):
    proxy = sallyport(site("access_log @dir@/access.log.gz mine gzip=9 flush=100ms;"),
                      main="worker_processes 2;")
    packed = proxy.folder / "access.log.gz"
    for number in range(3):
        ask(proxy, [number] * 100)
        wait_for(lambda n=number: len(lines_of(packed)) == 100 * (n + 1), "the lines")
    ask(proxy, ["end"])
    proxy.stop()
    assert lines_of(packed) == ["0"] * 100 + ["1"] * 100 + ["2"] * 100 + ["end"]
    assert packed.read_bytes().count(b"\x1f\x8b\x08") >= 4
    assert gzip.decompress(packed.read_bytes()).count(b"\n") == 301


def test_a_reload_writes_what_is_buffered(sallyport):
    proxy = sallyport(site("access_log @dir@/old.log mine buffer=1m;"))
    with proxy.client() as client:
        client.get("/?n=1")
        proxy.reload(site("access_log @dir@/new.log mine buffer=1m flush=50ms;"))
        assert proxy.lines("old.log", count=1) == ["1"]
        client.get("/?n=2")
        assert proxy.lines("new.log", count=1) == ["2"]
    assert proxy.lines("old.log") == ["1"]


# -- paths with variables


def test_files_are_named_after_the_request(sallyport):
    proxy = sallyport(site("access_log @dir@/sites/$host/access.log mine;"
                           "access_log @dir@/all.log mine;"))
    for host in ("a.test", "b.test"):
        folder = proxy.folder / "sites" / host
        folder.mkdir(parents=True)
        folder.chmod(0o777)
    for number, host in enumerate(("a.test", "b.test", "a.test", "none.test")):
        proxy.get(f"/?n={number}", host=host)
    assert proxy.lines("sites/a.test/access.log", count=2) == ["0", "2"]
    assert proxy.lines("sites/b.test/access.log", count=1) == ["1"]
    assert proxy.lines("all.log", count=4) == ["0", "1", "2", "3"]
    proxy.wait_for_error("sites/none.test/access.log\" failed (2: No such file or directory)")
    assert dropped(proxy) == 1
    mode = (proxy.folder / "sites/a.test/access.log").stat().st_mode & 0o777
    assert mode == 0o640


def test_a_client_cannot_choose_another_folder(sallyport):
    proxy = sallyport(site("access_log @dir@/sites/$arg_name mine; access_log @dir@/all.log mine;"))
    (proxy.folder / "sites").mkdir()
    (proxy.folder / "sites").chmod(0o777)
    proxy.folder.chmod(0o777)
    for name in ("../out", "..", ".", "a/b", "/etc/x"):
        proxy.get(f"/?name={name}")
    proxy.get("/?name=good&n=1")
    assert proxy.lines("sites/good", count=1) == ["1"]
    proxy.lines("all.log", count=6)
    assert [path.name for path in (proxy.folder / "sites").iterdir()] == ["good"]
    assert not (proxy.folder / "out").exists()
    assert dropped(proxy) == 5
    proxy.wait_for_error("are dropped: a value has")


def test_cached_files_are_looked_at_again(sallyport):
    proxy = sallyport("open_log_file_cache max=10 inactive=60s valid=1s;"
                      + site("access_log @dir@/sites/$host.log mine;"))
    (proxy.folder / "sites").mkdir()
    (proxy.folder / "sites").chmod(0o777)
    log = proxy.folder / "sites/a.test.log"
    proxy.get("/?n=1", host="a.test")
    proxy.lines("sites/a.test.log", count=1)
    log.rename(log.with_suffix(".old"))
    # That it is kept until then, test_log_rotation shows with an hour instead of a second.
    wait_for(lambda: (proxy.get("/?n=2", host="a.test"), log.exists())[1], "the new file")
    assert set(proxy.lines("sites/a.test.log", count=1)) == {"2"}


# -- places that fail


def test_a_full_disk_is_told_once_and_told_when_it_is_over(sallyport):
    proxy = sallyport("error_log @dir@/error.log;"
                      + site("access_log @dir@/access.log mine;"))
    (proxy.folder / "access.log").unlink()
    (proxy.folder / "access.log").symlink_to("/dev/full")
    proxy.reopen()
    wait_for(lambda: (ask(proxy, range(5)), "lines are dropped" in proxy.read("error.log"))[1], "the message")
    ask(proxy, range(20))
    counted = wait_for(lambda: dropped(proxy) >= 20 and dropped(proxy), "all lines")
    assert proxy.read("error.log").count("lines are dropped") == 1
    assert "(28: No space left on device)" in proxy.read("error.log")
    (proxy.folder / "access.log").unlink()
    proxy.reopen()
    wait_for(lambda: (ask(proxy, ["room"]), "is written again" in proxy.read("error.log"))[1], "the end of it")
    lost = int(re.search(r"written again, (\d+) lines were lost", proxy.read("error.log"))[1])
    assert lost >= counted
    assert set(proxy.read("access.log").split()) == {"room"}


def test_a_full_disk_under_the_error_log_is_told_to_the_other_one(sallyport):
    proxy = sallyport("error_log /dev/full; error_log @dir@/other.log;"
                      + site(location="proxy_pass http://127.0.0.1:1;"))
    for _ in range(10):
        assert proxy.get("/").status == 502
    text = "\n".join(proxy.lines("other.log", count=11))
    assert text.count('write() to error log "/dev/full" failed (28: No space left on device)') >= 1
    assert text.count("connect() failed") == 10
    assert proxy.status()["counters"]["error_lines_dropped"] >= 10


def test_a_fifo_without_a_reader_holds_up_nobody(sallyport):
    proxy = sallyport.make()
    fifo = proxy.folder / "access.fifo"
    os.mkfifo(fifo)
    proxy.start(site("access_log @dir@/access.fifo mine; access_log @dir@/access.log mine;"))
    line = "x" * 1000
    ask(proxy, [line] * 200)  # more than a pipe holds
    proxy.lines(count=200)
    wait_for(lambda: dropped(proxy) > 0, "lines to be dropped")
    proxy.wait_for_error("access.fifo\" failed (11: Resource temporarily unavailable)")
    with open(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), encoding="ascii") as reader:
        got = reader.readlines()
    assert got and all(each == line + "\n" for each in got), "a line was torn"
    assert len(got) + dropped(proxy) == 200


@pytest.fixture(name="frozen")
def _frozen():
    """frozen(process, name): stops that thread of the process, as a write to a disk that hangs would;
    gives a function that lets it go on."""
    libc = ctypes.CDLL(None, use_errno=True)
    stopped = []

    def ptrace(request, thread):
        assert libc.ptrace(request, thread, None, None) == 0, os.strerror(ctypes.get_errno())

    def freeze(process, name):
        thread = next(int(entry.name) for entry in pathlib.Path(f"/proc/{process}/task").iterdir()
                      if (entry / "comm").read_text().strip() == name)
        if libc.ptrace(0x4206, thread, None, None) != 0:  # PTRACE_SEIZE
            assert ctypes.get_errno() == errno.EPERM, os.strerror(ctypes.get_errno())
            pytest.skip("a thread of another user's may not be stopped here")
        ptrace(0x4207, thread)  # PTRACE_INTERRUPT
        os.waitpid(thread, 0x40000000)  # __WALL
        stopped.append(thread)

        def go_on():
            stopped.remove(thread)
            ptrace(17, thread)  # PTRACE_DETACH

        return go_on

    yield freeze
    for thread in stopped:
        ptrace(17, thread)


def error_lines_dropped(proxy):
    return proxy.status()["counters"]["error_lines_dropped"]


def fail(proxy, count, path="/"):
    """Requests of which each has one error line."""
    for first in range(0, count, 500):
        with proxy.client() as client:
            for _ in range(min(500, count - first)):
                assert client.get(path).status == 502


FAILS = "proxy_pass http://127.0.0.1:1;"


def test_an_error_log_that_nobody_reads_holds_up_nobody(sallyport):
    proxy = sallyport.make()
    fifo = proxy.folder / "error.fifo"
    os.mkfifo(fifo)
    proxy.start(site("error_log @dir@/error.fifo;", location=FAILS))
    fail(proxy, 60, "/" + "x" * 3000)  # more than a pipe holds
    wait_for(lambda: error_lines_dropped(proxy) > 0, "lines to be dropped")
    proxy.wait_for_error('error.fifo" failed (11: Resource temporarily unavailable), lines are dropped')
    wait_for(lambda: (fail(proxy, 1), error_lines_dropped(proxy) > 20)[1], "more")
    with open(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), encoding="ascii") as reader:
        got = reader.readlines()
        assert got and all("connect() failed" in line and line.endswith("\n") for line in got), "a line was torn"
        wait_for(lambda: (fail(proxy, 1), "is written again" in "".join(reader.readlines()))[1], "the end of it")
    assert re.search(r"is written again, \d+ lines were lost", proxy.wait_for_error("is written again"))


def test_a_pipe_on_stderr_that_is_full_holds_up_nobody_not_even_a_crash(sallyport):
    read_end, write_end = os.pipe()
    proxy = sallyport.make()
    proxy.start(site(location=FAILS), stderr=write_end)
    os.close(write_end)
    fail(proxy, 60, "/" + "x" * 3000)
    wait_for(lambda: error_lines_dropped(proxy) > 0, "lines to be dropped")
    fail(proxy, 60)
    if not any(f"/{preset}/" in str(proxy.binary) for preset in ("asan", "tsan")):
        os.kill(proxy.status()["pid"]["server"], signal.SIGSEGV)
        wait_for(lambda: proxy.status()["server_restarts"] == 1, "another server process", within=5)
        fail(proxy, 1)
    with open(read_end, encoding="ascii") as reader:
        os.set_blocking(read_end, False)
        got = reader.read().splitlines(keepends=True)
        assert all(line.endswith("\n") for line in got), "a line was torn"
        proxy.stop()


def test_a_disk_that_hangs_under_an_error_log_holds_up_no_worker(sallyport, frozen):
    proxy = sallyport("error_log @dir@/error.log;" + site(location=FAILS))
    fail(proxy, 1)
    proxy.lines("error.log", count=1)
    go_on = frozen(proxy.status()["pid"]["server"], "logs")
    target = "/" + "x" * 3900
    asked = 1
    while error_lines_dropped(proxy) == 0:
        fail(proxy, 100, target)  # each in its time: a worker that waits would not answer
        asked += 100
        assert asked < 5000, "what waits is not bounded"
    fail(proxy, 10)
    asked += 10
    go_on()
    wait_for(lambda: "were dropped: too many were waiting" in proxy.read("error.log"), "the loss to be told")
    told = sum(int(count) for count in re.findall(r"(\d+) lines of error log .* were dropped", proxy.read("error.log")))
    assert told == error_lines_dropped(proxy)
    assert proxy.read("error.log").count("connect() failed") == asked - told
    fail(proxy, 1)
    wait_for(lambda: proxy.read("error.log").count("connect() failed") == asked - told + 1, "the next line")


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM])
@pytest.mark.parametrize("master", ["on", "off"])
def test_no_error_line_is_lost_at_the_end(sallyport, number, master):
    proxy = sallyport(f"master_process {master}; error_log @dir@/error.log;" + site(location=FAILS))
    fail(proxy, 300)
    proxy.stop(number)
    assert proxy.read("error.log").count("connect() failed") == 300


def test_logs_of_a_host_that_is_not_found(sallyport):
    done = sallyport.make().check(site("access_log syslog:server=no-such-host.invalid;"))
    assert done.returncode == 1
    assert 'host not found in syslog server "no-such-host.invalid"' in done.stderr
    assert pathlib.Path("main.conf").name in done.stderr


# --- memory

def run_errors(proxy):
    return subprocess.run([proxy.binary, "errors", "-p", f"{proxy.folder}/"], capture_output=True,
                          text=True, env=proxy.environment(), timeout=30, check=False)


@pytest.mark.parametrize("master", ["on", "off"])
def test_an_error_log_in_memory_is_read_by_a_command(sallyport, master):
    def text(answer):
        return f"""
            master_process {master};
            error_log memory:16k info;
            error_log stderr notice;
            http {{ {site(location=f"return 200 {answer};")} }}
        """

    def errors():
        return run_errors(proxy).stdout.splitlines()

    proxy = sallyport(text("one"))
    with proxy.client() as client:
        client.send("GET / HTTP/1.1\r\nbad header\r\n\r\n")
        client.receive_all()
    wait_for(lambda: any("[info]" in line and "client: 127.0.0.1" in line for line in errors()),
             "the refusal, which is of no level that stderr has")
    assert "client: 127.0.0.1" not in proxy.errors
    # A reload loses nothing, and what the supervisor says is there, too.
    proxy.reload(text("two"))
    wait_for(lambda: any("reconfiguring" in line or "reload" in line for line in errors()), "the reload")
    lines = errors()
    assert any("client: 127.0.0.1" in line for line in lines)
    assert all(re.match(ERROR, line) for line in lines), lines
    assert [line[:19] for line in lines] == sorted(line[:19] for line in lines)
    # It is bounded: the newest lines stay.
    for _ in range(300):
        with proxy.client() as client:
            client.send("GET /last HTTP/1.1\r\nbad header\r\n\r\n")
            client.receive_all()
    wait_for(lambda: not any('"GET / HTTP/1.1"' in line for line in errors()), "old lines to go")
    assert sum(len(line) + 1 for line in errors()) <= 2 * 16 * 1024


def test_without_an_error_log_in_memory_the_command_says_so(sallyport):
    proxy = sallyport(site())
    done = run_errors(proxy)
    assert done.returncode == 1 and "error_log memory:SIZE" in done.stderr
