"""charset: what Content-Type tells, and texts recoded. Every case is asked of nginx, too."""
import pytest

from support.backend import response

MAP = """
    charset_map koi8-r utf-8 { D6 D096; 80 E282AC; }
    charset_map koi8-r windows-1251 { D6 C6; }
"""
UTF8 = "a\u0416\u20acz".encode()
KOI8 = b"a\xd6\x80z"


@pytest.fixture
def ask(serve, make_backend):
    """ask(text, body, type) is what a client gets of a backend's response."""
    def start(text, body=b"x", kind="text/html", fields=(), before=MAP, status="200 OK"):
        backend = make_backend(response(body, status, [("Content-Type", kind), *fields]))
        program = serve(f"{text} location / {{ proxy_pass http://@backend@; }}", before, backend=backend)
        answer = program.get("/")
        answer.program = program
        return answer
    return start


@pytest.mark.parametrize("text, kind, wanted", [
    ("charset utf-8;", "text/html", "text/html; charset=utf-8"),
    ("charset utf-8;", "text/plain", "text/plain; charset=utf-8"),
    ("charset utf-8;", "text/css", "text/css"),
    ("charset utf-8; charset_types text/css;", "text/css", "text/css; charset=utf-8"),
    ("charset utf-8; charset_types text/css;", "text/plain", "text/plain"),
    ("charset utf-8; charset_types *;", "a/b", "a/b; charset=utf-8"),
    ("charset off;", "text/html", "text/html"),
    ("", "text/html", "text/html"),
    ("charset utf-8;", "text/html; charset=koi8-r", "text/html; charset=koi8-r"),
    ("set $name koi8-r; charset $name;", "text/html", "text/html; charset=koi8-r"),
    ("charset utf-8; source_charset utf-8;", "text/html", "text/html; charset=utf-8"),
    ("charset utf-8; override_charset on;", "text/html; charset=UTF-8", "text/html; charset=utf-8"),
])
def test_what_content_type_tells(ask, text, kind, wanted):
    assert ask(text, kind=kind).field("Content-Type") == wanted


@pytest.mark.parametrize("status", ["301 Moved", "302 Moved"])
def test_redirects_tell_none(ask, status):
    answer = ask("charset utf-8;", status=status, fields=[("Location", "http://a/")])
    assert answer.field("Content-Type") == "text/html"


@pytest.mark.parametrize("text, body, wanted", [
    ("charset utf-8; source_charset koi8-r;", KOI8 + b"\xd7", UTF8 + b"?"),
    ("charset koi8-r; source_charset utf-8;", UTF8 + "\u0417".encode(), KOI8 + b"&#1047;"),
    ("charset windows-1251; source_charset koi8-r;", b"a\xd6\xd7", b"a\xc6?"),
    ("charset koi8-r; source_charset windows-1251;", b"a\xc6\xc7", b"a\xd6?"),
    ("charset KOI8-R; source_charset UTF-8;", UTF8, KOI8),
    ("set $to utf-8; set $from koi8-r; charset $to; source_charset $from;", KOI8, UTF8),
    ("charset koi8-r; source_charset utf-8;", "\U0001f600".encode(), b"&#128512;"),
])
def test_recoding(ask, text, body, wanted):
    assert ask(text, body).body == wanted


def test_what_a_backend_tells_is_the_source(ask):
    answer = ask("charset utf-8; override_charset on;", KOI8, "text/html; charset=koi8-r")
    assert (answer.body, answer.field("Content-Type")) == (UTF8, "text/html; charset=utf-8")
    answer = ask("charset utf-8;", KOI8, "text/html; charset=koi8-r")
    assert (answer.body, answer.field("Content-Type")) == (KOI8, "text/html; charset=koi8-r")


def test_a_backend_may_choose(ask):
    answer = ask("charset utf-8; source_charset koi8-r;", KOI8, fields=[("X-Accel-Charset", "windows-1251")])
    assert (answer.body, answer.field("Content-Type")) == (b"a\xc6?z", "text/html; charset=windows-1251")
    assert answer.field("X-Accel-Charset") is None
    answer = ask("charset utf-8; proxy_ignore_headers X-Accel-Charset;",
                 fields=[("X-Accel-Charset", "windows-1251")])
    assert answer.field("Content-Type") == "text/html; charset=utf-8"
    answer = ask("charset utf-8;", fields=[("X-Accel-Charset", "none")])
    assert answer.field("Content-Type") == "text/html"
    answer.program.wait_for_error('unknown charset "none" to override')


def test_a_backend_may_choose_for_the_file_that_it_leads_to(serve, make_backend):
    backend = make_backend(response("", fields=[
        ("Content-Type", "text/html"), ("X-Accel-Redirect", "/files/page.html"), ("X-Accel-Charset", "koi8-r")]))
    program = serve("""location / { proxy_pass http://@backend@; }
        location /files/ { alias @dir@/www/; source_charset utf-8; }""", MAP, backend=backend)
    (program.folder / "www/page.html").write_bytes(UTF8)
    answer = program.get("/")
    assert (answer.body, answer.field("Content-Type")) == (KOI8, "text/html; charset=koi8-r")


def test_the_length_is_kept_where_it_is_known(ask):
    same = ask("charset windows-1251; source_charset koi8-r;", KOI8)
    other = ask("charset utf-8; source_charset koi8-r;", KOI8)
    assert (same.field("Content-Length"), other.field("Content-Length")) == ("4", None)


def test_without_a_map_the_response_stays(ask):
    answer = ask("charset utf-8; override_charset on;", KOI8, "text/html; charset=latin1")
    assert (answer.body, answer.field("Content-Type")) == (KOI8, "text/html; charset=latin1")
    answer.program.wait_for_error('no "charset_map" between the charsets "latin1" and "utf-8"')


def test_what_is_packed_stays(ask):
    answer = ask("charset utf-8; source_charset koi8-r;", KOI8, fields=[("Content-Encoding", "br")])
    assert (answer.body, answer.field("Content-Type")) == (KOI8, "text/html")


def test_a_character_over_the_border_of_pieces(serve, make_backend):
    def talk(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in UTF8:
            connection.send(b"1\r\n" + bytes([byte]) + b"\r\n")
        connection.send("0\r\n\r\n")
        connection.take_until(b"never sent")

    program = serve("""charset koi8-r; source_charset utf-8; location / {
        proxy_pass http://@backend@; proxy_http_version 1.1; proxy_buffering off; }""", MAP,
                    backend=make_backend(serve=talk))
    assert program.get("/").body == KOI8


def test_files_and_levels(serve):
    program = serve("""root @dir@/www; location / { } location /off { charset off; }
        location /if { if ($arg_a) { charset koi8-r; } } """, "charset utf-8;")
    for name in ("page.html", "off/page.html", "if/page.html"):
        program.write(f"www/{name}", "x")
    types = [program.get(target).field("Content-Type")
             for target in ("/page.html", "/off/page.html", "/if/page.html", "/if/page.html?a=1")]
    assert types == ["text/html; charset=utf-8", "text/html", "text/html; charset=utf-8",
                     "text/html; charset=koi8-r"]


@pytest.mark.parametrize("before, inside, message", [
    ("charset_map a A { }", "", "between the same charsets"),
    ("charset_map a b { } charset_map b a { }", "", 'duplicate "charset_map" between'),
    ("charset_map a b { 1; }", "", "invalid parameters number"),
    ("charset_map a b { xx 1; }", "", 'invalid value "xx"'),
    ("charset_map a b { 1 100; }", "", 'invalid value "100"'),
    ("", "charset a; source_charset b;", 'no "charset_map" between the charsets "b" and "a"'),
])
def test_what_is_refused(request, before, inside, message):
    for kind in ("nginx", "sallyport"):
        start = request.getfixturevalue(kind)
        text = f"{before} server {{ listen 127.0.0.1:@port:http@; {inside} }}"
        if kind == "sallyport":
            text = f"compat nginx; events {{}} http {{ {text} }}"
        with pytest.raises(AssertionError, match=message):
            start(text)


def test_utf8_stands_second(sallyport):
    """nginx says so as well, but not every version of it."""
    with pytest.raises(AssertionError, match="should be given in the second column"):
        sallyport("events {} http { charset_map utf-8 a { } server { listen 127.0.0.1:@port:http@; } }")
