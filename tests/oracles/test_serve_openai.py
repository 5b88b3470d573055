"""OpenAI's interface, driven by OpenAI's own Python client on the default model."""

import base64
import json
import time

import numpy as np
import openai
import pytest

import serving

PROMPT = "The capital of France is"


@pytest.fixture(scope="module")
def server(gemma, tmp_path_factory):
    template = tmp_path_factory.mktemp("serve") / "chat.jinja"
    template.write_text(serving.CHAT_TEMPLATE)
    with serving.Server(f"gemma={gemma}", "--ctx", 2048, "--kv-tokens", 16384, "--chat-template", template) as s:
        yield s


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=120)


def greedy(client, prompt=PROMPT, **fields):
    return client.completions.create(model="gemma", prompt=prompt, temperature=0, **fields)


def test_models_are_listed_and_found_by_name(client):
    assert [m.id for m in client.models.list()] == ["gemma"]
    assert client.models.retrieve("gemma").owned_by == "ingot"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")


def test_a_completion_tells_text_reason_and_usage(client, ingot, gemma):
    answer = greedy(client, max_tokens=8)
    run = json.loads(ingot("run", gemma, "-p", PROMPT, "-n", 8, "--temperature", 0, "--json"))
    assert answer.choices[0].text == run["text"]
    assert answer.choices[0].finish_reason == "length"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (6, 8)
    assert answer.usage.total_tokens == 14
    assert answer.id.startswith("cmpl-") and answer.object == "text_completion" and answer.model == "gemma"


def test_a_stream_says_what_the_whole_answer_says(client):
    whole = greedy(client, max_tokens=24)
    chunks = list(greedy(client, max_tokens=24, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].text for c in chunks if c.choices) == whole.choices[0].text
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "length"
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 24
    assert len(chunks) > 10


def test_the_same_prompt_again_is_found_in_the_cache(client):
    text = "A long enough text to fill whole pages of the cache. " * 20
    first = greedy(client, text, max_tokens=4)
    second = greedy(client, text, max_tokens=4)
    assert second.usage.prompt_tokens_details.cached_tokens >= second.usage.prompt_tokens - 32
    assert first.choices[0].text == second.choices[0].text


def test_a_prompt_may_be_token_ids_or_a_list(client, server):
    ids = server.post("/tokenize", {"prompt": PROMPT})[1]["tokens"]
    assert greedy(client, ids, max_tokens=4).choices[0].text == greedy(client, max_tokens=4).choices[0].text
    many = greedy(client, [PROMPT, "One, two, three,", PROMPT], max_tokens=4)
    assert [c.index for c in many.choices] == [0, 1, 2]
    assert many.choices[0].text == many.choices[2].text != many.choices[1].text
    assert many.usage.completion_tokens == 12


def test_n_choices_differ_and_a_seed_brings_them_back(client):
    def ask(**fields):
        return [c.text for c in client.completions.create(model="gemma", prompt=PROMPT, max_tokens=12, temperature=1.2,
                                                          n=3, **fields).choices]
    first = ask(seed=7)
    assert len(set(first)) > 1
    assert ask(seed=7) == first
    assert ask(seed=8) != first


def test_stop_strings_and_tokens_end_the_answer(client, server):
    answer = greedy(client, "One, two, three, four,", max_tokens=32, stop=[" seven"])
    assert answer.choices[0].finish_reason == "stop" and "seven" not in answer.choices[0].text
    assert answer.choices[0].stop_reason == " seven"
    kept = greedy(client, "One, two, three, four,", max_tokens=32, stop=" seven",
                  extra_body={"include_stop_str_in_output": True})
    assert kept.choices[0].text == answer.choices[0].text + " seven"
    comma = server.post("/tokenize", {"prompt": ",", "add_special_tokens": False})[1]["tokens"][0]
    by_token = greedy(client, "One, two, three, four,", max_tokens=32, extra_body={"stop_token_ids": [comma]})
    assert by_token.choices[0].finish_reason == "stop" and by_token.choices[0].stop_reason == comma


def test_logprobs_of_completions_are_aligned_with_the_text(client):
    choice = greedy(client, max_tokens=6, logprobs=3).choices[0]
    p = choice.logprobs
    assert "".join(p.tokens) == choice.text and len(p.token_logprobs) == 6
    for token, logprob, top in zip(p.tokens, p.token_logprobs, p.top_logprobs):
        assert 3 <= len(top) <= 4 and top[token] == logprob == max(top.values()) <= 0
    assert p.text_offset == [len("".join(p.tokens[:i])) for i in range(6)]


def test_echo_with_logprobs_scores_the_prompt(client):
    choice = greedy(client, max_tokens=0, logprobs=1, echo=True).choices[0]
    assert choice.text == PROMPT and choice.logprobs.token_logprobs[0] is None
    assert all(v <= 0 for v in choice.logprobs.token_logprobs[1:]) and len(choice.logprobs.tokens) == 6


def test_sampling_fields_of_openai_and_vllm_do_something(client, server):
    paris = server.post("/tokenize", {"prompt": " Paris", "add_special_tokens": False})[1]["tokens"][0]
    first = greedy(client, max_tokens=1, extra_body={"return_token_ids": True}).choices[0]
    assert greedy(client, max_tokens=1, logit_bias={str(first.token_ids[0]): -100}).choices[0].text != first.text
    assert greedy(client, max_tokens=1, extra_body={"bad_words": [first.text.strip()]}).choices[0].text != first.text
    only = greedy(client, max_tokens=3, extra_body={"allowed_token_ids": [paris]})
    assert only.choices[0].text == " Paris" * 3
    assert greedy(client, max_tokens=4, extra_body={"min_p": 0.1, "top_k": 5, "repetition_penalty": 1.1,
                                                    "min_tokens": 2, "unknown_field": [1]}).choices[0].text
    top1 = client.completions.create(model="gemma", prompt=PROMPT, max_tokens=8, temperature=1.5,
                                     extra_body={"top_k": 1})
    assert top1.choices[0].text == greedy(client, max_tokens=8).choices[0].text


def test_a_chat_is_rendered_by_the_template(client, server):
    messages = [{"role": "user", "content": "Name a colour."}]
    answer = client.chat.completions.create(model="gemma", messages=messages, temperature=0, max_tokens=8)
    rendered = "user: Name a colour.\nassistant:"
    assert answer.choices[0].message.content == greedy(client, rendered, max_tokens=8).choices[0].text
    assert answer.choices[0].message.role == "assistant" and answer.object == "chat.completion"
    tokens = server.post("/tokenize", {"messages": messages})[1]
    assert tokens["count"] == answer.usage.prompt_tokens


def test_a_chat_stream_begins_with_the_role_and_ends_with_done(client, server):
    messages = [{"role": "user", "content": "Name a colour."}]
    fields = dict(model="gemma", messages=messages, temperature=0, max_completion_tokens=12)
    whole = client.chat.completions.create(**fields)
    chunks = list(client.chat.completions.create(**fields, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage or chunks[-1].usage.total_tokens == whole.usage.total_tokens
    status, text, headers = server.post("/v1/chat/completions", {**fields, "stream": True})
    assert status == 200 and headers["content-type"].startswith("text/event-stream")
    assert text.endswith("data: [DONE]\n\n")


def test_chat_logprobs_hold_tokens_bytes_and_alternatives(client):
    answer = client.chat.completions.create(model="gemma", messages=[{"role": "user", "content": "Hi"}], temperature=0,
                                            max_tokens=5, logprobs=True, top_logprobs=2)
    content = answer.choices[0].logprobs.content
    assert b"".join(bytes(t.bytes) for t in content).decode() == answer.choices[0].message.content
    assert all(len(t.top_logprobs) == 2 and t.top_logprobs[0].logprob == t.logprob for t in content)


def test_tools_reach_the_template(client):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    messages = [{"role": "user", "content": "Hi"}]
    plain = client.chat.completions.create(model="gemma", messages=messages, max_tokens=1)
    with_tools = client.chat.completions.create(model="gemma", messages=messages, max_tokens=1, tools=tools)
    none = client.chat.completions.create(model="gemma", messages=messages, max_tokens=1, tools=tools,
                                          tool_choice="none")
    assert with_tools.usage.prompt_tokens > plain.usage.prompt_tokens == none.usage.prompt_tokens


def test_embeddings_are_unit_vectors_and_similar_texts_are_near(client):
    texts = ["A cat sits on the mat.", "A cat is sitting on a mat.", "The stock market fell by two percent."]
    answer = client.embeddings.create(model="gemma", input=texts)
    v = np.array([e.embedding for e in answer.data])
    assert v.shape[0] == 3 and np.allclose(np.linalg.norm(v, axis=1), 1, atol=1e-4)
    assert v[0] @ v[1] > v[0] @ v[2]
    assert answer.usage.prompt_tokens > 15
    alone = np.array(client.embeddings.create(model="gemma", input=texts[1]).data[0].embedding)
    assert np.array_equal(alone, v[1])  # a request's answer does not depend on what runs beside it
    floats = client.embeddings.create(model="gemma", input=texts[0], encoding_format="float", dimensions=64)
    assert len(floats.data[0].embedding) == 64


def test_embeddings_in_base64_are_the_same_floats(server):
    body = {"model": "gemma", "input": "Hello"}
    floats = server.post("/v1/embeddings", body)[1]["data"][0]["embedding"]
    text = server.post("/v1/embeddings", {**body, "encoding_format": "base64"})[1]["data"][0]["embedding"]
    assert np.allclose(np.frombuffer(base64.b64decode(text), np.float32), floats, rtol=1e-6)


def test_tokenize_and_detokenize_are_inverse(server):
    text = "Grüße, 世界! <bos> is text"
    status, tokens, _ = server.post("/tokenize", {"prompt": text, "return_token_strs": True})
    assert status == 200 and tokens["count"] == len(tokens["tokens"]) == len(tokens["token_strs"])
    back = server.post("/detokenize", {"tokens": tokens["tokens"]})[1]["prompt"]
    assert back.endswith(text)
    assert server.post("/tokenize", {"content": "Hi"})[1]["tokens"] == tokens_of(server, "Hi")


def tokens_of(server, text):
    return server.post("/tokenize", {"prompt": text, "add_special_tokens": False})[1]["tokens"]


@pytest.mark.parametrize("fields, param", [
    ({"temperature": "hot"}, "temperature"), ({"temperature": -1}, "temperature"), ({"max_tokens": "9"}, "max_tokens"),
    ({"max_tokens": -3}, "max_tokens"), ({"top_p": 1.5}, "top_p"), ({"n": 0}, "n"), ({"n": 1000}, "n"),
    ({"stop": 7}, "stop"), ({"stop": ["a", 1]}, "stop"), ({"logprobs": 99}, "logprobs"), ({"seed": 1.5}, "seed"),
    ({"logit_bias": {"x": 1}}, "logit_bias"), ({"logit_bias": {"1": 200}}, "logit_bias"), ({"stream": 1}, "stream"),
    ({"stream_options": {}}, "stream_options"), ({"presence_penalty": 3}, "presence_penalty"),
    ({"prompt": {}}, "prompt"), ({"prompt": []}, "prompt"), ({"prompt": [[1, -2]]}, "prompt"),
    ({"prompt": [999999999]}, "prompt"), ({"model": 5}, "model"), ({"best_of": 3}, "best_of"),
    ({"min_p": 2}, "min_p"), ({"suffix": "x"}, "suffix"), ({"response_format": {"type": "yaml"}}, "response_format"),
    ({"stream_options": [1], "stream": True}, "stream_options"), ({"prompt": ""}, None),
])
def test_a_wrong_field_is_400_and_named(server, fields, param):
    status, body, _ = server.post("/v1/completions", {"model": "gemma", "prompt": "Hi", "max_tokens": 1, **fields})
    if param is None:  # begin-of-sequence alone is a prompt
        assert status == 200
        return
    assert status == 400, body
    assert body["error"]["param"] == param and set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("fields", [
    {"messages": []}, {"messages": "hi"}, {"messages": [{"content": "x"}]}, {"messages": [1]}, {"tools": [1]},
    {"tool_choice": "required"}, {"top_logprobs": 2}, {"max_completion_tokens": 0}, {"chat_template": "x"},
])
def test_a_wrong_chat_is_refused(server, fields):
    body = {"model": "gemma", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1, **fields}
    status, answer, _ = server.post("/v1/chat/completions", body)
    assert status in (400, 403), answer
    assert answer["error"]["param"] in fields


def test_a_context_too_long_is_400_with_both_numbers(client):
    with pytest.raises(openai.BadRequestError) as e:
        greedy(client, "word " * 3000, max_tokens=10)
    assert e.value.code == "context_length_exceeded" and "2048" in str(e.value) and "3012" in str(e.value)
    with pytest.raises(openai.BadRequestError, match="2048"):
        greedy(client, max_tokens=5000)
    short = greedy(client, "word " * 3000, max_tokens=1, extra_body={"truncate_prompt_tokens": 100})
    assert short.usage.prompt_tokens == 100


def test_an_unknown_model_is_404_and_none_is_the_only_one(client, server):
    with pytest.raises(openai.NotFoundError, match="nope"):
        client.completions.create(model="nope", prompt="x")
    assert server.post("/v1/completions", {"prompt": PROMPT, "max_tokens": 1})[0] == 200


def test_many_streams_at_once_are_each_whole(client):
    import concurrent.futures as futures
    expected = greedy(client, max_tokens=16).choices[0].text

    def stream(_):
        return "".join(c.choices[0].text for c in greedy(client, max_tokens=16, stream=True) if c.choices)
    with futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(stream, range(32))) == {expected}


def test_prompt_logprobs_name_each_token(server):
    body = {"model": "gemma", "prompt": PROMPT, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 1}
    choice = server.post("/v1/completions", body)[1]["choices"][0]
    assert choice["prompt_logprobs"][0] is None and len(choice["prompt_logprobs"]) == 6
    assert all("logprob" in next(iter(p.values())) for p in choice["prompt_logprobs"][1:])


def test_the_access_log_has_one_json_line_for_each_request(server):
    server.post("/v1/completions", {"prompt": "Hi", "max_tokens": 1}, {"X-Request-Id": "my-id-7"})
    server.get("/nothing-at-all")

    def lines():  # of these two requests: those of earlier tests may come late
        entries = [json.loads(line) for line in list(server.log)]
        return [e for e in entries if e.get("id") == "my-id-7" or e.get("path") == "/nothing-at-all"]

    end = time.monotonic() + 10
    while len(lines()) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    answered, missing = lines()
    assert answered["status"] == 200 and answered["model"] == "gemma"
    assert missing["status"] == 404
