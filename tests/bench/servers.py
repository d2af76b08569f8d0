"""The servers that are compared, each with the same work: proxy everything to the backend over
kept connections, say X-Forwarded-For, -Proto and -Host (h2o knows only the first two), no access
log, one thread."""
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
SERVER_CORE, LOAD_CORE = 0, 1


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for_port(port, process, name):
    for _ in range(400):
        if process.poll() is not None:
            sys.exit(f"{name} ended with status {process.returncode}")
        if answers(port):
            return
        time.sleep(0.025)
    sys.exit(f"{name} does not listen on {port}")


def on_core(core, command):
    return ["taskset", "-c", str(core), *map(str, command)]


def descendants(pid):
    """The process and all its children, theirs, …"""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += descendants(int(child))
    return found


class Server:
    """One server under test: plain and TLS port, both proxying to the backend."""

    def __init__(self, name, folder, backend):
        self.name, self.folder, self.backend = name, folder, backend
        self.plain, self.tls = free_port(), free_port()
        self.process = None
        self.stopped = False

    def write(self, file, text):
        path = self.folder / file
        path.write_text(text)
        return str(path)

    def command(self):
        raise NotImplementedError

    def spawn(self, extra_env=None):
        log = open(self.folder / f"{self.name}.log", "w")
        env = dict(os.environ, HOME=str(self.folder), **(extra_env or {}))
        self.process = subprocess.Popen(on_core(SERVER_CORE, self.command()), stdout=log,
                                        stderr=log, env=env)

    def start(self, extra_env=None):
        self.spawn(extra_env)
        wait_for_port(self.plain, self.process, self.name)
        wait_for_port(self.tls, self.process, self.name)

    def pids(self):
        return descendants(self.process.pid)

    def pause(self):
        """Another server is measured: this one is not even to wake up for its timers."""
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)
        self.stopped = True

    def go_on(self):
        if self.stopped:
            for pid in self.pids():
                os.kill(pid, signal.SIGCONT)
        self.stopped = False

    def stop(self):
        self.go_on()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def cpu_us(self):
        """CPU time of all threads so far; schedstat counts nanoseconds, utime only ticks."""
        total = 0
        for pid in self.pids():
            for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
                total += int((thread / "schedstat").read_text().split()[0])
        return total / 1e3

    def rss_bytes(self):
        total = 0
        for pid in self.pids():
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) * 1024
        return total


class Nginx(Server):
    def command(self):
        config = self.write("nginx.conf", f"""
daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.err;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p;
  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u;
  scgi_temp_path {self.folder}/s; client_max_body_size 10m;
  map $http_upgrade $connection_value {{ default upgrade; "" ""; }}
  upstream app {{ server 127.0.0.1:{self.backend}; keepalive 2048; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{self.plain}; listen 127.0.0.1:{self.tls} ssl http2;
    ssl_certificate {self.folder}/cert.pem; ssl_certificate_key {self.folder}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{ proxy_pass http://app; proxy_http_version 1.1;
      proxy_set_header Connection $connection_value; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host; }}
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
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout tunnel 300s
  option forwardfor
  http-reuse always
frontend f
  bind 127.0.0.1:{self.plain}
  bind 127.0.0.1:{self.tls} ssl crt {self.folder}/both.pem alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  http-request set-header X-Forwarded-Proto http unless {{ ssl_fc }}
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
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
http1-request-timeout: 300
http2-idle-timeout: 300
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
        neverbleed: OFF
        ocsp-update-interval: 0
    paths:
      /:
        proxy.reverse.url: http://127.0.0.1:{self.backend}/
        proxy.preserve-host: ON
        proxy.websocket: ON
        proxy.timeout.keepalive: 300000
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
    bench: {{key: bench-key, secret: bench-secret, ping_interval: 1h, presence: {{members: 2000}}}}
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


KINDS = {"nginx": Nginx, "haproxy": Haproxy, "h2o": H2o, "caddy": Caddy, "portero": Portero}


class Backend:
    """tests/bench/edge_backend.cpp, and how many requests it has answered."""

    def __init__(self, folder):
        self.port = free_port()
        self.counter = folder / "backend.count"
        self.process = subprocess.Popen(
            on_core(LOAD_CORE, [BUILD / "tests" / "edge_backend", "--port", self.port,
                                "--count", self.counter]))
        wait_for_port(self.port, self.process, "edge_backend")

    def answered(self):
        return int.from_bytes(self.counter.read_bytes(), "little")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", folder / "key.pem",
                    "-out", folder / "cert.pem", "-days", "30", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True)


def client_context():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
