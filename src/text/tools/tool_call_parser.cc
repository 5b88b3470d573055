#include "text/tools/tool_call_parser.h"

#include <algorithm>
#include <utility>

namespace ingot::tools {
namespace {

constexpr std::string_view kToolCall = "<tool_call>", kToolCallEnd = "</tool_call>";
constexpr std::string_view kPythonTag = "<|python_tag|>", kPythonStart = "<|python_start|>";
constexpr std::string_view kPythonEnd = "<|python_end|>";
constexpr std::string_view kToolCalls = "[TOOL_CALLS]", kCallId = "[CALL_ID]", kArgs = "[ARGS]";
constexpr std::string_view kToolCode = "```tool_code";
constexpr std::string_view kFunctionCall = "<start_function_call>";

// Opens a call anywhere in the text.
std::string_view marker(ToolFormat format) {
  switch (format) {
    case ToolFormat::kHermes: return kToolCall;
    case ToolFormat::kLlama3: return kPythonTag;
    case ToolFormat::kMistral:
    case ToolFormat::kMistralNamed: return kToolCalls;
    case ToolFormat::kPythonic: return kPythonStart;
    case ToolFormat::kGemma: return kToolCode;
    case ToolFormat::kFunctionGemma: return kFunctionCall;
  }
  return {};
}

// Bytes at the text's end with which `wanted` may begin.
size_t begun_at_end(std::string_view text, std::string_view wanted) {
  for (size_t size = std::min(text.size(), wanted.size() - 1); size > 0; --size)
    if (wanted.starts_with(text.substr(text.size() - size))) return size;
  return 0;
}

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

}  // namespace

ToolCallParser::ToolCallParser(ToolFormat format, std::vector<std::string> names, int calls_max)
    : format_(format), names_(std::move(names)), calls_max_(calls_max) {}

std::vector<ToolPiece> ToolCallParser::push(std::string_view text) {
  held_ += text;
  run(false);
  return std::exchange(out_, {});
}

std::vector<ToolPiece> ToolCallParser::finish() {
  run(true);
  if (num_calls_ == 0 && !spaces_.empty()) {
    std::string rest = std::exchange(spaces_, {});
    out_.push_back({.content = std::move(rest)});
  }
  return std::exchange(out_, {});
}

void ToolCallParser::run(bool last) {
  for (bool more = true; more;) {
    switch (mode_) {
      case Mode::kText: more = read_text(last); break;
      case Mode::kHead: more = read_head(last); break;
      case Mode::kArguments: more = read_arguments(); break;
      case Mode::kTail: more = read_tail(last); break;
    }
  }
}

// White space waits for what follows: beside calls it is dropped.
void ToolCallParser::content(std::string_view text) {
  size_t end = text.size();
  while (end > 0 && is_space(text[end - 1])) --end;
  if (end > 0) {
    at_start_ = false;
    out_.push_back({.content = std::exchange(spaces_, {}) + std::string(text.substr(0, end))});
  }
  spaces_ += text.substr(end);
}

void ToolCallParser::announce(const std::string& name) {
  spaces_.clear();
  separator_.clear();
  if (num_calls_ < calls_max_) out_.push_back({.call = num_calls_, .name = name});
  ++num_calls_;
}

void ToolCallParser::add_arguments(std::string text) {
  if (num_calls_ <= calls_max_ && !text.empty()) out_.push_back({.call = num_calls_ - 1, .arguments = std::move(text)});
}

// At the beginning an answer may be a call without any marker.
bool ToolCallParser::may_begin(char c) const {
  switch (format_) {
    case ToolFormat::kLlama3: return c == '{';
    case ToolFormat::kPythonic: return c == '[';
    case ToolFormat::kGemma: return c == '{' || c == '[';
    default: return false;
  }
}

bool ToolCallParser::take_candidate(size_t at, size_t opener) {
  content(std::string_view(held_).substr(0, at));
  drop(at);
  opener_ = opener;
  mode_ = Mode::kHead;
  return true;
}

bool ToolCallParser::read_text(bool last) {
  if (at_start_) {
    const size_t first = skip_space(held_, 0);
    if (first < held_.size() && may_begin(held_[first])) return take_candidate(first, 1);
  }
  const std::string_view wanted = marker(format_);
  if (const size_t at = held_.find(wanted); at != std::string::npos) return take_candidate(at, wanted.size());
  const size_t keep = last ? 0 : begun_at_end(held_, wanted);
  const size_t sure = held_.size() - keep;
  content(std::string_view(held_).substr(0, sure));
  drop(sure);
  return false;
}

bool ToolCallParser::read_head(bool last) {
  Head found = head(std::string_view(held_).substr(0, kHeadBytesMax));
  if (found.fit == Fit::kMore && !last && held_.size() < kHeadBytesMax) return false;
  if (found.fit != Fit::kYes) {
    content(std::exchange(separator_, {}) + held_.substr(0, opener_));
    drop(std::min(opener_, held_.size()));
    at_start_ = in_list_ = false;
    mode_ = Mode::kText;
    return true;
  }
  drop(found.size);
  in_list_ = found.in_list;
  object_open_ = found.arguments_follow;
  for (Call& call : found.calls) {
    announce(call.name);
    add_arguments(std::move(call.arguments));
  }
  arguments_ = {};
  mode_ = found.arguments_follow ? Mode::kArguments : Mode::kTail;
  if (format_ == ToolFormat::kMistral || format_ == ToolFormat::kMistralNamed) object_open_ &= in_list_;
  return true;
}

bool ToolCallParser::read_arguments() {
  std::string text;
  size_t used = 0;
  while (used < held_.size() && arguments_.state() == JsonTracker::State::kGoingOn)
    if (arguments_.put(held_[used], &text) != JsonTracker::State::kBroken) ++used;
  drop(used);
  add_arguments(std::move(text));
  if (arguments_.state() == JsonTracker::State::kGoingOn) return false;
  const bool complete = arguments_.state() == JsonTracker::State::kComplete;
  mode_ = complete ? Mode::kTail : Mode::kText;
  if (!complete) at_start_ = in_list_ = false;
  return true;
}

bool ToolCallParser::read_tail(bool last) {
  const std::string_view text = std::string_view(held_).substr(0, kHeadBytesMax);
  const Used used = object_open_ ? read_object_rest(text) : tail(text);
  if (used.fit == Fit::kMore && !last && held_.size() < kHeadBytesMax) return false;
  if (used.fit == Fit::kMore && last) {  // the beginning of a call's end is no content
    drop(held_.size());
    return mode_ = Mode::kText, false;
  }
  if (used.fit == Fit::kYes && std::exchange(object_open_, false)) {
    drop(used.size);
    return true;
  }
  object_open_ = false;
  at_start_ = true;
  mode_ = Mode::kText;
  if (used.fit != Fit::kYes) {
    in_list_ = false;
    return true;
  }
  const std::string_view end = text.substr(0, used.size);
  if (end.ends_with(',') || end.ends_with(';')) {  // another call
    separator_ = end;
    opener_ = 0;
    mode_ = Mode::kHead;
  } else {
    in_list_ = false;
  }
  drop(used.size);
  return true;
}

ToolCallParser::Head ToolCallParser::mistral_head(std::string_view text) const {
  size_t at = in_list_ ? 0 : kToolCalls.size();
  at = skip_space(text, at);
  if (at >= text.size()) return {Fit::kMore};
  if (in_list_ || text[at] == '[') {
    at = skip_space(text, in_list_ ? at : at + 1);
    if (at >= text.size()) return {Fit::kMore};
    if (text[at] != '{') return {};
    CallStart start = read_call_object(text.substr(at), names_);
    return {start.fit, at + start.size, {{start.name, start.arguments.value_or("")}}, !start.arguments, true};
  }
  const size_t begin = at;
  while (at < text.size() && is_name(text[at])) ++at;
  const std::string name(text.substr(begin, at - begin));
  if (at < text.size() && !is_known(names_, name)) return {};
  if (const Fit id = stands_at(text, at, kCallId); id == Fit::kMore)
    return {Fit::kMore};
  else if (id == Fit::kYes)
    for (at += kCallId.size(); at < text.size() && is_name(text[at]);) ++at;
  if (const Fit args = stands_at(text, at, kArgs); args == Fit::kMore)
    return {Fit::kMore};
  else if (args == Fit::kYes)
    at += kArgs.size();
  at = skip_space(text, at);
  JsonTracker tracker;
  for (size_t i = at; i < text.size(); ++i) {
    if (text[at] != '{' || tracker.put(text[i]) == JsonTracker::State::kBroken) return {};
    if (tracker.inside()) return {Fit::kYes, at, {{name, ""}}, true, false};
  }
  return {Fit::kMore};
}

ToolCallParser::Head ToolCallParser::head(std::string_view text) const {
  if (format_ == ToolFormat::kMistral || format_ == ToolFormat::kMistralNamed) return mistral_head(text);
  const auto whole = [](Calls c, size_t before, bool in_list) {
    return Head{c.fit, before + c.size, std::move(c.calls), false, in_list};
  };
  const std::string_view opener = marker(format_);
  const bool marked = !in_list_ && text.starts_with(opener) && opener_ == opener.size();
  if (format_ == ToolFormat::kGemma && marked) return whole(read_tool_code(text, names_), 0, false);
  const size_t before = marked ? opener.size() : 0;
  if (format_ == ToolFormat::kFunctionGemma)
    return whole(read_function_gemma(text.substr(before), names_), before, false);
  size_t at = skip_space(text, before);
  if (at >= text.size()) return {Fit::kMore};
  if (in_list_ || (text[at] == '[' && format_ != ToolFormat::kHermes && format_ != ToolFormat::kLlama3)) {
    at = skip_space(text, in_list_ ? at : at + 1);
    return whole(read_python_call(text.substr(std::min(at, text.size())), names_), at, true);
  }
  if (text[at] != '{') return {};
  CallStart start = read_call_object(text.substr(at), names_);
  return {start.fit, at + start.size, {{start.name, start.arguments.value_or("")}}, !start.arguments, false};
}

// What may follow a call: its end mark, or what leads to the next one.
Used ToolCallParser::tail(std::string_view text) const {
  const size_t at = skip_space(text, 0);
  if (in_list_) {
    if (at >= text.size()) return {Fit::kMore, 0};
    if (text[at] == ',') return {Fit::kYes, at + 1};
    if (text[at] != ']') return {};
    const size_t end = skip_space(text, at + 1);
    if (format_ != ToolFormat::kPythonic) return {Fit::kYes, at + 1};
    const Fit mark = stands_at(text, end, kPythonEnd);
    if (mark == Fit::kMore) return {Fit::kMore, 0};
    return {Fit::kYes, mark == Fit::kYes ? end + kPythonEnd.size() : at + 1};
  }
  if (format_ == ToolFormat::kHermes) {
    const Fit fit = stands_at(text, at, kToolCallEnd);
    return {fit, at + kToolCallEnd.size()};
  }
  if (format_ != ToolFormat::kLlama3) return {};
  if (at >= text.size()) return {Fit::kMore, 0};
  return text[at] == ';' ? Used{Fit::kYes, at + 1} : Used{};
}

}  // namespace ingot::tools
