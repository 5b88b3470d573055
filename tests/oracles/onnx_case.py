"""An ONNX model, run by onnxruntime and by `ingot infer`."""

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

MICROSOFT = "com.microsoft"


def floats(*shape, seed=1, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def model_of(nodes, feeds, outputs, constants=None, opset=17):
    """A model whose inputs are as `feeds`, symbolic where a dimension is of no constant."""
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for name, x in feeds.items()
    ]
    graph = helper.make_graph(
        nodes,
        "case",
        inputs,
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(np.asarray(x), name) for name, x in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def session_of(model):
    """ONNX Runtime's session of a path or of bytes."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def expected(model, feeds):
    return session_of(model.SerializeToString()).run(None, feeds)


def infer(ingot, path, feeds, names, folder):
    """The outputs `names` of `ingot infer` on the model at `path`."""
    arguments = []
    for i, (name, x) in enumerate(feeds.items()):
        np.save(folder / f"in_{i}.npy", x)
        arguments += ["--input", f"{name}={folder}/in_{i}.npy"]
    ingot("infer", path, *arguments, "--output", folder / "out")
    return [np.load(folder / "out" / f"{''.join('_' if c in '/:' + chr(92) else c for c in n)}.npy") for n in names]


def agree(name, got, want, tolerance=1e-4, steps=0):
    """Fails unless floats are within `tolerance` of the largest (of at least 0.01), integers within `steps`."""
    assert got.shape == want.shape and got.dtype == want.dtype, name
    if want.dtype.kind == "f":
        limit = tolerance * max(1e-2, float(np.max(np.abs(want), initial=0)))
        np.testing.assert_allclose(got, want, rtol=0, atol=limit, err_msg=name)
    else:
        worst = np.max(np.abs(got.astype(np.int64) - want.astype(np.int64)), initial=0)
        assert worst <= steps, f"{name}: {worst} steps"


def check(ingot, folder, nodes, feeds, outputs, constants=None, opset=17, tolerance=1e-4, steps=0):
    """Fails unless both give the same for a model of these nodes."""
    model = model_of(nodes, feeds, outputs, constants, opset)
    onnx.save(model, str(folder / "model.onnx"))
    got = infer(ingot, folder / "model.onnx", feeds, outputs, folder)
    for name, x, want in zip(outputs, got, expected(model, feeds)):
        agree(name, x, want, tolerance, steps)
