"""The same work by other programs, fed in the same way, and what ZeroMQ alone costs. Outputs are
compared record by record; where a peer cannot do a part of the work, its row says so."""
import contextlib
import functools
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import tempfile
import time

import benchcanon
from benchchain import wait_for
from benchload import BenchError, NotHere, Senders, answer
from procs import Sample, machine_s, peak_rss_mb, used

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = "/usr/lib/x86_64-linux-gnu/rsyslog"
JQ = 'select(.level != "debug") | .env = "prod" | .user_id = .user | del(.user)'
MAWK = (r'/"level":"debug"/ { next } '
        r'{ sub(/"user":/, "\"user_id\":"); sub(/}$/, ",\"env\":\"prod\"}"); print }')
RSYSLOG = """global(workDirectory="{folder}" maxMessageSize="64k")
module(load="mmjsonparse")
template(name="line" type="list") {{
    property(name="$!all-json-plain")
    constant(value="\\n")
}}
{module}
{queue}
ruleset(name="work" parser="rsyslog.rfc3164" {workers}) {{
    action(type="mmjsonparse" cookie="" useRawMsg="on")
    if $!level == "debug" then stop
    set $!env = "prod";
    set $!user_id = $!user;
    unset $!user;
    action(type="omfile" file="{out}" template="line" ioBufferSize="256k")
}}
{input}
"""
# What was tried and is no better here: larger batches (more CPU), writing by a thread of its own
# (5 % less CPU, but the last lines come a second late), one worker behind a queue.
DIRECT = 'main_queue(queue.type="Direct")'  # the input's own thread does the work
TWO_WORKERS = 'queue.type="FixedArray" queue.size="100000" queue.workerThreads="2"'
EXPECTED = {}  # (records, bytes) -> what must come out; the same in every round


class Folder:
    """A private directory, gone at the end, with the input and what must become of it."""

    def __init__(self, load, setup, work):
        self.work = work
        self.path = tempfile.mkdtemp(prefix="mr-bench-", dir=setup.folder)
        self.out = os.path.join(self.path, "out.jsonl")
        self.source = os.path.join(self.path, "in.jsonl")
        load.write(self.source, "write", *work.amount())
        key = (work.records, work.bytes)
        if key not in EXPECTED:
            EXPECTED[key] = benchcanon.expected(self.source)
        self.due = EXPECTED[key]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def wait_lines(self, count, processes):
        """Wall ns at which so many lines were there."""
        seen = {"lines": 0, "at": 0}

        def complete():
            if any(process.poll() is not None for process in processes):
                raise BenchError("the peer died")
            if os.path.exists(self.out) and os.path.getsize(self.out) > seen["at"]:
                with open(self.out, "rb") as source:
                    source.seek(seen["at"])
                    data = source.read()
                seen["at"] += len(data)
                seen["lines"] += data.count(b"\n")
            return seen["lines"] >= count
        wait_for(complete, lambda: f"{seen['lines']} of {count} lines", 120, 0.02)
        return time.time_ns()


@contextlib.contextmanager
def running(*commands, **options):
    """Processes that are ended, kindly, and then for good."""
    processes = []
    try:
        processes += [subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
                      for command in commands]
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def need(*paths):
    for path in paths:
        if not (os.path.exists(path) if path.startswith("/") else shutil.which(path)):
            raise NotHere(f"{os.path.basename(path)}: not here")


def fed(load, folder, target, processes):
    """Send everything to a peer that listens, until it has written what is due."""
    work = folder.work
    pids = {f"peer.{i}": process.pid for i, process in enumerate(processes)}
    with Senders(load, work, [target]) as senders:
        before = Sample(pids)
        start_ns, producer_s = senders.run()
        end_ns = folder.wait_lines(len(folder.due), processes)
        wall_s = (end_ns - start_ns) / 1e9
        costs = used(before, Sample(pids), pids, work.records, producer_s, wall_s)
    return {"wall_s": round(wall_s, 3), "records_per_s": round(work.records / wall_s),
            "producer_cpu": round(producer_s * 1e6 / work.records, 3), **costs}


def row(who, work, measured, lacks="", version=""):
    return {"kind": "peers", "who": who, "mode": work.mode, "records": work.records,
            "bytes": work.bytes, "lacks": lacks, "version": version, **measured}


@functools.lru_cache
def version(*command):
    """What a program says of itself, in two words: rsyslogd 8.2302.0, jq 1.6"""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    number = re.search(r"\d+\.[\d.]*\d", done.stdout + done.stderr)
    return f"{command[0]} {number[0]}" if number else command[0]


def python_version():
    import zmq
    return f"Python {platform.python_version()} with pyzmq {zmq.__version__}"


def listens(path_or_port):
    """Whether a socket file is there, or a port answers (without connecting: /proc tells)."""
    if isinstance(path_or_port, str):
        return os.path.exists(path_or_port)
    with open("/proc/net/tcp", encoding="utf-8") as source:
        return any(line.split()[1].endswith(f":{path_or_port:04X}") and line.split()[3] == "0A"
                   for line in source.readlines()[1:])


def rsyslog(load, setup, work, who, threads):
    """imptcp (lines over TCP) or imczmq (a record a message, PULL). threads: 1 does all; 0: one
    takes in, one works, as it is set up without being told; 2: one takes in, two work."""
    need("rsyslogd", f"{MODULES}/{'imczmq' if work.mode == 'push' else 'imptcp'}.so")
    with Folder(load, setup, work) as folder:
        path = os.path.join(folder.path, "in.ipc")
        if work.mode == "push":
            module = 'module(load="imczmq")'
            source = f'input(type="imczmq" endpoints="@ipc://{path}" socktype="PULL" ' \
                     'ruleset="work")'
            target, place = f"ipc://{path}", path
        else:
            place = free_port()
            module = 'module(load="imptcp" threads="1")'
            source = f'input(type="imptcp" address="127.0.0.1" port="{place}" ruleset="work")'
            target = f"127.0.0.1:{place}"
        config = os.path.join(folder.path, "rsyslog.conf")
        with open(config, "w", encoding="utf-8") as out:
            out.write(RSYSLOG.format(folder=folder.path, module=module, input=source,
                                     out=folder.out,
                                     queue=DIRECT if threads == 1 else "",
                                     workers=TWO_WORKERS if threads == 2 else ""))
        with running(["rsyslogd", "-n", "-f", config, "-i", f"{folder.path}/pid"],
                     stderr=subprocess.DEVNULL) as processes:
            wait_for(lambda: listens(place), lambda: "rsyslogd does not listen", 20)
            measured = fed(load, folder, target, processes)
        benchcanon.compare([folder.out], folder.due)
    return row(who, work, measured, "no histogram, no counts", version("rsyslogd", "-v"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def python(load, setup, work, who, processes=1):
    """peer_asyncio.py, all in one process or one process a domain."""
    program = [shutil.which("python3", path="/usr/bin"), os.path.join(HERE, "peer_asyncio.py")]
    if subprocess.run([program[0], "-c", "import zmq"], capture_output=True,
                      check=False).returncode:
        raise NotHere("python3-zmq: not here")
    with Folder(load, setup, work) as folder:
        counts = os.path.join(folder.path, "counts")
        ends = [f"ipc://{folder.path}/{i}.ipc" for i in range(4)] + [folder.out]
        stages = ["one"] if processes == 1 else ["ingest", "processor", "metrics", "exporter"]
        commands = [[*program, stage, ends[i], ends[i + 1]] for i, stage in enumerate(stages)]
        commands[-1][-1] = folder.out
        with running(*commands, env={**os.environ, "COUNTS": counts}) as running_ones:
            wait_for(lambda: all(listens(f"{folder.path}/{i}.ipc") for i in range(len(stages))),
                     lambda: "the Python pipeline does not listen", 20)
            measured = fed(load, folder, ends[0], running_ones)
        benchcanon.compare([folder.out], folder.due)
        with open(counts, encoding="utf-8") as source:
            if json.load(source) != benchcanon.counts(folder.due):
                raise BenchError("the Python pipeline counted something else")
    return row(who, work, measured, "", python_version())


def ended(process):
    """Its rusage and peak RSS, once it has ended. ru_maxrss would begin with ours of the fork."""
    rss_mb = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage, rss_mb
        with contextlib.suppress(OSError, TypeError):  # it ends just now
            rss_mb = max(rss_mb, peak_rss_mb(process.pid))
        time.sleep(0.002)


def pipe(load, setup, work, who, command, lacks):
    """A filter between two files."""
    need(command[0])
    with Folder(load, setup, work) as folder:
        busy_s, began = machine_s(), time.monotonic()
        with open(folder.source, "rb") as source, open(folder.out, "wb") as out, \
                subprocess.Popen(["cat"], stdin=source, stdout=subprocess.PIPE) as cat, \
                subprocess.Popen(command, stdin=cat.stdout, stdout=out) as process:
            cat.stdout.close()
            usage, rss_mb = ended(process)
        wall_s = time.monotonic() - began
        if process.returncode != 0:
            raise BenchError(f"{command[0]}: exit {process.returncode}")
        cpu_s = usage.ru_utime + usage.ru_stime
        others = (machine_s() - busy_s - cpu_s) / wall_s
        benchcanon.compare([folder.out], folder.due)
    total = round(cpu_s * 1e6 / work.records, 3)
    return row(who, work, {
        "wall_s": round(wall_s, 3), "records_per_s": round(work.records / wall_s),
        "cpu_per_million": {"peer": total}, "cpu_total": total,
        "rss_total_mb": round(rss_mb, 1), "other_load": round(max(0, others), 2),
    }, lacks, version(command[0], "--version" if command[0] == "jq" else "-W", *(
        () if command[0] == "jq" else ("version",))))


def hops(program, setup, work, count):
    """Messages through so many processes that do nothing else."""
    with tempfile.TemporaryDirectory(prefix="mr-bench-", dir=setup.folder) as folder:
        busy_s, began = machine_s(), time.monotonic()
        found = program.ask("hops", f"--dir={folder}", f"--hops={count}", f"--chunk={work.chunk}",
                            f"--records={work.records}", f"--bytes={work.bytes}")
        others = (machine_s() - busy_s - found["cpu_s"]) / (time.monotonic() - began)
    if not found["exact"]:
        raise BenchError("messages were lost between bare sockets")
    return {"kind": "limits", "who": f"libzmq, {count} hops, {work.chunk} a message",
            "records": work.records, "bytes": work.bytes, "wall_s": found["wall_s"],
            "records_per_s": round(work.records / found["wall_s"]),
            "cpu_total": round(found["cpu_s"] * 1e6 / work.records, 3),
            "other_load": round(max(0, others), 2)}


def receive(program, load, setup, work):
    """One record a message, taken in and copied once: what any collector must do at least."""
    with tempfile.TemporaryDirectory(prefix="mr-bench-", dir=setup.folder) as folder:
        with program.begin("receive", f"--dir={folder}", f"--records={work.records}",
                           f"--bytes={work.bytes}") as receiver, \
                Senders(load, work, [f"ipc://{folder}/receive"]) as senders:
            busy_s, began = machine_s(), time.monotonic()
            _, producer_s = senders.run()
            found = answer(receiver)
            others = (machine_s() - busy_s - found["cpu_s"] - producer_s) \
                / (time.monotonic() - began)
    if not found["exact"]:
        raise BenchError("messages were lost on a bare socket")
    return {"kind": "limits", "who": "libzmq, receive and copy, 1 a message", "mode": work.mode,
            "records": work.records, "bytes": work.bytes, "wall_s": found["wall_s"],
            "records_per_s": round(work.records / found["wall_s"]),
            "cpu_total": round(found["cpu_s"] * 1e6 / work.records, 3),
            "other_load": round(max(0, others), 2)}
