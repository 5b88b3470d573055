"""Aliases, and models that are put away under a memory budget and come back: through real clients."""

import re
import subprocess
import threading
import time
import urllib.request

import numpy as np
import openai
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from onnx import TensorProto, helper, numpy_helper
from tritonclient.utils import InferenceServerException

import serving
from test_serve_kserve import model, tensor

TINY = serving.ROOT / "tests/goldens/models/llama"
NAMES = ("one", "two", "three", "four")
WEIGHTS = 200_000  # floats of each


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """y = x + sum of weights: as large as the weights are."""
    folder = tmp_path_factory.mktemp("models")
    for k, name in enumerate(NAMES, 1):
        w = np.zeros(WEIGHTS, np.float32)
        w[-1] = k
        model(folder / name / "1/model.onnx",
              [helper.make_node("ReduceSum", ["w"], ["s"], keepdims=0), helper.make_node("Add", ["x", "s"], ["y"])],
              [tensor("x", TensorProto.FLOAT, ["n"])], [tensor("y", TensorProto.FLOAT, ["n"])],
              [numpy_helper.from_array(w, "w")])
    return folder


def ask(module, client, name):
    given = module.InferInput("x", [3], "FP32")
    given.set_data_from_numpy(np.zeros(3, np.float32))
    return client.infer(name, [given]).as_numpy("y")[0]


def states(s):
    return {m["name"]: m["state"] for m in s.post("/v2/repository/index", {})[1]}


def metric(s, name):
    text = urllib.request.urlopen(s.metrics_url).read().decode()
    return float(re.search(rf"^{name} (\S+)", text, re.M)[1])


def test_models_past_the_budget_come_when_they_are_named(root):
    budget = int(2.5 * WEIGHTS * 4)
    with serving.Server("--model-repository", root, "--memory-budget", budget) as s, \
            triton_http.InferenceServerClient(s.url[7:]) as over_http, triton_grpc.InferenceServerClient(s.grpc) as over_grpc:
        assert sorted(states(s).values()) == ["READY"] * 2 + ["UNAVAILABLE"] * 2 and s.get("/ready")[0] == 200
        for name in NAMES:
            assert s.get(f"/v2/models/{name}/versions/1/ready")[0] == 200
            assert s.get(f"/v2/models/{name}/versions/99/ready")[0] == 404
        for module, client in ((triton_http, over_http), (triton_grpc, over_grpc)):
            for name in (*NAMES, *NAMES[::-1]):
                assert client.is_model_ready(name)
                assert ask(module, client, name) == NAMES.index(name) + 1
                assert list(states(s).values()).count("READY") <= 2 and states(s)[name] == "READY"
        assert metric(s, "ingot_models_bytes") <= budget == metric(s, "ingot_memory_budget_bytes")
        assert metric(s, "ingot_demand_loads_total") > 8 and metric(s, "ingot_idle_unloads_total") > 8
        for name in NAMES:  # what they say of themselves is asked for as well
            assert over_http.get_model_metadata(name)["name"] == name
            assert over_grpc.get_model_metadata(name).name == name
            assert over_grpc.get_model_config(name).config.name == name


def test_a_stream_waits_for_the_model_too(root):
    with serving.Server("--model-repository", root, "--memory-budget", int(1.5 * WEIGHTS * 4)) as s, \
            triton_grpc.InferenceServerClient(s.grpc) as client:
        answers, done = [], threading.Event()

        def take(result, error):
            answers.append(error or result.as_numpy("y")[0])
            if len(answers) == 8:
                done.set()
        client.start_stream(take)
        for name in NAMES * 2:
            given = triton_grpc.InferInput("x", [1], "FP32")
            given.set_data_from_numpy(np.zeros(1, np.float32))
            client.async_stream_infer(name, [given])
        assert done.wait(60)
        client.stop_stream()
        assert answers == [1, 2, 3, 4] * 2  # in the order of the requests, however long each waited


def test_under_load_models_come_and_go_and_no_request_is_lost(root):
    with serving.Server("--model-repository", root, "--memory-budget", int(3.5 * WEIGHTS * 4)) as s:
        failures, count, stop = [], [0], threading.Event()

        def work(k):
            module = triton_grpc if k % 2 else triton_http
            with module.InferenceServerClient(s.grpc if k % 2 else s.url[7:]) as client:
                i = 0
                while not stop.is_set():
                    i += 1
                    name = NAMES[(i * (k + 1) + k) % 4]
                    try:
                        if ask(module, client, name) != NAMES.index(name) + 1:
                            failures.append("wrong")
                    except InferenceServerException as e:
                        failures.append(str(e))
                    count[0] += 1
        threads = [threading.Thread(target=work, args=(k,)) for k in range(3)]
        for t in threads:
            t.start()
        time.sleep(8)
        stop.set()
        for t in threads:
            t.join()
        assert failures == [] and count[0] > 50 and metric(s, "ingot_idle_unloads_total") > 10
        assert s.stop() == 0


def test_language_models_are_put_away_when_idle_and_come_back(root):
    with serving.Server(f"tiny={TINY}", f"other={TINY}", "--idle-unload", 1, "--alias", "nick=tiny") as s:
        end = time.monotonic() + 30
        while set(states(s).values()) != {"UNAVAILABLE"}:
            assert time.monotonic() < end
            time.sleep(0.1)
        client = openai.OpenAI(base_url=s.url + "/v1", api_key="x", max_retries=0)
        assert {m.id for m in client.models.list()} == {"tiny", "other", "nick"}
        assert client.models.retrieve("nick").to_dict()["root"] == "tiny"
        for name in ("tiny", "other", "nick"):
            answer = client.completions.create(model=name, prompt=[1, 2, 3], max_tokens=3)
            assert answer.usage.completion_tokens >= 1
        pieces = list(client.completions.create(model="nick", prompt=[1, 2, 3], max_tokens=3, stream=True))
        assert pieces and s.get("/ready")[0] == 200


def failed_start(*args):
    done = subprocess.run([serving.BINARY, "serve", *map(str, args), "--http-port", "0", "--grpc-port", "0",
                           "--no-metrics"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    return done.stderr


def test_a_model_larger_than_the_budget_ends_the_start_with_both_numbers(root):
    assert "takes 1 MiB, more than --memory-budget (1 MiB)" in failed_start("--model-repository", root,
                                                                            "--memory-budget", 1000)


def test_aliases_name_models_everywhere(root):
    with serving.Server("--model-repository", root, f"tiny={TINY}", "--alias", "first=one", "--alias", "gpt=tiny",
                        *serving.LOADABLE) as s, triton_http.InferenceServerClient(s.url[7:]) as over_http, \
            triton_grpc.InferenceServerClient(s.grpc) as over_grpc:
        assert ask(triton_http, over_http, "first") == 1 == ask(triton_grpc, over_grpc, "first")
        assert over_http.get_model_metadata("first")["name"] == "one" == over_grpc.get_model_metadata("first").name
        assert over_http.is_model_ready("first") and over_grpc.is_model_ready("first", "1")
        assert states(s)["first"] == "READY" and states(s)["gpt"] == "READY"
        assert "first" in {m.name for m in over_grpc.get_model_repository_index().models}
        stats = over_grpc.get_inference_statistics("one").model_stats[0]
        assert stats.name == "one" and stats.inference_stats.success.count == 2
        client = openai.OpenAI(base_url=s.url + "/v1", api_key="x")
        assert {m.id: m.to_dict()["root"] for m in client.models.list()} == {"tiny": "tiny", "gpt": "tiny"}
        assert client.completions.create(model="gpt", prompt=[1, 2], max_tokens=1).model == "tiny"
        over_http.unload_model("first")
        assert not over_http.is_model_ready("one") and not over_http.is_model_ready("first")
        over_http.load_model("first")
        assert over_http.is_model_ready("one")


@pytest.mark.parametrize("value", ["one", "=one", "x=", "x=nothing", "two=one", "a/b=one"])
def test_a_wrong_alias_is_told(root, value):
    stderr = failed_start("--model-repository", root, "--alias", value)
    assert "--alias" in stderr or "model name" in stderr
