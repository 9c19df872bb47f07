"""What nginx runs or passes elsewhere and this program does not: refused by name, with the way out. And
how a start with a bad file ends."""
import re

import pytest

HTTP = "http { @@ server { listen 127.0.0.1:@port:http@; } }"
SERVER = "server { listen 127.0.0.1:@port:http@; @@ }"
LOCATION = SERVER.replace("@@", "location / { @@ }")
IF = LOCATION.replace("@@", "if ($arg_a) { @@ }")
LIMIT = LOCATION.replace("@@", "limit_except GET { @@ } return 200;")
UPSTREAM = "upstream u { @@ server 127.0.0.1; } server { listen 127.0.0.1:@port:http@; }"
WAY_OUT = "put the application's HTTP port behind proxy_pass"


def checked(sallyport, text):
    done = sallyport.make().check(text)
    return done.returncode, re.sub(r"\s+", " ", done.stderr)


@pytest.mark.parametrize("directive, places", [
    ("fastcgi_pass 127.0.0.1:9000;", (LOCATION, IF)),
    ("uwsgi_pass 127.0.0.1:9000;", (LOCATION, IF)),
    ("scgi_pass 127.0.0.1:9000;", (LOCATION, IF)),
    ("memcached_pass 127.0.0.1:11211;", (LOCATION, IF)),
    ('content_by_lua_block { ngx.say("}") }', (LOCATION, IF)),
    ("content_by_lua_file app.lua;", (LOCATION,)),
    ("content_by_lua 'ngx.exit(204)';", (LOCATION,)),
    ("access_by_lua_block { local t = { 1, { 2 } } }", (HTTP, SERVER, LOCATION, IF)),
    ("rewrite_by_lua_file a.lua;", (HTTP, SERVER, LOCATION, IF)),
    ("set_by_lua_block $x { return 1 }", (SERVER, LOCATION, IF)),
    ("log_by_lua_block { -- }\n }", (HTTP, SERVER, LOCATION)),
    ("init_by_lua_block { x = [[ } ]] }", (HTTP,)),
    ("balancer_by_lua_block { }", (UPSTREAM,)),
    ("ssl_certificate_by_lua_block { }", (HTTP, SERVER)),
    ("js_content main.hello;", (LOCATION, IF, LIMIT)),
    ("js_set $x main.x;", (HTTP, SERVER, LOCATION)),
    ("js_header_filter main.f;", (LOCATION, IF, LIMIT)),
    ("perl hello::handler;", (LOCATION, LIMIT)),
    ("perl_set $x 'sub { }';", (HTTP,)),
])
def test_what_runs_elsewhere_is_refused_by_name_wherever_it_may_stand(sallyport, directive, places):
    name = directive.split()[0]
    for place in places:
        status, said = checked(sallyport, place.replace("@@", directive))
        assert status == 1
        assert re.search(rf'\[emerg\] "{name}" directive is not supported( yet)? in \S+:\d+', said), said
        assert WAY_OUT in said, said
        assert said.count("[emerg]") == 1, said


@pytest.mark.parametrize("directives", [
    "fastcgi_buffers 8 4k; fastcgi_param A b; fastcgi_index i.php; fastcgi_read_timeout 5s;",
    "uwsgi_param A b; uwsgi_read_timeout 5s; uwsgi_buffering off;",
    "scgi_param A b; scgi_read_timeout 5s;",
    "memcached_read_timeout 5s; memcached_gzip_flag 2;",
    "lua_code_cache off; lua_socket_log_errors off;",
    "js_import main.js; js_fetch_timeout 1s;",
])
def test_what_only_tunes_them_does_no_harm(sallyport, directives):
    for place in (HTTP, SERVER, LOCATION):
        status, said = checked(sallyport, place.replace("@@", directives))
        assert status == 0, said
        for name in re.findall(r"(\w+) [^;]*;", directives):
            assert f'"{name}"' in said, said


def test_a_variable_that_a_program_would_set_is_no_second_error(sallyport):
    status, said = checked(sallyport, HTTP.replace("@@", "js_set $mine main.x;").replace(
        "listen", "return 200 $mine; listen"))
    assert status == 1 and said.count("[emerg]") == 1, said


@pytest.mark.parametrize("module, sentence", [
    ("ngx_http_realip_module", '[notice] "load_module" is not needed'),
    ("ngx_http_perl_module", "[emerg]"), ("ngx_http_js_module", "[emerg]"),
    ("ndk_http_module", "[emerg]"), ("ngx_http_brotli_filter_module", "[emerg]"),
    ("ngx_http_headers_more_filter_module", "[emerg]"), ("ngx_nobody_knows_it_module", "[emerg]"),
])
def test_modules_are_not_needed_or_refused_by_name(sallyport, module, sentence):
    status, said = checked(sallyport, f"load_module modules/{module}.so; " + SERVER.replace("@@", ""))
    assert status == (1 if "emerg" in sentence else 0)
    assert sentence in said
    if status:
        assert f'the module "{module}" cannot be loaded' in said
    else:
        assert "[warn]" not in said


# -- -T, and starts that fail


def test_the_dump_has_each_file_once_even_while_the_server_runs(sallyport):
    program = sallyport.make()
    program.write("conf/part.conf", "add_header X y;\n")
    text = SERVER.replace("@@", "location / { include part.conf; return 200; }"
                         "location /b { include part.conf; return 201; }")
    program.start(text)
    for _ in range(2):
        done = program.run("-T")
        assert done.returncode == 0, done.stderr
        names = re.findall(r"^# configuration file (.*):$", done.stdout, re.MULTILINE)
        assert names == [f"{program.folder}/conf/{name}.conf" for name in ("main", "part")]
        assert done.stdout.count("add_header X y;") == 1
        assert program.get("/b").status == 201


@pytest.mark.parametrize("text, sentence", [
    ("server { listen 127.0.0.1:1; no_such_thing; }", 'unknown directive "no_such_thing"'),
    ("server { listen 127.0.0.1:1; location / { fastcgi_pass a; } }", "not supported yet"),
    ("server { listen 127.0.0.1:1; return 200", "unexpected end of file"),
    ("server { listen 127.0.0.1:1 ssl; ssl_certificate none.crt; ssl_certificate_key none.key; }",
     "none.crt"),
])
@pytest.mark.parametrize("daemon", ["on", "off"])
def test_a_start_that_fails_says_so_and_leaves_no_pid_file(sallyport, text, sentence, daemon):
    program = sallyport.make()
    program.configure(f"daemon {daemon}; pid {program.folder}/a.pid;\n{text}")
    done = program.run()
    assert done.returncode == 1
    assert re.search(rf"\[emerg\] .*{re.escape(sentence)}.* in \S+/main\.conf:[12]$", done.stderr,
                     re.MULTILINE), done.stderr
    assert not (program.folder / "a.pid").exists()


def test_an_address_in_use_ends_the_start_without_a_pid_file(sallyport):
    first = sallyport(SERVER.replace("@@", "return 200;"))
    second = sallyport.make()
    second.configure(f"daemon off; pid {second.folder}/a.pid; server {{ listen "
                     f"127.0.0.1:{first.ports['http']}; }}")
    done = second.run()
    assert done.returncode == 1
    assert "[emerg] bind() to 127.0.0.1:" in done.stderr
    assert not (second.folder / "a.pid").exists()
    assert first.get("/").status == 200


# -- how deep a configuration may be


@pytest.mark.parametrize("text, files, sentence", [
    ("a { " * 65 + "}" * 65, {}, "blocks are nested more than 64 deep"),
    ("include 0.conf;", {f"{n}.conf": f"include {n + 1}.conf;" for n in range(20)},
     "includes are nested more than 16 deep"),
    ("include a.conf;", {"a.conf": "include b.conf;", "b.conf": "include a.conf;"},
     "include cycle"),
    ("include main.conf;", {}, "include cycle"),
    ("http { server { listen 127.0.0.1:1; location / " + "{ location / " * 80 + "{ }" + "}" * 82,
     {}, "blocks are nested more than 64 deep"),
])
def test_depth_is_bounded(sallyport, text, files, sentence):
    program = sallyport.make()
    for name, content in files.items():
        program.write(f"conf/{name}", content)
    done = program.check(text)
    assert done.returncode == 1
    assert re.search(rf"\[emerg\] {sentence} in \S+\.conf:1$", done.stderr, re.MULTILINE), done.stderr
