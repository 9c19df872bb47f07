"""RFC 9113 §3 and §4: prefaces, the format and the size of frames, field blocks."""
import pytest

from support.h2frames import (ACK, COMPRESSION_ERROR, DATA, FRAME_SIZE_ERROR, HEADERS, MAX_FRAME_SIZE, PING,
                              PREFACE, PROTOCOL_ERROR, SETTINGS, continuation, data, frame, headers,
                              literal, ping, priority, settings)

LEAST_FRAME_SIZE, LARGEST_FRAME_SIZE = 2**14, 2**24 - 1


def frame_size(peer):
    """The largest frame that the server takes."""
    size = peer.settings.get(MAX_FRAME_SIZE, LEAST_FRAME_SIZE)
    if size == LARGEST_FRAME_SIZE:
        pytest.skip("no frame is too large for the server")
    return size


# -- §3.4: the connection preface


def test_3_4_the_server_s_first_frame_is_settings(connect):
    peer = connect(greet=False)
    peer.send(PREFACE + settings())
    peer.until(lambda: peer.frames, "a first frame")
    first = peer.frames[0]
    assert first.kind == SETTINGS and not first.has(ACK)


def test_3_4_a_preface_that_is_none(connect):
    """Over TLS nothing else was agreed on. In the clear it may be taken for HTTP/1 and refused as that."""
    peer = connect(greet=False)
    peer.send(b"INVALID CONNECTION PREFACE\r\n\r\n")
    if peer.scheme == "https":
        peer.expect_connection_error(PROTOCOL_ERROR)
    else:
        said = peer.client.receive_all()
        assert said == b"" or said.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505", b"HTTP/1.0 4")) or \
            said[3:4] in b"\4\7", said


@pytest.mark.parametrize("sent", [PREFACE + ping(), PREFACE + headers(1, b"\x82\x84\x86")],
                         ids=["PING", "HEADERS"])
def test_3_4_a_first_frame_that_is_not_settings(connect, sent):
    peer = connect(greet=False)
    peer.send(sent)
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_3_4_a_preface_in_pieces(connect):
    peer = connect(greet=False)
    for octet in PREFACE + settings():
        peer.send(bytes([octet]))
    peer.wait_for_settings(1)
    peer.fence()


# -- §4.1: the format of frames


def test_4_1_a_frame_of_a_type_that_nobody_knows(peer):
    peer.send(frame(255, 0, 0, bytes(8)))
    peer.fence()


def test_4_1_a_flag_that_nobody_knows(peer):
    peer.send(frame(PING, 0x16, 0, b"flagged!"))
    peer.until(lambda: peer.pongs == [b"flagged!"], "PING's ACK")


def test_4_1_the_reserved_bit_is_set(peer):
    peer.send(frame(PING, 0, 2**31, b"reserved"))
    peer.until(lambda: peer.pongs == [b"reserved"], "PING's ACK")


# -- §4.2: the size of frames


def test_4_2_data_of_the_least_size_that_all_must_take(peer):
    peer.send(headers(1, peer.post(), end_stream=False), data(1, b"x" * LEAST_FRAME_SIZE, end_stream=True))
    assert peer.response(1).status == 200


def test_4_2_data_that_is_too_large(peer):
    peer.send(headers(1, peer.post(), end_stream=False),
              data(1, b"x" * (frame_size(peer) + 1), end_stream=True))
    peer.expect_stream_error(1, FRAME_SIZE_ERROR)


def test_4_2_headers_that_are_too_large(peer):
    """It may change the state of the whole connection, so it is a connection error."""
    more = b"".join(literal(f"x-large-{number}", "x" * 4000) for number in range(frame_size(peer) // 4000 + 1))
    peer.send(headers(1, peer.get() + more))
    peer.expect_connection_error(FRAME_SIZE_ERROR)


@pytest.mark.parametrize("kind, flags, stream", [(SETTINGS, 0, 0), (DATA, 0, 1), (HEADERS, 4, 3), (PING, 0, 0)],
                         ids=["SETTINGS", "DATA", "HEADERS", "PING"])
def test_4_2_an_announced_size_beyond_the_limit_is_enough(peer, kind, flags, stream):
    """Nothing of the payload must come first: it is refused by its header."""
    peer.send(headers(1, peer.post(), end_stream=False),
              frame(kind, flags, stream, b"", size=frame_size(peer) + 1))
    peer.expect_stream_error(1, FRAME_SIZE_ERROR)


# -- §4.3: field blocks


def test_4_3_a_field_block_that_ends_within_a_field(peer):
    peer.send(headers(1, b"\x40"))
    peer.expect_connection_error(COMPRESSION_ERROR)


def test_4_3_priority_within_a_field_block(peer):
    peer.send(headers(1, peer.get(), end_headers=False), priority(1), continuation(1, literal("x-test", "1")))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_4_3_headers_of_another_stream_within_a_field_block(peer):
    peer.send(headers(1, peer.get(), end_headers=False), headers(3, peer.get()),
              continuation(1, literal("x-test", "1")))
    peer.expect_connection_error(PROTOCOL_ERROR)
