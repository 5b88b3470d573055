"""Truncated and corrupted input of every format at 1,000 seeded random places each: success or one error line.

INGOT_BAD_INPUT_CASES sets another number of places, INGOT_BAD_INPUT_SEED another seed, INGOT another program.
"""

import json
import os
import random
import shutil
import struct

import gguf
import numpy as np
import pytest
from onnx import TensorProto, helper

import bad_input
import bad_input_models

CASES = int(os.environ.get("INGOT_BAD_INPUT_CASES", 1000))
SEED = int(os.environ.get("INGOT_BAD_INPUT_SEED", 1))
RUN = ("-p", "hello", "-n", "2", "--temperature", "0", "-t", "1")


def check(program, folder, make):
    """make(random, folder) writes one input into a folder and returns (what it is, arguments)."""

    def job(i):
        def prepare():
            place = folder / str(i % 16) / str(i)
            place.mkdir(parents=True)
            return make(random.Random(SEED * 1_000_003 + i), place)

        return prepare

    complaints = bad_input.run_all(program, [job(i) for i in range(CASES)])
    assert not complaints, f"{len(complaints)} of {CASES}:\n" + "\n".join(complaints[:12])
    shutil.rmtree(folder)


def language_model_command(r, path):
    return r.choice([("run", path, *RUN), ("run", path, *RUN), ("inspect", "--tensors", path), ("inspect", "--json", path),
                     ("inspect", "--plan", path), ("tokenize", path, "-p", "some text")])


def header_bytes(data):
    """Bytes before the first tensor of a GGUF file, nearly."""
    return len(data) - sum(t.n_bytes for t in data_reader(data).tensors)


def data_reader(data):
    path = data_reader.folder / "x.gguf"
    path.write_bytes(data)
    return gguf.GGUFReader(path)


def test_gguf(program, tmp_path):
    data_reader.folder = tmp_path
    names = ("llama", "llama3", "gemma3", "gpt2", "phi3_longrope", "qwen3_yarn", "gemma2")
    models = [(bad_input.MODELS / n / "model.gguf").read_bytes() for n in names]
    heads = [header_bytes(m) for m in models]

    def make(r, folder):
        which = r.randrange(len(models))
        label, data = bad_input.damage(models[which], r, heads[which])
        path = folder / "model.gguf"
        path.write_bytes(data)
        return f"{names[which]} {label}", language_model_command(r, path)

    check(program, tmp_path / "cases", make)


def split_model(source, folder):
    """A GGUF in parts of eight tensors each."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(folder / "model", reader.fields["general.architecture"].contents(), split_max_tensors=8)
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            is_array = field.types[0] == gguf.GGUFValueType.ARRAY
            writer.add_key_value(key, field.contents(), field.types[0], field.types[-1] if is_array else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, np.array(tensor.data))
    writer.write_header_to_file(folder / "model.gguf")
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sorted(folder.glob("*.gguf"))


def test_split_gguf(program, tmp_path):
    (tmp_path / "whole").mkdir()
    parts = split_model(bad_input.MODELS / "llama" / "model.gguf", tmp_path / "whole")
    assert len(parts) >= 3
    whole = program.run("run", parts[0], *RUN)
    assert whole.code == 0, whole

    def make(r, folder):
        broken = r.choice(parts)
        for part in parts:
            if part != broken:
                (folder / part.name).symlink_to(part)
        if r.random() < 0.1:
            label = "missing"
        else:
            data = broken.read_bytes()
            label, data = bad_input.damage(data, r, 2000)
            (folder / broken.name).write_bytes(data)
        return f"{broken.name} {label}", language_model_command(r, folder / r.choice([parts[0], parts[-1]]).name)

    check(program, tmp_path / "cases", make)


def test_hugging_face_folder(program, tmp_path):
    folders = {n: bad_input.MODELS / n for n in ("llama3", "gemma3", "gpt2", "phi3_longrope")}
    sharded = tmp_path / "sharded"
    shard(folders["llama3"], sharded)
    assert program.run("run", sharded, *RUN).code == 0
    folders["sharded"] = sharded

    def make(r, folder):
        name = r.choice(list(folders))
        files = [p for p in folders[name].iterdir() if p.suffix in (".json", ".safetensors") and p.name not in ("tokens.json", "config_v5.json")]
        broken = r.choice(files)
        for file in files:
            if file != broken:
                (folder / file.name).symlink_to(file)
        label = broken_copy(broken, folder / broken.name, r)
        return f"{name}/{broken.name} {label}", language_model_command(r, folder)

    check(program, tmp_path / "cases", make)


def shard(source, target):
    """The safetensors of a folder in two files with an index."""
    target.mkdir()
    data = (source / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    names, index = sorted(header), {}
    for part, chosen in enumerate((names[::2], names[1::2])):
        file, at, body, entries = f"model-{part + 1:05}-of-00002.safetensors", 0, b"", {}
        for n in chosen:
            begin, end = header[n]["data_offsets"]
            entries[n] = {**header[n], "data_offsets": [at, at + end - begin]}
            body += data[8 + length + begin:8 + length + end]
            at += end - begin
            index[n] = file
        text = json.dumps(entries).encode()
        text += b" " * (-len(text) % 8)
        (target / file).write_bytes(struct.pack("<Q", len(text)) + text + body)
    (target / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": index}))
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, target / name)


def broken_copy(source, target, r):
    """Damages bytes, or an element of what the JSON says (also of a safetensors header)."""
    data = source.read_bytes()
    if r.random() < 0.4:
        head = struct.unpack("<Q", data[:8])[0] + 8 if source.suffix == ".safetensors" else None
        label, data = bad_input.damage(data, r, head)
    elif source.suffix == ".json":
        value = json.loads(data)
        label = bad_input.damage_json(value, r)
        data = json.dumps(value).encode()
    else:
        (length,) = struct.unpack("<Q", data[:8])
        value = json.loads(data[8:8 + length])
        label = bad_input.damage_json(value, r)
        text = json.dumps(value).encode()
        data = struct.pack("<Q", len(text)) + text + data[8 + length:]
    target.write_bytes(data)
    return label


def test_tokenizer_json(program, tmp_path):
    sources = bad_input_models.tokenizers(tmp_path)
    for source in sources:
        assert program.run("tokenize", source, "-p", "hello").code == 0, source

    def make(r, folder):
        source = r.choice(sources)
        label = broken_copy(source, folder / "tokenizer.json", r)
        return f"{source.name} {label}", ("tokenize", folder / "tokenizer.json", "-p", "Some text, ünïcode 漢字 12345 <bos>")

    check(program, tmp_path / "cases", make)


def test_onnx(program, tmp_path):
    models = bad_input_models.models()
    for name, model, arguments in models:
        path = tmp_path / "whole.onnx"
        path.write_bytes(model.SerializeToString())
        done = program.run("infer", path, "--input", "random", *arguments)
        assert done.code == 0, (name, done)

    def make(r, folder):
        name, model, arguments = r.choice(models)
        path = folder / "model.onnx"
        if r.random() < 0.5:
            label, data = bad_input.damage(model.SerializeToString(), r)
        else:
            label, data = bad_input_models.damage(model, r)
        path.write_bytes(data)
        command = ("inspect", "--plan", path) if r.random() < 0.15 else ("infer", path, "--input", "random", *arguments, "-t", "1")
        return f"{name} {label}", command

    check(program, tmp_path / "cases", make)


def test_npy_input(program, tmp_path):
    model = tmp_path / "id.onnx"
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, None]) for n in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    model.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())
    np.save(tmp_path / "x.npy", np.ones((3, 5), np.float32))
    assert program.run("infer", model, "--input", f"x={tmp_path / 'x.npy'}").code == 0
    data = (tmp_path / "x.npy").read_bytes()

    def make(r, folder):
        label, broken = bad_input.damage(data, r, 100)
        (folder / "x.npy").write_bytes(broken)
        return label, ("infer", model, "--input", f"x={folder / 'x.npy'}")

    check(program, tmp_path / "cases", make)
