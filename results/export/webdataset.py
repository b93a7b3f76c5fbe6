"""WebDataset shards: tar files in which `<key>.png`, `<key>.txt` and `<key>.json` are one sample."""

from __future__ import annotations

from results.export.samples import Sample
from results.export.shards import Output
from results.export.tar_form import END, member
from results.export.text_forms import as_json


class WebDatasetShard:
    """One shard.

    Args:
        file: where to; written front to end.
    """

    def __init__(self, file: Output) -> None:
        self._file = file

    def add(self, sample: Sample) -> None:
        record = sample.document.stored.record
        # No dot: what follows the first one is the extension. The job's name keeps samples of several apart.
        key = f"{record.job_id}-{record.target}-{sample.entry.index:08d}"
        # A caption in every sample, empty without a prompt: loaders want the same keys in all of them.
        caption = str(record.params.get("prompt") or "").encode()
        files = {"png": sample.png, "txt": caption, "json": as_json(sample)}
        for kind, content in files.items():
            self._file.write(member(f"{key}.{kind}", content))

    def close(self) -> None:
        self._file.write(END)

    def abandon(self) -> None:
        """Nothing is held back."""
