"""send, audit, events, logs: with the real stages."""
import contextlib
import json
import os
import re
import signal
import subprocess
import time

import pytest
from launcherlib import Chain, wait_for

INGEST = "router = ipc://run/router\n"


def write_lines(chain, numbers, name="in.jsonl", mode="w"):
    path = os.path.join(chain.folder, name)
    with open(path, mode, encoding="utf-8") as out:
        for number in numbers:
            out.write(f'{{"n":{number}}}\n')
    return path


def exported(chain):
    path = os.path.join(chain.folder, "out.jsonl")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as source:
        return sorted(json.loads(line)["n"] for line in source if line.endswith("\n"))


def wait_exported(chain, numbers):
    wait_for(lambda: len(exported(chain)) >= len(numbers),
             lambda: f"{len(numbers)} records are in the file: {len(exported(chain))}, "
                     + chain.millrace("audit").stdout)
    assert exported(chain) == list(numbers)


def test_a_file_goes_through_the_chain_once_however_often_it_is_sent(chain):
    path = write_lines(chain, range(3000))
    said = chain.millrace("send", path).stdout
    assert "sent 3,000, acknowledged 3,000, refused 0" in said
    said = chain.millrace("send", path).stdout
    assert "sent 0," in said and "skipped 3,000" in said
    write_lines(chain, range(3000, 3100), mode="a")
    assert "sent 100," in chain.millrace("send", path).stdout
    wait_exported(chain, range(3100))
    wait_for(lambda: audit(chain)["in_flight"] == 0, "all batches are settled")
    whole = audit(chain)
    assert (whole["received"], whole["exported"], whole["balanced"]) == (3100, 3100, True)
    assert re.search(r"received 3,100 = exported 3,100 .* balanced", chain.millrace("audit").stdout)


def audit(chain):
    return json.loads(chain.millrace("audit", "--json").stdout)


def test_the_audit_needs_no_running_process(chain):
    chain.millrace("send", write_lines(chain, range(500)))
    chain.millrace("down")
    whole = audit(chain)
    assert (whole["received"], whole["exported"], whole["in_flight"]) == (500, 500, 0)
    assert whole["journals"][0]["worker"] == "ingest.0"


def test_blank_lines_are_skipped_and_a_last_line_needs_no_newline(chain):
    path = os.path.join(chain.folder, "in.jsonl")
    with open(path, "w", encoding="utf-8") as out:
        out.write('\n{"n":0}\n  \r\n{"n":1}\r\n\n{"n":2}')
    assert "sent 3, acknowledged 3" in chain.millrace("send", path).stdout
    wait_exported(chain, range(3))


def test_standard_input(chain):
    done = subprocess.run(chain.command("send", "-c", chain.config), text=True, timeout=60,
                          input='{"n":0}\n{"n":1}\n', capture_output=True, check=True)
    assert "sent 2, acknowledged 2" in done.stdout
    wait_exported(chain, range(2))


def test_standard_input_has_more_runs_than_max_producers():
    with Chain(real=True, ingest=INGEST + "max_producers = 5\n") as chain:
        chain.up()
        assert "sent 2, acknowledged 2" in chain.millrace("send", write_lines(chain, [0, 1])).stdout
        for n in range(2, 22):
            done = subprocess.run(chain.command("send", "-c", chain.config), text=True, timeout=60,
                                  input=f'{{"n":{n}}}\n', capture_output=True, check=True)
            assert "sent 1, acknowledged 1" in done.stdout
        path = write_lines(chain, [0, 1])
        assert "skipped 2" in chain.millrace("send", path).stdout
        wait_exported(chain, range(22))


def test_going_round_in_a_file_takes_no_lasting_name():
    with Chain(real=True, ingest=INGEST + "max_producers = 1\n") as chain:
        chain.up()
        path = write_lines(chain, range(5))
        assert "sent 5, acknowledged 5" in chain.millrace("send", path).stdout
        sender = chain.start("send", path, "--loop", "--rate", "1000")
        wait_for(lambda: audit(chain)["received"] > 20, "it is taken beside the one lasting name")
        sender.send_signal(signal.SIGINT)
        said = sender.communicate(timeout=60)[0]
        assert sender.returncode == 0 and "refused 0" in said, said


def test_a_killed_sender_goes_on_where_it_was(chain):
    path = write_lines(chain, range(20000))
    for _ in range(3):
        sender = chain.start("send", path, "--rate", "5000")
        before = audit(chain)["received"]
        wait_for(lambda b=before: audit(chain)["received"] > b + 500, "some are received")
        sender.send_signal(signal.SIGKILL)
        sender.wait()
    assert "skipped" in chain.millrace("send", path).stdout
    wait_exported(chain, range(20000))


@pytest.mark.parametrize("words", [("--follow",), ("--producer", "web")])
def test_a_second_send_of_one_file_is_refused_as_long_as_the_first_lives(chain, words):
    path = write_lines(chain, range(200))
    first = chain.start("send", path, *words, "--rate", "100")
    wait_for(lambda: exported(chain), "the first one sends")
    said = chain.millrace("send", path, *words, code=75).stderr
    what = "the name web" if "web" in words else path
    assert said == (f"millrace send: another send (process {first.pid}) works on {what}; "
                    "try again when it has ended\n")
    first.kill()
    first.wait()
    second = chain.start("send", path, *words)
    wait_exported(chain, range(200))
    second.send_signal(signal.SIGINT)
    said = second.communicate(timeout=60)[0]
    assert "refused 0" in said, said


def test_two_that_send_one_file_at_once_without_a_lock_send_each_line_once(chain):
    """The slower one is overtaken by far more than it has in hand."""
    with open(os.path.join(chain.folder, "data", "send"), "w", encoding="utf-8"):
        pass  # no place can be kept, and no lock be had
    path = write_lines(chain, range(20000))
    slow = chain.start("send", path, "--rate", "2000")
    wait_for(lambda: audit(chain)["received"] > 0, "the slow one sends")
    slow.send_signal(signal.SIGSTOP)
    assert "refused 0" in chain.millrace("send", path).stdout
    slow.send_signal(signal.SIGCONT)
    said = slow.communicate(timeout=60)[0]
    assert slow.returncode == 0 and "acknowledged 20,000" in said, said
    assert said.count("another send numbers records under the name file-") == 1, said
    wait_exported(chain, range(20000))


def test_follow_sees_growth_rename_and_truncation(chain):
    path = write_lines(chain, range(10))
    sender = chain.start("send", path, "--follow")
    wait_for(lambda: len(exported(chain)) == 10, "the first lines")
    write_lines(chain, range(10, 20), mode="a")
    wait_for(lambda: len(exported(chain)) == 20, "growth")
    os.rename(path, path + ".1")
    write_lines(chain, range(20, 30))
    wait_for(lambda: len(exported(chain)) == 30, "rename")
    write_lines(chain, range(30, 35))
    wait_for(lambda: len(exported(chain)) == 35, "truncation")
    sender.send_signal(signal.SIGINT)
    said = sender.communicate(timeout=60)[0]
    assert sender.returncode == 0 and "acknowledged 35" in said, said
    wait_exported(chain, range(35))


def append(chain, text, name="in.jsonl"):
    path = os.path.join(chain.folder, name)
    with open(path, "a", encoding="utf-8") as out:
        out.write(text)
    return path


def lines_of(numbers):
    return "".join(f'{{"n":{n}}}\n' for n in numbers)


def test_follow_reads_a_renamed_file_to_its_end(chain):
    """Its writer goes on there until the new file has something; a last line without newline is
    a line then; and of two rotations while producers wait none is missed."""
    path = append(chain, lines_of(range(10)))
    sender = chain.start("send", path, "--follow")
    wait_for(lambda: len(exported(chain)) == 10, "the first lines")
    os.rename(path, path + ".1")
    append(chain, "")
    append(chain, lines_of(range(10, 15)) + '{"n":15}', "in.jsonl.1")
    wait_for(lambda: len(exported(chain)) == 15, "what was written to it under its new name")
    append(chain, lines_of(range(16, 20)))
    wait_for(lambda: len(exported(chain)) == 20, "the new file")
    ingest = chain.pids()["ingest.0"]
    os.kill(ingest, signal.SIGSTOP)
    append(chain, lines_of(range(20, 25)))
    for first in (25, 30):
        seen = os.stat(path).st_ino
        os.rename(path, f"{path}.{first}")
        append(chain, lines_of(range(first, first + 5)))
        wait_for(lambda s=seen: holds(sender, path, s), "the sender has seen it")
    os.kill(ingest, signal.SIGCONT)
    wait_for(lambda: len(exported(chain)) == 35, "all of them")
    sender.send_signal(signal.SIGINT)
    assert "acknowledged 35" in sender.communicate(timeout=60)[0]
    wait_exported(chain, range(35))


def holds(sender, path, other_than):
    """Whether the process has the file open that is at the path, another one than before."""
    here = os.stat(path)
    folder = f"/proc/{sender.pid}/fd"
    opened = set()
    for fd in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            opened.add(os.stat(f"{folder}/{fd}").st_ino)
    return here.st_ino != other_than and here.st_ino in opened


def test_follow_knows_a_truncated_file_that_begins_with_the_same_line(chain):
    """As a table with a header does; killed and started again at any time, also across it."""
    path = append(chain, '{"n":0}\n' + lines_of(range(1, 10)))
    sender = chain.start("send", path, "--follow")
    wait_for(lambda: len(exported(chain)) == 10, "the first lines")
    os.truncate(path, 0)
    append(chain, '{"n":0}\n' + lines_of(range(11, 15)))
    wait_for(lambda: len(exported(chain)) == 15, "after the truncation")
    sender.kill()
    sender.wait()
    append(chain, lines_of(range(15, 20)))
    sender = chain.start("send", path, "--follow")
    wait_for(lambda: len(exported(chain)) == 20, "after a second start")
    sender.kill()
    sender.wait()
    os.truncate(path, 0)
    append(chain, '{"n":0}\n' + lines_of(range(21, 23)))
    sender = chain.start("send", path, "--follow")
    wait_for(lambda: len(exported(chain)) == 23, "truncated while nobody looked")
    append(chain, lines_of(range(23, 30)))
    wait_for(lambda: len(exported(chain)) == 30, "and written on")
    sender.send_signal(signal.SIGINT)
    assert "acknowledged 10" in sender.communicate(timeout=60)[0]
    wait_exported(chain, sorted([*range(10), 0, *range(11, 20), 0, *range(21, 30)]))


def test_restarts_and_scaling_under_load_lose_and_double_nothing(chain):
    path = write_lines(chain, range(60000))
    sender = chain.start("send", path, "--rate", "10000")
    wait_for(lambda: audit(chain)["received"] > 0, "records flow")
    for words in (("scale", "processor=4"), ("restart", "processor"), ("restart", "metrics"),
                  ("scale", "metrics=2"), ("restart", "exporter"), ("restart", "monitor"),
                  ("scale", "processor=1"), ("scale", "metrics=1")):
        chain.millrace(*words)
    said = sender.communicate(timeout=120)[0]
    assert "acknowledged 60,000, refused 0" in said
    wait_exported(chain, range(60000))
    wait_for(lambda: audit(chain)["in_flight"] == 0, "all batches are settled")
    assert audit(chain)["replayed"] == 0


def test_records_that_are_too_long_are_refused_and_the_others_go(chain):
    path = os.path.join(chain.folder, "in.jsonl")
    with open(path, "w", encoding="utf-8") as out:
        out.write('{"n":0}\n{"x":"' + "x" * (2 << 20) + '"}\n{"n":1}\n')
    done = chain.millrace("send", path, code=1)
    assert "sent 3, acknowledged 2, refused 1" in done.stdout
    assert "max_record" in done.stderr
    # Without the configuration's limit it is ingest that refuses.
    endpoint = "ipc://" + os.path.join(chain.run_dir, "router")
    done = chain.millrace("send", path, "--to", endpoint, "--producer", "other", code=1)
    assert "sent 3, acknowledged 2, refused 1" in done.stdout
    assert "max_record" in done.stderr


def test_what_copytruncate_leaves_is_passed_over_and_told(chain):
    """A hole as large as the file was, when its writer does not append; killed around it."""
    hole = 70 << 20
    path = write_lines(chain, range(500))
    size = os.path.getsize(path)
    os.truncate(path, size + hole)
    write_lines(chain, range(499, 1000), mode="a")
    told = f"{path}: a line of {hole + len(lines_of([499])) - 1} bytes at byte {size} is refused"
    for rate, count in ("400", 100), ("4000", 600):
        sender = chain.start("send", path, "--rate", rate)
        wait_for(lambda n=count: len(exported(chain)) > n, "some are received")
        sender.kill()
        sender.wait()
    first = chain.millrace("send", path, code=None)
    assert first.returncode in (0, 1)  # killed behind it, nothing of it is seen
    wait_exported(chain, range(1000))
    again = chain.millrace("send", path, "--producer", "other", code=1)
    assert again.stderr.count(told) == 1, again.stderr
    assert "sent 1,001, acknowledged 1,000, refused 1" in again.stdout


def test_nobody_listens(chain):
    endpoint = "ipc://" + os.path.join(chain.folder, "nobody")
    done = chain.millrace("send", write_lines(chain, range(1)), "--to", endpoint, "--timeout",
                          "0.5", code=99)
    assert endpoint in done.stderr
    assert "No such file" in chain.millrace("send", "/nonexistent", code=1).stderr


def test_events_show_the_flow_and_filter_by_topic(chain):
    events = chain.start("events", "success.processor", "--json")
    path = write_lines(chain, range(100))
    sender = chain.start("send", path, "--loop", "--rate", "1000")
    line = events.stdout.readline()
    event = json.loads(line)
    digits = re.search(r'"duration":([0-9.]+)', line).group(1)
    assert len(digits.partition(".")[2]) <= 6, digits
    sender.send_signal(signal.SIGINT)
    assert sender.wait(timeout=60) == 0
    assert event["topic"] == "success.processor.handle"
    assert event["domain"] == "processor" and event["count"] > 0
    events.send_signal(signal.SIGINT)
    assert events.wait(timeout=60) == 0


def restart_until(chain, process, word):
    """Restart metrics until the process has printed the word; what it printed."""
    end = time.monotonic() + 60
    said = b""
    os.set_blocking(process.stdout.fileno(), False)
    while word.encode() not in said:
        assert time.monotonic() < end, said
        chain.millrace("restart", "metrics")
        said += process.stdout.buffer.raw.read() or b""
    return said.decode()


def test_the_launchers_events_are_on_the_bus(chain):
    events = chain.start("events", "launcher.")
    said = restart_until(chain, events, "launcher.running")
    assert re.search(r"launcher.running worker=launcher subject=metrics.0 message=", said), said
    events.send_signal(signal.SIGINT)
    assert events.wait(timeout=60) == 0


def test_logs_are_merged_by_time_and_followed(chain):
    lines = chain.millrace("logs").stdout.splitlines()
    stamps = [line[:27] for line in lines if re.match(r"\d{4}-\d\d-\d\dT.*Z ", line)]
    assert stamps == sorted(stamps) and len(stamps) > 6
    only = chain.millrace("logs", "processor").stdout.splitlines()
    assert only and all(" processor." in line for line in only)
    assert len(chain.millrace("logs", "processor.0", "-n", "1").stdout.splitlines()) == 1
    logs = chain.start("logs", "-f", "-n", "0", "metrics")
    assert " metrics.0: draining" in restart_until(chain, logs, "draining")
    logs.send_signal(signal.SIGINT)
    assert logs.wait(timeout=60) == 0


def test_in_the_foreground_the_end_is_the_audit():
    with Chain(real=True, ingest=INGEST) as chain:
        up = chain.start("up")
        wait_for(lambda: chain.states().get("ingest.0") == "running", "the chain is up")
        chain.millrace("send", write_lines(chain, range(100)))
        up.send_signal(signal.SIGTERM)
        said = up.communicate(timeout=60)[0]
        assert up.returncode == 0, said
        assert "audit: received 100 = exported 100" in said
        assert chain.leftovers() == []


def test_a_stdout_sink_needs_the_foreground():
    sink = "[sink screen]\ntype = stdout\n"
    with Chain(real=True, ingest=INGEST, extra=sink) as chain:
        assert "only in the foreground" in chain.millrace("up", "--detach", code=78).stderr
        up = chain.start("up")
        wait_for(lambda: chain.states().get("ingest.0") == "running", "the chain is up")
        chain.millrace("send", write_lines(chain, range(3)))
        up.send_signal(signal.SIGINT)
        said = up.communicate(timeout=60)[0]
        assert said.count('{"n":') == 3, said
