#include "cli/infer/image_input.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "backends/evaluate.h"
#include "backends/ref/ref.h"
#include "base/mapped_file.h"
#include "base/memory.h"
#include "formats/printable.h"

namespace ingot::cli {
namespace {

// Where the input's type has its channels, rows and columns; -1: no channels there.
struct Layout {
  bool batched = false, channels_first = false;
  Dim channels = 3, height, width;
};

std::optional<Layout> layout_of(const Type& t) {
  if (!t.ranked() || t.rank() < 3 || t.rank() > 4) return std::nullopt;
  const Dims& d = *t.dims;
  Layout out{.batched = t.rank() == 4};
  const size_t first = out.batched;
  const auto is_channels = [](const Dim& dim) { return dim.is_const(1) || dim.is_const(3); };
  if (out.batched && d[0].is_const() && !d[0].is_const(1)) return std::nullopt;
  out.channels_first = is_channels(d[first]);
  if (!out.channels_first && !is_channels(d[first + 2])) return std::nullopt;
  out.channels = d[out.channels_first ? first : first + 2];
  out.height = d[out.channels_first ? first + 1 : first];
  out.width = d[out.channels_first ? first + 2 : first + 1];
  return out;
}

// Operators, one after the other, on the reference backend.
class Steps {
 public:
  explicit Steps(Tensor x) : x_(std::move(x)) {}

  Result<void> apply(Op op, std::vector<Tensor> others = {}, Attributes attributes = {}) {
    others.insert(others.begin(), x_);
    Node node{.op = op, .name = "image", .outputs = {ValueId{0}}, .attributes = std::move(attributes)};
    for (const Tensor& t : others) node.inputs.push_back(t.defined() ? ValueId{0} : kNoValue);
    x_ = INGOT_TRY(evaluate_node(ref_backend(), node, others))[0];
    return {};
  }
  const Tensor& result() const { return x_; }

 private:
  Tensor x_;
};

template <class T>
Tensor list_of(DType dtype, std::initializer_list<T> values) {
  Tensor t = Tensor::allocate(dtype, Shape{static_cast<int64_t>(values.size())});
  std::ranges::copy(values, t.mutable_as<T>());
  return t;
}

int64_t size_or(const Dim& wanted, int64_t own) { return wanted.is_const() ? wanted.value() : own; }

Result<Tensor> bytes_of(const std::string& path) {
  const auto file = INGOT_TRY(MappedFile::open(path));
  Tensor t = Tensor::allocate(DType::kU8, Shape{static_cast<int64_t>(file->bytes().size())});
  if (!file->bytes().empty()) std::memcpy(t.mutable_as<std::byte>(), file->bytes().data(), file->bytes().size());
  return t;
}

}  // namespace

bool is_image_file(const std::string& path) {
  static constexpr std::string_view kEndings[] = {".png", ".jpg",  ".jpeg", ".bmp", ".webp",
                                                  ".tif", ".tiff", ".jp2",  ".ppm", ".pgm"};
  return std::ranges::find(kEndings, std::filesystem::path(path).extension().string()) != std::end(kEndings);
}

Result<Tensor> read_image(const std::string& path, const Value& input, const ImageScaling& scaling) {
  const auto layout = layout_of(input.type);
  const DType dtype = input.type.dtype;
  const bool is_bytes = dtype == DType::kU8;
  if (!layout || (!is_bytes && !is_float(dtype)))
    return invalid("[infer] input '{}' is {}: an image goes into one like f32[1,3,H,W] or u8[H,W,3]; give a .npy",
                   printable(input.name), input.type.to_string());
  Steps steps(INGOT_TRY(bytes_of(path)));
  const bool gray = layout->channels.is_const(1);
  if (auto ok = steps.apply(Op::kImageDecoder, {}, {{"pixel_format", std::string(gray ? "Grayscale" : "RGB")}}); !ok)
    return std::unexpected(ok.error().with_context(path));
  const Shape own = steps.result().shape();
  const int64_t height = size_or(layout->height, own[0]), width = size_or(layout->width, own[1]);
  const double pixels = static_cast<double>(height) * static_cast<double>(width);
  INGOT_TRY(check_memory("the image", 3 * sizeof(float) * 3 * pixels, "give a .npy"));
  INGOT_TRY(steps.apply(Op::kCast, {}, {{"to", std::string("f32")}}));
  if (height != own[0] || width != own[1])
    INGOT_TRY(steps.apply(Op::kResize, {Tensor(), Tensor(), list_of<int64_t>(DType::kI64, {height, width})},
                          {{"mode", std::string("linear")},
                           {"antialias", int64_t{1}},
                           {"axes", std::vector<int64_t>{0, 1}},
                           {"coordinate_transformation_mode", std::string("half_pixel")}}));
  if (is_bytes) {
    INGOT_TRY(steps.apply(Op::kRound));
  } else {
    const auto& [m, d] = scaling;
    const auto channels = [&](float r, float g, float b) {
      return gray ? list_of<float>(DType::kF32, {r}) : list_of<float>(DType::kF32, {r, g, b});
    };
    INGOT_TRY(steps.apply(Op::kSub, {channels(255 * m[0], 255 * m[1], 255 * m[2])}));
    INGOT_TRY(steps.apply(Op::kDiv, {channels(255 * d[0], 255 * d[1], 255 * d[2])}));
  }
  if (dtype != DType::kF32) INGOT_TRY(steps.apply(Op::kCast, {}, {{"to", std::string(dtype_name(dtype))}}));
  if (layout->channels_first) INGOT_TRY(steps.apply(Op::kTranspose, {}, {{"perm", std::vector<int64_t>{2, 0, 1}}}));
  if (layout->batched) INGOT_TRY(steps.apply(Op::kUnsqueeze, {list_of<int64_t>(DType::kI64, {0})}));
  return steps.result();
}

}  // namespace ingot::cli
