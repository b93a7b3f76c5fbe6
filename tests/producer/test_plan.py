"""How a job is cut into tasks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.pubsub_settings import ACK_DEADLINE_S
from pipeline.errors import RequestError
from producer.plan import MAX_COUNT, MAX_TASKS, make_plan


@pytest.mark.parametrize(
    ("count", "seconds_per_image", "per_task", "tasks"),
    [
        (64, 0.01, 256, 1),  # 30 s would be 3,000 images: the limit is 256
        (64, 0.5, 60, 2),
        (64, 1.25, 24, 3),
        (64, 45.0, 1, 64),  # one image is more than 30 s
        (1, 0.5, 60, 1),
        (1_000_000, 0.01, 256, 3907),
        (MAX_COUNT, 45.0, 100, MAX_TASKS),  # tasks of 1 could not be numbered
    ],
)
def test_tasks_hold_about_thirty_seconds_of_work(
    count: int, seconds_per_image: float, per_task: int, tasks: int
) -> None:
    plan = make_plan(count, seconds_per_image)
    assert (plan.images_per_task, plan.task_count) == (per_task, tasks)
    assert plan.work_s == count * seconds_per_image


def test_the_users_own_cut() -> None:
    assert make_plan(10, 0.01, images_per_task=3).task_count == 4


@pytest.mark.parametrize("count", [0, -1, 10**12, MAX_COUNT + 1])
def test_a_count_outside_its_limits_is_refused(count: int) -> None:
    with pytest.raises(
        RequestError, match=rf"cannot generate {count} images: the count must be 1 to 100,000,000"
    ):
        make_plan(count, 0.01)


@pytest.mark.parametrize("per_task", [0, -5, 257])
def test_a_cut_outside_its_limits_is_refused(per_task: int) -> None:
    with pytest.raises(RequestError, match="the limit is 1 to 256"):
        make_plan(10, 0.01, per_task)


def test_more_tasks_than_can_be_numbered_are_refused_with_a_way_out() -> None:
    with pytest.raises(RequestError, match="use --images-per-task 5 or more"):
        make_plan(4_000_001, 0.01, 4)


@given(st.integers(1, MAX_COUNT), st.floats(1e-5, 1e4))
def test_every_plan_is_within_the_limits(count: int, seconds_per_image: float) -> None:
    plan = make_plan(count, seconds_per_image)
    assert 1 <= plan.images_per_task <= 256
    assert 1 <= plan.task_count <= MAX_TASKS
    assert (plan.task_count - 1) * plan.images_per_task < count <= plan.task_count * plan.images_per_task


@given(st.integers(1, MAX_TASKS), st.floats(1e-5, 30.0))
def test_a_task_stays_far_below_half_of_the_ack_deadline(count: int, seconds_per_image: float) -> None:
    """Ten times below: a vCPU that is ten times slower than the nominal one keeps the promise still."""
    plan = make_plan(count, seconds_per_image)
    assert 10 * plan.images_per_task * seconds_per_image <= ACK_DEADLINE_S / 2 * 1.0001
    assert plan.warning is None


@pytest.mark.parametrize(
    ("count", "seconds_per_image", "images_per_task", "says"),
    [
        (1000, 2.0, 256, "256 images takes about 512 s, over half of the ack deadline of 600 s"),
        (1000, 2.0, 256, "; --images-per-task 15 avoids that"),
        (10, 400.0, None, "a task of 1 image takes about 400 s"),
    ],
)
def test_tasks_that_take_too_long_are_told(
    count: int, seconds_per_image: float, images_per_task: int | None, says: str
) -> None:
    assert says in str(make_plan(count, seconds_per_image, images_per_task).warning)


def test_a_small_job_does_not_fill_its_one_task() -> None:
    assert make_plan(100, 2.0, 256).warning is None
