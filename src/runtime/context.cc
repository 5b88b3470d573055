#include "runtime/context.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <new>

#include "base/guarded.h"
#include "base/memory.h"
#include "ir/infer.h"

namespace ingot {
namespace {

constexpr size_t kNoFailure = std::numeric_limits<size_t>::max();
constexpr size_t kBindingsMax = 32;

constexpr std::string_view kSmallerInputs = "give smaller inputs, or a smaller batch";

// Errors: kResourceExhausted before a machine without that much memory is asked for it.
Result<std::shared_ptr<std::byte>> allocate_arena(size_t bytes) {
  INGOT_TRY(check_memory("this run", static_cast<double>(bytes), kSmallerInputs));
  auto memory = std::static_pointer_cast<std::byte>(allocate_pages(bytes));
  if (!memory) return error(Code::kResourceExhausted, "[run] cannot reserve {} bytes: {}", bytes, kSmallerInputs);
  return memory;
}

}  // namespace

ExecutionContext::ExecutionContext(std::shared_ptr<const Plan> plan, ThreadPool& pool)
    : plan_(std::move(plan)), pool_(pool), nested_(plan_->steps().size()), failed_step_(kNoFailure) {
  dynamic_.resize(plan_->graph().num_values());
  for (size_t s = 0; s < nested_.size(); ++s)
    for (const auto& sub : plan_->steps()[s].subplans)
      nested_[s].push_back(std::make_unique<ExecutionContext>(sub, pool));
}

ExecutionContext::~ExecutionContext() = default;

Result<std::shared_ptr<const Binding>> ExecutionContext::find_binding(std::span<const Shape> inputs,
                                                                      std::span<const Shape> states) {
  for (auto it = bindings_.begin(); it != bindings_.end(); ++it) {
    if (!std::ranges::equal(it->shapes, inputs)) continue;
    bindings_.splice(bindings_.begin(), bindings_, it);
    return it->binding;
  }
  auto binding = INGOT_TRY(bind(*plan_, inputs, states, pool_.size()));
  bindings_.push_front({{inputs.begin(), inputs.end()}, binding});
  if (bindings_.size() > kBindingsMax) bindings_.pop_back();
  return binding;
}

Result<void> ExecutionContext::bind_inputs(std::span<const TensorView> inputs, std::span<const TensorRef> states,
                                           const OutputPlacer* place) {
  const Graph& g = plan_->graph();
  if (inputs.size() != g.inputs().size())
    return invalid("[run] {} inputs given, the model has {}", inputs.size(), g.inputs().size());
  input_shapes_.clear();
  state_shapes_.clear();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& v = g.value(g.inputs()[i]);
    if (inputs[i].dtype != v.type.dtype)
      return invalid("[run] input '{}' is {}, the model wants {}", v.name, dtype_name(inputs[i].dtype),
                     v.type.to_string());
    // How long a sequence is decides nothing: one binding serves all.
    input_shapes_.push_back(is_container(v.type.dtype) ? Shape{} : inputs[i].shape);
  }
  for (const TensorRef& s : states) state_shapes_.push_back(s.shape);
  auto binding = INGOT_TRY(find_binding(input_shapes_, state_shapes_));
  const bool rebound = binding != binding_;
  binding_ = std::move(binding);
  if (binding_->arena_bytes > arena_bytes_) {
    auto arena = allocate_arena(binding_->arena_bytes);
    if (!arena) {
      binding_ = nullptr;
      return std::unexpected(arena.error());
    }
    arena_ = std::move(*arena);
    arena_bytes_ = binding_->arena_bytes;
  }
  views_.resize(g.num_values());
  const auto outputs_moved = place_outputs(place);
  if (!outputs_moved) {
    binding_ = nullptr;  // the next run places everything anew
    return std::unexpected(outputs_moved.error());
  }
  bool moved = rebound || *outputs_moved;
  auto set = [&](ValueId v, const TensorView& t) {
    TensorRef& view = views_[static_cast<size_t>(v)];
    moved |= view.data != t.data;
    view = {t.dtype, t.shape, const_cast<void*>(t.data)};
  };
  for (size_t i = 0; i < inputs.size(); ++i) set(g.inputs()[i], inputs[i]);
  for (size_t i = 0; i < states.size(); ++i) set(g.states()[i], states[i]);
  if (moved) {
    place_values();
    place_steps();
  }
  return {};
}

// True if an output moved.
Result<bool> ExecutionContext::place_outputs(const OutputPlacer* place) {
  if (!place) {
    const bool moved = !placed_.empty();
    placed_.clear();
    return moved;
  }
  const auto& outputs = plan_->graph().outputs();
  placing_.assign(outputs.size(), {});
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Value& value = plan_->graph().value(outputs[i]);
    const BoundValue& b = binding_->values[static_cast<size_t>(outputs[i])];
    if (b.offset == kUnplaced || holds_objects(value.type.dtype)) continue;
    if (std::ranges::find(placing_, b.block, &Placed::block) != placing_.end()) continue;
    if (void* data = INGOT_TRY((*place)(i, value.type.dtype, b.shape)))
      placing_[i] = {b.block, static_cast<std::byte*>(data)};
  }
  std::swap(placed_, placing_);
  return !std::ranges::equal(placed_, placing_, {}, &Placed::data, &Placed::data);
}

std::byte* ExecutionContext::block_data(ValueId v) const {
  const BoundValue& b = binding_->values[static_cast<size_t>(v)];
  if (b.offset == kUnplaced) return nullptr;
  for (const Placed& p : placed_)
    if (p.block == b.block) return p.data;
  return arena_.get() + b.offset;
}

Result<void> ExecutionContext::copy_outputs(const OutputPlacer& place) {
  for (size_t i = 0; i < placed_.size(); ++i) {
    if (placed_[i].block != kNoValue) continue;
    const TensorView from = output(i);
    void* to = INGOT_TRY(place(i, from.dtype, from.shape));
    if (!to) continue;
    copy_elements(from, {from.dtype, from.shape, to});
  }
  return {};
}

void ExecutionContext::place_values() {
  const Graph& g = plan_->graph();
  // Constants first: passes append them, so a view may come before the constant it shows.
  for (size_t i = 0; i < views_.size(); ++i) {
    const Value& value = g.value(ValueId{static_cast<int32_t>(i)});
    if (value.kind != ValueKind::kConstant) continue;
    views_[i] = {value.type.dtype, binding_->values[i].shape, const_cast<void*>(value.constant.view().data)};
  }
  for (size_t i = 0; i < views_.size(); ++i) {
    const ValueId v{static_cast<int32_t>(i)};
    const Value& value = g.value(v);
    if (value.kind != ValueKind::kNode) continue;
    const BoundValue& b = binding_->values[i];
    void* data = block_data(v);
    const ValueId root = plan_->root(v);
    if (root != v && g.value(root).kind != ValueKind::kNode) data = views_[static_cast<size_t>(root)].data;
    views_[i] = {value.type.dtype, b.shape, data};
  }
}

void ExecutionContext::place_steps() {
  steps_.resize(binding_->steps.size());
  for (size_t i = 0; i < steps_.size(); ++i) {
    const BoundStep& b = binding_->steps[i];
    const Node& n = plan_->graph().node(plan_->steps()[b.step].node);
    steps_[i].scratch = b.scratch_offset == kUnplaced ? nullptr : arena_.get() + b.scratch_offset;
    refresh_inputs(i);
    steps_[i].outputs.clear();
    for (ValueId v : n.outputs)
      steps_[i].outputs.push_back(v == kNoValue ? TensorRef{} : views_[static_cast<size_t>(v)]);
  }
}

void ExecutionContext::refresh_inputs(size_t index) {
  const Node& n = plan_->graph().node(plan_->steps()[binding_->steps[index].step].node);
  auto& in = steps_[index].inputs;
  in.clear();
  for (ValueId v : n.inputs) in.push_back(v == kNoValue ? TensorView{} : TensorView(views_[static_cast<size_t>(v)]));
}

Result<void> ExecutionContext::run(std::vector<StepTime>* profile, const RunOptions& options) {
  own_control_ = RunControl(options);
  failed_step_.store(kNoFailure, std::memory_order_relaxed);
  const bool any_parallel = std::any_of(binding_->steps.begin(), binding_->steps.end(),
                                        [](const BoundStep& b) { return b.parallel || b.dynamic; });
  try {
    if (options.alone || !any_parallel || pool_.size() == 1)
      walk(0, 1, profile);
    else
      pool_.run([&](int thread, int num_threads) { walk(thread, num_threads, profile); });
  } catch (const std::bad_alloc&) {  // of any thread
    return error(Code::kResourceExhausted, "[run] the memory is used up: {}", kSmallerInputs);
  }
  if (failed_step_.load(std::memory_order_relaxed) == kNoFailure) return {};
  return std::unexpected(failure_);
}

// A failure stops the steps after it. Threads must agree on what to skip, or a barrier would wait forever: they
// look only at failures before the last barrier, which all of them see. Serial steps all run on thread 0.
void ExecutionContext::walk(int thread, int num_threads, std::vector<StepTime>* profile) {
  size_t fence = 0;
  bool stopped = false;
  for (size_t i = 0; i < binding_->steps.size(); ++i) {
    const BoundStep& b = binding_->steps[i];
    if ((b.barrier_before || profile) && num_threads > 1) {
      pool_.barrier();
      fence = i;
    }
    if (thread == 0 && control_->may_stop())
      if (auto go_on = control_->check(); !go_on) record_failure(i, go_on.error());
    const size_t failed = failed_step_.load(std::memory_order_acquire);
    stopped |= failed < fence || (failed != kNoFailure && num_threads == 1);
    if (stopped) continue;
    const auto begin = profile ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
    run_step(i, thread, num_threads);
    if (!profile) continue;
    if (num_threads > 1) pool_.barrier();
    if (thread == 0)
      profile->push_back(
          {plan_.get(), b.step, std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin).count()});
  }
}

void ExecutionContext::run_step(size_t index, int thread, int num_threads) {
  const BoundStep& b = binding_->steps[index];
  if (!b.dynamic) {
    if (b.parallel)
      run_kernel(index, b, thread, num_threads, true);
    else if (thread == 0)
      run_kernel(index, b, 0, 1, false);
    return;
  }
  if (!plan_->steps()[b.step].subplans.empty()) return run_control(index, thread, num_threads);
  if (thread == 0) {
    const auto parallel = guarded("run", [&]() -> Result<bool> { return prepare_dynamic(index); });
    if (!parallel) record_failure(index, parallel.error());
    steps_[index].parallel = parallel.value_or(false) && num_threads > 1;
  }
  if (num_threads > 1) pool_.barrier();
  if (!plan_->steps()[b.step].kernel.run || failed_step_.load(std::memory_order_acquire) == index) return;
  if (steps_[index].parallel)
    run_kernel(index, b, thread, num_threads, true);
  else if (thread == 0)
    run_kernel(index, b, 0, 1, false);
}

namespace {
struct HookOwner {
  ExecutionContext* context;
  size_t index;
};
}  // namespace

void ExecutionContext::run_kernel(size_t index, const BoundStep& b, int thread, int num_threads, bool parallel) {
  const Step& step = plan_->steps()[b.step];
  StepState& s = steps_[index];
  HookOwner owner{this, index};
  KernelContext context{plan_->graph().node(step.node),
                        step.kernel.prepared.get(),
                        s.inputs,
                        s.outputs,
                        s.scratch,
                        thread,
                        parallel ? num_threads : 1,
                        {&owner, hook_barrier, hook_allocate, hook_fail}};
  const auto ran = guarded("run", [&]() -> Result<void> {
    step.kernel.run(context);
    return {};
  });
  if (!ran) record_failure(index, ran.error());
}

// Thread 0: shapes and memory of a step whose sizes the data decided. Returns whether all threads shall run it.
bool ExecutionContext::prepare_dynamic(size_t index) {
  refresh_inputs(index);
  if (auto ok = size_outputs(index); !ok) {
    record_failure(index, ok.error());
    return false;
  }
  const Kernel& kernel = plan_->steps()[binding_->steps[index].step].kernel;
  StepState& s = steps_[index];
  const Node& n = plan_->graph().node(plan_->steps()[binding_->steps[index].step].node);
  for (const TensorRef& out : s.outputs)
    if (!out.data) return false;
  s.dynamic_outputs.assign(s.outputs.begin(), s.outputs.end());
  const BoundShapes shapes{n, s.inputs, s.dynamic_outputs, pool_.size(), kernel.prepared.get()};
  const bool parallel = kernel.work && kernel.work(shapes) >= kParallelWorkMin;
  if (kernel.scratch_bytes) {
    const size_t bytes = kernel.scratch_bytes(shapes) + 1;
    if (bytes > s.dynamic_scratch_bytes) {
      auto scratch = allocate_arena(bytes);
      if (!scratch) {
        record_failure(index, scratch.error());
        return false;
      }
      s.dynamic_scratch = std::move(*scratch);
      s.dynamic_scratch_bytes = bytes;
    }
    s.scratch = s.dynamic_scratch.get();
  }
  return parallel;
}

// Runs inference on the real operands (small integers by value) and allocates what is then known. Outputs that
// stay unknown are left without memory: their kernel allocates them.
Result<void> ExecutionContext::size_outputs(size_t index) {
  const size_t plan_step = binding_->steps[index].step;
  const Node& n = plan_->graph().node(plan_->steps()[plan_step].node);
  StepState& s = steps_[index];
  std::vector<Tensor> tensors(s.inputs.size());
  std::vector<InferredValue> in(s.inputs.size()), out(n.outputs.size());
  for (size_t i = 0; i < in.size(); ++i) {
    if (n.inputs[i] == kNoValue) continue;
    // Borrowed for the length of this call.
    tensors[i] = Tensor(s.inputs[i], std::shared_ptr<const void>(s.inputs[i].data, [](const void*) {}));
    in[i] = {Type::of(s.inputs[i]), std::nullopt, s.inputs[i].data ? &tensors[i] : nullptr};
    in[i].type.elements = plan_->graph().value(n.inputs[i]).type.elements;
  }
  InferContext context(n, in, out);
  INGOT_TRY(infer_node(context));
  const bool is_view = op_schema(n.op).flags & kOpView;
  for (size_t i = 0; i < out.size(); ++i) {
    const ValueId v = n.outputs[i];
    TensorRef& view = views_[static_cast<size_t>(v)];
    const auto shape = out[i].type.concrete();
    view.data = nullptr;
    if (!shape && !(op_schema(n.op).flags & kOpAllocates))
      return invalid("[run] {} '{}': its operands do not tell the shape of its result", op_name(n.op), n.name);
    if (shape) {
      const Value& value = plan_->graph().value(v);
      INGOT_TRY(check_size(value.name, value.type.dtype, *shape));
      if (is_view) INGOT_TRY(check_view(n, s.inputs[0].shape, *shape));
      view.shape = *shape;
      if (is_view)
        view.data = const_cast<void*>(s.inputs[0].data);
      else if (binding_->values[static_cast<size_t>(v)].offset != kUnplaced)
        view.data = block_data(v);
      else
        view.data = INGOT_TRY(dynamic_memory(v, TensorView(view).num_bytes()));
    }
    s.outputs[i] = view;
  }
  return {};
}

Result<std::byte*> ExecutionContext::dynamic_memory(ValueId v, size_t bytes) {
  Dynamic& d = dynamic_[static_cast<size_t>(v)];
  const Value& value = plan_->graph().value(v);
  if (holds_objects(value.type.dtype)) {
    INGOT_TRY(check_memory("this run", static_cast<double>(bytes), kSmallerInputs));
    d.objects = Tensor::allocate(value.type.dtype, views_[static_cast<size_t>(v)].shape);
    return static_cast<std::byte*>(const_cast<void*>(d.objects.view().data));
  }
  if (bytes > d.bytes || !d.memory) {
    d.memory = INGOT_TRY(allocate_arena(bytes + 1));
    d.bytes = bytes;
  }
  return static_cast<std::byte*>(d.memory.get());
}

void ExecutionContext::record_failure(size_t step, Status status) {
  std::lock_guard lock(failure_mutex_);
  if (step >= failed_step_.load(std::memory_order_relaxed)) return;
  failure_ = std::move(status);
  failed_step_.store(step, std::memory_order_release);
}

void ExecutionContext::hook_barrier(void* owner) { static_cast<HookOwner*>(owner)->context->pool_.barrier(); }

void ExecutionContext::hook_allocate(void* owner, int output, const Shape& shape) {
  auto [context, index] = *static_cast<HookOwner*>(owner);
  const Node& n = context->plan_->graph().node(context->plan_->steps()[context->binding_->steps[index].step].node);
  const ValueId v = n.outputs[static_cast<size_t>(output)];
  TensorRef& view = context->views_[static_cast<size_t>(v)];
  view.shape = shape;
  auto memory = context->dynamic_memory(v, TensorView(view).num_bytes());
  if (!memory) {
    context->record_failure(index, memory.error());
    view.shape = Shape{0};  // the kernel sees no room and no data
    view.data = nullptr;
  } else {
    view.data = *memory;
  }
  context->steps_[index].outputs[static_cast<size_t>(output)] = view;
}

void ExecutionContext::hook_fail(void* owner, Status status) {
  const auto [context, index] = *static_cast<HookOwner*>(owner);
  context->record_failure(index, std::move(status));
}

}  // namespace ingot
