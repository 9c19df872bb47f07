"""A backend that records the bytes it gets and says what the test tells it to say."""
import socket
import ssl
import threading

from .ports import reserve_port
from .waiting import seconds, wait_for


class Request:
    """One request as the backend read it. `raw_head` has the very bytes, without the empty line."""

    def __init__(self, raw_head, connection):
        self.raw_head = raw_head
        self.connection = connection
        self.body = b""
        self.trailers = []
        lines = raw_head.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.method, self.target, self.version = (lines[0].split(" ") + ["", ""])[:3]
        self.fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]

    def all(self, name):
        return [field[-1] for field in self.fields if field[0].lower() == name.lower()]

    def field(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def __repr__(self):
        return f"<{self.line}>"


class Connection:
    """One accepted connection, for handlers that go their own way."""

    def __init__(self, number, sock):
        self.number = number
        self.socket = sock
        self.received = b""
        self.pending = b""
        self.server_name = None
        self.closed = False

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def receive(self):
        piece = self.socket.recv(65536)
        if not piece:
            raise EOFError
        self.received += piece
        self.pending += piece
        return piece

    def drain(self):
        """Until the other side ends: a socket that is closed with bytes unread takes back what was sent."""
        try:
            while True:
                self.receive()
        except (EOFError, OSError):
            pass

    def take_until(self, mark):
        while mark not in self.pending:
            self.receive()
        taken, found, self.pending = self.pending.partition(mark)
        return taken + found

    def take(self, count):
        while len(self.pending) < count:
            self.receive()
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken

    def read_request(self):
        request = self.read_head()
        self.read_body(request)
        return request

    def read_head(self):
        return Request(self.take_until(b"\r\n\r\n")[:-4], self)

    def read_body(self, request):
        if (request.field("Transfer-Encoding") or "").lower() == "chunked":
            while size := int(self.take_until(b"\r\n").split(b";")[0], 16):
                request.body += self.take(size)
                self.take(2)
            while (line := self.take_until(b"\r\n")) != b"\r\n":
                request.trailers.append(line[:-2].decode("latin-1"))
        elif request.field("Content-Length"):
            request.body = self.take(int(request.field("Content-Length")))

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


def response(body="", status="200 OK", fields=()):
    """Bytes of a well-formed response with a Content-Length."""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Backend:
    """Listens on a port of its own (or a Unix socket) and serves each connection in a thread.

    What it answers: `answer` is bytes sent for every request, or a function Request -> bytes (an empty
    answer closes). For anything else, `serve` is a function Connection -> None that takes the
    connection over from its first byte. What it got: `requests` and, per connection, `received`.
    Its port stays the test's after stop(): nobody else answers there.
    """

    def __init__(self, answer=None, *, serve=None, tls=None, unix=None, host="127.0.0.1", port=0):
        self.answer = answer if answer is not None else response("hello from the backend\n")
        self.serve = serve
        self.tls = tls
        self.requests = []
        self.connections = []
        self.failures = []  # of handshakes: what the backend saw
        self._lock = threading.Lock()
        self._stopping = False
        self._threads = []
        self.unix = unix
        if unix:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(unix))
            self._listener.listen(512)
            self.port = None
        else:
            self._listener = socket.create_server((host, port or reserve_port()), backlog=512)
            self.port = self._listener.getsockname()[1]
        self.host = host
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def address(self):
        return f"unix:{self.unix}" if self.unix else f"{self.host}:{self.port}"

    __str__ = address.fget

    @property
    def last(self):
        """The latest request; waits for the first."""
        wait_for(lambda: self.requests, "a request to reach the backend")
        return self.requests[-1]

    def wait_for_requests(self, count):
        return wait_for(lambda: len(self.requests) >= count and self.requests,
                        f"{count} requests to reach the backend")

    def stop(self):
        """Stops listening and closes every connection. Safe to call twice."""
        self._stopping = True
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        with self._lock:
            for connection in self.connections:
                try:
                    connection.socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self._acceptor.join(5)
        for thread in self._threads:
            thread.join(5)

    def _accept(self):
        while not self._stopping:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if not self.unix:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(seconds(60))
            with self._lock:
                connection = Connection(len(self.connections), sock)
                self.connections.append(connection)
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, connection):
        try:
            if self.tls:
                self._shake_hands(connection)
            if self.serve:
                self.serve(connection)
            else:
                self._converse(connection)
        except (OSError, EOFError, ValueError):
            pass  # the peer went away, or sent what `requests` will show
        finally:
            try:
                connection.socket.close()
            except OSError:
                pass
            connection.closed = True

    def _shake_hands(self, connection):
        def note_name(ssl_socket, name, _context):
            connection.server_name = name

        self.tls.sni_callback = note_name
        try:
            connection.socket = self.tls.wrap_socket(connection.socket, server_side=True)
        except (ssl.SSLError, OSError) as failure:
            self.failures.append(failure)
            raise

    def _converse(self, connection):
        while True:
            request = connection.read_request()
            with self._lock:
                self.requests.append(request)
            answer = self.answer(request) if callable(self.answer) else self.answer
            if not answer:
                return
            if request.method == "HEAD":
                answer = answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            connection.send(answer)
            if b"connection: close" in answer.partition(b"\r\n\r\n")[0].lower():
                return
