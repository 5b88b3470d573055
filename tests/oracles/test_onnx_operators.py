"""Every operator of ai.onnx and ai.onnx.ml in the newest version of the `onnx` package is known to the importer, and
scikit-learn's models give what ONNX Runtime gives."""

import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import helper

HERE = Path(__file__).parent
BIN = Path(os.environ.get("INGOT") or HERE.parents[1] / "build/release/bin/ingot").parent
DOMAINS = ("", "ai.onnx.ml", "ai.onnx.preview.training")
MISSING = {}  # operators that are not built, each with its reason


def newest_operators():
    """Domain and name of every operator, deprecated ones too: models hold them."""
    return sorted({(s.domain, s.name) for s in onnx.defs.get_all_schemas() if s.domain in DOMAINS})


def test_importer_knows_every_operator_of_the_newest_opset(tmp_path):
    nodes = [helper.make_node(name, [], [f"y{i}"], domain=domain) for i, (domain, name) in enumerate(newest_operators())]
    nodes.append(helper.make_node("Frobnicate", [], ["z"]))  # so that a list there must be
    graph = helper.make_graph(nodes, "all", [], [helper.make_empty_tensor_value_info("y0")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(d, onnx.defs.onnx_opset_version() if not d else 1)
                                                    for d in DOMAINS])
    (tmp_path / "all").mkdir()
    onnx.save(model, str(tmp_path / "all/model.onnx"))
    (tmp_path / "list.txt").write_text(f"{tmp_path}/all 0 0\n")
    done = subprocess.run([BIN / "onnx_cases", tmp_path / "list.txt"], capture_output=True, text=True, timeout=60)
    _, _, listed = done.stdout.partition("not built: ")  # the importer names all at once
    unknown = {part.split(" (")[0] for part in listed.split("; ")} - {""}
    assert unknown == {*MISSING, "Frobnicate"}, done.stdout + done.stderr


def test_scikit_learn_models_equal_onnxruntime():
    done = subprocess.run([sys.executable, HERE / "sklearn_models.py", "--runner", BIN / "onnx_cases"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=1200)
    if done.returncode != 0:
        pytest.fail(f"{done.stdout[-6000:]}{done.stderr[-3000:]}", pytrace=False)
