// Opens a Hugging Face folder as a Source: safetensors weights, JSON configs, tokenizer and template texts.
// Feeds open_source(). Ownership: the Source keeps its files mapped. Thread-safety: const after open.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "formats/source.h"

namespace ingot {

//   path: the folder, or a .safetensors file in it. A folder's weights are those of
//   model.safetensors.index.json, else model.safetensors, else its only .safetensors file; a file that is
//   not among them is opened alone, with the folder's texts.
// Errors: kNotFound (config.json, weights or a shard are missing), kInvalidArgument, kDataLoss.
Result<std::shared_ptr<const Source>> open_hf(const std::string& path);

}  // namespace ingot
