"""The reference configuration: it runs unchanged but for paths, ports and names, and means what it
means to nginx."""
import json

import pytest

from support.backend import response

REFERENCE = """
server {
    listen @port:https@ ssl;
    server_name example.com;
    ssl_certificate     @cert:example.com@;
    ssl_certificate_key @key:example.com@;
    location / {
        proxy_pass http://backend_server;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
}
"""
GROUP = "upstream backend_server { server @backend@; }\n"
FULL = f"""
worker_processes 1;
events {{
    worker_connections 512;
}}
http {{
    include       mime.types;
    default_type  application/octet-stream;
    keepalive_timeout  65;
    {GROUP}
    {REFERENCE}
}}
"""


def mirror(request):
    """Answers with what the backend saw, as JSON."""
    seen = {"line": request.line, "fields": request.fields, "body": request.body.decode("latin-1")}
    return response(json.dumps(seen), fields=[("Content-Type", "application/json")])


@pytest.fixture
def mirror_backend(make_backend):
    return make_backend(mirror)


def test_curl_is_answered_over_tls_by_the_backend(sallyport, mirror_backend):
    proxy = sallyport(GROUP + REFERENCE, backend=mirror_backend)
    done = proxy.curl("/some/path?with=query", "-i", "-H", "X-Mark: seen")
    head, _, body = done.stdout.partition("\n\n" if "\n\n" in done.stdout else "\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK")
    seen = json.loads(body)
    assert seen["line"] == "GET /some/path?with=query HTTP/1.1"
    fields = dict(seen["fields"])
    assert fields["X-Mark"] == "seen"
    assert fields["User-Agent"].startswith("curl/")
    assert fields["Accept"] == "*/*"


def test_the_backend_learns_who_asked_and_how(sallyport, mirror_backend):
    proxy = sallyport(GROUP + REFERENCE, backend=mirror_backend)
    proxy.curl("/")
    seen = mirror_backend.last
    assert seen.all("Host") == ["example.com"], "$host has no port"
    assert seen.all("X-Real-IP") == ["127.0.0.1"]
    assert seen.all("X-Forwarded-For") == ["127.0.0.1"]
    assert seen.all("X-Forwarded-Proto") == ["https"]
    assert seen.all("Connection") in ([], ["keep-alive"])


def test_forwarding_headers_of_strangers_are_not_believed(sallyport, mirror_backend):
    proxy = sallyport(GROUP + REFERENCE, backend=mirror_backend)
    proxy.curl("/", "-H", "X-Forwarded-For: 192.0.2.1", "-H", "X-Real-IP: 192.0.2.1",
               "-H", "X-Forwarded-Proto: http", "-H", "X-Forwarded-Host: evil.example",
               "-H", "Forwarded: for=192.0.2.1", "-H", "X_Real_IP: 192.0.2.1",
               "-H", "X.Forwarded.For: 192.0.2.1")
    assert b"192.0.2.1" not in mirror_backend.last.raw_head
    assert b"evil.example" not in mirror_backend.last.raw_head
    assert mirror_backend.last.all("X-Forwarded-For") == ["127.0.0.1"]
    assert mirror_backend.last.all("X-Forwarded-Proto") == ["https"]


def test_a_full_nginx_conf_means_the_same(sallyport, mirror_backend):
    program = sallyport.make()
    program.write("conf/mime.types", "types { text/html html htm; text/css css; }\n")
    program.start(FULL, backend=mirror_backend)
    seen = dict(json.loads(program.curl("/x").stdout)["fields"])
    assert (seen["Host"], seen["X-Real-IP"], seen["X-Forwarded-Proto"]) == (
        "example.com", "127.0.0.1", "https")


def test_a_post_s_body_arrives_whole(sallyport, mirror_backend):
    proxy = sallyport(GROUP + REFERENCE, backend=mirror_backend)
    assert json.loads(proxy.curl("/form", "-d", "a=1&b=2").stdout)["body"] == "a=1&b=2"
    assert mirror_backend.last.field("Content-Type") == "application/x-www-form-urlencoded"
    assert mirror_backend.last.field("Content-Length") == "7"


def test_the_backend_may_be_a_host_name(sallyport, mirror_backend):
    proxy = sallyport(REFERENCE.replace("http://backend_server", "http://localhost:@number@"),
                      number=mirror_backend.port)
    assert json.loads(proxy.curl("/by-name").stdout)["line"] == "GET /by-name HTTP/1.1"


def test_a_host_that_cannot_be_found_is_a_502_that_says_so(sallyport):
    """Names are resolved while the proxy runs: it starts, and recovers, without the name server."""
    proxy = sallyport(REFERENCE.replace("backend_server", "no-such-host.invalid"))
    assert proxy.get("/").status == 502
    assert proxy.wait_for_error("[error]").count("no-such-host.invalid could not be resolved") == 1


def test_another_name_still_reaches_the_only_server(sallyport, mirror_backend):
    proxy = sallyport(GROUP + REFERENCE, backend=mirror_backend)
    proxy.get("/", host="example.com", fields=())
    with proxy.tls_client() as client:
        assert client.get("/", host="other.example").status == 200
    assert mirror_backend.last.field("Host") == "other.example"


def test_what_the_backend_answers_reaches_the_client_as_it_is(sallyport, make_backend):
    backend = make_backend(response("made it", status="201 Made Anew", fields=[
        ("Content-Type", "text/x-mine"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"),
        ("X-Mixed-Case", "Kept")]))
    proxy = sallyport(GROUP + REFERENCE, backend=backend)
    answer = proxy.get("/")
    assert answer.status_line == "HTTP/1.1 201 Made Anew"
    assert answer.text == "made it"
    assert answer.all("Set-Cookie") == ["a=1", "b=2"]
    assert ("X-Mixed-Case", "Kept") in answer.fields
    assert answer.field("Content-Type") == "text/x-mine"


def test_it_survives_a_backend_that_comes_later(sallyport, make_backend):
    first = make_backend()
    proxy = sallyport(GROUP + REFERENCE, backend=first)
    first.stop()
    assert proxy.get("/").status == 502
    assert "connect() failed" in proxy.wait_for_error("connect() failed")
    make_backend(port=first.port)
    assert proxy.get("/").status == 200
