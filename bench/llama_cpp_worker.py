"""One sample of llama.cpp, for bench/llama_cpp.py: loads a model, measures one thing, prints one JSON line.

    llama_cpp_worker.py LIBRARY MODEL load THREADS PROMPT
    llama_cpp_worker.py LIBRARY MODEL speed THREADS N_PROMPT N_GEN BATCH DEPTH SAMPLES

LIBRARY is any shared object that exports llama.cpp's C API; ctypes reaches it. Structs passed by value are declared
larger than any release's, with the leading fields named; the documented defaults show that the layout is the right one.
Time and memory count from after the library is loaded, so neither Python nor dynamic linking is on its bill.
Settings: mmap, repacking and flash attention as llama.cpp chooses them, n_batch 2048, n_ubatch 512, no warm-up at load,
the small sliding-window cache that its command line uses, room for as many rows of logits as are asked for.
"""

import ctypes as c
import json
import pathlib
import random
import re
import sys
import time

I, P = c.c_int32, c.c_void_p


class ModelParams(c.Structure):
    _fields_ = [("pad", c.c_byte * 768)]


class ContextParams(c.Union):
    class _Fields(c.Structure):
        _fields_ = [(n, c.c_uint32) for n in ("n_ctx", "n_batch", "n_ubatch", "n_seq_max", "n_rs_seq", "n_outputs_max",
                                              "n_outputs_max_per_seq")]
        _fields_ += [(n, I) for n in ("n_threads", "n_threads_batch", "ctx_type", "rope_scaling_type", "pooling_type",
                                      "attention_type", "flash_attn_type")]
        _fields_ += [(n, c.c_float) for n in ("rope_freq_base", "rope_freq_scale", "yarn_ext_factor",
                                              "yarn_attn_factor", "yarn_beta_fast", "yarn_beta_slow")]
        _fields_ += [("yarn_orig_ctx", c.c_uint32), ("defrag_thold", c.c_float), ("cb_eval", P), ("cb_eval_data", P),
                     ("type_k", I), ("type_v", I)]

    _anonymous_ = ("f",)
    _fields_ = [("f", _Fields), ("pad", c.c_byte * 768)]


# Booleans embeddings, offload_kqv, no_perf, op_offload, swa_full, kv_unified by default: releases put them elsewhere.
FLAGS, SWA_FULL = b"\0\1\1\1\1\0", 4


class Batch(c.Structure):
    _fields_ = [("n_tokens", I), ("token", c.POINTER(I)), ("embd", P), ("pos", c.POINTER(I)), ("n_seq_id", c.POINTER(I)),
                ("seq_id", c.POINTER(c.POINTER(I))), ("logits", c.POINTER(c.c_int8))]


LOG = c.CFUNCTYPE(None, c.c_int, c.c_char_p, P)
quiet = LOG(lambda level, text, user: None)


def open_library(path):
    lib = c.CDLL(path)
    for name, res, args in [
            ("llama_model_default_params", ModelParams, []), ("llama_context_default_params", ContextParams, []),
            ("llama_model_load_from_file", P, [c.c_char_p, ModelParams]),
            ("llama_init_from_model", P, [P, ContextParams]),
            ("llama_model_get_vocab", P, [P]), ("llama_vocab_n_tokens", I, [P]),
            ("llama_tokenize", I, [P, c.c_char_p, I, c.POINTER(I), I, c.c_bool, c.c_bool]),
            ("llama_batch_init", Batch, [I, I, I]), ("llama_decode", I, [P, Batch]),
            ("llama_get_logits_ith", c.POINTER(c.c_float), [P, I]), ("llama_get_memory", P, [P]),
            ("llama_memory_seq_rm", c.c_bool, [P, I, I, I]), ("llama_print_system_info", c.c_char_p, []),
            ("llama_log_set", None, [LOG, P])]:
        fn = getattr(lib, name)
        fn.restype, fn.argtypes = res, args
    lib.llama_log_set(quiet, None)
    d = lib.llama_context_default_params()
    found = (d.n_ctx, d.n_batch, d.n_ubatch, d.n_seq_max, d.n_threads, d.flash_attn_type, d.type_k, d.type_v)
    if found != (512, 2048, 512, 1, 4, -1, 1, 1) or FLAGS not in bytes(d):
        raise SystemExit(f"llama_context_params has another layout in this release: {found}")
    return lib


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
        cp.n_outputs_max = n_seq
        cp.pad[bytes(cp).index(FLAGS) + SWA_FULL] = n_seq > 1  # llama.h: false may be slow with several sequences
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

    def speed(self, n_prompt, n_gen, batch, depth, samples):
        """Tokens a second, a sample each; `depth` tokens stand in every sequence's cache before."""
        draw, n = random.Random(42), self.lib.llama_vocab_n_tokens(self.vocab)

        def prompt(seq, start, count):
            parts = [range(at, min(start + count, at + 2048)) for at in range(start, start + count, 2048)]
            return [[(draw.randrange(n), p, seq, int(p + 1 == start + count)) for p in part] for part in parts]
        for seq in range(batch):
            for rows in prompt(seq, 0, depth):
                self.decode(rows)
        steps = prompt(0, depth, n_prompt)
        steps += [[(draw.randrange(n), depth + p, s, 1) for s in range(batch)] for p in range(n_gen)]
        memory, tps = self.lib.llama_get_memory(self.ctx), []
        for sample in range(samples + 1):  # the first one warms up, shorter where it generates
            part = steps if sample or n_prompt else steps[:8]
            start = time.monotonic()
            for rows in part:
                self.decode(rows)
            tps.append(sum(map(len, part)) / (time.monotonic() - start))
            for seq in range(batch):
                if not self.lib.llama_memory_seq_rm(memory, seq, depth, -1):
                    raise SystemExit("llama.cpp cannot truncate a sequence")
        return tps[1:]


def main():
    library, path, what, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    lib = open_library(library)
    before = status_bytes("VmRSS")
    start = time.monotonic()
    if what == "load":
        e = Engine(lib, path, threads, 4096, 1)
        ids = e.tokenize(sys.argv[5])
        e.decode([(t, i, 0, int(i + 1 == len(ids))) for i, t in enumerate(ids)])
        logits = lib.llama_get_logits_ith(e.ctx, len(ids) - 1)
        ms = (time.monotonic() - start) * 1e3
        best = max(range(lib.llama_vocab_n_tokens(e.vocab)), key=lambda t: logits[t])  # sampling is not on its bill
        result = {"first_token_ms": ms, "token": best}
    else:
        n_prompt, n_gen, batch, depth, samples = map(int, sys.argv[5:10])
        room = (depth + n_prompt + n_gen) * batch
        e = Engine(lib, path, threads, max(512, (room + 255) // 256 * 256), batch)
        result = {"tps": e.speed(n_prompt, n_gen, batch, depth, samples)}
    result["peak_bytes"] = status_bytes("VmHWM") - before
    result["system"] = lib.llama_print_system_info().decode()
    print(json.dumps(result), flush=True)


main()
