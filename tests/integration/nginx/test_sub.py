"""sub_filter: texts replaced on their way to the client. Every case is asked of nginx, too."""
import gzip

import pytest

from support.backend import response

FILE = "root @dir@/www;"


@pytest.fixture
def body_of(serve):
    """body_of(text, body) is what becomes of a file with that body."""
    def ask(text, body, target="/page.html", before=""):
        program = serve(f"{FILE} {text}", before)
        program.write("www/page.html", body)
        return program.get(target).text
    return ask


@pytest.mark.parametrize("text, body, wanted", [
    ("sub_filter one two;", "one ONE One", "two ONE One"),
    ("sub_filter one two; sub_filter_once off;", "one ONE One xone", "two two two xtwo"),
    ("sub_filter ONE two; sub_filter_once off;", "one oNe", "two two"),
    ("sub_filter one ''; sub_filter_once off;", "[one]", "[]"),
    ("sub_filter one oneone; sub_filter_once off;", "one", "oneone"),
    ("sub_filter aab x; sub_filter_once off;", "aaab aab", "ax x"),
    ("sub_filter one 1; sub_filter two 2;", "two one two one", "2 1 two one"),
    ("sub_filter one 1; sub_filter two 2; sub_filter_once off;", "two one two one", "2 1 2 1"),
    ("sub_filter ab 1; sub_filter abc 2; sub_filter_once off;", "abc", "1c"),
    ("sub_filter abc 1; sub_filter ab 2; sub_filter_once off;", "abc abd", "1 2d"),
    ("sub_filter bc 1; sub_filter abc 2; sub_filter_once off;", "abc bc", "2 1"),
    ("sub_filter a 1; sub_filter a 2;", "aaa", "12a"),
    ("sub_filter ä ö; sub_filter_once off;", "äÄä", "öÄö"),
    ("sub_filter no x;", "none at n", "xne at n"),
    ("sub_filter 'long text' x;", "a long tex", "a long tex"),
    ("sub_filter '</body>' '<p>$uri</p></body>';", "<body></body>", "<body><p>/page.html</p></body>"),
    ("set $what one; sub_filter $what two; sub_filter_once off;", "one", "two"),
    ("set $what One; sub_filter x${what}x two;", "XONEX", "two"),
    ("set $what ''; sub_filter $what two; sub_filter one 1;", "one", "1"),
    ("set $what ''; sub_filter $what two;", "one", "one"),
])
def test_what_is_replaced(body_of, text, body, wanted):
    assert body_of(text, body) == wanted


def test_levels(body_of):
    def ask(text):
        return body_of(text, "one two", before="sub_filter one 1;")
    assert ask("") == "1 two"
    assert ask("location / { sub_filter two 2; }") == "one 2"
    assert ask("sub_filter_once off; location / { sub_filter_types text/css; }") == "1 two"


def test_the_head_says_so(serve):
    program = serve(f"""{FILE}
        sub_filter one two;
        default_type text/html;
        location /kept {{ sub_filter_last_modified on; alias @dir@/www/page.html; }}
        location /none {{ types {{ }} default_type text/plain; alias @dir@/www/page.html; }}
    """)
    program.write("www/page.html", "one")
    plain, answer, kept = (program.get(target) for target in ("/none", "/page.html", "/kept"))
    assert plain.text == "one" and answer.text == "two"
    names = ("Content-Length", "Last-Modified", "ETag", "Accept-Ranges")
    assert all(plain.field(name) for name in names)
    assert [answer.field(name) for name in names] == [None] * 4
    assert answer.field("Transfer-Encoding") == "chunked"
    assert kept.field("Last-Modified") == plain.field("Last-Modified")
    assert kept.field("ETag") == "W/" + plain.field("ETag")
    with program.client() as client:
        assert client.request("HEAD", "/page.html").field("Content-Length") is None


def test_there_are_no_ranges_of_it(serve):
    program = serve(f"{FILE} sub_filter one two;")
    program.write("www/page.html", "one two three")
    answer = program.get("/page.html", fields=[("Range", "bytes=0-1")])
    assert (answer.status, answer.text) == (200, "two two three")


def test_types(serve):
    program = serve(f"""{FILE} sub_filter one two; types {{ text/html html; text/css css; text/plain txt; }}
        location /more/ {{ alias @dir@/www/; sub_filter_types text/CSS; }}
        location /all/ {{ alias @dir@/www/; sub_filter_types *; }}
    """)
    for end in ("html", "css", "txt"):
        program.write(f"www/page.{end}", "one")
    changed = {place: [program.get(f"{place}page.{end}").text == "two" for end in ("html", "css", "txt")]
               for place in ("/", "/more/", "/all/")}
    assert changed == {"/": [True, False, False], "/more/": [True, True, False], "/all/": [True] * 3}


def test_texts_of_its_own_and_error_pages(serve):
    program = serve("""sub_filter_once off; sub_filter one two; sub_filter 'Not Found' 'Nowhere';
        location /text { default_type text/html; return 200 "one one"; }
        location /missing { return 404; }""")
    assert program.get("/text").text == "two two"
    assert "<title>404 Nowhere</title>" in program.get("/missing").text


@pytest.mark.parametrize("buffering", ["on", "off"])
def test_over_the_borders_of_pieces(serve, make_backend, buffering):
    def talk(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in "xonetwoone":
            connection.send(f"1\r\n{byte}\r\n")
        connection.send("0\r\n\r\n")
        connection.take_until(b"never sent")

    program = serve(f"""sub_filter onetwo 12; location / {{
        proxy_pass http://@backend@; proxy_http_version 1.1; proxy_buffering {buffering}; }}""",
                    backend=make_backend(serve=talk))
    assert program.get("/").text == "x12one"


def test_before_gzip_and_not_within_it(serve, make_backend):
    backend = make_backend(response("one" * 100, fields=[("Content-Type", "text/html; charset=utf-8")]))
    program = serve("gzip on; sub_filter one two; location / { proxy_pass http://@backend@; }",
                    backend=backend)
    answer = program.get("/", fields=[("Accept-Encoding", "gzip")])
    assert gzip.decompress(answer.body) == b"two" + b"one" * 99


def test_a_large_file_passes_whole(serve):
    program = serve(f"{FILE} sub_filter needle pin; sub_filter_once off;")
    body = ("hay " * 1000 + "needle ") * 500
    program.write("www/page.html", body)
    assert program.get("/page.html").text == body.replace("needle", "pin")


@pytest.mark.parametrize("text, message", [("sub_filter '' x;", "empty search pattern")])
def test_what_is_no_pattern(request, text, message):
    for kind in ("nginx", "sallyport"):
        start = request.getfixturevalue(kind)
        wrapped = f"server {{ listen 127.0.0.1:@port:http@; {text} }}"
        if kind == "sallyport":
            wrapped = f"compat nginx; events {{}} http {{ {wrapped} }}"
        with pytest.raises(AssertionError, match=message):
            start(wrapped)
