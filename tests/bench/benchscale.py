"""What more cores would give, reckoned from what each stage costs here. An extrapolation: it knows
nothing of caches, memory bandwidth or the kernel's locks."""
import math
import statistics

STAGES = ("ingest", "processor", "metrics", "exporter")
CORES = (2, 4, 8, 16)
SHARE = 0.9  # of a core that a worker's busiest thread may be kept at


def median(runs, what, stage):
    return statistics.median(row[what].get(stage, 0) for row in runs)


def reckon(runs, cores):
    """(records/s, stage -> workers) of so many cores, the producer's CPU not counted."""
    costs = {stage: median(runs, "cpu_per_million", stage) for stage in STAGES}
    busiest = {stage: median(runs, "busiest_per_million", stage) for stage in STAGES}
    rate = cores / sum(costs.values())
    return rate, {stage: max(1, math.ceil(rate * busiest[stage] / SHARE)) for stage in STAGES}


def report(results, here):
    found = {}
    for row in results:
        if row["kind"] == "throughput" and row["mode"] in ("chunks", "push"):
            found.setdefault(row["mode"], []).append(row)
    parts = []
    for mode, runs in found.items():
        busiest = {stage: median(runs, "busiest_per_million", stage) for stage in STAGES}
        first = max(busiest, key=busiest.get)
        lines = [f"| {mode} | CPU s/million | of its busiest thread | one worker ends at |",
                 "|---|--:|--:|--:|"]
        lines += [f"| {stage} | {median(runs, 'cpu_per_million', stage):.3f} | "
                  f"{busiest[stage]:.3f} | {1e3 / busiest[stage]:,.0f} k records/s |"
                  for stage in STAGES if busiest[stage] > 0]
        lines += ["", f"`{first}` saturates first. Extrapolated to cores that do nothing else:", "",
                  "| cores | records/s at most | scale |", "|--:|--:|---|"]
        for cores in CORES:
            rate, counts = reckon(runs, cores)
            scale = " ".join(f"{stage}={count}" for stage, count in counts.items() if count > 1)
            lines.append(f"| {cores} | {rate:.1f} M | {scale or 'one of each'} |")
        parts.append("\n".join(lines))
    if not parts:
        return ""
    return (f"## Scaling\n\nMeasured on {here['cores']} cores with one worker a stage; what "
            "stands behind more cores is reckoned, not measured.\n\n" + "\n\n".join(parts))
