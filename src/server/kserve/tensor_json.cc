#include "server/kserve/tensor_json.h"

#include <fmt/format.h>

#include <bit>
#include <boost/json.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "formats/printable.h"
#include "serving/tensor_rows.h"
#include "tensor/half.h"

namespace ingot::kserve {
namespace {

namespace json = boost::json;
static_assert(std::endian::native == std::endian::little, "the wire's tensors are little-endian");

// The leaves of nested arrays, in order.
class Leaves {
 public:
  template <class F>
  static bool each(const json::value& v, F&& take, int depth = 0) {
    if (!v.is_array()) return take(v);
    if (depth > limits::kRankMax) return false;
    for (const json::value& item : v.get_array())
      if (!each(item, take, depth + 1)) return false;
    return true;
  }
};

template <class T>
bool take_integer(const json::value& v, T& out) {
  if (v.is_int64()) {
    if (!std::in_range<T>(v.get_int64())) return false;
    out = static_cast<T>(v.get_int64());
    return true;
  }
  if (v.is_uint64()) {
    if (!std::in_range<T>(v.get_uint64())) return false;
    out = static_cast<T>(v.get_uint64());
    return true;
  }
  if (!v.is_double() || std::floor(v.get_double()) != v.get_double() || std::fabs(v.get_double()) > 9e15) return false;
  const auto whole = static_cast<int64_t>(v.get_double());
  if (!std::in_range<T>(whole)) return false;
  out = static_cast<T>(whole);
  return true;
}

bool take_number(const json::value& v, double& out) {
  if (!v.is_number()) return false;
  out = v.to_number<double>();
  return true;
}

bool take_bool(const json::value& v, bool& out) {
  if (v.is_bool()) {
    out = v.get_bool();
    return true;
  }
  int64_t number = 0;
  if (!take_integer(v, number) || (number != 0 && number != 1)) return false;
  out = number == 1;
  return true;
}

// One element; false if it is not of the type.
bool take_element(const json::value& v, Tensor& t, int64_t i) {
  double number = 0;
  switch (t.dtype()) {
    case DType::kI8: return take_integer(v, t.mutable_as<int8_t>()[i]);
    case DType::kI16: return take_integer(v, t.mutable_as<int16_t>()[i]);
    case DType::kI32: return take_integer(v, t.mutable_as<int32_t>()[i]);
    case DType::kI64: return take_integer(v, t.mutable_as<int64_t>()[i]);
    case DType::kU8: return take_integer(v, t.mutable_as<uint8_t>()[i]);
    case DType::kU16: return take_integer(v, t.mutable_as<uint16_t>()[i]);
    case DType::kU32: return take_integer(v, t.mutable_as<uint32_t>()[i]);
    case DType::kU64: return take_integer(v, t.mutable_as<uint64_t>()[i]);
    case DType::kBool: return take_bool(v, t.mutable_as<bool>()[i]);
    case DType::kString:
      if (!v.is_string()) return false;
      t.mutable_as<std::string>()[i] = v.get_string();
      return true;
    default: break;
  }
  if (!take_number(v, number)) return false;
  switch (t.dtype()) {
    case DType::kF64: t.mutable_as<double>()[i] = number; return true;
    case DType::kF32: t.mutable_as<float>()[i] = static_cast<float>(number); return true;
    case DType::kF16: t.mutable_as<uint16_t>()[i] = float_to_half(static_cast<float>(number)); return true;
    case DType::kBF16: t.mutable_as<uint16_t>()[i] = float_to_bf16(static_cast<float>(number)); return true;
    default: return false;
  }
}

Result<Tensor> strings_from_bytes(std::string_view bytes, const Shape& shape, std::string_view name) {
  Tensor t = Tensor::allocate(DType::kString, shape);
  for (int64_t i = 0; i < shape.num_elements(); ++i) {
    uint32_t size = 0;
    if (bytes.size() < sizeof size)
      return invalid("[kserve] incomplete string length indicator for inference input '{}'", printable(name));
    std::memcpy(&size, bytes.data(), sizeof size);
    bytes.remove_prefix(sizeof size);
    if (bytes.size() < size)
      return invalid(
          "[kserve] incomplete string data for inference input '{}', expecting a string of {} bytes but {} "
          "are left",
          printable(name), size, bytes.size());
    t.mutable_as<std::string>()[i] = bytes.substr(0, size);
    bytes.remove_prefix(size);
  }
  if (!bytes.empty())
    return invalid("[kserve] input '{}': {} bytes follow its {} strings", printable(name), bytes.size(),
                   shape.num_elements());
  return t;
}

void append_number(std::string& out, double v) {
  if (std::isfinite(v))
    fmt::format_to(std::back_inserter(out), "{}", v);
  else
    out += "null";
}

template <class T, class F>
void append_all(std::string& out, const TensorView& t, F append) {
  const T* data = t.as<T>();
  for (int64_t i = 0, n = t.num_elements(); i < n; ++i) {
    if (i > 0) out += ',';
    append(data[i]);
  }
}

}  // namespace

Result<Tensor> tensor_from_json(const json::value& data, DType dtype, const Shape& shape, std::string_view name) {
  // Counted first: a shape may claim more than was sent.
  const int64_t wanted = shape.num_elements();
  int64_t count = 0;
  if (!data.is_array() || !Leaves::each(data, [&](const json::value&) { return ++count <= wanted; }) || count != wanted)
    return invalid("[kserve] input '{}': shape {} needs {} elements of 'data' in arrays, {}{} are given",
                   printable(name), shape.to_string(), wanted, count > wanted ? "more than " : "",
                   std::min(count, wanted));
  Tensor t = Tensor::allocate(dtype, shape);
  int64_t i = 0;
  if (!Leaves::each(data, [&](const json::value& v) { return take_element(v, t, i) && (++i, true); }))
    return invalid("[kserve] input '{}': element {} of 'data' is not of type {}", printable(name), i,
                   dtype_name(dtype));
  return t;
}

Result<Tensor> tensor_from_bytes(std::string_view bytes, DType dtype, const Shape& shape, std::string_view name) {
  if (dtype == DType::kString) {
    if (static_cast<uint64_t>(shape.num_elements()) > bytes.size() / 4)
      return invalid("[kserve] input '{}': {} bytes cannot hold {} strings", printable(name), bytes.size(),
                     shape.num_elements());
    return strings_from_bytes(bytes, shape, name);
  }
  const size_t wanted = dtype_bytes(dtype, shape.num_elements());
  if (bytes.size() != wanted)
    return invalid("[kserve] input '{}': shape {} of {} needs {} bytes, {} are given", printable(name),
                   shape.to_string(), dtype_name(dtype), wanted, bytes.size());
  Tensor t = serving::allocate_uncleared(dtype, shape);
  std::memcpy(t.mutable_as<std::byte>(), bytes.data(), bytes.size());
  normalize_bools(t);
  return t;
}

void normalize_bools(Tensor& t) {
  if (t.dtype() != DType::kBool) return;
  for (int64_t i = 0, n = t.shape().num_elements(); i < n; ++i) t.mutable_as<uint8_t>()[i] = t.as<uint8_t>()[i] != 0;
}

void append_json(std::string& out, const TensorView& t) {
  const auto number = [&](auto v) { append_number(out, static_cast<double>(v)); };
  const auto floating = [&](float v) {
    if (std::isfinite(v))
      fmt::format_to(std::back_inserter(out), "{}", v);
    else
      out += "null";
  };
  const auto integer = [&](auto v) { fmt::format_to(std::back_inserter(out), "{}", v); };
  out += '[';
  switch (t.dtype) {
    case DType::kF32: append_all<float>(out, t, floating); break;
    case DType::kF64: append_all<double>(out, t, number); break;
    case DType::kF16: append_all<uint16_t>(out, t, [&](uint16_t v) { floating(half_to_float(v)); }); break;
    case DType::kBF16: append_all<uint16_t>(out, t, [&](uint16_t v) { floating(bf16_to_float(v)); }); break;
    case DType::kI8: append_all<int8_t>(out, t, [&](int8_t v) { integer(int{v}); }); break;
    case DType::kI16: append_all<int16_t>(out, t, integer); break;
    case DType::kI32: append_all<int32_t>(out, t, integer); break;
    case DType::kI64: append_all<int64_t>(out, t, integer); break;
    case DType::kU8: append_all<uint8_t>(out, t, [&](uint8_t v) { integer(int{v}); }); break;
    case DType::kU16: append_all<uint16_t>(out, t, integer); break;
    case DType::kU32: append_all<uint32_t>(out, t, integer); break;
    case DType::kU64: append_all<uint64_t>(out, t, integer); break;
    case DType::kBool: append_all<uint8_t>(out, t, [&](uint8_t v) { out += v ? "true" : "false"; }); break;
    case DType::kString:
      append_all<std::string>(out, t,
                              [&](const std::string& v) { out += json::serialize(json::string(valid_utf8(v))); });
      break;
    default: break;
  }
  out += ']';
}

std::string string_bytes(const TensorView& t) {
  std::string out;
  for (int64_t i = 0, n = t.num_elements(); i < n; ++i) {
    const std::string& s = t.as<std::string>()[i];
    const auto size = static_cast<uint32_t>(s.size());
    out.append(reinterpret_cast<const char*>(&size), sizeof size).append(s);
  }
  return out;
}

}  // namespace ingot::kserve
