"""Workers that only talk: lock file and events as PROTOCOL.md describes them, without any work."""
import datetime
import fcntl
import json
import os
import secrets
import struct

import zmq

F_OFD_SETLK = 37


def timestamp():
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class FakeWorker:
    """One life of RUN/<stage>.<slot>."""

    def __init__(self, context, run_dir, name):
        self.run_dir = str(run_dir)
        self.name = name
        self.domain, slot = name.rsplit(".", 1)
        self.slot = int(slot)
        self.incarnation = secrets.token_hex(8)
        self.event_seq = 0
        self.operations = {}
        self._lock()
        self.socket = context.socket(zmq.PUB)
        self.socket.linger = 0
        self.socket.sndhwm = 100000
        self.socket.connect(f"ipc://{self.run_dir}/bus.in")

    def _lock(self):
        self.lock_path = os.path.join(self.run_dir, self.name + ".lock")
        self.lock_file = os.open(self.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        whole_file = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(self.lock_file, F_OFD_SETLK, whole_file)
        line = (f"pid={os.getpid()} incarnation={self.incarnation} state=running "
                f"started={timestamp()}")
        os.pwrite(self.lock_file, line.ljust(255).encode() + b"\n", 0)

    def stamp(self):
        self.event_seq += 1
        return {"worker": self.name, "incarnation": self.incarnation,
                "event_seq": self.event_seq, "ts": timestamp()}

    def send(self, topic, event):
        text = event if isinstance(event, bytes) else json.dumps(event).encode()
        self.socket.send_multipart([topic.encode(), text])

    def _operation(self, name):
        return self.operations.setdefault(
            name, {"count": 0, "records": 0, "errors": 0, "error_types": {}})

    def success(self, operation, duration, count):
        totals = self._operation(operation)
        totals["count"] += 1
        totals["records"] += count
        self.send(f"success.{self.domain}.{operation}",
                  {"domain": self.domain, "operation": operation, "duration": duration,
                   "count": count, **self.stamp()})

    def error(self, operation, error_type, count, message="", sample=""):
        totals = self._operation(operation)
        totals["errors"] += 1
        types = totals["error_types"]
        types[error_type] = types.get(error_type, 0) + count
        self.send(f"error.{self.domain}.{operation}",
                  {"domain": self.domain, "operation": operation, "error_type": error_type,
                   "count": count, "message": message, "sample": sample, **self.stamp()})

    def counters(self, **members):
        event = {"domain": self.domain, "pid": os.getpid(), "slot": self.slot, "state": "running",
                 "uptime_ms": 1, "blocked_ms": 0, "callback_failures": 0,
                 "operations": self.operations, **members, **self.stamp()}
        self.send(f"counters.{self.name}", event)

    def totals(self, metrics):
        self.send(f"totals.{self.name}", {"metrics": metrics, **self.stamp()})

    def die(self):
        """Leave the lock file behind, unlocked, as kill -9 does."""
        os.close(self.lock_file)
        self.socket.close()

    def leave(self):
        os.unlink(self.lock_path)
        self.die()


def ledger(received=0, exported=0, filtered=0, dead=0, dropped=0, in_flight_batches=0):
    in_flight = received - exported - filtered - dead - dropped
    return {"received": received, "exported": exported, "filtered": filtered, "dead": dead,
            "dropped": dropped, "in_flight": in_flight, "in_flight_batches": in_flight_batches}
