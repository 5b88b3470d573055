#include "runtime/session.h"

#include <algorithm>

#include "backends/evaluate.h"
#include "base/memory.h"
#include "plan/binding.h"

namespace ingot {
namespace {

// Folding a constant may not need more memory than this.
constexpr size_t kFoldBytesMax = size_t{1} << 30;

// A context keeps its arena; more at once than this is a burst, whose memory is given back.
constexpr size_t kIdleMax = 4;

}  // namespace

Result<PassReport> optimize(Graph& graph, const Backend& folder, const std::vector<std::string>& disabled_passes) {
  const Evaluator evaluator = [&folder](const Graph&, const Node& node, std::span<const Tensor> inputs) {
    return evaluate_node(folder, node, inputs, kFoldBytesMax);
  };
  return run_passes(graph, {.disabled = disabled_passes, .evaluator = evaluator});
}

Result<std::unique_ptr<Session>> Session::create(Graph graph, SessionOptions options) {
  INGOT_CHECK(options.pool != nullptr && !options.backends.empty());
  if (!options.optimized) INGOT_TRY(optimize(graph, *options.backends.back(), options.disabled_passes));
  auto plan = INGOT_TRY(compile(std::move(graph), {.backends = options.backends,
                                                   .pool = options.pool.get(),
                                                   .on_progress = options.on_progress,
                                                   .store = options.store.get()}));
  std::unique_ptr<Session> session(new Session(std::move(plan), std::move(options)));
  INGOT_TRY(session->allocate_states());
  return session;
}

Result<void> Session::allocate_states() {
  double total = 0;
  for (ValueId v : graph().states()) {
    const Value& value = graph().value(v);
    Shape shape;
    for (const Dim& d : *value.type.dims) {
      if (d.is_const()) {
        shape.push_back(d.value());
        continue;
      }
      const auto it = options_.state_symbols.find(d.to_string());
      if (it == options_.state_symbols.end())
        return invalid("[run] state '{}' has type {}, but no size is given for '{}'", value.name,
                       value.type.to_string(), d.to_string());
      shape.push_back(it->second);
    }
    TensorRef state{value.type.dtype, shape, nullptr};
    INGOT_TRY(check_size(value.name, value.type.dtype, shape));
    const size_t bytes = std::max<size_t>(state.num_bytes(), 1);
    total += static_cast<double>(bytes);
    INGOT_TRY(check_memory("the session's state", total, options_.state_advice));
    state_memory_.push_back(allocate_slow_pages(bytes));
    if (!state_memory_.back())
      return error(Code::kResourceExhausted, "[run] cannot reserve {} bytes for state '{}'", bytes, value.name);
    state.data = state_memory_.back().get();
    states_.push_back(state);
    state_bytes_ += bytes;
  }
  return {};
}

std::unique_ptr<ExecutionContext> Session::lease() {
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto context = std::move(idle_.back());
      idle_.pop_back();
      return context;
    }
  }
  return std::make_unique<ExecutionContext>(plan_, *options_.pool);
}

Result<void> Session::run_into(std::span<const TensorView> inputs, const OutputPlacer& place, Profile* profile,
                               const RunOptions& options) {
  INGOT_TRY(check_containers(inputs));
  const Outputs outputs(*this, lease());
  ExecutionContext& context = *outputs.context_;
  INGOT_TRY(context.bind_inputs(inputs, states_, &place));
  INGOT_TRY(context.run(profile ? &profile->steps : nullptr, options));
  return context.copy_outputs(place);
}

Result<void> Session::check_containers(std::span<const TensorView> inputs) const {
  for (size_t i = 0; i < std::min(inputs.size(), graph().inputs().size()); ++i) {
    const Value& v = graph().value(graph().inputs()[i]);
    if (!v.type.is_container()) continue;
    if (const std::string misfit = find_misfit(inputs[i], v.type); !misfit.empty())
      return invalid("[run] input '{}' ({}): {}", v.name, v.type.to_string(), misfit);
  }
  return {};
}

Result<Session::Outputs> Session::run(std::span<const TensorView> inputs, Profile* profile, const RunOptions& options) {
  INGOT_TRY(check_containers(inputs));
  Outputs outputs(*this, lease());
  INGOT_TRY(outputs.context_->bind_inputs(inputs, states_));
  INGOT_TRY(outputs.context_->run(profile ? &profile->steps : nullptr, options));
  return outputs;
}

size_t Session::idle_contexts() const {
  std::lock_guard lock(mutex_);
  return idle_.size();
}

void Session::give_back(std::unique_ptr<ExecutionContext> context) {
  std::lock_guard lock(mutex_);
  if (idle_.size() < kIdleMax) idle_.push_back(std::move(context));
}  // one too many is freed after the lock

}  // namespace ingot
