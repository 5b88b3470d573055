// tokenizer.ggml.* metadata to Parts: llama (SentencePiece BPE), gpt2 (BPE), gemma4, bert (WordPiece) and t5
// (Unigram), each with llama.cpp's reading of the keys.
#include <algorithm>
#include <limits>

#include "formats/source.h"
#include "text/tokenizer/gguf_pre.h"
#include "text/tokenizer/parts.h"
#include "text/unicode/unicode.h"

namespace ingot::tokenizer {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";

enum TokenType : int64_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

struct Ggml {
  std::vector<std::string_view> tokens, merges;
  std::vector<float> scores;   // one a token
  std::vector<int64_t> types;  // one a token
};

template <class T>
Result<const std::vector<T>*> list(const Source& source, std::string_view key) {
  static const std::vector<T> kEmpty;
  const MetaValue* v = source.find_metadata(key);
  if (v == nullptr) return &kEmpty;
  if (const auto* found = std::get_if<std::vector<T>>(v)) return found;
  return invalid("[tokenizer] metadata '{}': not an array of the expected type", key);
}

Result<Ggml> read_lists(const Source& source) {
  Ggml g;
  g.tokens = *INGOT_TRY(list<std::string_view>(source, "tokenizer.ggml.tokens"));
  if (g.tokens.empty()) return invalid("[tokenizer] metadata 'tokenizer.ggml.tokens' is missing or empty");
  g.merges = *INGOT_TRY(list<std::string_view>(source, "tokenizer.ggml.merges"));
  const MetaValue* scores = source.find_metadata("tokenizer.ggml.scores");
  if (scores && std::holds_alternative<std::vector<int64_t>>(*scores)) {
    for (const int64_t s : std::get<std::vector<int64_t>>(*scores)) g.scores.push_back(static_cast<float>(s));
  } else {
    for (const double s : *INGOT_TRY(list<double>(source, "tokenizer.ggml.scores")))
      g.scores.push_back(static_cast<float>(s));
  }
  g.types = *INGOT_TRY(list<int64_t>(source, "tokenizer.ggml.token_type"));
  if ((!g.scores.empty() && g.scores.size() < g.tokens.size()) ||
      (!g.types.empty() && g.types.size() < g.tokens.size()))
    return invalid("[tokenizer] {} tokens, but {} scores and {} types", g.tokens.size(), g.scores.size(),
                   g.types.size());
  g.scores.resize(g.tokens.size());
  if (g.types.empty()) g.types.assign(g.tokens.size(), kNormal);
  return g;
}

Result<VocabPtr> make_vocab(const Ggml& g) {
  auto vocab = std::make_shared<Vocab>();
  size_t bytes = 0;
  for (const std::string_view t : g.tokens) bytes += t.size();
  vocab->reserve(g.tokens.size(), bytes);
  std::string fixed;
  for (size_t i = 0; i < g.tokens.size(); ++i) {
    std::string_view piece = g.tokens[i];
    if (piece.empty()) {
      fixed = fmt::format("[EMPTY_{}]", i);
      piece = fixed;
    } else if (!is_valid_utf8(piece)) {
      fixed = replace_invalid_utf8(piece);
      piece = fixed;
    }
    INGOT_TRY(vocab->set(static_cast<int64_t>(i), piece, /*replace=*/false));
  }
  return vocab;
}

// -1, in whatever width it was written, says that there is none. Outside the vocabulary only padding is known in the
// wild, and does no harm; any other would quietly never be found.
Result<std::optional<int>> special_id(const Source& source, std::string_view name, size_t count,
                                      std::optional<int> fallback = {}) {
  const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
  const auto id = INGOT_TRY(source.get_int(key));
  if (id && *id >= 0 && *id < static_cast<int64_t>(count)) return static_cast<int>(*id);
  const bool none = !id || *id == -1 || *id == std::numeric_limits<uint32_t>::max();
  if (!none && name != "padding")
    return invalid("[tokenizer] '{}': {} is not in the vocabulary of {} tokens", key, *id, count);
  if (fallback && *fallback < static_cast<int>(count)) return fallback;
  return std::optional<int>();
}

// Control, unknown and user-defined tokens are looked for in the text.
void add_tokens(const Source& source, const Ggml& g, Parts& parts) {
  const auto text = [&](std::string_view key) {
    const auto v = source.get_string(key);
    return v && *v ? std::string(**v) : std::string();
  };
  std::string name = text("general.name");
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  const bool phi3 = name.find("phi-3") != name.npos || name.find("phi3") != name.npos;
  const std::string pre = text("tokenizer.ggml.pre"), arch = text("general.architecture");
  const bool mask_strips = pre.starts_with("jina-v2-") || arch == "nomic-bert-moe" || arch == "jina-bert-v3";
  for (size_t i = 0; i < g.tokens.size(); ++i) {
    const int64_t type = g.types[i];
    if (type != kControl && type != kUnknown && type != kUserDefined) continue;
    AddedToken t{static_cast<int>(i), std::string(parts.vocab->piece(static_cast<int>(i)))};
    t.special = type != kUserDefined;
    const bool always_shown = t.content == "<|channel|>" || t.content == "<|message|>" || t.content == "<|start|>" ||
                              t.content == "<|constrain|>";
    if (always_shown) t.special = false;
    t.rstrip = phi3 && t.content != "<unk>" && t.content != "<s>" && t.content != "<|endoftext|>";
    t.lstrip =
        (mask_strips && t.content == "<mask>") || (name.find("modern-bert") != name.npos && t.content == "[MASK]");
    parts.added.push_back(std::move(t));
  }
  parts.verbatim.assign(g.tokens.size(), 0);
  for (const AddedToken& t : parts.added) parts.verbatim[static_cast<size_t>(t.id)] = 1;
}

struct AddDefaults {
  bool bos = false, eos = false, sep = false;
};

// bos, eos and the ends of generation, by key and by name.
Result<void> read_special(const Source& source, const Ggml& g, AddDefaults defaults, std::optional<int> bos,
                          std::optional<int> eos, std::optional<int> unk, bool add_bos_always, Parts& parts) {
  SpecialTokens& s = parts.special;
  const size_t n = g.tokens.size();
  s.bos = INGOT_TRY(special_id(source, "bos", n, bos));
  s.eos = INGOT_TRY(special_id(source, "eos", n, eos));
  s.unk = INGOT_TRY(special_id(source, "unknown", n, unk));
  s.pad = INGOT_TRY(special_id(source, "padding", n));
  const auto sep = INGOT_TRY(special_id(source, "seperator", n));  // the key is spelled so
  s.add_bos =
      (add_bos_always || INGOT_TRY(source.get_bool("tokenizer.ggml.add_bos_token")).value_or(defaults.bos)) && s.bos;
  s.add_eos = INGOT_TRY(source.get_bool("tokenizer.ggml.add_eos_token")).value_or(defaults.eos) && s.eos;
  if (s.add_bos) parts.before.push_back(*s.bos);
  if (s.add_eos) parts.after.push_back(*s.eos);
  if (defaults.sep && sep) parts.after.push_back(*sep);
  for (const auto name : {"eos", "eot", "eom", "fim_pad", "fim_rep", "fim_sep"})
    if (const auto id = INGOT_TRY(special_id(source, name, n, name == std::string_view("eos") ? eos : std::nullopt)))
      s.end_of_generation.push_back(*id);
  return {};
}

Result<void> load_spm(const Source& source, const Ggml& g, Parts& parts) {
  const bool add_space = INGOT_TRY(source.get_bool("tokenizer.ggml.add_space_prefix")).value_or(true);
  if (add_space) parts.normalizers.push_back(make_affix(" ", ""));
  parts.normalizers.push_back(make_replace_text(" ", std::string(kSpaceMark)));
  INGOT_TRY(read_special(source, g, {.bos = true}, 1, 2, 0, false, parts));
  parts.model = make_scored_bpe(parts.vocab, g.scores, parts.special.unk.value_or(-1));
  parts.form = PieceForm::kMarked;
  parts.front = add_space ? FrontRule::kStripSpace : FrontRule::kKeep;
  return {};
}

Result<void> load_bpe(const Source& source, const Ggml& g, std::string_view pre_name, Parts& parts) {
  const GgufPre pre = INGOT_TRY(gguf_pre(pre_name));
  Merges merges;
  merges.reserve(g.merges.size());
  for (const std::string_view m : g.merges) {
    const size_t space = m.find(' ', 1);
    if (space != m.npos) merges.emplace_back(m.substr(0, space), m.substr(space + 1));
  }
  if (merges.empty()) return invalid("[tokenizer] metadata 'tokenizer.ggml.merges' is missing or empty");
  BpeOptions o;
  o.raw_bytes = !pre.spaces_as_marks;
  o.byte_fallback = pre.spaces_as_marks;
  o.ignore_merges = pre.ignore_merges;
  o.lenient = true;
  parts.model = INGOT_TRY(make_bpe(parts.vocab, merges, std::move(o)));
  if (pre.spaces_as_marks) parts.normalizers.push_back(make_replace_text(" ", std::string(kSpaceMark)));
  for (const std::string_view p : pre.patterns)
    parts.pre_tokenizers.push_back(make_split(INGOT_TRY(make_matcher(p)), Behavior::kIsolated, false));
  parts.form = pre.spaces_as_marks ? PieceForm::kMarked : PieceForm::kByteChars;
  const bool gemma4 = pre_name == "gemma4" || pre_name == "granite-embed-multi-311m";
  const bool classic = pre_name != "glm4" && pre_name != "chatglm-bpe" && !pre.spaces_as_marks;
  const std::optional<int> end = pre.spaces_as_marks ? std::nullopt : std::optional<int>(11);
  return read_special(source, g, {.bos = pre.add_bos, .sep = pre.add_sep}, classic ? end : std::nullopt, end,
                      std::nullopt, gemma4, parts);
}

Result<void> load_wordpiece(const Source& source, const Ggml& g, Parts& parts) {
  BertOptions b;
  b.lowercase = INGOT_TRY(source.get_bool("tokenizer.ggml.normalizer.lowercase")).value_or(true);
  b.strip_accents = INGOT_TRY(source.get_bool("tokenizer.ggml.normalizer.strip_accents")).value_or(b.lowercase);
  b.strip_all_marks = true;
  parts.normalizers.push_back(make_bert_normalizer(b));
  parts.pre_tokenizers.push_back(make_split(char_matcher(is_white_space), Behavior::kRemoved, false));
  parts.pre_tokenizers.push_back(make_split(char_matcher(is_bert_punctuation), Behavior::kIsolated, false));
  parts.pre_tokenizers.push_back(make_prepend_to_words(std::string(kSpaceMark)));
  INGOT_TRY(read_special(source, g, {.bos = true, .sep = true}, 101, std::nullopt, 100, true, parts));
  if (parts.after.empty() && g.tokens.size() > 102) parts.after.push_back(102);
  WordPieceOptions o;
  o.unk = parts.special.unk ? std::string(parts.vocab->piece(*parts.special.unk)) : "[UNK]";
  o.prefix = "";
  o.chars_max = SIZE_MAX;
  parts.model = make_wordpiece(parts.vocab, std::move(o));
  parts.form = PieceForm::kMarked;
  parts.front = FrontRule::kStripSpace;
  return {};
}

Result<void> load_unigram(const Source& source, const Ggml& g, Parts& parts) {
  SentencePieceOptions sp;
  std::string charsmap;
  if (const MetaValue* v = source.find_metadata("tokenizer.ggml.precompiled_charsmap")) {
    if (const auto* bytes = std::get_if<std::vector<int64_t>>(v)) {
      for (const int64_t b : *bytes) charsmap.push_back(static_cast<char>(b));
    } else if (const auto* text = std::get_if<std::string_view>(v)) {
      charsmap = *text;
    }
  }
  sp.charsmap = charsmap;
  sp.add_space_prefix = INGOT_TRY(source.get_bool("tokenizer.ggml.add_space_prefix")).value_or(false);
  sp.remove_extra_spaces = INGOT_TRY(source.get_bool("tokenizer.ggml.remove_extra_whitespaces")).value_or(false);
  parts.normalizers.push_back(INGOT_TRY(make_sentencepiece(sp)));
  INGOT_TRY(read_special(source, g, {.eos = true}, std::nullopt, 1, 2, false, parts));
  UnigramOptions o;
  o.unk = parts.special.unk.value_or(-1);
  std::vector<double> scores(g.scores.begin(), g.scores.end());
  float min_score = 0;
  for (size_t i = 0; i < g.tokens.size(); ++i) {
    o.usable.push_back(g.types[i] == kNormal || g.types[i] == kUserDefined || g.types[i] == kUnused);
    if (g.types[i] == kNormal) min_score = std::min(min_score, g.scores[i]);
    if (g.types[i] == kUserDefined) scores[i] = 0;
  }
  o.min_score = min_score;
  parts.model = INGOT_TRY(make_unigram(parts.vocab, std::move(scores), std::move(o)));
  parts.form = PieceForm::kMarked;
  parts.front = sp.add_space_prefix ? FrontRule::kStripSpace : FrontRule::kKeep;
  return {};
}

}  // namespace

Result<std::unique_ptr<Parts>> parts_from_gguf(const Source& source) {
  const auto model = INGOT_TRY(source.get_string("tokenizer.ggml.model"));
  if (!model) return not_found("[tokenizer] metadata 'tokenizer.ggml.model' is missing: this GGUF has no tokenizer");
  const auto pre = INGOT_TRY(source.get_string("tokenizer.ggml.pre"));
  const Ggml g = INGOT_TRY(read_lists(source));
  auto parts = std::make_unique<Parts>();
  parts->vocab = INGOT_TRY(make_vocab(g));
  parts->mark = kSpaceMark;
  parts->by_bytes = true;
  add_tokens(source, g, *parts);
  if (*model == "llama") {
    INGOT_TRY(load_spm(source, g, *parts));
  } else if (*model == "gpt2") {
    INGOT_TRY(load_bpe(source, g, pre.value_or("default"), *parts));
  } else if (*model == "gemma4") {
    INGOT_TRY(load_bpe(source, g, "gemma4", *parts));
  } else if (*model == "bert") {
    INGOT_TRY(load_wordpiece(source, g, *parts));
  } else if (*model == "t5") {
    INGOT_TRY(load_unigram(source, g, *parts));
  } else {
    return unimplemented(
        "[tokenizer] tokenizer.ggml.model '{}' is not supported (llama, gpt2, gemma4, bert and t5 are)", *model);
  }
  INGOT_TRY(parts->finish());
  add_known_ends(*parts, parts->special.end_of_generation);
  return parts;
}

}  // namespace ingot::tokenizer
