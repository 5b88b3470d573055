// A grammar joined with a vocabulary: which tokens may come next, for each place in the text.
//
// TokenTrie is built once for a tokenizer, TokenGrammar once for a grammar (and kept for later requests with the same
// one); a TokenMatcher follows one answer. Masks are computed when a place is first reached and shared by all answers.
// Thread-safety: TokenTrie immutable; TokenGrammar any thread; TokenMatcher one thread at a time.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/grammar/pushdown.h"
#include "text/tokenizer.h"

namespace ingot::grammar {

// All tokens' bytes in order, so that those with a common beginning are walked once.
class TokenTrie {
 public:
  // vocab: the logits' width V. Tokens without bytes are never allowed by a grammar; special ones only by name: their
  // bytes here are special_token_bytes() of compose.h, which no text in UTF-8 holds.
  TokenTrie(const Tokenizer& tokenizer, int64_t vocab);

  struct Entry {
    int32_t id;
    uint32_t begin, size;  // in bytes()
    uint32_t common;       // bytes that it begins with like the entry before
  };
  std::span<const Entry> entries() const { return entries_; }
  std::string_view bytes(const Entry& e) const { return std::string_view(bytes_).substr(e.begin, e.size); }
  std::string_view bytes_of(int32_t id) const;
  std::span<const int32_t> end_tokens() const { return end_tokens_; }
  size_t num_words() const { return num_words_; }

 private:
  std::vector<Entry> entries_;
  std::vector<int32_t> entry_of_;  // by id; -1: none
  std::string bytes_;
  std::vector<int32_t> end_tokens_;
  size_t num_words_;
};

class TokenGrammar {
 public:
  using Mask = std::vector<uint64_t>;

  TokenGrammar(std::shared_ptr<const Automaton> automaton, std::shared_ptr<const TokenTrie> trie);

  int32_t start() const { return pushdown_.start(); }
  // Tokens allowed at `set`. Cost: a look-up, or one walk over the vocabulary the first time.
  std::shared_ptr<const Mask> mask(int32_t set);
  // The set after the token, or Pushdown::kDead or kOver. An end-of-generation token leaves it as it is.
  int32_t accept(int32_t set, int32_t token);
  int32_t step(int32_t set, char byte) {
    std::lock_guard lock(mutex_);
    return pushdown_.step(set, static_cast<uint8_t>(byte));
  }
  // So many places were reached that new ones may soon be refused: make a new one of the same grammar.
  bool worn_out() {
    std::lock_guard lock(mutex_);
    return pushdown_.worn_out();
  }
  // The grammar takes the whole text.
  bool matches(std::string_view text);

 private:
  std::shared_ptr<const Mask> compute(int32_t set);

  std::mutex mutex_;
  Pushdown pushdown_;
  std::shared_ptr<const TokenTrie> trie_;
  std::unordered_map<int32_t, std::shared_ptr<const Mask>> masks_;  // by set
};

class TokenMatcher {
 public:
  explicit TokenMatcher(std::shared_ptr<TokenGrammar> grammar)
      : grammar_(std::move(grammar)), set_(grammar_->start()) {}

  // [ceil(V / 64)] words, valid until accept(). All zero: the text cannot go on.
  std::span<const uint64_t> allowed();
  // Why it is all zero, if a limit is the reason; else empty.
  std::string_view why_none() const;
  void accept(int32_t token);

 private:
  std::shared_ptr<TokenGrammar> grammar_;
  std::shared_ptr<const TokenGrammar::Mask> mask_;
  int32_t set_;
};

}  // namespace ingot::grammar
