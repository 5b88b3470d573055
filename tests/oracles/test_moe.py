"""Mixtures of experts against llama.cpp, live: random models of Mixtral's and Qwen3-MoE's shape, quantized.

Every file is compared with what llama.cpp makes of the same weights decoded to F32, where nothing is rounded: Ingot on
that F32 file is within 1 % of it, and on the quantized file as near to it as llama.cpp is, within ROUNDING_SLACK (means
over the steps). Rounding sends a row to another expert now and then, and every later row attends to it; llama.cpp
itself, with and without flash attention, differs in which rows those are, so the farther of the two counts.
"""

import json
import sys

import numpy as np
import pytest

import llama_cpp
from f32_copy import write_f32_copy
from test_llama_cpp import ROOT, ROUNDING_SLACK, relative_l2
from test_quantize import write_model

sys.path.insert(0, str(ROOT / "bench"))
import make_random_gguf  # noqa: E402

STEPS = 40
TOKENS = np.random.default_rng(3).integers(3, 300, STEPS).tolist()
SHAPES = {"mixtral": make_random_gguf.Shape(3, 256, 512, 8, 4, 8, 2),
          "qwen3moe": make_random_gguf.Shape(3, 256, 256, 4, 2, 24, 4, "qwen3moe")}


def logits_of_ingot(ingot, path, tmp_path):
    """The prompt's ids, and the logits of the steps along TOKENS."""
    out = tmp_path / "logits.npy"
    answer = json.loads(ingot("run", path, "-p", "experts", "-n", STEPS, "--temperature", 0, "--raw", "--json", "--ctx", 64,
                              "--ignore-eos", "--dump-logits", out, "--force-tokens", ",".join(map(str, TOKENS))))
    return answer["prompt_token_ids"], np.load(out)


def logits_of_llama_cpp(path, prompt, **options):
    fed = prompt + TOKENS[:-1]
    with llama_cpp.Model(path, n_ctx=64, **options) as m:
        return m.feed(fed, range(len(prompt) - 1, len(fed)))


def check(ingot, path, tmp_path):
    exact = tmp_path / "exact.gguf"
    write_f32_copy(path, exact)
    prompt, plain = logits_of_ingot(ingot, exact, tmp_path)
    want = logits_of_llama_cpp(exact, prompt, flash_attn=0, kv_type=llama_cpp.F32)
    assert relative_l2(plain, want).max() < 0.01
    ours = relative_l2(logits_of_ingot(ingot, path, tmp_path)[1], want)
    theirs = max((relative_l2(logits_of_llama_cpp(path, prompt, **options), want)
                  for options in ({}, dict(flash_attn=0, kv_type=llama_cpp.F32))), key=np.mean)
    print(f"{path.stem}: F32 {relative_l2(plain, want).max():.1e}; quantized, ingot {ours.mean():.4f}, "
          f"llama.cpp {theirs.mean():.4f}")
    assert ours.mean() <= ROUNDING_SLACK * theirs.mean()


@pytest.mark.parametrize("kind", ["Q4_0", "Q8_0", "Q4_K_M", "Q6_K"])
@pytest.mark.parametrize("shape", SHAPES)
def test_logits_are_as_near_to_exact_ones_as_those_of_llama_cpp(shape, kind, ingot, tmp_path):
    path = tmp_path / f"{shape}-{kind}.gguf"
    make_random_gguf.write(path, kind, SHAPES[shape])
    check(ingot, path, tmp_path)


def test_a_quantized_and_a_compiled_file_run(ingot, tmp_path):
    model = write_model(tmp_path / "model.gguf", layers=3, experts=4)
    ingot("quantize", model, tmp_path / "q.gguf", "--type", "Q4_K_M")
    check(ingot, tmp_path / "q.gguf", tmp_path)
    ingot("compile", tmp_path / "q.gguf", "-o", tmp_path / "q.ingot")
    gguf, engine = (logits_of_ingot(ingot, tmp_path / name, tmp_path)[1] for name in ("q.gguf", "q.ingot"))
    assert np.array_equal(gguf, engine)
