// ingot.trees and ingot.tree_classifier: ONNX's TreeEnsemble, TreeEnsembleRegressor and TreeEnsembleClassifier.
// A row's scores are summed tree by tree, whatever the batch and the number of threads; rows are divided over threads.
#include <array>

#include "backends/ref/kernels.h"
#include "backends/ref/ml/scores.h"
#include "backends/ref/ml/trees.h"
#include "backends/ref/prepare.h"

namespace ingot {
namespace {

using ml::TreeNode;
using ml::Trees;

constexpr int64_t kRowsTogether = 32;  // walk one tree while it is in the cache
constexpr int64_t kStepsPerTree = 16;  // of work, for the choice of threads

template <class T>
bool goes_yes(const TreeNode<T>& n, T v) {
  if (v != v && (n.feature_mode >> 3 & 1)) return true;
  switch (n.feature_mode & 7) {
    case ml::kLessEqual: return v <= n.split;
    case ml::kLess: return v < n.split;
    case ml::kGreaterEqual: return v >= n.split;
    case ml::kGreater: return v > n.split;
    case ml::kEqual: return v == n.split;
    default: return v != n.split;
  }
}

template <class T, bool kPlain>
int32_t leaf_of(const TreeNode<T>* nodes, int32_t at, const T* row) {
  while (at >= 0) {
    const TreeNode<T>& n = nodes[at];
    const T v = row[n.feature_mode >> 4];
    at = (kPlain ? v <= n.split : goes_yes(n, v)) ? n.yes : n.no;
  }
  return ~at;
}

// The scores of a few rows, [rows, targets], and which of them some leaf gave.
template <class T>
struct Scores {
  int64_t targets;
  std::vector<T> value;
  std::vector<uint8_t> given;

  void reset(int64_t rows) {
    value.assign(static_cast<size_t>(rows * targets), T(0));
    given.assign(value.size(), 0);
  }
  void add(int64_t row, int32_t target, T w, char how) {
    const size_t at = static_cast<size_t>(row * targets + target);
    if (how == '+')
      value[at] += w;
    else if (!given[at] || (how == '<' ? w < value[at] : w > value[at]))
      value[at] = w;
    given[at] = 1;
  }
};

template <class T>
void walk(const Trees<T>& t, const T* rows, int64_t features, int64_t count, char how, Scores<T>& scores) {
  scores.reset(count);
  for (const int32_t root : t.roots)
    for (int64_t r = 0; r < count; ++r) {
      const T* row = rows + r * features;
      const int32_t leaf =
          t.plain ? leaf_of<T, true>(t.nodes.data(), root, row) : leaf_of<T, false>(t.nodes.data(), root, row);
      const int32_t end = t.leaf_begin[static_cast<size_t>(leaf) + 1];
      for (int32_t w = t.leaf_begin[static_cast<size_t>(leaf)]; w < end; ++w)
        scores.add(r, t.targets[static_cast<size_t>(w)], t.weights[static_cast<size_t>(w)], how);
    }
}

// Calls finish(row, index of the row in `scores`, scores) for this thread's rows.
template <class T, class Finish>
void for_each_row(KernelContext& c, const Trees<T>& t, int64_t targets, char how, Finish finish) {
  const ml::Rows x(c.in(0).shape);
  if (x.features < t.features)
    return invalid_data(c, fmt::format("the trees look at {} features, the input has {}", t.features, x.features));
  Scores<T> scores{.targets = targets, .value = {}, .given = {}};
  std::vector<T> converted;
  const Range mine = c.share(x.count);
  for (int64_t begin = mine.begin; begin < mine.end; begin += kRowsTogether) {
    const int64_t count = std::min(kRowsTogether, mine.end - begin);
    const T* rows = c.in(0).as<T>() + begin * x.features;
    if (c.in(0).dtype != (std::is_same_v<T, float> ? DType::kF32 : DType::kF64)) {
      converted.clear();
      for (int64_t i = 0; i < count * x.features; ++i)
        converted.push_back(static_cast<T>(number_at(c.in(0), begin * x.features + i)));
      rows = converted.data();
    }
    walk(t, rows, x.features, count, how, scores);
    for (int64_t r = 0; r < count; ++r) finish(begin + r, static_cast<size_t>(r * targets), scores);
  }
}

// The prepared trees, or those made now where the operands are not constants.
template <class F>
void with_trees(KernelContext& c, F f) {
  if (c.prepared) return std::visit(f, *static_cast<const ml::AnyTrees*>(c.prepared));
  const auto made = ml::make_trees(c.node, c.inputs);
  if (!made) return c.fail(made.error());
  std::visit(f, *made);
}

int64_t work_of_trees(const BoundShapes& s) {
  return ml::Rows(s.inputs[0].shape).count * s.inputs[3].num_elements() * kStepsPerTree;
}

void store(const TensorRef& y, int64_t i, double v) {
  switch (y.dtype) {
    case DType::kF64: y.as<double>()[i] = v; break;
    case DType::kF16: y.as<Half>()[i] = Half(static_cast<float>(v)); break;
    case DType::kBF16: y.as<BFloat16>()[i] = BFloat16(static_cast<float>(v)); break;
    default: y.as<float>()[i] = static_cast<float>(v);
  }
}

}  // namespace

Result<RefState> prepare_trees(const NodeView& v) {
  std::vector<TensorView> operands(v.node.inputs.size());
  for (int i = 1; i < static_cast<int>(operands.size()); ++i) {
    if (!v.has_input(i)) continue;
    const Tensor* t = v.constant(i);
    if (!t || !t->view().data) return RefState{};
    operands[static_cast<size_t>(i)] = t->view();
  }
  return RefState{std::make_shared<const ml::AnyTrees>(INGOT_TRY(ml::make_trees(v.node, operands))), work_of_trees};
}

void ref_Trees(KernelContext& c) {
  const std::string aggregate = c.node.attributes.get_string("aggregate_function", "SUM");
  const char how = aggregate == "MIN" ? '<' : aggregate == "MAX" ? '>' : '+';
  const int64_t targets = c.node.attributes.get_int("n_targets");
  const ml::Transform transform = ml::transform_of(c.node);
  with_trees(c, [&]<class T>(const Trees<T>& t) {
    const T divisor = aggregate == "AVERAGE" ? static_cast<T>(t.roots.size()) : T(1);
    const bool based = static_cast<int64_t>(t.base.size()) == targets;
    for_each_row(c, t, targets, how, [&](int64_t row, size_t at, Scores<T>& scores) {
      std::vector<double> out(static_cast<size_t>(targets));
      for (size_t k = 0; k < out.size(); ++k)
        out[k] = static_cast<double>(scores.value[at + k] / divisor + (based ? t.base[k] : T(0)));
      ml::finish_scores(out, transform, ml::Second::kNone);
      for (size_t k = 0; k < out.size(); ++k) store(c.out(0), row * targets + static_cast<int64_t>(k), out[k]);
    });
  });
}

namespace {

// Two classes of which the leaves may know one only, whose score then stands for the second class.
template <class T>
void finish_binary(KernelContext& c, const Trees<T>& t, ml::Transform transform, int64_t row, const T* score,
                   const uint8_t* given) {
  std::array<double, 2> s{static_cast<double>(score[0]), static_cast<double>(score[1])};
  bool two = given[1];
  if (t.base.size() == 2 && two) {
    s[1] = static_cast<double>(t.base[1]) + s[0] + (t.single_target ? s[1] : 0);
    s[0] = -s[1];
  } else if (t.base.size() == 2) {
    s = {s[0] + static_cast<double>(t.base[0]), s[1] + static_cast<double>(t.base[1])};
    two = true;
  } else if (t.base.size() == 1) {
    s[0] += static_cast<double>(t.base[0]);
  }
  const double decisive = two && given[1] ? s[1] : s[0];
  const bool yes = t.single_target ? decisive > (t.positive ? 0.5 : 0.0) : decisive > 0;
  std::vector<double> out = two ? std::vector{s[0], s[1]} : std::vector{s[0]};
  const ml::Second second = t.positive ? ml::Second::kComplement : ml::Second::kNegative;
  ml::finish_scores(out, transform, t.single_target ? second : ml::Second::kNegative);
  ml::write_class(c, row, yes ? 1 : 0, out);
}

}  // namespace

void ref_TreeClassifier(KernelContext& c) {
  const Attributes& a = c.node.attributes;
  const int64_t classes =
      static_cast<int64_t>(a.ints("classlabels_ints").size() + a.strings("classlabels_strings").size());
  const ml::Transform transform = ml::transform_of(c.node);
  with_trees(c, [&]<class T>(const Trees<T>& t) {
    for_each_row(c, t, classes, '+', [&](int64_t row, size_t at, Scores<T>& scores) {
      if (classes == 2) return finish_binary(c, t, transform, row, scores.value.data() + at, scores.given.data() + at);
      std::vector<double> out(static_cast<size_t>(classes));
      int64_t best = -1;
      for (size_t k = 0; k < out.size(); ++k) {
        const bool based = k < t.base.size(), given = scores.given[at + k] || based;
        out[k] = static_cast<double>(scores.value[at + k] + (based ? t.base[k] : T(0)));
        if (given && (best < 0 || out[k] > out[static_cast<size_t>(best)])) best = static_cast<int64_t>(k);
      }
      ml::finish_scores(out, transform, ml::Second::kNone);
      ml::write_class(c, row, std::max<int64_t>(best, 0), out);
    });
  });
}

}  // namespace ingot
