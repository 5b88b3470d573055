#include "server/admin/metrics.h"

#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "server/admin/engine_metrics.h"
#include "server/admin/tensor_metrics.h"

namespace ingot::admin {
namespace {

const std::vector<double> kDurationBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                             0.5,   1,      2.5,   5,    10,    30,   60,  120};

prometheus::MetricFamily single(const char* name, const char* help, prometheus::MetricType type, double value) {
  prometheus::MetricFamily f;
  f.name = name;
  f.help = help;
  f.type = type;
  prometheus::ClientMetric& m = f.metric.emplace_back();
  (type == prometheus::MetricType::Counter ? m.counter.value : m.gauge.value) = value;
  return f;
}

// Of /proc/self/statm. 0 where it cannot be read.
double resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (!file) return 0;
  long total = 0, resident = 0;
  const int n = std::fscanf(file, "%ld %ld", &total, &resident);
  std::fclose(file);
  return n == 2 ? static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) : 0;
}

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto s = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return s(used.ru_utime) + s(used.ru_stime);
}

void add_models(const Health& health, std::vector<prometheus::MetricFamily>& families) {
  using prometheus::MetricType;
  prometheus::MetricFamily ready{"ingot_model_ready", "1 if the model answers.", MetricType::Gauge, {}};
  prometheus::MetricFamily load{"ingot_model_load_seconds", "Time that loading took, so far.", MetricType::Gauge, {}};
  for (const serving::ModelStatus& m : health.models.index()) {
    const std::vector<prometheus::ClientMetric::Label> labels{{"kind", std::string(serving::model_kind_name(m.kind))},
                                                              {"model_name", m.name},
                                                              {"version", std::to_string(m.version)}};
    prometheus::ClientMetric& r = ready.metric.emplace_back();
    r.label = labels;
    r.gauge.value = m.state == serving::ModelState::kReady ? 1 : 0;
    prometheus::ClientMetric& l = load.metric.emplace_back();
    l.label = labels;
    l.gauge.value = m.load_seconds;
  }
  families.push_back(std::move(ready));
  families.push_back(std::move(load));
  const serving::RoomStats room = health.models.room_stats();
  const auto add = [&](const char* name, const char* help, MetricType type, auto value) {
    families.push_back(single(name, help, type, static_cast<double>(value)));
  };
  add("ingot_models_bytes", "Files of the models that are loaded.", MetricType::Gauge, room.bytes_loaded);
  add("ingot_memory_budget_bytes", "What they may take together; 0: no budget.", MetricType::Gauge, room.bytes_max);
  add("ingot_idle_unloads_total", "Models put away: for others, or because nobody used them.", MetricType::Counter,
      room.idle_unloads);
  add("ingot_demand_loads_total", "Models loaded again because a request named them.", MetricType::Counter,
      room.demand_loads);
  EngineFamilies engines;
  TensorFamilies tensors;
  for (const auto& model : health.models.ready_models()) {
    const auto versions = health.models.ready_versions(model->name);
    const bool latest = versions.empty() || versions.back() == model->version;
    const std::string name = latest ? model->name : fmt::format("{}:{}", model->name, model->version);
    if (model->language) engines.add(name, *model->language);
    if (model->tensor) tensors.add(model->name, model->version, model->tensor->stats());
  }
  for (auto& f : engines.take()) families.push_back(std::move(f));
  for (auto& f : tensors.take()) families.push_back(std::move(f));
}

}  // namespace

Metrics::Metrics()
    : requests_(prometheus::BuildCounter()
                    .Name("ingot_http_requests_total")
                    .Help("HTTP requests and gRPC calls that ended; status 0: the client left before an answer.")
                    .Register(registry_)),
      durations_(prometheus::BuildHistogram()
                     .Name("ingot_http_request_duration_seconds")
                     .Help("From a request's first byte to its answer's last.")
                     .Register(registry_)),
      bytes_in_(prometheus::BuildCounter()
                    .Name("ingot_http_request_bytes_total")
                    .Help("Bytes of request bodies.")
                    .Register(registry_)
                    .Add({})),
      bytes_out_(prometheus::BuildCounter()
                     .Name("ingot_http_response_bytes_total")
                     .Help("Bytes of answers.")
                     .Register(registry_)
                     .Add({})) {}

void Metrics::count(const http::AccessEntry& e) {
  const std::string_view route = e.route.empty() ? "other" : e.route;
  prometheus::Histogram* duration = nullptr;
  prometheus::Counter* requests = nullptr;
  {
    const std::lock_guard lock(mutex_);
    auto found = routes_.find(route);
    if (found == routes_.end()) {
      found = routes_.try_emplace(std::string(route)).first;
      found->second.duration_s = &durations_.Add({{"route", found->first}}, kDurationBounds);
    }
    RouteMetrics& metrics = found->second;
    prometheus::Counter*& of_status = metrics.requests[e.status];
    if (!of_status) of_status = &requests_.Add({{"route", found->first}, {"status", std::to_string(e.status)}});
    duration = metrics.duration_s;
    requests = of_status;
  }
  requests->Increment();
  duration->Observe(e.duration_ms / 1000);
  bytes_in_.Increment(static_cast<double>(e.bytes_in));
  bytes_out_.Increment(static_cast<double>(e.bytes_out));
}

std::string Metrics::text(const Health& health, const http::ServerCounts& counts, uint64_t log_lines_dropped) const {
  using prometheus::MetricType;
  std::vector<prometheus::MetricFamily> families = registry_.Collect();
  add_models(health, families);
  const auto add = [&](const char* name, const char* help, MetricType type, double value) {
    families.push_back(single(name, help, type, value));
  };
  add("ingot_ready", "1 if every model is ready and the server takes requests.", MetricType::Gauge,
      health.ready() ? 1 : 0);
  add("ingot_http_connections", "Open connections.", MetricType::Gauge, static_cast<double>(counts.connections));
  add("ingot_http_requests_in_flight", "Requests being answered.", MetricType::Gauge,
      static_cast<double>(counts.requests));
  add("ingot_access_log_dropped_lines_total", "Lines of the access log that its reader was too slow for.",
      MetricType::Counter, static_cast<double>(log_lines_dropped));
  add("process_resident_memory_bytes", "Resident memory.", MetricType::Gauge, resident_bytes());
  add("process_cpu_seconds_total", "CPU time used.", MetricType::Counter, cpu_seconds());
  return prometheus::TextSerializer().Serialize(families);
}

void add_metrics_route(http::Router& router, http::Handler handler, bool open) {
  router.add({.method = "GET", .pattern = "/metrics", .handler = std::move(handler), .open = open});
}

}  // namespace ingot::admin
