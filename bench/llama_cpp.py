#!/usr/bin/env python3
"""Ingot against llama.cpp on the same file with the same threads: one table, or JSON lines.

    bench/llama_cpp.py install            # the rival, once: llama.cpp compiled here with -march=native (10 minutes)
    bench/llama_cpp.py run                # everything: random 1.1B models of six types; hours
    bench/llama_cpp.py run --set decode --types Q4_0 --threads 2              # 2 minutes
    bench/llama_cpp.py run --set real --model gemma-3-270m-q4_k_m.gguf        # a real file, loading included
    bench/llama_cpp.py run --model MODEL.gguf --rows load,pp512,tg128,tg32b4,tg32d16384 --rounds 5 --json

A row is pp or tg, a number of tokens, b and sequences that decode together, d and tokens in the cache before.
Sets: decode (tg128), prefill (pp512, pp2048), batch (2 to 32 sequences), deep (16k tokens of context; 4 of the 22 layers,
so that filling the cache takes a minute), moe (pp512 and tg128 of mixtures: Mixtral's shape in small, and layers as
Qwen3-30B-A3B has them), real (the file given by --model: load, pp512, tg128).

The rival comes from PyPI: the source distribution of `llama-cpp-python`, whose llama.cpp is compiled with
GGML_NATIVE=ON (needs a C++ compiler, cmake and ninja). `install --wheel` adds `xllamacpp`'s wheel, compiled for AVX2.
bench/llama_cpp_worker.py drives both through the C API.
Each sample is a fresh process that warms up before it counts. Engines alternate (A B A B ...).
Before and after a sample two threads run a fixed loop of multiply-adds beside one thread alone: where two vCPUs share
one core the pair takes much longer, and the sample is taken again (at most --retries times, then dropped).
"""

import argparse
import ctypes
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
WHEEL, NATIVE = "xllamacpp==2026.10.11549", "llama-cpp-python==0.3.36"
# g++ 12 drops stores to the AMX tile configuration (its intrinsic names 8 of the 64 bytes as read): the rival crashes.
FLAGS = "-fno-tree-dse -fno-dse"
TYPES = ["Q4_0", "Q8_0", "Q4_K_M", "Q6_K", "F16", "BF16"]
SETS = {"decode": (TYPES, ["tg128"]), "prefill": (TYPES, ["pp512", "pp2048"]),
        "batch": (["Q4_0", "Q8_0", "Q4_K_M"], [f"tg32b{b}" for b in (2, 3, 4, 8, 16, 32)]),
        "deep": (["Q4_0"], ["tg32d16384"]), "moe": (["Q4_0", "Q8_0", "Q4_K_M"], ["pp512", "tg128"]), "real": ([], ["load", "pp512", "tg128"])}
MODELS = {"deep": [("1b", 4)], "moe": [("moe", 12), ("moe128", 2)]}  # make_random_gguf.py's shapes, and layers
PROMPT = "The capital of France is"

PROBE = r"""
#include <time.h>
double probe(long n) {  /* milliseconds for n steps of eight independent multiply-adds on 8 lanes */
  typedef float v8 __attribute__((vector_size(32)));
  v8 a[8]; for (int i = 0; i < 8; ++i) for (int j = 0; j < 8; ++j) a[i][j] = i + j;
  const v8 m = a[0] * 0.0f + 0.999f, c = a[0] * 0.0f + 0.001f;
  struct timespec s, e; clock_gettime(CLOCK_MONOTONIC, &s);
  for (long k = 0; k < n; ++k)
    for (int i = 0; i < 8; ++i) { a[i] = a[i] * m + c; __asm__ volatile("" : "+x"(a[i])); }
  clock_gettime(CLOCK_MONOTONIC, &e);
  return (e.tv_sec - s.tv_sec) * 1e3 + (e.tv_nsec - s.tv_nsec) * 1e-6;
}
"""


class Probe:
    """How much slower two threads multiply than one alone: 1.0 on two cores, near 2 on a shared one."""

    STEPS = 1_500_000

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        lib = pathlib.Path(self.folder.name) / "probe.so"
        subprocess.run(["cc", "-O2", "-mavx2", "-mfma", "-ffp-contract=fast", "-shared", "-fPIC", "-x", "c", "-", "-o",
                        lib], input=PROBE, text=True, check=True)
        self.fn = ctypes.CDLL(str(lib)).probe
        self.fn.restype, self.fn.argtypes = ctypes.c_double, [ctypes.c_long]
        self.alone_ms = min(self.fn(self.STEPS) for _ in range(10))

    def slowdown(self):
        times = [0.0, 0.0]

        def work(i):
            times[i] = self.fn(self.STEPS)
        threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return max(times) / self.alone_ms


def parse_row(row):
    """'pp512' -> (512, 0, 1, 0); 'tg32b4d1000' -> (0, 32, 4, 1000): prompt, generated, sequences, depth."""
    found = re.fullmatch(r"(pp|tg)(\d+)(?:b(\d+))?(?:d(\d+))?", row)
    if not found:
        raise SystemExit(f"row '{row}' is not load, ppN or tgN with bN or dN after it")
    n, b, d = int(found[2]), int(found[3] or 1), int(found[4] or 0)
    return (n, 0, b, d) if found[1] == "pp" else (0, n, b, d)


def goal(row, kind):
    """The least ratio that the project asks of a row, or None."""
    n_prompt, _, batch, depth = parse_row(row) if row != "load" else (0, 0, 0, 0)
    if row == "load":
        return 0.7
    if kind is None:
        return 2.0 if n_prompt else 1.4
    if n_prompt:
        return 1.15 if kind in ("F16", "BF16") else 2.5
    if depth:
        return 1.3
    if batch > 1:
        return 2.0 if batch >= 8 else 1.7
    return {"Q4_0": 1.5, "Q8_0": 1.5, "Q4_K_M": 1.35, "F16": 1.05, "BF16": 1.05}.get(kind)


def run_process(command):
    """Its standard output, milliseconds until its first byte, and peak resident bytes."""
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as p:
        first = p.stdout.read(1)
        first_ms = (time.monotonic() - start) * 1e3
        out = first + p.stdout.read()
        _, status, usage = os.wait4(p.pid, 0)
        exit_ms = (time.monotonic() - start) * 1e3
        p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit code {p.returncode}")
    return out.decode(), first_ms, exit_ms, usage.ru_maxrss * 1024


def samples_of(row):
    """Samples in one process: more where filling the cache is what takes long."""
    return 3 if parse_row(row)[3] else 1


class Ingot:
    name = "ingot"

    def __init__(self, binary, model):
        self.binary, self.model = binary, model

    def speed(self, row, threads):
        n_prompt, n_gen, batch, depth = parse_row(row)
        out, _, _, peak = run_process([self.binary, "bench", "llm", self.model, "-p", str(n_prompt), "-n", str(n_gen),
                                       "-b", str(batch), "-d", str(depth), "-r", str(samples_of(row)), "-t",
                                       str(threads), "--json"])
        return {"tps": json.loads(out)["tps_samples"], "peak_bytes": peak}

    def load(self, threads):
        """From the start of the process to the first token's text on its output."""
        _, first_ms, exit_ms, peak = run_process([self.binary, "run", self.model, "-p", PROMPT, "--raw", "-n", "1",
                                                  "-t", str(threads), "-c", "4096", "--temperature", "0"])
        return {"first_token_ms": first_ms, "exit_ms": exit_ms, "peak_bytes": peak}


class Rival:
    def __init__(self, name, shared_object, model):
        self.name, self.shared_object, self.model = name, shared_object, model

    def speed(self, row, threads):
        return self.ask("speed", str(threads), *map(str, parse_row(row)), str(samples_of(row)))

    def load(self, threads):
        return self.ask("load", str(threads), PROMPT)

    def ask(self, *words):
        out, _, _, _ = run_process([sys.executable, HERE / "llama_cpp_worker.py", self.shared_object, self.model, *words])
        return json.loads(out.splitlines()[-1])


def engines(args, model):
    found = [Ingot(args.ingot, model)]
    for name, pattern in (("llama.cpp wheel", "wheel/xllamacpp/xllamacpp*.so"),
                          ("llama.cpp native", "native/**/bin/libllama.so")):
        libraries = sorted(args.rival.glob(pattern))
        if libraries:
            found.append(Rival(name, libraries[0], model))
    if len(found) == 1:
        raise SystemExit(f"no rival in {args.rival}: run `{sys.argv[0]} install` first")
    return found


def random_model(args, kind, shape, layers):
    """A random model of this shape, made once."""
    folder = args.rival / f"models-{layers}"
    path = folder / f"random-{shape}-{kind.lower()}.gguf"
    if not path.exists():
        print(f"making {path} ...", file=sys.stderr)
        subprocess.run([sys.executable, HERE / "make_random_gguf.py", folder, "--types", kind, "--shape", shape,
                        "--layers", str(layers)], check=True, stdout=sys.stderr)
    return str(path)


def work(args):
    """(model's path, its kind or None for a file of the user's, row), as the options ask for."""
    if args.rows:
        if not args.model:
            raise SystemExit("--rows needs --model")
        return [(args.model, None, row) for row in args.rows]
    jobs = []
    for name in args.set:
        kinds, rows = SETS[name]
        if name == "real":
            if args.model:
                jobs += [(args.model, None, row) for row in rows]
            continue
        for kind in [k for k in kinds if k in args.types]:
            for shape, layers in MODELS.get(name, [("1b", 22)]):
                label = kind if shape == "1b" else f"{shape} {kind}"
                jobs += [(random_model(args, kind, shape, layers), label, row) for row in rows]
    return jobs


def sample(probe, args, measure):
    """One sample with both vCPUs on cores of their own, or None."""
    for _ in range(args.retries + 1):
        before = probe.slowdown()
        result = measure()
        after = probe.slowdown()
        if max(before, after) <= args.slowdown_max:
            return result
        time.sleep(0.5)
    return None


def run(args):
    jobs = work(args)
    probe, lines = Probe(), []
    for threads in args.threads:
        for model, kind, row in jobs:
            found = engines(args, model)
            results = {e.name: [] for e in found}
            for _ in range(args.rounds if row == "load" else -(-args.rounds // samples_of(row))):
                for e in found:
                    got = sample(probe, args, lambda: e.load(threads) if row == "load" else e.speed(row, threads))
                    if got:
                        results[e.name].append(got)
            lines += report(args, model, kind, threads, row, results)
    if not args.json:
        print_table(lines)


def report(args, model, kind, threads, row, results):
    keys = ["first_token_ms", "peak_bytes"] if row == "load" else ["tps"]
    lines = []
    for key in keys:
        line = {"model": kind or pathlib.Path(model).stem, "row": row if key == "tps" else key, "threads": threads,
                "goal": goal(row, kind) if key != "peak_bytes" else None, "lower_is_better": key != "tps"}
        for engine, samples in results.items():
            values = [v for s in samples for v in (s[key] if key == "tps" else [s[key]])]
            values = [v / 2**20 for v in values] if key == "peak_bytes" else values
            if values:
                line[engine] = {"median": round(statistics.median(values), 2), "min": round(min(values), 2),
                                "max": round(max(values), 2), "samples": len(values)}
        rivals = [v["median"] for e, v in line.items() if e.startswith("llama.cpp")]
        if "ingot" in line and rivals:
            best = max(rivals) if key == "tps" else min(rivals)
            line["ratio"] = round(line["ingot"]["median"] / best, 3)
        lines.append(line)
        print(json.dumps(line), flush=True, file=sys.stdout if args.json else sys.stderr)
    return lines


def print_table(lines):
    names = list(dict.fromkeys(e for line in lines for e, v in line.items() if isinstance(v, dict)))
    print("| model | row | threads | " + " | ".join(names) + " | ratio to the better rival | goal |")
    print("|" + "---|" * (5 + len(names)))
    for line in lines:
        cells = [f"{v['median']:.1f} ({v['min']:.1f} to {v['max']:.1f}; {v['samples']})" if (v := line.get(n)) else "-"
                 for n in names]
        wanted = line["goal"] and f"{'<=' if line['lower_is_better'] else '>='} {line['goal']}"
        print(f"| {line['model']} | {line['row']} | {line['threads']} | " + " | ".join(cells) +
              f" | {line.get('ratio', '-')} | {wanted or ''} |")
    print("\nMedian (min to max; samples). tok/s; first_token_ms in ms, peak_bytes in MiB.")


def install(args):
    pip = [sys.executable, "-m", "pip"]
    if args.wheel:
        subprocess.run([*pip, "install", "-q", "--no-deps", "--target", args.rival / "wheel", WHEEL], check=True)
    native = args.rival / "native"
    if found := sorted(native.glob("**/bin/libllama.so")):
        print(f"{found[0]} is there already; remove {native} to build it again")
        return
    print("compiling llama.cpp for this machine: about 10 minutes on 2 cores, once", flush=True)
    native.mkdir(parents=True, exist_ok=True)
    subprocess.run([*pip, "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", native, NATIVE], check=True)
    archive = next(native.glob("*.tar.gz"))
    subprocess.run(["tar", "xzf", archive, "-C", native], check=True)
    source = next(native.glob("*/vendor/llama.cpp"))
    off = [f"-DLLAMA_BUILD_{part}=OFF" for part in ("COMMON", "TESTS", "TOOLS", "EXAMPLES", "SERVER")]
    subprocess.run(["cmake", "-S", source, "-B", source / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                    "-DGGML_NATIVE=ON", "-DBUILD_SHARED_LIBS=ON", f"-DCMAKE_CXX_FLAGS={FLAGS} -w", *off], check=True)
    subprocess.run(["cmake", "--build", source / "build", "--target", "llama"], check=True)


def one_of(allowed):
    def parse(text):
        words = text.split(",")
        if unknown := [w for w in words if w not in allowed]:
            raise argparse.ArgumentTypeError(f"{unknown[0]} is not one of {', '.join(allowed)}")
        return words
    return parse


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rival", type=pathlib.Path, default=ROOT / ".rival", help="where the rival and the models are")
    commands = p.add_subparsers(dest="command", required=True)
    i = commands.add_parser("install")
    i.add_argument("--wheel", action="store_true", help="also the AVX2 wheel")
    i.set_defaults(action=install)
    r = commands.add_parser("run")
    r.add_argument("--model", help="a GGUF file, for --set real or --rows")
    r.add_argument("--set", type=one_of(list(SETS)), default=list(SETS))
    r.add_argument("--types", type=one_of(TYPES), default=TYPES)
    r.add_argument("--rows", type=lambda s: s.split(","), help="instead of --set")
    r.add_argument("--ingot", default=str(ROOT / "build" / "release" / "bin" / "ingot"))
    r.add_argument("--rounds", type=int, default=5)
    r.add_argument("--retries", type=int, default=5)
    r.add_argument("--slowdown-max", type=float, default=1.25)
    r.add_argument("--threads", type=lambda s: [int(x) for x in s.split(",")], default=[1, 2])
    r.add_argument("--json", action="store_true")
    r.set_defaults(action=run)
    args = p.parse_args()
    args.action(args)


if __name__ == "__main__":
    main()
