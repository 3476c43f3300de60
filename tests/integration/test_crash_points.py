"""Every named crash point of every program: 400 numbered records are sent, the process dies there
as by kill -9, its launcher starts it again, and exactly 400 come out once.

Each point has a private chain; two run at a time. How a point is reached is a scenario below;
a point without one is reached by the plain traffic, or stands in NOT_REACHED with the reason."""
import concurrent.futures
import errno
import functools
import glob
import os
import re
import resource
import signal
import subprocess

import pytest
from baddisk import BadDisk
from deliverylib import STAGES, Delivery, lines_in, outputs
from harness import BIN, is_alive, wait_for

RECORDS = 400
PAD = 4000  # so that 400 records fill segments of 1 MiB
METRICS = "[sink metrics]\ntype = file\npath = metrics.jsonl\ninput = metrics\ninterval = 200ms\n"

NOT_REACHED = {
    ("exporter", "pump.drop.counted"): "drop_oldest loses what it says: test_exporter_delivery",
    **{("ingest", point): "loses what it says: test_durability, test_delivery_harm"
       for point in ("ingest.lose.claimed", "journal.lose.written", "ingest.lose.done")},
    **{("exporter", f"window.{step}"): "linked with the window; only ingest makes windows"
       for step in ("install.named", "install.written", "keep.named", "watermark.noted")},
    ("ingest", "window.keep.named"): "its journal is another's: test_removed",
    **{("ingest", f"spool.{step}"): "linked with settling; only exporters have a spool"
       for step in ("held.released", "metrics.appended")},
    **{("ingest", f"spool.accept.{step}"): "linked with settling; only exporters accept"
       for step in ("reserved", "claimed", "appended", "done")},
}


class Rig(Delivery):
    """A chain each of whose stages has a file of its own by which it is armed, and whose disk fails
    when it is told to."""

    def __init__(self, ingest="", **options):
        super().__init__(ingest=f"segment_bytes = 1MiB\n{ingest}", **options)
        self.disk = BadDisk(self.folder)
        for stage in STAGES:
            self.disk.put_under(self.bin, stage, MILLRACE_CRASH_FILE=self.armed_by(stage))

    def armed_by(self, stage):
        return os.path.join(self.folder, f"armed.{stage}")

    def arm(self, stage, point):
        with open(self.armed_by(stage) + ".new", "w", encoding="utf-8") as out:
            out.write(point)
        os.rename(self.armed_by(stage) + ".new", self.armed_by(stage))

    def wait_died(self, stage):
        """It died there: whoever dies takes the file away."""
        wait_for(lambda: not os.path.exists(self.armed_by(stage)),
                 lambda: f"{stage} does not pass there\n{self.complaints()}", 20)

    def hold(self, name):
        """Stop a process; what it would do now waits until it is let go."""
        assert self.kill(name, signal.SIGSTOP), name

    def let_go(self, name):
        assert self.kill(name, signal.SIGCONT), name

    def die(self, stage, point):
        """Arm, and wait until the process is gone. The launcher is on hold meanwhile."""
        pid = self.pids()[f"{stage}.0"]
        self.arm(stage, point)
        wait_for(lambda: not is_alive(pid), lambda: f"{stage} at {point}\n{self.complaints()}", 20)


# ---- scenarios: bring `stage` to die at `point`, with some of the records under way ----


def plain(rig, _, stage, point):
    """Traffic is all it takes."""
    rig.arm(stage, point)


def after(first):
    """It is passed by the start that follows another death, at `first`."""
    def scenario(rig, producer, stage, point):
        rig.more(producer, 40)
        rig.hold("launcher")
        producer.allowed = RECORDS - 20
        rig.die(stage, first)
        rig.arm(stage, point)
        rig.let_go("launcher")
    return scenario


def settle_own(first):
    """The exporter dies with a claim, and its successor at settling it."""
    def scenario(rig, producer, stage, point):
        rig.hold("launcher")
        rig.hold("exporter.0")
        rig.more(producer, 100)
        rig.hold("ingest.0")  # it would settle for the dead
        rig.arm(stage, first)
        pid = rig.pids()["exporter.0"]
        rig.let_go("exporter.0")
        wait_for(lambda: not is_alive(pid), "it died with a claim", 20)
        rig.arm(stage, point)
        rig.let_go("launcher")
        rig.wait_died(stage)
        rig.let_go("ingest.0")
    return scenario


def settle_for_the_dead(first):
    """The exporter dies with a claim and stays away; ingest dies at settling it."""
    def scenario(rig, producer, stage, point):
        rig.hold("launcher")
        rig.more(producer, 40)
        rig.arm(stage, point)
        producer.allowed = 200
        rig.die("exporter", first)
        rig.wait_died(stage)
        rig.let_go("launcher")
    return scenario


def rebuild(rig, producer, stage, point):
    """The window is of another start of the machine; ingest dies before the new one is named."""
    rig.more(producer, 40)
    names = ("launcher", "ingest.0", "processor.0", "metrics.0", "exporter.0", "monitor")
    pids = rig.pids()
    for name in names:
        rig.kill(name)
    wait_for(lambda: not any(is_alive(pids[name]) for name in names), "all are dead")
    with open(os.path.join(rig.data_dir, "ingest.0.window"), "r+b") as window:
        window.seek(40)
        window.write(b"another-start-of-the-machine")
    rig.arm(stage, point)
    rig.millrace("up", "--detach", code=None)
    rig.wait_died(stage)
    rig.up()


def strike(rig, producer, stage, point):
    """A note is made of a record at which the processor crashed."""
    producer.poison = frozenset({99})
    rig.arm(stage, point)


def reopen(rig, producer, stage, point):
    """The sink's file was moved away."""
    rig.more(producer, 40)
    wait_for(lambda: os.path.exists(rig.out), "a file")
    rig.arm(stage, point)
    os.rename(rig.out, os.path.join(rig.folder, "out.7.jsonl"))
    rig.millrace("reopen")


def ghost(rig, producer, stage, point):
    """The last segment has a name and nothing in it, as a power loss may leave it."""
    rig.more(producer, 40)
    rig.hold("launcher")
    pid = rig.pids()[f"{stage}.0"]
    rig.kill(f"{stage}.0")
    wait_for(lambda: not is_alive(pid), f"{stage} is dead")
    (log,) = glob.glob(f"{rig.data_dir}/{stage}.0.[js]*/")
    last = max(os.path.basename(path) for path in glob.glob(f"{log}/*.seg"))
    digits, dot = os.path.splitext(last)
    with open(f"{log}/{int(digits, 16) + (1 << 24):0{len(digits)}x}{dot}", "w", encoding="utf-8"):
        pass
    rig.arm(stage, point)
    rig.let_go("launcher")


def new_totals(rig, producer, stage, point):
    """The file of totals is damaged: it is set aside."""
    rig.more(producer, 40)
    rig.hold("launcher")
    pid = rig.pids()["exporter.0"]
    rig.kill("exporter.0")
    wait_for(lambda: not is_alive(pid), "the exporter is dead")
    with open(os.path.join(rig.data_dir, "exporter.0.totals"), "wb") as totals:
        totals.write(b"no totals")
    rig.arm(stage, point)
    rig.let_go("launcher")


def refused(rig, producer, stage, point):
    """What the disk refuses in the middle is taken back, and the process dies at that."""
    rig.more(producer, 40)
    rig.arm(stage, point)
    rig.disk.fails("w", {"ingest": "ingest.0.journal", "exporter": "exporter.0.spool"}[stage],
                   errno.EDQUOT)
    producer.allowed = 200
    rig.wait_died(stage)
    rig.disk.works()


def half_written(rig, producer, stage, point):
    """The sink's file may grow by a part of the next row."""
    rig.more(producer, 100)
    wait_for(lambda: lines_in(outputs(rig.out)) == 100, "all that came is out")
    rig.arm(stage, point)
    most = os.path.getsize(rig.out) + PAD // 2  # more than other files of the exporter have
    resource.prlimit(rig.pids()["exporter.0"], resource.RLIMIT_FSIZE, (most, -1))


def torn(rig, producer, stage, point):
    """Somebody else's bytes stand behind the sink's own."""
    rig.more(producer, 40)
    wait_for(lambda: os.path.exists(rig.out) and os.path.getsize(rig.out), "some came out")
    rig.hold("launcher")
    pid = rig.pids()["exporter.0"]
    rig.kill("exporter.0")
    wait_for(lambda: not is_alive(pid), "the exporter is dead")
    with open(rig.out, "ab") as out:
        out.write(b"what nobody sent\n")
    rig.arm(stage, point)
    rig.let_go("launcher")


SETTLING = {"release": "spool.accept.claimed", "released": "spool.accept.claimed",
            "done": "spool.accept.appended"}
SCENARIOS = {
    "seglog.recover.cut": after("seglog.append.torn"),
    "seglog.recover.removed": ghost,
    ("exporter", "seglog.stock.dropped"): after("seglog.trim.disposed"),
    ("ingest", "seglog.stock.dropped"): after("seglog.trim.disposed"),
    "seglog.mend.done": refused,
    "seglog.head.begin": plain,
    **{("exporter", f"spool.settle.{step}"): settle_own(first) for step, first in SETTLING.items()},
    **{("ingest", f"spool.settle.{step}"): settle_for_the_dead(first)
       for step, first in SETTLING.items()},
    "spool.held.released": refused,
    "rebuild.spools.read": rebuild,
    "rebuild.window.made": rebuild,
    "window.install.named": rebuild,
    "window.install.written": rebuild,
    "checkpoint.broken.aside": new_totals,
    "sink.match.written": after("sink.write.done"),
    "sink.write.undone": half_written,
    "journal.note.written": strike,
    "pump.reopen.begin": reopen,
    "sink.torn.copied": torn,
    "sink.torn.cut": torn,
}
FSYNC = ("journal.sync.done", "seglog.sync.data", "seglog.sync.dir", "seglog.sync.published",
         "sink.sync.done", "cursor.sync.done")
# It is an append that fails, and not the beginning of another segment.
ONE_SEGMENT = ("seglog.mend.done", "spool.held.released")
# Passed by the first life alone: armed before the chain is up.
FIRST = ("ceiling.replace.durable", "ceiling.replace.named", "ceiling.replace.written",
         "cursor.open.mapped")


def points():
    """(stage, point) of all programs."""
    for stage in STAGES:
        said = subprocess.run([os.path.join(BIN, f"millrace-{stage}"), "--crash-points"],
                              check=True, capture_output=True, text=True).stdout
        for point in said.split():
            yield stage, point


TRIED = sorted(set(points()) - set(NOT_REACHED))


def try_point(stage, point, fsync=False):
    scenario = SCENARIOS.get((stage, point), SCENARIOS.get(point, plain))
    options = {"batch": 5 if "trim" in point or "stock" in point else 50,
               "ingest": "durability = fsync\n" if fsync or point in FSYNC else "",
               "exporter": "" if point in ONE_SEGMENT else "spool_segment = 64KiB\n",
               "processor": "debug_crash = n == 99\n" if scenario is strike else "",
               "extra": METRICS if point == "spool.metrics.appended" else ""}
    with Rig(**options) as rig:
        if point in FIRST:
            rig.arm(stage, point)
        rig.up()
        producer = rig.producer(size=20, pad=PAD, limit=RECORDS)
        producer.allowed = 100
        with producer:
            if point not in FIRST:
                scenario(rig, producer, stage, point)
            producer.finish()
            rig.wait_died(stage)
            assert producer.made == RECORDS
            rig.wait_out(producer)


@pytest.fixture(scope="module", name="results")
def all_results(request):
    """(stage, point) -> the future of its run, for those asked for."""
    asked = [(item.callspec.params["stage"], item.callspec.params["point"])
             for item in request.session.items
             if hasattr(item, "callspec") and "stage" in item.callspec.params]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        yield {at: pool.submit(functools.partial(try_point, *at)) for at in asked if at in TRIED}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("stage, point", TRIED)
def test_death_at_a_crash_point_loses_and_doubles_nothing(results, stage, point):
    results[stage, point].result()


@pytest.mark.parametrize("point", [
    "spool.accept.reserved", "spool.accept.claimed", "spool.accept.appended", "spool.accept.done",
    "spool.settle.release", "seglog.append.torn", "seglog.append.published", "seglog.roll.named"])
def test_death_of_an_exporter_that_waits_for_the_disk(point):
    """The same under fsync, where claims wait for one sync together."""
    try_point("exporter", point, fsync=True)


@pytest.mark.parametrize("point", [
    "sink.write.half", "sink.write.done", "pump.commit.begin", "pump.commit.done",
    "pump.reopen.begin"])
def test_death_while_the_file_of_a_sink_is_moved_away(point):
    """Its rows are found in the old file and the new one together, each once."""
    with Rig() as rig:
        rig.up()
        producer = rig.producer(size=20, pad=PAD, limit=RECORDS)
        producer.allowed = 100
        with producer:
            reopen(rig, producer, "exporter", point)
            producer.finish()
            rig.wait_died("exporter")
            rig.wait_out(producer)


def test_what_is_said_to_be_out_of_reach_is_there():
    assert set(NOT_REACHED) <= set(points())


def test_every_crash_point_of_the_code_is_armed_by_some_test():
    """Here, or by its name in another file."""
    here = os.path.dirname(os.path.abspath(__file__))
    top = os.path.dirname(os.path.dirname(here))
    named, elsewhere = set(), ""
    for folder in ("common", "stages", "launcher", "monitor"):
        for path in glob.glob(os.path.join(top, folder, "**", "*.c"), recursive=True):
            with open(path, encoding="utf-8") as source:
                named |= set(re.findall(r'MR_CRASH_(?:POINT|HIT) \("([^"]+)"\)', source.read()))
    for path in set(glob.glob(os.path.join(here, "*.py"))) - {os.path.abspath(__file__)}:
        with open(path, encoding="utf-8") as source:
            elsewhere += source.read()
    assert len(named) > 50
    tried = {point for _, point in TRIED}
    assert [point for point in sorted(named - tried) if f'"{point}"' not in elsewhere] == []
