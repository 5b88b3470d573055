// A model's bytes, whatever file they came in: metadata and named tensors, zero copy.
//
// GGUF gives its metadata keys and tensor names as they are written in the file. A Hugging Face folder
// gives config.json flattened with dots ("rope_scaling.factor") under "config.", generation_config.json
// under "generation_config.", tokenizer_config.json under "tokenizer_config.", __metadata__ under
// "safetensors."; its text files whole through file(). An array of scalars of one kind is a vector (an
// empty one has any element type); every other array is flattened by index ("a.0.b"); null has no entry,
// only is_null() tells it from a key that is absent. A folder of ONNX Runtime GenAI gives genai_config.json under
// "genai_config.", its ends of generation as a Hugging Face folder does, and its weights inside of import_graph().
// What the names mean is for models/ and text/ to say.
// Ownership: every view lives as long as the Source. Thread-safety: const after open.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace ingot {

class Graph;

enum class SourceKind { kGguf, kHuggingFace, kOnnx };

// Integers of every width become int64_t (uint64 above its range: uint64_t); floats become double.
using MetaValue =
    std::variant<bool, int64_t, uint64_t, double, std::string_view, std::vector<bool>, std::vector<int64_t>,
                 std::vector<uint64_t>, std::vector<double>, std::vector<std::string_view>>;

struct SourceTensor {
  std::string_view name;
  TensorView view;      // outermost dimension first (GGUF's order reversed)
  int file = 0;         // index into Source::paths()
  uint64_t offset = 0;  // bytes from the start of that file
};

class Source {
 public:
  virtual ~Source() = default;

  virtual SourceKind kind() const = 0;
  // For people: "GGUF v3".
  virtual std::string format() const { return kind() == SourceKind::kGguf ? "GGUF" : "Hugging Face"; }
  virtual const std::vector<std::string>& paths() const = 0;
  // In the file's order.
  virtual const std::vector<std::pair<std::string_view, MetaValue>>& metadata() const = 0;
  virtual const std::vector<SourceTensor>& tensors() const = 0;
  // A text file of a Hugging Face folder ("tokenizer.json", "chat_template.jinja"); empty if absent.
  virtual std::string_view file(std::string_view name) const = 0;

  // kOnnx: the model's graph, read anew. Errors: those of import_onnx(); kUnimplemented for other kinds.
  virtual Result<Graph> import_graph() const;

  // The key is present and JSON's null.
  virtual bool is_null(std::string_view) const { return false; }

  const MetaValue* find_metadata(std::string_view key) const;
  const SourceTensor* find_tensor(std::string_view name) const;

  // Typed look-ups. get<> is nullopt when the key is absent; a present value of the wrong type, or an
  // integer out of range, is an error that names key and value.
  Result<std::optional<int64_t>> get_int(std::string_view key) const;
  Result<std::optional<double>> get_double(std::string_view key) const;
  Result<std::optional<bool>> get_bool(std::string_view key) const;
  Result<std::optional<std::string_view>> get_string(std::string_view key) const;

 protected:
  void build_index();  // call once, after metadata() and tensors() are complete

 private:
  std::unordered_map<std::string_view, const MetaValue*> metadata_index_;
  std::unordered_map<std::string_view, const SourceTensor*> tensor_index_;
};

// A .gguf file (or the first of a split), a folder of Hugging Face or of ONNX Runtime GenAI, or a .safetensors file
// within one.
// Errors: kNotFound, kInvalidArgument, kDataLoss (a truncated file), each naming file, field, value, fix.
Result<std::shared_ptr<const Source>> open_source(const std::string& path);

}  // namespace ingot
