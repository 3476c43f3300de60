"""Harm of other kinds than kill -9 of a worker: a full disk, damaged files, a crash
between two requests of a pipelining producer."""
import contextlib
import glob
import json
import os
import resource
import signal
import subprocess
import sys

import pytest
import zmq
from deliverylib import SECOND, lines_in, obstruct, outputs, tally, wait_said, wait_well
from harness import DEADLINE_S, Pipeline, is_alive, numbered, wait_for


@pytest.fixture(name="make")
def make_chain(chains):
    return chains


# ---- a crash between two requests ----


@pytest.mark.parametrize("point", ["journal.append.done:3", "ingest.window.sent:5",
                                   "seglog.append.torn:4", "ingest.push.sent:7"])
def test_the_router_dies_between_two_of_many_requests_under_way(make, point, tmp_path):
    armed = tmp_path / "armed"
    chain = make({"MILLRACE_CRASH_FILE": str(armed)})
    with chain.producer(size=50, window=32) as producer:  # a batch a request
        chain.more(producer)
        first = chain.pids()["ingest.0"]
        assert chain.kill("ingest.0", signal.SIGSTOP)
        wait_for(lambda: producer.made >= producer.acknowledged + 32 * 50, "32 requests under way")
        armed.write_text(f"{point} {first}")  # an exporter passes some of these points as well
        assert chain.kill("ingest.0", signal.SIGCONT)
        wait_for(lambda: not is_alive(first), "it died there")
        chain.more(producer, 2000)
        producer.finish()
        chain.wait_out(producer)


# ---- disk full ----


def fill(path):
    """Write until no more goes."""
    with open(path, "wb", buffering=0) as out, contextlib.suppress(OSError):
        while True:
            out.write(b"\0" * 4096)


@contextlib.contextmanager
def small_disk(folder, size):
    """The folder as a disk of its own, with room for little; None where we may not mount."""
    os.makedirs(folder)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "none", folder]
    mounted = subprocess.run(words, check=False, capture_output=True).returncode == 0
    try:
        yield os.path.join(folder, "filler") if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=False, capture_output=True)


def until_they_wait(chain, producer, free):
    """Producers hear `busy` until there is room again; nothing was restarted."""
    pids = chain.pids()
    wait_for(lambda: producer.answers["busy"] > 0,
             lambda: f"busy: {producer.answers}\n{chain.complaints()}")
    with contextlib.closing(chain.context.socket(zmq.REQ)) as other:
        other.linger = 0
        other.connect(producer.endpoint)
        for _ in range(100):
            other.send_multipart([b"other/1", b'{"other":1}'])
            assert other.poll(30000) and other.recv_multipart() == [b"other/1", b"busy"]
    wait_said(chain, "ingest.0: journal full, producers wait")
    free()
    chain.more(producer, 1000)
    wait_well(chain)
    assert chain.pids() == pids
    producer.finish()
    chain.wait_out(producer)


def limit_files(chain, most):
    """As a full disk is, to ingest: no file beyond this size."""
    resource.prlimit(chain.pids()["ingest.0"], resource.RLIMIT_FSIZE, (most, -1))


def test_a_full_disk_makes_producers_wait_and_loses_nothing(make):
    chain = make(up=False, ingest="segment_bytes = 1MiB\n")
    journal = os.path.join(chain.data_dir, "ingest.0.journal")
    with small_disk(journal, "16m") as filler:
        chain.up()
        with chain.producer(bad=89) as producer:
            chain.more(producer)
            if filler:
                fill(filler)
                until_they_wait(chain, producer, lambda: os.remove(filler))
            else:
                limit_files(chain, 4096)
                until_they_wait(chain, producer, lambda: limit_files(chain, -1))
        chain.close()


def test_a_limit_on_files_makes_producers_wait_and_loses_nothing(make):
    chain = make()
    with chain.producer(bad=89) as producer:
        chain.more(producer)
        limit_files(chain, 4096)
        until_they_wait(chain, producer, lambda: limit_files(chain, -1))


def fill_or_limit(chain, filler, name):
    """No more goes into the files of a worker; returns what ends that."""
    if filler:
        fill(filler)
        return lambda: os.remove(filler)
    pid = chain.pids()[name]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, -1))
    return lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, (-1, -1))


def test_a_full_disk_of_the_spool_makes_all_wait_and_loses_nothing(make):
    chain = make(up=False, exporter="spool_segment = 64KiB\n")
    with small_disk(os.path.join(chain.data_dir, "exporter.0.spool"), "16m") as filler:
        chain.up()
        with chain.producer(bad=89, rate=5000) as producer:
            chain.more(producer)
            pids = chain.pids()
            free = fill_or_limit(chain, filler, "exporter.0")
            wait_said(chain, "exporter.0: " + os.path.join(chain.data_dir, "exporter.0.spool"))
            free()
            chain.more(producer, 2000)
            wait_well(chain)
            assert chain.pids() == pids
            producer.finish()
            chain.wait_out(producer)
        chain.close()


def test_a_full_disk_of_a_sink_holds_up_no_other_and_loses_nothing(make):
    chain = make(up=False, extra=SECOND)
    folder = os.path.join(chain.folder, "second")
    with small_disk(folder, "8m") as filler:
        chain.up()
        with chain.producer(limit=20000) as producer:
            chain.more(producer)
            pids = chain.pids()
            if filler:
                fill(filler)
            else:  # the folder is a file for a while
                obstruct(folder)
            goal = producer.acknowledged + 5000
            chain.more(producer, 5000)
            wait_for(lambda: lines_in([chain.out]) >= goal, "the first sink goes on")
            wait_said(chain, "exporter.0: sink second: cannot ")
            if filler:
                os.remove(filler)
            else:
                os.remove(folder)
                os.rename(folder + ".aside", folder)
            producer.finish()
            paths = outputs(os.path.join(folder, "out.jsonl"))
            wait_for(lambda: lines_in(paths) >= producer.made, chain.complaints)
            wait_well(chain)
            assert chain.pids() == pids
            chain.wait_out(producer)
            found = tally([producer], paths)
            assert (found.lost(), found.doubled(), found.strangers) == ([], [], [])
        chain.close()


# ---- files ----


def test_the_window_of_another_start_of_the_machine_is_made_again(make):
    chain = make()
    with chain.producer() as producer:
        chain.more(producer, 1000)
        chain.lose_power()
        chain.up()
        chain.more(producer, 1000)
        producer.finish()
        chain.wait_out(producer)
    assert "window rebuilt from journal and spools" in chain.complaints()


@pytest.mark.parametrize("down_first", [True, False])
def test_a_window_that_somebody_removed_is_made_again(make, down_first):
    chain = make()
    window = os.path.join(chain.data_dir, "ingest.0.window")
    with chain.producer(rate=4000) as producer:
        chain.more(producer)
        if down_first:
            chain.millrace("down")
            os.remove(window)
            chain.up()
        else:
            os.remove(window)
            chain.kill_and_wait("ingest.0")
        chain.more(producer, 1000)
        producer.finish()
        chain.wait_out(producer)
    assert "window rebuilt from journal and spools" in chain.complaints()


@pytest.mark.parametrize("point", [None, "ingest.lose.claimed", "journal.lose.written",
                                   "ingest.lose.done"])
def test_damaged_frames_of_the_journal_are_counted_once_and_the_flow_goes_on(make, tmp_path, point):
    """Also when ingest dies while it gives the first of them up: the next life has the other."""
    armed = tmp_path / "armed"
    chain = make({"MILLRACE_CRASH_FILE": str(armed)})
    bus = chain.listen()
    pids = chain.pids()
    with chain.producer(size=50) as producer:  # a batch a request
        chain.more(producer)
        assert chain.kill("processor.0", signal.SIGSTOP)
        held = chain.counters(bus, "ingest.0", lambda c: c["journal"]["in_flight_batches"] > 10)
        for name in ("launcher", "ingest.0", "processor.0"):
            assert chain.kill(name)
        wait_for(lambda: not any(is_alive(pids[name]) for name in (
            "launcher", "ingest.0", "processor.0")), "they are dead")
        batches = [held["journal"]["watermark"] + n for n in (5, 8)]
        for batch in batches:
            damage(os.path.join(chain.data_dir, "ingest.0.journal"), b'"n":%d,' % (50 * batch))
        if point:
            armed.write_text(point)
        chain.up({"MILLRACE_CRASH_FILE": str(armed)})
        counters = chain.counters(bus, "ingest.0", lambda c: "replay" in c["operations"])
        errors = counters["operations"]["replay"]["error_types"]
        assert errors == {"journal_damaged": 1 if point else 2}  # of this life
        chain.more(producer, 1000)
        producer.finish()
        wait_for(lambda: lines_in(outputs(chain.out)) >= producer.made - 100, chain.complaints)
    assert not armed.exists()
    chain.millrace("down")
    came = tally([producer], outputs(chain.out))
    assert came.lost() == [(0, n) for batch in batches
                           for n in range(50 * batch - 49, 50 * batch + 1)]
    assert not came.doubled()
    assert " + lost 100 + in flight 0: balanced" in chain.millrace("audit", code=None).stdout
    for batch in batches:
        assert f"batch {batch} is lost" in chain.complaints()


def test_the_number_of_a_damaged_last_frame_goes_to_no_other_batch(tmp_path):
    """The batch may still be on its way: its number, and its copies, must not meet another's."""
    with Pipeline(folder=str(tmp_path / "chain")) as chain:
        chain.listen()
        chain.start_all()
        chain.push(numbered(0, 0))
        chain.wait_lines(1)  # all are connected
        chain.workers["exporter.0"].send_signal(signal.SIGSTOP)
        for record in numbered(1, 4):  # a batch each
            assert chain.ask(b"id", record)[1] == b"ok"
        ingest = chain.workers.pop("ingest.0")
        ingest.kill()
        ingest.wait()
        damage(os.path.join(chain.folder, "data", "ingest.0.journal"), b'"n":4,')
        chain.start("ingest.0")
        for record in numbered(5, 8):
            assert chain.ask(b"id", record)[1] == b"ok"
        chain.workers["exporter.0"].send_signal(signal.SIGCONT)
        chain.counters("ingest.0", lambda c: c["journal"]["in_flight_batches"] == 0)
        came = [0, 1, 2, 3, 5, 6, 7, 8]
        chain.wait_for(lambda: set(came) <= {record["n"] for record in chain.records()},
                       lambda: f"{chain.lines()}\n{chain.complaints()}")
        chain.stop("ingest.0", "processor.0", "exporter.0")
        assert sorted(record["n"] for record in chain.records() if record["n"] != 4) == came
        assert [record["n"] for record in chain.records()].count(4) <= 1
        assert "the journal's end is damaged: batches after 4, up to 5," in chain.complaints()


def claim_for_ingest(folder, batch):
    """As ingest does for a batch that it is about to give up."""
    with open(os.path.join(folder, "data", "ingest.0.window"), "r+b") as window:
        window.seek(4096 + 8 * batch)
        window.write((batch << 16 | 63 << 2 | 2).to_bytes(8, sys.byteorder))


def test_a_loss_that_is_noted_is_not_counted_again_behind_one_that_could_not_be(tmp_path):
    armed = tmp_path / "armed"
    armed.write_text("journal.lose.written")
    with Pipeline(folder=str(tmp_path / "chain")) as chain:
        chain.start_all()
        chain.push(numbered(0, 0))
        chain.wait_lines(1)  # all are connected
        chain.workers["exporter.0"].send_signal(signal.SIGSTOP)
        for record in numbered(1, 4):  # batches 2 to 5
            assert chain.ask(b"id", record)[1] == b"ok"
        ingest = chain.workers.pop("ingest.0")
        ingest.kill()
        ingest.wait()
        claim_for_ingest(chain.folder, 4)
        dying = chain.spawn("ingest.0", env={**os.environ, "MILLRACE_CRASH_FILE": str(armed)})
        dying.wait(timeout=DEADLINE_S)
        assert not armed.exists()
        claim_for_ingest(chain.folder, 2)  # the disk has refused to note it
        chain.start("ingest.0")
        chain.workers["exporter.0"].send_signal(signal.SIGCONT)
        chain.wait_lines(3)
        chain.stop("ingest.0", "processor.0", "exporter.0")
        assert sorted(record["n"] for record in chain.records()) == [0, 2, 4]
        said = subprocess.run([os.path.join(chain.bin, "millrace"), "-c", chain.config, "audit"],
                              check=False, capture_output=True, text=True).stdout
        assert " + lost 2 + in flight 0: balanced" in said, said


@pytest.mark.parametrize("delivered", [True, False])
def test_the_audit_says_that_nobody_knows_the_records_of_a_damaged_last_frame(make, delivered):
    """As long as the journal lasts, whether a copy of the batch has arrived or none."""
    chain = make()
    with chain.producer(size=50) as producer:  # a batch a request
        chain.more(producer)
        if delivered:
            producer.finish()
            chain.wait_out(producer)
        else:
            assert chain.kill("processor.0", signal.SIGSTOP)
            wait_for(lambda: json.loads(chain.millrace("audit", "--json").stdout)["in_flight"] > 9,
                     "some are under way")
            producer.fault = "given up"
        chain.kill_all()
    frames = [row for line in chain.millrace("log", "ls", "ingest.0.journal", "--json")
              .stdout.splitlines() if "batch" in (row := json.loads(line))]
    last = frames[-1]
    damage(os.path.join(chain.data_dir, "ingest.0.journal"), b'"n":%d,' % last["total"])
    said = ("cannot be balanced: 1 batch of ingest.0's journal was damaged, and it is not known "
            "how many records it held; ingest's log names it\n")
    for _ in range(2):  # and in the next life
        chain.up()
        wait_well(chain)
        chain.millrace("down")
        assert f"batches after {frames[-2]['batch']}, up to {last['batch']}," in chain.complaints()
        assert said in chain.millrace("audit", code=1).stdout
        assert said in chain.millrace("audit", "--deep", code=1).stdout
        for words in (["audit", "--json"], ["audit", "--deep", "--json"]):
            audit = json.loads(chain.millrace(*words, code=1).stdout)
            assert not audit["balanced"]
            assert audit["journals"][0]["gone_batches"] == 1
            assert audit["journals"][0]["lost"] == 0


def damage(folder, where):
    for path in glob.glob(os.path.join(folder, "*")):
        with open(path, "r+b") as log:
            at = log.read().find(where)
            if at >= 0:
                log.seek(at)
                log.write(b"#")
                return
    raise AssertionError(f"{where} is nowhere in {folder}")
