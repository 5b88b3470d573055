// An answer does not depend on what else happens: alone, beside 63 others, with and without prefix cache, with
// preemption. Token for token, greedy and with seeds. Also on the real model that INGOT_MODEL names.
#include <algorithm>
#include <latch>

#include "llm/engine/engine_check.h"
#include "llm/generator.h"

namespace ingot::llm {
namespace {

class SameAnswer : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!real()) {
      path_ = INGOT_SOURCE_DIR "/tests/goldens/models/" + GetParam();
      return;
    }
    const char* path = std::getenv("INGOT_MODEL");
    if (!path || !*path) GTEST_SKIP() << "INGOT_MODEL names no model";
    path_ = path;
  }

  // Prompts of many lengths, most with a prefix that others have, too; greedy and seeded by turns.
  std::vector<Request> requests() const {
    std::vector<Request> out;
    for (int i = 0; i < count(); ++i) {
      const int64_t length = 1 + i * 37 % 90;
      auto prompt = prompt_of(i, length, i % 4 == 0 ? 0 : std::min<int64_t>(length, 16 + i % 3 * 20));
      if (real()) prompt.insert(prompt.begin(), 2);
      out.push_back(i % 2 ? greedy(std::move(prompt), 8 + i % 20) : seeded(std::move(prompt), 1000U + i, 8 + i % 20));
      if (i % 5 == 0) out.back().sampler.repeat_penalty = 1.2f;
      if (i % 7 == 0) out.back().sampler.logprobs = 2;
    }
    return out;
  }

  std::vector<std::vector<int32_t>> one_by_one(bool prefix_cache) {
    const auto engine = make_engine({.path = path_, .kv_tokens = 4096, .threads = 1}, {.prefix_cache = prefix_cache});
    std::vector<std::vector<int32_t>> out;
    for (Request& r : requests()) {
      auto done = engine->run(std::move(r));
      EXPECT_TRUE(done) << done.error().message();
      out.push_back(ids_of(done->choices[0]));
    }
    return out;
  }

  std::vector<std::vector<int32_t>> all_at_once(int64_t kv_tokens, const EngineOptions& options, EngineStats& stats) {
    const auto engine = make_engine({.path = path_, .kv_tokens = kv_tokens}, options);
    std::vector<Recorder> recorders(static_cast<size_t>(count()));
    std::latch submitted(1);
    auto list = requests();
    for (size_t i = 0; i < list.size(); ++i) {
      list[i].on_event = recorders[i].sink();
      // The engine waits at its first answer, so that the batches do not depend on how fast requests arrive.
      if (i == 0)
        list[i].on_event = [&submitted, sink = recorders[0].sink()](Event e) {
          submitted.wait();
          sink(std::move(e));
        };
      const auto id = engine->submit(std::move(list[i]));
      EXPECT_TRUE(id) << id.error().message();
    }
    submitted.count_down();
    std::vector<std::vector<int32_t>> out;
    for (Recorder& r : recorders) {
      r.wait();
      out.emplace_back();
      for (const Event& e : r.events) {
        EXPECT_FALSE(e.error) << e.error->message();
        for (const TokenInfo& t : e.tokens) out.back().push_back(t.id);
      }
    }
    stats = engine->stats();
    return out;
  }

  bool real() const { return GetParam() == "INGOT_MODEL"; }
  // Fewer where each takes a second: still of every kind, and more than the small cache holds.
  int count() const { return real() ? 20 : 64; }

  std::string path_;
};

TEST_P(SameAnswer, alone_and_under_load_with_and_without_cache_and_preempted) {
  const auto want = one_by_one(false);
  EXPECT_EQ(one_by_one(true), want) << "prefix cache";
  EngineStats stats;
  EXPECT_EQ(all_at_once(16384, {.prefix_cache = false}, stats), want) << "all at once";
  EXPECT_EQ(stats.prefix_hits_tokens, 0U);
  EXPECT_EQ(all_at_once(16384, {.batch_tokens = 64}, stats), want) << "all at once, prefix cache";
  EXPECT_GT(stats.prefix_hits_tokens, 0U);
  EXPECT_EQ(stats.preemptions, 0U);
  EXPECT_EQ(all_at_once(192, {.batch_tokens = 256, .decode_stall = 1}, stats), want) << "preemption";
  EXPECT_GT(stats.preemptions, 0U);
  EXPECT_EQ(stats.prefix_queries_tokens, stats.prompt_tokens);  // what comes back is no query
  EXPECT_EQ(stats.kv_pages_used, 0);
}

TEST_P(SameAnswer, the_generator_gives_it_too) {
  LoadedModel model = open_model({.path = path_, .threads = 1});
  Generator generator(model);
  const auto want = one_by_one(false);
  auto list = requests();
  for (size_t i = 0; i < list.size(); ++i) {
    const auto got = generator.generate(list[i].prompt, {.sampler = list[i].sampler, .max_tokens = list[i].max_tokens});
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->token_ids, want[i]) << "request " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(, SameAnswer, testing::Values("llama", "gemma3", "INGOT_MODEL"),
                         [](const auto& p) { return p.param; });

}  // namespace
}  // namespace ingot::llm
