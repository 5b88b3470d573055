"""ONNX Runtime's own operators (com.microsoft), as its optimizer and exporters write them, against ONNX Runtime."""

import numpy as np
import pytest
from onnx import helper

from onnx_case import MICROSOFT, check, floats


def codes(*shape, dtype=np.uint8, seed=2):
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(dtype)


def node(kind, inputs, outputs=("y",), domain=MICROSOFT, **attributes):
    return helper.make_node(kind, inputs, list(outputs), domain=domain, **attributes)


def simple(kind, constants=(), domain=MICROSOFT, outputs=("y",), x=None, **attributes):
    """A node of input x and these constants."""
    names = ["x"] + [f"c{i}" if c is not None else "" for i, c in enumerate(constants)]
    return dict(
        nodes=[node(kind, names, outputs, domain, **attributes)],
        feeds={"x": floats(2, 5, 8) if x is None else x},
        outputs=[o for o in outputs if o],
        constants={f"c{i}": c for i, c in enumerate(constants) if c is not None},
    )


ONE, ZERO = np.float32(0.05), np.uint8(120)
ELEMENTWISE = {
    "Gelu": simple("Gelu"),
    "BiasGelu": simple("BiasGelu", [floats(8)]),
    "FastGelu": simple("FastGelu"),
    "FastGelu with bias": simple("FastGelu", [floats(8)]),
    "QuickGelu": simple("QuickGelu", alpha=1.702),
    "FusedMatMul": simple("FusedMatMul", [floats(2, 6, 8)], transB=1, alpha=0.5),
    "FusedGemm": simple("FusedGemm", [floats(8, 6), floats(6)], x=floats(3, 8), activation="LeakyRelu", activation_alpha=0.2),
    "FusedConv": simple("FusedConv", [floats(4, 3, 3, 3), floats(4)], x=floats(1, 3, 7, 7), activation="Relu", pads=[1, 1, 1, 1]),
    "FusedConv with clip": simple(
        "FusedConv", [floats(4, 3, 3, 3)], x=floats(1, 3, 7, 7), activation="Clip", activation_params=[-0.5, 0.5]
    ),
    "SimplifiedLayerNormalization": simple("SimplifiedLayerNormalization", [floats(8)], domain="", axis=-1, epsilon=1e-6),
    "SkipLayerNormalization": simple(
        "SkipLayerNormalization", [floats(2, 5, 8, seed=3), floats(8), floats(8, seed=4), floats(8, seed=5)],
        outputs=("y", "", "", "sum"), epsilon=1e-5,
    ),
    "SkipSimplifiedLayerNormalization": simple(
        "SkipSimplifiedLayerNormalization", [floats(2, 5, 8, seed=3), floats(8)], outputs=("y", "", "", "sum"), epsilon=1e-5
    ),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_and_norms(ingot, tmp_path, name):
    check(ingot, tmp_path, **ELEMENTWISE[name])


@pytest.mark.parametrize("given_positions, masked", [(False, True), (True, True), (False, False)])
def test_embed_layer_normalization(ingot, tmp_path, given_positions, masked):
    feeds = {"ids": np.array([[1, 4, 2], [0, 3, 0]], np.int32), "seg": np.array([[0, 0, 1], [0, 1, 1]], np.int32)}
    names = ["ids", "seg", "word", "pos", "segment", "gamma", "beta"]
    if masked:
        feeds["mask"] = np.array([[1, 1, 1], [1, 1, 0]], np.int32)
        names.append("mask")
    if given_positions:
        feeds["at"] = np.array([[2, 1, 0], [3, 3, 1]], np.int32)
        names.append("at")
    check(ingot, tmp_path, [node("EmbedLayerNormalization", names, ["y", "lengths"], epsilon=1e-6)], feeds, ["y", "lengths"],
          {"word": floats(6, 8), "pos": floats(4, 8, seed=2), "segment": floats(2, 8, seed=3), "gamma": floats(8), "beta": floats(8)})


QDQ = [ONE, ZERO]
QUANTIZED = {
    "QLinearAdd": simple("QLinearAdd", [*QDQ, codes(8), np.float32(0.1), np.uint8(3), np.float32(0.12), np.uint8(99)], x=codes(2, 5, 8)),
    "QLinearMul": simple("QLinearMul", [*QDQ, codes(8), np.float32(0.1), np.uint8(3), np.float32(0.3), np.uint8(99)], x=codes(2, 5, 8)),
    "QLinearSigmoid": simple("QLinearSigmoid", [*QDQ, np.float32(1 / 256), np.uint8(0)], x=codes(2, 8)),
    "QLinearLeakyRelu": simple("QLinearLeakyRelu", [*QDQ, np.float32(0.04), np.uint8(30)], x=codes(2, 8), alpha=0.1),
    "QLinearSoftmax": simple("QLinearSoftmax", [*QDQ, np.float32(1 / 256), np.uint8(0)], x=codes(2, 8), opset=13),
    "QLinearSoftmax before opset 13": simple(
        "QLinearSoftmax", [*QDQ, np.float32(1 / 256), np.uint8(0)], x=codes(2, 4, 8), opset=12, axis=1
    ),
    "QLinearAveragePool": simple(
        "QLinearAveragePool", [*QDQ, np.float32(0.05), np.uint8(100)], x=codes(1, 3, 6, 6), kernel_shape=[2, 2], strides=[2, 2]
    ),
    "QLinearGlobalAveragePool": simple("QLinearGlobalAveragePool", [*QDQ, np.float32(0.02), np.uint8(100)], x=codes(1, 3, 6, 6)),
    "DynamicQuantizeMatMul": simple("DynamicQuantizeMatMul", [codes(8, 6), np.float32(0.02), np.uint8(128), floats(6)]),
    "DynamicQuantizeMatMul per column": simple(
        "DynamicQuantizeMatMul", [codes(8, 6, dtype=np.int8), floats(6) ** 2 + 0.01, codes(6, dtype=np.int8)]
    ),
    "MatMulIntegerToFloat": simple(
        "MatMulIntegerToFloat", [codes(8, 6), np.float32(0.02), np.float32(0.03), np.uint8(120), np.uint8(128), floats(6)],
        x=codes(2, 5, 8),
    ),
    "QGemm to bytes": simple(
        "QGemm", [np.float32(0.02), np.uint8(120), codes(6, 8), np.float32(0.03), np.uint8(128), codes(6).astype(np.int32),
                  np.float32(0.5), np.uint8(90)], x=codes(5, 8), transB=1,
    ),
    "QGemm to floats": simple(
        "QGemm", [np.float32(0.02), np.uint8(120), codes(8, 6), np.float32(0.03), np.uint8(128)], x=codes(5, 8), alpha=0.5
    ),
    "QuantizeLinear": simple("QuantizeLinear", [np.float32(0.001), np.uint16(1000)]),
    "DequantizeLinear": simple("DequantizeLinear", [np.float32(0.001), np.int16(1000)], x=codes(4, 8, dtype=np.int16)),
}


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized(ingot, tmp_path, name):
    check(ingot, tmp_path, **QUANTIZED[name], steps=1)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("per_column", [False, True])
def test_dynamic_quantize_lstm(ingot, tmp_path, direction, per_column):
    d, hidden, width = 2 if direction == "bidirectional" else 1, 12, 9
    scales = (d, 4 * hidden) if per_column else (d,)
    constants = {"w": codes(d, width, 4 * hidden, dtype=np.int8), "r": codes(d, hidden, 4 * hidden, dtype=np.int8, seed=3),
                 "b": floats(d, 8 * hidden), "ws": np.abs(floats(*scales, scale=0.004)) + np.float32(0.002),
                 "wz": np.zeros(scales, np.int8), "rs": np.abs(floats(*scales, seed=4, scale=0.002)) + np.float32(0.001),
                 "rz": np.zeros(scales, np.int8)}
    feeds = {"x": floats(7, 1, width), "h": floats(d, 1, hidden, seed=5, scale=0.5), "c": floats(d, 1, hidden, seed=6)}
    names = ["x", "w", "r", "b", "", "h", "c", "", "ws", "wz", "rs", "rz"]
    # A state on the edge of two bytes may fall either way: a step of 1/255 times a weight.
    check(ingot, tmp_path, [node("DynamicQuantizeLSTM", names, ["y", "yh", "yc"], hidden_size=hidden, direction=direction)],
          feeds, ["y", "yh", "yc"], constants, tolerance=3e-3)


def test_qlinear_concat(ingot, tmp_path):
    names = ["ys", "yz", "x", "xs", "xz", "w", "ws", "wz"]
    check(ingot, tmp_path, [node("QLinearConcat", names, axis=1)], {"x": codes(2, 3), "w": codes(2, 4, seed=5)}, ["y"],
          {"ys": np.float32(0.1), "yz": np.uint8(10), "xs": ONE, "xz": ZERO, "ws": np.float32(0.08), "wz": np.uint8(4)})


def nbits(n, k, block, bits, zeros, half_scales=True, seed=7):
    """Codes, scales and zero points as ONNX Runtime's quantizer packs them."""
    rng = np.random.default_rng(seed)
    blocks = -(-k // block)
    scales = (rng.random((n, blocks)) * 0.1 + 0.01).astype(np.float32)
    if half_scales:
        scales = scales.astype(np.float16).astype(np.float32)
    out = {"w": rng.integers(0, 256, (n, blocks, block * bits // 8)).astype(np.uint8), "s": scales.reshape(-1)}
    if zeros:
        out["z"] = rng.integers(0, 256, n * (-(-blocks * bits // 8))).astype(np.uint8)
    return out


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("block, half_scales, level", [(32, True, 4), (32, False, 0), (128, True, 1), (16, False, 0)])
def test_matmul_nbits(ingot, tmp_path, bits, zeros, block, half_scales, level):
    constants = nbits(24, 256, block, bits, zeros, half_scales)
    names = ["x", "w", "s"] + ["z"] * zeros
    # With 8-bit activations, as accuracy_level 4 asks for, both sides round; 32 to a scale.
    tolerance = 2e-2 if half_scales and level != 1 else 1e-4
    check(ingot, tmp_path, [node("MatMulNBits", names, K=256, N=24, bits=bits, block_size=block, accuracy_level=level)],
          {"x": floats(3, 256)}, ["y"], constants, tolerance=tolerance)


def test_rotary_embedding(ingot, tmp_path):
    constants = {"cos": np.cos(floats(16, 4)), "sin": np.sin(floats(16, 4))}
    for i, (positions, attributes, x) in enumerate([
        (np.array([[0, 1, 2], [5, 6, 7]], np.int64), {}, floats(2, 3, 24)),
        (np.array([4], np.int64), {"interleaved": 1}, floats(2, 3, 24)),
        (np.array([[0, 1, 2], [5, 6, 7]], np.int64), {}, floats(2, 3, 3, 8)),
        (np.array([[0, 1, 2], [5, 6, 7]], np.int64), {"rotary_embedding_dim": 8, "num_heads": 2}, floats(2, 3, 24)),
    ]):
        folder = tmp_path / str(i)
        folder.mkdir()
        check(ingot, folder, [node("RotaryEmbedding", ["x", "at", "cos", "sin"], **attributes)], {"x": x, "at": positions}, ["y"], constants)


H, D = 2, 4
MASKS = {
    "no mask": None,
    "lengths": np.array([5, 3], np.int32),
    "flags": np.array([[1, 1, 1, 1, 0], [1, 1, 0, 1, 1]], np.int32),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("causal", [0, 1])
def test_attention(ingot, tmp_path, mask, causal):
    feeds = {"x": floats(2, 5, 6)}
    names = ["x", "w", "b"]
    if MASKS[mask] is not None:
        feeds["mask"] = MASKS[mask]
        names.append("mask")
    check(ingot, tmp_path, [node("Attention", names, num_heads=H, unidirectional=causal)], feeds, ["y"],
          {"w": floats(6, 3 * H * D), "b": floats(3 * H * D)})


def test_attention_with_past(ingot, tmp_path):
    check(ingot, tmp_path, [node("Attention", ["x", "w", "b", "", "past"], ["y", "present"], num_heads=H, unidirectional=1)],
          {"x": floats(2, 3, 6), "past": floats(2, 2, H, 4, D)}, ["y", "present"], {"w": floats(6, 3 * H * D), "b": floats(3 * H * D)})


def test_qattention(ingot, tmp_path):
    check(ingot, tmp_path, [node("QAttention", ["x", "w", "b", "xs", "ws", "mask", "xz", "wz"], num_heads=H)],
          {"x": codes(2, 5, 6), "mask": MASKS["flags"]}, ["y"],
          {"w": codes(6, 3 * H * D), "b": floats(3 * H * D), "xs": np.float32(0.01), "ws": np.float32(0.01), "xz": np.uint8(128), "wz": np.uint8(120)})


MULTI_HEAD = {
    "self": (["q", "k", "v"], {"q": floats(2, 5, 8), "k": floats(2, 5, 8, seed=2), "v": floats(2, 5, 8, seed=3)}, {}),
    "scale and causal": (["q", "k", "v"], {"q": floats(2, 5, 8), "k": floats(2, 5, 8, seed=2), "v": floats(2, 5, 8, seed=3)}, {"scale": 0.3, "unidirectional": 1}),
    "cross with bias and key mask": (["q", "k", "v", "b", "m"], {"q": floats(2, 3, 8), "k": floats(2, 5, 8, seed=2), "v": floats(2, 5, 12, seed=3), "b": floats(28), "m": MASKS["flags"]}, {}),
    "added bias": (["q", "k", "v", "", "", "a"], {"q": floats(2, 3, 8), "k": floats(2, 5, 8, seed=2), "v": floats(2, 5, 8, seed=3), "a": floats(1, 2, 3, 5)}, {}),
    "keys by heads": (["q", "k", "v"], {"q": floats(2, 3, 8), "k": floats(2, 2, 5, 4), "v": floats(2, 2, 5, 4, seed=4)}, {}),
    "past": (["q", "k", "v", "", "", "", "pk", "pv"], {"q": floats(2, 3, 8), "k": floats(2, 3, 8, seed=2), "v": floats(2, 3, 8, seed=3), "pk": floats(2, 2, 4, 4), "pv": floats(2, 2, 4, 4, seed=5)}, {"unidirectional": 1}),
}


@pytest.mark.parametrize("name", MULTI_HEAD)
def test_multi_head_attention(ingot, tmp_path, name):
    names, feeds, attributes = MULTI_HEAD[name]
    outputs = ["y", "present_key", "present_value"] if name == "past" else ["y"]
    check(ingot, tmp_path, [node("MultiHeadAttention", names, outputs, num_heads=H, **attributes)], feeds, outputs)


GROUPS = {
    "prompt": dict(s=5, past=0, last=[4, 4], total=5),
    "prompt with rotation": dict(s=5, past=0, last=[4, 4], total=5, do_rotary=1),
    "packed": dict(s=5, past=0, last=[4, 4], total=5, packed=True),
    "token": dict(s=1, past=6, last=[6, 6], total=7),
    "token with rotation": dict(s=1, past=6, last=[6, 4], total=7, do_rotary=1, rotary_interleaved=1),
    "chunk": dict(s=3, past=4, last=[6], total=7, batch=1, do_rotary=1),
    "window": dict(s=6, past=0, last=[5, 5], total=6, local_window_size=3),
    "window and token": dict(s=1, past=6, last=[6, 5], total=7, local_window_size=3),
    "softcap": dict(s=5, past=0, last=[4, 4], total=5, softcap=2.0, scale=0.7),
    "smooth": dict(s=5, past=0, last=[4, 4], total=5, smooth_softmax=1),
}


@pytest.mark.parametrize("name", GROUPS)
def test_group_query_attention(ingot, tmp_path, name):
    case = dict(GROUPS[name])
    s, past, batch, packed = case.pop("s"), case.pop("past"), case.pop("batch", 2), case.pop("packed", False)
    last, total = np.array(case.pop("last"), np.int32), case.pop("total")
    q, k, v = floats(batch, s, 4 * 16), floats(batch, s, 2 * 16, seed=2), floats(batch, s, 2 * 16, seed=3)
    feeds = {"q": np.concatenate([q, k, v], axis=2)} if packed else {"q": q, "k": k, "v": v}
    names = ["q", "", ""] if packed else ["q", "k", "v"]
    feeds |= {"pk": floats(batch, 2, past, 16, seed=4), "pv": floats(batch, 2, past, 16, seed=5), "last": last}
    constants = {"total": np.array(total, np.int32)}
    names += ["pk", "pv", "last", "total"]
    if case.get("do_rotary"):
        angles = np.arange(16)[:, None] / 10 ** np.arange(8)[None]
        constants |= {"cos": np.cos(angles).astype(np.float32), "sin": np.sin(angles).astype(np.float32)}
        names += ["cos", "sin"]
    # What a present cache holds after a shorter sequence's end says nothing.
    outputs = ["y", "present_key", "present_value"] if len(set(last)) == 1 else ["y", "pk_out", "pv_out"]
    checked = outputs if len(set(last)) == 1 else ["y"]
    check(ingot, tmp_path, [node("GroupQueryAttention", names, outputs, num_heads=4, kv_num_heads=2, **case)], feeds, checked, constants)
