"""Waiting for conditions. Nothing here sleeps for a fixed time and hopes."""
import os
import time


def seconds(quick):
    """A deadline that suits the build under test: sanitizers slow the program and the machine."""
    binary = os.environ.get("SALLYPORT_BINARY", "")
    slow = any(f"/{preset}/" in binary for preset in ("asan", "tsan", "debug"))
    return quick * (6 if slow else 2)


def wait_for(condition, what="the condition", within=10):
    """Polls condition() until it is true and returns its value; fails the test after `within` s."""
    deadline = time.monotonic() + seconds(within)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds(within)} s in vain for {what}")
        time.sleep(0.005)
