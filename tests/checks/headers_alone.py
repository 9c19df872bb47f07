#!/usr/bin/python3
"""Checks that each header of src/ compiles by itself, without the precompiled header.

    headers_alone.py BUILD_DIRECTORY   with the flags of BUILD_DIRECTORY/compile_commands.json
    headers_alone.py BUILD_DIRECTORY --self-test
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SRC = ROOT / "src"


def flags_by_folder(build):
    """The compiler and flags of one .cc of each folder."""
    flags = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"])
        output = re.search(r"src/(.+?)/CMakeFiles/", entry.get("output", entry["command"]))
        if output and source.suffix == ".cc" and "_test.dir" not in entry["command"]:
            flags.setdefault(output[1], clean(shlex.split(entry["command"])))
    return flags


def clean(words):
    kept = []
    skip = 0
    for index, word in enumerate(words):
        if skip:
            skip -= 1
        elif word in ("-o", "-c", "-MF", "-MT", "-MQ"):
            skip = 1
        elif word == "-Xclang" and index + 1 < len(words) and (
                "pch" in words[index + 1] or words[index + 1].startswith("-include")):
            skip = 3 if words[index + 1].startswith("-include") else 1
        elif word == "-include":
            skip = 1
        elif "ccache" in pathlib.Path(word).name or word.startswith(("-flto", "-MD", "-Winvalid-pch")):
            continue
        else:
            kept.append(word)
    return kept


def compile_alone(header, flags):
    command = [*flags, "-fsyntax-only", "-O0", "-U_FORTIFY_SOURCE",
               "-Wno-pragma-once-outside-header", "-x", "c++", str(header)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return header, done.returncode, done.stderr


def check(build, headers):
    flags = flags_by_folder(build)
    fallback = flags.get("base") or next(iter(flags.values()))
    jobs = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for header in headers:
            relative = header.parent.relative_to(SRC).as_posix() if header.is_relative_to(SRC) else ""
            jobs.append(pool.submit(compile_alone, header, flags.get(relative, fallback)))
        for job in concurrent.futures.as_completed(jobs):
            header, status, errors = job.result()
            if status:
                yield f"{header} does not compile by itself:\n{errors}"


def self_test(build):
    with tempfile.TemporaryDirectory() as directory:
        header = pathlib.Path(directory) / "needy.h"
        header.write_text("#pragma once\ninline std::string words() { return {}; }\n")
        alone = pathlib.Path(directory) / "alone.h"
        alone.write_text("#pragma once\n#include <string>\ninline std::string words() { return {}; }\n")
        complaints = list(check(build, [header, alone]))
    if len(complaints) == 1 and "needy.h" in complaints[0]:
        return []
    return [f"expected one complaint, about needy.h, got {complaints}"]


def main():
    build = pathlib.Path(sys.argv[1])
    os.chdir(build)
    headers = sorted(SRC.rglob("*.h"))
    if sys.argv[2:] == ["--self-test"]:
        complaints = self_test(build)
    else:
        complaints = list(check(build, headers))
    print("\n".join(complaints) or f"{len(headers)} headers compile alone")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
