// call_text.h for calls that are JSON objects.
#include <algorithm>
#include <boost/json.hpp>

#include "text/tools/call_text.h"
#include "text/tools/json_tracker.h"

namespace ingot::tools {
namespace {

namespace json = boost::json;

bool ends_word(char c) { return std::string_view(" \t\r\n,}]").find(c) != std::string_view::npos; }

class ObjectReader {
 public:
  explicit ObjectReader(std::string_view text, size_t at) : text_(text), at_(at) {}

  size_t at() const { return at_; }
  Fit fit() const { return fit_; }

  // The next byte that is no space; 0: fit() tells why not.
  char peek() {
    at_ = skip_space(text_, at_);
    if (at_ >= text_.size()) return fail(Fit::kMore), '\0';
    return text_[at_];
  }
  bool take(char c) {
    if (peek() != c) return fit_ == Fit::kYes && fail(Fit::kNo);
    ++at_;
    return true;
  }
  // A value as it is written, control characters in strings escaped.
  std::optional<std::string> value() {
    const char first = peek();
    if (fit_ != Fit::kYes) return std::nullopt;
    if (first != '{' && first != '[' && first != '"') return word();
    JsonTracker tracker;
    std::string written;
    while (at_ < text_.size()) {
      const auto state = tracker.put(text_[at_], &written);
      if (state == JsonTracker::State::kBroken) return fail(Fit::kNo), std::nullopt;
      ++at_;
      if (state == JsonTracker::State::kComplete) return written;
    }
    return fail(Fit::kMore), std::nullopt;
  }
  std::optional<std::string> string() {
    if (peek() != '"') return fit_ == Fit::kYes && fail(Fit::kNo), std::nullopt;
    const auto written = value();
    if (!written) return std::nullopt;
    json::error_code failed;
    const json::value v = json::parse(*written, failed);
    if (failed || !v.is_string()) return fail(Fit::kNo), std::nullopt;
    return std::string(v.get_string());
  }
  // An object begins here: is its first member in order?
  bool object_begins() {
    JsonTracker tracker;
    for (size_t i = at_; i < text_.size(); ++i) {
      if (tracker.put(text_[i]) == JsonTracker::State::kBroken) return fail(Fit::kNo);
      if (tracker.inside()) return true;
    }
    return fail(Fit::kMore);
  }
  bool fail(Fit fit) {
    fit_ = fit;
    return false;
  }

 private:
  std::optional<std::string> word() {
    size_t end = at_;
    while (end < text_.size() && !ends_word(text_[end])) ++end;
    if (end == text_.size()) return fail(Fit::kMore), std::nullopt;
    if (end == at_) return fail(Fit::kNo), std::nullopt;
    std::string word(text_.substr(at_, end - at_));
    JsonTracker tracker;
    for (const char c : "[" + word + "]")
      if (tracker.put(c) == JsonTracker::State::kBroken) return fail(Fit::kNo), std::nullopt;
    if (tracker.state() != JsonTracker::State::kComplete) return fail(Fit::kNo), std::nullopt;
    at_ = end;
    return word;
  }

  std::string_view text_;
  size_t at_;
  Fit fit_ = Fit::kYes;
};

// Arguments that are complete: an object, null, or a text that holds an object.
std::optional<std::string> whole_arguments(ObjectReader& in) {
  const char first = in.peek();
  if (first == '{') return in.value();
  if (first == '"') {
    const auto text = in.string();
    json::error_code failed;
    if (!text) return std::nullopt;
    const json::value v = json::parse(*text, failed);
    if (!failed && v.is_object()) return *text;
    return in.fail(Fit::kNo), std::nullopt;
  }
  const auto word = in.value();
  if (word && *word != "null") return in.fail(Fit::kNo), std::nullopt;
  if (word) return "{}";
  return std::nullopt;
}

}  // namespace

bool is_known(Names names, std::string_view name) { return std::ranges::find(names, name) != names.end(); }

size_t skip_space(std::string_view text, size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r')) ++at;
  return at;
}

Fit stands_at(std::string_view text, size_t at, std::string_view wanted) {
  const std::string_view here = text.substr(std::min(at, text.size()), wanted.size());
  if (here == wanted) return Fit::kYes;
  return at + here.size() >= text.size() && wanted.starts_with(here) ? Fit::kMore : Fit::kNo;
}

CallStart read_call_object(std::string_view text, Names names) {
  ObjectReader in(text, 1);
  std::optional<std::string> name, arguments;
  const auto stop = [&] { return CallStart{.fit = in.fit()}; };
  for (bool first = true;; first = false) {
    const char c = in.peek();
    if (c == '}') {
      if (!name) return {};
      in.take('}');
      return {Fit::kYes, in.at(), *name, arguments.value_or("{}")};
    }
    if (!first && !in.take(',')) return stop();
    const auto key = in.string();
    if (!key || !in.take(':')) return stop();
    if (*key == "name" && !name) {
      name = in.string();
      if (!name) return stop();
      if (!is_known(names, *name)) return {};
    } else if ((*key == "arguments" || *key == "parameters") && !arguments) {
      if (name && in.peek() == '{') {
        if (!in.object_begins()) return stop();
        return {Fit::kYes, in.at(), *name, std::nullopt};
      }
      arguments = whole_arguments(in);
      if (!arguments) return stop();
    } else if (!in.value()) {
      return stop();
    }
  }
}

Used read_object_rest(std::string_view text) {
  ObjectReader in(text, 0);
  for (;;) {
    if (in.peek() == '}') return {Fit::kYes, in.at() + 1};
    if (!in.take(',') || !in.string() || !in.take(':') || !in.value()) return {in.fit(), 0};
  }
}

}  // namespace ingot::tools
