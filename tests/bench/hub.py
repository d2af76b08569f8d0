"""The hub's rows of the benchmark: fan-out, publishing, client events, presence, sockets.

Called by run.py (`--only hub`, or some rows: `--only hub:idle,hub:presence`). Each row is portero's
CPU time by hub_load against the reference figures of raw uWebSockets, a minimal Pusher server
without signatures, presence or JSON. Those were taken on another machine, so both are also given in
units of that machine's floor: a bare send() of one frame to each of 1,000 sockets (send_floor).
"""
import json
import sys

# Raw uWebSockets on one core, frames of about 250 bytes: deliveries/s with p99 <= 250 ms, CPU us.
REFERENCE = {
    "fanout 1 x 1000": {"per_s": 331_000, "cpu_us": 2.8},
    "fanout 1 x 10000": {"per_s": 523_000},
    "fanout 1000 x 10": {"per_s": 78_000, "cpu_us": 10.8},
    "client events 1 x 1000": {"per_s": 1_340_000},
    "publish api": {"per_s": 60_000, "cpu_us": 15.5},
    "fanout wss 1 x 1000": {"per_s": 200_000, "cpu_us": 4.9},
    "idle plain": {"cpu_us": 34.0},  # to connect
    "idle wss": {"cpu_us": 519.0},
}
REFERENCE_FLOOR_US = 8.1  # send() of one frame to 1,000 sockets there: 7.4 to 8.9
WIDE_ROWS = {"fanout 1 x 10000", "fanout 1000 x 10"}  # colder sockets: their own floor
FANOUT_RATE_MIN = 0.5  # of the raw rate
IDLE_BYTES_MAX = {"idle plain": 2_000, "idle wss": 18_000}
SECONDS = 3


class Rows:
    """Runs rows against servers that `start_server()` makes, `load(tool, *arguments)` being the
    load tool's JSON."""

    def __init__(self, start_server, load):
        self.start_server, self.load = start_server, load

    def hub_load(self, server, mode, *arguments, tls=False):
        more = ["--tls", "--publish-port", server.plain] if tls else []
        return self.load("hub_load", mode, "--port", server.tls if tls else server.plain,
                         "--pid", server.process.pid, *arguments, *more)

    def fanout(self, name, subscribers, channels, start, **options):
        """Raises the rate of publishes until p99 passes 250 ms or deliveries fall behind, twice in
        a row: more frames a write can make a higher rate the easier one."""
        server, best, rate, failures = self.start_server(), None, start, 0
        try:
            while failures < 2:
                got = self.hub_load(server, "fanout", "--subscribers", subscribers, "--channels",
                                    channels, "--rate", int(rate), "--seconds", SECONDS,
                                    "--source", options.get("source", "api"),
                                    tls=options.get("tls", False))
                log(f"{name} at {rate:.0f}/s", got)
                kept_up = got["delivered"] >= got["expected"] and got["p99_ms"] <= 250
                if got["published"] < rate * SECONDS * 0.9:
                    failures = 2  # the load tool is full: what it reached counts if it kept up
                if kept_up and got["deliveries_per_s"] > (best or got)["deliveries_per_s"] * 0.999:
                    best = got
                failures = failures if kept_up else failures + 1
                rate *= 1.5
        finally:
            server.stop()
        kept_up, best = best is not None, best or got
        return {"kept_up": kept_up, "per_s": best["deliveries_per_s"],
                "cpu_us": best["cpu_us_per_delivery"], "p99_ms": best["p99_ms"],
                "publish_us": best["cpu_us_per_publish"],
                "subscribe_us": best["cpu_us_per_subscribe"]}

    def repeated(self, name, mode, *arguments, tls=False, key, rounds=3):
        """The round with the lowest `key`: a neighbour can only add."""
        best = None
        for _ in range(rounds):
            server = self.start_server()
            try:
                got = self.hub_load(server, mode, *arguments, tls=tls)
            finally:
                server.stop()
            log(name, got)
            if best is None or got[key] < best[key]:
                best = got
        return best

    def publish(self):
        got = self.repeated("publish api", "publish", "--connections", 16, "--seconds", SECONDS,
                            key="cpu_us_per_publish")
        return {"per_s": got["publishes_per_s"], "cpu_us": got["cpu_us_per_publish"]}

    def presence(self):
        got = self.repeated("presence", "presence", "--members", 1000, key="cpu_us_per_join")
        return {"seconds": got["seconds"], "cpu_us": got["cpu_us_per_join"]}

    def idle(self, tls):
        name = "idle wss" if tls else "idle plain"
        tried = [self.repeated(name, "idle", "--sockets", 2000 if tls else 10000, tls=tls,
                               key="rss_bytes_per_socket", rounds=1) for _ in range(3)]
        return {"bytes": min(one["rss_bytes_per_socket"] for one in tried),
                "cpu_us": min(one["cpu_us_per_connect"] for one in tried)}


ROWS = {
    "fanout": lambda r: {
        "fanout 1 x 1000": r.fanout("1 x 1000", 1000, 1, 100),
        "fanout 1 x 10000": r.fanout("1 x 10000", 10000, 1, 20),
        "fanout 1000 x 10": r.fanout("1000 x 10", 10000, 1000, 3000),
        "fanout wss 1 x 1000": r.fanout("wss 1 x 1000", 1000, 1, 100, tls=True),
    },
    "client": lambda r: {
        "client events 1 x 1000": r.fanout("client 1 x 1000", 1000, 1, 200, source="client")},
    "publish": lambda r: {"publish api": r.publish()},
    "presence": lambda r: {"presence 1000": r.presence()},
    "idle": lambda r: {"idle plain": r.idle(False), "idle wss": r.idle(True)},
}


def log(name, figures):
    print(f"hub {name}: {figures}", file=sys.stderr, flush=True)


def run_hub(start_server, load, chosen):
    """`chosen`: names of ROWS; empty is all. Returns the figures by row, and the floor."""
    rows = Rows(start_server, load)
    report = {"floor": load("send_floor", "--seconds", 3)}
    wide = load("send_floor", "--seconds", 3, "--sockets", 9000)
    report["floor"]["wide_us"] = wide["send_1_us"]
    log("floor", report["floor"])
    for name in chosen or ROWS:
        report.update(ROWS[name](rows))
    return report


def unit_of(name, floor):
    return floor["wide_us"] if name in WIDE_ROWS else floor["send_1_us"]


def print_against_raw(name, row, unit):
    """Rates over rates, both in units of their machine's floor; and CPU time over CPU time."""
    known, slower = REFERENCE[name], unit / REFERENCE_FLOOR_US
    text = f"  {name}: {row['per_s'] * slower / known['per_s']:.2f} of the rate of raw uWebSockets"
    if "cpu_us" in known:
        text += f", {known['cpu_us'] * slower / row['cpu_us']:.2f} of its deliveries per CPU second"
    print(text + f", target {FANOUT_RATE_MIN}" +
          ("" if row["kept_up"] else "; no rate kept p99 below 250 ms"))


def print_hub(report):
    floor = report["floor"]
    print(f"\nhub (floor: a send of 1 frame {floor['send_1_us']:.2f} us, of 4 "
          f"{floor['send_4_us']:.2f}, of 16 {floor['send_16_us']:.2f} us a frame; to 9,000 sockets "
          f"{floor['wide_us']:.2f} us)")
    print(f"{'':<24}{'per s':>10}{'CPU us':>9}{'in floors':>10}{'uWS /s':>10}{'uWS us':>8}"
          f"{'in floors':>10}  more")
    for name, row in report.items():
        if name == "floor":
            continue
        known = REFERENCE.get(name, {})
        unit = unit_of(name, floor)
        cells = [f"{row['per_s']:>10,.0f}" if "per_s" in row else f"{'-':>10}",
                 f"{row['cpu_us']:>9.2f}{row['cpu_us'] / unit:>10.2f}",
                 f"{known['per_s']:>10,}" if "per_s" in known else f"{'-':>10}",
                 f"{known['cpu_us']:>8.1f}{known['cpu_us'] / REFERENCE_FLOOR_US:>10.2f}"
                 if "cpu_us" in known else f"{'-':>8}{'-':>10}"]
        more = "  ".join(f"{key} {value:,.1f}" for key, value in row.items()
                         if key not in ("per_s", "cpu_us", "kept_up"))
        print(f"{name:<24}{''.join(cells)}  {more}")
    for name, most in IDLE_BYTES_MAX.items():
        if name in report:
            print(f"  {name}: {report[name]['bytes']:,.0f} bytes, target {most:,}")
    for name, row in report.items():
        if name.startswith(("fanout", "client")):
            print_against_raw(name, row, unit_of(name, floor))


if __name__ == "__main__":
    sys.exit("use tests/bench/run.py --only hub")
