"""disable_symlinks: links in the path of a file. Asked of nginx, too."""
import os

import pytest

from support.compare import Pair

SERVERS = """
    error_log logs/error.log info;
    server {
        listen 127.0.0.1:@port:http@;
        root @place@/www;
        location /on/ { alias @place@/www/; disable_symlinks on; }
        location /off/ { alias @place@/www/; disable_symlinks off; }
        location /owner/ { alias @place@/www/; disable_symlinks if_not_owner; }
        location /from/ { alias @place@/release/; disable_symlinks on from=@place@/release; }
        location /from-slash/ { alias @place@/release/; disable_symlinks on from=@place@/release/; }
        location /from-root/ { root @place@/release; disable_symlinks on from=$document_root; }
        location /from-other/ { alias @place@/release/; disable_symlinks on from=@place@/rel; }
        location /from-owner/ { alias @place@/release/; disable_symlinks if_not_owner from=@place@/release; }
        location /linked-root/ { alias @place@/release/; disable_symlinks on; }
        location /try/ { alias @place@/www/; disable_symlinks on; try_files $uri =410; }
        location /index/ { alias @place@/www/indexes/; disable_symlinks on; index link.html real.html; }
        disable_symlinks on;
        location /inherited/ { alias @place@/www/; }
    }
"""


@pytest.fixture(scope="module")
def pair(shared_sallyport, shared_nginx, shared_open_folder):
    place = shared_open_folder
    www = place / "www"
    for name in ("dir", "indexes", "from-root"):
        (www / name).mkdir(parents=True)
    for name in ("file", "dir/file", "indexes/real.html", "from-root/file"):
        (www / name).write_text(name)
    (place / "release").symlink_to("www")
    (www / "link").symlink_to("file")
    (www / "dirlink").symlink_to("dir")
    (www / "absolute").symlink_to(www / "file")
    (www / "twice").symlink_to("link")
    (www / "dead").symlink_to("nothing")
    (www / "loop").symlink_to("loop")
    (www / "dir/up").symlink_to("../file")
    (www / "indexes/link.html").symlink_to("real.html")
    (www / "from-root/link").symlink_to("file")
    if os.geteuid() == 0:
        (www / "others").symlink_to("file")
        (www / "otherdirs").symlink_to("dir")
        for name in ("others", "otherdirs"):
            os.lchown(www / name, 12345, 12345)
        (www / "mine").write_text("of another")
        os.chown(www / "mine", 12345, 12345)
        (www / "to-mine").symlink_to("mine")
    return Pair(shared_sallyport, shared_nginx, SERVERS, place)


FILES = ["file", "dir/file", "link", "dirlink/file", "absolute", "twice", "dead", "loop", "dir/up", "none",
         "dir/none", "file/x", "dir", "others", "otherdirs/file", "to-mine"]


# Where a directory on the way is a link, nginx on Linux finds "not a directory" there and says 404;
# the documentation promises that access is denied, which is what the program says.
DIRECTORY_LINKS = ("dirlink/", "otherdirs/")


@pytest.mark.parametrize("place", ["on", "off", "owner", "from", "from-slash", "from-other", "from-owner",
                                   "linked-root", "try", "inherited", "from-root"])
@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_link(pair, place, name):
    target = f"/{place}/{name}"
    with pair.nginx.client() as client:
        theirs = client.get(target, host="example.com")
    if theirs.status == 404 and (place in ("linked-root", "from-other") or (
            name.startswith(DIRECTORY_LINKS) and place != "from-root")):
        with pair.ours.client() as client:
            assert client.get(target, host="example.com").status == (410 if place == "try" else 403)
        return
    pair.ask(target)


def test_an_index_that_is_a_link(pair):
    with pair.ours.client() as client:
        assert client.get("/index/").status == 403
    pair.ask("/index/")


def test_what_is_served(pair):
    def status(target):
        with pair.ours.client() as client:
            return client.get(target).status

    assert status("/on/file") == 200 and status("/off/link") == 200
    for name in ("link", "dirlink/file", "absolute", "twice", "dir/up"):
        assert status(f"/on/{name}") == 403, name
        assert status(f"/owner/{name}") == 200, name
        assert status(f"/from/{name}") == 403, name
    assert status("/from/file") == 200 and status("/linked-root/file") == 403


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owners(pair):
    for name, expected in {"others": 403, "otherdirs/file": 403, "to-mine": 403, "mine": 200}.items():
        with pair.ours.client() as client:
            assert client.get(f"/owner/{name}").status == expected, name


@pytest.mark.parametrize("line, message", [
    ("disable_symlinks maybe;", 'invalid parameter "maybe"'),
    ("disable_symlinks from=/x;", '"disable_symlinks" must have "off", "on" or "if_not_owner" parameter'),
    ("disable_symlinks off from=/x;", '"from=" cannot be used with "off" parameter'),
    ("disable_symlinks on if_not_owner;", "duplicate parameters"),
    ("disable_symlinks on from=$none;", 'unknown "none" variable'),
])
def test_refused(serve, line, message):
    with pytest.raises(AssertionError) as failure:
        serve(line)
    assert message in str(failure.value)


def test_it_decides_alone(sallyport):
    """A link of one owner may lead out of the root, though follow_symlinks says inside."""
    program = sallyport.make()
    program.write("secret", "secret")
    program.write("www/a", "a")
    (program.folder / "www/out").symlink_to("../secret")
    program.start("""events {} http { server { listen 127.0.0.1:@port:http@; root @dir@/www;
        location /owner/ { alias @dir@/www/; disable_symlinks if_not_owner; }
        location /on/ { alias @dir@/www/; disable_symlinks on; } } }""")
    assert program.get("/out").status == 403
    assert program.get("/on/out").status == 403
    assert program.get("/owner/out").text == "secret"
