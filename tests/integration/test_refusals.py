"""Workers that must not start: the exit code and the one line that says what to do."""
import os
import socket

import pytest
import zmq
from harness import free_port

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="root drops its rights here")


def refused(chain, name, code, *words):
    """The worker ends with this code and all of the words in one line."""
    got, said = chain.refusal(name)
    lines = [line for line in said.splitlines() if all(word in line for word in words)]
    assert got == code and len(lines) == 1, (got, said)
    assert name + ".lock" not in os.listdir(chain.folder)
    if os.path.isdir(chain.run_dir):
        assert name + ".lock" not in os.listdir(chain.run_dir)


def test_a_taken_tcp_port(make):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        chain = make(ingest=f"tcp = 127.0.0.1:{port}")
        refused(chain, "ingest.0", 75, "millrace.ini:7: [ingest] tcp:", f"127.0.0.1:{port}",
                "already in use", "choose another")
        chain = make(ingest=f"router = tcp://127.0.0.1:{port}")
        refused(chain, "ingest.0", 75, "[ingest] router:", f"127.0.0.1:{port}", "already in use")
    chain.start("ingest.0")


def test_an_ipc_path_on_which_another_process_listens(make):
    chain = make(ingest="pull = ipc://in/pull")
    os.mkdir(os.path.join(chain.folder, "in"))
    with chain.context.socket(zmq.PULL) as holder:
        holder.bind(f"ipc://{chain.folder}/in/pull")
        refused(chain, "ingest.0", 75, "[ingest] pull:", "another process listens on")
        with chain.socket(zmq.PUSH, "pull") as sender:  # the holder still has it
            sender.send(b"hello")
            assert holder.poll(60000) and holder.recv() == b"hello"


def test_a_socket_file_that_a_dead_process_left_is_taken_over(make):
    chain = make(ingest="pull = ipc://in/pull")
    os.mkdir(os.path.join(chain.folder, "in"))
    with socket.socket(socket.AF_UNIX) as holder:
        holder.bind(os.path.join(chain.folder, "in", "pull"))
    chain.start("ingest.0")


def test_a_regular_file_at_the_path_of_a_socket(make):
    chain = make(ingest="pull = ipc://in/pull")
    path = os.path.join(chain.folder, "in", "pull")
    os.mkdir(os.path.dirname(path))
    with open(path, "w", encoding="utf-8") as out:
        out.write("precious")
    refused(chain, "ingest.0", 78, "[ingest] pull:", "exists and is not a socket")
    with open(path, encoding="utf-8") as source:
        assert source.read() == "precious"


def test_an_ipc_path_that_is_too_long(make):
    chain = make(ingest="pull = ipc://" + "d" * 60 + "/" + "e" * 60)
    refused(chain, "ingest.0", 78, "[ingest] pull:", "107")


def test_a_run_directory_that_leaves_no_room_for_sockets(make):
    chain = make(pipeline="run_dir = " + "r" * 100)
    refused(chain, "processor.0", 78, "run_dir", "107")


def test_a_file_in_the_place_of_a_directory(make):
    chain = make()
    for folder in ("run", "data"):
        path = os.path.join(chain.folder, folder)
        with open(path, "w", encoding="utf-8"):
            pass
        code, said = chain.refusal("exporter.0")
        assert code == 78 and path in said
        os.unlink(path)


@needs_root
@pytest.mark.parametrize("folder, words", [("run", "cannot"), ("data", "cannot"),
                                           ("logs", "cannot"), ("out", "[sink out] path:")])
def test_directories_that_cannot_be_written(make, folder, words):
    chain = make(user="65534", pipeline="log_dir = logs",
                 sinks="[sink out]\ntype = file\npath = out/out.jsonl\n")
    path = os.path.join(chain.folder, folder)
    os.mkdir(path, mode=0o755)
    refused(chain, "exporter.0", 78, words, path)
    os.chown(path, 65534, 65534)
    chain.start("exporter.0")


@needs_root
def test_a_sink_file_of_somebody_else(make):
    chain = make(user="65534")
    with open(chain.out, "w", encoding="utf-8") as out:
        os.chmod(out.fileno(), 0o600)
    refused(chain, "exporter.0", 78, "[sink out] path:", chain.out, "ermission")


def test_stages_that_stand_in_the_wrong_place(make):
    chain = make(chain="processor, ingest, exporter")
    assert chain.refusal("processor.0")[0] == 78
    chain = make(chain="ingest, exporter")
    code, said = chain.refusal("processor.0")
    assert code == 78 and "has no stage processor" in said
    chain.start("exporter.0", "ingest.0")
    chain.push([b"anything"])
    assert chain.wait_lines(1) == [b"anything"]


def test_bad_command_lines(make):
    chain = make()
    for words in (["-n", "63"], ["-n", "x"], ["--ready-fd", "-1"], ["--no-such"], ["extra"],
                  ["-c"]):
        code, said = chain.refusal("ingest.0", *words)
        assert code == 64 and len(said.splitlines()) == 1 and said.startswith("millrace-ingest: ")
    code, said = chain.refusal("ingest.0", "--check")
    assert (code, said) == (0, "")
    code, said = chain.refusal("ingest.0", "-c", "/no/such/file.ini")
    assert code == 78 and "/no/such/file.ini" in said


def test_checking_starts_nothing(make):
    chain = make(ingest=f"tcp = 127.0.0.1:{free_port()}")
    for name in ("ingest.0", "processor.0", "exporter.0"):
        assert chain.refusal(name, "--check") == (0, "")
    assert os.listdir(chain.folder) == ["millrace.ini"]
