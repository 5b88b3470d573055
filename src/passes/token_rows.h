// Proves that a graph treats the rows of a ragged batch alone: that no node but ingot.paged_attention lets one token
// see another. Every value either has exactly one dimension that counts tokens, or depends on no token.
// Feeds lift_paged_attention.h. Thread-safety: pure.
#pragma once

#include "ir/graph.h"

namespace ingot {

// tokens: the symbol that counts them; dimensions may be multiples of it (heads of all tokens).
// Errors: kUnimplemented naming the node that mixes tokens, or may.
Result<void> check_token_rows(const Graph& graph, const Dim& tokens);

}  // namespace ingot
