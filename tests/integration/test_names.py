"""Names of backends: looked up, looked up again, and what holds while name servers are at fault."""
import os
import socket
import threading
import time

import pytest

from support import Backend, NameServer, reserve_port, seconds, wait_for
from support.backend import response

SITE = """
    worker_processes 2;
    error_log stderr notice;
    keepalive_requests 1000000;
    upstream app { resolver @dns@ @parameters@; server app.test:@backend_port@ resolve; }
    server {
        listen 127.0.0.1:@port:http@;
        location / { proxy_pass http://app; proxy_connect_timeout 20s; }
    }
"""


@pytest.fixture
def make_name_server():
    servers = []

    def make(*arguments, **options):
        servers.append(NameServer(*arguments, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def backends():
    """Backends at 127.0.0.1, .2 and .3, all on one port, that answer with their address."""
    port = reserve_port()
    made = [Backend(response(host), host=host, port=port)
            for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3")]
    yield made
    for backend in made:
        backend.stop()


def start(sallyport, dns, port, text=SITE, parameters="", **values):
    return sallyport(text, dns=dns, backend_port=port, parameters=parameters, **values)


def answer(proxy):
    got = proxy.get("/")
    return got.status, got.text


def counter(proxy, name):
    return proxy.status()["counters"][name]


class Load:
    """Requests without pause from several threads; every answer but 200 is a failure."""

    def __init__(self, proxy, threads=3):
        self.proxy = proxy
        self.seen = set()
        self.last = {}  # answer -> when the last request began that had it
        self.answered = 0
        self.failures = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def run(self):
        try:
            with self.proxy.client() as client:
                while not self.stopping.is_set():
                    began = time.monotonic()
                    got = client.get("/")
                    self.answered += 1
                    self.seen.add(got.text)
                    self.last[got.text] = max(began, self.last.get(got.text, 0))
                    if got.status != 200:
                        self.failures.append(got.head)
        except Exception as failure:  # all of them are what the test is about
            self.failures.append(repr(failure))


@pytest.mark.threads
@pytest.mark.parametrize("ttl", [1, 2])
def test_new_addresses_are_used_within_ttl_and_a_second_under_load_and_no_request_fails(
        sallyport, make_name_server, backends, capsys, ttl):
    dns = make_name_server({"app.test": ["127.0.0.1"]}, ttl=ttl)
    proxy = start(sallyport, dns, backends[0].port)
    delays = []  # from a change to the last request that began and met an address of before
    with Load(proxy) as load:
        wait_for(lambda: load.answered > 50, "the load to begin")
        assert load.seen == {"127.0.0.1"}
        before = {"127.0.0.1"}
        for addresses in ({"127.0.0.2"}, {"127.0.0.2", "127.0.0.3"}, {"127.0.0.3"}, {"127.0.0.1"},
                          {"127.0.0.2", "127.0.0.3"}, {"127.0.0.1"}):
            changed = time.monotonic()
            dns.records["app.test"] = sorted(addresses)
            # The first look-up after the change, and then all new addresses and no other.
            wait_for(lambda: load.seen.clear() or time.sleep(0.05) or
                     load.failures or load.seen == addresses, f"requests to reach {addresses} alone")
            arrived = time.monotonic()
            gone = before - addresses
            delays.append(max((load.last[each] for each in gone), default=arrived) - changed)
            before = addresses
        assert not load.failures
    assert not load.failures
    assert "[error]" not in proxy.errors
    with capsys.disabled():
        print(f"\nDNS change under load, TTL {ttl} s: old addresses got requests for at most "
              f"{max(delays):.2f} s ({', '.join(f'{delay:.2f}' for delay in delays)}); "
              f"{load.answered} requests, none failed")
    # The bar is TTL + 1 s, and the figure above is measured for it; here, where other tests share the
    # machine, the test says no more than that the TTL rules.
    assert max(delays) <= ttl + (1 if os.environ.get("SALLYPORT_LONG") else seconds(5))


def test_a_peer_whose_address_remains_keeps_its_connections(sallyport, make_name_server, backends):
    dns = make_name_server({"app.test": ["127.0.0.1"]}, ttl=1)
    proxy = start(sallyport, dns, backends[0].port,
                  SITE.replace("worker_processes 2", "worker_processes 1"))
    answer(proxy)
    dns.records["app.test"] = ["127.0.0.2", "127.0.0.1"]
    wait_for(lambda: answer(proxy) == (200, "127.0.0.2"), "the new address to be used")
    answer(proxy)
    assert len(backends[0].connections) == 1


@pytest.mark.parametrize("mode", ["silent", "servfail", "refused", "empty", "no such name"])
def test_old_addresses_stay_in_use_while_the_name_server_is_at_fault(
        sallyport, make_name_server, backends, mode):
    dns = make_name_server({"app.test": ["127.0.0.1"]}, ttl=1)
    proxy = start(sallyport, dns, backends[0].port,
                  SITE.replace("worker_processes 2", "worker_processes 1"))
    assert answer(proxy) == (200, "127.0.0.1")
    if mode == "no such name":
        del dns.records["app.test"]
    else:
        dns.mode = mode
    counted = "dns_gone" if mode in ("empty", "no such name") else "dns_stale"
    with Load(proxy) as load:
        wait_for(lambda: counter(proxy, counted) >= 2, f"two failed look-ups in {counted}", within=30)
        dns.mode = "answer"
        dns.records["app.test"] = ["127.0.0.2"]
        wait_for(lambda: load.failures or "127.0.0.2" in load.seen, "the new address to be used", within=20)
    assert not load.failures
    words = "has lost its addresses" if counted == "dns_gone" else "could not be resolved again"
    errors = proxy.wait_for_error("is resolved again")
    assert errors.count(words) == errors.count("is resolved again") == 1, errors


def test_an_answer_that_is_cut_off_is_asked_for_by_tcp(sallyport, make_name_server, backends):
    dns = make_name_server({"app.test": ["127.0.0.1"]})
    dns.mode = "truncated"
    proxy = start(sallyport, dns, backends[0].port)
    assert answer(proxy) == (200, "127.0.0.1")
    assert [query for query in dns.asked("app.test") if query[0] == "tcp"]


def test_answers_that_nobody_asked_for_are_not_believed(sallyport, make_name_server, backends):
    dns = make_name_server({"app.test": ["127.0.0.1"]})
    dns.mode = "garbage"
    proxy = start(sallyport, dns, backends[0].port)
    for _ in range(3):
        assert answer(proxy) == (200, "127.0.0.1")


def test_families_that_are_off_are_not_asked_for(sallyport, make_name_server, backends):
    dns = make_name_server({"app.test": ["127.0.0.1", "::1"]})
    proxy = start(sallyport, dns, backends[0].port, parameters="ipv6=off")
    for _ in range(4):
        assert answer(proxy) == (200, "127.0.0.1")
    assert {kind for _, _, kind in dns.asked("app.test")} == {1}


def test_valid_replaces_the_ttl(sallyport, make_name_server, backends):
    dns = make_name_server({"app.test": ["127.0.0.1"]}, ttl=3600)
    proxy = start(sallyport, dns, backends[0].port, parameters="valid=1s")
    assert answer(proxy) == (200, "127.0.0.1")
    dns.records["app.test"] = ["127.0.0.2"]
    wait_for(lambda: answer(proxy) == (200, "127.0.0.2"), "the new address to be used")


def test_names_out_of_variables_are_asked_of_the_location_s_resolver(
        sallyport, make_name_server, backends):
    one = make_name_server({"app.test": ["127.0.0.1"]})
    two = make_name_server({"app.test": ["127.0.0.2"]})
    proxy = sallyport("""
        resolver @one@;
        server {
            listen 127.0.0.1:@port:http@;
            location /one { proxy_pass http://$arg_host:@backend_port@; }
            location /two { resolver @two@; proxy_pass http://$arg_host:@backend_port@; }
        }
    """, one=one, two=two, backend_port=backends[0].port)
    assert proxy.get("/one?host=app.test").text == "127.0.0.1"
    assert proxy.get("/two?host=app.test").text == "127.0.0.2"
    assert proxy.get("/one?host=unknown.test").status == 502
    assert "unknown.test:" in proxy.wait_for_error("could not be resolved (host not found")


def test_a_name_server_may_have_a_name(sallyport, make_name_server, backends):
    dns = make_name_server({"app.test": ["127.0.0.1"]})
    proxy = start(sallyport, f"localhost:{dns.port}", backends[0].port)
    assert answer(proxy) == (200, "127.0.0.1")


def test_an_unknown_name_is_a_warning_then_502_until_it_is_found(sallyport, make_name_server, backends):
    dns = make_name_server()
    proxy = start(sallyport, dns, backends[0].port)
    assert "[emerg]" not in proxy.wait_for_error('host not found in upstream "app.test:')
    assert proxy.get("/").status == 502
    dns.records["app.test"] = ["127.0.0.1"]
    wait_for(lambda: answer(proxy) == (200, "127.0.0.1"), "the name to be found", within=20)


def test_an_unknown_name_is_an_error_under_compat_nginx(sallyport, make_name_server):
    dns = make_name_server()
    done = sallyport.make().check("compat nginx; access_log off;" + SITE, dns=dns,
                                 backend_port=80, parameters="")
    assert done.returncode == 1
    assert '[emerg] host not found in upstream "app.test:80" in ' in done.stderr
    assert "main.conf:5" in done.stderr


def test_name_servers_that_are_down_hold_nothing_up_for_long(sallyport, make_name_server, backends):
    dns = make_name_server()
    dns.mode = "silent"
    names = "".join(f"server n{i}.test resolve; " for i in range(20))
    proxy = sallyport.make()
    began = time.monotonic()
    done = proxy.check("""
        upstream many { resolver @dns@; @names@ }
        server { listen 127.0.0.1:@port:http@; location / { proxy_pass http://many; } }
    """, dns=dns, names=names)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("host not found in upstream") == 20
    assert time.monotonic() - began < seconds(15)  # not one after the other


# -- services


SERVICE = SITE.replace("worker_processes 2", "worker_processes 1").replace(
    "server app.test:@backend_port@ resolve;", "server app.test service=http resolve;")


def start_service(sallyport, make_name_server, backends, records, text=SERVICE, **options):
    dns = make_name_server({f"{name}.test": [backend.host] for name, backend in zip("abc", backends)}, ttl=1)
    dns.services["_http._tcp.app.test"] = records
    return dns, start(sallyport, dns, backends[0].port, text, **options)


def test_a_service_s_records_give_weights_and_backups(sallyport, make_name_server, backends):
    port = backends[0].port
    _, proxy = start_service(sallyport, make_name_server, backends,
                             [(20, 9, port, "c.test"), (10, 3, port, "a.test"), (10, 1, port, "b.test")])
    # The first host that is known will do for a request; the others come with later ones.
    wait_for(lambda: answer(proxy) and len(proxy.status()["upstreams"][0]["peers"]) == 3, "three hosts")
    wait_for(lambda: {answer(proxy)[1] for _ in range(4)} == {"127.0.0.1", "127.0.0.2"}, "both hosts")
    got = [answer(proxy) for _ in range(40)]
    assert got.count((200, "127.0.0.1")) == 30
    assert got.count((200, "127.0.0.2")) == 10
    peers = {peer["address"]: peer for peer in proxy.status()["upstreams"][0]["peers"]}
    assert {address.partition(":")[0]: (peer["backup"], peer["weight"]) for address, peer in peers.items()} == {
        "127.0.0.1": (False, 3), "127.0.0.2": (False, 1), "127.0.0.3": (True, 9)}
    backends[0].stop()
    backends[1].stop()
    assert answer(proxy) == (200, "127.0.0.3")


def test_ports_come_from_the_service_s_records_and_a_dot_joins_the_names(sallyport, make_name_server, make_backend):
    made = [make_backend(response(f"backend {number}")) for number in range(2)]
    dns = make_name_server({"a.test": ["127.0.0.1"]})
    dns.services["one.two.app.test"] = [(1, 1, backend.port, "a.test") for backend in made]
    proxy = start(sallyport, dns, 1, SERVICE.replace("service=http", "service=one.two"))
    # The first that is known will do for a request; the other comes with a later one.
    wait_for(lambda: {answer(proxy) for _ in range(4)} == {(200, "backend 0"), (200, "backend 1")}, "both")


def test_a_service_s_new_hosts_are_used_under_load_and_no_request_fails(sallyport, make_name_server, backends):
    port = backends[0].port
    dns, proxy = start_service(sallyport, make_name_server, backends, [(1, 1, port, "a.test")])
    with Load(proxy) as load:
        wait_for(lambda: load.answered > 50, "the load to begin")
        for names, hosts in (("b", {"127.0.0.2"}), ("bc", {"127.0.0.2", "127.0.0.3"}), ("a", {"127.0.0.1"})):
            dns.services["_http._tcp.app.test"] = [(1, 1, port, f"{name}.test") for name in names]
            wait_for(lambda: load.seen.clear() or time.sleep(0.05) or
                     load.failures or load.seen == hosts, f"requests to reach {hosts} alone")
    assert not load.failures
    assert "[error]" not in proxy.errors


@pytest.mark.parametrize("mode", ["silent", "servfail", "no such name"])
def test_a_service_s_old_hosts_stay_in_use_while_the_name_server_is_at_fault(
        sallyport, make_name_server, backends, mode):
    dns, proxy = start_service(sallyport, make_name_server, backends, [(1, 1, backends[0].port, "a.test")])
    assert answer(proxy) == (200, "127.0.0.1")
    if mode == "no such name":
        del dns.services["_http._tcp.app.test"]
    else:
        dns.mode = mode
    counted = "dns_gone" if mode == "no such name" else "dns_stale"
    wait_for(lambda: answer(proxy) == (200, "127.0.0.1") and counter(proxy, counted) >= 1,
             f"a failed look-up in {counted}", within=30)
    assert answer(proxy) == (200, "127.0.0.1")


def test_a_service_of_too_many_and_of_broken_records_is_bounded(sallyport, make_name_server, backends):
    port = backends[0].port
    many = [(5, 1, port, f"none{number}.test") for number in range(1500)]
    dns = make_name_server({"a.test": ["127.0.0.1"]}, ttl=1)
    dns.services["_http._tcp.app.test"] = [*many, (1, 1, port, "a.test")]
    dns.mode = "truncated"
    proxy = start(sallyport, dns, port, SERVICE)
    # The one of the lowest priority number is kept.
    wait_for(lambda: answer(proxy) == (200, "127.0.0.1"), "the host to be found")
    assert counter(proxy, "limit_dns_addresses") >= 1469
    assert len({query[1] for query in dns.queries if query[1].startswith("none")}) <= 31
    for target in (b"\xc0\xff", b"\x3f" + b"a" * 10, b"\x05a b/c\0", b"".join(b"\x3f" + b"a" * 63 for _ in range(5)) + b"\0"):
        dns.services["_http._tcp.app.test"] = [(1, 1, port, target)]
        before = counter(proxy, "dns_failures")
        wait_for(lambda: answer(proxy) == (200, "127.0.0.1") and counter(proxy, "dns_failures") > before,
                 "a failed look-up")
    proxy.wait_for_error("invalid answer of the name server")


def test_an_unknown_service_is_a_warning_then_502_until_it_is_found(sallyport, make_name_server, backends):
    dns, proxy = start_service(sallyport, make_name_server, backends, [(0, 0, 0, b"\0")])
    proxy.wait_for_error('host not found in upstream "app.test service=http"')
    assert proxy.get("/").status == 502
    dns.services["_http._tcp.app.test"] = [(0, 0, backends[0].port, "a.test")]
    wait_for(lambda: answer(proxy) == (200, "127.0.0.1"), "the service to be found", within=20)


class DeadListener:
    """Takes no connection: its queue is full, and further SYNs are dropped."""

    def __init__(self, host, port):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(0)
        self.fillers = []
        for _ in range(3):
            filler = socket.socket(family)
            filler.setblocking(False)
            filler.connect_ex((host, port))
            self.fillers.append(filler)

    def close(self):
        for each in [*self.fillers, self.listener]:
            each.close()


def test_a_family_that_leads_nowhere_costs_no_connect_timeout(sallyport, make_name_server, backends):
    dns = make_name_server({"app.test": ["127.0.0.1", "::1"]}, ttl=60)
    dead = DeadListener("::1", backends[0].port)
    try:
        proxy = start(sallyport, dns, backends[0].port,
                      SITE.replace("worker_processes 2", "worker_processes 1")
                      .replace("proxy_connect_timeout 20s", "proxy_connect_timeout 300s"))
        for _ in range(10):
            assert answer(proxy) == (200, "127.0.0.1")
        assert counter(proxy, "upstream_family_changes") == 1
        assert counter(proxy, "limit_connect_time") == 0
    finally:
        dead.close()
