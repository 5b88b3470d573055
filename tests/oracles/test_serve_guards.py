"""What one client must not be able to do to another, or to the server: each was once possible."""

import concurrent.futures as futures
import gzip
import json
import os
import shutil
import socket
import subprocess
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import serving
from serving import request_bytes

MODEL = serving.ROOT / "tests/goldens/models/llama"  # tiny: what is tested here does not depend on weights


def save_onnx(path, nodes, inputs, outputs, initializers=()):
    path.parent.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def tensor(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def infer(server, model, rows):
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": list(np.shape(rows)), "data": rows}]}
    return server.post(f"/v2/models/{model}/infer", body)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    save_onnx(root / "mean/1/model.onnx",  # its rows depend on each other, and nothing in its names says so
              [helper.make_node("ReduceMean", ["x"], ["m"], axes=[0], keepdims=1),
               helper.make_node("Sub", ["x", "m"], ["y"])], [tensor("x", ["N", 4])], [tensor("y", ["N", 4])])
    save_onnx(root / "square/1/model.onnx", [helper.make_node("MatMul", ["x", "x"], ["y"])],
              [tensor("x", ["a", "a"])], [tensor("y", ["a", "a"])])
    return root


@pytest.fixture(scope="module")
def server(repository):
    with serving.Server("--model-repository", repository) as s:
        yield s
        assert s.alive()
        assert s.stop() == 0


def test_rows_of_strangers_never_meet_unless_batching_is_asked_for(server, repository):
    assert server.get("/v2/models/mean/config")[1]["max_batch_size"] == 0
    with futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda v: infer(server, "mean", [[float(v % 3 * 500)] * 4])[1], range(300)))
    assert all(a["outputs"][0]["data"] == [0.0] * 4 for a in answers)
    with serving.Server("--model-repository", repository, "--batch", "square=8") as other:
        assert other.get("/v2/models/square/config")[1]["max_batch_size"] == 8


@pytest.mark.parametrize("value", ["mean", "mean=0", "mean=x", "other=4", "=4"])
def test_a_wrong_batch_option_is_told(repository, value):
    done = subprocess.run([serving.BINARY, "serve", "--model-repository", repository, "--batch", value,
                           "--http-port", "0", "--grpc-port", "0", "--no-metrics"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and "--batch" in done.stderr


def test_tensor_requests_of_clients_that_left_are_not_run(server):
    rows = np.full((1200, 1200), 0.5, np.float32)
    head = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": rows.shape,
                                   "parameters": {"binary_data_size": rows.nbytes}}]}).encode()
    raw = request_bytes("/v2/models/square/infer", head + rows.tobytes(),
                        headers=f"Inference-Header-Content-Length: {len(head)}\r\n")

    def runs():
        return server.get("/v2/models/square/stats")[1]["model_stats"][0]["execution_count"]
    before = runs()
    for _ in range(30):
        server.raw(raw).close()
    infer(server, "square", [[1.0]])  # behind all of them
    assert runs() - before < 25


def test_a_log_that_nobody_reads_holds_nobody_up(repository, tmp_path):
    os.mkfifo(tmp_path / "log")
    stalled = os.open(tmp_path / "log", os.O_RDWR)
    try:
        with serving.Server("--model-repository", repository, "--access-log", tmp_path / "log") as s:
            path = "/" + "x" * 400
            with futures.ThreadPoolExecutor(8) as pool:
                assert set(pool.map(lambda _: s.get(path)[0], range(400))) == {404}
            assert s.stop(timeout_s=20) == 0
    finally:
        os.close(stalled)


@pytest.mark.parametrize("what", ["load", "unload"])
def test_clients_load_and_unload_only_where_that_is_allowed(server, what):
    status, body, _ = server.post(f"/v2/repository/models/mean/{what}", {})
    assert status == 503 and "explicit model load / unload is not allowed" in body["error"]
    assert infer(server, "mean", [[1.0] * 4])[0] == 200


def test_models_to_load_at_start_are_named_only_where_not_all_are_loaded(repository):
    done = subprocess.run([serving.BINARY, "serve", "--model-repository", repository, "--load-model", "mean",
                           "--http-port", "0", "--grpc-port", "0", "--no-metrics"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and "--model-control-mode explicit" in done.stderr


@pytest.fixture(scope="module")
def tiny():
    with serving.Server(f"tiny={MODEL}") as s:
        yield s
        assert s.alive()


def test_credentials_of_any_length_do_no_harm_where_none_are_needed(tiny):
    status, body, _ = tiny.post("/v1/completions", {"prompt": [1, 2, 3], "max_tokens": 2},
                                {"Authorization": "Bearer " + "k" * 5000})
    assert status == 200, body


@pytest.fixture(scope="module")
def small():
    """Little of everything."""
    with serving.Server(f"tiny={MODEL}", "--body-timeout", 2, "--max-body-bytes", 8 << 20, "--max-bodies-bytes",
                        16 << 20) as s:
        yield s
        assert s.alive()


def test_the_time_for_a_body_follows_what_came_not_what_was_announced(small):
    begin = time.monotonic()
    slow = small.raw(f"POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: {8 << 20}\r\n\r\n{{".encode())
    assert slow.status() == 408 and time.monotonic() - begin < 30


def test_bodies_of_many_clients_together_have_a_limit(small):
    head = f"POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: {8 << 20}\r\n\r\n".encode()
    waiting = [small.raw(head + b" " * (7 << 20)) for _ in range(6)]
    assert {c.status() for c in waiting} == {408, 503}
    assert small.post("/tokenize", {"prompt": "a"})[0] in (200, 400)


def test_connections_past_what_the_process_may_open_are_refused_not_left_waiting(repository):
    command = (f"ulimit -n 128; exec {serving.BINARY} serve --model-repository {repository} --http-port 0 "
               "--grpc-port 0 --no-metrics")
    process = subprocess.Popen(["bash", "-c", command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        line = process.stderr.readline()
        port = int(line.split("http://127.0.0.1:")[1].split()[0].rstrip(","))
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        late = serving.Raw(port, b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 10)
        assert late.status() == 503
        for c in held:
            c.close()
        end = time.monotonic() + 20
        while serving.Raw(port, b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 10).status() != 200:
            assert time.monotonic() < end
    finally:
        process.kill()
        process.wait()


def test_a_compressed_body_unpacks_to_no_more_than_the_limit(repository):
    rows = np.zeros((1, 4))
    text = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": rows.tolist()}]})
    packed = gzip.compress((text + " " * (2 << 20)).encode())
    with serving.Server("--model-repository", repository, "--max-body-bytes", 1 << 20) as s:
        status, body, _ = s.post("/v2/models/mean/infer", packed, {"Content-Encoding": "gzip"})
        assert status == 400 and str(1 << 20) in body["error"]


def test_a_large_answer_is_whole_and_nobody_waits_for_it(server):
    rows = np.ones((512, 512), np.float32)
    assert infer(server, "square", rows.tolist())[1]["outputs"][0]["data"] == [512.0] * 512 * 512


@pytest.mark.parametrize("option, value", [
    ("--kv-tokens", "-5"), ("--max-body-bytes", "-1"), ("--max-body-bytes", "0"), ("--max-sequences", "0"),
    ("--batch-tokens", "-1"), ("--batch-tokens", "8"), ("--max-queue", "-3"), ("--http-port", "70000"),
    ("--metrics-port", "-1"), ("--grpc-port", "-2"), ("--http-port", "x"), ("--idle-timeout", "0")])
def test_values_out_of_range_are_told_before_anything_is_loaded(option, value):
    done = subprocess.run([serving.BINARY, "serve", MODEL, option, value], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and option in done.stderr and value in done.stderr
    assert "listening" not in done.stderr


def test_an_echo_has_its_logprobs_in_every_choice_of_a_stream(tiny):
    body = {"prompt": [7, 8, 9], "max_tokens": 3, "n": 3, "echo": True, "logprobs": 1, "ignore_eos": True}
    whole = tiny.post("/v1/completions", {**body, "temperature": 0})[1]
    text = tiny.post("/v1/completions", {**body, "temperature": 0, "stream": True})[1]
    lines = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    for i in range(3):
        streamed = [c["logprobs"] for m in lines for c in m["choices"] if c["index"] == i]
        assert sum((p["tokens"] for p in streamed), []) == whole["choices"][i]["logprobs"]["tokens"]
        assert len(whole["choices"][i]["logprobs"]["tokens"]) == 6


@pytest.mark.parametrize("field, value", [
    ("n", 100), ("stop_token_ids", [1 << 20]), ("logit_bias", {"1000000": 1}), ("dynatemp_range", 5000.0)])
def test_the_field_to_blame_is_told_also_by_the_engine(field, value):
    with serving.Server(f"tiny={MODEL}", "--max-sequences", 8) as s:
        status, body, _ = s.post("/v1/completions", {"prompt": [1], field: value})
        assert status == 400 and body["error"]["param"] == field, body


def test_an_end_that_is_no_token_is_told_not_lost(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    (folder / "generation_config.json").write_text('{"eos_token_id": [2, 999999]}')
    done = subprocess.run([serving.BINARY, "tokenize", folder, "-p", "a"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "generation_config.eos_token_id" in done.stderr and "999999" in done.stderr
