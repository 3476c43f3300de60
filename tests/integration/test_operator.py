"""What an operator may do wrong must not cost a chain that runs."""
import json
import os
import shutil
import signal
import subprocess

import pytest
from launcherlib import Chain, wait_for

INGEST = "router = ipc://run/router\n"


@pytest.fixture(name="chain")
def make_chain():
    with Chain(real=True, ingest=INGEST) as chain:
        yield chain


def test_a_broken_configuration_is_refused_before_any_worker_stops(chain):
    chain.up()
    before = chain.pids()
    with open(chain.config, encoding="utf-8") as source:
        text = source.read()
    with open(chain.config, "w", encoding="utf-8") as out:
        out.write(text.replace("[processor]", "[processor]\ndrop = level = 3"))
    for words in (("restart", "processor"), ("scale", "processor=3")):
        refused = chain.millrace(*words, code=78)
        assert "[processor] drop: column 7" in refused.stderr
    assert chain.pids() == before
    with open(chain.config, "w", encoding="utf-8") as out:
        out.write(text)
    chain.millrace("restart", "processor")


def test_ctrl_c_drains_though_the_reader_of_the_output_died_of_it_too(chain):
    shell = subprocess.Popen(
        ["bash", "-c", f"{' '.join(chain.command('up', '-c', chain.config))} | cat"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: chain.status().get("ingest.0", {}).get("state") == "running", "it runs")
    os.killpg(shell.pid, signal.SIGINT)
    shell.wait(timeout=60)
    wait_for(lambda: os.listdir(chain.run_dir) == [], "nothing is left")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_else_is_told_that_he_may_not_look(chain):
    chain.up()
    other = [shutil.which("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups"]
    for words in ("status", "down", "audit", "audit --deep", "log ls", "log check"):
        asked = subprocess.run([*other, *chain.command(*words.split(), "-c", chain.config)],
                               capture_output=True, text=True, timeout=60, check=False)
        assert (asked.returncode, asked.stdout) == (1, ""), asked
        assert "cannot look into" in asked.stderr and "Permission denied" in asked.stderr
    assert chain.status()["ingest.0"]["state"] == "running"


def other_file(chain, name="other.ini"):
    """A second configuration with the same run_dir."""
    path = os.path.join(chain.folder, name)
    shutil.copy(chain.config, path)
    return path


def test_another_configuration_file_is_not_silently_ignored(chain):
    other = other_file(chain)
    chain.up()
    before = chain.pids()
    ours, chain.config = chain.config, other
    for words in (("restart", "processor"), ("scale", "processor=3"), ("reopen",), ("down",),
                  ("up", "--detach")):
        refused = chain.millrace(*words, code=78)
        assert len(refused.stderr.splitlines()) == 1 and refused.stdout == "", refused
        assert f"runs with {ours}, not with {other}: say -c {ours}" in refused.stderr
    assert f"runs with {ours}, not with {other}" in chain.millrace("status").stdout
    assert json.loads(chain.millrace("status", "--json").stdout)["config"] == ours
    assert chain.pids() == before
    chain.config = ours  # by which the end of the test finds the processes


def test_a_link_to_the_configuration_is_the_same_configuration(chain):
    chain.up()
    link = os.path.join(chain.folder, "link.ini")
    os.symlink(chain.config, link)
    chain.config = link
    chain.millrace("restart", "processor.0")
    assert "runs with" not in chain.millrace("status").stdout
    chain.millrace("down")


def test_down_works_though_the_configuration_was_renamed(chain):
    chain.up()
    renamed = os.path.join(chain.folder, "renamed.ini")
    os.rename(chain.config, renamed)
    chain.config = renamed
    assert "not with" in chain.millrace("restart", "processor", code=78).stderr
    chain.millrace("down")
    assert chain.leftovers() == []
