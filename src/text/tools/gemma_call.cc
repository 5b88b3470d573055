// call_text.h for FunctionGemma's calls: bare keys, strings between <escape> marks. JSON is read, too.
#include <boost/json.hpp>

#include "base/limits.h"
#include "text/tools/call_text.h"
#include "text/tools/json_tracker.h"
#include "text/unicode/unicode.h"

namespace ingot::tools {
namespace {

namespace json = boost::json;

constexpr std::string_view kCall = "call:", kEscape = "<escape>", kEnd = "<end_function_call>";

std::string quoted(std::string_view text) {
  std::string valid(text);
  if (!tokenizer::is_valid_utf8(valid)) valid = tokenizer::replace_invalid_utf8(valid);
  return json::serialize(json::string(valid));
}

class GemmaReader {
 public:
  explicit GemmaReader(std::string_view text) : text_(text) {}

  size_t at() const { return at_; }
  Fit fit() const { return fit_; }
  void fail(Fit fit) {
    if (fit_ == Fit::kYes) fit_ = fit;
  }

  bool take(std::string_view wanted) {
    at_ = skip_space(text_, at_);
    const Fit fit = stands_at(text_, at_, wanted);
    if (fit == Fit::kYes) at_ += wanted.size();
    fail(fit);
    return fit_ == Fit::kYes;
  }
  char peek() {
    at_ = skip_space(text_, at_);
    if (at_ < text_.size()) return text_[at_];
    fail(Fit::kMore);
    return '\0';
  }
  std::string until(std::string_view ends) {
    const size_t end = text_.find_first_of(ends, at_);
    if (end == std::string_view::npos) return fail(Fit::kMore), "";
    std::string found(text_.substr(at_, end - at_));
    at_ = end;
    return found;
  }

  // After '{': up to and with '}'.
  std::string members(int depth) {
    std::string out;
    while (peek() != '}' && fit_ == Fit::kYes) {
      if (!out.empty()) {
        if (!take(",")) break;
        out += ", ";
      }
      std::string key = peek() == '<' || peek() == '"' ? text() : until(":,{}[]<\"");
      if (!take(":")) break;
      while (key.ends_with(' ')) key.pop_back();
      if (key.empty()) fail(Fit::kNo);
      out += quoted(key) + ": " + value(depth);
    }
    take("}");
    return "{" + out + "}";
  }

 private:
  std::string text() {
    if (peek() == '"') {
      JsonTracker tracker;
      std::string written;
      while (at_ < text_.size() && tracker.state() == JsonTracker::State::kGoingOn) tracker.put(text_[at_++], &written);
      json::error_code failed;
      const json::value v = json::parse(written, failed);
      if (tracker.state() == JsonTracker::State::kGoingOn) return fail(Fit::kMore), "";
      if (failed || !v.is_string()) return fail(Fit::kNo), "";
      return std::string(v.get_string());
    }
    if (!take(kEscape)) return {};
    const size_t end = text_.find(kEscape, at_);
    if (end == std::string_view::npos) return fail(Fit::kMore), "";
    std::string found(text_.substr(at_, end - at_));
    at_ = end + kEscape.size();
    return found;
  }

  std::string value(int depth) {
    if (depth > limits::kJsonDepthMax) fail(Fit::kNo);
    const char c = peek();
    if (fit_ != Fit::kYes) return {};
    if (c == '<' || c == '"') return quoted(text());
    if (c == '{') {
      ++at_;
      return members(depth + 1);
    }
    if (c == '[') {
      ++at_;
      std::string out;
      while (peek() != ']' && fit_ == Fit::kYes) {
        if (!out.empty()) {
          if (!take(",")) break;
          out += ", ";
        }
        out += value(depth + 1);
      }
      take("]");
      return "[" + out + "]";
    }
    std::string word = until(",}] \n");
    JsonTracker tracker;
    for (const char letter : "[" + word + "]") tracker.put(letter);
    if (word.empty() || tracker.state() != JsonTracker::State::kComplete) fail(Fit::kNo);
    return word;
  }

  std::string_view text_;
  size_t at_ = 0;
  Fit fit_ = Fit::kYes;
};

}  // namespace

Calls read_function_gemma(std::string_view text, Names names) {
  GemmaReader in(text);
  if (!in.take(kCall)) return {.fit = in.fit()};
  const std::string name = in.until("{");
  if (in.fit() != Fit::kYes) return {.fit = in.fit()};
  if (!is_known(names, name)) return {};
  in.take("{");
  std::string arguments = in.members(0);
  if (in.fit() != Fit::kYes || !in.take(kEnd)) return {.fit = in.fit()};
  return {Fit::kYes, in.at(), {{name, std::move(arguments)}}};
}

}  // namespace ingot::tools
