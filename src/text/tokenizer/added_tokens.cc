// Cuts added (special, user-defined) tokens out of a text: leftmost, then longest; a match that single_word or
// parse_special rejects still uses up its text, as in `tokenizers`. Contract: pipeline.h.
#include "text/tokenizer/pipeline.h"
#include "text/unicode/unicode.h"

namespace ingot::tokenizer {
namespace {

bool word_before(std::string_view text, size_t at) {
  if (at == 0) return false;
  size_t i = at - 1;
  while (i > 0 && (text[i] & 0xC0) == 0x80) --i;
  int n;
  return is_word_char(decode_utf8(text.data() + i, &n));
}

bool word_at(std::string_view text, size_t at) {
  int n;
  return at < text.size() && is_word_char(decode_utf8(text.data() + at, &n));
}

size_t skip_spaces_back(std::string_view text, size_t at, size_t stop) {
  while (at > stop) {
    size_t i = at - 1;
    while (i > stop && (text[i] & 0xC0) == 0x80) --i;
    int n;
    if (!is_white_space(decode_utf8(text.data() + i, &n))) break;
    at = i;
  }
  return at;
}

size_t skip_spaces(std::string_view text, size_t at) {
  int n;
  while (at < text.size() && is_white_space(decode_utf8(text.data() + at, &n))) at += static_cast<size_t>(n);
  return at;
}

}  // namespace

void AddedTokens::build(const std::vector<AddedToken>* tokens,
                        const std::vector<std::pair<std::string, int>>& patterns) {
  tokens_ = tokens;
  std::vector<Trie::Key> keys;
  for (const auto& [pattern, index] : patterns)
    if (!pattern.empty()) keys.emplace_back(pattern, index);
  trie_.build(std::move(keys));
}

void AddedTokens::find(std::string_view text, bool parse_special, std::vector<Part>& out) const {
  size_t covered = 0;
  const auto push = [&](size_t begin, size_t end, int id) {
    out.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end), id});
  };
  for (size_t i = 0; i < text.size() && !empty();) {
    if (!trie_.begins_with(static_cast<unsigned char>(text[i]))) {
      ++i;
      continue;
    }
    size_t length = 0;
    int index = -1;
    trie_.prefixes(text.substr(i), [&](size_t n, int32_t value) {
      length = n;
      index = value;
    });
    if (index < 0) {
      ++i;
      continue;
    }
    const AddedToken& token = (*tokens_)[static_cast<size_t>(index)];
    size_t begin = i;
    size_t end = i += length;
    if (token.special && !parse_special) continue;
    if (token.single_word && (word_before(text, begin) || word_at(text, end))) continue;
    if (token.lstrip) begin = skip_spaces_back(text, begin, covered);
    if (begin < covered) begin = covered;
    if (token.rstrip) end = skip_spaces(text, end);
    if (covered < begin) push(covered, begin, -1);
    push(begin, end, token.id);
    covered = end;
  }
  if (covered < text.size()) push(covered, text.size(), -1);
}

}  // namespace ingot::tokenizer
