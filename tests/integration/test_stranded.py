"""Slots that go for good, or are not started again: what they took in comes out all the same, and
nobody keeps files for them."""
import json
import os
import signal

import pytest
from deliverylib import SECOND, lines_in, obstruct, tally
from harness import is_alive, wait_for


@pytest.fixture(name="make")
def make_chain(chains):
    return chains


def change(chain, before, after):
    with open(chain.config, encoding="utf-8") as source:
        text = source.read()
    assert before in text
    with open(chain.config, "w", encoding="utf-8") as out:
        out.write(text.replace(before, after))


def kill_everything(chain):
    pids = chain.pids()
    for name in ("launcher", *(name for name in pids if name != "launcher")):
        chain.kill(name)
    wait_for(lambda: not any(is_alive(pid) for pid in pids.values()), "all are dead")


def down_and_fewer(chain):
    chain.millrace("down", "--now")
    change(chain, "[ingest]\nworkers = 2", "[ingest]\nworkers = 1")


@pytest.mark.parametrize("end", [kill_everything, down_and_fewer])
def test_a_slot_that_is_not_of_the_plan_any_more_sends_what_it_took_in_and_leaves(make, end):
    chain = make(workers={"ingest": 1 if end is kill_everything else 2})
    if end is kill_everything:
        chain.millrace("scale", "ingest=2")
    with chain.producer(slot=1, p=1, limit=20) as first:
        first.finish()
    wait_for(lambda: lines_in([chain.out]) == 20, "ingest.1 is connected to the processor")
    assert chain.kill("processor.0", signal.SIGSTOP)
    with chain.producer(slot=1, limit=300) as producer:
        producer.finish()
    assert producer.acknowledged == 300
    end(chain)
    chain.up()
    wait_for(lambda: json.loads(chain.millrace("audit", "--json").stdout)["in_flight"] == 0,
             chain.complaints)
    wait_for(lambda: not is_alive(chain.pids().get("ingest.1") or 0), "it left")
    chain.wait_out(first, producer)


def test_a_slot_that_is_not_of_the_plan_any_more_writes_the_last_rows_of_its_metrics(make):
    """Its records are all in the sink: only the rows that count them are missing."""
    chain = make(workers={"exporter": 2},
                 extra="[sink rows]\ntype = file\ninput = metrics\npath = rows.jsonl\n"
                       "interval = 1h\n")
    out = os.path.join(chain.folder, "out.1.jsonl")
    rows = os.path.join(chain.folder, "rows.1.jsonl")
    with chain.producer(limit=2000) as producer:
        producer.finish()
    wait_for(lambda: json.loads(chain.millrace("audit", "--json").stdout)["pending"] == 0,
             chain.complaints)
    kill_everything(chain)
    change(chain, "[exporter]\nworkers = 2", "[exporter]\nworkers = 1")
    chain.up()
    wait_for(lambda: lines_in([rows]) > 0, chain.complaints)
    with open(rows, encoding="utf-8") as source:
        last = json.loads(source.read().splitlines()[-1])
    assert last["value"] == lines_in([out]) > 0
    wait_for(lambda: not is_alive(chain.pids().get("exporter.1") or 0), "it left")


def one_ingest_worker_leaves(make):
    """The chain, the producer of the one that left, and the newest segment of the spool: the last
    batches of the one that left may be there."""
    chain = make(workers={"ingest": 2}, exporter="spool_segment = 64KiB\n")
    with chain.producer(slot=1, limit=500) as left:
        left.finish()
    chain.millrace("scale", "ingest=1")
    return chain, left, chain.segments("exporter.0.spool")[-1]


def assert_spool_moves_on(chain, left, newest):
    with chain.producer(slot=0, p=1) as producer:
        chain.wait_no_older("exporter.0.spool", newest)
        producer.finish()
        chain.wait_out(left, producer)


def test_the_spool_keeps_nothing_for_an_ingest_worker_that_left(make):
    assert_spool_moves_on(*one_ingest_worker_leaves(make))


def another_start_of_the_machine(chain):
    """What a reboot does to the files: they are of an older start of the machine now."""
    for name in os.listdir(chain.data_dir):
        path = os.path.join(chain.data_dir, name)
        places = ([(path, 40)] if name.endswith(".window") else
                  [(os.path.join(path, "head"), 24)] if name.endswith((".journal", ".spool"))
                  else [])
        for file, at in places:
            with open(file, "r+b") as whole:
                whole.seek(at)
                boot = whole.read(16)
                whole.seek(at)
                whole.write(bytes(byte ^ 1 for byte in boot))


def test_after_a_reboot_the_spool_keeps_nothing_for_a_slot_that_is_not_started_any_more(make):
    """Nobody makes the window of such a slot anew; its journal says where it ended."""
    chain, left, newest = one_ingest_worker_leaves(make)
    chain.millrace("down")
    another_start_of_the_machine(chain)
    change(chain, "[ingest]\nworkers = 2", "[ingest]\nworkers = 1")
    chain.up()
    assert_spool_moves_on(chain, left, newest)


def test_after_a_reboot_an_exporter_that_is_not_started_any_more_delivers_and_keeps_nothing(make):
    chain = make(workers={"exporter": 2}, exporter="spool_segment = 64KiB\nspool_limit = 1GiB\n",
                 extra=SECOND)
    folder = os.path.join(chain.folder, "second")
    out = [os.path.join(folder, name) for name in ("out.jsonl", "out.1.jsonl")]
    spool = "exporter.1.spool"
    with chain.producer(pad=2000) as producer:
        chain.more(producer, 200)
        obstruct(folder)  # the second sink fails: the spools grow
        wait_for(lambda: chain.complaints().count("sink second: ") >= 2, chain.complaints)
        before = len(chain.segments(spool))
        wait_for(lambda: len(chain.segments(spool)) > before + 128,
                 lambda: f"{before} {chain.segments(spool)}")
        producer.finish()
    kill_everything(chain)
    another_start_of_the_machine(chain)
    os.remove(folder)
    change(chain, "[exporter]\nworkers = 2", "[exporter]\nworkers = 1")
    chain.up()
    wait_for(lambda: "exporter.1 stopped" in chain.complaints(), chain.complaints)
    wait_for(lambda: json.loads(chain.millrace("audit", "--json").stdout)["pending"] == 0,
             chain.complaints)
    # 16 batches stay, and those that the journal had not noted as settled: each has a segment.
    assert len(chain.segments(spool)) < 16 + 64 + 8, chain.segments(spool)
    chain.wait_out(producer)
    found = tally([producer], out + [name.replace("second", "second.aside") for name in out])
    assert (found.lost(), found.doubled(), found.strangers) == ([], [], [])
