#!/usr/bin/python3
"""Instructions per record of each stage's hot path, counted by callgrind, against budgets.txt.

Counts, unlike times, do not depend on what else the machine does. They do depend on the compiler,
the flags (pinned in CMakeLists.txt), and on which code simdjson and libc choose for the processor
at hand (pinned here). Both compilers of Debian 12 have budgets of their own. With another compiler
the limit is wider, and it is said.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BUDGETS = os.path.join(HERE, "budgets.txt")
STAGES = ("ingest", "processor", "metrics", "exporter", "sink")
LIMIT = 1.05           # over the budget by more fails
OTHER_VERSION = 1.15   # the same where the budget is of the same compiler in another version ...
OTHER_COMPILER = 1.30  # ... or of another compiler
PINNED = {
    "SIMDJSON_FORCE_IMPLEMENTATION": "westmere",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,"
                      "-AVX_Fast_Unaligned_Load,-ERMS,-FSRM",
    "LC_ALL": "C",
}
UPDATE = "tests/bench/guard/guard.py --update"


def read_budgets(path):
    """(compiler, stage) -> instructions a record; comments begin with #."""
    budgets = {}
    with open(path, encoding="utf-8") as source:
        for line in source:
            words = line.partition("#")[0].split()
            if words:
                budgets[" ".join(words[:-2]), words[-2]] = float(words[-1])
    return budgets


def count(program, stage):
    """Instructions a record, and what the program says about its run."""
    with tempfile.TemporaryDirectory(prefix="mr-guard-") as folder:
        command = ["valgrind", "--tool=callgrind", "--toggle-collect=mr_guard_counted*",
                   f"--callgrind-out-file={folder}/callgrind.out", program, stage, folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False,
                                  env={**os.environ, **PINNED}, timeout=240)
        except FileNotFoundError:
            sys.exit("guard: valgrind is not installed: run scripts/deps.sh test")
    found = re.search(r"Collected : (\d+)", done.stderr)
    said = re.search(r"records (\d+)", done.stdout)
    if done.returncode != 0 or not found or not said or int(found[1]) == 0:
        sys.exit(f"guard: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return int(found[1]) / int(said[1]), done.stdout.strip()


def budget_of(budgets, compiler, stage):
    """(budget, its compiler, factor that may not be passed)."""
    if (compiler, stage) in budgets:
        return budgets[compiler, stage], compiler, LIMIT
    others = [(other, value) for (other, name), value in budgets.items() if name == stage]
    for other, value in others:
        if other.split()[0] == compiler.split()[0]:
            return value, other, OTHER_VERSION
    if others:
        return others[0][1], others[0][0], OTHER_COMPILER
    sys.exit(f"guard: there is no budget for {stage}: {UPDATE} writes it")


def check(options, stage):
    measured, said = count(options.program, stage)
    budget, compiler, factor = budget_of(read_budgets(options.budgets), options.compiler, stage)
    percent = 100 * (measured / budget - 1)
    print(f"{stage}: {measured:.1f} instructions a record, budget {budget:.1f} ({percent:+.1f} %)"
          f" [{said}]")
    if compiler != options.compiler:
        print(f"The budget is of {compiler}, this is {options.compiler}: up to "
              f"{100 * factor - 100:.0f} % over is let pass instead of {100 * LIMIT - 100:.0f} %. "
              f"{UPDATE} adds budgets of this compiler.")
    if measured > budget * factor:
        print(f"FAILED: {stage} is {percent:.1f} % over its budget. Look where they go:\n"
              f"  valgrind --tool=callgrind '--toggle-collect=mr_guard_counted*' "
              f"{options.program} {stage} EMPTY-DIRECTORY && callgrind_annotate\n"
              f"If what they buy is worth it, say so in the commit and run {UPDATE}")
        return 1
    if measured < budget / LIMIT:
        print(f"That is better than the budget: keep it so with {UPDATE}")
    return 0


def update(options):
    """Write this compiler's budgets as they are now; those of others stay."""
    with open(options.budgets, encoding="utf-8") as source:
        lines = source.read().splitlines()
    kept = [line for line in lines if not line.startswith(options.compiler + " ")]
    for stage in STAGES:
        measured, _ = count(options.program, stage)
        kept.append(f"{options.compiler} {stage} {measured:.1f}")
        print(kept[-1])
    with open(options.budgets, "w", encoding="utf-8") as out:
        out.write("\n".join(kept) + "\n")
    return 0


def compiler_of(program):
    """What the program was compiled by, as CMake calls it."""
    cache = os.path.join(os.path.dirname(os.path.dirname(program)), "CMakeFiles")
    for folder, _, files in os.walk(cache):
        if "CMakeCCompiler.cmake" in files:
            with open(os.path.join(folder, "CMakeCCompiler.cmake"), encoding="utf-8") as source:
                text = source.read()
            name, version = (re.search(rf'set\(CMAKE_C_COMPILER_{word} "([^"]+)"\)', text)[1]
                             for word in ("ID", "VERSION"))
            return f"{name} {version}"
    sys.exit(f"guard: {cache} does not name the compiler: give --compiler")


def main():
    parser = argparse.ArgumentParser(prog="guard.py", description=__doc__)
    parser.add_argument("stages", nargs="*", default=STAGES, help=", ".join(STAGES))
    parser.add_argument("--program", default="build/dev/tests/guard")
    parser.add_argument("--compiler", help="as in budgets.txt; default: what CMake found")
    parser.add_argument("--budgets", default=BUDGETS, help=argparse.SUPPRESS)
    parser.add_argument("--update", action="store_true", help="write the budgets as they are now")
    options = parser.parse_args()
    options.program = os.path.abspath(options.program)
    options.compiler = options.compiler or compiler_of(options.program)
    if options.update:
        return update(options)
    return max(check(options, stage) for stage in options.stages)


if __name__ == "__main__":
    sys.exit(main())
