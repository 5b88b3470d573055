"""Makes src/text/tokenizer/testdata/: small tokenizers, one a kind of model, and what `tokenizers` makes of strings.

  python tests/goldens/make_tokenizers.py

NAME.json is a tokenizer.json; NAME.golden.jsonl has one {"text", "ids", "plain_ids", "decoded"} a line: ids with and
without special tokens, and the decoded ids with special tokens kept. The strings are seeded; training breaks ties anew each time. Needs tokenizers 0.23.
"""
import json
import os
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(ROOT, "src", "text", "tokenizer", "testdata")
sys.path.insert(0, os.path.join(ROOT, "tests", "oracles"))
from tokenizers_hf import CODE, TEXTS, WORDS, Generator  # noqa: E402

CORPUS = [" ".join(WORDS)] * 3 + TEXTS * 3 + CODE * 3 + ["Hello world, it's 2024! " * 4, "the quick brown fox jumps over the lazy dog " * 5]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_level():
    t = Tokenizer(models.BPE(ignore_merges=True))
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=600, show_progress=False, special_tokens=["<|begin|>", "<|end|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", t.token_to_id("<|begin|>"))])
    return t


def gpt2():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=500, show_progress=False, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    t.add_tokens([AddedToken("<mask>", lstrip=True, special=True), AddedToken("fox", single_word=True), AddedToken("<r>", rstrip=True)])
    return t


def byte_fallback():
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    t.train_from_iterator((s[:40] for s in CORPUS), trainers.BpeTrainer(vocab_size=700, show_progress=False, special_tokens=special, limit_alphabet=80))
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    data = json.loads(t.to_str())
    data["added_tokens"] = data["added_tokens"][:3]
    t = Tokenizer.from_str(json.dumps(data))
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return t


def suffix():
    t = Tokenizer(models.BPE(unk_token="[UNK]", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)])
    t.decoder = decoders.BPEDecoder()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=500, show_progress=False, special_tokens=["[UNK]"], end_of_word_suffix="</w>", limit_alphabet=100))
    return t


def unigram():
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    t.decoder = decoders.Metaspace(prepend_scheme="first")
    t.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=400, show_progress=False, special_tokens=["<unk>", "</s>"], unk_token="<unk>"))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", t.token_to_id("</s>"))])
    return t


def wordpiece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents(), normalizers.Strip()])
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=500, show_progress=False, special_tokens=["[UNK]", "[CLS]", "[SEP]"]))
    t.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return t


def wordlevel():
    t = Tokenizer(models.WordLevel(unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.CharDelimiterSplit("|"), pre_tokenizers.Split(" ", "merged_with_previous"), pre_tokenizers.Punctuation("merged_with_next"),
        pre_tokenizers.Split(Regex("[a-z]+"), "contiguous", invert=True)])
    t.train_from_iterator(CORPUS, trainers.WordLevelTrainer(vocab_size=300, show_progress=False, special_tokens=["<unk>"]))
    return t


def scripts():
    t = Tokenizer(models.WordLevel(unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.UnicodeScripts(), pre_tokenizers.FixedLength(3)])
    t.train_from_iterator(CORPUS, trainers.WordLevelTrainer(vocab_size=600, show_progress=False, special_tokens=["<unk>"]))
    return t


def main():
    os.makedirs(OUT, exist_ok=True)
    for make in (byte_level, gpt2, byte_fallback, suffix, unigram, wordpiece, wordlevel, scripts):
        t = make()
        name = make.__name__
        text = t.to_str()
        t = Tokenizer.from_str(text)
        with open(os.path.join(OUT, name + ".json"), "w", encoding="utf-8") as f:
            f.write(text + "\n")
        special = [x.content for x in t.get_added_tokens_decoder().values()]
        generator = Generator(11, special, False)
        strings = ["", " ", "a", "Hello world", " the fox<mask> fox2 fox <r>  b", "a|b c, d.e"] + TEXTS + CODE
        if name != "scripts":  # whose table is older than Unicode 10, so only old code points compare
            strings += [generator.text() for _ in range(200)]
        with open(os.path.join(OUT, name + ".golden.jsonl"), "w", encoding="utf-8") as f:
            for s in strings:
                ids = t.encode(s).ids
                plain = t.encode(s, add_special_tokens=False).ids
                decoded = t.decode(ids, skip_special_tokens=False) if ids else ""
                f.write(json.dumps({"text": s, "ids": ids, "plain_ids": plain, "decoded": decoded}, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
