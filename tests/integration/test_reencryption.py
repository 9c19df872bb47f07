"""TLS toward backends: verified by default, and a failure says what failed and what would mend it."""
import ssl
import threading

import pytest

from support.backend import response


def site(target, directives="", *, outside=""):
    return f"""
        {outside}
        server {{
            listen 127.0.0.1:@port:http@;
            location / {{ proxy_pass {target}; {directives} }}
        }}
    """


TRUST = "proxy_ssl_trusted_certificate @authority@;"


def test_a_trusted_backend_with_the_right_name_is_spoken_to(sallyport, tls_backend):
    proxy = sallyport(site("https://@backend@", f"{TRUST} proxy_ssl_name backend.test;"),
                      backend=tls_backend)
    assert proxy.get("/secret").text == "hello from the backend\n"
    assert tls_backend.last.target == "/secret"
    assert tls_backend.connections[0].server_name == "backend.test"
    assert proxy.errors == ""


def test_the_name_is_the_host_s_of_proxy_pass(sallyport, make_backend, authority):
    backend = make_backend(tls=authority.certificate("localhost").server_context())
    proxy = sallyport(site(f"https://localhost:{backend.port}", TRUST))
    assert proxy.get("/").status == 200
    assert backend.connections[0].server_name == "localhost"


def test_an_address_is_matched_against_the_certificate_s_addresses(sallyport, tls_backend):
    proxy = sallyport(site("https://@backend@", TRUST), backend=tls_backend)
    assert proxy.get("/").status == 200
    assert tls_backend.connections[0].server_name is None, "no addresses in SNI (RFC 6066 §3)"


def test_a_name_with_variables(sallyport, tls_backend):
    proxy = sallyport(site("https://@backend@", f"{TRUST} proxy_ssl_name $arg_name;"),
                      backend=tls_backend)
    assert proxy.get("/?name=backend.test").status == 200
    assert proxy.get("/?name=wrong.test").status == 502
    assert proxy.get("/?name=backend.test").status == 200
    names = [connection.server_name for connection in tls_backend.connections]
    assert names[:2] == ["backend.test", "wrong.test"]


def test_connections_for_one_name_do_not_serve_another(sallyport, tls_backend):
    """The kept connection was verified for backend.test alone."""
    proxy = sallyport(f"""
        upstream group {{ server @backend@; }}
        proxy_ssl_trusted_certificate @authority@;
        server {{
            listen 127.0.0.1:@port:http@;
            location /right {{ proxy_pass https://group; proxy_ssl_name backend.test; }}
            location /wrong {{ proxy_pass https://group; proxy_ssl_name other.test; }}
            location /off {{ proxy_pass https://group; proxy_ssl_name other.test;
                             proxy_ssl_verify off; }}
        }}
    """, backend=tls_backend)
    assert proxy.get("/right").status == 200
    assert proxy.get("/wrong").status == 502
    assert proxy.get("/off").status == 200
    assert proxy.get("/wrong").status == 502
    assert proxy.get("/right").status == 200


UNSOUND = {
    "the wrong name": (lambda authority, stranger: authority.certificate("elsewhere.test"),
                       ["name", "backend.test", "proxy_ssl_name"]),
    "an expired one": (lambda authority, stranger: authority.expired("backend.test"),
                       ["expired"]),
    "a self-signed one": (lambda authority, stranger: authority.self_signed("backend.test"),
                          ["self-signed", "proxy_ssl_trusted_certificate"]),
    "an unknown authority's": (lambda authority, stranger: stranger.certificate("backend.test"),
                               ["issuer", "proxy_ssl_trusted_certificate"]),
}


@pytest.mark.parametrize("what", UNSOUND)
def test_a_bad_certificate_is_a_502_and_says_which_check_failed(
        sallyport, make_backend, authority, stranger, what):
    certificate, words = UNSOUND[what]
    backend = make_backend(tls=certificate(authority, stranger).server_context())
    proxy = sallyport(site("https://@backend@", f"{TRUST} proxy_ssl_name backend.test;"),
                      backend=backend)
    assert proxy.get("/").status == 502
    line = next(line for line in proxy.wait_for_error("while SSL handshaking to upstream").splitlines()
                if "[error]" in line)
    for word in [*words, str(backend), "proxy_ssl_"]:
        assert word in line, f"{word!r} is not in: {line}"
    assert backend.requests == [], "not a byte of the request"


@pytest.mark.parametrize("what", UNSOUND)
def test_proxy_ssl_verify_off_takes_what_it_gets(
        sallyport, make_backend, authority, stranger, what):
    certificate, _ = UNSOUND[what]
    backend = make_backend(tls=certificate(authority, stranger).server_context())
    proxy = sallyport(site("https://@backend@", "proxy_ssl_verify off; proxy_ssl_name backend.test;"),
                      backend=backend)
    assert proxy.get("/").status == 200


def test_without_a_file_the_system_s_authorities_decide(sallyport, tls_backend):
    proxy = sallyport(site("https://@backend@", "proxy_ssl_name backend.test;"),
                      backend=tls_backend)
    assert proxy.get("/").status == 502
    assert "proxy_ssl_trusted_certificate" in proxy.wait_for_error("SSL handshaking")


def test_compat_nginx_verifies_nothing_and_sends_no_name(sallyport, tls_backend):
    proxy = sallyport("compat nginx; events {} http { access_log off;"
                      + site("https://@backend@", "proxy_ssl_name backend.test;") + "}",
                      backend=tls_backend)
    assert proxy.get("/").status == 200
    assert tls_backend.connections[0].server_name is None


def test_proxy_ssl_server_name_off_sends_no_name_but_still_verifies(sallyport, make_backend,
                                                                   authority):
    good = make_backend(tls=authority.certificate("backend.test").server_context())
    proxy = sallyport(f"""
        proxy_ssl_trusted_certificate @authority@;
        proxy_ssl_server_name off;
        server {{
            listen 127.0.0.1:@port:http@;
            location /good {{ proxy_pass https://@good@; proxy_ssl_name backend.test; }}
            location /bad {{ proxy_pass https://@good@; proxy_ssl_name other.test; }}
        }}
    """, good=good)
    assert proxy.get("/good").status == 200
    assert proxy.get("/bad").status == 502
    assert good.connections[0].server_name is None


def test_the_verification_depth_counts(sallyport, make_backend, authority):
    backend = make_backend(tls=authority.certificate("backend.test").server_context())
    proxy = sallyport(site("https://@backend@",
                           f"{TRUST} proxy_ssl_name backend.test; proxy_ssl_verify_depth 0;"),
                      backend=backend)
    assert proxy.get("/").status == 200, "signed by the trusted one itself: no intermediates"


@pytest.mark.parametrize("intermediates, depth, status", [
    (1, 0, 502), (1, 1, 200), (2, 1, 502), (2, 2, 200), (2, 5, 200)])
def test_so_many_intermediates_are_taken_as_the_depth_says(
        sallyport, make_backend, authority, intermediates, depth, status):
    certificate = authority.chained("backend.test", intermediates=intermediates)
    backend = make_backend(tls=certificate.server_context())
    proxy = sallyport(site("https://@backend@", f"{TRUST} proxy_ssl_name backend.test; "
                                                f"proxy_ssl_verify_depth {depth};"), backend=backend)
    assert proxy.get("/").status == status
    if status == 502:
        proxy.wait_for_error("upstream SSL certificate verify error")
        assert backend.requests == []


def test_a_group_without_a_name_warns_at_load(sallyport):
    text = site("https://group", TRUST, outside="upstream group { server 127.0.0.1:1; }")
    done = sallyport.make().check(text)
    assert done.returncode == 0
    assert "[warn]" in done.stderr and "proxy_ssl_name" in done.stderr


def test_a_backend_in_the_clear_is_not_taken_for_a_tls_one(sallyport, make_backend):
    backend = make_backend(serve=lambda connection: (
        connection.receive(), connection.send(response("?", status="400 Bad Request"))))
    proxy = sallyport(site("https://@backend@", TRUST), backend=backend)
    assert proxy.get("/").status == 502
    proxy.wait_for_error("while SSL handshaking to upstream")
    assert backend.requests == []


def test_nothing_is_read_before_the_handshake_ends(sallyport, make_backend):
    """A backend (or who sits in its place) that answers before TLS stands (CVE-2026-1642)."""
    def serve(connection):
        connection.send(response("injected"))
        connection.receive()

    proxy = sallyport(site("https://@backend@", TRUST), backend=make_backend(serve=serve))
    answer = proxy.get("/")
    assert answer.status == 502
    assert "injected" not in answer.text


def test_a_handshake_that_hangs_is_a_504(sallyport, make_backend):
    done = threading.Event()
    backend = make_backend(serve=lambda connection: done.wait(60))
    proxy = sallyport(site("https://@backend@", TRUST + "proxy_connect_timeout 150ms;"),
                      backend=backend)
    assert proxy.get("/").status == 504
    done.set()


def test_tls_sessions_to_backends_are_resumed(sallyport, make_backend, authority):
    context = authority.certificate("backend.test").server_context()
    backend = make_backend(lambda request: response(str(request.connection.socket.session_reused),
                                                    fields=[("Connection", "close")]), tls=context)
    proxy = sallyport(site("https://@backend@", f"{TRUST} proxy_ssl_name backend.test;"),
                      backend=backend)
    answers = [proxy.get("/").text for _ in range(4)]
    assert answers == ["False", "True", "True", "True"]
    assert len(backend.connections) == 4


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_backends_may_speak_either_version(sallyport, make_backend, authority, version):
    context = authority.certificate("backend.test").server_context()
    context.minimum_version = context.maximum_version = version
    backend = make_backend(lambda request: response(request.connection.socket.version()), tls=context)
    proxy = sallyport(site("https://@backend@", f"{TRUST} proxy_ssl_name backend.test;"),
                      backend=backend)
    assert proxy.get("/").text.replace(".", "_").endswith(version.name[-3:])


# -- nginx as the backend

NGINX = """
    server {
        listen 127.0.0.1:@port:https@ ssl;
        server_name other.test;
        ssl_certificate @cert:other.test@;
        ssl_certificate_key @key:other.test@;
        location / { return 200 "other $ssl_server_name"; }
    }
    server {
        listen 127.0.0.1:@port:https@ ssl;
        server_name backend.test;
        ssl_certificate @cert:backend.test@;
        ssl_certificate_key @key:backend.test@;
        location / { return 200 "right $ssl_server_name $http_host $ssl_session_reused"; }
        location /close { keepalive_timeout 0; return 200 "$ssl_session_reused"; }
    }
"""


def test_nginx_chooses_its_server_by_the_name_that_it_is_told(sallyport, nginx):
    peer = nginx(NGINX)
    proxy = sallyport(site(f"https://127.0.0.1:{peer.port('https')}",
                           f"{TRUST} proxy_ssl_name backend.test; proxy_set_header Host $host;"))
    assert proxy.get("/", host="backend.test").text.startswith("right backend.test backend.test")


def test_nginx_resumes_our_sessions(sallyport, nginx):
    peer = nginx(NGINX)
    proxy = sallyport(site(f"https://127.0.0.1:{peer.port('https')}",
                           f"{TRUST} proxy_ssl_name backend.test; proxy_set_header Host backend.test;"))
    assert [proxy.get("/close").text for _ in range(3)] == [".", "r", "r"]


def test_a_chain_of_tls_on_both_sides(sallyport, nginx):
    """Client → TLS → Sallyport → TLS → nginx."""
    peer = nginx(NGINX)
    proxy = sallyport(f"""
        server {{
            listen 127.0.0.1:@port:https@ ssl;
            server_name example.com;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            location / {{
                proxy_pass https://127.0.0.1:{peer.port('https')};
                proxy_ssl_trusted_certificate @authority@;
                proxy_ssl_name backend.test;
                proxy_set_header Host backend.test;
            }}
        }}
    """)
    assert proxy.curl("/").stdout.startswith("right backend.test backend.test")
