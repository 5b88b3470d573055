// ZipMap, DictVectorizer, CastMap. A map is two tensors, keys and values, side by side (dtypes.def); its keys are in
// ascending order, as ONNX Runtime hands maps out.
#include <algorithm>
#include <numeric>

#include "backends/ref/dispatch.h"
#include "backends/ref/elementwise/number.h"
#include "backends/ref/kernels.h"
#include "base/memory.h"
#include "tensor/number_at.h"

namespace ingot {
namespace {

const TensorView& keys_of(const TensorView& map) { return map.as<Tensor>()[0].view(); }
const TensorView& values_of(const TensorView& map) { return map.as<Tensor>()[1].view(); }

bool is_map(KernelContext& c, const TensorView& x) {
  if (x.num_elements() == 2 && keys_of(x).num_elements() == values_of(x).num_elements()) return true;
  invalid_data(c, "the map's keys and values differ in number");
  return false;
}

}  // namespace

// Every row of scores [N,C] becomes a map from the node's class labels.
void ref_ZipMap(KernelContext& c) {
  const TensorView& x = c.in(0);
  const auto& strings = c.node.attributes.strings("classlabels_strings");
  const auto& ints = c.node.attributes.ints("classlabels_ints");
  const bool text = !strings.empty();
  const int64_t classes = static_cast<int64_t>(text ? strings.size() : ints.size()),
                rows = x.shape.rank() == 2 ? x.shape[0] : 1;
  if (rows * classes != x.num_elements())
    return invalid_data(c, fmt::format("{} labels for {}", classes, x.shape.to_string()));
  if (rows > limits::kSequenceElementsMax)
    return invalid_data(c, fmt::format("a sequence of {} maps, the limit is {}", rows, limits::kSequenceElementsMax));
  const auto bytes = static_cast<double>(rows) * static_cast<double>(3 * sizeof(Tensor) + classes * sizeof(float));
  if (const auto ok = check_memory_if_large("the maps of ZipMap", bytes, "give fewer rows"); !ok)
    return c.fail(ok.error());
  std::vector<size_t> order(static_cast<size_t>(classes));
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&](size_t a, size_t b) { return text ? strings[a] < strings[b] : ints[a] < ints[b]; });
  Tensor keys = Tensor::allocate(text ? DType::kString : DType::kI64, Shape{classes});
  for (size_t k = 0; k < order.size(); ++k)
    if (text)
      keys.mutable_as<std::string>()[k] = strings[order[k]];
    else
      keys.mutable_as<int64_t>()[k] = ints[order[k]];
  c.allocate_output(0, Shape{rows});
  if (!c.has_output(0)) return;  // no memory
  for (int64_t r = 0; r < rows; ++r) {
    Tensor map = Tensor::allocate(DType::kMap, Shape{2}), values = Tensor::allocate(DType::kF32, Shape{classes});
    for (size_t k = 0; k < order.size(); ++k)
      values.mutable_as<float>()[k] = x.as<float>()[r * classes + static_cast<int64_t>(order[k])];
    map.mutable_as<Tensor>()[0] = keys;
    map.mutable_as<Tensor>()[1] = std::move(values);
    c.out(0).as<Tensor>()[r] = std::move(map);
  }
}

// The value of every word of the vocabulary, or nothing: 0 or an empty string.
void ref_DictVectorizer(KernelContext& c) {
  const TensorView& x = c.in(0);
  if (!is_map(c, x)) return;
  const TensorView &keys = keys_of(x), &values = values_of(x);
  const auto& strings = c.node.attributes.strings("string_vocabulary");
  const auto& ints = c.node.attributes.ints("int64_vocabulary");
  const bool text = keys.dtype == DType::kString;
  const size_t words = text ? strings.size() : ints.size();
  dispatch_moved(c, values.dtype, [&]<class T>() {
    for (size_t w = 0; w < words; ++w) {
      T found{};
      for (int64_t i = 0; i < keys.num_elements(); ++i)
        if (text ? keys.as<std::string>()[i] == strings[w] : keys.as<int64_t>()[i] == ints[w])
          found = values.as<T>()[i];
      c.out(0).as<T>()[w] = found;
    }
  });
}

namespace {

// False where a text spells no number.
bool cast_value(const TensorView& values, int64_t i, const TensorRef& y, int64_t to) {
  const bool text = values.dtype == DType::kString;
  if (y.dtype == DType::kString) {
    y.as<std::string>()[to] = text ? values.as<std::string>()[i] : fmt::format("{:f}", number_at(values, i));
    return true;
  }
  const auto number =
      text ? number_of(values.as<std::string>()[i], y.dtype == DType::kI64) : std::optional(load_number(values, i));
  if (number) store_number(y, to, *number, true);
  return number.has_value();
}

}  // namespace

// The values by ascending key, [1,n]; SPARSE: each at its key, of max_map places.
void ref_CastMap(KernelContext& c) {
  const TensorView& x = c.in(0);
  if (!is_map(c, x)) return;
  const TensorView &keys = keys_of(x), &values = values_of(x);
  const bool sparse = c.node.attributes.get_string("map_form", "DENSE") == "SPARSE";
  const int64_t n = keys.num_elements(), size = sparse ? c.node.attributes.get_int("max_map", 1) : n;
  if (size > limits::kSparseElementsMax)
    return invalid_data(c, fmt::format("max_map {} is over the limit {}", size, limits::kSparseElementsMax));
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](int64_t i) { return keys.as<int64_t>()[i]; });
  c.allocate_output(0, Shape{1, size});
  if (!c.has_output(0)) return;  // no memory
  const TensorRef& y = c.out(0);
  for (int64_t i = 0; i < size && sparse; ++i) {
    if (y.dtype == DType::kString)
      y.as<std::string>()[i] = "0.f";
    else if (y.dtype == DType::kF32)
      y.as<float>()[i] = 0;
    else
      y.as<int64_t>()[i] = 0;
  }
  for (int64_t i = 0; i < n; ++i) {
    const int64_t from = order[static_cast<size_t>(i)], to = sparse ? keys.as<int64_t>()[from] : i;
    if (to < 0 || to >= size) return invalid_data(c, fmt::format("key {} is not in [0, {})", to, size));
    if (!cast_value(values, from, y, to))
      return invalid_data(c, fmt::format("'{}' is not a number", values.as<std::string>()[from].substr(0, 40)));
  }
}

}  // namespace ingot
