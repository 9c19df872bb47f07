"""Fixtures of the tests that ask nginx and the program the same."""
import pytest


@pytest.fixture(params=["nginx", "sallyport"])
def serve(request):
    """serve(text) starts nginx, and in a second run the program under `compat nginx`."""
    start = request.getfixturevalue(request.param)

    def run(inside, before="", **values):
        text = f"error_log stderr info; {before} server {{ listen 127.0.0.1:@port:http@; {inside} }}"
        if request.param == "sallyport":
            text = f"compat nginx; events {{}} http {{ access_log off; {text} }}"
        program = start(text, **values)
        program.write("www/index.html", "welcome\n")
        program.write("www/a/index.html", "welcome\n")
        return program

    return run
