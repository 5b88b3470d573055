"""One sample of llama.cpp, for bench/llama_cpp.py: loads a model, measures one thing, prints one JSON line.

    llama_cpp_worker.py MODEL load THREADS PROMPT
    llama_cpp_worker.py MODEL speed THREADS N_PROMPT N_GEN BATCH

Runs in a venv that has xllamacpp or llama-cpp-python; reaches the C API by ctypes (structs: tests/oracles/llama_cpp.py).
Time and memory count from after the library is loaded, so neither Python nor dynamic linking is on its bill.
Settings: mmap, repacking and flash attention as llama.cpp chooses them, n_batch 2048, n_ubatch 512, no warm-up at load.
"""

import ctypes as c
import importlib.util
import json
import pathlib
import random
import re
import sys
import time

I, P = c.c_int32, c.c_void_p


def open_library():
    """The library, its directory (for backend modules) and the structs of its release."""
    found = importlib.util.find_spec("xllamacpp")
    if found:
        sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "oracles"))
        sys.modules.setdefault("numpy", type(sys)("numpy"))  # the oracle wants it, we do not: keep it out of memory
        import llama_cpp as oracle
        return oracle.library(), oracle._ModelParams, oracle._ContextParams, oracle._Batch
    import llama_cpp.llama_cpp as binding
    lib = binding._lib
    for name, res, args in [
            ("llama_model_load_from_file", P, [c.c_char_p, binding.llama_model_params]),
            ("llama_init_from_model", P, [P, binding.llama_context_params]),
            ("llama_model_get_vocab", P, [P]), ("llama_vocab_n_tokens", I, [P]),
            ("llama_tokenize", I, [P, c.c_char_p, I, c.POINTER(I), I, c.c_bool, c.c_bool]),
            ("llama_batch_init", binding.llama_batch, [I, I, I]), ("llama_decode", I, [P, binding.llama_batch]),
            ("llama_get_logits_ith", c.POINTER(c.c_float), [P, I]),
            ("llama_get_memory", P, [P]), ("llama_memory_clear", None, [P, c.c_bool])]:
        fn = getattr(lib, name)
        fn.restype, fn.argtypes = res, args
    return lib, binding.llama_model_params, binding.llama_context_params, binding.llama_batch


def status_bytes(key):
    text = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(rf"{key}:\s+(\d+)", text).group(1)) * 1024


class Engine:
    def __init__(self, lib, path, threads, n_ctx, n_seq):
        self.lib = lib
        model_params = lib.llama_model_default_params()
        self.model = lib.llama_model_load_from_file(path.encode(), model_params)
        if not self.model:
            raise SystemExit(f"llama.cpp cannot load {path}")
        cp = lib.llama_context_default_params()
        cp.n_ctx, cp.n_batch, cp.n_ubatch, cp.n_seq_max = n_ctx, 2048, 512, n_seq
        cp.n_threads = cp.n_threads_batch = threads
        self.ctx = lib.llama_init_from_model(self.model, cp)
        if not self.ctx:
            raise SystemExit("llama.cpp makes no context")
        self.vocab = lib.llama_model_get_vocab(self.model)
        self.batch = lib.llama_batch_init(2048, 0, 1)

    def tokenize(self, text):
        raw, out = text.encode(), (I * 1024)()
        return list(out[:self.lib.llama_tokenize(self.vocab, raw, len(raw), out, 1024, True, False)])

    def decode(self, rows):
        """rows: (token, position, sequence, wants logits)."""
        b = self.batch
        b.n_tokens = len(rows)
        for i, (token, pos, seq, want) in enumerate(rows):
            b.token[i], b.pos[i], b.n_seq_id[i], b.seq_id[i][0], b.logits[i] = token, pos, 1, seq, want
        if self.lib.llama_decode(self.ctx, b):
            raise SystemExit("llama_decode failed")
        return self.lib.llama_get_logits_ith(self.ctx, len(rows) - 1)[0]

    def speed(self, n_prompt, n_gen, batch):
        draw, n = random.Random(42), self.lib.llama_vocab_n_tokens(self.vocab)
        steps = []
        for at in range(0, n_prompt, 2048):
            part = range(at, min(n_prompt, at + 2048))
            steps.append([(draw.randrange(n), p, 0, int(p + 1 == n_prompt)) for p in part])
        steps += [[(draw.randrange(n), p, s, 1) for s in range(batch)] for p in range(n_gen)]
        for _ in range(2):  # the first one warms up
            self.lib.llama_memory_clear(self.lib.llama_get_memory(self.ctx), True)
            start = time.monotonic()
            for rows in steps:
                self.decode(rows)
            seconds = time.monotonic() - start
        return (n_prompt + n_gen * batch) / seconds


def main():
    path, what, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    lib = open_library()[0]
    before = status_bytes("VmRSS")
    start = time.monotonic()
    if what == "load":
        e = Engine(lib, path, threads, 4096, 1)
        ids = e.tokenize(sys.argv[4])
        e.decode([(t, i, 0, int(i + 1 == len(ids))) for i, t in enumerate(ids)])
        logits = lib.llama_get_logits_ith(e.ctx, len(ids) - 1)
        ms = (time.monotonic() - start) * 1e3
        best = max(range(lib.llama_vocab_n_tokens(e.vocab)), key=lambda t: logits[t])  # sampling is not on its bill
        result = {"first_token_ms": ms, "token": best}
    else:
        n_prompt, n_gen, batch = map(int, sys.argv[4:7])
        room = (n_prompt + n_gen) * batch
        e = Engine(lib, path, threads, max(512, (room + 255) // 256 * 256), batch)
        result = {"tps": e.speed(n_prompt, n_gen, batch)}
    result["peak_bytes"] = status_bytes("VmHWM") - before
    info = lib.llama_print_system_info
    info.restype = c.c_char_p
    result["system"] = info().decode()
    print(json.dumps(result), flush=True)


main()
