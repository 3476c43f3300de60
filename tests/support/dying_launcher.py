#!/usr/bin/python3
"""A launcher that is dying: it holds RUN/launcher.lock, and ends with 9 at the first request."""
import fcntl
import os
import struct
import sys

import zmq

F_OFD_SETLK = 37


def main(run_dir):
    fd = os.open(os.path.join(run_dir, "launcher.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
                 0o600)
    fcntl.fcntl(fd, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
    line = (f"pid={os.getpid()} incarnation=00000000000000aa state=running "
            "started=2026-01-01T00:00:00.000000Z")
    os.pwrite(fd, line.ljust(255).encode() + b"\n", 0)
    server = zmq.Context().socket(zmq.ROUTER)
    server.bind(f"ipc://{run_dir}/launcher.ipc")
    print("ready", flush=True)
    server.recv_multipart()
    os._exit(9)  # as after kill -9: nothing is tidied up


if __name__ == "__main__":
    main(sys.argv[1])
