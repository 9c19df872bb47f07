#!/usr/bin/python3
"""Sums the times of a ctest JUnit file by build and kind, as rows for script/test's table."""
import collections
import pathlib
import sys
import xml.etree.ElementTree as tree

BUILDS = ("asan", "tsan", "fuzz")
KINDS = ("build", "integration", "conformance", "fuzz", "check", "tidy")


def group(name):
    head, _, rest = name.partition(".")
    build = head if head in BUILDS and rest else "release"
    inner = rest if build != "release" else name
    kind = inner.partition(".")[0]
    return f"{build} {kind if kind in KINDS else 'unit'}".replace("fuzz unit", "fuzz")


def main():
    seconds, count, failed = (collections.Counter() for _ in range(3))
    if not pathlib.Path(sys.argv[1]).exists():
        return
    for case in tree.parse(sys.argv[1]).iter("testcase"):
        key = group(case.get("name"))
        seconds[key] += float(case.get("time") or 0)
        count[key] += 1
        failed[key] += case.get("status") == "fail"
    for key in sorted(seconds):
        remark = f"{count[key]} tests" + (f", {failed[key]} FAILED" if failed[key] else "")
        print(f"  {key} (summed)|{round(seconds[key])}|{remark}")


if __name__ == "__main__":
    main()
