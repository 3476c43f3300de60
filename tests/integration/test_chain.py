"""Records through ingest, processor and exporter: what goes in comes out, once, as it was."""
import collections
import itertools
import json
import os
import signal
import subprocess

import pytest
import zmq
from harness import SOURCE, assert_exactly_once, numbered, wait_for

LOG = os.path.join(SOURCE, "tests", "data", "access.log")


def log_lines():
    with open(LOG, "rb") as source:
        return source.read().splitlines()


def test_a_web_servers_log_goes_through_the_chain_whole(make):
    chain = make(processor="parse = combined")
    chain.listen()
    chain.start_all()
    lines = log_lines()
    chain.push(lines[:2000] + [b"no log line at all"] + lines[2000:])
    chain.wait_lines(4000)
    records = chain.records()
    assert sum(record["bytes"] for record in records) == 10506351
    statuses = collections.Counter(record["status"] for record in records)
    assert (statuses[200], statuses[404], statuses[503]) == (2213, 165, 154)
    assert sum("request" in record for record in records) == 65
    assert {record["client"].split(".")[0] for record in records} == {"127"}
    assert chain.settled() == {"received": 4001, "exported": 4000, "filtered": 0, "dead": 1,
                               "dropped": 0, "lost": 0, "in_flight": 0, "in_flight_batches": 0}
    dead = chain.dead()
    assert [(row["error_type"], row["record"]) for row in dead] == [
        ("parse_combined", "no log line at all")]
    chain.stop("ingest.0", "processor.0", "exporter.0")
    assert os.listdir(chain.run_dir) == ["bus.in"]


def test_steps_change_and_filter_records(make):
    chain = make(processor='drop = level == "debug"\nset = env = "prod"\nrename = user -> user_id')
    chain.listen()
    chain.start_all()
    chain.push([b'{"n":1,"level":"debug"}', b'{"n":2,"level":"info","user":"a"}',
                b'{"n":3,"level":"debug"}', b'{"n":4}'])
    assert chain.wait_lines(2) == [b'{"n":2,"level":"info","user_id":"a","env":"prod"}',
                                   b'{"n":4,"env":"prod"}']
    ledger = chain.settled()
    assert (ledger["exported"], ledger["filtered"]) == (2, 2)


def test_a_batch_emptied_by_filters_still_settles(make):
    chain = make(processor="keep = n > 10")
    chain.listen()
    chain.start_all()
    chain.push(numbered(1, 10))
    ledger = chain.counters("ingest.0", lambda c: c["ledger"]["filtered"] == 10)["ledger"]
    assert ledger["in_flight"] == 0
    assert chain.lines() == []


def test_one_bad_record_never_touches_its_neighbours(make):
    bad = {b'{"n":': "json_syntax", b'{"n":1}{"n":2}': "json_syntax", b'"open': "json_syntax",
           b'{"n":"\xff"}': "json_utf8", b'[1,2]': "json_not_object", b'}': "json_syntax",
           b'{"a":1\n,"b":2}': None, b"\x00": "json_syntax"}
    chain = make()
    chain.start_all()
    records, good = [], numbered(1, 4 * len(bad))
    for i, text in enumerate(bad):
        records += good[4 * i:4 * i + 2] + [text] + good[4 * i + 2:4 * i + 4]
    chain.push(records)
    lines = chain.wait_lines(len(good) + 1)
    assert [line for line in lines if line.startswith(b'{"n"')] == good
    assert [line for line in lines if not line.startswith(b'{"n"')] == [b'{"a":1 ,"b":2}']
    rows = wait_for(lambda: len(chain.dead()) == len(bad) - 1 and chain.dead(), "dead letters")
    assert [row["error_type"] for row in rows] == [kind for kind in bad.values() if kind]


def test_sinks_take_what_matches_and_put_an_envelope_around_it(make):
    chain = make(sinks="[sink all]\ntype = file\npath = out.jsonl\n"
                       "[sink errors]\ntype = file\npath = errors.jsonl\n"
                       'match = level == "error"\nenvelope = yes\n'
                       "[sink bad]\ntype = file\npath = bad.jsonl\ninput = dead\n"
                       "[sink syntax]\ntype = file\npath = syntax.jsonl\ninput = dead\n"
                       'match = error_type == "json_syntax"\n')
    chain.start_all()
    chain.push([b'{"level":"info","i":0}', b'{"level":"error","i":1}', b"nonsense", b"[]", b"{}",
                b'{"level":"error","i":4}'])
    chain.wait_lines(4)
    errors = [json.loads(line) for line in
              chain.wait_lines(2, os.path.join(chain.folder, "errors.jsonl"))]
    assert [row["i"] for row in errors] == [1, 4]
    assert all(set(row) == {"level", "i", "_id", "_ingested"} for row in errors)
    bad = [json.loads(line) for line in
           chain.wait_lines(2, os.path.join(chain.folder, "bad.jsonl"))]
    assert [row["error_type"] for row in bad] == ["json_syntax", "json_not_object"]
    ids = [row["_id"] for row in errors] + [row["id"] for row in bad]
    assert len(set(ids)) == 4 and len({name.split("-")[0] for name in ids}) == 1
    chain.wait_lines(1, os.path.join(chain.folder, "syntax.jsonl"))


def test_standard_output_is_a_sink(make):
    chain = make(sinks="[sink out]\ntype = stdout\n")
    chain.start("exporter.0", stdout=subprocess.PIPE)
    chain.start("processor.0", "ingest.0")
    chain.push(numbered(1, 500))
    output = chain.workers["exporter.0"].stdout
    lines = [output.readline() for _ in range(500)]
    assert_exactly_once(lines, 500)
    chain.stop("ingest.0", "processor.0", "exporter.0")
    assert output.read() == b""


def test_reopen_after_the_file_was_moved_away(make):
    chain = make()
    chain.start_all()
    chain.push(numbered(1, 10))
    chain.wait_lines(10)
    moved = os.path.join(chain.folder, "old.jsonl")
    os.rename(chain.out, moved)
    chain.workers["exporter.0"].send_signal(signal.SIGHUP)
    wait_for(lambda: os.path.exists(chain.out), "a new file after SIGHUP")
    chain.push(numbered(11, 20))
    chain.wait_lines(10)
    os.rename(chain.out, os.path.join(chain.folder, "older.jsonl"))
    wait_for(lambda: os.path.exists(chain.out), "a new file without SIGHUP")
    chain.push(numbered(21, 30))
    chain.wait_lines(10)
    with open(moved, "rb") as source:
        assert_exactly_once(source.readlines(), 10)


def test_an_idle_pipeline_sends_a_record_at_once(make):
    """A linger of a minute: whoever waits for it does not come home before the deadline."""
    chain = make(ingest="router = ipc://in/router\nlinger_ms = 60000")
    chain.listen()
    chain.start_all()
    for n in range(1, 6):
        assert chain.ask(b"one/%d" % n, numbered(n, n)[0])[1:] == [b"ok", b"%d" % n]
        chain.wait_lines(n)
    counters = chain.counters("exporter.0", lambda c: c["latency"]["count"] == 5)
    assert counters["operations"]["export.out"] == {
        "count": 5, "records": 5, "errors": 0, "error_types": {}}


def test_batches_fill_while_others_are_in_flight(make):
    chain = make(ingest="pull = ipc://in/pull\nlinger_ms = 60000\nbatch_records = 100")
    chain.listen()
    chain.start("ingest.0")
    with chain.socket(zmq.PUSH, "pull", sndhwm=0) as sender:
        for record in numbered(1, 1001):
            sender.send(record)
        chain.counters("ingest.0", lambda c: c["ledger"]["received"] > 0)
        chain.start("exporter.0", "processor.0")
        chain.wait_lines(1001)
        counters = chain.counters("ingest.0", lambda c: c["ledger"]["exported"] == 1001)
    assert counters["operations"]["receive"]["count"] <= 40
    assert_exactly_once(chain.lines(), 1001)


def test_small_batches_keep_their_spacing_but_no_producer_waits_for_it(make):
    """A spacing of a minute: the second batch comes home sooner only because somebody asks."""
    chain = make(ingest="pull = ipc://in/pull\nrouter = ipc://in/router\n"
                        "linger_ms = 60000\nspacing_ms = 60000")
    chain.listen()
    chain.start_all()
    chain.push(numbered(1, 1))
    chain.wait_lines(1)  # the first goes at once
    chain.settled()
    chain.push(numbered(2, 9))
    asked = itertools.count(1)

    def all_home():
        """An answer comes at once, and takes what was pushed before along."""
        n = next(asked)
        with chain.socket(zmq.REQ, "router") as asker:
            asker.send_multipart([b"asker/%d" % n, *numbered(9 + n, 9 + n)])
            assert asker.poll(30000), "the answer waits for the spacing"
            assert asker.recv_multipart()[1:] == [b"ok", b"%d" % n]
        return set(numbered(1, 9)) <= set(chain.lines())
    wait_for(all_home, "the records that were pushed")
    requests = next(asked) - 1
    counters = chain.counters("ingest.0", lambda c: c["ledger"]["exported"] == 9 + requests)
    assert counters["operations"]["receive"]["count"] <= 1 + requests


@pytest.mark.parametrize("user", [None, "65534"])
def test_the_chain_runs_as_root_and_as_a_user(make, user):
    if os.getuid() != 0:
        user = None  # whoever we are, it is one of the two
    chain = make(user=user)
    chain.start_all()
    chain.push(numbered(1, 100))
    assert_exactly_once(chain.wait_lines(100), 100)
    assert os.stat(chain.out).st_uid == (int(user) if user else os.getuid())
    assert os.stat(chain.run_dir).st_mode & 0o777 == 0o700
    chain.stop("ingest.0", "processor.0", "exporter.0")


def test_a_batch_that_outgrows_a_frame_becomes_records_and_dead_letters(make):
    """20,000 small records, each set to 8 KB: the rest of the frame is for what fits."""
    chain = make(ingest="router = ipc://in/router\nbatch_records = 65536\nbatch_bytes = 16MiB",
                 processor=f'set = pad = "{"x" * 8000}"')
    chain.listen()
    chain.start_all()
    records = numbered(1, 20000)
    assert chain.ask(b"grow/20000", *records) == [b"grow/20000", b"ok", b"20000"]
    ledger = chain.settled()
    assert ledger["exported"] + ledger["dead"] == 20000 and ledger["dead"] > 10000
    lines = chain.wait_lines(ledger["exported"])
    chain.wait_for(lambda: len(chain.dead()) == ledger["dead"], "all dead letters are written")
    dead = chain.dead()
    assert {row["error_type"] for row in dead} == {"record_too_large"}
    both = lines + [row["record"].encode() for row in dead]
    assert_exactly_once(both, 20000)
    assert {row["record"].encode() for row in dead} <= set(records)
    assert chain.ask(b"grow/20001", b'{"n":20001}') == [b"grow/20001", b"ok", b"20001"]
    chain.wait_lines(ledger["exported"] + 1)
