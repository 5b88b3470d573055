// How much memory this process may still take, so that a request too large is refused instead of killed.
// Thread-safety: pure functions; the answer is a snapshot.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/status.h"

namespace ingot {

// The least of what the machine, the control groups (v1, v2) and RLIMIT_AS leave; SIZE_MAX if nothing says.
size_t memory_bytes_available();

// Errors: kResourceExhausted "[memory] <what> needs …, … are free: <fix>".
Result<void> check_memory(std::string_view what, double bytes, std::string_view fix);
// The same for allocations that are many: less than 1 MiB does not ask.
inline Result<void> check_memory_if_large(std::string_view what, double bytes, std::string_view fix) {
  return bytes < 1 << 20 ? Result<void>{} : check_memory(what, bytes, fix);
}

}  // namespace ingot
