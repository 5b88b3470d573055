#include "server/openai/request_mask.h"

#include <algorithm>

#include "formats/printable.h"

namespace ingot::openai {
namespace {

void set(std::vector<uint64_t>& bits, int32_t id, bool on) {
  const uint64_t bit = uint64_t{1} << (id % 64);
  uint64_t& word = bits[static_cast<size_t>(id / 64)];
  word = on ? word | bit : word & ~bit;
}

class RequestMask final : public llm::TokenMask {
 public:
  explicit RequestMask(std::shared_ptr<const RequestMaskRules> rules) : rules_(std::move(rules)) {
    for (const auto& word : rules_->banned) longest_ = std::max(longest_, word.size());
  }

  std::span<const uint64_t> allowed() override {
    bits_ = rules_->allowed;
    for (const auto& word : rules_->banned)
      if (follows(word)) set(bits_, word.back(), false);
    return bits_;
  }

  void accept(int32_t token) override {
    recent_.push_back(token);
    if (recent_.size() > longest_) recent_.erase(recent_.begin());
  }

 private:
  // All but the last token of the word were just chosen.
  bool follows(const std::vector<int32_t>& word) const {
    const size_t before = word.size() - 1;
    return before <= recent_.size() &&
           std::equal(word.begin(), word.end() - 1, recent_.end() - static_cast<ptrdiff_t>(before));
  }

  std::shared_ptr<const RequestMaskRules> rules_;
  size_t longest_ = 0;
  std::vector<int32_t> recent_;
  std::vector<uint64_t> bits_;
};

}  // namespace

Result<std::shared_ptr<const RequestMaskRules>> RequestMaskRules::create(const Tokenizer& tokenizer, int64_t vocab,
                                                                         std::span<const int32_t> allowed_ids,
                                                                         std::span<const std::string> bad_words) {
  auto rules = std::make_shared<RequestMaskRules>();
  rules->vocab = vocab;
  rules->allowed.assign(static_cast<size_t>((vocab + 63) / 64), allowed_ids.empty() ? ~uint64_t{0} : 0);
  for (const int32_t id : allowed_ids) {
    if (id < 0 || id >= vocab) return invalid("[openai] token id {} is outside the vocabulary of {}", id, vocab);
    set(rules->allowed, id, true);
  }
  for (const std::string& word : bad_words)
    for (const char* space : {"", " "}) {
      std::vector<int32_t> ids = INGOT_TRY(tokenizer.encode(space + word, false, false));
      if (ids.empty() || ids.back() >= vocab) return invalid("[openai] bad word '{}' has no tokens", printable(word));
      if (std::ranges::find(rules->banned, ids) == rules->banned.end()) rules->banned.push_back(std::move(ids));
    }
  return std::shared_ptr<const RequestMaskRules>(std::move(rules));
}

std::unique_ptr<llm::TokenMask> make_request_mask(std::shared_ptr<const RequestMaskRules> rules) {
  return std::make_unique<RequestMask>(std::move(rules));
}

}  // namespace ingot::openai
