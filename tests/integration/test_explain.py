"""`sallyport explain`: what it says is what the program does, and nothing is sent to say it."""
import json
import pathlib
import re
import shlex
import subprocess

import pytest

from support.backend import response


GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs/guide/explain.md"


def explain(program, request, *words, code=0):
    done = subprocess.run(
        [program.binary, "explain", request, "-p", f"{program.folder}/", "-c",
         f"{program.folder}/conf/main.conf", *words], capture_output=True, text=True, check=False,
        timeout=60)
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout if code == 0 else done.stderr


def explained(program, request, *words):
    return json.loads(explain(program, request, *words, "--format", "json"))


def steps(said, name=None):
    return [each["text"] if name else (each["step"], each["text"]) for each in said["steps"]
            if name in (None, each["step"])]


CONFIGURATION = """
    limit_req_zone $binary_remote_addr zone=all:1m rate=1r/s;
    access_log @dir@/access.log;
    error_log @dir@/error.log notice;
    upstream app { server 192.0.2.1:8080 weight=5; server 192.0.2.2 backup; }
    server {
        listen 127.0.0.1:@port:http@;
        server_name first.test;
        location / { return 204; }
        location /old/ { rewrite ^/old/(.*)$ /new/$1 last; }
        location /new/ { proxy_pass http://app; proxy_set_header X-Who $remote_addr; }
        location ~ \\.php$ { return 403; }
        location ^~ /final/ { return 201; }
        location = /exact { return 202 text; }
        location /inside { internal; return 200; }
        location /files/ { root @dir@/www; try_files $uri /fallback; }
        location = /fallback { return 404; }
        location /limited { limit_req zone=all burst=5; proxy_pass http://app; }
        location /closed { deny 10.0.0.0/8; allow all; proxy_pass http://app/sub; }
        location /gone { return 444; }
        location /errors { error_page 403 /new/page; return 403; }
        location /secret { auth_basic "x"; auth_basic_user_file users; proxy_pass http://app; }
        location /loop { rewrite ^ /loop last; }
        location /named { proxy_pass http://name.invalid:81; }
        location /read { limit_except GET { deny all; } proxy_pass http://app; }
    }
    server {
        listen 127.0.0.1:@port:http@;
        server_name *.second.test;
        proxy_ssl_trusted_certificate @authority@;
        location / { proxy_pass https://192.0.2.9:8443; proxy_ssl_name backend.test; }
    }
"""


@pytest.fixture
def program(sallyport):
    made = sallyport.make()
    made.write("conf/users", "ann:{PLAIN}secret\n")
    (made.folder / "www/files").mkdir(parents=True)
    (made.folder / "www/files/there").write_text("content")
    made.configure(CONFIGURATION)
    return made


def url(program, path, host="first.test"):
    return f"http://{host}:{program.ports['http']}{path}"


def test_the_server_is_chosen_by_name_or_by_default(program):
    assert "its server_name fits" in steps(explained(program, url(program, "/")), "server")[0]
    said = steps(explained(program, url(program, "/", "a.second.test")), "server")[0]
    assert said.startswith("*.second.test: its server_name fits") or "second.test" in said
    said = steps(explained(program, url(program, "/", "other.test")), "server")[0]
    assert said.startswith("first.test: the default server of 127.0.0.1:")


@pytest.mark.parametrize("path, location, why", [
    ("/x", "/", "the longest prefix"), ("/final/a.php", "^~ /final/", "no regular expression"),
    ("/a.php", "~ \\.php$", "the first regular expression that matches"),
    ("/exact", "= /exact", "exactly this"),
])
def test_the_location_is_told_with_its_reason_and_line(program, path, location, why):
    said = explained(program, url(program, path))
    step = next(each for each in said["steps"] if each["step"] == "location")
    assert step["text"].startswith(location + ":") and why in step["text"]
    name, line = step["place"].rsplit(":", 1)
    assert name == f"{program.folder}/conf/main.conf"
    assert f"location {location} " in program.read("conf/main.conf").splitlines()[int(line) - 1]


def test_each_rewrite_is_told(program):
    said = explained(program, url(program, "/old/a%20b?q=1"))
    assert any('rewritten data: "/new/a b", args: "q=1"' in text for text in steps(said, "rewrite"))
    assert [text.split(":")[0] for text in steps(said, "location")] == ["/old/", "/new/"]
    assert said["forwarded"]["request"].startswith("GET /new/a%20b?q=1 HTTP/1.1\n")


def test_a_cycle_ends_as_it_does_for_clients(program):
    said = explained(program, url(program, "/loop"))
    assert said["answer"].startswith("HTTP/1.1 500 ")
    assert any("rewrite or internal redirection cycle" in text for text in steps(said, "error log"))


def test_what_would_be_sent_is_what_is_sent(program, sallyport, make_backend):
    backend = make_backend(lambda request: response("x"))
    running = sallyport("""
        server { listen 127.0.0.1:@port:http@;
            location /a/ { proxy_pass http://@backend@/b/; proxy_set_header X-From $remote_addr;
                           proxy_set_header Host $host; } }
    """, backend=backend)
    headers = ("X-Mark: 1", "X-Forwarded-For: 192.0.2.1", "Connection: X-Gone", "X-Gone: 1",
               "Cookie: a=b")
    target = f"http://example.test:{running.ports['http']}/a/x%2Fy?q"
    said = explained(running, f"DELETE {target}", *[word for header in headers
                                                   for word in ("-H", header)])
    assert backend.requests == [], "explaining sends nothing"
    with running.client() as client:
        client.send(f"DELETE /a/x%2Fy?q HTTP/1.1\r\nHost: example.test:{running.ports['http']}\r\n"
                    + "".join(f"{header}\r\n" for header in headers) + "\r\n")
        client.response()
    sent = backend.last.raw_head.decode().replace("\r\n", "\n").strip()
    assert said["forwarded"]["request"].strip() == sent


def test_the_upstream_and_its_tls_are_told(program):
    said = explained(program, url(program, "/new/x"))["forwarded"]
    assert said["upstream"] == "app" and said["tls"] is False
    assert said["servers"] == ["192.0.2.1:8080 weight=5", "192.0.2.2 backup"]
    said = explained(program, url(program, "/", "a.second.test"))["forwarded"]
    assert said["url"] == "https://192.0.2.9:8443/"
    assert (said["tls"], said["verified"], said["tls_name"], said["sni"]) == (
        True, True, "backend.test", True)


def test_access_is_decided_for_the_address_that_is_given(program):
    said = explained(program, url(program, "/closed"), "--from", "10.1.2.3")
    assert steps(said, "allow, deny") == ["denied"]
    assert said["answer"].startswith("HTTP/1.1 403 ") and "forwarded" not in said
    said = explained(program, url(program, "/closed"), "--from", "192.0.2.77")
    assert steps(said, "allow, deny") == ["allowed"]
    assert said["forwarded"]["request"].startswith("GET /sub HTTP/1.1\n")


def test_methods_have_rules_of_their_own(program):
    assert "forwarded" in explained(program, url(program, "/read"))
    said = explained(program, "POST " + url(program, "/read"))
    assert steps(said, "limit_except") and said["answer"].startswith("HTTP/1.1 403 ")


def test_a_password_is_checked_or_assumed(program):
    path = url(program, "/secret")
    assert explained(program, path)["answer"].startswith("HTTP/1.1 401 ")
    said = explained(program, path, "-H", "Authorization: Basic YW5uOnNlY3JldA==")
    assert steps(said, "auth_basic") == ["the password is right"] and "forwarded" in said
    said = explained(program, path, "--assume", "auth=200")
    assert steps(said, "auth_basic") == ["the password is right (assumed)"] and "forwarded" in said
    assert explained(program, path, "--assume", "auth=403")["answer"].startswith("HTTP/1.1 403 ")


def test_limits_are_told(program):
    said = explained(program, url(program, "/limited"))
    assert steps(said, "limits") == ["passed: limit_req all;"]
    assert "the zones of limits are empty" in said["assumed"]


def test_files_and_their_fallbacks(program):
    said = explained(program, url(program, "/files/there"))
    assert "try_files /files/there: there" in steps(said, "file")
    assert said["answer"].startswith("HTTP/1.1 200 ") and "Content-Length: 7" in said["answer"]
    said = explained(program, url(program, "/files/missing"))
    assert "try_files /files/missing: not there" in steps(said, "file")
    assert steps(said, "redirect") == ["internally to /fallback"]
    assert said["answer"].startswith("HTTP/1.1 404 ")


def test_error_pages_internal_locations_and_silence(program):
    said = explained(program, url(program, "/errors"))
    assert steps(said, "error_page") == ["403: /new/page"]
    assert said["forwarded"]["request"].startswith("GET /new/page HTTP/1.1\n")
    said = explained(program, url(program, "/inside"))
    assert any("internal redirects only" in text for text in steps(said, "answer"))
    said = explained(program, url(program, "/gone"))
    assert said["closed"] is True and said["answer"] == ""


def test_a_request_that_is_refused_is_refused(program):
    said = explained(program, url(program, "/x/..%2Fy"))
    assert said["answer"].startswith("HTTP/1.1 400 ")
    said = explained(program, url(program, "/"), "-H", "Content-Length: 1", "-H",
                     "Content-Length: 2")
    assert said["answer"].startswith("HTTP/1.1 400 ")


def test_names_are_not_looked_up_but_assumed(program):
    said = explained(program, url(program, "/named"))
    assert said["forwarded"]["url"] == "http://name.invalid:81/named"
    assert any("name.invalid" in each for each in said["assumed"])


def test_nothing_is_written_to_logs(program):
    for path in ("/", "/loop", "/closed"):
        explained(program, url(program, path), "--from", "10.0.0.1")
    for name in ("access.log", "error.log"):
        path = program.folder / name
        assert not path.exists() or path.read_text() == "", name


def test_https_is_assumed_to_have_been(sallyport):
    program = sallyport.make()
    program.configure("""
        server { listen 127.0.0.1:@port:https@ ssl; server_name a.test;
            ssl_certificate @cert:example.com@; ssl_certificate_key @key:example.com@;
            location / { return 200 "$scheme $https"; } }
    """)
    said = explained(program, f"https://a.test:{program.ports['https']}/")
    assert said["answer"].startswith("HTTP/1.1 200 ")
    assert "the TLS handshake succeeds" in said["assumed"]
    said = explained(program, "https://a.test/")
    assert any("it comes in at 127.0.0.1:" in each for each in said["assumed"])
    assert "no server listens without TLS" in explain(program, "http://a.test/", code=1)


@pytest.mark.parametrize("request_, words, sentence", [
    ("GET /x", (), "'GET https://host/path'"), ("http://a/", ("-H", "nonsense"), "invalid header"),
    ("http://a/", ("--from", "nobody"), "is no IP address"),
    ("http://a/", ("--assume", "auth=500"), "invalid assumption"),
])
def test_what_cannot_be_asked_is_said(program, request_, words, sentence):
    assert sentence in explain(program, request_, *words, code=1)


def test_a_bad_configuration_is_told_as_check_tells_it(program):
    program.configure("server { listen 127.0.0.1:1; no_such_thing; }")
    assert 'unknown directive "no_such_thing"' in explain(program, "http://a/", code=1)


def test_it_is_readable_in_80_columns(program):
    for path in ("/old/" + "long" * 50, "/exact", "/closed", "/gone"):
        for line in explain(program, url(program, path)).splitlines():
            assert len(line) <= 80, line


def test_the_guide_s_example_is_what_the_program_says(sallyport):
    configuration, console = re.findall(r"```(?:nginx|console)\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    command, expected = re.match(r"\$ (.*?[^\\])\n(.*)", console, re.DOTALL).groups()
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:2] == ["sallyport", "explain"]
    program = sallyport.make()
    program.write("conf/main.conf", configuration)
    said = explain(program, *words[2:])
    said = said.replace(f"{program.folder}/conf/main.conf", "/etc/sallyport/sallyport.conf")
    assert said.split() == expected.split()
