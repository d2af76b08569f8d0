#!/usr/bin/env python3
"""Benchmarks `php:` against nginx and caddy in front of the same responder: CPU per small request.

  tests/bench/php.py [--rounds 3] [--seconds 3] [--portero build/bench/portero]
                     [--responder build/bench/tests/fastcgi_responder]

Two tables: before a responder that answers at once, so that the server is what the load fills, and
before a real php-fpm, whose processes fill their core while the server sleeps two thirds of the
time. The server runs alone on core 0, responder and wrk on core 1; servers take turns within a
round. A figure is the server's own CPU time per request, of the rounds the lowest. nginx keeps its
connections to the responder, as portero does; caddy cannot. Needs wrk, nginx, caddy, php8.2-fpm and
`cmake --preset bench && cmake --build --preset bench`.
"""
import argparse
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONNECTIONS = 16


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, what):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    sys.exit(f"{what} did not come up")


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def descendants(pid):
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += descendants(int(child))
    return found


def cpu_us(pid):
    tasks = [task for process in descendants(pid)
             for task in pathlib.Path(f"/proc/{process}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) / 1e3 for task in tasks)


def portero(folder, port, args):
    config = folder / "portero.yaml"
    config.write_text(f"""
http_port: {port}
bind: 127.0.0.1
threads: 1
storage: {folder}/storage
admin: unix:{folder}/admin.sock
sites:
  http://localhost: {{root: {folder}/public, php: "unix:{folder}/fpm.sock"}}
""")
    return [args.portero, "run", "--config", str(config)]


def nginx(folder, port, _):
    config = folder / "nginx.conf"
    config.write_text(f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err; user root;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream php {{ server unix:{folder}/fpm.sock; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port}; root {folder}/public;
    location / {{ try_files $uri $uri/index.php /index.php?$query_string; }}
    location ~ \\.php$ {{
      include /etc/nginx/fastcgi_params; fastcgi_keep_conn on;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; fastcgi_pass php;
    }}
  }}
}}""")
    return ["nginx", "-c", str(config)]


def caddy(folder, port, _):
    config = folder / "Caddyfile"
    config.write_text(f"""
{{
  admin off
  auto_https off
}}
http://localhost:{port} {{
  root * {folder}/public
  php_fastcgi unix/{folder}/fpm.sock
  file_server
}}""")
    return ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]


def start_responder(folder, args):
    command = ["taskset", "-c", "1", args.responder, str(folder / "fpm.sock")]
    responder = subprocess.Popen(command)
    wait_for((folder / "fpm.sock").exists, args.responder)
    return responder


def start_fpm(folder, _):
    config = folder / "fpm.conf"
    config.write_text(f"""
[global]
error_log = {folder}/fpm.log
daemonize = no
[www]
user = root
listen = {folder}/fpm.sock
pm = static
pm.max_children = {CONNECTIONS + 4}
""")
    command = ["taskset", "-c", "1", "/usr/sbin/php-fpm8.2", "-F", "-R", "-y", str(config)]
    fpm = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_for((folder / "fpm.sock").exists, "php-fpm")
    return fpm


def measure(make, folder, args):
    port = free_port()
    log = open(folder / f"{make.__name__}.log", "w")
    env = dict(os.environ, HOME=str(folder), GOMAXPROCS="1")
    server = subprocess.Popen(["taskset", "-c", "0", *make(folder, port, args)], stdout=log,
                              stderr=log, env=env)
    try:
        wait_for(lambda: listens(port), make.__name__)
        load = ["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}"]
        url = f"http://localhost:{port}/users/7?page=2"
        subprocess.run([*load, "-d1s", url], capture_output=True, check=True)
        before = cpu_us(server.pid)
        out = subprocess.run([*load, f"-d{args.seconds}s", url], capture_output=True, check=True,
                             text=True).stdout
        spent = cpu_us(server.pid) - before
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(15)
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"{make.__name__}: {out}")
    return spent / int(re.search(r"(\d+) requests in", out).group(1))


def compare(start, args):
    best = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "public").mkdir()
        (folder / "public/index.php").write_text("<?php echo 'ok ', $_SERVER['REQUEST_URI'];")
        responder = start(folder, args)
        try:
            for _ in range(args.rounds):
                for make in (portero, nginx, caddy):
                    figure = measure(make, folder, args)
                    best[make.__name__] = min(figure, best.get(make.__name__, figure))
        finally:
            responder.terminate()
            responder.wait()
    for server, figure in best.items():
        print(f"{server:8} {figure:7.1f} µs a request, ratio {best['portero'] / figure:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--portero", default=str(ROOT / "build/bench/portero"))
    parser.add_argument("--responder",
                        default=str(ROOT / "build/bench/tests/fastcgi_responder"))
    args = parser.parse_args()
    print("a responder that answers at once")
    compare(start_responder, args)
    print("php-fpm")
    compare(start_fpm, args)


if __name__ == "__main__":
    main()
