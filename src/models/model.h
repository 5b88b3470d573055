// From a file's metadata and tensors to the graph of a language model.
//
// build_model() looks the architecture up in models.def and calls its one function. Thread-safety: pure.
#pragma once

#include <memory>

#include "formats/source.h"
#include "ir/graph.h"
#include "models/config.h"

namespace ingot {

struct BuildOptions {
  DType kv_dtype = DType::kF16;  // f32, f16, bf16, q8_0, q4_0
  int64_t page_tokens = 16;
  int64_t context = 0;  // longest sequence that will be run; 0 = what the model was trained for
};

struct LanguageModel {
  Graph graph;  // see builder.h for inputs, output and states
  ModelConfig config;
};

// Errors: kUnimplemented for an unknown architecture (the known ones are listed), kNotFound for a missing tensor,
// kInvalidArgument for metadata and shapes that contradict each other.
Result<LanguageModel> build_model(std::shared_ptr<const Source> source, const BuildOptions& options);

// "gemma3, gpt2, llama, …"
std::string known_architectures();

}  // namespace ingot
