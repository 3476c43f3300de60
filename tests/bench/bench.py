#!/usr/bin/python3
"""The reference work, measured: Millrace, other programs in its place, and what the machine allows.

A run counts only when its output is exactly right: each line compared with what the record must
become, each record once, the audit balanced, the monitor's counters equal to what came out. Rounds
are repeated whole, so that a slow minute hits all alike; figures are medians, with the least and
the most, and the load that others put on the machine (in cores) stands beside them.

KINDS run by default: throughput peers limits latency workers sizes durability cache idle
and by hand: producers steps batches backlog start scaling

--readme measures nothing: from the runs that --from names (else from those in tests/bench/results)
it writes results.json, report.md and the plots there, and the figures in README.md and
ARCHITECTURE.md, all of them, so that nothing is put in by hand; --check only says whether they are
what results.json gives.
"""
import argparse
import json
import os
import signal
import sys
import tempfile
import time

import benchhead
import benchplan
import benchplot
import benchreadme
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
    add("--readme", action="store_true", help="figures of the documents from results, see above")
    add("--check", action="store_true", help="whether they are what results.json gives")
    add("--build", default="build/release", help=argparse.SUPPRESS)
    return parser.parse_args()


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
        here = joined(here, earlier["machine"])
        results += earlier["results"]
    return results, here


def joined(one, other):
    here = benchhead.together(one, other) if one else other
    if here is None:
        sys.exit("bench.sh: results of different machines are not reported together")
    return here


def store(out, here, results, endings=("svg", "png")):
    """results.json and the plots; returns the plots' names."""
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "results.json"), "w", encoding="utf-8") as file:
        json.dump({"machine": here, "results": results}, file, indent=1)
        file.write("\n")
    return benchplot.draw(results, out, endings)


def readme(sources):
    """The stored results and what the documents say of them."""
    results, here = load_earlier(sources or [os.path.join(benchreadme.RESULTS, "results.json")])
    plots = store(benchreadme.RESULTS, here, results, ("svg",))
    benchreadme.write(here, results)
    print(f"tests/bench/results: results.json, report.md, {plots}; README.md; ARCHITECTURE.md")
    return 0


def measure(options):
    """(machine, results, runs that do not count)"""
    bench = os.path.join(options.build, "bench")
    tools = benchplan.Tools(load=Program(os.path.join(bench, "bench_load")),
                            hops=Program(os.path.join(bench, "bench_hops")))
    setup = Setup(binaries=os.path.join(options.build, "bin"), folder=options.dir,
                  settings=tuple(options.set),
                  workers=dict(pair.split("=") for pair in options.workers))
    runs = benchplan.plan(options, tools, setup)
    results, failures = execute(runs, max((run.rounds for run in runs), default=0))
    return benchhead.machine(options.dir or tempfile.gettempdir()), results, failures


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # chains go down on the way out
    if options.check:
        return benchreadme.check()
    if options.readme:
        return readme(options.sources)
    results, here = load_earlier(options.sources)
    failures = 0
    if options.kinds or not options.sources:
        now, new, failures = measure(options)
        results += new
        here = joined(here, now)
    report = benchreport.whole(here, results)
    print(report)
    out = options.out or os.path.join("build", "bench", time.strftime("%Y%m%d-%H%M%S"))
    plots = store(out, here, results)
    with open(os.path.join(out, "report.md"), "w", encoding="utf-8") as file:
        file.write(report)
    print(f"{out}: results.json, report.md, {plots}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
