"""kill -9 of exporters at any step, sinks that fail, are slow or are moved away: every acknowledged
record is in each sink exactly once, by the producer's own ledger and the sink's bytes."""
import glob
import json
import os
import signal

import pytest
from deliverylib import SECOND, lines_in, obstruct, outputs, tally
from harness import is_alive, wait_for

# The points that a life under load passes by itself.
POINTS = ["spool.accept.reserved", "spool.accept.claimed", "spool.accept.appended",
          "spool.accept.done", "seglog.append.begin", "seglog.append.torn", "seglog.append.half",
          "seglog.append.written", "seglog.append.published", "seglog.roll.header",
          "seglog.roll.named", "seglog.roll.published", "seglog.trim.published",
          "seglog.trim.disposed", "sink.write.half", "sink.write.done", "pump.commit.begin",
          "cursor.commit.begin", "cursor.commit.torn", "cursor.commit.done", "pump.commit.done",
          "checkpoint.save.written", "checkpoint.save.renamed"]


@pytest.fixture(name="make")
def make_chain(chains):
    def make(environment=None, sink="path = out.jsonl\n", **options):
        chain = chains(up=False, **options)
        with open(chain.config, encoding="utf-8") as source:
            text = source.read()
        with open(chain.config, "w", encoding="utf-8") as out:
            out.write(text.replace("path = out.jsonl\n", sink, 1))
        chain.up(environment)
        return chain
    return make


def last_value(chain, name="requests"):
    """The metric's value, summed over exporters and series, as their last rows have it."""
    total = 0
    for path in outputs(os.path.join(chain.folder, "metrics.jsonl")):
        last = {}
        with open(path, encoding="utf-8") as source:
            for row in map(json.loads, source):
                if row["metric"] == name:
                    last[json.dumps(row["labels"])] = row["value"]
        total += sum(last.values())
    return total


METRICS = "[sink metrics]\ntype = file\npath = metrics.jsonl\ninput = metrics\ninterval = 200ms\n"


def test_kill_nine_of_an_exporter_loses_and_doubles_nothing(make):
    chain = make(extra=METRICS, exporter="spool_segment = 64KiB\n")
    with chain.producer(bad=97) as producer:
        for _ in range(6):
            chain.more(producer)
            chain.kill_and_wait("exporter.0")
        chain.more(producer)
        producer.finish()
        chain.wait_out(producer)
        assert last_value(chain) == producer.expected()[0]


def test_kill_nine_of_two_exporters_and_of_all_at_once(make):
    chain = make(workers={"exporter": 2, "processor": 2}, extra=METRICS)
    with chain.producer(bad=97) as producer:
        for names in (["exporter.0"], ["exporter.1"], ["exporter.1", "exporter.0"]):
            chain.more(producer)
            before = [chain.pids()[name] for name in names]
            for name in names:
                assert chain.kill(name)
            wait_for(lambda old=before, new=names: not set(old) & set(chain.pids().values())
                     and set(new) <= set(chain.pids()), f"{names} are back")
        chain.more(producer, 500)
        for name in ("launcher", "ingest.0", "processor.0", "metrics.0", "exporter.0",
                     "exporter.1"):
            assert chain.kill(name)
        chain.up()
        chain.more(producer, 500)
        producer.finish()
        chain.wait_out(producer)
        assert last_value(chain) == producer.expected()[0]


def die_at(chain, armed, producer, point, worker="exporter.0"):
    """The exporter dies there, and is back when this returns. Points of the segment log are
    ingest's too: then once more."""
    first = chain.pids()[worker]
    while is_alive(first):
        armed.write_text(point)
        wait_for(lambda: producer.fault or not armed.exists(),
                 lambda: f"somebody dies at {point}\n{chain.complaints()}")
        chain.more(producer, 50)
    wait_for(lambda: chain.pids().get(worker) not in (None, first), f"{worker} is back")


@pytest.mark.parametrize("points", [POINTS[i::3] for i in range(3)])
def test_a_crash_at_each_step_loses_and_doubles_nothing(make, points, tmp_path):
    armed = tmp_path / "armed"
    chain = make({"MILLRACE_CRASH_FILE": str(armed)}, extra=METRICS,
                 exporter="spool_segment = 64KiB\n")
    with chain.producer(bad=97, rate=4000) as producer:
        for nth, point in enumerate(points):
            chain.more(producer)
            die_at(chain, armed, producer, f"{point}:{1 + nth % 3}")
        producer.finish()
        chain.wait_out(producer)
        assert last_value(chain) == producer.expected()[0]


def test_a_crash_while_an_earlier_claim_is_settled(make, tmp_path):
    armed = tmp_path / "armed"
    chain = make({"MILLRACE_CRASH_FILE": str(armed)})
    with chain.producer(rate=4000) as producer:
        died = 0
        for _ in range(60):
            first = wait_for(lambda: chain.pids().get("exporter.0"), "an exporter")
            armed.write_text("spool.accept.claimed")
            wait_for(lambda pid=first: not is_alive(pid), "it died with a claim")
            armed.write_text("spool.settle.release")  # its successor, or ingest, dies settling ..
            chain.more(producer)
            died += not armed.exists()
            armed.unlink(missing_ok=True)  # .. unless it had settled before that was armed
            if died == 3:
                break
        assert died == 3
        producer.finish()
        chain.wait_out(producer)


def test_fsync_keeps_the_promise_under_kill_nine(make, tmp_path):
    armed = tmp_path / "armed"
    chain = make({"MILLRACE_CRASH_FILE": str(armed)}, ingest="durability = fsync\n",
                 exporter="spool_segment = 64KiB\n")
    with chain.producer(rate=2000) as producer:
        for point in ("seglog.sync.data:7", "seglog.sync.published:5", "seglog.sync.dir:1"):
            chain.more(producer, 100)
            armed.write_text(point)
            wait_for(lambda: producer.fault or not armed.exists(), f"somebody dies at {point}")
        chain.more(producer, 100)
        wait_for(lambda: is_alive(chain.pids().get("exporter.0", 0)), "an exporter")
        chain.kill_and_wait("exporter.0")
        producer.finish()
        chain.wait_out(producer)


# ---- sinks of another mind ----


def test_a_sink_that_fails_holds_up_no_other_and_misses_nothing(make):
    """Something stands where its directory should be; later it is taken away."""
    chain = make(extra=SECOND)
    folder = os.path.join(chain.folder, "second")
    with chain.producer() as producer:
        chain.more(producer)
        obstruct(folder)
        goal = producer.acknowledged + 5000
        chain.more(producer, 5000)
        wait_for(lambda: lines_in([chain.out]) >= goal, "the first sink goes on")
        chain.kill_and_wait("exporter.0")
        chain.more(producer)
        os.remove(folder)
        producer.finish()
        good = producer.expected()[0]
        paths = [f"{folder}/out.jsonl", f"{folder}.aside/out.jsonl"]
        wait_for(lambda: lines_in(paths) >= good,
                 lambda: f"{lines_in(paths)} of {good}\n{chain.complaints()}")
        chain.wait_out(producer)
        found = tally([producer], paths)
        assert (found.lost(), found.doubled(), found.strangers) == ([], [], [])



def test_a_sink_that_was_taken_out_of_the_configuration_is_waited_for_by_nobody(make):
    """What it had not got is gone with it, and named; what it had dropped stays dropped."""
    second = SECOND + "on_full = drop_oldest\n"
    chain = make(exporter="spool_segment = 64KiB\nspool_limit = 1MiB\n", extra=second)
    folder = os.path.join(chain.folder, "second")

    def audit():
        read = json.loads(chain.millrace("audit", "--json").stdout)
        return read, next(sink for sink in read["sinks"] if sink["name"] == "second")
    with chain.producer(pad=3000) as producer:
        chain.more(producer, 50)
        obstruct(folder)
        wait_for(lambda: audit()[1]["dropped"] > 0, chain.complaints)
        chain.millrace("down")
        before, gone = audit()
        assert before["pending"] > 0 and not gone["removed"]
        with open(chain.config, encoding="utf-8") as source:
            text = source.read()
        with open(chain.config, "w", encoding="utf-8") as out:
            out.write(text.replace(second, ""))
        chain.up()
        chain.more(producer, 1000)
        producer.finish()
        chain.wait_out(producer)
    after, still_gone = audit()
    assert after["balanced"] and after["pending"] == 0
    assert still_gone["removed"] and still_gone["dropped"] == gone["dropped"]
    assert [sink["name"] for sink in after["sinks"] if sink["removed"]] == ["second"]
    said = chain.millrace("audit").stdout
    assert "second of exporter.0, not in the configuration any more: " in said
    assert "were not delivered to it, and nothing is waited for; dropped before: " in said


def test_a_sink_that_comes_back_has_its_books_in_order(make):
    """What came and went while it was not in the configuration was not for it."""
    chain = make(exporter="spool_segment = 64KiB\n", extra=SECOND)
    with open(chain.config, encoding="utf-8") as source:
        text = source.read()

    def run_with(sinks, producer):
        with open(chain.config, "w", encoding="utf-8") as out:
            out.write(text.replace(SECOND, sinks))
        chain.up()
        chain.more(producer, 500)

    with chain.producer(pad=1000) as producer:
        chain.more(producer, 500)
        chain.millrace("down")
        run_with("", producer)
        chain.wait_no_older("exporter.0.spool", chain.segments("exporter.0.spool")[-1])
        chain.millrace("down")
        run_with(SECOND, producer)
        producer.finish()
        chain.wait_out(producer)
    audit = json.loads(chain.millrace("audit", "--json").stdout)
    assert audit["balanced"] and audit["pending"] == 0, audit["sinks"]
    assert "sink second: it is back; " in chain.complaints()
    assert json.loads(chain.millrace("audit", "--deep", "--json").stdout)["balanced"]


def test_a_sink_that_gets_its_old_name_back_leaves_its_file_as_it_is(make):
    """Under the other name it had gone on in the same file, and the spool has let go of most of
    that; what it still holds is due to either."""
    chain = make(exporter="spool_segment = 64KiB\n")

    def rename(old, new):
        chain.millrace("down")
        with open(chain.config, encoding="utf-8") as source:
            text = source.read()
        with open(chain.config, "w", encoding="utf-8") as out:
            out.write(text.replace(f"[sink {old}]", f"[sink {new}]"))
        chain.up()

    with chain.producer(pad=500) as producer:
        chain.more(producer, 500)
        rename("out", "other")
        chain.more(producer, 500)
        chain.wait_no_older("exporter.0.spool", chain.segments("exporter.0.spool")[-1])
        rename("other", "out")
        chain.more(producer, 500)
        producer.finish()
        wait_for(lambda: not tally([producer], outputs(chain.out)).lost(), chain.complaints)
        chain.millrace("down")
        assert not tally([producer], outputs(chain.out)).lost()
    assert "sink out: it is back; " in chain.complaints()
    assert not os.path.exists(chain.out + ".torn")


def test_a_sink_that_is_away_when_the_spool_has_lost_its_end_gets_what_comes_then(make):
    """Also when that comes to stand where the sink had been, and by an exporter that knows nothing
    of the loss."""
    chain = make(extra=SECOND)
    second = os.path.join(chain.folder, "second")
    copies = os.path.join(second, "out.jsonl")
    with chain.producer(p=0, limit=1000, pad=500) as before:
        before.finish()
        chain.wait_out(before)
        wait_for(lambda: lines_in(outputs(copies)) == 1000, chain.complaints)
    chain.millrace("down")
    shown = chain.millrace("log", "ls", "exporter.0.spool", "--json").stdout
    frames = [row for row in map(json.loads, shown.splitlines()) if "batch" in row]
    chain.millrace("log", "cut", "exporter.0.spool", str(frames[1]["position"]), "--yes")
    obstruct(second)
    chain.up()
    with chain.producer(p=1, limit=200, pad=500) as behind:
        behind.finish()
        wait_for(lambda: lines_in(outputs(chain.out)) == 1200, chain.complaints)
        chain.kill_and_wait("exporter.0")
        os.unlink(second)
        os.rename(second + ".aside", second)
        wait_for(lambda: not tally([before, behind], outputs(copies)).lost(), chain.complaints)
    chain.millrace("down")
    for path in (chain.out, copies):
        found = tally([before, behind], outputs(path))
        assert (found.lost(), found.doubled(), found.strangers) == ([], [], [])
    assert "sink second: the spool has lost its end; going on there" in chain.complaints()


def test_records_that_no_sink_takes_are_counted_once_whoever_dies(make):
    sinks = ("[sink low]\ntype = file\npath = low.jsonl\nmatch = n < 400\n"
             "[sink rest]\ntype = file\npath = rest.jsonl\nmatch = n >= 700\n")
    chain = make(extra=sinks)
    with open(chain.config, encoding="utf-8") as source:
        text = source.read()
    chain.millrace("down")
    with open(chain.config, "w", encoding="utf-8") as out:
        out.write(text.replace("[sink out]\ntype = file\npath = out.jsonl\n", ""))
    chain.up()
    bus = chain.listen()
    with chain.producer(limit=3000) as producer:
        chain.more(producer, 500)
        chain.kill_and_wait("exporter.0")
        producer.finish()

    def audit():
        return json.loads(chain.millrace("audit", "--json").stdout)
    wait_for(lambda: audit()["in_flight"] == 0 and audit()["pending"] == 0, chain.complaints)
    read = audit()
    assert read["balanced"] and read["exported"] == 3000 and read["unrouted"] == 300, read
    delivered = {sink["name"]: sink["delivered"] for sink in read["sinks"]
                 if not sink["removed"]}
    assert delivered == {"dead.store": 0, "low": 399, "rest": 2301}
    chain.counters(bus, "exporter.0", lambda c: c["unrouted"] == 300)
    assert "of the exported, 300 are unrouted: no sink takes them" in chain.millrace(
        "audit").stdout
    chain.millrace("down")
    assert json.loads(chain.millrace("audit", "--deep", "--json").stdout)["unrouted"] == 300


def test_a_full_spool_makes_producers_wait_for_the_sink(make):
    chain = make(exporter="spool_segment = 64KiB\nspool_limit = 1MiB\n",
                 extra=SECOND)
    folder = os.path.join(chain.folder, "second")
    with chain.producer(pad=3000) as producer:
        chain.more(producer, 50)
        obstruct(folder)
        # Until the sink looks it writes on in the moved file; the spool may have been full before.
        wait_for(lambda: "spool full for sink second" in
                 chain.complaints().partition("trying again until it works")[2], chain.complaints)
        os.remove(folder)
        chain.more(producer, 500)
        producer.finish()
        good = producer.expected()[0]
        paths = [f"{folder}/out.jsonl", f"{folder}.aside/out.jsonl"]
        wait_for(lambda: lines_in(paths) >= good, lambda: chain.complaints())
        chain.wait_out(producer)
        found = tally([producer], paths)
        assert (found.lost(), found.doubled(), found.strangers) == ([], [], [])


@pytest.mark.parametrize("point", [None, "pump.drop.counted"])
def test_a_sink_may_drop_the_oldest_and_says_how_many(make, tmp_path, point):
    """If the exporter dies at it, too: what is dropped is counted once."""
    armed = tmp_path / "armed"
    chain = make({"MILLRACE_CRASH_FILE": str(armed)},
                 exporter="spool_segment = 64KiB\nspool_limit = 1MiB\n",
                 extra=SECOND + "on_full = drop_oldest\n")
    bus = chain.listen()
    folder = os.path.join(chain.folder, "second")
    with chain.producer(pad=3000) as producer:
        chain.more(producer, 50)
        obstruct(folder)
        first = chain.pids()["exporter.0"]
        if point:
            armed.write_text(point)
        chain.more(producer, 2000)  # six times the limit: producers do not wait
        if point:
            wait_for(lambda: not is_alive(first), lambda: f"it dies\n{chain.complaints()}")

        def second(counters):
            return next(sink for sink in counters["sinks"] if sink["name"] == "second")
        chain.counters(bus, "exporter.0", lambda c: second(c)["dropped"] > 0)
        chain.kill_and_wait("exporter.0")
        os.remove(folder)
        producer.finish()
        good = producer.expected()[0]
        last = chain.counters(bus, "exporter.0", lambda c: second(c)["pending"] == 0 and
                              second(c)["delivered"] + second(c)["dropped"] == good)
        paths = glob.glob(f"{folder}*/out.jsonl")
        chain.wait_out(producer)
        found = tally([producer], paths)
        assert (found.doubled(), found.strangers) == ([], [])
        assert len(found.lost()) == second(last)["dropped"]


def test_what_the_only_sink_drops_is_dropped_in_the_audits_equation(make):
    chain = make(exporter="spool_segment = 64KiB\nspool_limit = 1MiB\n",
                 sink="path = out/out.jsonl\non_full = drop_oldest\n")
    folder = os.path.join(chain.folder, "out")

    def audit():
        return json.loads(chain.millrace("audit", "--json").stdout)
    with chain.producer(pad=3000) as producer:
        chain.more(producer, 50)
        obstruct(folder)
        wait_for(lambda: producer.fault or audit()["dropped"] > 0, lambda: chain.complaints())
        os.remove(folder)
        producer.finish()
        wait_for(lambda: (audit()["in_flight"], audit()["pending"]) == (0, 0), audit)
        chain.kill_and_wait("exporter.0")
        chain.millrace("down")
        said = audit()
        found = tally([producer], glob.glob(f"{folder}*/out.jsonl"))
    assert (found.doubled(), found.strangers) == ([], [])
    assert said["dropped"] == len(found.lost()) > 0
    assert said["exported"] == said["received"] - said["dropped"] == lines_in(
        glob.glob(f"{folder}*/out.jsonl"))
    assert said["journals"][0]["dropped"] == said["dropped"] and said["balanced"]


def test_files_are_moved_away_while_exporters_die(make, tmp_path):
    armed = tmp_path / "armed"
    chain = make({"MILLRACE_CRASH_FILE": str(armed)})
    with chain.producer(rate=4000) as producer:
        for nth, point in enumerate(["pump.reopen.begin", "sink.write.done", "sink.write.half",
                                     "cursor.commit.begin"]):
            chain.more(producer)
            first = chain.pids()["exporter.0"]
            if point != "pump.reopen.begin":
                armed.write_text(point)
                wait_for(lambda pid=first: not is_alive(pid), f"it dies at {point}")
            os.rename(chain.out, os.path.join(chain.folder, f"out.{nth + 10}.jsonl"))
            if point == "pump.reopen.begin":
                armed.write_text(point)
                wait_for(lambda pid=first: not is_alive(pid), f"it dies at {point}")
            wait_for(lambda: os.path.exists(chain.out), "a new file")
        chain.more(producer)
        producer.finish()
        chain.wait_out(producer)


def test_bytes_that_the_sink_did_not_write_are_kept_beside(make, tmp_path):
    armed = tmp_path / "armed"
    chain = make({"MILLRACE_CRASH_FILE": str(armed)})
    with chain.producer(rate=4000) as producer:
        chain.more(producer)
        for point in ("sink.torn.copied", "sink.torn.cut"):
            first, launcher = chain.pids()["exporter.0"], chain.pids()["launcher"]
            os.kill(launcher, signal.SIGSTOP)  # no successor writes before the foreign bytes are in
            armed.write_text("cursor.commit.begin")
            wait_for(lambda pid=first: not is_alive(pid), "it dies")
            with open(chain.out, "ab") as out:
                out.write(b"not a record of ours\n")
            armed.write_text(point)
            os.kill(launcher, signal.SIGCONT)
            wait_for(lambda: not armed.exists(), f"it dies at {point}")
        chain.more(producer)
        producer.finish()
        chain.wait_out(producer)
    with open(chain.out + ".torn", "rb") as source:
        assert b"not a record of ours\n" in source.read()
    with open(chain.out, "rb") as source:
        assert b"not a record of ours" not in source.read()
