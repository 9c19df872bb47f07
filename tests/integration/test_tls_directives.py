"""Directives of TLS toward clients, each as a real client meets it."""
import contextlib
import hashlib
import os
import socket
import ssl
import stat
import subprocess
import time

import pytest

from support.waiting import seconds, wait_for
from test_tls_clients import TLS12, TLS13, s_client
from test_tls_tickets import resumed, ticket

SITE = """
    @directives@
    server {
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        location / { return 200 "$ssl_protocol\\n"; }
        location /files/ { alias @dir@/files/; }
    }
"""


def site(directives):
    return SITE.replace("@directives@", directives)


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def context(request, authority):
    return authority.client_context(versions=TLS12 if request.param == "TLSv1.2" else None)


# -- the key exchange


def test_ssl_ecdh_curve_decides_the_group(sallyport):
    proxy = sallyport(site("ssl_ecdh_curve secp384r1:prime256v1;"))
    assert "Server Temp Key: ECDH, secp384r1" in s_client(proxy.port("https"))
    assert "Server Temp Key: ECDH, prime256v1" in s_client(
        proxy.port("https"), "-curves", "X25519:P-256")
    assert "handshake failure" in s_client(proxy.port("https"), "-curves", "X25519")


def test_each_server_name_has_its_own_groups(sallyport):
    proxy = sallyport(site("") + """
        server {
            listen 127.0.0.1:@port:https@ ssl;
            server_name strict.test;
            ssl_certificate @cert:strict.test@;
            ssl_certificate_key @key:strict.test@;
            ssl_ecdh_curve P-384;
            return 200;
        }
    """)
    assert "Server Temp Key: X25519" in s_client(proxy.port("https"))
    assert "Server Temp Key: ECDH, secp384r1" in s_client(proxy.port("https"), name="strict.test")


def test_an_unknown_group_is_an_error_at_load(sallyport):
    done = sallyport.make().check(site("ssl_ecdh_curve X25519:nonsense;"))
    assert done.returncode == 1
    assert 'the groups "X25519:nonsense" are not accepted' in done.stderr


@pytest.mark.parametrize("make", [
    ("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"),
    ("dhparam", "-dsaparam", "2048")], ids=["DH", "X9.42"])
def test_ssl_dhparam_brings_dhe_suites(sallyport, make):
    rsa = """ssl_certificate @dir@/rsa.crt; ssl_certificate_key @dir@/rsa.key;"""
    text = site("ssl_dhparam dh.pem;").replace("ssl_certificate @cert:example.com@;", rsa).replace(
        "ssl_certificate_key @key:example.com@;", "")
    proxy = sallyport.make()
    made = proxy.authority.certificate("example.com", algorithm="rsa")
    proxy.write("rsa.crt", made.chain.read_text())
    proxy.write("rsa.key", made.key.read_text())
    os.chmod(proxy.folder / "rsa.key", 0o600)
    file = str(proxy.folder / "conf/dh.pem")
    subprocess.run(["openssl", make[0], "-out", file, *make[1:]], check=True, capture_output=True)
    proxy.start(text)
    dhe = ("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256")
    assert "Server Temp Key: DH, 2048 bits" in s_client(proxy.port("https"), *dhe)
    proxy.reload(text.replace("ssl_dhparam dh.pem;", ""))
    assert "Cipher is (NONE)" in s_client(proxy.port("https"), *dhe)


def test_ssl_conf_command_reaches_openssl(sallyport):
    proxy = sallyport(site("""
        ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;
        ssl_conf_command SignatureAlgorithms ecdsa_secp256r1_sha256;
    """))
    assert "Cipher is TLS_CHACHA20_POLY1305_SHA256" in s_client(proxy.port("https"))
    assert "Cipher is (NONE)" in s_client(
        proxy.port("https"), "-sigalgs", "ecdsa_secp384r1_sha384")


def test_a_refused_conf_command_says_why(sallyport):
    done = sallyport.make().check(site("ssl_conf_command RecordPadding 512;"))
    assert done.returncode == 1
    assert 'the command "RecordPadding" is refused: records of TLS 1.3 are not padded' in done.stderr


# -- keys


def encrypt(proxy, password):
    """The server's key, encrypted, in conf/locked.key."""
    key = proxy.authority.certificate("example.com").key
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", str(key), "-out",
                    str(proxy.folder / "conf/locked.key"), "-passout", f"pass:{password}"],
                   check=True)
    os.chmod(proxy.folder / "conf/locked.key", 0o600)


def secret_file(proxy, name, content):
    path = proxy.folder / "conf" / name
    path.write_bytes(content)
    path.chmod(0o600)


LOCKED = site("ssl_password_file passwords;").replace("@key:example.com@", "locked.key")


def test_a_key_with_a_passphrase_is_opened_by_ssl_password_file(sallyport):
    proxy = sallyport.make()
    encrypt(proxy, "open sesame")
    secret_file(proxy, "passwords", b"wrong\nopen sesame\n")
    proxy.start(LOCKED)
    with proxy.tls_client() as client:
        assert client.get("/").text == "TLSv1.3\n"


def test_a_wrong_passphrase_is_an_error_that_names_the_key(sallyport):
    proxy = sallyport.make()
    encrypt(proxy, "open sesame")
    secret_file(proxy, "passwords", b"wrong\n")
    done = proxy.check(LOCKED)
    assert done.returncode == 1
    assert 'cannot load certificate key "locked.key"' in done.stderr
    assert "the password does not open it" in done.stderr


@pytest.mark.parametrize("directive", ["ssl_password_file", "ssl_session_ticket_key"])
def test_files_of_secrets_are_not_for_everyone(sallyport, directive):
    proxy = sallyport.make()
    secret_file(proxy, "secrets", b"x" * 80)
    os.chmod(proxy.folder / "conf/secrets", 0o644)
    done = proxy.check(site(f"{directive} secrets;"))
    assert done.returncode == 1
    assert "can be read or written by everyone" in done.stderr


# -- names that are refused


REJECTING = """
    server {
        listen 127.0.0.1:@port:https@ ssl default_server;
        ssl_reject_handshake on;
    }
"""


def test_a_default_server_may_reject_handshakes_without_a_certificate(sallyport):
    proxy = sallyport(REJECTING + site(""))
    with proxy.tls_client() as client:
        assert client.get("/", host="example.com").text == "TLSv1.3\n"
    assert "unrecognized name" in s_client(proxy.port("https"), name="other.test")
    said = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port('https')}", "-noservername"],
        input="", capture_output=True, text=True, timeout=seconds(20), check=False)
    assert "unrecognized name" in said.stdout + said.stderr
    wait_for(lambda: proxy.status()["counters"]["handshakes_rejected"] == 2)


def test_a_named_server_may_reject_handshakes(sallyport):
    proxy = sallyport(site("") + REJECTING.replace(
        "default_server;", "; server_name gone.test;").replace(
            "ssl_reject", "ssl_certificate @cert:gone.test@; ssl_certificate_key @key:gone.test@; "
                          "ssl_reject"))
    assert "unrecognized name" in s_client(proxy.port("https"), name="gone.test")
    assert certificate_is_shown(proxy, "unknown.test"), "the default server's"


def certificate_is_shown(proxy, name):
    return "BEGIN CERTIFICATE" in s_client(proxy.port("https"), name=name)


# -- sessions


def test_without_tickets_and_cache_every_handshake_is_full(sallyport, context):
    proxy = sallyport(site("ssl_session_tickets off;"))
    session = ticket(proxy, context)
    assert session is None or not resumed(proxy, context, session)


def test_a_shared_cache_resumes_at_every_worker_and_after_a_reload(sallyport, context):
    text = site("ssl_session_tickets off; ssl_session_cache shared:SSL:1m;")
    proxy = sallyport(text, main="worker_processes 2;")
    session = ticket(proxy, context)
    assert all(resumed(proxy, context, session) for _ in range(16))
    proxy.reload(text.replace("return 200", "default_type text/html; return 200"))
    assert resumed(proxy, context, session)
    counters = proxy.status()["counters"]
    assert counters["sessions_stored"] >= 1
    assert counters["sessions_found"] >= 17


def test_a_shared_cache_is_bounded(sallyport, authority):
    proxy = sallyport(site("ssl_session_tickets off; ssl_session_cache shared:SSL:32k;"))
    context = authority.client_context(versions=TLS12)
    first = ticket(proxy, context)
    for _ in range(100):
        last = ticket(proxy, context)
    assert not resumed(proxy, context, first)
    assert resumed(proxy, context, last)
    assert proxy.status()["counters"]["limit_session_cache"] > 0
    assert proxy.status()["counters"]["sessions_missed"] == 1


def test_ssl_session_timeout_ends_sessions(sallyport, context):
    proxy = sallyport(site("ssl_session_timeout 1s;"))
    session = ticket(proxy, context)
    end = time.monotonic() + seconds(20)
    while resumed(proxy, context, session):  # the client itself forgets TLS 1.3's in time
        assert time.monotonic() < end
        time.sleep(0.1)


def test_two_programs_share_sessions_by_a_file_of_ticket_keys(sallyport, context):
    key = os.urandom(80)
    proxies = []
    for _ in range(2):
        proxy = sallyport.make()
        secret_file(proxy, "ticket.key", key)
        proxy.start(site("ssl_session_ticket_key ticket.key;"))
        proxies.append(proxy)
    assert resumed(proxies[1], context, ticket(proxies[0], context))


def test_ticket_keys_are_rotated_by_a_reload(sallyport, context):
    proxy = sallyport.make()
    secret_file(proxy, "old.key", os.urandom(48))
    secret_file(proxy, "new.key", os.urandom(80))
    proxy.start(site("ssl_session_ticket_key old.key;"))
    old = ticket(proxy, context)
    proxy.reload(site("ssl_session_ticket_key new.key; ssl_session_ticket_key old.key;"))
    assert resumed(proxy, context, old)
    new = ticket(proxy, context)
    proxy.reload(site("ssl_session_ticket_key new.key;"))
    assert resumed(proxy, context, new)
    assert not resumed(proxy, context, old)


def test_nginx_and_sallyport_with_one_file_of_keys_fall_back_to_full_handshakes(
        sallyport, nginx, context):
    """A session says which server it is of, and each program writes that its own way."""
    key = os.urandom(80)
    programs = []
    for make in (sallyport.make, nginx.make):
        program = make()
        secret_file(program, "ticket.key", key)
        program.start(site("ssl_session_ticket_key ticket.key;"))
        programs.append(program)
    ours, theirs = programs
    assert not resumed(ours, context, ticket(theirs, context))
    assert not resumed(theirs, context, ticket(ours, context))


# -- records


class Records:
    """A TLS client that sees how large the records are that it is sent."""

    def __init__(self, proxy, context, name="example.com"):
        self.raw = socket.create_connection(("127.0.0.1", proxy.port("https")), timeout=seconds(10))
        self.inward, self.outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.inward, self.outward, server_hostname=name)
        self.sizes, self.seen = [], b""
        self._until(self.tls.do_handshake)
        self.sizes.clear()

    def get(self, target, size):
        request = f"GET {target} HTTP/1.1\r\nHost: example.com\r\n\r\n"
        self.sizes.clear()
        self.tls.write(request.encode())
        body, head = b"", None
        while head is None or len(body) < size:
            body += self._until(lambda: self.tls.read(65536))
            if head is None and b"\r\n\r\n" in body:
                head, _, body = body.partition(b"\r\n\r\n")
        return self.sizes

    def _until(self, step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.raw.sendall(self.outward.read())
                self._receive()
            finally:
                self.raw.sendall(self.outward.read())

    def _receive(self):
        received = self.raw.recv(65536)
        assert received, "the connection ended"
        self.inward.write(received)
        self.seen += received
        while len(self.seen) >= 5 and len(self.seen) >= 5 + int.from_bytes(self.seen[3:5], "big"):
            size = 5 + int.from_bytes(self.seen[3:5], "big")
            if self.seen[0] == 23:
                self.sizes.append(size)
            self.seen = self.seen[size:]

    def close(self):
        self.raw.close()


def with_a_file(proxy, text):
    (proxy.folder / "files").mkdir()
    (proxy.folder / "files").chmod(0o755)
    (proxy.folder / "files/large").write_bytes(b"x" * 200_000)
    proxy.start(text)
    return proxy


def test_records_are_small_first_and_then_large(sallyport, context):
    proxy = with_a_file(sallyport.make(), site(""))
    client = Records(proxy, context)
    sizes = client.get("/files/large", 200_000)
    small = [size for size in sizes if size <= 1400]
    assert len(small) >= 30, sizes
    assert sizes[:30] == [size for size in sizes[:30] if size <= 1400], "the first ones"
    assert max(sizes) > 16_000
    client.close()


def test_ssl_buffer_size_bounds_the_records(sallyport, context):
    proxy = with_a_file(sallyport.make(), site("ssl_buffer_size 4k;"))
    client = Records(proxy, context)
    assert 4000 < max(client.get("/files/large", 200_000)) <= 4096 + 64
    client.close()


def test_records_have_one_size_under_compat_nginx(sallyport, context):
    proxy = sallyport.make()
    with_a_file(proxy, f"compat nginx; events {{}} http {{ access_log off; {site('')} }}")
    client = Records(proxy, context)
    sizes = client.get("/files/large", 200_000)
    assert sum(size <= 1400 for size in sizes) <= 3, sizes
    client.close()


# -- variables


VARIABLES = ("ssl_alpn_protocol ssl_cipher ssl_ciphers ssl_curve ssl_curves ssl_early_data ssl_ja4 "
             "ssl_protocol ssl_server_name ssl_session_id ssl_session_reused ssl_sigalg "
             "ssl_sigalgs").split()


def shown(client):
    answer = client.get("/", host="example.com")
    assert answer.status == 200
    return dict(zip(VARIABLES, answer.text.split("|")))


@pytest.fixture
def showing(sallyport):
    return sallyport(site("").replace('"$ssl_protocol\\n"',
                                      '"' + "|".join("$" + name for name in VARIABLES) + '"'))


def test_variables_tell_of_the_connection(showing, authority):
    context = authority.client_context(versions=TLS13, protocols=("http/1.1",))
    with showing.tls_client(context=context) as client:
        seen = shown(client)
        session = client.socket.session
    assert seen["ssl_alpn_protocol"] == "http/1.1"
    assert seen["ssl_protocol"] == "TLSv1.3"
    assert seen["ssl_curve"] == "X25519"
    assert seen["ssl_session_reused"] == "."
    assert seen["ssl_sigalg"] == "ecdsa_secp256r1_sha256"
    assert seen["ssl_early_data"] == ""
    assert seen["ssl_server_name"] == "example.com"
    assert "TLS_AES_256_GCM_SHA384" in seen["ssl_ciphers"].split(":")
    assert "prime256v1" in seen["ssl_curves"].split(":")
    assert "rsa_pss_rsae_sha256" in seen["ssl_sigalgs"].split(":")
    with showing.tls_client(context=context, session=session) as client:
        again = shown(client)
    assert again["ssl_session_reused"] == "r"
    assert again["ssl_sigalg"] == "", "nothing was signed"
    assert again["ssl_curve"] == "X25519"


def test_the_session_id_is_the_client_s(sallyport, authority):
    proxy = sallyport(site("ssl_session_tickets off; ssl_session_cache shared:SSL:1m;").replace(
        "$ssl_protocol", "$ssl_session_id"))
    with proxy.tls_client(context=authority.client_context(versions=TLS12)) as client:
        assert client.get("/").text.strip() == client.socket.session.id.hex()


def ja4_of(message):
    """JA4 of a ClientHello (without record header) by its specification, once more."""
    def number(at, size=2):
        return int.from_bytes(message[at:at + size], "big")

    def numbers(block):
        values = [int.from_bytes(block[i:i + 2], "big") for i in range(0, len(block), 2)]
        return [value for value in values if value & 0x0f0f != 0x0a0a]

    at = 4 + 2 + 32
    at += 1 + message[at]
    ciphers = numbers(message[at + 2:at + 2 + number(at)])
    at += 2 + number(at)
    at += 1 + message[at]
    at, end = at + 2, at + 2 + number(at)
    extensions = {}
    while at < end:
        extensions[number(at)] = message[at + 4:at + 4 + number(at + 2)]
        at += 4 + number(at + 2)
    kinds = [kind for kind in extensions if kind & 0x0f0f != 0x0a0a]
    versions = numbers(extensions[43][1:]) if 43 in extensions else [number(4)]
    version = {0x0304: "13", 0x0303: "12"}[max(versions)]
    protocol = extensions[16][3:3 + extensions[16][2]].decode() if 16 in extensions else ""
    first = (f"t{version}{'d' if 0 in kinds else 'i'}{len(ciphers):02}{len(kinds):02}"
             f"{protocol[0] + protocol[-1] if protocol else '00'}")
    sorted_ciphers = ",".join(sorted(f"{one:04x}" for one in ciphers))
    rest = ",".join(sorted(f"{one:04x}" for one in kinds if one not in (0, 16)))
    rest += "_" + ",".join(f"{one:04x}" for one in numbers(extensions[13][2:]))
    hashed = [hashlib.sha256(text.encode()).hexdigest()[:12] for text in (sorted_ciphers, rest)]
    return "_".join([first, *hashed])


@pytest.mark.parametrize("versions", [TLS12, TLS13, None])
@pytest.mark.parametrize("protocols", [(), ("http/1.1", "h2")])
def test_ssl_ja4_is_the_fingerprint_of_what_the_client_sent(showing, authority, versions, protocols):
    context = authority.client_context(versions=versions, protocols=protocols)
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    sketch = context.wrap_bio(inward, outward, server_hostname="example.com")
    with pytest.raises(ssl.SSLWantReadError):
        sketch.do_handshake()
    with showing.tls_client(context=context) as client:
        assert shown(client)["ssl_ja4"] == ja4_of(outward.read()[5:])


def test_ssl_ja4_may_be_logged_alone(sallyport, authority):
    proxy = sallyport("log_format mark '$ssl_ja4';" +
                      site("access_log @dir@/logs/marks mark;"))
    with proxy.tls_client() as client:
        client.get("/")
    wait_for(lambda: proxy.read("logs/marks").startswith("t13d"))


def test_tls_variables_are_empty_in_the_clear(sallyport):
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            return 200 "[$ssl_ja4$ssl_session_reused$ssl_session_id$ssl_curve$ssl_ciphers]";
        }
    """)
    assert proxy.get("/").text == "[]"


# -- debugging, and what is refused


def test_ssl_key_log_writes_secrets_and_says_so(sallyport, context):
    proxy = sallyport(site("ssl_key_log logs/keys;"))
    with proxy.tls_client(context=context) as client:
        client.get("/")
        version = client.socket.version()
    wanted = "CLIENT_RANDOM " if version == "TLSv1.2" else "SERVER_TRAFFIC_SECRET_0 "
    assert wanted in proxy.read("logs/keys")
    assert stat.S_IMODE(os.stat(proxy.folder / "logs/keys").st_mode) == 0o600
    assert "[warn]" in proxy.errors and "whoever reads it can decrypt them" in proxy.errors


def test_renegotiation_is_refused(sallyport):
    proxy = sallyport(site(""))
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port('https')}", "-servername",
         "example.com", "-tls1_2"],
        input="R\n", capture_output=True, text=True, timeout=seconds(20), check=False)
    assert "no renegotiation" in (done.stdout + done.stderr).lower()


@pytest.mark.parametrize("limit", ["", "ssl_max_dataless_records 1;"])
def test_a_flood_of_key_updates_is_turned_away(sallyport, limit):
    proxy = sallyport(site(limit))
    with subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port('https')}", "-servername",
             "example.com", "-tls1_3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace") as client:
        def send_more():  # until it is enough: s_client takes one command a read, however many lines it has
            with contextlib.suppress(BrokenPipeError):
                client.stdin.write("k\n")
                client.stdin.flush()
            return proxy.status()["counters"]["limit_records_without_data"] == 1

        wait_for(send_more, "the limit to be counted")
        try:
            client.stdin.close()
        except BrokenPipeError:
            pass
        client.wait(seconds(20))
