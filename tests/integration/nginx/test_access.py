"""allow and deny: who may come in. Every case is asked of nginx, too."""
import pytest


ROOT = "root @dir@/www;"


def test_the_first_rule_that_fits_decides(serve):
    program = serve(ROOT + """
        location /first/ { alias @dir@/www/; deny 127.0.0.1; allow all; }
        location /second/ { alias @dir@/www/; allow 127.0.0.0/8; deny all; }
        location /others/ { alias @dir@/www/; deny 192.0.2.0/24; }
        location /six/ { alias @dir@/www/; allow ::1; allow 2001:db8::/32; deny all; }
        location /unix/ { alias @dir@/www/; allow unix:; deny all; }
        location /none/ { alias @dir@/www/; }
    """)
    statuses = {name: program.get(f"/{name}/").status
                for name in ("first", "second", "others", "six", "unix", "none")}
    assert statuses == {"first": 403, "second": 200, "others": 200, "six": 403, "unix": 403,
                        "none": 200}
    program.wait_for_error("access forbidden by rule, client: 127.0.0.1", count=3)


def test_rules_pass_on_until_a_level_has_its_own(serve):
    program = serve(ROOT + """
        deny all;
        location / { }
        location /a/ { allow 127.0.0.1; }
        location /b/ { deny 192.0.2.1; location /b/c/ { alias @dir@/www/; } }
    """)
    assert program.get("/").status == 403
    assert program.get("/a/").status == 200
    assert program.get("/b/c/").status == 200


def test_a_client_of_a_unix_socket_is_known_by_it(serve):
    program = serve(ROOT + "listen unix:@dir@/socket; allow unix:; deny all;")
    assert program.get("/").status == 403
    with program.client() as _:
        pass
    from support import Client
    with Client(f"unix:{program.folder}/socket") as client:
        assert client.get("/").status == 200


def test_rules_see_the_address_that_a_trusted_proxy_states(serve):
    program = serve(ROOT + """
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Forwarded-For;
        allow 192.0.2.7;
        allow 2001:db8::/32;
        deny all;
    """)

    def status(address):
        return program.get("/", fields=[("X-Forwarded-For", address)]).status

    assert [status(a) for a in ("192.0.2.7", "192.0.2.8", "2001:db8::1", "2001:db9::1")] == [
        200, 403, 200, 403]


def test_an_answer_of_the_rewrite_phase_comes_before_the_rules(serve):
    program = serve("deny all; location / { return 200 hello; }")
    assert program.get("/").status == 200


@pytest.mark.parametrize("line,words", [
    ("allow example.com;", 'invalid parameter "example.com"'),
    ("deny 10.0.0.0/40;", 'invalid parameter "10.0.0.0/40"'),
    ("allow 10.0.0.1 10.0.0.2;", 'invalid number of arguments in "allow" directive'),
])
@pytest.mark.parametrize("kind", ["nginx", "sallyport"])
def test_mistakes_are_told_in_nginx_s_words(request, kind, line, words):
    program = request.getfixturevalue(kind).make()
    program.configure("events {}\nhttp { server { listen 127.0.0.1:@port:http@; %s } }" % line)
    done = program.run("-t")
    assert done.returncode != 0
    assert words in done.stderr


@pytest.mark.parametrize("kind", ["nginx", "sallyport"])
def test_bits_without_meaning_are_warned_of(request, kind):
    program = request.getfixturevalue(kind).make()
    program.configure("events {}\nhttp { server { listen 127.0.0.1:@port:http@; deny 10.1.2.3/8; } }")
    done = program.run("-t")
    assert done.returncode == 0, done.stderr
    assert "low address bits of 10.1.2.3/8 are meaningless" in done.stderr
