"""A configuration of tests/integration/configs under a program, and applications behind it."""
import pathlib
import re

from .backend import Backend, response

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "configs"

# What configurations wait for: directives that are refused until their part of the program is there.
NEEDS = {
    "balancing-hash": "hash",
    "client-certificates": "ssl_verify_client",
    "minio": "least_conn",
    "mozilla-stapling": "ssl_stapling",
    "rocketchat": "ip_hash",
}


class Site:
    """A program that serves one configuration. Requests go to its `host` over TLS, if it has that."""

    def __init__(self, program, host):
        self.program = program
        self.host = host

    def client(self, *, host=None, port=None, **options):
        port = port or ("https" if "https" in self.program.ports else "http")
        if port.startswith("https"):
            return self.program.tls_client(port, name=host or self.host, **options)
        return self.program.client(port, **options)

    def ask(self, target="/", method="GET", *, host=None, port=None, fields=(), body=None):
        """One request on a connection of its own."""
        with self.client(host=host, port=port) as client:
            return client.request(method, target, host=host or self.host, fields=fields, body=body)

    def status(self, target="/", method="GET", **options):
        return self.ask(target, method, **options).status

    def location(self, target="/", **options):
        """The status and where it leads to."""
        answer = self.ask(target, **options)
        return answer.status, answer.field("Location")

    def converse(self, target, *, host=None, fields=()):
        """A WebSocket's opening handshake and a message there and back, through an Application."""
        with self.client(host=host) as client:
            answer = client.request("GET", target, host=host or self.host, fields=[
                ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), *fields])
            assert answer.status == 101, answer.head
            client.send(b"\x81\x05hello")
            return client.receive_exactly(7) == b"\x81\x05hello"


class Application(Backend):
    """A recording backend that answers every request, and speaks WebSocket where it is asked to: it
    sends back what it gets. `name` is its answer's text; `answers` has others by path."""

    def __init__(self, name="application", answers=None, **options):
        self.name = name
        self.answers = answers or {}
        super().__init__(self._answer, **options)

    def _answer(self, request):
        path = request.target.partition("?")[0]
        return self.answers.get(path) or response(self.name, fields=[("X-Powered-By", "PHP")])

    def _converse(self, connection):
        while True:
            request = connection.read_request()
            self.requests.append(request)
            if (request.field("Upgrade") or "").lower() == "websocket" and \
                    (request.field("Connection") or "").lower() == "upgrade":
                connection.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\n\r\n")
                while True:
                    pending, connection.pending = connection.pending, b""
                    if pending:
                        connection.send(pending)
                    else:
                        connection.receive()
            answer = self._answer(request)
            if request.method == "HEAD":
                answer = answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            connection.send(answer)
            if request.version == "HTTP/1.0":
                return

    def seen(self, *names):
        """Fields of the latest request, in this order."""
        return tuple(self.last.field(name) for name in names)


def configuration(name):
    return (FOLDER / f"{name}.conf").read_text()


def server_name(name):
    """The first plain one."""
    text = configuration(name) + "\nserver_name example.com;"
    return re.search(r"^\s*server_name (\w[\w.-]+)", text, re.MULTILINE)[1]
