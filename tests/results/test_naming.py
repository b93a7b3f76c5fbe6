"""No name, whatever goes in, leaves the layout of the store."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from results import naming
from results.errors import StoreError
from results.stores.object_names import check_object_name
from results.targets import TARGETS

NAME = "[a-z0-9][a-z0-9-]{0,62}"
TARGET = "(container|function|celery)"
LAYOUT = re.compile(
    rf"models/sha256:[0-9a-f]{{64}}\.safetensors"
    rf"|jobs/{NAME}/(job|cancelled)\.json"
    rf"|jobs/{NAME}/published/\d{{3}}-\d{{6}}-\d{{6}}\.json"
    rf"|jobs/{NAME}/{TARGET}/images/\d{{8}}\.png"
    rf"|jobs/{NAME}/{TARGET}/records/\d{{6}}\.json"
    rf"|jobs/{NAME}/{TARGET}/failures/\d{{6}}-\d{{3}}-[A-Za-z0-9_-]{{1,64}}\.json"
    rf"|jobs/{NAME}/{TARGET}/deadletters/\d{{6}}-\d{{3}}\.json"
    rf"|jobs/{NAME}/{TARGET}/duplicates/\d{{6}}-[A-Za-z0-9_-]{{1,64}}\.json"
    rf"|rejected/\d{{4}}-\d{{2}}-\d{{2}}/[A-Za-z0-9_-]{{1,128}}\.json"
)
NASTY = ["../x", "a/../b", "a\0b", "x" * 64, "a\n", "-a", "A", "", ".", "a.b", "é", "\udc80", "job-a"]
TEXTS = st.text(max_size=80) | st.sampled_from(NASTY) | st.from_regex(NAME, fullmatch=True)
DATES_AND_DIGESTS = st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|sha256:[0-9a-f]{64}", fullmatch=True)
NUMBERS = st.integers(-2, 10**9)


@dataclass(frozen=True)
class Asked:
    """What an object name is made from: anything."""

    text: str
    target: str
    number: int
    other: str


BUILDERS: tuple[Callable[[Asked], str], ...] = (
    lambda asked: naming.manifest_name(asked.text),
    lambda asked: naming.cancelled_name(asked.text),
    lambda asked: naming.published_name(asked.text, asked.number, asked.number, asked.number),
    lambda asked: naming.image_name(asked.text, asked.target, asked.number),
    lambda asked: naming.record_name(asked.text, asked.target, asked.number),
    lambda asked: naming.failure_name(asked.text, asked.target, asked.number, 1, asked.other),
    lambda asked: naming.deadletter_name(asked.text, asked.target, asked.number, 1),
    lambda asked: naming.duplicate_name(asked.text, asked.target, asked.number, asked.other),
    lambda asked: naming.rejected_name(asked.text, asked.other),
    lambda asked: naming.model_name(asked.text),
)


@given(
    build=st.sampled_from(BUILDERS),
    asked=st.builds(Asked, TEXTS | DATES_AND_DIGESTS, st.sampled_from(TARGETS) | TEXTS, NUMBERS, TEXTS),
)
@example(build=BUILDERS[3], asked=Asked("a\n", "container", 0, ""))
@example(build=BUILDERS[8], asked=Asked("2026-11-25\n", "", 0, "x"))
@example(build=BUILDERS[8], asked=Asked("٢٠٢٦-١١-٢٥", "", 0, "x"))
def test_a_name_is_in_the_layout_or_refused(build: Callable[[Asked], str], asked: Asked) -> None:
    try:
        name = build(asked)
    except ValueError:
        return
    assert LAYOUT.fullmatch(name)
    assert re.fullmatch(r"[\x21-\x7e]+", name)
    assert check_object_name(name) == name


@given(number=st.integers(0, naming.MAX_TASK), higher=st.integers(0, naming.MAX_TASK))
def test_names_sort_as_their_numbers_do(number: int, higher: int) -> None:
    names = [naming.record_name("j", "container", n) for n in (number, higher)]
    assert (names[0] < names[1]) == (number < higher)
    images = [naming.image_name("j", "container", n) for n in (number, higher)]
    assert (images[0] < images[1]) == (number < higher)


@given(message_id=st.text(max_size=300))
def test_any_message_id_gets_a_rejection(message_id: str) -> None:
    name = naming.rejected_name("2026-11-25", message_id)
    assert LAYOUT.fullmatch(name)
    assert naming.rejected_name("2026-11-25", message_id) == name
    assert naming.rejected_name("2026-11-25", message_id + "x") != name


@pytest.mark.parametrize(
    "prefix",
    [
        naming.jobs_prefix(),
        naming.job_prefix("a"),
        naming.published_prefix("a"),
        naming.target_prefix("a", "celery"),
        naming.images_prefix("a", "container"),
        naming.records_prefix("a", "container"),
        naming.failures_prefix("a", "container"),
        naming.deadletters_prefix("a", "container"),
        naming.duplicates_prefix("a", "container"),
    ],
)
def test_prefixes_are_folders(prefix: str) -> None:
    assert prefix.endswith("/")
    assert check_object_name(prefix[:-1])


@given(name=st.text(max_size=40))
def test_a_store_takes_a_name_only_if_it_stays_inside(name: str) -> None:
    try:
        check_object_name(name)
    except StoreError:
        return
    parts = name.split("/")
    assert all(part not in ("", ".", "..") for part in parts)
    assert parts[0] != ".tmp"
    assert "\0" not in name
