#include "server/openai/api_error.h"

#include <algorithm>
#include <boost/json.hpp>

#include "formats/printable.h"

namespace ingot::openai {
namespace {

// "INVALID_ARGUMENT" -> "invalid_argument"
std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

}  // namespace

std::string blamed_field(std::string_view message) {
  const size_t begin = message.find("] '");
  if (!message.starts_with('[') || begin != message.find(']')) return {};
  message.remove_prefix(begin + 3);
  const size_t end = message.find('\'');
  return message.substr(std::min(end, message.size())).starts_with("':") ? std::string(message.substr(0, end)) : "";
}

std::string error_json(const ApiError& e) {
  boost::json::object error{{"message", valid_utf8(e.status.message())},
                            {"type", http::openai_error_type(http::http_status(e.status.code()))},
                            {"param", nullptr},
                            {"code", e.code.empty() ? lower(code_name(e.status.code())) : e.code}};
  if (!e.param.empty()) error["param"] = valid_utf8(e.param);
  return boost::json::serialize(boost::json::object{{"error", std::move(error)}});
}

http::Response error_response(const ApiError& e) {
  http::Response r;
  r.status = http::http_status(e.status.code());
  r.body = error_json(e);
  if (r.status == 429 || r.status == 503)
    r.headers.emplace_back("Retry-After", std::to_string(std::max(1, e.retry_after_s)));
  return r;
}

}  // namespace ingot::openai
