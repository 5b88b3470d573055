"""KServe v2 with Triton's extensions, driven by Triton's own Python client; results against onnxruntime."""

import concurrent.futures as futures
import gzip
import json
import threading

import numpy as np
import onnx
import onnxruntime
import pytest
import tritonclient.http as triton
from onnx import TensorProto, helper
from tritonclient.utils import InferenceServerException

import serving


def model(path, nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, path.parent.name, inputs, outputs, list(initializers))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(made, str(path))


def tensor(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    f32, i32 = TensorProto.FLOAT, TensorProto.INT32
    model(root / "simple/1/model.onnx",
          [helper.make_node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]),
           helper.make_node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"])],
          [tensor("INPUT0", i32, ["batch", 16]), tensor("INPUT1", i32, ["batch", 16])],
          [tensor("OUTPUT0", i32, ["batch", 16]), tensor("OUTPUT1", i32, ["batch", 16])])
    rng = np.random.default_rng(1)
    weights = onnx.numpy_helper.from_array(rng.standard_normal((32, 10), dtype=np.float32), "w")
    model(root / "classify/1/model.onnx",
          [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Softmax", ["h"], ["y"])],
          [tensor("x", f32, ["N", 32])], [tensor("y", f32, ["N", 10])], [weights])
    (root / "classify/3").mkdir()
    (root / "classify/3/model.onnx").write_bytes((root / "classify/1/model.onnx").read_bytes())
    model(root / "identity/1/model.onnx", [helper.make_node("Identity", ["x"], ["y"])],
          [tensor("x", f32, ["n"])], [tensor("y", f32, ["n"])])
    for name, kind in {"half": TensorProto.FLOAT16, "long": TensorProto.INT64, "bool": TensorProto.BOOL,
                       "byte": TensorProto.UINT8, "double": TensorProto.DOUBLE}.items():
        model(root / name / "1/model.onnx", [helper.make_node("Identity", ["x"], ["y"])],
              [tensor("x", kind, ["a", "b"])], [tensor("y", kind, ["a", "b"])])
    model(root / "words/1/model.onnx", [helper.make_node("Identity", ["x"], ["y"])],
          [tensor("x", TensorProto.STRING, ["a"])], [tensor("y", TensorProto.STRING, ["a"])])
    return root


@pytest.fixture(scope="module")
def server(repository):
    with serving.Server("--model-repository", repository, "--batch", "simple=32", *serving.LOADABLE) as s:
        yield s
        assert s.alive()
        assert s.stop() == 0


@pytest.fixture(scope="module")
def client(server):
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=8) as c:
        yield c


def pair(binary=True, rows=1, first=0):
    a = np.arange(first, first + 16 * rows, dtype=np.int32).reshape(rows, 16)
    b = np.ones((rows, 16), np.int32)
    inputs = []
    for name, value in (("INPUT0", a), ("INPUT1", b)):
        inputs.append(triton.InferInput(name, value.shape, "INT32"))
        inputs[-1].set_data_from_numpy(value, binary_data=binary)
    return inputs, a, b


def test_server_and_models_describe_themselves(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("simple") and client.is_model_ready("simple", "1")
    assert not client.is_model_ready("nothing") and not client.is_model_ready("simple", "9")
    server = client.get_server_metadata()
    assert {"binary_tensor_data", "statistics", "model_repository"} <= set(server["extensions"])
    meta = client.get_model_metadata("simple")
    assert meta["versions"] == ["1"] and meta["inputs"][0] == {"name": "INPUT0", "datatype": "INT32",
                                                               "shape": [-1, 16]}
    config = client.get_model_config("simple")
    assert config["max_batch_size"] > 0 and config["input"][0]["dims"] == [16]
    assert client.get_model_config("identity")["max_batch_size"] == 0
    assert client.get_model_metadata("classify")["versions"] == ["3"]


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False, None])
def test_infer_in_json_and_binary_both_ways(client, binary_in, binary_out):
    inputs, a, b = pair(binary_in, rows=2)
    outputs = None if binary_out is None else [triton.InferRequestedOutput(n, binary_data=binary_out)
                                               for n in ("OUTPUT1", "OUTPUT0")]
    result = client.infer("simple", inputs, outputs=outputs, request_id="r1")
    assert np.array_equal(result.as_numpy("OUTPUT0"), a + b) and np.array_equal(result.as_numpy("OUTPUT1"), a - b)
    assert result.get_response()["id"] == "r1" and result.get_response()["model_version"] == "1"


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests_and_answers(client, algorithm):
    inputs, a, b = pair(rows=8)
    result = client.infer("simple", inputs, request_compression_algorithm=algorithm,
                          response_compression_algorithm=algorithm)
    assert np.array_equal(result.as_numpy("OUTPUT0"), a + b)


def test_results_are_onnxruntimes(client, repository):
    x = np.random.default_rng(2).standard_normal((5, 32)).astype(np.float32)
    given = triton.InferInput("x", x.shape, "FP32")
    given.set_data_from_numpy(x)
    peer = onnxruntime.InferenceSession(str(repository / "classify/3/model.onnx")).run(None, {"x": x})[0]
    assert np.allclose(client.infer("classify", [given]).as_numpy("y"), peer, atol=1e-6)
    top = client.infer("classify", [given], outputs=[triton.InferRequestedOutput("y", class_count=3)]).as_numpy("y")
    assert top.shape == (5, 3)
    for row, best in zip(peer, top):
        assert [int(e.decode().split(":")[1]) for e in best] == list(np.argsort(-row)[:3])


@pytest.mark.parametrize("name, dtype, datatype", [
    ("half", np.float16, "FP16"), ("long", np.int64, "INT64"), ("bool", bool, "BOOL"), ("byte", np.uint8, "UINT8"),
    ("double", np.float64, "FP64")])
@pytest.mark.parametrize("binary", [True, False])
def test_every_type_passes_unchanged(client, server, name, dtype, datatype, binary):
    x = (np.arange(6).reshape(2, 3) % 2 if dtype is bool else np.arange(6).reshape(2, 3)).astype(dtype)
    if name == "half" and not binary:  # Triton's client refuses what our server takes
        body = {"inputs": [{"name": "x", "datatype": "FP16", "shape": [2, 3], "data": x.tolist()}]}
        assert server.post("/v2/models/half/infer", body)[1]["outputs"][0]["data"] == x.flatten().tolist()
        return
    given = triton.InferInput("x", x.shape, datatype)
    given.set_data_from_numpy(x, binary_data=binary)
    wanted = [triton.InferRequestedOutput("y", binary_data=binary)]
    assert np.array_equal(client.infer(name, [given], outputs=wanted).as_numpy("y"), x)


@pytest.mark.parametrize("binary", [True, False])
def test_strings_pass_unchanged(client, binary):
    x = np.array(["", "hello", "Grüße 世界", "x" * 1000], dtype=object)
    given = triton.InferInput("x", x.shape, "BYTES")
    given.set_data_from_numpy(x, binary_data=binary)
    y = client.infer("words", [given], outputs=[triton.InferRequestedOutput("y", binary_data=binary)]).as_numpy("y")
    assert [v.decode() if isinstance(v, bytes) else v for v in y] == list(x)


def test_a_raw_binary_request_is_the_bytes_alone(server):
    x = np.arange(100, dtype=np.float32)
    status, _, headers = server.request("POST", "/v2/models/identity/infer", x.tobytes(),
                                        {"Inference-Header-Content-Length": "0"})
    assert status == 200 and headers["content-type"] == "application/octet-stream"


def test_sixteen_megabytes_come_back(client):
    x = np.random.default_rng(3).standard_normal(4_000_000).astype(np.float32)
    given = triton.InferInput("x", x.shape, "FP32")
    given.set_data_from_numpy(x)
    for _ in range(3):
        assert np.array_equal(client.infer("identity", [given]).as_numpy("y"), x)


def test_requests_at_once_are_batched_and_each_gets_its_own(client, server):
    before = client.get_inference_statistics("simple")["model_stats"][0]

    def ask(i):
        inputs, a, b = pair(rows=1 + i % 3, first=i)
        with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as own:
            for _ in range(20):
                result = own.infer("simple", inputs)
                assert np.array_equal(result.as_numpy("OUTPUT0"), a + b)
                assert np.array_equal(result.as_numpy("OUTPUT1"), a - b)
        return 20 * (1 + i % 3)
    with futures.ThreadPoolExecutor(16) as pool:
        rows = sum(pool.map(ask, range(16)))
    after = client.get_inference_statistics("simple")["model_stats"][0]
    assert after["inference_count"] - before["inference_count"] == rows
    success = after["inference_stats"]["success"]["count"] - before["inference_stats"]["success"]["count"]
    assert success == 320 and after["execution_count"] - before["execution_count"] <= 320
    assert sum(b["compute_infer"]["count"] for b in after["batch_stats"]) == after["execution_count"]


def infer_body(**changes):
    entry = {"name": "x", "shape": [3], "datatype": "FP32", "data": [1, 2, 3], **changes}
    return {"inputs": [{k: v for k, v in entry.items() if v is not None}]}


@pytest.mark.parametrize("body, word", [
    ({}, "inputs"), ({"inputs": 5}, "inputs"), ({"inputs": [5]}, "object"), ({"inputs": []}, "missing"),
    (infer_body(name="z"), "unexpected inference input 'z'"), (infer_body(name=3), "name"),
    (infer_body(datatype="FP31"), "FP31"), (infer_body(datatype="INT32"), "expects"), (infer_body(shape=[4]), "4"),
    (infer_body(shape=[-3]), "shape"), (infer_body(shape=[1 << 62, 1 << 62]), "too many"),
    (infer_body(shape=[1] * 9), "dimensions"), (infer_body(shape=[3, 1]), "shape"), (infer_body(shape="3"), "shape"),
    (infer_body(data=[1, "2", 3]), "element 1"), (infer_body(data=None), "only one"),
    (infer_body(data=[1, 2, 3, 4]), "more than"), (infer_body(data=[[1, 2]]), "needs 3"),
    (infer_body(parameters={"binary_data_size": 12}), "only one"),
    (infer_body(data=None, parameters={"binary_data_size": 12}), "expecting 12"),
    (infer_body(data=None, parameters={"binary_data_size": -1}), "count"),
    ({**infer_body(), "outputs": [{"name": "z"}]}, "'z'"), ({**infer_body(), "outputs": 1}, "outputs"),
    ({**infer_body(), "outputs": [{"name": "y"}, {"name": "y"}]}, "twice"), ({**infer_body(), "id": 5}, "id"),
    ({"inputs": infer_body()["inputs"] * 2}, "twice"),
])
def test_a_bad_request_is_400_in_tritons_form(server, body, word):
    status, answer, _ = server.post("/v2/models/identity/infer", body)
    assert status == 400 and list(answer) == ["error"] and word in answer["error"], answer


@pytest.mark.parametrize("data, headers, status", [
    (b"", {}, 400), (b"{", {}, 400), (b"[" * 1000, {}, 400), (b"{}", {"Inference-Header-Content-Length": "99"}, 400),
    (b"{}", {"Inference-Header-Content-Length": "-1"}, 400), (b"{}", {"Inference-Header-Content-Length": "x"}, 400),
    (b"abc", {"Inference-Header-Content-Length": "0"}, 400), (b"{}", {"Content-Encoding": "br"}, 501),
    (b"not gzip", {"Content-Encoding": "gzip"}, 400), (gzip.compress(b"{}")[:-4], {"Content-Encoding": "gzip"}, 400),
    (gzip.compress(b" " * (100 << 20)), {"Content-Encoding": "gzip"}, 400),
])
def test_broken_bodies_end_alone(server, data, headers, status):
    assert server.post("/v2/models/identity/infer", data, headers)[0] == status


def test_unknown_models_and_versions_are_told_as_triton_does(client, server):
    inputs, _, _ = pair()
    with pytest.raises(InferenceServerException, match="unknown model: 'nothing' is not found"):
        client.infer("nothing", inputs)
    with pytest.raises(InferenceServerException, match="version 7 is not found"):
        client.infer("simple", inputs, model_version="7")
    assert server.get("/v2/models/simple/versions/x")[0] == 404
    assert server.get("/v2/")[0] == 404
    assert server.get("/v2/models/simple/infer")[0] == 405


def test_one_bad_request_does_not_fail_its_neighbours(client, server):
    stop, failures = threading.Event(), []

    def bad():
        while not stop.is_set():
            server.post("/v2/models/simple/infer", {"inputs": [
                {"name": "INPUT0", "shape": [1, 16], "datatype": "INT32", "data": [1] * 16},
                {"name": "INPUT1", "shape": [2, 16], "datatype": "INT32", "data": [1] * 32}]})
    thread = threading.Thread(target=bad)
    thread.start()
    try:
        inputs, a, b = pair()
        for _ in range(100):
            if not np.array_equal(client.infer("simple", inputs).as_numpy("OUTPUT0"), a + b):
                failures.append(1)
    finally:
        stop.set()
        thread.join()
    assert not failures


def test_models_are_indexed_unloaded_and_loaded_under_load(client, server):
    names = {m["name"]: m for m in client.get_model_repository_index()}
    assert {"simple", "classify", "words"} <= set(names) and names["simple"]["state"] == "READY"
    stop, failures = threading.Event(), []

    def ask():
        inputs, a, b = pair()
        with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as own:
            while not stop.is_set():
                try:
                    if not np.array_equal(own.infer("simple", inputs).as_numpy("OUTPUT0"), a + b):
                        failures.append("wrong")
                except InferenceServerException as e:
                    failures.append(str(e))
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(20):
            client.load_model("simple")  # a reload: the old one answers until the new one is ready
            client.unload_model("byte")
            assert not client.is_model_ready("byte")
            client.load_model("byte")
            assert client.is_model_ready("byte")
    finally:
        stop.set()
        thread.join()
    assert failures == []
    with pytest.raises(InferenceServerException, match="failed to load 'nothing'"):
        client.load_model("nothing")
    client.unload_model("byte")
    index = {m["name"]: m for m in server.post("/v2/repository/index", {})[1]}
    assert index["byte"]["state"] == "UNAVAILABLE" and index["byte"]["reason"] == "unloaded"
    assert "byte" not in {m["name"] for m in server.post("/v2/repository/index", {"ready": True})[1]}
    client.load_model("byte")


def test_a_language_model_and_a_tensor_model_share_the_server(repository, gemma):
    with serving.Server(f"gemma={gemma}", repository / "simple", "--ctx", 512) as s:
        assert s.get("/v2/models/gemma/ready")[0] == 200
        assert s.get("/v2/models/gemma")[1]["inputs"][0]["datatype"] == "BYTES"
        assert s.post("/v1/completions", {"prompt": "Hi", "max_tokens": 1})[0] == 200
        status, body, _ = s.post("/v1/completions", {"model": "simple", "prompt": "Hi"})
        assert status == 400 and "/v2/models/simple/infer" in body["error"]["message"]
        assert s.post("/v2/models/gemma/infer", {"inputs": []})[0] == 501
        assert json.dumps(s.get("/v2/models/stats")[1]).count('"name"') == 2
