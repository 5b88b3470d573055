// The text of one choice of a chat told apart while it comes: thoughts, content, tool calls.
//
// Thread-safety: none; one per choice, on its request's strand.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/openai/generation_request.h"
#include "text/tools/tool_call_parser.h"

namespace ingot::openai {

class ChatReader {
 public:
  struct Said {
    std::string reasoning, content;
    std::vector<tools::ToolPiece> calls;  // at most one piece for each call
    bool nothing() const { return reasoning.empty() && content.empty() && calls.empty(); }
  };

  explicit ChatReader(const ChatReading& reading);

  // last: the choice ends with this text.
  Said read(std::string_view text, bool last);
  bool has_called() const { return calls_ && calls_->num_calls() > 0; }

 private:
  void add(Said& said, std::vector<tools::ToolPiece> pieces) const;

  std::optional<tools::ReasoningSplitter> thoughts_;
  std::optional<tools::ToolCallParser> calls_;
};

// An id for a call, as the format's templates want to get it back: Mistral's are nine letters and digits.
std::string new_call_id(tools::ToolFormat format);

}  // namespace ingot::openai
