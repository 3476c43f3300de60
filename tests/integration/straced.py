"""System calls of a worker as strace wrote them down, as bytes and in order: what had ended before
what began. For the proof that nothing is acknowledged before the disk has it."""
import os
import re
import stat
import struct

LINE = re.compile(r"^(\d+) +[\d.]+ (.*)$")
BEGIN = re.compile(r"^(\w+)\((.*)$", re.S)
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$", re.S)
PATH = re.compile(r"^\d+<([^>]*)>")
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
CALLS = "pwritev,pwrite64,write,writev,fdatasync,fsync,sendto,sendmsg"


class Call:
    """One system call. began, ended: numbers of its lines; ended is None if it did not."""

    def __init__(self, name, args, began):
        self.name = name
        self.began = began
        self.ended = None
        self.args = args
        self.good = False

    def close(self, rest, at):
        self.args += rest
        self.ended = at
        self.good = not rest.rsplit("= ", 1)[-1].startswith(("-1", "?"))

    @property
    def path(self):
        found = PATH.match(self.args)
        return unhex(found.group(1)).decode("utf-8", "replace") if found else ""

    @property
    def data(self):
        return b"".join(unhex(text) for text in TEXT.findall(self.args))


def unhex(text):
    if "\\x" not in text:
        return text.encode()
    return bytes.fromhex(text.replace("\\x", ""))


def wrap(folder, stage, options=""):
    """Have this program of a chain traced: it keeps its pid, strace watches from aside. Returns the
    file that is written, by each life anew. Leaks cannot be looked for under strace."""
    program = os.path.join(folder, f"millrace-{stage}")
    real = os.path.join(folder, "real", f"millrace-{stage}")
    trace = os.path.join(folder, f"{stage}.strace")
    os.makedirs(os.path.dirname(real), exist_ok=True)
    os.rename(program, real)
    with open(program, "w", encoding="utf-8") as out:
        out.write("#!/bin/sh\nASAN_OPTIONS=detect_leaks=0 exec "
                  f"strace -D -f -ttt -y -xx -s 1000000 -o {trace} -e trace={CALLS} {options} "
                  f'{real} "$@"\n')
    os.chmod(program, os.stat(program).st_mode | stat.S_IXUSR)
    return trace


def calls_of(trace):
    """All calls, in the order in which they began."""
    calls = []
    open_calls = {}  # by thread
    with open(trace, encoding="ascii", errors="replace") as source:
        for at, line in enumerate(source):
            parts = LINE.match(line)
            if not parts:
                continue
            thread, text = parts.groups()
            resumed = RESUMED.match(text)
            begin = BEGIN.match(text)
            if resumed and thread in open_calls:
                open_calls.pop(thread).close(resumed.group(2), at)
            elif begin:
                call = Call(begin.group(1), begin.group(2), at)
                calls.append(call)
                if text.endswith("<unfinished ...>"):
                    call.args = call.args[:-len("<unfinished ...>")]
                    open_calls[thread] = call
                else:
                    call.args = ""
                    call.close(begin.group(2), at)
    return calls


class Disk:
    """When what was appended to the files of one log was durable."""

    def __init__(self, calls, folder):
        mine = [call for call in calls if f"/{folder}/" in call.path and call.good]
        self.appends = [call for call in mine if call.name.startswith("pwrite")]
        self.syncs = [call for call in mine if call.name in ("fdatasync", "fsync")]

    def durable_at(self, what):
        """The line at which the sync had ended that began after these bytes were appended; None:
        they never were."""
        for call in self.appends:
            if what in call.data:
                ends = [sync.ended for sync in self.syncs
                        if sync.began > call.ended and sync.path == call.path]
                return ends[0] if ends else None
        return None


def done_messages(data):
    """(journal, seq), as bytes, of the DONE messages in what was sent."""
    at = data.find(b"MRCL\x01\x00\x01\x00")
    while at >= 0:
        yield data[at + 8:at + 24]
        at = data.find(b"MRCL\x01\x00\x01\x00", at + 1)


def words_of(key):
    return struct.unpack("<QQ", key)
