// Template text -> tokens, with the whitespace rules of trim_blocks and lstrip_blocks switched on.
//
// Newlines become \n and one at the very end is dropped, as Jinja does. Errors name the line.
// Feeds: parser. Stateless; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/values/value.h"

namespace ingot::jinja {

enum class TokenType : uint8_t {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenType type;
  int line;
  std::string text;  // names, operators; strings with their escapes resolved
  int64_t integer = 0;
  double real = 0;

  bool is(TokenType t) const { return type == t; }
  bool is_name(std::string_view name) const { return type == TokenType::kName && text == name; }
  bool is_operator(std::string_view op) const { return type == TokenType::kOperator && text == op; }
};

std::vector<Token> tokenize(std::string_view source);
// What a message calls this token.
std::string describe(const Token& token);

}  // namespace ingot::jinja
