"""One small ONNX model, run by onnxruntime and by `ingot infer`."""

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


def expected(model, feeds):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def check(ingot, folder, nodes, feeds, outputs, constants=None, opset=17, tolerance=1e-4, steps=0):
    """Fails unless both give the same: floats within `tolerance` of the largest, integers within `steps`."""
    model = model_of(nodes, feeds, outputs, constants, opset)
    want = expected(model, feeds)
    onnx.save(model, str(folder / "model.onnx"))
    arguments = []
    for name, x in feeds.items():
        np.save(folder / f"{name}.npy", x)
        arguments += ["--input", f"{name}={folder / name}.npy"]
    ingot("infer", folder / "model.onnx", *arguments, "--output", folder / "out")
    for name, reference in zip(outputs, want):
        got = np.load(folder / "out" / f"{name}.npy")
        assert got.shape == reference.shape and got.dtype == reference.dtype, name
        if reference.dtype.kind == "f":
            limit = tolerance * max(1e-2, float(np.max(np.abs(reference), initial=0)))
            np.testing.assert_allclose(got, reference, rtol=0, atol=limit, err_msg=name)
        else:
            worst = np.max(np.abs(got.astype(np.int64) - reference.astype(np.int64)), initial=0)
            assert worst <= steps, f"{name}: {worst} steps"
