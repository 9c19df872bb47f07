"""limit_rate and its kind: that everything arrives, and who may say the rate. How fast is a matter of
the unit tests, which have the clock in their hand."""
import pytest

from support.backend import response
from test_headers import serve, site  # noqa: F401  (a fixture)

BODY = b"0123456789" * 3000


@pytest.mark.parametrize("directives", [
    "limit_rate 100k;", "limit_rate 25k; limit_rate_after 10k;", "proxy_limit_rate 1m;",
    "limit_rate $arg_rate;", "limit_rate 0;",
])
def test_a_limited_response_arrives_whole(serve, make_backend, directives):  # noqa: F811
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
        b"%x\r\n%s\r\n" % (1000, BODY[i:i + 1000]) for i in range(0, len(BODY), 1000)) + b"0\r\n\r\n"
    backend = make_backend(lambda request: chunked if "chunked" in request.target else response(BODY))
    proxy = serve(site(f"{directives} location / {{ proxy_http_version 1.1; proxy_pass http://@to@; }}"
                       "location /file { root @dir@; } location /disk { root @dir@; sendfile on; }"),
                  to=backend)
    (proxy.folder / "file").write_bytes(BODY)
    (proxy.folder / "disk").write_bytes(BODY)
    with proxy.client() as client:
        for target in ("/?rate=100k", "/chunked?rate=100k", "/file?rate=100k", "/disk?rate=100k"):
            assert client.request("GET", target).body == BODY


def test_the_variable_tells_the_rate_of_the_response(serve, make_backend):  # noqa: F811
    def answer(request):
        rate = request.target.strip("/")
        return response("x", fields=[("X-Accel-Limit-Rate", rate)] if rate else [])

    proxy = serve(site("""location / { access_log @dir@/logs/access.log rate; proxy_pass http://@to@;
                                       limit_rate 1m; }""",
                       "log_format rate '$limit_rate';"), to=make_backend(answer))
    for target in ("/", "/50000", "/0", "/many"):
        answer = proxy.get(target)
        assert answer.status == 200 and answer.field("X-Accel-Limit-Rate") is None
    assert proxy.lines("logs/access.log", count=4) == ["1048576", "50000", "0", "1048576"]


def test_what_is_for_the_proxy_never_reaches_clients(sallyport, make_backend):
    backend = make_backend(response("x", fields=[("X-Accel-Buffering", "no"),
                                                 ("X-Accel-Charset", "utf-8"),
                                                 ("X-Accel-Expires", "10")]))
    answer = sallyport(site("location / { proxy_pass http://@to@; }"), to=backend).get()
    assert [name for name, _ in answer.fields if name.startswith("X-Accel")] == []


HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + response("x")


def interim(proxy, target="/"):
    with proxy.client() as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
        return client.response(interim=True).status


def test_early_hints_pass_where_the_conditions_say_so(sallyport, make_backend):
    proxy = sallyport(site("""
        location / { proxy_pass http://@to@; }
        location /asked { early_hints $arg_a $arg_b; proxy_pass http://@to@; }
    """), to=make_backend(HINTS))
    assert interim(proxy) == 103
    assert interim(proxy, "/asked") == 200
    assert interim(proxy, "/asked?a=0") == 200
    assert interim(proxy, "/asked?a=0&b=1") == 103


def test_a_backend_s_trailers_can_be_left_out(sallyport, make_backend):
    trailed = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n"
               b"0\r\nX-Sum: 1\r\n\r\n")
    proxy = sallyport(site("""
        location /on { proxy_pass http://@to@; }
        location /off { proxy_pass_trailers off; proxy_pass http://@to@; }
    """), to=make_backend(trailed))
    for target, passed in (("/on", True), ("/off", False)):
        with proxy.client() as client:
            client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert (b"X-Sum: 1" in client.receive_all()) == passed
