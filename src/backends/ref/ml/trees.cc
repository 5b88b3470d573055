#include "backends/ref/ml/trees.h"

#include <algorithm>

namespace ingot::ml {
namespace {

constexpr int kLinkColumns = 3;

template <class T>
std::vector<T> copy(const TensorView& t) {
  return std::vector<T>(t.as<T>(), t.as<T>() + t.num_elements());
}

class Checker {
 public:
  Checker(const Node& node, int64_t nodes, int64_t leaves) : node_(node), leaves_(leaves) {
    parents_.assign(static_cast<size_t>(nodes), 0);
  }
  template <class... Args>
  std::unexpected<Status> fail(fmt::format_string<Args...> format, Args&&... args) const {
    return invalid("[trees] '{}': {}", node_.name, fmt::format(format, std::forward<Args>(args)...));
  }
  // A child, or a root: exists, and nothing else leads there.
  Result<void> reach(int32_t child, std::string_view what, size_t i) {
    const int64_t leaf = ~static_cast<int64_t>(child);
    if (child < 0 && leaf >= leaves_) return fail("{} {} leads to leaf {} of {}", what, i, leaf, leaves_);
    if (child < 0) return {};
    const size_t at = static_cast<size_t>(child);
    if (at >= parents_.size()) return fail("{} {} leads to node {} of {}", what, i, child, parents_.size());
    if (parents_[at]++) return fail("{} {} leads to node {}, where another one leads: not a tree", what, i, child);
    return {};
  }

 private:
  const Node& node_;
  std::vector<uint8_t> parents_;
  int64_t leaves_;
};

template <class T>
Result<void> check_leaves(const Checker& check, Trees<T>& t, int64_t targets) {
  const int64_t count = static_cast<int64_t>(t.weights.size());
  if (t.leaf_begin.front() != 0 || t.leaf_begin.back() != count || !std::ranges::is_sorted(t.leaf_begin))
    return check.fail("the leaves do not divide {} weights", count);
  for (size_t i = 0; i < t.targets.size(); ++i) {
    if (t.targets[i] < 0 || t.targets[i] >= targets)
      return check.fail("weight {} is for target {} of {}", i, t.targets[i], targets);
    t.single_target &= t.targets[i] == t.targets[0];
    t.positive &= t.weights[i] >= 0;
  }
  return {};
}

template <class T>
Result<AnyTrees> make(const Node& node, std::span<const TensorView> in, int64_t targets) {
  const TensorView &splits = in[1], &links = in[2];
  Trees<T> t{.roots = copy<int32_t>(in[3]),
             .leaf_begin = copy<int32_t>(in[4]),
             .targets = copy<int32_t>(in[5]),
             .weights = copy<T>(in[6])};
  if (in.size() > 7 && in[7].data) t.base = copy<T>(in[7]);
  const int64_t n = splits.num_elements();
  Checker check(node, n, static_cast<int64_t>(t.leaf_begin.size()) - 1);
  if (links.num_elements() != n * kLinkColumns || t.leaf_begin.empty() || t.targets.size() != t.weights.size())
    return check.fail("operands of different lengths");
  INGOT_TRY(check_leaves(check, t, targets));
  t.nodes.resize(static_cast<size_t>(n));
  for (size_t i = 0; i < t.nodes.size(); ++i) {
    const int32_t* link = links.as<int32_t>() + i * kLinkColumns;
    const uint32_t code = static_cast<uint32_t>(link[0]);
    if ((code & 7) >= kTreeModes) return check.fail("node {} has mode {}", i, code & 7);
    t.nodes[i] = {splits.as<T>()[i], code, link[1], link[2]};
    t.plain &= (code & 15) == kLessEqual;
    t.features = std::max(t.features, static_cast<int64_t>(code >> 4) + 1);
    INGOT_TRY(check.reach(link[1], "node", i));
    INGOT_TRY(check.reach(link[2], "node", i));
  }
  for (size_t i = 0; i < t.roots.size(); ++i) INGOT_TRY(check.reach(t.roots[i], "tree", i));
  return AnyTrees(std::move(t));
}

}  // namespace

Result<AnyTrees> make_trees(const Node& node, std::span<const TensorView> operands) {
  const auto& labels = node.attributes;
  const int64_t targets =
      node.op == Op::kTrees
          ? labels.get_int("n_targets")
          : static_cast<int64_t>(labels.ints("classlabels_ints").size() + labels.strings("classlabels_strings").size());
  if (operands[1].dtype == DType::kF32) return make<float>(node, operands, targets);
  return make<double>(node, operands, targets);
}

}  // namespace ingot::ml
