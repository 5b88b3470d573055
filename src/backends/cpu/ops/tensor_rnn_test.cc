// LSTM and GRU on the CPU against the reference.
#include "backends/cpu/ops/op_check.h"

namespace ingot {
namespace {

struct Sizes {
  int64_t steps, batch, width, hidden;
};
constexpr Sizes kSizes[] = {{1, 1, 3, 5}, {4, 1, 8, 16}, {3, 2, 7, 33}, {5, 3, 16, 40}};

OpCase recurrent(Op op, const Sizes& s, const std::string& direction, int64_t linear, bool states) {
  const int64_t gates = op == Op::kLSTM ? 4 : 3, d = direction == "bidirectional" ? 2 : 1;
  OpCase k{.op = op, .attributes = {{"direction", direction}}, .constants = 0b1110, .outputs = op == Op::kLSTM ? 3 : 2};
  if (op == Op::kGRU) k.attributes.set("linear_before_reset", linear);
  k.inputs = {random_tensor(Shape{s.steps, s.batch, s.width}, 1),
              random_tensor(Shape{d, gates * s.hidden, s.width}, 2, -0.5f, 0.5f),
              random_tensor(Shape{d, gates * s.hidden, s.hidden}, 3, -0.3f, 0.3f)};
  if (!states) return k;
  k.inputs.push_back(random_tensor(Shape{d, 2 * gates * s.hidden}, 4));
  k.inputs.push_back({});
  k.inputs.push_back(random_tensor(Shape{d, s.batch, s.hidden}, 5));
  if (op == Op::kLSTM) k.inputs.push_back(random_tensor(Shape{d, s.batch, s.hidden}, 6));
  return k;
}

TEST(TensorRnn, lstm_is_the_reference) {
  for (const Sizes& s : kSizes)
    for (const char* direction : {"forward", "reverse", "bidirectional"})
      for (bool states : {false, true}) expect_like_ref(recurrent(Op::kLSTM, s, direction, 0, states), direction);
}

// A value on the edge of two steps may fall either way: the largest step times the weights of one column.
TEST(TensorRnn, lstm_rounds_its_state_as_the_reference) {
  for (const Sizes& s : kSizes)
    for (const char* direction : {"forward", "bidirectional"}) {
      OpCase k = recurrent(Op::kLSTM, s, direction, 0, true);
      k.attributes.set("quantized_state", int64_t{1});
      expect_like_ref(k, direction, 3e-3f);
    }
}

TEST(TensorRnn, gru_is_the_reference) {
  for (const Sizes& s : kSizes)
    for (const char* direction : {"forward", "reverse", "bidirectional"})
      for (int64_t linear : {0, 1})
        for (bool states : {false, true}) expect_like_ref(recurrent(Op::kGRU, s, direction, linear, states), direction);
}

}  // namespace
}  // namespace ingot
