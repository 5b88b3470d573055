// Tells what a model thinks from what it answers: <think>…</think> in front of an answer, while it comes.
//
// White space around the thought is dropped; what comes out does not depend on the pieces that the text came in.
// Thread-safety: none; one per answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ingot::tools {

struct ReasoningMarks {
  std::string open, close;
};

// From a chat template's text; nothing if its model does not think aloud.
std::optional<ReasoningMarks> detect_reasoning(std::string_view chat_template);
// The prompt ends inside the thought: the template opened it.
bool ends_in_thought(std::string_view prompt, const ReasoningMarks& marks);

class ReasoningSplitter {
 public:
  struct Part {
    std::string reasoning, content;
  };

  // open: the text begins inside the thought.
  ReasoningSplitter(ReasoningMarks marks, bool open)
      : marks_(std::move(marks)), place_(open ? Place::kInside : Place::kBefore), was_open_(open) {}

  Part push(std::string_view text);
  Part finish();

 private:
  enum class Place : uint8_t { kBefore, kInside, kGap, kAfter };
  bool step(Part& part, bool last);
  void think(Part& part, std::string_view text);

  ReasoningMarks marks_;
  Place place_;
  bool was_open_;  // the model may repeat the mark that the prompt ends with
  bool thought_ = false;
  std::string held_, spaces_;
};

}  // namespace ingot::tools
