"""What the shell offers when Tab is pressed."""
import os
import shutil
import subprocess

import pytest
from launcherlib import Chain, wait_for


@pytest.fixture(name="chain")
def make_chain():
    with Chain() as chain:
        yield chain


def offered(chain, *words):
    """What bash offers for the last one of the words after `millrace`."""
    script = os.path.join(chain.folder, "complete.bash")
    with open(script, "w", encoding="utf-8") as out:
        out.write(chain.millrace("completion", "bash").stdout)
    words = [os.path.join(chain.bin, "millrace"), *words]
    return subprocess.run(
        ["bash", "-c", f'. {script}; COMP_WORDS=("$@") COMP_CWORD={len(words) - 1}; _millrace; '
                       'printf "%s\\n" "${COMPREPLY[@]}"', "bash", *words],
        capture_output=True, text=True, check=True, timeout=60).stdout.split()


def test_bash_offers_commands_options_and_fixed_words(chain):
    assert offered(chain, "rest") == ["restart"]
    assert offered(chain, "--ver") == ["--version"]
    assert offered(chain, "up", "--d") == ["--detach"]
    assert "--detach" in offered(chain, "up", "")
    assert offered(chain, "dead", "re") == ["replay"]
    assert offered(chain, "completion", "") == ["bash", "zsh", "fish"]
    assert offered(chain, "help", "sca") == ["scale"]
    assert offered(chain, "send", "") == []  # files, by the shell's own completion
    assert offered(chain, "send", "-c", "") == []


def test_bash_offers_the_values_of_an_option_where_they_are_known(chain):
    assert offered(chain, "chaos", "--kill", "in") == ["ingest"]
    assert offered(chain, "chaos", "--kill", "") == [
        "all", "ingest", "processor", "metrics", "exporter", "monitor", "launcher"]
    assert offered(chain, "chaos", "--kill", "ingest,met") == ["ingest,metrics"]
    assert offered(chain, "chaos", "--kill", "=", "mo") == ["monitor"]  # one word to the person
    assert offered(chain, "chaos", "--kill", "=") == offered(chain, "chaos", "--kill", "")
    assert offered(chain, "chaos", "--for", "") == []
    assert offered(chain, "--timeout", "5", "rest") == ["restart"]
    assert offered(chain, "--timeout", "=", "5", "rest") == ["restart"]


@pytest.mark.parametrize("shell, script", [
    ("fish", "source {0}/x.fish; complete -C 'millrace chaos --kill ingest,met'"),
    ("zsh", "autoload -U compinit; compinit -u -D; . {0}/x.zsh; COMP_WORDS=(millrace chaos "
            "--kill ingest,met) COMP_CWORD=3; emulate ksh -c _millrace; print -l $COMPREPLY")])
def test_another_shell_that_is_there_offers_them_too(chain, shell, script):
    said = chain.millrace("completion", shell).stdout
    assert "all ingest processor metrics exporter monitor launcher" in said
    if shutil.which(shell):
        with open(os.path.join(chain.folder, "x." + shell), "w", encoding="utf-8") as out:
            out.write(said)
        done = subprocess.run([shell, "-c", script.format(chain.folder)], capture_output=True,
                              text=True, check=True, timeout=60, env={
                                  "PATH": f"{chain.bin}:/usr/bin:/bin", "HOME": chain.folder})
        assert "ingest,metrics" in done.stdout.split(), done


def test_bash_offers_stages_and_workers_of_the_configuration_that_is_named(chain):
    named = ("-c", chain.config)
    assert offered(chain, *named, "restart", "proc") == ["processor", "processor.0", "processor.1"]
    assert offered(chain, "restart", *named, "processor", "mon") == ["monitor"]
    assert offered(chain, *named, "scale", "m") == ["metrics="]
    assert offered(chain, *named, "scale", "metrics", "=", "") == []
    assert offered(chain, *named, "logs", "ingest.") == ["ingest.0"]
    assert "--now" in offered(chain, "-c", "/nowhere.ini", "restart", "")  # what there is


def test_bash_offers_a_worker_that_runs_beyond_the_configured_ones(chain):
    chain.start_worker("processor", 5)
    wait_for(lambda: chain.states() == {"processor.5": "running"}, "it runs")
    assert "processor.5" in offered(chain, "-c", chain.config, "restart", "proc")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_name_every_command_and_ask_for_names(chain, shell):
    said = chain.millrace("completion", shell).stdout
    for word in ("restart", "-l detach" if shell == "fish" else "--detach", "workers", "stages"):
        assert word in said
    if shutil.which(shell):  # the shell itself finds nothing wrong with it
        subprocess.run([shell, "-n"], input=said, text=True, check=True, timeout=60)
