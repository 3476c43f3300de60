"""The reference work once more, record by record, written apart from every program that is
measured; and comparing by value, for peers that write keys in another order or numbers in another
form."""
import json

from benchload import BenchError


def _drop_debug(record):
    return None if record["level"] == "debug" else record


def _set(name, value):
    return lambda record: {**record, name: value}


def _rename(old, new):
    def apply(record):
        if old not in record:
            return record
        return {(new if key == old else key): value for key, value in record.items()}
    return apply


def _remove(name):
    return lambda record: {key: value for key, value in record.items() if key != name}


def _keep(test):
    return lambda record: record if test(record) else None


# The same ten as benchhand.TEN_STEPS; the first three are the reference work.
STEPS = (_drop_debug, _set("env", "prod"), _rename("user", "user_id"), _set("region", "eu-1"),
         _remove("trace"), _rename("path", "url"), _keep(lambda r: r["latency_ms"] >= 0),
         _set("team", "shop"), _keep(lambda r: r.get("status") != 418),
         _rename("message", "text"))


class Number(str):
    """A number as it was written: 5.120 stays so."""

    def __float__(self):
        return float(str(self))

    def __ge__(self, other):
        return float(self) >= other

    def __lt__(self, other):
        return float(self) < other


def dump(record):
    """A record as Millrace writes it: no spaces, numbers as they came."""
    def text(value):
        return str(value) if isinstance(value, Number) else json.dumps(value)
    return "{" + ",".join(f'"{key}":{text(value)}' for key, value in record.items()) + "}"


def expected(path, count=3):
    """Number of the record -> the line that it must become by the first `count` steps."""
    due = {}
    with open(path, encoding="utf-8") as source:
        for line in source:
            record = json.loads(line, parse_float=Number)
            number = record["n"]
            for step in STEPS[:count]:
                record = step(record)
                if record is None:
                    break
            else:
                due[number] = dump(record)
    return due


def compare(paths, due):
    """Each record once, each with the values that it must have; raises BenchError otherwise."""
    seen = set()
    for path in paths:
        with open(path, encoding="utf-8") as source:
            for line in source:
                try:
                    record = json.loads(line)
                except ValueError:
                    record = {}
                number = record.get("n")
                if number in seen:
                    raise BenchError(f"record {number} twice")
                seen.add(number)
                if number not in due or record != json.loads(due[number]):
                    raise BenchError(f"not as it must be: {line.strip()[:200]}")
    if len(seen) != len(due):
        raise BenchError(f"{len(due) - len(seen)} of {len(due)} records are missing")


def counts(due):
    """"service level" -> records, as the counter must say."""
    found = {}
    for record in map(json.loads, due.values()):
        key = f"{record['service']} {record['level']}"
        found[key] = found.get(key, 0) + 1
    return found
