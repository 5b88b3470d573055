"""Runs the program on input that is wrong on purpose, and makes such input.

The rule that every run must keep: it ends within TIME_S, in MEMORY bytes of address space, either with exit code 0 or
with exit code 1 and exactly one line on standard error, `error: [area] …`; never by a signal.
"""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "tests" / "goldens" / "models"
TIME_S = 60
MEMORY = 2 << 30
ERROR = re.compile(r"error: (\S.*: )?\[[a-z0-9_/-]+\] \S.*")


class Outcome:
    def __init__(self, command, code, out, err):
        self.command, self.code, self.out, self.err = command, code, out, err

    @property
    def message(self):
        return self.err.strip()

    def __repr__(self):
        return f"{' '.join(self.command)[-300:]}\n  exit code {self.code}, standard error: {self.err[-600:]!r}"


class Program:
    def __init__(self):
        self.path = Path(os.environ.get("INGOT") or ROOT / "build/release/bin/ingot")
        self.limited = True
        # AddressSanitizer reserves terabytes of address space: such a build runs without the memory limit.
        self.limited = self.run("--version").code == 0

    def run(self, *args, stdin=b"", env=None):
        command = [self.path, *args]
        if self.limited:  # a program of its own: Python would have to fork itself for preexec_fn
            command = ["prlimit", f"--as={MEMORY}", "--core=0", *command]
        command = [c if isinstance(c, bytes) else os.fsencode(str(c)) for c in command]
        try:
            done = subprocess.run(command, input=stdin, capture_output=True, timeout=TIME_S, env={**os.environ, **(env or {})})
            code, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as e:
            code, out, err = "none: it hangs", e.stdout or b"", e.stderr or b""
        text = [c.decode(errors="replace") for c in command[-len(args) - 1:]]
        return Outcome(text, code, out.decode(errors="replace"), err.decode(errors="replace"))

    def fails(self, *args, names=(), code=1, **options):
        """Runs it; asserts that it fails as it should and that the message holds each of `names`. Returns the message."""
        done = self.run(*args, **options)
        assert done.code == code and not complaint(done, allowed=(code,)), done
        for name in names:
            assert str(name) in done.message, f"{name!r} is not in the message\n{done}"
        return done.message


def complaint(done, allowed=(0, 1)):
    """What is wrong with an outcome; None if the rule is kept."""
    if done.code not in allowed:
        return "the exit code"
    lines = done.err.splitlines()
    if done.code == 0:
        return "an error line although it succeeded" if any(line.startswith("error:") for line in lines) else None
    pattern = ERROR if done.code == 1 else re.compile("error: .+")
    if len(lines) != 1 or not pattern.fullmatch(lines[0]):
        return "standard error is not one line `error: [area] …`"
    if "std::" in lines[0] or "\x1b" in lines[0]:
        return "the message is not for people"
    return None


def run_all(program, jobs):
    """jobs: functions that write an input and return (what it is, arguments). Returns complaints."""

    def one(job):
        label, arguments = job()
        done = program.run(*arguments)
        wrong = complaint(done)
        return f"{label}: {wrong}\n  {done}" if wrong else None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [c for c in pool.map(one, jobs) if c]


def damage(data, random, head=None):
    """One truncation or corruption of `data` (bytes) at a random place; most places lie in the first `head` bytes."""
    size = len(data)
    end = min(head or size, size) if random.random() < 0.8 else size
    at = random.randrange(end)
    kind = random.randrange(4)
    if kind == 0:
        return f"cut at {at}", data[:at]
    length = random.choice([1, 1, 1, 2, 4, 8])
    if kind == 1:
        new = random.randbytes(length)
    elif kind == 2:
        new = random.choice([b"\xff", b"\x00", b"\x7f", b"\x80"]) * length
    else:
        new = bytes([data[at] ^ (1 << random.randrange(8))])
    return f"{new.hex()} at {at}", data[:at] + new + data[at + len(new):]


ODD_VALUES = [None, True, -1, 0, 1, 2, 3, 7, 2**31, 2**31 - 1, 2**40, 2**63, -(2**63), 1e308, 1e-300, 0.5, "", "x", "\ud800", [], {}, [[]],
              [None], [-1], [1e308], {"type": "x"}, "Ab" * 5000]


def damage_json(value, random):
    """Replaces, drops or doubles one random element of parsed JSON, in place. Returns what it did."""
    places = []

    def walk(node, path):
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        items = list(items)
        if len(items) > 40:  # vocabularies: some of them will do
            items = random.sample(items, 40)
        for key, child in items:
            places.append((node, key, path + [key]))
            walk(child, path + [key])

    walk(value, [])
    node, key, path = random.choice(places)
    if random.random() < 0.2:
        del node[key]
        return f"without {path}"
    new = random.choice(ODD_VALUES)
    node[key] = new
    return f"{path} = {str(new)[:40]}"
