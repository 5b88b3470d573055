"""Language models: ingot.LLM."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Sequence

import numpy as np

from . import _native
from ._errors import Error

_WAIT_MS = 100.0  # Python looks for Ctrl-C between two waits
_FINISH = {1: "stop", 2: "stop", 3: "stop", 4: "length", 5: "length", 6: "cancelled"}


@dataclass
class Usage:
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    first_token_ms: float = 0.0
    total_ms: float = 0.0


@dataclass
class Completion:
    """One answer. str() of it is its text. With n > 1 the others are in `alternatives`."""

    text: str = ""
    token_ids: list[int] = field(default_factory=list)
    finish_reason: str | None = None
    logprobs: list[float] | None = None
    top_logprobs: list[dict[int, float]] | None = None
    usage: Usage = field(default_factory=Usage)
    alternatives: list["Completion"] = field(default_factory=list)

    def __str__(self) -> str:
        return self.text


class Stream(Iterator[str]):
    """Pieces of text as they come; `completion` is what has come so far. cancel(), or leaving a `with`, ends it."""

    def __init__(self, generation: _native.Generation):
        self._generation = generation
        self._choices: dict[int, Completion] = {0: Completion()}
        self._done = False

    @property
    def completion(self) -> Completion:
        first = self._choices[0]
        first.usage = Usage(*self._generation.usage())
        first.alternatives = [c for i, c in sorted(self._choices.items()) if i > 0]
        return first

    def cancel(self) -> None:
        self._generation.cancel()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: Any) -> None:
        self.cancel()

    def __next__(self) -> str:
        """Text of the first choice."""
        while True:
            event = self._event()
            if event is None:
                raise StopIteration
            if event[0] == 0 and event[1]:
                return event[1]

    def _event(self) -> tuple | None:
        if self._done:
            return None
        try:
            event = None
            while event is None:
                event = self._generation.next(_WAIT_MS)
        except BaseException:  # also Ctrl-C: what nobody waits for shall not go on
            self._done = True
            self._generation.cancel()
            raise
        if event is False:
            self._done = True
            return None
        index, text, ids, logprobs, tops, finish = event
        choice = self._choices.setdefault(index, Completion())
        choice.text += text
        choice.token_ids += ids
        if logprobs is not None:
            choice.logprobs = (choice.logprobs or []) + logprobs
            choice.top_logprobs = (choice.top_logprobs or []) + tops
        if finish:
            choice.finish_reason = _FINISH.get(finish, "stop")
        return event

    def result(self) -> Completion:
        """Waits for the end."""
        while self._event() is not None:
            pass
        return self.completion


class LLM:
    """A language model: a GGUF file, a Hugging Face folder, or an engine file. Any thread may use it.

    threads: 0 means as many as the process may use. context: longest sequence; 0: what the model was trained for.
    kv_type: f32, f16, bf16, q8_0 or q4_0. Other settings by name: kv_tokens, batch_tokens, sequences_max, queue_max,
    prefix_cache, backends (see include/ingot/types.h).
    """

    def __init__(self, model: str | os.PathLike, *, threads: int = 0, context: int = 0, kv_type: str = "f16",
                 **settings: Any):
        given = {"threads": threads, "context": context, "kv_type": kv_type, **settings}
        self._native = _native.Llm.load(os.fspath(model), {k: _text(v) for k, v in given.items()})

    @property
    def context(self) -> int:
        return self._native.fact("context")

    @property
    def vocabulary(self) -> int:
        return self._native.fact("vocabulary")

    @property
    def has_chat_template(self) -> bool:
        return bool(self._native.fact("has_chat_template"))

    def tokenize(self, text: str, *, add_special: bool = False, parse_special: bool = True) -> list[int]:
        return self._native.tokenize(text, add_special, parse_special)

    def detokenize(self, ids: Sequence[int], *, show_special: bool = False) -> str:
        return self._native.detokenize([int(i) for i in ids], show_special)

    def render_chat(self, messages: Sequence[Mapping[str, Any]], *, tools: Sequence | None = None,
                    **variables: Any) -> str:
        """The prompt that the model's template makes of a conversation."""
        return self._native.render_chat(json.dumps(list(messages)), _template_settings(tools, variables))

    def generate(self, prompt: str | Sequence[int] | Sequence[str] | Sequence[Sequence[int]], *, stream: bool = False,
                 **settings: Any) -> Completion | list[Completion] | Stream | list[Stream]:
        """Goes on with a prompt: text or token ids. A list of prompts is answered together, and gives a list.

        stream: gives an iterator over pieces of text at once. Settings: max_tokens, temperature, top_k, top_p, min_p,
        seed, stop (text or list), json_schema (dict or text), regex, grammar (GBNF), n, logprobs, … and all others of
        include/ingot/llm.h by name. Errors: ingot.Error.
        """
        many = not isinstance(prompt, str) and not (len(prompt) > 0 and isinstance(prompt[0], (int, np.integer)))
        streams = []
        try:
            for one in prompt if many else [prompt]:
                request = _request(settings)
                if isinstance(one, str):
                    request.prompt(one)
                else:
                    request.prompt_tokens([int(i) for i in one])
                streams.append(Stream(self._native.submit(request)))
            results = streams if stream else [s.result() for s in streams]
        except BaseException:
            for s in streams:
                s.cancel()
            raise
        return results if many else results[0]

    def chat(self, messages: Sequence[Mapping[str, Any]], *, stream: bool = False, tools: Sequence | None = None,
             template: Mapping[str, Any] | None = None, **settings: Any) -> Completion | Stream:
        """Answers a conversation: [{"role": "user", "content": "…"}, …]. template: variables for its template."""
        request = _request(settings)
        request.messages(json.dumps(list(messages)), _template_settings(tools, template or {}))
        answer = Stream(self._native.submit(request))
        return answer if stream else answer.result()


def _template_settings(tools: Sequence | None, variables: Mapping[str, Any]) -> str:
    return json.dumps({**variables, **({"tools": list(tools)} if tools else {})})


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value)


def _request(settings: Mapping[str, Any]) -> _native.Request:
    request = _native.Request()
    for key, value in settings.items():
        if value is None:
            continue
        if key == "stop":
            for text in [value] if isinstance(value, str) else value:
                request.stop(text)
        elif key == "stop_token_ids":
            for i in value:
                request.stop_token(int(i))
        elif key == "logit_bias":
            for i, bias in value.items():
                request.logit_bias(int(i), float(bias))
        elif key == "dry_sequence_breakers":
            for text in value:
                request.dry_breaker(text)
        elif key == "timeout":
            request.set("timeout_ms", repr(float(value) * 1000))
        elif key == "samplers" and not isinstance(value, str):
            request.set(key, ";".join(value))
        elif isinstance(value, (dict, list)):
            if key != "json_schema":
                raise Error(f"[python] setting '{key}' takes no {type(value).__name__}", "INVALID_ARGUMENT")
            request.set(key, json.dumps(value))
        else:
            request.set(key, _text(value))
    return request
