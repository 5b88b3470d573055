"""ingot.InferenceSession against onnxruntime.InferenceSession: the same program, the same answers."""

import json

import numpy as np
import onnxruntime
import pytest

import ingot

LIBRARIES = pytest.mark.parametrize("ort", [ingot, onnxruntime], ids=["ingot", "onnxruntime"])


@LIBRARIES
def test_a_program_of_onnxruntime_s_runs(ort, layer, layer_feed):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    session = ort.InferenceSession(layer, options, providers=["CPUExecutionProvider"])
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert "CPUExecutionProvider" in ort.get_available_providers() and ort.get_device() == "CPU"
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [
        ("x", "tensor(float)", ["batch", 3]), ("w", "tensor(float)", [3, 2])]
    assert [o.name for o in session.get_outputs()] == ["y", "z"]
    about = session.get_modelmeta()
    assert (about.producer_name, about.graph_name, about.version) == ("conftest", "g", 7)
    assert about.description == "what it does"
    assert about.custom_metadata_map == {"author": "nobody", "labels": "a,b"}
    want = np.tanh(-(layer_feed["x"] @ layer_feed["w"]))
    for names in (None, [], ["y", "z"], ["y"]):
        np.testing.assert_allclose(session.run(names, layer_feed, ort.RunOptions())[0], want, atol=1e-6)
    with pytest.raises(ValueError, match="Required inputs"):
        session.run(None, {"x": layer_feed["x"]})
    with pytest.raises(Exception):
        session.run(["nothing"], layer_feed)


@LIBRARIES
def test_values_and_bindings(ort, layer, layer_feed):
    session = ort.InferenceSession(layer, providers=["CPUExecutionProvider"])
    x = ort.OrtValue.ortvalue_from_numpy(layer_feed["x"])
    y = ort.OrtValue.ortvalue_from_shape_and_type([5, 2], np.float32)
    assert x.data_ptr() == layer_feed["x"].__array_interface__["data"][0]
    assert (x.shape(), x.data_type(), x.device_name(), x.is_tensor()) == ([5, 3], "tensor(float)", "cpu", True)
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", x)
    binding.bind_cpu_input("w", layer_feed["w"])
    binding.bind_ortvalue_output("y", y)
    binding.bind_output("z")
    before = y.data_ptr()
    session.run_with_iobinding(binding)
    got_y, got_z = binding.copy_outputs_to_cpu()
    want = np.tanh(-(layer_feed["x"] @ layer_feed["w"]))
    np.testing.assert_allclose(y.numpy(), want, atol=1e-6)
    np.testing.assert_array_equal(got_y, y.numpy())
    np.testing.assert_allclose(got_z, np.maximum(want, 0), atol=1e-6)
    assert y.data_ptr() == before == binding.get_outputs()[0].data_ptr()
    values = session.run_with_ort_values(["y"], {"x": x, "w": ort.OrtValue.ortvalue_from_numpy(layer_feed["w"])})
    np.testing.assert_allclose(values[0].numpy(), want, atol=1e-6)

    mine = np.zeros((5, 2), np.float32)
    binding.clear_binding_outputs()
    binding.bind_output("y", "cpu", 0, np.float32, [5, 2], mine.ctypes.data)
    session.run_with_iobinding(binding)
    np.testing.assert_allclose(mine, want, atol=1e-6)
    x.update_inplace(np.zeros((5, 3), np.float32))
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(np.abs(mine), 0)


@LIBRARIES
def test_a_run_that_is_terminated_fails(ort, layer, layer_feed):
    session = ort.InferenceSession(layer, providers=["CPUExecutionProvider"])
    options = ort.RunOptions()
    options.terminate = True
    with pytest.raises(Exception):
        session.run(None, layer_feed, options)
    options.terminate = False
    session.run(None, layer_feed, options)


@LIBRARIES
def test_a_profile_is_a_chrome_trace(ort, layer, layer_feed, tmp_path):
    options = ort.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "profile_")
    session = ort.InferenceSession(layer, options, providers=["CPUExecutionProvider"])
    session.run(None, layer_feed)
    events = json.loads(open(session.end_profiling()).read())
    nodes = [e for e in events if e.get("cat") == "Node" and e.get("ph") == "X"]
    assert {"MatMul", "Tanh"} <= {e["args"].get("op_name") for e in nodes}


def test_what_is_not_there_says_so(layer):
    with pytest.raises(ingot.Error) as e:
        ingot.OrtValue.ortvalue_from_numpy(np.zeros(1), "cuda", 0)
    assert e.value.code == "UNIMPLEMENTED"
    with pytest.raises(ingot.Error):
        ingot.SessionOptions().register_custom_ops_library("x.so")
