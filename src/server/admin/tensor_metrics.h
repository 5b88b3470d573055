// A tensor model's counts as metric families with Triton's names. Thread-safety: pure functions.
#pragma once

#include <prometheus/metric_family.h>

#include <map>
#include <string>
#include <vector>

#include "serving/tensor_model.h"

namespace ingot::admin {

// Adds one model's samples to the families (made on first use).
class TensorFamilies {
 public:
  void add(const std::string& model, int64_t version, const serving::TensorStats& stats);
  std::vector<prometheus::MetricFamily> take();

 private:
  prometheus::ClientMetric& sample(const char* name, const char* help, prometheus::MetricType type);
  void counter(const char* name, const char* help, uint64_t value);

  std::vector<prometheus::ClientMetric::Label> labels_;  // of the samples that are added now
  std::map<std::string, prometheus::MetricFamily> families_;
};

}  // namespace ingot::admin
