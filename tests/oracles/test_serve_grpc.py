"""gRPC: KServe v2 with Triton's extensions, driven by Triton's own client, grpcio's health checks and reflection."""

import json
import queue
import shutil
import subprocess
import threading
import time

import grpc
import numpy as np
import onnxruntime
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

import serving
from test_serve_kserve import repository  # noqa: F401  (the same models)


def code(error):
    return error.value.status().split(".")[-1]


@pytest.fixture(scope="module")
def server(repository, gemma):  # noqa: F811
    with serving.Server(f"gemma={gemma}", "--model-repository", repository, "--ctx", 2048, "--batch", "simple=32",
                        *serving.LOADABLE) as s:
        yield s
        assert s.alive()
        assert s.stop() == 0


@pytest.fixture(scope="module")
def client(server):
    with triton.InferenceServerClient(server.grpc) as c:
        yield c


@pytest.fixture(scope="module")
def stub(server):
    with grpc.insecure_channel(server.grpc) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def given(name, value, datatype):
    t = triton.InferInput(name, list(value.shape), datatype)
    t.set_data_from_numpy(value)
    return t


def pair(rows=1, first=0):
    a = np.arange(first, first + 16 * rows, dtype=np.int32).reshape(rows, 16)
    b = np.ones((rows, 16), np.int32)
    return [given("INPUT0", a, "INT32"), given("INPUT1", b, "INT32")], a, b


def text_request(text, request_id="", **parameters):
    request = service_pb2.ModelInferRequest(model_name="gemma", id=request_id)
    request.inputs.add(name="text_input", datatype="BYTES", shape=[1]).contents.bytes_contents.append(text.encode())
    for name, value in parameters.items():
        p = request.parameters[name]
        if isinstance(value, bool):
            p.bool_param = value
        elif isinstance(value, int):
            p.int64_param = value
        elif isinstance(value, float):
            p.double_param = value
        else:
            p.string_param = value
    return request


def text_of(response):
    outputs = [o.name for o in response.outputs]
    raw = response.raw_output_contents[outputs.index("text_output")]
    assert int.from_bytes(raw[:4], "little") == len(raw) - 4
    return raw[4:].decode()


def test_server_and_models_describe_themselves(client, server):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("simple") and client.is_model_ready("simple", "1") and client.is_model_ready("gemma")
    assert {"binary_tensor_data", "statistics"} <= set(client.get_server_metadata().extensions)
    for name in ("simple", "classify", "gemma"):  # both faces say the same
        assert client.get_model_metadata(name, as_json=True)["name"] == name
        http = server.get(f"/v2/models/{name}")[1]
        meta = client.get_model_metadata(name)
        assert list(meta.versions) == http["versions"] and meta.platform == http["platform"]
        assert [(t.name, t.datatype, list(t.shape)) for t in meta.inputs] == [
            (t["name"], t["datatype"], t["shape"]) for t in http["inputs"]]
    config = client.get_model_config("simple").config
    assert config.max_batch_size > 0 and list(config.input[0].dims) == [16] and config.input[0].data_type == 8
    assert client.get_model_config("gemma").config.model_transaction_policy.decoupled
    with pytest.raises(InferenceServerException, match="unknown model: 'nothing' is not found") as e:
        client.is_model_ready("nothing")
    assert code(e) == "NOT_FOUND"


def test_results_are_onnxruntimes(client, repository):  # noqa: F811
    x = np.random.default_rng(2).standard_normal((5, 32)).astype(np.float32)
    peer = onnxruntime.InferenceSession(str(repository / "classify/3/model.onnx")).run(None, {"x": x})[0]
    result = client.infer("classify", [given("x", x, "FP32")], request_id="r1")
    assert np.allclose(result.as_numpy("y"), peer, atol=1e-6)
    assert result.get_response().id == "r1" and result.get_response().model_version == "3"
    top = client.infer("classify", [given("x", x, "FP32")],
                       outputs=[triton.InferRequestedOutput("y", class_count=3)]).as_numpy("y")
    for row, best in zip(peer, top):
        assert [int(e.decode().split(":")[1]) for e in best] == list(np.argsort(-row)[:3])


@pytest.mark.parametrize("name, dtype, datatype", [
    ("half", np.float16, "FP16"), ("long", np.int64, "INT64"), ("bool", bool, "BOOL"), ("byte", np.uint8, "UINT8"),
    ("double", np.float64, "FP64")])
def test_every_type_passes_unchanged_as_bytes(client, name, dtype, datatype):
    x = (np.arange(6).reshape(2, 3) % 2 if dtype is bool else np.arange(6).reshape(2, 3)).astype(dtype)
    assert np.array_equal(client.infer(name, [given("x", x, datatype)]).as_numpy("y"), x)


@pytest.mark.parametrize("name, datatype, field, values", [
    ("long", "INT64", "int64_contents", [-1, 2**62]), ("bool", "BOOL", "bool_contents", [True, False]),
    ("byte", "UINT8", "uint_contents", [0, 255]), ("double", "FP64", "fp64_contents", [0.5, -1e300])])
def test_every_type_passes_unchanged_as_contents(stub, name, datatype, field, values):
    request = service_pb2.ModelInferRequest(model_name=name)
    contents = request.inputs.add(name="x", datatype=datatype, shape=[1, 2]).contents
    getattr(contents, field).extend(values)
    out = stub.ModelInfer(request)
    kind = {"INT64": np.int64, "BOOL": bool, "UINT8": np.uint8, "FP64": np.float64}[datatype]
    assert list(np.frombuffer(out.raw_output_contents[0], kind)) == values


def test_strings_pass_unchanged(client, stub):
    x = np.array([b"", b"hello", "Grüße 世界".encode(), b"\xff\x00" * 500], dtype=object)
    assert list(client.infer("words", [given("x", x, "BYTES")]).as_numpy("y")) == list(x)
    request = service_pb2.ModelInferRequest(model_name="words")
    request.inputs.add(name="x", datatype="BYTES", shape=[2]).contents.bytes_contents.extend([b"a", b"\xfe"])
    assert stub.ModelInfer(request).raw_output_contents[0] == b"\1\0\0\0a\1\0\0\0\xfe"


@pytest.mark.parametrize("change, words", [
    (lambda r: r.inputs.pop(), "INPUT1' is missing"),
    (lambda r: setattr(r.inputs[0], "name", "wrong"), "unexpected inference input 'wrong'"),
    (lambda r: setattr(r.inputs[0], "datatype", "FP32"), "is f32, the model expects i32"),
    (lambda r: setattr(r.inputs[0], "datatype", "FP33"), "datatype 'FP33' is unknown"),
    (lambda r: r.inputs[0].shape.__setitem__(1, 15), "needs 60 bytes"),
    (lambda r: r.inputs[0].shape.__setitem__(1, -1), "no size"),
    (lambda r: r.inputs[0].shape.extend([2**40, 2**40]), "too many elements"),
    (lambda r: r.inputs[0].shape.extend([1] * 20), "dimensions"),
    (lambda r: r.raw_input_contents.pop(), "unable to find data for input tensor 'INPUT1'"),
    (lambda r: r.raw_input_contents.append(b"x"), "raw_input_contents"),
    (lambda r: r.inputs[0].contents.int_contents.append(1), "contents field must not be specified"),
    (lambda r: r.outputs.add(name="nothing"), "unexpected inference output 'nothing'"),
    (lambda r: setattr(r, "model_version", "x"), "is no version"),
    (lambda r: r.parameters["timeout"].__setattr__("string_param", "1"), "'timeout' must be a count"),
])
def test_what_is_wrong_is_told_and_ends_alone(stub, change, words):
    value = np.arange(16, dtype=np.int32)
    request = service_pb2.ModelInferRequest(model_name="simple")
    for name in ("INPUT0", "INPUT1"):
        request.inputs.add(name=name, datatype="INT32", shape=[1, 16])
        request.raw_input_contents.append(value.tobytes())
    stub.ModelInfer(request)
    change(request)
    if words.startswith("INPUT1"):
        request.raw_input_contents.pop()
    with pytest.raises(grpc.RpcError) as e:
        stub.ModelInfer(request)
    assert words in e.value.details()
    assert e.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)


def test_contents_out_of_their_types_range_are_refused(stub):
    request = service_pb2.ModelInferRequest(model_name="byte")
    request.inputs.add(name="x", datatype="UINT8", shape=[1, 1]).contents.uint_contents.append(256)
    with pytest.raises(grpc.RpcError, match="element 0 is 256"):
        stub.ModelInfer(request)


def test_many_calls_at_once_are_batched_and_right(client, server):
    def executions():
        s = client.get_inference_statistics("simple").model_stats[0]
        return s.inference_count, s.execution_count, s.inference_stats.success.count
    client.load_model("simple", config=json.dumps({"max_batch_size": 32, "dynamic_batching": {
        "max_queue_delay_microseconds": 100_000}}))  # so that some meet for certain
    before = executions()
    answers = queue.Queue()
    for i in range(200):
        inputs, a, b = pair(rows=1 + i % 3, first=i)
        client.async_infer("simple", inputs, callback=lambda result, error, a=a, b=b: answers.put((result, error, a, b)))
    for _ in range(200):
        result, error, a, b = answers.get(timeout=60)
        assert error is None and np.array_equal(result.as_numpy("OUTPUT0"), a + b)
    after = executions()
    assert after[2] - before[2] == 200 and after[0] - before[0] == sum(1 + i % 3 for i in range(200))
    assert after[1] - before[1] < 200
    client.load_model("simple")
    assert {s.name for s in client.get_inference_statistics().model_stats} >= {"simple", "gemma"}


def test_large_tensors_and_messages_past_the_limit(client):
    x = np.random.default_rng(0).standard_normal(4 << 20, dtype=np.float32)  # 16 MB
    assert np.array_equal(client.infer("identity", [given("x", x, "FP32")]).as_numpy("y"), x)
    with pytest.raises(InferenceServerException) as e:
        client.infer("identity", [given("x", np.zeros(17 << 20, np.float32), "FP32")])
    assert code(e) == "RESOURCE_EXHAUSTED"
    assert client.is_server_live()


def test_models_are_indexed_unloaded_and_loaded(client):
    index = {m.name: m for m in client.get_model_repository_index().models}
    assert index["simple"].state == "READY" and index["simple"].version == "1"
    client.unload_model("byte")
    with pytest.raises(InferenceServerException) as e:
        client.is_model_ready("byte")
    assert code(e) == "UNAVAILABLE"
    assert {m.name: m for m in client.get_model_repository_index().models}["byte"].reason == "unloaded"
    client.load_model("byte")
    assert client.is_model_ready("byte")
    with pytest.raises(InferenceServerException, match="failed to load 'nothing'"):
        client.load_model("nothing")


def test_log_settings_are_read_and_changed(client, server):
    before = client.get_log_settings(as_json=True)["settings"]
    changed = client.update_log_settings({"log_verbose_level": 1}, as_json=True)["settings"]
    assert int(changed["log_verbose_level"]["uint32_param"]) == 1
    assert server.get("/v2/logging")[1]["log_verbose_level"] == 1
    info = before["log_info"]["bool_param"]
    client.update_log_settings({"log_verbose_level": 0, "log_info": not info})
    now = client.get_log_settings(as_json=True)["settings"]
    assert now.keys() == before.keys() and now["log_info"]["bool_param"] is not info
    assert server.get("/v2/logging")[1]["log_info"] is not info
    for value in (2**63, 2**64 - 1):  # a level is on or off
        assert server.post("/v2/logging", {"log_verbose_level": value})[1]["log_verbose_level"] == 1
    assert server.post("/v2/logging", {"log_verbose_level": -1})[1]["log_verbose_level"] == 0
    client.update_log_settings({"log_verbose_level": 0, "log_info": info})
    assert client.get_log_settings(as_json=True)["settings"] == before
    with pytest.raises(InferenceServerException, match="log_file"):
        client.update_log_settings({"log_file": "/tmp/x"})


@pytest.mark.parametrize("call", [
    lambda c: c.get_trace_settings(), lambda c: c.get_cuda_shared_memory_status(),
    lambda c: c.unregister_cuda_shared_memory()])
def test_what_is_not_built_is_unimplemented_with_its_reason(client, call):
    with pytest.raises(InferenceServerException, match="not supported") as e:
        call(client)
    assert code(e) == "UNIMPLEMENTED"


def test_a_stream_answers_tensor_requests_in_order(client):
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    wanted = []
    for i in range(50):
        name = ("simple", "identity")[i % 2]
        if i == 20:
            client.async_stream_infer("simple", pair()[0][:1], request_id="bad")
            wanted.append(None)
        if name == "simple":
            inputs, a, b = pair(first=i)
            wanted.append(a + b)
        else:
            x = np.full(3, i, np.float32)
            inputs = [given("x", x, "FP32")]
            wanted.append(x)
        client.async_stream_infer(name, inputs, request_id=str(i))
    for value in wanted:
        result, error = answers.get(timeout=30)
        if value is None:
            assert "is missing" in error.message()
            continue
        assert error is None
        response = result.get_response()
        assert response.parameters["triton_final_response"].bool_param
        assert np.array_equal(result.as_numpy("OUTPUT0" if "OUTPUT0" in str(response.outputs) else "y"), value)
    client.stop_stream()


def test_an_error_ends_the_stream_if_the_client_wants_it_so(stub):
    bad = service_pb2.ModelInferRequest(model_name="nothing", id="7")
    answers = list(stub.ModelStreamInfer(iter([bad])))
    assert "nothing" in answers[0].error_message and answers[0].infer_response.id == "7"
    with pytest.raises(grpc.RpcError) as e:
        list(stub.ModelStreamInfer(iter([bad]), metadata=[("triton_grpc_error", "true")]))
    assert e.value.code() == grpc.StatusCode.NOT_FOUND


def completion(server, text, tokens):
    body = {"model": "gemma", "prompt": text, "max_tokens": tokens, "temperature": 0}
    return server.post("/v1/completions", body)[1]["choices"][0]["text"]


def test_a_language_model_streams_what_it_says_over_http(stub, server):
    prompts = {"a": "The capital of France is", "b": "Once upon a time", "c": "1, 2, 3,"}
    requests = [text_request(p, i, max_tokens=12, temperature=0.0) for i, p in prompts.items()]
    said, ends = {i: "" for i in prompts}, {}
    pieces = 0
    for answer in stub.ModelStreamInfer(iter(requests)):
        assert not answer.error_message
        response = answer.infer_response
        assert response.id not in ends
        said[response.id] += text_of(response)
        pieces += 1
        if response.parameters["triton_final_response"].bool_param:
            ends[response.id] = True
    assert pieces > 6 and ends.keys() == prompts.keys()
    assert said == {i: completion(server, p, 12) for i, p in prompts.items()}


def test_the_final_response_is_empty_if_asked_for(stub):
    request = text_request("Hello", max_tokens=3, temperature=0.0, triton_enable_empty_final_response=True)
    answers = [a.infer_response for a in stub.ModelStreamInfer(iter([request]))]
    assert not answers[-1].outputs and answers[-1].parameters["triton_final_response"].bool_param
    assert not any(a.parameters["triton_final_response"].bool_param for a in answers[:-1])


def test_a_language_model_takes_its_parameters_in_every_form(stub, server):
    def ask(request):
        answers = list(stub.ModelStreamInfer(iter([request])))
        return answers[0].error_message or "".join(text_of(a.infer_response) for a in answers)
    wanted = completion(server, "The sea is", 5)
    request = text_request("The sea is")
    for name, datatype, field, value in (("max_tokens", "INT32", "int_contents", 5),
                                         ("temperature", "FP32", "fp32_contents", 0.0)):
        getattr(request.inputs.add(name=name, datatype=datatype, shape=[1]).contents, field).append(value)
    assert ask(request) == wanted
    assert ask(text_request("The sea is", sampling_parameters=json.dumps({"max_tokens": 5, "temperature": 0}))) == wanted
    whole = text_request("The sea is", max_tokens=5, temperature=0.0, stream=False, exclude_input_in_output=False)
    answers = list(stub.ModelStreamInfer(iter([whole])))
    assert len(answers) == 1 and text_of(answers[0].infer_response) == "The sea is" + wanted
    assert "'temperature'" in ask(text_request("x", temperature=-1.0))
    assert "text_input" in ask(service_pb2.ModelInferRequest(model_name="gemma"))
    assert "context length" in ask(text_request("word " * 5000))


def test_inputs_may_have_the_names_of_other_fields(stub):
    for name in ("parameters", "sampling_parameters", "id", "stream"):
        request = text_request("x", max_tokens=2)
        request.inputs.add(name=name, datatype="INT32", shape=[1]).contents.int_contents.append(7)
        answers = list(stub.ModelStreamInfer(iter([request])))
        assert len(answers) == 1 and name in answers[0].error_message
    request = text_request("x")
    request.inputs.add(name="parameters", datatype="BYTES", shape=[1]).contents.bytes_contents.append(b"7")
    assert "parameters" in list(stub.ModelStreamInfer(iter([request])))[0].error_message


def test_modelinfer_refuses_language_models(stub):
    with pytest.raises(grpc.RpcError, match="decoupled") as e:
        stub.ModelInfer(text_request("x"))
    assert e.value.code() == grpc.StatusCode.UNIMPLEMENTED


def running(server):
    text = server.request("GET", "/metrics")[1]
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith(("vllm:num_requests_running{", "vllm:num_requests_waiting{")))


def wait_until(condition, timeout_s=20):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_a_client_that_goes_ends_its_work(stub, server, how):
    request = text_request("Once", max_tokens=1900, temperature=0.0, ignore_eos=True)
    call = stub.ModelStreamInfer(iter([request]), timeout=1.0 if how == "deadline" else None)
    next(call)
    assert running(server) == 1
    if how == "cancel":
        call.cancel()
    with pytest.raises(grpc.RpcError) as e:
        for _ in call:
            pass
    assert e.value.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)
    wait_until(lambda: running(server) == 0)


def test_the_asynchronous_client_streams(server):
    import asyncio

    async def ask():
        async with triton_aio.InferenceServerClient(server.grpc) as client:
            inputs = [given("text_input", np.array([b"Hello"], dtype=object), "BYTES")]

            async def requests():
                yield {"model_name": "gemma", "inputs": inputs, "parameters": {"max_tokens": 4, "temperature": 0.0}}
            text = ""
            async for result, error in client.stream_infer(requests()):
                assert error is None
                text += result.as_numpy("text_output")[0].decode()
            return text
    assert asyncio.run(ask()) == completion(server, "Hello", 4)


def test_health_is_told_for_the_server_and_each_model_and_watched(server, client):
    with grpc.insecure_channel(server.grpc) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        status = health_pb2.HealthCheckResponse
        for name in ("", "inference.GRPCInferenceService", "simple", "gemma"):
            assert health.Check(health_pb2.HealthCheckRequest(service=name)).status == status.SERVING
        with pytest.raises(grpc.RpcError) as e:
            health.Check(health_pb2.HealthCheckRequest(service="nothing"))
        assert e.value.code() == grpc.StatusCode.NOT_FOUND
        watch = health.Watch(health_pb2.HealthCheckRequest(service="long"))
        assert next(watch).status == status.SERVING
        client.unload_model("long")
        assert next(watch).status == status.NOT_SERVING
        client.load_model("long")
        assert next(watch).status == status.SERVING
        watch.cancel()


def test_health_forgets_no_model_that_was_removed(repository, tmp_path):  # noqa: F811
    shutil.copytree(repository / "simple", tmp_path / "kept")
    with serving.Server("--model-repository", tmp_path, "--model-control-mode", "poll", "--repository-poll-secs",
                        1) as s, grpc.insecure_channel(s.grpc) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        shutil.copytree(repository / "long", tmp_path / "gone")
        watch = health.Watch(health_pb2.HealthCheckRequest(service="gone"), timeout=60)
        for wanted in (1, 2, 1):  # it comes, goes, and comes again
            while next(watch).status != wanted:
                pass
            if wanted == 1:
                shutil.rmtree(tmp_path / "gone")
            else:
                shutil.copytree(repository / "long", tmp_path / "gone")
        assert health.Check(health_pb2.HealthCheckRequest(service="kept")).status == 1


def test_health_tells_of_the_end_before_the_shutdown_delay(repository):  # noqa: F811
    with serving.Server(repository / "simple", "--shutdown-delay", 2) as s, grpc.insecure_channel(s.grpc) as channel, \
            triton.InferenceServerClient(s.grpc) as client:
        watches = [health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=name), timeout=30)
                   for name in ("", "simple")]
        assert [next(watch).status for watch in watches] == [1, 1]
        s.process.terminate()
        assert [next(watch).status for watch in watches] == [2, 2]
        inputs, a, b = pair()  # for balancers that did not see it yet
        assert np.array_equal(client.infer("simple", inputs).as_numpy("OUTPUT0"), a + b)
        assert s.process.wait(30) == 0, s.messages


def identity_request(elements):
    request = service_pb2.ModelInferRequest(model_name="identity")
    request.inputs.add(name="x", datatype="FP32", shape=[elements])
    request.raw_input_contents.append(bytes(4 * elements))
    return request


def test_answers_that_nobody_reads_are_counted_and_their_client_is_dropped(repository):  # noqa: F811
    with serving.Server(repository / "identity", "--write-timeout", 2, "--max-bodies-bytes", 6 << 20) as s, \
            grpc.insecure_channel(s.grpc) as hog, grpc.insecure_channel(s.grpc) as other:
        call = service_pb2_grpc.GRPCInferenceServiceStub(hog).ModelStreamInfer(
            iter([identity_request(1 << 16) for _ in range(200)]))  # 256 KiB each
        stub = service_pb2_grpc.GRPCInferenceServiceStub(other)

        def refused():
            try:
                stub.ModelInfer(identity_request(3 << 18))
                return False
            except grpc.RpcError as e:
                assert e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "--max-bodies-bytes" in e.details()
                return True
        wait_until(refused)
        wait_until(lambda: not refused(), timeout_s=60)
        with pytest.raises(grpc.RpcError) as e:
            for _ in call:
                pass
        assert e.value.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)


def test_more_outputs_than_a_model_can_have_are_refused(stub):
    request = service_pb2.ModelInferRequest(model_name="simple")
    for i in range(4097):
        request.outputs.add(name=str(i))
    with pytest.raises(grpc.RpcError, match="4096") as e:
        stub.ModelInfer(request)
    assert e.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_reflection_describes_the_service(server):
    with grpc.insecure_channel(server.grpc) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert {"inference.GRPCInferenceService", "grpc.health.v1.Health"} <= set(database.get_services())
        service = DescriptorPool(database).FindServiceByName("inference.GRPCInferenceService")
        ours = {m.name: (m.input_type.full_name, m.output_type.full_name) for m in service.methods}
        theirs = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods
        assert ours == {m.name: (m.input_type.full_name, m.output_type.full_name) for m in theirs}


def test_keys_guard_every_call_but_health(repository, tmp_path):  # noqa: F811
    keys = tmp_path / "keys"
    keys.write_text("secret\n")
    with serving.Server(repository / "simple", "--api-key-file", keys, wait=False) as s:
        while s.get("/ready")[0] != 200:
            time.sleep(0.02)
        with triton.InferenceServerClient(s.grpc) as c:
            for headers in (None, {"authorization": "Bearer wrong"}):
                with pytest.raises(InferenceServerException, match="API key") as e:
                    c.infer("simple", pair()[0], headers=headers)
                assert code(e) == "UNAUTHENTICATED"
            inputs, a, b = pair()
            right = {"authorization": "Bearer secret"}
            assert np.array_equal(c.infer("simple", inputs, headers=right).as_numpy("OUTPUT0"), a + b)
        with grpc.insecure_channel(s.grpc) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            with pytest.raises(grpc.RpcError, match="API key"):
                list(stub.ModelStreamInfer(iter([])))
            assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status == 1
            with pytest.raises(grpc.RpcError):
                ProtoReflectionDescriptorDatabase(channel).get_services()


def test_tls_with_the_same_files_as_http(repository, tmp_path):  # noqa: F811
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days",
                    "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True)
    with serving.Server(repository / "simple", "--tls-cert", cert, "--tls-key", key, wait=False) as s:
        credentials = grpc.ssl_channel_credentials(cert.read_bytes())
        with grpc.secure_channel(s.grpc, credentials) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            wait_until(lambda: health.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True).status == 1)
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            assert stub.ModelReady(service_pb2.ModelReadyRequest(name="simple")).ready


def test_termination_lets_accepted_requests_end_and_refuses_new_ones(gemma, repository):  # noqa: F811
    with serving.Server(f"gemma={gemma}", repository / "simple", "--ctx", 1024) as s:
        with grpc.insecure_channel(s.grpc) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert next(health).status == 1
            never = threading.Event()
            idle = stub.ModelStreamInfer(iter(never.wait, True))  # a stream without a request
            call = stub.ModelStreamInfer(iter([text_request("Once", max_tokens=200, temperature=0.0,
                                                            ignore_eos=True)]))
            next(call)
            threading.Timer(0.0, s.process.terminate).start()
            assert next(health).status == 2
            assert sum(1 for _ in call) > 50
            assert s.process.wait(30) == 0, s.messages
            with pytest.raises(grpc.RpcError):
                next(idle)
            never.set()


def test_a_taken_port_is_told_and_zero_means_none(repository):  # noqa: F811
    with serving.Server(repository / "simple") as s:
        taken = subprocess.run([serving.BINARY, "serve", repository / "simple", "--http-port", "0", "--no-metrics",
                                "--grpc-port", s.grpc.rsplit(":", 1)[1]], capture_output=True, text=True, timeout=60)
        assert taken.returncode != 0 and "--grpc-port" in taken.stderr
    with serving.Server(repository / "simple", "--http-port", 0, "--no-metrics", "--grpc-port", 0, ports=False) as s:
        assert s.grpc is None and s.alive()
