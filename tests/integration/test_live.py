"""Workers come and go under load, by hand; a stopped sink holds producers back. Nothing is lost and
nothing comes twice."""
import os
import resource
import signal
import threading

import pytest
import zmq
from harness import assert_exactly_once, numbered, resident_kb, wait_for

ROUTER = "pull = ipc://in/pull\nrouter = ipc://in/router\nbatch_records = 50\nwindow = 32\n"


class Load:
    """An acknowledged producer that goes on until it is told to end. Each request has a producer
    name of its own, so that sending it again is harmless whoever answers."""

    SIZE = 25

    def __init__(self, chain, window=8):
        self.chain = chain
        self.window = window
        self.waiting = {}  # id -> frames
        self.made = 0
        self.answered = 0
        self.ending = threading.Event()
        self.fault = None
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.fault = self.fault or "given up"  # unless finish() was called, nobody waits for it
        self.thread.join()

    def _send(self, dealer):
        records = numbered(self.made + 1, self.made + self.SIZE, pad=50)
        name = b"load-%d/%d" % (self.made, self.SIZE)
        self.waiting[name] = [b"", name, *records]
        self.made += self.SIZE
        dealer.send_multipart(self.waiting[name])

    def _answer(self, dealer):
        _, name, word, *_ = dealer.recv_multipart()
        if word == b"busy":
            dealer.send_multipart(self.waiting[name])
        elif word == b"ok":
            if self.waiting.pop(name, None):
                self.answered += self.SIZE
        else:
            self.fault = f"{name} was answered {word}"

    def _run(self):
        with self.chain.socket(zmq.DEALER, "router") as dealer:
            while self.fault is None and not (self.ending.is_set() and not self.waiting):
                while len(self.waiting) < self.window and not self.ending.is_set():
                    self._send(dealer)
                if dealer.poll(1000):
                    self._answer(dealer)
                else:  # taken by nobody, between two lives of ingest
                    for frames in self.waiting.values():
                        dealer.send_multipart(frames)

    def more(self, count=1000):
        """Wait until so many more records were acknowledged."""
        goal = self.answered + count
        wait_for(lambda: self.fault or self.answered >= goal,
                 lambda: f"{self.answered} of {goal}\n{self.chain.complaints()}")
        assert self.fault is None

    def finish(self):
        self.ending.set()
        self.thread.join(timeout=60)
        assert not self.thread.is_alive() and self.fault is None, self.fault
        lines = self.chain.wait_lines(self.made)
        assert_exactly_once(lines, self.made)


def test_a_restart_of_each_stage_under_load(make):
    chain = make(ingest=ROUTER)
    chain.start_all()
    with Load(chain) as load:
        for name in ("processor.0", "exporter.0", "ingest.0", "processor.0", "exporter.0"):
            load.more()
            chain.restart(name)
        load.more()
        load.finish()


def test_processors_scale_up_and_down_under_load(make):
    chain = make(ingest=ROUTER)
    chain.listen()
    chain.start_all()
    with Load(chain) as load:
        load.more()
        chain.start("processor.1", "processor.2", "processor.3")
        for name in ("processor.1", "processor.3"):
            chain.counters(name, lambda c: c["operations"].get("handle", {}).get("records", 0) > 0)
        chain.stop("processor.0", "processor.2")
        load.more()
        chain.restart("processor.1")
        chain.stop("processor.3")
        load.more()
        load.finish()
    assert chain.settled()["exported"] == load.made


def test_exporters_scale_up_and_down_under_load(make):
    chain = make(ingest=ROUTER)
    chain.listen()
    chain.start_all()
    with Load(chain) as load:
        load.more()
        chain.start("exporter.1")
        chain.counters("exporter.1", lambda c: c["operations"].get("spool", {}).get("count"))
        chain.stop("exporter.0")
        load.more()
        chain.start("exporter.0", "exporter.2")
        chain.stop("exporter.1")
        load.more()
        load.finish()
    assert os.path.getsize(os.path.join(chain.folder, "out.1.jsonl")) > 0
    assert chain.settled()["exported"] == load.made


def test_two_ingest_workers_each_with_its_own_endpoint(make):
    chain = make(ingest="workers = 2\nrouter = ipc://in/router{slot}\n")
    chain.start("exporter.0", "processor.0", "ingest.0", "ingest.1")
    lines = numbered(1, 1000)
    for slot in (b"0", b"1"):
        for at in range(0, 500, 50):
            part = lines[500 * int(slot) + at:][:50]
            answer = chain.ask(b"p/%d" % (at + 50), *part, endpoint=f"router{slot.decode()}")
            assert answer[1] == b"ok"
    chain.stop("ingest.0")
    chain.start("ingest.0")
    assert_exactly_once(chain.wait_lines(1000), 1000)
    chain.stop("ingest.0", "ingest.1", "processor.0", "exporter.0")


def test_the_order_in_which_stages_start_does_not_matter(make):
    chain = make()
    chain.start("ingest.0", "exporter.0")
    with chain.socket(zmq.PUSH, "pull", sndhwm=0) as sender:
        for record in numbered(1, 500):
            sender.send(record)
        chain.start("processor.0")
        assert_exactly_once(chain.wait_lines(500), 500)


def test_a_second_worker_for_a_slot_says_who_holds_it(make):
    chain = make()
    chain.start_all()
    for name in ("ingest.0", "processor.0", "exporter.0"):
        code, said = chain.refusal(name)
        assert code == 75
        assert f"{name} is already running" in said
        assert f"pid {chain.workers[name].pid}" in said
    chain.push(numbered(1, 10))
    chain.wait_lines(10)


def test_a_killed_workers_successor_takes_its_slot(make):
    chain = make(ingest=ROUTER)
    chain.start_all()
    chain.push(numbered(1, 100))
    chain.wait_lines(100)
    for name in ("processor.0", "exporter.0", "ingest.0"):
        process = chain.workers.pop(name)
        process.kill()
        process.wait()
        assert f"{name}.ipc" in os.listdir(chain.run_dir)
        chain.start(name)
    chain.push(numbered(101, 200))
    assert_exactly_once(chain.wait_lines(200), 200)


def test_a_sigint_ends_a_worker_that_cannot_drain_and_another_sigterm_does_not(make):
    chain = make()
    chain.listen()
    chain.start("processor.0", "ingest.0")
    chain.workers["processor.0"].send_signal(signal.SIGSTOP)  # connected, and takes nothing
    with chain.socket(zmq.PUSH, "pull") as sender:
        sender.send(b"{}")
        chain.counters("ingest.0", lambda c: c["ledger"]["in_flight"] == 1)
    process = chain.workers["ingest.0"]
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
        chain.counters("ingest.0", lambda c: c["state"] == "draining")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 1


def test_a_full_disk_pauses_the_flow_and_nothing_is_torn_or_doubled(make):
    chain = make()
    chain.start_all()
    exporter = chain.workers["exporter.0"].pid
    resource.prlimit(exporter, resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
    chain.push(numbered(1, 1000))
    chain.wait_for(lambda: "producers wait" in chain.complaints(), "a complaint")
    assert "exporter.0.spool: no space for a frame" in chain.complaints()
    lines = chain.lines()
    assert len(b"\n".join(lines)) < 5000
    resource.prlimit(exporter, resource.RLIMIT_FSIZE,
                     (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert chain.wait_lines(1000) == numbered(1, 1000)


class Flood:
    """Producers of every kind that send until they are held back."""

    def __init__(self, chain):
        self.chain = chain
        self.sent = [0, 0]
        self.ending = threading.Event()
        self.given_up = False
        self.threads = [threading.Thread(target=self._push), threading.Thread(target=self._ask)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.given_up = kind is not None
        self.ending.set()
        for thread in self.threads:
            thread.join()

    def _push(self):
        sender = self.chain.push([])
        while not self.ending.is_set():
            if sender.poll(100, zmq.POLLOUT):
                sender.send(b'{"push":%d,"pad":"%s"}' % (self.sent[0], b"p" * 1000))
                self.sent[0] += 1

    def _ask(self):
        with self.chain.socket(zmq.DEALER, "router") as dealer:
            asked = 0
            while not self.ending.is_set() or self.sent[1] < asked and not self.given_up:
                if self.sent[1] == asked:
                    asked += 20
                    frames = [b'{"ask":%d,"pad":"%s"}' % (n, b"a" * 1000)
                              for n in range(self.sent[1], asked)]
                    dealer.send_multipart([b"", b"ask/%d" % asked, *frames])
                if dealer.poll(100):
                    assert dealer.recv_multipart()[2:] == [b"ok", b"%d" % asked]
                    self.sent[1] = asked


@pytest.mark.parametrize("stopped", ["exporter.0", "processor.0"])
def test_a_stopped_stage_holds_producers_back_with_memory_flat(make, stopped):
    chain = make(ingest=ROUTER)
    chain.listen()
    chain.start_all()
    names = list(chain.workers)
    with Flood(chain) as flood:
        wait_for(lambda: min(flood.sent) > 1000, "the flood")
        chain.workers[stopped].send_signal(signal.SIGSTOP)
        before = [-1, -1]
        while before != flood.sent:  # a second between two counters
            before = list(flood.sent)
            chain.counters("ingest.0")
            chain.counters("ingest.0")
        full = {name: resident_kb(chain.workers[name].pid) for name in names}
        for _ in range(3):
            chain.counters("ingest.0")
        assert flood.sent == before
        for name in names:
            assert resident_kb(chain.workers[name].pid) < full[name] + 4096, name
        chain.workers[stopped].send_signal(signal.SIGCONT)
        wait_for(lambda: min(flood.sent) > max(before) + 1000, "the flood goes on")
    lines = chain.wait_lines(sum(flood.sent))
    for key, count in zip((b"push", b"ask"), flood.sent):
        mine = [int(line.split(b":")[1].split(b",")[0]) for line in lines if key in line[:8]]
        assert sorted(mine) == list(range(count))
    for name in names:
        assert resident_kb(chain.workers[name].pid) < 400 << 10, name  # sanitizers take most


def test_a_hint_for_an_ingest_that_is_gone_does_not_hold_up_the_end(make):
    """A successor tells ingest of its predecessor's death. Where that ingest died too and never
    comes back, the successor still ends at once: hints are not worth waiting for."""
    chain = make()
    with open(chain.config, encoding="utf-8") as source:
        text = source.read()
    with open(chain.config, "w", encoding="utf-8") as out:
        out.write(text.replace("stop_timeout = 20s", "stop_timeout = 60m"))
    chain.start("exporter.0", "processor.0", "ingest.0")
    for name in ("ingest.0", "processor.0"):  # both leave their sockets behind
        process = chain.workers.pop(name)
        process.kill()
        process.wait()
    chain.start("processor.0")
    os.unlink(os.path.join(chain.run_dir, "ingest.0.ipc"))
    chain.stop("processor.0")
