"""What any server must take: h2spec's generic part."""
import pytest

from support.h2frames import (ACK, CANCEL, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, SETTINGS, block,
                              continuation, data, goaway, headers, indexed, literal, ping, priority,
                              priority_fields, rst_stream, settings, table_size, window_update)


def half(fragment):
    return fragment[:len(fragment) // 2], fragment[len(fragment) // 2:]


def test_3_4_the_client_s_preface(connect):
    peer = connect()
    assert peer.frames[0].kind == SETTINGS and not peer.frames[0].has(ACK)
    peer.fence()


# -- frames in each state of a stream (§5.1)


def test_5_1_priority_on_an_idle_stream(peer):
    peer.send(priority(1))
    peer.fence()


def test_5_1_window_update_on_a_half_closed_stream(choked):
    choked.send(headers(1, choked.get()), window_update(1, 1))
    choked.until(lambda: choked.answer(1).body, "DATA")
    assert choked.answer(1).frames == [1]


def test_5_1_priority_on_a_half_closed_stream(choked):
    choked.send(headers(1, choked.get()), priority(1, weight=256), window_update(1, 1))
    choked.until(lambda: choked.answer(1).body, "DATA")


def test_5_1_rst_stream_on_a_half_closed_stream(choked):
    choked.send(headers(1, choked.get()), rst_stream(1, CANCEL))
    choked.fence()


def test_5_1_priority_on_a_closed_stream(peer):
    peer.send(headers(1, peer.get()))
    peer.response(1)
    peer.send(priority(1, weight=256))
    peer.fence()


# -- every kind of frame (§6)


def test_6_1_a_data_frame(peer):
    peer.send(headers(1, peer.post(), end_stream=False), data(1, b"test", end_stream=True))
    assert peer.response(1).status == 200


def test_6_1_several_data_frames(peer):
    peer.send(headers(1, peer.post(), end_stream=False), data(1, b"test"), data(1, b"test"),
              data(1, b"test", end_stream=True))
    assert peer.response(1).status == 200


def test_6_1_a_data_frame_with_padding(peer):
    peer.send(headers(1, peer.post(), end_stream=False), data(1, b"test", padding=255, end_stream=True))
    assert peer.response(1).status == 200


def test_6_2_a_headers_frame(peer):
    peer.send(headers(1, peer.get()))
    assert peer.response(1).status == 200


def test_6_2_a_headers_frame_with_padding(peer):
    peer.send(headers(1, peer.get(), padding=255))
    assert peer.response(1).status == 200


def test_6_2_a_headers_frame_with_priority(peer):
    peer.send(headers(1, peer.get(), priority=priority_fields(weight=256)))
    assert peer.response(1).status == 200


@pytest.mark.parametrize("stream, fields", [
    (1, {"weight": 1}), (1, {"weight": 256}), (3, {"depends_on": 1}),
    (1, {"depends_on": 0, "exclusive": True}), (5, {"depends_on": 3})],
    ids=["weight 1", "weight 256", "a dependency", "exclusive", "an idle stream above the next"])
def test_6_3_priority(peer, stream, fields):
    peer.send(priority(stream, **fields), headers(1, peer.get()))
    assert peer.response(1).status == 200


def test_6_4_rst_stream(peer):
    peer.send(headers(1, peer.post(), end_stream=False), rst_stream(1))
    peer.fence()


def test_6_5_settings(peer):
    peer.send(settings((INITIAL_WINDOW_SIZE, 70000), (MAX_CONCURRENT_STREAMS, 100)))
    peer.wait_for_settings(2)


def test_6_7_ping(peer):
    peer.send(ping(b"generic!"))
    peer.until(lambda: peer.pongs == [b"generic!"], "PING's ACK")


def test_6_8_goaway(peer):
    """After it no new streams come from the server, which may leave; a PING is still answered, or it is gone."""
    peer.send(goaway(), ping())
    peer.until_or_closed(lambda: peer.pongs, "PING's ACK or the end")
    assert peer.goaway is None or peer.goaway.code == 0


@pytest.mark.parametrize("stream", [0, 1])
def test_6_9_window_update(choked, stream):
    choked.send(headers(1, choked.get()), window_update(stream, 1))
    choked.until(lambda: len(choked.answer(1).body) == stream, "as much DATA as the windows let through")
    choked.fence()


def test_6_10_a_continuation_frame(peer):
    first, second = half(peer.get())
    peer.send(headers(1, first, end_headers=False), continuation(1, second))
    assert peer.response(1).status == 200


def test_6_10_several_continuation_frames(peer):
    first, rest = half(peer.get())
    second, third = half(rest)
    peer.send(headers(1, first, end_headers=False), continuation(1, second, end_headers=False),
              continuation(1, third))
    assert peer.response(1).status == 200


# -- messages (§8)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_8_1_a_request(peer, method):
    peer.send(headers(1, block(peer.fields(method))))
    answer = peer.response(1)
    assert answer.status == 200
    assert bool(answer.body) == (method == "GET")


def test_8_1_a_post(peer):
    peer.send(headers(1, peer.post(), end_stream=False), data(1, b"test", end_stream=True))
    assert peer.response(1).status == 200


def test_8_1_a_post_with_trailers(peer):
    peer.send(headers(1, peer.post("/upload", ("trailer", "x-test")), end_stream=False), data(1, b"test"),
              headers(1, literal("x-test", "ok")))
    assert peer.response(1).status == 200


# -- every representation of a field (RFC 7541 §6)

ACCEPT = 19  # of the static table


def representations():
    yield "6.1 indexed", indexed(16)  # accept-encoding: gzip, deflate
    for huffman in (False, True):
        coded = ", Huffman" if huffman else ""
        for name, where in ((ACCEPT, "an indexed name"), ("x-test", "a new name")):
            options = {"huffman": huffman}
            yield f"6.2.1 indexed literal, {where}{coded}", literal(name, "*/*", index=True, **options)
            yield f"6.2.2 literal, {where}{coded}", literal(name, "*/*", **options)
            yield f"6.2.3 never indexed, {where}{coded}", literal(name, "*/*", never=True, **options)


REPRESENTATIONS = dict(representations())


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_rfc7541_a_representation(peer, name):
    peer.send(headers(1, peer.get() + REPRESENTATIONS[name]))
    assert peer.response(1).status == 200


def test_rfc7541_2_3_2_an_entry_of_the_dynamic_table(peer):
    """Put there by one request, used by the next and by the same."""
    peer.send(headers(1, peer.get() + literal("x-test", "1", index=True) + indexed(62)))
    peer.send(headers(3, peer.get() + indexed(62) + literal(62, "2")))
    assert peer.response(1).status == peer.response(3).status == 200


def test_rfc7541_6_3_a_table_size_update(peer):
    peer.send(headers(1, table_size(128) + peer.get()))
    assert peer.response(1).status == 200


def test_rfc7541_6_3_two_table_size_updates(peer):
    peer.send(headers(1, table_size(128) + table_size(4096) + peer.get()))
    assert peer.response(1).status == 200


def test_rfc7541_5_1_integers_of_several_octets(peer):
    """Lengths around the ends of the prefix and of the second octet."""
    peer.send(headers(1, peer.get() + b"".join(literal("x-test", "y" * size)
                                               for size in (126, 127, 128, 254, 255, 300))))
    assert peer.response(1).status == 200
