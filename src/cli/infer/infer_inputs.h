// What the user gives `ingot infer` as inputs: files, JSON, random numbers; sizes for symbolic dimensions.
// Thread-safety: pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/command.h"
#include "ir/graph.h"

namespace ingot::cli {

struct InputOptions {
  // "name=file.npy", "name=file.json", "name=photo.jpg", "name=file.raw", "name=random[:2x3]", "name=[1,2]", "random",
  // "file.npz"
  std::vector<std::string> inputs;
  std::vector<std::string> shapes;  // "name=1x3x224x224"
  std::vector<std::string> dims;    // "batch=4"
  uint64_t seed = 0;
  std::vector<float> image_mean, image_deviation;  // of one channel, or of R, G and B
};

// --input, --shape, --dim, --seed, --image-mean, --image-std.
void add_input_options(CLI::App& command, InputOptions& options);

// One tensor for each input of the graph, in order. Random floats are normal, random integers 0 or 1 (they may be
// indices). Sequences and optionals are JSON: arrays of their elements, null.
// Errors: kInvalidArgument naming the input, with what would be accepted.
Result<std::vector<Tensor>> make_inputs(const Graph& graph, const InputOptions& options);

// "a=b" at the first '='. Errors: kInvalidArgument.
Result<std::pair<std::string, std::string>> split_assignment(const std::string& text);

// JSON text as a tensor: nested arrays (their nesting is the shape), or {"shape":[…],"data":[…]}.
Result<Tensor> tensor_from_json(std::string_view text, DType dtype);

}  // namespace ingot::cli
