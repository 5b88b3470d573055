"""ingot.Session: results as onnxruntime's, arrays without copies, threads, and what goes wrong."""

import gc
import os
import subprocess
import sys
import threading

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import ingot
from conftest import interrupted, model

F = TensorProto.FLOAT


def oracle(data, feed, names=None):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"]).run(names, feed)


def test_results_are_those_of_onnxruntime(layer, layer_feed):
    session = ingot.Session(layer)
    for got, want in zip(session.run(None, layer_feed), oracle(layer, layer_feed)):
        np.testing.assert_allclose(got, want, atol=1e-6)
    (z,) = session.run(["z"], layer_feed)
    np.testing.assert_allclose(z, oracle(layer, layer_feed, ["z"])[0], atol=1e-6)


SIZES = {"det": (1, 3, 64, 96), "cls": (2, 3, 48, 192), "rec": (1, 3, 48, 96)}


@pytest.mark.parametrize("kind", SIZES)
def test_real_models_give_what_onnxruntime_gives(real_models, kind):
    (path,) = [m for m in real_models if f"_{kind}_" in os.path.basename(m)]
    x = np.random.default_rng(2).standard_normal(SIZES[kind], np.float32)
    session = ingot.Session(path)
    (port,) = session.get_inputs()
    (want,) = oracle(path, {port.name: x})
    (got,) = session.run(None, {port.name: x})
    assert got.shape == want.shape and got.dtype == want.dtype
    assert np.abs(got - want).max() <= 1e-4 * max(np.abs(want).max(), 1e-2)


def test_ports_and_metadata_are_the_file_s(layer):
    session = ingot.Session(layer)
    x, w = session.get_inputs()
    assert (x.name, x.dtype, x.shape) == ("x", np.float32, ("batch", 3))
    assert w.shape == (3, 2)
    assert [o.name for o in session.get_outputs()] == ["y", "z"]
    about = session.metadata()
    assert about["producer_name"] == "conftest" and about["version"] == "7" and about["custom.labels"] == "a,b"


def address(array):
    return array.__array_interface__["data"][0]


def test_contiguous_inputs_are_used_in_place_and_others_copied():
    from ingot._arrays import to_value

    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert to_value(array).address == address(array)
    assert to_value(array[1:]).address == address(array[1:])
    assert to_value(array.T).address != address(array)
    assert to_value(array.T).shape == (4, 3)


def test_a_value_keeps_its_array_and_no_longer():
    from ingot._arrays import to_value

    array = np.zeros(1000, np.float32)
    before = sys.getrefcount(array)
    value = to_value(array)
    assert value.shape == (1000,) and sys.getrefcount(array) == before + 1
    del value
    gc.collect()
    assert sys.getrefcount(array) == before


def test_outputs_are_memory_of_ingot_s_that_outlives_the_session(layer, layer_feed):
    session = ingot.Session(layer)
    y, _ = session.run(None, layer_feed)
    again, _ = session.run(None, layer_feed)
    assert address(y) != address(again)
    assert not y.flags.owndata and y.flags.writeable
    kept = y.copy()
    del session, again
    gc.collect()
    np.testing.assert_array_equal(y, kept)


def test_results_are_written_into_given_arrays(layer, layer_feed):
    session = ingot.Session(layer)
    y = np.full((5, 2), np.nan, np.float32)
    before = address(y)
    session.run_into({"y": y}, layer_feed)
    assert address(y) == before
    np.testing.assert_array_equal(y, session.run(["y"], layer_feed)[0])
    for bad in (np.empty((5, 3), np.float32), np.empty((5, 2), np.float64), np.empty((2, 5), np.float32).T,
                np.broadcast_to(np.float32(0), (5, 2))):
        with pytest.raises(ingot.Error) as e:
            session.run_into({"y": bad}, layer_feed)
        assert e.value.code == "INVALID_ARGUMENT"
    with pytest.raises(ingot.Error, match="overlaps input 'x'"):
        session.run_into({"y": layer_feed["x"].reshape(-1)[:10].reshape(5, 2)}, layer_feed)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8",
                                   "uint16", "uint32", "uint64", "bool"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_every_type_and_empty_and_scalar_shapes_pass(dtype, shape):
    number = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    data = model([helper.make_node("Identity", ["x"], ["y"])], [("x", number, [None] * len(shape))],
                 [("y", number, [None] * len(shape))])
    x = (np.random.default_rng(3).random(shape) * 9).astype(dtype)
    (y,) = ingot.Session(data).run(None, {"x": x})
    assert y.dtype == x.dtype and y.shape == x.shape
    np.testing.assert_array_equal(x, y)


def test_bfloat16_is_ml_dtypes_own():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    data = model([helper.make_node("Add", ["x", "x"], ["y"])], [("x", TensorProto.BFLOAT16, [3])],
                 [("y", TensorProto.BFLOAT16, [3])])
    x = np.array([1.5, -2, 0.25], ml_dtypes.bfloat16)
    session = ingot.Session(data)
    for given in (x, x.view(np.uint16)):
        (y,) = session.run(None, {"x": given})
        assert y.dtype == ml_dtypes.bfloat16
        np.testing.assert_array_equal(y.astype(np.float32), [3, -4, 0.5])


def test_strings_go_through():
    data = model([helper.make_node("Identity", ["x"], ["y"])], [("x", TensorProto.STRING, ["n"])],
                 [("y", TensorProto.STRING, ["n"])])
    for texts in (np.array(["größer", "", "b" * 100], dtype=object), np.array(["a", "bc"])):
        (y,) = ingot.Session(data).run(None, {"x": texts})
        assert y.dtype == object and list(y) == list(texts)


def test_sequences_are_lists():
    nodes = [helper.make_node("SequenceInsert", ["s", "x"], ["t"]), helper.make_node("SequenceAt", ["t", "i"], ["y"])]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_sequence_value_info("s", F, None),
                                           helper.make_tensor_value_info("x", F, ["n"]),
                                           helper.make_tensor_value_info("i", TensorProto.INT64, [])],
                              [helper.make_tensor_sequence_value_info("t", F, None),
                               helper.make_tensor_value_info("y", F, ["m"])])
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    a, b, x = (np.arange(n, dtype=np.float32) for n in (2, 3, 4))
    t, y = ingot.Session(data).run(None, {"s": [a, b], "x": x, "i": np.int64(1)})
    assert len(t) == 3
    for got, want in zip([*t, y], [a, b, x, b]):
        np.testing.assert_array_equal(got, want)


def test_errors_say_what_is_wrong_and_carry_a_code(layer, layer_feed, tmp_path):
    session = ingot.Session(layer)
    cases = [({"x": layer_feed["x"]}, "input 'w' is missing"),
             ({**layer_feed, "q": layer_feed["x"]}, "no input 'q'"),
             ({**layer_feed, "x": layer_feed["x"].astype(np.float64)}, "is f64, the model wants f32"),
             ({**layer_feed, "x": layer_feed["x"][:, :2]}, "dimension 1 is 2"),
             ({**layer_feed, "x": np.array(["2026-01-01"], "M8[D]")}, "have no counterpart in ONNX")]
    for feed, text in cases:
        with pytest.raises(ingot.Error, match=text) as e:
            session.run(None, feed)
        assert e.value.code == "INVALID_ARGUMENT"
    with pytest.raises(ingot.Error) as e:
        ingot.Session(str(tmp_path / "none.onnx"))
    assert e.value.code == "NOT_FOUND" and "none.onnx" in str(e.value)
    with pytest.raises(ingot.Error):
        ingot.Session(layer[:50])
    with pytest.raises(ingot.Error, match="FooBar"):
        ingot.Session(model([helper.make_node("FooBar", ["x"], ["y"])], [("x", F, [1])], [("y", F, [1])]))


def test_eight_threads_share_a_session(layer):
    session = ingot.Session(layer, threads=2)
    w = np.ones((3, 2), np.float32)
    failures = []

    def work(seed):
        x = np.random.default_rng(seed).standard_normal((seed + 1, 3), np.float32)
        want = np.tanh(-(x @ w))
        options = ingot.RunOptions(calling_thread_only=seed % 2 == 0)
        for _ in range(50):
            y = session.run(["y"], {"x": x, "w": w}, options)[0]
            if not np.allclose(y, want, atol=1e-5):
                failures.append(seed)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures


def test_other_threads_go_on_while_a_model_runs(long_model):
    """The other thread cancels the run: it could not if the run held the GIL."""
    session = ingot.Session(long_model, threads=1)
    options = ingot.RunOptions()
    started = threading.Event()

    def cancel():
        started.wait()
        options.cancel()

    other = threading.Thread(target=cancel)
    other.start()
    x = np.eye(700, dtype=np.float32)
    started.set()
    with pytest.raises(ingot.Error) as e:
        session.run(None, {"v0": x}, options)
    other.join()
    assert e.value.code == "CANCELLED"


def test_a_timeout_ends_a_run_and_the_next_one_works(layer, layer_feed):
    session = ingot.Session(layer)
    with pytest.raises(ingot.Error) as e:
        session.run(None, layer_feed, ingot.RunOptions(timeout=1e-9))
    assert e.value.code == "DEADLINE_EXCEEDED"
    session.run(None, layer_feed, ingot.RunOptions(timeout=60))


def test_ctrl_c_ends_a_run(long_model, tmp_path):
    path = tmp_path / "long.onnx"
    path.write_bytes(long_model)
    assert interrupted(f"""
import numpy as np, ingot
session = ingot.Session({str(path)!r}, threads=1)
try:
    print("ready", flush=True)
    while True:
        session.run(None, {{"v0": np.eye(700, dtype=np.float32)}})
except KeyboardInterrupt:
    print("interrupted", session.run(None, {{"v0": np.eye(2, dtype=np.float32)}})[0].shape)
""") == "interrupted (2, 2)\n"


def test_a_profile_names_every_node(layer, layer_feed):
    options = ingot.RunOptions(profile=True)
    ingot.Session(layer, disabled_passes=["all"]).run(None, layer_feed, options)
    assert [s.op for s in options.steps()] == ["MatMul", "Neg", "Tanh", "Relu"]
    assert all(s.kernel and s.nanoseconds >= 0 for s in options.steps())


def test_reference_kernels_agree(layer, layer_feed):
    fast, slow = ingot.Session(layer), ingot.Session(layer, backends=["ref"], disabled_passes=["all"])
    for a, b in zip(fast.run(None, layer_feed), slow.run(None, layer_feed)):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_external_data_are_found_beside_the_file_and_refused_from_memory(tmp_path):
    import onnx

    w = np.random.default_rng(4).standard_normal((64, 64), np.float32)
    data = model([helper.make_node("MatMul", ["x", "w"], ["y"])], [("x", F, [1, 64])], [("y", F, [1, 64])],
                 [numpy_helper.from_array(w, "w")])
    path = str(tmp_path / "m.onnx")
    onnx.save(onnx.load_from_string(data), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    x = np.ones((1, 64), np.float32)
    np.testing.assert_allclose(ingot.Session(path).run(None, {"x": x})[0], x @ w, rtol=1e-4, atol=1e-4)
    with pytest.raises(ingot.Error), open(path, "rb") as f:
        ingot.Session(f.read())


def test_engine_files_load_from_path_and_memory(layer, layer_feed, tmp_path):
    binary = os.environ.get("INGOT", "")
    if not os.path.exists(binary):
        pytest.skip("INGOT names no program")
    (tmp_path / "m.onnx").write_bytes(layer)
    subprocess.run([binary, "compile", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m.ingot")], check=True)
    want = ingot.Session(layer).run(None, layer_feed)
    for model_file in (tmp_path / "m.ingot", (tmp_path / "m.ingot").read_bytes()):
        for got, expected in zip(ingot.Session(model_file).run(None, layer_feed), want):
            np.testing.assert_array_equal(got, expected)
