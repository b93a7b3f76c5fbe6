"""Training images: any folder, odd files, clear refusals."""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from model.training.dataset import Dataset, open_dataset
from model.training.errors import DatasetError
from model.training.order import DataOrder

RED = (200, 10, 20)


def save(path: Path, size: tuple[int, int] = (16, 16), mode: str = "RGB", colour: object = RED) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)  # type: ignore[arg-type]


def open_here(tmp_path: Path, resolution: int = 16) -> Dataset:
    return open_dataset(tmp_path / "data", resolution, tmp_path / "cache")


def test_any_nesting_and_celeba_s_layout(tmp_path: Path) -> None:
    celeba = tmp_path / "data" / "celeba" / "img_align_celeba"
    for number in range(3):
        save(celeba / f"{number:06}.jpg", (178, 218))
    save(tmp_path / "data" / "more" / "a" / "b.PNG", (40, 16))
    (celeba / "list_attr_celeba.txt").write_text("202599\n")
    (celeba / "._000001.jpg").write_bytes(b"a Mac's shadow")
    dataset = open_here(tmp_path)
    assert dataset.count == 4
    assert dataset.at(16).shape == (4, 16, 16, 3)
    assert np.abs(dataset.at(16)[:, 8, 8].astype(int) - RED).max() <= 3


def test_the_central_square_is_kept(tmp_path: Path) -> None:
    pixels = np.zeros((16, 48, 3), dtype=np.uint8)
    pixels[:, 16:32] = 255
    (tmp_path / "data").mkdir()
    Image.fromarray(pixels).save(tmp_path / "data" / "wide.png")
    assert open_here(tmp_path).at(16).min() == 255


def test_images_are_turned_upright(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 3), dtype=np.uint8)
    pixels[:, :8] = 255
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6
    (tmp_path / "data").mkdir()
    image.save(tmp_path / "data" / "turned.png", exif=exif)
    assert open_here(tmp_path).at(16)[0, :8].min() == 255
    assert open_here(tmp_path).at(16)[0, 8:].max() == 0


def test_mixed_modes_become_rgb(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    save(folder / "1.png", mode="L", colour=90)
    save(folder / "2.png", mode="RGBA", colour=(*RED, 255))
    save(folder / "3.png", mode="RGBA", colour=(*RED, 0))
    save(folder / "4.png", mode="LA", colour=(90, 255))
    save(folder / "5.png", mode="1", colour=1)
    save(folder / "6.jpg", mode="CMYK", colour=(0, 255, 255, 0))
    Image.fromarray(np.full((16, 16), 90 * 257, dtype=np.uint16)).save(folder / "7.png")
    Image.new("RGB", (16, 16), RED).quantize().save(folder / "8.png")
    colours = open_here(tmp_path).at(16)[:, 8, 8].astype(int)
    assert colours[0].tolist() == colours[3].tolist() == colours[6].tolist() == [90] * 3
    assert colours[1].tolist() == [*RED]
    assert colours[2].tolist() == colours[4].tolist() == [255] * 3
    assert colours[5][0] > 230
    assert colours[5][1] < 30
    assert np.abs(colours[7] - RED).max() <= 3


def test_broken_images_are_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "data"
    for number in range(4):
        save(folder / f"good-{number}.png")
    (folder / "junk.png").write_bytes(b"this is no picture")
    (folder / "empty.jpg").write_bytes(b"")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "cut.png")
    whole = (folder / "cut.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        assert open_here(tmp_path).count == 4
    for name in ("junk.png", "empty.jpg", "cut.png"):
        assert f"{name} left out" in caplog.text


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("a.npz", lambda content: content[:500]),
        ("a.npz", lambda content: content[:1000] + b"??" + content[1002:]),
        ("a.npz", lambda content: b"??" + content[2:-30]),
        ("a.npy", lambda content: content.replace(b"{'descr'", b"(((descr")),
    ],
)
def test_a_broken_array_file_is_left_out(
    name: str, damage: Callable[[bytes], bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    np.save(folder / "a.npy", images)
    np.savez(folder / "a.npz", images)
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert open_here(tmp_path).count == 4
    assert f"{name} left out, it cannot be decoded" in caplog.text


def test_an_array_file_is_what_it_holds_whatever_its_suffix(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    np.save(folder / "a.npy", np.zeros((4, 16, 16, 3), dtype=np.uint8))
    np.savez(folder / "b.npz", np.zeros((2, 16, 16, 3), dtype=np.uint8))
    (folder / "a.npy").rename(folder / "c.npz")
    (folder / "b.npz").rename(folder / "d.npy")
    assert open_here(tmp_path).count == 6


def test_the_images_before_a_broken_part_of_a_file_are_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    np.savez(folder / "a.npz", a=images, b=images.astype(np.float32))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(open_here(tmp_path).at(16), images)
    assert "a.npz left out from image 3 on" in caplog.text


def test_array_files_without_an_image(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "none.npy", np.zeros((0, 16, 16, 3), dtype=np.uint8))
    with pytest.raises(DatasetError, match="none of the 1 image files holds an image"):
        open_here(tmp_path)


def test_names_need_not_be_utf_8(tmp_path: Path) -> None:
    save(tmp_path / "data" / os.fsdecode(b"caf\xe9.png"))
    assert open_here(tmp_path).count == 1


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_no_broken_image(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(60):
        save(tmp_path / "data" / f"{number:02}.png", colour=(number, 0, 0))
    for size in (100, 20_000, 46_000):
        with file_limit(size), pytest.raises(DatasetError, match="the decoded images cannot be kept there"):
            open_here(tmp_path)
    assert "left out" not in caplog.text
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
    dataset = open_here(tmp_path)
    with file_limit(100), pytest.raises(DatasetError, match="the decoded images cannot be kept there"):
        dataset.at(4)
    assert dataset.at(4)[:, 0, 0, 0].tolist() == [*range(60)]


@pytest.mark.parametrize("damaged", ["index.json", "16.u8", "8.u8"])
@pytest.mark.parametrize("content", [None, b"", b"123"])
def test_a_damaged_cache_is_made_anew(damaged: str, content: bytes | None, tmp_path: Path) -> None:
    save(tmp_path / "data" / "1.png")
    save(tmp_path / "data" / "2.png")
    first = open_here(tmp_path)
    whole = {side: first.at(side).copy() for side in (4, 8, 16)}
    (first.cache / damaged).unlink()
    if content is not None:
        (first.cache / damaged).write_bytes(content)
    again = open_here(tmp_path)
    for side, pixels in whole.items():
        np.testing.assert_array_equal(again.at(side), pixels)
    assert sorted(path.name for path in again.cache.iterdir()) == ["16.u8", "4.u8", "8.u8", "index.json"]


def test_a_cache_that_goes_while_it_is_used(tmp_path: Path) -> None:
    save(tmp_path / "data" / "1.png")
    dataset = open_here(tmp_path)
    (dataset.cache / "16.u8").unlink()
    with pytest.raises(DatasetError, match=r"16\.u8: is damaged or gone"):
        dataset.at(8)


def test_the_second_opening_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "data" / "1.png")
    first = open_here(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", lambda *_: pytest.fail("decoded again"))
        assert open_here(tmp_path) == first
    save(tmp_path / "data" / "2.png")
    assert open_here(tmp_path).count == 2
    assert open_here(tmp_path).fingerprint != first.fingerprint


def test_levels_are_area_means(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 16, 16, 3), dtype=np.uint8)
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "images.npz", a=images[:100], b=images[100:])
    dataset = open_here(tmp_path)
    np.testing.assert_array_equal(dataset.at(16), images)
    means = images.reshape(300, 4, 4, 4, 4, 3).mean(axis=(2, 4))
    assert np.abs(dataset.at(4) - means).max() <= 1
    small = open_dataset(tmp_path / "data", 8, tmp_path / "cache")
    assert np.abs(small.at(4) - means).max() <= 1.6


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file or folder"):
        open_here(tmp_path)


def test_a_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("none")
    with pytest.raises(DatasetError, match="no images there"):
        open_here(tmp_path)


def test_only_broken_images(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "junk.png").write_bytes(b"junk")
    with pytest.raises(DatasetError, match=r"none of the 1 image files can be decoded, e\.g\. junk\.png"):
        open_here(tmp_path)


def test_an_image_smaller_than_the_resolution(tmp_path: Path) -> None:
    save(tmp_path / "data" / "1.png")
    save(tmp_path / "data" / "2.png", (40, 15))
    with pytest.raises(DatasetError, match=r"2\.png: 40x15 is smaller than the 16x16"):
        open_here(tmp_path)


def test_an_array_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "floats.npy", np.zeros((2, 16, 16, 3)))
    np.save(tmp_path / "data" / "objects.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(DatasetError, match="none of the 2"):
        open_here(tmp_path)


def test_an_epoch_shows_every_image_once() -> None:
    order = DataOrder(10, seed=1)
    shown = torch.cat([order.take(4) for _ in range(5)])
    assert sorted(shown[:10].tolist()) == sorted(shown[10:].tolist()) == [*range(10)]
    assert shown[:10].tolist() != shown[10:].tolist()


def test_a_restored_order_goes_on_and_fits_another_count() -> None:
    order = DataOrder(10, seed=1)
    order.take(7)
    state = order.state_dict()
    same, fewer = DataOrder(10, seed=9), DataOrder(3, seed=9)
    same.load_state_dict(state)
    fewer.load_state_dict(state)
    assert same.take(20).tolist() == order.take(20).tolist()
    assert sorted(fewer.take(3).tolist()) == [0, 1, 2]
