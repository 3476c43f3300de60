"""A new domain is a folder, an ops table and a word in the chain: tests/support/upper is one."""
from harness import assert_exactly_once, numbered

CHAIN = "ingest, upper, processor, exporter"


def test_a_new_domain_takes_its_place_in_the_chain(make):
    chain = make(chain=CHAIN, processor="drop = LOUD == 1")
    chain.listen()
    chain.start("exporter.0", "processor.0", "upper.0", "ingest.0")
    chain.push([b'{"n":1,"text":"quiet"}', b'{"loud":1}', b"nonsense"])
    assert chain.wait_lines(1) == [b'{"N":1,"TEXT":"QUIET"}']
    ledger = chain.settled()
    assert (ledger["exported"], ledger["filtered"], ledger["dead"]) == (1, 1, 1)
    assert chain.dead()[0]["record"] == "NONSENSE"
    counters = chain.counters("upper.0")
    assert (counters["domain"], counters["callback_failures"]) == ("upper", 0)
    assert counters["operations"]["handle"]["records"] == 3
    chain.stop("ingest.0", "upper.0", "processor.0", "exporter.0")


def test_callbacks_that_fail_stop_neither_the_others_nor_the_batch(make):
    chain = make(chain=CHAIN, extra="[upper]\ncareless = yes\n")
    chain.listen()
    chain.start("exporter.0", "processor.0", "upper.0", "ingest.0")
    chain.push(numbered(1, 1000))
    assert_exactly_once(chain.wait_lines(1000), 1000, key="N")
    counters = chain.counters("upper.0", lambda c: c["callback_failures"] > 0)
    handle = counters["operations"]["handle"]
    assert handle["records"] == 1000
    assert counters["callback_failures"] == 3 * handle["count"]
    assert list(counters["operations"]) == ["handle"]


def test_a_new_domain_drains_and_scales_like_the_others(make):
    chain = make(chain=CHAIN)
    chain.start("exporter.0", "processor.0", "upper.0", "ingest.0")
    chain.push(numbered(1, 500))
    chain.start("upper.1")
    chain.stop("upper.0")
    chain.push(numbered(501, 1000))
    chain.restart("upper.1")
    assert_exactly_once(chain.wait_lines(1000), 1000, key="N")


def test_its_options_are_checked_by_itself(make):
    chain = make(chain=CHAIN, extra="[upper]\ncareles = yes\n")
    code, said = chain.refusal("upper.0")
    assert code == 78 and "[upper] careles:" in said and "careless" in said
    chain.start("exporter.0", "processor.0", "ingest.0")  # the others do not know its keys
