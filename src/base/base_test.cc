#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <numeric>

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

TEST(CpuFeatures, names_round_trip) {
  for (Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16, Isa::kAmx})
    EXPECT_EQ(isa_from_name(isa_name(isa)), isa);
  EXPECT_FALSE(isa_from_name("sse9"));
}

}  // namespace
}  // namespace ingot
