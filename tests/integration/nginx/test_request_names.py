"""Field names that are not valid, slashes in a row, and how redirects name the server."""
import pytest

from test_headers import serve, site  # noqa: F401  (a fixture)

FIELDS = [("X-Good", "1"), ("X_Under", "2"), ("X.Dot", "3")]


@pytest.mark.parametrize("directives, seen", [
    ("", {"X-Good"}), ("underscores_in_headers on;", {"X-Good", "X_Under"}),
    ("ignore_invalid_headers off;", {"X-Good", "X_Under", "X.Dot"}),
])
def test_invalid_names_are_dropped(serve, make_backend, directives, seen):  # noqa: F811
    backend = make_backend()
    proxy = serve(site(f"{directives} add_header X-Seen '$http_x_under'; "
                       "location / { proxy_pass http://@to@; }"), to=backend)
    answer = proxy.get(fields=FIELDS)
    assert {name for name, _ in FIELDS if backend.last.field(name)} == seen
    assert answer.field("X-Seen") == ("2" if "X_Under" in seen else None)


def test_an_underscore_does_not_claim_an_origin(sallyport, make_backend):
    backend = make_backend()
    proxy = sallyport(site("underscores_in_headers on; location / { proxy_pass http://@to@; }"),
                      to=backend)
    claims = ["X_Forwarded_For", "X_Real_IP", "X-Forwarded_Proto", "X_Forwarded_Other"]
    assert proxy.get(fields=[(name, "1") for name in claims]).status == 200
    assert [name for name in claims if backend.last.field(name)] == []


@pytest.mark.parametrize("merge, body", [("on", "/a/b"), ("off", "//a///b")])
def test_slashes_in_a_row_are_one_unless_told(serve, merge, body):  # noqa: F811
    proxy = serve(site(f"merge_slashes {merge}; location / {{ return 200 $uri; }}"))
    assert proxy.get("//a///b").text == body


@pytest.mark.parametrize("directives, host, shown", [
    ("", "asked.test", "http://asked.test:@port@/to"),
    ("port_in_redirect off;", "asked.test", "http://asked.test/to"),
    ("server_name_in_redirect on;", "asked.test", "http://first.test:@port@/to"),
    ("server_name_in_redirect on; port_in_redirect off;", "asked.test", "http://first.test/to"),
    ("absolute_redirect off;", "asked.test", "/to"),
])
def test_redirects_name_the_server_as_they_are_told(serve, directives, host, shown):  # noqa: F811
    proxy = serve(site(f"server_name first.test second.test; {directives} "
                       "location / { return 301 /to; } location /dir/ { root @dir@; }"))
    shown = shown.replace("@port@", str(proxy.port("http")))
    assert proxy.get(host=host).field("Location") == shown


def test_a_directory_s_slash_is_added_likewise(serve, make_backend):  # noqa: F811
    proxy = serve(site("""absolute_redirect off; root @dir@;
                          location /there/ { proxy_pass http://@to@; }"""), to=make_backend())
    assert proxy.get("/conf").field("Location") == "/conf/"
    assert proxy.get("/there?a=b").field("Location") == "/there/?a=b"


TUNING = """
    aio threads; aio_write on; directio 4m; directio_alignment 4k; read_ahead 64k; output_buffers 4 32k;
    postpone_output 0; send_lowat 0; sendfile_max_chunk 1m; subrequest_output_buffer_size 8k;
    connection_pool_size 512; request_pool_size 8k; msie_padding off;
    client_body_in_single_buffer on; proxy_buffers 8 16k; proxy_busy_buffers_size 32k;
    proxy_max_temp_file_size 0; proxy_temp_file_write_size 32k; proxy_temp_path @dir@/proxy 1 2;
    proxy_send_lowat 0;
"""


def test_tuning_of_nginx_s_insides_loads_without_a_word(sallyport):
    done = sallyport.make().check(f"http {{ {TUNING} {site('location / { return 200; }')} }}")
    assert done.returncode == 0 and "[warn]" not in done.stderr


@pytest.mark.parametrize("line", [
    "aio maybe;", "aio_write maybe;", "directio x;", "output_buffers 0 1k;", "request_pool_size 100;",
    "request_pool_size 120;", "postpone_output -1;", "sendfile_max_chunk 1z;", "proxy_buffers 8 1x;",
])
def test_mistakes_in_it_are_found_as_nginx_finds_them(sallyport, nginx, line):
    text = f"{line} {site('location / { return 200; }')}"
    ours = sallyport.make().check(f"http {{ {text} }}")
    theirs = nginx.make()
    theirs.configure(text)
    assert theirs.run("-t", "-e", "stderr").returncode == 1
    assert ours.returncode == 1
