"""From the name of a form to the export that writes it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal, get_args

from results.export.destination import file_behind, is_stream
from results.export.encoder import Encoder
from results.export.parquet import ParquetShard, check_pyarrow
from results.export.samples import Sample, Source
from results.export.shards import OpenShard, ShardedExport
from results.export.single import DIRECTORY_SUFFIX, ExportCounts, SingleFileExport, Steps, stream
from results.export.tar_form import TarEncoder
from results.export.text_forms import CsvEncoder, JsonLinesEncoder
from results.export.webdataset import WebDatasetShard
from results.export.zip_form import ZipEncoder

Form = Literal["zip", "tar", "webdataset", "parquet", "csv", "jsonl"]
FORMS: Final[tuple[Form, ...]] = get_args(Form)
METADATA_ONLY: Final = frozenset({"csv", "jsonl"})

_SHARDED: Final[dict[str, tuple[OpenShard, str]]] = {
    "webdataset": (WebDatasetShard, "tar"),
    "parquet": (ParquetShard, "parquet"),
}


@dataclass(frozen=True, slots=True)
class Running:
    """An export under way: iterate `steps` to its end, each the number of images that are new in it."""

    counts: ExportCounts
    steps: Steps


def is_sharded(form: Form) -> bool:
    """Whether the output is a folder of files, not one file."""
    return form in _SHARDED


@contextmanager
def export_to_path(source: Source, form: Form, path: Path, shard_size: int) -> Iterator[Running]:
    """Export to a file or a folder.

    Args:
        source: the job.
        form: which form.
        path: the file, or the folder of the sharded forms. A device or pipe is written to, a symbolic link
            followed.
        shard_size: images per shard.
    Raises:
        ExportError: pyarrow is missing, or `path` is a socket or a block device; and what the export's `run`
            raises.
    """
    if form not in _SHARDED and is_stream(path):
        with path.open("wb") as out, export_to_stream(source, form, out) as running:
            running.counts.path = path
            yield running
        return
    path = file_behind(path)
    if form in _SHARDED:
        open_shard, suffix = _checked(form)
        sharded = ShardedExport(source, open_shard, form, suffix, path, shard_size)
        yield Running(sharded.counts, sharded.run())
    elif form == "zip":
        directory_path = path.with_name(path.name + DIRECTORY_SUFFIX)
        directory_path.parent.mkdir(parents=True, exist_ok=True)
        directory_path.touch()
        with directory_path.open("r+b") as directory:
            encoder = ZipEncoder(source.manifest.job_id, directory)
            single = SingleFileExport(source, encoder, form, path, directory_path)
            yield Running(single.counts, single.run())
    else:
        single = SingleFileExport(source, _encoder(form, source), form, path)
        yield Running(single.counts, single.run())


@contextmanager
def export_to_stream(source: Source, form: Form, out: IO[bytes]) -> Iterator[Running]:
    """Export to a stream that cannot be moved in; the sharded forms as one shard.

    Args:
        source: the job.
        form: which form.
        out: e.g. the standard output.
    Raises:
        ExportError: as `export_to_path`.
    """
    counts = ExportCounts(None)
    if form in _SHARDED:
        open_shard, _ = _checked(form)
        yield Running(counts, _one_shard(source, open_shard, out, counts))
    elif form == "zip":
        with tempfile.TemporaryFile() as directory:
            yield Running(counts, stream(source, ZipEncoder(source.manifest.job_id, directory), out, counts))
    else:
        yield Running(counts, stream(source, _encoder(form, source), out, counts))


def _one_shard(source: Source, open_shard: OpenShard, out: IO[bytes], counts: ExportCounts) -> Steps:
    shard = open_shard(out)
    try:
        for target in source.targets:
            for item in source.items(target, None):
                if isinstance(item, Sample):
                    shard.add(item)
                    counts.images += 1
                    yield 1
        shard.close()
        out.flush()
        counts.left_out = source.left_out
    finally:
        shard.abandon()


def _checked(form: Form) -> tuple[OpenShard, str]:
    if form == "parquet":
        check_pyarrow()
    return _SHARDED[form]


def _encoder(form: Form, source: Source) -> Encoder:
    if form == "tar":
        return TarEncoder(source.manifest.job_id)
    return CsvEncoder() if form == "csv" else JsonLinesEncoder()
