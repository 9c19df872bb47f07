"""The proxy_ssl_* directives: whom we accept, whom we are, and how we speak, against real TLS
backends. test_reencryption.py has names, chains and dates."""
import os
import pwd
import ssl

import pytest

from support.backend import response
from support.waiting import wait_for

TRUST = "proxy_ssl_trusted_certificate @authority@; proxy_ssl_name backend.test;"


def site(*locations, http="", server=""):
    """A server with these locations, each (path, directives) and passed to the backend."""
    inside = "\n".join(f"location {path} {{ proxy_pass https://@backend@; {directives} }}"
                       for path, directives in locations)
    return f"{http}\nserver {{ listen 127.0.0.1:@port:http@; {server}\n{inside}\n}}"


def one(directives):
    return site(("/", f"{TRUST} {directives}"))


def error_line(proxy, words):
    lines = proxy.wait_for_error(words).splitlines()
    return next(line for line in lines if words in line and "[error]" in line)


def who(request):
    """Answers with the common name of the client's certificate."""
    certificate = request.connection.socket.getpeercert()
    names = dict(part[0] for part in certificate["subject"]) if certificate else {}
    return response(names.get("commonName", "nobody"))


def how(request):
    """Answers with version, cipher, and whether the session was resumed."""
    socket = request.connection.socket
    return response(f"{socket.version()} {socket.cipher()[0]} {socket.session_reused}",
                    fields=[("Connection", "close")])


@pytest.fixture
def sound(authority):
    return authority.certificate("backend.test", "127.0.0.1")


# -- pins


def test_a_pin_is_enough_and_no_other_key_will_do(sallyport, make_backend, authority, stranger):
    certificate = stranger.certificate("somewhere.test")
    backend = make_backend(tls=certificate.server_context())
    other = authority.certificate("backend.test").pin()
    proxy = sallyport(site(("/good", f"proxy_ssl_pin {certificate.pin()};"),
                           ("/bad", f"proxy_ssl_pin {other};"),
                           ("/new", f"proxy_ssl_pin {other} {certificate.pin()};"),
                           ("/two", f"proxy_ssl_pin {other}; proxy_ssl_pin {certificate.pin()};"),
                           ("/curl", f"proxy_ssl_pin '{other};{certificate.pin()}';"),
                           server="proxy_ssl_verify off;"), backend=backend)
    assert [proxy.get(path).status for path in ("/good", "/bad", "/new", "/two", "/curl", "/bad")] == [
        200, 502, 200, 200, 200, 502]
    line = error_line(proxy, "pin mismatch")
    for word in (certificate.pin(), other, "proxy_ssl_pin", str(backend), "somewhere.test"):
        assert word in line
    counters = proxy.status()["counters"]
    assert counters["upstream_pin_mismatches"] == 2
    assert counters["upstream_untrusted"] == 2
    assert {request.target for request in backend.requests} == {"/good", "/new", "/two", "/curl"}


def test_a_pin_does_not_replace_the_chain(sallyport, make_backend, stranger, authority):
    certificate = stranger.certificate("backend.test")
    backend = make_backend(tls=certificate.server_context())
    proxy = sallyport(one(f"proxy_ssl_pin {certificate.pin()};"), backend=backend)
    assert proxy.get("/").status == 502
    assert "unable to get local issuer certificate" in error_line(proxy, "verify error")
    assert backend.requests == []


def test_pins_are_inherited_and_switched_off(sallyport, tls_backend, stranger):
    wrong = stranger.certificate("x").pin()
    proxy = sallyport(site(("/", ""), ("/off", "proxy_ssl_pin off;"),
                           http=f"{TRUST} proxy_ssl_pin {wrong};"), backend=tls_backend)
    assert proxy.get("/off").status == 200
    assert proxy.get("/").status == 502, "the connection of /off is not for it"
    assert proxy.get("/off").status == 200


# -- revocation lists


def test_a_revoked_backend_gets_no_request(sallyport, make_backend, authority, sound):
    backend = make_backend(tls=sound.server_context())
    clean, revoked = authority.revocation_list(), authority.revocation_list(sound)
    old = authority.revocation_list(expired=True)
    proxy = sallyport(site(("/clean", f"proxy_ssl_crl {clean};"),
                           ("/revoked", f"proxy_ssl_crl {revoked};"),
                           ("/old", f"proxy_ssl_crl {old};"),
                           ("/off", f"proxy_ssl_crl {revoked}; proxy_ssl_verify off;"),
                           server=TRUST), backend=backend)
    assert [proxy.get(path).status for path in ("/clean", "/revoked", "/old", "/off", "/revoked")] == [
        200, 502, 502, 200, 502]
    line = error_line(proxy, "23:certificate revoked")
    for word in ("proxy_ssl_crl", "Test Authority", "backend.test", str(backend)):
        assert word in line
    line = error_line(proxy, "12:CRL has expired")
    assert "proxy_ssl_crl" in line and "Test Authority" in line
    counters = proxy.status()["counters"]
    assert counters["upstream_revoked"] == 2
    assert counters["upstream_revocation_unknown"] == 1
    assert {request.target for request in backend.requests} == {"/clean", "/off"}


def test_an_expired_list_warns_at_load(sallyport, tls_backend, authority):
    done = sallyport.make().check(one(f"proxy_ssl_crl {authority.revocation_list(expired=True)};"),
                                  backend=tls_backend)
    assert done.returncode == 0
    assert 'the revocation list of "CN=Test Authority" has expired' in done.stderr


def test_every_authority_of_a_chain_needs_a_list(sallyport, make_backend, authority):
    backend = make_backend(tls=authority.chained("backend.test", intermediates=1).server_context())
    proxy = sallyport(one(f"proxy_ssl_crl {authority.revocation_list()};"), backend=backend)
    assert proxy.get("/").status == 502
    assert 'a valid list of "CN=Intermediate 0"' in error_line(proxy, "unable to get certificate CRL")


def test_a_new_list_reaches_kept_connections_and_sessions(sallyport, make_backend, authority, sound):
    backend = make_backend(tls=sound.server_context())
    proxy = sallyport.make()
    proxy.write("conf/list.crl", authority.revocation_list().read_text())
    proxy.start(one("proxy_ssl_crl list.crl;"), backend=backend)
    assert [proxy.get("/").status for _ in range(3)] == [200] * 3
    proxy.write("conf/list.crl", authority.revocation_list(sound).read_text())
    proxy.reload()
    assert proxy.get("/").status == 502
    assert len(backend.requests) == 3


# -- a certificate of our own


@pytest.fixture
def asking(authority, sound):
    """A TLS context that asks for a certificate; asking(required) or (version)."""
    def make(mode=ssl.CERT_REQUIRED, version=None):
        context = sound.server_context()
        context.load_verify_locations(authority.chain)
        context.verify_mode = mode
        if version:
            context.minimum_version = context.maximum_version = version
        return context
    return make


SHOW = "proxy_ssl_certificate @cert:client.test@; proxy_ssl_certificate_key @key:client.test@;"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_backends_that_ask_are_shown_our_certificate(sallyport, make_backend, asking, version):
    backend = make_backend(who, tls=asking(version=version))
    proxy = sallyport(one(SHOW), backend=backend)
    assert [proxy.get("/").text for _ in range(2)] == ["client.test"] * 2
    assert proxy.errors == ""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_backend_that_misses_our_certificate_is_told_in_the_log(sallyport, make_backend, asking,
                                                                 version):
    backend = make_backend(who, tls=asking(version=version))
    proxy = sallyport(one(""), backend=backend)
    assert proxy.get("/").status == 502
    line = error_line(proxy, "proxy_ssl_certificate and proxy_ssl_certificate_key")
    assert str(backend) in line
    assert backend.requests == []


def test_a_connection_with_our_certificate_serves_no_location_without(sallyport, make_backend, asking):
    """What one location may ask a backend for is not another's."""
    backend = make_backend(who, tls=asking(ssl.CERT_OPTIONAL))
    proxy = sallyport(site(
        ("/client", ""), ("/nobody", 'proxy_ssl_certificate "";'),
        ("/other", "proxy_ssl_certificate @cert:other.test@; proxy_ssl_certificate_key @key:other.test@;"),
        http=TRUST, server=SHOW), backend=backend)
    expected = {"/client": "client.test", "/nobody": "nobody", "/other": "other.test"}
    for _ in range(3):
        for path, name in expected.items():
            assert proxy.get(path).text == name
    assert len(backend.connections) == 3, "each is kept and used again"


def test_a_key_behind_a_password(sallyport, make_backend, asking, authority):
    certificate = authority.certificate("client.test")
    key = certificate.encrypted_key("secret")
    backend = make_backend(who, tls=asking())
    proxy = sallyport.make()
    passwords = proxy.write("conf/passwords", "wrong\nsecret\n")
    passwords.chmod(0o600)
    text = site(("/", f"proxy_ssl_certificate_key {key};"),
                http=f"{TRUST} proxy_ssl_password_file passwords;",
                server=f"proxy_ssl_certificate {certificate.chain};")
    proxy.start(text, backend=backend)
    assert proxy.get("/").text == "client.test"
    proxy.reload()
    assert proxy.get("/").text == "client.test"


# -- one that variables name

NAMED = "proxy_ssl_certificate users/$arg_user.crt; proxy_ssl_certificate_key users/$arg_user.key;"


@pytest.fixture
def users(sallyport, authority):
    """A program that is not started yet, with the certificates of two users, and how to put one."""
    program = sallyport.make()

    def put(user, name, key=None):
        certificate = authority.certificate(name)
        program.write(f"conf/users/{user}.crt", certificate.chain.read_text())
        path = program.write(f"conf/users/{user}.key", (key or certificate.key).read_text())
        path.chmod(0o640)
        if os.geteuid() == 0:  # server processes are somebody else's then, as nobody's by default
            os.chown(path, 0, pwd.getpwnam("nobody").pw_gid)

    put("ada", "ada.test")
    put("bob", "bob.test")
    program.put = put
    return program


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_each_user_has_a_certificate_and_connections_of_his_own(users, make_backend, asking, version):
    backend = make_backend(who, tls=asking(ssl.CERT_OPTIONAL, version=version))
    users.start(site(("/", NAMED), ("/nobody", 'proxy_ssl_certificate "";'), ("/static", SHOW),
                     http=TRUST), backend=backend)
    expected = {"/?user=ada": "ada.test", "/?user=bob": "bob.test", "/nobody": "nobody",
                "/static": "client.test"}
    for _ in range(3):
        for path, name in expected.items():
            assert users.get(path).text == name
    assert len(backend.connections) == 4, "each is kept and used again, by nobody else"
    counters = users.status()["counters"]
    assert counters["upstream_certificates_read"] == 2
    assert counters["upstream_certificates_found"] == 4
    assert users.errors == ""


def test_no_session_passes_from_one_certificate_to_another(users, make_backend, asking):
    """Whoever resumes is who he was in the first handshake."""
    def answer(request):
        text = who(request).decode().split("\r\n\r\n")[1]
        return response(f"{text} {request.connection.socket.session_reused}",
                        fields=[("Connection", "close")])

    backend = make_backend(answer, tls=asking())
    users.start(one(NAMED), backend=backend)
    seen = [users.get(f"/?user={user}").text for user in ("ada", "bob", "ada", "bob")]
    assert seen == ["ada.test False", "bob.test False", "ada.test True", "bob.test True"]


def test_a_file_that_was_replaced_is_seen(users, make_backend, asking):
    backend = make_backend(who, tls=asking())
    users.start(site(("/", f"{NAMED} proxy_ssl_certificate_cache max=10 valid=1s;"),
                     ("/off", f"{NAMED} proxy_ssl_certificate_cache off;"),
                     ("/long", f"{NAMED} proxy_ssl_certificate_cache max=10 inactive=1h valid=1h;"),
                     http=TRUST), backend=backend)
    assert {users.get(f"{path}?user=ada").text for path in ("/", "/off", "/long")} == {"ada.test"}
    users.put("ada", "new.test")
    assert users.get("/off?user=ada").text == "new.test"
    assert users.get("/long?user=ada").text == "ada.test"
    wait_for(lambda: users.get("/?user=ada").text == "new.test", "the new certificate")
    users.reload()
    assert users.get("/long?user=ada").text == "new.test"


def test_a_certificate_that_is_not_kept_keeps_no_connection(users, make_backend, asking):
    backend = make_backend(who, tls=asking())
    users.start(one(f"{NAMED} proxy_ssl_certificate_cache off;"), backend=backend)
    assert [users.get("/?user=ada").text for _ in range(3)] == ["ada.test"] * 3
    assert len(backend.connections) == 3
    assert users.status()["counters"]["upstream_idle"] == 0


def test_no_value_is_no_certificate(users, make_backend, asking):
    backend = make_backend(who, tls=asking(ssl.CERT_OPTIONAL))
    users.start(one("proxy_ssl_certificate $arg_certificate; proxy_ssl_certificate_key $arg_key;"),
                backend=backend)
    assert users.get("/").text == "nobody"
    assert users.get("/?certificate=users/bob.crt&key=users/bob.key").text == "bob.test"
    assert users.get("/").text == "nobody"


def test_what_cannot_be_shown_is_a_502_and_a_line(users, make_backend, asking, authority):
    backend = make_backend(who, tls=asking(ssl.CERT_OPTIONAL))
    users.put("both", "ada.test", key=authority.certificate("bob.test").key)
    users.put("shut", "ada.test", key=authority.certificate("ada.test").encrypted_key("secret"))
    users.put("open", "ada.test")
    (users.folder / "conf/users/open.key").chmod(0o644)
    users.start(one(NAMED), backend=backend)
    folder = users.folder / "conf/users"
    for user, file, why, advice in (
            ("eve", "eve.crt", "open() failed (2: No such file or directory)", "put the file there"),
            ("both", "both.key", "key values mismatch", "both.crt"),
            ("shut", "shut.key", "is encrypted", "proxy_ssl_password_file"),
            ("open", "open.key", "can be read or written by everyone", "chmod o=")):
        assert users.get(f"/?user={user}").status == 502
        line = error_line(users, f"\"{folder / file}\": ")
        assert why in line and advice in line and str(backend) in line
        errors = users.errors
        assert errors.count("[error]") == errors.count("cannot load certificate")
    assert users.get("/?user=ada").text == "ada.test"
    assert {request.target for request in backend.requests} == {"/?user=ada"}
    counters = users.status()["counters"]
    assert counters["upstream_certificates_failed"] == 4


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server processes are another user's")
def test_a_key_that_the_user_may_not_read_is_a_502_and_a_line(users, make_backend, asking):
    backend = make_backend(who, tls=asking(ssl.CERT_OPTIONAL))
    (users.folder / "conf/users/ada.key").chmod(0o600)
    users.start(one(NAMED), backend=backend)
    assert users.get("/?user=ada").status == 502
    line = error_line(users, "ada.key\": open() failed (13: Permission denied)")
    assert 'as their "user"' in line
    assert users.get("/?user=bob").text == "bob.test"


def test_a_value_that_leaves_the_folder_is_refused(users, make_backend, asking):
    backend = make_backend(who, tls=asking(ssl.CERT_OPTIONAL))
    users.start(one(NAMED), backend=backend)
    for user in ("../users/ada", "..", "x/../ada", "a" * 1100):
        assert users.get(f"/?user={user}").status == 502
    error_line(users, 'the variables in "proxy_ssl_certificate" give has a ".." in its path')
    error_line(users, "is longer than 1024 bytes")
    counters = users.status()["counters"]
    assert counters["upstream_certificates_read"] == 1, "x...crt is a name as any other"
    assert counters["upstream_certificate_names_refused"] == 3
    assert backend.requests == []


def test_a_password_opens_a_key_that_variables_name(users, make_backend, asking, authority):
    certificate = authority.certificate("ada.test")
    users.put("ada", "ada.test", key=certificate.encrypted_key("secret"))
    users.write("conf/passwords", "wrong\nsecret\n").chmod(0o600)
    backend = make_backend(who, tls=asking())
    users.start(one(f"{NAMED} proxy_ssl_password_file passwords;"), backend=backend)
    assert users.get("/?user=ada").text == "ada.test"
    assert users.get("/?user=bob").text == "bob.test"


def test_nginx_takes_our_certificate(sallyport, nginx):
    peer = nginx("""
        server {
            listen 127.0.0.1:@port:https@ ssl;
            ssl_certificate @cert:backend.test@;
            ssl_certificate_key @key:backend.test@;
            ssl_client_certificate @authority@;
            ssl_verify_client on;
            location / { return 200 "$ssl_client_s_dn $ssl_client_verify"; }
        }
    """)
    backend = f"127.0.0.1:{peer.port('https')}"
    proxy = sallyport(site(("/", SHOW), ("/without", ""), server=TRUST), backend=backend)
    assert proxy.get("/").text == "CN=client.test SUCCESS"
    assert proxy.get("/without").status == 400
    assert proxy.get("/").text == "CN=client.test SUCCESS"


def test_status_knows_when_our_certificate_ends(sallyport, tls_backend, authority):
    proxy = sallyport(one(SHOW), backend=tls_backend)
    [found] = proxy.status()["certificates"]
    assert found["file"] == str(authority.certificate("client.test").chain)
    assert found["subject"] == "CN=client.test"


# -- how we speak


def test_versions_ciphers_and_commands(sallyport, make_backend, sound):
    backend = make_backend(how, tls=sound.server_context())
    proxy = sallyport(site(
        ("/", ""),
        ("/cipher", "proxy_ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;"),
        ("/three", "proxy_ssl_protocols TLSv1.3;"),
        ("/command", "proxy_ssl_protocols TLSv1.3; "
                     "proxy_ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;"),
        ("/both", "proxy_ssl_conf_command MaxProtocol TLSv1.2; proxy_ssl_conf_command "
                  "CipherString ECDHE-ECDSA-CHACHA20-POLY1305; proxy_ssl_protocols TLSv1.2 TLSv1.3;"),
        http=TRUST, server="proxy_ssl_protocols TLSv1.2;"), backend=backend)
    seen = {path: proxy.get(path).text.split()[:2]
            for path in ("/", "/cipher", "/three", "/command", "/both")}
    assert seen["/"][0] == "TLSv1.2"
    assert seen["/cipher"] == ["TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"]
    assert seen["/three"][0] == "TLSv1.3"
    assert seen["/command"] == ["TLSv1.3", "TLS_AES_128_GCM_SHA256"]
    assert seen["/both"] == ["TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"]


def test_no_common_version_says_which_directive_to_look_at(sallyport, make_backend, sound):
    context = sound.server_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    backend = make_backend(tls=context)
    proxy = sallyport(one("proxy_ssl_protocols TLSv1.2;"), backend=backend)
    assert proxy.get("/").status == 502
    assert str(backend) in error_line(proxy, "see proxy_ssl_protocols")


def test_no_common_cipher_says_which_directive_to_look_at(sallyport, make_backend, sound):
    context = sound.server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    backend = make_backend(tls=context)
    proxy = sallyport(one("proxy_ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;"), backend=backend)
    assert proxy.get("/").status == 502
    assert str(backend) in error_line(proxy, "see proxy_ssl_ciphers")


def test_static_rsa_is_offered_only_by_a_command(sallyport, make_backend, authority):
    """No forward secrecy: nothing that a list of ciphers brings back by accident."""
    context = authority.certificate("backend.test", algorithm="rsa").server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES256-GCM-SHA384")
    backend = make_backend(how, tls=context)
    proxy = sallyport(site(("/list", "proxy_ssl_ciphers AES256-GCM-SHA384:HIGH;"),
                           ("/command", "proxy_ssl_conf_command CipherString AES256-GCM-SHA384;"),
                           server=TRUST), backend=backend)
    assert proxy.get("/list").status == 502
    assert "see proxy_ssl_ciphers" in error_line(proxy, "handshake failure")
    assert proxy.get("/command").text.split()[1] == "AES256-GCM-SHA384"


def test_a_backend_in_the_clear_says_so(sallyport, make_backend):
    backend = make_backend(serve=lambda connection: (
        connection.receive(), connection.send(response("?", status="400 Bad Request"))))
    proxy = sallyport(one(""), backend=backend)
    assert proxy.get("/").status == 502
    assert "proxy_pass http://" in error_line(proxy, "does not speak TLS")


def test_sessions_are_reused_or_not(sallyport, make_backend, sound):
    backend = make_backend(how, tls=sound.server_context())
    proxy = sallyport(site(("/on", "proxy_ssl_session_reuse on;"), ("/off", ""),
                           http=f"{TRUST} proxy_ssl_session_reuse off;"), backend=backend)
    resumed = {path: [proxy.get(path).text.split()[2] for _ in range(3)] for path in ("/on", "/off")}
    assert resumed == {"/on": ["False", "True", "True"], "/off": ["False"] * 3}


def test_the_same_settings_in_two_places_share_connections(sallyport, make_backend, sound):
    backend = make_backend(tls=sound.server_context())
    settings = f"{TRUST} proxy_ssl_pin {sound.pin()}; proxy_ssl_protocols TLSv1.3 TLSv1.2;"
    proxy = sallyport(site(("/a", settings), ("/b", settings)), backend=backend)
    assert [proxy.get(path).status for path in ("/a", "/b", "/a")] == [200] * 3
    assert len(backend.connections) == 1
    proxy.reload()
    assert proxy.get("/b").status == 200
    assert len(backend.connections) == 1, "a reload changes nothing for them"


# -- the depth


def test_three_intermediates_are_few_enough_here_and_too_many_for_nginx(sallyport, make_backend,
                                                                       authority):
    backend = make_backend(tls=authority.chained("backend.test", intermediates=3).server_context())
    proxy = sallyport(one(""), backend=backend)
    assert proxy.get("/").status == 200
    compat = sallyport("compat nginx; events {} http { access_log off;" + one("proxy_ssl_verify on;")
                       + "}", backend=backend)
    assert compat.get("/").status == 502
    assert "proxy_ssl_verify_depth" in error_line(compat, "certificate chain too long")


# -- what is refused at load

REFUSED = {
    "a certificate without a key": (
        "proxy_ssl_certificate @cert:client.test@;",
        'no "proxy_ssl_certificate_key" is defined for certificate'),
    "a key of another certificate": (
        "proxy_ssl_certificate @cert:client.test@; proxy_ssl_certificate_key @key:other.test@;",
        "key values mismatch"),
    "variables without a key": (
        "proxy_ssl_certificate $arg_user.crt;",
        'no "proxy_ssl_certificate_key" is defined for certificate "$arg_user.crt"'),
    "variables behind ..": ("proxy_ssl_certificate ../$arg_user.crt;", 'has a ".." in its path'),
    "an engine": ("proxy_ssl_certificate_key engine:x:y;", '"engine:" in'),
    "a key of its own notation": ("proxy_ssl_certificate_key data:$arg_key;", '"data:" in'),
    "a cache without a bound": ("proxy_ssl_certificate_cache valid=1m;", 'must have the "max" parameter'),
    "a cache of nothing": ("proxy_ssl_certificate_cache max=0;", 'invalid value "max=0"'),
    "no certificate": ("proxy_ssl_certificate @key:client.test@;", "cannot load certificate"),
    "no list": ("proxy_ssl_crl @authority@;", "cannot load revocation lists"),
    "no pin": ("proxy_ssl_pin sha256//abc;", 'invalid value "sha256//abc" in "proxy_ssl_pin"'),
    "a pin and none": (
        "proxy_ssl_pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; proxy_ssl_pin off;",
        'invalid value "off" in "proxy_ssl_pin"'),
    "none and a pin": (
        "proxy_ssl_pin off; proxy_ssl_pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;",
        '"proxy_ssl_pin off" stands at this level already'),
    "a version": ("proxy_ssl_protocols TLSv1.4;", 'invalid value "TLSv1.4"'),
    "a cipher": ("proxy_ssl_ciphers no-such;", 'the cipher list "no-such" is not accepted'),
    "a command": ("proxy_ssl_conf_command Nothing 1;", 'SSL_CONF_cmd("Nothing", "1") failed'),
    "a command's value": ("proxy_ssl_conf_command Groups P-1;", 'SSL_CONF_cmd("Groups", "P-1") failed'),
    "a command against verification": (
        "proxy_ssl_conf_command VerifyMode Request;", "it is the business of proxy_ssl_verify"),
    "anonymous ciphers": (
        "proxy_ssl_conf_command CipherString ALL:aNULL;", "shows no certificate"),
    "no password": ("proxy_ssl_password_file @dir@/conf/empty;", "there is no password in"),
    "open passwords": ("proxy_ssl_password_file @dir@/conf/open;", "can be read or written by everyone"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_is_refused_at_load(sallyport, what):
    directives, message = REFUSED[what]
    program = sallyport.make()
    program.write("conf/empty", "").chmod(0o600)
    program.write("conf/open", "secret\n").chmod(0o644)
    done = program.check(site(("/", directives), ("/more", ""), server=TRUST), backend="127.0.0.1:1")
    assert done.returncode == 1
    assert message in done.stderr
    assert "main.conf:" in done.stderr
    assert done.stderr.count("[emerg]") == 1, done.stderr


def test_an_encrypted_key_needs_its_password(sallyport, authority):
    certificate = authority.certificate("client.test")
    pair = (f"proxy_ssl_certificate {certificate.chain}; "
            f"proxy_ssl_certificate_key {certificate.encrypted_key('secret')};")
    program = sallyport.make()
    program.write("conf/passwords", "a\nb\n").chmod(0o600)
    done = program.check(site(("/", ""), ("/more", ""), server=TRUST + pair), backend="127.0.0.1:1")
    assert "is encrypted and no password was given" in done.stderr
    assert "proxy_ssl_password_file" in done.stderr
    assert done.stderr.count("[emerg]") == 1, "told once for all locations"
    done = program.check(one(f"{pair} proxy_ssl_password_file passwords;"), backend="127.0.0.1:1")
    assert "none of the 2 passwords opens it" in done.stderr
