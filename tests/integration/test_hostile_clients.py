"""Requests that break the rules (RFC 9112): each is refused by name and reaches no backend.

The table below has one line per case: the rule that it breaks and the bytes. Every case is sent in the
clear and over TLS, whole and a byte at a time, and is followed by a well-formed request that must not
be taken for a second one.
"""
import os
import socket
import ssl

import pytest

from support import wait_for
from support.raw import responses, send_sliced

# rule: (status, what the error log says)
RULES = {
    "bare_lf": (400, "a line ends with LF alone"),
    "bare_cr": (400, "a CR is not followed by LF"),
    "nul": (400, "a NUL byte in the head"),
    "control_byte": (400, "a control byte in the head"),
    "leading_empty_lines": (400, "too many empty lines before the request line"),
    "uri_too_long": (414, "the request line is longer than the limit"),
    "line_too_long": (431, "a header line is longer than the limit"),
    "too_many_fields": (431, "more header fields than the limit"),
    "head_too_large": (431, "the head is larger than the limit"),
    "invalid_request_line": (400, "the request line has no target"),
    "http09": (400, "HTTP/0.9 is not spoken"),
    "invalid_method": (400, "the method is not made of"),
    "invalid_target": (400, "the request target is not a valid path or http URI"),
    "invalid_version": (400, "the protocol version is malformed"),
    "unsupported_version": (505, "the protocol version is neither HTTP/1.0 nor HTTP/1.1"),
    "connect": (405, "CONNECT is not served"),
    "obs_fold": (400, "obsolete line folding"),
    "missing_colon": (400, "a header line has no colon"),
    "space_before_colon": (400, "white space between a header name and its colon"),
    "empty_name": (400, "a header name is empty"),
    "invalid_name": (400, "a header name has a character that is not allowed there"),
    "framing_alias": (400, "may mistake for Content-Length or Transfer-Encoding"),
    "missing_host": (400, "an HTTP/1.1 request without Host"),
    "duplicate_host": (400, "more than one Host"),
    "invalid_host": (400, "the host is not a valid name or address"),
    "content_length_with_transfer_encoding": (400, "Content-Length together with Transfer-Encoding"),
    "duplicate_content_length": (400, "more than one Content-Length"),
    "invalid_content_length": (400, "Content-Length is not a decimal number below 2^63"),
    "duplicate_transfer_encoding": (400, "more than one Transfer-Encoding"),
    "transfer_encoding_not_chunked": (400, "the final transfer coding is not chunked"),
    "transfer_encoding_chunked_twice": (400, "chunked is applied twice"),
    "transfer_encoding_unknown": (501, "a transfer coding besides chunked"),
    "transfer_encoding_in_http10": (400, "Transfer-Encoding in an HTTP/1.0 message"),
    "chunk_size_invalid": (400, "a chunk size is not a hexadecimal number"),
    "chunk_size_overflow": (400, "a chunk size has more than 16 digits"),
    "chunk_extension_invalid": (400, "a chunk extension has a control byte"),
    "chunk_extension_too_long": (400, "chunk extensions are longer than the limit"),
    "chunk_end_missing": (400, "chunk data is not followed by CRLF"),
    "trailer_too_large": (431, "the trailer section is larger than the limit"),
    "trailer_too_many_fields": (431, "more trailer fields than the limit"),
    "trailer_invalid": (400, "a trailer line is malformed"),
    "trailer_forbidden": (400, "a framing or routing field in the trailer section"),
}
# Refusals that have a counter of their own; the others are counted as requests_refused.
LIMITS = {"uri_too_long": "limit_uri_size", "line_too_long": "limit_header_size",
          "head_too_large": "limit_header_size", "too_many_fields": "limit_header_count",
          "chunk_extension_too_long": "limit_chunk_extensions",
          "trailer_too_large": "limit_trailers", "trailer_too_many_fields": "limit_trailers"}

NEXT = b"GET /smuggled HTTP/1.1\r\nHost: example.com\r\n\r\n"


def get(*fields, line="GET /hostile HTTP/1.1", host="Host: example.com"):
    """A request with these header lines, in their bytes."""
    lines = [line] + ([host] if host else []) + list(fields)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def post(*fields, body=b"", line="POST /hostile HTTP/1.1"):
    return get(*fields, line=line) + body


def chunked(body):
    return post("Transfer-Encoding: chunked", body=body)


def framing():
    both = ("Content-Length: 5", "Transfer-Encoding: chunked")
    yield "content_length_with_transfer_encoding", post(*both, body=b"0\r\n\r\n")
    yield "content_length_with_transfer_encoding", post(*reversed(both), body=b"0\r\n\r\n")
    yield "content_length_with_transfer_encoding", post("Content-Length: 0", "Transfer-Encoding: chunked", body=b"0\r\n\r\n")
    yield "content_length_with_transfer_encoding", post("content-length: 3", "transfer-encoding: identity", body=b"abc")
    yield "content_length_with_transfer_encoding", post("Content-Length: 3", "Transfer-Encoding: x", body=b"abc")
    yield "content_length_with_transfer_encoding", post("Content-Length:", "Transfer-Encoding: chunked", body=b"0\r\n\r\n")
    yield "content_length_with_transfer_encoding", post(*both, line="POST /hostile HTTP/1.0", body=b"0\r\n\r\n")
    yield "duplicate_content_length", post("Content-Length: 5", "Content-Length: 5", body=b"hello")
    yield "duplicate_content_length", post("Content-Length: 5", "Content-Length: 6", body=b"hello")
    yield "duplicate_content_length", post("Content-Length: 0", "X: y", "CONTENT-LENGTH: 44")
    for value in ("", "5, 5", "5,6", "5,", ",5", "+5", "-5", "-0", "0x5", "5 5", "5;", "5.0", "1e3",
                  "'5'", '"5"', "5a", "a5", "\xb2", "9223372036854775808", "18446744073709551616",
                  "18446744073709551621", "1" * 30, "9" * 500):
        yield "invalid_content_length", post(f"Content-Length: {value}", body=b"hello")
    yield "duplicate_transfer_encoding", post(*["Transfer-Encoding: chunked"] * 2, body=b"0\r\n\r\n")
    yield "duplicate_transfer_encoding", post("Transfer-Encoding: chunked", "Transfer-encoding: identity",
                               body=b"0\r\n\r\n")
    yield "duplicate_transfer_encoding", post("Transfer-Encoding: gzip", "Transfer-Encoding: chunked",
                               body=b"0\r\n\r\n")
    for value in ("", "identity", "gzip", "chunked, identity", "chunked, gzip", "xchunked", "chunkedx",
                  "chunked;q=1", "chunked ;", "chunked,", ",chunked", "chunked , ,", '"chunked"',
                  "chun ked", "chunked chunked", "'chunked'", "chunked\xa0", "\xefchunked", "cow"):
        yield "transfer_encoding_not_chunked", post(f"Transfer-Encoding: {value}", body=b"0\r\n\r\n")
    for value in ("chunked, chunked", "chunked,gzip,chunked", "Chunked,CHUNKED"):
        yield "transfer_encoding_chunked_twice", post(f"Transfer-Encoding: {value}", body=b"0\r\n\r\n")
    for value in ("gzip, chunked", "identity, chunked", "gzip,deflate,chunked"):
        yield "transfer_encoding_unknown", post(f"Transfer-Encoding: {value}", body=b"0\r\n\r\n")
    yield "transfer_encoding_in_http10", post("Transfer-Encoding: chunked", line="POST /hostile HTTP/1.0",
                               body=b"0\r\n\r\n")
    yield "transfer_encoding_in_http10", post("Transfer-Encoding: identity", line="POST /hostile HTTP/1.0")
    for name in ("Content_Length", "content.length", "CONTENT_LENGTH"):
        yield "framing_alias", post(f"{name}: 5", body=b"hello")
    for name in ("Transfer_Encoding", "transfer.encoding"):
        yield "framing_alias", post(f"{name}: chunked", body=b"0\r\n\r\n")


def lines():
    whole = get("X-A: b")
    yield "bare_lf", whole.replace(b"\r\n", b"\n")
    yield "bare_lf", whole.replace(b"1.1\r\n", b"1.1\n")
    yield "bare_lf", whole.replace(b"com\r\n", b"com\n")
    yield "bare_lf", get("X-A: b")[:-2] + b"\n"
    yield "bare_lf", b"\n" + whole
    yield "bare_lf", get("X-A: b\nX-B: c")
    yield "bare_lf", get("X-A: b\n\nGET /smuggled HTTP/1.1")
    yield "bare_cr", get("X-A: b\rX-B: c")
    yield "bare_cr", get("X-A: b\r")
    yield "bare_cr", b"\r" + whole
    yield "bare_cr", whole.replace(b"\r\n", b"\r")
    yield "bare_cr", get("X-A: b")[:-2] + b"\r\r\n"
    yield "bare_cr", get(line="GET /hostile\r HTTP/1.1")
    yield "nul", get("X-A: a\0b")
    yield "nul", get("X-\0A: b")
    yield "nul", get(line="GET /hostile\0 HTTP/1.1")
    yield "nul", b"\0" + whole
    yield "nul", get("Transfer-Encoding: chunked\0")
    yield "nul", b"\0" * 200
    for byte in "\x01\x08\x0b\x0c\x0e\x1b\x1f\x7f":
        yield "control_byte", get(f"X-A: a{byte}b")
    yield "control_byte", get("Transfer-Encoding:\x0bchunked")
    yield "control_byte", get("Transfer-Encoding\x0c: chunked")
    yield "control_byte", get(line="GET /hostile\x1b[2J HTTP/1.1")
    yield "leading_empty_lines", b"\r\n" * 5 + whole
    yield "leading_empty_lines", b"\r\n" * 4000
    yield "obs_fold", get("X-A: b", " folded")
    yield "obs_fold", get("X-A: b", "\tfolded: c")
    yield "obs_fold", get(" Host: example.com", host=None)
    yield "obs_fold", get(" ")
    yield "obs_fold", post("Transfer-Encoding:", " chunked", body=b"0\r\n\r\n")
    yield "obs_fold", post("Content-Length: 5", "\t5", body=b"hello")


def names_and_hosts():
    for field in ("no colon", "NoColon", "GET /smuggled HTTP/1.1"):
        yield "missing_colon", get(field)
    for field in ("X-A : b", "X-A\t: b", "X-A  \t: b", "Transfer-Encoding : chunked",
                  "Content-Length : 5", "Host : example.com"):
        yield "space_before_colon", get(field)
    for field in (":", ": b", ":: b"):
        yield "empty_name", get(field)
    for byte in '"(),/;<=>?@[\\]{}\x80\xff':
        yield "invalid_name", get(f"X{byte}A: b")
    yield "invalid_name", get("X A: b")
    yield "invalid_name", get("Transfer Encoding: chunked")
    yield "invalid_name", get("\xefTransfer-Encoding: chunked")
    yield "missing_host", get(host=None)
    yield "missing_host", get("X-Host: example.com", host=None)
    yield "missing_host", get(host=None, line="GET http://example.com/hostile HTTP/1.1")
    yield "duplicate_host", get("Host: example.com")
    yield "duplicate_host", get("host: other.example")
    yield "duplicate_host", get("Host: example.com", line="GET /hostile HTTP/1.0")
    for host in ("", "a b", "a/b", "user@a", "a:99999", "a:0", "a:x", "a:-1", "a:80:80", "a: 80",
                 "a:+80", "[::1", "::1", "[::g]", "[::1]x", "[::1]:x", "[]", "a..b", ".a", ".", "a,b",
                 "a?b", "a#b", "a\\b", "%41", "a'b", 'a"b', "<script>", "\xe4.example", "a" * 256, "*",
                 "a;b", "a=b", "a(b)", "http://a"):
        yield "invalid_host", get(host=f"Host: {host}")
    yield "invalid_host", get(host="Host: a b", line="GET /hostile HTTP/1.0")
    yield "invalid_host", get(line="GET http://user@example.com/hostile HTTP/1.1")
    yield "invalid_host", get(line="GET http:///hostile HTTP/1.1")
    yield "invalid_host", get(line="GET http://a:b:c/hostile HTTP/1.1")
    yield "invalid_host", get(host="Host: a b", line="GET http://example.com/hostile HTTP/1.1")


def request_lines():
    for line in ("GET", "GET ", "HELO", "QUIT"):
        yield "invalid_request_line", get(line=line)
    for line in ("GET /hostile", "GET /hostile#", "GET http://example.com/hostile"):
        yield "http09", get(line=line)
    yield "http09", b"GET /\r\n"
    for line in ("get /hostile HTTP/1.1", "Get /hostile HTTP/1.1", " GET /hostile HTTP/1.1",
                 "G@T /hostile HTTP/1.1", "GET\t/hostile HTTP/1.1", "GE(T /hostile HTTP/1.1",
                 "\xefGET /hostile HTTP/1.1", "/hostile HTTP/1.1", "SSH-2.0-OpenSSH_9.2p1",
                 "<policy-file-request/>"):
        yield "invalid_method", get(line=line)
    for line in ("GET  /hostile HTTP/1.1", "GET /hostile  HTTP/1.1", "GET /host ile HTTP/1.1",
                 "GET hostile HTTP/1.1", "GET * HTTP/1.1", "POST * HTTP/1.1", "GET /hostile#x HTTP/1.1",
                 "GET ftp://example.com/hostile HTTP/1.1", "GET file:///etc/passwd HTTP/1.1",
                 "GET example.com:443 HTTP/1.1", "GET \\hostile HTTP/1.1", "OPTIONS *x HTTP/1.1",
                 "GET ?x HTTP/1.1", "GET javascript:alert(1) HTTP/1.1", "GET ..//etc/passwd HTTP/1.1",
                 "PROXY TCP4 192.0.2.1 192.0.2.2 1 2"):
        yield "invalid_target", get(line=line)
    for version in ("http/1.1", "HTTP/1.1 ", "HTTP/1.1\t", "HTTP/11", "HTTP/1.10", "HTTP/1.1.1", "HTTP/1",
                    "HTTP/1.", "HTTP/.1", "HTTP/ 1.1", "HTTPS/1.1", "HTTP-1.1", "HTTP/1,1", "HTTP/+1.1",
                    "HTTP/1.x", "ICY", "RTSP/1.0", "HTTP/1.1 GET", "HTTP/01.1"):
        yield "invalid_version", get(line=f"GET /hostile {version}")
    for version in ("0.9", "0.0", "1.2", "1.9", "2.0", "3.0", "9.9"):
        yield "unsupported_version", get(line=f"GET /hostile HTTP/{version}")
    yield "unsupported_version", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
    for line in ("CONNECT example.com:443 HTTP/1.0", "CONNECT * HTTP/1.0"):
        yield "connect", get(line=line)
    yield "connect", post("Content-Length: 5", line="CONNECT example.com:443 HTTP/1.0", body=b"hello")
    for line in ("CONNECT / HTTP/1.1", "CONNECT * HTTP/1.1", "CONNECT example.com HTTP/1.1",
                 "CONNECT example.com:0 HTTP/1.1", "CONNECT user@example.com:443 HTTP/1.1"):
        yield "invalid_target", get(line=line)


def limits():
    yield "uri_too_long", get(line=f"GET /hostile{'x' * 9000} HTTP/1.1")
    yield "uri_too_long", get(line=f"GET /hostile?{'x' * 100_000} HTTP/1.1")
    yield "uri_too_long", b"x" * 9000
    yield "line_too_long", get(f"X-A: {'b' * 9000}")
    yield "line_too_long", get(f"X-{'A' * 9000}: b")
    yield "line_too_long", get(f"Cookie: {'b' * 100_000}")
    yield "head_too_large", get(*[f"X-{i}: {'b' * 7000}" for i in range(5)])
    yield "head_too_large", get(*[f"X-{i}: {'b' * 1000}" for i in range(60)])
    yield "too_many_fields", get(*[f"X-{i}: b" for i in range(100)])
    yield "too_many_fields", get(*["X: b"] * 1000)


def chunks():
    for size in ("g", "", "-1", "+1", "0x5", " 5", "\t5", "5 ", "5\t", "5 ;x", "5,", "5.", "\xb2", "5h",
                 "'5'", "five"):
        yield "chunk_size_invalid", chunked(f"{size}\r\nhello\r\n0\r\n\r\n".encode("latin-1"))
    for size in ("8000000000000000", "ffffffffffffffff", "10000000000000005", "00000000000000005",
                 "0" * 100, "f" * 100):
        yield "chunk_size_overflow", chunked(f"{size}\r\nhello\r\n0\r\n\r\n".encode())
    yield "bare_lf", chunked(b"5\nhello\r\n0\r\n\r\n")
    yield "bare_lf", chunked(b"5\r\nhello\r\n0\n\r\n")
    yield "bare_lf", chunked(b"5\r\nhello\r\n0\r\n\n")
    yield "bare_cr", chunked(b"5\rhello\r\n0\r\n\r\n")
    yield "bare_cr", chunked(b"5\r\rhello\r\n0\r\n\r\n")
    yield "bare_cr", chunked(b"5\r\nhello\r\n0\r\n\rX")
    yield "chunk_end_missing", chunked(b"5\r\nhello0\r\n\r\n")
    yield "chunk_end_missing", chunked(b"5\r\nhello\n0\r\n\r\n")
    yield "chunk_end_missing", chunked(b"5\r\nhello\r0\r\n\r\n")
    yield "chunk_end_missing", chunked(b"4\r\nhello\r\n0\r\n\r\n")
    yield "chunk_end_missing", chunked(b"5\r\nhello world\r\n0\r\n\r\n")
    yield "chunk_extension_invalid", chunked(b"5;a\nb\r\nhello\r\n0\r\n\r\n")
    yield "chunk_extension_invalid", chunked(b"5;a\0\r\nhello\r\n0\r\n\r\n")
    yield "chunk_extension_invalid", chunked(b"5;\x0b\r\nhello\r\n0\r\n\r\n")
    yield "chunk_extension_invalid", chunked(b"0;x\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    yield "bare_cr", chunked(b"5;a\rb\r\nhello\r\n0\r\n\r\n")
    yield "chunk_extension_too_long", chunked(b"5;" + b"x" * 100_000)
    yield "chunk_extension_too_long", chunked(b"1;xxxxxxxxxxxxxxxx\r\na\r\n" * 10_000)
    for field in ("Content-Length: 5", "Transfer-Encoding: chunked", "Host: b", "Connection: close",
                  "TE: x", "Trailer: x", "X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.1",
                  "Forwarded: for=192.0.2.1", "Content_Length: 5", "X_Forwarded_For: 192.0.2.1",
                  "Upgrade: websocket"):
        yield "trailer_forbidden", chunked(f"0\r\n{field}\r\n\r\n".encode())
    for field in ("no colon", " folded: x", "X : a", ": a", "X\x0b: a", "X@: a"):
        yield "trailer_invalid", chunked(f"0\r\n{field}\r\n\r\n".encode())
    yield "trailer_invalid", chunked(b"0\r\nX-A: a\0b\r\n\r\n")
    yield "bare_lf", chunked(b"0\r\nX-A: b\n\r\n")
    yield "trailer_too_large", chunked(b"0\r\nX-A: " + b"b" * 100_000)
    yield "trailer_too_many_fields", chunked(b"0\r\n" + b"X: y\r\n" * 1000 + b"\r\n")


CASES = [case for table in (framing, lines, names_and_hosts, request_lines, limits, chunks)
         for case in table()]
# One case per rule and one for each way to break it.
NAMED = [pytest.param(rule, data, id=f"{number}-{rule}") for number, (rule, data) in enumerate(CASES)]


@pytest.fixture(scope="module")
def backend(make_shared_backend):
    return make_shared_backend()


@pytest.fixture(scope="module")
def proxy(shared_sallyport, backend):
    return shared_sallyport("""
        error_log stderr info;
        keepalive_requests 100000;
        server {
            listen 127.0.0.1:@port:http@;
            listen 127.0.0.1:@port:https@ ssl;
            server_name example.com;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            location / { proxy_pass http://@backend@; }
        }
    """, backend=backend)


def open_client(proxy, transport):
    return proxy.client("http") if transport == "plain" else proxy.tls_client("https")


def refused(proxy, transport, data, size):
    """Sends it and returns the one answer, once the connection is closed."""
    with open_client(proxy, transport) as client:
        send_sliced(client, data, size)
        found, left = responses(client.receive_all())
    assert left == b"", f"the connection did not end with the answer: {left!r}"
    assert len(found) == 1, f"one request was answered {len(found)} times: {found}"
    return found[0]


def assert_nothing_reached(backend):
    for connection in backend.connections:
        assert b"/hostile" not in connection.received
        assert b"/smuggled" not in connection.received


@pytest.mark.threads
@pytest.mark.parametrize("rule, data", NAMED)
def test_it_is_refused_by_name_and_reaches_no_backend(proxy, backend, rule, data):
    status, words = RULES[rule]
    for transport in ("plain", "tls"):
        for size in (1 << 20, 1 if len(data) < 1000 else 1 + len(data) // 50):
            before = len(proxy.errors)
            answer = refused(proxy, transport, data + NEXT, size)
            assert answer.status == status, f"{transport}, {size} at a time: {answer.head!r}"
            assert answer.field("Connection") == "close"
            wait_for(lambda: words in proxy.errors[before:],
                     f"the error log to say {words!r}; it says {proxy.errors[before:]}")
    assert_nothing_reached(backend)


def test_every_refusal_is_counted_by_its_rule(proxy):
    def counted(rule):
        counters = proxy.status()["counters"]
        return (counters[LIMITS.get(rule, "requests_refused")],
                counters["requests_refused_by_rule"][rule])

    for rule in RULES:
        before = counted(rule)
        refused(proxy, "plain", next(data for name, data in CASES if name == rule) + NEXT, 1 << 20)
        wait_for(lambda: counted(rule) == (before[0] + 1, before[1] + 1), f"{rule} to be counted once")


@pytest.mark.parametrize("transport", ["plain", "tls"])
def test_a_request_before_the_hostile_one_is_answered(proxy, backend, transport):
    with open_client(proxy, transport) as client:
        client.send(get(line="GET /fine HTTP/1.1") + get("X-A : b") + NEXT)
        found, left = responses(client.receive_all())
    assert ([answer.status for answer in found], left) == ([200, 400], b"")
    assert backend.last.target == "/fine"
    assert_nothing_reached(backend)


# What a TLS port gets that is not TLS. An HTTP request is answered, everything else is not.
TLS_GARBAGE = {
    "zeros": b"\0" * 300,
    "random": bytes((i * 167 + 13) % 256 for i in range(2000)),
    "ssl2": bytes.fromhex("802e0100020015000000100700c0030080010080") + b"x" * 40,
    "record of a wrong type": bytes.fromhex("990301000501020304"),
    "alert first": bytes.fromhex("15030100020228"),
    "application data first": bytes.fromhex("1703030010") + b"x" * 16,
    "change cipher spec first": bytes.fromhex("140303000101") * 50,
    "huge record": bytes.fromhex("160301ffff") + b"\1" * 70_000,
    "hello cut short": bytes.fromhex("16030100050100000200"),
    "hello with a lying length": bytes.fromhex("160301000801fffffc03030000"),
    "empty records": bytes.fromhex("1603010000") * 200,
    "version 0": bytes.fromhex("160000002f0100002b0000") + b"x" * 41,
    "one byte": b"\x16",
    "nothing": b"",
}


@pytest.mark.threads
@pytest.mark.parametrize("name", TLS_GARBAGE)
@pytest.mark.parametrize("size", [1 << 20, 1])
def test_what_is_not_tls_ends_at_the_tls_port(proxy, backend, name, size):
    before = proxy.status()["counters"]["handshakes_failed"]
    with proxy.client("https") as client:
        send_sliced(client, TLS_GARBAGE[name], size)
        try:
            client.half_close()
        except OSError:
            pass
        answer = client.receive_all()
    assert b"HTTP/" not in answer and b"hello from the backend" not in answer
    wait_for(lambda: proxy.status()["counters"]["handshakes_failed"] == before + 1,
             "the handshake to be counted as failed")
    wait_for(lambda: "while SSL handshaking" in proxy.errors, "the error log to say so")
    assert_nothing_reached(backend)


@pytest.mark.parametrize("data", [get(), get(line="GET /hostile HTTP/1.0", host=None), post(
    "Content-Length: 100000", body=b"x" * 100_000)], ids=["get", "1.0", "post"])
def test_plain_http_on_the_tls_port_is_told_so(proxy, backend, data):
    before = proxy.status()["counters"]["plain_on_tls_port"]
    with proxy.client("https") as client:
        send_sliced(client, data, 1 << 20)
        found, _ = responses(client.receive_all())
    assert [answer.status for answer in found] == [400]
    assert "HTTPS" in found[0].text
    assert proxy.status()["counters"]["plain_on_tls_port"] == before + 1
    assert_nothing_reached(backend)


def cut_points():
    whole = chunked(b"5;x=y\r\nhello\r\n0\r\nX-A: b\r\n\r\n")
    return [pytest.param(whole[:cut], id=str(cut)) for cut in range(0, len(whole), 5)]


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("data", cut_points())
def test_a_request_that_is_cut_off_reaches_no_backend(proxy, backend, data, reset):
    for transport in ("plain", "tls"):
        client = open_client(proxy, transport)
        client.send(data)
        if reset:
            client.reset()
        else:
            client.close()
    assert proxy.get("/fine").status == 200
    assert_nothing_reached(backend)


def test_a_client_s_reset_in_the_handshake_does_no_harm(proxy):
    for sent in range(0, 200, 20):
        client = proxy.client("https")
        hello = ssl.MemoryBIO()
        engine = proxy.authority.client_context().wrap_bio(ssl.MemoryBIO(), hello,
                                                           server_hostname="example.com")
        with pytest.raises(ssl.SSLWantReadError):
            engine.do_handshake()
        client.send(hello.read()[:sent])
        client.reset()
    assert proxy.get("/fine").status == 200


def test_random_bytes_do_no_harm(proxy, backend):
    alphabet = [b"GET ", b"/hostile", b" HTTP/1.1", b"\r\n", b"\n", b"\r", b":", b" ", b"\t", b"\0",
                b"Host: a", b"Content-Length: 5", b"Transfer-Encoding: chunked", b"0", b"5", b"\xff"]
    state = 1
    for _ in range(300):
        pieces = []
        for _ in range(12):
            state = state * 6364136223846793005 % (1 << 64) + 1442695040888963407 & (1 << 64) - 1
            pieces.append(alphabet[state >> 60])
        with proxy.client("http") as client:
            send_sliced(client, b"".join(pieces) + b"\r\n\r\n", 1 << 20)
            client.half_close()
            found, left = responses(client.receive_all())
        assert left == b"" and all(answer.status in (200, *range(400, 506)) for answer in found)
    assert proxy.get("/fine").status == 200
