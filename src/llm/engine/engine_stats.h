// What the engine counts: gauges of now, totals since the start, histograms.
//
// The engine's thread writes, Engine::stats() copies under a lock. Bucket bounds are vLLM's, so its dashboards fit.
// Thread-safety: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace ingot::llm {

// counts[i]: values <= bounds[i] and > bounds[i - 1]; the last count: values above all bounds.
struct Histogram {
  std::span<const double> bounds;  // ascending; static storage
  std::vector<uint64_t> counts;    // bounds.size() + 1
  double sum = 0;
  uint64_t count = 0;

  explicit Histogram(std::span<const double> upper_bounds = {})
      : bounds(upper_bounds), counts(upper_bounds.size() + 1) {}
  void add(double value);
};

struct EngineStats {
  EngineStats();

  // Now.
  int64_t requests_waiting = 0, requests_running = 0;    // a request runs from its first step on
  int64_t sequences_running = 0, sequences_waiting = 0;  // choices; waiting: also preempted ones
  int64_t queue_tokens = 0;
  int64_t kv_pages = 0, kv_pages_used = 0, kv_pages_cached = 0;  // used: held by a sequence; cached: reusable, not held
  int64_t kv_page_tokens = 0;

  // Since the start.
  uint64_t steps = 0;
  uint64_t requests_submitted = 0, requests_refused = 0;
  uint64_t finished_stop = 0, finished_length = 0, finished_cancelled = 0,
           finished_error = 0;  // choices; the last two: requests
  uint64_t preemptions = 0;
  uint64_t prompt_tokens = 0;    // of requests that started
  uint64_t computed_tokens = 0;  // tokens that went through the model, recomputed ones included
  uint64_t generation_tokens = 0;
  uint64_t prefix_queries_tokens = 0, prefix_hits_tokens = 0;
  uint64_t evictions_pages = 0;

  // Seconds.
  Histogram time_to_first_token_s, inter_token_latency_s, e2e_latency_s, queue_time_s, prefill_time_s, decode_time_s;
  Histogram time_per_output_token_s;
  // Tokens.
  Histogram prompt_tokens_per_request, generation_tokens_per_request, step_tokens;
};

}  // namespace ingot::llm
