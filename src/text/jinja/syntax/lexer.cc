#include "text/jinja/syntax/lexer.h"

#include <algorithm>
#include <charconv>

#include "text/jinja/values/print.h"
#include "text/jinja/values/unicode.h"
#include "text/unicode/unicode.h"

namespace ingot::jinja {
namespace {

using namespace std::string_view_literals;

[[noreturn]] void syntax_error(int line, std::string message) {
  raise(Code::kInvalidArgument, std::move(message), line);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : s_(std::move(source)) {}

  std::vector<Token> run() {
    while (pos_ < s_.size()) root();
    tokens_.push_back({TokenType::kEnd, line_, ""});
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return std::string_view(s_).substr(pos_); }
  bool starts_with(std::string_view what) const { return rest().starts_with(what); }
  bool starts_with_at(size_t at, std::string_view what) const {
    return at <= s_.size() && std::string_view(s_).substr(at).starts_with(what);
  }
  size_t skip_space(size_t at) const {
    while (at < s_.size()) {
      size_t next = at;
      if (!unicode::is_space(unicode::decode(s_, next))) break;
      at = next;
    }
    return at;
  }
  // Moves to `to`, counting lines.
  void advance(size_t to) {
    line_ +=
        static_cast<int>(std::count(s_.begin() + static_cast<long>(pos_), s_.begin() + static_cast<long>(to), '\n'));
    pos_ = to;
    line_starting_ = to > 0 && s_[to - 1] == '\n';
  }
  void push(TokenType type, std::string text = "") { tokens_.push_back({type, line_, std::move(text)}); }

  void root();
  void data(size_t end, char sign, bool strips_line);
  bool raw(size_t begin, char sign, size_t after_sign);
  void raw_body();
  void comment();
  void tag(bool is_block);
  bool tag_end(bool is_block);
  void token();
  void number();
  bool prefixed_integer(char kind);
  void name();
  void string();
  void operator_token();

  std::string s_;
  size_t pos_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::string balance_;
  std::vector<Token> tokens_;
};

// Emits the text up to `end`, where a tag with this sign begins.
void Lexer::data(size_t end, char sign, bool strips_line) {
  std::string_view text = std::string_view(s_).substr(pos_, end - pos_);
  if (sign == '-') {
    text = unicode::strip(text, false, true);
  } else if (sign != '+' && strips_line) {
    const size_t newline = text.rfind('\n');
    const size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
    if ((line_start > 0 || line_starting_) && unicode::strip(text.substr(line_start), true, true).empty()) {
      text = text.substr(0, line_start);
    }
  }
  if (!text.empty()) push(TokenType::kData, std::string(text));
  advance(end);
}

void Lexer::root() {
  size_t begin = pos_;
  while (true) {
    begin = s_.find('{', begin);
    if (begin == std::string::npos || begin + 1 >= s_.size()) {
      push(TokenType::kData, std::string(rest()));
      advance(s_.size());
      return;
    }
    if ("%{#"sv.find(s_[begin + 1]) != std::string_view::npos) break;
    ++begin;
  }
  const char kind = s_[begin + 1];
  size_t after = begin + 2;
  char sign = 0;
  if (after < s_.size() && (s_[after] == '-' || s_[after] == '+')) sign = s_[after++];
  if (kind == '%' && raw(begin, sign, after)) return;
  data(begin, sign, kind != '{');
  advance(after);
  if (kind == '#') {
    comment();
  } else {
    push(kind == '%' ? TokenType::kBlockBegin : TokenType::kVariableBegin);
    tag(kind == '%');
  }
}

bool Lexer::raw(size_t begin, char sign, size_t after_sign) {
  size_t at = skip_space(after_sign);
  if (!starts_with_at(at, "raw")) return false;
  at = skip_space(at + 3);
  if (starts_with_at(at, "-%}")) {
    at = skip_space(at + 3);
  } else if (starts_with_at(at, "%}")) {
    at += 2;
  } else {
    return false;
  }
  data(begin, sign, true);
  advance(at);
  raw_body();
  return true;
}

void Lexer::raw_body() {
  if (pos_ >= s_.size()) return;
  for (size_t begin = s_.find("{%", pos_); begin != std::string::npos; begin = s_.find("{%", begin + 1)) {
    size_t at = begin + 2;
    char sign = 0;
    if (at < s_.size() && (s_[at] == '-' || s_[at] == '+')) sign = s_[at++];
    at = skip_space(at);
    if (!starts_with_at(at, "endraw")) continue;
    at = skip_space(at + 6);
    if (starts_with_at(at, "+%}")) {
      at += 3;
    } else if (starts_with_at(at, "-%}")) {
      at = skip_space(at + 3);
    } else if (starts_with_at(at, "%}")) {
      at += 2;
      if (at < s_.size() && s_[at] == '\n') ++at;
    } else {
      continue;
    }
    data(begin, sign, true);
    advance(at);
    return;
  }
  syntax_error(line_, "Missing end of raw directive");
}

void Lexer::comment() {
  if (pos_ >= s_.size()) return;
  const size_t close = s_.find("#}", pos_);
  if (close == std::string::npos) syntax_error(line_, "Missing end of comment tag");
  size_t at = close + 2;
  const char sign = close > pos_ ? s_[close - 1] : 0;
  if (sign == '-') {
    at = skip_space(at);
  } else if (sign != '+' && at < s_.size() && s_[at] == '\n') {
    ++at;
  }
  advance(at);
}

bool Lexer::tag_end(bool is_block) {
  if (!balance_.empty()) return false;
  const std::string_view close = is_block ? "%}" : "}}";
  size_t at = 0;
  if (starts_with_at(pos_ + 1, close) && s_[pos_] == '-') {
    at = skip_space(pos_ + 3);
  } else if (is_block && starts_with("+%}")) {
    at = pos_ + 3;
  } else if (starts_with(close)) {
    at = pos_ + 2;
    if (is_block && at < s_.size() && s_[at] == '\n') ++at;
  } else {
    return false;
  }
  push(is_block ? TokenType::kBlockEnd : TokenType::kVariableEnd);
  advance(at);
  return true;
}

void Lexer::tag(bool is_block) {
  while (pos_ < s_.size()) {
    if (tag_end(is_block)) return;
    const size_t after_space = skip_space(pos_);
    if (after_space > pos_) {
      advance(after_space);
      continue;
    }
    token();
  }
}

void Lexer::token() {
  const char c = s_[pos_];
  size_t at = pos_;
  if (is_digit(c)) {
    number();
  } else if (unicode::is_identifier_start(unicode::decode(s_, at))) {
    name();
  } else if (c == '"' || c == '\'') {
    string();
  } else {
    operator_token();
  }
}

bool Lexer::prefixed_integer(char kind) {
  const int base = kind == 'b' ? 2 : kind == 'o' ? 8 : 16;
  std::string digits;
  size_t at = pos_ + 2;
  const auto digit = [&](size_t i) {
    if (i >= s_.size()) return false;
    const char c = static_cast<char>(s_[i] | 0x20);
    const int v = is_digit(s_[i]) ? s_[i] - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
    return v < base;
  };
  while (digit(at) || (at < s_.size() && s_[at] == '_' && digit(at + 1))) {
    if (s_[at] != '_') digits += s_[at];
    ++at;
  }
  if (digits.empty()) return false;
  Token token{TokenType::kInteger, line_, ""};
  if (std::from_chars(digits.data(), digits.data() + digits.size(), token.integer, base).ec != std::errc()) {
    syntax_error(line_, "integer literal passes 64 bits: " + digits);
  }
  tokens_.push_back(std::move(token));
  advance(at);
  return true;
}

void Lexer::number() {
  if (s_[pos_] == '0' && pos_ + 1 < s_.size()) {
    const char kind = static_cast<char>(s_[pos_ + 1] | 0x20);
    if ((kind == 'b' || kind == 'o' || kind == 'x') && prefixed_integer(kind)) return;
  }
  const auto digits = [&](size_t i) {  // digits with single underscores between them
    while (i < s_.size() && (is_digit(s_[i]) || (s_[i] == '_' && i + 1 < s_.size() && is_digit(s_[i + 1])))) ++i;
    return i;
  };
  size_t end = digits(pos_);
  bool real = false;
  if (pos_ == 0 || s_[pos_ - 1] != '.') {
    size_t at = end;
    if (at + 1 < s_.size() && s_[at] == '.' && is_digit(s_[at + 1])) {
      at = end = digits(at + 1);
      real = true;
    }
    if (at < s_.size() && (s_[at] == 'e' || s_[at] == 'E')) {
      size_t exponent = at + 1;
      if (exponent < s_.size() && (s_[exponent] == '+' || s_[exponent] == '-')) ++exponent;
      if (exponent < s_.size() && is_digit(s_[exponent])) {
        end = digits(exponent);
        real = true;
      }
    }
  }
  if (!real && s_[pos_] == '0') {  // zeros only: "007" is 00 and 7
    end = pos_ + 1;
    while (end < s_.size() && (s_[end] == '0' || (s_[end] == '_' && end + 1 < s_.size() && s_[end + 1] == '0'))) ++end;
  }
  std::string text = s_.substr(pos_, end - pos_);
  std::erase(text, '_');
  Token token{real ? TokenType::kFloat : TokenType::kInteger, line_, text};
  if (real) {
    token.real = std::strtod(text.c_str(), nullptr);
  } else if (std::from_chars(text.data(), text.data() + text.size(), token.integer).ec != std::errc()) {
    syntax_error(line_, "integer literal passes 64 bits: " + text);
  }
  tokens_.push_back(std::move(token));
  advance(end);
}

void Lexer::name() {
  size_t end = pos_;
  while (end < s_.size()) {
    size_t next = end;
    if (!unicode::is_identifier_part(unicode::decode(s_, next))) break;
    end = next;
  }
  push(TokenType::kName, s_.substr(pos_, end - pos_));
  advance(end);
}

int hex_value(std::string_view s, size_t at, size_t count, char32_t& out) {
  if (at + count > s.size()) return -1;
  uint32_t v = 0;
  const auto r = std::from_chars(s.data() + at, s.data() + at + count, v, 16);
  if (r.ec != std::errc() || r.ptr != s.data() + at + count) return -1;
  out = v;
  return 0;
}

// Resolves one escape after the backslash at `at` - 1; gives where to go on.
size_t unescape(std::string_view s, size_t at, int line, std::string& out) {
  static constexpr std::string_view kFrom = "\\'\"abfnrtv";
  static constexpr std::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
  const char c = s[at];
  if (const size_t i = kFrom.find(c); i != std::string_view::npos) {
    out += kTo[i];
    return at + 1;
  }
  if (c == '\n') return at + 1;
  if (c >= '0' && c <= '7') {
    char32_t v = 0;
    size_t end = at;
    while (end < s.size() && end < at + 3 && s[end] >= '0' && s[end] <= '7')
      v = v * 8 + static_cast<char32_t>(s[end++] - '0');
    tokenizer::append_utf8(out, v);
    return end;
  }
  if (c == 'x' || c == 'u' || c == 'U') {
    const size_t count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
    char32_t v = 0;
    if (hex_value(s, at + 1, count, v) != 0 || v > 0x10FFFF)
      syntax_error(line, fmt::format("bad \\{} escape in a string", c));
    if (v >= 0xD800 && v < 0xE000) syntax_error(line, "a string escape gives half of a surrogate pair");
    tokenizer::append_utf8(out, v);
    return at + 1 + count;
  }
  if (c == 'N') syntax_error(line, "\\N{...} escapes are not supported; write the character itself");
  out += '\\';
  if (static_cast<signed char>(c) >= 0) return at;
  // Python writes the character as an escape first, whose backslash pairs with this one.
  const auto v = static_cast<uint32_t>(unicode::decode(s, at));
  out += v < 0x100 ? fmt::format("x{:02x}", v) : v < 0x10000 ? fmt::format("u{:04x}", v) : fmt::format("U{:08x}", v);
  return at;
}

void Lexer::string() {
  const char quote = s_[pos_];
  size_t end = pos_ + 1;
  while (end < s_.size() && s_[end] != quote) end += s_[end] == '\\' ? 2 : 1;
  if (end >= s_.size())
    syntax_error(line_, fmt::format("unexpected char {} at {}", quote == '"' ? "'\"'" : "\"'\"", pos_));
  const std::string_view body = std::string_view(s_).substr(pos_ + 1, end - pos_ - 1);
  std::string out;
  for (size_t at = 0; at < body.size();) {
    if (body[at] != '\\') {
      out += body[at++];
    } else {
      at = unescape(body, at + 1, line_, out);
    }
  }
  push(TokenType::kString, std::move(out));
  advance(end + 1);
}

void Lexer::operator_token() {
  static constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                                    "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                    ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
  for (const std::string_view op : kOperators) {
    if (!starts_with(op)) continue;
    const char c = op[0];
    if (c == '{' || c == '(' || c == '[') balance_ += c == '{' ? '}' : c == '(' ? ')' : ']';
    if (c == '}' || c == ')' || c == ']') {
      if (balance_.empty()) syntax_error(line_, fmt::format("unexpected '{}'", c));
      if (balance_.back() != c) syntax_error(line_, fmt::format("unexpected '{}', expected '{}'", c, balance_.back()));
      balance_.pop_back();
    }
    push(TokenType::kOperator, std::string(op));
    advance(pos_ + op.size());
    return;
  }
  size_t end = pos_;
  unicode::decode(s_, end);
  syntax_error(line_, fmt::format("unexpected char {} at {}", repr_of_string(s_.substr(pos_, end - pos_)), pos_));
}

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(normalize_newlines(source)).run(); }

std::string describe(const Token& token) {
  switch (token.type) {
    case TokenType::kData: return "template data / text";
    case TokenType::kVariableBegin: return "begin of print statement";
    case TokenType::kVariableEnd: return "end of print statement";
    case TokenType::kBlockBegin: return "begin of statement block";
    case TokenType::kBlockEnd: return "end of statement block";
    case TokenType::kName:
    case TokenType::kOperator: return token.text;
    case TokenType::kString: return "string";
    case TokenType::kInteger: return "integer";
    case TokenType::kFloat: return "float";
    case TokenType::kEnd: return "end of template";
  }
  return "token";
}

}  // namespace ingot::jinja
