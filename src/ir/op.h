// The op vocabulary (ops.def) as an enum and a table of schemas. Thread-safety: constant data.
#pragma once

#include <optional>
#include <string_view>

#include "base/status.h"

namespace ingot {

class InferContext;

enum class Op : uint16_t {
#define OP(id, name, in_min, in_max, out_min, out_max, infer, flags) k##id,
#include "ir/ops.def"
#undef OP
};

inline constexpr int kOpView = 1;        // output 0 is input 0's bytes under another shape
inline constexpr int kOpControl = 2;     // runs subgraphs
inline constexpr int kOpStateful = 4;    // writes a state operand
inline constexpr int kOpRandom = 8;      // not a pure function: never folded or merged
inline constexpr int kOpAllocates = 16;  // its kernel gives output 0 shape and memory; all others need them known

inline constexpr int kOpContainers = 32;  // takes sequences, optionals or maps; all others take tensors only

struct OpSchema {
  std::string_view name;
  int inputs_min, inputs_max;  // max -1: any number
  int outputs_min, outputs_max;
  Result<void> (*infer)(InferContext&);
  int flags;
};

const OpSchema& op_schema(Op op);
inline std::string_view op_name(Op op) { return op_schema(op).name; }
std::optional<Op> op_from_name(std::string_view name);
int num_ops();

}  // namespace ingot
