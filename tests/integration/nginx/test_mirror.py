"""mirror: copies of requests for another backend. Every case is asked of nginx, too."""
import threading

import pytest

from support.backend import response

COPY = "location = /copy { internal; proxy_pass http://@shadow@$request_uri; }"


@pytest.fixture
def mirrored(serve, make_backend):
    def run(locations, shadow=None, application=None):
        shadow = shadow or make_backend()
        application = application or make_backend(lambda request: response("from the application"))
        return serve(COPY + locations, shadow=shadow, app=application), shadow, application

    return run


def ask(program, method="GET", target="/", body=None, fields=()):
    with program.client() as client:
        return client.request(method, target, host="example.com", body=body, fields=fields)


def test_the_client_gets_the_request_s_answer_and_the_shadow_a_copy(mirrored, make_backend):
    shadow = make_backend(lambda request: response("from the shadow", status="500 No"))
    program, shadow, application = mirrored("location / { mirror /copy; proxy_pass http://@app@; }", shadow)
    answer = ask(program, "POST", "/page?x=1", b"the body", [("X-Field", "kept")])
    assert (answer.status, answer.text) == (200, "from the application")
    shadow.wait_for_requests(1)
    for backend in (shadow, application):
        request = backend.last
        assert (request.method, request.target, request.body) == ("POST", "/page?x=1", b"the body")
        assert request.field("X-Field") == "kept"


def test_a_body_that_memory_has_no_room_for_reaches_both(mirrored):
    body = bytes(range(256)) * 2000
    program, shadow, application = mirrored(
        "location / { client_body_buffer_size 1k; mirror /copy; proxy_pass http://@app@; }")
    assert ask(program, "POST", "/", body).status == 200
    shadow.wait_for_requests(1)
    assert (shadow.last.body, application.last.body) == (body, body)


def test_a_body_that_would_be_streamed_is_held_for_the_copy(mirrored):
    program, shadow, application = mirrored(
        "location / { proxy_request_buffering off; mirror /copy; proxy_pass http://@app@; }")
    assert ask(program, "POST", "/", b"streamed").status == 200
    shadow.wait_for_requests(1)
    assert (shadow.last.body, application.last.body) == (b"streamed", b"streamed")


def test_a_copy_without_the_body(serve, make_backend):
    shadow, application = make_backend(), make_backend()
    program = serve("""
        location / { mirror /copy; mirror_request_body off; proxy_pass http://@app@; }
        location = /copy { internal; proxy_pass http://@shadow@; proxy_pass_request_body off;
                           proxy_set_header Content-Length ""; }
    """, shadow=shadow, app=application)
    assert ask(program, "POST", "/", b"the body").status == 200
    shadow.wait_for_requests(1)
    assert (shadow.last.body, application.last.body) == (b"", b"the body")


def test_several_copies_and_none(serve, make_backend):
    first, second, application = make_backend(), make_backend(), make_backend()
    program = serve("""
        mirror /first; mirror /second;
        location = /first { internal; proxy_pass http://@first@; }
        location = /second { internal; proxy_pass http://@second@; }
        location /off { mirror off; proxy_pass http://@app@; }
        location / { proxy_pass http://@app@; }
    """, first=first, second=second, app=application)
    assert ask(program).status == 200
    first.wait_for_requests(1)
    second.wait_for_requests(1)
    assert ask(program, target="/off").status == 200
    assert (len(first.requests), len(second.requests), len(application.requests)) == (1, 1, 2)


def test_a_shadow_that_hangs_does_not_delay_the_answer(mirrored, make_backend):
    release = threading.Event()

    def wait(connection):
        request = connection.read_request()
        release.wait(20)
        connection.send(response("late"))
        return request

    shadow = make_backend(serve=wait)
    program, _, application = mirrored("location / { mirror /copy; proxy_pass http://@app@; }", shadow)
    try:
        assert ask(program).text == "from the application"
        assert not release.is_set()
    finally:
        release.set()


def test_a_shadow_that_is_gone_does_no_harm(mirrored):
    program, shadow, _ = mirrored("location / { mirror /copy; proxy_pass http://@app@; }")
    shadow.stop()
    with program.client() as client:
        for _ in range(3):
            assert client.get("/").text == "from the application"


def test_a_shadow_that_breaks_off_does_no_harm(mirrored, make_backend):
    def half(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        connection.reset()

    program, _, _ = mirrored("location / { mirror /copy; proxy_pass http://@app@; }", make_backend(serve=half))
    with program.client() as client:
        for _ in range(3):
            assert client.get("/").text == "from the application"


def test_files_are_mirrored_too_and_refused_requests_are_not(mirrored):
    program, shadow, _ = mirrored("""
        location /closed { mirror /copy; deny all; root @dir@/www; }
        location / { mirror /copy; root @dir@/www; }
    """)
    assert ask(program, target="/closed").status == 403
    assert ask(program, target="/index.html").text == "welcome\n"
    shadow.wait_for_requests(1)
    assert [request.target for request in shadow.requests] == ["/index.html"]


def test_the_next_request_of_a_connection_is_served(mirrored):
    program, shadow, application = mirrored("location / { mirror /copy; proxy_pass http://@app@; }")
    with program.client() as client:
        for number in range(5):
            body = b"x" * number or None
            assert client.request("POST", f"/{number}", body=body).text == "from the application"
    shadow.wait_for_requests(5)
    assert sorted(request.target for request in shadow.requests) == [f"/{n}" for n in range(5)]


def test_a_copy_has_variables_of_its_own(sallyport, make_backend):
    """Under nginx both share them, and whoever runs last is seen."""
    shadow, application = make_backend(), make_backend()
    program = sallyport("""server { listen 127.0.0.1:@port:http@;
        set $where main;
        location / { mirror /copy; proxy_set_header X-Where $where; proxy_pass http://@app@; }
        location /copy { set $where copy; proxy_set_header X-Where $where; proxy_pass http://@shadow@; } }
    """, shadow=shadow, app=application)
    assert ask(program).status == 200
    shadow.wait_for_requests(1)
    assert (shadow.last.field("X-Where"), application.last.field("X-Where")) == ("copy", "main")


def test_the_copies_of_a_request_are_bounded(sallyport, make_backend):
    shadow, application = make_backend(), make_backend()
    program = sallyport("server { listen 127.0.0.1:@port:http@; max_subrequests 2;"
                        "location / { mirror /copy; mirror /copy; mirror /copy; proxy_pass http://@app@; }"
                        + COPY + "}", shadow=shadow, app=application)
    assert ask(program).status == 200
    shadow.wait_for_requests(2)
    program.wait_for_error('too many subrequests (max_subrequests) at "/copy"')
    assert program.status()["counters"]["limit_subrequests"] == 1
    assert len(shadow.requests) == 2


def test_both_ids_are_one(sallyport, make_backend):
    shadow, application = make_backend(), make_backend()
    program = sallyport("""server { listen 127.0.0.1:@port:http@; proxy_set_header X-Id $request_id;
        location / { mirror /copy; proxy_pass http://@app@; }
        location /copy { proxy_pass http://@shadow@; } }""", shadow=shadow, app=application)
    assert ask(program).status == 200
    shadow.wait_for_requests(1)
    assert shadow.last.field("X-Id") == application.last.field("X-Id")


def test_off_stands_alone(sallyport):
    done = sallyport.make().check("server { listen 127.0.0.1:@port:http@; mirror /a; mirror off; }")
    assert done.returncode == 1
    assert '"mirror off" stands beside another mirror' in done.stderr


def test_a_shadow_whose_answer_never_ends_holds_nothing_back(mirrored, make_backend):
    def endless(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        with pytest.raises((EOFError, ConnectionError)):
            while True:
                connection.send(b"data\n\n")
                connection.socket.settimeout(0.05)
                try:
                    connection.receive()
                except TimeoutError:
                    pass

    program, _, _ = mirrored("location / { mirror /copy; proxy_pass http://@app@; }", make_backend(serve=endless))
    with program.client() as client:
        for _ in range(3):
            assert client.get("/").text == "from the application"


def test_a_body_that_went_to_another_backend_is_not_sent_again(sallyport, make_backend):
    first = make_backend(lambda request: response("", fields=[("X-Accel-Redirect", "@second")]))
    second, shadow = make_backend(), make_backend()
    program = sallyport("server { listen 127.0.0.1:@port:http@;" + COPY + """
        location / { proxy_request_buffering off; proxy_pass http://@first@; }
        location @second { mirror /copy; proxy_pass http://@second@; } }
    """, first=first, second=second, shadow=shadow)
    assert ask(program, "POST", "/", b"the body").status == 500
    program.wait_for_error("the request's body went to another backend and cannot be sent again")
    assert not second.requests and not shadow.requests


def test_what_the_location_does_not_let_through_is_not_copied(mirrored):
    program, shadow, application = mirrored(
        "location / { client_max_body_size 10; mirror /copy; proxy_pass http://@app@; }")
    assert ask(program, "POST", "/", b"far too large").status == 413
    assert not shadow.requests and not application.requests
