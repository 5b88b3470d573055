#include "plan/engine_file.h"

#include <fmt/ranges.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

#include "base/cpu_features.h"
#include "base/mapped_file.h"
#include "layout_id.h"

namespace ingot {
namespace {

constexpr char kMagic[8] = {'I', 'N', 'G', 'O', 'T', 'E', 'N', 'G'};
constexpr uint32_t kFormat = 1;
constexpr uint32_t kAlignment = 4096;

// Little endian, at the start of the file; the rest of the 4096 bytes is zero.
struct Preamble {
  char magic[8];
  uint32_t format;
  uint32_t unused;
  uint64_t file_bytes;
  uint64_t directory_bytes;  // after the preamble
  uint64_t checksum;         // XXH3 of the directory
};
static_assert(sizeof(Preamble) == 40);

constexpr std::string_view kRebuild = "make it again here with `ingot compile MODEL -o FILE`";

uint64_t checksum(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

void collect_kernels(const Plan& plan, std::vector<std::string>& out) {
  for (const Step& s : plan.steps()) {
    out.push_back(s.kernel.run ? s.kernel.name : std::string(s.backend));
    for (const auto& sub : s.subplans) collect_kernels(*sub, out);
  }
}

std::string constant_name(size_t i) { return fmt::format("constant.{}", i); }
std::string piece_name(size_t i) { return fmt::format("packed.{}", i); }

// Hands out the pieces of a mapped file.
class MappedStore final : public PackedStore {
 public:
  MappedStore(std::shared_ptr<const EngineMap> map, std::vector<std::span<const std::byte>> pieces)
      : map_(std::move(map)), pieces_(std::move(pieces)) {}
  Result<Piece> take(size_t bytes) override {
    if (next_ >= pieces_.size() || pieces_[next_].size() != bytes)
      return error(Code::kFailedPrecondition,
                   "[engine] '{}': piece {} of the packed weights should have {} bytes, the file has {}: {}",
                   map_->path(), next_, bytes, next_ < pieces_.size() ? pieces_[next_].size() : 0, kRebuild);
    // Kernels only read what is filled.
    return Piece{{const_cast<std::byte*>(pieces_[next_++].data()), [map = map_](void*) {}}, true};
  }

 private:
  std::shared_ptr<const EngineMap> map_;
  std::vector<std::span<const std::byte>> pieces_;
  size_t next_ = 0;
};

// The tensors of the directory by number: "constant.0", "constant.1", …; absent ones are empty.
class Directory {
 public:
  explicit Directory(const EngineMap& map) : map_(map), path_(map.path()) {
    for (const GgufTensor& t : map_.file().tensors) by_name_[t.name] = &t;
  }

  Result<void> check_machine() const {
    const std::string_view isa = INGOT_TRY(text("ingot.isa")), build = INGOT_TRY(text("ingot.build"));
    if (isa != isa_name(current_isa()))
      return error(Code::kFailedPrecondition, "[engine] '{}' was made for {}, kernels here run on {}: {}", path_, isa,
                   isa_name(current_isa()), kRebuild);
    if (build != INGOT_LAYOUT_ID)
      return error(Code::kFailedPrecondition, "[engine] '{}' was made by another version of Ingot ({}, this is {}): {}",
                   path_, build, INGOT_LAYOUT_ID, kRebuild);
    return {};
  }
  Result<std::string_view> text(std::string_view key) const {
    if (const MetaValue* v = map_.find(key))
      if (const auto* s = std::get_if<std::string_view>(v)) return *s;
    return damaged(key);
  }
  Result<std::vector<std::string>> texts(std::string_view key) const {
    if (const MetaValue* v = map_.find(key))
      if (const auto* s = std::get_if<std::vector<std::string_view>>(v))
        return std::vector<std::string>(s->begin(), s->end());
    return damaged(key);
  }
  std::span<const std::byte> bytes_of(const std::string& name) const {
    const auto it = by_name_.find(name);
    if (it == by_name_.end()) return {};
    return map_.document().subspan(it->second->offset, it->second->view.num_bytes());
  }

 private:
  std::unexpected<Status> damaged(std::string_view key) const {
    return error(Code::kDataLoss, "[engine] '{}': '{}' is missing or of another kind: the file is damaged; {}", path_,
                 key, kRebuild);
  }
  const EngineMap& map_;
  std::string_view path_;
  std::unordered_map<std::string_view, const GgufTensor*> by_name_;
};

// A constant as it lies in the map; without bytes if its kernels packed it.
Result<StoredConstant> stored_constant(const Directory& directory, const std::shared_ptr<const EngineMap>& map,
                                       const Type& type, size_t index) {
  TensorView view{type.dtype, *type.concrete(), nullptr};
  const auto damaged = [&](std::string_view what) {
    return error(Code::kDataLoss, "[engine] '{}': constant {} ({}) {}; {}", map->path(), index, type.to_string(), what,
                 kRebuild);
  };
  if (view.dtype == DType::kString) return damaged("would hold strings");  // objects are not bytes of a file
  if (view.num_bytes() == 0) return StoredConstant{Tensor::allocate(view.dtype, view.shape)};
  const auto bytes = directory.bytes_of(constant_name(index));
  if (bytes.empty() && view.num_bytes() < kReleaseBytesMin) return damaged("has no bytes");
  if (bytes.empty()) return StoredConstant{Tensor(view, map)};
  if (bytes.size() != view.num_bytes()) return damaged(fmt::format("has {} bytes", bytes.size()));
  view.data = bytes.data();
  return StoredConstant{Tensor(view, map), true};
}

Result<void> add_tensors(GgufWriter& writer, const EngineContents& c, const std::vector<const Tensor*>& omitted) {
  for (size_t i = 0; i < omitted.size(); ++i) {
    const TensorView& t = omitted[i]->view();
    if (t.dtype == DType::kString)
      return unimplemented("[engine] the model has a constant of strings, which engine files cannot hold");
    if (!t.data || t.num_bytes() == 0) continue;
    writer.add_tensor(constant_name(i), {DType::kI8, {static_cast<int64_t>(t.num_bytes())}, t.data});
  }
  for (size_t i = 0; i < c.packed.pieces().size(); ++i) {
    const auto& piece = c.packed.pieces()[i];
    writer.add_tensor(piece_name(i), {DType::kI8, {static_cast<int64_t>(piece.bytes)}, piece.memory.get()});
  }
  return {};
}

std::vector<std::byte> preamble_of(std::span<const std::byte> directory, uint64_t data_bytes) {
  Preamble p{};
  std::memcpy(p.magic, kMagic, sizeof(kMagic));
  p.format = kFormat;
  p.file_bytes = kEnginePreambleBytes + directory.size() + data_bytes;
  p.directory_bytes = directory.size();
  p.checksum = checksum(directory);
  std::vector<std::byte> out(kEnginePreambleBytes);
  std::memcpy(out.data(), &p, sizeof(p));
  return out;
}

}  // namespace

Result<PackedStore::Piece> PackedRecorder::take(size_t bytes) {
  pieces_.push_back({allocate_packed(bytes), bytes});
  return Piece{pieces_.back().memory, false};
}

Result<void> write_engine(const std::string& path, const EngineContents& c) {
  GgufWriter writer;
  std::vector<const Tensor*> omitted;
  writer.add_number("general.alignment", kAlignment);
  writer.add_string("ingot.isa", isa_name(current_isa()));
  writer.add_string("ingot.build", INGOT_LAYOUT_ID);
  writer.add_string("ingot.graph", print(c.plan.graph(), omitted));
  std::vector<std::string> kernels;
  collect_kernels(c.plan, kernels);
  writer.add_strings("ingot.kernels", std::vector<std::string_view>(kernels.begin(), kernels.end()));
  writer.add_number("ingot.pieces", static_cast<uint64_t>(c.packed.pieces().size()));
  for (const auto& [name, value] : c.numbers) writer.add_number("ingot.number." + name, value);
  if (c.describe) c.describe(writer);
  INGOT_TRY(add_tensors(writer, c, omitted));
  writer.set_preamble(preamble_of);
  return writer.write(path);
}

bool is_engine_file(const std::string& path) {
  const auto file = MappedFile::open(path);  // does not wait for a pipe
  return file && is_engine_bytes((*file)->bytes());
}

bool is_engine_bytes(std::span<const std::byte> bytes) {
  return bytes.size() >= sizeof(kMagic) && std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) == 0;
}

Result<void> check_engine_bytes(std::span<const std::byte> bytes, std::string_view path) {
  Preamble p;
  if (bytes.size() < kEnginePreambleBytes || std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0)
    return error(Code::kDataLoss, "[engine] '{}' is no engine file, or lacks its first {} bytes", path,
                 kEnginePreambleBytes);
  std::memcpy(&p, bytes.data(), sizeof(p));
  if (p.format != kFormat)
    return error(Code::kFailedPrecondition, "[engine] '{}' has format {}, this version reads {}: {}", path, p.format,
                 kFormat, kRebuild);
  if (p.file_bytes != bytes.size() || p.directory_bytes > bytes.size() - kEnginePreambleBytes)
    return error(Code::kDataLoss, "[engine] '{}' has {} bytes, it was written with {}: truncated or damaged; {}", path,
                 bytes.size(), p.file_bytes, kRebuild);
  if (checksum(bytes.subspan(kEnginePreambleBytes, p.directory_bytes)) != p.checksum)
    return error(Code::kDataLoss, "[engine] '{}': the directory's checksum is wrong: the file is damaged; {}", path,
                 kRebuild);
  return {};
}

Result<EngineFile> open_engine(const std::string& path) { return open_engine(INGOT_TRY(EngineMap::open(path))); }

Result<EngineFile> open_engine(std::shared_ptr<const EngineMap> map) {
  INGOT_TRY(Directory(*map).check_machine());
  return read_engine(std::move(map));
}

Result<EngineFile> read_engine(std::shared_ptr<const EngineMap> map) {
  const Directory directory(*map);
  const std::string& path = map->path();
  EngineFile engine;
  engine.path = path;
  engine.kernels = INGOT_TRY(directory.texts("ingot.kernels"));
  for (const auto& [key, value] : map->file().metadata)
    if (const auto* n = std::get_if<int64_t>(&value); n && key.starts_with("ingot.number."))
      engine.numbers[std::string(key.substr(13))] = *n;
  size_t index = 0;
  auto graph = parse_graph(INGOT_TRY(directory.text("ingot.graph")),
                           [&](const Type& type) { return stored_constant(directory, map, type, index++); });
  if (graph)
    if (auto ok = verify(*graph); !ok) graph = std::unexpected(ok.error());
  if (!graph)
    return std::unexpected(
        Status(Code::kDataLoss, fmt::format("[engine] '{}': {}; {}", path, graph.error().message(), kRebuild)));
  engine.graph = std::move(*graph);
  const MetaValue* pieces = map->find("ingot.pieces");
  const auto* count = pieces ? std::get_if<int64_t>(pieces) : nullptr;
  if (!count || *count < 0 || *count > static_cast<int64_t>(map->file().tensors.size()))
    return error(Code::kDataLoss, "[engine] '{}': the number of packed weights is wrong; {}", path, kRebuild);
  std::vector<std::span<const std::byte>> packed;
  for (int64_t i = 0; i < *count; ++i) packed.push_back(directory.bytes_of(piece_name(static_cast<size_t>(i))));
  engine.store = std::make_shared<MappedStore>(map, std::move(packed));
  engine.map = std::move(map);
  return engine;
}

Result<int64_t> EngineFile::number(const std::string& name) const {
  const auto it = numbers.find(name);
  if (it != numbers.end()) return it->second;
  return error(Code::kFailedPrecondition, "[engine] '{}' does not say its {}; {}", path, name, kRebuild);
}

Result<void> check_engine_kernels(const EngineFile& file, const Plan& plan) {
  std::vector<std::string> kernels;
  collect_kernels(plan, kernels);
  for (size_t i = 0; i < std::max(kernels.size(), file.kernels.size()); ++i) {
    const std::string now = i < kernels.size() ? kernels[i] : "nothing";
    const std::string then = i < file.kernels.size() ? file.kernels[i] : "nothing";
    if (now != then)
      return error(Code::kFailedPrecondition, "[engine] '{}': step {} runs {} here and {} where it was made: {}",
                   file.path, i, now, then, kRebuild);
  }
  return {};
}

}  // namespace ingot
