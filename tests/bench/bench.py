#!/usr/bin/python3
"""The reference work, measured. scripts/bench.sh builds what this needs and runs it.

A run counts only when its output is exactly right: each line compared with what the record must
become, each record once, the audit balanced, the monitor's counters equal to what came out.
"""
import argparse
import json
import os
import platform
import signal
import sys
import time

import benchreport
import benchruns
from benchchain import BenchError

MODES = ("push", "chunks", "acked", "tcp")


def arguments():
    parser = argparse.ArgumentParser(prog="bench.sh", description=__doc__)
    parser.add_argument("kinds", nargs="*", default=["throughput"], metavar="KIND",
                        help="throughput (default), latency, idle")
    parser.add_argument("--modes", default=",".join(MODES), help="of throughput: %(default)s")
    parser.add_argument("--records", type=int, default=1000000)
    parser.add_argument("--bytes", type=int, default=250, help="of a record")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--rates", default="1,1000,10000,100000", help="of latency: %(default)s")
    parser.add_argument("--seconds", type=float, default=10, help="of latency and idle runs")
    parser.add_argument("--workers", action="append", default=[], metavar="STAGE=N")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE",
                        help="a line for the chain's configuration")
    parser.add_argument("--dir", help="where the chain's directories go; default: a temporary one")
    parser.add_argument("--json", metavar="FILE", help="raw results")
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    return parser.parse_args()


def plan(options):
    """What to run, one round: rounds are repeated whole, so that a slow minute hits all alike."""
    runs = []
    for kind in options.kinds:
        if kind == "throughput":
            runs += [(benchruns.throughput, (mode, options.records, options.bytes))
                     for mode in options.modes.split(",")]
        elif kind == "latency":
            runs += [(benchruns.latency, (float(rate), options.seconds, options.bytes))
                     for rate in options.rates.split(",")]
        elif kind == "idle":
            runs.append((benchruns.idle, (options.seconds,)))
        else:
            sys.exit(f"bench.sh: no kind {kind}: throughput, latency, idle")
    return runs


def short(row):
    names = ("mode", "rate", "records_per_s", "cpu_total", "p50_ms", "p99_ms", "other_load")
    return " ".join(f"{name}={row[name]}" for name in names if name in row)


def machine():
    model = ""
    with open("/proc/cpuinfo", encoding="utf-8") as source:
        for line in source:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "date": time.strftime("%Y-%m-%d %H:%M")}


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # chains go down on the way out
    bin_dir, load = benchruns.binaries(options.build)
    setup = {
        "binaries": bin_dir, "folder": options.dir, "settings": options.set,
        "workers": dict(pair.split("=") for pair in options.workers),
    }
    results, failures = [], 0
    for turn in range(options.repeat):
        for run, words in plan(options):
            try:
                results.append(run(load, setup, *words))
                print(f"{turn + 1}/{options.repeat} {short(results[-1])}", file=sys.stderr)
            except BenchError as error:
                failures += 1
                print(f"run of {words} does not count: {error}", file=sys.stderr)
    here = machine()
    print("{cpu}, {cores} cores, Linux {kernel}, {date}\n".format(**here))
    print(benchreport.whole(results))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump({"machine": here, "options": vars(options), "results": results}, out,
                      indent=1)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
