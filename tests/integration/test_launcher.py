"""up, down, status, restart, scale: what a person does every day."""
import http.client
import json
import os
import signal
import time

import pytest
from launcherlib import Chain, is_alive, wait_for

ALL = {"ingest.0", "processor.0", "processor.1", "metrics.0", "exporter.0", "monitor", "launcher"}


@pytest.fixture(name="chain")
def make_chain():
    with Chain() as chain:
        yield chain


def test_up_starts_from_the_end_of_the_chain_and_down_leaves_nothing(chain):
    said = chain.up().stdout
    order = [said.index(stage) for stage in ("monitor:", "exporter:", "metrics:", "processor:",
                                             "ingest:")]
    assert order == sorted(order)
    assert f"http://127.0.0.1:{chain.port}/" in said
    status = chain.status()
    assert set(status) == ALL
    assert {row["state"] for row in status.values()} == {"running"}
    pids = chain.pids()
    assert {name: row["pid"] for name, row in status.items()} == pids
    assert "the chain is down" in chain.millrace("down").stdout
    assert not [pid for pid in pids.values() if is_alive(pid)]
    assert chain.leftovers() == []


def test_down_drains_along_the_flow(chain):
    chain.up()
    said = chain.millrace("down").stdout
    order = [said.index(name + " stopped") for name in ("ingest.0", "processor.1", "metrics.0",
                                                        "exporter.0", "monitor")]
    assert order == sorted(order)


def missing_stages(chain):
    """What /healthz says is not there. Fake workers send no events, so others may be silent."""
    asked = http.client.HTTPConnection("127.0.0.1", chain.port, timeout=30)
    asked.request("GET", "/healthz")
    return [reason for reason in json.loads(asked.getresponse().read())["reasons"]
            if "no worker" in reason]


def test_the_monitor_knows_all_workers_as_soon_as_a_command_has_returned(chain):
    chain.up()
    assert missing_stages(chain) == []
    for words in (("exporter",), ("metrics", "--now"), ("ingest",)):
        chain.millrace("restart", *words)
        assert missing_stages(chain) == []


def test_a_second_up_says_that_it_runs_already(chain):
    chain.up()
    pids = chain.pids()
    assert "already running" in chain.up().stdout
    assert chain.pids() == pids


def test_two_ups_at_once_make_one_launcher(chain):
    first = chain.start("up", "--detach")
    second = chain.start("up", "--detach")
    said = [first.communicate(timeout=60)[0], second.communicate(timeout=60)[0]]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert set(chain.states()) == ALL
    assert set(chain.states().values()) == {"running"}


def test_restart_rolls_over_the_workers_of_one_stage(chain):
    chain.up()
    before = chain.pids()
    said = chain.millrace("restart", "processor").stdout
    after = chain.pids()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"processor.0", "processor.1"}
    assert said.index("processor.0 runs") < said.index("processor.1 drains")
    assert set(chain.states().values()) == {"running"}


def test_restart_of_one_worker_and_of_the_monitor(chain):
    chain.up()
    before = chain.pids()
    chain.millrace("restart", "processor.1", "monitor")
    after = chain.pids()
    assert {name for name in before if before[name] != after[name]} == {"processor.1", "monitor"}


def test_restart_now_does_not_drain(chain):
    chain.misbehave("exporter", deaf=True)
    chain.up()
    before = chain.pids()["exporter.0"]
    chain.millrace("restart", "exporter", "--now")
    assert chain.pids()["exporter.0"] != before


def test_scale_up_and_down_while_it_runs(chain):
    chain.up()
    chain.millrace("scale", "processor=4", "metrics=+1")
    names = set(chain.states())
    assert {"processor.3", "metrics.1"} <= names
    said = chain.millrace("scale", "processor=-3").stdout
    assert said.index("processor.3 drains") < said.index("processor.2 drains")
    assert said.index("processor.2 stopped") < said.index("processor.1 drains")
    assert "processor.0 drains" not in said
    assert {name for name in chain.states() if name.startswith("processor")} == {"processor.0"}


@pytest.mark.parametrize("words, message", [
    (("scale", "procesor=2"), "nearest: processor"),
    (("scale", "processor=0"), "1 .. 63"),
    (("scale", "processor=-2"), "1 .. 63"),
    (("scale", "processor"), "STAGE=N"),
    (("scale", "monitor=2"), "one monitor"),
    (("restart", "exporter.7"), "slots count from 0"),
    (("restart", "exportr"), "nearest: exporter"),
    (("restart",), "usage"),
    (("statsu",), "nearest: status"),
    (("up", "--detatch"), "nearest: --detach"),
    (("down", "--json"), "no --json here"),
    (("down", "--timeout", "soon"), "--timeout"),
])
def test_what_cannot_be_is_refused_with_64(chain, words, message):
    chain.up()
    before = chain.pids()
    assert message in chain.millrace(*words, code=64).stderr
    assert chain.pids() == before


def test_a_killed_worker_comes_back(chain):
    chain.up()
    for name in ("processor.1", "ingest.0", "monitor"):
        pid = chain.pids()[name]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda n=name, p=pid: chain.pids().get(n, p) != p, f"{name} is back")
        chain.wait_state(name, "running")
    status = chain.status()
    assert {name: row["restarts"] for name, row in status.items() if row["restarts"]} == {
        "processor.1": 1, "ingest.0": 1, "monitor": 1}


def test_requests_for_different_stages_run_side_by_side(chain):
    chain.misbehave("exporter", deaf=True)
    chain.up()
    slow = chain.start("restart", "exporter")  # waits for stop_timeout
    wait_for(lambda: chain.states().get("exporter.0") == "draining", "the restart has begun")
    chain.millrace("restart", "processor")
    assert slow.poll() is None
    assert slow.wait(timeout=60) == 0


def test_reopen_reaches_all_workers(chain):
    chain.up()
    chain.millrace("reopen")
    path = os.path.join(chain.folder, "reopened.log")

    def told():
        if not os.path.exists(path):
            return False
        with open(path, encoding="utf-8") as source:
            return len(source.read().split()) == 5
    wait_for(told, "five workers reopened their files")


def test_without_a_launcher_status_reads_the_lock_files(chain):
    assert "nothing runs" in chain.millrace("status").stdout
    chain.start_worker("processor", 0)
    wait_for(lambda: chain.states() == {"processor.0": "running"}, "the worker is shown")
    said = chain.millrace("status").stdout
    assert "no launcher" in said and "no monitor" in said
    assert "no launcher runs here" in chain.millrace("restart", "processor", code=75).stderr


def test_in_the_foreground_a_signal_drains(chain):
    up = chain.start("up")
    wait_for(lambda: set(chain.states().values()) == {"running"} and set(chain.states()) == ALL,
             "the chain is up")
    up.send_signal(signal.SIGINT)
    said = up.communicate(timeout=60)[0]
    assert up.returncode == 0, said
    assert "ingest.0 stopped" in said and "the chain is down" in said
    assert chain.leftovers() == []


def test_in_the_foreground_only_a_ctrl_c_cuts_the_drain_off():
    """A terminal that closes sends SIGHUP, its shell once more, a system that goes down SIGTERM."""
    with Chain(stop_timeout="10m") as chain:
        chain.misbehave("processor.0", deaf=True)
        up = chain.start("up")
        wait_for(lambda: set(chain.states().values()) == {"running"} and set(chain.states()) == ALL,
                 "the chain is up")
        deaf = chain.pids()["processor.0"]
        for each in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM, signal.SIGTERM):
            up.send_signal(each)
            wait_for(lambda: "processor.1" not in chain.states(), "the other one has drained")
            chain.wait_state("processor.0", "draining")
        assert {chain.states()["processor.0"] for _ in range(20)} == {"draining"}
        assert up.poll() is None and is_alive(deaf)
        up.send_signal(signal.SIGINT)
        said = up.communicate(timeout=60)[0]
        assert "the chain is down" in said and not is_alive(deaf)
        assert chain.leftovers() == []


def test_a_request_has_a_deadline(chain):
    chain.misbehave("exporter", deaf=True)
    chain.up()
    began = time.monotonic()
    assert "time was up" in chain.millrace("restart", "exporter", "--timeout", "0.3",
                                           code=99).stderr
    assert time.monotonic() - began < 60
