"""Triton's generate extension and its statistics of language models, through an HTTP library's own streams and Triton's
clients."""

import concurrent.futures as futures
import json

import httpx2 as httpx
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

import serving

FIXED = {"max_tokens": 12, "temperature": 0, "ignore_eos": True}


@pytest.fixture(scope="module")
def server(gemma):
    with serving.Server(f"gemma={gemma}", "--ctx", 1024) as s:
        yield s
        assert s.alive()
        assert s.stop() == 0


@pytest.fixture(scope="module")
def http(server):
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def completion(http, prompt, **fields):
    return http.post("/v1/completions", json={"prompt": prompt, **FIXED, **fields}).json()["choices"][0]["text"]


def stream(http, body, model="gemma"):
    """The JSON of each event."""
    with http.stream("POST", f"/v2/models/{model}/generate_stream", json=body) as answer:
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
        lines = list(answer.iter_lines())
    assert all(line.startswith("data: ") for line in lines if line)
    return [json.loads(line[6:]) for line in lines if line]


def test_generate_answers_whole_and_as_openais_face_does(http):
    body = {"id": "r1", "text_input": "Once upon a time", **FIXED}
    answer = http.post("/v2/models/gemma/generate", json=body)
    assert answer.status_code == 200 and answer.json() == {
        "id": "r1", "model_name": "gemma", "model_version": "1", "text_output": completion(http, "Once upon a time")}


def test_a_stream_is_the_same_text_in_pieces(http):
    pieces = stream(http, {"text_input": "Once upon a time", **FIXED})
    assert len(pieces) > 3 and all(p["model_name"] == "gemma" for p in pieces)
    assert "".join(p["text_output"] for p in pieces) == completion(http, "Once upon a time")


@pytest.mark.parametrize("wrap", [lambda p: p, lambda p: {"parameters": p}, lambda p: {"sampling_parameters": p},
                                  lambda p: {"sampling_parameters": json.dumps(p)},
                                  lambda p: {"parameters": {k: [v] for k, v in p.items()}}])
def test_how_tokens_are_chosen_may_stand_in_every_place(http, wrap):
    answer = http.post("/v2/models/gemma/generate", json={"text_input": "One, two,", **wrap(FIXED)})
    assert answer.json()["text_output"] == completion(http, "One, two,")


def test_stop_words_seeds_and_the_prompt_itself(http):
    text = completion(http, "One, two,")
    word = text.split()[2]
    cut = http.post("/v2/models/gemma/generate", json={"text_input": "One, two,", **FIXED, "stop_words": [word]})
    assert cut.json()["text_output"] == text[:text.index(word)]
    told = http.post("/v2/models/gemma/generate", json={
        "text_input": "One, two,", **FIXED, "exclude_input_in_output": False, "return_finish_reason": True,
        "return_num_input_tokens": True, "return_num_output_tokens": True}).json()
    assert told["text_output"] == "One, two," + text and told["finish_reason"] == "length"
    assert told["num_output_tokens"] == 12 and told["num_input_tokens"] > 2
    random = {"text_input": "One", "max_tokens": 12, "temperature": 1.2, "random_seed": 7}
    assert len({http.post("/v2/models/gemma/generate", json=random).json()["text_output"] for _ in range(3)}) == 1


@pytest.mark.parametrize("body, status, word", [
    ({}, 400, "text_input"), ({"text_input": 5}, 400, "text_input"), ({"text_input": "a", "max_tokens": -5}, 400, "max_tokens"),
    ({"text_input": "a", "temperature": "hot"}, 400, "temperature"), ({"text_input": "a", "parameters": 3}, 400, "parameters"),
    ({"text_input": "a", "sampling_parameters": "{"}, 400, "sampling_parameters"), ([], 400, "object"),
    ({"text_input": "a", "n": 2}, 501, "'n'"), ({"text_input": "x " * 5000}, 400, "1024")])
@pytest.mark.parametrize("route", ["generate", "generate_stream"])
def test_what_is_wrong_is_told_by_its_name(http, route, body, status, word):
    answer = http.post(f"/v2/models/gemma/{route}", json=body)
    assert answer.status_code == status and list(answer.json()) == ["error"] and word in answer.json()["error"]


def test_unknown_models_and_versions(http):
    assert http.post("/v2/models/nothing/generate", json={"text_input": "a"}).status_code == 404
    assert http.post("/v2/models/gemma/versions/9/generate_stream", json={"text_input": "a"}).status_code == 404
    assert http.post("/v2/models/gemma/versions/1/generate", json={"text_input": "a", "max_tokens": 1}).status_code == 200


def test_many_streams_at_once_each_get_their_own(http, server):
    prompts = [f"Number {i} is" for i in range(12)]
    alone = [completion(http, p) for p in prompts]

    def ask(prompt):
        with httpx.Client(base_url=server.url, timeout=60) as own:
            return "".join(p["text_output"] for p in stream(own, {"text_input": prompt, **FIXED}))
    with futures.ThreadPoolExecutor(12) as pool:
        assert list(pool.map(ask, prompts)) == alone


def test_statistics_of_a_language_model_count_what_was_answered(http, server):
    with triton_http.InferenceServerClient(server.url[7:]) as over_http, \
            triton_grpc.InferenceServerClient(server.grpc) as over_grpc:
        def stats():
            one = over_http.get_inference_statistics("gemma")["model_stats"][0]
            other = over_grpc.get_inference_statistics("gemma", as_json=True)["model_stats"][0]
            assert int(other["inference_count"]) == one["inference_count"] and other["name"] == "gemma"
            assert int(other["inference_stats"]["success"]["ns"]) == one["inference_stats"]["success"]["ns"]
            return one
        http.post("/v2/models/gemma/generate", json={"text_input": "a", **FIXED})
        before = stats()
        for _ in range(3):
            http.post("/v2/models/gemma/generate", json={"text_input": "Once", **FIXED})
        after = stats()
        assert after["inference_count"] - before["inference_count"] == 3
        assert after["execution_count"] - before["execution_count"] >= 3 * 12
        for what in ("success", "queue", "compute_infer"):
            told, was = after["inference_stats"][what], before["inference_stats"][what]
            assert told["count"] - was["count"] == 3 and told["ns"] > was["ns"], what
        assert after["inference_stats"]["success"]["ns"] >= after["inference_stats"]["compute_infer"]["ns"]
        assert {m["name"] for m in over_http.get_inference_statistics()["model_stats"]} == {"gemma"}
