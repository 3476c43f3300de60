"""Journal and spool keep what is settled by size and by age; nothing else depends on how much."""
import json
import os

import pytest
from deliverylib import lines_in, outputs
from harness import wait_for


@pytest.fixture(name="make")
def make_chain(chains):
    return lambda ingest, exporter: chains(ingest="segment_bytes = 1MiB\n" + ingest,
                                           exporter="spool_segment = 64KiB\n" + exporter)


def span(chain, log):
    """Bytes from the first segment's start to the last one's."""
    names = chain.segments(log)
    return int(names[-1][:16], 16) - int(names[0][:16], 16)


def first_kept(chain, log):
    """Position of the first byte that is still there."""
    return int(chain.segments(log)[0][:16], 16)


def feed(chain, count, until=lambda: True):
    with chain.producer(pad=2500, bad=89, rate=4000) as producer:
        chain.more(producer, count)
        wait_for(until, lambda: f"{span(chain, 'ingest.0.journal')} "
                                f"{span(chain, 'exporter.0.spool')}\n{chain.complaints()}")
        producer.finish()
        good = producer.expected()[0]
        wait_for(lambda: lines_in(outputs(chain.out)) >= good, chain.complaints)
        return producer.made


def audit(chain, *words):
    return json.loads(chain.millrace("audit", "--json", *words).stdout)


def test_without_retention_settled_files_go(make):
    chain = make("", "")
    feed(chain, 3000, lambda: first_kept(chain, "ingest.0.journal") > 6 << 20 and
         first_kept(chain, "exporter.0.spool") > 6 << 20)
    chain.millrace("down")
    assert audit(chain)["balanced"] and audit(chain, "--deep")["balanced"]


def test_batches_as_large_as_a_file_leave_no_more_than_small_ones(make):
    """Each fills a segment of the journal, and the last ones are settled when nothing flows."""
    chain = make("batch_bytes = 4MiB\n", "")
    most = 0
    with chain.producer(pad=900_000, size=1, window=8) as producer:
        for _ in range(10):
            chain.more(producer, 8)
            most = max(most, len(chain.segments("ingest.0.journal")))
        producer.finish()
        made, good = producer.made, producer.expected()[0]
    wait_for(lambda: len(chain.segments("ingest.0.journal")) <= 2, chain.complaints)
    folder = os.path.join(chain.data_dir, "ingest.0.journal")
    held = sum(entry.stat().st_size for entry in os.scandir(folder))
    assert held <= (2 + 8) * (2 << 20), sorted(os.listdir(folder))  # and what is kept for reuse
    assert most <= 64 + 2 * 8 + 2  # what the window lets be in flight, and what was not looked at
    wait_for(lambda: lines_in(outputs(chain.out)) >= good, chain.complaints)
    chain.millrace("down")
    assert audit(chain)["balanced"] and audit(chain)["received"] == made


def test_by_size_so_much_is_kept_and_the_rest_goes(make):
    chain = make("retain_bytes = 4MiB\n", "retain_bytes = 2MiB\n")
    made = feed(chain, 4000, lambda: first_kept(chain, "ingest.0.journal") > 6 << 20 and
                first_kept(chain, "exporter.0.spool") > 6 << 20)
    chain.millrace("down")
    assert span(chain, "ingest.0.journal") >= 2 << 20
    assert span(chain, "exporter.0.spool") >= 1 << 20
    quick, deep = audit(chain), audit(chain, "--deep")
    assert quick["balanced"] and quick["received"] == made and quick["in_flight"] == 0
    assert deep["balanced"] and deep["journals"][0]["proved_from"] > 1
    assert deep["journals"][0]["compared"] > 0


def test_by_age_all_is_kept_and_a_start_after_power_loss_takes_nothing_twice(make):
    chain = make("retain_for = 1h\n", "retain_for = 1h\n")
    made = feed(chain, 3000)
    first = "0" * 16 + ".seg"
    assert chain.segments("ingest.0.journal")[0] == first
    assert chain.segments("exporter.0.spool")[0] == first
    chain.lose_power()
    assert audit(chain)["balanced"]
    chain.up()
    wait_for(lambda: audit(chain)["in_flight"] == 0 and audit(chain)["pending"] == 0,
             lambda: str(audit(chain)))
    chain.millrace("down")
    quick, deep = audit(chain), audit(chain, "--deep")
    assert quick["balanced"] and quick["received"] == made
    assert quick["exported"] == lines_in(outputs(chain.out))
    assert deep["balanced"] and deep["journals"][0]["proved_from"] == 1
    assert deep["journals"][0]["batches"] == deep["journals"][0]["compared"]
