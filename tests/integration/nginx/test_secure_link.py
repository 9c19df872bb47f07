"""secure_link: hashes of links, and their times. Asked of nginx, too."""
import base64
import hashlib

import pytest

from support.compare import Pair

SERVERS = """
    server {
        listen 127.0.0.1:@port:http@;
        location /md5/ {
            secure_link $arg_md5,$arg_expires;
            secure_link_md5 "$secure_link_expires$uri secret";
            return 200 "<$secure_link> <$secure_link_expires>";
            location /md5/inner/ { return 200 "inner <$secure_link>"; }
            location /md5/other/ { secure_link_md5 "$uri other"; return 200 "<$secure_link>"; }
            location /md5/old/ { secure_link_secret word; return 200 "<$secure_link>"; }
        }
        location /forever/ {
            secure_link $arg_md5;
            secure_link_md5 "$uri secret";
            return 200 "<$secure_link> <$secure_link_expires>";
        }
        location /p/ {
            secure_link_secret word;
            if ($secure_link = "") { return 403; }
            rewrite ^ /secure/$secure_link;
            location /p/inner/ { return 200 "<$secure_link>"; }
        }
        location /secure/ { internal; return 200 "secure $uri"; }
        location /unset/ { return 200 "<$secure_link> <$secure_link_expires>"; }
        location /half/ { secure_link $arg_md5; return 200 "<$secure_link>"; }
    }
"""
LATER, EARLIER = 4102444800, 946684800


@pytest.fixture(scope="module")
def pair(shared_sallyport, shared_nginx, shared_open_folder):
    return Pair(shared_sallyport, shared_nginx, SERVERS, shared_open_folder)


def digest(text):
    return base64.urlsafe_b64encode(hashlib.md5(text.encode()).digest()).decode().rstrip("=")


def of(uri, expires="", word="secret"):
    return digest(f"{expires}{uri} {word}")


def test_a_link_that_holds(pair):
    assert pair.ask(f"/md5/a?md5={of('/md5/a', LATER)}&expires={LATER}")[1] == f"<1> <{LATER}>"
    assert pair.ask(f"/forever/a?md5={of('/forever/a')}")[1] == "<1> <>"
    assert pair.ask(f"/forever/a?md5={of('/forever/a')}==")[1] == "<1> <>"
    assert pair.ask(f"/md5/inner/a?md5={of('/md5/inner/a', LATER)}&expires={LATER}")[1] == "inner <1>"
    assert pair.ask(f"/md5/other/a?md5={of('/md5/other/a', word='other')}&expires={LATER}")[1] == "<1>"


def test_a_link_whose_time_is_over(pair):
    assert pair.ask(f"/md5/a?md5={of('/md5/a', EARLIER)}&expires={EARLIER}")[1] == f"<0> <{EARLIER}>"


@pytest.mark.parametrize("query", [
    "", "md5=", "md5=x", f"md5={of('/md5/b', LATER)}&expires={LATER}",
    f"md5={of('/md5/a', LATER)}&expires={LATER + 1}", f"md5={of('/md5/a', 0)}&expires=0",
    f"md5={of('/md5/a', -1)}&expires=-1", f"md5={of('/md5/a', '1x')}&expires=1x",
    f"md5={of('/md5/a')}&expires=", f"md5={of('/md5/a', 2**63)}&expires={2**63}",
    f"md5={of('/md5/a', 2**64 + 5)}&expires={2**64 + 5}",
    f"md5={of('/md5/a', LATER)[:-1]}&expires={LATER}", f"md5={of('/md5/a', LATER)}xxxx&expires={LATER}",
    f"md5={of('/md5/a', LATER)}===&expires={LATER}", f"md5={'A' * 22}&expires={LATER}",
    f"md5={'+' * 22}&expires={LATER}", f"md5={'A' * 200}&expires={LATER}", "md5=,&expires=,",
])
def test_false_links(pair, query):
    text = pair.ask(f"/md5/a?{query}")[1]
    assert text.startswith("<>")


@pytest.mark.parametrize("target", [
    f"/p/{hashlib.md5(b'linkword').hexdigest()}/link",
    f"/p/{hashlib.md5(b'linkword').hexdigest().upper()}/link",
    f"/p/{hashlib.md5(b'a/b/cword').hexdigest()}/a/b/c",
    f"/p/{hashlib.md5(b'a?x=1word').hexdigest()}/a?x=1",
    f"/p/{hashlib.md5(b'a%20bword').hexdigest()}/a%20b",
    f"/p/{hashlib.md5(b'word').hexdigest()}/", f"/p/{hashlib.md5(b'word').hexdigest()}",
    f"/p/{hashlib.md5(b'linkwore').hexdigest()}/link", f"/p/{'0' * 31}g/link", f"/p/{'0' * 31}/link",
    f"/p/{'0' * 33}/link", "/p/", "/p//", "/p/x/link",
    f"/md5/old/{hashlib.md5(b'linkword').hexdigest()}/link",
    f"/unset/?md5={of('/unset/')}", f"/half/?md5={of('/half/')}",
])
def test_the_old_way(pair, target):
    pair.ask(target)


def test_the_old_way_leads_to_the_link(pair):
    hashed = hashlib.md5(b"linkword").hexdigest()
    assert pair.ask(f"/p/{hashed}/link")[:2] == (200, "secure /secure/link")
    assert pair.ask(f"/p/{hashed[:-1]}0/link")[0] == 403


@pytest.mark.parametrize("lines, message", [
    ('location / { secure_link_secret a; secure_link b; }', "cannot be mixed with"),
    ('location / { secure_link_secret a; secure_link_md5 b; }', "cannot be mixed with"),
    ("secure_link $none;", 'unknown "none" variable'),
    ("secure_link a; secure_link b;", '"secure_link" directive is duplicate'),
])
def test_refused(serve, lines, message):
    with pytest.raises(AssertionError) as failure:
        serve(lines)
    assert message in str(failure.value)
