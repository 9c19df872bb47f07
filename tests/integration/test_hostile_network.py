"""A bad network on both sides: slices, pauses, cuts, resets and half-closes at every byte.

A client gets the whole answer, an error answer, or a connection that visibly broke off; never half an
answer that looks whole, and never somebody else's.
"""
import pathlib
import sys

import pytest

from support import Client, wait_for
from support.backend import response
from support.raw import responses

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))
from gate import Gate  # noqa: E402

BODY = "0123456789" * 20
CHUNKED = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
           b"".join(b"14\r\n" + BODY[i:i + 20].encode() + b"\r\n" for i in range(0, 200, 20)) +
           b"0\r\nX-Sum: 1\r\n\r\n")

SITE = """
    error_log stderr info;
    proxy_read_timeout 2s;
    client_body_timeout 2s;
    client_header_timeout 2s;
    server {
        listen 127.0.0.1:@port:http@;
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        location / { proxy_pass http://@plain@; }
        location /stream { proxy_pass http://@plain@; proxy_buffering off; proxy_request_buffering off; }
        location /secure {
            proxy_pass https://@secure@;
            proxy_ssl_name backend.test;
            proxy_ssl_trusted_certificate @authority@;
        }
    }
"""


def answer(request):
    if request.target.endswith("chunked"):
        return CHUNKED
    return response(BODY + request.body.decode())


@pytest.fixture(scope="module")
def backends(make_shared_backend, authority):
    certificate = authority.certificate("backend.test")
    return make_shared_backend(answer), make_shared_backend(answer, tls=certificate.server_context())


def ask(proxy, target, port=None, tls=False, body=""):
    """All that comes for one request; a connection that is refused or reset gives b""."""
    context = proxy.authority.client_context() if tls else None
    try:
        with Client(port or proxy.port("https" if tls else "http"), tls=context,
                    name="example.com" if tls else None) as client:
            client.send(f"POST {target} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n{body}")
            return client.receive_all()
    except OSError:
        return b""


def assert_sound(data, body=""):
    found, _ = responses(data)
    assert len(found) <= 1
    for got in found:
        assert got.status in (200, 400, 408, 502, 504)
        if got.status == 200 and got.whole:
            assert got.text == BODY + body


@pytest.mark.threads
@pytest.mark.parametrize("seed", range(4))
def test_slices_and_pauses_change_nothing(sallyport, backends, seed):
    patient = SITE.replace(" 2s;", " 60s;")  # it is slow enough by itself
    with Gate(("127.0.0.1", backends[0].port), seed=seed, slices=3, pause=0.0003) as plain, \
         Gate(("127.0.0.1", backends[1].port), seed=seed, slices=40, pause=0.0003) as secure:
        proxy = sallyport(patient, plain=plain, secure=secure)
        with Gate(("127.0.0.1", proxy.port("http")), seed=seed, slices=5) as front, \
             Gate(("127.0.0.1", proxy.port("https")), seed=seed, slices=40) as tls_front:
            for target in ("/", "/chunked", "/stream", "/stream/chunked", "/secure", "/secure/chunked"):
                body = "" if target.endswith("chunked") else "a body of the client's"
                for port, tls in ((front.port, False), (tls_front.port, True)):
                    found, left = responses(ask(proxy, target, port, tls, body))
                    assert [(got.status, got.text) for got in found] == [(200, BODY + body)]
                    assert left == b"" and found[0].whole


@pytest.mark.parametrize("way", ["close", "reset", "half"])
@pytest.mark.parametrize("target", ["/", "/chunked", "/stream", "/stream/chunked", "/secure"])
def test_an_answer_cut_at_any_byte_never_looks_whole(sallyport, backends, target, way):
    proxy = sallyport(SITE, plain=backends[0], secure=backends[1])
    whole = 3000 if target == "/secure" else 420
    backend = backends[1] if target == "/secure" else backends[0]
    for cut in range(0, whole, whole // 12):
        with Gate(("127.0.0.1", backend.port), cut_down=cut, way=way) as gate:
            proxy.reload(SITE, plain=gate, secure=gate)
            assert_sound(ask(proxy, target))
            assert_sound(ask(proxy, target, tls=True))
    proxy.reload(SITE, plain=backends[0], secure=backends[1])
    assert responses(ask(proxy, target))[0][0].text == BODY


@pytest.mark.parametrize("way", ["close", "reset", "half"])
@pytest.mark.parametrize("direction", ["cut_up", "cut_down"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_client_s_connection_cut_at_any_byte_does_no_harm(sallyport, backends, tls, direction, way):
    proxy = sallyport(SITE, plain=backends[0], secure=backends[1])
    whole = 3000 if tls else 420
    for target in ("/", "/stream/chunked", "/secure"):
        for cut in range(0, whole, whole // 10):
            with Gate(("127.0.0.1", proxy.port("https" if tls else "http")), way=way,
                      **{direction: cut}) as gate:
                # A client that half-closes has no more to say; whether it still gets its answer is not
                # what this is about. The deadline is the program's, not the client's.
                body = "" if target.endswith("chunked") else "x" * 100
                assert_sound(ask(proxy, target, gate.port, tls, body), body)
    assert responses(ask(proxy, "/"))[0][0].text == BODY
    wait_for(lambda: proxy.status()["counters"]["requests_active"] == 0, "the requests to end")
