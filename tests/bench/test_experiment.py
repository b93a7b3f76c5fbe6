"""The paired experiment: what it asks, what it finds in trials of known effect, a real one with a break."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bench.errors import BenchError
from bench.experiment.analysis import analyse, samples_per_arm
from bench.experiment.pairs import pairs_of
from bench.experiment.plan import Experiment, load_experiment, order_of, parse_experiment
from bench.experiment.run import CompareOptions, run_compare
from bench.experiment.text import text_lines
from bench.experiment.trial import COLUMNS
from bench.runs.folder import RunFolder
from bench.runs.kinds import read_again
from bench.runs.read import read_run
from benchmarks.delivery.tiny_model import NAME, write_tiny_model
from diptych.commands.bench.commands import bench
from tests.support.builders.experiments import EXPERIMENT

TARGETS = {"container": "container", "function": "function"}


def experiment(pairs: int = 20, margin: float = 0.05, **more: Any) -> Experiment:
    question = {"metric": "response_s", "margin": margin}
    trials = {"pairs": pairs, "warm": 4}
    return parse_experiment({"targets": TARGETS, "question": question, "trials": trials, **more}, "test")


def made_rows(
    plan: Experiment, seed: int, *, factor: float = 1.0, spread: float = 0.03
) -> list[dict[str, str]]:
    """Rows as they are stored: instances differ by `spread`, requests too, and the second is slower."""
    stream = np.random.default_rng(seed)
    rows = []
    for pair, order in enumerate(order_of(plan)):
        for place, name in enumerate(order):
            instance = stream.normal(0, spread)
            for task in range(plan.tasks):
                seconds = 0.1 * np.exp(instance + stream.normal(0, spread) + 0.2 * (task % 3))
                seconds *= factor if name == plan.names[1] else 1.0
                cold = task == 0
                value = f"{seconds * (5 if cold else 1):.6f}"
                row = {"pair": str(pair), "place": str(place), "name": name, "task": str(task)}
                row |= {"phase": "cold" if cold else "warm", "cold": str(int(cold)), "status": "200"}
                row |= dict.fromkeys(("response_s", "first_byte_s", "process_s", "cpu_s_per_image"), value)
                rows.append(row | {"start_s": "1.0", "rss_peak_bytes": "1000"})
    return rows


def asked(plan: Experiment, rows: list[dict[str, str]]) -> dict[str, Any]:
    answer: dict[str, Any] = analyse(pairs_of(rows, plan))["question"]
    return answer


def test_the_order_is_the_seed_s_and_half_of_it_goes_either_way() -> None:
    plan = experiment(40)
    order = order_of(plan)
    assert order == order_of(plan)
    assert sum(first == "container" for first, _ in order) == 20
    assert len(set(order[:10])) == 2
    other = order_of(experiment(40, trials={"pairs": 40, "seed": 2}))
    assert other != order


def test_known_effects_are_found_and_sized() -> None:
    plan = experiment()
    slower = asked(plan, made_rows(plan, 1, factor=1.10))
    assert slower["verdict"] == "container faster"
    assert slower["low"] < 1 / 1.10 < slower["high"]
    assert asked(plan, made_rows(plan, 2, factor=1 / 1.5))["verdict"] == "function faster"
    same = asked(plan, made_rows(plan, 3))
    assert same["verdict"] == "equivalent"
    assert 1 / 1.05 < same["low"] < same["high"] < 1.05


def test_equal_targets_are_rarely_told_apart() -> None:
    plan = experiment()
    verdicts = [asked(plan, made_rows(plan, 100 + repeat))["verdict"] for repeat in range(20)]
    assert sum("faster" in verdict for verdict in verdicts) <= 3
    assert "equivalent" in verdicts


def test_an_open_question_says_what_it_would_take() -> None:
    plan = experiment(margin=0.01)
    answer = asked(plan, made_rows(plan, 4, spread=0.2))
    assert answer["verdict"] == "inconclusive"
    assert "pairs would tell a difference of 1% from none" in answer["note"]
    assert "samples per arm to see" in answer["note"]
    assert samples_per_arm(16.4, 3.3) == pytest.approx(390, abs=5)


def test_too_few_failed_and_torn_pairs_give_no_verdict() -> None:
    plan = experiment(21)
    rows = made_rows(plan, 5, factor=2)
    rows[0]["status"] = "503"
    found = analyse(pairs_of(rows[:-1], plan))
    assert found["pairs"]["failed"] == [0]
    assert sorted(found["pairs"]["failed_of"].values()) == [0, 1]
    assert found["pairs"]["finished"] == 20
    assert found["question"]["pairs"] == 19
    assert found["question"]["verdict"] is None
    assert "no verdict: 19 pairs" in found["question"]["note"]
    assert found["title"] == "gunicorn against functions-framework on this machine"


def test_a_verdict_of_a_part_and_of_pairs_without_failures_says_so(tmp_path: Path) -> None:
    plan = experiment(30)
    rows = made_rows(plan, 6, factor=2)[: 25 * 10]
    for row in rows:
        if row["pair"] in ("3", "7") and row["name"] == "function" and row["task"] == "2":
            row["status"] = "503"
    asked_for = {"experiment": plan.model_dump(mode="json", exclude_none=True)}
    folder = RunFolder.create(tmp_path / "run", command="compare", configuration=asked_for, columns=COLUMNS)
    with folder.recording():
        for row in rows:
            folder.raw.write([row.get(name, "") for name in COLUMNS])
        raise KeyboardInterrupt
    folder.finish({})
    told = " ".join(text_lines(read_again(folder.path)))
    assert "25 of 30 pairs, 2 of them failed and left out (container in 0, function in 2)." in told
    assert "the verdict is of the other pairs alone" in told
    assert "A look in the middle" in told
    assert "CONTAINER FASTER" in told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[question]\nmetric = 'response_s'\nmargin = 0.1\n[targets]\na = 'container'", "name two"),
        ("[targets]\na = 'container'\nb = 'celery'", "targets.b"),
        ("[targets]\na = 'container'\nb = 'function'", "question: Field required"),
        ("[question]\nmetric = 'speed'\nmargin = 0.1\n[targets]\na = 'container'\nb = 'function'", "metric"),
        ("[inject]\nfunktion_ms = 5\n", "TARGET_ms"),
        ("[inject]\nfunction_ms = -5\n", "inject.function_ms"),
        ("[trials]\npairs = 1\n", "trials.pairs"),
        ("[trials]\npears = 20\n", "trials.pears"),
        ("[pinned]\nmemory_mib = 20\n", "512 or more"),
        ("[", "is not TOML"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    whole = (
        "[question]\nmetric = 'response_s'\nmargin = 0.1\n[targets]\nfunction = 'function'\na = 'container'\n"
    )
    path = tmp_path / "experiment.toml"
    path.write_text(text if "targets" in text or text == "[" else whole + text)
    with pytest.raises(BenchError, match=says) as caught:
        load_experiment(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_real_experiment_is_gone_on_with_after_a_break(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    write_tiny_model(models)
    plan = experiment(
        2, trials={"pairs": 2, "warm": 3}, pinned={"model": NAME}, inject={"function_ms": 200.0}
    )
    out = tmp_path / "run"
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        if line.startswith("pair 1"):
            raise KeyboardInterrupt

    first = run_compare(CompareOptions(plan, out, models), tell)
    assert first.status == "interrupted"
    assert len(first.rows) == 8
    assert "PARTIAL" in (out / "report.html").read_text()
    whole = run_compare(CompareOptions(plan, out, models), told.append)
    assert whole.status == "complete"
    assert whole.rows[:8] == first.rows
    assert len(whole.rows) == 16
    answer = whole.results["question"]
    apart = answer["samples"]["function"]["mean"] - answer["samples"]["container"]["mean"]
    assert 0.1 < apart < 1
    assert answer["verdict"] is None
    assert all(float(row["process_s"]) > 0 for row in whole.rows)
    assert "INJECTED" in (out / "report.html").read_text()
    with pytest.raises(BenchError, match="another experiment"):
        run_compare(CompareOptions(experiment(3, pinned={"model": NAME}), out, models), told.append)
    monkeypatch.setattr("bench.experiment.run.environment", lambda: dict.fromkeys(read_run(out).environment))
    with pytest.raises(BenchError, match="other conditions"):
        run_compare(CompareOptions(plan, out, models), told.append)


def test_the_command_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = CliRunner().invoke(bench, ["compare", str(tmp_path / "none.toml")])
    assert isinstance(done.exception, BenchError)
    assert "cannot be read" in str(done.exception)


def test_an_experiment_in_which_everything_fails_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_model(tmp_path / "models")
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(tmp_path / "models"))
    file = tmp_path / "experiment.toml"
    file.write_text(EXPERIMENT.replace("[trials]\n", "[trials]\ntimeout_s = 0.001\n"))
    done = CliRunner().invoke(bench, ["compare", str(file), "--out", str(tmp_path / "run")])
    assert done.exit_code == 1, done.output
    assert "left out (container in 2, function in 2)" in done.output
    assert "not measured" in done.output
