"""Whether a launcher runs is asked of the launcher: a lock may be held by one that is dying."""
import os
import signal
import subprocess

import pytest
from launcherlib import Chain, SUPPORT, is_alive, wait_for


@pytest.fixture(name="chain")
def make_chain():
    with Chain(stop_timeout="3s") as chain:
        yield chain


def dying_launcher(chain):
    """Holds the launcher's lock and dies once it is asked, without an answer."""
    os.makedirs(chain.run_dir, mode=0o700, exist_ok=True)
    process = subprocess.Popen(
        ["/usr/bin/python3", os.path.join(SUPPORT, "dying_launcher.py"), chain.run_dir],
        stdout=subprocess.PIPE, text=True)
    chain.processes.append(process)
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("words", [("up", "--detach"), ("up",)])
def test_up_does_not_take_a_dying_launcher_for_a_running_one(chain, words):
    dying = dying_launcher(chain)
    up = chain.start(*words)
    assert dying.wait(timeout=60) == 9, "it was asked"
    wait_for(lambda: chain.states().get("ingest.0") == "running", "the chain is up")
    if "--detach" in words:
        said = up.communicate(timeout=60)[0]
        assert up.returncode == 0 and "already" not in said
    assert chain.pids()["launcher"] not in (dying.pid, None)


def test_down_does_not_take_a_dying_launcher_for_a_running_one(chain):
    worker = chain.start_worker("processor", 0)
    wait_for(lambda: "processor.0" in chain.pids(), "it runs")
    dying_launcher(chain)
    chain.millrace("down")
    assert worker.wait(timeout=60) == 0
    assert chain.leftovers() == []


def test_up_right_after_the_launcher_was_killed_makes_a_new_one(chain):
    chain.up()
    before = chain.pids()
    for _ in range(4):
        pid = chain.pids()["launcher"]
        os.kill(pid, signal.SIGKILL)
        said = chain.up().stdout  # at once: it may be dying still
        assert "already" not in said and "adopted" in said
        assert chain.pids()["launcher"] != pid
    after = chain.pids()
    assert after.pop("launcher") != before.pop("launcher")
    assert after == before


def test_up_while_the_chain_goes_down_starts_it_again_after_that(chain):
    chain.misbehave("exporter", deaf=True)
    chain.up()
    launcher = chain.pids()["launcher"]
    down = chain.start("down")
    wait_for(lambda: "draining" in chain.states().values(), "it goes down")
    chain.misbehave("exporter")
    assert "going down; it starts again" in chain.up().stdout
    assert down.wait(timeout=60) == 0
    assert set(chain.states().values()) == {"running"}
    assert chain.pids()["launcher"] != launcher and not is_alive(launcher)


def test_an_up_that_comes_second_returns_when_the_chain_is_up_too(chain):
    first = chain.start("up", "--detach")
    wait_for(lambda: "launcher" in chain.pids(), "the launcher runs")
    assert "already" in chain.up().stdout
    assert chain.states()["ingest.0"] == "running"
    assert first.wait(timeout=60) == 0


def test_a_launcher_that_hangs_is_named_with_what_to_do(chain):
    chain.up()
    pid = chain.pids()["launcher"]
    os.kill(pid, signal.SIGSTOP)
    for words in (("up", "--detach"), ("down",)):
        said = chain.millrace(*words, "--timeout", "0.2", code=99).stderr
        assert f"`kill -9 {pid}` leaves the workers running" in said
    said = chain.millrace("status").stdout
    assert f"the launcher, pid {pid}, does not answer" in said and "no launcher" not in said
    os.kill(pid, signal.SIGCONT)
