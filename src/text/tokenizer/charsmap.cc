// SentencePiece's precompiled_charsmap: a double-array trie from byte strings to their replacements.
//
// Layout: uint32 little-endian size of the trie in bytes, the trie (uint32 units), then the replacements, each
// ended by a zero byte. `tokenizers` looks up whole graphemes and takes the SHORTEST key that is a prefix;
// SentencePiece itself (and llama.cpp) takes the longest. Both are here. Thread-safety: const.
#include <cstring>
#include <optional>

#include "text/tokenizer/pipeline.h"
#include "text/unicode/unicode.h"

namespace ingot::tokenizer {
namespace {

class Charsmap {
 public:
  static Result<Charsmap> parse(std::string_view bytes) {
    Charsmap map;
    if (bytes.empty()) return map;
    uint32_t trie_bytes = 0;
    if (bytes.size() >= 4) std::memcpy(&trie_bytes, bytes.data(), 4);
    if (bytes.size() < 4 || trie_bytes > bytes.size() - 4 || trie_bytes % 4 != 0)
      return invalid("[tokenizer] precompiled_charsmap: a trie of {} bytes does not fit into {} bytes", trie_bytes,
                     bytes.size());
    map.units_.resize(trie_bytes / 4);
    std::memcpy(map.units_.data(), bytes.data() + 4, trie_bytes);
    map.text_ = bytes.substr(4 + trie_bytes);
    if (!is_valid_utf8(map.text_)) return invalid("[tokenizer] precompiled_charsmap: its replacements are not UTF-8");
    map.text_.push_back('\0');
    return map;
  }

  struct Hit {
    size_t length;  // of the key
    std::string_view replacement;
  };
  // The shortest or longest key that begins `text`.
  std::optional<Hit> find(std::string_view text, bool longest) const {
    std::optional<Hit> hit;
    if (units_.empty()) return hit;
    size_t at = offset(units_[0]);
    for (size_t i = 0; i < text.size() && text[i] != '\0'; ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      at ^= c;
      if (at >= units_.size() || (units_[at] & (1u << 31 | 0xFF)) != c) break;
      const uint32_t unit = units_[at];
      at ^= offset(unit);
      if (!(unit >> 8 & 1) || at >= units_.size()) continue;
      const size_t begin = units_[at] & (~0u >> 1);
      if (begin >= text_.size()) continue;
      if ((text_[begin] & 0xC0) == 0x80) continue;  // not where a replacement can begin
      hit = Hit{i + 1, std::string_view(text_).substr(begin, text_.find('\0', begin) - begin)};
      if (!longest) break;
    }
    return hit;
  }

 private:
  static size_t offset(uint32_t unit) { return static_cast<size_t>(unit >> 10) << ((unit & 1u << 9) >> 6); }
  std::vector<uint32_t> units_;
  std::string text_;
};

constexpr std::string_view kStage = "normalizer Precompiled";

class Precompiled final : public Normalizer {
 public:
  explicit Precompiled(Charsmap map) : map_(std::move(map)) {}
  Result<void> apply(std::string& text) const override {
    std::string out;
    out.reserve(text.size());
    const std::string_view in = text;
    for (size_t i = 0; i < in.size();) {
      const size_t end = grapheme_end(in, i);
      const std::string_view grapheme = in.substr(i, end - i);
      const auto whole = grapheme.size() < 6 ? map_.find(grapheme, false) : std::nullopt;
      if (whole) {
        INGOT_TRY(check_stage(kStage, out.size() + whole->replacement.size()));
        out += whole->replacement;
      } else {
        for (size_t j = 0; j < grapheme.size();) {
          const auto n = static_cast<size_t>(utf8_length(static_cast<unsigned char>(grapheme[j])));
          const auto hit = map_.find(grapheme.substr(j, n), false);
          const std::string_view part = hit ? hit->replacement : grapheme.substr(j, n);
          INGOT_TRY(check_stage(kStage, out.size() + part.size()));
          out += part;
          j += n;
        }
      }
      i = end;
    }
    text = std::move(out);
    return {};
  }

 private:
  Charsmap map_;
};

class SentencePiece final : public Normalizer {
 public:
  SentencePiece(Charsmap map, bool add_space_prefix, bool remove_extra_spaces)
      : map_(std::move(map)), add_space_prefix_(add_space_prefix), remove_extra_spaces_(remove_extra_spaces) {}
  Result<void> apply(std::string& text) const override {
    std::string out;
    out.reserve(text.size() * 2);
    const std::string_view in = text;
    bool prefixed = false;
    bool in_word = false;
    for (size_t i = 0; i < in.size();) {
      const auto hit = map_.find(in.substr(i), true);
      const size_t n = hit ? hit->length : static_cast<size_t>(utf8_length(static_cast<unsigned char>(in[i])));
      const std::string_view part = hit ? hit->replacement : in.substr(i, n);
      INGOT_TRY(check_stage(kStage, out.size() + part.size()));
      for (const char c : part) {
        if (c == ' ') {
          in_word = false;
          if (!remove_extra_spaces_) out += kSpaceMark;
          continue;
        }
        if (!in_word) {
          in_word = true;
          if ((add_space_prefix_ && !prefixed) || remove_extra_spaces_) {
            out += kSpaceMark;
            prefixed = true;
          }
        }
        out.push_back(c);
      }
      i += n;
    }
    text = is_valid_utf8(out) ? std::move(out) : replace_invalid_utf8(out);
    return {};
  }

 private:
  static constexpr std::string_view kSpaceMark = "\u2581";
  Charsmap map_;
  bool add_space_prefix_;
  bool remove_extra_spaces_;
};

}  // namespace

Result<std::unique_ptr<const Normalizer>> make_precompiled(std::string_view charsmap) {
  return std::make_unique<Precompiled>(INGOT_TRY(Charsmap::parse(charsmap)));
}

Result<std::unique_ptr<const Normalizer>> make_sentencepiece(SentencePieceOptions options) {
  return std::make_unique<SentencePiece>(INGOT_TRY(Charsmap::parse(options.charsmap)), options.add_space_prefix,
                                         options.remove_extra_spaces);
}

}  // namespace ingot::tokenizer
