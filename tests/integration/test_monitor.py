"""What the monitor knows and shows: figures, health, bus, restarts."""
import os
import signal
import subprocess

import zmq

from fake_worker import ledger
from launcherlib import wait_for
from monitorlib import STAGES, Monitor

OPERATIONS = {"ingest": "receive", "processor": "handle", "metrics": "handle",
              "exporter": "spool"}
REQUESTS = {"metric": "requests", "type": "counter", "help": "Requests by service",
            "series": [{"labels": {"service": 'a"\\\n'}, "value": 7}]}
LATENCY = {"metric": "latency", "type": "histogram", "help": "",
           "series": [{"labels": {"service": "cart"}, "count": 3, "sum": 31.5, "min": 2, "max": 20,
                       "buckets": [[5, 1], [10, 2], ["+Inf", 3]]}]}


def work(monitor):
    """A batch through all four domains."""
    workers = {stage: monitor.worker(f"{stage}.0") for stage in STAGES}
    for stage, worker in workers.items():
        worker.success(OPERATIONS[stage], 1.5, 100)
        worker.counters()
    return workers


def test_the_whole_shape_is_there_before_traffic_and_all_domains_after_it():
    with Monitor() as monitor:
        names = {f"{stage}.{OPERATIONS[stage]}" for stage in STAGES}
        empty = monitor.metrics()
        for member in ("counts", "records", "errors", "error_types", "avg_duration", "quantiles",
                       "rates"):
            assert set(empty[member]) == names, member
        assert all(count == 0 for count in empty["counts"].values())
        assert empty["pipelines"]["completed"] == 0
        assert empty["pipelines"]["in_flight"] == 0
        work(monitor)
        full = wait_for(lambda: all(monitor.metrics()["counts"].values()) and monitor.metrics(),
                        "each domain counts")
        assert full["records"] == dict.fromkeys(names, 100)
        assert full["quantiles"]["processor.handle"] == {"p50": 1.5, "p95": 1.5, "p99": 1.5,
                                                         "max": 1.5}


def test_the_failed_counter_is_0_at_first_and_1_after_the_first_failure():
    with Monitor() as monitor:
        assert monitor.metrics()["pipelines"]["failed"] == 0
        assert monitor.metrics()["errors"]["processor.handle"] == 0
        processor, ingest = monitor.worker("processor.0"), monitor.worker("ingest.0")
        processor.error("handle", "json_syntax", 1, "byte 3", "{x")
        ingest.counters(ledger=ledger(received=1, dead=1))
        wait_for(lambda: monitor.metrics()["pipelines"]["failed"] == 1, "one failed")
        wait_for(lambda: monitor.metrics()["errors"]["processor.handle"] == 1, "one error")
        assert monitor.metrics()["error_types"]["processor.handle"] == {"json_syntax": 1}
        last = monitor.json("/api/errors")["errors"][0]
        assert (last["error_type"], last["message"], last["sample"]) == ("json_syntax", "byte 3",
                                                                        "{x")


def test_the_periodic_log_line_holds_the_values():
    with Monitor(log_interval="200ms") as monitor:
        monitor.worker("ingest.0").counters(ledger=ledger(received=12345, exported=12000, dead=45))
        wait_for(lambda: "metrics: received=12345 completed=12000 failed=45 dropped=0 in_flight=300"
                 in monitor.logged(), "the line")


def test_totals_survive_kill_9_and_go_on():
    with Monitor() as monitor:
        processor = monitor.worker("processor.0")
        exporter = monitor.worker("exporter.0")
        for _ in range(5):
            processor.success("handle", 2, 10)
        processor.counters()
        exporter.totals([REQUESTS])
        wait_for(lambda: monitor.saved().get("totals")
                 and monitor.metrics()["records"]["processor.handle"] == 50
                 and any(life["operations"].get("handle", {}).get("records") == 50
                         for life in monitor.saved()["lives"]), "a snapshot of all")
        monitor.stop(signal.SIGKILL)
        monitor.start()
        assert monitor.metrics()["records"]["processor.handle"] == 50
        assert monitor.metrics()["quantiles"]["processor.handle"]["p50"] == 2
        assert monitor.json("/api/totals")["metrics"][0]["series"] == REQUESTS["series"]

        def goes_on():
            processor.counters()
            processor.success("handle", 2, 10)
            return monitor.metrics()["records"]["processor.handle"] > 50
        wait_for(goes_on, "the same life goes on")
        assert (monitor.metrics()["counts"]["processor.handle"]
                <= processor.operations["handle"]["count"])
        assert monitor.stop() == 0


def test_a_broken_snapshot_is_set_aside_and_said_once():
    with Monitor() as monitor:
        assert monitor.stop() == 0
        with open(monitor.snapshot, "w", encoding="utf-8") as out:
            out.write('{"version":1,"lives":[')
        monitor.start()
        assert monitor.logged().count("set aside as") == 1
        assert os.path.exists(monitor.snapshot + ".bad")
        assert monitor.metrics()["counts"]["processor.handle"] == 0


def test_the_bus_gives_everything_to_subscribers_and_taps_only_when_asked():
    with Monitor() as monitor:
        publisher = monitor.context.socket(zmq.XPUB)
        publisher.connect(f"ipc://{monitor.run_dir}/bus.in")
        asked = set()
        while len(asked) < 6:
            assert publisher.poll(10000)
            asked.add(publisher.recv())
        assert asked == {b"\1" + topic for topic in (b"success.", b"error.", b"counters.",
                                                    b"totals.", b"state.", b"launcher.")}
        subscriber = monitor.context.socket(zmq.SUB)
        subscriber.connect(f"ipc://{monitor.run_dir}/bus.out")
        subscriber.subscribe(b"tap.processor")
        assert publisher.poll(10000)
        assert publisher.recv() == b"\1tap.processor"
        publisher.send_multipart([b"tap.processor", b"any bytes"])
        assert subscriber.poll(10000)
        assert subscriber.recv_multipart() == [b"tap.processor", b"any bytes"]
        subscriber.unsubscribe(b"tap.processor")
        assert publisher.poll(10000)
        assert publisher.recv() == b"\0tap.processor"


def test_a_subscriber_that_leaves_does_not_make_the_monitor_deaf():
    with Monitor() as monitor:
        processor = monitor.worker("processor.0")
        subscriber = monitor.context.socket(zmq.SUB)
        subscriber.connect(f"ipc://{monitor.run_dir}/bus.out")
        subscriber.subscribe(b"success.")

        def arrives():
            processor.success("handle", 1, 1)
            return subscriber.poll(50)
        wait_for(arrives, "an event arrives")
        subscriber.close()
        before = monitor.metrics()["counts"]["processor.handle"]

        def still_counts():
            processor.success("handle", 1, 1)
            return monitor.metrics()["counts"]["processor.handle"] > before + 20
        wait_for(still_counts, "the monitor still counts")


def test_malformed_and_oversize_events_are_counted_logged_and_not_passed_on():
    with Monitor() as monitor:
        processor = monitor.worker("processor.0")
        subscriber = monitor.context.socket(zmq.SUB)
        subscriber.connect(f"ipc://{monitor.run_dir}/bus.out")
        subscriber.subscribe(b"")

        def arrives():
            processor.success("handle", 1, 1)
            return subscriber.poll(50)
        wait_for(arrives, "an event arrives")
        processor.send("success.processor.handle", b"not json")
        processor.send("counters.processor.0", {"worker": "processor.0"})
        processor.send("totals.processor.0", b" " * ((16 << 20) + 1))
        processor.socket.send(b"success.one frame")
        processor.socket.send_multipart([b"success.three", b"frames", b"here"])
        wait_for(lambda: monitor.metrics()["monitor"]["malformed_events"] == 5, "five refused")
        assert "refused 1 malformed event; the last one, topic" in monitor.logged()
        processor.success("handle", 1, 424242)
        while b"424242" not in (frames := subscriber.recv_multipart())[1]:
            assert frames[0] in (b"success.processor.handle", b"state.processor.0")
            assert frames[1].startswith(b"{")


def test_missed_events_are_counted_and_shown_per_worker():
    with Monitor() as monitor:
        processor = monitor.worker("processor.0")
        processor.success("handle", 1, 1)
        processor.event_seq += 7
        processor.success("handle", 1, 1)
        wait_for(lambda: monitor.find("processor.0")["missed_events"] == 7, "seven missed")
        assert monitor.metrics()["monitor"]["missed_events"] == 7


def test_health_says_which_stage_has_nobody_and_who_is_silent():
    with Monitor() as monitor:
        response, _ = monitor.request("/healthz")
        assert response.status == 503
        assert "no worker of stage metrics is running" in monitor.json("/healthz")["reasons"]
        workers = work(monitor)
        wait_for(lambda: monitor.request("/healthz")[0].status == 200, "healthy")
        assert monitor.json("/healthz") == {"reasons": [], "status": "ok"}
        workers["metrics"].die()

        def all_but_metrics_speak():
            for stage in ("ingest", "exporter"):
                workers[stage].counters()
            return monitor.json("/healthz")["reasons"]
        assert wait_for(all_but_metrics_speak, "unhealthy") == [
            "no worker of stage metrics is running"]
        assert monitor.find("metrics.0")["state"] == "dead"
        reasons = wait_for(lambda: [reason for reason in all_but_metrics_speak()
                                    if "processor.0" in reason], "processor is silent")
        assert "has said nothing for" in reasons[0]


def test_user_metrics_are_replaced_per_worker_summed_and_outlive_their_worker():
    with Monitor() as monitor:
        first, second = monitor.worker("exporter.0"), monitor.worker("exporter.1")
        first.totals([REQUESTS])
        first.totals([REQUESTS, LATENCY])
        second.totals([REQUESTS, LATENCY])
        second.leave()
        wait_for(lambda: b"latency_count{service=\"cart\"} 6" in monitor.request("/metrics")[1],
                 "both counted")
        text = monitor.request("/metrics")[1].decode()
        assert 'requests_total{service="a\\"\\\\\\n"} 14\n' in text
        assert 'latency_bucket{service="cart",le="+Inf"} 6\n' in text
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                 capture_output=True, check=False)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
