#!/usr/bin/python3
"""power_loss.py [--cuts N] [--seed N]: a chain on an ext4 of its own (a loop device; root), whose
power is cut again and again at random under load of acknowledged producers, `durability = fsync`.

A cut: every process is stopped wherever it is; the file system forgets at once all that was not
synced (EXT4_IOC_SHUTDOWN without a flush of its log); every process is killed, the file system is
mounted anew, with another device number at times, and the kernel's boot id is another one (a file
mounted over it, in a mount namespace of our own). No call is under way at the cut, because ext4 may
answer a sync that is caught by its shutdown with success although the size of the file is lost,
which a power loss would not.

Prints the proof from the producers' own ledgers and the bytes of the sink. Exit code 1 when
anything is lost or doubled. Where it may not mount it says `power loss: not run`, and why, and ends
with 0.
"""
import argparse
import contextlib
import fcntl
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
# pylint: disable=wrong-import-position
from chaos import BAD, METRICS, judge  # noqa: E402
from deliverylib import Delivery, dead_letters, lines_in, outputs  # noqa: E402
from harness import is_alive, tail, wait_for  # noqa: E402

IMAGE_MB = 2048
EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR ('X', 125, __u32), linux/ext4.h
NO_LOG_FLUSH = struct.pack("I", 2)
SETTLE_S = 60
WORKERS = {"ingest": 2, "processor": 2, "exporter": 2}


class NotHere(Exception):
    """This machine does not let us."""


def root_does(*words):
    """Run a program that only root may."""
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise NotHere(str(error)) from error
    if done.returncode != 0:
        raise NotHere(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()


class Disk:
    """An ext4 in a file, mounted below a folder."""

    def __init__(self, folder):
        self.place = os.path.join(folder, "disk")
        self.image = os.path.join(folder, "image")
        self.other = os.path.join(folder, "other")
        self.mounts = 0
        os.mkdir(self.place)
        for path in (self.image, self.other):
            with open(path, "wb") as image:
                image.truncate(IMAGE_MB << 20)

    def __enter__(self):
        root_does("mkfs.ext4", "-q", "-F", self.image)
        self.mount()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(NotHere):
            if os.path.ismount(self.place):
                root_does("umount", "-l", self.place)

    def mount(self):
        """Each second time another loop device than the first free one. Whatever is not mounted any
        more is detached, too."""
        words = [self.other, self.image] if self.mounts % 2 else [self.image]
        loops = [root_does("losetup", "-f", "--show", path) for path in words]
        self.mounts += 1
        try:
            root_does("mount", loops[-1], self.place)
        finally:
            for loop in loops:
                root_does("losetup", "-d", loop)

    def forget(self):
        """What was not synced is gone, and nothing can be read or written any more."""
        place = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(place, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(place)

    def mount_anew(self):
        wait_for(self._unmounted, "nobody uses the disk")
        self.mount()

    def _unmounted(self):
        """Whoever was killed holds its files until the kernel has put it away."""
        with contextlib.suppress(NotHere):
            root_does("umount", self.place)
        return not os.path.ismount(self.place)


class BootId:
    """What the kernel calls this start of the machine, in our mount namespace."""

    KERNELS = "/proc/sys/kernel/random/boot_id"

    def __init__(self, folder):
        self.ours = os.path.join(folder, "boot_id")
        self.change()
        root_does("mount", "--bind", self.ours, self.KERNELS)

    def change(self):
        with open(self.ours, "w", encoding="utf-8") as out:
            print(uuid.uuid4(), file=out)

    def close(self):
        root_does("umount", self.KERNELS)


class OnDisk(Delivery):
    """The chain with its data and its output on the disk, sockets and logs beside it."""

    def use(self, disk):
        self.data_dir = os.path.join(disk.place, "data")
        self.out = os.path.join(disk.place, "out.jsonl")
        with open(self.config, encoding="utf-8") as source:
            text = source.read()
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(text.replace("name = test\n", "name = test\ndata_dir = disk/data\n"
                                   "log_dir = log\nrun_dir = run\n")
                      .replace("path = out.jsonl", "path = disk/out.jsonl")
                      .replace("path = totals.jsonl", "path = disk/totals.jsonl"))

    def complaints(self):
        folder = os.path.join(self.folder, "log")
        return "".join(f"--- {name}\n{tail(os.path.join(folder, name), 15)}"
                       for name in sorted(os.listdir(folder)))

    def all_dead(self, disk):
        """The power is cut."""
        pids = self.pids()
        names = sorted(pids, key=lambda name: name != "launcher")
        for name in names:
            self.kill(name, signal.SIGSTOP)
        wait_for(lambda: all(map(stands_still, pids.values())), "all are stopped")
        disk.forget()
        for name in names:
            self.kill(name)
        wait_for(lambda: not any(is_alive(pid) for pid in pids.values()), "all dead")
        self.kill_all()  # whom the launcher started in the last moment
        disk.mount_anew()


def stands_still(pid):
    """Whether none of its threads runs, or is within a system call that goes on."""
    states = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat", encoding="utf-8") as source:
            states.append(source.read().rpartition(")")[2].split()[0])
    return set(states) <= set("TZX")


def cut_again_and_again(chain, disk, boot_id, args):
    dice = random.Random(args.seed)
    chain.up()
    producers = [chain.producer(p=slot, slot=slot, size=50, pad=100, bad=BAD) for slot in range(2)]
    with producers[0], producers[1]:
        for _ in range(args.cuts):
            for producer in producers:
                chain.more(producer, 500)
            time.sleep(dice.uniform(0, 1))
            chain.all_dead(disk)
            boot_id.change()
            chain.up()
        for producer in producers:
            chain.more(producer, 500)
            producer.end()
        for producer in producers:
            producer.finish(SETTLE_S)
        good = sum(producer.expected()[0] for producer in producers)
        with contextlib.suppress(AssertionError):
            wait_for(lambda: lines_in(outputs(chain.out)) >= good, "all is exported", SETTLE_S)
        chain.millrace("down", deadline_s=SETTLE_S)
    audit = json.loads(chain.millrace("audit", "--json", code=None).stdout)
    wrong = judge(chain, producers, audit, disk.place)
    print(f"seed {args.seed}: power cut {args.cuts} times")
    print(f"sent {sum(producer.made for producer in producers)}, acknowledged "
          f"{sum(producer.acknowledged for producer in producers)}, exported "
          f"{lines_in(outputs(chain.out))}, dead {len(dead_letters(chain.data_dir))}, batches "
          f"replayed {audit['replayed']}")
    print("; ".join(wrong) or "lost 0, doubled 0; metrics and audit agree")
    if wrong:
        print(chain.millrace("audit", "--deep", code=None).stdout, chain.complaints(), sep="\n")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    try:
        if "MR_POWER_LOSS" not in os.environ:
            root_does("unshare", "-m", "true")
            os.execvpe("unshare", ["unshare", "-m", *sys.orig_argv],
                       {**os.environ, "MR_POWER_LOSS": "in a mount namespace of its own"})
        with (OnDisk(workers=WORKERS, batch=512, extra=METRICS,
                     ingest="durability = fsync\n") as chain,
              Disk(chain.folder) as disk, contextlib.closing(BootId(chain.folder)) as boot_id):
            try:
                chain.use(disk)
                return cut_again_and_again(chain, disk, boot_id, args)
            finally:
                chain.kill_all()
    except NotHere as error:
        print(f"power loss: not run ({error})")
        return 0


if __name__ == "__main__":
    sys.exit(main())
