"""limit_conn: requests under way. Every case is asked of nginx, too."""
import threading

import pytest

from support import wait_for
from support.backend import response


ZONES = """
    log_format limits "$status $limit_conn_status";
    limit_conn_zone $binary_remote_addr zone=address:10m;
    limit_conn_zone $arg_key zone=key:10m;
"""
START = "access_log @dir@/logs/access.log limits;"


class Gate:
    """A backend's answers, held back until the test opens the gate."""

    def __init__(self, make_backend):
        self.opened = threading.Event()
        self.backend = make_backend(self.answer)

    def answer(self, _request):
        assert self.opened.wait(60)
        return response(b"at last")


@pytest.fixture
def gate(make_backend):
    gate = Gate(make_backend)
    yield gate
    gate.opened.set()


def begin(program, gate, target="/"):
    """A request that is under way at the backend."""
    before = len(gate.backend.requests)
    client = program.client()
    client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(lambda: len(gate.backend.requests) > before, "the request at the backend")
    return client


def test_one_too_many_is_refused_until_another_ends(serve, gate):
    program = serve(START + "location / { proxy_pass http://@backend@; limit_conn address 2; }",
                    ZONES, backend=gate.backend)
    first, second = begin(program, gate), begin(program, gate)
    assert program.get("/").status == 503
    program.wait_for_error('limiting connections by zone "address", client: 127.0.0.1')
    gate.opened.set()
    assert (first.response().status, second.response().status) == (200, 200)
    assert program.get("/").status == 200
    assert sorted(program.lines("logs/access.log", count=4)) == [
        "200 PASSED", "200 PASSED", "200 PASSED", "503 REJECTED"]
    first.close()
    second.close()


def test_a_place_is_given_back_when_a_client_leaves(serve, gate):
    program = serve(START + "location / { proxy_pass http://@backend@; limit_conn address 1; }",
                    ZONES, backend=gate.backend)
    begin(program, gate).close()
    assert program.lines("logs/access.log", count=1) == ["499 PASSED"]
    begin(program, gate).close()


def test_an_idle_connection_takes_no_place(serve):
    program = serve(START + "root @dir@/www; limit_conn address 1;", ZONES)
    with program.client() as client:
        assert client.get("/").status == 200
        assert program.get("/").status == 200


def test_several_limits_hold_each_for_itself(serve, gate):
    program = serve(START + """location / { proxy_pass http://@backend@; limit_conn address 3;
                                            limit_conn key 1; limit_conn_status 429; }""",
                    ZONES, backend=gate.backend)
    clients = [begin(program, gate, "/?key=a")]
    assert program.get("/?key=a").status == 429
    clients += [begin(program, gate, "/?key=b"), begin(program, gate, "/")]
    assert program.get("/?key=c").status == 429
    program.wait_for_error('limiting connections by zone "key"')
    program.wait_for_error('limiting connections by zone "address"')
    for client in clients:
        client.close()


def test_a_dry_run_only_tells(serve, gate):
    program = serve(START + """location / { proxy_pass http://@backend@; limit_conn address 1;
                                            limit_conn_dry_run on; limit_conn_log_level info; }""",
                    ZONES, backend=gate.backend)
    clients = [begin(program, gate), begin(program, gate)]
    errors = program.wait_for_error('limiting connections, dry run, by zone "address"')
    assert "[info]" in errors
    gate.opened.set()
    assert [client.response().status for client in clients] == [200, 200]
    assert sorted(program.lines("logs/access.log", count=2)) == ["200 PASSED", "200 REJECTED_DRY_RUN"]
    for client in clients:
        client.close()


def test_a_level_s_own_limits_replace_the_others(serve, gate):
    program = serve(START + """
        limit_conn address 1;
        location / { proxy_pass http://@backend@; }
        location /free/ { alias @dir@/www/; limit_conn key 5; }
    """, ZONES, backend=gate.backend)
    client = begin(program, gate)
    assert (program.get("/").status, program.get("/free/").status) == (503, 200)
    client.close()


@pytest.mark.parametrize("line,words", [
    ("limit_conn_zone $host zone=a;", 'invalid zone size "zone=a"'),
    ("limit_conn_zone $host what;", 'invalid parameter "what"'),
    ("limit_conn_zone $host zone=a:1m; limit_conn a 0;", 'invalid number of connections "0"'),
    ("limit_conn_zone $host zone=a:1m; limit_conn a 65536;",
     'connection limit must be less 65536'),
    ("limit_conn_zone $host zone=a:1m; limit_conn a 1; limit_conn a 2;",
     '"limit_conn" directive is duplicate'),
    ("limit_conn a 1;", 'zero size shared memory zone "a"'),
    ("limit_conn_zone $host zone=a:1m; limit_conn_zone $uri zone=a:1m;",
     'limit_conn_zone "a" is already bound to key "$host"'),
])
@pytest.mark.parametrize("kind", ["nginx", "sallyport"])
def test_mistakes_are_told_in_nginx_s_words(request, kind, line, words):
    program = request.getfixturevalue(kind).make()
    program.configure("events {}\nhttp { %s server { listen 127.0.0.1:@port:http@; } }" % line)
    done = program.run("-t")
    assert done.returncode != 0
    assert words in done.stderr
