"""Every directive: it loads in each of its contexts, is refused in the others, and is inherited."""
import re
import threading

import pytest

from support import seconds, wait_for
from support.backend import response

CONTEXTS = ("main", "events", "http", "upstream", "server", "location")
EVERY = frozenset(CONTEXTS)
HTTP, HTTP_SERVER = {"http", "server", "location"}, {"http", "server"}

# Name, where it may stand, a line of it. nginx 1.31's directives of the main job.
DIRECTIVES = [
    ("include", EVERY, "include @dir@/conf/empty.conf;"),
    ("worker_connections", {"events"}, "worker_connections 100;"),
    ("client_body_timeout", HTTP, "client_body_timeout 10s;"),
    ("client_body_buffer_size", HTTP, "client_body_buffer_size 32k;"),
    ("client_body_min_rate", HTTP, "client_body_min_rate 1k;"),
    ("max_subrequests", HTTP, "max_subrequests 10;"),
    ("client_max_discard_size", HTTP, "client_max_discard_size 1m;"),
    ("send_min_rate", HTTP, "send_min_rate 1k;"),
    ("max_chunk_extensions", HTTP_SERVER, "max_chunk_extensions 1k;"),
    ("max_trailers", HTTP_SERVER, "max_trailers 8 1k;"),
    ("client_header_buffer_size", HTTP_SERVER, "client_header_buffer_size 2k;"),
    ("client_header_timeout", HTTP_SERVER, "client_header_timeout 10s;"),
    ("client_max_body_size", HTTP, "client_max_body_size 10m;"),
    ("default_type", HTTP, "default_type text/x;"),
    ("error_log", {"main"} | HTTP, "error_log @dir@/e.log warn;"),
    ("keepalive_min_timeout", HTTP, "keepalive_min_timeout 1s;"),
    ("keepalive_time", HTTP | {"upstream"}, "keepalive_time 10m;"),
    ("lingering_close", HTTP, "lingering_close always;"),
    ("lingering_time", HTTP, "lingering_time 10s;"),
    ("lingering_timeout", HTTP, "lingering_timeout 2s;"),
    ("reset_timedout_connection", HTTP, "reset_timedout_connection on;"),
    ("keepalive_requests", HTTP | {"upstream"}, "keepalive_requests 10;"),
    ("keepalive_ping", {"upstream"}, "keepalive_ping 30s 5s;"),
    ("keepalive_timeout", HTTP | {"upstream"}, "keepalive_timeout 10s;"),
    ("large_client_header_buffers", HTTP_SERVER, "large_client_header_buffers 4 16k;"),
    ("listen", {"server"}, "listen 127.0.0.1:@port:more@;"),
    ("location", {"server", "location"}, "location /inner { return 200; }"),
    ("max_headers", HTTP_SERVER, "max_headers 50;"),
    ("send_timeout", HTTP, "send_timeout 10s;"),
    ("server_name", {"server"}, "server_name a.test *.b.test;"),
    ("server_tokens", HTTP, "server_tokens on;"),
    ("tcp_nodelay", HTTP, "tcp_nodelay off;"),
    ("types", HTTP, "types { text/html html htm; }"),
    ("root", HTTP, "root @dir@;"),
    ("alias", {"location"}, "alias @dir@/;"),
    ("index", HTTP, "index a.html /b.html;"),
    ("follow_symlinks", HTTP, "follow_symlinks anywhere;"),
    ("max_ranges", HTTP, "max_ranges 5;"),
    ("autoindex", HTTP, "autoindex on;"),
    ("autoindex_exact_size", HTTP, "autoindex_exact_size off;"),
    ("autoindex_format", HTTP, "autoindex_format json;"),
    ("autoindex_localtime", HTTP, "autoindex_localtime on;"),
    ("autoindex_max_entries", HTTP, "autoindex_max_entries 5;"),
    ("random_index", {"location"}, "random_index on;"),
    ("empty_gif", {"location"}, "empty_gif;"),
    ("log_not_found", HTTP, "log_not_found off;"),
    ("log_subrequest", HTTP, "log_subrequest on;"),
    ("open_file_cache", HTTP, "open_file_cache max=5;"),
    ("open_file_cache_errors", HTTP, "open_file_cache_errors on;"),
    ("open_file_cache_events", HTTP, "open_file_cache_events on;"),
    ("open_file_cache_min_uses", HTTP, "open_file_cache_min_uses 2;"),
    ("open_file_cache_valid", HTTP, "open_file_cache_valid 5s;"),
    ("disable_symlinks", HTTP, "disable_symlinks on from=/srv;"),
    ("secure_link", HTTP, "secure_link $arg_a;"),
    ("secure_link_md5", HTTP, "secure_link_md5 $uri;"),
    ("secure_link_secret", HTTP, "secure_link_secret x;"),
    ("userid", HTTP, "userid on;"),
    ("userid_domain", HTTP, "userid_domain a.test;"),
    ("userid_expires", HTTP, "userid_expires 5d;"),
    ("userid_flags", HTTP, "userid_flags secure httponly;"),
    ("userid_mark", HTTP, "userid_mark x;"),
    ("userid_name", HTTP, "userid_name id;"),
    ("userid_p3p", HTTP, "userid_p3p x;"),
    ("userid_path", HTTP, "userid_path /x;"),
    ("userid_service", HTTP, "userid_service 5;"),
    ("ancient_browser", HTTP, "ancient_browser Lynx;"),
    ("ancient_browser_value", HTTP, "ancient_browser_value x;"),
    ("modern_browser", HTTP, "modern_browser gecko 1.8;"),
    ("modern_browser_value", HTTP, "modern_browser_value x;"),
    ("sendfile", HTTP, "sendfile off;"),
    ("tcp_nopush", HTTP, "tcp_nopush on;"),
    ("add_header", HTTP, "add_header X-A $uri always;"),
    ("access_log", HTTP, "access_log @dir@/a.log combined if=$arg_log;"),
    ("log_format", {"http"}, "log_format mine escape=json '$uri';"),
    ("proxy_buffering", HTTP, "proxy_buffering off;"),
    ("proxy_buffer_size", HTTP, "proxy_buffer_size 16k;"),
    ("proxy_max_headers", HTTP, "proxy_max_headers 50;"),
    ("proxy_connect_timeout", HTTP, "proxy_connect_timeout 5s;"),
    ("proxy_hide_header", HTTP, "proxy_hide_header X-A;"),
    ("proxy_http_version", HTTP, "proxy_http_version 1.1;"),
    ("proxy_pass", {"location"}, "proxy_pass http://127.0.0.1:1;"),
    ("proxy_pass_header", HTTP, "proxy_pass_header Server;"),
    ("proxy_protocol", HTTP, "proxy_protocol v2;"),
    ("proxy_read_timeout", HTTP, "proxy_read_timeout 5s;"),
    ("proxy_redirect", HTTP, "proxy_redirect http://a/ http://b/;"),
    ("proxy_request_buffering", HTTP, "proxy_request_buffering off;"),
    ("proxy_send_timeout", HTTP, "proxy_send_timeout 5s;"),
    ("proxy_set_header", HTTP, "proxy_set_header X-A $host;"),
    ("proxy_ssl_certificate", HTTP,
     "proxy_ssl_certificate @cert:a.test@; proxy_ssl_certificate_key @key:a.test@;"),
    ("proxy_ssl_certificate_cache", HTTP, "proxy_ssl_certificate_cache max=10 valid=5s;"),
    ("proxy_ssl_certificate_key", HTTP,
     "proxy_ssl_certificate_key @key:a.test@; proxy_ssl_certificate @cert:a.test@;"),
    ("proxy_ssl_ciphers", HTTP, "proxy_ssl_ciphers HIGH;"),
    ("proxy_ssl_conf_command", HTTP, "proxy_ssl_conf_command Groups P-256:X25519;"),
    ("proxy_ssl_crl", HTTP, "proxy_ssl_crl @dir@/conf/list.crl;"),
    ("proxy_ssl_name", HTTP, "proxy_ssl_name $host;"),
    ("proxy_ssl_password_file", HTTP, "proxy_ssl_password_file @dir@/conf/passwords;"),
    ("proxy_ssl_pin", HTTP, "proxy_ssl_pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;"),
    ("proxy_ssl_protocols", HTTP, "proxy_ssl_protocols TLSv1.2 TLSv1.3;"),
    ("proxy_ssl_server_name", HTTP, "proxy_ssl_server_name on;"),
    ("proxy_ssl_session_reuse", HTTP, "proxy_ssl_session_reuse off;"),
    ("proxy_ssl_trusted_certificate", HTTP, "proxy_ssl_trusted_certificate @authority@;"),
    ("proxy_ssl_verify", HTTP, "proxy_ssl_verify on;"),
    ("proxy_ssl_verify_depth", HTTP, "proxy_ssl_verify_depth 3;"),
    ("real_ip_header", HTTP, "real_ip_header X-Forwarded-For;"),
    ("real_ip_recursive", HTTP, "real_ip_recursive on;"),
    ("set_real_ip_from", HTTP, "set_real_ip_from 10.0.0.0/8;"),
    ("return", {"server", "location"}, "return 204;"),
    ("ssl_certificate", HTTP_SERVER,
     "ssl_certificate @cert:a.test@; ssl_certificate_key @key:a.test@;"),
    ("ssl_certificate_key", HTTP_SERVER,
     "ssl_certificate_key @key:a.test@; ssl_certificate @cert:a.test@;"),
    ("ssl_buffer_size", HTTP_SERVER, "ssl_buffer_size 4k;"),
    ("ssl_ciphers", HTTP_SERVER, "ssl_ciphers HIGH;"),
    ("ssl_conf_command", HTTP_SERVER, "ssl_conf_command Options PrioritizeChaCha;"),
    ("ssl_early_data", HTTP_SERVER, "ssl_early_data on;"),
    ("ssl_early_data_size", HTTP_SERVER, "ssl_early_data_size 4k;"),
    ("ssl_ecdh_curve", HTTP_SERVER, "ssl_ecdh_curve X25519:P-256;"),
    ("ssl_key_log", HTTP_SERVER, "ssl_key_log @dir@/keys;"),
    ("ssl_max_dataless_records", HTTP_SERVER, "ssl_max_dataless_records 16;"),
    ("ssl_prefer_server_ciphers", HTTP_SERVER, "ssl_prefer_server_ciphers on;"),
    ("ssl_protocols", HTTP_SERVER, "ssl_protocols TLSv1.2 TLSv1.3;"),
    ("ssl_reject_handshake", HTTP_SERVER, "ssl_reject_handshake off;"),
    ("ssl_session_cache", HTTP_SERVER, "ssl_session_cache shared:SSL:1m;"),
    ("ssl_session_tickets", HTTP_SERVER, "ssl_session_tickets off;"),
    ("ssl_session_timeout", HTTP_SERVER, "ssl_session_timeout 10m;"),
    ("ssl_trusted_certificate", HTTP_SERVER, "ssl_trusted_certificate @authority@;"),
    ("upstream", {"http"}, "upstream other { server 127.0.0.1:2 weight=2; }"),
    ("keepalive", {"upstream"}, "keepalive 8;"),
    ("daemon", {"main"}, "daemon off;"),
    ("master_process", {"main"}, "master_process off;"),
    ("pid", {"main"}, "pid @dir@/other.pid;"),
    ("user", {"main"}, "user nobody;"),
    ("worker_processes", {"main"}, "worker_processes 2;"),
    ("worker_rlimit_nofile", {"main"}, "worker_rlimit_nofile 4096;"),
    ("worker_rlimit_core", {"main"}, "worker_rlimit_core 500m;"),
    ("worker_cpu_affinity", {"main"}, "worker_cpu_affinity auto;"),
    ("worker_priority", {"main"}, "worker_priority 5;"),
    ("working_directory", {"main"}, "working_directory /;"),
    ("env", {"main"}, "env PATH;"),
    ("memory_limit", {"main"}, "memory_limit 1g;"),
    ("accept_mutex", {"events"}, "accept_mutex on;"),
    ("accept_mutex_delay", {"events"}, "accept_mutex_delay 500ms;"),
    ("multi_accept", {"events"}, "multi_accept on;"),
    ("use", {"events"}, "use epoll;"),
    ("epoll_events", {"events"}, "epoll_events 512;"),
    ("worker_aio_requests", {"events"}, "worker_aio_requests 32;"),
    ("debug_connection", {"events"}, "debug_connection 127.0.0.1;"),
    ("debug_points", {"main"}, "debug_points abort;"),
    ("load_module", {"main"}, "load_module modules/ngx_http_realip_module.so;"),
    ("lock_file", {"main"}, "lock_file logs/nginx.lock;"),
    ("timer_resolution", {"main"}, "timer_resolution 100ms;"),
    ("pcre_jit", {"main"}, "pcre_jit on;"),
    ("thread_pool", {"main"}, "thread_pool default threads=32 max_queue=65536;"),
]


def file_with(**lines):
    """A full configuration with these lines in these contexts."""
    at = {context: lines.get(context, "") for context in CONTEXTS}
    return f"""
        {at["main"]}
        events {{ {at["events"]} }}
        http {{
            {at["http"]}
            upstream group {{ server 127.0.0.1:1; {at["upstream"]} }}
            server {{
                listen 127.0.0.1:@port:http@;
                {at["server"]}
                location /x/ {{ {at["location"].replace("/inner", "/x/inner")} }}
            }}
        }}
    """


@pytest.mark.parametrize("name, contexts, line", DIRECTIVES, ids=[row[0] for row in DIRECTIVES])
def test_it_loads_where_it_may_stand_and_nowhere_else(sallyport, name, contexts, line):
    program = sallyport.make()
    program.write("conf/empty.conf", "")
    program.write("conf/passwords", "secret").chmod(0o600)
    program.write("conf/list.crl", program.authority.revocation_list().read_text())
    for context in sorted(contexts):
        done = program.check(file_with(**{context: line}))
        assert done.returncode == 0, f"in {context}: {done.stderr}"
    wrong = EVERY - contexts
    if wrong:
        done = program.check(file_with(**{context: line for context in wrong}))
        assert done.returncode == 1
        count = len(re.findall(rf'"{name}" directive is not allowed here', done.stderr))
        assert count == len(wrong), done.stderr


@pytest.mark.parametrize("text, message", [
    ("http { } server { listen 127.0.0.1:1; }", '"server" directive is not allowed here'),
    ("events { http { } }", '"http" directive is not allowed here'),
    ("http { events { } }", '"events" directive is not allowed here'),
    ("http { http { } }", '"http" directive is not allowed here'),
    ("http { } http { }", '"http" directive is duplicate'),
    ("events { } events { } http { }", '"events" directive is duplicate'),
    ("http { server { server { } } }", '"server" directive is not allowed here'),
])
def test_blocks_stand_where_they_belong(sallyport, text, message):
    done = sallyport.make().check(text)
    assert done.returncode == 1
    assert message in done.stderr


ONCE = [row for row in DIRECTIVES if row[0] not in {
    "include", "error_log", "listen", "location", "server_name", "types", "add_header", "access_log",
    "proxy_hide_header", "proxy_pass_header", "proxy_redirect", "proxy_set_header",
    "proxy_ssl_conf_command", "proxy_ssl_pin", "ssl_conf_command", "set_real_ip_from", "return", "ssl_certificate",
    "ssl_certificate_key", "upstream", "log_format", "ssl_protocols", "env", "debug_connection",
    "load_module", "thread_pool", "index", "ancient_browser", "modern_browser"}]


@pytest.mark.parametrize("name, contexts, line", ONCE, ids=[row[0] for row in ONCE])
def test_twice_on_one_level_is_an_error(sallyport, name, contexts, line):
    context = sorted(contexts)[0]
    done = sallyport.make().check(file_with(**{context: f"{line}\n{line}"}))
    assert done.returncode == 1
    assert f'"{name}" directive is duplicate' in done.stderr


ARITIES = [(row[0], sorted(row[1])[0]) for row in DIRECTIVES
           if row[0] not in {"types", "location", "upstream", "empty_gif"}]


@pytest.mark.parametrize("name, context", ARITIES, ids=[row[0] for row in ARITIES])
def test_without_arguments_it_is_an_error_that_shows_the_syntax(sallyport, name, context):
    done = sallyport.make().check(file_with(**{context: f"{name};"}))
    assert done.returncode == 1
    assert f'invalid number of arguments in "{name}" directive' in done.stderr
    assert f"syntax: {name} " in done.stderr


# -- inheritance: what a level doesn't say, the level around it says


class Eyes:
    """What can be seen of a proxy from outside, for one server's name and target."""

    def __init__(self, proxy, backend):
        self.proxy = proxy
        self.backend = backend

    def answer(self, host, target, **options):
        with self.proxy.client() as client:
            return client.request(options.pop("method", "GET"), target, host=host, **options)

    def field(self, name):
        return lambda host, target: self.answer(host, target).field(name)

    def seen_by_backend(self, name, fields=()):
        def look(host, target):
            self.answer(host, target, fields=fields)
            return self.backend.last.field(name)
        return look

    def status(self, **options):
        return lambda host, target: self.answer(host, target, **options).status


PROXIED = "proxy_pass http://@backend@;"
CLIENT = "proxy_set_header X-Client $remote_addr;"
RETURNED = 'return 200 "$remote_addr";'
# Directive, line A, line B, what each shows, how it is seen, what the location does.
INHERITED = [
    ("add_header", "add_header X-A a;", "add_header X-A b;", ("a", "b"),
     lambda eyes: eyes.field("X-A"), RETURNED),
    ("default_type", "default_type a/a;", "default_type b/b;", ("a/a", "b/b"),
     lambda eyes: eyes.field("Content-Type"), RETURNED),
    ("server_tokens", "server_tokens on;", "server_tokens off;", (True, False),
     lambda eyes: lambda *at: "/" in eyes.field("Server")(*at), RETURNED),
    ("keepalive_timeout", "keepalive_timeout 0;", "keepalive_timeout 9s;", (True, False),
     lambda eyes: lambda *at: eyes.field("Connection")(*at) == "close", RETURNED),
    ("keepalive_requests", "keepalive_requests 1;", "keepalive_requests 2;", (True, False),
     lambda eyes: lambda *at: eyes.field("Connection")(*at) == "close", RETURNED),
    ("client_max_body_size", "client_max_body_size 1;", "client_max_body_size 9;", (413, 200),
     lambda eyes: eyes.status(method="POST", body=b"12345"), PROXIED),
    ("proxy_set_header", "proxy_set_header X-A a;", "proxy_set_header X-A b;", ("a", "b"),
     lambda eyes: eyes.seen_by_backend("X-A"), PROXIED),
    ("proxy_http_version", "proxy_http_version 1.0;", "proxy_http_version 1.1;",
     ("HTTP/1.0", "HTTP/1.1"),
     lambda eyes: lambda *at: (eyes.answer(*at), eyes.backend.last.version)[1], PROXIED),
    ("proxy_protocol", "proxy_protocol on;", "proxy_protocol off;", (True, False),
     lambda eyes: lambda *at: (eyes.answer(*at), eyes.backend.last.line.startswith("PROXY "))[1],
     PROXIED),
    ("proxy_hide_header", "proxy_hide_header X-One;", "proxy_hide_header X-Two;", ("two", None),
     lambda eyes: eyes.field("X-Two"), PROXIED),
    ("proxy_pass_header", "proxy_pass_header Server;", "proxy_pass_header Date;",
     ("origin", "sallyport"), lambda eyes: eyes.field("Server"), PROXIED),
    ("proxy_redirect", "proxy_redirect http://x/ http://a/;", "proxy_redirect http://x/ http://b/;",
     ("http://a/", "http://b/"), lambda eyes: eyes.field("Location"), PROXIED),
    ("proxy_read_timeout", "proxy_read_timeout 50ms;", "proxy_read_timeout 60s;", (504, 200),
     lambda eyes: lambda host, target: eyes.answer(host, target + "?slow").status, PROXIED),
    ("set_real_ip_from", "set_real_ip_from 127.0.0.1;", "set_real_ip_from 10.0.0.1;",
     ("192.0.2.7", "127.0.0.1"),
     lambda eyes: eyes.seen_by_backend("X-Client", [("X-Real-IP", "192.0.2.7")]), CLIENT + PROXIED),
    ("real_ip_header", "real_ip_header X-Mine;", "real_ip_header X-Other;",
     ("192.0.2.7", "127.0.0.1"),
     lambda eyes: eyes.seen_by_backend("X-Client", [("X-Mine", "192.0.2.7")]),
     "set_real_ip_from 127.0.0.1;" + CLIENT + PROXIED),
    ("real_ip_recursive", "real_ip_recursive on;", "real_ip_recursive off;",
     ("192.0.2.7", "127.0.0.1"),
     lambda eyes: eyes.seen_by_backend("X-Client", [("X-Forwarded-For", "192.0.2.7, 127.0.0.1")]),
     "real_ip_header X-Forwarded-For; set_real_ip_from 127.0.0.1;" + CLIENT + PROXIED),
    ("trusted_proxies", "trusted_proxies 127.0.0.1;", "trusted_proxies 10.0.0.1;", ("h", None),
     lambda eyes: eyes.seen_by_backend("X-Forwarded-Host", [("X-Forwarded-Host", "h")]), PROXIED),
]


@pytest.mark.parametrize("name, line_a, line_b, shows, look, location", INHERITED,
                         ids=[row[0] for row in INHERITED])
def test_the_inner_level_wins_and_else_the_outer_counts(
        sallyport, make_backend, name, line_a, line_b, shows, look, location):
    slow = threading.Event()

    def answer(request):
        if request.target.endswith("?slow"):
            slow.wait(seconds(0.5))  # far longer than the short time, on a busy machine, too
        return response("x", fields=[("X-One", "one"), ("X-Two", "two"), ("Server", "origin"),
                                     ("Location", "http://x/")])

    backend = make_backend(answer)
    proxy = sallyport(f"""
        {line_a}
        server {{
            listen 127.0.0.1:@port:http@;
            server_name inherits;
            location / {{ {location} }}
        }}
        server {{
            listen 127.0.0.1:@port:http@;
            server_name own;
            {line_b}
            location / {{ {location} }}
            location /again/ {{ {line_a} {location}
                location /again/nested/ {{ {location} }} }}
        }}
    """, backend=backend)
    see = look(Eyes(proxy, backend))
    a, b = shows
    assert see("inherits", "/") == a
    assert see("own", "/") == b
    assert see("own", "/again/") == a
    assert see("own", "/again/nested/") == a
    slow.set()


def test_access_and_error_logs_are_inherited(sallyport):
    proxy = sallyport("""
        log_format uri '$uri';
        access_log @dir@/outer.log uri;
        server {
            listen 127.0.0.1:@port:http@;
            location / { return 200; }
            location /own { access_log @dir@/inner.log uri; return 200; }
        }
    """)
    for target in ("/a", "/own"):
        proxy.get(target)
    assert proxy.lines("outer.log", count=1) == ["/a"]
    assert proxy.lines("inner.log", count=1) == ["/own"]


def test_tls_settings_are_inherited_by_servers(sallyport):
    proxy = sallyport("""
        ssl_certificate @cert:example.com@;
        ssl_certificate_key @key:example.com@;
        ssl_protocols TLSv1.2;
        ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384;
        server { listen 127.0.0.1:@port:https@ ssl; server_name example.com; return 200 a; }
        server { listen 127.0.0.1:@port:https2@ ssl; server_name example.com; return 200 b;
                 ssl_protocols TLSv1.3; }
        server { listen 127.0.0.1:@port:https3@ ssl; server_name example.com; return 200 c;
                 ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256; }
    """)
    ciphers = []
    for port in ("https", "https2", "https3"):
        with proxy.tls_client(port) as client:
            ciphers.append((client.socket.version(), client.socket.cipher()[0]))
    assert ciphers[0] == ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")
    assert ciphers[1][0] == "TLSv1.3"
    assert ciphers[2] == ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")


def test_tls_settings_toward_backends_are_inherited(sallyport, tls_backend):
    proxy = sallyport("""
        proxy_ssl_trusted_certificate @authority@;
        proxy_ssl_name backend.test;
        server {
            listen 127.0.0.1:@port:http@;
            location / { proxy_pass https://@backend@; }
            location /name { proxy_pass https://@backend@; proxy_ssl_name wrong.test; }
            location /off { proxy_pass https://@backend@; proxy_ssl_name wrong.test;
                            proxy_ssl_verify off; }
            location /silent { proxy_pass https://@backend@; proxy_ssl_server_name off; }
        }
    """, backend=tls_backend)
    assert [proxy.get(target).status for target in ("/", "/name", "/off", "/silent")] == [
        200, 502, 200, 200]
    names = [connection.server_name for connection in tls_backend.connections]
    assert names[0] == "backend.test" and None in names


def test_groups_have_settings_of_their_own(sallyport, backend):
    """keepalive_requests and keepalive_timeout mean clients in http, and backends in upstream."""
    proxy = sallyport("""
        keepalive_requests 100;
        upstream group { server @backend@; keepalive 2; keepalive_requests 1; }
        server { listen 127.0.0.1:@port:http@; location / { proxy_pass http://group; } }
    """, backend=backend)
    with proxy.client() as client:
        assert [client.get("/").status for _ in range(3)] == [200] * 3
    assert len(backend.connections) == 3


# -- the process


def test_worker_processes_are_threads_that_all_serve(sallyport):
    proxy = sallyport("server { listen 127.0.0.1:@port:http@; return 200 $pid; }",
                      main="worker_processes 3;")
    assert len({proxy.get("/").text for _ in range(30)}) == 1
    assert proxy.status()["workers"] in (3, [0, 1, 2]) or len(proxy.status()["workers"]) == 3


def test_worker_connections_bounds_what_is_taken_at_once(sallyport):
    proxy = sallyport("""
        events { worker_connections 3; }
        http { server { listen 127.0.0.1:@port:http@; return 200 fine; } }
    """, main="worker_processes 1;")
    held = [proxy.client() for _ in range(3)]
    for client in held:
        client.send("GET / HT")  # it is not idle: an idle one would be closed for the next
    wait_for(lambda: proxy.status()["counters"]["connections_idle"] == 0 and
             proxy.status()["counters"]["connections_active"] == 3, "three busy connections")
    with proxy.client() as waiting:
        waiting.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        held[0].close()
        assert waiting.response().text == "fine", "it waited in the kernel's queue"
    for client in held:
        client.close()


def test_pid_names_the_file(sallyport):
    program = sallyport.make()
    program.start("server { listen 127.0.0.1:@port:http@; return 200; }")
    wait_for(lambda: program.read("program.pid").strip() == str(program.process.pid), "the pid")
