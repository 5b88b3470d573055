// The bytes of an engine file, and the GGUF document in them: what engine_file.h reads, and where those who compiled
// the model find again what they described it with. Ownership: the map keeps the file. Thread-safety: const.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "formats/gguf/gguf_parser.h"

namespace ingot {

class EngineMap {
 public:
  // Errors: kNotFound, kDataLoss, kFailedPrecondition; see check_engine_bytes().
  static Result<std::shared_ptr<const EngineMap>> open(const std::string& path);
  // The same of a whole file in memory, at a page's start; `owner` keeps it.
  static Result<std::shared_ptr<const EngineMap>> of_bytes(std::span<const std::byte> bytes, std::string path,
                                                           std::shared_ptr<const void> owner);
  // Of a document alone, without preamble and checksum, for tests; `owner` keeps the bytes.
  static Result<std::shared_ptr<const EngineMap>> parse(std::span<const std::byte> document, std::string path,
                                                        std::shared_ptr<const void> owner);

  const std::string& path() const { return path_; }
  const GgufFile& file() const { return file_; }
  std::span<const std::byte> document() const { return document_; }  // offsets count from its start
  const MetaValue* find(std::string_view key) const;

 private:
  std::shared_ptr<const void> owner_;
  std::string path_;
  std::span<const std::byte> document_;
  GgufFile file_;
};

}  // namespace ingot
