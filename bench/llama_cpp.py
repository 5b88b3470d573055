#!/usr/bin/env python3
"""Ingot against llama.cpp on the same file with the same threads: one table, or JSON lines.

    bench/llama_cpp.py install                     # both builds of the rival into .rival/ (the native one compiles)
    bench/llama_cpp.py run MODEL.gguf [--rounds 5] [--threads 1,2] [--rows pp512,tg128] [--json]

The rival comes from PyPI twice: `xllamacpp`'s wheel (compiled for AVX2) and the source distribution of
`llama-cpp-python`, whose llama.cpp is compiled here with GGML_NATIVE=ON (10 minutes on 2 cores; needs cmake and ninja).
bench/llama_cpp_worker.py drives both through the C API.
Each sample is a fresh process: one run that warms up, then one that counts. Engines alternate (A B C A B C ...).
Before and after a sample two threads run a fixed loop of multiply-adds beside one thread alone: where two vCPUs share
one core the pair takes much longer, and the sample is taken again (at most --retries times, then dropped).
"""

import argparse
import ctypes
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
WHEEL, NATIVE = "xllamacpp==2026.10.11549", "llama-cpp-python==0.3.36"
ALL_ROWS = ["load", "pp512", "pp2048", "tg128", "tg32b1", "tg32b2", "tg32b4", "tg32b8", "tg32b16"]
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
    """'pp512' -> (512, 0, 1); 'tg32b4' -> (0, 32, 4)."""
    n, _, b = row[2:].partition("b")
    return (int(n), 0, 1) if row.startswith("pp") else (0, int(n), int(b or 1))


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


class Ingot:
    name = "ingot"

    def __init__(self, binary, model):
        self.binary, self.model = binary, model

    def speed(self, row, threads):
        n_prompt, n_gen, batch = parse_row(row)
        out, _, _, peak = run_process([self.binary, "bench", "llm", self.model, "-p", str(n_prompt), "-n", str(n_gen),
                                       "-b", str(batch), "-r", "1", "-t", str(threads), "--json"])
        return {"tps": json.loads(out)["tps_median"], "peak_bytes": peak}

    def load(self, threads):
        """From the start of the process to the first token's text on its output."""
        _, first_ms, exit_ms, peak = run_process([self.binary, "run", self.model, "-p", PROMPT, "--raw", "-n", "1",
                                                  "-t", str(threads), "-c", "4096", "--temperature", "0"])
        return {"first_token_ms": first_ms, "exit_ms": exit_ms, "peak_bytes": peak}


class Rival:
    def __init__(self, name, shared_object, model):
        self.name, self.shared_object, self.model = name, shared_object, model

    def speed(self, row, threads):
        n_prompt, n_gen, batch = parse_row(row)
        return self.ask("speed", str(threads), str(n_prompt), str(n_gen), str(batch))

    def load(self, threads):
        return self.ask("load", str(threads), PROMPT)

    def ask(self, *words):
        out, _, _, _ = run_process([sys.executable, HERE / "llama_cpp_worker.py", self.shared_object, self.model, *words])
        return json.loads(out.splitlines()[-1])


def engines(args):
    found = [Ingot(args.ingot, args.model)]
    for name, pattern in (("llama.cpp wheel", "wheel/xllamacpp/xllamacpp*.so"),
                          ("llama.cpp native", "native/**/bin/libllama.so")):
        libraries = sorted(args.rival.glob(pattern))
        if libraries:
            found.append(Rival(name, libraries[0], args.model))
        else:
            print(f"{name}: no {args.rival / pattern}, left out (see `{sys.argv[0]} install`)", file=sys.stderr)
    return found


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
    probe, found = Probe(), engines(args)
    for threads in args.threads:
        for row in args.rows:
            results = {e.name: [] for e in found}
            for _ in range(args.rounds):
                for e in found:
                    got = sample(probe, args, lambda: e.load(threads) if row == "load" else e.speed(row, threads))
                    if got:
                        results[e.name].append(got)
            report(args, threads, row, results)


def report(args, threads, row, results):
    keys = ["first_token_ms", "exit_ms", "peak_bytes"] if row == "load" else ["tps"]
    for key in keys:
        name = row if key == "tps" else key
        line = {"model": pathlib.Path(args.model).name, "row": name, "threads": threads}
        medians = {}
        for engine, samples in results.items():
            values = [s[key] / (2**20 if key == "peak_bytes" else 1) for s in samples if key in s]
            if values:
                best = max(values) if key == "tps" else min(values)
                medians[engine] = statistics.median(values)
                line[engine] = {"median": round(medians[engine], 1), "best": round(best, 1), "samples": len(values)}
        if args.json:
            print(json.dumps(line), flush=True)
            continue
        cells = [f"{e}: {v['median']:9.1f} ({v['best']:.1f}, {v['samples']})" for e, v in line.items()
                 if isinstance(v, dict)]
        rivals = [m for e, m in medians.items() if e != "ingot"]
        ratio = ""
        if "ingot" in medians and rivals:
            best = max(rivals) if key == "tps" else min(rivals)
            ratio = f"  {medians['ingot'] / best:.2f} x the better rival"
        unit = {"tps": "tok/s", "peak_bytes": "MiB"}.get(key, "ms")
        print(f"{name:15} t={threads} {unit:5}  " + "  ".join(cells) + ratio, flush=True)


def install(args):
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--target", args.rival / "wheel", WHEEL], check=True)
    native = args.rival / "native"
    native.mkdir(parents=True, exist_ok=True)
    subprocess.run([*pip, "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", native, NATIVE], check=True)
    archive = next(native.glob("*.tar.gz"))
    subprocess.run(["tar", "xzf", archive, "-C", native], check=True)
    source = next(native.glob("*/vendor/llama.cpp"))
    off = [f"-DLLAMA_BUILD_{part}=OFF" for part in ("COMMON", "TESTS", "TOOLS", "EXAMPLES", "SERVER")]
    subprocess.run(["cmake", "-S", source, "-B", source / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                    "-DGGML_NATIVE=ON", "-DBUILD_SHARED_LIBS=ON", *off], check=True)
    subprocess.run(["cmake", "--build", source / "build", "--target", "llama"], check=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rival", type=pathlib.Path, default=ROOT / ".rival", help="where the rival's two builds are")
    commands = p.add_subparsers(dest="command", required=True)
    commands.add_parser("install").set_defaults(action=install)
    r = commands.add_parser("run")
    r.add_argument("model")
    r.add_argument("--ingot", default=str(ROOT / "build" / "release" / "bin" / "ingot"))
    r.add_argument("--rounds", type=int, default=5)
    r.add_argument("--retries", type=int, default=5)
    r.add_argument("--slowdown-max", type=float, default=1.25)
    r.add_argument("--threads", type=lambda s: [int(x) for x in s.split(",")], default=[1, 2])
    r.add_argument("--rows", type=lambda s: s.split(","), default=ALL_ROWS)
    r.add_argument("--json", action="store_true")
    r.set_defaults(action=run)
    args = p.parse_args()
    args.action(args)


if __name__ == "__main__":
    main()
