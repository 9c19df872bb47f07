"""error_page, try_files, internal, named locations, X-Accel-Redirect: where a request goes on when it
does not end where it was. Every case is asked of nginx, too."""
import pytest

from support.backend import response
from support.compare import Pair

SERVERS = r"""
    error_log logs/error.log info;
    server {
        listen 127.0.0.1:@port:http@;
        root @place@/html;
        error_page 404 /404.html;
        location / { }
        location = /method { return 200 "$request_method $uri $request_uri"; }

        # error_page
        location /own-code/ { error_page 404 =200 /404.html; }
        location /page-s-code/ { error_page 404 = /created; }
        location /created { return 201 "created"; }
        location /with-text/ { error_page 404 /says-text; }
        location /says-text { return 200 "text of $uri"; }
        location /to-url/ { error_page 404 http://other.test/missing; }
        location /to-url-301/ { error_page 404 =301 http://other.test/missing; }
        location /variables/ { error_page 404 /says-text?from=$uri; }
        location /with-args/ { error_page 404 /says-args?a=b; }
        location /says-args { return 200 "$uri $args"; }
        location /to-named/ { error_page 404 = @named; }
        location @named { return 200 "named: $uri $request_method"; }
        location /to-named-return/ { error_page 404 = @named; return 404; }
        location /to-named-kept/ { error_page 404 @named; }
        location /no-such-name/ { error_page 404 @missing; }
        location /no-such-page/ { error_page 404 /missing-too.html; }
        location /recursive/ { recursive_error_pages on; error_page 404 /recursive/step; }
        location /chain/ { recursive_error_pages on; error_page 404 /chain-2/x; }
        location /chain-2/ { recursive_error_pages on; error_page 404 /says-text; }
        location /none/ { error_page 403 /x; }
        location /forbidden/ { error_page 403 =402 /says-text; return 403; }
        location /return-text/ { error_page 404 /says-text; return 404 "own text"; }
        location /redirects/ { error_page 302 =200 /says-text; return 302 /x; }
        location /several/ { error_page 403 404 500 /says-text; return 500; }
        location /page-proxied/ { error_page 404 = /backend/page; return 404; }
        location /page-method/ { error_page 405 =200 /method; return 405; }
        location /large/ { client_max_body_size 10; error_page 413 /too-large; proxy_pass http://@backend@; }
        location /too-large { return 200 "too large: $request_method"; }

        # internal
        location /internal/ { internal; return 200 "internal $uri"; }
        location /into/ { rewrite ^/into/(.*)$ /internal/$1 last; }
        location /error-into/ { error_page 404 = /internal/error; return 404; }

        # try_files
        location /try/ { try_files $uri $uri/ /fallback?from=$uri; }
        location /fallback { return 200 "fallback $args"; }
        location /try-code/ { try_files $uri =410; }
        location /try-named/ { try_files $uri @named; }
        location /try-other/ { try_files /files/a.txt =404; }
        location /try-directory/ { try_files $uri/ =404; }
        location /try-alias/ { alias @place@/html/files/; try_files $uri /try-alias/a.txt =404; }
        location /try-pass/ { try_files /none @to_backend; }
        location @to_backend { proxy_pass http://@backend@; }

        # from a backend
        location /backend/ { proxy_pass http://@backend@; }
        location /accel/ { proxy_pass http://@backend@; add_header X-Here outer; }
        location /protected/ { internal; alias @place@/html/files/; add_header X-Here inner; }
        location /intercept/ {
            proxy_intercept_errors on;
            error_page 401 402 404 503 /says-text;
            proxy_pass http://@backend@;
        }
        location /intercept-named/ {
            proxy_intercept_errors on;
            recursive_error_pages on;
            error_page 503 = @second;
            proxy_pass http://@backend@;
        }
        location @second { proxy_pass http://@other@; }
        location /intercept-off/ { error_page 404 /says-text; proxy_pass http://@backend@; }
        location /dead/ { error_page 502 =200 /says-text; proxy_pass http://127.0.0.1:1; }
        location /dead-then/ { error_page 502 = @second; proxy_pass http://127.0.0.1:1; }
    }
"""


def answers(request):
    """The status that the path asks for, or an X-Accel-Redirect."""
    path = request.target.partition("?")[0]
    if path.startswith("/accel/"):
        target = {"file": "/protected/a.txt", "named": "@named", "none": "/protected/none",
                  "unsafe": "/protected/../../secret", "escaped": "/protected/a%2etxt",
                  "args": "/says-args?x=1"}[path.rpartition("/")[2]]
        return response("not for clients", fields=[
            ("X-Accel-Redirect", target), ("Content-Type", "text/of-backend"), ("X-Other", "gone"),
            ("Set-Cookie", "a=b"), ("Content-Disposition", "attachment"), ("Cache-Control", "no-store")])
    status = path.rpartition("/")[2]
    lines = f"{request.method} {request.target} [{request.body.decode()}]"
    if not status.isdigit():
        return response(lines)
    fields = [("WWW-Authenticate", "Basic realm=backend")] if status == "401" else []
    return response(lines, status=f"{status} Some", fields=fields)


@pytest.fixture(scope="module")
def pair(shared_sallyport, shared_nginx, make_shared_backend, shared_open_folder):
    place = shared_open_folder
    for name, text in {"404.html": "our 404 page", "files/a.txt": "file a", "try/a.txt": "try a",
                       "try/folder/index.html": "index of folder", "try-code/a.txt": "code a",
                       "secret": "secret"}.items():
        (place / "html" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "html" / name).write_text(text)
    backend = make_shared_backend(answers)
    other = make_shared_backend(lambda request: response(
        f"other: {request.method} {request.target} [{request.body.decode()}]"))
    return Pair(shared_sallyport, shared_nginx, SERVERS, place, backend=backend, other=other)


CASES = [
    ("/none", 404, "our 404 page"),
    ("/own-code/x", 200, "our 404 page"),
    ("/page-s-code/x", 201, "created"),
    ("/with-text/x", 404, "text of /says-text"),
    ("/to-url/x", 302, None),
    ("/to-url-301/x", 301, None),
    ("/variables/x", 404, "text of /says-text"),
    ("/with-args/x", 404, "/says-args a=b"),
    ("/to-named/x", 200, "named: /to-named/x GET"),
    ("/to-named-kept/x", 404, "named: /to-named-kept/x GET"),
    ("/no-such-name/x", 500, None),
    ("/no-such-page/x", 404, None),
    ("/recursive/x", 500, None),
    ("/chain/x", 404, "text of /says-text"),
    ("/none/x", 404, None),
    ("/forbidden/x", 402, "text of /says-text"),
    ("/return-text/", 404, "own text"),
    ("/redirects/", 200, "text of /says-text"),
    ("/several/", 500, "text of /says-text"),
    ("/page-proxied/", 200, "GET /backend/page []"),
    ("/internal/x", 404, "our 404 page"),
    ("/into/x", 200, "internal /internal/x"),
    ("/error-into/x", 200, "internal /internal/error"),
    ("/try/a.txt", 200, "try a"),
    ("/try/folder/", 200, "index of folder"),
    ("/try/folder", 301, None),
    ("/try/none", 200, "fallback from=/try/none"),
    ("/try-code/a.txt", 200, "code a"),
    ("/try-code/none", 410, None),
    ("/try-named/x?y", 200, "named: /try-named/x GET"),
    ("/try-other/anything", 200, "file a"),
    ("/try-directory/", 404, None),
    ("/try-alias/a.txt", 200, "file a"),
    ("/try-alias/none", 404, "our 404 page"),
    ("/try-pass/x?y=1", 200, "GET /try-pass/x?y=1 []"),
    ("/accel/file", 200, "file a"),
    ("/accel/named", 200, "named: /accel/named GET"),
    ("/accel/none", 404, None),
    ("/accel/escaped", 200, "file a"),
    ("/accel/unsafe", 404, None),
    ("/accel/args", 200, "/says-args x=1"),
    ("/intercept/404", 404, "text of /says-text"),
    ("/intercept/401", 401, "text of /says-text"),
    ("/intercept/418", 418, "GET /intercept/418 []"),
    ("/intercept-named/503", 200, "other: GET /intercept-named/503 []"),
    ("/intercept-off/404", 404, "GET /intercept-off/404 []"),
    ("/dead/x", 200, "text of /says-text"),
    ("/dead-then/x?y", 200, "other: GET /dead-then/x?y []"),
]
SHOWN = ("Location", "Content-Type", "WWW-Authenticate", "X-Here", "X-Other", "Set-Cookie",
         "Content-Disposition", "Cache-Control", "Accept-Ranges")


@pytest.mark.parametrize("target, status, text", CASES, ids=[case[0] for case in CASES])
def test_requests_go_on_as_in_nginx(pair, target, status, text):
    # nginx forgets to take back the Location of what an error page replaces.
    answer = pair.ask(target, shown=SHOWN[1:] if target == "/redirects/" else SHOWN)
    assert answer[0] == status
    if text is not None:
        assert answer[1] == text


def test_a_page_is_fetched_by_get_and_a_named_location_gets_the_method(pair):
    assert pair.ask("/page-method/", method="POST", body=b"x")[1] == "GET /method /page-method/"
    assert pair.ask("/to-named-return/x", method="PUT", body=b"")[1] == "named: /to-named-return/x PUT"


def test_a_body_goes_to_the_second_backend_too(pair):
    answer = pair.ask("/dead-then/x", method="POST", body=b"the body" * 1000)
    assert answer[1] == "other: POST /dead-then/x [" + "the body" * 1000 + "]"
    answer = pair.ask("/intercept-named/503", method="POST", body=b"small")
    assert answer[1] == "other: POST /intercept-named/503 [small]"


def test_413_has_a_page_of_its_own(pair):
    assert pair.ask("/large/x", method="POST", body=b"x" * 100)[:2] == (413, "too large: GET")


def test_error_pages_are_whole_whatever_the_request_asked_for(pair):
    for fields in ([("Range", "bytes=0-1")], [("If-None-Match", "*")],
                   [("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")]):
        assert pair.ask("/none", fields=fields)[:2] == (404, "our 404 page")


def test_head_gets_the_head_of_the_page(pair):
    with pair.ours.client() as client:
        answer = client.request("HEAD", "/none")
    assert answer.status == 404 and answer.field("Content-Length") == "12" and answer.body == b""


def test_a_body_that_the_next_location_refuses_goes_no_further(sallyport, make_backend):
    backend = make_backend(lambda request: response(f"{request.line} [{request.body.decode()}]"))
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            recursive_error_pages on;
            location / { error_page 502 = @moved; proxy_pass http://127.0.0.1:1; }
            location @moved { rewrite ^ /small$uri last; }
            location /small { client_max_body_size 10; error_page 413 = @none; proxy_pass http://@backend@; }
            location @none { proxy_pass http://@backend@; }
        }""", backend=backend)
    with proxy.client() as client:
        answer = client.request("PUT", "/x", body=b"y" * 100)
    assert answer.text == "PUT /small/x HTTP/1.1 []"
    assert backend.connections[0].received.count(b"y") == 0


def test_the_limit_of_a_body_is_the_location_s_that_its_path_leads_to(serve_limits):
    """Not the named one's, where the request is moved by try_files or error_page."""
    for target, status in (("/large", 200), ("/small", 413), ("/answers", 413), ("/moved", 413)):
        with serve_limits.client() as client:
            assert client.request("PUT", target, body=b"y" * 100).status == status, target


@pytest.fixture(params=["nginx", "sallyport"])
def serve_limits(request, make_backend):
    text = """
        server {
            listen 127.0.0.1:@port:http@;
            client_max_body_size 1k;
            location = /large { try_files /dev/null @small; }
            location @small { client_max_body_size 10; proxy_pass http://@backend@; }
            location = /small { client_max_body_size 10; try_files /dev/null @large; }
            location @large { client_max_body_size 0; proxy_pass http://@backend@; }
            location = /answers { client_max_body_size 10; return 200; }
            location = /moved { client_max_body_size 10; rewrite ^ /large last; }
        }"""
    return request.getfixturevalue(request.param)(text, backend=make_backend())


def test_variables_tell_both_backends_apart(sallyport, make_backend):
    second = make_backend(response("second"))
    proxy = sallyport("""
        log_format tries "$upstream_addr|$upstream_status";
        server {
            listen 127.0.0.1:@port:http@;
            access_log @dir@/access.log tries;
            location / { error_page 502 = @second; proxy_pass http://127.0.0.1:1; }
            location @second { proxy_pass http://@second@; }
        }""", second=second)
    assert proxy.get("/").text == "second"
    assert proxy.lines(count=1) == [f"127.0.0.1:1 : {second.address}|502 : 200"]


def test_a_streamed_body_that_is_gone_is_not_sent_as_an_empty_one(sallyport, make_backend):
    first = make_backend(response("", status="503 No"))
    second = make_backend(response("second"))
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            proxy_intercept_errors on;
            location / { proxy_request_buffering off; error_page 503 = @second; proxy_pass http://@first@; }
            location @second { proxy_pass http://@second@; }
        }""", first=first, second=second)
    with proxy.client() as client:
        assert client.request("POST", "/", body=b"x" * 1000).status == 500
    proxy.wait_for_error("cannot be sent again")
    assert not second.requests


def test_plain_requests_on_a_tls_port_can_be_redirected(sallyport, nginx):
    text = """
        server {
            listen 127.0.0.1:@port:http@ ssl;
            server_name example.com;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            error_page 497 301 =307 https://$host:8443$request_uri;
            location / { return 200 "secret"; }
        }"""
    for start in (sallyport, nginx):
        program = start(text)
        answer = program.get("/path?x=1", host="example.com")
        assert answer.status == 307
        assert answer.field("Location") == "https://example.com:8443/path?x=1"
        assert answer.field("Connection") == "close"


def test_a_refused_path_reaches_no_backend_by_way_of_its_error_page(sallyport, make_backend):
    backend = make_backend()
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            error_page 400 @named;
            error_page 405 = /page;
            location @named { proxy_pass http://@backend@; }
            location /page { proxy_pass http://@backend@; }
        }""", backend=backend)
    with proxy.client() as client:
        client.send("GET /a/..%2f..%2fb HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().status == 500
    proxy.wait_for_error('empty URI in redirect to named location "@named"')
    assert not backend.requests
    with proxy.client() as client:
        client.send("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().status == 200
    assert backend.last.line.startswith("GET /page ")


def test_endless_error_pages_end(sallyport):
    proxy = sallyport("""
        server { listen 127.0.0.1:@port:http@; location / {
            recursive_error_pages on; error_page 404 /again; return 404; } }""")
    assert proxy.get("/").status == 500
    proxy.wait_for_error("internal redirection cycle while internally redirecting to")


@pytest.mark.parametrize("directive, complaint", [
    ("error_page 200 /x;", 'value "200" must be between 300 and 599'),
    ("error_page 499 /x;", 'invalid value "499"'),
    ("error_page x /x;", 'invalid value "x"'),
    ("error_page =200 /x;", 'invalid number of arguments in "error_page" directive'),
    ("error_page 404 =x /x;", 'invalid value "=x"'),
    ("try_files /x;", 'invalid number of arguments in "try_files" directive'),
    ("try_files /x =many;", 'invalid code "=many"'),
    ("internal on;", 'invalid number of arguments in "internal" directive'),
])
def test_mistakes_are_told_as_nginx_tells_them(sallyport, nginx, directive, complaint):
    text = "server { listen 127.0.0.1:@port:http@; location / { " + directive + " } }"
    done = sallyport.make().check(text)
    assert done.returncode == 1 and complaint in done.stderr, done.stderr
    theirs = nginx.make()
    theirs.configure(text)
    assert theirs.run("-t").returncode == 1
