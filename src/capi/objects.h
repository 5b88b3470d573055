// What stands behind each kind of handle, and how a function of the interface begins and ends.
//
//   ingot_status* ingot_x(ingot_session* session, …) {
//     return entry([&]() -> Result<void> {
//       const auto s = INGOT_TRY(object_of(session, "session"));
//       …
//     });
//   }
// Ownership: the table and running calls share the objects. Thread-safety: as ingot/types.h says of each handle; what
// several threads may touch at once is locked here.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "base/status.h"
#include "capi/handles.h"
#include "ingot/ingot.h"
#include "tensor/tensor.h"

namespace ingot::capi {

struct TextObject {
  std::string text;
};

struct OptionsObject {
  std::map<std::string, std::string> values;  // judged by options.h
};

struct ValueObject {
  Tensor tensor;  // a container's elements, where the value is none itself
};

struct SessionObject;     // session.h
struct RunOptionsObject;  // run.h
struct BindingObject;     // run.h
struct LlmObject;         // llm.h
struct RequestObject;     // request.h
struct GenerationObject;  // generation.cc

// The object and kind behind each C type.
template <class C>
struct HandleOf;
#define INGOT_HANDLE(c_type, object, handle_kind)    \
  template <>                                        \
  struct HandleOf<c_type> {                          \
    using Object = object;                           \
    static constexpr Kind kKind = Kind::handle_kind; \
  }
INGOT_HANDLE(ingot_status, Status, kStatus);
INGOT_HANDLE(ingot_text, TextObject, kText);
INGOT_HANDLE(ingot_options, OptionsObject, kOptions);
INGOT_HANDLE(ingot_value, ValueObject, kValue);
INGOT_HANDLE(ingot_session, SessionObject, kSession);
INGOT_HANDLE(ingot_run_options, RunOptionsObject, kRunOptions);
INGOT_HANDLE(ingot_binding, BindingObject, kBinding);
INGOT_HANDLE(ingot_llm, LlmObject, kLlm);
INGOT_HANDLE(ingot_request, RequestObject, kRequest);
INGOT_HANDLE(ingot_generation, GenerationObject, kGeneration);
#undef INGOT_HANDLE

template <class C>
using ObjectOf = typename HandleOf<C>::Object;

// Null for a handle that is none.
template <class C>
std::shared_ptr<ObjectOf<C>> find_object(const C* handle) {
  return std::static_pointer_cast<ObjectOf<C>>(HandleTable::global().find(HandleOf<C>::kKind, handle));
}

// Errors: kInvalidArgument naming the argument.
template <class C>
Result<std::shared_ptr<ObjectOf<C>>> object_of(const C* handle, std::string_view argument) {
  if (!handle) return invalid("[capi] argument '{}' is NULL", argument);
  auto object = find_object(handle);
  if (!object)
    return invalid("[capi] argument '{}' is not a live handle of its kind: released, or another one", argument);
  return object;
}

template <class C>
C* make_handle(std::shared_ptr<ObjectOf<C>> object) {
  return static_cast<C*>(HandleTable::global().add(HandleOf<C>::kKind, std::move(object)));
}

template <class C>
void release_handle(const C* handle) noexcept {
  (void)HandleTable::global().remove(HandleOf<C>::kKind, handle);
}

template <class T>
Result<void> check_pointer(T* pointer, std::string_view argument) {
  if (!pointer) return invalid("[capi] argument '{}' is NULL", argument);
  return {};
}

// Says so without memory: not in the table (its kind is none), nothing to release.
inline ingot_status* const kOutOfMemory = reinterpret_cast<ingot_status*>(~uintptr_t{0});

// Null for success. Throws std::bad_alloc.
ingot_status* status_handle(Result<void> result);

// Runs the body of a function; what it throws becomes a status.
template <class F>
ingot_status* entry(F&& f) noexcept {
  try {
    return status_handle(guarded("capi", [&]() -> Result<void> { return f(); }));
  } catch (...) {  // no memory for the message either
    return kOutOfMemory;
  }
}

// A struct that the caller owns and this library fills: `size` says how much of it he knows.
// Errors: kInvalidArgument.
template <class T>
Result<void> check_struct(const T* to, std::string_view argument) {
  INGOT_TRY(check_pointer(to, argument));
  if (to->size < sizeof(size_t) || to->size > 4096)
    return invalid("[capi] argument '{0}': its size is {1}: set {0}->size to the struct's size", argument, to->size);
  return {};
}
template <class T>
Result<void> fill(T* to, T filled, std::string_view argument) {
  INGOT_TRY(check_struct(to, argument));
  const size_t bytes = to->size;
  filled.size = bytes;
  std::copy_n(reinterpret_cast<const std::byte*>(&filled), std::min(bytes, sizeof(T)),
              reinterpret_cast<std::byte*>(to));
  return {};
}

// Types of the interface and of the engine. nullopt: no such type.
std::optional<DType> dtype_of(ingot_dtype dtype);
ingot_dtype dtype_number(
    DType dtype);  // 0 for containers, and for quantized blocks, which no value of the interface has
ingot_value_kind kind_of(DType dtype);

}  // namespace ingot::capi
