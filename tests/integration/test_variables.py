"""Every variable, evaluated in a log and in headers, with the value that nginx gives it."""
import re
import socket

import pytest

from conftest import program_under_test
from support import Sallyport
from support.backend import Backend, response

TIME = r"\d+\.\d{3}"
# Name, what it must be (a regular expression) for the request below.
VARIABLES = [
    ("1", "deep"),
    ("2", "page"),
    ("named", "deep"),
    ("arg_a", "1"),
    ("arg_A", "1"),
    ("arg_missing", "-"),
    ("args", r"a=1&b=%20x&a=2"),
    ("query_string", r"a=1&b=%20x&a=2"),
    ("is_args", r"\?"),
    ("binary_remote_addr", re.escape(r"\x7F\x00\x00\x01")),
    ("body_bytes_sent", "25"),
    ("bytes_sent", r"\d{3}"),
    ("connection", r"[1-9]\d*"),
    ("connection_requests", "2"),
    ("connection_time", TIME),
    ("content_length", "4"),
    ("content_type", "text/sent"),
    ("cookie_none", "-"),
    ("date_gmt", r"[A-Z][a-z]+day, \d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d GMT"),
    ("date_local", r"[A-Z][a-z]+day, \d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d \S+"),
    ("document_uri", "/deep/page"),
    ("host", "example.com"),
    ("hostname", re.escape(socket.gethostname())),
    ("http_user_agent", "tester/1"),
    ("http_x_twice", "one, two"),
    ("http_host", r"Example\.com:\d+"),
    ("http_none", "-"),
    ("https", ""),
    ("is_request_port", ":"),
    ("msec", r"\d{10}\.\d{3}"),
    ("nginx_version", r"\d+\.\d+\.\d+"),
    ("pid", r"\d+"),
    ("pipe", r"\."),
    ("proxy_add_via", r".*1\.1 .*"),
    ("proxy_add_x_forwarded_for", r"127\.0\.0\.1"),
    ("proxy_host", r"127\.0\.0\.1:@backend@"),
    ("proxy_port", "@backend@"),
    ("proxy_protocol_addr", "-"),
    ("proxy_protocol_port", "-"),
    ("proxy_protocol_server_addr", "-"),
    ("proxy_protocol_server_port", "-"),
    ("proxy_protocol_tlv_alpn", "-"),
    ("realip_remote_addr", r"127\.0\.0\.1"),
    ("realip_remote_port", "@client@"),
    ("remote_addr", r"127\.0\.0\.1"),
    ("remote_port", "@client@"),
    ("request", r"POST /deep//page\?a=1&b=%20x&a=2 HTTP/1\.1"),
    ("request_completion", "OK"),
    ("request_id", "[0-9a-f]{32}"),
    ("request_length", r"@length@"),
    ("request_method", "POST"),
    ("request_port", "@http@"),
    ("request_time", TIME),
    ("request_uri", r"/deep//page\?a=1&b=%20x&a=2"),
    ("scheme", "http"),
    ("sent_http_x_mine", "yes"),
    ("sent_http_content_length", "-"),
    ("sent_http_content_type", "text/answer"),
    ("sent_http_none", "-"),
    ("sent_trailer_x_sum", "9"),
    ("server_addr", r"127\.0\.0\.1"),
    ("server_name", r"example\.com"),
    ("server_port", "@http@"),
    ("server_protocol", r"HTTP/1\.1"),
    ("status", "200"),
    ("time_iso8601", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"),
    ("time_local", r"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"),
    ("upstream_addr", r"127\.0\.0\.1:@backend@"),
    ("upstream_bytes_received", r"[1-9]\d*"),
    ("upstream_bytes_sent", r"[1-9]\d*"),
    ("upstream_connect_time", TIME),
    ("upstream_header_time", TIME),
    ("upstream_http_x_mine", "yes"),
    ("upstream_http_none", "-"),
    ("upstream_response_length", "5"),
    ("upstream_response_time", TIME),
    ("upstream_status", "200"),
    ("upstream_trailer_x_sum", "9"),
    ("uri", "/deep/page"),
]
SITE = """
    log_format all """ + "\n".join(f"'{name}=${{{name}}}\\n'" for name, _ in VARIABLES) + """;
    server {
        listen 127.0.0.1:@port:http@;
        server_name example.com www.example.com;
        location ~ ^/(?<named>deep)/(.*)$ {
            access_log @dir@/all.log all;
            proxy_pass http://@backend@;
        }
        location / { return 200; }
    }
"""


@pytest.fixture(scope="module")
def logged(authority):
    """name -> value, and what the marks stand for."""
    backend = Backend(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/answer\r\n"
        b"X-Mine: yes\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 9\r\n\r\n")
    program = Sallyport(authority)
    program.binary = program_under_test()
    try:
        program.start(SITE, backend=backend)
        with program.client() as client:
            client.get("/first")
            head = ("POST /deep//page?a=1&b=%20x&a=2 HTTP/1.1\r\n"
                    f"Host: Example.com:{program.port('http')}\r\nUser-Agent: tester/1\r\n"
                    "X-Twice: one\r\nX-Twice: two\r\nContent-Type: text/sent\r\n"
                    "Content-Length: 4\r\n\r\n")
            client.send(head + "body")
            assert client.response().text == "hello"
            marks = {"client": str(client.socket.getsockname()[1]), "backend": str(backend.port),
                     "http": str(program.port("http")), "length": str(len(head) + 4)}
        lines = program.lines("all.log", count=len(VARIABLES))
        program.stop()
    finally:
        program.kill()
        backend.stop()
        program.remove()
    return dict(line.split("=", 1) for line in lines if line), marks


@pytest.mark.parametrize("name, wanted", VARIABLES, ids=[name for name, _ in VARIABLES])
def test_its_value_in_a_log(logged, name, wanted):
    values, marks = logged
    wanted = re.sub(r"@(\w+)@", lambda mark: marks[mark[1]], wanted)
    assert re.fullmatch(wanted, values[name]), f"${name} is {values[name]!r}"


# -- the same in the headers that a backend gets


@pytest.mark.parametrize("value, seen", [
    ("$scheme://$host$request_uri", "https://example.com/p?q=1"),
    ("$https", "on"),
    ("${uri}x", "/px"),
    ("$request_method", "GET"),
    ("$cookie_session", "abc"),
    ("$http_cookie", "session=abc; other=1"),
    ("$server_port", "@https@"),
    ("$remote_addr", "127.0.0.1"),
    ("$proxy_add_x_forwarded_for", "127.0.0.1"),
    ("$arg_q$is_args$args", "1?q=1"),
    ("$server_name", "example.com"),
    ("$connection_requests", "1"),
    ("a$arg_none.b", "a.b"),
])
def test_its_value_in_a_header(sallyport, backend, value, seen):
    proxy = sallyport(f"""
        server {{
            listen 127.0.0.1:@port:https@ ssl;
            server_name example.com;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            location / {{ proxy_pass http://@backend@; proxy_set_header X-Value "{value}"; }}
        }}
    """, backend=backend)
    proxy.get("/p?q=1", fields=[("Cookie", "session=abc; other=1")])
    assert backend.last.field("X-Value") == seen.replace("@https@", str(proxy.port("https")))


@pytest.mark.parametrize("value, seen", [
    ("$upstream_cookie_session", "xyz"), ("$upstream_http_x_mine", "yes"), ("$upstream_status", "200"),
    ("$status", "200"), ("$sent_http_content_type", "text/answer"), ("$request_id$none_such", None),
])
def test_its_value_in_a_header_of_the_answer(sallyport, make_backend, value, seen):
    backend = make_backend(response("x", fields=[
        ("Set-Cookie", "session=xyz; Path=/"), ("X-Mine", "yes"), ("Content-Type", "text/answer")]))
    text = f"""
        server {{
            listen 127.0.0.1:@port:http@;
            location / {{ proxy_pass http://@backend@; add_header X-Value "{value}"; }}
        }}
    """
    if seen is None:
        done = sallyport.make().check(text, backend=backend)
        assert 'unknown "none_such" variable' in done.stderr
        return
    assert sallyport(text, backend=backend).get("/").field("X-Value") == seen


def test_upstream_variables_tell_of_every_attempt(sallyport, backend):
    proxy = sallyport("""
        log_format attempts '$upstream_addr|$upstream_status|$upstream_response_length|$upstream_connect_time';
        upstream group { server 127.0.0.1:@port:dead@; server @backend@; }
        server {
            listen 127.0.0.1:@port:http@;
            access_log @dir@/access.log attempts;
            location / { proxy_pass http://group; }
        }
    """, backend=backend)
    proxy.get("/")
    line = proxy.lines(count=1)[0]
    assert re.fullmatch(rf"127\.0\.0\.1:{proxy.port('dead')}, {backend}\|502, 200\|0, 23\|"
                        rf"-, {TIME}", line), line


def test_request_ids_differ_and_are_one_in_a_request(sallyport, backend):
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            location / {
                proxy_pass http://@backend@;
                proxy_set_header X-Request-ID $request_id;
                add_header X-Request-ID $request_id;
            }
        }
    """, backend=backend)
    answers = [proxy.get("/").field("X-Request-ID") for _ in range(3)]
    assert answers == [seen.field("X-Request-ID") for seen in backend.requests]
    assert len(set(answers)) == 3


def test_pid_is_a_process_of_the_program(sallyport):
    proxy = sallyport("server { listen 127.0.0.1:@port:http@; return 200 $pid; }")
    assert int(proxy.get("/").text) in proxy.processes()
