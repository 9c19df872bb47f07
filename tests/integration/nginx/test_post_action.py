"""post_action: somebody is told when a request is over. Every case is asked of nginx, too."""
import pytest

from support.backend import response


@pytest.fixture
def told(serve, make_backend):
    def run(locations):
        desk = make_backend()
        application = make_backend(lambda request: response("from the application"))
        return serve("""
            location /told { internal; post_action off; proxy_pass http://@desk@/told$uri; proxy_set_header X-Status $status;
                             proxy_set_header X-Bytes $body_bytes_sent; proxy_set_header X-For $request_uri; }
            location @told { proxy_pass http://@desk@; proxy_set_header X-For $request_uri; }
        """ + locations, desk=desk, app=application), desk

    return run


def test_a_path_is_asked_when_the_request_is_over(told):
    program, desk = told("location / { post_action /told; proxy_pass http://@app@; }")
    assert program.get("/page?x=1").text == "from the application"
    desk.wait_for_requests(1)
    assert desk.last.target == "/told/told"
    assert [desk.last.field(f"X-{name}") for name in ("Status", "Bytes", "For")] == ["200", "20", "/page?x=1"]


def test_a_named_location_may_be_asked(told):
    program, desk = told("location / { post_action @told; root @dir@/www; }")
    assert program.get("/index.html").text == "welcome\n"
    desk.wait_for_requests(1)
    assert desk.last.field("X-For") == "/index.html"


def test_errors_are_told_too_and_off_is_off(told):
    program, desk = told("""
        post_action /told;
        location /closed { deny all; }
        location /off { post_action off; return 204; }
    """)
    assert program.get("/off").status == 204
    assert program.get("/closed").status == 403
    desk.wait_for_requests(1)
    assert [request.field("X-For") for request in desk.requests] == ["/closed"]
    assert desk.last.field("X-Status") == "403"


def test_a_desk_that_is_gone_does_no_harm(told):
    program, desk = told("location / { post_action /told; proxy_pass http://@app@; }")
    desk.stop()
    for _ in range(3):
        assert program.get("/").text == "from the application"
