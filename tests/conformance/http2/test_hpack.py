"""RFC 7541: field blocks that cannot be decoded end the connection with COMPRESSION_ERROR (RFC 9113 §4.3)."""
import pytest

from support.h2frames import (COMPRESSION_ERROR, HEADER_TABLE_SIZE, headers, indexed, integer, literal,
                              table_size)

DEFAULT_TABLE = 4096
FIRST_DYNAMIC = 62


def expect_undecodable(peer, fragment):
    peer.send(headers(1, fragment))
    peer.expect_connection_error(COMPRESSION_ERROR)


def huffman(octets):
    """A value "Huffman-coded" as these octets, in a literal field of the request."""
    return literal("x-test", "")[:-1] + integer(len(octets), 7, 0x80) + octets


# -- §2.3.3: the address space of indexes


@pytest.mark.parametrize("index", [FIRST_DYNAMIC, 70, 2**20])
def test_2_3_3_an_index_beyond_the_tables(peer, index):
    expect_undecodable(peer, peer.get() + indexed(index))


@pytest.mark.parametrize("options", [{}, {"index": True}, {"never": True}],
                         ids=["literal", "indexed literal", "never indexed"])
def test_2_3_3_a_name_s_index_beyond_the_tables(peer, options):
    expect_undecodable(peer, peer.get() + literal(70, "empty", **options))


def test_2_3_3_an_index_of_an_entry_that_was_evicted(peer):
    """Size 0 and back empties the table."""
    peer.send(headers(1, peer.get() + literal("x-test", "1", index=True) + indexed(FIRST_DYNAMIC)))
    assert peer.response(1).status == 200
    peer.send(headers(3, table_size(0) + table_size(DEFAULT_TABLE) + peer.get() + indexed(FIRST_DYNAMIC)))
    peer.expect_connection_error(COMPRESSION_ERROR)


# -- §4: the dynamic table


def test_4_2_a_size_update_at_the_end_of_a_block(peer):
    expect_undecodable(peer, peer.get() + table_size(0))


def test_4_4_an_entry_larger_than_the_table_empties_it(peer):
    """It is no error."""
    large = literal("x-large", "y" * 5000, index=True)
    peer.send(headers(1, peer.get() + literal("x-test", "1", index=True) + large))
    assert peer.response(1).status == 200
    peer.send(headers(3, peer.get() + indexed(FIRST_DYNAMIC)))
    peer.expect_connection_error(COMPRESSION_ERROR)


# -- §5: integers and strings


@pytest.mark.parametrize("sent", [b"\xff" + b"\xff" * 10 + b"\x01", b"\xff" + b"\x80" * 20 + b"\x01",
                                  b"\xff" + b"\xff" * 4 + b"\x7f"],
                         ids=["an index of 77 bits", "an index with many zeros", "an index of 35 bits"])
def test_5_1_an_integer_too_large(peer, sent):
    expect_undecodable(peer, peer.get() + sent)


def test_5_2_a_string_longer_than_the_block(peer):
    expect_undecodable(peer, peer.get() + literal("x-test", "")[:-1] + integer(100, 7) + b"short")


def test_5_2_more_than_7_bits_of_padding(peer):
    """"test", and eight ones."""
    expect_undecodable(peer, peer.get() + huffman(b"\x49\x50\x9f\xff\xff"))


def test_5_2_padding_of_zeros(peer):
    """ "test" takes 23 bits: the last one must be 1."""
    expect_undecodable(peer, peer.get() + huffman(b"\x49\x50\x90"))


@pytest.mark.parametrize("coded", [b"\xff\xff\xff\xff", b"\x49\x50\x9f\xff\xff\xff\xff\xff"],
                         ids=["alone", "behind text"])
def test_5_2_the_symbol_eos(peer, coded):
    expect_undecodable(peer, peer.get() + huffman(coded))


# -- §6: representations


def test_6_1_index_0(peer):
    expect_undecodable(peer, peer.get() + indexed(0))


def test_6_3_a_table_larger_than_allowed(peer):
    most = peer.settings.get(HEADER_TABLE_SIZE, DEFAULT_TABLE)
    expect_undecodable(peer, table_size(most + 1) + peer.get())
