"""TLS 1.3's early data: taken once, for safe requests only, and marked for the backend."""
import socket
import subprocess
import threading

import pytest

from support.backend import response
from support.waiting import seconds, wait_for

SITE = """
    ssl_early_data on;
    server {
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        location / { proxy_pass http://@backend@; proxy_set_header X-Early "[$ssl_early_data]"; }
    }
"""


class EarlyClient:
    """openssl s_client, which sends a request in its first flight."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port

    def _run(self, *arguments, data="", port=None, name="example.com"):
        with subprocess.Popen(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{port or self.port}", "-servername",
                 name, "-tls1_3", "-ign_eof", *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, errors="replace") as client:
            said, _ = client.communicate(data, timeout=seconds(20))
        return said

    def get_ticket(self, name="example.com"):
        self._run("-sess_out", str(self.folder / "session"), name=name,
                  data="GET /ticket HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
        assert (self.folder / "session").exists()

    def send_early(self, request, data="", port=None, name="example.com"):
        (self.folder / "early").write_bytes(request)
        return self._run("-sess_in", str(self.folder / "session"), "-early_data",
                         str(self.folder / "early"), data=data, port=port, name=name)


def request(method="GET", target="/early", body="", more=""):
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return (f"{method} {target} HTTP/1.1\r\nHost: example.com\r\n{more}{length}"
            f"Connection: close\r\n\r\n{body}").encode()


@pytest.fixture
def client(tmp_path):
    return lambda proxy: EarlyClient(tmp_path, proxy.port("https"))


def targets(backend):
    return [seen.line.split(" ")[1] for seen in backend.requests]


def test_a_safe_request_is_answered_and_marked(sallyport, backend, client):
    proxy = sallyport(SITE, backend=backend)
    early = client(proxy)
    early.get_ticket()
    assert backend.last.field("Early-Data") is None
    assert backend.last.field("X-Early") == "[]"
    said = early.send_early(request())
    assert "Early data was accepted" in said, said
    assert "HTTP/1.1 200" in said, said
    assert backend.last.field("Early-Data") == "1"
    assert backend.last.field("X-Early") == "[1]"
    assert proxy.status()["counters"]["early_data_taken"] == 1


@pytest.mark.parametrize("unsafe", [
    request("POST", body="a=1"), request("POST"), request("DELETE"), request("PUT", body="x"),
    request("GET", body="x"), request("GET", more="Upgrade: websocket\r\n").replace(
        b"Connection: close", b"Connection: upgrade, close")])
def test_what_may_change_something_is_told_to_come_again(sallyport, backend, client, unsafe):
    proxy = sallyport(SITE, backend=backend)
    early = client(proxy)
    early.get_ticket()
    said = early.send_early(unsafe)
    assert "Early data was accepted" in said
    assert "HTTP/1.1 425 Too Early" in said, said
    assert targets(backend) == ["/ticket"]
    assert proxy.status()["counters"]["early_data_refused"] == 1


def test_it_is_off_by_default(sallyport, backend, client):
    proxy = sallyport(SITE.replace("ssl_early_data on;", ""), backend=backend)
    early = client(proxy)
    early.get_ticket()
    assert "Max Early Data: 0" in early.send_early(request(), data=request(target="/late").decode())
    assert "/early" not in targets(backend)


def test_there_may_be_less_of_it(sallyport, backend, client):
    proxy = sallyport(SITE.replace("ssl_early_data on;", "ssl_early_data on; ssl_early_data_size 200;"),
                      backend=backend)
    early = client(proxy)
    early.get_ticket()
    assert "Early data was accepted" in early.send_early(request())
    (early.folder / "session").unlink()
    early.get_ticket()
    said = early.send_early(request(more="X: " + "x" * 200 + "\r\n"))
    assert "Max Early Data: 200" in said or "too much early data" in said.lower(), said
    assert targets(backend).count("/early") == 1


def test_a_large_answer_crosses_the_end_of_the_handshake(sallyport, make_backend, client):
    backend = make_backend(lambda _: response("x" * 3_000_000))
    proxy = sallyport(SITE, backend=backend)
    early = client(proxy)
    early.get_ticket()
    assert early.send_early(request()).count("x") >= 3_000_000


def test_the_connection_serves_on_after_its_early_request(sallyport, backend, client):
    proxy = sallyport(SITE, backend=backend)
    early = client(proxy)
    early.get_ticket()
    said = early.send_early(request().replace(b"Connection: close\r\n", b""),
                            data=request("POST", "/late", body="a=1").decode())
    assert said.count("HTTP/1.1 200") == 2, said
    assert targets(backend) == ["/ticket", "/early", "/late"]
    assert backend.last.field("Early-Data") is None, "the handshake had ended"


class Recorder:
    """A gate in front of `port` that remembers what the client said until the server answered."""

    def __init__(self, port, swallow=False):
        self.port, self.flight, self.swallow = port, b"", swallow
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        client, _ = self.listener.accept()
        with client, socket.create_connection(("127.0.0.1", self.port)) as server:
            client.settimeout(seconds(0.5))
            try:  # all of the first flight: the client waits for an answer then
                while received := client.recv(65536):
                    self.flight += received
                    server.sendall(received)
            except TimeoutError:
                pass
            client.settimeout(None)
            back = threading.Thread(target=self._pass, args=(server, client))
            back.start()
            if self.swallow:
                while client.recv(65536):
                    pass
            else:
                self._pass(client, server)
            back.join()

    @staticmethod
    def _pass(source, sink):
        try:
            while received := source.recv(65536):
                sink.sendall(received)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.thread.join()
        self.listener.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_recorded_flight_reaches_the_backend_once(sallyport, backend, client, workers):
    proxy = sallyport(SITE, main=f"worker_processes {workers};", backend=backend)
    early = client(proxy)
    early.get_ticket()
    gate = Recorder(proxy.port("https"))
    said = early.send_early(request(), port=gate.listener.getsockname()[1])
    gate.close()
    assert "Early data was accepted" in said, said
    assert targets(backend) == ["/ticket", "/early"]
    for turn in range(1, 9):
        with socket.create_connection(("127.0.0.1", proxy.port("https"))) as again:
            again.sendall(gate.flight)
            again.settimeout(seconds(10))
            assert again.recv(5), "a ServerHello"
            wait_for(lambda: proxy.status()["counters"]["early_data_replayed"] == turn)
    assert targets(backend) == ["/ticket", "/early"]


def test_a_client_that_never_ends_its_handshake_is_turned_away(sallyport, backend, client):
    proxy = sallyport(SITE.replace("ssl_early_data on;", "ssl_early_data on; keepalive_timeout 1s;"),
                      backend=backend)
    early = client(proxy)
    early.get_ticket()
    gate = Recorder(proxy.port("https"), swallow=True)
    said = early.send_early(request().replace(b"Connection: close\r\n", b""),
                            port=gate.listener.getsockname()[1])
    gate.close()
    assert "HTTP/1.1 200" in said, said
    assert proxy.status()["counters"]["limit_keepalive_time"] == 1


def test_a_named_server_needs_its_default_server_to_take_it(sallyport, backend, client):
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:https@ ssl default_server;
            ssl_certificate @cert:late.test@;
            ssl_certificate_key @key:late.test@;
        }
    """ + SITE.replace("ssl_early_data on;", "").replace("location", "ssl_early_data on; location"),
                      backend=backend)
    early = client(proxy)
    early.get_ticket()
    assert "Max Early Data: 0" in early.send_early(request(), data=request(target="/late").decode())


def test_the_same_ticket_may_be_used_by_another_handshake(sallyport, backend, client):
    """Which is no replay: its sender has the session's secrets."""
    proxy = sallyport(SITE, backend=backend)
    early = client(proxy)
    early.get_ticket()
    assert "Early data was accepted" in early.send_early(request())
    assert "Early data was accepted" in early.send_early(request())


def test_another_program_with_the_same_ticket_keys_takes_no_early_data(
        sallyport, backend, client, tmp_path):
    """It has not seen what the first one has."""
    (tmp_path / "ticket.key").write_bytes(bytes(range(80)))
    (tmp_path / "ticket.key").chmod(0o600)
    text = SITE + f"ssl_session_ticket_key {tmp_path}/ticket.key;"
    first, second = (sallyport(text, backend=backend) for _ in range(2))
    client(first).get_ticket()
    said = client(second).send_early(request(), data=request(target="/late").decode())
    assert "Early data was rejected" in said
    assert "Reused, TLSv1.3" in said
    assert targets(backend) == ["/ticket", "/late"]


def test_it_outlives_a_reload(sallyport, backend, client):
    proxy = sallyport(SITE, backend=backend)
    early = client(proxy)
    early.get_ticket()
    proxy.reload(SITE.replace("[$ssl_early_data]", "again [$ssl_early_data]"), backend=backend)
    assert "Early data was accepted" in early.send_early(request())


def test_each_server_name_decides_for_itself(sallyport, backend, client):
    proxy = sallyport(SITE + """
        server {
            listen 127.0.0.1:@port:https@ ssl;
            server_name late.test;
            ssl_certificate @cert:late.test@;
            ssl_certificate_key @key:late.test@;
            ssl_early_data off;
            location / { proxy_pass http://@backend@; }
        }
    """, backend=backend)
    early = client(proxy)
    early.get_ticket(name="late.test")
    assert "Max Early Data: 0" in early.send_early(request(), name="late.test",
                                                   data=request(target="/late").decode())


