"""The edge's rows: CPU time per request of portero and its peers, under the same load."""
import re
import socket
import statistics
import subprocess
import sys
import time
from typing import Callable, NamedTuple, Optional

from servers import BUILD, KINDS, LOAD_CORE, Server, client_context, on_core

WARM_S = 0.8      # before the first window: handshakes, pools, caches …
WARM_REQUESTS = 130  # … and, when a busy machine makes all that slow, so many answers
WARM_S_MAX = 15
WINDOW_S = 0.5    # long against the 4 ms by which schedstat may lag
REQUESTS_MIN = 20  # a window with fewer says nothing


class Work(NamedTuple):
    """A kind of load. `command` makes it last `seconds`; `check` reads its output."""
    text: str
    command: Callable
    check: Callable
    target: Optional[float] = None  # highest ratio to the best peer


def edge_load(*arguments, tls):
    def command(server, seconds):
        port = server.tls if tls else server.plain
        return [BUILD / "tests" / "edge_load", "--port", port, "--seconds", seconds,
                *(["--tls"] if tls else []), *arguments]
    return command


def checked_by_itself(server, output):
    """edge_load and handshake_load end with an error at the first wrong answer."""


def handshake_load(*arguments):
    def command(server, seconds):
        return [BUILD / "tests" / "handshake_load", "--port", server.tls, "--seconds", seconds,
                *arguments]
    return command


def h2load(body_bytes, clients=64, streams=16):
    in_flight = clients * streams

    def command(server, seconds):
        return ["h2load", "-D", int(seconds), "-c", clients, "-m", streams, "-t", 1,
                "--groups=X25519", "--tls13-ciphers=TLS_AES_128_GCM_SHA256",
                f"https://localhost:{server.tls}/{body_bytes}"]

    def check(server, output):
        figures = {key: int(number) for number, key in re.findall(
            r"(\d+) (succeeded|failed|errored|timeout|2xx|3xx|4xx|5xx)", output)}
        data = int(re.search(r"\((\d+)\) data", output).group(1))
        good = figures["succeeded"]
        # When time is up, up to `in_flight` answers have arrived in part or not been counted.
        whole = good * body_bytes <= data <= (good + in_flight) * body_bytes
        others = sum(figures[key] for key in ("failed", "errored", "timeout", "3xx", "4xx", "5xx"))
        if good == 0 or others != 0 or not whole:
            sys.exit(f"{server.name}: wrong answers\n{output}")
    return command, check


def h1(text, *arguments, tls=True, target=None):
    return Work(text, edge_load(*arguments, tls=tls), checked_by_itself, target)


WORKS = {
    "plain_h1": h1("plain, HTTP/1.1, GET 100 B", tls=False, target=1.0),
    "tls_h1": h1("TLS, HTTP/1.1, GET 100 B", target=1.0),
    "tls_h2": Work("TLS, HTTP/2, GET 100 B", *h2load(100), 1.0),
    "handshake": Work("TLS 1.3 handshake, GET 100 B", handshake_load(), checked_by_itself, 1.05),
    "resumed": Work("the same, resumed", handshake_load("--resume"), checked_by_itself),
    "tls_h1_rate": h1("TLS, HTTP/1.1, at 4,000/s", "--rate", 4000),
    "tls_h1_10k": h1("TLS, HTTP/1.1, GET 10 kB", "--path", "/10000", "--expect", 10000),
    "tls_h2_10k": Work("TLS, HTTP/2, GET 10 kB", *h2load(10000)),
    "tls_h1_1m": h1("TLS, HTTP/1.1, GET 1 MB", "--connections", 16, "--path", "/1000000",
                    "--expect", 1000000),
    "tls_h1_post": h1("TLS, HTTP/1.1, POST 64 kB", "--connections", 16, "--post", 65536),
    "tunnel": h1("WebSocket echo of 64 B over TLS", "--tunnel", "--path", "/tunnel"),
}


class Window(NamedTuple):
    cpu_us: float  # per request
    per_s: float
    busy: float    # share of its core


def warm_up(backend, load):
    """Returns when the load has been on for long enough, or is over."""
    begin, first = time.monotonic(), backend.answered()
    while load.poll() is None and time.monotonic() - begin < WARM_S_MAX:
        time.sleep(0.05)
        if time.monotonic() - begin >= WARM_S and backend.answered() - first >= WARM_REQUESTS:
            return


def measure(server, backend, work, seconds):
    """Watches the server under one run of the load; a figure for each window. When the machine is
    so busy that there is none, the load gets more time."""
    for factor in (1, 2, 4):
        windows = measure_once(server, backend, work, seconds * factor)
        if windows:
            return windows
    sys.exit(f"{server.name}: too few answers to measure: {work.text}")


def measure_once(server, backend, work, seconds):
    command = on_core(LOAD_CORE, work.command(server, seconds + WARM_S + 0.3))
    load = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    warm_up(backend, load)
    end = time.monotonic() + seconds
    windows = []
    before = (server.cpu_us(), backend.answered(), time.monotonic())
    while time.monotonic() + WINDOW_S / 2 < end:
        time.sleep(WINDOW_S)
        if load.poll() is not None:
            break
        now = (server.cpu_us(), backend.answered(), time.monotonic())
        cpu, requests, elapsed = (b - a for a, b in zip(before, now))
        if requests >= REQUESTS_MIN:
            windows.append(Window(cpu / requests, requests / elapsed, cpu / 1e6 / elapsed))
        before = now
    output = load.communicate(timeout=120)[0]
    if load.returncode != 0:
        sys.exit(f"{server.name}: {' '.join(command)} failed:\n{output}")
    work.check(server, output)
    return windows


def summary(windows):
    best = min(windows)
    return {"cpu_us": best.cpu_us, "per_s": best.per_s, "busy": best.busy,
            "median_cpu_us": statistics.median(w.cpu_us for w in windows),
            "windows": len(windows)}


def run(folder, backend, names, works, rounds, seconds):
    """All servers are up; one at a time runs, the others are stopped. They take turns within a
    round of each work, so that a noisy minute hits all of them."""
    servers = [KINDS[name](name, folder, backend.port) for name in names]
    windows = {work: {name: [] for name in names} for work in works}
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.pause()
        for round_number in range(rounds):
            for work in works:
                for server in servers:
                    server.go_on()
                    got = measure(server, backend, WORKS[work], seconds)
                    server.pause()
                    windows[work][server.name] += got
                    best = min(got)
                    print(f"round {round_number + 1} {work} {server.name}: {best.cpu_us:.1f} us, "
                          f"{best.per_s:.0f}/s, busy {best.busy:.2f}", file=sys.stderr, flush=True)
    finally:
        for server in servers:
            server.stop()
    return {work: {name: summary(got) for name, got in row.items()}
            for work, row in windows.items()}


# --- rows that are not CPU per request -----------------------------------------------------------


def idle_bytes(server, connections):
    """Growth of the memory per TLS connection that has had one answer and is kept open."""
    context = client_context()

    def connect():
        raw = socket.create_connection(("127.0.0.1", server.tls))
        stream = context.wrap_socket(raw, server_hostname="localhost")
        stream.sendall(b"GET /100 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"x" * 100):
            answer += stream.recv(4096)
        return stream
    kept = [connect() for _ in range(50)]  # what the first ones cost is not theirs
    before = server.rss_bytes()
    kept += [connect() for _ in range(connections)]
    grown = server.rss_bytes() - before
    for stream in kept:
        stream.close()
    return grown / connections


def first_answer_ms(server):
    """From the start of the process to the first answer through the proxy."""
    begin = time.monotonic()
    server.spawn()
    while time.monotonic() - begin < 20:
        try:
            with socket.create_connection(("127.0.0.1", server.plain), timeout=1) as stream:
                stream.sendall(b"GET /100 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if stream.recv(4096).startswith(b"HTTP/1.1 200"):
                    return (time.monotonic() - begin) * 1e3
        except OSError:
            pass
        time.sleep(0.001)
    sys.exit(f"{server.name} does not answer")


def run_others(folder, backend, names, rounds):
    figures = {"idle TLS connection, bytes": {}, "start to first answer, ms": {}}
    for name in names:
        server: Server = KINDS[name](name, folder, backend.port)
        server.start()
        figures["idle TLS connection, bytes"][name] = idle_bytes(server, 1000)
        server.stop()
        times = []
        for _ in range(rounds):
            server = KINDS[name](name, folder, backend.port)
            times.append(first_answer_ms(server))
            server.stop()
        figures["start to first answer, ms"][name] = min(times)
    return figures
