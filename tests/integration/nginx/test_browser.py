"""modern_browser and ancient_browser. Every case is asked of nginx, too."""
import pytest

AGENTS = [
    None, "", "x", "Opera", "Opera/", "Opera/7.50 (X11; FreeBSD i386; U)  [en]", "Opera/9.01 (X11; U; en)",
    "Mozilla/5.0 (X11; FreeBSD i386; U) Opera 7.50  [en]",
    "Mozilla/4.0 (compatible; MSIE 6.0; X11; FreeBSD i386) Opera 7.50  [en]",
    "Mozilla/4.0 (compatible; MSIE 5.5; Windows NT 5.1)", "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
    "Mozilla/4.0 (compatible; MSIE 6", "Mozilla/4.0 (compatible; MSIE ", "MSIE 7.0", "MSIE 7",
    "Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.0.0) Gecko/20020610",
    "Mozilla/5.0 (Windows; U; Windows NT 5.1; ru-RU; rv:1.5) Gecko/20031006",
    "Mozilla/5.0 (Windows; U; rv:1.7.8) Gecko/20050511 Firefox/1.0.4",
    "Mozilla/5.0 (X11; U; FreeBSD i386; en-US; rv:1.8.0.5) Gecko/20060729 Firefox/1.5.0.5",
    "Mozilla/5.0 (X11; rv:1.8.0.5.7.9) Gecko", "Mozilla/5.0 (X11; rv:99999999999999999999999) Gecko",
    "Mozilla/5.0 (Macintosh; U; PPC Mac OS X; ru-ru) AppleWebKit/125.2 (KHTML, like Gecko) Safari/125.7",
    "Mozilla/5.0 (Macintosh; U) AppleWebKit/418.8 (KHTML, like Gecko) Safari/419.3",
    "Mozilla/5.0 (compatible; Konqueror/3.1; Linux)",
    "Mozilla/5.0 (compatible; Konqueror/3.5; FreeBSD) KHTML/3.5.1 (like Gecko)",
    "Lynx/2.8.5rel.1 libwww-FM/2.14", "Mozilla/4.72 [en] (X11; U; Linux)", "Mozilla/3.0 x", "Mozilla/4.7",
    "Mozilla/5.0 (X11; Linux x86_64) Chrome/120",
]
LOCATIONS = """
    location /unset { return 200 "<$modern_browser> <$ancient_browser> <$msie>"; }
    location /documentation {
        modern_browser msie 5.5; modern_browser gecko 1.0.0; modern_browser opera 9.0;
        modern_browser safari 413; modern_browser konqueror 3.0;
        return 200 "<$modern_browser> <$ancient_browser> <$msie>";
    }
    location /no-opera { modern_browser msie 5.0; modern_browser gecko 1.7.8;
        return 200 "<$modern_browser> <$ancient_browser>"; }
    location /unlisted { modern_browser unlisted; modern_browser MSIE 6; ancient_browser Lynx netscape4;
        return 200 "<$modern_browser> <$ancient_browser>"; }
    location /only-unlisted { modern_browser unlisted; return 200 "<$modern_browser> <$ancient_browser>"; }
    location /words { ancient_browser Links Lynx; ancient_browser netscape4 Opera; modern_browser unlisted;
        modern_browser_value modern.; ancient_browser_value "an $uri";
        return 200 "<$modern_browser> <$ancient_browser>";
        location /words/inherited { return 200 "<$modern_browser> <$ancient_browser>"; }
        location /words/replaced { ancient_browser x; return 200 "<$modern_browser> <$ancient_browser>"; }
        location /words/versions { modern_browser safari 1; return 200 "<$modern_browser> <$ancient_browser>"; }
    }
    location /fine { modern_browser gecko 1.8.0.5; return 200 "<$modern_browser>"; }
    location /if { modern_browser gecko 1.5; modern_browser unlisted; ancient_browser Lynx;
        if ($ancient_browser) { return 403 "too old"; } return 200 "welcome"; }
"""
TARGETS = ["unset", "documentation", "no-opera", "unlisted", "only-unlisted", "words", "words/inherited",
           "words/replaced", "words/versions", "fine", "if"]


def answers(program):
    told = {}
    with program.client() as client:
        for target in TARGETS:
            for agent in AGENTS:
                fields = [] if agent is None else [("User-Agent", agent)]
                answer = client.get(f"/{target}", fields=fields)
                told[target, agent] = (answer.status, answer.text)
    return told


def test_every_browser_everywhere(nginx, sallyport):
    inside = "server { listen 127.0.0.1:@port:http@; " + LOCATIONS + " }"
    theirs = answers(nginx(inside))
    ours = answers(sallyport("compat nginx; events {} http { access_log off; " + inside + " }"))
    different = {case: (ours[case], theirs[case]) for case in ours if ours[case] != theirs[case]}
    assert not different


def test_the_documentations_example(sallyport):
    program = sallyport("events {} http { server { listen 127.0.0.1:@port:http@; "
                        + LOCATIONS + " } }")
    told = answers(program)
    assert told["documentation", AGENTS[10]] == (200, "<1> <> <1>")
    assert told["documentation", AGENTS[5]] == (200, "<> <1> <>")
    assert told["if", "Lynx/2.8.5rel.1 libwww-FM/2.14"] == (403, "too old")
    assert told["if", "Mozilla/5.0 (X11; Linux x86_64) Chrome/120"] == (200, "welcome")


@pytest.mark.parametrize("line, message", [
    ("modern_browser lynx 1;", 'unknown browser name "lynx"'),
    ("modern_browser msie 5.x;", 'invalid browser version "5.x"'),
])
def test_refused(serve, line, message):
    with pytest.raises(AssertionError) as failure:
        serve(line)
    assert message in str(failure.value)
