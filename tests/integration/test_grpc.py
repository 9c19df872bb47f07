"""gRPC with real peers: Python's grpcio on both sides of the proxy."""
import os
import pathlib
import queue
import re
import threading
import time
from concurrent import futures

import grpc
import pytest

from support import wait_for
from support.backend import response
from support.h2client import H2Client
from support.http2 import CANCEL, Http2
from support.ports import reserve_port
from support.waiting import seconds

GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
MESSAGE = b"\0\0\0\0\5hello"
GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs/guide/grpc.md"
WITHIN = seconds(30)  # of calls that should succeed


class Service:
    """The methods of /test.Echo/; what they see is kept."""

    def __init__(self):
        self.metadata = None
        self.time_left = None
        self.entered = threading.Event()
        self.ended = threading.Event()  # a call of Wait's or Pour's is over, whoever ended it

    def enter(self, context):
        self.metadata = dict(context.invocation_metadata())
        self.time_left = context.time_remaining()
        self.ended.clear()
        context.add_callback(self.ended.set)
        self.entered.set()

    def unary(self, request, context):
        self.enter(context)
        context.send_initial_metadata((("x-initial", "1"),))
        context.set_trailing_metadata((("x-trailing", "2"), ("x-bin", b"\0\xff")))
        return request.upper()

    def fail(self, request, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: 100% \u00e9")

    def refuse(self, requests, context):
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more")

    def download(self, request, context):
        for number in range(int(request)):
            yield b"%d" % number

    def upload(self, requests, context):
        return b"%d" % sum(len(request) for request in requests)

    def chat(self, requests, context):
        self.enter(context)
        yield from requests

    def wait(self, request, context):
        self.enter(context)
        self.ended.wait(60)
        return b""

    def pour(self, request, context):
        self.enter(context)
        while context.is_active():
            yield b"x" * 1000

    def handler(self):
        return grpc.method_handlers_generic_handler("test.Echo", {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Wait": grpc.unary_unary_rpc_method_handler(self.wait),
            "Download": grpc.unary_stream_rpc_method_handler(self.download),
            "Pour": grpc.unary_stream_rpc_method_handler(self.pour),
            "Refuse": grpc.stream_unary_rpc_method_handler(self.refuse),
            "Upload": grpc.stream_unary_rpc_method_handler(self.upload),
            "Chat": grpc.stream_stream_rpc_method_handler(self.chat),
        })


@pytest.fixture
def service():
    """A gRPC server; `service.address` goes into configurations."""
    servers = []
    made = Service()

    def start(credentials=None):
        server = grpc.server(futures.ThreadPoolExecutor(128), options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((made.handler(),))
        port = (server.add_secure_port("127.0.0.1:0", credentials) if credentials else
                server.add_insecure_port("127.0.0.1:0"))
        server.start()
        servers.append(server)
        made.server = server
        return f"127.0.0.1:{port}"

    made.start = start
    yield made
    made.ended.set()
    for server in servers:
        server.stop(0).wait(WITHIN)


@pytest.fixture
def channel():
    channels = []

    def connect(proxy, name="http", credentials=None, options=()):
        address = f"127.0.0.1:{proxy.ports[name]}"
        made = (grpc.secure_channel(address, credentials, options) if credentials else
                grpc.insecure_channel(address, options))
        channels.append(made)
        return made

    yield connect
    for made in channels:
        made.close()


def text(inside, compat="", before=""):
    return f"""worker_processes 1; {compat} events {{}}
        http {{ log_format ends '$status $sent_http_grpc_status $sent_trailer_grpc_status '
                                '$upstream_trailer_grpc_status';
                access_log @dir@/access.log ends; {before}
                server {{ listen 127.0.0.1:@port:http@; http2 on; {inside} }} }}"""


@pytest.fixture
def echo(sallyport, service, channel):
    """echo(directives): a channel through the proxy to the service; .proxy is the proxy."""
    def start(directives="", **options):
        proxy = sallyport(text(f"client_max_body_size 0; location / {{ grpc_pass @to@; {directives} }}",
                               **options), to=service.start())
        made = channel(proxy)
        made.proxy = proxy
        return made

    return start


def unary(channel, method="Unary", request=b"hello", **options):
    return channel.unary_unary(f"/test.Echo/{method}")(request, **{"timeout": WITHIN, **options})


def fails(call):
    """The error that a call ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def log_line(proxy):
    return proxy.lines("access.log", count=1)[-1]


# -- the four kinds of calls


def test_unary_with_metadata_both_ways(echo, service):
    calls = echo()
    answer, call = calls.unary_unary("/test.Echo/Unary").with_call(
        b"hello", timeout=WITHIN, metadata=(("x-asked", "a"), ("x-bin", b"\0\xfe")))
    assert answer == b"HELLO"
    assert service.metadata["x-asked"] == "a" and service.metadata["x-bin"] == b"\0\xfe"
    assert ("x-initial", "1") in call.initial_metadata()
    trailing = dict(call.trailing_metadata())
    assert trailing["x-trailing"] == "2" and trailing["x-bin"] == b"\0\xff"
    assert log_line(calls.proxy) == "200 - 0 0"


def test_a_status_and_its_message_arrive_as_they_were_sent(echo):
    error = fails(lambda: unary(echo(), "Fail"))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "not now: 100% \u00e9"


def test_a_method_that_the_server_does_not_have(echo):
    assert fails(lambda: unary(echo(), "None")).code() is grpc.StatusCode.UNIMPLEMENTED


def test_server_streaming(echo):
    got = list(echo().unary_stream("/test.Echo/Download")(b"1000", timeout=WITHIN))
    assert got == [b"%d" % number for number in range(1000)]


def test_client_streaming(echo):
    messages = (b"x" * 1000 for _ in range(2000))
    assert echo().stream_unary("/test.Echo/Upload")(messages, timeout=WITHIN) == b"2000000"


def test_each_message_of_a_conversation_is_forwarded_at_once(echo, service):
    asks = queue.Queue()
    answers = echo().stream_stream("/test.Echo/Chat")(iter(asks.get, None), timeout=WITHIN)
    for number in range(20):  # the next one is only said when the last one is answered
        asks.put(b"%d" % number)
        assert next(answers) == b"%d" % number
    asks.put(None)
    assert list(answers) == []
    assert answers.code() is grpc.StatusCode.OK


def test_a_server_may_answer_before_the_client_is_done(echo):
    def messages():
        while True:
            yield b"x" * 1000

    calls = echo()
    call = calls.stream_unary("/test.Echo/Refuse").future(messages(), timeout=WITHIN)
    assert (call.code(), call.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "no more")
    assert unary(calls) == b"HELLO"


def test_a_large_message_each_way(echo):
    assert unary(echo(), request=b"a" * 3_000_000) == b"A" * 3_000_000


def test_many_calls_share_a_connection_to_the_backend(echo):
    calls = echo()
    pending = [calls.unary_unary("/test.Echo/Unary").future(b"%d" % number, timeout=WITHIN)
               for number in range(300)]
    assert [each.result() for each in pending] == [b"%d" % number for number in range(300)]


def test_over_tls_on_both_sides(sallyport, service, channel, authority):
    pair = authority.certificate("backend.test")
    to = service.start(grpc.ssl_server_credentials([(pair.key.read_bytes(), pair.chain.read_bytes())]))
    proxy = sallyport(f"""http {{ server {{
        listen 127.0.0.1:@port:https@ ssl; http2 on; server_name example.com;
        ssl_certificate @cert:example.com@; ssl_certificate_key @key:example.com@;
        location / {{ grpc_pass grpcs://@to@; grpc_ssl_trusted_certificate @authority@;
                      grpc_ssl_name backend.test; }} }} }} events {{}}""", to=to)
    calls = channel(proxy, "https", grpc.ssl_channel_credentials(authority.chain.read_bytes()),
                    [("grpc.ssl_target_name_override", "example.com")])
    assert unary(calls) == b"HELLO"


# -- deadlines


def test_the_backend_gets_the_time_that_is_left(echo, service):
    unary(echo(), timeout=3600)
    assert 3500 < service.time_left <= 3620  # grpcio rounds such times up to ten seconds
    unary(echo(), timeout=None)
    assert service.time_left is None or service.time_left > 10**6


def raw_call(proxy, timeout=(), fields=GRPC):
    """Without a message: the answer may come before it."""
    with H2Client(proxy.client()) as client:
        extra = [("grpc-timeout", each) for each in timeout]
        return client.request("POST", "/test.Echo/Wait", fields=[*fields, *extra])


def test_at_its_deadline_a_call_ends_on_both_sides(sallyport, make_backend):
    peer = Http2(None)  # never answers
    proxy = sallyport(text("location / { grpc_pass @to@; }"), to=make_backend(serve=peer))
    answer = raw_call(proxy, ["200m"])
    assert (answer.status, answer.field("grpc-status")) == (200, "4")
    assert answer.field("content-type") == "application/grpc" and not answer.body
    wait_for(lambda: peer.last.reset_with is not None, "a reset")
    assert peer.last.reset_with == CANCEL
    assert log_line(proxy).startswith("200 4")
    unit = peer.last.field("grpc-timeout")
    assert unit[-1] == "u" and 0 < int(unit[:-1]) <= 200_000


def test_at_its_deadline_an_answer_that_has_begun_ends_in_trailers(sallyport, make_backend):
    peer = Http2(None, on_head=lambda stream: (
        stream.head(fields=[("content-type", "application/grpc")]), stream.send(MESSAGE)))
    proxy = sallyport(text("location / { grpc_pass @to@; }"), to=make_backend(serve=peer))
    answer = raw_call(proxy, ["300m"])
    assert bytes(answer.body) == MESSAGE
    assert dict(answer.trailers)["grpc-status"] == "4"
    wait_for(lambda: peer.last.reset_with is not None, "a reset")


def test_a_deadline_holds_while_a_connection_is_made(sallyport, make_backend):
    mute = threading.Event()
    proxy = sallyport(text("location / { grpc_pass grpcs://@to@; grpc_ssl_verify off; }"),
                      to=make_backend(serve=lambda connection: mute.wait(60)))
    assert raw_call(proxy, ["100m"]).field("grpc-status") == "4"
    mute.set()


def test_nginx_passes_deadlines_on_and_keeps_none(sallyport, make_backend):
    peer = Http2(lambda stream: stream.respond(trailers=[("grpc-status", "0")]))
    proxy = sallyport(text("location / { grpc_pass @to@; }", "compat nginx;"), to=make_backend(serve=peer))
    raw_call(proxy, ["1n"])
    assert peer.last.field("grpc-timeout") == "1n"


def test_a_deadline_that_has_passed_is_answered_without_the_backend(sallyport, make_backend):
    peer = Http2(None)
    proxy = sallyport(text("location / { grpc_pass @to@; }"), to=make_backend(serve=peer))
    assert raw_call(proxy, ["0m"]).field("grpc-status") == "4"


@pytest.mark.parametrize("timeout", [
    ["1"], ["S"], ["123456789S"], ["1s"], ["-1S"], ["+1S"], ["1.5S"], ["1 S"], ["0x1S"], ["1SS"],
    ["1S", "1S"], ["1S, 1S"]])
def test_a_malformed_deadline_is_an_internal_error(malformed, timeout):
    proxy, peer = malformed
    assert raw_call(proxy, timeout).field("grpc-status") == "13"
    assert not peer.requests


@pytest.fixture(scope="module")
def malformed(shared_sallyport, make_shared_backend):
    peer = Http2(lambda stream: stream.respond(trailers=[("grpc-status", "0")]))
    return shared_sallyport(text("location / { grpc_pass @to@; }"),
                            to=make_shared_backend(serve=peer)), peer


def test_the_longest_deadline_is_one(malformed):
    proxy, peer = malformed
    assert dict(raw_call(proxy, ["99999999H"]).trailers)["grpc-status"] == "0"
    assert peer.last.field("grpc-timeout").endswith("S")
    peer.requests.clear()


# -- cancellation


@pytest.mark.parametrize("kind, method", [("unary_unary", "Wait"), ("unary_stream", "Pour")])
def test_a_cancelled_call_ends_at_the_backend(echo, service, kind, method):
    calls = echo()
    ask = getattr(calls, kind)(f"/test.Echo/{method}")
    call = ask.future(b"", timeout=WITHIN) if kind == "unary_unary" else ask(b"", timeout=WITHIN)
    assert service.entered.wait(WITHIN)
    call.cancel()
    assert service.ended.wait(WITHIN), "the backend is told"
    assert unary(calls) == b"HELLO"


def test_a_reset_reaches_the_backend_within_a_round_trip(sallyport, make_backend):
    """What is sent when a PING behind the reset is answered finds the reset there already."""
    resets = []

    def on_head(stream):
        if stream.path == "/next":
            resets.append(peer.requests[-2].reset_with)
            stream.respond(trailers=[("grpc-status", "0")])

    peer = Http2(None, on_head=on_head)
    proxy = sallyport(text("location / { grpc_pass @to@; }"), to=make_backend(serve=peer))
    with H2Client(proxy.client()) as client:
        for count in range(20):
            stream = client.open("POST", "/long", fields=GRPC)
            peer.wait_for_requests(2 * count + 1)
            stream.cancel()
            client.fence()
            assert client.get("/next").status == 200
    assert resets == [CANCEL] * 20
    assert len(peer.sessions) == 1


# -- errors that the proxy makes


@pytest.mark.parametrize("directives, code", [
    ("grpc_pass 127.0.0.1:@nobody@;", grpc.StatusCode.UNAVAILABLE),  # 502
    ("grpc_pass @silent@; grpc_read_timeout 100ms;", grpc.StatusCode.UNAVAILABLE),  # 504
    ("grpc_pass @old@;", grpc.StatusCode.UNAVAILABLE),
    ("deny all; grpc_pass @silent@;", grpc.StatusCode.PERMISSION_DENIED),
    ("auth_basic x; auth_basic_user_file @users@; grpc_pass @silent@;", grpc.StatusCode.UNAUTHENTICATED),
    ("limit_req zone=few; grpc_pass @silent@; grpc_read_timeout 1ms;", grpc.StatusCode.UNAVAILABLE),
    ("internal; grpc_pass @silent@;", grpc.StatusCode.UNIMPLEMENTED),
    ("client_max_body_size 1; grpc_pass @silent@;", grpc.StatusCode.UNKNOWN),
    ("return 404; grpc_pass @silent@;", grpc.StatusCode.UNIMPLEMENTED),
    ("return 400; grpc_pass @silent@;", grpc.StatusCode.INTERNAL),
    ("return 429; grpc_pass @silent@;", grpc.StatusCode.UNAVAILABLE),
])
def test_an_error_of_the_proxy_s_is_a_status(sallyport, make_backend, channel, open_folder, directives, code):
    users = open_folder / "users"
    users.write_text("ann:{PLAIN}secret\n")
    users.chmod(0o644)
    proxy = sallyport(text(f"location / {{ {directives} }}",
                           before="limit_req_zone $server_name zone=few:1m rate=1r/m;"),
                      silent=make_backend(serve=Http2(None)), nobody=reserve_port(), users=users,
                      old=make_backend(serve=lambda connection: (
                          connection.receive(), connection.send(response("no", "400 Bad Request")), connection.drain())))
    calls = channel(proxy)
    if "limit_req" in directives:
        fails(lambda: unary(calls))
    error = fails(lambda: unary(calls))
    assert error.code() is code
    assert "HTTP" not in error.details()  # what grpcio says of an answer that is none of gRPC's
    assert proxy.lines("access.log", count=1)[-1].startswith("200 ")


def test_error_page_comes_first(sallyport, make_backend):
    proxy = sallyport(text("""
        error_page 403 = @denied;
        location / { grpc_pass @to@; deny all; }
        location @denied { add_header grpc-status 9 always; default_type application/grpc; return 204; }
    """), to=make_backend(serve=Http2(None)))
    answer = raw_call(proxy)
    assert (answer.status, answer.field("grpc-status")) == (204, "9")


@pytest.mark.parametrize("compat, fields", [("compat nginx;", GRPC), ("", [("content-type", "text/plain")]),
                                            ("", [("content-type", "application/grpc-web")])])
def test_who_does_not_speak_grpc_gets_an_error_of_http(sallyport, make_backend, compat, fields):
    proxy = sallyport(text("location / { grpc_pass 127.0.0.1:@nobody@; }", compat), nobody=reserve_port())
    answer = raw_call(proxy, ["1"], fields)
    assert (answer.status, answer.field("grpc-status")) == (502, None)


def test_a_client_of_http1_gets_the_status_in_the_head(sallyport):
    proxy = sallyport(text("location / { grpc_pass 127.0.0.1:@nobody@; }"), nobody=reserve_port())
    with proxy.client() as client:
        answer = client.request("POST", "/", body=MESSAGE, fields=[("Content-Type", "application/grpc+proto")])
        assert (answer.status, answer.field("grpc-status"), answer.body) == (200, "14", b"")
        assert client.request("POST", "/", body=MESSAGE).status == 502


@pytest.mark.parametrize("directives, body, code", [
    ("client_body_timeout 200ms;", b"", "2"), ("client_max_body_size 1000;", b"x" * 2000, "2")],
    ids=["time", "size"])
def test_a_limit_in_the_middle_of_a_call_ends_it_in_trailers(sallyport, make_backend, directives, body, code):
    peer = Http2(None, on_head=lambda stream: stream.head(fields=[("content-type", "application/grpc")]))
    proxy = sallyport(text(f"location / {{ grpc_pass @to@; {directives} }}"), to=make_backend(serve=peer))
    with H2Client(proxy.client()) as client:
        stream = client.open("POST", "/", fields=GRPC)
        assert stream.head().status == 200
        stream.send(body)
        assert dict(stream.response().trailers)["grpc-status"] == code
    wait_for(lambda: peer.last.reset_with is not None, "a reset")


@pytest.mark.parametrize("cut", ["reset", "close"])
def test_an_answer_that_is_cut_off_ends_in_unavailable(sallyport, make_backend, cut):
    def begin(stream):
        stream.head(fields=[("content-type", "application/grpc")])
        stream.send(MESSAGE)

    peer = Http2(None, on_head=begin)
    proxy = sallyport(text("location / { grpc_pass @to@; }"), to=make_backend(serve=peer))
    with H2Client(proxy.client()) as client:
        stream = client.open("POST", "/", fields=GRPC)
        stream.wait_for(len(MESSAGE))
        peer.last.reset() if cut == "reset" else peer.sessions[0].close()
        assert dict(stream.response().trailers)["grpc-status"] == "14"


# -- the guide


EXAMPLES = re.findall(r"```nginx\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_the_guide_s_first_example(sallyport, service, channel):
    example = next(each for each in EXAMPLES if each.startswith("upstream"))
    for place, mark in (("127.0.0.1:9000", "@to@"), ("443 ssl", "127.0.0.1:@port:https@ ssl"),
                        ("listen 8001", "listen 127.0.0.1:@port:http@"), ("example.com.crt", "@cert:example.com@"),
                        ("example.com.key", "@key:example.com@"), ("hello.Greeter", "test.Echo")):
        assert place in example
        example = example.replace(place, mark)
    assert unary(channel(sallyport(f"events {{}} http {{ {example} }}", to=service.start()))) == b"HELLO"


@pytest.mark.parametrize("place, code", [("error_page", 14), ("grpc_read_timeout", 0), ("grpcs:", 0)])
def test_the_guide_s_locations(sallyport, service, channel, authority, place, code):
    example = next(each for each in EXAMPLES if place in each and each.startswith("location"))
    pair = authority.certificate("app.internal")
    tls = grpc.ssl_server_credentials([(pair.key.read_bytes(), pair.chain.read_bytes())])
    to = f"127.0.0.1:{reserve_port()}" if code else service.start(tls if "grpcs:" in example else None)
    example = re.sub(r"127\.0\.0\.1:9\d+", to, example).replace("internal-ca.crt", str(authority.chain))
    calls = channel(sallyport(text(re.sub(r"hello\.Greeter|chat\.Rooms", "test.Echo", example))))
    if not code:
        assert unary(calls) == b"HELLO"
        return
    error = fails(lambda: unary(calls))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "back at noon")


# -- how good it must be


COUNT = 100_000 if os.environ.get("SALLYPORT_LONG") else 5_000


def talk(calls, count, at_a_time):
    """A conversation of so many messages, of which `at_a_time` are under way; how many came back, in order."""
    under_way = threading.Semaphore(at_a_time)

    def messages():
        for number in range(count):
            under_way.acquire()
            yield b"%07d" % number

    got = 0
    for answer in calls.stream_stream("/test.Echo/Chat")(messages(), timeout=seconds(300)):
        under_way.release()
        assert answer == b"%07d" % got
        got += 1
    return got


@pytest.mark.parametrize("streams", [1, 100])
def test_many_messages_each_way_a_hundred_at_a_time(echo, streams):
    """On one stream, or on a hundred of one connection's."""
    calls = echo()
    began = time.monotonic()
    with futures.ThreadPoolExecutor(streams) as pool:
        got = list(pool.map(lambda _: talk(calls, COUNT // streams, 100 // streams), range(streams)))
    assert got == [COUNT // streams] * streams
    print(f"{COUNT} messages each way on {streams} streams: {time.monotonic() - began:.1f} s")
