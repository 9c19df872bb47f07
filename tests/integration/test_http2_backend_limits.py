"""What a backend may do over HTTP/2, and how much is asked of it: each limit has a directive."""
import concurrent.futures

import pytest

from support import wait_for
from support.http2 import (CONTINUATION, END_HEADERS, HEADERS, PING, RST_STREAM, SETTINGS, Http2, frame,
                           header_block)

HELLO = b"hello over HTTP/2"
DATA, PRIORITY, WINDOW_UPDATE, UNKNOWN = 0, 2, 8, 0x20


@pytest.fixture
def proxied(sallyport, make_backend):
    """proxied(answer, directives, http=, ...): the proxy in front of such a backend, and that."""

    def start(answer, directives="", http="", **options):
        peer = Http2(answer, **options)
        peer.backend = make_backend(serve=peer)
        return sallyport(f"""
            worker_processes 1;  # each has connections of its own
            events {{ }}
            http {{
                access_log off;
                {http}
                server {{
                    listen 127.0.0.1:@port:http@;
                    location / {{ proxy_pass http://@backend@; proxy_http_version 2; {directives} }}
                }}
            }}
        """, backend=peer.backend), peer

    return start


HEAD = header_block((":status", "200"))
FLOODS = {
    "resets": (lambda stream: frame(RST_STREAM, 0, stream.number, bytes(4)), "limit_h2_resets"),
    "settings": (lambda stream: frame(SETTINGS), "limit_h2_settings"),
    "pings": (lambda stream: frame(PING, payload=b"12345678"), "limit_h2_pings"),
    "priorities": (lambda stream: frame(PRIORITY, 0, stream.number, bytes(5)), "limit_h2_priorities"),
    "window_updates": (lambda stream: frame(WINDOW_UPDATE, 0, 0, (1).to_bytes(4, "big")),
                       "limit_h2_window_updates"),
    "empty_frames": (lambda stream: frame(DATA, 0, stream.number), "limit_h2_empty_frames"),
    "tiny_data": (lambda stream: frame(DATA, 0, stream.number, b"x"), "limit_h2_tiny_data"),
    "unknown_frames": (lambda stream: frame(UNKNOWN), "limit_h2_unknown_frames"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_ends_the_connection_at_the_limit_that_is_set(proxied, name):
    make, counter = FLOODS[name]

    def answer(stream):
        stream.session.send_raw(frame(HEADERS, END_HEADERS, stream.number, HEAD) + make(stream) * 60)

    proxy, peer = proxied(answer, f"proxy_http2_max_{name} 0r/s burst=40;")
    with proxy.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: proxy.status()["counters"][counter] == 1, "the flood to be counted")
        wait_for(lambda: peer.sessions[0].closed, "the connection to be closed")


@pytest.mark.parametrize("name", FLOODS)
def test_as_much_as_is_allowed_is_nothing(proxied, name):
    """The backend has sent one SETTINGS, and acknowledged one, before."""
    make, counter = FLOODS[name]

    def answer(stream):
        if name != "resets":
            stream.session.send_raw(frame(HEADERS, END_HEADERS, stream.number, HEAD))
        stream.session.send_raw(make(stream) * 30)
        if name != "resets":
            stream.session.send_raw(frame(DATA, 1, stream.number, HELLO))

    proxy, peer = proxied(answer, f"proxy_http2_max_{name} 0r/s burst=40; proxy_next_upstream off;")
    answer = proxy.get("/")
    assert answer.status == (502 if name == "resets" else 200)
    assert proxy.status()["counters"][counter] == 0
    assert not peer.sessions[0].closed


def test_a_header_block_has_as_many_continuations_as_it_may(proxied):
    def answer(stream):
        head = frame(HEADERS, 0, stream.number, HEAD)
        more = [frame(CONTINUATION, 0, stream.number, header_block((f"x-{i}", "a"))) for i in range(3)]
        last = frame(CONTINUATION, END_HEADERS, stream.number, header_block(("x-last", "a")))
        stream.session.send_raw(head + b"".join(more) + last + frame(DATA, 1, stream.number, HELLO))

    proxy, _ = proxied(answer, "proxy_http2_max_continuations 4;")
    assert proxy.get("/").status == 200
    strict, _ = proxied(answer, "proxy_http2_max_continuations 3;")
    assert strict.get("/").status == 502
    assert strict.status()["counters"]["limit_h2_continuations"] == 1


def ask_many(proxy, held, count):
    """Starts so many requests; returns when each is at the backend, or waits for a place."""
    pool = concurrent.futures.ThreadPoolExecutor(count)
    answers = [pool.submit(proxy.get, f"/{i}") for i in range(count)]
    wait_for(lambda: len(held) + proxy.status()["counters"]["upstream_h2_waits"] >= count,
             "all requests to arrive or to wait")
    return pool, answers


def test_requests_wait_for_a_place_on_the_connections_that_there_may_be(proxied):
    held = []
    proxy, peer = proxied(held.append, "proxy_http2_max_connections 2; proxy_http2_max_streams 3;")
    pool, answers = ask_many(proxy, held, 10)
    wait_for(lambda: len(held) == 6, "two connections of three requests to be full")
    assert len(peer.sessions) == 2
    answered = 0
    while answered < 10:
        wait_for(lambda: len(held) > answered, "the next request to have its place")
        held[answered].respond(HELLO)
        answered += 1
        assert len(held) <= answered + 6
    assert all(each.result().status == 200 for each in answers)
    assert len(peer.sessions) == 2
    pool.shutdown()


def test_what_backends_send_counts_against_the_memory_of_all(proxied):
    def answer(stream):
        stream.respond(b"x" * 20_000_000 if stream.path == "/large" else HELLO)

    proxy, _ = proxied(answer, http="http2_max_total_memory 1k;")
    assert proxy.get("/").status == 200
    with proxy.client() as client:
        client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: proxy.get("/").status == 502, "the memory to be used up")
        proxy.wait_for_error("http2_max_total_memory")
        assert proxy.status()["counters"]["limit_h2_memory"] >= 1
    wait_for(lambda: proxy.get("/").status == 200, "the memory to be given back")


@pytest.mark.parametrize("wrong", ["max_pings 10 burst=1", "max_pings 10r/s", "max_pings 10r/s burst=x",
                                   "max_streams 0", "max_connections none"])
def test_wrong_values_are_refused(sallyport, wrong):
    said = sallyport.make().check(f"events {{ }} http {{ proxy_http2_{wrong}; }}")
    assert said.returncode != 0
    assert f"proxy_http2_{wrong.split()[0]}" in said.stdout + said.stderr
