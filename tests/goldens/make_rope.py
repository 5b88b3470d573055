#!/usr/bin/env python3
"""Makes tests/goldens/rope.json and models/phi3_longrope/logits_short.npy: rotary frequencies by transformers.

    python3 -m venv /tmp/hf && /tmp/hf/bin/pip install -r tests/goldens/requirements.txt
    /tmp/hf/bin/python tests/goldens/make_rope.py

rope.json: a list of {"config": a config.json, "context": tokens that one run sees, "inv_freq": [...], "scale": what
multiplies cos and sin}. logits_short.npy: the first tokens of tokens.json, as many as the model's original context.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

HERE = Path(__file__).parent
BASE = dict(hidden_size=64, num_attention_heads=4, num_hidden_layers=2, max_position_embeddings=256, head_dim=16)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64)
LONG = dict(type="longrope", short_factor=[1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7],
            long_factor=[2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5])


def llama(**scaling):
    return BASE | dict(model_type="llama", rope_theta=10000.0, rope_scaling=scaling)


def phi3(**more):
    return BASE | dict(model_type="phi3", rope_theta=10000.0, original_max_position_embeddings=64, pad_token_id=0,
                       rope_scaling=LONG) | more


def gemma3(**scaling):
    return BASE | dict(model_type="gemma3_text", rope_theta=1e6, rope_local_base_freq=10000.0, rope_scaling=scaling)


CASES = [
    (llama(rope_type="linear", factor=4.0), 256),
    (llama(**YARN), 256),
    (llama(**YARN, mscale=0.707, mscale_all_dim=1.3), 256),
    (llama(**YARN, mscale=2.0), 256),
    (llama(**YARN, mscale=0.707, mscale_all_dim=1.3, attention_factor=0.9), 256),
    (llama(**YARN, truncate=False), 256),
    (llama(**YARN, truncate=False, beta_fast=20, beta_slow=2), 256),
    (llama(**YARN | dict(factor=None)), 256),
    (llama(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
           original_max_position_embeddings=64), 256),
    (phi3(), 64),
    (phi3(), 65),
    (phi3(max_position_embeddings=64), 64),
    (gemma3(rope_type="linear", factor=8.0), 256),
    (gemma3(**YARN), 256),
    (gemma3(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
            original_max_position_embeddings=64), 256),
]


def frequencies(text, context):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(text))
        config = AutoConfig.from_pretrained(folder)
    layers = dict(layer_type="full_attention") if text["model_type"].startswith("gemma3") else {}
    scaling = text["rope_scaling"]
    kind = scaling.get("rope_type") or scaling["type"]
    inv_freq, scale = ROPE_INIT_FUNCTIONS[kind](config, torch.device("cpu"), seq_len=context, **layers)
    return dict(config=text, context=context, inv_freq=[float(x) for x in inv_freq], scale=float(scale))


def main():
    lines = [json.dumps(frequencies(*case)) for case in CASES]
    (HERE / "rope.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    folder = HERE / "models" / "phi3_longrope"
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    count = json.loads((folder / "config.json").read_text())["original_max_position_embeddings"]
    ids = json.loads((folder / "tokens.json").read_text())["token_ids"][:count]
    with torch.no_grad():
        np.save(folder / "logits_short.npy", model(torch.tensor([ids])).logits[0].numpy().astype(np.float32))


if __name__ == "__main__":
    main()
