"""RFC 9113 §6 and §7: the rules of every type of frame, and error codes."""
import pytest

from support.h2frames import (ENABLE_PUSH, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, HEADERS, INITIAL_WINDOW_SIZE,
                              LARGEST_WINDOW, MAX_FRAME_SIZE, PING, PRIORITY, PROTOCOL_ERROR, RST_STREAM,
                              SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, ACK, PADDED, continuation, data, frame,
                              goaway, headers, literal, ping, priority, rst_stream, settings, window_update)

MORE = literal("x-test", "1")


# -- §6.1: DATA


def test_6_1_data_without_a_stream(peer):
    peer.send(headers(1, peer.post(), end_stream=False), data(0, b"test", end_stream=True))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_6_1_data_on_a_stream_that_is_not_open(choked):
    choked.send(headers(1, choked.get()), data(1, b"test"))
    choked.expect_stream_error(1, STREAM_CLOSED)


@pytest.mark.parametrize("padding", [4, 5, 255])
def test_6_1_more_padding_than_data(peer, padding):
    """The length of the padding is that of the payload, or larger."""
    peer.send(headers(1, peer.post(), end_stream=False),
              frame(0, PADDED, 1, bytes([padding]) + b"abc"))
    peer.expect_connection_error(PROTOCOL_ERROR)


# -- §6.2: HEADERS


def test_6_2_headers_without_end_and_then_priority(peer):
    peer.send(headers(1, peer.get(), end_headers=False), priority(1), continuation(1, MORE))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_6_2_headers_of_another_stream_before_the_end(peer):
    peer.send(headers(1, peer.get(), end_headers=False), headers(3, peer.get()))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_6_2_headers_without_a_stream(peer):
    peer.send(headers(0, peer.get()))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_6_2_more_padding_than_headers(peer):
    fragment = peer.get()
    peer.send(frame(HEADERS, PADDED | 0x5, 1, bytes([len(fragment) + 1]) + fragment))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_6_2_headers_with_half_a_priority(peer):
    peer.send(frame(HEADERS, 0x25, 1, b"\0\0"))
    peer.expect_connection_error(FRAME_SIZE_ERROR, PROTOCOL_ERROR)


# -- §6.3: PRIORITY


def test_6_3_priority_without_a_stream(peer):
    peer.send(priority(0))
    peer.expect_connection_error(PROTOCOL_ERROR)


@pytest.mark.parametrize("size", [0, 4, 6])
def test_6_3_priority_of_a_wrong_size(peer, size):
    peer.send(frame(PRIORITY, 0, 1, bytes(size)))
    peer.expect_stream_error(1, FRAME_SIZE_ERROR)


# -- §6.4: RST_STREAM


def test_6_4_rst_stream_without_a_stream(peer):
    peer.send(rst_stream(0))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_6_4_rst_stream_on_an_idle_stream(peer):
    peer.send(rst_stream(1))
    peer.expect_connection_error(PROTOCOL_ERROR)


@pytest.mark.parametrize("size", [0, 3, 5])
def test_6_4_rst_stream_of_a_wrong_size(peer, size):
    peer.send(headers(1, peer.post(), end_stream=False), frame(RST_STREAM, 0, 1, bytes(size)))
    peer.expect_connection_error(FRAME_SIZE_ERROR)


# -- §6.5: SETTINGS


def test_6_5_an_ack_with_a_payload(peer):
    peer.send(settings((INITIAL_WINDOW_SIZE, 1), ack=True))
    peer.expect_connection_error(FRAME_SIZE_ERROR)


def test_6_5_settings_of_a_stream(peer):
    peer.send(frame(SETTINGS, 0, 1, bytes([0, 3, 0, 0, 0, 100])))
    peer.expect_connection_error(PROTOCOL_ERROR)


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_6_5_settings_of_a_wrong_size(peer, size):
    peer.send(frame(SETTINGS, 0, 0, bytes(size)))
    peer.expect_connection_error(FRAME_SIZE_ERROR)


@pytest.mark.parametrize("setting, value, error", [
    (ENABLE_PUSH, 2, PROTOCOL_ERROR),
    (INITIAL_WINDOW_SIZE, 2**31, FLOW_CONTROL_ERROR),
    (INITIAL_WINDOW_SIZE, 2**32 - 1, FLOW_CONTROL_ERROR),
    (MAX_FRAME_SIZE, 2**14 - 1, PROTOCOL_ERROR),
    (MAX_FRAME_SIZE, 2**24, PROTOCOL_ERROR)],
    ids=["ENABLE_PUSH 2", "INITIAL_WINDOW_SIZE 2^31", "INITIAL_WINDOW_SIZE 2^32-1",
         "MAX_FRAME_SIZE too small", "MAX_FRAME_SIZE too large"])
def test_6_5_2_a_value_that_may_not_be(peer, setting, value, error):
    peer.send(settings((setting, value)))
    peer.expect_connection_error(error)


def test_6_5_2_a_setting_that_nobody_knows(peer):
    peer.send(settings((0xff, 1)))
    peer.fence()
    assert peer.acknowledged == 2


def test_6_5_3_values_are_taken_in_their_order(peer):
    peer.send(settings((INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)))
    peer.wait_for_settings(2)
    peer.send(headers(1, peer.get()))
    peer.until(lambda: peer.answer(1).body, "DATA")
    assert peer.answer(1).frames == [1]
    peer.fence()
    assert len(peer.answer(1).body) == 1


def test_6_5_3_settings_are_acknowledged_at_once(peer):
    peer.send(settings((ENABLE_PUSH, 0)))
    peer.wait_for_settings(2)
    ack = peer.frames[-1]
    assert ack.kind == SETTINGS and ack.has(ACK) and ack.payload == b""


# -- §6.7: PING


def test_6_7_a_ping_comes_back_as_it_was(peer):
    peer.send(ping(b"\0\1\2\xfd\xfe\xffxy"))
    peer.until(lambda: peer.pongs, "PING's ACK")
    assert peer.pongs == [b"\0\1\2\xfd\xfe\xffxy"]


def test_6_7_an_ack_is_not_answered(peer):
    peer.send(ping(b"unasked!", ack=True))
    peer.fence(b"asked..!")
    assert peer.pongs == [b"asked..!"]


def test_6_7_ping_on_a_stream(peer):
    peer.send(ping(stream=1))
    peer.expect_connection_error(PROTOCOL_ERROR)


@pytest.mark.parametrize("size", [0, 6, 7, 9])
def test_6_7_ping_of_a_wrong_size(peer, size):
    peer.send(frame(PING, 0, 0, bytes(size)))
    peer.expect_connection_error(FRAME_SIZE_ERROR)


# -- §6.8: GOAWAY


def test_6_8_goaway_on_a_stream(peer):
    peer.send(goaway(stream=1))
    peer.expect_connection_error(PROTOCOL_ERROR)


# -- §6.9: WINDOW_UPDATE and flow control


def test_6_9_an_increment_of_0(peer):
    peer.send(window_update(0, 0))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_6_9_an_increment_of_0_on_a_stream(peer):
    peer.send(headers(1, peer.post(), end_stream=False), window_update(1, 0))
    peer.expect_stream_error(1, PROTOCOL_ERROR)


@pytest.mark.parametrize("size", [0, 3, 5])
def test_6_9_window_update_of_a_wrong_size(peer, size):
    peer.send(frame(WINDOW_UPDATE, 0, 0, bytes(size)))
    peer.expect_connection_error(FRAME_SIZE_ERROR)


def test_6_9_1_no_more_than_the_window_has(peer):
    peer.send(settings((INITIAL_WINDOW_SIZE, 1)))
    peer.wait_for_settings(2)
    peer.send(headers(1, peer.get()))
    peer.until(lambda: peer.answer(1).body, "DATA")
    peer.fence()
    assert peer.answer(1).frames == [1]


def test_6_9_1_a_window_of_the_connection_above_the_most(peer):
    peer.send(window_update(0, LARGEST_WINDOW), window_update(0, LARGEST_WINDOW))
    peer.expect_connection_error(FLOW_CONTROL_ERROR)
    assert peer.goaway is not None and peer.goaway.code == FLOW_CONTROL_ERROR


def test_6_9_1_a_window_of_a_stream_above_the_most(peer):
    """The connection goes on."""
    peer.send(headers(1, peer.post(), end_stream=False), window_update(1, LARGEST_WINDOW),
              window_update(1, LARGEST_WINDOW))
    peer.expect_stream_error(1, FLOW_CONTROL_ERROR)
    assert peer.answer(1).reset == FLOW_CONTROL_ERROR
    peer.fence()


def test_6_9_2_a_new_initial_size_is_for_open_streams_too(choked):
    choked.send(headers(1, choked.get()))
    choked.fence()
    assert choked.answer(1).body == b""
    choked.send(settings((INITIAL_WINDOW_SIZE, 1)))
    choked.until(lambda: choked.answer(1).body, "DATA")
    assert choked.answer(1).frames == [1]


def test_6_9_2_a_window_may_become_negative(connect):
    peer = connect(settings=[(INITIAL_WINDOW_SIZE, 3)])
    peer.send(headers(1, peer.get()))
    peer.until(lambda: len(peer.answer(1).body) == 3, "DATA of three octets")
    peer.send(settings((INITIAL_WINDOW_SIZE, 2)))
    peer.wait_for_settings(2)
    peer.send(window_update(1, 1))
    peer.fence()
    assert len(peer.answer(1).body) == 3  # the window is 0 now, after -1
    peer.send(window_update(1, 1))
    peer.until(lambda: len(peer.answer(1).body) == 4, "DATA of one octet")


def test_6_9_2_an_initial_size_that_makes_a_window_too_large(choked):
    """The value itself may be; together with what WINDOW_UPDATE gave it may not: the connection's error by
    §6.9.2, here the stream's whose window it is."""
    choked.send(headers(1, choked.post(), end_stream=False), window_update(1, LARGEST_WINDOW),
                settings((INITIAL_WINDOW_SIZE, 1)))
    choked.expect_stream_error(1, FLOW_CONTROL_ERROR)


# -- §6.10: CONTINUATION


def test_6_10_several_continuations(peer):
    peer.send(headers(1, peer.get(), end_headers=False), continuation(1, MORE, end_headers=False),
              continuation(1, MORE))
    assert peer.response(1).status == 200


def test_6_10_another_frame_after_a_continuation(peer):
    peer.send(headers(1, peer.post(), end_headers=False, end_stream=False),
              continuation(1, MORE, end_headers=False), data(1, b"test", end_stream=True))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_6_10_continuation_without_a_stream(peer):
    peer.send(headers(1, peer.get(), end_headers=False), continuation(0, MORE))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_6_10_continuation_after_headers_that_ended(peer):
    peer.send(headers(1, peer.post(), end_stream=False), continuation(1, MORE))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_6_10_continuation_after_continuation_that_ended(peer):
    peer.send(headers(1, peer.post(), end_headers=False, end_stream=False), continuation(1, MORE),
              continuation(1, MORE))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_6_10_continuation_after_data(peer):
    peer.send(headers(1, peer.post(), end_stream=False), data(1, b"test"), continuation(1, MORE))
    peer.expect_connection_error(PROTOCOL_ERROR)


# -- §7: codes that nobody knows


def test_7_goaway_with_an_unknown_code(peer):
    """A PING is still answered, or the server has left in peace."""
    peer.send(goaway(code=0xff), ping())
    peer.until_or_closed(lambda: peer.pongs, "PING's ACK or the end")
    assert peer.goaway is None or peer.goaway.code == 0


def test_7_rst_stream_with_an_unknown_code(peer):
    peer.send(headers(1, peer.post(), end_stream=False), rst_stream(1, 0xff))
    peer.fence()
