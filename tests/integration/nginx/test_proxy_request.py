"""What a backend gets: method, body, fields, the connection's own address; and a request's body in a file.

Each case runs against nginx as well."""
import os
import pathlib
import threading

import pytest

from support import wait_for
from support.backend import response
from test_headers import serve, site  # noqa: F401  (a fixture)


def ask(proxy, method="POST", target="/", body=b"from the client", fields=()):
    with proxy.client() as client:
        return client.request(method, target, host="example.com", body=body, fields=fields)


def test_another_method_is_sent(serve, make_backend):  # noqa: F811
    backend = make_backend()
    proxy = serve(site("""
        location /fixed { proxy_method PUT; proxy_pass http://@to@; }
        location /named { proxy_method $arg_m; proxy_pass http://@to@; }
    """), to=backend)
    assert ask(proxy, "POST", "/fixed").status == 200
    assert (backend.last.method, backend.last.body) == ("PUT", b"from the client")
    assert proxy.get("/named?m=DELETE").status == 200
    assert backend.last.method == "DELETE"


def test_a_head_for_a_get_and_the_other_way_round(serve, make_backend):  # noqa: F811
    def answer(request):
        if request.method == "HEAD":
            return b"HTTP/1.1 200 OK\r\nX-Head: yes\r\nContent-Length: 0\r\n\r\n"
        return response("body")

    backend = make_backend(answer)
    proxy = serve(site("location / { proxy_method $arg_m; proxy_pass http://@to@; }"), to=backend)
    assert proxy.get("/?m=HEAD").field("X-Head") == "yes"
    with proxy.client() as client:
        head = client.request("HEAD", "/?m=GET")
        assert (head.status, head.body) == (200, b"")
        assert client.request("HEAD", "/?m=GET").status == 200  # nothing was left on the connection


def test_what_is_no_method_is_never_sent(sallyport, make_backend):
    backend = make_backend()
    proxy = sallyport(site("location / { proxy_method $arg_m$cookie_m; proxy_pass http://@to@; }"),
                      to=backend)
    for text in ("", "A B", "CONNECT", "GET /other HTTP/1.1"):
        assert proxy.get(fields=[("Cookie", f"m={text}")]).status == 500
    assert not backend.requests


@pytest.mark.parametrize("directives, sent", [
    ("proxy_set_body other;", b"other"),
    ('proxy_set_body "[$request_body]";', b"[from the client]"),
    ("proxy_set_body $arg_none;", b""),
    ('proxy_pass_request_body off; proxy_set_header Content-Length "";', b""),
    ("proxy_pass_request_body off; proxy_set_body other;", b"other"),
    ("proxy_set_body other; proxy_request_buffering off;", b"other"),
])
def test_another_body_is_sent(serve, make_backend, directives, sent):  # noqa: F811
    backend = make_backend()
    proxy = serve(site(f"location / {{ proxy_pass http://@to@; {directives} }}"), to=backend)
    with proxy.client() as client:
        for _ in range(2):  # the client's own body is read: its connection goes on
            answer = client.request("POST", "/", body=b"from the client")
            assert answer.status == 200
            assert backend.last.body == sent
            assert backend.last.field("Content-Length", "0") == str(len(sent))


def test_the_client_s_fields_can_be_held_back(serve, make_backend):  # noqa: F811
    backend = make_backend()
    proxy = serve(site("""location / { proxy_pass_request_headers off; proxy_pass http://@to@;
                                       proxy_set_header X-Mine yes; }"""), to=backend)
    assert ask(proxy, fields=[("X-Own", "1"), ("Cookie", "a=b")]).status == 200
    got = backend.last
    assert (got.field("X-Own"), got.field("Cookie"), got.field("X-Mine")) == (None, None, "yes")
    assert got.body == b"from the client"


def test_connections_come_from_the_address_that_is_named(serve, make_backend):  # noqa: F811
    seen = []

    def converse(connection):
        seen.append(connection.socket.getpeername()[0])
        connection.read_request()
        connection.send(response("x"))

    proxy = serve(site("""
        proxy_bind 127.0.0.5;
        location /fixed { proxy_pass http://@to@; }
        location /named { proxy_bind $arg_from; proxy_pass http://@to@; }
        location /off { proxy_bind off; proxy_pass http://@to@; }
    """), to=make_backend(serve=converse))
    for target in ("/fixed", "/named?from=127.0.0.7", "/named?from=",
                   "/named?from=nowhere", "/off"):
        assert proxy.get(target).status == 200
    assert seen == ["127.0.0.5", "127.0.0.7", "127.0.0.1", "127.0.0.1", "127.0.0.1"]


def test_a_kept_connection_serves_its_own_address_alone(sallyport, make_backend):
    backend = make_backend()
    proxy = sallyport(site("location / { proxy_bind $arg_from; proxy_pass http://@to@; }"),
                      to=backend)
    for address in ("127.0.0.5", "127.0.0.6", "127.0.0.5", ""):
        assert proxy.get(f"/?from={address}").status == 200
    assert [request.connection.number for request in backend.requests] == [0, 1, 0, 2]


def test_a_socket_may_have_buffers_and_keepalive(sallyport, make_backend):
    proxy = sallyport(site("""location / { proxy_socket_keepalive on; proxy_socket_rcvbuf 64k;
                                           proxy_socket_sndbuf 64k; proxy_pass http://@to@; }"""),
                      to=make_backend())
    assert proxy.get().status == 200


def test_a_backend_may_finish_for_a_client_that_has_left(serve, make_backend):  # noqa: F811
    asked, left = threading.Event(), threading.Event()

    def converse(connection):
        connection.read_request()
        asked.set()
        left.wait(20)
        connection.send(response("x"))

    proxy = serve(site("""
        access_log @dir@/logs/access.log ends;
        location /ignored { proxy_ignore_client_abort on; proxy_pass http://@to@; }
        location /noticed { proxy_pass http://@to@; }
    """, "log_format ends '$uri $upstream_status';"), to=make_backend(serve=converse))
    for count, target in enumerate(("/ignored", "/noticed"), 1):
        asked.clear()
        left.clear()
        with proxy.client() as client:
            client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
            assert asked.wait(20)
        if target == "/noticed":  # nobody waits for the backend
            assert proxy.lines("logs/access.log", count=count)[-1] != "/noticed 200"
        left.set()
        if target == "/ignored":
            assert proxy.lines("logs/access.log", count=count)[-1] == "/ignored 200"


BODIES = """
    client_body_temp_path @dir@/bodies;
    client_body_buffer_size 1k;
    location /on { client_body_in_file_only on; proxy_set_header X-File $request_body_file;
                   proxy_pass http://@to@; }
    location /clean { client_body_in_file_only clean; proxy_set_header X-File $request_body_file;
                      proxy_pass http://@to@; }
    location /off { proxy_set_header X-File $request_body_file; proxy_pass http://@to@; }
"""


@pytest.mark.parametrize("target, size, named, stays", [
    ("/on", 10, True, True), ("/clean", 10, True, False), ("/off", 10, False, False),
    ("/off", 5000, True, False),
])
def test_a_body_may_be_a_file(serve, make_backend, target, size, named, stays):  # noqa: F811
    contents = {}

    def answer(request):
        name = request.field("X-File", "")
        if "off" not in request.target:  # nginx has removed its name by now
            contents[name] = pathlib.Path(name).read_bytes()
        return response("x")

    backend = make_backend(answer)
    proxy = serve(site(BODIES), to=backend)
    body = b"0123456789" * (size // 10)
    assert ask(proxy, target=target, body=body).status == 200
    assert backend.last.body == body
    name = backend.last.field("X-File", "")
    assert bool(name) == named
    if named:
        assert name.startswith(f"{proxy.folder}/bodies/")
        assert contents.get(name, body) == body
        wait_for(lambda: os.path.exists(name) == stays, "the file to be as it was asked for")


def test_a_body_can_be_logged(serve, make_backend):  # noqa: F811
    proxy = serve(site("""location / { access_log @dir@/logs/access.log bodies;
                          client_body_buffer_size 1k; proxy_pass http://@to@; }""",
                       "log_format bodies '[$request_body]';"), to=make_backend())
    assert ask(proxy, body=b'a=1\n"b"').status == 200
    assert ask(proxy, body=b"x" * 5000).status == 200
    assert proxy.get().status == 200
    assert proxy.lines("logs/access.log", count=3)[:3] == ["[a=1\\x0A\\x22b\\x22]", "[-]", "[-]"]


@pytest.mark.parametrize("line, message", [
    ("proxy_bind nowhere;", 'invalid address "nowhere"'),
    ("proxy_bind 127.0.0.1 opaque;", 'invalid parameter "opaque"'),
    ("client_body_in_file_only maybe;", 'invalid value "maybe"'),
    ("proxy_buffers 1 4k;", 'there must be at least 2 "proxy_buffers"'),
])
def test_mistakes_are_told_in_nginx_s_words(sallyport, nginx, line, message):
    text = site(f"location / {{ proxy_pass http://127.0.0.1:1; {line} }}")
    ours = sallyport.make().check(f"http {{ {text} }}")
    theirs = nginx.make()
    theirs.configure(text)
    done = theirs.run("-t", "-e", "stderr")
    assert message in done.stderr
    assert message in ours.stderr and ours.returncode == 1


def test_transparent_is_refused_with_a_sentence(sallyport):
    text = site("location / { proxy_pass http://127.0.0.1:1; proxy_bind $remote_addr transparent; }")
    done = sallyport.make().check(f"http {{ {text} }}")
    assert done.returncode == 1 and "no right to take clients' addresses" in done.stderr
