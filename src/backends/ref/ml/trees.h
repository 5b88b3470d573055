// Decision trees, flattened: nodes in one array, leaves as ranges of weights. Made from the operands of ingot.trees
// (ops.def) and checked: every child exists, no node has two parents and no root has one, so that every walk ends.
// Ownership: a copy of the operands. Thread-safety: immutable.
#pragma once

#include <span>
#include <variant>
#include <vector>

#include "backends/backend.h"

namespace ingot::ml {

enum TreeMode : uint32_t { kLessEqual, kLess, kGreaterEqual, kGreater, kEqual, kNotEqual, kTreeModes };

template <class T>
struct TreeNode {
  T split;
  uint32_t feature_mode;  // feature << 4 | NaN goes to `yes` << 3 | TreeMode
  int32_t yes, no;        // a node, or ~leaf
};

template <class T>
struct Trees {
  std::vector<TreeNode<T>> nodes;
  std::vector<int32_t> roots;       // a node, or ~leaf
  std::vector<int32_t> leaf_begin;  // leaf i has weights [leaf_begin[i], leaf_begin[i + 1])
  std::vector<int32_t> targets;
  std::vector<T> weights;
  std::vector<T> base;
  int64_t features = 0;       // the input must have so many
  bool plain = true;          // kLessEqual and NaN to `no` only
  bool positive = true;       // no weight is negative
  bool single_target = true;  // all weights are of one target
};
using AnyTrees = std::variant<Trees<float>, Trees<double>>;

// From the operands (x, splits, links, roots, leaf_begin, targets, weights, base).
// Errors: kInvalidArgument, naming the node.
Result<AnyTrees> make_trees(const Node& node, std::span<const TensorView> operands);

}  // namespace ingot::ml
