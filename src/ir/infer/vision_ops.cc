// Inference of the ops of image models: regions of interest, sampling grids, boxes, unpooling.
#include <algorithm>

#include "ir/infer/checks.h"
#include "ir/window.h"

namespace ingot {
namespace {

constexpr int64_t kPooledSizeMax = 1 << 16;

// Sizes that operand i lists, as many as `count`; unknown ones if they are not known.
Result<Dims> listed_sizes(InferContext& c, int i, size_t count) {
  const auto given = c.elements(i);
  if (!given) return Dims(count, Dim::unknown());
  if (given->size() != count) return c.fail("operand {} has {} sizes, not {}", i, given->size(), count);
  for (const Dim& d : *given)
    if (d.is_const() && (d.value() < 0 || d.value() > INT32_MAX)) return c.fail("operand {} has size {}", i, d.value());
  return *given;
}

}  // namespace

// (boxes f32[B,N,4], scores f32[B,C,N], max i64?, iou f32?, score f32?) -> i64[?,3]
Result<void> infer_non_max_suppression(InferContext& c) {
  for (int i : {0, 1, 3, 4}) INGOT_TRY(require_dtype(c, i, DType::kF32));
  INGOT_TRY(require_dtype(c, 2, DType::kI64));
  for (int i : {2, 3, 4}) INGOT_TRY(require_elements(c, i, 1));
  for (int i : {0, 1}) INGOT_TRY(require_rank(c, i, 3));
  INGOT_TRY(require_range(c, "center_point_box", 0, 1, 0));
  if (c.ranked(0)) {
    INGOT_TRY(require_dims(c, 0, {c.dims(0)[0], c.dims(0)[1], 4}));
    if (c.ranked(1)) INGOT_TRY(require_dims(c, 1, {c.dims(0)[0], c.dims(1)[1], c.dims(0)[1]}));
  }
  c.set(0, DType::kI64, {Dim::unknown(), 3});
  return {};
}

// (x [N,C,H,W], rois [R,4], image i64[R]) -> [R,C,h,w]
Result<void> infer_roi_align(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_float(c, 0));
  INGOT_TRY(require_dtype(c, 1, dtype));
  INGOT_TRY(require_dtype(c, 2, DType::kI64));
  for (std::string_view name : {"output_height", "output_width"})
    INGOT_TRY(require_range(c, name, 1, kPooledSizeMax, 1));
  INGOT_TRY(require_range(c, "sampling_ratio", 0, 256, 0));
  INGOT_TRY(require_choice(c, "mode", "avg|max", "avg"));
  INGOT_TRY(require_choice(c, "coordinate_transformation_mode", "half_pixel|output_half_pixel", "half_pixel"));
  for (auto [i, rank] : {std::pair(0, 4), {1, 2}, {2, 1}}) INGOT_TRY(require_rank(c, i, rank));
  if (!all_ranked(c, 0, 3)) return c.set_unranked(0, dtype), Result<void>{};
  INGOT_TRY(require_dims(c, 1, {c.dims(2)[0], 4}));
  for (size_t i : {2, 3})
    if (c.dims(0)[i].is_const(0)) return c.fail("nothing to pool in {}", c.type(0).to_string());
  c.set(0, dtype,
        {c.dims(2)[0], c.dims(0)[1], c.attributes().get_int("output_height", 1),
         c.attributes().get_int("output_width", 1)});
  return {};
}

// (x [N,C,H,W], rois [R,5]) -> [R,C,h,w]
Result<void> infer_max_roi_pool(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_float(c, 0));
  INGOT_TRY(require_dtype(c, 1, dtype));
  const auto pooled = c.attributes().get_ints("pooled_shape");
  if (pooled.size() != 2) return c.fail("pooled_shape has {} entries, not 2", pooled.size());
  for (int64_t p : pooled)
    if (p < 1 || p > kPooledSizeMax) return c.fail("pooled_shape contains {}", p);
  for (auto [i, rank] : {std::pair(0, 4), {1, 2}}) INGOT_TRY(require_rank(c, i, rank));
  if (!all_ranked(c, 0, 2)) return c.set_unranked(0, dtype), Result<void>{};
  INGOT_TRY(require_dims(c, 1, {c.dims(1)[0], 5}));
  c.set(0, dtype, {c.dims(1)[0], c.dims(0)[1], pooled[0], pooled[1]});
  return {};
}

// (x [N,C,spatial…], grid [N,out…,spatial rank]) -> [N,C,out…]
Result<void> infer_grid_sample(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  if (dtype == DType::kString || dtype == DType::kC64 || dtype == DType::kC128)
    return c.fail("{} cannot be interpolated", dtype_name(dtype));
  INGOT_TRY(require_float(c, 1));
  INGOT_TRY(require_choice(c, "mode", "linear|nearest|cubic", "linear"));
  INGOT_TRY(require_choice(c, "padding_mode", "zeros|border|reflection", "zeros"));
  if (!all_ranked(c, 0, 2)) return c.set_unranked(0, dtype), Result<void>{};
  INGOT_TRY(require_rank_min(c, 0, 3));
  INGOT_TRY(require_rank(c, 1, c.rank(0)));
  Dims grid = c.dims(1);
  grid.front() = c.dims(0)[0];
  grid.back() = c.rank(0) - 2;
  INGOT_TRY(require_dims(c, 1, grid));
  Dims out{c.dims(0)[0], c.dims(0)[1]};
  out.insert(out.end(), c.dims(1).begin() + 1, c.dims(1).end() - 1);
  for (size_t i = 2; i < c.dims(0).size(); ++i)
    if (c.dims(0)[i].is_const(0)) return c.fail("nothing to sample in {}", c.type(0).to_string());
  c.set(0, dtype, std::move(out));
  return {};
}

// (theta [N,2,3] or [N,3,4], size i64[4 or 5]) -> [N,spatial…,2 or 3]
Result<void> infer_affine_grid(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_float(c, 0));
  INGOT_TRY(require_index_list(c, 1));
  INGOT_TRY(require_rank(c, 0, 3));
  if (!c.ranked(0) || !c.dims(0)[1].is_const()) return c.set_unranked(0, dtype), Result<void>{};
  const int64_t rank = c.dims(0)[1].value();
  if (rank != 2 && rank != 3) return c.fail("theta is {}, not [N,2,3] or [N,3,4]", c.type(0).to_string());
  INGOT_TRY(require_dims(c, 0, {c.dims(0)[0], rank, rank + 1}));
  const Dims sizes = INGOT_TRY(listed_sizes(c, 1, static_cast<size_t>(rank) + 2));
  if (!agree(sizes[0], c.dims(0)[0]))
    return c.fail("size is of {} images, theta of {}", sizes[0].to_string(), c.dims(0)[0].to_string());
  Dims out{c.dims(0)[0]};
  out.insert(out.end(), sizes.begin() + 2, sizes.end());
  out.push_back(rank);
  c.set(0, dtype, std::move(out));
  return {};
}

// (x [N,C*blocks,L], image_shape, block_shape) -> [N,C,image…]
Result<void> infer_col2im(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  if (dtype == DType::kString || dtype == DType::kC64 || dtype == DType::kC128)
    return c.fail("operand 0 is {}", c.type(0).to_string());
  for (int i : {1, 2}) INGOT_TRY(require_index_list(c, i));
  INGOT_TRY(require_rank(c, 0, 3));
  if (!all_ranked(c, 0, 3)) return c.set_unranked(0, dtype), Result<void>{};
  for (int i : {1, 2}) INGOT_TRY(require_rank(c, i, 1));
  const auto image = c.elements(1), block = c.elements(2);
  if (!image || !block) return c.set_unranked(0, dtype), Result<void>{};
  const Dims sizes = INGOT_TRY(listed_sizes(c, 1, block->size()));
  std::vector<int64_t> kernel;
  for (const Dim& d : *block) {
    if (!d.is_const()) return c.set_unranked(0, dtype), Result<void>{};
    kernel.push_back(d.value());
  }
  if (kernel.empty() || kernel.size() + 2 > limits::kRankMax)
    return c.fail("block_shape has {} entries", kernel.size());
  const int rank = static_cast<int>(kernel.size());
  auto w = parse_window(c.attributes(), rank, std::move(kernel));
  if (!w) return c.fail("{}", w.error().message());
  Dim blocks = 1, positions = 1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const Dim along = w->output_size(i, sizes[i]);
    if (along.is_const() && along.value() < 0)
      return c.fail("a block of {} in {} pixels", w->extent(i), sizes[i].to_string());
    positions = positions * along;
    blocks = blocks * w->kernel[i];
  }
  INGOT_TRY(require_dims(c, 0, {c.dims(0)[0], c.dims(0)[1], positions}));
  const Dim channels = floor_div(c.dims(0)[1], blocks);
  INGOT_TRY(require_dims(c, 0, {c.dims(0)[0], channels * blocks, positions}));
  Dims out{c.dims(0)[0], channels};
  out.insert(out.end(), sizes.begin(), sizes.end());
  c.set(0, dtype, std::move(out));
  return {};
}

// (x [N,C,H,W], w [M,C/group,h,w], offset [N,2*h*w*offset_group,oH,oW], bias? [M], mask? [N,h*w*offset_group,oH,oW])
Result<void> infer_deform_conv(InferContext& c) {
  const Attributes& a = c.attributes();
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_float(c, 0));
  for (int i = 1; i < 5; ++i) INGOT_TRY(require_dtype(c, i, dtype));
  for (int i : {0, 1, 2, 4}) INGOT_TRY(require_rank(c, i, 4));
  if (!all_ranked(c, 0, 5)) return c.set_unranked(0, dtype), Result<void>{};
  for (std::string_view name : {"group", "offset_group"}) INGOT_TRY(require_range(c, name, 1, INT32_MAX, 1));
  const int64_t group = a.get_int("group", 1), offset_group = a.get_int("offset_group", 1);
  const Dims &x = c.dims(0), &weight = c.dims(1);
  if (!weight[2].is_const() || !weight[3].is_const() || !weight[0].is_const() || !x[1].is_const())
    return c.set(0, dtype, {x[0], weight[0], Dim::unknown(), Dim::unknown()}), Result<void>{};
  if (weight[0].value() % group || x[1].value() % offset_group)
    return c.fail("{} and {} do not divide into {} and {} groups", c.type(1).to_string(), c.type(0).to_string(), group,
                  offset_group);
  INGOT_TRY(require_dims(c, 1, {weight[0], floor_div(x[1], group), weight[2], weight[3]}));
  INGOT_TRY(require_dims(c, 0, {x[0], weight[1] * group, x[2], x[3]}));
  auto w = parse_window(a, 2, {weight[2].value(), weight[3].value()});
  if (!w) return c.fail("{}", w.error().message());
  const Dim height = w->output_size(0, x[2]), width = w->output_size(1, x[3]);
  const Dim taps = weight[2] * weight[3] * offset_group;
  INGOT_TRY(require_dims(c, 2, {x[0], taps * 2, height, width}));
  INGOT_TRY(require_dims(c, 3, {weight[0]}));
  INGOT_TRY(require_dims(c, 4, {x[0], taps, height, width}));
  c.set(0, dtype, {x[0], weight[0], height, width});
  return {};
}

// (x [N,C,…], indices i64 like x, output_shape? i64)
Result<void> infer_max_unpool(InferContext& c) {
  const DType dtype = c.type(0).dtype;
  INGOT_TRY(require_dtype(c, 1, DType::kI64));
  INGOT_TRY(require_index_list(c, 2));
  if (!c.ranked(0)) return c.set_unranked(0, dtype), Result<void>{};
  INGOT_TRY(require_rank_min(c, 0, 3));
  INGOT_TRY(require_dims(c, 1, c.dims(0)));
  auto w = parse_window(c.attributes(), c.rank(0) - 2, {});
  if (!w) return c.fail("{}", w.error().message());
  Type out = c.type(0);
  for (size_t i = 0; i < w->kernel.size(); ++i)
    (*out.dims)[i + 2] =
        ((*out.dims)[i + 2] - Dim(1)) * w->strides[i] + Dim(w->kernel[i] - w->pads_begin[i] - w->pads_end[i]);
  if (const std::string problem = out.find_problem(); !problem.empty()) return c.fail("{}", problem);
  if (c.has_input(2)) out.dims = INGOT_TRY(listed_sizes(c, 2, out.dims->size()));
  c.set(0, std::move(out));
  return {};
}

// (x, shape i64[axes])
Result<void> infer_center_crop_pad(InferContext& c) {
  INGOT_TRY(require_index_list(c, 1));
  if (!c.ranked(0)) return c.set_unranked(0, c.type(0).dtype), Result<void>{};
  Dims out = c.dims(0);
  std::vector<size_t> axes = INGOT_TRY(listed_axes(c));
  if (!c.attributes().has("axes"))
    for (size_t i = 0; i < out.size(); ++i) axes.push_back(i);
  const Dims sizes = INGOT_TRY(listed_sizes(c, 1, axes.size()));
  for (size_t i = 0; i < axes.size(); ++i) out[axes[i]] = sizes[i];
  c.set(0, c.type(0).dtype, std::move(out));
  return {};
}

}  // namespace ingot
