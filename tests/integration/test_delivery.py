"""kill -9 of any process under load, and planned restarts and scaling: every acknowledged record is
in the sink exactly once, by the producer's own ledger and the sink's bytes."""
import json
import signal

import pytest
from harness import is_alive, wait_for


@pytest.fixture(name="make")
def make_chain(chains):
    return chains


@pytest.mark.parametrize("name", ["processor.0", "metrics.0", "ingest.0", "exporter.0",
                                  "monitor", "launcher"])
def test_kill_nine_under_load_loses_and_doubles_nothing(make, name):
    chain = make()
    with chain.producer(bad=97) as producer:
        for _ in range(3):
            chain.more(producer)
            chain.kill_and_wait(name)
        chain.more(producer)
        producer.finish()
        chain.wait_out(producer)


def test_kill_nine_of_several_workers_of_a_stage(make):
    chain = make(workers={"processor": 2, "metrics": 2, "exporter": 2})
    with chain.producer() as producer:
        for names in (["processor.0", "processor.1"], ["metrics.1", "processor.0"],
                      ["exporter.0", "exporter.1"], ["exporter.1", "ingest.0", "metrics.0"]):
            chain.more(producer)
            for name in names:
                wait_for(lambda name=name: chain.kill(name), f"{name} is there to be killed")
        chain.more(producer, 1000)
        producer.finish()
        chain.wait_out(producer)


def test_kill_nine_of_all_at_once(make):
    chain = make()
    with chain.producer() as producer:
        for _ in range(2):
            chain.more(producer, 1000)
            pids = chain.pids()
            for name in ("launcher", *(name for name in pids if name != "launcher")):
                assert chain.kill(name)
            wait_for(lambda pids=pids: not any(map(is_alive, pids.values())), "all are dead")
            chain.up()
        chain.more(producer, 1000)
        producer.finish()
        chain.wait_out(producer)


def test_planned_operations_replay_and_double_nothing(make):
    chain = make()
    bus = chain.listen()
    first = chain.counters(bus, "ingest.0")
    assert first["journal"]["replayed"] == 0
    with chain.producer() as producer:
        for words in (["scale", "processor=3"], ["restart", "processor"], ["scale", "processor=1"],
                      ["scale", "metrics=2"], ["restart", "metrics"], ["scale", "metrics=1"],
                      ["scale", "exporter=2"], ["restart", "exporter"], ["scale", "exporter=1"],
                      ["restart", "monitor"]):
            chain.more(producer, 200)
            chain.millrace(*words)
        chain.more(producer, 200)
        last = chain.counters(bus, "ingest.0")
        assert last["incarnation"] == first["incarnation"]
        assert last["journal"]["replayed"] == 0
        chain.millrace("restart", "ingest")  # what it had in flight is settled before it goes
        chain.more(producer, 200)
        last = chain.counters(
            bus, "ingest.0", lambda c: c["incarnation"] != first["incarnation"])
        assert last["journal"]["replayed"] == 0
        producer.finish()
        chain.wait_out(producer)


def test_an_ingest_worker_goes_when_all_of_its_window_is_settled(make):
    """Scaling down waits for what is in flight, and its records are not lost with it."""
    chain = make(workers={"ingest": 2})
    with chain.producer(slot=0, p=0) as staying, chain.producer(slot=1, p=1) as leaving:
        chain.more(staying)
        chain.more(leaving)
        leaving.end()
        chain.more(staying)
        leaving.finish()
        chain.millrace("scale", "ingest=1")
        assert "ingest.1" not in chain.pids()
        chain.more(staying)
        staying.finish()
        chain.wait_out(staying, leaving)


def test_sigterm_to_everybody_at_once_and_again_drains_and_replays_nothing(make):
    """As a system that goes down does it, whose launcher says the same once more to each."""
    chain = make(workers={"processor": 2})
    with chain.producer() as producer:
        for _ in range(3):
            chain.more(producer, 1000)
            pids = chain.pids()
            for _ in range(2):
                for name in pids:
                    chain.kill(name, signal.SIGTERM)
            wait_for(lambda pids=pids: not any(is_alive(pid) for pid in pids.values()),
                     "all have ended")
            chain.up()
        chain.more(producer)
        producer.finish()
        wait_for(lambda: json.loads(chain.millrace("audit", "--json", code=None).stdout)
                 ["in_flight"] == 0, "all has come through")
        audit = json.loads(chain.millrace("audit", "--json").stdout)
        assert (audit["replayed"], audit["duplicates_refused"]) == (0, 0), chain.complaints()
        chain.wait_out(producer)


def test_planned_operations_on_two_ingest_workers_replay_and_double_nothing(make):
    """Each with a journal of its own; a producer waits while its slot is gone, and goes on."""
    chain = make(workers={"ingest": 2, "processor": 2, "exporter": 2})
    with chain.producer(slot=0, p=0) as staying, chain.producer(slot=1, p=1) as coming:
        for words in (["restart", "ingest"], ["scale", "processor=3", "exporter=3"],
                      ["scale", "ingest=1"], ["restart", "processor", "exporter"],
                      ["scale", "ingest=2"], ["restart", "ingest.1"], ["scale", "metrics=2"],
                      ["scale", "processor=1", "exporter=1", "metrics=1"], ["restart", "monitor"]):
            chain.more(staying, 400)
            chain.millrace(*words)
        chain.more(staying)
        chain.more(coming)
        staying.finish()
        coming.finish()
        audit = json.loads(chain.millrace("audit", "--json").stdout)
        assert [row["worker"] for row in audit["journals"]] == ["ingest.0", "ingest.1"]
        assert audit["replayed"] == 0 and audit["duplicates_refused"] == 0, audit
        chain.wait_out(staying, coming)


def test_with_one_worker_in_every_stage_a_producers_order_is_kept(make):
    chain = make()
    with chain.producer(limit=5000) as producer:
        producer.finish()
        chain.wait_out(producer)
    with open(chain.out, "rb") as source:
        assert [json.loads(line)["n"] for line in source] == list(range(1, producer.made + 1))


def test_audit_and_status_say_the_same_of_what_is_in_flight(make):
    """A worker that holds its batches keeps the watermark, and with it the audit, behind what the
    other one has settled since."""
    chain = make(workers={"processor": 2}, extra="[launcher]\nhang_timeout = 10m\n")
    said = {}

    def agree():
        audit = json.loads(chain.millrace("audit", "--json").stdout)
        status = json.loads(chain.millrace("status", "--json").stdout)
        said.update(audit=audit, status=status["in_flight"])
        return 0 < audit["ahead"] == audit["in_flight"] - (status["in_flight"] or 0)

    with chain.producer(rate=3000) as producer:
        chain.more(producer)
        assert chain.kill("processor.0", signal.SIGSTOP)
        chain.more(producer)
        producer.finish()
        wait_for(agree, lambda: str(said))
        ahead = said["audit"]["ahead"]
        assert (f"of those in flight, {ahead:,} are settled, behind a batch"
                in chain.millrace("audit").stdout)
        assert chain.kill("processor.0", signal.SIGCONT)
        chain.wait_out(producer)
    assert json.loads(chain.millrace("audit", "--json").stdout)["ahead"] == 0
