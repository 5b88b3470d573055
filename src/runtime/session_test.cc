// Sessions on small graphs in text form: what the memory plan, the threads and control flow must get right.
#include "runtime/session.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"

// Calls of operator new by any thread.
static std::atomic<int64_t> news{0};
#ifdef INGOT_SANITIZED
constexpr bool kCountsNews = false;
#else
constexpr bool kCountsNews = true;
// Not inlined: the compiler would miss the partner of each.
[[gnu::noinline]] void* operator new(size_t bytes) {
  ++news;
  if (void* p = std::malloc(bytes)) return p;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }
#endif

namespace ingot {
namespace {

std::unique_ptr<Session> session(std::string_view text, int threads) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().message();
  auto s = Session::create(
      std::move(*graph), {.pool = std::make_shared<ThreadPool>(threads), .backends = {&cpu_backend(), &ref_backend()}});
  EXPECT_TRUE(s) << s.error().message();
  return std::move(*s);
}

// Each branch answers with a view of what it captured; a later value must not take that memory.
constexpr std::string_view kViewThroughIf = R"(graph "g" {
  input %c: bool[]
  input %x: f32[1,n]
  %a: f32[1,n] = Tanh(%x)
  %y: f32[*] = If(%c, %a) {then_branch=graph "t" {
    input %p: f32[1,n]
    const %axes: i64[1] = [0]
    %r: f32[n] = Squeeze(%p, %axes)
    output %r
  }, else_branch=graph "e" {
    input %p: f32[1,n]
    %r: f32[1,n] = Identity(%p)
    output %r
  }}
  %b: f32[1,n] = Exp(%x)
  %d: f32[1,n] = Neg(%b)
  %z: f32[*] = Add(%y, %d)
  output %z, %y
}
)";

TEST(Session, keeps_what_a_branch_returns_as_a_view) {
  for (int threads : {1, 2}) {
    auto s = session(kViewThroughIf, threads);
    std::vector<float> x(1000);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) / 500 - 1;
    for (uint8_t condition : {1, 0}) {
      const TensorView inputs[] = {{DType::kBool, {}, &condition}, {DType::kF32, {1, 1000}, x.data()}};
      auto out = s->run(inputs);
      ASSERT_TRUE(out) << out.error().message();
      for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_NEAR((*out)[0].as<float>()[i], std::tanh(x[i]) - std::exp(x[i]), 1e-5) << i;
        ASSERT_NEAR((*out)[1].as<float>()[i], std::tanh(x[i]), 1e-5) << i;
      }
    }
  }
}

TEST(Session, refuses_inputs_that_do_not_fit_and_goes_on) {
  auto s =
      session("graph \"g\" {\n input %x: f32[n,3]\n input %y: f32[n,3]\n %z: f32[n,3] = Add(%x, %y)\n output %z\n}", 2);
  const std::vector<float> data(12, 1.0f);
  const TensorView good[] = {{DType::kF32, {2, 3}, data.data()}, {DType::kF32, {2, 3}, data.data()}};
  const TensorView symbols[] = {{DType::kF32, {2, 3}, data.data()}, {DType::kF32, {4, 3}, data.data()}};
  const TensorView types[] = {{DType::kF32, {2, 3}, data.data()}, {DType::kI32, {2, 3}, data.data()}};
  EXPECT_FALSE(s->run(symbols));
  EXPECT_FALSE(s->run(types));
  EXPECT_FALSE(s->run(std::span(good).first(1)));
  auto out = s->run(good);
  ASSERT_TRUE(out);
  EXPECT_EQ((*out)[0].as<float>()[5], 2.0f);
}

TEST(Session, serves_threads_that_share_it) {
  auto s =
      session("graph \"g\" {\n input %x: f32[n]\n %y: f32[n] = Tanh(%x)\n %z: f32[n] = Add(%y, %x)\n output %z\n}", 2);
  std::vector<std::thread> users;
  for (int u = 0; u < 4; ++u)
    users.emplace_back([&, u] {
      for (int round = 0; round < 20; ++round) {
        const std::vector<float> x(static_cast<size_t>(10 + 40000 * (round % 2)), 0.25f * static_cast<float>(u));
        const TensorView in[] = {{DType::kF32, {static_cast<int64_t>(x.size())}, x.data()}};
        auto out = s->run(in);
        ASSERT_TRUE(out);
        ASSERT_NEAR((*out)[0].as<float>()[x.size() - 1], std::tanh(x[0]) + x[0], 1e-6);
      }
    });
  for (auto& t : users) t.join();
}

TEST(Session, gives_the_memory_of_a_burst_back) {
  auto s = session("graph \"g\" {\n input %x: f32[n]\n %y: f32[n] = Tanh(%x)\n output %y\n}", 1);
  const std::vector<float> x(8, 1.0f);
  const TensorView in[] = {{DType::kF32, {8}, x.data()}};
  {
    std::vector<Session::Outputs> burst;
    for (int i = 0; i < 20; ++i) burst.push_back(std::move(*s->run(in)));
    EXPECT_EQ(s->idle_contexts(), 0U);
  }
  EXPECT_GE(s->idle_contexts(), 1U);
  EXPECT_LE(s->idle_contexts(), 4U);
  EXPECT_TRUE(s->run(in));
}

TEST(Session, allocates_nothing_for_shapes_seen_before) {
  if (!kCountsNews) GTEST_SKIP() << "a sanitizer has an operator new of its own";
  for (int threads : {1, 2}) {
    auto s = session(
        "graph \"g\" {\n input %t: f32[5,n]\n input %i: i32[m]\n %x: f32[m,n] = ingot.embedding(%i, %t) {scale=2f}\n"
        " %y: f32[m,n] = Tanh(%x)\n %z: f32[m,n] = Add(%x, %y)\n output %z\n}",
        threads);
    const std::vector<float> table(size_t{5} * 30000, 1.0f);
    const std::vector<int32_t> ids = {1, 3};
    const TensorView in[] = {{DType::kF32, {5, 30000}, table.data()}, {DType::kI32, {2}, ids.data()}};
    for (int round = 0; round < 3; ++round) {
      const int64_t before = news;
      auto out = s->run(in);
      const int64_t after = news;
      ASSERT_TRUE(out) << out.error().message();
      EXPECT_NEAR((*out)[0].as<float>()[3], 2 + std::tanh(2.0f), 1e-5);
      if (round == 0) continue;  // binds the shapes
      EXPECT_EQ(after, before) << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace ingot
