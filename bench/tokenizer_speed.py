"""Encoding speed beside the `tokenizers` package: same text, one thread, alternating, medians of five.

  python bench/tokenizer_speed.py --ingot build/release/bin/ingot DIR ... [--text FILE]

DIR holds tokenizer.json. Without --text the text is made of this repository's sources and docs and multilingual
sentences, about 2 MB. Prints MB/s of both and the ratio (above 1: ours is faster), and the load times.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "oracles"))


def default_text():
    from tokenizers_hf import Generator, TEXTS

    parts = []
    for pattern in ("src/**/*.cc", "src/**/*.h", "docs/**/*.md", "*.md", "tests/**/*.py"):
        for path in sorted(glob.glob(os.path.join(ROOT, pattern), recursive=True)):
            parts.append(open(path, encoding="utf-8").read())
    code = "".join(parts)[:1_400_000]
    generator = Generator(7, None, False)
    return code + "".join(" ".join(TEXTS) + "\n" for _ in range(300)) + "\n".join(generator.text() for _ in range(3000))


def ours(program, model, path):
    command = [program, "tokenize", model, "-f", path, "--no-special", "--time"]
    out = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return out["load_ms"] / 1e3, out["encode_ms"] / 1e3


def theirs(model, text):
    from tokenizers import Tokenizer

    start = time.perf_counter()
    tokenizer = Tokenizer.from_file(model)
    loaded = time.perf_counter()
    tokenizer.encode_batch_fast([text], add_special_tokens=False)  # without offsets, as ours
    return loaded - start, time.perf_counter() - loaded


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--ingot", default="build/release/bin/ingot")
    parser.add_argument("--text")
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    text = open(args.text, encoding="utf-8").read() if args.text else default_text()
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8", delete=False) as f:
        f.write(text)
    megabytes = len(text.encode()) / 1e6
    print(f"{megabytes:.2f} MB, one thread, medians of {args.runs}\n{'':16} {'ours MB/s':>10} {'theirs':>10} {'ratio':>7}   load ms: ours, theirs")
    for folder in args.models:
        model = os.path.join(folder, "tokenizer.json")
        a, b = [], []
        for _ in range(args.runs):
            a.append(ours(args.ingot, model, f.name))
            b.append(theirs(model, text))
        load_a, encode_a = (statistics.median(x) for x in zip(*a))
        load_b, encode_b = (statistics.median(x) for x in zip(*b))
        print(f"{os.path.basename(os.path.normpath(folder)):16} {megabytes / encode_a:10.1f} {megabytes / encode_b:10.1f} "
              f"{encode_b / encode_a:7.2f}   {load_a * 1e3:.0f}, {load_b * 1e3:.0f}", flush=True)
    os.unlink(f.name)


if __name__ == "__main__":
    main()
