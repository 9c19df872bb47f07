"""grpc_pass and its directives: where requests go, what backends get, and what clients see of the answer.

Each case that nginx's version allows runs against nginx as well. Calls with real gRPC are test_grpc.py's."""
import contextlib
import subprocess
import threading

import pytest

from support import wait_for
from support.h2client import H2Client
from support.h2frames import data
from support.http2 import CANCEL, REFUSED_STREAM, Http2
from support.ports import reserve_port

MESSAGE = b"\0\0\0\0\5hello"
GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
OK = [("grpc-status", "0")]


def reply(stream):
    """What a gRPC server answers, with one message."""
    stream.respond(MESSAGE, fields=[("content-type", "application/grpc")], trailers=OK)


@pytest.fixture
def http2(make_backend):
    """http2(answer, ...): a backend that speaks HTTP/2; its text is its address."""
    def start(answer=reply, tls=None, unix=None, **options):
        peer = Http2(answer, **options)
        backend = make_backend(serve=peer, tls=tls, unix=unix)
        peer.backend = backend
        return peer

    return start


@pytest.fixture(params=["nginx", "sallyport"])
def serve(request):
    """serve(text) starts nginx, and in a second run the program under `compat nginx`."""
    start = request.getfixturevalue(request.param)

    def run(inside, before="", **values):
        text = f"{before} server {{ listen 127.0.0.1:@port:http@ http2; {inside} }}"
        if request.param == "sallyport":
            text = f"compat nginx; worker_processes 1; events {{}} http {{ access_log off; {text} }}"
        values = {name: getattr(value, "backend", value) for name, value in values.items()}
        program = start(text, **values)
        program.kind = request.param
        return program

    return run


@pytest.fixture
def here(sallyport):
    """The program as it is by default."""
    def run(inside, before="", listen="http2", **values):
        values = {name: getattr(value, "backend", value) for name, value in values.items()}
        return sallyport(f"""worker_processes 1; events {{}} http {{ access_log off; {before}
            server {{ listen 127.0.0.1:@port:http@ {listen}; {inside} }} }}""", **values)

    return run


def call(proxy, target="/a.B/C", body=MESSAGE, fields=GRPC, **options):
    with H2Client(proxy.client()) as client:
        return client.request("POST", target, body=body, fields=list(fields), **options)


# -- grpc_pass


@pytest.mark.parametrize("target", ["grpc://@to@", "@to@", "GRPC://@to@"])
def test_a_call_goes_over_http2_and_its_trailers_come_back(serve, http2, target):
    peer = http2()
    answer = call(serve(f"location / {{ grpc_pass {target}; }}", to=peer))
    assert (answer.status, bytes(answer.body), answer.trailers) == (200, MESSAGE, OK)
    assert answer.field("content-type") == "application/grpc"
    seen = peer.last
    assert (seen.method, seen.path, seen.body) == ("POST", "/a.B/C", MESSAGE)
    assert seen.field(":scheme") == "http" and seen.field("te") == "trailers"
    assert seen.field("content-type") == "application/grpc"
    assert seen.field(":authority") == str(peer.backend)


def test_names_of_groups_and_variables_are_targets(serve, http2):
    peer = http2()
    proxy = serve("""
        location /group { grpc_pass grpc://group; }
        location /bare { grpc_pass group; }
        location /named { set $to group; grpc_pass grpc://$to; }
        location /whole { grpc_pass $arg_to; }
        location /if { grpc_pass 127.0.0.1:@nobody@; if ($arg_x) { grpc_pass grpc://group; } }
    """, "upstream group { server @to@; }", to=peer, nobody=reserve_port())
    for target in ("/group", "/bare", "/named", f"/whole?to=grpc://{peer.backend}",
                   f"/whole?to={peer.backend}", "/if?x=1"):
        assert call(proxy, target).trailers == OK, target
    assert call(proxy, "/if", body=None).status == 502
    assert [request.field(":authority") for request in peer.requests[:3]] == ["group"] * 3


def test_a_unix_socket_is_a_target(here, http2, open_folder):
    peer = http2(unix=open_folder / "backend.sock")
    (open_folder / "backend.sock").chmod(0o666)
    proxy = here("location / { grpc_pass grpc://@to@; }", to=peer)
    assert call(proxy).trailers == OK
    assert peer.last.field(":authority") == "localhost"


@pytest.mark.parametrize("line, message", [
    ("location / { grpc_pass grpc://127.0.0.1:1/path; }", 'invalid host in "grpc://127.0.0.1:1/path"'),
    ("location / { grpc_pass grpc://; }", 'no host in "grpc://"'),
    ("location / { grpc_pass http://127.0.0.1:1; }", 'invalid host in "http://127.0.0.1:1"'),
    ("location / { grpc_pass; }", 'invalid number of arguments in "grpc_pass"'),
    ("grpc_pass 127.0.0.1:1;", '"grpc_pass" directive is not allowed here'),
    ("location / { limit_except GET { grpc_pass 127.0.0.1:1; } }",
     '"grpc_pass" directive is not allowed here'),
    ("location / { grpc_pass 127.0.0.1:1; grpc_buffer_size 1; }", "between 128 bytes and 256 KB"),
    ("location / { grpc_pass 127.0.0.1:1; grpc_bind x; }", 'invalid address "x"'),
    ("location / { grpc_pass 127.0.0.1:1; grpc_next_upstream http_418; }", "http_418"),
    ("location / { grpc_pass 127.0.0.1:1; grpc_ignore_headers X-Other; }", "X-Other"),
    ("location / { grpc_pass 127.0.0.1:1; grpc_ssl_certificate_cache valid=1m; }",
     '"grpc_ssl_certificate_cache" must have the "max" parameter'),
    ("location / { grpc_pass grpcs://127.0.0.1:1; grpc_ssl_certificate @cert:a.test@; }",
     'no "grpc_ssl_certificate_key" is defined'),
])
def test_what_is_no_target_or_value_is_refused(sallyport, line, message):
    done = sallyport.make().check(f"server {{ listen 127.0.0.1:@port:http@; {line} }}")
    assert done.returncode != 0
    assert message in done.stderr


def test_two_ways_in_one_location_are_warned_of(sallyport):
    done = sallyport.make().check("""server { listen 127.0.0.1:@port:http@;
        location / { proxy_pass http://127.0.0.1:1; grpc_pass 127.0.0.1:1; } }""")
    assert done.returncode == 0
    assert '"grpc_pass" takes the place of another one in this block' in done.stderr


def test_a_client_of_http1_may_ask(here, http2):
    peer = http2()
    proxy = here("location / { grpc_pass grpc://@to@; }", listen="", to=peer)
    with proxy.client() as client:
        answer = client.request("POST", "/a.B/C", body=MESSAGE, fields=[
            ("Content-Type", "application/grpc"), ("TE", "trailers"), ("Connection", "TE")])
    assert (answer.status, answer.body) == (200, MESSAGE)
    assert peer.last.field("content-length") == str(len(MESSAGE))
    assert peer.last.field("te") == "trailers"


def test_bodies_are_forwarded_piece_by_piece_both_ways(serve, http2):
    heads, pieces = threading.Event(), []

    def on_head(stream):
        stream.head(fields=[("content-type", "application/grpc")])
        heads.set()

    peer = http2(lambda stream: stream.send(b"", end=True, trailers=OK), on_head=on_head,
                 on_data=lambda stream, data: (pieces.append(data), stream.send(data)))
    proxy = serve("location / { grpc_pass grpc://@to@; }", to=peer)
    with H2Client(proxy.client()) as client:
        stream = client.open("POST", "/a.B/C", fields=GRPC)
        assert stream.head().status == 200  # before any message: nothing is buffered
        for count in range(1, 6):
            stream.send(MESSAGE)
            stream.wait_for(count * len(MESSAGE))
            assert b"".join(pieces) == count * MESSAGE
        stream.end()
        assert stream.response().trailers == OK


def test_an_answer_of_trailers_alone_passes(serve, http2):
    peer = http2(lambda stream: stream.respond(fields=[
        ("content-type", "application/grpc"), ("grpc-status", "5"), ("grpc-message", "no%20such")]))
    answer = call(serve("location / { grpc_pass @to@; }", to=peer))
    assert (answer.status, answer.field("grpc-status"), answer.field("grpc-message")) == (
        200, "5", "no%20such")
    assert not answer.body and not answer.trailers


def test_trailers_of_a_request_reach_the_backend(here, http2):
    peer = http2()
    proxy = here("location / { grpc_pass @to@; }", to=peer)
    with H2Client(proxy.client()) as client:
        client.request("POST", "/a.B/C", body=MESSAGE, trailers=[("x-sum", "1")], fields=GRPC)
    assert peer.last.trailers == [("x-sum", "1")]


def test_a_reset_of_the_client_s_reaches_the_backend_and_spares_the_connection(here, http2):
    peer = http2(None, on_head=lambda stream: stream.path == "/ok" and reply(stream))
    proxy = here("location / { grpc_pass @to@; }", to=peer)
    with H2Client(proxy.client()) as client:
        for answered in (False, True):
            stream = client.open("POST", "/long", fields=GRPC)
            peer.wait_for_requests(2 if answered else 1)
            if answered:
                peer.last.head(fields=[("content-type", "application/grpc")])
                stream.head()
            stream.cancel()
            wait_for(lambda: peer.last.reset_with is not None, "a reset")
            assert peer.last.reset_with == CANCEL
        assert client.get("/ok").trailers == OK
    assert len(peer.sessions) == 1


def test_a_body_has_client_max_body_size_and_no_other_bound(here, http2):
    peer = http2()
    proxy = here("location / { grpc_pass @to@; client_max_body_size 100k; "
                 "client_body_buffer_size 1k; }", to=peer)
    assert call(proxy, body=b"x" * 100_000).trailers == OK
    assert len(peer.last.body) == 100_000
    with H2Client(proxy.client()) as client:
        assert client.open("POST", "/", fields=[("content-length", "200000")]).head().status == 413
        stream = client.open("POST", "/", fields=[])
        with contextlib.suppress(AssertionError):  # the answer may come before all is sent
            stream.send(b"x" * 200_000)
        assert stream.head().status == 413


def test_tiny_messages_may_come_fast_unless_that_is_forbidden(here, http2):
    """30,000 frames of one byte, 6,000 messages in all, are a flood elsewhere."""
    peer = http2()
    flood = b"".join(data(1, b"\0") for _ in range(30_000)) + data(1, end_stream=True)
    for directives, outcome in (("", OK), ("http2_max_tiny_data 5000r/s burst=20000;", None)):
        proxy = here(f"{directives} location / {{ grpc_pass @to@; }}", to=peer)
        with H2Client(proxy.client()) as client:
            stream = client.open("POST", "/", fields=GRPC)
            client.socket.sendall(flood)
            if outcome:
                assert stream.response().trailers == OK
                assert peer.last.body == 30_000 * b"\0"
            else:
                client.wait_for_goaway()
                assert proxy.status()["counters"]["limit_h2_tiny_data"] == 1


# -- headers


def test_headers_that_are_set_and_their_inheritance(serve, http2):
    peer = http2()
    proxy = serve("""
        grpc_set_header X-Server server;
        location /inherits { grpc_pass @to@; proxy_set_header X-Proxy no; }
        location /own { grpc_pass @to@; grpc_set_header X-Own $request_method;
                        grpc_set_header Host example.org; grpc_set_header X-Gone ""; }
    """, to=peer)
    call(proxy, "/inherits")
    assert (peer.last.field("x-server"), peer.last.field("x-proxy")) == ("server", None)
    call(proxy, "/own", fields=[*GRPC, ("x-gone", "1")])
    assert (peer.last.field("x-server"), peer.last.field("x-own")) == (None, "POST")
    host = peer.last.field(":authority") or peer.last.field("host")  # nginx sends the latter
    assert (host, peer.last.field("x-gone")) == ("example.org", None)


ANSWER = [("content-type", "application/grpc"), ("server", "theirs"), ("x-accel-charset", "utf-8"),
          ("x-accel-expires", "1"), ("x-pad", "pad"), ("x-own", "own")]


@pytest.mark.parametrize("directives, server, expires, own", [
    ("", False, None, "own"),
    ("grpc_pass_header Server; grpc_pass_header X-Accel-Expires;", True, "1", "own"),
    ("grpc_hide_header X-Own;", False, None, None),
])
def test_headers_that_are_hidden_and_passed(serve, http2, directives, server, expires, own):
    peer = http2(lambda stream: stream.respond(MESSAGE, fields=ANSWER, trailers=OK))
    answer = call(serve(f"location / {{ grpc_pass @to@; {directives} }}", to=peer))
    assert (answer.field("server") == "theirs") == server
    assert (answer.field("x-accel-expires"), answer.field("x-own"), answer.field("x-pad")) == (
        expires, own, "pad")


@pytest.mark.parametrize("directives, text", [("", "moved"), ("grpc_ignore_headers X-Accel-Redirect;", "")])
def test_instructions_are_followed_or_ignored(serve, http2, directives, text):
    peer = http2(lambda stream: stream.respond(fields=[("x-accel-redirect", "/moved")]))
    proxy = serve(f"""location / {{ grpc_pass @to@; {directives} }}
                      location /moved {{ internal; return 200 moved; }}""", to=peer)
    assert call(proxy, fields=[]).text == text


@pytest.mark.parametrize("directives, status, text", [
    ("", 404, "theirs"), ("grpc_intercept_errors on;", 404, "ours")])
def test_errors_are_intercepted_where_that_is_said(serve, http2, directives, status, text):
    peer = http2(lambda stream: stream.respond("theirs", status=404))
    proxy = serve(f"""error_page 404 /ours; location /ours {{ return 200 ours; }}
                      location / {{ grpc_pass @to@; {directives} }}""", to=peer)
    answer = call(proxy, fields=[])
    assert (answer.status, answer.text) == (status, text)


def test_buffer_size_bounds_the_head_of_an_answer(here, http2):
    peer = http2(lambda stream: stream.respond(MESSAGE, fields=[("x-long", "x" * 3000)], trailers=OK))
    proxy = here("""location / { grpc_pass @to@; }
                    location /small { grpc_pass @to@; grpc_buffer_size 2k; }""", to=peer)
    assert call(proxy).trailers == OK
    assert call(proxy, "/small", fields=[]).status == 502
    proxy.wait_for_error("(grpc_buffer_size)")
    assert proxy.status()["counters"]["limit_upstream_header_size"] == 1


# -- times


def test_time_outs(here, http2, make_backend):
    peer, mute = http2(None), threading.Event()  # no answer; no handshake
    proxy = here("""
        location /read { grpc_pass @to@; grpc_read_timeout 100ms; }
        location /connect { grpc_pass grpcs://@mute@; grpc_ssl_verify off; grpc_connect_timeout 100ms; }
    """, to=peer, mute=make_backend(serve=lambda connection: mute.wait(60)))
    assert call(proxy, "/read", fields=[]).status == 504
    proxy.wait_for_error('upstream: "grpc://')
    assert call(proxy, "/connect", fields=[]).status == 504
    mute.set()


def test_a_backend_that_takes_nothing_meets_send_timeout(here, http2):
    peer = http2(None, reads=False)
    proxy = here("location / { grpc_pass @to@; grpc_send_timeout 100ms; client_max_body_size 0; }", to=peer)
    with H2Client(proxy.client()) as client:
        stream = client.open("POST", "/", fields=[])
        stream.send(b"x" * 80_000)  # the backend's window has 65,535
        assert stream.head().status == 504


# -- other servers


def answering(status, served):
    def answer(stream):
        served.append(status)
        stream.respond("x", status=status)
    return answer


@pytest.mark.parametrize("directives, method, status", [
    ("", "GET", 503),
    ("grpc_next_upstream http_503;", "GET", 200),
    ("grpc_next_upstream http_503 off;", "GET", 503),
    ("grpc_next_upstream http_503;", "POST", 503),
    ("grpc_next_upstream http_503 non_idempotent;", "POST", 200),
    ("grpc_next_upstream http_503; grpc_next_upstream_tries 1;", "GET", 503),
    ("grpc_next_upstream http_503; grpc_next_upstream_tries 2;", "GET", 200),
])
def test_another_server_is_asked(serve, http2, directives, method, status):
    served = []
    peers = {"bad": http2(answering(503, served)), "good": http2(answering(200, served))}
    proxy = serve(f"location / {{ grpc_pass group; {directives} }}",
                  "upstream group { server @bad@; server @good@ backup; }", **peers)
    with H2Client(proxy.client()) as client:
        assert client.request(method, "/").status == status
    assert served == [503, 200][:1 + (status == 200)]


def test_a_call_goes_to_a_server_that_can_be_reached(serve, http2):
    peer = http2()
    proxy = serve("location / { grpc_pass group; }",
                  "upstream group { server 127.0.0.1:@nobody@; server @to@ backup; }", to=peer,
                  nobody=reserve_port())
    assert call(proxy).trailers == OK


def test_a_call_that_was_not_looked_at_is_sent_again(here, http2):
    """With what has been read of its messages, as long as client_body_buffer_size has room for that."""
    def refuse(stream, _):
        if len(peer.requests) % 2 == 1:
            stream.reset(REFUSED_STREAM)

    peer = http2(on_data=refuse)
    proxy = here("location / { grpc_pass @to@; client_body_buffer_size 1k; }", to=peer)
    with H2Client(proxy.client()) as client:
        stream = client.open("POST", "/", fields=GRPC)
        stream.send(MESSAGE)
        peer.wait_for_requests(2)
        wait_for(lambda: peer.last.body == MESSAGE, "the message")
        stream.send(MESSAGE)
        stream.end(trailers=[("x-sum", "1")])
        assert stream.response().trailers == OK
        assert (peer.last.body, peer.last.trailers) == (2 * MESSAGE, [("x-sum", "1")])
        stream = client.open("POST", "/", fields=GRPC)
        stream.send(b"x" * 2000)
        assert stream.response().field("grpc-status") == "14"
    assert len(peer.requests) == 3
    assert proxy.status()["counters"]["upstream_moved"] == 1


def test_a_call_is_repeated_with_its_message_if_that_is_allowed(here, http2):
    served = []
    good = http2()
    proxy = here("location / { grpc_pass group; grpc_next_upstream http_503 non_idempotent; }",
                 "upstream group { server @bad@; server @good@ backup; }",
                 bad=http2(answering(503, served)), good=good)
    assert call(proxy).trailers == OK
    assert served == [503] and good.last.body == MESSAGE


def test_next_upstream_timeout_ends_the_search(here, http2):
    def slow(stream):
        threading.Timer(0.3, lambda: stream.respond("x", status=503)).start()

    proxy = here("""location / { grpc_pass group; grpc_next_upstream http_503;
                                 grpc_next_upstream_timeout 100ms; }""",
                 "upstream group { server @slow@; server @to@ backup; }", slow=http2(slow), to=http2())
    with H2Client(proxy.client()) as client:
        assert client.get("/").status == 503


# -- sockets


def test_bind_chooses_the_address(serve, http2):
    sources = []

    def answer(stream):
        sources.append(stream.session.connection.socket.getpeername()[0])
        reply(stream)

    peer = http2(answer)
    proxy = serve("""grpc_bind 127.0.0.5;
        location / { grpc_pass @to@; }
        location /named { grpc_bind $arg_from; grpc_pass @to@; }
        location /off { grpc_bind off; grpc_pass @to@; }""", to=peer)

    for target in ("/", "/named?from=127.0.0.6", "/off"):
        call(proxy, target)
    assert sources == ["127.0.0.5", "127.0.0.6", "127.0.0.1"]


def test_options_of_the_socket(here, http2):
    peer = http2()
    proxy = here("""location / { grpc_pass @to@; grpc_socket_keepalive on; grpc_socket_rcvbuf 64k;
                                 grpc_socket_sndbuf 48k; }""", to=peer)
    call(proxy)
    port = peer.last.session.connection.socket.getpeername()[1]

    def of_socket():
        return subprocess.run(["ss", "-tnomH", f"sport = :{port}"], capture_output=True, text=True).stdout

    wait_for(lambda: "timer:(keepalive" in of_socket(), "a keepalive timer")
    line = of_socket()
    assert "rb131072" in line and "tb98304" in line  # the kernel doubles them
