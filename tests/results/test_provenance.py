"""Provenance: one text for equal values, and what makes two pictures the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.errors import ImageError
from results.imaging.provenance import Provenance
from tests.support.builders.pictures import DIGEST, provenance

NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.none() | st.booleans() | st.text() | NUMBERS
PARAMS = st.dictionaries(st.text(max_size=64), VALUES, max_size=5)


@given(params=PARAMS, seed=st.integers(0, 2**63 - 1), index=st.integers(0, 10**8 - 1))
def test_comes_back_from_its_text(params: dict[str, Any], seed: int, index: int) -> None:
    before = provenance(index, seed=seed, params=params)
    after = Provenance.from_text(before.to_text())
    assert after == before
    assert after.to_text() == before.to_text()
    assert not before.difference(after)


def test_text_is_compact_sorted_and_complete() -> None:
    text = provenance(params={"b": 1, "a": 2.5}).to_text()
    values = json.loads(text)
    assert list(values) == sorted(
        ["model", "model_digest", "seed", "index", "params", "engine", "precision", "isa"]
    )
    assert '"params":{"a":2.5,"b":1}' in text
    assert " " not in text


@pytest.mark.parametrize(
    "change", [{"engine": "torch"}, {"precision": "bf16"}, {"isa": "avx512"}, {"model": "other-name"}]
)
def test_last_bits_do_not_make_another_picture(change: dict[str, Any]) -> None:
    assert not provenance().difference(provenance(**change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_digest": "sha256:" + "cd" * 32}, f"model digest {DIGEST} / sha256:cd"),
        ({"seed": 8}, "seed 7 / 8"),
        ({"index": 1}, "index 0 / 1"),
        ({"params": {"a": 1}}, 'params {} / {"a":1}'),
    ],
)
def test_anything_else_does(change: dict[str, Any], said: str) -> None:
    assert provenance().difference(provenance(**change))
    assert said in provenance().difference(provenance(**change))


def test_params_that_python_takes_for_equal_stay_apart() -> None:
    assert provenance(params={"a": 1}).difference(provenance(params={"a": True}))
    assert provenance(params={"a": 1}).difference(provenance(params={"a": 1.0}))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"seed":NaN}', '{"seed":-1}'])
def test_refuses_other_text(text: str) -> None:
    with pytest.raises(ImageError, match="bad provenance"):
        Provenance.from_text(text)
