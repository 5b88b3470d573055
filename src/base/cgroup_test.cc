#include "base/cgroup.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/thread_pool.h"

namespace ingot {
namespace {

namespace fs = std::filesystem;

// A machine's /proc and /sys in a folder of their own.
class Cgroup : public testing::Test {
 protected:
  Cgroup() {
    std::string name = (fs::temp_directory_path() / "ingot-cgroup-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~Cgroup() override { fs::remove_all(root_); }
  void write(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  std::string root_;
};

TEST_F(Cgroup, without_groups_nothing_is_limited) {
  EXPECT_TRUE(std::isinf(cgroup_cpus(root_)));
  EXPECT_EQ(cgroup_memory_free(root_), kNoMemoryLimit);
}

TEST_F(Cgroup, v2_takes_the_least_from_the_own_group_up) {
  write("/proc/self/cgroup", "0::/system.slice/ingot.service/worker\n");
  write("/sys/fs/cgroup/system.slice/cpu.max", "400000 100000\n");
  write("/sys/fs/cgroup/system.slice/ingot.service/cpu.max", "150000 100000\n");
  write("/sys/fs/cgroup/system.slice/ingot.service/worker/cpu.max", "max 100000\n");
  write("/sys/fs/cgroup/other.slice/cpu.max", "10000 100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 1.5);
  write("/sys/fs/cgroup/system.slice/memory.max", "1000\n");
  write("/sys/fs/cgroup/system.slice/memory.current", "700\n");
  write("/sys/fs/cgroup/system.slice/memory.stat", "anon 500\ninactive_file 200\n");
  write("/sys/fs/cgroup/system.slice/ingot.service/memory.max", "max\n");
  write("/sys/fs/cgroup/system.slice/ingot.service/memory.current", "600\n");
  EXPECT_EQ(cgroup_memory_free(root_), 500U);
}

TEST_F(Cgroup, v2_in_a_container_is_at_the_mounts_top) {
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 2);
  write("/proc/self/cgroup", "0::/../../outside\n");
  EXPECT_EQ(cgroup_cpus(root_), 2);
}

TEST_F(Cgroup, v1_reads_quota_and_period_of_its_controller) {
  write("/proc/self/cgroup",
        "12:cpuset:/docker/ab\n4:cpu,cpuacct:/docker/ab\n3:memory:/docker/ab\n1:name=systemd:/docker/ab\n0::/docker/"
        "ab\n");
  write("/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_quota_us", "300000\n");
  write("/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_period_us", "100000\n");
  write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 3);
  // The container sees its own group as the top.
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1000\n");
  write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "900\n");
  write("/sys/fs/cgroup/memory/memory.stat", "inactive_file 0\ntotal_inactive_file 300\n");
  EXPECT_EQ(cgroup_memory_free(root_), 400U);
}

TEST_F(Cgroup, what_is_no_number_limits_nothing) {
  write("/proc/self/cgroup", "nonsense\n::\n0::\n0::no/slash\n");
  write("/sys/fs/cgroup/cpu.max", "-5 0\n");
  write("/sys/fs/cgroup/memory.max", "99999999999999999999999\n");
  EXPECT_TRUE(std::isinf(cgroup_cpus(root_)));
  EXPECT_EQ(cgroup_memory_free(root_), kNoMemoryLimit);
}

// The kernel refuses a mask that is smaller than the machine may be.
TEST(Affinity, asks_again_with_a_larger_mask) {
  EXPECT_EQ(affinity_cores(1), affinity_cores());
  EXPECT_GE(affinity_cores(), 1);
}

}  // namespace
}  // namespace ingot
