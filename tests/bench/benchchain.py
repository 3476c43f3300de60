"""The reference work's chain in a private directory, run by the real millrace."""
import contextlib
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

STAGES = ("ingest", "processor", "metrics", "exporter")
STEPS = 'drop = level == "debug"\nset = env = "prod"\nrename = user -> user_id\n'
METRICS = """[metric requests]
type = counter
by = service, level
[metric latency]
type = histogram
field = latency_ms
by = service
"""


class BenchError(Exception):
    pass


def wait_for(fact, what, deadline_s, pause_s=0.002):
    end = time.monotonic() + deadline_s
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() > end:
            raise BenchError(f"not within {deadline_s} s: {what()}")
        time.sleep(pause_s)


class Chain:
    """Up from `with` to its end. framing: of the pull socket. workers: stage -> count."""

    def __init__(self, binaries, folder, framing="record", workers=None, settings=()):
        self.bin = binaries
        self.folder = tempfile.mkdtemp(prefix="mr-bench-", dir=folder)
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", 0))
            self.http, self.tcp = first.getsockname()[1], second.getsockname()[1]
        self.config = os.path.join(self.folder, "millrace.ini")
        self.out = os.path.join(self.folder, "out.jsonl")
        self.endpoints = {
            "push": f"ipc://{self.folder}/in/pull",
            "chunks": f"ipc://{self.folder}/in/pull",
            "acked": f"ipc://{self.folder}/in/router",
            "tcp": f"127.0.0.1:{self.tcp}",
        }
        self._configure(framing, workers or {}, settings)

    def _configure(self, framing, workers, settings):
        sections = {
            "pipeline": "name = bench\nrun_dir = run\ndata_dir = data\nlog_dir = log\n",
            "ingest": f"pull = ipc://in/pull\nrouter = ipc://in/router\n"
                      f"tcp = 127.0.0.1:{self.tcp}\nframing = {framing}\n",
            "processor": "parse = json\n" + STEPS,
            "metrics": "",
            "exporter": "",
            "sink events": "type = file\npath = out.jsonl\n",
            "monitor": f"http = 127.0.0.1:{self.http}\n",
        }
        for stage, count in workers.items():
            sections[stage] += f"workers = {count}\n"
        for setting in settings:
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
        done = subprocess.run([os.path.join(self.bin, "millrace"), *words, "-c", self.config],
                              capture_output=True, text=True, timeout=120, check=False,
                              stdin=subprocess.DEVNULL)
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

    def wait_audit(self, received, survive, deadline_s=30):
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

    def wait_metrics(self, due, deadline_s=30):
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
