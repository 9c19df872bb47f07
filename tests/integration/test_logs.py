"""Access logs to the byte, error logs, and what must stand in neither."""
import json
import re

import pytest

from support import wait_for
from support.backend import response


def site(directives="", *, http="", location="return 200 hello;"):
    return f"""
        {http}
        server {{
            listen 127.0.0.1:@port:http@;
            server_name example.com;
            {directives}
            location / {{ {location} }}
        }}
    """


TIME = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"


def test_there_is_no_access_log_unless_one_is_asked_for(sallyport):
    proxy = sallyport(site())
    proxy.get("/")
    proxy.stop()
    assert not list(proxy.folder.glob("**/access.log"))


def test_combined_is_the_default_and_nginx_s_to_the_byte(sallyport):
    proxy = sallyport(site("access_log @dir@/access.log;"))
    proxy.get("/some/path?x=1", fields=[("User-Agent", 'curl/7 "quoted"'),
                                        ("Referer", "http://ref.test/")])
    proxy.get("/plain")
    first, second = proxy.lines(count=2)
    assert re.fullmatch(rf'127\.0\.0\.1 - - {TIME} "GET /some/path\?x=1 HTTP/1\.1" 200 5 '
                        r'"http://ref\.test/" "curl/7 \\x22quoted\\x22"', first)
    assert re.fullmatch(rf'127\.0\.0\.1 - - {TIME} "GET /plain HTTP/1\.1" 200 5 "-" "-"', second)


def test_the_same_line_as_nginx_writes(sallyport, nginx):
    """The same requests, the same format, byte for byte but for times."""
    text = """
        log_format mine '$remote_addr|$request|$status|$body_bytes_sent|$http_x_odd|$arg_a|$args|$uri|'
                        '$request_uri|$host|$http_host|$server_name|$scheme|$server_protocol|'
                        '$request_method|$content_length|$content_type|$is_args|$http_none|$cookie_none';
        server {
            listen 127.0.0.1:@port:http@;
            server_name example.com;
            access_log @dir@/access.log mine;
            location / { return 200 "hello"; }
            location /gone { return 410; }
        }
    """
    proxies = [sallyport(text), nginx(text)]
    for proxy in proxies:
        proxy.get("/a%20b//c?a=1&b=2", host="Example.com:80", fields=[("X-Odd", 'tab\t"q"\\ü')])
        with proxy.client() as client:
            client.request("POST", "/form?", body=b"a=b", host="example.com",
                           fields=[("Content-Type", "x/y")])
        with proxy.client() as client:
            client.send("GET /old HTTP/1.0\r\n\r\n")
            client.receive_all()
    ours, theirs = (proxy.lines(count=3) for proxy in proxies)
    assert ours == theirs


@pytest.mark.parametrize("escape, line", [
    ("", r'\x22a\x5Cb\x22 \x09 \xC3\xBC|-'),
    ("escape=default", r'\x22a\x5Cb\x22 \x09 \xC3\xBC|-'),
    ("escape=json", '\\"a\\\\b\\" \\t ü|'),
    ("escape=none", '"a\\b" \t ü|'),
])
def test_escaping(sallyport, escape, line):
    proxy = sallyport(site("access_log @dir@/access.log mine;",
                           http=f"log_format mine {escape} '$http_x_odd|$http_x_none';"))
    with proxy.client() as client:
        client.send('GET / HTTP/1.1\r\nHost: a\r\nX-Odd: "a\\b" \t \u00c3\u00bc\r\n\r\n')
        assert client.response().status == 200
    wait_for(lambda: proxy.read("access.log").endswith("\n"), "a line")
    assert proxy.read("access.log") == line + "\n"


def test_json_lines_are_json(sallyport):
    proxy = sallyport(site("access_log @dir@/access.log mine;", http="""
        log_format mine escape=json '{"request": "$request", "agent": "$http_user_agent", '
                                    '"status": $status}';"""))
    proxy.get("/x", fields=[("User-Agent", 'a "b" \\')])
    line = json.loads(proxy.lines(count=1)[0])
    assert line == {"request": "GET /x HTTP/1.1", "agent": 'a "b" \\', "status": 200}


def test_a_condition_decides_what_is_logged(sallyport):
    proxy = sallyport(site("access_log @dir@/access.log mine if=$arg_log;",
                           http="log_format mine '$uri';"))
    for target in ("/no", "/zero?log=0", "/yes?log=1", "/empty?log=", "/word?log=x"):
        proxy.get(target)
    assert proxy.lines(count=2) == ["/yes", "/word"]


def test_several_logs_of_one_request_and_none(sallyport):
    proxy = sallyport("""
        log_format short '$uri';
        log_format status '$status';
        access_log @dir@/http.log short;
        server {
            listen 127.0.0.1:@port:http@;
            location / { return 200; }
            location /two { access_log @dir@/one.log short; access_log @dir@/two.log status;
                            return 204; }
            location /off { access_log off; return 200; }
        }
    """)
    for target in ("/a", "/two", "/off", "/b"):
        proxy.get(target)
    assert proxy.lines("http.log", count=2) == ["/a", "/b"]
    assert proxy.lines("one.log", count=1) == ["/two"]
    assert proxy.lines("two.log", count=1) == ["204"]


def test_relative_names_stand_in_the_prefix(sallyport):
    proxy = sallyport(site("access_log logs/here.log;"))
    proxy.get("/")
    assert len(proxy.lines("logs/here.log", count=1)) == 1


def test_lines_are_not_lost_at_the_end(sallyport):
    proxy = sallyport(site("access_log @dir@/access.log mine;", http="log_format mine '$arg_n';"))
    with proxy.client() as client:
        for number in range(200):
            client.get(f"/?n={number}")
    proxy.stop()
    assert proxy.read("access.log").split() == [str(number) for number in range(200)]


def test_refused_requests_are_logged_as_well(sallyport):
    proxy = sallyport(site("access_log @dir@/access.log mine;",
                           http="log_format mine '$status|$request|$remote_addr';"))
    with proxy.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n")
        assert client.response().status == 400
    assert proxy.lines(count=1) == ["400|GET / HTTP/1.1|127.0.0.1"]
    assert "[info]" not in proxy.errors


# -- error_log


def test_the_error_line_is_nginx_s(sallyport):
    proxy = sallyport(site(location="proxy_pass http://127.0.0.1:@port:nobody@/up/;"))
    proxy.get("/x?y", fields=[("Referer", "http://ref.test/")])
    line = proxy.wait_for_error("connect() failed").splitlines()[-1]
    assert re.fullmatch(
        r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[error\] \d+#\d+: \*\d+ connect\(\) failed "
        r"\(111: Connection refused\) while connecting to upstream, client: 127\.0\.0\.1, "
        r'server: example\.com, request: "GET /x\?y HTTP/1\.1", '
        rf'upstream: "http://127\.0\.0\.1:{proxy.port("nobody")}/up/x\?y", host: "example\.com", '
        r'referrer: "http://ref\.test/"', line), line


def test_a_server_without_a_name_is_an_empty_one(sallyport):
    proxy = sallyport("""
        error_log @dir@/error.log info;
        server { listen 127.0.0.1:@port:http@; location / { proxy_pass http://127.0.0.1:1; } }
    """)
    proxy.get("/")
    line = proxy.wait_for_line("error.log", "connect() failed")
    assert ", client: 127.0.0.1, server: , request: " in line


def test_levels_are_obeyed(sallyport):
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            location /error { error_log @dir@/error.log error; proxy_pass http://127.0.0.1:1; }
            location /crit { error_log @dir@/crit.log crit; proxy_pass http://127.0.0.1:1; }
            location /debug { error_log @dir@/debug.log debug; proxy_pass http://127.0.0.1:1; }
        }
    """)
    for target in ("/error", "/crit", "/debug"):
        assert proxy.get(target).status == 502
    assert "[error]" in proxy.wait_for_line("error.log", "connect() failed")
    assert "[error]" in proxy.wait_for_line("debug.log", "connect() failed")
    assert proxy.read("crit.log") == ""


def test_info_tells_why_a_request_was_refused(sallyport):
    proxy = sallyport("error_log @dir@/error.log info;" + site())
    with proxy.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
        assert client.response().status == 400
    line = proxy.wait_for_line("error.log", "Content-Length")
    assert "[info]" in line and "client: 127.0.0.1" in line


def test_stderr_as_a_log(sallyport):
    proxy = sallyport("error_log stderr info;" + site(location="proxy_pass http://127.0.0.1:1;"))
    proxy.get("/")
    proxy.wait_for_error("connect() failed")


def test_an_error_log_of_json_objects(sallyport):
    proxy = sallyport("error_log @dir@/error.json error format=json;"
                      + site(location="proxy_pass http://127.0.0.1:@port:nobody@;"))
    proxy.get("/x", fields=[("Referer", 'quote"d')])
    entry = json.loads(proxy.lines("error.json", count=1)[-1])
    assert entry["level"] == "error"
    assert entry["message"].startswith("connect() failed (111: Connection refused)")
    assert entry["client"] == "127.0.0.1"
    assert entry["request"] == "GET /x HTTP/1.1"
    assert entry["upstream"] == f"http://127.0.0.1:{proxy.port('nobody')}/x"
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", entry["time"])


def test_an_error_log_is_inherited_until_another_stands(sallyport):
    proxy = sallyport("""
        error_log @dir@/http.log error;
        server {
            listen 127.0.0.1:@port:http@;
            location /inherits { proxy_pass http://127.0.0.1:1; }
            location /own { error_log @dir@/own.log; proxy_pass http://127.0.0.1:1; }
        }
    """)
    for target in ("/inherits", "/own"):
        proxy.get(target)
    assert "connect() failed" in proxy.wait_for_line("http.log", "/inherits")
    assert "connect() failed" in proxy.wait_for_line("own.log", "/own")
    assert "/own" not in proxy.read("http.log")


def test_a_log_that_cannot_be_opened_is_an_error_at_load(sallyport):
    done = sallyport.make().check(site("access_log /no/such/folder/access.log;"))
    assert done.returncode == 1
    assert "/no/such/folder/access.log" in done.stderr
    assert "main.conf:" in done.stderr


# -- what must not stand there


def test_credentials_are_in_no_log_at_any_level(sallyport, make_backend):
    token = "PLANTED-TOKEN-7f3a"
    backend = make_backend(lambda request: response("x", fields=[("Set-Cookie", f"s={token}")])
                           if request.target == "/" else b"nonsense\r\n\r\n")
    proxy = sallyport("""
        log_format all '$http_authorization|$http_cookie|$cookie_s|$sent_http_set_cookie|'
                       '$upstream_http_set_cookie|$upstream_cookie_s|$http_proxy_authorization|$uri';
        error_log @dir@/error.log debug;
        access_log @dir@/access.log all;
        access_log @dir@/combined.log;
    """ + site(location="proxy_pass http://@backend@;"), backend=backend)
    secrets = [("Authorization", f"Bearer {token}"), ("Cookie", f"s={token}"),
               ("Proxy-Authorization", f"Basic {token}")]
    proxy.get("/", fields=secrets)
    proxy.get("/fails", fields=secrets)
    with proxy.client() as client:
        client.send(f"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\nBad Name: x\r\n\r\n")
        assert client.response().status == 400
    proxy.stop()
    assert backend.requests[0].field("Authorization") == f"Bearer {token}", "forwarded it is"
    assert "[redacted]" in proxy.read("access.log")
    for path in proxy.folder.rglob("*"):
        if path.is_file() and "conf/" not in str(path):
            assert token.encode() not in path.read_bytes(), path


def test_a_format_that_names_credentials_warns_at_load(sallyport):
    done = sallyport.make().check(site("access_log @dir@/a.log mine;",
                                       http="log_format mine '$http_authorization';"))
    assert done.returncode == 0
    assert "[warn]" in done.stderr and "http_authorization" in done.stderr
