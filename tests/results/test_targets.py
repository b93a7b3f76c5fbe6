"""The table of targets: complete, and what is generated from it."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from results.targets import DEFAULT_TARGETS, PUSHED_TARGETS, TARGET_INFO, TARGETS, Target, target_css


def test_every_target_has_a_row() -> None:
    assert get_args(Target) == TARGETS


def test_defaults_and_pushed_ones_are_as_documented() -> None:
    assert DEFAULT_TARGETS == ("container", "function")
    assert PUSHED_TARGETS == ("container", "function")


@pytest.mark.parametrize("target", TARGETS)
def test_its_colours_are_in_the_style_sheet(target: Target) -> None:
    info = TARGET_INFO[target]
    assert re.fullmatch(r"#[0-9a-f]{6} #[0-9a-f]{6}", f"{info.colour} {info.dark_colour}")
    assert f"--{target}: light-dark({info.colour}, {info.dark_colour});" in target_css()
    assert f'[data-target="{target}"] {{ --accent: var(--{target}); }}' in target_css()


def test_no_two_targets_look_alike() -> None:
    assert len({info.colour for info in TARGET_INFO.values()}) == len(TARGETS)
