#include "text/tokenizer/parts.h"

#include <algorithm>

#include "text/tokenizer/limits.h"
#include "text/unicode/unicode.h"

namespace ingot::tokenizer {
namespace {

int byte_of_marked(std::string_view p) {
  int value = 0;
  if (p.size() != 6 || !p.starts_with("<0x") || p[5] != '>') return -1;
  for (const char c : p.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

std::string unmark(std::string_view text, std::string_view mark) {
  std::string out;
  size_t from = 0;
  for (size_t at; !mark.empty() && (at = text.find(mark, from)) != text.npos; from = at + mark.size())
    out.append(text.substr(from, at - from)).push_back(' ');
  return out.append(text.substr(from));
}

constexpr std::string_view kEnds[] = {"<|eot_id|>",
                                      "<|im_end|>",
                                      "<|end|>",
                                      "<|return|>",
                                      "<|call|>",
                                      "<|flush|>",
                                      "<|calls|>",
                                      "<end_of_turn>",
                                      "<|endoftext|>",
                                      "</s>",
                                      "<|eom_id|>",
                                      "<EOT>",
                                      "_<EOT>",
                                      "[EOT]",
                                      "[EOS]",
                                      "<|end_of_text|>",
                                      "<end_of_utterance>",
                                      "<eos>",
                                      "<turn|>",
                                      "<|tool_response>",
                                      "<｜end▁of▁sentence｜>",
                                      "[e~[",
                                      "<|eot|>"};

}  // namespace

Result<void> Parts::finish() {
  size = vocab->size();
  std::vector<std::pair<std::string, int>> raw, normalized;
  shown.resize(added.size());
  size_t shown_bytes = 0;
  for (size_t i = 0; i < added.size(); ++i) {
    const AddedToken& t = added[i];
    size = std::max(size, t.id + 1);
    shown[i] = t.content;
    added_ids[t.content] = t.id;
    if (t.normalized) {
      INGOT_TRY(normalize(shown[i]));
      shown_bytes += shown[i].size();
      if (shown_bytes > limits::kAddedTokenBytesMax)
        return error(Code::kResourceExhausted,
                     "[tokenizer] the normalizer makes more than {} bytes of the added tokens: check the tokenizer",
                     limits::kAddedTokenBytesMax);
      normalized.emplace_back(shown[i], static_cast<int>(i));
    } else {
      raw.emplace_back(t.content, static_cast<int>(i));
    }
  }
  added_index.assign(static_cast<size_t>(size), -1);
  for (size_t i = 0; i < added.size(); ++i) added_index[static_cast<size_t>(added[i].id)] = static_cast<int32_t>(i);
  raw_tokens.build(&added, raw);
  normalized_tokens.build(&added, normalized);
  return {};
}

Result<void> Parts::normalize(std::string& text) const {
  for (size_t i = 0; i < normalizers.size(); ++i) {
    INGOT_TRY(normalizers[i]->apply(text));
    if (text.size() > limits::kStageTextBytesMax)
      return check_stage(fmt::format("normalizer {} of {}", i + 1, normalizers.size()), text.size());
  }
  return {};
}

std::string_view Parts::piece(int id) const {
  if (id < 0 || id >= size) return {};
  const int32_t index = added_index[static_cast<size_t>(id)];
  return index >= 0 ? std::string_view(shown[static_cast<size_t>(index)]) : vocab->piece(id);
}

std::string Parts::bytes(int id) const {
  const std::string_view p = piece(id);
  if (id >= 0 && static_cast<size_t>(id) < verbatim.size() && verbatim[static_cast<size_t>(id)]) return std::string(p);
  std::string out;
  if (form == PieceForm::kByteChars && from_byte_chars(p, out)) return out;
  if (form != PieceForm::kMarked) return std::string(p);
  if (const int b = byte_of_marked(p); b >= 0) return std::string(1, static_cast<char>(b));
  return unmark(p, mark);
}

bool Parts::skipped(int id) const {
  const int32_t index = id >= 0 && id < size ? added_index[static_cast<size_t>(id)] : -1;
  if (index < 0) return false;
  const AddedToken& t = added[static_cast<size_t>(index)];
  return t.special && t.content == shown[static_cast<size_t>(index)];
}

void add_known_ends(const Parts& parts, std::vector<int>& ends) {
  const auto id_of = [&](std::string_view name) {
    const auto it = parts.added_ids.find(std::string(name));
    return it != parts.added_ids.end() ? it->second : -1;
  };
  for (const std::string_view name : kEnds)
    if (const int id = id_of(name); id >= 0) ends.push_back(id);
  const auto drop = [&](std::string_view name) { std::erase(ends, id_of(name)); };
  // Where <|end|> only ends a message, and </s> is plain text.
  if ((id_of("<|return|>") >= 0 && id_of("<|call|>") >= 0) || (id_of("<|calls|>") >= 0 && id_of("<|flush|>") >= 0))
    drop("<|end|>");
  if (id_of("<|tool_response>") >= 0) drop("</s>");
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
}

}  // namespace ingot::tokenizer
