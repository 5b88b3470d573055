// Operators of ai.onnx.ml that prepare features: ArrayFeatureExtractor, Binarizer, FeatureVectorizer, Imputer,
// Normalizer, OneHotEncoder, Scaler.
#include <unordered_map>

#include "backends/ref/kernels.h"
#include "backends/ref/ml/scores.h"

namespace ingot {

void ref_ArrayFeatureExtractor(KernelContext& c) {
  const TensorView &x = c.in(0), &indices = c.in(1);
  const int64_t features = x.shape.at(-1), count = indices.num_elements();
  const int64_t rows = features ? x.num_elements() / features : 0;
  for (int64_t i = 0; i < count; ++i)
    if (const int64_t at = indices.as<int64_t>()[i]; at < 0 || at >= features)
      return invalid_data(c, fmt::format("index {} is out of range for {} features", at, features));
  dispatch_moved(c, x.dtype, [&]<class T>() {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < count; ++i)
        c.out(0).as<T>()[r * count + i] = x.as<T>()[r * features + indices.as<int64_t>()[i]];
  });
}

void ref_Binarizer(KernelContext& c) {
  const float threshold = c.node.attributes.get_float("threshold");
  dispatch_number(c, c.in(0).dtype, [&]<class T>() {
    for (int64_t i = 0; i < c.in(0).num_elements(); ++i)
      c.out(0).as<T>()[i] =
          static_cast<T>(static_cast<double>(c.in(0).as<T>()[i]) > static_cast<double>(threshold) ? 1 : 0);
  });
}

// The inputs' columns side by side; inputdimensions cut them or fill them with zeros.
void ref_FeatureVectorizer(KernelContext& c) {
  const int64_t rows = c.out(0).shape[0], columns = c.out(0).shape[1];
  const auto& sizes = c.node.attributes.ints("inputdimensions");
  float* out = c.out(0).as<float>();
  std::fill_n(out, rows * columns, 0.0f);
  int64_t begin = 0;
  for (size_t k = 0; k < c.inputs.size(); ++k) {
    const ml::Rows x(c.inputs[k].shape);
    if (x.count != rows) return invalid_data(c, fmt::format("input {} has {} rows, not {}", k, x.count, rows));
    const int64_t width = sizes.empty() ? x.features : sizes[k];
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t f = 0; f < std::min(width, x.features); ++f)
        out[r * columns + begin + f] = static_cast<float>(number_at(c.inputs[k], r * x.features + f));
    begin += width;
  }
}

// Values equal to replaced_value (NaN equals NaN) become the imputed one of their column.
void ref_Imputer(KernelContext& c) {
  const TensorView& x = c.in(0);
  const Attributes& a = c.node.attributes;
  const auto run = [&]<class T, class V>(const std::vector<V>& imputed, V replaced) {
    const int64_t features = x.shape.at(-1);
    for (int64_t i = 0; i < x.num_elements(); ++i) {
      const T v = x.as<T>()[i];
      const bool hit = v == static_cast<T>(replaced) || (v != v && replaced != replaced);
      const size_t column = imputed.size() == 1 ? 0 : static_cast<size_t>(i % features);
      c.out(0).as<T>()[i] = hit ? static_cast<T>(imputed[column]) : v;
    }
  };
  const auto& floats = a.floats("imputed_value_floats");
  const auto& ints = a.ints("imputed_value_int64s");
  const size_t n = is_float(x.dtype) ? floats.size() : ints.size();
  if (n > 1 && static_cast<int64_t>(n) != x.shape.at(-1)) return invalid_data(c, "needs one value a feature");
  const float replaced_float = a.get_float("replaced_value_float");
  const int64_t replaced_int = a.get_int("replaced_value_int64");
  switch (x.dtype) {
    case DType::kF32: return run.operator()<float>(floats, replaced_float);
    case DType::kF64: return run.operator()<double>(floats, replaced_float);
    case DType::kI32: return run.operator()<int32_t>(ints, replaced_int);
    case DType::kI64: return run.operator()<int64_t>(ints, replaced_int);
    default: return unsupported_type(c, x.dtype);
  }
}

void ref_Normalizer(KernelContext& c) {
  const ml::Rows x(c.in(0).shape);
  const std::string norm = c.node.attributes.get_string("norm", "MAX");
  for (int64_t r = 0; r < x.count; ++r) {
    double size = norm == "MAX" ? -INFINITY : 0;
    for (int64_t f = 0; f < x.features; ++f) {
      const double v = number_at(c.in(0), r * x.features + f);
      size = norm == "MAX" ? std::max(size, v) : norm == "L1" ? size + std::abs(v) : size + v * v;
    }
    if (norm == "L2") size = std::sqrt(size);
    for (int64_t f = 0; f < x.features; ++f) {
      const double v = number_at(c.in(0), r * x.features + f);
      c.out(0).as<float>()[r * x.features + f] = static_cast<float>(size != 0 ? v / size : v);
    }
  }
}

// A category that is not listed becomes zeros; with zeros = 0 it is an error.
void ref_OneHotEncoder(KernelContext& c) {
  const TensorView& x = c.in(0);
  const auto& strings = c.node.attributes.strings("cats_strings");
  const auto& ints = c.node.attributes.ints("cats_int64s");
  const bool text = x.dtype == DType::kString, zeros = c.node.attributes.get_int("zeros", 1) != 0;
  std::unordered_map<std::string_view, int64_t> by_string;
  std::unordered_map<int64_t, int64_t> by_int;
  for (size_t i = 0; text && i < strings.size(); ++i) by_string[strings[i]] = static_cast<int64_t>(i);
  for (size_t i = 0; !text && i < ints.size(); ++i) by_int[ints[i]] = static_cast<int64_t>(i);
  const int64_t columns = c.out(0).shape.at(-1);
  std::fill_n(c.out(0).as<float>(), c.out(0).num_elements(), 0.0f);
  const auto find = [&](int64_t i) -> int64_t {
    if (text) {
      const auto it = by_string.find(x.as<std::string>()[i]);
      return it == by_string.end() ? -1 : it->second;
    }
    const double v = number_at(x, i);
    if (x.dtype != DType::kI64 && !(std::abs(v) < 0x1p63)) return -1;
    const auto it = by_int.find(x.dtype == DType::kI64 ? x.as<int64_t>()[i] : static_cast<int64_t>(v));
    return it == by_int.end() ? -1 : it->second;
  };
  for (int64_t i = 0; i < x.num_elements(); ++i) {
    const int64_t at = find(i);
    if (at >= 0)
      c.out(0).as<float>()[i * columns + at] = 1;
    else if (!zeros)
      return invalid_data(c, fmt::format("element {} is none of the categories", i));
  }
}

// (x - offset) scale, each one number or one a feature.
void ref_Scaler(KernelContext& c) {
  const TensorView& x = c.in(0);
  const auto &scale = c.node.attributes.floats("scales"), &offset = c.node.attributes.floats("offset");
  const int64_t features = x.shape.rank() ? x.shape.at(-1) : 1;
  for (const auto* list : {&scale, &offset})
    if (list->size() > 1 && static_cast<int64_t>(list->size()) != features)
      return invalid_data(c, fmt::format("{} numbers for {} features", list->size(), features));
  const auto pick = [&](const std::vector<float>& list, int64_t i, float otherwise) {
    return list.empty() ? otherwise : list[list.size() == 1 ? 0 : static_cast<size_t>(i % features)];
  };
  for (int64_t i = 0; i < x.num_elements(); ++i)
    c.out(0).as<float>()[i] = (static_cast<float>(number_at(x, i)) - pick(offset, i, 0)) * pick(scale, i, 1);
}

}  // namespace ingot
