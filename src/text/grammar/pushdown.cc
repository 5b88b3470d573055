#include "text/grammar/pushdown.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace ingot::grammar {

Pushdown::Pushdown(std::shared_ptr<const Automaton> automaton) : automaton_(std::move(automaton)) {
  start_ = intern({frame(kBottom, automaton_->starts[static_cast<size_t>(automaton_->root)])});
}

bool Pushdown::worn_out() const {
  return sets_.size() > limits::kGrammarSetsMax / 2 || frames_.size() > kFramesMax / 2 || num_stacks_ > kStacksMax / 2;
}

int32_t Pushdown::frame(int32_t below, int32_t state) {
  const uint64_t key = static_cast<uint64_t>(static_cast<uint32_t>(below)) << 32 | static_cast<uint32_t>(state);
  if (const auto it = frame_of_.find(key); it != frame_of_.end()) return it->second;
  if (frames_.size() >= kFramesMax) return kNoFrame;
  const auto made = static_cast<int32_t>(frames_.size());
  frame_of_.emplace(key, made);
  frames_.push_back({below, state, below == kBottom ? 0 : frames_[static_cast<size_t>(below)].depth + 1});
  seen_.push_back(0);
  return made;
}

// All that is reached without a byte.
bool Pushdown::close(std::vector<int32_t> todo, Set& set) {
  ++closure_;
  for (size_t looked_at = 0; !todo.empty();) {
    const int32_t top = todo.back();
    todo.pop_back();
    if (top == kNoFrame) return false;
    if (std::exchange(seen_[static_cast<size_t>(top)], closure_) == closure_) continue;
    if (++looked_at > kSetFramesMax) return false;
    const auto [below, state_index, depth] = frames_[static_cast<size_t>(top)];
    const AutomatonState& state = automaton_->states[static_cast<size_t>(state_index)];
    if (!state.bytes.empty()) set.stacks.push_back(top);
    for (int32_t to : state.jumps) todo.push_back(frame(below, to));
    for (const CallEdge& call : state.calls) {
      const bool returns = !automaton_->states[static_cast<size_t>(call.to)].only_ends();
      if (returns && depth >= limits::kGrammarDepthMax) continue;
      const int32_t back = returns ? frame(below, call.to) : below;
      if (back == kNoFrame) return false;
      todo.push_back(frame(back, automaton_->starts[static_cast<size_t>(call.rule)]));
    }
    if (!state.final) continue;
    if (below == kBottom)
      set.accepts = true;
    else
      todo.push_back(below);
  }
  std::ranges::sort(set.stacks);
  return true;
}

int32_t Pushdown::intern(std::vector<int32_t> tops) {
  auto set = std::make_unique<Set>();
  if (!close(std::move(tops), *set)) return kOver;
  if (set->stacks.empty() && !set->accepts) return kDead;
  if (const auto it = set_of_.find({set->stacks, set->accepts}); it != set_of_.end()) return it->second;
  if (sets_.size() >= limits::kGrammarSetsMax || num_stacks_ + set->stacks.size() > kStacksMax) return kOver;
  const auto id = static_cast<int32_t>(sets_.size());
  num_stacks_ += set->stacks.size();
  set_of_.emplace(std::pair(set->stacks, set->accepts), id);
  set->next.fill(kUnknown);
  sets_.push_back(std::move(set));
  return id;
}

int32_t Pushdown::find_next(int32_t from, uint8_t byte) {
  std::vector<int32_t> tops;
  for (int32_t top : sets_[static_cast<size_t>(from)]->stacks) {
    const auto [below, state, depth] = frames_[static_cast<size_t>(top)];
    for (const ByteEdge& e : automaton_->states[static_cast<size_t>(state)].bytes)
      if (byte >= e.low && byte <= e.high) tops.push_back(frame(below, e.to));
  }
  const int32_t to = tops.empty() ? kDead : intern(std::move(tops));
  return sets_[static_cast<size_t>(from)]->next[byte] = to;
}

}  // namespace ingot::grammar
