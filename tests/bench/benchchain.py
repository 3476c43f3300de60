"""The reference work's chain in a private directory, run by the real millrace."""
import contextlib
import dataclasses
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from benchload import BenchError

STEPS = ('drop = level == "debug"', 'set = env = "prod"', "rename = user -> user_id")
METRICS = """[metric requests]
type = counter
by = service, level
[metric latency]
type = histogram
field = latency_ms
by = service
"""
KIND_OF = {"push": "pull", "chunks": "pull", "acked": "router", "tcp": "tcp"}


def wait_for(fact, what, deadline_s, pause_s=0.002):
    end = time.monotonic() + deadline_s
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() > end:
            raise BenchError(f"not within {deadline_s} s: {what()}")
        time.sleep(pause_s)


@dataclasses.dataclass
class Setup:
    """What a chain is made of. workers: stage -> count; settings: SECTION.KEY=VALUE."""
    binaries: str
    folder: str = None
    workers: dict = dataclasses.field(default_factory=dict)
    settings: tuple = ()
    steps: tuple = STEPS
    out: str = "out.jsonl"

    def with_(self, **changes):
        return dataclasses.replace(self, **changes)


class Chain:
    """Up from `with` to its end, taking records in by one mode."""

    def __init__(self, setup, mode="push"):
        self.setup, self.mode = setup, mode
        self.folder = tempfile.mkdtemp(prefix="mr-bench-", dir=setup.folder)
        os.chmod(self.folder, 0o755)  # a peer may run as another user
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", 0))
            self.http, self.tcp = first.getsockname()[1], second.getsockname()[1]
        self.config = os.path.join(self.folder, "millrace.ini")
        self.out = os.path.join(self.folder, setup.out)
        self._configure()

    def targets(self, count=1):
        """Where so many producers send to: in turn to each ingest worker."""
        slots = int(self.setup.workers.get("ingest", 1))
        if self.mode == "tcp":
            return [f"127.0.0.1:{self.tcp}"] * count
        return [f"ipc://{self.folder}/in/{KIND_OF[self.mode]}{i % slots if slots > 1 else ''}"
                for i in range(count)]

    def _endpoint(self):
        kind = KIND_OF[self.mode]
        if kind == "tcp":
            return f"tcp = 127.0.0.1:{self.tcp}\n"
        slot = "{slot}" if int(self.setup.workers.get("ingest", 1)) > 1 else ""
        return f"{kind} = ipc://in/{kind}{slot}\n"

    def _configure(self):
        framing = "framing = lines\n" if self.mode == "chunks" else ""
        sections = {
            "pipeline": "name = bench\nrun_dir = run\ndata_dir = data\nlog_dir = log\n",
            "ingest": self._endpoint() + framing,
            "processor": "\n".join(["parse = json", *self.setup.steps]) + "\n",
            "metrics": "",
            "exporter": "",
            "sink events": f"type = file\npath = {self.setup.out}\n",
            "monitor": f"http = 127.0.0.1:{self.http}\n",
        }
        for stage, count in self.setup.workers.items():
            sections[stage] += f"workers = {count}\n"
        for setting in self.setup.settings:
            section, _, line = setting.partition(".")
            sections[section] += line.replace("=", " = ", 1) + "\n"
        text = "".join(f"[{name}]\n{lines}" for name, lines in sections.items())
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(text + METRICS)

    def __enter__(self):
        try:
            self.millrace("up", "--detach")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BenchError):
            self.millrace("down")
        self._end()

    def _end(self):
        for pid in self.pids().values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def millrace(self, *words):
        program = os.path.join(self.setup.binaries, "millrace")
        done = subprocess.run([program, *words, "-c", self.config], capture_output=True,
                              text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise BenchError(f"millrace {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def pids(self):
        """Worker name -> pid, from the lock files of those that live."""
        found = {}
        for path in glob.glob(os.path.join(self.folder, "run", "*.lock")):
            with contextlib.suppress(FileNotFoundError):
                with open(path, "rb") as source:
                    match = re.match(rb"pid=(\d+) ", source.read(32))
                if match and os.path.exists(f"/proc/{int(match[1])}"):
                    found[os.path.basename(path)[:-5]] = int(match[1])
        return found

    def outputs(self):
        root, dot = os.path.splitext(self.out)
        return sorted(glob.glob(root + dot) + glob.glob(f"{root}.[0-9]*{dot}"))

    def out_bytes(self):
        return sum(os.stat(path).st_size for path in self.outputs())

    def wait_written(self, due_bytes, deadline_s):
        """Wall time, ns, at which the sinks had all of it."""
        wait_for(lambda: self.out_bytes() >= due_bytes,
                 lambda: f"{self.out_bytes()} of {due_bytes} bytes written\n{self.complaints()}",
                 deadline_s)
        return time.time_ns()

    def wait_audit(self, received, survive, deadline_s=60):
        """The audit once it says that everything is settled; it must balance."""
        last = {}

        def settled():
            last.update(json.loads(self.millrace("audit", "--json")))
            return (last["received"] == received and last["in_flight"] == 0
                    and last.get("pending", 0) == 0)
        wait_for(settled, lambda: f"audit: {last}", deadline_s, 0.2)
        if not last["balanced"] or last["exported"] != survive or last["dead"] or last["dropped"]:
            raise BenchError(f"the audit does not fit: {last}")
        return last

    def wait_metrics(self, due, deadline_s=60):
        """Wait until the monitor's counter by service and level is exactly as due."""
        last = {}

        def right():
            url = f"http://127.0.0.1:{self.http}/metrics"
            with urllib.request.urlopen(url, timeout=10) as answer:
                text = answer.read().decode()
            last.clear()
            for labels, value in re.findall(r"^requests_total\{(.*)\} (\d+)$", text, re.M):
                pair = dict(re.findall(r'(\w+)="([^"]*)"', labels))
                key = f"{pair['service']} {pair['level']}"
                last[key] = last.get(key, 0) + int(value)
            return last == due
        wait_for(right, lambda: f"metrics: {last}\ninstead of {due}", deadline_s, 0.2)

    def check_alive(self, pids):
        died = sorted(name for name, pid in pids.items() if self.pids().get(name) != pid)
        if died:
            raise BenchError(f"died under load: {', '.join(died)}\n{self.complaints()}")

    def complaints(self):
        """Warnings and errors of the workers, for a run that failed."""
        found = []
        for path in sorted(glob.glob(os.path.join(self.folder, "log", "*"))):
            with open(path, encoding="utf-8", errors="replace") as source:
                found += [line for line in source if re.search(r"\b(warn|error)\b", line)][-5:]
        return "".join(found)
