"""What the programs say to a command line, or to a place, that cannot be: the exit code and the
words, each in one line that says what to write instead. Nothing runs, and nothing is left."""
import os
import subprocess

import pytest
from harness import BIN
from launcherlib import Chain

LONG = "x" * 300

# Words behind `millrace`, the exit code, what it says behind "millrace COMMAND: ".
COMMANDS = [
    ("status --timeout never", 64,
     '--timeout: "never" is not a number above 0 and up to 86400'),
    ("status --timeout=0", 64, '--timeout: "0" is not a number above 0 and up to 86400'),
    ("send --rate x", 64, '--rate: "x" is not a number above 0 and up to 1000000000'),
    ("up --detach=yes", 64, "--detach takes no value"),
    ("logs -n", 64, "--lines needs a value: --lines N"),
    ("logs --lines few", 64, '--lines: "few" is not a number'),
    ("logs no.such", 1, "no such log in {folder}/data/log"),
    ("down --rate 5", 64, "there is no --rate here; `millrace help down` lists the options"),
    ("audit --lines 5", 64, "there is no --lines here; `millrace help audit` lists the options"),
    ("audit nowhere", 1, "cannot look into nowhere: No such file or directory"),
    ("help starting", 64, 'no command "starting"'),
    ("completion ksh", 64, "ksh: there are bash, zsh and fish"),
    ("send --follow a b", 64, "--follow and --loop take one file"),
    ("send --loop a b", 64, "--follow and --loop take one file"),
    ("send --producer me a b", 64, "--producer takes one file: each has its own"),
    ("send --producer= a", 64, "--producer: a name of 1 to 40 bytes"),
    (f"send --producer {LONG} a", 64, "--producer: a name of 1 to 40 bytes"),
    ("send --to nowhere a", 64,
     '--to: "nowhere" is not an endpoint; write ipc://PATH or tcp://HOST:PORT'),
    ("send a", 78, "{folder}/millrace.ini: [ingest] router: not set; add one (router = "
                   "ipc://run/router), or say --to ENDPOINT"),
    ("dead look", 64, "write `dead ls`, or `dead show|replay|rm ID...`, or `all` for ID"),
    ("dead show", 64, "write `dead ls`, or `dead show|replay|rm ID...`, or `all` for ID"),
    ("dead show 1-1-1", 1, "1-1-1: no such dead letter; see `dead ls`"),
    ("log look", 64, "write `log ls [DIR...]`, `log show DIR BATCH...`, `log check [DIR...]` or "
                     "`log cut DIR POSITION`"),
    ("log show data", 64, "write `log ls [DIR...]`, `log show DIR BATCH...`, `log check [DIR...]` "
                          "or `log cut DIR POSITION`"),
    ("log ls nowhere", 1, "nowhere: there is no such directory, nor {folder}/data/nowhere"),
    ("log ls {folder}", 1, "{folder}: there is no log"),
    ("log show {folder} seventeen", 64,
     "seventeen: write a batch as its number, 17, or JOURNAL-17"),
    ("log cut {folder} end", 64, "end: write the position of a frame, as `log ls` shows it"),
    ("restart processor", 75, "no launcher runs here; start it with `millrace up`"),
    ("scale processor=2", 75, "no launcher runs here; start it with `millrace up`"),
    ("reopen", 75, "no launcher runs here; start it with `millrace up`"),
]

# With a chain that runs: what the launcher says.
REQUESTS = [
    ("restart no.such.worker", 64, '"no.such.worker" is neither a stage nor STAGE.SLOT'),
    ("restart procesor", 64, 'no stage "procesor"; nearest: processor'),
    ("restart zebra", 64,
     'no stage "zebra"; there are ingest, processor, metrics, exporter, monitor'),
    ("scale processor", 64, '"processor" is not STAGE=N, STAGE=+K or STAGE=-K'),
    ("scale =3", 64, '"=3" is not STAGE=N, STAGE=+K or STAGE=-K'),
    ("scale processor=many", 64, '"processor=many": the number of workers is 1 .. 63'),
    ("scale processor=64", 64, '"processor=64": the number of workers is 1 .. 63'),
    ("scale monitor=2", 64, "there is one monitor; it does not scale"),
]

CHAOS = [
    ("chaos --for soon", '--for: "soon" is not a duration; write 250ms, 10s, 5m, 1h or 7d'),
    ("chaos --every often", '--every: "often" is not a duration; write 250ms, 10s, 5m, 1h or 7d'),
    ("chaos --seed x", '--seed: "x" is not a whole number'),
    ("chaos --kill everybody --for 1s", '--kill: "everybody": there are all, ingest, processor, '
                                        "metrics, exporter, monitor and launcher"),
    ("chaos -c x.ini", "it makes a chain of its own; leave -c out"),
]

# Program, words, what it says behind "PROGRAM: ".
PROGRAMS = [
    ("millrace-launcher", "--ready-fd x", "--ready-fd: x is not a descriptor"),
    ("millrace-launcher", "processor", "processor: takes no arguments"),
    ("millrace-processor", "-n 63", 'a slot is a number from 0 to 62, not "63"; try --help'),
    ("millrace-processor", "--ready-fd -1", 'not a descriptor: "-1"; try --help'),
    ("millrace-exporter", "--no-such", 'unknown or incomplete option "--no-such"; try --help'),
    ("millrace-exporter", "-c", 'unknown or incomplete option "-c"; try --help'),
    ("millrace-monitor", "now", 'unexpected argument "now"; try --help'),
]


@pytest.fixture(name="chain", scope="module")
def make_chain():
    """Its configuration is right; nothing runs. A new chain for none of these tests."""
    with Chain() as chain:
        os.makedirs(os.path.join(chain.folder, "data", "log"))
        yield chain


def run(words, chain=None):
    command = [word.format(folder=chain.folder if chain else "") for word in words.split()]
    where = ["-c", chain.config] if chain else []
    return subprocess.run([os.path.join(BIN, "millrace"), *where, *command], capture_output=True,
                          text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("words, code, said", COMMANDS,
                         ids=[words[:40] for words, _, _ in COMMANDS])
def test_a_command_that_cannot_be_says_what_to_write(chain, words, code, said):
    done = run(words, chain)
    wanted = f"millrace {words.split()[0]}: {said.format(folder=chain.folder)}\n"
    assert (done.returncode, done.stderr) == (code, wanted)
    assert chain.leftovers() == []


def test_a_request_that_cannot_be_changes_nothing_and_says_what_to_write(chain):
    chain.up()
    pids = chain.pids()
    for words, code, said in REQUESTS:
        done = run(words, chain)
        assert (done.returncode, done.stderr) == (code, f"millrace {words.split()[0]}: {said}\n")
    assert chain.pids() == pids
    chain.millrace("down")


@pytest.mark.parametrize("words, said", CHAOS)
def test_chaos_that_cannot_be_starts_nothing(words, said):
    done = run(words)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == f"millrace chaos: {said}\n"


@pytest.mark.parametrize("program, words, said", PROGRAMS)
def test_a_program_that_cannot_start_like_that_says_so(program, words, said):
    done = subprocess.run([os.path.join(BIN, program), *words.split()], capture_output=True,
                          text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout, done.stderr) == (64, "", f"{program}: {said}\n")


def test_an_audit_before_the_first_record_says_so(chain):
    done = run("audit", chain)
    assert (done.returncode, done.stdout, done.stderr) == (
        0, "audit: nothing was received yet\n", "")


@pytest.mark.parametrize("words", ["audit", "audit --deep", "audit --json"])
def test_an_audit_of_a_directory_that_holds_no_pipeline_fails_and_says_so(words, chain, tmp_path):
    done = run(f"{words} {tmp_path}", chain)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (f"millrace audit: {tmp_path}: there is no journal, spool or cursor in "
                           "it; name the data_dir of a pipeline that was started\n")


def test_events_of_a_chain_that_does_not_run_are_waited_for(chain):
    with subprocess.Popen([os.path.join(BIN, "millrace"), "-c", chain.config, "events"], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as watching:
        said = watching.stderr.readline()
        watching.terminate()
    assert said == f"millrace events: nothing runs in {chain.run_dir} yet; waiting for events\n"


def test_chaos_that_the_disk_has_no_room_for_starts_nothing(tmp_path):
    done = subprocess.run([os.path.join(BIN, "millrace"), "chaos", "--for", "24h", "--rate",
                           "1000000000", "--kill", "monitor"], capture_output=True, text=True,
                          timeout=60, check=False, stdin=subprocess.DEVNULL,
                          env={**os.environ, "TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stdout) == (1, "")
    assert " MiB free, and up to " in done.stderr
    assert done.stderr.endswith(" may be needed: take a smaller --rate or --for, or another "
                                "directory by TMPDIR\n")
    assert os.listdir(tmp_path) == []


def test_a_full_output_is_an_error():
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([os.path.join(BIN, "millrace"), "help"], stdout=full, text=True,
                              stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == "millrace help: cannot write: No space left on device\n"


def test_a_sink_that_prints_needs_the_foreground(chain, tmp_path):
    with open(chain.config, encoding="utf-8") as source:
        text = source.read()
    path = tmp_path / "x.ini"
    path.write_text(text + "[sink screen]\ntype = stdout\n", encoding="utf-8")
    done = subprocess.run([os.path.join(BIN, "millrace"), "up", "--detach", "-c", str(path)],
                          capture_output=True, text=True, timeout=60, check=False)
    line = len(text.splitlines()) + 1
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (f"millrace up: {path}:{line}: [sink screen]: type = stdout works only "
                           "in the foreground; leave --detach out, or take a file sink\n")
