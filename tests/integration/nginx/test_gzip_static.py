"""gzip_static: "file.gz" in place of "file". Every case is asked of nginx, too."""
import gzip
import os

import pytest

from support.program import Nginx

GZIP = ("Accept-Encoding", "gzip")
TEXT = b"packed before " * 100


@pytest.fixture
def site(serve):
    def start(text, before=""):
        program = serve(f"root @dir@/www; {text}", before)
        folder = program.folder / "www"
        program.write("www/page.html", "plain")
        program.write("www/alone.html", "plain")
        program.write("www/folder.html", "plain")
        (folder / "page.html.gz").write_bytes(gzip.compress(TEXT, mtime=0))
        (folder / "only.html.gz").write_bytes(gzip.compress(TEXT, mtime=0))
        os.utime(folder / "page.html.gz", (784111777, 784111777))
        os.makedirs(folder / "folder.html.gz", exist_ok=True)
        return program
    return start


def seen(program, target, fields=(GZIP,)):
    answer = program.get(target, fields=fields)
    packed = answer.field("Content-Encoding") == "gzip"
    return answer.status, gzip.decompress(answer.body) if packed else answer.body


def test_on_is_for_those_who_accept_it(site):
    program = site("gzip_static on;")
    answer = program.get("/page.html", fields=[GZIP])
    assert gzip.decompress(answer.body) == TEXT
    assert answer.field("Content-Length") == str(len(answer.body))
    assert answer.field("Content-Type") == "text/html"
    assert answer.field("Last-Modified") == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert answer.field("ETag") == f'"{784111777:x}-{len(answer.body):x}"'
    assert answer.field("Vary") is None
    assert seen(program, "/page.html", ()) == (200, b"plain")
    assert seen(program, "/alone.html") == (200, b"plain")
    assert seen(program, "/folder.html") == (200, b"plain")
    assert seen(program, "/only.html") == (200, TEXT)
    assert seen(program, "/only.html", ())[0] == 404


def test_off_is_the_default(site):
    assert seen(site(""), "/page.html") == (200, b"plain")
    assert seen(site("location / { gzip_static off; }", "gzip_static on;"), "/page.html") == (
        200, b"plain")


def test_always_asks_nobody(site):
    program = site("gzip_static always;")
    assert seen(program, "/page.html", ()) == (200, TEXT)
    assert seen(program, "/alone.html", ()) == (200, b"plain")


def test_always_with_gunzip_is_for_everybody(site):
    answer = site("gzip_static always; gunzip on;").get("/page.html")
    assert answer.body == TEXT and answer.field("Content-Encoding") is None


def test_ranges_are_of_the_packed_file(site):
    program = site("gzip_static on;")
    answer = program.get("/page.html", fields=[GZIP, ("Range", "bytes=0-1")])
    if isinstance(program, Nginx):  # newer ones have them
        return
    assert (answer.status, answer.body) == (206, b"\x1f\x8b")
    assert answer.field("Content-Encoding") == "gzip"


def test_vary(site):
    program = site("gzip_static on; gzip_vary on;")
    varies = {(name, bool(fields)): program.get(name, fields=fields).all("Vary")
              for name in ("/page.html", "/alone.html") for fields in ([], [GZIP])}
    assert varies == {("/page.html", False): ["Accept-Encoding"], ("/page.html", True): ["Accept-Encoding"],
                      ("/alone.html", False): [], ("/alone.html", True): []}


def test_not_modified_and_other_methods(site):
    program = site("gzip_static on;")
    etag = program.get("/page.html", fields=[GZIP]).field("ETag")
    assert program.get("/page.html", fields=[GZIP, ("If-None-Match", etag)]).status == 304
    with program.client() as client:
        head = client.request("HEAD", "/page.html", fields=[GZIP])
        assert head.field("Content-Encoding") == "gzip" and int(head.field("Content-Length")) > 0
        assert client.request("POST", "/page.html", fields=[GZIP], body=b"x").status == 405


def test_what_is_packed_before_is_not_packed_again(site):
    assert seen(site("gzip on; gzip_static on; gzip_min_length 1;"), "/page.html") == (200, TEXT)
