"""What the backend is sent, and what of its answer the client gets."""
import socket
import threading

import pytest

from support import wait_for
from support.backend import response


def site(directives, *, outside="", server=""):
    """A plain server with one location."""
    return f"""
        {outside}
        server {{
            listen 127.0.0.1:@port:http@;
            {server}
            location / {{ {directives} }}
        }}
    """


PASS = "proxy_pass http://@backend@;"


# -- what URI goes to the backend


@pytest.mark.parametrize("location, target, asked, forwarded", [
    ("/", "http://@backend@", "/a/b?c=d", "/a/b?c=d"),
    ("/app/", "http://@backend@", "/app/x?y", "/app/x?y"),
    ("/app/", "http://@backend@/", "/app/x?y", "/x?y"),
    ("/app/", "http://@backend@/base/", "/app/x/z?y", "/base/x/z?y"),
    ("/app", "http://@backend@/base", "/app/x", "/base/x"),
    ("/app", "http://@backend@/base", "/app2", "/base2"),
    ("/app", "http://@backend@/", "/app", "/"),
    ("= /one", "http://@backend@/two?fixed=1", "/one?asked=2", "/two?fixed=1?asked=2"),
    ("/app/", "http://@backend@", "/app/%41%20b", "/app/%41%20b"),
    ("/app/", "http://@backend@", "/app//x", "/app/x"),
    ("/app/", "http://@backend@", "/app/./x/../y", "/app/y"),
    ("/app/", "http://@backend@/base/", "/app/a%20b%3Fc", "/base/a%20b%3Fc"),
    ("/app/", "http://@backend@/base/", "/app/caf%C3%A9", "/base/caf%C3%A9"),
    ("/", "http://@backend@$request_uri", "/a%2Fb?c", "/a%2Fb?c"),
    ("/", "http://@backend@$uri$is_args$args", "/a?c=1", "/a?c=1"),
    ("/", "http://@backend@/fixed?host=$host", "/a?c=1", "/fixed?host=example.com"),
    ("~ ^/re/(.*)$", "http://@backend@/got/$1?$args", "/re/x/y?z=1", "/got/x/y?z=1"),
    ("~ ^/re/", "http://@backend@", "/re/x?z=1", "/re/x?z=1"),
    ("/", "http://$arg_to", "/a?to=@backend@", "/a?to=@backend@"),
])
def test_the_uri_is_made_as_nginx_makes_it(sallyport, backend, location, target, asked, forwarded):
    proxy = sallyport(f"""
        server {{
            listen 127.0.0.1:@port:http@;
            location {location} {{ proxy_pass {target}; }}
        }}
    """, backend=backend)
    assert proxy.get(proxy.fill_in(asked)).status == 200
    assert backend.last.target == proxy.fill_in(forwarded)


def test_proxy_pass_with_a_uri_is_refused_in_a_regex_location(sallyport):
    done = sallyport.make().check("""
        server { listen 127.0.0.1:@port:http@; location ~ x { proxy_pass http://127.0.0.1:1/uri; } }
    """)
    assert done.returncode == 1
    assert '"proxy_pass" cannot have URI part in location given by regular expression' in done.stderr


def test_a_variable_may_name_a_group(sallyport, backend):
    proxy = sallyport(site("proxy_pass http://$arg_group;",
                           outside="upstream group_a { server @backend@; }"), backend=backend)
    assert proxy.get("/x?group=group_a").status == 200
    assert proxy.get("/x?group=no-such-group.invalid").status == 502
    assert len(backend.requests) == 1


def test_backends_on_unix_sockets(sallyport, make_backend, open_folder):
    backend = make_backend(unix=open_folder / "backend.sock")
    (open_folder / "backend.sock").chmod(0o777)
    proxy = sallyport(f"""
        upstream group {{ server unix:{backend.unix}; }}
        server {{
            listen 127.0.0.1:@port:http@;
            location / {{ proxy_pass http://unix:{backend.unix}; }}
            location /uri/ {{ proxy_pass http://unix:{backend.unix}:/other/; }}
            location /group/ {{ proxy_pass http://group; }}
        }}
    """)
    assert [proxy.get(target).status for target in ("/x", "/uri/y", "/group/z")] == [200] * 3
    assert [seen.target for seen in backend.requests] == ["/x", "/other/y", "/group/z"]
    assert [seen.field("Host") for seen in backend.requests] == ["localhost", "localhost", "group"]


# -- headers toward the backend


def test_the_default_headers_are_nginx_s_but_for_the_kept_connection(sallyport, backend):
    proxy = sallyport(site(PASS), backend=backend)
    proxy.get("/", host="example.com", fields=[("X-A", "1"), ("X-A", "2"), ("Accept", "x/y")])
    seen = backend.last
    assert seen.line == "GET / HTTP/1.1"
    assert seen.all("Host") == [str(backend)], "$proxy_host"
    assert seen.all("X-A") == ["1", "2"]
    assert seen.field("Accept") == "x/y"


def test_hop_by_hop_headers_stay_here(sallyport, backend):
    proxy = sallyport(site(PASS), backend=backend)
    proxy.get("/", fields=[
        ("Connection", "close, X-Named, Keep-Alive"), ("Keep-Alive", "timeout=5"),
        ("X-Named", "gone"), ("TE", "trailers"), ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authorization", "Basic eA=="), ("Upgrade", "foo"), ("X-Stays", "here")])
    for name in ("Keep-Alive", "X-Named", "Proxy-Connection", "Upgrade"):
        assert backend.last.all(name) == [], name
    assert "close" not in (backend.last.field("Connection") or "")
    assert backend.last.field("X-Stays") == "here"


def test_connection_cannot_name_headers_that_matter(sallyport, backend):
    proxy = sallyport(site(PASS + "proxy_set_header X-Real-IP $remote_addr;"
                                  "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"),
                      backend=backend)
    with proxy.client() as client:
        answer = client.request("POST", "/", host="a", body=b"abc", fields=[
            ("Connection", "X-Real-IP, X-Forwarded-For, Content-Length, Host, Authorization, Cookie"),
            ("Authorization", "Basic eDp5"), ("Cookie", "a=b")])
    if answer.status == 400:
        return  # refusing such a list is as safe
    seen = backend.last
    assert seen.field("X-Real-IP") == "127.0.0.1"
    assert seen.field("X-Forwarded-For") == "127.0.0.1"
    assert seen.body == b"abc" and seen.field("Host")
    assert seen.field("Authorization") == "Basic eDp5" and seen.field("Cookie") == "a=b"


def test_proxy_set_header_sets_replaces_and_removes(sallyport, backend):
    proxy = sallyport(site(PASS + """
        proxy_set_header X-New "$scheme://$host$request_uri";
        proxy_set_header accept replaced/type;
        proxy_set_header Accept-Encoding "";
        proxy_set_header X-Empty $arg_none;
        proxy_set_header X-Twice 1;
        proxy_set_header X-Twice 2;
        proxy_set_header Host $http_host;
    """), backend=backend)
    proxy.get("/p?q", host="example.com:99", fields=[
        ("Accept", "a/b"), ("Accept-Encoding", "gzip"), ("X-New", "client's")])
    seen = backend.last
    assert seen.all("X-New") == ["http://example.com/p?q"]
    assert seen.all("Accept") == ["replaced/type"]
    assert seen.all("Accept-Encoding") == []
    assert seen.all("X-Empty") == []
    assert seen.all("X-Twice") == ["1", "2"]
    assert seen.all("Host") == ["example.com:99"]


def test_proxy_set_header_is_inherited_only_where_none_stands(sallyport, backend):
    proxy = sallyport("""
        proxy_set_header X-Http http;
        server {
            listen 127.0.0.1:@port:http@;
            proxy_set_header X-Server server;
            location /inherits { proxy_pass http://@backend@; }
            location /own { proxy_pass http://@backend@; proxy_set_header X-Own own; }
        }
        server {
            listen 127.0.0.1:@port:http@;
            server_name second;
            location / { proxy_pass http://@backend@; }
        }
    """, backend=backend)

    def seen(target, host="first"):
        proxy.get(target, host=host)
        return [name for name, _ in backend.last.fields if name.startswith("X-")]

    assert seen("/inherits") == ["X-Server"]
    assert seen("/own") == ["X-Own"]
    assert seen("/", host="second") == ["X-Http"]


def test_proxy_http_version_1_0(sallyport, backend):
    proxy = sallyport(site(PASS + "proxy_http_version 1.0;"), backend=backend)
    proxy.get("/")
    assert backend.last.line == "GET / HTTP/1.0"


# -- whom to believe about the client


def test_trusted_proxies_may_say_who_asked(sallyport, backend):
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            trusted_proxies 127.0.0.1;
            location / {
                proxy_pass http://@backend@;
                proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            }
        }
        server {
            listen 127.0.0.1:@port:http@;
            server_name stranger;
            trusted_proxies 192.0.2.0/24;
            location / {
                proxy_pass http://@backend@;
                proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                proxy_set_header X-Saw $http_x_forwarded_for;
            }
        }
    """, backend=backend)
    claims = [("X-Forwarded-For", "203.0.113.5"), ("X-Forwarded-Host", "front.example"),
              ("Forwarded", "for=203.0.113.5"), ("X-Forwarded-Proto", "https")]
    proxy.get("/", fields=claims)
    assert backend.last.all("X-Forwarded-For") == ["203.0.113.5, 127.0.0.1"]
    assert backend.last.all("X-Forwarded-Host") == ["front.example"]
    assert backend.last.all("Forwarded") == ["for=203.0.113.5"]
    proxy.get("/", host="stranger", fields=claims)
    assert backend.last.all("X-Forwarded-For") == ["127.0.0.1"]
    assert backend.last.all("X-Forwarded-Host") == backend.last.all("Forwarded") == []
    assert backend.last.all("X-Saw") == ["203.0.113.5"], "$http_* shows what arrived"


REAL_IP = """
    set_real_ip_from 127.0.0.1;
    set_real_ip_from 10.0.0.0/8;
    {extra}
    return 200 "$remote_addr $realip_remote_addr";
"""


@pytest.mark.parametrize("extra, fields, client", [
    ("real_ip_header X-Real-IP;", [("X-Real-IP", "203.0.113.9")], "203.0.113.9"),
    ("", [("X-Real-IP", "203.0.113.9")], "203.0.113.9"),
    ("", [], "127.0.0.1"),
    ("", [("X-Real-IP", "nonsense")], "127.0.0.1"),
    ("real_ip_header X-Forwarded-For;", [("X-Forwarded-For", "203.0.113.1, 10.1.1.1")], "10.1.1.1"),
    ("real_ip_header X-Forwarded-For; real_ip_recursive on;",
     [("X-Forwarded-For", "198.51.100.1, 203.0.113.1, 10.1.1.1")], "203.0.113.1"),
    ("real_ip_header X-Forwarded-For; real_ip_recursive on;",
     [("X-Forwarded-For", "198.51.100.1, 203.0.113.1"), ("X-Forwarded-For", "10.1.1.1")],
     "203.0.113.1"),
    ("real_ip_header X-Forwarded-For; real_ip_recursive on;",
     [("X-Forwarded-For", "10.2.2.2, 10.1.1.1")], "10.2.2.2"),
    ("real_ip_header X-Mine;", [("X-Mine", "2001:db8::1")], "2001:db8::1"),
    ("real_ip_header X-Forwarded-For;", [("X-Forwarded-For", "203.0.113.1:1234")], "203.0.113.1"),
])
def test_set_real_ip_from(sallyport, extra, fields, client):
    proxy = sallyport(site("", server=REAL_IP.format(extra=extra)))
    assert proxy.get("/", fields=fields).text == f"{client} 127.0.0.1"


def test_a_stranger_s_real_ip_header_means_nothing(sallyport):
    proxy = sallyport(site("", server='set_real_ip_from 192.0.2.1; return 200 "$remote_addr";'))
    assert proxy.get("/", fields=[("X-Real-IP", "203.0.113.9")]).text == "127.0.0.1"


# -- bodies of requests


def chunked(*pieces, trailers=""):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + (
        b"0\r\n" + trailers.encode() + b"\r\n")


@pytest.mark.parametrize("buffering", ["on", "off"])
def test_bodies_arrive_whole_both_ways_of_framing(sallyport, backend, buffering):
    proxy = sallyport(site(f"{PASS} proxy_request_buffering {buffering}; client_max_body_size 0;"),
                      backend=backend)
    body = bytes(range(256)) * 2000
    with proxy.client() as client:
        assert client.request("POST", "/length", body=body).status == 200
        client.send("POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(chunked(body[:1], body[1:70000], body[70000:]))
        assert client.response().status == 200
        assert client.request("PUT", "/empty", body=b"").status == 200
        assert client.get("/none").status == 200
    by_target = {seen.target: seen for seen in backend.wait_for_requests(4)}
    assert by_target["/length"].body == by_target["/chunked"].body == body
    assert by_target["/length"].field("Content-Length") == str(len(body))
    assert by_target["/empty"].field("Content-Length") == "0"
    assert by_target["/none"].field("Content-Length") is None
    for seen in backend.requests:
        assert len(seen.all("Content-Length")) + len(seen.all("Transfer-Encoding")) <= 1


def test_with_request_buffering_the_backend_hears_nothing_before_the_body_is_whole(
        sallyport, backend):
    proxy = sallyport(site(PASS), backend=backend)
    with proxy.client() as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        assert proxy.get("/other").status == 200
        assert [seen.target for seen in backend.requests] == ["/other"]
        client.send("def")
        assert client.response().status == 200
    assert backend.last.body == b"abcdef"


def test_without_request_buffering_the_body_streams(sallyport, make_backend):
    arrived = []

    def serve(connection):
        arrived.append(connection.read_head())
        arrived.append(connection.take(3))
        connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        arrived.append(connection.take(3))
        connection.send(response("done"))
        connection.receive()

    backend = make_backend(serve=serve)
    proxy = sallyport(site(PASS + "proxy_request_buffering off;"), backend=backend)
    with proxy.client() as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        wait_for(lambda: len(arrived) >= 2, "the first half of the body")
        assert arrived[1] == b"abc"
        client.send("def")
        assert client.response().text == "done"
    assert arrived[2] == b"def"


@pytest.mark.parametrize("buffering", ["on", "off"])
def test_too_large_a_body_is_a_413(sallyport, backend, buffering):
    proxy = sallyport(site(f"{PASS} client_max_body_size 10; proxy_request_buffering {buffering};"),
                      backend=backend)
    with proxy.client() as client:
        assert client.request("POST", "/fits", body=b"0123456789").status == 200
    with proxy.client() as client:
        client.send("POST /by-length HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n")
        assert client.response().status == 413
    with proxy.client() as client:
        client.send("POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(chunked(b"012345", b"67890"))
        assert client.response().status == 413
    finished = [seen.target for seen in backend.requests]
    assert finished == ["/fits"]


def test_expect_100_continue_is_answered_before_the_body_is_sent(sallyport, backend):
    proxy = sallyport(site(PASS + "client_max_body_size 10;"), backend=backend)
    with proxy.client() as client:
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert client.response(interim=True).status == 100
        client.send("abc")
        assert client.response(interim=True).status == 200
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n"
                    "Expect: 100-continue\r\n\r\n")
        assert client.response(interim=True).status == 413, "no 100 for what is refused"
    assert backend.last.body == b"abc"


def test_other_expectations_are_not_for_us_and_not_passed_on(sallyport, backend):
    """RFC 9110 §10.1.1 lets a server answer 417 or ignore them, as nginx does."""
    proxy = sallyport(site(PASS), backend=backend)
    assert proxy.get("/", fields=[("Expect", "miracles")]).status == 200
    assert backend.last.field("Expect") is None


def test_trailers_go_both_ways(sallyport, make_backend):
    backend = make_backend(lambda request: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        + chunked(b"abc", trailers="X-Sum: 42\r\n")))
    proxy = sallyport(site(PASS + "proxy_request_buffering off;"), backend=backend)
    with proxy.client() as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n"
                    "Connection: TE\r\nTrailer: X-Check\r\n\r\n")
        client.send(chunked(b"body", trailers="X-Check: 7\r\n"))
        answer = client.response()
        assert answer.body == b"abc"
        assert client.trailers == ["X-Sum: 42"]
    assert backend.last.body == b"body"
    assert backend.last.trailers == ["X-Check: 7"]


def test_a_length_in_trailers_is_never_passed_on(sallyport, make_backend):
    backend = make_backend(lambda request: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunked(b"abc", trailers="Content-Length: 0\r\nX-Fine: 1\r\n")))
    proxy = sallyport(site(PASS), backend=backend)
    with proxy.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head, _, rest = client.receive_all().partition(b"\r\n\r\n")
    assert b"Content-Length" not in rest
    assert b" 502 " in head or not rest.endswith(b"0\r\n\r\n"), "and no orderly end is feigned"
    proxy.wait_for_error("upstream")


# -- answers


def test_chunked_answers_stay_chunked_and_http_1_0_clients_get_them_plain(sallyport, make_backend):
    backend = make_backend(lambda _: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                           + chunked(b"hello ", b"world"))
    proxy = sallyport(site(PASS), backend=backend)
    with proxy.client() as client:
        answer = client.get("/")
        assert answer.field("Transfer-Encoding") == "chunked"
        assert answer.text == "hello world"
        assert client.get("/").text == "hello world"
    with proxy.client() as client:
        client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        answer = client.response()
        assert answer.field("Transfer-Encoding") is None
        assert answer.status_line.startswith("HTTP/1.1 200")
        assert answer.text == "hello world"
        assert client.is_closed()


def test_http_1_0_clients_may_keep_their_connection(sallyport, backend):
    proxy = sallyport(site(PASS), backend=backend)
    with proxy.client() as client:
        for _ in range(2):
            client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            answer = client.response()
            assert answer.status == 200
            assert answer.field("Connection").lower() == "keep-alive"


def test_an_answer_that_ends_with_the_connection_is_passed_on_whole(sallyport, make_backend):
    def serve(connection):
        connection.read_request()
        connection.send("HTTP/1.0 200 OK\r\nX-Old: yes\r\n\r\nuntil the end")

    proxy = sallyport(site(PASS), backend=make_backend(serve=serve))
    with proxy.client() as client:
        answer = client.get("/")
        assert answer.text == "until the end"
        assert answer.field("X-Old") == "yes"
        assert client.get("/").status == 200, "chunked toward the client, so the connection lives"


def test_an_answer_cut_short_is_cut_short_for_the_client_too(sallyport, make_backend):
    backend = make_backend(serve=lambda connection: (
        connection.read_request(),
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")))
    proxy = sallyport(site(PASS), backend=backend)
    with proxy.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.receive_until(b"\r\n\r\n")
        assert client.receive_all() == b"only this"
    assert "prematurely closed" in proxy.wait_for_error("prematurely closed")


def test_head_has_the_headers_and_no_body(sallyport, make_backend):
    backend = make_backend(response("a body of some length"))
    proxy = sallyport(site(PASS), backend=backend)
    with proxy.client() as client:
        answer = client.request("HEAD", "/")
        assert answer.field("Content-Length") == "21"
        assert client.get("/").text == "a body of some length"
    assert backend.requests[0].method == "HEAD"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_without_bodies(sallyport, make_backend, status):
    backend = make_backend(lambda request: response("x") if request.target == "/next" else
                           f"HTTP/1.1 {status}\r\nETag: \"e\"\r\n\r\n".encode())
    proxy = sallyport(site(PASS), backend=backend)
    with proxy.client() as client:
        answer = client.get("/")
        assert answer.status_line == f"HTTP/1.1 {status}"
        assert answer.field("ETag") == '"e"'
        assert answer.field("Transfer-Encoding") is None
        assert client.get("/next").text == "x"
    assert len(backend.connections) == 1


def test_early_hints_are_passed_on(sallyport, make_backend):
    backend = make_backend(lambda _: b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
                           + response("after"))
    proxy = sallyport(site(PASS), backend=backend)
    with proxy.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        hint = client.response(interim=True)
        assert hint.status == 103
        assert hint.field("Link") == "</a.css>; rel=preload"
        assert client.response(interim=True).text == "after"
    with proxy.client() as client:
        client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        assert client.response(interim=True).status == 200, "HTTP/1.0 knows no 1xx"


@pytest.mark.parametrize("buffering", ["on", "off"])
def test_an_answer_may_come_while_the_body_still_arrives(sallyport, make_backend, buffering):
    def serve(connection):
        connection.read_head()
        connection.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        connection.receive()

    proxy = sallyport(site(PASS + f"proxy_request_buffering off; proxy_buffering {buffering};"),
                      backend=make_backend(serve=serve))
    with proxy.client() as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nfirst")
        answer = client.response()
        assert (answer.status, answer.text) == (403, "no")


def test_proxy_buffering_off_sends_the_first_byte_at_once(sallyport, make_backend):
    """Server-sent events: each is with the client before the next is made."""
    events = []

    def serve(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            events.append(number)
            connection.send(chunked(f"data: {number}\n\n".encode())[:-5])
            go_on[number].wait(10)
        connection.send("0\r\n\r\n")

    go_on = [threading.Event() for _ in range(3)]
    proxy = sallyport(site(PASS + "proxy_buffering off;"), backend=make_backend(serve=serve))
    with proxy.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        for number in range(3):
            client.receive_until(f"data: {number}\n\n".encode())
            assert events[-1] == number
            go_on[number].set()
        client.receive_until(b"0\r\n\r\n")


def test_x_accel_buffering_no_does_the_same(sallyport, make_backend):
    seen = threading.Event()

    def serve(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\nContent-Length: 4\r\n\r\nab")
        seen.wait(10)
        connection.send("cd")

    proxy = sallyport(site(PASS), backend=make_backend(serve=serve))
    with proxy.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.receive_until(b"ab")
        seen.set()
        client.receive_until(b"cd")


def test_large_bodies_both_ways(sallyport, make_backend):
    big = bytes(range(256)) * 40000  # 10 MB
    backend = make_backend(lambda request: response(request.body))
    proxy = sallyport(site(PASS + "client_max_body_size 0;"), backend=backend)
    with proxy.client(within=30) as client:
        assert client.request("POST", "/", body=big).body == big


# -- headers of answers


def test_hidden_headers_and_those_passed_after_all(sallyport, make_backend):
    fields = [("Server", "origin/1"), ("Date", "Mon, 01 Jan 2024 00:00:00 GMT"), ("X-Pad", "p"),
              ("X-Accel-Expires", "5"), ("X-Powered-By", "PHP"), ("X-Other", "o")]
    backend = make_backend(response("x", fields=fields))
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            location /default { proxy_pass http://@backend@; }
            location /hidden { proxy_pass http://@backend@; proxy_hide_header x-powered-by;
                               proxy_hide_header X-Other; }
            location /passed { proxy_pass http://@backend@; proxy_pass_header Server;
                               proxy_pass_header Date; proxy_pass_header X-Accel-Expires; }
        }
    """, backend=backend)
    answer = proxy.get("/default")
    assert answer.field("Server") == "sallyport"
    assert len(answer.all("Date")) == 1 and "2024" not in answer.field("Date")
    assert answer.field("X-Pad") is None and answer.field("X-Accel-Expires") is None
    assert answer.field("X-Powered-By") == "PHP"
    answer = proxy.get("/hidden")
    assert answer.field("X-Powered-By") is None and answer.field("X-Other") is None
    answer = proxy.get("/passed")
    assert answer.all("Server") == ["origin/1"]
    assert answer.all("Date") == ["Mon, 01 Jan 2024 00:00:00 GMT"]
    assert answer.field("X-Accel-Expires") == "5"
    assert answer.field("X-Pad") is None


def test_hop_by_hop_headers_of_answers_stay_here(sallyport, make_backend):
    backend = make_backend(response("x", fields=[
        ("Connection", "close, X-Named"), ("Keep-Alive", "timeout=1"), ("X-Named", "gone"),
        ("Proxy-Authenticate", "Basic"), ("X-Stays", "here")]))
    proxy = sallyport(site(PASS), backend=backend)
    answer = proxy.get("/")
    assert answer.field("X-Named") is None and answer.field("Keep-Alive") is None
    assert "X-Named" not in (answer.field("Connection") or "")
    assert answer.field("X-Stays") == "here"


def test_add_header_only_with_success_unless_always(sallyport, make_backend):
    backend = make_backend(lambda request: response("x", status=f"{request.target[1:]} Status"))
    proxy = sallyport(site(PASS + """
        add_header X-Good "$status $uri";
        add_header X-Always "$upstream_status" always;
        add_header X-Empty "";
    """), backend=backend)
    for status in (200, 201, 206, 301, 302, 303, 307, 308):
        answer = proxy.get(f"/{status}")
        assert answer.field("X-Good") == f"{status} /{status}"
        assert answer.field("X-Always") == f"{status}"
        assert answer.field("X-Empty") is None
    for status in (400, 404, 500, 503):
        answer = proxy.get(f"/{status}")
        assert answer.field("X-Good") is None
        assert answer.field("X-Always") == f"{status}"


def test_add_header_is_inherited_only_where_none_stands(sallyport):
    proxy = sallyport("""
        add_header X-Level http;
        server {
            listen 127.0.0.1:@port:http@;
            add_header X-Level server;
            add_header X-Second second;
            location /inherits { return 200; }
            location /own { add_header X-Own own; return 200;
                location /own/nested { return 200; } }
        }
    """)
    assert proxy.get("/inherits").all("X-Level") == ["server"]
    assert proxy.get("/inherits").field("X-Second") == "second"
    for target in ("/own", "/own/nested"):
        answer = proxy.get(target)
        assert (answer.field("X-Level"), answer.field("X-Own")) == (None, "own")


@pytest.mark.parametrize("directive, given, got", [
    ("proxy_redirect ~b /short;", "http://a.test/b/c", "http://example.com:@front@/short"),
    ("", "http://@backend@/x", "http://example.com:@front@/app/x"),
    ("proxy_redirect default;", "http://@backend@/x", "http://example.com:@front@/app/x"),
    ("proxy_redirect off;", "http://@backend@/x", "http://@backend@/x"),
    ("", "http://elsewhere.test/x", "http://elsewhere.test/x"),
    ("", "/relative", "/relative"),
    ("proxy_redirect http://a.test/ http://b.test/;", "http://a.test/x", "http://b.test/x"),
    ("proxy_redirect http://a.test/ /there/;", "http://a.test/x",
     "http://example.com:@front@/there/x"),
    ("proxy_redirect http://$proxy_host/ https://$host/;", "http://@backend@/x",
     "https://example.com/x"),
    ("proxy_redirect ~^http://([^/]+)/(.*)$ https://$1.proxied/$2;", "http://a.test/b/c",
     "https://a.test.proxied/b/c"),
    ("proxy_redirect ~*^HTTP://A\\.TEST/ /up/;", "http://a.test/", "http://example.com:@front@/up/"),
    ("proxy_redirect http://no.match/ /; proxy_redirect http://a.test/ http://second.test/;",
     "http://a.test/z", "http://second.test/z"),
])
def test_proxy_redirect(sallyport, make_backend, directive, given, got):
    backend = make_backend(lambda _: response("", status="302 Found", fields=[
        ("Location", given.replace("@backend@", str(backend))),
        ("Refresh", "5; url=" + given.replace("@backend@", str(backend)))]))
    proxy = sallyport(f"""
        server {{
            listen 127.0.0.1:@port:http@;
            location /app/ {{ proxy_pass http://@backend@/; {directive} }}
        }}
    """, backend=backend)
    front = str(proxy.port("http"))
    answer = proxy.get("/app/", host=f"example.com:{front}")
    wanted = got.replace("@front@", front).replace("@backend@", str(backend))
    assert answer.field("Location") == wanted


# -- when it goes wrong


def test_nobody_listening_is_a_502(sallyport):
    proxy = sallyport(site("proxy_pass http://127.0.0.1:@port:nobody@;"))
    answer = proxy.get("/")
    assert answer.status == 502
    assert "502 Bad Gateway" in answer.text
    log = proxy.wait_for_error("connect() failed (111: Connection refused) while connecting to upstream")
    assert f'upstream: "http://127.0.0.1:{proxy.port("nobody")}/"' in log


@pytest.mark.parametrize("answer", [
    b"", b"nonsense\r\n\r\n", b"HTTP/1.1 99 Low\r\n\r\n", b"HTTP/2.0 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx", b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
])
def test_what_is_no_answer_is_a_502_with_a_reason(sallyport, make_backend, answer):
    def serve(connection):
        connection.read_request()
        connection.send(answer)

    proxy = sallyport(site(PASS), backend=make_backend(serve=serve))
    got = proxy.get("/")
    assert got.status == 502
    assert "upstream: " in proxy.wait_for_error("[error]")


def test_a_silent_backend_is_a_504(sallyport, make_backend):
    backend = make_backend(serve=lambda connection: (connection.read_request(), connection.receive()))
    proxy = sallyport(site(PASS + "proxy_read_timeout 100ms;"), backend=backend)
    assert proxy.get("/").status == 504
    proxy.wait_for_error("upstream timed out (110: Connection timed out) while reading response header")


def test_a_backend_that_never_accepts_is_a_504(sallyport):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        queued = [socket.socket() for _ in range(4)]
        for one in queued:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        proxy = sallyport(site(f"proxy_pass http://127.0.0.1:{full.getsockname()[1]};"
                               "proxy_connect_timeout 200ms;"))
        assert proxy.get("/").status == 504
        proxy.wait_for_error("upstream timed out (110: Connection timed out) while connecting")
        for one in queued:
            one.close()


def test_a_backend_that_takes_nothing_is_a_504(sallyport, make_backend):
    done = threading.Event()
    backend = make_backend(serve=lambda connection: (connection.read_head(), done.wait(60)))
    proxy = sallyport(site(PASS + "proxy_send_timeout 100ms; client_max_body_size 0;"),
                      backend=backend)
    with proxy.client(within=30) as client:
        answer = client.request("POST", "/", body=b"x" * 20_000_000)
        done.set()
        assert answer.status == 504
    proxy.wait_for_error("while sending request to upstream")


def test_a_client_that_goes_away_cancels_the_backend_s_request(sallyport, make_backend):
    def serve(connection):
        connection.read_request()
        connection.receive()  # until the proxy closes

    backend = make_backend(serve=serve)
    proxy = sallyport(site(PASS) + "", backend=backend)
    client = proxy.client()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(lambda: backend.connections and b"\r\n\r\n" in backend.connections[0].received,
             "the request")
    client.close()
    wait_for(lambda: backend.connections[0].closed, "the backend's connection to be closed")


def test_error_pages_don_t_tell_the_version(sallyport):
    proxy = sallyport(site("proxy_pass http://127.0.0.1:@port:nobody@;"))
    answer = proxy.get("/")
    assert answer.field("Server") == "sallyport"
    assert "<center>sallyport</center>" in answer.text
    assert answer.field("Content-Type") == "text/html"


def test_curl_in_http_1_0_and_with_a_chunked_body(sallyport, backend):
    proxy = sallyport(site(PASS), backend=backend)
    assert proxy.curl("/x", "--http1.0").stdout == "hello from the backend\n"
    proxy.curl("/x", "-d", "some words", "-H", "Transfer-Encoding: chunked")
    assert backend.last.body == b"some words"
