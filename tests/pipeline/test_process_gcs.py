"""process_task over a real GCS server, with the real engine: commit once, go on where another left off."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.settings import Settings
from pipeline.protocol.outcomes import Outcome
from pipeline.worker.process import process_task
from pipeline.worker.runtime import Runtime
from results.documents import load
from results.naming import image_name, record_name
from results.record import Record
from results.stores.gcs import GcsStore
from tests.support.builders.checkpoints import save_tiny
from tests.support.builders.fakes import a_delivery
from tests.support.builders.tasks import a_task


def test_a_task_on_gcs(tmp_path: Path, gcs_store: GcsStore) -> None:
    digest = save_tiny(tmp_path)
    settings = Settings(store_url=gcs_store.url, model_dir=tmp_path, batch_size=4)
    runtime = Runtime(settings, "container", store=gcs_store)
    task = a_task(model_digest=digest, image_count=10)
    name = record_name("job-a", "container", 0)

    assert process_task(task, a_delivery(), runtime).outcome is Outcome.DONE
    first = load(Record, gcs_store.read(name), name)
    assert process_task(task, a_delivery(), runtime).reason == "already_recorded"

    # As if the worker had been killed half-way: some images, no record.
    gcs_store.delete(name)
    for index in range(4):
        gcs_store.delete(image_name("job-a", "container", index))
    assert process_task(task, a_delivery(), runtime).outcome is Outcome.DONE
    second = load(Record, gcs_store.read(name), name)
    assert (second.images_painted, second.images_found) == (4, 6)
    assert [entry.sha256 for entry in second.images] == [entry.sha256 for entry in first.images]
