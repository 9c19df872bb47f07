"""Configurations that administrators pass on to one another, complete, each driven under both programs."""
import ssl
import subprocess

import pytest

from support.backend import response


def test_hardening(site, application):
    backend = application()
    www = site("hardening", backend=backend)
    browser = [("User-Agent", "Mozilla/5.0")]
    answer = www.ask("/", fields=browser)
    assert answer.status == 200 and answer.field("X-Powered-By") is None
    for name in ("X-Frame-Options", "X-Content-Type-Options", "X-XSS-Protection", "Content-Security-Policy"):
        assert len(answer.all(name)) == 1
    assert www.status("/") == 403, "no agent"
    assert www.ask("/", fields=[("User-Agent", "sqlmap/1.7")]).field("X-Frame-Options") == "SAMEORIGIN"
    for agent in ("zgrab/0.x", "python-requests/2.31", "x Nikto"):
        assert www.status("/", fields=[("User-Agent", agent)]) == 403
    for host, agent in (("www.example.com", "Baiduspider/2.0"), ("other.example.com", "Mozilla/5.0")):
        with www.client(host=host) as client:
            client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\n\r\n")
            assert client.is_closed(), "444: not a byte"
    assert [www.status("/", method, fields=browser) for method in ("PUT", "DELETE", "POST")] == [405, 405, 200]
    for query in ("a=union+select", "q=%3Cscript%3E", "f=../../etc/passwd"):
        assert www.status(f"/?{query}", fields=browser) == 403
    assert [www.status(path, fields=browser) for path in
            ("/db.sql", "/a/.git/config", "/.well-known/x", "/wp-login.php", "/WP-ADMIN/")] \
        == [403, 404, 200, 410, 410]
    assert www.status("/", "POST", fields=browser, body="x" * 1025) == 413
    assert www.status("/" + "x" * 1100, fields=browser) == 414
    assert www.status("/", fields=[*browser, ("X-Long", "x" * 1100)]) in (400, 431)
    answers = [www.ask("/login", fields=browser) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert (answers[2].text, answers[2].field("Retry-After")) == ("calm down\n", "30")


@pytest.fixture(scope="module")
def dhparam():
    return subprocess.run(["openssl", "dhparam", "-dsaparam", "2048"], capture_output=True, text=True,
                          check=True).stdout


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the old version
def test_mozilla_s_intermediate(site, application, authority, dhparam):
    backend = application()
    web = site("mozilla-intermediate", backend=backend, files={"conf/dhparam.pem": dhparam})
    assert web.location("/a", port="http") == (301, "https://example.com/a")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with web.client(context=authority.client_context(versions=(version, version))) as client:
            answer = client.get("/", host="example.com")
            assert answer.field("Strict-Transport-Security") == "max-age=63072000"
    old = authority.client_context(versions=(ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1))
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(OSError):
        web.client(context=old)
    weak = authority.client_context(versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2))
    weak.set_ciphers("AES128-SHA:ECDHE-ECDSA-AES128-SHA")
    with pytest.raises(OSError):
        web.client(context=weak)


def test_mozilla_s_modern(site, application, authority):
    web = site("mozilla-modern", backend=application())
    with web.client() as client:
        assert client.socket.version() == "TLSv1.3"
        assert client.get("/", host="example.com").field("Strict-Transport-Security")
    with pytest.raises(OSError):
        web.client(context=authority.client_context(
            versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)))


def test_mozilla_s_with_stapling(site, application):
    web = site("mozilla-stapling", backend=application())
    assert web.status("/") == 200


def test_client_certificates(site, application, authority):
    machines = site("client-certificates", backend=application())
    assert machines.status("/") == 403
    context = authority.client_context(certificate=authority.certificate("robot.example.com"))
    with machines.client(context=context) as client:
        assert client.get("/", host=machines.host).status == 200


def test_a_canary_gets_its_share(site, application):
    stable, canary = application("stable"), application("canary")
    shop = site("canary", backend=stable, canary=canary)
    with shop.client() as client:
        texts = [client.get(f"/?user={number}", host=shop.host).text for number in range(400)]
        assert 40 < texts.count("canary") < 120
        again = [client.get(f"/?user={number}", host=shop.host).text for number in range(400)]
        assert again == texts, "who is who stays"
        for name in ("canary", "stable"):
            answer = client.get("/", host=shop.host, fields=[("Cookie", f"a=b; variant={name}")])
            assert answer.text == name
            assert answer.field("Set-Cookie") == f"variant={name}; Path=/; Max-Age=3600"
    assert canary.seen("X-Variant") == ("canary",)


def test_blue_and_green(site, application):
    colours = site("blue-green", backend=application("blue"), green=application("green"))
    assert colours.ask("/").text == "blue"
    assert colours.ask("/", fields=[("Cookie", "deployment=GREEN")]).field("X-Deployment") in ("GREEN", "green")
    assert colours.ask("/", fields=[("Cookie", "deployment=green")]).text == "green"
    both = [("Cookie", "deployment=green"), ("X-Deployment", "blue")]
    assert colours.ask("/", fields=both).text == "blue", "the header first"
    assert colours.ask("/", fields=[("Cookie", "deployment=red")]).text == "blue"


def test_maintenance(site, application):
    backend = application()
    www = site("maintenance", backend=backend, files={
        "www/maintenance.html": "back soon\n", "www/static/logo.svg": "logo"})
    assert www.status("/shop") == 200
    flag = www.program.write("www/maintenance.on", "")
    answer = www.ask("/shop")
    assert (answer.status, answer.text, answer.field("Retry-After")) == (503, "back soon\n", "3600")
    assert answer.field("Cache-Control") == "no-store"
    assert www.status("/shop", fields=[("X-Forwarded-For", "10.1.2.3")]) == 200, "the house may"
    assert www.ask("/static/logo.svg").text == "logo"
    flag.unlink()
    assert www.status("/shop") == 200


def test_cors(site, application):
    backend = application(answers={
        "/open": response("open", fields=[("Access-Control-Allow-Origin", "*")]),
        "/broken": response("no", "500 Internal Server Error")})
    api = site("cors", backend=backend)
    origin = [("Origin", "https://app.example.com")]
    preflight = api.ask("/v1/x", "OPTIONS", fields=[*origin, ("Access-Control-Request-Method", "PUT")])
    assert (preflight.status, preflight.body) == (204, b"")
    assert preflight.field("Access-Control-Allow-Origin") == "https://app.example.com"
    assert preflight.field("Access-Control-Max-Age") == "86400" and not backend.requests
    for path in ("/v1/x", "/open", "/broken"):
        answer = api.ask(path, fields=origin)
        assert answer.all("Access-Control-Allow-Origin") == ["https://app.example.com"]
        assert answer.field("Access-Control-Allow-Credentials") == "true"
        assert answer.field("Vary") == "Origin"
    for stranger in ("https://example.com.evil.test", "https://evilexample.com", "null"):
        answer = api.ask("/open", fields=[("Origin", stranger)])
        assert answer.field("Access-Control-Allow-Origin") is None
        assert answer.field("Access-Control-Allow-Credentials") is None
    assert api.ask("/", fields=[("Origin", "http://localhost:3000")]).field("Access-Control-Allow-Origin")


def test_websockets(site, application):
    backend = application()
    apps = site("websockets", backend=backend)
    for path, seen in (("/socket.io/?EIO=4", "/socket.io/?EIO=4"), ("/cable", "/cable"),
                       ("/cable/x?a", "/cable/x?a"), ("/ws/lobby?token=1", "/rooms/lobby?token=1")):
        assert apps.converse(path) and backend.last.target == seen
    assert backend.seen("X-Room") == ("lobby",)
    answer = apps.ask("/other", fields=[("Upgrade", "websocket"), ("Connection", "Upgrade")])
    assert answer.status == 200 and backend.seen("Upgrade", "Connection") == (None, None) \
        or backend.seen("Upgrade")[0] is None
    assert apps.ask("/socket.io/?EIO=4&transport=polling").text == "application"
    assert backend.seen("Upgrade", "Connection") == (None, "close")


def test_an_api_gateway(site, application):
    users = application("users", answers={"/internal/users/9": response("no", "404 Not Found")})
    orders = application("orders")
    api = site("api-gateway", backend=users, orders=orders)
    first, second = [("X-Api-Key", "k-first-1")], [("X-Api-Key", "k-second-2")]
    refused = api.ask("/v1/users")
    assert (refused.status, refused.text) == (401, '{"status":401,"message":"Unauthorized"}\n')
    assert refused.field("Content-Type") == "application/json"
    assert api.ask("/v2/users/7?full=1", fields=first).text == "users"
    assert users.last.target == "/internal/users/7?full=1"
    assert users.seen("X-Api-Version", "X-Client", "X-Api-Key") == ("2", "first", None)
    missing = api.ask("/v1/users/9", fields=first)
    assert (missing.status, missing.text) == (404, '{"status":404,"message":"Resource not found"}\n')
    assert api.ask("/nothing").text == missing.text
    assert [api.status("/v1/orders/1", fields=first) for _ in range(3)] == [200, 200, 429]
    assert orders.last.target == "/api/orders/1" and orders.seen("X-Client") == ("first",)
    assert api.status("/v1/orders/1", fields=second) == 200, "a limit for each client"
    assert api.location("/v2/orders?a=b")[0] == 308 and api.location("/v2/orders?a=b")[1].endswith("/v1/orders?a=b")
    orders.stop()
    gone = api.ask("/v1/orders/1", fields=second)
    assert (gone.status, gone.text) == (502, '{"status":502,"message":"Bad gateway"}\n')


def test_one_name_for_a_site(site, application):
    backend = application()
    web = site("www", backend=backend)
    assert web.location("/a/b?c=d", host="plain.test") == (301, "http://www.plain.test/a/b?c=d")
    assert web.location("/a/b?c=d", host="www.bare.test") == (301, "http://bare.test/a/b?c=d")
    for path, target in (("/old/about.html", "/about"), ("/old/kontakt", "/contact?from=old"),
                         ("/artikel/17", "/posts/17"), ("/news/?page=2", "/news?page=2"),
                         ("/index.php?x=1", "/?x=1")):
        status, location = web.location(path, host="bare.test")
        assert status == 301 and location.endswith(f"bare.test{target}") \
            or location.endswith(f"bare.test:{web.program.port('http')}{target}")
    assert web.ask("/news?page=2", host="www.plain.test").text == "application"


def test_countries(site, application):
    backend = application()
    web = site("geo-blocking", backend=backend)
    for address, status, seen in (("192.0.2.7", 200, ("AA", "de")), ("2001:db8::1", 200, ("CC", "fr")),
                                  ("203.0.113.1", 200, ("ZZ", "en"))):
        assert web.status("/", fields=[("X-Forwarded-For", address)]) == status
        assert backend.seen("X-Country", "X-Language") == seen
    refused = web.ask("/", fields=[("X-Forwarded-For", "198.51.100.9")])
    assert (refused.status, refused.text) == (451, "not here\n")
    assert web.status("/robots.txt", fields=[("X-Forwarded-For", "198.51.100.9")]) == 200


def test_hotlinks(site):
    images = site("hotlinks", files={"images/a.png": "picture", "images/denied/hotlink.png": "denied"})
    for referer in ("", "https://images.example.com/p", "https://www.example.com/", "http://example.org/x",
                    "https://www.google.com/search"):
        fields = [("Referer", referer)] if referer else []
        answer = images.ask("/a.png", fields=fields)
        assert answer.text == "picture", referer
        assert "public, no-transform" in answer.all("Cache-Control")
        assert answer.field("Content-Type") == "image/png"
    answer = images.ask("/a.png", fields=[("Referer", "https://thief.test/")])
    assert answer.text == "denied" or answer.status >= 400


def test_a_single_page_application(site, application):
    backend = application()
    app = site("single-page", backend=backend, files={
        "dist/index.html": "<app>", "dist/assets/app.0a1b.js": "js", "dist/robots.txt": "none",
        "dist/404.html": "not here"})
    for path in ("/", "/users/7", "/deep/er/path?x=1"):
        answer = app.ask(path)
        assert (answer.status, answer.text, answer.field("Content-Type")) == (200, "<app>", "text/html")
        assert answer.field("Cache-Control") == "no-cache, no-store, must-revalidate"
    asset = app.ask("/assets/app.0a1b.js")
    assert asset.field("Content-Type") == "application/javascript"
    assert asset.all("Cache-Control") == ["max-age=31536000", "public, immutable"]
    assert app.ask("/robots.txt").text == "none"
    missing = app.ask("/assets/none.js")
    assert (missing.status, missing.text) == (404, "not here")
    tag = asset.field("ETag")
    assert app.status("/assets/app.0a1b.js", fields=[("If-None-Match", tag)]) == 304
    assert app.ask("/api/users?x=1").text == "application" and backend.last.target == "/users?x=1"


def test_balancing(site, application):
    busy = response("busy", "503 Busy")
    first, second, spare = application("first"), application("second"), application("spare")
    web = site("balancing", backend=first, second=second, spare=spare)
    texts = [web.ask("/").text for _ in range(8)]
    assert (texts.count("first"), texts.count("second")) == (6, 2)
    second.answers["/"] = busy
    texts = [web.ask("/").text for _ in range(8)]
    assert texts == ["first"] * 8, "what one refuses the other answers"
    first.answers["/"] = busy
    assert [web.ask("/").text for _ in range(3)] == ["spare"] * 3
    first.stop()
    second.stop()
    assert web.ask("/elsewhere").text == "spare"


def test_a_key_stays_with_its_server(site, application):
    web = site("balancing-hash", backend=application("first"), second=application("second"))
    for session in range(8):
        cookie = [("Cookie", f"session={session}")]
        assert len({web.ask("/", fields=cookie).text for _ in range(3)}) == 1


def test_a_portal(site, application):
    backend = application()
    login = application("login", answers={"/oauth2/auth": response("", "401 Unauthorized")})
    portal = site("portal", backend=backend, login=login)
    status, location = portal.location("/app?a=1")
    assert status == 302 and location.endswith("/oauth2/sign_in?rd=http://portal.example.com/app?a=1")
    login.answers["/oauth2/auth"] = response("", "202 Accepted", [("X-Auth-Request-User", "ann")])
    assert portal.ask("/app", "POST", body="data").text == "application"
    assert backend.seen("X-User") == ("ann",) and backend.last.body == b"data"
    assert portal.status("/oauth2/auth") == 404, "internal"


def test_downloads(site, application):
    files = site("downloads", backend=application(), files={
        "files/public/a.txt": "a", "files/private/b.txt": "b"})
    listing = files.ask("/public/")
    assert 'href="a.txt"' in listing.text and "charset=utf-8" in listing.field("Content-Type")
    assert files.status("/private/b.txt") == 403
    assert files.status("/delivered/b.txt") == 404


def test_files_that_the_application_lets_out(site, application):
    backend = application(answers={
        "/report": response("", fields=[("X-Accel-Redirect", "/protected-files/q%201.pdf"),
                                        ("Content-Type", "application/pdf"), ("X-Inner", "1"),
                                        ("Content-Disposition", "attachment; filename=report.pdf")]),
        "/none": response("", fields=[("X-Accel-Redirect", "/protected-files/none")])})
    web = site("sendfile-protected", backend=backend, files={"protected/q 1.pdf": "0123456789"})
    answer = web.ask("/report")
    assert (answer.status, answer.text) == (200, "0123456789")
    assert answer.field("Content-Type") == "application/pdf" and answer.field("X-Served-By") == "disk"
    assert answer.field("Content-Disposition") == "attachment; filename=report.pdf"
    assert answer.field("X-Accel-Redirect") is None and answer.field("X-Inner") is None
    assert web.ask("/report", fields=[("Range", "bytes=-2")]).text == "89"
    assert web.status("/none") == 404 and web.status("/protected-files/q%201.pdf") == 404


def test_rewriting_pages(site, application):
    copy = application()
    backend = application(answers={"/": response(
        '<a href="http://inner.local/x">', fields=[("Content-Type", "text/html")])})
    old = site("rewriting-pages", backend=backend, copy=copy)
    assert old.ask("/").text == '<a href="https://old.example.com/x">'
    assert copy.last.target == "/"
