// Ids to text as they come: by the bytes of each piece where the decoder allows it, else by decoding a window of
// recent ids again. Contract: tokenizer.h.
#include <algorithm>

#include "text/tokenizer.h"
#include "text/tokenizer/parts.h"
#include "text/unicode/unicode.h"

namespace ingot {

StreamingDetokenizer::StreamingDetokenizer(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special,
                                           std::vector<int32_t> shown)
    : tokenizer_(std::move(tokenizer)), skip_special_(skip_special), shown_(std::move(shown)) {}

std::string StreamingDetokenizer::push(int32_t id) {
  const tokenizer::Parts& parts = *tokenizer_->parts_;
  if (id < 0 || id >= parts.size) return {};
  if (skip_special_ && parts.skipped(id) && std::ranges::find(shown_, id) == shown_.end()) return {};
  if (parts.form == tokenizer::PieceForm::kPlain && !parts.by_bytes) return push_windowed(id);
  std::string bytes = parts.bytes(id);
  if (at_start_ && !bytes.empty()) {
    at_start_ = false;
    if (parts.front == tokenizer::FrontRule::kStripSpace && bytes.starts_with(' ')) bytes.erase(0, 1);
    if (parts.front == tokenizer::FrontRule::kDropMarksOfFirstPiece) std::erase(bytes, ' ');
  }
  pending_ += bytes;
  // What may still become a code point stays: at most three bytes at the end.
  size_t keep = pending_.size();
  for (size_t back = 1; back <= 3 && back <= pending_.size(); ++back) {
    const char* p = pending_.data() + pending_.size() - back;
    if ((*p & 0xC0) == 0x80) continue;
    int bad;
    if (tokenizer::check_utf8(p, pending_.data() + pending_.size(), &bad) < 0) keep = pending_.size() - back;
    break;
  }
  std::string out = pending_.substr(0, keep);
  pending_.erase(0, keep);
  return tokenizer::is_valid_utf8(out) ? out : tokenizer::replace_invalid_utf8(out);
}

// Decodes a window of recent ids and hands out what is new. The last id's text may still change (a decoder may
// look at its neighbour), so it comes out with the next one.
std::string StreamingDetokenizer::push_windowed(int32_t id) {
  constexpr size_t kWindowMax = 64;
  const std::string stable = tokenizer_->decode(window_, skip_special_);
  window_.push_back(id);
  const std::string text = tokenizer_->decode(window_, skip_special_);
  std::string out;
  if (text.starts_with(stable) && stable.size() > emitted_bytes_) {
    out = stable.substr(emitted_bytes_);
    emitted_bytes_ = stable.size();
  }
  if (window_.size() > kWindowMax) {
    window_.erase(window_.begin(), window_.end() - 8);
    const std::span<const int32_t> before(window_.data(), window_.size() - 1);
    emitted_bytes_ = tokenizer_->decode(before, skip_special_).size();
  }
  return out;
}

std::string StreamingDetokenizer::finish() {
  std::string out;
  if (!window_.empty()) {
    out = tokenizer_->decode(window_, skip_special_);
    out.erase(0, std::min(emitted_bytes_, out.size()));
  } else if (!pending_.empty()) {
    out = tokenizer::replace_invalid_utf8(pending_);
  }
  pending_.clear();
  window_.clear();
  emitted_bytes_ = 0;
  at_start_ = true;
  return out;
}

}  // namespace ingot
