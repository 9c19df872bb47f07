"""addition: texts before and behind a response. Every case is asked of nginx, too."""
import pytest

from support.backend import response


@pytest.fixture
def site(serve):
    def run(inside, **values):
        program = serve("root @dir@/www;" + inside, **values)
        for name, text in {"page.html": "page", "page.txt": "text", "before.html": "<", "after.html": ">",
                           "in/page.html": "inner", "off/page.html": "off"}.items():
            program.write(f"www/{name}", text)
        return program

    return run


BOTH = "add_before_body /before.html; add_after_body /after.html;"


def test_texts_stand_before_and_behind(site):
    program = site(BOTH + "location /in/ { add_after_body /page.html; } location /off/ { add_before_body ''; add_after_body ''; }")
    assert program.get("/page.html").text == "<page>"
    assert program.get("/in/page.html").text == "<innerpage"
    assert program.get("/off/page.html").text == "off"


def test_only_html_unless_other_types_are_named(site):
    program = site(BOTH + "location /more { alias @dir@/www/page.txt; default_type text/plain; addition_types text/plain; }")
    assert program.get("/page.txt").text == "text"
    assert program.get("/more").text == "<text>"


def test_a_backend_s_page_gets_them_too_and_its_parts_come_from_backends(site, make_backend):
    backend = make_backend(lambda request: response(f"[{request.target}]", fields=[("Content-Type", "text/html")]))
    program = site("add_before_body /part/1; add_after_body /part/2; location / { proxy_pass http://@to@; }", to=backend)
    with program.client() as client:
        for _ in range(2):
            assert client.get("/page").text == "[/part/1][/page][/part/2]"


def test_a_response_that_is_no_200_stays_as_it_is(site, make_backend):
    backend = make_backend(lambda request: response("gone", status="404 No", fields=[("Content-Type", "text/html")]))
    program = site(BOTH + "location /backend { proxy_pass http://@to@; }", to=backend)
    assert program.get("/backend").text == "gone"
    assert "404 Not Found" in program.get("/none.html").text
    assert not program.get("/none.html").text.startswith("<<")


def test_the_head_tells_nothing_that_is_not_true_any_more(site):
    answer = site(BOTH).get("/page.html")
    assert answer.field("Content-Length") is None and answer.field("Accept-Ranges") is None
    assert answer.field("ETag").startswith("W/")


def test_a_part_that_is_missing_shows_its_error_page(site):
    text = site("add_after_body /none.html;").get("/page.html").text
    assert text.startswith("page<html>") and "404 Not Found" in text


def test_an_empty_page_gets_them_as_well(site):
    program = site(BOTH)
    program.write("www/page.html", "")
    assert program.get("/page.html").text == "<>"


def test_ranges_are_of_no_use(site):
    answer = site(BOTH).get("/page.html", fields=[("Range", "bytes=0-1")])
    assert (answer.status, answer.text) == (200, "<page>")
