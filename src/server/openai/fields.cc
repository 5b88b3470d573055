#include "server/openai/fields.h"

#include <boost/json.hpp>
#include <cmath>

#include "base/limits.h"

namespace ingot::openai {
namespace {

// An integer of JSON, also written 3.0, as some clients do.
std::optional<int64_t> as_integer(const json::value& v) {
  if (v.is_int64()) return v.get_int64();
  if (v.is_double() && std::floor(v.get_double()) == v.get_double() && std::fabs(v.get_double()) < 9e15)
    return static_cast<int64_t>(v.get_double());
  return {};
}

}  // namespace

Parsed<json::value> parse_body(std::string_view body) {
  const auto refuse = [](std::string message) {
    return std::unexpected(ApiError(Status(Code::kInvalidArgument, std::move(message)), "", "invalid_json"));
  };
  json::parse_options options;
  options.max_depth = limits::kJsonDepthMax;
  boost::system::error_code ec;
  json::value value = json::parse(body, ec, {}, options);
  if (ec == json::error::too_deep)
    return refuse(fmt::format("[openai] the body's JSON is nested deeper than {}", limits::kJsonDepthMax));
  if (ec) return refuse(fmt::format("[openai] the body is not JSON: {}", ec.message()));
  if (!value.is_object()) return refuse(fmt::format("[openai] the body is {}, not an object", kind_name(value)));
  return value;
}

std::string_view kind_name(const json::value& v) {
  switch (v.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return "a boolean";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_: return "a number";
    case json::kind::string: return "a string";
    case json::kind::array: return "an array";
    case json::kind::object: return "an object";
  }
  return "unknown";
}

const json::value* Fields::any(std::string_view name) const {
  const json::value* v = object_.if_contains(name);
  return v && !v->is_null() ? v : nullptr;
}

bool Fields::has(std::string_view name) const { return any(name) != nullptr; }

void Fields::wrong_type(std::string_view name, std::string_view wanted) {
  fail(name, "is {}, must be {}", kind_name(*any(name)), wanted);
}

bool Fields::boolean(std::string_view name, bool fallback) {
  const json::value* v = any(name);
  if (!v) return fallback;
  if (v->is_bool()) return v->get_bool();
  wrong_type(name, "a boolean");
  return fallback;
}

int64_t Fields::integer(std::string_view name, int64_t fallback, int64_t min, int64_t max) {
  const json::value* v = any(name);
  if (!v) return fallback;
  const auto value = as_integer(*v);
  if (!value) {
    if (v->is_number())
      fail(name, "must be an integer of 64 bits");
    else
      wrong_type(name, "an integer");
    return fallback;
  }
  if (*value < min || *value > max) {
    if (max == std::numeric_limits<int64_t>::max())
      fail(name, "{} is out of range: at least {}", *value, min);
    else
      fail(name, "{} is out of range: {} to {}", *value, min, max);
    return fallback;
  }
  return *value;
}

double Fields::number(std::string_view name, double fallback, double min, double max) {
  const json::value* v = any(name);
  if (!v) return fallback;
  if (!v->is_number()) {
    wrong_type(name, "a number");
    return fallback;
  }
  const double value = v->to_number<double>();
  if (!(value >= min && value <= max)) {
    fail(name, "{} is out of range: {} to {}", value, min, max);
    return fallback;
  }
  return value;
}

std::string Fields::string(std::string_view name, std::string fallback) {
  const json::value* v = any(name);
  if (!v) return fallback;
  if (v->is_string()) return std::string(v->get_string());
  wrong_type(name, "a string");
  return fallback;
}

const json::object* Fields::object(std::string_view name) {
  const json::value* v = any(name);
  if (!v) return nullptr;
  if (v->is_object()) return &v->get_object();
  wrong_type(name, "an object");
  return nullptr;
}

const json::array* Fields::array(std::string_view name) {
  const json::value* v = any(name);
  if (!v) return nullptr;
  if (v->is_array()) return &v->get_array();
  wrong_type(name, "an array");
  return nullptr;
}

std::vector<std::string> Fields::strings(std::string_view name, size_t max) {
  const json::value* v = any(name);
  if (!v) return {};
  if (v->is_string()) return {std::string(v->get_string())};
  if (!v->is_array()) {
    wrong_type(name, "a string or an array of strings");
    return {};
  }
  std::vector<std::string> list;
  if (v->get_array().size() > max) {
    fail(name, "has {} entries, at most {} are taken", v->get_array().size(), max);
    return {};
  }
  for (const json::value& item : v->get_array()) {
    if (!item.is_string()) {
      fail(name, "entry {} is {}, must be a string", list.size(), kind_name(item));
      return {};
    }
    list.emplace_back(item.get_string());
  }
  return list;
}

std::vector<int32_t> Fields::token_ids(std::string_view name, size_t max) {
  const json::array* items = array(name);
  if (!items) return {};
  if (items->size() > max) {
    fail(name, "has {} entries, at most {} are taken", items->size(), max);
    return {};
  }
  std::vector<int32_t> ids;
  ids.reserve(items->size());
  for (const json::value& item : *items) {
    const auto id = as_integer(item);
    if (!id || *id < 0 || *id > std::numeric_limits<int32_t>::max()) {
      fail(name, "entry {} is not a token id", ids.size());
      return {};
    }
    ids.push_back(static_cast<int32_t>(*id));
  }
  return ids;
}

}  // namespace ingot::openai
