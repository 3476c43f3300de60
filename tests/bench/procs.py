"""What processes have used, from /proc: CPU seconds, memory, and the load of the whole machine."""
import glob
import os
import re

TICKS = os.sysconf("SC_CLK_TCK")


def _words(path):
    with open(path, encoding="utf-8") as source:
        return source.read()


def cpu_s(pid):
    """CPU seconds of a process and of its children that are gone, as (user, system)."""
    fields = _words(f"/proc/{pid}/stat").rpartition(")")[2].split()
    user, system, child_user, child_system = (int(field) for field in fields[11:15])
    return (user + child_user) / TICKS, (system + child_system) / TICKS


def run_s(pid):
    """CPU seconds of its living threads, in finer steps than ticks."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        total += int(_words(path).split()[0])
    return total / 1e9


def peak_rss_kb(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", _words(f"/proc/{pid}/status"))[1])


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
        self.cpu = {name: cpu_s(pid) for name, pid in pids.items()}
        self.run = {name: run_s(pid) for name, pid in pids.items()}

    def since(self, before):
        """Name -> {user, system, run} seconds since an earlier sample."""
        grown = {}
        for name, (user, system) in self.cpu.items():
            old = before.cpu.get(name, (0, 0))
            grown[name] = {"user": user - old[0], "system": system - old[1],
                           "run": self.run[name] - before.run.get(name, 0)}
        return grown
