"""Jobs on added models, from the request to the record: real engines, a real store, no stand-ins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.adding.add import add_model, remove_model
from model.adding.request import AddRequest
from model.engines.load import load_engine
from model.errors import ParamsError
from model.registry import Registry
from model.seeds import image_seed
from pipeline.config.settings import Settings
from pipeline.models.engine_cache import EngineCache
from pipeline.protocol.clock import utc_now
from pipeline.protocol.outcomes import Outcome
from pipeline.protocol.task_message import TaskMessage, decode_task
from pipeline.worker.process import process_task
from pipeline.worker.runtime import Runtime
from producer.job_view import job_as_dict, job_as_lines
from producer.publish import task_message
from producer.submit import JobRequest, draft_job
from results.documents import JSON_TYPE, Failure, dump, load
from results.imaging.png import decode, read_provenance
from results.job_state import JobState
from results.naming import flagged_name, image_name, manifest_name, record_name
from results.record import Record
from tests.support.builders import own_engines
from tests.support.builders.fakes import a_delivery
from tests.support.builders.onnx_files import save_onnx
from tests.support.builders.pipelines import need_diffusers, save_flagging_pipeline, save_text_pipeline


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    save_onnx(tmp_path / "a.onnx", image=(3, 8, 16))
    add_model(folder, "gan", f"onnx:{tmp_path / 'a.onnx'}", AddRequest())
    add_model(folder, "own", f"python:{own_engines.__name__}:good", AddRequest(options={"side": 4}))
    return folder


@pytest.fixture
def runtime(tmp_path: Path, models: Path) -> Runtime:
    return Runtime(Settings(store_url=(tmp_path / "store").as_uri(), model_dir=models), "container")


def submitted(models: Path, model: str, **params: Any) -> TaskMessage:
    """The first task of a job, as it comes off the queue."""
    request = JobRequest(model, 3, ("container",), seed=7, params=params, job_id="job-a")
    manifest = draft_job(request, Registry(models, models / "none.json")).manifest
    return decode_task(task_message(manifest, 0, 0, utc_now(), manifest.targets).encode())


def generated(runtime: Runtime) -> list[np.ndarray[Any, Any]]:
    return [decode(runtime.store.read(image_name("job-a", "container", index))) for index in range(3)]


def test_an_onnx_generator_generates_a_job(models: Path, runtime: Runtime) -> None:
    task = submitted(models, "gan")
    assert process_task(task, a_delivery(), runtime).outcome is Outcome.DONE
    info = Registry(models).get("gan")
    engine = load_engine(info, engine="openvino", precision="auto", threads=1)
    expected = engine.generate([image_seed(7, index) for index in range(3)], {})
    assert np.array_equal(np.stack(generated(runtime)), expected)


def test_an_own_engine_generates_a_job_with_its_params(models: Path, runtime: Runtime) -> None:
    assert process_task(submitted(models, "own", brightness=3), a_delivery(), runtime).outcome is Outcome.DONE
    for index, pixels in enumerate(generated(runtime)):
        assert (pixels == image_seed(7, index) * 3 % 256).all()
    provenance = read_provenance(runtime.store.read(image_name("job-a", "container", 0)))
    assert (provenance.engine, dict(provenance.params)) == ("stripes", {"brightness": 3})


def test_a_text_pipeline_generates_a_job_with_its_prompt(
    tmp_path: Path, models: Path, runtime: Runtime
) -> None:
    need_diffusers()
    folder = save_text_pipeline(tmp_path / "text" / "pipeline")
    add_model(models, "art", f"diffusers:{folder}", AddRequest(options={"steps": 2}))
    with pytest.raises(ParamsError, match="give --param prompt="):
        submitted(models, "art")
    task = submitted(models, "art", prompt="a cat", guidance=5)
    # A message that was not made here is checked again at the worker.
    forged = task.model_copy(update={"params": {"prompt": "a cat", "steps": 10**9}})
    assert process_task(forged, a_delivery(), runtime).outcome is Outcome.FAILED
    assert process_task(task, a_delivery(), runtime).outcome is Outcome.DONE
    first = generated(runtime)
    assert first[0].shape == (16, 16, 3)
    assert not np.array_equal(first[0], first[1])


def test_what_a_safety_checker_flags_is_said_and_counted(
    tmp_path: Path, models: Path, runtime: Runtime
) -> None:
    need_diffusers()
    folder = save_flagging_pipeline(tmp_path / "text" / "pipeline")
    add_model(models, "art", f"diffusers:{folder}", AddRequest(options={"steps": 1}))
    request = JobRequest("art", 3, ("container",), params={"prompt": "a cat"}, job_id="job-a")
    manifest = draft_job(request, Registry(models, models / "none.json")).manifest
    runtime.store.create(manifest_name("job-a"), dump(manifest), JSON_TYPE)
    task = decode_task(task_message(manifest, 0, 0, utc_now(), manifest.targets).encode())
    # One image is there already, from a delivery that got no further: the PNG itself says that it is flagged.
    cut = task.model_copy(update={"image_count": 1})
    assert process_task(cut, a_delivery(), runtime).outcome is Outcome.DONE
    runtime.store.delete(record_name("job-a", "container", 0))
    runtime.store.delete(flagged_name("job-a", "container", 0, 1))
    result = process_task(task, a_delivery(), runtime)
    assert result.detail.endswith("3 flagged by the model's safety checker")
    assert not any(pixels.any() for pixels in generated(runtime))
    name = record_name("job-a", "container", 0)
    record = load(Record, runtime.store.read(name), name)
    assert [(entry.flagged, entry.found) for entry in record.images] == [(True, True)] + 2 * [(True, False)]
    view = job_as_dict(runtime.store, JobState.of(runtime.store, "job-a"))
    assert (view["status"], view["targets"]["container"]["images_flagged"]) == ("succeeded", 3)
    assert "3 flagged" in "\n".join(job_as_lines(view))


def test_what_is_not_flagged_says_nothing_of_it(models: Path, runtime: Runtime) -> None:
    assert process_task(submitted(models, "own"), a_delivery(), runtime).outcome is Outcome.DONE
    assert b"flagged" not in runtime.store.read(image_name("job-a", "container", 0))


@pytest.mark.parametrize(
    ("change", "error", "detail"),
    [
        ({"params": {"x": 1}}, "bad_params", "takes no params, but got x"),
        ({"model": "gone"}, "unknown_model", "unknown model gone"),
        ({"model_digest": "sha256:" + "0" * 64}, "model_digest_mismatch", "but the job needs sha256:0000"),
    ],
)
def test_what_a_worker_cannot_generate_is_recorded(
    models: Path, runtime: Runtime, change: dict[str, Any], error: str, detail: str
) -> None:
    task = submitted(models, "gan").model_copy(update=change)
    assert process_task(task, a_delivery(), runtime).outcome is Outcome.FAILED
    failure = only_failure(runtime)
    assert failure.error == error
    assert detail in failure.detail


def test_a_changed_file_and_a_failing_engine_are_recorded(
    tmp_path: Path, models: Path, runtime: Runtime
) -> None:
    task = submitted(models, "gan")
    save_onnx(tmp_path / "a.onnx", seed=1)
    result = process_task(task, a_delivery(), runtime)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "model_digest_mismatch")
    result = process_task(submitted(models, "own", fail=True), a_delivery(), runtime)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "painting_failed")


def test_readiness_asks_for_the_files_of_an_added_model(tmp_path: Path, models: Path) -> None:
    cache = EngineCache(Settings(model_dir=models, default_model="gan"))
    cache.check_default_model()
    EngineCache(Settings(model_dir=models, default_model="own")).check_default_model()
    (tmp_path / "a.onnx").write_bytes(b"damaged")
    with pytest.raises(Exception, match=r"a\.onnx has changed since the model was added"):
        EngineCache(Settings(model_dir=models, default_model="gan")).check_default_model()
    remove_model(models, "gan")
    with pytest.raises(Exception, match="unknown model gan"):
        EngineCache(Settings(model_dir=models, default_model="gan")).check_default_model()


def only_failure(runtime: Runtime) -> Failure:
    names = [info.name for info in runtime.store.list("jobs/job-a/container/failures/")]
    assert len(names) == 1, names
    return load(Failure, runtime.store.read(names[0]), names[0])
