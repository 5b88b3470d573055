#!/usr/bin/env python3
"""Writes tests/goldens/formats/: tiny models made by the `gguf` and `safetensors` packages.

Run: python tests/goldens/make_formats.py   (needs gguf, safetensors, numpy, ml_dtypes; the results are committed)

  types.gguf          every metadata type and every tensor type that the package knows
  v2.gguf             the same header as GGUF version 2, one tensor
  split-0000k-…       three parts of one split
  hf/                 one .safetensors file of every dtype that numpy can write, configs and texts
  hf_sharded/         two shards and their index
  expected.txt        what a reader must find: `kind file name dtype dims fnv1a64-of-the-bytes`
"""
import json
import pathlib
import struct

import gguf
import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).parent / "formats"
EXPECTED = []


def fnv1a64(data: bytes) -> int:
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def expect(file: str, name: str, dtype: str, dims, data: bytes):
    shape = "[" + ",".join(str(d) for d in dims) + "]"
    EXPECTED.append(f"tensor {file} {name} {dtype} {shape} {fnv1a64(data):016x}")


def add_all_types(w: gguf.GGUFWriter):
    w.add_uint8("t.u8", 255)
    w.add_int8("t.i8", -128)
    w.add_uint16("t.u16", 65535)
    w.add_int16("t.i16", -32768)
    w.add_uint32("t.u32", 2**32 - 1)
    w.add_int32("t.i32", -(2**31))
    w.add_uint64("t.u64", 2**64 - 1)
    w.add_int64("t.i64", -(2**63))
    w.add_float32("t.f32", 1.5)
    w.add_float64("t.f64", 0.1)
    w.add_bool("t.true", True)
    w.add_bool("t.false", False)
    w.add_string("t.string", "naïve 🦙 text")
    w.add_key_value("t.empty", "", gguf.GGUFValueType.STRING)  # add_string() drops it
    w.add_array("t.ints", [1, -2, 3])
    w.add_array("t.floats", [0.5, -0.25])
    w.add_array("t.bools", [True, False, True])
    w.add_array("t.strings", ["a", "", "ü"])
    for name, t, values in [
        ("u8s", gguf.GGUFValueType.UINT8, [0, 255]),
        ("u64s", gguf.GGUFValueType.UINT64, [1, 2**64 - 1]),
        ("small_u64s", gguf.GGUFValueType.UINT64, [1, 2]),
        ("i16s", gguf.GGUFValueType.INT16, [-5, 5]),
        ("f64s", gguf.GGUFValueType.FLOAT64, [0.1, 0.2]),
    ]:
        w.add_key_value(f"t.{name}", values, gguf.GGUFValueType.ARRAY, sub_type=t)


def make_gguf():
    rng = np.random.default_rng(1)
    w = gguf.GGUFWriter(OUT / "types.gguf", "llama")
    add_all_types(w)
    for q in gguf.GGMLQuantizationType:
        block, size = gguf.GGML_QUANT_SIZES[q]
        if q.name in ("Q8_1", "Q8_K"):
            continue
        data = rng.integers(0, 256, size=(2, size), dtype=np.uint8)
        native = {"F32": np.float32, "F16": np.float16, "F64": np.float64, "I8": np.int8, "I16": np.int16,
                  "I32": np.int32, "I64": np.int64}.get(q.name)
        name = f"blk.0.{q.name.lower()}.weight"
        if native:
            w.add_tensor(name, data.view(native))
        else:
            w.add_tensor(name, data, raw_dtype=q)
        expect("types.gguf", name, q.name.lower(), (2, block), data.tobytes())
    rank4 = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    w.add_tensor("rank4", rank4)
    expect("types.gguf", "rank4", "f32", rank4.shape, rank4.tobytes())
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def make_v2():
    w = gguf.GGUFWriter(OUT / "v2.gguf", "llama")
    data = np.arange(64, dtype=np.float32).reshape(2, 32)
    w.add_custom_alignment(64)
    w.add_tensor("a", data)
    expect("v2.gguf", "a", "f32", data.shape, data.tobytes())
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    raw = bytearray((OUT / "v2.gguf").read_bytes())
    raw[4:8] = struct.pack("<I", 2)
    (OUT / "v2.gguf").write_bytes(raw)


def make_split():
    for part in range(3):
        name = f"split-{part + 1:05}-of-00003.gguf"
        w = gguf.GGUFWriter(OUT / name, "llama")
        if part == 0:
            w.add_uint32("llama.block_count", 3)
        w.add_uint16("split.no", part)
        w.add_uint16("split.count", 3)
        w.add_int32("split.tensors.count", 3)
        data = np.full((part + 1, 32), part, dtype=np.float16)
        w.add_tensor(f"blk.{part}.w", data)
        expect("split-00001-of-00003.gguf", f"blk.{part}.w", "f16", data.shape, data.tobytes())
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()


def save(folder: str, file: str, tensors: dict, metadata: dict):
    save_file(tensors, OUT / folder / file, metadata=metadata)
    (OUT / folder / file).chmod(0o644)
    names = {"float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16", "int64": "i64", "int32": "i32",
             "int16": "i16", "int8": "i8", "uint64": "u64", "uint32": "u32", "uint16": "u16", "uint8": "u8",
             "bool": "bool", "float8_e4m3fn": "f8e4m3fn", "float8_e5m2": "f8e5m2"}
    for name, a in tensors.items():
        expect(folder, name, names[str(a.dtype)], a.shape, a.tobytes())


def make_hf():
    (OUT / "hf").mkdir(exist_ok=True)
    rng = np.random.default_rng(2)
    types = [np.float64, np.float32, np.float16, ml_dtypes.bfloat16, np.int64, np.int32, np.int16, np.int8, np.uint64,
             np.uint32, np.uint16, np.uint8, np.bool_, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2]
    tensors = {f"layer.{np.dtype(t).name}": rng.integers(0, 2, size=(3, 5)).astype(t) for t in types}
    tensors["scalar"] = np.array(7, dtype=np.float32)
    tensors["no_rows"] = np.zeros((0, 4), dtype=np.float32)
    save("hf", "model.safetensors", tensors, {"format": "pt"})
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "rope_theta": 10000.0,
              "rope_scaling": {"factor": 8, "type": "linear"}, "eos_token_id": [1, 2], "pad_token_id": None,
              "tie_word_embeddings": True, "big": 2**63, "mixed": [1, "a"], "floats": [1, 0.5],
              "objects": [{"b": 1}, {"b": "x"}], "limit": [0.0, float("inf")], "empty": []}
    texts = {"config.json": json.dumps(config), "generation_config.json": json.dumps({"temperature": 0.6}),
             "tokenizer_config.json": json.dumps({"chat_template": "{{ x }}", "added_tokens_decoder": {"0": {"content": "<s>"}}}),
             "tokenizer.json": "{}", "merges.txt": "a b\n", "chat_template.jinja": "{{ messages }}"}
    for name, text in texts.items():
        (OUT / "hf" / name).write_text(text)
    (OUT / "hf" / "additional_chat_templates").mkdir(exist_ok=True)
    (OUT / "hf" / "additional_chat_templates" / "tool_use.jinja").write_text("tools")


def make_hf_sharded():
    (OUT / "hf_sharded").mkdir(exist_ok=True)
    weight_map = {}
    for i in (1, 2):
        file = f"model-{i:05}-of-00002.safetensors"
        tensors = {f"layer.{i}.w": np.full((2, 3), i, dtype=np.float32), f"layer.{i}.b": np.full(3, i, dtype=np.float16)}
        save("hf_sharded", file, tensors, {"format": "pt"})
        weight_map.update({name: file for name in tensors})
    index = {"metadata": {"total_size": 60}, "weight_map": weight_map}
    (OUT / "hf_sharded" / "model.safetensors.index.json").write_text(json.dumps(index))
    (OUT / "hf_sharded" / "config.json").write_text(json.dumps({"model_type": "llama"}))


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    make_gguf()
    make_v2()
    make_split()
    make_hf()
    make_hf_sharded()
    (OUT / "expected.txt").write_text("\n".join(EXPECTED) + "\n")
