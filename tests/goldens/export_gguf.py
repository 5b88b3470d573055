"""Writes a tiny model as an F32 GGUF with the names, layouts and keys that llama.cpp reads.

Where llama.cpp's layout differs from the Hugging Face one: llama and mistral store the rows of q and k for
rotation of neighbouring pairs; gemma's norms hold weight + 1; gpt2's matrices are transposed; Llama 3 and
LongRoPE frequencies are tensors. tests/oracles/test_goldens.py checks every file in llama.cpp itself.
Beyond llama.cpp: mistral and phi3 files carry attention.sliding_window, which it ignores for both.
"""

import math
import re

import gguf
import numpy as np

ARCHS = {"llama": "llama", "mistral": "llama", "mixtral": "llama", "qwen2": "qwen2", "qwen3": "qwen3",
         "qwen3_moe": "qwen3moe", "gemma2": "gemma2", "gemma3_text": "gemma3", "phi3": "phi3", "gpt2": "gpt2"}


def pair_neighbours(w, heads):
    """Rows of each head from (first halves, second halves) to (pair, pair, ...): [heads * D, ...]."""
    d = w.shape[0] // heads
    return w.reshape(heads, 2, d // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def llama3_factors(rope, theta, dim):
    """What each frequency is divided by (Llama 3.1): 1 for short waves, `factor` for long, a ramp between."""
    low = rope["original_max_position_embeddings"] / rope["low_freq_factor"]
    high = rope["original_max_position_embeddings"] / rope["high_freq_factor"]
    out = []
    for i in range(0, dim, 2):
        wave = 2 * math.pi * theta ** (i / dim)
        if wave < high:
            out.append(1.0)
        elif wave > low:
            out.append(rope["factor"])
        else:
            smooth = (rope["original_max_position_embeddings"] / wave - rope["low_freq_factor"]) / (
                rope["high_freq_factor"] - rope["low_freq_factor"])
            out.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(out, np.float32)


def add_rope(w, cfg, head_dim):
    w.add_rope_freq_base(cfg["rope_theta"])
    dim = int(head_dim * cfg.get("partial_rotary_factor", 1.0))
    w.add_rope_dimension_count(dim)
    rope = cfg.get("rope_scaling")
    if not rope:
        return
    kind = rope.get("rope_type", rope.get("type"))
    if kind == "linear":
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(rope["factor"])
    elif kind == "yarn":
        w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        w.add_rope_scaling_factor(rope["factor"])
        w.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    elif kind == "llama3":
        w.add_tensor("rope_freqs.weight", llama3_factors(rope, cfg["rope_theta"], dim))
    elif kind == "longrope":
        original = cfg["original_max_position_embeddings"]
        scale = cfg["max_position_embeddings"] / original
        w.add_rope_scaling_orig_ctx_len(original)
        w.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(scale) / math.log(original)) if scale > 1 else 1.0)
        w.add_tensor("rope_factors_long.weight", np.array(rope["long_factor"], np.float32))
        w.add_tensor("rope_factors_short.weight", np.array(rope["short_factor"], np.float32))
    else:
        raise ValueError(kind)


def add_shape(w, cfg):
    heads = cfg["num_attention_heads"]
    head_dim = cfg.get("head_dim", cfg["hidden_size"] // heads)
    w.add_vocab_size(cfg["vocab_size"])
    w.add_context_length(cfg["max_position_embeddings"])
    w.add_embedding_length(cfg["hidden_size"])
    w.add_block_count(cfg["num_hidden_layers"])
    w.add_feed_forward_length(cfg["intermediate_size"])
    w.add_head_count(heads)
    w.add_head_count_kv(cfg["num_key_value_heads"])
    w.add_layer_norm_rms_eps(cfg["rms_norm_eps"])
    if "head_dim" in cfg:
        w.add_key_length(head_dim)
        w.add_value_length(head_dim)
    if cfg.get("sliding_window"):
        w.add_sliding_window(cfg["sliding_window"])
    if "attn_logit_softcapping" in cfg:
        w.add_attn_logit_softcapping(cfg["attn_logit_softcapping"])
        w.add_final_logit_softcapping(cfg["final_logit_softcapping"])
    if experts := cfg.get("num_local_experts", cfg.get("num_experts")):
        w.add_expert_count(experts)
        w.add_expert_used_count(cfg["num_experts_per_tok"])
        if "moe_intermediate_size" in cfg:
            w.add_expert_feed_forward_length(cfg["moe_intermediate_size"])
    add_rope(w, cfg, head_dim)


def add_gpt2_shape(w, cfg):
    w.add_context_length(cfg["n_ctx"])
    w.add_embedding_length(cfg["n_embd"])
    w.add_block_count(cfg["n_layer"])
    w.add_feed_forward_length(4 * cfg["n_embd"])
    w.add_head_count(cfg["n_head"])
    w.add_layer_norm_eps(cfg["layer_norm_epsilon"])


def add_tokenizer(w, arch, tok):
    count = len(tok["tokens"])
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tok["tokens"])
    w.add_token_types([gguf.TokenType.NORMAL] * (count - len(tok["special"])) +
                      [gguf.TokenType.CONTROL] * len(tok["special"]))
    w.add_token_merges(tok["merges"])
    w.add_bos_token_id(tok["bos"])
    w.add_eos_token_id(tok["eos"])
    w.add_pad_token_id(tok["pad"])
    w.add_add_bos_token(tok["add_bos"])
    if tok["chat"]:
        w.add_chat_template(tok["chat"])


def convert(arch, cfg, name, value):
    """One tensor's values as llama.cpp wants them (its name still the Hugging Face one)."""
    if arch == "llama" and re.search(r"\.(q|k)_proj\.", name):
        return pair_neighbours(value, cfg["num_attention_heads" if ".q_proj." in name else "num_key_value_heads"])
    if arch.startswith("gemma") and name.endswith("norm.weight"):
        return value + 1
    if arch == "gpt2" and re.search(r"\.(c_attn|c_proj|c_fc)\.weight$", name):
        return value.T
    return value


def stack_experts(state):
    """Each expert's own matrices become one tensor [experts, n, k]; its name has no number."""
    out, stacks = {}, {}
    for key, value in state.items():
        if found := re.search(r"\.experts\.(\d+)\.", key):
            stacks.setdefault(key.replace(found[0], ".experts."), {})[int(found[1])] = value
        else:
            out[key] = value
    return out | {key: np.stack([s[e] for e in range(len(s))]) for key, s in stacks.items()}


def export(path, cfg, state, tok):
    arch = ARCHS[cfg["model_type"]]
    w = gguf.GGUFWriter(path, arch)
    w.add_type(gguf.GGUFType.MODEL)
    w.add_name("tiny")  # llama.cpp looks for some models' special tokens by this name ("phi3")
    w.add_file_type(gguf.LlamaFileType.ALL_F32)
    layers = cfg.get("num_hidden_layers", cfg.get("n_layer"))
    (add_gpt2_shape if arch == "gpt2" else add_shape)(w, cfg)
    add_tokenizer(w, arch, tok)
    by_arch = next(a for a, n in gguf.MODEL_ARCH_NAMES.items() if n == arch)
    names = gguf.get_tensor_name_map(by_arch, layers)
    for key, value in stack_experts(state).items():
        full = f"transformer.{key}" if arch == "gpt2" else key
        if re.search(r"\.attn\.(masked_)?bias$", full):
            continue
        new = names.get_name(full, try_suffixes=(".weight", ".bias"))
        if new is None:
            raise ValueError(f"no GGUF name for {full}")
        w.add_tensor(new, np.ascontiguousarray(convert(arch, cfg, full, value), dtype=np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
