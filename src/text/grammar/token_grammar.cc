#include "text/grammar/token_grammar.h"

#include <algorithm>

#include "base/limits.h"
#include "text/grammar/compose.h"

namespace ingot::grammar {
namespace {

// Holds a byte that UTF-8 never has.
bool is_foreign(std::string_view bytes) {
  return std::ranges::any_of(bytes, [](char c) { return static_cast<uint8_t>(c) >= 0xF8; });
}

}  // namespace

TokenTrie::TokenTrie(const Tokenizer& tokenizer, int64_t vocab) : num_words_(static_cast<size_t>((vocab + 63) / 64)) {
  const auto count = static_cast<int32_t>(std::min<int64_t>(vocab, tokenizer.vocab_size()));
  std::vector<std::pair<std::string, int32_t>> sorted;
  for (int32_t id = 0; id < count; ++id) {
    if (tokenizer.is_end_of_generation(id))
      end_tokens_.push_back(id);
    else if (tokenizer.is_special(id))
      sorted.emplace_back(special_token_bytes(tokenizer.token_text(id)), id);
    else if (std::string b = tokenizer.token_bytes(id); !b.empty() && !is_foreign(b))
      sorted.emplace_back(std::move(b), id);
  }
  std::ranges::sort(sorted);
  entry_of_.assign(static_cast<size_t>(count), -1);
  std::string_view before;
  for (const auto& [text, id] : sorted) {
    const auto common = std::ranges::mismatch(before, text).in1 - before.begin();
    entry_of_[static_cast<size_t>(id)] = static_cast<int32_t>(entries_.size());
    entries_.push_back(
        {id, static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(text.size()), static_cast<uint32_t>(common)});
    bytes_ += text;
    before = text;
  }
}

std::string_view TokenTrie::bytes_of(int32_t id) const {
  if (id < 0 || id >= static_cast<int32_t>(entry_of_.size())) return {};
  const int32_t entry = entry_of_[static_cast<size_t>(id)];
  return entry < 0 ? std::string_view() : bytes(entries_[static_cast<size_t>(entry)]);
}

TokenGrammar::TokenGrammar(std::shared_ptr<const Automaton> automaton, std::shared_ptr<const TokenTrie> trie)
    : pushdown_(std::move(automaton)), trie_(std::move(trie)) {}

std::shared_ptr<const TokenGrammar::Mask> TokenGrammar::compute(int32_t set) {
  auto mask = std::make_shared<Mask>(trie_->num_words());
  const auto allow = [&](int32_t id) { (*mask)[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64); };
  std::vector<int32_t> path{set};  // sets after each byte of the current entry
  size_t dead_at = SIZE_MAX;       // entries that share so many bytes and one more are dead, too
  bool is_over = false;            // not dead but kOver: allowed, for accept() to say so instead of steering the text
  for (const TokenTrie::Entry& e : trie_->entries()) {
    if (e.common > dead_at) {
      if (is_over) allow(e.id);
      continue;
    }
    dead_at = SIZE_MAX;
    is_over = false;
    path.resize(e.common + 1);
    const std::string_view bytes = trie_->bytes(e);
    for (size_t i = e.common; i < bytes.size(); ++i) {
      const int32_t next = pushdown_.step(path.back(), static_cast<uint8_t>(bytes[i]));
      if (next < 0) {
        dead_at = i;
        is_over = next == Pushdown::kOver;
        break;
      }
      path.push_back(next);
    }
    if (dead_at == SIZE_MAX || is_over) allow(e.id);
  }
  if (pushdown_.accepts(set))
    for (int32_t id : trie_->end_tokens()) allow(id);
  return mask;
}

std::shared_ptr<const TokenGrammar::Mask> TokenGrammar::mask(int32_t set) {
  std::lock_guard lock(mutex_);
  if (const auto it = masks_.find(set); it != masks_.end()) return it->second;
  if (masks_.size() >= limits::kGrammarMasksMax) masks_.clear();
  return masks_[set] = set < 0 ? std::make_shared<Mask>(trie_->num_words()) : compute(set);
}

int32_t TokenGrammar::accept(int32_t set, int32_t token) {
  std::lock_guard lock(mutex_);
  for (char c : trie_->bytes_of(token))
    if (set >= 0) set = pushdown_.step(set, static_cast<uint8_t>(c));
  return set;
}

bool TokenGrammar::matches(std::string_view text) {
  std::lock_guard lock(mutex_);
  int32_t set = pushdown_.start();
  for (char c : text)
    if (set >= 0) set = pushdown_.step(set, static_cast<uint8_t>(c));
  return set >= 0 && pushdown_.accepts(set);
}

std::span<const uint64_t> TokenMatcher::allowed() {
  if (!mask_) mask_ = grammar_->mask(set_);
  return *mask_;
}

std::string_view TokenMatcher::why_none() const {
  if (set_ != Pushdown::kOver) return {};
  return "the text so far can be read in too many ways: make the grammar less ambiguous";
}

void TokenMatcher::accept(int32_t token) {
  set_ = grammar_->accept(set_, token);
  mask_.reset();
}

}  // namespace ingot::grammar
