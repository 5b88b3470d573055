#include "formats/json.h"

#include <algorithm>
#include <boost/json/parser.hpp>
#include <exception>
#include <string>

#include "base/limits.h"

namespace ingot {
namespace {

namespace bj = boost::json;

struct Failure {
  size_t offset;
  std::string reason;
};

std::expected<bj::value, Failure> parse_strict(std::string_view text) {
  try {
    bj::parse_options options;
    options.max_depth = limits::kJsonDepthMax;
    bj::parser parser({}, options);
    bj::error_code ec;
    const size_t consumed = parser.write(text.data(), text.size(), ec);
    if (ec) return std::unexpected(Failure{consumed, ec.message()});
    return parser.release();
  } catch (const std::exception& e) {
    return std::unexpected(Failure{0, e.what()});
  }
}

// Outside of strings, Python's three words for non-finite numbers become null.
std::string without_nonfinite(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\' && i + 1 < text.size()) {
      out += text.substr(i++, 2);
      continue;
    }
    if (c == '"') in_string = !in_string;
    if (!in_string) {
      const std::string_view rest = text.substr(i);
      const auto words = {std::string_view("NaN"), std::string_view("Infinity"), std::string_view("-Infinity")};
      const auto word = std::find_if(words.begin(), words.end(), [&](auto w) { return rest.starts_with(w); });
      if (word != words.end()) {
        out += "null";
        i += word->size() - 1;
        continue;
      }
    }
    out += c;
  }
  return out;
}

}  // namespace

Result<bj::value> parse_json(std::string_view text, std::string_view what) {
  if (text.size() > limits::kJsonBytesMax)
    return error(Code::kResourceExhausted, "{}: {} bytes of JSON, the limit is {}", what, text.size(),
                 limits::kJsonBytesMax);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  auto value = parse_strict(text);
  if (!value && (text.find("NaN") != text.npos || text.find("Infinity") != text.npos)) {
    auto again = parse_strict(without_nonfinite(text));
    if (again) value = std::move(again);
  }
  if (!value) {
    const std::string_view before = text.substr(0, std::min(value.error().offset, text.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t column = before.size() - (before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1) + 1;
    return invalid("{}: not valid JSON at line {}, column {}: {}", what, line, column, value.error().reason);
  }
  return std::move(*value);
}

}  // namespace ingot
