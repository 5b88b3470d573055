// The three tree operators of ai.onnx.ml -> ingot.trees and ingot.tree_classifier, whose trees are constant operands.
// TreeEnsembleRegressor and -Classifier name nodes by (tree, node) and hang weights on leaves by the same names;
// TreeEnsemble (version 5) has indices already. What is no tree is refused when a plan is made.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "formats/onnx/convert.h"
#include "formats/onnx/graph_builder.h"
#include "tensor/number_at.h"

namespace ingot::onnx {
namespace {

constexpr std::string_view kModes[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"};
constexpr int32_t kModeEqual = 4, kModeMember = 6;
constexpr int64_t kFeaturesMax = 1 << 27;
constexpr size_t kTreeNodesMax = 1u << 28;

// The operands to be.
struct Flat {
  std::vector<double> splits, weights, base;
  std::vector<int32_t> links;  // [n,3]: feature << 4 | NaN goes yes << 3 | mode, yes, no
  std::vector<int32_t> roots, leaf_begin{0}, targets;
  bool wide = false;  // f64

  void add_node(double split, int64_t feature, bool missing, int32_t mode, int32_t yes, int32_t no) {
    splits.push_back(split);
    links.insert(links.end(), {static_cast<int32_t>(feature) << 4 | (missing ? 8 : 0) | mode, yes, no});
  }
};

// A list of floats, or the tensor that version 3 has in its place.
Result<std::vector<double>> take_numbers(NodeDraft& d, const std::string& name, bool& wide) {
  std::vector<double> out;
  if (const auto list = d.take(name)) {
    const auto& floats = std::get<std::vector<float>>(*list);
    out.assign(floats.begin(), floats.end());
  }
  if (const auto given = d.take(name + "_as_tensor")) {
    const Tensor& t = std::get<Tensor>(*given);
    if (!is_float(t.dtype())) return d.fail("{}_as_tensor is {}", name, dtype_name(t.dtype()));
    wide |= t.dtype() == DType::kF64;
    for (int64_t i = 0; i < t.shape().num_elements(); ++i) out.push_back(number_at(t, i));
  }
  return out;
}

std::vector<int64_t> take_ints(NodeDraft& d, std::string_view name) {
  const auto list = d.take(name);
  return list ? std::get<std::vector<int64_t>>(*list) : std::vector<int64_t>{};
}

Result<void> set_operands(NodeDraft& d, const Flat& f) {
  if (!d.has_input(0)) return d.fail("has no operand");
  const DType real = f.wide ? DType::kF64 : DType::kF32;
  const auto floats = [&](const std::vector<double>& v) {
    Tensor t = Tensor::allocate(real, Shape{static_cast<int64_t>(v.size())});
    for (size_t i = 0; i < v.size(); ++i)
      if (f.wide)
        t.mutable_as<double>()[i] = v[i];
      else
        t.mutable_as<float>()[i] = static_cast<float>(v[i]);
    return d.builder.add_constant(d.node.name + "_trees", std::move(t));
  };
  const auto ints = [&](const std::vector<int32_t>& v, Shape shape) {
    Tensor t = Tensor::allocate(DType::kI32, shape);
    std::ranges::copy(v, t.mutable_as<int32_t>());
    return d.builder.add_constant(d.node.name + "_trees", std::move(t));
  };
  const auto list = [&](const std::vector<int32_t>& v) { return ints(v, Shape{static_cast<int64_t>(v.size())}); };
  d.node.inputs = {d.node.inputs[0], floats(f.splits),   ints(f.links, Shape{static_cast<int64_t>(f.splits.size()), 3}),
                   list(f.roots),    list(f.leaf_begin), list(f.targets),
                   floats(f.weights)};
  if (!f.base.empty()) d.node.inputs.push_back(floats(f.base));
  return {};
}

// Nodes by (tree, node), and where each went: a node's or a leaf's number.
class NamedNodes {
 public:
  explicit NamedNodes(NodeDraft& d)
      : d_(d), tree_(take_ints(d, "nodes_treeids")), node_(take_ints(d, "nodes_nodeids")), order_(node_.size()) {}

  Result<void> index() {
    const size_t n = node_.size();
    if (n == 0 || n > kTreeNodesMax || tree_.size() != n)
      return d_.fail("has {} nodes and {} tree ids", n, tree_.size());
    std::iota(order_.begin(), order_.end(), size_t{0});
    const auto less = [&](size_t a, size_t b) { return key(a) < key(b); };
    if (!std::ranges::is_sorted(order_, less)) std::ranges::sort(order_, less);
    for (size_t i = 1; i < n; ++i)
      if (key(order_[i - 1]) == key(order_[i]))
        return d_.fail("names node {} of tree {} twice", node_[order_[i]], tree_[order_[i]]);
    return {};
  }
  size_t size() const { return node_.size(); }
  int64_t tree(size_t i) const { return tree_[i]; }
  size_t sorted(size_t k) const { return order_[k]; }
  // The position of a node in the file's lists. Errors: there is none.
  Result<size_t> find(int64_t tree, int64_t node) const {
    const auto wanted = std::pair{tree, node};
    const auto it = std::ranges::lower_bound(order_, wanted, {}, [&](size_t i) { return key(i); });
    if (it == order_.end() || key(*it) != wanted) return d_.fail("has no node {} in tree {}", node, tree);
    return *it;
  }

 private:
  std::pair<int64_t, int64_t> key(size_t i) const { return {tree_[i], node_[i]}; }

  NodeDraft& d_;
  std::vector<int64_t> tree_, node_;
  std::vector<size_t> order_;
};

// Every tree has one node that is nobody's child.
Result<void> find_roots(const NodeDraft& d, const NamedNodes& names, const std::vector<char>& is_child,
                        const std::vector<int32_t>& place, Flat& flat) {
  for (size_t k = 0; k < names.size();) {
    const int64_t tree = names.tree(names.sorted(k));
    int roots = 0;
    for (; k < names.size() && names.tree(names.sorted(k)) == tree; ++k) {
      if (is_child[names.sorted(k)]) continue;
      flat.roots.push_back(place[names.sorted(k)]);
      ++roots;
    }
    if (roots != 1) return d.fail("tree {} has {} roots", tree, roots);
  }
  return {};
}

// Reads the nodes of versions 1 and 3; place[i] is what node i of the file became: a node, or ~leaf.
Result<std::vector<int32_t>> read_nodes(NodeDraft& d, const NamedNodes& names, Flat& flat) {
  const size_t n = names.size();
  const auto features = take_ints(d, "nodes_featureids"), missing = take_ints(d, "nodes_missing_value_tracks_true");
  const auto yes = take_ints(d, "nodes_truenodeids"), no = take_ints(d, "nodes_falsenodeids");
  const auto modes_given = d.take("nodes_modes");
  const auto modes = modes_given ? std::get<std::vector<std::string>>(*modes_given) : std::vector<std::string>{};
  const auto values = INGOT_TRY(take_numbers(d, "nodes_values", flat.wide));
  d.take("nodes_hitrates");
  d.take("nodes_hitrates_as_tensor");
  if (features.size() != n || yes.size() != n || no.size() != n || modes.size() != n || values.size() != n ||
      (!missing.empty() && missing.size() != n))
    return d.fail("its lists of nodes differ in length");
  std::vector<int32_t> place(n);
  std::vector<char> is_child(n, 0);
  int32_t branches = 0, leaves = 0;
  for (size_t i = 0; i < n; ++i) place[i] = modes[i] == "LEAF" ? ~leaves++ : branches++;
  for (size_t i = 0; i < n; ++i) {
    if (place[i] < 0) continue;
    const auto mode = std::ranges::find(kModes, modes[i]);
    if (mode == std::end(kModes)) return d.fail("node {} has mode '{}'", i, modes[i].substr(0, 40));
    if (features[i] < 0 || features[i] >= kFeaturesMax) return d.fail("node {} looks at feature {}", i, features[i]);
    const size_t a = INGOT_TRY(names.find(names.tree(i), yes[i])), b = INGOT_TRY(names.find(names.tree(i), no[i]));
    is_child[a] = is_child[b] = 1;
    flat.add_node(values[i], features[i], !missing.empty() && missing[i], static_cast<int32_t>(mode - kModes), place[a],
                  place[b]);
  }
  INGOT_TRY(find_roots(d, names, is_child, place, flat));
  flat.leaf_begin.assign(static_cast<size_t>(leaves) + 1, 0);
  return place;
}

// Weights on leaves, by leaf.
Result<void> read_weights(NodeDraft& d, const NamedNodes& names, const std::vector<int32_t>& place,
                          const std::string& role, Flat& flat) {
  const auto trees = take_ints(d, role + "_treeids"), nodes = take_ints(d, role + "_nodeids"),
             targets = take_ints(d, role + "_ids");
  const auto weights = INGOT_TRY(take_numbers(d, role + "_weights", flat.wide));
  const size_t n = weights.size();
  if (trees.size() != n || nodes.size() != n || targets.size() != n)
    return d.fail("its lists of weights differ in length");
  std::vector<std::pair<int32_t, size_t>> by_leaf;  // weights that hang on branches say nothing
  for (size_t i = 0; i < n; ++i) {
    const int32_t at = place[INGOT_TRY(names.find(trees[i], nodes[i]))];
    if (at < 0) by_leaf.emplace_back(~at, i);
  }
  std::ranges::stable_sort(by_leaf, {}, &std::pair<int32_t, size_t>::first);
  for (const auto& [leaf, i] : by_leaf) {
    if (targets[i] < 0 || targets[i] > INT32_MAX) return d.fail("weight {} is for target {}", i, targets[i]);
    flat.targets.push_back(static_cast<int32_t>(targets[i]));
    flat.weights.push_back(weights[i]);
    ++flat.leaf_begin[static_cast<size_t>(leaf) + 1];
  }
  std::partial_sum(flat.leaf_begin.begin(), flat.leaf_begin.end(), flat.leaf_begin.begin());
  return {};
}

Result<void> convert_named(NodeDraft& d, const std::string& role) {
  Flat flat;
  NamedNodes names(d);
  INGOT_TRY(names.index());
  const auto place = INGOT_TRY(read_nodes(d, names, flat));
  INGOT_TRY(read_weights(d, names, place, role, flat));
  flat.base = INGOT_TRY(take_numbers(d, "base_values", flat.wide));
  return set_operands(d, flat);
}

// Version 5: a node's sets of members become chains of equalities.
class Indexed {
 public:
  explicit Indexed(NodeDraft& d) : d_(d) {}
  Result<void> run();

 private:
  Result<void> read();
  Result<void> place_nodes();
  Result<int32_t> child(int64_t id, bool leaf) const;

  NodeDraft& d_;
  std::vector<int64_t> features_, yes_, no_, yes_leaf_, no_leaf_, missing_;
  Tensor modes_, splits_;
  std::vector<std::vector<double>> members_;  // by node; only of members' nodes
  std::vector<int32_t> place_;
  Flat flat_;
};

Result<void> Indexed::read() {
  const auto modes = d_.take("nodes_modes"), splits = d_.take("nodes_splits"), members = d_.take("membership_values");
  if (!modes || !splits) return d_.fail("has no nodes_modes or no nodes_splits");
  modes_ = std::get<Tensor>(*modes), splits_ = std::get<Tensor>(*splits);
  features_ = take_ints(d_, "nodes_featureids"), missing_ = take_ints(d_, "nodes_missing_value_tracks_true");
  yes_ = take_ints(d_, "nodes_truenodeids"), no_ = take_ints(d_, "nodes_falsenodeids");
  yes_leaf_ = take_ints(d_, "nodes_trueleafs"), no_leaf_ = take_ints(d_, "nodes_falseleafs");
  d_.take("nodes_hitrates");
  const size_t n = features_.size();
  const auto length = [](const Tensor& t) { return static_cast<size_t>(t.shape().num_elements()); };
  if (modes_.dtype() != DType::kU8 || !is_float(splits_.dtype()) || length(modes_) != n || length(splits_) != n ||
      yes_.size() != n || no_.size() != n || yes_leaf_.size() != n || no_leaf_.size() != n || n > kTreeNodesMax ||
      (!missing_.empty() && missing_.size() != n))
    return d_.fail("its lists of nodes differ in length or have other types");
  flat_.wide = splits_.dtype() == DType::kF64;
  members_.resize(n);
  int64_t at = 0;
  for (size_t i = 0; i < n; ++i) {
    if (modes_.as<uint8_t>()[i] != kModeMember) continue;
    const Tensor* t = members ? &std::get<Tensor>(*members) : nullptr;
    if (!t || !is_float(t->dtype())) return d_.fail("node {} asks for members, there are none", i);
    for (; at < t->shape().num_elements() && !std::isnan(number_at(*t, at)); ++at)
      members_[i].push_back(number_at(*t, at));
    ++at;
  }
  return {};
}

Result<int32_t> Indexed::child(int64_t id, bool leaf) const {
  if (id < 0 || id > INT32_MAX) return d_.fail("a node leads to {}", id);
  if (leaf) return ~static_cast<int32_t>(id);
  if (id >= static_cast<int64_t>(place_.size())) return d_.fail("a node leads to node {} of {}", id, place_.size());
  return place_[static_cast<size_t>(id)];
}

Result<void> Indexed::place_nodes() {
  int32_t next = 0;
  for (const auto& m : members_) {
    place_.push_back(next);
    next += static_cast<int32_t>(std::max<size_t>(m.size(), 1));
  }
  for (size_t i = 0; i < place_.size(); ++i) {
    const int32_t yes = INGOT_TRY(child(yes_[i], yes_leaf_[i])), no = INGOT_TRY(child(no_[i], no_leaf_[i]));
    const uint8_t mode = modes_.as<uint8_t>()[i];
    const bool missing = !missing_.empty() && missing_[i];
    if (mode > kModeMember) return d_.fail("node {} has mode {}", i, mode);
    if (features_[i] < 0 || features_[i] >= kFeaturesMax)
      return d_.fail("node {} looks at feature {}", i, features_[i]);
    if (mode != kModeMember) {
      flat_.add_node(number_at(splits_, static_cast<int64_t>(i)), features_[i], missing, mode, yes, no);
      continue;
    }
    const auto& m = members_[i];
    if (m.size() > 1 && yes >= 0) return d_.unsupported("a set of members that leads to a branch when it is met");
    if (m.empty()) flat_.add_node(-INFINITY, features_[i], missing, 1, yes, no);  // nothing is less
    for (size_t k = 0; k < m.size(); ++k)
      flat_.add_node(m[k], features_[i], missing, kModeEqual, yes,
                     k + 1 < m.size() ? place_[i] + static_cast<int32_t>(k) + 1 : no);
  }
  return {};
}

Result<void> Indexed::run() {
  INGOT_TRY(read());
  INGOT_TRY(place_nodes());
  for (int64_t root : take_ints(d_, "tree_roots")) {
    const int32_t at = INGOT_TRY(child(root, false));
    const size_t i = static_cast<size_t>(root);
    const bool lone = yes_leaf_[i] && no_leaf_[i] && yes_[i] == no_[i];  // a tree of one leaf
    flat_.roots.push_back(lone ? ~static_cast<int32_t>(yes_[i]) : at);
  }
  const auto weights = d_.take("leaf_weights");
  const auto targets = take_ints(d_, "leaf_targetids");
  if (!weights || !is_float(std::get<Tensor>(*weights).dtype()) ||
      std::get<Tensor>(*weights).shape().num_elements() != static_cast<int64_t>(targets.size()))
    return d_.fail("its leaves have not one weight and one target each");
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] < 0 || targets[i] > INT32_MAX) return d_.fail("leaf {} is for target {}", i, targets[i]);
    flat_.weights.push_back(number_at(std::get<Tensor>(*weights), static_cast<int64_t>(i)));
    flat_.targets.push_back(static_cast<int32_t>(targets[i]));
    flat_.leaf_begin.push_back(static_cast<int32_t>(i) + 1);
  }
  return set_operands(d_, flat_);
}

}  // namespace

Result<void> convert_tree_ensemble(NodeDraft& d) {
  static constexpr std::string_view kAggregates[] = {"AVERAGE", "SUM", "MIN", "MAX"};
  static constexpr std::string_view kTransforms[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
  d.node.op = Op::kTrees;
  const auto name = [&](std::string_view attribute, std::span<const std::string_view> names,
                        int64_t otherwise) -> Result<void> {
    const auto given = d.take(attribute);
    const int64_t i = given ? std::get<int64_t>(*given) : otherwise;
    if (i < 0 || i >= static_cast<int64_t>(names.size())) return d.fail("{} is {}", attribute, i);
    d.attributes().set(std::string(attribute), std::string(names[static_cast<size_t>(i)]));
    return {};
  };
  INGOT_TRY(name("aggregate_function", kAggregates, 1));
  INGOT_TRY(name("post_transform", kTransforms, 0));
  if (!d.has_input(0)) return d.fail("has no operand");
  d.attributes().set("output_dtype", std::string(dtype_name(d.builder.known(d.node.inputs[0]).type.dtype)));
  return Indexed(d).run();
}

Result<void> convert_tree_regressor(NodeDraft& d) {
  d.node.op = Op::kTrees;
  if (!d.attributes().has("n_targets")) d.attributes().set("n_targets", int64_t{1});
  return convert_named(d, "target");
}

Result<void> convert_tree_classifier(NodeDraft& d) {
  d.node.op = Op::kTreeClassifier;
  if (auto labels = d.take("classlabels_int64s")) d.attributes().set("classlabels_ints", *std::move(labels));
  return convert_named(d, "class");
}

}  // namespace ingot::onnx
