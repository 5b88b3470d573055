// What the control groups that this process is in (v1, v2, nested or mixed) leave it: processors and memory.
//
// A group's limit holds for the groups inside it, so the answer is the least from the process's own group up to the
// top. `root` stands before "/proc" and "/sys" (tests give a folder of their own). Thread-safety: pure functions; the
// answers are snapshots. Unreadable files count as no limit.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

namespace ingot {

constexpr size_t kNoMemoryLimit = std::numeric_limits<size_t>::max();

// Processors by quota / period; infinity without a quota.
double cgroup_cpus(const std::string& root = "");
// Bytes until the first limit; pages of files, which are given back on demand, count as free.
size_t cgroup_memory_free(const std::string& root = "");

// The number after `key` in a file of "key number" lines; with key "" the file's first number. Neither there nor a
// number: kNoMemoryLimit.
size_t number_in_file(const std::string& path, std::string_view key = "");

}  // namespace ingot
