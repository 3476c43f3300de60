"""millrace audit --deep: every byte read, the equation proved batch by batch, the files of sinks
included, beside a chain that runs and when nothing does."""
import contextlib
import errno
import json
import os
import shutil

import pytest
from baddisk import BadDisk
from deliverylib import SECOND, flip, lines_in, obstruct
from harness import wait_for

SINKS = ("[sink some]\ntype = file\npath = some.jsonl\nmatch = n > 500\nenvelope = yes\n"
         "[sink totals]\ntype = file\ninput = metrics\npath = totals.jsonl\n")


@pytest.fixture(name="make")
def make_chain(chains):
    return chains


def deep(chain, *words, code=0):
    done = chain.millrace("audit", "--deep", "--json", *words, code=code)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def deep_beside(chain):
    """Beside one that runs: a machine that has no time for it may be told to try again."""
    found = []

    def done():
        said = chain.millrace("audit", "--deep", "--json", code=None)
        assert said.returncode in (0, 1) or (said.returncode == 75 and "try again" in said.stderr)
        found[:] = [json.loads(said.stdout)] if said.stdout else []
        return found
    wait_for(done, "it is not too fast for a look")
    return found[0]


def sink(audit, name, worker="exporter.0"):
    return next(row for row in audit["sinks"] if (row["name"], row["worker"]) == (name, worker))


def run_and_stop(make, count=2000, **options):
    chain = make(extra=SINKS, **options)
    with chain.producer(bad=89) as producer:
        chain.more(producer, count)
        producer.finish()
        chain.wait_out(producer)
    return chain


def test_a_chain_at_rest_is_proved_batch_by_batch_and_byte_by_byte(make):
    chain = run_and_stop(make, workers={"exporter": 2})
    audit = deep(chain)
    quick = json.loads(chain.millrace("audit", "--json").stdout)
    journal = audit["journals"][0]
    assert audit["balanced"] and audit["faults"] == []
    for key in ("received", "exported", "filtered", "dead", "dropped", "lost", "in_flight"):
        assert journal[key] == quick[key], key
    assert audit["unrouted"] == quick["unrouted"] == 0  # one sink takes everything
    assert journal["proved_from"] == 1
    assert journal["batches"] == journal["compared"] == journal["watermark"]
    for slot, dot in ((0, ""), (1, ".1")):
        for name in ("out", "some", "totals"):
            path = os.path.join(chain.folder, f"{name}{dot}.jsonl")
            row = sink(audit, name, f"exporter.{slot}")
            assert row["compared_rows"] == row["delivered"] == lines_in([path])
            assert row["compared_bytes"] == os.path.getsize(path)
        assert sink(audit, "dead.store", f"exporter.{slot}")["compared_rows"] > 0
    said = chain.millrace("audit", "--deep").stdout
    rows = f"{sum(row['delivered'] for row in audit['sinks']):,}"
    assert said.splitlines()[-1].endswith(f", {rows} of {rows} rows of sinks compared, nothing "
                                          "wrong in them: balanced")


def test_it_balances_beside_a_chain_that_runs_and_dies_while_segments_go(make):
    chain = make(extra=SINKS, workers={"exporter": 2, "processor": 2},
                 ingest="segment_bytes = 1MiB\n", exporter="spool_segment = 64KiB\n")
    victims = ("exporter.0", "ingest.0", "processor.1", "exporter.1")
    with chain.producer(pad=2000, bad=89) as producer:
        for victim in victims:
            chain.more(producer, 500)
            for _ in range(3):
                audit = deep_beside(chain)
                assert audit["faults"] == [], audit["faults"]
            chain.kill_and_wait(victim)
        chain.more(producer, 500)
        producer.finish()
        chain.wait_out(producer)
    audit = deep(chain)
    assert audit["balanced"] and audit["journals"][0]["in_flight"] == 0
    assert audit["journals"][0]["proved_from"] > 1  # retention took what is proved by totals


def test_a_flipped_byte_in_a_sinks_file_is_named_with_its_place(make):
    chain = run_and_stop(make)
    at = flip(chain.out, b'"n":700,')
    audit = deep(chain, code=1)
    assert [(fault["file"], fault["offset"]) for fault in audit["faults"]] == [(chain.out, at)]
    assert "sink out of exporter.0" in audit["faults"][0]["what"]
    assert audit["faults"][0]["seq"] > 1 and not audit["balanced"]
    said = chain.millrace("audit", "--deep", code=1).stdout.splitlines()
    assert f" {chain.out} offset {at}: " in said[-2] and said[-1].endswith("1 fault: NOT balanced")
    dead = os.path.join(chain.data_dir, "dead", "exporter.0.jsonl")
    at = flip(dead, b"attempts")
    assert (dead, at) in [(fault["file"], fault["offset"])
                          for fault in deep(chain, code=1)["faults"]]


def take_out(lines):
    del lines[700]


def put_in(lines):
    lines.insert(700, b"somebody else's line\n")


def write_twice(lines):
    lines.insert(700, lines[699])


def take_out_the_last(lines):
    del lines[-3:]


HARM = {take_out: " is missing here, from row ",
        put_in: "21 bytes stand here that are not due, before row ",
        write_twice: ": a row is there twice",
        take_out_the_last: "3 rows are missing here, from row "}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("running", [True, False])
def test_one_line_names_lines_that_are_missing_or_too_many(make, harm, running):
    """Batch, row and offset, beside a chain that runs and without one; before and behind it all
    is as it should be."""
    chain = make()
    with chain.producer() as producer:
        chain.more(producer, 2000)
        producer.finish()
        if running:
            wait_for(lambda: lines_in([chain.out]) == producer.made
                     and json.loads(chain.millrace("audit", "--json").stdout)["pending"] == 0,
                     chain.complaints)
        else:
            chain.wait_out(producer)
    with open(chain.out, "r+b") as file:
        lines = file.readlines()
        at = sum(len(line) for line in lines[:-3 if harm is take_out_the_last else 700])
        harm(lines)
        file.seek(0)
        file.write(b"".join(lines))
        file.truncate()
    fault, = deep(chain, code=1)["faults"]
    assert HARM[harm] in fault["what"] and "sink out of exporter.0" in fault["what"]
    assert fault["file"] == chain.out and fault["seq"] > 1
    assert fault["offset"] == at or harm is write_twice  # of two that are the same: either
    said = chain.millrace("audit", "--deep", code=1).stdout.splitlines()
    line, = (line for line in said if line.startswith("fault: "))
    assert f" batch {fault['seq']} {chain.out} offset {fault['offset']}: " in line
    assert said[-1].endswith("1 fault: NOT balanced")


def test_a_file_that_was_moved_is_found_beside_its_path_or_said_to_be_gone(make):
    chain = run_and_stop(make)
    beside, away = chain.out + ".old", os.path.join(chain.folder, "away")
    os.rename(chain.out, beside)
    moved = deep(chain)
    assert moved["balanced"]
    assert sink(moved, "out")["compared_rows"] == sink(moved, "out")["delivered"]
    os.mkdir(away)
    os.rename(beside, os.path.join(away, "out.jsonl"))
    assert sink(deep(chain), "out")["note"] == "the file was moved away"
    shutil.copy(os.path.join(away, "out.jsonl"), chain.out)
    assert sink(deep(chain), "out")["note"] == "another file stands at its path"
    said = chain.millrace("audit", "--deep").stdout
    assert any("out of exporter.0" in line and "another file stands at its path" in line
               for line in said.splitlines())


def test_a_cursor_beyond_the_end_is_named(make):
    chain = run_and_stop(make)
    size = os.path.getsize(chain.out)
    os.truncate(chain.out, size - 10)
    fault, = deep(chain, code=1)["faults"]
    assert (fault["file"], fault["offset"]) == (chain.out, size - 10)
    assert f"covers {size} bytes, the file has {size - 10}" in fault["what"]
    spool = os.path.join(chain.data_dir, "exporter.0.spool")
    first = sorted(name for name in os.listdir(spool) if name.endswith(".seg"))[0]
    os.truncate(os.path.join(spool, first), 4096)
    os.remove(os.path.join(spool, "head"))
    faults = deep(chain, code=1)["faults"]
    assert any("beyond the end of its spool" in fault["what"] and
               fault["file"] == "exporter.0.cursors/out.cursor" for fault in faults)
    assert any("in no spool" in fault["what"] for fault in faults)


def test_a_broken_cursor_is_named(make):
    chain = run_and_stop(make, count=300)
    path = os.path.join(chain.data_dir, "exporter.0.cursors", "some.cursor")
    with open(path, "r+b") as file:
        file.write(b"\xff" * 1024)
    fault, = deep(chain, code=1)["faults"]
    assert fault["file"] == "exporter.0.cursors/some.cursor"
    assert "broken" in fault["what"]


def test_a_rotated_file_is_compared_from_where_it_begins(make):
    chain = make(extra=SINKS)
    with chain.producer() as producer:
        chain.more(producer, 500)
        wait_for(lambda: lines_in([chain.out]) > 0, "rows in the old file")
        os.rename(chain.out, os.path.join(chain.folder, "out.77.jsonl"))
        wait_for(lambda: os.path.exists(chain.out), "a new file")
        chain.more(producer, 500)
        producer.finish()
        chain.wait_out(producer)
    audit = deep(chain)
    assert audit["balanced"]
    assert sink(audit, "out")["compared_rows"] == lines_in([chain.out])
    assert sink(audit, "out")["note"] == "the file begins here"


def test_a_copy_of_the_data_is_proved_without_a_configuration(make):
    chain = run_and_stop(make, count=500)
    copy = os.path.join(chain.folder, "copy")
    shutil.copytree(chain.data_dir, copy)
    missing = {"MILLRACE_CONF": os.path.join(chain.folder, "none.ini")}
    said = chain.run_with(missing, "audit", "--deep", "--json", copy)
    assert json.loads(said.stdout)["balanced"], said.stdout
    assert sink(json.loads(said.stdout), "out")["note"] == "no configuration says where it is"
    flip_in_spool(copy)
    said = chain.run_with(missing, "audit", "--deep", copy, code=1)
    assert "exporter.0.spool/" in said.stdout and "payload checksum" in said.stdout
    chain.millrace("audit", os.path.join(chain.folder, "nowhere"), code=1)


def flip_in_spool(data_dir):
    folder = os.path.join(data_dir, "exporter.0.spool")
    name = sorted(name for name in os.listdir(folder) if name.endswith(".seg"))[0]
    flip(os.path.join(folder, name), b'"n":70,')


def test_what_was_dropped_is_no_fault(make):
    chain = make(exporter="spool_segment = 64KiB\nspool_limit = 1MiB\n",
                 extra=SECOND + "on_full = drop_oldest\n")
    folder = os.path.join(chain.folder, "second")
    with chain.producer(pad=3000) as producer:
        chain.more(producer, 50)
        obstruct(folder)
        wait_for(lambda: sink(deep(chain, code=None), "second")["dropped"] > 0,
                 chain.complaints)
        os.remove(folder)
        producer.finish()
        chain.wait_out(producer)
    audit = deep(chain)
    assert audit["balanced"], audit["faults"]
    assert sink(audit, "second")["dropped"] > 0


def test_what_was_dropped_is_no_fault_while_the_sink_lags(make):
    """The spool begins where nothing of it is in the sink's file."""
    chain = make(up=False, exporter="spool_segment = 64KiB\nspool_limit = 1MiB\n",
                 extra=SECOND + "on_full = drop_oldest\n")
    disk = BadDisk(chain.folder)
    disk.put_under(chain.bin, "exporter")
    chain.up()
    path = os.path.join(chain.folder, "second", "out.jsonl")
    with chain.producer(pad=3000) as producer:
        chain.more(producer, 50)
        wait_for(lambda: lines_in([path]) >= 50, chain.complaints)
        disk.fails("w", "second/out.jsonl", errno.ENOSPC)
        wait_for(lambda: sink(deep(chain), "second")["dropped"] > 0, chain.complaints)
        for _ in range(5):
            chain.more(producer, 100)
            audit = deep(chain)
            assert audit["balanced"], audit["faults"]
        disk.works()
        chain.more(producer, 300)
        producer.finish()
    chain.wait_out(producer)
    audit = deep(chain)
    assert audit["balanced"] and sink(audit, "second")["compared_rows"] > 0
    size = os.path.getsize(path)
    for begin, end in ((size - 400_000, size - 100_000), (0, size)):
        with overwritten(path, begin, end):
            fault = deep(chain, code=1)["faults"][0]
            assert fault["file"] == path and begin <= fault["offset"] < end
    at = flip(path, b'"n":%d,' % json.loads(last_line(path, 3))["n"])
    assert [(fault["file"], fault["offset"]) for fault in deep(chain, code=1)["faults"]] \
        == [(path, at)]


@contextlib.contextmanager
def overwritten(path, begin, end):
    """Zeros stand there meanwhile, as after a power loss."""
    with open(path, "r+b") as file:
        file.seek(begin)
        was = file.read(end - begin)
        file.seek(begin)
        file.write(bytes(end - begin))
        file.flush()
        yield
        file.seek(begin)
        file.write(was)


def test_a_segment_that_is_gone_is_no_fault_of_the_sinks_file(make):
    chain = run_and_stop(make, exporter="spool_segment = 64KiB\nretain_for = 1h\n")
    spool = os.path.join(chain.data_dir, "exporter.0.spool")
    names = chain.segments("exporter.0.spool")
    os.remove(os.path.join(spool, names[len(names) // 2]))
    audit = deep(chain, code=1)
    assert any("cannot be read" in fault["what"] for fault in audit["faults"])
    assert not any(fault["what"].startswith("sink ") for fault in audit["faults"])
    out = sink(audit, "out")
    assert out["note"] == "the spool cannot be read further back"
    assert 0 < out["compared_rows"] < out["delivered"]


def test_rows_that_went_before_their_sink_had_them_are_missed(make):
    chain = make(up=False, exporter="spool_segment = 64KiB\n", extra=SECOND)
    disk = BadDisk(chain.folder)
    disk.put_under(chain.bin, "exporter")
    chain.up()
    with chain.producer(pad=3000) as producer:
        chain.more(producer, 50)
        disk.fails("w", "second/out.jsonl", errno.ENOSPC)
        chain.more(producer, 500)
        producer.finish()
        wait_for(lambda: lines_in([chain.out]) == producer.made, chain.complaints)
    chain.kill_all()
    assert deep(chain)["balanced"]
    names = chain.segments("exporter.0.spool")
    for name in names[:len(names) // 2]:
        os.remove(os.path.join(chain.data_dir, "exporter.0.spool", name))
    faults = {fault["file"]: fault["what"] for fault in deep(chain, code=1)["faults"]}
    assert "what was due in between is gone" in faults.pop("exporter.0.cursors/second.cursor")
    # Of whom nothing is due, the cursor may have stayed behind.
    assert set(faults) <= {"exporter.0.cursors/dead.store.cursor"}


def last_line(path, back):
    with open(path, "rb") as file:
        return file.readlines()[-back]
