"""Configurations of well-known applications, complete, each driven by requests under both programs."""
import pytest

from support import wait_for
from support.backend import response
from support.site import NEEDS, configuration

PASSWORD = [("Authorization", "Basic YW5uOnNlY3JldA==")]  # ann:secret
USERS = "ann:{PLAIN}secret\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize("name", sorted(NEEDS))
def test_what_waits_for_a_directive_is_refused_by_its_name(sallyport, application, name):
    """When this fails, the directive is there: take the configuration out of NEEDS (support/site.py)."""
    program = sallyport.make()
    program.write("conf/wordpress_proxy.inc", "")
    names = ("backend", "canary", "console", "copy", "login", "other", "second", "streaming")
    backend = application()
    done = program.check(f"events {{ }} http {{ {configuration(name)} }}", **dict.fromkeys(names, backend))
    assert done.returncode == 1
    for directive in NEEDS[name].split(", "):
        assert f'"{directive}"' in done.stderr


def test_nextcloud(site, application):
    backend = application()
    cloud = site("nextcloud", backend=backend)
    assert cloud.location("/a?b=c", port="http") == (301, "https://cloud.example.com/a?b=c")
    answer = cloud.ask("/apps/files", fields=[("Accept-Encoding", "br")])
    assert answer.status == 200
    assert answer.field("Strict-Transport-Security").startswith("max-age=15768000")
    assert backend.seen("Host", "X-Real-IP", "X-Forwarded-Proto", "X-Forwarded-For", "Accept-Encoding") \
        == ("cloud.example.com", "127.0.0.1", "https", "127.0.0.1", None)
    assert cloud.location("/.well-known/caldav") == (301, "https://cloud.example.com/remote.php/dav/")
    assert cloud.location("/.well-known/webfinger?a=1") \
        == (301, "https://cloud.example.com/index.php/.well-known/webfinger?a=1")
    refused = cloud.ask("/data/owncloud.db")
    assert refused.status == 404 and refused.field("Strict-Transport-Security")
    assert cloud.status("/.htaccess") == 404
    assert cloud.status("/remote.php/dav/f", "PUT", body="x" * 3_000_000) == 200
    assert len(backend.last.body) == 3_000_000
    assert cloud.status("/remote.php/dav/f", "PROPFIND") == 200 and backend.last.method == "PROPFIND"
    assert cloud.converse("/push/ws")


def test_gitlab(site, application):
    backend = application()
    git = site("gitlab", backend=backend, files={"public/502.html": "GitLab is not responding\n"})
    assert git.status("/api/v4/projects/group%2Fproject?private_token=abc&x=1") == 200
    assert backend.last.target == "/api/v4/projects/group%2Fproject?private_token=abc&x=1"
    assert backend.seen("X-Forwarded-Ssl", "X-Forwarded-Proto") == ("on", "https")
    [line] = git.program.lines("logs/gitlab_access.log", count=1)
    assert "private_token=[FILTERED]&x=1" in line and "abc" not in line
    assert git.status("/g/p.git/git-receive-pack", "POST", body="x" * 2_000_000) == 200
    assert git.converse("/-/cable")
    backend.stop()
    answer = git.ask("/")
    assert (answer.status, answer.text) == (502, "GitLab is not responding\n")
    assert git.status("/502.html") == 404, "internal"


def test_grafana(site, application):
    backend = application()
    monitor = site("grafana", backend=backend)
    assert monitor.ask("/grafana/d/abc?orgId=1").text == "application"
    assert backend.last.target == "/d/abc?orgId=1"
    assert backend.seen("Host") == ("monitor.example.com",)
    assert monitor.converse("/grafana/api/live/ws")
    assert backend.last.target == "/api/live/ws"
    assert monitor.location("/grafana") == (301, f"http://monitor.example.com:{monitor.program.port('http')}"
                                                 "/grafana/") or monitor.status("/grafana") == 301
    assert monitor.status("/") == 404


def test_jenkins(site, application):
    backend = application(answers={"/login": response(status="302 Found", fields=[
        ("Location", "http://jenkins/view/all")])})
    ci = site("jenkins", backend=backend, files={
        "jenkins/war/scripts/a.js": "script\n", "jenkins/userContent/readme.txt": "readme\n"})
    assert ci.status("/job/a%2Fb/") == 200 and backend.last.target == "/job/a%2Fb/"
    assert backend.last.line.endswith("HTTP/1.1")
    assert ci.location("/login")[1] == f"http://jenkins.example.com:{ci.program.port('http')}/view/all" \
        or ci.location("/login")[1].endswith("/view/all")
    assert ci.ask("/userContent/readme.txt").text == "readme\n"
    before = len(backend.requests)
    assert ci.status("/static/0123abcd/scripts/none.js") == 200, "the application has it"
    assert backend.last.target == "/scripts/none.js" and len(backend.requests) == before + 1
    assert ci.status("/upload", "POST", body="x" * (10 << 20)) == 200
    with ci.client() as client:
        client.send(f"POST /upload HTTP/1.1\r\nHost: {ci.host}\r\nContent-Length: {(10 << 20) + 1}\r\n\r\n")
        assert client.response().status == 413
    assert ci.converse("/wsagents/")


def test_mastodon(site, application):
    backend, streaming = application(answers={"/broken": response(status="503 Busy")}), application("stream")
    social = site("mastodon", backend=backend, streaming=streaming, files={
        "public/packs/a.js": "pack\n", "public/500.html": "sorry\n", "public/sw.js": "worker\n",
        "public/system/x.png": "png"})
    assert social.location("/@ann", port="http") == (301, "https://social.example.com/@ann")
    assert social.ask("/@ann").text == "application"
    assert backend.seen("X-Forwarded-Proto", "Host") == ("https", "social.example.com")
    assert social.ask("/packs/a.js").field("Cache-Control") == "public, max-age=2419200, must-revalidate"
    assert social.status("/packs/none.js") == 404
    assert social.ask("/system/x.png").field("Content-Security-Policy")
    assert social.ask("/sw.js").text == "worker\n"
    assert social.converse("/api/v1/streaming?stream=user")
    assert streaming.last.target == "/api/v1/streaming?stream=user"


def test_synapse(site, application):
    backend = application()
    matrix = site("synapse", backend=backend)
    target = "/_matrix/client/v3/rooms/%21abc%3Aexample.com/state/m.room.name/%2Fx"
    for port in ("https", "https_federation"):
        assert matrix.status(target, port=port) == 200
        assert backend.last.target == target, "signatures are over the path as it came"
        assert backend.seen("X-Forwarded-For", "X-Forwarded-Proto", "Host") \
            == ("127.0.0.1", "https", "matrix.example.com")
    found = matrix.ask("/.well-known/matrix/client")
    assert found.field("Content-Type") == "application/json"
    assert found.field("Access-Control-Allow-Origin") == "*" and "m.homeserver" in found.text
    assert matrix.ask("/.well-known/matrix/server").text == '{"m.server": "matrix.example.com:443"}'
    assert matrix.status("/_matrix/media/v3/upload", "POST", body="x" * 2_000_000) == 200
    assert matrix.status("/_synapse/admin/v1/users") == 404


def test_home_assistant(site, application):
    backend = application(answers={"/auth": response(status="302 Found", fields=[
        ("Location", "http://home.example.com/lovelace")])})
    home = site("home-assistant", backend=backend)
    assert home.converse("/api/websocket")
    assert home.location("/auth") == (302, "https://home.example.com/lovelace")
    assert home.status("/api/error_log") == 403
    assert home.ask("/").field("Strict-Transport-Security") == "max-age=31536000; includeSubDomains"
    with pytest.raises(OSError):
        home.ask("/", host="203-0-113-7.example")


def test_discourse(site, application):
    backend = application(unix=True, answers={"/letter_avatar/a.png": response("png", fields=[
        ("Set-Cookie", "a=b"), ("ETag", '"x"')])})
    forum = site("discourse", backend=backend)
    assert forum.ask("/latest").text == "application"
    start = backend.seen("X-Request-Start")[0]
    assert start.startswith("t=") and float(start[2:]) > 1.7e9
    picture = forum.ask("/letter_avatar/a.png")
    assert picture.field("Set-Cookie") is None
    assert "max-age=31536000" in picture.all("Cache-Control") and "public" in picture.all("Cache-Control")
    assert [forum.status("/session", "POST", body="login=a") for _ in range(4)] == [200, 200, 200, 429]


def test_wordpress(site, application):
    backend = application()
    blog = site("wordpress", backend=backend, files={"conf/wordpress_proxy.inc": """
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Real-IP $remote_addr;
    """})
    assert blog.ask("/2024/05/hello/").text == "application"
    assert backend.seen("Host", "X-Forwarded-Proto", "Connection") == ("blog.example.com", "http", None)
    assert blog.status("/favicon.ico") == 204
    assert blog.ask("/robots.txt").text == "User-agent: *\nDisallow: /wp-admin/\n"
    for closed in ("/xmlrpc.php", "/.git/config", "/wp-content/uploads/2024/shell.php"):
        assert blog.status(closed) == 403
    assert blog.ask("/wp-content/themes/x/style.css").field("Cache-Control") == "max-age=315360000"
    assert [blog.status("/wp-login.php", "POST", body="log=a") for _ in range(3)] == [200, 200, 429]


def test_keycloak(site, application):
    backend = application(answers={"/resources/a.css": response("css", fields=[("Set-Cookie", "a=b")])})
    login = site("keycloak", backend=backend, files={"conf/admins": USERS})
    assert login.location("/") == (302, f"https://login.example.com:{login.program.port('https')}"
                                        "/realms/main/account/")
    assert login.ask("/realms/main/account/").text == "application"
    assert backend.seen("X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto") \
        == ("login.example.com", "443", "https")
    assert login.ask("/resources/a.css").field("Set-Cookie") is None
    assert login.ask("/realms/main", fields=[("Cookie", "t=" + "x" * 20000)]).status == 200
    assert login.status("/admin/master/console/") == 401
    assert login.status("/admin/master/console/", fields=PASSWORD) == 200
    assert backend.seen("Authorization") == (None,)
    assert [login.status(path) for path in ("/metrics", "/health/live", "/other")] == [404, 404, 404]


@pytest.mark.parametrize("name", ["minio", "minio-single"])
def test_minio(site, application, name):
    backend, console = application("api"), application("console")
    s3 = site(name, backend=backend, console=console)
    assert s3.ask("/bucket/a%20b.txt?versionId=1", fields=[("X-Amz-Date", "now")]).text == "api"
    assert backend.last.target == "/bucket/a%20b.txt?versionId=1"
    host = f"s3.example.com:{s3.program.port('http')}"
    assert s3.ask("/bucket", host=host).status == 200
    assert backend.seen("Host", "X-Amz-Date") == (host, None), "signatures are over the whole Host"
    assert s3.status("/bucket/large", "PUT", body="x" * 5_000_000) == 200
    assert len(backend.last.body) == 5_000_000
    assert s3.ask("/minio/ui/browser?x=1").text == "console" and console.last.target == "/browser?x=1"
    assert console.seen("X-NginX-Proxy") == ("true",)
    assert s3.converse("/minio/ui/ws/objectManager")


def test_harbor(site, application):
    core = application("core", answers={"/c/login": response("in", fields=[
        ("Set-Cookie", "sid=1; Path=/")])})
    portal = application("portal")
    registry = site("harbor", backend=core, portal=portal)
    assert registry.ask("/harbor/projects").text == "portal"
    assert registry.status("/v2/library/alpine/blobs/uploads/x", "PATCH", body="l" * 2_000_000) == 200
    assert core.last.target == "/v2/library/alpine/blobs/uploads/x" and len(core.last.body) == 2_000_000
    registry.ask("/v2/", fields=[("X-Forwarded-Proto", "https")])
    assert core.seen("X-Forwarded-Proto") == ("https",)
    registry.ask("/v2/")
    assert core.seen("X-Forwarded-Proto") == ("http",)
    cookie = registry.ask("/c/login").field("Set-Cookie")
    assert cookie.replace("path=", "Path=") == "sid=1; Path=/; HttpOnly; Secure"
    assert [registry.status(path) for path in ("/v1/", "/service/notifications")] == [404, 404]
    assert registry.ask("/").field("X-Frame-Options") == "DENY"


def test_sentry(site, application):
    web, relay = application("web"), application("relay")
    sentry = site("sentry", backend=web, relay=relay)
    for path in ("/api/store/", "/api/12/envelope/", "/api/0/relays/projectconfigs/"):
        assert sentry.ask(path, "POST", body="{}").text == "relay"
    assert sentry.ask("/api/0/projects/").text == "web"
    assert len(web.seen("X-Request-Id")[0]) == 32
    assert sentry.ask("/_static/x.js").field("Access-Control-Allow-Origin") == "*"
    assert sentry.status("/js-sdk/x") == 404
    assert sentry.ask("/").field("Connection") == "close"


def test_prometheus(site, application):
    backend = application()
    monitor = site("prometheus", backend=backend, files={"conf/htpasswd": USERS})
    assert monitor.status("/prometheus/graph") == 401
    assert monitor.status("/prometheus/graph?g0=up", fields=PASSWORD) == 200
    assert backend.last.target == "/prometheus/graph?g0=up"
    assert monitor.status("/prometheus/x", "POST", fields=PASSWORD, body="a") == 403
    assert monitor.status("/prometheus/api/v1/admin/tsdb/snapshot", fields=PASSWORD) == 403
    assert monitor.status("/-/healthy") == 200 and backend.last.target == "/prometheus/-/healthy"
    assert monitor.location("/prometheus", fields=PASSWORD)[1].endswith("/prometheus/")


def test_jellyfin(site, application):
    backend = application(answers={"/Videos/1": response("ell", "206 Partial Content", [
        ("Content-Range", "bytes 1-3/5"), ("Content-Type", "video/mp4")])})
    media = site("jellyfin", backend=backend)
    assert media.location("/web/?a=b", port="http") == (308, "https://media.example.com/web/?a=b")
    answer = media.ask("/Videos/1", fields=[("Range", "bytes=1-3")])
    assert (answer.status, answer.text, answer.field("Content-Range")) == (206, "ell", "bytes 1-3/5")
    assert backend.seen("Range", "X-Forwarded-Protocol") == ("bytes=1-3", "https")
    assert answer.field("Content-Security-Policy") and answer.field("Permissions-Policy")
    assert media.converse("/socket?api_key=k") and backend.last.target == "/socket?api_key=k"
    assert media.status("/Upload", "POST", body="x" * 1_500_000) == 200


def test_plex(site, application):
    backend = application()
    plex = site("plex", backend=backend)
    preflight = plex.ask("/library", "OPTIONS")
    assert (preflight.status, preflight.field("Access-Control-Allow-Origin")) == (204, "*")
    assert plex.ask("/web/index.html", fields=[("X-Plex-Token", "t")]).text == "application"
    assert backend.seen("X-Plex-Token", "Host") == ("t", "plex.example.com")
    assert plex.converse("/:/websockets/notifications")
    assert backend.last.target == "/:/websockets/notifications"


def test_gitea(site, application):
    backend = application()
    code = site("gitea", backend=backend, files={"gitea-public/css/a.css": "css\n"})
    assert code.ask("/gitea/ann/project/src/branch/a%2Fb").text == "application"
    assert backend.last.target == "/ann/project/src/branch/a%2Fb"
    assert backend.seen("Host", "X-Forwarded-Proto") == ("code.example.com", "http")
    asset = code.ask("/gitea/assets/css/a.css")
    assert (asset.text, asset.field("Cache-Control")) == ("css\n", "max-age=21600")
    assert code.status("/gitea/a.git/git-receive-pack", "POST", body="x" * 2_000_000) == 200


def test_vaultwarden(site, application):
    backend = application()
    vault = site("vaultwarden", backend=backend)
    assert vault.location("/login", port="http") == (301, "https://vault.example.com/login")
    assert vault.status("/", port="http", host="other.example.com") == 404
    assert vault.ask("/api/sync").text == "application"
    assert backend.seen("Connection", "Upgrade") == (None, None), "kept open, and no protocol asked for"
    assert vault.converse("/notifications/hub?access_token=t")
    assert vault.status("/admin") == 403 and vault.status("/admin/users") == 403


def test_nexus(site, application):
    backend, registry = application("pages"), application("registry")
    nexus = site("nexus", backend=backend, registry=registry)
    assert nexus.ask("/repository/maven/a.jar", fields=[("User-Agent", "Maven/3")]).text == "pages"
    assert backend.seen("X-Forwarded-Proto", "Host") == ("https", "nexus.example.com")
    docker = nexus.ask("/v2/", fields=[("User-Agent", "docker/24.0 go/1.20")])
    assert docker.text == "registry" and registry.last.target == "/v2/"
    assert registry.seen("X-Forwarded-Proto") == ("https",), "what the location says holds in the if"
    assert nexus.status("/repository/raw/x", "PUT", body="x" * 2_000_000) == 200


def test_artifactory(site, application):
    backend, artifactory = application("ui"), application("artifactory")
    repo = site("artifactory", backend=backend, artifactory=artifactory)
    answer = repo.ask("/", host="repo.example.com")
    assert answer.status == 302 and answer.field("Location").endswith("/ui/")
    assert repo.ask("/ui/login", host="repo.example.com").text == "ui"
    assert repo.ask("/v2/alpine/manifests/3?x=1", host="docker.repo.example.com").text == "artifactory"
    assert artifactory.last.target == "/artifactory/api/docker/docker/v2/alpine/manifests/3?x=1"
    assert artifactory.seen("X-JFrog-Override-Base-Url") == ("http://docker.repo.example.com:443",)


def test_sonarqube(site, application):
    backend = application()
    backend.answers["/sessions/init"] = response(status="302 Found", fields=[
        ("Location", f"http://{backend}/sessions/new")])
    quality = site("sonarqube", backend=backend)
    assert quality.location("/sessions/init") == (302, "https://quality.example.com/sessions/new")
    assert quality.status("/api/ce/submit", "POST", body="x" * 3_000_000) == 200
    assert quality.status("/api/issues/search", "POST", body="x" * 1_100_000) == 413
    assert quality.status("/api/system/info") == 403
    assert quality.status("/api/system/status") == 200


def test_kibana(site, application):
    backend = application()
    logs = site("kibana", backend=backend, files={"conf/htpasswd.users": USERS})
    refused = logs.ask("/app/discover")
    assert (refused.status, refused.field("WWW-Authenticate")) == (401, 'Basic realm="Restricted Access"')
    assert logs.ask("/app/discover", fields=PASSWORD).text == "application"
    assert backend.seen("Authorization", "X-Forwarded-User") == (None, "ann")
    assert logs.status("/api/status") == 200
    assert logs.converse("/socket", fields=PASSWORD)


def test_portainer(site, application):
    backend = application()
    docker = site("portainer", backend=backend)
    assert docker.ask("/portainer/api/endpoints?x=1").text == "application"
    assert backend.last.target == "/api/endpoints?x=1"
    assert docker.converse("/portainer/api/websocket/exec?id=1")
    assert backend.last.target == "/api/websocket/exec?id=1"
    answer = docker.ask("/portainer")
    assert answer.status == 301 and answer.field("Location").endswith("/portainer/")


def test_uptime_kuma(site, application):
    backend = application()
    kuma = site("uptime-kuma", backend=backend)
    assert kuma.location("/")[0] == 302 and kuma.location("/")[1].endswith("/dashboard")
    for host, page in (("status.shop.test", "shop"), ("team.test", "team"), ("eu.team.test", "team")):
        assert kuma.ask("/", host=host).text == "application"
        assert backend.last.target == f"/status/{page}"
    assert kuma.converse("/socket.io/?EIO=4&transport=websocket")


def test_rocketchat(site, application):
    first, second = application("first"), application("second")
    chat = site("rocketchat", backend=first, other=second)
    assert len({chat.ask("/").text for _ in range(6)}) == 1, "a client stays where it is"
    assert chat.converse("/websocket")


def test_mattermost(site, application):
    backend = application()
    talk = site("mattermost", backend=backend)
    assert talk.converse("/api/v4/websocket")
    assert talk.converse("/api/v4/users/websocket")
    assert talk.ask("/api/v4/users/me").text == "application"
    assert backend.seen("X-Frame-Options", "Connection") == ("SAMEORIGIN", None)
    assert talk.status("/api/v4/files", "POST", body="x" * 2_000_000) == 200
    assert backend.last.line.endswith("HTTP/1.1")


def test_ghost(site, application):
    backend = application(answers={
        "/content/images/a.png": response("png", fields=[("Content-Type", "image/png")]),
        "/": response("page", fields=[("Content-Type", "text/html; charset=utf-8")])})
    journal = site("ghost", backend=backend, files={
        "system/nginx-root/.well-known/acme-challenge/token": "proof"})
    assert journal.location("/a/?b=1", host="www.journal.test") == (301, "https://journal.test/a/?b=1")
    assert journal.ask("/", host="journal.test").field("X-Content-Type-Options") == "nosniff"
    assert journal.ask("/content/images/a.png", host="journal.test").field("X-Content-Type-Options") is None
    assert journal.ask("/.well-known/acme-challenge/token", host="journal.test").text == "proof"
    assert journal.status("/ghost/api/admin/images", "POST", host="journal.test", body="x" * 2_000_000) == 200


def test_odoo(site, application):
    answers = {"/web/login": response("in", fields=[("Set-Cookie", "session_id=s; HttpOnly; Path=/")])}
    backend, chat = application(answers=answers), application("chat")
    erp = site("odoo", backend=backend, chat=chat)
    answer = erp.ask("/web/login")
    cookie = answer.field("Set-Cookie").lower()
    assert cookie.startswith("session_id=s; httponly; path=/")
    assert "; secure" in cookie and "samesite=lax" in cookie
    assert answer.field("Strict-Transport-Security")
    assert backend.seen("X-Forwarded-Host", "X-Forwarded-Proto") == ("erp.example.com", "https")
    assert erp.status("/web/database/manager") == 404
    assert erp.converse("/websocket") and chat.last.target == "/websocket"
    with erp.client() as client:
        assert client.socket.version() == "TLSv1.2"
    assert '"GET /web/login HTTP/1.1" 200' in erp.program.lines("logs/odoo.access.log", count=1)[0]


def test_zulip(site, application):
    events = application(answers={"/json/events": CHUNKED})
    zulip = site("zulip", backend=events)
    assert zulip.location("/login/", port="http") == (301, "https://zulip.example.com/login/")
    assert zulip.ask("/json/events?queue_id=1").text == "hello"
    assert zulip.ask("/json/messages", fields=[("X-Forwarded-For", "")]).status == 200
    assert events.seen("X-Forwarded-Proto", "X-Forwarded-For")[0] == "https"
    assert zulip.status("/json/user_uploads", "POST", body="x" * 2_000_000) == 200


def test_peertube(site, application):
    backend = application()
    video = site("peertube", backend=backend, files={"storage/web-videos/a-1080.mp4": "0123456789"})
    assert video.ask("/api/v1/videos?count=1").text == "application"
    assert backend.last.target == "/api/v1/videos?count=1"
    assert video.status("/api/v1/users", "POST", body="x" * 110_000) == 413
    assert video.status("/api/v1/videos/upload-resumable?id=1", "PUT", body="x" * 2_000_000) == 200
    assert backend.last.target == "/api/v1/videos/upload-resumable?id=1"
    assert video.status("/api/v1/videos/upload", "POST", body="x" * 2_000_000) == 200
    assert len(backend.last.body) == 2_000_000, "the limit is the location's that the path leads to"
    assert video.status("/api/v1/videos/upload", "PUT", body="x") == 403
    answer = video.ask("/static/web-videos/a-1080.mp4", fields=[("Range", "bytes=2-4")])
    assert (answer.status, answer.text) == (206, "234")
    assert answer.field("Access-Control-Allow-Origin") == "*"
    preflight = video.ask("/static/web-videos/a-1080.mp4", "OPTIONS")
    assert preflight.status == 204 and preflight.field("Access-Control-Max-Age") == "1728000"
    assert video.converse("/socket.io/?EIO=4") and backend.last.target == "/socket.io/?EIO=4"
    assert video.ask("/static/web-videos/private/a.mp4").text == "application"


def test_immich(site, application):
    backend = application()
    photos = site("immich", backend=backend)
    with photos.client() as client:
        client.send(f"POST /api/assets HTTP/1.1\r\nHost: {photos.host}\r\nContent-Length: 3000000\r\n\r\n")
        client.send(b"x" * 100_000)
        wait_for(lambda: any(b"/api/assets" in one.received for one in backend.connections),
                 "the head to pass before the body is whole")
        client.send(b"x" * 2_900_000)
        assert client.response().status == 200
    assert len(backend.last.body) == 3_000_000
    assert photos.converse("/api/socket.io/")


def test_paperless(site, application):
    backend = application()
    papers = site("paperless", backend=backend)
    answer = papers.ask("/documents/1")
    assert answer.field("Referrer-Policy") == "strict-origin-when-cross-origin"
    port = papers.program.port("http")
    assert backend.seen("Host", "X-Forwarded-Host") == (f"papers.example.com:{port}", "papers.example.com")
    assert papers.converse("/ws/status/")


def test_n8n(site, application):
    backend = application(answers={"/rest/push": CHUNKED})
    flows = site("n8n", backend=backend)
    assert flows.ask("/webhook/abc", "POST", body="{}").text == "application"
    assert flows.status("/rest/push") == 403
    house = [("X-Real-IP", "192.168.1.7")]
    assert flows.ask("/rest/push", fields=house).text == "hello"
    assert flows.status("/webhook/large", "POST", body="x" * 2_000_000) == 200


def test_adguard(site, application):
    backend = application(answers={
        "/": response(status="302 Found", fields=[("Location", "/login.html")]),
        "/login": response("in", fields=[("Set-Cookie", "agh_session=1; Path=/; HttpOnly")]),
        "/dns-query": response("answer", fields=[("Content-Type", "application/dns-message")])})
    dns = site("adguard", backend=backend)
    answer = dns.ask("/aghome/")
    assert answer.status == 302 and answer.field("Location").endswith("/aghome/login.html")
    cookie = dns.ask("/aghome/login").field("Set-Cookie")
    assert cookie.lower() == "agh_session=1; path=/aghome/; httponly"
    query = dns.ask("/dns-query", "POST", body="q" * 40, fields=[("Content-Type", "application/dns-message")])
    assert (query.text, query.field("Content-Type")) == ("answer", "application/dns-message")
    assert dns.ask("/dns-query?dns=AAAB").text == "answer"
    assert dns.status("/dns-query", "PUT", body="q") == 403
    assert dns.status("/dns-query", "POST", body="q" * 5000) == 413


def test_phpmyadmin(site, application):
    backend = application(answers={
        "/index.php": response(status="302 Found", fields=[
            ("Location", "http://db.example.com/sql.php?a=1"), ("Set-Cookie", "pma=1; path=/")])})
    db = site("phpmyadmin", backend=backend, files={"conf/dba": USERS})
    assert db.location("/phpmyadmin")[1].endswith("/phpmyadmin/")
    assert db.status("/phpmyadmin/") == 401
    assert db.status("/phpmyadmin/", fields=PASSWORD) == 200 and backend.last.target == "/"
    answer = db.ask("/phpmyadmin/index.php", fields=PASSWORD)
    assert answer.field("Location").endswith("/phpmyadmin/sql.php?a=1")
    assert answer.field("Set-Cookie").lower() == "pma=1; path=/phpmyadmin/"
    assert db.status("/phpmyadmin/setup/", fields=PASSWORD) == 403
