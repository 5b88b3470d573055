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

class GrammarAndRules final : public llm::TokenMask {
 public:
  GrammarAndRules(std::shared_ptr<const RequestMaskRules> rules, std::unique_ptr<llm::TokenMask> grammar)
      : end_tokens_(rules->end_tokens), rules_(std::move(rules)), grammar_(std::move(grammar)) {}

  std::span<const uint64_t> allowed() override {
    const auto by_grammar = grammar_->allowed();
    const auto by_rules = rules_.allowed();
    bits_.assign(by_grammar.begin(), by_grammar.end());
    for (size_t i = 0; i < bits_.size(); ++i) bits_[i] &= by_rules[i];
    for (const int32_t id : end_tokens_)
      set(bits_, id, (by_grammar[static_cast<size_t>(id / 64)] >> (id % 64) & 1) != 0);
    return bits_;
  }
  std::string_view why_none() const override { return grammar_->why_none(); }
  void accept(int32_t token) override {
    grammar_->accept(token);
    rules_.accept(token);
  }

 private:
  const std::vector<int32_t>& end_tokens_;  // of the rules
  RequestMask rules_;
  std::unique_ptr<llm::TokenMask> grammar_;
  std::vector<uint64_t> bits_;
};

}  // namespace

Result<std::shared_ptr<const RequestMaskRules>> RequestMaskRules::create(const Tokenizer& tokenizer, int64_t vocab,
                                                                         std::span<const int32_t> allowed_ids,
                                                                         std::span<const std::string> bad_words) {
  auto rules = std::make_shared<RequestMaskRules>();
  rules->vocab = vocab;
  for (const int id : tokenizer.special().end_of_generation)
    if (id < vocab) rules->end_tokens.push_back(id);
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

std::unique_ptr<llm::TokenMask> make_request_mask(std::shared_ptr<const RequestMaskRules> rules,
                                                  std::unique_ptr<llm::TokenMask> grammar) {
  return std::make_unique<GrammarAndRules>(std::move(rules), std::move(grammar));
}

}  // namespace ingot::openai
