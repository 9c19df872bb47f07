"""limit_req: requests per second or minute. Every case is asked of nginx, too.

Rates are a request a minute where no time should pass, so that nothing here depends on speed."""
import pytest

from support import wait_for


ZONES = """
    log_format limits "$status $limit_req_status $uri";
    limit_req_zone $binary_remote_addr zone=one:10m rate=1r/m;
    limit_req_zone $arg_key zone=key:10m rate=1r/m;
    limit_req_zone $host zone=fast:10m rate=1000r/s;
"""
START = "root @dir@/www; access_log @dir@/logs/access.log limits;"


def statuses(program, *targets):
    return [program.get(target).status for target in targets]


def test_a_second_request_is_refused_without_burst(serve):
    program = serve(START + "limit_req zone=one;", ZONES)
    assert statuses(program, "/", "/") == [200, 503]
    assert program.lines("logs/access.log", count=2) == ["200 PASSED /index.html", "503 REJECTED /"]
    line = program.wait_for_error('limiting requests, excess: ')
    assert 'by zone "one", client: 127.0.0.1' in line


def test_a_burst_may_pass_at_once(serve):
    program = serve(START + "limit_req zone=one burst=3 nodelay; limit_req_status 429;", ZONES)
    assert statuses(program, *["/"] * 5) == [200, 200, 200, 200, 429]


def test_what_is_above_the_rate_waits(serve):
    program = serve(START + "limit_req zone=slow burst=2;",
                    ZONES + "limit_req_zone $host zone=slow:10m rate=1r/s;")
    with program.client() as first, program.client() as second:
        for client in (first, second):
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (first.response().status, second.response().status) == (200, 200)
    lines = program.lines("logs/access.log", count=2)
    assert "200 DELAYED /index.html" in lines
    program.wait_for_error("delaying request, excess: ")
    assert '[warn]' in program.errors


def test_a_delayed_request_ends_when_its_client_leaves(serve):
    program = serve(START + "limit_req zone=one burst=5;", ZONES)
    assert program.get("/").status == 200
    with program.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        program.wait_for_error("delaying request")
    assert program.lines("logs/access.log", count=2)[1] == "499 DELAYED /"


def test_a_delayed_request_ends_when_its_client_leaves_over_tls(sallyport):
    program = sallyport("""
        error_log stderr info;
        limit_req_zone $host zone=one:1m rate=1r/m;
        log_format limits "$status $limit_req_status";
        server { listen 127.0.0.1:@port:https@ ssl; ssl_certificate @cert:example.com@;
                 ssl_certificate_key @key:example.com@; root @dir@/www;
                 access_log @dir@/logs/access.log limits; limit_req zone=one burst=5; }
    """)
    program.write("www/index.html", "welcome\n")
    assert program.get("/").status == 200
    with program.tls_client() as client:
        client.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        program.wait_for_error("delaying request")
    assert program.lines("logs/access.log", count=2)[1] == "499 DELAYED"
    assert program.status()["counters"]["requests_delayed"] == 1


def test_what_is_pipelined_behind_a_delayed_request_waits_with_it(sallyport):
    program = sallyport("""
        limit_req_zone $arg_key zone=one:1m rate=2r/s;
        server { listen 127.0.0.1:@port:http@; root @dir@/www; limit_req zone=one burst=5; }
    """)
    program.write("www/index.html", "welcome\n")
    with program.client() as client:
        client.send("GET /?key=a HTTP/1.1\r\nHost: a\r\n\r\n" * 2 +
                    "POST /?key=b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        assert [client.response().status for _ in range(3)] == [200, 200, 405]


def test_a_delayed_request_goes_on_past_the_first_ones_of_its_burst(serve):
    program = serve(START + "limit_req zone=one burst=5 delay=2;", ZONES)
    assert statuses(program, "/", "/", "/") == [200, 200, 200]
    with program.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        program.wait_for_error("delaying request")


def test_keys_are_counted_each_for_itself_and_an_empty_one_not_at_all(serve):
    program = serve(START + "limit_req zone=key;", ZONES)
    assert statuses(program, "/?key=a", "/?key=b", "/?key=a", "/?key=b") == [200, 200, 503, 503]
    assert statuses(program, "/", "/", "/?key=", "/?key=") == [200, 200, 200, 200]
    assert program.lines("logs/access.log", count=8)[4] == "200 - /index.html"


def test_a_request_passes_all_limits_or_counts_in_none(serve):
    program = serve(START + "limit_req zone=one burst=3 nodelay; limit_req zone=key;", ZONES)
    assert statuses(program, "/?key=a", "/?key=a", "/?key=a", "/?key=a") == [200, 503, 503, 503]
    assert statuses(program, "/?key=b", "/?key=c", "/?key=d", "/?key=e") == [200, 200, 200, 503]


def test_a_dry_run_only_tells(serve):
    program = serve(START + "limit_req zone=one burst=1; limit_req_dry_run on;", ZONES)
    assert statuses(program, "/", "/", "/") == [200, 200, 200]
    assert [line.split()[1] for line in program.lines("logs/access.log", count=3)] == [
        "PASSED", "DELAYED_DRY_RUN", "REJECTED_DRY_RUN"]
    program.wait_for_error("limiting requests, dry run, excess: ")
    program.wait_for_error("delaying request, dry run, excess: ")


def test_a_level_s_own_limits_replace_the_others(serve):
    program = serve(START + """
        limit_req zone=one;
        limit_req_status 429;
        limit_req_log_level notice;
        location /free/ { alias @dir@/www/; limit_req zone=fast burst=100; }
        location /a/ { }
    """, ZONES)
    assert statuses(program, "/free/", "/free/", "/free/") == [200, 200, 200]
    assert statuses(program, "/a/", "/a/") == [200, 429]
    line = next(line for line in program.wait_for_error("limiting requests").splitlines()
                if "limiting requests" in line)
    assert "[notice]" in line


def test_limits_come_before_access_rules(serve):
    program = serve(START + "limit_req zone=one; deny all;", ZONES)
    assert statuses(program, "/", "/") == [403, 503]


def test_a_full_zone_forgets_whoever_came_first(serve):
    program = serve(START + "limit_req zone=small;",
                    ZONES + "limit_req_zone $arg_key zone=small:32k rate=1r/m;")
    assert statuses(program, "/?key=first", "/?key=first") == [200, 503]
    with program.client() as client:
        for number in range(600):
            assert client.get(f"/?key={number}").status == 200
    assert statuses(program, "/?key=first") == [200]


def test_counts_are_kept_over_a_reload(sallyport):
    text = """
        limit_req_zone $binary_remote_addr zone=one:10m rate=%s;
        server { listen 127.0.0.1:@port:http@; root @dir@/www; limit_req zone=one; }
    """
    program = sallyport(text % "1r/m")
    program.write("www/index.html", "welcome\n")
    assert statuses(program, "/", "/") == [200, 503]
    program.reload(text % "2r/m")
    assert statuses(program, "/") == [503]
    program.reload((text % "1r/m").replace("10m", "12m"))
    assert statuses(program, "/", "/") == [200, 503]


@pytest.mark.threads
def test_all_workers_count_together(sallyport):
    program = sallyport("""
        limit_req_zone $server_name zone=one:1m rate=1r/m;
        limit_conn_zone $server_name zone=all:1m;
        server { listen 127.0.0.1:@port:http@; server_name x; root @dir@/www;
                 limit_req zone=one burst=9 nodelay; limit_conn all 100; }
    """, main="worker_processes 4;")
    program.write("www/index.html", "welcome\n")
    clients = [program.client() for _ in range(40)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    got = sorted(client.response().status for client in clients)
    for client in clients:
        client.close()
    assert got == [200] * 10 + [503] * 30
    status = program.status()
    assert status["counters"]["limit_req"] == 30
    assert [(zone["name"], zone["of"], zone["states"]) for zone in status["zones"]][1] == (
        "one", "limit_req", 1)
    wait_for(lambda: program.status()["counters"]["requests_active"] == 0, "all requests to end")


@pytest.mark.parametrize("line,words", [
    ("limit_req_zone $host zone=a rate=1r/s;", 'invalid zone size "zone=a"'),
    ("limit_req_zone $host zone=a:16k rate=1r/s;", 'zone "zone=a:16k" is too small'),
    ("limit_req_zone $host zone=a:1m rate=0r/s;", 'invalid rate "rate=0r/s"'),
    ("limit_req_zone $host zone=a:1m what;", 'invalid parameter "what"'),
    ("limit_req_zone $host zone=a:1m;", 'invalid number of arguments in "limit_req_zone" directive'),
    ("limit_req_zone $host zone=a:1m rate=1r/s; limit_req_zone $uri zone=a:1m rate=1r/s;",
     'limit_req_zone "a" is already bound to key "$host"'),
    ("limit_req zone=a;", 'zero size shared memory zone "a"'),
    ("limit_req burst=5;", '"limit_req" must have "zone" parameter'),
    ("limit_req zone=a burst=0;", 'invalid burst value "burst=0"'),
    ("limit_req zone=a delay=x;", 'invalid delay value "delay=x"'),
    ("limit_req zone=a; limit_req zone=a;", '"limit_req" directive is duplicate'),
    ("limit_conn_zone $host zone=a:1m; limit_req zone=a;",
     'the shared memory zone "a" is already declared for a different use'),
])
@pytest.mark.parametrize("kind", ["nginx", "sallyport"])
def test_mistakes_are_told_in_nginx_s_words(request, kind, line, words):
    program = request.getfixturevalue(kind).make()
    program.configure("events {}\nhttp { %s server { listen 127.0.0.1:@port:http@; } }" % line)
    done = program.run("-t")
    assert done.returncode != 0
    assert words in done.stderr
