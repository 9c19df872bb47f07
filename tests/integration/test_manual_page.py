"""sallyport.conf(5) as man and mandoc show it."""
import os
import re
import shutil
import subprocess

import pytest

from conftest import program_under_test


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    done = subprocess.run([program_under_test(), "manual-page"], capture_output=True, check=True,
                          timeout=60)
    path = tmp_path_factory.mktemp("manual") / "sallyport.conf.5"
    path.write_bytes(done.stdout)
    return path


def test_man_shows_it_in_80_columns_without_a_warning(page):
    if not shutil.which("man"):
        pytest.skip("man is not installed")
    done = subprocess.run(
        ["man", "-l", "--warnings", "-E", "UTF-8", page], capture_output=True, text=True,
        check=True, timeout=60,
        env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MAN_KEEP_FORMATTING": ""})
    assert done.stderr == ""
    text = re.sub(".\b", "", done.stdout)
    assert max(map(len, text.splitlines())) <= 80
    assert "\n       proxy_pass URL;\n" in text
    assert "\n       $upstream_addr\n" in text
    assert "~regex" in text and "'" in text and "\\" not in text


def test_mandoc_finds_no_error_in_it(page):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", page], capture_output=True,
                          text=True, check=False, timeout=60)
    # It has the version in the date's place: a date would differ from build to build.
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []
