// What `ingot inspect --graph --plan --why` shows: how this machine would run a model, without running it.
// Fed by models/, formats/onnx, passes/ and plan/; printed by cmd_inspect.cc. Thread-safety: pure.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace ingot::cli {

struct PlanOptions {
  bool graph = false;                        // the optimized graph as text
  bool plan = false;                         // passes, the chosen kernel of each step, memory
  bool why = false;                          // the plan, with what the backends before the chosen one said
  bool json = false;                         // one object instead of tables
  std::vector<std::string> disabled_passes;  // names; "all": the graph as it was read
  std::map<std::string, int64_t> dims;       // sizes for the memory figures; 1 where not given
  std::function<void(size_t bytes, size_t bytes_total)> on_progress;  // while weights are packed; may be empty
  bool any() const { return graph || plan || why; }
};

// Optimizes and compiles the graph for the cpu and ref backends, as `ingot run` and `ingot infer` do.
// Errors: those of optimize() and compile(); kInvalidArgument "[cli] …" for a name in dims that the graph lacks.
Result<std::string> plan_text(Graph graph, const PlanOptions& options);

// The names that --disable-pass takes: each pass, and "all".
std::vector<std::string> pass_names();
// What they mean to SessionOptions: "all" as the names of all.
std::vector<std::string> disabled_passes(const std::vector<std::string>& given);

}  // namespace ingot::cli
