"""`listen`: addresses, ranges and options of the sockets, as the kernel has them, and across reloads."""
import ctypes
import errno
import os
import pathlib
import socket
import struct
import threading

import pytest
from support.client import Client
from support.ports import reserve_port
from support.program import ProgramFailed
from support.waiting import wait_for

SYS_PIDFD_GETFD = 438
TCP_FASTOPEN = 23
IPPROTO_MPTCP = 262
LISTEN = "0A"


def listening_sockets(program, port):
    """Duplicates of the sockets that the program's first process (the supervisor) listens with."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rsplit(":", 1)[1], 16) == port and fields[3] == LISTEN:
                inodes.add(f"socket:[{fields[9]}]")
    pid = program.process.pid
    process = os.pidfd_open(pid)
    found = []
    for entry in sorted(pathlib.Path(f"/proc/{pid}/fd").iterdir(), key=lambda at: int(at.name)):
        if os.readlink(entry) in inodes:
            taken = ctypes.CDLL(None, use_errno=True).syscall(SYS_PIDFD_GETFD, process,
                                                              int(entry.name), 0)
            if taken < 0:
                pytest.skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
            found.append(socket.socket(fileno=taken))
    os.close(process)
    return found


def options_of(program, port):
    """The options of the sockets of a port, which must agree: as the kernel tells them."""
    sockets = listening_sockets(program, port)
    assert sockets, f"nothing listens on {port}"
    names = {
        "rcvbuf": (socket.SOL_SOCKET, socket.SO_RCVBUF),
        "sndbuf": (socket.SOL_SOCKET, socket.SO_SNDBUF),
        "keepalive": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        "idle": (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
        "interval": (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
        "count": (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
        "deferred": (socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT),
        "fastopen": (socket.IPPROTO_TCP, TCP_FASTOPEN),
        "reuseport": (socket.SOL_SOCKET, socket.SO_REUSEPORT),
        "protocol": (socket.SOL_SOCKET, 38),  # SO_PROTOCOL
    }
    all_of_them = []
    for each in sockets:
        values = {name: each.getsockopt(*at) for name, at in names.items()}
        # tcp_info of a listening socket: tcpi_sacked is the backlog
        info = each.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)
        values["backlog"] = struct.unpack_from("I", info, 28)[0]
        values["inode"] = os.fstat(each.fileno()).st_ino
        all_of_them.append(values)
        each.close()
    first = {name: value for name, value in all_of_them[0].items() if name != "inode"}
    for other in all_of_them:
        assert {name: value for name, value in other.items() if name != "inode"} == first
    first["inodes"] = {values["inode"] for values in all_of_them}
    return first


def says(word, listens):
    return f"server {{ {listens} return 200 {word}; }}\n"


def get(port, host="127.0.0.1"):
    with Client(port, host=host) as client:
        return client.get().text


def refuses(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


# -- addresses


def test_a_range_of_ports_listens_on_each(sallyport):
    program = sallyport.make()
    first = reserve_port(count=5)
    program.start(says("$server_port", f"listen 127.0.0.1:{first}-{first + 4};"))
    assert [get(port) for port in range(first, first + 5)] == [
        str(port) for port in range(first, first + 5)]


def test_the_specific_address_wins_over_the_wildcard_whichever_comes_first(sallyport):
    for order in (0, 1):
        program = sallyport.make()
        port = program.port("http")
        servers = [says("any", f"listen {port};"), says("one", f"listen 127.0.0.1:{port};")]
        program.start("".join(servers if order == 0 else reversed(servers)))
        assert get(port) == "one"
        assert get(port, "127.0.0.2") == "any"
        program.stop()


def test_an_ipv6_wildcard_takes_ipv4_only_with_ipv6only_off(sallyport):
    program = sallyport.make()
    port, both = program.port("six"), program.port("both")
    program.start(says("six", f"listen [::]:{port};") +
                  says("both", f"listen [::]:{both} ipv6only=off;") +
                  says("$server_addr", "listen [::1]:@port:one@;"))
    assert get(port, "::1") == "six"
    with pytest.raises(ConnectionRefusedError):
        get(port)
    assert get(both, "::1") == get(both) == "both"
    assert get(program.port("one"), "::1") == "::1"


def test_an_ipv6_wildcard_for_both_families_stands_beside_ipv4_addresses(sallyport):
    program = sallyport.make()
    port = program.port("http")
    program.start(says("both", f"listen [::]:{port} ipv6only=off;") +
                  says("one", f"listen 127.0.0.1:{port};"))
    assert get(port) == "one"
    assert get(port, "127.0.0.2") == get(port, "::1") == "both"


def test_everyone_may_connect_to_a_unix_socket(sallyport):
    program = sallyport.make()
    path = program.folder / "a.sock"
    program.start(says("unix", f"listen unix:{path};") +
                  says("abstract", f"listen unix:@{program.folder.name};"))
    assert path.stat().st_mode & 0o777 == 0o666
    with Client(f"unix:{path}") as client:
        assert client.get().text == "unix"
    with Client(f"unix:\0{program.folder.name}") as client:
        assert client.get().text == "abstract"
    program.stop()
    assert not path.exists()


def test_a_foreign_listener_is_noticed_behind_a_specific_address_and_the_wildcard(sallyport):
    port = reserve_port()
    with socket.socket() as foreign:
        foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        foreign.bind(("127.0.0.1", port))
        foreign.listen()
        for address in (f"127.0.0.1:{port}", str(port)):
            with pytest.raises(ProgramFailed) as failed:
                sallyport.make().start(says("x", f"listen {address};"))
            assert "bind() to" in failed.value.errors
            assert "(98: Address already in use)" in failed.value.errors


# -- options of sockets


def test_every_socket_option_reaches_every_socket_of_the_group(sallyport):
    program = sallyport.make()
    program.start(says("x", "listen 127.0.0.1:@port:http@ backlog=37 rcvbuf=40k sndbuf=50k deferred"
                       " fastopen=7 so_keepalive=20m:11:4;") +
                  says("y", "listen 127.0.0.1:@port:plain@;"), main="worker_processes 2;")
    options = options_of(program, program.port("http"))
    assert len(options["inodes"]) == 2
    del options["inodes"]
    assert options.pop("deferred") >= 1
    assert options == {"rcvbuf": 80 * 1024, "sndbuf": 100 * 1024, "keepalive": 1, "idle": 1200,
                       "interval": 11, "count": 4, "fastopen": 7, "reuseport": 1,
                       "protocol": socket.IPPROTO_TCP, "backlog": 37}
    plain = options_of(program, program.port("plain"))
    assert (plain["backlog"], plain["keepalive"], plain["deferred"], plain["fastopen"]) == (
        511, 0, 0, 0)


def test_a_deferred_socket_serves_whoever_speaks_at_once_or_later(sallyport):
    program = sallyport.make()
    program.start(says("x", "listen 127.0.0.1:@port:http@ deferred;"))
    with Client(program.port("http")) as late:
        assert get(program.port("http")) == "x"
        assert late.get().text == "x"


def test_a_socket_is_multipath_where_the_kernel_can(sallyport):
    program = sallyport.make()
    program.start(says("x", "listen 127.0.0.1:@port:http@ multipath;"))
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP).close()
    except OSError:
        errors = program.wait_for_error('"multipath" of 127.0.0.1')
        assert "is ignored: socket() failed" in errors
    else:
        assert "ignored" not in program.errors
        assert options_of(program, program.port("http"))["protocol"] == IPPROTO_MPTCP
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as multipath:
            multipath.connect(("127.0.0.1", program.port("http")))
            multipath.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert b"200" in multipath.recv(4096)
    assert get(program.port("http")) == "x"


@pytest.mark.parametrize("servers, message", [
    ("server { listen 1; } server { listen 1 rcvbuf=8k; } server { listen 1 sndbuf=8k; }",
     "duplicate listen options for 0.0.0.0:1"),
    ("server { listen 1-3; listen 2; }", "a duplicate listen 0.0.0.0:2"),
    ("server { listen 3-1; }", 'invalid port range in "3-1" of the "listen" directive'),
    ("server { listen 1 so_keepalive=maybe; }", 'invalid so_keepalive value: "maybe"'),
])
def test_what_is_wrong_is_said_in_nginx_words(sallyport, servers, message):
    done = sallyport.make().check(servers)
    assert done.returncode == 1
    assert message in done.stderr, done.stderr


def test_a_redefined_protocol_is_a_warning(sallyport):
    done = sallyport.make().check("server { listen 1 proxy_protocol; } server { listen 1; }"
                                  "server { listen 1 http2; }")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("protocol options redefined for 0.0.0.0:1") == 1, done.stderr


# -- reloads


def test_a_reload_changes_options_of_the_sockets_that_stay(sallyport):
    program = sallyport.make()
    program.start(says("x", "listen 127.0.0.1:@port:http@ so_keepalive=on;"))
    before = options_of(program, program.port("http"))
    with Client(program.port("http")) as client:
        assert client.get().text == "x"
        program.reload(says("x", "listen 127.0.0.1:@port:http@ backlog=9 rcvbuf=40k deferred"
                            " fastopen=3 so_keepalive=7:6:5;"))
        after = options_of(program, program.port("http"))
        assert after["inodes"] == before["inodes"]
        assert (after["backlog"], after["rcvbuf"], after["fastopen"]) == (9, 80 * 1024, 3)
        assert (after["idle"], after["interval"], after["count"]) == (7, 6, 5)
        assert after["deferred"] >= 1
        program.reload(says("x", "listen 127.0.0.1:@port:http@;"))
        gone = options_of(program, program.port("http"))
        assert gone == {**before, "keepalive": 0}
        assert client.get().text == "x"


def test_a_reload_with_errors_changes_no_option(sallyport):
    program = sallyport.make()
    program.start(says("x", "listen 127.0.0.1:@port:http@ backlog=9;"))
    before = options_of(program, program.port("http"))
    program.configure(says("x", "listen 127.0.0.1:@port:http@ backlog=8 rcvbuf=64k;") +
                      "server { listen 1-0; }")
    program.send_signal(1)
    program.wait_for_error("not reloaded")
    assert options_of(program, program.port("http")) == before


def test_what_only_a_new_socket_can_have_waits_for_a_restart(sallyport):
    program = sallyport.make()
    program.start(says("x", "listen [::1]:@port:http@;"), main="error_log stderr warn;")
    program.reload(says("x", "listen [::1]:@port:http@ ipv6only=off;"))
    program.wait_for_error(f'a new "multipath" or "ipv6only" of [::1]:{program.port("http")} takes '
                           "effect after a restart")
    assert get(program.port("http"), "::1") == "x"


@pytest.mark.threads
def test_listeners_come_and_go_under_load_while_connections_live(sallyport):
    program = sallyport.make()
    port, unix = program.port("http"), program.folder / "a.sock"
    stays = says("stays", "listen 127.0.0.1:@port:stays@;")
    rounds = [
        stays + says("one", f"listen 127.0.0.1:{port};"),
        stays + says("any", f"listen {port};") + says("unix", f"listen unix:{unix};"),
        stays + says("any", f"listen {port} backlog=50;") + says("one", f"listen 127.0.0.1:{port};"),
        stays,
    ]
    program.start(rounds[0], main="worker_processes 2;")
    stop = threading.Event()
    failures = []

    def knock():
        while not stop.is_set():
            try:
                if get(program.port("stays")) != "stays":
                    failures.append("another answer")
            except (OSError, EOFError, AssertionError) as error:
                failures.append(repr(error))

    knocker = threading.Thread(target=knock)
    knocker.start()
    with Client(program.port("stays")) as kept, Client(port) as old:
        assert old.get().text == "one"
        for turn in range(8):
            program.reload(rounds[(turn + 1) % 4])
            assert kept.get().text == "stays"
            if turn == 1:  # both are there
                assert (get(port), get(port, "127.0.0.2")) == ("one", "any")
                wait_for(lambda: not unix.exists(), "the socket's file to go")
            if turn == 2:
                wait_for(lambda: refuses(port), "the port to be closed")
    stop.set()
    knocker.join()
    assert not failures, failures[:3]
    assert len(listening_sockets(program, program.port("stays"))) == 2
