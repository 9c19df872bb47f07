"""Clients that say exactly what a test wants, and curl."""
import socket
import subprocess
import time

from .waiting import seconds


class Response:
    """One parsed response. `fields` keeps order, case and repetition."""

    def __init__(self, head, body):
        self.head = head
        self.body = body
        lines = head.decode("latin-1").split("\r\n")
        self.status_line = lines[0]
        self.status = int(lines[0].split(" ")[1])
        self.fields = [tuple(part.strip() for part in line.split(":", 1))
                       for line in lines[1:] if line]

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def field(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def __repr__(self):
        return f"<{self.status_line}: {len(self.body)} bytes>"


class Client:
    """A raw connection, plain or TLS. Every read has a deadline. `source` is an address of its own.

        with Client(port) as client:
            client.send("GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
            assert client.response().status == 200
    """

    def __init__(self, port, *, host="127.0.0.1", tls=None, name=None, session=None, within=10, source=None):
        self.within = within
        if isinstance(port, str) and port.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(seconds(within))
            self.socket.connect(port.removeprefix("unix:"))
        else:
            self.socket = socket.create_connection((host, port), timeout=seconds(within),
                                                   source_address=source and (source, 0))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=name, session=session)
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def request(self, method, target, *, host="localhost", fields=(), body=None):
        """Sends a well-formed request and returns its response."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in fields]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines) + "\r\n\r\n")
        if body:
            self.send(body)
        return self.response(method)

    def get(self, target="/", **options):
        return self.request("GET", target, **options)

    def receive(self, enough):
        """Reads until enough(bytes so far) is true; fails if the peer closes or time runs out."""
        deadline = time.monotonic() + seconds(self.within)
        while not enough(self.pending):
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                piece = self.socket.recv(65536)
            except TimeoutError:
                raise AssertionError(f"nothing more came; so far: {self.pending[:2000]!r}") from None
            if not piece:
                raise EOFError(f"the peer closed; so far: {self.pending[:2000]!r}")
            self.pending += piece
        return self.pending

    def receive_until(self, mark):
        """Takes everything up to and including `mark`."""
        self.receive(lambda data: mark in data)
        taken, found, self.pending = self.pending.partition(mark)
        return taken + found

    def receive_exactly(self, count):
        self.receive(lambda data: len(data) >= count)
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken

    def receive_all(self):
        """Everything until the peer closes (a reset counts as closing)."""
        try:
            self.receive(lambda _: False)
        except (EOFError, ConnectionResetError):
            pass
        taken, self.pending = self.pending, b""
        return taken

    def is_closed(self):
        """True once the peer has closed and sent nothing more; waits for it."""
        return self.receive_all() == b""

    def response(self, method="GET", *, interim=False):
        """The next response. 1xx other than 101 are skipped unless `interim`."""
        while True:
            head = self.receive_until(b"\r\n\r\n")
            response = Response(head[:-4], b"")
            if interim or response.status >= 200 or response.status == 101:
                break
        if method != "HEAD" and response.status >= 200 and response.status not in (204, 304):
            response.body = self._body(response)
        return response

    def _body(self, response):
        coding = (response.field("Transfer-Encoding") or "").lower()
        if coding == "chunked":
            return self._chunked()
        length = response.field("Content-Length")
        return self.receive_exactly(int(length)) if length is not None else self.receive_all()

    def _chunked(self):
        body = b""
        while True:
            size = int(self.receive_until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            body += self.receive_exactly(size)
            assert self.receive_exactly(2) == b"\r\n"
        self.trailers = []
        while (line := self.receive_until(b"\r\n")) != b"\r\n":
            self.trailers.append(line[:-2].decode("latin-1"))
        return body


def curl(*arguments, check=True, within=30):
    """Runs curl quietly, proxies of the environment aside; returns the finished process."""
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", str(seconds(within)), *map(str, arguments)],
        capture_output=True, text=True, errors="replace", check=False)
    assert not check or done.returncode == 0, f"curl ended with {done.returncode}: {done.stderr}"
    return done
