"""Records that crash or hang the processor that works on them (steps of builds with crash points):
each becomes a dead letter, alone, and nothing waits for it."""
import json
import os
import re
import struct

import pytest
from deliverylib import dead_letters, lines_in, outputs
from harness import wait_for

SIZE = 50  # records of a request, and of a batch
HANG = "[launcher]\nhang_timeout = {}\n"

PAGE_AT, PAGE = 1024, struct.Struct("=QQQQ")  # crumb, evidence, progress, holding


@pytest.fixture(name="make")
def make_chain(chains):
    return chains


def poisoned(make, step, poison, hang="1s", **options):
    """A chain with two processors that die of these records."""
    condition = " or ".join(f"n == {n}" for n in sorted(poison))
    options.setdefault("workers", {"processor": 2})
    return make(processor=f"{step} = {condition}", extra=HANG.format(hang), **options)


def exported(chain):
    """Numbers in the sink's file in the order in which they stand there, and the lines by them.
    With one exporter that is the order in which batches were finished."""
    with open(chain.out, "rb") as source:
        lines = source.read().splitlines()
    numbers = [json.loads(line)["n"] for line in lines]
    return numbers, dict(zip(numbers, lines))


def batch_of(n):
    first = n - (n - 1) % SIZE
    return range(first, first + SIZE)


def assert_alone(chain, poison, kind):
    """One dead letter for each of these, with its bytes; its neighbours came out once."""
    rows = {json.loads(row["record"])["n"]: row for row in dead_letters(chain.data_dir)}
    assert len(rows) == len(dead_letters(chain.data_dir))
    assert {n: row["error_type"] for n, row in rows.items()} == dict.fromkeys(poison, kind)
    numbers, lines = exported(chain)
    for n in sorted(poison):
        neighbours = [other for other in batch_of(n) if other not in poison]
        assert all(numbers.count(other) == 1 for other in neighbours)
        # Records of one request differ in their numbers alone.
        assert rows[n]["record"].encode() == lines[neighbours[0]].replace(
            b'"n":%d,' % neighbours[0], b'"n":%d,' % n)


def assert_passed(chain, n):
    """Records that were sent after it came out before it was judged: its neighbours in the batch,
    which is finished as a whole, stand behind them."""
    numbers, _ = exported(chain)
    judged = numbers.index(batch_of(n)[0])
    assert [other for other in numbers[:judged] if other > batch_of(n)[-1]], "nothing flowed"


def wait_judged(chain, poison):
    wait_for(lambda: len(dead_letters(chain.data_dir)) >= len(poison),
             lambda: f"{dead_letters(chain.data_dir)}\n{chain.complaints()}")


def run(chain, poison, kind, rate):
    """A producer that sends all the time, until the records are judged and for a while more."""
    with chain.producer(size=SIZE, rate=rate, poison=poison) as producer:
        wait_judged(chain, poison)
        chain.more(producer)
        producer.finish()
        chain.wait_out(producer)
    assert_alone(chain, poison, kind)


KINDS = pytest.mark.parametrize("step, kind, rate", [("debug_crash", "worker_crash", 0),
                                                     ("debug_hang", "worker_hang", 5000)])


@KINDS
def test_a_poison_record_harms_only_itself_while_all_others_flow(make, step, kind, rate):
    chain = poisoned(make, step, {777})
    run(chain, {777}, kind, rate)
    assert_passed(chain, 777)


@KINDS
def test_poison_twice_in_one_batch_and_in_the_next_ones(make, step, kind, rate):
    poison = {510, 540, 560, 610}
    run(poisoned(make, step, poison), poison, kind, rate)


def test_many_that_crash_in_a_row_do_not_take_the_only_processor_away(make):
    poison = set(range(501, 550, 6))  # more than restart_limit allows to die of anything else
    run(poisoned(make, "debug_crash", poison, workers={}), poison, "worker_crash", 2000)


# ---- hangs ----


def at_work_on(chain, name):
    """The record that a worker has noted that it is at; 0: none."""
    try:
        with open(os.path.join(chain.run_dir, name + ".lock"), "rb") as source:
            source.seek(PAGE_AT)
            crumb, _, _, holding = PAGE.unpack(source.read(PAGE.size))
    except (FileNotFoundError, struct.error):
        return 0
    seq, index = (crumb >> 17) & ((1 << 41) - 1), crumb & ((1 << 17) - 1)
    return (seq - 1) * SIZE + index if holding and crumb else 0


def test_both_processors_hang_at_the_same_time_and_come_back(make):
    poison = {510, 560, 610, 660}  # workers take turns: each has one of them in hand
    chain = poisoned(make, "debug_hang", poison, hang="3s")
    with chain.producer(size=SIZE, rate=2000, poison=poison) as producer:
        wait_for(lambda: {at_work_on(chain, f"processor.{slot}") for slot in (0, 1)} <= poison,
                 "both are at work on such a record")
        assert at_work_on(chain, "processor.0") != at_work_on(chain, "processor.1")
        assert dead_letters(chain.data_dir) == []
        wait_judged(chain, poison)
        chain.more(producer)
        producer.finish()
        chain.wait_out(producer)
    rows = dead_letters(chain.data_dir)
    assert [row["error_type"] for row in rows] == ["worker_hang"] * len(poison)


def kills(chain):
    """How often the launcher killed who made no progress, as (worker, seconds)."""
    with open(os.path.join(chain.data_dir, "log", "launcher.log"), encoding="utf-8") as source:
        return re.findall(r"(\S+) made no progress on a batch for (\d+) s: killed", source.read())


def test_hang_timeout_decides_and_until_then_the_others_do_all_the_work(make):
    chain = poisoned(make, "debug_hang", {777}, hang="1h")
    with chain.producer(size=SIZE, poison={777}) as producer:
        wait_for(lambda: 777 in (at_work_on(chain, "processor.0"),
                                 at_work_on(chain, "processor.1")), "one of them hangs")
        pids = chain.pids()
        # Many times what `window` is: the one that hangs keeps its place, and no other.
        wait_for(lambda: lines_in(outputs(chain.out)) >= 20 * 64 * SIZE, chain.complaints)
        assert chain.pids() == pids and dead_letters(chain.data_dir) == [] and kills(chain) == []
        with open(chain.config, encoding="utf-8") as source:
            text = source.read()
        with open(chain.config, "w", encoding="utf-8") as out:
            out.write(text.replace(HANG.format("1h"), HANG.format("1s")))
        chain.kill_and_wait("launcher")
        wait_judged(chain, {777})
        producer.finish()
        chain.wait_out(producer)
    assert_alone(chain, {777}, "worker_hang")
    assert_passed(chain, 777)
    assert {seconds for _, seconds in kills(chain)} == {"1"} and len(kills(chain)) >= 2


# ---- no poison ----


def test_kills_from_outside_make_no_innocent_record_a_dead_letter(make):
    chain = make()
    with chain.producer() as producer:
        for _ in range(6):
            chain.more(producer, 200)
            chain.kill_and_wait("processor.0")
        producer.finish()
        chain.wait_out(producer)
    assert dead_letters(chain.data_dir) == []
