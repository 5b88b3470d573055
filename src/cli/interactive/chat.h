// The interactive chat of `ingot run`: a line editor, history, streaming answers.
#pragma once

#include "llm/generator.h"

namespace ingot::cli {

// While it lives, Ctrl-C ends the generator's answer instead of the program. One at a time.
class CancelOnInterrupt {
 public:
  explicit CancelOnInterrupt(llm::Generator& generator);
  ~CancelOnInterrupt();
  CancelOnInterrupt(const CancelOnInterrupt&) = delete;
  CancelOnInterrupt& operator=(const CancelOnInterrupt&) = delete;
};

struct ChatOptions {
  std::string system;
  bool raw = false;  // no template: the model continues one growing text
  bool timings = false;
};

// Until the user leaves. Errors: what loading the line editor or a generation says that cannot be shown and survived.
Result<void> run_chat(llm::LoadedModel& model, llm::GenerateOptions generate, const ChatOptions& options);

}  // namespace ingot::cli
