#include "base/cgroup.h"

#include <algorithm>
#include <fstream>
#include <vector>

namespace ingot {
namespace {

struct Group {
  std::string folder;
  bool v2 = false;
};

// The folders of the groups that limit `controller`, from the process's own up to each hierarchy's top. A folder
// that a container does not see is passed over: it has the group's own mounted as the top.
std::vector<Group> groups_of(const std::string& root, std::string_view controller) {
  const std::string mounts = root + "/sys/fs/cgroup";
  std::vector<Group> out;
  std::ifstream in(root + "/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {  // "hierarchy:controller,controller:/path"; v2: "0::/path"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && !("," + controllers + ",").contains("," + std::string(controller) + ",")) continue;
    std::vector<std::string> tops = {mounts, mounts + "/unified"};
    if (!v2) tops = {mounts + "/" + std::string(controller), mounts + "/" + controllers};
    std::string path = line.substr(second + 1);
    if (path.contains("..")) path.clear();  // outside of the name space
    while (!path.empty() && path.back() == '/') path.pop_back();
    while (true) {
      for (const std::string& top : tops) out.push_back({top + path, v2});
      if (path.empty()) break;
      path.resize(path.rfind('/') == path.npos ? 0 : path.rfind('/'));
    }
  }
  return out;
}

double cpus_of(const Group& g) {
  double quota = -1, period = -1;
  if (g.v2) {
    std::ifstream in(g.folder + "/cpu.max");  // "<quota us> <period us>" or "max <period us>"
    in >> quota >> period;
  } else {
    std::ifstream(g.folder + "/cpu.cfs_quota_us") >> quota;  // -1: none
    std::ifstream(g.folder + "/cpu.cfs_period_us") >> period;
  }
  return quota > 0 && period > 0 ? quota / period : std::numeric_limits<double>::infinity();
}

size_t memory_of(const Group& g) {
  const size_t limit = number_in_file(g.folder + (g.v2 ? "/memory.max" : "/memory.limit_in_bytes"));
  const size_t used = number_in_file(g.folder + (g.v2 ? "/memory.current" : "/memory.usage_in_bytes"));
  if (limit == kNoMemoryLimit || used == kNoMemoryLimit) return kNoMemoryLimit;
  // v1 counts a group's own pages under the plain name, and those of the groups inside it under total_.
  const size_t files = number_in_file(g.folder + "/memory.stat", g.v2 ? "inactive_file" : "total_inactive_file");
  const size_t firm = used - std::min(used, files == kNoMemoryLimit ? 0 : files);
  return limit - std::min(limit, firm);
}

}  // namespace

size_t number_in_file(const std::string& path, std::string_view key) {
  std::ifstream in(path);
  std::string word;
  while (in >> word) {
    if (!key.empty() && word != key) continue;
    if (!key.empty() && !(in >> word)) break;
    const bool number = word.find_first_not_of("0123456789") == word.npos && word.size() < 20;
    return number ? std::stoull(word) : kNoMemoryLimit;
  }
  return kNoMemoryLimit;
}

double cgroup_cpus(const std::string& root) {
  double least = std::numeric_limits<double>::infinity();
  for (const Group& g : groups_of(root, "cpu")) least = std::min(least, cpus_of(g));
  return least;
}

size_t cgroup_memory_free(const std::string& root) {
  size_t least = kNoMemoryLimit;
  for (const Group& g : groups_of(root, "memory")) least = std::min(least, memory_of(g));
  return least;
}

}  // namespace ingot
