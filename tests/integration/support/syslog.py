"""Syslog servers: what a test's program sends them, over UDP or a Unix datagram socket."""
import pathlib
import socket
import threading


class SyslogServer:
    """Collects datagrams until it is closed. `address` is what server= takes."""

    def __init__(self, path=None, port=0):
        self.messages = []
        if path is None:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(("127.0.0.1", port))
            self.port = self.socket.getsockname()[1]
            self.address = f"127.0.0.1:{self.port}"
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.socket.bind(str(path))
            pathlib.Path(path).chmod(0o666)  # the server process is another user
            self.address = f"unix:{path}"
        self.socket.settimeout(0.1)
        self._ending = False
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def _receive(self):
        while not self._ending:
            try:
                self.messages.append(self.socket.recv(70000).decode())
            except TimeoutError:
                pass

    def close(self):
        self._ending = True
        self._thread.join()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
