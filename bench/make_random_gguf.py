#!/usr/bin/env python3
"""GGUF files with random weights: for speed only, the text they make is noise.

    bench/make_random_gguf.py OUT_FOLDER [--types Q4_0,Q8_0,Q4_K_M,Q6_K,F16,BF16] [--shape 1b|moe|moe128] [--layers N]

Shapes: 1b, TinyLlama's; moe, Mixtral's in small (8 experts, 2 used; 0.9 B weights, of which a token uses 0.3 B);
moe128, a layer as Qwen3-30B-A3B has it (128 experts of 768, 8 used; 1.4 B weights in 2 layers).

Blocks are drawn as random bytes with sane scales, not quantized, so a file takes seconds. The tokenizer is a made-up
SentencePiece vocabulary of 32,000 entries (bytes and short words) that any engine loads. Needs numpy and gguf.
"""

import argparse
import dataclasses
import pathlib

import gguf
import numpy as np

T = gguf.GGMLQuantizationType
VOCAB, CONTEXT = 32000, 4096
POOL_BYTES = 1 << 24  # random bytes, reused from another offset by every tensor


@dataclasses.dataclass
class Shape:
    layers: int
    embed: int
    ffn: int  # of an expert, where there are some
    heads: int
    kv_heads: int
    experts: int = 0
    used: int = 0
    arch: str = "llama"


SHAPES = {"1b": Shape(22, 2048, 5632, 32, 4), "moe": Shape(12, 1024, 2816, 16, 4, 8, 2),
          "moe128": Shape(2, 2048, 768, 32, 4, 128, 8, "qwen3moe")}


class Blocks:
    def __init__(self):
        self.random = np.random.default_rng(42)
        self.bytes = self.random.integers(0, 256, POOL_BYTES, np.uint8)
        self.floats = (self.random.standard_normal(POOL_BYTES // 4) * 0.02).astype(np.float32)

    def draw(self, pool, n):
        start = int(self.random.integers(0, len(pool)))
        return np.take(pool, np.arange(start, start + n), mode="wrap")

    def matrix(self, kind, rows, cols):
        """Weights of about N(0, 0.02) as the file stores them: [rows, bytes of a row]."""
        if kind in (T.F16, T.BF16):
            x = self.draw(self.floats, rows * cols)
            raw = x.astype(np.float16).view(np.uint8) if kind == T.F16 else (x.view(np.uint32) >> 16).astype(
                np.uint16).view(np.uint8)
            return raw.reshape(rows, cols * 2)
        block, size = gguf.GGML_QUANT_SIZES[kind]
        n = rows * cols // block
        raw = self.draw(self.bytes, n * size).reshape(n, size).copy()

        def half(at, value):
            raw[:, at:at + 2] = np.frombuffer(np.float16(value).tobytes(), np.uint8)
        if kind in (T.Q4_0, T.Q8_0):
            half(0, 0.02 / (4.6 if kind == T.Q4_0 else 74))
        elif kind == T.Q4_K:
            half(0, 0.02 / (32 * 4.6))
            half(2, 0.02 / 32 * 7.5 / 4.6)
        elif kind == T.Q6_K:
            half(size - 2, 0.02 / (74 * 18))
        else:
            raise ValueError(kind)
        return raw.reshape(rows, cols // block * size)


def type_of(mix, name, layer, layers):
    if mix != "Q4_K_M":
        return T[mix]
    more = layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
    return T.Q6_K if name == "output" or (name in ("attn_v", "ffn_down") and more) else T.Q4_K


def add_vocabulary(w):
    tokens = [b"<unk>", b"<s>", b"</s>"] + [f"<0x{i:02X}>".encode() for i in range(256)]
    kinds = [2, 3, 3] + [6] * 256
    letters = "etaoinshrdlcumwfgypbvkxjqz"
    words = ["\u2581"] + list(letters) + [a + b for a in letters for b in letters]
    words += ["\u2581" + a + b + c for a in letters for b in letters for c in letters]
    words += [a + b + c for a in letters for b in letters for c in letters]
    words = words[:VOCAB - len(tokens)]
    tokens += [t.encode() for t in words]
    kinds += [1] * len(words)
    w.add_tokenizer_model("llama")
    w.add_token_list(tokens)
    w.add_token_scores([0.0] * 259 + [-float(i) for i in range(len(words))])
    w.add_token_types(kinds)
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_unk_token_id(0)
    w.add_add_bos_token(True)


def write(path, mix, shape):
    blocks, w, embed, head = Blocks(), gguf.GGUFWriter(path, shape.arch), shape.embed, shape.embed // shape.heads
    kv = head * shape.kv_heads
    w.add_name(f"random {path.stem}")
    w.add_context_length(CONTEXT)
    w.add_embedding_length(embed)
    w.add_block_count(shape.layers)
    w.add_feed_forward_length(shape.ffn)
    w.add_head_count(shape.heads)
    w.add_head_count_kv(shape.kv_heads)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(head)
    w.add_vocab_size(VOCAB)
    if shape.experts:
        w.add_expert_count(shape.experts)
        w.add_expert_used_count(shape.used)
        w.add_expert_feed_forward_length(shape.ffn)
    add_vocabulary(w)

    def add(name, *sizes, layer=0):
        kind = type_of(mix, name.split(".")[-1].removesuffix("_exps"), layer, shape.layers)
        rows = blocks.matrix(kind, int(np.prod(sizes[:-1])), sizes[-1])
        w.add_tensor(name + ".weight", rows.reshape(*sizes[:-1], -1), raw_dtype=kind)

    def add_norm(name, n=embed):
        w.add_tensor(name + ".weight", np.ones(n, np.float32))
    add("token_embd", VOCAB, embed)
    for i in range(shape.layers):
        blk = f"blk.{i}."
        add_norm(blk + "attn_norm")
        add_norm(blk + "ffn_norm")
        for name, rows in (("attn_q", embed), ("attn_k", kv), ("attn_v", kv), ("attn_output", embed)):
            add(blk + name, rows, embed, layer=i)
        if shape.arch == "qwen3moe":
            add_norm(blk + "attn_q_norm", head)
            add_norm(blk + "attn_k_norm", head)
        many, suffix = ((shape.experts,), "_exps") if shape.experts else ((), "")
        if shape.experts:
            router = blocks.draw(blocks.floats, shape.experts * embed).reshape(shape.experts, embed)
            w.add_tensor(blk + "ffn_gate_inp.weight", router * np.float32(1.5 / 0.02 / embed ** 0.5))
        for name, rows, cols in (("ffn_gate", shape.ffn, embed), ("ffn_up", shape.ffn, embed),
                                 ("ffn_down", embed, shape.ffn)):
            add(blk + name + suffix, *many, rows, cols, layer=i)
    add_norm("output_norm")
    add("output", VOCAB, embed)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("--types", default="Q4_0,Q8_0,Q4_K_M,Q6_K,F16,BF16")
    p.add_argument("--shape", choices=SHAPES, default="1b")
    p.add_argument("--layers", type=int, help="default: the shape's")
    args = p.parse_args()
    shape = SHAPES[args.shape]
    if args.layers:
        shape = dataclasses.replace(shape, layers=args.layers)
    args.folder.mkdir(parents=True, exist_ok=True)
    for mix in args.types.split(","):
        path = args.folder / f"random-{args.shape}-{mix.lower()}.gguf"
        write(path, mix, shape)
        print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
