#!/usr/bin/python3
"""Compares Sallyport with nginx, HAProxy and h2o on this machine.

Each proxy runs with one worker, the same certificate and an equivalent configuration (peers/), on a
core of its own where there are two; the load and the origin share the other. The proxies take turns,
round after round, so that what disturbs the machine disturbs all of them. Reported are the CPU
time per request, summed over all processes of the proxy, requests per second, and the ratio of
Sallyport's CPU time to each peer's: the median over the rounds, and the spread.

    script/bench                                everything, about ten minutes
    script/bench --scenario tls-1k --rounds 9   one scenario
    script/bench --list                         the scenarios
"""
import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/integration"))
sys.dont_write_bytecode = True

from support.certificates import Authority  # noqa: E402
from support.ports import reserve_port  # noqa: E402


class Scenario:
    def __init__(self, name, words, port, *load, per="request", unit="µs", without=(), h2=()):
        self.name = name
        self.words = words
        self.port = port
        self.load = load
        self.per = per
        self.unit = unit
        self.without = without  # proxies that have no such thing
        self.h2 = h2  # the load is h2load's, with these arguments and this target


SCENARIOS = [
    Scenario("plain-1k", "1 KB in the clear, kept alive", "plain", "--connections", "64"),
    Scenario("tls-1k", "1 KB over TLS, kept alive", "tls", "--tls", "--connections", "64"),
    Scenario("handshake", "full TLS 1.3 handshakes (ECDSA P-256), a request each", "tls", "--tls",
             "--mode", "connect", "--connections", "32"),
    Scenario("resume", "resumed TLS 1.3 handshakes, a request each", "tls", "--tls", "--mode",
             "resume", "--connections", "32"),
    Scenario("handshake-rsa", "full TLS 1.3 handshakes (RSA-2048), a request each", "rsa", "--tls",
             "--mode", "connect", "--connections", "32"),
    Scenario("tls-both", "1 KB, TLS on both sides, kept alive", "both", "--tls", "--connections",
             "64"),
    Scenario("download", "1 MB downloads over TLS", "tls", "--tls", "--target", "/1m",
             "--connections", "8", per="GB", unit="s"),
    Scenario("upload", "1 MB uploads over TLS, passed on as they come", "tls", "--tls", "--target",
             "/stream/", "--upload", "1048576", "--connections", "8", per="GB", unit="s"),
    Scenario("upload-held", "1 MB uploads over TLS, held until they are whole", "tls", "--tls",
             "--target", "/held/", "--upload", "1048576", "--connections", "8", per="GB", unit="s",
             without=("haproxy", "h2o")),
    Scenario("static-1k", "files of 1 KB in the clear, kept alive", "plain", "--target",
             "/static/1k.txt", "--connections", "64", without=("haproxy",)),
    Scenario("static-1k-tls", "files of 1 KB over TLS, kept alive", "tls", "--tls", "--target",
             "/static/1k.txt", "--connections", "64", without=("haproxy",)),
    Scenario("static-1m", "files of 1 MB in the clear", "plain", "--target", "/static/1m.txt",
             "--connections", "8", per="GB", unit="s", without=("haproxy",)),
    Scenario("static-1m-tls", "files of 1 MB over TLS", "tls", "--tls", "--target",
             "/static/1m.txt", "--connections", "8", per="GB", unit="s", without=("haproxy",)),
    Scenario("h2-1k", "1 KB over HTTP/2 and TLS, 16 connections of 32 streams", "tls",
             h2=("-c", "16", "-m", "32", "/")),
    Scenario("h2-download", "1 MB downloads over HTTP/2 and TLS, 100 streams of one connection",
             "tls", h2=("-c", "1", "-m", "100", "/1m"), per="GB", unit="s"),
    Scenario("idle", "idle TLS connections", "tls", "--tls", "--mode", "idle", per="connection",
             unit="KB"),
]


class Proxy:
    """One of the proxies that are compared. `start` runs it on ports that it keeps."""

    def __init__(self, name, binary, template, command):
        self.name = name
        self.binary = binary
        self.template = HERE / "peers" / template
        self.command = command
        self.process = None
        self.ports = {}

    def version(self):
        flag = "--version" if self.name == "h2o" else "-v"
        done = subprocess.run([self.binary, flag], capture_output=True, text=True, check=False)
        found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        return found[0] if found else "?"

    def start(self, values, folder, cores):
        self.ports = self.ports or {name: reserve_port() for name in ("plain", "tls", "rsa", "both")}
        place = folder / self.name
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
        config = place / self.template.name
        config.write_text(fill_in(self.template.read_text(), {**values, **self.ports, "dir": place}))
        command = [word.format(config=config, dir=place) for word in self.command]
        self.errors = open(place / "stderr", "ab")  # as long as the process: closed with it
        self.process = subprocess.Popen(pinned(cores, [str(self.binary), *command]),
                                        stdout=self.errors, stderr=self.errors,
                                        stdin=subprocess.DEVNULL, start_new_session=True)
        for port in self.ports.values():
            if not wait_for_port(port, self.process):
                sys.exit(f"bench: {self.name} did not start:\n{(place / 'stderr').read_text()[-2000:]}")

    def stop(self):
        if self.process:
            stop(self.process)
            self.process = None

    def pids(self):
        """All its processes: those of the session that it was started in."""
        return session_pids(self.process.pid)

    def memory(self):
        """Proportional set size of all its processes in KB."""
        total = 0
        for pid in self.pids():
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])
        return total


def session_pids(session):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found


def cpu_ns(pids):
    """The CPU time of all threads of these processes up to now."""
    return sum(int(task.read_text().split()[0]) for pid in pids
               for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in session_pids(process.pid):
        os.kill(pid, 9)


def fill_in(text, values):
    return re.sub(r"@([a-z_]+)@", lambda match: str(values[match[1]]), text)


def pinned(cores, command):
    return ["setpriv", "--pdeathsig=TERM"] + (
        ["taskset", "-c", cores] if cores else []) + list(map(str, command))


def wait_for_port(port, process):
    """Asks the kernel, not the port: a connection made only to look would be a client."""
    listening = f"0100007F:{port:04X} 00000000:0000 0A"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        if listening in pathlib.Path("/proc/net/tcp").read_text():
            return True
        time.sleep(0.02)
    return False


def known_proxies(sallyport):
    return [
        Proxy("sallyport", sallyport, "sallyport.conf", ["-p", "{dir}/", "-c", "{config}", "-e",
                                                         "stderr"]),
        Proxy("nginx", shutil.which("nginx", path="/usr/sbin:/usr/bin"), "nginx.conf",
              ["-p", "{dir}/", "-c", "{config}", "-e", "stderr"]),
        Proxy("haproxy", shutil.which("haproxy", path="/usr/sbin:/usr/bin"), "haproxy.cfg",
              ["-db", "-q", "-f", "{config}"]),
        Proxy("h2o", shutil.which("h2o", path="/usr/bin:/usr/sbin"), "h2o.conf",
              ["-m", "worker", "-c", "{config}"]),
    ]


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        two = (os.cpu_count() or 1) >= 2
        self.load_cores, self.proxy_cores = ("0", "1") if two else (None, None)
        self.values = {}
        self.origins = []

    def prepare(self):
        authority = Authority(self.folder / "ca", "Bench Authority")
        certificate = authority.certificate("bench.test", "localhost", "127.0.0.1")
        rsa = authority.certificate("bench.test", "rsa.test", algorithm="rsa")
        pems = {}
        for name, one in (("pem", certificate), ("rsa_pem", rsa)):
            pems[name] = self.folder / f"ca/{name}.pem"
            pems[name].write_text(one.chain.read_text() + one.key.read_text())
            pems[name].chmod(0o600)
        for path in (self.folder, self.folder / "ca"):
            path.chmod(0o755)
        files = self.folder / "files/static"
        files.mkdir(parents=True)
        (files / "1k.txt").write_text("x" * 1024)
        (files / "1m.txt").write_text("x" * 1024 * 1024)
        self.values = {
            "files": files.parent, "chain": certificate.chain, "key": certificate.key,
            "rsa_chain": rsa.chain, "rsa_key": rsa.key, **pems,
            "authority": authority.chain, "origin": reserve_port(), "tls_origin": reserve_port(),
            "kilobyte": "x" * 1024, "dir": self.folder,
        }
        self.start_origin([self.options.build / "tests/bench/bench_origin", self.values["origin"]],
                          self.values["origin"])
        if nginx := shutil.which("nginx", path="/usr/sbin:/usr/bin"):
            config = self.folder / "tls_origin.conf"
            config.write_text(fill_in((HERE / "peers/tls_origin.conf").read_text(), self.values))
            self.start_origin([nginx, "-p", self.folder, "-c", config, "-e", "stderr"],
                              self.values["tls_origin"])

    def start_origin(self, command, port):
        process = subprocess.Popen(pinned(self.load_cores, command), stdin=subprocess.DEVNULL,
                                   start_new_session=True)
        self.origins.append(process)
        if not wait_for_port(port, process):
            sys.exit(f"bench: the origin did not start: {command[0]}")

    def load_command(self, scenario, proxy):
        if scenario.h2:
            *words, target = scenario.h2
            return pinned(self.load_cores, [
                shutil.which("h2load"), "-t", "1", *words, "-D", f"{self.options.seconds * 1000:.0f}ms",
                "-H", ":authority: bench.test", f"https://127.0.0.1:{proxy.ports[scenario.port]}{target}"])
        words = [self.options.build / "tests/bench/bench_load", "--port", proxy.ports[scenario.port],
                 *scenario.load, "--seconds", self.options.seconds,
                 "--watch", ",".join(map(str, proxy.pids()))]
        if scenario.name == "idle":
            words += ["--connections", self.options.idle]
        return pinned(self.load_cores, words)

    def measure(self, scenario, proxy):
        """{"cost": in the scenario's unit, "rate": per second} or None if it failed."""
        if scenario.name == "idle":
            return self.measure_idle(scenario, proxy)
        if scenario.h2:
            return self.measure_h2(scenario, proxy)
        done = subprocess.run(self.load_command(scenario, proxy), capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            return failed(proxy, done.stderr)
        got = json.loads(done.stdout)
        if not got["answers"] or got["failures"] > got["answers"] / 1000:
            return failed(proxy, f"{got['failures']} failures, {got['answers']} answers")
        if scenario.name == "resume" and got["resumed"] < 0.99 * got["handshakes"]:
            return failed(proxy, f"only {got['resumed']} of {got['handshakes']} were resumed")
        cpu = got["cpu_ns"]
        cost = cpu / 1e9 / (got["bytes"] / 1e9) if scenario.per == "GB" else (
            cpu / 1e3 / got["answers"])
        return {"cost": cost, "rate": got["answers"] / got["seconds"]}

    def measure_h2(self, scenario, proxy):
        """All of a run is counted, its few handshakes too: what warms it up is a run of its own."""
        warm = self.load_command(scenario, proxy) + ["-D", "300ms"]
        subprocess.run(warm, capture_output=True, check=False)
        before = cpu_ns(proxy.pids())
        done = subprocess.run(self.load_command(scenario, proxy), capture_output=True, text=True, check=False)
        spent = cpu_ns(proxy.pids()) - before
        requests = re.search(r"(\d+) done, (\d+) succeeded", done.stdout)
        data = re.search(r"\((\d+)\) data", done.stdout)
        rate = re.search(r"finished in [^,]+, ([\d.]+) req/s", done.stdout)
        if done.returncode != 0 or not (requests and data and rate) or requests[1] != requests[2] or (
                int(requests[1]) == 0 or "TLSv1.3" not in done.stdout):
            return failed(proxy, done.stdout[-300:] + done.stderr)
        cost = spent / int(data[1]) if scenario.per == "GB" else spent / 1e3 / int(requests[1])
        return {"cost": cost, "rate": float(rate[1])}

    def measure_idle(self, scenario, proxy):
        proxy.stop()  # what earlier load left in its heap must not hide what connections take
        proxy.start(self.values, self.folder, self.proxy_cores)
        warm = self.load_command(SCENARIOS[1], proxy) + ["--seconds", "0.2", "--warmup", "0"]
        subprocess.run(warm, capture_output=True, check=False)
        before = proxy.memory()
        load = subprocess.Popen(self.load_command(scenario, proxy), stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        got = json.loads(load.stdout.readline() or '{"answers": 0}')
        grown = settled(proxy.memory) - before
        load.communicate()
        if got["answers"] < self.options.idle:
            return failed(proxy, f"{got['answers']} of {self.options.idle} connections answered")
        return {"cost": grown / self.options.idle, "rate": None}

    def run(self, scenario, proxies):
        """proxy name -> list of measurements, one a round; the proxies take turns."""
        proxies = [proxy for proxy in proxies if proxy.name not in scenario.without]
        results = {proxy.name: [] for proxy in proxies}
        rounds = min(self.options.rounds, 3) if scenario.name == "idle" else self.options.rounds
        for number in range(rounds):
            turn = number % len(proxies)
            for proxy in proxies[turn:] + proxies[:turn]:
                progress(f"{scenario.name}: round {number + 1} of {rounds}, {proxy.name}")
                results[proxy.name].append(self.measure(scenario, proxy))
        progress("")
        return results


def settled(measure):
    """The value once it has stopped changing."""
    value = measure()
    for _ in range(20):
        time.sleep(0.1)
        latest = measure()
        if latest == value:
            break
        value = latest
    return value


def failed(proxy, reason):
    progress("")
    print(f"bench: {proxy.name}: {reason.strip()[:300]}", file=sys.stderr)


def progress(words):
    if sys.stderr.isatty():
        print(f"\r{words:<78}\r" if not words else f"\r{words:<78}", end="", file=sys.stderr,
              flush=True)
    elif words:
        print(words, file=sys.stderr, flush=True)


def summarize(results):
    """name -> cost, rate (medians) and the ratio of the first proxy's cost to it, with its spread."""
    summary = {}
    first = next(iter(results))
    for name, rounds in results.items():
        good = [r for r in rounds if r]
        if not good:
            summary[name] = None
            continue
        rates = [r["rate"] for r in good if r["rate"]]
        ratios = [mine["cost"] / its["cost"] for mine, its in zip(results[first], rounds)
                  if mine and its and its["cost"] > 0]
        summary[name] = {
            "cost": statistics.median(r["cost"] for r in good),
            "rate": statistics.median(rates) if rates else None,
            "rounds": len(good),
            "ratio": statistics.median(ratios) if ratios and name != first else None,
            "spread": [min(ratios), max(ratios)] if ratios and name != first else None,
        }
    return summary


def print_summary(scenario, summary):
    first = next(iter(summary))
    cost = f"{scenario.unit}/{scenario.per}"
    what = "CPU " if scenario.name != "idle" else ""
    print(f"{scenario.name}: {scenario.words}")
    print(f"  {'proxy':<10} {what + cost:>16} {'per second':>12}   {first}'s cost to its (spread)")
    for name, row in summary.items():
        if row is None:
            print(f"  {name:<10} {'failed':>16}")
            continue
        rate = f"{row['rate']:,.0f}" if row["rate"] else "-"
        ratio = (f"{row['ratio']:.2f} ({row['spread'][0]:.2f} to {row['spread'][1]:.2f})"
                 if row["ratio"] else "")
        print(f"  {name:<10} {row['cost']:>16.2f} {rate:>12}   {ratio}".rstrip())
    print(flush=True)


def arguments():
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(description=__doc__, prog="script/bench",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", action="append", choices=names, help="repeat for several")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--idle", type=int, default=5000, help="idle connections")
    parser.add_argument("--peers", default="nginx,haproxy,h2o", help="names, by commas")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    return parser.parse_args()


def chosen_proxies(options):
    proxies = []
    for proxy in known_proxies(options.build / "sallyport"):
        if proxy.name != "sallyport" and proxy.name not in options.peers.split(","):
            continue
        if proxy.binary and pathlib.Path(proxy.binary).exists():
            proxies.append(proxy)
        else:
            print(f"bench: {proxy.name} is not there, left out", file=sys.stderr)
    if not proxies:
        sys.exit("bench: no proxy to measure")
    return proxies


def main():
    options = arguments()
    if options.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name:<14} {scenario.words}")
        return
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # thousands of idle connections
    scenarios = [s for s in SCENARIOS if s.name in (options.scenario or s.name)]
    if not shutil.which("h2load"):
        print("bench: h2load is not there, HTTP/2 is left out", file=sys.stderr)
        scenarios = [s for s in scenarios if not s.h2]
    proxies = chosen_proxies(options)
    report = {"proxies": {p.name: p.version() for p in proxies}, "scenarios": {}}
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-bench-"))
    bench = Bench(options, folder)
    try:
        bench.prepare()
        for proxy in proxies:
            proxy.start(bench.values, folder, bench.proxy_cores)
        if options.format == "text":
            print("  ".join(f"{name} {version}" for name, version in report["proxies"].items()))
            print(flush=True)
        for scenario in scenarios:
            results = bench.run(scenario, proxies)
            summary = summarize(results)
            report["scenarios"][scenario.name] = {"summary": summary, "rounds": results,
                                                  "unit": f"{scenario.unit}/{scenario.per}"}
            if options.format == "text":
                print_summary(scenario, summary)
    finally:
        for proxy in proxies:
            proxy.stop()
        for origin in bench.origins:
            stop(origin)
        shutil.rmtree(folder, ignore_errors=True)
    if options.format == "json":
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
