"""Write a bucket's lifecycle rules: `python -m deploy.lifecycle 30 build/lifecycle.json`.

gcloud reads them from a file only, not from a pipe.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

EXPIRING: Final = ("jobs/", "rejected/")
"""Prefixes that expire; models are kept."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="lifecycle", description="Write a bucket's lifecycle rules.")
    parser.add_argument("days", type=int)
    parser.add_argument("file", type=Path)
    chosen = parser.parse_args()
    rule = {"action": {"type": "Delete"}, "condition": {"age": chosen.days, "matchesPrefix": list(EXPIRING)}}
    chosen.file.parent.mkdir(parents=True, exist_ok=True)
    chosen.file.write_text(json.dumps({"rule": [rule]}, indent=1) + "\n")
    print(f"{chosen.file}: objects below {' and '.join(EXPIRING)} are deleted after {chosen.days} days")


if __name__ == "__main__":
    main()
