"""What README.md prints works as printed: blocks behind `<!-- example: NAME -->` are run."""
import glob
import json
import os
import re
import signal
import subprocess

import pytest
from harness import BIN, DEADLINE_S, SOURCE, free_port, wait_for

ACCESS_LOG = os.path.join(SOURCE, "tests", "data", "access.log")
RECORDS = 1000


def example(name):
    readme = os.path.join(SOURCE, "README.md")
    block = rf"<!-- example: {re.escape(name)} -->\n```\w+\n(.*?)^```$"
    with open(readme, encoding="utf-8") as source:
        found = re.search(block, source.read(), re.DOTALL | re.MULTILINE)
    assert found, f"README.md has no example {name}"
    return found.group(1)


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def program(kind, folder):
    """The words by which the example of that language is started."""
    source = write(folder, f"producer.{kind}", example(f"producer.{kind}"))
    if kind == "py":
        return ["/usr/bin/python3", source]
    built = os.path.join(folder, "producer")
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-o", built, source, "-lczmq", "-lzmq"],
                   check=True, timeout=DEADLINE_S)
    return [built]


def numbered(kind):
    lines = [json.dumps({"from": kind, "n": n}) for n in range(RECORDS)]
    return "".join(line + ("\n\n" if n % 100 == 0 else "\n") for n, line in enumerate(lines))


@pytest.mark.parametrize("kind", ["py", "c"])
def test_a_producer_as_printed(make, kind):
    """It outlasts the death of ingest, and run again it stores nothing twice."""
    chain = make()
    chain.start_all()
    words = [*program(kind, chain.folder), f"ipc://{chain.folder}/in/router"]
    records = write(chain.folder, "records", numbered(kind))
    with open(records, "rb") as source:
        with subprocess.Popen(words, stdin=source) as sender:
            wait_for(lambda: len(chain.lines()) > 0, "no record arrives")
            ingest = chain.workers.pop("ingest.0")
            ingest.send_signal(signal.SIGKILL)
            ingest.wait()
            chain.start("ingest.0")
            assert sender.wait(timeout=DEADLINE_S) == 0
    with open(records, "rb") as source:
        subprocess.run(words, stdin=source, check=True, timeout=DEADLINE_S)
    wait_for(lambda: len(chain.lines()) >= RECORDS, lambda: f"{len(chain.lines())} records")
    chain.stop("ingest.0", "processor.0", "exporter.0")
    assert sorted(json.loads(line)["n"] for line in chain.lines()) == list(range(RECORDS))


def test_the_own_log_in_three_commands(tmp_path):
    folder = str(tmp_path)
    port = free_port()
    write(folder, "weblog.ini", example("weblog.ini").replace(":8090", f":{port}"))
    os.symlink(ACCESS_LOG, os.path.join(folder, "access.log"))
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    up, send, down = example("weblog").splitlines()

    def run(command):
        return subprocess.run(["bash", "-c", command], cwd=folder, env=environment, check=True,
                              capture_output=True, text=True, timeout=DEADLINE_S).stdout

    try:
        assert f"monitor: http://127.0.0.1:{port}/" in run(up)
        assert "sent 4,000, acknowledged 4,000, refused 0" in run(send)
        assert "skipped 4,000 that were acknowledged before" in run(send)
    finally:
        said = run(down)
    assert said.endswith("the chain is down\n")
    with open(os.path.join(folder, "weblog.jsonl"), encoding="utf-8") as source:
        assert sum(1 for _ in map(json.loads, source)) == 4000
    assert os.listdir(os.path.join(folder, "run")) == []


def test_the_samples_listen_on_loopback_only():
    for path in glob.glob(os.path.join(SOURCE, "conf", "*.ini")):
        with open(path, encoding="utf-8") as source:
            endpoints = re.findall(r"^(?:pull|router|tcp|http)\s*=\s*(\S+)", source.read(), re.M)
        assert endpoints, path
        for endpoint in endpoints:
            assert endpoint.startswith(("ipc://", "tcp://127.0.0.1:", "127.0.0.1:")), path
