// Batching: rows joined and given back, bad requests alone, queues bounded, destruction with waiting requests.
#include "serving/tensor_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <new>

#include "backends/ref/ref.h"
#include "serving/tensor_rows.h"

namespace ingot::serving {
namespace {

// y = x + x, over [batch, 3].
std::shared_ptr<TensorModel> doubler(BatchOptions options = {.batch_max = 8}) {
  Graph g;
  const ValueId x = g.add_input("x", Type::of(DType::kF32, {Dim::symbol("batch"), 3}));
  const ValueId y = g.add(Op::kAdd, {x, x}).value();
  g.value(y).name = "y";
  g.add_output(y);
  auto session =
      Session::create(std::move(g), {.pool = std::make_shared<ThreadPool>(1), .backends = {&ref_backend()}}).value();
  return TensorModel::create(std::move(session), std::move(options)).value();
}

Tensor rows(int64_t n, float first) {
  Tensor t = Tensor::allocate(DType::kF32, {n, 3});
  for (int64_t i = 0; i < 3 * n; ++i) t.mutable_as<float>()[i] = first + static_cast<float>(i);
  return t;
}

std::future<Result<TensorAnswer>> ask(TensorModel& model, Tensor x) {
  auto promise = std::make_shared<std::promise<Result<TensorAnswer>>>();
  TensorRequest request;
  request.inputs.push_back({"x", std::move(x)});
  request.on_done = [promise](Result<TensorAnswer> answer) { promise->set_value(std::move(answer)); };
  const auto submitted = model.submit(std::move(request));
  if (!submitted) promise->set_value(std::unexpected(submitted.error()));
  return promise->get_future();
}

TEST(TensorModel, gives_each_request_of_a_batch_its_own_rows) {
  const auto model = doubler({.batch_max = 8, .delay_max = std::chrono::milliseconds(50)});
  std::vector<std::future<Result<TensorAnswer>>> answers;
  for (int i = 0; i < 20; ++i) answers.push_back(ask(*model, rows(1 + i % 3, static_cast<float>(100 * i))));
  for (int i = 0; i < 20; ++i) {
    const auto answer = answers[static_cast<size_t>(i)].get();
    ASSERT_TRUE(answer) << answer.error().message();
    const Tensor& y = answer->outputs.front().tensor;
    ASSERT_EQ(y.shape(), (Shape{1 + i % 3, 3}));
    for (int64_t k = 0; k < y.view().num_elements(); ++k)
      EXPECT_EQ(y.as<float>()[k], 2 * (static_cast<float>(100 * i) + static_cast<float>(k)));
  }
  const TensorStats stats = model->stats();
  EXPECT_EQ(stats.success.count, 20u);
  EXPECT_EQ(stats.inferences, 39u);
  EXPECT_LT(stats.executions, 20u);
}

TEST(TensorModel, refuses_what_does_not_fit_by_name) {
  const auto model = doubler({.batch_max = 4, .refuse_larger = true});
  EXPECT_EQ(ask(*model, Tensor::allocate(DType::kF32, {2, 4})).get().error().code(), Code::kInvalidArgument);
  EXPECT_EQ(ask(*model, Tensor::allocate(DType::kI32, {2, 3})).get().error().code(), Code::kInvalidArgument);
  EXPECT_EQ(ask(*model, rows(5, 0)).get().error().code(), Code::kInvalidArgument);
  TensorRequest nothing;
  nothing.on_done = [](Result<TensorAnswer>) {};
  EXPECT_NE(model->submit(nothing).error().message().find("'x' is missing"), std::string::npos);
}

TEST(TensorModel, a_batch_larger_than_the_largest_runs_alone_unless_refused) {
  const auto model = doubler({.batch_max = 4});
  EXPECT_EQ(ask(*model, rows(9, 0)).get()->outputs.front().tensor.shape(), (Shape{9, 3}));
}

// y = x, but memory runs out at the sight of 13.
class Unlucky final : public Backend {
 public:
  std::string_view name() const override { return "unlucky"; }
  Support supports(const NodeView&) const override { return Support::yes(); }
  Result<Kernel> prepare(const NodeView&, ThreadPool&) const override {
    const auto run = [](KernelContext& c) {
      const auto n = static_cast<size_t>(c.in(0).num_elements());
      if (std::ranges::count(std::span(c.in(0).as<float>(), n), 13.0f) > 0) throw std::bad_alloc();
      std::copy_n(c.in(0).as<float>(), n, static_cast<float*>(c.out(0).data));
    };
    return Kernel{.name = "unlucky", .run = run};
  }
};

TEST(TensorModel, what_is_thrown_fails_its_request_alone) {
  Graph g;
  const ValueId x = g.add_input("x", Type::of(DType::kF32, {Dim::symbol("batch"), 3}));
  g.add_output(g.add(Op::kAbs, {x}).value());
  const Unlucky unlucky;
  auto session =
      Session::create(std::move(g), {.pool = std::make_shared<ThreadPool>(2), .backends = {&unlucky}}).value();
  const auto model = TensorModel::create(std::move(session), {.batch_max = 8}).value();
  std::vector<std::future<Result<TensorAnswer>>> answers;
  for (int i = 0; i < 6; ++i) answers.push_back(ask(*model, rows(1, i == 2 ? 13.0f : 100.0f)));
  for (int i = 0; i < 6; ++i) {
    const auto answer = answers[static_cast<size_t>(i)].get();
    EXPECT_EQ(answer.has_value(), i != 2);
    if (!answer) {
      EXPECT_EQ(answer.error().code(), Code::kResourceExhausted);
    }
  }
}

TEST(TensorModel, a_request_past_its_deadline_is_not_run) {
  const auto model = doubler();
  std::promise<Result<TensorAnswer>> promise;
  TensorRequest request;
  request.inputs.push_back({"x", rows(1, 0)});
  request.deadline = Clock::now() - std::chrono::seconds(1);
  request.on_done = [&](Result<TensorAnswer> answer) { promise.set_value(std::move(answer)); };
  ASSERT_TRUE(model->submit(std::move(request)));
  EXPECT_EQ(promise.get_future().get().error().code(), Code::kDeadlineExceeded);
}

TEST(TensorModel, a_request_that_nobody_waits_for_is_not_run) {
  const auto model = doubler();
  std::promise<Result<TensorAnswer>> promise;
  TensorRequest request;
  request.inputs.push_back({"x", rows(1, 0)});
  request.cancelled = std::make_shared<std::atomic<bool>>(true);
  request.on_done = [&](Result<TensorAnswer> answer) { promise.set_value(std::move(answer)); };
  ASSERT_TRUE(model->submit(std::move(request)));
  EXPECT_EQ(promise.get_future().get().error().code(), Code::kCancelled);
  EXPECT_EQ(model->stats().executions, 0u);
}

TEST(TensorModel, what_waits_when_the_model_ends_is_told) {
  std::vector<std::future<Result<TensorAnswer>>> answers;
  {
    const auto model = doubler({.batch_max = 64, .delay_max = std::chrono::hours(1)});
    for (int i = 0; i < 3; ++i) answers.push_back(ask(*model, rows(1, 0)));
  }
  for (auto& a : answers) EXPECT_EQ(a.get().error().code(), Code::kUnavailable);
}

TEST(TensorModel, a_full_queue_refuses) {
  const auto model = doubler({.batch_max = 64, .delay_max = std::chrono::hours(1), .queue_max = 2});
  auto first = ask(*model, rows(1, 0)), second = ask(*model, rows(1, 0));
  EXPECT_EQ(ask(*model, rows(1, 0)).get().error().code(), Code::kResourceExhausted);
  EXPECT_EQ(model->stats().refused, 1u);
}

TEST(TensorModel, a_queue_of_too_many_bytes_refuses) {
  const auto model = doubler({.batch_max = 64, .delay_max = std::chrono::hours(1), .queue_bytes_max = 100});
  auto first = ask(*model, rows(10, 0));  // 120 bytes, but alone
  EXPECT_EQ(ask(*model, rows(1, 0)).get().error().code(), Code::kResourceExhausted);
}

TEST(TensorModel, an_answer_outlives_its_model) {
  Result<TensorAnswer> answer = not_found("");
  {
    const auto model = doubler({.batch_max = 0});
    answer = ask(*model, rows(20'000, 1)).get();
  }
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->outputs.front().tensor.as<float>()[59'999], 2 * 60'000.0f);
}

TEST(TensorModel, an_output_that_is_an_input_outlives_its_request) {
  Graph g;
  const ValueId x = g.add_input("x", Type::of(DType::kF32, {Dim::symbol("n"), 3}));
  g.add_output(x);
  auto session =
      Session::create(std::move(g), {.pool = std::make_shared<ThreadPool>(1), .backends = {&ref_backend()}}).value();
  const auto model = TensorModel::create(std::move(session), {}).value();
  const auto answer = ask(*model, rows(20'000, 1)).get();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->outputs.front().tensor.as<float>()[59'999], 60'000.0f);
}

TEST(TensorRows, strings_are_joined_and_taken_apart) {
  Tensor a = Tensor::allocate(DType::kString, {1, 2}), b = Tensor::allocate(DType::kString, {2, 2});
  a.mutable_as<std::string>()[1] = "x";
  b.mutable_as<std::string>()[3] = "y";
  const std::vector<TensorView> parts = {a, b};
  const Tensor joined = join_rows(parts);
  EXPECT_EQ(joined.as<std::string>()[1], "x");
  EXPECT_EQ(copy_rows(joined, 2, 1).as<std::string>()[1], "y");
}

}  // namespace
}  // namespace ingot::serving
