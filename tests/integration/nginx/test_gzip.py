"""gzip: which responses are compressed, and for whom. Every case is asked of nginx, too."""
import gzip
import zlib

import pytest

from support.backend import response
from support.waiting import wait_for

TEXT = "".join(f"line {i * i}\n" for i in range(2000))
GZIP = ("Accept-Encoding", "gzip")


def is_packed(program, target="/index.html", fields=(GZIP,)):
    answer = program.get(target, fields=fields)
    packed = answer.field("Content-Encoding") == "gzip"
    if packed:
        assert gzip.decompress(answer.body)
    return packed


@pytest.fixture
def site(serve):
    """site(text) has some files to serve."""
    def start(text, before="", **values):
        program = serve(f"root @dir@/www; {text}", before, **values)
        for name, body in (("page.html", TEXT), ("page.txt", TEXT), ("page.css", TEXT),
                           ("20.html", "x" * 20), ("19.html", "x" * 19)):
            program.write(f"www/{name}", body)
        return program
    return start


def test_a_response_is_compressed_and_its_head_says_so(site):
    program = site("gzip on;")
    plain = program.get("/page.html")
    answer = program.get("/page.html", fields=[GZIP])
    assert gzip.decompress(answer.body).decode() == TEXT == plain.text
    assert (answer.field("Content-Encoding"), answer.field("Transfer-Encoding")) == ("gzip", "chunked")
    assert answer.field("ETag") == "W/" + plain.field("ETag")
    assert answer.field("Last-Modified") == plain.field("Last-Modified")
    assert [answer.field(name) for name in ("Content-Length", "Accept-Ranges", "Vary")] == [None] * 3
    assert plain.field("Accept-Ranges") == "bytes" and plain.field("Content-Encoding") is None


def test_it_is_off_by_default_and_in_levels_that_say_so(site):
    assert not is_packed(site(""), "/page.html")
    program = site("location / { } location /page.html { gzip off; }", "gzip on;")
    assert [is_packed(program, f"/{name}") for name in ("page.html", "20.html")] == [False, True]


@pytest.mark.parametrize("accepted, packed", [
    ("gzip", True), ("GZIP", True), ("gzip, deflate", True), ("deflate, gzip", True), ("br,gzip", True),
    ("deflate", False), ("x-gzip", False), ("gzipped", False), ("", False), ("*", False),
    ("gzip;q=1", True), ("gzip;q=0", False), ("gzip;q=0.000", False), ("gzip; q=0.001", True),
    ("gzip;q=1.000", True), ("gzip;q=1.001", False), ("gzip;q=0.1234", False), ("gzip;q=2", False),
    ("gzip;q=x", False), ("gzip;Q=0.5, br", True), ("gzip;", True), ("gzip;x=1", False), ("gzip x", False),
])
def test_accept_encoding(site, accepted, packed):
    assert is_packed(site("gzip on;"), "/page.html", [("Accept-Encoding", accepted)]) == packed


def test_types(site):
    def packed(text):
        program = site(f"gzip on; {text} types {{ text/html html; text/css css; text/plain txt; }}")
        return [is_packed(program, f"/page.{end}") for end in ("html", "css", "txt")]
    assert packed("") == [True, False, False]
    assert packed("gzip_types text/css;") == [True, True, False]
    assert packed("gzip_types TEXT/CSS text/plain;") == [True, True, True]
    assert packed("gzip_types *;") == [True, True, True]


def test_a_type_with_a_charset_is_that_type(site, make_backend):
    backend = make_backend(response(TEXT, fields=[("Content-Type", "text/html; charset=utf-8")]))
    assert is_packed(site("gzip on; location / { proxy_pass http://@backend@; }", backend=backend), "/")


def test_short_responses_stay(site):
    program = site("gzip on; location /long { gzip_min_length 30000; alias @dir@/www/page.html; }")
    assert [is_packed(program, f"/{name}") for name in ("19.html", "20.html", "long")] == [
        False, True, False]


def test_vary(site):
    program = site("gzip on; gzip_vary on; location /none { gzip off; alias @dir@/www/page.html; }")
    assert program.get("/page.html", fields=[GZIP]).all("Vary") == ["Accept-Encoding"]
    assert program.get("/page.html").all("Vary") == ["Accept-Encoding"]
    assert program.get("/19.html", fields=[GZIP]).all("Vary") == []
    assert program.get("/none", fields=[GZIP]).all("Vary") == []


@pytest.mark.parametrize("status, packed", [
    ("200 OK", True), ("403 Forbidden", True), ("404 Not Found", True), ("201 Created", False),
    ("206 Partial Content", False), ("500 Oh", False)])
def test_statuses(site, make_backend, status, packed):
    backend = make_backend(response(TEXT, status, [("Content-Type", "text/html")]))
    assert is_packed(site("gzip on; location / { proxy_pass http://@backend@; }", backend=backend),
                     "/") == packed


def test_error_pages_of_its_own_are_compressed(site):
    program = site("gzip on; gzip_min_length 1;")
    answer = program.get("/nothing", fields=[GZIP])
    assert answer.status == 404 and b"404 Not Found" in gzip.decompress(answer.body)


def test_what_is_encoded_already_stays(site, make_backend):
    backend = make_backend(response(TEXT, fields=[("Content-Type", "text/html"),
                                                  ("Content-Encoding", "br")]))
    program = site("gzip on; location / { proxy_pass http://@backend@; }", backend=backend)
    answer = program.get("/", fields=[GZIP])
    assert answer.all("Content-Encoding") == ["br"] and answer.text == TEXT


def test_head_has_the_head_alone(site):
    program = site("gzip on;")
    with program.client() as client:
        answer = client.request("HEAD", "/page.html", fields=[GZIP])
        assert answer.field("Content-Encoding") == "gzip" and answer.field("Content-Length") is None
        assert client.get("/19.html").status == 200  # on the same connection


def test_not_modified_and_ranges(site):
    program = site("gzip on;")
    etag = program.get("/page.html", fields=[GZIP]).field("ETag")
    again = program.get("/page.html", fields=[GZIP, ("If-None-Match", etag)])
    assert again.status == 304 and again.field("Content-Encoding") is None
    answer = program.get("/page.html", fields=[GZIP, ("Range", "bytes=0-9")])
    assert answer.status == 200 and gzip.decompress(answer.body).decode() == TEXT
    assert program.get("/page.html", fields=[("Range", "bytes=0-9")]).status == 206


def test_http_version(site):
    def encoding(text):
        program = site(f"gzip on; {text}")
        with program.client() as client:
            client.send("GET /page.html HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")
            head, _, body = client.receive_all().partition(b"\r\n\r\n")
        if b"Content-Encoding: gzip" in head:
            assert b"Transfer-Encoding" not in head and gzip.decompress(body).decode() == TEXT
            return True
        return False
    assert not encoding("")
    assert encoding("gzip_http_version 1.0;")


VIA = ("Via", "1.1 a")


@pytest.mark.parametrize("words, sent, packed", [
    ("off", [], False), ("any", [], True), ("expired", [], True), ("expired", ["Expires: x"], False),
    ("expired", ["Expires: Thu, 01 Jan 1970 00:00:01 GMT"], True),
    ("expired", ["Expires: Thu, 31 Dec 2037 23:55:55 GMT"], False),
    ("no-cache", ["Expires: Thu, 01 Jan 1970 00:00:01 GMT"], False),
    ("no-cache", ["Cache-Control: max-age=1, no-cache"], True),
    ("no-cache", ["Cache-Control: no-store"], False), ("no-store", ["Cache-Control: no-store"], True),
    ("private", ["Cache-Control: private"], True), ("private", ["Cache-Control: public"], False),
    ("no_last_modified", [], True), ("no_etag", [], True),
    ("no_last_modified", ["Last-Modified: Thu, 01 Jan 1970 00:00:01 GMT"], False),
    ("no_etag", ['ETag: "x"'], False), ("no_etag no_last_modified", ["Cache-Control: x"], False),
    ("auth", ["Cache-Control: x"], False),
])
def test_proxied(site, make_backend, words, sent, packed):
    fields = [("Content-Type", "text/html"), *(line.split(": ", 1) for line in sent)]
    backend = make_backend(response(TEXT, fields=fields))
    program = site(f"gzip on; gzip_proxied {words}; location / {{ proxy_pass http://@backend@; }}",
                   backend=backend)
    assert is_packed(program, "/", [GZIP, VIA]) == packed
    assert is_packed(program, "/", [GZIP])


def test_proxied_with_a_password(site, make_backend):
    backend = make_backend(response(TEXT, fields=[("Content-Type", "text/html"), ("Cache-Control", "x")]))
    program = site("gzip on; gzip_proxied auth; location / { proxy_pass http://@backend@; }",
                   backend=backend)
    assert is_packed(program, "/", [GZIP, VIA, ("Authorization", "Basic YTpi")])
    assert not is_packed(program, "/", [GZIP, VIA])


@pytest.mark.parametrize("agent, packed", [
    ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", False),
    ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)", True),
    ("Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.1)", True),
    ("some Robot/1.0", False), ("curl", True)])
def test_disable(site, agent, packed):
    program = site('gzip on; gzip_disable msie6 "robot/\\d";')
    assert is_packed(program, "/page.html", [GZIP, ("User-Agent", agent)]) == packed


@pytest.mark.parametrize("text", [
    "gzip_comp_level 9;", "gzip_buffers 1 1k;", "gzip_window 512;", "gzip_hash 512;",
    "gzip_no_buffer on;", "postpone_gzipping 8k;", "postpone_gzipping 1m;",
    "gzip_comp_level 9; gzip_window 32k; gzip_hash 128k; gzip_buffers 16 8k;"])
def test_the_same_text_comes_out_however_it_is_done(site, text):
    program = site(f"gzip on; {text}")
    answer = program.get("/page.html", fields=[GZIP])
    assert gzip.decompress(answer.body).decode() == TEXT


def test_a_higher_level_makes_it_smaller(site):
    sizes = [len(site(f"gzip on; gzip_comp_level {level};").get("/page.html", fields=[GZIP]).body)
             for level in (1, 9)]
    assert sizes[1] < sizes[0] < len(TEXT)


def test_the_ratio_is_logged(serve):
    program = serve("root @dir@/www; access_log @dir@/access.log ratio; gzip on;",
                    'log_format ratio "$gzip_ratio";')
    program.write("www/page.html", TEXT)
    body = program.get("/page.html", fields=[GZIP]).body
    program.get("/page.html")
    log = program.folder / "access.log"
    wait_for(lambda: log.exists() and log.read_text().count("\n") == 2, "the log")
    hundredths = (len(TEXT) * 1000 // len(body) + 5) // 10
    assert log.read_text().split() == [f"{hundredths // 100}.{hundredths % 100:02}", "-"]


def test_a_piece_that_is_not_buffered_reaches_the_client_at_once(serve, make_backend):
    def talk(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n")
        connection.send("first piece")
        connection.take_until(b"never sent")

    backend = make_backend(serve=talk)
    program = serve("gzip on; location / { proxy_pass http://@backend@; proxy_buffering off; }",
                    backend=backend)
    with program.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
        client.receive_until(b"\r\n\r\n")

        def plain(data):
            body, text = zlib.decompressobj(31), b""
            while data:  # chunks, the last perhaps in part
                size, found, data = data.partition(b"\r\n")
                if not found:
                    break
                text += body.decompress(data[:int(size, 16)])
                data = data[int(size, 16) + 2:]
            return text
        client.receive(lambda data: plain(data) == b"first piece")


def test_a_long_body_of_a_backend_arrives_whole(serve, make_backend):
    text = TEXT * 100
    backend = make_backend(response(text, fields=[("Content-Type", "text/html")]))
    program = serve("gzip on; location / { proxy_pass http://@backend@; }", backend=backend)
    assert gzip.decompress(program.get("/", fields=[GZIP]).body).decode() == text
