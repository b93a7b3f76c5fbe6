"""A whole load run: real workers, tokens that are checked, hosts that are not ours, the report, Ctrl-C."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.cloud.tokens import IdToken, audience_of
from bench.errors import BenchError, HostRefused
from bench.load.hosts import check_host
from bench.runs.read import read_run
from benchmarks.delivery.oidc_issuer import AUDIENCE, EMAIL, LocalIssuer, SigningKey, claims_now
from diptych.commands.bench.commands import bench
from pipeline.auth.push_auth import push_auth_of
from pipeline.config.settings import Settings
from tests.support.servers.http_target import HttpTarget, http_target
from tests.support.servers.valkey import free_port
from tests.support.waiting import wait_until


@pytest.fixture
def target() -> Iterator[HttpTarget]:
    with http_target(lambda _: (204, {})) as running:
        yield running


def run(*arguments: str) -> Any:
    return CliRunner().invoke(bench, ["load", *arguments])


def test_real_pushes_at_fresh_workers(tmp_path: Path) -> None:
    out = tmp_path / "run"
    shape = ("--users", "2", "--duration", "2s", "--warm-up", "0.5s")
    done = run(*shape, "--out", str(out), "--fail-if", "error > 0")
    assert done.exit_code == 0, done.output
    stored = read_run(out)
    assert stored.status == "complete"
    assert stored.results["title"] == "Load at gunicorn and functions-framework on this machine"
    for name in ("container", "function"):
        found = stored.results["targets"][name]
        assert found["measured"]["ok"] > 5
        assert found["measured"]["error"] == 0
        assert found["cold"]["requests"] == 1
        assert found["cold"]["quantities"]["response_s"]["mean"] > 0
    with (out / "resources.csv").open() as file:
        usage = list(csv.DictReader(file))
    assert max(float(row["cpu_cores"]) for row in usage if row["target"] == "container") > 0.05
    assert all(int(row["rss_bytes"]) > 10**7 for row in usage)
    with (out / "requests.jtl").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(stored.rows)
    assert {"timeStamp", "elapsed", "Latency", "Connect"} < lines[0].keys()
    page = (out / "report.html").read_text()
    # A generator that lagged behind, as on a busy machine, gets no plots of percentiles.
    assert page.count("<svg") in (3, 5)
    assert "<script" not in page


def test_a_threshold_that_is_missed_and_two_runs_side_by_side(target: HttpTarget, tmp_path: Path) -> None:
    common = ("--target", "container", "--container-url", target.url, "--warm-up", "0s", "--duration", "0.5s")
    outs = [str(tmp_path / name) for name in ("a", "b")]
    rate = ("--rate", "20/s", "--arrivals", "constant")
    assert run(*common, *rate, "--out", outs[0]).exit_code == 0
    missed = run(*common, *rate, "--out", outs[1], "--fail-if", "max(response_s) > 0.000001")
    assert missed.exit_code == 3
    assert "FAILED container: max(response_s)" in missed.output
    schedules = [read_run(Path(out)).configuration["schedule"] for out in outs]
    assert schedules[0] == schedules[1]
    both = tmp_path / "both.html"
    done = CliRunner().invoke(bench, ["report", *outs, "--out", str(both)])
    assert done.exit_code == 0, done.output
    assert "container a measured" in both.read_text()
    assert "container b measured" in both.read_text()


def test_a_run_in_which_every_request_fails_is_no_success(tmp_path: Path) -> None:
    with http_target(lambda _: (500, {})) as broken:
        shape = ("--users", "1", "--warm-up", "0s", "--duration", "0.5s", "--target", "container")
        done = run(*shape, "--container-url", broken.url, "--out", str(tmp_path / "run"))
    assert done.exit_code == 1
    assert "FAILED container: nothing succeeded" in done.output
    assert read_run(tmp_path / "run").figures("container", "measured")["error"] > 0


def test_ctrl_c_in_the_middle_leaves_a_labelled_run(target: HttpTarget, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ("--users", "2", "--duration", "60s", "--target", "container", "--container-url", target.url)
    code = "import sys; from diptych.cli import main; sys.argv[0] = 'diptych'; main()"
    command = [sys.executable, "-c", code, "bench", "load", *arguments, "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 60
    while len(target.bodies) < 100 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "PARTIAL: interrupted" in output
    stored = read_run(out)
    assert stored.partial
    assert len(stored.rows) >= 90
    assert "PARTIAL" in (out / "report.html").read_text()


def test_nobody_there_and_hosts_that_are_not_ours(tmp_path: Path) -> None:
    nobody = run(
        "--users", "1", "--container-url", f"http://127.0.0.1:{free_port()}/", "--target", "container"
    )
    assert isinstance(nobody.exception, BenchError)
    assert "does not answer" in str(nobody.exception)
    with pytest.raises(HostRefused, match="--i-own-this-host worker"):
        check_host("https://worker.example/", ())
    assert check_host("https://worker.example/", ("worker.example",))
    for bad in ("worker", "ftp://127.0.0.1/", "http://user:secret@127.0.0.1/", "http://127.0.0.1:99999/"):
        with pytest.raises(BenchError):
            check_host(bad, ())
    assert run("--users", "1", "--rate", "2/s").exit_code == 2
    assert run().exit_code == 2
    assert not list(tmp_path.iterdir())


def test_cloud_sends_tokens_that_a_worker_takes(
    target: HttpTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gcloud is played by a script that says what it was asked and prints a token of the local issuer."""
    with LocalIssuer() as issuer:
        script = tmp_path / "bin" / "gcloud"
        script.parent.mkdir()
        script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho {issuer.token()}\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(script.parent), prepend=":")
        done = run(
            *("--cloud", "--as-account", EMAIL, "--target", "container", "--container-url", target.url),
            *("--rate", "20/s", "--duration", "0.5s", "--warm-up", "0s", "--out", str(tmp_path / "run")),
        )
        assert done.exit_code == 0, done.output
        asked = (tmp_path / "asked").read_text()
        assert f"--impersonate-service-account={EMAIL}" in asked
        assert f"--audiences={target.url.rstrip('/')}" in asked
        auth = push_auth_of(
            Settings(push_auth="verify", push_audience=AUDIENCE, push_email=EMAIL, push_certs_url=issuer.url)
        )
        assert auth is not None
        assert target.tokens
        assert all(auth.refusal({"Authorization": token}) is None for token in target.tokens)
    assert "deployed" in read_run(tmp_path / "run").results["title"]
    assert issuer.token() not in "".join(path.read_text() for path in (tmp_path / "run").iterdir())


def test_a_token_is_made_anew_before_it_expires() -> None:
    key = SigningKey("local-1")
    made: list[str] = []

    def fetch() -> str:
        made.append(key.sign(claims_now(exp=int(time.time()) + (10 if not made else 3600))))
        return made[-1]

    token = IdToken("https://worker.example", fetch=fetch)
    headers = [token.headers() for _ in range(4)]
    assert len(made) == 2
    assert headers[1:] == [[f"Authorization: Bearer {made[1]}"]] * 3


def test_a_run_does_not_wait_for_a_new_token() -> None:
    key, calls, made = SigningKey("local-1"), list[bool](), threading.Event()
    tokens = [key.sign(claims_now(exp=int(time.time()) + left_s)) for left_s in (300, 3600)]

    def fetch() -> str:
        calls.append(True)
        if len(calls) > 1:
            made.wait(60)
        return tokens[len(calls) - 1]

    token = IdToken("https://worker.example", fetch=fetch)
    # The second call begins to make one, and gives the old one meanwhile; so does the third.
    assert [token.headers() for _ in range(3)] == [[f"Authorization: Bearer {tokens[0]}"]] * 3
    made.set()
    wait_until(lambda: token.headers() == [f"Authorization: Bearer {tokens[1]}"], "the new token")
    assert len(calls) == 2


def test_tokens_for_cloud_run_are_made_out_to_the_host() -> None:
    assert audience_of("https://diptych-container-1.us-central1.run.app/") == (
        "https://diptych-container-1.us-central1.run.app"
    )
    functions = "https://us-central1-my-project.cloudfunctions.net/diptych-function"
    assert audience_of(functions) == functions
