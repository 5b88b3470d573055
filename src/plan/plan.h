// A plan: a graph compiled for this machine. Which kernel runs each node and why, weights packed.
//
// compile() chooses for every node the first backend that supports it, and lets it prepare.
// The plan is immutable and serves any number of sessions; sizes are bound per input shape (binding.h).
// Ownership: the plan owns the graph, packed weights and the constants still needed. Thread-safety: immutable.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "ir/graph.h"

namespace ingot {

class Plan;

// Constants below this keep their bytes: shape inference reads small ones when a plan is bound.
inline constexpr size_t kReleaseBytesMin = 16384;

struct Step {
  NodeId node;
  Kernel kernel;  // run is null for views and control flow, which the executor runs
  std::string_view backend;
  std::string why;  // reasons of the backends that declined, "" if the first one took it
  std::vector<std::shared_ptr<const Plan>> subplans;  // in the order of Node::subgraphs
};

struct CompileOptions {
  std::vector<const Backend*> backends;  // best first
  ThreadPool* pool = nullptr;            // packs weights; required
  // Called after each node with the bytes of constants done so far and of all; may be empty.
  std::function<void(size_t bytes, size_t bytes_total)> on_progress;
  // Where kernels put packed weights, or find them. Constants that all their kernels packed into it keep their type but
  // no bytes ("hollow").
  PackedStore* store = nullptr;
};

class Plan {
 public:
  const Graph& graph() const { return graph_; }
  const std::vector<Step>& steps() const { return steps_; }
  // The value whose memory `v` shares through view ops (Reshape); `v` itself if none.
  ValueId root(ValueId v) const { return roots_[static_cast<size_t>(v)]; }
  size_t prepared_bytes() const { return prepared_bytes_; }
  size_t constant_bytes() const { return constant_bytes_; }

 private:
  friend Result<std::shared_ptr<const Plan>> compile(Graph graph, const CompileOptions& options);
  Result<void> select_kernels(const CompileOptions& options);
  class Releaser;
  void find_roots();

  Graph graph_;
  std::vector<Step> steps_;
  std::vector<ValueId> roots_;
  size_t prepared_bytes_ = 0;
  size_t constant_bytes_ = 0;
};

// Errors: kUnimplemented naming every node that no backend supports, with their reasons; kInvalidArgument for a
// constant without bytes that is read at run time; what prepare() says.
Result<std::shared_ptr<const Plan>> compile(Graph graph, const CompileOptions& options);

}  // namespace ingot
