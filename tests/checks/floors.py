#!/usr/bin/python3
"""Checks that includes go downwards only (docs/design/architecture.md §3).

Reads every #include of src/. A folder includes itself, its parent folder and folders of lower floors;
never a higher floor, never a neighbour on its own floor. Third-party headers stand only in the folders
that own them, and never in a header that another folder can reach.

    floors.py [SRC]         prints each violation, exit status 1 if there is any
    floors.py --self-test   breaks each rule once in a made-up tree and expects to be told
"""
import pathlib
import re
import sys
import tempfile

FLOORS = [
    ["base"],
    ["async", "observe"],
    ["io", "config"],
    ["http", "tls"],
    ["exchange", "vault", "quic"],
    ["script"],
    ["upstream", "cache", "waf", "guard", "admission", "access", "content", "filter", "accesslog", "certs"],
    ["route"],
    ["proxy", "stream"],
    ["snapshot"],
    ["audit", "explain"],
    ["server"],
    ["cli"],
]
FLOOR_OF = {folder: floor for floor, folders in enumerate(FLOORS) for folder in folders}

# First path component (or the whole name) of a third-party header, and the folders that own it.
# None: any folder, but only in .cc files.
OWNERS = {
    "openssl": {"tls", "vault"},
    "pcre2.h": {"base"},
    "zlib.h": {"base"},
    "ares.h": {"io"},
    "ares_dns.h": {"io"},
    "ares_nameser.h": {"io"},
    "nghttp2": {"http/h2"},
    "curl": {"certs"},
    "crypt.h": {"admission"},
    "CLI": {"cli"},
    "nlohmann": None,
    "fmt": None,
}
TEST_ONLY = {"gtest": "_test.cc", "gmock": "_test.cc", "benchmark": "_bench.cc"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


class Source:
    def __init__(self, src, path):
        self.name = path.relative_to(src).as_posix()
        self.folder = self.name.rpartition("/")[0]
        self.top = self.folder.partition("/")[0]
        text = path.read_text(encoding="utf-8", errors="replace")
        self.includes = []  # (line, name, quoted)
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            self.includes.append((line, match[1] or match[2], match[1] is not None))

    @property
    def is_test(self):
        return self.name.endswith(("_test.cc", "_bench.cc", "_test.h")) or "/testing/" in self.name

    @property
    def is_header(self):
        return self.name.endswith(".h")


def third_party(name):
    return next((key for key in (name.partition("/")[0], name) if key in OWNERS), None)


def may_include(source, target_folder):
    """None if allowed, else the words for why not."""
    target_top, _, inner = target_folder.partition("/")
    if target_top not in FLOOR_OF:
        return f"{target_folder} is not a folder of the plan (tests/checks/floors.py, FLOORS)"
    if "testing" in inner.split("/") and not source.is_test:
        return "testing folders are for tests"
    if source.top == target_top:
        if source.folder.startswith(target_folder) or source.is_test:
            return None
        inside_out = target_folder.startswith(source.folder + "/")
        return "a folder does not include its own subfolder" if inside_out else "sideways"
    here, there = FLOOR_OF[source.top], FLOOR_OF[target_top]
    if there < here:
        return None
    return f"sideways: both on floor {here}" if there == here else (
        f"upwards: {source.top} is floor {here}, {target_top} is floor {there}")


def reaches_third_party(sources, name, seen):
    """The third-party header that including `name` brings along, or None."""
    if name in seen or name not in sources:
        return None
    seen.add(name)
    for _, included, quoted in sources[name].includes:
        if not quoted and third_party(included):
            return included
        found = reaches_third_party(sources, included, seen) if quoted else None
        if found:
            return found
    return None


def check_include(sources, source, line, name, quoted):
    at = f"src/{source.name}:{line}: "
    if quoted:
        folder = name.rpartition("/")[0]
        if not folder:
            yield at + f'"{name}" must be named from src/: "{source.folder}/{name}"'
            return
        reason = may_include(source, folder)
        if reason:
            yield at + f'"{name}" may not be included here ({reason})'
        if folder.partition("/")[0] != source.top:
            brought = reaches_third_party(sources, name, set())
            if brought:
                yield at + f'"{name}" brings <{brought}> out of its owner folder'
        return
    first = name.partition("/")[0]
    if first in TEST_ONLY:
        if not source.is_test:
            yield at + f"<{name}> belongs in {TEST_ONLY[first]} files"
        return
    key = third_party(name)
    if key is None:
        return
    owners = OWNERS[key]
    if owners is not None and not any(
            source.folder == owner or source.folder.startswith(owner + "/") for owner in owners):
        yield at + f"<{name}> belongs to {', '.join(sorted(owners))}"
    if owners is None and source.is_header:
        yield at + f"<{name}> belongs in .cc files"


def check(src):
    sources = {}
    for path in sorted(src.rglob("*")):
        if path.suffix in (".h", ".cc") and path.is_file():
            source = Source(src, path)
            sources[source.name] = source
    for source in sources.values():
        if source.top not in FLOOR_OF:
            yield f"src/{source.name}: {source.folder or 'src'} has no floor"
            continue
        for line, name, quoted in source.includes:
            yield from check_include(sources, source, line, name, quoted)


def self_test():
    cases = [  # file, its text, words of the expected complaint (None: none)
        ("tls/good.cc", '#include "io/stream.h"\n#include <openssl/ssl.h>\n#include <vector>\n', None),
        ("http/h1/good.cc", '#include "http/message.h"\n', None),
        ("tls/good_test.cc", '#include "io/testing/pipe.h"\n#include <gtest/gtest.h>\n', None),
        ("base/up.cc", '#include "io/stream.h"\n', "upwards"),
        ("io/side.cc", '#include "config/lexer.h"\n', "sideways"),
        ("http/inside.cc", '#include "http/h1/parser.h"\n', "its own subfolder"),
        ("io/product.cc", '#include "io/testing/pipe.h"\n', "for tests"),
        ("proxy/crypto.cc", "#include <openssl/ssl.h>\n", "belongs to tls, vault"),
        ("base/words.h", "#include <fmt/format.h>\n", "belongs in .cc files"),
        ("base/product.cc", "#include <gtest/gtest.h>\n", "_test.cc"),
        ("base/bare.cc", '#include "text.h"\n', "named from src/"),
        ("cellar/x.cc", "int x;\n", "no floor"),
        ("proxy/leak.cc", '#include "tls/open.h"\n', "out of its owner folder"),
        ("tls/open.h", '#include "tls/inner.h"\n', None),
        ("tls/inner.h", "#include <openssl/ssl.h>\n", None),
    ]
    with tempfile.TemporaryDirectory() as directory:
        src = pathlib.Path(directory) / "src"
        for name, text, _ in cases:
            (src / name).parent.mkdir(parents=True, exist_ok=True)
            (src / name).write_text(text)
        complaints = list(check(src))
    wrong = []
    for name, _, expected in cases:
        mine = [c for c in complaints if c.startswith(f"src/{name}:")]
        if expected is None and mine or expected is not None and not any(
                expected in c for c in mine):
            wrong.append(f"{name}: expected {expected!r}, got {mine}")
    return wrong


def main():
    if sys.argv[1:] == ["--self-test"]:
        complaints = self_test()
    else:
        default = pathlib.Path(__file__).resolve().parents[2] / "src"
        complaints = list(check(pathlib.Path(sys.argv[1]) if sys.argv[1:] else default))
    print("\n".join(complaints) or "includes go downwards")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
