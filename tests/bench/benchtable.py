"""Rows of results to figures and tables, in Markdown that is also readable as plain text."""
import statistics
import textwrap

PROCESSES = ("ingest", "processor", "metrics", "exporter", "monitor", "launcher")
MODES = {"chunks": "Millrace, PUSH, 256 a message", "push": "Millrace, PUSH, 1 a message",
         "tcp": "Millrace, TCP lines", "acked": "Millrace, acknowledged, 256 a request"}


def spread(values, form="{:.2f}"):
    """median (min-max)"""
    values = list(values)
    if not values:
        return "-"
    middle = form.format(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({form.format(min(values))}-{form.format(max(values))})"


def table(head, rows):
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    lines = []
    for number, row in enumerate([head, *rows]):
        cells = [str(cell).ljust(width) if i == 0 else str(cell).rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        lines.append("| " + " | ".join(cells) + " |")
        if number == 0:
            lines.append("|" + "|".join("-" * (width + 1) + ("-" if i == 0 else ":")
                                        for i, width in enumerate(widths)) + "|")
    return "\n".join(lines)


def narrow_table(head, rows, right=1):
    """The same for documents, unpadded; the columns from `right` on are figures."""
    rule = ["---"] * right + ["--:"] * (len(head) - right)
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" if row is not rule
                     else "|" + "|".join(row) + "|" for row in (head, rule, *rows))


def groups(results, kind, key=lambda row: row["who"]):
    """Rows of a kind by who, in the order in which they first came; absent ones are left out."""
    found = {}
    for row in results:
        if row["kind"] == kind and "not_here" not in row:
            found.setdefault(key(row), []).append(row)
    return found


def median(runs, name):
    """None where no run has it."""
    values = [row[name] for row in runs if name in row]
    return statistics.median(values) if values else None


def column(runs, name, form="{:.2f}", scale=1):
    return spread((row[name] / scale for row in runs if name in row), form)


def kilo(runs):
    return column(runs, "records_per_s", "{:.0f}", 1000)


def rate(number):
    """1.61 M, 849 k"""
    return f"{number / 1e6:.2f} M" if number >= 999500 else f"{number / 1e3:.0f} k"


def section(title, text, body):
    return f"## {title}\n\n{text}\n\n{body}" if text else f"## {title}\n\n{body}"


def wrapped(text, indent=""):
    """To lines of at most 100 columns; later lines begin with `indent`."""
    return textwrap.fill(text, 100, subsequent_indent=indent, break_long_words=False,
                         break_on_hyphens=False)
