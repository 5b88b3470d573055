"""Forms of standard operators that ONNX's own test cases leave out, against ONNX Runtime."""

import struct
import zlib

import numpy as np
import onnx
import pytest
from onnx import helper

from onnx_case import check, floats, model_of

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
RECURRENT = {
    "forward": {},
    "reverse": {"direction": "reverse"},
    "bidirectional": {"direction": "bidirectional"},
    "lengths": {"direction": "bidirectional", "lengths": [5, 2, 3]},
    "clip": {"clip": 0.3},
    "states": {"states": True, "direction": "bidirectional"},
    "linear_before_reset": {"linear_before_reset": 1, "states": True},
    "input_forget": {"input_forget": 1},
    "peepholes": {"peepholes": True, "states": True},
}
ONLY = {"linear_before_reset": "GRU", "input_forget": "LSTM", "peepholes": "LSTM"}


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent(ingot, tmp_path, kind, name):
    if ONLY.get(name, kind) != kind:
        pytest.skip("not its attribute")
    attributes = dict(RECURRENT[name])
    steps, batch, width, hidden, gates = 5, 3, 4, 6, GATES[kind]
    d = 2 if attributes.get("direction") == "bidirectional" else 1
    lengths, states, peepholes = (attributes.pop(k, None) for k in ("lengths", "states", "peepholes"))
    constants = {
        "w": floats(d, gates * hidden, width, seed=2),
        "r": floats(d, gates * hidden, hidden, seed=3, scale=0.5),
        "b": floats(d, 2 * gates * hidden, seed=4),
    }
    names = ["x", "w", "r", "b", "", "", "", ""]
    if lengths:
        constants["n"] = np.array(lengths, np.int32)
        names[4] = "n"
    if states:
        constants["h"] = floats(d, batch, hidden, seed=5)
        names[5] = "h"
        if kind == "LSTM":
            constants["c"] = floats(d, batch, hidden, seed=6)
            names[6] = "c"
    if peepholes:
        constants["p"] = floats(d, 3 * hidden, seed=7)
        names[7] = "p"
    outputs = ["y", "y_h", "y_c"] if kind == "LSTM" else ["y", "y_h"]
    node = helper.make_node(kind, names[: 8 if kind == "LSTM" else 6], outputs, hidden_size=hidden, **attributes)
    check(ingot, tmp_path, [node], {"x": floats(steps, batch, width)}, outputs, constants)


@pytest.mark.parametrize("activations", [["HardSigmoid", "ScaledTanh"], ["Sigmoid", "LeakyRelu"], ["Affine", "Softsign"]])
def test_activations_take_their_parameters_in_order(ingot, tmp_path, activations):
    node = helper.make_node(
        "GRU", ["x", "w", "r"], ["y"], hidden_size=6, activations=activations, activation_alpha=[0.3, 0.4], activation_beta=[0.5, 0.6]
    )
    constants = {"w": floats(1, 18, 4), "r": floats(1, 18, 6, scale=0.5)}
    check(ingot, tmp_path, [node], {"x": floats(5, 2, 4)}, ["y"], constants, opset=14)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("corners", [0, 1])
def test_grid_sample(ingot, tmp_path, mode, padding, corners):
    node = helper.make_node("GridSample", ["x", "g"], ["y"], mode=mode, padding_mode=padding, align_corners=corners)
    check(ingot, tmp_path, [node], {"x": floats(1, 2, 5, 7), "g": floats(1, 4, 3, 2)}, ["y"], opset=16)


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("ratio", [0, 2])
@pytest.mark.parametrize("shift", ["half_pixel", "output_half_pixel"])
def test_roi_align(ingot, tmp_path, mode, ratio, shift):
    rois = np.array([[1, 1, 6, 5], [0, 2.5, 3, 9], [4, 4, 4.5, 4.5]], np.float32)
    node = helper.make_node("RoiAlign", ["x", "r", "i"], ["y"], mode=mode, sampling_ratio=ratio, output_height=3, output_width=2,
                            spatial_scale=0.9, coordinate_transformation_mode=shift)
    check(ingot, tmp_path, [node], {"x": floats(2, 3, 8, 9), "r": rois}, ["y"], {"i": np.array([0, 1, 1], np.int64)})


def test_max_roi_pool(ingot, tmp_path):
    rois = np.array([[0, 1, 1, 6, 5], [1, 0, 2, 3, 9], [1, 4, 4, 4, 4]], np.float32)
    node = helper.make_node("MaxRoiPool", ["x", "r"], ["y"], pooled_shape=[3, 2], spatial_scale=0.8)
    check(ingot, tmp_path, [node], {"x": floats(2, 3, 8, 9), "r": rois}, ["y"])


@pytest.mark.parametrize("zero", [np.uint8(128), np.int8(3)])
@pytest.mark.parametrize("per_channel", [False, True])
def test_qlinear_conv(ingot, tmp_path, zero, per_channel):
    rng = np.random.default_rng(3)
    constants = {
        "xs": np.float32(0.02), "xz": np.uint8(120),
        "w": rng.integers(-127, 128, (6, 2, 3, 3)).astype(np.int8),
        "ws": (rng.random(6) * 0.02 + 0.01).astype(np.float32) if per_channel else np.float32(0.02),
        "wz": np.zeros(6, np.int8) if per_channel else np.int8(0),
        "ys": np.float32(0.2), "yz": zero, "b": rng.integers(-999, 999, 6).astype(np.int32),
    }
    if zero.dtype == np.int8:
        constants["xz"] = np.int8(5)
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"]
    x = rng.integers(0, 127, (1, 4, 9, 9)).astype(constants["xz"].dtype)
    node = helper.make_node("QLinearConv", names, ["y"], group=2, pads=[1, 1, 1, 1], strides=[2, 1])
    check(ingot, tmp_path, [node], {"x": x}, ["y"], constants)


@pytest.mark.parametrize("length", [1, 8, 30, 67, 134])
def test_dft_of_any_length(ingot, tmp_path, length):
    node = helper.make_node("DFT", ["x"], ["y"], axis=1, onesided=1)
    check(ingot, tmp_path, [node], {"x": floats(2, length, 1)}, ["y"])


def test_stft(ingot, tmp_path):
    node = helper.make_node("STFT", ["x", "step", "w"], ["y"])
    check(ingot, tmp_path, [node], {"x": floats(1, 200, 1)}, ["y"],
          {"step": np.array(16, np.int64), "w": np.hanning(48).astype(np.float32)})


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def gray16_png(value):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" + struct.pack(">H", value))) + chunk(b"IEND", b"")


def rgba_tiff(r, g, b, alpha):
    """One pixel, its alpha not multiplied into its colors."""
    short, long = 3, 4
    tags = [(256, short, 1, 1), (257, short, 1, 1), (258, short, 4, 136), (259, short, 1, 1), (262, short, 1, 2),
            (273, long, 1, 144), (277, short, 1, 4), (278, short, 1, 1), (279, long, 1, 4), (338, short, 1, 2)]
    folder = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *t) for t in tags) + struct.pack("<I", 0)
    file = b"II*\0" + struct.pack("<I", 8) + folder
    return file.ljust(136, b"\0") + struct.pack("<4H", 8, 8, 8, 8) + bytes((r, g, b, alpha))


@pytest.mark.parametrize("file, pixel", [(gray16_png(0x80FF), [0x80] * 3), (rgba_tiff(200, 10, 0, 128), [200, 10, 0])],
                         ids=["16 bits are cut to 8", "alpha is dropped"])
def test_pixels_keep_their_values(ingot, tmp_path, file, pixel):
    model = model_of([helper.make_node("ImageDecoder", ["x"], ["y"])], {"x": np.frombuffer(file, np.uint8)}, ["y"], opset=20)
    onnx.save(model, str(tmp_path / "model.onnx"))
    np.save(tmp_path / "x.npy", np.frombuffer(file, np.uint8))
    ingot("infer", tmp_path / "model.onnx", "--input", f"x={tmp_path}/x.npy", "--output", tmp_path / "out")
    assert np.load(tmp_path / "out/y.npy").reshape(-1).tolist() == pixel
