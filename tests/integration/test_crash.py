"""A crash leaves a backtrace in the error log, and takes its course."""
import os
import re
import signal
import subprocess

import pytest

from support import wait_for

SERVES = 'server { listen 127.0.0.1:@port:http@; return 200 "hello\\n"; }'

pytestmark = pytest.mark.skipif(
    any(f"/{preset}/" in os.environ.get("SALLYPORT_BINARY", "") for preset in ("asan", "tsan")),
    reason="sanitizers report crashes themselves")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL,
                                    signal.SIGFPE])
def test_a_crash_of_the_server_process_is_told_with_a_backtrace(sallyport, number):
    proxy = sallyport(SERVES)
    child = proxy.status()["pid"]["server"]
    os.kill(child, number)
    errors = proxy.wait_for_error(f"exited on signal {int(number)}")
    report = errors[errors.index("the server process crashed: "):]
    assert report.startswith(f"the server process crashed: {number.name}, sent by process "
                             f"{os.getpid()}\n")
    assert f'thread "sallyport" ({child}), process {child}, generation 1, sallyport' in report
    # The optimiser may have put one of the two into the other.
    assert re.search(r"io::EventLoop::(run|turn)\+0x", report)
    assert re.search(r"^sallyport:  #\d+ libc\.so\.6\+0x", report, re.MULTILINE)
    assert proxy.get().body == b"hello\n"


def test_the_lines_of_a_backtrace_can_be_looked_up(sallyport):
    proxy = sallyport(SERVES)
    os.kill(proxy.status()["pid"]["server"], signal.SIGSEGV)
    errors = proxy.wait_for_error("lines: addr2line")
    command = re.search(r"lines: (addr2line -Cfpie \S+ .*)", errors)[1].split()
    build = subprocess.run(["readelf", "-n", command[2]], capture_output=True, text=True,
                           check=True).stdout
    assert re.search(r"build ([0-9a-f]{16,});", errors)[1] in build
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.search("EventLoop::(run|turn)", lines)
    # While it reports, its other threads still take connections, which end with it.
    proxy.wait_for_error(f"exited on signal {int(signal.SIGSEGV)}")
    assert proxy.get().body == b"hello\n"


def test_a_crash_goes_into_the_error_log_s_file(sallyport):
    proxy = sallyport(SERVES, main="error_log logs/error.log;")
    os.kill(proxy.status()["pid"]["server"], signal.SIGSEGV)
    wait_for(lambda: "the server process crashed: SIGSEGV" in proxy.read("logs/error.log"),
             "the report in the file")
    # While it reports, its other threads still take connections, which end with it.
    wait_for(lambda: proxy.status()["server_restarts"] == 1, "another server process")
    assert proxy.get().body == b"hello\n"
    assert proxy.status()["server_restarts"] == 1


def test_what_was_told_before_a_crash_stands_before_its_report(sallyport):
    proxy = sallyport("error_log @dir@/error.log;"
                      "server { listen 127.0.0.1:@port:http@; location / { proxy_pass http://127.0.0.1:1; } }")
    for _ in range(5):
        child = proxy.status()["pid"]["server"]
        before = proxy.read("error.log").count("connect() failed")
        with proxy.client() as client:
            for _ in range(100):
                assert client.get("/").status == 502
            os.kill(child, signal.SIGSEGV)
        wait_for(lambda: proxy.status()["pid"]["server"] != child, "another server process")
        told = proxy.read("error.log")
        assert told[:told.rindex("the server process crashed")].count("connect() failed") == before + 100


def test_core_dumps_are_possible_where_they_are_asked_for_and_nowhere_else(sallyport):
    def owner_of_its_files(proxy):
        return os.stat(f"/proc/{proxy.status()['pid']['server']}/environ").st_uid

    hidden = sallyport(SERVES)
    assert owner_of_its_files(hidden) == 0, "the kernel's sign of a process that is not dumpable"
    if os.geteuid() == 0:
        dumpable = sallyport(SERVES, main="worker_rlimit_core 10m;")
        assert owner_of_its_files(dumpable) != 0
