"""userid: a cookie to be known again by. Asked of nginx, too."""
import base64
import re
import struct
import time

import pytest

LOCATIONS = """
    location / { return 200 "$uid_got|$uid_set"; }
    location /on/ { userid on; return 200 "$uid_got|$uid_set"; }
    location /v1/ { userid v1; return 200 "$uid_got|$uid_set"; }
    location /log/ { userid log; return 200 "$uid_got|$uid_set"; }
    location /service/ { userid on; userid_service 258; return 200 "$uid_set"; }
    location /v1-service/ { userid v1; userid_service 258; return 200 "$uid_set"; }
    location /full/ {
        userid on; userid_name id; userid_domain example.com; userid_path /full; userid_expires max;
        userid_flags secure httponly samesite=strict; userid_p3p 'policyref="/w3c/p3p.xml"';
        return 200 "$uid_set";
        location /full/none { userid_domain none; userid_p3p none; userid_flags off; userid_expires off;
                              return 200; }
        location /full/lax { userid_flags samesite=lax; return 200; }
        location /full/any { userid_flags samesite=none; return 200; }
    }
    location /expires/ { userid on; userid_expires 1d; return 200; }
    location /far/ { userid on; userid_expires 20y; return 200; }
    location /mark/ { userid on; userid_mark X; return 200 "$uid_got|$uid_set"; }
    location /reset/ { userid on; set $uid_reset $arg_reset; return 200 "$uid_got|$uid_set"; }
    location /error/ { userid on; return 404; }
    location /header/ { userid on; add_header X-Added yes; return 200; }
    location /file/ { userid on; root @dir@/www; }
"""


@pytest.fixture
def program(serve):
    return serve(LOCATIONS)


def shown(cookie, name="uid"):
    """As the variables show it."""
    return f"{name}=" + "".join(f"{word:08X}" for word in struct.unpack("=4I", base64.b64decode(cookie)))


def given(answer, name="uid"):
    """The value of the cookie, and its attributes."""
    value, _, attributes = answer.field("Set-Cookie").partition("; ")
    assert value.startswith(name + "=")
    return value[len(name) + 1:], attributes


def test_a_new_client_gets_a_cookie(program):
    before = int(time.time())
    answer = program.get("/on/")
    cookie, attributes = given(answer)
    assert attributes == "path=/" and len(cookie) == 24 and cookie.endswith("==")
    assert answer.text == "|" + shown(cookie)
    service, when, _, sequence = struct.unpack("!4I", base64.b64decode(cookie))
    assert service == 0x7f000001 and before <= when <= time.time() + 1
    assert sequence & 0xff == 0x02
    assert answer.field("P3P") is None


def test_each_gets_another_one(program):
    cookies = {given(program.get(target))[0] for target in ("/on/", "/v1/") for _ in range(20)}
    assert len(cookies) == 40


def test_a_client_that_has_one_keeps_it(program):
    cookie, _ = given(program.get("/on/"))
    for target in ("/on/", "/log/"):
        answer = program.get(target, fields=[("Cookie", f"a=b; uid={cookie}; c=d")])
        assert answer.field("Set-Cookie") is None and answer.text == shown(cookie) + "|"
    assert program.get("/", fields=[("Cookie", f"uid={cookie}")]).text == "|"


def test_first_version(program):
    answer = program.get("/v1/")
    cookie, _ = given(answer)
    service, when, _, sequence = struct.unpack("=4I", base64.b64decode(cookie))
    assert service == 0 and abs(when - time.time()) < 60 and sequence & 0xff == 1
    assert answer.text == "|" + shown(cookie)


def test_service(program):
    assert struct.unpack("!I", base64.b64decode(given(program.get("/service/"))[0])[:4]) == (258,)
    assert struct.unpack("=I", base64.b64decode(given(program.get("/v1-service/"))[0])[:4]) == (258,)


def test_attributes(program):
    answer = program.get("/full/")
    cookie, attributes = given(answer, "id")
    assert attributes == ("expires=Thu, 31-Dec-37 23:55:55 GMT; domain=example.com; path=/full; secure; "
                          "httponly; samesite=strict")
    assert answer.field("P3P") == 'policyref="/w3c/p3p.xml"'
    assert answer.text == shown(cookie, "id")
    answer = program.get("/full/none")
    assert given(answer, "id")[1] == "path=/full" and answer.field("P3P") is None
    assert given(program.get("/full/lax"), "id")[1].endswith("path=/full; samesite=lax")
    assert given(program.get("/full/any"), "id")[1].endswith("path=/full; samesite=none")


def test_expires(program):
    def when(target):
        return re.fullmatch(r"expires=(.*); path=/", given(program.get(target))[1])[1]

    assert abs(time.mktime(time.strptime(when("/expires/"), "%a, %d-%b-%y %H:%M:%S GMT"))
               - time.mktime(time.gmtime()) - 86400) < 60
    year = time.gmtime().tm_year + 20
    assert f"-{year if year > 2037 else year % 100:02} " in when("/far/")


@pytest.mark.parametrize("cookie, is_set, logged", [
    ("AAAAAQAAAAIAAAADAAAABA==", False, None), ("AAAAAQAAAAIAAAADAAAABAgarbage", False, None),
    ("AAAAAQAAAAIAAAADAAAABA", False, None), ("AAAAAQAAAAIAAAADAAAAB", True, "too short"),
    ("", True, "too short"), ("!AAAAQAAAAIAAAADAAAABA==", True, "invalid"),
    ("AAAAAQAAAAIAAAADAAAAAA==", True, None), ("AAAA=QAAAAIAAAADAAAABA==", True, None),
    ("A" * 4000, True, None),
])
def test_what_clients_bring(program, cookie, is_set, logged):
    answer = program.get("/on/", fields=[("Cookie", f"uid={cookie}")])
    assert answer.status == 200 and (answer.field("Set-Cookie") is not None) == is_set
    if logged:
        program.wait_for_error(f"client sent {logged} userid cookie")
    else:
        assert "userid cookie" not in program.errors


def test_mark(program):
    cookie, _ = given(program.get("/mark/"))
    assert cookie[22:] == "X="
    assert program.get("/mark/", fields=[("Cookie", f"uid={cookie}")]).field("Set-Cookie") is None
    unmarked = "AAAAAQAAAAIAAAADAAAABA=="
    answer = program.get("/mark/", fields=[("Cookie", f"uid={unmarked}")])
    assert given(answer)[0] == "AAAAAQAAAAIAAAADAAAABAX="
    assert answer.text == f"{shown(unmarked)}|{shown(unmarked)}"


@pytest.mark.parametrize("reset, is_reset", [("", False), ("0", False), ("1", True), ("log", True)])
def test_reset(program, reset, is_reset):
    old = "AAAAAQAAAAIAAAADAAAABA=="
    answer = program.get(f"/reset/?reset={reset}", fields=[("Cookie", f"uid={old}")])
    assert (answer.field("Set-Cookie") is not None) == is_reset
    if is_reset:
        assert given(answer)[0] != old
    if reset == "log":
        program.wait_for_error(f'userid cookie "{shown(old)}" was reset')


@pytest.mark.parametrize("args, is_reset", [("", False), ("again", True)])
def test_a_map_may_say_who_is_reset(serve, args, is_reset):
    program = serve('userid on; location / { return 200 "$uid_reset"; }',
                    before="map $args $uid_reset { default 0; again 1; }")
    answer = program.get(f"/?{args}", fields=[("Cookie", "uid=AAAAAQAAAAIAAAADAAAABA==")])
    assert (answer.field("Set-Cookie") is not None) == is_reset
    assert answer.text == str(int(is_reset))


def test_every_kind_of_response(program):
    program.write("www/file/a", "a")
    for target in ("/error/", "/file/a", "/file/none"):
        assert given(program.get(target))[1] == "path=/", target
    answer = program.get("/header/")
    names = [line.split(":")[0] for line in answer.head.decode().split("\r\n")[1:] if line]
    assert names.index("X-Added") < names.index("Set-Cookie")


def test_backends_responses(serve, backend):
    program = serve("userid on; location / { proxy_pass http://@backend@; }", backend=backend)
    assert given(program.get("/"))[1] == "path=/"


@pytest.mark.parametrize("line, message", [
    ("userid maybe;", 'invalid value "maybe"'),
    ("userid_mark ab;", 'value must be "off" or a single letter, digit or "="'),
    ("userid_mark '-';", 'value must be "off" or a single letter, digit or "="'),
    ("userid_expires soon;", "userid_expires"), ("userid_flags tasty;", 'invalid value "tasty"'),
    ("userid_service x;", "userid_service"),
])
def test_refused(serve, line, message):
    with pytest.raises(AssertionError) as failure:
        serve(line)
    assert message in str(failure.value).replace("invalid number", "userid_service invalid number")
