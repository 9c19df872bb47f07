"""proxy_cookie_domain, proxy_cookie_path and proxy_cookie_flags, each case against nginx as well."""
import pytest

from support.backend import response
from test_headers import serve, site  # noqa: F401  (a fixture)


@pytest.fixture
def cookie(serve, make_backend):  # noqa: F811
    """cookie(directives, sent) is what a client gets of the backend's Set-Cookie."""
    def ask(directives, sent, target="/"):
        backend = make_backend(response("x", fields=[("Set-Cookie", sent)]))
        proxy = serve(site(f"location / {{ proxy_pass http://@to@; {directives} }}"), to=backend)
        answer = proxy.get(target)
        assert answer.status == 200
        assert len(answer.all("Set-Cookie")) == 1
        return answer.field("Set-Cookie")

    return ask


@pytest.mark.parametrize("directives, sent, got", [
    ("proxy_cookie_domain inner.test example.org;", "a=b; Domain=inner.test; Path=/",
     "a=b; Domain=example.org; Path=/"),
    ("proxy_cookie_domain inner.test example.org;", "a=b; domain=INNER.test",
     "a=b; domain=example.org"),
    # A dot in front stays; the configuration's own does not count.
    ("proxy_cookie_domain .inner.test .example.org;", "a=b; Domain=.inner.test",
     "a=b; Domain=.example.org"),
    ("proxy_cookie_domain inner.test example.org;", "a=b; Domain=x.inner.test",
     "a=b; Domain=x.inner.test"),
    ("proxy_cookie_domain ~^(\\w+)\\.inner\\.test$ $1.example.org;", "a=b; domain=X.INNER.TEST",
     "a=b; domain=X.example.org"),
    ("proxy_cookie_domain $proxy_host $host;", "a=b; domain=inner.test", "a=b; domain=inner.test"),
    ("proxy_cookie_domain inner.test $host;", "a=b; domain=inner.test", "a=b; domain=example.com"),
    # The first rule that matches, once.
    ("proxy_cookie_domain a.test b.test; proxy_cookie_domain b.test c.test;",
     "a=b; domain=a.test", "a=b; domain=b.test"),
    ("proxy_cookie_domain off;", "a=b; domain=a.test", "a=b; domain=a.test"),
    # No rule meets it: as it came, to the byte.
    ("proxy_cookie_domain a.test b.test;", "a = b;path=/ ; Secure", "a = b;path=/ ; Secure"),
    # The value of the cookie itself is never looked at.
    ("proxy_cookie_domain a.test b.test;", "domain=a.test", "domain=a.test"),
])
def test_domains_are_replaced(cookie, directives, sent, got):
    assert cookie(directives, sent) == got


@pytest.mark.parametrize("directives, sent, got", [
    ("proxy_cookie_path /two/ /;", "a=b; Path=/two/some/uri/", "a=b; Path=/some/uri/"),
    ("proxy_cookie_path /two/ /;", "a=b; Path=/Two/", "a=b; Path=/Two/"),
    ("proxy_cookie_path ~^/x(.*)$ /y$1;", "a=b; path=/x/1; HttpOnly", "a=b; path=/y/1; HttpOnly"),
    ("proxy_cookie_path ~^/x(.*)$ /y$1;", "a=b; path=/X/1", "a=b; path=/X/1"),
    ("proxy_cookie_path ~*^/x/(.*)$ /y/$1;", "a=b; path=/X/1", "a=b; path=/y/1"),
    ("proxy_cookie_path $uri/ /shown/;", "a=b; path=/deep/er", "a=b; path=/shown/er"),
])
def test_paths_are_replaced(cookie, directives, sent, got):
    assert cookie(directives, sent, target="/deep") == got


@pytest.mark.parametrize("directives, sent, got", [
    ("proxy_cookie_flags a secure;", "a=b", "a=b; Secure"),
    ("proxy_cookie_flags A secure httponly samesite=strict;", "a=b; Path=/",
     "a=b; Path=/; Secure; HttpOnly; SameSite=Strict"),
    ("proxy_cookie_flags b secure;", "a=b", "a=b"),
    ("proxy_cookie_flags ~^SES nosecure nohttponly nosamesite;",
     "session=1; Secure; HttpOnly; SameSite=None; Path=/", "session=1; Path=/"),
    ("proxy_cookie_flags a samesite=lax;", "a=b; samesite=none; Secure",
     "a=b; SameSite=Lax; Secure"),
    ("proxy_cookie_flags a samesite=lax;", "a=b; samesite=LAX", "a=b; samesite=LAX"),
    ("proxy_cookie_flags a $arg_flag $arg_other;", "a=b", "a=b; HttpOnly"),
    ("proxy_cookie_flags a secure; proxy_cookie_flags ~. httponly;", "a=b", "a=b; Secure"),
    ("proxy_cookie_flags a secure; proxy_cookie_flags ~. httponly;", "c=d", "c=d; HttpOnly"),
    ("proxy_cookie_flags off;", "a=b", "a=b"),
    ("proxy_cookie_flags novalue secure;", "novalue; Path=/", "novalue; Path=/"),
    ("proxy_cookie_flags a secure nosecure;", "a=b", "a=b; Secure"),
])
def test_flags_are_set_and_removed(cookie, directives, sent, got):
    assert cookie(directives, sent, target="/?flag=httponly&other=nonsense") == got


def test_each_cookie_is_looked_at_and_a_block_s_rules_replace_those_around(serve,  # noqa: F811
                                                                           make_backend):
    backend = make_backend(response("x", fields=[("Set-Cookie", "a=1; path=/x"),
                                                 ("Set-Cookie", "b=2; path=/x; Secure")]))
    proxy = serve(site("""
        proxy_cookie_path /x /server;
        location /in { proxy_pass http://@to@; }
        location /own { proxy_cookie_path /x /own; proxy_pass http://@to@; }
        location /off { proxy_cookie_path off; proxy_pass http://@to@; }
    """), to=backend)
    paths = {path: proxy.get(path).all("Set-Cookie") for path in ("/in", "/own", "/off")}
    assert paths == {"/in": ["a=1; path=/server", "b=2; path=/server; Secure"],
                     "/own": ["a=1; path=/own", "b=2; path=/own; Secure"],
                     "/off": ["a=1; path=/x", "b=2; path=/x; Secure"]}


@pytest.mark.parametrize("line, message", [
    ("proxy_cookie_domain a.test;", 'invalid parameter "a.test"'),
    ("proxy_cookie_path /a;", 'invalid parameter "/a"'),
    ("proxy_cookie_flags a;", 'invalid parameter "a"'),
    ("proxy_cookie_path off; proxy_cookie_path /a /b;",
     '"proxy_cookie_path" directive is duplicate'),
    ("proxy_cookie_path /a /b; proxy_cookie_path off;",
     '"proxy_cookie_path" directive is duplicate'),
])
def test_mistakes_are_told_in_nginx_s_words(sallyport, nginx, line, message):
    text = site(f"location / {{ proxy_pass http://127.0.0.1:1; {line} }}")
    ours = sallyport.make().check(f"http {{ {text} }}")
    theirs = nginx.make()
    theirs.configure(text)
    done = theirs.run("-t", "-e", "stderr")
    assert message in done.stderr
    assert message in ours.stderr and ours.returncode == 1


def test_a_cookie_of_a_thousand_parts_passes_as_it_is(sallyport, make_backend):
    sent = "a=b" + "; x=y" * 1000 + "; path=/x"
    proxy = sallyport(site("location / { proxy_pass http://@to@; proxy_cookie_path /x /y; }"),
                      to=make_backend(response("x", fields=[("Set-Cookie", sent)])))
    assert proxy.get().field("Set-Cookie") == sent
