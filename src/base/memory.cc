#include "base/memory.h"

#include <sys/resource.h>

#include <algorithm>

#include "base/cgroup.h"

namespace ingot {
namespace {

size_t address_space_free() {
  struct rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kNoMemoryLimit;
  const size_t kib = number_in_file("/proc/self/status", "VmSize:");
  const size_t used = kib == kNoMemoryLimit ? 0 : kib * 1024;
  return limit.rlim_cur - std::min<size_t>(limit.rlim_cur, used);
}

}  // namespace

size_t memory_bytes_available() {
  const size_t kib = number_in_file("/proc/meminfo", "MemAvailable:");
  const size_t machine = kib == kNoMemoryLimit ? kNoMemoryLimit : kib * 1024;
  return std::min({machine, cgroup_memory_free(), address_space_free()});
}

Result<void> check_memory(std::string_view what, double bytes, std::string_view fix) {
  constexpr double kMib = 1 << 20;
  if (bytes < 64 * kMib) return {};  // not worth the look
  const size_t available = memory_bytes_available();
  if (bytes <= static_cast<double>(available)) return {};
  return error(Code::kResourceExhausted, "[memory] {} needs {:.0f} MiB, {:.0f} MiB are free: {}", what, bytes / kMib,
               static_cast<double>(available) / kMib, fix);
}

}  // namespace ingot
