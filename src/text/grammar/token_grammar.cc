#include "text/grammar/token_grammar.h"

#include <algorithm>
#include <set>

#include "base/limits.h"
#include "text/grammar/compose.h"
#include "text/unicode/unicode.h"

namespace ingot::grammar {
namespace {

// Holds a byte that UTF-8 never has.
bool is_foreign(std::string_view bytes) {
  return std::ranges::any_of(bytes, [](char c) { return static_cast<uint8_t>(c) >= 0xF8; });
}

using ByteRange = std::pair<uint8_t, uint8_t>;

// The characters that stand for themselves in a JSON string, as their bytes.
const std::vector<std::vector<ByteRange>> kPlain = {{{0x20, 0x21}},
                                                    {{0x23, 0x5B}},
                                                    {{0x5D, 0x7F}},
                                                    {{0xC2, 0xDF}, {0x80, 0xBF}},
                                                    {{0xE0, 0xE0}, {0xA0, 0xBF}, {0x80, 0xBF}},
                                                    {{0xE1, 0xEC}, {0x80, 0xBF}, {0x80, 0xBF}},
                                                    {{0xED, 0xED}, {0x80, 0x9F}, {0x80, 0xBF}},
                                                    {{0xEE, 0xEF}, {0x80, 0xBF}, {0x80, 0xBF}},
                                                    {{0xF0, 0xF0}, {0x90, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}},
                                                    {{0xF1, 0xF3}, {0x80, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}},
                                                    {{0xF4, 0xF4}, {0x80, 0x8F}, {0x80, 0xBF}, {0x80, 0xBF}}};

// How many characters the text has if all are plain, else 0.
int32_t plain_characters(std::string_view text) {
  const auto is_plain = [](char c) { return static_cast<uint8_t>(c) >= 0x20 && c != '"' && c != '\\'; };
  if (!std::ranges::all_of(text, is_plain) || !tokenizer::is_valid_utf8(text)) return 0;
  return static_cast<int32_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

void allow(TokenMaskWords& mask, int32_t id) { mask[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64); }

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
  for (const auto& [text, id] : sorted) {
    entry_of_[static_cast<size_t>(id)] = static_cast<int32_t>(entries_.size());
    entries_.push_back({id, static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(text.size())});
    bytes_ += text;
    longest_ = std::max(longest_, text.size());
  }
  std::vector<Entry> others;
  for (const Entry& e : entries_)
    if (const int32_t characters = plain_characters(bytes(e)); characters > 0)
      plain_.push_back({e.id, characters});
    else
      others.push_back(e);
  std::ranges::stable_sort(plain_, {}, &Plain::characters);
  all_plain_.resize(num_words_);
  for (const Plain& p : plain_) allow(all_plain_, p.id);
  all_ = tree_of(entries_);
  not_plain_ = tree_of(others);
}

std::vector<TokenTrie::Node> TokenTrie::tree_of(std::span<const Entry> entries) const {
  std::vector<Node> nodes;
  std::vector<uint32_t> open;  // the nodes of the token before
  const auto close = [&](size_t depth) {
    for (; open.size() > depth; open.pop_back()) nodes[open.back()].end = static_cast<uint32_t>(nodes.size());
  };
  std::string_view before;
  for (const Entry& e : entries) {
    const std::string_view text = bytes(e);
    const auto common = static_cast<size_t>(std::ranges::mismatch(before, text).in1 - before.begin());
    close(std::min(common, text.size() - 1));  // two tokens of the same bytes: two nodes
    for (size_t i = open.size(); i < text.size(); ++i) {
      open.push_back(static_cast<uint32_t>(nodes.size()));
      nodes.push_back({0, -1, static_cast<uint32_t>(i), static_cast<uint8_t>(text[i])});
    }
    nodes.back().id = e.id;
    before = text;
  }
  close(0);
  return nodes;
}

std::string_view TokenTrie::bytes_of(int32_t id) const {
  if (id < 0 || id >= static_cast<int32_t>(entry_of_.size())) return {};
  const int32_t entry = entry_of_[static_cast<size_t>(id)];
  return entry < 0 ? std::string_view() : bytes(entries_[static_cast<size_t>(entry)]);
}

TokenGrammar::TokenGrammar(const std::shared_ptr<const Automaton>& automaton, std::shared_ptr<const TokenTrie> trie)
    : pushdown_(automaton), trie_(std::move(trie)), path_(trie_->longest() + 1) {
  std::array<bool, 257> begins{};
  for (const AutomatonState& state : automaton->states)
    for (const ByteEdge& e : state.bytes) begins[e.low] = begins[e.high + 1U] = true;
  for (size_t b = 0; b < alike_.size(); ++b) alike_[b] = b == 0 || begins[b] ? static_cast<uint8_t>(b) : alike_[b - 1];
}

int32_t TokenGrammar::next(int32_t set, uint8_t byte) {
  const int32_t to = pushdown_.step(set, alike_[byte]);
  num_sets_ = std::max(num_sets_, to + 1);
  return to;
}

// Every text of these bytes leads from `from` to `to`.
bool TokenGrammar::all_lead(int32_t from, std::span<const std::pair<uint8_t, uint8_t>> bytes, int32_t to) {
  const auto [low, high] = bytes.front();
  for (int b = low; b <= high; ++b) {
    if (b > low && alike_[static_cast<size_t>(b)] != b) continue;
    const int32_t at = next(from, static_cast<uint8_t>(b));
    if (bytes.size() == 1 ? at != to : at < 0 || !all_lead(at, bytes.subspan(1), to)) return false;
  }
  return true;
}

int32_t TokenGrammar::after_plain(int32_t set) {
  const auto s = static_cast<size_t>(set);
  if (after_plain_.size() <= s) after_plain_.resize(s + 1, kUnknown);
  if (after_plain_[s] != kUnknown) return after_plain_[s];
  int32_t to = next(set, ' ');
  if (to >= 0) {
    for (const auto& bytes : kPlain)
      if (to >= 0 && !all_lead(set, bytes, to)) to = kMixed;
  } else {
    // No plain character at all, or only some.
    for (const auto& bytes : kPlain)
      for (int b = bytes[0].first; b <= bytes[0].second; ++b)
        if (to == Pushdown::kDead && next(set, static_cast<uint8_t>(b)) != Pushdown::kDead) to = kMixed;
    if (to == Pushdown::kOver) to = kMixed;
  }
  return after_plain_[s] = to;
}

// Walks the tree; of what is dead nothing below is looked at.
void TokenGrammar::walk(int32_t set, std::span<const TokenTrie::Node> tree, Mask& mask) {
  path_[0] = set;  // by depth
  for (size_t i = 0; i < tree.size();) {
    const TokenTrie::Node& node = tree[i];
    const int32_t to = next(path_[node.depth], node.byte);
    if (to >= 0) {
      path_[node.depth + 1] = to;
      if (node.id >= 0) allow(mask, node.id);
      ++i;
      continue;
    }
    // Allowed, for accept() to say why it ends there instead of steering the text.
    for (; to == Pushdown::kOver && i < node.end; ++i)
      if (tree[i].id >= 0) allow(mask, tree[i].id);
    i = node.end;
  }
}

std::shared_ptr<const TokenGrammar::Mask> TokenGrammar::compute(int32_t set) {
  auto mask = std::make_shared<Mask>(trie_->num_words());
  // So many plain characters may follow, whichever they are, and no more.
  const std::span<const TokenTrie::Plain> plain = trie_->plain();
  const int32_t most = plain.empty() ? 0 : plain.back().characters;
  int32_t characters = 0, at = set;
  for (; characters < most && at >= 0; ++characters) {
    const int32_t to = after_plain(at);
    if (to < 0) {
      at = to;
      break;
    }
    if (to == at) characters = most - 1;
    at = to;
  }
  if (at == kMixed) {
    walk(set, trie_->all(), *mask);
  } else {
    if (characters == most) *mask = trie_->all_plain();
    for (size_t i = 0; characters < most && i < plain.size() && plain[i].characters <= characters; ++i)
      allow(*mask, plain[i].id);
    walk(set, trie_->not_plain(), *mask);
  }
  if (pushdown_.accepts(set))
    for (int32_t id : trie_->end_tokens()) allow(*mask, id);
  return mask;
}

std::shared_ptr<const TokenGrammar::Mask> TokenGrammar::mask(int32_t set) {
  std::lock_guard lock(mutex_);
  return locked_mask(set);
}

std::shared_ptr<const TokenGrammar::Mask> TokenGrammar::locked_mask(int32_t set) {
  if (const auto it = masks_.find(set); it != masks_.end()) return it->second;
  if (masks_.size() >= masks_max()) masks_.clear();
  return masks_[set] = set < 0 ? std::make_shared<Mask>(trie_->num_words()) : compute(set);
}

void TokenGrammar::prepare() {
  std::lock_guard lock(mutex_);
  std::vector<int32_t> reached{pushdown_.start()};
  std::unordered_set<int32_t> known{pushdown_.start()};
  const size_t most = std::min(kPreparedMax, masks_max());
  size_t num_masks = 0;
  for (size_t i = 0; i < reached.size() && num_masks < most; ++i) {
    if (num_sets_ > kReachedMax || pushdown_.num_frames() > kReachedFramesMax) return;
    std::set<int32_t> after;
    for (int b = 0; b < 256; ++b)
      if (alike_[static_cast<size_t>(b)] == b)
        if (const int32_t to = next(reached[i], static_cast<uint8_t>(b)); to >= 0) after.insert(to);
    // In the midst of a fixed text a mask costs next to nothing.
    if (i == 0 || after.size() > 1) {
      locked_mask(reached[i]);
      ++num_masks;
    }
    for (int32_t to : after)
      if (known.insert(to).second) reached.push_back(to);
  }
}

size_t TokenGrammar::bytes() {
  std::lock_guard lock(mutex_);
  return masks_.size() * mask_bytes() + static_cast<size_t>(num_sets_) * kSetBytes +
         pushdown_.num_frames() * kFrameBytes;
}

int32_t TokenGrammar::accept(int32_t set, int32_t token) {
  std::lock_guard lock(mutex_);
  for (char c : trie_->bytes_of(token))
    if (set >= 0) set = next(set, static_cast<uint8_t>(c));
  return set;
}

bool TokenGrammar::matches(std::string_view text) {
  std::lock_guard lock(mutex_);
  int32_t set = pushdown_.start();
  for (char c : text)
    if (set >= 0) set = next(set, static_cast<uint8_t>(c));
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
