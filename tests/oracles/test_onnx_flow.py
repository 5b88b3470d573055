"""Control flow, sequences and functions through `ingot infer`, against ONNX Runtime on the same models."""

import json

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from onnx import TensorProto, helper

HEAD = '<ir_version: 9, opset_import: ["": 17, "local": 1]>\n'

# name -> (model, inputs)
MODELS = {
    # Fibonacci numbers until one passes a limit: the condition ends it, the scanned list's length is the data's.
    "loop": (
        """g (int64 limit) => (int64 last, int64[N] all) {
             most = Constant<value = int64 {100}>()
             zero = Constant<value = int64 {0}>()
             one = Constant<value = int64 {1}>()
             yes = Constant<value = bool {1}>()
             a, last, all = Loop(most, yes, zero, one) <body = b (int64 i, bool c, int64 p, int64 q)
               => (bool go, int64 q2, int64 r, int64 s) {
                 r = Add(p, q)
                 q2 = Identity(q)
                 s = Identity(r)
                 go = Less(r, limit)
             }>
           }""",
        {"limit": np.array(50, np.int64)},
    ),
    "scan": (
        """g (float[2] start, float[2, N] x) => (float[2] sum, float[2, N] sums) {
             sum, sums = Scan<num_scan_inputs = 1, scan_input_axes = [1], scan_input_directions = [1],
                              scan_output_axes = [-1], body = b (float[2] s, float[2] v) => (float[2] t, float[2] u) {
                 t = Add(s, v)
                 u = Identity(t)
             }>(start, x)
           }""",
        {"start": np.array([1, 2], np.float32), "x": np.arange(8, dtype=np.float32).reshape(2, 4)},
    ),
    # Prefixes of a list as a sequence that the loop carries; joined, counted, one of them.
    "sequence": (
        """g (int64 n, float[4] x) => (float[M] joined, int64 count, float[K] second) {
             empty = SequenceEmpty()
             yes = Constant<value = bool {1}>()
             from = Constant<value = int64[1] {0}>()
             seq = Loop(n, yes, empty) <body = b (int64 i, bool c, seq(float) s) => (bool d, seq(float) t) {
                 d = Identity(c)
                 one = Constant<value = int64[1] {1}>()
                 to = Add(i, one)
                 part = Slice(x, from, to)
                 t = SequenceInsert(s, part)
             }>
             joined = ConcatFromSequence<axis = 0>(seq)
             count = SequenceLength(seq)
             at = Constant<value = int64 {1}>()
             second = SequenceAt(seq, at)
           }""",
        {"n": np.array(4, np.int64), "x": np.arange(4, dtype=np.float32)},
    ),
    # A function that calls a function in a branch, with attributes handed down.
    "function": (
        """g (float[2, 3] x, bool c) => (float[2, 3] y) {
             y = local.Choose<by = 0.25>(x, c)
           }
           <domain: "local", opset_import: ["": 17]>
           Leak<slope>(a) => (b) {
             n = Neg(a)
             b = LeakyRelu<alpha: float = @slope>(n)
           }
           <domain: "local", opset_import: ["": 17, "local": 1]>
           Choose<by>(a, c) => (d) {
             e = local.Leak<slope: float = @by>(a)
             d = If(c) <then_branch = t () => (float[2, 3] p) { p = Mul(e, a) },
                        else_branch = f () => (float[2, 3] q) { q = Add(e, a) }>
           }""",
        {"x": np.array([[1, -2, 3], [-4, 5, -6]], np.float32), "c": np.array(True)},
    ),
}


def run_both(tmp_path, ingot, text, inputs):
    model = onnx.parser.parse_model(HEAD + text)
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    want = session.run(None, inputs)
    arguments = []
    for name, value in inputs.items():
        np.save(tmp_path / f"{name}.npy", value)
        arguments += ["--input", f"{name}={tmp_path / name}.npy"]
    ingot("infer", path, *arguments, "--output", tmp_path / "out")
    return [(o.name, w) for o, w in zip(session.get_outputs(), want)]


@pytest.mark.parametrize("name", MODELS)
def test_control_flow_is_as_onnxruntime_runs_it(tmp_path, ingot, name):
    for output, want in run_both(tmp_path, ingot, *MODELS[name]):
        got = np.load(tmp_path / "out" / f"{output}.npy")
        assert got.dtype == want.dtype and got.shape == want.shape, output
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_sequences_go_in_and_come_out(tmp_path, ingot):
    model = onnx.parser.parse_model(HEAD + """g (seq(float[N]) s, optional(float[2]) o) => (seq(float[N]) t, bool has) {
        zero = Constant<value = int64 {0}>()
        first = SequenceAt(s, zero)
        t = SequenceInsert(s, first)
        has = OptionalHasElement(o)
    }""")
    onnx.save(model, tmp_path / "m.onnx")
    out = ingot("infer", tmp_path / "m.onnx", "--input", "s=[[1,2],[3]]", "--input", "o=null", "--output", tmp_path,
                "--json")
    assert [np.load(tmp_path / f"t.{i}.npy").tolist() for i in range(3)] == [[1, 2], [3], [1, 2]]
    assert not np.load(tmp_path / "has.npy")
    assert json.loads(out)["outputs"][0] == {"name": "t", "type": "seq", "shape": [3]}
    np.save(tmp_path / "a.npy", np.ones(3, np.float32))
    ingot("infer", tmp_path / "m.onnx", "--input", f"s={tmp_path}/a.npy,{tmp_path}/a.npy", "--input", "o=[1,2]",
          "--output", tmp_path)
    assert np.load(tmp_path / "t.2.npy").tolist() == [1, 1, 1]
    assert np.load(tmp_path / "has.npy")


@pytest.mark.parametrize("other, collides", [("t.0", True), ("t.12", True), ("t.x", False), ("t", False)])
def test_an_element_of_a_sequence_overwrites_no_other_output(tmp_path, ingot, other, collides):
    many, one = ("t", other) if other != "t" else ("s.t", other)
    graph = helper.make_graph(
        [helper.make_node("SequenceConstruct", ["x", "x"], [many]), helper.make_node("Neg", ["x"], [one])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_sequence_value_info(many, TensorProto.FLOAT, None),
         helper.make_tensor_value_info(one, TensorProto.FLOAT, [2])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    arguments = ("infer", tmp_path / "m.onnx", "--input", "x=[1,2]", "--output", tmp_path / "out")
    if collides:
        with pytest.raises(pytest.fail.Exception, match=f"could both be the file '{other}.npy'"):
            ingot(*arguments)
        assert not (tmp_path / "out").exists()
        return
    ingot(*arguments)
    assert np.load(tmp_path / "out" / f"{one}.npy").tolist() == [-1, -2]
    assert np.load(tmp_path / "out" / f"{many}.1.npy").tolist() == [1, 2]


def test_a_loop_without_end_ends_in_time(tmp_path, program):
    model = onnx.parser.parse_model(HEAD + """g (float[2] x) => (float[2] y) {
        y = Loop(, , x) <body = b (int64 i, bool c, float[2] s) => (bool d, float[2] t) { t = Neg(s)  d = Identity(c) }>
    }""")
    onnx.save(model, tmp_path / "m.onnx")
    program.fails("infer", tmp_path / "m.onnx", "--input", "random", "--timeout", "0.2",
                  names=["longer than it was given"])
