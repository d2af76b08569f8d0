#!/usr/bin/env python3
"""Benchmarks what a site is made of besides its application: static files of 1 kB, 100 kB and 4 MB,
over HTTP/2 too, gzip at the same level, a proxied download of 1 MB. CPU per request.

  tests/bench/files.py [--rounds 3] [--seconds 2] [--only static_1k,gzip] [--portero BINARY]

The server runs alone on core 0, load and backend on core 1; servers take turns within a round. A
figure is the server's CPU time per request, of the rounds the lowest. Needs wrk, h2load
(nghttp2-client), nginx, h2o and caddy. gzip: level 5, 20 kB of JSON; the sizes are printed, since
less work for a worse ratio is none.
"""
import argparse
import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile

import servers
from servers import Caddy, H2o, Nginx, Portero, on_core

CONNECTIONS = 32
GZIP_LEVEL = 5
CONGESTION_CONTROL = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")


@contextlib.contextmanager
def cubic():
    """The kernel's default congestion control meanwhile. BBR paces with timers, which a loopback
    needs least of all: it makes one write of 100 kB 2.3 times as dear."""
    before = CONGESTION_CONTROL.read_text()
    CONGESTION_CONTROL.write_text("cubic")
    try:
        yield
    finally:
        CONGESTION_CONTROL.write_text(before)


class FilesNginx(Nginx):
    def command(self):
        config = self.write("nginx.conf", f"""
daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.err;
user root; events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s; sendfile on;
  tcp_nopush on; open_file_cache max=1000; include /etc/nginx/mime.types;
  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p;
  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u;
  scgi_temp_path {self.folder}/s;
  upstream app {{ server 127.0.0.1:{self.backend}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{self.plain}; listen 127.0.0.1:{self.tls} ssl http2;
    ssl_certificate {self.folder}/cert.pem; ssl_certificate_key {self.folder}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3; root {self.folder}/public;
    location = /data.json {{ gzip on; gzip_types application/json; gzip_comp_level {GZIP_LEVEL}; }}
    location /proxied/ {{ proxy_pass http://app/; proxy_http_version 1.1;
      proxy_set_header Connection ""; }}
  }}
}}""")
        return ["nginx", "-c", config]


class FilesH2o(H2o):
    def command(self):
        config = self.write("h2o.conf", f"""
user: root
num-threads: 1
max-connections: 8192
hosts:
  default:
    listen: {{host: 127.0.0.1, port: {self.plain}}}
    listen:
      host: 127.0.0.1
      port: {self.tls}
      ssl: {{certificate-file: {self.folder}/cert.pem, key-file: {self.folder}/key.pem,
             neverbleed: OFF, ocsp-update-interval: 0}}
    paths:
      /data.json:
        file.file: {self.folder}/public/data.json
        compress: {{gzip: {GZIP_LEVEL}}}
      /proxied:
        proxy.reverse.url: http://127.0.0.1:{self.backend}/
        proxy.timeout.keepalive: 300000
      /:
        file.dir: {self.folder}/public
""")
        return ["h2o", "-c", config]


class FilesCaddy(Caddy):
    def command(self):
        routes = f"""
  root * {self.folder}/public
  handle_path /proxied/* {{
    reverse_proxy 127.0.0.1:{self.backend}
  }}
  handle {{
    encode {{
      gzip {GZIP_LEVEL}
      match header Content-Type application/json*
    }}
    file_server
  }}
"""
        config = self.write("Caddyfile", f"""
{{
  admin off
  auto_https off
}}
http://localhost:{self.plain}, http://127.0.0.1:{self.plain} {{ {routes} }}
https://localhost:{self.tls}, https://127.0.0.1:{self.tls} {{
  tls {self.folder}/cert.pem {self.folder}/key.pem
  {routes}
}}
""")
        return ["env", "GOMAXPROCS=1", "caddy", "run", "--config", config, "--adapter", "caddyfile"]


class FilesPortero(Portero):
    def command(self):
        routes = f"""
    root: {self.folder}/public
    routes:
      - match: /data.json
        encode: {{with: gzip, level: {GZIP_LEVEL}}}
        files: true
      - {{match: /proxied/*, strip_prefix: /proxied, proxy: "127.0.0.1:{self.backend}"}}
      - {{files: true}}
"""
        config = self.write("portero.yaml", f"""
http_port: {self.plain}
https_port: {self.tls}
bind: [127.0.0.1]
threads: 1
storage: {self.folder}/storage
admin: unix:{self.folder}/admin.sock
log: {{level: error}}
sites:
  localhost:
    tls: {{cert: {self.folder}/cert.pem, key: {self.folder}/key.pem}}{routes}
  http://localhost:{routes}
""")
        return [self.binary, "run", "--config", config]


def wrk(server, path, seconds, *fields):
    headers = [part for field in fields for part in ("-H", field)]
    out = subprocess.run(on_core(1, ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *headers,
                                     f"http://localhost:{server.plain}{path}"]),
                         capture_output=True, check=True, text=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"{server.name} {path}: {out}")
    return int(re.search(r"(\d+) requests in", out).group(1))


def h2load(server, path, seconds):
    out = subprocess.run(on_core(1, ["h2load", "-c", "16", "-m", "16", "-D", str(seconds),
                                     f"https://localhost:{server.tls}{path}"]),
                         capture_output=True, check=True, text=True).stdout
    good = int(re.search(r"(\d+) succeeded", out).group(1))
    if " 0 failed" not in out or " 0 5xx" not in out or " 0 4xx" not in out:
        sys.exit(f"{server.name} {path}: {out}")
    return good


ROWS = {
    "static_1k": lambda server, seconds: wrk(server, "/1k.txt", seconds),
    "static_100k": lambda server, seconds: wrk(server, "/100k.bin", seconds),
    "static_4m": lambda server, seconds: wrk(server, "/4m.bin", seconds),
    "static_1k_h2": lambda server, seconds: h2load(server, "/1k.txt", seconds),
    "gzip": lambda server, seconds: wrk(server, "/data.json", seconds, "Accept-Encoding: gzip"),
    "proxied_1m": lambda server, seconds: wrk(server, "/proxied/1m.bin", seconds),
}


def fill(folder):
    public = folder / "public"
    public.mkdir()
    (public / "1k.txt").write_text("x" * 1000)
    (public / "100k.bin").write_bytes(b"y" * 100_000)
    (public / "4m.bin").write_bytes(b"z" * 4_000_000)
    rows = [f'{{"id":{i},"name":"user {i * 7919 % 1000}","email":"u{i}@example.com","ok":true}}'
            for i in range(280)]
    (public / "data.json").write_text("[" + ",\n".join(rows) + "]")
    (public / "1m.bin").write_bytes(b"z" * 1_000_000)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-days", "2", "-keyout", folder / "key.pem",
                    "-out", folder / "cert.pem"], check=True, capture_output=True)


def start_backend(folder):
    """An nginx that serves the same files, on core 1."""
    port = servers.free_port()
    config = folder / "backend.conf"
    config.write_text(f"""
daemon off; worker_processes 1; pid {folder}/backend.pid; error_log {folder}/backend.err; user root;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; sendfile on;
  client_body_temp_path {folder}/bb; proxy_temp_path {folder}/bp; fastcgi_temp_path {folder}/bf;
  uwsgi_temp_path {folder}/bu; scgi_temp_path {folder}/bs;
  server {{ listen 127.0.0.1:{port}; root {folder}/public; }}
}}""")
    process = subprocess.Popen(on_core(1, ["nginx", "-c", str(config)]), stderr=subprocess.DEVNULL)
    servers.wait_for_port(port, process, "the backend")
    return port, process


def gzip_size(server):
    return subprocess.run(["curl", "-s", "-H", "Accept-Encoding: gzip", "-o", "/dev/null", "-w",
                           "%{size_download}", f"http://localhost:{server.plain}/data.json"],
                          capture_output=True, check=True, text=True).stdout


def measure(row, server, seconds):
    ROWS[row](server, 1)
    before = server.cpu_us()
    requests = ROWS[row](server, seconds)
    return (server.cpu_us() - before) / requests


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", default=",".join(ROWS))
    parser.add_argument("--portero", default=Portero.binary)
    args = parser.parse_args()
    FilesPortero.binary = args.portero
    with cubic(), tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        fill(folder)
        backend, process = start_backend(folder)
        kinds = {"nginx": FilesNginx, "h2o": FilesH2o, "caddy": FilesCaddy, "portero": FilesPortero}
        running = {kind: make(kind, folder, backend) for kind, make in kinds.items()}
        try:
            for server in running.values():
                server.start()
            print("gzip bytes:", {kind: gzip_size(server) for kind, server in running.items()})
            for row in args.only.split(","):
                best = {}
                for _ in range(args.rounds):
                    for kind, server in running.items():
                        for other in running.values():
                            other.go_on() if other is server else other.pause()
                        figure = measure(row, server, args.seconds)
                        best[kind] = min(figure, best.get(kind, figure))
                peer = min(value for kind, value in best.items() if kind != "portero")
                shown = "  ".join(f"{kind} {value:7.1f}" for kind, value in best.items())
                print(f"{row:13} {shown}  ratio {best['portero'] / peer:.2f}", flush=True)
        finally:
            for server in running.values():
                server.stop()
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
