"""Plots of results, as SVG and PNG, with matplotlib (Debian's python3-matplotlib)."""
import os
import statistics

from benchtable import MODES, PROCESSES, groups, median

COLOURS = ("#2f6f9f", "#e08a1e", "#4b9a5f", "#b5473c", "#7b6aa8", "#8a8a8a")
INK, FAINT = "#222222", "#d8d8d8"


def thousands(number):
    if number >= 1e6:
        return f"{number / 1e6:g} M"
    return f"{number / 1000:g} k" if number >= 1000 else f"{number:g}"


def bars(axes, labels, runs_of, name, scale, unit, colours):
    """Horizontal bars with least and most, and the figure behind each."""
    middles = [median(runs, name) / scale for runs in runs_of]
    low = [m - min(r[name] for r in runs) / scale for m, runs in zip(middles, runs_of)]
    high = [max(r[name] for r in runs) / scale - m for m, runs in zip(middles, runs_of)]
    places = range(len(labels))
    several = {"xerr": [low, high], "error_kw": {"ecolor": INK, "elinewidth": 0.8, "capsize": 2}}
    axes.barh(places, middles, color=colours, height=0.65, **(several if any(high) else {}))
    for place, middle, more in zip(places, middles, high):
        axes.annotate(f"{middle:,.0f}" if scale > 1 else f"{middle:.2f}", (middle + more, place),
                      textcoords="offset points", xytext=(5, 0), va="center", fontsize=8)
    axes.set_yticks(list(places), labels)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.set_xlim(0, max(m + h for m, h in zip(middles, high)) * 1.18)
    axes.grid(axis="x", color=FAINT, linewidth=0.6)


def against(plt, results):
    found = [(MODES.get(who, who), runs, COLOURS[0])
             for who, runs in groups(results, "throughput").items()]
    found += [(who, runs, COLOURS[1]) for who, runs in groups(results, "peers").items()]
    if not found:
        return None
    labels, runs_of, colours = zip(*found)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 0.42 * len(labels) + 1.4), sharey=True)
    bars(left, labels, runs_of, "records_per_s", 1000, "thousand records/s", colours)
    bars(right, labels, runs_of, "cpu_total", 1, "CPU s per million records", colours)
    right.invert_yaxis()
    figure.suptitle("The reference work: throughput, and what it costs (medians, least and most)",
                    fontsize=11)
    return figure


def split(plt, results):
    found = groups(results, "throughput")
    if not found:
        return None
    figure, axes = plt.subplots(figsize=(9, 0.5 * len(found) + 1.8))
    left = [0.0] * len(found)
    for process, colour in zip(PROCESSES, COLOURS):
        values = [statistics.median(row["cpu_per_million"].get(process, 0) for row in runs)
                  for runs in found.values()]
        axes.barh(range(len(found)), values, left=left, color=colour, label=process, height=0.65)
        left = [a + b for a, b in zip(left, values)]
    axes.set_yticks(range(len(found)), [MODES.get(mode, mode) for mode in found])
    axes.invert_yaxis()
    axes.set_xlabel("CPU s per million records")
    axes.set_xlim(0, max(left) * 1.05)
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.legend(ncol=len(PROCESSES), fontsize=8, frameon=False, loc="lower center",
                bbox_to_anchor=(0.5, 1.0))
    return figure


def latency(plt, results):
    found = groups(results, "latency", lambda row: row["rate"])
    if not found:
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    rates = sorted(found)
    for name, label, colour in (("p50_ms", "p50", COLOURS[2]), ("p99_ms", "p99", COLOURS[0]),
                                ("p999_ms", "p99.9", COLOURS[1]), ("max_ms", "max", COLOURS[3])):
        left.plot(rates, [median(found[rate], name) for rate in rates], "o-", label=label,
                  color=colour, markersize=4)
    left.set_xscale("log")
    left.minorticks_off()
    left.set_xticks(rates, [thousands(rate) for rate in rates])
    left.set_xlabel("records/s")
    left.legend(fontsize=8, frameon=False)
    for rate, colour in zip(rates, COLOURS):
        curve = found[rate][len(found[rate]) // 2]["curve"]
        right.plot([1 / (1 - share) for share, _ in curve[:-1]], [ms for _, ms in curve[:-1]],
                   "-", label=f"{thousands(rate)}/s", color=colour)
    right.set_xscale("log")
    ticks = (1, 2, 10, 100, 1000, 10000, 100000, 1000000)
    right.minorticks_off()
    right.set_xticks(ticks, ["0", "50", "90", "99", "99.9", "99.99", "99.999", "99.9999"])
    right.set_xlabel("percentile")
    right.legend(fontsize=8, frameon=False)
    for axes in (left, right):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(plt.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(plt.FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(plt.NullLocator())
        axes.set_ylabel("ms")
        axes.grid(color=FAINT, linewidth=0.6)
    figure.suptitle("Latency from when a record was due (open loop) to its line in the sink's file",
                    fontsize=11)
    return figure


def line(axes, runs_of, label, colour):
    """Number -> its runs, as a line of medians with least and most."""
    known = sorted(runs_of)
    middles, spread = middle_and_spread(runs_of[number] for number in known)
    axes.errorbar(known, middles, yerr=spread if any(spread[1]) else None, fmt="o-", label=label,
                  color=colour, markersize=4, elinewidth=0.8, capsize=2)
    return known


def middle_and_spread(groups_of_runs, name="records_per_s", scale=1000):
    """Medians, and how far below and above them the least and the most are."""
    middles, low, high = [], [], []
    for runs in groups_of_runs:
        values = [row[name] / scale for row in runs]
        middle = statistics.median(values)
        middles.append(middle)
        low.append(middle - min(values))
        high.append(max(values) - middle)
    return middles, [low, high]


def columns(axes, groups_of_runs, places, width=0.6, label=None, colour=COLOURS[0], **what):
    middles, spread = middle_and_spread(groups_of_runs, **what)
    several = {"yerr": spread, "error_kw": {"ecolor": INK, "elinewidth": 0.8, "capsize": 2}}
    axes.bar(places, middles, color=colour, width=width, label=label,
             **(several if any(spread[1]) else {}))


def workers(axes, results):
    found = groups(results, "workers", lambda row: tuple(row["axis"]))
    base = found.get(("all", 1))
    for stage, colour in zip((*PROCESSES[:4], "all"), COLOURS):
        points = {count: runs for (name, count), runs in found.items() if name == stage}
        if base and points:
            line(axes, {**points, 1: base}, stage, colour)
    axes.set_xticks([1, 2, 3, 4])
    axes.set_xlabel("workers of the stage (the others have one)")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8, frameon=False, ncol=2)


def sizes(axes, results):
    found = groups(results, "sizes", lambda row: row["axis"])
    known = line(axes, found, "records/s", COLOURS[0])
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.set_xticks(known, [f"{s // 1024} Ki" if s >= 1024 else str(s) for s in known])
    axes.minorticks_off()
    axes.set_xlabel("bytes of a record")
    other = axes.twinx()
    other.plot(known, [median(found[s], "records_per_s") * s / 1e6 for s in known], "s--",
               color=COLOURS[1], markersize=4)
    other.set_ylabel("MB/s (dashed)", color=COLOURS[1])
    other.set_ylim(bottom=0)
    for side in ("top", "right"):
        other.spines[side].set_visible(side == "right")


def durability(axes, results):
    """Levels beside each other, a colour for each way of sending."""
    found = groups(results, "durability", lambda row: tuple(row["axis"]))
    levels = list(dict.fromkeys(level for level, _ in found))
    ways = list(dict.fromkeys(way for _, way in found))
    width = 0.8 / len(ways)
    for turn, (way, colour) in enumerate(zip(ways, COLOURS)):
        there = [place for place, level in enumerate(levels) if (level, way) in found]
        columns(axes, [found[levels[place], way] for place in there],
                [place + (turn - (len(ways) - 1) / 2) * width for place in there], width,
                {"chunks": "PUSH, 256", "acked": "acknowledged, 256",
                 "16 producers, 1 a request": "16 acknowledged, 1"}.get(way, way), colour)
    axes.set_xticks(range(len(levels)), levels)
    axes.set_xlabel("durability (legend: records a message)")
    axes.set_ylim(top=1.25 * axes.get_ylim()[1])
    axes.legend(fontsize=8, frameon=False, loc="upper center", ncol=len(ways), columnspacing=1,
                handlelength=1)


def cache(axes, results):
    found = groups(results, "cache")
    columns(axes, found.values(), list(found), 0.4)
    axes.set_xlim(-0.8, len(found) - 0.2)


def start(axes, results):
    found = groups(results, "start", lambda row: row["axis"])
    columns(axes, found.values(), [thousands(records) for records in found], 0.4, name="up_s",
            scale=1)
    axes.set_xlabel("records that wait for the sink")


def lines(axes, results, kind, label):
    """One line, or one for each way of sending, over numbers that double."""
    found = groups(results, kind, lambda row: (row["axis"][0], row["axis"][1])
                   if isinstance(row["axis"], list) else (row["axis"], ""))
    for mode, colour in zip(dict.fromkeys(mode for _, mode in found), COLOURS):
        known = line(axes, {number: runs for (number, other), runs in found.items()
                            if other == mode}, WAYS.get(mode, mode), colour)
        axes.set_xscale("symlog", base=2)
        axes.set_xticks(known, known)
        if mode:
            axes.legend(fontsize=8, frameon=False)
    axes.minorticks_off()
    axes.set_xlabel(label)
    axes.set_ylim(bottom=0)


def framing(axes, results):
    found = groups(results, "throughput")
    columns(axes, found.values(), [{"chunks": "PUSH\n256", "push": "PUSH\n1", "tcp": "TCP\nlines",
                                    "acked": "acknowledged\n256"}.get(mode, mode)
                                   for mode in found])
    axes.set_xlabel("records a message")


RATE = "thousand records/s"
WAYS = {"push": "PUSH, 1 a message", "acked": "acknowledged, 256 a request"}
AXES = (("workers", "Workers", RATE, workers), ("sizes", "Record size", RATE, sizes),
        ("throughput", "Framing", RATE, framing), ("durability", "Durability", RATE, durability),
        ("cache", "Page cache", RATE, cache),
        ("producers", "Producers", RATE,
         lambda axes, rows: lines(axes, rows, "producers", "producers (on the same cores)")),
        ("steps", "Steps", RATE, lambda axes, rows: lines(axes, rows, "steps", "steps")),
        ("batches", "Batch size", RATE,
         lambda axes, rows: lines(axes, rows, "batches", "records a batch, at most")),
        ("start", "Start", "s from `millrace up` to ready", start))


def axes_of(plt, results):
    there = [one for one in AXES if groups(results, one[0])]
    if not there:
        return None
    rows = (len(there) + 1) // 2
    figure, grid = plt.subplots(rows, 2, figsize=(11, 3.4 * rows), squeeze=False)
    figure.suptitle("One thing changed at a time: medians, least and most", fontsize=11)
    for place, (_, title, unit, draw_one) in zip(grid.flat, there):
        draw_one(place, results)
        place.set_title(title, fontsize=10)
        place.set_ylabel(unit)
        place.grid(axis="y", color=FAINT, linewidth=0.6)
    for place in list(grid.flat)[len(there):]:
        place.axis("off")
    return figure


def draw(results, folder, endings=("svg", "png")):
    """Write the plots there are data for; returns their names for the last line."""
    try:
        import matplotlib
    except ImportError:
        return "no plots: python3-matplotlib is not here"
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
                         "axes.axisbelow": True, "svg.fonttype": "none",
                         "svg.hashsalt": "millrace"})
    names = []
    for name, make in (("against", against), ("split", split), ("latency", latency),
                       ("axes", axes_of)):
        figure = make(plt, results)
        if figure is None:
            continue
        figure.tight_layout(rect=(0, 0, 1, 0.99))
        for ending in endings:
            figure.savefig(os.path.join(folder, f"{name}.{ending}"), dpi=110,
                           metadata={"Date": None} if ending == "svg" else None)
        plt.close(figure)
        names.append(f"{name}.svg")
    return " ".join(names) or "no plots"
