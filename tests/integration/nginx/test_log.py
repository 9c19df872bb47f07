"""Logs: log_not_found, access_log in nginx's contexts and words, error_log at several levels, and the
variables of connections. Asked of nginx, too, where both say the same."""
import re

import pytest

from support import wait_for

KINDS = """
    root @dir@/www;
    location /told/ { }
    location /silent/ { log_not_found off; location /silent/inner/ { log_not_found on; } }
    location /silent-index/ { log_not_found off; index index.html; }
    location /end { return 200; }
"""


def test_log_not_found(serve):
    program = serve(KINDS)
    for target in ("/told/a", "/silent/a", "/silent/inner/a", "/silent-index/b", "/silent-index/",
                   "/silent/x/y"):
        assert program.get(target).status == 404, target
    program.wait_for_error('/www/silent/inner/a" failed (2: No such file or directory)')
    assert '/www/told/a" failed (2: No such file or directory)' in program.errors
    for name in ("silent/a", "silent-index/", "silent/x/y"):
        assert f"www/{name}" not in program.errors, name


def test_other_errors_are_told_all_the_same(serve):
    program = serve(KINDS)
    program.write("www/silent/file", "")
    assert program.get("/silent/").status == 403
    program.wait_for_error('directory index of')


@pytest.mark.parametrize("lines, expected", [
    ("access_log @dir@/here.log plain;", {"here.log": ["/a", "/b", "/c"]}),
    ("access_log @dir@/here.log plain; access_log @dir@/there.log plain;",
     {"here.log": ["/a", "/b", "/c"], "there.log": ["/a", "/b", "/c"]}),
    ("access_log @dir@/here.log plain; location /b { access_log off; return 200; }",
     {"here.log": ["/a", "/c"]}),
    ("access_log @dir@/here.log plain if=$arg_log;", {"here.log": []}),
    ("access_log @dir@/here.log plain if=$uri;", {"here.log": ["/a", "/b", "/c"]}),
    ("access_log @dir@/here.log plain; location /b { access_log @dir@/there.log plain; return 200; }",
     {"here.log": ["/a", "/c"], "there.log": ["/b"]}),
    ('access_log @dir@/here.log plain; location /b { if ($uri = /b) { access_log off; } return 200; }',
     {"here.log": ["/a", "/c"]}),
    ("access_log @dir@/here.log plain; location /b { limit_except GET { access_log off; } return 200; }",
     {"here.log": ["/a", "/b", "/c"]}),
])
def test_which_log_gets_a_line(serve, lines, expected):
    program = serve(lines + " location / { return 200; }", before="log_format plain $uri;")
    for target in ("/a", "/b", "/c"):
        assert program.get(target).status == 200
    for name, targets in expected.items():
        assert program.lines(name, count=len(targets)) == targets


@pytest.mark.parametrize("name, expected", [
    ("default", '"\\x22\\x5C\\x09\\xE9-\'"'), ("json", '"\\"\\\\\\t\ufffd\'"'),
    ("none", '""\\\t\ufffd\'"'),
])
def test_escapes_of_formats(serve, name, expected):
    program = serve("access_log @dir@/a.log f; location / { return 200; }",
                    before=f"log_format f escape={name} '\"$http_x$http_none\\'\"';")
    assert program.get("/", fields=[("X", "\"\\\t\xe9")]).status == 200
    assert program.lines("a.log", count=1) == [expected]


def test_several_error_logs_each_with_its_level(serve):
    program = serve("""
        error_log @dir@/all.log info; error_log @dir@/grave.log crit; error_log @dir@/err.log;
        root @dir@/www; location /own/ { error_log @dir@/own.log; }""")
    assert program.get("/missing").status == 404
    assert program.get("/own/missing").status == 404
    program.wait_for_line("all.log", "/www/missing")
    program.wait_for_line("err.log", "/www/missing")
    program.wait_for_line("own.log", "/www/own/missing")
    assert "missing" not in program.read("grave.log")
    for name in ("all.log", "err.log"):
        assert "own/missing" not in program.read(name)


CONNECTIONS = """location / { return 200
    "$connections_active $connections_reading $connections_writing $connections_waiting"; }
    location = /stub { stub_status; } location = /old { stub_status on; }
    location = /tcp { return 200 "$tcpinfo_rtt $tcpinfo_rttvar $tcpinfo_snd_cwnd $tcpinfo_rcv_space"; }"""


def test_connections(serve):
    program = serve(CONNECTIONS)
    with program.client() as idle, program.client() as client:
        assert idle.get("/").status == 200
        # Whether the idle one is waiting already is nginx's to say.
        wait_for(lambda: client.get("/").text == "2 0 1 1", "one that writes and one that waits")
    assert re.fullmatch(r"Active connections: \d+ \n.*\n \d+ \d+ \d+ \nReading: 0 Writing: 1 .*\n",
                        program.get("/old").text)
    assert program.get("/stub").status == 200


def test_tcp_info(serve):
    program = serve(CONNECTIONS)
    rtt, _, window, space = map(int, program.get("/tcp").text.split())
    assert rtt < 5_000_000 and window > 0 and space > 0


def test_tcp_info_of_a_unix_socket_has_no_value(sallyport):
    program = sallyport("""events {} http { server { listen 127.0.0.1:@port:http@;
        listen unix:@dir@/socket; return 200 "<$tcpinfo_rtt>"; } }""")
    done = program.curl("/", "--unix-socket", str(program.folder / "socket"))
    assert "<>" in str(getattr(done, "stdout", done))


@pytest.mark.parametrize("variable, target, expected", [
    ("$args", "/?a=1", "one"), ("$args", "/", "none"), ("$limit_rate", "/", "no limit"),
])
def test_map_of_variables_that_may_be_set(serve, variable, target, expected):
    program = serve("location / { return 200 $m; }", before=f"""
        map {variable} $m {{ a=1 one; "" none; 0 "no limit"; default other; }}""")
    assert program.get(target).text == expected


@pytest.mark.parametrize("line, message", [
    ("log_not_found maybe;", 'invalid value "maybe" in "log_not_found" directive'),
    ("log_subrequest maybe;", 'invalid value "maybe" in "log_subrequest" directive'),
    ("access_log a.log none;", 'unknown log format "none"'),
])
def test_refused(serve, line, message):
    with pytest.raises(AssertionError, match=re.escape(message)):
        serve(line)


def test_log_subrequest_loads_in_its_contexts(serve):
    program = serve("log_subrequest on; location / { log_subrequest off; return 200; }",
                    before="log_subrequest off;")
    assert program.get("/").status == 200
