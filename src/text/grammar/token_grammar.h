// A grammar joined with a vocabulary: which tokens may come next, for each place in the text.
//
// TokenTrie is built once for a tokenizer, TokenGrammar once for a grammar (and kept for later requests with the same
// one); a TokenMatcher follows one answer. Masks are made by prepare(), or when a place is first reached, and shared by
// all answers. Most tokens hold only characters that stand for themselves in a JSON string: where a grammar takes any
// of these they are decided together, and only the others are walked. Thread-safety: TokenTrie immutable; TokenGrammar
// any thread; TokenMatcher one thread at a time.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "text/grammar/pushdown.h"
#include "text/tokenizer.h"

namespace ingot::grammar {

using TokenMaskWords = std::vector<uint64_t>;  // bit t % 64 of word t / 64: token t

// All tokens' bytes as a tree, so that those with a common beginning are walked once.
class TokenTrie {
 public:
  // vocab: the logits' width V. Tokens without bytes are never allowed by a grammar; special ones only by name: their
  // bytes here are special_token_bytes() of compose.h, which no text in UTF-8 holds.
  TokenTrie(const Tokenizer& tokenizer, int64_t vocab);

  // A byte of tokens; what begins with it stands behind it, up to `end`.
  struct Node {
    uint32_t end;
    int32_t id;  // the token that ends here, or -1
    uint32_t depth;
    uint8_t byte;
  };
  struct Plain {
    int32_t id, characters;
  };
  std::span<const Node> all() const { return all_; }
  // Tokens of characters from U+0020 without '"' and '\\', the shortest first; and all others.
  std::span<const Plain> plain() const { return plain_; }
  const TokenMaskWords& all_plain() const { return all_plain_; }
  std::span<const Node> not_plain() const { return not_plain_; }
  std::string_view bytes_of(int32_t id) const;
  std::span<const int32_t> end_tokens() const { return end_tokens_; }
  size_t num_words() const { return num_words_; }
  size_t longest() const { return longest_; }  // bytes

 private:
  struct Entry {
    int32_t id;
    uint32_t begin, size;  // in bytes_
  };
  std::string_view bytes(const Entry& e) const { return std::string_view(bytes_).substr(e.begin, e.size); }
  std::vector<Node> tree_of(std::span<const Entry> entries) const;

  std::vector<Entry> entries_;
  std::vector<int32_t> entry_of_;  // by id; -1: none
  std::string bytes_;
  std::vector<int32_t> end_tokens_;
  std::vector<Node> all_, not_plain_;
  std::vector<Plain> plain_;
  TokenMaskWords all_plain_;
  size_t num_words_, longest_ = 0;
};

class TokenGrammar {
 public:
  using Mask = TokenMaskWords;
  static constexpr size_t kMaskBytesMax = size_t{16} << 20;  // when they are more, all are made anew

  TokenGrammar(const std::shared_ptr<const Automaton>& automaton, std::shared_ptr<const TokenTrie> trie);

  int32_t start() const { return pushdown_.start(); }
  // Makes the masks of the start and of the places that come soonest, up to kPreparedMax.
  void prepare();
  // Tokens allowed at `set`. Cost: a look-up, or one walk over the vocabulary the first time.
  std::shared_ptr<const Mask> mask(int32_t set);
  // The set after the token, or Pushdown::kDead or kOver. An end-of-generation token leaves it as it is.
  int32_t accept(int32_t set, int32_t token);
  int32_t step(int32_t set, char byte) {
    std::lock_guard lock(mutex_);
    return next(set, static_cast<uint8_t>(byte));
  }
  // So many places were reached that new ones may soon be refused: make a new one of the same grammar.
  bool worn_out() {
    std::lock_guard lock(mutex_);
    return pushdown_.worn_out();
  }
  // About the memory that it holds, masks and places.
  size_t bytes();
  // The grammar takes the whole text.
  bool matches(std::string_view text);

 private:
  static constexpr size_t kPreparedMax = 64;    // masks
  static constexpr int32_t kReachedMax = 4096;  // places
  static constexpr size_t kReachedFramesMax = size_t{1} << 16;
  static constexpr size_t kSetBytes = 1300, kFrameBytes = 56;  // about
  static constexpr int32_t kUnknown = -5, kMixed = -4;

  int32_t next(int32_t set, uint8_t byte);
  bool all_lead(int32_t from, std::span<const std::pair<uint8_t, uint8_t>> bytes, int32_t to);
  // Where every plain character leads; Pushdown::kDead if none is taken, kMixed if they differ.
  int32_t after_plain(int32_t set);
  void walk(int32_t set, std::span<const TokenTrie::Node> tree, Mask& mask);
  std::shared_ptr<const Mask> compute(int32_t set);
  std::shared_ptr<const Mask> locked_mask(int32_t set);
  size_t masks_max() const {
    return std::clamp<size_t>(kMaskBytesMax / std::max<size_t>(mask_bytes(), 1), 1, limits::kGrammarMasksMax);
  }
  size_t mask_bytes() const { return trie_->num_words() * sizeof(uint64_t); }

  std::mutex mutex_;
  Pushdown pushdown_;
  std::shared_ptr<const TokenTrie> trie_;
  std::array<uint8_t, 256> alike_{};  // of the bytes that no edge tells apart, the first: one step for all
  std::unordered_map<int32_t, std::shared_ptr<const Mask>> masks_;  // by set
  std::vector<int32_t> after_plain_;                                // by set
  std::vector<int32_t> path_;                                       // of walk()
  int32_t num_sets_ = 1;
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
