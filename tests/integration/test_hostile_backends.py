"""Backends that break the rules: their answers become 502 or 504, or the connection is cut.

Nothing of what a backend should not have said is passed on, the error log says what was wrong, and
the next request is served as if nothing had happened.
"""
import socket
import threading

import pytest

from support import seconds, wait_for
from support.raw import responses

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MARK = b"poison"  # in every answer that must not be passed on


def head(*fields, line="HTTP/1.1 200 OK"):
    return "\r\n".join([line, *fields]).encode("latin-1") + b"\r\n\r\n"


def status_lines():
    for line in ("", "200 OK", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK",
                 "HTTP/1.1 abc OK", "HTTP/1.1 2x0 OK", "HTTP/1.1 -20 OK", "HTTP/1.1 +20 OK",
                 "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 200\tOK", "HTTP/1.1200 OK",
                 " HTTP/1.1 200 OK", "http/1.1 200 OK", "HTTP/11 200 OK", "HTTP/1.10 200 OK",
                 "HTTP/1.x 200 OK", "HTTP/ 1.1 200 OK", "HTTPS/1.1 200 OK", "ICY 200 OK",
                 "\xef\xbb\xbfHTTP/1.1 200 OK", "200", "SSH-2.0-OpenSSH_9.2p1", "220 mail ESMTP",
                 "GET / HTTP/1.1", "<html>poison</html>", "poison"):
        words = "the protocol version is malformed" if line.startswith(
            ("HTTP/11", "HTTP/1.10", "HTTP/1.x", "HTTP/ ", "HTTP/1.1\t", "HTTP/1.1200")) else (
                "the status line is malformed")
        yield words, head("Content-Length: 6", line=line) + MARK
    for line in ("HTTP/1.1 000 OK", "HTTP/1.1 099 OK", "HTTP/1.1 600 OK", "HTTP/1.1 999 OK"):
        yield "the status code is not between 100 and 599", head("Content-Length: 6", line=line) + MARK
    for version in ("0.9", "1.2", "2.0", "3.0"):
        yield "the protocol version is neither", head(
            "Content-Length: 6", line=f"HTTP/{version} 200 OK") + MARK
    yield "the status line is malformed", b"\r\n" + OK + MARK
    yield "a control byte in the head", bytes.fromhex("15030300020228") + MARK
    yield "a control byte in the head", b"HTTP/1.1 200 O\x1b[2JK\r\nContent-Length: 6\r\n\r\n" + MARK
    yield "a NUL byte in the head", b"HTTP/1.1 200 O\0K\r\nContent-Length: 6\r\n\r\n" + MARK
    yield "a NUL byte in the head", bytes(24) + MARK


def fields():
    two = "more than one Content-Length"
    yield two, head("Content-Length: 6", "Content-Length: 7") + MARK
    yield two, head("Content-Length: 6", "content-length: 6") + MARK
    for value in ("6, 6", "6,7", "-6", "+6", "0x6", "6 6", "", "6.0", "six", "9223372036854775808",
                  "18446744073709551622", "9" * 100, "6;"):
        yield "Content-Length is not a decimal number", head(f"Content-Length: {value}") + MARK
    both = "Content-Length together with Transfer-Encoding"
    yield both, head("Content-Length: 6", "Transfer-Encoding: chunked") + b"6\r\npoison\r\n0\r\n\r\n"
    yield both, head("Transfer-Encoding: chunked", "Content-Length: 6") + b"6\r\npoison\r\n0\r\n\r\n"
    yield "more than one Transfer-Encoding", head(*["Transfer-Encoding: chunked"] * 2) + MARK
    for value in ("identity", "gzip", "chunked, gzip", "xchunked", "chunked;x", "", '"chunked"'):
        yield "the final transfer coding is not chunked", head(f"Transfer-Encoding: {value}") + MARK
    yield "chunked is applied twice", head("Transfer-Encoding: chunked, chunked") + MARK
    yield "a transfer coding besides chunked", head("Transfer-Encoding: gzip, chunked") + MARK
    yield "Transfer-Encoding in an HTTP/1.0 message", head(
        "Transfer-Encoding: chunked", line="HTTP/1.0 200 OK") + b"6\r\npoison\r\n0\r\n\r\n"
    for alias in ("Content_Length: 6", "Transfer_Encoding: chunked", "transfer.encoding: chunked"):
        yield "may mistake for Content-Length or Transfer-Encoding", head(alias) + MARK
    yield "a Content-Length in a response that has no body", head(
        "Content-Length: 6", line="HTTP/1.1 204 No Content") + MARK
    yield "Transfer-Encoding in a response that has no body", head(
        "Transfer-Encoding: chunked", line="HTTP/1.1 204 No Content") + MARK
    yield "a Content-Length in a response that has no body", head(
        "Content-Length: 6", line="HTTP/1.1 103 Early Hints") + MARK
    for field in ("X-A : b", "Content-Length : 6", "Transfer-Encoding\t: chunked"):
        yield "white space between a header name and its colon", head(field) + MARK
    yield "a header name is empty", head(": b") + MARK
    yield "a header line has no colon", head("poison") + MARK
    for name in ("X A", "X(A)", "X\xe4", "X@", "<b>"):
        yield "a header name has a character", head(f"{name}: b") + MARK
    for line in (" folded", "\tfolded: x", " "):
        yield "obsolete line folding", head("X-A: b", line) + MARK
    yield "a line ends with LF alone", OK.replace(b"\r\n", b"\n") + MARK
    yield "a line ends with LF alone", head("X-A: b\nX-B: c") + MARK
    yield "a line ends with LF alone", head("X-A: b")[:-2] + b"\n" + MARK
    yield "a CR is not followed by LF", head("X-A: b\rSet-Cookie: c") + MARK
    yield "a NUL byte in the head", head("X-A: b\0c") + MARK
    yield "a control byte in the head", head("X-A: b\x01c") + MARK
    yield "a control byte in the head", head("X-A: \x7f") + MARK
    yield "more header fields than the limit", head(*[f"X-{i}: poison" for i in range(1000)]) + MARK
    yield "the head is larger than the limit", head("X-A: " + "b" * 100_000) + MARK
    yield "the head is larger than the limit", head(
        *[f"X-{i}: {'b' * 5000}" for i in range(100)]) + MARK
    yield "without being asked", head("Upgrade: websocket", "Connection: upgrade",
                                      line="HTTP/1.1 101 Switching Protocols") + MARK
    yield "without being asked", head(line="HTTP/1.1 101 Switching Protocols") + OK + MARK
    # Early answers before the final one are counted in the head's limit: a flood ends.
    yield "the head is larger than the limit", head(line="HTTP/1.1 102 Processing") * 100_000 + MARK
    yield "the head is larger than the limit", head(line="HTTP/1.1 100 Continue") * 100_000 + MARK
    yield "the head is larger than the limit", head(
        "Link: </a>", line="HTTP/1.1 103 Early Hints") * 100_000 + MARK


def cut_heads():
    whole = head("Content-Length: 6", "X-Mark: poison") + MARK
    for size in (0, 1, 4, 8, 9, 12, 13, 15, 17, 20, 34, 36, 51, 52, 53):
        yield "prematurely closed connection", whole[:size]


# error line, what the backend sends before it closes.
REFUSED = [*status_lines(), *fields(), *cut_heads()]

CHUNKED = head("Transfer-Encoding: chunked", "X-Mark: passed")


def broken_bodies():
    """The head is sound and was passed on: the client must notice that the rest is missing."""
    cut = "prematurely closed connection"
    length = head("Content-Length: 100000")
    for size in (0, 1, 50_000, 99_999):
        yield cut, length + b"x" * size
    for body in (b"", b"5", b"5\r", b"5\r\n", b"5\r\nhel", b"5\r\nhello", b"5\r\nhello\r\n",
                 b"5\r\nhello\r\n0", b"5\r\nhello\r\n0\r\n", b"5\r\nhello\r\n0\r\nX-A: b\r\n",
                 b"0\r\n"):
        yield cut, CHUNKED + body
    for body, words in (
            (b"g\r\nhello\r\n", "a chunk size is not a hexadecimal number"),
            (b"-1\r\nhello\r\n", "a chunk size is not a hexadecimal number"),
            (b" 5\r\nhello\r\n", "a chunk size is not a hexadecimal number"),
            (b"\r\nhello\r\n", "a chunk size is not a hexadecimal number"),
            (b"5 \r\nhello\r\n0\r\n\r\n", "a chunk size is not a hexadecimal number"),
            (b"0x5\r\nhello\r\n0\r\n\r\n", "a chunk size is not a hexadecimal number"),
            (b"ffffffffffffffff\r\nhello", "a chunk size has more than 16 digits or exceeds"),
            (b"00000000000000005\r\nhello", "a chunk size has more than 16 digits or exceeds"),
            (b"5\nhello\r\n0\r\n\r\n", "a line ends with LF alone"),
            (b"5\r\nhello0\r\n\r\n", "chunk data is not followed by CRLF"),
            (b"5\r\nhello\n0\r\n\r\n", "chunk data is not followed by CRLF"),
            (b"5\r\nhello poison\r\n0\r\n\r\n", "chunk data is not followed by CRLF"),
            (b"5;a\nb\r\nhello\r\n", "a chunk extension has a control byte"),
            (b"5;" + b"x" * 10_000, "chunk extensions are longer than the limit"),
            (b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n", "a framing or routing field"),
            (b"5\r\nhello\r\n0\r\nTransfer-Encoding: x\r\n\r\n", "a framing or routing field"),
            (b"5\r\nhello\r\n0\r\nX : a\r\n\r\n", "a trailer line is malformed"),
            (b"5\r\nhello\r\n0\r\npoison\r\n\r\n", "a trailer line is malformed"),
            (b"0\r\nX: " + b"y" * 10_000, "the trailer section is larger than the limit"),
            (b"0\r\n" + b"X: y\r\n" * 100, "more trailer fields than the limit")):
        yield words, CHUNKED + body


BROKEN = list(broken_bodies())


class Hostile:
    """The target "/refused/3" is answered with REFUSED[3], "/fine" with OK."""

    def __call__(self, connection):
        while True:
            request = connection.read_request()
            table, _, number = request.target.strip("/").partition("/")
            number, _, way = number.partition("/")
            if table == "fine":
                connection.send(OK)
                continue
            data = {"refused": REFUSED, "broken": BROKEN}[table][int(number)][1]
            step = 1 if way == "sliced" and len(data) < 500 else len(data) or 1
            for start in range(0, len(data), step):
                connection.send(data[start:start + step])
            if way == "reset":
                connection.reset()
            return


@pytest.fixture(scope="module")
def proxy(shared_sallyport, make_shared_backend, authority):
    certificate = authority.certificate("backend.test", "127.0.0.1")
    return shared_sallyport("""
        error_log stderr info;
        upstream secure { server @secure@; }
        server {
            listen 127.0.0.1:@port:http@;
            listen 127.0.0.1:@port:https@ ssl;
            server_name example.com;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            location / { proxy_pass http://@backend@; }
            location /secure/ {
                proxy_pass https://secure/;
                proxy_ssl_name backend.test;
                proxy_ssl_trusted_certificate @authority@;
            }
        }
    """, backend=make_shared_backend(serve=Hostile()),
        secure=make_shared_backend(serve=Hostile(), tls=certificate.server_context()))


def ask(proxy, target, transport="plain", method="GET"):
    """Everything that comes back for one request on a connection of its own."""
    with proxy.client("http") if transport == "plain" else proxy.tls_client("https") as client:
        client.send(f"{method} {target} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
        return client.receive_all()


def assert_serves_on(proxy):
    for prefix in ("", "/secure"):
        found, left = responses(ask(proxy, f"{prefix}/fine"))
        assert [(answer.status, answer.body) for answer in found] == [(200, b"ok")] and left == b""


@pytest.mark.threads
@pytest.mark.parametrize("number", range(len(REFUSED)),
                         ids=[f"{i}-{words.replace(' ', '_')}" for i, (words, _) in enumerate(REFUSED)])
def test_an_answer_against_the_rules_is_a_502_and_is_not_passed_on(proxy, number):
    words, _ = REFUSED[number]
    for target, transport in ((f"/refused/{number}", "plain"), (f"/refused/{number}/sliced", "tls"),
                              (f"/secure/refused/{number}", "plain")):
        before = len(proxy.errors)
        data = ask(proxy, target, transport)
        found, left = responses(data)
        final = [answer for answer in found if answer.status >= 200]
        assert [answer.status for answer in final] == [502] and left == b""
        assert all(answer.status in (102, 103) for answer in found[:-1])
        assert MARK not in data
        wait_for(lambda: words in proxy.errors[before:],
                 f"the error log to say {words!r}; it says {proxy.errors[before:]}")
        assert "[error]" in proxy.errors[before:] and "upstream: " in proxy.errors[before:]
    assert_serves_on(proxy)


@pytest.mark.threads
@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_a_body_that_breaks_off_cuts_the_client_s_connection(proxy, number):
    words, data = BROKEN[number]
    for target, transport in ((f"/broken/{number}", "plain"), (f"/broken/{number}/sliced", "tls"),
                              (f"/secure/broken/{number}", "plain")):
        before = len(proxy.errors)
        found, _ = responses(ask(proxy, target, transport))
        assert len(found) == 1
        # What had come with the head may have been judged before the head was passed on.
        assert found[0].status == 502 or not found[0].whole, found[0].head
        assert MARK not in found[0].body
        wait_for(lambda: words in proxy.errors[before:],
                 f"the error log to say {words!r}; it says {proxy.errors[before:]}")
    assert_serves_on(proxy)


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_a_broken_body_is_cut_for_http_1_0_clients_too(proxy, number):
    """HTTP/1.0 has no chunked: only a reset can tell them that the end is missing."""
    with proxy.client("http") as client:
        client.send(f"GET /broken/{number} HTTP/1.0\r\nHost: example.com\r\n\r\n")
        try:
            client.receive(lambda _: False)
        except ConnectionResetError:
            return
        except EOFError:
            found, _ = responses(client.pending)
    assert found[0].status == 502 or not found[0].whole


@pytest.mark.parametrize("number", [0, len(REFUSED) - 1, len(REFUSED) - 5])
def test_a_reset_in_the_head_is_a_502(proxy, number):
    found, _ = responses(ask(proxy, f"/refused/{number}/reset"))
    assert [answer.status for answer in found] == [502]
    assert_serves_on(proxy)


@pytest.mark.parametrize("number", range(6))
def test_a_reset_in_the_body_cuts_the_connection(proxy, number):
    found, _ = responses(ask(proxy, f"/broken/{number}/reset"))
    assert [answer.status for answer in found if answer.whole and answer.status != 502] == []
    assert_serves_on(proxy)


def test_refused_answers_are_counted_by_rule(proxy):
    def counted():
        counters = proxy.status()["counters"]
        return counters["upstream_refused"], counters["upstream_refused_by_rule"]["bare_lf"]

    before = counted()
    number = next(i for i, (words, _) in enumerate(REFUSED) if "LF alone" in words)
    ask(proxy, f"/refused/{number}")
    wait_for(lambda: counted() == (before[0] + 1, before[1] + 1), "the refusal to be counted")


def test_a_body_after_an_answer_to_head_is_not_passed_on(sallyport, make_backend):
    def serve(connection):
        connection.read_request()
        connection.send(head("Content-Length: 6") + MARK)
        with pytest.raises(EOFError):
            connection.receive()

    backend = make_backend(serve=serve)
    proxy = sallyport(PLAIN, backend=backend)
    data = ask(proxy, "/", method="HEAD")
    assert data.startswith(b"HTTP/1.1 200") and MARK not in data
    wait_for(lambda: backend.connections[0].closed, "the proxy to close the soiled connection")


PLAIN = """
    error_log stderr info;
    server {
        listen 127.0.0.1:@port:http@;
        location / { proxy_pass http://@backend@; }
        location /unbuffered { proxy_pass http://@backend@; proxy_buffering off; }
        location /fine { proxy_read_timeout 60s; proxy_pass http://@backend@; }
    }
"""
IMPATIENT = f"proxy_read_timeout {seconds(1)}s; proxy_connect_timeout {seconds(1)}s; {PLAIN}"

POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
SOILED = {
    "a second answer": OK + POISON,
    "a second answer, chunked": head("Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\n\r\n" + POISON,
    "a body longer than announced": OK + MARK,
    "one byte too much": OK + b"\r",
    "an empty line too much": OK + b"\r\n\r\n",
    "a body after a 204": head(line="HTTP/1.1 204 No Content") + MARK,
    "a body after a 304": head("Content-Length: 6", line="HTTP/1.1 304 Not Modified") + MARK,
    "an interim answer too late": OK + head(line="HTTP/1.1 100 Continue"),
}


@pytest.mark.threads
@pytest.mark.parametrize("target", ["/", "/unbuffered"])
@pytest.mark.parametrize("late", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("name", SOILED)
def test_bytes_after_an_answer_reach_no_other_client(sallyport, make_backend, name, late, target):
    """A kept connection with something unread on it is not clean: the next client must not get it."""
    spoken = threading.Event()
    answered = threading.Event()

    def serve(connection):
        while True:
            request = connection.read_request()
            if request.target.endswith("second"):
                connection.send(OK)
                continue
            whole = SOILED[name]
            end = whole.index(b"ok", 20) + 2 if b"ok" in whole[20:] else whole.index(b"\r\n\r\n") + 4
            if b"chunked" in whole[:60]:
                end = whole.index(b"0\r\n\r\n") + 5
            connection.send(whole[:end] if late else whole)
            if late:
                answered.wait(seconds(10))
                connection.send(whole[end:])
            spoken.set()

    backend = make_backend(serve=serve)
    proxy = sallyport(PLAIN, backend=backend)
    with proxy.client() as first, proxy.client() as second:
        assert first.get(target).status in (200, 204, 304)
        answered.set()
        assert spoken.wait(seconds(10))
        wait_for(lambda: backend.connections[0].closed, "the proxy to close the soiled connection")
        found = second.get(f"{target}second")
        assert (found.status, found.body) == (200, b"ok")
        assert MARK not in first.pending + second.pending


def test_an_answer_before_the_request_reaches_no_second_client(sallyport, make_backend):
    """Whoever answers too early would be one answer ahead for ever."""
    def serve(connection):
        if connection.number == 0:
            connection.send(POISON)
            connection.read_request()
            connection.send(POISON)
        while True:
            request = connection.read_request()
            connection.send(head(f"Content-Length: {len(request.target)}") + request.target.encode())

    backend = make_backend(serve=serve)
    proxy = sallyport(PLAIN, backend=backend)
    for number in range(5):
        with proxy.client() as client:
            answer = client.get(f"/{number}")
            if number == 0:
                assert (answer.status, answer.text) in ((200, "poison"), (502, answer.text))
                wait_for(lambda: backend.connections[0].closed, "the proxy to close the connection")
            else:
                assert (answer.status, answer.text) == (200, f"/{number}")


@pytest.mark.threads
@pytest.mark.parametrize("early", [OK, b"HTTP/1.1 200 OK\r\n", b"220 ready\r\n", b"\0", MARK],
                         ids=["answer", "half an answer", "banner", "a byte", "word"])
def test_a_tls_backend_that_speaks_first_in_the_clear_is_not_believed(sallyport, make_backend,
                                                                      authority, early):
    context = authority.certificate("backend.test").server_context()

    def serve(connection):
        connection.send(early)
        try:
            connection.socket = context.wrap_socket(connection.socket, server_side=True)
            connection.read_request()
            connection.send(POISON)
        except OSError:
            connection.receive()

    backend = make_backend(serve=serve)
    proxy = sallyport("""
        error_log stderr info;
        server {
            listen 127.0.0.1:@port:http@;
            location / {
                proxy_pass https://@backend@;
                proxy_ssl_name backend.test;
                proxy_ssl_trusted_certificate @authority@;
            }
        }
    """, backend=backend)
    data = ask(proxy, "/")
    assert data.startswith(b"HTTP/1.1 502") and MARK not in data
    proxy.wait_for_error("[error]")
    wait_for(lambda: proxy.status()["counters"]["upstream_handshakes_failed"] >= 1,
             "the handshake to be counted as failed")


# What a slow backend does once it has the request, and how that ends (IMPATIENT).
def silent(connection, stop):
    stop.wait(20)


def one_byte_of_head_at_a_time(connection, stop):
    for byte in head(*[f"X-{i}: {'y' * 50}" for i in range(50)]):
        connection.send(bytes([byte]))
        if stop.wait(0.05):
            return


def interim_answers_for_ever(connection, stop):
    while not stop.wait(0.3):
        connection.send(head(line="HTTP/1.1 102 Processing"))


def head_then_silence(connection, stop):
    connection.send(head("Content-Length: 5") + b"he")
    stop.wait(20)


def chunks_then_silence(connection, stop):
    connection.send(CHUNKED + b"5\r\nhello\r\n5\r\nhe")
    stop.wait(20)


def slow_proxy(sallyport, make_backend, behave):
    stop = threading.Event()

    def serve(connection):
        if connection.read_request().target == "/fine":
            connection.send(OK)
        else:
            behave(connection, stop)

    return sallyport(IMPATIENT, backend=make_backend(serve=serve)), stop


@pytest.mark.parametrize("behave", [silent, one_byte_of_head_at_a_time])
def test_a_head_that_does_not_come_is_a_504(sallyport, make_backend, behave):
    proxy, stop = slow_proxy(sallyport, make_backend, behave)
    with proxy.client() as client:
        answer = client.get("/")
        assert answer.status == 504
        assert client.get("/fine").body == b"ok"
    stop.set()
    proxy.wait_for_error("upstream timed out (110: Connection timed out) while reading response header")
    counters = proxy.status()["counters"]
    assert counters["upstream_timeouts"] == counters["limit_upstream_read_time"] == 1


@pytest.mark.parametrize("target", ["/", "/unbuffered"])
@pytest.mark.parametrize("behave", [head_then_silence, chunks_then_silence])
def test_a_body_that_does_not_come_cuts_the_connection(sallyport, make_backend, behave, target):
    proxy, stop = slow_proxy(sallyport, make_backend, behave)
    with proxy.client() as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
        found, _ = responses(client.receive_all())
    stop.set()
    assert found[0].status == 200 and not found[0].whole
    proxy.wait_for_error("upstream timed out (110: Connection timed out) while reading upstream")
    assert responses(ask(proxy, "/fine"))[0][0].body == b"ok"


def test_a_backend_that_never_accepts_is_a_504(sallyport):
    """Its queue is full, so the kernel drops what knocks."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(8):
            knocking = socket.socket()
            knocking.setblocking(False)
            knocking.connect_ex(("127.0.0.1", port))
            waiting.append(knocking)
        proxy = sallyport(IMPATIENT, backend=f"127.0.0.1:{port}")
        assert ask(proxy, "/").startswith(b"HTTP/1.1 504")
        proxy.wait_for_error("while connecting to upstream")
        assert proxy.status()["counters"]["limit_connect_time"] == 1
        for knocking in waiting:
            knocking.close()


def test_a_backend_that_accepts_and_says_nothing_is_a_504(sallyport):
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        proxy = sallyport(IMPATIENT, backend=f"127.0.0.1:{listener.getsockname()[1]}")
        assert ask(proxy, "/").startswith(b"HTTP/1.1 504")


def test_a_backend_that_resets_every_connection_is_a_502(sallyport, make_backend):
    backend = make_backend(serve=lambda connection: connection.reset())
    proxy = sallyport(PLAIN, backend=backend)
    for _ in range(5):
        assert ask(proxy, "/").startswith(b"HTTP/1.1 502")
    assert len(backend.connections) <= 10, "one attempt, and at most one more, for each request"


def test_a_backend_that_is_not_there_is_a_502(sallyport):
    proxy = sallyport(PLAIN.replace("@backend@", "127.0.0.1:@port:nobody@"))
    assert ask(proxy, "/").startswith(b"HTTP/1.1 502")
    proxy.wait_for_error("(111: Connection refused) while connecting to upstream")


def test_a_backend_that_answers_and_leaves_while_the_body_still_comes(sallyport, make_backend):
    """Its answer is passed on, though most of the request was not wanted."""
    def serve(connection):
        connection.read_head()
        connection.send(head("Content-Length: 4", "Connection: close",
                             line="HTTP/1.1 413 Content Too Large") + b"much")

    proxy = sallyport("""
        client_max_body_size 0;
        server {
            listen 127.0.0.1:@port:http@;
            location / { proxy_pass http://@backend@; proxy_request_buffering off; }
        }
    """, backend=make_backend(serve=serve))
    with proxy.client() as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
        client.send(b"x" * 100_000)
        assert client.response().status == 413


@pytest.mark.threads
@pytest.mark.parametrize("rest", ["g\r\n", "5\r\nhelloX", "0\r\nHost: a\r\n\r\n"])
def test_an_answer_that_has_begun_is_cut_when_the_request_turns_out_broken(sallyport, make_backend, rest):
    """A streamed body: the backend answers while the client has not yet shown what it is."""
    def serve(connection):
        request = connection.read_head()
        connection.send(CHUNKED + b"5\r\nhello\r\n")
        connection.read_body(request)

    backend = make_backend(serve=serve)
    proxy = sallyport("""
        error_log stderr info;
        server {
            listen 127.0.0.1:@port:http@;
            location / { proxy_pass http://@backend@; proxy_request_buffering off; }
        }
    """, backend=backend)
    with proxy.client() as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        client.receive(lambda data: b"hello" in data)
        client.send(rest)
        found, _ = responses(client.receive_all())
    assert len(found) == 1 and not found[0].whole
    wait_for(lambda: backend.connections[0].closed, "the backend's request to be given up")
    assert b"0\r\n\r\n" not in backend.connections[0].received, "the request seemed to end well"


def test_hundreds_of_hostile_answers_leave_nothing_behind(proxy):
    """Neither connections nor descriptors nor requests."""
    threads = [threading.Thread(target=lambda: [ask(proxy, f"/refused/{number}")
                                                for number in range(len(REFUSED))])
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_serves_on(proxy)
    wait_for(lambda: all(proxy.status()["counters"][gauge] == 0 for gauge in
                         ("connections_active", "requests_active", "upstream_active")),
             "all connections to be gone")
