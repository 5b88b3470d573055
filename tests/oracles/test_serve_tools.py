"""Tool calls and reasoning over HTTP, by OpenAI's client: every format, streamed and not, demanded and found."""

import contextlib
import json

import jsonschema
import openai
import pytest

import serving
from bad_input import MODELS

TINY = MODELS / "llama" / "model.gguf"
WEATHER = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8},
                                            "days": {"type": "integer", "minimum": 1, "maximum": 9},
                                            "unit": {"enum": ["C", "F"]}}, "required": ["city", "days"]}
ADD = {"type": "object", "properties": {"list": {"type": "array", "items": {"type": "integer", "maximum": 99,
                                                                            "minimum": 0},
                                                 "minItems": 1, "maxItems": 2}}, "required": ["list"]}
SCHEMAS = {"weather": WEATHER, "add": ADD, "now": {"type": "object", "properties": {}, "additionalProperties": False}}
TOOLS = [{"type": "function", "function": {"name": n, "description": "x", **({"parameters": s} if n != "now" else {})}}
         for n, s in SCHEMAS.items()]
MESSAGES = [{"role": "user", "content": "Hi"}]
# What each format's model writes: (text, content, calls).
CALLS = [("weather", {"city": "Rome", "days": 2}), ("now", {})]
TEXTS = {
    "hermes": ('Look.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Rome", "days": 2}}\n</tool_call>\n'
               '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>', "Look."),
    "llama3": ('{"name": "weather", "parameters": {"city": "Rome", "days": 2}}; {"name": "now", "parameters": {}}', None),
    "mistral": ('[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Rome", "days": 2}}, '
                '{"name": "now", "arguments": {}}]', None),
    "mistral-named": ('Look.[TOOL_CALLS]weather[ARGS]{"city": "Rome", "days": 2}[TOOL_CALLS]now[ARGS]{}', "Look."),
    "pythonic": ('[weather(city="Rome", days=2), now()]', None),
    "gemma": ('Look.\n```tool_code\nprint(weather(city="Rome", days=2))\nnow()\n```', "Look."),
    "functiongemma": ('<start_function_call>call:weather{city:<escape>Rome<escape>,days:2}<end_function_call>'
                      '<start_function_call>call:now{}<end_function_call>', None),
}


@contextlib.contextmanager
def serve(folder, template, *options, model=TINY):
    path = folder / "chat.jinja"
    path.write_text(template)
    with serving.Server(f"tiny={model}", "--ctx", 2048, "--kv-tokens", 8192, "--chat-template", path, *options) as s:
        yield openai.OpenAI(base_url=s.url + "/v1", api_key="none", max_retries=0, timeout=120)


@pytest.fixture(scope="module", params=TEXTS)
def by_format(request, tmp_path_factory):
    with serve(tmp_path_factory.mktemp("tools"), serving.CHAT_TEMPLATE, "--tool-format", request.param) as client:
        yield request.param, client


@pytest.fixture(scope="module")
def client(tmp_path_factory):  # the format is found in the template
    template = serving.CHAT_TEMPLATE + "{# <tool_call> #}"
    with serve(tmp_path_factory.mktemp("tools"), template) as client:
        yield client


def ask(client, **fields):
    fields = {"messages": MESSAGES, "tools": TOOLS, "max_tokens": 300, "temperature": 0, **fields}
    return client.chat.completions.create(model="tiny", **fields)


def say(client, text, **fields):
    """An answer that is this text."""
    extra = {"guided_choice": [text], **fields.pop("extra_body", {})}
    return ask(client, extra_body=extra, **fields)


def gather(chunks):
    """{choice: (content, [[id, name, arguments]], finish, number of pieces of arguments)} of a stream."""
    out = {}
    for chunk in chunks:
        for c in chunk.choices:
            state = out.setdefault(c.index, {"content": "", "reasoning": "", "calls": [], "finish": None, "pieces": 0})
            state["content"] += c.delta.content or ""
            state["reasoning"] += getattr(c.delta, "reasoning_content", None) or ""
            assert getattr(c.delta, "reasoning", None) == getattr(c.delta, "reasoning_content", None)
            for call in c.delta.tool_calls or []:
                if call.index == len(state["calls"]):
                    assert call.id and call.type == "function" and call.function.name
                    state["calls"].append([call.id, call.function.name, ""])
                else:
                    assert call.index == len(state["calls"]) - 1 and call.id is None and call.function.name is None
                state["calls"][-1][2] += call.function.arguments
                state["pieces"] += bool(call.function.arguments)
            state["finish"] = c.finish_reason or state["finish"]
    return [out[i] for i in sorted(out)]


def calls_of(message):
    return [(c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or []]


def check_calls(calls):
    for name, arguments in calls:
        jsonschema.validate(arguments, SCHEMAS[name])


def test_calls_are_found_in_every_format_streamed_and_not(by_format):
    name, client = by_format
    text, content = TEXTS[name]
    choice = say(client, text).choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content == content
    assert calls_of(choice.message) == CALLS
    ids = [c.id for c in choice.message.tool_calls]
    assert len(set(ids)) == 2 and all(len(i) == 9 if name.startswith("mistral") else i.startswith("call_") for i in ids)
    [streamed] = gather(say(client, text, stream=True))
    assert streamed["content"] == (content or "") and streamed["finish"] == "tool_calls"
    assert [(n, a) for _, n, a in streamed["calls"]] == [(c.function.name, c.function.arguments)
                                                         for c in choice.message.tool_calls]
    if name in ("hermes", "llama3", "mistral", "mistral-named"):
        assert streamed["pieces"] > 4  # they come while they grow
    only = say(client, text, parallel_tool_calls=False).choices[0]
    assert calls_of(only.message) == CALLS[:1]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}},
                                    {"type": "function", "function": {"name": "now"}}],
                         ids=["required", "weather", "now"])
def test_demanded_calls_obey_their_schemas_in_every_format(by_format, choice):
    _, client = by_format
    fields = dict(tool_choice=choice, parallel_tool_calls=False, temperature=1.5, seed=11, n=4)
    answer = ask(client, **fields)
    seen = []
    for c in answer.choices:
        assert c.finish_reason == "tool_calls" and c.message.content is None
        [call] = calls_of(c.message)
        check_calls([call])
        assert choice == "required" or call[0] == choice["function"]["name"]
        seen.append([(t.function.name, t.function.arguments) for t in c.message.tool_calls])
    streamed = gather(ask(client, stream=True, **fields))
    assert [[(n, a) for _, n, a in s["calls"]] for s in streamed] == seen
    several = ask(client, **{**fields, "parallel_tool_calls": True}).choices
    for c in several:
        told = c.message.tool_calls or []
        if c.finish_reason == "length":  # what was cut is what there is of a call, or content
            told = told[:-1]
        else:
            assert c.message.content is None and told
        check_calls([(t.function.name, json.loads(t.function.arguments)) for t in told])


def test_text_that_is_no_call_is_content(client):
    for text in ("<tool_call> is a mark", '<tool_call>{"name": "other", "arguments": {}}</tool_call>', "plain",
                 "<tool_call>{'name': 'now'}</tool_call>", '{"name": "now", "arguments": {}}'):
        choice = say(client, text).choices[0]
        assert choice.message.content == text and not choice.message.tool_calls and choice.finish_reason == "stop"
        [streamed] = gather(say(client, text, stream=True))
        assert streamed["content"] == text and not streamed["calls"] and streamed["finish"] == "stop"


def test_without_tools_nothing_is_a_call(client):
    text = TEXTS["hermes"][0]
    for fields in ({"tools": openai.omit}, {"tool_choice": "none"}):
        assert say(client, text, **fields).choices[0].message.content == text


def test_an_answer_cut_inside_a_call_says_length(client):
    choice = say(client, TEXTS["hermes"][0], max_tokens=45).choices[0]
    assert choice.finish_reason == "length"
    [streamed] = gather(say(client, TEXTS["hermes"][0], max_tokens=45, stream=True))
    assert streamed["finish"] == "length"
    assert [a for *_, a in streamed["calls"]] == [c.function.arguments for c in choice.message.tool_calls or []]


def test_logprobs_and_usage_stand_beside_calls(client):
    [call] = say(client, '<tool_call>{"name": "now", "arguments": {}}</tool_call>', logprobs=True).choices
    assert call.message.tool_calls and len(call.logprobs.content) > 5
    chunks = list(say(client, TEXTS["hermes"][0], stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage.completion_tokens > 20


def test_a_conversation_with_calls_reaches_the_template(tmp_path):
    template = ("{% for m in messages %}{{ m.role }}:{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name }}"
                "{% for k, v in c.function.arguments.items() %}{{ k }}={{ v }};{% endfor %}{% endfor %}"
                "{{ m.tool_call_id }}\n{% endfor %}")
    with serve(tmp_path, template) as client:
        call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
        messages = MESSAGES + [{"role": "assistant", "content": None, "tool_calls": [call], "refusal": None},
                               {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}]
        wanted = "user:Hi\nassistant:weathercity=Rome;\ntool:sunnycall_1\n"
        answer = ask(client, messages=messages, max_tokens=1)
        same = client.completions.create(model="tiny", prompt=wanted, max_tokens=1, extra_body={"add_special_tokens": False})
        assert answer.usage.prompt_tokens == same.usage.prompt_tokens


@pytest.mark.parametrize("fields, param", [
    ({"tool_choice": "required", "tools": None}, "tool_choice"), ({"tool_choice": "sometimes"}, "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
    ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"), ({"tool_choice": 5}, "tool_choice"),
    ({"tools": [{"type": "function"}]}, "tools"), ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]}, "tools"),
    ({"tool_choice": "required", "guided_regex": "a"}, "tool_choice"),
    ({"tool_choice": "required", "tools": [{"type": "function", "function": {
        "name": "f", "parameters": {"type": "object", "patternProperties": {}}}}]}, "tools"),
    ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
])
def test_a_wrong_field_is_400_and_named(client, fields, param):
    with pytest.raises(openai.BadRequestError) as e:
        ask(client, extra_body=fields)
    assert e.value.param == param
    if "patternProperties" in str(fields):
        assert "patternProperties" in str(e.value) and "'f'" in str(e.value)


def test_a_real_model_that_cannot_call_tools_calls_them_when_it_must(gemma, tmp_path):
    with serve(tmp_path, serving.CHAT_TEMPLATE, model=gemma) as client:
        messages = [{"role": "user", "content": "What is the weather in Paris for three days?"}]
        for seed in range(4):
            choice = ask(client, messages=messages, tool_choice="required", parallel_tool_calls=False, temperature=0.8,
                         seed=seed).choices[0]
            assert choice.finish_reason == "tool_calls"
            check_calls(calls_of(choice.message))


def thinking(opens):
    return serving.CHAT_TEMPLATE.replace("assistant:", "assistant:{% if enable_thinking is defined and not enable_thinking"
                                         " %}<think>\n\n</think>\n\n{% elif " + str(opens).lower() + " %}<think>\n{% endif %}")


def test_reasoning_is_told_apart(tmp_path):
    off = {"chat_template_kwargs": {"enable_thinking": False}}  # so that the grammar rules from the first token
    text = "<think>\nHm, so.\n</think>\n\nYes."
    with serve(tmp_path, thinking(False)) as client:
        message = say(client, text, extra_body=off).choices[0].message
        assert (message.content, message.reasoning_content, message.reasoning) == ("Yes.", "Hm, so.", "Hm, so.")
        [streamed] = gather(say(client, text, stream=True, extra_body=off))
        assert (streamed["content"], streamed["reasoning"]) == ("Yes.", "Hm, so.")
        call = '<think>Hm</think><tool_call>{"name": "now", "arguments": {}}</tool_call>'
        choice = say(client, call, extra_body=off).choices[0]
        assert choice.message.reasoning_content == "Hm" and calls_of(choice.message) == CALLS[1:]
        assert choice.message.content is None and choice.finish_reason == "tool_calls"
        hidden = say(client, text, extra_body={**off, "include_reasoning": False}).choices[0].message
        assert hidden.content == "Yes." and not hasattr(hidden, "reasoning_content")
        plain = say(client, "No thought.", extra_body=off).choices[0].message
        assert plain.content == "No thought." and not hasattr(plain, "reasoning_content")
    with serve(tmp_path, thinking(False), "--reasoning-format", "none") as client:
        assert say(client, text, extra_body=off).choices[0].message.content == text


def test_a_template_may_open_the_thought(tmp_path):
    with serve(tmp_path, thinking(True)) as client:
        choice = ask(client, max_tokens=8, tools=openai.omit).choices[0]
        assert choice.message.content is None and choice.message.reasoning_content
        [streamed] = gather(ask(client, max_tokens=8, tools=openai.omit, stream=True))
        assert streamed["content"] == "" and streamed["reasoning"] == choice.message.reasoning_content
        free = ask(client, max_tokens=60, temperature=1.5, extra_body={"guided_choice": ["yes"]}).choices[0]
        assert free.finish_reason == "length" and free.message.reasoning_content  # thoughts are free, and may not end
