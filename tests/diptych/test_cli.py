"""The root command: it starts light, and every error is one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from diptych import __version__
from diptych.cli import COMMANDS, main, run_and_exit
from diptych.lazy_group import Entry
from pipeline.errors import RequestError
from tests.support import missing
from tests.support.waiting import LIMIT_S

HEAVY = ("celery", "kombu", "pydantic", "requests", "rich", "numpy", "torch", "openvino", "flask")


def run(call: Any, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as caught:
        run_and_exit(call)
    return int(str(caught.value.code)), capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["submit", "--help"], ["--version"], ["watch", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from diptych.cli import main\n"
        f"try: main({arguments!r})\n"
        "finally: print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in result.stderr.splitlines()}
    assert "click" in imported
    assert imported.isdisjoint(HEAVY)


def test_help_lists_every_command_and_the_version_is_told() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name, entry in COMMANDS.items():
        assert f"  {name} " in result.output
        assert entry.short_help in result.output
    assert CliRunner().invoke(main, ["--version"]).output == f"diptych {__version__}\n"


@pytest.mark.parametrize(
    "name",
    [name for name, entry in COMMANDS.items() if entry.place.startswith("jobs.") and name != "dlq"],
)
def test_every_command_of_the_producer_has_help(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert "--json" in result.output


def test_submit_job_is_submit_under_its_own_name() -> None:
    code = "import sys; from diptych.cli import submit_job; sys.argv = ['submit-job', '--help']; submit_job()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("Usage: submit-job [OPTIONS]")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["statsu"], "Did you mean 'status'?"),
        (["results", "lss"], "Did you mean 'ls'?"),
        (["model", "lst"], "Did you mean 'list'?"),
        (["model", "dataset", "face"], "Did you mean 'faces'?"),
        (["dlq", "redrvie"], "Did you mean 'redrive'?"),
        (["bench", "laod"], "Did you mean 'load'?"),
        (["submit"], "Missing option '-n'"),
        (["submit", "-n", "NaN"], "'NaN' is not a valid integer"),
        (["submit", "-n", "10^12"], "'10^12' is not a valid integer"),
        (["submit", "-n", "1", "--target", "moon"], "'moon' is not one of"),
        (["submit", "-n", "1", "--param", "=x"], "is not KEY=VALUE"),
        (["resume", "j", "--stalled", "soon"], "write 90s, 10m, 1.5h or 2d"),
        (["status"], "Missing argument 'JOB'"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert complaint in line
    assert "--help`)" in line


@pytest.mark.parametrize(
    "group", [[], ["results"], ["model"], ["model", "dataset"], ["dlq"], ["bench"]], ids=" ".join
)
def test_a_group_without_a_command_prints_its_help(group: list[str]) -> None:
    asked = CliRunner().invoke(main, [*group, "--help"])
    bare = CliRunner().invoke(main, group)
    assert bare.exit_code == 2
    assert bare.stderr == asked.stdout


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        ("bench load --users 1", "pycurl", "bench"),
        ("bench load --users 1", "hdrh", "bench"),
        ("bench ceiling", "pycurl", "bench"),
        ("bench compare missing.toml", "pycurl", "bench"),
        ("bench scale", "pycurl", "bench"),
        ("bench cold --cloud", "pycurl", "bench"),
        ("model dataset faces -o faces", "numba", "faces"),
        ("model import zoo:dtd-128", "torch", "train"),
        ("model train {here}/pyproject.toml", "torch", "train"),
        ("model export {here}/pyproject.toml -o out", "torch", "train"),
        ("model quality faces-64 --data missing", "cv2", "quality"),
        ("results export missing --format parquet --store /missing", "pyarrow", "parquet"),
    ],
)
def test_a_missing_extra_is_named_before_anything_is_done(
    command: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    result = CliRunner().invoke(main, command.format(here=root).split())
    assert (result.exit_code, result.stderr) == (
        1,
        f"error: this needs {module}: pip install -e '.[{extra}]'\n",
    )
    assert not list(tmp_path.iterdir())


def raiser(error: BaseException) -> Any:
    def call() -> None:
        raise error

    return call


def test_our_own_errors_are_told_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raiser(RequestError("no\n such  thing")), capsys) == (1, "error: no such thing\n")
    assert run(raiser(click.ClickException("so")), capsys) == (1, "error: so\n")
    code, text = run(raiser(FileNotFoundError(2, "No such file", "x")), capsys)
    assert (code, text) == (1, "error: [Errno 2] No such file: 'x'\n")


def test_what_should_not_happen_is_one_line_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIPTYCH_TRACEBACK", raising=False)
    code, text = run(raiser(ZeroDivisionError("oh")), capsys)
    assert code == 1
    assert len(text.splitlines()) == 1
    assert "ZeroDivisionError: oh" in text
    monkeypatch.setenv("DIPTYCH_TRACEBACK", "1")
    _, text = run(raiser(ZeroDivisionError("oh")), capsys)
    assert "Traceback" in text


def test_exit_codes_that_a_command_sets_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda: 3, capsys) == (3, "")
    assert run(lambda: None, capsys) == (0, "")


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that raises what Ctrl-C raises."""

    @click.command()
    def sleep() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(COMMANDS, "sleep", Entry("x:y", "Sleep."))
    monkeypatch.setattr(Entry, "load", lambda _: sleep)


@pytest.mark.usefixtures("sleeper")
def test_ctrl_c_is_quiet_and_130() -> None:
    result = CliRunner().invoke(main, ["sleep"])
    assert result.exit_code == 130
    assert result.stderr.strip() == "interrupted"


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = (
        "from diptych.cli import run_and_exit; run_and_exit(lambda: [print('x' * 100) for _ in range(10**5)])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(LIMIT_S) in (1, -signal.SIGPIPE)
    process.stderr.close()


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason=missing.DEV_FULL)
def test_output_onto_a_full_disk_is_told_in_a_line() -> None:
    script = "from diptych.cli import run_and_exit; run_and_exit(lambda: print('x' * 100, flush=True))"
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "error: cannot read or write: No space left on device\n"
