// Chooses what the next step computes, and which pages hold it. Host code only: no model, no thread, no clock.
//
// A step first gives every decoding sequence its one token, then fills the budget with chunks of prompts: half to
// the oldest, the rest to the shortest, so that neither a long nor a short prompt waits for ever. Admission is by
// memory: a sequence starts when all its tokens fit beside what runs. If pages lack later, the sequence that runs
// last in order gives up its pages and is computed again when there is room (preemption by recompute).
// Pages are shared by content. A prompt whose next page is being computed by another sequence waits for that page
// instead of computing it, too.
// Ownership: keeps pointers to the caller's sequences between add() and remove(). Thread-safety: the engine's thread.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "llm/engine/fair_queue.h"
#include "llm/engine/sequence.h"
#include "llm/kv_pages.h"

namespace ingot::llm {

struct SchedulerOptions {
  int64_t batch_tokens = 512;  // of one step; at least sequences_max
  int64_t sequences_max = 64;  // running at once
  int64_t prefills_max = 8;    // of them, with a prompt not yet computed
  bool prefix_cache = true;
};

// tokens[computed, computed + count) of the sequence.
struct Work {
  Sequence* sequence;
  int64_t count;
  bool last;  // with it all tokens of the sequence are computed: the next one can be sampled
};

struct PageCopy {
  int32_t from, to;
};

struct SchedulerCounts {
  uint64_t preemptions = 0;
  uint64_t prefix_queries_tokens = 0, prefix_hits_tokens = 0;
};

class Scheduler {
 public:
  // Takes over all pages; they must outlive it. Every sequence must fit into them alone.
  Scheduler(KvPages& pages, const SchedulerOptions& options);

  void add(Sequence& s);
  // In any state after add(); gives back its pages.
  void remove(Sequence& s);
  // Those past their deadline. The caller ends and removes them.
  std::vector<Sequence*> expired(EngineClock::time_point now) const;

  // The next step's work: decodes first, then prompts of at most prefill_tokens (at least 1) together. Empty: nothing
  // is to be done. Valid until the next call.
  std::span<const Work> step(int64_t prefill_tokens);
  // The step's work was computed. Full pages can be found from now on.
  void complete();
  // The next token of a running sequence of which all tokens are computed.
  void append(Sequence& s, int32_t token);
  // `child` (new, its tokens begin with those that `parent` has computed) continues from the parent's pages. Returns
  // the page copy that has to be made at once, if the last page is not full. Without room the child waits, as if
  // add()ed.
  std::optional<PageCopy> fork(Sequence& parent, Sequence& child);

  size_t num_running() const { return running_.size(); }
  size_t num_waiting() const { return queue_.size(); }
  size_t num_decoding() const;
  bool idle() const { return running_.empty() && queue_.size() == 0; }
  const SchedulerCounts& counts() const { return counts_; }

  // Walks everything. Errors: kInternal naming what does not fit together.
  Result<void> check() const;

 private:
  struct Prefix {
    std::vector<int32_t> pages;
    bool deferred = false;  // the page after them is being computed by another sequence
  };
  void enter(Sequence& s);
  void start(Sequence& s);
  void drop_pages(Sequence& s);
  void preempt_last();
  bool grow(Sequence& s);
  void schedule_decodes();
  void schedule_prompts(int64_t budget);
  void give(Sequence& s, int64_t tokens, int64_t& budget);
  int64_t limited_tokens_ = 0;  // given in this step to sequences with chunk_tokens_max
  void admit();
  FairQueue::Visit try_admit(Sequence& s);
  bool make_room(const Sequence& s, int64_t fresh_pages);
  Prefix find_prefix(Sequence& s) const;
  void compute_keys(Sequence& s, size_t count) const;
  void publish(Sequence& s);
  int64_t pages_for(int64_t tokens) const { return (tokens + pages_.page_tokens() - 1) / pages_.page_tokens(); }

  KvPages& pages_;
  SchedulerOptions options_;
  FairQueue queue_;
  std::vector<Sequence*> running_;  // best first
  std::vector<Work> work_;
  std::set<std::pair<EngineClock::time_point, Sequence*>> deadlines_;
  std::unordered_map<PageKey, const Sequence*, PageKeyHash> pending_;  // pages being computed, and by whom
  SchedulerCounts counts_;
};

}  // namespace ingot::llm
