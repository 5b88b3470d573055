#include "text/tools/reasoning.h"

#include <algorithm>
#include <utility>

#include "text/tools/call_text.h"

namespace ingot::tools {

std::optional<ReasoningMarks> detect_reasoning(std::string_view chat_template) {
  const auto has = [&](std::string_view text) { return chat_template.find(text) != std::string_view::npos; };
  if (has("</think>") || has("<think>")) return ReasoningMarks{"<think>", "</think>"};
  if (has("[/THINK]") || has("[THINK]")) return ReasoningMarks{"[THINK]", "[/THINK]"};
  return std::nullopt;
}

bool ends_in_thought(std::string_view prompt, const ReasoningMarks& marks) {
  const size_t open = prompt.rfind(marks.open), close = prompt.rfind(marks.close);
  if (open == std::string_view::npos || (close != std::string_view::npos && close > open)) return false;
  return skip_space(prompt, open + marks.open.size()) == prompt.size();
}

void ReasoningSplitter::think(Part& part, std::string_view text) {
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (space) {
      if (thought_) spaces_ += c;
      continue;
    }
    part.reasoning += std::exchange(spaces_, {}) + c;
    thought_ = true;
  }
}

// True: look again.
bool ReasoningSplitter::step(Part& part, bool last) {
  const auto partial = [&](size_t at, std::string_view mark) {
    return !last && stands_at(held_, at, mark) == Fit::kMore && at < held_.size();
  };
  switch (place_) {
    case Place::kBefore: {
      const size_t at = skip_space(held_, 0);
      if (stands_at(held_, at, marks_.open) == Fit::kYes) {
        held_.erase(0, at + marks_.open.size());
        place_ = Place::kInside;
        return true;
      }
      if (!last && (at == held_.size() || partial(at, marks_.open))) return false;
      place_ = Place::kAfter;
      return true;
    }
    case Place::kInside: {
      if (const size_t at = skip_space(held_, 0); was_open_ && !thought_) {
        if (!last && (at == held_.size() || partial(at, marks_.open))) return false;
        was_open_ = false;
        if (stands_at(held_, at, marks_.open) == Fit::kYes) held_.erase(0, at + marks_.open.size());
      }
      const size_t at = held_.find(marks_.close);
      if (at != std::string::npos) {
        think(part, std::string_view(held_).substr(0, at));
        held_.erase(0, at + marks_.close.size());
        spaces_.clear();
        place_ = Place::kGap;
        return true;
      }
      size_t sure = held_.size() - std::min(held_.size(), marks_.close.size() - 1);
      while (sure < held_.size() && !partial(sure, marks_.close)) ++sure;
      think(part, std::string_view(held_).substr(0, sure));
      held_.erase(0, sure);
      return false;
    }
    case Place::kGap: {
      held_.erase(0, skip_space(held_, 0));
      if (held_.empty()) return false;
      place_ = Place::kAfter;
      return true;
    }
    case Place::kAfter: part.content += std::exchange(held_, {}); return false;
  }
  return false;
}

ReasoningSplitter::Part ReasoningSplitter::push(std::string_view text) {
  held_ += text;
  Part part;
  while (step(part, false)) {
  }
  return part;
}

ReasoningSplitter::Part ReasoningSplitter::finish() {
  Part part;
  while (step(part, true)) {
  }
  return part;
}

}  // namespace ingot::tools
