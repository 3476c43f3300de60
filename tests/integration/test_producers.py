"""What producers are told, and that what they send arrives: PUSH, DEALER, REQ, plain TCP."""
import contextlib
import os
import resource
import signal
import socket
import threading

import zmq
from harness import assert_exactly_once, free_port, numbered, wait_for

ROUTER = "router = ipc://in/router\n"


class Tcp:
    """A producer over plain TCP."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))

    def __enter__(self):
        return self.socket

    def __exit__(self, *_):
        self.socket.close()


def send_requests(chain, name, records, size=50, window=8):
    """A DEALER that numbers its records, with several requests under way; waits for every ok."""
    with chain.socket(zmq.DEALER, "router") as dealer:
        sent = acknowledged = 0
        while acknowledged < len(records):
            while sent < len(records) and sent - acknowledged < window * size:
                part = records[sent:sent + size]
                sent += len(part)
                dealer.send_multipart([b"", b"%s/%d" % (name, sent), *part])
            assert dealer.poll(60000), "no answer"
            empty, _, word, last = dealer.recv_multipart()
            assert (empty, word) == (b"", b"ok")
            acknowledged = int(last)


def test_two_producers_of_each_kind_at_once_and_every_record_once(make):
    port = free_port()
    chain = make(ingest=f"{ROUTER}pull = ipc://in/pull\npull = ipc://in/chunks\n"
                        f"tcp = 127.0.0.1:{port}\nwindow = 8")
    chain.listen()
    chain.start_all()
    each = 2000

    def records(k):
        return numbered(k * each + 1, (k + 1) * each, pad=40)

    def tcp(k):
        with Tcp(port) as stream:
            stream.sendall(b"\n".join(records(k)) + b"\n")

    def req(k):
        with chain.socket(zmq.REQ, "router") as asker:
            mine = records(k)
            for at in range(0, each, 100):
                asker.send_multipart([b"req/%d" % (at + 100), *mine[at:at + 100]])
                assert asker.poll(60000), "no answer"
                assert asker.recv_multipart()[1:] == [b"ok", b"%d" % (at + 100)]

    work = [(chain.push, records(0)), (chain.push, records(1), "chunks"),
            (send_requests, chain, b"first", records(2)),
            (send_requests, chain, b"second", records(3)), (tcp, 4), (tcp, 5), (req, 6)]
    threads = [threading.Thread(target=job[0], args=job[1:]) for job in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert_exactly_once(chain.wait_lines(7 * each), 7 * each)
    assert chain.settled()["exported"] == 7 * each


def test_chunks_of_lines_on_a_pull_socket(make):
    chain = make(ingest="pull = ipc://in/pull\nframing = lines\nbatch_records = 7\nwindow = 2")
    chain.start_all()
    lines = numbered(1, 1000)
    chain.push([b"\n".join(lines[:400]) + b"\n", b"", b"\n\n \r\n", b"\r\n".join(lines[400:600]),
                b"\n".join(lines[600:])])
    assert chain.wait_lines(1000) == lines


def test_a_numbered_producer_is_told_what_is_true(make):
    chain = make(ingest=ROUTER)
    chain.listen()
    chain.start_all()
    lines = numbered(1, 10)
    assert chain.ask(b"p/0") == [b"p/0", b"ok", b"0"]  # unknown
    assert chain.ask(b"p/9", *lines[4:9]) == [b"p/9", b"gap", b"0"]
    assert chain.ask(b"p/4", *lines[:4]) == [b"p/4", b"ok", b"4"]
    assert chain.ask(b"p/4", *lines[:4]) == [b"p/4", b"ok", b"4"]  # a retry
    assert chain.ask(b"p/6", *lines[2:6]) == [b"p/6", b"ok", b"6"]  # an overlap
    assert chain.ask(b"p/9", *lines[7:9]) == [b"p/9", b"gap", b"6"]
    assert chain.ask(b"p/3", lines[2]) == [b"p/3", b"ok", b"6"]  # long ago
    assert chain.ask(b"p/99") == [b"p/99", b"ok", b"6"]  # a question
    assert chain.ask(b"p/8", b"", lines[6], b" \n", lines[7], b"") == [b"p/8", b"ok", b"8"]
    answer = chain.ask(b"p/1", *lines[:2])
    assert answer[:2] == [b"p/1", b"error"] and b"more records than its number" in answer[2]
    assert chain.ask(b"p/10", *lines[8:]) == [b"p/10", b"ok", b"10"]
    assert chain.wait_lines(10) == lines
    assert chain.settled()["received"] == 10


def test_an_id_without_a_number_only_names_its_request(make):
    chain = make(ingest=ROUTER)
    chain.start_all()
    for name in (b"job", b"\x00\xff/7", b"x" * 64):
        assert chain.ask(name, b'{"name":1}') == [name, b"ok", b"0"]
        assert chain.ask(name, b'{"name":1}') == [name, b"ok", b"0"]
    chain.wait_lines(6)


def test_requests_that_cannot_be_are_refused_and_the_next_is_taken(make):
    chain = make(ingest=ROUTER + "max_record = 100")
    chain.listen()
    chain.start_all()
    refused = {
        (b"",): b"the id has 0 bytes",
        (b"x" * 65, b"{}"): b"the id has 65 bytes",
        (b"/7", b"{}"): b"no producer name",
        (b"p/99999999999999999999", b"{}"): b"number in the id is above",
        (b"p/2", b"{}", b"[" + b" " * 100 + b"]"): b"record 2 of the request has 102 bytes",
    }
    for frames, why in refused.items():
        answer = chain.ask(*frames)
        assert answer[1] == b"error" and why in answer[2], (frames, answer)
    assert chain.ask(b"p/1", b'{"n":1}') == [b"p/1", b"ok", b"1"]
    with chain.socket(zmq.DEALER, "router") as dealer:  # without an id
        dealer.send_multipart([b""])
        assert dealer.poll(60000) and dealer.recv_multipart()[-2] == b"error"
    assert chain.wait_lines(1) == [b'{"n":1}']
    assert chain.settled()["received"] == 1


def test_refused_requests_are_counted_as_errors(make):
    chain = make(ingest=ROUTER)
    chain.listen()
    chain.start("ingest.0")
    for _ in range(3):
        assert chain.ask(b"/7", b"{}")[1] == b"error"
    said = chain.counters("ingest.0", lambda c: c["operations"].get("receive", {}).get(
        "error_types", {}).get("producer_frame") == 3)
    assert said["callback_failures"] == 0


def test_a_producer_beyond_the_limit_is_told_what_to_do_and_the_known_go_on(make):
    chain = make(ingest=ROUTER + "max_producers = 2")
    chain.start_all()
    assert chain.ask(b"a/1", b'{"n":1}') == [b"a/1", b"ok", b"1"]
    assert chain.ask(b"b/1", b'{"n":2}') == [b"b/1", b"ok", b"1"]
    answer = chain.ask(b"c/1", b'{"n":0}')
    assert answer[:2] == [b"c/1", b"error"]
    assert b"2 names of producers" in answer[2] and b"[ingest] max_producers" in answer[2]
    assert b'a name for one run, which begins with "once:"' in answer[2]
    assert chain.ask(b"once:c/1", b'{"n":6}') == [b"once:c/1", b"ok", b"1"]  # as it says
    assert chain.ask(b"a/2", b'{"n":3}') == [b"a/2", b"ok", b"2"]
    assert chain.ask(b"plain", b'{"n":4}') == [b"plain", b"ok", b"0"]
    chain.wait_lines(5)
    chain.stop("ingest.0")
    chain.start("ingest.0")
    assert chain.ask(b"c/1", b'{"n":0}')[1] == b"error"
    assert chain.ask(b"b/2", b'{"n":5}') == [b"b/2", b"ok", b"2"]
    assert chain.ask(b"once:c/1", b'{"n":6}') == [b"once:c/1", b"ok", b"1"]
    assert_exactly_once(chain.wait_lines(6), 6)


def test_of_names_for_one_run_the_oldest_is_forgotten_also_by_the_next_life(make):
    chain = make(ingest=ROUTER + "max_producers = 2")
    chain.start_all()

    def last(name):
        return chain.ask(name + b"/0")[1:]

    for n, name in enumerate([b"lasting/1", b"once:a/1", b"once:b/1", b"once:a/2", b"once:c/1"]):
        assert chain.ask(name, b'{"n":%d}' % (n + 1))[1] == b"ok"
    for _ in range(2):
        assert [last(name) for name in (b"once:a", b"once:b", b"once:c", b"lasting")] == [
            [b"ok", b"2"], [b"ok", b"0"], [b"ok", b"1"], [b"ok", b"1"]]
        assert chain.ask(b"once:a/2", b'{"n":4}') == [b"once:a/2", b"ok", b"2"]  # a retry
        chain.stop("ingest.0")
        chain.start("ingest.0")
    assert_exactly_once(chain.wait_lines(5), 5)


def test_thirty_two_requests_under_way_are_answered_in_their_order(make):
    chain = make(ingest=ROUTER)
    chain.start_all()
    for delimiter in ([], [b""]):
        with chain.socket(zmq.DEALER, "router") as dealer:
            name = b"plain" if delimiter else b"like-req"
            for n in range(1, 33):
                dealer.send_multipart([*delimiter, b"%s/%d" % (name, n), b'{"n":%d}' % n])
            for n in range(1, 33):
                assert dealer.poll(60000), n
                number = b"%d" % n
                assert dealer.recv_multipart() == [*delimiter, name + b"/" + number, b"ok", number]
    chain.wait_lines(64)


def test_a_request_is_never_split_though_the_batch_is_smaller(make):
    chain = make(ingest=ROUTER + "batch_records = 10")
    chain.listen()
    chain.start_all()
    assert chain.ask(b"p/1000", *numbered(1, 1000)) == [b"p/1000", b"ok", b"1000"]
    assert chain.wait_lines(1000) == numbered(1, 1000)
    assert chain.counters("ingest.0")["operations"]["receive"]["count"] == 1


def test_a_request_that_does_not_fit_beside_others_is_told_to_come_again(make):
    """Refused for good is only what can never be taken."""
    chain = make(ingest=ROUTER + "pull = ipc://in/pull\nlinger_ms = 60000")
    chain.listen()
    chain.start("ingest.0")
    with chain.socket(zmq.PUSH, "pull") as sender:
        sender.send(b'{"first":1}')
        chain.counters("ingest.0", lambda c: c["ledger"]["in_flight"] == 1)
        sender.send(b'{"second":1}')  # waits for more: the first is in flight
        chain.counters("ingest.0")
        most = [b"{}"] * 65536
        assert chain.ask(b"p/65536", *most) == [b"p/65536", b"busy"]
        answer = chain.ask(b"q/65537", *most, b"{}")
        assert answer[1] == b"error" and b"at most 65536 records" in answer[2]
        chain.start("exporter.0", "processor.0")
        chain.wait_for(lambda: chain.ask(b"p/65536", *most) == [b"p/65536", b"ok", b"65536"], "ok")
    chain.wait_lines(65538)


def test_no_answer_speaks_of_records_that_the_journal_does_not_have(make):
    """A gap says "go on behind LAST", so whoever hears it lets go of what is before."""
    chain = make(ingest=ROUTER + "linger_ms = 60000")
    chain.listen()
    chain.start("ingest.0")
    assert chain.ask(b"first", b'{"n":1}')[1] == b"ok"  # in flight: the next batch lingers
    with chain.socket(zmq.DEALER, "router") as dealer:
        for frames in ([b"p/1", b'{"n":2}'], [b"p/3", b'{"n":4}'], [b"/7", b"{}"]):
            dealer.send_multipart(frames)
        heard = []
        while not heard or heard[-1][1] != b"error":  # that one needs no journal
            assert dealer.poll(60000), heard
            heard.append(dealer.recv_multipart())
        chain.workers["ingest.0"].kill()
        chain.workers.pop("ingest.0").wait()
    chain.start("ingest.0")
    taken = int(chain.ask(b"p/0")[2])
    assert [answer for answer in heard[:-1] if int(answer[2]) > taken] == []
    chain.start("exporter.0", "processor.0")
    assert chain.ask(b"p/3", *[b'{"n":%d}' % n for n in (2, 3, 4)]) == [b"p/3", b"ok", b"3"]
    assert chain.ask(b"p/5", b'{"n":6}') == [b"p/5", b"gap", b"3"]
    assert_exactly_once(chain.wait_lines(4), 4)


def test_records_that_are_too_long_become_dead_letters_and_the_stream_goes_on(make):
    port = free_port()
    chain = make(ingest=f"pull = ipc://in/pull\ntcp = 127.0.0.1:{port}\nmax_record = 64KiB")
    chain.listen()
    chain.start_all()
    long = b'{"long":"' + b"y" * 300000 + b'"}'
    chain.push([b'{"n":1}', long, b'{"n":2}', b"z" * 65537])
    chain.wait_lines(2)
    with Tcp(port) as stream:
        stream.sendall(b'{"n":3}\n' + long + b'\n{"n":4}\r\n\n \n' + long + b'\r\n{"n":5}\n' + long)
    assert_exactly_once(chain.wait_lines(5), 5)
    dead = wait_for(lambda: len(chain.dead()) == 5 and chain.dead(), "five dead letters")
    assert {row["error_type"] for row in dead} == {"record_too_long"}
    assert {row["stage"] for row in dead} == {"ingest"}
    assert [row["record"] for row in dead] == [long[:1024].decode(), "z" * 1024,
                                               *[long[:1024].decode()] * 3]
    sizes = [len(long), 65537, len(long), len(long), len(long)]
    assert [row["original_bytes"] for row in dead] == sizes
    for row, size in zip(dead, sizes):
        assert row["message"].startswith(f"{size} bytes, more than")
    assert chain.settled()["dead"] == 5
    errors = chain.counters("ingest.0")["operations"]["receive"]["error_types"]
    assert errors == {"record_too_long": 5}


def test_a_burst_over_tcp_is_taken_though_the_stream_stays_open(make):
    """Lines that were read are records at once, not when the next bytes come."""
    port = free_port()
    chain = make(ingest=f"tcp = 127.0.0.1:{port}\nbatch_records = 65536\nbatch_bytes = 1MiB")
    chain.start_all()
    with Tcp(port) as stream:
        count = 0
        for size in [1, 20000, *range(2000, 4400, 150)]:
            chain.workers["ingest.0"].send_signal(signal.SIGSTOP)
            stream.sendall(b"\n".join(numbered(count + 1, count + size, pad=20)) + b"\n")
            chain.workers["ingest.0"].send_signal(signal.SIGCONT)
            count += size
            chain.wait_lines(count)
    assert_exactly_once(chain.lines(), count)


def test_one_tcp_connection_too_many_waits_until_another_ends(make):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port = free_port()
    chain = make(ingest=f"tcp = 127.0.0.1:{port}")
    chain.start_all()
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(Tcp(port)) for _ in range(1024)]
        chain.wait_for(lambda: "1024 TCP connections: who comes now waits, unread, until one of "
                       "them ends" in chain.complaints(), chain.complaints)
        with Tcp(port) as waiting:
            waiting.sendall(b'{"n":1}\n')
            for n in (2, 3):  # the others are served
                streams[n].sendall(b'{"n":%d}\n' % n)
            assert sorted(chain.wait_lines(2)) == [b'{"n":2}', b'{"n":3}']
            streams[0].close()
            assert b'{"n":1}' in chain.wait_lines(3)
    assert chain.complaints().count("TCP connections") == 1


def test_a_line_in_many_pieces_and_a_last_one_without_its_end(make):
    port = free_port()
    chain = make(ingest=f"tcp = 127.0.0.1:{port}")
    chain.start_all()
    with Tcp(port) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in (b'{"n"', b":1", b"}\n{", b'"n":2}\r', b'\n{"n":3}'):
            stream.sendall(piece)
    assert chain.wait_lines(3) == [b'{"n":1}', b'{"n":2}', b'{"n":3}']


def test_a_flood_does_not_starve_producers_that_wait_for_an_answer(make):
    chain = make(ingest=ROUTER + "pull = ipc://in/pull\nwindow = 1\nbatch_records = 16")
    chain.start_all()
    stop = threading.Event()

    def flood():
        with chain.socket(zmq.PUSH, "pull", sndhwm=1000) as sender:
            while not stop.is_set():
                if sender.poll(100, zmq.POLLOUT):
                    sender.send(b'{"flood":1}')

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        wait_for(lambda: len(chain.lines()) > 1000, "the flood")
        for n in range(1, 21):
            assert chain.ask(b"calm/%d" % n, b'{"n":%d}' % n) == [b"calm/%d" % n, b"ok", b"%d" % n]
    finally:
        stop.set()
        thread.join()
    chain.stop("ingest.0", "processor.0", "exporter.0")
    at = [i for i, line in enumerate(chain.lines()) if b'"n"' in line]
    assert_exactly_once([chain.lines()[i] for i in at], 20)
    floods = sorted(after - before for before, after in zip(at, at[1:]))
    assert floods[len(floods) // 2] < 2000, floods  # records that went before the next answer


def test_the_socket_for_producers_has_the_mode_that_was_asked_for(make):
    chain = make(ingest="pull = ipc://in/pull\nmode = 0660")
    chain.start("ingest.0")
    assert os.stat(os.path.join(chain.folder, "in", "pull")).st_mode & 0o777 == 0o660


def test_a_planned_stop_answers_every_request_that_has_come(make):
    """Whether it is taken or not: a producer without a time-out must not wait for ever."""
    chain = make(ingest=ROUTER)
    chain.start_all()
    with chain.socket(zmq.DEALER, "router", sndhwm=1, sndtimeo=60000) as dealer:
        dealer.send_multipart([b"", b"first", b'{"n":1}'])
        assert dealer.poll(60000) and dealer.recv_multipart()[2] == b"ok"
        chain.workers["ingest.0"].send_signal(signal.SIGSTOP)
        for n in range(2, 152):
            dealer.send_multipart([b"", b"id", b'{"n":%d}' % n])  # in the kernel's buffers
        chain.workers["ingest.0"].send_signal(signal.SIGTERM)
        chain.workers["ingest.0"].send_signal(signal.SIGCONT)
        words = [b"ok"]
        while len(words) < 151 and dealer.poll(10000):
            words.append(dealer.recv_multipart()[2])
        assert len(words) == 151, f"{len(words)} of 151 requests were answered"
    assert chain.workers.pop("ingest.0").wait(timeout=60) == 0
    assert set(words) <= {b"ok", b"busy"}
    chain.stop("processor.0", "exporter.0")
    assert len(chain.lines()) == words.count(b"ok")


def test_while_ingest_waits_for_its_last_batches_requests_hear_busy(make):
    chain = make(ingest=ROUTER)
    chain.start_all()
    assert chain.ask(b"id", b'{"n":1}')[1] == b"ok"
    chain.workers["exporter.0"].send_signal(signal.SIGSTOP)
    assert chain.ask(b"id", b'{"n":2}')[1] == b"ok"  # in flight from now on
    chain.workers["ingest.0"].send_signal(signal.SIGTERM)
    wait_for(lambda: b"state=draining" in lock_line(chain, "ingest.0"), "it drains")
    for _ in range(3):
        assert chain.ask(b"id", b'{"n":3}')[1] == b"busy"
    chain.workers["exporter.0"].send_signal(signal.SIGCONT)
    assert chain.workers.pop("ingest.0").wait(timeout=60) == 0


def lock_line(chain, name):
    with open(os.path.join(chain.run_dir, name + ".lock"), "rb") as source:
        return source.read(256)
