"""A TCP gate that slices, delays, cuts, resets and half-closes; README.md beside it."""
import ctypes
import random
import socket
import threading

_libc = ctypes.CDLL(None, use_errno=True)


def _disconnect(sock):
    """Sends RST at once, also while another thread waits in recv(): connect() to AF_UNSPEC."""
    nowhere = bytes(16)
    _libc.connect(sock.fileno(), nowhere, len(nowhere))


class Gate:
    """Listens on `port` and passes on to `target`, in both directions.

    slices    the largest piece that passes at once, 0: whatever comes
    pause     the longest pause between two pieces, in seconds
    cut_up    what happens to the request after so many bytes, None: nothing
    cut_down  the same for the answer
    way       how it is cut: "close" (FIN both ways), "reset", or "half" (FIN in that direction alone)
    """

    def __init__(self, target, *, seed=0, slices=0, pause=0.0, cut_up=None, cut_down=None, way="close"):
        self.target = target
        self.random = random.Random(seed)
        self.slices = slices
        self.pause = pause
        self.cuts = {"up": cut_up, "down": cut_down}
        self.way = way
        self.passed = {"up": 0, "down": 0}  # of all connections
        self._open = []
        self._threads = []
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)

    def __str__(self):
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stopping.set()
        self._shut(self._listener, socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            self._shut(sock, socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(10)
        for sock in self._open:
            sock.close()

    def _start(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while not self._stopping.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target, timeout=10)
            except OSError:
                near.close()
                continue
            for sock in (near, far):
                sock.settimeout(None)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open += [near, far]
            seed = self.random.random()
            self._start(self._carry, near, far, "up", random.Random(seed))
            self._start(self._carry, far, near, "down", random.Random(seed + 1))

    def _carry(self, source, sink, direction, chance):
        left = self.cuts[direction]
        try:
            while left is None or left > 0:
                data = source.recv(chance.randint(1, self.slices) if self.slices else 65536)
                if not data:
                    self._shut(sink, socket.SHUT_WR)
                    return
                if left is not None:
                    data = data[:left]
                    left -= len(data)
                if self.pause:
                    self._stopping.wait(chance.random() * self.pause)
                sink.sendall(data)
                self.passed[direction] += len(data)
        except OSError:
            self._shut(sink, socket.SHUT_WR)
            return
        self._cut(source, sink)

    def _cut(self, source, sink):
        if self.way == "half":
            self._shut(sink, socket.SHUT_WR)
            return
        for sock in (source, sink):
            if self.way == "reset":
                _disconnect(sock)
            self._shut(sock, socket.SHUT_RDWR)

    @staticmethod
    def _shut(sock, how):
        try:
            sock.shutdown(how)
        except OSError:
            pass
