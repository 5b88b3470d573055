#include "text/grammar/pushdown.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace ingot::grammar {

Pushdown::Pushdown(std::shared_ptr<const Automaton> automaton) : automaton_(std::move(automaton)) {
  start_ = intern({frame(kBottom, automaton_->starts[static_cast<size_t>(automaton_->root)])});
}

int32_t Pushdown::frame(int32_t below, int32_t state) {
  const uint64_t key = static_cast<uint64_t>(static_cast<uint32_t>(below)) << 32 | static_cast<uint32_t>(state);
  const auto [it, is_new] = frame_of_.try_emplace(key, static_cast<int32_t>(frames_.size()));
  if (is_new) {
    frames_.push_back({below, state, below == kBottom ? 0 : frames_[static_cast<size_t>(below)].depth + 1});
    seen_.push_back(0);
  }
  return it->second;
}

// All that is reached without a byte.
void Pushdown::close(std::vector<int32_t> todo, Set& set) {
  ++closure_;
  while (!todo.empty()) {
    const int32_t top = todo.back();
    todo.pop_back();
    if (std::exchange(seen_[static_cast<size_t>(top)], closure_) == closure_) continue;
    const auto [below, state_index, depth] = frames_[static_cast<size_t>(top)];
    const AutomatonState& state = automaton_->states[static_cast<size_t>(state_index)];
    if (!state.bytes.empty()) set.stacks.push_back(top);
    for (int32_t to : state.jumps) todo.push_back(frame(below, to));
    for (const CallEdge& call : state.calls) {
      const bool returns = !automaton_->states[static_cast<size_t>(call.to)].only_ends();
      if (returns && depth >= limits::kGrammarDepthMax) continue;
      const int32_t back = returns ? frame(below, call.to) : below;
      todo.push_back(frame(back, automaton_->starts[static_cast<size_t>(call.rule)]));
    }
    if (!state.final) continue;
    if (below == kBottom)
      set.accepts = true;
    else
      todo.push_back(below);
  }
  std::ranges::sort(set.stacks);
}

int32_t Pushdown::intern(std::vector<int32_t> tops) {
  auto set = std::make_unique<Set>();
  close(std::move(tops), *set);
  if (set->stacks.empty() && !set->accepts) return kDead;
  const auto id = static_cast<int32_t>(sets_.size());
  if (sets_.size() >= limits::kGrammarSetsMax) return kDead;
  const auto [it, is_new] = set_of_.try_emplace({set->stacks, set->accepts}, id);
  if (!is_new) return it->second;
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
