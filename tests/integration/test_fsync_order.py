"""durability = fsync, seen from below: in the traces of ingest and exporter no acknowledgement, no
batch passed on, no DONE and no row of a sink precedes the sync that covers it."""
import os
import re
import shutil
import subprocess

import pytest
import zmq
from deliverylib import Delivery
from harness import tail, wait_for
from straced import Disk, calls_of, done_messages, words_of, wrap

RECORDS = 400
RECORD = re.compile(rb'\{"p":0,"n":(\d+),"t":')
ACKNOWLEDGED = re.compile(rb"\x01\x02ok\x00[\x01-\x14](\d+)")


def may_trace():
    return shutil.which("strace") is not None and subprocess.run(
        ["strace", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode == 0


@pytest.fixture(scope="module", name="traces")
def run_traced():
    """stage -> its calls, while some hundred records of a pipelining producer passed."""
    chain = Delivery(batch=10, ingest="durability = fsync\n")
    paths = {stage: wrap(chain.bin, stage) for stage in ("ingest", "exporter")}
    chain.up()
    with chain.producer(size=2, window=16, limit=RECORDS) as producer:
        producer.finish()
        chain.wait_out(producer)  # and all of them have ended
    for path in paths.values():
        wait_for(lambda path=path: "+++ exited with 0 +++" in tail(path, 1), "the trace is whole")
    calls = {stage: calls_of(path) for stage, path in paths.items()}
    chain.close()
    return calls


def first_sent(calls, pattern, names=("sendto", "sendmsg")):
    """number -> the first of these calls with a match of that number."""
    found = {}
    for call in calls:
        if call.name in names:
            for match in pattern.findall(call.data):
                found.setdefault(int(match), call)
    return found


# Where CI runs, it must be shown.
needs_strace = pytest.mark.skipif(os.environ.get("CI") != "true" and not may_trace(),
                                  reason="nobody may be traced here")


@needs_strace
def test_no_acknowledgement_precedes_its_fdatasync(traces):
    calls = traces["ingest"]
    journal = Disk(calls, "ingest.0.journal")
    durable = {n: journal.durable_at(b'{"p":0,"n":%d,"t":' % n) for n in range(1, RECORDS + 1)}
    told = first_sent(calls, ACKNOWLEDGED)
    assert max(told) == RECORDS and len(told) > 10
    for last, call in told.items():
        late = [n for n in range(1, last + 1) if durable[n] is None or durable[n] >= call.began]
        assert not late, f"{late} were acknowledged ({last}) before the disk had them"


@needs_strace
def test_no_batch_is_passed_on_before_its_fdatasync(traces):
    calls = traces["ingest"]
    journal = Disk(calls, "ingest.0.journal")
    passed = first_sent(calls, RECORD)
    assert len(passed) == RECORDS
    for n, call in passed.items():
        at = journal.durable_at(b'{"p":0,"n":%d,"t":' % n)
        assert at is not None and at < call.began, f"record {n}"


@needs_strace
def test_no_done_and_no_row_precedes_the_spools_fdatasync(traces):
    calls = traces["exporter"]
    spool = Disk(calls, "exporter.0.spool")
    done = {}
    for call in calls:
        for key in done_messages(call.data) if call.name.startswith("send") else ():
            done.setdefault(key, call)
    assert len(done) >= RECORDS // 10
    for key, call in done.items():
        at = spool.durable_at(key)
        assert at is not None and at < call.began, words_of(key)
    rows = first_sent([call for call in calls if call.path.endswith("/out.jsonl")], RECORD,
                      ("write", "writev", "pwrite64", "pwritev"))
    assert len(rows) == RECORDS
    for n, call in rows.items():
        at = spool.durable_at(b'{"p":0,"n":%d,"t":' % n)
        assert at is not None and at < call.began, f"row {n}"


@needs_strace
def test_no_acknowledgement_of_what_an_earlier_life_took_in_precedes_the_first_fdatasync():
    """It may have died between append and sync: the journal's end is not durable by being there.
    The first sync of each life takes a second here."""
    chain = Delivery(ingest="durability = fsync\n")
    trace = wrap(chain.bin, "ingest", "-e inject=fdatasync:delay_enter=1000000:when=1")
    chain.up()
    with chain.context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(f"ipc://{chain.run_dir}/router0")

        def ask():
            socket.send_multipart([b"p/1", b'{"p":0}'])
            assert socket.poll(60000), chain.complaints()
            return socket.recv_multipart()[1]
        assert ask() == b"ok"
        chain.millrace("restart", "ingest", "--now")
        assert ask() == b"ok"  # not taken again
    chain.millrace("down")
    wait_for(lambda: "+++ exited with 0 +++" in tail(trace, 1), "the trace is whole")
    calls = calls_of(trace)
    syncs = Disk(calls, "ingest.0.journal").syncs
    told = [call for call in calls if ACKNOWLEDGED.search(call.data)]
    assert len(told) == 1 and syncs[0].ended < told[0].began
    chain.close()
