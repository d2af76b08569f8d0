"""The budget lines: system calls and allocations per proxied keep-alive request, counted on a warm
server, not timed."""
import pathlib
import re
import signal
import subprocess
import time

import edge
from servers import KINDS, LOAD_CORE, ROOT, on_core

WORKS = ("plain_h1", "tls_h1", "tls_h2")
CALLS_SHOWN_MIN = 0.005  # per request


def under_load(server, backend, work, seconds, action):
    """Runs `action` while the load is on and everything is warm."""
    load = subprocess.Popen(on_core(LOAD_CORE, edge.WORKS[work].command(server, seconds)),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    edge.warm_up(backend, load)
    result = action()
    output = load.communicate(timeout=120)[0]
    edge.WORKS[work].check(server, output)
    return result


def count_allocations(backend, counter):
    def read():
        return int.from_bytes(counter.read_bytes(), "little"), backend.answered()
    first = read()
    time.sleep(1)
    last = read()
    return (last[0] - first[0]) / (last[1] - first[1])


def is_traced(pid):
    return all(re.search(r"TracerPid:\t[1-9]", (thread / "status").read_text())
               for thread in pathlib.Path(f"/proc/{pid}/task").iterdir())


def count_calls(server, backend, file):
    """strace -c on the server for two seconds; its summary divided by the requests meanwhile."""
    pids = server.pids()
    tracer = subprocess.Popen(["strace", "-c", "-f", "-o", file] +
                              [a for pid in pids for a in ("-p", str(pid))],
                              stderr=subprocess.DEVNULL)
    while not all(is_traced(pid) for pid in pids):
        time.sleep(0.001)
    first = backend.answered()
    time.sleep(2)
    requests = backend.answered() - first
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    calls = {}
    for line in file.read_text().splitlines():
        row = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
        if row and row.group(2) != "total":
            calls[row.group(2)] = int(row.group(1)) / requests
    return calls


def run(folder, backend, names):
    library = folder / "malloc_count.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library,
                    ROOT / "tests/bench/malloc_count.c"], check=True)
    counter = folder / "malloc.count"
    budget = {}
    for name in names:
        for work in WORKS:
            server = KINDS[name](name, folder, backend.port)
            server.start({"LD_PRELOAD": str(library), "MALLOC_COUNT_FILE": str(counter)})
            row = {"allocations": under_load(server, backend, work, 4,
                                             lambda: count_allocations(backend, counter))}
            calls = under_load(server, backend, work, 6,
                               lambda: count_calls(server, backend, folder / "strace.txt"))
            row["system calls"] = sum(calls.values())
            row.update({call: count for call, count in sorted(calls.items(), key=lambda c: -c[1])
                        if count >= CALLS_SHOWN_MIN})
            budget[f"{work} {name}"] = row
            server.stop()
    return budget
