"""A process that starts, loads one engine, generates, and says as JSON what each step took.

python -m benchmarks.engines.engine_process STARTED MODEL_DIR NAME ENGINE PRECISION THREADS IMAGES [ZOO]

Run by benchmarks.engines.speed. STARTED: time.monotonic() of the parent just before the start, in seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.registry import ModelInfo

    Generate = tuple[Callable[[list[int]], Iterable[Any]], Callable[[Any], bytes], int]

_ENTERED_S = time.monotonic()


def main() -> None:
    """The command line."""
    import json
    from pathlib import Path

    started_s, folder, name, engine_name, precision, threads, images, *checkout = sys.argv[1:]
    from model.registry import Registry

    info = Registry(Path(folder), calibrations=Path(folder) / "no-calibration.json").get(name)
    if engine_name == "openvino":
        from model.engines.openvino_import import import_openvino

        import_openvino()  # so that it counts as import, not as load
    else:
        import torch

        torch.set_num_threads(int(threads))
    imported_s = time.monotonic()
    generate_from_latents, encode, batch = _image_generator(
        info, engine_name, precision, int(threads), checkout
    )
    loaded_s = time.monotonic()
    encode(next(iter(generate_from_latents([1]))))
    first_s = time.monotonic()
    generate_from_latents(list(range(batch)))
    steady_s, cpu_s = time.monotonic(), time.process_time()
    done = 0
    while done < int(images):
        for image in generate_from_latents(list(range(done, done + batch))):
            encode(image)
        done += batch
    wall_s, cpu_s = time.monotonic() - steady_s, time.process_time() - cpu_s
    print(
        json.dumps(
            {
                "python_s": _ENTERED_S - float(started_s),
                "imports_s": imported_s - _ENTERED_S,
                "load_s": loaded_s - imported_s,
                "first_s": first_s - loaded_s,
                "total_s": first_s - float(started_s),
                "peak_mb": _peak_bytes() / (1 << 20),
                "image_wall_s": wall_s / done,
                "image_cpu_s": cpu_s / done,
            }
        )
    )


def _peak_bytes() -> int:
    """The most memory that this process has held."""
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux's getrusage would also count what the parent held when it forked.
    from pathlib import Path

    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) * 1024


def _image_generator(
    info: ModelInfo, engine_name: str, precision: str, threads: int, checkout: list[str]
) -> Generate:
    """How to generate seeds, how to encode an image, and how many to generate at a time."""
    if engine_name == "zoo":
        from pathlib import Path

        from benchmarks.engines.zoo_reference import ZooReference

        reference = ZooReference(Path(checkout[0]), info.path)
        return (lambda seeds: [reference.generate_from_latents(seed) for seed in seeds]), reference.encode, 1
    from model.engines.load import load_engine
    from results.imaging.png import encode
    from results.imaging.provenance import Provenance

    engine = load_engine(info, engine=engine_name, precision=precision, threads=threads)
    provenance = Provenance(
        model=info.name,
        model_digest=info.digest,
        seed=0,
        index=0,
        engine=engine.name,
        precision=engine.precision,
        isa=engine.isa,
    )
    return (lambda seeds: engine.generate(seeds, {})), (lambda image: encode(image, provenance)), 8


if __name__ == "__main__":
    main()
