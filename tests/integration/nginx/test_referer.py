"""valid_referers and $invalid_referer. Every case is asked of nginx, too."""
import pytest

from support.program import ProgramFailed


@pytest.fixture(params=["nginx", "sallyport"])
def serve(request):
    """serve(text) starts nginx, and in a second run the program under `compat nginx`."""
    start = request.getfixturevalue(request.param)

    def run(text, **values):
        if request.param == "sallyport":
            text = f"compat nginx; events {{}} http {{ access_log off; {text} }}"
        return start(text, **values)

    return run


ANSWER = 'return 200 "[$invalid_referer]";'
LOCATIONS = rf"""
    server {{
        listen 127.0.0.1:@port:http@;
        server_name example.com *.example.org ~^re\d;
        valid_referers server.test;
        location /unset {{ {ANSWER} }}
        location /names {{
            valid_referers www.a.test *.b.test c.*;
            valid_referers .d.test;
            {ANSWER}
        }}
        location /paths {{ valid_referers a.test/in *.b.test/x; {ANSWER} }}
        location /lenient {{ valid_referers none blocked a.test; {ANSWER} }}
        location /servers {{ valid_referers server_names other.test; {ANSWER} }}
        location /regex {{ valid_referers ~\.google\. ~/path$ ~^localhost:8080; {ANSWER} }}
    }}
    server {{
        listen 127.0.0.1:@port:other@;
        {ANSWER}
    }}
"""
INVALID, VALID = b"[1]", b"[]"
CASES = [
    ("unset", "http://server.test/", VALID), ("unset", "http://a.test/", INVALID),
    ("unset", None, INVALID),
    ("names", "http://www.a.test/x", VALID), ("names", "HTTPS://WWW.A.TEST", VALID),
    ("names", "http://www.a.test:8080/x", VALID), ("names", "http://x.b.test/", VALID),
    ("names", "http://c.anything/", VALID), ("names", "http://c./x", VALID),
    ("names", "http://.b.test/", VALID), ("names", "http://d.test/", VALID),
    ("names", "http://x.d.test/", VALID), ("names", "http://b.test/", INVALID),
    ("names", "http://a.test/www.a.test", INVALID), ("names", None, INVALID),
    ("names", "www.a.test", INVALID), ("names", "http://server.test/", INVALID),
    ("names", "http://www.a.test@evil/", INVALID), ("names", "http://www.a.test.evil/", INVALID),
    ("paths", "http://a.test/in", VALID), ("paths", "http://a.test:80/inside", VALID),
    ("paths", "http://a.test/IN", INVALID), ("paths", "http://a.test/", INVALID),
    ("paths", "http://a.test", INVALID), ("paths", "http://q.b.test/xyz", VALID),
    ("lenient", None, VALID), ("lenient", "-", VALID), ("lenient", "http://", VALID),
    ("lenient", "ftp://b.test/xxx", VALID), ("lenient", "http://b.test/", INVALID),
    ("servers", "http://example.com/", VALID), ("servers", "http://www.example.org/", VALID),
    ("servers", "http://RE5.test/", VALID), ("servers", "http://a.test/re5", INVALID),
    ("servers", "http://other.test", VALID),
    ("regex", "http://www.GOOGLE.test/x", VALID), ("regex", "https://a.test/path", VALID),
    ("regex", "https://a.test/paths", INVALID), ("regex", "http://localhost:8080/", VALID),
    ("regex", "http://" + "a" * 300 + ".google.x/", INVALID),
]


def test_each_kind_of_referer(serve):
    program = serve(LOCATIONS)
    with program.client() as client:
        answers = []
        for place, referer, _ in CASES:
            fields = [] if referer is None else [("Referer", referer)]
            answers.append((place, referer, client.get(f"/{place}", fields=fields).body))
    assert answers == CASES
    assert program.get("/", port="other", fields=[("Referer", "http://any.test/")]).body == VALID


@pytest.mark.parametrize("words, message", [
    ("none blocked", 'the "none" or "blocked" referers are specified in the "valid_referers" '
                     "directive without any valid referer"),
    ("''", 'invalid referer ""'),
    ("~", 'empty regex in "~"'),
    ("a.*.b", 'invalid hostname or wildcard "a.*.b"'),
    ("a.test A.test", "conflicting parameter"),
    ("a.test a.test/x", 'conflicting parameter "a.test"'),
    ("~(", "pcre2_compile() failed"),
])
def test_mistakes(serve, words, message):
    with pytest.raises(ProgramFailed) as failed:
        serve(f"server {{ listen 127.0.0.1:@port:http@; valid_referers {words}; }}")
    assert message in failed.value.errors


# --- ours alone

def test_an_expression_without_a_verdict_ends_the_request(sallyport):
    program = sallyport("""server { listen 127.0.0.1:@port:http@;
        valid_referers ~^(a+)+$; return 200 "$invalid_referer"; }""")
    assert program.get("/", fields=[("Referer", "http://" + "a" * 40 + "!")]).status == 500
    program.wait_for_error("of valid_referers reached its step limit")
    assert program.status()["counters"]["limit_regex_steps"] == 1
