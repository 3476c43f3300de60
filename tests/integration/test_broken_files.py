"""Files of the data directory that were damaged while nothing ran: a start either goes on and says
what it left out, or refuses with one line that names the file and says what to do."""
import os
import shutil
import struct

import pytest

RECORDS = 200


@pytest.fixture(name="chain")
def make_chain(make):
    """Has delivered RECORDS records; nothing runs."""
    chain = make(chain="ingest, processor, metrics, exporter",
                 extra="[metric requests]\ntype = counter\n")
    chain.start("exporter.0", "metrics.0", "processor.0", "ingest.0")
    chain.push([b'{"n":%d}' % n for n in range(RECORDS)])
    chain.wait_lines(RECORDS)
    chain.stop("ingest.0", "processor.0", "metrics.0", "exporter.0")
    return chain


def path_in(chain, *names):
    return os.path.join(chain.folder, "data", *names)


def overwrite(path, data, at=0):
    with open(path, "r+b") as out:
        out.seek(at)
        out.write(data)


def refused(chain, name, code, *words):
    got, said = chain.refusal(name)
    lines = [line for line in said.splitlines() if all(word in line for word in words)]
    assert got == code and len(lines) == 1, (got, said)


def goes_on(chain):
    """Everything runs, and what comes in comes out."""
    chain.start("exporter.0", "metrics.0", "processor.0", "ingest.0")
    chain.push([b'{"n":%d}' % n for n in range(RECORDS, RECORDS + 10)])
    chain.wait_lines(RECORDS + 10)


def test_the_ceiling_of_the_numbers(chain):
    path = path_in(chain, "ingest.0.journal", "ceiling")
    overwrite(path, b"nonsense" * 4)
    refused(chain, "ingest.0", 1, path, "is broken; restore it, or move the whole journal away")
    shutil.move(path_in(chain, "ingest.0.journal"), chain.folder)
    goes_on(chain)


def test_a_window_of_another_version(chain):
    path = path_in(chain, "ingest.0.window")
    overwrite(path, struct.pack("=I", 99), at=8)
    refused(chain, "ingest.0", 1, path, "is not a window of this version; remove it while nothing "
                                        "runs")
    os.remove(path)
    goes_on(chain)


def test_the_cursor_of_a_sink(chain):
    path = path_in(chain, "exporter.0.cursors", "out.cursor")
    overwrite(path, b"\x55" * os.path.getsize(path))
    chain.start("exporter.0")  # its other sinks go on
    chain.wait_for(lambda: f"the cursor {path} is broken or of another version; restore it, or "
                           "remove it to go on with what comes next" in chain.complaints(),
                   chain.complaints)
    chain.stop("exporter.0")
    os.remove(path)
    goes_on(chain)


@pytest.mark.parametrize("data, at, why", [
    (b"", None, "the file is too short"), (b"#", 0, "this is no file of totals"),
    (b"#", 20, "the header does not match its checksum"),
    (b"#", -1, "the content does not match its checksum")])
def test_totals_that_are_broken_are_kept_and_begin_anew(chain, data, at, why):
    path = path_in(chain, "exporter.0.totals")
    if at is None:
        os.truncate(path, 4)
    else:
        overwrite(path, data, at if at >= 0 else os.path.getsize(path) + at)
    goes_on(chain)
    assert os.path.exists(path + ".broken")
    assert f"{why}; kept as {path}.broken, the totals start from 0" in chain.complaints()


def test_a_sinks_file_that_somebody_cut_or_wrote_in(chain):
    whole = os.path.getsize(chain.out)
    os.truncate(chain.out, whole - 20)
    chain.start("exporter.0")
    chain.wait_for(lambda: f"{chain.out} has 20 bytes fewer than were written: somebody cut it"
                   in chain.complaints(), chain.complaints)
    chain.stop("exporter.0")
    with open(chain.out, "ab") as out:
        out.write(b"not a record\n")
    chain.start("exporter.0", "metrics.0", "processor.0", "ingest.0")
    chain.push([b'{"last":1}'])
    chain.wait_for(lambda: chain.lines()[-1:] == [b'{"last":1}'], chain.complaints)


def test_a_sinks_file_that_ends_in_the_middle_of_a_line(make):
    chain = make()
    with open(chain.out, "wb") as out:
        out.write(b"begun")
    chain.start("exporter.0", "processor.0", "ingest.0")
    chain.push([b'{"n":1}'])
    assert chain.wait_lines(2) == [b"begun", b'{"n":1}']
    assert f"{chain.out} ended in the middle of a line; a new one is begun" in chain.complaints()


def test_a_sinks_file_that_is_cut_or_deleted_while_it_is_written(make):
    """It is said once, and counted as an error; what follows goes on, whole lines only."""
    chain = make()
    chain.listen()
    chain.start("exporter.0", "processor.0", "ingest.0")
    chain.push([b'{"n":%d}' % n for n in range(RECORDS)])
    chain.wait_lines(RECORDS)
    os.truncate(chain.out, 12)
    cut = " bytes fewer than were written: somebody cut it"
    chain.wait_for(lambda: cut in chain.complaints(), chain.complaints)
    chain.push([b'{"after":1}'])
    assert chain.wait_lines(3) == [b'{"n":0}', b'{"n"', b'{"after":1}']
    os.remove(chain.out)
    gone = f"{chain.out} was deleted with "
    chain.wait_for(lambda: gone in chain.complaints(), chain.complaints)
    chain.push([b'{"after":2}'])
    chain.wait_lines(1)
    chain.counters("exporter.0", lambda counters: sum(
        operation["errors"] for operation in counters["operations"].values()) == 2)
    assert chain.complaints().count(cut) == chain.complaints().count(gone) == 1
