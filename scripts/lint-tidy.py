#!/usr/bin/python3
"""Run clang-tidy on what changed. Arguments: compile database folder, cache folder, files."""
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time

INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
JOBS = 2
KEEP_SECONDS = 14 * 86400


def headers_of(path, seen):
    """All headers of this tree that `path` includes, directly or not (paths from the top)."""
    with open(path, "rb") as source:
        for name in INCLUDE.findall(source.read()):
            header = name.decode()
            if header not in seen and os.path.exists(header):
                seen.add(header)
                headers_of(header, seen)
    return seen


def digest(path, command, version):
    total = hashlib.sha256(version + command.encode())
    for name in [".clang-tidy", path, *sorted(headers_of(path, set()))]:
        with open(name, "rb") as source:
            total.update(name.encode() + b"\0" + source.read())
    return total.hexdigest()


def entries(database, only):
    """The (path from the top, command) of each source of ours, generated ones apart."""
    top = os.getcwd() + os.sep
    with open(os.path.join(database, "compile_commands.json"), encoding="utf-8") as file:
        for entry in json.load(file):
            path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
            if not path.startswith(top) or path.startswith(top + "build" + os.sep):
                continue
            path = path[len(top):]
            if os.path.exists(path) and (not only or path in only):
                yield path, entry["command"]


def flags_of(command):
    """What matters of a command; Debian's clang does not know all of gcc's warnings."""
    words = iter(shlex.split(command)[1:])
    for word in words:
        if word in ("-I", "-D", "-isystem", "-include"):
            yield from (word, next(words))
        elif word.startswith(("-I", "-D", "-std", "-isystem")):
            yield word


def tidy(path, command):
    flags = flags_of(command)
    run = subprocess.run(["clang-tidy", "--quiet", path, "--", *flags],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    problems = [line for line in run.stderr.splitlines()
                if "warnings generated" not in line and not line.startswith("Suppressed")]
    return run.returncode, run.stdout + ("\n".join(problems) if run.returncode else "")


def main():
    database, cache, only = sys.argv[1], sys.argv[2], set(sys.argv[3:])
    version = subprocess.run(["clang-tidy", "--version"], stdout=subprocess.PIPE,
                             check=True).stdout
    waiting, total, failures = {}, 0, 0
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for path, command in dict(entries(database, only)).items():
            total += 1
            mark = os.path.join(cache, digest(path, command, version))
            if os.path.exists(mark):
                os.utime(mark)
            else:
                waiting[pool.submit(tidy, path, command)] = mark
        for done in concurrent.futures.as_completed(waiting):
            status, text = done.result()
            if status == 0:
                with open(waiting[done], "w", encoding="utf-8"):
                    pass
            else:
                failures += 1
                print(text, flush=True)
    for name in os.listdir(cache):
        path = os.path.join(cache, name)
        if os.path.getmtime(path) < time.time() - KEEP_SECONDS:
            os.unlink(path)
    print(f"tidy: {total} files, {len(waiting)} looked at, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
