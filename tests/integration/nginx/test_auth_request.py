"""auth_request: another server decides. Every case is asked of nginx, too."""
import threading

import pytest

from support.backend import response

DESK = """
    location = /auth { internal; proxy_pass http://@desk@/check; proxy_pass_request_body off;
                       proxy_set_header Content-Length ""; proxy_set_header X-Path $request_uri; }
"""


def answering(status, fields=(), body=""):
    return lambda request: response(body, status=status, fields=fields)


def by_field(request):
    """What the client's field X-Want says: "401", ..."""
    status = request.field("X-Want", "204")
    fields = [("WWW-Authenticate", "Bearer realm=desk")] if status == "401" else []
    return response("", status=f"{status} Said", fields=[*fields, ("X-User", "ann"), ("X-Was", status)])


@pytest.fixture
def guarded(serve, make_backend):
    def run(locations, desk=by_field, application=None, server=""):
        desk, application = make_backend(desk), make_backend(application)
        program = serve(server + DESK + locations, desk=desk, app=application)
        return program, desk, application

    return run


@pytest.mark.parametrize("said, got", [("200", 200), ("204", 200), ("299", 200), ("401", 401), ("403", 403)])
def test_the_answer_of_the_subrequest_decides(guarded, said, got):
    program, desk, application = guarded("location / { auth_request /auth; proxy_pass http://@app@; }")
    assert program.get("/page?x=1", fields=[("X-Want", said)]).status == got
    assert len(application.requests) == (1 if got == 200 else 0)
    assert (desk.last.method, desk.last.target, desk.last.field("X-Path")) == ("GET", "/check", "/page?x=1")


@pytest.mark.parametrize("said", ["404", "302", "500", "503"])
def test_an_unexpected_answer_lets_nobody_in(guarded, said):
    program, _, application = guarded("location / { auth_request /auth; proxy_pass http://@app@; }")
    assert program.get("/", fields=[("X-Want", said)]).status == 500
    program.wait_for_error(f"auth request unexpected status: {said}")
    assert not application.requests


def test_a_desk_that_is_gone_lets_nobody_in(guarded):
    program, desk, application = guarded("location / { auth_request /auth; proxy_pass http://@app@; }")
    desk.stop()
    assert program.get("/").status == 500
    assert not application.requests


def test_the_challenge_of_a_401_is_passed_on(guarded):
    program, _, _ = guarded("location / { auth_request /auth; proxy_pass http://@app@; }")
    answer = program.get("/", fields=[("X-Want", "401")])
    assert answer.all("WWW-Authenticate") == ["Bearer realm=desk"]
    assert b"<title>401 Authorization Required</title>" in answer.body
    assert program.get("/", fields=[("X-Want", "403")]).field("WWW-Authenticate") is None


def test_an_own_page_may_stand_for_the_refusal(guarded):
    program, _, _ = guarded("""
        location / { auth_request /auth; error_page 401 = @login; proxy_pass http://@app@; }
        location @login { return 302 https://login.example/?to=$request_uri; }
    """)
    answer = program.get("/page", fields=[("X-Want", "401")])
    assert (answer.status, answer.field("Location")) == (302, "https://login.example/?to=/page")


def test_variables_are_set_from_the_answer(guarded):
    program, _, application = guarded("""
        location / {
            auth_request /auth;
            auth_request_set $user $upstream_http_x_user;
            auth_request_set $state $upstream_status;
            proxy_set_header X-User $user;
            add_header X-State "$state $user" always;
            proxy_pass http://@app@;
        }
    """)
    assert program.get("/", fields=[("X-User", "forged")]).field("X-State") == "204 ann"
    assert application.last.all("X-User") == ["ann"]
    assert program.get("/", fields=[("X-Want", "403")]).field("X-State") == "403 ann"


def test_a_variable_that_nothing_has_set_is_empty(guarded):
    program, _, _ = guarded("""
        location /open { return 200 "[$user]"; }
        location / { auth_request /auth; auth_request_set $user $upstream_http_x_user; return 204; }
    """)
    assert program.get("/open").text == "[]"


def test_the_client_s_fields_go_to_the_desk_and_its_body_does_not(guarded):
    program, desk, application = guarded("location / { auth_request /auth; proxy_pass http://@app@; }")
    with program.client() as client:
        answer = client.request("POST", "/", fields=[("Cookie", "session=1"), ("X-Want", "204")], body=b"body")
        assert answer.status == 200
        assert client.request("GET", "/").status == 200
    assert [r.body for r in application.requests] == [b"body", b""]
    assert [r.method for r in application.requests] == ["POST", "GET"]
    assert (desk.requests[0].method, desk.requests[0].field("Cookie")) == ("GET", "session=1")
    assert desk.requests[0].body == b""


def test_inner_places_inherit_and_may_turn_it_off(guarded):
    program, desk, _ = guarded("""
        auth_request /auth;
        location /open { auth_request off; return 200 open; }
        location /closed { location /closed/inner { proxy_pass http://@app@; } proxy_pass http://@app@; }
    """)
    for path, status in (("/open", 200), ("/closed", 403), ("/closed/inner", 403)):
        assert program.get(path, fields=[("X-Want", "403")]).status == status, path
    assert len(desk.requests) == 2  # the subrequest itself is not asked about


def test_return_comes_before_it(guarded):
    """The rewrite phase is earlier than access."""
    program, desk, _ = guarded("location / { auth_request /auth; return 204; }")
    assert program.get("/", fields=[("X-Want", "403")]).status == 204
    assert not desk.requests


@pytest.mark.parametrize("satisfy, said, rule, status", [
    ("all", "204", "allow all;", 200), ("all", "403", "allow all;", 403), ("all", "204", "deny all;", 403),
    ("any", "204", "deny all;", 200), ("any", "403", "allow all;", 200), ("any", "403", "deny all;", 403),
    ("any", "401", "deny all;", 401), ("any", "404", "deny all;", 500),
])
def test_satisfy_counts_it_among_the_conditions(guarded, satisfy, said, rule, status):
    program, _, _ = guarded(
        f"location / {{ satisfy {satisfy}; {rule} auth_request /auth; proxy_pass http://@app@; }}")
    assert program.get("/", fields=[("X-Want", said)]).status == status


def test_a_place_without_a_backend_may_decide_too(serve):
    program = serve("""
        location = /auth { if ($http_x_key = secret) { return 204; } return 403; }
        location / { auth_request /auth; root @dir@/www; }
    """)
    assert program.get("/").status == 403
    assert program.get("/", fields=[("X-Key", "secret")]).status == 200


def test_what_the_subrequest_sets_its_parent_sees(serve):
    """As in nginx, both have the same variables."""
    program = serve("""
        set $who nobody;
        location = /auth { set $who ann; return 204; }
        location / { auth_request /auth; add_header X-Who $who; root @dir@/www; }
    """)
    assert program.get("/").field("X-Who") == "ann"


def test_the_subrequest_shows_the_client_s_request_and_a_path_of_its_own(serve):
    program = serve("""
        location /auth { set $seen "$request_method $request_uri $uri $args $host"; return 204; }
        location / { auth_request /auth; add_header X-Seen $seen; root @dir@/www; }
    """)
    with program.client() as client:
        answer = client.request("HEAD", "/?a=b", host="example.com")
    assert answer.field("X-Seen") == "HEAD /?a=b /auth  example.com"


def test_a_client_that_leaves_ends_the_asking(sallyport, make_backend):
    asked, gone = threading.Event(), threading.Event()

    def wait(connection):
        connection.read_request()
        asked.set()
        with pytest.raises((EOFError, ConnectionError)):
            connection.receive()
        gone.set()

    desk = make_backend(serve=wait)
    program = sallyport("server { listen 127.0.0.1:@port:http@;" + DESK +
                        "access_log @dir@/access.log; location / { auth_request /auth; root @dir@; } }", desk=desk)
    with program.client() as client:
        client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert asked.wait(10)
    assert gone.wait(10), "the desk's connection is still open"
    program.wait_for_line("access.log", " 499 ")


def test_there_are_no_more_subrequests_than_max_subrequests(sallyport):
    program = sallyport("""server { listen 127.0.0.1:@port:http@; auth_request /auth;
        max_subrequests 0; location /auth { return 204; } location / { root @dir@/www; } }""")
    program.write("www/index.html", "welcome\n")
    assert program.get("/").status == 500
    program.wait_for_error("too many subrequests (max_subrequests) at \"/auth\"")
    assert program.status()["counters"]["limit_subrequests"] == 1


def test_the_desk_s_body_is_not_waited_for(serve, make_backend):
    release = threading.Event()

    def slow(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nX-User: ann\r\nContent-Length: 10\r\n\r\n")
        release.wait(20)

    program = serve(DESK + "location / { auth_request /auth; root @dir@/www; }", desk=make_backend(serve=slow))
    try:
        assert program.get("/").text == "welcome\n"
        assert not release.is_set()
    finally:
        release.set()


def test_a_name_that_the_desk_s_answer_gave_stays(guarded):
    """A group of a regular expression over the answer, seen when the answer is long gone."""
    program, _, application = guarded("""
        location = /auth2 { internal; proxy_pass http://@desk@/; proxy_redirect ~^https://(?<where>[^/]+)/ /; }
        location / { auth_request /auth2; proxy_set_header X-Where "$where"; proxy_pass http://@app@; }
    """, desk=lambda request: response("", fields=[("Location", "https://login.example/" + "x" * 2000)]))
    for _ in range(3):
        assert program.get("/").status == 200
        assert application.last.field("X-Where") == "login.example"


def test_options_asterisk_asks_the_desk_by_its_own_path(sallyport, make_backend):
    """nginx refuses it."""
    desk = make_backend(lambda request: response("", status="403 No"))
    program = sallyport("""server { listen 127.0.0.1:@port:http@;
        location = /auth { internal; proxy_pass http://@desk@; }
        location / { auth_request /auth; root @dir@; } }""", desk=desk)
    with program.client() as client:
        assert client.request("OPTIONS", "*").status == 403
    assert [(request.method, request.target) for request in desk.requests] == [("GET", "/auth")]


def test_an_answer_that_cannot_be_read_lets_nobody_in(sallyport, make_backend):
    desk = make_backend(lambda request: response("", fields=[("X-Groups", "a" * 2000 + "!")]))
    program = sallyport("map $upstream_http_x_groups $role { ~^(a+)+$ admin; }"
                        "server { listen 127.0.0.1:@port:http@;" + DESK +
                        "location / { auth_request /auth; auth_request_set $who $role; root @dir@/www; } }", desk=desk)
    program.write("www/index.html", "welcome\n")
    assert program.get("/").status == 500
    assert program.status()["counters"]["limit_regex_steps"] >= 1
