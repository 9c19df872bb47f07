"""Requests that the proxy answers itself, and what clients may not claim."""
import pytest

CONFIG = """
    @directives@
    server {
        listen 127.0.0.1:@port:http@;
        location / { proxy_pass http://@backend@; }
    }
"""


def test_trace_is_not_forwarded(sallyport, backend):
    program = sallyport(CONFIG, backend=backend, directives="")
    with program.client() as client:
        assert client.request("TRACE", "/").status == 405
    assert backend.requests == []


@pytest.mark.parametrize("directives, status", [
    ("", 200),
    ("encoded_slash refuse;", 400),
    ("compat nginx; access_log off;", 200),
])
def test_encoded_slashes_are_the_servers_business(sallyport, backend, directives, status):
    program = sallyport(CONFIG, backend=backend, directives=directives)
    with program.client() as client:
        assert client.get("/a%2Fb").status == status


@pytest.mark.parametrize("name", ["X-Forwarded-Ssl", "X-Forwarded-Scheme", "X-FORWARDED-User"])
def test_no_forwarding_header_of_any_name_is_believed(sallyport, backend, name):
    program = sallyport(CONFIG, backend=backend, directives="")
    with program.client() as client:
        assert client.get("/", fields=[(name, "on")]).status == 200
    assert backend.last.field(name) is None
