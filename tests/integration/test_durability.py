"""`[ingest] durability`: what is kept, and what may be lost, by the producer's own ledger and the
sink's bytes; and that what was lost is what the audit says."""
import glob
import json
import os
import signal

import pytest
from baddisk import BadDisk
from deliverylib import (SECOND, Delivery, dead_letters, lines_in, obstruct, outputs, tally,
                         wait_said)
from harness import is_alive, wait_for


class Memory(Delivery):
    """A chain with durability = memory that may be told to die at a crash point."""

    def __init__(self):
        super().__init__(ingest="durability = memory\n")
        self.armed = os.path.join(self.folder, "armed")

    def up(self, environment=None):
        return super().up({"MILLRACE_CRASH_FILE": self.armed, **(environment or {})})

    def audit(self):
        return json.loads(self.millrace("audit", "--json").stdout)


@pytest.fixture(name="chain")
def memory_chain(keep):
    chain = keep(Memory())
    chain.up()
    return chain


def test_memory_keeps_everything_while_ingest_lives(chain):
    with chain.producer(bad=97) as producer:
        for name in ("processor.0", "metrics.0", "exporter.0", "monitor", "launcher"):
            chain.more(producer)
            chain.kill_and_wait(name)
        chain.more(producer)
        producer.finish()
        chain.wait_out(producer)
    whole = chain.audit()
    assert (whole["received"], whole["lost"], whole["balanced"]) == (producer.made, 0, True)


@pytest.mark.parametrize("point", [None, "ingest.lose.claimed", "journal.lose.written",
                                   "ingest.lose.done"])
def test_what_memory_loses_with_ingest_is_counted_and_said(chain, point):
    """Ingest dies, and with it the processor that held copies. What is lost is lost once, whenever
    the next ingest dies while it says so."""
    bus = chain.listen()
    with chain.producer(size=50) as producer:  # a batch a request
        chain.more(producer)
        assert chain.kill("processor.0", signal.SIGSTOP)
        chain.counters(bus, "ingest.0", lambda c: c["journal"]["in_flight_batches"] > 8)
        pids = chain.pids()
        for name in ("launcher", "ingest.0", "processor.0"):
            assert chain.kill(name)
        wait_for(lambda: not any(is_alive(pids[name]) for name in (
            "launcher", "ingest.0", "processor.0")), "they are dead")
        if point:
            with open(chain.armed, "w", encoding="utf-8") as out:
                out.write(point)
        chain.up()
        chain.more(producer, 1000)
        producer.finish()
        wait_for(lambda: chain.audit()["in_flight"] == 0, chain.complaints)
    assert not os.path.exists(chain.armed)
    whole = chain.audit()
    chain.millrace("down")
    came = tally([producer], outputs(chain.out))
    assert not came.doubled()
    assert not dead_letters(chain.data_dir)
    assert whole["lost"] == len(came.lost()) > 0, chain.complaints()
    assert whole["exported"] == lines_in(outputs(chain.out)) == producer.made - whole["lost"]
    assert whole["balanced"]
    assert f" + lost {whole['lost']:,} + in flight 0: balanced" in chain.millrace("audit").stdout
    assert "it was in the memory of an ingest that died" in chain.complaints()


def test_memory_repeats_nothing_when_copies_outlive_ingest(chain):
    with chain.producer() as producer:
        for _ in range(3):
            chain.more(producer)
            chain.kill_and_wait("ingest.0")
        chain.more(producer)
        producer.finish()
        wait_for(lambda: chain.audit()["in_flight"] == 0, chain.complaints)
    whole = chain.audit()
    chain.millrace("down")
    came = tally([producer], outputs(chain.out))
    assert not came.doubled()
    assert (whole["lost"], whole["balanced"]) == (len(came.lost()), True), chain.complaints()


def test_a_journal_without_frames_is_taken_over_by_disk_and_back(chain):
    """The option may be changed over a restart; numbers of producers go on."""
    with chain.producer() as producer:
        for durability in ("disk", "fsync", "memory"):
            chain.more(producer)
            chain.millrace("down")
            with open(chain.config, encoding="utf-8") as source:
                lines = source.readlines()
            with open(chain.config, "w", encoding="utf-8") as out:
                out.writelines(f"durability = {durability}\n" if line.startswith("durability")
                               else line for line in lines)
            chain.up()
        chain.more(producer)
        producer.finish()
        chain.wait_out(producer)


def lose_cursors(chain):
    """Of the cursors, which are written as memory, the disk has what they held when they were
    synced last; those that never were are as a file system leaves what it has made room for."""
    cursors = glob.glob(os.path.join(chain.data_dir, "exporter.0.cursors", "*.cursor"))
    assert cursors
    for path in cursors:
        if os.path.exists(path + ".durable"):
            os.rename(path + ".durable", path)
        else:
            with open(path, "r+b") as cursor:
                cursor.write(bytes(os.path.getsize(path)))


@pytest.mark.parametrize("failing", [True, False])
def test_fsync_keeps_the_promise_where_power_loss_takes_the_sinks_cursors(keep, failing):
    """Whatever the kernel did not write of them by itself: of a sink that had nothing yet, of one
    whose file was moved away, and with segments of the spool gone that were delivered."""
    chain = keep(Delivery(ingest="durability = fsync\n", exporter="spool_segment = 64KiB\n",
                          extra=SECOND if failing else ""))
    second = os.path.join(chain.folder, "second")
    disk = BadDisk(chain.folder)
    disk.put_under(chain.bin, "exporter")
    disk.keep(".cursor")
    chain.up()
    if failing:
        obstruct(second)
        wait_said(chain, "exporter.0: sink second: ")
    with chain.producer(pad=500) as producer:
        for rotation in range(2):
            wait_for(lambda: lines_in([chain.out]) > 0, "the file is there")
            os.rename(chain.out, os.path.join(chain.folder, f"out.{rotation}1.jsonl"))
        wait_for(lambda: lines_in([chain.out]) > 0, "the file is there")
        chain.more(producer, 500)
        if not failing:
            for _ in range(2):
                chain.wait_no_older("exporter.0.spool", chain.segments("exporter.0.spool")[-1])
        chain.lose_power()
        lose_cursors(chain)
        if failing:
            os.unlink(second)
        chain.up()
        chain.more(producer)
        producer.finish()
        chain.wait_out(producer)
        if failing:
            found = tally([producer], outputs(os.path.join(second, "out.jsonl")))
            assert (found.lost(), found.doubled(), found.strangers) == ([], [], [])
    assert not glob.glob(os.path.join(chain.folder, "**", "*.torn"), recursive=True)


def test_what_was_delivered_behind_a_batch_that_waits_is_not_sent_again_after_power_loss(keep):
    """All sinks are past these segments of the spool, and they stay: the window that is made anew
    finds there what was settled above the watermark."""
    chain = keep(Delivery(workers={"processor": 2}, exporter="spool_segment = 64KiB\n"))
    totals = os.path.join(chain.data_dir, "exporter.0.totals")
    chain.up()
    with chain.producer(pad=500) as producer:
        chain.more(producer, 500)
        assert chain.kill("processor.1", signal.SIGSTOP)
        chain.more(producer, 2000)
        saved = os.stat(totals).st_mtime_ns if os.path.exists(totals) else 0
        wait_for(lambda: os.path.exists(totals) and os.stat(totals).st_mtime_ns > saved,
                 chain.complaints)  # the last that would keep the spool's segments
        chain.more(producer, 2000)
        chain.lose_power()
        chain.up()
        chain.more(producer)
        producer.finish()
        chain.wait_out(producer)
