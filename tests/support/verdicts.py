"""Where tests write down that records were lost or doubled, or that the books did not balance."""
import os
import sys


def note_verdict(text):
    """For scripts/test.sh, which fails for it though a second try of the test should pass. `text`:
    one line. Without MILLRACE_VERDICTS in the environment nothing is written."""
    path = os.environ.get("MILLRACE_VERDICTS")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{os.environ.get('PYTEST_CURRENT_TEST', sys.argv[0])}: {text}\n")
