"""nginx's rewrite module: rewrite, set, if, break, return. Every case is asked of nginx, too."""
import pytest

from support.backend import response
from support.compare import Pair
from support.waiting import wait_for

SERVERS = r"""
    error_log logs/error.log info;
    server {
        listen 127.0.0.1:@port:http@;
        root @place@/html;
        set $early "set in the server";
        rewrite ^/server/(.*)$ /moved/$1?from=server;
        if ($arg_stop) { return 403 "stopped by $arg_stop"; }
        if ($request_method = DELETE) { return 405; }
        location / { return 200 "/ $uri $args [$1] $early"; }
        location /moved/ { return 200 "moved: $uri $args"; }

        # flags
        location /last/ { rewrite ^/last/(.*)$ /target/$1 last; return 500; }
        location /stay/ { rewrite ^/stay/(.*)$ /target/$1 break; return 500; }
        location /plain/ { rewrite ^/plain/(.*)$ /target/$1; rewrite ^/target/(.*)$ /target/again/$1; }
        location /redirect/ { rewrite ^/redirect/(.*)$ /target/$1 redirect; }
        location /permanent/ { rewrite ^/permanent/(.*)$ /target/$1 permanent; }
        location /absolute/ { rewrite ^/absolute/(.*)$ http://other.test/$1; return 500; }
        location /scheme/ { rewrite ^/scheme/(.*)$ $scheme://other.test/$1?a=b last; }
        location /absolute-permanent/ { rewrite ^ https://other.test$request_uri? permanent; }
        location /target/ { return 200 "target: $uri?$args"; }
        location /miss/ { rewrite ^/other /x last; return 200 "missed [$1]"; }
        location /loop/ { rewrite ^/loop/(.*)$ /loop/$1x last; }

        # arguments
        location /keep/ { rewrite ^/keep/(.*)$ /target/$1?new=1 last; }
        location /drop/ { rewrite ^/drop/(.*)$ /target/$1? last; }
        location /replace/ { rewrite ^/replace/(.*)$ /target/?name=$1? last; }
        location /argredirect/ { rewrite ^/argredirect/(.*)$ /x/?name=$1 redirect; }
        location /many/ { rewrite ^/many/(.)(.)(.)(.)(.)(.)(.)(.)(.) /target/$9$8$7$6$5$4$3$2$1 last; }
        location /named/ { rewrite ^/named/(?<word>[a-z]+)$ /target/${word}s?w=$word last; }

        # set
        location /set/ {
            set $a one; set $b "$a two"; set $a three; set $c ""; set $args "c=$c&$args";
            return 200 "$a|$b|$c|$args|$query_string|$is_args|$arg_x";
        }
        location /captured/ { if ($uri ~ ^/captured/(.*)/(.*)$) { set $one $1; set $two $2; }
                              return 200 "$one|$two|$1"; }
        location /unset/ { return 200 "[$never]"; set $never x; }

        # if
        location /if/ {
            set $said "";
            if ($arg_a) { set $said "${said}truth,"; }
            if ($arg_a = one) { set $said "${said}equal,"; }
            if ($arg_a != one) { set $said "${said}unequal,"; }
            if ($arg_a ~ ^o) { set $said "${said}match,"; }
            if ($arg_a ~* ^O) { set $said "${said}any case,"; }
            if ($arg_a !~ ^o) { set $said "${said}no match,"; }
            if ($arg_a !~* ^O) { set $said "${said}no match in any case,"; }
            if ($arg_a = "") { set $said "${said}empty,"; }
            if ( $arg_a = one ) { set $said "${said}spaced,"; }
            if ($http_x_test ~ "a {1,2}b") { set $said "${said}quoted,"; }
            return 200 "$said";
        }
        location /files/ {
            set $said "";
            if (-f $request_filename) { set $said "${said}f"; }
            if (-d $request_filename) { set $said "${said}d"; }
            if (-e $request_filename) { set $said "${said}e"; }
            if (-x $request_filename) { set $said "${said}x"; }
            if (!-f $request_filename) { set $said "${said}F"; }
            if (!-d $request_filename) { set $said "${said}D"; }
            if (!-e $request_filename) { set $said "${said}E"; }
            if (!-x $request_filename) { set $said "${said}X"; }
            return 200 "$said";
        }
        location /break/ {
            set $x 1;
            if ($arg_b) { break; }
            set $x 2;
            return 200 "$x";
        }
        location /break-after/ { rewrite ^/break-after/(.*)$ /files/$1; break; return 500; }
        location /settings/ {
            add_header X-Of outer;
            if ($arg_one) { add_header X-Of one; }
            if ($arg_two) { add_header X-Of two; }
            root @place@/html;
        }

        # return
        location /code/ { return 418; }
        location /text/ { return 201 "text"; }
        location /found/ { return 302 /elsewhere?$args; }
        location /url/ { return https://$host/$uri; }
        location /first/ { return 200 first; return 200 second; }
        location /error-text/ { return 404 "not here"; }

        # to a backend
        location /pass/ { rewrite ^/pass/(.*)$ /inner/$1 break; proxy_pass http://@backend@; }
        location /pass-uri/ { rewrite ^/pass-uri/(.*)$ /inner/$1 break; proxy_pass http://@backend@/base/; }
        location /pass-args/ { set $args "a=b"; proxy_pass http://@backend@; }
        location /pass-no-args/ { set $args ""; proxy_pass http://@backend@; }
        location /pass-if/ {
            proxy_pass http://@backend@;
            if ($arg_other) { proxy_pass http://@other@; }
            if ($arg_same) { set $nothing 1; }
        }
        location /pass-last/ { rewrite ^/pass-last/(.*)$ /prefix/$1 last; }
        location /prefix/ { proxy_pass http://@backend@/base/; }
    }
"""


@pytest.fixture(scope="module")
def pair(shared_sallyport, shared_nginx, make_shared_backend, shared_open_folder):
    place = shared_open_folder
    (place / "html/files/folder").mkdir(parents=True)
    (place / "html/files/plain.txt").write_text("plain")
    (place / "html/files/run").write_text("run")
    (place / "html/files/run").chmod(0o755)
    (place / "html/settings").mkdir()
    (place / "html/settings/a.txt").write_text("a")
    backend = make_shared_backend(lambda request: response(f"backend: {request.method} {request.target}"))
    other = make_shared_backend(lambda request: response(f"other: {request.method} {request.target}"))
    return Pair(shared_sallyport, shared_nginx, SERVERS, place, backend=backend, other=other)


CASES = [
    ("/", 200, "/ /  [] set in the server"),
    ("/server/a/b?x=1", 200, "moved: /moved/a/b from=server&x=1"),
    ("/anything?stop=me", 403, "stopped by me"),
    ("/last/a%20b?q=1", 200, "target: /target/a b?q=1"),
    ("/stay/x", 404, None),
    ("/plain/x", 200, "target: /target/again/x?"),
    ("/redirect/x%20y?q=1", 302, None),
    ("/redirect/%D0%B0%25?q=1", 302, None),
    ("/permanent/x", 301, None),
    ("/absolute/x%3fy/+?q=1", 302, None),
    ("/scheme/x?q=1", 302, None),
    ("/absolute-permanent/x%2520?q=%20", 301, None),
    ("/miss/x", 200, "missed []"),
    ("/loop/x", 500, None),
    ("/keep/x?old=1", 200, "target: /target/x?new=1&old=1"),
    ("/keep/x", 200, "target: /target/x?new=1"),
    ("/drop/x?old=1", 200, "target: /target/x?"),
    ("/replace/a%26b?old=1", 200, "target: /target/?name=a%26b"),
    ("/argredirect/a%26b%20c?old=1", 302, None),
    ("/many/abcdefghijk", 200, "target: /target/ihgfedcba?"),
    ("/named/word", 200, "target: /target/words?w=word"),
    ("/set/?x=1", 200, "three|one two||c=&x=1|c=&x=1|?|1"),
    ("/captured/a/b", 200, "a|b|a"),
    ("/captured/a", 200, "||"),
    ("/unset/", 200, "[]"),
    ("/if/", 200, "unequal,no match,no match in any case,empty,"),
    ("/if/?a=0", 200, "unequal,no match,no match in any case,"),
    ("/if/?a=one", 200, "truth,equal,match,any case,spaced,"),
    ("/if/?a=One", 200, "truth,unequal,any case,no match,"),
    ("/files/plain.txt", 200, "feDX"),
    ("/files/folder", 200, "dexF"),
    ("/files/run", 200, "fexD"),
    ("/files/none", 200, "FDEX"),
    ("/break/", 200, "2"),
    ("/break/?b=1", 404, None),
    ("/break-after/plain.txt", 200, "plain"),
    ("/settings/a.txt", 200, "a"),
    ("/settings/a.txt?one=1", 200, "a"),
    ("/settings/a.txt?two=1&one=1", 200, "a"),
    ("/code/", 418, ""),
    ("/text/", 201, "text"),
    ("/found/?a=b", 302, None),
    ("/url/", 302, None),
    ("/first/", 200, "first"),
    ("/error-text/", 404, "not here"),
    ("/pass/a%20b?q=1", 200, "backend: GET /inner/a%20b?q=1"),
    ("/pass-uri/a", 200, "backend: GET /inner/a"),
    ("/pass-args/%7Ea?x=1", 200, "backend: GET /pass-args/~a?a=b"),
    ("/pass-no-args/?x=1", 200, "backend: GET /pass-no-args/"),
    ("/pass-if/a", 200, "backend: GET /pass-if/a"),
    ("/pass-if/a?other=1", 200, "other: GET /pass-if/a?other=1"),
    ("/pass-if/a?same=1", 200, "backend: GET /pass-if/a?same=1"),
    ("/pass-last/a%20b", 200, "backend: GET /base/a%20b"),
]


@pytest.mark.parametrize("target, status, text", CASES, ids=[case[0] for case in CASES])
def test_requests_go_where_nginx_sends_them(pair, target, status, text):
    answer = pair.ask(target, shown=("Location", "Content-Type", "X-Of"))
    assert answer[0] == status
    if text is not None:
        assert answer[1] == text


def test_quoted_regular_expressions_may_hold_braces_and_spaces(pair):
    assert pair.ask("/if/?a=one", fields=[("X-Test", "a  b")])[1].endswith("quoted,")


def test_methods_are_told_apart(pair):
    assert pair.ask("/", method="DELETE")[0] == 405


def test_a_cycle_ends_with_an_error_that_says_so(pair):
    pair.ask("/loop/y")
    words = 'rewrite or internal redirection cycle while processing "/loop/y'
    for program in (pair.ours, pair.nginx):
        program.wait_for_line("logs/error.log", words)
    assert pair.ours.status()["counters"]["limit_uri_changes"] >= 1


def test_an_unset_variable_is_named_in_the_log(pair):
    pair.ask("/unset/")
    for program in (pair.ours, pair.nginx):
        program.wait_for_line("logs/error.log", 'using uninitialized "never" variable')


def test_steps_are_logged_where_rewrite_log_says_so(sallyport, nginx):
    text = r"""
        error_log logs/error.log notice;
        server {
            listen 127.0.0.1:@port:http@;
            rewrite_log on;
            location / { rewrite ^/none /x; rewrite ^/(.*)$ /new/$1?a=$1 break; return 200; }
            location /silent { rewrite_log off; rewrite ^/(.*)$ /x/$1 break; return 204; }
        }"""
    logs = []
    for start in (sallyport, nginx):
        program = start(text, main="compat nginx;" if start is sallyport else "")
        program.get("/old?q=1")
        program.get("/silent")
        program.wait_for_line("logs/error.log", "rewritten data")
        lines = (program.folder / "logs/error.log").read_text().splitlines()
        logs.append([line.split(": ", 1)[1].split(" ", 1)[1].split(", client:")[0]
                     for line in lines if "match" in line or "rewritten" in line])
    assert logs[0] == logs[1]
    assert logs[0] == ['"^/none" does not match "/old"', '"^/(.*)$" matches "/old"',
                       'rewritten data: "/new/old", args: "a=old&q=1"']


def test_a_regular_expression_that_takes_too_long_is_an_error_and_counted(sallyport):
    proxy = sallyport(r"""
        server { listen 127.0.0.1:@port:http@;
                 location / { if ($arg_a ~ "^(a+)+$") { return 200 "x"; } return 204; } }""")
    assert proxy.get("/?a=" + "a" * 40 + "b").status == 500
    assert proxy.get("/?a=aaa").text == "x"
    assert proxy.status()["counters"]["limit_regex_steps"] == 1
    proxy.wait_for_error("reached its step limit")


def test_a_value_that_grows_without_end_is_an_error(sallyport):
    doubled = "".join('set $x "$x$x";' for _ in range(24))
    proxy = sallyport("server { listen 127.0.0.1:@port:http@; location / { set $x 0123456789abcdef; "
                      + doubled + " return 200 $x; } }")
    assert proxy.get("/").status == 500
    proxy.wait_for_error("is longer than a megabyte")


@pytest.mark.parametrize("directive, complaint", [
    ("set a b;", 'invalid variable name "a"'),
    ("set $host b;", 'the duplicate "host" variable'),
    ("rewrite ^ /x other;", 'invalid parameter "other"'),
    ('rewrite ^ "";', "empty replacement"),
    ("rewrite ( /x;", 'missing closing parenthesis in "("'),
    ("if $a { }", "invalid condition"),
    ("if ($a $b) { }", "invalid condition"),
    ("if ($a == b) { }", "invalid condition"),
    ("if (a = b) { }", "invalid condition"),
    ("if (-g /x) { }", "invalid condition"),
    ("if ($unknown) { }", 'unknown "unknown" variable'),
    ("if ($arg_a) { proxy_pass http://127.0.0.1/x; }", '"proxy_pass" cannot have URI part'),
    ("if ($arg_a) { if ($arg_b) { } }", '"if" directive is not allowed here'),
    ("return;", 'invalid number of arguments in "return" directive'),
    ("return 99999;", 'invalid return code "99999"'),
    ("break x;", 'invalid number of arguments in "break" directive'),
])
def test_mistakes_are_told_as_nginx_tells_them(sallyport, nginx, directive, complaint):
    text = "server { listen 127.0.0.1:@port:http@; location / { " + directive + " } }"
    done = sallyport.make().check(text)
    assert done.returncode == 1 and complaint in done.stderr, done.stderr
    theirs = nginx.make()
    theirs.configure(text)
    refused = theirs.run("-t")
    assert refused.returncode == 1


CODES = [200, 201, 202, 204, 205, 206, 226, 300, 301, 302, 303, 305, 306, 307, 308, 310, 399, 400, 401,
         402, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 425,
         426, 428, 429, 430, 431, 444, 450, 451, 493, 494, 495, 496, 497, 498, 499, 500, 501, 502, 503,
         504, 505, 507, 508, 511, 599, 600, 999]
FORMS = {"code": "", "empty": " ''", "text": " text", "none": " $arg_none"}


@pytest.fixture(scope="module")
def codes(shared_sallyport, shared_nginx, shared_open_folder):
    returns = "".join(f"location = /{name}/{code} {{ return {code}{text}; }}\n"
                      for name, text in FORMS.items() for code in CODES)
    text = f"""
        log_format code "$status $request_uri";
        error_page 408 444 /never;
        limit_req_zone one zone=one:64k rate=1r/m;
        server {{
            listen 127.0.0.1:@port:http@;
            access_log @dir@/logs/codes.log code;
            {returns}
            location = /never {{ return 200 never; }}
            location = /family/set {{
                set $http_x_given "set"; set $arg_made "$http_x_given, too"; set $cookie_c $http_x_given;
                return 200 "$http_x_given|$arg_made|$cookie_c|$http_x_Given|$http_x_other";
            }}
            location = /family/unset {{ return 200 "$http_x_given|$arg_made|$cookie_c"; }}
            location ~ ^/family/named/(?<http_x_named>.*)$ {{ return 200 "$http_x_named"; }}
            location /page/ {{
                error_page 405 $arg_page;
                location = /page/error {{ return 405; }}
                location = /page/200 {{ return 200; }}
                location = /page/text {{ return 200 text; }}
                location = /page/204 {{ return 204; }}
                location = /page/404 {{ return 404; }}
            }}
            location = /tried {{ root @place@; try_files /none =408; }}
            location = /limited {{ limit_req zone=one; limit_req_status 444; root @place@; }}
        }}
    """
    return Pair(shared_sallyport, shared_nginx, text, shared_open_folder)


def outcome(program, method, target):
    """Status (None: closed without an answer), body without the name below an error's page, fields that
    tell what follows, whether the connection is closed; and what the log says of it."""
    with program.client() as client:
        client.send(f"{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n"
                    "GET /never HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = client.receive_all()
    heads = received.split(b"HTTP/1.1 ")[1:]
    answers = []
    for text in heads:
        head, _, body = text.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        page = b"<hr>" in body or (method == "HEAD" and fields.get(b"content-type") == b"text/html")
        shown = {name: fields.get(name) for name in (b"content-type", b"location", b"connection")}
        if fields.get(b"connection") == b"keep-alive":
            shown[b"connection"] = None  # nginx says what HTTP/1.1 means anyway
        if not page:
            shown[b"content-length"] = fields.get(b"content-length")
        answers.append((head[:3], body.partition(b"<hr>")[0], shown))
    return answers


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_code_is_answered_as_by_nginx(codes, form, method):
    for code in CODES:
        target = f"/{form}/{code}"
        assert outcome(codes.ours, method, target) == outcome(codes.nginx, method, target), target


@pytest.mark.parametrize("target, text", [
    ("/family/set", "set|set, too|set|set|o"), ("/family/unset?made=a", "given|a|c"), ("/family/named/n", "n")])
def test_variables_of_a_family_may_be_given_values(codes, target, text):
    fields = [("X-Given", "given"), ("X-Named", "no"), ("X-Other", "o"), ("Cookie", "c=c")]
    assert codes.ask(target, fields=fields)[1] == text


@pytest.mark.parametrize("page", ["200", "text", "404"])
def test_a_return_shows_an_error_s_page_with_its_status(codes, page):
    target = f"/page/error?page=/page/{page}"
    answers = outcome(codes.ours, "GET", target)
    assert answers == outcome(codes.nginx, "GET", target)
    assert answers[0][0] == b"404" if page == "404" else b"405"


@pytest.mark.parametrize("target, status", [
    ("/code/408", "408"), ("/code/444", "444"), ("/code/499", "499"), ("/empty/408", "408"),
    ("/tried", "408")])
def test_some_codes_close_the_connection_and_are_logged(codes, target, status):
    for program in (codes.ours, codes.nginx):
        assert outcome(program, "GET", target + "?logged") == []
        wait_for(lambda: f"{status} {target}?logged" in program.lines("logs/codes.log"), "the log's line")


def test_a_limit_may_close_connections(codes):
    for program in (codes.ours, codes.nginx):
        assert outcome(program, "GET", "/limited")[0][0] == b"404"
        assert outcome(program, "GET", "/limited") == []
