"""Parses command lines with gcloud's own parser, and runs none: for gcloud's own Python, not for ours.

`python gcloud_parser.py ROOT` reads one JSON list of words a line, and writes one JSON object a line: the
command that would run, with its flags, or the error. Nothing is looked up and nothing is sent.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any


def main() -> None:
    root = sys.argv[1]
    sys.path[:0] = [f"{root}/lib", f"{root}/lib/third_party"]
    sys.argv = ["gcloud"]  # where gcloud looks for its own name

    backend = import_module("googlecloudsdk.calliope.backend")
    parser_errors = import_module("googlecloudsdk.calliope.parser_errors")
    gcloud_main = import_module("googlecloudsdk.gcloud_main")

    found: dict[str, Any] = {}

    def note(command: Any, **given: Any) -> None:
        values = {name: str(value) for name, value in given["args"].GetSpecifiedArgs().items()}
        found.update(command=" ".join(command.GetPath()), flags=values)

    backend.Command.Run = note
    cli = gcloud_main.CreateCLI([])
    for line in sys.stdin:
        found.clear()
        try:
            cli.Execute(json.loads(line))
        except SystemExit as error:
            found["error"] = f"exit code {error.code}"
        except parser_errors.ArgumentError as error:
            found["error"] = str(error)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
