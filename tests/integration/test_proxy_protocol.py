"""PROXY protocol from clients and toward backends, against curl, HAProxy, nginx and whoever lies."""
import contextlib
import pathlib
import shutil
import socket
import struct
import subprocess

import pytest
from support import wait_for
from support.backend import response
from support.client import Client, curl
from support.ports import reserve_port

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"
VARIABLES = ("$proxy_protocol_addr|$proxy_protocol_port|$proxy_protocol_server_addr|"
             "$proxy_protocol_server_port")
TLVS = "$proxy_protocol_tlv_alpn|$proxy_protocol_tlv_authority|$proxy_protocol_tlv_0xea"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def addresses(source="192.0.2.1", destination="198.51.100.7", ports=(56324, 443)):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    return (socket.inet_pton(family, source) + socket.inet_pton(family, destination) +
            struct.pack("!HH", *ports))


def v2(block=addresses(), command=0x21, family=0x11, length=None):
    return SIGNATURE + struct.pack("!BBH", command, family,
                                   len(block) if length is None else length) + block


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def with_checksum(block, wrong=0):
    crc = 0xFFFFFFFF
    for byte in v2(block + tlv(3, bytes(4))):
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return v2(block + tlv(3, struct.pack("!I", crc ^ 0xFFFFFFFF ^ wrong)))


@pytest.fixture
def gate(sallyport):
    """Listens with proxy_protocol in the clear and over TLS; tells what the header said."""
    return sallyport(f"""
        server {{
            listen 127.0.0.1:@port:http@ proxy_protocol;
            listen 127.0.0.1:@port:https@ ssl proxy_protocol;
            server_name example.com;
            ssl_certificate @cert:example.com@; ssl_certificate_key @key:example.com@;
            location / {{ return 200 "{VARIABLES}|$remote_addr"; }}
            location /tlv {{ return 200 "{TLVS}"; }}
        }}
        server {{
            listen 127.0.0.1:@port:impatient@ proxy_protocol;
            listen 127.0.0.1:@port:impatient_https@ ssl proxy_protocol;
            ssl_certificate @cert:example.com@; ssl_certificate_key @key:example.com@;
            client_header_timeout 1s;
        }}
        server {{
            listen 127.0.0.1:@port:real@ proxy_protocol;
            set_real_ip_from 127.0.0.1;
            real_ip_header proxy_protocol;
            return 200 "$remote_addr:$remote_port|$realip_remote_addr";
        }}
    """, main="error_log stderr info;")


def told(gate, header, target="/", port="http"):
    with Client(gate.port(port)) as client:
        client.send(header)
        return client.get(target).text


def refused(gate):
    return gate.status()["counters"].get("proxy_headers_refused", 0)


# -- from clients: what is well


@pytest.mark.parametrize("header, expected", [
    (V1, "192.0.2.1|56324|198.51.100.7|443|127.0.0.1"),
    (b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", "2001:db8::1|1|::1|65535|127.0.0.1"),
    (b"PROXY UNKNOWN\r\n", "||||127.0.0.1"),
    (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "||||127.0.0.1"),
    (v2(), "192.0.2.1|56324|198.51.100.7|443|127.0.0.1"),
    (v2(addresses("2001:db8::1", "::1"), family=0x21), "2001:db8::1|56324|::1|443|127.0.0.1"),
    (v2(b"/run/a".ljust(108, b"\0") + bytes(108), family=0x31), "unix:||unix:||127.0.0.1"),
    (v2(b"", command=0x20, family=0), "||||127.0.0.1"),
    (v2(command=0x20), "||||127.0.0.1"),
    (with_checksum(addresses()), "192.0.2.1|56324|198.51.100.7|443|127.0.0.1"),
], ids=["v1-4", "v1-6", "v1-unknown", "v1-unknown-more", "v2-4", "v2-6", "v2-unix", "v2-local",
        "v2-local-more", "v2-checksum"])
def test_the_header_tells_who_the_client_is(gate, header, expected):
    assert told(gate, header) == expected


def test_the_header_may_come_in_any_pieces_and_with_what_follows(gate):
    for header in (V1, v2(addresses() + tlv(1, b"h2"))):
        assert told(gate, header + GET) == "192.0.2.1|56324|198.51.100.7|443|127.0.0.1"
        with Client(gate.port("http")) as client:
            for byte in header + GET:
                client.send(bytes([byte]))
            assert client.response().text.startswith("192.0.2.1|")


def test_tlvs_are_variables(gate):
    block = addresses() + tlv(4, b"\0\0") + tlv(1, b"h2") + tlv(2, b"a.test") + tlv(0xEA, b"vpce")
    assert told(gate, v2(block), "/tlv") == "h2|a.test|vpce"
    assert told(gate, V1, "/tlv") == "||"


def test_real_ip_takes_the_address_and_port_from_the_header(gate):
    assert told(gate, V1, port="real") == "192.0.2.1:56324|127.0.0.1"
    assert told(gate, b"PROXY UNKNOWN\r\n", port="real").startswith("127.0.0.1:")


@pytest.mark.parametrize("header", [V1, v2(addresses() + tlv(2, b"a.test"))], ids=["v1", "v2"])
def test_the_header_comes_before_tls(gate, header):
    with socket.create_connection(("127.0.0.1", gate.port("https")), timeout=20) as plain:
        plain.sendall(header)
        context = gate.authority.client_context()
        with context.wrap_socket(plain, server_hostname="example.com") as client:
            client.sendall(GET)
            assert b"192.0.2.1|56324|" in client.recv(65536)


def test_curl_speaks_it(gate):
    done = curl("--haproxy-protocol", f"http://127.0.0.1:{gate.port('http')}/")
    assert done.stdout.startswith("127.0.0.1|")
    done = curl("--haproxy-protocol", "--cacert", gate.authority.chain, "--resolve",
                f"example.com:{gate.port('https')}:127.0.0.1",
                f"https://example.com:{gate.port('https')}/")
    assert done.stdout.startswith("127.0.0.1|")


def test_a_unix_socket_takes_the_header_too(sallyport):
    program = sallyport.make()
    path = program.folder / "a.sock"
    program.start(f'server {{ listen unix:{path} proxy_protocol; return 200 "{VARIABLES}"; }}')
    with Client(f"unix:{path}") as client:
        client.send(V1)
        assert client.get().text == "192.0.2.1|56324|198.51.100.7|443"


# -- from clients: what is not


@pytest.mark.parametrize("header, why", [
    (GET, "it does not begin as one"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "it does not begin as one"),
    (b"PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n", "it does not begin as one"),
    (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n" + GET, "the line is not as version 1 says"),
    (b"PROXY TCP4 1.1.1.1 localhost 1 2\r\n", "the line is not as version 1 says"),
    (b"PROXY TCP4 1.1.1.1 2.2.2.2 70000 2\r\n", "the line is not as version 1 says"),
    (b"PROXY TCP4 " + b"1" * 200, "the line is not as version 1 says"),
    (v2(command=0x31), "its version is unknown"),
    (v2(command=0x2F), "its command is unknown"),
    (v2(family=0x41), "its address family is unknown"),
    (v2(length=0xFFFF), "it is too large"),
    (v2(addresses()[:-1]), "it is too short for its addresses"),
    (v2(addresses() + b"\x01\x00\x09h2"), "a TLV is cut off"),
    (with_checksum(addresses(), wrong=1), "the checksum is wrong"),
], ids=["http", "tls", "udp", "bare-lf", "name", "port", "endless", "version", "command", "family",
        "too-large", "too-short", "tlv", "checksum"])
def test_a_broken_header_ends_the_connection_with_one_line(gate, header, why):
    with Client(gate.port("http")) as client:
        with contextlib.suppress(OSError):
            client.send(header)
        assert client.is_closed()
    errors = gate.wait_for_error(why)
    assert errors.count("while reading PROXY protocol, client: 127.0.0.1, server: 127.0.0.1:") == 1
    assert "[error]" in errors and "broken header: " in errors
    assert refused(gate) == 1
    assert gate.status()["counters"].get("requests", 0) == 0


def test_a_header_that_does_not_come_in_time_ends_the_connection(gate):
    with Client(gate.port("impatient")) as silent, Client(gate.port("impatient_https")) as half:
        half.send(V1[:20])
        assert silent.is_closed() and half.is_closed()
    gate.wait_for_error("client timed out (110: Connection timed out) while reading PROXY protocol")
    wait_for(lambda: refused(gate) == 2, "both to be counted")
    assert gate.status()["counters"]["limit_header_time"] == 2


def test_a_slow_drip_does_not_extend_the_time(gate):
    with Client(gate.port("impatient")) as client:
        client.send(SIGNATURE + b"\x21\x11\x0f\x00")

        def drip():
            try:
                client.send(b"x")
            except OSError:
                return True
            return False
        wait_for(drip, "the connection to be closed")
    assert refused(gate) == 1


def test_a_client_that_leaves_early_is_told_at_info(gate):
    for sent in (b"", V1[:-1], v2()[:-1]):
        with Client(gate.port("http")) as client:
            client.send(sent).half_close()
            assert client.is_closed()
    gate.wait_for_error("client closed connection while reading PROXY protocol")
    wait_for(lambda: refused(gate) == 3, "three to be counted")
    assert "[error]" not in gate.errors


def test_the_parameter_comes_and_goes_with_a_reload(sallyport):
    program = sallyport("server { listen 127.0.0.1:@port:http@; return 200 $proxy_protocol_addr.; }")
    with program.client() as old:
        assert old.get().text == "."
        program.reload("server { listen 127.0.0.1:@port:http@ proxy_protocol;"
                       " return 200 $proxy_protocol_addr.; }")
        assert old.get().text == "."  # it began without one
        with program.client() as client:
            client.send(V1)
            assert client.get().text == "192.0.2.1."
        with program.client() as client:
            client.send(GET)
            assert client.is_closed()


# -- HAProxy and nginx as peers


@contextlib.contextmanager
def haproxy(folder, text, port):
    """HAProxy with this configuration, once it listens on the port."""
    if not shutil.which("haproxy"):
        pytest.skip("haproxy is not installed")
    path = pathlib.Path(folder) / "haproxy.cfg"
    path.write_text("defaults\n  mode http\n  timeout connect 10s\n  timeout client 20s\n"
                    f"  timeout server 20s\n{text}\n")
    with open(pathlib.Path(folder) / "haproxy.log", "wb") as log:
        process = subprocess.Popen(["setpriv", "--pdeathsig=TERM", "haproxy", "-db", "-f", str(path)],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def listens():
        assert process.poll() is None, (pathlib.Path(folder) / "haproxy.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    try:
        wait_for(listens, "HAProxy to listen")
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("how", ["send-proxy", "send-proxy-v2",
                                 "send-proxy-v2 proxy-v2-options crc32c,authority"])
@pytest.mark.parametrize("port, tls", [("http", ""), ("https", "ssl verify none sni str(example.com)")])
def test_haproxy_as_the_sender(gate, how, port, tls):
    front = reserve_port()
    with haproxy(gate.folder, f"""
listen front
  bind 127.0.0.1:{front}
  server gate 127.0.0.1:{gate.port(port)} {how} {tls}
""", front):
        with Client(front) as client:
            mine = client.socket.getsockname()[1]
            text = client.get(host="example.com").text
    assert text == f"127.0.0.1|{mine}|127.0.0.1|{front}|127.0.0.1"


@pytest.mark.parametrize("version", ["on", "v1", "v2"])
def test_haproxy_as_the_receiver(sallyport, version):
    program = sallyport.make()
    back, secure = reserve_port(), reserve_port()
    certificate = program.authority.certificate("backend.test")
    combined = program.folder / "combined.pem"
    combined.write_bytes(pathlib.Path(certificate.chain).read_bytes() +
                         pathlib.Path(certificate.key).read_bytes())
    with haproxy(program.folder, f"""
frontend back
  bind 127.0.0.1:{back} accept-proxy
  bind 127.0.0.1:{secure} accept-proxy ssl crt {combined}
  http-request return status 200 content-type text/plain lf-string %[src]:%[src_port]|%[dst]:%[dst_port]
""", back):
        program.start(f"""
            server {{
                listen 127.0.0.1:@port:http@;
                proxy_protocol {version};
                location / {{ proxy_pass http://127.0.0.1:{back}; }}
                location /tls {{ proxy_pass https://127.0.0.1:{secure}; proxy_ssl_name backend.test;
                                 proxy_ssl_trusted_certificate @authority@; }}
            }}
        """)
        for target in ("/", "/tls", "/"):
            with program.client() as client:
                mine = client.socket.getsockname()[1]
                expected = f"127.0.0.1:{mine}|127.0.0.1:{program.port('http')}"
                assert client.get(target).text == expected
                assert client.get(target).text == expected
    counters = program.status()["counters"]
    assert counters["upstream_connects"] == 6
    assert counters.get("upstream_reuses", 0) == 0


def test_nginx_as_the_receiver(sallyport, nginx):
    back = nginx('server { listen 127.0.0.1:@port:http@ proxy_protocol;'
                 ' return 200 "$proxy_protocol_addr:$proxy_protocol_port"; }')
    for version in ("v1", "v2"):
        program = sallyport(f"""
            server {{ listen 127.0.0.1:@port:http@; listen [::1]:@port:six@;
                      location / {{ proxy_pass http://127.0.0.1:{back.port("http")};
                                    proxy_protocol {version}; }} }}
        """)
        for port, host in (("http", "127.0.0.1"), ("six", "::1")):
            with Client(program.port(port), host=host) as client:
                mine = client.socket.getsockname()[1]
                assert client.get().text == f"{host}:{mine}"


def test_a_header_goes_through_both_doors(sallyport, make_backend):
    backend = make_backend(response("x"))
    program = sallyport("""
        server {
            listen 127.0.0.1:@port:http@ proxy_protocol;
            set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;
            location / { proxy_pass http://@backend@; proxy_protocol on; }
        }
    """, backend=backend)
    with program.client() as client:
        client.send(V1)
        assert client.get().status == 200
    assert backend.last.line == f"PROXY TCP4 192.0.2.1 127.0.0.1 56324 {program.port('http')}"


def test_a_client_of_a_unix_socket_is_told_as_unknown(sallyport, make_backend):
    backend = make_backend(response("x"))
    program = sallyport.make()
    path = program.folder / "a.sock"
    program.start(f"server {{ listen unix:{path};"
                  " location / { proxy_pass http://@backend@; proxy_protocol on; } }",
                  backend=backend)
    with Client(f"unix:{path}") as client:
        assert client.get().status == 200
    assert backend.last.line == "PROXY UNKNOWN"


def test_two_clients_never_share_a_connection(sallyport, make_backend):
    backend = make_backend(response("x"))
    program = sallyport("""
        upstream u { server @backend@; keepalive 8; }
        server { listen 127.0.0.1:@port:http@;
                 location / { proxy_pass http://u; proxy_protocol on; } }
    """, backend=backend)
    ports = []
    for _ in range(2):
        with program.client() as client:
            ports.append(client.socket.getsockname()[1])
            for _ in range(2):
                assert client.get().status == 200
    lines = [request.line.split()[4] for request in backend.wait_for_requests(4)]
    assert lines == [str(port) for port in ports for _ in range(2)]
    assert len(backend.connections) == 4
    assert all(request.field("Connection") == "close" for request in backend.requests)
