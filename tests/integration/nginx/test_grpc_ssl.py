"""The grpc_ssl_ directives: whom we accept, whom we are, and how we speak. They are proxy_ssl_'s under other
names (test_proxy_ssl.py has those to the last detail): here each does what it says, and grpc_pass listens to it."""
import ssl

import pytest

from support.backend import response
from test_grpc_pass import OK, call, here, http2, reply  # noqa: F401  (fixtures)

TRUST = "grpc_ssl_trusted_certificate @authority@; grpc_ssl_name backend.test;"


@pytest.fixture
def secure(http2, authority):  # noqa: F811
    """secure(pair, asks=): a backend over TLS that chooses HTTP/2; what it says of the connection is in
    the trailer "tls"."""
    def start(pair=None, asks=False):
        def answer(stream):
            sock = stream.session.connection.socket
            peer = sock.getpeercert()
            name = dict(part[0] for part in peer["subject"])["commonName"] if peer else "nobody"
            stream.respond(trailers=[("grpc-status", "0"), ("tls", " ".join([
                sock.version(), sock.cipher()[0], str(stream.session.connection.server_name),
                str(sock.session_reused), name]))])

        context = (pair or authority.certificate("backend.test", "127.0.0.1")).server_context()
        context.set_alpn_protocols(["h2"])
        if asks:
            context.load_verify_locations(authority.chain)
            context.verify_mode = ssl.CERT_REQUIRED
        return http2(answer, tls=context)

    return start


def said(proxy, target="/"):
    """Version, cipher, the name asked for, whether it was resumed, the client's name."""
    answer = call(proxy, target, body=None)
    trailers = dict(answer.trailers)
    return trailers["tls"].split(" ") if "tls" in trailers else answer.field("grpc-status")


def location(directives, trust=TRUST):
    return f"location / {{ grpc_pass grpcs://@to@; {trust} {directives} }}"


def test_backends_are_verified_by_default(here, secure):  # noqa: F811
    proxy = here(location("", trust="grpc_ssl_name backend.test;"), to=secure())
    assert said(proxy) == "14"
    proxy.wait_for_error("trust its issuer with grpc_ssl_trusted_certificate")


def test_nginx_s_default_is_not_to_verify(sallyport, secure):
    proxy = sallyport("""compat nginx; events {} http { server { listen 127.0.0.1:@port:http@ http2;
        location / { grpc_pass grpcs://@to@; } } }""", to=secure().backend)
    assert said(proxy)[2:] == ["None", "False", "nobody"]


@pytest.mark.parametrize("directives, good", [
    ("", True), ("grpc_ssl_name other.test;", False),
    ("grpc_ssl_name other.test; grpc_ssl_verify off;", True), ("grpc_ssl_name $arg_none;", False)])
def test_the_name_must_be_the_backend_s(here, secure, directives, good):  # noqa: F811
    trust = "grpc_ssl_trusted_certificate @authority@;" + ("" if directives else "grpc_ssl_name backend.test;")
    assert (said(here(location(directives, trust), to=secure())) != "14") == good


def test_the_name_is_asked_for_unless_that_is_off(here, secure):  # noqa: F811
    proxy = here(f"""{TRUST} location / {{ grpc_pass grpcs://@to@; }}
        location /off {{ grpc_pass grpcs://@to@; grpc_ssl_server_name off; }}""", to=secure())
    assert [said(proxy, target)[2] for target in ("/", "/off")] == ["backend.test", "None"]


@pytest.mark.parametrize("intermediates, depth, good", [(2, "", True), (2, "grpc_ssl_verify_depth 1;", False),
                                                        (1, "grpc_ssl_verify_depth 1;", True)])
def test_the_depth_of_chains_is_bounded(here, secure, authority, intermediates, depth, good):  # noqa: F811
    pair = authority.chained("backend.test", intermediates=intermediates)
    proxy = here(location(depth), to=secure(pair))
    assert (said(proxy) != "14") == good
    if not good:
        proxy.wait_for_error("grpc_ssl_verify_depth")


def test_a_revoked_backend_is_refused(here, secure, authority):  # noqa: F811
    pair = authority.certificate("backend.test", "127.0.0.1")
    proxy = here(location(f"grpc_ssl_crl {authority.revocation_list(pair)};"), to=secure(pair))
    assert said(proxy) == "14"
    proxy.wait_for_error("grpc_ssl_crl")
    clean = here(location(f"grpc_ssl_crl {authority.revocation_list()};"), to=secure(pair))
    assert said(clean) != "14"


def test_a_pin_is_checked(here, secure, authority):  # noqa: F811
    pair, other = authority.certificate("backend.test", "127.0.0.1"), authority.certificate("other.test")
    assert said(here(location(f"grpc_ssl_pin {pair.pin()};"), to=secure(pair))) != "14"
    proxy = here(location(f"grpc_ssl_pin {other.pin()};"), to=secure(pair))
    assert said(proxy) == "14"
    proxy.wait_for_error("grpc_ssl_pin")


@pytest.mark.parametrize("directives, version, cipher", [
    ("grpc_ssl_protocols TLSv1.2;", "TLSv1.2", None),
    ("grpc_ssl_protocols TLSv1.3;", "TLSv1.3", None),
    ("grpc_ssl_protocols TLSv1.2; grpc_ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256;",
     "TLSv1.2", "AES128-GCM-SHA256"),
    ("grpc_ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;", "TLSv1.3", "CHACHA20_POLY1305_SHA256"),
])
def test_versions_and_ciphers(here, secure, directives, version, cipher):  # noqa: F811
    spoken = said(here(location(directives), to=secure()))
    assert spoken[0] == version
    assert cipher is None or spoken[1].endswith(cipher)


@pytest.mark.parametrize("directive, resumed", [("", True), ("grpc_ssl_session_reuse off;", False)])
def test_sessions_are_resumed_unless_that_is_off(here, secure, directive, resumed):  # noqa: F811
    to = secure()
    proxy = here(f"location / {{ grpc_pass grpcs://group; {TRUST} {directive} }}",
                 before="upstream group { server @to@; keepalive_requests 1; }", to=to)
    assert [said(proxy)[3] for _ in range(3)][1:] == [str(resumed)] * 2


def test_backends_are_shown_a_certificate(here, secure, authority):  # noqa: F811
    proxy = here(location("grpc_ssl_certificate @cert:gateway.test@; "
                          "grpc_ssl_certificate_key @key:gateway.test@;"), to=secure(asks=True))
    assert said(proxy)[4] == "gateway.test"


def test_a_key_may_be_encrypted(here, secure, authority, tmp_path):  # noqa: F811
    pair = authority.certificate("gateway.test")
    key, password = tmp_path / "key", tmp_path / "password"
    key.write_bytes(open(pair.encrypted_key("secret"), "rb").read())
    password.write_text("wrong\nsecret\n")
    for file in (key, password):
        file.chmod(0o600)
    proxy = here(location(f"grpc_ssl_certificate {pair.chain}; grpc_ssl_certificate_key {key}; "
                          f"grpc_ssl_password_file {password};"), to=secure(asks=True))
    assert said(proxy)[4] == "gateway.test"


def test_a_backend_that_asks_for_a_certificate_says_so_in_our_names(here, secure):  # noqa: F811
    proxy = here(location(""), to=secure(asks=True))
    assert said(proxy) == "14"
    proxy.wait_for_error("grpc_ssl_certificate")
    assert "proxy_ssl" not in proxy.errors


@pytest.mark.parametrize("cache", ["max=10 inactive=1m valid=1m", "off"])
def test_certificates_that_variables_name_are_kept_or_read_anew(here, secure, authority, open_folder, cache):  # noqa: F811
    import os
    import pwd
    import shutil

    def place(name):
        pair = authority.certificate(name)
        shutil.copyfile(pair.chain, open_folder / "a.crt.new")
        (open_folder / "a.crt.new").chmod(0o644)
        shutil.copyfile(pair.key, open_folder / "a.key.new")
        (open_folder / "a.key.new").chmod(0o640)
        if os.geteuid() == 0:
            os.chown(open_folder / "a.key.new", 0, pwd.getpwnam("nobody").pw_gid)
        for kind in ("crt", "key"):
            os.replace(open_folder / f"a.{kind}.new", open_folder / f"a.{kind}")

    place("first.test")
    proxy = here(location(f"grpc_ssl_certificate {open_folder}/$arg_name.crt; "
                          f"grpc_ssl_certificate_key {open_folder}/$arg_name.key; "
                          f"grpc_ssl_certificate_cache {cache};"), to=secure(asks=True))
    assert said(proxy, "/?name=a")[4] == "first.test"
    place("second.test")
    assert said(proxy, "/?name=a")[4] == ("second.test" if cache == "off" else "first.test")


def test_a_backend_that_does_not_choose_http2_is_told_of(here, make_backend, authority):  # noqa: F811
    backend = make_backend(response("x"), tls=authority.certificate("backend.test").server_context())
    proxy = here(location(""), to=backend)
    assert call(proxy).field("grpc-status") == "14"
    proxy.wait_for_error("does not choose HTTP/2 by ALPN; let it speak HTTP/2 while")
