#!/usr/bin/python3
"""What many features, servers, keys and certificates cost: each against none of them, and against nginx.

    tests/bench/bars.py                     all, about five minutes; needs script/build release
                                            sallyport bench_load bench_origin
    tests/bench/bars.py --only headers,limits --rounds 9

    headers       20 fields to set and 5 variables in the log, against an empty location
    servers       1,000 servers of 50 locations: CPU time of -t, and of matching against one server
    limits        limit_req over a million keys of a header, against none
    certificates  servers with RSA-2048 certificates of their own that nobody asks for: start and memory

Costs are the CPU time of all processes of a proxy, by answer, as in bench.py: two configurations take
turns, and the median of the rounds is reported.
"""
import argparse
import datetime
import itertools
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import bench
from bench import ROOT, reserve_port

FIELDS = "\n".join(f'proxy_set_header X-Field-{number} "{value}";' for number, value in enumerate(
    ["$remote_addr", "$host", "$scheme", "$request_id", "$http_user_agent"] * 4))
FORMAT = "log_format five '$remote_addr $status $request_time $request_uri $upstream_addr';"
PROCESSES = {"sallyport": 3, "nginx": 2}  # supervisor, server, holder; master, worker
MAIN = """daemon off; worker_processes @workers@; pid @dir@/program.pid; error_log @dir@/error.log crit;
events { worker_connections 15000; }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; server_names_hash_max_size 65536;
upstream origin { server 127.0.0.1:@origin@; keepalive 64; keepalive_requests 1000000000; }
proxy_http_version 1.1; proxy_set_header Connection "";
%s
}
"""


def server(inside, listen="127.0.0.1:@plain@", name="bench.test"):
    return f"server {{ listen {listen}; server_name {name};\n{inside}\n}}\n"


class Bars:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.values = {"origin": reserve_port(), "plain": reserve_port(), "workers": options.workers}
        self.origin = subprocess.Popen(bench.pinned(
            None, [options.build / "tests/bench/bench_origin", self.values["origin"]]))
        assert bench.wait_for_port(self.values["origin"], self.origin)
        self.binaries = {"sallyport": options.build / "sallyport", "nginx": pathlib.Path("/usr/sbin/nginx")}

    def write(self, name, inside):
        place = self.folder / name
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
        path = place / "main.conf"
        path.write_text(bench.fill_in(MAIN % inside, {**self.values, "dir": place}))
        return path

    def start(self, kind, name, inside):
        path = self.write(f"{name}-{kind}", inside)
        with open(path.parent / "out", "wb") as out:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig=TERM", str(self.binaries[kind]), "-p", f"{path.parent}/", "-c", str(path)],
                stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 120
        listens = False
        while not listens and process.poll() is None and time.monotonic() < deadline:
            listens = bench.wait_for_port(self.values["plain"], process)
        while len(bench.session_pids(process.pid)) < PROCESSES[kind] and listens:
            listens = time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        if not listens:
            sys.exit(f"bars: {kind} did not start: {(path.parent / 'out').read_text()[-1000:]}")
        return process

    def cost(self, kind, name, inside, *load):
        """CPU microseconds by answer."""
        process = self.start(kind, name, inside)
        try:
            pids = ",".join(map(str, bench.session_pids(process.pid)))
            done = subprocess.run(
                [self.options.build / "tests/bench/bench_load", "--port", str(self.values["plain"]),
                 "--connections", "32", "--seconds", str(self.options.seconds), "--watch", pids, *load],
                capture_output=True, text=True, check=True)
            got = bench.json.loads(done.stdout)
            assert got["answers"] and not got["failures"], got
            return got["cpu_ns"] / 1e3 / got["answers"]
        finally:
            bench.stop(process)

    def compare(self, title, plain, full, *load, plain_load=None):
        print(f"\n{title}\n{'':12}{'without':>12}{'with':>12}{'more':>12}  µs of CPU by request")
        for kind in self.options.kinds.split(","):
            rounds = [(self.cost(kind, "plain", plain, *(load if plain_load is None else plain_load)),
                       self.cost(kind, "full", full, *load)) for _ in range(self.options.rounds)]
            without, with_it, more = (statistics.median(values) for values in (
                [a for a, _ in rounds], [b for _, b in rounds], [b - a for a, b in rounds]))
            print(f"{kind:12}{without:12.2f}{with_it:12.2f}{more:12.2f}", flush=True)

    def headers(self):
        passing = "proxy_pass http://origin;"
        self.compare("20 fields to set, 5 variables in the log", server(f"location / {{ {passing} }}"),
                     FORMAT + server(f"location / {{ {passing} access_log @dir@/a.log five; {FIELDS} }}"))

    def servers(self):
        def site(number, count):
            return server("".join(f"location /l{place} {{ return 200 ok; }}\n" for place in range(count)),
                          name=f"s{number}.test")

        many = "".join(site(number, 50) for number in range(1000))
        print("\n1,000 servers of 50 locations: CPU seconds of -t")
        for kind in self.options.kinds.split(","):
            binary = self.binaries[kind]
            path = self.write(f"servers-{kind}", many)
            times = []
            for _ in range(3):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                subprocess.run([binary, "-t", "-p", f"{path.parent}/", "-c", path], check=True, capture_output=True)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            print(f"{kind:12}{statistics.median(times):8.3f}", flush=True)
        self.compare("Matching among them, against one server of one location", site(777, 1).replace("/l0", "/l49"),
                     many, "--name", "s777.test", "--target", "/l49/x")

    def limits(self):
        zone = "limit_req_zone $http_x_key zone=keys:256m rate=100r/s;"
        passes = "location / { %s proxy_pass http://origin; }"
        limit = "limit_req zone=keys burst=1000 nodelay;"
        self.compare("limit_req over a million keys", server(passes % ""), zone + server(passes % limit),
                     "--keys", "1000000", "--warmup", str(self.options.fill))

    def certificates(self):
        place = self.folder / "keys"
        place.mkdir()
        place.chmod(0o700)
        count = self.options.certificates
        pairs = self.make_keys(place, count)
        self.values["tls"] = reserve_port()
        print(f"\n{count} servers over TLS with RSA-2048 certificates of their own, none asked for, against one "
              "certificate\n                CPU to start   memory of all processes, by server")
        for kind in self.options.kinds.split(","):
            found = []
            for name, chosen in (("shared", pairs[:1] * count), ("own", pairs)):
                inside = server("return 200 ok;") + "".join(
                    server(f"ssl_certificate {chain}; ssl_certificate_key {key};", "127.0.0.1:@tls@ ssl",
                           f"c{number}.test") for number, (chain, key) in enumerate(chosen))
                process = self.start(kind, f"certificates-{name}", inside)
                time.sleep(3)  # what the start gives back
                pids = sorted(bench.session_pids(process.pid))
                cpu = sum(int(task.read_text().split()[0]) for pid in pids
                          for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
                found.append((cpu, sum(map(memory_of, pids))))
                each = ", ".join(f"{memory_of(pid) / count:.0f}" for pid in pids)
                bench.stop(process)
                print(f"{kind:10}{name:8}{cpu:8.2f} s {found[-1][1] / count:12.0f} bytes ({each})", flush=True)
            more = (found[1][1] - found[0][1]) / count
            print(f"{kind:10}{'more':8}{found[1][0] - found[0][0]:8.2f} s {more:12.0f} bytes", flush=True)

    def make_keys(self, place, count):
        """Pairs of certificate and key, all different, of few primes: each two of them make a key."""
        primes = []
        while len(primes) * (len(primes) - 1) // 2 < count:
            numbers = rsa.generate_private_key(65537, 2048).private_numbers()
            primes += [numbers.p, numbers.q]
        pairs = []
        for number, (p, q) in zip(range(count), itertools.combinations(primes, 2)):
            key = make_rsa(p, q)
            name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"c{number}.test")])
            now = datetime.datetime.now(datetime.timezone.utc)
            certificate = x509.CertificateBuilder(name, name, key.public_key(), number + 1, now,
                                                  now + datetime.timedelta(30)).sign(key, hashes.SHA256())
            pair = (place / f"{number}.crt", place / f"{number}.key")
            pair[0].write_bytes(certificate.public_bytes(Encoding.PEM))
            pair[1].touch(0o600)
            pair[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            pairs.append(pair)
        return pairs


def memory_of(pid):
    """Proportional set size in bytes."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(bench.re.search(r"^Pss:\s+(\d+)", text, bench.re.MULTILINE)[1]) * 1024


def make_rsa(p, q):
    exponent = 65537
    d = pow(exponent, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(exponent, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key(
        unsafe_skip_rsa_key_validation=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", default="headers,servers,limits,certificates")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kinds", default="sallyport,nginx")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--fill", type=float, default=8, help="seconds of load before limits are measured")
    parser.add_argument("--certificates", type=int, default=10000)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sallyport-bars-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        bars = Bars(options, folder)
        try:
            for bar in options.only.split(","):
                getattr(bars, bar)()
        finally:
            bench.stop(bars.origin)


if __name__ == "__main__":
    main()
