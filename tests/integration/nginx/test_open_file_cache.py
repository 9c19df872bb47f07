"""open_file_cache: what is kept is served as it was until it is looked at again. Asked of nginx, too."""
import os

import pytest

from support import wait_for
from support.program import SANITIZED

LOCATIONS = """
    root @dir@/www;
    open_file_cache max=100 inactive=1h;
    open_file_cache_valid 1h;
    open_file_cache_events on;
    location / { }
    location /errors/ { open_file_cache_errors on; try_files $uri =404; }
    location /index/ { open_file_cache_errors on; }
    location /off/ { open_file_cache off; }
    location /short/ { open_file_cache max=10; open_file_cache_valid 1s; }
    location /seldom/ { open_file_cache max=10; open_file_cache_valid 1h; open_file_cache_min_uses 3; }
"""


@pytest.fixture
def program(serve):
    program = serve(LOCATIONS)
    for name in ("", "errors/", "off/", "short/", "seldom/"):
        program.write(f"www/{name}a.txt", "first")
    (program.folder / "www/index").mkdir()
    return program


def replace(program, name, text):
    """As editors and deployments do it: another file takes the name's place."""
    program.write(f"{name}.new", text)
    os.replace(program.folder / f"{name}.new", program.folder / name)


def test_a_file_that_is_kept_is_served_though_it_was_replaced(program):
    assert program.get("/a.txt").text == "first"
    replace(program, "www/a.txt", "another one")
    answer = program.get("/a.txt")
    assert answer.text == "first" and answer.field("Content-Length") == "5"
    os.remove(program.folder / "www/a.txt")
    assert program.get("/a.txt").text == "first"


def test_without_the_cache_it_is_seen_at_once(program):
    assert program.get("/off/a.txt").text == "first"
    replace(program, "www/off/a.txt", "another one")
    assert program.get("/off/a.txt").text == "another one"


def test_it_is_looked_at_again_after_valid(program):
    assert program.get("/short/a.txt").text == "first"
    replace(program, "www/short/a.txt", "another one")
    wait_for(lambda: program.get("/short/a.txt").text == "another one", "the new file")
    os.remove(program.folder / "www/short/a.txt")
    wait_for(lambda: program.get("/short/a.txt").status == 404, "no file any more")


def test_errors_are_kept_where_that_is_asked_for(program):
    assert program.get("/errors/new.txt").status == 404
    assert program.get("/new.txt").status == 404
    program.write("www/errors/new.txt", "new")
    program.write("www/new.txt", "new")
    assert program.get("/errors/new.txt").status == 404
    assert program.get("/new.txt").text == "new"


def test_an_index_that_was_missing_stays_so_with_errors(program):
    assert program.get("/index/").status == 403
    program.write("www/index/index.html", "index")
    assert program.get("/index/").status == 403


def test_a_descriptor_is_kept_from_the_so_many_th_use_on(program):
    assert program.get("/seldom/a.txt").text == "first"
    replace(program, "www/seldom/a.txt", "second")
    assert program.get("/seldom/a.txt").text == "second", "opened anew: used twice"
    replace(program, "www/seldom/a.txt", "third!")
    assert program.get("/seldom/a.txt").text == "third!", "opened anew, and kept"
    replace(program, "www/seldom/a.txt", "fourth")
    assert program.get("/seldom/a.txt").text == "third!"


@pytest.mark.parametrize("line, message", [
    ("open_file_cache max=0;", 'invalid "open_file_cache" parameter "max=0"'),
    ("open_file_cache inactive=1s;", '"open_file_cache" must have the "max" parameter'),
    ("open_file_cache on;", 'invalid "open_file_cache" parameter "on"'),
    ("open_file_cache max=1 inactive=x;", 'invalid "open_file_cache" parameter "inactive=x"'),
    ("open_file_cache_errors maybe;", 'invalid value "maybe" in "open_file_cache_errors" directive'),
])
def test_refused(serve, line, message):
    with pytest.raises(AssertionError) as failure:
        serve(line)
    assert message in str(failure.value)


def counters(program, *names):
    told = program.status()["counters"]
    return [told[name] for name in names]


def test_what_is_beyond_max_gives_way_and_is_counted(sallyport):
    program = sallyport.make()
    for name in "abc":
        program.write(f"www/{name}", name)
    program.start("""worker_processes 1; events {} http { server { listen 127.0.0.1:@port:http@;
        root @dir@/www; open_file_cache max=2; } }""")

    def told():
        return counters(program, "open_file_hits", "open_file_misses", "limit_open_file_cache")

    for name in "abab":
        assert program.get(f"/{name}").text == name
    wait_for(lambda: told() == [2, 2, 0], "two of each")
    for name in "caca":
        assert program.get(f"/{name}").text == name
    wait_for(lambda: told() == [4, 4, 2], "a and b gave way")


def is_open(program, name):
    """Whether a descriptor of its processes leads to that file."""
    target = str(program.folder / name)
    for pid in program.processes():
        for entry in os.scandir(f"/proc/{pid}/fd"):
            try:
                if os.readlink(entry.path) == target:
                    return True
            except OSError:
                pass
    return False


def test_what_nobody_asks_for_is_closed(sallyport):
    program = sallyport.make()
    program.write("www/a", "a")
    program.write("www/b", "b")
    program.start("""worker_processes 1; events {} http { server { listen 127.0.0.1:@port:http@;
        root @dir@/www; open_file_cache max=2 inactive=1s;
        location /b { open_file_cache max=2 inactive=1h; } } }""")
    assert program.get("/a").text == "a" and program.get("/b").text == "b"
    assert is_open(program, "www/b")
    wait_for(lambda: not is_open(program, "www/a"), "the descriptor to be closed")
    assert is_open(program, "www/b")


def test_a_file_that_is_being_sent_stays_open(sallyport):
    """Its entry gives way while a client is still reading."""
    program = sallyport.make()
    program.write("www/large", "0123456789abcdef" * (1 << 20))
    program.write("www/a", "a")
    program.start("""worker_processes 1; events {} http { server { listen 127.0.0.1:@port:http@;
        root @dir@/www; open_file_cache max=1; } }""")
    with program.client() as client:
        client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        client.receive(lambda got: len(got) > 1000)
        os.remove(program.folder / "www/large")
        assert program.get("/a").text == "a"
        answer = client.response("GET")
    assert answer.status == 200 and answer.body == b"0123456789abcdef" * (1 << 20)


@pytest.mark.skipif(SANITIZED, reason="UBSan looks at objects through pipes, and there is no descriptor for them")
def test_where_descriptors_run_short_kept_files_are_closed_first(sallyport):
    program = sallyport.make()
    for i in range(300):
        program.write(f"www/{i}", f"file {i}")
    program.start("""worker_processes 1; worker_rlimit_nofile 128; events { worker_connections 20; }
        http { server { listen 127.0.0.1:@port:http@; root @dir@/www; open_file_cache max=1000; } }""")
    with program.client() as client:
        for i in range(300):
            answer = client.get(f"/{i}")
            assert (answer.status, answer.text) == (200, f"file {i}")
    assert program.status()["counters"]["limit_open_file_cache"] > 0
