"""What the tests of the Python package share: small ONNX models made here, real ones of the rapidocr wheel."""

import importlib.metadata
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

ROOT = Path(__file__).parents[3]
TINY_LLM = ROOT / "tests/goldens/models/llama"


def model(nodes, inputs, outputs, initializers=(), opset=17):
    """Bytes of a model; inputs and outputs are (name, element type, dims)."""
    ports = [[helper.make_tensor_value_info(*p) for p in side] for side in (inputs, outputs)]
    graph = helper.make_graph(nodes, "g", *ports, list(initializers))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8,
                             producer_name="conftest", producer_version="1", model_version=7, doc_string="what it does")
    helper.set_model_props(made, {"author": "nobody", "labels": "a,b"})
    return made.SerializeToString()


def interrupted(program):
    """The line that a program prints after Ctrl-C, sent once it printed "ready"; it must then end by itself.

    Signal INT is set to its default first: a shell ignores it in what it starts in the background.
    """
    with subprocess.Popen(["env", "--default-signal=INT", sys.executable, "-c", program],
                          stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            child.send_signal(signal.SIGINT)
            rest, _ = child.communicate(timeout=60)
            assert child.returncode == 0
            return rest
        finally:
            child.kill()


@pytest.fixture(scope="session")
def layer():
    """y = tanh(-x w), z = relu(y): x [batch, 3], w [3, 2]."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Neg", ["m"], ["n"]),
             helper.make_node("Tanh", ["n"], ["y"]), helper.make_node("Relu", ["y"], ["z"])]
    f = TensorProto.FLOAT
    return model(nodes, [("x", f, ["batch", 3]), ("w", f, [3, 2])], [("y", f, ["batch", 2]), ("z", f, ["batch", 2])])


@pytest.fixture(scope="session")
def layer_feed():
    random = np.random.default_rng(1)
    return {"x": random.standard_normal((5, 3), np.float32), "w": random.standard_normal((3, 2), np.float32)}


@pytest.fixture(scope="session")
def long_model():
    """x [n, n] times itself 400 times: long enough to be interrupted."""
    nodes = []
    for i in range(400):
        nodes += [helper.make_node("MatMul", [f"v{i}", "v0"], [f"p{i}"]),
                  helper.make_node("Tanh", [f"p{i}"], [f"v{i + 1}"])]
    f = TensorProto.FLOAT
    return model(nodes, [("v0", f, ["n", "n"])], [("v400", f, ["n", "n"])])


@pytest.fixture(scope="session")
def real_models():
    files = importlib.metadata.files("rapidocr-onnxruntime") or []
    found = sorted(str(f.locate()) for f in files if f.suffix == ".onnx")
    assert found, "the rapidocr-onnxruntime wheel has no models; run tools/venv"
    return found


@pytest.fixture(scope="session")
def llm():
    import ingot

    return ingot.LLM(TINY_LLM, threads=2, kv_tokens=2048)


@pytest.fixture(scope="session")
def gemma():
    import ingot

    path = os.environ.get("INGOT_MODEL")
    if not path:
        pytest.skip("INGOT_MODEL is not set")
    return ingot.LLM(path, threads=2)
