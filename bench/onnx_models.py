#!/usr/bin/env python3
"""Tensor models on the CPU against ONNX Runtime: the same file, the same inputs, alternating rounds.

Models: ResNet-50, MobileNetV2 and BERT-base shapes with random weights (built here); with --packages the real ones of
tests/requirements-models.txt, and two of them quantized; with --exports FOLDER what tests/oracles/torch_exports.py
left there. A round is the median of `--repeat` runs; the table shows medians of the rounds, the ratio (above 1: ingot
is faster), the largest difference of outputs relative to the largest output, and the operators that take ingot's time.

  python bench/onnx_models.py --ingot build/release/bin/ingot --threads 1,2 --packages --exports FOLDER
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "oracles"))
import onnx_exports
import onnx_real_models


class Builder:
    """A graph under construction; every method returns the name of what it adds."""

    def __init__(self, seed):
        self.nodes, self.constants, self.count = [], [], 0
        self.random = np.random.default_rng(seed)

    def constant(self, array):
        self.count += 1
        name = f"c{self.count}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, *shape):
        fan = int(np.prod(shape[1:])) or 1
        return self.constant((self.random.standard_normal(shape) * (2 / fan) ** 0.5).astype(np.float32))

    def op(self, kind, *inputs, **attributes):
        self.count += 1
        name = f"v{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"{kind}_{self.count}", **attributes))
        return name

    def conv(self, x, channels, maps, kernel, stride=1, group=1, act=None):
        pad = kernel // 2
        y = self.op("Conv", x, self.weight(maps, channels // group, kernel, kernel), kernel_shape=[kernel] * 2,
                    strides=[stride] * 2, pads=[pad] * 4, group=group)
        ones, zeros = np.ones(maps, np.float32), np.zeros(maps, np.float32)
        y = self.op("BatchNormalization", y, self.constant(ones), self.constant(zeros), self.constant(zeros),
                    self.constant(ones))
        return self.activate(y, act)

    def activate(self, x, act):
        if act == "relu":
            return self.op("Relu", x)
        if act == "relu6":
            return self.op("Clip", x, self.constant(np.float32(0)), self.constant(np.float32(6)))
        return x

    def save(self, path, inputs, output):
        graph = helper.make_graph(self.nodes, "bench", inputs,
                                  [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)], self.constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def resnet50(path):
    b = Builder(1)
    x = b.conv("x", 3, 64, 7, 2, act="relu")
    x = b.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, blocks in enumerate([3, 4, 6, 3]):
        width = 64 << stage
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 0 else 1
            y = b.conv(x, channels, width, 1, act="relu")
            y = b.conv(y, width, width, 3, stride, act="relu")
            y = b.conv(y, width, 4 * width, 1)
            skip = b.conv(x, channels, 4 * width, 1, stride) if block == 0 else x
            x = b.op("Relu", b.op("Add", b.op("Mul", y, b.constant(np.float32(0.2))), skip))
            channels = 4 * width
    x = b.op("Flatten", b.op("GlobalAveragePool", x))
    y = b.op("Gemm", x, b.weight(1000, 2048), b.constant(np.zeros(1000, np.float32)), transB=1)
    b.save(path, [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 224, 224])], y)


def mobilenet_v2(path):
    b = Builder(2)
    x, channels = b.conv("x", 3, 32, 3, 2, act="relu6"), 32
    for expand, maps, blocks, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                         (6, 160, 3, 2), (6, 320, 1, 1)]:
        for block in range(blocks):
            hidden, y = channels * expand, x
            if expand > 1:
                y = b.conv(y, channels, hidden, 1, act="relu6")
            y = b.conv(y, hidden, hidden, 3, stride if block == 0 else 1, hidden, act="relu6")
            y = b.conv(y, hidden, maps, 1)
            x = b.op("Add", x, y) if block > 0 else y
            channels = maps
    x = b.conv(x, channels, 1280, 1, act="relu6")
    x = b.op("Flatten", b.op("GlobalAveragePool", x))
    y = b.op("Gemm", x, b.weight(1000, 1280), b.constant(np.zeros(1000, np.float32)), transB=1)
    b.save(path, [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 224, 224])], y)


def bert_base(path, tokens=128, layers=12, width=768, heads=12):
    b = Builder(3)
    f32 = np.float32

    def linear(x, n_in, n_out):
        w = b.constant((b.random.standard_normal((n_in, n_out)) * 0.02).astype(f32))
        return b.op("Add", b.op("MatMul", x, w), b.constant(np.zeros(n_out, f32)))

    def norm(x):
        return b.op("LayerNormalization", x, b.constant(np.ones(width, f32)), b.constant(np.zeros(width, f32)), axis=-1)

    def split_heads(x, perm):
        shape = b.constant(np.array([1, tokens, heads, width // heads], np.int64))
        return b.op("Transpose", b.op("Reshape", x, shape), perm=perm)

    table = b.constant((b.random.standard_normal((30522, width)) * 0.02).astype(f32))
    position = b.constant((b.random.standard_normal((1, tokens, width)) * 0.02).astype(f32))
    x = norm(b.op("Add", b.op("Gather", table, "ids"), position))
    for _ in range(layers):
        q = split_heads(linear(x, width, width), [0, 2, 1, 3])
        k = split_heads(linear(x, width, width), [0, 2, 3, 1])
        v = split_heads(linear(x, width, width), [0, 2, 1, 3])
        scores = b.op("Div", b.op("MatMul", q, k), b.constant(f32((width // heads) ** 0.5)))
        y = b.op("Transpose", b.op("MatMul", b.op("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        y = linear(b.op("Reshape", y, b.constant(np.array([1, tokens, width], np.int64))), width, width)
        x = norm(b.op("Add", x, y))
        h = linear(x, width, 4 * width)
        erf = b.op("Erf", b.op("Div", h, b.constant(f32(2 ** 0.5))))
        h = b.op("Mul", b.op("Mul", h, b.op("Add", erf, b.constant(f32(1)))), b.constant(f32(0.5)))
        x = norm(b.op("Add", x, linear(h, 4 * width, width)))
    b.save(path, [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, tokens])], x)


def models(folder, args):
    """Yields (name, path, {input: array}), the first of each model's sizes; made when it is its turn."""
    random = np.random.default_rng(0)
    image = random.standard_normal((1, 3, 224, 224)).astype(np.float32)
    tokens = random.integers(0, 30522, (1, 128))
    for name, build, inputs in [("resnet50", resnet50, {"x": image}), ("mobilenet_v2", mobilenet_v2, {"x": image}),
                                ("bert_base_128", bert_base, {"ids": tokens})]:
        if wanted(name, args):
            build(str(folder / f"{name}.onnx"))
            yield name, folder / f"{name}.onnx", inputs
    if args.packages:
        for name in filter(lambda n: wanted(n, args), onnx_real_models.PACKAGED):
            path, feeds = onnx_real_models.packaged(name)
            yield name, path, feeds[0]
        for name in filter(lambda n: wanted(n, args), onnx_real_models.QUANTIZED):
            path, feeds = onnx_real_models.quantized(name, folder)
            yield name, path, feeds[0]
    for path, entry in onnx_exports.table(args.exports) if args.exports else []:
        if wanted(path.stem, args):
            names = [i.name for i in onnx.load(str(path), load_external_data=False).graph.input]
            yield path.stem, path, next(onnx_exports.feeds_of(entry, names))


def wanted(name, args):
    return not args.only or any(part in name for part in args.only.split(","))


def run_ort(session, inputs, repeat):
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        outputs = session.run(None, inputs)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times), outputs


def run_ingot(args, path, files, threads, out, *more):
    command = [args.ingot, "infer", str(path), "--json", "--threads", str(threads), "--repeat", str(args.repeat),
               "--output", str(out), *more]
    for name, file in files.items():
        command += ["--input", f"{name}={file}"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def difference(names, outputs, folder):
    worst = 0.0
    for name, want in zip(names, outputs):
        safe = name.replace("/", "_").replace("\\", "_").replace(":", "_")
        got = np.load(folder / f"{safe}.npy")
        worst = max(worst, float(np.abs(got - want).max() / max(1e-2, np.abs(want).max())))
    return worst


def hottest(profile, count=3):
    """"Conv 61% (conv_f32_avx512), …": operators by their share of the time, each with the kernel that takes most."""
    operators = {}
    for step in profile:
        kernels = operators.setdefault(step["op"], {})
        kernels[step["kernel"]] = kernels.get(step["kernel"], 0) + step["ms"]
    total = sum(sum(k.values()) for k in operators.values())
    ranked = sorted(operators.items(), key=lambda item: -sum(item[1].values()))[:count]
    return ", ".join(f"{op} {sum(k.values()) / total:.0%} ({max(k, key=k.get)})" for op, k in ranked)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ingot", default="build/release/bin/ingot")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--packages", action="store_true", help="also the models of tests/requirements-models.txt")
    parser.add_argument("--exports", help="folder of tests/oracles/torch_exports.py")
    parser.add_argument("--only", help="comma-separated parts of names")
    args = parser.parse_args()
    print("model                    threads  ingot ms    ort ms   ratio  max diff  hottest", flush=True)
    ratios = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, path, inputs in models(folder, args):
            files = {}
            for i, (key, value) in enumerate(inputs.items()):
                files[key] = folder / f"{name}_{i}.npy"
                np.save(files[key], value)
            for threads in map(int, args.threads.split(",")):
                options = ort.SessionOptions()
                options.intra_op_num_threads = threads
                options.log_severity_level = 3
                session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
                run_ort(session, inputs, 2)
                ours, theirs = [], []
                for _ in range(args.rounds):
                    ours.append(run_ingot(args, path, files, threads, folder / name)["timings"]["run_ms"])
                    ms, outputs = run_ort(session, inputs, args.repeat)
                    theirs.append(ms)
                a, b = statistics.median(ours), statistics.median(theirs)
                ratios.setdefault(threads, []).append(b / a)
                worst = difference([o.name for o in session.get_outputs()], outputs, folder / name)
                hot = hottest(run_ingot(args, path, files, threads, folder / name, "--profile")["profile"])
                print(f"{name:<25}{threads:>7}{a:>10.2f}{b:>10.2f}{b / a:>8.2f}{worst:>10.1e}  {hot}", flush=True)
    for threads, values in ratios.items():
        print(f"geometric mean with {threads} threads: {statistics.geometric_mean(values):.2f}, least {min(values):.2f}")


if __name__ == "__main__":
    main()
