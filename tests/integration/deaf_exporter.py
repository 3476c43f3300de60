"""deaf_exporter.py RUN_DIR SLOT: an exporter for upstreams to connect to, in a process of its own
that a test may kill: it holds the lock, binds the socket, says "bound" and reads nothing."""
import signal
import sys

import zmq
from fake_worker import FakeWorker


def main():
    run_dir, slot = sys.argv[1:]
    context = zmq.Context()
    worker = FakeWorker(context, run_dir, f"exporter.{slot}")
    inbox = context.socket(zmq.PULL)
    inbox.rcvhwm = 2
    inbox.bind(f"ipc://{worker.run_dir}/exporter.{slot}.ipc")
    print("bound", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
