"""HTTP/2 requests that break the rules (RFC 9113 §8): none reaches a backend in any form.

The table has one line per case. Each is sent over TLS and in the clear, between two sound requests of the
same connection. What RFC 9113 calls malformed is a stream error PROTOCOL_ERROR, with or without a 400
before; what HTTP/1 would refuse is refused by a status. Nothing of it is repaired.
"""
import pytest

from support import wait_for
from support.backend import response
from support.h2frames import (ENHANCE_YOUR_CALM, NO_ERROR, PROTOCOL_ERROR, block, data, headers, literal, octets,
                              string)
from support.h2raw import RawConnection, another_address

SITE = """
    access_log @dir@/access.log;
    error_log stderr info;
    http2 on;
    server {
        listen 127.0.0.1:@port:http@;
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        location / {
            proxy_pass http://@backend@;
            proxy_http_version 1.1;
        }
        location /stream {
            proxy_pass http://@backend@;
            proxy_http_version 1.1;
            proxy_request_buffering off;
        }
    }
"""


@pytest.fixture(scope="module")
def backend(make_shared_backend):
    return make_shared_backend(lambda request: response(request.target))


@pytest.fixture(scope="module")
def proxy(shared_sallyport, backend):
    return shared_sallyport(SITE, backend=backend)


@pytest.fixture(params=["https", "http"])
def peer(request, proxy):
    if request.param == "http":
        connection = RawConnection(proxy.client(source=another_address()))
    else:
        context = proxy.authority.client_context(protocols=["h2"])
        connection = RawConnection(proxy.tls_client(context=context, source=another_address()), scheme="https")
    with connection:
        yield connection


def request_fields(peer, *more, **pseudo):
    """GET /hostile with pseudo-headers changed (authority="x"), left out (path=None) or repeated (a list)."""
    out = []
    for name, value in peer.fields("GET", "/hostile"):
        value = pseudo.get(name[1:], value)
        out += [(name, one) for one in (value if isinstance(value, list) else [value]) if one is not None]
    return out + list(more)


def ask(peer, stream, target="/sound"):
    peer.send(headers(stream, peer.get(target)))
    assert peer.response(stream).body == target.encode()


def assert_not_forwarded(backend, asked):
    assert [seen.target for seen in backend.requests[asked:]] == ["/sound", "/sound"], backend.requests[asked:]


def expect_malformed(peer, backend, send):
    """A reset (perhaps after a 400) of stream 3 only, and nothing at the backend."""
    asked = len(backend.requests)
    ask(peer, 1)
    send()
    answer = peer.answer(3)
    peer.until(lambda: answer.reset not in (None, NO_ERROR), "RST_STREAM")
    assert answer.reset == PROTOCOL_ERROR and answer.status in (None, 400), answer
    ask(peer, 5)
    assert peer.goaway is None
    assert_not_forwarded(backend, asked)


def expect_refused(peer, backend, send, *statuses):
    """A status or a reset of stream 3 only, and nothing at the backend."""
    asked = len(backend.requests)
    ask(peer, 1)
    send()
    answer = peer.answer(3)
    peer.until(lambda: answer.over, "a refusal")
    assert answer.status in (None, *statuses), answer
    assert answer.status or answer.reset == PROTOCOL_ERROR, answer
    ask(peer, 5)
    assert_not_forwarded(backend, asked)


# -- what is malformed

CONNECTION_FIELDS = {
    "connection": ("connection", "close"), "keep-alive": ("keep-alive", "timeout=9"),
    "proxy-connection": ("proxy-connection", "keep-alive"), "upgrade": ("upgrade", "websocket"),
    "transfer-encoding": ("transfer-encoding", "chunked"), "te": ("te", "gzip"),
    "te of two": ("te", "trailers, gzip"), "transfer-encoding identity": ("transfer-encoding", "identity"),
}

BAD_VALUES = {
    "CR LF": "a\r\nX-Injected: 1", "CR": "a\rb", "LF": "a\nb", "NUL": "a\0b",
    "CR LF CR LF": "\r\n\r\nGET /smuggled",
    "a space before": " a", "a space behind": "a ", "a tab before": "\ta", "a tab behind": "a\t",
    "LF at the end": "a\n",
}

BAD_NAMES = {
    "upper case": "X-Hostile", "one capital": "x-hostilE", "a space": "x hostile",
    "a space behind": "x-hostile ",
    "a colon": "x:hostile", "a colon behind": "x-hostile:", "CR LF": "x\r\ny", "NUL": "x\0y", "LF": "x\ny",
    "nothing": "", "a byte above 127": "x-\xe4", "DEL": "x\x7f", "a brace": "x{y}",
    "a tab": "x\ty", "a comma": "x,y",
}

PSEUDO = {
    "unknown": lambda peer: request_fields(peer) + [(":unknown", "1")],
    "nameless": lambda peer: request_fields(peer) + [(":", "1")],
    ":status": lambda peer: request_fields(peer) + [(":status", "200")],
    ":protocol": lambda peer: request_fields(peer) + [(":protocol", "websocket")],
    "upper case": lambda peer: request_fields(peer, method=None) + [(":Method", "GET")],
    "two :method": lambda peer: request_fields(peer, method=["GET", "POST"]),
    "two :path": lambda peer: request_fields(peer, path=["/hostile", "/smuggled"]),
    "two :path, the same": lambda peer: request_fields(peer, path=["/hostile", "/hostile"]),
    "two :scheme": lambda peer: request_fields(peer, scheme=["http", "https"]),
    "two :authority": lambda peer: request_fields(peer, authority=["example.com", "evil.test"]),
    "no :method": lambda peer: request_fields(peer, method=None),
    "no :path": lambda peer: request_fields(peer, path=None),
    "no :scheme": lambda peer: request_fields(peer, scheme=None),
    "an empty :method": lambda peer: request_fields(peer, method=""),
    "an empty :path": lambda peer: request_fields(peer, path=""),
    "an empty :scheme": lambda peer: request_fields(peer, scheme=""),
    "late :method": lambda peer: request_fields(peer, ("x-a", "1"), method=None) + [(":method", "GET")],
    "late :path": lambda peer: request_fields(peer, ("x-a", "1"), path=None) + [(":path", "/hostile")],
    "late :authority": lambda peer: request_fields(peer, ("x-a", "1"), authority=None) + [
        (":authority", "example.com")],
    "late and twice": lambda peer: request_fields(peer, ("x-a", "1"), (":path", "/smuggled")),
    "in the midst": lambda peer: [("x-a", "1")] + request_fields(peer),
}


@pytest.mark.parametrize("name", CONNECTION_FIELDS)
def test_fields_of_a_connection(peer, backend, name):
    expect_malformed(peer, backend, lambda: peer.send(
        headers(3, block(request_fields(peer, CONNECTION_FIELDS[name])))))


@pytest.mark.parametrize("name", BAD_VALUES)
@pytest.mark.parametrize("field", ["x-hostile", "cookie", "content-type", "referer", "x-forwarded-for"])
def test_values_that_may_not_be(peer, backend, field, name):
    expect_malformed(peer, backend, lambda: peer.send(
        headers(3, block(request_fields(peer, (field, BAD_VALUES[name]))))))


@pytest.mark.parametrize("huffman", [False, True], ids=["plain", "Huffman"])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_may_not_be(peer, backend, name, huffman):
    def send():
        bad = literal("x", "1")[:1] + string(octets(BAD_NAMES[name]), huffman=huffman) + string("1")
        peer.send(headers(3, block(request_fields(peer)) + bad))

    expect_malformed(peer, backend, send)


@pytest.mark.parametrize("name", PSEUDO)
def test_pseudo_header_fields(peer, backend, name):
    expect_malformed(peer, backend, lambda: peer.send(headers(3, block(PSEUDO[name](peer)))))


@pytest.mark.parametrize("pseudo", ["method", "path", "authority", "scheme"])
@pytest.mark.parametrize("name", ["CR LF", "LF", "NUL", "a space behind", "a space before"])
def test_pseudo_header_fields_that_would_break_a_line(peer, backend, pseudo, name):
    """The request line and Host of HTTP/1.1 are made of them."""
    value = {"method": "GET", "path": "/hostile", "authority": "example.com", "scheme": "http"}[pseudo]
    bad = value + BAD_VALUES[name][1:] if "before" not in name else " " + value
    expect_refused(peer, backend, lambda: peer.send(
        headers(3, block(request_fields(peer, **{pseudo: bad})))), 400)


LINES = {
    "a whole request line": {"method": "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\nGET"},
    "a version in the path": {"path": "/hostile HTTP/1.1\r\nX-Injected: 1\r\nX: "},
    "a space in the path": {"path": "/hostile /smuggled"},
    "a method with a space": {"method": "GET /smuggled"},
    "no slash": {"path": "hostile"},
    "a whole URI": {"path": "http://evil.test/hostile"},
    "an asterisk": {"path": "*"},
    "a fragment": {"path": "/hostile#fragment"},
    "above the root": {"path": "/../hostile"},
    "userinfo": {"authority": "user:secret@example.com"},
    "a path in the authority": {"authority": "example.com/smuggled"},
    "two hosts": {"authority": "example.com, evil.test"},
    "a port that is none": {"authority": "example.com:port"},
    "an unclosed bracket": {"authority": "[::1"},
    "a method in brackets": {"method": "<GET>"},
}


@pytest.mark.parametrize("name", LINES)
def test_pseudo_header_fields_that_http1_would_refuse(peer, backend, name):
    expect_refused(peer, backend, lambda: peer.send(
        headers(3, block(request_fields(peer, **LINES[name])))), 400, 405, 501)


# -- :authority and Host

HOSTS = {
    "another": ("example.com", ["evil.test"]), "two": ("example.com", ["example.com", "evil.test"]),
    "two and no :authority": (None, ["example.com", "evil.test"]),
    "another port": ("example.com", ["example.com:1"]),
    "an empty one": ("example.com", [""]), "neither": (None, []), "one that is none": (None, ["exa mple.com"]),
    "a list": (None, ["example.com, evil.test"]), "an empty :authority and none": ("", []),
}


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_that_is_ambiguous(peer, backend, name):
    named, hosts = HOSTS[name]
    expect_refused(peer, backend, lambda: peer.send(headers(3, block(request_fields(
        peer, *(("host", host) for host in hosts), authority=named)))), 400)


@pytest.mark.parametrize("named, hosts", [("example.com", ["example.com"]), (None, ["example.com"]),
                                              ("example.com", ["EXAMPLE.com"])], ids=str)
def test_a_host_that_agrees(peer, backend, named, hosts):
    """A request that was converted from HTTP/1.1 has Host alone (RFC 9113 §8.3.1)."""
    peer.send(headers(1, block(request_fields(peer, *(("host", host) for host in hosts), authority=named))))
    assert peer.response(1).status == 200
    assert len(backend.last.all("Host")) == 1


# -- content-length and DATA


def post(peer, stream, *fields, target="/stream"):
    return headers(stream, peer.post(target, *fields), end_stream=False)


LENGTHS = {
    "not a number": ["x"], "negative": ["-1"], "signed": ["+5"], "hexadecimal": ["0x5"], "a list": ["5, 5"],
    "two that differ": ["5", "6"], "two that agree": ["5", "5"], "a fraction": ["5.0"], "empty": [""],
    "beyond 2^63": ["9" * 20],
}


@pytest.mark.parametrize("name", LENGTHS)
def test_a_content_length_that_may_not_be(peer, backend, name):
    def send():
        peer.send(post(peer, 3, *(("content-length", one) for one in LENGTHS[name])),
                  data(3, b"hello", end_stream=True))

    expect_refused(peer, backend, send, 400, 413)


@pytest.mark.parametrize("target", ["/", "/stream"])
@pytest.mark.parametrize("pieces", [[b"four"], [b"four", b"more"], [b"", b"fourtimes5"], []],
                         ids=["fewer", "more in two", "more in one", "none"])
def test_content_length_is_not_what_came(peer, backend, target, pieces):
    """The backend never gets a whole request of another length than announced."""
    asked = len(backend.requests)
    ask(peer, 1)
    peer.send(post(peer, 3, ("content-length", "5"), target=target),
              *(data(3, piece) for piece in pieces), data(3, end_stream=True))
    peer.until(lambda: peer.answer(3).reset not in (None, NO_ERROR), "RST_STREAM")
    assert peer.answer(3).reset == PROTOCOL_ERROR
    ask(peer, 5)
    assert all(len(seen.body) in (0, 5) for seen in backend.requests[asked:])
    assert [seen.target for seen in backend.requests[asked:]].count("/sound") == 2


def test_a_body_that_looks_like_a_request(peer, backend):
    """It is a body, whatever it says, with a length and without."""
    body = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: example.com\r\n\r\n"
    for stream, target in ((1, "/"), (3, "/stream")):
        peer.send(post(peer, stream, target=target), data(stream, body, end_stream=True))
        assert peer.response(stream).status == 200
        assert backend.last.body == body
    ask(peer, 5)
    assert "/smuggled" not in [seen.target for seen in backend.requests]


def test_a_get_with_a_body_stays_one_request(peer, backend):
    body = b"GET /smuggled HTTP/1.1\r\nHost: example.com\r\n\r\n"
    peer.send(headers(1, peer.get("/with-body"), end_stream=False), data(1, body, end_stream=True))
    peer.until(lambda: peer.answer(1).over, "an answer")
    ask(peer, 3)
    assert "/smuggled" not in [seen.target for seen in backend.requests]


# -- trailers

TRAILERS = {
    "a pseudo-header": [(":path", "/smuggled")], "upper case": [("X-Upper", "1")],
    "CR LF": [("x-a", "1\r\nx-b: 2")], "NUL": [("x-a", "\0")], "connection": [("connection", "close")],
    "transfer-encoding": [("transfer-encoding", "chunked")], "a name with a colon": [("x:y", "1")],
}


@pytest.mark.parametrize("name", TRAILERS)
def test_trailers_that_may_not_be(peer, backend, name):
    ask(peer, 1)
    peer.send(post(peer, 3), data(3, b"body"), headers(3, block(TRAILERS[name])))
    peer.until(lambda: peer.answer(3).over, "an end")
    assert peer.answer(3).reset == PROTOCOL_ERROR or peer.answer(3).status == 400
    ask(peer, 5)
    assert all(seen.trailers == [] for seen in backend.requests)


@pytest.mark.parametrize("field", [("content-length", "0"), ("host", "evil.test"), ("authorization", "Basic eDp5"),
                                   ("te", "trailers"), ("content-type", "text/html")], ids=lambda field: field[0])
def test_trailers_that_route_or_frame_are_never_passed_on(peer, backend, field):
    """Refused or left out: RFC 9110 §6.5.1."""
    peer.send(post(peer, 1), data(1, b"body"), headers(1, block([field, ("x-fine", "1")])))
    peer.until(lambda: peer.answer(1).over, "an end")
    ask(peer, 3)
    names = [line.partition(":")[0].lower() for seen in backend.requests for line in seen.trailers]
    assert field[0] not in names


def test_trailers_beyond_the_limits(peer, backend):
    """max_trailers: 431 or a reset."""
    ask(peer, 1)
    peer.send(post(peer, 3), data(3, b"body"), headers(3, block([(f"x-{n}", "1") for n in range(100)])))
    peer.until(lambda: peer.answer(3).over, "an end")
    assert peer.answer(3).status in (None, 431)
    ask(peer, 5)
    assert all(len(seen.trailers) <= 32 for seen in backend.requests)


# -- what is odd and sound


def test_cookie_crumbs_become_one_field(peer, backend):
    """In their order (RFC 9113 §8.2.3)."""
    peer.send(headers(1, peer.get("/", *(("cookie", f"c{n}={n}") for n in range(20)))))
    assert peer.response(1).status == 200
    assert backend.last.all("Cookie") == ["; ".join(f"c{n}={n}" for n in range(20))]


def test_values_of_odd_bytes_pass_as_they_are(peer, backend):
    """obs-text and tabs within (RFC 9110 §5.5)."""
    peer.send(headers(1, peer.get("/", ("x-odd", b"a\tb \xc3\xa4\xff".decode("latin-1")), ("x-empty", ""))))
    assert peer.response(1).status == 200
    assert b"a\tb \xc3\xa4\xff" in backend.last.raw_head
    assert backend.last.field("X-Empty") == ""


def test_names_that_fold_into_trusted_ones_are_not_passed_on(peer, backend):
    """As in HTTP/1: an underscore does not make another X-Forwarded-For of it."""
    peer.send(headers(1, peer.get("/", ("x-forwarded-for", "192.0.2.1"), ("x_forwarded_for", "192.0.2.2"),
                                  ("content_length", "5"))))
    peer.until(lambda: peer.answer(1).over, "an answer")
    text = backend.last.raw_head.decode("latin-1")
    assert "192.0.2" not in text and "content_length" not in text.lower()


def test_refusals_are_logged_and_counted(peer, proxy):
    """Each of them, once, as in HTTP/1."""
    def refused():
        return proxy.status()["counters"]["requests_refused"]

    before, lines = refused(), len(proxy.errors)
    peer.send(headers(1, block(request_fields(peer, ("X-Upper", "1")))))
    peer.expect_stream_error(1, PROTOCOL_ERROR, ENHANCE_YOUR_CALM)
    wait_for(lambda: refused() == before + 1, "the refusal to be counted")
    wait_for(lambda: "client sent" in proxy.errors[lines:] or "client: 127.1." in proxy.errors[lines:],
             "a line in the error log")
