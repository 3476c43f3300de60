"""A pipeline in a private directory, run by the real millrace and millrace-launcher.

The stages are fakes (tests/support/fake_stage.py) unless a test asks for the real ones.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

from harness import BIN, DEADLINE_S, free_port, is_alive, wait_for

SUPPORT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support")
STAGES = ["ingest", "processor", "metrics", "exporter"]


class Chain:
    """One pipeline. close() kills what is left of it."""

    def __init__(self, workers=None, stop_timeout="10s", user=None, real=False, extra="",
                 ingest="pull = ipc://run/in{slot}\n"):
        self.folder = tempfile.mkdtemp(prefix="mr-launcher-", dir="/tmp")
        self.user = user
        self.bin = os.path.join(self.folder, "bin")
        self.run_dir = os.path.join(self.folder, "run")
        self.config = os.path.join(self.folder, "millrace.ini")
        self.port = free_port()
        self.fakes = {}
        self.processes = []
        self._install(real)
        counts = {"processor": 2, **(workers or {})}
        sections = "".join(f"[{stage}]\nworkers = {counts.get(stage, 1)}\n"
                           + (ingest if stage == "ingest" else "")
                           for stage in STAGES)
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(f"[pipeline]\nname = test\nstop_timeout = {stop_timeout}\n"
                      f"start_timeout = 30s\n{sections}"
                      f"[monitor]\nhttp = 127.0.0.1:{self.port}\n"
                      "[sink out]\ntype = file\npath = out.jsonl\n" + extra)
        if user:
            subprocess.run(["chown", "-R", user, self.folder], check=True)
        os.chmod(self.folder, 0o755)

    def _install(self, real):
        os.mkdir(self.bin)
        names = ["millrace", "millrace-launcher", "millrace-monitor"]
        names += [f"millrace-{stage}" for stage in STAGES] if real else []
        for name in names:
            shutil.copy(os.path.join(BIN, name), self.bin)
        if not real:
            for stage in STAGES:
                shutil.copy(os.path.join(SUPPORT, "fake_stage.py"),
                            os.path.join(self.bin, f"millrace-{stage}"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _processes(self):
        """Pids of all processes of this directory, those without a lock included."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as source:
                    words = source.read().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if self.config.encode() in words and is_alive(int(entry)):
                found.append(int(entry))
        return found

    def _kill_all(self):
        """One round; true once there is nobody left to kill."""
        pids = self._processes()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pids

    def kill_all(self):
        """kill -9 of every process, also of those that have no lock yet; none is left."""
        launcher = self.pids().get("launcher")
        if launcher and is_alive(launcher):  # first, or it would start the others again
            os.kill(launcher, signal.SIGKILL)
            wait_for(lambda: not is_alive(launcher), "the launcher is dead")
        wait_for(self._kill_all, "no process is left")

    def close(self):
        self.kill_all()
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def misbehave(self, name, **how):
        """How a fake worker or stage behaves from its next start on; nothing: well."""
        self.fakes.pop(name, None)
        if how:
            self.fakes[name] = how
        path = os.path.join(self.folder, "fake.json")
        with open(path + ".new", "w", encoding="utf-8") as out:
            json.dump(self.fakes, out)
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)

    def command(self, *words):
        prefix = ["setpriv", "--reuid", self.user, "--clear-groups"] if self.user else []
        return prefix + [os.path.join(self.bin, "millrace"), *words]

    def millrace(self, *words, code=0, deadline_s=DEADLINE_S, environment=None):
        """Run one command to its end; its exit code must be `code`."""
        done = subprocess.run(self.command(*words, "-c", self.config), capture_output=True,
                              text=True, timeout=deadline_s, check=False,
                              env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL)
        assert code in (done.returncode, None), (words, done.returncode, done.stdout, done.stderr)
        return done

    def run_with(self, environment, *words, code=0):
        """Run one command with no -c and this more in its environment."""
        done = subprocess.run(self.command(*words), env={**os.environ, **environment}, text=True,
                              capture_output=True, timeout=DEADLINE_S, check=False,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done

    def start(self, *words, **options):
        """Run one command in the background."""
        process = subprocess.Popen(self.command(*words, "-c", self.config), text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, **options)
        self.processes.append(process)
        return process

    def start_worker(self, stage, slot):
        """Start a stage by hand, without the launcher."""
        process = subprocess.Popen(
            [os.path.join(self.bin, f"millrace-{stage}"), "-c", self.config, "-n", str(slot)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def up(self, environment=None):
        """environment: what the whole chain has more in its own."""
        return self.millrace("up", "--detach", environment=environment)

    def status(self):
        """Worker name -> its row of `status --json`."""
        whole = json.loads(self.millrace("status", "--json").stdout)
        return {row["name"]: row for row in whole["workers"]}

    def states(self):
        return {name: row["state"] for name, row in self.status().items()}

    def pids(self):
        """Worker name -> pid, from the lock files alone."""
        found = {}
        if not os.path.isdir(self.run_dir):
            return found
        for entry in os.listdir(self.run_dir):
            if entry.endswith(".lock"):
                try:
                    with open(os.path.join(self.run_dir, entry), "rb") as source:
                        match = re.match(rb"pid=(\d+) ", source.read(256))
                except FileNotFoundError:
                    continue
                if match:
                    found[entry[:-5]] = int(match[1])
        return found

    def wait_state(self, name, state):
        wait_for(lambda: self.states().get(name) == state, f"{name} is {state}: {self.states()}")

    def leftovers(self):
        return sorted(os.listdir(self.run_dir)) if os.path.isdir(self.run_dir) else []
