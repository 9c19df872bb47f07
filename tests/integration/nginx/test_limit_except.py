"""limit_except: rules for all methods but some. Every case is asked of nginx, too."""
import base64

import pytest


def ask(program, target, fields=()):
    statuses = {}
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "MADEUP"):
        with program.client() as client:
            statuses[method] = client.request(method, target, fields=fields).status
    return statuses


def test_other_methods_fall_under_the_block_s_rules(serve, backend):
    program = serve("""
        location /get/ { proxy_pass http://@backend@; limit_except GET { deny all; } }
        location /two/ { proxy_pass http://@backend@; limit_except post Put { deny all; } }
        location /allow/ { proxy_pass http://@backend@; deny all;
                           limit_except GET { allow 127.0.0.1; deny all; } }
    """, backend=backend)
    refused = dict.fromkeys(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "MADEUP"), 403)
    passed = dict.fromkeys(refused, 200)
    assert ask(program, "/get/") == {**refused, "GET": 200, "HEAD": 200}
    assert ask(program, "/two/") == {**refused, "POST": 200, "PUT": 200}
    assert ask(program, "/allow/") == {**passed, "GET": 403, "HEAD": 403}
    program.wait_for_error("access forbidden by rule")


def test_rules_of_the_location_pass_on_into_the_block(serve, backend):
    program = serve("""
        deny all;
        location / { proxy_pass http://@backend@; limit_except GET { } }
        location /other/ { proxy_pass http://@backend@; allow all; limit_except GET { deny all; } }
    """, backend=backend)
    assert set(ask(program, "/").values()) == {403}
    assert ask(program, "/other/")["GET"] == 200


def test_a_block_may_ask_for_a_password(serve, backend):
    program = serve("""
        location / {
            proxy_pass http://@backend@;
            limit_except GET HEAD { auth_basic writers; auth_basic_user_file users; }
        }
    """, backend=backend)
    program.write("conf/users", "ann:{PLAIN}secret\n")
    right = [("Authorization", "Basic " + base64.b64encode(b"ann:secret").decode())]
    assert ask(program, "/")["GET"] == 200
    assert ask(program, "/")["POST"] == 401
    assert set(ask(program, "/", right).values()) == {200}


def test_a_block_may_forward_elsewhere(serve, make_backend):
    readers, writers = make_backend(), make_backend()
    program = serve("""
        location / {
            proxy_pass http://@readers@;
            limit_except GET { proxy_pass http://@writers@; }
        }
        location /files/ { alias @dir@/www/; limit_except GET { proxy_pass http://@writers@; } }
    """, readers=readers, writers=writers)
    assert set(ask(program, "/x").values()) == {200}
    assert [request.method for request in readers.requests] == ["GET", "HEAD"]
    assert [request.method for request in writers.requests] == [
        "POST", "PUT", "DELETE", "OPTIONS", "MADEUP"]
    assert all(request.target == "/x" for request in writers.requests)
    with program.client() as client:
        assert client.get("/files/").body == b"welcome\n"
        assert client.request("POST", "/files/").status == 200


def test_what_the_block_does_not_say_is_the_location_s(serve, backend):
    program = serve("""
        location / {
            proxy_pass http://@backend@/there/;
            proxy_set_header X-Set yes;
            add_header X-Added yes;
            limit_except GET { allow all; }
        }
    """, backend=backend)
    with program.client() as client:
        answer = client.request("POST", "/x", body=b"hello")
    assert (answer.status, answer.field("X-Added")) == (200, "yes")
    assert (backend.last.target, backend.last.field("X-Set")) == ("/there/x", "yes")


def test_a_block_may_have_logs_of_its_own(serve, backend):
    program = serve("""
        location / {
            proxy_pass http://@backend@;
            access_log @dir@/logs/readers.log said;
            limit_except GET { access_log @dir@/logs/writers.log said; }
        }
    """, before='log_format said "$request_method $status";', backend=backend)
    ask(program, "/")
    assert program.lines("logs/readers.log", count=2) == ["GET 200", "HEAD 200"]
    assert program.lines("logs/writers.log", count=5) == [
        "POST 200", "PUT 200", "DELETE 200", "OPTIONS 200", "MADEUP 200"]


def test_the_block_is_its_location_s_own(serve, backend):
    program = serve("""
        location / {
            proxy_pass http://@backend@;
            limit_except GET { deny all; }
            location /inner/ { proxy_pass http://@backend@; }
        }
    """, backend=backend)
    assert ask(program, "/")["POST"] == 403
    assert ask(program, "/inner/")["POST"] == 200


@pytest.mark.parametrize("inside,words", [
    ("limit_except GETT { }", 'invalid method "GETT"'),
    ("limit_except GET { } limit_except POST { }", '"limit_except" directive is duplicate'),
    ("limit_except { }", 'invalid number of arguments in "limit_except" directive'),
    ("limit_except GET { root /; }", '"root" directive is not allowed here'),
    ("limit_except GET { proxy_pass http://127.0.0.1:1/x; }",
     '"proxy_pass" cannot have URI part in location given by regular expression, or inside named '
     'location, or inside "if" statement, or inside "limit_except" block'),
])
@pytest.mark.parametrize("kind", ["nginx", "sallyport"])
def test_mistakes_are_told_in_nginx_s_words(request, kind, inside, words):
    program = request.getfixturevalue(kind).make()
    program.configure(
        "events {}\nhttp { server { listen 127.0.0.1:@port:http@; location / { %s } } }" % inside)
    done = program.run("-t")
    assert done.returncode != 0
    assert words in done.stderr
