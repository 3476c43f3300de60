"""Where and when results were measured, and what else the machine did meanwhile."""
import os
import platform
import re
import statistics
import subprocess

from benchtable import MODES

LOUD = 0.25  # of a core taken by others: such a run cannot be compared with its neighbours
KINDS = {"throughput": "The same work", "peers": "The same work", "limits": "The same work",
         "latency": "Latency", "workers": "Workers", "sizes": "Record size",
         "durability": "Durability", "cache": "Page cache", "producers": "Producers",
         "steps": "Steps", "batches": "Batch size", "backlog": "Backlog", "idle": "Idle",
         "start": "Start"}  # kind -> heading in the report


PLOTS = (("against", "throughput and cost", ("throughput", "peers")),
         ("split", "cost by process", ("throughput",)), ("latency", "latency", ("latency",)),
         ("axes", "one thing changed at a time", ("workers", "sizes", "throughput", "durability",
                                                  "cache", "producers", "steps", "batches",
                                                  "start")))


def _lines(path):
    with open(path, encoding="utf-8") as source:
        return source.read().splitlines()


def _first(lines, pattern, default=""):
    return next((found[1] for found in (re.match(pattern, line) for line in lines) if found),
                default)


def _system():
    """Debian 12, of "Debian GNU/Linux 12 (bookworm)"."""
    name = _first(_lines("/etc/os-release"), r'PRETTY_NAME="?([^"]*)', "Linux")
    return re.sub(r" GNU/Linux|\s*\(.*\)", "", name)


def _files_on(folder):
    """Type of the file system that the chain's directories are on."""
    best = ("", "")
    for line in _lines("/proc/mounts"):
        place, kind = line.split()[1:3]
        if os.path.commonpath([place, folder]) == place and len(place) >= len(best[0]):
            best = (place, kind)
    return best[1]


def _commit():
    """Of the tree that is measured, with a + when it has changes; empty outside of git."""
    def git(*words):
        return subprocess.run(["git", *words], capture_output=True, text=True,
                              check=False).stdout.strip()
    try:
        return git("rev-parse", "--short=10", "HEAD") + ("+" if git("diff", "HEAD", "--stat")
                                                         else "")
    except FileNotFoundError:
        return ""


def machine(folder):
    return {"cpu": _first(_lines("/proc/cpuinfo"), r"model name\s*: (.*)"),
            "cores": os.cpu_count(),
            "memory_gb": round(int(_lines("/proc/meminfo")[0].split()[1]) / 1e6),
            "kernel": re.match(r"[\d.]*\d", platform.release())[0], "system": _system(),
            "files_on": _files_on(os.path.realpath(folder)), "commit": _commit()}


def together(one, other):
    """The machine of results that are reported together; None: they are of different ones."""
    names = ("cpu", "cores", "memory_gb", "kernel", "system", "files_on")
    if any(one.get(name) != other.get(name) for name in names):
        return None
    commits = dict.fromkeys(here["commit"] for here in (one, other) if here.get("commit"))
    return {**other, "commit": ", ".join(commits)}


def times(results):
    """When the first and the last run began, UTC."""
    began = sorted(row["began"] for row in results if "began" in row)
    return (began[0], began[-1]) if began else None


def when(results):
    """2026-11-23, or from the first day to the last."""
    span = times(results)
    if not span:
        return "an unknown day"
    days = [moment[:10] for moment in span]
    return days[0] if days[0] == days[1] else f"{days[0]} to {days[1]}"


def described(here):
    """Intel(R) Xeon(R) Processor, 25 GB, Linux 6.18.44, Debian 12, files on ext4"""
    parts = [here["cpu"], f"{here['memory_gb']} GB", f"Linux {here['kernel']}",
             here.get("system"), here.get("files_on") and f"files on {here['files_on']}"]
    return ", ".join(part for part in parts if part)


def head(here, results):
    span = times(results)
    lines = ["# Millrace, measured",
             f"{here['cores']} cores ({described(here)})."
             + (f" Commit {here['commit']}." if here.get("commit") else "")]
    if span:
        lines[1] += (f" {len([row for row in results if 'began' in row])} runs, the first at "
                     f"{span[0]}, the last at {span[1]}; those of one call round by round, so that "
                     f"a slow minute hits all alike.")
    shown = [f"[{title}]({name}.svg)" for name, title, kinds in PLOTS
             if any(row["kind"] in kinds for row in results)]
    return "\n\n".join([*lines, load_note(results), f"Plots: {', '.join(shown)}."])


def _name(row):
    return MODES.get(row["who"], row["who"]) if row["kind"] == "throughput" else row["who"]


def loud(results):
    """Heading -> {who: (runs beside much load, all runs)}, only of those that have such runs."""
    found = {}
    for row in results:
        if "other_load" in row:
            count = found.setdefault(KINDS[row["kind"]], {}).setdefault(_name(row), [0, 0])
            count[0] += row["other_load"] > LOUD
            count[1] += 1
    return {title: {who: tuple(count) for who, count in names.items() if count[0]}
            for title, names in found.items() if any(count[0] for count in names.values())}


def told(names):
    return "; ".join(who if few == total else f"{who} ({few} of {total} runs)"
                     for who, (few, total) in names.items())


def load_note(results):
    """One paragraph, made of the load that was measured beside each run."""
    loads = [row["other_load"] for row in results if "other_load" in row]
    if not loads:
        return "What others did on the machine was not measured."
    text = (f"Other load is what other programs took meanwhile, in cores: beside these "
            f"{len(loads)} runs {statistics.median(loads):.2f} in the median and "
            f"{max(loads):.2f} at most.")
    beside = loud(results)
    if not beside:
        return f"{text} Beside none of them was it above {LOUD}."
    listed = " ".join(f"*{title}*: {told(names)}." for title, names in beside.items())
    return (f"{text} It was above {LOUD} beside these, which cannot be compared with their "
            f"neighbours. {listed}")
