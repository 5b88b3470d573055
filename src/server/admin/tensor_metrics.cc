#include "server/admin/tensor_metrics.h"

namespace ingot::admin {

using prometheus::MetricType;

prometheus::ClientMetric& TensorFamilies::sample(const char* name, const char* help, MetricType type) {
  prometheus::MetricFamily& f = families_[name];
  f.name = name;
  f.help = help;
  f.type = type;
  prometheus::ClientMetric& m = f.metric.emplace_back();
  m.label = labels_;
  return m;
}

void TensorFamilies::counter(const char* name, const char* help, uint64_t value) {
  sample(name, help, MetricType::Counter).counter.value = static_cast<double>(value);
}

void TensorFamilies::add(const std::string& model, int64_t version, const serving::TensorStats& s) {
  labels_ = {{"model", model}, {"version", std::to_string(version)}};
  const auto us = [](const serving::Duration& d) { return d.ns / 1000; };
  counter("nv_inference_request_success", "Successful requests.", s.success.count);
  counter("nv_inference_request_failure", "Failed and refused requests.", s.fail.count + s.refused);
  counter("nv_inference_count", "Inferences: the rows of all batches.", s.inferences);
  counter("nv_inference_exec_count", "Runs of the model: batches.", s.executions);
  counter("nv_inference_request_duration_us", "Time of requests from arrival to answer.", us(s.success));
  counter("nv_inference_queue_duration_us", "Time that requests waited.", us(s.queue));
  counter("nv_inference_compute_input_duration_us", "Time of joining inputs.", us(s.input));
  counter("nv_inference_compute_infer_duration_us", "Time of the model.", us(s.infer));
  counter("nv_inference_compute_output_duration_us", "Time of taking outputs apart.", us(s.output));
  sample("nv_inference_pending_request_count", "Requests that wait.", MetricType::Gauge).gauge.value =
      static_cast<double>(s.pending);
}

std::vector<prometheus::MetricFamily> TensorFamilies::take() {
  std::vector<prometheus::MetricFamily> list;
  for (auto& [name, f] : families_) list.push_back(std::move(f));
  families_.clear();
  return list;
}

}  // namespace ingot::admin
