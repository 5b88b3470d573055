// Bindings of the C interface: values that stay bound to a session's inputs and outputs for run after run.
#include "capi/run.h"
#include "formats/printable.h"

namespace ingot::capi {

struct BindingObject {
  std::shared_ptr<SessionObject> session;
  std::vector<std::shared_ptr<ValueObject>> inputs;  // by the model's input; null: not bound
  std::vector<Target> targets;                       // of the bound outputs
};

}  // namespace ingot::capi

using namespace ingot;        // NOLINT(google-build-using-namespace): this file is their C side
using namespace ingot::capi;  // NOLINT(google-build-using-namespace)

ingot_status* ingot_binding_create(ingot_session* session, ingot_binding** binding) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(binding, "binding"));
    auto object = std::make_shared<BindingObject>();
    object->session = INGOT_TRY(object_of(session, "session"));
    object->inputs.resize(object->session->inputs.list().size());
    *binding = make_handle<ingot_binding>(std::move(object));
    return {};
  });
}

void ingot_binding_release(ingot_binding* binding) { release_handle(binding); }

ingot_status* ingot_binding_bind_input(ingot_binding* binding, const char* name, const ingot_value* value) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(binding, "binding"));
    INGOT_TRY(check_pointer(name, "name"));
    const size_t index = INGOT_TRY(object->session->inputs.index_of(name, "input"));
    object->inputs[index] = INGOT_TRY(object_of(value, "value"));
    return {};
  });
}

ingot_status* ingot_binding_bind_output(ingot_binding* binding, const char* name, const ingot_value* value,
                                        const ingot_allocator* allocator) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(binding, "binding"));
    INGOT_TRY(check_pointer(name, "name"));
    Target target{.output = INGOT_TRY(object->session->outputs.index_of(name, "output"))};
    if (value) target.given = INGOT_TRY(object_of(value, "value"));
    if (allocator) {
      if (allocator->size < sizeof(ingot_allocator) || !allocator->allocate)
        return invalid("[capi] argument 'allocator' has no allocate function, or not the size of an ingot_allocator");
      target.allocator = *allocator;
    }
    std::erase_if(object->targets, [&](const Target& t) { return t.output == target.output; });
    object->targets.push_back(std::move(target));
    return {};
  });
}

ingot_status* ingot_binding_clear_inputs(ingot_binding* binding) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(binding, "binding"));
    object->inputs.assign(object->inputs.size(), nullptr);
    return {};
  });
}

ingot_status* ingot_binding_clear_outputs(ingot_binding* binding) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(object_of(binding, "binding"))->targets.clear();
    return {};
  });
}

ingot_status* ingot_session_run_binding(ingot_session* session, ingot_run_options* options, ingot_binding* binding) {
  return entry([&]() -> Result<void> {
    const auto s = INGOT_TRY(object_of(session, "session"));
    const auto object = INGOT_TRY(object_of(binding, "binding"));
    const auto o = options ? INGOT_TRY(object_of(options, "options")) : nullptr;
    if (object->session != s) return invalid("[capi] argument 'binding' belongs to another session");
    for (Target& t : object->targets) t.result = nullptr;
    auto targets = object->targets;  // results appear when the run succeeded
    INGOT_TRY(run_session(*s, o.get(), object->inputs, targets));
    object->targets = std::move(targets);
    return {};
  });
}

ingot_status* ingot_binding_get_output(const ingot_binding* binding, const char* name, ingot_value** value) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(binding, "binding"));
    INGOT_TRY(check_pointer(name, "name"));
    INGOT_TRY(check_pointer(value, "value"));
    const size_t index = INGOT_TRY(object->session->outputs.index_of(name, "output"));
    const auto target = std::ranges::find(object->targets, index, &Target::output);
    if (target == object->targets.end() || !target->result)
      return error(Code::kFailedPrecondition, "[capi] output '{}' has no value: bind it and run the session",
                   printable(name));
    *value = make_handle<ingot_value>(target->result);
    return {};
  });
}
