"""Other people's TLS clients against one server with three certificates: what each is shown, and agrees on.

Every client verifies chain and name; the authority of each certificate has a key of the same kind, as it is
with real ones, since a client that knows RSA only can't verify anything else above it either. What was agreed
on is the server's own view, by its variables.

Java, Go and Node come with `script/bootstrap --clients`; SALLYPORT_NODES (paths, with colons) adds Nodes of
other times, and so their OpenSSL, down to Node 0.10's 1.0.1.
"""
import os
import pathlib
import shutil
import subprocess

import pytest

from support import Authority
from support.waiting import seconds

CLIENTS = pathlib.Path(__file__).parent / "clients"
NODES = list(filter(None, os.environ.get("SALLYPORT_NODES", "").split(":")))
FIELDS = "$ssl_protocol $ssl_cipher $ssl_curve $ssl_sigalg $ssl_session_reused"
REQUEST = "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"
NAMES = ("example.com", "localhost", "127.0.0.1")

# What the key of each kind signs with, as OpenSSL and TLS call it.
KINDS = {"ecdsa": "ecdsa_", "rsa": "rsa_", "ed25519": "ed25519"}
# A server with one certificate each; what it signs with.
ALONE = {"ec": "ecdsa_secp256r1_sha256", "p384": "ecdsa_secp384r1_sha384",
         "p521": "ecdsa_secp521r1_sha512", "rsa": "rsa_", "rsa-3072": "rsa_", "ed25519": "ed25519"}


class Agreed:
    """A line of FIELDS."""

    def __init__(self, line):
        self.line = line
        self.version, self.cipher, self.curve, self.signature, self.reused = line.split(" ")

    def __repr__(self):
        return f"<{self.line}>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("clients")


@pytest.fixture(scope="module")
def trust(folder):
    """algorithm -> its authority; "all.crt" in `folder` has all of them."""
    made = {algorithm: Authority(folder / algorithm, f"Authority of {algorithm}", algorithm)
            for algorithm in ("ec", "rsa", "ed25519")}
    (folder / "all.crt").write_text("".join(one.chain.read_text() for one in made.values()))
    return made


@pytest.fixture(scope="module")
def proxy(shared_sallyport, trust):
    pairs = "".join(f"ssl_certificate {made.chain}; ssl_certificate_key {made.key};\n"
                    for made in (authority.certificate(*NAMES, algorithm=algorithm)
                                 for algorithm, authority in trust.items()))
    servers = ""
    for algorithm in ALONE:
        kind = algorithm.partition("-")[0]
        made = trust.get(kind, trust["ec"]).certificate(f"{algorithm}.test", algorithm=algorithm)
        servers += f"""
            server {{
                listen 127.0.0.1:@port:https@ ssl;
                server_name {algorithm}.test;
                ssl_certificate {made.chain};
                ssl_certificate_key {made.key};
                return 200 "{FIELDS}\\n";
            }}"""
    text = f"""
        server {{
            listen 127.0.0.1:@port:https@ ssl default_server;
            server_name example.com;
            {pairs}
            return 200 "{FIELDS}\\n";
        }}
        server {{
            listen 127.0.0.1:@port:https@ ssl;
            server_name localhost;
            {pairs}
            ssl_prefer_server_ciphers on;
            return 200 "{FIELDS}\\n";
        }}
        {servers}
    """
    return shared_sallyport(text)


def need(program, package, clients=False):
    found = shutil.which(program)
    if not found and clients:
        pytest.skip(f"no {program}: script/bootstrap --clients installs it")
    assert found, f"no {program}: script/bootstrap installs {package}"
    return found


def run(command, *, data="", environment=None, tolerated=()):
    done = subprocess.run(list(map(str, command)), input=data, capture_output=True, text=True,
                          errors="replace", timeout=seconds(20), check=False,
                          env={**os.environ, **(environment or {})})
    said = done.stdout + done.stderr
    assert done.returncode == 0 or done.returncode in tolerated, said
    found = [Agreed(line.strip()) for line in done.stdout.splitlines()
             if line.startswith(("TLSv1.2 ", "TLSv1.3 ")) and line.count(" ") == FIELDS.count(" ")]
    assert found, said
    return found


# -- each client: a function of the proxy and its arguments that returns what was agreed, per connection


def openssl(proxy, folder, *arguments, name="example.com"):
    sni = [] if "-noservername" in arguments else ["-servername", name]
    return run(["openssl", "s_client", "-quiet", "-ign_eof", "-connect",
                f"127.0.0.1:{proxy.port('https')}", *sni, "-CAfile", folder / "all.crt",
                "-verify_return_error", "-verify_hostname", name, *arguments], data=REQUEST)


def gnutls(proxy, folder, priority="NORMAL", *arguments, name="example.com"):
    sni = [] if "--disable-sni" in arguments else ["--sni-hostname", name]
    return run([need("gnutls-cli", "gnutls-bin"), "--x509cafile", folder / "all.crt",
                *sni, "--verify-hostname", name, "--priority", priority, "--port",
                proxy.port("https"), *arguments, "127.0.0.1"], data=REQUEST)


def nss(proxy, folder, *arguments, name="example.com"):
    program = need("tstclnt", "libnss3-tools")
    database = folder / "nss"
    if not database.exists():
        database.mkdir()
        for command in (["-N", "--empty-password"],
                        *(["-A", "-n", kind, "-t", "C,,", "-i", folder / kind / "authority.crt"]
                          for kind in ("ec", "rsa"))):
            subprocess.run(["certutil", "-d", f"sql:{database}", *command], check=True,
                           capture_output=True, timeout=seconds(20))
    request = folder / "request"
    request.write_bytes(REQUEST.encode())
    return run([program, "-4", "-h", "127.0.0.1", "-p", proxy.port("https"), "-a", name, "-d",
                f"sql:{database}", "-A", request, *arguments])


def curl(proxy, folder, *arguments, name="example.com"):
    port = proxy.port("https")
    return run(["curl", "-sS", "--noproxy", "*", "--cacert", folder / "all.crt", "--resolve",
                f"{name}:{port}:127.0.0.1", *arguments, f"https://{name}:{port}/"])


def java(proxy, folder, *arguments, name="example.com"):
    compiler = need("javac", "default-jdk-headless", clients=True)
    if not (folder / "Ask.class").exists():
        subprocess.run([compiler, "-d", folder, CLIENTS / "Ask.java"], check=True, timeout=seconds(60))
    settings = [argument for argument in arguments if argument.startswith("-D")]
    rest = [argument for argument in arguments if not argument.startswith("-D")]
    sni = [] if "nameless" in rest else [f"name={name}"]
    return run([need("java", "default-jdk-headless", clients=True), "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC", "-Xshare:auto", *settings, "-cp", folder, "Ask", *sni,
                f"port={proxy.port('https')}", f"ca={folder}/all.crt",
                *[argument for argument in rest if argument != "nameless"]])


def go(proxy, folder, *arguments, name="example.com"):
    compiler = need("go", "golang-go", clients=True)
    program = folder / "ask-go"
    if not program.exists():
        subprocess.run([compiler, "build", "-o", program, CLIENTS / "ask.go"], check=True, cwd=folder,
                       timeout=seconds(120), env={**os.environ, "GO111MODULE": "off",
                                                  "GOCACHE": str(folder / "go-cache")})
    return run([program, f"port={proxy.port('https')}", f"ca={folder}/all.crt", f"name={name}",
                *arguments])


def node(proxy, folder, *arguments, name="example.com", program=None):
    return run([program or need("node", "nodejs", clients=True), CLIENTS / "ask.js",
                f"port={proxy.port('https')}", f"ca={folder}/all.crt", f"name={name}",
                *arguments])


# -- the matrix: client, what it is told, version, kind of certificate, and more that must be agreed

SUITES_OF_2012 = ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_RSA_WITH_AES_128_CBC_SHA,"
                  "TLS_RSA_WITH_AES_128_GCM_SHA256")
JAVA_8 = ["-Djdk.tls.namedGroups=secp256r1,secp384r1,secp521r1", "-Djdk.tls.useExtendedMasterSecret=false",
          "-Djdk.tls.client.SignatureSchemes=ecdsa_secp521r1_sha512,rsa_pkcs1_sha512,"
          "ecdsa_secp384r1_sha384,rsa_pkcs1_sha384,ecdsa_secp256r1_sha256,rsa_pkcs1_sha256,ecdsa_sha1,"
          "rsa_pkcs1_sha1", "versions=TLSv1.2"]
OLD_OPENSSL = ["-tls1_2", "-noservername", "-groups", "P-256", "-sigalgs",
               "RSA+SHA512:RSA+SHA384:RSA+SHA256:RSA+SHA1", "-cipher",
               "ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA:DES-CBC3-SHA"]
ONLY = "-SIGN-ALL:+SIGN-"

MATRIX = [
    (openssl, [], "1.3", "ecdsa", "X25519"),
    (openssl, ["-tls1_2"], "1.2", "ecdsa", "ECDHE-ECDSA"),
    (openssl, ["-sigalgs", "rsa_pss_rsae_sha256"], "1.3", "rsa", "rsa_pss_rsae_sha256"),
    (openssl, ["-tls1_2", "-sigalgs", "rsa_pss_rsae_sha256"], "1.2", "rsa", "ECDHE-RSA"),
    (openssl, ["-tls1_2", "-sigalgs", "RSA+SHA256"], "1.2", "rsa", "rsa_pkcs1_sha256"),
    (openssl, ["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"], "1.2", "rsa", "ECDHE-RSA"),
    (openssl, ["-sigalgs", "ed25519"], "1.3", "ed25519", ""),
    (openssl, ["-tls1_2", "-sigalgs", "ed25519"], "1.2", "ed25519", "ECDHE-ECDSA"),
    (openssl, ["-groups", "P-256"], "1.3", "ecdsa", "prime256v1"),
    (openssl, ["-groups", "X448:P-521:P-384"], "1.3", "ecdsa", "secp384r1"),  # a HelloRetryRequest
    (openssl, ["-no_middlebox"], "1.3", "ecdsa", ""),
    (openssl, ["-no_ticket", "-tls1_2"], "1.2", "ecdsa", ""),
    (openssl, ["-noservername"], "1.3", "ecdsa", ""),
    (openssl, OLD_OPENSSL, "1.2", "rsa", "rsa_pkcs1_sha512"),
    (gnutls, [], "1.3", "rsa", ""),  # it names RSA first; see PREFERRED
    (gnutls, [f"NORMAL:{ONLY}ECDSA-SECP256R1-SHA256"], "1.3", "ecdsa", ""),
    (gnutls, ["NORMAL:-VERS-ALL:+VERS-TLS1.2"], "1.2", "ecdsa", "ECDHE-ECDSA"),
    (gnutls, [f"NORMAL:{ONLY}RSA-PSS-RSAE-SHA256"], "1.3", "rsa", ""),
    (gnutls, ["NORMAL:-VERS-ALL:+VERS-TLS1.2:-ECDHE-ECDSA"], "1.2", "rsa", "ECDHE-RSA"),
    (gnutls, [f"NORMAL:{ONLY}EDDSA-ED25519"], "1.3", "ed25519", ""),
    (gnutls, [f"NORMAL:-VERS-ALL:+VERS-TLS1.2:{ONLY}EDDSA-ED25519"], "1.2", "ed25519", ""),
    (gnutls, ["NORMAL:-GROUP-ALL:+GROUP-SECP256R1"], "1.3", "rsa", "prime256v1"),
    (gnutls, ["NORMAL", "--single-key-share"], "1.3", "rsa", ""),
    (gnutls, ["NORMAL", "--recordsize", "512"], "1.3", "rsa", ""),
    # No extended master secret, no tickets, no Encrypt-then-MAC, no SNI: the extensions of 2010.
    (gnutls, ["NORMAL:-VERS-ALL:+VERS-TLS1.2:-ECDHE-ECDSA:-SIGN-ALL:+SIGN-RSA-SHA256:%NO_SESSION_HASH:"
              "%NO_TICKETS:%NO_ETM:-GROUP-ALL:+GROUP-SECP256R1", "--disable-sni"], "1.2", "rsa",
     "rsa_pkcs1_sha256"),
    (nss, [], "1.3", "ecdsa", ""),
    (nss, ["-V", "tls1.2:tls1.2"], "1.2", "ecdsa", "ECDHE-ECDSA"),
    (nss, ["-J", "rsa_pss_rsae_sha256"], "1.3", "rsa", "rsa_pss_rsae_sha256"),
    (nss, ["-V", "tls1.2:tls1.2", "-J", "rsa_pkcs1_sha256"], "1.2", "rsa", "rsa_pkcs1_sha256"),
    (nss, ["-I", "P256"], "1.3", "ecdsa", "prime256v1"),
    (nss, ["-e", "-i", "100"], "1.3", "ecdsa", ""),  # ECH GREASE, as Firefox
    (curl, [], "1.3", "ecdsa", ""),
    (curl, ["--tls-max", "1.2"], "1.2", "ecdsa", ""),
    (curl, ["--tls-max", "1.2", "--ciphers", "ECDHE-RSA-AES128-GCM-SHA256"], "1.2", "rsa", ""),
    (java, [], "1.3", "ecdsa", ""),
    (java, ["library=http", "times=2"], "1.3", "ecdsa", ""),
    (java, ["versions=TLSv1.2"], "1.2", "ecdsa", ""),
    (java, ["-Djdk.tls.client.SignatureSchemes=rsa_pss_rsae_sha256,rsa_pkcs1_sha256"], "1.3", "rsa", ""),
    (java, ["-Djdk.tls.client.SignatureSchemes=ed25519", "versions=TLSv1.3"], "1.3", "ed25519", ""),
    (java, JAVA_8, "1.2", "ecdsa", ""),
    (java, [*JAVA_8, f"ciphers={SUITES_OF_2012}", "nameless"], "1.2", "rsa", "rsa_pkcs1_sha512"),
    (go, [], "1.3", "rsa", ""),
    (go, ["max=1.2"], "1.2", "ecdsa", ""),
    (go, ["max=1.2", "ciphers=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"], "1.2", "rsa", ""),
    (go, ["curves=P256"], "1.3", "rsa", "prime256v1"),
    (go, ["curves=P384"], "1.3", "rsa", "secp384r1"),
    (node, [], "1.3", "ecdsa", ""),
    (node, ["maxVersion=TLSv1.2"], "1.2", "rsa", ""),
    (node, ["sigalgs=rsa_pss_rsae_sha256"], "1.3", "rsa", ""),
    (node, ["sigalgs=ed25519"], "1.3", "ed25519", ""),
    (node, ["maxVersion=TLSv1.2", "ciphers=ECDHE-RSA-AES128-GCM-SHA256", "ecdhCurve=prime256v1"], "1.2",
     "rsa", "prime256v1"),
]


@pytest.mark.parametrize("number", range(len(MATRIX)), ids=[
    f"{client.__name__}-{version}-{kind}-{' '.join(arguments)[:40]}"
    for client, arguments, version, kind, _ in MATRIX])
def test_each_client_gets_the_certificate_that_it_can_verify(proxy, folder, number):
    client, arguments, version, kind, more = MATRIX[number]
    for agreed in client(proxy, folder, *arguments):
        assert agreed.version == f"TLSv{version}", agreed
        assert agreed.signature.startswith(KINDS[kind]), agreed
        assert more in agreed.line, agreed


# Clients that know both but name RSA first: a server with ssl_prefer_server_ciphers may prefer ECDSA.
PREFERRED = [
    (gnutls, [], "1.3"),
    (go, [], "1.3"),
    (node, ["maxVersion=TLSv1.2"], "1.2"),
]


@pytest.mark.parametrize("client, arguments, version", PREFERRED)
def test_the_server_may_prefer_ecdsa(proxy, folder, client, arguments, version):
    for name, kind in (("example.com", "rsa"), ("localhost", "ecdsa")):
        agreed, = client(proxy, folder, *arguments, name=name)
        assert agreed.version == f"TLSv{version}" and agreed.signature.startswith(KINDS[kind]), agreed


RESUMED = [
    (gnutls, ["NORMAL", "--resume", "--waitresumption"], "1.3"),
    (gnutls, ["NORMAL:-VERS-ALL:+VERS-TLS1.2", "--resume"], "1.2"),
    (nss, ["-u", "-L", "2"], "1.3"),
    (nss, ["-u", "-L", "2", "-V", "tls1.2:tls1.2"], "1.2"),
    (java, ["times=3"], "1.3"),
    (java, ["times=3", "versions=TLSv1.2"], "1.2"),
    (go, ["times=3"], "1.3"),
    (go, ["times=3", "max=1.2"], "1.2"),
    (node, ["times=3"], "1.3"),
    (node, ["times=3", "maxVersion=TLSv1.2"], "1.2"),
]


@pytest.mark.parametrize("client, arguments, version", RESUMED)
def test_each_client_resumes_its_session(proxy, folder, client, arguments, version):
    found = client(proxy, folder, *arguments)
    assert all(agreed.version == f"TLSv{version}" for agreed in found), found
    assert found[-1].reused == "r", found


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_openssl_resumes_its_session(proxy, folder, version):
    session = folder / f"session-{version}"
    only = f"-tls{version.replace('.', '_')}"
    assert openssl(proxy, folder, only, "-sess_out", session)[0].reused == "."
    assert openssl(proxy, folder, only, "-sess_in", session)[0].reused == "r"


UNKNOWN = {nss: ("ed25519",)}


@pytest.mark.parametrize("algorithm", ALONE)
@pytest.mark.parametrize("client", [openssl, gnutls, nss, curl, java, go, node],
                         ids=lambda client: client.__name__)
def test_a_certificate_of_each_type_alone(proxy, folder, client, algorithm):
    if algorithm in UNKNOWN.get(client, ()):
        pytest.skip(f"{client.__name__} does not know {algorithm}")
    agreed, = client(proxy, folder, name=f"{algorithm}.test")
    assert agreed.signature.startswith(ALONE[algorithm]), agreed


@pytest.mark.skipif(not NODES, reason="SALLYPORT_NODES names none")
@pytest.mark.parametrize("program", NODES or [None])
def test_nodes_of_other_times(proxy, folder, program):
    print(f"\n{program}: {node(proxy, folder, 'times=2', program=program)}")
    for algorithm, kind in (("ec", "ecdsa"), ("rsa", "rsa")):
        agreed, = node(proxy, folder, name=f"{algorithm}.test", program=program)
        assert agreed.signature.startswith(KINDS[kind]), agreed
