#include "server/admin/engine_metrics.h"

#include <limits>

namespace ingot::admin {
namespace {

std::vector<prometheus::ClientMetric::Label> labels(const std::string& model) {
  return {{"engine", "0"}, {"model_name", model}};
}

}  // namespace

prometheus::MetricFamily& EngineFamilies::family(const std::string& name, const std::string& help,
                                                 prometheus::MetricType type) {
  prometheus::MetricFamily& f = families_[name];
  f.name = name;
  f.help = help;
  f.type = type;
  f.metric.emplace_back().label = labels(model_);
  return f;
}

void EngineFamilies::gauge(const std::string& name, const std::string& help, double value) {
  family(name, help, prometheus::MetricType::Gauge).metric.back().gauge.value = value;
}

void EngineFamilies::counter(const std::string& name, const std::string& help, double value, const char* reason) {
  prometheus::ClientMetric& m = family(name, help, prometheus::MetricType::Counter).metric.back();
  m.counter.value = value;
  if (reason) m.label.push_back({"finished_reason", reason});
}

void EngineFamilies::histogram(const std::string& name, const std::string& help, const llm::Histogram& h) {
  prometheus::ClientMetric& m = family(name, help, prometheus::MetricType::Histogram).metric.back();
  m.histogram.sample_count = h.count;
  m.histogram.sample_sum = h.sum;
  uint64_t below = 0;
  for (size_t i = 0; i < h.counts.size(); ++i) {
    below += h.counts[i];
    m.histogram.bucket.push_back({below, i < h.bounds.size() ? h.bounds[i] : std::numeric_limits<double>::infinity()});
  }
}

void EngineFamilies::add(const std::string& model, const llm::Engine& engine) {
  model_ = model;
  const llm::EngineStats s = engine.stats();
  const auto d = [](auto v) { return static_cast<double>(v); };
  gauge("vllm:num_requests_running", "Requests in the running batch.", d(s.requests_running));
  gauge("vllm:num_requests_waiting", "Requests that wait to be started.", d(s.requests_waiting));
  gauge("vllm:kv_cache_usage_perc", "Share of the KV cache that sequences hold, 0 to 1.",
        s.kv_pages ? d(s.kv_pages_used) / d(s.kv_pages) : 0);
  gauge("ingot_sequences_running", "Sequences in the running batch.", d(s.sequences_running));
  gauge("ingot_sequences_waiting", "Sequences that wait, preempted ones included.", d(s.sequences_waiting));
  gauge("ingot_queue_tokens", "Prompt tokens of the requests that wait.", d(s.queue_tokens));
  gauge("ingot_kv_pages", "Pages of the KV cache.", d(s.kv_pages));
  gauge("ingot_kv_pages_used", "Pages that sequences hold.", d(s.kv_pages_used));
  gauge("ingot_kv_pages_cached", "Pages that no sequence holds and a later one may reuse.", d(s.kv_pages_cached));
  counter("vllm:num_preemptions_total", "Sequences that gave their memory to others.", d(s.preemptions));
  counter("vllm:prompt_tokens_total", "Prompt tokens of the requests that started.", d(s.prompt_tokens));
  counter("vllm:prompt_tokens_cached_total", "Of these, found in the prefix cache.", d(s.prefix_hits_tokens));
  counter("vllm:generation_tokens_total", "Generated tokens.", d(s.generation_tokens));
  counter("vllm:prefix_cache_queries_total", "Tokens looked for in the prefix cache.", d(s.prefix_queries_tokens));
  counter("vllm:prefix_cache_hits_total", "Tokens found in the prefix cache.", d(s.prefix_hits_tokens));
  const std::string success = "vllm:request_success_total", success_help = "Choices that ended, by reason.";
  counter(success, success_help, d(s.finished_stop), "stop");
  counter(success, success_help, d(s.finished_length), "length");
  counter(success, success_help, d(s.finished_cancelled), "abort");
  counter(success, success_help, d(s.finished_error), "error");
  counter("ingot_requests_submitted_total", "Requests that the engine accepted.", d(s.requests_submitted));
  counter("ingot_requests_refused_total", "Requests that the engine refused.", d(s.requests_refused));
  counter("ingot_engine_steps_total", "Steps of the engine.", d(s.steps));
  counter("ingot_computed_tokens_total", "Tokens that went through the model.", d(s.computed_tokens));
  counter("ingot_evicted_pages_total", "Cached pages that were given to others.", d(s.evictions_pages));
  histogram("vllm:time_to_first_token_seconds", "From arrival to the first token.", s.time_to_first_token_s);
  histogram("vllm:inter_token_latency_seconds", "Between two tokens of a sequence.", s.inter_token_latency_s);
  histogram("vllm:request_time_per_output_token_seconds", "Mean time between a request's tokens.",
            s.time_per_output_token_s);
  histogram("vllm:e2e_request_latency_seconds", "From arrival to the end.", s.e2e_latency_s);
  histogram("vllm:request_queue_time_seconds", "From arrival to the first step.", s.queue_time_s);
  histogram("vllm:request_prefill_time_seconds", "From the first step to the first token.", s.prefill_time_s);
  histogram("vllm:request_decode_time_seconds", "From the first token to the end.", s.decode_time_s);
  histogram("vllm:request_prompt_tokens", "Prompt tokens of a request.", s.prompt_tokens_per_request);
  histogram("vllm:request_generation_tokens", "Generated tokens of a request.", s.generation_tokens_per_request);
  histogram("vllm:iteration_tokens_total", "Tokens of a step.", s.step_tokens);
}

std::vector<prometheus::MetricFamily> EngineFamilies::take() {
  std::vector<prometheus::MetricFamily> list;
  for (auto& [name, f] : families_) list.push_back(std::move(f));
  families_.clear();
  return list;
}

}  // namespace ingot::admin
