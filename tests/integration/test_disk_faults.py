"""What a disk can do to a running chain: syncs that fail, a quota, a read-only remount, no room at
the start. It pauses, says so, and goes on by itself; nothing is lost or doubled. The system calls
fail by tests/support/faults; scripts/soak.sh does the same to a real file system."""
import contextlib
import errno
import os

import pytest
from baddisk import BadDisk
from deliverylib import (SECOND, STAGES, Delivery, lines_in, outputs, tally, wait_said,
                         wait_well)
from harness import is_alive, wait_for


class Rig(Delivery):
    """A chain whose stages have a disk that fails when it is told to."""

    def __init__(self, **options):
        super().__init__(**options)
        self.disk = BadDisk(self.folder)
        for stage in STAGES:
            self.disk.put_under(self.bin, stage)

    def place(self, name):
        return os.path.join(self.data_dir, name)


@pytest.fixture(name="make")
def make_rig(keep):
    """make(...) -> a chain, not up yet."""
    return lambda **options: keep(Rig(**options))


def finish(rig, producer, pids=None):
    """All is well again, each record is out once, and nothing was restarted since there were these
    pids."""
    rig.more(producer, 500)
    wait_well(rig)
    assert pids in (None, rig.pids())
    producer.finish()
    rig.wait_out(producer)


# ---- a sync fails ----


def first_sink_goes_on(rig, producer):
    goal = producer.acknowledged + 1000
    rig.more(producer, 1000)
    wait_for(lambda: lines_in(outputs(rig.out)) >= goal, "the first sink goes on")


def test_a_failed_sync_of_a_sinks_file_is_made_good(make):
    """What was written since the last good one is written again: the disk has every byte."""
    rig = make(ingest="durability = fsync\n", extra=SECOND)
    rig.disk.trace("out.jsonl")
    rig.up()
    second = os.path.join(rig.folder, "second", "out.jsonl")
    with rig.producer(rate=2000) as producer:
        rig.more(producer)
        pids = rig.pids()
        rig.disk.fails("s", "second", errno.EIO)
        wait_said(rig, "exporter.0: sink second: cannot sync ")
        first_sink_goes_on(rig, producer)
        rig.disk.works()
        wait_well(rig)
        assert rig.pids() == pids
        rig.disk.fails("s", "second", errno.EIO)
        rig.more(producer, 100)
        wait_said(rig, "exporter.0: sink second: cannot sync ")
        rig.kill_and_wait("exporter.0")  # its successor knows of no failure
        rig.disk.works()
        finish(rig, producer)
        found = tally([producer], outputs(second))
        assert (found.lost(), found.doubled(), found.strangers) == ([], [], [])
    assert rig.disk.undurable(second) == []
    assert rig.disk.undurable(rig.out) == []


def test_a_failed_sync_of_a_sinks_cursor_stops_that_sink_until_it_is_made_good(make):
    rig = make(ingest="durability = fsync\n", extra=SECOND)
    rig.up()
    second = os.path.join(rig.folder, "second", "out.jsonl")
    with rig.producer(rate=2000) as producer:
        rig.more(producer)
        pids = rig.pids()
        rig.disk.fails("s", "second.cursor", errno.EIO)
        wait_said(rig, "exporter.0: sink second: cannot sync the cursor ")
        first_sink_goes_on(rig, producer)
        rig.disk.works()
        finish(rig, producer, pids)
        found = tally([producer], outputs(second))
        assert (found.lost(), found.doubled(), found.strangers) == ([], [], [])


@pytest.mark.parametrize("log, worker, said", [
    ("ingest.0.journal", "ingest.0", "ingest.0: journal full, producers wait"),
    ("exporter.0.spool", "exporter.0", "exporter.0: "),
])
@pytest.mark.parametrize("dies", [False, True])
def test_a_failed_sync_of_a_log_is_made_good(make, log, worker, said, dies):
    """By the same life, or by the next one, which knows of no failure."""
    rig = make(ingest="durability = fsync\n")
    rig.disk.trace(log)
    rig.up()
    with rig.producer() as producer:
        rig.more(producer)
        rig.disk.fails("s", log, errno.EIO)
        wait_said(rig, said + (rig.place(log) if worker == "exporter.0" else ""))
        if dies:
            before = rig.pids()[worker]
            assert rig.kill(worker)
            wait_for(lambda: not is_alive(before), f"{worker} is dead")
            wait_for(lambda: rig.pids().get(worker) not in (None, before) or
                     "cannot sync" in (rig.status()[worker]["reason"] or ""),
                     lambda: f"{worker} is back, or cannot be yet\n{rig.complaints()}")
        rig.disk.works()
        finish(rig, producer)
    segments = [os.path.join(rig.place(log), name) for name in os.listdir(rig.place(log))
                if name.endswith(".seg")]
    assert segments and not [rig.disk.undurable(path) for path in segments
                             if rig.disk.undurable(path)]


# ---- nothing more is taken ----

ERRORS = [errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOSPC]


def named(error):
    return errno.errorcode[error]


@pytest.mark.parametrize("error", ERRORS, ids=named)
def test_a_journal_that_takes_nothing_makes_producers_wait(make, error):
    rig = make()
    rig.up()
    with rig.producer(bad=89) as producer:
        rig.more(producer)
        pids = rig.pids()
        rig.disk.fails("waocn", "ingest.0.journal", error)
        wait_for(lambda: producer.answers["busy"] > 0, rig.complaints)
        wait_said(rig, "ingest.0: journal full, producers wait")
        assert os.strerror(error) in rig.complaints()
        rig.disk.works()
        finish(rig, producer, pids)


@pytest.mark.parametrize("error", ERRORS, ids=named)
def test_a_spool_that_takes_nothing_makes_all_wait(make, error):
    rig = make(exporter="spool_segment = 64KiB\n")
    rig.up()
    with rig.producer(bad=89, rate=5000) as producer:
        rig.more(producer)
        rig.disk.fails("waocn", "exporter.0.spool", error)
        wait_said(rig, f"exporter.0: {rig.place('exporter.0.spool')}")
        assert os.strerror(error) in rig.complaints()
        rig.disk.works()
        finish(rig, producer)
    assert "died" not in rig.complaints()


@pytest.mark.parametrize("error", ERRORS, ids=named)
def test_a_sink_that_takes_nothing_holds_up_no_other(make, error):
    rig = make(extra=SECOND)
    rig.up()
    second = os.path.join(rig.folder, "second", "out.jsonl")
    with rig.producer(rate=5000) as producer:
        rig.more(producer)
        rig.disk.fails("waocn", "second", error)
        wait_said(rig, "exporter.0: sink second: cannot ")
        assert os.strerror(error) in rig.complaints()
        first_sink_goes_on(rig, producer)
        rig.disk.works()
        finish(rig, producer)
        found = tally([producer], outputs(second))
        assert (found.lost(), found.doubled(), found.strangers) == ([], [], [])
    assert "died" not in rig.complaints()


# ---- at the start ----


def reason(rig, name):
    return rig.status().get(name, {}).get("reason") or ""


@pytest.mark.parametrize("error", ERRORS, ids=named)
def test_a_worker_that_the_disk_keeps_from_starting_waits_and_is_not_given_up(make, error):
    """More often than restart_limit; cursors, spool, journal and logs are what it cannot open."""
    rig = make(extra="[launcher]\nrestart_limit = 2\nbackoff_max = 200ms\n")
    rig.up()
    with rig.producer() as producer:
        rig.more(producer)
        pids = rig.pids()
        rig.disk.fails("waocn", "/data/", error)
        for name in ("exporter.0", "ingest.0"):
            assert rig.kill(name)
            wait_for(lambda who=name: reason(rig, who).startswith("cannot start yet: "),
                     lambda who=name: rig.status().get(who))
            assert os.strerror(error) in reason(rig, name)
        count = rig.status()["exporter.0"]["restarts"]
        wait_for(lambda: rig.status()["exporter.0"]["restarts"] > count + 4, "it is tried again")
        wait_for(lambda: "exporter.0: cannot start yet: " in rig.millrace("status").stdout,
                 "it stands below the table")
        assert "given-up" not in rig.states().values()
        rig.disk.works()
        for name in ("exporter.0", "ingest.0"):
            rig.wait_state(name, "running")
            assert rig.pids()[name] != pids[name]
        finish(rig, producer)
    with open(rig.place("log/launcher.log"), encoding="utf-8") as source:
        notes = [line for line in source if "exporter.0 cannot start yet: " in line]
    assert len(notes) == 1  # it is told once, as long as it is the same


@pytest.mark.parametrize("needle", ["exporter.0.cursors", "exporter.0.spool", "ingest.0.journal",
                                    "ingest.0.window"])
def test_a_disk_that_is_full_at_the_first_start_is_waited_for(make, needle):
    """`up` says what it waits for; when there is room, it is up."""
    rig = make(extra="[launcher]\nrestart_limit = 2\nbackoff_max = 200ms\n")
    rig.disk.fails("wac", needle, errno.ENOSPC)
    name = needle.rsplit(".", 1)[0]
    starting = rig.start("up", "--detach")
    wait_for(lambda: reason(rig, name).startswith("cannot start yet: "), rig.complaints)
    wait_for(lambda: rig.status()[name]["restarts"] > 4, "it is tried again")
    rig.disk.works()
    said = starting.communicate(timeout=60)[0]
    assert starting.returncode == 0, said
    assert f"{name} cannot start yet: " in said and os.strerror(errno.ENOSPC) in said
    with rig.producer() as producer, contextlib.closing(rig):
        finish(rig, producer)
