"""Whether `diptych bench compare` is right where the answer is known: equal targets, and injected delays.

python -m benchmarks.statistics.known_effects OUT [--repeats 20] [--pairs 20] [--effects-repeats 1] [--json]

A/A      container against container and function against function, in turn, each repeat with a seed of its
         own: a verdict for either is false. With 95% intervals one in twenty is expected; 3 of 20 are
         tolerated, as more would happen to a sound method in 1.6% of the cases.
effects  the second target is slower by 10%, by 50%, by 100 ms: the first must be named faster.

Each experiment is a folder in OUT with its own report. After a Ctrl-C the same command goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from bench.errors import BenchError
from bench.experiment.plan import Experiment, parse_experiment
from bench.experiment.run import CompareOptions, run_compare
from benchmarks.script import parser_of, run_script
from pipeline.config.settings import load_settings

TOLERATED_FALSE: Final = 3
_FIGURES: Final = ("ratio", "low", "high", "sd_of_log_ratio")
KINDS: Final = ("container", "function")
EFFECTS: Final[Mapping[str, Mapping[str, float]]] = {
    "+10 %": {"second_percent": 10},
    "+50 %": {"second_percent": 50},
    "+100 ms": {"second_ms": 100},
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One experiment whose answer is known.

    Args:
        name: of its folder.
        effect: a key of EFFECTS, or "none".
        kind: what both targets are.
        experiment: the whole.
    """

    name: str
    effect: str
    kind: str
    experiment: Experiment


@dataclass(frozen=True, slots=True)
class Answer:
    """What came out.

    Args:
        name: of the trial.
        effect: that was there.
        kind: what both targets were.
        verdict: in words.
        ratio: first over second.
        low: of its interval.
        high: of it.
        sd: of the log ratios, over pairs.
        right: for an effect: the first was named; for none: nobody was.
    """

    name: str
    effect: str
    kind: str
    verdict: str
    ratio: float
    low: float
    high: float
    sd: float
    right: bool


def trials(chosen: argparse.Namespace) -> Iterator[Trial]:
    """What is run, in order; effects first, as they are few."""
    for repeat in range(chosen.effects_repeats):
        for number, (effect, inject) in enumerate(EFFECTS.items()):
            kind = KINDS[(repeat + number) % 2]
            slug = effect.strip("+").replace(" %", "-percent").replace(" ", "-")
            yield _trial(f"effect-{slug}-{repeat:02d}", effect, kind, 1000 + repeat, inject, chosen)
    for repeat in range(chosen.repeats):
        yield _trial(f"equal-{repeat:02d}", "none", KINDS[repeat % 2], 1 + repeat, {}, chosen)


def _trial(
    name: str,
    effect: str,
    kind: str,
    seed: int,
    inject: Mapping[str, float],
    chosen: argparse.Namespace,
) -> Trial:
    table = {
        "targets": {"first": kind, "second": kind},
        "question": {"metric": "response_s", "phase": "warm", "margin": 0.05},
        "trials": {"pairs": chosen.pairs, "seed": seed, "image_seed": seed, "warm": chosen.warm},
        "pinned": {"model": chosen.model, "images": chosen.images},
        "inject": dict(inject),
    }
    return Trial(name, effect, kind, parse_experiment(table, name))


def judge(trial: Trial, question: Mapping[str, Any]) -> Answer:
    """Whether an experiment's answer is right.

    Args:
        trial: which.
        question: as `analyse` answers it.
    """
    named: Literal["first", "second", ""] = ""
    verdict = str(question["verdict"])
    if verdict.startswith(("first ", "second ")):
        named = "first" if verdict.startswith("first") else "second"
    wanted = "" if trial.effect == "none" else "first"
    ratio, low, high, sd = (float("nan") if question[key] is None else question[key] for key in _FIGURES)
    right = named == wanted
    return Answer(trial.name, trial.effect, trial.kind, verdict, ratio, low, high, sd, right)


def run(chosen: argparse.Namespace) -> list[Answer]:
    """Run all, or what is left of them.

    Raises:
        BenchError: a folder holds something else, or an experiment did not come to its end.
        StackError: an instance does not start.
        ModelError: there is no such model.
    """
    answers = []
    for trial in trials(chosen):
        options = CompareOptions(trial.experiment, chosen.out / trial.name, load_settings().model_dir)
        found = run_compare(options, lambda _: None)
        if found.partial:
            raise BenchError(f"{trial.name} was ended early; the same command goes on with it")
        answers.append(judge(trial, found.results["question"]))
        print(_line(answers[-1]), file=sys.stderr, flush=True)
    return answers


def summary(answers: Sequence[Answer]) -> dict[str, Any]:
    """Counts over all: false verdicts among equal targets, effects found, equal ones shown to be so."""
    equal = [answer for answer in answers if answer.effect == "none"]
    return {
        "equal": len(equal),
        "false_verdicts": sum(not answer.right for answer in equal),
        "tolerated": TOLERATED_FALSE,
        "equivalent": sum(answer.verdict == "equivalent" for answer in equal),
        "effects": {
            effect: [answer.right for answer in answers if answer.effect == effect]
            for effect in EFFECTS
            if any(answer.effect == effect for answer in answers)
        },
    }


def _line(answer: Answer) -> str:
    ratio = f"{answer.ratio:.3f} ({answer.low:.3f} to {answer.high:.3f}), SD {100 * answer.sd:.1f}%"
    effect = "equal" if answer.effect == "none" else f"second {answer.effect}"
    wrong = "" if answer.right else ": WRONG"
    return f"{answer.name:22} {answer.kind:10} {effect:15} {ratio}: {answer.verdict}{wrong}"


def _text(answers: Sequence[Answer]) -> str:
    counts = summary(answers)
    return "\n".join(
        [
            *map(_line, answers),
            f"{counts['false_verdicts']} false verdicts in {counts['equal']} A/A experiments"
            f" ({TOLERATED_FALSE} tolerated); {counts['equivalent']} shown to be equivalent",
        ]
    )


def _sound(answers: Sequence[Answer]) -> bool:
    """No effect was missed, and not too many verdicts are false."""
    counts = summary(answers)
    return all(map(all, counts["effects"].values())) and counts["false_verdicts"] <= TOLERATED_FALSE


def main() -> None:
    """Run all and print what came out; exit status 1 if an effect was missed or too many are false."""
    options = (
        ("--repeats", 20, "A/A experiments"),
        ("--effects-repeats", 1, "experiments of each effect"),
        ("--pairs", 20, "of each experiment; 20 or more"),
        ("--warm", 8, "warm requests to each instance"),
        ("--images", 8, "per request"),
        ("--model", "faces-64"),
    )
    parser = parser_of("Is the verdict right where it is known?", options)
    parser.add_argument("out", type=Path, help="folder of the experiments")

    def document(answers: Sequence[Answer]) -> dict[str, Any]:
        return {**summary(answers), "answers": [asdict(answer) for answer in answers]}

    run_script(parser, lambda chosen, _: run(chosen), _text, document=document, sound=_sound)


if __name__ == "__main__":
    main()
