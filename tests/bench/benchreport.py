"""Rows of results to tables, in Markdown that is also readable as plain text."""
import statistics

import benchscale

PROCESSES = ("ingest", "processor", "metrics", "exporter", "monitor", "launcher")
MODES = {"chunks": "Millrace, PUSH, 256 a message", "push": "Millrace, PUSH, 1 a message",
         "tcp": "Millrace, TCP lines", "acked": "Millrace, acknowledged, 256 a request"}
FLUENT_BIT = ("Fluent Bit is not in Debian 12 and was not run here. Measured before on another "
              "machine of two cores (AMD EPYC), the same work: Fluent Bit 5.1.1, tcp: "
              "156 k records/s, 8.9 CPU s per million records, 23 MB.")


def spread(values, form="{:.2f}"):
    """median (min-max)"""
    values = list(values)
    if not values:
        return "-"
    middle = form.format(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({form.format(min(values))}-{form.format(max(values))})"


def table(head, rows):
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    lines = []
    for number, row in enumerate([head, *rows]):
        cells = [str(cell).ljust(width) if i == 0 else str(cell).rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        lines.append("| " + " | ".join(cells) + " |")
        if number == 0:
            lines.append("|" + "|".join("-" * (width + 1) + ("-" if i == 0 else ":")
                                        for i, width in enumerate(widths)) + "|")
    return "\n".join(lines)


def groups(results, kind, key=lambda row: row["who"]):
    """Rows of a kind by who, in the order in which they first came; absent ones are left out."""
    found = {}
    for row in results:
        if row["kind"] == kind and "not_here" not in row:
            found.setdefault(key(row), []).append(row)
    return found


def column(runs, name, form="{:.2f}", scale=1):
    return spread((row[name] / scale for row in runs if name in row), form)


def kilo(runs):
    return column(runs, "records_per_s", "{:.0f}", 1000)


def section(title, text, body):
    return f"## {title}\n\n{text}\n\n{body}" if text else f"## {title}\n\n{body}"


def against(results):
    """Millrace, the peers and the limits, one below the other."""
    rows = []
    for mode, runs in groups(results, "throughput").items():
        rows.append((MODES.get(mode, mode), len(runs), kilo(runs), column(runs, "cpu_total"),
                     column(runs, "rss_total_mb", "{:.0f}"), column(runs, "other_load"), ""))
    for row in results:
        if row["kind"] == "peers" and "not_here" in row:
            rows.append((row["who"], 0, "not here", "", "", "", row["not_here"]))
    for kind in ("peers", "limits"):
        for who, runs in groups(results, kind).items():
            rows.append((who, len(runs), kilo(runs), column(runs, "cpu_total"),
                         column(runs, "rss_total_mb", "{:.0f}"), column(runs, "other_load"),
                         runs[0].get("lacks", "moves bytes only" if kind == "limits" else "")))
    if not rows:
        return ""
    text = ("The reference work: 250-byte JSON log events, parse, drop level=debug (20 %), add a "
            "field, rename a field, count by two fields, a histogram by one, write JSON lines. CPU "
            "is of all processes but the producer, user and kernel. Median (least-most) of the "
            "runs; other load: cores that others kept busy meanwhile.\n\n" + FLUENT_BIT)
    return section("The same work", text, table(
        ("who", "runs", "k records/s", "CPU s/million", "peak RSS MB", "other load", "lacks"),
        rows))


def above_bare(results):
    """What a record a message costs ingest beyond taking it in and copying it."""
    bare = groups(results, "limits").get("libzmq, receive and copy, 1 a message")
    push = groups(results, "throughput").get("push")
    chunks = groups(results, "throughput").get("chunks")
    if not bare or not push or not chunks:
        return ""

    def ingest(runs):
        return statistics.median(row["cpu_per_million"]["ingest"] for row in runs)
    floor = statistics.median(row["cpu_total"] for row in bare)
    above, rest = ingest(push) - floor, ingest(chunks)
    return (f"One record a message: ingest takes {ingest(push):.2f} µs of CPU a record, a bare "
            f"receive and copy {floor:.2f} µs: {above:.2f} µs above it. That it also "
            f"writes the journal and sends (with 256 a message, where taking in is nearly free, it "
            f"takes {rest:.2f} µs) is in it.")


def split(results):
    rows = []
    for mode, runs in groups(results, "throughput").items():
        def median(what, process, runs=runs):
            return statistics.median(row[what].get(process, 0) for row in runs)
        rows.append([mode] + [f"{median('cpu_per_million', p):.3f}"
                              f" ({median('user_per_million', p):.2f})" for p in PROCESSES])
        rows.append([mode + ", MB"] + [f"{max(r['peak_rss_mb'].get(p, 0) for r in runs):.1f}"
                                       for p in PROCESSES])
    if not rows:
        return ""
    text = "CPU s per million records (of it user), and peak RSS."
    body = table(("by process", *PROCESSES), rows)
    extra = above_bare(results)
    return section("By process", text, body + ("\n\n" + extra if extra else ""))


def latency(results):
    rows = []
    for rate, runs in groups(results, "latency", lambda row: row["rate"]).items():
        rows.append((f"{rate:g}", runs[0]["mode"], len(runs),
                     *(column(runs, name) for name in ("p50_ms", "p99_ms", "p999_ms", "max_ms")),
                     column(runs, "cpu_percent", "{:.1f}"), column(runs, "other_load")))
    if not rows:
        return ""
    return section("Latency", "In ms, from when a record was due (open loop) to its line in the "
                   "sink's file; every record is counted.", table(
                       ("records/s", "sent by", "runs", "p50", "p99", "p99.9", "max",
                        "chain CPU %", "other load"), rows))


AXES = {
    "workers": ("Workers", "Processes of each stage; this machine's cores are the limit."),
    "sizes": ("Record size", "About 64 KiB a message."),
    "durability": ("Durability", ""),
    "cache": ("Page cache", "cold: all files are new, and (as root) the page cache was emptied; "
              "warm: journal and spool are on segments that are used again."),
    "producers": ("Producers", ""),
    "steps": ("Steps", "A fifth of the records; the first 3 of them are the reference work."),
    "batches": ("Batch size", "Records a batch at most ([ingest] batch_records)."),
    "backlog": ("Backlog", "The sink was away while all records came in; drained when it was "
                "back."),
}


def axis(results, kind):
    rows = []
    for who, runs in groups(results, kind).items():
        megabytes = [row["records_per_s"] * row["bytes"] / 1e6 for row in runs]
        rows.append((who, len(runs), kilo(runs), spread(megabytes, "{:.0f}"),
                     column(runs, "cpu_total"), column(runs, "rss_total_mb", "{:.0f}"),
                     column(runs, "other_load")))
    for row in results:
        if row["kind"] == kind and "not_here" in row:
            rows.append((row["who"], 0, "not here", "", "", "", ""))
    if not rows:
        return ""
    return section(*AXES[kind], table(("", "runs", "k records/s", "MB/s in", "CPU s/million",
                                       "peak RSS MB", "other load"), rows))


def idle(results):
    rows = [(column(runs, "cpu_percent", "{:.3f}"),
             *(f"{statistics.median(row['cpu_percent_of'].get(p, 0) for row in runs):.3f}"
               for p in PROCESSES),
             column(runs, "rss_total_mb", "{:.0f}"), column(runs, "other_load"))
            for runs in groups(results, "idle").values()]
    if not rows:
        return ""
    return section("Idle", "CPU in percent of a core, nothing flows.", table(
        ("whole chain", *PROCESSES, "RSS MB", "other load"), rows))


def start(results):
    rows = [(who, len(runs), column(runs, "up_s"))
            for who, runs in groups(results, "start").items()]
    if not rows:
        return ""
    return section("Start", "From `millrace up` to all workers ready, by what waited in the spool.",
                   table(("", "runs", "seconds"), rows))


def whole(here, results):
    head = ("# Millrace, measured\n\n{cpu}, {cores} cores, {memory_gb} GB, Linux {kernel}, "
            "{date}").format(**here)
    parts = [head, against(results), split(results), latency(results)]
    parts += [axis(results, kind) for kind in AXES]
    parts += [idle(results), start(results), benchscale.report(results, here)]
    return "\n\n".join(part for part in parts if part)
