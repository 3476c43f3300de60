"""A disk that fails when it is told to: tests/support/faults, preloaded into programs. What it has
written and synced can be traced, which shows what a power loss would leave."""
import os

from harness import BIN

LIBRARY = os.path.join(os.path.dirname(BIN), "tests", "libmr_faults.so")


class BadDisk:
    """Programs that have `environment` see files fail from fails() until works()."""

    def __init__(self, folder):
        self.rules = os.path.join(folder, "faults")
        self.lines = []
        assert os.path.exists(LIBRARY), LIBRARY
        self.environment = {"LD_PRELOAD": LIBRARY, "MILLRACE_FAULTS": self.rules,
                            "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def put_under(self, folder, stage, **more):
        """From its next start on the program of a stage, in this folder, runs with it."""
        program = os.path.join(folder, f"millrace-{stage}")
        os.makedirs(os.path.join(folder, "real"), exist_ok=True)
        real = os.path.join(folder, "real", f"millrace-{stage}")
        os.rename(program, real)
        words = "".join(f"{name}={value} " for name, value in {**self.environment, **more}.items())
        with open(program, "w", encoding="utf-8") as out:
            out.write(f'#!/bin/sh\nexec env {words}{real} "$@"\n')
        os.chmod(program, 0o755)

    def _write(self):
        with open(self.rules + ".new", "w", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in self.lines)
        os.rename(self.rules + ".new", self.rules)

    def trace(self, needle):
        """Keep book of the files whose path contains this."""
        self.lines.append(f"trace {needle}")
        self._write()

    def keep(self, needle):
        """Keep what files whose path contains this held when they were synced."""
        self.lines.append(f"keep {needle}")
        self._write()

    def fails(self, kinds, needle, error):
        """Calls of these kinds (letters of faults.c) on paths with needle in them fail."""
        self.lines.append(f"fail {kinds} {needle} {error:d}")
        self._write()

    def works(self):
        """Nothing fails any more; what is traced and kept still is."""
        self.lines = [line for line in self.lines if not line.startswith("fail ")]
        self._write()

    def undurable(self, path):
        """The bytes of a file, as (from, end), that a power loss may take: written last before a
        sync that failed, or before none. A failed sync forgets what it should have written. It
        must have been traced."""
        dirty, bad, seen = [], [], set()
        with open(self.rules + ".trace", encoding="utf-8") as source:
            for line in source:
                what, name, *numbers = _row(line)
                if name != path:
                    continue
                seen.add(what)
                if what == "w":
                    dirty.append((numbers[0], numbers[0] + numbers[1]))
                    bad = without(bad, dirty[-1])
                else:
                    bad += dirty if numbers[0] else []
                    dirty = []
        assert seen == {"w", "s"}, f"{path}: {seen} in the trace"
        return bad + dirty


def _row(line):
    """"w PATH FROM BYTES" or "s PATH ERRNO" -> (what, path, numbers...)."""
    what, rest = line.rstrip("\n").split(" ", 1)
    name, *numbers = rest.rsplit(" ", 2 if what == "w" else 1)
    return what, name, *map(int, numbers)


def without(pieces, taken):
    """Pieces less what lies in the taken one."""
    left = []
    for start, end in pieces:
        left += [(start, min(end, taken[0])), (max(start, taken[1]), end)]
    return [(start, end) for start, end in left if start < end]
