"""Compares `ingot tokenize` with the `tokenizers` package on generated text: ids and decoded text.

  python tests/oracles/tokenizers_hf.py --ingot build/release/bin/ingot DIR_OR_JSON ... [--count 10000] [--seed 1]

Each DIR holds a tokenizer.json. Prints one line a tokenizer: how many of the strings are equal. Exits 1 if any
differ. The package's Oniguruma knows Unicode 16, Python's unicodedata may be older: --any-codepoint also draws
code points that unicodedata calls unassigned.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import unicodedata

WORDS = """the of and to a in is it you that he was for on are with as I his they be at one have this from or had by
hot but some what there we can out other were all your when up use word how said an each she Internationalization
don't I'll we've they're it's I'm he'd O'Neil SHOUTING'S rock'n'roll naïve café façade Straße ĳsland ŉ ſtill 'ſ""".split()
TEXTS = [
    "Der schnelle braune Fuchs springt über den faulen Hund.", "Le cœur déçu mais l'âme plutôt naïve.",
    "El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia.", "Съешь же ещё этих мягких французских булок.",
    "いろはにほへと ちりぬるを わかよたれそ", "天地玄黃，宇宙洪荒。日月盈昃，辰宿列張。", "키스의 고유조건은 입술끼리 만나야 하고",
    "صِف خَلقَ خَودِ كَمِثلِ الشَمسِ إِذ بَزَغَت", "דג סקרן שט בים מאוכזב", "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า", "ཨ་ཡིག་དཀར་མཛེས་ལས་འཁྲུངས་ཤེས་བློའི་གཏེར", "Ξεσκεπάζω τὴν ψυχοφθόρα βδελυγμία",
    "Tôi có thể ăn thủy tinh mà không hại gì.", "ᚠᛇᚻ᛫ᛒᛦᚦ᛫ᚠᚱᚩᚠᚢᚱ", "நாமமது தமிழரெனக் கொண்டு", "යුනිකෝඩ්", "Ünïçödé İstanbul ǅ ﬁ ﬃ Å Å Å",
]
CODE = [
    "def f(x):\n    return x**2 if x > 0 else None\n", "for (int i = 0; i < n; ++i) {\n\tsum += a[i];\n}\r\n",
    "SELECT * FROM t WHERE id = 42 AND name LIKE '%x%';", "<div class=\"a\"><p>Hi &amp; bye</p></div>", "x => ({...x, y: x?.y ?? 1})",
    "#include <vector>\n#define MAX(a,b) ((a)>(b)?(a):(b))", "https://example.com/a/b?c=d&e=%20f#g", "{\"k\": [1, 2.5e-3, null, true]}",
    "$ ls -la | grep foo >> out.txt 2>&1", "\\begin{equation} e^{i\\pi}+1=0 \\end{equation}", "/* c */ // d\n\n\n# e",
]
EMOJI = ["👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇫🇷", "☃️", "😀😃", "🧑🏿‍🚀", "❤️‍🔥", "1️⃣", "🫠"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", " \n ", "\u00a0", "\u3000", "\u2003", "\u200b", "\u2028", "\u0085", "\x0b", "\x0c",
          "\u180e", "\ufeff", "        ", "\t\t", " \t \n  \n"]
MARKS = [chr(c) for c in range(0x300, 0x36F)] + list("ًٌٍَُِّْ") + ["\u093c", "\u3099", "\u309a", "\u05b0", "\u0f39"]


def codepoints(any_codepoint):
    out = []
    for c in range(1, 0x110000):
        if 0xD800 <= c < 0xE000:
            continue
        if any_codepoint or unicodedata.category(chr(c)) not in ("Cn", "Co"):
            out.append(c)
    return out


class Generator:
    def __init__(self, seed, special, any_codepoint):
        self.rng = random.Random(seed)
        self.special = special or ["<s>"]
        self.cps = codepoints(any_codepoint)
        self.low = [c for c in self.cps if c < 0x3000]

    def piece(self):
        r = self.rng
        kind = r.randrange(16)
        if kind < 3:
            return " ".join(r.choice(WORDS) for _ in range(r.randrange(1, 9)))
        if kind < 5:
            t = r.choice(TEXTS)
            a = r.randrange(len(t))
            return t[a:a + r.randrange(1, 30)]
        if kind == 5:
            return r.choice(CODE)
        if kind == 6:
            return r.choice(EMOJI) * r.randrange(1, 3)
        if kind == 7:
            return "".join(r.choice(SPACES) for _ in range(r.randrange(1, 6)))
        if kind == 8:
            return r.choice(self.special)
        if kind == 9:
            return str(r.randrange(10 ** r.randrange(1, 20))) + r.choice(["", ".5", ",000", "%", "th", "½", "²", "Ⅷ", "٣٤"])
        if kind == 10:
            return "".join(chr(r.choice(self.cps)) for _ in range(r.randrange(1, 12)))
        if kind == 11:
            return "".join(chr(r.choice(self.low)) for _ in range(r.randrange(1, 12)))
        if kind == 12:
            return r.choice("aeiouAEIOUcnszиаかは") + "".join(r.choice(MARKS) for _ in range(r.randrange(1, 5)))
        if kind == 13:
            return "".join(r.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ") for _ in range(r.randrange(10, 80)))
        if kind == 14:
            return r.choice("!?.,;:-_=+*/\\|~`'\"()[]{}<>@#$%^&…—“”¿") * r.randrange(1, 20)
        return chr(r.randrange(1, 128))

    def text(self):
        return "".join(self.piece() for _ in range(self.rng.randrange(0, 7)))


def run_ingot(ingot, model, texts, special):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8", delete=False) as f:
        for t in texts:
            f.write(json.dumps(t) + "\n")
    command = [ingot, "tokenize", model, "--jsonl", f.name] + ([] if special else ["--no-special"])
    done = subprocess.run(command, capture_output=True, check=False)
    os.unlink(f.name)
    if done.returncode:
        return done.stderr.decode()
    return [json.loads(line) for line in done.stdout.decode("utf-8").split("\n") if line]


def compare(ingot, model, count, seed, any_codepoint, show):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(model)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    special = [t.content for t in tokenizer.get_added_tokens_decoder().values()]
    generator = Generator(seed, special, any_codepoint)
    texts = [generator.text() for _ in range(count)]
    equal_ids = equal_text = 0
    for part, add_special in ((texts[: count // 2], True), (texts[count // 2:], False)):
        ours = run_ingot(ingot, model, part, add_special)
        if isinstance(ours, str):
            return f"FAILED: {ours.strip()}", False
        for text, mine in zip(part, ours, strict=True):
            ids = tokenizer.encode(text, add_special_tokens=add_special).ids
            decoded = tokenizer.decode(ids, skip_special_tokens=False)
            equal_ids += mine["ids"] == ids
            equal_text += mine["text"] == decoded
            if (mine["ids"] != ids or mine["text"] != decoded) and show > 0:
                show -= 1
                print(f"  text {ascii(text)}\n  want {ids} {ascii(decoded)}\n  got  {mine['ids']} {ascii(mine['text'])}")
    return f"{equal_ids}/{count} ids equal, {equal_text}/{count} texts equal", equal_ids == equal_text == count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--ingot", default="build/release/bin/ingot")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--any-codepoint", action="store_true")
    parser.add_argument("--show", type=int, default=3, help="differences to print a tokenizer")
    args = parser.parse_args()
    fine = True
    for path in args.models:
        model = path if path.endswith(".json") else os.path.join(path, "tokenizer.json")
        line, equal = compare(args.ingot, model, args.count, args.seed, args.any_codepoint, args.show)
        name = os.path.basename(os.path.dirname(os.path.abspath(model)))
        print(f"{name:16} {line}", flush=True)
        fine &= equal
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
