"""Slots that go for good, or are not started again: what they took in comes out all the same, and
nobody keeps files for them."""
import json
import os
import signal

import pytest
from deliverylib import lines_in
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


def test_the_spool_keeps_nothing_for_an_ingest_worker_that_left(make):
    chain = make(workers={"ingest": 2}, exporter="spool_segment = 64KiB\n")
    spool = os.path.join(chain.data_dir, "exporter.0.spool")

    def segments():
        return sorted(name for name in os.listdir(spool) if name.endswith(".seg"))
    with chain.producer(slot=1, limit=500) as left:
        left.finish()
    chain.millrace("scale", "ingest=1")
    newest = segments()[-1]  # the last batches of the one that left may be here
    with chain.producer(slot=0, p=1) as producer:
        wait_for(lambda: segments()[0] > newest, lambda: f"{segments()} {newest}")
        producer.finish()
        chain.wait_out(left, producer)
