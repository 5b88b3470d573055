// Runs whose results go into memory of the caller's, and runs that end early.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "runtime/session.h"

namespace ingot {
namespace {

std::unique_ptr<Session> session(std::string_view text, int threads) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().message();
  auto s = Session::create(std::move(*graph), {.pool = std::make_shared<ThreadPool>(threads),
                                               .backends = {&cpu_backend(), &ref_backend()},
                                               .disabled_passes = {"eliminate"}});
  EXPECT_TRUE(s) << s.error().message();
  return std::move(*s);
}

// Memory for each output when it is asked for.
struct Placed {
  std::map<size_t, std::vector<float>> memory;
  OutputPlacer placer = [this](size_t i, DType dtype, const Shape& shape) -> Result<void*> {
    EXPECT_EQ(memory.count(i), 0U) << "asked twice for " << i;
    memory[i].resize(TensorView{dtype, shape, nullptr}.num_bytes() / sizeof(float));
    return memory[i].data();
  };
};

// An output, an output in place of it, a view of that, an input unchanged, a constant, and one output twice.
constexpr std::string_view kManyOutputs = R"(graph "g" {
  input %x: f32[n,4]
  const %c: f32[2] = [7.0, 8.0]
  const %flat: i64[1] = [-1]
  %a: f32[n,4] = Neg(%x)
  %b: f32[n,4] = Tanh(%a)
  %v: f32[4*n] = Reshape(%b, %flat)
  %same: f32[n,4] = Identity(%x)
  output %b, %v, %same, %c, %b
}
)";

TEST(RunInto, writes_each_output_where_it_is_told) {
  for (int threads : {1, 2}) {
    auto s = session(kManyOutputs, threads);
    for (int64_t n : {5000, 3, 3, 5000}) {
      std::vector<float> x(static_cast<size_t>(4 * n));
      for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 97) / 50 - 1;
      const TensorView in[] = {{DType::kF32, {n, 4}, x.data()}};
      Placed p;
      ASSERT_TRUE(s->run_into(in, p.placer));
      auto want = s->run(in);
      ASSERT_TRUE(want);
      for (size_t o = 0; o < 5; ++o) {
        const TensorView t = (*want)[o];
        EXPECT_EQ(p.memory[o], std::vector<float>(t.as<float>(), t.as<float>() + t.num_elements())) << o;
      }
      EXPECT_EQ(s->idle_contexts(), 0U) << "one is leased for `want`, the same one that run_into() gave back";
    }
  }
}

TEST(RunInto, computes_in_the_given_memory_before_any_copy) {
  auto s = session(kManyOutputs, 1);
  std::vector<float> x(12, 0.5f), y(12), other(12);
  const TensorView in[] = {{DType::kF32, {3, 4}, x.data()}};
  int asked = 0;
  const OutputPlacer place = [&](size_t i, DType, const Shape&) -> Result<void*> {
    if (i == 0) return y.data();
    if (i == 3) {
      ++asked;
      EXPECT_FLOAT_EQ(y[0], std::tanh(-0.5f)) << "a constant is copied after the run";
    }
    return other.data();
  };
  ASSERT_TRUE(s->run_into(in, place));
  EXPECT_EQ(asked, 1);
}

TEST(RunInto, copies_what_only_the_data_size) {
  auto s = session(R"(graph "g" {
  input %x: f32[n]
  %i: i64[1,?] = NonZero(%x)
  output %i
}
)",
                   2);
  const float x[] = {0, 1, 0, 2, 3};
  const TensorView in[] = {{DType::kF32, {5}, x}};
  std::vector<int64_t> got;
  const OutputPlacer place = [&](size_t, DType, const Shape& shape) -> Result<void*> {
    got.resize(static_cast<size_t>(shape.num_elements()));
    return got.data();
  };
  ASSERT_TRUE(s->run_into(in, place));
  EXPECT_EQ(got, (std::vector<int64_t>{1, 3, 4}));
}

TEST(RunInto, goes_on_after_a_place_was_refused) {
  auto s = session(kManyOutputs, 1);
  const std::vector<float> x(12, 0.5f);
  const TensorView in[] = {{DType::kF32, {3, 4}, x.data()}};
  const OutputPlacer refuse = [](size_t, DType, const Shape&) -> Result<void*> { return invalid("no room"); };
  const auto refused = s->run_into(in, refuse);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "no room");
  Placed p;
  ASSERT_TRUE(s->run_into(in, p.placer));
  EXPECT_FLOAT_EQ(p.memory[0][0], std::tanh(-0.5f));
}

TEST(RunInto, leaves_out_what_has_no_place) {
  auto s = session(kManyOutputs, 1);
  const std::vector<float> x(4, 0.5f);
  const TensorView in[] = {{DType::kF32, {1, 4}, x.data()}};
  ASSERT_TRUE(s->run_into(in, [](size_t, DType, const Shape&) -> Result<void*> { return nullptr; }));
}

TEST(RunInto, ends_when_it_is_cancelled_or_late_and_then_works_again) {
  for (int threads : {1, 2})
    for (bool alone : {false, true}) {
      auto s = session(kManyOutputs, threads);
      const std::vector<float> x(400000, 0.5f);
      const TensorView in[] = {{DType::kF32, {100000, 4}, x.data()}};
      std::atomic<bool> cancelled{true};
      Placed p;
      const auto attempt = [&](const RunOptions& options) {
        p.memory.clear();
        return s->run_into(in, p.placer, nullptr, options).error().code();
      };
      EXPECT_EQ(attempt({.cancelled = &cancelled, .alone = alone}), Code::kCancelled);
      const auto past = std::chrono::steady_clock::now() - std::chrono::seconds(1);
      EXPECT_EQ(attempt({.deadline = past, .alone = alone}), Code::kDeadlineExceeded);
      p.memory.clear();
      cancelled = false;
      ASSERT_TRUE(s->run_into(in, p.placer, nullptr, {.cancelled = &cancelled, .alone = alone}));
      EXPECT_FLOAT_EQ(p.memory[0][399999], std::tanh(-0.5f));
    }
}

}  // namespace
}  // namespace ingot
