#!/usr/bin/python3
"""scripts/launch.sh as a newcomer uses it: the demo runs, is asked things, and drains on Ctrl-C."""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
LAUNCH = str(TOP / "scripts" / "launch.sh")
RECORDS = TOP / "build" / "demo" / "out" / "access.jsonl"


def wait_until(fact, seconds, what):
    """The first true answer of fact(), within a deadline."""
    deadline = time.monotonic() + seconds
    while True:
        answer = fact()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def verb(*words):
    return subprocess.run([LAUNCH, "--demo", *words], capture_output=True, text=True, timeout=60,
                          check=False)


def records_bytes():
    return RECORDS.stat().st_size if RECORDS.exists() else 0


@pytest.fixture(name="demo")
def running_demo():
    before = records_bytes()
    # A session of its own: a signal to its group is what Ctrl-C on its terminal is.
    process = subprocess.Popen([LAUNCH, "--yes", "--demo"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               start_new_session=True)
    try:
        # The first start may have to build.
        wait_until(lambda: process.poll() is not None or records_bytes() > before + 20000, 300,
                   "records of the demo in its file")
        assert process.poll() is None, process.stdout.read()
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        verb("down", "--now")


def test_the_demo_flows_and_drains_on_control_c_with_a_balanced_audit(demo):
    os.killpg(demo.pid, signal.SIGINT)
    output, _ = demo.communicate(timeout=90)
    assert demo.returncode == 0, output
    assert "draining" in output
    assert "http://127.0.0.1:8091/" in output
    assert "still in flight" not in output
    assert "balanced" in output and "not balanced" not in output, output
    last = RECORDS.read_text(encoding="utf-8").splitlines()[-1]
    assert {"client_ip", "ts", "path", "status", "bytes"} <= json.loads(last).keys()
    assert not list((TOP / "build" / "demo" / "run").glob("*.ipc"))


@pytest.mark.parametrize("moment", ["monitor: 1", "metrics: 1", "ingest: 1", "Ctrl-C drains"])
def test_control_c_while_the_demo_starts_leaves_nothing(moment):
    with subprocess.Popen([LAUNCH, "--yes", "--demo"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          start_new_session=True) as process:
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if line.startswith(moment):
                    break
            assert said[-1].startswith(moment), said
            os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=90)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    answer = verb("status")
    assert "nothing runs" in answer.stdout, answer
    assert not list((TOP / "build" / "demo" / "run").iterdir())


def test_the_demo_says_where_the_monitor_is_and_fits_80_columns(demo):
    os.killpg(demo.pid, signal.SIGINT)
    output, _ = demo.communicate(timeout=90)
    told = output[:output.index("draining")].splitlines()
    assert not [line for line in told if len(line) >= 80 and "build" not in line]
    config = (TOP / "conf" / "demo.ini").read_text(encoding="utf-8")
    address = config[config.index("http = ") + 7:].split()[0]
    assert f"monitor    http://{address}/" in output


def test_a_verb_is_handed_to_the_demos_chain(demo):
    assert demo.poll() is None
    answer = verb("status", "--json")
    assert answer.returncode == 0, answer.stderr
    stages = {worker["stage"] for worker in json.loads(answer.stdout)["workers"]}
    assert {"ingest", "processor", "metrics", "exporter", "monitor"} <= stages
    answer = verb("restart", "processor")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_an_unknown_option_is_a_usage_error():
    answer = subprocess.run([LAUNCH, "--nonsense"], capture_output=True, text=True, check=False)
    assert answer.returncode == 64
    assert "--nonsense" in answer.stderr
