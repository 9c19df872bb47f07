"""What clients are told of errors: statuses, reason phrases, default pages, connections. Asked of nginx, too."""
import re
import threading

import pytest

from support.backend import response
from support.compare import Pair

# nginx ends the connection after 408 and 499 without a word, and shows its page for 404 as that of 498.
ALL = [status for status in (*range(200, 210), *range(300, 309), *range(400, 432), *range(494, 498),
                             *range(500, 512), 599) if status != 408]
SERVERS = "server { listen 127.0.0.1:@port:http@; server_name example.com; keepalive_timeout 65; %s }" % "".join(
    f"location = /{status} {{ return {status}; }} location = /text/{status} {{ return {status} text; }}" for status in ALL)


@pytest.fixture(scope="module")
def pair(shared_sallyport, shared_nginx, shared_open_folder):
    return Pair(shared_sallyport, shared_nginx, SERVERS, shared_open_folder)


def told(program, target):
    """The status, the phrase, whether the connection ends, the type, and the page without the program's
    name below it. What nginx says of kept connections ("keep-alive") HTTP/1.1 takes for granted."""
    with program.client() as client:
        answer = client.request("GET", target, host="example.com")
    body = answer.text
    footer = re.search(r"<hr><center>.*</center>", body)
    shown = body.replace(footer.group(), "") if footer else body
    phrase = answer.status_line.split(" ", 2)[2]
    of_type = None if answer.status == 304 else answer.field("Content-Type")
    return answer.status, phrase, answer.field("Connection") == "close", of_type, shown, bool(footer)


def assert_same(pair, target):
    ours, theirs = told(pair.ours, target), told(pair.nginx, target)
    if theirs[1] == "":  # nginx knows few phrases, and a phrase is for people
        ours = (ours[0], "", *ours[2:])
    if theirs[4] == "":  # nor has it pages for all of them
        ours = (*ours[:3], theirs[3], "", theirs[5])
    assert ours == theirs


@pytest.mark.parametrize("status", ALL)
def test_a_status_has_nginx_s_phrase_and_page(pair, status):
    assert_same(pair, f"/{status}")


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 404, 494, 495, 496, 497, 500, 503])
def test_a_text_stands_for_the_page(pair, status):
    assert_same(pair, f"/text/{status}")


def test_head_has_the_head_of_the_page(pair):
    for status in (200, 404, 503):
        with pair.ours.client() as client:
            answer = client.request("HEAD", f"/{status}", host="example.com")
            length = answer.field("Content-Length")
            assert answer.body == b""
            assert len(client.request("GET", f"/{status}", host="example.com").body) == int(length or 0)


PHRASES = """
    location /large { client_max_body_size 1; root @dir@; }
    location /method { root @dir@/www; }
    location /late { proxy_read_timeout 200ms; proxy_pass http://@slow@; }
    location /gone { proxy_pass http://127.0.0.1:1; }
    location /closed { deny all; }
"""


@pytest.mark.parametrize("method, target, body, line, title", [
    ("POST", "/large", b"12", "413 Request Entity Too Large", "413 Request Entity Too Large"),
    ("POST", "/method/index.html", None, "404 Not Found", "404 Not Found"),
    ("PUT", "/method", None, "405 Not Allowed", "405 Not Allowed"),
    ("GET", "/late", None, "504 Gateway Time-out", "504 Gateway Time-out"),
    ("GET", "/gone", None, "502 Bad Gateway", "502 Bad Gateway"),
    ("GET", "/closed", None, "403 Forbidden", "403 Forbidden"),
    ("GET", "/none", None, "404 Not Found", "404 Not Found"),
    ("TRACE", "/", None, "405 Not Allowed", "405 Not Allowed"),
])
def test_what_happens_has_nginx_s_words(serve, make_backend, method, target, body, line, title):
    release = threading.Event()

    def wait(connection):
        connection.read_request()
        release.wait(20)

    program = serve(PHRASES, slow=make_backend(serve=wait))
    try:
        with program.client() as client:
            answer = client.request(method, target, host="example.com", body=body)
        assert answer.status_line == f"HTTP/1.1 {line}"
        assert f"<title>{title}</title>" in answer.text
        assert f"<center><h1>{title}</h1></center>" in answer.text
    finally:
        release.set()


def test_a_head_that_is_too_large_is_a_400(serve):
    program = serve("access_log @dir@/statuses.log statuses;", before="log_format statuses $status;")
    answer = program.get("/", fields=[("X", "x" * 20000)])
    assert answer.status_line == "HTTP/1.1 400 Bad Request"
    assert "<title>400 Request Header Or Cookie Too Large</title>" in answer.text
    program.wait_for_line("statuses.log", "400")
