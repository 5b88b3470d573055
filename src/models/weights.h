// A model's weights by GGUF's names, whatever the file calls them, as constants of a graph.
//
// Matrices are zero-copy views of the file. Vectors (norms, biases) become f32, as the ops want them.
// Ownership: constants keep the Source alive. Thread-safety: none.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/source.h"
#include "ir/graph.h"

namespace ingot {

// GGUF name -> Hugging Face name, both without ".weight"/".bias"; "blk.%" and its counterpart stand for a layer, a '#'
// at the end of the first and its counterpart for an expert.
struct NamePair {
  std::string_view gguf;
  std::string_view hf;
};

// What nearly all decoder-only models share.
std::span<const NamePair> common_names();

class Weights {
 public:
  // names: looked up before common_names().
  Weights(std::shared_ptr<const Source> source, std::span<const NamePair> names);

  // "blk.3.attn_q.weight"; null if the file has no such tensor. The file's own name is used in messages.
  const SourceTensor* find(std::string_view gguf_name) const;

  // A matrix of shape [n, k]. transposed: the file holds [k, n] (copied). Errors: kNotFound, kInvalidArgument.
  Result<ValueId> matrix(Graph& graph, const std::string& name, int64_t n, int64_t k, bool transposed = false) const;
  // The matrices [n, k] of `count` experts: one stack [count, n, k] (`name`_exps.weight), or each one's own
  // (`name`.0.weight, …). Errors: kNotFound, kInvalidArgument.
  Result<std::vector<ValueId>> experts(Graph& graph, const std::string& name, int64_t count, int64_t n,
                                       int64_t k) const;
  // A vector of n elements as f32, plus `add`.
  Result<ValueId> vector(Graph& graph, const std::string& name, int64_t n, float add = 0) const;

 private:
  std::vector<std::string> file_names(std::string_view gguf_name) const;
  Result<const SourceTensor*> require(std::string_view gguf_name) const;
  Result<const SourceTensor*> require(std::string_view gguf_name, const Shape& shape) const;
  std::shared_ptr<const Source> source_;
  std::span<const NamePair> names_;
};

}  // namespace ingot
