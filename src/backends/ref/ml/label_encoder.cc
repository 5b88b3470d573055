// LabelEncoder: every element looked up in a table of keys; one that is not there becomes the default.
#include <bit>
#include <cmath>
#include <unordered_map>

#include "backends/ref/kernels.h"
#include "backends/ref/ml/scores.h"
#include "backends/ref/prepare.h"

namespace ingot {
namespace {

// Keys of either kind -> place in the list of values. The last of equal keys counts.
struct Table {
  std::unordered_map<std::string, int64_t> strings;
  std::unordered_map<uint64_t, int64_t> numbers;
};

// One code a value: a float by its bits, where all NaN are one and so are the two zeros.
uint64_t code_of(const TensorView& t, int64_t i) {
  if (t.dtype == DType::kI64) return static_cast<uint64_t>(t.as<int64_t>()[i]);
  const double v = number_at(t, i);
  if (!is_float(t.dtype)) return static_cast<uint64_t>(static_cast<int64_t>(v));
  return std::bit_cast<uint64_t>(std::isnan(v) ? static_cast<double>(NAN) : v == 0 ? 0.0 : v);
}

bool is_key(DType t) {
  return is_float(t) || t == DType::kI64 || t == DType::kI32 || t == DType::kI16 || t == DType::kI8;
}

template <class T>
TensorView view_of(const std::vector<T>& list, DType dtype) {
  return {dtype, Shape{static_cast<int64_t>(list.size())}, list.data()};
}

// The list or tensor that plays `role`: keys or values.
TensorView role_of(const Attributes& a, const std::string& role) {
  if (a.has(role + "_strings")) return view_of(a.strings(role + "_strings"), DType::kString);
  if (a.has(role + "_int64s")) return view_of(a.ints(role + "_int64s"), DType::kI64);
  if (a.has(role + "_floats")) return view_of(a.floats(role + "_floats"), DType::kF32);
  return a.tensor(role + "_tensor")->view();
}

template <class T>
T default_of(const Attributes& a) {
  if (const Tensor* t = a.tensor("default_tensor")) return *t->as<T>();
  if constexpr (std::is_same_v<T, std::string>)
    return a.get_string("default_string", "_Unused");
  else if constexpr (kIsFloating<T>)
    return static_cast<T>(a.get_float("default_float", -0.0f));
  else
    return static_cast<T>(a.get_int("default_int64", -1));
}

}  // namespace

Result<RefState> prepare_label_encoder(const NodeView& v) {
  const TensorView keys = role_of(v.node.attributes, "keys");
  if (keys.dtype != DType::kString && !is_key(keys.dtype))
    return invalid("[ref] LabelEncoder '{}': keys of type {}", v.node.name, dtype_name(keys.dtype));
  auto table = std::make_shared<Table>();
  for (int64_t i = 0; i < keys.num_elements(); ++i)
    if (keys.dtype == DType::kString)
      table->strings[keys.as<std::string>()[i]] = i;
    else
      table->numbers[code_of(keys, i)] = i;
  return RefState{std::move(table)};
}

void ref_LabelEncoder(KernelContext& c) {
  const Table& table = *static_cast<const Table*>(c.prepared);
  const TensorView &x = c.in(0), values = role_of(c.node.attributes, "values");
  const auto find = [&](int64_t i) -> int64_t {
    if (x.dtype == DType::kString) {
      const auto it = table.strings.find(x.as<std::string>()[i]);
      return it == table.strings.end() ? -1 : it->second;
    }
    const auto it = table.numbers.find(code_of(x, i));
    return it == table.numbers.end() ? -1 : it->second;
  };
  const auto run = [&]<class T>() {
    const T otherwise = default_of<T>(c.node.attributes);
    for (int64_t i = 0; i < x.num_elements(); ++i) {
      const int64_t at = find(i);
      c.out(0).as<T>()[i] = at < 0 ? otherwise : values.as<T>()[at];
    }
  };
  if (values.dtype == DType::kString) return run.operator()<std::string>();
  dispatch_number(c, values.dtype, run);
}

}  // namespace ingot
