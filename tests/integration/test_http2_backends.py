"""Backends that speak HTTP/2: `proxy_http_version 2`, over TLS and in the clear."""
import concurrent.futures
import threading

import pytest
from hyperframe.frame import PingFrame

from support import wait_for
from support.backend import response
from support.http2 import (CANCEL, CONTINUATION, END_HEADERS, END_STREAM, HEADERS, PING,
                           PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS, Http2, frame,
                           header_block)
from support.waiting import seconds

HELLO = b"hello over HTTP/2"
GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def text(*, location="", group="", target="http://group"):
    return f"""
        worker_processes 1;  # each has connections of its own
        events {{ }}
        http {{
            access_log off;
            upstream group {{ server @backend@; {group} }}
            server {{
                listen 127.0.0.1:@port:http@;
                location / {{ proxy_pass {target}; proxy_http_version 2; {location} }}
            }}
        }}
    """


@pytest.fixture
def http2(make_backend):
    """http2(answer, ...) is an Http2 that is served in the clear; its `address` goes into configurations."""

    def start(answer=lambda stream: stream.respond(HELLO), **options):
        made = Http2(answer, **options)
        made.backend = make_backend(serve=made)
        return made

    return start


@pytest.fixture
def proxied(sallyport, http2):
    """proxied(answer, location=, group=, ...): the proxy in front of such a backend, and that."""

    def start(answer=lambda stream: stream.respond(HELLO), *, location="", group="", **options):
        peer = http2(answer, **options)
        return sallyport(text(location=location, group=group), backend=peer.backend), peer

    return start


# What is sent, and what comes back.

def test_a_request_is_translated(proxied):
    proxy, peer = proxied()
    answer = proxy.client().get("/a%20b?c=d", fields=[
        ("X-Mixed-Case", "Value"), ("Connection", "x-private"), ("X-Private", "1"),
        ("Keep-Alive", "5"), ("Cookie", "a=1; b=2")])
    assert (answer.status, answer.text) == (200, HELLO.decode())
    fields = dict(peer.last.fields)
    assert fields[":method"] == "GET" and fields[":path"] == "/a%20b?c=d"
    assert fields[":scheme"] == "http" and fields[":authority"] == "group"
    assert fields["x-mixed-case"] == "Value" and fields["cookie"] == "a=1; b=2"
    assert not {"host", "connection", "keep-alive", "x-private", "te"} & set(fields)
    assert all(name == name.lower() for name in fields)


def test_authority_is_the_host_that_is_set(proxied):
    proxy, peer = proxied(location="proxy_set_header Host example.com:8443;")
    proxy.get("/")
    assert peer.last.all(":authority") == ["example.com:8443"]


def test_over_tls_the_protocol_is_chosen_by_alpn(sallyport, make_backend, authority):
    peer = Http2(lambda stream: stream.respond(HELLO))
    context = authority.certificate("backend.test", "127.0.0.1").server_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    backend = make_backend(serve=peer, tls=context)
    proxy = sallyport(text(target="https://group",
                           location="proxy_ssl_name backend.test; "
                                    "proxy_ssl_trusted_certificate @authority@;"),
                      backend=backend)
    assert [proxy.get("/").text for _ in range(3)] == [HELLO.decode()] * 3
    assert peer.last.field(":scheme") == "https"
    assert backend.connections[0].socket.selected_alpn_protocol() == "h2"
    assert len(backend.connections) == 1


def test_a_tls_backend_that_does_not_choose_http2_is_told_of(sallyport, make_backend, authority):
    backend = make_backend(tls=authority.certificate("backend.test").server_context())
    proxy = sallyport(text(target="https://group",
                           location="proxy_ssl_name backend.test; "
                                    "proxy_ssl_trusted_certificate @authority@;"),
                      backend=backend)
    assert proxy.get("/").status == 502
    proxy.wait_for_error("does not choose HTTP/2 by ALPN")
    assert "proxy_http_version 1.1" in proxy.errors


def test_a_backend_that_speaks_http1_is_told_of(sallyport, make_backend):
    backend = make_backend(serve=lambda connection: (
        connection.receive(), connection.send(response("no", "400 Bad Request")), connection.drain()))
    proxy = sallyport(text(), backend=backend)
    assert proxy.get("/").status == 502
    proxy.wait_for_error("it does not speak HTTP/2 there: see proxy_http_version")


def test_an_answer_to_head_has_no_body(proxied):
    proxy, _ = proxied(lambda stream: stream.respond(fields=[("content-length", "17")]))
    with proxy.client() as client:
        for _ in range(2):
            answer = client.request("HEAD", "/")
            assert (answer.status, answer.field("Content-Length")) == (200, "17")


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(proxied, status):
    proxy, _ = proxied(lambda stream: stream.respond(status=status))
    with proxy.client() as client:
        assert [client.get("/").status for _ in range(2)] == [status] * 2


def test_an_answer_with_a_length_and_one_without(proxied):
    def answer(stream):
        fields = [("content-length", str(len(HELLO)))] if stream.path == "/length" else []
        stream.respond(HELLO, fields=fields)

    proxy, _ = proxied(answer)
    with proxy.client() as client:
        whole = client.get("/length")
        assert whole.field("Content-Length") == str(len(HELLO)) and whole.text == HELLO.decode()
        chunked = client.get("/")
        assert chunked.field("Transfer-Encoding") == "chunked" and chunked.text == HELLO.decode()


def test_a_held_body_goes_with_its_length(proxied):
    proxy, peer = proxied()
    body = bytes(range(256)) * 4096
    with proxy.client() as client:
        assert client.request("POST", "/", body=body).status == 200
    stream = peer.last
    assert stream.field("content-length") == str(len(body)) and stream.body == body


def test_a_streamed_body_arrives_as_it_is_sent(proxied):
    proxy, peer = proxied(location="proxy_request_buffering off;")
    with proxy.client() as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        wait_for(lambda: peer.requests and peer.requests[0].body == b"one", "the first piece")
        assert not peer.last.ended
        client.send("3\r\ntwo\r\n0\r\nX-Trailer: end\r\n\r\n")
        assert client.response().status == 200
    assert peer.last.body == b"onetwo" and peer.last.field("content-length") is None
    assert ("x-trailer", "end") in peer.last.trailers


def test_the_first_bytes_are_passed_on_at_once(proxied):
    go_on = threading.Event()

    def answer(stream):
        stream.head(200)
        stream.send(b"first")
        go_on.wait(seconds(10))
        stream.send(b"second", end=True)

    proxy, _ = proxied(answer, location="proxy_buffering off;")
    with proxy.client() as client:
        client.send(GET)
        client.receive_until(b"first")
        go_on.set()
        client.receive_until(b"second")


def test_trailers_of_the_answer_reach_a_client_that_takes_them(proxied):
    proxy, peer = proxied(
        lambda stream: stream.respond(b"body", trailers=[("grpc-status", "0"), ("x-sum", "7")]),
        location="proxy_pass_trailers on;")
    with proxy.client() as client:
        answer = client.get("/", fields=[("TE", "trailers"), ("Connection", "TE")])
        assert answer.text == "body"
        assert client.trailers == ["grpc-status: 0", "x-sum: 7"]
    assert peer.last.field("te") == "trailers"


def test_interim_responses_come_before_the_final_one(proxied):
    def answer(stream):
        stream.session.send_raw(frame(HEADERS, END_HEADERS, stream.number, header_block(
            (":status", "103"), ("link", "</style.css>"))))
        stream.session.send_raw(frame(HEADERS, END_HEADERS | END_STREAM, stream.number,
                                      header_block((":status", "204"))))

    proxy, _ = proxied(answer)
    with proxy.client() as client:
        client.send(GET)
        hints = client.response(interim=True)
        assert (hints.status, hints.field("link")) == (103, "</style.css>")
        assert client.response().status == 204


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_heads_without_a_body_do_not_tell_its_length(proxied, method):
    """RFC 9110 8.6: neither a 1xx nor a 204 has a Content-Length, even if a backend gives them one."""
    def answer(stream):
        for status, flags in (("103", END_HEADERS), ("204", END_HEADERS | END_STREAM)):
            stream.session.send_raw(frame(HEADERS, flags, stream.number, header_block(
                (":status", status), ("content-length", "0"), ("link", "<a>"))))

    proxy, _ = proxied(answer)
    with proxy.client() as client:
        client.send(GET.replace("GET", method))
        hints = client.response(interim=True)
        final = client.response()
    assert (hints.status, final.status) == (103, 204)
    assert [each.field("content-length") for each in (hints, final)] == [None, None]
    assert [each.field("link") for each in (hints, final)] == ["<a>", "<a>"]


def test_a_large_answer_waits_for_a_slow_client(proxied):
    size = 8 * 1024 * 1024
    proxy, peer = proxied(lambda stream: stream.respond(b"x" * size))
    with proxy.client(within=60) as client:
        client.send(GET)
        wait_for(lambda: peer.requests and 0 < len(peer.requests[0]._waiting) < size,
                 "the window to be used up")
        assert len(client.response().body) == size
    assert peer.last._waiting == b""


def test_a_large_upload_waits_for_a_slow_backend(proxied):
    size = 4 * 1024 * 1024
    proxy, peer = proxied(location="client_max_body_size 10m;")
    with proxy.client(within=60) as client:
        assert client.request("POST", "/", body=b"y" * size).status == 200
    assert len(peer.last.body) == size


# One connection for many.

def test_many_requests_share_a_connection(proxied):
    everybody = threading.Barrier(20)

    def answer(stream):
        threading.Thread(target=lambda: (everybody.wait(seconds(20)),
                                         stream.respond(stream.path))).start()

    proxy, peer = proxied(answer)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda i: proxy.get(f"/{i}").text, range(20)))
    assert answers == [f"/{i}" for i in range(20)]
    assert len(peer.sessions) == 1, "all waited for each other on one connection"


def test_the_backend_s_limit_on_streams_is_kept(proxied):
    import h2.settings
    running, most = set(), []
    lock = threading.Lock()

    def answer(stream):
        with lock:
            mine = [each for each in running if each.session is stream.session] + [stream]
            most.append(len(mine))
            running.add(stream)

        def later():
            wait_for(lambda: len(peer.requests) >= 12, "all requests")
            with lock:
                running.discard(stream)
            stream.respond(b"x")

        threading.Thread(target=later).start()

    proxy, peer = proxied(
        answer, settings={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 4})
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert list(pool.map(lambda _: proxy.get("/").status, range(12))) == [200] * 12
    assert max(most) <= 4
    assert 3 <= len(peer.sessions) <= 12


def test_an_idle_connection_is_used_again_and_ends_in_time(proxied):
    proxy, peer = proxied(group="keepalive_timeout 300ms;")
    assert [proxy.get("/").status for _ in range(3)] == [200] * 3
    assert len(peer.sessions) == 1
    wait_for(lambda: peer.sessions[0].closed, "the idle connection to be closed")
    assert peer.sessions[0].goaway == 0
    assert proxy.get("/").status == 200
    assert len(peer.sessions) == 2


def test_a_connection_serves_no_more_requests_than_it_may(proxied):
    proxy, peer = proxied(group="keepalive_requests 3;")
    assert [proxy.get("/").status for _ in range(7)] == [200] * 7
    assert [len(session.streams) for session in peer.sessions] == [3, 3, 1]


def test_a_reset_of_the_client_reaches_the_backend(proxied):
    proxy, peer = proxied(lambda stream: None)
    client = proxy.client()
    client.send(GET)
    peer.wait_for_requests(1)
    client.reset()
    wait_for(lambda: peer.last.reset_with == CANCEL, "the stream to be cancelled")
    assert not peer.sessions[0].closed, "the others go on"


# What has not been processed moves elsewhere.

def test_a_refused_request_is_sent_again_even_if_not_idempotent(proxied):
    def answer(stream):
        if len(peer.requests) == 1:
            stream.reset(REFUSED_STREAM)
        else:
            stream.respond(stream.body)

    proxy, peer = proxied(answer)
    with proxy.client() as client:
        assert client.request("POST", "/", body=b"once").text == "once"
    assert len(peer.requests) == 2
    assert proxy.status()["counters"]["upstream_moved"] == 1


def test_requests_above_the_last_of_a_goaway_move(proxied):
    def answer(stream):
        if stream.session is peer.sessions[0] and stream.path == "/moved":
            first.respond(b"first")
            return stream.session.go_away(last_stream=1)
        if stream.path == "/first" and stream.session is peer.sessions[0]:
            return None
        stream.respond(stream.path)

    proxy, peer = proxied(answer)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(lambda: proxy.get("/first").text)
        first = peer.wait_for_requests(1)[0]
        with proxy.client() as client:
            assert client.request("POST", "/moved", body=b"x").text == "/moved"
        assert waiting.result() == "first"
    assert len(peer.sessions) == 2


def test_a_backend_that_refuses_everything_is_not_asked_without_end(proxied):
    proxy, peer = proxied(lambda stream: stream.reset(REFUSED_STREAM))
    assert proxy.get("/").status == 502
    assert 2 <= len(peer.requests) <= 6
    proxy.wait_for_error("has not processed the HTTP/2 request")


def test_after_a_goaway_new_requests_have_a_new_connection(proxied):
    proxy, peer = proxied()
    assert proxy.get("/").status == 200
    peer.sessions[0].go_away()
    wait_for(lambda: peer.sessions[0].closed, "the old connection to end")
    assert proxy.get("/").status == 200
    assert len(peer.sessions) == 2


def test_a_request_whose_connection_dies_is_repeated_only_if_idempotent(proxied):
    def answer(stream):
        if len(peer.requests) == 1:
            return stream.respond(b"first")
        if stream.session is peer.sessions[0]:
            return stream.session.close()
        return stream.respond(b"again")

    proxy, peer = proxied(answer)
    assert proxy.get("/").text == "first"
    assert proxy.get("/").text == "again"
    assert len(peer.sessions) == 2


# Backends that lie.

@pytest.mark.parametrize("head, rule", [
    ([("x-a", "1")], "a response without :status"),
    ([(":status", "200"), (":status", "200")], "more than one :status"),
    ([("x-a", "1"), (":status", "200")], "a pseudo-header field came late"),
    ([(":status", "200"), (":path", "/")], "an unknown pseudo-header field"),
    ([(":status", "2e2")], "the status code is not between 100 and 599"),
    ([(":status", "101")], "a 101 in HTTP/2"),
    ([(":status", "200"), ("Upper", "1")], "character that is not allowed there"),
    ([(":status", "200"), ("connection", "close")], "a field of HTTP/1 connections"),
    ([(":status", "200"), ("transfer-encoding", "chunked")], "a field of HTTP/1 connections"),
    ([(":status", "200"), ("x-a", "1\r\nx-b: 2")], "character that is not allowed there"),
    ([(":status", "200"), ("content-length", "1"), ("content-length", "1")],
     "more than one Content-Length"),
    ([(":status", "200"), ("content-length", "x")], "Content-Length is not a decimal number"),
    ([(":status", "200"), ("content-length", "5")], "another length than Content-Length says"),
    ([(":status", "204"), ("content-length", "5")], "a response that has no body"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_malformed_heads_are_refused(proxied, head, rule):
    def answer(stream):
        if stream.path == "/good":
            return stream.respond(HELLO)
        stream.session.send_raw(frame(HEADERS, END_HEADERS | END_STREAM, stream.number,
                                      header_block(*head)))

    proxy, peer = proxied(answer)
    assert proxy.get("/").status == 502
    proxy.wait_for_error(rule)
    assert proxy.get("/good").text == HELLO.decode(), "the others' connection goes on"
    assert len(peer.sessions) == 1
    assert proxy.status()["counters"]["upstream_refused"] == 1


@pytest.mark.parametrize("length", [3, 300])
def test_a_body_that_has_another_length_is_cut_off(proxied, length):
    proxy, _ = proxied(lambda stream: stream.respond(
        b"x" * 100, fields=[("content-length", str(length))]))
    with proxy.client() as client:
        client.send(GET)
        client.receive_all()
    proxy.wait_for_error("while reading upstream")
    assert proxy.status()["counters"]["upstream_refused"] == 1


def test_heads_are_bounded(proxied):
    proxy, _ = proxied(lambda stream: stream.respond(HELLO, fields=[("x-a", "y" * 10_000)]),
                       location="proxy_buffer_size 4k;")
    assert proxy.get("/").status == 502
    proxy.wait_for_error("upstream sent too big header")


def test_interim_heads_are_bounded(proxied):
    def answer(stream):
        hint = frame(HEADERS, END_HEADERS, stream.number,
                     header_block((":status", "103"), ("link", "x" * 3000)))
        stream.session.send_raw(hint * 50)

    proxy, _ = proxied(answer, location="proxy_buffer_size 4k;")
    with proxy.client() as client:
        answer = client.get("/")
    assert answer.status == 502
    proxy.wait_for_error("upstream sent too big header")


@pytest.mark.parametrize("flood, reason", [
    (frame(PING, payload=b"12345678") * 2000, "ping_flood"),
    (frame(SETTINGS) * 2000, "settings_flood"),
    (frame(HEADERS, 0, 1, header_block((":status", "200")))
     + frame(CONTINUATION, 0, 1, b"") * 2000, "continuation_flood"),
    (frame(PUSH_PROMISE, END_HEADERS, 1, (2).to_bytes(4, "big")), ""),
    (b"\xff" * 100, ""),
], ids=["ping", "settings", "continuation", "push", "garbage"])
def test_floods_and_nonsense_end_the_connection(proxied, flood, reason):
    def answer(stream):
        if stream.session is peer.sessions[0]:
            return stream.session.send_raw(flood)
        return stream.respond(HELLO)

    proxy, peer = proxied(answer)
    assert proxy.get("/").status == 502
    proxy.wait_for_error(reason or "upstream sent an invalid response")
    wait_for(lambda: peer.sessions[0].closed, "the connection to be closed")
    assert proxy.get("/").text == HELLO.decode()


def test_a_flood_of_resets_ends_the_connection(proxied):
    """The request is over with the first of them; many in good faith are let pass."""
    def answer(stream):
        if stream.session is peer.sessions[0]:
            return stream.session.send_raw(frame(RST_STREAM, 0, 1, bytes(4)) * 20_000)
        return stream.respond(HELLO)

    proxy, peer = proxied(answer)
    assert proxy.get("/").status == 502
    wait_for(lambda: proxy.status()["counters"]["limit_h2_resets"] == 1, "the resets to be counted")
    wait_for(lambda: peer.sessions[0].closed, "the connection to be closed")
    assert proxy.get("/").text == HELLO.decode()


# Time.

def test_a_silent_backend_is_asked_and_given_up(proxied):
    def greet(session):
        session.h2._frame_dispatch_table[PingFrame] = lambda _: ([], [])  # it never answers

    proxy, peer = proxied(lambda stream: None, greet=greet,
                          group="keepalive_ping 200ms 200ms;")
    assert proxy.get("/").status == 504
    wait_for(lambda: peer.sessions[0].closed, "the connection to be given up")


def test_a_backend_that_answers_pings_is_waited_for(proxied):
    proxy, peer = proxied(lambda stream: None, group="keepalive_ping 100ms 5s;",
                          location="proxy_read_timeout 60s;")
    client = proxy.client()
    client.send(GET)
    wait_for(lambda: peer.sessions and peer.sessions[0].pings >= 3, "three PINGs")
    peer.last.respond(b"late")
    assert client.response().text == "late"


def test_a_timeout_ends_the_stream_and_not_the_connection(proxied):
    def answer(stream):
        if stream.path != "/slow":
            stream.respond(HELLO)

    proxy, peer = proxied(answer, location="proxy_read_timeout 300ms;")
    assert proxy.get("/").status == 200
    assert proxy.get("/slow").status == 504
    wait_for(lambda: peer.last.reset_with == CANCEL, "the stream to be cancelled")
    assert proxy.get("/").status == 200
    assert len(peer.sessions) == 1


# Real backends.

def test_nginx_as_a_backend(sallyport, nginx):
    backend = nginx("""
        server {
            listen 127.0.0.1:@port:http@ http2;
            location / { return 200 "$server_protocol $request_method $http_x_a\\n"; }
            location /upload { client_max_body_size 10m; proxy_pass http://127.0.0.1:@port:http1@; }
        }
        server {
            listen 127.0.0.1:@port:http1@;
            location / { return 200 "$content_length\\n"; }
        }
    """)
    proxy = sallyport(text(), backend=f"127.0.0.1:{backend.port('http')}")
    with proxy.client() as client:
        for _ in range(3):
            assert client.get("/", fields=[("X-A", "1")]).text == "HTTP/2.0 GET 1\n"


# Configuration.

def test_reload_and_quit_with_open_connections(proxied):
    proxy, peer = proxied()
    assert proxy.get("/").status == 200
    proxy.reload(text(group="keepalive 3;"), backend=peer.backend)
    assert proxy.get("/").status == 200
    wait_for(lambda: peer.sessions[0].closed, "the old group's connection to end")
    assert len(peer.sessions) == 2


def test_2_0_is_no_version(sallyport):
    said = sallyport.make().check(text(), backend="127.0.0.1:1")
    assert said.returncode == 0
    said = sallyport.make().check(text().replace("proxy_http_version 2;",
                                                 "proxy_http_version 2.0;"),
                                  backend="127.0.0.1:1")
    assert said.returncode != 0 and "2.0" in said.stdout + said.stderr
