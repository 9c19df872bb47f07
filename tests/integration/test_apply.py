"""`sallyport reload` and `sallyport apply`: changes that tell their outcome, and that go back."""
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from support import wait_for
from support.backend import response
from support.load import Load
from support.waiting import seconds

SITE = """
    error_log stderr notice;
    upstream backends { server @backend@; }
    server {
        listen 127.0.0.1:@port:http@;
        listen 127.0.0.1:@port:https@ ssl;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        location / { proxy_pass http://backends; }
        location = /which { return 200 "@says@"; }
    }
"""


@pytest.fixture
def site(sallyport, make_backend):
    return lambda text=SITE, **values: sallyport(
        text, backend=make_backend(lambda request: response(request.target)), says="old", **values)


def command(proxy, *words, within=60):
    return subprocess.run([str(proxy.binary), *words, "-p", f"{proxy.folder}/"],
                          env=proxy.environment(), cwd=proxy.folder, capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL, timeout=seconds(within))


def begin(proxy, *words):
    return subprocess.Popen([str(proxy.binary), *words, "-p", f"{proxy.folder}/"],
                            env=proxy.environment(), cwd=proxy.folder, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def which(proxy):
    return proxy.get("/which", port="http").text


def refuses(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


# --- reload

def test_reload_returns_when_the_new_configuration_serves(site):
    proxy = site()
    proxy.configure(SITE, says="new")
    done = command(proxy, "reload")
    assert done.returncode == 0, done.stderr
    assert re.match(r"reloaded, generation 2: .*changed", done.stdout)
    assert which(proxy) == "new"


def test_reload_shows_what_is_wrong_and_the_old_configuration_goes_on(site):
    proxy = site()
    proxy.configure(SITE.replace("proxy_pass", "proxy_pas"), says="new")
    done = command(proxy, "reload")
    assert done.returncode == 1
    assert 'unknown directive "proxy_pas"' in done.stderr and 'did you mean "proxy_pass"' in done.stderr
    assert "not reloaded, the old configuration goes on" in done.stderr
    assert which(proxy) == "old"


def test_reload_says_that_nobody_is_there(sallyport):
    proxy = sallyport.make()
    done = command(proxy, "reload")
    assert done.returncode == 1
    assert "sallyport.control" in done.stderr


def test_reload_as_json(site):
    proxy = site()
    done = command(proxy, "reload", "--format", "json")
    assert done.returncode == 0
    assert '"ok": true' in done.stdout and '"text": "nothing changed"' in done.stdout


@pytest.mark.threads
def test_reloads_at_the_same_time_each_tell_their_outcome(site):
    proxy = site()
    running = [begin(proxy, "reload") for _ in range(5)]
    for process in running:
        out, errors = process.communicate(timeout=seconds(30))
        assert process.returncode == 0, errors
        assert out.startswith("reloaded, generation ")


# --- apply

# On a busy machine some requests take many times as long as those before, whatever serves them.
HOWEVER_SLOW = ("--max-p99", "1000000x")


def trial(proxy, text=SITE, **values):
    """The file of a configuration to try, beside the instance's own."""
    proxy.values.update(values)
    return str(proxy.write("conf/new.conf", text))


def test_apply_keeps_what_does_well(site):
    proxy = site()
    with Load(proxy) as load:
        load.wait_for_more(100)
        done = command(proxy, "apply", "-c", trial(proxy, says="new"), "--watch", "2s", *HOWEVER_SLOW)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("applied, generation 2: ")
        assert "kept." in done.stdout
    assert not load.failures
    assert which(proxy) == "new"
    reload = command(proxy, "reload")  # reads the instance's own file, which nobody has touched
    assert reload.returncode == 0, reload.stderr
    assert which(proxy) == "old"


@pytest.mark.threads
def test_apply_takes_back_what_breaks_requests(site, make_backend):
    """One request in twenty is answered by a backend that fails."""
    proxy = site()
    bad = make_backend(lambda request: response("broken", status=500))
    broken = SITE.replace("location = /which",
                          "location ~ [02468]0$ { proxy_pass http://@bad@; } location = /which")
    before = which(proxy)
    with Load(proxy, stubborn=True) as load:
        load.wait_for_more(200)
        began = time.monotonic()
        done = command(proxy, "apply", "-c", trial(proxy, broken, bad=bad, says="new"), "--watch", "60s",
                       *HOWEVER_SLOW)
        took = time.monotonic() - began
    assert done.returncode == 1
    assert re.search(r"taken back: [\d.]+ % of \d+ responses were 5xx", done.stderr), done.stderr
    assert took < seconds(10)
    assert which(proxy) == before
    proxy.wait_for_error("conf/new.conf is taken back")


def test_apply_refuses_what_does_not_load(site):
    proxy = site()
    done = command(proxy, "apply", "-c", trial(proxy, "lissten 80;"))
    assert done.returncode == 1
    assert 'unknown directive "lissten"' in done.stderr and "not applied" in done.stderr
    assert which(proxy) == "old"


def test_a_trial_ends_when_its_command_is_killed(site):
    proxy = site()
    running = begin(proxy, "apply", "-c", trial(proxy, says="new"), "--watch", "60s")
    wait_for(lambda: which(proxy) == "new", "the trial to begin")
    refused = command(proxy, "apply", "-c", trial(proxy, says="newer"))
    assert refused.returncode == 1 and "under way" in refused.stderr
    reload = command(proxy, "reload")
    assert reload.returncode == 1 and "on trial" in reload.stderr
    running.send_signal(signal.SIGKILL)
    running.communicate()
    wait_for(lambda: which(proxy) == "old", "the old configuration to serve again")


def test_a_trial_goes_back_to_what_ran_not_to_what_the_file_says_by_then(site):
    proxy = site()
    running = begin(proxy, "apply", "-c", trial(proxy, says="new"), "--watch", "60s")
    wait_for(lambda: which(proxy) == "new", "the trial to begin")
    proxy.configure("this is no configuration")
    running.terminate()
    running.communicate()
    wait_for(lambda: which(proxy) == "old", "the old configuration to serve again")


def test_a_trial_with_other_workers_and_listeners_goes_back(site):
    proxy = site()
    text = "worker_processes 3;" + SITE.replace("server_name", "listen 127.0.0.1:@port:more@; server_name")
    running = begin(proxy, "apply", "-c", trial(proxy, text, says="new"), "--watch", "60s")
    wait_for(lambda: len(proxy.status()["workers"]) == 3, "the trial to begin")
    assert proxy.get("/which", port="more").text == "new"
    running.terminate()
    running.communicate()
    wait_for(lambda: len(proxy.status()["workers"]) == 1, "the old configuration to serve again")
    # The trial's process serves what it has accepted to its end, which takes a moment.
    wait_for(lambda: refuses(proxy.port("more")), "the trial's listener to go")
    wait_for(lambda: which(proxy) == "old", "the trial's process to be done")


def test_an_instance_that_ends_during_a_trial_ends_well(site):
    proxy = site()
    running = begin(proxy, "apply", "-c", trial(proxy, says="new"), "--watch", "60s")
    wait_for(lambda: which(proxy) == "new", "the trial to begin")
    proxy.stop(signal.SIGQUIT, within=10)
    running.communicate(timeout=seconds(30))
    assert running.returncode == 1
    with pytest.raises(ConnectionRefusedError):
        proxy.get("/which", port="http")


def test_a_trial_whose_process_dies_is_taken_back(site):
    proxy = site()
    running = begin(proxy, "apply", "-c", trial(proxy, says="new"), "--watch", "60s")
    assert running.stdout.readline().startswith("applied, "), "not before the supervisor knows, too"
    assert which(proxy) == "new"
    os.kill(proxy.status()["pid"]["server"], signal.SIGKILL)
    _, errors = running.communicate(timeout=seconds(30))
    assert running.returncode == 1
    assert "taken back: the server process died" in errors
    assert which(proxy) == "old"


@pytest.mark.parametrize("option, value", [("--watch", "soon"), ("--max-5xx", "200%"), ("--max-p99", "fast")])
def test_options_that_make_no_sense_are_named(sallyport, option, value):
    proxy = sallyport.make()
    done = command(proxy, "apply", "-c", "x", option, value)
    assert done.returncode != 0
    assert f'"{value}" is not ' in done.stderr
