"""HTTP/2 clients that make the server hold much for little, and take nothing: what it may cost at most."""
import os
import pathlib
import re
import socket
import threading

import pytest

from support import wait_for
from support.backend import response
from support.h2client import connect
from support.h2frames import (ENHANCE_YOUR_CALM, INITIAL_WINDOW_SIZE, LARGEST_WINDOW, PROTOCOL_ERROR,
                              REFUSED_STREAM, data, headers, in_frames, indexed, literal, window_update)
from support.h2raw import RawConnection
from support.program import SANITIZED

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps freed memory back")

SITE = """
    error_log stderr info;
    http2 on;
    send_timeout @patience@;
    client_body_timeout @patience@;
    client_max_body_size 0;
    server {
        listen 127.0.0.1:@port:http@;
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        location / { return 200 "served, and long enough to be stopped by a window of nothing\\n"; }
        location /app { proxy_pass http://@backend@; }
        location /stream {
            proxy_pass http://@backend@;
            proxy_buffering off;
            proxy_request_buffering off;
        }
    }
"""
BUDGET = 1 << 20  # of a connection
# What a request that runs takes of itself, its way to a backend included. Not counted in the budget: the
# number of streams bounds it.
REQUEST = 26 * 1024
IDLE = 24 * 1024
STREAMS = 100
FIRST_DYNAMIC = 62


def resident(program):
    """Bytes that the processes hold for themselves: pages of files come and go with the kernel's mood."""
    total = 0
    for pid in program.processes():
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        total += sum(int(re.search(rf"{kind}:\s+(\d+)", status)[1]) for kind in ("RssAnon", "RssShmem"))
    return total * 1024


class Watch:
    """The highest resident size while it is at work, beside what it had before."""

    def __init__(self, program):
        self.program = program
        self.before = self.highest = resident(program)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._done.wait(0.01):
            self.highest = max(self.highest, resident(self.program))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()
        self.highest = max(self.highest, resident(self.program))

    @property
    def growth(self):
        return self.highest - self.before


@pytest.fixture
def start(sallyport, make_backend):
    """start(patience=) runs SITE, warm: with what 100 ordinary streams leave with the allocator."""
    def run(patience="60s", answer=response("x" * 1000), **options):
        program = sallyport(SITE, patience=patience, backend=make_backend(answer, **options))
        if "serve" not in options:
            with connect(program, "http") as client:
                for _ in range(3):
                    for stream in [client.start("/app") for _ in range(50)]:
                        stream.response()
        return program

    return run


def reaped(program):
    """What was ended because its client did not take it."""
    counters = program.status()["counters"]
    return sum(counters[name] for name in ("limit_send_time", "limit_send_rate", "limit_h2_stalled"))


def raw(program, *, within=10, settings=((INITIAL_WINDOW_SIZE, 0),)):
    return RawConnection(program.client("http"), settings=settings, within=within)


# -- bombs: few octets on the wire that stand for many


def first_entry(name, value):
    """A block that puts one entry into the dynamic table."""
    return literal(name, value, index=True)


BOMBS = {
    # name: (what fills the table, what refers to it, again and again)
    "a large field, referred to": (first_entry("x-large", "y" * 3900), indexed(FIRST_DYNAMIC)),
    "a large cookie crumb, referred to": (first_entry("cookie", "y" * 3900), indexed(FIRST_DYNAMIC)),
    "small cookie crumbs": (first_entry("cookie", "a=1"), indexed(FIRST_DYNAMIC)),
    "empty cookie crumbs": (b"", indexed(32)),
    "empty fields of the static table": (b"", indexed(15) + indexed(19) + indexed(50)),
}


def assert_within_the_budget(watch, peer, bombs=1):
    limit = 2 * peer.sent + bombs * BUDGET + STREAMS * REQUEST
    assert watch.growth <= limit, f"grew by {watch.growth}, {peer.sent} octets came"


@pytest.mark.parametrize("target", ["/", "/app"])
@pytest.mark.parametrize("count", [90, 4000, 16_000])
@pytest.mark.parametrize("bomb", BOMBS)
def test_an_http2_bomb_on_100_streams(start, bomb, count, target):
    """CVE-2026-49975: windows of nothing keep every stream alive; what it holds has a ceiling."""
    program = start()
    filling, reference = BOMBS[bomb]
    with Watch(program) as watch, raw(program) as peer:
        peer.send(headers(1, peer.get(target) + filling))
        for stream in range(3, 2 * STREAMS, 2):
            if peer.closed or peer.goaway:
                break
            peer.send(in_frames(stream, peer.get(target) + reference * (count // (len(reference) or 1)), 16_384))
            peer.look()
        settle(peer)
    assert_within_the_budget(watch, peer)
    with connect(program, "http") as client:
        assert client.get("/").status == 200


def settle(peer):
    """Until everything that was sent has been looked at, or the connection is over."""
    peer.flood([b""])


def test_a_field_that_is_too_much_is_refused_and_counted(start):
    """431 as in HTTP/1, or the connection's end; the crumbs count one by one."""
    program = start()
    with raw(program, settings=()) as peer:
        peer.send(headers(1, peer.get("/") + indexed(32) * 4000))
        peer.until_or_closed(lambda: peer.answer(1).over or peer.goaway, "a refusal")
        assert peer.answer(1).status in (None, 431)
        if peer.goaway:
            assert peer.goaway.code == ENHANCE_YOUR_CALM
        elif peer.answer(1).reset:
            assert peer.answer(1).reset in (PROTOCOL_ERROR, ENHANCE_YOUR_CALM, REFUSED_STREAM)
    counters = program.status()["counters"]
    assert counters["limit_header_count"] + counters["limit_header_size"] >= 1


def test_stalled_streams_are_reaped(start):
    """By send_timeout, though the connection is busy with other things; and their memory comes back."""
    program = start(patience="500ms")
    with raw(program) as peer:
        for stream in range(1, 2 * STREAMS, 2):
            peer.send(headers(stream, peer.get("/app")))
        peer.until(lambda: peer.answer(1).status, "a first head")
        streams = [peer.answer(stream) for stream in range(1, 2 * STREAMS, 2)]
        for _ in range(100):
            if peer.closed or all(answer.over for answer in streams):
                break
            peer.fence()
            peer.rest(0.2)
        assert peer.closed or all(answer.over for answer in streams)
        assert not any(answer.ended for answer in peer.answers.values())
    assert reaped(program) >= 1
    wait_for(lambda: program.status()["counters"]["requests_active"] <= 1, "the streams' requests to end")


def test_a_bomb_on_many_connections(start):
    """A budget over all: 20 connections that hold 20 times as much are not 20 MB."""
    program = start()
    peers = []
    filling, reference = BOMBS["a large field, referred to"]
    try:
        with Watch(program) as watch:
            for _ in range(20):
                peer = raw(program)
                peers.append(peer)
                peer.send(headers(1, peer.get("/") + filling))
                for stream in range(3, 2 * STREAMS, 2):
                    if not peer.closed and not peer.goaway:
                        peer.send(headers(stream, peer.get("/") + reference * 7))
                settle(peer)
        assert watch.growth <= sum(2 * peer.sent for peer in peers) + 20 * (BUDGET + STREAMS * REQUEST)
    finally:
        for peer in peers:
            peer.client.close()
    wait_for(lambda: program.status()["counters"]["connections_active"] <= 1, "all to be closed")


# -- slow readers


def endless(connection):
    connection.read_request()
    connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {1 << 30}\r\n\r\n")
    while True:
        connection.socket.send(bytes(65536))


def test_windows_wide_open_and_a_socket_that_is_not_read(start):
    """100 streams of as much as there is, and a client that never reads: TCP's window is what counts then."""
    program = start(patience="2s", serve=endless)
    client = program.client("http")
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    with Watch(program) as watch, RawConnection(client, settings=[(INITIAL_WINDOW_SIZE, LARGEST_WINDOW)]) as peer:
        peer.send(window_update(0, LARGEST_WINDOW - 65535))
        peer.send(*(headers(stream, peer.get("/stream")) for stream in range(1, 2 * STREAMS, 2)))
        wait_for(lambda: reaped(program) >= 1, "the client to be let go")
        wait_for(lambda: program.status()["counters"]["upstream_active"] == 0, "the backends to be let go")
    # A proxy_buffer_size per stream, what one write gathers, and the budget.
    assert watch.growth < STREAMS * (64 << 10) + 2 * BUDGET


def test_windows_of_one_octet(start):
    """DATA of one octet each, for as long as the client likes: it does not like that for long."""
    program = start(answer=response("x" * 100_000))
    with Watch(program) as watch, raw(program) as peer:
        peer.send(headers(1, peer.get("/app")))
        taken = peer.flood(window_update(1, 1) * 500 for _ in range(200))
        assert taken < 200
        peer.expect_close()
        assert peer.goaway and peer.goaway.code == ENHANCE_YOUR_CALM
    assert watch.growth < BUDGET


def test_a_slow_reader_is_cut_off_by_the_minimum_rate(sallyport, make_backend):
    """send_min_rate, stream by stream: a byte now and then is no progress."""
    program = sallyport(SITE.replace("http2 on;", "http2 on; send_min_rate 10k;"), patience="500ms",
                        backend=make_backend(response("x" * 100_000)))
    with raw(program) as peer:
        peer.send(headers(1, peer.get("/app")))
        peer.head(1)
        for _ in range(200):
            if peer.answer(1).over or peer.closed:
                break
            peer.send(window_update(1, 10))
            peer.rest(0.1)
        assert peer.answer(1).over or peer.closed
        assert not peer.answer(1).ended and len(peer.answer(1).body) < 50_000
    assert reaped(program) >= 1


# -- uploads


def test_uploads_that_stand_still_hold_no_more_than_their_windows(start):
    """100 bodies begun, each filled to its window, none read by a backend that sleeps."""
    sleeping = threading.Event()

    def serve(connection):
        connection.read_head()
        sleeping.wait(60)

    program = start(patience="60s", serve=serve)
    with Watch(program) as watch, raw(program, settings=()) as peer:
        room = 65535 + sum(int.from_bytes(frame.payload, "big") for frame in peer.frames
                           if frame.kind == 8 and frame.stream == 0)
        initial = peer.settings.get(INITIAL_WINDOW_SIZE, 65535)
        for stream in range(1, 2 * STREAMS, 2):
            peer.send(headers(stream, peer.post("/stream", ("content-length", str(1 << 30))), end_stream=False))
            each = min(initial, room, 16_384)
            if each:
                peer.send(data(stream, os.urandom(each)))
                room -= each
        settle(peer)
        sleeping.set()
    assert_within_the_budget(watch, peer)


def test_an_idle_connection_is_small(start):
    """200 connections that have asked once and now wait. nginx takes 19 KB each over TLS."""
    program = start()
    held = [connect(program, "https") for _ in range(20)]
    for client in held:
        client.get("/app")
    before = resident(program)
    more = [connect(program, "https") for _ in range(200)]
    for client in more:
        client.get("/app")
    wait_for(lambda: program.status()["counters"]["connections_idle"] >= 220, "all to be idle")
    each = (resident(program) - before) / 200
    for client in held + more:
        client.close()
    print(f"\n{each / 1024:.1f} KB for an idle connection")
    assert each <= IDLE
