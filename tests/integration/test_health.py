"""stub_status, health_endpoint, and readiness over the admin socket."""
import json
import pathlib
import re
import signal
import socket
import subprocess

import pytest

from support import ProgramFailed, wait_for
from support.program import SANITIZED

PAGES = """
    http {
        server {
            listen 127.0.0.1:@port:http@;
            location = /status { stub_status; }
            location = /live { health_endpoint live; }
            location = /ready { health_endpoint ready; }
            location = /ready.json { health_endpoint ready json; }
            location / { location /inner { proxy_pass http://@backend@; } return 204; }
        }
    }
"""
STATUS = re.compile(rb"Active connections: (\d+) \nserver accepts handled requests\n"
                    rb" (\d+) (\d+) (\d+) \nReading: (\d+) Writing: (\d+) Waiting: (\d+) \n")


def refuses(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def ask(proxy, question):
    return subprocess.run([str(proxy.binary), "status", "-p", f"{proxy.folder}/", f"--{question}"],
                          env=proxy.environment(), capture_output=True, text=True, check=False,
                          timeout=30)


@pytest.mark.threads
def test_stub_status_is_nginxs(sallyport, nginx, backend):
    proxy = sallyport(PAGES, main="worker_processes 2;", backend=backend.address)
    peer = nginx("server { listen 127.0.0.1:@port:http@; location = /status { stub_status; }"
                 " location / { return 204; } }")

    def page(program, is_idle=lambda: True):
        with program.client() as idle:
            idle.get("/", host="a")
            # Another worker may be asked before the one that answered has gone on to wait.
            wait_for(is_idle, "the first connection to be idle")
            return program.get("/status", host="a")

    ours = page(proxy, lambda: proxy.status()["counters"]["connections_idle"] == 1)
    theirs = page(peer)
    for answer in (ours, theirs):
        assert answer.status == 200 and answer.field("Content-Type") == "text/plain"
        assert STATUS.fullmatch(answer.body), answer.body
    assert STATUS.fullmatch(ours.body).groups() == STATUS.fullmatch(theirs.body).groups()


@pytest.mark.parametrize("path", ["/status", "/live", "/ready"])
def test_pages_are_for_reading_only(sallyport, backend, path):
    proxy = sallyport(PAGES, backend=backend.address)
    with proxy.client() as client:
        assert client.request("POST", path, body=b"").status == 405
    with proxy.client() as client:
        answer = client.request("HEAD", path)
    assert answer.status == 200 and answer.body == b""


def test_a_process_that_serves_is_live_and_ready(sallyport, backend):
    proxy = sallyport(PAGES, backend=backend.address)
    assert proxy.get("/live").body == b"ok\n" and proxy.get("/ready").body == b"ok\n"
    answer = proxy.get("/ready.json")
    assert json.loads(answer.body) == {"status": "ok"}
    assert answer.field("Content-Type") == "application/json"
    for question in ("ready", "alive"):
        done = ask(proxy, question)
        assert (done.returncode, done.stdout) == (0, f"{question}\n")


def test_it_is_not_ready_while_it_drains(sallyport, backend):
    proxy = sallyport(PAGES, backend=backend.address)
    with proxy.client() as client:
        # A request that has begun to arrive keeps its connection over the drain.
        client.send("GET /ready HTTP/1.1\r\n")
        wait_for(lambda: proxy.status()["counters"]["connections_idle"] == 0,
                 "the request's beginning to be read")
        proxy.send_signal(signal.SIGQUIT)
        wait_for(lambda: refuses(proxy.port("http")), "its listener to close")
        client.send("Host: a\r\n\r\n")
        answer = client.response()
    assert answer.status == 503 and answer.body == b"unavailable: draining\n"


@pytest.mark.skipif(SANITIZED, reason="UBSan's check of virtual calls opens a pipe, and none is to be had")
def test_it_is_not_ready_while_a_worker_lacks_a_listener(sallyport, backend):
    """Here descriptors are so short that the worker gets some of its new sockets and not others."""
    measured = sallyport(PAGES, main="worker_processes 1;", backend=backend.address)
    folder = pathlib.Path(f"/proc/{measured.status()['pid']['server']}/fd")
    # Forty come, and are to be duplicated.
    proxy = sallyport(PAGES, backend=backend.address, main="worker_processes 1; "
                      f"worker_rlimit_nofile {len(list(folder.iterdir())) + 65};")
    assert ask(proxy, "ready").returncode == 0
    more = "".join(f"listen 127.0.0.1:@port:more{number}@;" for number in range(40))
    proxy.reload(PAGES.replace("location = /live", more + " location = /live"))
    asked = ask(proxy, "ready")
    assert asked.returncode == 1
    assert re.match(r"not ready\n  worker 0 does not listen on 127\.0\.0\.1:\d+: ", asked.stdout)
    assert proxy.get("/ready").status == 503
    lines = asked.stdout.splitlines()[1:]
    assert len(lines) < 40
    warnings = [each["text"] for each in proxy.status()["warnings"] if each["about"] == "worker"]
    assert warnings == [line.strip() for line in lines]
    proxy.reload(PAGES)
    assert ask(proxy, "ready").returncode == 0
    assert proxy.get("/ready").status == 200


def test_nobody_is_not_ready(sallyport):
    proxy = sallyport.make()
    done = ask(proxy, "ready")
    assert done.returncode == 1 and "connect() to" in done.stderr


def test_pages_are_not_inherited_and_not_there_unless_configured(sallyport):
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            location /outer { stub_status; location /outer/inner { } }
        }""")
    assert proxy.get("/outer").status == 200
    assert proxy.get("/outer/inner").status == 404
    assert proxy.get("/ready").status == 404


@pytest.mark.parametrize("text, complaint", [
    ("stub_status; health_endpoint live;", "a location shows one page"),
    ("health_endpoint well;", 'invalid value "well" in "health_endpoint" directive'),
    ("health_endpoint live xml;", 'invalid value "xml" in "health_endpoint" directive'),
])
def test_mistakes_are_told(sallyport, text, complaint):
    with pytest.raises(ProgramFailed) as failed:
        sallyport("server { listen 127.0.0.1:@port:http@; location / { " + text + " } }")
    assert complaint in failed.value.errors
