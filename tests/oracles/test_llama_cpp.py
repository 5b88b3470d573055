"""Same as llama.cpp, on the default model (Gemma 3 270M, Q4_K_M): token ids, logits, greedy tokens, perplexity.

llama.cpp (the xllamacpp wheel) runs live for the logits: 20 prompts, 64 greedy steps each. Ingot is fed
llama.cpp's tokens (--force-tokens), so every step compares the same context. A greedy token may differ only
where llama.cpp's own two best logits are closer than GAP_BOUND; such steps are printed, with their gap, at the
end. The perplexity of llama.cpp takes minutes and is stored in tests/goldens/llama_cpp.json; --live measures
it again and rewrites that file.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import llama_cpp

ROOT = Path(__file__).parents[2]
PROMPTS = [json.loads(line) for line in (ROOT / "tests/data/prompts.jsonl").read_text().splitlines()]
TEXT = ROOT / "tests/data/licences.txt"
STORED = ROOT / "tests/goldens/llama_cpp.json"
STEPS = 64
LOGITS_L2_MAX = 0.01
PERPLEXITY_MAX = 0.003
GAP_BOUND = 0.5
flips = []


@pytest.fixture(scope="module")
def peer(gemma):
    with llama_cpp.Model(gemma) as m:
        yield m
    print(f"\ngreedy tokens that differ ({len(flips)}), with llama.cpp's own top-2 gap:")
    for line in flips:
        print(" ", line)


def arguments(prompt, out):
    return ["-p", prompt["text"], "-n", STEPS, "--temperature", 0, "--raw", "--json", "--ignore-eos",
            "--dump-logits", out]


@pytest.mark.parametrize("prompt", PROMPTS, ids=[p["name"] for p in PROMPTS])
def test_same_tokens_and_logits(prompt, ingot, gemma, peer, tmp_path):
    want_ids = peer.tokenize(prompt["text"])
    greedy, want = peer.greedy(want_ids, STEPS)
    out = tmp_path / "logits.npy"
    answer = json.loads(ingot("run", gemma, *arguments(prompt, out), "--force-tokens", ",".join(map(str, greedy))))
    assert answer["prompt_token_ids"] == want_ids
    got = np.load(out, mmap_mode="r")
    assert got.shape == want.shape and got.dtype == np.float32
    error = np.linalg.norm(got - want, axis=1) / np.linalg.norm(want, axis=1)
    second, best = np.sort(np.partition(want, -2, axis=1)[:, -2:], axis=1).T
    gap = best - second
    differ = np.flatnonzero(got.argmax(axis=1) != np.array(greedy))
    flips.extend(f"{prompt['name']} step {i}: gap {gap[i]:.4f}" for i in differ)
    print(f"{prompt['name']}: relative L2 mean {error.mean():.4f} max {error.max():.4f}, {len(differ)} tokens differ")
    out.unlink()
    assert error.max() <= LOGITS_L2_MAX, f"step {error.argmax()}: relative L2 {error.max():.4f}"
    assert all(gap[i] <= GAP_BOUND for i in differ), [(int(i), float(gap[i])) for i in differ]


def stored_perplexity(gemma, live):
    if live or not STORED.exists():
        with llama_cpp.Model(gemma, n_ctx=512) as m:
            ids = m.tokenize(TEXT.read_text())
            value, scored = m.perplexity(ids)
        STORED.write_text(json.dumps(dict(model=gemma.name, text=TEXT.name, ctx=512, tokens=len(ids), scored=scored,
                                          perplexity=value, llama_cpp=llama_cpp.system_info()), indent=1) + "\n")
    return json.loads(STORED.read_text())


def test_same_perplexity(ingot, gemma, live):
    want = stored_perplexity(gemma, live)
    got = json.loads(ingot("eval", "perplexity", gemma, "-f", TEXT, "--ctx", 512, "--json"))["perplexity"]
    print(f"perplexity: ingot {got:.4f}, llama.cpp {want['perplexity']:.4f} over {want['scored']} scored tokens")
    assert abs(got / want["perplexity"] - 1) <= PERPLEXITY_MAX
