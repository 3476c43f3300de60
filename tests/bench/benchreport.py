"""Rows of results to tables."""
import statistics

PROCESSES = ("ingest", "processor", "metrics", "exporter", "monitor", "launcher")


def spread(values, form="{:.2f}"):
    """median (min-max)"""
    values = list(values)
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
            lines.append("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def groups(results, kind, key):
    found = {}
    for row in results:
        if row["kind"] == kind:
            found.setdefault(key(row), []).append(row)
    return found


def throughput(results):
    rows, split = [], []
    for mode, runs in groups(results, "throughput", lambda row: row["mode"]).items():
        rows.append((mode, len(runs),
                     spread((row["records_per_s"] / 1000 for row in runs), "{:.0f}"),
                     spread(row["cpu_total"] for row in runs),
                     spread(row["producer_cpu"] for row in runs),
                     spread((row["rss_total_mb"] for row in runs), "{:.0f}"),
                     spread(row["other_load"] for row in runs)))
        split.append([mode] + [f"{statistics.median(r['cpu_per_million'][p] for r in runs):.3f}"
                               f" ({statistics.median(r['user_per_million'][p] for r in runs):.2f})"
                               for p in PROCESSES])
        split.append(["  RSS MB"] + [f"{max(row['peak_rss_mb'][p] for row in runs):.1f}"
                                     for p in PROCESSES])
    if not rows:
        return ""
    return ("throughput: median (min-max)\n"
            + table(("mode", "runs", "k records/s", "CPU s/million", "producer", "peak RSS MB",
                     "other load"), rows)
            + "\n\nCPU s per million by process (of it user), and peak RSS\n"
            + table(("mode", *PROCESSES), split))


def latency(results):
    rows = []
    for rate, runs in groups(results, "latency", lambda row: row["rate"]).items():
        rows.append((rate, len(runs),
                     *(spread(row[name] for row in runs)
                       for name in ("p50_ms", "p99_ms", "p999_ms", "max_ms")),
                     spread((sum(row["cpu_percent"].values()) for row in runs), "{:.1f}"),
                     spread(row["other_load"] for row in runs)))
    if not rows:
        return ""
    return ("latency in ms, from when a record was due to its line in the file, open loop\n"
            + table(("records/s", "runs", "p50", "p99", "p99.9", "max", "chain CPU %",
                     "other load"), rows))


def idle(results):
    rows = []
    for _, runs in groups(results, "idle", lambda row: 0).items():
        rows.append((spread((row["cpu_total"] for row in runs), "{:.3f}"),
                     *(f"{statistics.median(row['cpu_percent'][p] for row in runs):.3f}"
                       for p in PROCESSES),
                     spread((row["rss_total_mb"] for row in runs), "{:.0f}"),
                     spread(row["other_load"] for row in runs)))
    if not rows:
        return ""
    return ("idle: CPU in percent of a core\n"
            + table(("whole chain", *PROCESSES, "RSS MB", "other load"), rows))


def whole(results):
    return "\n\n".join(part for part in (throughput(results), latency(results), idle(results))
                       if part)
