"""millrace chaos: the proof on the user's own machine, and that it finds what is wrong."""
import glob
import json
import os
import pty
import shutil
import signal
import subprocess
import tempfile

import pytest
from harness import BIN, DEADLINE_S, is_alive, wait_for


class Proof:
    """One run in a directory of its own; close() kills what it left."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="mr-chaos-", dir="/tmp")
        self.process = None

    def start(self, *words, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        self.process = subprocess.Popen(
            [os.path.join(BIN, "millrace"), "chaos", *words], text=True,
            stdin=subprocess.DEVNULL, env={**os.environ, "TMPDIR": self.folder}, **options)
        return self.process

    def run(self, *words, code=0):
        """To its end: what it printed."""
        self.start(*words)
        return self.end(code)

    def end(self, code=0):
        out, err = self.process.communicate(timeout=5 * DEADLINE_S)
        assert self.process.returncode == code, (self.process.returncode, out, err)
        return out if code in (0, 1) and out else err

    def scratch(self):
        """Its directory, once its chain runs and records come out."""
        def found():
            files = glob.glob(os.path.join(self.folder, "millrace-chaos-*", "out.jsonl"))
            return files and os.path.getsize(files[0]) > 4096 and os.path.dirname(files[0])
        return wait_for(found, lambda: f"records come out: {os.listdir(self.folder)}")

    def processes(self):
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as source:
                    ours = self.folder.encode() in source.read()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if ours and is_alive(int(entry)):
                found.append(int(entry))
        return found

    def assert_nothing_left(self):
        assert os.listdir(self.folder) == []
        assert self.processes() == []
        with open("/proc/self/mountinfo", encoding="utf-8") as source:
            assert self.folder not in source.read()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        for _ in range(3):
            for pid in self.processes():
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(name="proof")
def make_proof():
    made = Proof()
    yield made
    made.close()


def may_mount():
    """Whether a small file system can be mounted here, by root or in a namespace of a user's."""
    words = ["sh", "-c", "mount -t tmpfs none /tmp"]
    return any(subprocess.run(["unshare", flags, *words], check=False,
                              capture_output=True).returncode == 0 for flags in ("-m", "-rm"))


def test_a_full_disk_is_part_of_it_or_said_to_be_none(proof):
    said = proof.run("--for", "5s", "--rate", "3000", "--seed", "11")
    lines = [line for line in said.splitlines() if line.startswith("disk full: ")]
    if may_mount():
        assert len(lines) == 1 and lines[0].endswith(" times") and lines[0] != "disk full: 0 times"
    else:
        assert len(lines) == 1 and lines[0].startswith("disk full: not run (")
    assert "proven: every acknowledged record came out exactly once" in said
    proof.assert_nothing_left()


def test_it_proves_and_leaves_nothing(proof):
    """All kinds of harm, by the seed; the figures are in JSON."""
    found = json.loads(proof.run("--for", "6s", "--rate", "5000", "--seed", "7", "--json"))
    assert found["proven"] is True and found["fault"] is None and found["directory"] is None
    assert found["seed"] == 7
    assert found["sent"] == found["acknowledged"] == found["exported"] + found["dead"] > 1000
    assert found["lost"] == found["doubled"] == found["strangers"] == found["misplaced"] == 0
    assert found["metrics_agree"] and found["audit_balanced"]
    latency = found["latency_ms"]
    assert 0 < latency["p50"] <= latency["p99"] <= latency["p99.9"] <= latency["max"]
    harm = found["harm"]
    assert harm["killed"] == sum(harm["killed_by_stage"].values()) > 0
    assert harm["disk_full"] is None if not may_mount() else harm["disk_full"] > 0
    proof.assert_nothing_left()


@pytest.mark.parametrize("kill", ["processor,metrics", "launcher"])
def test_only_named_stages_are_killed_and_the_launcher_comes_back(proof, kill):
    found = json.loads(proof.run("--for", "5s", "--rate", "3000", "--kill", kill, "--every",
                                 "500ms", "--json"))
    assert found["proven"] is True
    harm = found["harm"]
    assert set(harm["killed_by_stage"]) <= set(kill.split(",")) and harm["killed"] >= 2
    assert harm["stopped"] == harm["restarted"] == harm["scaled"] == harm["all_at_once"] == 0
    assert harm["disk_full"] is None
    proof.assert_nothing_left()


def test_it_ends_in_time_however_rarely_something_is_killed(proof):
    found = json.loads(proof.run("--for", "2s", "--rate", "3000", "--kill", "monitor", "--every",
                                 "1h", "--json"))
    assert found["proven"] is True and found["harm"]["killed"] == 1
    proof.assert_nothing_left()


def test_a_doubled_line_is_found_and_everything_is_kept(proof):
    proof.start("--for", "4s", "--rate", "3000", "--kill", "monitor")
    scratch = proof.scratch()
    with open(os.path.join(scratch, "out.jsonl"), "rb") as source:
        line = source.readline()
    with open(os.path.join(scratch, "out.3.jsonl"), "wb") as out:
        out.write(line)
    said = proof.end(code=1)
    assert "lost 0, doubled 1" in said and "NOT proven: doubled 1; record" in said
    assert f"everything is kept in {os.path.realpath(scratch)}" in said
    assert os.path.exists(os.path.join(scratch, "data", "ingest.0.journal"))
    assert proof.processes() == []


def test_a_lost_file_is_found(proof):
    proof.start("--for", "4s", "--rate", "3000", "--kill", "monitor", "--json")
    scratch = proof.scratch()
    os.rename(os.path.join(scratch, "out.jsonl"), os.path.join(scratch, "elsewhere"))
    found = json.loads(proof.end(code=1))
    assert found["proven"] is False and found["lost"] > 0 and found["doubled"] == 0
    assert found["acknowledged"] == found["sent"]
    assert os.path.realpath(found["directory"]) == os.path.realpath(scratch)


def test_control_c_ends_the_harm_and_the_verdict_follows(proof):
    proof.start("--for", "1h", "--rate", "3000")
    proof.scratch()
    proof.process.send_signal(signal.SIGINT)
    assert "proven: every acknowledged record came out exactly once" in proof.end()
    proof.assert_nothing_left()


def test_a_second_control_c_breaks_off_and_leaves_nothing(proof):
    """The first may be over already when the second comes: then the verdict is there."""
    proof.start("--for", "1h", "--rate", "3000")
    proof.scratch()
    proof.process.send_signal(signal.SIGTERM)
    proof.process.send_signal(signal.SIGINT)
    proof.process.communicate(timeout=5 * DEADLINE_S)
    assert proof.process.returncode in (0, 1)
    proof.assert_nothing_left()


def test_on_a_terminal_a_line_shows_how_it_goes(proof):
    ours, theirs = pty.openpty()
    proof.start("--for", "3s", "--rate", "3000", stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while more := os.read(ours, 4096):
            shown += more
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert b"\rharm " in shown and b"\rdrain " in shown and b" acknowledged " in shown
    assert "proven" in proof.end()


@pytest.mark.parametrize("words, said", [
    (["--kill", "nobody"], "there are all, ingest, processor"),
    (["--for", "0s"], "--for: "),
    (["--every", "soon"], "--every: "),
    (["--seed", "-1"], "--seed: "),
    (["-c", "my.ini"], "it makes a chain of its own"),
    (["now"], "usage: millrace chaos"),
])
def test_what_cannot_be_is_refused_with_64(proof, words, said):
    assert said in proof.run(*words, code=64)
    proof.assert_nothing_left()


def test_a_directory_that_is_not_there_is_said(proof):
    proof.folder, ours = os.path.join(proof.folder, "nowhere"), proof.folder
    said = proof.run(code=1)
    proof.folder, missing = ours, proof.folder
    assert f"cannot make a directory in {missing}" in said
    proof.assert_nothing_left()
