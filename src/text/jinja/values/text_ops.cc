#include "text/jinja/values/text_ops.h"

#include <algorithm>

#include "text/jinja/values/unicode.h"

namespace ingot::jinja {

Value strings(Heap& heap, const std::vector<std::string_view>& parts) {
  heap.require(parts.size() * (sizeof(Value) + sizeof(StringObject)));
  std::vector<Value> items;
  items.reserve(parts.size());
  for (const std::string_view part : parts) items.push_back(heap.string(std::string(part)));
  return heap.list(std::move(items));
}

std::vector<std::string_view> split_by(std::string_view s, std::string_view separator, int64_t most, bool from_right) {
  std::vector<std::string_view> parts;
  while (most != 0) {
    const size_t at = from_right ? s.rfind(separator) : s.find(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(from_right ? s.substr(at + separator.size()) : s.substr(0, at));
    s = from_right ? s.substr(0, at) : s.substr(at + separator.size());
    --most;
  }
  parts.push_back(s);
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_by_space(std::string_view s, int64_t most, bool from_right) {
  struct Word {
    size_t begin, end;
  };
  std::vector<Word> words;
  bool inside = false;
  for (size_t pos = 0; pos < s.size();) {
    const size_t start = pos;
    const bool space = unicode::is_space(unicode::decode(s, pos));
    if (!space && !inside) words.push_back({start, pos});
    if (!space) words.back().end = pos;
    inside = !space;
  }
  std::vector<std::string_view> parts;
  const size_t cuts = most < 0 ? words.size() : std::min(words.size(), static_cast<size_t>(most));
  const auto add = [&](size_t from, size_t to) { parts.push_back(s.substr(from, to - from)); };
  if (from_right) {
    const size_t rest = words.size() - cuts;    // words that stay together at the front
    if (rest > 0) add(0, words[rest - 1].end);  // with the space before them, as Python keeps it
    for (size_t i = rest; i < words.size(); ++i) add(words[i].begin, words[i].end);
    return parts;
  }
  for (size_t i = 0; i < cuts; ++i) add(words[i].begin, words[i].end);
  if (cuts < words.size()) add(words[cuts].begin, s.size());
  return parts;
}

std::string replace_text(Heap& heap, std::string_view s, std::string_view from, std::string_view to, int64_t most) {
  heap.step_bytes(s.size());
  std::string out;
  const auto emit = [&](std::string_view part) {
    heap.require(out.size() + part.size());
    out += part;
  };
  if (from.empty()) {  // between all characters, and at both ends
    size_t pos = 0;
    while (most != 0) {
      emit(to);
      --most;
      if (pos >= s.size()) return out;
      const size_t start = pos;
      unicode::decode(s, pos);
      emit(s.substr(start, pos - start));
    }
    emit(s.substr(pos));
    return out;
  }
  size_t pos = 0;
  while (most != 0) {
    const size_t at = s.find(from, pos);
    if (at == std::string_view::npos) break;
    emit(s.substr(pos, at - pos));
    emit(to);
    pos = at + from.size();
    --most;
  }
  emit(s.substr(pos));
  return out;
}

std::string pad(Heap& heap, std::string_view s, int64_t width, std::string_view fill, Align align) {
  const auto n = static_cast<int64_t>(unicode::length(s));
  if (width <= n) return std::string(s);
  const int64_t total = width - n;
  heap.require(s.size() +
               (static_cast<size_t>(total) > SIZE_MAX / 8 ? SIZE_MAX / 2 : static_cast<size_t>(total) * fill.size()));
  int64_t left = 0;
  if (align == Align::kRight) left = total;
  if (align == Align::kCenter) left = total / 2 + (total & width & 1);  // as CPython rounds
  std::string out;
  for (int64_t i = 0; i < left; ++i) out += fill;
  out += s;
  for (int64_t i = left; i < total; ++i) out += fill;
  return out;
}

namespace {

bool has_case(std::string_view s, bool want_upper) {
  bool any = false;
  for (size_t pos = 0; pos < s.size();) {
    const char32_t c = unicode::decode(s, pos);
    const bool upper = unicode::is_upper(c);
    const bool lower = unicode::is_lower(c);
    if (unicode::is_title(c) || (want_upper ? lower : upper)) return false;
    any = any || upper || lower;
  }
  return any;
}

}  // namespace

bool is_lower_text(std::string_view s) { return has_case(s, false); }
bool is_upper_text(std::string_view s) { return has_case(s, true); }

}  // namespace ingot::jinja
