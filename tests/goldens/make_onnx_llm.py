#!/usr/bin/env python3
"""Makes tests/goldens/onnx_llm/: tiny decoders as ONNX Runtime GenAI ships them, with what ONNX Runtime computes.

    python3 -m venv /tmp/hf && /tmp/hf/bin/pip install -r tests/goldens/requirements.txt
    /tmp/hf/bin/pip install onnxruntime-genai==0.18.0 onnxruntime==1.32.0 onnx==1.23.2 onnx_ir==1.1.0
    /tmp/hf/bin/python tests/goldens/make_onnx_llm.py [NAME ...]

One folder a model, as onnxruntime_genai.models.builder writes it from the model of that name in tests/goldens/models:
model.onnx, model.onnx.data, genai_config.json, tokenizer.json, tokenizer_config.json; and the golden, golden.json:
"tokens": 24 token ids, "logits": what the graph gives for the last of them in one run from an empty cache, "greedy":
the 16 tokens of largest logit that follow, run step by step with the caches that the graph gives back. Quantized
products are computed from f32 activations (accuracy_level 0): what the weights say, not what a kernel rounds. Caches
are run at their whole length, not as rings of the window's size (sliding_window_cache), which holds the same.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

HERE = Path(__file__).parent
OUT = HERE / "onnx_llm"
# name: source, precision, execution provider, layers
MODELS = {
    "qwen3_f32": ("qwen3", "fp32", "cpu", 2),    # norms on heads, embeddings shared with the head
    "qwen3_int4": ("qwen3", "int4", "cpu", 2),   # MatMulNBits, GatherBlockQuantized
    "gemma2_f32": ("gemma2", "fp32", "cpu", 2),  # a window in the first layer, both caps
    "llama_f16": ("llama", "fp16", "cuda", 1),   # f16 weights, activations and caches
}
PROMPT, NEW = 24, 16


def build(name):
    source, precision, provider, layers = MODELS[name]
    shutil.rmtree(OUT / name, ignore_errors=True)
    with tempfile.TemporaryDirectory() as cache:
        subprocess.run([sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", HERE / "models" / source,
                        "-o", OUT / name, "-p", precision, "-e", provider, "-c", cache,
                        "--extra_options", f"num_hidden_layers={layers}"], check=True)


def exact_session(folder):
    """The model with the changes that the head of this file names."""
    model = onnx.load(folder / "model.onnx")  # with its external data
    for node in model.graph.node:
        for a in node.attribute:
            if a.name in ("accuracy_level", "sliding_window_cache"):
                a.i = 0
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run(session, tokens, caches):
    """Logits [S, V] of the tokens, and the caches with them."""
    inputs = {i.name: i for i in session.get_inputs()}
    past = caches["past_key_values.0.key"].shape[2] if caches else 0
    feeds = {"input_ids": np.array([tokens], np.int64),
             "attention_mask": np.ones((1, past + len(tokens)), np.int64)}
    if "position_ids" in inputs:
        feeds["position_ids"] = np.arange(past, past + len(tokens), dtype=np.int64)[None]
    for key, i in inputs.items():
        if key.startswith("past_key_values"):
            dtype = np.float16 if "float16" in i.type else np.float32
            feeds[key] = caches[key] if caches else np.zeros((1, i.shape[1], 0, 16), dtype)
    names = [o.name for o in session.get_outputs()]
    out = dict(zip(names, session.run(names, feeds)))
    return out["logits"][0].astype(np.float32), {k.replace("present", "past_key_values"): v for k, v in out.items()
                                                 if k.startswith("present")}


def make(name):
    build(name)
    folder = OUT / name
    session = exact_session(folder)
    tokens = json.loads((HERE / "models" / MODELS[name][0] / "tokens.json").read_text())["token_ids"][:PROMPT]
    logits, caches = run(session, tokens, {})
    golden = {"tokens": tokens, "logits": [round(float(x), 6) for x in logits[-1]], "greedy": []}
    whole = list(tokens)
    for _ in range(NEW):
        golden["greedy"].append(int(np.argmax(logits[-1])))
        whole.append(golden["greedy"][-1])
        logits, caches = run(session, whole[-1:], caches)
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    print(name, sum(f.stat().st_size for f in folder.iterdir()), "bytes", golden["greedy"])


for each in sys.argv[1:] or MODELS:
    make(each)
