"""What `check -v` and `check --from nginx` say about a file of nginx's, and warnings of what is in vain."""
import json
import pathlib
import re
import subprocess

import pytest

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs/guide/differences.md"

# Touched by every difference that a file can be touched by.
TOUCHED = """\
underscores_in_headers on;
large_client_header_buffers 4 8k;
log_format secrets '$http_authorization';
upstream group { server app.test:80; }
server {
    listen 127.0.0.1:@port:http@ ssl;
    ssl_certificate_key site.key;
    ssl_password_file site.password;
    ssl_session_cache builtin:1000;
    ssl_early_data on;
    auth_basic_user_file users;
    location / {
        limit_rate 1k;
        proxy_pass https://$backend;
        proxy_set_header Content-Length 1;
        proxy_ssl_certificate $ssl_server_name.crt;
        proxy_ssl_password_file p;
        proxy_ssl_ciphers ALL;
        proxy_ssl_conf_command Groups X25519;
    }
    location /files { root /srv; autoindex on; ssi on; }
    location /none { }
    location /tunnel { tunnel_pass; }
    location /plain { proxy_pass http://group; }
    location /calls { grpc_pass grpcs://127.0.0.1:9; }
}
server {
    access_log logs/access.log secrets;
    error_log syslog:server=127.0.0.1;
}
"""


def check(program, text, *words):
    program.configure(text)
    return subprocess.run(
        [program.binary, "check", "--no-bind", "-p", f"{program.folder}/", "-c",
         f"{program.folder}/conf/main.conf", *words], capture_output=True, text=True, check=False)


def guide_rows():
    """what: (cells, has a star)"""
    rows = {}
    for line in GUIDE.read_text().splitlines():
        if line.startswith("| ") and not line.startswith("| what |"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            rows[cells[0].removesuffix(" *").strip()] = (cells, cells[0].endswith(" *"))
    return rows


def test_the_differences_are_the_guide_s(sallyport):
    done = check(sallyport.make(), TOUCHED, "--from", "nginx", "--format", "json")
    told = json.loads(done.stdout)["differences"]
    rows = guide_rows()
    for each in told:
        cells, _ = rows[each["what"]]
        assert (each["nginx"], each["here"], each["nginx_way"]) == (
            cells[1], cells[2], cells[4].removesuffix("|").strip()), each["what"]
    missing = {what for what, (_, star) in rows.items() if star} - {each["what"] for each in told}
    assert not missing, "rows with a star that the program does not know"
    stars = sum(rows[each["what"]][1] for each in told)
    under_compat = check(sallyport.make(), "compat nginx;\n" + TOUCHED, "--from", "nginx",
                         "--format", "json")
    assert len(json.loads(under_compat.stdout)["differences"]) == len(told) - stars


def test_a_difference_is_told_with_its_lines_and_the_way_back(sallyport):
    program = sallyport.make()
    text = "server {\n    listen 127.0.0.1:1;\n    location / { proxy_pass https://127.0.0.1; }\n}\n"
    done = check(program, text, "--from", "nginx")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "](" not in done.stdout and "`" not in done.stdout
    entry = next(part for part in done.stdout.split("\n\n") if part.startswith("backends over https"))
    assert re.sub(r"\s+", "", f"{program.folder}/conf/main.conf:3") in re.sub(r"\s+", "", entry)
    assert "nginx's way: proxy_ssl_verify off; proxy_ssl_server_name off;" in entry
    tuned = text.replace("location", "proxy_ssl_verify off; location")
    assert "backends over https" not in check(program, tuned, "--from", "nginx").stdout


def test_only_nginx_is_known(sallyport):
    assert check(sallyport.make(), "", "--from", "apache").returncode != 0


NGINX_FILE = """\
events { accept_mutex off; }
http {
    server_names_hash_bucket_size 64;
    server {
        listen 127.0.0.1:@port:http@;
        location / {
            aio threads;
            fastcgi_buffers 8 4k;
            return 200;
        }
    }
}
"""


def test_directives_without_a_meaning_are_listed_with_line_and_reason(sallyport):
    program = sallyport.make()
    done = check(program, NGINX_FILE, "-v", "--format", "json")
    found = json.loads(done.stdout)["without_effect"]
    assert [(each["directive"], each["line"]) for each in found] == [
        ("accept_mutex", 1), ("server_names_hash_bucket_size", 3), ("aio", 7),
        ("fastcgi_buffers", 8)]
    assert all(each["why"] for each in found)
    text = check(program, NGINX_FILE, "-v").stdout
    for name in ("accept_mutex", "aio", "fastcgi_buffers"):
        assert f"{name}:" in text
    assert max(map(len, text.splitlines())) <= 80
    plain = check(program, NGINX_FILE)
    assert plain.stdout == ""


SERVER = "server {{ listen 127.0.0.1:1; {} }}"


@pytest.mark.parametrize("text, message, hint", [
    ("server { listen 127.0.0.1:1; server_name a; return 200; }"
     "server { listen 127.0.0.1:1; server_name a; return 200; }",
     'conflicting server name "a" on 127.0.0.1:1, ignored', "another server"),
    (SERVER.format("location ~ a { return 200; } location ~ a { return 201; }"),
     'location "~ a" can never match', "has the same pattern and comes first"),
    (SERVER.format("location ~ .* { return 200; } location ~ a { return 201; }"),
     'location "~ a" can never match', "comes first and matches every path"),
    (SERVER.format("location ~ / { return 200; } location /a { return 201; }"),
     'location "/a" can never match', "matches every path"),
    (SERVER.format("location ^~ /a/ { return 200; } location ~ ^/a/b { return 201; }"),
     'location "~ ^/a/b" can never match', "no regular expression"),
    (SERVER.format("location = /a { return 200; } location ~ ^/a$ { return 201; }"),
     'location "~ ^/a$" can never match', "the only path"),
    ("upstream idle { server 127.0.0.1; }" + SERVER.format("return 200;"),
     'upstream "idle" is not used', "no proxy_pass names it"),
])
def test_what_is_in_vain_is_a_warning(sallyport, text, message, hint):
    program = sallyport.make()
    done = check(program, text)
    assert done.returncode == 0, done.stderr
    assert f"[warn] {message}" in done.stderr
    assert hint in re.sub(r"\s+", " ", done.stderr)
    said = json.loads(check(program, text, "--format", "json").stdout)
    assert [each["message"] for each in said["diagnostics"]] == [message]


@pytest.mark.parametrize("text", [
    "upstream used { server 127.0.0.1; }" + SERVER.format("location / { proxy_pass http://used; }"),
    "upstream Used { server 127.0.0.1; }" + SERVER.format(
        "location / { limit_except GET { proxy_pass http://used; } return 200; }"),
    "upstream any { server 127.0.0.1; }" + SERVER.format(
        "location / { proxy_pass http://$arg_backend; }"),
    SERVER.format("location / { return 200; } location ~ a { return 201; } location ~ / { return 1; }"
                  .replace("return 1;", "return 202;").replace("location / {", "location = / {")),
])
def test_what_is_in_use_is_none(sallyport, text):
    done = check(sallyport.make(), text)
    assert done.returncode == 0 and "[warn]" not in done.stderr, done.stderr


@pytest.mark.parametrize("text, hint", [
    ("upstream backend { server 127.0.0.1; }"
     + SERVER.format("location / { proxy_pass http://backnd; }"),
     'did you mean the upstream "backend"?'),
    ("upstream u { server 127.0.0.1 wieght=2; }" + SERVER.format("return 200;"), 'did you mean "weight"?'),
    (SERVER.format("location / { proxy_next_upstream eror; }"), 'did you mean "error"?'),
    ("server { listen 127.0.0.1:1 proxy_protocl; }", 'did you mean "proxy_protocol"?'),
    ("server { listen 127.0.0.1:1; ssl_protocols TLSv1.4; }", "TLSv1."),
    ("proxy_pass http://a; " + SERVER.format("return 200;"),
     'it may stand in location, "if" in location or limit_except'),
    ("http { events { } }", "this is http; it may stand in main"),
])
def test_what_was_meant_is_proposed(sallyport, text, hint):
    done = check(sallyport.make(), text)
    assert hint in re.sub(r"\s+", " ", done.stderr), done.stderr
