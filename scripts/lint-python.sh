#!/usr/bin/env bash
# lint-python.sh: every Python file compiles under Debian's interpreter and uses it; no name is
# unknown or imported in vain (pyflakes).
set -euo pipefail
# shellcheck source=scripts/lint-lib.sh
. "$(dirname "$0")/lint-lib.sh"
need /usr/bin/python3

mapfile -t files < <(find_files "${all_folders[@]}" -- '*.py')
[ "${#files[@]}" -gt 0 ] || {
    echo "python: 0 files, 0 failures"
    exit 0
}
exec /usr/bin/python3 - "${files[@]}" <<'PYTHON'
import sys

from pyflakes.api import check
from pyflakes.reporter import Reporter

failures = 0
reporter = Reporter(sys.stdout, sys.stdout)
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as source:
        text = source.read()
    failures += check(text, path, reporter)
    # Another python3 may come first in PATH, without Debian's zmq module.
    if text.startswith("#!") and text.splitlines()[0] != "#!/usr/bin/python3":
        print(f"{path}:1: the first line is #!/usr/bin/python3 (Debian's has zmq)")
        failures += 1
print(f"python: {len(sys.argv) - 1} files, {failures} failures")
sys.exit(1 if failures else 0)
PYTHON
