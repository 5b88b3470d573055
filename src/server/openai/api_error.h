// What goes wrong with a request of OpenAI's interface, and its body {"error":{message,type,param,code}}.
// Thread-safety: plain values.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "server/http/message.h"

namespace ingot::openai {

struct ApiError {
  Status status;
  std::string param;  // the field that is to blame; empty: none
  std::string code;   // "context_length_exceeded"; empty: from the status
  int retry_after_s = 0;
  std::string idle_model;  // it was put away: once it is loaded again, the same request may succeed

  ApiError(Status s, std::string blamed = {}, std::string name = {})  // NOLINT(google-explicit-constructor)
      : status(std::move(s)), param(std::move(blamed)), code(std::move(name)) {}
};

// "n" of "[engine] 'n': 0 is not in 1 to 8": the field that a message of ours begins with; "" if it does not.
std::string blamed_field(std::string_view message);

template <class T>
using Parsed = std::expected<T, ApiError>;

// The same failure as JSON, for an answer or a line of a stream.
std::string error_json(const ApiError& failure);
http::Response error_response(const ApiError& failure);

}  // namespace ingot::openai
