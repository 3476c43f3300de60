"""What processes have used, from /proc: CPU seconds, memory, and the load of the whole machine."""
import contextlib
import glob
import os
import re

TICKS = os.sysconf("SC_CLK_TCK")


def _words(path):
    with open(path, encoding="utf-8") as source:
        return source.read()


def _user_s(pid):
    return int(_words(f"/proc/{pid}/stat").rpartition(")")[2].split()[11]) / TICKS


def _threads_s(pid):
    """Thread id -> CPU seconds, user and kernel, in finer steps than ticks."""
    found = {}
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
            found[path.split("/")[-2]] = int(_words(path).split()[0]) / 1e9
    return found


def peak_rss_mb(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", _words(f"/proc/{pid}/status"))[1]) / 1024


def machine_s():
    """Busy CPU seconds of all cores since boot."""
    with open("/proc/stat", encoding="utf-8") as source:
        numbers = [int(field) for field in source.readline().split()[1:]]
    idle = numbers[3] + numbers[4]
    return (sum(numbers[:8]) - idle) / TICKS


class Sample:
    """A point in time: CPU of each named process, and of the machine."""

    def __init__(self, pids):
        self.machine = machine_s()
        self.user = {name: _user_s(pid) for name, pid in pids.items()}
        self.threads = {name: _threads_s(pid) for name, pid in pids.items()}

    def since(self, before):
        """Name -> {cpu, user, busiest} seconds since an earlier sample; busiest: of one thread."""
        grown = {}
        for name, threads in self.threads.items():
            old = before.threads.get(name, {})
            used = [value - old.get(thread, 0) for thread, value in threads.items()]
            grown[name] = {"cpu": sum(used), "busiest": max(used, default=0),
                           "user": self.user[name] - before.user.get(name, 0)}
        return grown


def by_stage(names_to_values):
    """processor.0 and processor.1 are one."""
    found = {}
    for name, value in names_to_values.items():
        stage = name.partition(".")[0]
        found[stage] = found.get(stage, 0) + value
    return found


def used(before, after, pids, records, extra_s=0.0, wall_s=1.0):
    """The columns of a row that tell what a run cost. extra_s: CPU of others that are ours."""
    grown = after.since(before)

    def column(what):
        return {name: round(value * 1e6 / records, 3) for name, value in
                by_stage({name: row[what] for name, row in grown.items()}).items()}
    total = sum(row["cpu"] for row in grown.values())
    peak = {name: peak_rss_mb(pid) for name, pid in pids.items()}
    others = (after.machine - before.machine - total - extra_s) / wall_s
    return {
        "cpu_per_million": column("cpu"),
        "user_per_million": column("user"),
        "busiest_per_million": column("busiest"),
        "cpu_total": round(total * 1e6 / records, 3),
        "peak_rss_mb": {name: round(mb, 1) for name, mb in by_stage(peak).items()},
        "rss_total_mb": round(sum(peak.values()), 1),
        "other_load": round(max(0.0, others), 2),
    }
