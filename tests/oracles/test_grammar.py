"""JSON Schema grammars against the jsonschema package: nothing invalid comes out, what is valid is taken.

Random schemas of the supported keywords. Of each, texts found by walking the automaton at random must be valid, and
random valid instances must be taken. Numbers and formats are tried closer: takes and refuses must equal jsonschema's.
"""

import json
import math
import os
import random
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).parents[2]
FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER


def validator(schema):
    return jsonschema.Draft202012Validator(schema, format_checker=FORMATS)


@pytest.fixture(scope="module")
def check():
    """Runs grammar_check over (schema, texts, walks) requests."""
    binary = Path(os.environ.get("INGOT", ROOT / "build/release/bin/ingot")).with_name("grammar_check")
    if not binary.exists():
        pytest.fail(f"{binary} is not built; cmake --preset release && cmake --build --preset release")

    def run(requests):
        lines = "".join(
            json.dumps({"schema": json.dumps(s), "texts": texts, "walks": walks, "seed": i}) + "\n"
            for i, (s, texts, walks) in enumerate(requests))
        done = subprocess.run([str(binary)], input=lines, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stderr[-2000:]
        answers = [json.loads(line) for line in done.stdout.split("\n") if line]
        assert len(answers) == len(requests)
        return answers

    return run


# --- random schemas, each with a function that draws valid instances

PATTERNS = [  # (pattern, instances)
    ("^[a-c]{2,4}$", ["ab", "ccab", "aaa"]),
    ("^(x|yy)+[0-9]?$", ["x", "yyx7", "xyy"]),
    ("b", ["b", "abc", "  b"]),
    ("^é.\\d\\\"$", ["éx7\"", "é 0\""]),
    ("^[^a-z]*$", ["", "ABC", "日本 7"]),
    ("end$", ["end", "the end"]),
]
FORMAT_VALUES = {
    "date": ["2024-12-31", "2024-02-29", "1999-01-01"],
    "time": ["10:00:00Z", "23:59:59.25+01:00"],
    "date-time": ["2024-01-30T10:00:00Z", "2000-02-29T00:00:00.123456789-11:30"],
    "uuid": ["123E4567-e89b-12d3-A456-426614174000"],
    "ipv4": ["0.0.0.0", "255.249.100.9"],
    "email": ["John.Smith@Example.com", "a.b.c@mail.example.co.uk", "x+y@z.de"],
}
STRINGS = ["", "a", "Zoë", "line\nbreak", 'quo"te', "back\\slash", "日本語", "🙂", "\x01", "a b c d e f"]
NAMES = ["a", "ab", "name", "grösse", "größe", 'q"', "n\n", "日", "", "0"]


def number(rng, low, high):
    for _ in range(50):
        x = round(rng.uniform(low, high), rng.randrange(0, 12))
        if low <= x <= high and "e" not in repr(x):
            return x + 0.0  # -0.0 is no number that the grammar writes
    return low


def scalar(rng, kind):
    if kind == "null":
        return {"type": "null"}, lambda: None
    if kind == "boolean":
        return {"type": "boolean"}, lambda: rng.random() < 0.5
    if kind == "integer":
        low = rng.choice([-(10**rng.randrange(1, 18)), -5, 0, 7, 10**15])
        high = low + rng.choice([0, 1, 9, 1234, 10**15])
        schema = {"type": "integer"}
        if rng.random() < 0.7:
            schema["minimum" if rng.random() < 0.5 else "exclusiveMinimum"] = low
        if rng.random() < 0.7:
            schema["maximum" if rng.random() < 0.5 else "exclusiveMaximum"] = high + 2
        return schema, lambda: rng.randint(low + 1, high + 1)
    if kind == "number":
        low = rng.choice([-1000, -0.5, 0, 0.1, 0.25, 3, 1e6])
        high = low + rng.choice([0.5, 0.125, 1, 99.5, 1e4])
        schema = {"type": "number"}
        if rng.random() < 0.7:
            schema["minimum"] = low
        if rng.random() < 0.7:
            schema["maximum"] = high
        return schema, lambda: number(rng, low, high)
    choice = rng.randrange(4)
    if choice == 0:
        low = rng.randrange(0, 4)
        schema = {"type": "string", "minLength": low}
        if rng.random() < 0.7:
            schema["maxLength"] = low + rng.randrange(0, 6)
        return schema, lambda: "".join(rng.choice('ab"\\\n日🙂 ') for _ in range(low))
    if choice == 1:
        pattern, values = rng.choice(PATTERNS)
        return {"type": "string", "pattern": pattern}, lambda: rng.choice(values)
    if choice == 2:
        name = rng.choice(list(FORMAT_VALUES))
        return {"type": "string", "format": name}, lambda: rng.choice(FORMAT_VALUES[name])
    return {"type": "string"}, lambda: rng.choice(STRINGS)


SCALARS = ["null", "boolean", "integer", "number", "string"]


def array_schema(rng, depth):
    item, draw = any_schema(rng, depth - 1)
    low = rng.randrange(0, 3)
    schema = {"type": "array", "items": item, "minItems": low}
    if rng.random() < 0.5:
        schema["maxItems"] = low + rng.randrange(0, 3)
    high = schema.get("maxItems", low + 2)
    first = [any_schema(rng, depth - 1) for _ in range(rng.randrange(0, 3))] if rng.random() < 0.3 else []
    if first:
        schema["prefixItems"] = [s for s, _ in first]

    def instance():
        size = rng.randint(low, high)
        return [first[i][1]() if i < len(first) else draw() for i in range(size)]

    return schema, instance


def object_schema(rng, depth):
    names = rng.sample(NAMES, rng.randrange(0, 5))
    members = {n: any_schema(rng, depth - 1) for n in names}
    required = [n for n in names if rng.random() < 0.5]
    schema = {"type": "object", "properties": {n: s for n, (s, _) in members.items()}, "required": required}
    extra = None
    if rng.random() < 0.4:
        extra = any_schema(rng, depth - 1)
        schema["additionalProperties"] = extra[0]
    else:
        schema["additionalProperties"] = False

    def instance():
        out = {n: members[n][1]() for n in names if n in required or rng.random() < 0.5}
        if extra:
            for n in ["k", "na", "names", "gr", 'q"q', "日本", "n\t"]:
                if rng.random() < 0.2:
                    out[n] = extra[1]()
        return out

    return schema, instance


def any_schema(rng, depth):
    kind = rng.randrange(10)
    if depth <= 0 or kind < 3:
        return scalar(rng, rng.choice(SCALARS))
    if kind == 3:
        values = rng.sample([None, True, 1, 2.5, -0.125, 1e20, "a", 'q"', [1, {"a": None}], {"k": [0.5]}], 3)
        return ({"enum": values} if rng.random() < 0.7 else {"const": values[0]}), \
            (lambda v=values: v[0])
    if kind == 4:
        kinds = rng.sample(SCALARS[:3] + ["string"], 2)
        parts = [scalar(rng, k) for k in kinds]
        return {rng.choice(["anyOf", "oneOf"]): [s for s, _ in parts]}, lambda: rng.choice(parts)[1]()
    if kind == 5:
        a, b = any_schema(rng, depth - 1), any_schema(rng, depth - 1)
        parts = []
        for tag, (s, draw) in zip("ab", [a, b]):
            parts.append(({"type": "object", "properties": {"k": {"const": tag}, "v": s}, "required": ["k", "v"],
                           "additionalProperties": False}, lambda tag=tag, draw=draw: {"k": tag, "v": draw()}))
        return {"oneOf": [s for s, _ in parts]}, lambda: rng.choice(parts)[1]()
    if kind < 8:
        return object_schema(rng, depth)
    return array_schema(rng, depth)


def texts_of(value):
    """The forms that the grammars promise: no space, or one after ',' and ':'."""
    return [json.dumps(value, ensure_ascii=False, separators=s) for s in [(",", ":"), (", ", ": ")]]


def test_random_walks_are_valid_and_valid_instances_are_taken(check):
    rng = random.Random(7)
    requests = []
    for i in range(1500):
        schema, draw = any_schema(rng, 3)
        if i % 5 == 0:  # a list of it, by reference
            schema = {"$defs": {"n": {"type": "object", "properties": {"v": schema, "next": {"$ref": "#/$defs/n"}},
                                      "required": ["v"], "additionalProperties": False}}, "$ref": "#/$defs/n"}
            inner = draw
            draw = lambda inner=inner: {"v": inner(), "next": {"v": inner()}}
        values = [draw() for _ in range(3)]
        for value in values:
            validator(schema).validate(value)  # the generator itself
        requests.append((schema, [t for v in values for t in texts_of(v)], 5))
    refused, wrong, outputs, taken = [], [], 0, 0
    for (schema, texts, _), answer in zip(requests, check(requests)):
        assert "error" not in answer, (schema, answer)
        judge = validator(schema)
        for text in answer["outputs"]:
            outputs += 1
            if not judge.is_valid(json.loads(text)):
                wrong.append((schema, text))
        for text, took in zip(texts, answer["takes"]):
            taken += took
            if not took:
                refused.append((schema, text))
    print(f"{outputs} outputs, {len(wrong)} invalid; {taken} instances taken, {len(refused)} refused")
    assert not wrong, wrong[:3]
    assert not refused, refused[:3]
    assert outputs > 5000


# --- numbers

def some_number(rng):
    kind = rng.randrange(7)
    if kind == 0:
        return rng.randint(-20, 20)
    if kind == 1:
        return rng.choice([-1, 1]) * rng.randrange(10**rng.randrange(1, 19))
    if kind == 2:
        return round(rng.uniform(-2, 2), rng.randrange(1, 4))
    if kind == 3:
        return rng.uniform(-1, 1) * 10**rng.randrange(-6, 12)
    if kind == 4:
        return rng.choice([0, 0.0, 0.5, -0.5, 1e15, 1e-7, 1e18, -1e15, 0.1, 1.0])
    if kind == 5:
        return float(rng.randint(-100, 100))
    return rng.choice([-1, 1]) * float(rng.randrange(2**60))


def plain(x):
    return format(Decimal(repr(x)), "f")


def fits_the_digits(text):
    whole, _, fraction = text.lstrip("-").partition(".")
    return len(whole) <= (17 if fraction else 19) and len(fraction) <= 21 and text.lstrip("0.-")


def numbers_near(rng, bounds):
    out = [0, 1, -1] + [some_number(rng) for _ in range(6)]
    for b in bounds:
        f = float(b)
        out += [b, math.nextafter(f, math.inf), math.nextafter(f, -math.inf), math.floor(b), math.ceil(b),
                math.floor(b) + 1, math.ceil(b) - 1, round(b, 1), round(b, 3)]
    if len(bounds) == 2:
        out += [rng.uniform(*map(float, bounds)) for _ in range(4)]
    return [x for x in out if repr(x) not in ("-0.0", "0.0")]


def test_numbers_are_taken_and_refused_as_jsonschema_does(check):
    rng = random.Random(11)
    requests = []
    for _ in range(3000):
        schema = {"type": rng.choice(["integer", "number", "number"])}
        bounds = sorted(some_number(rng) for _ in range(2))
        if rng.random() < 0.4:
            bounds[1] = bounds[0] + rng.choice([0, 0.5, 1, 1e-3, 10])
        used = []
        if rng.random() < 0.8:
            schema[rng.choice(["minimum", "exclusiveMinimum"])] = bounds[0]
            used.append(bounds[0])
        if rng.random() < 0.8:
            schema[rng.choice(["maximum", "exclusiveMaximum"])] = bounds[1]
            used.append(bounds[1])
        texts = {t for x in numbers_near(rng, used) for t in [plain(x)] if fits_the_digits(t)}
        # Digits past those of any double: must not be taken if they round to a value outside.
        texts |= {t + rng.choice("0159") * rng.randrange(1, 4) for t in texts if "." in t and len(t) < 20}
        requests.append((schema, sorted(texts), 10))
    answers = check(requests)
    wrong, compared, failed = [], 0, 0
    for (schema, texts, _), answer in zip(requests, answers):
        judge = validator(schema)
        valid = [judge.is_valid(json.loads(t)) for t in texts]
        if schema["type"] == "integer":  # 1.0 is written 1
            texts, valid = zip(*[(t, v and "." not in t) for t, v in zip(texts, valid)])
        # The JSON reader is up to a unit in the last place off, so what lies that near to a bound may fall either way.
        near = [b for k, b in schema.items() if k != "type"]
        is_near = lambda x: any(abs(x - b) <= 4 * math.ulp(float(b)) for b in near)
        if "error" in answer:
            failed += 1
            told = any(v and not is_near(json.loads(t)) for t, v in zip(texts, valid))
            if told or answer["code"] not in ("INVALID_ARGUMENT", "UNIMPLEMENTED"):
                wrong.append((schema, answer))
            continue
        for text, ok, took in zip(texts, valid, answer["takes"]):
            compared += 1
            exact = plain(json.loads(text)) == text  # else it may lie between a bound and the next double
            if took != ok and (took or exact) and not is_near(json.loads(text)):
                wrong.append((schema, text, f"jsonschema: {ok}, the grammar: {took}"))
        written = {t: json.loads(t) for t in answer["outputs"]}
        wrong += [(schema, t, "written") for t, x in written.items() if not judge.is_valid(x) and not is_near(x)]
    print(f"{compared} numbers compared, {failed} schemas without a number, {len(wrong)} wrong")
    assert not wrong, wrong[:5]
    assert compared > 50_000 and failed < len(requests) / 4


# --- formats

def damaged(rng, text):
    at = rng.randrange(len(text) + 1)
    return rng.choice([text[:at] + text[at + 1:], text[:at] + rng.choice("0139-:.TZa@") + text[at:],
                       text[:at] + rng.choice("0123459") + text[at + 1:], text.swapcase()])


@pytest.mark.parametrize("name", sorted(FORMAT_VALUES))
def test_formats_are_those_of_jsonschema(check, name):
    rng = random.Random(3)
    judge = validator({"type": "string", "format": name})
    if name in ("time", "date-time"):
        pytest.importorskip("rfc3339_validator")
    texts = list(FORMAT_VALUES[name])
    if "date" in name:
        tail = "T01:02:03Z" if name == "date-time" else ""
        texts += [f"{y:04d}-{m:02d}-{d:02d}{tail}" for y in (1, 1900, 2000, 2023, 2024) for m in range(0, 14)
                  for d in range(0, 33)]
    texts += [damaged(rng, rng.choice(FORMAT_VALUES[name])) for _ in range(1500)]
    schema = {"type": "string", "format": name}
    answer = check([(schema, [json.dumps(t, ensure_ascii=False) for t in texts], 300)])[0]
    assert "error" not in answer, answer
    assert all(judge.is_valid(json.loads(t)) for t in answer["outputs"]) and len(answer["outputs"]) > 100
    for text, took in zip(texts, answer["takes"]):
        valid = judge.is_valid(text)
        if name == "email":  # jsonschema looks for an '@' and no more
            assert valid or not took, text
        elif name == "uuid" and valid and not took:  # theirs takes dashes in any number
            assert [len(part) for part in text.split("-")] != [8, 4, 4, 4, 12], text
        elif name in ("time", "date-time") and valid and not took:  # theirs takes any number of digits, any case
            assert text != text.upper() or len(text.partition(".")[2]) > 9, text
        else:
            assert valid == took, (text, valid)
