"""empty_gif: one transparent pixel. Asked of nginx, too."""
import pytest

from support.compare import Pair, seen

SERVERS = """
    server {
        listen 127.0.0.1:@port:http@;
        location = /_.gif { empty_gif; }
        location /nested/ { empty_gif; location /nested/inner { root @place@; } }
        location /off/ { empty_gif; if_modified_since off; }
        location /before/ { empty_gif; if_modified_since before; }
        location /page { error_page 404 =404 /_.gif; return 404; }
    }
"""
DATE = "Mon, 28 Sep 1970 06:00:00 GMT"
LATER = "Mon, 28 Sep 1970 06:00:01 GMT"
EARLIER = "Mon, 28 Sep 1970 05:59:59 GMT"
SHOWN = ("Content-Type", "Last-Modified", "ETag", "Accept-Ranges")


@pytest.fixture(scope="module")
def pair(shared_sallyport, shared_nginx, shared_open_folder):
    return Pair(shared_sallyport, shared_nginx, SERVERS, shared_open_folder)


@pytest.mark.parametrize("target", ["/_.gif", "/_.gif?x", "/nested/x", "/nested/inner", "/off/",
                                    "/before/", "/page"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_every_method(pair, target, method):
    pair.ask(target, method=method, shown=SHOWN)


@pytest.mark.parametrize("target", ["/_.gif", "/off/", "/before/"])
@pytest.mark.parametrize("field, value", [
    ("If-Modified-Since", DATE), ("If-Modified-Since", LATER), ("If-Modified-Since", EARLIER),
    ("If-Unmodified-Since", DATE), ("If-Unmodified-Since", EARLIER), ("If-None-Match", '"x"'),
    ("If-Match", '"x"'), ("If-Match", "*"), ("Range", "bytes=0-3"),
])
def test_preconditions(pair, target, field, value):
    pair.ask(target, fields=[(field, value)], shown=SHOWN)


def test_the_picture(pair):
    with pair.ours.client() as client:
        answer = client.get("/_.gif")
    with pair.nginx.client() as client:
        assert client.get("/_.gif").body == answer.body
    assert (answer.status, len(answer.body), answer.body[:6]) == (200, 43, b"GIF89a")
    assert seen(pair.ours, "/_.gif", shown=("Last-Modified",))[2] == DATE


def test_last_modified_is_told_once(pair):
    head = pair.ours.get("/_.gif").head
    assert head.lower().count(b"last-modified:") == 1
