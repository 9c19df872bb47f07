"""autoindex and its kind. Every list is asked of nginx, too, byte for byte."""
import json
import os
import socket

import pytest

from support import wait_for
from support.compare import Pair

MODIFIED = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
SERVERS = """
    error_log logs/error.log info;
    server {
        listen 127.0.0.1:@port:http@;
        root @place@/www;
        autoindex on;
        location / { }
        location /off/ { alias @place@/www/; autoindex off; }
        location /rounded/ { alias @place@/www/sizes/; autoindex_exact_size off; }
        location /utf8/ { alias @place@/www/names/; charset utf-8; }
        location /latin/ { alias @place@/www/names/; charset iso-8859-1; }
        location /utf8-types/ { alias @place@/www/names/; charset utf-8; charset_types text/css; }
        location /xml/ { alias @place@/www/; autoindex_format xml; }
        location /json/ { alias @place@/www/; autoindex_format json; }
        location /jsonp/ { alias @place@/www/; autoindex_format jsonp; }
        location /json-empty/ { alias @place@/www/empty/; autoindex_format json; }
        location /xml-empty/ { alias @place@/www/empty/; autoindex_format xml; }
        location /local/ { alias @place@/www/; autoindex_localtime on; }
        location /as-error/ { error_page 404 =404 /names/; return 404; }
        location /missing-root/ { root @place@/none; }
    }
"""
SIZES = (0, 9, 999, 9999, 10_000, 10_239, 10_240, 10_751, 10_752, 1_048_575, 1_048_576, 1_572_863,
         1_572_864, 1_073_741_823, 1_073_741_824, 1_610_612_736, 5_000_000_000)
NAMES = ("a.txt", "B", "<b>&\"'", "with space", "per%cent", "semi;colon,", "~tilde-_.", "q?#", "é",
         "tab\tand\nline", "x" * 50, "y" * 51, "z" * 200, "<" * 60, "&" * 50, "back\\slash", "\x01", "é" * 47, "é" * 50,
         "é" * 51, "日" * 60, "𝄞" * 55, "a" + "ф" * 49 + ".", "<>&-" + "ф" * 48, "\udcff" * 60, "é" * 60 + "\udce9")


@pytest.fixture(scope="module")
def pair(shared_sallyport, shared_nginx, shared_open_folder):
    place = shared_open_folder
    www = place / "www"
    for name in ("dir", "names/sub", "names/" + "d" * 49, "names/" + "e" * 50, "names/" + "f" * 51,
                 "sizes", "empty", "indexed", "special", "<dir>&"):
        (www / name).mkdir(parents=True)
    for name in NAMES:
        (www / "names" / name).write_text("text")
    for size in SIZES:
        with open(www / "sizes" / f"{size}", "wb") as file:
            file.truncate(size)
    (www / "indexed/index.html").write_text("the index")
    (www / ".hidden").write_text("hidden")
    (www / "file").write_text("file")
    (www / "to-file").symlink_to("file")
    (www / "to-dir").symlink_to("dir")
    (www / "to-nothing").symlink_to("nothing")
    os.mkfifo(www / "special/fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(www / "special/socket"))
    for path in sorted(www.rglob("*"), reverse=True):
        os.utime(path, (MODIFIED, MODIFIED), follow_symlinks=False)
    return Pair(shared_sallyport, shared_nginx, SERVERS, place)


@pytest.mark.parametrize("target", [
    "/", "/dir/", "/names/", "/names/sub/", "/utf8/", "/latin/", "/utf8-types/", "/sizes/", "/rounded/", "/empty/", "/special/", "/indexed/",
    "/xml/", "/xml/names/", "/xml/special/", "/xml-empty/", "/json/", "/json/names/", "/json/special/",
    "/json-empty/", "/jsonp/", "/jsonp/?callback=a.b_C9", "/jsonp/?callback=", "/jsonp/?CALLBACK=f",
    "/jsonp/?callback=" + "f" * 128, "/local/", "/off/", "/%3Cdir%3E&/", "/none/", "/file/", "/dir",
    "/as-error/", "/missing-root/",
])
def test_lists_are_nginx_s(pair, target):
    pair.ask(target)


@pytest.mark.parametrize("callback", ["a(b", "f%28", "a-b", "f" * 129, "a<", "'"])
def test_callbacks_that_are_more_than_a_name_are_refused(pair, callback):
    assert pair.ask(f"/jsonp/?callback={callback}")[0] == 400


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT"])
def test_other_methods(pair, method):
    pair.ask("/dir/", method=method)


def test_a_list_is_what_it_says(pair):
    status, text, _, content_type, _ = pair.ask("/json/")
    assert (status, content_type) == (200, "application/json")
    entries = {entry["name"]: entry for entry in json.loads(text)}
    assert entries["file"] == {"name": "file", "type": "file", "size": 4,
                               "mtime": "Sun, 06 Nov 1994 08:49:37 GMT"}
    assert entries["dir"]["type"] == "directory" and ".hidden" not in entries


def test_nothing_is_listed_by_default(sallyport):
    program = sallyport("events {} http { server { listen 127.0.0.1:@port:http@; root @dir@/www; } }")
    program.write("www/a", "a")
    assert program.get("/").status == 403
    program.wait_for_error("directory index of")


def test_links_that_lead_out_tell_nothing_of_what_is_there(sallyport):
    program = sallyport.make()
    program.write("secret", "x" * 12345)
    program.write("www/a", "a")
    (program.folder / "www/out").symlink_to("../secret")
    program.start("""events {} http { server {
        listen 127.0.0.1:@port:http@; root @dir@/www; autoindex on; autoindex_format json;
        location /anywhere/ { alias @dir@/www/; follow_symlinks anywhere; } } }""")
    listed = {entry["name"]: entry for entry in json.loads(program.get("/").text)}
    assert listed["out"]["type"] == "other" and "size" not in listed["out"]
    listed = {entry["name"]: entry for entry in json.loads(program.get("/anywhere/").text)}
    assert listed["out"]["size"] == 12345


def test_a_directory_with_too_many_entries_is_not_listed(sallyport):
    program = sallyport.make()
    for i in range(5):
        program.write(f"www/{i}", "")
    program.start("""events {} http { server {
        listen 127.0.0.1:@port:http@; root @dir@/www; autoindex on; autoindex_max_entries 4;
        location /more/ { alias @dir@/www/; autoindex_max_entries 5; } } }""")
    assert program.get("/").status == 500
    assert program.get("/more/").status == 200
    program.wait_for_error("has more than 4 entries")
    wait_for(lambda: program.status()["counters"]["limit_directory_entries"] == 1, "the counter")


@pytest.mark.parametrize("line, message", [
    ("autoindex maybe;", 'invalid value "maybe" in "autoindex" directive'),
    ("autoindex_format yaml;", 'invalid value "yaml"'),
    ("autoindex on; autoindex off;", '"autoindex" directive is duplicate'),
    ("autoindex_max_entries 0;", "autoindex_max_entries"),
])
def test_refused(sallyport, line, message):
    done = sallyport.make().check(f"events {{}} http {{ server {{ listen 127.0.0.1:1; {line} }} }}")
    assert done.returncode == 1 and message in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="the server process must be another user")
def test_what_may_not_be_looked_at_is_left_out(sallyport):
    program = sallyport("""events {} http { server {
        listen 127.0.0.1:@port:http@; root @dir@/www; autoindex on; index $arg_none; } }""")
    for name in "abc":
        program.write(f"www/closed/{name}", "")
    (program.folder / "www/closed").chmod(0o744)  # its names may be read, and nothing more
    answer = program.get("/closed/")
    assert answer.status == 200 and answer.text.count("<a href=") == 1
    program.wait_for_error("failed (13: Permission denied), and 2 more there")


def test_a_large_directory_is_listed_whole(sallyport):
    program = sallyport.make()
    (program.folder / "www").mkdir()
    for i in range(10_000):
        (program.folder / "www" / f"{i:05}{'x' * 60}").touch()
    program.start("""events {} http { server {
        listen 127.0.0.1:@port:http@; root @dir@/www; autoindex on; } }""")
    answer = program.get("/")
    assert answer.status == 200 and answer.text.count("<a href=") == 10_001
    assert answer.text.endswith("</html>\r\n")
