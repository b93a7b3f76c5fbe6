"""`push_model`: a checkpoint goes into a store whole, under its digest, once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model.errors import CheckpointError, DigestError
from model.registry import Registry
from pipeline.errors import RequestError
from pipeline.models.push import push_model
from results.naming import model_name
from results.stores.base import Store
from tests.support.builders.checkpoints import pushed, save_tiny
from tests.support.builders.stores import FaultyStore


def test_pushing_again_sends_nothing(store: Store, models: Path) -> None:
    digest = pushed(store, models)
    model = Registry(models).get("tiny")
    assert push_model(store, model) == 0
    assert store.read(model_name(digest)) == model.path.read_bytes()


def test_a_push_that_comes_second_is_fine(directory_store: Store, models: Path) -> None:
    digest = save_tiny(models)
    model = Registry(models).get("tiny")
    content = model.path.read_bytes()

    def be_quicker(name: str, _data: bytes) -> None:
        directory_store.create(name, content, "application/octet-stream")

    assert push_model(FaultyStore(directory_store, be_quicker), model) == 0
    assert directory_store.read(model_name(digest)) == content


def test_damaged_models_are_not_pushed(directory_store: Store, models: Path) -> None:
    save_tiny(models)
    path = models / "tiny.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(CheckpointError, match="damaged"):
        push_model(directory_store, Registry(models).get("tiny"))
    model = Registry(models).get("tiny")
    save_tiny(models, width=12)
    with pytest.raises(DigestError, match="changed meanwhile"):
        push_model(directory_store, model)
    assert list(directory_store.list("models/")) == []


def test_an_object_that_is_not_whole_is_told(directory_store: Store, models: Path) -> None:
    digest = save_tiny(models)
    directory_store.create(model_name(digest), b"half", "application/octet-stream")
    with pytest.raises(CheckpointError, match=r"is damaged \(4 bytes"):
        push_model(directory_store, Registry(models).get("tiny"))


def test_only_checkpoints_travel(directory_store: Store, models: Path) -> None:
    save_tiny(models)
    model = replace(Registry(models).get("tiny"), family="onnx", path=models / "tiny.model.json")
    with pytest.raises(RequestError, match="`diptych model add`"):
        push_model(directory_store, model)
