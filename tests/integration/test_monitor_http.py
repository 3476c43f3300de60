"""The monitor as a server and as a program: requests, ports, options, signals."""
import http.client
import os
import signal
import socket

import pytest

from launcherlib import wait_for
from monitorlib import Monitor

PAGES = ["/", "/api/metrics", "/api/workers", "/api/totals", "/api/errors", "/healthz", "/metrics"]


def test_every_page_answers_get_and_head_and_forbids_the_rest():
    with Monitor() as monitor:
        for path in PAGES:
            response, body = monitor.request(path)
            assert response.status in (200, 503) and body
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            head, nothing = monitor.request(path, "HEAD")
            assert head.status == response.status and not nothing
            assert int(head.headers["Content-Length"]) > 0
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            response, _ = monitor.request("/", method)
            assert response.status == 405 and response.headers["Allow"] == "GET, HEAD"
        response, body = monitor.request("/api/nothing")
        assert response.status == 404 and b'"error":"no such page"' in body


def test_the_page_needs_nothing_from_elsewhere():
    with Monitor() as monitor:
        _, body = monitor.request("/")
        for word in (b'src="', b"http://", b"https://", b"@import"):
            assert word not in body.replace(b"http://www.w3.org/2000/svg", b"").replace(
                b"xmlns='http://www.w3.org/2000/svg'", b""), word


@pytest.mark.parametrize("host,status", [
    ("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:8090", 200), ("LOCALHOST", 200),
    ("evil.example", 403), ("localhost.evil.example:8090", 403), ("", 403), ("[::1", 403)])
def test_only_names_of_this_machine_are_answered_on_loopback(host, status):
    with Monitor() as monitor:
        assert monitor.request("/api/metrics", headers={"Host": host})[0].status == status


def test_a_connection_may_ask_again_and_nonsense_harms_nobody():
    with Monitor() as monitor:
        connection = http.client.HTTPConnection("127.0.0.1", monitor.port, timeout=30)
        for _ in range(3):
            connection.request("GET", "/api/metrics")
            assert connection.getresponse().read()
        connection.close()
        for nonsense in (b"\0\xff" * 1000, b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"a" * 100000,
                         b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"x: y\r\n" * 20000):
            with socket.create_connection(("127.0.0.1", monitor.port), timeout=30) as raw:
                try:
                    raw.sendall(nonsense)
                    raw.shutdown(socket.SHUT_WR)
                    while raw.recv(65536):
                        pass
                except OSError:  # closed on us already
                    pass
        assert monitor.metrics()["pipeline"] == "test"


def test_idle_connections_do_not_pile_up():
    with Monitor() as monitor:
        idle = [socket.create_connection(("127.0.0.1", monitor.port)) for _ in range(100)]
        for connection in idle:
            connection.close()
        assert monitor.metrics()["pipeline"] == "test"
        descriptors = f"/proc/{monitor.process.pid}/fd"
        wait_for(lambda: len(os.listdir(descriptors)) < 60, "closed again")


def test_a_taken_port_and_a_second_monitor_are_temporary_failures():
    with Monitor() as monitor:
        second = monitor.run()
        assert second.returncode == 75 and "already running" in second.stderr
        assert monitor.metrics()["pipeline"] == "test"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        other = Monitor(http=f"127.0.0.1:{taken.getsockname()[1]}")
        done = other.run()
        assert done.returncode == 75
        assert "[monitor] http: cannot listen on 127.0.0.1:" in done.stderr
        assert "another program has this port" in done.stderr
        assert os.listdir(other.run_dir) == []
        other.__exit__()


def test_an_address_of_another_machine_is_a_fault_of_the_configuration():
    monitor = Monitor(http="192.0.2.1:8090")
    done = monitor.run()
    assert done.returncode == 78 and "cannot listen on 192.0.2.1:8090" in done.stderr
    monitor.__exit__()


def test_a_wide_open_address_is_warned_of_and_answers_to_any_name():
    monitor = Monitor()
    monitor.configure(http=f"0.0.0.0:{monitor.port}")
    with monitor:
        assert "without a password" in monitor.logged()
        assert monitor.request("/healthz", headers={"Host": "any.example"})[0].status == 503


def test_http_can_be_off_and_the_rest_works():
    with Monitor(http="off") as monitor:
        assert "http is off" in monitor.logged()
        wait_for(monitor.saved, "a snapshot")


def test_check_and_usage():
    monitor = Monitor()
    assert monitor.run("--check").returncode == 0
    assert not os.path.exists(monitor.run_dir)
    assert monitor.run("--nonsense").returncode == 64
    assert monitor.run("surplus").returncode == 64
    assert monitor.run("--help").returncode == 0
    assert monitor.run("--version").returncode == 0
    monitor.configure(htpp="off")
    done = monitor.run("--check")
    assert done.returncode == 78 and "htpp" in done.stderr
    monitor.__exit__()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_saves_and_leaves_nothing_behind(number):
    with Monitor(snapshot="1h") as monitor:
        assert monitor.stop(number) == 0
        assert os.listdir(monitor.run_dir) == []
        assert monitor.saved()["version"] == 1
        assert "metrics: received=0" in monitor.logged()


def test_sighup_opens_a_moved_log_again():
    with Monitor() as monitor:
        os.rename(monitor.log, monitor.log + ".1")
        monitor.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "log reopened" in monitor.logged(), "a new log")
