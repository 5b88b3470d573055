#!/usr/bin/env python3
"""Makes the goldens of the block formats: blocks_decode.bin, blocks_encode.bin, blocks_quality.{bin,txt}.

Oracles: the Python `gguf` package (decode; encode of the types it can encode), and ggml itself, through
the shared library inside the `xllamacpp` package (Q1_0 and Q2_0, which `gguf` cannot decode; the errors
that ggml's encoders leave). Needs: pip install gguf xllamacpp numpy. Integers are little endian.

blocks_decode.bin   per type: name[16], u32 elements a block, u32 blocks, the blocks, then for each block
                    the u64 FNV-1a hash of its floats' bits (a u32 a step; every NaN counts as 0x7fc00000)
blocks_encode.bin   u32 n, f32[n] input; then per type: name[16], u32 bytes, the bytes
blocks_quality.bin  u32 n, f16[n] importance; then per data set: name[16], f16[n]
blocks_quality.txt  per type and data set: ggml's RMSE, then its RMSE weighted by importance that it was given
"""
import ctypes
import pathlib
import struct
import warnings

import numpy as np
import xllamacpp
from gguf import GGMLQuantizationType, quants
from gguf.constants import GGML_QUANT_SIZES

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).parent
GGML = ctypes.CDLL(str(next(pathlib.Path(xllamacpp.__file__).parent.glob("xllamacpp*.so"))))
RNG = np.random.default_rng(20)

# type -> byte offsets of its binary16 fields
TYPES = {
    "F16": [0], "BF16": [], "Q1_0": [0], "Q2_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
    "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ1_S": [0],
    "IQ1_M": [], "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0], "IQ4_NL": [0],
    "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64], "MXFP4": [], "NVFP4": [],
}
SIZES = {t.name: GGML_QUANT_SIZES[t] for t in GGML_QUANT_SIZES} | {"Q2_0": (64, 18)}


def pointer(a):
    return None if a is None else a.ctypes.data_as(ctypes.c_void_p)


def ggml_decode(name, raw, elements):
    out = np.empty(elements, np.float32)
    function = getattr(GGML, "dequantize_row_" + name.lower().replace("_k", "_K"))
    function(pointer(raw), pointer(out), ctypes.c_int64(elements))
    return out


def decode(name, raw):
    """raw: [blocks, bytes] -> float32 [blocks, elements]"""
    if name in ("Q1_0", "Q2_0"):
        return ggml_decode(name, raw, raw.shape[0] * SIZES[name][0]).reshape(raw.shape[0], -1)
    return quants.dequantize(raw, GGMLQuantizationType[name]).astype(np.float32).reshape(raw.shape[0], -1)


def split_index(index, bits, groups):
    """High bits of the codebook indices of a row of groups, packed `bits` apart."""
    high = (index >> 8).reshape(-1, groups)
    return (high << (bits * np.arange(groups))).sum(-1)


def every_codebook_entry(name):
    """Blocks whose codebook indices run through the whole codebook."""
    entries = {"IQ1_S": 2048, "IQ1_M": 2048, "IQ2_XXS": 256, "IQ2_XS": 512, "IQ2_S": 1024, "IQ3_XXS": 256, "IQ3_S": 512}
    if name not in entries:
        return np.empty((0, SIZES[name][1]), np.uint8)
    per_block = 64 if name.startswith("IQ3") else 32
    index = np.arange(entries[name])
    blocks = RNG.integers(0, 256, (len(index) // per_block, SIZES[name][1]), dtype=np.uint8)
    low = (index & 255).astype(np.uint8).reshape(len(blocks), per_block)
    if name == "IQ1_S":
        high = split_index(index, 3, 4) | RNG.integers(0, 16, len(index) // 4) << 12
        blocks[:, 2:34], blocks[:, 34:50] = low, high.astype("<u2").view(np.uint8).reshape(len(blocks), -1)
    elif name == "IQ1_M":
        high = split_index(index, 4, 2) | RNG.integers(0, 256, len(index) // 2) & 0x88
        blocks[:, :32], blocks[:, 32:48] = low, high.astype(np.uint8).reshape(len(blocks), -1)
    elif name == "IQ2_XXS":
        blocks[:, 2:].reshape(-1, 8, 8)[:, :, :4] = low.reshape(-1, 8, 4)
    elif name == "IQ2_XS":
        words = index | RNG.integers(0, 128, len(index)) << 9
        blocks[:, 2:66] = words.astype("<u2").view(np.uint8).reshape(len(blocks), -1)
    elif name == "IQ2_S":
        blocks[:, 2:34], blocks[:, 66:74] = low, split_index(index, 2, 4).astype(np.uint8).reshape(len(blocks), -1)
    else:
        blocks[:, 2:66] = low
        if name == "IQ3_S":
            blocks[:, 66:74] = split_index(index, 1, 8).astype(np.uint8).reshape(len(blocks), -1)
    return blocks


def make_blocks(name, count):
    blocks = RNG.integers(0, 256, (count, SIZES[name][1]), dtype=np.uint8)
    blocks = np.concatenate([blocks, every_codebook_entry(name)])
    ordinary = np.arange(len(blocks)) % 8 != 7  # every eighth keeps random scales: NaN, infinities, subnormals
    for offset in TYPES[name]:
        scales = (RNG.standard_normal(len(blocks)) * 0.02).astype("<f2").view(np.uint8).reshape(-1, 2)
        blocks[ordinary, offset : offset + 2] = scales[ordinary]
    return blocks


def hash_rows(values):
    bits = values.view(np.uint32).copy()
    bits[np.isnan(values)] = 0x7FC00000
    h = np.full(len(bits), 0xCBF29CE484222325, np.uint64)
    for column in bits.T:
        h = (h ^ column) * np.uint64(0x100000001B3)
    return h


def write_decode():
    with open(HERE / "blocks_decode.bin", "wb") as f:
        for name in TYPES:
            elements, size = SIZES[name]
            blocks = make_blocks(name, 2048 if elements == 1 else 48)
            f.write(struct.pack("<16sII", name.lower().encode(), elements, len(blocks)))
            f.write(blocks.tobytes() + hash_rows(decode(name, blocks)).astype("<u8").tobytes())


def write_encode():
    rows = [RNG.standard_normal(256) * s for s in (1, 0.02, 1e-3, 300, 1e-6, 1e4)]
    rows += [RNG.standard_t(2, 256) * 0.02 for _ in range(8)]
    rows += [RNG.integers(-8, 9, 256) / 8 for _ in range(4)]  # many ties
    rows += [np.zeros(256), np.full(256, 0.75), np.full(256, -0.75), np.full(256, 1e-30)]
    rows += [np.repeat(RNG.standard_normal(8), 32), np.where(RNG.random(256) < 0.05, RNG.standard_normal(256), 0)]
    x = np.concatenate(rows).astype(np.float32)
    with open(HERE / "blocks_encode.bin", "wb") as f:
        f.write(struct.pack("<I", x.size) + x.astype("<f4").tobytes())
        for name in ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0", "BF16", "F16"):
            data = quants.quantize(x.reshape(-1, 256), GGMLQuantizationType[name]).tobytes()
            f.write(struct.pack("<16sI", name.lower().encode(), len(data)) + data)


def rmse(a, b, w):
    return float(np.sqrt((w * (a.astype(np.float64) - b) ** 2).sum() / w.sum()))


def write_quality():
    rows, columns = 4, 2048
    n = rows * columns
    importance = (RNG.gamma(0.5, 1, columns) + 0.01).astype(np.float16).astype(np.float32)
    spiky = RNG.standard_normal(n) * np.where(RNG.random(n) < 0.005, 20, 1)
    sets = {"gauss": RNG.standard_normal(n), "student3": RNG.standard_t(3, n), "laplace": RNG.laplace(size=n),
            "shifted": RNG.standard_normal(n) + 1.5, "spiky": spiky}
    sets = {k: (v * 0.02).astype(np.float16).astype(np.float32) for k, v in sets.items()}
    tiled = np.tile(importance, rows)
    with open(HERE / "blocks_quality.bin", "wb") as f:
        f.write(struct.pack("<I", n) + tiled.astype("<f2").tobytes())
        for name, x in sets.items():
            f.write(struct.pack("<16s", name.encode()) + x.astype("<f2").tobytes())
    with open(HERE / "blocks_quality.txt", "w") as f:
        for name in ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "MXFP4"):
            elements, size = SIZES[name]
            for set_name, x in sets.items():
                errors = []
                for given in (None, importance):
                    out = np.zeros(n // elements * size, np.uint8)
                    GGML.ggml_quantize_chunk(ctypes.c_int(GGMLQuantizationType[name].value), pointer(x), pointer(out),
                                             ctypes.c_int64(0), ctypes.c_int64(rows), ctypes.c_int64(columns),
                                             pointer(given))
                    weights = np.ones(n) if given is None else tiled.astype(np.float64)
                    errors.append(rmse(ggml_decode(name, out, n), x, weights))
                f.write(f"{name.lower()} {set_name} {errors[0]:.8g} {errors[1]:.8g}\n")


write_decode()
write_encode()
write_quality()
