"""Where the real system might differ from the models (tests/model): the kernel closes the sockets
of a process that dies before its locks are free, and libzmq discards what is in a pipe whose
receiver is dead. Judged by the bytes in the sinks' files.

A lock stays held beyond its process's death because the test has the same open file: so everything
that others do about the death happens while the lock still says that it lives."""
import contextlib
import ctypes
import os
import signal
import struct
import subprocess
import sys

import pytest
from harness import DEADLINE_S, Pipeline, assert_exactly_once, numbered

SENT, CLAIMED, DONE = 1, 2, 3
RING = 1 << 17
PIDFD_GETFD = 438  # the same number on every architecture
HERE = os.path.dirname(os.path.abspath(__file__))


def held_locks(pid):
    """The lock files of this process, opened along with it: what it has locked stays so until the
    returned stack is closed."""
    libc = ctypes.CDLL(None, use_errno=True)
    locks = contextlib.ExitStack()
    process = os.pidfd_open(pid)
    for number in os.listdir(f"/proc/{pid}/fd"):
        name = os.path.basename(os.readlink(f"/proc/{pid}/fd/{number}"))
        if name == "lock" or name.endswith((".lock", ".mapped")):
            shared = libc.syscall(PIDFD_GETFD, process, int(number), 0)
            assert shared >= 0, os.strerror(ctypes.get_errno())
            locks.callback(os.close, shared)
    os.close(process)
    return locks


class Chain(Pipeline):
    """No launcher: who is dead stays dead until the test starts it again."""

    def __init__(self, tmp_path, durability="disk"):
        super().__init__(ingest="router = ipc://in/router\nwindow = 64\n"
                                f"durability = {durability}\n")
        self.armed = str(tmp_path / "armed")
        self.environment = {**os.environ, "MILLRACE_CRASH_FILE": self.armed}
        self.sent = 0
        self.listen()

    def start_one(self, *names):
        self.start(*names, env=self.environment)

    def batches(self, count, records=5):
        """So many batches are acknowledged: each request is one, and waits for its answer."""
        for _ in range(count):
            first = self.sent + 1
            self.sent += records
            answer = self.ask(b"test/%d" % self.sent, *numbered(first, self.sent))
            assert answer[1:] == [b"ok", b"%d" % self.sent], answer

    def dies(self, name):
        """It died, and its corpse is not watched any more."""
        process = self.workers.pop(name)
        assert process.wait(timeout=DEADLINE_S) == -signal.SIGKILL, name

    def kill(self, name):
        self.workers[name].kill()
        self.dies(name)

    def words(self):
        """seq -> (state, slot, generation) of the window's words that were used."""
        with open(os.path.join(self.folder, "data", "ingest.0.window"), "rb") as source:
            source.seek(4096)
            packed = struct.unpack(f"={RING}Q", source.read(8 * RING))
        return {word >> 16: (word & 3, word >> 2 & 63, word >> 8 & 255) for word in packed if word}

    def claimed(self):
        return [seq for seq, word in self.words().items() if word[0] == CLAIMED]

    def in_flight(self, count):
        """Wait until ingest says that so many batches are in flight: within 20 of its scans, as
        what is older than 30 s it sends again even if nobody told it of a loss."""
        seen = []
        while len(seen) < 20 and count not in seen:
            seen.append(self.counters("ingest.0")["journal"]["in_flight_batches"])
        assert seen[-1] == count, f"{seen}\n{self.complaints()}"

    def scans(self, count=2):
        """So many times ingest looked for what is to do, as it does before it counts."""
        for _ in range(count):
            self.counters("ingest.0")

    def all_came(self):
        """Nothing is in flight, and all that was sent is in the sinks' files, once."""
        self.in_flight(0)
        assert_exactly_once(self.wait_lines(self.sent), self.sent)
        self.settled()


@pytest.fixture(name="make")
def make_chain(keep, tmp_path):
    return lambda **options: keep(Chain(tmp_path, **options))


# ---- sockets are closed before the lock is free ----


@pytest.mark.parametrize("point, durability", [
    ("spool.accept.claimed", "disk"), ("spool.accept.appended", "disk"),
    ("spool.accept.appended", "fsync")])
def test_a_claim_stays_until_the_lock_is_free_and_everything_else_is_sent_again(
        make, point, durability):
    chain = make(durability=durability)
    chain.start_one("exporter.0", "processor.0", "ingest.0")
    chain.batches(2)
    chain.in_flight(0)
    exporter = chain.workers["exporter.0"].pid
    with held_locks(exporter):
        with open(chain.armed, "w", encoding="utf-8") as out:
            out.write(f"{point} {exporter}")
        chain.batches(4)  # the first of them is claimed; others may be in the pipe
        chain.dies("exporter.0")
        chain.start_one("exporter.1")
        chain.in_flight(1)  # peers saw the disconnect, and sent again what was not claimed
        chain.scans()
        (claim,) = chain.claimed()
        assert chain.words()[claim] == (CLAIMED, 0, 0)
        code, said = chain.refusal("exporter.0")
        assert code == 75 and "exporter.0" in said
        assert chain.claimed() == [claim]
    chain.in_flight(0)  # ingest took the lock, and settled
    state, slot, _ = chain.words()[claim]
    assert (state, slot) == (DONE, 0 if point == "spool.accept.appended" else 1)
    chain.start_one("exporter.0")  # for what stands in its spool
    chain.all_came()


def test_a_successor_that_waits_for_the_spools_lock_settles_when_it_is_free(make):
    """RUN's lock is free first, the spool's later: until then a new life claims nothing."""
    chain = make()
    chain.start_one("exporter.0", "processor.0", "ingest.0")
    exporter = chain.workers["exporter.0"].pid
    with held_locks(exporter) as locks:
        with open(chain.armed, "w", encoding="utf-8") as out:
            out.write(f"spool.accept.appended {exporter}")
        chain.batches(3)
        chain.dies("exporter.0")
        os.remove(os.path.join(chain.run_dir, "exporter.0.lock"))  # as good as free
        code, said = chain.refusal("exporter.0")
        assert code == 75 and "spool" in said, said
        (claim,) = chain.claimed()
        assert chain.words()[claim] == (CLAIMED, 0, 0)
        locks.close()
    chain.start_one("exporter.0")
    chain.all_came()
    assert chain.words()[claim][0] == DONE


@pytest.mark.parametrize("name", ["processor.0", "processor.1"])
def test_what_a_dying_worker_held_is_sent_again_while_its_lock_is_still_held(make, name):
    chain = make()
    chain.start_one("exporter.0", "processor.0", "processor.1", "ingest.0")
    chain.batches(2)
    chain.in_flight(0)
    chain.workers["exporter.0"].send_signal(signal.SIGSTOP)
    chain.batches(12)  # both processors have some in hand, or in their pipes
    with held_locks(chain.workers[name].pid):
        chain.kill(name)
        chain.workers["exporter.0"].send_signal(signal.SIGCONT)
        chain.all_came()


def test_a_successor_of_ingest_waits_for_the_journals_lock(make):
    chain = make()
    chain.start_one("exporter.0", "processor.0", "ingest.0")
    chain.workers["exporter.0"].send_signal(signal.SIGSTOP)
    chain.batches(6)
    with held_locks(chain.workers["ingest.0"].pid):
        chain.kill("ingest.0")
        chain.workers["exporter.0"].send_signal(signal.SIGCONT)
        code, said = chain.refusal("ingest.0")
        assert code == 75 and "ingest.0" in said
    chain.start_one("ingest.0")
    chain.all_came()


# ---- what is in a dead pipe ----


@contextlib.contextmanager
def deaf_exporter(chain, slot=0):
    """It is connected to, takes what the pipe holds, and reads nothing; killed at the end, while
    its lock is held by us: only who was connected to it can know."""
    words = [sys.executable, os.path.join(HERE, "deaf_exporter.py"), chain.run_dir, str(slot)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            assert process.stdout.readline() == b"bound\n"
            with held_locks(process.pid):
                yield process
        finally:
            process.kill()


def handled(chain, count):
    """So many batches have left the processor's hands, into the pipe."""
    chain.counters("processor.0",
                   lambda c: c["operations"].get("handle", {}).get("count", 0) >= count)


def test_messages_that_a_dead_pipe_discards_are_sent_again(make):
    chain = make()
    with deaf_exporter(chain) as dead:
        chain.start_one("processor.0", "ingest.0")
        chain.batches(8)
        handled(chain, 2)
        dead.kill()
        chain.start_one("exporter.1")
        chain.all_came()
    replayed = chain.counters("ingest.0")["journal"]["replayed"]
    assert replayed >= 2, replayed


def test_messages_that_enter_a_dead_pipe_after_all_other_notices_are_sent_again(make):
    """Ingest hears of a loss from elsewhere and sends all again: these copies, too, end in the
    pipe whose receiver never reads. What counts is its sender's notice, once it closed it."""
    chain = make()
    with deaf_exporter(chain) as dead:
        chain.start_one("processor.0", "ingest.0")
        chain.batches(2)
        handled(chain, 2)
        chain.start_one("processor.1")
        chain.kill("processor.1")  # for ingest, the loss of all that is under way
        chain.counters("ingest.0", lambda c: c["journal"]["replayed"] >= 2)
        handled(chain, 4)
        dead.kill()
        chain.start_one("exporter.1")
        chain.all_came()
