"""Which server and which location a request meets, and what `return` says there."""
import pytest

from support.backend import response


# -- servers


def test_the_address_comes_before_the_name(sallyport):
    proxy = sallyport("""
        server { listen 127.0.0.1:@port:http@; server_name a.test; return 200 "first a"; }
        server { listen 127.0.0.1:@port:http@; server_name b.test; return 200 "first b"; }
        server { listen 127.0.0.1:@port:other@; server_name a.test; return 200 "second a"; }
        server { listen 127.0.0.1:@port:other@ default_server; return 200 "second default"; }
    """)
    assert proxy.get(host="a.test").text == "first a"
    assert proxy.get(host="b.test").text == "first b"
    assert proxy.get(host="none.test").text == "first a", "without default_server, the first"
    assert proxy.get(host="a.test", port="other").text == "second a"
    assert proxy.get(host="b.test", port="other").text == "second default"


def test_an_address_of_its_own_comes_before_the_wildcard_address(sallyport):
    proxy = sallyport("""
        server { listen @port:http@; return 200 any; }
        server { listen 127.0.0.2:@port:http@; return 200 "one"; }
    """)
    with proxy.client(host="127.0.0.1") as client:
        assert client.get("/").text == "any"
    with proxy.client(host="127.0.0.2") as client:
        assert client.get("/").text == "one"


def test_ipv6_and_unix_sockets_listen_too(sallyport):
    proxy = sallyport("""
        server {
            listen [::1]:@port:http@;
            listen unix:@dir@/listen.sock;
            return 200 "$server_addr $remote_addr";
        }
    """)
    with proxy.client(host="::1") as client:
        assert client.get("/").text == "::1 ::1"
    from support import Client
    with Client(f"unix:{proxy.folder}/listen.sock") as client:
        assert client.get("/").text == f"unix:{proxy.folder}/listen.sock unix:"


NAMES = """
    server { listen 127.0.0.1:@port:http@ default_server; server_name _; return 200 default; }
    server { listen 127.0.0.1:@port:http@; server_name www.example.com; return 200 exact; }
    server { listen 127.0.0.1:@port:http@; server_name *.example.com; return 200 front; }
    server { listen 127.0.0.1:@port:http@; server_name *.sub.example.com; return 200 longer; }
    server { listen 127.0.0.1:@port:http@; server_name mail.*; return 200 back; }
    server { listen 127.0.0.1:@port:http@; server_name .both.test; return 200 both; }
    server { listen 127.0.0.1:@port:http@; server_name ~^(?<who>[a-z]+)\\.users\\.test$;
             return 200 "user $who"; }
    server { listen 127.0.0.1:@port:http@; server_name ~users; return 200 second; }
    server { listen 127.0.0.1:@port:http@; server_name ""; return 200 nameless; }
"""


@pytest.fixture(scope="module")
def names(authority):
    yield from running(authority, NAMES)


def running(authority, text):
    from conftest import program_under_test
    from support import Sallyport
    program = Sallyport(authority)
    program.binary = program_under_test()
    try:
        yield program.start(text)
        program.stop()
    finally:
        program.kill()
        program.remove()


@pytest.mark.parametrize("host, server", [
    ("www.example.com", "exact"), ("WWW.EXAMPLE.COM", "exact"), ("www.example.com:8080", "exact"),
    ("www.example.com.", "exact"), ("x.example.com", "front"), ("x.y.example.com", "front"),
    ("a.sub.example.com", "longer"), ("example.com", "default"), ("mail.example.com", "front"),
    ("mail.example.org", "back"), ("both.test", "both"), ("a.b.both.test", "both"),
    ("alice.users.test", "user alice"), ("Alice.Users.Test", "user alice"),
    ("1.users.test", "second"), ("192.0.2.1", "default"), ("[::1]", "default"), ("[::1]:80", "default"),
    ("_", "default"),
])
def test_names_match_in_nginx_s_order(names, host, server):
    assert names.get(host=host).text == server


def test_no_host_at_all_meets_the_server_with_the_empty_name(names):
    with names.client() as client:
        client.send("GET / HTTP/1.0\r\n\r\n")
        assert client.response().text == "nameless"


def test_the_absolute_form_s_host_rules(names):
    with names.client() as client:
        client.send("GET http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
        assert client.response().text == "exact"


# -- locations

LOCATIONS = """
    server {
        listen 127.0.0.1:@port:http@;
        location / { return 200 "/"; }
        location = / { return 200 "= /"; }
        location /images/ { return 200 "/images/"; }
        location ^~ /static/ { return 200 "^~ /static/"; }
        location /static/deep/ { return 200 "/static/deep/"; }
        location ~ \\.png$ { return 200 "~ png"; }
        location ~* \\.(jpg|jpeg)$ { return 200 "~* jpg"; }
        location ~ ^/images/.*\\.png$ { return 200 "never"; }
        location = /exact { return 200 "= /exact"; }
        location /exact { return 200 "/exact"; }
        location ~ ^/user/(?<name>\\w+)/(\\d+)$ { return 200 "$name $1 $2"; }
        location /outer/ {
            location /outer/inner/ { return 200 "inner"; }
            location ~ \\.txt$ { return 200 "nested txt"; }
            location = /outer/same { return 200 "nested ="; }
            return 200 "outer";
        }
        location "/with space" { return 200 "space"; }
        location ~ "^/braces/[0-9]{3}$" { return 200 "braces"; }
        location =/stuck { return 200 "stuck"; }
        location ~*\\.STUCK$ { return 200 "stuck regex"; }
        location @unused { return 200 "named"; }
    }
"""


@pytest.fixture(scope="module")
def locations(authority):
    yield from running(authority, LOCATIONS)


@pytest.mark.parametrize("target, location", [
    ("/", "= /"), ("/other", "/"), ("/?x", "= /"), ("/images/", "/images/"), ("/images", "/"),
    ("/images/a.gif", "/images/"), ("/images/a.png", "~ png"), ("/images/a.PNG", "/images/"),
    ("/images/a.JPG", "~* jpg"), ("/static/a.png", "^~ /static/"),
    ("/static/deep/a.png", "~ png"), ("/static/deep/a.gif", "/static/deep/"), ("/exact", "= /exact"),
    ("/exact/", "/exact"), ("/exactly", "/exact"), ("/user/ann/42", "ann ann 42"),
    ("/outer/x", "outer"), ("/outer/inner/x", "inner"), ("/outer/a.txt", "nested txt"),
    ("/outer/inner/a.txt", "nested txt"), ("/outer/same", "nested ="), ("/outer/a.png", "~ png"),
    ("/with%20space", "space"), ("/braces/123", "braces"), ("/braces/12", "/"),
    ("/stuck", "stuck"), ("/x.stuck", "stuck regex"), ("/@unused", "/"),
    ("/images//a.gif", "/images/"), ("//images/a.gif", "/images/"), ("/x/../images/a.gif", "/images/"),
    ("/./images/./a.gif", "/images/"), ("/%69mages/a.gif", "/images/"), ("/images%2Fa.gif", "/"),
    ("/exact?.png", "= /exact"), ("/x.png?y", "~ png"),
])
def test_locations_match_in_nginx_s_order(locations, target, location):
    assert locations.get(target).text == location


@pytest.mark.parametrize("target", ["/..", "/../x", "/a/../../x", "/%2e%2e/x", "/a/%2e%2e%2fx"])
def test_nobody_climbs_above_the_root(locations, target):
    assert locations.get(target).status == 400


def test_a_server_without_locations_serves_nothing(sallyport):
    proxy = sallyport("server { listen 127.0.0.1:@port:http@; }")
    assert proxy.get("/").status == 404


def test_a_location_with_proxy_pass_and_a_slash_redirects_its_name(sallyport, backend):
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            location /app/ { proxy_pass http://@backend@; }
            location /bare { proxy_pass http://@backend@; }
        }
    """, backend=backend)
    answer = proxy.get("/app?x=1", host=f"example.com:{proxy.port('http')}")
    assert answer.status == 301
    assert answer.field("Location") == f"http://example.com:{proxy.port('http')}/app/?x=1"
    assert proxy.get("/app/").status == 200
    assert proxy.get("/bare").status == 200
    assert proxy.get("/ap").status == 404
    assert [seen.target for seen in backend.requests] == ["/app/", "/bare"]


# -- return


@pytest.mark.parametrize("directive, status, location, text", [
    ("return 204;", 204, None, ""),
    ("return 200;", 200, None, ""),
    ('return 200 "words";', 200, None, "words"),
    ('return 200 "";', 200, None, ""),
    ('return 403;', 403, None, "403 Forbidden"),
    ('return 404 "mine";', 404, None, "mine"),
    ('return 410;', 410, None, "410 Gone"),
    ('return 503;', 503, None, "503 Service Temporarily Unavailable"),
    ('return 301 https://$host$request_uri;', 301, "https://example.com/x?y=1", "301 Moved Permanently"),
    ('return 302 /other;', 302, "http://example.com@colon@/other", "302 Found"),
    ('return 303 http://a.test/;', 303, "http://a.test/", "303 See Other"),
    ('return 307 http://a.test/;', 307, "http://a.test/", "307 Temporary Redirect"),
    ('return 308 http://a.test/;', 308, "http://a.test/", "308 Permanent Redirect"),
    ('return https://a.test$uri;', 302, "https://a.test/x", "302 Found"),
    ('return 299 "strange $args";', 299, None, "strange y=1"),
])
def test_return_says_what_it_is_told(sallyport, directive, status, location, text):
    proxy = sallyport("server { listen 127.0.0.1:@port:http@; location / { " + directive + " } }")
    with proxy.client() as client:
        answer = client.get("/x?y=1", host="example.com")
        assert answer.status == status
        wanted = location and location.replace("@colon@", f":{proxy.port('http')}")
        assert answer.field("Location") == wanted
        assert text in answer.text
        if text == "":
            assert answer.body == b""
        assert client.get("/x?y=1", host="example.com").status == status, "the connection lives on"


def test_return_444_closes_without_a_word(sallyport):
    proxy = sallyport("server { listen 127.0.0.1:@port:http@; return 444; }")
    with proxy.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.receive_all() == b""


def test_return_s_text_has_the_default_type(sallyport):
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            default_type application/json;
            return 200 "{}";
        }
    """)
    answer = proxy.get("/")
    assert answer.field("Content-Type") == "application/json"
    assert answer.field("Content-Length") == "2"


def test_return_of_the_server_comes_before_every_location(sallyport):
    proxy = sallyport("""
        server { listen 127.0.0.1:@port:http@; return 418 teapot; location / { return 200; } }
    """)
    assert proxy.get("/").status == 418


def test_the_first_return_of_a_level_counts(sallyport):
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            location / { return 200 first; return 200 second; }
        }
    """)
    assert proxy.get("/").text == "first"


def test_captures_reach_headers_both_ways(sallyport, make_backend):
    backend = make_backend(response("ok"))
    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            server_name ~^(?<tenant>\\w+)\\.example\\.com$;
            location ~ ^/v(?<version>\\d)/(.*)$ {
                proxy_pass http://@backend@;
                proxy_set_header X-Tenant $tenant;
                proxy_set_header X-Version "$version";
                proxy_set_header X-Rest "<$2>";
                add_header X-Answer "$tenant-$1-${2}";
            }
            location ~ ^/(?<first>[^/]+)/redirect$ { return 302 https://$tenant.test/$first; }
        }
    """, backend=backend)
    answer = proxy.get("/v2/some/rest?q=1", host="acme.example.com")
    assert answer.field("X-Answer") == "acme-2-some/rest"
    assert backend.last.field("X-Tenant") == "acme"
    assert backend.last.field("X-Version") == "2"
    assert backend.last.field("X-Rest") == "<some/rest>"
    assert proxy.get("/a/redirect", host="acme.example.com").field("Location") == (
        "https://acme.test/a")
