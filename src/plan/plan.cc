#include "plan/plan.h"

#include <algorithm>

#include "base/mapped_file.h"

namespace ingot {
namespace {

std::string node_label(const Graph& g, const Node& n) {
  if (!n.name.empty()) return fmt::format("{} '{}'", op_name(n.op), n.name);
  return fmt::format("{} making '{}'", op_name(n.op), n.outputs.empty() ? "nothing" : g.value(n.outputs[0]).name);
}

// Type and shape without bytes.
Tensor hollow(const Tensor& t) {
  static const auto nothing = std::make_shared<int>(0);
  return Tensor(TensorView{t.dtype(), t.shape(), nullptr}, nothing);
}

// Counts the pieces that a node takes.
class CountedStore final : public PackedStore {
 public:
  explicit CountedStore(PackedStore* store) : store_(store) {}
  Result<Piece> take(size_t bytes) override {
    ++taken;
    return store_->take(bytes);
  }
  PackedStore* if_any() { return store_ ? this : nullptr; }
  int taken = 0;

 private:
  PackedStore* store_;
};

}  // namespace

Result<std::shared_ptr<const Plan>> compile(Graph graph, const CompileOptions& options) {
  auto plan = std::make_shared<Plan>();
  graph.remove_dead();
  plan->graph_ = std::move(graph);
  INGOT_TRY(plan->select_kernels(options));
  plan->find_roots();
  return plan;
}

// Lets go of constants' bytes as soon as their last reader is prepared and all of them hold packed copies, so that
// loading never holds the whole model twice: heap memory is freed, pages of a file are unmapped.
class Plan::Releaser {
 public:
  Releaser(Plan& plan, const CompileOptions& options) : plan_(plan), graph_(plan.graph_), options_(options) {
    uses_.resize(graph_.num_values());
    for (NodeId id : graph_.order())
      for (ValueId v : graph_.node(id).inputs)
        if (v != kNoValue && use(v).pending++ == 0 && is_defined_constant(v))
          bytes_total_ += graph_.value(v).constant.view().num_bytes();
    for (ValueId v : graph_.outputs()) use(v).read = true;
  }

  // consumed_inputs: of Kernel. With a store, only what went there counts.
  Result<void> prepared(const Node& n, uint32_t consumed_inputs) {
    for (size_t i = 0; i < n.inputs.size(); ++i) {
      if (n.inputs[i] == kNoValue) continue;
      if (!is_defined_constant(n.inputs[i])) continue;
      Value& value = graph_.value(n.inputs[i]);
      const bool consumed = consumed_inputs >> std::min<size_t>(i, 31) & 1;
      Use& u = use(n.inputs[i]);
      u.read |= !consumed;
      const size_t bytes = value.constant.view().num_bytes();
      if (!consumed) INGOT_TRY(check_readable(value));
      if (consumed && value.file_backed && value.constant.view().data)
        drop_mapped_pages(value.constant.view().data, bytes);
      if (--u.pending > 0) continue;
      bytes_done_ += bytes;
      if (!u.read && bytes >= kReleaseBytesMin)
        value.constant = options_.store ? hollow(value.constant) : Tensor();
      else if (!value.file_backed || u.read)
        plan_.constant_bytes_ += bytes;
    }
    if (options_.on_progress) options_.on_progress(bytes_done_, bytes_total_);
    return {};
  }
  Result<void> check_outputs() const {
    for (ValueId v : graph_.outputs()) INGOT_TRY(check_readable(graph_.value(v)));
    return {};
  }

 private:
  // An engine file may leave out the bytes of what is read.
  static Result<void> check_readable(const Value& v) {
    if (v.kind != ValueKind::kConstant || !v.constant.defined() || v.constant.view().data ||
        v.constant.view().num_bytes() == 0)
      return {};
    return invalid("[plan] constant '{}' is read, but its {} bytes are not there", v.name,
                   v.constant.view().num_bytes());
  }
  struct Use {
    int pending = 0;    // readers whose kernels are not yet prepared
    bool read = false;  // someone reads the bytes at run time
  };
  Use& use(ValueId v) { return uses_[static_cast<size_t>(v)]; }
  bool is_defined_constant(ValueId v) const {
    const Value& value = graph_.value(v);
    return value.kind == ValueKind::kConstant && value.constant.defined();
  }

  Plan& plan_;
  Graph& graph_;
  const CompileOptions& options_;
  size_t bytes_done_ = 0, bytes_total_ = 0;
  std::vector<Use> uses_;
};

Result<void> Plan::select_kernels(const CompileOptions& options) {
  std::string unsupported;
  Releaser releaser(*this, options);
  INGOT_TRY(releaser.check_outputs());
  for (NodeId id : graph_.order()) {
    const Node& n = graph_.node(id);
    CountedStore store(options.store);
    const NodeView view{graph_, n, store.if_any()};
    Step step{.node = id};
    const int flags = op_schema(n.op).flags;
    if (flags & kOpView) {
      step.backend = "view";
      INGOT_TRY(releaser.prepared(n, 0));
      steps_.push_back(std::move(step));
      continue;
    }
    if (flags & kOpControl) {
      step.backend = "runtime";
      CompileOptions quiet = options;
      quiet.on_progress = nullptr;  // the bytes told are those of the whole graph
      for (const auto& [key, sub] : n.subgraphs) step.subplans.push_back(INGOT_TRY(compile(*sub, quiet)));
      INGOT_TRY(releaser.prepared(n, 0));
      steps_.push_back(std::move(step));
      continue;
    }
    const Backend* chosen = nullptr;
    for (const Backend* b : options.backends) {
      Support s = b->supports(view);
      if (s.ok) {
        chosen = b;
        break;
      }
      step.why += fmt::format("{}{}: {}", step.why.empty() ? "" : "; ", b->name(), s.reason);
    }
    if (!chosen) {
      unsupported += fmt::format("\n  {}: {}", node_label(graph_, n), step.why);
      continue;
    }
    auto kernel = chosen->prepare(view, *options.pool);
    if (!kernel) return std::unexpected(kernel.error().with_context(fmt::format("[plan] {}", node_label(graph_, n))));
    step.kernel = std::move(*kernel);
    step.backend = chosen->name();
    prepared_bytes_ += step.kernel.prepared_bytes;
    INGOT_TRY(releaser.prepared(n, options.store && store.taken == 0 ? 0 : step.kernel.consumed_inputs));
    steps_.push_back(std::move(step));
  }
  if (!unsupported.empty()) return unimplemented("[plan] no backend runs these nodes:{}", unsupported);
  return {};
}

void Plan::find_roots() {
  roots_.resize(graph_.num_values());
  for (size_t i = 0; i < roots_.size(); ++i) roots_[i] = ValueId{static_cast<int32_t>(i)};
  for (NodeId id : graph_.order()) {
    const Node& n = graph_.node(id);
    if (op_schema(n.op).flags & kOpView) roots_[static_cast<size_t>(n.outputs[0])] = root(n.inputs[0]);
  }
}

}  // namespace ingot
