// The interactive chat of `ingot run`: a line editor, history, streaming answers.
// Feeds on llm/generator.h, line_editor.h, interrupt.h, terminal.h. Thread-safety: the main thread.
#pragma once

#include <string_view>

#include "llm/generator.h"

namespace ingot::cli {

// Writes a piece of an answer at once. A terminal is shown control characters, not sent them: a model may say anything.
// Where nobody can read on (the terminal is gone, the disk full) the answer ends.
void print_answer(std::string_view text, llm::Generator& generator);

struct ChatOptions {
  std::string system;
  bool raw = false;  // no template: the model continues one growing text
  bool timings = false;
};

// Until the user leaves; what goes wrong in an answer is shown, and the chat goes on.
// Errors: kCancelled when the user left with a second Ctrl-C.
Result<void> run_chat(llm::LoadedModel& model, llm::GenerateOptions generate, const ChatOptions& options);

}  // namespace ingot::cli
