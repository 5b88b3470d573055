// The functions that a model defines: found by name, checked for recursion and size, and what one call gives one.
//
// A function of the model goes before an operator of the same name. Its nodes take the place of each call; a depth,
// and how many nodes all calls make together, are limited. Ownership: borrows the model. Thread-safety: immutable.
#pragma once

#include <map>
#include <string>

#include "formats/onnx/tensors.h"

namespace ingot::onnx {

using NodeList = google::protobuf::RepeatedPtrField<pb::NodeDef>;

class FunctionTable {
 public:
  FunctionTable() = default;
  // Errors: kInvalidArgument for two functions of one name, one that calls itself, or calls nested too deep.
  static Result<FunctionTable> create(const pb::Model& model);

  const pb::Function* find(const pb::NodeDef& call) const;
  // How many nodes these are once calls are replaced, nested graphs included; at most kGraphNodesMax + 1.
  int64_t count_expanded(const NodeList& nodes) const;

 private:
  struct Walk;
  Result<void> check_calls(const pb::Function& function, Walk& walk, int depth);
  Result<void> check_nodes(const NodeList& nodes, Walk& walk, int depth);

  std::map<std::string, const pb::Function*> functions_;
  std::map<const pb::Function*, int64_t> sizes_;  // expanded
};

// One call that is being imported.
struct Expansion {
  const pb::Function* function = nullptr;
  std::map<std::string, const pb::AttributeDef*> attributes;  // of the function, as given or by default
  std::map<std::string, int64_t> opsets;                      // that the function imports
  std::string prefix;                                         // of its nodes' names: "call/"
};

// What an attribute refers to, if its node is one of a function's: null if the call leaves that out.
// Errors: kInvalidArgument for a reference outside of a function.
Result<const pb::AttributeDef*> resolve(const pb::AttributeDef& attribute, const Expansion* expansion);

}  // namespace ingot::onnx
