"""millrace log: look into journals and spools, verify them, cut one."""
import contextlib
import glob
import json
import os
import shutil
import signal

import pytest
from deliverylib import flip, lines_in, outputs
from launcherlib import Chain, wait_for

RECORDS = 300
CUT_POINTS = ("logcut.head.gone", "logcut.segment.aside", "logcut.rest.written",
              "logcut.rest.kept", "logcut.rest.gone")


@pytest.fixture(name="chain")
def make_chain():
    """A chain that has delivered RECORDS records, ten of them dead letters, and is down."""
    with Chain(real=True, ingest="router = ipc://run/router\nbatch_records = 20\n") as chain:
        chain.up()
        for first in range(1, RECORDS, 50):  # each a batch, at least
            feed(chain, first, 50)
        chain.millrace("down")
        yield chain


def feed(chain, first, count):
    path = os.path.join(chain.folder, f"in-{first}")
    with open(path, "w", encoding="utf-8") as out:
        for n in range(first, first + count):
            out.write('{"n":%d}\n' % n if n % 30 else "not json\n")
    chain.millrace("send", "--producer", f"shop-{first}", path)
    wait_for(lambda: json.loads(chain.millrace("audit", "--json", code=None).stdout)["pending"] == 0
             and json.loads(chain.millrace("audit", "--json").stdout)["in_flight"] == 0, "settled")


def rows(chain, *words, code=0):
    text = chain.millrace("log", *words, "--json", code=code).stdout
    return [json.loads(line) for line in text.splitlines()]


def segment(chain, log):
    return sorted(glob.glob(os.path.join(chain.folder, "data", log, "*.seg")))[-1]


def test_journal_and_spool_are_listed_with_identities_counts_and_producers(chain):
    journal = rows(chain, "ls", "ingest.0.journal")
    batches = [row for row in journal if "batch" in row]
    assert [row["batch"] for row in batches] == list(range(1, len(batches) + 1))
    assert sum(row["received"] for row in batches) == batches[-1]["total"] == RECORDS
    assert {row["checksum"] for row in batches} == {"ok"}
    assert journal[0]["segment"] == 0 and journal[0]["next_seq"] == 1
    spool = rows(chain, "ls", "exporter.0.spool")
    done = [row for row in spool if "batch" in row]
    assert sorted(row["batch"] for row in done) == [row["batch"] for row in batches]
    assert sum(row["exported"] for row in done) == RECORDS - 10
    assert sum(row["dead"] for row in done) == 10
    listed = chain.millrace("log", "ls").stdout
    assert "ingest.0.journal\n" in listed and "exporter.0.spool\n" in listed
    assert "batch 1  journal " in listed


def test_the_newest_segment_names_the_producers(chain):
    with open(os.path.join(chain.folder, "millrace.ini"), "r+", encoding="utf-8") as config:
        text = config.read().replace("batch_records = 20", "batch_records = 65536\n"
                                     "segment_bytes = 1MiB\nbatch_bytes = 1MiB")
        config.seek(0)
        config.write(text)
    chain.up()
    pad = os.path.join(chain.folder, "pad")
    with open(pad, "w", encoding="utf-8") as out:
        out.writelines('{"pad":"%s"}\n' % ("x" * 1000) for _ in range(3000))
    chain.millrace("send", pad, "--producer", "padder")
    chain.millrace("down")
    known = {row["producer"]: row["last"] for row in rows(chain, "ls", "ingest.0.journal")
             if "producer" in row}
    assert known["shop-1"] == 50 and 0 < known["padder"] <= 3000


def test_show_prints_the_records_of_a_batch_and_its_dead_letters(chain):
    taken = [row for row in rows(chain, "show", "ingest.0.journal", "2") if "record" in row]
    done = rows(chain, "show", "exporter.0.spool", "2")
    journal = done[0]["journal"]
    assert taken and [row["index"] for row in taken] == list(range(len(taken)))
    assert [row["record"] for row in done if "index" in row] == [
        row["record"] for row in taken if row["record"] != "not json"]
    assert [row["record"] for row in done if "error_type" in row] == [
        row["record"] for row in taken if row["record"] == "not json"]
    text = chain.millrace("log", "show", "ingest.0.journal", f"{journal}-2").stdout
    assert text.splitlines()[1:] == [row["record"] for row in taken]
    missed = chain.millrace("log", "show", "ingest.0.journal", "9999", code=1)
    assert missed.stderr.endswith("/ingest.0.journal: batch 9999 is not in it\n")
    chain.millrace("log", "show", "ingest.0.journal", "x", code=64)


def test_check_names_what_is_damaged_and_where(chain):
    assert all(row["state"] == "whole" for row in rows(chain, "check"))
    path = segment(chain, "exporter.0.spool")
    at = flip(path, b'"n":41')
    faults = [row for row in rows(chain, "check", code=1) if "damaged" in row]
    assert [(row["file"], row["what"]) for row in faults] == [
        (os.path.basename(path), "payload checksum")]
    assert faults[0]["offset"] < at < faults[0]["offset"] + faults[0]["bytes"]
    assert rows(chain, "check", "ingest.0.journal")[-1]["faults"] == 0
    chain.millrace("log", "check", "nowhere", code=1)
    chain.millrace("log", "check", os.path.dirname(path), code=1)  # a path will do


def test_cut_is_refused_while_a_worker_lives_and_keeps_what_it_takes(chain):
    batches = [row for row in rows(chain, "ls", "ingest.0.journal") if "batch" in row]
    place = str(batches[-3]["position"])
    chain.up()
    refused = chain.millrace("log", "cut", "ingest.0.journal", place, "--yes", code=75)
    assert "which lives; stop it first" in refused.stderr
    chain.millrace("down")
    said = chain.millrace("log", "cut", "ingest.0.journal", place, code=1)
    assert "would be cut" in said.stdout and "3 batches with" in said.stdout
    assert said.stderr == "millrace log: nothing was cut; --yes cuts\n"
    assert len([row for row in rows(chain, "ls", "ingest.0.journal") if "batch" in row]) == len(
        batches)
    amid = chain.millrace("log", "cut", "ingest.0.journal", str(int(place) + 8), "--yes", code=1)
    assert (f"nothing begins at {int(place) + 8}; `millrace log ls` shows the positions of its "
            "frames") in amid.stderr
    assert "\ncut " in "\n" + chain.millrace("log", "cut", "ingest.0.journal", place,
                                             "--yes").stdout
    left = [row for row in rows(chain, "ls", "ingest.0.journal") if "batch" in row]
    assert left == batches[:-3]
    assert glob.glob(os.path.join(chain.folder, "data", "ingest.0.journal", "*.cut"))
    assert rows(chain, "check", "ingest.0.journal")[-1]["state"] == "whole"


def test_numbers_that_were_cut_are_not_given_out_again(chain):
    batches = [row for row in rows(chain, "ls", "ingest.0.journal") if "batch" in row]
    chain.millrace("log", "cut", "ingest.0.journal", str(batches[-3]["position"]), "--yes")
    chain.up()
    path = os.path.join(chain.folder, "more")
    with open(path, "w", encoding="utf-8") as out:
        out.writelines('{"more":%d}\n' % n for n in range(100))
    chain.millrace("send", path, "--producer", "more")

    def came():
        with contextlib.suppress(FileNotFoundError), open(
                os.path.join(chain.folder, "out.jsonl"), encoding="utf-8") as out:
            return sum("more" in line for line in out) == 100
        return False
    wait_for(came, "what came after the cut is delivered")
    chain.millrace("down")
    after = [row["batch"] for row in rows(chain, "ls", "ingest.0.journal") if "batch" in row]
    fresh = [seq for seq in after if seq > batches[-4]["batch"]]
    assert fresh and min(fresh) > batches[-1]["batch"]


def deliver(chain, p, count, pad):
    """Returns the producer, once all of its records are in the file and nothing is under way."""
    before = lines_in(outputs(chain.out))
    with chain.producer(p=p, limit=count, pad=pad) as producer:
        producer.finish()
        wait_for(lambda: lines_in(outputs(chain.out)) >= before + count, chain.complaints)
    wait_for(lambda: json.loads(chain.millrace("audit", "--json", code=None).stdout)["pending"] == 0
             and chain.millrace("audit", "--json", code=None).returncode in (0, 1), "settled")
    return producer


@pytest.fixture(name="kept")
def make_chain_that_keeps(chains):
    """kept(log) -> a chain that is down, its journal and spool of several segments, all delivered;
    its producer; and a position in the first segment of the log at which to cut."""
    def make(log):
        chain = chains(ingest="segment_bytes = 1MiB\nretain_for = 1h\n",
                       exporter="spool_segment = 64KiB\nretain_for = 1h\n", batch=5)
        producer = deliver(chain, 0, RECORDS, 4000)
        chain.millrace("down")
        frames = [row for row in rows(chain, "ls", log) if "batch" in row]
        assert len(chain.segments(log)) > 1
        return chain, producer, str(frames[1]["position"])
    return make


def contents(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith((".seg", ".cut")):
            with open(os.path.join(folder, name), "rb") as source:
                found[name] = source.read()
    return found


def cut_and_die(chain, log, place, point):
    said = chain.millrace("log", "cut", log, place, "--yes", code=-signal.SIGKILL,
                          environment={"MILLRACE_CRASH": point})
    assert said.stdout == ""


@pytest.mark.parametrize("log", ["ingest.0.journal", "exporter.0.spool"])
def test_a_cut_that_dies_is_gone_on_with_by_the_next(kept, log):
    """It then leaves what a cut leaves that nobody disturbed, and keeps every byte once."""
    chain, _, place = kept(log)
    folder = os.path.join(chain.data_dir, log)
    whole = contents(folder)
    shutil.copytree(folder, folder + ".whole")

    def again():
        shutil.rmtree(folder)
        shutil.copytree(folder + ".whole", folder)
    chain.millrace("log", "cut", log, place, "--yes")
    expected = contents(folder)
    parts = "".join(name for name in sorted(expected) if name.endswith(".cut"))
    assert parts and b"".join(expected.values()) == b"".join(whole.values())
    ceiling = [f"ceiling.replace.{step}" for step in ("written", "named", "durable")]
    for point in CUT_POINTS + tuple(ceiling if "journal" in log else ()):
        again()
        cut_and_die(chain, log, place, point)
        chain.millrace("log", "check", log)
        chain.millrace("log", "cut", log, place, "--yes")
        assert contents(folder) == expected, point
        chain.millrace("log", "check", log)


@pytest.mark.parametrize("log", ["ingest.0.journal", "exporter.0.spool"])
@pytest.mark.parametrize("point", CUT_POINTS)
def test_after_a_cut_that_died_a_start_goes_on(kept, log, point):
    """What was delivered stays delivered, once; so does what comes then."""
    chain, first, place = kept(log)
    cut_and_die(chain, log, place, point)
    chain.up()
    second = deliver(chain, 1, 100, 100)
    chain.wait_out(first, second)


@pytest.mark.parametrize("words", [["ls", "a", "--yes=1"], ["show"], ["show", "a"], ["cut", "a"],
                                   ["cut", "a", "1", "2"], ["list"]])
def test_what_cannot_be_is_refused_with_64(chain, words):
    chain.millrace("log", *words, code=64)


@pytest.mark.parametrize("verb", ["ls", "check"])
def test_where_there_is_no_log_one_line_says_so(chains, verb):
    chain = chains(up=False)
    said = chain.millrace("log", verb).stdout
    assert said == f"{chain.data_dir}: there is no journal and no spool in it yet\n"
    assert chain.millrace("log", verb, "--json").stdout == ""
