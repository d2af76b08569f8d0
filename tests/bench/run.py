#!/usr/bin/env python3
"""Benchmarks portero against nginx, haproxy, h2o and caddy, and its hub against the reference.

  tests/bench/run.py [--rounds 3] [--only tls_h1,...] [--portero PATH] [--json FILE]

Every server runs alone on core 0, the load and the backend on core 1; servers take turns within a
round and rounds repeat. A figure is the server's CPU time (from /proc) per request; of the rounds
the lowest counts, because a neighbour can only add. Prints a table with ratios to the best peer
and writes the same as JSON. Needs the packages of `packaging/deps.sh bench`.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
SERVER_CORE, LOAD_CORE = "0", "1"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, name):
    for _ in range(200):
        if process.poll() is not None:
            sys.exit(f"{name} ended with status {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"{name} does not listen on {port}")


def children(pid):
    """The process and all its descendants."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += children(int(child))
    return found


def cpu_us(pid):
    total = 0.0
    for process in children(pid):
        for thread in pathlib.Path(f"/proc/{process}/task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0]) / 1e3
    return total


class Server:
    """One server under test: plain and TLS port, both proxying to the backend."""

    def __init__(self, name, folder, backend):
        self.name, self.folder, self.backend = name, folder, backend
        self.plain, self.tls = free_port(), free_port()
        self.process = None

    def write(self, file, text):
        path = self.folder / file
        path.write_text(text)
        return str(path)

    def command(self):
        raise NotImplementedError

    def start(self, extra_env=None):
        log = open(self.folder / f"{self.name}.log", "w")
        env = dict(os.environ, HOME=str(self.folder), **(extra_env or {}))
        self.process = subprocess.Popen(["taskset", "-c", SERVER_CORE, *self.command()],
                                        stdout=log, stderr=log, env=env)
        wait_for_port(self.plain, self.process, self.name)
        wait_for_port(self.tls, self.process, self.name)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Nginx(Server):
    def command(self):
        config = self.write("nginx.conf", f"""
daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.err;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p;
  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u;
  scgi_temp_path {self.folder}/s;
  upstream app {{ server 127.0.0.1:{self.backend}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{self.plain}; listen 127.0.0.1:{self.tls} ssl http2;
    ssl_certificate {self.folder}/cert.pem; ssl_certificate_key {self.folder}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme; }}
  }}
}}""")
        return ["nginx", "-c", config]


class Haproxy(Server):
    def command(self):
        pem = (self.folder / "cert.pem").read_text() + (self.folder / "key.pem").read_text()
        self.write("both.pem", pem)
        config = self.write("haproxy.cfg", f"""
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend f
  bind 127.0.0.1:{self.plain}
  bind 127.0.0.1:{self.tls} ssl crt {self.folder}/both.pem alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  default_backend b
backend b
  server s 127.0.0.1:{self.backend}
""")
        return ["haproxy", "-db", "-f", config]


class H2o(Server):
    def command(self):
        config = self.write("h2o.conf", f"""
user: root
num-threads: 1
max-connections: 8192
hosts:
  default:
    listen:
      host: 127.0.0.1
      port: {self.plain}
    listen:
      host: 127.0.0.1
      port: {self.tls}
      ssl:
        certificate-file: {self.folder}/cert.pem
        key-file: {self.folder}/key.pem
    paths:
      /:
        proxy.reverse.url: http://127.0.0.1:{self.backend}/
        proxy.preserve-host: ON
        proxy.timeout.keepalive: 60000
""")
        return ["h2o", "-c", config]


class Caddy(Server):
    def command(self):
        config = self.write("Caddyfile", f"""
{{
  admin off
  auto_https off
}}
http://localhost:{self.plain}, http://127.0.0.1:{self.plain} {{
  reverse_proxy 127.0.0.1:{self.backend}
}}
https://localhost:{self.tls}, https://127.0.0.1:{self.tls} {{
  tls {self.folder}/cert.pem {self.folder}/key.pem
  reverse_proxy 127.0.0.1:{self.backend}
}}
""")
        return ["env", "GOMAXPROCS=1", "caddy", "run", "--config", config, "--adapter", "caddyfile"]


class Portero(Server):
    binary = str(BUILD / "portero")

    def command(self):
        config = self.write("portero.yaml", f"""
http_port: {self.plain}
https_port: {self.tls}
bind: [127.0.0.1]
threads: 1
storage: {self.folder}/storage
admin: unix:{self.folder}/admin.sock
log: {{level: error}}
hub:
  apps:
    bench: {{key: bench-key, secret: bench-secret, ping_interval: 1h}}
sites:
  localhost:
    tls: {{cert: {self.folder}/cert.pem, key: {self.folder}/key.pem}}
    hub: true
    proxy: 127.0.0.1:{self.backend}
  http://localhost:
    hub: true
    proxy: 127.0.0.1:{self.backend}
""")
        return [self.binary, "run", "--config", config]


def start_backend(folder):
    port = free_port()
    body = "x" * 100
    config = folder / "backend.conf"
    config.write_text(f"""
daemon off; worker_processes 1; pid {folder}/backend.pid; error_log {folder}/backend.err;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
  client_body_temp_path {folder}/bb; proxy_temp_path {folder}/bp; fastcgi_temp_path {folder}/bf;
  uwsgi_temp_path {folder}/bu; scgi_temp_path {folder}/bs;
  server {{
    listen 127.0.0.1:{port};
    location / {{ default_type text/plain; return 200 "{body}"; }}
  }}
}}""")
    process = subprocess.Popen(["taskset", "-c", LOAD_CORE, "nginx", "-c", str(config)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_port(port, process, "backend")
    return port, process


def on_load_core(command):
    done = subprocess.run(["taskset", "-c", LOAD_CORE, *command], capture_output=True, text=True,
                          timeout=180)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def h2load(server, arguments, scheme, requests):
    port = server.tls if scheme == "https" else server.plain
    url = f"{scheme}://localhost:{port}/"
    on_load_core(["h2load", "-n", "2000", *arguments, url])  # warm
    before, start = cpu_us(server.process.pid), time.monotonic()
    output = on_load_core(["h2load", "-n", str(requests), *arguments, url])
    spent, elapsed = cpu_us(server.process.pid) - before, time.monotonic() - start
    succeeded = int(re.search(r"(\d+) succeeded", output).group(1))
    if succeeded != requests:
        sys.exit(f"{server.name}: only {succeeded} of {requests} requests succeeded\n{output}")
    return {"cpu_us": spent / requests, "per_s": requests / elapsed}


def handshake(server, extra):
    before = cpu_us(server.process.pid)
    output = json.loads(on_load_core([str(BUILD / "tests" / "handshake_load"), "--port",
                                      str(server.tls), "--seconds", "3", *extra]))
    output["cpu_us"] = (cpu_us(server.process.pid) - before) / output["count"]
    return output


WORK = {
    "plain_h1": lambda s: h2load(s, ["--h1", "-c", "64", "-t", "1"], "http", 60000),
    "tls_h1": lambda s: h2load(s, ["--h1", "-c", "64", "-t", "1"], "https", 60000),
    "tls_h2": lambda s: h2load(s, ["-c", "64", "-m", "16", "-t", "1"], "https", 100000),
    "handshake": lambda s: handshake(s, []),
    "resumed": lambda s: handshake(s, ["--resume"]),
}
TARGETS = {"plain_h1": 1.0, "tls_h1": 1.0, "tls_h2": 1.0, "handshake": 1.05}


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", folder / "key.pem",
                    "-out", folder / "cert.pem", "-days", "30", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True)


def run_edge(folder, backend, names, works, rounds):
    kinds = {"nginx": Nginx, "haproxy": Haproxy, "h2o": H2o, "caddy": Caddy, "portero": Portero}
    results = {work: {} for work in works}
    for round_number in range(rounds):
        for name in names:
            server = kinds[name](name, folder, backend)
            server.start()
            for work in works:
                figure = WORK[work](server)
                best = results[work].get(name)
                if best is None or figure["cpu_us"] < best["cpu_us"]:
                    results[work][name] = figure
                print(f"round {round_number + 1} {work} {name}: {figure['cpu_us']:.1f} us "
                      f"({figure['per_s']:.0f}/s)", file=sys.stderr)
            server.stop()
    return results


def hub_load(server, mode, *arguments, port=None):
    return json.loads(on_load_core([str(BUILD / "tests" / "hub_load"), mode, "--port",
                                    str(port or server.plain), "--pid", str(server.process.pid),
                                    *map(str, arguments)]))


def best_rate(server, subscribers, channels, start, source="api"):
    """The highest rate of publishes whose deliveries keep p99 at 250 ms or less."""
    best, rate = None, start
    while True:
        got = hub_load(server, "fanout", "--subscribers", subscribers, "--channels", channels,
                       "--rate", int(rate), "--seconds", 4, "--source", source)
        kept_up = got["delivered"] >= got["expected"] and got["p99_ms"] <= 250
        print(f"fanout {subscribers}/{channels} at {rate:.0f}/s: {got}", file=sys.stderr)
        if not kept_up or got["published"] < rate * 4 * 0.9:
            return best or got
        best, rate = got, rate * 1.25


def run_hub(folder, backend):
    figures = {}
    server = Portero("portero", folder, backend)
    server.start()
    figures["fanout 1 x 1000"] = best_rate(server, 1000, 1, 100)
    figures["fanout 1000 x 10"] = best_rate(server, 10000, 1000, 3000)
    figures["client events 1 x 1000"] = best_rate(server, 1000, 1, 100, "client")
    figures["publish api"] = hub_load(server, "publish", "--connections", 16, "--seconds", 4)
    figures["presence 1000"] = hub_load(server, "presence", "--members", 1000)
    server.stop()
    for name, sockets, tls in (("idle plain", 10000, False), ("idle wss", 2000, True)):
        server = Portero("portero", folder, backend)
        server.start()
        figures[name] = hub_load(server, "idle", "--sockets", sockets, *(["--tls"] if tls else []),
                                 port=server.tls if tls else server.plain)
        server.stop()
    return figures


def run_budget(folder, backend):
    """System calls and allocations per proxied keep-alive request, counted, not timed."""
    budget = {}
    library = folder / "malloc_count.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library,
                    ROOT / "tests/bench/malloc_count.c"], check=True)
    counter = folder / "malloc.count"
    for name, arguments, scheme in (("plain_h1", ["--h1", "-c", "64", "-t", "1"], "http"),
                                    ("tls_h1", ["--h1", "-c", "64", "-t", "1"], "https"),
                                    ("tls_h2", ["-c", "64", "-m", "16", "-t", "1"], "https")):
        server = Portero("portero", folder, backend)
        server.start({"LD_PRELOAD": str(library), "MALLOC_COUNT_FILE": str(counter)})
        read = lambda: int.from_bytes(counter.read_bytes(), "little")
        port = server.tls if scheme == "https" else server.plain
        few, many = 2000, 22000
        counts = []
        for requests in (many, few, many):
            before = read()
            on_load_core(["h2load", "-n", str(requests), *arguments,
                          f"{scheme}://localhost:{port}/"])
            counts.append(read() - before)
        budget[name] = {"allocations": (counts[2] - counts[1]) / (many - few)}
        trace = folder / "strace.txt"
        tracer = subprocess.Popen(["strace", "-c", "-f", "-o", trace, "-p",
                                   str(server.process.pid)], stderr=subprocess.DEVNULL)
        time.sleep(1)
        on_load_core(["h2load", "-n", str(many), *arguments, f"{scheme}://localhost:{port}/"])
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        server.stop()
        for line in trace.read_text().splitlines():
            columns = line.split()
            if len(columns) >= 5 and columns[3].isdigit() and columns[-1] != "total":
                calls = int(columns[3]) / many
                if calls >= 0.005:
                    budget[name][columns[-1]] = calls
    return budget


def print_tables(report):
    names = ["nginx", "haproxy", "h2o", "caddy", "portero"]
    if report.get("edge"):
        print(f"\n{'CPU us per request':<20}" + "".join(f"{n:>10}" for n in names) +
              f"{'ratio':>9}{'target':>8}")
        for work, row in report["edge"].items():
            cells = "".join(f"{row[n]['cpu_us']:>10.1f}" if n in row else f"{'-':>10}"
                            for n in names)
            peers = [row[n]["cpu_us"] for n in names[:-1] if n in row]
            ratio = row["portero"]["cpu_us"] / min(peers) if peers and "portero" in row else None
            row["ratio"] = ratio
            print(f"{work:<20}{cells}" + (f"{ratio:>9.2f}" if ratio else f"{'-':>9}") +
                  (f"{TARGETS[work]:>8.2f}" if work in TARGETS else f"{'-':>8}"))
    for section in ("hub", "budget"):
        if report.get(section):
            print(f"\n{section}")
            for name, figures in report[section].items():
                print(f"  {name:<24}" + "  ".join(
                    f"{key} {value:.2f}" if isinstance(value, float) else f"{key} {value}"
                    for key, value in figures.items() if key != "mode"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="comma-separated works; hub and budget too")
    parser.add_argument("--servers", default="nginx,haproxy,h2o,caddy,portero")
    parser.add_argument("--portero", default=Portero.binary)
    parser.add_argument("--json", default=str(ROOT / "build" / "bench.json"))
    options = parser.parse_args()
    Portero.binary = options.portero
    chosen = [w for w in options.only.split(",") if w] or [*WORK, "hub", "budget"]
    works = [w for w in chosen if w in WORK]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="portero-bench-"))
    folder.chmod(0o755)
    make_certificate(folder)
    backend, backend_process = start_backend(folder)
    names = [n for n in options.servers.split(",") if n == "portero" or shutil.which(n)]
    report = {}
    try:
        if works:
            report["edge"] = run_edge(folder, backend, names, works, options.rounds)
        if "hub" in chosen:
            report["hub"] = run_hub(folder, backend)
        if "budget" in chosen:
            report["budget"] = run_budget(folder, backend)
    finally:
        backend_process.terminate()
        backend_process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    print_tables(report)
    pathlib.Path(options.json).write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
