#!/usr/bin/python3
"""The reference work as a Python pipeline of the same four domains: asyncio and pyzmq, tuned as far
as the standard library goes: messages that have come are taken in bursts, text is decoded once a
burst, JSON goes through the C encoder without spaces, one write a burst, garbage is looked for
rarely.

peer_asyncio.py one IN OUT            all domains in one process, a callback each
peer_asyncio.py STAGE IN OUT          one domain a process, PUSH/PULL between them
IN: endpoint to bind (of `exporter` and `one`, OUT is a file). SIGTERM ends it: `metrics` and `one`
then write what they counted to OUT.counts or, for `metrics`, to the file in COUNTS.
"""
import asyncio
import contextlib
import gc
import json
import os
import signal
import sys

import zmq
import zmq.asyncio

BURST = 2048  # records that are taken in before they are worked on, as in Millrace's batches
BUCKETS = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)


encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Processor:
    """Parses, drops, sets, renames."""

    def __init__(self, on_batch):
        self.on_batch = on_batch

    async def handle(self, lines):
        out = []
        for line in lines:
            record = json.loads(line)
            if record["level"] == "debug":
                continue
            record["env"] = "prod"
            record["user_id"] = record.pop("user")
            out.append(record)
        await self.on_batch(out)


class Metrics:
    """Counts by service and level, and a histogram of latency_ms by service."""

    def __init__(self, on_batch):
        self.on_batch = on_batch
        self.counts, self.histograms = {}, {}

    async def handle(self, records):
        for record in records:
            service = record["service"]
            key = f"{service} {record['level']}"
            self.counts[key] = self.counts.get(key, 0) + 1
            buckets = self.histograms.setdefault(service, [0] * (len(BUCKETS) + 1))
            value = record["latency_ms"]
            place = 0
            while place < len(BUCKETS) and value > BUCKETS[place]:
                place += 1
            buckets[place] += 1
        await self.on_batch(records)

    def save(self, path):
        with open(path, "w", encoding="utf-8") as out:
            json.dump(self.counts, out)


class Exporter:
    """Writes a line a record, one write a batch."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)

    async def handle(self, records):
        if records:
            os.write(self.fd, ("\n".join(map(encode, records)) + "\n").encode())


async def pull(context, endpoint, handle):
    """Ingest: what comes in, one record or several lines a message; what is there goes at once."""
    socket = context.socket(zmq.PULL)
    socket.bind(endpoint)
    bare = zmq.Socket.shadow(socket.underlying)
    while True:
        lines = (await socket.recv()).decode().splitlines()
        with contextlib.suppress(zmq.Again):
            while len(lines) < BURST:
                lines += bare.recv(zmq.NOBLOCK).decode().splitlines()
        await handle(lines)


def pusher(context, endpoint):
    socket = context.socket(zmq.PUSH)
    socket.connect(endpoint)

    async def push(records):
        if records:
            await socket.send(("\n".join(map(encode, records))).encode())
    return push


def parsed(handle):
    async def handle_lines(lines):
        await handle([json.loads(line) for line in lines])
    return handle_lines


async def main(stage, source, target):
    gc.set_threshold(200000, 50, 50)
    context = zmq.asyncio.Context()
    metrics = None
    if stage == "one":
        metrics = Metrics(Exporter(target).handle)
        handle = Processor(metrics.handle).handle
    elif stage == "ingest":
        socket = context.socket(zmq.PUSH)
        socket.connect(target)

        async def handle(lines):
            await socket.send("\n".join(lines).encode())
    elif stage == "processor":
        handle = Processor(pusher(context, target)).handle
    elif stage == "metrics":
        metrics = Metrics(pusher(context, target))
        handle = parsed(metrics.handle)
    else:
        handle = parsed(Exporter(target).handle)
    work = asyncio.ensure_future(pull(context, source, handle))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        if metrics:
            metrics.save(os.environ.get("COUNTS", target + ".counts"))
        context.destroy(linger=0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
