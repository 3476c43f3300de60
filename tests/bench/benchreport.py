"""The whole report: every figure of a run as tables in Markdown."""
import statistics

import benchhead
import benchscale
from benchtable import (MODES, PROCESSES, column, groups, kilo, median, rate, section, spread,
                        table)

FLUENT_BIT = ("Fluent Bit is not in Debian 12 and was not run here. Measured before on another "
              "machine of two cores (AMD EPYC), the same work: Fluent Bit 5.1.1, tcp: "
              "156 k records/s, 8.9 CPU s per million records, 23 MB.")


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
            "runs; other load: cores that others kept busy meanwhile."
            + (f" Beside it: {versions(results)}." if versions(results) else "")
            + "\n\n" + FLUENT_BIT)
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
    floor, one, rest = median(bare, "cpu_total"), ingest(push), ingest(chunks)
    return (f"One record a message costs ingest {one:.2f} µs a record, a bare receive and copy "
            f"measured beside it {floor:.2f} µs: {one - floor:.2f} µs above it. That "
            f"ingest also writes the journal and sends is in its figure: with 256 a message, where "
            f"taking in is nearly free, it costs {rest:.2f} µs.")


def split(results):
    rows = []
    for mode, runs in groups(results, "throughput").items():
        def of(what, process, runs=runs):
            return statistics.median(row[what].get(process, 0) for row in runs)
        rows.append([mode] + [f"{of('cpu_per_million', p):.3f}"
                              f" ({of('user_per_million', p):.2f})" for p in PROCESSES])
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
    for pace, runs in groups(results, "latency", lambda row: row["rate"]).items():
        rows.append((f"{pace:g}", runs[0]["mode"], len(runs), f"{runs[0]['records'] * 0.9:.0f}",
                     *(column(runs, name) for name in ("p50_ms", "p99_ms", "p999_ms", "max_ms")),
                     column(runs, "cpu_percent", "{:.1f}"), column(runs, "cpu_total"),
                     column(runs, "rss_total_mb", "{:.0f}"), column(runs, "other_load")))
    if not rows:
        return ""
    return section("Latency", "In ms, from when a record was due (open loop: a late producer does "
                   "not hide it) to its line in the sink's file. Each record behind the first "
                   "tenth of a run is timed, and quantiles are taken from all of them, not from "
                   "buckets. CPU of the chain in percent of a core, and a million records.",
                   table(("records/s", "sent by", "runs", "timed a run", "p50", "p99", "p99.9",
                          "max", "chain CPU %", "CPU s/million", "peak RSS MB", "other load"),
                         rows))


AXES = {
    "workers": ("Workers", "Processes of each stage; this machine's cores are the limit."),
    "sizes": ("Record size", "About 64 KiB a message."),
    "cache": ("Page cache", "cold: all files are new, and (as root) the page cache was emptied; "
              "warm: journal and spool are on segments that are used again."),
    "producers": ("Producers", ""),
    "steps": ("Steps", "Two fifths of the records; the first 3 of them are the reference work."),
    "batches": ("Batch size", "Records a batch at most ([ingest] batch_records)."),
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


def durability(results):
    """Levels beside each other, with what the disk itself takes for a sync."""
    found = groups(results, "durability", lambda row: tuple(row["axis"]))
    if not found:
        return ""
    rows = []
    for (level, mode), runs in found.items():
        disk = found.get(("disk", mode))
        change = 100 * (median(runs, "records_per_s") / median(disk, "records_per_s") - 1) \
            if disk else 0
        rows.append((level, mode, len(runs), kilo(runs),
                     f"{change:+.0f} %" if disk and level != "disk" else "",
                     column(runs, "cpu_total"), column(runs, "rss_total_mb", "{:.0f}"),
                     *(spread((row["fdatasync_ms"][size] for row in runs if "fdatasync_ms" in row),
                              "{:.3f}") for size in ("4096", "524288")),
                     column(runs, "other_load")))
    return section("Durability", "`memory`: batches in memory; `disk`: written, the kernel syncs; "
                   "`fsync`: acknowledged after a sync that all batches share which came "
                   "meanwhile. Beside it the disk alone, just before each run: p50 of a write and "
                   "its fdatasync, in ms.", table(
                       ("durability", "sent by", "runs", "k records/s", "against disk",
                        "CPU s/million", "peak RSS MB", "fdatasync 4 KiB", "512 KiB",
                        "other load"), rows) + group_commit(found))


def group_commit(found):
    """What sharing a sync gives one record a request, against a sync for each."""
    runs = found.get(("fsync", "16 producers, 1 a request"))
    if not runs:
        return ""
    alone = 1000 / statistics.median(row["fdatasync_ms"]["4096"] for row in runs)
    return (f"\n\nGroup commit: with a sync for each request of one record this disk would allow "
            f"{rate(alone)} records/s; with syncs that the requests of 16 producers share it is "
            f"{rate(median(runs, 'records_per_s'))}.")


def backlog(results):
    rows = [(f"{runs[0]['records']:,}", len(runs), column(runs, "noticed_s"), kilo(runs),
             spread((row["records_per_s"] * row["bytes"] / 1e6 for row in runs), "{:.0f}"),
             column(runs, "cpu_total"), column(runs, "rss_total_mb", "{:.0f}"),
             column(runs, "other_load"))
            for runs in groups(results, "backlog").values()]
    if not rows:
        return ""
    return section("Backlog", "The sink was away while all records came in. Noticed: seconds until "
                   "it was tried again, from when it was back; the rate counts from its first "
                   "byte, of records as they had come in.", table(
                       ("records", "runs", "noticed", "k records/s", "MB/s in", "CPU s/million",
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
    rows = [(who, len(runs), column(runs, "waiting_mb", "{:.0f}"), column(runs, "up_s"),
             column(runs, "other_load"))
            for who, runs in groups(results, "start").items()]
    if not rows:
        return ""
    return section("Start", "From `millrace up` to all workers ready, after all were killed with "
                   "that many records in the spool which the sink had not had. MB: journal, spool "
                   "and window on disk. A start reads the last file of a log, at most 16 MiB, and "
                   "not what waits. Other load: just before.",
                   table(("waiting", "runs", "MB", "seconds", "other load"), rows))


def versions(results):
    """What stood beside Millrace."""
    known = dict.fromkeys(row["version"] for row in results if row.get("version"))
    return ", ".join(known)


def whole(here, results):
    parts = [benchhead.head(here, results), against(results), split(results), latency(results)]
    parts += [axis(results, kind) for kind in ("workers", "sizes")]
    parts += [durability(results)]
    parts += [axis(results, kind) for kind in AXES if kind not in ("workers", "sizes")]
    parts += [backlog(results), idle(results), start(results), benchscale.report(results, here)]
    return "\n\n".join(part for part in parts if part) + "\n"
