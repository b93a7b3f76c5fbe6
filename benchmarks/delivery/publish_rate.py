"""How fast a job gets onto the queue: `submit` to Google's Pub/Sub emulator and to Valkey, taking turns.

python -m benchmarks.delivery.publish_rate [--tasks 5000] [--rounds 5] [--images 1000000] [--json]

Every submission is a process of its own, so that its peak memory is its own. At the end a job of --images
images, in tasks of 256, goes to each: its memory beside that of a job of one task is what a large job costs.
The emulator keeps messages in memory; Valkey syncs each write to its disk, as the local stack's does.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.delivery.tiny_model import write_tiny_model
from benchmarks.script import parser_of, run_script, serving
from local.addresses import redis_url
from local.celery.broker import broker_argv, broker_lacks
from local.errors import StackError
from local.http_call import call
from local.ports import HOST, choose_port
from local.pubsub.emulator import emulator_argv, emulator_command, emulator_lacks
from model.registry import Registry
from pipeline.config.pubsub_settings import PubSubAddress
from pipeline.config.settings import Settings
from pipeline.protocol.task_message import MAX_IMAGES_PER_TASK
from producer.open_publisher import open_publisher
from producer.submit import JobRequest, draft_job, submit
from results.stores.open import open_store
from results.targets import PUSHED_TARGETS

QUEUES: Final = ("pubsub", "valkey")
PASSWORD: Final = "of-a-broker-with-nothing-to-hide"


@dataclass(frozen=True, slots=True)
class Submission:
    """One job, submitted by a process of its own.

    Args:
        queue: which broker.
        tasks: per target; on Pub/Sub one message serves both, on Valkey each has its own.
        messages: put onto the queue.
        wall_s: of `submit`: manifest, messages, acknowledgements, markers.
        rss_peak_bytes: of the process.
    """

    queue: str
    tasks: int
    messages: int
    wall_s: float
    rss_peak_bytes: int


def submit_once(queue: str, url: str, folder: Path, count: int, images_per_task: int) -> Submission:
    """Submit one job from this process.

    Args:
        queue: one of QUEUES.
        url: the broker's.
        folder: with the model and the store.
        count: images.
        images_per_task: 1 to 256.
    """
    settings = Settings(broker_url=url, model_dir=folder / "models")
    store = open_store((folder / "store").as_uri())
    name = next(path.stem for path in (folder / "models").glob("*.safetensors"))
    request = JobRequest(
        model=name, count=count, targets=PUSHED_TARGETS, seed=1, images_per_task=images_per_task
    )
    draft = draft_job(request, Registry(settings.model_dir))
    with closing(open_publisher(settings)) as publisher:
        started_s = time.monotonic()
        submission = submit(store, publisher, draft, push=False)
        wall_s = time.monotonic() - started_s
    tasks = draft.manifest.task_count
    # ru_maxrss is in KiB on Linux, in bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return Submission(queue, tasks, tasks if queue == "pubsub" else submission.messages, wall_s, peak)


def _in_a_process(queue: str, url: str, folder: Path, count: int, images_per_task: int) -> Submission:
    arguments = [queue, url, str(folder), str(count), str(images_per_task)]
    argv = [sys.executable, "-m", "benchmarks.delivery.publish_rate", "--once", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"a submission to {queue} failed: {done.stderr.strip()[-500:]}")
    return Submission(**json.loads(done.stdout))


@contextmanager
def brokers(folder: Path) -> Iterator[dict[str, str]]:
    """Start both; yield their URLs by name. Raises StackError if one cannot be started."""
    emulator_port = choose_port(0, "Pub/Sub emulator", "")
    address = PubSubAddress("local", "diptych-tasks", f"{HOST}:{emulator_port}")
    valkey = folder / "valkey"
    valkey.mkdir()
    with ExitStack() as stack:
        argv = emulator_argv(emulator_command(), folder, emulator_port)
        stack.enter_context(serving(argv, lambda: emulator_lacks(emulator_port)))
        # Only now that the first is in use: two ports that are free may be the same.
        valkey_port = choose_port(0, "broker", "")
        argv = broker_argv(valkey, valkey_port, PASSWORD)
        stack.enter_context(serving(argv, lambda: broker_lacks(valkey_port, PASSWORD)))
        topic = {"topic": address.topic_path}
        call(emulator_port, "PUT", f"/v1/{address.topic_path}", {})
        # Somebody for whom the emulator keeps the messages.
        call(emulator_port, "PUT", f"/v1/{address.subscription_path('look')}", topic)
        yield {"pubsub": address.url, "valkey": redis_url(valkey_port, PASSWORD)}


def measure(tasks: int, rounds: int, images: int, folder: Path) -> list[Submission]:
    """Submit to both queues in turns.

    Args:
        tasks: of one image each, per round.
        rounds: how many.
        images: of the large job; 0 leaves it out.
        folder: for models, stores and brokers.
    Raises:
        StackError: a broker did not start, or a submission failed.
    """
    write_tiny_model(folder / "models")
    with brokers(folder) as urls:
        plan = [(tasks, 1)] * rounds
        # Memory: one task against very many images.
        plan += [(1, 1), (images, MAX_IMAGES_PER_TASK)] if images else []
        return [
            _in_a_process(queue, urls[queue], folder, count, per_task)
            for count, per_task in plan
            for queue in QUEUES
        ]


def report(found: list[Submission], tasks: int, rounds: int) -> list[str]:
    """What it came to, in lines."""
    lines = []
    rates: dict[str, list[float]] = {}
    for queue in QUEUES:
        runs = [run for run in found if run.queue == queue]
        timed, rest = runs[:rounds], runs[rounds:]
        rates[queue] = [run.messages / run.wall_s for run in timed]
        task_rates = [run.tasks / run.wall_s for run in timed]
        lines.append(
            f"{queue:<7} {tasks:,} tasks for two targets: {median(rates[queue]):,.0f} messages/s,"
            f" {median(task_rates):,.0f} tasks/s (median of {rounds}; {min(rates[queue]):,.0f} to"
            f" {max(rates[queue]):,.0f} messages/s)"
        )
        for run in rest:
            lines.append(
                f"{queue:<7} a job of {run.tasks:,} tasks: {run.wall_s:.2f} s, peak memory of the producer"
                f" {run.rss_peak_bytes / 1e6:.0f} MB"
            )
    return lines


def main() -> None:
    """The command line."""
    if sys.argv[1:2] == ["--once"]:
        queue, url, folder, count, per_task = sys.argv[2:]
        print(json.dumps(asdict(submit_once(queue, url, Path(folder), int(count), int(per_task)))))
        return
    options = (
        ("--tasks", 5000, "of one image each, per round"),
        ("--rounds", 5),
        ("--images", 1_000_000, "of the large job; 0: none"),
    )
    run_script(
        parser_of("Measure how fast jobs get onto the queue.", options),
        lambda chosen, folder: (measure(chosen.tasks, chosen.rounds, chosen.images, folder), chosen),
        lambda found: "\n".join(report(found[0], found[1].tasks, found[1].rounds)),
        document=lambda found: [asdict(run) for run in found[0]],
    )


if __name__ == "__main__":
    main()
