"""geo: variables looked up by an address. Every case is asked of nginx, too."""
import random

import pytest

from support.program import ProgramFailed


@pytest.fixture(params=["nginx", "sallyport"])
def serve(request):
    """serve(text) starts nginx, and in a second run the program under `compat nginx`."""
    start = request.getfixturevalue(request.param)

    def run(text, **values):
        text = f"error_log stderr info; {text}"
        if request.param == "sallyport":
            text = f"compat nginx; events {{}} http {{ access_log off; {text} }}"
        return start(text, **values)

    return run


def answering(text, geos):
    return f"""{geos} server {{ listen 127.0.0.1:@port:http@; location / {{ return 200 "{text}"; }} }}"""


def ask(client, address):
    return client.get(f"/?a={address}").body.decode()


def test_the_client_s_address(serve):
    program = serve(answering("$a$b", """
        geo $a { default no; 127.0.0.0/8 near; 127.0.0.1 here; 127.0.0.1/31 x; }
        geo $b { ranges; 127.0.0.0-127.0.0.255 -range; }
    """.replace("127.0.0.1/31 x; ", "127.0.0.0/31 x; ")))
    assert program.get("/").body == b"here-range"


NETWORKS = """
    geo $arg_a $v {
        default           default;
        10.1.2.0/24       c;
        10.0.0.0/8        a;
        10.1.0.0/16       b;
        10.1.2.3          one;
        0.0.0.0/1         half;
        255.255.255.255   all;
        2001:db8::/32     six;
        2001:db8::1       first;
        ::/8              mapped;
        delete            10.1.128.0/17;
        10.2.0.0/16       deleted;
        delete            10.2.0.0/16;
        192.168.1.7/24    low-bits;
    }
"""
NETWORK_CASES = [
    ("10.9.9.9", "a"), ("10.1.9.9", "b"), ("10.1.2.4", "c"), ("10.1.2.3", "one"), ("10.1.3.0", "b"),
    ("10.1.200.1", "b"), ("10.2.0.1", "a"), ("11.0.0.1", "half"), ("128.0.0.1", "default"),
    ("127.255.255.255", "half"), ("255.255.255.255", "all"), ("255.255.255.254", "default"),
    ("2001:db8::1", "first"), ("2001:db8::2", "six"), ("2001:db9::", "default"),
    ("::ffff:10.1.2.3", "one"), ("::1", "mapped"), ("192.168.1.1", "low-bits"),
    # What is no address counts as 255.255.255.255.
    ("", "all"), ("x", "all"), ("10.1.1", "all"), ("10.1.1.1:80", "all"), ("[::1]", "all"),
    ("1.2.3.4.5", "all"), ("300.1.1.1", "all"), ("%31", "all"),
]


def test_networks(serve):
    program = serve(answering("$v", NETWORKS))
    with program.client() as client:
        assert [(a, ask(client, a)) for a, _ in NETWORK_CASES] == NETWORK_CASES
    program.wait_for_error('no network "10.1.128.0/17" to delete')
    program.wait_for_error("low address bits of 192.168.1.7/24 are meaningless")


RANGES = """
    geo $arg_a $v {
        ranges;
        default                       default;
        10.0.0.0-10.0.0.255           a;
        10.0.0.10-10.0.0.20           b;
        10.0.0.0-10.0.0.0             first;
        10.0.0.255-10.0.0.255         last;
        10.1.0.5-10.3.0.4             wide;
        10.4.0.0-10.4.0.9             deleted;
        delete                        10.4.0.0-10.4.0.9;
        255.255.255.0-255.255.255.254 high;
    }
"""
RANGE_CASES = [
    ("10.0.0.0", "first"), ("10.0.0.1", "a"), ("10.0.0.9", "a"), ("10.0.0.10", "b"), ("10.0.0.20", "b"),
    ("10.0.0.21", "a"), ("10.0.0.254", "a"), ("10.0.0.255", "last"), ("10.0.1.0", "default"),
    ("10.1.0.4", "default"), ("10.1.0.5", "wide"), ("10.2.255.255", "wide"), ("10.3.0.4", "wide"),
    ("10.3.0.5", "default"), ("10.4.0.1", "default"), ("2001:db8::1", "default"), ("x", "default"),
    ("::ffff:10.0.0.10", "b"), ("255.255.254.255", "default"), ("255.255.255.9", "high"),
]


def test_ranges(serve):
    program = serve(answering("$v", RANGES))
    with program.client() as client:
        assert [(a, ask(client, a)) for a, _ in RANGE_CASES] == RANGE_CASES


def test_proxies_are_believed(serve):
    program = serve(answering("$a $b $c", """
        geo $a { default d; proxy 127.0.0.1; 10.0.0.0/8 ten; 192.0.2.0/24 doc; }
        geo $b { default d; proxy 127.0.0.1; proxy 192.0.2.0/24; proxy_recursive;
                 10.0.0.0/8 ten; 192.0.2.0/24 doc; }
        geo $c { default d; proxy 198.51.100.1; 10.0.0.0/8 ten; }
    """))
    with program.client() as client:
        for forwarded, expected in [("10.0.0.1", "ten ten d"), ("10.0.0.1, 192.0.2.1", "doc ten d"),
                                    ("10.0.0.1,192.0.2.1,192.0.2.2", "doc ten d"), ("x", "d d d"),
                                    ("10.0.0.1:80", "ten ten d"), ("192.0.2.1", "doc doc d")]:
            answer = client.get("/", fields=[("X-Forwarded-For", forwarded)]).body.decode()
            assert (forwarded, answer) == (forwarded, expected)


def test_values_have_no_variables(serve):
    program = serve(answering("$v", "geo $v { default '$uri {x}'; }"))
    assert program.get("/").body == b"$uri {x}"


@pytest.mark.parametrize("geos, message", [
    ("geo v { default 1; }", 'invalid variable name "v"'),
    ("geo v $w { default 1; }", 'invalid variable name "v"'),
    ("geo $host { default 1; }", 'the duplicate "host" variable'),
    ("geo $v { 10.0.0.0/33 1; }", 'invalid network "10.0.0.0/33"'),
    ("geo $v { x 1; }", 'invalid network "x"'),
    ("geo $v { 10.0.0.1; }", "invalid number of the geo parameters"),
    ("geo $v { 10.0.0.1 a b; }", "invalid number of the geo parameters"),
    ("geo $v { 10.0.0.1 a; ranges; }",
     'the "ranges" directive must be the first directive inside "geo" block'),
    ("geo $v { ranges; 10.0.0.5-10.0.0.1 1; }", 'invalid range "10.0.0.5-10.0.0.1"'),
    ("geo $v { ranges; 10.0.0.5 1; }", 'invalid range "10.0.0.5"'),
    ("geo $v { ranges; 10.0.0.1-10.0.0.5 1; 10.0.0.3-10.0.0.9 2; }",
     'range "10.0.0.3-10.0.0.9" overlaps "10.0.0.1-10.0.0.5"'),
    ("geo $v { ranges; 10.0.0.3-10.0.0.5 1; 10.0.0.1-10.0.0.9 2; }",
     'range "10.0.0.1-10.0.0.9" overlaps "10.0.0.3-10.0.0.5"'),
    ("geo $none $v { default 1; }", 'unknown "none" variable'),
    ("geo $v { proxy x; }", 'invalid network "x"'),
])
def test_mistakes(serve, geos, message):
    with pytest.raises(ProgramFailed) as failed:
        serve(answering("x", geos))
    assert f"[emerg] {message}" in failed.value.errors or message in failed.value.errors


@pytest.mark.parametrize("geos, message", [
    ("geo $v { default 1; 10.0.0.0/8 a; 10.0.0.0/8 b; }",
     'duplicate network "10.0.0.0/8", value: "b", old value: "a"'),
    ("geo $v { ranges; 10.0.0.0-10.0.0.1 a; 10.0.0.0-10.0.0.1 b; }",
     'duplicate range "10.0.0.0-10.0.0.1", value: "b", old value: "a"'),
    ("geo $v { ranges; delete 10.0.0.0-10.0.0.1; }", 'no address range "10.0.0.0-10.0.0.1" to delete'),
])
def test_what_is_only_warned_of(serve, geos, message):
    program = serve(answering("x", geos))
    program.wait_for_error(message)


def test_random_networks_agree_with_nginx(sallyport, nginx):
    """The same networks and ranges, within one another, asked of both."""
    source = random.Random(9)

    def address():
        return f"{source.choice((10, 11))}.{source.choice((0, 1))}." \
               f"{source.choice((0, 255))}.{source.choice((0, 1, 254, 255))}"

    geos = []
    for i in range(20):
        entries = {}
        for n in range(30):
            prefix = source.choice((8, 9, 15, 16, 17, 23, 24, 30, 31, 32))
            number = int.from_bytes(bytes(map(int, address().split("."))), "big")
            number = number >> (32 - prefix) << (32 - prefix)
            network = ".".join(map(str, number.to_bytes(4, "big")))
            entries[f"{network}/{prefix}"] = n
        lines = " ".join(f"{network} {n};" for network, n in entries.items())
        geos.append(f"geo $arg_a $v{i} {{ {lines} }}")
    text = answering(" ".join(f"<$v{i}>" for i in range(20)), "\n".join(geos))
    ours, theirs = sallyport(text), nginx(text)
    with ours.client() as one, theirs.client() as other:
        for _ in range(80):
            asked = address()
            assert (asked, ask(one, asked)) == (asked, ask(other, asked))


# --- ours alone: nginx has it since 1.29

def test_a_volatile_value_is_not_kept(sallyport):
    program = sallyport("""
        geo $arg_a $v { volatile; default d; 10.0.0.0/8 ten; }
        server { listen 127.0.0.1:@port:http@; return 200 "$v"; }
    """)
    assert program.get("/?a=10.0.0.1").body == b"ten"
