"""`sallyport diff -c NEW`, and the line that a reload writes: what changes, told by meaning."""
import json
import signal
import subprocess

import pytest

NOTICE = "error_log stderr notice;"
BEFORE = """
    events { worker_connections 256; }
    http {
        upstream app { server 127.0.0.1:@port:one@; server 127.0.0.1:@port:two@; }
        proxy_read_timeout 120s;
        server {
            listen 127.0.0.1:@port:tls@ ssl;
            server_name a.example;
            ssl_certificate @cert:a.example@;
            ssl_certificate_key @key:a.example@;
            location / { proxy_pass http://app; }
            location /old { return 404; }
        }
    }
"""
# The same: another layout, the timeout at the location, in minutes.
SAME = """
    http {  # with a comment
        server {
            ssl_certificate_key @key:a.example@;
            ssl_certificate @cert:a.example@;
            location /old { return 404; proxy_read_timeout 2m; }
            include @dir@/conf/location.conf;
            proxy_read_timeout 2m;
            server_name "a.example";
            listen 127.0.0.1:@port:tls@ ssl;
        }
        upstream app { server 127.0.0.1:@port:one@; server 127.0.0.1:@port:two@; }
    }
    events { worker_connections 256; }
"""
AFTER = """
    events { worker_connections 256; }
    http {
        upstream app { server 127.0.0.1:@port:one@; }
        server {
            listen 127.0.0.1:@port:tls@ ssl;
            server_name a.example;
            ssl_certificate @cert:a.example@;
            ssl_certificate_key @key:a.example@;
            location / { proxy_pass http://app; proxy_set_header Authorization "Basic c2VjcmV0"; }
        }
        server { listen 127.0.0.1:@port:http@; return 204; }
    }
"""


def diff(proxy, text, *arguments):
    new = proxy.write("conf/new.conf", text)
    proxy.write("conf/location.conf", "location / { proxy_pass http://app; }")
    return subprocess.run(
        [str(proxy.binary), "diff", "-p", f"{proxy.folder}/", "-c", str(new), *arguments],
        env=proxy.environment(), cwd=proxy.folder, capture_output=True, text=True, check=False,
        timeout=30)


def test_another_layout_is_no_difference(sallyport):
    proxy = sallyport(BEFORE)
    done = diff(proxy, SAME)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Nothing differs.\n", "")


def test_a_difference_is_shown_by_what_it_means(sallyport):
    proxy = sallyport(BEFORE)
    done = diff(proxy, AFTER)
    assert done.returncode == 1, done.stderr
    server = f"127.0.0.1:{proxy.port('tls')} a.example"
    assert f"~ upstream app\n    - server 127.0.0.1:{proxy.port('two')}\n" in done.stdout
    assert f"- location {server}: /old\n" in done.stdout
    assert (f"~ location {server}: /\n    - proxy_read_timeout 2m\n"
            "    + proxy_set_header Authorization (hidden)\n") in done.stdout
    assert "c2VjcmV0" not in done.stdout
    assert done.stdout.endswith("servers: 1 added, 1 changed; locations: 1 removed, 1 changed; "
                                "upstreams: 1\n  changed; listeners: 1 added\n")
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    found = json.loads(diff(proxy, AFTER, "--format", "json").stdout)
    assert found["differs"] and found["changes"][0]["kind"] == "listener"
    # Nothing was applied.
    assert proxy.status()["generation"] == 1


def test_trouble_is_status_2(sallyport):
    proxy = sallyport(BEFORE)
    done = diff(proxy, "http { nonsense; }")
    assert done.returncode == 2 and 'unknown directive "nonsense"' in done.stderr
    done = diff(proxy, SAME, "--socket", str(proxy.folder / "nobody.sock"))
    assert done.returncode == 2 and "no comparison: connect() to" in done.stderr


@pytest.mark.parametrize("main", ["", "master_process off;"])
def test_a_reload_says_what_it_changed(sallyport, main):
    proxy = sallyport(NOTICE + BEFORE, main=main)
    proxy.configure(NOTICE + AFTER)
    proxy.send_signal(signal.SIGHUP)
    proxy.wait_for_error(
        "reloaded: generation 2; servers: 1 added, 1 changed; locations: 1 removed, 1 changed; "
        "upstreams: 1 changed; listeners: 1 added")
    proxy.send_signal(signal.SIGHUP)
    proxy.wait_for_error("reloaded: generation 3; nothing changed")


def test_a_renewed_certificate_is_a_change(sallyport, authority):
    def install(name):
        certificate = authority.certificate(name)
        proxy.write("conf/a.pem", certificate.chain.read_text())
        proxy.write("conf/a.key", certificate.key.read_text()).chmod(0o600)

    proxy = sallyport.make()
    install("a.example")
    text = (BEFORE.replace("@cert:a.example@", "a.pem").replace("@key:a.example@", "a.key"))
    proxy.start(NOTICE + text)
    install("b.example")
    done = diff(proxy, NOTICE + text)
    assert done.returncode == 1 and done.stdout.startswith("~ certificate a.pem\n")
    assert "names b.example" in done.stdout and "PRIVATE" not in done.stdout
    proxy.send_signal(signal.SIGHUP)
    proxy.wait_for_error("reloaded: generation 2; certificates: 1 changed")
