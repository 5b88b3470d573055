// See workload.h.
#include "cli/load/workload.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>
#include <fstream>
#include <random>

#include "server/kserve/datatype.h"

namespace ingot::cli::load {
namespace {

namespace json = boost::json;

constexpr int64_t kLineBytesMax = 16 << 20, kElementsMax = 1 << 28;

constexpr std::string_view kWords[] = {"river", "stone",  "paper", "cloud",  "seven",   "garden", "winter", "signal",
                                       "metal", "window", "quiet", "number", "forward", "bridge", "yellow", "ocean"};

json::object body_of(const Options& o) {
  json::object body{{"model", o.model}, {"max_tokens", o.output_tokens},
                    {"temperature", 0}, {"ignore_eos", true},
                    {"stream", true},   {"stream_options", json::object{{"include_usage", true}}}};
  if (o.model.empty()) body.erase("model");
  return body;
}

void set_prompt(json::object& body, json::value prompt, const Options& o) {
  if (o.api == Api::kChat)
    body["messages"] = json::array{json::object{{"role", "user"}, {"content", std::move(prompt)}}};
  else
    body["prompt"] = std::move(prompt);
}

std::vector<uint64_t> random_numbers(uint64_t seed, int64_t count) {
  std::mt19937_64 random(seed);
  std::vector<uint64_t> out(static_cast<size_t>(count));
  for (uint64_t& v : out) v = random();
  return out;
}

json::value random_prompt(const Options& o, int64_t index) {
  const auto n = static_cast<size_t>(o.input_tokens),
             shared = static_cast<size_t>(std::min(o.prefix_tokens, o.input_tokens));
  std::vector<uint64_t> numbers = random_numbers(o.seed ^ static_cast<uint64_t>(index % o.prefixes), o.input_tokens);
  const std::vector<uint64_t> own = random_numbers(~o.seed - static_cast<uint64_t>(index), o.input_tokens);
  std::copy(own.begin() + static_cast<int64_t>(shared), own.end(), numbers.begin() + static_cast<int64_t>(shared));
  if (o.api == Api::kChat) {
    std::string text;
    for (size_t i = 0; i < n; ++i) text += fmt::format("{}{}", i ? " " : "", kWords[numbers[i] % std::size(kWords)]);
    return json::string(text);
  }
  json::array ids;
  for (const uint64_t v : numbers) ids.push_back(v % static_cast<uint64_t>(o.vocabulary));
  return ids;
}

Result<std::vector<Message>> messages_of_file(const Options& o) {
  std::ifstream in(o.data);
  if (!in) return not_found("[cli] --data: cannot read '{}'", o.data);
  std::vector<Message> out;
  std::string line;
  for (int64_t number = 1; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    if (static_cast<int64_t>(line.size()) > kLineBytesMax)
      return invalid("[cli] --data '{}' line {}: {} bytes, at most {}", o.data, number, line.size(), kLineBytesMax);
    boost::system::error_code ec;
    json::value value = json::parse(line, ec);
    if (ec || !(value.is_string() || value.is_object()))
      return invalid("[cli] --data '{}' line {}: neither a JSON string nor an object", o.data, number);
    json::object body = body_of(o);
    if (value.is_string())
      set_prompt(body, value, o);
    else
      for (const auto& [key, field] : value.get_object()) body[key] = field;
    out.push_back({.body = json::serialize(body)});
  }
  if (out.empty()) return invalid("[cli] --data '{}' has no lines", o.data);
  return out;
}

template <class T>
void append(std::string& out, T v) {
  out.append(reinterpret_cast<const char*>(&v), sizeof(v));
}

// Floats between -1 and 1, integers 0 or 1 (they may be indices).
Result<void> append_random(std::string& out, DType type, int64_t count, std::mt19937_64& random) {
  std::uniform_real_distribution<float> real(-1, 1);
  for (int64_t i = 0; i < count; ++i) switch (type) {
      case DType::kF32: append(out, real(random)); break;
      case DType::kF64: append(out, static_cast<double>(real(random))); break;
      case DType::kI64: append(out, static_cast<int64_t>(random() & 1)); break;
      case DType::kI32: append(out, static_cast<int32_t>(random() & 1)); break;
      case DType::kU8:
      case DType::kI8:
      case DType::kBool: append(out, static_cast<uint8_t>(random() & 1)); break;
      default: return unimplemented("[cli] bench serve makes no random {}", dtype_name(type));
    }
  return {};
}

}  // namespace

Result<std::vector<Message>> language_messages(const Options& o) {
  if (!o.data.empty()) return messages_of_file(o);
  std::vector<Message> out;
  for (int64_t i = 0; i < o.requests + o.warmup; ++i) {
    json::object body = body_of(o);
    set_prompt(body, random_prompt(o, i), o);
    out.push_back({.body = json::serialize(body)});
  }
  return out;
}

Result<Message> tensor_message(std::string_view metadata, const Options& o) {
  boost::system::error_code ec;
  const json::value root = json::parse(metadata, ec);
  const json::value* inputs = ec || !root.is_object() ? nullptr : root.get_object().if_contains("inputs");
  if (!inputs || !inputs->is_array()) return invalid("[cli] the server's metadata of '{}' has no inputs", o.model);
  std::mt19937_64 random(o.seed);
  json::array described;
  std::string data;
  for (const json::value& input : inputs->get_array()) {
    const auto field = [&](std::string_view key) {
      return input.is_object() ? input.get_object().if_contains(key) : nullptr;
    };
    const json::value *name = field("name"), *datatype = field("datatype"), *shape = field("shape");
    if (!name || !datatype || !shape || !name->is_string() || !datatype->is_string() || !shape->is_array())
      return invalid("[cli] the server's metadata of '{}' has an input without name, datatype or shape", o.model);
    const auto type = kserve::dtype_of(datatype->get_string());
    if (!type) return unimplemented("[cli] bench serve makes no random {}", std::string_view(datatype->get_string()));
    json::array dims;
    int64_t count = 1;
    for (const json::value& d : shape->get_array()) {
      const int64_t size = d.is_int64() && d.get_int64() >= 0 ? d.get_int64() : o.batch;
      if (size > 0 && count > kElementsMax / size)
        return invalid("[cli] input '{}' has more than {} elements", std::string_view(name->as_string()), kElementsMax);
      count *= size;
      dims.push_back(size);
    }
    const size_t begin = data.size();
    INGOT_TRY(append_random(data, *type, count, random));
    described.push_back(json::object{{"name", *name},
                                     {"datatype", *datatype},
                                     {"shape", std::move(dims)},
                                     {"parameters", json::object{{"binary_data_size", data.size() - begin}}}});
  }
  const std::string head = json::serialize(
      json::object{{"inputs", std::move(described)}, {"parameters", json::object{{"binary_data_output", true}}}});
  return Message{head + data, "application/octet-stream", std::to_string(head.size())};
}

std::vector<double> arrivals(const Options& o) {
  std::mt19937_64 random(o.seed);
  std::exponential_distribution<double> gap(o.rate);
  std::vector<double> out;
  double at = 0;
  for (int64_t i = 0; i < o.requests; ++i) {
    if (o.burst > 0)
      at = static_cast<double>(i - i % o.burst) / o.rate;
    else if (i > 0)
      at += gap(random);
    out.push_back(at);
  }
  return out;
}

}  // namespace ingot::cli::load
