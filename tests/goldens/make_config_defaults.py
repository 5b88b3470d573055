#!/usr/bin/env python3
"""Makes tests/goldens/config_defaults/: what transformers' configuration classes assume for absent fields.

    /tmp/hf/bin/python tests/goldens/make_config_defaults.py        (the environment of make_models.py)

<model_type>.json is the class' default configuration, written out whole. <name>.left_out.json is the config.json of
make_models.py's model <name> without the fields that equal their default; checked here by transformers, which must
read both as the same configuration.
"""

import json
from pathlib import Path

from transformers import AutoConfig

from make_models import MODELS

OUT = Path(__file__).parent / "config_defaults"
FIELDS = """vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim
max_position_embeddings rms_norm_eps rope_theta rope_scaling rope_parameters sliding_window use_sliding_window
max_window_layers layer_types query_pre_attn_scalar attn_logit_softcapping final_logit_softcapping n_embd n_layer n_head
n_inner n_positions layer_norm_epsilon original_max_position_embeddings model_type""".split()


def rotation(config):
    """rope_theta and its relatives as the published files spell them."""
    rope = config.rope_parameters or {}
    if "full_attention" in rope:
        return {"rope_theta": rope["full_attention"]["rope_theta"],
                "rope_local_base_freq": rope["sliding_attention"]["rope_theta"], "sliding_window_pattern": 6}
    return {"rope_theta": rope["rope_theta"]} if "rope_theta" in rope else {}


def write(name, values):
    (OUT / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n")


def main():
    OUT.mkdir(exist_ok=True)
    for kind in sorted({m["model_type"] for m in MODELS.values()}):
        # A window that is switched off is not shown.
        extra = {"use_sliding_window": True} if kind.startswith("qwen") else {}
        values = AutoConfig.for_model(kind, **extra).to_dict()
        write(kind, {k: values[k] for k in FIELDS if k in values})
    for name, written in MODELS.items():
        config = AutoConfig.for_model(written["model_type"])
        default = config.to_dict() | (rotation(config) if hasattr(config, "rope_parameters") else {})
        left = {k: v for k, v in written.items() if k == "model_type" or k not in default or default[k] != v}
        if len(left) == len(written):
            continue
        a, b = (AutoConfig.for_model(**c).to_dict() for c in (written, left))
        differ = {k for k in a if a[k] != b.get(k)} - {"sliding_window_pattern"}  # kept as written; layer_types counts
        if differ:
            raise RuntimeError(f"{name}: {differ}")
        write(f"{name}.left_out", left)
        print(f"{name}: without {', '.join(sorted(set(written) - set(left)))}")


if __name__ == "__main__":
    main()
