"""A whole chain under the launcher, for tests of delivery: what it is fed and what comes out is
judged by tests/support/numbered.py, from the producer's own ledger and the sink's bytes."""
import json
import os
import signal
import sys
import urllib.error
import urllib.request

import zmq
from harness import is_alive, tail, wait_for
from launcherlib import SUPPORT, Chain

sys.path.insert(0, SUPPORT)
# pylint: disable-next=wrong-import-position
from numbered import Numbered, dead_letters, lines_in, outputs, tally, verdict  # noqa: E402

__all__ = ["SECOND", "STAGES", "Delivery", "Numbered", "dead_letters", "flip", "health", "lines_in",
           "obstruct", "outputs", "tally", "verdict", "wait_said", "wait_well"]

STAGES = ("ingest", "processor", "metrics", "exporter")
SECOND = "[sink second]\ntype = file\npath = second/out.jsonl\n"


def obstruct(folder):
    """Nothing can be written to the folder until what stands in its place now is removed."""
    os.rename(folder, folder + ".aside")
    with open(folder, "w", encoding="utf-8"):
        pass


def flip(path, where):
    """Flip a bit at the first place where these bytes stand. Returns the place."""
    with open(path, "r+b") as file:
        at = file.read().find(where)
        assert at >= 0
        file.seek(at)
        file.write(bytes([where[0] ^ 1]))
    return at


def health(chain):
    """What /healthz says: whether all is well, and the reasons if it is not."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{chain.port}/healthz") as answer:
            return json.load(answer)
    except urllib.error.HTTPError as failing:
        return json.load(failing)


def wait_said(chain, words):
    """What is wrong is in `status`, on /healthz and in the log."""
    wait_for(lambda: words in chain.millrace("status").stdout,
             lambda: f"{words}: {chain.millrace('status').stdout}\n{chain.complaints()}")
    wait_for(lambda: any(words in reason for reason in health(chain)["reasons"]),
             lambda: f"{words}: {health(chain)}")
    assert words.split(": ", 1)[1] in chain.complaints()


def wait_well(chain):
    wait_for(lambda: health(chain)["status"] == "ok", lambda: f"{health(chain)}")


class Delivery(Chain):
    """workers: how many of each stage, 1 unless said; batch: records in one; sections: lines for
    those of stages."""

    def __init__(self, workers=None, extra="", batch=50, stop_timeout="30s", **sections):
        super().__init__(real=True)
        self.data_dir = os.path.join(self.folder, "data")
        self.out = os.path.join(self.folder, "out.jsonl")
        counts = {stage: (workers or {}).get(stage, 1) for stage in STAGES}
        own = {"ingest": "router = ipc://run/router{slot}\nwindow = 64\n"
                         f"batch_records = {batch}\n"}
        text = "".join(f"[{stage}]\nworkers = {counts[stage]}\n{own.get(stage, '')}"
                       f"{sections.get(stage, '')}\n" for stage in STAGES)
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(f"[pipeline]\nname = test\nstop_timeout = {stop_timeout}\n"
                      "start_timeout = 60s\n"
                      f"{text}\n"
                      f"[metric requests]\ntype = counter\nby = p\n"
                      f"[monitor]\nhttp = 127.0.0.1:{self.port}\n"
                      f"[sink out]\ntype = file\npath = out.jsonl\n{extra}\n")
        self.context = zmq.Context()

    def close(self):
        super().close()
        self.context.destroy(linger=0)

    def producer(self, slot=0, **options):
        return Numbered(f"ipc://{self.run_dir}/router{slot}", **options)

    def complaints(self):
        folder = os.path.join(self.data_dir, "log")
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        return "".join(f"--- {name}\n{tail(os.path.join(folder, name), 15)}" for name in names)

    # ---- harm ----

    def kill(self, name, how=signal.SIGKILL):
        """Signal the process that holds our lock file of that name, and no other: once we have a
        descriptor of it, it must still be ours. False: there is none."""
        pid = self.pids().get(name)
        if not pid or not is_alive(pid):
            return False
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:  # gone, or its number is a thread's now
            return False
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as source:
                ours = self.config.encode() in source.read().split(b"\0")
            if ours:
                signal.pidfd_send_signal(descriptor, how)
            return ours
        except (FileNotFoundError, ProcessLookupError):
            return False
        finally:
            os.close(descriptor)

    def kill_and_wait(self, name):
        """Kill it; it is back, as another process, when this returns."""
        before = self.pids()[name]
        assert self.kill(name), name
        wait_for(lambda: not is_alive(before), f"{name} is dead")
        if name == "launcher":
            self.up()
        wait_for(lambda: self.pids().get(name) not in (None, before),
                 lambda: f"{name} is back\n{self.complaints()}")

    def lose_power(self):
        """All are dead at once, and the next start is one of the machine."""
        pids = self.pids()
        for name in sorted(pids, key=lambda name: name != "launcher"):
            assert self.kill(name)
        wait_for(lambda: not any(is_alive(pid) for pid in pids.values()), "all dead")
        with open(os.path.join(self.data_dir, "ingest.0.window"), "r+b") as window:
            window.seek(40)  # behind magic, version, ring, journal, base, uuid
            window.write(b"another-start-of-the-machine")

    # ---- facts ----

    def segments(self, log):
        """Names of the segments of a journal or spool, the oldest first."""
        folder = os.path.join(self.data_dir, log)
        return sorted(name for name in os.listdir(folder) if name.endswith(".seg"))

    def wait_no_older(self, log, newest):
        """All segments up to this one are gone."""
        wait_for(lambda: self.segments(log)[0] > newest, lambda: f"{self.segments(log)} {newest}")

    def more(self, producer, count=300):
        """So many more records are acknowledged."""
        goal = producer.acknowledged + count
        wait_for(lambda: producer.fault or producer.acknowledged >= goal,
                 lambda: f"{producer.acknowledged} of {goal}: {dict(producer.answers)}\n"
                         f"{self.complaints()}")
        assert producer.fault is None, producer.fault

    def wait_out(self, *producers):
        """All that was acknowledged has come out; nothing more comes: then the verdict."""
        good = sum(producer.expected()[0] for producer in producers)
        dead = sum(producer.expected()[1] for producer in producers)
        wait_for(lambda: lines_in(outputs(self.out)) >= good,
                 lambda: f"{lines_in(outputs(self.out))} of {good}\n{self.complaints()}")
        wait_for(lambda: len(dead_letters(self.data_dir)) >= dead, "dead letters")
        self.millrace("down")  # drains: what comes twice is there by now
        wrong = verdict(producers, self.out, self.data_dir)
        assert not wrong, f"{wrong}\n{self.complaints()}"

    def listen(self):
        """Hear the monitor's bus from now on."""
        bus = self.context.socket(zmq.SUB)
        bus.rcvhwm = 100000
        bus.linger = 0
        bus.subscribe(b"counters.")
        bus.connect(f"ipc://{self.run_dir}/bus.out")
        return bus

    def counters(self, bus, worker, fact=lambda counters: True):
        """The next counters of a worker for which fact is true."""
        seen = {}

        def heard():
            while bus.poll(0):
                event = json.loads(bus.recv_multipart()[1])
                seen[event["worker"]] = event
            return worker in seen and fact(seen[worker])
        wait_for(heard, lambda: f"counters of {worker}: {seen.get(worker)}\n{self.complaints()}")
        return seen[worker]
