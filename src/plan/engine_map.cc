#include "plan/engine_map.h"

#include "base/mapped_file.h"
#include "plan/engine_file.h"

namespace ingot {

Result<std::shared_ptr<const EngineMap>> EngineMap::open(const std::string& path) {
  const std::shared_ptr<const MappedFile> file = INGOT_TRY(MappedFile::open(path));
  return of_bytes(file->bytes(), path, file);
}

Result<std::shared_ptr<const EngineMap>> EngineMap::of_bytes(std::span<const std::byte> bytes, std::string path,
                                                             std::shared_ptr<const void> owner) {
  INGOT_TRY(check_engine_bytes(bytes, path));
  return parse(bytes.subspan(kEnginePreambleBytes), std::move(path), std::move(owner));
}

Result<std::shared_ptr<const EngineMap>> EngineMap::parse(std::span<const std::byte> document, std::string path,
                                                          std::shared_ptr<const void> owner) {
  auto out = std::make_shared<EngineMap>();
  auto file = parse_gguf(document, path);
  if (!file) return std::unexpected(file.error().with_context("[engine]"));
  out->owner_ = std::move(owner);
  out->path_ = std::move(path);
  out->document_ = document;
  out->file_ = std::move(*file);
  return out;
}

const MetaValue* EngineMap::find(std::string_view key) const {
  for (const auto& [name, value] : file_.metadata)
    if (name == key) return &value;
  return nullptr;
}

}  // namespace ingot
