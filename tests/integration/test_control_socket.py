"""What the launcher and the monitor answer to whoever asks what cannot be."""
import http.client
import json

import pytest
import zmq
from launcherlib import Chain


@pytest.fixture(name="chain", scope="module")
def make_chain():
    with Chain() as chain:
        chain.up()
        yield chain


def ask(chain, text):
    """One request to the control socket; its answer."""
    with zmq.Context() as context, context.socket(zmq.REQ) as asker:
        asker.linger = 0
        asker.connect(f"ipc://{chain.run_dir}/launcher.ipc")
        asker.send(text)
        assert asker.poll(60000), "no answer"
        return json.loads(asker.recv())


@pytest.mark.parametrize("text, said", [
    (b"restart processor", "a request is one JSON object of at most 64 KiB"),
    (b"[]", "a request is one JSON object of at most 64 KiB"),
    (b'{"command":"status","x":"' + b"x" * 65536 + b'"}',
     "a request is one JSON object of at most 64 KiB"),
    (b"{}", "unknown command; known: status wait watch down restart scale reopen"),
    (b'{"command":"destroy"}',
     "unknown command; known: status wait watch down restart scale reopen"),
    (b'{"command":"restart"}', "name 1 to 16 stages"),
    (b'{"command":"scale","targets":[]}', "name 1 to 16 stages")])
def test_the_launcher_says_what_a_request_is(chain, text, said):
    pids = chain.pids()
    answer = ask(chain, text)
    assert (answer["code"], answer["text"]) == (64, said)
    assert chain.pids() == pids


@pytest.mark.parametrize("method, path, host, code, said", [
    ("POST", "/api/metrics", "localhost", 405, "read only"),
    ("GET", "/api/metrics", "example.org", 403,
     "this address answers to localhost only; a proxy must send Host: localhost")])
def test_the_monitor_says_what_it_answers_to(chain, method, path, host, code, said):
    connection = http.client.HTTPConnection("127.0.0.1", chain.port, timeout=60)
    connection.request(method, path, headers={"Host": host})
    answer = connection.getresponse()
    assert answer.status == code and said in answer.read().decode()
    connection.close()
