"""PyTorch's exports of well-known architectures: `ingot infer` gives what onnxruntime gives, at several sizes.

torch_exports.py makes them, with random weights: narrow ones are in the folder exports, those of the published sizes
(3 GB) are run when $INGOT_ONNX_EXPORTS names the folder that it filled. Within 1e-4 of the largest output.
"""

import os
from pathlib import Path

import pytest

from onnx_case import agree, infer, session_of
from onnx_exports import feeds_of, table

FOLDERS = {"small": Path(__file__).parent / "exports", "full": os.environ.get("INGOT_ONNX_EXPORTS")}
CASES = [pytest.param(*pair, id=f"{size}-{pair[0].stem}") for size, f in FOLDERS.items() if f for pair in table(f)]


@pytest.mark.parametrize("path,entry", CASES)
def test_exports_are_as_onnxruntime(ingot, tmp_path, path, entry):
    session = session_of(str(path))
    names = [o.name for o in session.get_outputs()]
    for feed in feeds_of(entry, [i.name for i in session.get_inputs()]):
        for name, x, want in zip(names, infer(ingot, path, feed, names, tmp_path), session.run(None, feed)):
            agree(name, x, want)
