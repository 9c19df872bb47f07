"""Certificates for tests, made by openssl: one authority and what it signs, sound and unsound."""
import pathlib
import ssl
import subprocess

_CONFIG = """\
[ca]
default_ca = this
[this]
dir = .
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = anything
unique_subject = no
copy_extensions = copy
x509_extensions = leaf
[anything]
commonName = supplied
[leaf]
basicConstraints = critical, CA:false
keyUsage = digitalSignature
extendedKeyUsage = serverAuth, clientAuth
[req]
distinguished_name = name
prompt = no
[name]
[authority]
basicConstraints = critical, CA:true
keyUsage = keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""


class Certificate:
    """Paths of one certificate chain and its key."""

    def __init__(self, chain, key):
        self.chain = chain
        self.key = key

    def server_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context

    def fingerprint(self):
        done = subprocess.run(["openssl", "x509", "-in", self.chain, "-outform", "DER"],
                              capture_output=True, check=True)
        return done.stdout


class Authority:
    """Signs certificates, each made once per folder. `authority.chain` is the trust anchor."""

    def __init__(self, folder, name="Test Authority"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "openssl.cnf").write_text(_CONFIG)
        (self.folder / "index.txt").touch()
        (self.folder / "serial").write_text("1000\n")
        self.chain = self.folder / "authority.crt"
        self._key = self._make_key("authority", "ec")
        self._openssl("req", "-new", "-x509", "-key", self._key, "-out", self.chain, "-days", "3650",
                      "-subj", f"/CN={name}", "-extensions", "authority")
        self._made = {}

    def certificate(self, *names, algorithm="ec"):
        """For these DNS names and IP addresses; the first is the common name."""
        return self._signed(names, algorithm, "20240101000000Z", "20991231235959Z")

    def expired(self, *names):
        return self._signed(names, "ec", "20200101000000Z", "20210101000000Z")

    def self_signed(self, *names):
        name = self._file_name(("self-signed", *names))
        if name not in self._made:
            key = self._make_key(name, "ec")
            chain = self.folder / f"{name}.crt"
            self._openssl("req", "-new", "-x509", "-key", key, "-out", chain, "-days", "3650",
                          "-subj", f"/CN={names[0]}", "-addext", self._alternatives(names))
            self._made[name] = Certificate(chain, key)
        return self._made[name]

    def chained(self, *names, intermediates):
        """Signed through so many intermediate authorities, which come along in its chain."""
        name = self._file_name((*names, f"below-{intermediates}"))
        if name not in self._made:
            signer, signer_key, above = self.chain, self._key, []
            for depth in range(intermediates):
                signer, signer_key = self._sign(f"{name}-{depth}", f"Intermediate {depth}", [],
                                                "authority", signer, signer_key)
                above.insert(0, signer.read_text())
            leaf, key = self._sign(name, names[0], ["-addext", self._alternatives(names)], "leaf",
                                   signer, signer_key)
            chain = self.folder / f"{name}.chain.crt"
            chain.write_text(leaf.read_text() + "".join(above))
            self._made[name] = Certificate(chain, key)
        return self._made[name]

    def _sign(self, name, common_name, more, extensions, signer, signer_key):
        key = self._make_key(name, "ec")
        request, certificate = self.folder / f"{name}.csr", self.folder / f"{name}.crt"
        self._openssl("req", "-new", "-key", key, "-out", request, "-subj", f"/CN={common_name}", *more)
        self._openssl("x509", "-req", "-in", request, "-CA", signer, "-CAkey", signer_key,
                      "-CAcreateserial", "-days", "3650", "-extfile", "openssl.cnf", "-extensions",
                      extensions, "-copy_extensions", "copy", "-out", certificate)
        return certificate, key

    def client_context(self, *, certificate=None, versions=None, protocols=()):
        """For a client that trusts this authority; versions = (lowest, highest) ssl.TLSVersion."""
        context = ssl.create_default_context(cafile=str(self.chain))
        if versions:
            context.minimum_version, context.maximum_version = versions
        if protocols:
            context.set_alpn_protocols(list(protocols))
        if certificate:
            context.load_cert_chain(certificate.chain, certificate.key)
        return context

    def _signed(self, names, algorithm, begins, ends):
        name = self._file_name((*names, algorithm, ends[:4]))
        if name not in self._made:
            key = self._make_key(name, algorithm)
            chain = self.folder / f"{name}.crt"
            request = self.folder / f"{name}.csr"
            self._openssl("req", "-new", "-key", key, "-out", request, "-subj", f"/CN={names[0]}",
                          "-addext", self._alternatives(names))
            self._openssl("ca", "-batch", "-notext", "-in", request, "-out", chain, "-cert",
                          self.chain, "-keyfile", self._key, "-startdate", begins, "-enddate", ends)
            self._made[name] = Certificate(chain, key)
        return self._made[name]

    def _make_key(self, name, algorithm):
        key = self.folder / f"{name}.key"
        kind = (["EC", "-pkeyopt", "ec_paramgen_curve:P-256"] if algorithm == "ec" else
                ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
        self._openssl("genpkey", "-algorithm", *kind, "-out", key)
        key.chmod(0o600)
        return key

    def _openssl(self, command, *arguments):
        config = ["-config", "openssl.cnf"] if command in ("req", "ca") else []
        done = subprocess.run(["openssl", command, *config, *map(str, arguments)], cwd=self.folder,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"openssl {command}: {done.stderr}"

    @staticmethod
    def _alternatives(names):
        kinds = [f"IP:{n}" if n.replace(".", "").isdigit() or ":" in n else f"DNS:{n}"
                 for n in names]
        return "subjectAltName=" + ",".join(kinds)

    @staticmethod
    def _file_name(parts):
        return "_".join(parts).replace("*", "any").replace(":", "-")
