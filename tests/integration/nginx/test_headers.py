"""expires, add_header and add_trailer with their inheritance, and the other directives of a response's head.

Each case runs against nginx as well, where its version knows the directive."""
import email.utils
import os
import re
import time

import pytest

from support.backend import response

MODIFIED = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
DATE, LATER = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT"


def runner(kind, request):
    start = request.getfixturevalue(kind)

    def run(text, **values):
        if kind == "sallyport":
            text = f"compat nginx; events {{}} http {{ access_log off; {text} }}"
        return start(text, **values)

    return run


@pytest.fixture(params=["nginx", "sallyport"])
def serve(request):
    """serve(text) starts nginx, and in a second run the program under `compat nginx`."""
    return runner(request.param, request)


def site(inside, before=""):
    return f"{before} server {{ listen 127.0.0.1:@port:http@; {inside} }}"


def seconds_ahead(answer):
    """How far Expires lies ahead of the response's Date."""
    times = [email.utils.parsedate_to_datetime(answer.field(name)) for name in ("Expires", "Date")]
    return (times[0] - times[1]).total_seconds()


@pytest.mark.parametrize("rule, control, ahead", [
    ("30d", "max-age=2592000", 2592000), ("+1h", "max-age=3600", 3600), ("0", "max-age=0", 0),
    ("-1", "no-cache", -1), ("-1h", "no-cache", -3600),
    ("modified 1h", "max-age=3600", 3600),  # without Last-Modified: from now
])
def test_expires_counts_from_now(serve, rule, control, ahead):
    proxy = serve(site(f"location / {{ expires {rule}; return 200 x; }}"))
    answer = proxy.get()
    assert answer.all("Cache-Control") == [control]
    assert abs(seconds_ahead(answer) - ahead) <= 1


def test_expires_has_words_for_never_and_always(serve):
    proxy = serve(site("""
        location /epoch { expires epoch; return 200 x; }
        location /max { expires max; return 200 x; }
        location /off { expires off; return 200 x; }
    """, "expires 1h;"))
    epoch, never, off = (proxy.get(path) for path in ("/epoch", "/max", "/off"))
    assert (epoch.field("Expires"), epoch.field("Cache-Control")) == (
        "Thu, 01 Jan 1970 00:00:01 GMT", "no-cache")
    assert (never.field("Expires"), never.field("Cache-Control")) == (
        "Thu, 31 Dec 2037 23:55:55 GMT", "max-age=315360000")
    assert off.field("Expires") is None and off.field("Cache-Control") is None


def test_expires_at_a_time_of_the_day_is_at_most_a_day_ahead(serve):
    proxy = serve(site("location / { expires @15h30m; return 200 x; }"))
    answer = proxy.get()
    age = int(re.fullmatch(r"max-age=(\d+)", answer.field("Cache-Control"))[1])
    assert 0 < age <= 86400
    assert abs(seconds_ahead(answer) - age) <= 1
    local = time.localtime(email.utils.parsedate_to_datetime(answer.field("Expires")).timestamp())
    assert (local.tm_hour, local.tm_min, local.tm_sec) == (15, 30, 0)


def test_expires_takes_variables_and_ignores_what_is_no_time(serve):
    proxy = serve(site("location / { expires $arg_e; return 200 x; }"))
    assert proxy.get("/?e=1h").field("Cache-Control") == "max-age=3600"
    assert proxy.get("/?e=epoch").field("Cache-Control") == "no-cache"
    for text in ("", "off", "soon", "@25h", "1h%0d%0aX:y"):
        answer = proxy.get(f"/?e={text}")
        assert answer.status == 200
        assert answer.field("Cache-Control") is None and answer.field("Expires") is None


def test_expires_replaces_the_backend_s_and_leaves_errors_alone(serve, make_backend):
    fields = [("Expires", "0"), ("Cache-Control", "private"), ("Cache-Control", "no-store"),
              ("Last-Modified", DATE)]

    def answer(request):
        status = request.target.strip("/") + " X"
        return response("x", status, fields)

    proxy = serve(site("location / { expires modified 1h; proxy_pass http://@to@; }"),
                  to=make_backend(answer))
    good, bad = proxy.get("/200"), proxy.get("/404")
    assert good.all("Expires") == ["Sun, 06 Nov 1994 09:49:37 GMT"]
    assert good.all("Cache-Control") == ["no-cache"]  # that is long over
    assert bad.all("Expires") == ["0"]
    assert bad.all("Cache-Control") == ["private", "no-store"]


@pytest.mark.parametrize("line, message", [
    ("expires soon;", '"expires" directive invalid value'),
    ("expires old 1h;", '"expires" directive invalid value'),
    ("expires @25h;", '"expires" directive daily time value must be less than 24 hours'),
    ("expires modified @1h;",
     '"expires" directive daily time cannot be used with "modified" parameter'),
    ("expires 1h; expires 2h;", '"expires" directive is duplicate'),
])
def test_mistakes_in_expires_are_told_in_nginx_s_words(sallyport, nginx, line, message):
    text = site(f"location / {{ {line} }}")
    ours = sallyport.make().check(f"http {{ {text} }}")
    theirs = nginx.make()
    theirs.configure(text)
    done = theirs.run("-t", "-e", "stderr")
    assert message in ours.stderr and message in done.stderr
    assert ours.returncode == done.returncode == 1


TRAILER = site("""
    add_trailer X-Sum $request_method;
    add_trailer X-None $arg_none;
    location /ok { return 200 body; }
    location /error { return 404 body; }
    location /always { add_trailer X-Always "yes" always; return 404 body; }
    location /backend { proxy_pass http://@to@; }
    location /file { alias @dir@/file.txt; }
""")


def read_trailers(client):
    """The fields behind a chunked body whose head was read."""
    head = client.receive_until(b"\r\n\r\n").decode()
    body = b""
    while True:
        size = int(client.receive_until(b"\r\n").split(b";")[0], 16)
        if size == 0:
            break
        body += client.receive_exactly(size + 2)[:-2]
    lines = []
    while line := client.receive_until(b"\r\n").strip():
        lines.append(line.decode())
    return head, body, lines


@pytest.mark.parametrize("path", ["/ok", "/backend", "/file"])
def test_a_trailer_follows_the_body_in_chunks(serve, make_backend, path):
    backend = make_backend(response("body"))
    proxy = serve(TRAILER, to=backend)
    (proxy.folder / "file.txt").write_text("body")
    with proxy.client() as client:
        client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
        head, body, trailers = read_trailers(client)
        assert "Transfer-Encoding: chunked" in head and "Content-Length" not in head
        assert body == b"body"
        assert trailers == ["X-Sum: GET"]
        assert client.request("GET", "/ok").status == 200  # the connection goes on


def test_a_trailer_is_for_success_unless_always(serve, make_backend):
    proxy = serve(TRAILER, to=make_backend())
    error = proxy.get("/error")
    assert error.field("Content-Length") == "4" and error.body == b"body"
    with proxy.client() as client:
        client.send("GET /always HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_trailers(client)[2] == ["X-Always: yes"]


def test_old_clients_and_head_have_no_trailers(serve, make_backend):
    proxy = serve(TRAILER, to=make_backend(response("body")))
    with proxy.client() as client:
        client.send("GET /backend HTTP/1.0\r\nHost: a\r\n\r\n")
        everything = client.receive_all()
        assert everything.endswith(b"\r\n\r\nbody")
    with proxy.client() as client:
        head = client.request("HEAD", "/ok")
        assert head.status == 200 and head.body == b""
        assert client.request("HEAD", "/ok").status == 200


# nginx 1.22 does not know the directives of inheritance yet.
INHERIT = site("""
    add_header X-A server;
    location /on { add_header X-B location; return 200; }
    location /merge { add_header_inherit merge; add_header X-B location; return 200;
        location /merge/deep { add_header X-C deep; return 200; } }
    location /off { add_header_inherit off; return 200; }
    location /bare { add_header_inherit merge; return 200; }
""")


@pytest.mark.parametrize("path, names", [
    ("/on", ["X-B"]), ("/merge", ["X-B", "X-A"]), ("/merge/deep", ["X-C", "X-B", "X-A"]),
    ("/off", []), ("/bare", ["X-A"]),
])
def test_add_header_inherit_says_what_comes_from_around(sallyport, path, names):
    answer = sallyport(INHERIT).get(path)
    assert [name for name, _ in answer.fields if name.startswith("X-")] == names


def test_add_trailer_inherit_does_the_same_for_trailers(sallyport):
    proxy = sallyport(site("""
        add_trailer X-A server;
        location /merge { add_trailer_inherit merge; add_trailer X-B location; return 200 x; }
        location /off { add_trailer_inherit off; return 200 x; }
    """))
    with proxy.client() as client:
        client.send("GET /merge HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_trailers(client)[2] == ["X-B: location", "X-A: server"]
    assert proxy.get("/off").field("Content-Length") == "1"


def test_proxy_set_header_inherit_merges_and_lets_the_nearer_one_win(sallyport, make_backend):
    backend = make_backend()
    proxy = sallyport(site("""
        proxy_set_header X-One server; proxy_set_header X-Two server; proxy_set_header Host outer;
        location /merge { proxy_set_header_inherit merge; proxy_set_header x_two location;
                          proxy_pass http://@to@; }
        location /off { proxy_set_header_inherit off; proxy_pass http://@to@; }
        location /on { proxy_set_header X-Three location; proxy_pass http://@to@; }
    """), to=backend)
    seen = {}
    for path in ("/merge", "/off", "/on"):
        assert proxy.get(path).status == 200
        request = backend.last
        seen[path] = {name: request.field(name)
                      for name in ("X-One", "X-Two", "x_two", "X-Three", "Host")}
    address = backend.address
    assert seen["/merge"] == {"X-One": "server", "X-Two": None, "x_two": "location",
                              "X-Three": None, "Host": "outer"}
    assert seen["/off"] == dict.fromkeys(("X-One", "X-Two", "x_two", "X-Three")) | {"Host": address}
    assert seen["/on"] == {"X-One": None, "X-Two": None, "x_two": None, "X-Three": "location",
                           "Host": address}


def make_file(proxy):
    path = proxy.folder / "file.txt"
    path.write_text("0123456789")
    os.utime(path, (MODIFIED, MODIFIED))


def test_files_may_be_without_an_etag(serve):
    proxy = serve(site("location / { root @dir@; etag off; }"))
    make_file(proxy)
    answer = proxy.get("/file.txt")
    assert answer.status == 200 and answer.field("ETag") is None
    tag = '"2ebca961-a"'  # what it would be
    assert proxy.get("/file.txt", fields=[("If-None-Match", tag)]).status == 200
    assert proxy.get("/file.txt", fields=[("If-Modified-Since", DATE)]).status == 304
    partial = [("Range", "bytes=0-1"), ("If-Range", tag)]
    assert proxy.get("/file.txt", fields=partial).status == 200


@pytest.mark.parametrize("how, same, later", [("exact", 304, 200), ("before", 304, 304),
                                              ("off", 200, 200)])
def test_if_modified_since_is_compared_as_the_directive_says(serve, how, same, later):
    proxy = serve(site(f"location / {{ root @dir@; if_modified_since {how}; }}"))
    make_file(proxy)
    assert proxy.get("/file.txt", fields=[("If-Modified-Since", DATE)]).status == same
    assert proxy.get("/file.txt", fields=[("If-Modified-Since", LATER)]).status == later
    earlier = [("If-Modified-Since", "Sun, 06 Nov 1994 08:49:36 GMT")]
    assert proxy.get("/file.txt", fields=earlier).status == 200


def test_a_range_is_cut_out_of_an_answer_that_knows_none(serve, make_backend):
    text = "".join(chr(ord("a") + i % 26) for i in range(100_000))
    backend = make_backend(response(text, fields=[("ETag", '"v1"'), ("Accept-Ranges", "none")]))
    proxy = serve(site("location / { proxy_pass http://@to@; proxy_force_ranges on; }"), to=backend)

    def ask(wanted, *more):
        return proxy.get(fields=[("Range", wanted), *more])

    part = ask("bytes=50000-50009")
    assert (part.status, part.text) == (206, text[50000:50010])
    assert part.field("Content-Range") == "bytes 50000-50009/100000"
    assert (ask("bytes=-5").text, ask("bytes=99990-").text) == (text[-5:], text[99990:])
    assert ask("bytes=0-1", ("If-Range", '"v1"')).status == 206
    for whole in (proxy.get(), ask("bytes=0-1", ("If-Range", '"v2"')), ask("bytes=0-1,5-6")):
        assert whole.status == 200 and whole.text == text
    assert proxy.get().all("Accept-Ranges") == ["bytes"]
    beyond = ask("bytes=200000-")
    assert beyond.status == 416 and beyond.field("Content-Range") == "bytes */100000"


def test_without_chunks_the_connection_s_end_is_the_body_s(serve, make_backend):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    proxy = serve(site("location / { proxy_pass http://@to@; proxy_http_version 1.1;"
                       "chunked_transfer_encoding off; }"), to=make_backend(chunked))
    with proxy.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head, _, body = client.receive_all().partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head and b"Connection: close" in head
    assert body == b"body"


OLD_EXPLORER = "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)"
PATCHED_EXPLORER = "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)"
SAFARI = "Mozilla/5.0 (Macintosh; Mac OS X 10_6) AppleWebKit/533 (KHTML) Version/5.0 Safari/533"
CHROME = "Mozilla/5.0 (Macintosh; Mac OS X 10_6) AppleWebKit/537 (KHTML) Chrome/90 Safari/537"


@pytest.mark.parametrize("path, method, agent, kept", [
    ("/default", "POST", OLD_EXPLORER, False), ("/default", "GET", OLD_EXPLORER, True),
    ("/default", "POST", PATCHED_EXPLORER, True), ("/default", "POST", SAFARI, True),
    ("/both", "GET", SAFARI, False), ("/both", "GET", CHROME, True),
    ("/both", "POST", OLD_EXPLORER, False), ("/none", "POST", OLD_EXPLORER, True),
])
def test_old_browsers_connections_are_not_kept(serve, path, method, agent, kept):
    proxy = serve(site("""
        location /default { return 200 x; }
        location /both { keepalive_disable msie6 safari; return 200 x; }
        location /none { keepalive_disable none; return 200 x; }
    """))
    with proxy.client() as client:
        answer = client.request(method, path, fields=[("User-Agent", agent)], body=b"")
        assert (answer.field("Connection") != "close") == kept
