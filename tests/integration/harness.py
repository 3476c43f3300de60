"""A pipeline in a private directory, its workers started by hand, without a launcher.

Everything here waits for facts with a deadline; nothing waits for time to pass.
"""
import contextlib
import glob
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from verdicts import note_verdict  # noqa: E402

BIN = os.environ["MILLRACE_BIN"]
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEADLINE_S = int(os.environ.get("MILLRACE_TEST_DEADLINE", "60"))


def wait_for(fact, what, deadline_s=DEADLINE_S):
    """The first true value of fact(), or an assertion with `what` when there is none in time."""
    end = time.monotonic() + deadline_s
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() >= end:
            said = what() if callable(what) else what
            raise AssertionError(f"not within {deadline_s} s: {said}")
        time.sleep(0.02)


def free_port():
    """Below the kernel's ephemeral ports, which connections of other tests may take meanwhile."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as source:
            return source.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as source:
        return next(int(line.split()[1]) for line in source if line.startswith("VmRSS:"))


def tail(path, lines=40):
    with open(path, encoding="utf-8", errors="replace") as source:
        return "".join(source.readlines()[-lines:])


class Pipeline:
    """One pipeline. Arguments are lines for the sections of its configuration; close() kills
    what is left of it."""

    def __init__(self, chain="ingest, processor, exporter", user=None, folder=None, **sections):
        self.folder = folder or tempfile.mkdtemp(prefix="mr-chain-", dir="/tmp")
        os.makedirs(self.folder, exist_ok=True)
        self.user = user
        self.bin = BIN
        self.run_dir = os.path.join(self.folder, "run")
        self.out = os.path.join(self.folder, "out.jsonl")
        self.config = os.path.join(self.folder, "millrace.ini")
        self.workers = {}
        self.context = zmq.Context()
        self.bus = None
        self.pushers = []
        self.seen = {}
        self.port = free_port()
        self.configure(chain, **sections)
        if user:
            self._hand_over()

    def configure(self, chain="ingest, processor, exporter", ingest=None, processor="", sinks=None,
                  extra="", pipeline=""):
        if ingest is None:
            ingest = "pull = ipc://in/pull\nrouter = ipc://in/router\n"
        if sinks is None:
            sinks = "[sink out]\ntype = file\npath = out.jsonl\n"
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(f"[pipeline]\nname = test\nchain = {chain}\nstop_timeout = 20s\n{pipeline}\n"
                      f"[ingest]\n{ingest}\n[processor]\n{processor}\n{sinks}\n{extra}\n")

    def _hand_over(self):
        self.bin = os.path.join(self.folder, "bin")
        shutil.copytree(BIN, self.bin)
        subprocess.run(["chown", "-R", self.user, self.folder], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process in self.workers.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        self.context.destroy(linger=0)
        shutil.rmtree(self.folder, ignore_errors=True)

    def complaints(self):
        """What the workers wrote, for a test that failed."""
        paths = sorted(glob.glob(os.path.join(self.folder, "*.err")))
        return "".join(f"--- {os.path.basename(path)}\n{tail(path)}" for path in paths)

    # ---- workers ----

    def command(self, name, *words):
        stage, _, slot = name.partition(".")
        prefix = ["setpriv", "--reuid", self.user, "--clear-groups"] if self.user else []
        program = os.path.join(self.bin, f"millrace-{stage}")
        if not os.path.exists(program):  # a domain of the tests' own
            program = os.path.join(os.path.dirname(BIN), "tests", f"millrace-{stage}")
        return prefix + [program, "-c", self.config, "-n", slot or "0", *words]

    def wait_for(self, fact, what):
        """Like wait_for, but not beyond the death of a worker."""
        def checked():
            for name, process in self.workers.items():
                code = process.poll()
                assert code is None, f"{name} ended with {code}\n{self.complaints()}"
            return fact()
        return wait_for(checked, what)

    def spawn(self, name, *words, **options):
        """Start a worker and do not wait for it."""
        with open(os.path.join(self.folder, name + ".err"), "a", encoding="utf-8") as errors:
            options = {"stderr": errors, "stdout": subprocess.DEVNULL, **options}
            process = subprocess.Popen(self.command(name, *words), stdin=subprocess.DEVNULL,
                                       cwd=self.folder, **options)
        self.workers[name] = process
        return process

    def start(self, *names, **options):
        """Start workers, the last stage first by convention, and wait until they are ready."""
        for name in names:
            ready, told = os.pipe()
            process = self.spawn(name, "--ready-fd", str(told), pass_fds=[told], **options)
            os.close(told)
            word = os.read(ready, 1)  # ends when the worker ends
            os.close(ready)
            assert word == b"\n", f"{name} ended with {process.wait()}\n{self.complaints()}"

    def start_all(self):
        self.start("exporter.0", "processor.0", "ingest.0")

    def stop(self, *names):
        """Drain workers, one after the other, along the flow; each must end with 0."""
        for name in names:
            self.workers[name].send_signal(signal.SIGTERM)
            code = self.workers[name].wait(timeout=DEADLINE_S)
            assert code == 0, f"{name} ended with {code}\n{self.complaints()}"
            del self.workers[name]

    def restart(self, name):
        self.stop(name)
        self.start(name)

    def refusal(self, name, *words):
        """Run a worker that must not start: its exit code and what it said."""
        done = subprocess.run(self.command(name, *words), capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False, stdin=subprocess.DEVNULL)
        return done.returncode, done.stderr

    # ---- producers ----

    def socket(self, kind, endpoint, **options):
        made = self.context.socket(kind)
        made.linger = options.pop("linger", 0)
        for key, value in options.items():
            setattr(made, key, value)
        path = endpoint if "://" in endpoint else f"ipc://{self.folder}/in/{endpoint}"
        made.connect(path)
        return made

    def push(self, records, endpoint="pull"):
        """Send records through a PUSH socket of their own. It stays open: libzmq loses what is on
        its way when a PUSH closes while its receiver is at the high-water mark."""
        sender = self.socket(zmq.PUSH, endpoint, sndtimeo=DEADLINE_S * 1000)
        self.pushers.append(sender)
        for record in records:
            sender.send(record)
        return sender

    def ask(self, *frames, endpoint="router"):
        """One request of a REQ producer; the frames of its answer."""
        with self.socket(zmq.REQ, endpoint) as asker:
            asker.send_multipart(list(frames))
            assert asker.poll(DEADLINE_S * 1000), "no answer"
            return asker.recv_multipart()

    # ---- facts ----

    def lines(self, path=None):
        """Lines of the sink's file, and of those of further exporters beside it."""
        root, dot = os.path.splitext(path or self.out)
        found = []
        for name in sorted(glob.glob(root + dot) + glob.glob(f"{root}.[0-9]*{dot}")):
            with open(name, "rb") as source:
                text = source.read()
            assert text == b"" or text.endswith(b"\n"), f"{name} ends in a torn line"
            found += text.splitlines()
        return found

    def records(self, path=None):
        return [json.loads(line) for line in self.lines(path)]

    def dead(self):
        return self.records(os.path.join(self.folder, "data", "dead", "exporter.0.jsonl"))

    def wait_lines(self, count, path=None):
        """Wait for so many lines, no more and no less; returns them."""
        seen = [0]

        def enough():
            with contextlib.suppress(AssertionError):  # a line may be half written just now
                seen[0] = len(self.lines(path))
            return seen[0] >= count
        self.wait_for(enough, lambda: f"{seen[0]} of {count} lines\n{self.complaints()}")
        lines = self.lines(path)
        assert len(lines) == count
        return lines

    def listen(self):
        """Be the monitor: hear every event from now on. Before workers start."""
        os.makedirs(self.run_dir, mode=0o700, exist_ok=True)
        self.bus = self.context.socket(zmq.SUB)
        self.bus.rcvhwm = 100000
        self.bus.subscribe(b"")
        self.bus.bind(f"ipc://{self.run_dir}/bus.in")

    def events(self):
        """Events that came since the last call, as (topic, members)."""
        came = []
        while self.bus.poll(0):
            topic, text = self.bus.recv_multipart()
            event = json.loads(text)
            came.append((topic.decode(), event))
            if topic.startswith(b"counters."):
                self.seen[event["worker"]] = event
        return came

    def counters(self, worker, fact=lambda counters: True):
        """The next counters of a worker for which fact is true."""
        self.seen.pop(worker, None)

        def heard():
            self.events()
            return worker in self.seen and fact(self.seen[worker])
        self.wait_for(heard, lambda: f"counters of {worker}: {self.seen.get(worker)}")
        return self.seen[worker]

    def settled(self):
        """Ingest's ledger once nothing is in flight; it must balance."""
        ledger = self.counters("ingest.0", lambda c: c["ledger"]["in_flight"] == 0)["ledger"]
        assert ledger["received"] == (ledger["exported"] + ledger["filtered"] + ledger["dead"]
                                      + ledger["dropped"])
        return ledger


def numbered(first, last, pad=0):
    """JSON records whose `n` is first .. last."""
    return [b'{"n":%d,"pad":"%s"}' % (n, b"x" * pad) for n in range(first, last + 1)]


def assert_exactly_once(lines, count, key="n"):
    """Each of 1 .. count is there, once."""
    got = sorted(json.loads(line)[key] for line in lines)
    if got != list(range(1, count + 1)):
        lost = sorted(set(range(1, count + 1)) - set(got))
        twice = sorted({n for n in got if got.count(n) > 1}) if len(got) < 50000 else "?"
        found = f"{len(got)} records; lost {len(lost)}: {lost[:20]}, more than once: {twice}"
        note_verdict(found)
        raise AssertionError(found)
