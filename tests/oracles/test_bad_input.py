"""Input that is wrong in one known way: the message names what is wrong, the value and what to do.

Random damage is test_bad_input_random.py's; what a run must keep to is bad_input.py's.
"""

import json
import shutil
import struct
import subprocess

import gguf
import numpy as np
import pytest

import bad_input
from bad_input import MODELS
from test_bad_input_random import RUN, split_model

TINY = MODELS / "llama" / "model.gguf"
CHAT = MODELS / "llama3"


def rewrite(target, source=TINY, drop=(), keys={}, tensors={}):
    """A copy of a GGUF: without tensors or keys in `drop`, other values in `keys` and `tensors`."""
    reader = gguf.GGUFReader(source)
    arch = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(target, keys.get("general.architecture", arch))
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture" or key in drop:
            continue
        value, kind = field.contents(), field.types[0]
        sub = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        if key in keys:
            value = keys[key]
            if isinstance(value, float):
                kind = gguf.GGUFValueType.FLOAT32
            elif isinstance(value, str):
                kind = gguf.GGUFValueType.STRING
            elif isinstance(value, int):
                kind = gguf.GGUFValueType.INT32
        writer.add_key_value(key, value, kind, sub)
    for key, value in keys.items():
        if key not in reader.fields:
            writer.add_key_value(key, value, {float: gguf.GGUFValueType.FLOAT32, str: gguf.GGUFValueType.STRING,
                                              int: gguf.GGUFValueType.INT32}[type(value)])
    for tensor in reader.tensors:
        if tensor.name not in drop:
            writer.add_tensor(tensor.name, tensors.get(tensor.name, np.array(tensor.data)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def tensor_table(path):
    """Offsets in the file of each tensor's record: {name: (dims at, type at, offset at)}."""
    data, table = path.read_bytes(), {}
    for tensor in gguf.GGUFReader(path).tensors:
        name = tensor.name.encode()
        at = data.index(struct.pack("<Q", len(name)) + name) + 8 + len(name)
        rank = struct.unpack_from("<I", data, at)[0]
        table[tensor.name] = (at + 4, at + 4 + 8 * rank, at + 8 + 8 * rank)
    return table


def patched(target, *patches, source=TINY):
    data = bytearray(source.read_bytes())
    for at, new in patches:
        data[at:at + len(new)] = new
    target.write_bytes(data)
    return target


def u64(v):
    return struct.pack("<Q", v)


# ---- containers


@pytest.mark.parametrize("head, names", [
    (b"GGUX", ["none of the known formats", ".gguf"]),
    (b"FUGG", ["big-endian", "convert"]),
    (b"PK\x03\x04", ["zip", "safetensors"]),
    (b"\x08\x08\x12\x04", ["ONNX", "ingot infer"]),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", ["Git LFS", "git lfs pull"]),
    (b"<!DOCTYPE html><html>", ["web page", "download"]),
    (b"\0\0\0\0\0\0\0\0", ["zeros", "download"]),
])
def test_a_file_of_another_kind_is_named_with_what_to_do(program, tmp_path, head, names):
    path = tmp_path / "model.gguf"
    path.write_bytes(head + TINY.read_bytes()[len(head):] if not head.startswith((b"\0", b"v", b"<")) else head)
    program.fails("run", path, *RUN, names=["model.gguf", *names])


@pytest.mark.parametrize("at, new, names", [
    (4, struct.pack("<I", 1), ["version 1", "convert"]),
    (4, struct.pack("<I", 77), ["version 77"]),
    (8, u64(2**63), ["9223372036854775808", "tensor"]),
    (8, u64(2**20 - 1), ["1048575"]),
    (16, u64(2**62), ["4611686018427387904"]),
    (16, u64(2**20 - 1), ["1048575"]),
    (24, u64(2**40), ["1099511627776"]),
])
def test_absurd_counts_and_sizes_are_refused_with_the_number(program, tmp_path, at, new, names):
    program.fails("run", patched(tmp_path / "m.gguf", (at, new)), *RUN, names=["m.gguf", *names])


def test_tensors_out_of_range_overlapping_or_misaligned(program, tmp_path):
    table = tensor_table(TINY)
    name, other = "blk.0.attn_q.weight", "blk.0.attn_k.weight"
    dims, kind, offset = table[name]
    path = tmp_path / "m.gguf"
    other_offset = struct.unpack_from("<Q", TINY.read_bytes(), table[other][2])[0]
    for patch, names in (
        ((offset, u64(2**40)), ["1099511627776", name]),
        ((offset, u64(2**64 - 32)), [name]),
        ((offset, u64(other_offset)), [name, other]),
        ((offset, u64(33)), ["33", name]),
        ((dims, u64(2**62)), ["4611686018427387904", name]),
        ((dims, u64(0)), ["0", name]),
        ((dims, u64(33)), [name]),
        ((kind, struct.pack("<I", 200)), ["200", name]),
    ):
        program.fails("run", patched(path, patch), *RUN, names=["m.gguf", *names])


@pytest.mark.parametrize("model", ["llama", "gemma3", "gpt2", "phi3", "qwen3"])
def test_each_missing_tensor_is_named(program, tmp_path, model):
    source = MODELS / model / "model.gguf"
    for tensor in gguf.GGUFReader(source).tensors:
        path = rewrite(tmp_path / "m.gguf", source, drop=[tensor.name])
        done = program.run("run", path, *RUN)
        # A bias, a tied output matrix or a norm that other members of the family lack may be absent.
        if done.code == 0 and (tensor.name.endswith(".bias") or tensor.name in ("output.weight", "rope_freqs.weight")):
            continue
        program.fails("run", path, *RUN, names=[tensor.name, "missing", "convert or download"])


def test_shapes_that_contradict_the_metadata(program, tmp_path):
    path = tmp_path / "m.gguf"
    for name, array, names in (
        ("blk.0.attn_q.weight", np.zeros((64, 30), np.float32), ["[64,30]", "[64,32]"]),
        ("blk.0.attn_norm.weight", np.zeros(7, np.float32), ["[7]", "[32]"]),
        ("blk.1.ffn_down.weight", np.zeros(48 * 32, np.float32), ["[1536]", "[32,48]"]),
        ("token_embd.weight", np.zeros((272, 16), np.float32), ["[272,16]", "[272,32]"]),
    ):
        rewrite(path, tensors={name: array})
        program.fails("run", path, *RUN, names=[name, *names])


@pytest.mark.parametrize("key, value, names", [
    ("llama.block_count", 0, ["must be at least 1"]),
    ("llama.block_count", 100000, ["100000", "4096"]),
    ("llama.block_count", 3, []),
    ("llama.embedding_length", 0, ["must be at least 1"]),
    ("llama.embedding_length", -5, ["-5"]),
    ("llama.attention.head_count", 0, ["must be at least 1"]),
    ("llama.attention.head_count", 5, ["llama.attention.head_count_kv", "4", "5"]),
    ("llama.attention.head_count_kv", 3, ["3", "4 attention heads"]),
    ("llama.attention.head_count_kv", 0, ["0"]),
    ("llama.attention.key_length", 0, ["[2, 4096]"]),
    ("llama.attention.key_length", 100000, ["100000"]),
    ("llama.rope.dimension_count", 15, ["15", "even"]),
    ("llama.rope.dimension_count", 18, ["18", "16"]),
    ("llama.rope.freq_base", float("nan"), ["nan", "finite"]),
    ("llama.rope.freq_base", -1.0, ["-1"]),
    ("llama.rope.freq_base", float("inf"), ["inf", "finite"]),
    ("llama.attention.layer_norm_rms_epsilon", float("nan"), ["nan", "finite"]),
    ("llama.attention.layer_norm_rms_epsilon", -1.0, ["-1"]),
    ("llama.context_length", 0, ["must be at least 1"]),
    ("llama.context_length", "many", ["many"]),
    ("llama.feed_forward_length", 0, []),
    ("llama.rope.scaling.type", "spiral", ["spiral", "yarn"]),
    ("llama.rope.scaling.factor", -2.0, ["-2"]),
    ("general.architecture", "mamba9", ["mamba9", "llama"]),
])
def test_wrong_hyperparameters_are_named(program, tmp_path, key, value, names):
    path = rewrite(tmp_path / "m.gguf", keys={key: value})
    if key == "llama.block_count" and value == 3:
        names = ["blk.2."]
    elif key == "llama.feed_forward_length":
        names = ["ffn_", "metadata"]
    elif key != "general.architecture" and "head_count_kv" not in str(names):
        names = [key.replace("llama.rope.scaling.type", "scaling").replace("llama.rope.scaling.factor", "rope.scaling.factor"), *names]
    program.fails("run", path, *RUN, names=names)


def test_config_json_says_what_is_wrong(program, tmp_path):
    folder = tmp_path / "hf"
    shutil.copytree(CHAT, folder)
    config = json.loads((CHAT / "config.json").read_text())
    for key, value, names in (
        ("num_attention_heads", 0, ["num_attention_heads", "at least 1"]),
        ("num_key_value_heads", 3, ["num_key_value_heads", "3"]),
        ("hidden_size", "big", ["hidden_size", "big"]),
        ("hidden_size", None, ["embed_tokens", "4096"]),  # what transformers assumes, and not what the file holds
        ("rms_norm_eps", -1, ["rms_norm_eps", "-1"]),
        ("model_type", "mamba9", ["mamba9", "llama"]),
        (("model_type", "architectures"), None, ["model_type"]),
        ("head_dim", 15, ["15"]),
        ("max_position_embeddings", -1, ["max_position_embeddings", "-1"]),
    ):
        keys = key if isinstance(key, tuple) else (key,)
        (folder / "config.json").write_text(json.dumps({**config, **dict.fromkeys(keys, value)}))
        program.fails("run", folder, *RUN, names=names)
    (folder / "config.json").unlink()
    program.fails("run", folder, *RUN, names=["config.json"])
    program.fails("inspect", tmp_path, names=[tmp_path.name])


def test_a_part_of_a_split_is_missing(program, tmp_path):
    parts = split_model(TINY, tmp_path)
    parts[1].unlink()
    program.fails("run", parts[0], *RUN, names=[parts[1].name])


def test_a_shard_is_missing(program, tmp_path):
    from test_bad_input_random import shard

    shard(CHAT, tmp_path / "s")
    (tmp_path / "s" / "model-00002-of-00002.safetensors").unlink()
    program.fails("run", tmp_path / "s", *RUN, names=["model-00002-of-00002.safetensors", "download"])


# ---- tokenizer, template, prompt


def test_a_missing_or_broken_tokenizer(program, tmp_path):
    path = tmp_path / "m.gguf"
    for drop, keys, names in (
        (["tokenizer.ggml.model"], {}, ["tokenizer.ggml.model"]),
        (["tokenizer.ggml.tokens"], {}, ["tokenizer.ggml.tokens"]),
        (["tokenizer.ggml.merges"], {}, ["tokenizer.ggml.merges"]),
        ([], {"tokenizer.ggml.model": "telepathy"}, ["telepathy"]),
    ):
        rewrite(path, drop=drop, keys=keys)
        program.fails("run", path, *RUN, names=names)
    folder = tmp_path / "hf"
    shutil.copytree(CHAT, folder)
    for text, names in ((None, ["tokenizer.json"]), ("{", ["tokenizer.json"]), ("[]", ["tokenizer.json"]), ('{"model":{"type":"Magic","vocab":{"a":0}}}', ["Magic"])):
        (folder / "tokenizer.json").unlink(missing_ok=True)
        if text is not None:
            (folder / "tokenizer.json").write_text(text)
        program.fails("run", folder, *RUN, names=names)


def test_a_tokenizer_with_more_tokens_than_the_weights(program, tmp_path):
    embeddings = next(t for t in gguf.GGUFReader(TINY).tensors if t.name == "token_embd.weight").data
    drop = ["output.weight"]
    path = rewrite(tmp_path / "m.gguf", drop=drop, tensors={"token_embd.weight": np.array(embeddings[:50])})
    program.fails("run", path, *RUN, names=["token id", "[0, 50)", "tokenizer"])


TEMPLATES = [
    ("{% for i in range(100000000) %}x{% endfor %}", ["Range too big"]),
    ("{% for i in range(10000) %}{% for j in range(10000) %}{% for k in range(10000) %}{% endfor %}{% endfor %}{% endfor %}", ["steps"]),
    ("{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", ["deep"]),
    ("{% set ns = namespace(s='x' * 1000) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}", ["memory"]),
    ("{{ 'x' * 1000000000000 }}", ["memory"]),
    ("{% if %}", ["line 1"]),
    ("{{ messages[5].content.nothing.at.all }}", []),
    ("{{ raise_exception('only pairs of turns') }}", ["only pairs of turns"]),
    ("{% include 'secret' %}", ["include"]),
    ("{{ 1 / 0 }}", ["zero"]),
    ("{{ 'a'.join(5) }}", []),
    ("{{" + "(" * 5000 + "1" + ")" * 5000 + "}}", ["deep"]),
]


@pytest.mark.parametrize("template, names", TEMPLATES)
def test_a_template_that_is_endless_or_broken(program, tmp_path, template, names):
    folder = tmp_path / "hf"
    shutil.copytree(CHAT, folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": template}))
    program.fails("run", folder, *RUN, names=["template", *names])


def test_a_template_that_renders_nothing(program, tmp_path):
    folder = tmp_path / "hf"
    shutil.copytree(CHAT, folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": "{# nothing #}"}))
    program.fails("run", folder, *RUN, names=["prompt is empty"])


def test_prompts_that_cannot_be_answered(program, tmp_path):
    program.fails("run", TINY, "-p", "", names=["prompt is empty", "-p"])
    program.fails("run", TINY, stdin=b"", names=["prompt is empty", "standard input"])
    program.fails("run", TINY, "-f", tmp_path / "none.txt", names=["none.txt"])
    program.fails("run", TINY, "-f", tmp_path, names=[tmp_path.name, "not a regular file"])
    program.fails("run", TINY, "-p", "a b c d e f g " * 20, "--ctx", "16", names=["the context holds 16", "--ctx"])
    program.fails("run", TINY, *RUN, "--system", "Be brief.", names=["--system", "template"])


def test_a_prompt_may_come_from_a_pipe(program):
    for source in ("-f <(echo hello)", "-f /dev/stdin <<<hello", "-f - <<<hello", "<<<hello"):
        done = subprocess.run(["bash", "-c", f"'{program.path}' run '{TINY}' -n 2 -t 1 --json {source}"], capture_output=True, timeout=60)
        assert done.returncode == 0 and json.loads(done.stdout)["prompt_token_ids"], (source, done)


def test_invalid_utf8_is_a_prompt_like_any_other(program, tmp_path):
    for prompt in (b"\xff\xfe\x80 caf\xc3", b"\xed\xa0\x80", bytes(range(1, 256))):
        done = program.run("run", TINY, "-p", prompt, "-n", "2", "--ctx", "1024", "--json")
        assert done.code == 0, done
        json.loads(done.out)
    done = program.run("run", TINY, "-n", "2", "--json", stdin=bytes(range(256)) * 2)
    assert done.code == 1 and not bad_input.complaint(done) and "--ctx" in done.err, done


def test_a_full_context_ends_the_answer_and_says_so(program):
    done = program.run("run", TINY, "-p", "hello", "--ctx", "16", "--ignore-eos")
    assert done.code == 0 and "--ctx" in done.err, done
    done = program.run("run", TINY, "-p", "hello", "--ctx", "16", "--ignore-eos", "--json")
    assert json.loads(done.out)["finish_reason"] == "context_full"
