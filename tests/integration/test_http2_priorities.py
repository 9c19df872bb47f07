"""RFC 9218: what the client calls urgent comes first, and what it calls incremental comes side by side.

Every stream waits for the connection's window, and the test opens it bit by bit: who gets the octets?
A stream keeps its turn within a piece of what it sends, of a file 64 KB; between two pieces others of its
urgency may have theirs.
"""
import pytest

from support.h2frames import (INITIAL_WINDOW_SIZE, NO_RFC7540_PRIORITIES, PRIORITY_UPDATE, frame, headers,
                              priority_fields, window_update)
from support.h2raw import RawConnection

SITE = """
    http2 on;
    server {
        listen 127.0.0.1:@port:http@;
        root @dir@/www;
        location / { }
    }
"""
MORE = 10_000  # so that the first stream waits in the middle of a piece
LARGE, SMALL, WINDOW = 1_000_000, 20_000, 65_535 + MORE


@pytest.fixture
def peer(sallyport):
    program = sallyport.make()
    program.write("www/large", "x" * LARGE)
    program.write("www/small", "x" * SMALL)
    program.start(SITE)
    with RawConnection(program.client(), settings=[(INITIAL_WINDOW_SIZE, 2**30)]) as connection:
        # The first stream takes all of the connection's window, and waits for more.
        connection.send(window_update(0, MORE), headers(1, connection.get("/large")))
        connection.until(lambda: len(connection.answer(1).body) == WINDOW, "the window's worth")
        yield connection


def start(peer, stream, priority=None, path="/large"):
    """A request that waits for the window."""
    more = [("priority", priority)] if priority else []
    peer.send(headers(stream, peer.get(path, *more)))
    peer.head(stream)
    return peer.answer(stream)


def update(peer, stream, value):
    peer.send(frame(PRIORITY_UPDATE, 0, 0, stream.to_bytes(4, "big") + value))


def let_through(peer, octets):
    """{stream: octets} of what came for so much window."""
    before = {stream: len(answer.body) for stream, answer in peer.answers.items()}
    total = sum(before.values()) + octets
    peer.send(window_update(0, octets))
    peer.until(lambda: sum(len(answer.body) for answer in peer.answers.values()) == total, "as much DATA")
    return {stream: len(answer.body) - before.get(stream, 0) for stream, answer in peer.answers.items()
            if len(answer.body) > before.get(stream, 0)}


def test_the_old_tree_is_given_up(peer):
    """And PRIORITY's fields in HEADERS mean nothing."""
    assert peer.settings[NO_RFC7540_PRIORITIES] == 1
    peer.send(headers(3, peer.get("/large"), priority=priority_fields(depends_on=0, weight=256)))
    peer.head(3)
    assert let_through(peer, 30_000) == {1: 30_000}


def test_the_urgent_first(peer):
    start(peer, 3, "u=7")
    start(peer, 5, "u=0", "/small")
    assert let_through(peer, SMALL) == {5: SMALL}
    assert let_through(peer, 30_000) == {1: 30_000}  # 3, which is what is meant by nothing


def test_among_equals_the_first_first(peer):
    """Half of two pictures is worth less than one whole."""
    start(peer, 3)
    start(peer, 5)
    for _ in range(5):
        assert let_through(peer, 10_000) == {1: 10_000}


def test_the_incremental_side_by_side(peer):
    start(peer, 3, "u=1, i")
    start(peer, 5, "u=1, i")
    shares = let_through(peer, 80_000)
    assert set(shares) == {3, 5}
    assert min(shares.values()) > 20_000


def test_a_client_that_changes_its_mind(peer):
    start(peer, 3, "u=7")
    assert let_through(peer, 10_000) == {1: 10_000}
    update(peer, 3, b"u=0")
    peer.fence()
    assert let_through(peer, 10_000) == {3: 10_000}
    update(peer, 3, b"u=6, i")
    peer.fence()
    assert let_through(peer, 10_000) == {1: 10_000}


@pytest.mark.parametrize("value", ["", "u=9", "u=-1", "u=x", "\xff", "i=?2", "u", "u=1.5", ","])
def test_a_priority_that_means_nothing_is_none(peer, value):
    """It is as if it were not there (RFC 9218 §4), and no reason to refuse a request."""
    start(peer, 3, value)
    assert let_through(peer, 10_000) == {1: 10_000}


def test_updates_for_streams_to_come(peer):
    """RFC 9218 §7.1: it may arrive before its HEADERS."""
    update(peer, 3, b"u=0")
    start(peer, 3)
    assert let_through(peer, 10_000) == {3: 10_000}
