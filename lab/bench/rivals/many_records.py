"""Makes the table of many synthetic records: `many_records FOLDER COUNT` prints seconds and peak memory.

The records are as large as those of lenet5-relu on MNIST, with ten epochs of history and ninety misread pictures. Each
row of the table has a hundred seeds, and is compared with the first row.
"""

import json
import resource
import sys
import time
from pathlib import Path

SEEDS = 100


def main(folder: Path, count: int) -> None:
    """Writes the records, without syncing each to disk, then measures the time of the table only."""
    import numpy as np

    from lab.declare.experiment import Experiment, Variant
    from lab.declare.recipe import Training
    from lab.declare.run import Run
    from lab.report.table import tables
    from lab.store.checked import content
    from lab.store.records import Records

    rows = max(count // SEEDS, 1)
    variants = tuple(Variant(f"v{n}", Training("lenet5-relu", learning_rate=1e-3 + 1e-6 * n)) for n in range(rows))
    experiment = Experiment("synthetic", "?", "", (), variants, baseline="v0")
    records, random = Records(folder), np.random.default_rng(0)
    records.folder(experiment.name).mkdir(parents=True)
    for variant in variants:
        for seed in range(min(SEEDS, count)):
            run = Run(experiment.name, variant.name, "mnist", variant.settings, seed)
            misread = sorted(random.choice(10_000, 90, replace=False).tolist())
            error = 0.9 + random.normal() / 10
            history = {name: random.random(10).tolist() for name in ("train_loss", "validation_loss", "epoch_seconds")}
            outcome = {
                "status": "finished",
                "facts": {"params": 61_706, "trainable_params": 61_706, "macs": 416_520},
                "metrics": {"test_error_percent": error, "test_accuracy": 1 - error / 100, "train_seconds": 60.0},
                "history": history,
                "misread": {"test": misread},
                "environment": {"processor": "none", "threads": 1, "commit": "0" * 40},
            }
            records.path(run).write_bytes(content({"specification": run.specification(), **outcome}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, began_cpu = time.perf_counter(), time.process_time()
    frame = tables.write(experiment, records)
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    assert frame["seeds"].sum() == rows * min(SEEDS, count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"values": [seconds], "cpu_seconds": cpu, "megabytes": peak / 1024, "before": before / 1024}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
