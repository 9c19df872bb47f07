"""auth_basic: names and passwords. Every case is asked of nginx, too, where it knows the scheme."""
import base64
import os
import pathlib
import pwd
import subprocess

import pytest

from support import wait_for


PROTECTED = 'root @dir@/www; auth_basic "the \'site\'"; auth_basic_user_file users;'
STORED = {
    "plain": "{PLAIN}secret",
    "sha": "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "ssha": "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0",
    "apr1": "$apr1$12345678$0lqb/6VUFP8JY/s/jTrIk0",
    "md5": "$1$saltsalt$9xy1btjgzLYfb7hivXtC//",
    "sha256": "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA",
    "bcrypt": "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
    "yescrypt": "$y$j75$saltsalt$0gBD67sgmJgRX3RZ6wHHO7sHimQEWGCWN85o4Twogh2",
    "des": "abNANd1rDfiNc",
}


def credentials(user, password, scheme="Basic"):
    text = base64.b64encode(f"{user}:{password}".encode()).decode()
    return [("Authorization", f"{scheme} {text}")]


def status(program, user, password, target="/"):
    return program.get(target, fields=credentials(user, password)).status


def test_whoever_shows_no_password_is_asked_for_one(serve):
    program = serve(PROTECTED)
    program.write("conf/users", "ann:{PLAIN}secret\n")
    answer = program.get("/")
    assert answer.status == 401
    assert answer.field("WWW-Authenticate") == "Basic realm=\"the 'site'\""
    assert b"401 Authorization Required" in answer.body
    program.wait_for_error("no user/password was provided for basic authentication")
    answer = program.get("/", fields=credentials("ann", "secret"))
    assert answer.status == 200
    assert answer.field("WWW-Authenticate") is None


def test_every_scheme_of_crypt_and_htpasswd_is_known(serve):
    program = serve(PROTECTED)
    program.write("conf/users", "".join(f"{name}:{text}\n" for name, text in STORED.items()))
    for name in STORED:
        for password in ("secret", "secret"):  # the second time it may be remembered
            assert status(program, name, password) == 200, name
        assert status(program, name, "Secret") == 401, name
        assert status(program, name, "") == 401, name


def test_files_of_htpasswd_are_read(serve):
    program = serve(PROTECTED)
    file = program.folder / "conf/users"
    for options in (["-cb"], ["-bB"], ["-bs"], ["-b5"]):
        subprocess.run(["htpasswd", *options, str(file), "user" + options[0], "geheim"], check=True,
                       capture_output=True)
    file.chmod(0o644)
    for user in ("user-cb", "user-bB", "user-bs", "user-b5"):
        assert status(program, user, "geheim") == 200, user
        assert status(program, user, "geheim!") == 401, user


def test_a_refusal_is_told_without_the_password(serve):
    program = serve(PROTECTED)
    program.write("conf/users", "ann:{PLAIN}secret\n")
    assert status(program, "ann", "wrong-one") == 401
    assert status(program, "bob", "wrong-one") == 401
    program.wait_for_error('user "ann": password mismatch, client: 127.0.0.1')
    program.wait_for_error(f'user "bob" was not found in "{program.folder}/conf/users"')
    assert "wrong-one" not in program.errors


def test_a_user_s_name_takes_one_line_of_the_log_at_most(sallyport):
    program = sallyport("server { listen 127.0.0.1:@port:http@; %s }" % PROTECTED)
    program.write("conf/users", "ann:{PLAIN}secret\n")
    assert status(program, "ann\n[crit] forged\x1b[31m", "x") == 401
    assert status(program, "x" * 3000, "x") == 401
    program.wait_for_error('" was not found in', count=2)
    assert "\n[crit] forged" not in program.errors and "\x1b" not in program.errors
    assert "x" * 257 not in program.errors


def test_an_unknown_user_is_told_nothing_of_others_passwords(sallyport):
    program = sallyport("server { listen 127.0.0.1:@port:http@; %s }" % PROTECTED)
    program.write("conf/users", f"ann:{STORED['bcrypt']}\n")
    for _ in range(2):
        assert status(program, "bob", "secret", "/index.html") == 401
    assert program.status()["counters"]["passwords_computed"] == 2


@pytest.mark.parametrize("text,user,password,expected", [
    ("ann:{PLAIN}one\nann:{PLAIN}two\n", "ann", "one", 200),
    ("ann:{PLAIN}one\nann:{PLAIN}two\n", "ann", "two", 401),
    ("#ann:{PLAIN}one\n", "#ann", "one", 401),
    ("ann:{PLAIN}one:comment\n", "ann", "one", 200),
    ("ann:{PLAIN}one\r\n", "ann", "one", 200),
    ("ann:{PLAIN}one", "ann", "one", 200),
    ("ann:{PLAIN}one\n", "an", "one", 401),
    ("ann:{PLAIN}one\n", "anna", "one", 401),
    ("ann:\n", "ann", "", 401),
    ("ann\n", "ann", "", 401),
    ("", "ann", "", 401),
    ("ann:{PLAIN}a:b\n", "ann", "a:b", 401),
])
def test_lines_of_the_file_mean_what_they_mean_to_nginx(serve, text, user, password, expected):
    program = serve(PROTECTED)
    program.write("conf/users", text)
    assert status(program, user, password) == expected


@pytest.mark.parametrize("value", ["Basic", "Basic !!!!", "Basic YW5u", "Bearer x",
                                   "Basic OnNlY3JldA==", "Digest username=\"ann\""])
def test_what_is_no_basic_authentication_counts_as_none(serve, value):
    program = serve(PROTECTED)
    program.write("conf/users", "ann:{PLAIN}secret\n")
    assert program.get("/", fields=[("Authorization", value)]).status == 401
    program.wait_for_error("no user/password was provided for basic authentication")


def test_a_changed_file_counts_at_once(serve):
    program = serve(PROTECTED)
    file = program.write("conf/users", "ann:{PLAIN}one\n")
    assert status(program, "ann", "one") == 200
    program.write("conf/users", "ann:{PLAIN}two\n")  # in place, of the same size
    assert (status(program, "ann", "one"), status(program, "ann", "two")) == (401, 200)
    os.replace(program.write("conf/new", "ann:{PLAIN}six\n"), file)
    assert (status(program, "ann", "two"), status(program, "ann", "six")) == (401, 200)
    slow = "$apr1$12345678$0lqb/6VUFP8JY/s/jTrIk0"
    program.write("conf/users", f"ann:{slow}\n")
    assert [status(program, "ann", "secret") for _ in range(2)] == [200, 200]
    program.write("conf/users", "ann:$apr1$abc$BfqKdn9xFDWJPa3kcp/PH0\n")
    assert (status(program, "ann", "secret"), status(program, "ann", "")) == (401, 200)
    file.unlink()
    assert status(program, "ann", "six") == 403
    program.wait_for_error("(2: No such file or directory)")


def test_a_realm_and_a_file_may_have_variables(serve):
    program = serve("""
        root @dir@/www;
        auth_basic $arg_realm;
        auth_basic_user_file users.$arg_of;
    """)
    program.write("conf/users.a", "ann:{PLAIN}one\n")
    program.write("conf/users.b", "ann:{PLAIN}two\n")
    assert program.get("/?realm=off").status == 200
    assert program.get("/?realm=x&of=a").field("WWW-Authenticate") == 'Basic realm="x"'
    assert status(program, "ann", "one", "/?realm=x&of=a") == 200
    assert status(program, "ann", "one", "/?realm=x&of=b") == 401
    assert status(program, "ann", "two", "/?realm=x&of=b") == 200
    assert status(program, "ann", "two", "/?realm=x&of=c") == 403


def test_off_ends_what_was_inherited(serve):
    program = serve(PROTECTED + """
        location / { }
        location /a/ { auth_basic off; }
        location /b/ { alias @dir@/www/; auth_basic other; auth_basic_user_file others; }
    """)
    program.write("conf/users", "ann:{PLAIN}one\n")
    program.write("conf/others", "ann:{PLAIN}two\n")
    assert program.get("/a/").status == 200
    assert (status(program, "ann", "one"), status(program, "ann", "two")) == (200, 401)
    assert (status(program, "ann", "one", "/b/"), status(program, "ann", "two", "/b/")) == (401, 200)
    assert program.get("/b/").field("WWW-Authenticate") == 'Basic realm="other"'


def test_the_user_s_name_is_a_variable(serve, backend):
    program = serve(PROTECTED + """
        location /p/ { proxy_pass http://@backend@; proxy_set_header X-User "<$remote_user>"; }
    """, backend=backend)
    program.write("conf/users", "ann:{PLAIN}secret\n")
    assert status(program, "ann", "secret", "/p/") == 200
    assert backend.last.field("X-User") == "<ann>"


def test_a_401_may_be_held_back(serve):
    program = serve(PROTECTED + "auth_delay 100ms; location /long/ { auth_delay 60s; }")
    program.write("conf/users", "ann:{PLAIN}secret\n")
    assert status(program, "ann", "secret") == 200
    assert program.get("/").status == 401
    program.wait_for_error("delaying unauthorized request")
    with program.client() as client:
        client.send("GET /long/ HTTP/1.1\r\nHost: a\r\n\r\n")
        program.wait_for_error("delaying unauthorized request", count=2)
    program.wait_for_error("client prematurely closed connection")


def test_a_file_that_is_not_there_is_told_and_lets_nobody_in(serve):
    program = serve(PROTECTED)
    assert status(program, "ann", "secret") == 403
    program.wait_for_error(f'open() "{program.folder}/conf/users" failed')
    program.write("conf/users", "ann:{PLAIN}secret\n")
    assert status(program, "ann", "secret") == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_the_server_reads_a_file_that_only_root_can(sallyport):
    program = sallyport.make()
    secrets = program.folder / "conf/secrets"
    secrets.mkdir(mode=0o700)
    file = program.write("conf/secrets/users", "ann:{PLAIN}one\n")
    file.chmod(0o600)
    program.write("www/index.html", "welcome")
    program.start("""server { listen 127.0.0.1:@port:http@; root @dir@/www; auth_basic x;
                              auth_basic_user_file secrets/users; }""")
    assert (status(program, "ann", "one"), status(program, "ann", "two")) == (200, 401)
    file.write_text("ann:{PLAIN}two\n")
    assert (status(program, "ann", "one"), status(program, "ann", "two")) == (401, 200)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_a_file_that_only_root_can_read_takes_no_effect_in_another_s_place(sallyport):
    program = sallyport.make()
    file = program.write("conf/users", "ann:{PLAIN}one\n")
    program.write("www/index.html", "welcome")
    program.start("""server { listen 127.0.0.1:@port:http@; root @dir@/www; auth_basic x;
                              auth_basic_user_file users; }""")
    assert status(program, "ann", "one") == 200
    new = program.write("conf/new", "ann:{PLAIN}two\n")
    new.chmod(0o600)
    os.replace(new, file)
    assert status(program, "ann", "one") == 500
    assert status(program, "ann", "two") == 500
    program.wait_for_error('(13: Permission denied); server processes read it as their "user"')
    os.chown(file, pwd.getpwnam("nobody").pw_uid, -1)
    assert status(program, "ann", "two") == 200


def test_a_slow_password_is_computed_once_and_holds_up_nobody(sallyport):
    program = sallyport.make()
    file = program.folder / "conf/users"
    subprocess.run(["htpasswd", "-cbBC", "9", str(file), "ann", "secret"], check=True,
                   capture_output=True)
    file.chmod(0o644)
    program.write("www/index.html", "welcome")
    program.start("""server { listen 127.0.0.1:@port:http@; root @dir@/www;
        location /in/ { alias @dir@/www/; auth_basic x; auth_basic_user_file users; } }""",
                  main="worker_processes 1;")
    for _ in range(5):
        assert status(program, "ann", "secret", "/in/index.html") == 200
    counters = program.status()["counters"]
    assert (counters["passwords_computed"], counters["passwords_found"]) == (1, 4)
    waiting = [program.client() for _ in range(5)]
    for number, client in enumerate(waiting):
        [(name, value)] = credentials("ann", f"wrong {number}")
        client.send(f"GET /in/ HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\n\r\n")
    wait_for(lambda: program.status()["counters"]["passwords_computed"] == 6, "all have come")
    assert program.get("/").status == 200
    for client in waiting:
        assert client.response().status == 401
        client.close()
    assert program.status()["counters"]["passwords_refused"] == 5


def test_too_many_slow_passwords_are_refused(sallyport):
    program = sallyport.make()
    file = program.folder / "conf/users"
    subprocess.run(["htpasswd", "-cbBC", "10", str(file), "ann", "secret"], check=True,
                   capture_output=True)
    file.chmod(0o644)
    program.start("""server { listen 127.0.0.1:@port:http@; root @dir@/www;
        auth_basic x; auth_basic_user_file users; }""", main="worker_processes 1;")
    waiting = [program.client() for _ in range(80)]
    for number, client in enumerate(waiting):
        [(name, value)] = credentials("ann", f"wrong {number}")
        client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\n\r\n")
    program.wait_for_error("too many passwords wait to be compared")
    assert program.status()["counters"]["limit_password_queue"] > 0
    for client in waiting:
        client.close()  # those who wait are let go: the end does not wait for their passwords


@pytest.mark.parametrize("name", ["/../../etc/passwd", "/%0a"])
def test_variables_lead_to_no_other_file(sallyport, name):
    program = sallyport("""server { listen 127.0.0.1:@port:http@; auth_basic x;
                                    auth_basic_user_file @dir@/conf/users.$arg_of; }""")
    assert status(program, "root", "x", f"/?of={name}") in (403, 500)
    assert pathlib.Path("/etc/passwd").exists()


def test_auth_basic_without_a_file_is_warned_of(sallyport):
    done = sallyport.make().check("""server { listen 127.0.0.1:@port:http@;
                                              location / { auth_basic x; } }""")
    assert done.returncode == 0
    assert '"auth_basic" lets everyone in here' in done.stderr
