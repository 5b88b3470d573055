"""What torch_exports.py made: files, and random inputs at each of the sizes that exports.json lists."""

import json
from pathlib import Path

import numpy as np


def table(folder):
    """[(path, its entry in exports.json)]"""
    folder = Path(folder)
    return [(folder / file, entry) for file, entry in json.loads((folder / "exports.json").read_text()).items()]


def tensor(rng, spec, size):
    shape = [size.get(d, d) for d in spec["shape"]]
    if spec["dtype"] == "float32":
        return rng.standard_normal(shape).astype(np.float32)
    if spec.get("mask"):  # sequences of different lengths, the first of all tokens
        lengths = rng.integers(1, shape[1] + 1, (shape[0], 1))
        lengths[0] = shape[1]
        return (np.arange(shape[1]) < lengths).astype(np.int64)
    return rng.integers(spec["low"], spec["high"], shape)


def feeds_of(entry, names):
    """Yields {input: array} for each size; only `names`: an exporter drops what the result does not depend on."""
    rng = np.random.default_rng(6)
    for size in entry["sizes"]:
        feed = {spec["name"]: tensor(rng, spec, size) for spec in entry["inputs"]}
        yield {k: v for k, v in feed.items() if k in names}
