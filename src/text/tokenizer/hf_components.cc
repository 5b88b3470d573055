#include "text/tokenizer/hf_components.h"

#include <algorithm>

#include "base/limits.h"
#include "text/tokenizer/limits.h"
#include "text/unicode/unicode.h"

namespace ingot::tokenizer {
namespace {

Result<const json::object*> as_object(const json::value& v, std::string_view what) {
  if (!v.is_object())
    return invalid("[tokenizer] {}: expected an object, got {}", what, json::serialize(v).substr(0, 80));
  return &v.get_object();
}

Result<const json::array*> get_array(const json::object& o, std::string_view key, std::string_view what) {
  const json::value* v = o.if_contains(key);
  if (!v || !v->is_array()) return invalid("[tokenizer] {}: '{}' is not an array", what, key);
  return &v->get_array();
}

// One code point, given as a string.
Result<uint32_t> get_char(const json::object& o, std::string_view key, std::string_view what) {
  const std::string s = INGOT_TRY(get_string(o, key, what));
  int n = 0;
  const uint32_t cp = s.empty() ? 0 : decode_utf8(s.data(), &n);
  if (s.empty() || static_cast<size_t>(n) != s.size())
    return invalid("[tokenizer] {}: '{}' is '{}', not one character", what, key, s);
  return cp;
}

struct Pattern {
  std::string text;
  bool regex;
};
Result<Pattern> get_pattern(const json::object& o, std::string_view what) {
  const json::value* v = o.if_contains("pattern");
  if (v && v->is_object() && v->get_object().size() == 1) {
    const auto& [key, text] = *v->get_object().begin();
    if (text.is_string() && (key == "String" || key == "Regex"))
      return Pattern{std::string(text.get_string()), key == "Regex"};
  }
  return invalid("[tokenizer] {}: 'pattern' is neither {{\"String\": ...}} nor {{\"Regex\": ...}}", what);
}
Result<std::unique_ptr<const Matcher>> matcher_of(const Pattern& p) {
  if (p.regex) return make_matcher(p.text);
  return literal_matcher(p.text);
}

Result<Behavior> get_behavior(const json::object& o, std::string_view fallback, std::string_view what) {
  const std::string name = INGOT_TRY(get_string_or(o, "behavior", fallback, what));
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  if (name == "Contiguous") return Behavior::kContiguous;
  return unimplemented("[tokenizer] {}: behavior '{}'", what, name);
}

Result<PrependScheme> get_scheme(const json::object& o, std::string_view what) {
  const std::string name = INGOT_TRY(get_string_or(o, "prepend_scheme", "always", what));
  if (!INGOT_TRY(get_bool_or(o, "add_prefix_space", true, what))) return PrependScheme::kNever;
  if (name == "always") return PrependScheme::kAlways;
  if (name == "first") return PrependScheme::kFirst;
  if (name == "never") return PrependScheme::kNever;
  return unimplemented("[tokenizer] {}: prepend_scheme '{}'", what, name);
}

Result<std::string> base64(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int v = c >= 'A' && c <= 'Z'   ? c - 'A'
                  : c >= 'a' && c <= 'z' ? c - 'a' + 26
                  : c >= '0' && c <= '9' ? c - '0' + 52
                  : c == '+'             ? 62
                  : c == '/'             ? 63
                                         : -1;
    if (c == '=' || c == '\n') continue;
    if (v < 0) return invalid("[tokenizer] precompiled_charsmap: '{}' is not base64", c);
    bits = bits << 6 | static_cast<uint32_t>(v);
    if (++count % 4 != 1) out.push_back(static_cast<char>(bits >> (6 - 2 * ((count - 1) % 4))));
  }
  return out;
}

Result<std::unique_ptr<const Normalizer>> make_normalizer(const std::string& type, const json::object& o) {
  if (auto form = make_normal_form(type)) return form;
  if (type == "Lowercase") return make_lowercase();
  if (type == "StripAccents") return make_strip_accents();
  if (type == "Nmt") return make_nmt();
  if (type == "ByteLevel") return make_byte_level_normalizer();
  if (type == "Strip") {
    const bool left = INGOT_TRY(get_bool_or(o, "strip_left", true, type));
    return make_strip(left, INGOT_TRY(get_bool_or(o, "strip_right", true, type)));
  }
  if (type == "Prepend") return make_affix(INGOT_TRY(get_string(o, "prepend", type)), "");
  if (type == "Append") return make_affix("", INGOT_TRY(get_string(o, "append", type)));
  if (type == "Replace") {
    const Pattern p = INGOT_TRY(get_pattern(o, "Replace normalizer"));
    std::string content = INGOT_TRY(get_string(o, "content", type));
    if (!p.regex) return make_replace_text(p.text, std::move(content));
    return make_replace(INGOT_TRY(make_matcher(p.text)), std::move(content));
  }
  if (type == "Precompiled")
    return make_precompiled(INGOT_TRY(base64(INGOT_TRY(get_string_or(o, "precompiled_charsmap", "", type)))));
  if (type == "BertNormalizer" || type == "Bert") {
    BertOptions b;
    b.clean_text = INGOT_TRY(get_bool_or(o, "clean_text", true, type));
    b.chinese_chars = INGOT_TRY(get_bool_or(o, "handle_chinese_chars", true, type));
    b.lowercase = INGOT_TRY(get_bool_or(o, "lowercase", true, type));
    b.strip_accents = INGOT_TRY(get_bool_or(o, "strip_accents", b.lowercase, type));
    return make_bert_normalizer(b);
  }
  return unimplemented("[tokenizer] normalizer '{}' is not supported", type);
}

Result<void> add_simple_pre_tokenizer(const std::string& type, const json::object& o, bool keep_bytes,
                                      PreTokenizers& out) {
  const auto split = [&](std::unique_ptr<const Matcher> m, Behavior b, bool invert = false) {
    out.push_back(make_split(std::move(m), b, invert));
    return Result<void>{};
  };
  if (type == "ByteLevel") {
    const bool prefix = INGOT_TRY(get_bool_or(o, "add_prefix_space", true, type));
    out.push_back(make_byte_level(prefix, INGOT_TRY(get_bool_or(o, "use_regex", true, type)), keep_bytes));
    return {};
  }
  if (type == "Split") {
    auto matcher = INGOT_TRY(matcher_of(INGOT_TRY(get_pattern(o, "Split pre_tokenizer"))));
    const Behavior behavior = INGOT_TRY(get_behavior(o, "", "Split pre_tokenizer"));
    return split(std::move(matcher), behavior, INGOT_TRY(get_bool_or(o, "invert", false, type)));
  }
  if (type == "Whitespace") return split(words_matcher(), Behavior::kRemoved, true);
  if (type == "WhitespaceSplit") return split(char_matcher(is_white_space), Behavior::kRemoved);
  if (type == "BertPreTokenizer") {
    INGOT_TRY(split(char_matcher(is_white_space), Behavior::kRemoved));
    return split(char_matcher(is_bert_punctuation), Behavior::kIsolated);
  }
  if (type == "Punctuation")
    return split(char_matcher(is_bert_punctuation), INGOT_TRY(get_behavior(o, "Isolated", type)));
  if (type == "Digits") {
    const bool each = INGOT_TRY(get_bool_or(o, "individual_digits", false, type));
    return split(char_matcher(is_numeric), each ? Behavior::kIsolated : Behavior::kContiguous);
  }
  if (type == "CharDelimiterSplit")
    return split(literal_matcher(utf8(INGOT_TRY(get_char(o, "delimiter", type)))), Behavior::kRemoved);
  if (type == "Metaspace") {
    const uint32_t mark = INGOT_TRY(get_char(o, "replacement", type));
    const PrependScheme scheme = INGOT_TRY(get_scheme(o, "Metaspace pre_tokenizer"));
    out.push_back(make_metaspace(mark, scheme, INGOT_TRY(get_bool_or(o, "split", true, type))));
    return {};
  }
  if (type == "FixedLength") {
    const int64_t length = INGOT_TRY(get_int_or(o, "length", 5, type));
    if (length < 1) return invalid("[tokenizer] FixedLength: length {} is not positive", length);
    out.push_back(make_fixed_length(static_cast<size_t>(length)));
    return {};
  }
  if (type == "UnicodeScripts") {
    out.push_back(make_unicode_scripts());
    return {};
  }
  return unimplemented("[tokenizer] pre_tokenizer '{}' is not supported", type);
}

Result<std::unique_ptr<const Decoder>> make_decoder(const std::string& type, const json::object& o) {
  if (type == "ByteLevel") return make_byte_level_decoder();
  if (type == "ByteFallback") return make_byte_fallback_decoder();
  if (type == "Fuse") return make_fuse_decoder();
  if (type == "Strip") {
    const uint32_t content = INGOT_TRY(get_char(o, "content", "Strip decoder"));
    const int64_t start = INGOT_TRY(get_int_or(o, "start", 0, type));
    const int64_t stop = INGOT_TRY(get_int_or(o, "stop", 0, type));
    if (start < 0 || stop < 0)
      return invalid("[tokenizer] Strip decoder: start {} or stop {} is negative", start, stop);
    return make_strip_decoder(content, static_cast<size_t>(start), static_cast<size_t>(stop));
  }
  if (type == "Replace") {
    auto matcher = INGOT_TRY(matcher_of(INGOT_TRY(get_pattern(o, "Replace decoder"))));
    return make_replace_decoder(std::move(matcher), INGOT_TRY(get_string(o, "content", type)));
  }
  if (type == "Metaspace") {
    const uint32_t mark = INGOT_TRY(get_char(o, "replacement", type));
    return make_metaspace_decoder(mark, INGOT_TRY(get_scheme(o, "Metaspace decoder")));
  }
  if (type == "WordPiece") {
    std::string prefix = INGOT_TRY(get_string_or(o, "prefix", "##", type));
    return make_wordpiece_decoder(std::move(prefix), INGOT_TRY(get_bool_or(o, "cleanup", true, type)));
  }
  if (type == "BPEDecoder") return make_bpe_decoder(INGOT_TRY(get_string_or(o, "suffix", "</w>", type)));
  if (type == "CTC") {
    std::string pad = INGOT_TRY(get_string_or(o, "pad_token", "<pad>", type));
    std::string delimiter = INGOT_TRY(get_string_or(o, "word_delimiter_token", "|", type));
    return make_ctc_decoder(std::move(pad), std::move(delimiter), INGOT_TRY(get_bool_or(o, "cleanup", true, type)));
  }
  return unimplemented("[tokenizer] decoder '{}' is not supported", type);
}

// How many bytes a Replace decoder may make of one. No other decoder lets a text grow by more than a constant.
Result<double> replace_growth(const json::object& o) {
  const Pattern p = INGOT_TRY(get_pattern(o, "Replace decoder"));
  const auto content = static_cast<double>(INGOT_TRY(get_string(o, "content", "Replace decoder")).size());
  if (p.regex) return content + 1;  // may match between any two bytes
  return p.text.empty() ? 1 : std::max(1.0, content / static_cast<double>(p.text.size()));
}

// Calls each(object, type) for the stages of a value: itself, or those of a Sequence, in order.
template <class Each>
Result<void> for_each_stage(const json::value& v, std::string_view list, std::string_view what, const Each& each,
                            int depth = 0) {
  if (v.is_null()) return {};
  if (depth > limits::kJsonDepthMax) return invalid("[tokenizer] {}: nested too deeply", what);
  const json::object& o = *INGOT_TRY(as_object(v, what));
  const std::string type = INGOT_TRY(get_string(o, "type", what));
  if (type != "Sequence") return each(o, type);
  for (const json::value& stage : *INGOT_TRY(get_array(o, list, what)))
    INGOT_TRY(for_each_stage(stage, list, what, each, depth + 1));
  return {};
}

// The ids of a special token of a template.
Result<void> template_ids(const json::object& o, std::string_view name, std::vector<int32_t>& out) {
  const json::value* tokens = o.if_contains("special_tokens");
  const json::value* token = tokens && tokens->is_object() ? tokens->get_object().if_contains(name) : nullptr;
  const json::value* ids = token && token->is_object() ? token->get_object().if_contains("ids") : nullptr;
  if (!ids || !ids->is_array())
    return invalid("[tokenizer] TemplateProcessing: special token '{}' is not in 'special_tokens'", name);
  for (const json::value& id : ids->get_array()) {
    if (!id.is_int64() || id.get_int64() < 0 || id.get_int64() >= limits::kVocabSizeMax)
      return invalid("[tokenizer] TemplateProcessing: '{}' has the id {}", name, json::serialize(id));
    out.push_back(static_cast<int32_t>(id.get_int64()));
  }
  return {};
}

Result<void> apply_template(const json::object& o, std::vector<int32_t>& before, std::vector<int32_t>& after) {
  int sequences = 0;
  for (const json::value& item : *INGOT_TRY(get_array(o, "single", "TemplateProcessing"))) {
    const json::object& piece = *INGOT_TRY(as_object(item, "TemplateProcessing: an item of 'single'"));
    if (piece.contains("Sequence")) {
      ++sequences;
    } else if (const json::value* s = piece.if_contains("SpecialToken"); s && s->is_object()) {
      const std::string name = INGOT_TRY(get_string(s->get_object(), "id", "TemplateProcessing"));
      INGOT_TRY(template_ids(o, name, sequences == 0 ? before : after));
    } else {
      return invalid("[tokenizer] TemplateProcessing: an item of 'single' is neither Sequence nor SpecialToken");
    }
  }
  if (sequences != 1)
    return unimplemented("[tokenizer] TemplateProcessing: 'single' holds the sequence {} times, not once", sequences);
  return {};
}

// ["[CLS]", 101]
Result<int32_t> get_pair_id(const json::object& o, std::string_view key, std::string_view what) {
  const json::array& pair = *INGOT_TRY(get_array(o, key, what));
  if (pair.size() != 2 || !pair[1].is_int64() || pair[1].get_int64() < 0 ||
      pair[1].get_int64() >= limits::kVocabSizeMax)
    return invalid("[tokenizer] {}: '{}' is not a pair of token and id", what, key);
  return static_cast<int32_t>(pair[1].get_int64());
}

}  // namespace

Result<json::value> parse_json(std::string_view text, std::string_view what) {
  json::parse_options options;
  options.max_depth = static_cast<size_t>(limits::kJsonDepthMax);
  boost::system::error_code error;
  json::value v = json::parse(text, error, {}, options);
  if (error) return invalid("[tokenizer] {}: bad JSON ({})", what, error.message());
  return v;
}

Result<std::string> get_string(const json::object& o, std::string_view key, std::string_view what) {
  const json::value* v = o.if_contains(key);
  if (!v || !v->is_string()) return invalid("[tokenizer] {}: '{}' is not a string", what, key);
  return std::string(v->get_string());
}
Result<std::string> get_string_or(const json::object& o, std::string_view key, std::string_view fallback,
                                  std::string_view what) {
  const json::value* v = o.if_contains(key);
  if (!v || v->is_null()) return std::string(fallback);
  return get_string(o, key, what);
}
Result<bool> get_bool_or(const json::object& o, std::string_view key, bool fallback, std::string_view what) {
  const json::value* v = o.if_contains(key);
  if (!v || v->is_null()) return fallback;
  if (!v->is_bool()) return invalid("[tokenizer] {}: '{}' is not a boolean", what, key);
  return v->get_bool();
}
Result<int64_t> get_int_or(const json::object& o, std::string_view key, int64_t fallback, std::string_view what) {
  const json::value* v = o.if_contains(key);
  if (!v || v->is_null()) return fallback;
  if (!v->is_int64()) return invalid("[tokenizer] {}: '{}' is not an integer", what, key);
  return v->get_int64();
}

Result<void> add_normalizer(const json::value& v, Normalizers& out) {
  return for_each_stage(v, "normalizers", "normalizer",
                        [&](const json::object& o, const std::string& type) -> Result<void> {
                          out.push_back(INGOT_TRY(make_normalizer(type, o)));
                          return {};
                        });
}

bool ends_in_byte_level(const json::value& v) {
  std::string last;
  const auto note = [&](const json::object&, const std::string& type) {
    last = type;
    return Result<void>{};
  };
  return for_each_stage(v, "pretokenizers", "pre_tokenizer", note).has_value() && last == "ByteLevel";
}

Result<void> add_pre_tokenizer(const json::value& v, bool keep_bytes, PreTokenizers& out) {
  size_t total = 0;
  const auto count = [&](const json::object&, const std::string&) { return ++total, Result<void>{}; };
  INGOT_TRY(for_each_stage(v, "pretokenizers", "pre_tokenizer", count));
  size_t index = 0;
  return for_each_stage(v, "pretokenizers", "pre_tokenizer", [&](const json::object& o, const std::string& type) {
    return add_simple_pre_tokenizer(type, o, keep_bytes && ++index == total, out);
  });
}

Result<void> add_decoder(const json::value& v, Parts& parts) {
  parts.joined_by_space = v.is_null();
  double growth = 1;
  return for_each_stage(v, "decoders", "decoder", [&](const json::object& o, const std::string& type) -> Result<void> {
    parts.decoders.push_back(INGOT_TRY(make_decoder(type, o)));
    if (type == "Replace") growth *= INGOT_TRY(replace_growth(o));
    if (growth > limits::kDecoderGrowthMax)
      return error(
          Code::kResourceExhausted,
          "[tokenizer] decoder Replace: its 'content' may make more than {} bytes of one: check tokenizer.json",
          limits::kDecoderGrowthMax);
    return {};
  });
}

Result<void> add_post_processor(const json::value& v, Parts& parts) {
  return for_each_stage(v, "processors", "post_processor",
                        [&](const json::object& o, const std::string& type) -> Result<void> {
                          std::vector<int32_t> before, after;
                          if (type == "TemplateProcessing") {
                            INGOT_TRY(apply_template(o, before, after));
                          } else if (type == "BertProcessing" || type == "RobertaProcessing") {
                            before.push_back(INGOT_TRY(get_pair_id(o, "cls", type)));
                            after.push_back(INGOT_TRY(get_pair_id(o, "sep", type)));
                          } else if (type != "ByteLevel") {
                            return unimplemented("[tokenizer] post_processor '{}' is not supported", type);
                          }
                          parts.before.insert(parts.before.begin(), before.begin(), before.end());
                          parts.after.insert(parts.after.end(), after.begin(), after.end());
                          return {};
                        });
}

void classify_decoder(const json::value& decoder, Parts& parts) {
  parts.form = PieceForm::kPlain;
  bool other = false;
  size_t stages = 0;
  const auto look = [&](const json::object& o, const std::string& type) -> Result<void> {
    ++stages;
    if (type == "ByteLevel") {
      parts.form = PieceForm::kByteChars;
    } else if (type == "Metaspace") {
      parts.form = PieceForm::kMarked;
      parts.mark = INGOT_TRY(get_string(o, "replacement", type));
      if (INGOT_TRY(get_scheme(o, type)) != PrependScheme::kNever) parts.front = FrontRule::kDropMarksOfFirstPiece;
    } else if (type == "Replace") {
      const Pattern p = INGOT_TRY(get_pattern(o, type));
      if (p.regex || INGOT_TRY(get_string(o, "content", type)) != " ") return other = true, Result<void>{};
      parts.form = PieceForm::kMarked;
      parts.mark = p.text;
    } else if (type == "ByteFallback" || type == "Fuse") {
      if (parts.form == PieceForm::kPlain) parts.form = PieceForm::kMarked;
    } else if (type == "Strip") {
      other |= INGOT_TRY(get_string(o, "content", type)) != " " || INGOT_TRY(get_int_or(o, "start", 0, type)) != 1 ||
               INGOT_TRY(get_int_or(o, "stop", 0, type)) != 0;
      parts.front = FrontRule::kStripSpace;
    } else {
      other = true;
    }
    return {};
  };
  if (!for_each_stage(decoder, "decoders", "decoder", look) || other) parts.form = PieceForm::kPlain;
  parts.by_bytes = stages == 1 && parts.form == PieceForm::kByteChars;
}

}  // namespace ingot::tokenizer
