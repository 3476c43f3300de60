#!/usr/bin/python3
"""table.py: README.md's tables against runs.txt: every mutation that a hole names is searched, and
must be found; every search has its result in README.md, with what it must find."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def searches():
    """(size, model, macros as they stand there) -> what must be found."""
    found = {}
    with open(os.path.join(HERE, "runs.txt"), encoding="utf-8") as source:
        for line in source:
            words = line.split("#")[0].split()
            if words:
                found[words[0], words[1], " ".join(words[3:])] = words[2]
    return found


def rows(title, end):
    """The cells of the tables between two lines of README.md."""
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as source:
        part = source.read().split(f"\n{title}\n", 1)[1].split(f"\n{end}\n", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def missing_mutations(expected):
    for breaks, _, cell in rows("## Each hole and its mutation", "## Results"):
        model, _, mutations = cell.partition(": ")
        for mutation in mutations.split("; "):
            macros = set(mutation.split())
            if mutation == "all its mutations":
                macros = set()
            if not any(row[1] == model and macros <= set(row[2].split()) and found != "ok"
                       for row, found in expected.items()):
                yield f"{breaks}: no search of {model} with {mutation} must find anything"


def differing_results(expected):
    shown = {}
    for size, title, end in (("small", "## Results", "The large set:"),
                             ("large", "The large set:", "")):
        for cells in rows(title, end):
            shown[size, cells[0], cells[1]] = cells[2]
    for row in sorted(set(expected) | set(shown)):
        if expected.get(row) != shown.get(row):
            yield f"{' '.join(row)}: runs.txt {expected.get(row)}, README.md {shown.get(row)}"


def main():
    expected = searches()
    faults = [*missing_mutations(expected), *differing_results(expected)]
    for fault in faults:
        print(f"table.py: {fault}")
    print(f"{len(expected)} searches, {len(faults)} faults in README.md")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
