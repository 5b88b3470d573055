// What a reference kernel may work out once, when a plan is made: tables, compiled patterns, flattened trees. Only ops
// in kPrepared have it; their kernel finds the state in KernelContext::prepared.
// Errors of make(): kInvalidArgument, what only the operands' bytes or the attributes' contents can show.
#pragma once

#include "backends/backend.h"

namespace ingot {

struct RefState {
  std::shared_ptr<const void> state;              // null: the kernel does without
  int64_t (*work)(const BoundShapes&) = nullptr;  // then all threads run the kernel
};
using RefPrepare = Result<RefState> (*)(const NodeView&);

Result<RefState> prepare_label_encoder(const NodeView&);
Result<RefState> prepare_trees(const NodeView&);
Result<RefState> prepare_regex(const NodeView&);
Result<RefState> prepare_tf_idf(const NodeView&);
Result<RefState> prepare_tokenizer(const NodeView&);

struct RefPrepared {
  Op op;
  RefPrepare make;
};
inline constexpr RefPrepared kPrepared[] = {
    {Op::kLabelEncoder, prepare_label_encoder}, {Op::kTrees, prepare_trees},
    {Op::kTreeClassifier, prepare_trees},       {Op::kRegexFullMatch, prepare_regex},
    {Op::kTfIdfVectorizer, prepare_tf_idf},     {Op::kTokenizer, prepare_tokenizer},
};

}  // namespace ingot
