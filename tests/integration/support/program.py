"""Runs Sallyport (and nginx, as a peer) for one test, and looks at how it ended.

A configuration is text with marks in it:

    @port:NAME@          a reserved port, the same for the same NAME; program.port("NAME")
    @cert:HOST@          the chain of a certificate for HOST from the test's authority
    @key:HOST@           its key
    @authority@          the authority's certificate
    @dir@                the program's own folder (its prefix)
    @word@               the keyword argument `word` (a Backend gives its address)
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

from .client import Client, curl
from .ports import reserve_port
from .waiting import seconds, wait_for

REPORTS = re.compile(
    r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error: |CHECK failed|LeakSanitizer)")
SANITIZED_EXIT = 86
# The program under test is a sanitizer's build.
SANITIZED = any(f"/{preset}/" in os.environ.get("SALLYPORT_BINARY", "") for preset in ("asan", "tsan"))


class ProgramFailed(AssertionError):
    """The program ended instead of starting. `errors` is what it wrote to stderr."""

    def __init__(self, status, errors):
        super().__init__(f"ended with status {status} before its pid file was there:\n{errors}")
        self.status = status
        self.errors = errors


class Program:
    binary = None

    def __init__(self, authority):
        self.authority = authority
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-test-"))
        self.folder.chmod(0o755)
        for name in ("logs", "conf"):
            (self.folder / name).mkdir()
        (self.folder / "reports").mkdir()
        (self.folder / "reports").chmod(0o777)  # the server process writes there as `user`
        self.values = {}
        self.ports = {}
        self.process = None
        self.started = 0
        self.expected_status = 0

    # -- its files

    def port(self, name):
        if name not in self.ports:
            self.ports[name] = reserve_port()
        return self.ports[name]

    def fill_in(self, text):
        def value(match):
            kind, _, argument = match[1].partition(":")
            if kind == "port":
                return str(self.port(argument))
            if kind in ("cert", "key"):
                certificate = self.authority.certificate(argument)
                return str(certificate.chain if kind == "cert" else certificate.key)
            if kind == "authority":
                return str(self.authority.chain)
            if kind == "dir":
                return str(self.folder)
            assert kind in self.values, f"nothing is known as @{match[1]}@"
            return str(self.values[kind])

        return re.sub(r"@([a-z_]+(?::[\w.*-]+)?)@", value, text)

    def write(self, name, text):
        """Writes a file into the folder, marks filled in; returns its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.fill_in(text))
        return path

    def read(self, name):
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def errors(self):
        """What it wrote to stderr so far, in whole lines while it runs."""
        running = self.process and self.process.poll() is None
        return self._whole_lines("stderr.log") if running else self.read("stderr.log")

    def lines(self, name="access.log", count=0):
        """The lines of a log of the folder, once there are at least `count`."""
        wait_for(lambda: len(self._whole_lines(name).splitlines()) >= count,
                 f"{count} lines in {name}; it has:\n{self.read(name)}")
        return self._whole_lines(name).splitlines()

    def _whole_lines(self, name):
        """Without a last line that is still being written: a page of it may be seen before the next."""
        text = self.read(name)
        return text[:text.rfind("\n") + 1]

    def wait_for_error(self, words, *, count=1):
        """Waits until `words` stand in the error log, `count` times."""
        return wait_for(lambda: self.errors.count(words) >= count and self.errors,
                        f"{words!r} in the error log; it has:\n{self.errors[-3000:]}")

    def wait_for_line(self, name, words):
        """The first line of a log of the folder that has `words` in it, once there is one."""
        def found():
            return next((line for line in self._whole_lines(name).splitlines() if words in line), None)

        return wait_for(found, f"{words!r} in {name}; it has:\n{self.read(name)[-3000:]}")

    # -- its life

    def configuration(self, text):
        return text

    def command(self, *arguments):
        return [str(self.binary), "-p", f"{self.folder}/", "-c", str(self.folder / "conf/main.conf"),
                *arguments]

    def environment(self):
        reports = f"log_path={self.folder}/reports/report:exitcode={SANITIZED_EXIT}"
        symbolizer = "external_symbolizer_path=/usr/lib/llvm-19/bin/llvm-symbolizer"
        return {
            **os.environ,
            "ASAN_OPTIONS": f"{reports}:{symbolizer}:detect_leaks=1:detect_stack_use_after_return=0",
            "UBSAN_OPTIONS": f"{reports}:{symbolizer}:print_stacktrace=1",
            "TSAN_OPTIONS": f"{reports}:{symbolizer}:halt_on_error=0:second_deadlock_stack=1",
            "XDG_STATE_HOME": f"{self.folder}/state",
        }

    def run(self, *arguments, within=30):
        """Runs the program to its end with -p and -c and these arguments."""
        return subprocess.run(self.command(*arguments), env=self.environment(), cwd=self.folder,
                              capture_output=True, text=True, errors="replace", check=False,
                              stdin=subprocess.DEVNULL, timeout=seconds(within))

    def configure(self, text, **values):
        self.values.update(values)
        return self.write("conf/main.conf", self.configuration(text))

    def start(self, text=None, *arguments, main="", stderr=None, **values):
        """Starts in the foreground and returns once every socket listens (the pid file is there).
        `stderr`, a descriptor, takes the place of stderr.log."""
        if text is not None:
            self.configure(text, **values)
        pid_file = self.folder / "program.pid"
        directives = self.fill_in(f"daemon off; pid {pid_file}; {main}")
        with open(self.folder / "stderr.log", "ab") as errors:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig=TERM",
                 *self.command("-e", "stderr", "-g", directives, *arguments)],
                env=self.environment(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=errors,
                stderr=errors if stderr is None else stderr, start_new_session=True)
        self.started += 1
        wait_for(lambda: self.process.poll() is not None or
                 (pid_file.exists() and pid_file.read_text().strip()), "the pid file", within=20)
        if self.process.poll() is not None:
            status, self.process = self.process.returncode, None
            raise ProgramFailed(status, self.errors)
        return self

    def send_signal(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGQUIT, within=20):
        """Ends it and asserts that it ended well: status, sanitizers, no process left behind."""
        if self.process is None:
            return
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(seconds(within))
        except subprocess.TimeoutExpired:
            stuck = self._processes(process.pid)
            self._kill(process.pid)
            process.wait()
            raise AssertionError(
                f"still running {seconds(within)} s after {signal.Signals(number).name}: {stuck}\n"
                f"{self.errors[-3000:]}") from None
        try:
            wait_for(lambda: not self._processes(process.pid), "its processes to end", within=2)
        except AssertionError:
            left = self._processes(process.pid)
            self._kill(process.pid)
            raise AssertionError(f"left processes behind: {left}") from None
        self.assert_no_reports()
        assert process.returncode == self.expected_status, (
            f"ended with status {process.returncode}:\n{self.errors[-3000:]}")

    def kill(self):
        """Ends it without a word and without a look."""
        if self.process is not None:
            self._kill(self.process.pid)
            self.process.wait()
            self.process = None

    def assert_no_reports(self):
        texts = [path.read_text(errors="replace") for path in (self.folder / "reports").iterdir()]
        if REPORTS.search(self.errors):
            texts.append(self.errors)
        assert not texts, "a sanitizer or a CHECK reported:\n" + "\n".join(texts)[:12000]

    def remove(self):
        if not os.environ.get("SALLYPORT_TEST_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    # -- what it is made of

    @staticmethod
    def _processes(session):
        """pid -> command of all live processes of a session, zombies left out."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
                    state, _, _, of = rest.split()[:4]
                except (OSError, ValueError):
                    continue
                if int(of) == session and state not in "ZX":
                    found[int(entry.name)] = name
        return found

    def _kill(self, session):
        for pid in self._processes(session):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_for(lambda: not self._processes(session), "killed processes to vanish")

    def processes(self):
        return self._processes(self.process.pid)

    def memory(self):
        """Resident kilobytes of all its processes, shared pages counted once per process."""
        total = 0
        for pid in self.processes():
            match = re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
            total += int(match[1]) if match else 0
        return total

    # -- talking to it

    def client(self, port="http", **options):
        return Client(self.port(port), **options)

    def tls_client(self, port="https", name="example.com", context=None, **options):
        return Client(self.port(port), tls=context or self.authority.client_context(), name=name,
                      **options)

    def get(self, target="/", *, port=None, host="example.com", fields=()):
        """One GET on a connection of its own, over TLS if the port is called https."""
        port = port or ("https" if "https" in self.ports else "http")
        open_client = self.tls_client if "https" in port else self.client
        options = {"name": host} if "https" in port else {}
        with open_client(port, **options) as client:
            return client.get(target, host=host, fields=fields)

    def curl(self, path="/", *arguments, port=None, host="example.com", **options):
        """curl to https://HOST/PATH (or http://) at this program, the authority trusted."""
        port = port or ("https" if "https" in self.ports else "http")
        scheme = "https" if "https" in port else "http"
        number = self.port(port)
        return curl("--cacert", self.authority.chain, "--resolve", f"{host}:{number}:127.0.0.1",
                    *arguments, f"{scheme}://{host}:{number}{path}", **options)


class Sallyport(Program):
    """The program under test; the fixture sets `binary`."""

    def check(self, text=None, *arguments, **values):
        """Runs -t over a configuration; returns the finished process."""
        if text is not None:
            self.configure(text, **values)
        return self.run("-t", *arguments)

    def status(self):
        """What `status --format json` says, as a dictionary."""
        done = subprocess.run(
            [str(self.binary), "status", "--format", "json", "-p", f"{self.folder}/"],
            env=self.environment(), cwd=self.folder, capture_output=True, text=True, check=False,
            timeout=seconds(10))
        assert done.returncode == 0, f"status failed: {done.stderr}"
        return json.loads(done.stdout)

    def reopen(self):
        """`sallyport reopen`, which returns when the old files are not written any more."""
        done = subprocess.run(
            [str(self.binary), "reopen", "-p", f"{self.folder}/"],
            env=self.environment(), cwd=self.folder, capture_output=True, text=True, check=False,
            timeout=seconds(20))
        assert done.returncode == 0, f"reopen failed: {done.stderr}"

    def reload(self, text=None, **values):
        """Rewrites the configuration, sends HUP and waits for the next generation to serve."""
        before = self.status()["generation"]
        if text is not None:
            self.configure(text, **values)
        self.send_signal(signal.SIGHUP)
        return wait_for(lambda: self.status()["generation"] > before,
                        "a new generation after HUP; the log has:\n" + self.errors[-2000:])


class Nginx(Program):
    """Debian's nginx, for peers, TLS backends and comparisons."""
    binary = pathlib.Path("/usr/sbin/nginx")

    def stop(self, number=signal.SIGTERM, within=20):
        """By TERM: a QUIT that comes while a worker begins is lost at times, and nginx never ends."""
        super().stop(number, within)

    def configuration(self, text):
        if re.search(r"^\s*http\s*\{", text, re.MULTILINE):
            return text
        scratch = "".join(f"{kind}_temp_path @dir@/{kind};\n"
                          for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return f"worker_processes 1;\nevents {{}}\nhttp {{\naccess_log off;\n{scratch}{text}\n}}\n"
