// TensorProto -> Tensor: raw bytes without a copy, typed fields, external files.
//
// External data stay inside the model's folder: absolute paths, "..", and symbolic links that lead out are
// refused. Ownership: tensors keep the parsed model or the file map alive. Thread-safety: one thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/mapped_file.h"
#include "onnx.pb.h"
#include "tensor/tensor.h"

namespace ingot::onnx {

// The element type with this number in TensorProto.DataType; nullopt if there is none.
std::optional<DType> dtype_of(int32_t data_type);

class TensorReader {
 public:
  // `owner` owns every TensorDef that will be read.
  TensorReader(std::shared_ptr<const void> owner, std::string folder)
      : owner_(std::move(owner)), folder_(std::move(folder)) {}

  // Errors: kInvalidArgument, kNotFound, kPermissionDenied, naming the tensor.
  Result<Tensor> read(const pb::TensorDef& tensor, bool* file_backed);
  // As a dense tensor. Errors: kResourceExhausted besides.
  Result<Tensor> read_sparse(const pb::SparseTensor& tensor);

 private:
  Result<Tensor> to_dense(const pb::SparseTensor& tensor);
  Result<Tensor> read_external(const pb::TensorDef& tensor, DType dtype, const Shape& shape);
  Result<std::shared_ptr<const MappedFile>> open_external(const std::string& name, const std::string& location);

  std::shared_ptr<const void> owner_;
  std::string folder_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
  std::map<const void*, Tensor> decoded_;  // functions and bodies of loops are read many times
};

}  // namespace ingot::onnx
