"""ingot.LLM on a tiny model, and on the real one against llama.cpp's answers where INGOT_MODEL names it."""

import json
import threading

import numpy as np
import pytest

import ingot
from conftest import TINY_LLM, interrupted

GREEDY = dict(temperature=0, ignore_eos=True)


def test_streamed_pieces_are_the_whole_answer(llm):
    whole = llm.generate("Hello there", max_tokens=20, **GREEDY)
    stream = llm.generate("Hello there", max_tokens=20, stream=True, **GREEDY)
    assert "".join(stream) == whole.text == str(whole)
    assert stream.completion.token_ids == whole.token_ids and len(whole.token_ids) == 20
    assert whole.finish_reason == "length"
    assert whole.usage.completion_tokens == 20 and whole.usage.total_ms >= whole.usage.first_token_ms > 0


def test_prompts_at_once_are_answered_as_alone(llm):
    prompts = ["Hello there", "One two", "a", "The end of"]
    alone = [llm.generate(p, max_tokens=12, **GREEDY).token_ids for p in prompts]
    assert [c.token_ids for c in llm.generate(prompts, max_tokens=12, **GREEDY)] == alone
    ids = [llm.tokenize(p, add_special=True) for p in prompts]
    arrays = [np.array(i) for i in ids]
    assert [c.token_ids for c in llm.generate(arrays, max_tokens=12, **GREEDY)] == alone
    assert llm.generate(arrays[0], max_tokens=12, **GREEDY).token_ids == alone[0]
    assert llm.generate([]) == []
    assert [c.token_ids for c in llm.generate(ids, max_tokens=12, **GREEDY)] == alone
    assert llm.generate(ids[0], max_tokens=12, **GREEDY).token_ids == alone[0]
    got = {}
    threads = [threading.Thread(target=lambda p=p: got.update({p: llm.generate(p, max_tokens=12, **GREEDY).token_ids}))
               for p in prompts]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert [got[p] for p in prompts] == alone


def test_tokens_go_there_and_back(llm):
    for text in ("Hello there", "größer 日本語 🙂", ""):
        assert llm.detokenize(llm.tokenize(text)) == text
    assert llm.vocabulary > 0 and llm.context > 0


def test_seeds_choices_logprobs_and_stops(llm):
    one = llm.generate("Hello", max_tokens=10, seed=3, temperature=1.0, ignore_eos=True)
    assert llm.generate("Hello", max_tokens=10, seed=3, temperature=1.0, ignore_eos=True).token_ids == one.token_ids
    several = llm.generate("Hello", max_tokens=10, seed=3, temperature=1.0, ignore_eos=True, n=3, logprobs=2)
    assert several.token_ids == one.token_ids and len(several.alternatives) == 2
    assert len(several.logprobs) == 10 and all(len(t) == 2 for t in several.top_logprobs)
    text = llm.generate("Hello", max_tokens=20, **GREEDY).text
    stop = text[4:6]
    stopped = llm.generate("Hello", max_tokens=20, stop=stop, **GREEDY)
    assert stopped.finish_reason == "stop" and stopped.text == text[:text.index(stop)]
    first = llm.generate("Hello", max_tokens=1, **GREEDY).token_ids[0]
    barred = llm.generate("Hello", max_tokens=1, logit_bias={first: float("-inf")}, **GREEDY)
    assert barred.token_ids[0] != first


def test_text_keeps_to_its_form(llm):
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 99, "minimum": 0}},
              "required": ["n"], "additionalProperties": False}
    answer = llm.generate("A number:", max_tokens=200, json_schema=schema, seed=1)
    assert 0 <= json.loads(answer.text)["n"] <= 99
    assert llm.generate("x", regex="(yes|no)", max_tokens=20, seed=1).text in ("yes", "no")
    assert llm.generate("x", grammar='root ::= "ab" | "cd"', max_tokens=20, seed=1).text in ("ab", "cd")


def test_a_stream_that_is_left_is_cancelled(llm):
    codes = set()
    for _ in range(50):  # an answer may be done before it is left, but not every time
        with llm.generate("Hello", max_tokens=100, stream=True, **GREEDY) as stream:
            next(stream)
        try:
            while stream._event():
                pass
        except ingot.Error as e:
            codes.add(e.code)
            break
    assert codes == {"CANCELLED"}
    with pytest.raises(ingot.Error) as e:
        llm.generate("Hello", max_tokens=100, timeout=1e-9, **GREEDY)
    assert e.value.code == "DEADLINE_EXCEEDED"


def test_errors_say_what_is_wrong(llm, tmp_path):
    for settings, text in ((dict(temperatur=1), "'temperatur' is unknown"), (dict(top_p=7), "top_p"),
                           (dict(regex="("), "regex"), (dict(stop_token_ids=[10**8]), "token")):
        with pytest.raises(ingot.Error, match=text) as e:
            llm.generate("x", **settings)
        assert e.value.code == "INVALID_ARGUMENT"
    with pytest.raises(ingot.Error) as e:
        llm.generate([5] * 100000)
    assert e.value.code == "OUT_OF_RANGE"
    with pytest.raises(ingot.Error) as e:
        ingot.LLM(tmp_path / "none.gguf")
    assert e.value.code == "NOT_FOUND"
    if not llm.has_chat_template:
        with pytest.raises(ingot.Error, match="no chat template"):
            llm.chat([{"role": "user", "content": "Hi"}])


def test_chat_renders_the_model_s_template(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for f in TINY_LLM.iterdir():
        (folder / f.name).write_bytes(f.read_bytes())
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if loud %}!{% endif %}<assistant>"
    (folder / "chat_template.jinja").write_text(template)
    for gguf in folder.glob("*.gguf"):
        gguf.unlink()
    model = ingot.LLM(folder, threads=1)
    messages = [{"role": "user", "content": "Grüße"}]
    assert model.render_chat(messages) == "<user>Grüße<assistant>"
    assert model.render_chat(messages, loud=True) == "<user>Grüße!<assistant>"
    answer = model.chat(messages, max_tokens=5, template={"loud": True}, **GREEDY)
    prompt = model.tokenize("<user>Grüße!<assistant>")
    assert answer.token_ids == model.generate(prompt, max_tokens=5, **GREEDY).token_ids
    assert "".join(model.chat(messages, stream=True, max_tokens=5, template={"loud": True}, **GREEDY)) == answer.text


def test_ctrl_c_ends_a_generation():
    assert interrupted(f"""
import ingot
llm = ingot.LLM({str(TINY_LLM)!r}, threads=1)
try:
    print("ready", flush=True)
    while True:
        llm.generate(["Hello"] * 8, max_tokens=100, temperature=0, ignore_eos=True)
except KeyboardInterrupt:
    print("interrupted", len(llm.generate("Hello", max_tokens=3, ignore_eos=True).token_ids))
""") == "interrupted 3\n"


def test_the_real_model_knows_capitals(gemma):
    prompts = [f"The capital of Portugal is Lisbon. The capital of {c} is" for c in ("Spain", "France", "Italy")]
    answers = gemma.generate(prompts, max_tokens=6, temperature=0)
    for answer, want in zip(answers, ("Madrid", "Paris", "Rome")):
        assert want in answer.text
