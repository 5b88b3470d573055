// Engine files: a compiled plan on disk, so that starting is one mmap. `ingot compile` writes them.
//
// Layout: 4096 bytes of preamble (magic, format, sizes, checksum of the directory), then a GGUF document aligned to
// 4096: what the caller describes the model with, the optimized graph as text, the kernels' names, and as tensors the
// constants that are read at run time and the packed weights, in the order in which compiling asks for them. Opening
// maps the file and compiles the graph again; kernels find their packed weights in the map, nothing is copied. A file
// belongs to one build (the sources from tensor to backends, the compiler and its flags) and one instruction set;
// others are refused with the reason. Damage to preamble and directory is found by the checksum; weights are only
// checked for their place and size. The graph is verified, packed weights cannot be. Ownership: what is opened keeps
// the map. Thread-safety: an opened store belongs to one compilation.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/gguf/gguf_writer.h"
#include "plan/engine_map.h"
#include "plan/plan.h"

namespace ingot {

inline constexpr size_t kEnginePreambleBytes = 4096;

// Fresh memory for every piece, remembered in order; for compiling what write_engine() shall store.
class PackedRecorder final : public PackedStore {
 public:
  Result<Piece> take(size_t bytes) override;
  struct Recorded {
    std::shared_ptr<void> memory;
    size_t bytes;
  };
  const std::vector<Recorded>& pieces() const { return pieces_; }

 private:
  std::vector<Recorded> pieces_;
};

struct EngineContents {
  const Plan& plan;  // compiled with `packed` as its store
  const PackedRecorder& packed;
  std::map<std::string, int64_t> numbers;     // what who opens it wants to know, by any name
  std::function<void(GgufWriter&)> describe;  // adds entries of its own, for EngineFile::map; may be empty
};

// The file appears under its name when it is complete. Errors: kUnimplemented for constants of strings; those of
// GgufWriter.
Result<void> write_engine(const std::string& path, const EngineContents& contents);

struct EngineFile {
  std::string path;
  Graph graph;                         // optimized
  std::shared_ptr<PackedStore> store;  // for SessionOptions::store
  std::shared_ptr<const EngineMap> map;
  std::map<std::string, int64_t> numbers;
  std::vector<std::string> kernels;  // of all steps, subplans included

  // Errors: kFailedPrecondition if the file has no number of this name.
  Result<int64_t> number(const std::string& name) const;
};

// By its first bytes; false if it cannot be read.
bool is_engine_file(const std::string& path);
bool is_engine_bytes(std::span<const std::byte> bytes);

// The preamble and the directory's checksum. Errors: kDataLoss, kFailedPrecondition (another format).
Result<void> check_engine_bytes(std::span<const std::byte> bytes, std::string_view path);

// Errors: kNotFound; kDataLoss for a damaged or truncated file; kFailedPrecondition for one that was made for another
// machine or by another build, saying how to make it again.
Result<EngineFile> open_engine(const std::string& path);
Result<EngineFile> open_engine(std::shared_ptr<const EngineMap> map);
// The same of a document whose machine and build are not looked at.
Result<EngineFile> read_engine(std::shared_ptr<const EngineMap> map);

// kFailedPrecondition if the plan made from the file's graph chose other kernels than the one that was stored.
Result<void> check_engine_kernels(const EngineFile& file, const Plan& plan);

}  // namespace ingot
