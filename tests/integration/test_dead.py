"""millrace dead: list, show, send again, remove."""
import glob
import json
import os

import pytest
import zmq
from harness import DEADLINE_S
from launcherlib import Chain, wait_for

INGEST = "router = ipc://run/router\n"


def feed(chain, *records):
    path = os.path.join(chain.folder, f"in-{len(os.listdir(chain.folder))}")
    with open(path, "wb") as out:
        out.write(b"".join(record + b"\n" for record in records))
    chain.millrace("send", path)


def letters(chain):
    listed = chain.millrace("dead", "ls", "--json").stdout
    return [json.loads(line) for line in listed.splitlines()]


def wait_letters(chain, count):
    wait_for(lambda: len(letters(chain)) == count, f"there are {count} dead letters")
    return letters(chain)


def stored(chain):
    """How many letters there are, without a look at what they hold."""
    count = 0
    for path in glob.glob(os.path.join(chain.folder, "data", "dead", "*.jsonl")):
        with open(path, "rb") as source:
            count += sum(part.count(b"\n") for part in iter(lambda: source.read(1 << 20), b""))
    return count


def exported(chain):
    path = os.path.join(chain.folder, "out.jsonl")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as source:
        return [json.loads(line) for line in source if line.endswith("\n")]


def test_the_largest_request_of_what_no_step_can_read_is_kept_whole(chain):
    """31 MiB of control characters: as JSON text each takes six bytes."""
    big = b"\x01" * (1 << 20)
    with zmq.Context() as context, context.socket(zmq.DEALER) as producer:
        producer.linger = 0
        producer.connect(f"ipc://{chain.run_dir}/router")
        producer.send_multipart([b"big/31", *[big] * 31])
        assert producer.poll(60000) and producer.recv_multipart() == [b"big/31", b"ok", b"31"]
        producer.send_multipart([b"big/32", b'{"n":32}'])
        assert producer.poll(60000) and producer.recv_multipart() == [b"big/32", b"ok", b"32"]
    wait_for(lambda: exported(chain) == [{"n": 32}], "what came behind it is exported")
    wait_for(lambda: stored(chain) == 31, "all are dead letters")
    rows = letters(chain)
    assert len(rows) == 31
    assert all(row["record"].encode() == big for row in rows)


def test_what_grows_too_large_for_a_batch_is_a_dead_letter_and_the_flow_goes_on():
    with Chain(real=True, ingest=INGEST) as chain:
        with open(chain.config, encoding="utf-8") as source:
            text = source.read()
        with open(chain.config, "w", encoding="utf-8") as out:
            out.write(text.replace("[processor]", "[processor]\nparse = raw", 1))
        chain.up()
        with zmq.Context() as context, context.socket(zmq.DEALER) as producer:
            producer.linger = 0
            producer.connect(f"ipc://{chain.run_dir}/router")
            for last, records in ((31, [b"\x01" * (1 << 20)] * 31), (32, [b"small"])):
                producer.send_multipart([b"big/%d" % last, *records])
                assert producer.poll(60000) and producer.recv_multipart()[1] == b"ok"
        wait_for(lambda: len(exported(chain)) + stored(chain) == 32, "all came out")
        came, rows = exported(chain), letters(chain)
        assert {"message": "small"} in came and 1 < len(came) < 32
        assert {row["error_type"] for row in rows} == {"record_too_large"}


def test_letters_are_listed_and_shown_until_they_are_removed(chain):
    assert chain.millrace("dead", "ls").stdout == "no dead letters\n"
    feed(chain, b'{"a":1}', b"not json", b"[1]")
    rows = wait_letters(chain, 2)
    assert [row["error_type"] for row in rows] == ["json_syntax", "json_not_object"]
    assert rows[0]["id"] in chain.millrace("dead", "ls").stdout
    shown = json.loads(chain.millrace("dead", "show", rows[0]["id"]).stdout)
    assert shown == rows[0] and shown["record"] == "not json"
    assert chain.millrace("dead", "rm", rows[0]["id"]).stdout == "1 removed\n"
    assert [row["id"] for row in letters(chain)] == [rows[1]["id"]]
    gone, left = rows[0]["id"], rows[1]["id"]
    assert chain.millrace("dead", "rm", gone, left, left).stdout == (
        f"{gone}: it was removed already\n{left}: it was removed already\n1 removed\n")
    for verb in ("show", "replay"):
        refused = chain.millrace("dead", verb, gone, code=1)
        assert refused.stderr == f"millrace dead: {gone}: it was removed already\n"


def test_a_letter_with_a_nul_byte_is_seen_and_sent_again(chain):
    feed(chain, b"a\0b")
    row = wait_letters(chain, 1)[0]
    assert row["record"] == "a\0b"
    assert chain.millrace("dead", "replay", row["id"]).stdout == "1 replayed\n"
    wait_for(lambda: stored(chain) == 2, "it is a dead letter again")
    assert letters(chain)[-1]["record"] == "a\0b"


def test_a_letter_goes_through_the_chain_again_once_with_its_original_bytes(chain):
    feed(chain, b"not json", b'{"bytes":"\xff"}')
    rows = wait_letters(chain, 2)
    assert "record_base64" in rows[1]
    config = os.path.join(chain.folder, "millrace.ini")
    with open(config, encoding="utf-8") as source:
        text = source.read()
    with open(config, "w", encoding="utf-8") as out:
        out.write(text.replace("[processor]", "[processor]\nparse = raw"))
    chain.millrace("restart", "processor")
    assert chain.millrace("dead", "replay", "all").stdout == "2 replayed\n"
    again = chain.millrace("dead", "replay", rows[0]["id"])
    assert again.stdout == f"{rows[0]['id']}: it was replayed already\n0 replayed\n"
    wait_for(lambda: len(exported(chain)) == 2, "both are exported")
    assert [row["message"] for row in exported(chain)] == ["not json", '{"bytes":"\ufffd"}']
    assert letters(chain) == []
    os.remove(os.path.join(chain.folder, "data", "dead", "handled"))  # as if it had died before
    assert chain.millrace("dead", "replay", "all").stdout == "2 replayed\n"
    feed(chain, b"the last one")
    wait_for(lambda: len(exported(chain)) == 3, "the last one is exported")
    assert exported(chain)[2]["message"] == "the last one"


def test_more_letters_are_sent_again_than_max_producers():
    with Chain(real=True, ingest=INGEST + "max_producers = 3\n") as chain:
        chain.up()
        feed(chain, *[b"not json %d" % n for n in range(10)])
        wait_letters(chain, 10)
        assert chain.millrace("dead", "replay", "all").stdout == "10 replayed\n"
        wait_for(lambda: stored(chain) == 20, "all are dead letters again")
        assert sorted(row["record"] for row in letters(chain)) == [
            f"not json {n}" for n in range(10)]


def test_wrong_words_and_unknown_letters_are_refused(chain):
    refused = chain.millrace("dead", "show", "nobody-1-1", code=1)
    assert "nobody-1-1: no such dead letter; see `dead ls`" in refused.stderr
    assert "write `dead ls`" in chain.millrace("dead", "bury", code=64).stderr
    assert "write `dead ls`" in chain.millrace("dead", "rm", code=64).stderr


@pytest.mark.parametrize("ingest, more, code, words", [
    (INGEST, {"record": "abc", "original_bytes": 5000}, 1,
     "only the start of the record was kept"),
    (INGEST, {}, 1, "the letter holds no record"),
    (INGEST, {"record_base64": "?"}, 1, "the letter holds no record"),
    (INGEST, {"record": "abc"}, 99, "no answer from ipc://"),
    ("pull = ipc://run/pull\n", {"record": "abc"}, 78, "there is no socket to send it to"),
])
def test_a_letter_that_cannot_go_again_says_why_and_stays(ingest, more, code, words):
    with Chain(real=True, ingest=ingest) as chain:
        os.makedirs(os.path.join(chain.folder, "data", "dead"), exist_ok=True)
        row = {"id": "00000000000000ab-1-0", "error_type": "record_too_long", **more}
        path = os.path.join(chain.folder, "data", "dead", "exporter.0.jsonl")
        with open(path, "w", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
        refused = chain.millrace("dead", "replay", "--timeout", "0.1", row["id"], code=code)
        assert f"millrace dead: {row['id']}: {words}" in refused.stderr
        assert refused.stdout == "0 replayed\n"
        assert [letter["id"] for letter in letters(chain)] == [row["id"]]


def test_two_that_deal_with_the_same_letters_share_them(chain):
    """One waits for the other: no letter is counted twice, or both sent again and removed."""
    feed(chain, *[b'{"n":%d' % n for n in range(60)])
    wait_letters(chain, 60)
    started = [chain.start("dead", verb, "all", "--timeout", "60")
               for verb in ("replay", "rm", "replay", "rm")]
    said = [process.communicate(timeout=DEADLINE_S)[0] for process in started]
    assert [process.returncode for process in started] == [0] * 4, said
    with open(os.path.join(chain.folder, "data", "dead", "handled"), encoding="utf-8") as source:
        noted = [line.split() for line in source]
    ids = [letter for letter, _ in noted]
    assert len(ids) == len(set(ids)) >= 60
    assert sum(int(text.split()[0]) for text in said) == len(ids), said
