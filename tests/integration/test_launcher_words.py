"""What the commands say: reasons reach the person who asked, and nothing is said that is not so."""
import contextlib
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading

import pytest
from harness import free_port
from launcherlib import Chain, is_alive, wait_for


@pytest.fixture(name="chain")
def make_chain():
    with Chain() as chain:
        yield chain


def test_the_reason_reaches_an_up_that_looks_late(chain):
    """The launcher has told it, and ended, before `up` reads the answer, or even asks."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", chain.port))
        taken.listen()
        up = chain.start("up", "--detach")
        wait_for(lambda: "launcher" in chain.pids() or up.poll() is not None, "the launcher runs")
        up.send_signal(signal.SIGSTOP)
        launcher = chain.pids().get("launcher")
        wait_for(lambda: not launcher or not is_alive(launcher), "the launcher is gone")
        up.send_signal(signal.SIGCONT)
        said = up.communicate()[0]
    assert up.returncode == 75
    assert "monitor does not start" in said and str(chain.port) in said


@pytest.mark.parametrize("words", [("ingest=2",), ("processor=3", "ingest=+1")])
def test_a_second_ingest_at_the_same_address_is_refused_before_anything_starts(words):
    with Chain(ingest="pull = ipc://run/in\n") as chain:
        chain.up()
        before = chain.pids()
        said = chain.millrace("scale", *words, code=78).stderr
        assert "[ingest] pull: with workers above 1 each needs an address of its own" in said
        assert chain.pids() == before
        chain.millrace("scale", "ingest=1")


def test_a_routine_line_of_the_log_is_not_the_cause_of_a_death():
    with Chain(real=True) as chain:
        chain.up()
        pid = chain.pids()["processor.0"]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: chain.pids().get("processor.0") not in (None, pid), "it is back")
        with open(os.path.join(chain.folder, "data/log/launcher.log"), encoding="utf-8") as log:
            died = [line for line in log if "processor.0 died" in line]
        assert len(died) == 1
        assert died[0].endswith("processor.0 died: killed by SIGKILL; it starts again\n")


def test_a_stdout_sink_has_stdout_for_itself():
    with Chain(real=True, ingest="router = ipc://run/router\n",
               extra="[sink screen]\ntype = stdout\n") as chain:
        up = subprocess.Popen(chain.command("up", "-c", chain.config), text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        chain.processes.append(up)
        wait_for(lambda: chain.states().get("ingest.0") == "running", "the chain is up")
        path = os.path.join(chain.folder, "in.jsonl")
        with open(path, "w", encoding="utf-8") as out:
            out.write('{"n":1}\n{"n":2}\n')
        chain.millrace("send", path)
        up.send_signal(signal.SIGINT)
        said = up.communicate(timeout=60)
    assert sorted(json.loads(line)["n"] for line in said[0].splitlines()) == [1, 2]
    assert "ingest: 1 worker" in said[1] and "the chain is down" in said[1]


def test_with_nothing_running_status_says_so_and_events_waits(chain):
    assert chain.millrace("status").stdout == f"nothing runs in {chain.run_dir}\n"
    assert json.loads(chain.millrace("status", "--json").stdout)["workers"] == []
    waited = chain.millrace("events", "--timeout", "0.2", code=99)
    assert f"nothing runs in {chain.run_dir}" in waited.stderr and waited.stdout == ""


def test_a_file_that_cannot_be_opened_was_not_sent():
    with Chain(ingest="router = ipc://run/router\n") as chain:
        done = chain.millrace("send", "/nowhere/at/all", code=1)
        assert "/nowhere/at/all" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("endpoint", ["ipc://run/router", "tcp://127.0.0.1:{port}"])
def test_send_says_what_it_waits_for_and_for_how_long(endpoint):
    endpoint = endpoint.format(port=free_port())
    with Chain(real=True, ingest=f"router = {endpoint}\n") as chain:
        path = os.path.join(chain.folder, "in.jsonl")
        with open(path, "w", encoding="utf-8") as out:
            out.write('{"n":1}\n')
        shown = endpoint.replace("ipc://", f"ipc://{chain.folder}/")
        said = chain.millrace("send", path, "--timeout", "0.5", code=99).stderr.splitlines()
        assert said == [
            f"millrace send: nobody listens at {shown}; waiting up to 0.5 s "
            "(`millrace up` starts the chain)",
            f"millrace send: nobody listens at {shown}; `millrace up` starts it"]
        sender = subprocess.Popen(chain.command("send", path, "-c", chain.config), text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        chain.processes.append(sender)
        assert "waiting up to 30 s" in sender.stderr.readline()
        chain.up()
        assert "acknowledged 1," in sender.communicate(timeout=60)[0]
        assert chain.millrace("send", path).stderr == ""  # with the chain up there is no wait


@contextlib.contextmanager
def monitor_that_says(port, answers):
    """A stand-in for the monitor's API; `answers` may change while it runs."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # pylint: disable=invalid-name
            body = json.dumps(answers[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):  # pylint: disable=arguments-differ
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def test_with_nothing_in_flight_nobody_holds_the_flow_back(chain):
    chain.start_worker("ingest", 0)
    wait_for(lambda: chain.states().get("ingest.0") == "running", "it runs")
    answers = {
        "/api/workers": {"workers": [{"name": "ingest.0", "pid": chain.pids()["ingest.0"],
                                      "records_per_second": 9, "errors": 0,
                                      "blocked_share": 0.5}]},
        "/api/metrics": {"pipelines": {"in_flight": 5}},
    }
    with monitor_that_says(chain.port, answers):
        assert "held back by: processor" in chain.millrace("status").stdout
        answers["/api/metrics"]["pipelines"]["in_flight"] = 0
        assert "held back" not in chain.millrace("status").stdout
        assert json.loads(chain.millrace("status", "--json").stdout)["held_by"] is None


def commands(chain):
    """Names in the order of `millrace help`."""
    listed = chain.millrace("help").stdout.split("Every command takes")[0]
    return re.findall(r"^  ([a-z]+)", listed, re.MULTILINE)


def test_help_fits_a_terminal_and_names_every_command_once(chain):
    names = commands(chain)
    assert {"up", "send", "dead", "help"} <= set(names) and len(names) == len(set(names))
    for words in (("help",), *(("help", name) for name in names)):
        for line in chain.millrace(*words).stdout.splitlines():
            assert len(line) < 80, line


def test_wrong_words_get_one_line_that_names_the_command_once(chain):
    many = ["x"] * 300
    for name in commands(chain):
        said = chain.millrace(name, *many, code=64).stderr.splitlines()
        assert len(said) == 1 and said[0].startswith(f"millrace {name}: "), said
        assert f"{name}: {name}" not in said[0] and f"{name}: usage" not in said[0], said
    assert chain.millrace("restart", code=64).stderr == (
        "millrace restart: an argument is missing; "
        "usage: millrace restart [options] STAGE[.N]...\n")
    assert chain.millrace("down", "it", code=64).stderr == (
        'millrace down: "it" is one too many; usage: millrace down [options]\n')
    assert "millrace down: there is no --json here" in chain.millrace("down", "--json",
                                                                      code=64).stderr
    assert "millrace up: unknown option --detatch; nearest" in chain.millrace(
        "up", "--detatch", code=64).stderr
