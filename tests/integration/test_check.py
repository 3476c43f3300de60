"""`millrace check`: every fault in one run, each once, with file, line, section, key and reason."""
import contextlib
import os
import shutil
import stat
import subprocess
import tempfile

import pytest
from harness import BIN


def config(pipeline="", ingest="router = ipc://run/in\n", processor="", metric="",
           sink="type = file\npath = out.jsonl\n", extra=""):
    """A configuration that is right but for what is given."""
    return (f"[pipeline]\n{pipeline}[ingest]\n{ingest}[processor]\n{processor}{metric}"
            f"[sink out]\n{sink}{extra}")


@pytest.fixture(name="folder")
def make_folder():
    folder = tempfile.mkdtemp(prefix="mr-check-", dir="/tmp")
    yield folder
    shutil.rmtree(folder)


def check(folder, text, name="x.ini", cwd=None, user=None):
    """Exit code and lines of `millrace check NAME`, told without the file's name."""
    with open(os.path.join(folder, "x.ini"), "w", encoding="utf-8") as out:
        out.write(text)
    prefix = ["setpriv", "--reuid", user, "--clear-groups"] if user else []
    done = subprocess.run([*prefix, os.path.join(BIN, "millrace"), "check", name],
                          cwd=cwd or folder, capture_output=True, text=True, timeout=120,
                          check=False, env={**os.environ, "MR_TEST_UNSET": ""})
    lines = (done.stdout + done.stderr).splitlines()
    assert all(line.startswith(name + ":") for line in lines), lines
    return done.returncode, [line[len(name) + 1:].replace(folder, "{folder}") for line in lines]


FAULTS = [
    (config(pipeline="chain = ingest, procesor, metrics, exporter\n"),
     ["2: [pipeline] chain: unknown stage procesor; nearest: processor (millrace-procesor is "
      "neither beside the running program nor in PATH)"]),
    (config(pipeline="chain = ingest, processor, enrich, exporter\n"),
     ["2: [pipeline] chain: unknown stage enrich (millrace-enrich is neither beside the "
      "running program nor in PATH)"]),
    (config(pipeline="chain = ingest processor exporter\n"),
     ['2: [pipeline] chain: "ingest processor exporter" is not a stage; write a-z first, '
      "then a-z 0-9 _ -, at most 32 characters"]),
    (config(pipeline="chain = ingest\n"),
     ["2: [pipeline] chain: a chain has at least two stages"]),
    (config(pipeline="chain =\n"),
     ["2: [pipeline] chain: no value; write one or leave the key out"]),
    (config(pipeline="chain = processor, ingest, exporter\n"),
     ["2: [pipeline] chain: ingest must be the first stage"]),
    (config(pipeline="chain = processor, exporter\n"),
     ["2: [pipeline] chain: processor cannot be the first stage"]),
    (config(pipeline="run_dir = /proc/x\n"),
     ["2: [pipeline] run_dir: cannot make the directory /proc/x: No such file or directory"]),
    (config(pipeline="data_dir = /proc/x\n"),
     ["2: [pipeline] data_dir: cannot make the directory /proc/x: No such file or directory"]),
    (config(pipeline="log_dir = /etc/hostname\n"),
     ["2: [pipeline] log_dir: /etc/hostname is not a directory"]),
    (config(pipeline="name = \n"),
     ["2: [pipeline] name: no value; write one or leave the key out"]),
    (config(pipeline="name = " + "x" * 70 + "\n"),
     ["2: [pipeline] name: 70 bytes long; 1 .. 64 are allowed"]),
    (config(pipeline="start_timeout = 0\n"),
     ["2: [pipeline] start_timeout: 0 is not in 100ms .. 1h"]),
    (config(pipeline="stop_timeout = 5 parsecs\n"),
     ['2: [pipeline] stop_timeout: "5 parsecs" is not a duration; write 250ms, 10s, 5m, 1h '
      "or 7d"]),
    (config(pipeline="log_level = verbose\n"),
     ['2: [pipeline] log_level: unknown word "verbose"; one of: debug|info|warn|error']),
    (config(ingest="router = 127.0.0.1:5550\n"),
     ['3: [ingest] router: "127.0.0.1:5550" is not an endpoint; write ipc://PATH or '
      "tcp://HOST:PORT"]),
    (config(ingest="router = tcp://127.0.0.1\n"),
     ['3: [ingest] router: "127.0.0.1" has no port; write HOST:PORT']),
    (config(ingest="router = tcp://localhost:99999\n"),
     ['3: [ingest] router: "99999" is not a port (0 .. 65535)']),
    (config(ingest="router = udp://127.0.0.1:1\n"),
     ['3: [ingest] router: "udp://127.0.0.1:1" is not an endpoint; write ipc://PATH or '
      "tcp://HOST:PORT"]),
    (config(ingest="router = ipc://\n"),
     ["3: [ingest] router: no path after ipc://"]),
    (config(ingest="tcp = tcp://127.0.0.1:5\n"),
     ['3: [ingest] tcp: "tcp://127.0.0.1" is not a host; write HOST:PORT or [V6]:PORT']),
    (config(ingest="tcp = 5170\n"),
     ['3: [ingest] tcp: "5170" has no port; write HOST:PORT']),
    (config(ingest="tcp = :5170\n"),
     ['3: [ingest] tcp: "" is not a host; write HOST:PORT or [V6]:PORT']),
    (config(ingest="router = ipc://run/in\nworkers = 3\n"),
     ["3: [ingest] router: with workers above 1 each needs an address of its own; write "
      "{slot} into it"]),
    (config(ingest="router = ipc://run/in\nworkers = three\n"),
     ['4: [ingest] workers: "three" is not a whole number']),
    (config(ingest="router = ipc://run/in\nworkers = 64\n"),
     ["4: [ingest] workers: 64 is not in 1 .. 63"]),
    (config(ingest="router = ipc://run/in\nmode = 888\n"),
     ['4: [ingest] mode: "888" is not a file mode; write three octal digits, 0600 or 0660']),
    (config(ingest="router = ipc://run/in\nmax_record = 1GB\n"),
     ['4: [ingest] max_record: "1GB" is not a size; write bytes or 64KiB, 8MiB, 2GiB']),
    (config(ingest="router = ipc://run/in\nbatch_bytes = 1\n"),
     ["4: [ingest] batch_bytes: 1 is not in 1KiB .. 16MiB"]),
    (config(ingest="router = ipc://run/in\ndurability = always\n"),
     ['4: [ingest] durability: unknown word "always"; one of: memory|disk|fsync']),
    (config(ingest="router = ipc://run/in\nlinger_ms = -1\n"),
     ["4: [ingest] linger_ms: -1 is not in 0 .. 60000"]),
    (config(ingest="router = ipc://run/in\nbatch_byte = 1MiB\n"),
     ["4: [ingest] batch_byte: unknown key; nearest: batch_bytes"]),
    (config(processor="parse = xml\n"),
     ['5: [processor] parse: unknown word "xml"; one of: json|combined|common|raw']),
    (config(processor="keep = level =\n"),
     ["5: [processor] keep: column 7: '=' compares nothing here; write '=='"]),
    (config(processor='keep = level = "x"\n'),
     ["5: [processor] keep: column 7: '=' compares nothing here; write '=='"]),
    (config(processor="drop = level == 'debug'\n"),
     ["5: [processor] drop: column 10: strings stand in double quotes"]),
    (config(processor="drop = (a == 1\n"),
     ["5: [processor] drop: column 8: an operator or ')' is expected; the expression ends "
      "here"]),
    (config(processor="drop = a in ()\n"),
     ["5: [processor] drop: column 7: a value is expected in the list, not )"]),
    (config(processor="drop = a.b[ == 1\n"),
     ["5: [processor] drop: column 5: an index such as [0] is expected"]),
    (config(processor="drop = user-agent == 1\n"),
     ["5: [processor] drop: column 5: a name with '-' in it is written in backticks: "
      "`user-agent`"]),
    (config(processor="set = env\n"),
     ["5: [processor] set: column 4: '=' and a value are expected, as in: env = \"prod\""]),
    (config(processor="set = env = prod\n"),
     ['5: [processor] set: column 7: text stands in double quotes, as in: env = "prod"']),
    (config(processor="set = = 1\n"),
     ["5: [processor] set: column 1: the name of a field is expected"]),
    (config(processor="set = set = \n"),
     ['5: [processor] set: column 6: a JSON value is expected, as in: env = "prod"']),
    (config(processor="set = a..b = 1\n"),
     ["5: [processor] set: column 3: the name of a field is expected"]),
    (config(processor="rename = a b\n"),
     ["5: [processor] rename: column 3: '->' and a new name are expected, as in: user -> "
      "user_id"]),
    (config(processor="rename = a -> a\n"),
     ["5: [processor] rename: column 5: the new name is the old one"]),
    (config(processor="remove = a,,b\n"),
     ["5: [processor] remove: column 3: the name of a field is expected"]),
    (config(processor="remove = \n"),
     ["5: [processor] remove: no value; write one or leave the key out"]),
    (config(processor="remove = a b\n"),
     ["5: [processor] remove: column 3: ',' or the end is expected"]),
    (config(processor="worker = 2\n"),
     ["5: [processor] worker: unknown key; nearest: workers"]),
    (config(metric="[metric m]\ntype = gauge\n"),
     ['6: [metric m] type: unknown word "gauge"; one of: counter|histogram']),
    (config(metric="[metric m]\nby = a\n"),
     ["5: [metric m] type: is missing: Count records, or the distribution of a field; one "
      "of: counter|histogram"]),
    (config(metric="[metric m]\ntype = histogram\n"),
     ["5: [metric m] field: is missing: a histogram needs the field that it observes"]),
    (config(metric="[metric m]\ntype = histogram\nfield = a b\n"),
     ["7: [metric m] field: \"a b\" is no field: column 2: '.', '[' or the end of the path is "
      "expected"]),
    (config(metric="[metric m]\ntype = counter\nby = a-b, c..d\n"),
     ["7: [metric m] by: \"a-b\" is no field: column 2: a name with '-' in it is written in "
      "backticks: `user-agent`",
      '7: [metric m] by: "c..d" is no field: column 3: the name of a field is expected']),
    (config(metric="[metric m]\ntype = counter\nby = a, a\n"),
     ["7: [metric m] by: a stands twice"]),
    (config(metric="[metric m]\ntype = histogram\nfield = x\nbuckets = 5, 1\n"),
     ["8: [metric m] buckets: 1 is not above the bound before it; write them rising"]),
    (config(metric="[metric m]\ntype = histogram\nfield = x\nbuckets = 5; 1\n"),
     ['8: [metric m] buckets: "5; 1" is not a number; write bounds as 0.5, 10, 2.5e3']),
    (config(metric="[metric 5xx]\ntype = counter\n"),
     ["5: [metric 5xx]: not a name for a metric; write letters, digits and _, and no digit "
      "first"]),
    (config(metric="[metric]\ntype = counter\n"),
     ["5: [metric]: needs a name: [metric NAME]"]),
    (config(sink="type = fil\npath = out.jsonl\n"),
     ['6: [sink out] type: unknown word "fil"; nearest: file; one of: file|stdout']),
    (config(sink="path = out.jsonl\n"),
     ["5: [sink out] type: is missing: Append lines to a file, or print them while in the "
      "foreground; one of: file|stdout"]),
    (config(sink="type = file\n"),
     ["5: [sink out] path: is missing: a file sink needs a path"]),
    (config(sink="type = file\npath =\n"),
     ["7: [sink out] path: no value; write one or leave the key out"]),
    (config(sink="type = stdout\npath = x\n"),
     ["7: [sink out] path: is for type = file; leave it out, or change the type"]),
    (config(sink="type = file\npath = x.ini\n"),
     ["7: [sink out] path: this is the configuration file; choose another path"]),
    (config(sink="type = file\npath = .\n"),
     ["7: [sink out] path: {folder} is a directory, run_dir of the pipeline"]),
    (config(sink="type = file\npath = /proc/out\n"),
     ["7: [sink out] path: cannot make a file in the directory /proc: No such file or "
      "directory"]),
    (config(sink="type = file\npath = /etc\n"),
     ["7: [sink out] path: /etc is a directory; name a file in it"]),
    (config(sink="type = file\npath = /dev/null\n"),
     ["7: [sink out] path: /dev/null is not a file"]),
    (config(sink="type = file\npath = /dev/null/x\n"),
     ["7: [sink out] path: /dev/null is not a directory"]),
    (config(sink="type = file\npath = data/dead/x\n"),
     ['7: [sink out] path: the pipeline itself keeps "dead" in its data_dir; choose another '
      "path"]),
    (config(sink="type = file\npath = out.jsonl\nmatch = a >\n"),
     ["8: [sink out] match: column 4: a field or a value is expected; the expression ends "
      "here"]),
    (config(sink="type = file\npath = out.jsonl\nmatch = status > 400 #errors\n"),
     ["8: [sink out] match: column 14: a field, a value or an operator is expected, not #"]),
    (config(sink="type = file\npath = out.jsonl\nenvelope = perhaps\n"),
     ['8: [sink out] envelope: "perhaps" is neither yes nor no']),
    (config(sink="type = file\npath = out.jsonl\n", extra="[sink out]\ntype = stdout\n"),
     ["8: [sink out]: this section is already on line 5; put its keys there"]),
    (config(extra="[sink b]\ntype = file\npath = ./out.jsonl\n"),
     ["10: [sink b] path: [sink out] on line 7 writes the same file"]),
    (config(sink="type = file\npath = ${NOPE}/out.jsonl\n"),
     ["7: [sink out] path: the environment has no variable NOPE"]),
    (config(extra="[monitor]\nhttp = 8090\n"),
     ['9: [monitor] http: "8090" has no port; write HOST:PORT, or off']),
    (config(extra="[monitor]\nhttp = on\n"),
     ['9: [monitor] http: "on" has no port; write HOST:PORT, or off']),
    (config(extra="[monitr]\nhttp = off\n"),
     ["8: [monitr]: unknown section; nearest: [monitor]"]),
    (config(extra="[launcher]\nrestart_limit = 0\n"),
     ["9: [launcher] restart_limit: 0 is not in 1 .. 1000"]),
    (config(extra="[sink a b]\n"),
     ['8: "a b" is not a section name; letters, digits, _ - and . are allowed']),
    (config(extra="[sink a\n"),
     ["8: a section is written [NAME] or [KIND NAME], alone on its line"]),
]


@pytest.mark.parametrize("text, lines", FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_told_once_with_its_place_and_its_reason(folder, text, lines):
    assert check(folder, text) == (78, lines)
    assert os.listdir(folder) == ["x.ini"]


def test_faults_of_the_file_of_expressions_and_of_places_come_in_one_run(folder):
    text = config(pipeline="chain = ingest, procesor, metrics, exporter\ndata_dir = /proc/x\n",
                  ingest="workers = many\nrouter = foo\n",
                  processor="drop = level ==\nset = set\nrename = a\nsort = x\n",
                  metric="[metric m]\ntype = counter\nby = a..b\n",
                  sink="type = fil\npath = " + "x" * 9000 + "\nmatch = ==\n",
                  extra="[monitor]\nhttp = 1\n")
    code, lines = check(folder, text)
    assert code == 78
    assert [line.split(": ")[:2] for line in lines] == [
        ["2", "[pipeline] chain"], ["3", "[pipeline] data_dir"], ["5", "[ingest] workers"],
        ["6", "[ingest] router"], ["8", "[processor] drop"], ["9", "[processor] set"],
        ["10", "[processor] rename"], ["11", "[processor] sort"], ["14", "[metric m] by"],
        ["16", "[sink out] type"], ["17", "[sink out] path"], ["18", "[sink out] match"],
        ["20", "[monitor] http"]]


def test_every_line_names_the_file_as_it_was_given(folder):
    text = config(processor="drop = level ==\nsort = x\n", sink="type = file\npath = /proc/out\n")
    relative = os.path.join(os.path.basename(folder), "x.ini")
    path = os.path.join(folder, "x.ini")
    for name, cwd in (("x.ini", folder), ("./x.ini", folder), (relative, "/tmp"), (path, "/")):
        code, lines = check(folder, text, name, cwd)
        assert code == 78 and len(lines) == 3


def test_a_right_file_is_ok_and_nothing_stays_behind(folder):
    text = config(pipeline="run_dir = new/run\ndata_dir = new/data\nlog_dir = new/log\n",
                  sink="type = file\npath = out/deep/out.jsonl\n")
    assert check(folder, text) == (0, [" ok"])
    assert os.listdir(folder) == ["x.ini"]
    for name in ("new/run", "out/deep"):
        os.makedirs(os.path.join(folder, name))
    with open(os.path.join(folder, "out/deep/out.jsonl"), "w", encoding="utf-8") as out:
        out.write("precious\n")
    before = sorted(os.walk(folder))
    assert check(folder, text) == (0, [" ok"])
    assert sorted(os.walk(folder)) == before
    with open(os.path.join(folder, "out/deep/out.jsonl"), encoding="utf-8") as source:
        assert source.read() == "precious\n"


def test_a_name_against_prometheus_conventions_is_a_warning_told_once(folder):
    text = config(metric="[metric wait_ms]\ntype = histogram\nfield = ms\nby = a.b, a_b\n")
    assert check(folder, text) == (0, [
        " ok",
        "5: warning: [metric wait_ms]: _ms is no base unit; Prometheus' conventions want them: "
        "seconds here",
        "8: warning: [metric wait_ms] by: a.b and a_b are one name to Prometheus; /metrics shows "
        "one of them with a number"])


def test_what_root_may_but_cannot_write_is_found(folder):
    """Permissions say yes; only trying tells."""
    if os.getuid() != 0:
        pytest.skip("root is told something else")
    path = os.path.join(folder, "closed")
    os.mkdir(path)
    with contextlib.ExitStack() as stack:
        done = subprocess.run(["chattr", "+i", path], check=False, capture_output=True)
        if done.returncode == 0:
            stack.callback(subprocess.run, ["chattr", "-i", path], check=True)
        else:
            path = "/proc/self"
        code, lines = check(folder, config(pipeline=f"run_dir = {path}\n"))
        assert code == 78 and len(lines) == 1
        assert lines[0].startswith("2: [pipeline] run_dir: cannot make a file in the directory")
        code, lines = check(folder, config(sink=f"type = file\npath = {path}/out.jsonl\n"))
        assert code == 78 and len(lines) == 1
        assert lines[0].startswith("7: [sink out] path: cannot make a file in the directory")


def test_a_sink_file_that_only_others_may_write_is_found(folder):
    if os.getuid() != 0:
        pytest.skip("root drops its rights here")
    path = os.path.join(folder, "out.jsonl")
    with open(path, "w", encoding="utf-8"):
        os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)
    os.chmod(folder, 0o777)
    code, lines = check(folder, config(), user="65534")
    assert code == 78
    assert lines == ["7: [sink out] path: cannot write {folder}/out.jsonl: Permission denied"]


def test_a_network_file_system_is_refused(folder):
    """strace answers statfs for the kernel: everything here is on NFS (0x6969)."""
    program = os.path.join(folder, "check")
    with open(program, "w", encoding="utf-8") as out:
        out.write("#!/bin/sh\nexec strace -f -o /dev/null -e trace=statfs "
                  "-e inject=statfs:poke_exit=@arg2=6969000000000000 "
                  f'{os.path.join(BIN, "millrace")} check x.ini\n')
    os.chmod(program, 0o700)
    with open(os.path.join(folder, "x.ini"), "w", encoding="utf-8") as out:
        out.write(config(pipeline="run_dir = run\ndata_dir = data\n"))
    done = subprocess.run([program], cwd=folder, capture_output=True, text=True, timeout=120,
                          check=False, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    words = "is on a network file system (NFS); locks do not hold there, take a local directory"
    assert (done.returncode, (done.stdout + done.stderr).splitlines()) == (78, [
        f"x.ini:{line}: [pipeline] {name}_dir: {os.path.realpath(folder)}/{name} {words}"
        for line, name in ((2, "run"), (3, "data"))])
