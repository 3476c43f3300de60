"""What runs for each kind, as a list that bench.py goes through round by round."""
import dataclasses
import sys
from typing import Callable

import benchhand
import benchpeers
import benchruns
from benchload import Program
from benchruns import Work

DEFAULT = ("throughput", "peers", "limits", "latency", "workers", "sizes", "durability", "cache",
           "idle")
STAGES = ("ingest", "processor", "metrics", "exporter")
PUSH_UP_TO = 200000  # records/s; above, a single producer of one-record messages is the limit
AXIS_BYTES = 250000000  # that a run of `sizes` moves


@dataclasses.dataclass
class Tools:
    load: Program
    hops: Program


@dataclasses.dataclass
class Run:
    kind: str
    who: str
    rounds: int
    call: Callable
    axis: object = None


def plan(options, tools, setup):
    kinds = options.kinds or DEFAULT
    unknown = [kind for kind in kinds if kind not in PLANS]
    if unknown:
        sys.exit(f"bench.sh: no kind {unknown[0]}: {' '.join(PLANS)}")
    runs = []
    for kind in dict.fromkeys(kinds):
        usual = {"throughput": 5, "limits": 5, "scaling": 5, "peers": 3}.get(kind, 1)
        for run in PLANS[kind](options, tools, setup):
            run.rounds = options.repeat or usual
            runs.append(run)
    return runs


def numbers(text):
    return [int(word) for word in text.split(",")]


def work_of(options, mode="chunks", **more):
    return Work(mode=mode, records=options.records, bytes=options.bytes, **more)


def chain_run(tools, setup, work, kind, who, axis):
    return Run(kind, who, 1, lambda: benchruns.throughput(tools.load, setup, work, kind, who), axis)


def throughput(options, tools, setup):
    return [chain_run(tools, setup, work_of(options, mode), "throughput", mode, mode)
            for mode in options.modes.split(",")]


def peers(options, tools, setup):
    def work(mode, share):
        return Work(mode=mode, records=max(1000, int(options.records * share)),
                    bytes=options.bytes)

    def run(who, function, *words):
        return Run("peers", who, 1, lambda: function(tools.load, setup, *words), who)
    listed = []
    for who, mode, threads in (("rsyslog, imptcp, 1 thread", "tcp", 1),
                               ("rsyslog, imptcp, 2 workers", "tcp", 2),
                               ("rsyslog, imczmq, 1 thread", "push", 1),
                               ("rsyslog, imczmq, its own queue", "push", 0)):
        listed.append(run(who, benchpeers.rsyslog, work(mode, 0.4), who, threads))
    for who, mode, processes in (("asyncio + pyzmq, 1 a message", "push", 1),
                                 ("asyncio + pyzmq, 256 a message", "chunks", 1),
                                 ("asyncio + pyzmq, 4 processes", "chunks", 4)):
        listed.append(run(who, benchpeers.python, work(mode, 0.2), who, processes))
    listed.append(run("mawk, a pipe", benchpeers.pipe, work("pipe", 0.4), "mawk, a pipe",
                      ["mawk", benchpeers.MAWK], "parses nothing, counts nothing"))
    listed.append(run("jq, a pipe", benchpeers.pipe, work("pipe", 0.2), "jq, a pipe",
                      ["jq", "-c", benchpeers.JQ], "counts nothing"))
    return listed


def limits(options, tools, setup):
    def run(who, call):
        return Run("limits", who, 1, call, who)
    push = work_of(options, "push")
    listed = [run("receive", lambda: benchpeers.receive(tools.hops, tools.load, setup, push))]
    for chunk in (1, 256, 1024):
        work = work_of(options, "hops", chunk=chunk)
        listed.append(run(f"hops {chunk}",
                          lambda work=work: benchpeers.hops(tools.hops, setup, work, 3)))
    return listed


def latency(options, tools, setup):
    listed = []
    for rate in (float(word) for word in options.rates.split(",")):
        mode = "push" if rate <= PUSH_UP_TO else "chunks"
        seconds = options.seconds if rate > 1 else max(options.seconds, 20)
        listed.append(Run("latency", f"{rate:g}", 1,
                          lambda mode=mode, rate=rate, seconds=seconds: benchruns.latency(
                              tools.load, setup, mode, rate, seconds), rate))
    return listed


def workers(options, tools, setup):
    """Each stage alone with 1 to 4 workers, and all together; one producer for each ingest."""
    listed = [chain_run(tools, setup, work_of(options), "workers", "1 each", ["all", 1])]
    for stage in (*STAGES, "all"):
        for count in (2, 3, 4):
            counts = {name: count for name in (STAGES if stage == "all" else [stage])}
            work = work_of(options, producers=counts.get("ingest", 1))
            who = f"{count} each" if stage == "all" else f"{stage}={count}"
            listed.append(chain_run(tools, setup.with_(workers={**setup.workers, **counts}), work,
                                    "workers", who, [stage, count]))
    return listed


def sizes(options, tools, setup):
    listed = []
    for size in numbers(options.sizes):
        records = min(options.records, max(2000, AXIS_BYTES // size))
        work = Work(mode="chunks", records=records, bytes=size, chunk=max(1, 65536 // size))
        listed.append(chain_run(tools, setup, work, "sizes", f"{size} B", size))
    return listed


def durability(options, tools, setup):
    """What an acknowledged producer waits for differs, most with one record a request: there each
    sync has to serve many."""
    listed = []
    for level in ("memory", "disk", "fsync"):
        there = setup.with_(settings=(*setup.settings, f"ingest.durability={level}"))
        for way, work in (("chunks", work_of(options, "chunks")),
                          ("acked", work_of(options, "acked")),
                          ("16 producers, 1 a request",
                           work_of(options, "acked", chunk=1, producers=16)
                           .with_(records=max(1000, options.records // 5)))):
            listed.append(Run("durability", f"{level}, {way}", 1,
                              lambda there=there, who=f"{level}, {way}", work=work:
                              benchruns.durability(tools.load, there, work, who), [level, way]))
    return listed


def cache(options, tools, setup):
    """warm: segments are in use for the second time. cold: all is new, and so is the memory."""
    def cold():
        dropped = benchruns.drop_page_cache()
        return {**benchruns.throughput(tools.load, setup, work_of(options), "cache", "cold"),
                "dropped": dropped}
    warm = work_of(options, warm=options.records // 2)
    return [Run("cache", "cold", 1, cold, "cold"),
            chain_run(tools, setup, warm, "cache", "warm", "warm")]


def idle(options, tools, setup):
    return [Run("idle", "idle", 1, lambda: benchruns.idle(setup, options.seconds))]


def producers(options, tools, setup):
    return [chain_run(tools, setup, work_of(options, mode, producers=count), "producers",
                      f"{count} producers, {mode}", [count, mode])
            for count in numbers(options.producers) for mode in ("push", "acked")]


def steps(options, tools, setup):
    work = work_of(options).with_(records=2 * options.records // 5)
    return [Run("steps", f"{count} steps", 1,
                lambda count=count: benchhand.steps(tools.load, setup, work, count), count)
            for count in numbers(options.steps)]


def batches(options, tools, setup):
    listed = []
    for count in numbers(options.batches):
        there = setup.with_(settings=(*setup.settings, f"ingest.batch_records={count}",
                                      "ingest.batch_bytes=16MiB"))
        listed.append(chain_run(tools, there, work_of(options), "batches", f"{count} a batch",
                                count))
    return listed


def backlog(options, tools, setup):
    work = work_of(options).with_(records=4 * options.records)
    return [Run("backlog", "backlog", 1, lambda: benchhand.backlog(tools.load, setup, work))]


def start(options, tools, setup):
    return [Run("start", f"{records} waiting", 1,
                lambda records=records: benchhand.start(tools.load, setup, records), records)
            for records in (0, options.records // 10, options.records, 4 * options.records)]


def scaling(options, tools, setup):
    """Costs of the stages, from which benchreport reckons what more cores would give."""
    return [chain_run(tools, setup, work_of(options, mode), "throughput", mode, mode)
            for mode in ("chunks", "push")]


PLANS = {
    "throughput": throughput, "peers": peers, "limits": limits, "latency": latency,
    "workers": workers, "sizes": sizes, "durability": durability, "cache": cache, "idle": idle,
    "producers": producers, "steps": steps, "batches": batches, "backlog": backlog,
    "start": start, "scaling": scaling,
}
