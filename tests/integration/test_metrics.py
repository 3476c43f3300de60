"""The user's metrics: rows, events and checkpoints agree exactly with the records that come out."""
import collections
import json
import os
import random
import time

from harness import SOURCE, wait_for

CHAIN = "ingest, processor, metrics, exporter"
SINKS = ("[sink out]\ntype = file\npath = out.jsonl\n"
         "[sink metrics]\ntype = file\npath = metrics.jsonl\ninput = metrics\ninterval = {}\n")
REFERENCE = ("[metric requests]\ntype = counter\nhelp = By service and level\n"
             "by = service, level\n"
             "[metric latency]\ntype = histogram\nfield = latency_ms\nby = service\n"
             "buckets = 1, 10, 100.5, 1000\n")
BOUNDS = [1, 10, 100.5, 1000]


def with_metrics(make, extra=REFERENCE, sinks=SINKS, interval="1h", **sections):
    chain = make(chain=CHAIN, extra=extra, sinks=sinks.format(interval), **sections)
    chain.listen()
    return chain


def stop_all(chain):
    for stage in ("ingest", "processor", "metrics", "exporter"):
        chain.stop(*[name for name in chain.workers if name.startswith(stage)])


def rows(chain, name="metrics.jsonl"):
    return chain.records(os.path.join(chain.folder, name))


def last_rows(chain):
    """The rows that each exporter wrote last, by worker, metric and labels."""
    last = {}
    for row in rows(chain):
        last[row["worker"], row["metric"], json.dumps(row["labels"])] = row
    return list(last.values())


def summed(chain, metric):
    """A counter's series, over all exporters, by the values of their labels."""
    total = collections.Counter()
    for row in last_rows(chain):
        if row["metric"] == metric:
            total[tuple(row["labels"].values())] += row["value"]
    return dict(total)


def label(record, key):
    value = record.get(key)
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def counted(records, *keys):
    return dict(collections.Counter(tuple(label(record, key) for key in keys)
                                    for record in records))


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def observed(records):
    """The histogram of latency_ms by service, counted from the records."""
    values = collections.defaultdict(list)
    for record in records:
        if is_number(record.get("latency_ms")):
            values[label(record, "service")].append(record["latency_ms"])
    return {service: (len(some), sum(some), min(some), max(some),
                      [sum(value <= bound for value in some) for bound in BOUNDS] + [len(some)])
            for service, some in values.items()}


def histogram(chain):
    total = {}
    for row in last_rows(chain):
        if row["metric"] != "latency":
            continue
        got = (row["count"], row["sum"], row["min"], row["max"], list(row["buckets"].values()))
        assert list(row["buckets"]) == ["1", "10", "100.5", "1000", "+Inf"]
        service = row["labels"]["service"]
        if service in total:
            old = total[service]
            got = (old[0] + got[0], old[1] + got[1], min(old[2], got[2]), max(old[3], got[3]),
                   [a + b for a, b in zip(old[4], got[4])])
        total[service] = got
    return total


def generated(count, seed):
    """Log events of many kinds; sums of quarters are exact in any order."""
    chance = random.Random(seed)
    services = ["cart", "search", 'q"u\\o\te', "\u00fcber", "", None, 7, True]
    made = []
    for n in range(1, count + 1):
        record = {"n": n, "service": chance.choice(services),
                  "level": chance.choice(["debug", "info", "warn"])}
        kind = chance.randrange(20)
        if kind == 0:
            record["latency_ms"] = chance.choice(["12", None, True, [1], {"a": 1}])
        elif kind > 1:
            record["latency_ms"] = chance.choice([chance.randrange(5000),
                                                  chance.randrange(5000) / 4, -1, 0, 1e3])
        if chance.randrange(10) == 0:
            del record["service"]
        text = json.dumps(record, ensure_ascii=chance.random() < 0.5)
        made.append(text.encode() if chance.randrange(50) else b'{"broken":' + text.encode())
    return made


def test_rows_agree_with_the_exported_records(make):
    chain = with_metrics(make, processor='drop = level == "debug"')
    chain.start("exporter.0", "exporter.1", "metrics.0", "metrics.1", "processor.0",
                "processor.1", "ingest.0")
    sent = generated(6000, seed=11)
    good = [record for record in sent if not record.startswith(b'{"broken"')]
    kept = [record for record in map(json.loads, good) if record["level"] != "debug"]
    for at in range(0, len(sent), 500):
        chain.push(sent[at:at + 500])
    chain.wait_lines(len(kept))
    chain.settled()
    stop_all(chain)
    chain.events()
    records = chain.records()
    assert len(records) == len(kept)
    assert summed(chain, "requests") == counted(records, "service", "level")
    assert histogram(chain) == observed(records)
    absent = [r for r in records if r.get("latency_ms") is None]
    not_numbers = [r for r in records
                   if r.get("latency_ms") is not None and not is_number(r["latency_ms"])]
    counts = dict.fromkeys(("metric_field_missing", "metric_field_not_number"), 0)
    for at in range(2):
        types = chain.seen[f"metrics.{at}"]["operations"]["handle"]["error_types"]
        for name in counts:
            counts[name] += types.get(name, 0)
    assert counts == {"metric_field_missing": len(absent),
                      "metric_field_not_number": len(not_numbers)}


def test_an_error_event_names_the_metric_and_shows_a_record(make):
    chain = with_metrics(make)
    chain.start("exporter.0", "metrics.0", "processor.0", "ingest.0")
    chain.push([b'{"n":1}', b'{"latency_ms":"slow"}', b'{"latency_ms":3}'])
    heard = {}

    def both():
        for topic, event in chain.events():
            if topic == "error.metrics.handle":
                heard[event["error_type"]] = (event["count"], event["message"], event["sample"])
        return len(heard) == 2
    wait_for(both, lambda: f"errors: {heard}")
    assert heard == {
        "metric_field_missing": (1, "metric latency: latency_ms is missing", '{"n":1}'),
        "metric_field_not_number": (1, "metric latency: latency_ms is not a number",
                                    '{"latency_ms":"slow"}')}


def test_a_web_servers_log_is_counted_by_status(make):
    chain = with_metrics(make, processor="parse = combined",
                         extra="[metric requests]\ntype = counter\nby = status\n"
                               "[metric size]\ntype = histogram\nfield = bytes\n")
    chain.start("exporter.0", "metrics.0", "processor.0", "ingest.0")
    with open(os.path.join(SOURCE, "tests", "data", "access.log"), "rb") as source:
        chain.push(source.read().splitlines())
    chain.wait_lines(4000)
    stop_all(chain)
    records = chain.records()
    assert summed(chain, "requests") == counted(records, "status")
    size = next(row for row in last_rows(chain) if row["metric"] == "size")
    assert (size["count"], size["sum"]) == (4000, sum(record["bytes"] for record in records))
    assert size["labels"] == {}


def test_series_beyond_the_cap_are_counted_as_other(make):
    chain = with_metrics(make, extra="[metric users]\ntype = counter\nby = user\n"
                                     "max_series = 10\n")
    chain.start("exporter.0", "metrics.0", "processor.0", "ingest.0")
    chain.push([b'{"user":"u%d"}' % (n % 100) for n in range(1000)])
    chain.wait_lines(1000)
    chain.settled()
    stop_all(chain)
    series = summed(chain, "users")
    assert len(series) == 11
    assert sum(series.values()) == 1000
    assert {count for name, count in series.items() if name != ("other",)} == {10}
    assert series[("other",)] == 900
    final = chain.counters("exporter.0", lambda c: c["state"] == "stopped")
    assert final["operations"]["export"]["error_types"] == {"metric_series_full": 900}


def test_a_restart_of_the_exporter_keeps_the_totals(make):
    chain = with_metrics(make)
    chain.start("exporter.0", "metrics.0", "processor.0", "ingest.0")
    lines = [b'{"service":"cart","level":"info","latency_ms":5}'] * 300
    for at in range(3):
        chain.push(lines)
        chain.wait_lines(300 * (at + 1))
        chain.restart("exporter.0")
    stop_all(chain)
    assert summed(chain, "requests") == {("cart", "info"): 900}
    assert histogram(chain) == {"cart": (900, 4500, 5, 5, [0, 900, 900, 900, 900])}


def test_a_killed_exporter_keeps_what_it_had_saved(make):
    chain = with_metrics(make)
    chain.start("exporter.0", "metrics.0", "processor.0", "ingest.0")
    chain.push([b'{"service":"cart","level":"info"}'] * 50)
    chain.wait_lines(50)
    heard = []

    def told():
        heard.extend(event for topic, event in chain.events() if topic == "totals.exporter.0")
        return heard and [s["value"] for s in heard[-1]["metrics"][0]["series"]] == [50]
    wait_for(told, lambda: f"totals: {heard}")
    chain.counters("exporter.0")  # each second totals are published, then saved, then these come
    chain.counters("exporter.0")
    chain.workers["exporter.0"].kill()
    chain.workers.pop("exporter.0").wait()
    chain.start("exporter.0")
    stop_all(chain)
    assert summed(chain, "requests") == {("cart", "info"): 50}


def test_a_broken_checkpoint_is_kept_aside(make):
    chain = with_metrics(make)
    os.makedirs(os.path.join(chain.folder, "data"))
    path = os.path.join(chain.folder, "data", "exporter.0.totals")
    with open(path, "wb") as out:
        out.write(b"MRTO, or what is left of it" * 3)
    chain.start("exporter.0")
    with open(path + ".broken", "rb") as source:
        assert source.read().startswith(b"MRTO, or")
    assert "start from 0" in chain.complaints()
    chain.stop("exporter.0")


def test_the_totals_event_holds_what_the_rows_hold(make):
    chain = with_metrics(make)
    chain.start("exporter.0", "metrics.0", "processor.0", "ingest.0")
    chain.push([b'{"service":"cart","level":"info","latency_ms":5}',
                b'{"service":"cart","level":"warn","latency_ms":50.5}'])
    chain.wait_lines(2)
    heard = []

    def complete():
        heard.extend(event for topic, event in chain.events() if topic == "totals.exporter.0")
        return heard and heard[-1]["metrics"][0]["series"]
    wait_for(complete, lambda: f"totals: {heard}")
    event = heard[-1]
    assert event["worker"] == "exporter.0" and event["event_seq"] > 0 and event["incarnation"]
    assert event["metrics"] == [
        {"metric": "requests", "type": "counter", "help": "By service and level",
         "series": [{"labels": {"service": "cart", "level": "info"}, "value": 1},
                    {"labels": {"service": "cart", "level": "warn"}, "value": 1}]},
        {"metric": "latency", "type": "histogram", "help": "",
         "series": [{"labels": {"service": "cart"}, "count": 2, "sum": 55.5, "min": 5,
                     "max": 50.5,
                     "buckets": [[1, 0], [10, 1], [100.5, 2], [1000, 2], ["+Inf", 2]]}]}]


def test_rows_come_every_interval_and_only_those_that_match(make):
    sinks = SINKS + ("[sink cart]\ntype = file\npath = cart.jsonl\ninput = metrics\n"
                     'interval = 100ms\nmatch = labels.service == "cart" and value > 1\n')
    chain = with_metrics(make, sinks=sinks)
    chain.start("exporter.0", "metrics.0", "processor.0", "ingest.0")
    chain.push([b'{"service":"cart","level":"info","latency_ms":1}'] * 2
               + [b'{"service":"cart","level":"warn"}', b'{"service":"login","level":"info"}'])
    chain.wait_lines(4)
    cart = os.path.join(chain.folder, "cart.jsonl")
    wait_for(lambda: len(chain.lines(cart)) >= 3, "three rows")
    assert chain.lines(os.path.join(chain.folder, "metrics.jsonl")) == []
    stop_all(chain)
    assert {(row["metric"], row["labels"]["level"], row["value"])
            for row in rows(chain, "cart.jsonl")} == {("requests", "info", 2)}
    assert len(rows(chain)) == 4  # the last set, written at the end
    row = rows(chain)[0]
    assert list(row) == ["metric", "type", "labels", "value", "worker", "ts"]
    assert row["ts"].startswith(time.strftime("%Y-", time.gmtime()))


def test_fields_noted_under_another_configuration_are_not_trusted(make):
    chain = with_metrics(make, extra="[metric a]\ntype = counter\nby = x, y\n")
    chain.start("processor.0", "ingest.0")
    chain.configure(chain=CHAIN, sinks=SINKS.format("1h"),
                    extra="[metric a]\ntype = counter\nby = y, x\n")
    chain.start("exporter.0", "metrics.0")
    chain.push([b'{"x":"1","y":"2"}'] * 3)
    chain.wait_lines(3)
    stop_all(chain)
    assert summed(chain, "a") == {("2", "1"): 3}
    assert [row["labels"] for row in rows(chain)] == [{"y": "2", "x": "1"}]


def test_without_rules_batches_go_on_unchanged(make):
    chain = with_metrics(make, extra="")
    chain.start("exporter.0", "metrics.0", "processor.0", "ingest.0")
    chain.push([b'{"a":1}', b'{"a":2}'])
    assert chain.wait_lines(2) == [b'{"a":1}', b'{"a":2}']
    stop_all(chain)
    assert rows(chain) == []


def test_rules_that_cannot_work_are_refused_with_their_line(make):
    for extra, words in (
            ("[metric a]\ntype = counter\nby = x, y..z\n", ("[metric a] by: \"y..z\"", "column")),
            ("[metric a]\ntype = histogram\nfield = a[\n", ("[metric a] field: \"a[\"",)),
            ("[metric a]\ntype = histogram\nfield = a\nbuckets = 1, 3, 2\n",
             ("[metric a] buckets:", "rising")),
            ("[metric a]\ntype = histogram\n", ("[metric a] field: is missing",))):
        chain = with_metrics(make, extra=extra)
        code, said = chain.refusal("metrics.0")
        assert code == 78, said
        assert said.startswith(chain.config + ":"), said
        for word in words:
            assert word in said, said
