"""A throw-away copy of this system: an overlay over / in namespaces of its own.

What runs in it sees the system's files and may change all of them; the changes are in memory and end with
it, and so do its processes. /run, /tmp and /dev/shm are empty; /mnt is a folder that both sides see.
"""
import pathlib
import shutil
import subprocess

from .waiting import seconds, wait_for

_SETUP = """
set -e
mount -t tmpfs -o mode=755 none "$1/layers"
mkdir "$1/layers/upper" "$1/layers/work" "$1/layers/root"
root=$1/layers/root
mount -t overlay -o "lowerdir=/,upperdir=$1/layers/upper,workdir=$1/layers/work" none "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 none "$root/run"
mount -t tmpfs -o mode=1777 none "$root/tmp"
mount --bind "$1/shared" "$root/mnt"
touch "$1/shared/.ready"
exec /usr/bin/python3 -c "$2"
"""

# The first process of a system buries those that others leave behind.
_FIRST_PROCESS = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
while True:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    signal.sigwait([signal.SIGCHLD])
"""


class Unavailable(Exception):
    """This machine does not let us make one; the message says why."""


class ThrowawaySystem:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.shared = self.folder / "shared"
        self.root = f"{self.folder}/layers/root"
        for each in ("layers", "shared"):
            (self.folder / each).mkdir()
        for tool in ("unshare", "nsenter", "mount", "chroot"):
            if not shutil.which(tool):
                raise Unavailable(f"{tool} is not installed")
        self.errors = open(self.folder / "errors", "w+", encoding="utf-8")
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
             "sh", "-c", _SETUP, "sh", str(self.folder), _FIRST_PROCESS],
            stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors)
        ready = self.shared / ".ready"
        wait_for(lambda: ready.exists() or self.holder.poll() is not None, "the overlay")
        if not ready.exists():
            self.errors.seek(0)
            raise Unavailable(self.errors.read().strip())
        children = pathlib.Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")
        self.first = int(children.read_text(encoding="ascii").split()[0])

    def run(self, *command, check=True, within=60):
        """Runs a command in it, as root; the finished process, what it said in .stdout."""
        done = subprocess.run(
            ["nsenter", "--mount", "--pid", "--target", str(self.first), "chroot", self.root,
             "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
             "DEBIAN_FRONTEND=noninteractive", *map(str, command)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=seconds(within), cwd="/", check=False)
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
        return done

    def shell(self, text, **options):
        return self.run("sh", "-c", text, **options).stdout.strip()

    def has(self, path):
        return self.run("test", "-e", path, check=False).returncode == 0

    def end(self):
        """All its processes end with its first one."""
        self.holder.kill()
        self.holder.wait()
        self.errors.close()
