#include "plan/binding.h"

#include <algorithm>
#include <map>

#include "ir/infer.h"
#include "plan/arena.h"

namespace ingot {
namespace {

class Binder {
 public:
  Binder(const Plan& plan, int num_threads) : plan_(plan), graph_(plan.graph()), num_threads_(num_threads) {}

  Result<std::shared_ptr<const Binding>> run(std::span<const Shape> inputs, std::span<const Shape> states) {
    INGOT_TRY(infer_shapes(inputs, states));
    classify_steps();
    find_lifetimes();
    share_in_place();
    lay_out();
    place_barriers();
    std::erase_if(out_.steps, [&](const BoundStep& b) { return !b.dynamic && is_view(b.step); });
    return std::make_shared<const Binding>(std::move(out_));
  }

 private:
  Result<void> infer_shapes(std::span<const Shape> inputs, std::span<const Shape> states);
  Result<void> check_views() const;
  void classify_steps();
  void find_lifetimes();
  void share_in_place();
  void lay_out();
  void place_barriers();

  bool is_view(size_t step) const { return op_schema(graph_.node(plan_.steps()[step].node).op).flags & kOpView; }
  const BoundValue& bound(ValueId v) const { return out_.values[static_cast<size_t>(v)]; }
  size_t bytes_of(ValueId v) const {
    return TensorView{graph_.value(v).type.dtype, bound(v).shape, nullptr}.num_bytes();
  }
  // The value whose arena block holds v: through views, then through in-place sharing.
  ValueId block(ValueId v) const {
    v = plan_.root(v);
    while (shared_with_[static_cast<size_t>(v)] != kNoValue) v = shared_with_[static_cast<size_t>(v)];
    return v;
  }
  bool in_arena(ValueId root) const {
    return graph_.value(root).kind == ValueKind::kNode && !dynamic_[static_cast<size_t>(root)];
  }
  std::vector<TensorView> views(std::span<const ValueId> ids) const;

  const Plan& plan_;
  const Graph& graph_;
  const int num_threads_;
  Binding out_;
  std::vector<char> dynamic_;         // by value: made while it runs
  std::vector<ValueId> shared_with_;  // by value: in place of that value
  struct Life {
    int first = -1, last = -1;  // steps
    size_t bytes = 0;
  };
  std::vector<Life> life_;             // by value, of blocks
  std::vector<size_t> scratch_bytes_;  // by step
};

// A dimension given by the caller against the graph's declared one; a symbol must mean one size everywhere.
Result<void> match_input(const Value& v, const Shape& shape, std::map<std::string, int64_t>& symbols) {
  const Type& t = v.type;
  if (!t.ranked()) return {};
  if (t.rank() != shape.rank())
    return invalid("[run] input '{}': shape {} has rank {}, the model wants {}", v.name, shape.to_string(),
                   shape.rank(), t.to_string());
  for (int i = 0; i < shape.rank(); ++i) {
    const Dim& d = (*t.dims)[static_cast<size_t>(i)];
    int64_t wanted = shape[i];
    if (d.is_const())
      wanted = d.value();
    else if (!d.is_unknown())
      wanted = symbols.try_emplace(d.to_string(), shape[i]).first->second;
    if (wanted != shape[i])
      return invalid("[run] input '{}': dimension {} is {}, the model wants {} ({})", v.name, i, shape[i], wanted,
                     t.to_string());
  }
  return {};
}

Result<void> Binder::infer_shapes(std::span<const Shape> inputs, std::span<const Shape> states) {
  std::map<std::string, int64_t> symbols;
  auto types_of = [&](const std::vector<ValueId>& ids,
                      std::span<const Shape> shapes) -> Result<std::vector<InferredValue>> {
    INGOT_CHECK(ids.size() == shapes.size());
    std::vector<InferredValue> types;
    for (size_t i = 0; i < ids.size(); ++i) {
      const Value& v = graph_.value(ids[i]);
      if (v.type.is_container()) {
        types.push_back({v.type, std::nullopt, nullptr});
        continue;
      }
      INGOT_TRY(match_input(v, shapes[i], symbols));
      types.push_back({Type::of(v.type.dtype, Dims(shapes[i].begin(), shapes[i].end())), std::nullopt, nullptr});
    }
    return types;
  };
  const auto input_types = INGOT_TRY(types_of(graph_.inputs(), inputs));
  const auto state_types = INGOT_TRY(types_of(graph_.states(), states));
  const auto known = INGOT_TRY(infer_graph(graph_, input_types, state_types));
  out_.values.resize(known.size());
  for (size_t i = 0; i < known.size(); ++i) {
    const auto shape = known[i].type.concrete();
    out_.values[i].known = shape.has_value();
    if (!shape) continue;
    out_.values[i].shape = *shape;
    const Value& v = graph_.value(ValueId{static_cast<int32_t>(i)});
    INGOT_TRY(check_size(v.name, v.type.dtype, *shape));
  }
  return check_views();
}

// A view shows its operand's memory: as many elements, or it would read past the end.
Result<void> Binder::check_views() const {
  for (NodeId id : graph_.order()) {
    const Node& n = graph_.node(id);
    if (!(op_schema(n.op).flags & kOpView)) continue;
    const BoundValue &in = bound(n.inputs[0]), &out = bound(n.outputs[0]);
    if (in.known && out.known) INGOT_TRY(check_view(n, in.shape, out.shape));
  }
  return {};
}

void Binder::classify_steps() {
  dynamic_.assign(graph_.num_values(), 0);
  shared_with_.assign(graph_.num_values(), kNoValue);
  // Views of dynamic values, and values of unknown size, are dynamic; so is all that control flow makes, and objects,
  // which the arena does not construct.
  for (NodeId id : graph_.order()) {
    const Node& n = graph_.node(id);
    const int flags = op_schema(n.op).flags;
    bool dynamic = flags & kOpControl;
    for (ValueId v : n.outputs) dynamic |= !bound(v).known || holds_objects(graph_.value(v).type.dtype);
    if (flags & kOpView) dynamic |= dynamic_[static_cast<size_t>(n.inputs[0])] != 0;
    for (ValueId v : n.outputs) dynamic_[static_cast<size_t>(v)] = dynamic;
  }
  out_.steps.resize(plan_.steps().size());
  scratch_bytes_.assign(plan_.steps().size(), 0);
  for (size_t s = 0; s < plan_.steps().size(); ++s) {
    const Step& step = plan_.steps()[s];
    const Node& n = graph_.node(step.node);
    BoundStep& b = out_.steps[s];
    b.step = s;
    for (ValueId v : n.inputs) b.dynamic |= v != kNoValue && (dynamic_[static_cast<size_t>(v)] || !bound(v).known);
    for (ValueId v : n.outputs) b.dynamic |= dynamic_[static_cast<size_t>(v)] != 0;
    if (b.dynamic) continue;
    const auto in = views(n.inputs), out = views(n.outputs);
    const BoundShapes shapes{n, in, out, num_threads_, step.kernel.prepared.get()};
    b.parallel = num_threads_ > 1 && step.kernel.work && step.kernel.work(shapes) >= kParallelWorkMin;
    if (step.kernel.scratch_bytes)
      scratch_bytes_[s] = step.kernel.scratch_bytes({n, in, out, b.parallel ? num_threads_ : 1, shapes.prepared});
  }
}

std::vector<TensorView> Binder::views(std::span<const ValueId> ids) const {
  std::vector<TensorView> out;
  for (ValueId v : ids) {
    if (v == kNoValue)
      out.push_back({});
    else
      out.push_back({graph_.value(v).type.dtype, bound(v).shape, nullptr});
  }
  return out;
}

void Binder::find_lifetimes() {
  life_.assign(graph_.num_values(), {});
  const int end = static_cast<int>(plan_.steps().size());
  for (int s = 0; s < end; ++s) {
    const Node& n = graph_.node(plan_.steps()[static_cast<size_t>(s)].node);
    for (ValueId v : n.inputs)
      if (v != kNoValue && in_arena(plan_.root(v))) {
        // A branch may answer with a view of what it captured, which then lives as long as the answer.
        const bool control = op_schema(n.op).flags & kOpControl;
        int& last = life_[static_cast<size_t>(plan_.root(v))].last;
        last = control ? end : std::max(last, s);
      }
    for (ValueId v : n.outputs) {
      if (!in_arena(v) || plan_.root(v) != v) continue;
      life_[static_cast<size_t>(v)] = {s, s, bytes_of(v)};
    }
  }
  for (ValueId v : graph_.outputs())
    if (in_arena(plan_.root(v))) life_[static_cast<size_t>(plan_.root(v))].last = end;
}

void Binder::share_in_place() {
  for (size_t s = 0; s < plan_.steps().size(); ++s) {
    const Step& step = plan_.steps()[s];
    const Node& n = graph_.node(step.node);
    if (!step.kernel.inplace_inputs || !in_arena(n.outputs[0])) continue;
    const ValueId out = n.outputs[0];
    for (size_t i = 0; i < n.inputs.size() && i < 32; ++i) {
      if (!(step.kernel.inplace_inputs >> i & 1) || n.inputs[i] == kNoValue) continue;
      const ValueId source = plan_.root(n.inputs[i]);
      if (!in_arena(source) || source == out) continue;
      const ValueId b = block(source);
      Life& life = life_[static_cast<size_t>(b)];
      if (life_[static_cast<size_t>(source)].last != static_cast<int>(s) || life.last != static_cast<int>(s) ||
          life.bytes != life_[static_cast<size_t>(out)].bytes)
        continue;
      // Another operand that shares the block must not be read after it is overwritten elsewhere.
      bool twice = false;
      for (size_t j = 0; j < n.inputs.size(); ++j)
        twice |= j != i && n.inputs[j] != kNoValue && in_arena(plan_.root(n.inputs[j])) && block(n.inputs[j]) == b &&
                 !(bound(n.inputs[j]).shape == bound(n.inputs[i]).shape);
      if (twice) continue;
      shared_with_[static_cast<size_t>(out)] = b;
      life.last = life_[static_cast<size_t>(out)].last;
      break;
    }
  }
}

void Binder::lay_out() {
  std::vector<ArenaBlock> blocks;
  std::vector<ValueId> owners;
  for (size_t i = 0; i < life_.size(); ++i) {
    if (life_[i].first < 0 || shared_with_[i] != kNoValue) continue;
    blocks.push_back({life_[i].bytes, life_[i].first, life_[i].last, 0});
    owners.push_back(ValueId{static_cast<int32_t>(i)});
  }
  const size_t num_values = blocks.size();
  std::vector<size_t> scratch_steps;
  for (size_t s = 0; s < scratch_bytes_.size(); ++s) {
    if (!scratch_bytes_[s]) continue;
    blocks.push_back({scratch_bytes_[s], static_cast<int>(s), static_cast<int>(s), 0});
    scratch_steps.push_back(s);
  }
  out_.arena_bytes = lay_out_arena(blocks);
  for (size_t i = 0; i < num_values; ++i) out_.values[static_cast<size_t>(owners[i])].offset = blocks[i].offset;
  for (size_t i = 0; i < scratch_steps.size(); ++i)
    out_.steps[scratch_steps[i]].scratch_offset = blocks[num_values + i].offset;
  for (size_t i = 0; i < out_.values.size(); ++i) {
    const ValueId v{static_cast<int32_t>(i)};
    if (graph_.value(v).kind == ValueKind::kNode && in_arena(plan_.root(v)) && out_.values[i].known) {
      out_.values[i].block = block(v);
      out_.values[i].offset = bound(block(v)).offset;
    }
  }
}

// Walks the steps with the memory touched since the last barrier. Two steps that both run on thread 0 need none.
void Binder::place_barriers() {
  struct Touch {
    int64_t begin, end;  // arena bytes; a state v is [-2-v, -1-v)
    bool write, parallel;
  };
  std::vector<Touch> since, mine;
  bool after_dynamic = false;
  for (size_t s = 0; s < plan_.steps().size(); ++s) {
    const Step& step = plan_.steps()[s];
    const Node& n = graph_.node(step.node);
    BoundStep& b = out_.steps[s];
    if (!b.dynamic && is_view(s)) continue;
    mine.clear();
    auto touch = [&](ValueId v, bool write) {
      if (v == kNoValue) return;
      const int64_t id = static_cast<int64_t>(plan_.root(v));
      if (graph_.value(plan_.root(v)).kind == ValueKind::kState)
        mine.push_back({-2 - id, -1 - id, true, b.parallel});
      else if (bound(v).offset != kUnplaced)
        mine.push_back({bound(v).offset, bound(v).offset + static_cast<int64_t>(bytes_of(v)), write, b.parallel});
    };
    for (ValueId v : n.inputs) touch(v, false);
    for (ValueId v : n.outputs) touch(v, true);
    if (b.scratch_offset != kUnplaced)
      mine.push_back({b.scratch_offset, b.scratch_offset + static_cast<int64_t>(scratch_bytes_[s]), true, b.parallel});
    bool conflict = b.dynamic || after_dynamic;
    for (const Touch& a : since)
      for (const Touch& m : mine)
        conflict |= (a.parallel || m.parallel) && (a.write || m.write) && a.begin < m.end && m.begin < a.end;
    if (conflict) {
      b.barrier_before = num_threads_ > 1;
      since.clear();
    }
    since.insert(since.end(), mine.begin(), mine.end());
    after_dynamic = b.dynamic;
  }
}

}  // namespace

Result<void> check_size(std::string_view name, DType dtype, const Shape& shape) {
  double elements = 1;
  for (int64_t d : shape) {
    if (d < 0) return invalid("[run] value '{}' would have the shape {}", name, shape.to_string());
    elements *= static_cast<double>(std::max<int64_t>(d, 1));
  }
  if (elements <= static_cast<double>(limits::kTensorElementsMax)) return {};
  return error(Code::kResourceExhausted, "[run] value '{}' would be {}{}, over the limit of 2^46 elements", name,
               dtype_name(dtype), shape.to_string());
}

Result<void> check_view(const Node& node, const Shape& in, const Shape& out) {
  if (in.num_elements() == out.num_elements()) return {};
  return invalid("[run] {} '{}': {} cannot be seen as {}: {} elements are not {}", op_name(node.op), node.name,
                 in.to_string(), out.to_string(), in.num_elements(), out.num_elements());
}

Result<std::shared_ptr<const Binding>> bind(const Plan& plan, std::span<const Shape> input_shapes,
                                            std::span<const Shape> state_shapes, int num_threads) {
  return Binder(plan, num_threads).run(input_shapes, state_shapes);
}

}  // namespace ingot
