"""HTTP/2 on the clients' side, as users meet it: the same site, whichever protocol is spoken."""
import re
import shutil
import subprocess

import pytest

from support import wait_for
from support.backend import response
from support.client import Response
from support.h2client import connect
from support.h2frames import ERRORS, MAX_CONCURRENT_STREAMS
from support.h2peer import PEER, starter
from support.waiting import seconds

TLS = """
    ssl_certificate @cert:example.com@;
    ssl_certificate_key @key:example.com@;
"""
SITE = """
    log_format one '$status "$request" $server_protocol http2=$http2 $body_bytes_sent';
    error_log stderr info;
    http2 on;
    server {
        access_log @dir@/access.log one;
        listen 127.0.0.1:@port:http@;
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        root @dir@/www;
        error_page 404 /missing.html;
        location / { }
        location /app/ {
            proxy_pass http://@backend@;
            proxy_set_header X-Protocol $server_protocol;
            proxy_set_header X-Scheme $scheme;
            proxy_set_header Host $host;
        }
        location = /told { return 200 "$server_protocol $http2 $scheme $host $request_method $request_uri\\n"; }
        location = /moved { return 301 /elsewhere; }
        location = /none { return 204; }
        location = /refused { return 403; }
        location /small { client_max_body_size 10; proxy_pass http://@backend@; }
    }
"""
BOTH = pytest.mark.parametrize("port", ["https", "http"])


@pytest.fixture
def start(request):
    return starter(request)


@pytest.fixture
def site(start, backend):
    program = start(SITE, backend=backend)
    program.write("www/index.html", "welcome\n")
    program.write("www/missing.html", "nothing of that name\n")
    program.write("www/large.bin", "0123456789" * 100_000)
    return program


# -- who speaks what


@pytest.mark.parametrize("offered, spoken", [
    (["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["h2"], "h2"), (["http/1.1"], "http/1.1"),
    ([], None)], ids=str)
def test_alpn(site, offered, spoken):
    """The server's order counts: h2 first."""
    context = site.authority.client_context(protocols=offered)
    with site.tls_client(context=context) as client:
        assert client.socket.selected_alpn_protocol() == spoken


def test_alpn_of_a_protocol_that_nobody_speaks_fails_the_handshake(site):
    """RFC 7301: no_application_protocol."""
    with pytest.raises(OSError):
        site.tls_client(context=site.authority.client_context(protocols=["spdy/3"])).close()


def test_http2_off(start, backend):
    """On a server of its own port: no ALPN of h2, and in the clear the preface is refused."""
    proxy = start("""
        http2 on;
        server {
            http2 off;
            listen 127.0.0.1:@port:https1@ ssl;
            listen 127.0.0.1:@port:plain1@;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            return 200 "$server_protocol";
        }
    """.replace("http2 off;", "http2 off;" if PEER == "sallyport" else ""), backend=backend)
    context = proxy.authority.client_context(protocols=["h2", "http/1.1"])
    with proxy.tls_client("https1", context=context) as client:
        assert client.socket.selected_alpn_protocol() == "http/1.1"
        assert client.get(host="example.com").text == "HTTP/1.1"
    with proxy.client("plain1") as client:
        client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        said = client.receive_all()
        assert said == b"" or Response(said.partition(b"\r\n\r\n")[0], b"").status >= 400


@pytest.mark.skipif(PEER == "nginx", reason="Debian's nginx cannot")
def test_http1_on_the_same_ports(site):
    assert site.get("/told", port="http").text == "HTTP/1.1  http example.com GET /told\n"
    assert site.get("/told", port="https").text == "HTTP/1.1  https example.com GET /told\n"


@pytest.mark.skipif(PEER == "nginx", reason="Debian's nginx cannot")
def test_the_old_spelling(sallyport):
    """`listen … http2`, as in configurations from before nginx 1.25.1."""
    proxy = sallyport(f"server {{ listen 127.0.0.1:@port:https@ ssl http2; {TLS} return 200 $server_protocol; }}")
    with connect(proxy) as client:
        assert client.get("/").text == "HTTP/2.0"


@BOTH
def test_what_variables_tell(site, port):
    """$http2 is h2 over TLS and h2c in the clear."""
    with connect(site, port) as client:
        kind = "h2" if port == "https" else "h2c"
        assert client.get("/told?a=1").text == f"HTTP/2.0 {kind} {port} example.com GET /told?a=1\n"


@BOTH
def test_what_the_backend_learns(site, backend, port):
    with connect(site, port) as client:
        answer = client.request("POST", "/app/x?y=%20z", body=b"body", fields=[
            ("accept", "*/*"), ("x-mark", "seen"), ("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers")])
        assert (answer.status, answer.text) == (200, "hello from the backend\n")
    assert backend.last.line in ("POST /app/x?y=%20z HTTP/1.0", "POST /app/x?y=%20z HTTP/1.1")
    assert backend.last.field("Host") == "example.com"
    assert backend.last.field("X-Protocol") == "HTTP/2.0"
    assert backend.last.field("X-Scheme") == port
    assert backend.last.field("X-Mark") == "seen"
    assert backend.last.all("Cookie") == ["a=1; b=2"]  # RFC 9113 §8.2.3
    assert backend.last.body == b"body"
    assert not [name for name, _ in backend.last.fields if name.startswith(":")]


# -- real clients


@BOTH
def test_curl(site, port):
    flag = "--http2" if port == "https" else "--http2-prior-knowledge"
    done = site.curl("/told", flag, "-w", "%{http_version} %{http_code}", port=port)
    kind = "h2" if port == "https" else "h2c"
    assert done.stdout == f"HTTP/2.0 {kind} {port} example.com GET /told\n2 200"
    done = site.curl("/app/upload", flag, "-d", "x=1", "-w", "%{http_version}", port=port)
    assert done.stdout == "hello from the backend\n2"
    assert site.curl("/none", flag, "-I", port=port).stdout.startswith("HTTP/2 204")


@pytest.mark.skipif(PEER == "nginx", reason="Debian's nginx answers HTTP/2 to whoever asks")
def test_curl_that_offers_an_upgrade_to_h2c_is_answered_in_http1(site):
    """RFC 9113 has no such upgrade any more."""
    done = site.curl("/told", "--http2", "-w", "%{http_version}", port="http")
    assert done.stdout.endswith("1.1")


def nghttp2_program(name, *arguments):
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    done = subprocess.run([name, *map(str, arguments)], capture_output=True, text=True, check=False,
                          timeout=seconds(60))
    assert done.returncode == 0, done.stderr + done.stdout[-2000:]
    return done.stdout


@BOTH
def test_nghttp(site, port):
    said = nghttp2_program("nghttp", "-nv", "--no-dep", f"{port}://127.0.0.1:{site.port(port)}/",
                           f"{port}://127.0.0.1:{site.port(port)}/large.bin",
                           "-H", ":authority: example.com")
    assert len(re.findall(r":status: 200", said)) == 2, said
    assert not re.findall(r"RST_STREAM|error_code=(?!NO_ERROR)\w+", said), said


@BOTH
def test_h2load(site, port):
    said = nghttp2_program("h2load", "-n", 2000, "-c", 8, "-m", 32, f"{port}://127.0.0.1:{site.port(port)}/told")
    assert "2000 succeeded, 0 failed, 0 errored" in said, said
    assert "status codes: 2000 2xx" in said, said
    lines = site.lines("access.log", count=2000)
    assert len(lines) == 2000


# -- messages


@BOTH
def test_head_204_304_and_errors(site, port):
    with connect(site, port) as client:
        head = client.start("/large.bin", "HEAD").response()
        assert (head.status, head.field("content-length"), head.body) == (200, "1000000", b"")
        none = client.get("/none")
        assert (none.status, none.body, none.field("content-length")) == (204, b"", None)
        etag = head.field("etag")
        same = client.get("/large.bin", fields=[("if-none-match", etag)])
        assert (same.status, same.body, same.field("etag")) == (304, b"", etag)
        missing = client.get("/nothing-here")
        assert (missing.status, missing.text) == (404, "nothing of that name\n")
        refused = client.get("/refused")
        assert refused.status == 403 and "403 Forbidden" in refused.text
        assert client.get("/").text == "welcome\n"


@BOTH
def test_redirects_are_to_where_the_client_is(site, port):
    with connect(site, port) as client:
        moved = client.get("/moved", authority=f"example.com:{site.port(port)}")
        assert moved.status == 301
        assert moved.field("location") == f"{port}://example.com:{site.port(port)}/elsewhere"


@pytest.mark.skipif(PEER == "nginx", reason="nginx passes Proxy-Connection on")
def test_no_field_of_http1_s_connections_is_sent(site, backend):
    """Not the backend's, and none of the proxy's own."""
    backend.answer = response("x", fields=[("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"),
                                           ("Proxy-Connection", "close"), ("Upgrade", "h3"), ("X-Mixed", "Case")])
    with connect(site) as client:
        for target in ("/", "/app/", "/none", "/refused", "/moved"):
            answer = client.get(target)
            names = {name for name, _ in answer.fields}
            assert not names & {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
                                "x-hop"}, names
            assert all(name == name.lower() for name in names)
        assert client.get("/app/").field("x-mixed") == "Case"


def test_a_backend_s_chunks_are_frames(site, backend):
    backend.answer = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
    with connect(site) as client:
        answer = client.get("/app/")
        assert answer.text == "abcdefg"
        assert answer.field("transfer-encoding") is None


@pytest.mark.parametrize("ranges, expected", [
    ("bytes=0-9", b"0123456789"), ("bytes=-3", b"789"), ("bytes=999998-", b"89")])
def test_ranges_of_a_file(site, ranges, expected):
    with connect(site) as client:
        answer = client.get("/large.bin", fields=[("range", ranges)])
        assert (answer.status, answer.body) == (206, expected)
        assert answer.field("content-range").endswith("/1000000")
        assert client.get("/large.bin", fields=[("range", "bytes=5000000-")]).status == 416


@BOTH
def test_a_body_that_is_too_large_is_a_413(site, backend, port):
    """Announced or not; the connection lives on."""
    with connect(site, port) as client:
        announced = client.open("POST", "/small", fields=[("content-length", "11")])
        assert announced.head().status == 413
        surprising = client.open("POST", "/small")
        surprising.send(b"eleven octets")
        assert surprising.head().status == 413
        assert client.request("POST", "/small", body=b"ten octets").status == 200
    assert [seen.body for seen in backend.requests] == [b"ten octets"]


@pytest.mark.parametrize("field, status", [
    (("x-large", "x" * 60_000), 431), (("x-line", "x" * 9_000), 431), ("many", 431), ("uri", 414)],
    ids=["a large head", "a large field", "many fields", "a long URI"])
def test_a_head_beyond_the_limits_is_answered_as_in_http1(site, field, status):
    """large_client_header_buffers and max_headers: one set of directives. Other streams are not disturbed."""
    if PEER == "nginx":
        pytest.skip("nginx ends the connection, and has no max_headers")
    with connect(site) as client:
        other = client.open("POST", "/app/")
        if field == "uri":
            refused = client.start("/" + "x" * 9_000)
        else:
            fields = [(f"x-{n}", "1") for n in range(120)] if field == "many" else [field]
            refused = client.start("/", fields=fields)
        assert refused.response().status == status
        other.end()
        assert other.response().status == 200
        assert client.get("/").status == 200


def test_a_host_that_is_not_served_here_gets_the_default_server(start):
    proxy = start("""
        http2 on;
        server { listen 127.0.0.1:@port:http@; return 200 "default"; }
        server { listen 127.0.0.1:@port:http@; server_name a.test; return 200 "a"; }
    """)
    with connect(proxy) as client:
        assert client.get(authority="a.test").text == "a"
        assert client.get(authority="A.TEST:80").text == "a"
        assert client.get(authority="b.test").text == "default"


@pytest.mark.skipif(PEER == "nginx", reason="nginx answers for client certificates only")
def test_a_host_that_the_certificate_does_not_cover_is_a_421(sallyport):
    """RFC 9110 §15.5.20: a client that reuses its connection for another name is sent away, not misled."""
    def server(name, more=""):
        return (f"server {{ listen 127.0.0.1:@port:https@ ssl; server_name {name}; ssl_certificate @cert:{name}@;"
                f" ssl_certificate_key @key:{name}@; {more} return 200 {name}; }}")

    proxy = sallyport("access_log @dir@/access.log; http2 on;" + server("a.test") + server("b.test"))
    with connect(proxy, name="a.test") as client:
        assert client.get().text == "a.test"
        assert client.get(authority="b.test").status == 421
        assert client.get().text == "a.test"
    assert '" 421 ' in proxy.lines("access.log", count=3)[1]


def test_names_of_one_certificate_share_a_connection(start, authority):
    certificate = authority.certificate("a.test", "b.test")
    server = ("server {{ listen 127.0.0.1:@port:https@ ssl; server_name {name}; ssl_certificate @chain@;\n"
              " ssl_certificate_key @ckey@; return 200 {name}; }}\n")
    proxy = start("http2 on;\n" + server.format(name="a.test") + server.format(name="b.test"),
                  chain=certificate.chain, ckey=certificate.key)
    with connect(proxy, name="a.test") as client:
        assert client.get().text == "a.test"
        assert client.get(authority="b.test").text == "b.test"


# -- many at once


@BOTH
def test_many_streams_at_once(start, make_backend, port):
    """Answered in the backend's order, not in theirs."""
    def answer(request):
        wait_for(lambda: len(backend.requests) >= 50, "all requests to be under way")
        return response(request.target)

    backend = make_backend(answer)
    proxy = start(SITE, backend=backend)
    with connect(proxy, port) as client:
        assert client.setting(MAX_CONCURRENT_STREAMS) >= 50
        streams = [client.start(f"/app/{number}") for number in range(50)]
        for number, stream in enumerate(streams):
            assert stream.response().text == f"/app/{number}"


def test_a_slow_answer_does_not_hold_up_a_quick_one(start, make_backend):
    backend = make_backend(lambda request: wait_for(lambda: released, "the release") and response("late"))
    released = []
    proxy = start(SITE, backend=backend)
    with connect(proxy) as client:
        slow = client.start("/app/")
        assert client.get("/told").status == 200
        assert not slow.over
        released.append(True)
        assert slow.response().text == "late"


@pytest.mark.skipif(PEER == "nginx", reason="it sends RST_STREAM to streams that Sallyport refuses, too")
def test_http2_max_concurrent_streams(sallyport, make_backend):
    backend = make_backend(lambda request: wait_for(lambda: released, "the release") and response("x"))
    released = []
    proxy = sallyport(SITE.replace("http2 on;", "http2 on; http2_max_concurrent_streams 3;"), backend=backend)
    with connect(proxy) as client:
        assert client.setting(MAX_CONCURRENT_STREAMS) == 3
        streams = [client.start("/app/") for _ in range(3)]
        client.engine.remote_settings.update({MAX_CONCURRENT_STREAMS: 100})
        client.engine.remote_settings.acknowledge()
        fourth = client.start("/app/")
        # A stream's error or the connection's, as RFC 9113 §5.1.2 and §5.4.2 leave it.
        client.until_or_closed(lambda: fourth.over, "the fourth to be refused")
    assert len(backend.requests) <= 3
    released.append(True)


# -- logs


@BOTH
def test_one_line_for_each_request(site, port):
    with connect(site, port) as client:
        for target in ("/", "/nothing-here", "/none"):
            client.get(target)
        cancelled = client.open("POST", "/app/")
        client.fence()
        cancelled.cancel()
        client.fence()
        client.get("/")
    kind = "h2" if port == "https" else "h2c"
    lines = site.lines("access.log", count=5)
    assert len(lines) == 5
    assert lines[0] == f'200 "GET / HTTP/2.0" HTTP/2.0 http2={kind} {8 + 9}'  # with the frame's header, as nginx
    assert any(line.startswith('404 "GET /nothing-here HTTP/2.0"') for line in lines)
    assert any(line.startswith('499 "POST /app/ HTTP/2.0"') for line in lines), lines


