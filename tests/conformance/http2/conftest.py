"""Fixtures of the HTTP/2 conformance tests; README.md beside this file says how they are run."""
import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

INTEGRATION = pathlib.Path(__file__).resolve().parents[2] / "integration"
sys.path.insert(0, str(INTEGRATION))

from support import Nginx, Sallyport, wait_for  # noqa: E402
from support.backend import response  # noqa: E402
from support.h2frames import INITIAL_WINDOW_SIZE  # noqa: E402
from support.h2raw import RawConnection, another_address  # noqa: E402
from support.program import Program  # noqa: E402

# The fixtures of the integration tests are these tests' fixtures, too.
_specification = importlib.util.spec_from_file_location("integration_fixtures", INTEGRATION / "conftest.py")
_fixtures = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(_fixtures)
authority = _fixtures.authority
make_shared_backend = _fixtures.make_shared_backend
pytest_runtest_makereport = _fixtures.pytest_runtest_makereport

PAGE = "A page of some octets, so that windows have something to let through.\n" * 2

SITE = """
    http2_max_concurrent_streams 100;
    server {
        listen 127.0.0.1:@port:http@;
        listen 127.0.0.1:@port:https@ ssl;
        http2 on;
        server_name example.com;
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        location / { root @dir@/www; }
        location /upload { proxy_pass http://@backend@; proxy_request_buffering off; }
    }
"""


class PeerProgram(Program):
    """Other servers, to try the tests on: SALLYPORT_H2_PEER names one."""
    binary = pathlib.Path("peer")

    def start_as(self, *command):
        with open(self.folder / "stderr.log", "ab") as errors:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig=TERM", *map(str, command)], cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True)
        for port in ("http", "https"):
            wait_for(lambda: self._listens(port), f"{command[0]} to listen:\n{self.errors}")
        return self

    def _listens(self, port):
        try:
            self.client(port).close()
            return True
        except OSError:
            return False


def start_nginx(program, backend):
    """Debian's: older than `http2 on`, and without HTTP/1 beside HTTP/2 in the clear."""
    text = SITE.replace("http@;", "http@ http2;", 1).replace("ssl;", "ssl http2;", 1)
    program.start(text.replace("http2 on;", ""), backend=backend)


def start_haproxy(program, backend):
    certificate = program.authority.certificate("example.com")
    both = program.write("both.pem", certificate.chain.read_text() + certificate.key.read_text())
    path = program.write("haproxy.cfg", f"""
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
frontend all
    bind 127.0.0.1:@port:http@ proto h2
    bind 127.0.0.1:@port:https@ ssl crt {both} alpn h2
    default_backend all
backend all
    server one {backend}
""")
    program.start_as("/usr/sbin/haproxy", "-db", "-f", path)


def start_nghttpd(program, backend):
    del backend
    certificate = program.authority.certificate("example.com")
    command = [os.environ.get("NGHTTPD", "nghttpd"), "-d", program.folder / "www"]
    program.write("run", f"{' '.join(map(str, command))} --no-tls @port:http@ &\n"
                  f"exec {' '.join(map(str, command))} @port:https@ {certificate.key} {certificate.chain}\n")
    program.start_as("/bin/sh", program.folder / "run")


PEERS = {"nginx": (Nginx, start_nginx), "haproxy": (PeerProgram, start_haproxy),
         "nghttpd": (PeerProgram, start_nghttpd),
         "sallyport": (Sallyport, lambda program, backend: program.start(
             f"events {{ }}\nhttp {{\naccess_log off;\n{SITE}\n}}", backend=backend))}


PEER = os.environ.get("SALLYPORT_H2_PEER", "sallyport")
WITHIN = 10 if PEER == "sallyport" else 1  # others leave some without an answer


@pytest.fixture(scope="module")
def server(request, authority, make_shared_backend):
    """The program with SITE, one for a file."""
    kind, start = PEERS[PEER]
    program = kind(authority)
    request.node.programs = [program]
    try:
        if kind is Sallyport:
            program.binary = _fixtures.program_under_test()
        program.write("www/index.html", PAGE)
        program.write("www/upload", "taken\n")
        start(program, make_shared_backend(
            lambda asked: response(PAGE if asked.method == "GET" else f"{len(asked.body)} octets\n")))
        yield program
        if kind is Sallyport:
            program.stop()
    finally:
        program.kill()
        program.remove()


@pytest.fixture(params=["tls", "clear"])
def connect(request, server):
    """connect(greet=, settings=) opens a RawConnection, over TLS by ALPN or in the clear."""
    opened = []

    def open_connection(**options):
        options.setdefault("within", WITHIN)
        if request.param == "tls":
            context = server.authority.client_context(protocols=["h2"])
            client = server.tls_client("https", context=context, source=another_address())
            assert client.socket.selected_alpn_protocol() == "h2"
            connection = RawConnection(client, scheme="https", **options)
        else:
            connection = RawConnection(server.client("http", source=another_address()), **options)
        opened.append(connection)
        return connection

    yield open_connection
    for connection in opened:
        connection.client.close()


@pytest.fixture
def peer(connect):
    """A connection whose prefaces and SETTINGS are exchanged."""
    return connect()


@pytest.fixture
def choked(connect):
    """The same with windows of nothing: no response ends, and its stream stays half-closed (remote)."""
    return connect(settings=[(INITIAL_WINDOW_SIZE, 0)])
