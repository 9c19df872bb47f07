"""Ports for programs that must be told one.

A port found by binding port 0 and closing it again can be taken by another test, or by a client
socket, before the program binds it. So ports come from below the kernel's range for clients, and a
locked file per port keeps other test processes off for as long as this process lives.
"""
import contextlib
import fcntl
import os
import pathlib
import random
import socket
import tempfile

_LOWEST, _HIGHEST = 10240, 32000
_held = []


def reserve_port(count=1):
    """A TCP port that nothing listens on, reserved for this process until it ends; with `count` the
    first of so many."""
    folder = _folder()
    for first in random.sample(range(_LOWEST, _HIGHEST - count + 1), 500):
        locks = [_reserve(folder, port) for port in range(first, first + count)]
        if all(locks):
            _held.extend(locks)
            return first
        for lock in filter(None, locks):
            lock.close()
    raise RuntimeError("no free port")


@contextlib.contextmanager
def fixed_port(port):
    """For what has this port and no other: waits until no other test's process uses it."""
    with open(_folder() / str(port), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _folder():
    folder = pathlib.Path(tempfile.gettempdir()) / f"sallyport-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    return folder


def _reserve(folder, port):
    """The file whose lock reserves it for as long as it is open; None if it is taken."""
    lock = open(folder / str(port), "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as probe:
                probe.bind((host, port))
    except OSError:
        lock.close()
        return None
    return lock
