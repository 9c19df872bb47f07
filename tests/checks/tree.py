#!/usr/bin/python3
"""Checks what CONTRIBUTING.md says of files and no compiler sees.

    - no path of one machine, no address of a private network's host
    - TODO only as TODO(perf|security|cleanup): with a reason
    - a folder's README.md in src/ has at most 40 lines
    - a C++ file over 1,000 lines begins by saying why ("long because")
    - scripts are executable

    tree.py [ROOT]    tree.py --self-test
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SKIPPED = {"build", ".git", ".cache", "__pycache__", ".pytest_cache"}
MACHINE_PATH = re.compile(r"(?<![\w.$}~-])/(?:work|home/\w+|root|mnt/\w+|Users/\w+)/[\w.]")
TODO = re.compile(r"\bTODO\b(?!\((?:perf|security|cleanup)\): \S+ \S+)")
OWN_NAME = "tests/checks/tree.py"
TEXT = {".h", ".cc", ".py", ".md", ".txt", ".cmake", ".json", ".conf", ".cfg", ".yml", ".yaml", ""}


def files_of(root):
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"],
                            capture_output=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
        return [root / name for name in sorted(names) if name and (root / name).is_file()]
    return [path for path in sorted(root.rglob("*"))
            if path.is_file() and not SKIPPED & set(path.relative_to(root).parts)]


def check_lines(name, lines):
    for number, line in enumerate(lines, 1):
        if MACHINE_PATH.search(line):
            yield f"{name}:{number}: a path of one machine: {line.strip()[:80]}"
        if TODO.search(line) and not name.endswith("CONTRIBUTING.md"):
            yield f"{name}:{number}: TODO needs its kind and reason: TODO(perf): why"


def check(root):
    for path in files_of(root):
        name = path.relative_to(root).as_posix()
        if name == OWN_NAME:
            continue
        if name.startswith(("script/", ".ci/")) and path.suffix == "" and not os.access(path, os.X_OK):
            yield f"{name}: not executable"
        if path.suffix not in TEXT or "/corpus/" in name:
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        yield from check_lines(name, lines)
        if name.startswith("src/") and path.name == "README.md" and len(lines) > 40:
            yield f"{name}: {len(lines)} lines, at most 40"
        if path.suffix in (".h", ".cc") and len(lines) > 1000 and not any(
                "long because" in line for line in lines[:15]):
            yield f"{name}: {len(lines)} lines; split it, or say at its top why it is long"


def self_test():
    cases = [
        ("src/x/README.md", "line\n" * 41, "at most 40"),
        ("src/x/long.cc", "int x;\n" * 1001, "split it"),
        ("src/x/long_with_reason.cc", "// long because: one table\n" + "int x;\n" * 1001, None),
        ("src/x/path.cc", 'open("/home/someone/file");\n', "one machine"),
        ("src/x/todo.cc", "// TODO fix\n", "kind and reason"),
        ("src/x/good.cc", "// TODO(perf): copies the head once more than needed\n", None),
        ("script/thing", "#!/bin/sh\n", "not executable"),
    ]
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, text, _ in cases:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        complaints = list(check(root))
    wrong = []
    for name, _, expected in cases:
        mine = [c for c in complaints if c.startswith(name + ":")]
        if (expected is None) != (not mine) or expected and expected not in mine[0]:
            wrong.append(f"{name}: expected {expected!r}, got {mine}")
    return wrong


def main():
    if sys.argv[1:] == ["--self-test"]:
        complaints = self_test()
    else:
        root = pathlib.Path(sys.argv[1]) if sys.argv[1:] else pathlib.Path(__file__).parents[2]
        complaints = list(check(root.resolve()))
    print("\n".join(complaints) or "the tree keeps its rules")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
