"""Requests with two readings: refused, or forwarded in a form that has one (threats 5, 6, 13, 14).

The backend records every byte. Whatever a client sends, each request in that recording must have one
reading only, and only such requests may be there as the client has really made.
"""
import re
import threading
import urllib.parse

import pytest

from support import wait_for
from support.raw import responses, send_sliced

HOST = "Host: example.com\r\n"


@pytest.fixture(scope="module")
def backend(make_shared_backend):
    return make_shared_backend()


@pytest.fixture(scope="module")
def proxy(shared_sallyport, backend):
    return shared_sallyport("""
        error_log stderr info;
        keepalive_requests 100000;
        server {
            listen 127.0.0.1:@port:http@;
            listen 127.0.0.1:@port:https@ ssl;
            server_name example.com;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            location / { proxy_pass http://@backend@; }
            location /stream { proxy_pass http://@backend@; proxy_request_buffering off; }
            location /websocket {
                proxy_pass http://@backend@;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection "upgrade";
            }
        }
    """, backend=backend)


def assert_one_reading(request):
    """A backend of any strictness reads this head and the length of its body alike."""
    assert re.fullmatch(rb"[A-Z][A-Z_-]* [!-~\x80-\xff]+ HTTP/1\.1", request.raw_head.split(b"\r\n")[0])
    for line in request.raw_head.split(b"\r\n")[1:]:
        assert re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t -~\x80-\xff]*", line), line
    assert b"\0" not in request.raw_head and not re.search(rb"\r(?!\n)|(?<!\r)\n", request.raw_head)
    assert len(request.all("Host")) == 1
    lengths, codings = request.all("Content-Length"), request.all("Transfer-Encoding")
    assert (len(lengths), len(codings)) in ((0, 0), (1, 0), (0, 1))
    assert all(re.fullmatch("[0-9]+", length) for length in lengths)
    assert all(coding == "chunked" for coding in codings)
    folded = [re.sub("[_.]", "-", name).lower() for name, _ in request.fields]
    for name in ("content-length", "transfer-encoding", "host"):
        assert folded.count(name) <= 1


LAST = f"GET /last HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n"


def smuggle(proxy, backend, data, transport="plain", size=1 << 20):
    """Sends it, and a last request behind it. Returns the statuses of all answers and the targets that
    the backend saw, each request checked; "/last" is in neither."""
    before = len(backend.requests)
    with proxy.client("http") if transport == "plain" else proxy.tls_client("https") as client:
        send_sliced(client, data + LAST.encode(), size)
        found, left = responses(client.receive_all(), ["HEAD"] if data.startswith(b"HEAD") else [])
    assert left == b""
    arrived = backend.requests[before:]
    for request in arrived:
        assert_one_reading(request)
    statuses = [answer.status for answer in found]
    if arrived and arrived[-1].target == "/last":
        assert statuses.pop() == 200
        arrived.pop()
    return statuses, arrived


# name: bytes, statuses, targets that the backend may see. "smuggled" is in none of them.
HIDDEN = f"GET /smuggled HTTP/1.1\r\n{HOST}\r\n"


def post(*fields, body="", target="/first"):
    lines = "".join(f"{field}\r\n" for field in fields)
    return f"POST {target} HTTP/1.1\r\n{HOST}{lines}\r\n{body}"


CORPUS = {
    "CL.TE": (post("Content-Length: 30", "Transfer-Encoding: chunked", body="0\r\n\r\n" + HIDDEN),
              [400], []),
    "TE.CL": (post("Transfer-Encoding: chunked", "Content-Length: 4",
                   body=f"{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n"), [400], []),
    "TE.TE": (post("Transfer-Encoding: chunked", "Transfer-Encoding: cow", body="0\r\n\r\n" + HIDDEN),
              [400], []),
    "CL.0": (post(f"Content-Length: {len(HIDDEN)}", body=HIDDEN), [200], ["/first"]),
    "0.CL": (f"GET /first HTTP/1.1\r\n{HOST}Content-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
             [200], ["/first"]),
    "body of HEAD": (f"HEAD /first HTTP/1.1\r\n{HOST}Content-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
                     [200], ["/first"]),
    "body of OPTIONS": (f"OPTIONS /first HTTP/1.1\r\n{HOST}Content-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
                        [200], ["/first"]),
    "chunked GET": (f"GET /first HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n"
                    f"{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n", [200], ["/first"]),
    "CHUNKED": (post("Transfer-Encoding: CHUNKED", body=f"{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n"),
                [200], ["/first"]),
    "blanks around chunked": (post("Transfer-Encoding: \t chunked \t",
                                   body=f"{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n"),
                              [200], ["/first"]),
    "chunk extension with a quoted line": (post(
        "Transfer-Encoding: chunked", body='5;a="\r\nhello\r\n0\r\n\r\n'), [200], ["/first"]),
    "extension hides a chunk (TERM.EXT)": (post(
        "Transfer-Encoding: chunked", body="5;\nxxxx\r\nhello\r\n0\r\n\r\n" + HIDDEN), [400], []),
    "extension hides a chunk (EXT.TERM)": (post(
        "Transfer-Encoding: chunked", body="5;\rxxxx\r\nhello\r\n0\r\n\r\n" + HIDDEN), [400], []),
    "chunk end of two bytes (SPILL)": (post(
        "Transfer-Encoding: chunked", body="5\r\nhelloXX0\r\n\r\n" + HIDDEN), [400], []),
    "chunk size wraps at 64 bits": (post(
        "Transfer-Encoding: chunked", body="10000000000000005\r\nhello\r\n0\r\n\r\n" + HIDDEN), [400], []),
    "leading zeros of a chunk": (post(
        "Transfer-Encoding: chunked", body="0000000000000005\r\nhello\r\n000\r\n\r\n"), [200], ["/first"]),
    "leading zeros of a length": (post("Content-Length: 0005", body="hello"), [200], ["/first"]),
    "trailer with Content-Length": (post(
        "Transfer-Encoding: chunked", body=f"0\r\nContent-Length: {len(HIDDEN)}\r\n\r\n" + HIDDEN),
        [400], []),
    "trailer with Host": (post("Transfer-Encoding: chunked", body="0\r\nHost: evil\r\n\r\n" + HIDDEN),
                          [400], []),
    "space before the colon": (post("Transfer-Encoding : chunked", "Content-Length: 5",
                                    body="0\r\n\r\n" + HIDDEN), [400], []),
    "vertical tab": (post("Transfer-Encoding:\x0bchunked", body="0\r\n\r\n" + HIDDEN), [400], []),
    "folded coding": (post("Transfer-Encoding:\r\n chunked", body="0\r\n\r\n" + HIDDEN), [400], []),
    "folded name": (post("X: y\r\n Transfer-Encoding: chunked", body="0\r\n\r\n" + HIDDEN), [400], []),
    "line feed in a value": (post("X: y\nTransfer-Encoding: chunked", body="0\r\n\r\n" + HIDDEN),
                             [400], []),
    "carriage return in a value": (post("X: y\rTransfer-Encoding: chunked", body="0\r\n\r\n" + HIDDEN),
                                   [400], []),
    "underscores": (post("Transfer_Encoding: chunked", "Content-Length: 5", body="0\r\n\r\n" + HIDDEN),
                    [400], []),
    "prefix of a name": (post("XTransfer-Encoding: chunked", "Content-Length: 5", body="0\r\n\r\n"),
                         [200], ["/first"]),
    "Connection names Content-Length": (post(
        "Connection: keep-alive, Content-Length", f"Content-Length: {len(HIDDEN)}", body=HIDDEN),
        [200], ["/first"]),
    "Connection names Transfer-Encoding": (post(
        "Connection: Transfer-Encoding", "Transfer-Encoding: chunked",
        body=f"{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n"), [200], ["/first"]),
    "Connection names Host": (f"GET /first HTTP/1.1\r\n{HOST}Connection: Host\r\n\r\n",
                              [200], ["/first"]),
    "two hosts": (f"GET /first HTTP/1.1\r\n{HOST}Host: evil\r\n\r\n", [400], []),
    "absolute form beats Host": ("GET http://example.com/first HTTP/1.1\r\nHost: other\r\n\r\n",
                                 [200], ["/first"]),
    "h2c": (f"GET /first HTTP/1.1\r\n{HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", [200], ["/first"]),
    "HTTP/1.0 with a length": (f"POST /first HTTP/1.0\r\n{HOST}Content-Length: {len(HIDDEN)}\r\n"
                               f"\r\n{HIDDEN}", [200], ["/first"]),
    "expects what it does not wait for": (post(
        "Expect: 100-continue", f"Content-Length: {len(HIDDEN)}", body=HIDDEN), None, ["/first"]),
    "an odd expectation": (post("Expect: cow", "Content-Length: 5", body="hello"), None, ["/first"]),
    "line break in the target": (f"GET /first%0d%0aX:y HTTP/1.1\r\n{HOST}\r\n", [400], []),
    "request line in the target": (f"GET /first%20HTTP/1.1%0d%0aHost:%20evil%0d%0a%0d%0a HTTP/1.1\r\n"
                                   f"{HOST}\r\n", [400], []),
    "line break in the query": (f"GET /first?a%0d%0aX:y HTTP/1.1\r\n{HOST}\r\n",
                                [200], ["/first?a%0d%0aX:y"]),
}


@pytest.mark.threads
@pytest.mark.parametrize("prefix", ["", "/stream"])
@pytest.mark.parametrize("name", CORPUS)
def test_it_has_one_reading_or_is_refused(proxy, backend, name, prefix):
    text, statuses, targets = CORPUS[name]
    data = text.replace("/first", f"{prefix}/first").encode("latin-1")
    streams = prefix == "/stream" and "chunked" in text.lower()
    for transport, size in (("plain", 1 << 20), ("plain", 1), ("tls", 1 << 20)):
        got, arrived = smuggle(proxy, backend, data, transport, size)
        if statuses is not None:
            assert got == statuses
        seen = [request.target for request in arrived]
        # What streams may have begun to reach the backend before it turned out to be broken; then it
        # was never completed, so the recording has no such request either.
        assert seen == [prefix + target for target in targets] or streams and seen == []
        assert not any("smuggled" in target for target in seen)


def test_pipelined_requests_are_answered_in_order_whatever_they_carry(proxy, backend):
    number, data = 0, b""
    for number in range(30):
        fields, body = [("", b""), ("Content-Length: 5\r\n", b"hello"),
                        ("Transfer-Encoding: chunked\r\n", b"5;x\r\nhello\r\n0\r\nX-A: b\r\n\r\n")][number % 3]
        data += f"POST /{number} HTTP/1.1\r\n{HOST}{fields}\r\n".encode() + body
    got, arrived = smuggle(proxy, backend, data)
    assert got == [200] * 30
    assert [request.target for request in arrived] == [f"/{i}" for i in range(30)]
    assert [request.body for request in arrived] == [b"", b"hello", b"hello"] * 10


# -- Upgrade (threats 6)

UPGRADE = f"GET /websocket HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def test_after_a_refused_upgrade_early_bytes_are_no_requests(proxy, backend):
    """The client sent its first frames at once; the backend answered 200. They mean nothing now."""
    got, arrived = smuggle(proxy, backend, (UPGRADE + HIDDEN).encode())
    assert got == [200]
    assert [request.target for request in arrived] == ["/websocket"]


def test_a_tunnel_passes_on_early_bytes_after_the_101_only(sallyport, make_backend):
    allowed = threading.Event()
    early = []

    def serve(connection):
        connection.read_head()
        connection.socket.settimeout(0.3)
        try:
            early.append(connection.receive())
        except TimeoutError:
            pass
        connection.socket.settimeout(10)
        allowed.set()
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                        "Upgrade: websocket\r\n\r\nwelcome")
        connection.take_until(b"early frame")
        connection.send("thanks")

    proxy = sallyport("""
        server {
            listen 127.0.0.1:@port:http@;
            location / {
                proxy_pass http://@backend@;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection "upgrade";
            }
        }
    """, backend=make_backend(serve=serve))
    with proxy.client() as client:
        client.send(UPGRADE + "early frame")
        assert client.response().status == 101
        client.receive(lambda data: data == b"welcomethanks")
    assert not early, "bytes of the tunnel came before the backend had agreed to it"


@pytest.mark.parametrize("request_text", [
    f"POST /websocket HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n"
    f"Content-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    f"POST /websocket HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n"
    f"Transfer-Encoding: chunked\r\n\r\n{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n",
    f"GET /websocket HTTP/1.1\r\n{HOST}Connection: Upgrade\r\n\r\n",
    f"GET /websocket HTTP/1.1\r\n{HOST}Upgrade: websocket\r\n\r\n",
    f"GET /websocket HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    f"GET /websocket HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
    f"GET /websocket HTTP/1.0\r\n{HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    f"GET /first HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
], ids=["with a length", "chunked", "no protocol", "not in Connection", "h2c", "h2c among others",
        "HTTP/1.0", "not configured"])
def test_odd_upgrades_have_one_reading(proxy, backend, request_text):
    got, arrived = smuggle(proxy, backend, request_text.encode())
    assert got == [200] and len(arrived) == 1
    upgrade = arrived[0].field("Upgrade")
    assert upgrade in (None, "websocket")
    assert (upgrade is None) == ("upgrade" not in (arrived[0].field("Connection") or "").lower())
    if "h2c" in request_text or "HTTP/1.0" in request_text or "/first" in request_text:
        assert upgrade is None


@pytest.mark.parametrize("method, status", [("CONNECT example.com:443", 405), ("CONNECT /", 400)])
def test_connect_is_refused_and_its_body_is_no_request(proxy, backend, method, status):
    got, arrived = smuggle(proxy, backend, f"{method} HTTP/1.1\r\n{HOST}Content-Length: {len(HIDDEN)}"
                           f"\r\n\r\n{HIDDEN}".encode())
    assert (got, arrived) == ([status], [])


# -- trusted headers (threats 14)

CLAIMS = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
          "X-Forwarded-Server", "X-Forwarded-Prefix", "X-Real-IP", "Forwarded"]


def spellings(name):
    yield from {name, name.lower(), name.upper(), name.replace("-", "_"), name.replace("-", "."),
                name.replace("-", "_", 1), name.lower().replace("-", "_"), name.upper().replace("-", ".")}


HEADERS = """
    error_log stderr info;
    @trust@
    server {
        listen 127.0.0.1:@port:http@;
        location /set {
            proxy_pass http://@backend@;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-User-Name nobody;
        }
        location /plain { proxy_pass http://@backend@; }
    }
"""


def folded(request):
    """name -> values as CGI, WSGI and their kind see them."""
    seen = {}
    for name, value in request.fields:
        seen.setdefault(re.sub("[^a-z0-9]", "-", name.lower()), []).append(value)
    return seen


@pytest.fixture(scope="module")
def wary(shared_sallyport, backend):
    return shared_sallyport(HEADERS, backend=backend, trust="")


def ask(proxy, backend, target, *fields):
    before = len(backend.requests)
    with proxy.client() as client:
        client.send(f"GET {target} HTTP/1.1\r\n{HOST}" + "".join(f"{f}\r\n" for f in fields) + "\r\n")
        assert client.response().status == 200
    assert len(backend.requests) == before + 1
    assert_one_reading(backend.last)
    return backend.last


@pytest.mark.parametrize("name", CLAIMS)
def test_what_a_client_claims_about_itself_does_not_reach_the_backend(wary, backend, name):
    for spelling in sorted(spellings(name)):
        request = ask(wary, backend, "/plain", f"{spelling}: 203.0.113.7", "X-Other: kept")
        assert name.lower() not in folded(request), spelling
        assert b"203.0.113.7" not in request.raw_head
        assert request.field("X-Other") == "kept"


@pytest.mark.parametrize("name", ["X-Real-IP", "X-Forwarded-For", "X-User-Name"])
def test_what_the_configuration_sets_is_the_only_one(wary, backend, name):
    wanted = "nobody" if name == "X-User-Name" else "127.0.0.1"
    for spelling in sorted(spellings(name)):
        for fields in ([f"{spelling}: evil"], [f"{spelling}: evil"] * 3,
                       [f"Connection: {spelling}", f"{spelling}: evil"],
                       [f"{spelling}: evil", f"Connection: close, {name}"]):
            request = ask(wary, backend, "/set", *fields)
            assert folded(request)[name.lower()] == [wanted], fields
            assert b"evil" not in request.raw_head


@pytest.mark.parametrize("named", ["X-Real-IP", "X-Forwarded-For", "Host", "Authorization", "Cookie",
                                   "Content-Type", "Cache-Control", "Accept", "User-Agent"])
def test_connection_removes_nothing_that_others_rely_on(wary, backend, named):
    request = ask(wary, backend, "/set", "Authorization: Basic eA==", "Cookie: a=b", "Accept: */*",
                  "Content-Type: text/plain", "Cache-Control: no-store", "User-Agent: test",
                  "X-Hop: gone", f"Connection: {named}, X-Hop")
    seen = folded(request)
    assert {"x-real-ip", "x-forwarded-for", "host", "authorization", "cookie", "content-type",
            "cache-control", "accept", "user-agent"} <= set(seen)
    assert "x-hop" not in seen and "x-hop" not in request.raw_head.decode().lower()


@pytest.mark.parametrize("field", ["Proxy: http://evil/", "Keep-Alive: timeout=9", "TE: trailers, x",
                                   "Proxy-Connection: keep-alive", "Trailer: X", "Upgrade: websocket",
                                   "HTTP2-Settings: AAMAAABk", "Connection: keep-alive",
                                   "X_Odd: 1", "X.Odd: 1", "X!Odd: 1"])
def test_what_belongs_to_the_connection_or_is_oddly_named_stays_here(wary, backend, field):
    name = field.split(":")[0]
    request = ask(wary, backend, "/plain", field)
    assert name.lower() not in [n.lower() for n, v in request.fields if v not in ("close", "keep-alive")]
    assert request.field("Connection") in (None, "keep-alive")


def test_whom_trusted_proxies_names_may_speak_for_its_clients(sallyport, backend):
    proxy = sallyport(HEADERS, backend=backend, trust="trusted_proxies 127.0.0.0/8;")
    request = ask(proxy, backend, "/plain", *[f"{name}: 203.0.113.7" for name in CLAIMS])
    assert [request.field(name) for name in CLAIMS] == ["203.0.113.7"] * len(CLAIMS)
    request = ask(proxy, backend, "/set", "X-Forwarded-For: 203.0.113.7", "X-Real-IP: evil",
                  "X_Real_IP: evil")
    assert folded(request)["x-forwarded-for"] == ["203.0.113.7, 127.0.0.1"]
    assert folded(request)["x-real-ip"] == ["127.0.0.1"]


# -- one path (threats 13)

PATHS = """
    error_log stderr info;
    server {
        listen 127.0.0.1:@port:http@;
        location / { add_header X-Location root always; proxy_pass http://@backend@; }
        location /admin { add_header X-Location admin always; proxy_pass http://@backend@; }
        location = /exact { add_header X-Location exact always; proxy_pass http://@backend@; }
        location ^~ /static/ { add_header X-Location static always; proxy_pass http://@backend@; }
        location ~ \\.php$ { add_header X-Location php always; proxy_pass http://@backend@; }
        location /mapped/ { add_header X-Location mapped always; proxy_pass http://@backend@/inner/; }
    }
"""


@pytest.fixture(scope="module")
def router(shared_sallyport, backend):
    return shared_sallyport(PATHS, backend=backend)


def location_of(path):
    """The configuration's meaning for a decoded path."""
    if path == "/exact":
        return "exact"
    if path.startswith("/static/"):
        return "static"
    if re.search(r"\.php$", path):
        return "php"
    if path.startswith("/mapped/"):
        return "mapped"
    return "admin" if path.startswith("/admin") else "root"


def resolve(path):
    """Decodes and normalises as a backend would, which takes an encoded slash for a slash."""
    decoded = urllib.parse.unquote(path.partition("?")[0], "latin-1")
    done = []
    for piece in re.sub("/+", "/", decoded).split("/")[1:]:
        if piece == "..":
            assert done, f"{path} leads above the root"
            done.pop()
        elif piece != ".":
            done.append(piece)
    if re.search(r"(^|/)\.{1,2}$", decoded):
        done.append("")
    return "/" + "/".join(done)


# spelling: location; None: refused with 400
SPELLINGS = {
    "/": "root", "//": "root", "/.": "root", "/./": "root", "/admin": "admin", "/admin/": "admin",
    "//admin": "admin", "///admin//": "admin", "/./admin": "admin", "/.//admin": "admin",
    "/x/../admin": "admin", "/x/./../admin": "admin", "/x/y/../../admin": "admin",
    "/%61dmin": "admin", "/%61%64%6d%69%6e": "admin", "/%61%64%6D%69%6E/": "admin", "/admi%6e": "admin",
    "/ADMIN": "root", "/%41dmin": "root", "/admin%20": "admin", "/admin;x": "admin", "/admin%3bx": "admin",
    "/admin%3fx": "admin", "/admin?x": "admin", "/admin?../x": "admin", "/admin%23x": "admin",
    "/xadmin": "root", "/x/admin": "root", "/%2561dmin": "root", "/%25%36%31dmin": "root",
    "/admin/..": "root", "/admin/../": "root", "/admin/../x": "root", "/admin/./x": "admin",
    "/admin/x/..": "admin", "/admin//../x": "root", "/x//../admin": "admin",
    "/..": None, "/../": None, "/../admin": None, "/./../admin": None, "/x/../../admin": None,
    "/admin/../..": None, "//..": None, "/x//../../..": None,
    "/%2e": None, "/%2e/": None, "/%2E%2E": None, "/%2e%2e/admin": None, "/x/%2e%2e/admin": None,
    "/x/.%2e/admin": None, "/x/%2e./admin": None, "/%2e/admin": None, "/x/%2e%2e": None,
    "/x/..%2fadmin": None, "/x%2f../admin": None, "/x%2f..%2fadmin": None, "/x/%2e%2e%2fadmin": None,
    "/x%2f%2e%2e%2fadmin": None, "/..%2fadmin": None, "/..%5cadmin": None, "/x/..%5cadmin": None,
    "/x%5c..%5cadmin": None, "/.%2fadmin": None, "/x/..;/admin": None, "/x/..;a=b/admin": None,
    "/x/.;/admin": None, "/..;/admin": None, "/x/%2e%2e;/admin": None, "/x/..%3b/admin": None,
    "/\\admin": None, "/x\\..\\admin": None, "\\admin": None, "/x/..\\admin": None,
    "/%": None, "/%a": None, "/%g1": None, "/%1g": None, "/admin%": None, "/admin%2": None,
    "/%zzadmin": None, "/%u0061dmin": None, "/%-1": None, "/% 61dmin": None, "/%\x80": None,
    "/%00": None, "/admin%00": None, "/x%00/admin": None, "/admin.php%00.jpg": None,
    "/%0d": None, "/%0a": None, "/admin%0d%0aX:y": None, "/%0A": None, "/admin%0D": None,
    "/...": "root", "/.../admin": "root", "/..admin": "root", "/admin..": "admin", "/.admin": "root",
    "/x/..admin": "root", "/x/...": "root", "/x/.admin": "root", "/x/.%61": "root", "/x/%2ea": "root",
    "/x/a%2e": "root", "/x/a.": "root", "/x/%2e%2ea": "root", "/x/%2e%2e%2e": "root",
    "/exact": "exact", "//exact": "exact", "/%65xact": "exact", "/exact/": "root", "/exact?x": "exact",
    "/x/../exact": "exact", "/exact/.": "root", "/exact/x/..": "root", "/exact%2f": "root",
    "/static/a.php": "static", "/static/../a.php": "php", "/static/../admin": "admin",
    "/static//../a.php": "php", "/stat%69c/a.php": "static", "/static%2fa.php": "php",
    "/a.php": "php", "/a%2ephp": "php", "/a.ph%70": "php", "/a.php/": "root", "/a.php/x": "root",
    "/a.php?x": "php", "/a.php%20": "root", "/a.PHP": "root", "/a.php%3f": "root", "/a.php.": "root",
    "/admin/a.php": "php", "/admin/a%2ephp": "php", "/a.php;x": "root", "/a.php/..": "root",
    "/mapped/": "mapped", "/mapped/x": "mapped", "/mapped/../admin": "admin", "/mapped//x": "mapped",
    "/mapped/./x": "mapped", "/m%61pped/x": "mapped", "/mapped/%61": "mapped", "/mapped/a%20b": "mapped",
    "/mapped/%25": "mapped", "/mapped/%2561": "mapped", "/mapped/a%3fb": "mapped", "/mapped/a%23b": "mapped",
    "/mapped/..%2fadmin": None, "/mapped/%2e%2e/admin": None, "/mapped/x/../..": "root",
    "/mapped/a%2fb": "mapped", "/mapped/%252e%252e/admin": "mapped", "/mapped/%25252e": "mapped",
    "/mapped%2fx": "root", "/mapped/\xe4": "mapped", "/mapped/%e4%b8": "mapped", "/mapped/a.php": "php",
    "/\xe4\xb8\xad": "root", "/%E4%B8%AD": "root", "/%c0%ae%c0%ae/admin": "root", "/%ff": "root",
    "/a+b": "root", "/a%2bb": "root", "/a%26b": "root", "/~admin": "root", "/%7eadmin": "root",
    "/a|b": "root", "/a\"b": "root", "/<a>": "root", "/{a}": "root", "/a^b`": "root", "/[a]": "root",
    "/a%7fb": "root", "/a%01b": "root", "/a%09b": "root", "/a:80@b": "root", "//evil.example/admin": "root",
    "http://example.com/admin": "admin", "http://example.com//admin": "admin",
    "HTTP://EXAMPLE.COM/%61dmin": "admin", "http://example.com": "root", "http://example.com?x": "root",
    "http://example.com/x/../admin": "admin", "http://example.com/../admin": None,
    "https://example.com:443/admin": "admin", "http://example.com/%2e%2e/admin": None,
}


@pytest.mark.parametrize("number", range(len(SPELLINGS)), ids=map(ascii, SPELLINGS))
def test_the_location_that_matches_is_the_one_that_the_backend_would_see(router, backend, number):
    spelling, wanted = list(SPELLINGS.items())[number]
    before = len(backend.requests)
    with router.client() as client:
        client.send(f"GET {spelling} HTTP/1.1\r\n{HOST}\r\n".encode("latin-1"))
        answer = client.response()
    if wanted is None:
        assert answer.status == 400
        assert len(backend.requests) == before
        return
    assert (answer.status, answer.field("X-Location")) == (200, wanted)
    request = backend.requests[-1]
    assert len(backend.requests) == before + 1
    assert_one_reading(request)
    target = request.target
    assert target.startswith("/")
    seen = resolve(target)
    if wanted == "mapped":
        assert seen == "/inner/" or seen.startswith("/inner/")
        seen = "/mapped/" + seen.removeprefix("/inner/")
    # The backend's own reading of what it got leads to the same location. An encoded slash is part of
    # a name to us (encoded_slash keep), so a path with one is compared with that kept.
    if "%2f" not in spelling.lower():
        assert location_of(seen) == wanted
        raw = re.sub("^[a-zA-Z]+://[^/?]*", "", spelling) or "/"
        if raw.startswith("?"):
            raw = "/" + raw
        assert seen == resolve(raw)
    else:
        kept = resolve(re.sub("(?i)%2f", "%252F", target))
        kept = kept.replace("/inner/", "/mapped/") if wanted == "mapped" else kept
        assert location_of(kept) == wanted
        assert kept == resolve(re.sub("(?i)%2f", "%252F", spelling))


def test_there_are_enough_spellings():
    assert len(SPELLINGS) >= 120
