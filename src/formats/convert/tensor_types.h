// Which tensor of a quantized file gets which type: the rules of llama.cpp's mixes ("Q4_K_M", …).
//
// The rules were read in llama.cpp's quantizer (llama-quant.cpp) and are held by tests against its choices: equal
// input and equal names give equal types. Files are told apart by what they are for (mix), tensors by their names.
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace ingot::convert {

struct FileType {
  std::string_view name;  // "Q4_K_M"
  uint32_t id = 0;        // general.file_type
  DType type = DType::kF32;
};

// "q4_k_m"; also "Q4_K", "Q5_K", "Q3_K" for their _M and "MXFP4" for MXFP4_MOE.
// Errors: kInvalidArgument listing the names.
Result<FileType> file_type_from_name(std::string_view name);
std::vector<FileType> all_file_types();

// What the rules want to know of the model.
struct ModelTraits {
  std::string architecture;
  int64_t layers = 0;
  int64_t gqa = 1;      // query heads per key head of the first layer
  int64_t experts = 0;  // 0: not a mixture
  bool seventy_b = false;
};

struct TypeOptions {
  FileType file;
  bool pure = false;          // the default type for every matrix
  bool leave_output = false;  // output.weight stays as it is
  bool has_imatrix = false;
  std::optional<DType> output;                              // of output.weight
  std::optional<DType> embedding;                           // of the token embedding
  std::vector<std::pair<std::string, DType>> tensor_types;  // regular expression in the name -> type; the first wins
};

struct TensorSpec {
  std::string_view name;
  DType type;
  Shape shape;
};

// The types of all tensors, in the order given. A matrix whose rows do not divide into the chosen type's blocks gets a
// type of smaller blocks, or F16.
// Errors: kInvalidArgument for a regular expression that does not compile, or blocks that cannot be made.
Result<std::vector<DType>> choose_types(const ModelTraits& model, const TypeOptions& options,
                                        std::span<const TensorSpec> tensors);

// True for types so coarse that without an importance matrix the result is noise.
bool needs_imatrix(std::string_view name, DType type, const FileType& file);

}  // namespace ingot::convert
