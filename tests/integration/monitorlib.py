"""A monitor in a private directory, with fake workers to listen to."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile

import zmq

from fake_worker import FakeWorker
from launcherlib import BIN, free_port, wait_for

STAGES = ["ingest", "processor", "metrics", "exporter"]


class Monitor:
    """The real millrace-monitor. close() kills what is left of it."""

    def __init__(self, **options):
        self.folder = tempfile.mkdtemp(prefix="mr-monitor-", dir="/tmp")
        self.run_dir = os.path.join(self.folder, "run")
        self.config = os.path.join(self.folder, "millrace.ini")
        self.snapshot = os.path.join(self.folder, "data", "monitor.snapshot.json")
        self.log = os.path.join(self.folder, "data", "log", "monitor.log")
        self.port = free_port()
        self.context = zmq.Context()
        self.process = None
        self.workers = []
        self.configure(**options)

    def configure(self, **options):
        lines = {"http": f"127.0.0.1:{self.port}", "snapshot": "200ms", **options}
        with open(self.config, "w", encoding="utf-8") as out:
            out.write("[pipeline]\nname = test\n[ingest]\npull = ipc://run/in\n"
                      "[sink out]\ntype = file\npath = out.jsonl\n[monitor]\n"
                      + "".join(f"{key} = {value}\n" for key, value in lines.items()))

    def command(self, *words):
        return [os.path.join(BIN, "millrace-monitor"), "-c", self.config, *words]

    def run(self, *words):
        """To the end, which must come by itself."""
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=60,
                              check=False)

    def start(self):
        ready, inherited = os.pipe()
        self.process = subprocess.Popen(self.command("--quiet", "--ready-fd", str(inherited)),
                                        pass_fds=[inherited], stderr=subprocess.DEVNULL)
        os.close(inherited)
        with os.fdopen(ready, "rb") as told:
            assert told.readline() == b"\n", self.logged()
        return self

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def worker(self, name):
        """A fake worker that the monitor listens to already."""
        worker = FakeWorker(self.context, self.run_dir, name)
        self.workers.append(worker)

        def is_heard():
            worker.send(f"state.{name}", {"state": "running", **worker.stamp()})
            return self.find(name)["silent_ms"] < 1000 and self.metrics()["monitor"]["events"]
        before = self.metrics()["monitor"]["events"]
        wait_for(lambda: is_heard() > before, f"{name} is heard")
        return worker

    def find(self, name):
        rows = self.json("/api/workers")["workers"]
        return next((row for row in rows if row["name"] == name), {"silent_ms": 1e9, "state": ""})

    def request(self, path, method="GET", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def json(self, path):
        return json.loads(self.request(path)[1])

    def metrics(self):
        return self.json("/api/metrics")

    def logged(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, encoding="utf-8") as source:
            return source.read()

    def saved(self):
        try:
            with open(self.snapshot, encoding="utf-8") as source:
                return json.load(source)
        except FileNotFoundError:
            return {}

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for worker in self.workers:
            worker.socket.close()
        self.context.destroy(linger=0)
        shutil.rmtree(self.folder, ignore_errors=True)
