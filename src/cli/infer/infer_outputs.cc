#include "cli/infer/infer_outputs.h"

#include <boost/json.hpp>
#include <filesystem>

#include "base/partial_file.h"
#include "formats/npy/npy.h"

namespace ingot::cli {
namespace {

namespace json = boost::json;

// Dimensions [d, rank) from element `at` on.
json::value nested(const TensorView& t, int d, int64_t& at) {
  if (d == t.shape.rank()) return json::string(t.as<std::string>()[at++]);
  json::array out;
  for (int64_t i = 0; i < t.shape[d]; ++i) out.push_back(nested(t, d + 1, at));
  return out;
}

}  // namespace

std::string output_file_name(std::string output, DType dtype) {
  for (char& c : output)
    if (c == '/' || c == '\\' || c == ':') c = '_';
  return output + (dtype == DType::kString ? ".json" : ".npy");
}

Result<void> write_output(const std::string& folder, const std::string& output, const TensorView& t) {
  const std::string path = (std::filesystem::path(folder) / output_file_name(output, t.dtype)).string();
  if (t.dtype != DType::kString) return write_npy(path, t);
  int64_t at = 0;
  const std::string text = json::serialize(nested(t, 0, at)) + "\n";
  PartialFile file("infer", path);
  INGOT_TRY(file.open());
  INGOT_TRY(file.write(std::as_bytes(std::span(text))));
  return file.commit();
}

}  // namespace ingot::cli
