#!/usr/bin/env python3
"""Makes tests/goldens/models/: tiny seeded models with the logits that transformers gives for them.

    python3 -m venv /tmp/hf && /tmp/hf/bin/pip install -r tests/goldens/requirements.txt
    /tmp/hf/bin/python tests/goldens/make_models.py [NAME ...]

One folder a model: config.json, model.safetensors, tokenizer.json, tokenizer_config.json (a Hugging Face
folder), model.gguf (the same weights, F32, llama.cpp's names and layout; see export_gguf.py), and the golden:
tokens.json {"token_ids": [64]}, logits.npy [64, V] f32, hidden.npy [L + 1, 64, E] f32 (the embeddings, then
the output of each layer; the last one after the final norm). Weights are drawn by numpy in the order of their
sorted names, so they depend on no library version; norms and biases are random too, so that forgetting one
shows. config.json is written as the published models have it (rope_theta, rope_scaling); config_v5.json is
the same in the form that transformers 5 writes (rope_parameters).
"""

import json
import re
import shutil
import sys
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM

import export_gguf

OUT = Path(__file__).parent / "models"
POSITIONS = 64
SPECIAL = ["<bos>", "<eos>", "<pad>", "<turn>"]
MERGES = ["t h", "Ġ a", "th e", "i n", "Ġ th", "e r", "Ġ s", "o u", "Ġ w", "Ġa n", "Ġ c", "r e"]
VOCAB = 256 + len(MERGES) + len(SPECIAL)
BOS, EOS, PAD = VOCAB - 4, VOCAB - 3, VOCAB - 2
CHAT = "{{ bos_token }}{% for m in messages %}<turn>{{ m.role }}\n{{ m.content }}<eos>\n{% endfor %}" \
       "{% if add_generation_prompt %}<turn>assistant\n{% endif %}"

COMMON = dict(vocab_size=VOCAB, bos_token_id=BOS, eos_token_id=EOS, torch_dtype="float32", hidden_size=32,
              intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
              max_position_embeddings=128, tie_word_embeddings=False)
LLAMA = COMMON | dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_act="silu", head_dim=16,
                      rms_norm_eps=1e-5, rope_theta=10000.0)
QWEN3 = COMMON | dict(architectures=["Qwen3ForCausalLM"], model_type="qwen3", hidden_act="silu", head_dim=16,
                      rms_norm_eps=1e-6, rope_theta=1000000.0, attention_bias=False, tie_word_embeddings=True)
QWEN3_EXPERTS = dict(architectures=["Qwen3MoeForCausalLM"], model_type="qwen3_moe", num_experts=6,
                     num_experts_per_tok=3, moe_intermediate_size=16, decoder_sparse_step=1, mlp_only_layers=[])
GEMMA = COMMON | dict(hidden_activation="gelu_pytorch_tanh", head_dim=16, query_pre_attn_scalar=16,
                      rms_norm_eps=1e-6, tie_word_embeddings=True, attention_bias=False)
PHI3 = COMMON | dict(architectures=["Phi3ForCausalLM"], model_type="phi3", hidden_act="silu", rms_norm_eps=1e-5,
                     num_attention_heads=2, num_key_value_heads=1, rope_theta=10000.0, pad_token_id=PAD)

MODELS = {
    # Llama 1 and 2: as many kv heads as heads, own output matrix.
    "llama": LLAMA | dict(num_key_value_heads=4),
    # Llama 3.x: GQA, scaled frequencies (all three bands occur at head_dim 16), shared embeddings (3.2).
    "llama3": LLAMA | dict(rope_theta=50000.0, tie_word_embeddings=True, rope_scaling=dict(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=128), max_position_embeddings=1024),
    # Linear scaling, biases on every projection (as some llama-shaped models have).
    "llama_linear_bias": LLAMA | dict(rope_scaling=dict(type="linear", factor=4.0), attention_bias=True),
    "mistral": LLAMA | dict(architectures=["MistralForCausalLM"], model_type="mistral", sliding_window=24),
    "qwen2": COMMON | dict(architectures=["Qwen2ForCausalLM"], model_type="qwen2", hidden_act="silu",
                           num_attention_heads=2, num_key_value_heads=1, rms_norm_eps=1e-6,
                           rope_theta=1000000.0, use_sliding_window=False),
    # Layers 0 and 1 see all positions, layer 2 only 24. GGUF cannot say that: no model.gguf.
    "qwen2_window": COMMON | dict(architectures=["Qwen2ForCausalLM"], model_type="qwen2", hidden_act="silu",
                                  num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=3,
                                  rms_norm_eps=1e-6, rope_theta=1000000.0, use_sliding_window=True,
                                  sliding_window=24, max_window_layers=2),
    "qwen3": QWEN3,
    "qwen3_yarn": QWEN3 | dict(rope_theta=10000.0, rope_scaling=dict(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=32)),
    "mixtral": LLAMA | dict(architectures=["MixtralForCausalLM"], model_type="mixtral", intermediate_size=24,
                            num_local_experts=5, num_experts_per_tok=2, sliding_window=None),
    "qwen3moe": QWEN3 | QWEN3_EXPERTS | dict(norm_topk_prob=True),
    # Layer 0 has no experts, and the weights of the chosen ones do not sum to 1. GGUF cannot say that: no model.gguf.
    "qwen3moe_mixed": QWEN3 | QWEN3_EXPERTS | dict(mlp_only_layers=[0], norm_topk_prob=False),
    # Layers 0 and 2 see 24 positions, layer 1 all; both caps low enough to bend the numbers.
    "gemma2": GEMMA | dict(architectures=["Gemma2ForCausalLM"], model_type="gemma2", num_hidden_layers=3,
                           rope_theta=10000.0, sliding_window=24, attn_logit_softcapping=3.0,
                           final_logit_softcapping=6.0),
    # Layer 5 sees all positions with its own frequencies, scaled; the others 24 with the local ones.
    "gemma3": GEMMA | dict(architectures=["Gemma3ForCausalLM"], model_type="gemma3_text", num_hidden_layers=6,
                           num_attention_heads=2, num_key_value_heads=1, intermediate_size=40,
                           rope_theta=1000000.0, rope_local_base_freq=10000.0, sliding_window=24,
                           sliding_window_pattern=6, rope_scaling=dict(rope_type="linear", factor=8.0)),
    "phi3": PHI3 | dict(sliding_window=24, original_max_position_embeddings=128),
    # 64 positions are past the original 32: the long factors apply.
    "phi3_longrope": PHI3 | dict(original_max_position_embeddings=32, partial_rotary_factor=0.75, rope_scaling=dict(
        type="longrope", short_factor=[1.0, 1.05, 1.1, 1.2, 1.3, 1.4],
        long_factor=[1.1, 1.4, 2.0, 3.1, 4.5, 6.0])),
    "gpt2": dict(architectures=["GPT2LMHeadModel"], model_type="gpt2", vocab_size=VOCAB, n_embd=32, n_head=2,
                 n_layer=2, n_positions=128, n_ctx=128, activation_function="gelu_new",
                 layer_norm_epsilon=1e-5, bos_token_id=EOS, eos_token_id=EOS, torch_dtype="float32"),
}


HUGGING_FACE_ONLY = {"qwen2_window", "qwen3moe_mixed"}


def byte_symbols():
    """GPT-2's printable stand-ins of the 256 bytes, in byte order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(rest)) for b in range(256)]


def tokens():
    return byte_symbols() + [m.replace(" ", "") for m in MERGES] + SPECIAL


def write_tokenizer(folder, adds_bos):
    merges = [tuple(m.split(" ")) for m in MERGES]
    vocab = {t: i for i, t in enumerate(tokens()[:-len(SPECIAL)])}
    tok = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tok.decoder = decoders.ByteLevel()
    tok.add_special_tokens(SPECIAL)
    if adds_bos:
        from tokenizers.processors import TemplateProcessing
        tok.post_processor = TemplateProcessing(single="<bos> $A", pair="<bos> $A $B", special_tokens=[("<bos>", BOS)])
    tok.save(str(folder / "tokenizer.json"))
    config = dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<bos>" if adds_bos else "<eos>",
                  eos_token="<eos>", pad_token="<pad>", model_max_length=128, clean_up_tokenization_spaces=False)
    if folder.name == "llama3":
        config["chat_template"] = CHAT
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")


def draw_weights(model, name):
    """Random values for every parameter; scales chosen so that attention is neither flat nor one-hot."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    gemma = name.startswith("gemma")
    for key, p in sorted(model.named_parameters()):
        v = rng.standard_normal(tuple(p.shape)).astype(np.float32)
        if p.ndim == 1:
            is_norm = "norm" in key or ".ln_" in key
            v = v * 0.3 + (1.0 if is_norm and key.endswith("weight") and not gemma else 0.0)
        elif "embed" in key or "wte" in key or "wpe" in key:
            v *= 0.35 if gemma else 0.8
        else:
            fan_in = p.shape[0] if "gpt2" in name else p.shape[-1]
            v *= 1.5 / np.sqrt(fan_in)
        with torch.no_grad():
            p.copy_(torch.from_numpy(v.astype(np.float32)))


def published(kind, state):
    """The tensors as the published files name them: each expert's own, which transformers 5 stacks when it loads."""
    out = {}
    for key, value in state.items():
        if kind == "mixtral":
            key = key.replace(".mlp.", ".block_sparse_moe.")
        if not re.search(r"\.experts\.(gate_up|down)_proj$", key):
            out[key] = value
            continue
        gate, up, down = ("w1", "w3", "w2") if kind == "mixtral" else ("gate_proj", "up_proj", "down_proj")
        stem = key[:key.rindex(".")]
        for e, matrix in enumerate(value):
            parts = {gate: matrix.chunk(2)[0], up: matrix.chunk(2)[1]} if "gate_up" in key else {down: matrix}
            out |= {f"{stem}.{e}.{part}.weight": v.clone().contiguous() for part, v in parts.items()}
    return out


def make(name):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(MODELS[name], indent=1) + "\n")
    config = AutoConfig.from_pretrained(folder)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    draw_weights(model, name)
    tied = {"lm_head.weight"} if config.tie_word_embeddings else set()
    state = {k: v.detach().clone().contiguous() for k, v in model.state_dict().items() if k not in tied}
    if name == "gpt2":  # as published: without the prefix, with the mask buffers left out
        state = {k.removeprefix("transformer."): v for k, v in state.items()}
    state = published(MODELS[name]["model_type"], state)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    adds_bos = name.startswith(("llama", "mistral", "mixtral", "gemma", "phi3"))
    write_tokenizer(folder, adds_bos)
    config.architectures = MODELS[name]["architectures"]
    config.to_json_file(folder / "config_v5.json", use_diff=True)

    # The golden runs what was saved, not what was drawn: a key that does not load would show here.
    reloaded, info = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32,
                                                          output_loading_info=True)
    if any(k for k in info["missing_keys"] if k not in tied) or info["unexpected_keys"]:
        raise RuntimeError(f"{name}: {info}")
    ids = np.random.default_rng(1).integers(0, 256, POSITIONS).tolist()
    ids[0] = BOS if adds_bos else ids[0]
    with torch.no_grad():
        out = reloaded.eval()(torch.tensor([ids]), output_hidden_states=True)
        other = model.eval()(torch.tensor([ids])).logits[0].numpy()
    logits = out.logits[0].numpy().astype(np.float32)
    if np.abs(logits - other).max() > 1e-5:
        raise RuntimeError(f"{name}: the saved weights give other logits than those drawn")
    np.save(folder / "logits.npy", logits)
    np.save(folder / "hidden.npy", np.stack([h[0].numpy() for h in out.hidden_states]).astype(np.float32))
    (folder / "tokens.json").write_text(json.dumps({"token_ids": ids}) + "\n")

    if name not in HUGGING_FACE_ONLY:
        export_gguf.export(folder / "model.gguf", MODELS[name], {k: v.numpy() for k, v in state.items()},
                           dict(tokens=tokens(), merges=MERGES, special=SPECIAL, bos=BOS if adds_bos else EOS, eos=EOS,
                                pad=PAD, add_bos=adds_bos, chat=CHAT if name == "llama3" else None))
    size = sum(f.stat().st_size for f in folder.iterdir())
    probs = torch.softmax(out.logits[0], -1).max(-1).values
    print(f"{name:18} {size / 1000:6.0f} kB  |logits| {np.abs(logits).mean():.2f}  top p {float(probs.mean()):.2f}")


def main():
    torch.manual_seed(0)
    for name in sys.argv[1:] or MODELS:
        make(name)


if __name__ == "__main__":
    main()
