"""llama.cpp's C API as the xllamacpp wheel carries it: token ids, logits of each step, perplexity.

The wheel's extension module exports the llama_* functions, so ctypes reaches them; its own Python API gives
no logits. Structs that are passed by value are declared larger than any release's, with only the leading
fields named: the x86-64 convention passes such structs in memory, so the callee reads the part it knows.
Their place is checked against the documented defaults when a model is opened.
One model, one context; not thread-safe.
"""

import ctypes as c
import importlib.util

import numpy as np

_PAD = 768
_F16 = 1  # ggml_type
F32 = 0


class _ModelParams(c.Union):
    class _Fields(c.Structure):
        _fields_ = [("devices", c.c_void_p), ("overrides", c.c_void_p), ("n_gpu_layers", c.c_int32)]

    _anonymous_ = ("f",)
    _fields_ = [("f", _Fields), ("pad", c.c_byte * _PAD)]


class _ContextParams(c.Union):
    class _Fields(c.Structure):
        _fields_ = [(n, c.c_uint32) for n in ("n_ctx", "n_batch", "n_ubatch", "n_seq_max", "n_rs_seq", "n_outputs_max",
                                           "unknown")]
        _fields_ += [(n, c.c_int32) for n in ("n_threads", "n_threads_batch", "ctx_type", "rope_scaling_type",
                                              "pooling_type", "attention_type", "flash_attn_type")]
        _fields_ += [(n, c.c_float) for n in ("rope_freq_base", "rope_freq_scale", "yarn_ext_factor",
                                              "yarn_attn_factor", "yarn_beta_fast", "yarn_beta_slow")]
        _fields_ += [("yarn_orig_ctx", c.c_uint32), ("defrag_thold", c.c_float), ("cb_eval", c.c_void_p),
                     ("cb_eval_user_data", c.c_void_p), ("type_k", c.c_int32), ("type_v", c.c_int32)]

    _anonymous_ = ("f",)
    _fields_ = [("f", _Fields), ("pad", c.c_byte * _PAD)]


class _Batch(c.Structure):
    _fields_ = [("n_tokens", c.c_int32), ("token", c.POINTER(c.c_int32)), ("embd", c.c_void_p),
                ("pos", c.POINTER(c.c_int32)), ("n_seq_id", c.POINTER(c.c_int32)),
                ("seq_id", c.POINTER(c.POINTER(c.c_int32))), ("logits", c.POINTER(c.c_int8))]


_LOG = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)
_lib = None
_log_lines = []


@_LOG
def _keep_log(level, text, _user):
    _log_lines.append(text.decode(errors="replace"))


def shared_object():
    global _lib
    if _lib is None:
        path = importlib.util.find_spec("xllamacpp.xllamacpp").origin
        lib = c.CDLL(path)
        P, I = c.c_void_p, c.c_int32
        for name, res, args in [
                ("llama_model_default_params", _ModelParams, []),
                ("llama_context_default_params", _ContextParams, []),
                ("llama_model_load_from_file", P, [c.c_char_p, _ModelParams]),
                ("llama_init_from_model", P, [P, _ContextParams]),
                ("llama_model_free", None, [P]), ("llama_free", None, [P]),
                ("llama_model_get_vocab", P, [P]), ("llama_vocab_n_tokens", I, [P]),
                ("llama_vocab_bos", I, [P]), ("llama_vocab_get_add_bos", c.c_bool, [P]),
                ("llama_tokenize", I, [P, c.c_char_p, I, c.POINTER(I), I, c.c_bool, c.c_bool]),
                ("llama_batch_init", _Batch, [I, I, I]), ("llama_batch_free", None, [_Batch]),
                ("llama_decode", I, [P, _Batch]),
                ("llama_get_logits_ith", c.POINTER(c.c_float), [P, I]),
                ("llama_get_memory", P, [P]), ("llama_memory_clear", None, [P, c.c_bool]),
                ("llama_print_system_info", c.c_char_p, []), ("llama_log_set", None, [_LOG, P])]:
            fn = getattr(lib, name)
            fn.restype, fn.argtypes = res, args
        lib.llama_log_set(_keep_log, None)
        _lib = lib
    return _lib


def system_info():
    return shared_object().llama_print_system_info().decode()


class Model:
    """`with Model(path) as m:`; logits are float32 [V], one row a position asked for."""

    def __init__(self, path, n_ctx=4096, n_batch=512, threads=2, flash_attn=-1, kv_type=_F16):
        lib = shared_object()
        mp = lib.llama_model_default_params()
        self.model = lib.llama_model_load_from_file(str(path).encode(), mp)
        if not self.model:
            raise RuntimeError(f"llama.cpp cannot load {path}: {''.join(_log_lines[-12:])}")
        cp = lib.llama_context_default_params()
        found = (cp.n_ctx, cp.n_batch, cp.n_ubatch, cp.n_seq_max, cp.n_threads, cp.n_threads_batch, cp.ctx_type,
                 cp.flash_attn_type, cp.yarn_beta_slow, cp.type_k, cp.type_v)
        if found != (512, 2048, 512, 1, 4, 4, 0, -1, -1.0, _F16, _F16):
            raise RuntimeError(f"llama_context_params has another layout in this wheel: {found}")
        cp.n_ctx, cp.n_batch, cp.n_ubatch = n_ctx, n_batch, min(512, n_batch)
        cp.n_threads = cp.n_threads_batch = threads
        cp.flash_attn_type, cp.type_k, cp.type_v = flash_attn, kv_type, kv_type
        self.ctx = lib.llama_init_from_model(self.model, cp)
        if not self.ctx:
            raise RuntimeError(f"llama.cpp makes no context for {path}: {''.join(_log_lines[-12:])}")
        self.vocab = lib.llama_model_get_vocab(self.model)
        self.n_vocab = lib.llama_vocab_n_tokens(self.vocab)
        self.n_batch = n_batch
        self.batch = lib.llama_batch_init(n_batch, 0, 1)
        self.pos = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        lib = shared_object()
        lib.llama_batch_free(self.batch)
        lib.llama_free(self.ctx)
        lib.llama_model_free(self.model)

    def tokenize(self, text, special=True, parse_special=False):
        raw = text.encode()
        out = (c.c_int32 * (len(raw) + 8))()
        n = shared_object().llama_tokenize(self.vocab, raw, len(raw), out, len(out), special, parse_special)
        if n < 0:
            raise RuntimeError(f"llama_tokenize: {n}")
        return list(out[:n])

    def clear(self):
        shared_object().llama_memory_clear(shared_object().llama_get_memory(self.ctx), True)
        self.pos = 0

    def feed(self, ids, want=None):
        """Appends ids; yields logits of the rows whose index in ids is in `want` (default: the last)."""
        want = {len(ids) - 1} if want is None else set(want)
        lib, rows, b = shared_object(), [], self.batch
        for start in range(0, len(ids), self.n_batch):
            part = ids[start:start + self.n_batch]
            b.n_tokens = len(part)
            for i, t in enumerate(part):
                b.token[i], b.pos[i], b.n_seq_id[i], b.seq_id[i][0] = t, self.pos + i, 1, 0
                b.logits[i] = 1 if start + i in want else 0
            if (rc := lib.llama_decode(self.ctx, b)) != 0:
                raise RuntimeError(f"llama_decode: {rc}: {''.join(_log_lines[-6:])}")
            for i in range(len(part)):
                if start + i in want:
                    p = lib.llama_get_logits_ith(self.ctx, i)
                    rows.append(np.ctypeslib.as_array(p, shape=(self.n_vocab,)).copy())
            self.pos += len(part)
        return np.stack(rows) if rows else np.zeros((0, self.n_vocab), np.float32)

    def greedy(self, prompt_ids, steps):
        """The tokens a greedy run takes and the logits [steps, V] that each was taken from."""
        self.clear()
        row, ids, rows = self.feed(prompt_ids)[0], [], []
        for step in range(steps):
            rows.append(row)
            ids.append(int(row.argmax()))
            if step + 1 < steps:
                row = self.feed([ids[-1]])[0]
        return ids, np.stack(rows)

    def perplexity(self, ids, ctx=512):
        """llama.cpp's measure: chunks of ctx tokens, BOS in place of each first, the second half scored."""
        bos, total, count = shared_object().llama_vocab_bos(self.vocab), 0.0, 0
        add_bos = shared_object().llama_vocab_get_add_bos(self.vocab)
        first = ctx // 2
        for start in range(0, len(ids) // ctx * ctx, ctx):
            chunk = list(ids[start:start + ctx])
            targets = chunk[first + 1:]
            if add_bos:
                chunk[0] = bos
            self.clear()
            rows = self.feed(chunk, range(first, ctx - 1)).astype(np.float64)
            peak = rows.max(axis=1, keepdims=True)
            logz = np.log(np.exp(rows - peak).sum(axis=1)) + peak[:, 0]
            total += float((logz - rows[np.arange(len(targets)), targets]).sum())
            count += len(targets)
        return float(np.exp(total / count)), count
