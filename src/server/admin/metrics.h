// Prometheus metrics: what engines and the server count, in the names that dashboards know.
//
// vLLM's names and buckets for language models (labels model_name, engine), ingot_ for the rest. Collected at each
// scrape; between scrapes only the HTTP counters are touched. Thread-safety: all functions.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <mutex>
#include <string>

#include "server/admin/health.h"
#include "server/http/access_log.h"
#include "server/http/server.h"
#include "serving/model_repository.h"

namespace ingot::admin {

class Metrics {
 public:
  Metrics();
  // A request ended. Routes are patterns, so that clients cannot make up labels.
  void count(const http::AccessEntry& entry);
  // The exposition, text format 0.0.4.
  std::string text(const Health& health, const http::ServerCounts& counts, uint64_t log_lines_dropped) const;

 private:
  struct RouteMetrics {
    prometheus::Histogram* duration_s = nullptr;
    std::map<int, prometheus::Counter*> requests;  // by status
  };
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;
  prometheus::Counter& bytes_in_;
  prometheus::Counter& bytes_out_;
  std::mutex mutex_;
  std::map<std::string, RouteMetrics, std::less<>> routes_;
};

void add_metrics_route(http::Router& router, http::Handler handler, bool open);

}  // namespace ingot::admin
