// See stop.h.
#include "llm/stop.h"

#include <algorithm>

#include "base/limits.h"

namespace ingot::llm {

Result<StopMatcher> StopMatcher::create(std::vector<std::string> stops) {
  if (stops.size() > limits::kStopStringsMax) {
    return invalid("[stop] {} stop strings are too many; give at most {}", stops.size(), limits::kStopStringsMax);
  }
  StopMatcher matcher;
  for (const std::string& stop : stops) {
    if (stop.empty() || stop.size() > limits::kStopBytesMax) {
      return invalid("[stop] a stop string of {} bytes; give 1 to {} bytes", stop.size(), limits::kStopBytesMax);
    }
    matcher.longest_ = std::max(matcher.longest_, stop.size());
  }
  matcher.stops_ = std::move(stops);
  return matcher;
}

// The match that is complete first; of several that end together the longest. So the answer does not
// depend on how the text was cut into pieces.
bool StopMatcher::find_match() {
  size_t end = std::string::npos;
  for (size_t i = 0; i < stops_.size(); ++i) {
    const size_t at = pending_.find(stops_[i]);
    if (at == std::string::npos) continue;
    if (at + stops_[i].size() < end || (at + stops_[i].size() == end && at < matched_at_)) {
      end = at + stops_[i].size();
      matched_at_ = at;
      matched_ = i;
    }
  }
  return end != std::string::npos;
}

size_t StopMatcher::held_suffix() const {
  const std::string_view text = pending_;
  for (size_t n = std::min(text.size(), longest_ == 0 ? 0 : longest_ - 1); n > 0; --n) {
    const std::string_view suffix = text.substr(text.size() - n);
    for (const std::string& stop : stops_) {
      if (stop.size() > n && stop.starts_with(suffix)) return n;
    }
  }
  return 0;
}

StopMatcher::Output StopMatcher::push(std::string_view text) {
  pending_.erase(0, emitted_);
  emitted_ = 0;
  if (stopped_) return {{}, true, stops_[matched_]};
  pending_ += text;
  if (find_match()) {
    stopped_ = true;
    emitted_ = pending_.size();
    return {std::string_view(pending_).substr(0, matched_at_), true, stops_[matched_]};
  }
  emitted_ = pending_.size() - held_suffix();
  return {std::string_view(pending_).substr(0, emitted_), false, {}};
}

StopMatcher::Output StopMatcher::flush() {
  pending_.erase(0, emitted_);
  emitted_ = pending_.size();
  if (stopped_) return {{}, true, stops_[matched_]};
  return {pending_, false, {}};
}

}  // namespace ingot::llm
