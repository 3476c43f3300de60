"""Runs that are asked for by hand: producers, steps, batch size, backlog, start-up."""
import json
import os
import time

import benchcanon
from benchchain import STEPS, Chain, wait_for
from benchload import Senders
from benchruns import DEADLINE_S, SETTLE_S, Work, check_output
from procs import Sample, machine_s, used

# Ten steps; what each does to a record, written apart from the pipeline, stands in benchcanon.
TEN_STEPS = (*STEPS, 'set = region = "eu-1"', "remove = trace", "rename = path -> url",
             "keep = latency_ms >= 0", 'set = team = "shop"', "drop = status == 418",
             "rename = message -> text")


def steps(load, setup, work, count):
    """The first `count` of ten steps; the output is compared by value."""
    wanted = TEN_STEPS[:count]
    with Chain(setup.with_(steps=wanted), work.mode) as chain, \
            Senders(load, work, chain.targets()) as senders:
        source = os.path.join(chain.folder, "in.jsonl")
        load.write(source, "write", *work.amount())
        due = benchcanon.expected(source, count)
        due_bytes = sum(len(line) + 1 for line in due.values())
        pids = chain.pids()
        before = Sample(pids)
        start_ns, producer_s = senders.run()
        end_ns = chain.wait_written(due_bytes, DEADLINE_S)
        wall_s = (end_ns - start_ns) / 1e9
        time.sleep(SETTLE_S)
        costs = used(before, Sample(pids), pids, work.records, producer_s, wall_s + SETTLE_S)
        chain.wait_audit(work.records, len(due))
        benchcanon.compare(chain.outputs(), due)
    return {"kind": "steps", "who": f"{count} steps", "axis": count, "mode": work.mode,
            "records": work.records, "bytes": work.bytes, "wall_s": round(wall_s, 3),
            "records_per_s": round(work.records / wall_s), **costs}


class Outage:
    """The sink's directory is away: it can write nothing, what is due to it stays in the spool."""

    def __init__(self, chain):
        self.chain = chain
        self.place = os.path.dirname(chain.out)

    def begin(self):
        os.rename(self.place, self.place + ".away")
        with open(self.place, "w", encoding="utf-8"):
            pass
        self.chain.millrace("reopen")

    def end(self):
        os.unlink(self.place)
        os.rename(self.place + ".away", self.place)


def wait_spooled(chain, due):
    """Everything is through the pipeline, and not one record in the sink."""
    def spooled():
        last.update(json.loads(chain.millrace("audit", "--json")))
        return last["pending"] == due["survive"]
    last = {}
    wait_for(spooled, lambda: f"audit: {last}", DEADLINE_S, 0.1)


def backlog(load, setup, work):
    """The sink is away while records come in; then it is back, and takes what has gathered."""
    due = load.ask("count", *work.amount())
    with Chain(setup.with_(out="out/out.jsonl"), work.mode) as chain, \
            Senders(load, work, chain.targets()) as senders:
        outage = Outage(chain)
        outage.begin()
        senders.run()
        wait_spooled(chain, due)
        pids = chain.pids()
        before = Sample(pids)
        began_ns = time.time_ns()
        outage.end()
        # It tries again every so often: the time counts from its first byte.
        wait_for(chain.out_bytes, lambda: "the sink does not come back", DEADLINE_S)
        back_ns, seen = time.time_ns(), chain.out_bytes()
        wall_s = max(1e-3, (chain.wait_written(due["bytes"], DEADLINE_S) - back_ns) / 1e9)
        time.sleep(SETTLE_S)
        costs = used(before, Sample(pids), pids, work.records, 0, wall_s + SETTLE_S)
        chain.wait_audit(work.records, due["survive"])
        check_output(load, chain, work, due)
    return {"kind": "backlog", "who": "drained", "mode": work.mode, "records": work.records,
            "bytes": work.bytes, "noticed_s": round((back_ns - began_ns) / 1e9, 3),
            "wall_s": round(wall_s, 3),
            "records_per_s": round(work.records * (1 - seen / due["bytes"]) / wall_s), **costs}


def load_now(seconds=0.3):
    """Cores that are busy while nothing of ours runs."""
    busy_s = machine_s()
    time.sleep(seconds)
    return round((machine_s() - busy_s) / seconds, 2)


def folder_mb(path):
    """What lies on disk there."""
    return sum(os.stat(os.path.join(folder, name)).st_blocks * 512
               for folder, _, names in os.walk(path) for name in names) / 1e6


def start(load, setup, records):
    """From `millrace up` to a chain that takes records, with so many of them still to be delivered
    when it was killed."""
    work = Work(mode="chunks", records=max(records, 1))
    due = load.ask("count", *work.amount())
    with Chain(setup.with_(out="out/out.jsonl"), work.mode) as chain:
        if records:
            outage = Outage(chain)
            outage.begin()
            with Senders(load, work, chain.targets()) as senders:
                senders.run()
                wait_spooled(chain, due)
            chain.millrace("down", "--now")
            outage.end()
        else:
            chain.millrace("down")
        waiting_mb = folder_mb(os.path.join(chain.folder, "data")) if records else 0
        other_load = load_now()
        began = time.monotonic()
        chain.millrace("up", "--detach")
        up_s = time.monotonic() - began
        if records:
            chain.wait_written(due["bytes"], DEADLINE_S)
            chain.wait_audit(records, due["survive"])
            check_output(load, chain, work, due)
        return {"kind": "start", "who": f"{records:,} records", "axis": records,
                "waiting_mb": round(waiting_mb), "up_s": round(up_s, 3), "other_load": other_load}
