#!/usr/bin/python3
"""What of a large answer over TLS a client can read after each flight of packets, and what records cost.

    tests/bench/record_sizes.py [BINARY]        build/release/sallyport against Debian's nginx

A record can be read when all of it is there. A new connection lets go ten packets of 1,460 bytes
(RFC 6928), then twice as many after each round trip. The records come from the programs, the flights
are computed: no network of this machine has the latency that this is about.
"""
import os
import pathlib
import re
import socket
import ssl
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))
sys.dont_write_bytecode = True

from support import Authority, Nginx, Sallyport  # noqa: E402

SIZE = 1_000_000
FLIGHT = 10 * 1460
SITE = """server {
    listen 127.0.0.1:@port:https@ ssl;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate @cert:example.com@;
    ssl_certificate_key @key:example.com@;
    root @dir@/www;
}"""


def records(authority, port):
    """The lengths of the records that carry the answer, their headers included."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = authority.client_context(versions=(ssl.TLSVersion.TLSv1_3,) * 2)
    tls = context.wrap_bio(incoming, outgoing, server_hostname="example.com")
    with socket.create_connection(("127.0.0.1", port)) as sock:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        tls.write(b"GET /big HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
        sock.sendall(outgoing.read())
        raw = b"".join(iter(lambda: sock.recv(65536), b""))
    found = []
    while raw:
        length = int.from_bytes(raw[3:5], "big") + 5
        if length > 600:  # neither tickets nor alerts; the answer's last bytes do not matter here
            found.append(length)
        raw = raw[length:]
    return found


def readable(sizes, wire):
    """How many bytes of text are in the records that are whole after `wire` bytes."""
    text = 0
    for size in sizes:
        wire -= size
        if wire < 0:
            break
        text += size - 5 - 17
    return text


def main():
    release = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release/sallyport")
    print(f"{'':24}{'first record':>14}{'1 flight':>10}{'2 flights':>11}{'3 flights':>11}{'bytes more':>12}")
    with tempfile.TemporaryDirectory(prefix="sallyport-records-") as folder:
        os.chmod(folder, 0o755)
        authority = Authority(pathlib.Path(folder) / "ca")
        for name, kind, binary, main_text in (
                ("sallyport", Sallyport, release, ""),
                ("sallyport, compat nginx", Sallyport, release, "compat nginx;"),
                ("nginx", Nginx, Nginx.binary, "")):
            program = kind(authority)
            program.binary = binary
            try:
                program.write("www/big", "x" * SIZE)
                program.start(re.sub(r"\s+", " ", SITE), main=main_text)
                sizes = records(authority, program.port("https"))
                program.stop()
            finally:
                program.kill()
                program.remove()
            flights = [readable(sizes, FLIGHT * (2 ** count - 1)) for count in (1, 2, 3)]
            print(f"{name:24}{sizes[0]:14}" + "".join(f"{text:11}" for text in flights)[1:] +
                  f"{len(sizes) * 22:12}")


if __name__ == "__main__":
    main()
