"""Doctor's single judgements: times, clocks, disks, models, processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from deploy.doctor import store as store_module
from deploy.doctor.local_stack import equal_resources, visibility_check
from deploy.doctor.model import judged, model_checks, percentile
from deploy.doctor.store import clock_check, disk_check, store_checks
from model.registry import Registry
from pipeline.config.settings import Settings
from results.stores.directory import DirectoryStore
from tests.support.waiting import LIMIT_S

SETTINGS = Settings()


@pytest.mark.parametrize(
    ("seconds", "status"), [(1.0, "ok"), (300.0, "ok"), (300.1, "warn"), (600.0, "warn"), (600.1, "fail")]
)
def test_a_task_is_to_take_less_than_half_of_the_deadline(seconds: float, status: str) -> None:
    check = judged("task time", seconds, 600, "99th percentile", image_s=10.0)
    assert check.status == status
    # About 30 s of work are a task, by the design.
    assert check.mend == ("" if status == "ok" else "diptych submit --images-per-task 3 …")


def test_the_percentile_is_of_the_nearest_rank() -> None:
    values = [float(each) for each in range(200, 0, -1)]
    assert percentile(values, 0.99) == 198.0
    assert percentile([3.0], 0.99) == 3.0


@pytest.mark.parametrize(
    ("skew_s", "status", "says"),
    [
        (1.5, "ok", "agree within 2 s"),
        (-5.0, "warn", "5.0 s behind"),
        (45.0, "fail", "45.0 s ahead: round trips are wrong by that, and tokens are rejected"),
        ("no answer", "skipped", "no answer"),
    ],
)
def test_clocks(skew_s: float | str, status: str, says: str) -> None:
    check = clock_check(skew_s)
    assert (check.status, says in check.detail) == (status, True)
    assert bool(check.mend) == (status in ("warn", "fail"))


def test_the_clock_of_a_server_is_read_from_its_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:
            assert timestamp is None
            return "Thu, 01 Jan 2026 00:00:00 GMT"

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Late)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr("deploy.doctor.store.time.time", lambda: 1767225600.0 + 100)
    try:
        found = store_module._http_skew_s(f"http://127.0.0.1:{server.server_port}/")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert found == -99.5


def test_a_store_of_files(tmp_path: Path) -> None:
    found = {check.name: check for check in store_checks(DirectoryStore(tmp_path / "results").url)}
    assert {name: check.status for name, check in found.items() if name != "disk"} == {
        "store": "ok",
        "clock": "ok",
    }
    (check, clock) = store_checks((tmp_path / "file.txt" / "x").as_uri() if _file(tmp_path) else "")
    assert (check.status, clock.status) == ("fail", "skipped")
    assert "\n" not in check.detail


def test_a_disk_that_is_almost_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    for free_bytes, status in ((2**40, "ok"), (2**30, "warn"), (2**20, "fail")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free_bytes: usage(2**41, 0, free))
        assert disk_check(tmp_path).status == status


def test_a_model_of_ones_own_is_looked_for_in_the_store(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(Registry().get("faces-64").path, models / "mine.safetensors")
    store = DirectoryStore(tmp_path / "results")
    settings = Settings(model_dir=models)
    presence, gate = model_checks("mine", settings, store)
    assert presence.status == "warn"
    assert "is not in the store yet" in presence.detail
    assert gate.status == "ok"
    program = f'PATH="{Path(sys.executable).parent}:$PATH" {presence.mend} --model-dir "{models}"'
    subprocess.run(["bash", "-euc", program], check=True, capture_output=True, timeout=LIMIT_S)
    presence, _ = model_checks("mine", settings, store)
    assert (presence.status, "is in the store" in presence.detail) == ("ok", True)
    (missing,) = model_checks("nobodys", settings, store)
    assert (missing.status, "unknown model nobodys" in missing.detail) == ("fail", True)


def test_a_visibility_timeout_that_is_too_short() -> None:
    assert visibility_check(SETTINGS).status == "ok"
    short = visibility_check(SETTINGS.model_copy(update={"visibility_timeout_s": 60}))
    assert short.status == "fail"
    assert "delivered again while it is still running" in short.detail
    assert short.mend.startswith("DIPTYCH_VISIBILITY_TIMEOUT_S=")
    patient = SETTINGS.model_copy(update={"deadline_s": SETTINGS.push_timeout_s + 1})
    assert visibility_check(patient).status == "fail"


def test_workers_that_are_no_equals() -> None:
    container = {"DIPTYCH_SLOTS": "2", "OMP_NUM_THREADS": "1"}
    assert equal_resources({"container": container, "function": {**container, "WORKERS": "2"}}).status == "ok"
    uneven = equal_resources({"container": container, "function": {"WORKERS": "1", "OMP_NUM_THREADS": "2"}})
    assert uneven.status == "warn"
    assert "slots 2 and 1; OMP_NUM_THREADS 1 and 2: no fair comparison" in uneven.detail
    assert uneven.mend == "diptych up --container-slots 2 --function-slots 2"
    assert equal_resources({}).status == "skipped"


def _file(folder: Path) -> bool:
    (folder / "file.txt").write_text("")
    return True
