// A decoder of ONNX Runtime GenAI as a language model: genai_config.json says what its graph's inputs and outputs are,
// lift_paged_attention() rewrites the graph. Neighbours: build_model() comes here for SourceKind::kOnnx.
// Thread-safety: pure.
#pragma once

#include "models/model.h"

namespace ingot {

// What genai_config.json says of the model. Errors: kInvalidArgument naming key, value and rule.
Result<ModelConfig> read_genai_config(const Source& source);

// Errors: those of import_onnx(), read_genai_config() and lift_paged_attention(); kInvalidArgument where the
// configuration and the graph contradict each other.
Result<LanguageModel> build_onnx_decoder(const Source& source, const BuildOptions& options);

}  // namespace ingot
