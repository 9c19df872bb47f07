"""Clients of the world that ask for much at a time over HTTP/2: a browser, if there is one, and h2load."""
import shutil
import subprocess

import pytest

from support.backend import response
from support.waiting import seconds

COUNT = 200
SITE = """
    worker_processes 1;
    events { }
    http {
        log_format one '$connection $http2 $status $request_uri';
        server {
            access_log @dir@/access.log one;
            listen 127.0.0.1:@port:https@ ssl;
            server_name example.com;
            http2 on;
            http2_max_concurrent_streams @streams@;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            root @dir@/www;
            location /files/ { }
            location /app/ { proxy_pass http://@backend@; }
            location = /favicon.ico { return 204; }
        }
    }
"""
PAGE = ("<!DOCTYPE html><html><head><title>many</title><script>var loaded = 0;</script></head><body>"
        + "".join(f'<script async src="/{place}/{number}.js"></script>'
                  for number in range(COUNT // 2) for place in ("files", "app"))
        + '<script>onload = function () { document.body.id = "loaded-" + loaded; };</script></body></html>')


@pytest.fixture
def chromium(tmp_path):
    """chromium(url, port): the page's DOM once it has loaded; example.com is the port of this machine."""
    program = shutil.which("chromium") or shutil.which("chromium-headless-shell")
    if program is None:
        pytest.skip("no chromium: script/bootstrap --clients installs it")

    def load(url, port):
        done = subprocess.run(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--ignore-certificate-errors",
             f"--user-data-dir={tmp_path / 'profile'}", f"--host-resolver-rules=MAP example.com 127.0.0.1:{port}, MAP * ~NOTFOUND",
             "--dump-dom", url],
            capture_output=True, text=True, check=False, timeout=seconds(120), env={"HOME": str(tmp_path),
                                                                                   "PATH": "/usr/bin:/bin"})
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return load


@pytest.mark.parametrize("streams", [128, 5])
def test_a_page_of_many_resources(sallyport, make_backend, chromium, streams):
    backend = make_backend(lambda _: response(b"loaded++;", fields=[("Content-Type", "text/javascript")]))
    proxy = sallyport(SITE, backend=backend, streams=streams)
    proxy.write("www/index.html", PAGE)
    for number in range(COUNT // 2):
        proxy.write(f"www/files/{number}.js", "loaded++;")
    dom = chromium("https://example.com/", proxy.port("https"))
    assert f'id="loaded-{COUNT}"' in dom, dom[-1000:]
    asked = [line.split() for line in proxy.lines("access.log", count=COUNT + 1) if line.endswith(".js")]
    assert len(asked) == COUNT
    assert {(http2, status) for _, http2, status, _ in asked} == {("h2", "200")}
    assert len({connection for connection, *_ in asked}) == 1, "all on one connection"
    assert proxy.status()["counters"]["limit_h2_streams"] == 0


@pytest.mark.parametrize("place", ["files", "app"])
def test_h2load_with_hundreds_of_streams(sallyport, make_backend, place):
    if shutil.which("h2load") is None:
        pytest.skip("no h2load: script/bootstrap installs nghttp2-client")
    backend = make_backend(lambda _: response(b"from the backend"))
    proxy = sallyport(SITE, backend=backend, streams=400)
    proxy.write("www/files/a", "from a file")
    done = subprocess.run(["h2load", "-n", "2000", "-c", "2", "-m", "400",
                           f"https://127.0.0.1:{proxy.port('https')}/{place}/a"],
                          capture_output=True, text=True, check=False, timeout=seconds(120))
    assert "2000 succeeded, 0 failed, 0 errored" in done.stdout, done.stdout + done.stderr
    assert "status codes: 2000 2xx" in done.stdout, done.stdout
