"""Scaling down: a worker that keeps a journal or a spool goes when that is finished, however long
it takes and whatever dies meanwhile; the operator hears what it waits for."""
import functools
import json
import os

import pytest
from deliverylib import SECOND, lines_in, obstruct
from harness import is_alive, tail, wait_for

RATE = 3000  # records/s: how many there are is not what is tried


@pytest.fixture(name="make")
def make_chain(chains):
    return functools.partial(chains, extra=SECOND)


class Broken:
    """The second sink cannot be written: a file stands where its directory was."""

    def __init__(self, chain, *exporters):
        """While records come; returns once these exporters have found out."""
        self.folder = os.path.join(chain.folder, "second")
        obstruct(self.folder)
        for name in exporters:
            log = os.path.join(chain.data_dir, "log", f"{name}.log")
            wait_for(lambda log=log: "trying again until it works" in tail(log, 1000),
                     lambda: chain.complaints())

    def mend(self):
        os.remove(self.folder)

    def lines(self):
        return lines_in([f"{folder}/{name}" for folder in (self.folder, self.folder + ".aside")
                         for name in ("out.jsonl", "out.1.jsonl")])


@pytest.fixture(name="waiting")
def rows_that_wait(make):
    """(chain, producer, broken): two exporters, and rows that are not in the second sink."""
    chain = make(workers={"exporter": 2})
    with chain.producer(rate=RATE) as producer:
        chain.more(producer)
        broken = Broken(chain, "exporter.0", "exporter.1")
        chain.more(producer, 500)
        yield chain, producer, broken


def in_flight(chain, worker):
    journals = json.loads(chain.millrace("audit", "--json").stdout)["journals"]
    return next(row["in_flight"] for row in journals if row["worker"] == worker)


def assert_all_is_there(chain, broken, *producers):
    good = sum(producer.expected()[0] for producer in producers)
    wait_for(lambda: broken.lines() == good,
             lambda: f"{broken.lines()} of {good}\n{chain.complaints()}")
    chain.wait_out(*producers)
    assert broken.lines() == good


def kill_both(chain):
    for name in ("launcher", "exporter.1"):
        victim = chain.pids()[name]
        assert chain.kill(name)
        wait_for(lambda victim=victim: not is_alive(victim), f"{name} is dead")


def start_to_leave(chain):
    """The command that waits for exporter.1 to leave."""
    scaling = chain.start("scale", "exporter=1")
    wait_for(lambda: chain.states().get("exporter.1") == "draining", "it leaves")
    return scaling


def scale_down(chain, what, *waits):
    """It does not end in time, and says why."""
    done = chain.millrace("scale", what, "--timeout", "4", code=99)
    assert all(text in done.stdout for text in waits), done.stdout
    assert "not yet true when the time was up" in done.stderr


def test_an_exporter_goes_when_its_sinks_have_everything(waiting):
    """A sink that fails for good holds it, killed or not, until it is mended."""
    chain, producer, broken = waiting
    scale_down(chain, "exporter=1", "exporter.1 drains", "exporter.1 waits: ",
               " rows are not in sink second; it said: sink second: ")
    chain.more(producer)  # the flow goes on by the other one
    before = chain.pids()["exporter.1"]
    assert chain.states()["exporter.1"] == "draining"
    assert chain.kill("exporter.1")
    wait_for(lambda: chain.pids().get("exporter.1") not in (None, before),
             "it is started again to finish")
    wait_for(lambda: chain.states().get("exporter.1") == "draining", "and leaves again")
    chain.millrace("restart", "exporter.0")  # not kept waiting
    broken.mend()
    wait_for(lambda: "exporter.1" not in chain.states(), lambda: chain.complaints())
    chain.more(producer)
    producer.finish()
    assert_all_is_there(chain, broken, producer)


def test_who_leaves_may_be_called_back(waiting):
    chain, producer, broken = waiting
    scaling = start_to_leave(chain)
    chain.millrace("scale", "exporter=2")
    assert scaling.wait(timeout=60) == 75
    assert "given up: exporter was scaled to 2 meanwhile" in scaling.communicate()[0]
    assert chain.states()["exporter.1"] == "running"
    broken.mend()
    chain.more(producer)
    producer.finish()
    assert_all_is_there(chain, broken, producer)


def test_an_exporter_that_is_dead_is_started_to_finish(waiting):
    chain, producer, broken = waiting
    kill_both(chain)
    chain.up()
    scale_down(chain, "exporter=1", "exporter.1 waits: ")
    broken.mend()
    wait_for(lambda: "exporter.1" not in chain.states(), lambda: chain.complaints())
    producer.finish()
    assert_all_is_there(chain, broken, producer)


def test_the_next_launcher_has_finished_what_both_left_that_died(waiting):
    chain, producer, broken = waiting
    scaling = start_to_leave(chain)
    kill_both(chain)
    assert scaling.wait(timeout=60) != 0
    chain.up()
    wait_for(lambda: chain.states().get("exporter.1") == "draining", "it is back to finish")
    broken.mend()
    wait_for(lambda: "exporter.1" not in chain.states(), lambda: chain.complaints())
    chain.more(producer)
    producer.finish()
    assert_all_is_there(chain, broken, producer)


def test_an_ingest_worker_goes_when_its_journal_is_done(make):
    """The spool is full, so that nothing gets through: it waits, dies, is started again, waits."""
    chain = make(workers={"ingest": 2}, exporter="spool_segment = 64KiB\nspool_limit = 1MiB\n",
                 stop_timeout="2s")
    with chain.producer(slot=0, p=0, pad=3000) as staying, \
            chain.producer(slot=1, p=1, pad=3000) as leaving:
        chain.more(staying, 50)
        chain.more(leaving, 50)
        broken = Broken(chain, "exporter.0")
        wait_for(lambda: "spool full for sink second" in chain.complaints(),
                 lambda: chain.complaints())
        wait_for(lambda: in_flight(chain, "ingest.1") > 0, "some of its records are on their way")
        leaving.end()
        scale_down(chain, "ingest=1", "ingest.1 drains", "ingest.1 waits: ",
                   " records of its journal are on their way")
        before = chain.pids()["ingest.1"]  # beyond stop_timeout, and not killed
        assert chain.kill("ingest.1")
        wait_for(lambda: chain.pids().get("ingest.1") not in (None, before),
                 "it is started again to finish")
        scale_down(chain, "ingest=1", "ingest.1 waits: ")
        broken.mend()
        wait_for(lambda: "ingest.1" not in chain.states(), lambda: chain.complaints())
        assert in_flight(chain, "ingest.1") == 0
        chain.millrace("scale", "ingest=2")  # for what it had not taken yet
        leaving.finish()
        staying.finish()
        assert_all_is_there(chain, broken, staying, leaving)


def test_down_does_not_wait_for_who_waits(waiting):
    """It ends as a stop does, and what is left is delivered after the next start."""
    chain, producer, broken = waiting
    scaling = start_to_leave(chain)
    producer.finish()
    chain.millrace("down")
    assert scaling.wait(timeout=60) == 75
    assert chain.leftovers() == []
    broken.mend()
    chain.up()
    assert_all_is_there(chain, broken, producer)
