"""The run directory is removed, moved away or emptied under a chain that runs, as cleaners of /tmp
and /run do: everybody makes it again, and where that cannot be, all end in order."""
import json
import os
import shutil

import pytest
from harness import is_alive, wait_for


@pytest.fixture(name="make")
def make_chain(chains):
    return chains


def remove(chain):
    shutil.rmtree(chain.run_dir)


def move_away(chain):
    os.rename(chain.run_dir, chain.run_dir + ".aside")


def replace(chain):
    move_away(chain)
    os.mkdir(chain.run_dir, 0o700)


def clean(chain):
    """What systemd-tmpfiles takes for old: files, but no socket that somebody listens on."""
    for name in os.listdir(chain.run_dir):
        if name.endswith(".lock"):
            os.unlink(os.path.join(chain.run_dir, name))


def remove_sockets(chain):
    for name in os.listdir(chain.run_dir):
        if not name.endswith(".lock"):
            os.unlink(os.path.join(chain.run_dir, name))


def wait_back(chain, before):
    """All are to be seen again, the same processes, and do what they did."""
    wait_for(lambda: chain.pids() == before, lambda: f"{chain.pids()} {before}")
    wait_for(lambda: {row["state"] for row in chain.status().values()} == {"running"},
             lambda: f"{chain.status()}\n{chain.complaints()}")
    assert {name: row["pid"] for name, row in chain.status().items()} == before


@pytest.mark.parametrize("harm", [remove, move_away, replace, clean, remove_sockets])
def test_a_run_directory_that_goes_away_is_made_again_and_the_flow_goes_on(make, harm):
    chain = make(workers={"processor": 2})
    before = chain.pids()
    assert len(before) == 7
    with chain.producer(rate=5000) as producer:
        chain.more(producer)
        harm(chain)
        wait_back(chain, before)
        chain.more(producer, 2000)
        with chain.producer(p=1, rate=5000) as late:  # one that connects only now
            chain.more(late)
            late.finish()
            producer.finish()
            said = "launcher.lock" if harm is not remove_sockets else "launcher.ipc"
            wait_for(lambda: f"{os.path.join(chain.run_dir, said)} was gone" in chain.complaints(),
                     chain.complaints)
            wait_for(lambda: json.loads(chain.millrace("audit", "--json", code=None).stdout)
                     ["in_flight"] == 0, "all has come through")
            audit = json.loads(chain.millrace("audit", "--json").stdout)
            assert (audit["replayed"], audit["duplicates_refused"]) == (0, 0)
            chain.millrace("restart", "processor")  # what is asked for reaches everybody
            chain.wait_out(producer, late)
    assert chain.leftovers() == []


def test_workers_without_a_launcher_make_it_again_and_the_next_one_finds_them(make):
    chain = make()
    with chain.producer(rate=2000) as producer:
        chain.more(producer)
        assert chain.kill("launcher")
        wait_for(lambda: not is_alive(chain.pids()["launcher"]), "the launcher is dead")
        before = chain.pids()
        remove(chain)
        del before["launcher"]
        wait_for(lambda: chain.pids() == before, lambda: f"{chain.pids()} {before}")
        chain.up()
        after = chain.pids()
        assert {name: after[name] for name in before} == before
        chain.more(producer)
        producer.finish()
        chain.wait_out(producer)


def test_what_scale_changed_outlives_the_run_directory_and_the_launcher(make):
    chain = make()
    chain.millrace("scale", "processor=3")
    before = chain.pids()
    remove(chain)
    wait_back(chain, before)
    assert chain.kill("launcher")
    wait_for(lambda: not is_alive(before["launcher"]), "the launcher is dead")
    chain.up()
    assert chain.millrace("restart", "processor").returncode == 0
    assert [name for name in sorted(chain.pids()) if name.startswith("processor")] == [
        "processor.0", "processor.1", "processor.2"]


@pytest.mark.parametrize("launched", [True, False])
def test_where_it_cannot_be_made_again_all_end_and_the_next_up_goes_on(make, launched):
    chain = make(up=False, stop_timeout="2s")
    with open(chain.config, encoding="utf-8") as source:
        text = source.read()
    text = text.replace("[pipeline]\n", "[pipeline]\nrun_dir = deep/run\n")
    with open(chain.config, "w", encoding="utf-8") as out:
        out.write(text.replace("ipc://run/", "ipc://deep/run/"))
    deep = os.path.join(chain.folder, "deep")
    chain.run_dir = os.path.join(deep, "run")
    chain.up()
    with chain.producer(rate=2000) as producer:
        chain.more(producer)
        before = chain.pids()
        if not launched:
            assert chain.kill("launcher")
        os.rename(deep, deep + ".aside")
        wait_for(lambda: not any(is_alive(pid) for pid in before.values()), chain.complaints)
        assert not os.path.exists(deep)
        said = "the run directory is gone and cannot be made again: cannot make the directory"
        assert chain.complaints().count(f"{said} {chain.run_dir}") == len(before) - (not launched)
        chain.up()
        chain.more(producer)
        producer.finish()
        chain.wait_out(producer)


def test_a_chain_that_was_started_with_another_run_dir_is_not_nothing(make):
    chain = make()
    with open(chain.config, encoding="utf-8") as source:
        text = source.read()
    before = chain.pids()
    with open(chain.config, "w", encoding="utf-8") as out:
        out.write(text.replace("[pipeline]\n", "[pipeline]\nrun_dir = other\n"))
    who = f"(ingest.0 pid {before['ingest.0']}, exporter.0 pid {before['exporter.0']})"
    assert who in chain.millrace("status").stdout
    assert who in chain.millrace("down", code=1).stderr
    assert who in chain.millrace("up", "--detach", code=75).stderr
    assert all(is_alive(pid) for pid in before.values())
    with open(chain.config, "w", encoding="utf-8") as out:
        out.write(text)
    chain.millrace("down")
    with open(chain.config, "w", encoding="utf-8") as out:
        out.write(text.replace("[pipeline]\n", "[pipeline]\nrun_dir = other\n"))
    assert "nothing runs in" in chain.millrace("down").stdout


def test_an_up_right_after_the_run_directory_went_finds_the_chain_that_runs(make):
    chain = make()
    before = chain.pids()
    for _ in range(3):
        remove(chain)
        assert f"launcher pid {before['launcher']}" in chain.up().stdout
        wait_back(chain, before)
    remove(chain)
    chain.millrace("down")
    assert not any(is_alive(pid) for pid in before.values())
