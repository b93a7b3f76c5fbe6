"""Which store a command reads or makes, and a job like another."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.stores.directory import DirectoryStore
from tests.producer.conftest import SUBMIT, Run, document
from tests.support.builders.checkpoints import save_tiny


def test_a_store_may_be_named_by_its_path(
    run: Run, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*SUBMIT)
    assert run("jobs", "--store", store.root).stdout.startswith("j ")
    monkeypatch.setenv("HOME", str(store.root.parent))
    monkeypatch.setenv("DIPTYCH_STORE_URL", f"~/{store.root.name}")
    assert run("jobs").stdout.startswith("j ")


@pytest.mark.parametrize(
    "command",
    [
        ("jobs",),
        ("status", "j"),
        ("watch", "j"),
        ("cancel", "j"),
        ("resume", "j"),
        ("retry", "j"),
        ("dlq", "list"),
        ("dlq", "show", "j", 0),
        ("results", "ls", "j"),
        ("results", "cost", "j"),
        ("results", "compare", "j"),
        ("results", "report", "j", "-o", "r.html"),
        ("results", "verify", "j"),
    ],
    ids=lambda command: " ".join(map(str, command)),
)
def test_a_store_that_does_not_exist_is_an_error(command: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    result = run(*command, "--store", missing)
    complaint = f"error: no store at {missing}: check --store or DIPTYCH_STORE_URL\n"
    assert (result.exit_code, result.stderr) == (1, complaint)
    assert not missing.exists()


def test_the_page_without_a_broker_needs_a_store(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIPTYCH_BROKER_URL", "")
    assert "no store at" in run("web", "--store", tmp_path / "missing").stderr


def test_like_repeats_a_request_with_the_model_as_it_is_now(run: Run, tmp_path: Path) -> None:
    old = document(run(*SUBMIT, "--json", "--target", "celery", "--precision", "fp32"))["request"]
    digest = save_tiny(tmp_path / "models", width=12)
    found = document(run("submit", "--like", "j", "--json"))
    assert found["request"] == {**old, "model_digest": digest}
    assert digest != old["model_digest"]
    assert found["messages_published"] == 4
    changed = document(run("submit", "--like", "j", "-n", 5, "--json", "--dry-run"))
    assert changed["request"] == {**old, "model_digest": digest, "count": 5}
    assert "no job 'nope'" in run("submit", "--like", "nope").stderr
    assert "choose another --job" in run("submit", "--like", "j", "--job", "j").stderr


def test_submit_makes_a_new_store(run: Run, tmp_path: Path) -> None:
    assert run(*SUBMIT, "--store", tmp_path / "new").exit_code == 0
    assert (tmp_path / "new" / "jobs" / "j").is_dir()
