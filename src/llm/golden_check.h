// What tests read of a model's folder in tests/goldens/models.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "formats/npy/npy.h"

namespace ingot {

// Every element of a float32 .npy file; none, and a failure, if it cannot be read.
inline std::vector<float> golden_floats(const std::string& path) {
  const auto tensor = read_npy(path);
  if (!tensor || tensor->view().dtype != DType::kF32) {
    ADD_FAILURE() << path << " is not a float32 .npy file";
    return {};
  }
  return {tensor->view().as<float>(), tensor->view().as<float>() + tensor->view().num_elements()};
}

// The ids of a JSON list.
inline std::vector<int32_t> golden_tokens(const std::string& path) {
  std::ifstream in(path);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  std::vector<int32_t> out;
  std::istringstream list(text.substr(text.find('[') + 1));
  for (int32_t id; list >> id;) {
    out.push_back(id);
    list.ignore(1);
  }
  return out;
}

}  // namespace ingot
