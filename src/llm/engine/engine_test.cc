// The engine's behaviour on a tiny model: what ends an answer, errors, queue, cancellation, sharing.
#include "llm/engine/engine.h"

#include <cmath>
#include <latch>
#include <thread>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "llm/engine/engine_check.h"

namespace ingot::llm {

std::vector<const Backend*> test_backends() { return {&cpu_backend(), &ref_backend()}; }

namespace {

using std::chrono::hours;

EngineClock::time_point never() { return EngineClock::now() + hours(1); }

TEST(Engine, events_are_in_order_and_end_with_done) {
  const auto engine = make_engine();
  Recorder r;
  Request request = greedy(prompt_of(1, 20), 8);
  request.on_event = r.sink();
  ASSERT_TRUE(engine->submit(std::move(request)));
  r.wait();
  ASSERT_EQ(r.events.size(), 8U);
  for (size_t i = 0; i < r.events.size(); ++i) {
    EXPECT_EQ(r.events[i].tokens.size(), 1U);
    EXPECT_EQ(r.events[i].usage.completion_tokens, static_cast<int64_t>(i) + 1);
    EXPECT_EQ(r.events[i].finish.has_value(), i == 7);
  }
  const Event& last = r.events.back();
  EXPECT_EQ(last.finish, FinishReason::kLength);
  EXPECT_EQ(last.usage.prompt_tokens, 20);
  EXPECT_LE(last.timings.submitted, *last.timings.scheduled);
  EXPECT_LE(*last.timings.scheduled, *last.timings.first_token);
  EXPECT_LE(*last.timings.first_token, *last.timings.finished);
}

TEST(Engine, parallel_samples_are_what_single_requests_with_these_seeds_give) {
  for (int64_t kv_tokens : {1024, 128}) {  // with room, and with preemption
    const auto engine = make_engine({.kv_tokens = kv_tokens});
    Request many = seeded(prompt_of(2, 37), 5, 20);
    many.n = 4;
    const auto together = engine->run(std::move(many));
    ASSERT_TRUE(together) << together.error().message();
    ASSERT_EQ(together->choices.size(), 4U);
    EXPECT_EQ(together->usage.prompt_tokens, 37);
    for (uint64_t i = 0; i < 4; ++i) {
      const auto single = engine->run(seeded(prompt_of(2, 37), 5 + i, 20));
      ASSERT_TRUE(single);
      EXPECT_EQ(ids_of(together->choices[i]), ids_of(single->choices[0])) << "choice " << i;
      EXPECT_EQ(together->choices[i].text, single->choices[0].text);
    }
  }
}

TEST(Engine, the_prompt_of_parallel_samples_is_computed_once) {
  const auto engine = make_engine({}, {.prefix_cache = false});
  Request many = seeded(prompt_of(2, 60), 5, 2);
  many.n = 8;
  ASSERT_TRUE(engine->run(std::move(many)));
  EXPECT_LE(engine->stats().computed_tokens, 60U + 8U);
}

TEST(Engine, a_prefix_that_many_ask_for_at_once_is_computed_once) {
  const auto engine = make_engine();
  std::vector<Recorder> recorders(8);
  for (int i = 0; i < 8; ++i) {
    Request r = greedy(prompt_of(i, 85, 80), 2);
    r.on_event = recorders[static_cast<size_t>(i)].sink();
    ASSERT_TRUE(engine->submit(std::move(r)));
  }
  int64_t cached = 0;
  for (Recorder& r : recorders) {
    r.wait();
    cached += r.events.back().usage.cached_tokens;
  }
  EXPECT_EQ(cached, 7 * 80);
  EXPECT_EQ(engine->stats().computed_tokens, 85U + 7 * 5 + 8);
}

TEST(Engine, salts_do_not_share) {
  const auto engine = make_engine();
  for (const char* salt : {"a", "b", "a"}) {
    Request r = greedy(prompt_of(0, 64), 1);
    r.cache_salt = salt;
    ASSERT_TRUE(engine->run(std::move(r)));
  }
  EXPECT_EQ(engine->stats().prefix_hits_tokens, 48U);
}

TEST(Engine, what_ends_an_answer) {
  const auto engine = make_engine();
  const auto plain = engine->run(greedy(prompt_of(3, 10), 12));
  ASSERT_TRUE(plain);
  const std::vector<int32_t> ids = ids_of(plain->choices[0]);
  ASSERT_EQ(ids.size(), 12U);

  Request by_token = greedy(prompt_of(3, 10), 12);
  by_token.stop_token_ids = {ids[5]};
  const auto stopped = engine->run(std::move(by_token));
  const auto first = static_cast<size_t>(std::ranges::find(ids, ids[5]) - ids.begin());
  EXPECT_EQ(stopped->choices[0].finish, FinishReason::kStopToken);
  EXPECT_EQ(stopped->choices[0].stop_token, ids[5]);
  EXPECT_EQ(stopped->choices[0].tokens.size(), first);

  const std::string& text = plain->choices[0].text;
  size_t at = text.size() / 2;
  while (at > 0 && (text[at] & 0xC0) == 0x80) --at;
  for (bool include : {false, true}) {
    Request by_text = greedy(prompt_of(3, 10), 12);
    by_text.stop = {text.substr(at)};
    by_text.include_stop = include;
    const auto cut = engine->run(std::move(by_text));
    ASSERT_TRUE(cut) << cut.error().message();
    EXPECT_EQ(cut->choices[0].finish, FinishReason::kStopString);
    EXPECT_EQ(cut->choices[0].stop_string, text.substr(at));
    EXPECT_EQ(cut->choices[0].text, include ? text : text.substr(0, at));
  }

  const auto none = engine->run(greedy(prompt_of(3, 10), 0));
  EXPECT_EQ(none->choices[0].finish, FinishReason::kLength);
  EXPECT_TRUE(none->choices[0].tokens.empty());

  const auto full = engine->run(greedy(prompt_of(3, 120), -1));
  EXPECT_EQ(full->choices[0].finish, FinishReason::kContextFull);
  EXPECT_EQ(full->choices[0].tokens.size(), static_cast<size_t>(engine->context()) - 120 + 1);
}

TEST(Engine, bad_requests_are_refused_with_the_reason) {
  const auto engine = make_engine();
  const auto refused = [&](Request r, Code code, std::string_view word) {
    const auto result = engine->run(std::move(r));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), code);
    EXPECT_NE(result.error().message().find(word), std::string::npos) << result.error().message();
  };
  refused(greedy({}), Code::kInvalidArgument, "empty");
  refused(greedy({1, 272}), Code::kInvalidArgument, "272");
  refused(greedy(prompt_of(0, 129)), Code::kOutOfRange, "129");
  Request r = greedy({1});
  r.n = 0;
  refused(r, Code::kInvalidArgument, "'n'");
  r = greedy({1});
  r.sampler.top_p = 7;
  refused(r, Code::kInvalidArgument, "top_p");
  r = greedy({1});
  r.stop = {""};
  refused(r, Code::kInvalidArgument, "stop");
  r = greedy({1});
  r.max_tokens = -2;
  refused(r, Code::kInvalidArgument, "max_tokens");
  r = greedy({1});
  r.stop_token_ids = {-1};
  refused(r, Code::kInvalidArgument, "stop_token_ids");
  for (int n : {-1, INT32_MAX}) {
    r = greedy({1});
    r.n = n;
    refused(r, Code::kInvalidArgument, "'n'");
  }
  EXPECT_FALSE(engine->submit(greedy({1}))) << "nobody listens";
  EXPECT_EQ(engine->stats().requests_submitted, 0U);
}

TEST(Engine, a_full_queue_refuses_and_says_so) {
  const auto engine = make_engine({}, {.batch_tokens = 64, .sequences_max = 1, .queue_requests_max = 2});
  std::vector<Recorder> recorders(40);
  size_t accepted = 0;
  std::latch first_runs(1), all_submitted(1);
  Request busy = greedy(prompt_of(1, 8), 1);
  busy.on_event = [&](const Event&) {
    first_runs.count_down();
    all_submitted.wait();
  };
  ASSERT_TRUE(engine->submit(std::move(busy)));
  first_runs.wait();  // it waits no more, and nothing else can start
  for (Recorder& recorder : recorders) {
    Request r = greedy(prompt_of(0, 8), 100);
    r.on_event = recorder.sink();
    const auto id = engine->submit(std::move(r));
    if (!id) {
      EXPECT_EQ(id.error().code(), Code::kResourceExhausted);
      recorder.done = true;
    }
    accepted += id.has_value();
  }
  all_submitted.count_down();
  for (Recorder& recorder : recorders) recorder.wait();
  const EngineStats stats = engine->stats();
  EXPECT_EQ(accepted, 2U);
  EXPECT_EQ(stats.requests_submitted, accepted + 1);
  EXPECT_EQ(stats.requests_refused, recorders.size() - accepted);
  EXPECT_GE(engine->retry_after_s(), 1);
  EXPECT_EQ(stats.requests_waiting, 0);
  EXPECT_EQ(stats.requests_running, 0);
  EXPECT_EQ(stats.queue_tokens, 0);
}

TEST(Engine, cancelled_requests_end_where_they_are) {
  const auto engine = make_engine({}, {.batch_tokens = 64, .sequences_max = 1});
  Recorder running, waiting;
  Request r = greedy(prompt_of(0, 8), 100);
  std::latch cancelled(1);
  r.on_event = [&, sink = running.sink()](Event e) {
    sink(std::move(e));
    cancelled.wait();
  };
  const auto first = engine->submit(r);
  r.on_event = waiting.sink();
  const auto second = engine->submit(r);
  running.wait_for_events(1);
  engine->cancel(*second);
  engine->cancel(*first);
  cancelled.count_down();
  running.wait();
  waiting.wait();
  for (Recorder* recorder : {&running, &waiting}) {
    ASSERT_TRUE(recorder->events.back().error);
    EXPECT_EQ(recorder->events.back().error->code(), Code::kCancelled);
  }
  EXPECT_EQ(engine->stats().finished_cancelled, 2U);
  engine->cancel(*first);  // long gone
  EXPECT_TRUE(engine->run(greedy({1}, 1)));
  EXPECT_EQ(engine->stats().kv_pages_used, 0);
}

TEST(Engine, a_callback_may_cancel_and_submit) {
  const auto engine = make_engine();
  Recorder last;
  Request r = greedy(prompt_of(0, 8), 100);
  std::atomic<uint64_t> id{0};
  std::latch id_known(1);
  r.on_event = [&](const Event& e) {
    id_known.wait();
    if (!e.done) return engine->cancel(RequestId{id.load()});
    Request next = greedy({1}, 1);
    next.on_event = last.sink();
    EXPECT_TRUE(engine->submit(std::move(next)));
  };
  id = static_cast<uint64_t>(*engine->submit(std::move(r)));
  id_known.count_down();
  last.wait();
}

TEST(Engine, a_deadline_that_passed_ends_the_request) {
  const auto engine = make_engine();
  Request r = greedy(prompt_of(0, 8), 100);
  r.deadline = EngineClock::now();
  const auto result = engine->run(r);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kDeadlineExceeded);
  r.deadline = never();
  EXPECT_TRUE(engine->run(std::move(r)));
}

TEST(Engine, draining_finishes_what_was_accepted_and_takes_no_more) {
  const auto engine = make_engine();
  Recorder recorder;
  Request r = greedy(prompt_of(0, 8), 50);
  r.on_event = recorder.sink();
  ASSERT_TRUE(engine->submit(std::move(r)));
  EXPECT_TRUE(engine->drain(never()));
  EXPECT_TRUE(recorder.done);
  EXPECT_FALSE(recorder.events.back().error);
  EXPECT_EQ(engine->state(), EngineState::kStopped);
  const auto late = engine->run(greedy({1}));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Code::kUnavailable);
}

TEST(Engine, what_is_left_at_the_drains_end_is_told_so) {
  const auto engine = make_engine({}, {.batch_tokens = 8, .sequences_max = 1});
  std::vector<Recorder> recorders(50);
  for (Recorder& recorder : recorders) {
    Request r = greedy(prompt_of(0, 8), 100);
    r.on_event = [&, sink = recorder.sink()](Event e) {
      while (engine->state() == EngineState::kRunning) std::this_thread::yield();
      sink(std::move(e));
    };
    ASSERT_TRUE(engine->submit(std::move(r)));
  }
  EXPECT_FALSE(engine->drain(EngineClock::now()));
  for (Recorder& recorder : recorders) EXPECT_TRUE(recorder.done);
  ASSERT_TRUE(recorders.back().events.back().error);
  EXPECT_EQ(recorders.back().events.back().error->code(), Code::kUnavailable);
}

TEST(Engine, destroying_it_ends_what_runs) {
  Recorder recorder;
  {
    const auto engine = make_engine();
    Request r = greedy(prompt_of(0, 8), 100);
    r.on_event = recorder.sink();
    ASSERT_TRUE(engine->submit(std::move(r)));
  }
  EXPECT_TRUE(recorder.done);
}

TEST(Engine, lower_priority_numbers_run_first) {
  const auto engine = make_engine({}, {.batch_tokens = 16, .sequences_max = 1});
  std::vector<Recorder> recorders(3);
  std::mutex mutex;
  std::vector<int> ended;
  std::latch all_wait(1);
  for (int i = 0; i < 3; ++i) {
    Request r = greedy(prompt_of(i, 16), i == 0 ? 100 : 2);
    r.priority = i == 0 ? 0 : 3 - i;  // the first runs; of the others the second goes first
    r.on_event = [&, i](const Event& e) {
      all_wait.wait();
      if (!e.done) return;
      std::lock_guard lock(mutex);
      ended.push_back(i);
      if (ended.size() == 3) recorders[0].sink()({.done = true});
    };
    ASSERT_TRUE(engine->submit(std::move(r)));
  }
  all_wait.count_down();
  recorders[0].wait();
  EXPECT_EQ(ended, (std::vector<int>{0, 2, 1}));
}

// Allows the tokens of `order`, one after another; then only `end`.
class Script : public TokenMask {
 public:
  Script(std::vector<int32_t> order, int64_t vocab) : order_(std::move(order)), words_((vocab + 63) / 64) {}
  std::span<const uint64_t> allowed() override {
    std::ranges::fill(words_, 0);
    if (at_ < order_.size()) words_[static_cast<size_t>(order_[at_]) / 64] |= uint64_t{1} << order_[at_] % 64;
    return words_;
  }
  void accept(int32_t token) override { EXPECT_EQ(token, order_[at_++]); }

 private:
  std::vector<int32_t> order_;
  std::vector<uint64_t> words_;
  size_t at_ = 0;
};

TEST(Engine, a_mask_rules_each_choice_and_a_dead_end_fails_the_request_alone) {
  const auto engine = make_engine();
  const int32_t eos = *engine->tokenizer().special().eos;
  Request r = seeded(prompt_of(0, 8), 1, 20);
  r.n = 2;
  r.make_mask = [&] { return std::make_unique<Script>(std::vector<int32_t>{7, 70, 200, eos}, 272); };
  const auto done = engine->run(r);
  ASSERT_TRUE(done) << done.error().message();
  for (const auto& c : done->choices) {
    EXPECT_EQ(ids_of(c), (std::vector<int32_t>{7, 70, 200}));
    EXPECT_EQ(c.finish, FinishReason::kEndOfGeneration);
  }
  r.make_mask = [&] { return std::make_unique<Script>(std::vector<int32_t>{7, 70}, 272); };
  const auto stuck = engine->run(r);
  ASSERT_FALSE(stuck);
  EXPECT_EQ(stuck.error().code(), Code::kFailedPrecondition);
  EXPECT_TRUE(engine->run(greedy({1}, 1)));
}

TEST(Engine, nothing_ends_an_answer_before_min_tokens) {
  const auto engine = make_engine();
  const auto free = engine->run(greedy(prompt_of(1, 20), 12));
  ASSERT_TRUE(free);
  const auto ids = ids_of(free->choices[0]);
  Request r = greedy(prompt_of(1, 20), 12);
  r.stop_token_ids = {ids[1]};
  ASSERT_EQ(engine->run(r)->choices[0].tokens.size(), 1U);
  r.sampler.min_tokens = 5;
  const auto late = engine->run(r);
  ASSERT_TRUE(late);
  EXPECT_GE(late->choices[0].tokens.size(), 5U);
  for (size_t i = 0; i < 5; ++i) EXPECT_NE(late->choices[0].tokens[i].id, ids[1]);
  r.stop_token_ids.clear();
  r.stop = {free->choices[0].text.substr(0, 1)};
  r.sampler.min_tokens = 0;
  ASSERT_EQ(engine->run(r)->choices[0].finish, FinishReason::kStopString);
  r.sampler.min_tokens = 5;
  EXPECT_GE(engine->run(r)->choices[0].tokens.size(), 6U);
}

TEST(BreakerCache, builds_each_list_once_and_forgets_the_oldest) {
  const LoadedModel model = open_model({});
  BreakerCache cache;
  const auto get = [&](std::vector<std::string> strings) { return cache.get(*model.tokenizer, 272, strings).value(); };
  const auto first = get({"a", "b"});
  EXPECT_EQ(get({"a", "b"}), first);
  EXPECT_NE(get({"a"}), first);
  for (size_t i = 0; i < BreakerCache::kListsMax; ++i) get({fmt::format("{}", i)});
  EXPECT_NE(get({"a", "b"}), first);
}

// Throws where the engine's thread, or one of the pool's, asks it for something.
struct Throwing : TokenMask {
  std::span<const uint64_t> allowed() override { throw std::bad_alloc(); }
  void accept(int32_t) override {}
};

TEST(Engine, what_is_thrown_fails_its_request_alone) {
  const auto engine = make_engine();
  Recorder others[2];
  for (Recorder& r : others) {
    Request request = greedy(prompt_of(3, 20), 40);
    request.on_event = r.sink();
    ASSERT_TRUE(engine->submit(std::move(request)));
  }
  Request r = greedy(prompt_of(1, 8), 4);
  r.make_mask = []() -> std::unique_ptr<TokenMask> { throw std::runtime_error("no mask today"); };
  const auto early = engine->run(r);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code(), Code::kInternal);
  EXPECT_NE(early.error().message().find("no mask today"), std::string::npos);
  r.make_mask = [] { return std::make_unique<Throwing>(); };
  r.n = 3;
  const auto late = engine->run(r);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Code::kResourceExhausted);
  for (Recorder& o : others) {
    o.wait();
    EXPECT_FALSE(o.events.back().error);
  }
  EXPECT_TRUE(engine->run(greedy({1}, 1)));
}

TEST(Engine, threads_may_submit_cancel_and_look_at_once) {
  const auto engine = make_engine({.kv_tokens = 256}, {.batch_tokens = 64, .sequences_max = 16});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 12; ++i) {
        Recorder recorder;
        Request r = seeded(prompt_of(t, 10 + i, 8), 3, 10);
        r.tenant = std::to_string(t);
        r.on_event = recorder.sink();
        const auto id = engine->submit(std::move(r));
        ASSERT_TRUE(id);
        if (i % 3 == 0) engine->cancel(*id);
        EXPECT_LE(engine->stats().kv_pages_used, 16);
        recorder.wait();
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(engine->stats().requests_running, 0);
}

}  // namespace
}  // namespace ingot::llm
