"""proxy_next_upstream, its tries and its timeout: which failures and answers have another server asked."""
import pytest

from support.backend import response
from support.ports import reserve_port
from test_headers import serve, site  # noqa: F401  (a fixture)


@pytest.fixture
def ask(serve, make_backend):  # noqa: F811
    """ask(directives, first) is the status of a request whose first server answers so."""
    def run(directives, first, method="GET", servers=2):
        backends = [make_backend(first if isinstance(first, bytes) else response("x", f"{first} X"))
                    for _ in range(servers - 1)]
        backends.append(make_backend(response("good")))
        lines = "".join(f"server {backend};" for backend in backends)
        proxy = serve(site(f"location / {{ proxy_pass http://group; {directives} }}",
                           f"upstream group {{ {lines} }}"))
        with proxy.client() as client:
            return client.request(method, "/", body=b"x" if method == "POST" else None).status

    return run


@pytest.mark.parametrize("directives, first, got", [
    ("", 503, 503), ("proxy_next_upstream http_503;", 503, 200),
    ("proxy_next_upstream http_500 http_404;", 404, 200),
    ("proxy_next_upstream http_500;", 502, 502), ("proxy_next_upstream http_429 off;", 429, 429),
    ("proxy_next_upstream error;", b"HTTP/1.1 200 OK\r\nbad\x00name: x\r\n\r\n", 502),
    ("proxy_next_upstream invalid_header;", b"HTTP/1.1 200 OK\r\nbad\x00name: x\r\n\r\n", 200),
    ("", b"", 200), ("proxy_next_upstream off;", b"", 502),
    ("proxy_next_upstream timeout;", b"", 502),
])
def test_an_answer_may_have_another_server_asked(ask, directives, first, got):
    assert ask(directives, first) == got


@pytest.mark.parametrize("directives, got", [
    ("proxy_next_upstream http_503;", 503),
    ("proxy_next_upstream http_503 non_idempotent;", 200),
])
def test_a_post_is_asked_twice_only_if_that_is_said(ask, directives, got):
    assert ask(directives, 503, "POST") == got


@pytest.mark.parametrize("tries, got", [(0, 200), (1, 503), (2, 503), (3, 200)])
def test_tries_are_counted_with_the_first(ask, tries, got):
    assert ask(f"proxy_next_upstream http_503; proxy_next_upstream_tries {tries};", 503,
               servers=3) == got


def test_a_refused_connection_counts_as_an_error(serve, make_backend):  # noqa: F811
    proxy = serve(site("""
        location /default { proxy_pass http://group; }
        location /off { proxy_pass http://group2; proxy_next_upstream off; }
    """, """upstream group { server 127.0.0.1:@nobody@; server @to@; }
            upstream group2 { server 127.0.0.1:@nobody@; server @to@; }"""),
        to=make_backend(), nobody=reserve_port())
    assert proxy.get("/default").status == 200
    assert proxy.get("/off").status == 502


def test_the_last_answer_is_the_client_s(ask):
    assert ask("proxy_next_upstream http_503; proxy_next_upstream_tries 1;", 503) == 503
