"""Compares `ingot tokenize MODEL.gguf` with llama.cpp on generated text (seeded).

  python tests/oracles/tokenizers_gguf.py --ingot build/release/bin/ingot [--gguf MODEL.gguf ...] [--json PRE=tokenizer.json ...]
      [--own PRE=tokenizer.json ...]

--gguf: real files. --json: a BPE tokenizer.json becomes a GGUF without tensors whose tokenizer.ggml.pre is PRE
("llama" makes a SentencePiece one with scores by id, "bert" a WordPiece one, "t5" a Unigram one). Prints one line a model: how many of the texts give equal ids.
"""
import argparse
import json
import os
import sys
import tempfile

import gguf

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import llama_cpp  # noqa: E402
from tokenizers_hf import Generator, run_ingot  # noqa: E402

VOCAB_ONLY_OFFSET = 72  # of llama_model_params, in bytes


class Vocabulary:
    """llama.cpp with only the vocabulary of a file."""

    def __init__(self, path):
        lib = llama_cpp.shared_object()
        params = lib.llama_model_default_params()
        params.pad[VOCAB_ONLY_OFFSET] = 1
        self.model = lib.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            raise RuntimeError("llama.cpp: " + "".join(llama_cpp._log_lines[-8:]))
        self.vocab = lib.llama_model_get_vocab(self.model)

    tokenize = llama_cpp.Model.tokenize


def write_gguf(source, pre, out):
    data = json.load(open(source, encoding="utf-8"))
    vocab = data["model"]["vocab"]
    scores = [score for _, score in vocab] if pre == "t5" else None
    vocab = {piece: i for i, (piece, _) in enumerate(vocab)} if pre == "t5" else dict(vocab)
    added = {t["content"]: t for t in data["added_tokens"]}
    for t in data["added_tokens"]:
        vocab.setdefault(t["content"], t["id"])
    size = max(vocab.values()) + 1
    tokens = [f"[PAD{i}]" for i in range(size)]
    types = [5] * size
    for text, i in vocab.items():
        tokens[i] = text
        types[i] = (3 if added[text]["special"] else 4) if text in added else 1
        if pre == "llama" and len(text) == 6 and text.startswith("<0x"):
            types[i] = 6
        if pre == "bert" and text not in added:
            tokens[i] = text[2:] if text.startswith("##") else "\u2581" + text
    w = gguf.GGUFWriter(out, "llama")
    w.add_context_length(512)
    w.add_embedding_length(32)
    w.add_block_count(1)
    w.add_feed_forward_length(32)
    w.add_head_count(1)
    w.add_layer_norm_rms_eps(1e-5)
    own_model = pre in ("llama", "bert", "t5")
    w.add_tokenizer_model(pre if own_model else "gpt2")
    w.add_tokenizer_pre("default" if own_model else pre)
    w.add_token_list(tokens)
    w.add_token_types(types)
    if pre == "llama":
        w.add_token_scores([-float(i) for i in range(size)])
        w.add_unk_token_id(0)
        w.add_bos_token_id(1)
        w.add_eos_token_id(2)
    elif pre == "t5":
        w.add_token_scores(scores)
        w.add_unk_token_id(0)
        w.add_eos_token_id(1)
        w.add_add_space_prefix(True)
        w.add_remove_extra_whitespaces(True)
    elif pre == "bert":
        w.add_unk_token_id(0)
        w.add_bos_token_id(1)
        w.add_sep_token_id(2)
    else:
        merges = data["model"]["merges"]
        w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
        special = [i for text, i in vocab.items() if text in added]
        w.add_bos_token_id(min(special))
        w.add_eos_token_id(min(special))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


class OwnTokenizer:
    """The tokenizer.json that the GGUF was made of, in the `tokenizers` package; without special tokens added."""

    def __init__(self, source):
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(source)

    def tokenize(self, text, _add_special, _parse_special):
        return self.tokenizer.encode(text, add_special_tokens=False).ids


def compare(ingot, path, name, count, seed, show, own=None):
    reader = gguf.GGUFReader(path)
    field = reader.fields["tokenizer.ggml.tokens"]
    kinds = reader.fields["tokenizer.ggml.token_type"].contents()
    special = [bytes(field.parts[field.data[i]]).decode("utf-8", "replace") for i, k in enumerate(kinds) if k in (3, 4)][:500]
    generator = Generator(seed, special, False)
    texts = [generator.text() for _ in range(count)]
    ours = run_ingot(ingot, path, texts, own is None)
    if isinstance(ours, str):
        return print(f"{name:16} FAILED: {ours.strip()}"), False
    oracle = OwnTokenizer(own) if own else Vocabulary(path)
    equal = 0
    for text, mine in zip(texts, ours, strict=True):
        ids = oracle.tokenize(text, True, True)
        equal += ids == mine["ids"]
        if ids != mine["ids"] and show > 0:
            show -= 1
            print(f"  text {ascii(text)}\n  want {ids}\n  got  {mine['ids']}")
    print(f"{name:16} {equal}/{count} ids equal", flush=True)
    return None, equal == count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ingot", default="build/release/bin/ingot")
    parser.add_argument("--gguf", nargs="*", default=[])
    parser.add_argument("--json", nargs="*", default=[])
    parser.add_argument("--own", nargs="*", default=[])
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=3)
    args = parser.parse_args()
    fine = True
    for path in args.gguf:
        fine &= compare(args.ingot, path, os.path.basename(path)[:16], args.count, args.seed, args.show)[1]
    for item in args.json + args.own:
        pre, source = item.split("=", 1)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "vocab.gguf")
            write_gguf(source, pre, path)
            own = source if item in args.own else None
            fine &= compare(args.ingot, path, pre, args.count, args.seed, args.show, own)[1]
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
