"""The figures in README.md and ARCHITECTURE.md, between markers, made of tests/bench/results."""
import difflib
import json
import os

import benchhead
import benchreport
import benchscale
from benchtable import groups, median, narrow_table, rate, wrapped

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RESULTS = os.path.join(TOP, "tests", "bench", "results")
TITLES = {"chunks": "**Millrace**, PUSH, 256 records a message",
          "push": "**Millrace**, PUSH, 1 record a message",
          "tcp": "**Millrace**, lines over TCP",
          "acked": "**Millrace**, acknowledged, 256 a request"}
FLUENT_RATE, FLUENT_COST = 156e3, 8.9


def against(results):
    rows = []

    def add(title, runs, lacks):
        rates = [row["records_per_s"] for row in runs]
        rss = median(runs, "rss_total_mb")
        rows.append((title, rate(median(runs, "records_per_s")),
                     f"{rate(min(rates))} .. {rate(max(rates))}",
                     f"{median(runs, 'cpu_total'):.2f}",
                     "" if rss is None else f"{rss:.0f}", lacks))
    for mode, runs in groups(results, "throughput").items():
        add(TITLES.get(mode, mode), runs, "")
    for who, runs in groups(results, "peers").items():
        add(who, runs, runs[0]["lacks"])
    for who, runs in groups(results, "limits").items():
        add(who, runs, "moves bytes only")
    return narrow_table(("", "records/s", "least .. most", "CPU s per million", "peak RSS, MB",
                         "lacks"), rows).replace("lacks |\n|---|--:|--:|--:|--:|--:|",
                                                 "lacks |\n|---|--:|--:|--:|--:|---|")


def ratio(results, mode, begins, sent_by):
    """Millrace's rate against the fastest of some peers, its CPU against the cheapest."""
    ours = groups(results, "throughput").get(mode)
    theirs = [runs for who, runs in groups(results, "peers").items()
              if who.startswith(begins) and runs[0]["mode"] == sent_by]
    if not ours or not theirs:
        return None
    fastest = max(median(runs, "records_per_s") for runs in theirs)
    cheapest = min(median(runs, "cpu_total") for runs in theirs)
    return (f"{median(ours, 'records_per_s') / fastest:.1f} times",
            f"1/{cheapest / median(ours, 'cpu_total'):.1f}")


def ratios(results):
    """One sentence for each peer that gets its records in the same way."""
    said = []
    for text, mode, begins in (("Lines over TCP", "tcp", "rsyslog"),
                               ("One record a ZeroMQ message", "push", "rsyslog"),
                               ("One record a ZeroMQ message", "push", "asyncio"),
                               ("256 records a ZeroMQ message", "chunks", "asyncio")):
        found = ratio(results, mode, begins, mode)
        if found:
            peer = "a Python pipeline" if begins == "asyncio" else begins
            said.append(f"{text}: **{found[0]}** the rate of {peer} for **{found[1]}** of its CPU "
                        f"a record.")
    if not said:
        return []
    return [" ".join(said) + " Where a peer has several rows, the rate is held against its "
            "fastest, the CPU against its cheapest."]


def fluent_bit(results):
    ours = groups(results, "throughput").get("tcp")
    if not ours:
        return []
    return [f"Fluent Bit is not in Debian 12 and did not run here. Measured earlier on *another* "
            f"machine (two cores, AMD EPYC), the same work: Fluent Bit 5.1.1, tcp input: 156 k "
            f"records/s, 8.9 CPU s per million. Lines over TCP here are "
            f"{median(ours, 'records_per_s') / FLUENT_RATE:.1f} times that rate at "
            f"1/{FLUENT_COST / median(ours, 'cpu_total'):.1f} of that CPU; the machines differ, so "
            f"that is no more than the order of it."]


def durability(results):
    found = groups(results, "durability", lambda row: tuple(row["axis"]))
    disk = found.get(("disk", "acked"))
    if not disk:
        return []
    parts = []
    for level in ("memory", "disk", "fsync"):
        runs = found.get((level, "acked"))
        if not runs:
            continue
        speed = median(runs, "records_per_s")
        change = 100 * (speed / median(disk, "records_per_s") - 1)
        parts.append(f"`{level}` {rate(speed)} records/s"
                     + (f" ({change:+.0f} %)".replace("-", "−") if level != "disk" else "")
                     + f" at {median(runs, 'cpu_total'):.2f} CPU s per million"
                     + (" (beside other load)"
                        if median(runs, "other_load") > benchhead.LOUD else ""))
    text = f"What durability costs, acknowledged: {', '.join(parts)}."
    syncs = [row["fdatasync_ms"] for runs in found.values() for row in runs
             if "fdatasync_ms" in row]
    if syncs:
        middle = [sorted(sync[size] for sync in syncs)[len(syncs) // 2]
                  for size in ("4096", "524288")]
        text += (f" The disk's own fdatasync took {middle[0]:.2f} ms for 4 KiB and "
                 f"{middle[1]:.2f} ms for 512 KiB beside them (p50).")
    return [text]


def where(here, results):
    counts = sorted({len(runs) for kind in ("throughput", "peers", "limits")
                     for runs in groups(results, kind).values()})
    runs = f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
    beside = benchreport.versions(results)
    return (f"Measured on {benchhead.when(results)} by `scripts/bench.sh` on a machine of "
            f"{here['cores']} cores ({benchhead.described(here)}); the producer shares the cores. "
            f"Rates are medians of {runs} runs, round by round; CPU is user and kernel of all "
            f"processes but the producer. Each output was compared record by record with what had "
            f"to come out; a run whose output was not exactly right would not count."
            + (f" Beside Millrace: {beside}." if beside else ""))


def load(results):
    """Other load, in short: the report lists the runs."""
    loads = sorted(row["other_load"] for row in results if "other_load" in row)
    beside = benchhead.loud(results)
    text = f"Other programs took {loads[len(loads) // 2]:.2f} of a core meanwhile in the median"
    if not beside:
        return [f"{text}, {loads[-1]:.2f} at most."]
    count = sum(few for names in beside.values() for few, _ in names.values())
    here = beside.get(benchhead.KINDS["throughput"], {})
    named = (f"; in the table above: {benchhead.told(here)}" if here
             else "; none of them in the table above")
    return [f"{text}, but more than {benchhead.LOUD} beside {count} of {len(loads)} runs, which "
            f"the [results](tests/bench/results/report.md) name{named}."]


def table_block(here, results):
    points = ratios(results) + durability(results) + fluent_bit(results) + load(results)
    return "\n\n".join([wrapped(where(here, results)), against(results),
                        "\n".join(wrapped(f"- {point}", "  ") for point in points)])


def latency_block(_here, results):
    rows = []
    for pace, runs in groups(results, "latency", lambda row: row["rate"]).items():
        rows.append((f"{pace:,.0f}", *(f"{median(runs, name):.2f}" for name in
                                       ("p50_ms", "p99_ms", "p999_ms", "max_ms")),
                     f"{median(runs, 'cpu_percent'):.{1 if pace < 100 else 0}f} %",
                     f"{median(runs, 'cpu_total'):,.{0 if pace < 100 else 2}f}"))
    text = narrow_table(("records/s", "p50", "p99", "p99.9", "most", "CPU of the chain",
                         "CPU s per million"), rows, 0)
    idle = groups(results, "idle").get("idle")
    if idle:
        text += "\n\n" + wrapped(f"Idle, the whole chain takes {median(idle, 'cpu_percent'):.2f} % "
                                 f"of a core and {median(idle, 'rss_total_mb'):.0f} MB.")
    return text


def scaling_block(here, results):
    extra = benchreport.above_bare(results)
    parts = benchscale.body(results, here).split("\n\n") + ([extra] if extra else [])
    return (f"From {benchhead.when(results)}, {here['cores']} cores ({benchhead.described(here)}):"
            "\n\n" + "\n\n".join(part if part.startswith("|") else wrapped(part)
                                 for part in parts))


BLOCKS = (("README.md", "bench-table", table_block), ("README.md", "bench-latency", latency_block),
          ("ARCHITECTURE.md", "bench-scaling", scaling_block))


def replaced(text, name, body):
    """The document with what stands between two markers exchanged."""
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    before, found, rest = text.partition(begin)
    inside, found_end, after = rest.partition(end)
    if not found or not found_end or begin in inside + after:
        raise SystemExit(f"bench.sh: there is no {name}:begin with {name}:end behind it")
    return f"{before}{begin}{body}\n{end}{after}"


def documents(top, here, results):
    """Path -> text, of all that is made of results."""
    made = {os.path.join(top, "tests", "bench", "results", "report.md"):
            benchreport.whole(here, results)}
    for document, name, make in BLOCKS:
        path = os.path.join(top, document)
        if path not in made:
            with open(path, encoding="utf-8") as source:
                made[path] = source.read()
        made[path] = replaced(made[path], name, make(here, results))
    return made


def write(here, results, top=TOP):
    for path, text in documents(top, here, results).items():
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)


def check(top=TOP):
    """Whether the documents hold what results.json gives; says where they differ."""
    with open(os.path.join(top, "tests", "bench", "results", "results.json"),
              encoding="utf-8") as source:
        stored = json.load(source)
    failures = 0
    for path, text in documents(top, stored["machine"], stored["results"]).items():
        with open(path, encoding="utf-8") as source:
            found = source.read()
        if found != text:
            failures = 1
            differ = next(line for line in difflib.unified_diff(
                found.splitlines(), text.splitlines(), lineterm="", n=0)
                if line[0] in "+-" and line[:3] not in ("+++", "---"))
            print(f"{os.path.relpath(path, top)}:1: its figures are not those of tests/bench/"
                  f"results/results.json: run scripts/bench.sh --readme ({differ[:80]})")
    return failures
