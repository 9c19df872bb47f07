"""map: variables looked up by a text. Every case is asked of nginx, too."""
import random

import pytest

from support.program import ProgramFailed


@pytest.fixture(params=["nginx", "sallyport"])
def serve(request):
    """serve(text) starts nginx, and in a second run the program under `compat nginx`."""
    start = request.getfixturevalue(request.param)

    def run(text, **values):
        text = f"error_log stderr info; {text}"
        if request.param == "sallyport":
            text = f"compat nginx; events {{}} http {{ access_log off; {text} }}"
        return start(text, **values)

    run.kind = request.param
    return run


def answering(text, maps, more=""):
    """A server that answers everything with the text."""
    return f"""{maps}
        server {{
            listen 127.0.0.1:@port:http@;
            {more}
            location / {{ return 200 "{text}"; }}
        }}
    """


def ask(program, client, value, **options):
    return client.get("/", fields=[("X-Key", value)], **options).body.decode()


KINDS = r"""
    map $http_x_key $v {
        default             default;
        ''                  empty;
        key                 plain;
        "two words"         quoted;
        Upper               upper;
        *.example.com       star;
        \default            escaped-default;
        \~key               escaped-tilde;
        \hostnames          escaped-hostnames;
        \\double            one-backslash-less;
        ~^first             first;
        ~second$            second;
        ~*^CASELESS         caseless;
        ~^(.)(?<rest>.+)\.x "$2 $1 $rest";
        ~^args-             $arg_a-$http_x_key;
        value               "";
        "~^quoted \d{2}$"   digits;
    }
"""
CASES = [
    ("", "empty"), ("nothing", "default"), ("key", "plain"), ("KEY", "plain"), ("two words", "quoted"),
    ("upper", "upper"), ("a.example.com", "default"), ("*.EXAMPLE.com", "star"),
    ("default", "escaped-default"), ("~key", "escaped-tilde"), ("hostnames", "escaped-hostnames"),
    (r"\double", "default"), ("double", "one-backslash-less"),
    ("first second", "first"), ("FIRST second", "second"), ("caseLESS", "caseless"),
    ("abc.x", "bc a bc"), ("args-1", "-args-1"), ("value", ""), ("quoted 12", "digits"),
    ("quoted 123", "default"), ("key ", "plain"), ("k" * 4000, "default"),
]


def test_each_kind_of_key(serve):
    program = serve(answering("$v", KINDS))
    with program.client() as client:
        assert [(key, ask(program, client, key)) for key, _ in CASES] == CASES


HOSTS = """
    map $http_x_key $v {
        hostnames;
        default        default;
        example.com    exact;
        *.example.com  star;
        .dot.org       dot;
        mail.*         mail;
        mail.long.*    long;
        *.b.example.com deep;
        ~^re\\.        regex;
    }
"""
HOST_CASES = [
    ("example.com", "exact"), ("Example.Com.", "exact"), ("www.example.com", "star"),
    ("a.b.c.example.com", "star"), ("a.b.example.com", "deep"), ("b.example.com", "star"),
    ("xexample.com", "default"), ("dot.org", "dot"), ("a.dot.org.", "dot"), ("mail.x", "mail"),
    ("mail.long.x", "long"), ("mail.long", "mail"), ("mail", "default"), ("re.example.com", "star"),
    ("re.x", "regex"), (".example.com", "star"), ("mail.", "default"), ("", "default"), ("..", "default"),
]


def test_host_names(serve):
    program = serve(answering("$v", HOSTS))
    with program.client() as client:
        assert [(key, ask(program, client, key)) for key, _ in HOST_CASES] == HOST_CASES


def test_keys_from_several_variables_and_maps_of_maps(serve):
    program = serve(answering("$c", """
        map $b $c { default "<$b>"; }
        map $http_x_key:$arg_a $a { k:1 yes; }
        map $a $b { yes "$a $arg_a"; default no; }
    """))
    with program.client() as client:
        assert client.get("/?a=1", fields=[("X-Key", "K")]).body == b"<yes 1>"
        assert client.get("/?a=2", fields=[("X-Key", "K")]).body == b"<no>"


def test_a_value_is_kept_for_the_request_unless_volatile(serve):
    program = serve("""
        map $uri $kept { default $uri; }
        map $uri $fresh { volatile; default $uri; }
        server {
            listen 127.0.0.1:@port:http@;
            add_header X-Values "$kept $fresh";
            root @dir@/www;
            location /a/ { index /b/file; }
            location = /b/file { return 200 "$kept $fresh"; }
            location /once/ { return 200 "$kept $fresh"; }
        }
    """)
    program.write("www/a/nothing", "")
    assert program.get("/once/").body == b"/once/ /once/"
    moved = program.get("/a/")
    assert moved.body == b"/b/file /b/file" and moved.field("X-Values") == "/b/file /b/file"


def test_an_expression_sets_the_groups_for_what_follows(serve):
    program = serve(answering("$v/$1/$name", "map $http_x_key $v { ~^(?<name>a)(b) $2; }"))
    with program.client() as client:
        assert ask(program, client, "abc") == "b/a/a"
        assert ask(program, client, "x") == "//"


def test_of_two_maps_of_one_variable_the_last_counts(serve):
    program = serve(answering("$v", "map $uri $v { default 1; } map $uri $v { default 2; }"))
    assert program.get("/").body == b"2"


def test_a_map_may_take_the_place_of_a_header_s_variable(serve):
    program = serve(answering("$http_x_made", "map $http_x_key $http_x_made { default made; }"))
    assert program.get("/").body == b"made"


def test_a_file_may_hold_the_entries(serve):
    words = "\n".join(f"key{i} {i};" for i in range(3000))
    maps = """map_hash_max_size 8192; map_hash_bucket_size 128;
              map $http_x_key $v { default none; include @dir@/conf/*.words; }"""
    # Each program has a folder of its own, so its file is written before it starts.
    def start():
        return serve(answering("$v", maps))

    with pytest.MonkeyPatch.context() as patch:
        from support.program import Program
        configure = Program.configure

        def with_file(self, text, **values):
            self.write("conf/a.words", words)
            self.write("conf/b.words", "other other;\n")
            return configure(self, text, **values)

        patch.setattr(Program, "configure", with_file)
        program = start()
    with program.client() as client:
        for key, value in [("KEY0", "0"), ("key2999", "2999"), ("key3000", "none"), ("other", "other")]:
            assert ask(program, client, key) == value


def test_a_variable_that_needs_itself_is_told_of_and_empty(serve):
    program = serve(answering("[$a]", "map $b $a { default x$b; } map $a $b { default $a; }"))
    assert program.get("/").body == b"[" + b"x" * 50 + b"]"
    program.wait_for_error("cycle while evaluating variable \"a\"")


@pytest.mark.parametrize("maps, message", [
    ("map $uri v { a 1; }", 'invalid variable name "v"'),
    ("map $uri $host { a 1; }", 'the duplicate "host" variable'),
    ("map $uri $v { a 1; A 2; }", 'conflicting parameter "A"'),
    ("map $uri $v { a; }", "invalid number of the map parameters"),
    ("map $uri $v { a b c; }", "invalid number of the map parameters"),
    ("map $uri $v { default 1; default 2; }", "duplicate default map parameter"),
    ("map $uri $v { hostnames; *.a.* 1; }", 'invalid hostname or wildcard "*.a.*"'),
    ("map $uri $v { hostnames; a..b 1; }", 'invalid hostname or wildcard "a..b"'),
    ("map $uri $v { hostnames; *.a 1; .a 1; }", 'conflicting parameter ".a"'),
    ("map $none $v { a 1; }", 'unknown "none" variable'),
    ("map $uri $v { a $none; }", 'unknown "none" variable'),
    ("map $uri $v { ~( 1; }", "pcre2_compile() failed"),
    ("map $uri { a 1; }", 'invalid number of arguments in "map" directive'),
])
def test_mistakes(serve, maps, message):
    with pytest.raises(ProgramFailed) as failed:
        serve(answering("x", maps))
    if message == 'conflicting parameter "A"' and serve.kind == "nginx":
        message = message.lower()  # it lowers the key in place before it tells
    assert f"[emerg] {message}" in failed.value.errors or message in failed.value.errors


def test_random_maps_agree_with_nginx(sallyport, nginx):
    """The same random keys, wildcards and expressions, asked of both."""
    source = random.Random(5)
    labels = ["a", "B", "ab", "c-1", "x"]

    def name():
        return ".".join(source.choice(labels) for _ in range(source.randint(1, 4)))

    maps, taken = [], set()
    for i in range(40):
        entries = [] if i % 2 else ["hostnames;"]
        taken.clear()
        for n in range(8):
            bare = name()
            key = bare if i % 2 else source.choice(["{}", "*.{}", ".{}", "{}.*"]).format(bare)
            if source.random() < 0.2:
                key = "~" + source.choice(["", "*"]) + source.choice(["^", "\\.", ""]) + bare
            elif bare.lower() in taken:
                continue
            taken.add(bare.lower())
            entries.append(f'"{key}" {n};')
        maps.append(f"map $http_x_key $v{i} {{ default d; {' '.join(entries)} }}")
    text = answering(" ".join(f"$v{i}" for i in range(40)), "\n".join(maps))
    ours, theirs = sallyport(text), nginx(text)
    with ours.client() as one, theirs.client() as other:
        for _ in range(100):
            key = source.choice(["", ".", ""]) + name() + source.choice(["", ".", ""])
            assert (key, ask(ours, one, key)) == (key, ask(theirs, other, key))


# --- ours alone

HARD = "map $http_x_key $v { ~^(a+)+$ matched; default d; }"
ENDLESS = "a" * 40 + "!"


@pytest.mark.parametrize("place", [
    'location / { return 200 "$v"; }',
    "location / { proxy_pass http://@backend@; proxy_set_header X-V $v; }",
    "location / { proxy_pass http://@backend@/$v; }",
    "location / { proxy_pass http://@backend@; add_header X-V $v always; }",
    "location / { root @dir@/www/$v; }",
    "location / { root @dir@/www; index $v index.html; }",
])
def test_an_expression_without_a_verdict_ends_the_request(sallyport, backend, place):
    program = sallyport(f"{HARD} server {{ listen 127.0.0.1:@port:http@; {place} }}", backend=backend)
    program.write("www/index.html", "welcome")
    answer = program.get("/", fields=[("X-Key", ENDLESS)])
    assert answer.status == 500 and b"welcome" not in answer.body
    program.wait_for_error('the regular expression "^(a+)+$" of a map reached its step limit')
    assert program.status()["counters"]["limit_regex_steps"] >= 1
    if "return" in place:
        assert program.get("/", fields=[("X-Key", "b")]).body == b"d"


def test_a_log_that_needs_it_is_told_of_afterwards(sallyport):
    program = sallyport(HARD + """log_format v "[$v]"; access_log @dir@/v.log v;
        server { listen 127.0.0.1:@port:http@; return 204; }""")
    assert program.get("/", fields=[("X-Key", ENDLESS)]).status == 204
    program.wait_for_error("reached its step limit")
    assert program.lines("v.log", count=1) in (["[]"], ["[-]"])


def test_hash_sizes_are_read_without_a_word(sallyport):
    sizes = " ".join(f"{name}_hash_{kind} 128;" for name in (
        "map", "variables", "server_names", "types", "proxy_headers") for kind in (
            "bucket_size", "max_size"))
    text = (f"{sizes} server {{ listen 127.0.0.1:@port:http@; referer_hash_max_size 64; "
            "referer_hash_bucket_size 64; types_hash_max_size 2048; return 204; }")
    done = sallyport.make().check(text)
    assert done.returncode == 0 and "warn" not in done.stderr
    done = sallyport.make().check(text.replace("map_hash_bucket_size 128", "map_hash_bucket_size x"))
    assert done.returncode != 0 and "map_hash_bucket_size" in done.stderr
