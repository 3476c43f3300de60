#!/usr/bin/python3
"""The reference work, measured: Millrace, other programs in its place, and what the machine allows.

A run counts only when its output is exactly right: each line compared with what the record must
become, each record once, the audit balanced, the monitor's counters equal to what came out. Rounds
are repeated whole, so that a slow minute hits all alike; figures are medians, with the least and
the most, and the load that others put on the machine (in cores) stands beside them.

KINDS run by default: throughput peers limits latency workers sizes durability cache idle
and by hand: producers steps batches backlog start scaling
"""
import argparse
import json
import os
import platform
import signal
import sys
import time

import benchplan
import benchplot
import benchreport
from benchchain import Setup
from benchload import BenchError, NotHere, Program


def arguments():
    parser = argparse.ArgumentParser(prog="bench.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("kinds", nargs="*", metavar="KIND", help="what to run")
    add("--records", type=int, default=1000000, help="of a run of Millrace; slow peers get fewer")
    add("--bytes", type=int, default=250, help="of a record")
    add("--repeat", type=int, help="rounds; default 5 of throughput and limits, 3 of peers, else 1")
    add("--modes", default="chunks,push,tcp,acked", help="of throughput: %(default)s")
    add("--rates", default="1,1000,10000,100000,500000", help="of latency: %(default)s")
    add("--sizes", default="100,250,1024,4096,16384,65536", help="of sizes: %(default)s")
    add("--producers", default="1,2,4,16,64", help="of producers: %(default)s")
    add("--steps", default="0,1,3,5,10", help="of steps, at most 10: %(default)s")
    add("--batches", default="64,256,1024,2048,8192", help="records a batch: %(default)s")
    add("--seconds", type=float, default=10, help="of latency and idle runs")
    add("--workers", action="append", default=[], metavar="STAGE=N")
    add("--set", action="append", default=[], metavar="SECTION.KEY=VALUE",
        help="a line for the chain's configuration")
    add("--dir", help="where the chain's directories go; default: a temporary one")
    add("--out", help="where results.json, report.md and plots go; default: build/bench/<time>")
    add("--from", dest="sources", action="append", default=[], metavar="FILE",
        help="results.json of earlier runs: reported together with what runs now, or alone")
    add("--build", default="build/release", help=argparse.SUPPRESS)
    return parser.parse_args()


def machine():
    model = ""
    with open("/proc/cpuinfo", encoding="utf-8") as source:
        for line in source:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    with open("/proc/meminfo", encoding="utf-8") as source:
        memory = int(source.readline().split()[1])
    return {"cpu": model, "cores": os.cpu_count(), "memory_gb": round(memory / 1e6),
            "kernel": platform.release(), "date": time.strftime("%Y-%m-%d %H:%M")}


def short(row):
    names = ("who", "records_per_s", "cpu_total", "p50_ms", "p99_ms", "cpu_percent", "up_s",
             "other_load")
    return " ".join(f"{name}={row[name]}" for name in names if name in row)


def execute(runs, rounds):
    """All runs, round by round. (results, runs that do not count)"""
    results, failures, absent = [], 0, set()
    for turn in range(rounds):
        for run in runs:
            if run.rounds <= turn or run.who in absent:
                continue
            try:
                began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                results.append({"began": began, **run.call(), "axis": run.axis})
                print(f"{turn + 1}/{run.rounds} {run.kind}: {short(results[-1])}",
                      file=sys.stderr, flush=True)
            except NotHere as error:
                absent.add(run.who)
                results.append({"kind": run.kind, "who": run.who, "not_here": str(error)})
                print(f"{run.kind}: {run.who}: {error}", file=sys.stderr)
            except BenchError as error:
                failures += 1
                print(f"{run.kind}: {run.who}: this run does not count: {error}", file=sys.stderr)
    return results, failures


def load_earlier(sources):
    results, here = [], None
    for path in sources:
        with open(path, encoding="utf-8") as source:
            earlier = json.load(source)
        here = earlier["machine"]
        results += earlier["results"]
    return results, here


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # chains go down on the way out
    results, here = load_earlier(options.sources)
    failures = 0
    if options.kinds or not options.sources:
        bench = os.path.join(options.build, "bench")
        tools = benchplan.Tools(load=Program(os.path.join(bench, "bench_load")),
                                hops=Program(os.path.join(bench, "bench_hops")))
        setup = Setup(binaries=os.path.join(options.build, "bin"), folder=options.dir,
                      settings=tuple(options.set),
                      workers=dict(pair.split("=") for pair in options.workers))
        runs = benchplan.plan(options, tools, setup)
        now, failures = execute(runs, max((run.rounds for run in runs), default=0))
        results += now
        here = machine()
    report = benchreport.whole(here, results)
    print(report)
    out = options.out or os.path.join("build", "bench", time.strftime("%Y%m%d-%H%M%S"))
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "results.json"), "w", encoding="utf-8") as file:
        json.dump({"machine": here, "results": results}, file, indent=1)
    with open(os.path.join(out, "report.md"), "w", encoding="utf-8") as file:
        file.write(report + "\n")
    plots = benchplot.draw(results, out)
    print(f"\n{out}: results.json, report.md, {plots}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
