"""RFC 9113 §8: requests that are malformed, and pushes. (The sections have RFC 9113's numbers.)"""
import pytest

from support.h2frames import PROTOCOL_ERROR, PUSH_PROMISE, block, data, frame, headers, literal


def without(peer, *names):
    return [field for field in peer.fields() if field[0] not in names]


def expect_malformed(peer, fields, stream=1):
    """A stream error PROTOCOL_ERROR (§8.1.1). The server may say why by a 400 before, and nothing else."""
    peer.send(headers(stream, block(fields)))
    peer.expect_stream_error(stream, PROTOCOL_ERROR)
    assert peer.answer(stream).status in (None, 400)


# -- §8.1: the frames of a message


def test_8_1_second_headers_that_do_not_end_the_stream(peer):
    peer.send(headers(1, peer.post(), end_stream=False), data(1, b"test"),
              headers(1, literal("x-test", "ok"), end_stream=False))
    peer.expect_stream_error(1, PROTOCOL_ERROR)


@pytest.mark.parametrize("pieces", [[b"test"], [b"test", b"test"]], ids=["one DATA frame", "several"])
@pytest.mark.parametrize("length", [1, 100], ids=["shorter", "longer"])
@pytest.mark.parametrize("method, path", [("POST", "/upload"), ("GET", "/")], ids=["POST", "GET"])
def test_8_1_1_content_length_is_not_what_came(peer, method, path, pieces, length):
    """Whether or not anybody wants the body."""
    frames = [data(1, piece, end_stream=number == len(pieces)) for number, piece in enumerate(pieces, 1)]
    fields = peer.fields(method, path, ("content-length", str(length)))
    peer.send(headers(1, block(fields), end_stream=False), *frames)
    peer.expect_stream_error(1, PROTOCOL_ERROR)


def test_8_1_1_content_length_without_content(peer):
    peer.send(headers(1, peer.post("/upload", ("content-length", "1"))))
    peer.expect_stream_error(1, PROTOCOL_ERROR)


# -- §8.2: fields


@pytest.mark.parametrize("name", ["X-TEST", "x-Test", "Te"])
def test_8_2_1_upper_case(peer, name):
    expect_malformed(peer, peer.fields("GET", "/", (name, "trailers")))


@pytest.mark.parametrize("field", [
    ("connection", "keep-alive"), ("connection", "close"), ("proxy-connection", "keep-alive"),
    ("keep-alive", "timeout=5"), ("transfer-encoding", "chunked"), ("upgrade", "websocket")],
    ids=lambda field: ": ".join(field))
def test_8_2_2_fields_of_a_connection(peer, field):
    expect_malformed(peer, peer.fields("GET", "/", field))


@pytest.mark.parametrize("value", ["gzip", "trailers, deflate;q=0.5"])
def test_8_2_2_te_other_than_trailers(peer, value):
    expect_malformed(peer, peer.fields("GET", "/", ("te", value)))


def test_8_2_2_te_trailers(peer):
    peer.send(headers(1, block(peer.fields("GET", "/", ("te", "trailers")))))
    assert peer.response(1).status == 200


# -- §8.3: pseudo-header fields


def test_8_3_an_unknown_one(peer):
    expect_malformed(peer, peer.fields() + [(":test", "ok")])


def test_8_3_one_of_responses(peer):
    expect_malformed(peer, peer.fields() + [(":status", "200")])


def test_8_3_one_in_trailers(peer):
    peer.send(headers(1, peer.post(), end_stream=False), data(1, b"test"),
              headers(1, block([(":method", "200"), ("x-test", "ok")])))
    peer.expect_stream_error(1, PROTOCOL_ERROR)


@pytest.mark.parametrize("late", [":method", ":scheme", ":path", ":authority"])
def test_8_3_one_after_a_regular_field(peer, late):
    fields = without(peer, late)
    expect_malformed(peer, fields + [("x-test", "ok"), (late, dict(peer.fields())[late])])


def test_8_3_1_an_empty_path(peer):
    expect_malformed(peer, without(peer, ":path") + [(":path", "")])


@pytest.mark.parametrize("missing", [":method", ":scheme", ":path"])
def test_8_3_1_one_is_missing(peer, missing):
    expect_malformed(peer, without(peer, missing))


@pytest.mark.parametrize("twice", [":method", ":scheme", ":path", ":authority"])
def test_8_3_1_one_comes_twice(peer, twice):
    expect_malformed(peer, peer.fields() + [(twice, dict(peer.fields())[twice])])


# -- §8.4: push


def test_8_4_a_client_s_push_promise(peer):
    peer.send(headers(1, peer.post(), end_stream=False),
              frame(PUSH_PROMISE, 0x4, 1, (2).to_bytes(4, "big") + peer.get()))
    peer.expect_connection_error(PROTOCOL_ERROR)


def test_8_4_a_push_promise_on_an_idle_stream(peer):
    peer.send(frame(PUSH_PROMISE, 0x4, 1, (2).to_bytes(4, "big") + peer.get()))
    peer.expect_connection_error(PROTOCOL_ERROR)
