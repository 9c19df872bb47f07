"""Where logs go besides files: syslog, compressed files, paths with variables; and what happens when a
place fails."""
import gzip
import os
import pathlib
import re
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


def test_access_log_to_a_unix_socket_without_hostname(sallyport, tmp_path):
    tmp_path.chmod(0o755)
    with SyslogServer(tmp_path / "log") as server:
        tmp_path.parent.chmod(0o755)
        tmp_path.parent.parent.chmod(0o755)
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
    assert proxy.read("error.log").count("lines are dropped") == 1
    assert "(111: Connection refused)" in proxy.read("error.log")
    with SyslogServer(port=port) as server:
        wait_for(lambda: (ask(proxy, ["again"]), "is written again" in proxy.read("error.log"))[1],
                 "the log to say that it is over")
        assert re.search(r"\d+ lines were lost", proxy.read("error.log"))
        assert server.messages


def test_a_unix_syslog_server_that_is_stuck_or_gone_holds_up_nobody(sallyport, tmp_path):
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    path = tmp_path / "log"
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
    proxy.get("/?n=2", host="a.test")
    assert proxy.lines("sites/a.test.old", count=2) == ["1", "2"]
    wait_for(lambda: (proxy.get("/?n=3", host="a.test"), log.exists())[1], "the new file")
    assert set(proxy.lines("sites/a.test.log", count=1)) == {"3"}


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


def test_logs_of_a_host_that_is_not_found(sallyport):
    done = sallyport.make().check(site("access_log syslog:server=no-such-host.invalid;"))
    assert done.returncode == 1
    assert 'host not found in syslog server "no-such-host.invalid"' in done.stderr
    assert pathlib.Path("main.conf").name in done.stderr
