// What a repository of the Hub holds, and which of its files make up the wanted model.
//
// Source of the metadata: GET /api/models/{repo}/revision/{revision}?blobs=true.
// Thread-safety: pure functions. Limits: base/limits.h (hub).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "hub/reference.h"

namespace ingot::hub {

struct RemoteFile {
  std::string path;     // in the repository
  int64_t bytes = -1;   // -1: not known
  std::string sha256;   // hex; empty if the file is not in LFS
  std::string git_oid;  // hex SHA-1 of the git blob; empty if not known
};

struct Repository {
  std::string commit;
  std::vector<RemoteFile> files;
};

// Errors: kInvalidArgument for an answer that is not the Hub's or names a file outside the folder.
Result<Repository> parse_repository(std::string_view json);

struct Selection {
  std::string label;              // "Q4_K_M", "safetensors", "onnx"
  std::string entry;              // the file to open; empty: the folder
  std::vector<RemoteFile> files;  // all that is needed
};

// GGUF first (all parts of a split file), then safetensors with configuration and tokenizer, then
// ONNX. Without a quant: Q4_K_M, or the nearest there is.
// Errors: kNotFound, with the list of what there is.
Result<Selection> choose_files(const Repository& repository, const ModelRef& ref);

// "x-Q4_K_M-00001-of-00002.gguf" -> "Q4_K_M"; empty if the name says nothing.
std::string quant_of_name(std::string_view path);

}  // namespace ingot::hub
