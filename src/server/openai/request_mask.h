// allowed_token_ids and bad_words as a token mask: what a request itself forbids, alone or beside a grammar.
//
// A bad word forbids its last token wherever the tokens before it just appeared, with and without a leading space.
// The rules are shared by all choices of a request; a mask is one choice's. Thread-safety: rules are immutable.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "llm/token_mask.h"
#include "text/tokenizer.h"

namespace ingot::openai {

struct RequestMaskRules {
  int64_t vocab = 0;
  std::vector<uint64_t> allowed;             // ceil(vocab / 64) words
  std::vector<std::vector<int32_t>> banned;  // token sequences
  std::vector<int32_t> end_tokens;           // of generation

  // Errors: kInvalidArgument (an id outside the vocabulary, a word without tokens).
  static Result<std::shared_ptr<const RequestMaskRules>> create(const Tokenizer& tokenizer, int64_t vocab,
                                                                std::span<const int32_t> allowed_ids,
                                                                std::span<const std::string> bad_words);
};

std::unique_ptr<llm::TokenMask> make_request_mask(std::shared_ptr<const RequestMaskRules> rules);
// What both a grammar's mask and the rules allow; the end of the text is the grammar's matter alone.
std::unique_ptr<llm::TokenMask> make_request_mask(std::shared_ptr<const RequestMaskRules> rules,
                                                  std::unique_ptr<llm::TokenMask> grammar);

}  // namespace ingot::openai
