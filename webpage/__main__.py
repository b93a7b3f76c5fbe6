"""`python -m webpage`: `diptych web`, for a supervisor that starts services by module."""

from __future__ import annotations

import sys

from pipeline.errors import PipelineError
from results.errors import ResultsError
from webpage.cli import web
from webpage.errors import PageError

if __name__ == "__main__":
    try:
        web.main(prog_name="diptych web")
    except (PageError, PipelineError, ResultsError) as error:
        sys.exit(f"error: {error}")
