"""Structured output over HTTP: whatever the dialect, what a model of random weights says obeys, and `jsonschema` agrees."""

import json
import re

import jsonschema
import openai
import pytest

import serving
from bad_input import MODELS

SCHEMA = {"type": "object", "properties": {
    "name": {"type": "string", "maxLength": 8}, "age": {"type": "integer", "minimum": 3, "maximum": 120},
    "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3},
    "inner": {"type": "object", "properties": {"x": {"type": "number", "minimum": 0, "maximum": 1}}, "required": ["x"]}},
    "required": ["name", "age", "inner"], "additionalProperties": False}
GBNF = 'root ::= "ab" [0-9]{2}'


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    template = tmp_path_factory.mktemp("structured") / "chat.jinja"
    template.write_text(serving.CHAT_TEMPLATE)
    with serving.Server(f"tiny={MODELS / 'llama' / 'model.gguf'}", "--ctx", 2048, "--kv-tokens", 8192, "--chat-template", template) as s:
        yield s


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=120)


def texts(client, kind, stream, **fields):
    """The texts of the choices of an answer, by either interface, at a temperature where a free model talks nonsense."""
    fields = dict(model="tiny", temperature=1.5, seed=3, max_tokens=200, **fields)
    if kind == "chat":
        call = lambda **more: client.chat.completions.create(messages=[{"role": "user", "content": "Hi"}], **more)  # noqa: E731
        text_of, piece_of = lambda c: c.message.content, lambda c: c.delta.content
    else:
        call = lambda **more: client.completions.create(prompt="Hi", **more)  # noqa: E731
        text_of, piece_of = lambda c: c.text, lambda c: c.text
    if not stream:
        answer = call(**fields)
        assert {c.finish_reason for c in answer.choices} == {"stop"}
        return [text_of(c) for c in answer.choices]
    out = {}
    for chunk in call(stream=True, **fields):
        for c in chunk.choices:
            out[c.index] = out.get(c.index, "") + (piece_of(c) or "")
    return [out[i] for i in sorted(out)]


def is_json_object(text):
    return isinstance(json.loads(text), dict)


def obeys(text):
    jsonschema.validate(json.loads(text), SCHEMA)
    return True


FORMS = [
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": SCHEMA}}},
     obeys),
    ({"response_format": {"type": "json_object", "schema": SCHEMA}}, obeys),
    ({"guided_json": SCHEMA}, obeys), ({"guided_json": json.dumps(SCHEMA)}, obeys),
    ({"structured_outputs": {"json": SCHEMA}}, obeys), ({"json_schema": SCHEMA}, obeys),
    ({"guided_regex": "[a-c]{2}-\\d{3}"}, lambda t: re.fullmatch(r"[a-c]{2}-\d{3}", t)),
    ({"structured_outputs": {"regex": "(x|yz){4}"}}, lambda t: re.fullmatch("(x|yz){4}", t)),
    ({"guided_choice": ["yes", "no"]}, lambda t: t in ("yes", "no")),
    ({"structured_outputs": {"choice": ["red", "green"]}}, lambda t: t in ("red", "green")),
    ({"guided_grammar": GBNF}, lambda t: re.fullmatch(r"ab\d\d", t)),
    ({"structured_outputs": {"grammar": GBNF}}, lambda t: re.fullmatch(r"ab\d\d", t)),
    ({"grammar": GBNF}, lambda t: re.fullmatch(r"ab\d\d", t)),
]


@pytest.mark.parametrize("fields, holds", FORMS, ids=lambda v: json.dumps(v)[:60] if isinstance(v, dict) else "")
@pytest.mark.parametrize("kind", ["chat", "completion"])
def test_every_choice_obeys_in_every_dialect_streamed_and_not(client, kind, fields, holds):
    whole = texts(client, kind, False, n=4, extra_body=fields)
    assert len(whole) == 4
    for text in whole:
        assert holds(text), text
    assert texts(client, kind, True, n=4, extra_body=fields) == whole


@pytest.mark.parametrize("fields", [{"response_format": {"type": "json_object"}},
                                    {"structured_outputs": {"json_object": True}}])
def test_any_json_object_ends_or_is_cut(client, fields):
    for seed in range(3):
        answer = client.completions.create(model="tiny", prompt="Hi", temperature=1.0, seed=seed, max_tokens=200,
                                           extra_body=fields).choices[0]
        assert answer.text.startswith("{")
        assert answer.finish_reason == "length" or is_json_object(answer.text)


def test_text_is_free_and_null_is_absent(client):
    free = texts_of(client)
    assert texts_of(client, response_format={"type": "text"}) == free
    assert texts_of(client, guided_json=None, structured_outputs=None, grammar="") == free


def texts_of(client, **body):
    return client.completions.create(model="tiny", prompt="Hi", temperature=0, max_tokens=8, extra_body=body).choices[0].text


def test_masks_compose(client, server):
    def ids(text):
        return server.post("/tokenize", {"prompt": text, "add_special_tokens": False})[1]["tokens"]
    digits = sorted({i for d in "123" for i in ids(d)})
    answer = client.completions.create(model="tiny", prompt="Hi", temperature=1.5, seed=1, max_tokens=40, n=4,
                                       extra_body={"guided_regex": "[0-9]{5}", "allowed_token_ids": digits})
    for choice in answer.choices:  # the end is the grammar's matter
        assert re.fullmatch("[123]{5}", choice.text) and choice.finish_reason == "stop"
    for choice in client.completions.create(model="tiny", prompt="Hi", temperature=1.5, seed=1, max_tokens=40, n=8,
                                            extra_body={"guided_regex": "[ab]{6}", "bad_words": ["b"]}).choices:
        assert choice.text == "aaaaaa"
    biased = client.completions.create(model="tiny", prompt="Hi", temperature=0, max_tokens=9, logprobs=1,
                                       extra_body={"guided_choice": ["abc"], "min_tokens": 5, "ignore_eos": True})
    assert biased.choices[0].text == "abc" and len(biased.choices[0].logprobs.tokens) <= 3


@pytest.mark.parametrize("fields, param, words", [
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {
        "type": "object", "properties": {"p": {"type": "array", "uniqueItems": True}}}}}}, "response_format",
     ["uniqueItems", "#/properties/p"]),
    ({"guided_json": {"not": {"type": "string"}}}, "guided_json", ["'not'", "#"]),
    ({"structured_outputs": {"json": {"type": "object", "patternProperties": {}}}}, "structured_outputs",
     ["patternProperties"]),
    ({"guided_regex": "(?=a)b"}, "guided_regex", ["regex"]), ({"grammar": "a ::= b"}, "grammar", ["root"]),
    ({"grammar": "root ::= ([a-z]{1000}){1000}"}, "grammar", ["states"]),
    ({"guided_choice": []}, "guided_choice", ["empty"]), ({"guided_choice": [1]}, "guided_choice", ["string"]),
    ({"guided_json": 7}, "guided_json", ["number"]), ({"guided_json": "{"}, "guided_json", ["json"]),
    ({"response_format": {"type": "json_schema"}}, "response_format", ["schema"]),
    ({"response_format": {"type": "json_schema", "json_schema": 5}}, "response_format", ["json_schema"]),
    ({"response_format": {"type": "yaml"}}, "response_format", ["yaml"]),
    ({"response_format": "json"}, "response_format", ["object"]),
    ({"structured_outputs": {}}, "structured_outputs", ["one of"]),
    ({"structured_outputs": {"json": {}, "structural_tag": "x"}}, "structured_outputs", ["structural_tag"]),
    ({"guided_json": {}, "grammar": GBNF}, "grammar", ["guided_json"]),
    ({"guided_regex": "a", "response_format": {"type": "json_object"}}, "guided_regex", ["response_format"]),
    ({"structured_outputs": {"regex": "a", "choice": ["b"]}}, "structured_outputs", ["together"]),
])
def test_what_cannot_be_done_is_400_and_named(server, fields, param, words):
    for path, more in (("/v1/completions", {"prompt": "Hi"}),
                       ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]})):
        status, body, _ = server.post(path, {"model": "tiny", "max_tokens": 4, **more, **fields})
        assert status == 400, body
        assert body["error"]["param"] == param
        assert all(w in body["error"]["message"] for w in words), body


def test_a_dead_end_fails_its_request_alone(client, server):
    space = server.post("/tokenize", {"prompt": "x", "add_special_tokens": False})[1]["tokens"]
    with pytest.raises(openai.BadRequestError):
        client.completions.create(model="tiny", prompt="Hi", extra_body={"guided_regex": "[0-9]+",
                                                                         "allowed_token_ids": space})
    assert texts_of(client)


def test_an_object_of_many_properties_is_finished(client):
    names = [f"p{i}" for i in range(300)]
    schema = {"type": "object", "properties": {n: {"type": "null"} for n in names}, "required": names[-1:]}
    answer = client.completions.create(model="tiny", prompt="Hi", temperature=1.5, seed=5, max_tokens=1500, n=2,
                                       extra_body={"guided_json": schema})
    for choice in answer.choices:
        if choice.finish_reason == "stop":
            jsonschema.validate(json.loads(choice.text), schema)
