"""gRPC between Node's @grpc/grpc-js and Python's grpcio, each as client and as server.

`script/bootstrap --clients` installs it into build/npm; SALLYPORT_NODE_MODULES names another folder."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from support.waiting import seconds
from test_grpc import channel, echo, service, text, unary  # noqa: F401  (fixtures)

HERE = pathlib.Path(__file__).resolve()
MODULES = pathlib.Path(os.environ.get("SALLYPORT_NODE_MODULES") or
                       HERE.parents[2] / "build/npm/node_modules")
PEER = HERE.parent / "clients/grpc_peer.js"

pytestmark = pytest.mark.skipif(not shutil.which("node") or not (MODULES / "@grpc/grpc-js").is_dir(),
                                reason="needs script/bootstrap --clients")


def node(*arguments, **options):
    return subprocess.Popen(["node", PEER, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                            env={**os.environ, "GRPC_JS": str(MODULES / "@grpc/grpc-js")}, **options)


def calls_of_node(proxy):
    with node("client", str(proxy.ports["http"])) as client:
        said, _ = client.communicate(timeout=seconds(60))
    return json.loads(said)


EXPECTED = {"unary": "HELLO", "download": 1000, "upload": "1000000", "chat": 100}


@pytest.fixture
def server():
    with node("server") as process:
        yield process
        process.stdin.close()
        process.wait(seconds(20))


def test_node_calls_python(echo):  # noqa: F811
    said = calls_of_node(echo().proxy)
    assert {name: said[name] for name in EXPECTED} == EXPECTED
    assert said["fail"]["code"] == 9 and said["deadline"]["code"] == 4 and said["cancelled"]["code"] == 1


def test_node_calls_node(sallyport, server):
    to = f"127.0.0.1:{server.stdout.readline().strip()}"
    said = calls_of_node(sallyport(text("client_max_body_size 0; location / { grpc_pass @to@; }"), to=to))
    assert {name: said[name] for name in EXPECTED} == EXPECTED
    assert said["fail"] == {"code": 9, "details": "not now"}
    assert said["deadline"]["code"] == 4 and said["cancelled"]["code"] == 1
    assert [server.stdout.readline().strip() for _ in range(2)] == ["cancelled"] * 2


def test_python_calls_node(sallyport, server, channel):  # noqa: F811
    to = f"127.0.0.1:{server.stdout.readline().strip()}"
    calls = channel(sallyport(text("location / { grpc_pass @to@; }"), to=to))
    assert unary(calls) == b"HELLO"
    assert len(list(calls.unary_stream("/test.Echo/Download")(b"500", timeout=seconds(30)))) == 500
    assert list(calls.stream_stream("/test.Echo/Chat")(iter([b"a", b"b"]), timeout=seconds(30))) == [b"a", b"b"]
