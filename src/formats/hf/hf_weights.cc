#include "formats/hf/hf_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/value.hpp>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/limits.h"
#include "base/log.h"
#include "formats/json.h"
#include "formats/printable.h"
#include "formats/sniff.h"

namespace ingot {
namespace {

namespace fs = std::filesystem;
namespace bj = boost::json;

constexpr auto kIndexName = "model.safetensors.index.json";

struct Plan {
  std::vector<std::string> files;                        // names in the folder
  std::vector<std::pair<std::string, size_t>> expected;  // tensor -> index into files, from the index
};

// {"weight_map": {"tensor": "file", …}}
Result<Plan> read_index(const fs::path& path) {
  const auto map = INGOT_TRY(MappedFile::open(path));
  const std::string_view text(reinterpret_cast<const char*>(map->bytes().data()), map->bytes().size());
  const bj::value root = INGOT_TRY(parse_json(text, fmt::format("[hf] '{}'", path.string())));
  const bj::object* object = root.if_object();
  const bj::value* weights = object ? object->if_contains("weight_map") : nullptr;
  if (!weights || !weights->is_object())
    return invalid("[hf] '{}': 'weight_map' is missing or no object", path.string());
  if (weights->get_object().size() > limits::kTensorsMax)
    return invalid("[hf] '{}': {} tensors, the limit is {}", path.string(), weights->get_object().size(),
                   limits::kTensorsMax);
  std::map<std::string, size_t> numbers;
  for (const auto& [tensor, file] : weights->get_object()) {
    const bj::string* name = file.if_string();
    // A plain name: the index must not lead out of its folder.
    if (!name || name->empty() || name->find('/') != name->npos || name->find('\0') != name->npos)
      return invalid("[hf] '{}': weight_map '{}' is no plain file name", path.string(), printable(tensor));
    numbers.emplace(std::string(*name), 0);
  }
  if (numbers.size() > limits::kSplitFilesMax)
    return invalid("[hf] '{}': {} shards, the limit is {}", path.string(), numbers.size(), limits::kSplitFilesMax);
  Plan plan;
  for (auto& [name, number] : numbers) {
    number = plan.files.size();
    plan.files.push_back(name);
  }
  for (const auto& [tensor, file] : weights->get_object())
    plan.expected.emplace_back(tensor, numbers[std::string(file.get_string())]);
  return plan;
}

// What the folder holds instead of weights that can be read.
std::string advice(const std::vector<fs::path>& files) {
  bool pickle = false;
  for (const fs::path& file : files) {
    const std::string extension = file.extension();
    if (extension == ".gguf")
      return fmt::format("it holds GGUF files: give one of them, for example '{}'", file.string());
    pickle |= extension == ".bin" || extension == ".pt" || extension == ".pth";
  }
  if (pickle) return "it holds pickled weights (.bin, .pt), which are not read: convert them to .safetensors";
  return "download the whole model folder";
}

Result<Plan> choose_files(const fs::path& folder, const fs::path& wanted) {
  std::error_code ec;
  Plan plan;
  if (fs::exists(folder / kIndexName, ec)) {
    plan = INGOT_TRY(read_index(folder / kIndexName));
    if (plan.files.empty()) return invalid("[hf] '{}': lists no file", (folder / kIndexName).string());
  } else if (fs::exists(folder / "model.safetensors", ec)) {
    plan.files = {"model.safetensors"};
  } else {
    const std::vector<fs::path> files = INGOT_TRY(list_folder(folder));
    for (const fs::path& file : files)
      if (file.extension() == ".safetensors") plan.files.push_back(file.filename());
    if (plan.files.empty() && !wanted.empty()) plan.files = {wanted.filename()};
    if (plan.files.empty())
      return not_found("[hf] '{}': no .safetensors file in this folder; {}", folder.string(), advice(files));
    if (plan.files.size() > 1 && wanted.empty())
      return invalid("[hf] '{}': {} .safetensors files and no {}: download it too, or give one of the files",
                     folder.string(), plan.files.size(), kIndexName);
    if (plan.files.size() > 1) plan.files = {wanted.filename()};
  }
  const bool among =
      wanted.empty() || std::find(plan.files.begin(), plan.files.end(), wanted.filename().string()) != plan.files.end();
  if (!among) return Plan{{wanted.filename().string()}, {}};
  return plan;
}

Result<HfWeights::Shard> open_shard(const fs::path& path) {
  std::error_code ec;
  if (!fs::exists(path, ec)) return not_found("[hf] '{}': this shard is missing, download it too", path.string());
  auto map = INGOT_TRY(MappedFile::open(path));
  const FileGuess guess = guess_file(map->bytes());
  if (guess.kind != FileKind::kSafetensors && guess.description != kNothingKnown && map->bytes().size() > 8 &&
      map->bytes()[8] != std::byte{'{'})
    return invalid("[hf] '{}': looks like {}; {}", path.string(), guess.description, guess.fix);
  SafetensorsFile file = INGOT_TRY(parse_safetensors(map->bytes(), path.string()));
  return HfWeights::Shard{std::move(map), std::move(file)};
}

// Old writers did not pad the header: what cannot be read in place is copied.
const void* aligned_data(const std::byte* data, const TensorView& view, HfWeights& out) {
  const auto size = static_cast<size_t>(dtype_info(view.dtype).block_bytes);
  const size_t alignment = std::min<size_t>(size, 8);
  if (reinterpret_cast<uintptr_t>(data) % alignment == 0) return data;
  auto copy = allocate_aligned(view.num_bytes());
  std::memcpy(copy.get(), data, view.num_bytes());
  out.copies.push_back(copy);
  return copy.get();
}

Result<void> check_against_index(const Plan& plan, const HfWeights& weights) {
  std::unordered_map<std::string_view, size_t> found;
  for (const SourceTensor& t : weights.tensors) found.emplace(t.name, static_cast<size_t>(t.file));
  for (const auto& [name, file] : plan.expected) {
    const auto it = found.find(name);
    if (it == found.end() || it->second != file)
      return invalid("[hf] '{}': tensor '{}' is not in this file as {} says: files of different downloads",
                     weights.shards[file].map->path(), printable(name), kIndexName);
  }
  return {};
}

}  // namespace

Result<std::vector<fs::path>> list_folder(const fs::path& folder) {
  std::error_code ec;
  std::vector<fs::path> out;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) out.push_back(it->path());
  if (ec) return error(Code::kPermissionDenied, "[hf] cannot list '{}': {}", folder.string(), ec.message());
  std::sort(out.begin(), out.end());
  return out;
}

Result<HfWeights> open_hf_weights(const fs::path& folder, const fs::path& wanted) {
  const Plan plan = INGOT_TRY(choose_files(folder, wanted));
  HfWeights out;
  out.shards.reserve(plan.files.size());
  for (const std::string& name : plan.files) out.shards.push_back(INGOT_TRY(open_shard(folder / name)));
  std::unordered_set<std::string_view> seen;
  for (size_t i = 0; i < out.shards.size(); ++i) {
    const HfWeights::Shard& shard = out.shards[i];
    for (const SafetensorsTensor& t : shard.file.tensors) {
      if (!seen.insert(t.name).second)
        return invalid("[hf] '{}': tensor '{}' stands in another shard too", shard.map->path(), printable(t.name));
      TensorView view = t.view;
      view.data = aligned_data(shard.map->bytes().data() + t.offset, view, out);
      out.tensors.push_back({t.name, view, static_cast<int>(i), t.offset});
    }
  }
  if (!out.copies.empty())
    log::warn("[hf] '{}': {} tensors do not lie aligned in their file and were copied", folder.string(),
              out.copies.size());
  INGOT_TRY(check_against_index(plan, out));
  return out;
}

}  // namespace ingot
