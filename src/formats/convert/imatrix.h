// Importance matrices as llama.cpp's imatrix tool writes them: the mean squared activation of every input of a matrix.
//
// Two formats, told apart by their first bytes: GGUF (tensors NAME.in_sum2 and NAME.counts) and the older .dat.
// Feeds quantize.h. Ownership: copies. Thread-safety: const after reading. Limits: base/limits.h.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"

namespace ingot::convert {

struct Imatrix {
  std::unordered_map<std::string, std::vector<float>> weights;  // tensor name -> [experts * columns], all >= 0
  std::string dataset;                                          // the first one's name
  int64_t chunks = 0;
};

//   path: for messages only.
// Errors: kInvalidArgument, kDataLoss, naming entry and value.
Result<Imatrix> parse_imatrix(std::span<const std::byte> bytes, std::string_view path);
Result<Imatrix> read_imatrix(const std::string& path);

}  // namespace ingot::convert
