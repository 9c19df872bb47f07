"""Session tickets: one per handshake, good across connections, workers and reloads."""
import socket
import ssl
import subprocess

import pytest

from support.waiting import seconds

TLS12 = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)

SITE = """
    server {
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        return 200 "$pid\\n";
    }
    server {
        listen 127.0.0.1:@port:https@ ssl;
        server_name other.test;
        ssl_certificate @cert:other.test@;
        ssl_certificate_key @key:other.test@;
        return 200 "$pid\\n";
    }
"""


def ticket(proxy, context, name="example.com"):
    """A session as a client has it after one request."""
    with proxy.tls_client(context=context, name=name) as client:
        assert client.get("/", host=name).status == 200
        return client.socket.session


def resumed(proxy, context, session, name="example.com"):
    with proxy.tls_client(context=context, name=name, session=session) as client:
        assert client.get("/", host=name).status == 200
        return client.socket.session_reused


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def context(request, authority):
    return authority.client_context(versions=TLS12 if request.param == "TLSv1.2" else None)


def test_a_session_is_resumed_on_another_connection(sallyport, context):
    proxy = sallyport(SITE)
    assert resumed(proxy, context, ticket(proxy, context))


def test_every_worker_takes_every_worker_s_tickets(sallyport, context):
    proxy = sallyport(SITE, main="worker_processes 2;")
    session = ticket(proxy, context)
    # The kernel spreads connections over both: 24 on one worker alone are one in 8 million.
    assert all(resumed(proxy, context, session) for _ in range(24))


def test_tickets_outlive_a_reload(sallyport, context):
    proxy = sallyport(SITE)
    session = ticket(proxy, context)
    proxy.reload(SITE.replace("return 200", "keepalive_timeout 10s; return 200"))
    assert resumed(proxy, context, session)


def test_no_server_takes_another_s_tickets(sallyport, context):
    """Who resumes a session sees no certificate: it must be the server that showed one."""
    proxy = sallyport(SITE)
    session = ticket(proxy, context, "example.com")
    assert not resumed(proxy, context, session, "other.test")
    assert resumed(proxy, context, session, "example.com")


@pytest.mark.parametrize("timeout, lifetime", [("5m", 300), ("30d", 7 * 24 * 3600)])
def test_tickets_say_how_long_they_live(sallyport, authority, timeout, lifetime):
    """TLS 1.3 has a week at most (RFC 8446 §4.6.1), whatever the server would take."""
    proxy = sallyport(f"ssl_session_timeout {timeout};" + SITE)
    context = authority.client_context()
    first, second = (ticket(proxy, context) for _ in range(2))
    assert first.ticket_lifetime_hint == second.ticket_lifetime_hint == lifetime
    assert resumed(proxy, context, first) and resumed(proxy, context, second)


def test_one_ticket_per_handshake(sallyport):
    proxy = sallyport(SITE)
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port('https')}", "-servername",
         "example.com", "-tls1_3", "-msg", "-ign_eof"],
        input="GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n",
        capture_output=True, text=True, errors="replace", timeout=seconds(20), check=False)
    assert done.stdout.count("NewSessionTicket") == 1, done.stdout[-3000:]


def test_a_ticket_of_a_stranger_means_a_full_handshake(sallyport, context):
    """Keys are made by each program itself: what another one sealed is not read, and no error."""
    here, there = sallyport(SITE), sallyport(SITE)
    assert not resumed(there, context, ticket(here, context))


def test_a_resumed_connection_serves_many_requests(sallyport, context):
    proxy = sallyport(SITE)
    session = ticket(proxy, context)
    with proxy.tls_client(context=context, session=session) as client:
        assert client.socket.session_reused
        assert [client.get("/").status for _ in range(5)] == [200] * 5


def test_a_client_that_goes_away_in_the_middle_of_a_handshake_harms_nobody(sallyport, authority):
    proxy = sallyport(SITE)
    for _ in range(20):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = authority.client_context().wrap_bio(incoming, outgoing, server_hostname="example.com")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        with socket.create_connection(("127.0.0.1", proxy.port("https"))) as raw:
            raw.sendall(outgoing.read())
    assert proxy.get("/").status == 200
