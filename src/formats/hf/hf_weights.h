// The weights of a Hugging Face folder: which .safetensors files, mapped, parsed and joined.
// Feeds hf_source.cc. Ownership: HfWeights keeps files, names and copies alive. Thread-safety: const after open.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/status.h"
#include "formats/safetensors/safetensors_parser.h"
#include "formats/source.h"

namespace ingot {

struct HfWeights {
  struct Shard {
    std::shared_ptr<const MappedFile> map;
    SafetensorsFile file;
  };
  std::vector<Shard> shards;
  std::vector<std::shared_ptr<const void>> copies;  // of tensors that do not lie aligned in their file
  std::vector<SourceTensor> tensors;                // by shard, then by offset
};

// The paths in a folder, sorted.
Result<std::vector<std::filesystem::path>> list_folder(const std::filesystem::path& folder);

//   wanted: a .safetensors file of the folder, or empty for the folder's own choice.
Result<HfWeights> open_hf_weights(const std::filesystem::path& folder, const std::filesystem::path& wanted);

}  // namespace ingot
