"""Many servers with certificates of their own: each client gets the right one, at a bounded price."""
import ssl

import pytest

NAMES = [f"shop{number}.example" for number in range(30)]


def sites(names, main=""):
    servers = "".join(f"""
        server {{
            listen 127.0.0.1:@port:https@ ssl;
            server_name {name};
            ssl_certificate @cert:{name}@;
            ssl_certificate_key @key:{name}@;
            return 200 "$ssl_server_name";
        }}""" for name in names)
    return f"{main} events {{ }} http {{ {servers} }}"


def parsed(proxy):
    return proxy.status()["counters"]["certificates_parsed"]


def ask(proxy, name, context=None):
    with proxy.tls_client(name=name, context=context) as client:
        names = [value for kind, value in client.socket.getpeercert()["subjectAltName"] if kind == "DNS"]
        assert names == [name]
        assert client.get("/", host=name).text == name


def test_each_of_many_servers_shows_its_own_certificate(sallyport):
    proxy = sallyport(sites(NAMES))
    assert parsed(proxy) == 0, "none was asked for"
    for name in NAMES + NAMES:
        ask(proxy, name)
    assert parsed(proxy) == len(NAMES), "each was made ready once"


def test_a_worker_keeps_as_many_certificates_as_it_may_and_those_asked_for_last(sallyport):
    proxy = sallyport(sites(NAMES[:3], "worker_certificates 2;"))
    first, second, third = NAMES[:3]
    for name in (first, second, first, third, first):
        ask(proxy, name)
    assert parsed(proxy) == 3, "the second gave way to the third"
    ask(proxy, second)
    assert parsed(proxy) == 4


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_clients_in_turn_meet_servers_whose_certificates_gave_way(sallyport, authority, version):
    proxy = sallyport(sites(NAMES[:4], "worker_certificates 1;"))
    context = authority.client_context(versions=(version, version))
    for _ in range(3):
        for name in NAMES[:4]:
            ask(proxy, name, context)
    assert parsed(proxy) == 12


def test_a_reload_changes_how_many_are_kept(sallyport):
    proxy = sallyport(sites(NAMES[:2], "worker_certificates 1;"))
    for name in NAMES[:2] * 2:
        ask(proxy, name)
    assert parsed(proxy) == 4
    proxy.reload(sites(NAMES[:2]))
    before = parsed(proxy)
    for name in NAMES[:2] * 3:
        ask(proxy, name)
    assert parsed(proxy) - before <= 2
