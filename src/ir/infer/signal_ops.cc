// Inference of DFT, STFT, window functions, MelWeightMatrix.
#include "ir/infer/checks.h"

namespace ingot {
namespace {

// The only element of an integer scalar, if it is known and a number.
std::optional<int64_t> known_scalar(const InferContext& c, int i) {
  const auto e = c.elements(i);
  if (!e || e->size() != 1 || !(*e)[0].is_const()) return std::nullopt;
  return (*e)[0].value();
}

Result<void> require_scalar(InferContext& c, int i) {
  INGOT_TRY(require_index(c, i));
  return require_elements(c, i, 1);
}

Result<void> check_length(InferContext& c, std::string_view what, const std::optional<int64_t>& n) {
  if (n && (*n < 1 || *n > INT32_MAX)) return c.fail("{} is {}", what, *n);
  return {};
}

Result<DType> named_dtype(InferContext& c) {
  const auto dtype = dtype_from_name(c.attributes().get_string("output_dtype", "f32"));
  if (dtype && (is_float(*dtype) || (*dtype >= DType::kI8 && *dtype <= DType::kU64))) return *dtype;
  return c.fail("output_dtype '{}' is not a number type", c.attributes().get_string("output_dtype"));
}

}  // namespace

// (x […,1 or 2], length? scalar, axis? i64 scalar = -2)
Result<void> infer_dft(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_float(c, 0));
  for (int i : {1, 2}) INGOT_TRY(require_scalar(c, i));
  const bool inverse = c.attributes().get_int("inverse") != 0, onesided = c.attributes().get_int("onesided") != 0;
  if (!c.ranked(0)) return c.set_unranked(0, dtype), Result<void>{};
  INGOT_TRY(require_rank_min(c, 0, 2));
  const Dim& parts = c.dims(0).back();
  if (parts.is_const() && parts.value() != 1 && parts.value() != 2)
    return c.fail("{} has neither real nor complex elements", c.type(0).to_string());
  Dims out = c.dims(0);
  out.back() = inverse && onesided ? 1 : 2;
  const auto axis_given = c.has_input(2) ? known_scalar(c, 2) : std::optional<int64_t>(-2);
  const auto length_given = c.has_input(1) ? known_scalar(c, 1) : std::nullopt;
  INGOT_TRY(check_length(c, "dft_length", length_given));
  if (!axis_given) {
    for (size_t i = 0; i + 1 < out.size(); ++i) out[i] = Dim::unknown();
    return c.set(0, dtype, std::move(out)), Result<void>{};
  }
  auto axis = normalize_axis(*axis_given, c.rank(0));
  if (!axis) return c.fail("{}", axis.error().message());
  if (*axis == c.rank(0) - 1) return c.fail("axis {} holds real and imaginary parts", *axis);
  Dim& n = out[static_cast<size_t>(*axis)];
  if (c.has_input(1))
    n = length_given ? Dim(*length_given) : Dim::unknown();
  else if (inverse && onesided)
    n = (n - Dim(1)) * 2;
  if (n.is_const() && n.value() < 1)
    return c.fail("the transform of {} has length {}", c.type(0).to_string(), n.value());
  if (onesided && !inverse) n = floor_div(n, 2) + Dim(1);
  c.set(0, dtype, std::move(out));
  return {};
}

// (signal [B,L,1 or 2], frame_step scalar, window? [frame_length], frame_length? scalar) -> [B,frames,bins,2]
Result<void> infer_stft(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_float(c, 0));
  INGOT_TRY(require_dtype(c, 2, dtype));
  for (int i : {1, 3}) INGOT_TRY(require_scalar(c, i));
  INGOT_TRY(require_rank(c, 0, 3));
  INGOT_TRY(require_rank(c, 2, 1));
  if (!c.ranked(0) || (c.has_input(2) && !c.ranked(2))) return c.set_unranked(0, dtype), Result<void>{};
  const Dim &signal = c.dims(0)[1], &parts = c.dims(0)[2];
  if (parts.is_const() && parts.value() != 1 && parts.value() != 2)
    return c.fail("{} has neither real nor complex elements", c.type(0).to_string());
  const auto step = known_scalar(c, 1), given = known_scalar(c, 3);
  INGOT_TRY(check_length(c, "frame_step", step));
  INGOT_TRY(check_length(c, "frame_length", given));
  const Dim length = c.has_input(3) ? (given ? Dim(*given) : Dim::unknown()) : c.has_input(2) ? c.dims(2)[0] : signal;
  if (c.has_input(2)) INGOT_TRY(require_dims(c, 2, {length}));
  if (length.is_const() && (length.value() < 1 || (signal.is_const() && length.value() > signal.value())))
    return c.fail("frames of {} in {}", length.value(), c.type(0).to_string());
  const Dim frames = step ? floor_div(signal - length, *step) + Dim(1) : Dim::unknown();
  c.set(0, dtype,
        {c.dims(0)[0], frames, c.attributes().get_int("onesided", 1) ? floor_div(length, 2) + Dim(1) : length, 2});
  return {};
}

Result<void> infer_window(InferContext& c) {
  INGOT_TRY(require_scalar(c, 0));
  const DType dtype = INGOT_TRY(named_dtype(c));
  const auto size = known_scalar(c, 0);
  if (size && (*size < 0 || *size > INT32_MAX)) return c.fail("size is {}", *size);
  c.set(0, dtype, {size ? Dim(*size) : Dim::unknown()});
  return {};
}

// Scalars: bins, dft_length, sample_rate, lower and upper edge.
Result<void> infer_mel_weights(InferContext& c) {
  for (int i : {0, 1, 2}) INGOT_TRY(require_scalar(c, i));
  for (int i : {3, 4}) {
    INGOT_TRY(require_float(c, i));
    INGOT_TRY(require_elements(c, i, 1));
  }
  const DType dtype = INGOT_TRY(named_dtype(c));
  const auto bins = known_scalar(c, 0), length = known_scalar(c, 1), rate = known_scalar(c, 2);
  INGOT_TRY(check_length(c, "num_mel_bins", bins));
  INGOT_TRY(check_length(c, "dft_length", length));
  INGOT_TRY(check_length(c, "sample_rate", rate));
  c.set(0, dtype, {length ? Dim(*length / 2 + 1) : Dim::unknown(), bins ? Dim(*bins) : Dim::unknown()});
  return {};
}

}  // namespace ingot
