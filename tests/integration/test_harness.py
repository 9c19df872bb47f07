"""The harness itself, tried on nginx and on small programs that misbehave."""
import os
import pathlib
import signal

import pytest

from support import Client, ProgramFailed, Sallyport
from support.backend import response

SITE = """
    server {
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        location / {
            proxy_pass http://@backend@;
            proxy_set_header Host $host;
        }
    }
"""


def test_a_request_over_tls_reaches_the_recording_backend(nginx, backend):
    proxy = nginx(SITE, backend=backend)
    answer = proxy.get("/path?x=1", fields=[("X-Mark", "seen")])
    assert (answer.status, answer.text) == (200, "hello from the backend\n")
    assert backend.last.line == "GET /path?x=1 HTTP/1.0"
    assert backend.last.field("X-Mark") == "seen"
    assert backend.last.raw_head in backend.connections[0].received
    assert proxy.curl("/again").stdout == "hello from the backend\n"


def test_a_tls_backend_sees_the_name_asked_for(nginx, tls_backend):
    proxy = nginx("""
        server {
            listen 127.0.0.1:@port:http@;
            location / {
                proxy_pass https://@backend@;
                proxy_ssl_server_name on;
                proxy_ssl_name backend.test;
                proxy_ssl_verify on;
                proxy_ssl_trusted_certificate @authority@;
            }
        }
    """, backend=tls_backend)
    assert proxy.get().status == 200
    assert tls_backend.connections[0].server_name == "backend.test"


@pytest.mark.parametrize("unsound", ["expired", "self_signed"])
def test_unsound_certificates_are_unsound(nginx, make_backend, authority, unsound):
    certificate = getattr(authority, unsound)("backend.test")
    backend = make_backend(tls=certificate.server_context())
    proxy = nginx("""
        server {
            listen 127.0.0.1:@port:http@;
            location / {
                proxy_pass https://@backend@;
                proxy_ssl_name backend.test;
                proxy_ssl_verify on;
                proxy_ssl_trusted_certificate @authority@;
            }
        }
    """, backend=backend)
    assert proxy.get().status == 502


def test_a_program_that_does_not_start_says_why(nginx):
    with pytest.raises(ProgramFailed, match="unknown directive"):
        nginx("no_such_directive;")


def test_the_client_reads_chunked_bodies_trailers_and_pipelines(make_backend):
    backend = make_backend(lambda request: response(request.target) if request.target != "/last" else
                           b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                           b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")
    with Client(backend.port) as client:
        client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /last HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().text == "/1"
        assert client.response().body == b"abc"
        assert client.trailers == ["X-Sum: 1"]


def misbehaving(authority, tmp_path, script):
    program = Sallyport(authority)
    program.binary = tmp_path / "program"
    program.binary.write_text(
        # The pid file comes last: once it is there, the program is asked to end.
        f"#!/bin/bash\ntrap 'exit 0' QUIT\n{script}\necho $$ >{program.folder}/program.pid\n"
        "while :; do read -t 0.05 <> <(:); done\n")
    os.chmod(program.binary, 0o755)
    return program.start("")


@pytest.mark.parametrize("script, complaint", [
    ("(trap '' QUIT; exec sleep 100) &", "left processes behind"),
    ("echo 'ERROR: AddressSanitizer: heap-use-after-free' >&2", "sanitizer"),
    ("trap 'exit 3' QUIT", "ended with status 3"),
])
def test_a_bad_end_is_noticed(authority, tmp_path, script, complaint):
    program = misbehaving(authority, tmp_path, script)
    session = program.process.pid
    with pytest.raises(AssertionError, match=complaint):
        program.stop()
    assert not program._processes(session)
    program.remove()


def test_a_good_end_is_not_complained_about(authority, tmp_path):
    program = misbehaving(authority, tmp_path, "")
    program.stop(signal.SIGQUIT)
    program.remove()
    assert not pathlib.Path(program.folder).exists()
