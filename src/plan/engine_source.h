// The map of an engine file, and the model's metadata in it as a Source, so that tokenizers, chat templates and
// `ingot inspect` read an engine file as they read the model it was made from. Feeds engine_file.h.
// Ownership: the Source keeps the map. Thread-safety: const after open.
#pragma once

#include <memory>
#include <string>

#include "base/mapped_file.h"
#include "formats/gguf/gguf_parser.h"
#include "formats/gguf/gguf_writer.h"
#include "formats/source.h"

namespace ingot {

class EngineMap {
 public:
  // Errors: kNotFound, kDataLoss, kFailedPrecondition; see check_engine_bytes().
  static Result<std::shared_ptr<const EngineMap>> open(const std::string& path);

  const std::string& path() const { return map_->path(); }
  const GgufFile& file() const { return file_; }
  std::span<const std::byte> document() const;  // the GGUF document, to which offsets count
  const MetaValue* find(std::string_view key) const;

 private:
  std::shared_ptr<const MappedFile> map_;
  GgufFile file_;
};

// Adds what make_engine_source() gives back: metadata, texts, names and types of the tensors.
void add_engine_source(GgufWriter& writer, const Source& source);
// Null if the file holds a tensor model. Tensors have no data.
std::shared_ptr<const Source> make_engine_source(std::shared_ptr<const EngineMap> map);

}  // namespace ingot
