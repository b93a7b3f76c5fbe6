"""The storage server of the local stack."""

from __future__ import annotations

import subprocess
from pathlib import Path

from local.http_call import call
from local.pubsub.gcs_server import BUCKET, gcs_argv, gcs_lacks
from tests.support.servers.gcs_server import find_binary
from tests.support.servers.valkey import free_port
from tests.support.waiting import wait_until


def test_what_a_killed_server_was_writing_hides_no_bucket(tmp_path: Path) -> None:
    folder = tmp_path / "gcs"
    (folder / BUCKET).mkdir(parents=True)
    leftover = folder / BUCKET / ".000126.json754"
    leftover.write_text("{}")
    port = free_port()
    server = subprocess.Popen(gcs_argv(find_binary(), folder, port), stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: not gcs_lacks(port), "the server")
        status, text = call(port, "GET", f"/storage/v1/b/{BUCKET}/o")
        assert status == 200, text
        assert not leftover.exists()
    finally:
        server.kill()
        server.wait()
