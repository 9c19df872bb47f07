"""SALLYPORT_H2_PEER=nginx tries HTTP/2 tests on Debian's nginx, which is how the tests are tested."""
import os

PEER = os.environ.get("SALLYPORT_H2_PEER", "sallyport")


def as_nginx(text):
    """Debian's is older than `http2 on`, and has no HTTP/1 beside HTTP/2 in the clear. A port that is to
    have HTTP/1 has a name that ends in 1."""
    out = []
    for line in text.replace("http2 on;", "").splitlines():
        if "listen " in line and "@port:" in line and "1@" not in line and "http2" not in line:
            line = line.replace(";", " http2;", 1)
        out.append(line)
    return "\n".join(out)


def starter(request):
    """start(text, **values): the program, or nginx if that is named."""
    start = request.getfixturevalue("nginx" if PEER == "nginx" else "sallyport")
    if PEER != "nginx":
        return start

    def run(text, **values):
        return start(as_nginx(text), **values)

    return run
