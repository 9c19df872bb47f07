"""TLS toward clients: versions, names, certificates, ALPN, keys and their files."""
import os
import shutil
import socket
import ssl
import subprocess

import pytest

from support.waiting import seconds

TLS12 = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
TLS13 = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)

SITE = """
    server {
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        return 200 "$scheme\n";
    }
"""


def s_client(port, *arguments, data="", name="example.com"):
    """Runs openssl s_client to its end; returns what it printed."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name, *arguments],
        input=data, capture_output=True, text=True, errors="replace", timeout=seconds(20),
        check=False)
    return done.stdout + done.stderr


def certificate_shown(port, name, context_options=()):
    """The certificate (DER) that a client asking for `name` is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for option in context_options:
        option(context)
    with socket.create_connection(("127.0.0.1", port), timeout=seconds(10)) as raw:
        with context.wrap_socket(raw, server_hostname=name) as tls:
            return tls.getpeercert(binary_form=True)


@pytest.mark.parametrize("versions, name", [(TLS12, "TLSv1.2"), (TLS13, "TLSv1.3")])
def test_both_versions_are_spoken(sallyport, authority, versions, name):
    proxy = sallyport(SITE)
    with proxy.tls_client(context=authority.client_context(versions=versions)) as client:
        assert client.socket.version() == name
        assert client.get("/").text == "https\n"
        assert client.get("/").text == "https\n"


@pytest.mark.parametrize("suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                   "TLS_CHACHA20_POLY1305_SHA256"])
@pytest.mark.parametrize("command", ["k", "K"])  # the client's key changes; both sides' change
def test_keys_may_be_updated_in_the_middle_of_a_connection(sallyport, suite, command):
    proxy = sallyport(SITE)
    request = "GET / HTTP/1.1\nHost: example.com\n\n"
    with subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port('https')}", "-servername",
             "example.com", "-tls1_3", "-ciphersuites", suite, "-crlf"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace") as client:
        said = ""
        for turn in range(1, 4):
            client.stdin.write(request)
            client.stdin.flush()
            while said.count("https\n") < turn and (line := client.stdout.readline()):
                said += line
            assert said.count("HTTP/1.1 200") == turn, said
            client.stdin.write(command + "\n")  # on a line of its own it is a command
            client.stdin.flush()
            while said.count("KEYUPDATE") < turn and (line := client.stdout.readline()):
                said += line
        client.stdin.close()
        client.wait(seconds(20))
    assert suite in said
    assert said.count("KEYUPDATE") == 3, said


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_older_versions_are_refused(sallyport, version):
    proxy = sallyport(SITE)
    said = s_client(proxy.port("https"), version, "-cipher", "ALL:@SECLEVEL=0")
    assert "protocol version" in said
    assert "Cipher is (NONE)" in said or "Cipher    : 0000" in said


def test_ssl_protocols_narrows_the_versions(sallyport, authority):
    proxy = sallyport(SITE.replace("return", "ssl_protocols TLSv1.2; return"))
    with proxy.tls_client() as client:
        assert client.socket.version() == "TLSv1.2"
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        proxy.tls_client(context=authority.client_context(versions=TLS13))


def test_ssl_protocols_may_differ_between_servers_of_one_socket(sallyport, authority):
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:https@ ssl;
            server_name example.com;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            return 200 any;
        }
        server {
            listen 127.0.0.1:@port:https@ ssl;
            server_name strict.test;
            ssl_certificate @cert:strict.test@;
            ssl_certificate_key @key:strict.test@;
            ssl_protocols TLSv1.3;
            return 200 strict;
        }
    """)
    old = authority.client_context(versions=TLS12)
    with proxy.tls_client(context=old) as client:
        assert client.get("/", host="example.com").text == "any"
    with proxy.tls_client(name="strict.test") as client:
        assert client.get("/", host="strict.test").text == "strict"
    with pytest.raises(ssl.SSLError):
        proxy.tls_client(name="strict.test", context=old)


def test_ssl_ciphers_and_the_server_s_preference(sallyport):
    policy = """ssl_protocols TLSv1.2; ssl_prefer_server_ciphers on;
                ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256; return"""
    proxy = sallyport(SITE.replace("return", policy))
    both = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
    assert "ECDHE-ECDSA-AES256-GCM-SHA384" in s_client(proxy.port("https"), "-cipher", both)
    assert "Cipher is (NONE)" in s_client(
        proxy.port("https"), "-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305")


def test_without_the_server_s_preference_the_client_chooses(sallyport):
    policy = """ssl_protocols TLSv1.2; ssl_prefer_server_ciphers off;
                ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256; return"""
    proxy = sallyport(SITE.replace("return", policy))
    both = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
    assert "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256" in s_client(
        proxy.port("https"), "-cipher", both)


def test_bad_ciphers_are_an_error_at_load(sallyport):
    done = sallyport.make().check(SITE.replace("return", "ssl_ciphers NO-SUCH-CIPHER; return"))
    assert done.returncode == 1
    assert "ssl_ciphers" in done.stderr and "NO-SUCH-CIPHER" in done.stderr


def test_weak_ciphers_are_not_offered(sallyport):
    proxy = sallyport(SITE)
    for weak in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-CCM8", "AES256-GCM-SHA384"):
        said = s_client(proxy.port("https"), "-tls1_2", "-cipher", f"{weak}:@SECLEVEL=0")
        assert "Cipher is (NONE)" in said, weak


SERVERS = "".join(f"""
    server {{
        listen 127.0.0.1:@port:https@ ssl{" default_server" if host == "default.test" else ""};
        server_name {pattern};
        ssl_certificate @cert:{host}@;
        ssl_certificate_key @key:{host}@;
        return 200 "{host}";
    }}""" for host, pattern in [
        ("exact.example.com", "exact.example.com"),
        ("front.example.com", "*.example.com"),
        ("back.example.com", "www.*"),
        ("regex.example.com", r"~^r\d+\.test$"),
        ("dotted.example.com", ".dotted.test"),
        ("default.test", "default.test"),
    ])


@pytest.mark.parametrize("asked, shown", [
    ("exact.example.com", "exact.example.com"),
    ("EXACT.Example.com", "exact.example.com"),
    ("other.example.com", "front.example.com"),
    ("deep.other.example.com", "front.example.com"),
    ("www.anything.org", "back.example.com"),
    ("www.example.com", "front.example.com"),  # a wildcard in front is stronger
    ("r123.test", "regex.example.com"),
    ("dotted.test", "dotted.example.com"),
    ("sub.dotted.test", "dotted.example.com"),
    ("nobody.test", "default.test"),
    (None, "default.test"),
])
def test_each_server_shows_its_certificate(asked, shown, request):
    proxy = request.getfixturevalue("many_names")
    assert certificate_shown(proxy.port("https"), asked) == (
        proxy.authority.certificate(shown).fingerprint())


@pytest.fixture(scope="module")
def many_names(authority):
    from conftest import program_under_test
    from support import Sallyport
    program = Sallyport(authority)
    program.binary = program_under_test()
    program.start(SERVERS)
    yield program
    try:
        program.stop()
    finally:
        program.kill()
        program.remove()


def test_alpn_chooses_http_1_1(sallyport, authority):
    proxy = sallyport(SITE)
    for offered in (["http/1.1"], ["h2", "http/1.1"]):
        with proxy.tls_client(context=authority.client_context(protocols=offered)) as client:
            assert client.socket.selected_alpn_protocol() == "http/1.1"
            assert client.get("/").status == 200
    with proxy.tls_client() as client:
        assert client.socket.selected_alpn_protocol() is None
        assert client.get("/").status == 200


def test_a_client_that_speaks_none_of_our_protocols_is_told_so(sallyport):
    proxy = sallyport(SITE)
    said = s_client(proxy.port("https"), "-alpn", "imap")
    assert "no application protocol" in said


def test_plain_http_on_a_tls_port_is_a_clear_400(sallyport):
    proxy = sallyport(SITE)
    with proxy.client("https") as client:
        answer = client.get("/")
        assert answer.status == 400
        assert "The plain HTTP request was sent to HTTPS port" in answer.text
        assert client.is_closed()
    assert proxy.curl("/").stdout == "https\n", "and others are served on"


def test_garbage_on_a_tls_port_ends_the_connection(sallyport):
    proxy = sallyport(SITE)
    with proxy.client("https") as client:
        client.send(b"\x00\x01\x02\x03garbage that is neither\r\n\r\n")
        client.receive_all()
    assert proxy.curl("/").stdout == "https\n"


def test_rsa_and_ecdsa_side_by_side(sallyport, authority):
    rsa = authority.certificate("example.com", algorithm="rsa")
    proxy = sallyport(SITE.replace("return", f"""
        ssl_certificate {rsa.chain};
        ssl_certificate_key {rsa.key};
        return"""))
    ec = authority.certificate("example.com")
    port = proxy.port("https")

    def only(ciphers):
        return [lambda context: setattr(context, "maximum_version", ssl.TLSVersion.TLSv1_2),
                lambda context: context.set_ciphers(ciphers)]

    assert certificate_shown(port, "example.com", only("ECDHE+aRSA")) == rsa.fingerprint()
    assert certificate_shown(port, "example.com", only("ECDHE+aECDSA")) == ec.fingerprint()
    said = s_client(port, "-sigalgs", "rsa_pss_rsae_sha256")
    assert "RSA-PSS" in said and "Cipher is (NONE)" not in said
    assert "ECDSA" in s_client(port, "-sigalgs", "ecdsa_secp256r1_sha256")


def test_the_chain_is_sent_whole(sallyport, authority, tmp_path):
    leaf = authority.certificate("example.com")
    chain = tmp_path / "full.crt"
    chain.write_text(leaf.chain.read_text() + authority.chain.read_text())
    proxy = sallyport(SITE.replace("@cert:example.com@", str(chain)))
    said = s_client(proxy.port("https"), "-showcerts")
    assert said.count("BEGIN CERTIFICATE") == 2


# -- key files


@pytest.fixture
def key_of_mode(authority, tmp_path):
    def make(mode):
        key = tmp_path / f"{mode:o}.key"
        shutil.copy(authority.certificate("example.com").key, key)
        os.chmod(key, mode)
        return key
    return make


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_key_file_is_fine(sallyport, key_of_mode, mode):
    done = sallyport.make().check(SITE.replace("@key:example.com@", str(key_of_mode(mode))))
    assert done.returncode == 0, done.stderr
    assert str(key_of_mode(0o600)) not in done.stderr


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o666, 0o606])
def test_a_key_file_that_others_can_read_is_refused_with_a_hint(sallyport, key_of_mode, mode):
    key = key_of_mode(mode)
    done = sallyport.make().check(SITE.replace("@key:example.com@", str(key)))
    assert done.returncode == 1
    assert str(key) in done.stderr
    assert "chmod" in done.stderr


def test_under_compat_nginx_it_is_a_warning(sallyport, key_of_mode):
    key = key_of_mode(0o644)
    text = SITE.replace("@key:example.com@", str(key))
    done = sallyport.make().check("events {} compat nginx; http { access_log off;" + text + "}")
    assert done.returncode == 0, done.stderr
    assert "[warn]" in done.stderr and str(key) in done.stderr


def test_a_key_that_is_not_the_certificate_s_is_named(sallyport, authority):
    other = authority.certificate("other.test").key
    done = sallyport.make().check(SITE.replace("@key:example.com@", str(other)))
    assert done.returncode == 1
    assert str(other) in done.stderr
    assert "key values mismatch" in done.stderr or "does not match" in done.stderr


def test_a_server_with_tls_but_no_certificate_is_an_error(sallyport):
    done = sallyport.make().check("server { listen 127.0.0.1:@port:https@ ssl; return 200; }")
    assert done.returncode == 1
    assert 'no "ssl_certificate" is defined' in done.stderr


def test_a_certificate_without_its_key_is_an_error(sallyport):
    text = SITE.replace("ssl_certificate_key @key:example.com@;", "")
    done = sallyport.make().check(text)
    assert done.returncode == 1
    assert 'no "ssl_certificate_key" is defined' in done.stderr


@pytest.mark.parametrize("replace, by, words", [
    ("@cert:example.com@", "@dir@/none.crt", "none.crt"),
    ("@cert:example.com@", "@key:example.com@", "cannot load certificate"),
    ("@key:example.com@", "@dir@/none.key", "none.key"),
])
def test_files_that_cannot_be_read_are_named_with_their_line(sallyport, replace, by, words):
    done = sallyport.make().check(SITE.replace(replace, by))
    assert done.returncode == 1
    assert words in done.stderr
    assert "main.conf:" in done.stderr


def test_a_key_file_without_a_key_is_an_error(sallyport, tmp_path):
    key = tmp_path / "empty.key"
    key.write_text("nothing of use\n")
    os.chmod(key, 0o600)
    done = sallyport.make().check(SITE.replace("@key:example.com@", str(key)))
    assert done.returncode == 1
    assert "cannot load certificate key" in done.stderr and "empty.key" in done.stderr


def test_an_encrypted_key_is_refused_and_nobody_is_asked(sallyport, authority, tmp_path):
    key = tmp_path / "locked.key"
    subprocess.run(["openssl", "pkey", "-in", authority.certificate("example.com").key, "-aes256",
                    "-passout", "pass:secret", "-out", key], check=True)
    os.chmod(key, 0o600)
    done = sallyport.make().check(SITE.replace("@key:example.com@", str(key)))
    assert done.returncode == 1
    assert "locked.key" in done.stderr


def test_certificates_are_replaced_by_a_reload(sallyport, authority):
    proxy = sallyport(SITE)
    port = proxy.port("https")
    assert certificate_shown(port, "example.com") == authority.certificate("example.com").fingerprint()
    proxy.reload(SITE.replace("cert:example.com", "cert:renewed.test")
                 .replace("key:example.com", "key:renewed.test"))
    assert certificate_shown(port, "example.com") == authority.certificate("renewed.test").fingerprint()


def test_a_reload_with_a_broken_key_changes_nothing(sallyport, key_of_mode):
    proxy = sallyport(SITE)
    before = proxy.status()["generation"]
    proxy.configure(SITE.replace("@key:example.com@", str(key_of_mode(0o644))))
    proxy.send_signal(1)
    proxy.wait_for_error("not reloaded")
    proxy.wait_for_error("can be read or written by everyone")
    assert proxy.status()["generation"] == before
    assert proxy.get("/").status == 200
