"""Groups of backends: who gets which request, what is tried again, and how connections are kept."""
import collections
import itertools
import threading

import pytest

from support import wait_for
from support.backend import response


def named(make_backend, *names):
    return [make_backend(response(name)) for name in names]


def group(servers, *, directives="", location=""):
    return f"""
        upstream group {{ {servers} {directives} }}
        server {{
            listen 127.0.0.1:@port:http@;
            location / {{ proxy_pass http://group; {location} }}
        }}
    """


def test_weights_are_exact_and_smooth(sallyport, make_backend):
    backends = named(make_backend, "a", "b", "c")
    proxy = sallyport(group("server @a@ weight=5; server @b@; server @c@;"),
                      **dict(zip("abc", backends)))
    with proxy.client() as client:
        order = "".join(client.get("/").text for _ in range(21))
    assert order == "aabacaa" * 3, "nginx's smooth weighted round robin"


def test_servers_without_weights_take_turns(sallyport, make_backend):
    backends = named(make_backend, "a", "b", "c")
    proxy = sallyport(group("server @a@; server @b@; server @c@;"), **dict(zip("abc", backends)))
    with proxy.client() as client:
        assert "".join(client.get("/").text for _ in range(6)) == "abcabc"


def test_down_servers_get_nothing_and_backups_only_when_all_others_fail(sallyport, make_backend):
    first, backup, down = named(make_backend, "first", "backup", "down")
    proxy = sallyport(group("server @first@; server @backup@ backup; server @down@ down;"),
                      first=first, backup=backup, down=down)
    assert [proxy.get("/").text for _ in range(4)] == ["first"] * 4
    first.stop()
    assert [proxy.get("/").text for _ in range(4)] == ["backup"] * 4
    assert down.connections == []


def test_a_dead_server_is_passed_over_and_then_left_alone(sallyport, make_backend):
    dead, live = named(make_backend, "dead", "live")
    dead.stop()
    proxy = sallyport(group("server @dead@ max_fails=2 fail_timeout=60s; server @live@;"),
                      dead=dead, live=live)
    assert [proxy.get("/").text for _ in range(10)] == ["live"] * 10
    errors = proxy.wait_for_error("connect() failed", count=2)
    assert errors.count("connect() failed") == 2, "after two failures it rests"


def test_max_fails_0_never_gives_up(sallyport, make_backend):
    dead, live = named(make_backend, "dead", "live")
    dead.stop()
    proxy = sallyport(group("server @dead@ max_fails=0; server @live@;"), dead=dead, live=live)
    assert [proxy.get("/").text for _ in range(8)] == ["live"] * 8
    proxy.wait_for_error("connect() failed", count=4)


def test_all_servers_dead_is_a_502_that_tells_of_each(sallyport):
    proxy = sallyport(group("server 127.0.0.1:@port:one@; server 127.0.0.1:@port:two@;"))
    assert proxy.get("/").status == 502
    for name in ("one", "two"):
        proxy.wait_for_error(f'upstream: "http://127.0.0.1:{proxy.port(name)}/"')


def test_when_all_rest_after_failures_they_are_tried_again_at_once(sallyport, make_backend):
    """nginx answers 502 until a fail_timeout ends, though the servers may long be back."""
    first, second = named(make_backend, "first", "second")
    for backend in (first, second):
        backend.stop()
    proxy = sallyport(group("server @first@ fail_timeout=1h; server @second@ fail_timeout=1h;"),
                      first=first, second=second)
    assert proxy.get("/").status == 502
    make_backend(response("back"), port=second.port)
    assert proxy.get("/").text == "back"


def test_a_group_whose_servers_are_all_down_has_no_live_upstreams(sallyport, backend):
    proxy = sallyport(group("server @backend@ down;"), backend=backend)
    assert proxy.get("/").status == 502
    proxy.wait_for_error("no live upstreams while connecting to upstream")


def test_one_server_alone_is_always_tried(sallyport, make_backend):
    only = make_backend()
    proxy = sallyport(group("server @only@ max_fails=1 fail_timeout=60s;"), only=only)
    only.stop()
    assert [proxy.get("/").status for _ in range(3)] == [502] * 3
    make_backend(port=only.port)
    assert proxy.get("/").status == 200


def dies_when_asked(connection):
    connection.read_request()


@pytest.mark.parametrize("method, status", [
    ("GET", 200), ("HEAD", 200), ("PUT", 200), ("DELETE", 200), ("OPTIONS", 200),
    ("POST", 502), ("PATCH", 502), ("LOCK", 502), ("MYOWN", 502),
])
def test_another_server_is_asked_only_if_the_request_may_be_repeated(
        sallyport, make_backend, method, status):
    bad, good = make_backend(serve=dies_when_asked), make_backend()
    proxy = sallyport(group("server @bad@; server @good@;"), bad=bad, good=good)
    with proxy.client() as client:
        body = b"some body" if method in ("POST", "PUT", "PATCH") else None
        assert client.request(method, "/", body=body).status == status
    assert len(good.requests) == (1 if status == 200 else 0)
    if status == 200 and body:
        assert good.last.body == body
    assert "upstream prematurely closed connection" in proxy.wait_for_error("prematurely")


def test_a_post_is_sent_elsewhere_if_nobody_has_heard_it(sallyport, make_backend):
    dead, live = named(make_backend, "dead", "live")
    dead.stop()
    proxy = sallyport(group("server @dead@; server @live@;"), dead=dead, live=live)
    with proxy.client() as client:
        assert client.request("POST", "/", body=b"once").text == "live"
    assert live.last.body == b"once"


def test_a_streamed_body_is_not_sent_twice(sallyport, make_backend):
    bad, good = make_backend(serve=dies_when_asked), make_backend()
    proxy = sallyport(group("server @bad@; server @good@;", location="proxy_request_buffering off;"),
                      bad=bad, good=good)
    with proxy.client() as client:
        assert client.request("PUT", "/", body=b"once").status == 502
    assert good.requests == []


def test_a_504_is_tried_elsewhere_and_then_told(sallyport, make_backend):
    silent = [make_backend(serve=lambda connection: (connection.read_request(), connection.receive()))
              for _ in range(2)]
    proxy = sallyport(group("server @one@; server @two@;", location="proxy_read_timeout 100ms;"),
                      one=silent[0], two=silent[1])
    assert proxy.get("/").status == 504
    # The kernel takes connections before the backend hears of them.
    wait_for(lambda: [len(backend.connections) for backend in silent] == [1, 1], "one connection at each")


# -- kept connections


def test_connections_to_backends_are_kept(sallyport, backend):
    proxy = sallyport(group("server @backend@;"), backend=backend)
    for _ in range(5):
        assert proxy.get("/").status == 200
    assert len(backend.requests) == 5
    assert len(backend.connections) == 1


def test_the_same_without_a_group(sallyport, backend):
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            location /a { proxy_pass http://@backend@; }
            location /b { proxy_pass http://@backend@; }
            location /c { proxy_pass http://$arg_to; }
        }
    """, backend=backend)
    for _ in range(3):
        assert proxy.get("/a").status == proxy.get("/b").status == 200
        assert proxy.get(f"/c?to={backend}").status == 200
    assert len(backend.connections) <= 2


@pytest.mark.parametrize("directives, location", [
    ("keepalive 0;", ""), ("", 'proxy_set_header Connection "close";'),
])
def test_keeping_can_be_turned_off(sallyport, backend, directives, location):
    proxy = sallyport(group("server @backend@;", directives=directives, location=location),
                      backend=backend)
    for _ in range(3):
        assert proxy.get("/").status == 200
        assert backend.last.field("Connection") == "close"
    assert len(backend.connections) == 3


def test_a_kept_connection_serves_as_many_requests_as_it_may(sallyport, backend):
    proxy = sallyport(group("server @backend@;", directives="keepalive 4; keepalive_requests 2;"),
                      backend=backend)
    for _ in range(6):
        assert proxy.get("/").status == 200
    assert len(backend.connections) == 3


def test_an_idle_connection_is_closed_in_time(sallyport, backend):
    proxy = sallyport(group("server @backend@;", directives="keepalive 4; keepalive_timeout 50ms;"),
                      backend=backend)
    assert proxy.get("/").status == 200
    wait_for(lambda: backend.connections[0].closed, "the idle connection to be closed")


def test_no_more_idle_connections_than_keepalive_says(sallyport, make_backend):
    barrier = threading.Barrier(4)

    def answer(request):
        if request.target == "/together":
            barrier.wait(30)
        return response("x")

    backend = make_backend(answer)
    proxy = sallyport(group("server @backend@;", directives="keepalive 1;"), backend=backend)
    clients = [proxy.client() for _ in range(4)]
    for client in clients:
        client.send("GET /together HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [client.response().status for client in clients] == [200] * 4
    for client in clients:
        client.close()
    assert len(backend.connections) == 4
    wait_for(lambda: sum(not connection.closed for connection in backend.connections) == 1,
             "all but one connection to be closed")


def test_a_kept_connection_that_the_backend_closed_costs_no_request(sallyport, make_backend):
    """The race that every proxy with kept connections meets: retried on a fresh one."""
    def serve(connection):
        connection.read_request()
        connection.send(response("first"))
        connection.read_head()  # the second request is read, and the connection dies
        connection.reset()

    replies = itertools.count()

    def first_then_well(connection):
        if next(replies) == 0:
            return serve(connection)
        while True:
            connection.read_request()
            connection.send(response("fresh"))

    backend = make_backend(serve=first_then_well)
    proxy = sallyport(group("server @backend@;"), backend=backend)
    assert proxy.get("/").text == "first"
    assert proxy.get("/").text == "fresh"
    assert len(backend.connections) == 2
    assert "prematurely" not in proxy.errors, "that is no failure of the backend's"


def test_a_post_on_a_kept_connection_that_dies_is_not_repeated(sallyport, make_backend):
    def serve(connection):
        connection.read_request()
        connection.send(response("first"))
        connection.read_request()

    backend = make_backend(serve=serve)
    proxy = sallyport(group("server @backend@;"), backend=backend)
    assert proxy.get("/").text == "first"
    with proxy.client() as client:
        assert client.request("POST", "/", body=b"once").status == 502
    assert len(backend.connections) == 1


def test_a_connection_that_was_closed_while_idle_is_not_even_tried(sallyport, make_backend):
    backend = make_backend(serve=lambda connection: (
        connection.read_request(), connection.send(response("only one"))))
    proxy = sallyport(group("server @backend@;"), backend=backend)
    for _ in range(3):
        with proxy.client() as client:
            assert client.request("POST", "/", body=b"x").status == 200
        wait_for(lambda: all(connection.closed for connection in backend.connections), "the close")
        proxy.status()  # a turn of the loop: the close is seen
    assert len(backend.connections) == 3


def test_a_backend_that_says_more_than_it_promised_is_not_trusted_further(sallyport, make_backend):
    backend = make_backend(lambda _: response("fine") + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
    proxy = sallyport(group("server @backend@;"), backend=backend)
    with proxy.client() as client:
        assert [client.get("/").text for _ in range(3)] == ["fine"] * 3
    assert len(backend.connections) == 3


def test_two_workers_share_the_work_in_total(sallyport, make_backend):
    backends = named(make_backend, "a", "b")
    proxy = sallyport(group("server @a@; server @b@;"), main="worker_processes 2;",
                      **dict(zip("ab", backends)))
    counts = collections.Counter(proxy.get("/").text for _ in range(40))
    assert abs(counts["a"] - counts["b"]) <= 2, "each worker takes turns on its own"


# -- with several workers: each has its own view of the group

WORKERS = 3


@pytest.mark.threads
def test_weights_hold_in_total_with_several_workers(sallyport, make_backend):
    backends = named(make_backend, "a", "b")
    proxy = sallyport(group("server @a@ weight=3; server @b@;"), main=f"worker_processes {WORKERS};",
                      **dict(zip("ab", backends)))
    counts = collections.Counter(proxy.get("/").text for _ in range(120))
    # A worker's turns are exact over four requests, whatever share of them it got.
    assert abs(counts["a"] - 90) <= 2 * WORKERS, counts


@pytest.mark.threads
def test_backups_stand_in_on_every_worker(sallyport, make_backend):
    first, backup = named(make_backend, "first", "backup")
    proxy = sallyport(group("server @first@; server @backup@ backup;"),
                      main=f"worker_processes {WORKERS};", first=first, backup=backup)
    assert {proxy.get("/").text for _ in range(30)} == {"first"}
    first.stop()
    assert {proxy.get("/").text for _ in range(30)} == {"backup"}


@pytest.mark.threads
def test_every_worker_finds_out_for_itself_that_a_server_is_dead(sallyport, make_backend):
    dead, live = named(make_backend, "dead", "live")
    dead.stop()
    proxy = sallyport(group("server @dead@ max_fails=2 fail_timeout=60s; server @live@;"),
                      main=f"worker_processes {WORKERS};", dead=dead, live=live)
    assert {proxy.get("/").text for _ in range(60)} == {"live"}
    errors = proxy.wait_for_error("connect() failed", count=2)
    assert errors.count("connect() failed") <= 2 * WORKERS
