// tokenizer.json and tokenizer_config.json to Parts.
//
// The vocabulary and merges (tens of megabytes) are read with JsonReader, the small stages as JSON trees.
#include <algorithm>
#include <cmath>

#include "base/limits.h"
#include "formats/printable.h"
#include "text/tokenizer/hf_components.h"
#include "text/tokenizer/json_reader.h"
#include "text/unicode/unicode.h"

namespace ingot::tokenizer {
namespace {

// The model object: its big lists as slices, the rest as a tree.
struct ModelSlices {
  std::string_view vocab, merges;
  json::object rest;
};

struct Slices {
  std::string_view added_tokens, normalizer, pre_tokenizer, post_processor, decoder;
  ModelSlices model;
};

Result<void> slice_model(JsonReader& r, ModelSlices& m) {
  if (r.peek() != '{') return invalid("[tokenizer] model: not an object");
  r.begin_object();
  while (const auto key = r.next_key()) {
    const std::string_view value = r.skip();
    if (*key == "vocab") {
      m.vocab = value;
    } else if (*key == "merges") {
      m.merges = value;
    } else if (!value.empty()) {
      m.rest[*key] = INGOT_TRY(parse_json(value, "model"));
    }
  }
  return r.status();
}

Result<Slices> slice(std::string_view text) {
  Slices s;
  JsonReader r(text);
  if (r.peek() != '{') return invalid("[tokenizer] tokenizer.json: not a JSON object");
  r.begin_object();
  while (const auto key = r.next_key()) {
    if (*key == "model") {
      INGOT_TRY(slice_model(r, s.model));
      continue;
    }
    const std::string_view value = r.skip();
    if (*key == "added_tokens") s.added_tokens = value;
    if (*key == "normalizer") s.normalizer = value;
    if (*key == "pre_tokenizer") s.pre_tokenizer = value;
    if (*key == "post_processor") s.post_processor = value;
    if (*key == "decoder") s.decoder = value;
  }
  INGOT_TRY(r.status());
  if (s.model.vocab.empty()) return invalid("[tokenizer] tokenizer.json: no 'model' with a 'vocab'");
  return s;
}

Result<json::value> small(std::string_view text, std::string_view what) {
  if (text.empty()) return json::value();
  return parse_json(text, what);
}

// {"piece": id, ...}
Result<std::shared_ptr<Vocab>> read_vocab(std::string_view text) {
  auto vocab = std::make_shared<Vocab>();
  vocab->reserve(text.size() / 18, text.size());
  JsonReader r(text);
  r.begin_object();
  while (const auto piece = r.next_key()) {
    const auto id = r.number();
    if (!id) break;
    if (!(*id >= 0 && *id < limits::kVocabSizeMax) || *id != std::floor(*id))
      return invalid("[tokenizer] vocab: '{}' has the id {}, not an integer in [0, {})", *piece, *id,
                     limits::kVocabSizeMax);
    INGOT_TRY(vocab->set(static_cast<int64_t>(*id), *piece));
  }
  INGOT_TRY(r.status());
  return vocab;
}

// [["piece", score], ...]
Result<std::shared_ptr<Vocab>> read_scored_vocab(std::string_view text, std::vector<double>& scores) {
  auto vocab = std::make_shared<Vocab>();
  JsonReader r(text);
  r.begin_array();
  while (r.next_element()) {
    if (!r.begin_array() || !r.next_element()) break;
    const std::string_view piece = r.string();
    const auto score = r.next_element() ? r.number() : std::nullopt;
    if (!score || r.next_element())
      return invalid("[tokenizer] vocab: entry {} is not a pair of piece and score", scores.size());
    INGOT_TRY(vocab->set(static_cast<int64_t>(scores.size()), piece));
    scores.push_back(*score);
  }
  INGOT_TRY(r.status());
  return vocab;
}

// ["a b", ...] or [["a", "b"], ...]
Result<void> read_merges(JsonReader& r, Merges& merges) {
  r.begin_array();
  while (r.next_element()) {
    if (r.peek() == '[') {
      r.begin_array();
      const std::string_view left = r.next_element() ? r.string() : std::string_view{};
      const std::string_view right = r.next_element() ? r.string() : std::string_view{};
      if (!r.ok() || r.next_element()) return invalid("[tokenizer] merge {} is not a pair", merges.size());
      merges.emplace_back(left, right);
      continue;
    }
    const std::string_view both = r.string();
    if (both.starts_with("#version")) continue;
    const size_t space = both.find(' ');
    if (space == both.npos || both.find(' ', space + 1) != both.npos)
      return invalid("[tokenizer] merge {} ('{}') is not two pieces with a space between", merges.size(), both);
    merges.emplace_back(both.substr(0, space), both.substr(space + 1));
  }
  return r.status();
}

Result<void> load_bpe(const ModelSlices& m, bool raw_bytes, Parts& parts) {
  BpeOptions o;
  o.raw_bytes = raw_bytes;
  o.byte_fallback = INGOT_TRY(get_bool_or(m.rest, "byte_fallback", false, "BPE"));
  o.fuse_unk = INGOT_TRY(get_bool_or(m.rest, "fuse_unk", false, "BPE"));
  o.ignore_merges = INGOT_TRY(get_bool_or(m.rest, "ignore_merges", false, "BPE"));
  o.unk = INGOT_TRY(get_string_or(m.rest, "unk_token", "", "BPE"));
  o.prefix = INGOT_TRY(get_string_or(m.rest, "continuing_subword_prefix", "", "BPE"));
  o.suffix = INGOT_TRY(get_string_or(m.rest, "end_of_word_suffix", "", "BPE"));
  parts.vocab = INGOT_TRY(read_vocab(m.vocab));
  if (m.merges.empty()) return invalid("[tokenizer] BPE: no 'merges'");
  Merges merges;
  merges.reserve(m.merges.size() / 16);
  JsonReader r(m.merges);
  INGOT_TRY(read_merges(r, merges));
  parts.model = INGOT_TRY(make_bpe(parts.vocab, merges, std::move(o)));
  return {};
}

Result<void> load_unigram(const ModelSlices& m, Parts& parts) {
  std::vector<double> scores;
  parts.vocab = INGOT_TRY(read_scored_vocab(m.vocab, scores));
  UnigramOptions o;
  const int64_t unk = INGOT_TRY(get_int_or(m.rest, "unk_id", -1, "Unigram"));
  if (unk < -1 || unk >= static_cast<int64_t>(scores.size()))
    return invalid("[tokenizer] Unigram: unk_id {} is not in [0, {})", unk, scores.size());
  o.unk = static_cast<int>(unk);
  o.byte_fallback = INGOT_TRY(get_bool_or(m.rest, "byte_fallback", false, "Unigram"));
  o.min_score = scores.empty() ? 0 : *std::min_element(scores.begin(), scores.end());
  parts.model = INGOT_TRY(make_unigram(parts.vocab, std::move(scores), std::move(o)));
  return {};
}

Result<void> load_model(const ModelSlices& m, bool raw_bytes, Parts& parts) {
  std::string type = INGOT_TRY(get_string_or(m.rest, "type", "", "model"));
  if (type.empty()) {  // files older than the field
    type = !m.merges.empty()                              ? "BPE"
           : m.rest.contains("continuing_subword_prefix") ? "WordPiece"
           : m.vocab.starts_with('[')                     ? "Unigram"
                                                          : "WordLevel";
  }
  if (type == "BPE") return load_bpe(m, raw_bytes, parts);
  if (type == "Unigram") return load_unigram(m, parts);
  if (type == "WordPiece") {
    WordPieceOptions o;
    o.unk = INGOT_TRY(get_string_or(m.rest, "unk_token", "[UNK]", type));
    o.prefix = INGOT_TRY(get_string_or(m.rest, "continuing_subword_prefix", "##", type));
    o.chars_max =
        static_cast<size_t>(std::max<int64_t>(0, INGOT_TRY(get_int_or(m.rest, "max_input_chars_per_word", 100, type))));
    parts.vocab = INGOT_TRY(read_vocab(m.vocab));
    parts.model = make_wordpiece(parts.vocab, std::move(o));
    return {};
  }
  if (type == "WordLevel") {
    parts.vocab = INGOT_TRY(read_vocab(m.vocab));
    parts.model = make_wordlevel(parts.vocab, INGOT_TRY(get_string_or(m.rest, "unk_token", "<unk>", type)));
    return {};
  }
  return unimplemented("[tokenizer] model '{}' is not supported (BPE, Unigram, WordPiece and WordLevel are)", type);
}

Result<AddedToken> added_token(const json::value& v) {
  if (!v.is_object()) return invalid("[tokenizer] added_tokens: an entry is not an object");
  const json::object& o = v.get_object();
  AddedToken t;
  t.content = INGOT_TRY(get_string(o, "content", "added token"));
  t.special = INGOT_TRY(get_bool_or(o, "special", false, t.content));
  t.lstrip = INGOT_TRY(get_bool_or(o, "lstrip", false, t.content));
  t.rstrip = INGOT_TRY(get_bool_or(o, "rstrip", false, t.content));
  t.single_word = INGOT_TRY(get_bool_or(o, "single_word", false, t.content));
  t.normalized = INGOT_TRY(get_bool_or(o, "normalized", !t.special, t.content));
  return t;
}

// Gives tokens their ids the way `tokenizers` does: that of an equal piece, else the next free one.
class AddedTokenList {
 public:
  explicit AddedTokenList(Parts& parts) : parts_(parts) {}
  void add(AddedToken t) {
    if (t.content.empty()) return;
    const auto old = index_.find(t.content);
    const int known = old != index_.end() ? parts_.added[old->second].id : parts_.vocab->find(t.content);
    t.id = known >= 0 ? known : next_id();
    greatest_ = std::max(greatest_, t.id);
    if (old != index_.end()) {
      parts_.added[old->second] = std::move(t);
      return;
    }
    index_.emplace(t.content, parts_.added.size());
    parts_.added.push_back(std::move(t));
  }
  bool has(const std::string& content) const { return index_.contains(content); }

 private:
  int next_id() const {
    const int count = parts_.vocab->count();
    return greatest_ >= count || (count == 0 && greatest_ >= 0) ? greatest_ + 1 : count;
  }
  Parts& parts_;
  std::unordered_map<std::string, size_t> index_;
  int greatest_ = -1;
};

Result<void> load_added_tokens(std::string_view text, const json::value& config, Parts& parts) {
  AddedTokenList list(parts);
  const json::value tokens = INGOT_TRY(small(text, "added_tokens"));
  if (!tokens.is_null() && !tokens.is_array()) return invalid("[tokenizer] added_tokens: not an array");
  if (tokens.is_array()) {
    for (const json::value& v : tokens.get_array()) list.add(INGOT_TRY(added_token(v)));
  }
  const json::value* more = config.is_object() ? config.get_object().if_contains("added_tokens_decoder") : nullptr;
  if (more && more->is_object()) {
    for (const auto& [id, v] : more->get_object()) {
      AddedToken t = INGOT_TRY(added_token(v));
      if (!list.has(t.content)) list.add(std::move(t));
    }
  }
  return {};
}

// A token of tokenizer_config.json: "text" or {"content": "text"}.
std::optional<int> named_token(const json::value& config, std::string_view key, const Parts& parts) {
  if (!config.is_object()) return std::nullopt;
  const json::value* v = config.get_object().if_contains(key);
  if (v && v->is_object()) v = v->get_object().if_contains("content");
  if (!v || !v->is_string()) return std::nullopt;
  const std::string name(v->get_string());
  if (const auto it = parts.added_ids.find(name); it != parts.added_ids.end()) return it->second;
  const int id = parts.vocab->find(name);
  return id >= 0 ? std::optional<int>(id) : std::nullopt;
}

// The classes whose fast tokenizers rebuild the post-processor from add_bos_token and add_eos_token.
bool rebuilds_post_processor(const json::object& config) {
  const json::value* v = config.if_contains("tokenizer_class");
  if (!v || !v->is_string()) return false;
  std::string_view name(v->get_string().data(), v->get_string().size());
  if (name.ends_with("Fast")) name.remove_suffix(4);
  return name == "LlamaTokenizer" || name == "GemmaTokenizer" || name == "CodeLlamaTokenizer" ||
         name == "CohereTokenizer";
}

Result<void> load_special(const json::value& config, Parts& parts) {
  SpecialTokens& s = parts.special;
  s.bos = named_token(config, "bos_token", parts);
  s.eos = named_token(config, "eos_token", parts);
  s.unk = named_token(config, "unk_token", parts);
  s.pad = named_token(config, "pad_token", parts);
  if (config.is_object() && rebuilds_post_processor(config.get_object())) {
    const json::object& o = config.get_object();
    if (o.contains("add_bos_token") || o.contains("add_eos_token")) {
      parts.before.clear();
      parts.after.clear();
      if (INGOT_TRY(get_bool_or(o, "add_bos_token", true, "tokenizer_config.json")) && s.bos)
        parts.before.push_back(*s.bos);
      if (INGOT_TRY(get_bool_or(o, "add_eos_token", false, "tokenizer_config.json")) && s.eos)
        parts.after.push_back(*s.eos);
    }
  }
  if (!s.bos && !config.is_object() && parts.before.size() == 1) s.bos = parts.before[0];
  s.add_bos = s.bos && !parts.before.empty() && parts.before[0] == *s.bos;
  s.add_eos = s.eos && !parts.after.empty() && parts.after.back() == *s.eos;
  if (s.eos) s.end_of_generation.push_back(*s.eos);
  add_known_ends(parts, s.end_of_generation);
  return {};
}

}  // namespace

Result<std::unique_ptr<Parts>> parts_from_json(std::string_view tokenizer_json,
                                               std::string_view tokenizer_config_json) {
  if (tokenizer_json.size() > limits::kJsonBytesMax)
    return invalid("[tokenizer] tokenizer.json: {} bytes are more than {}", tokenizer_json.size(),
                   limits::kJsonBytesMax);
  if (!is_valid_utf8(tokenizer_json)) return invalid("[tokenizer] tokenizer.json: not UTF-8");
  auto parts = std::make_unique<Parts>();
  const auto slices = slice(tokenizer_json);
  if (!slices) return std::unexpected(about_file(slices.error(), "tokenizer.json"));
  const Slices& s = *slices;
  const json::value config = INGOT_TRY(small(tokenizer_config_json, "tokenizer_config.json"));
  const json::value pre_tokenizer = INGOT_TRY(small(s.pre_tokenizer, "pre_tokenizer"));
  const json::value decoder = INGOT_TRY(small(s.decoder, "decoder"));
  const json::value normalizer = INGOT_TRY(small(s.normalizer, "normalizer"));
  const json::value post_processor = INGOT_TRY(small(s.post_processor, "post_processor"));

  const bool raw_bytes = !s.model.merges.empty() && ends_in_byte_level(pre_tokenizer);
  INGOT_TRY(load_model(s.model, raw_bytes, *parts));
  INGOT_TRY(add_normalizer(normalizer, parts->normalizers));
  INGOT_TRY(add_pre_tokenizer(pre_tokenizer, raw_bytes, parts->pre_tokenizers));
  INGOT_TRY(add_decoder(decoder, *parts));
  classify_decoder(decoder, *parts);
  INGOT_TRY(add_post_processor(post_processor, *parts));
  INGOT_TRY(load_added_tokens(s.added_tokens, config, *parts));
  INGOT_TRY(parts->finish());
  INGOT_TRY(load_special(config, *parts));
  return parts;
}

}  // namespace ingot::tokenizer
