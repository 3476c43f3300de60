#!/usr/bin/python3
"""chaos.py [--seconds N] [--kills N] [--seed N] [--rate N]: a chain with two workers a stage, under
load of acknowledged producers, while its processes are killed, stopped, restarted and scaled at
random.

Prints the proof: what was sent, acknowledged, exported and dead, and what was lost or doubled, from
the producers' own ledgers and the bytes of the sink. Exit code 1 when anything is. The order of
harm is that of the seed; when it strikes, the machine decides.
"""
import argparse
import collections
import contextlib
import glob
import json
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
# pylint: disable=wrong-import-position
from deliverylib import STAGES, Delivery, dead_letters, lines_in, outputs, verdict  # noqa: E402
from harness import is_alive, wait_for  # noqa: E402
from numbered import RECORD  # noqa: E402
from verdicts import note_verdict  # noqa: E402

SETTLE_S = 180
BAD = 997  # each so many-th record is no JSON
METRICS = ("[sink totals]\ntype = file\npath = totals.jsonl\ninput = metrics\n"
           "interval = 1s\n")


class Latency(threading.Thread):
    """Reads what comes out as it comes; from making a record to seeing it in the sink's file."""

    STEP_NS = 100_000

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.files = {}
        self.counts = collections.Counter()  # of records, by whole steps
        self.ending = threading.Event()

    def run(self):
        while not self.ending.wait(0.002):
            for path in outputs(self.path):
                if path not in self.files:
                    self.files[path] = open(path, "rb")  # pylint: disable=consider-using-with
                self._take(self.files[path])
        for source in self.files.values():
            source.close()

    def _take(self, source):
        text = source.read(1 << 20)
        now = time.monotonic_ns()
        whole = text.rfind(b"\n") + 1
        source.seek(whole - len(text), os.SEEK_CUR)
        for _, _, made in RECORD.findall(text[:whole]):
            self.counts[(now - int(made)) // self.STEP_NS] += 1

    def quantile(self, share):
        """In milliseconds."""
        left = share * sum(self.counts.values())
        for steps, count in sorted(self.counts.items()):
            left -= count
            if left <= 0:
                return steps * self.STEP_NS / 1e6
        return 0.0


class Harm:
    """What is done to the chain, in the order of the seed."""

    def __init__(self, chain, seed):
        self.chain = chain
        self.random = random.Random(seed)
        self.done = collections.Counter()
        self.killed = collections.Counter()
        self.commands = []

    def one(self, kinds):
        kind = self.random.choices(list(kinds), weights=list(kinds.values()))[0]
        if getattr(self, "_" + kind)():
            self.done[kind] += 1
        time.sleep(self.random.uniform(0.02, 0.25))

    def _target(self):
        """Everybody but the producers."""
        names = sorted(name for name, pid in self.chain.pids().items() if is_alive(pid))
        return self.random.choice(names) if names else None

    def _kill(self):
        name = self._target()
        pid = self.chain.pids().get(name)
        if not name or not self.chain.kill(name):
            return False
        self.killed[name.partition(".")[0]] += 1
        if name == "launcher":
            wait_for(lambda: not is_alive(pid), "the launcher is dead")
            self.up(pid)
        return True

    def up(self, dead=None):
        """Start the launcher again; workers may die under it while it adopts them. A process that
        dies may hold its lock for a moment longer, and `up` then takes it for a launcher."""
        for _ in range(20):
            done = self.chain.millrace("up", "--detach", code=None, deadline_s=SETTLE_S)
            pid = self.chain.pids().get("launcher")
            if done.returncode == 0 and pid not in (None, dead) and is_alive(pid):
                return
            time.sleep(0.05)
        raise AssertionError(f"the chain does not come up\n{self.chain.complaints()}")

    def _stop(self):
        name = self._target()
        if not name or not self.chain.kill(name, signal.SIGSTOP):
            return False
        time.sleep(self.random.uniform(0.01, 0.4))
        self.chain.kill(name, signal.SIGCONT)
        return True

    def _command(self, *commands):
        """One after another, in the background: the launcher may be killed at it."""
        def run_all():
            for words in commands:
                self.chain.millrace(*words, "--timeout", "60", code=None, deadline_s=SETTLE_S)
        self.commands.append(threading.Thread(target=run_all, daemon=True))
        self.commands[-1].start()
        return True

    def _restart(self):
        return self._command(["restart", self.random.choice([*STAGES, "monitor"])])

    def _scale(self):
        """A producer keeps to its slot of ingest, and waits while that one is gone."""
        stage = self.random.choice(STAGES)
        if stage == "ingest":
            return self._command(["scale", "ingest=1"], ["scale", "ingest=2"])
        return self._command(["scale", f"{stage}={self.random.randint(1, 3)}"])

    def end(self):
        """No more harm; all is there again."""
        for command in self.commands:
            command.join(timeout=SETTLE_S)
            assert not command.is_alive(), "a command does not end"
        self.up()
        self.chain.millrace("scale", *(f"{stage}=2" for stage in STAGES), deadline_s=SETTLE_S)


def totals(folder):
    """What the metrics say came out: p -> count, from the last row of each worker."""
    last = {}
    for path in sorted(glob.glob(os.path.join(folder, "totals*.jsonl"))):
        with open(path, encoding="utf-8") as source:
            for row in map(json.loads, source):
                last[row["worker"], row["labels"]["p"]] = row["value"]
    sums = collections.Counter()
    for (_, p), value in last.items():
        sums[int(p)] += value
    return sums


def settle(chain, harm, producers):
    """Everything acknowledged, everything out, the chain down; the audit meanwhile."""
    harm.end()
    for producer in producers:
        producer.finish(SETTLE_S)
    good = sum(producer.expected()[0] for producer in producers)
    wait_for(lambda: lines_in(outputs(chain.out)) >= good,
             lambda: f"{lines_in(outputs(chain.out))} of {good} exported\n{chain.complaints()}",
             SETTLE_S)
    audit = {}

    def settled():
        audit.update(json.loads(chain.millrace("audit", "--json", code=None).stdout))
        return audit["in_flight"] == 0 and audit["pending"] == 0
    with contextlib.suppress(AssertionError):
        wait_for(settled, "audit", 20)
    chain.millrace("down", deadline_s=SETTLE_S)
    return audit


def judge(chain, producers, audit, folder):
    """folder: of the rows of metrics. A list of what is wrong."""
    wrong = [verdict(producers, chain.out, chain.data_dir)]
    made = {producer.p: producer.expected()[0] for producer in producers}
    if totals(folder) != made:
        wrong.append(f"metrics: {dict(totals(folder))}, sent {made}")
        note_verdict(wrong[-1])
    if not (audit["balanced"] and audit["in_flight"] == 0):
        wrong.append(f"audit: {audit}")
        note_verdict(wrong[-1])
    return [text for text in wrong if text]


def report(chain, args, harm, producers, latency):
    sent = sum(producer.made for producer in producers)
    answers = sum((producer.answers for producer in producers), collections.Counter())
    print(f"seed {args.seed}: {harm.loaded:.0f} s of harm: {dict(harm.done)}, "
          f"killed {dict(harm.killed)}")
    print(f"sent {sent}, acknowledged {sum(producer.acknowledged for producer in producers)}, "
          f"exported {lines_in(outputs(chain.out))}, dead {len(dead_letters(chain.data_dir))}; "
          f"{sent / harm.loaded:.0f}/s; answers {dict(answers)}")
    print(f"latency p50 {latency.quantile(.5):.1f} ms, p99 {latency.quantile(.99):.1f} ms, "
          f"p99.9 {latency.quantile(.999):.1f} ms, from making a record to its bytes in the sink")


def run(chain, args):
    harm = Harm(chain, args.seed)
    latency = Latency(chain.out)
    producers = [chain.producer(p=slot, slot=slot, size=50, pad=100, bad=BAD, rate=args.rate / 2)
                 for slot in range(2)]
    kinds = {"kill": 1} if args.only_kills else {"kill": 7, "stop": 1, "restart": 1, "scale": 1}
    began = time.monotonic()
    chain.up()
    latency.start()
    with producers[0], producers[1]:
        while (harm.done["kill"] < args.kills if args.kills
               else time.monotonic() - began < args.seconds):
            harm.one(kinds)
            for producer in producers:
                assert producer.fault is None, producer.fault
        harm.loaded = time.monotonic() - began
        audit = settle(chain, harm, producers)
    latency.ending.set()
    latency.join()
    wrong = judge(chain, producers, audit, chain.folder)
    report(chain, args, harm, producers, latency)
    print("; ".join(wrong) if wrong else "lost 0, doubled 0; metrics and audit agree")
    if wrong:
        print(chain.complaints())
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--kills", type=int, default=0, help="go on until so many were killed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0, help="records/s; 0: full load")
    parser.add_argument("--only-kills", action="store_true")
    args = parser.parse_args()
    with Delivery(workers=dict.fromkeys(STAGES, 2), batch=512, extra=METRICS) as chain:
        return run(chain, args)


if __name__ == "__main__":
    sys.exit(main())
