// Random traces through scheduler and pages on a fake clock: after each step every count is recomputed from scratch,
// and a shadow of the cache tells whether each sequence would read exactly the keys and values of its own tokens.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

#include "llm/engine/scheduler.h"

namespace ingot::llm {
namespace {

#ifdef INGOT_SANITIZED
constexpr int kSteps = 20'000;
#else
constexpr int kSteps = 1'000'000;
#endif

struct Traced : Sequence {
  std::vector<uint64_t> prefixes;  // a name for tokens[0 .. i], for each i
  int64_t end_length = 0;          // ends when it has so many tokens
  int forks = 0;
  int born = 0;  // step
};

class Trace {
 public:
  Trace(const SchedulerOptions& options, int64_t num_pages, int64_t page_tokens, uint32_t seed)
      : options_(options),
        pages_(num_pages, page_tokens),
        scheduler_(pages_, options),
        shadow_(static_cast<size_t>(num_pages * page_tokens)),
        random_(seed) {}

  void run(int steps) {
    for (now_ = 0; now_ < steps && !testing::Test::HasFailure(); ++now_) step(true);
    for (int limit = now_ + 100'000; !live_.empty() && now_ < limit && !testing::Test::HasFailure(); ++now_)
      step(false);
    EXPECT_TRUE(live_.empty()) << live_.size() << " sequences never end";
    EXPECT_EQ(pages_.num_used(), 0);
    EXPECT_GT(scheduler_.counts().preemptions, 0U);
    EXPECT_GT(scheduler_.counts().prefix_hits_tokens, 0U);
    EXPECT_GT(pages_.num_evictions(), 0U);
    EXPECT_EQ(copies_ > 0, pages_.page_tokens() > 1);
    EXPECT_GT(expired_, 0);
  }

 private:
  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  EngineClock::time_point time(int step) const { return EngineClock::time_point(std::chrono::milliseconds(step)); }
  int64_t capacity() const { return pages_.num_pages() * pages_.page_tokens(); }

  void push(Traced& s, int32_t token) {
    s.tokens.push_back(token);
    name_last(s);
  }
  void name_last(Traced& s) {
    const size_t i = s.prefixes.size();
    const uint64_t before = i == 0 ? s.root.low : s.prefixes.back();
    s.prefixes.push_back((before ^ static_cast<uint64_t>(s.tokens[i] + 1)) * 0x9E3779B97F4A7C15U + 1);
  }

  Traced& make() {
    auto s = std::make_unique<Traced>();
    s->id = next_id_++;
    s->born = now_;
    Traced& out = *s;
    live_[s->id] = std::move(s);
    return out;
  }

  void arrive() {
    Traced& s = make();
    s.root = root_page_key(pick(0, 9) == 0 ? "other" : "", 1);
    s.tenant = std::string(1, static_cast<char>('a' + pick(0, 2)));
    s.priority = pick(0, 19) == 0 ? -1 : 0;
    s.take_cached = pick(0, 9) != 0;
    if (pick(0, 9) == 0) s.chunk_tokens_max = pick(1, 5);
    if (pick(0, 19) == 0) s.deadline = time(now_ + static_cast<int>(pick(0, 40)));
    const int64_t length = pick(0, 9) == 0 ? pick(1, capacity() - 1) : pick(1, 24);
    const int64_t group = pick(0, 3), shared = pick(0, length);
    for (int64_t i = 0; i < length; ++i)
      push(s, static_cast<int32_t>(i < shared ? group * 100 + i % 7 : pick(0, 1000)));
    s.end_length = std::min(capacity(), length + pick(1, 20));
    s.forks = pick(0, 4) == 0 ? static_cast<int>(pick(1, 3)) : 0;
    scheduler_.add(s);
  }

  void end(Traced& s) {
    scheduler_.remove(s);
    EXPECT_TRUE(s.pages.empty());
    live_.erase(s.id);
  }

  size_t slot(const Sequence& s, int64_t i) const {
    return static_cast<size_t>(s.pages[static_cast<size_t>(i / pages_.page_tokens())] * pages_.page_tokens() +
                               i % pages_.page_tokens());
  }

  // What the model would do: read all that is before, write what is new, into pages that nobody else holds.
  void compute(const Work& w) {
    const auto& s = static_cast<const Traced&>(*w.sequence);
    for (int64_t i = 0; i < s.computed; ++i)
      ASSERT_EQ(shadow_[slot(s, i)], s.prefixes[static_cast<size_t>(i)]) << "token " << i << " of sequence " << s.id;
    for (int64_t i = s.computed; i < s.computed + w.count; ++i) {
      ASSERT_EQ(pages_.references(s.pages[static_cast<size_t>(i / pages_.page_tokens())]), 1);
      shadow_[slot(s, i)] = s.prefixes[static_cast<size_t>(i)];
    }
  }

  void fork(Traced& parent) {
    for (; parent.forks > 0; --parent.forks) {
      Traced& child = make();
      child.tokens = parent.tokens;
      child.prefixes = parent.prefixes;
      child.root = parent.root;
      child.tenant = parent.tenant;
      child.end_length = std::min(capacity(), parent.length() + pick(1, 20));
      push(child, static_cast<int32_t>(pick(0, 3)));
      if (const auto copy = scheduler_.fork(parent, child)) {
        ++copies_;
        const int64_t p = pages_.page_tokens();
        std::copy_n(shadow_.begin() + copy->from * p, p, shadow_.begin() + copy->to * p);
      }
      if (child.length() >= child.end_length) end(child);
    }
  }

  void sample(Traced& s) {
    if (s.length() >= s.end_length) return end(s);
    if (s.length() + 1 <= capacity()) fork(s);
    scheduler_.append(s, static_cast<int32_t>(pick(0, 3)));
    name_last(s);
    if (s.length() >= s.end_length) end(s);
  }

  void check_work(std::span<const Work> work) {
    int64_t tokens = 0;
    std::set<const Sequence*> seen;
    for (const Work& w : work) {
      tokens += w.count;
      ASSERT_GT(w.count, 0);
      ASSERT_TRUE(seen.insert(w.sequence).second);
      ASSERT_EQ(w.last, w.count == w.sequence->remaining());
      ASSERT_LE(w.count, w.sequence->chunk_tokens_max);
      compute(w);
    }
    ASSERT_LE(tokens, options_.batch_tokens);
    ASSERT_LE(static_cast<int64_t>(scheduler_.num_running()), options_.sequences_max);
    ASSERT_TRUE(!work.empty() || scheduler_.idle()) << "nothing runs though something waits";
  }

  void step(bool arrivals) {
    if (arrivals && live_.size() < 24 && pick(0, 2) == 0) arrive();
    if (!live_.empty() && pick(0, 99) == 0)
      end(*std::next(live_.begin(), pick(0, static_cast<int64_t>(live_.size()) - 1))->second);
    for (Sequence* s : scheduler_.expired(time(now_))) {
      ++expired_;
      end(static_cast<Traced&>(*s));
    }
    const auto work = scheduler_.step(pick(1, options_.batch_tokens));
    check_work(work);
    std::vector<Traced*> last;
    for (const Work& w : work)
      if (w.last) last.push_back(static_cast<Traced*>(w.sequence));
    scheduler_.complete();
    for (Traced* s : last) sample(*s);
    const auto sound = scheduler_.check();
    ASSERT_TRUE(sound) << sound.error().message() << " at step " << now_;
    ASSERT_TRUE(live_.empty() || now_ - live_.begin()->second->born < 5'000) << "starved";
  }

  SchedulerOptions options_;
  KvPages pages_;
  Scheduler scheduler_;
  std::vector<uint64_t> shadow_;  // by slot: which prefix's keys and values it holds
  std::mt19937 random_;
  std::map<uint64_t, std::unique_ptr<Traced>> live_;
  uint64_t next_id_ = 0;
  int now_ = 0, copies_ = 0, expired_ = 0;
};

TEST(SchedulerTrace, random_steps_keep_every_page_and_every_promise) {
  Trace({.batch_tokens = 24, .sequences_max = 8, .prefills_max = 3}, 24, 4, 1).run(kSteps);
}

TEST(SchedulerTrace, so_they_do_with_one_token_a_page) {
  Trace({.batch_tokens = 8, .sequences_max = 4, .prefills_max = 4}, 40, 1, 2).run(kSteps / 20);
}

TEST(SchedulerTrace, so_they_do_with_room_for_two) {
  Trace({.batch_tokens = 64, .sequences_max = 16, .prefills_max = 8}, 7, 8, 3).run(kSteps / 20);
}

}  // namespace
}  // namespace ingot::llm
