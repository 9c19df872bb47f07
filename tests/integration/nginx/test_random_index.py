"""random_index: a file of the directory by chance. Asked of nginx, too."""
import os

import pytest

from support.compare import Pair, seen

SERVERS = """
    error_log logs/error.log info;
    server {
        listen 127.0.0.1:@port:http@;
        root @place@/www;
        location / { random_index on; location /off/ { random_index off; } }
        location /files/ { random_index on; error_page 404 /none-there; }
        location /listed/ { alias @place@/www/only-dirs/; random_index on; autoindex on; }
        location /moved/ { alias @place@/www/one/; random_index on; location /moved/only.txt { return 200 "moved"; } }
    }
"""


@pytest.fixture(scope="module")
def pair(shared_sallyport, shared_nginx, shared_open_folder):
    place = shared_open_folder
    www = place / "www"
    for name in ("files/dir", "one", "only-dirs/dir", "only-dirs/.hidden", "linked", "off", "special"):
        (www / name).mkdir(parents=True)
    for name in ("files/a", "files/b", "files/c", "files/.hidden", "one/only.txt", "off/a",
                 "only-dirs/dir/x", "special/regular"):
        (www / name).write_text(name)
    (www / "linked/link").symlink_to("../one/only.txt")
    (www / "linked/dir").symlink_to("../one")
    (www / "linked/dead").symlink_to("nowhere")
    os.mkfifo(www / "special/fifo")
    return Pair(shared_sallyport, shared_nginx, SERVERS, place)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
@pytest.mark.parametrize("target", [
    "/one/", "/linked/", "/only-dirs/", "/special/", "/off/", "/missing/", "/one/only.txt/", "/one",
    "/moved/", "/listed/",
])
def test_where_there_is_no_choice(pair, target, method):
    pair.ask(target, method=method)


def test_each_file_has_its_turn_and_nothing_else(pair):
    for program in (pair.ours, pair.nginx):
        found = {seen(program, "/files/")[1] for _ in range(100)}
        assert found == {"files/a", "files/b", "files/c"}


def test_a_directory_with_too_many_entries_is_not_read(sallyport):
    program = sallyport.make()
    for i in range(3):
        program.write(f"www/{i}", "")
    program.start("""events {} http { server { listen 127.0.0.1:@port:http@; root @dir@/www;
        location / { random_index on; autoindex_max_entries 2; } } }""")
    assert program.get("/").status == 500
    program.wait_for_error("has more than 2 entries")
