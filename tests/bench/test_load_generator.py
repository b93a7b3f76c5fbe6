"""The generator against targets that behave, stall, shed, close early and die; clocks and schedules."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from bench.load.generator import load_generator as generator_module
from bench.load.generator.load_generator import Account, LoadGenerator
from bench.load.generator.sample import Sample
from bench.load.generator.schedule import LoadPlan, fingerprint, first_due
from bench.load.summary import describe, lag_note, lagged, quantities, summarise
from tests.support.servers.http_target import http_target
from tests.support.servers.valkey import free_port


def generate(url: str, plan: LoadPlan, **options: Any) -> tuple[list[Sample], Account]:
    samples: list[Sample] = []
    account = LoadGenerator(
        url, "container", plan, lambda task, attempt: f"{task}.{attempt}".encode(), samples.append, **options
    ).run()
    return samples, account


def test_the_same_seed_gives_the_same_schedule_and_poisson_arrivals_are_poisson() -> None:
    plan = LoadPlan(duration_s=400, rate=5, seed=3)
    assert fingerprint(plan) == fingerprint(LoadPlan(duration_s=400, rate=5, seed=3))
    assert fingerprint(plan) != fingerprint(LoadPlan(duration_s=400, rate=5, seed=4))
    gaps = np.diff(first_due(plan))
    assert gaps.mean() == pytest.approx(0.2, rel=0.1)
    assert gaps.std() == pytest.approx(0.2, rel=0.15)  # exponential: the SD is the mean
    constant = first_due(LoadPlan(duration_s=2, rate=5, arrivals="constant"))
    assert np.allclose(constant, np.arange(10) / 5)


def test_users_send_one_request_at_a_time_and_warm_up_is_apart() -> None:
    def slowly(_: int) -> tuple[int, dict[str, str]]:
        time.sleep(0.05)
        return 204, {}

    with http_target(slowly) as target:
        samples, account = generate(target.url, LoadPlan(duration_s=1.0, warm_up_s=0.4, users=3))
    assert account.sent == len(samples) == len(target.bodies)
    assert 30 <= len(samples) <= 60
    assert all(one.response_s >= 0.05 and one.status == 204 for one in samples)
    assert {one.phase for one in samples} == {"warm-up", "measured"}
    assert sum(one.new_connection for one in samples) == 3  # each user keeps its connection
    assert all((one.connect_s is not None) == bool(one.new_connection) for one in samples)


def test_a_stall_shows_in_the_latency_from_the_schedule() -> None:
    """One connection, 20 requests a second, and a stall of 0.6 s: eleven more requests are late for it."""

    def stalls_once(number: int) -> tuple[int, dict[str, str]]:
        time.sleep(0.6 if number == 5 else 0)
        return 204, {}

    plan = LoadPlan(duration_s=1.5, rate=20, arrivals="constant", in_flight=1)
    with http_target(stalls_once) as target:
        samples, account = generate(target.url, plan)
    values = quantities(samples)
    assert (values["response_s"] > 0.3).sum() == 1
    assert (values["latency_s"] > 0.1).sum() >= 8
    assert account.unsent == 0
    assert (
        np.median(values["lag_s"]) < values["response_s"].max() / 4
    )  # the target's stall is not the generator's lag


def test_a_stall_of_the_generator_is_its_lag_and_not_the_target_s() -> None:
    """Four users, and ours does something else for 0.3 s once: the others' answers lie there meanwhile."""

    def soon(number: int) -> tuple[int, dict[str, str]]:
        time.sleep(0.05 + 0.02 * (number % 4))
        return 204, {}

    samples: list[Sample] = []

    def seen(sample: Sample) -> None:
        samples.append(sample)
        if len(samples) == 10:
            time.sleep(0.3)

    with http_target(soon) as target:
        LoadGenerator(target.url, "t", LoadPlan(duration_s=1.5, users=4), lambda *_: b"0.1", seen).run()
    late = [one for one in samples[10:] if one.response_s > 0.3]
    assert 1 <= len(late) <= 4
    assert all(one.lag_s > 0.2 for one in late)
    assert np.median([one.lag_s for one in samples]) < min(one.lag_s for one in late) / 2


def test_a_stall_delays_every_request_that_was_due_in_it() -> None:
    """Each by as much as was left of it."""
    samples: list[Sample] = []
    stalled: list[float] = []

    def soon(_: int) -> tuple[int, dict[str, str]]:
        time.sleep(0.06)
        return 204, {}

    def seen(sample: Sample) -> None:
        samples.append(sample)
        if len(samples) == 5:
            time.sleep(0.5)
            stalled.append(time.perf_counter() - origin)

    plan = LoadPlan(duration_s=1.2, rate=50, arrivals="constant", in_flight=50)
    with http_target(soon) as target:
        origin = time.perf_counter()
        LoadGenerator(target.url, "t", plan, lambda *_: b"0.1", seen, origin=origin).run()
    in_it = [one for one in samples if stalled[0] - 0.4 < one.due_s < stalled[0] - 0.05]
    assert len(in_it) >= 15
    assert [one.lag_s for one in in_it] == pytest.approx([stalled[0] - one.due_s for one in in_it], abs=0.15)


def test_what_was_due_and_never_sent_is_counted_where_it_is_broken_off_too() -> None:
    def breaks_off(_: Sample) -> None:
        raise KeyboardInterrupt

    def slowly(_: int) -> tuple[int, dict[str, str]]:
        time.sleep(0.5)
        return 204, {}

    with http_target(slowly) as target:
        plan = LoadPlan(duration_s=5.0, rate=20, arrivals="constant", in_flight=1)
        ours = LoadGenerator(target.url, "t", plan, lambda *_: b"0.1", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            ours.run()
    assert ours.account.sent == 1
    assert 8 <= ours.account.unsent <= 20  # due within the first half second, none of the other four


def test_nothing_is_spun_for_after_the_end() -> None:
    """What was due and not sent does not keep the generator awake while the last answer is awaited."""

    def slowly(number: int) -> tuple[int, dict[str, str]]:
        time.sleep(1.5 if number else 0.4)
        return 204, {}

    plan = LoadPlan(duration_s=0.3, rate=50, arrivals="constant", in_flight=2)
    with http_target(slowly) as target:
        _, account = generate(target.url, plan)
    assert account.wall_s > 1.0
    assert account.unsent > 0
    assert account.cpu_s < account.wall_s / 2  # spinning would take most of it


def test_what_was_due_and_never_sent_is_counted() -> None:
    def very_slowly(_: int) -> tuple[int, dict[str, str]]:
        time.sleep(0.3)
        return 204, {}

    plan = LoadPlan(duration_s=1.0, rate=20, arrivals="constant", in_flight=1)
    with http_target(very_slowly) as target:
        samples, account = generate(target.url, plan)
    assert len(samples) + account.unsent == 20
    assert account.unsent >= 14


@pytest.mark.parametrize("status", [429, 503])
def test_a_shed_request_waits_as_it_is_asked_and_is_no_error(status: int) -> None:
    with http_target(lambda number: (status, {"Retry-After": "1"}) if number == 0 else (204, {})) as target:
        samples, _ = generate(target.url, LoadPlan(duration_s=5.0, users=1), phase="cold")
        found = summarise(samples, 0.1)
    assert target.bodies[:2] == [b"0.1", b"0.2"]  # the same task again
    assert (samples[0].outcome, samples[0].retry_after_s) == ("shed", 1.0)
    assert samples[1].due_s - samples[0].ended_s == pytest.approx(1.0, abs=0.01)
    assert samples[1].ended_s - samples[1].scheduled_s > 1.0
    assert (found["shed"], found["error"], found["error_rate"]) == (1, 0, 0.0)


def test_a_target_that_closes_early_or_dies_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_module, "ERROR_PAUSE_S", 0.1)
    with http_target(lambda number: (204, {}) if number < 3 else None) as target:
        samples, _ = generate(target.url, LoadPlan(duration_s=0.8, users=1))
    assert [one.outcome for one in samples[:4]] == ["ok", "ok", "ok", "error"]
    assert samples[3].status == 0
    assert samples[3].error
    assert len(samples) < 20
    gone, _ = generate(f"http://127.0.0.1:{free_port()}/", LoadPlan(duration_s=0.3, users=2))
    assert {one.outcome for one in gone} == {"error"}
    assert summarise(gone, 0.1)["error_rate"] == 1.0


def test_a_target_that_answers_too_slowly_is_given_up() -> None:
    def never(_: int) -> tuple[int, dict[str, str]]:
        time.sleep(1.0)
        return 204, {}

    with http_target(never) as target:
        samples, _ = generate(target.url, LoadPlan(duration_s=0.1, users=1, timeout_s=0.3))
    (one,) = samples
    assert one.outcome == "error"
    assert one.response_s > 0.25
    assert "timed out" in one.error.lower()


def test_a_step_of_the_wall_clock_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real, jumps = time.time, iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: real() - 3600 * next(jumps))
    with http_target(lambda _: (204, {})) as target:
        samples, account = generate(target.url, LoadPlan(duration_s=0.5, users=1))
    assert 0.4 < account.wall_s < 3600
    assert all(0 <= one.sent_s < 3600 and 0 <= one.response_s < 3600 for one in samples)


def test_percentiles_are_refused_when_the_generator_lagged() -> None:
    values = {"lag_s": np.full(100, 0.02), "response_s": np.full(100, 0.05)}
    assert "lagged" in lagged(values, 0.2)
    assert lagged({**values, "response_s": np.full(100, 1.0)}, 0.2) == ""
    told = lag_note({**values, "lag_s": np.full(100, 0.005)})
    assert "p99 5.0 ms, is 10% of the median response" in told
    assert lag_note({**values, "lag_s": np.full(100, 0.001)}) == ""
    assert "of a core" in lagged({**values, "lag_s": np.zeros(100)}, 0.95)
    assert "percentiles" not in describe(values["response_s"], percentiles=False)
