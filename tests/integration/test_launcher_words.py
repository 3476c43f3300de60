"""What the commands say: reasons reach the person who asked, and nothing is said that is not so."""
import os
import signal
import socket

import pytest
from launcherlib import Chain, is_alive, wait_for


@pytest.fixture(name="chain")
def make_chain():
    with Chain() as chain:
        yield chain


def test_the_reason_reaches_an_up_that_looks_late(chain):
    """The launcher has told it, and ended, before `up` reads the answer, or even asks."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", chain.port))
        taken.listen()
        up = chain.start("up", "--detach")
        wait_for(lambda: "launcher" in chain.pids() or up.poll() is not None, "the launcher runs")
        up.send_signal(signal.SIGSTOP)
        launcher = chain.pids().get("launcher")
        wait_for(lambda: not launcher or not is_alive(launcher), "the launcher is gone")
        up.send_signal(signal.SIGCONT)
        said = up.communicate()[0]
    assert up.returncode not in (0, 75)
    assert "monitor does not start" in said and str(chain.port) in said


@pytest.mark.parametrize("words", [("ingest=2",), ("processor=3", "ingest=+1")])
def test_a_second_ingest_at_the_same_address_is_refused_before_anything_starts(words):
    with Chain(ingest="pull = ipc://run/in\n") as chain:
        chain.up()
        before = chain.pids()
        said = chain.millrace("scale", *words, code=78).stderr
        assert "[ingest] pull: with workers above 1 each needs an address of its own" in said
        assert chain.pids() == before
        chain.millrace("scale", "ingest=1")


def test_a_routine_line_of_the_log_is_not_the_cause_of_a_death():
    with Chain(real=True) as chain:
        chain.up()
        pid = chain.pids()["processor.0"]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: chain.pids().get("processor.0") not in (None, pid), "it is back")
        with open(os.path.join(chain.folder, "data/log/launcher.log"), encoding="utf-8") as log:
            died = [line for line in log if "processor.0 died" in line]
        assert len(died) == 1
        assert died[0].endswith("processor.0 died: killed by SIGKILL; it starts again\n")
