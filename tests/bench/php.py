#!/usr/bin/env python3
"""Benchmarks `php:` against nginx and caddy in front of the same responder: CPU per small request.

  tests/bench/php.py [--rounds 3] [--seconds 3] [--portero build/bench/portero]
                     [--responder build/bench/tests/fastcgi_responder]

Three tables. Two are CPU per request: before a responder that answers at once, so that the server
is what the load fills, and before a real php-fpm, whose processes fill their core while the server
sleeps two thirds of the time. The server runs alone on core 0, responder and wrk on core 1; servers
take turns within a round. A figure is the server's own CPU time per request, of the rounds the
lowest. nginx keeps its connections to the responder, as portero does; caddy cannot.

The third is what visitors wait who are more than PHP's processes but seldom ask at once: 24 that
think for 20 ms, 4 processes, two workers; nginx as it comes, without kept connections.

Needs wrk, nginx, caddy, php8.2-fpm and `cmake --preset bench && cmake --build --preset bench`.
"""
import argparse
import asyncio
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
VISITORS = 24
PROCESSES = 4
THINK_S = 0.02


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
threads: {args.workers}
storage: {folder}/storage
admin: unix:{folder}/admin.sock
sites:
  http://localhost: {{root: {folder}/public, php: "unix:{folder}/fpm.sock"}}
""")
    return [args.portero, "run", "--config", str(config)]


def nginx(folder, port, args):
    config = folder / "nginx.conf"
    kept = "keepalive 64; keepalive_requests 1000000000;" if args.workers == 1 else ""
    config.write_text(f"""
daemon off; worker_processes {args.workers}; user root;
pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream php {{ server unix:{folder}/fpm.sock; {kept} }}
  server {{
    listen 127.0.0.1:{port}; root {folder}/public;
    location / {{ try_files $uri $uri/index.php /index.php?$query_string; }}
    location ~ \\.php$ {{
      include /etc/nginx/fastcgi_params; fastcgi_keep_conn {"on" if kept else "off"};
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


def start_fpm(folder, args):
    config = folder / "fpm.conf"
    config.write_text(f"""
[global]
error_log = {folder}/fpm.log
daemonize = no
[www]
user = root
listen = {folder}/fpm.sock
pm = static
pm.max_children = {CONNECTIONS + 4 if args.workers == 1 else PROCESSES}
""")
    command = ["taskset", "-c", "1", "/usr/sbin/php-fpm8.2", "-F", "-R", "-y", str(config)]
    fpm = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_for((folder / "fpm.sock").exists, "php-fpm")
    return fpm


def cpu_per_request(server, port, name, args):
    load = ["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}"]
    url = f"http://localhost:{port}/users/7?page=2"
    subprocess.run([*load, "-d1s", url], capture_output=True, check=True)
    before = cpu_us(server.pid)
    out = subprocess.run([*load, f"-d{args.seconds}s", url], capture_output=True, check=True,
                         text=True).stdout
    spent = cpu_us(server.pid) - before
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"{name}: {out}")
    return spent / int(re.search(r"(\d+) requests in", out).group(1))


async def visit(port, number, until, waits):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asked = 0
    while time.monotonic() < until:
        asked += 1
        is_post = (number + asked) % 5 == 0
        writer.write((b"POST /form HTTP/1.1\r\nContent-Length: 3\r\nHost: localhost\r\n\r\nx=1"
                      if is_post else b"GET /users/7 HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        began = time.monotonic()
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        if " 200 " not in head.split("\r\n")[0]:
            sys.exit(head)
        length = re.search(r"content-length: (\d+)", head)
        if length:
            await reader.readexactly(int(length.group(1)))
        else:
            await reader.readuntil(b"0\r\n\r\n")
        waits.append((time.monotonic() - began) * 1e3)
        await asyncio.sleep(THINK_S)
    writer.close()


def visitors_wait(_, port, __, args):
    async def all_of_them():
        waits = []
        until = time.monotonic() + args.seconds
        await asyncio.gather(*(visit(port, i, until, waits) for i in range(VISITORS)))
        return sorted(waits)
    waits = asyncio.run(all_of_them())
    return waits[len(waits) // 2], waits[len(waits) * 99 // 100]


def measure(make, folder, args, figure):
    port = free_port()
    log = open(folder / f"{make.__name__}.log", "w")
    env = dict(os.environ, HOME=str(folder), GOMAXPROCS=str(args.workers))
    command = make(folder, port, args)
    alone = ["taskset", "-c", "0"] if args.workers == 1 else []
    server = subprocess.Popen([*alone, *command], stdout=log, stderr=log, env=env)
    try:
        wait_for(lambda: listens(port), make.__name__)
        return figure(server, port, make.__name__, args)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(15)


def compare(start, args, figure, show):
    best = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "public").mkdir()
        (folder / "public/index.php").write_text("<?php echo 'ok ', $_SERVER['REQUEST_URI'];")
        responder = start(folder, args)
        try:
            for _ in range(args.rounds):
                for make in (portero, nginx, caddy):
                    found = measure(make, folder, args, figure)
                    best[make.__name__] = min(found, best.get(make.__name__, found))
        finally:
            responder.terminate()
            responder.wait()
    for server, found in best.items():
        print(f"{server:8} {show(found, best['portero'])}")


def show_cpu(found, ours):
    return f"{found:7.1f} µs a request, ratio {ours / found:.2f}"


def show_waits(found, _):
    return f"{found[0]:7.1f} ms, the 99th of a hundred {found[1]:.1f} ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--portero", default=str(ROOT / "build/bench/portero"))
    parser.add_argument("--responder",
                        default=str(ROOT / "build/bench/tests/fastcgi_responder"))
    args = parser.parse_args()
    args.workers = 1
    print("a responder that answers at once")
    compare(start_responder, args, cpu_per_request, show_cpu)
    print("php-fpm")
    compare(start_fpm, args, cpu_per_request, show_cpu)
    args.workers = 2
    print(f"{VISITORS} visitors that think, {PROCESSES} processes of php-fpm")
    compare(start_fpm, args, visitors_wait, show_waits)


if __name__ == "__main__":
    main()
