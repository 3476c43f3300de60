"""What more cores would give, reckoned from what each stage costs here. An extrapolation: it knows
nothing of caches, memory bandwidth or the kernel's locks."""
import math
import statistics

from benchtable import groups, narrow_table

STAGES = ("ingest", "processor", "metrics", "exporter")
TITLES = {"chunks": "256 a message", "push": "1 a message"}
CORES = (2, 4, 8, 16)
SHARE = 0.9  # of a core that a worker's busiest thread may be kept at


def of_stages(runs, what):
    return {stage: statistics.median(row[what].get(stage, 0) for row in runs) for stage in STAGES}


def reckon(runs, cores):
    """(records/s in millions, `scale`) of so many cores, the producer's CPU not counted."""
    millions = cores / sum(of_stages(runs, "cpu_per_million").values())
    counts = {stage: max(1, math.ceil(millions * busiest / SHARE))
              for stage, busiest in of_stages(runs, "busiest_per_million").items()}
    scale = " ".join(f"{stage}={count}" for stage, count in counts.items() if count > 1)
    return f"{millions:.1f} M", f"`{scale}`" if scale else "one of each"


def costs(found):
    rows = []
    for mode, runs in found.items():
        busiest = of_stages(runs, "busiest_per_million")
        rows += [[f"{TITLES[mode]}: CPU s per million"]
                 + [f"{cost:.3f}" for cost in of_stages(runs, "cpu_per_million").values()],
                 ["of its busiest thread"] + [f"{cost:.3f}" for cost in busiest.values()],
                 ["one worker ends at, records/s"]
                 + [f"{1 / cost:.1f} M" if cost else "-" for cost in busiest.values()]]
    return narrow_table(("", *STAGES), rows)


def first_full(found):
    """Which stage is full first, for each way of sending."""
    first = {}
    for mode, runs in found.items():
        busiest = of_stages(runs, "busiest_per_million")
        first.setdefault(max(busiest, key=busiest.get), []).append(TITLES[mode])
    return "; ".join(f"`{stage}` saturates first ({', '.join(modes)})"
                     for stage, modes in first.items())


def extrapolated(found):
    head = [word for mode in found for word in (f"{TITLES[mode]}: at most", "`scale`")]
    rows = [[cores, *(word for runs in found.values() for word in reckon(runs, cores))]
            for cores in CORES]
    return narrow_table(("cores", *head), rows, 0)


def body(results, here):
    """Both tables and what they say; empty without the runs they need."""
    found = {mode: runs for mode, runs in groups(results, "throughput").items() if mode in TITLES}
    if not found:
        return ""
    return (f"{costs(found)}\n\n{first_full(found)}. Measured on {here['cores']} cores, of which "
            f"the producer takes its share, one worker a stage.\n\n**Extrapolated, not measured**, "
            f"to machines with more cores that do nothing else (a worker's busiest thread at "
            f"{100 * SHARE:.0f} % of a core at most; caches, memory and locks of the kernel not "
            f"reckoned with):\n\n{extrapolated(found)}")


def report(results, here):
    text = body(results, here)
    return f"## Scaling\n\n{text}" if text else ""
