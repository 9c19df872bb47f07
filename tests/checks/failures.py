#!/usr/bin/python3
"""Says in a line or two per failed test of a ctest JUnit file what was wrong, for script/test's end."""
import pathlib
import re
import sys
import xml.etree.ElementTree as tree

WIDTH = 200
LINES = 3
# What pytest ("E   assert ..."), GoogleTest ("x_test.cc:7: Failure"), the sanitizers and clang-tidy say.
TELLING = re.compile(r"^E  +\S|^FAILED |: Failure$|^(Expected|Value of|  Actual|Which is)|"
                     r"(ERROR|WARNING): \w+Sanitizer|runtime error:|(error|warning): ")


def said(output):
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if TELLING.search(line)]
    return (telling or lines[-LINES:] or ["(nothing)"])[:LINES]


def main():
    report = pathlib.Path(sys.argv[1])
    if not report.exists():
        return
    for case in tree.parse(report).iter("testcase"):
        if case.get("status") == "fail":
            print(f"{case.get('name')} said:")
            for line in said(case.findtext("system-out") or ""):
                print(f"  {line[:WIDTH]}")


if __name__ == "__main__":
    main()
