#include "capi/run.h"

#include <chrono>

#include "capi/memory.h"
#include "capi/options.h"
#include "formats/printable.h"

namespace ingot::capi {
namespace {

using std::chrono::steady_clock;

struct Bytes {
  const std::byte *begin, *end;
  static Bytes of(const TensorView& t) {
    const auto* data = t.as<std::byte>();
    return {data, data + t.num_bytes()};
  }
  bool overlaps(const Bytes& o) const { return begin < o.end && o.begin < end; }
};

// Results are written while inputs are still read.
Result<void> check_overlaps(const SessionObject& session, const std::vector<std::shared_ptr<ValueObject>>& inputs,
                            const std::vector<Target>& targets) {
  for (size_t t = 0; t < targets.size(); ++t) {
    if (!targets[t].given) continue;
    const std::string& name = session.outputs.list()[targets[t].output].name;
    const Bytes mine = Bytes::of(targets[t].given->tensor);
    for (size_t i = 0; i < inputs.size(); ++i)
      if (mine.overlaps(Bytes::of(inputs[i]->tensor)))
        return invalid("[capi] the memory given for output '{}' overlaps input '{}'", printable(name),
                       printable(session.inputs.list()[i].name));
    for (size_t o = 0; o < t; ++o)
      if (targets[o].given && mine.overlaps(Bytes::of(targets[o].given->tensor)))
        return invalid("[capi] the memory given for output '{}' overlaps that of output '{}'", printable(name),
                       printable(session.outputs.list()[targets[o].output].name));
  }
  return {};
}

Result<Tensor> allocate_with(const ingot_allocator& a, DType dtype, const Shape& shape) {
  if (!a.allocate || holds_objects(dtype)) return allocate_tensor(dtype, shape);
  const size_t bytes = std::max<size_t>(TensorView{dtype, shape, nullptr}.num_bytes(), 1);
  void* data = a.allocate(a.context, bytes);
  if (!data) return error(Code::kResourceExhausted, "[capi] the allocator has no {} bytes", bytes);
  return Tensor({dtype, shape, data}, std::shared_ptr<void>(data, [a, bytes](void* memory) {
                  if (a.free) a.free(a.context, memory, bytes);
                }));
}

Result<void*> place(const SessionObject& session, std::vector<Target>& targets, size_t output, DType dtype,
                    const Shape& shape) {
  const auto target = std::ranges::find(targets, output, &Target::output);
  if (target == targets.end()) return nullptr;
  if (target->given) {
    Tensor& given = target->given->tensor;
    if (given.dtype() != dtype || !(given.shape() == shape))
      return invalid("[capi] output '{}': the value given is {}{}, the result is {}{}",
                     printable(session.outputs.list()[output].name), dtype_name(given.dtype()),
                     given.shape().to_string(), dtype_name(dtype), shape.to_string());
    target->result = target->given;
  } else {
    target->result =
        std::make_shared<ValueObject>(ValueObject{INGOT_TRY(allocate_with(target->allocator, dtype, shape))});
  }
  return target->result->tensor.mutable_as<void>();
}

void keep_profile(RunOptionsObject& options, const Profile& profile) {
  std::vector<ProfiledStep> steps;
  for (const StepTime& s : profile.steps) {
    const Step& step = s.plan->steps()[s.step];
    const Node& n = s.plan->graph().node(step.node);
    steps.push_back({n.name, std::string(op_name(n.op)), step.kernel.name, s.nanoseconds});
  }
  const std::lock_guard lock(options.mutex);
  options.steps = std::move(steps);
}

RunOptions run_options(RunOptionsObject* o) {
  RunOptions out;
  if (!o) return out;
  out.cancelled = &o->cancelled;
  if (const double ms = o->timeout_ms.load(); ms > 0)
    out.deadline = steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(
                                             std::chrono::duration<double, std::milli>(std::min(ms, 1e12)));
  out.alone = o->alone.load();
  const std::lock_guard lock(o->mutex);
  out.go_on = o->go_on;
  return out;
}

}  // namespace

Result<void> run_session(SessionObject& session, RunOptionsObject* options,
                         const std::vector<std::shared_ptr<ValueObject>>& inputs, std::vector<Target>& targets) {
  std::vector<TensorView> views;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i]) return invalid("[capi] input '{}' is missing", printable(session.inputs.list()[i].name));
    views.push_back(inputs[i]->tensor);
  }
  INGOT_TRY(check_overlaps(session, inputs, targets));
  Profile profile;
  const bool profiled = options && options->profile.load();
  const OutputPlacer placer = [&](size_t output, DType dtype, const Shape& shape) {
    return place(session, targets, output, dtype, shape);
  };
  INGOT_TRY(session.session->run_into(views, placer, profiled ? &profile : nullptr, run_options(options)));
  if (profiled) keep_profile(*options, profile);
  return {};
}

namespace {

// The named values in the model's order.
Result<std::vector<std::shared_ptr<ValueObject>>> inputs_of(const SessionObject& session, const char* const* names,
                                                            const ingot_value* const* values, size_t count) {
  std::vector<std::shared_ptr<ValueObject>> inputs(session.inputs.list().size());
  if (count > 0) INGOT_TRY(check_pointer(names, "input_names"));
  if (count > 0) INGOT_TRY(check_pointer(values, "inputs"));
  for (size_t i = 0; i < count; ++i) {
    INGOT_TRY(check_pointer(names[i], "input_names"));
    auto& place = inputs[INGOT_TRY(session.inputs.index_of(names[i], "input"))];
    if (place) return invalid("[capi] input '{}' is given twice", printable(names[i]));
    place = INGOT_TRY(object_of(values[i], "inputs"));
  }
  return inputs;
}

Result<std::vector<Target>> targets_of(const SessionObject& session, const char* const* names, size_t count,
                                       ingot_value* const* outputs) {
  const size_t all = session.outputs.list().size();
  if (!names && count != all)
    return invalid("[capi] argument 'num_outputs': {} without names, the model has {} outputs", count, all);
  if (count > 0) INGOT_TRY(check_pointer(outputs, "outputs"));
  std::vector<Target> targets(count);
  for (size_t i = 0; i < count; ++i) {
    Target& t = targets[i];
    if (names) INGOT_TRY(check_pointer(names[i], "output_names"));
    t.output = names ? INGOT_TRY(session.outputs.index_of(names[i], "output")) : i;
    for (size_t o = 0; o < i; ++o)
      if (targets[o].output == t.output) return invalid("[capi] output '{}' is asked for twice", printable(names[i]));
    if (outputs[i]) t.given = INGOT_TRY(object_of(outputs[i], "outputs"));
  }
  return targets;
}

}  // namespace
}  // namespace ingot::capi

using namespace ingot;        // NOLINT(google-build-using-namespace): this file is their C side
using namespace ingot::capi;  // NOLINT(google-build-using-namespace)

ingot_status* ingot_session_run(ingot_session* session, ingot_run_options* options, const char* const* input_names,
                                const ingot_value* const* inputs, size_t num_inputs, const char* const* output_names,
                                size_t num_outputs, ingot_value** outputs) {
  return entry([&]() -> Result<void> {
    const auto s = INGOT_TRY(object_of(session, "session"));
    const auto o = options ? INGOT_TRY(object_of(options, "options")) : nullptr;
    const auto in = INGOT_TRY(inputs_of(*s, input_names, inputs, num_inputs));
    auto targets = INGOT_TRY(targets_of(*s, output_names, num_outputs, outputs));
    INGOT_TRY(run_session(*s, o.get(), in, targets));
    std::vector<ingot_value*> made(targets.size());
    for (size_t i = 0; i < targets.size(); ++i)
      if (!targets[i].given) made[i] = make_handle<ingot_value>(targets[i].result);
    for (size_t i = 0; i < targets.size(); ++i)
      if (made[i]) outputs[i] = made[i];
    return {};
  });
}

ingot_status* ingot_run_options_create(ingot_run_options** options) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(options, "options"));
    *options = make_handle<ingot_run_options>(std::make_shared<RunOptionsObject>());
    return {};
  });
}

void ingot_run_options_release(ingot_run_options* options) { release_handle(options); }

ingot_status* ingot_run_options_set_timeout_ms(ingot_run_options* options, double timeout_ms) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(object_of(options, "options"))->timeout_ms = timeout_ms;
    return {};
  });
}

ingot_status* ingot_run_options_set_threads(ingot_run_options* options, int threads) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(options, "options"));
    if (threads != 0 && threads != 1)
      return invalid("[capi] argument 'threads': {} is neither 0 (the session's) nor 1 (the calling one)", threads);
    object->alone = threads == 1;
    return {};
  });
}

ingot_status* ingot_run_options_cancel(ingot_run_options* options) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(object_of(options, "options"))->cancelled = true;
    return {};
  });
}

ingot_status* ingot_run_options_resume(ingot_run_options* options) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(object_of(options, "options"))->cancelled = false;
    return {};
  });
}

ingot_status* ingot_run_options_set_poll(ingot_run_options* options, int (*go_on)(void* context), void* context) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(options, "options"));
    const std::lock_guard lock(object->mutex);
    object->go_on = nullptr;
    if (go_on) object->go_on = [go_on, context] { return go_on(context) != 0; };
    return {};
  });
}

ingot_status* ingot_run_options_set_profile(ingot_run_options* options, int on) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(object_of(options, "options"))->profile = on != 0;
    return {};
  });
}

size_t ingot_run_options_num_steps(const ingot_run_options* options) {
  const auto object = find_object(options);
  if (!object) return 0;
  const std::lock_guard lock(object->mutex);
  return object->steps.size();
}

ingot_status* ingot_run_options_get_step(const ingot_run_options* options, size_t index, ingot_step* step) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(options, "options"));
    const std::lock_guard lock(object->mutex);
    if (index >= object->steps.size())
      return error(Code::kOutOfRange, "[capi] argument 'index': {} of {}", index, object->steps.size());
    const ProfiledStep& s = object->steps[index];
    return fill(step,
                ingot_step{.size = sizeof(ingot_step),
                           .node = s.node.c_str(),
                           .op = s.op.c_str(),
                           .kernel = s.kernel.c_str(),
                           .nanoseconds = s.nanoseconds},
                "step");
  });
}
