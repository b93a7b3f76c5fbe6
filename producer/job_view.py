"""A job's state as the commands print it: as JSON, or as lines."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from pipeline.config.pubsub_settings import is_pubsub
from pipeline.protocol.clock import utc_now
from producer.text import counted
from results.documents import DeadLetter, Failure, load
from results.errors import ResultsError
from results.job_state import JobState, JobStatus
from results.stores.base import Store
from results.target_state import Problem, TargetCounts, TaskState

PROBLEMS_SHOWN: Final = 5
IDLE_HINT_S: Final = 60.0
"""After this long without progress, `status` prints a hint."""


def job_as_dict(store: Store, state: JobState) -> dict[str, Any]:
    """A job's state as JSON."""
    counts = {target: part.counts() for target, part in state.targets.items()}
    last = state.last_progress_at
    return {
        "job_id": state.manifest.job_id,
        "status": str(state.status),
        "request": state.manifest.request(),
        "images_per_task": state.manifest.images_per_task,
        "submitted_at": state.manifest.submitted_at.isoformat(),
        "last_progress_at": last.isoformat() if last else None,
        "idle_s": round(idle_s(state), 1),
        "store": store.url,
        "targets": {target: _counts_as_dict(count) for target, count in counts.items()},
        "problems": [problem for target in state.targets for problem in _problems(store, state, target)],
    }


def idle_s(state: JobState) -> float:
    """Seconds since a task was last published or ended, by the store's clock and ours; at least 0."""
    last = state.last_progress_at or state.manifest.submitted_at
    return max(0.0, (utc_now() - last).total_seconds())


def job_as_lines(view: dict[str, Any], broker_url: str = "") -> list[str]:
    """A job's state as lines to print, with hints; see `hints`."""
    request, job, faults = view["request"], view["job_id"], view.get("faults", [])
    stops = [fault for fault in faults if fault["stops"]]
    lines = [
        f"job      {job}",
        "status   " + (f"stuck: {stops[0]['what']}" if stops else view["status"]),
        f"request  {request['count']:,} images of {request['model']}, seed {request['seed']},"
        f" in tasks of {view['images_per_task']}",
    ]
    lines += [target_line(target, counts) for target, counts in view["targets"].items()]
    lines += [
        f"  ! {problem['target']} task {problem['task']} {problem['state']}: {problem['reason']}"
        for problem in view["problems"]
    ]
    lines += [f"  ! {fault['what']}" for fault in faults if fault not in stops[:1]]
    mends = dict.fromkeys(f"`{fault['mend']}`" for fault in faults if fault["mend"])
    return lines + [f"next     {hint}" for hint in (*mends, *hints(view, broker_url))]


def target_line(target: str, counts: dict[str, Any]) -> str:
    """One target's progress in one line; states without tasks are omitted."""
    states = [f"{counts[state]:,} {state}" for state in TaskState if counts[state]]
    flagged = counts["images_flagged"]
    return (
        f"{target:<10} {counts['images_done']:>9,}/{counts['images']:,} images"
        f"   {counted(counts['tasks'], 'task')}: {', '.join(states)}"
        + (f"   {flagged:,} flagged by the safety checker, and black" if flagged else "")
    )


def hints(view: dict[str, Any], broker_url: str = "") -> list[str]:
    """List the commands that would help.

    Args:
        view: from `job_as_dict`.
        broker_url: the broker in use, if known: Pub/Sub cannot be searched for lost tasks.
    """
    job, targets = view["job_id"], view["targets"].values()
    if view["status"] == JobStatus.CANCELLED:
        return []
    lines = []
    if any(counts["unpublished"] for counts in targets):
        lines.append(f"`diptych resume {job}` publishes the tasks that never reached the broker")
    if any(counts["failed"] or counts["dead"] for counts in targets):
        lines.append(f"`diptych retry {job}` publishes failed and dead-lettered tasks again")
    if any(counts["dead"] for counts in targets):
        lines.append(f"`diptych dlq list {job}` shows why tasks were dead-lettered")
    idle = view["idle_s"] > IDLE_HINT_S and not view.get("faults")
    if not JobStatus(view["status"]).ended and idle:
        lines.append(
            f"no progress for {view['idle_s']:.0f} s: are the workers running?"
            + (
                f" `diptych resume {job} --stalled 15m` publishes stalled tasks again"
                if is_pubsub(broker_url)
                else f" `diptych resume {job} --lost` publishes tasks again that the broker has lost"
            )
        )
    return lines


def _counts_as_dict(counts: TargetCounts) -> dict[str, Any]:
    last = counts.last_progress_at
    return asdict(counts) | {"last_progress_at": last.isoformat() if last else None}


def _problems(store: Store, state: JobState, target: Any) -> list[dict[str, Any]]:
    """The first failures of a target, with their reasons."""
    if state.cancelled:
        return []
    return [
        {
            "target": target,
            "task": problem.task_index,
            "publication": problem.publication,
            "state": str(problem.state),
            "reason": _reason(store, problem),
            "object": problem.name,
        }
        for problem in state.targets[target].problems()[:PROBLEMS_SHOWN]
    ]


def _reason(store: Store, problem: Problem) -> str:
    """Why a task failed. An unreadable document must not hide the state of the job."""
    try:
        data = store.read(problem.name)
        if problem.state is TaskState.DEAD:
            letter = load(DeadLetter, data, problem.name)
            return f"{counted(letter.attempts, 'attempt')}, last error: {letter.last_error}"
        failure = load(Failure, data, problem.name)
        return f"{failure.error}: {failure.detail}"
    except ResultsError as error:
        return str(error)
