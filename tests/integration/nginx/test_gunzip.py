"""gunzip: what is packed, unpacked for clients that don't accept it. Every case is asked of nginx, too."""
import gzip

import pytest

from support.backend import response
from support.waiting import wait_for

TEXT = "".join(f"line {i * i}\n" for i in range(2000))
PACKED = gzip.compress(TEXT.encode())
GZIP = ("Accept-Encoding", "gzip")
FIELDS = [("Content-Type", "text/html"), ("Content-Encoding", "gzip"), ("ETag", '"x"')]
PASS = "location / { proxy_pass http://@backend@; }"


@pytest.fixture
def site(serve, make_backend):
    """site(text, answer) passes everything to a backend with that answer."""
    def start(text, answer=None):
        answer = answer or response(PACKED, fields=FIELDS)
        return serve(f"{text} {PASS}", backend=make_backend(answer))
    return start


def test_it_is_unpacked_for_those_who_do_not_accept_it(site):
    program = site("gunzip on;")
    answer = program.get("/")
    assert answer.text == TEXT
    assert (answer.field("Content-Encoding"), answer.field("Content-Length")) == (None, None)
    assert answer.field("ETag") == 'W/"x"'
    packed = program.get("/", fields=[GZIP])
    assert packed.body == PACKED
    assert (packed.field("Content-Encoding"), packed.field("ETag")) == ("gzip", '"x"')


def test_it_is_off_by_default(site):
    assert site("").get("/").body == PACKED


def test_vary(site):
    program = site("gunzip on; gzip_vary on;")
    assert [program.get("/", fields=fields).all("Vary") for fields in ([], [GZIP])] == [
        ["Accept-Encoding"]] * 2


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip"])
def test_other_codings_stay(site, coding):
    answer = site("gunzip on;", response(PACKED, fields=[("Content-Encoding", coding)])).get("/")
    assert answer.field("Content-Encoding") == coding and answer.body == PACKED


def test_members_behind_one_another(site):
    body = gzip.compress(b"one,") + gzip.compress(b"two")
    assert site("gunzip on;", response(body, fields=FIELDS)).get("/").text == "one,two"


def test_head(site):
    program = site("gunzip on;", b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\nContent-Encoding: gzip\r\n\r\n")
    with program.client() as client:
        answer = client.request("HEAD", "/")
    assert (answer.field("Content-Encoding"), answer.field("Content-Length")) == (None, None)


def test_buffers_do_not_change_the_text(site):
    assert site("gunzip on; gunzip_buffers 1 100;").get("/").text == TEXT


def test_what_is_unpacked_can_be_changed(site):
    program = site("gunzip on; sub_filter 'line 4\n' 'four\n';")
    assert program.get("/").text == TEXT.replace("line 4\n", "four\n", 1)


@pytest.mark.parametrize("body", [PACKED[:-20], PACKED + b"more", b"x" * 1000,
                                  PACKED[:5000] + b"broken" + PACKED[5006:]])
def test_broken_data_never_looks_whole(site, body):
    program = site("gunzip on;", response(body, fields=FIELDS))
    with program.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        received = client.receive_all()
    assert not received.endswith(b"0\r\n\r\n") or b" 502 " in received
    program.wait_for_error("inflate()")


def test_a_bomb_comes_as_fast_as_the_client_takes_it(site):
    size = 100_000_000
    bomb = gzip.compress(bytes(size))
    program = site("gunzip on;", response(bomb, fields=FIELDS))
    with program.client() as client:
        client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        head = client.receive_until(b"\r\n\r\n")
        got = len(client.pending)
        client.pending = b""
        while piece := client.socket.recv(1 << 20):
            assert not piece.strip(b"\0")
            got += len(piece)
    assert b"200 OK" in head and got == size


def test_broken_data_is_counted(sallyport, make_backend):
    backend = make_backend(response(PACKED[:-20], fields=FIELDS))
    program = sallyport("""events {} http { access_log off; server {
        listen 127.0.0.1:@port:http@; gunzip on; location / { proxy_pass http://@backend@; } } }""",
                        backend=backend)
    with program.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.receive_all()
    wait_for(lambda: program.status()["counters"]["filters_failed"] == 1, "the counter")
