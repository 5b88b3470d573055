"""A server under load: a thousand connections past what it can do, models that come and go, SIGTERM, messages that
together are too many. Each for some seconds; nobody who was admitted loses an answer, and memory stays flat."""

import asyncio
import collections
import concurrent.futures as futures
import json
import random
import signal
import threading
import time

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from onnx import TensorProto, helper
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

import serving
from test_serve_kserve import model, tensor

TINY = serving.ROOT / "tests/goldens/models/llama"
KINDS = ("prompt", "tensor", "half a request", "reset")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, op in (("double", "Add"), ("square", "MatMul")):
        model(folder / name / "1/model.onnx", [helper.make_node(op, ["x", "x"], ["y"])],
              [tensor("x", TensorProto.FLOAT, ["a", "a"])], [tensor("y", TensorProto.FLOAT, ["a", "a"])])
    return folder


def bodies():
    prompt = json.dumps({"model": "tiny", "prompt": [1, 2, 3], "max_tokens": 16, "ignore_eos": True}).encode()
    rows = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 3, 4]}]}).encode()
    return {"prompt": serving.request_bytes("/v1/completions", prompt),
            "tensor": serving.request_bytes("/v2/models/double/infer", rows)}


async def read_answer(reader):
    """(status, headers, body) of one answer with a length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head.split("\r\n")[1:] if line)}
    body = await reader.readexactly(int(headers["content-length"]))
    return int(head.split(" ", 2)[1]), headers, json.loads(body)


async def one_client(port, k, end, seen):
    """Asks again and again; every fourth connection misbehaves and comes back."""
    rng, asks = random.Random(k), bodies()
    kind = KINDS[k % 4]
    while time.monotonic() < end:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while time.monotonic() < end:
                if kind == "half a request":
                    writer.write(asks["tensor"][:rng.randrange(1, 60)])
                    await writer.drain()
                    await asyncio.sleep(0.3)
                    break
                writer.write(asks["prompt" if kind == "reset" else kind])
                await writer.drain()
                if kind == "reset":
                    await asyncio.sleep(rng.random() * 0.2)
                    writer.transport.abort()
                    break
                status, headers, body = await asyncio.wait_for(read_answer(reader), 60)
                seen[kind, status] += 1
                if status in (429, 503):
                    assert int(headers["retry-after"]) >= 1
                    await asyncio.sleep(0.2)
                elif kind == "tensor":
                    assert status == 200 and body["outputs"][0]["data"] == [2, 4, 6, 8]
                else:
                    assert status == 200 and body["usage"]["completion_tokens"] == 16
        finally:
            writer.close()
        seen[kind, "done"] += 1


def test_a_thousand_connections_past_what_it_can_do(root):
    async def load(port, connections, seconds):
        seen = collections.Counter()
        end = time.monotonic() + seconds
        await asyncio.gather(*(one_client(port, k, end, seen) for k in range(connections)))
        return seen
    with serving.Server(f"tiny={TINY}", "--model-repository", root, "--max-queue", 16, "--access-log", "none") as s:
        asyncio.run(load(s.port, 1000, 4))
        warm = s.resident_mb()
        seen = asyncio.run(load(s.port, 1000, 6))
        assert seen["prompt", 200] > 50 and seen["tensor", 200] > 200, seen
        assert seen["prompt", 429] > 0 and {status for _, status in seen} <= {200, 429, 503, "done"}, seen
        assert s.resident_mb() < warm * 1.1 + 20
        assert s.post("/v1/completions", {"model": "tiny", "prompt": [1], "max_tokens": 1})[0] == 200
        assert s.stop() == 0


def test_loading_and_unloading_in_a_loop_under_load_loses_nothing_and_grows_nothing(root):
    with serving.Server(f"tiny={TINY}", "--model-repository", root, *serving.LOADABLE) as s:
        failures, count, stop = [], collections.Counter(), threading.Event()

        def http_tensors():
            with triton_http.InferenceServerClient(s.url[7:]) as client:
                ask(triton_http, client)

        def grpc_tensors():
            with triton_grpc.InferenceServerClient(s.grpc) as client:
                ask(triton_grpc, client)

        def ask(module, client):
            x = np.eye(3, dtype=np.float32)
            given = module.InferInput("x", [3, 3], "FP32")
            given.set_data_from_numpy(x)
            while not stop.is_set():
                try:
                    assert np.array_equal(client.infer("double", [given]).as_numpy("y"), x + x)
                    count[module.__name__] += 1
                except Exception as e:  # noqa: BLE001  (whatever it is, it is lost)
                    failures.append(repr(e))

        def prompts():
            while not stop.is_set():
                status, body, _ = s.post("/v1/completions", {"model": "tiny", "prompt": [1, 2], "max_tokens": 8,
                                                             "ignore_eos": True})
                count["prompts"] += 1
                if status != 200 or body["usage"]["completion_tokens"] != 8:
                    failures.append(str(body))
        threads = [threading.Thread(target=t) for t in (http_tensors, grpc_tensors, prompts, prompts)]
        for t in threads:
            t.start()
        try:
            with triton_http.InferenceServerClient(s.url[7:], network_timeout=120) as client:
                loads, resident = 0, []
                end = time.monotonic() + 10
                while time.monotonic() < end:
                    client.load_model("double")  # reloads: the old one answers until the new one is ready
                    client.load_model("tiny")
                    client.unload_model("square")
                    client.load_model("square")
                    loads += 1
                    resident.append(s.resident_mb())
        finally:
            stop.set()
            for t in threads:
                t.join()
        assert failures == [] and min(count.values()) > 20 and loads > 5, (failures[:3], count, loads)
        half = len(resident) // 2
        assert max(resident[half:]) < max(resident[:half]) * 1.1 + 20, resident
        assert s.stop() == 0


def test_sigterm_under_load_loses_no_accepted_request(root, gemma):
    """Those that were there before the signal end in full, on every face; later ones are refused, none is cut."""
    with serving.Server(f"gemma={gemma}", "--model-repository", root, "--max-sequences", 16, "--ctx", 512) as s:
        told, cut, began = [], [], threading.Barrier(13)
        text = service_pb2.ModelInferRequest(model_name="gemma")
        text.inputs.add(name="text_input", datatype="BYTES", shape=[1]).contents.bytes_contents.append(b"a")
        text.parameters["max_tokens"].int64_param = 80
        text.parameters["ignore_eos"].bool_param = True
        text.parameters["return_num_output_tokens"].bool_param = True

        def whole(stream):
            began.wait()
            body = {"model": "gemma", "prompt": [1, 2], "max_tokens": 80, "ignore_eos": True, "stream": stream,
                    "stream_options": {"include_usage": True} if stream else None}
            status, answer, _ = s.post("/v1/completions", body)
            tokens = json.loads(answer.split("data: ")[-2])["usage"] if stream else answer["usage"]
            told.append((status, tokens["completion_tokens"]))

        def streamed():
            with grpc.insecure_channel(s.grpc) as channel:
                stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
                began.wait()
                last = list(stub.ModelStreamInfer(iter([text])))[-1].infer_response
                raw = last.raw_output_contents[[o.name for o in last.outputs].index("num_output_tokens")]
                told.append((200, int.from_bytes(raw, "little")))

        def short(k):
            """Without end: once one is refused or the port is closed, no more."""
            began.wait()
            while True:
                try:
                    status, body, _ = s.post("/v2/models/double/infer", {"inputs": [
                        {"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [k]}]})
                except OSError:  # closed: nothing of it was answered
                    return
                except Exception as e:  # noqa: BLE001
                    cut.append(repr(e))
                    return
                if status == 503:
                    return
                if status != 200 or body["outputs"][0]["data"] != [2 * k]:
                    cut.append(str(body))
        threads = [threading.Thread(target=whole, args=(k % 2 == 0,)) for k in range(6)]
        threads += [threading.Thread(target=streamed) for _ in range(3)]
        threads += [threading.Thread(target=short, args=(k,)) for k in range(3)]
        for t in threads:
            t.start()
        began.wait()
        end = time.monotonic() + 30
        while s.get("/metrics")[1].count('nv_inference_request_success{model="double"') == 0 or running(s) < 9:
            assert time.monotonic() < end or told
            if told:
                break  # they were faster than this test
        s.process.send_signal(signal.SIGTERM)
        for t in threads:
            t.join()
        assert told == [(200, 80)] * 9 and cut == []
        assert s.process.wait(60) == 0, s.messages


def running(s):
    lines = s.get("/metrics")[1].splitlines()
    names = ("vllm:num_requests_running", "vllm:num_requests_waiting")
    return sum(float(line.split()[-1]) for line in lines if line.startswith(names))


def test_grpc_messages_of_all_calls_together_have_a_limit(root):
    rows = np.full((1400, 1400), 1 / 1400, np.float32)  # 7.8 MB, and a product that takes a while
    with serving.Server("--model-repository", root, "--max-bodies-bytes", 20 << 20) as s:
        def ask(k):
            with triton_grpc.InferenceServerClient(s.grpc) as client:
                given = triton_grpc.InferInput("x", rows.shape, "FP32")
                given.set_data_from_numpy(rows)
                try:
                    return float(client.infer("square", [given]).as_numpy("y")[0, 0])
                except InferenceServerException as e:
                    assert e.status() == "StatusCode.RESOURCE_EXHAUSTED", e
                    return None
        with futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(ask, range(12)))
        assert None in answers and {round(a * 1400, 2) for a in answers if a is not None} == {1.0}
        assert ask(0) is not None and s.alive()  # what was charged was given back
        with triton_grpc.InferenceServerClient(s.grpc) as client:  # on one stream as well
            given = triton_grpc.InferInput("x", rows.shape, "FP32")
            given.set_data_from_numpy(rows)
            told, done = [], threading.Event()

            def take(result, error):
                told.append(error)
                if len(told) == 8:
                    done.set()
            client.start_stream(take)
            for _ in range(8):
                client.async_stream_infer("square", [given])
            assert done.wait(60)
            client.stop_stream()
            assert any(e is None for e in told) and any(e and "--max-bodies-bytes" in str(e) for e in told)
        assert ask(0) is not None
