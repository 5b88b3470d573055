// A grammar as a pushdown automaton over bytes.
//
// Each rule is a small nondeterministic automaton; an edge takes a byte, nothing, or a whole rule (a call, which puts
// the state to come back to on the stack). Walked by pushdown.h. Thread-safety: immutable.
#pragma once

#include <cstdint>
#include <vector>

namespace ingot::grammar {

struct ByteEdge {
  uint8_t low, high;
  int32_t to;
};
struct CallEdge {
  int32_t rule, to;
};

struct AutomatonState {
  std::vector<ByteEdge> bytes;
  std::vector<CallEdge> calls;
  std::vector<int32_t> jumps;  // taken without a byte
  bool final = false;          // the rule may end here

  bool only_ends() const { return final && bytes.empty() && calls.empty() && jumps.empty(); }
};

struct Automaton {
  std::vector<AutomatonState> states;
  std::vector<int32_t> starts;  // of each rule
  int32_t root = 0;             // a rule
};

}  // namespace ingot::grammar
