"""Deaths, brakes, adoption, and everything that can be in the way."""
import json
import os
import signal
import socket
import subprocess
import time

import pytest
from launcherlib import Chain, is_alive, wait_for


@pytest.fixture(name="chain")
def make_chain():
    with Chain() as chain:
        yield chain


def kill_launcher(chain):
    pid = chain.pids()["launcher"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(pid), "the launcher is dead")
    return pid


def test_workers_outlive_the_launcher_and_the_next_one_adopts_them(chain):
    chain.up()
    before = chain.pids()
    kill_launcher(chain)
    assert all(is_alive(pid) for name, pid in before.items() if name != "launcher")
    assert "adopted" in chain.up().stdout
    after = chain.pids()
    assert after.pop("launcher") != before.pop("launcher")
    assert after == before
    assert set(chain.states().values()) == {"running"}
    # Adopted workers are watched and restarted as others are ...
    os.kill(after["metrics.0"], signal.SIGKILL)
    wait_for(lambda: chain.pids().get("metrics.0") not in (None, after["metrics.0"]), "restarted")
    # ... and go down with the rest.
    chain.millrace("down")
    assert not [pid for pid in after.values() if is_alive(pid)]
    assert chain.leftovers() == []


def test_up_that_adopts_ends_though_a_worker_cannot_start(chain):
    chain.up()
    kill_launcher(chain)
    dead = chain.pids()["metrics.0"]
    os.kill(dead, signal.SIGKILL)
    wait_for(lambda: not is_alive(dead), "a worker died without a launcher")
    chain.misbehave("metrics", exit=78, say="no such metric")
    refused = chain.millrace("up", "--detach", code=78)
    assert "metrics.0 does not start: exit code 78" in refused.stderr
    states = chain.states()  # whom it found it keeps, and goes on
    assert states.pop("metrics.0") == "given-up"
    assert set(states.values()) == {"running"}


def test_scale_survives_the_death_of_the_launcher(chain):
    chain.up()
    chain.millrace("scale", "processor=3")
    kill_launcher(chain)
    pid = chain.pids()["processor.2"]
    os.kill(pid, signal.SIGKILL)
    chain.up()
    chain.wait_state("processor.2", "running")
    chain.millrace("down")
    chain.up()
    assert "processor.2" not in chain.states()


def test_down_works_after_the_launcher_died(chain):
    chain.up()
    pids = chain.pids()
    kill_launcher(chain)
    chain.millrace("down")
    assert not [pid for pid in pids.values() if is_alive(pid)]
    assert chain.leftovers() == []


def test_down_with_nothing_running_sweeps_what_the_dead_left(chain):
    chain.up()
    chain.kill_all()
    assert "dead" in chain.states().values()
    assert "nothing runs" in chain.millrace("down").stdout
    assert not [name for name in chain.leftovers() if name.endswith(".lock")]


def test_status_misses_no_worker_that_the_configuration_does_not_have_any_more(chain):
    chain.up()
    chain.millrace("scale", "processor=3")
    chain.kill_all()
    assert chain.states()["processor.2"] == "dead"  # that is how it was scaled
    with open(chain.config, encoding="utf-8") as source:
        text = source.read()
    with open(chain.config, "w", encoding="utf-8") as out:
        out.write(text.replace("workers = 2", "workers = 1"))
    chain.up()
    assert "launcher.scale" not in os.listdir(chain.run_dir)
    assert not {"processor.1", "processor.2"} & set(chain.states())
    chain.kill_all()
    states = chain.states()
    assert states["processor.0"] == "dead"
    assert not {"processor.1", "processor.2"} & set(states)


def test_down_sweeps_a_lock_file_without_a_line(chain):
    """A worker that was killed in the moment of its start leaves one."""
    chain.up()
    empty = os.path.join(chain.run_dir, "processor.7.lock")
    with open(empty, "w", encoding="utf-8"):
        pass
    chain.millrace("down")
    assert chain.leftovers() == []
    with open(empty, "w", encoding="utf-8"):
        pass
    chain.millrace("down")
    assert chain.leftovers() == []


def test_a_stage_that_is_stopped_while_it_starts_leaves_no_lock_file():
    """At any moment of its start: it drains, or it has made no lock file yet."""
    with Chain(real=True) as chain:
        os.mkdir(chain.run_dir)
        for step in range(60):
            worker = chain.start_worker("processor", 1)
            time.sleep(step * 0.0005)  # a moment; whichever it is, the same must hold
            worker.terminate()
            worker.wait(timeout=60)
            assert chain.leftovers() == [], step


def test_a_crash_loop_is_given_up_and_restart_clears_it(chain):
    chain.misbehave("metrics", crash=True)
    said = chain.millrace("up", "--detach", code=1)
    assert "metrics.0 does not start: killed by SIGABRT" in said.stderr
    assert chain.leftovers() == []
    chain.misbehave("metrics")
    chain.up()
    chain.misbehave("metrics.0", crash=True)
    os.kill(chain.pids()["metrics.0"], signal.SIGKILL)
    chain.wait_state("metrics.0", "given-up")
    assert "killed by SIGABRT" in chain.status()["metrics.0"]["reason"]
    assert "killed by SIGABRT" in chain.millrace("status").stdout
    chain.misbehave("metrics.0")
    chain.millrace("restart", "metrics")
    assert chain.states()["metrics.0"] == "running"


def test_a_worker_that_worked_always_comes_back(chain):
    chain.up()
    for _ in range(7):
        pid = chain.pids()["processor.0"]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda p=pid: chain.pids().get("processor.0") not in (None, p), "restarted")
        chain.wait_state("processor.0", "running")
    assert chain.status()["processor.0"]["restarts"] == 7


@pytest.mark.parametrize("code", [64, 78])
def test_exit_64_and_78_are_never_restarted(chain, code):
    chain.misbehave("exporter", exit=code, say="no such thing as a sink of that kind")
    said = chain.millrace("up", "--detach", code=78 if code == 78 else 1).stderr
    assert f"exporter.0 does not start: exit code {code}: no such thing as a sink" in said
    with open(os.path.join(chain.folder, "data/log/launcher.log"), encoding="utf-8") as log:
        assert log.read().count("exporter.0 started") == 1
    assert chain.leftovers() == []


def test_a_fault_that_only_a_stage_sees_is_78_before_anything_starts(chain):
    chain.misbehave("processor", check="millrace.ini:9: [processor] drop: no")
    assert "[processor] drop: no" in chain.millrace("up", "--detach", code=78).stderr
    assert "[processor] drop: no" in chain.millrace("check", code=78).stderr
    assert chain.leftovers() == []


def test_bad_configuration_is_78(chain):
    with open(chain.config, "a", encoding="utf-8") as out:
        out.write("[processr]\n")
    for command in (("up",), ("check",), ("status",), ("down",)):
        assert "nearest" in chain.millrace(*command, code=78).stderr


def test_a_worker_that_ignores_sigterm_is_killed_and_reported():
    with Chain(stop_timeout="500ms") as chain:
        chain.misbehave("processor.0", deaf=True)
        chain.up()
        done = chain.millrace("down")
        assert "processor.0 had to be killed" in done.stderr
        assert chain.leftovers() == []


def test_a_stopped_worker_is_killed_and_reported():
    with Chain(stop_timeout="500ms") as chain:
        chain.up()
        pids = chain.pids()
        os.kill(pids["ingest.0"], signal.SIGSTOP)
        done = chain.millrace("down")
        assert "ingest.0 had to be killed" in done.stderr
        assert "exporter.0 had" not in done.stderr
        assert not [pid for pid in pids.values() if is_alive(pid)]


def test_a_worker_that_never_gets_ready_is_killed_and_given_up():
    with Chain(extra="[launcher]\nrestart_limit = 2\n") as chain:
        with open(chain.config, encoding="utf-8") as source:
            text = source.read().replace("start_timeout = 30s", "start_timeout = 300ms")
        chain.misbehave("exporter", never=True)
        with open(chain.config, "w", encoding="utf-8") as out:
            out.write(text)
        assert "killed, being late" in chain.millrace("up", "--detach", code=1).stderr
        assert chain.leftovers() == []


def test_a_hand_started_worker_in_a_wanted_slot_is_adopted(chain):
    worker = chain.start_worker("processor", 1)
    wait_for(lambda: "processor.1" in chain.pids(), "the worker runs")
    chain.up()
    assert chain.pids()["processor.1"] == worker.pid
    chain.millrace("restart", "processor.1")
    assert chain.pids()["processor.1"] != worker.pid


def test_a_hand_started_worker_beyond_the_wanted_ones_joins_and_goes_down_too(chain):
    chain.up()
    worker = chain.start_worker("processor", 5)
    chain.wait_state("processor.5", "running")
    wait_for(lambda: chain.status()["processor.5"]["restarts"] is not None, "the launcher saw it")
    assert chain.status()["processor.5"]["managed"] is False
    chain.millrace("down")
    assert worker.wait(timeout=30) == 0


def test_a_hand_started_worker_that_dies_is_not_brought_back(chain):
    chain.up()
    worker = chain.start_worker("processor", 5)
    wait_for(lambda: chain.status().get("processor.5", {}).get("restarts") is not None, "seen")
    worker.kill()
    worker.wait()
    wait_for(lambda: "processor.5" not in chain.states(), "nobody waits for it")
    chain.millrace("restart", "processor.1")  # time for the launcher to do something else
    assert "processor.5" not in chain.states()
    chain.millrace("down")
    assert chain.leftovers() == []


def test_two_workers_for_one_slot_the_second_exits_75(chain):
    chain.up()
    second = chain.start_worker("processor", 0)
    assert second.wait(timeout=30) == 75


def test_a_second_launcher_exits_75(chain):
    chain.up()
    done = subprocess.run([os.path.join(chain.bin, "millrace-launcher"), "-c", chain.config],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 75
    assert f"pid {chain.pids()['launcher']}" in done.stderr


def test_the_monitors_port_is_taken(chain):
    with open(chain.config, "a", encoding="utf-8") as out:
        out.write("[launcher]\nrestart_limit = 2\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", chain.port))
        taken.listen()
        done = chain.millrace("up", "--detach", code=75)
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1, done
    assert "millrace up: monitor does not start" in done.stderr and str(chain.port) in done.stderr
    assert chain.leftovers() == []
    chain.up()


def test_a_directory_that_cannot_be_written(chain):
    with open(os.path.join(chain.folder, "data"), "w", encoding="utf-8"):
        pass  # a file where a directory has to be: root cannot write there either
    said = chain.millrace("up", "--detach", code=78).stderr
    assert os.path.join(chain.folder, "data") in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_as_an_ordinary_user():
    with Chain(user="nobody") as chain:
        chain.up()
        assert set(chain.states().values()) == {"running"}
        chain.millrace("restart", "processor")
        chain.millrace("down")
        assert chain.leftovers() == []


def test_status_json_is_one_object(chain):
    chain.up()
    whole = json.loads(chain.millrace("status", "--json").stdout)
    assert whole["launcher"] is True and whole["monitor"] is True
    assert {"name", "stage", "slot", "pid", "state", "uptime_s", "restarts", "records_per_second",
            "errors", "blocked_percent", "managed", "reason", "waiting",
            "failing"} == set(whole["workers"][0])
