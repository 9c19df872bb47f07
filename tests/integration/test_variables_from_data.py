"""The examples of the guide's page about map, geo, split_clients and valid_referers."""
import pathlib
import re

import pytest

MARKS = ("first", "second", "third")
GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs/guide/variables-from-data.md"


@pytest.fixture
def example(sallyport, make_backend):
    """example(name) starts the one under that heading, with program.backends for its ports from 9000 on."""
    def start(name):
        section = re.search(rf"^## {name}:.*?```nginx\n(.*?)```", GUIDE.read_text(),
                            re.DOTALL | re.MULTILINE)
        backends = {mark: make_backend() for mark in MARKS}
        text = section[1].replace("listen 8001;", "listen 127.0.0.1:@port:http@;")
        for i, mark in enumerate(MARKS):
            text = text.replace(f"127.0.0.1:900{i}", f"@{mark}@")
        program = sallyport.make()
        done = program.check(text, **backends)
        assert done.returncode == 0 and "[warn]" not in done.stderr, done.stderr
        program.start()
        program.backends = list(backends.values())
        return program

    return start


def test_map(example):
    program = example("map")
    for host, chosen in [("other.test", 0), ("APP.example.com", 1), ("api7.test", 1), ("a.example.com", 2)]:
        before = len(program.backends[chosen].requests)
        assert program.get("/", host=host).status == 200
        assert len(program.backends[chosen].requests) == before + 1, host


def test_geo(example):
    program = example("geo")
    assert program.get("/").body == b"welcome"
    countries = [program.get(f"/country?ip={ip}").body for ip in (
        "192.0.2.1", "192.0.2.15", "192.0.2.20", "192.0.2.128", "x")]
    assert countries == [b"AA", b"BB", b"AA", b"ZZ", b"ZZ"]


def test_split_clients(example):
    program = example("split_clients")
    answers = {program.get("/", fields=[("User-Agent", str(i))]).body for i in range(200)}
    assert answers == {b"new", b"newer", b"old"}


def test_valid_referers(example):
    program = example("valid_referers")

    def invalid(*fields):
        return program.get("/images/a", fields=[("Referer", value) for value in fields]).body

    for fine in ([], ["-"], ["https://www.example.com/x"], ["http://a.example.org/"],
                 ["http://example.net/gallery/1"], ["http://www.search.test/"]):
        assert invalid(*fine) == b"invalid: []"
    for bad in ("http://example.net/", "http://other.test/www.example.com"):
        assert invalid(bad) == b"invalid: [1]"
