"""split_clients: shares drawn by a hash of a text, which are nginx's."""
import pytest

from support.program import ProgramFailed

SPLITS = """
    split_clients $arg_k $a { 0.5% half; 20% fifth; 33.33% third; * rest; }
    split_clients "salt${arg_k}" $b { 50% one; }
    split_clients $arg_k $c { 33.33% x; 33.33% y; 33.34% z; }
    split_clients $arg_k $d { 99.99% '$uri'; }
    split_clients $arg_k $e { * all; }
    server { listen 127.0.0.1:@port:http@; return 200 "$a,$b,$c,$d,$e"; }
"""


def test_a_key_has_the_same_share_as_in_nginx(sallyport, nginx):
    ours, theirs = sallyport(SPLITS), nginx(SPLITS)
    drawn = set()
    with ours.client() as one, theirs.client() as other:
        for number in range(500):
            key = "x" * (number % 7) + str(number * 7919)
            answer = one.get(f"/?k={key}").body
            assert (key, answer) == (key, other.get(f"/?k={key}").body)
            drawn.add(answer.split(b",")[0])
    assert drawn == {b"half", b"fifth", b"third", b"rest"}


@pytest.mark.parametrize("split, message", [
    ("split_clients $uri v { * a; }", 'invalid variable name "v"'),
    ("split_clients $uri $host { * a; }", 'the duplicate "host" variable'),
    ("split_clients $uri $v { 10 a; }", 'invalid percent value "10"'),
    ("split_clients $uri $v { 0% a; }", 'invalid percent value "0%"'),
    ("split_clients $uri $v { 1.234% a; }", 'invalid percent value "1.234%"'),
    ("split_clients $uri $v { 60% a; 60% b; }", "percent total is greater than 100%"),
    ("split_clients $uri $v { * a; 1% b; }", "percent total is greater than 100%"),
    ("split_clients $none $v { * a; }", 'unknown "none" variable'),
    ("split_clients $uri { * a; }", 'invalid number of arguments in "split_clients" directive'),
])
@pytest.mark.parametrize("peer", ["nginx", "sallyport"])
def test_mistakes(request, peer, split, message):
    start = request.getfixturevalue(peer)
    with pytest.raises(ProgramFailed) as failed:
        start(f"{split} server {{ listen 127.0.0.1:@port:http@; }}")
    assert message in failed.value.errors
