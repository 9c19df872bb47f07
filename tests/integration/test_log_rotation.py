"""Logs are renamed and opened anew, under load: no line is lost, none is written twice."""
import gzip
import os
import signal
import threading

import pytest

from support import wait_for

pytestmark = pytest.mark.threads

CLIENTS = 4


def site(directives):
    return f"""
        log_format mine '$arg_n';
        server {{
            listen 127.0.0.1:@port:http@;
            {directives}
            location / {{ return 200 hello; }}
            location /fails {{ proxy_pass http://127.0.0.1:1; }}
        }}
    """


class Load:
    """Clients that ask without a pause; `asked` are the numbers that were answered."""

    def __init__(self, proxy, target="/?n="):
        self.asked = [[] for _ in range(CLIENTS)]
        self._proxy = proxy
        self._target = target
        self._ending = False
        self._threads = [threading.Thread(target=self._ask, args=(i,)) for i in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _ask(self, index):
        number = 0
        while not self._ending:
            with self._proxy.client() as client:
                for _ in range(50):
                    name = f"{index}-{number}"
                    client.get(self._target + name)
                    self.asked[index].append(name)
                    number += 1

    def count(self):
        return sum(len(each) for each in self.asked)

    def go_on(self):
        """Waits until each client was answered some more."""
        before = [len(each) for each in self.asked]
        wait_for(lambda: all(len(each) > old + 20 for each, old in zip(self.asked, before)), "requests")

    def stop(self):
        self._ending = True
        for thread in self._threads:
            thread.join()
        return [name for each in self.asked for name in each]


@pytest.mark.parametrize("master", ["on", "off"])
def test_no_line_is_lost_or_written_twice(sallyport, master):
    proxy = sallyport(site("access_log @dir@/access.log mine; access_log @dir@/packed.gz mine gzip;"
                           "access_log @dir@/slow.log mine buffer=16k flush=20ms;"),
                      main=f"worker_processes 3; master_process {master};")
    load = Load(proxy)
    for number in range(8):
        load.go_on()
        for name in ("access.log", "packed.gz", "slow.log"):
            (proxy.folder / name).rename(proxy.folder / f"{name}.{number}")
        if number % 2:
            proxy.send_signal(signal.SIGUSR1)
        else:
            proxy.reopen()
        for name in ("access.log", "packed.gz", "slow.log"):
            wait_for((proxy.folder / name).exists, "the new file")
    load.go_on()
    asked = sorted(load.stop())
    proxy.stop()
    for name in ("access.log", "slow.log"):
        files = list(proxy.folder.glob(f"{name}*"))
        assert len(files) == 9
        assert sorted(line for path in files for line in path.read_text().splitlines()) == asked
        assert sum(path.stat().st_size > 0 for path in files) > 2, "several were written"
    packed = [gzip.decompress(path.read_bytes()).decode().splitlines()
              for path in proxy.folder.glob("packed.gz*") if path.stat().st_size > 0]
    assert sorted(line for lines in packed for line in lines) == asked


def test_after_reopen_has_returned_the_old_file_is_not_written(sallyport):
    proxy = sallyport(site("access_log @dir@/access.log mine buffer=8k;"),
                      main="worker_processes 3;")
    load = Load(proxy)
    for number in range(5):
        load.go_on()
        old = proxy.folder / f"access.log.{number}"
        (proxy.folder / "access.log").rename(old)
        proxy.reopen()
        size = old.stat().st_size
        assert size > 0, "what was buffered went to the old file"
        load.go_on()
        assert old.stat().st_size == size
    load.stop()


def test_error_logs_are_reopened_in_all_processes(sallyport):
    proxy = sallyport("error_log @dir@/error.log notice;"
                      + site("error_log @dir@/site.log info;"), main="worker_processes 2;")
    proxy.get("/fails")
    proxy.lines("site.log", count=1)
    for name in ("error.log", "site.log"):
        (proxy.folder / name).rename(proxy.folder / f"{name}.old")
    proxy.send_signal(signal.SIGUSR1)
    wait_for((proxy.folder / "site.log").exists, "the new file")
    wait_for(lambda: (proxy.get("/fails"), "connect() failed" in proxy.read("site.log"))[1], "an error")
    proxy.reload()  # of which the supervisor tells
    proxy.wait_for_line("error.log", "reconfiguring")
    proxy.wait_for_line("error.log.old", "reopening logs")
    assert "reconfiguring" not in proxy.read("error.log.old")


def test_a_server_that_comes_back_writes_to_the_new_file(sallyport):
    proxy = sallyport(site("access_log @dir@/access.log mine;"))
    proxy.expected_status = 0
    proxy.get("/?n=1")
    proxy.lines(count=1)
    (proxy.folder / "access.log").rename(proxy.folder / "access.log.1")
    proxy.reopen()
    server = proxy.status()["pid"]["server"]
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: _answers(proxy), "the server to be back")
    assert "2" in proxy.lines(count=1)
    assert proxy.read("access.log.1") == "1\n"


def _answers(proxy):
    try:
        return proxy.get("/?n=2").status == 200 and proxy.status()["server_restarts"] == 1
    except (OSError, AssertionError, EOFError):
        return False


def test_files_with_variables_in_their_names_are_reopened(sallyport):
    proxy = sallyport("open_log_file_cache max=10 inactive=1h valid=1h;"
                      + site("access_log @dir@/sites/$host.log mine;"))
    folder = proxy.folder / "sites"
    folder.mkdir()
    folder.chmod(0o777)
    proxy.get("/?n=1", host="a.test")
    proxy.lines("sites/a.test.log", count=1)
    (folder / "a.test.log").rename(folder / "a.test.old")
    proxy.get("/?n=2", host="a.test")
    assert proxy.lines("sites/a.test.old", count=2) == ["1", "2"], "it is kept open"
    proxy.send_signal(signal.SIGUSR1)
    wait_for(lambda: (proxy.get("/?n=3", host="a.test"), (folder / "a.test.log").exists())[1], "the new file")
    assert set(proxy.lines("sites/a.test.log", count=1)) == {"3"}


def test_a_log_that_cannot_be_reopened_stays_open(sallyport):
    program = sallyport.make()
    (program.folder / "gone").mkdir()
    program.start("error_log @dir@/error.log;" + site("access_log @dir@/gone/access.log mine;"))
    program.get("/?n=1")
    program.lines("gone/access.log", count=1)
    (program.folder / "gone").rename(program.folder / "moved")
    program.send_signal(signal.SIGUSR1)
    wait_for(lambda: 'gone/access.log" failed (2: No such file or directory)' in program.read("error.log"),
             "the reason")
    program.get("/?n=2")
    assert program.lines("moved/access.log", count=2) == ["1", "2"]
