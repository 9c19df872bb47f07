"""satisfy: all of a location's conditions, or any. Every case is asked of nginx, too."""
import base64


RIGHT, WRONG = ([("Authorization", "Basic " + base64.b64encode(text).decode())]
                for text in (b"ann:secret", b"ann:wrong"))

LOCATIONS = """
    root @dir@/www; auth_basic site; auth_basic_user_file users;
    location /allowed/ { alias @dir@/www/; allow 127.0.0.1; deny all; }
    location /denied/ { alias @dir@/www/; deny all; }
    location /silent/ { alias @dir@/www/; deny 192.0.2.1; }
    location /file/ { alias @dir@/www/; deny all; auth_basic_user_file missing; }
    location /off/ { alias @dir@/www/; deny all; auth_basic off; }
"""


def answers(program, name):
    return [program.get(f"/{name}/", fields=fields).status for fields in ([], WRONG, RIGHT)]


def start(serve, satisfy):
    program = serve(f"satisfy {satisfy}; {LOCATIONS}")
    program.write("conf/users", "ann:{PLAIN}secret\n")
    return program


def test_all_conditions_must_hold(serve):
    program = start(serve, "all")
    assert answers(program, "allowed") == [401, 401, 200]
    assert answers(program, "denied") == [403, 403, 403]
    assert answers(program, "silent") == [401, 401, 200]
    assert answers(program, "off") == [403, 403, 403]
    program.wait_for_error("access forbidden by rule")


def test_any_condition_is_enough(serve):
    program = start(serve, "any")
    assert answers(program, "allowed") == [200, 200, 200]
    assert answers(program, "denied") == [401, 401, 200]
    assert answers(program, "silent") == [401, 401, 200]
    assert answers(program, "off") == [403, 403, 403]
    assert answers(program, "file") == [401, 403, 403]
    program.wait_for_error("access forbidden by rule")


def test_a_challenge_comes_with_the_401_alone(serve):
    program = start(serve, "any")
    assert program.get("/denied/").field("WWW-Authenticate") == 'Basic realm="site"'
    assert program.get("/allowed/").field("WWW-Authenticate") is None
    assert program.get("/off/").field("WWW-Authenticate") is None


def test_a_401_of_any_is_held_back_too(serve):
    program = serve(f"satisfy any; auth_delay 50ms; {LOCATIONS}")
    program.write("conf/users", "ann:{PLAIN}secret\n")
    assert answers(program, "denied") == [401, 401, 200]
    program.wait_for_error("delaying unauthorized request", count=2)


def test_satisfy_is_inherited(serve):
    program = serve(f"{LOCATIONS} location /inner/ {{ alias @dir@/www/; satisfy all; deny all; }}",
                    before="satisfy any;")
    program.write("conf/users", "ann:{PLAIN}secret\n")
    assert answers(program, "denied") == [401, 401, 200]
    assert answers(program, "inner") == [403, 403, 403]
