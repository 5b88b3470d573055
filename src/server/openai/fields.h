// Reads the fields of a request's JSON object: type, range, and which field is to blame.
//
// A field that is absent or null is its fallback. The first field that is wrong is remembered and the rest is read
// on, so a caller reads all its fields and asks once. Thread-safety: one thread; borrows the object.
#pragma once

#include <boost/json/object.hpp>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/openai/api_error.h"

namespace ingot::openai {

namespace json = boost::json;

// The body as an object. Errors: kInvalidArgument (no JSON, too deep, no object, bad UTF-8).
Parsed<json::value> parse_body(std::string_view body);

class Fields {
 public:
  explicit Fields(const json::object& object) : object_(object) {}

  bool has(std::string_view name) const;  // and is not null
  const json::value* any(std::string_view name) const;
  bool boolean(std::string_view name, bool fallback);
  int64_t integer(std::string_view name, int64_t fallback, int64_t min = std::numeric_limits<int64_t>::min(),
                  int64_t max = std::numeric_limits<int64_t>::max());
  double number(std::string_view name, double fallback, double min, double max);
  std::string string(std::string_view name, std::string fallback = {});
  const json::object* object(std::string_view name);
  const json::array* array(std::string_view name);
  // A string or an array of strings.
  std::vector<std::string> strings(std::string_view name, size_t max);
  std::vector<int32_t> token_ids(std::string_view name, size_t max);

  template <class... Args>
  void fail(std::string_view name, fmt::format_string<Args...> format, Args&&... args) {
    if (failure_) return;
    failure_.emplace(Status(Code::kInvalidArgument,
                            fmt::format("[openai] '{}': {}", name, fmt::format(format, std::forward<Args>(args)...))),
                     std::string(name));
  }
  const std::optional<ApiError>& failure() const { return failure_; }

 private:
  void wrong_type(std::string_view name, std::string_view wanted);

  const json::object& object_;
  std::optional<ApiError> failure_;
};

// "a string", for messages.
std::string_view kind_name(const json::value& value);

}  // namespace ingot::openai
