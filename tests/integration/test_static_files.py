"""Files: root, alias, index, types, ranges, preconditions; and that nothing else is ever served."""
import hashlib
import os
import pathlib
import re
import socket

import pytest

from support import wait_for

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs/guide/static-files.md"
MODIFIED = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
DATE, EARLIER, LATER = (f"Sun, 06 Nov 1994 08:49:{second} GMT" for second in (37, 36, 38))
LARGE = b"".join(b"%07d\n" % line for line in range(400_000))  # 3.2 MB


def make_tree(folder):
    """A directory with everything in it that a root may have."""
    www = folder / "www"
    for name in ("dir", "empty", "with space", "deep/er", "closed", "other"):
        (www / name).mkdir(parents=True)
    files = {"a.txt": b"0123456789" * 10, "dir/index.html": b"<p>index</p>", "zero": b"",
             "page.HTML": b"<p>", "photo.jpg": b"jpeg", ".hidden": b"dot", "b.bin": b"\0\1",
             "with space/x y.txt": b"spaces", "per%cent": b"%", "deep/er/second.html": b"second",
             "closed/file": b"closed", "large": LARGE, "plus+&;=.txt": b"odd"}
    for name, content in files.items():
        (www / name).write_bytes(content)
    (folder / "secret").write_bytes(b"secret")
    (folder / "www2").mkdir()
    (folder / "www2" / "secret").write_bytes(b"secret")
    (www / "dir/link.txt").symlink_to("../a.txt")
    (www / "out").symlink_to("../secret")
    (www / "absolute").symlink_to(folder / "secret")
    (www / "up").symlink_to("..")
    os.mkfifo(www / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(www / "socket"))
    for path in sorted(www.rglob("*"), reverse=True):
        if not path.is_symlink() and path.is_file():
            os.utime(path, (MODIFIED, MODIFIED))
    (www / "closed/file").chmod(0)
    return www


LOCATIONS = """
    location / { root @www@; }
    location /alias/ { alias @www@/dir/; }
    location /noslash { alias @www@/dir/; }
    location = /exact { alias @www@/a.txt; }
    location ~ ^/re/(.+)$ { alias @www@/$1; }
    location /second/ { alias @www@/deep/er/; index none.html second.html; }
    location /absolute-index/ { alias @www@/empty/; index none.html /a.txt; }
    location /loop/ { root @www@; index /loop/; }
    location /types/ { alias @www@/; types { text/x txt; } default_type application/octet-stream; }
    location /variable/ { root @www@$arg_below; }
    location /ranges2/ { alias @www@/; max_ranges 2; }
    location /ranges0/ { alias @www@/; max_ranges 0; }
    location /slow/ { alias @www@/; sendfile off; }
"""


def site(locations, **listen):
    return f"""
        server {{
            listen 127.0.0.1:@port:http@;
            server_name example.com;
            {locations}
        }}
    """


@pytest.fixture(scope="module")
def served(shared_sallyport):
    program = shared_sallyport.make()
    www = make_tree(program.folder)
    program.start(site(LOCATIONS) + """
        server {
            listen 127.0.0.1:@port:https@ ssl;
            server_name example.com;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            root @www@;
        }
    """, www=www)
    return program


@pytest.fixture
def get(served):
    def get(target, *, method="GET", port="http", **fields):
        client = served.tls_client() if port == "https" else served.client(port)
        with client:
            return client.request(method, target, host="example.com", fields=[
                (name.replace("_", "-"), value) for name, value in fields.items()])
    return get


# -- what is served


def test_a_file_as_nginx_describes_it(get):
    response = get("/a.txt")
    assert response.status == 200 and response.body == b"0123456789" * 10
    assert response.field("Content-Type") == "text/plain"
    assert response.field("Content-Length") == "100"
    assert response.field("Last-Modified") == DATE
    assert response.field("ETag") == '"2ebc98a1-64"'
    assert response.field("Accept-Ranges") == "bytes"


def test_head_tells_the_same_without_the_body(get):
    whole, head = (sorted(field for field in get("/a.txt", method=method).fields
                          if field[0] != "Date") for method in ("GET", "HEAD"))
    assert head == whole


@pytest.mark.parametrize("target, port", [("/large", "http"), ("/slow/large", "http"),
                                          ("/large", "https")])
def test_a_large_file_whole(get, target, port):
    assert hashlib.sha256(get(target, port=port).body).digest() == hashlib.sha256(LARGE).digest()


def test_a_connection_serves_one_file_after_the_other(served):
    with served.client() as client:
        for target, size in (("/large", len(LARGE)), ("/zero", 0), ("/a.txt", 100),
                             ("/slow/large", len(LARGE)), ("/nothing", None), ("/a.txt", 100)):
            response = client.get(target, host="example.com")
            assert size is None or len(response.body) == size, target


def test_pipelined_requests_are_answered_in_order(served):
    with served.client() as client:
        client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\nGET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n"
                    "HEAD /large HTTP/1.1\r\nHost: a\r\n\r\nGET /zero HTTP/1.1\r\nHost: a\r\n\r\n")
        assert len(client.response().body) == len(LARGE)
        assert len(client.response().body) == 100
        assert client.response("HEAD").field("Content-Length") == str(len(LARGE))
        assert client.response().body == b""


def test_a_reader_that_comes_back_gets_the_rest(served):
    """The client's buffer and ours fill up, and the file waits for it."""
    with served.client() as client:
        client.send("GET /large HTTP/1.1\r\nHost: example.com\r\n\r\n")
        client.receive_until(b"\r\n\r\n")
        quick = served.get("/a.txt", port="http")  # others are served meanwhile
        assert quick.status == 200
        assert client.receive_exactly(len(LARGE)) == LARGE


def test_the_access_log_counts_the_body(sallyport):
    proxy = sallyport.make()
    www = make_tree(proxy.folder)
    proxy.start("log_format f escape=none '$request|$status|$body_bytes_sent|$sent_http_etag|$request_completion';"
                "access_log @dir@/access.log f;" + site("root @www@;"), www=www)
    proxy.get("/large")
    proxy.get("/a.txt", fields=[("Range", "bytes=0-9")])
    proxy.get("/none")
    lines = proxy.lines(count=3)
    assert lines[0] == f'GET /large HTTP/1.1|200|{len(LARGE)}|"2ebc98a1-{len(LARGE):x}"|OK'
    assert lines[1] == 'GET /a.txt HTTP/1.1|206|10|"2ebc98a1-64"|OK'
    assert lines[2].startswith("GET /none HTTP/1.1|404|")


# -- index and directories


def test_a_directory_shows_its_index(get):
    assert get("/dir/").body == b"<p>index</p>"
    assert get("/dir/").field("Content-Type") == "text/html"
    assert get("/second/").body == b"second"
    assert get("/absolute-index/").body == b"0123456789" * 10


def test_a_directory_without_its_slash_is_redirected(get, served):
    port = served.port("http")
    assert get("/dir").status == 301
    assert get("/dir").field("Location") == f"http://example.com:{port}/dir/"
    assert get("/dir?x=1").field("Location") == f"http://example.com:{port}/dir/?x=1"
    assert get("/with%20space").field("Location") == f"http://example.com:{port}/with%20space/"
    assert get("/dir", method="POST").status == 301


def test_the_location_of_the_index_decides_what_it_is(sallyport):
    proxy = sallyport.make()
    www = make_tree(proxy.folder)
    proxy.start(site("root @www@; location = /dir/index.html { return 200 $uri; }"), www=www)
    assert proxy.get("/dir/").body == b"/dir/index.html"


def test_a_backend_gets_the_path_of_the_index(sallyport, backend):
    proxy = sallyport.make()
    www = make_tree(proxy.folder)
    proxy.start(site("root @www@; location ~ html$ { proxy_pass http://@backend@; }"),
                www=www, backend=backend)
    assert proxy.get("/dir/?a=b").status == 200
    assert backend.last.target == "/dir/index.html?a=b"


# -- what is refused


@pytest.mark.parametrize("target, status", [
    ("/none", 404), ("/none/", 404), ("/a.txt/", 404), ("/a.txt/b", 404), ("/empty/", 403),
    ("/closed/file", 403), ("/fifo", 404), ("/socket", 500), ("/" + "x" * 300, 404),
    ("/loop/", 500), ("/re/none", 404),
])
def test_what_can_t_be_shown_has_nginx_s_status(get, target, status):
    assert get(target).status == status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "FOO"])
def test_only_get_and_head_are_for_files(get, method):
    assert get("/a.txt", method=method).status == 405
    assert get("/dir/", method=method).status == 405


def test_a_post_to_a_file_is_not_allowed(served):
    for target, status in (("/a.txt", 405), ("/none", 404), ("/dir/", 405)):
        with served.client() as client:
            assert client.request("POST", target, body=b"x" * 1000).status == status


ESCAPES = ["/out", "/absolute", "/up/secret", "/up/www/a.txt", "/noslash../secret",
           "/noslash../../secret", "/noslash..", "/re/out", "/variable/x?below=/..",
           "/variable/x?below=/../../etc/passwd%00"]


@pytest.mark.parametrize("target", ESCAPES)
def test_nothing_leads_out_of_a_root(get, target):
    response = get(target)
    assert response.status in (400, 403, 404), response
    assert response.body != b"secret"


@pytest.mark.parametrize("target", [
    "/../secret", "/%2e%2e/secret", "/..%2fsecret", "/dir/%2e%2e%2f%2e%2e%2fsecret",
    "/dir/..%2f..%2fsecret", "/%2fetc/passwd", "//etc/passwd", "/a.txt%00.html", "/..%5csecret",
    "/.%2e/secret", "/alias/..%2f..%2fsecret", "/alias/%2e%2e/%2e%2e/secret", "/dir%2findex.html",
    "/re/..%2fsecret", "/re/%2e%2e/secret", "/%c0%ae%c0%ae/secret", "/up%2fsecret",
    "/second/..;/..;/secret", "/..", "/alias..%2f..%2fsecret",
])
def test_no_spelling_of_a_path_leads_out_either(get, target):
    response = get(target)
    assert response.status in (400, 403, 404), (target, response)
    assert response.body != b"secret"


def test_under_compat_nginx_links_lead_anywhere_and_dot_segments_nowhere(sallyport):
    proxy = sallyport.make()
    www = make_tree(proxy.folder)
    proxy.start("compat nginx; events {} http {" + site(LOCATIONS.replace("max_ranges 2;", ""))
                + "}", www=www)
    assert proxy.get("/out").body == b"secret"
    assert proxy.get("/absolute").body == b"secret"
    for target in ("/noslash../secret", "/noslash..%2f..%2fsecret", "/variable/x?below=/.."):
        assert proxy.get(target).status in (400, 403), target
    many = "bytes=" + ",".join(f"{i}-{i}" for i in range(50))
    assert proxy.get("/a.txt", fields=[("Range", many)]).status == 206


def test_links_may_be_followed_anywhere_where_it_is_said(sallyport):
    proxy = sallyport.make()
    www = make_tree(proxy.folder)
    proxy.start(site("root @www@; location /absolute { follow_symlinks anywhere; }"), www=www)
    assert proxy.get("/absolute").body == b"secret"
    assert proxy.get("/out").status == 403
    assert proxy.get("/dir/link.txt").status == 200
    proxy.wait_for_error('/out" leads out of its root by a symbolic link: set "follow_symlinks anyw')


def test_nothing_is_served_without_a_root(sallyport):
    proxy = sallyport.make()
    (proxy.folder / "html").mkdir()
    (proxy.folder / "html/x").write_text("x")
    proxy.start(site("location / { } location /html/ { root @dir@; }"))
    assert proxy.get("/x").status == 404
    assert proxy.get("/html/x").body == b"x"


def test_a_root_that_is_replaced_is_served_soon(sallyport):
    proxy = sallyport.make()
    for release in ("one", "two"):
        (proxy.folder / release).mkdir()
        (proxy.folder / release / "x").write_text(release)
    current = proxy.folder / "current"
    current.symlink_to("one")
    proxy.start(site("root @dir@/current;"))
    assert proxy.get("/x").text == "one"
    (proxy.folder / "next").symlink_to("two")
    (proxy.folder / "next").rename(current)
    wait_for(lambda: proxy.get("/x").text == "two", "the next release")


@pytest.mark.parametrize("port", ["http", "https"])
def test_a_reader_that_stops_is_left(sallyport, port):
    proxy = sallyport.make()
    with (proxy.folder / "huge").open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    proxy.start("""
        error_log stderr info;
        send_timeout 1s;
        server {
            listen 127.0.0.1:@port:http@;
            listen 127.0.0.1:@port:https@ ssl;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            root @dir@;
        }
    """)
    with proxy.client(port) if port == "http" else proxy.tls_client(port) as client:
        client.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n")
        client.receive_until(b"\r\n\r\n")
        proxy.wait_for_error("client timed out (110: Connection timed out) while sending response to "
                             "client, client: 127.0.0.1")
    assert proxy.status()["counters"]["limit_send_time"] == 1


def test_a_file_that_shrinks_is_not_a_whole_answer(sallyport):
    proxy = sallyport.make()
    path = proxy.folder / "shrinking"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    proxy.start(site("root @dir@;"))
    with proxy.client() as client:
        client.send("GET /shrinking HTTP/1.1\r\nHost: a\r\n\r\n")
        client.receive_until(b"\r\n\r\n")
        os.truncate(path, 1000)
        assert len(client.receive_all()) < 64 * 1024 * 1024
    assert "[alert]" in proxy.wait_for_error("has become shorter while it was sent")


# -- preconditions


@pytest.mark.parametrize("fields, status", [
    ({"If_Modified_Since": DATE}, 304), ({"If_Modified_Since": EARLIER}, 200),
    ({"If_Modified_Since": LATER}, 200), ({"If_None_Match": '"2ebc98a1-64"'}, 304),
    ({"If_None_Match": 'W/"2ebc98a1-64"'}, 304), ({"If_None_Match": '"x", "2ebc98a1-64"'}, 304),
    ({"If_None_Match": "*"}, 304), ({"If_None_Match": '"x"'}, 200),
    ({"If_Modified_Since": DATE, "If_None_Match": '"x"'}, 200),
    ({"If_Match": '"2ebc98a1-64"'}, 200), ({"If_Match": '"x"'}, 412), ({"If_Match": "*"}, 200),
    ({"If_Unmodified_Since": DATE}, 200), ({"If_Unmodified_Since": EARLIER}, 412),
    ({"If_Unmodified_Since": LATER}, 200),
])
def test_preconditions(get, fields, status):
    for method in ("GET", "HEAD"):
        response = get("/a.txt", method=method, **fields)
        assert response.status == status, fields
    if status == 304:
        assert response.field("ETag") == '"2ebc98a1-64"' and response.field("Last-Modified") == DATE
        assert response.field("Content-Type") is None and response.field("Content-Length") is None


# -- ranges


@pytest.mark.parametrize("asked, first, end", [
    ("0-9", 0, 10), ("5-", 5, 100), ("-5", 95, 100), ("99-1000", 99, 100), ("-1000", 0, 100),
])
def test_a_range(get, asked, first, end):
    response = get("/a.txt", Range=f"bytes={asked}")
    assert response.status == 206
    assert response.field("Content-Range") == f"bytes {first}-{end - 1}/100"
    assert response.field("Content-Length") == str(end - first)
    assert response.field("Content-Type") == "text/plain"
    assert response.body == (b"0123456789" * 10)[first:end]


@pytest.mark.parametrize("asked", ["100-", "x", "9-5", "-", "-0"])
def test_a_range_that_is_not_there(get, asked):
    response = get("/a.txt", Range=f"bytes={asked}")
    assert response.status == 416
    assert response.field("Content-Range") == "bytes */100"
    assert response.field("ETag") is None


def parts_of(response):
    boundary = re.fullmatch(r"multipart/byteranges; boundary=(\d{20})",
                            response.field("Content-Type"))[1].encode()
    *parts, end = response.body.split(b"\r\n--" + boundary)
    assert parts[0] == b"" and end == b"--\r\n"
    return [tuple(part.split(b"\r\n\r\n", 1)) for part in parts[1:]]


@pytest.mark.parametrize("port", ["http", "https"])
def test_several_ranges(get, port):
    asked = [(0, 0), (1_000_000, 2_999_999), (10, 19)]
    response = get("/large", port=port,
                   Range="bytes=" + ",".join(f"{first}-{last}" for first, last in asked))
    assert response.status == 206
    for (head, body), (first, last) in zip(parts_of(response), asked, strict=True):
        assert head == (b"\r\nContent-Type: text/plain\r\nContent-Range: bytes %d-%d/%d"
                        % (first, last, len(LARGE)))
        assert body == LARGE[first:last + 1]


def test_too_many_ranges_are_answered_with_the_whole(get, served):
    before = served.status()["counters"]["limit_ranges"]
    assert get("/ranges2/a.txt", Range="bytes=0-0,2-2").status == 206
    assert get("/ranges2/a.txt", Range="bytes=0-0,2-2,4-4").status == 200
    assert get("/a.txt", Range="bytes=" + ",".join(f"{i}-{i}" for i in range(33))).status == 200
    wait_for(lambda: served.status()["counters"]["limit_ranges"] == before + 2, "the counter")


def test_ranges_may_be_off(get):
    response = get("/ranges0/a.txt", Range="bytes=0-0")
    assert response.status == 200 and response.field("Accept-Ranges") is None


@pytest.mark.parametrize("condition, status", [
    ('"2ebc98a1-64"', 206), (DATE, 206), ('"x"', 200), ('W/"2ebc98a1-64"', 200), (LATER, 200)])
def test_if_range(get, condition, status):
    assert get("/a.txt", Range="bytes=0-0", If_Range=condition).status == status


# -- the error log


@pytest.mark.parametrize("target, words", [
    ("/none", '[error] open() "@www@/none" failed (2: No such file or directory)'),
    ("/a.txt/b", '[error] open() "@www@/a.txt/b" failed (20: Not a directory)'),
    ("/closed/file", '[error] open() "@www@/closed/file" failed (13: Permission denied)'),
    ("/empty/", '[error] directory index of "@www@/empty/" is forbidden'),
    ("/none/", '[error] "@www@/none/index.html" is not found (2: No such file or directory)'),
    ("/fifo", '[crit] "@www@/fifo" is not a regular file'),
    ("/socket", '[crit] open() "@www@/socket" failed (6: No such device or address)'),
    ("/loop/", '[error] rewrite or internal redirection cycle while internally redirecting to '
               '"/loop/"'),
])
def test_the_error_log_says_what_nginx_s_says(served, get, target, words):
    get(target)
    level, _, message = words.partition(" ")
    message = message.replace("@www@", str(served.folder / "www"))
    served.wait_for_error(f"{message}, client: 127.0.0.1, server: example.com, request: ")
    assert any(level in line and message in line for line in served.errors.splitlines())


# -- beside nginx

REQUESTS = [(method, target, {}) for method in ("GET", "HEAD", "POST", "PUT") for target in (
    "/a.txt", "/", "/dir/", "/dir", "/dir?x=1", "/with%20space", "/with%20space/x%20y.txt", "/none",
    "/none/", "/empty", "/empty/", "/zero", "/page.HTML", "/photo.jpg", "/.hidden", "/b.bin",
    "/per%25cent", "/plus+&;=.txt", "/plus%2B%26%3B%3D.txt", "/a.txt/", "/a.txt/b", "/fifo",
    "/socket", "/alias/", "/alias", "/alias/index.html", "/exact", "/exact/",
    "/re/a.txt", "/re/dir", "/re/dir/", "/re/dir?q", "/second/", "/absolute-index/", "/loop/",
    "/types/a.txt", "/types/page.HTML", "/types/dir", "/dir/link.txt", "/dir//index.html",
    "/./a.txt", "/dir/../a.txt", "/large", "/slow/large", "/noslash/", "/noslash/index.html",
    "/deep/er", "/" + "y" * 300)]
REQUESTS += [("GET", target, {"Range": f"bytes={asked}"}) for target in ("/a.txt", "/zero", "/large")
             for asked in ("0-9", "5-", "-5", "99-", "100-", "-0", "0-0,2-3", "0-,0-", "x", "",
                           "0-49,50-99", "2-1", "1-2,x", "-", "10-20,5-6,200-", "  1 - 2 ", "0-0,")]
REQUESTS += [("HEAD", "/a.txt", {"Range": "bytes=0-9"}), ("HEAD", "/a.txt", {"Range": "bytes=0-1,4-5"}),
             ("POST", "/a.txt", {"Range": "bytes=0-9"}), ("GET", "/ranges2/a.txt",
                                                          {"Range": "bytes=0-0,2-2,4-4"}),
             ("GET", "/ranges0/a.txt", {"Range": "bytes=0-0"})]
REQUESTS += [("GET", "/a.txt", fields) for fields in (
    {"If-Modified-Since": DATE}, {"If-Modified-Since": LATER}, {"If-Modified-Since": "x"},
    {"If-None-Match": '"2ebc98a1-64"'}, {"If-None-Match": 'W/"2ebc98a1-64"'},
    {"If-None-Match": '"a","2ebc98a1-64"'}, {"If-None-Match": "*"}, {"If-None-Match": "2ebc98a1-64"},
    {"If-Match": '"2ebc98a1-64"'}, {"If-Match": 'W/"2ebc98a1-64"'}, {"If-Match": '"b"'},
    {"If-Unmodified-Since": EARLIER}, {"If-Unmodified-Since": "x"},
    {"If-Unmodified-Since": DATE, "If-Match": '"b"'},
    {"If-Modified-Since": DATE, "If-None-Match": '"b"'},
    {"If-Range": '"2ebc98a1-64"', "Range": "bytes=1-1"}, {"If-Range": DATE, "Range": "bytes=1-1"},
    {"If-Range": LATER, "Range": "bytes=1-1"}, {"If-Range": '"c"', "Range": "bytes=1-1"},
    {"If-None-Match": '"2ebc98a1-64"', "Range": "bytes=1-1"})]
COMPARED = ("Content-Type", "Content-Length", "Last-Modified", "ETag", "Accept-Ranges",
            "Content-Range", "Location", "Transfer-Encoding")


def outcome(program, method, target, fields):
    with program.client() as client:
        response = client.request(method, target, host="example.com", fields=fields.items())
    port = str(program.port("http"))
    shown = {name: response.field(name) for name in COMPARED}
    if shown["Location"]:
        shown["Location"] = shown["Location"].replace(port, "PORT")
    body = response.body
    if shown["Content-Type"] and "boundary=" in shown["Content-Type"]:
        boundary = shown["Content-Type"].partition("boundary=")[2]
        shown["Content-Type"] = shown["Content-Type"].replace(boundary, "BOUNDARY")
        body = body.replace(boundary.encode(), b"BOUNDARY")
    if response.status >= 300:
        body = body.replace(b"<center>nginx</center>", b"<center>sallyport</center>")
        shown.pop("Content-Length")
    return response.status, shown, body


def test_the_same_as_nginx(served, nginx):
    peer = nginx("server_tokens off; types { text/html html; image/gif gif; image/jpeg jpg; }"
                 + site(LOCATIONS), www=served.folder / "www")
    different = []
    for method, target, fields in REQUESTS:
        ours, theirs = (outcome(program, method, target, fields) for program in (served, peer))
        if ours != theirs:
            different.append(f"{method} {target} {fields}\n  ours   {ours[0]} {ours[1]} "
                             f"{ours[2][:80]}\n  nginx  {theirs[0]} {theirs[1]} {theirs[2][:80]}")
    assert not different, "\n".join(different)


# -- directives and the guide


def test_return_has_the_type_of_its_path(sallyport):
    proxy = sallyport(site("""
        types { application/json json; }
        location / { return 200 "{}"; }
    """))
    assert proxy.get("/x.json").field("Content-Type") == "application/json"
    assert proxy.get("/x").field("Content-Type") == "text/plain"


def test_the_guide_s_example(sallyport):
    example = re.search(r"```nginx\n(.*?)```", GUIDE.read_text(), re.DOTALL)[1]
    proxy = sallyport.make()
    www = proxy.folder / "srv/www"
    for name in ("downloads", "assets"):
        (www / name).mkdir(parents=True)
    (www / "index.html").write_text("<p>welcome</p>")
    (www / "assets/site.css").write_text("p {}")
    (proxy.folder / "srv/downloads").mkdir()
    (proxy.folder / "srv/downloads/tool.tar.gz").write_bytes(b"tool")
    example = example.replace("listen 80;", "listen 127.0.0.1:@port:http@;")
    proxy.start(example.replace("/srv/", "@dir@/srv/"))
    assert proxy.get("/").body == b"<p>welcome</p>"
    assert proxy.get("/assets/site.css").field("Content-Type") == "text/css"
    assert proxy.get("/get/tool.tar.gz").body == b"tool"
    assert proxy.get("/get/tool.tar.gz").field("Content-Type") == "application/octet-stream"
    assert proxy.get("/get/tool.tar.gz", fields=[("Range", "bytes=1-2")]).body == b"oo"
