// Everything that one language model file gives: its runner, tokenizer and chat template.
//
// Ownership: owns all of it. Thread-safety: tokenizer and template from any thread; the runner from one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "formats/source.h"
#include "llm/model_runner.h"
#include "text/chat/chat_template.h"
#include "text/tokenizer.h"

namespace ingot::llm {

struct LoadedModel {
  std::shared_ptr<const Source> source;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::optional<ChatTemplate> chat_template;  // absent: the model has none (a base model)
  std::unique_ptr<ModelRunner> runner;
  double load_ms = 0;
};

// path: a GGUF file, a Hugging Face folder or an engine file. The tokenizer is read while the weights are packed.
// Errors: those of open_source, build_model, Tokenizer, ChatTemplate and Session, each naming file and fix.
Result<LoadedModel> load_model(const std::string& path, const RunnerOptions& options);

}  // namespace ingot::llm
