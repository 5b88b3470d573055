"""Real ONNX models: `ingot infer` gives what onnxruntime gives, at several of their dynamic sizes.

Floats within 1e-4 of the output's largest magnitude (of at least 0.01), labels equal. Where a model computes in bytes,
a value that lies between two of them may be rounded up by one program and down by the other, at any layer, and deep
networks spread it: onnxruntime with and without its optimizer differs by up to 16 steps of eight bits on these. So
outputs are within one step (1/255 of what the output spans) of the unoptimized run, but for one value in a thousand,
or but for a tenth more values than onnxruntime's own two runs differ in.
"""

import numpy as np
import onnxruntime
import pytest

import onnx_real_models as models
from onnx_case import agree, infer, session_of


def unoptimized(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def compare(ingot, path, feeds, folder):
    session = session_of(str(path))
    names = [o.name for o in session.get_outputs()]
    for feed in feeds:
        for name, x, want in zip(names, infer(ingot, path, feed, names, folder), session.run(None, feed)):
            agree(name, x, want)


def compare_bytes(ingot, path, feeds, folder):
    plain, optimized = unoptimized(path), session_of(str(path))
    names = [o.name for o in plain.get_outputs()]
    for feed in feeds:
        results = zip(names, infer(ingot, path, feed, names, folder), plain.run(None, feed), optimized.run(None, feed))
        for name, got, want, other in results:
            assert got.shape == want.shape and got.dtype == want.dtype, name
            step = np.ptp(want) / 255 if want.dtype.kind == "f" else 0
            beyond, allowed = (np.mean(np.abs(x - want) > 1.01 * step) for x in (got, other))
            assert beyond <= max(1e-3, 1.1 * allowed), f"{name}: {beyond:.1%} differ by a step, onnxruntime {allowed:.1%}"


@pytest.mark.parametrize("name", models.PACKAGED)
def test_packaged_models_are_as_onnxruntime(ingot, tmp_path, name):
    path, feeds = models.packaged(name)
    (compare_bytes if name.endswith("int8") else compare)(ingot, path, feeds, tmp_path)


@pytest.mark.parametrize("name", models.QUANTIZED)
def test_quantized_models_are_as_onnxruntime(ingot, tmp_path, name):
    path, feeds = models.quantized(name, tmp_path)
    compare_bytes(ingot, path, feeds, tmp_path)


def test_fitted_models_are_as_onnxruntime(ingot, tmp_path):
    for _, path, feeds in models.fitted(tmp_path):
        compare(ingot, path, feeds, tmp_path)


def test_a_voice_carries_its_state_over_windows(ingot, tmp_path):
    path, _ = models.packaged("voice")
    session = session_of(str(path))
    want = got = np.zeros((2, 1, 128), np.float32)
    rate = np.array(16000, np.int64)
    for window in models.voice(np.random.default_rng(5), 8, 576, 16000):
        reference, want = session.run(None, {"input": window[None], "state": want, "sr": rate})
        speech, got = infer(ingot, path, {"input": window[None], "state": got, "sr": rate}, ["output", "stateN"], tmp_path)
        agree("output", speech, reference)
        agree("stateN", got, want)
