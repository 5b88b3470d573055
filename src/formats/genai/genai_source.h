// Opens a folder of ONNX Runtime GenAI as a Source: genai_config.json, the decoder's ONNX graph, tokenizer and
// templates. Format: onnxruntime.ai/docs/genai/reference/config.html. Feeds open_source(). Ownership: the Source keeps
// its texts mapped; each import_graph() maps the weights anew. Thread-safety: const after open.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "formats/source.h"

namespace ingot {

inline constexpr std::string_view kGenaiConfig = "genai_config.json";

// paths() is the decoder's ONNX file. Errors: kNotFound (that file), kInvalidArgument for a configuration that names
// none, or one outside of the folder; kUnimplemented for a model of several graphs.
Result<std::shared_ptr<const Source>> open_genai(const std::string& folder);

}  // namespace ingot
