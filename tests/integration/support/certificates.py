"""Certificates for tests, made by openssl: one authority and what it signs, sound and unsound."""
import base64
import hashlib
import itertools
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
[rsa_leaf]
basicConstraints = critical, CA:false
keyUsage = digitalSignature, keyEncipherment
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


_KEYS = {
    "ec": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "p521": ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "rsa-3072": ["RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
    "ed25519": ["ED25519"],
}


class Certificate:
    """Paths of one certificate chain and its key."""

    def __init__(self, chain, key):
        self.chain = chain
        self.key = key

    def server_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context

    def pin(self):
        """Of its public key, as curl's --pinnedpubkey and proxy_ssl_pin write it."""
        commands = (["openssl", "x509", "-in", str(self.chain), "-pubkey", "-noout"],
                    ["openssl", "pkey", "-pubin", "-outform", "DER"])
        data = b""
        for command in commands:
            data = subprocess.run(command, input=data, capture_output=True, check=True).stdout
        return "sha256//" + base64.b64encode(hashlib.sha256(data).digest()).decode()

    def encrypted_key(self, password):
        """Its key in another file, under a password."""
        path = self.key.with_suffix(f".{password}.key")
        subprocess.run(["openssl", "pkcs8", "-topk8", "-in", self.key, "-out", path, "-passout",
                        f"pass:{password}"], capture_output=True, check=True)
        path.chmod(0o600)
        return path

    def fingerprint(self):
        done = subprocess.run(["openssl", "x509", "-in", self.chain, "-outform", "DER"],
                              capture_output=True, check=True)
        return done.stdout


class Authority:
    """Signs certificates, each made once per folder. `authority.chain` is the trust anchor."""

    def __init__(self, folder, name="Test Authority", algorithm="ec"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "openssl.cnf").write_text(_CONFIG)
        (self.folder / "index.txt").touch()
        (self.folder / "serial").write_text("1000\n")
        self.chain = self.folder / "authority.crt"
        self._key = self._make_key("authority", algorithm)
        self._openssl("req", "-new", "-x509", "-key", self._key, "-out", self.chain, "-days", "3650",
                      "-subj", f"/CN={name}", "-extensions", "authority")
        self._made = {}
        self._numbers = itertools.count()

    def certificate(self, *names, algorithm="ec"):
        """For these DNS names and IP addresses; the first is the common name. `algorithm`: see _KEYS."""
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

    def revocation_list(self, *revoked, expired=False):
        """A list that names these certificates; its path. Expired: since 2021."""
        name = f"list-{next(self._numbers)}"
        index = ""
        for certificate in revoked:
            serial = subprocess.run(["openssl", "x509", "-in", certificate.chain, "-noout", "-serial"],
                                    capture_output=True, text=True, check=True).stdout
            index += f"R\t991231235959Z\t240101000000Z\t{serial.strip()[7:]}\tunknown\t/CN=x\n"
        (self.folder / f"{name}.txt").write_text(index)
        (self.folder / f"{name}.cnf").write_text(_CONFIG.replace("index.txt", f"{name}.txt"))
        times = (["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20210101000000Z"]
                 if expired else ["-crldays", "30"])
        path = self.folder / f"{name}.crl"
        self._openssl("ca", "-config", f"{name}.cnf", "-gencrl", "-cert", self.chain, "-keyfile",
                      self._key, "-out", path, *times)
        return path

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
                          self.chain, "-keyfile", self._key, "-startdate", begins, "-enddate", ends,
                          *(["-extensions", "rsa_leaf"] if algorithm.startswith("rsa") else []))
            self._made[name] = Certificate(chain, key)
        return self._made[name]

    def _make_key(self, name, algorithm):
        key = self.folder / f"{name}.key"
        self._openssl("genpkey", "-algorithm", *_KEYS[algorithm], "-out", key)
        key.chmod(0o600)
        return key

    def _openssl(self, command, *arguments):
        config = ["-config", "openssl.cnf"]
        if command not in ("req", "ca") or "-config" in arguments:
            config = []
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
