#!/usr/bin/env python3
"""Benchmarks portero's edge against nginx, haproxy, h2o and caddy, and its hub.

  tests/bench/run.py [--only tls_h1,tls_h2,…] [--rounds 5] [--seconds 3] [--servers nginx,portero]
                     [--portero PATH] [--json FILE] [--no-build]

Installs the peers and the load tools (packaging/deps.sh bench), builds, measures, prints tables and
writes the same as JSON. Every server runs alone on core 0, the load and the backend on core 1; the
servers take turns within a round, and rounds repeat. A figure is the server's CPU time per request
in its best half second, because neighbours only add. README.md says what the figures mean.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import budget
import edge
import hub
from servers import BUILD, KINDS, LOAD_CORE, ROOT, Backend, Portero, make_certificate, on_core


def on_load_core(command):
    done = subprocess.run(on_core(LOAD_CORE, command), capture_output=True, text=True, timeout=180)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def load_tool(name, *arguments):
    return json.loads(on_load_core([BUILD / "tests" / name, *map(str, arguments)]))


def start_portero(folder, backend):
    server = Portero("portero", folder, backend)
    server.start()
    return server


def print_edge(rows, names):
    peers = [name for name in names if name != "portero"]
    print(f"\n{'CPU us per request':<34}" + "".join(f"{n:>10}" for n in names) +
          f"{'ratio':>8}{'target':>8}{'median':>8}")
    for work, row in rows.items():
        cells = "".join(f"{row[n]['cpu_us']:>10.1f}" if n in row else f"{'-':>10}" for n in names)
        row["ratio"], row["median_ratio"] = (
            row["portero"][key] / min(row[n][key] for n in peers if n in row)
            if "portero" in row and any(n in row for n in peers) else None
            for key in ("cpu_us", "median_cpu_us"))
        target = edge.WORKS[work].target
        print(f"{edge.WORKS[work].text:<34}{cells}" + "".join(
            f"{number:>8.2f}" if number else f"{'-':>8}"
            for number in (row["ratio"], target, row["median_ratio"])))


def print_report(report, names):
    if report.get("edge"):
        print_edge(report["edge"], names)
    for text, row in report.get("others", {}).items():
        print(f"{text:<34}" + "".join(f"{row[n]:>10.0f}" for n in names))
    if report.get("hub"):
        hub.print_hub(report["hub"])
    if report.get("budget"):
        print("\nbudget")
        for name, figures in report["budget"].items():
            print(f"  {name:<24}" + "  ".join(
                f"{key} {value:.2f}" if isinstance(value, float) else f"{key} {value}"
                for key, value in figures.items() if key != "mode"))


def prepare():
    os.chdir(ROOT)
    subprocess.run(["packaging/deps.sh", "bench"], check=True)
    subprocess.run(["cmake", "--preset", "bench"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", "--preset", "bench"], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each load")
    parser.add_argument("--only", default="", help="comma-separated: " + ", ".join(
        [*edge.WORKS, "others", "budget", "hub", *(f"hub:{row}" for row in hub.ROWS)]))
    parser.add_argument("--servers", default=",".join(KINDS))
    parser.add_argument("--portero", default=Portero.binary)
    parser.add_argument("--json", default=str(ROOT / "build" / "bench.json"))
    parser.add_argument("--no-build", action="store_true")
    options = parser.parse_args()
    Portero.binary = options.portero
    chosen = [w for w in options.only.split(",") if w] or [*edge.WORKS, "others", "budget", "hub"]
    if not options.no_build:
        prepare()
    os.sched_setaffinity(0, {LOAD_CORE})  # also this script is not to disturb the server
    names = [n for n in options.servers.split(",") if n == "portero" or shutil.which(n)]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="portero-bench-"))
    folder.chmod(0o755)
    make_certificate(folder)
    backend = Backend(folder)
    report = {}
    try:
        works = [w for w in chosen if w in edge.WORKS]
        if works:
            report["edge"] = edge.run(folder, backend, names, works, options.rounds,
                                      options.seconds)
        if "others" in chosen:
            report["others"] = edge.run_others(folder, backend, names, options.rounds)
        if "budget" in chosen:
            report["budget"] = budget.run(folder, backend, names)
        hub_rows = [w for w in chosen if w == "hub" or w.startswith("hub:")]
        if hub_rows:
            report["hub"] = hub.run_hub(lambda: start_portero(folder, backend.port), load_tool,
                                        [w[4:] for w in hub_rows if w != "hub"])
    finally:
        backend.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print_report(report, names)
    pathlib.Path(options.json).write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
