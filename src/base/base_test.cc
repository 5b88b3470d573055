#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>
#include <numeric>
#include <span>

#include "base/cpu_features.h"
#include "base/mapped_file.h"
#include "base/status.h"
#include "base/thread_pool.h"

namespace ingot {
namespace {

Result<int> half(int x) {
  if (x % 2) return invalid("[test] {} is odd", x);
  return x / 2;
}
Result<int> quarter(int x) {
  const int h = INGOT_TRY(half(x));
  return INGOT_TRY(half(h));
}

TEST(Status, try_passes_values_and_errors_through) {
  EXPECT_EQ(quarter(8).value(), 2);
  ASSERT_FALSE(quarter(6));
  EXPECT_EQ(quarter(6).error().message(), "[test] 3 is odd");
  EXPECT_EQ(quarter(6).error().code(), Code::kInvalidArgument);
}

TEST(MappedFile, names_the_file_that_cannot_be_read) {
  EXPECT_EQ(MappedFile::open("/no/such/file").error().code(), Code::kNotFound);
  EXPECT_EQ(MappedFile::open("/tmp").error().code(), Code::kInvalidArgument);
}

TEST(ThreadPool, runs_every_thread_once_and_lines_them_up) {
  for (int n : {1, 2, 5}) {
    ThreadPool pool(n);
    for (int round = 0; round < 200; ++round) {
      std::vector<int> first(n), second(n);
      pool.run([&](int t, int num) {
        ASSERT_EQ(num, n);
        first[t] = t + 1;
        pool.barrier();
        second[t] = std::accumulate(first.begin(), first.end(), 0);
      });
      for (int s : second) EXPECT_EQ(s, n * (n + 1) / 2);
    }
  }
}

TEST(ThreadPool, hands_an_exception_of_any_thread_to_the_caller_and_works_on) {
  for (int n : {1, 2, 3})
    for (int thrower = 0; thrower < n; ++thrower) {
      ThreadPool pool(n);
      std::atomic<int> passed = 0;
      EXPECT_THROW(pool.run([&](int t, int) {
        pool.barrier();
        if (t == thrower) throw std::bad_alloc();
        pool.barrier();  // where one never comes
        ++passed;
      }),
                   std::bad_alloc);
      EXPECT_LT(passed, n) << thrower;
      std::vector<int> seen(static_cast<size_t>(n));
      pool.run([&](int t, int) {
        pool.barrier();
        seen[static_cast<size_t>(t)] = 1;
        pool.barrier();
        EXPECT_EQ(std::accumulate(seen.begin(), seen.end(), 0), n);
      });
    }
}

// Threads of the process, from its status file.
int threads_alive() {
  std::ifstream in("/proc/self/status");
  for (std::string key; in >> key;)
    if (int n = 0; key == "Threads:" && in >> n) return n;
  return -1;
}

// In a child process: with room for a few stacks, asks for hundreds of threads.
[[noreturn]] void ask_for_too_many_threads() {
  const size_t pages = [] {
    size_t n = 0;
    std::ifstream("/proc/self/statm") >> n;
    return n;
  }();
  const rlimit limit{pages * 4096 + (100u << 20), RLIM_INFINITY};
  setrlimit(RLIMIT_AS, &limit);
  const auto pool = ThreadPool::create(500);
  const bool refused =
      !pool && pool.error().code() == Code::kResourceExhausted && pool.error().message().contains("500 threads");
  int calls = 0;
  ThreadPool(500).run([&](int, int) { ++calls; });
  std::_Exit(refused && threads_alive() == 1 && calls == 1 ? 0 : 1);
}

TEST(ThreadPoolDeathTest, says_so_when_the_system_gives_no_more_threads_and_leaves_none_behind) {
#ifdef INGOT_SANITIZED
  GTEST_SKIP() << "a sanitizer's memory does not fit a limited address space";
#endif
  EXPECT_EXIT(ask_for_too_many_threads(), testing::ExitedWithCode(0), "");
}

TEST(ThreadPool, lines_up_threads_that_share_a_core) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);  // the pool's threads inherit it
  std::array<int, 3> sums{};
  {
    ThreadPool pool(3);
    std::array<int, 3> mine{};
    pool.run([&](int t, int) {
      for (int round = 1; round <= 300; ++round) {
        mine[static_cast<size_t>(t)] = round;
        pool.barrier();
        for (int m : mine) sums[static_cast<size_t>(t)] += m == round;
        pool.barrier();
      }
    });
  }
  sched_setaffinity(0, sizeof(before), &before);
  for (int s : sums) EXPECT_EQ(s, 900);
}

TEST(Partition, covers_everything_once_in_order) {
  for (int64_t n : {0, 1, 7, 64, 1000})
    for (int threads : {1, 2, 3, 16})
      for (int64_t grain : {1, 4, 16}) {
        int64_t next = 0;
        for (int t = 0; t < threads; ++t) {
          const Range r = partition(n, t, threads, grain);
          EXPECT_EQ(r.begin, next);
          EXPECT_LE(r.begin, r.end);
          next = r.end;
        }
        EXPECT_EQ(next, n);
      }
}

constexpr Isa kX86Levels[] = {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16, Isa::kAmx};
constexpr Isa kArmLevels[] = {Isa::kBaseline, Isa::kNeon, Isa::kNeonDotprod, Isa::kNeonI8mm};

TEST(CpuFeatures, names_round_trip) {
  for (Isa isa : kX86Levels) EXPECT_EQ(isa_from_name(isa_name(isa)), isa);
  for (Isa isa : kArmLevels) EXPECT_EQ(isa_from_name(isa_name(isa)), isa);
  EXPECT_FALSE(isa_from_name("sse9"));
}

TEST(CpuFeatures, a_level_includes_the_lower_ones_of_its_architecture_only) {
  for (const auto levels : {std::span<const Isa>(kX86Levels), std::span<const Isa>(kArmLevels)})
    for (size_t i = 0; i < levels.size(); ++i)
      for (size_t j = 0; j < levels.size(); ++j) EXPECT_EQ(isa_includes(levels[i], levels[j]), j <= i);
  for (Isa x86 : kX86Levels)
    for (Isa arm : kArmLevels) {
      EXPECT_EQ(isa_includes(x86, arm), arm == Isa::kBaseline);
      EXPECT_EQ(isa_includes(arm, x86), x86 == Isa::kBaseline);
    }
}

TEST(CpuFeatures, lists_the_levels_that_run_here) {
  const std::vector<Isa> levels = available_isas();
  EXPECT_EQ(levels.front(), Isa::kBaseline);
  EXPECT_EQ(levels.back(), detected_isa());
  for (Isa isa : kArmLevels) EXPECT_EQ(std::ranges::count(levels, isa), isa_includes(detected_isa(), isa));
}

// A run under an emulator says what the emulated processor has.
TEST(CpuFeatures, detects_the_level_that_the_environment_names) {
  const char* name = std::getenv("INGOT_TEST_ISA");
  if (!name) GTEST_SKIP() << "INGOT_TEST_ISA is not set";
  EXPECT_EQ(isa_name(detected_isa()), name);
}

}  // namespace
}  // namespace ingot
