"""The Debian package: installed, run, upgraded, removed and purged on a throw-away copy of the system."""
import os
import pathlib
import re
import shutil
import subprocess
import threading

import pytest

from conftest import ROOT, program_under_test
from support import wait_for
from support.ports import reserve_port
from support.throwaway import ThrowawaySystem, Unavailable

CONFIGURATION = "/etc/sallyport/sallyport.conf"
PID_FILE = "/run/sallyport/sallyport.pid"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The package of the program under test."""
    directory = program_under_test().parent
    if not (directory / "CPackConfig.cmake").exists():
        pytest.skip(f"{directory} is not a build directory")
    for tool in ("cpack", "dpkg-deb", "dpkg-shlibdeps", "file", "strip"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    folder = tmp_path_factory.mktemp("package")
    done = subprocess.run([ROOT / "script/package", directory, folder], capture_output=True,
                          text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return pathlib.Path(done.stdout.strip())


@pytest.fixture
def system(package, tmp_path):
    """A throw-away system on which the package may be installed; the package is in its /mnt."""
    if os.geteuid() != 0:
        pytest.skip("only root may make a throw-away system")
    try:
        system = ThrowawaySystem(tmp_path)
    except Unavailable as problem:
        pytest.skip(f"no throw-away system here: {problem}")
    try:
        # What this machine may have of an earlier installation is not there.
        system.shell("! getent passwd sallyport || userdel sallyport;"
                     "rm -rf /etc/sallyport /var/lib/sallyport /var/log/sallyport")
        shutil.copy(package, system.shared / "first.deb")
        yield system
    finally:
        system.end()


def make_successor(system):
    """A package of a higher version, whose own configuration has changed, too: /mnt/second.deb"""
    system.shell(f"""
        set -e
        dpkg-deb -R /mnt/first.deb /tmp/successor
        sed -i 's/^Version: .*/Version: 99.0/' /tmp/successor/DEBIAN/control
        echo '# of the new version' >> /tmp/successor{CONFIGURATION}
        dpkg-deb --root-owner-group -Znone -b /tmp/successor /mnt/second.deb
    """)


def use_port(system):
    """The configuration as an administrator edits it."""
    port = reserve_port()
    system.run("sed", "-i", f"s/listen 80 default_server/listen 127.0.0.1:{port} default_server/",
               CONFIGURATION)
    return port


def fetch(port):
    done = subprocess.run(["curl", "-sS", "--max-time", "10", f"http://127.0.0.1:{port}/"],
                          capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


class Visitors:
    """Comes again and again, each time over a new connection, until the block ends."""

    def __init__(self, port):
        self.port = port
        self.served = 0
        self.failed = []
        self.leaving = threading.Event()
        self.thread = threading.Thread(target=self.visit)

    def visit(self):
        while not self.leaving.is_set():
            answer = fetch(self.port)
            if "Sallyport is installed" in answer:
                self.served += 1
            else:
                self.failed.append(answer)

    def __enter__(self):
        self.thread.start()
        wait_for(lambda: self.served or self.failed, "the first visitor")
        return self

    def __exit__(self, *_):
        self.leaving.set()
        self.thread.join()


def owner(system, path):
    return system.run("stat", "-c", "%a %U %G", path).stdout.strip()


def test_it_installs_serves_and_stops(system):
    system.run("dpkg", "--install", "/mnt/first.deb")
    assert not system.has(PID_FILE), "without systemd nothing is started"
    assert owner(system, "/usr/sbin/sallyport") == "755 root root"
    assert owner(system, CONFIGURATION) == "644 root root"
    assert owner(system, "/var/lib/sallyport") == "750 root sallyport"
    assert owner(system, "/var/log/sallyport") == "750 root adm"
    assert re.fullmatch(r"sallyport:x:\d+:\d+:Sallyport[^:]*:/var/lib/sallyport:/usr/sbin/nologin",
                        system.shell("getent passwd sallyport"))
    assert int(system.shell("id -u sallyport")) < 1000
    for page in ("man8/sallyport.8.gz", "man5/sallyport.conf.5.gz"):
        system.run("gzip", "-t", f"/usr/share/man/{page}")

    port = use_port(system)
    system.run("sallyport", "-t", "-q")
    system.run("sallyport", "-g", "daemon on;")
    assert "Sallyport is installed" in fetch(port)
    assert system.shell("pgrep -u sallyport -x sallyport"), "the server process has its own user"
    own = f"/var/lib/sallyport/temporary-{system.shell('id -u sallyport').strip()}"
    assert owner(system, own) == "700 sallyport sallyport"
    assert owner(system, "/var/log/sallyport/access.log").startswith("640 root ")
    system.run("sallyport", "reload")
    wait_for(lambda: '"GET / HTTP/1.1" 200' in system.shell("cat /var/log/sallyport/access.log"),
             "the access log")

    system.run("dpkg", "--remove", "sallyport")
    assert system.run("pgrep", "-x", "sallyport", check=False).returncode == 1
    assert not system.has("/usr/sbin/sallyport")
    assert f"127.0.0.1:{port}" in system.shell(f"cat {CONFIGURATION}")
    assert system.has("/var/log/sallyport/access.log")


def test_the_configuration_that_it_brings_is_good(system):
    system.run("dpkg", "--install", "/mnt/first.deb")
    done = system.run("sallyport", "check", "--no-bind")
    assert "warn" not in done.stdout
    # So is the example in it, once there is a certificate.
    system.shell(f"""
        set -e
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \\
            -subj /CN=example.com -keyout /etc/sallyport/example.com.key \\
            -out /etc/sallyport/example.com.crt
        sed -i 's/^    #/    /' {CONFIGURATION}
        sed -i 's/^     *TLS before a backend/#&/' {CONFIGURATION}
        sed -i 's/^     *Answers until/#&/' {CONFIGURATION}
    """)
    system.run("sallyport", "check", "--no-bind")


def test_an_upgrade_hands_over_and_keeps_the_edited_configuration(system):
    system.run("dpkg", "--install", "/mnt/first.deb")
    make_successor(system)
    port = use_port(system)
    system.run("sallyport", "-g", "daemon on;")
    before = system.shell(f"cat {PID_FILE}")

    with Visitors(port) as visitors:
        system.run("dpkg", "--force-confdef", "--force-confold", "--install", "/mnt/second.deb")
        seen = visitors.served
        wait_for(lambda: visitors.served > seen + 5 or visitors.failed, "visitors after the upgrade")
    assert visitors.failed == []
    assert system.shell("dpkg-query -W -f '${Version}' sallyport") == "99.0"
    text = system.shell(f"cat {CONFIGURATION}")
    assert f"127.0.0.1:{port}" in text and "of the new version" not in text
    after = system.shell(f"cat {PID_FILE}")
    assert after != before
    assert system.shell(f"readlink /proc/{after}/exe") == "/usr/sbin/sallyport"
    wait_for(lambda: not system.has(f"/proc/{before}"), "the old version to end")
    assert "Sallyport is installed" in fetch(port)


def test_a_configuration_that_the_new_version_refuses_leaves_the_old_one_running(system):
    system.run("dpkg", "--install", "/mnt/first.deb")
    make_successor(system)
    port = use_port(system)
    system.run("sallyport", "-g", "daemon on;")
    before = system.shell(f"cat {PID_FILE}")
    system.run("sed", "-i", "s/^user/no_such_directive/", CONFIGURATION)
    done = system.run("dpkg", "--force-confold", "--install", "/mnt/second.deb")
    assert "does not accept the configuration" in done.stdout
    assert system.shell(f"cat {PID_FILE}") == before
    assert "Sallyport is installed" in fetch(port)


def test_a_purge_leaves_nothing_behind(system):
    listing = "find /etc /usr /var /run /opt -xdev '(' -path /var/lib/dpkg -o -path /var/cache ')' " \
              "-prune -o -iname '*sallyport*' -print | sort"
    before = system.shell(listing)
    system.run("dpkg", "--install", "/mnt/first.deb")
    use_port(system)
    system.run("sallyport", "-g", "daemon on;")
    system.run("dpkg", "--purge", "sallyport")
    assert system.shell(listing) == before
    assert not system.has("/run/sallyport")
    assert system.shell("getent passwd sallyport; getent group sallyport; true") == ""
    assert system.run("pgrep", "-x", "sallyport", check=False).returncode == 1
    assert system.run("dpkg", "-s", "sallyport", check=False).returncode != 0


def test_it_serves_with_the_rights_that_its_unit_leaves(system):
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed")
    system.run("dpkg", "--install", "/mnt/first.deb")
    port = use_port(system)
    unit = system.shell("cat /lib/systemd/system/sallyport.service")
    names = re.findall(r"CAP_(\w+)", unit)
    assert "NET_BIND_SERVICE" in names and "SYS_ADMIN" not in names
    kept = ",".join(["-all"] + ["+" + name.lower() for name in names])
    rights = ["setpriv", "--bounding-set", kept, "--no-new-privs"]
    system.run(*rights, "sallyport", "-g", "daemon on;")
    assert "Sallyport is installed" in fetch(port)
    system.run(*rights, "sallyport", "reload")
    supervisor = system.shell(f"cat {PID_FILE}")
    system.run("kill", "-QUIT", supervisor)
    wait_for(lambda: not system.has(PID_FILE), "its end")


def test_systemd_understands_the_unit(system):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    system.run("dpkg", "--install", "/mnt/first.deb")
    done = system.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                      "/lib/systemd/system/sallyport.service", check=False)
    assert "sallyport" not in done.stdout and done.returncode == 0, done.stdout


def test_logrotate_understands_its_file(system):
    if not shutil.which("logrotate"):
        pytest.skip("logrotate is not installed")
    system.run("dpkg", "--install", "/mnt/first.deb")
    system.run("logrotate", "-d", "/etc/logrotate.d/sallyport")
