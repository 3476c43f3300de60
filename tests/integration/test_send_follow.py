"""send killed, and what became of its file meanwhile: rotated, copied, written anew, lost."""
import os
import random
import re
import shutil
import signal
import subprocess

import pytest
from launcherlib import wait_for
from test_send import append, audit, exported, lines_of, wait_exported

INGEST = "router = ipc://run/router\nmax_record = 200\n"


class Follower:
    """`send --follow`, killed by kill -9 or ended by Ctrl-C."""

    def __init__(self, chain, path, *words):
        self.chain = chain
        self.process = chain.start("send", path, "--follow", *words)

    def kill(self):
        self.process.kill()
        return self.process.communicate(timeout=60)[0]

    def end(self):
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate(timeout=60)[0]
        assert self.process.returncode == 0, said
        return said


def wait_count(chain, count):
    wait_for(lambda: len(exported(chain)) >= count,
             lambda: f"{count} records are in the file: {len(exported(chain))}")
    assert len(exported(chain)) == count


def sent_then_killed(chain, first=10, *words):
    """A followed file of which that many lines were sent; then kill -9."""
    path = append(chain, lines_of(range(first)))
    follower = Follower(chain, path, *words)
    wait_count(chain, first)
    follower.kill()
    return path


def test_a_file_that_was_renamed_while_send_was_dead_is_sent_first(chain):
    path = sent_then_killed(chain)
    append(chain, lines_of(range(10, 15)))
    os.rename(path, path + ".1")
    append(chain, lines_of(range(15, 20)))
    follower = Follower(chain, path)
    wait_count(chain, 20)
    said = follower.end()
    assert f"{path} was renamed to {path}.1" in said, said
    assert "acknowledged 10" in said
    with open(os.path.join(chain.folder, "out.jsonl"), encoding="utf-8") as out:
        assert out.read() == lines_of(range(20))


def test_several_rotations_while_send_was_dead_are_sent_in_their_order(chain):
    path = sent_then_killed(chain)
    shutil.copy(path, path + ".old")  # no rotation: somebody's copy
    append(chain, lines_of(range(10, 15)))
    for first in (15, 20, 25):
        for number in (2, 1):
            if os.path.exists(f"{path}.{number}"):
                os.rename(f"{path}.{number}", f"{path}.{number + 1}")
        os.rename(path, path + ".1")
        append(chain, lines_of(range(first, first + 5)))
    follower = Follower(chain, path)
    wait_count(chain, 30)
    append(chain, lines_of(range(30, 33)))
    wait_count(chain, 33)
    follower.end()
    with open(os.path.join(chain.folder, "out.jsonl"), encoding="utf-8") as out:
        assert out.read() == lines_of(range(33))


def test_rotation_by_date_and_no_file_of_that_name_yet(chain):
    path = sent_then_killed(chain)
    append(chain, lines_of(range(10, 15)))
    stem = path[:-len(".jsonl")]
    os.rename(path, stem + "-20260101.jsonl")
    append(chain, lines_of(range(15, 20)))
    os.rename(path, stem + "-20260102.jsonl")
    follower = Follower(chain, path)
    wait_count(chain, 20)
    append(chain, lines_of(range(20, 25)))
    wait_count(chain, 25)
    follower.end()
    wait_exported(chain, range(25))


def test_a_copy_that_was_made_before_the_file_was_truncated_has_the_rest(chain):
    path = sent_then_killed(chain)
    append(chain, lines_of(range(10, 15)))
    shutil.copy(path, path + ".1")
    os.truncate(path, 0)
    append(chain, lines_of(range(15, 20)))
    follower = Follower(chain, path)
    wait_count(chain, 20)
    assert f"{path} was renamed to {path}.1" in follower.end()
    wait_exported(chain, range(20))


def test_a_file_that_is_not_found_again_is_told_with_how_to_send_its_rest(chain):
    path = sent_then_killed(chain)
    sent = os.path.getsize(path)
    append(chain, lines_of(range(10, 15)))
    elsewhere = os.path.join(chain.folder, "elsewhere.gz.unpacked")
    shutil.copy(path, elsewhere)
    os.rename(path, os.path.join(chain.folder, "moved"))
    append(chain, lines_of(range(15, 20)))
    os.remove(os.path.join(chain.folder, "moved"))
    follower = Follower(chain, path)
    wait_count(chain, 15)
    said = follower.end()
    assert said.count("is not to be found") == 1, said
    assert f"sent up to byte {sent}," in said
    what = re.search(r"by: (tail -c \+\d+) COPY \| millrace (send --producer \S+)\n", said)
    for _ in range(2):  # as often as one likes
        rest = subprocess.run([*what[1].split(), elsewhere], capture_output=True, check=True)
        subprocess.run([*chain.command(*what[2].split()), "-c", chain.config], check=True,
                       input=rest.stdout, timeout=60)
    append(chain, lines_of([20]))
    follower = Follower(chain, path)
    wait_count(chain, 21)
    assert "is not to be found" not in follower.end()
    wait_exported(chain, range(21))


@pytest.mark.parametrize("follow", [True, False])
def test_a_file_written_anew_under_the_same_first_line_is_told_from_one_that_grew(chain, follow):
    path = append(chain, lines_of(range(10)))
    chain.millrace("send", path)
    append(chain, lines_of(range(10, 12)))
    said = chain.millrace("send", path)
    assert "skipped 10 " in said.stdout and "anew" not in said.stderr
    inode = os.stat(path).st_ino
    with open(path, "w", encoding="utf-8") as out:
        out.write('{"n":0}\n' + lines_of(range(101, 140)))
    assert os.stat(path).st_ino == inode
    if follow:
        follower = Follower(chain, path)
        wait_count(chain, 52)
        said = follower.end()
    else:
        done = chain.millrace("send", path)
        said = done.stdout + done.stderr
    assert "was written anew in place" in said and "skipped" not in said, said
    for _ in range(2):
        assert "skipped 40 " in chain.millrace("send", path).stdout
    wait_exported(chain, sorted([*range(12), 0, *range(101, 140)]))


def test_a_file_that_grew_is_said_to_be_the_one_that_was_read(chain):
    path = sent_then_killed(chain)
    append(chain, lines_of(range(10, 15)))
    follower = Follower(chain, path)
    wait_count(chain, 15)
    assert f"{path} is the file that was read before" in follower.end()
    wait_exported(chain, range(15))


def test_a_file_written_anew_while_it_is_followed_is_sent_from_its_beginning(chain):
    path = append(chain, lines_of(range(10)))
    follower = Follower(chain, path)
    wait_count(chain, 10)
    size = os.path.getsize(path)
    with open(path, "r+", encoding="utf-8") as out:  # as long as before, in one step
        out.write(lines_of([0, *range(9, 0, -1)]))
    assert os.path.getsize(path) == size
    wait_count(chain, 20)
    with open(path, "r+", encoding="utf-8") as out:
        out.write(lines_of([0, *range(40, 1, -1)]))
    wait_count(chain, 60)
    assert follower.end().count("written anew: it is read from its beginning") == 2
    wait_exported(chain, sorted([*range(10), *range(10), 0, *range(2, 41)]))


def test_refused_lines_shift_nothing_however_often_send_is_killed(chain):
    """--to does not know max_record; the lines that ingest refuses have no number."""
    rng = random.Random(7)
    path = os.path.join(chain.folder, "in.jsonl")
    good = list(range(3000))
    with open(path, "w", encoding="utf-8") as out:
        for number in good:
            if rng.random() < 0.02:
                out.write('{"x":"' + "x" * 300 + '"}\n')
            out.write(f'{{"n":{number}}}\n')
    endpoint = "ipc://" + os.path.join(chain.run_dir, "router")
    for _ in range(8):
        before = audit(chain)["received"]
        sender = chain.start("send", path, "--to", endpoint, "--rate", "4000")
        wait_for(lambda b=before, s=sender: audit(chain)["received"] > b + 150 or s.poll() == 1,
                 "some are received")
        sender.kill()
        sender.wait()
    assert chain.millrace("send", path, "--to", endpoint, code=None).returncode in (0, 1)
    append(chain, lines_of(range(3000, 3010)))
    chain.millrace("send", path, "--to", endpoint)
    wait_exported(chain, range(3010))


def test_with_a_producers_name_rotation_goes_on_with_the_numbers(chain):
    path = append(chain, lines_of(range(10)))
    follower = Follower(chain, path, "--producer", "shop")
    wait_count(chain, 10)
    os.rename(path, path + ".1")
    append(chain, lines_of(range(10, 15)))
    wait_count(chain, 15)
    follower.kill()
    append(chain, lines_of(range(15, 20)))
    os.rename(path + ".1", path + ".2")
    os.rename(path, path + ".1")
    append(chain, lines_of(range(20, 25)))
    follower = Follower(chain, path, "--producer", "shop")
    wait_count(chain, 25)
    follower.end()
    wait_exported(chain, range(25))


def test_a_place_that_cannot_be_kept_is_told_and_lines_are_counted(chain):
    path = append(chain, lines_of(range(10)))
    shutil.rmtree(os.path.join(chain.folder, "data", "send"), ignore_errors=True)
    with open(os.path.join(chain.folder, "data", "send"), "w", encoding="utf-8"):
        pass
    assert "no place is kept of" in chain.millrace("send", path).stderr
    append(chain, lines_of(range(10, 15)))
    assert "skipped 10 " in chain.millrace("send", path).stdout
    wait_exported(chain, range(15))


def test_files_that_were_there_between_two_looks_are_found_or_told(chain):
    path = append(chain, lines_of(range(10)))
    follower = Follower(chain, path)
    wait_count(chain, 10)
    follower.process.send_signal(signal.SIGSTOP)
    for first in (10, 20, 30):
        rotate(path)
        append(chain, lines_of(range(first, first + 10)))
    follower.process.send_signal(signal.SIGCONT)
    wait_count(chain, 40)
    follower.process.send_signal(signal.SIGSTOP)
    rotate(path)
    append(chain, lines_of(range(100, 110)))
    os.remove(path)
    append(chain, lines_of(range(40, 50)))
    follower.process.send_signal(signal.SIGCONT)
    wait_count(chain, 50)
    said = follower.end()
    for number in (1, 2):
        assert f"{path} was soon rotated to {path}.{number}: it is sent next" in said, said
    assert said.count("1 more file was at " + path) == 1, said
    wait_exported(chain, range(50))


def test_lines_that_come_late_to_a_file_that_was_rotated_are_sent(chain):
    """As those of a server's old processes do, which are told of the rotation one by one."""
    path = append(chain, lines_of(range(10)))
    follower = Follower(chain, path)
    total = 10
    for _ in range(3):
        wait_count(chain, total)
        rotate(path)
        append(chain, lines_of([total]))
        wait_count(chain, total + 1)
        append(chain, lines_of([total + 1]), "in.jsonl.1")
        append(chain, lines_of([total + 2]))
        wait_count(chain, total + 3)
        append(chain, lines_of([total + 3]), "in.jsonl.1")
        wait_count(chain, total + 4)
        append(chain, lines_of([total + 4]))
        total += 5
    wait_count(chain, total)
    follower.kill()
    append(chain, lines_of([total]), "in.jsonl.1")
    append(chain, lines_of([total + 1]))
    follower = Follower(chain, path)
    wait_count(chain, total + 2)
    follower.end()
    wait_exported(chain, range(total + 2))


def test_with_a_producers_name_lines_that_come_late_are_told(chain):
    path = append(chain, lines_of(range(10)))
    follower = Follower(chain, path, "--producer", "shop")
    wait_count(chain, 10)
    rotate(path)
    append(chain, lines_of([10]))
    wait_count(chain, 11)
    append(chain, lines_of([99]), "in.jsonl.1")
    wait_for(lambda: "grew when the next one had begun" in follower.process.stdout.readline(),
             "it is told")
    append(chain, lines_of([11]))
    wait_count(chain, 12)
    follower.end()


@pytest.mark.parametrize("seed", range(3))
def test_kill_at_any_moment_and_rotation_lose_and_double_nothing(chain, seed):
    rng = random.Random(seed)
    total = 10
    path = sent_then_killed(chain, total)
    follower = None
    for _ in range(25):
        deed = rng.choice(["write", "write", "rotate", "late", "kill", "start", "copytruncate"])
        if deed == "write":
            count = rng.randrange(1, 400)
            append(chain, lines_of(range(total, total + count)))
            total += count
        elif deed == "rotate":
            for _ in range(rng.randrange(1, 4)):
                rotate(path)
                append(chain, lines_of([total]))
                total += 1
        elif deed == "late" and os.path.exists(path + ".1"):
            append(chain, lines_of([total]), "in.jsonl.1")
            total += 1
        elif deed == "copytruncate" and follower is None:
            rotate(path, copy=True)
            append(chain, lines_of([total]))
            total += 1
        elif deed == "kill" and follower is not None:
            follower.kill()
            follower = None
        elif deed == "start" and follower is None:
            follower = Follower(chain, path)
            before = len(exported(chain))
            wait_for(lambda b=before: len(exported(chain)) > b or b == total, "it sends")
    follower = follower or Follower(chain, path)
    append(chain, lines_of([total]))
    total += 1
    wait_for(lambda: len(exported(chain)) >= total, "all of them")
    follower.end()
    wait_exported(chain, range(total))


def rotate(path, copy=False):
    number = 1
    while os.path.exists(f"{path}.{number}"):
        number += 1
    for at in range(number, 1, -1):
        os.rename(f"{path}.{at - 1}", f"{path}.{at}")
    if copy:
        shutil.copy(path, path + ".1")
        os.truncate(path, 0)
    else:
        os.rename(path, path + ".1")
