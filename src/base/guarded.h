// What is thrown becomes a Status: for threads that many requests share, where nothing may get past.
//
// The standard library throws when memory ends, and third parties throw what they like. A thread's loop wraps what it
// does for others in guarded(), so that one failure ends what it belongs to and not the process.
// Thread-safety: as f.
#pragma once

#include <exception>
#include <new>
#include <string_view>
#include <type_traits>

#include "base/status.h"

namespace ingot {

// f() is a Result. Errors besides its own: kResourceExhausted (std::bad_alloc), kInternal (all else that is thrown).
template <class F>
std::invoke_result_t<F> guarded(std::string_view tag, F&& f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return error(Code::kResourceExhausted, "[{}] memory ran out: ask for less at once", tag);
  } catch (const std::exception& e) {
    return error(Code::kInternal, "[{}] {}", tag, e.what());
  } catch (...) {
    return error(Code::kInternal, "[{}] something unknown was thrown", tag);
  }
}

}  // namespace ingot
