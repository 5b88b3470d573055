#include "formats/npy/npz.h"

#include <zip.h>

#include <memory>
#include <vector>

#include "base/mapped_file.h"
#include "base/memory.h"
#include "formats/npy/npy.h"
#include "formats/printable.h"

namespace ingot {
namespace {

Status damaged(const zip_error_t* why) {
  return Status(Code::kDataLoss, fmt::format("[npz] {}", zip_error_strerror(const_cast<zip_error_t*>(why))));
}

Result<std::vector<std::byte>> inflate(zip_t* archive, zip_uint64_t index, const zip_stat_t& entry) {
  if (entry.size > kNpzBytesMax)
    return error(Code::kResourceExhausted, "[npz] {} bytes, the limit is {}", entry.size, kNpzBytesMax);
  INGOT_TRY(check_memory_if_large("an array", 2.0 * static_cast<double>(entry.size), "give the arrays one by one"));
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen_index(archive, index, 0), zip_fclose);
  if (!file) return std::unexpected(damaged(zip_get_error(archive)));
  // The size is the archive's word: memory is taken as bytes come.
  std::vector<std::byte> out;
  constexpr size_t kChunk = size_t{1} << 20;
  while (out.size() < entry.size) {
    const size_t have = out.size(), want = std::min<size_t>(kChunk, entry.size - have);
    out.resize(have + want);
    const zip_int64_t n = zip_fread(file.get(), out.data() + have, want);
    if (n < 0) return std::unexpected(damaged(zip_file_get_error(file.get())));
    out.resize(have + static_cast<size_t>(n));
    if (n == 0) return error(Code::kDataLoss, "[npz] {} bytes of {}", have, entry.size);
  }
  return out;
}

}  // namespace

Result<std::map<std::string, Tensor>> parse_npz(std::span<const std::byte> bytes) {
  zip_error_t why;
  zip_error_init(&why);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &why);
  const std::unique_ptr<zip_t, void (*)(zip_t*)> archive(
      source ? zip_open_from_source(source, ZIP_RDONLY, &why) : nullptr, zip_discard);
  if (!archive) {
    if (source) zip_source_free(source);
    const Status status = damaged(&why);
    zip_error_fini(&why);
    return std::unexpected(status);
  }
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  if (count < 0 || static_cast<uint64_t>(count) > kNpzArraysMax)
    return error(Code::kResourceExhausted, "[npz] {} files in the archive, the limit is {}", count, kNpzArraysMax);
  std::map<std::string, Tensor> out;
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(count); ++i) {
    zip_stat_t entry;
    if (zip_stat_index(archive.get(), i, 0, &entry) != 0) return std::unexpected(damaged(zip_get_error(archive.get())));
    std::string name = entry.name;
    if (!name.ends_with(".npy")) return invalid("[npz] '{}' in the archive is no .npy file", printable(name));
    auto array = inflate(archive.get(), i, entry);
    auto tensor = array ? parse_npy(*array) : std::unexpected(array.error());
    if (!tensor)
      return std::unexpected(tensor.error().with_context(fmt::format("'{}' in the archive", printable(name))));
    name.resize(name.size() - 4);
    if (!out.emplace(name, std::move(*tensor)).second)
      return invalid("[npz] '{}' is in the archive twice", printable(name));
  }
  return out;
}

Result<std::map<std::string, Tensor>> read_npz(const std::string& path) {
  const auto file = INGOT_TRY(MappedFile::open(path));
  auto arrays = parse_npz(file->bytes());
  if (!arrays) return std::unexpected(arrays.error().with_context(path));
  return arrays;
}

}  // namespace ingot
