"""Directories that somebody removes or moves away under a chain that runs: it notices, says so, and
promises nothing more."""
import contextlib
import json
import os
import shutil
import signal

import pytest
import zmq
from deliverylib import outputs, tally, wait_said, wait_well
from harness import is_alive, wait_for


@pytest.fixture(name="make")
def make_chain(chains):
    return chains


def gone(chain, log):
    return f"{os.path.join(chain.data_dir, log)} is gone or replaced"


def assert_refused(chain, producer):
    """From here on nobody hears `ok`: some hear `busy`, some, whose records wait, nothing."""
    before = producer.acknowledged
    with contextlib.closing(chain.context.socket(zmq.REQ)) as other:
        other.linger = 0
        other.connect(producer.endpoint)
        for _ in range(20):
            other.send_multipart([b"other/1", b'{"other":1}'])
            assert other.poll(30000) and other.recv_multipart() == [b"other/1", b"busy"]
    assert producer.acknowledged == before


@pytest.mark.parametrize("durability", ["disk", "fsync"])
def test_a_journal_that_is_moved_away_and_back_loses_nothing(make, durability):
    chain = make(ingest=f"durability = {durability}\n")
    journal = os.path.join(chain.data_dir, "ingest.0.journal")
    with chain.producer() as producer:
        chain.more(producer)
        pids = chain.pids()
        os.rename(journal, journal + ".aside")
        wait_said(chain, "ingest.0: journal gone, producers wait: "
                  f"{gone(chain, 'ingest.0.journal')}")
        assert_refused(chain, producer)
        os.rename(journal + ".aside", journal)
        chain.more(producer, 1000)
        wait_well(chain)
        assert chain.pids() == pids
        producer.finish()
        chain.wait_out(producer)


@pytest.mark.parametrize("durability", ["disk", "fsync"])
def test_a_spool_that_is_moved_away_and_back_loses_nothing(make, durability):
    chain = make(ingest=f"durability = {durability}\n")
    spool = os.path.join(chain.data_dir, "exporter.0.spool")
    with chain.producer(rate=5000) as producer:
        chain.more(producer)
        os.rename(spool, spool + ".aside")
        wait_said(chain, f"exporter.0: {gone(chain, 'exporter.0.spool')}")
        os.rename(spool + ".aside", spool)
        chain.more(producer, 1000)
        wait_well(chain)
        producer.finish()
        chain.wait_out(producer)


def test_nobody_hears_ok_once_a_removed_journal_was_noticed(make):
    chain = make(stop_timeout="2s")
    with chain.producer(rate=2000) as producer:
        chain.more(producer)
        shutil.rmtree(os.path.join(chain.data_dir, "ingest.0.journal"))
        wait_said(chain, "ingest.0: journal gone, producers wait: "
                  f"{gone(chain, 'ingest.0.journal')}")
        assert_refused(chain, producer)
        chain.millrace("down", code=None)
        wait_for(lambda: not chain.pids(), chain.complaints)
        found = tally([producer], outputs(chain.out))
        assert (found.doubled(), found.strangers) == ([], [])


def test_nobody_hears_ok_once_a_removed_data_directory_was_noticed(make):
    chain = make(stop_timeout="2s")
    with chain.producer(rate=2000) as producer:
        chain.more(producer)
        shutil.rmtree(chain.data_dir)
        for text in (f"ingest.0: journal gone, producers wait: {gone(chain, 'ingest.0.journal')}",
                     f"exporter.0: {gone(chain, 'exporter.0.spool')}"):
            wait_for(lambda text=text: text in chain.millrace("status").stdout,
                     lambda: chain.millrace("status").stdout)
        assert_refused(chain, producer)
        chain.millrace("down", code=None)
        wait_for(lambda: not chain.pids(), "all have ended")


def test_the_audit_does_not_call_it_balanced_when_one_of_two_journals_is_gone(make):
    chain = make(workers={"ingest": 2})
    with chain.producer(0) as first, chain.producer(1, p=1) as second:
        for producer in (first, second):
            chain.more(producer)
            producer.finish()
        chain.wait_out(first, second)
    shutil.rmtree(os.path.join(chain.data_dir, "ingest.1.journal"))
    text = "ingest.1 has a window and no journal: put "
    audit = json.loads(chain.millrace("audit", "--json", code=1).stdout)
    assert audit["journals_missing"] == ["ingest.1"] and not audit["balanced"]
    assert text in chain.millrace("audit", code=1).stdout
    assert text in chain.millrace("audit", "--deep", code=1).stdout


def test_the_audit_misses_what_was_acknowledged_and_cut_off_the_journal(make):
    """The window knows what is under way, until the machine starts again."""
    chain = make()
    with chain.producer() as producer:
        chain.more(producer)
        assert chain.kill("exporter.0", signal.SIGSTOP)
        wait_for(lambda: json.loads(chain.millrace("audit", "--json").stdout)["in_flight"] >= 100,
                 "some are under way")
        chain.kill_all()
        producer.fault = "given up"
    frames = [row for line in chain.millrace("log", "ls", "ingest.0.journal", "--json")
              .stdout.splitlines() if "batch" in (row := json.loads(line))]
    chain.millrace("log", "cut", "ingest.0.journal", str(frames[-1]["position"]), "--yes")
    audit = json.loads(chain.millrace("audit", "--json", code=1).stdout)
    assert audit["journals"][0]["unknown_through"] == frames[-1]["batch"]
    said = chain.millrace("audit", code=1).stdout
    last = frames[-1]["batch"]
    assert f"ingest.0: batches up to {last} are under way, and its journal ends" in said
    fault, = json.loads(chain.millrace("audit", "--deep", "--json", code=1).stdout)["faults"]
    assert fault["what"].startswith(f"the journal ends here, with batch {frames[-2]['batch']};")
    assert fault["file"].startswith("ingest.0.journal/")


def test_the_audit_does_not_call_it_balanced_when_no_journal_is_left(make):
    chain = make()
    with chain.producer() as producer:
        chain.more(producer)
        producer.finish()
        chain.wait_out(producer)
    journal = os.path.join(chain.data_dir, "ingest.0.journal")
    os.rename(journal, journal + ".aside")
    assert "no journal is there" in chain.millrace("audit", code=1).stdout
    assert "no journal is there" in chain.millrace("audit", "--deep", code=1).stdout
    os.rename(journal + ".aside", journal)
    assert "balanced" in chain.millrace("audit").stdout
    assert "balanced" in chain.millrace("audit", "--deep").stdout


def two_journals(make, **options):
    """Two ingest workers that have delivered all they got; the journal of the second."""
    chain = make(workers={"ingest": 2}, **options)
    with chain.producer(slot=0, p=0) as staying, chain.producer(slot=1, p=1) as leaving:
        for producer in (staying, leaving):
            chain.more(producer)
            producer.finish()
        chain.wait_out(staying, leaving)
    journals = json.loads(chain.millrace("audit", "--json").stdout)["journals"]
    return chain, os.path.join(chain.data_dir, "ingest.1.journal"), journals[1]


def absent_in(chain, code):
    """What the audit says of journals that are gone; the deep one says the same."""
    quick, deep = (json.loads(chain.millrace("audit", "--json", *words, code=code).stdout)
                   for words in ((), ("--deep",)))
    assert quick["balanced"] == deep["balanced"] == (code == 0), (quick, deep)
    assert quick["absent_journals"] == deep["absent_journals"]
    return quick["absent_journals"]


def test_one_of_several_journals_that_was_removed_is_named_by_the_audit(make):
    """Its window says whether all of it was settled; without that nobody knows."""
    chain, journal, of_it = two_journals(make)
    assert absent_in(chain, 0) == []
    os.rename(journal, journal + ".aside")
    says = {"journal": of_it["journal"], "worker": "ingest.1", "exported": of_it["exported"],
            "filtered": 0, "dead": 0, "unsettled": 0, "balanced": True}
    line = (f"journal {of_it['journal']} of ingest.1 is gone; spools hold {of_it['received']:,} "
            "records of it; ")
    assert absent_in(chain, 1) == [says]
    for words in ((), ("--deep",)):
        said = chain.millrace("audit", *words, code=1).stdout
        assert f"{line}all of it was settled\n" in said, said
    os.remove(os.path.join(chain.data_dir, "ingest.1.window"))
    assert absent_in(chain, 1) == [{**says, "worker": None, "unsettled": None, "balanced": False}]
    line = line.replace(" of ingest.1", "")
    for words in ((), ("--deep",)):
        assert f"{line}nobody knows whether that was all: put the journal back" in chain.millrace(
            "audit", *words, code=1).stdout
    os.rename(journal + ".aside", journal)
    assert absent_in(chain, 0) == []


def test_a_journal_with_another_in_its_place_is_named_by_the_audit(make):
    """The window of the old one is kept, and says so even when both have been in use since."""
    chain, journal, of_it = two_journals(make)
    os.rename(journal, journal + ".aside")
    chain.up()
    with chain.producer(slot=1, p=2) as other:
        chain.more(other)
        other.finish()
        wait_for(lambda: json.loads(chain.millrace("audit", "--json").stdout)["in_flight"] == 0,
                 chain.complaints)
    chain.millrace("down")
    (says,) = absent_in(chain, 0)
    assert (says["journal"], says["worker"], says["unsettled"]) == (of_it["journal"], "ingest.1", 0)
    os.rename(journal, journal + ".new")
    os.rename(journal + ".aside", journal)
    chain.up()
    chain.millrace("down")
    (says,) = absent_in(chain, 0)
    assert says["journal"] != of_it["journal"] and says["exported"] == other.made


@pytest.mark.parametrize("point", [None, "window.keep.named", "window.install.named"])
def test_what_was_in_flight_in_a_replaced_journal_makes_the_audit_unbalanced(make, point, tmp_path):
    """Also when ingest dies while it makes the window of the new one. Once the old one is back, and
    what it held is delivered, all is well."""
    armed = tmp_path / "armed"
    chain = make({"MILLRACE_CRASH_FILE": str(armed)}, workers={"ingest": 2})
    journal = os.path.join(chain.data_dir, "ingest.1.journal")
    staying, leaving = chain.producer(p=0), chain.producer(slot=1, p=1, size=50)
    leaving.allowed = 300
    with staying, leaving:
        chain.more(staying)
        staying.finish()
        wait_for(lambda: leaving.acknowledged == 300, chain.complaints)
        wait_for(lambda: json.loads(chain.millrace("audit", "--json").stdout)["in_flight"] == 0,
                 chain.complaints)
        pids = chain.pids()
        assert chain.kill("processor.0", signal.SIGSTOP)
        leaving.limit, leaving.allowed = 900, None  # a batch a request
        leaving.finish()
        for name in sorted(pids, key=lambda name: name != "launcher"):
            assert chain.kill(name)
        wait_for(lambda: not any(is_alive(pid) for pid in pids.values()), "all are dead")
        os.rename(journal, journal + ".aside")
        if point:
            armed.write_text(point)
        chain.up({"MILLRACE_CRASH_FILE": str(armed)})
        wait_for(lambda: not armed.exists() or not point, chain.complaints)
        chain.millrace("down")
        (says,) = absent_in(chain, 1)
        assert (says["worker"], says["unsettled"], says["balanced"]) == ("ingest.1", 12, False)
        assert ("batches of it that were not settled: 12: put the journal back"
                in chain.millrace("audit", code=1).stdout)
        shutil.rmtree(journal)
        os.rename(journal + ".aside", journal)
        chain.up()
        chain.wait_out(staying, leaving)
    assert absent_in(chain, 0) == []
