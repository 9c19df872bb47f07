"""The guide's configurations: each one loads, and each whole one serves a request."""
import os
import pathlib
import pwd
import re
import shutil
import ssl

import pytest

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs/guide"
WHOLE = re.compile(r"^(http|server) \{", re.MULTILINE)
# Whole ones of static-files and grpc are test_static_files.py's and test_grpc.py's.
PAGES = ("access-and-limits", "filters", "first-steps", "grpc", "headers", "http2", "re-encryption", "rewriting",
         "static-files", "tls")
EXAMPLES = [pytest.param(example, id=f"{page}-{number}")
            for page in PAGES
            for number, example in enumerate(
                re.findall(r"```nginx\n(.*?)```", (GUIDE / f"{page}.md").read_text(), re.DOTALL))
            if page not in ("static-files", "grpc") or not WHOLE.search(example)]

# What stands in the guide, and where it is in the test.
PLACES = [
    (r"\b(?:0\.0\.0\.0:)?443 ssl\b", "127.0.0.1:@port:https@ ssl"),
    (r"\blisten 8001;", "listen 127.0.0.1:@port:http@;"),
    (r"127\.0\.0\.1:9443\b", "@secure@"),
    (r"127\.0\.0\.1:9000\b", "@plain@"),
    (r"sha256//47DEQ[^\s;]*", "@pin@"),
]


def make_files(program, example, secure):
    """The files that the example names, in the directory of the configuration."""
    authority = program.authority
    gateway = authority.certificate("gateway.test")
    for name in set(re.findall(r"[\w.-]+\.(?:crt|key|crl|password|users)\b", example)):
        host = re.sub(r"\.(crt|key)$", "", name)
        if name == "internal-ca.crt":
            source = authority.chain
        elif name == "internal-ca.crl":
            source = authority.revocation_list()
        elif name == "gateway.key":
            source = gateway.encrypted_key("secret")
        elif name == "gateway.password":
            source = program.write("conf/secret", "secret\n")
        elif name.endswith(".users"):
            source = program.write("conf/made", "ann:{PLAIN}secret\n")
        elif name.startswith("ticket."):
            source = program.folder / "conf" / f"{name}.made"
            source.write_bytes(os.urandom(80))
        else:
            kind = "rsa" if host.endswith(".rsa") else "ec"
            pair = authority.certificate(re.sub(r"\.(rsa|ecdsa)$", "", host), algorithm=kind)
            pair = gateway if host == "gateway" else pair
            source = pair.chain if name.endswith(".crt") else pair.key
        copy = program.folder / "conf" / name
        shutil.copyfile(source, copy)
        copy.chmod(0o600)


    if "clients/" in example:  # read by server processes, as their user
        folder = program.folder / "conf/clients"
        folder.mkdir()
        shutil.copyfile(gateway.chain, folder / "app.example.org.crt")
        key = folder / "app.example.org.key"
        shutil.copyfile(gateway.key, key)
        key.chmod(0o640)
        if os.geteuid() == 0:
            os.chown(key, 0, pwd.getpwnam("nobody").pw_gid)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_guide_s_examples_load_and_serve(sallyport, make_backend, authority, example):
    certificate = authority.certificate("app.internal")
    context = certificate.server_context()
    context.load_verify_locations(authority.chain)
    asks = "proxy_ssl_certificate " in example
    context.verify_mode = ssl.CERT_REQUIRED if asks else ssl.CERT_NONE
    backends = {"secure": make_backend(tls=context), "plain": make_backend()}
    program = sallyport.make()
    make_files(program, example, backends["secure"])
    text = example
    for pattern, place in PLACES:
        text = re.sub(pattern, place, text)
    whole = WHOLE.search(text)
    if not whole:
        own = ("" if "ssl_certificate " in text else
               "ssl_certificate @cert:example.com@; ssl_certificate_key @key:example.com@;")
        text = f"server {{ listen 127.0.0.1:@port:https@ ssl; {own} {text} }}"
    values = {**backends, "pin": certificate.pin()}
    done = program.check(text, **values)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr
    if not whole:
        return
    program.start(text, **values)
    names = re.findall(r"server_name (\S+?)[ ;]", example) or ["example.com"]
    if "ssl_reject_handshake on" in example:
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            program.get("/", host=names[0])
        return
    for name in names:
        assert program.get("/", host=name).status == 200
    passed_on = [backend for mark, backend in backends.items() if f"@{mark}@" in text]
    for backend in passed_on:
        assert backend.requests, "the backend was asked"
