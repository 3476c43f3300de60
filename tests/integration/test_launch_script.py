#!/usr/bin/python3
"""scripts/launch.sh as a newcomer uses it: the demo runs, is asked things, and drains on Ctrl-C.
It runs in a directory of its own, so that a person's demo in build/demo is left alone."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest
from harness import free_port, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
LAUNCH = str(TOP / "scripts" / "launch.sh")
SAMPLE = TOP / "conf" / "demo.ini"


class Demo:
    """What conf/demo.ini says, with other files and another port."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mr-demo-", dir="/tmp"))
        self.address = f"127.0.0.1:{free_port()}"
        self.records = self.folder / "out" / "access.jsonl"
        text = SAMPLE.read_text(encoding="utf-8")
        assert text.count("../build/demo") == 7 and text.count("127.0.0.1:8091") == 1
        (self.folder / "demo.ini").write_text(
            text.replace("../build/demo", ".").replace("127.0.0.1:8091", self.address),
            encoding="utf-8")
        self.environment = {**os.environ, "MILLRACE_DEMO_DIR": str(self.folder)}
        self.process = None

    def start(self):
        """In a session of its own: a signal to its group is what Ctrl-C on its terminal is."""
        self.process = subprocess.Popen([LAUNCH, "--yes", "--demo"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, start_new_session=True, env=self.environment)
        return self.process

    def flows(self):
        return self.records.exists() and self.records.stat().st_size > 20000

    def verb(self, *words):
        return subprocess.run([LAUNCH, "--demo", *words], capture_output=True, text=True,
                              timeout=60, check=False, env=self.environment)

    def interrupt(self):
        """Ctrl-C; all that it said and did not say before."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.communicate(timeout=90)[0]

    def close(self):
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.verb("down", "--now")
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(name="still")
def demo_that_does_not_run():
    demo = Demo()
    yield demo
    demo.close()


@pytest.fixture(name="demo")
def running_demo(still):
    process = still.start()
    # The first start may have to build.
    wait_for(lambda: process.poll() is not None or still.flows(), "records of the demo", 300)
    assert process.poll() is None, process.stdout.read()
    return still


def test_the_demo_flows_and_drains_on_control_c_with_a_balanced_audit(demo):
    output = demo.interrupt()
    assert demo.process.returncode == 0, output
    assert "draining" in output
    assert "still in flight" not in output
    assert "balanced" in output and "not balanced" not in output, output
    assert f"the records stay in {demo.folder}/out" in output
    last = demo.records.read_text(encoding="utf-8").splitlines()[-1]
    assert {"client_ip", "ts", "path", "status", "bytes"} <= json.loads(last).keys()
    assert not list((demo.folder / "run").glob("*.ipc"))


@pytest.mark.parametrize("moment", ["monitor: 1", "metrics: 1", "ingest: 1", "Ctrl-C drains"])
def test_control_c_while_the_demo_starts_leaves_nothing(still, moment):
    said = []
    for line in still.start().stdout:
        said.append(line)
        if line.startswith(moment):
            break
    assert said[-1].startswith(moment), said
    still.interrupt()
    answer = still.verb("status")
    assert "nothing runs" in answer.stdout, answer
    assert not list((still.folder / "run").iterdir())


def test_the_demo_says_where_the_monitor_is_and_fits_80_columns(demo):
    output = demo.interrupt()
    told = output[:output.index("draining")].replace(str(demo.folder), "build/demo").splitlines()
    assert not [line for line in told if len(line) >= 80 and "building" not in line]
    assert f"monitor: http://{demo.address}/" in told
    assert f"  monitor    http://{demo.address}/  (/metrics for Prometheus)" in told


def test_a_verb_is_handed_to_the_demos_chain(demo):
    answer = demo.verb("status", "--json")
    assert answer.returncode == 0, answer.stderr
    stages = {worker["stage"] for worker in json.loads(answer.stdout)["workers"]}
    assert {"ingest", "processor", "metrics", "exporter", "monitor"} <= stages
    answer = demo.verb("restart", "processor")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_an_unknown_option_is_a_usage_error():
    answer = subprocess.run([LAUNCH, "--nonsense"], capture_output=True, text=True, check=False)
    assert answer.returncode == 64
    assert "--nonsense" in answer.stderr


def test_without_sudo_and_not_root_one_line_says_what_root_has_to_run(tmp_path):
    for name, text in (("dpkg-query", ""), ("id", "echo 1000")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    answer = subprocess.run(["/bin/bash", str(TOP / "scripts" / "deps.sh"), "--yes", "run"],
                            capture_output=True, text=True, check=False,
                            env={"PATH": str(tmp_path)})
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("deps.sh: neither root nor sudo; as root run: apt-get install "
                                    "cmake ")
    assert len(answer.stderr.splitlines()) == 1
