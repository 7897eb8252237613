"""Whether a dependency has a known weakness: PyPI's advisories, as pip-audit asks for them.

A machine that reaches no advisories, such as one behind a mirror of packages alone, knows nothing:
that is said, and is no failure, since nothing about our code is wrong. A weakness is one.

Usage: audit.py PIP_AUDIT PYTHON
"""

from __future__ import annotations

import json
import subprocess
import sys


def main(pip_audit: str, python: str) -> int:
    """Ask about everything that an interpreter's environment has; the exit code."""
    places = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    folder = subprocess.run(  # noqa: S603 - our own interpreter
        [python, "-c", places], capture_output=True, text=True, check=True
    ).stdout.strip()
    asked = subprocess.run(  # noqa: S603 - the program that the Makefile has installed
        [pip_audit, "--path", folder, "--format", "json", "--progress-spinner", "off"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        said = (asked.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(f"Nobody could be asked for advisories, so nothing is known: {said}")
        return 0
    known = [each for each in found if "skip_reason" not in each]
    weak = [(each, weakness) for each in known for weakness in each["vulns"]]
    print(f"{len(known)} of {len(found)} dependencies have been asked about.")
    for each, weakness in weak:
        mended = ", ".join(weakness["fix_versions"]) or "no version yet"
        print(f"{each['name']} {each['version']}: {weakness['id']}, mended in {mended}")
    return 1 if weak else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
