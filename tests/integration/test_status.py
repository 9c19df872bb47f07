"""`sallyport status`: what an administrator opens first."""
import calendar
import json
import os
import pty
import re
import signal
import subprocess
import time

import pytest

from support import wait_for

PROXY = """
    http {
        upstream app { server @backend@; server 127.0.0.1:@port:nobody@; }
        server {
            listen 127.0.0.1:@port:https@ ssl;
            listen 127.0.0.1:@port:http@;
            server_name a.example;
            ssl_certificate @cert:a.example@;
            ssl_certificate_key @key:a.example@;
            location / { proxy_pass http://app; }
            location /own { return 200 "own"; }
            location /gone { return 410; }
        }
    }
"""


def status(proxy, *arguments, **options):
    return subprocess.run([str(proxy.binary), "status", "-p", f"{proxy.folder}/", *arguments],
                          env={**proxy.environment(), **options.pop("environment", {})},
                          capture_output=True, text=True, check=False, timeout=30)


def named(items, ending):
    return next(each for each in items if each["name"].endswith(ending))


def status_after(proxy, requests):
    """The status that has so many requests: a worker that is late with its report is left out."""
    def found():
        told = proxy.status()
        return named(told["servers"], " a.example")["requests"] == requests and told

    return wait_for(found, f"{requests} requests to be counted")


@pytest.mark.threads
def test_servers_locations_and_upstreams_are_counted_over_all_workers(sallyport, backend):
    proxy = sallyport(PROXY, main="worker_processes 2;", backend=backend.address)
    for _ in range(6):
        proxy.get("/", port="http")
        proxy.get("/own", port="http")
    proxy.get("/gone", port="http")
    found = status_after(proxy, 13)
    server = named(found["servers"], " a.example")
    assert (server["2xx"], server["4xx"]) == (12, 1)
    assert server["bytes_out"] > server["bytes_in"] > 0
    assert named(found["locations"], ": /own")["requests"] == 6
    assert named(found["locations"], ": /gone")["4xx"] == 1
    app = named(found["upstreams"], "app")
    good, bad = app["peers"]
    assert app["group"] and good["attempts"] == 6 and good["state"] == "up"
    assert good["idle"] >= 1 and good["active"] == 0
    assert bad["failures"] == bad["attempts"] >= 1 and bad["state"] == "failed"
    assert found["request_times_us"]["count"] == 13
    assert sum(count for _, count in found["request_times_us"]["buckets"]) == 13


def test_counts_go_on_over_a_reload_where_the_place_remains(sallyport, backend):
    proxy = sallyport(PROXY, backend=backend.address)
    proxy.get("/own", port="http")
    proxy.reload(PROXY.replace("location /gone { return 410; }", "location /new { return 200; }"))
    proxy.get("/own", port="http")
    proxy.get("/new", port="http")
    found = status_after(proxy, 3)
    assert named(found["locations"], ": /own")["requests"] == 2
    assert named(found["locations"], ": /new")["requests"] == 1


def test_tls_facts_and_certificates(sallyport, backend):
    proxy = sallyport(PROXY, backend=backend.address)
    proxy.get("/own", port="https", host="a.example")
    found = proxy.status()
    assert found["counters"]["handshakes_by_version"]["TLSv1.3"] == 1
    assert sum(found["counters"]["handshakes_by_cipher"].values()) == 1
    certificate, = found["certificates"]
    assert certificate["names"] == ["a.example"] and certificate["subject"] == "CN=a.example"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", certificate["not_after"])
    assert certificate["days_left"] > 0 and certificate["file"].endswith(".crt")


def test_the_text_fits_80_columns_and_begins_with_warnings(sallyport, backend):
    proxy = sallyport(PROXY, backend=backend.address)
    for _ in range(4):
        proxy.get("/", port="http")
    text = status(proxy).stdout
    assert all(len(line) <= 80 for line in text.splitlines()), text
    assert "\x1b" not in text
    assert 0 < text.index("! upstream app: ") < text.index("Connections")
    for word in ("Requests", "Listeners", "Upstreams", "Servers", "Locations", "Certificates",
                 "Workers", "Counters"):
        assert f"\n{word}" in text


def test_colors_only_on_a_terminal_that_wants_them(sallyport, backend):
    proxy = sallyport(PROXY, backend=backend.address)
    for _ in range(4):
        proxy.get("/", port="http")

    def on_a_terminal(**environment):
        ours, theirs = pty.openpty()
        done = subprocess.run([str(proxy.binary), "status", "-p", f"{proxy.folder}/"],
                              env={**proxy.environment(), **environment}, stdout=theirs,
                              stdin=subprocess.DEVNULL, check=True, timeout=30)
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:
            pass  # Linux's way to say that the other end is closed
        os.close(ours)
        assert done.returncode == 0
        return shown

    assert b"\x1b[1;31m! upstream app" in on_a_terminal(NO_COLOR="")
    assert b"\x1b" not in on_a_terminal(NO_COLOR="1")


def test_watching_shows_rates_from_the_second_time_on(sallyport, backend):
    proxy = sallyport(PROXY, backend=backend.address)
    with subprocess.Popen([str(proxy.binary), "status", "-p", f"{proxy.folder}/", "--watch", "0.2"],
                          env=proxy.environment(), stdout=subprocess.PIPE, text=True) as watch:
        text = ""
        deadline = time.monotonic() + 20
        while text.count("Requests") < 2 and time.monotonic() < deadline:
            proxy.get("/own", port="http")
            text += watch.stdout.readline()
        watch.send_signal(signal.SIGTERM)
    first, second = re.findall(r"^Requests .*$", text, re.MULTILINE)[:2]
    assert "/s)" not in first and "/s)" in second


def test_json_while_watching_is_a_line_each(sallyport, backend):
    proxy = sallyport(PROXY, backend=backend.address)
    with subprocess.Popen([str(proxy.binary), "status", "-p", f"{proxy.folder}/", "--watch", "0.2",
                           "--format", "json"], env=proxy.environment(), stdout=subprocess.PIPE,
                          text=True) as watch:
        lines = [json.loads(watch.stdout.readline()) for _ in range(2)]
        watch.send_signal(signal.SIGTERM)
    assert lines[0]["time_ms"] < lines[1]["time_ms"]


def test_a_restart_is_the_first_thing_that_is_told(sallyport, backend):
    proxy = sallyport(PROXY, backend=backend.address)
    os.kill(proxy.status()["pid"]["server"], signal.SIGKILL)
    wait_for(lambda: status(proxy).returncode == 0, "the server process to be back")
    assert "\n! the server process died and was started again once\n" in status(proxy).stdout


def test_nobody_answers_for_an_instance_that_does_not_run(sallyport):
    proxy = sallyport.make()
    done = status(proxy)
    assert done.returncode == 1 and "no status: connect() to" in done.stderr


def test_a_limit_that_was_met_is_a_warning(sallyport, backend):
    proxy = sallyport(PROXY, backend=backend.address)
    with proxy.client() as client:
        client.request("POST", "/", body=b"x" * 2_000_000)
    assert "! requests refused: client_max_body_size: 1 in the last 10 minutes" in (
        status(proxy).stdout)


def test_the_last_reload_is_told_and_outlives_the_server_process(sallyport):
    site = 'server { listen 127.0.0.1:@port:http@; location / { return 204; } }'
    proxy = sallyport(site)
    assert proxy.status()["last_reload"] is None
    proxy.reload(site.replace("location / {", "location /new { return 200; } location / {"))
    applied = wait_for(lambda: proxy.status()["last_reload"], "the reload")
    assert (applied["outcome"], applied["generation"]) == ("applied", 2)
    assert applied["text"] == "locations: 1 added"
    assert abs(time.time() - calendar.timegm(time.strptime(applied["time"], "%Y-%m-%dT%H:%M:%SZ"))) < 60
    proxy.configure(site.replace("return 204;", "retrun 204; another wrong;"))
    proxy.send_signal(signal.SIGHUP)
    wait_for(lambda: proxy.status()["last_reload"]["outcome"] == "refused", "the refusal")
    refused = proxy.status()["last_reload"]
    assert refused["generation"] == proxy.status()["generation"] == 2
    assert re.match(r'unknown directive "retrun" in \S+:\d+, and 1 more$', refused["text"])
    text = status(proxy).stdout
    assert f"last reload {refused['time']}, refused: unknown directive" in text
    assert max(len(line) for line in text.splitlines()) <= 80
    os.kill(proxy.status()["pid"]["server"], signal.SIGKILL)
    wait_for(lambda: status(proxy).returncode == 0 and proxy.status()["server_restarts"] == 1, "its return")
    wait_for(lambda: proxy.status()["last_reload"] == refused, "the new process to know")


def test_listeners_that_take_proxy_headers_are_told(sallyport):
    proxy = sallyport("server { listen 127.0.0.1:@port:http@; return 204; }"
                      "server { listen 127.0.0.1:@port:proxied@ proxy_protocol; return 204; }")
    listeners = {each["address"]: each["proxy_protocol"] for each in proxy.status()["listeners"]}
    assert listeners == {f"127.0.0.1:{proxy.port('http')}": False,
                         f"127.0.0.1:{proxy.port('proxied')}": True}
    assert f"127.0.0.1:{proxy.port('proxied')} proxy_protocol" in status(proxy).stdout
