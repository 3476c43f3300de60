"""The load program (tests/bench/load), as the runs use it."""
import contextlib
import json
import os
import subprocess


class BenchError(Exception):
    """A run that does not count, and why."""


class NotHere(Exception):
    """What would be measured is not on this machine."""


class Program:
    """A program that answers with one JSON object, at once or after it was told to begin."""

    def __init__(self, path):
        if not os.path.exists(path):
            raise BenchError(f"{path} is not built: use scripts/bench.sh")
        self.path = path

    def ask(self, *words):
        done = subprocess.run([self.path, *words], capture_output=True, text=True, check=False)
        if not done.stdout:
            raise BenchError(f"{os.path.basename(self.path)} {' '.join(words)}: {done.stderr}")
        return json.loads(done.stdout)

    def write(self, path, *words):
        with open(path, "wb") as out:
            subprocess.run([self.path, *words], stdout=out, check=True)

    @contextlib.contextmanager
    def begin(self, *words):
        """A process that has said `ready`; killed at the end if it still runs."""
        with subprocess.Popen([self.path, *words], text=True, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            try:
                if process.stdout.readline() != "ready\n":
                    raise BenchError(f"{os.path.basename(self.path)} {words[0]} did not start")
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


def answer(process):
    line = process.stdout.readline()
    if not line:
        raise BenchError("the load program ended early")
    return json.loads(line)


class Senders:
    """One or several load programs, each with its part of the records `first` to `last`."""

    def __init__(self, load, work, targets, first=1):
        self.stack = contextlib.ExitStack()
        self.load, self.work, self.targets, self.first = load, work, targets, first
        self.processes = []

    def __enter__(self):
        count = len(self.targets)
        share, rest = divmod(self.work.records, count)
        at = self.first
        for i, target in enumerate(self.targets):
            part = share + (1 if i < rest else 0)
            self.processes.append(self.stack.enter_context(self.load.begin(
                "send", f"--mode={self.work.mode}", f"--to={target}", f"--first={at}",
                f"--records={part}", f"--bytes={self.work.bytes}", f"--chunk={self.work.chunk}",
                f"--name=bench-{at}")))
            at += part
        return self

    def __exit__(self, *reason):
        return self.stack.__exit__(*reason)

    def run(self):
        """Send everything. (start in wall ns, CPU seconds)"""
        for process in self.processes:
            tell(process)
        sent = [answer(process) for process in self.processes]
        if not all(one["sent"] for one in sent):
            raise BenchError("a producer could not send everything")
        return min(one["start_ns"] for one in sent), sum(one["cpu_s"] for one in sent)
