#!/usr/bin/env python3
"""Whole ONNX models against onnxruntime: `ingot infer` must give the same outputs.

    onnx_models.py --ingot build/release/bin/ingot MODEL.onnx:name=1x3x64x64[;name=…] …
    onnx_models.py --ingot build/release/bin/ingot --built-in      (a BERT and a ResNet shape with random weights)

Inputs are random, tolerance 1e-4 of each output's largest magnitude (of at least 0.01). Exit code 1 on a difference.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(7)


def weight(*shape):
    return (RNG.standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:])))).astype(np.float32)


class Maker:
    """A graph under construction; values are names."""

    def __init__(self):
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, array):
        self.count += 1
        name = f"c{self.count}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def op(self, kind, *inputs, **attributes):
        self.count += 1
        name = f"v{self.count}"
        inputs = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        self.nodes.append(helper.make_node(kind, inputs, [name], f"{kind}_{self.count}", **attributes))
        return name

    def model(self, inputs, outputs, path, opset=13):
        graph = helper.make_graph(self.nodes, "g", inputs, outputs, self.constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)


def layer_norm(m, x, width):
    mean = m.op("ReduceMean", x, axes=[-1])
    d = m.op("Sub", x, mean)
    variance = m.op("ReduceMean", m.op("Pow", d, np.float32(2)), axes=[-1])
    y = m.op("Div", d, m.op("Sqrt", m.op("Add", variance, np.float32(1e-5))))
    return m.op("Add", m.op("Mul", y, 1 + weight(width)), weight(width))


def bert(path, layers=2, width=128, heads=4, vocabulary=500):
    """As exporters write it: layer norm and GELU in parts, shapes computed from the input."""
    m = Maker()
    batch = m.op("Gather", m.op("Shape", "ids"), np.int64(0))
    length = m.op("Gather", m.op("Shape", "ids"), np.int64(1))
    one = lambda v: m.op("Unsqueeze", v, np.array([0]))
    shape = lambda *parts: m.op("Concat", *[one(p) if isinstance(p, str) else np.array([p]) for p in parts], axis=0)
    positions = m.op("Slice", weight(1, 512, width), np.array([0]), one(length), np.array([1]))
    x = layer_norm(m, m.op("Add", m.op("Gather", weight(vocabulary, width) * 20, "ids"), positions), width)
    mask = m.op("Cast", m.op("Unsqueeze", "mask", np.array([1, 2])), to=1)
    bias = m.op("Mul", m.op("Sub", np.float32(1), mask), np.float32(-1e4))
    for _ in range(layers):
        def project():
            y = m.op("Add", m.op("MatMul", x, weight(width, width) * 12), weight(width))
            return m.op("Transpose", m.op("Reshape", y, shape(batch, length, heads, width // heads)), perm=[0, 2, 1, 3])
        q, k, v = project(), project(), project()
        scores = m.op("Div", m.op("MatMul", q, m.op("Transpose", k, perm=[0, 1, 3, 2])), np.float32(np.sqrt(width // heads)))
        p = m.op("Softmax", m.op("Add", scores, bias), axis=-1)
        y = m.op("Transpose", m.op("MatMul", p, v), perm=[0, 2, 1, 3])
        y = m.op("Reshape", y, shape(batch, length, width))
        x = layer_norm(m, m.op("Add", m.op("Add", m.op("MatMul", y, weight(width, width)), weight(width)), x), width)
        h = m.op("Add", m.op("MatMul", x, weight(width, 4 * width)), weight(4 * width))
        erf = m.op("Erf", m.op("Div", h, np.float32(np.sqrt(2))))
        h = m.op("Mul", m.op("Mul", h, m.op("Add", erf, np.float32(1))), np.float32(0.5))
        x = layer_norm(m, m.op("Add", m.op("Add", m.op("MatMul", h, weight(4 * width, width)), weight(width)), x), width)
    ids = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "seq"]) for n in ("ids", "mask")]
    m.model(ids, [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["batch", "seq", width])], path)


def resnet(path, widths=(16, 32), blocks=2, classes=10):
    m = Maker()

    def conv(x, cin, cout, kernel, stride=1):
        pad = kernel // 2
        y = m.op("Conv", x, weight(cout, cin, kernel, kernel), strides=[stride] * 2, pads=[pad] * 4, kernel_shape=[kernel] * 2)
        ones = np.abs(weight(cout)) + 0.5
        return m.op("BatchNormalization", y, 1 + weight(cout), weight(cout), weight(cout), ones.astype(np.float32))

    x = m.op("Relu", conv("image", 3, widths[0], 7, 2))
    x = m.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    previous = widths[0]
    for i, width in enumerate(widths):
        for b in range(blocks):
            stride = 2 if b == 0 and i else 1
            y = m.op("Relu", conv(x, previous, width, 1))
            y = m.op("Relu", conv(y, width, width, 3, stride))
            y = conv(y, width, 2 * width, 1)
            skip = conv(x, previous, 2 * width, 1, stride) if previous != 2 * width or stride > 1 else x
            x, previous = m.op("Relu", m.op("Add", y, skip)), 2 * width
    x = m.op("Flatten", m.op("GlobalAveragePool", x))
    y = m.op("Gemm", x, weight(classes, previous), weight(classes), transB=1)
    m.model([helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, ["n", classes])], path)


def run(ingot, model, shapes, folder):
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    feeds, arguments = {}, []
    for info in session.get_inputs():
        shape = shapes[info.name]
        if info.type == "tensor(int64)":
            feeds[info.name] = RNG.integers(0, 400, shape)
            if info.name == "mask":  # sequences of different lengths, at least one token
                lengths = RNG.integers(1, shape[1] + 1, (shape[0], 1))
                feeds[info.name] = (np.arange(shape[1]) < lengths).astype(np.int64)
        else:
            feeds[info.name] = RNG.standard_normal(shape).astype(np.float32)
        path = str(folder / f"in_{len(feeds)}.npy")
        np.save(path, feeds[info.name])
        arguments += ["--input", f"{info.name}={path}"]
    result = subprocess.run([ingot, "infer", model, *arguments, "--output", str(folder / "out")], capture_output=True, text=True)
    if result.returncode:
        return f"exit code {result.returncode}: {result.stderr.strip()}"
    worst = 0.0
    for info, want in zip(session.get_outputs(), session.run(None, feeds)):
        name = "".join("_" if c in "/\\:" else c for c in info.name)
        got = np.load(folder / "out" / f"{name}.npy")
        if got.shape != want.shape:
            return f"{info.name}: shape {got.shape}, not {want.shape}"
        if got.dtype != want.dtype or not np.array_equal(np.isfinite(got), np.isfinite(want)):
            return float("inf")
        worst = max(worst, float(np.max(np.abs(got - want), initial=0) / max(np.max(np.abs(want), initial=0), 1e-2)))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ingot", required=True)
    parser.add_argument("--built-in", action="store_true")
    parser.add_argument("models", nargs="*")
    args = parser.parse_args()
    ok = True
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        cases = [m.partition(":")[::2] for m in args.models]
        if args.built_in:
            bert(str(folder / "bert.onnx"))
            resnet(str(folder / "resnet.onnx"))
            cases += [(str(folder / "bert.onnx"), f"ids={b}x{s};mask={b}x{s}") for b, s in ((1, 1), (1, 17), (3, 8))]
            cases += [(str(folder / "resnet.onnx"), f"image={s}") for s in ("1x3x32x32", "2x3x33x47")]
        for model, spec in cases:
            shapes = {k: tuple(int(d) for d in v.split("x")) for k, v in (p.split("=") for p in spec.split(";"))}
            result = run(args.ingot, model, shapes, folder)
            good = isinstance(result, float) and result < 1e-4
            ok &= good
            print(f"{'same' if good else 'DIFFERS'} {pathlib.Path(model).name} {spec}: {result}")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
