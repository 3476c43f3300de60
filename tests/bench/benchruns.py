"""Runs of the chain. Each returns one row of results, or raises BenchError when the output is not
exactly right: such a run does not count."""
import contextlib
import dataclasses
import os
import statistics
import tempfile
import time

from benchchain import Chain
from benchload import BenchError, Senders, answer, tell
from procs import Sample, used

SETTLE_S = 0.3  # what follows the last line: done messages, watermark, events
DEADLINE_S = 120
SYNC_SIZES = (4096, 524288)
SYNC_COUNTS = (200, 100)


@dataclasses.dataclass
class Work:
    """What is sent. warm: records before those that are measured, through the same chain."""
    mode: str = "push"
    records: int = 1000000
    bytes: int = 250
    chunk: int = 256
    producers: int = 1
    warm: int = 0

    def amount(self):
        return [f"--records={self.warm + self.records}", f"--bytes={self.bytes}"]

    def with_(self, **changes):
        return dataclasses.replace(self, **changes)


def check_output(load, chain, work, due, rate=0):
    found = load.ask("check", f"--rate={rate}", *work.amount(), *chain.outputs())
    if not found["exact"] or found["by"] != due["by"]:
        raise BenchError(f"the output is not exactly right: {found}")


def warm_up(load, chain, work):
    """Send the first records, and wait until nothing is left to do for them."""
    first = work.with_(records=work.warm, warm=0)
    with Senders(load, first, chain.targets()) as senders:
        senders.run()
        chain.wait_written(load.ask("count", *first.amount())["bytes"], DEADLINE_S)
    time.sleep(SETTLE_S)


def fdatasync_ms(folder):
    """Bytes -> p50 of a write and its sync, into a file that has its blocks, as segments have."""
    found = {}
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(SYNC_SIZES[-1]))
        file.flush()
        os.fsync(file.fileno())
        for size, count in zip(SYNC_SIZES, SYNC_COUNTS):
            taken = []
            for turn in range(count):
                began = time.monotonic()
                os.pwrite(file.fileno(), bytes([turn % 256]) * size, 0)
                os.fdatasync(file.fileno())
                taken.append(1000 * (time.monotonic() - began))
            found[str(size)] = round(statistics.median(taken), 3)
    return found


def durability(load, setup, work, who):
    """With what the disk itself takes for a sync, measured just before."""
    syncs = fdatasync_ms(setup.folder)
    return {**throughput(load, setup, work, "durability", who), "fdatasync_ms": syncs}


def throughput(load, setup, work, kind="throughput", who=None, hook=None):
    """All records as fast as they go."""
    due = load.ask("count", *work.amount())
    with contextlib.ExitStack() as stack:
        chain = stack.enter_context(Chain(setup, work.mode))
        if work.warm:
            warm_up(load, chain, work)
        senders = stack.enter_context(Senders(load, work, chain.targets(work.producers),
                                              work.warm + 1))
        pids = chain.pids()
        before = Sample(pids)
        if hook:
            hook(pids)
        start_ns, producer_s = senders.run()
        end_ns = chain.wait_written(due["bytes"], DEADLINE_S)
        wall_s = (end_ns - start_ns) / 1e9
        time.sleep(SETTLE_S)
        chain.check_alive(pids)
        costs = used(before, Sample(pids), pids, work.records, producer_s, wall_s + SETTLE_S)
        audit = chain.wait_audit(work.warm + work.records, due["survive"])
        check_output(load, chain, work, due)
        chain.wait_metrics(due["by"])
    return {
        "kind": kind, "who": who or work.mode, **dataclasses.asdict(work),
        "wall_s": round(wall_s, 3), "records_per_s": round(work.records / wall_s),
        "producer_cpu": round(producer_s * 1e6 / work.records, 3), **costs,
        "replayed": audit["replayed"],
        "batches": sum(journal["batches"] for journal in audit["journals"]),
    }


def latency(load, setup, mode, rate, seconds, size=250):
    """Open loop: each record is sent when it is due and timed from then on."""
    work = Work(mode=mode, records=max(10, int(rate * seconds)), bytes=size)
    due = load.ask("count", *work.amount())
    with Chain(setup, mode) as chain, \
            load.begin("watch", f"--skip={work.records // 10}", f"--timeout={int(seconds) + 60}",
                       *work.amount(), chain.out) as watcher, \
            load.begin("send", f"--mode={mode}", f"--rate={rate}",
                       f"--to={chain.targets()[0]}", *work.amount()) as sender:
        pids = chain.pids()
        before = Sample(pids)
        began = time.monotonic()
        tell(sender)
        sent, seen = answer(sender), answer(watcher)
        wall_s = time.monotonic() - began
        chain.check_alive(pids)
        costs = used(before, Sample(pids), pids, work.records, sent["cpu_s"], wall_s)
        if not sent["sent"] or seen["missing"]:
            raise BenchError(f"not all came out: {sent} {seen}")
        check_output(load, chain, work, due, rate)
    return {
        "kind": "latency", "who": f"{rate:g} records/s", "mode": mode, "rate": rate,
        "records": work.records, "bytes": size, "wall_s": round(wall_s, 3),
        **{name: seen[name] for name in ("p50_ms", "p99_ms", "p999_ms", "max_ms", "curve")},
        "cpu_percent": round(100 * costs["cpu_total"] * work.records / 1e6 / wall_s, 1),
        **costs,
    }


def idle(setup, seconds):
    """Nothing flows."""
    with Chain(setup) as chain:
        time.sleep(1)
        pids = chain.pids()
        before = Sample(pids)
        time.sleep(seconds)
        costs = used(before, Sample(pids), pids, 1e6, 0, seconds)
    percent = {name: round(100 * value / seconds, 3)
               for name, value in costs["cpu_per_million"].items()}
    return {
        "kind": "idle", "who": "idle", "seconds": seconds, "cpu_percent_of": percent,
        "cpu_percent": round(sum(percent.values()), 3), "rss_total_mb": costs["rss_total_mb"],
        "peak_rss_mb": costs["peak_rss_mb"], "other_load": costs["other_load"],
    }


def drop_page_cache():
    """As root: the kernel gives every cached page back, so that new ones must be found."""
    with contextlib.suppress(OSError):
        os.sync()
        with open("/proc/sys/vm/drop_caches", "w", encoding="utf-8") as out:
            out.write("3\n")
        return True
    return False
