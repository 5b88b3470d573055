// A plan bound to concrete input shapes: every size known beforehand is computed once, memory is laid out in one
// arena by lifetime, and barriers are placed only where threads would touch each other's memory.
//
// Values whose size only the data can tell (after NonZero, If) stay unplaced: the executor sizes and allocates
// them while it runs. Thread-safety: immutable after bind().
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "plan/plan.h"

namespace ingot {

inline constexpr int64_t kUnplaced = -1;
// Steps with less work than this run on one thread: waking others costs more.
inline constexpr int64_t kParallelWorkMin = 32768;

struct BoundValue {
  bool known = false;  // the shape is concrete
  Shape shape;
  int64_t offset = kUnplaced;  // in the arena, 64-byte aligned; only for known values made by steps
  ValueId block = kNoValue;    // placed values with the same one share their memory: all of it, from its start
};

struct BoundStep {
  size_t step = 0;       // index into Plan::steps()
  bool dynamic = false;  // an operand or result has no known shape: sized while it runs
  bool parallel = false;
  bool barrier_before = false;
  int64_t scratch_offset = kUnplaced;
};

struct Binding {
  std::vector<BoundValue> values;  // by ValueId
  std::vector<BoundStep> steps;    // in order; views whose shape is known have none
  size_t arena_bytes = 0;
};

// input_shapes: the graph's inputs, in order; state_shapes likewise.
// Errors: kInvalidArgument when a shape contradicts the graph's input types or a node's rules.
Result<std::shared_ptr<const Binding>> bind(const Plan& plan, std::span<const Shape> input_shapes,
                                            std::span<const Shape> state_shapes, int num_threads);

// A size that memory cannot hold, or a negative one, is kResourceExhausted or kInvalidArgument.
Result<void> check_size(std::string_view name, DType dtype, const Shape& shape);
// Errors: kInvalidArgument when a view's operand and result differ in elements.
Result<void> check_view(const Node& node, const Shape& in, const Shape& out);

}  // namespace ingot
