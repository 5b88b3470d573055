// call_text.h for calls in Python: keyword arguments that are literals, written again as JSON.
#include <boost/json.hpp>

#include "base/limits.h"
#include "text/tools/call_text.h"
#include "text/tools/json_tracker.h"
#include "text/unicode/unicode.h"

namespace ingot::tools {
namespace {

namespace json = boost::json;

constexpr std::string_view kFence = "```tool_code", kFenceEnd = "```";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void append_utf8(std::string& out, uint32_t code) {
  if (code >= 0xD800 && code < 0xE000) code = 0xFFFD;
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
  } else if (code < 0x10000) {
    out += {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3F)),
            static_cast<char>(0x80 | (code & 0x3F))};
  } else {
    out += {static_cast<char>(0xF0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 0x3F)),
            static_cast<char>(0x80 | (code >> 6 & 0x3F)), static_cast<char>(0x80 | (code & 0x3F))};
  }
}

class PythonReader {
 public:
  PythonReader(std::string_view text, size_t at) : text_(text), at_(at) {}

  size_t at() const { return at_; }
  Fit fit() const { return fit_; }

  char peek() {
    at_ = skip_space(text_, at_);
    if (at_ < text_.size()) return text_[at_];
    return fail(Fit::kMore), '\0';
  }
  bool take(char c) {
    if (peek() != c) return fit_ == Fit::kYes && fail(Fit::kNo);
    ++at_;
    return true;
  }
  bool fail(Fit fit) {
    if (fit_ == Fit::kYes) fit_ = fit;
    return false;
  }

  // A name, with what it is a member of: "default_api.search".
  std::string name() {
    if (!is_letter(peek())) return fail(Fit::kNo), "";
    const size_t begin = at_;
    while (at_ < text_.size() &&
           (is_letter(text_[at_]) || is_digit(text_[at_]) || text_[at_] == '.' || text_[at_] == '-'))
      ++at_;
    if (at_ == text_.size()) fail(Fit::kMore);
    return std::string(text_.substr(begin, at_ - begin));
  }

  // After '(': up to and with ')', as a JSON object.
  std::string keywords() {
    std::string out;
    while (peek() != ')' && fit_ == Fit::kYes) {
      if (!out.empty()) {
        if (!take(',')) break;
        if (peek() == ')') break;
        out += ", ";
      }
      if (peek() == '*') {
        if (!take('*') || !take('*') || !take('{')) break;
        const std::string inside = members('}');
        out += inside.empty() && out.ends_with(", ") ? (out.resize(out.size() - 2), "") : inside;
        continue;
      }
      const std::string key = name();
      if (key.find('.') != std::string::npos) fail(Fit::kNo);
      if (!take('=')) break;
      out += json::serialize(json::string(key)) + ": " + value(0);
    }
    take(')');
    return "{" + out + "}";
  }

 private:
  std::string value(int depth) {
    if (depth > limits::kJsonDepthMax) fail(Fit::kNo);
    const char c = peek();
    if (fit_ != Fit::kYes) return {};
    if (c == '"' || c == '\'') return string();
    if (c == '-' || c == '+' || c == '.' || is_digit(c)) return number();
    if (c == '[' || c == '(') {
      ++at_;
      return "[" + items(c == '[' ? ']' : ')', depth) + "]";
    }
    if (c == '{') {
      ++at_;
      depth_ = depth;
      return "{" + members('}') + "}";
    }
    const std::string word = name();
    if (word == "True" || word == "true") return "true";
    if (word == "False" || word == "false") return "false";
    if (word != "None" && word != "null") fail(Fit::kNo);
    return "null";
  }

  std::string items(char end, int depth) {
    std::string out;
    while (peek() != end && fit_ == Fit::kYes) {
      if (!out.empty()) {
        if (!take(',')) break;
        if (peek() == end) break;
        out += ", ";
      }
      out += value(depth + 1);
    }
    take(end);
    return out;
  }

  std::string members(char end) {
    const int depth = depth_ + 1;
    std::string out;
    while (peek() != end && fit_ == Fit::kYes) {
      if (!out.empty()) {
        if (!take(',')) break;
        if (peek() == end) break;
        out += ", ";
      }
      const char quote = peek();
      if (quote != '"' && quote != '\'') {
        fail(Fit::kNo);
        break;
      }
      const std::string key = string();
      if (!take(':')) break;
      out += key + ": " + value(depth);
    }
    take(end);
    return out;
  }

  std::string number() {
    const size_t begin = at_;
    while (at_ < text_.size() &&
           (is_digit(text_[at_]) || std::string_view("+-.eE_").find(text_[at_]) != std::string::npos))
      ++at_;
    if (at_ == text_.size()) return fail(Fit::kMore), "";
    std::string written(text_.substr(begin, at_ - begin));
    std::erase(written, '_');
    if (written.starts_with('+')) written.erase(0, 1);
    if (const size_t point = written.find('.'); point != std::string::npos) {  // ".5" and "5." are numbers here
      if (point + 1 == written.size() || !is_digit(written[point + 1])) written.insert(point + 1, "0");
      if (point == 0 || !is_digit(written[point - 1])) written.insert(point, "0");
    }
    JsonTracker tracker;
    for (const char c : "[" + written + "]") tracker.put(c);
    if (tracker.state() != JsonTracker::State::kComplete) fail(Fit::kNo);
    return written;
  }

  uint32_t hex(int digits) {
    uint32_t code = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      if (at_ >= text_.size()) return fail(Fit::kMore), 0;
      const int d = hex_digit(text_[at_]);
      if (d < 0) return fail(Fit::kNo), 0;
      code = code << 4 | static_cast<uint32_t>(d);
    }
    return code;
  }

  void escape(std::string& out) {
    const char c = text_[at_++];
    constexpr std::string_view kNames = "ntrbfav0\\'\"/", kMeant("\n\t\r\b\f\a\v\0\\'\"/", 12);
    if (const size_t i = kNames.find(c); i != std::string_view::npos) {
      out += kMeant[i];
    } else if (c == 'x') {
      append_utf8(out, hex(2));
    } else if (c == 'u' || c == 'U') {
      uint32_t code = hex(c == 'u' ? 4 : 8);
      if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u" && at_ + 6 <= text_.size()) {
        at_ += 2;
        code = 0x10000 + ((code - 0xD800) << 10) + ((hex(4) - 0xDC00) & 0x3FF);
      }
      append_utf8(out, code > 0x10FFFF ? 0xFFFD : code);
    } else if (c != '\n') {
      out += {'\\', c};
    }
  }

  // As JSON, quotes included.
  std::string string() {
    const char quote = text_[at_++];
    std::string out;
    for (;;) {
      if (at_ >= text_.size()) return fail(Fit::kMore), "\"\"";
      const char c = text_[at_++];
      if (c == quote) break;
      if (c != '\\') {
        out += c;
      } else if (at_ >= text_.size()) {
        return fail(Fit::kMore), "\"\"";
      } else {
        escape(out);
      }
    }
    return json::serialize(json::string(tokenizer::is_valid_utf8(out) ? out : tokenizer::replace_invalid_utf8(out)));
  }

  std::string_view text_;
  size_t at_;
  Fit fit_ = Fit::kYes;
  int depth_ = 0;
};

// A call's name, which may stand behind a module's.
std::optional<std::string> known_name(Names names, const std::string& name) {
  if (is_known(names, name)) return name;
  std::string last = name.substr(name.rfind('.') + 1);
  if (is_known(names, last)) return last;
  return std::nullopt;
}

// One call at the reader's place.
std::optional<Call> call(PythonReader& in, Names names) {
  const std::string name = in.name();
  if (in.fit() != Fit::kYes || !in.take('(')) return std::nullopt;
  const auto known = known_name(names, name);
  if (!known) return in.fail(Fit::kNo), std::nullopt;
  Call made{*known, in.keywords()};
  if (in.fit() != Fit::kYes) return std::nullopt;
  return made;
}

// The calls of a fence: all of it must be calls.
std::optional<std::vector<Call>> all_calls(std::string_view code, Names names) {
  PythonReader in(code, 0);
  std::vector<Call> calls;
  const bool list = in.peek() == '[';
  if (list) in.take('[');
  while (skip_space(code, in.at()) < code.size()) {
    if (list && in.peek() == ']') {
      in.take(']');
      if (skip_space(code, in.at()) < code.size()) return std::nullopt;
      break;
    }
    if (list && !calls.empty() && !in.take(',')) return std::nullopt;
    const bool print = stands_at(code, skip_space(code, in.at()), "print(") == Fit::kYes;
    if (print) in = PythonReader(code, skip_space(code, in.at()) + 6);
    auto made = call(in, names);
    if (!made || (print && !in.take(')'))) return std::nullopt;
    calls.push_back(std::move(*made));
  }
  if (calls.empty()) return std::nullopt;
  return calls;
}

}  // namespace

Calls read_python_call(std::string_view text, Names names) {
  PythonReader in(text, 0);
  auto made = call(in, names);
  if (!made) return {.fit = in.fit()};
  return {Fit::kYes, in.at(), {std::move(*made)}};
}

Calls read_tool_code(std::string_view text, Names names) {
  const size_t begin = kFence.size();
  const size_t end = text.find(kFenceEnd, begin);
  if (end == std::string_view::npos) return {.fit = Fit::kMore};
  auto calls = all_calls(text.substr(begin, end - begin), names);
  if (!calls) return {};
  return {Fit::kYes, end + kFenceEnd.size(), std::move(*calls)};
}

}  // namespace ingot::tools
