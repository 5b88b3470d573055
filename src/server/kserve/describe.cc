// What the server and its models say of themselves: metadata, configuration, statistics.
#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>

#include "server/kserve/datatype.h"
#include "server/kserve/face.h"
#include "serving/config/model_settings.h"

namespace ingot::kserve {
namespace {

namespace json = boost::json;

json::array numbers(const std::vector<int64_t>& values) { return json::array(values.begin(), values.end()); }

json::array ports_metadata(const std::vector<serving::TensorPort>& ports) {
  json::array list;
  for (const serving::TensorPort& p : ports)
    list.push_back({{"name", p.name}, {"datatype", datatype_of(p.dtype)}, {"shape", numbers(p.shape)}});
  return list;
}

json::array text_port(const char* name) {
  return {json::object{{"name", name}, {"datatype", "BYTES"}, {"shape", json::array{1}}}};
}

json::array ports_config(const std::vector<serving::TensorPort>& ports, bool batched) {
  json::array list;
  for (const serving::TensorPort& p : ports) {
    std::vector<int64_t> dims = p.shape;
    if (batched) dims.erase(dims.begin());
    list.push_back({{"name", p.name}, {"data_type", config_type_of(p.dtype)}, {"dims", numbers(dims)}});
  }
  return list;
}

// protobuf writes 64-bit integers as strings; the protocol has them as numbers.
void numbers_from_strings(json::value& v, std::string_view key) {
  constexpr std::array<std::string_view, 7> kKeys = {"dims",
                                                     "shape",
                                                     "versions",
                                                     "max_queue_delay_microseconds",
                                                     "default_timeout_microseconds",
                                                     "priority_levels",
                                                     "default_priority_level"};
  if (v.is_object())
    for (auto& [name, inner] : v.get_object()) numbers_from_strings(inner, name);
  if (v.is_array())
    for (json::value& inner : v.get_array()) numbers_from_strings(inner, key);
  if (!v.is_string() || std::ranges::find(kKeys, key) == kKeys.end()) return;
  const std::string_view text = v.get_string();
  int64_t number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc()) v = number;
}

json::object given_config(const serving::Servable& m) {
  if (!m.settings) return {};
  json::value given = json::parse(m.settings->json);
  numbers_from_strings(given, "");
  return std::move(given.get_object());
}

// Triton's statistics of a language model: requests are inferences, steps of the engine executions; what a request's
// prompt and answer took is compute_infer. Steps mix requests, so there are no statistics by size of batch.
serving::TensorStats stats_of(const llm::EngineStats& s) {
  const auto sum = [](const llm::Histogram& h) {
    return serving::Duration{h.count, static_cast<uint64_t>(h.sum * 1e9)};
  };
  serving::TensorStats out;
  out.success = sum(s.e2e_latency_s);
  out.fail.count = s.finished_cancelled + s.finished_error + s.requests_refused;
  out.queue = sum(s.queue_time_s);
  const serving::Duration prefill = sum(s.prefill_time_s), decode = sum(s.decode_time_s);
  out.infer = {prefill.count, prefill.ns + decode.ns};
  out.inferences = out.success.count;
  out.executions = s.steps;
  return out;
}

json::object duration(const serving::Duration& d) { return {{"count", d.count}, {"ns", d.ns}}; }

}  // namespace

json::object server_metadata(const SharedRegions& regions) {
  json::array extensions{"classification",
                         "model_repository",
                         "schedule_policy",
                         "model_configuration",
                         "binary_tensor_data",
                         "parameters",
                         "statistics",
                         "logging",
                         "generate"};
  if (regions.enabled()) extensions.emplace_back("system_shared_memory");
  return {{"name", "ingot"}, {"version", INGOT_VERSION}, {"extensions", std::move(extensions)}};
}

json::object model_metadata(const serving::Servable& m, std::span<const int64_t> versions) {
  json::array numbers;
  for (const int64_t v : versions) numbers.emplace_back(std::to_string(v));
  json::object out{{"name", m.name}, {"versions", std::move(numbers)}};
  out["platform"] = m.tensor ? "onnxruntime_onnx" : "ingot";
  out["inputs"] = m.tensor ? ports_metadata(m.tensor->inputs()) : text_port("text_input");
  out["outputs"] = m.tensor ? ports_metadata(m.tensor->outputs()) : text_port("text_output");
  return out;
}

// What config.pbtxt says, and around it what follows from the model.
json::object model_config(const serving::Servable& m) {
  json::object out = given_config(m);
  out["name"] = m.name;
  out["platform"] = m.tensor ? "onnxruntime_onnx" : "";
  out["backend"] = m.tensor ? "onnxruntime" : "ingot";
  if (!out.contains("version_policy")) out["version_policy"] = {{"latest", {{"num_versions", 1}}}};
  out["max_batch_size"] = m.tensor ? m.tensor->options().batch_max : 0;
  const bool batched = m.tensor && m.tensor->options().batch_max > 0;
  if (m.tensor) {
    out["input"] = ports_config(m.tensor->inputs(), batched);
    out["output"] = ports_config(m.tensor->outputs(), batched);
  } else {
    const auto text = [](const char* name) {
      return json::array{json::object{{"name", name}, {"data_type", "TYPE_STRING"}, {"dims", json::array{1}}}};
    };
    out["input"] = text("text_input");
    out["output"] = text("text_output");
    out["model_transaction_policy"] = {{"decoupled", true}};
  }
  if (batched) {
    json::value& batching = out["dynamic_batching"];
    if (!batching.is_object()) batching = json::object();
    json::object& b = batching.get_object();
    b["preferred_batch_size"] = numbers(m.tensor->options().preferred);
    b["max_queue_delay_microseconds"] = m.tensor->options().delay_max.count();
    if (!b.contains("preserve_ordering")) b["preserve_ordering"] = false;
  }
  if (!out.contains("instance_group"))
    out["instance_group"] = json::array{{{"name", m.name}, {"kind", "KIND_CPU"}, {"count", 1}}};
  return out;
}

json::object model_stats(const serving::Servable& m) {
  json::object one{{"name", m.name}, {"version", std::to_string(m.version)}};
  const serving::TensorStats s = m.tensor ? m.tensor->stats() : stats_of(m.language->stats());
  one["last_inference"] = s.last_inference_ms;
  one["inference_count"] = s.inferences;
  one["execution_count"] = s.executions;
  one["inference_stats"] = {{"success", duration(s.success)},     {"fail", duration(s.fail)},
                            {"queue", duration(s.queue)},         {"compute_input", duration(s.input)},
                            {"compute_infer", duration(s.infer)}, {"compute_output", duration(s.output)},
                            {"cache_hit", duration({})},          {"cache_miss", duration({})}};
  json::array batches;
  for (const auto& [size, b] : s.batches)
    batches.push_back({{"batch_size", size},
                       {"compute_input", duration(b.input)},
                       {"compute_infer", duration(b.infer)},
                       {"compute_output", duration(b.output)}});
  one["batch_stats"] = std::move(batches);
  return {{"model_stats", json::array{std::move(one)}}};
}

json::object all_stats(const serving::ModelRepository& models) {
  json::array list;
  for (const auto& model : models.ready_models()) {
    json::object stats = model_stats(*model);
    for (json::value& v : stats["model_stats"].get_array()) list.push_back(std::move(v));
  }
  return {{"model_stats", std::move(list)}};
}

}  // namespace ingot::kserve
