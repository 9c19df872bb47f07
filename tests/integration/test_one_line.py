"""`sallyport proxy`: TLS in front of a service, in one line."""
import re
import subprocess

import pytest

from support.waiting import seconds, wait_for


@pytest.fixture
def one_line(sallyport):
    """Starts `sallyport proxy` with these words; its folder is the program's."""
    program = sallyport.make()

    def start(*words):
        seen = program.errors.count("Ctrl-C")
        with open(program.folder / "stderr.log", "ab") as errors:
            program.process = subprocess.Popen(
                ["setpriv", "--pdeathsig=TERM", str(program.binary), "proxy", *words,
                 "--listen", f"127.0.0.1:{program.port('https')}", "-p", str(program.folder)],
                env=program.environment(), cwd=program.folder, stdin=subprocess.DEVNULL,
                stdout=errors, stderr=errors, start_new_session=True)
        wait_for(lambda: program.errors.count("Ctrl-C") > seen or program.process.poll() is not None,
                 "the welcome", within=20)
        return program

    start.program = program
    return start


def fetch(program, certificate, path="/", host="localhost"):
    port = program.port("https")
    return subprocess.run(
        ["curl", "-sS", "--cacert", str(certificate), "--resolve", f"{host}:{port}:127.0.0.1",
         f"https://{host}:{port}{path}"],
        capture_output=True, text=True, check=True, timeout=seconds(20)).stdout


def test_a_service_on_a_port_is_behind_tls_at_once(one_line, backend):
    program = one_line("--to", str(backend.port))
    certificate = program.folder / "certificate.pem"
    assert f"curl --cacert {certificate} https://localhost:{program.port('https')}/" in program.errors
    assert "hello" in fetch(program, certificate, "/some/page")
    request = backend.requests[-1]
    assert request.target == "/some/page"
    assert request.field("X-Forwarded-Proto") == "https"
    assert request.field("Host") == f"localhost:{program.port('https')}"
    assert (program.folder / "key.pem").stat().st_mode & 0o777 == 0o600
    program.stop()


def test_domain_and_certificate_may_be_ones_own(one_line, backend, authority):
    own = authority.certificate("shop.example")
    program = one_line("--to", f"http://127.0.0.1:{backend.port}", "--domain", "shop.example",
                       "--cert", str(own.chain), "--key", str(own.key))
    assert "for development" not in program.errors
    assert "hello" in fetch(program, authority.chain, host="shop.example")
    program.stop()


def test_the_development_certificate_stays_until_the_names_change(one_line, backend):
    program = one_line("--to", str(backend.port))
    certificate = program.folder / "certificate.pem"
    first = certificate.read_text()
    program.stop()
    one_line("--to", str(backend.port))
    assert certificate.read_text() == first
    program.stop()
    one_line("--to", str(backend.port), "--domain", "a.example")
    assert certificate.read_text() != first
    assert "hello" in fetch(program, certificate, host="a.example")
    program.stop()


def test_what_it_prints_is_a_configuration_that_runs(sallyport, backend):
    program = sallyport.make()
    printed = subprocess.run(
        [str(program.binary), "proxy", "--to", str(backend.port), "--listen",
         f"127.0.0.1:{program.port('https')}", "-p", str(program.folder), "--print"],
        env=program.environment(), capture_output=True, text=True, check=True)
    assert not (program.folder / "sallyport.conf").exists()
    program.start(printed.stdout.replace("daemon off;\n", ""))
    assert "hello" in fetch(program, program.folder / "certificate.pem")


@pytest.mark.parametrize("words, sentence", [
    (["--to", "ftp://a"], "backends speak http or https"),
    (["--to", "http://a;b"], "this is not an address"),
    (["--to", "3000", "--cert", "a.pem"], "--cert and --key belong together"),
    (["--to", "3000", "--listen", "x"], "this is not a port"),
    ([], "--to is required"),
])
def test_a_wrong_word_is_told_in_a_sentence(sallyport, words, sentence):
    program = sallyport.make()
    done = subprocess.run([str(program.binary), "proxy", *words, "-p", str(program.folder)],
                          env=program.environment(), capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert re.search(re.escape(sentence), done.stdout + done.stderr)
