"""Quotes and budgets: known before anything is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from diptych.cli import main
from model.calibration import Calibration, calibration_file, save_calibration
from model.registry import Registry
from pipeline.errors import RequestError
from producer.quote import Quote, check_budget, make_quote
from producer.submit import Draft, JobRequest, draft_job
from results.cost.prices import SHIPPED, load_prices
from results.stores.directory import DirectoryStore
from tests.support.builders.checkpoints import save_tiny

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_calibration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DIPTYCH_PRICES", raising=False)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    save_tiny(tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def run(tmp_path: Path, store: DirectoryStore, models: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("DIPTYCH_MODEL_DIR", str(models))
    monkeypatch.setenv("DIPTYCH_STORE_URL", store.url)
    # Nobody listens there: a command that got as far as the broker would fail.
    monkeypatch.setenv("DIPTYCH_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


def draft(models: Path, **changes: Any) -> Draft:
    values: dict[str, Any] = {"model": "tiny", "count": 10, "targets": ("container", "function"), "seed": 7}
    return draft_job(JobRequest(**(values | changes)), Registry(models))


def test_a_quote_adds_up(models: Path) -> None:
    prices = load_prices()
    quote = make_quote(draft(models, images_per_task=3), prices)
    assert (quote.count, quote.tasks_per_target, quote.calibrated) == (10, 4, False)
    container = quote.targets[0]
    # Tasks of 3 images at 0.01 s and 0.3 s beside: 0.4 s as it is billed.
    assert container.usage.vcpu_s == pytest.approx(4 * 0.4)
    assert container.usage.gib_s == pytest.approx(4 * 4 * 0.4)
    assert container.usage.requests == 4
    assert container.usage.pubsub_bytes == pytest.approx(4 * 1000 * 3 / 2)
    # Three lists, and a look-up for the task of one image; the images; the records.
    assert container.usage.class_a == 3 + 10 + 4
    assert container.cost_per_1000_images == pytest.approx(container.bill.total * 100)
    assert quote.total == pytest.approx(sum(one.bill.total for one in quote.targets) + quote.submission.total)
    assert quote.upper_total > quote.total
    assert container.upper.total > container.bill.total
    for word in ("4 times as long", "delivered 2 times", "15 s", "Not a bound"):
        assert word in quote.upper_rule


def test_a_calibration_counts(models: Path) -> None:
    plain = draft(models)
    save_calibration(
        calibration_file(), Calibration(plain.manifest.model_digest, 2.0, "openvino", "fp32", "avx2", 8)
    )
    quote = make_quote(draft(models), load_prices())
    assert (quote.calibrated, quote.seconds_per_image) == (True, 2.0)
    assert quote.total > make_quote(plain, load_prices()).total


def test_a_million_images_are_quoted_at_once(models: Path) -> None:
    quote = make_quote(draft(models, count=1_000_000), load_prices())
    per_1000 = quote.targets[0].cost_per_1000_images
    # An image is a create of $0.005 a thousand, whatever it is of.
    assert 0.005 < per_1000 < 0.01
    assert quote.total == pytest.approx(2 * 1000 * per_1000, rel=0.01)


def budget(quote: Quote, dollars: float) -> str:
    with pytest.raises(RequestError) as caught:
        check_budget(quote, dollars)
    return str(caught.value)


def test_the_upper_estimate_decides(models: Path) -> None:
    quote = make_quote(draft(models), load_prices())
    check_budget(quote, quote.upper_total)
    assert "nothing was written" in budget(quote, quote.total)
    assert "$nan" in budget(quote, float("nan"))
    assert "over --max-cost" in budget(quote, -1.0)


def test_quote_writes_nothing(run: Run, store: DirectoryStore) -> None:
    result = run("submit", "-n", 1000, "-m", "tiny", "--quote")
    assert result.exit_code == 0, result.output
    for part in ("vCPU-seconds", "storage operations", "upper estimate", "per 1,000 images",
                 "Nothing written", "not an invoice", str(load_prices().date)):  # fmt: skip
        assert part in result.stdout
    assert not store.root.exists()
    found = json.loads(run("submit", "-n", 1000, "-m", "tiny", "--quote", "--json").stdout)
    assert found["prices_date"] == str(load_prices().date)
    assert {one["target"] for one in found["targets"]} == {"container", "function"}
    assert found["targets"][0]["usage"]["vcpu_s"] > 0
    assert not store.root.exists()


def test_a_job_over_its_budget_is_refused_before_anything_is_written(run: Run, store: DirectoryStore) -> None:
    for more in ((), ("--dry-run",), ("--quote",)):
        result = run("submit", "-n", 1_000_000, "-m", "tiny", "--max-cost", 0.5, *more)
        assert result.exit_code == 1
        assert "over --max-cost $0.5000" in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert not store.root.exists()
    allowed = run("submit", "-n", 10, "-m", "tiny", "--max-cost", 0.5, "--dry-run")
    assert (allowed.exit_code, "dry run" in allowed.stdout) == (0, True)


def test_a_table_of_ones_own(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(SHIPPED.read_text().replace("vcpu_second = 0.000024", "vcpu_second = 1.0"))
    by_flag = run("submit", "-n", 1, "-m", "tiny", "--quote", "--json", "--prices", mine)
    monkeypatch.setenv("DIPTYCH_PRICES", str(mine))
    by_environment = run("submit", "-n", 1, "-m", "tiny", "--quote", "--json")
    for result in (by_flag, by_environment):
        assert json.loads(result.stdout)["targets"][0]["bill"]["vcpu"] == pytest.approx(0.4)
    mine.write_text("prices = 'low'")
    result = run("submit", "-n", 1, "-m", "tiny", "--max-cost", 1)
    assert result.exit_code == 1
    assert f"price table {mine}" in result.stderr


def test_machines_of_ones_own_are_not_priced(run: Run) -> None:
    result = run("submit", "-n", 10, "-m", "tiny", "--target", "celery", "--quote")
    assert "your own machines" in result.stdout
    found = json.loads(run("submit", "-n", 10, "-m", "tiny", "-t", "celery", "--quote", "--json").stdout)
    assert found["targets"][0]["bill"]["vcpu"] == 0
