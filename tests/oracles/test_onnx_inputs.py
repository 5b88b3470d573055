"""What `ingot infer` and `ingot bench model` take as inputs, against numpy and Pillow; and what bench model tells."""

import json
import zipfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

F = TensorProto.FLOAT


def identity(folder, ports, types=None):
    """y_NAME = NAME for each input (name, element type, dims)."""
    nodes = [helper.make_node("Identity", [n], [f"y_{n}"]) for n, *_ in ports]
    inputs = [helper.make_tensor_value_info(*p) for p in ports]
    outputs = [helper.make_tensor_value_info(f"y_{n}", t, None) for n, t, _ in ports]
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), ir_version=8,
                              opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, str(folder / "model.onnx"))
    return folder / "model.onnx"


def result(folder, name):
    return np.load(folder / "out" / f"y_{name}.npy")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_of_an_npz(ingot, tmp_path, save):
    a, b = np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(4, dtype=np.int64)
    model = identity(tmp_path, [("a", F, ["n", 3]), ("b", TensorProto.INT64, ["m"])])
    save(tmp_path / "x.npz", a=a, b=b)
    ingot("infer", model, "--input", tmp_path / "x.npz", "--output", tmp_path / "out")
    np.testing.assert_array_equal(result(tmp_path, "a"), a)
    np.testing.assert_array_equal(result(tmp_path, "b"), b)
    ingot("infer", model, "--input", f"a={tmp_path / 'x.npz'}", "--input", "b=[5]", "--output", tmp_path / "out")
    assert result(tmp_path, "b").tolist() == [5]


def test_raw_bytes(ingot, tmp_path):
    x = np.random.default_rng(1).standard_normal((2, 3, 4)).astype(np.float32)
    model = identity(tmp_path, [("x", F, ["n", 3, 4])])
    x.tofile(tmp_path / "x.raw")
    ingot("infer", model, "--input", f"x={tmp_path / 'x.raw'}", "--shape", "x=2x3x4", "--output", tmp_path / "out")
    np.testing.assert_array_equal(result(tmp_path, "x"), x)


@pytest.mark.parametrize("ending, form", [("png", "RGB"), ("jpg", "RGB"), ("webp", "RGB"), ("bmp", "L"), ("tiff", "RGB")])
def test_images_as_pillow_reads_them(ingot, tmp_path, ending, form):
    noise = np.random.default_rng(1).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    smooth = Image.fromarray(noise).resize((70, 50), Image.BICUBIC).convert(form)
    smooth.save(tmp_path / f"x.{ending}")
    model = identity(tmp_path, [("bytes", TensorProto.UINT8, ["h", "w", 3]), ("floats", F, [1, 3, 32, 24]), ("gray", F, ["n", 1, "h", "w"])])
    arguments = [f"--input={name}={tmp_path}/x.{ending}" for name in ("bytes", "floats", "gray")]
    ingot("infer", model, *arguments, "--image-mean", "0.485,0.456,0.406", "--image-std", "0.229,0.224,0.225",
          "--output", tmp_path / "out")
    read = Image.open(tmp_path / f"x.{ending}").convert("RGB")
    np.testing.assert_array_equal(result(tmp_path, "bytes"), np.asarray(read))
    small = np.asarray(read.resize((24, 32), Image.BILINEAR)).astype(np.float32) / 255
    want = ((small - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(2, 0, 1)[None]
    # Pillow rounds to bytes after each axis.
    np.testing.assert_allclose(result(tmp_path, "floats"), want, atol=1.6 / 255 / 0.224)
    assert result(tmp_path, "gray").shape == (1, 1, 50, 70)


@pytest.mark.parametrize("code, arguments, message", [
    (1, ["--input", "x=nothing.png"], "nothing.png"),
    (1, ["--input", "x={}/bad.png"], "bad.png"),
    (1, ["--input", "x={}/short.raw"], "has 3 bytes"),
    (1, ["--input", "x={}/bad.npz"], "bad.npz"),
    (2, ["--input", "{}/other.npz"], "no input 'q'"),
    (2, ["--input", "{}/other.npz", "--input", "{}/other.npz"], "no input 'q'"),
    (1, ["--input", "x={}/other.npz"], "holds no array 'x'"),
    (1, ["--input", "x={}/text.npz"], "is no .npy file"),
    (1, ["--input", "x={}/double.npz"], "holds f64"),
    (2, ["--input", "x=random", "--image-mean", "1,2"], "2 numbers, not 1 or 3"),
])
def test_bad_inputs_are_named(program, tmp_path, code, arguments, message):
    model = identity(tmp_path, [("x", F, [1, 3, 4, 4])])
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (tmp_path / "short.raw").write_bytes(b"abc")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04nothing")
    np.savez(tmp_path / "other.npz", q=np.zeros(3, np.float32))
    np.savez(tmp_path / "double.npz", x=np.zeros((1, 3, 4, 4)))
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    program.fails("infer", model, *(a.format(tmp_path) for a in arguments), names=[message], code=code)


def test_bench_model_tells_times_and_writes_a_trace(ingot, tmp_path):
    model = identity(tmp_path, [("x", F, ["n", 64])])
    told = json.loads(ingot("bench", "model", model, "--dim", "n=8", "-t", "1,2", "-r", 7, "--warmup", 1, "--json",
                            "--profile", "--trace", tmp_path / "trace.json"))
    assert [r["threads"] for r in told["results"]] == [1, 2] and all(r["runs"] == 7 for r in told["results"])
    for r in told["results"]:
        assert 0 < r["min_ms"] <= r["p50_ms"] <= r["p90_ms"] <= r["p99_ms"]
    assert told["peak_mib"] > 1
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert [e["name"] for e in events] == [s["node"] for s in told["profile"]]
    assert all(e["ph"] == "X" and e["dur"] >= 0 for e in events)
    table = ingot("bench", "model", model, "--dim", "n=8", "-r", 3)
    assert "p99" in table and "peak memory" in table
