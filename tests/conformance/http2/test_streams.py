"""RFC 9113 §5: the states of a stream, identifiers, concurrency, errors, extensions."""
import pytest

from support.h2frames import (FRAME_SIZE_ERROR, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, PING,
                              PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED, continuation, data, frame,
                              headers, literal, priority, priority_fields, rst_stream, settings,
                              window_update)

MORE = literal("x-test", "1")


# -- §5.1, idle: nothing but HEADERS and PRIORITY


def test_5_1_idle_data(peer):
    """§6.1 calls it a stream error STREAM_CLOSED, §5.1 a connection error PROTOCOL_ERROR."""
    peer.send(data(1, b"test", end_stream=True))
    peer.expect_stream_error(1, PROTOCOL_ERROR, STREAM_CLOSED)


@pytest.mark.parametrize("sent", [rst_stream(1), window_update(1, 100), continuation(1, MORE)],
                         ids=["RST_STREAM", "WINDOW_UPDATE", "CONTINUATION"])
def test_5_1_idle(peer, sent):
    peer.send(sent)
    peer.expect_connection_error(PROTOCOL_ERROR)


# -- §5.1, half-closed (remote): the client has said that it sends no more


def test_5_1_half_closed_data(choked):
    choked.send(headers(1, choked.get()), data(1, b"test", end_stream=True))
    choked.expect_stream_error(1, STREAM_CLOSED)


def test_5_1_half_closed_headers(choked):
    choked.send(headers(1, choked.get()), headers(1, choked.get()))
    choked.expect_stream_error(1, STREAM_CLOSED)


def test_5_1_half_closed_continuation(choked):
    """§6.10 calls it a connection error PROTOCOL_ERROR."""
    choked.send(headers(1, choked.get()), continuation(1, MORE))
    choked.expect_stream_error(1, STREAM_CLOSED, PROTOCOL_ERROR)


# -- §5.1, closed by the client's RST_STREAM. RFC 7540 has an error of type STREAM_CLOSED for it, RFC 9113
# allows one.


def reset(peer):
    peer.send(headers(1, peer.post(), end_stream=False), rst_stream(1))


def test_5_1_closed_by_a_reset_data(peer):
    reset(peer)
    peer.send(data(1, b"test", end_stream=True))
    peer.expect_stream_error(1, STREAM_CLOSED)


def test_5_1_closed_by_a_reset_headers(peer):
    reset(peer)
    peer.send(headers(1, peer.get()))
    peer.expect_stream_error(1, STREAM_CLOSED)


def test_5_1_closed_by_a_reset_continuation(peer):
    reset(peer)
    peer.send(continuation(1, MORE))
    peer.expect_stream_error(1, STREAM_CLOSED, PROTOCOL_ERROR)


def test_5_1_closed_by_a_reset_window_update_and_rst_stream(peer):
    """They may have been on their way."""
    reset(peer)
    peer.send(window_update(1, 1), rst_stream(1))
    peer.fence()


# -- §5.1, closed by END_STREAM from both sides


def finish(peer):
    peer.send(headers(1, peer.get()))
    peer.response(1)


def test_5_1_closed_data(peer):
    finish(peer)
    peer.send(data(1, b"test", end_stream=True))
    peer.expect_stream_error(1, STREAM_CLOSED)


def test_5_1_closed_headers(peer):
    finish(peer)
    peer.send(headers(1, peer.get()))
    peer.expect_connection_error(STREAM_CLOSED)


def test_5_1_closed_continuation(peer):
    finish(peer)
    peer.send(continuation(1, MORE))
    peer.expect_connection_error(STREAM_CLOSED, PROTOCOL_ERROR)


def test_5_1_closed_window_update_and_rst_stream(peer):
    finish(peer)
    peer.send(window_update(1, 1), rst_stream(1))
    peer.fence()


# -- §5.1.1: identifiers


def test_5_1_1_an_even_identifier(peer):
    peer.send(headers(2, peer.get()))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_5_1_1_an_identifier_below_the_last(peer):
    """The first use of an identifier closes all idle ones below: §5.1 has STREAM_CLOSED for that."""
    peer.send(headers(5, peer.get()), headers(3, peer.get()))
    peer.expect_connection_error(PROTOCOL_ERROR, STREAM_CLOSED)


# -- §5.1.2: concurrency


def test_5_1_2_more_streams_than_announced(choked):
    """nghttp2 ends the connection once the limit was acknowledged (§5.4.2), and refuses streams before."""
    limit = choked.settings.get(MAX_CONCURRENT_STREAMS)
    if limit is None:
        pytest.skip("the server announces no limit")
    last = 2 * limit + 1
    choked.send(*(headers(stream, choked.get()) for stream in range(1, last + 1, 2)))
    choked.expect_stream_error(last, PROTOCOL_ERROR, REFUSED_STREAM)


# -- §5.3.1 of RFC 7540: a stream does not depend on itself


def test_5_3_1_rfc7540_headers_that_depend_on_themselves(peer):
    peer.send(headers(1, peer.get(), priority=priority_fields(depends_on=1)))
    peer.expect_stream_error(1, PROTOCOL_ERROR)


def test_5_3_1_rfc7540_priority_that_depends_on_itself(peer):
    """RFC 9113 has no such rule: who has no tree looks at no dependency."""
    peer.send(priority(1, depends_on=1))
    peer.fence()


# -- §5.4.1: errors of the connection


def test_5_4_1_the_connection_is_closed(peer):
    peer.send(frame(PING, 0, 0, b"short!"))
    peer.expect_connection_error(FRAME_SIZE_ERROR)


def test_5_4_1_goaway_comes_first_and_tells_the_last_stream(peer):
    finish(peer)
    peer.send(frame(PING, 0, 0, b"short!"))
    peer.expect_connection_error(FRAME_SIZE_ERROR)
    assert peer.goaway is not None, peer.frames
    assert peer.goaway.last_stream == 1


# -- §5.5: extensions


def test_5_5_a_frame_of_an_extension(peer):
    peer.send(frame(0x16, 0, 0, bytes(8)))
    peer.fence()


def test_5_5_a_frame_of_an_extension_within_a_field_block(peer):
    peer.send(headers(1, peer.get(), end_headers=False), frame(0x16, 0, 0, bytes(8)), continuation(1, MORE))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_5_5_a_setting_of_an_extension(peer):
    peer.send(settings((0xff, 1), (INITIAL_WINDOW_SIZE, 1)))
    peer.wait_for_settings(2)
    peer.send(headers(1, peer.get()))
    peer.until(lambda: peer.answer(1).body, "DATA")
    assert peer.answer(1).frames == [1]
