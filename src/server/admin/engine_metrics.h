// An engine's counts as metric families with vLLM's names. Thread-safety: pure functions.
#pragma once

#include <prometheus/metric_family.h>

#include <map>
#include <string>
#include <vector>

#include "llm/engine/engine.h"

namespace ingot::admin {

// Adds one model's samples to the families (made on first use).
class EngineFamilies {
 public:
  void add(const std::string& model, const llm::Engine& engine);
  std::vector<prometheus::MetricFamily> take();

 private:
  prometheus::MetricFamily& family(const std::string& name, const std::string& help, prometheus::MetricType type);
  void gauge(const std::string& name, const std::string& help, double value);
  void counter(const std::string& name, const std::string& help, double value, const char* reason = nullptr);
  void histogram(const std::string& name, const std::string& help, const llm::Histogram& h);

  std::string model_;  // of the samples that are added now
  std::map<std::string, prometheus::MetricFamily> families_;
};

}  // namespace ingot::admin
