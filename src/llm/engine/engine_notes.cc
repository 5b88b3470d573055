// What the engine counts while it runs (EngineStats).
#include "llm/engine/engine_loop.h"

namespace ingot::llm {
namespace {

double seconds(EngineClock::time_point from, EngineClock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

void Engine::Impl::note_scheduled(LiveRequest& live) {
  live.timings.scheduled = now_;
  live.usage.cached_tokens = live.choices.front()->cached;
  std::lock_guard lock(mutex_);
  --stats_.requests_waiting;
  ++stats_.requests_running;
  stats_.queue_tokens -= live.usage.prompt_tokens;
  stats_.prompt_tokens += static_cast<uint64_t>(live.usage.prompt_tokens);
  stats_.queue_time_s.add(seconds(live.timings.submitted, now_));
  stats_.prompt_tokens_per_request.add(static_cast<double>(live.usage.prompt_tokens));
}

void Engine::Impl::note_token(const Choice& choice) {
  const Timings& t = choice.live->timings;
  std::lock_guard lock(mutex_);
  ++stats_.generation_tokens;
  if (choice.last_token) stats_.inter_token_latency_s.add(seconds(*choice.last_token, now_));
  if (t.first_token) return;
  stats_.time_to_first_token_s.add(seconds(t.submitted, now_));
  stats_.prefill_time_s.add(seconds(*t.scheduled, now_));
}

void Engine::Impl::note_finish(FinishReason reason) {
  std::lock_guard lock(mutex_);
  const bool by_length = reason == FinishReason::kLength || reason == FinishReason::kContextFull;
  ++(by_length ? stats_.finished_length : stats_.finished_stop);
}

void Engine::Impl::note_end(const LiveRequest& live, std::optional<Code> failure) {
  const Timings& t = live.timings;
  std::lock_guard lock(mutex_);
  if (t.scheduled) {
    --stats_.requests_running;
  } else {
    --stats_.requests_waiting;
    stats_.queue_tokens -= live.usage.prompt_tokens;
  }
  if (failure) {
    ++(failure == Code::kCancelled ? stats_.finished_cancelled : stats_.finished_error);
  } else {
    stats_.e2e_latency_s.add(seconds(t.submitted, now_));
    stats_.generation_tokens_per_request.add(static_cast<double>(live.usage.completion_tokens));
    if (t.first_token) {
      const double decode_s = seconds(*t.first_token, now_);
      const auto tokens = static_cast<double>(live.usage.completion_tokens) / static_cast<double>(live.choices.size());
      stats_.decode_time_s.add(decode_s);
      if (tokens > 1) stats_.time_per_output_token_s.add(decode_s / (tokens - 1));
    }
  }
  note_scheduler();
}

void Engine::Impl::note_gone() {
  std::lock_guard lock(mutex_);
  if (--accepted_ == 0) idle_.notify_all();
}

// With the lock held.
void Engine::Impl::note_scheduler() {
  const KvPages& pages = std::as_const(*model_.runner).pages();
  stats_.kv_pages_used = pages.num_used();
  stats_.kv_pages_cached = pages.num_cached();
  stats_.evictions_pages = pages.num_evictions();
  stats_.sequences_running = static_cast<int64_t>(scheduler_.num_running());
  stats_.sequences_waiting = static_cast<int64_t>(scheduler_.num_waiting());
  stats_.preemptions = scheduler_.counts().preemptions;
  stats_.prefix_queries_tokens = scheduler_.counts().prefix_queries_tokens;
  stats_.prefix_hits_tokens = scheduler_.counts().prefix_hits_tokens;
}

void Engine::Impl::note_step(int64_t tokens) {
  std::lock_guard lock(mutex_);
  note_scheduler();
  ++stats_.steps;
  stats_.computed_tokens += static_cast<uint64_t>(tokens);
  stats_.step_tokens.add(static_cast<double>(tokens));
}

}  // namespace ingot::llm
