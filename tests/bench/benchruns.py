"""The kinds of runs. Each returns one row of results, or raises BenchError when the output is not
exactly right: such a run does not count."""
import contextlib
import json
import os
import subprocess
import time

from benchchain import BenchError, Chain
from procs import Sample, peak_rss_kb

SETTLE_S = 0.3    # what follows the last line: done messages, watermark, events
LATENCY_MODE = "push"


class Load:
    """The load program: answers at once, or a process that waits for its start."""

    def __init__(self, program):
        self.program = program

    def ask(self, *words):
        done = subprocess.run([self.program, *words], capture_output=True, text=True, check=False)
        if not done.stdout:
            raise BenchError(f"bench_load {' '.join(words)}: {done.stderr}")
        return json.loads(done.stdout)

    @contextlib.contextmanager
    def begin(self, *words):
        """A process that has said `ready`; killed at the end if it still runs."""
        with subprocess.Popen([self.program, *words], text=True, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            try:
                if process.stdout.readline() != "ready\n":
                    raise BenchError(f"bench_load {' '.join(words)} did not start")
                yield process
            finally:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
                try:
                    process.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    process.kill()


def tell(process):
    process.stdin.write("go\n")
    process.stdin.flush()


def machine_load(before, after, ours_s, wall_s):
    """Cores that others kept busy."""
    return max(0.0, (after.machine - before.machine - ours_s) / wall_s)


def per_million(row, records):
    return {name: round(value * 1e6 / records, 3) for name, value in row.items()}


def by_stage(names_to_values):
    """processor.0 and processor.1 are one row."""
    found = {}
    for name, value in names_to_values.items():
        stage = name.partition(".")[0]
        found[stage] = found.get(stage, 0) + value
    return found


def check_output(load, chain, records, size, due, rate=0):
    found = load.ask("check", f"--records={records}", f"--bytes={size}", f"--rate={rate}",
                     *chain.outputs())
    if not found["exact"] or found["by"] != due["by"]:
        raise BenchError(f"the output is not exactly right: {found}")


def throughput(load, setup, mode, records, size, chunk=256, hook=None):
    """All records as fast as they go."""
    amount = [f"--records={records}", f"--bytes={size}"]
    due = load.ask("count", *amount)
    framing = "lines" if mode == "chunks" else "record"
    with Chain(framing=framing, **setup) as chain, \
            load.begin("send", f"--mode={mode}", f"--to={chain.endpoints[mode]}",
                       f"--chunk={chunk}", *amount) as sender:
        pids = chain.pids()
        before = Sample(pids)
        if hook:
            hook(pids)
        tell(sender)
        sent = json.loads(sender.stdout.readline())
        if not sent["sent"]:
            raise BenchError("the producer could not send everything")
        end_ns = chain.wait_written(due["bytes"], 120)
        time.sleep(SETTLE_S)
        chain.check_alive(pids)
        after = Sample(pids)
        peak = {name: peak_rss_kb(pid) for name, pid in pids.items()}
        audit = chain.wait_audit(records, due["survive"])
        check_output(load, chain, records, size, due)
        chain.wait_metrics(due["by"])
    wall_s = (end_ns - sent["start_ns"]) / 1e9
    grown = after.since(before)
    run = by_stage({name: value["run"] for name, value in grown.items()})
    user = by_stage({name: value["user"] for name, value in grown.items()})
    ours_s = sum(run.values()) + sent["cpu_s"]
    return {
        "kind": "throughput", "mode": mode, "records": records, "bytes": size,
        "wall_s": round(wall_s, 3), "records_per_s": round(records / wall_s),
        "cpu_per_million": per_million(run, records),
        "user_per_million": per_million(user, records),
        "cpu_total": round(sum(run.values()) * 1e6 / records, 3),
        "producer_cpu": round(sent["cpu_s"] * 1e6 / records, 3),
        "peak_rss_mb": {name: round(kb / 1024, 1) for name, kb in by_stage(peak).items()},
        "rss_total_mb": round(sum(peak.values()) / 1024, 1),
        "other_load": round(machine_load(before, after, ours_s, wall_s + SETTLE_S), 2),
        "replayed": audit["replayed"],
        "batches": sum(journal["batches"] for journal in audit["journals"]),
    }


def latency(load, setup, rate, seconds, size):
    """Open loop: each record is sent when it is due and timed from then on."""
    records = max(10, int(rate * seconds))
    amount = [f"--records={records}", f"--bytes={size}"]
    due = load.ask("count", *amount)
    with Chain(**setup) as chain, \
            load.begin("watch", f"--skip={records // 10}", f"--timeout={int(seconds) + 60}",
                       *amount, chain.out) as watcher, \
            load.begin("send", f"--mode={LATENCY_MODE}", f"--rate={rate}",
                       f"--to={chain.endpoints[LATENCY_MODE]}", *amount) as sender:
        pids = chain.pids()
        before = Sample(pids)
        began = time.monotonic()
        tell(sender)
        sent = json.loads(sender.stdout.readline())
        seen = json.loads(watcher.stdout.readline())
        wall_s = time.monotonic() - began
        chain.check_alive(pids)
        after = Sample(pids)
        if not sent["sent"] or seen["missing"]:
            raise BenchError(f"not all came out: {sent} {seen}")
        check_output(load, chain, records, size, due, rate)
    run = by_stage({name: value["run"] for name, value in after.since(before).items()})
    return {
        "kind": "latency", "rate": rate, "records": records, "bytes": size,
        "wall_s": round(wall_s, 3),
        **{name: seen[name] for name in ("p50_ms", "p99_ms", "p999_ms", "max_ms")},
        "cpu_percent": {name: round(100 * value / wall_s, 2) for name, value in run.items()},
        "other_load": round(machine_load(before, after, sum(run.values()) + sent["cpu_s"],
                                         wall_s), 2),
    }


def idle(load, setup, seconds):
    """Nothing flows."""
    del load
    with Chain(**setup) as chain:
        time.sleep(1)
        pids = chain.pids()
        before = Sample(pids)
        time.sleep(seconds)
        after = Sample(pids)
        peak = {name: peak_rss_kb(pid) for name, pid in pids.items()}
    run = by_stage({name: value["run"] for name, value in after.since(before).items()})
    return {
        "kind": "idle", "seconds": seconds,
        "cpu_percent": {name: round(100 * value / seconds, 3) for name, value in run.items()},
        "cpu_total": round(100 * sum(run.values()) / seconds, 3),
        "rss_total_mb": round(sum(peak.values()) / 1024, 1),
        "other_load": round(machine_load(before, after, sum(run.values()), seconds), 2),
    }


def binaries(build):
    program = os.path.join(build, "bench", "bench_load")
    if not os.path.exists(program):
        raise BenchError(f"{program} is not built: use scripts/bench.sh")
    return os.path.join(build, "bin"), Load(program)
