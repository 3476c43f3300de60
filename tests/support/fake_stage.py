#!/usr/bin/python3
"""A worker without records, for tests of the launcher: takes its lock, says it is ready, waits.

Installed as millrace-STAGE beside the real launcher. fake.json beside the configuration says how a
worker misbehaves, by worker or by stage: {"processor": {"exit": 1}, "ingest.0": {"deaf": true}}.
  exit       exit with this code instead of becoming ready
  say        print this to stderr first
  crash      die of SIGABRT once ready
  never      never become ready
  deaf       ignore SIGTERM
  check      --check fails with this text
"""
import configparser
import fcntl
import json
import os
import secrets
import signal
import struct
import sys
import time
from datetime import datetime, timezone

F_OFD_SETLK = 37
LINE_BYTES = 256


def arguments():
    values = {"ready": -1, "slot": 0, "check": False, "config": None}
    words = iter(sys.argv[1:])
    for word in words:
        if word in ("-c", "--config"):
            values["config"] = os.path.abspath(next(words))
        elif word in ("-n", "--slot"):
            values["slot"] = int(next(words))
        elif word == "--ready-fd":
            values["ready"] = int(next(words))
        elif word == "--check":
            values["check"] = True
        elif word != "--quiet":
            sys.exit(64)
    return values


class Worker:
    def __init__(self, values):
        self.folder = os.path.dirname(values["config"])
        self.stage = os.path.basename(sys.argv[0]).removeprefix("millrace-")
        self.name = f"{self.stage}.{values['slot']}"
        ini = configparser.ConfigParser(strict=False, interpolation=None)
        ini.read(values["config"])
        self.run = os.path.join(self.folder, ini.get("pipeline", "run_dir", fallback="run"))
        self.lock = os.path.join(self.run, self.name + ".lock")
        self.incarnation = secrets.randbits(64)
        self.started = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.fd = -1
        self.behaviour = {}
        try:
            with open(os.path.join(self.folder, "fake.json"), encoding="utf-8") as source:
                known = json.load(source)
            self.behaviour = {**known.get(self.stage, {}), **known.get(self.name, {})}
        except FileNotFoundError:
            pass

    def write(self, state):
        line = (f"pid={os.getpid()} incarnation={self.incarnation:016x} state={state} "
                f"started={self.started}")
        os.pwrite(self.fd, line.ljust(LINE_BYTES - 1).encode() + b"\n", 0)

    def claim(self):
        os.makedirs(self.run, mode=0o700, exist_ok=True)
        self.fd = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.fcntl(self.fd, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
        except OSError:
            print(f"{self.name} is already running in {self.run}", file=sys.stderr)
            sys.exit(75)
        self.write("starting")

    def drain(self, *_):
        if self.behaviour.get("deaf"):
            return
        with open(os.path.join(self.folder, "drained.log"), "a", encoding="utf-8") as log:
            log.write(self.name + "\n")
        os.unlink(self.lock)
        os._exit(0)

    def serve(self, ready_fd):
        signal.signal(signal.SIGTERM, self.drain)
        signal.signal(signal.SIGUSR1, self.drain)
        signal.signal(signal.SIGHUP, self.reopen)
        if "say" in self.behaviour:
            print(self.behaviour["say"], file=sys.stderr, flush=True)
        if "exit" in self.behaviour:
            sys.exit(self.behaviour["exit"])
        self.claim()
        if not self.behaviour.get("never"):
            self.write("running")
            if ready_fd >= 0:
                os.write(ready_fd, b"\n")
        if self.behaviour.get("crash"):
            os.abort()
        while True:
            time.sleep(3600)

    def reopen(self, *_):
        with open(os.path.join(self.folder, "reopened.log"), "a", encoding="utf-8") as log:
            log.write(self.name + "\n")


def main():
    values = arguments()
    worker = Worker(values)
    if values["check"]:
        if "check" in worker.behaviour:
            print(worker.behaviour["check"], file=sys.stderr)
            sys.exit(78)
        sys.exit(0)
    worker.serve(values["ready"])


if __name__ == "__main__":
    main()
