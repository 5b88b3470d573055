#!/usr/bin/env python3
"""Goldens of the sampler: what llama.cpp's own samplers leave, and with which probabilities.

The llama_sampler_* symbols of the xllamacpp wheel are called through ctypes on arrays of random
logits. Writes sampler.json beside this file; src/llm/sampling/sampler_golden_test.cc reads it.
    pip install numpy xllamacpp && python3 tests/goldens/make_sampler.py
"""
import ctypes as C
import glob
import importlib.util
import itertools
import json
import os

import numpy as np

V = 100
spec = importlib.util.find_spec("xllamacpp")
lib = C.CDLL(glob.glob(os.path.join(os.path.dirname(spec.origin), "*.so"))[0])


class Data(C.Structure):
    _fields_ = [("id", C.c_int32), ("logit", C.c_float), ("p", C.c_float)]


class Array(C.Structure):
    _fields_ = [("data", C.POINTER(Data)), ("size", C.c_size_t), ("selected", C.c_int64), ("sorted", C.c_bool)]


class Bias(C.Structure):
    _fields_ = [("token", C.c_int32), ("bias", C.c_float)]


class Vector(C.Structure):  # libstdc++'s std::vector
    _fields_ = [("begin", C.c_void_p), ("end", C.c_void_p), ("capacity", C.c_void_p)]


def make(name, *args):
    f = getattr(lib, name)
    f.restype = C.c_void_p
    return C.c_void_p(f(*args))


F, I, U, Z = C.c_float, C.c_int32, C.c_uint32, C.c_size_t
alive = []  # memory that C++ reads


def vector(element_type, elements):
    array = (element_type * max(len(elements), 1))(*elements)
    alive.append(array)
    begin = C.addressof(array)
    end = begin + C.sizeof(element_type) * len(elements)
    return Vector(begin, end, end)


def make_dry(p, breakers):
    outer = vector(Vector, [vector(I, b) for b in breakers])
    alive.append(outer)
    return make("_Z30llama_sampler_init_dry_testingffiiRKSt6vectorIS_IiSaIiEESaIS1_EE",
                F(p["dry_multiplier"]), F(p.get("dry_base", 1.75)), I(p.get("dry_allowed_length", 2)),
                I(p["dry_penalty_last_n"]), C.byref(outer))


def build(p, breakers):
    """One sampler per step, in order, with the values of p; a step that p does not name is off."""
    keep = Z(p.get("min_keep", 0))
    steps = {
        "penalties": lambda: make("llama_sampler_init_penalties", I(V), I(p.get("repeat_last_n", 64)), F(p.get("repeat_penalty", 1)),
                                  F(p.get("frequency_penalty", 0)), F(p.get("presence_penalty", 0))),
        "dry": lambda: make_dry(p, breakers),
        "top_n_sigma": lambda: make("llama_sampler_init_top_n_sigma", F(p["top_n_sigma"])),
        "top_k": lambda: make("llama_sampler_init_top_k", I(p["top_k"])),
        "typ_p": lambda: make("llama_sampler_init_typical", F(p["typical_p"]), keep),
        "top_p": lambda: make("llama_sampler_init_top_p", F(p["top_p"]), keep),
        "min_p": lambda: make("llama_sampler_init_min_p", F(p["min_p"]), keep),
        "xtc": lambda: make("llama_sampler_init_xtc", F(p["xtc_probability"]), F(p["xtc_threshold"]), keep, U(1)),
        "temperature": lambda: make("llama_sampler_init_temp_ext", F(p["temperature"]), F(p.get("dynatemp_range", 0)),
                                    F(p.get("dynatemp_exponent", 1))),
    }
    chain = []
    if "logit_bias" in p:
        array = (Bias * len(p["logit_bias"]))(*[Bias(t, b) for t, b in p["logit_bias"]])
        chain.append(make("llama_sampler_init_logit_bias", I(V), I(len(p["logit_bias"])), array))
    chain += [steps[name]() for name in p["order"].split(";") if name]
    return chain


def apply(chain, logits):
    data = (Data * V)(*[Data(i, float(x), 0.0) for i, x in enumerate(logits)])
    array = Array(data, V, -1, False)
    for sampler in chain:
        lib.llama_sampler_apply(sampler, C.byref(array))
    rows = sorted((array.data[i].id, array.data[i].p) for i in range(array.size))
    selected = array.data[array.selected].id if array.selected >= 0 else -1
    return [(i, p) for i, p in rows if p > 1e-9], selected


def result(rows):
    return {"ids": [i for i, _ in rows], "p": [float(f"{p:.7g}") for _, p in rows]}


def main():
    rng = np.random.default_rng(20261122)
    shapes = [3 * rng.standard_normal(V), 0.5 * rng.standard_normal(V), rng.exponential(2.5, V) - 4,
              6 * rng.random(V) ** 3 - 1, np.where(rng.random(V) < 0.04, 12.0, 0) + rng.standard_normal(V)]
    logits = [[round(float(x), 6) for x in row] for row in shapes]
    assert all(len(set(row)) == V for row in logits)

    cases = []

    def case(name, rows, history=(), breakers=(), **p):
        for row in rows:
            chain = build(p, breakers) + [make("llama_sampler_init_dist", U(1))]
            for token in history:
                for sampler in chain:
                    lib.llama_sampler_accept(sampler, I(token))
            left, _ = apply(chain, np.float32(logits[row]))
            cases.append({"name": name, "params": p, "row": row, "history": list(history),
                          "breakers": [list(b) for b in breakers], **result(left)})

    everywhere = range(len(logits))
    case("no step", [0], order="")
    for k in (1, 2, 7, 40, 100):
        case(f"top_k {k}", [0, 3], order="top_k", top_k=k)
    for p, keep in itertools.product((0.0, 0.3, 0.9, 0.99), (0, 5)):
        case(f"top_p {p} keep {keep}", [0, 1, 4], order="top_p", top_p=p, min_keep=keep)
    for p, keep in itertools.product((0.02, 0.2, 1.0), (0, 6)):
        case(f"min_p {p} keep {keep}", everywhere, order="min_p", min_p=p, min_keep=keep)
    for p, keep in itertools.product((0.1, 0.5, 0.95), (0, 4)):
        case(f"typical_p {p} keep {keep}", everywhere, order="typ_p", typical_p=p, min_keep=keep)
    for n in (0.5, 1.0, 2.0):
        case(f"top_n_sigma {n}", everywhere, order="top_n_sigma", top_n_sigma=n)
    for t, keep in itertools.product((0.02, 0.1, 0.3), (0, 98)):
        case(f"xtc {t} keep {keep}", [0, 3, 4], order="xtc", xtc_probability=1.0, xtc_threshold=t, min_keep=keep)
    for t in (0.1, 0.7, 1.0, 2.5):
        case(f"temperature {t}", [0, 2], order="top_k;temperature", top_k=20, temperature=t)
    for t, r, e in ((1.0, 0.5, 1.0), (0.6, 0.8, 2.0), (1.5, 1.0, 0.5)):
        case(f"dynatemp {t} {r} {e}", [0, 1, 4], order="top_k;temperature", top_k=30, temperature=t, dynatemp_range=r,
             dynatemp_exponent=e)
    history = [int(t) for t in rng.integers(0, 12, 80)]
    for n, r, f, s in ((64, 1.3, 0, 0), (64, 1, 0.4, 0), (20, 1, 0, 0.7), (5, 1.1, 0.2, 0.3), (200, 0.8, -0.1, -0.2)):
        case(f"penalties {n} {r} {f} {s}", [0, 1], history, order="penalties;top_k", top_k=25, repeat_last_n=n,
             repeat_penalty=r, frequency_penalty=f, presence_penalty=s)
    case("penalties after top_k", [0], history, order="top_k;penalties", top_k=25, repeat_penalty=1.5)
    case("logit bias", [0], order="top_k", top_k=30, logit_bias=[[3, 5.0], [4, -2.5], [90, 1.25]])

    repeating = [1, 2, 3, 4, 5, 9, 1, 2, 3, 4, 6, 1, 2, 3]
    for history_, breakers in ((repeating, []), (repeating, [[9]]), (repeating, [[4, 6]]), (repeating, [[2], [2, 3]]),
                               (repeating, [[5, 9], [6], [1, 2, 4]]), ([7] * 30, []), ([7] * 30 + [8] + [7] * 5, [[8]]),
                               ([int(t) for t in rng.integers(0, 3, 60)], [[0, 1, 2]]), (list(range(20)), [])):
        for m, base, allowed, n in ((0.8, 1.75, 2, 1000), (2.0, 1.1, 1, 12), (0.5, 3.0, 3, 1000)):
            case(f"dry {m} {base} {allowed} {n}", [1], history_, breakers, order="dry;top_k", top_k=20,
                 logit_bias=[[t, 6.0] for t in range(12)], dry_multiplier=m, dry_base=base,
                 dry_allowed_length=allowed, dry_penalty_last_n=n)

    # typ_p after top_n_sigma is left out: llama.cpp keeps the removed tokens at probability 0, and 0 * log 0
    # makes the entropy NaN.
    full = "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature"
    for t, k, p, m, ty, x in ((0.8, 40, 0.95, 0.05, 1.0, 0.0), (1.2, 60, 0.9, 0.02, 0.8, 0.0), (0.7, 0, 0.99, 0.0, 0.95, 1.0)):
        case(f"chain {t} {k} {p} {m} {ty} {x}", everywhere, repeating, [[9]], order=full if ty == 1 else full.replace("top_n_sigma;", ""), temperature=t, top_k=k, top_p=p,
             min_p=m, typical_p=ty, xtc_probability=x, xtc_threshold=0.08, repeat_penalty=1.1, frequency_penalty=0.1,
             dry_multiplier=0.8, dry_penalty_last_n=1000, top_n_sigma=3.0)
    case("other order", everywhere, order="temperature;min_p;top_p;top_k", temperature=1.4, min_p=0.03, top_p=0.9, top_k=10)

    mirostat = []
    for version, tau, eta in itertools.product((1, 2), (1.0, 3.0, 5.0), (0.1, 0.5)):
        if version == 1:
            s = make("llama_sampler_init_mirostat", I(V), U(7), F(tau), F(eta), I(100))
        else:
            s = make("llama_sampler_init_mirostat_v2", U(7), F(tau), F(eta))
        steps = []
        for i in range(6):
            row = i % len(logits)
            left, selected = apply([s], np.float32(logits[row]))
            steps.append({"row": row, "selected": selected, **result(left)})
        mirostat.append({"version": version, "tau": tau, "eta": eta, "steps": steps})

    with open(os.path.join(os.path.dirname(__file__), "sampler.json"), "w") as f:
        out = {"source": "xllamacpp " + getattr(__import__("xllamacpp"), "__version__", "?"), "logits": logits}
        lines = lambda items: "[\n" + ",\n".join(json.dumps(i, separators=(",", ":")) for i in items) + "]"
        f.write(json.dumps(out, separators=(",", ":"))[:-1])
        f.write(',\n"cases":' + lines(cases) + ',\n"mirostat":' + lines(mirostat) + "}\n")
    print(len(cases), "cases,", len(mirostat), "mirostat runs")


main()
