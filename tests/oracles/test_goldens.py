"""The tiny models of tests/goldens/models: llama.cpp, given the F32 GGUF, agrees with transformers' logits.

This proves the files that the C++ tests load, not Ingot: a wrong GGUF would make a wrong engine look right.
Where llama.cpp leaves out the sliding window (arch llama and phi3), only the positions inside it can agree.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import llama_cpp

MODELS = Path(__file__).parents[1] / "goldens" / "models"
HALF_GELU = {"gemma2", "gemma3", "gpt2"}  # llama.cpp looks GELU up in a table of 16-bit floats
WINDOW_IGNORED = {"mistral": 24, "phi3": 24}


@pytest.mark.parametrize("name", sorted(p.parent.name for p in MODELS.glob("*/model.gguf")))
def test_llama_cpp_gives_the_logits_of_transformers(name):
    folder = MODELS / name
    ids = json.loads((folder / "tokens.json").read_text())["token_ids"]
    want = np.load(folder / "logits.npy")[:WINDOW_IGNORED.get(name)]
    with llama_cpp.Model(folder / "model.gguf", n_ctx=128, flash_attn=0, kv_type=llama_cpp.F32) as m:
        got = m.feed(ids, range(len(ids)))[:len(want)]
    error = np.linalg.norm(got - want, axis=1) / np.linalg.norm(want, axis=1)
    assert error.max() < (1e-3 if name in HALF_GELU else 1e-4), f"position {error.argmax()}: relative L2 {error.max():.2e}"
