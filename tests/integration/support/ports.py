"""Ports for programs that must be told one.

A port found by binding port 0 and closing it again can be taken by another test, or by a client
socket, before the program binds it. So ports come from below the kernel's range for clients, and a
locked file per port keeps other test processes off for as long as this process lives.
"""
import fcntl
import os
import pathlib
import random
import socket
import tempfile

_LOWEST, _HIGHEST = 10240, 32000
_held = []


def reserve_port():
    """A TCP port that nothing listens on, reserved for this process until it ends."""
    folder = pathlib.Path(tempfile.gettempdir()) / f"sallyport-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for port in random.sample(range(_LOWEST, _HIGHEST), 500):
        lock = open(folder / str(port), "w", encoding="ascii")  # kept open: it holds the lock
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1")):
                with socket.socket(family) as probe:
                    probe.bind((host, port))
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        return port
    raise RuntimeError("no free port")
