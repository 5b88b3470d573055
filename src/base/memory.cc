#include "base/memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>

namespace ingot {
namespace {

constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();

// The number after `key` in a file of "key number" lines; with key "" the file's first number. "max" is unlimited.
size_t number_in(const char* path, std::string_view key = "") {
  std::ifstream in(path);
  std::string word;
  while (in >> word) {
    if (!key.empty() && word != key) continue;
    size_t value = 0;
    if (key.empty())
      return word.find_first_not_of("0123456789") == word.npos && word.size() < 20 ? std::stoull(word) : kUnlimited;
    return in >> value ? value : kUnlimited;
  }
  return kUnlimited;
}

// File pages count as used but are given back on demand.
size_t group_free(const char* limit_path, const char* used_path, const char* stat_path) {
  const size_t limit = number_in(limit_path), used = number_in(used_path);
  if (limit == kUnlimited || used == kUnlimited) return kUnlimited;
  const size_t files = number_in(stat_path, "inactive_file");
  const size_t firm = used - std::min(used, files == kUnlimited ? 0 : files);
  return limit - std::min(limit, firm);
}

size_t address_space_free() {
  struct rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnlimited;
  const size_t kib = number_in("/proc/self/status", "VmSize:");
  const size_t used = kib == kUnlimited ? 0 : kib * 1024;
  return limit.rlim_cur - std::min<size_t>(limit.rlim_cur, used);
}

}  // namespace

size_t memory_bytes_available() {
  const size_t kib = number_in("/proc/meminfo", "MemAvailable:");
  size_t least = kib == kUnlimited ? kUnlimited : kib * 1024;
  least = std::min(
      least, group_free("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"));
  least =
      std::min(least, group_free("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                                 "/sys/fs/cgroup/memory/memory.usage_in_bytes", "/sys/fs/cgroup/memory/memory.stat"));
  return std::min(least, address_space_free());
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
