"""Secrets stay out of every log, whatever the formats name."""
import base64
import gzip

from support import wait_for
from support.backend import response
from support.syslog import SyslogServer

TOKEN = "s3cr3t-planted-token"


def test_a_planted_token_is_found_in_no_log(sallyport, make_backend):
    with SyslogServer() as syslog:
        plant_and_look(sallyport, make_backend, syslog)


def plant_and_look(sallyport, make_backend, syslog):
    backend = make_backend(lambda request: b"poison\r\n\r\n" if request.target == "/broken" else response(
        "fine\n", fields=[("Set-Cookie", f"session={TOKEN}; HttpOnly"), ("WWW-Authenticate", "Basic")]))
    formats = "".join(f"""
        log_format {escape} escape={escape} '$remote_addr "$request" $status $remote_user '
            'a=$http_authorization c=$http_cookie one=$cookie_session s=$sent_http_set_cookie '
            'u=$upstream_http_set_cookie uc=$upstream_cookie_session p=$http_proxy_authorization';
        access_log @dir@/{escape}.log {escape};
        access_log @dir@/{escape}.gz {escape} gzip;
        access_log @dir@/sites/$host-{escape}.log {escape};
        access_log syslog:server={syslog.address} {escape};""" for escape in ("default", "json", "none"))
    proxy = sallyport(f"""
        error_log @dir@/error.log debug;
        error_log syslog:server={syslog.address} debug format=json;
        {formats}
        server {{
            error_log @dir@/error.json debug format=json;
            listen 127.0.0.1:@port:json@;
            location / {{ proxy_pass http://@backend@; }}
        }}
        server {{
            listen 127.0.0.1:@port:http@;
            listen 127.0.0.1:@port:https@ ssl;
            server_name example.com;
            ssl_certificate @cert:example.com@;
            ssl_certificate_key @key:example.com@;
            location / {{ proxy_pass http://@backend@; }}
        }}
    """, backend=backend)
    sites = proxy.folder / "sites"
    sites.mkdir()
    sites.chmod(0o777)  # the server process opens these
    basic = base64.b64encode(f"user:{TOKEN}".encode()).decode()
    as_user = base64.b64encode(f"{TOKEN}:x".encode()).decode()
    planted = {"Authorization": [f"Bearer {TOKEN}", f"Basic {basic}", f"Basic {as_user}"],
               "Cookie": [f"session={TOKEN}", f"a=b; session={TOKEN}; c=d"],
               "Proxy-Authorization": [f"Basic {basic}"]}
    asked = 0
    for port in ("http", "https", "json"):
        for name, values in planted.items():
            for value in values:
                for target in ("/", "/broken"):
                    answer = proxy.get(target, port=port, fields=[(name, value)])
                    assert answer.status == (502 if target == "/broken" else 200)
                    asked += 1
                # Refused requests are logged, too: as hostile ones often are.
                with proxy.client(port.removesuffix("s")) as client:
                    client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\nBad Name: x\r\n\r\n")
                    assert client.response().status == 400
                    asked += 1
                with proxy.client(port.removesuffix("s")) as client:
                    client.send(f"GET / HTTP/1.1\r\nHost: a\r\n{name} : {value}\r\n\r\n")
                    assert client.response().status == 400
                    asked += 1
    # It did reach the backend and the client: it was there to be logged.
    assert any(TOKEN in (request.field("Authorization") or "") for request in backend.requests)
    assert any(TOKEN in (request.field("Cookie") or "") for request in backend.requests)
    for name in ("default.log", "json.log", "none.log"):
        wait_for(lambda log=name: len(proxy.read(log).splitlines()) >= asked, f"{asked} lines in {name}")
        assert "redacted" in proxy.read(name)
    wait_for(lambda: len(syslog.messages) >= 3 * asked, "the messages to syslog")
    proxy.stop()
    logs = [path for path in proxy.folder.rglob("*")
            if path.is_file() and path.suffix in (".log", ".json", ".gz")]
    assert len(logs) >= 11
    texts = {path.name: (gzip.decompress(path.read_bytes()) if path.suffix == ".gz"
                         else path.read_bytes()).decode(errors="replace") for path in logs}
    texts["syslog"] = "\n".join(syslog.messages)
    for name in ("syslog", "default.gz", "example.com-json.log"):
        assert "redacted" in texts[name], name
    for name, text in texts.items():
        for secret in (TOKEN, basic, as_user, "planted"):
            assert secret not in text, f"{name} has {secret}"
