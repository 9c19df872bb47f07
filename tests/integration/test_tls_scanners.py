"""sslscan and testssl.sh look at the defaults: a certificate, its key, and nothing else about TLS."""
import json
import os
import re
import shutil
import subprocess

import pytest

from support.waiting import seconds

LONG = os.environ.get("SALLYPORT_LONG") == "1"

# What testssl.sh may find that INFO and OK don't cover. Each with its reason.
EXCEPTIONS = {
    "engine_problem": "about the scanner's own OpenSSL",
    "cert_chain_of_trust": "no public authority signs a test's certificate",
    "cert_revocation": "nor says where its revocations are",
    "cert_serialNumberLen": "nor gives it a long number",
    "cert_validityPeriod": "nor lets it live for 75 years",
    "DNS_CAArecord": "example.com's DNS is not ours",
    "HSTS": "what an application promises about its name is add_header's, not a default",
    "security_headers": "likewise",
    "cipher_order": "the client's order counts, as with nginx and in Mozilla's intermediate settings: each "
                    "suite is an AEAD with forward secrecy, and a client without AES in hardware does "
                    "well to begin with ChaCha20",
}


@pytest.fixture(scope="module", params=["ec", "rsa"])
def proxy(request, shared_sallyport, authority):
    made = authority.certificate("example.com", algorithm=request.param)
    program = shared_sallyport(f"""
        server {{
            listen 127.0.0.1:@port:https@ ssl;
            server_name example.com;
            ssl_certificate {made.chain};
            ssl_certificate_key {made.key};
            return 200 "scanned\\n";
        }}
    """)
    program.algorithm = request.param
    return program


def scan(command, within):
    assert shutil.which(command[0]), f"no {command[0]}: script/bootstrap installs it"
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, timeout=seconds(within), check=False)


def test_sslscan_finds_nothing_weak(proxy):
    done = scan(["sslscan", "--no-colour", "--sni-name=example.com", f"127.0.0.1:{proxy.port('https')}"],
                60)
    said = done.stdout
    assert done.returncode == 0, said
    for version in ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"):
        assert re.search(rf"{re.escape(version)} +disabled", said), said
    for version in ("TLSv1.2", "TLSv1.3"):
        assert re.search(rf"{re.escape(version)} +enabled", said), said
    assert "Server supports TLS Fallback SCSV" in said
    assert "Session renegotiation not supported" in said
    assert said.count("not vulnerable to heartbleed") == 2 and "vulnerable to" in said
    suites = re.findall(r"^(?:Preferred|Accepted) +(\S+) +(\d+) bits +(\S+) +(.*)$", said, re.MULTILINE)
    kind = "ECDSA" if proxy.algorithm == "ec" else "RSA"
    assert {suite for _, _, suite, _ in suites} == {
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
        *(f"ECDHE-{kind}-{cipher}" for cipher in (
            "AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"))}, said
    assert all(int(bits) >= 128 for _, bits, _, _ in suites)
    groups = set(re.findall(r"^TLSv1\.\d +(\d+) bits +(\S+)", said.partition("Key Exchange Group")[2],
                            re.MULTILINE))
    assert {name for _, name in groups} == {"secp256r1", "secp384r1", "x25519"}, said


def findings(proxy, folder, *sections):
    report = folder / "testssl.json"
    done = scan(["testssl", "--warnings", "batch", "--color", "0", "--jsonfile", report, *sections,
                 "--ip", "127.0.0.1", f"https://example.com:{proxy.port('https')}"], 280)
    assert report.exists(), done.stdout + done.stderr
    return json.loads(report.read_text())


def problems_of(found):
    return [f"{one['severity']}: {one['id']}: {one['finding']}" for one in found
            if one["severity"] not in ("OK", "INFO", "DEBUG") and one["id"].split()[0] not in EXCEPTIONS]


@pytest.mark.skipif(not LONG, reason="takes minutes: SALLYPORT_LONG=1")
def test_testssl_finds_nothing_above_info(proxy, tmp_path):
    found = findings(proxy, tmp_path)
    by_id = {one["id"]: one for one in found}
    # It looked at all that it looks for, and spoke with this server.
    for looked_at in ("SSLv2", "TLS1_2", "TLS1_3", "heartbleed", "CCS", "ROBOT", "secure_client_renego",
                      "BREACH", "POODLE_SSL", "SWEET32", "LUCKY13", "RC4", "scanTime"):
        assert looked_at in by_id, sorted(by_id)
    assert by_id["TLS1_3"]["severity"] == "OK"
    problems = problems_of(found)
    assert not problems, "\n".join(problems)


@pytest.mark.skipif(not LONG, reason="takes a minute: SALLYPORT_LONG=1")
def test_testssl_does_find_weak_settings(sallyport, authority, tmp_path):
    """The scan above can fail."""
    weak = sallyport("""
        server {
            listen 127.0.0.1:@port:https@ ssl;
            server_name example.com;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            ssl_protocols TLSv1 TLSv1.1 TLSv1.2;
            ssl_ciphers ECDHE-ECDSA-AES128-SHA;
            return 200;
        }
    """)
    found = problems_of(findings(weak, tmp_path, "-p", "-s"))
    assert any("TLS1:" in one for one in found), found
