"""SSI: pages composed of parts. Every case is asked of nginx, too, unless it says otherwise."""
import re
import threading

import pytest

from support.backend import response
from support.waiting import seconds, wait_for

ERROR = "[an error occurred while processing the directive]"


@pytest.fixture
def page(serve):
    """page(text, parts) serves a page and its parts as files; gives what a client sees of it."""
    def run(text, parts=(), inside="", target="/page.html", fields=()):
        program = serve(f"root @dir@/www; ssi on; {inside}")
        program.write("www/page.html", text)
        for name, part in dict(parts).items():
            program.write(f"www/{name}", part)
        answer = program.get(target, fields=fields)
        assert answer.status == 200
        run.program = program
        return answer.text

    return run


@pytest.mark.parametrize("text, shown", [
    ("plain text", "plain text"),
    ("a<!--#set var='x' value='1' -->b<!--#echo var='x' -->c", "ab1c"),
    ('<!--#set var="A" value="$uri ${uri}x" --><!--#echo var="a" -->', "/page.html /page.htmlx"),
    ('<!--#echo var="none" -->|<!--#echo var="none" default="-" -->|<!--#echo var="none" default="" -->', "(none)|-|"),
    ('<!--#echo var="http_x_field" -->', "value"),
    ('<!--#set var="x" value="\\$a \\"b\\" \\\\ \\n" --><!--#echo var="x" encoding="none" -->', '$a "b" \\ \\n'),
    ("<!-- a comment --><!---->< !--#echo-->", "<!-- a comment --><!---->< !--#echo-->"),
    ("<<!--#echo var='uri' --><!<!--#echo var='uri' --><!-<!--#echo var='uri' --><!--<!--#echo var='uri' -->",
     "</page.html<!/page.html<!-/page.html<!--/page.html"),
    ("<!--#config errmsg='oops' --><!--#nothing -->", "oops"),
    ("<!--#nothing -->after", ERROR + "after"),
    ("<!--#echo -->", ERROR), ("<!--#echo var=x -->", ERROR), ("<!--#echo var='a' var='b' -->", ERROR),
    ("<!--#echo what='a' -->", ERROR), ("<!--#echo var='a'x -->", ERROR), ("<!--#echo - -->", ERROR),
    ("<!--#set var='x' -->", ERROR), ("<!--#set value='x' -->", ERROR),
    ("<!--#set var='x' value='$' -->", ERROR), ("<!--#set var='x' value='${uri' -->", ERROR),
    ("a<!--#echo var='x' value='" + "x" * 300 + "' -->b", "a" + ERROR + "b"),
    ("<!--#" + "x" * 40 + " -->b", ERROR + "b"),
    ("<!--#echo\n\tvar = 'uri'\r\n-->", "/page.html"), ("<!--#echo var='uri'-->", "/page.html"),
])
def test_text_and_variables(page, text, shown):
    assert page(text, fields=[("X-Field", "value")]) == shown


@pytest.mark.parametrize("encoding, shown", [
    ("entity", "&lt;a href=&quot;&amp;&quot;&gt;'"), ("none", '<a href="&">\''), ("url", "%3Ca%20href=%22&%22%3E%27"),
])
def test_echo_encodes(page, encoding, shown):
    text = f'<!--#echo var="http_x_field" encoding="{encoding}" -->'
    assert page(text, fields=[("X-Field", '<a href="&">\'')]) == shown


def test_an_encoding_holds_until_the_next(page):
    text = '<!--#echo var="http_x" encoding="none" --><!--#echo var="http_x" --><!--#echo var="http_x" encoding="odd" -->'
    assert page(text, fields=[("X", "<>")]) == "<><><>"
    page.program.wait_for_error('unknown encoding "odd" in the "echo" command')


@pytest.mark.parametrize("expression, holds", [
    ("$http_x", True), ("$none", False), ("$http_x = abc", True), ("$http_x=abc", True), ("$http_x != abc", False),
    ("$http_x = abcd", False), ("$http_x = /^a.c/", True), ("$http_x != /^a.c/", False), ("$http_x = /c$/", None), ("$http_x = /x/", False),
    ("$none = ", True), ("abc = $http_x", True), ("$http_x > abc", None), ("$http_x = /abc", None),
    ("$http_x = /(/", None), ("$HTTP_X = abc", True), ("${http_x}d = abcd", True), ("$http_x = \\/abc", False),
])
def test_conditions(page, expression, holds):
    text = f'<!--#if expr="{expression}" -->yes<!--#else -->no<!--#endif -->'
    shown = page(text, fields=[("X", "abc")])
    if holds is None:
        assert shown.startswith(ERROR)
    else:
        assert shown == ("yes" if holds else "no")


@pytest.mark.parametrize("value, shown", [("a", "[A]"), ("b", "[B]"), ("c", "[C]"), ("d", "[other]")])
def test_one_branch_is_shown(page, value, shown):
    assert page("""[<!--#if expr="$http_x = a" -->A<!--#elif expr="$http_x = b" -->B<!--#elif expr="$http_x = c" -->C<!--#else -->other<!--#endif -->]""",
                fields=[("X", value)]) == shown


def test_commands_of_the_other_branch_are_not_run(page):
    assert page("""<!--#if expr="$none" --><!--#set var="x" value="1" --><!--#include virtual="/gone" --><!--#odd --><!--#endif --><!--#echo var="x" -->""") == "(none)"


@pytest.mark.parametrize("text, shown", [
    ("<!--#else -->a", ERROR + "a"), ("<!--#elif expr='$uri' -->a", ERROR + "a"), ("<!--#endif -->a", ERROR + "a"),
    ("<!--#if expr='$uri' -->a<!--#if expr='$uri' -->b<!--#endif -->c", "a" + ERROR + "bc"),
    ("<!--#if expr='$uri' -->a<!--#else -->b<!--#else -->c<!--#endif -->d", "a" + ERROR + "d"),
])
def test_conditions_in_the_wrong_place(page, text, shown):
    assert page(text) == shown


def test_captures_are_variables(page):
    text = """<!--#if expr="$http_x = /(\\d+)-(?P<name>\\w+)/" --><!--#echo var="1" -->:<!--#echo var="2" -->:<!--#echo var="name" -->:<!--#echo var="0" --><!--#endif -->"""
    assert page(text, fields=[("X", "is 12-ab")]) == "12:ab:ab:12-ab"


def test_parts_stand_in_their_places(page):
    assert page("""1<!--#include virtual="/a.html?x=y" -->2<!--#include virtual="b.html" -->3<!--#include file="c.html" -->4""",
                {"a.html": "A<!--#echo var='args' -->", "b.html": "B", "c.html": "C<!--#include virtual='/b.html' -->"}) == "1Ax=y2B3CB4"


def test_a_part_may_come_from_a_backend(serve, make_backend):
    backend = make_backend(lambda request: response(f"<{request.method} {request.target}>", fields=[("Content-Type", "text/plain")]))
    program = serve("root @dir@/www; ssi on; location /part { proxy_pass http://@to@; }", to=backend)
    program.write("www/page.html", 'a<!--#include virtual="/part/1?x=$arg_y" -->b<!--#include virtual="/part/2" -->c')
    with program.client() as client:
        assert client.get("/page.html?y=z").text == "a<GET /part/1?x=z>b<GET /part/2>c"
        assert client.get("/page.html").text == "a<GET /part/1?x=>b<GET /part/2>c"
    assert backend.requests[0].field("Host") == str(backend)


def test_a_page_may_come_from_a_backend_in_pieces_of_any_size(serve, make_backend):
    text = "a<!--#set var='x' value='1' --><!--#include virtual='/part.html' -->b<!--#if expr='$x = 1' -->c<!--#else -->d<!--#endif -->e"
    def answer(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in text:
            connection.send(f"1\r\n{byte}\r\n")
        connection.send(b"0\r\n\r\n")

    program = serve("root @dir@/www; ssi on; proxy_buffering off; location /page { proxy_pass http://@to@; }",
                    to=make_backend(serve=answer))
    program.write("www/part.html", "P")
    assert program.get("/page").text == "aPbce"


def test_waited_for_parts_may_set_variables_for_what_follows(page):
    assert page("""<!--#include virtual="/set.html" wait="yes" -->[<!--#echo var="x" -->]""",
                {"set.html": "<!--#set var='x' value='from the part' -->"}) == "[from the part]"


def test_a_part_may_be_put_into_a_variable(page):
    assert page("""<!--#include virtual="/a.html" set="x" -->[<!--#echo var="x" encoding="none" -->]<!--#if expr="$x = A" -->yes<!--#endif -->""",
                {"a.html": "A"}) == "[A]yes"


def test_what_is_too_large_for_a_variable_is_none(sallyport):
    """nginx ends the connection."""
    program = sallyport("server { listen 127.0.0.1:@port:http@; root @dir@/www; types { text/html html; } ssi on;"
                        "subrequest_output_buffer_size 1k; }")
    program.write("www/page.html", '<!--#include virtual="/a.html" set="x" -->[<!--#echo var="x" default="-" -->]')
    program.write("www/a.html", "A" * 1024)
    assert program.get("/page.html").text == f"[{'A' * 1024}]"
    program.write("www/a.html", "A" * 1025)
    assert program.get("/page.html").text == "[-]"
    program.wait_for_error("too big subrequest response (subrequest_output_buffer_size)")


def test_what_only_looks_like_the_beginning_of_a_command_is_kept(sallyport, make_backend):
    """nginx loses some of it where a piece of the body ends there."""
    text = "<<!--#echo var='uri' --><!<!--#echo var='uri' --><!-"

    def answer(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in text:
            connection.send(f"1\r\n{byte}\r\n")
        connection.send(b"0\r\n\r\n")

    program = sallyport("server { listen 127.0.0.1:@port:http@; ssi on; location / { proxy_pass http://@to@; } }",
                        to=make_backend(serve=answer))
    assert program.get("/x").text == "</x<!/x<!-"


def test_a_part_that_is_missing_shows_its_error_page(page):
    shown = page('1<!--#include virtual="/gone.html" -->2')
    assert shown.startswith("1<html>") and "404 Not Found" in shown and shown.endswith("2")


def test_a_stub_stands_for_a_part_that_fails_or_is_empty(page):
    block = '<!--#block name="one" -->[stub]<!--#endblock -->'
    assert page(block + '1<!--#include virtual="/gone.html" stub="one" -->2<!--#include virtual="/a.html" stub="one" -->3<!--#include virtual="/empty.html" stub="one" -->4',
                {"a.html": "A", "empty.html": ""}) == "1[stub]2A3[stub]4"


@pytest.mark.parametrize("text", [
    '<!--#include -->', '<!--#include virtual="/a" file="/a" -->', '<!--#include file="/a" wait="yes" -->',
    '<!--#include virtual="/a" wait="perhaps" -->', '<!--#include virtual="/a" stub="none" -->',
    '<!--#include virtual="/a" stub="x" set="y" -->', '<!--#include virtual="/../a" -->',
])
def test_includes_that_make_no_sense(page, text):
    assert page(f"a{text}b") == f"a{ERROR}b"


def test_dates_have_the_page_s_format(page):
    shown = page('<!--#config timefmt="%Y|%s" --><!--#config timefmt="%Y" --><!--#echo var="date_gmt" --> <!--#config timefmt="%s" --><!--#echo var="date_local" -->')
    assert re.fullmatch(r"20\d\d \d{10}", shown)
    assert re.fullmatch(r"\w+day, \d\d-\w{3}-20\d\d \d\d:\d\d:\d\d GMT", page('<!--#echo var="date_gmt" -->'))


def test_errors_may_be_silent(page):
    assert page("a<!--#odd -->b", inside="ssi_silent_errors on;") == "ab"
    page.program.wait_for_error('invalid SSI command: "odd"')


def test_only_html_unless_other_types_are_named(serve):
    program = serve("root @dir@/www; ssi on; location /more/ { ssi_types text/plain; types { text/plain txt; } }")
    for name in ("page.txt", "more/page.txt"):
        program.write(f"www/{name}", "<!--#echo var='uri' -->")
    assert program.get("/page.txt").text == "<!--#echo var='uri' -->"
    assert program.get("/more/page.txt").text == "/more/page.txt"


def test_the_head_tells_nothing_that_is_not_true_any_more(serve):
    program = serve("root @dir@/www; location / { ssi on; } location /kept/ { ssi on; ssi_last_modified on; } location /off/ { }")
    for name in ("page.html", "kept/page.html", "off/page.html"):
        program.write(f"www/{name}", "<!--#echo var='uri' -->")
    names = ("Content-Length", "Last-Modified", "ETag", "Accept-Ranges")
    answer = program.get("/page.html")
    assert [answer.field(name) for name in names] == [None] * 4
    answer = program.get("/kept/page.html")
    assert [answer.field(name) is not None for name in names] == [False, True, True, False]
    assert answer.field("ETag").startswith("W/")
    answer = program.get("/off/page.html")
    assert [answer.field(name) is not None for name in names] == [True] * 4


def test_head_has_no_parts(serve, make_backend):
    backend = make_backend()
    program = serve("root @dir@/www; ssi on; location /part { proxy_pass http://@to@; }", to=backend)
    program.write("www/page.html", '<!--#include virtual="/part" -->')
    with program.client() as client:
        assert client.request("HEAD", "/page.html").status == 200
        assert client.get("/page.html").status == 200
    assert len(backend.requests) == 1


def test_a_page_that_includes_itself_ends(sallyport):
    program = sallyport("server { listen 127.0.0.1:@port:http@; root @dir@/www; types { text/html html; } ssi on; }")
    program.write("www/page.html", 'x<!--#include virtual="/page.html" -->')
    assert program.get("/page.html").text == "x" * 51 + ERROR
    program.wait_for_error('subrequests cycle while processing "/page.html"')
    assert program.status()["counters"]["limit_subrequests"] == 1


def test_a_page_has_no_more_parts_than_max_subrequests(sallyport):
    program = sallyport("server { listen 127.0.0.1:@port:http@; root @dir@/www; types { text/html html; } ssi on; max_subrequests 3; }")
    program.write("www/page.html", '<!--#include virtual="/a.html" -->' * 5)
    program.write("www/a.html", "A")
    assert program.get("/page.html").text == "AAA" + ERROR * 2


def test_the_memory_of_a_page_is_bounded(sallyport):
    program = sallyport("server { listen 127.0.0.1:@port:http@; root @dir@/www; types { text/html html; } ssi on; ssi_value_length 1m; }")
    program.write("www/page.html", f"<!--#set var='x' value='{'x' * 600000}' -->a<!--#set var='y' value='{'x' * 600000}' -->b")
    assert program.get("/page.html").text == f"a{ERROR}b"
    assert program.status()["counters"]["limit_ssi_size"] == 1


def test_a_part_that_breaks_off_ends_the_page(sallyport, make_backend):
    """Under compat nginx the page goes on as if it were whole."""
    def half(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        connection.reset()

    program = sallyport("server { listen 127.0.0.1:@port:http@; root @dir@/www; types { text/html html; } ssi on;"
                        "location /part { proxy_pass http://@to@; } }", to=make_backend(serve=half))
    program.write("www/page.html", '1<!--#include virtual="/part" -->2')
    with program.client() as client:
        with pytest.raises((EOFError, ConnectionError, AssertionError)):
            client.get("/page.html")
    program.wait_for_error("a part of the page is not whole")


@pytest.mark.parametrize("logs, lines", [("on", ["/a.html", "/page.html"]), ("off", ["/page.html"])])
def test_parts_are_logged_if_that_is_asked_for(serve, logs, lines):
    program = serve(f"root @dir@/www; ssi on; log_subrequest {logs}; access_log @dir@/parts.log uris;",
                    before="log_format uris $uri;")
    program.write("www/page.html", '<!--#include virtual="/a.html" -->')
    program.write("www/a.html", "A")
    assert program.get("/page.html").text == "A"
    program.wait_for_line("parts.log", "/page.html")
    assert program.lines("parts.log") == lines


def test_a_part_is_whole_whatever_the_client_has_of_the_page(serve):
    """Its fields tell of the page, not of the part."""
    program = serve("root @dir@/www; ssi on; ssi_last_modified on;")
    program.write("www/page.html", 'page <!--#include virtual="/part.txt" -->')
    program.write("www/part.txt", "the part")
    for field in (("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"), ("Range", "bytes=0-2")):
        answer = program.get("/page.html", fields=[field])
        assert answer.status == 304 or answer.text == "page the part", field


def test_a_block_leaves_the_page_as_it_was(sallyport):
    program = sallyport("server { listen 127.0.0.1:@port:http@; root @dir@/www; types { text/html html; } ssi on; }")
    program.write("www/page.html", '<!--#block name="b" -->[<!--#if expr="$none" -->x<!--#endblock -->'
                                   '1<!--#include virtual="/gone" stub="b" -->2')
    assert program.get("/page.html").text == "1[2"


def test_a_block_within_itself_ends(sallyport):
    program = sallyport("server { listen 127.0.0.1:@port:http@; root @dir@/www; types { text/html html; } ssi on; }")
    program.write("www/page.html", '<!--#block name="b" -->x<!--#include virtual="/gone" stub="b" --><!--#endblock -->'
                                   '<!--#include virtual="/gone" stub="b" -->')
    assert program.get("/page.html").text == "x" * 8 + ERROR
    program.wait_for_error('the stub "b" stands in itself')


def test_what_variables_take_of_a_page_is_bounded(sallyport):
    """Two fields of one name are joined anew at each use."""
    program = sallyport("server { listen 127.0.0.1:@port:http@; root @dir@/www; types { text/html html; } ssi on; }")
    program.write("www/page.html", '<!--#echo var="http_x" -->' * 1000)
    answer = program.get("/page.html", fields=[("X", "a" * 2000), ("X", "b" * 2000)])
    assert answer.text.endswith("(none)")
    assert program.status()["counters"]["limit_ssi_size"] > 0


def test_the_parts_of_a_page_count_as_one_request_for_limit_req(serve):
    program = serve("root @dir@/www; ssi on; location /part.html { limit_req zone=z; }",
                    before="limit_req_zone $binary_remote_addr zone=z:1m rate=1r/m;")
    program.write("www/page.html", '<!--#include virtual="/part.html" -->' * 3)
    program.write("www/part.html", "P")
    assert program.get("/page.html").text == "PPP"


TYPES = "server { listen 127.0.0.1:@port:http@; root @dir@/www; types { text/html html; } ssi on;"


class Meeting:
    """Answers /NAME when everybody whom it waits for has come, too, and notes the order."""

    def __init__(self, needs, text=str.upper):
        self.needs = needs  # NAME: names of others
        self.came = {name: threading.Event() for name in needs}
        self.text = text
        self.answered = []

    def __call__(self, request):
        name = request.target.rsplit("/", 1)[1]
        self.came[name].set()
        missed = [other for other in self.needs[name] if not self.came[other].wait(seconds(10))]
        self.answered.append(name)
        return response("missed " + " ".join(missed) if missed else self.text(name),
                        fields=[("Content-Type", "text/plain")])


def include(name, more=""):
    return f'<!--#include virtual="/part/{name}" {more}-->'


def test_parts_are_fetched_side_by_side(serve, make_backend):
    """Each is answered once both have been asked for."""
    meeting = Meeting({"a": "b", "b": "a"})
    program = serve("root @dir@/www; ssi on; location /part/ { proxy_pass http://@to@; }", to=make_backend(meeting))
    program.write("www/page.html", "1" + include("a") + "2" + include("b") + "3")
    assert program.get("/page.html").text == "1A2B3"


def test_a_part_that_comes_early_waits_for_its_turn(serve, make_backend):
    """`late` is answered when `early` was, whose text is longer than what is held of it at once."""
    meeting = Meeting({"late": ["early"], "early": [], "last": ["late", "early"]}, lambda name: name[0] * 300_000)
    program = serve("root @dir@/www; ssi on; location /part/ { proxy_pass http://@to@; }", to=make_backend(meeting))
    text = "t" * 100_000
    program.write("www/page.html", f"1{include('late')}2{include('early')}{text}{include('last')}4")
    assert program.get("/page.html").text == f"1{'l' * 300_000}2{'e' * 300_000}{text}{'l' * 300_000}4"


def test_the_head_of_a_page_leaves_before_its_parts(sallyport, make_backend):
    """While parts run, nobody else writes: a head behind the first one's text would be none."""
    go = threading.Event()

    def answer(_):
        assert go.wait(seconds(10))
        return response("part", fields=[("Content-Type", "text/plain")])

    program = sallyport(TYPES + "location /part/ { proxy_pass http://@to@; } }", to=make_backend(answer))
    program.write("www/page.html", include("a") + "text")
    with program.client() as client:
        client.send(b"GET /page.html HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.receive_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        go.set()
        assert client.receive_until(b"0\r\n\r\n") == b"4\r\npart\r\n4\r\ntext\r\n0\r\n\r\n"


def test_a_page_with_parts_may_answer_an_upload_that_goes_on(sallyport, make_backend):
    """The parts' attempts must not take the client's bytes from the upload's."""

    def answer(_):
        return response("part", fields=[("Content-Type", "text/plain")])

    def page(connection):
        came = b""
        while not came.endswith(b"first"):
            came += connection.receive()
        text = include("a").encode() + b"text"
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + f"{len(text):x}\r\n".encode() + text + b"\r\n")
        while not came.endswith(b"last"):
            came += connection.receive()
        connection.send(b"3\r\nend\r\n0\r\n\r\n")

    program = sallyport(TYPES + "proxy_request_buffering off; location /part/ { proxy_pass http://@parts@; } "
                        "location / { proxy_pass http://@page@; } }", parts=make_backend(answer),
                        page=make_backend(serve=page))
    with program.client() as client:
        client.send(b"POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfirst")
        client.receive_until(b"part")
        client.send(b"last")
        assert client.receive_until(b"0\r\n\r\n").endswith(b"3\r\nend\r\n0\r\n\r\n")


def test_a_page_waits_where_it_says_so(serve, make_backend):
    meeting = Meeting({"a": [], "b": []})
    order = []

    def answer(request):
        order.append(request.target)
        said = meeting(request)
        order.append("answered")
        return said

    program = serve("root @dir@/www; ssi on; location /part/ { proxy_pass http://@to@; }", to=make_backend(answer))
    program.write("www/page.html", include("a", 'wait="yes" ') + "2" + include("b") + "3")
    assert program.get("/page.html").text == "A2B3"
    assert order == ["/part/a", "answered", "/part/b", "answered"]


def test_a_waited_part_runs_beside_those_before_it(serve, make_backend):
    meeting = Meeting({"a": "b", "b": "a", "c": "ab"})
    program = serve("root @dir@/www; ssi on; location /part/ { proxy_pass http://@to@; }", to=make_backend(meeting))
    program.write("www/page.html", include("a") + "1" + include("b", "wait='yes' ") + "2" + include("c"))
    assert program.get("/page.html").text == "A1B2C"


def test_parts_of_parts_run_side_by_side(serve, make_backend):
    meeting = Meeting({name: "abcd".replace(name, "") for name in "abcd"})
    program = serve("root @dir@/www; ssi on; location /part/ { proxy_pass http://@to@; }", to=make_backend(meeting))
    program.write("www/page.html", "[<!--#include virtual='/1.html' -->|<!--#include virtual='/2.html' -->]")
    program.write("www/1.html", include("a") + "-" + include("b"))
    program.write("www/2.html", include("c") + "-" + include("d"))
    assert program.get("/page.html").text == "[A-B|C-D]"


def test_no_more_than_eight_parts_run_at_once(sallyport, make_backend):
    running, most, lock = 0, 0, threading.Lock()
    full = threading.Event()

    def answer(request):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running >= 8:
                full.set()
        full.wait(seconds(10))
        with lock:
            running -= 1
        return response(request.target.rsplit("/", 1)[1] + " ")

    program = sallyport(TYPES + "location /part/ { proxy_pass http://@to@; } }", to=make_backend(answer))
    program.write("www/page.html", "".join(include(i) for i in range(30)))
    assert program.get("/page.html").text == "".join(f"{i} " for i in range(30))
    assert full.is_set() and most == 8


def test_an_error_shows_at_its_place(serve, make_backend):
    meeting = Meeting({"a": "b", "b": "a"})
    program = serve("root @dir@/www; ssi on; location /part/ { proxy_pass http://@to@; }", to=make_backend(meeting))
    program.write("www/page.html", include("a") + "1<!--#odd -->2<!--#echo var='none' -->" + include("b") + "3")
    assert program.get("/page.html").text == f"A1{ERROR}2(none)B3"


def test_a_part_that_breaks_off_ends_the_others(sallyport, make_backend):
    begun = threading.Event()
    left = threading.Event()

    def serve_part(connection):
        if connection.read_request().target == "/part/a":
            begun.wait(seconds(10))
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            return connection.reset()
        begun.set()
        try:
            connection.receive()
        except (EOFError, OSError):
            left.set()

    program = sallyport(TYPES + "location /part/ { proxy_pass http://@to@; } }", to=make_backend(serve=serve_part))
    program.write("www/page.html", include("a") + "1" + include("b") + "2")
    with program.client() as client:
        with pytest.raises((EOFError, ConnectionError, AssertionError)):
            client.get("/page.html")
    assert left.wait(seconds(10))
    program.wait_for_error("a part of the page is not whole")


@pytest.mark.parametrize("page", ["file", "backend"])
def test_parts_end_with_their_client(sallyport, make_backend, page):
    left = []

    def serve_part(connection):
        target = connection.read_request().target
        if target == "/page.html":
            text = "".join(include(i) for i in range(4)).encode()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 10000\r\n\r\n" + text)
        try:
            connection.receive()
        except (EOFError, OSError):
            left.append(target)

    backend = make_backend(serve=serve_part)
    program = sallyport(TYPES + "location /part/ { proxy_pass http://@to@; } location /backend/ { proxy_pass http://@to@/; } }",
                        to=backend)
    program.write("www/file/page.html", "".join(include(i) for i in range(4)))
    with program.client() as client:
        client.send(f"GET /{page}/page.html HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: len(backend.connections) == 4 + (page == "backend"), "the parts' requests")
    wait_for(lambda: len(left) == len(backend.connections), "the ends of the parts' connections")
    with program.client() as client:
        assert client.get("/none").status == 404
