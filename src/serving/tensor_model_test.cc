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

// Two requests that do not fill a batch for which the model would wait an hour: what ends the first one alone.
Code ended_while_a_batch_is_waited_for(
    const std::function<void(TensorRequest&)>& change, const QueuePolicies& queue,
    const std::function<void()>& then = [] {}) {
  const auto model = doubler({.batch_max = 64, .delay_max = std::chrono::hours(1), .queue = queue});
  auto other = ask(*model, rows(1, 0));
  std::promise<Code> ended;
  TensorRequest request;
  request.inputs.push_back({"x", rows(1, 0)});
  request.on_done = [&](const Result<TensorAnswer>& answer) {
    ended.set_value(answer ? Code::kUnknown : answer.error().code());
  };
  change(request);
  EXPECT_TRUE(model->submit(std::move(request)));
  then();
  const Code code = ended.get_future().get();
  EXPECT_EQ(other.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_EQ(model->stats().executions, 0u);
  return code;
}

TEST(TensorModel, timeouts_deadlines_and_cancellation_hold_while_a_batch_is_waited_for) {
  const auto soon = [](TensorRequest& r) { r.deadline = Clock::now() + std::chrono::milliseconds(5); };
  EXPECT_EQ(ended_while_a_batch_is_waited_for(soon, {}), Code::kDeadlineExceeded);
  const auto short_timeout = [](TensorRequest& r) { r.timeout = std::chrono::milliseconds(5); };
  EXPECT_EQ(ended_while_a_batch_is_waited_for(short_timeout, {}), Code::kDeadlineExceeded);
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  const auto cancellable = [&](TensorRequest& r) { r.cancelled = cancelled; };
  EXPECT_EQ(ended_while_a_batch_is_waited_for(cancellable, {}, [&] { cancelled->store(true); }), Code::kCancelled);
}

TEST(TensorModel, what_is_to_run_at_once_waits_for_no_batch_and_has_no_timeout) {
  const auto model = doubler({.batch_max = 64,
                              .delay_max = std::chrono::hours(1),
                              .queue = {.usual = {.timeout = std::chrono::microseconds(1)}}});
  std::promise<bool> ended;
  TensorRequest request;
  request.inputs.push_back({"x", rows(1, 0)});
  request.at_once = true;
  request.on_done = [&](const Result<TensorAnswer>& answer) { ended.set_value(answer.has_value()); };
  ASSERT_TRUE(model->submit(std::move(request)));
  EXPECT_TRUE(ended.get_future().get());
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

// Asks with a priority and a timeout; tells its number when it is answered.
void ask_for(TensorModel& model, uint64_t priority, std::chrono::microseconds timeout,
             std::function<void(Result<TensorAnswer>)> on_done) {
  TensorRequest request;
  request.inputs.push_back({"x", rows(1, 0)});
  request.priority = priority;
  request.timeout = timeout;
  request.on_done = std::move(on_done);
  const auto submitted = model.submit(std::move(request));
  ASSERT_TRUE(submitted) << submitted.error().message();
}

// A model whose only thread is held by its first answer until release().
struct HeldModel {
  explicit HeldModel(BatchOptions options) : model(doubler(std::move(options))) {
    ask_for(*model, 0, {}, [this](const Result<TensorAnswer>&) {
      held.set_value();
      go.get_future().wait();
    });
    held.get_future().wait();
  }
  void release() { go.set_value(); }
  std::promise<void> held, go;
  std::shared_ptr<TensorModel> model;
};

TEST(TensorModel, serves_higher_priorities_first_and_equal_ones_in_turn) {
  HeldModel m({.batch_max = 0, .queue = {.levels = 3, .level_default = 2}});
  std::mutex mutex;
  std::vector<int> order;
  std::promise<void> all;
  const std::vector<uint64_t> priorities = {3, 0, 1, 2, 3, 1};  // 0 is 2 here
  for (int i = 0; i < 6; ++i)
    ask_for(*m.model, priorities[static_cast<size_t>(i)], {}, [&, i](const Result<TensorAnswer>&) {
      const std::lock_guard lock(mutex);
      order.push_back(i);
      if (order.size() == 6) all.set_value();
    });
  m.release();
  all.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{2, 5, 1, 3, 0, 4}));
  TensorRequest request;
  request.inputs.push_back({"x", rows(1, 0)});
  request.priority = 4;
  EXPECT_EQ(m.model->submit(std::move(request)).error().code(), Code::kInvalidArgument);
}

TEST(TensorModel, who_waits_too_long_is_refused_or_served_last) {
  for (const bool delay : {false, true}) {
    HeldModel m({.batch_max = 0,
                 .queue = {.usual = {.timeout = std::chrono::seconds(100), .delay_late = delay, .waiting_max = 2}}});
    std::vector<std::pair<char, bool>> order;
    std::promise<void> first, second;
    const auto done = [&order](char name, std::promise<void>& promise) {
      return [&order, &promise, name](const Result<TensorAnswer>& answer) {
        order.emplace_back(name, answer.has_value());
        promise.set_value();
      };
    };
    ask_for(*m.model, 0, std::chrono::microseconds(1), done('a', first));
    ask_for(*m.model, 0, {}, done('b', second));
    TensorRequest third;
    third.inputs.push_back({"x", rows(1, 0)});
    EXPECT_EQ(m.model->submit(std::move(third)).error().code(), Code::kResourceExhausted);
    m.release();
    first.get_future().wait();
    second.get_future().wait();
    using Order = std::vector<std::pair<char, bool>>;
    EXPECT_EQ(order, delay ? (Order{{'b', true}, {'a', true}}) : (Order{{'a', false}, {'b', true}}));
  }
}

TEST(TensorModel, what_was_cancelled_does_not_run) {
  HeldModel m({.batch_max = 0});
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  std::promise<Code> ended;
  TensorRequest request;
  request.inputs.push_back({"x", rows(1, 0)});
  request.cancelled = cancelled;
  request.on_done = [&](const Result<TensorAnswer>& answer) {
    ended.set_value(answer ? Code::kUnknown : answer.error().code());
  };
  ASSERT_TRUE(m.model->submit(std::move(request)));
  cancelled->store(true);
  m.release();
  EXPECT_EQ(ended.get_future().get(), Code::kCancelled);
  EXPECT_EQ(m.model->stats().executions, 1u);
}

TEST(TensorModel, instances_answer_while_one_is_busy) {
  HeldModel m({.batch_max = 0, .instances = 2});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(ask(*m.model, rows(1, 1)).get());  // the first is still held
  m.release();
}

}  // namespace
}  // namespace ingot::serving
