"""A numbered producer that pipelines, and what came of its records: the oracle of the tests of
delivery. It believes nothing that the pipeline says of itself but the answers to its requests.

Record N of producer P is `{"p":P,"n":N,"t":when it was made, in monotonic ns,"pad":"..."}`. Some
are no JSON, or poison, and belong to the dead letters.
"""
import collections
import contextlib
import glob
import json
import os
import re
import threading
import time

import zmq
from verdicts import note_verdict

RECORD = re.compile(rb'\{"p":(\d+),"n":(\d+),"t":(\d+)')


class Numbered:
    """One producer, in a thread of its own. `made` records, of which those up to `acknowledged` are
    the pipeline's: that is its ledger."""

    def __init__(self, endpoint, p=0, size=20, window=32, limit=None, **options):
        self.endpoint = endpoint
        self.name = f"producer-{p}"
        self.p = p
        self.size = size
        self.window = window
        self.rate = options.pop("rate", 0)  # records/s; 0: as fast as it goes
        self.bad = options.pop("bad", 0)  # every so many-th is broken
        self.poison = frozenset(options.pop("poison", ()))  # the chain's steps stumble over them
        self.made = 0
        self.acknowledged = 0
        self.answers = collections.Counter()
        self.connections = 0
        self.fault = None
        self.limit = limit  # how many to make, once that is decided
        self.allowed = None  # how many to make for now
        self._requests = collections.deque()  # (last number, frames), not acknowledged
        self._pad = b"x" * options.pop("pad", 60)
        assert not options, options
        self._began = 0.0
        self._context = zmq.Context()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.fault = self.fault or "given up"
        self._thread.join()
        self._context.destroy(linger=0)

    def end(self):
        """Make no more than were made, or than the limit says."""
        self.allowed = None
        if self.limit is None:
            self.limit = self.made

    def finish(self, deadline_s=60):
        """No more records; wait for the last acknowledgement."""
        self.end()
        self._thread.join(timeout=deadline_s)
        assert self.fault is None, self.fault
        assert not self._thread.is_alive(), f"{self.acknowledged} of {self.made} acknowledged"
        assert self.acknowledged == self.made

    def is_broken(self, n):
        return self.bad > 0 and n % self.bad == 0

    def is_dead(self, n):
        """Whether it belongs to the dead letters."""
        return n in self.poison or self.is_broken(n)

    def expected(self):
        """How many of the records belong to the sink, and how many to the dead letters."""
        dead = sum(self.is_dead(n) for n in range(1, self.made + 1))
        return self.made - dead, dead

    # ---- the thread ----

    def _run(self):
        try:
            while self.fault is None and not self._is_done():
                with contextlib.closing(self._context.socket(zmq.DEALER)) as dealer:
                    dealer.linger = 0
                    dealer.reconnect_ivl = 10
                    watch = dealer.get_monitor_socket(zmq.EVENT_DISCONNECTED)
                    dealer.connect(self.endpoint)
                    self.connections += 1
                    self._talk(dealer, watch)
                    dealer.disable_monitor()
        except zmq.ZMQError as error:
            self.fault = self.fault or str(error)

    def _is_done(self):
        return self.limit is not None and self.made >= self.limit and not self._requests

    def _talk(self, dealer, watch):
        """One connection: what is not acknowledged goes again, then what is new. An answer that
        takes nothing ends the round: once the others are here, the next begins."""
        unsent, under_way, again = 0, 0, False
        poller = zmq.Poller()
        poller.register(dealer, zmq.POLLIN)
        poller.register(watch, zmq.POLLIN)
        while self.fault is None and not self._is_done():
            if again and under_way == 0:
                unsent, again = 0, False
            while not again and under_way < self.window and (
                    unsent < len(self._requests) or self._make()):
                dealer.send_multipart(self._requests[unsent][1])
                unsent, under_way = unsent + 1, under_way + 1
            ready = dict(poller.poll(50 if not self.rate else 5))
            if watch in ready:
                return
            while dealer.poll(0):
                popped, taken = self._answer(dealer.recv_multipart())
                unsent, under_way = unsent - popped, under_way - 1
                again = again or not taken

    def _make(self):
        limits = [limit for limit in (self.limit, self.allowed) if limit is not None]
        if any(self.made >= limit for limit in limits):
            return False
        if self.rate and self.made > (time.monotonic() - self._began) * self.rate:
            return False
        first, now = self.made + 1, time.monotonic_ns()
        size = min([self.size, *(limit - self.made for limit in limits)])
        frames = []
        for n in range(first, first + size):
            record = b'{"p":%d,"n":%d,"t":%d,"pad":"%s"}' % (self.p, n, now, self._pad)
            frames.append(record[:-1] if self.is_broken(n) else record)
        self.made += size
        name = f"{self.name}/{self.made}".encode()
        self._requests.append((self.made, [b"", name, *frames]))
        return True

    def _answer(self, frames):
        """Returns how many requests are done with, and whether the round may go on."""
        _, name, word, *more = frames
        self.answers[word.decode()] += 1
        if word == b"error" or (word == b"gap" and int(more[0]) < self.acknowledged):
            self.fault = f"{name} was answered {word} {more}, {self.acknowledged} acknowledged"
            return 0, False
        popped = 0
        if word in (b"ok", b"gap") and int(more[0]) > self.acknowledged:
            self.acknowledged = int(more[0])
            while self._requests and self._requests[0][0] <= self.acknowledged:
                self._requests.popleft()
                popped += 1
        if word == b"busy":
            time.sleep(0.005)
        return popped, word == b"ok"


class Tally:
    """How often each record of each producer was seen."""

    def __init__(self, producers):
        self.counts = {producer.p: bytearray(producer.made + 1) for producer in producers}
        self.producers = {producer.p: producer for producer in producers}
        self.seen = 0
        self.strangers = []

    def add(self, text):
        for p, n, _ in RECORD.findall(text):
            self.seen += 1
            counts = self.counts.get(int(p))
            if counts is None or not 0 < int(n) < len(counts):
                self.strangers.append((int(p), int(n)))
            else:
                counts[int(n)] = min(counts[int(n)] + 1, 255)

    def lost(self, dead=False):
        return [(p, n) for p, counts in self.counts.items() for n in range(1, len(counts))
                if counts[n] == 0 and self.producers[p].is_dead(n) == dead]

    def doubled(self):
        return [(p, n) for p, counts in self.counts.items() for n in range(1, len(counts))
                if counts[n] > 1]


def outputs(path):
    """The file of a sink, and those of further exporters beside it."""
    root, dot = os.path.splitext(path)
    return sorted(glob.glob(root + dot) + glob.glob(f"{root}.[0-9]*{dot}"))


def tally(producers, paths):
    found = Tally(producers)
    for path in paths:
        with open(path, "rb") as source:
            while text := source.read(1 << 24):
                found.add(text + source.readline())
    return found


def dead_letters(data_dir):
    """Rows of the dead-letter store."""
    rows = []
    for path in sorted(glob.glob(os.path.join(data_dir, "dead", "*.jsonl"))):
        with open(path, "rb") as source:
            rows += [json.loads(line) for line in source]
    return rows


def lines_in(paths):
    """Whole lines so far."""
    count = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as source:
            while text := source.read(1 << 24):
                count += text.count(b"\n")
    return count


def verdict(producers, out, data_dir):
    """What is wrong with what came out; "" when each record is where it belongs, once."""
    good = tally(producers, outputs(out))
    wrong = [f"lost {len(good.lost())}: {good.lost()[:10]}" if good.lost() else "",
             f"doubled {len(good.doubled())}: {good.doubled()[:10]}" if good.doubled() else "",
             f"never sent: {good.strangers[:10]}" if good.strangers else ""]
    dead = Tally(producers)
    for row in dead_letters(data_dir):
        dead.add(row.get("record", "").encode())
    if dead.lost(dead=True) or dead.doubled():
        wrong.append(f"dead letters: lost {dead.lost(dead=True)[:10]}, "
                     f"doubled {dead.doubled()[:10]}")
    both = [key for key in ((p, n) for p, counts in dead.counts.items()
                            for n in range(1, len(counts)) if counts[n])
            if good.counts[key[0]][key[1]]]
    if both:
        wrong.append(f"exported and dead: {both[:10]}")
    found = "; ".join(text for text in wrong if text)
    if found:
        note_verdict(found)
    return found
