"""`sallyport directives`: the reference made from the tables, and the page of the guide made of it."""
import json
import pathlib
import subprocess

from conftest import program_under_test

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/guide/directives.md"


def directives(*words):
    return subprocess.run([program_under_test(), "directives", *words], capture_output=True,
                          text=True, check=False, timeout=60)


def test_the_guide_s_page_is_what_the_program_prints():
    done = directives("--markdown")
    assert done.returncode == 0, done.stderr
    assert done.stdout == PAGE.read_text(), (
        "renew the page: sallyport directives --markdown > docs/guide/directives.md")


def test_one_directive_and_one_variable_are_shown():
    done = directives("keepalive_timeout")
    assert done.returncode == 0
    assert "In http, server or location." in done.stdout and "In upstream." in done.stdout
    assert "Default: 75s" in done.stdout
    assert directives("$http_x_y").stdout.startswith("$http_NAME\n")
    assert "put the application's HTTP port behind proxy_pass" in directives("fastcgi_pass").stdout


def test_an_unknown_name_is_an_error_that_says_which_was_meant():
    done = directives("lissten")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (
        'sallyport: [emerg] unknown directive "lissten", did you mean "listen"?\n')
    assert 'did you mean "$host"?' in directives("$hsot").stderr


def test_json_has_what_the_text_has():
    said = json.loads(directives("--format", "json").stdout)
    listen = next(each for each in said["directives"] if each["name"] == "listen")
    assert listen["contexts"] == ["server"] and listen["repeatable"] is True
    assert any(each["name"] == "fastcgi_pass" and each["refused"] for each in said["unsupported"])
    assert any(each["name"] == "host" for each in said["variables"])


def test_every_row_of_the_reference_is_known_to_the_program(sallyport):
    """A directive of the reference in a wrong place is not "unknown"."""
    said = json.loads(directives("--format", "json").stdout)
    names = sorted({each["name"] for each in said["directives"] + said["unsupported"]})
    done = sallyport.make().check("\n".join(f"{name};" for name in names))
    assert done.returncode == 1
    assert "unknown directive" not in done.stderr
