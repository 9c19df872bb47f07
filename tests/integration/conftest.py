"""Fixtures of the integration tests; README.md beside this file shows them at work."""
import os
import pathlib
import tempfile

import pytest

from support import Authority, Backend, Nginx, Sallyport
from support.program import Program
from support.site import NEEDS, Application, Site, configuration, server_name

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "threads: also runs under ThreadSanitizer (see tests/CMakeLists.txt)")


def program_under_test():
    named = os.environ.get("SALLYPORT_BINARY")
    if named:
        assert os.access(named, os.X_OK), f"SALLYPORT_BINARY is {named}, and nothing is there"
        return pathlib.Path(named)
    built = ROOT / "build/release/sallyport"
    if not built.exists():
        pytest.skip("build/release/sallyport is not built")
    return built


@pytest.fixture(scope="session")
def authority():
    """Makes certificates: authority.certificate("example.com"), .expired(...), .self_signed(...)."""
    with tempfile.TemporaryDirectory(prefix="sallyport-authority-") as folder:
        os.chmod(folder, 0o755)
        yield Authority(pathlib.Path(folder) / "ca")


@pytest.fixture(scope="session")
def stranger():
    """An authority that nobody trusts."""
    with tempfile.TemporaryDirectory(prefix="sallyport-stranger-") as folder:
        yield Authority(pathlib.Path(folder) / "ca", "Unknown Authority")


def _open_folder():
    with tempfile.TemporaryDirectory(prefix="sallyport-folder-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


@pytest.fixture
def open_folder():
    """A folder that server processes, of another user, may enter. Those of tmp_path are private: every
    pytest that begins sees to that again, whatever another one has done to the folder above them."""
    yield from _open_folder()


@pytest.fixture(scope="module")
def shared_open_folder():
    """The same, for all tests of a file."""
    yield from _open_folder()


def _runner(request, authority, kind, binary):
    programs = []

    def start(text, *arguments, **options):
        program = make()
        program.start(text, *arguments, **options)
        return program

    def make():
        program = kind(authority)
        program.binary = binary
        programs.append(program)
        request.node.programs = getattr(request.node, "programs", []) + [program]
        return program

    start.make = make
    return start, programs


def _finish(programs):
    problems = []
    for program in programs:
        try:
            program.stop()
        except AssertionError as problem:
            problems.append(str(problem))
        finally:
            program.kill()
            program.remove()
    assert not problems, "\n\n".join(problems)


@pytest.fixture
def sallyport(request, authority):
    """sallyport(text, **values) starts the program; sallyport.make() gives one not yet started.

    At the end it is sent QUIT and must end well: status 0, no sanitizer report, no process left.
    """
    start, programs = _runner(request, authority, Sallyport, program_under_test())
    yield start
    _finish(programs)


@pytest.fixture(scope="module")
def shared_sallyport(request, authority):
    """The same for a table of cases: started once for a file, looked at when the file is done."""
    start, programs = _runner(request, authority, Sallyport, program_under_test())
    yield start
    _finish(programs)


@pytest.fixture
def nginx(request, authority):
    """The same for Debian's nginx; a text without http {} is its inside."""
    start, programs = _runner(request, authority, Nginx, Nginx.binary)
    yield start
    _finish(programs)


@pytest.fixture(scope="module")
def shared_nginx(request, authority):
    start, programs = _runner(request, authority, Nginx, Nginx.binary)
    yield start
    _finish(programs)


def _backends():
    backends = []

    def make(*arguments, **options):
        backends.append(Backend(*arguments, **options))
        return backends[-1]

    yield make
    for backend in backends:
        backend.stop()


@pytest.fixture
def make_backend():
    """make_backend(answer, serve=, tls=, unix=) starts a recording backend (support/backend.py)."""
    yield from _backends()


@pytest.fixture(scope="module")
def make_shared_backend():
    """The same, for all tests of a file."""
    yield from _backends()


@pytest.fixture
def backend(make_backend):
    """A backend in the clear that answers every request with 200 and a line of text."""
    return make_backend()


@pytest.fixture
def tls_backend(make_backend, authority):
    """A backend over TLS with a sound certificate for backend.test and 127.0.0.1."""
    return make_backend(tls=authority.certificate("backend.test", "127.0.0.1").server_context())


@pytest.fixture(params=["nginx", "sallyport"])
def site(request):
    """site(NAME, files={...}, **values) serves configurations/NAME.conf, by nginx and in a second run by
    the program; it is skipped while the program does not know a directive of it."""

    def serve(name, *, files=None, **values):
        text = configuration(name)
        if request.param == "sallyport":
            if name in NEEDS:
                pytest.skip(f"{name} needs {NEEDS[name]}")
            text = f"events {{ }}\nhttp {{\naccess_log off;\n{text}\n}}"
        program = request.getfixturevalue(request.param).make()
        for path, content in (files or {}).items():
            program.write(path, content)
        program.start(text, **values)
        return Site(program, server_name(name))

    return serve


@pytest.fixture
def application():
    """application(name, answers, tls=) starts an Application; with unix=True on a socket of its own."""
    with tempfile.TemporaryDirectory(prefix="sallyport-application-") as folder:
        os.chmod(folder, 0o755)
        started = []

        def start(*arguments, unix=False, **options):
            path = os.path.join(folder, f"{len(started)}.sock") if unix else None
            started.append(Application(*arguments, unix=path, **options))
            if path:
                os.chmod(path, 0o666)
            return started[-1]

        yield start
        for backend in started:
            backend.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        shared = getattr(item.getparent(pytest.Module), "programs", [])
        for program in shared + getattr(item, "programs", []):
            if isinstance(program, Program):
                report.sections.append((f"{program.binary.name}, stderr", program.errors[-6000:]))
                report.sections.append((f"{program.binary.name}, configuration",
                                        program.read("conf/main.conf")[:6000]))
