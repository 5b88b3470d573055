// Control flow: a step whose node has subgraphs runs their plans in contexts of its own.
//
// Thread 0 chooses, binds and copies; all threads walk what it bound, between two barriers. Everything that thread 0
// does is guarded: no failure keeps the others waiting.
#include "base/guarded.h"
#include "runtime/context.h"

namespace ingot {

Result<void> ExecutionContext::bind_nested(ExecutionContext& nested, std::span<const TensorView> inputs) {
  nested.failed_step_.store(SIZE_MAX, std::memory_order_relaxed);
  nested.control_ = control_;
  return nested.bind_inputs(inputs, {});
}

void ExecutionContext::run_control(size_t index, int thread, int num_threads) {
  const Node& n = plan_->graph().node(plan_->steps()[binding_->steps[index].step].node);
  if (n.op == Op::kIf) return run_branch(index, thread, num_threads);
  run_iterations(index, thread, num_threads);
}

bool ExecutionContext::prepare_branch(size_t index) {
  const size_t plan_step = binding_->steps[index].step;
  StepState& s = steps_[index];
  s.chosen = -1;
  const auto ready = guarded("run", [&]() -> Result<void> {
    refresh_inputs(index);
    const Node& n = plan_->graph().node(plan_->steps()[plan_step].node);
    if (s.inputs[0].num_elements() != 1)
      return invalid("[run] If '{}': the condition has the shape {}, not one element", n.name,
                     s.inputs[0].shape.to_string());
    const std::string_view name = s.inputs[0].as<uint8_t>()[0] ? "then_branch" : "else_branch";
    size_t chosen = 0;
    while (n.subgraphs[chosen].first != name) ++chosen;  // inference saw to it that both are there
    INGOT_TRY(bind_nested(*nested_[plan_step][chosen], std::span(s.inputs).subspan(1)));
    s.chosen = static_cast<int>(chosen);
    return {};
  });
  if (!ready) record_failure(index, ready.error());
  return ready.has_value();
}

// If: its branch's outputs become this node's.
void ExecutionContext::run_branch(size_t index, int thread, int num_threads) {
  const size_t plan_step = binding_->steps[index].step;
  if (thread == 0) prepare_branch(index);
  if (num_threads > 1) pool_.barrier();
  if (steps_[index].chosen < 0) return;
  ExecutionContext& sub = *nested_[plan_step][static_cast<size_t>(steps_[index].chosen)];
  sub.walk(thread, num_threads, nullptr);
  if (num_threads > 1) pool_.barrier();
  if (thread != 0) return;
  if (sub.failed_step_.load(std::memory_order_acquire) != SIZE_MAX) return record_failure(index, sub.failure_);
  const Node& n = plan_->graph().node(plan_->steps()[plan_step].node);
  for (size_t i = 0; i < n.outputs.size(); ++i) {
    const TensorView t = sub.output(i);
    views_[static_cast<size_t>(n.outputs[i])] = {t.dtype, t.shape, const_cast<void*>(t.data)};
  }
}

bool ExecutionContext::prepare_iteration(size_t index, bool first) {
  const size_t plan_step = binding_->steps[index].step;
  StepState& s = steps_[index];
  s.chosen = -1;
  const auto ready = guarded("run", [&]() -> Result<void> {
    const Node& n = plan_->graph().node(plan_->steps()[plan_step].node);
    ExecutionContext& body = *nested_[plan_step][0];
    if (first) {
      refresh_inputs(index);
      if (!s.iterations) s.iterations = std::make_unique<Iterations>(n, body.plan_->graph());
      INGOT_TRY(s.iterations->begin(s.inputs));
    } else {
      INGOT_TRY(finish_iteration(index));
    }
    if (INGOT_TRY(s.iterations->next(*control_, s.body_inputs))) {
      INGOT_TRY(bind_nested(body, s.body_inputs));
      s.chosen = 0;
      return {};
    }
    for (size_t i = 0; i < n.outputs.size(); ++i) {
      const TensorView t = s.iterations->output(i);
      views_[static_cast<size_t>(n.outputs[i])] = {t.dtype, t.shape, const_cast<void*>(t.data)};
    }
    return {};
  });
  if (!ready) {
    record_failure(index, ready.error());
    s.chosen = -1;
  }
  return s.chosen == 0;
}

Result<void> ExecutionContext::finish_iteration(size_t index) {
  ExecutionContext& body = *nested_[binding_->steps[index].step][0];
  if (body.failed_step_.load(std::memory_order_acquire) != SIZE_MAX) return std::unexpected(body.failure_);
  return steps_[index].iterations->take([&](size_t i) { return body.output(i); });
}

void ExecutionContext::run_iterations(size_t index, int thread, int num_threads) {
  ExecutionContext& body = *nested_[binding_->steps[index].step][0];
  for (bool first = true;; first = false) {
    if (thread == 0) prepare_iteration(index, first);
    if (num_threads > 1) pool_.barrier();
    if (steps_[index].chosen < 0) return;
    body.walk(thread, num_threads, nullptr);
    if (num_threads > 1) pool_.barrier();
  }
}

}  // namespace ingot
