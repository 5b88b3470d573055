// Inference of LSTM, GRU and RNN, whose operands have one layout.
#include <algorithm>
#include <array>

#include "ir/infer/checks.h"
#include "ir/rnn_activation.h"

namespace ingot {
namespace {

// Activations by direction and by place: known names, as many as there are places.
Result<void> check_activations(InferContext& c, size_t places, size_t directions) {
  const Attribute* given = c.attributes().find("activations");
  if (!given) return {};
  const auto& names = std::get<std::vector<std::string>>(*given);
  if (names.size() != places && names.size() != places * directions)
    return c.fail("{} activations for {} places in {} directions", names.size(), places, directions);
  for (const std::string& name : names)
    if (!find_rnn_activation(name)) return c.fail("activation '{}' is not known", name);
  return {};
}

// x [T,B,I], w [D,gates*H,I], r [D,gates*H,H], bias? [D,2*gates*H], lengths? i32[B], h? [D,B,H], (LSTM: c? [D,B,H],
// peepholes? [D,3*H]). With layout = 1 the batch comes first in x, h, c and the results.
Result<void> infer_recurrent(InferContext& c, int gates, size_t places) {
  const Attributes& a = c.attributes();
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_float(c, 0));
  for (int i : {1, 2, 3, 5, 6, 7})
    if (c.has_input(i)) INGOT_TRY(require_dtype(c, i, dtype));
  INGOT_TRY(require_dtype(c, 4, DType::kI32));
  INGOT_TRY(require_choice(c, "direction", "forward|reverse|bidirectional", "forward"));
  INGOT_TRY(require_range(c, "layout", 0, 1, 0));
  const int64_t directions = a.get_string("direction") == "bidirectional" ? 2 : 1;
  INGOT_TRY(check_activations(c, places, static_cast<size_t>(directions)));
  if (a.has("clip") && !(a.get_float("clip") >= 0)) return c.fail("clip is {}", a.get_float("clip"));
  if (!all_ranked(c, 0, 3)) return set_all_unranked(c, dtype);
  for (int i : {0, 1, 2}) INGOT_TRY(require_rank(c, i, 3));
  const bool batch_first = a.get_int("layout") == 1;
  const Dim steps = c.dims(0)[batch_first], batch = c.dims(0)[!batch_first], width = c.dims(0)[2];
  const Dim hidden = a.has("hidden_size") ? Dim(a.get_int("hidden_size")) : c.dims(2)[2];
  if (hidden.is_const() && (hidden.value() < 1 || hidden.value() > INT32_MAX))
    return c.fail("hidden_size is {}", hidden.value());
  const Dims state = batch_first ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden};
  INGOT_TRY(require_dims(c, 1, {directions, hidden * gates, width}));
  INGOT_TRY(require_dims(c, 2, {directions, hidden * gates, hidden}));
  INGOT_TRY(require_dims(c, 3, {directions, hidden * (2 * gates)}));
  INGOT_TRY(require_dims(c, 4, {batch}));
  for (int i : {5, 6}) INGOT_TRY(require_dims(c, i, state));
  INGOT_TRY(require_dims(c, 7, {directions, hidden * 3}));
  c.set(0, dtype, batch_first ? Dims{batch, steps, directions, hidden} : Dims{steps, directions, batch, hidden});
  for (int i = 1; i < c.num_outputs(); ++i) c.set(i, dtype, state);
  return {};
}

}  // namespace

Result<void> infer_lstm(InferContext& c) { return infer_recurrent(c, 4, 3); }
Result<void> infer_gru(InferContext& c) { return infer_recurrent(c, 3, 2); }
Result<void> infer_rnn(InferContext& c) { return infer_recurrent(c, 1, 1); }

}  // namespace ingot
