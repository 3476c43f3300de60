"""The benchmark's own judgement: what does not count, and what its report and the documents say."""
import json
import os
import shutil
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "bench"))
import benchcanon
import benchhead
import benchreadme
import benchreport
from benchload import BenchError

RECORD = ('{"n":%d,"level":"%s","service":"cart","user":"user-1","latency_ms":5.120,'
          '"message":"text"}\n')
HERE = {"cpu": "a processor", "cores": 2, "memory_gb": 4, "kernel": "6.1"}


def run(kind="throughput", who="chunks", other_load=0.0, **more):
    stages = {"ingest": 0.3, "processor": 0.3, "metrics": 0.2, "exporter": 0.2}
    return {"kind": kind, "who": who, "mode": who, "axis": who, "records": 1000, "bytes": 250,
            "records_per_s": 1500000, "cpu_total": 1.0, "cpu_per_million": stages,
            "user_per_million": stages, "busiest_per_million": stages, "peak_rss_mb": {"ingest": 9},
            "rss_total_mb": 60.0, "other_load": other_load, "lacks": "",
            "began": "2026-11-23T10:00:00Z", **more}


@pytest.fixture(name="due")
def fixture_due(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text(RECORD % (1, "info") + RECORD % (2, "debug") + RECORD % (3, "warn"))
    return benchcanon.expected(path)


@pytest.mark.parametrize("spoil, reason", [
    (lambda lines: lines + lines[:1], "record 1 twice"),
    (lambda lines: lines[:1], "1 of 2 records are missing"),
    (lambda lines: [lines[0], lines[1].replace("user_id", "user")], "not as it must be"),
    (lambda lines: [lines[0], lines[1].replace("5.120", "5.121")], "not as it must be"),
    (lambda lines: lines + [RECORD % (2, "debug")], "not as it must be"),
    (lambda lines: lines + ["{\n"], "not as it must be"),
])
def test_an_output_that_is_not_exactly_right_does_not_count(tmp_path, due, spoil, reason):
    assert sorted(due) == [1, 3]
    lines = [line + "\n" for line in due.values()]
    out = tmp_path / "out.jsonl"
    out.write_text("".join(lines))
    benchcanon.compare([out], due)
    out.write_text("".join(spoil(lines)))
    with pytest.raises(BenchError, match=reason):
        benchcanon.compare([out], due)


def test_the_report_names_the_runs_that_others_disturbed():
    rows = [run(), run(other_load=0.8), run("sizes", "100 B", 0.9), run("sizes", "250 B")]
    note = benchhead.load_note(rows)
    first = "*The same work*: Millrace, PUSH, 256 a message (1 of 2 runs)"
    assert "0.90 at most" in note
    assert f"{first}. *Record size*: 100 B." in note
    assert "250 B" not in note
    assert note in benchreport.whole(HERE, rows)
    assert "Beside none of them" in benchhead.load_note([run(), run(other_load=0.2)])


def test_results_of_different_machines_are_not_reported_together():
    assert benchhead.together(HERE, {**HERE, "cores": 4}) is None
    both = benchhead.together({**HERE, "commit": "a1"}, {**HERE, "commit": "b2"})
    assert both["commit"] == "a1, b2"


def copy_of_documents(to):
    results = os.path.join("tests", "bench", "results")
    os.makedirs(to / results)
    for name in ("README.md", "ARCHITECTURE.md", os.path.join(results, "results.json"),
                 os.path.join(results, "report.md")):
        shutil.copy(os.path.join(TOP, name), to / name)
    return to / results / "results.json"


def test_documents_follow_the_stored_results_and_a_stale_figure_is_found(tmp_path, capsys):
    path = copy_of_documents(tmp_path)
    assert benchreadme.check(tmp_path) == 0
    stored = json.loads(path.read_text())
    for row in stored["results"]:
        if row["kind"] == "throughput":
            row["cpu_total"] = 7.654
    path.write_text(json.dumps(stored))
    assert benchreadme.check(tmp_path) == 1
    said = capsys.readouterr().out
    assert "README.md:1: its figures are not those of" in said
    assert "report.md:1: its figures are not those of" in said
    benchreadme.write(stored["machine"], stored["results"], tmp_path)
    assert benchreadme.check(tmp_path) == 0
    assert "| 7.65 |" in (tmp_path / "README.md").read_text()


def test_a_document_without_its_markers_is_refused():
    assert benchreadme.replaced("a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb", "x", "new") \
        == "a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb"
    for text in ("nothing", "<!-- x:begin -->\nno end", "<!-- x:end -->\n<!-- x:begin -->\n"):
        with pytest.raises(SystemExit, match="x:begin"):
            benchreadme.replaced(text, "x", "new")
