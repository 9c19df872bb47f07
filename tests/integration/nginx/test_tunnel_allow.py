"""tunnel_allow: where clients may have tunnels to that choose the target themselves.

nginx has no such thing: a `tunnel_pass` without an address is a way to everywhere for everybody, the
machine's own services included."""
import pytest

from support import NameServer, wait_for
from support.ports import reserve_port
from test_tunnel_pass import echo, opened, request, status

SITE = """
    resolver @dns@ ipv6=off;
    resolver_timeout 2s;
    server {
        listen 127.0.0.1:@port:http@;
        #server
    }
"""


@pytest.fixture
def dns():
    server = NameServer({"local.test": ["127.0.0.1"], "mixed.test": ["192.168.255.254", "127.0.0.1"],
                         "public.test": ["198.51.100.7"], "sub.local.test": ["127.0.0.1"]})
    yield server
    server.stop()


@pytest.fixture
def start(sallyport, make_backend, dns):
    def run(inside, main="", **values):
        backend = make_backend(serve=echo)
        proxy = sallyport(SITE.replace("#server", inside), main=main, backend=backend, dns=dns, port_of_it=backend.port,
                          nobody=reserve_port(), **values)
        proxy.backend = backend
        return proxy

    return run


def works(proxy, target):
    with proxy.client() as client:
        opened(client, target)
        client.send("hello")
        return client.receive_exactly(5) == b"hello"


@pytest.mark.parametrize("inside", ["tunnel_pass;", "tunnel_pass $host:$request_port;"])
def test_nothing_is_allowed_by_default(start, dns, inside):
    proxy = start(inside)
    for target in (str(proxy.backend), f"local.test:{proxy.backend.port}", "public.test:443", "198.51.100.7:443"):
        assert status(proxy, request(target)) == 403
    proxy.wait_for_error("no tunnel_allow covers the target")
    assert "127.0.0.1:" + str(proxy.backend.port) in proxy.errors
    assert dns.queries == [] and proxy.backend.connections == []


def test_compat_nginx_allows_everything(sallyport, make_backend, dns):
    backend = make_backend(serve=echo)
    proxy = sallyport("compat nginx; events {} http {" + SITE.replace("#server", "tunnel_pass;") + "}",
                      backend=backend, dns=dns)
    assert works(proxy, str(backend)) and works(proxy, f"local.test:{backend.port}")


@pytest.mark.parametrize("allow, host", [
    ("127.0.0.1:@port_of_it@", "127.0.0.1"), ("127.0.0.0/8:*", "127.0.0.1"),
    ("127.0.0.0/8:*", "local.test"), ("10.0.0.0/8 127.0.0.0/8:@port_of_it@", "local.test"),
    ("local.test:* 127.0.0.1:*", "local.test"), ("127.0.0.0/8:*", "LOCAL.test"),
])
def test_what_is_allowed(start, allow, host):
    proxy = start(f"tunnel_allow {allow}; location / {{ tunnel_pass; }}")
    assert works(proxy, f"{host}:{proxy.backend.port}")


@pytest.mark.parametrize("allow, host", [
    ("any:*", "127.0.0.1"), ("any:*", "local.test"), ("local.test:*", "local.test"),
    (".local.test:*", "sub.local.test"), ("*.local.test:*", "sub.local.test"),
    ("127.0.0.1", "127.0.0.1"), ("127.0.0.0/8:443", "local.test"), ("other.test:*", "local.test"),
    ("10.0.0.0/8:*", "127.0.0.1"), ("any:*", "[::ffff:127.0.0.1]"), ("any:*", "[::1]"), ("any:*", "0.0.0.0"),
    ("any:*", "[64:ff9b::7f00:1]"),
])
def test_what_is_not(start, allow, host):
    """Names lead to this machine and its networks for whoever owns a name; a port is 443 unless said."""
    proxy = start(f"tunnel_allow {allow}; tunnel_pass;")
    assert status(proxy, request(f"{host}:{proxy.backend.port}")) == 403
    proxy.wait_for_error("no tunnel_allow covers the target")
    assert proxy.backend.connections == []


def test_each_address_of_a_name_is_looked_at(start):
    """The one that is not allowed is passed over, not connected to."""
    proxy = start("tunnel_allow 127.0.0.0/8:*; tunnel_connect_timeout 30s; tunnel_pass;")
    for _ in range(4):
        assert works(proxy, f"mixed.test:{proxy.backend.port}")


def test_a_name_that_changes_is_looked_at_anew(start, dns):
    """DNS rebinding: what counts is the address that is connected to."""
    dns.records["moves.test"] = ["127.0.0.1"]
    proxy = start("tunnel_allow 127.0.0.0/8:*; tunnel_pass;")
    assert works(proxy, f"moves.test:{proxy.backend.port}")
    dns.records["moves.test"] = ["192.168.255.254"]
    wait_for(lambda: status(proxy, request(f"moves.test:{proxy.backend.port}")) == 403, "the new address")


def test_a_group_that_variables_name_needs_no_rule(sallyport, make_backend, dns):
    backend = make_backend(serve=echo)
    proxy = sallyport("upstream group { server @backend@; } map $host $to { good.test group; default nobody:1; }"
                      + SITE.replace("#server", "tunnel_pass $to;"), backend=backend, dns=dns)
    with proxy.client() as client:
        opened(client, "good.test:443")
    assert status(proxy, request("bad.test:443")) == 403


def test_a_name_that_nobody_knows(start):
    proxy = start("tunnel_allow any; tunnel_pass;")
    assert status(proxy, request("unknown.test:443")) == 502
    proxy.wait_for_error("unknown.test:443 could not be resolved")


def test_a_nearer_block_has_its_own_list(start):
    proxy = start("tunnel_allow 127.0.0.0/8:*; tunnel_pass; location / { tunnel_allow 10.0.0.0/8; tunnel_pass; }")
    assert status(proxy, request(str(proxy.backend))) == 403


def test_without_a_list_a_warning_says_so(sallyport, dns):
    proxy = sallyport(SITE.replace("#server", "tunnel_pass;"), dns=dns)
    assert "\"tunnel_pass\" opens no tunnel here" in proxy.errors
    assert "tunnel_allow" in proxy.errors


@pytest.mark.parametrize("rule", ["", ":443", "a b:443", "any:0", "any:65536", "any:x", "a.test:443:443", "*", "*.",
                                  "10.0.0.0/33", "[::1:443", "a.test/8", "unix:/run/x"])
def test_what_is_no_rule(sallyport, dns, rule):
    result = sallyport.make().check(SITE.replace("#server", f'tunnel_allow "{rule}"; tunnel_pass;'), dns=dns)
    assert result.returncode == 1 and "tunnel_allow" in result.stderr
