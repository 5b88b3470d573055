"""A matrix of conversations for chat templates: every shape that people send, and some that they should not."""

USER = {"role": "user", "content": "What is 2+2?"}
SYSTEM = {"role": "system", "content": "You are a helpful assistant."}
ANSWER = {"role": "assistant", "content": "It is 4."}
MORE = {"role": "user", "content": " And 3 + 3?\n"}

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city, e.g. \"São Paulo\" <now>.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The city's name"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": None},
                "days": {"type": "integer", "minimum": 0, "maximum": 14},
            },
            "required": ["city"],
        },
        "return": {"type": "string"},
    },
}
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds numbers",
        "parameters": {"type": "object", "properties": {"a": {"type": "number"}, "list": {
            "type": "array", "items": {"type": "number"}}}, "required": ["a", "list"]},
    },
}
EMPTY_TOOL = {"type": "function", "function": {"name": "noop", "description": "", "parameters": {}}}


def call(name, arguments, id="abc123xyz"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


TOOL_TURNS = [
    USER,
    {"role": "assistant", "content": "", "tool_calls": [call("get_weather", {"city": "Paris", "days": 3})]},
    {"role": "tool", "name": "get_weather", "tool_call_id": "abc123xyz", "content": "{\"temp\": 21.5}"},
    {"role": "assistant", "content": "It is 21.5 degrees."},
    {"role": "user", "content": "Thanks"},
]
TWO_CALLS = [
    SYSTEM,
    USER,
    {"role": "assistant", "content": None, "tool_calls": [
        call("get_weather", {"city": "Zürich 🏔"}, "aaaaaaaa1"), call("add", {"a": 1.5, "list": [1, 2e20]}, "aaaaaaaa2")]},
    {"role": "tool", "name": "get_weather", "tool_call_id": "aaaaaaaa1", "content": "cold"},
    {"role": "tool", "name": "add", "tool_call_id": "aaaaaaaa2", "content": "3"},
]
STRING_ARGUMENTS = [
    USER,
    {"role": "assistant", "content": "Let me see.", "tool_calls": [call("get_weather", "{\"city\": \"Rome\"}")]},
    {"role": "tool", "tool_call_id": "abc123xyz", "content": "sunny"},
]
PARTS = [
    {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
    {"role": "user", "content": [{"type": "text", "text": "Look: "}, {"type": "image"}, {"type": "text", "text": "what?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": " A cat. "}]},
    {"role": "user", "content": [{"type": "text", "text": "Sure?"}]},
]
REASONING = [
    USER,
    {"role": "assistant", "content": "4", "reasoning_content": "two and two\nis four"},
    MORE,
    {"role": "assistant", "content": "<think>\nthree and three\n</think>\n\nsix", "reasoning_content": None},
    {"role": "user", "content": "ok"},
]
THINK_TAGS = [USER, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nfour"}, MORE]
UNICODE = [
    {"role": "system", "content": "Ты — помощник. 你是助手。 مرحبا"},
    {"role": "user", "content": "😀👨‍👩‍👧 \u00a0naïve\u2028line <|im_end|> {{ not }} {% code %} \t\r\n  "},
    {"role": "assistant", "content": "ÀÉÎ ß ﬁ İ"},
    {"role": "user", "content": "  "},
]
LONG = [SYSTEM] + [m for i in range(12) for m in (
    {"role": "user", "content": f"Question {i}?"}, {"role": "assistant", "content": f"Answer {i}."})] + [USER]
DOCUMENTS = [{"title": "Tall penguins", "text": "Emperor penguins are the tallest."},
             {"title": "Penguin habitats", "text": "They only live in Antarctica. \"Cold\" & <ice>."}]

CONVERSATIONS = {
    "empty": [],
    "user": [USER],
    "system_user": [SYSTEM, USER],
    "system_only": [SYSTEM],
    "multi_turn": [USER, ANSWER, MORE],
    "system_multi_turn": [SYSTEM, USER, ANSWER, MORE],
    "ends_with_assistant": [SYSTEM, USER, ANSWER],
    "starts_with_assistant": [ANSWER, USER],
    "two_users": [USER, MORE],
    "two_assistants": [USER, ANSWER, ANSWER],
    "two_systems": [SYSTEM, SYSTEM, USER],
    "late_system": [USER, SYSTEM, USER],
    "developer": [{"role": "developer", "content": "Rules."}, USER],
    "unknown_role": [{"role": "narrator", "content": "Once"}, USER],
    "ipython_role": [USER, {"role": "assistant", "content": "run"}, {"role": "ipython", "content": {"output": 4}}],
    "no_content": [USER, {"role": "assistant"}, MORE],
    "null_content": [{"role": "user", "content": None}],
    "number_content": [{"role": "user", "content": 42}, {"role": "assistant", "content": 1.5}],
    "no_role": [{"content": "hi"}],
    "empty_contents": [{"role": "system", "content": ""}, {"role": "user", "content": ""}],
    "tool_turns": TOOL_TURNS,
    "tool_turns_system": [SYSTEM] + TOOL_TURNS,
    "two_calls": TWO_CALLS,
    "two_calls_answered": TWO_CALLS + [{"role": "assistant", "content": "done"}, USER],
    "string_arguments": STRING_ARGUMENTS,
    "tool_first": [{"role": "tool", "content": "x"}, USER],
    "bad_call_ids": [USER, {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}],
    "empty_calls": [USER, {"role": "assistant", "content": "x", "tool_calls": []}, MORE],
    "parts": PARTS,
    "reasoning": REASONING,
    "think_tags": THINK_TAGS,
    "unicode": UNICODE,
    "long": LONG,
    "extra_keys": [dict(USER, name="bob", items=[1], weight=0.5), dict(ANSWER, prefix=True)],
}

OPTIONS = {
    "plain": {},
    "prompt": {"add_generation_prompt": True},
    "tools": {"add_generation_prompt": True, "tools": [WEATHER, ADD]},
    "empty_tools": {"add_generation_prompt": True, "tools": []},
    "odd_tools": {"tools": [EMPTY_TOOL, {"name": "bare", "parameters": {"type": "object"}}]},
    "documents": {"add_generation_prompt": True, "documents": DOCUMENTS},
    "thinking_on": {"add_generation_prompt": True, "enable_thinking": True, "thinking": True},
    "thinking_off": {"add_generation_prompt": True, "enable_thinking": False, "reasoning_effort": "high"},
    "dates": {"add_generation_prompt": True, "date_string": "26 Jul 2024", "tools_in_user_message": False,
              "tools": [WEATHER], "builtin_tools": ["brave_search", "code_interpreter"], "custom_tools": None},
    "bare": {"bos_token": "", "eos_token": None},
}
