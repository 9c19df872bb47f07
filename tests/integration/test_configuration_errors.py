"""What a user is told about a configuration: everything at once, with its place and a way out."""
import json
import re
import subprocess

import pytest

from support import ProgramFailed

GOOD = """
    server {
        listen 127.0.0.1:@port:http@;
        location / { return 200; }
    }
"""
MANY = """\
wroker_processes 2;
events { worker_connections 10; }
http {
    proxy_set_heeder X y;
    ssl_ech_file x;
    server {
        listen 8080 defualt_server;
        listen 99999;
        proxy_pass http://x;
        keepalive_timeout 5parsecs;
        keepalive_requests 1;
        keepalive_requests 2;
        tcp_nodelay maybe;
        return;
        location / { fastcgi_pass x; client_max_body_size 1q; }
    }
}
"""
# line, column, message, hint
FOUND = [
    (1, 1, 'unknown directive "wroker_processes"', 'did you mean "worker_processes"?'),
    (4, 5, 'unknown directive "proxy_set_heeder"', 'did you mean "proxy_set_header"?'),
    (5, 5, '"ssl_ech_file" directive is not supported yet', "remove it"),
    (7, 21, 'invalid parameter "defualt_server"', 'did you mean "default_server"?'),
    (8, 16, 'invalid port in "99999" of the "listen" directive', ""),
    (9, 9, '"proxy_pass" directive is not allowed here', "it may stand in location"),
    (10, 27, 'invalid value "5parsecs"', "a time is written as"),
    (12, 9, '"keepalive_requests" directive is duplicate', "it stands already in"),
    (13, 21, 'invalid value "maybe" in "tcp_nodelay" directive, it must be "on" or "off"', ""),
    (14, 9, 'invalid number of arguments in "return" directive', "syntax: return CODE"),
    (15, 22, '"fastcgi_pass" directive is not supported yet', "put the application's HTTP port"),
    (15, 59, 'invalid value "1q"', "a size is written as"),
]


def test_all_errors_of_a_file_are_told_at_once_each_with_its_place(sallyport):
    program = sallyport.make()
    done = program.check(MANY)
    assert done.returncode == 1
    name = f"{program.folder}/conf/main.conf"
    firsts = [line for line in done.stderr.splitlines() if "[emerg]" in line]
    assert len(firsts) == len(FOUND), done.stderr
    for first, (line, column, message, hint) in zip(firsts, FOUND):
        assert first.startswith(f"sallyport: [emerg] {message}"), first
        assert first.endswith(f" in {name}:{line}"), first
        assert f"  {name}:{line}:{column}\n" in done.stderr, (line, column)
        assert hint in done.stderr
    assert f"configuration file {name} test failed" in done.stderr


def test_a_caret_points_at_the_word(sallyport):
    done = sallyport.make().check(MANY)
    lines = done.stderr.splitlines()
    at = next(number for number, line in enumerate(lines) if "5parsecs;" in line)
    assert lines[at + 1].index("^") == lines[at].index("5parsecs")


def test_json_says_the_same(sallyport):
    program = sallyport.make()
    program.configure(MANY)
    done = subprocess.run(
        [str(program.binary), "check", "--format", "json", "-p", f"{program.folder}/", "-c",
         f"{program.folder}/conf/main.conf"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert said["ok"] is False
    assert [(entry["line"], entry["column"]) for entry in said["diagnostics"]] == [
        (line, column) for line, column, _, _ in FOUND]
    for entry, (_, _, message, hint) in zip(said["diagnostics"], FOUND):
        assert entry["severity"] == "error"
        assert entry["message"].startswith(message) and hint in entry["hint"]
        assert entry["file"].endswith("conf/main.conf")
        assert entry["source"] == MANY.splitlines()[entry["line"] - 1]


def test_a_good_file_is_called_good(sallyport):
    program = sallyport.make()
    done = program.check(GOOD)
    assert done.returncode == 0
    name = f"{program.folder}/conf/main.conf"
    assert f"the configuration file {name} syntax is ok" in done.stderr
    assert f"configuration file {name} test is successful" in done.stderr
    quiet = program.run("-t", "-q")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_the_dump_has_every_file(sallyport):
    program = sallyport.make()
    program.write("conf/part.conf", "server_name part.test;\n")
    program.configure(GOOD.replace("location", "include part.conf; location", 1))
    dumps = [program.run("-T"), subprocess.run(
        [str(program.binary), "check", "--dump", "-p", f"{program.folder}/", "-c",
         f"{program.folder}/conf/main.conf"], capture_output=True, text=True, check=False)]
    for dump in dumps:
        assert dump.returncode == 0
        for name in ("main.conf", "part.conf"):
            path = f"{program.folder}/conf/{name}"
            assert f"# configuration file {path}:\n{program.read('conf/' + name)}" in dump.stdout


# -- each kind of mistake


@pytest.mark.parametrize("text, message, hint", [
    ("server { listen 1; ", 'unexpected end of file, expecting "}"', ""),
    ("server { listen 1; } }", 'unexpected "}"', ""),
    ("server { listen 1 }", '', ";"),
    ('server { server_name "open; }', "", ""),
    ("server { listen 1; return 200 $reqest_uri; }", 'unknown "reqest_uri" variable',
     'did you mean "$request_uri"?'),
    ("log_format a '$statsu'; server { listen 1; access_log /dev/null a; }",
     'unknown "statsu" variable', 'did you mean "$status"?'),
    ('server { listen 1; location ~ "(" { return 200; } }', "missing closing parenthesis", ""),
    ("server { listen 1; location / { proxy_pass htp://x; } }", "invalid URL prefix", "http://"),
    ("server { listen 1; location / { proxy_pass http://127.0.0.1:99999; } }", "invalid port", ""),
    ("server { listen 1; location / {} location / {} }", 'duplicate location "/"', ""),
    ("server { listen 1; location /a { location /b {} } }", 'location "/b" is outside location "/a"',
     ""),
    ("server { listen 1; location ^ /a {} }", 'invalid location modifier "^"', "^~"),
    ("server { listen 1 ssl; }", 'no "ssl_certificate" is defined', ""),
    ("upstream u { } server { listen 1; }", 'no servers are inside upstream', ""),
    ("upstream u { server a wieght=2; } server { listen 1; }", 'invalid parameter "wieght=2"',
     'did you mean "weight"?'),
    ("upstream u { server 127.0.0.1; } upstream u { server 127.0.0.1; } server { listen 1; }",
     'duplicate upstream "u"', ""),
    ("server { listen 1; access_log /dev/null nosuch; }", 'unknown log format "nosuch"', ""),
    ("error_log /dev/null loud; server { listen 1; }", '"loud"', ""),
    ("server { listen 1; return 200; } include no-such.conf;", "no-such.conf", ""),
    ("server { listen 1 default_server; } server { listen 1 default_server; }",
     "a duplicate default server for 0.0.0.0:1", ""),
    ("server { listen 1; set_real_ip_from 300.1.1.1; }", '"300.1.1.1"', ""),
    ("server { listen 1; ssl_ech_file x; }", '"ssl_ech_file" directive is not supported yet', "remove it"),
    ("server { listen 1; location / { proxy_http_version 3; } }", 'invalid value "3"', ""),
    ("worker_processes some; server { listen 1; }", '"some"', ""),
    ("server { listen 1; location / { add_header Bad: x; } }", "invalid header name", "colon"),
    ("server { listen 1; return 200 ${open; }", 'variable', ""),
])
def test_each_mistake_is_named_with_its_place(sallyport, text, message, hint):
    program = sallyport.make()
    done = program.check(text)
    assert done.returncode == 1, done.stderr
    assert message in done.stderr
    assert hint in done.stderr
    assert re.search(rf"\[emerg\] .* in {re.escape(str(program.folder))}/conf/main\.conf:\d+",
                     done.stderr), done.stderr


def test_an_error_in_an_included_file_names_that_file(sallyport):
    program = sallyport.make()
    for name in ("a", "b"):
        program.write(f"conf/sites/{name}.conf", "\n\nno_such_thing on;\n")
    done = program.check("include sites/*.conf;" + GOOD)
    for name in ("a", "b"):
        assert f"{program.folder}/conf/sites/{name}.conf:3" in done.stderr


def test_harmless_directives_of_later_stages_load_with_one_warning(sallyport):
    done = sallyport.make().check(GOOD.replace("location / {", """
        http3 off;
        location / {
            proxy_cache off;
            proxy_cache_key $uri;
            fastcgi_buffering on;"""))
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "[warn]" in line]
    assert len(warnings) == 1
    for name in ("http3", "proxy_cache", "proxy_cache_key", "fastcgi_buffering"):
        assert name in done.stderr


@pytest.mark.parametrize("directive", [
    "ssl_ech_file x;", "ssl_stapling on;",
])
def test_directives_with_a_meaning_are_refused_by_name(sallyport, directive):
    name = directive.split()[0]
    done = sallyport.make().check(f"{directive}\n{GOOD}")
    assert done.returncode == 1
    assert f'"{name}" directive is not supported yet' in done.stderr


def test_a_missing_file_is_a_short_sentence(sallyport):
    program = sallyport.make()
    done = program.run("-t")
    assert done.returncode == 1
    assert "conf/main.conf" in done.stderr and "(2: No such file or directory)" in done.stderr


def test_no_start_with_errors(sallyport):
    with pytest.raises(ProgramFailed, match="unknown directive"):
        sallyport("no_such_thing;" + GOOD)


def test_a_bad_reload_leaves_the_old_one_running_and_says_why(sallyport):
    proxy = sallyport(GOOD)
    proxy.configure(GOOD.replace("return", "retrun"))
    proxy.send_signal(1)
    proxy.wait_for_error('unknown directive "retrun"')
    assert proxy.get("/").status == 200
    proxy.reload(GOOD.replace("200", "204"))
    assert proxy.get("/").status == 204


# -- what is found by binding

UNIX = """
    server {{
        listen unix:{path};
        location / {{ return 200; }}
    }}
"""


def test_an_address_that_cannot_be_bound_is_an_error_in_nginx_s_words(sallyport):
    program = sallyport.make()
    text = UNIX.format(path="@dir@/nowhere/a.sock")
    done = program.check(text)
    assert done.returncode == 1
    assert (f"[emerg] bind() to unix:{program.folder}/nowhere/a.sock failed "
            "(2: No such file or directory)") in done.stderr
    assert "test failed" in done.stderr
    assert subprocess.run([program.binary, "check", "-c", program.folder / "conf/main.conf", "-p",
                           program.folder, "--no-bind"], check=False).returncode == 0


def test_a_running_instance_is_not_disturbed_by_a_test(sallyport):
    text = GOOD.replace("listen", "listen unix:@dir@/a.sock; listen", 1)
    proxy = sallyport(text)
    with proxy.client() as kept:
        assert kept.get().status == 200
        for _ in range(5):
            done = proxy.check(text)
            assert done.returncode == 0, done.stderr
            assert [proxy.get().status for _ in range(5)] == [200] * 5
        assert kept.get().status == 200
    assert (proxy.folder / "a.sock").is_socket()


def test_a_test_leaves_no_socket_behind(sallyport):
    program = sallyport.make()
    assert program.check(UNIX.format(path="@dir@/a.sock")).returncode == 0
    assert not (program.folder / "a.sock").exists()
