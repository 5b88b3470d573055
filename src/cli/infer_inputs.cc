#include "cli/infer_inputs.h"

#include <boost/json.hpp>
#include <charconv>
#include <fstream>
#include <random>

#include "formats/npy/npy.h"
#include "tensor/half.h"

namespace ingot::cli {
namespace {

namespace json = boost::json;

constexpr int64_t kRandomElementsMax = int64_t{1} << 32;

Result<int64_t> number(std::string_view text) {
  int64_t v = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (ec != std::errc() || end != text.data() + text.size() || v < 0 || v > kRandomElementsMax)
    return invalid("[infer] '{}' is not a size", text);
  return v;
}

// "1x3x224x224"; "" is a scalar.
Result<Shape> parse_shape(std::string_view text) {
  Shape shape;
  int64_t total = 1;
  while (!text.empty()) {
    const size_t end = std::min(text.find('x'), text.size());
    if (shape.rank() == limits::kRankMax) return invalid("[infer] more than {} dimensions", limits::kRankMax);
    shape.push_back(INGOT_TRY(number(text.substr(0, end))));
    total *= std::max<int64_t>(shape.at(-1), 1);
    if (total > kRandomElementsMax) return invalid("[infer] a tensor of more than 2^32 elements");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return shape;
}

void store(Tensor& t, int64_t i, double v) {
  switch (t.dtype()) {
    case DType::kF32: t.mutable_as<float>()[i] = static_cast<float>(v); break;
    case DType::kF64: t.mutable_as<double>()[i] = v; break;
    case DType::kF16: t.mutable_as<uint16_t>()[i] = float_to_half(static_cast<float>(v)); break;
    case DType::kBF16: t.mutable_as<uint16_t>()[i] = float_to_bf16(static_cast<float>(v)); break;
    case DType::kI64:
    case DType::kU64: t.mutable_as<int64_t>()[i] = static_cast<int64_t>(v); break;
    case DType::kI32:
    case DType::kU32: t.mutable_as<int32_t>()[i] = static_cast<int32_t>(static_cast<int64_t>(v)); break;
    case DType::kI16:
    case DType::kU16: t.mutable_as<int16_t>()[i] = static_cast<int16_t>(static_cast<int64_t>(v)); break;
    default: t.mutable_as<int8_t>()[i] = static_cast<int8_t>(static_cast<int64_t>(v)); break;
  }
}

Tensor random_tensor(DType dtype, const Shape& shape, std::mt19937_64& random) {
  Tensor t = Tensor::allocate(dtype, shape);
  std::normal_distribution<double> normal;
  if (dtype == DType::kString) return t;
  for (int64_t i = 0; i < shape.num_elements(); ++i)
    store(t, i, is_float(dtype) ? normal(random) : static_cast<double>(random() & 1));
  return t;
}

// The shape of nested arrays, from their first elements.
Result<Shape> shape_of(const json::value& v) {
  Shape shape;
  for (const json::value* at = &v; at->is_array(); at = &at->get_array()[0]) {
    if (shape.rank() == limits::kRankMax) return invalid("[infer] JSON arrays nested deeper than {}", limits::kRankMax);
    shape.push_back(static_cast<int64_t>(at->get_array().size()));
    if (at->get_array().empty()) break;
  }
  return shape;
}

Result<void> fill(const json::value& v, Tensor& t, int64_t& at) {
  if (v.is_array()) {
    for (const json::value& e : v.get_array()) INGOT_TRY(fill(e, t, at));
    return {};
  }
  if (at >= t.shape().num_elements()) return invalid("[infer] more JSON values than {} holds", t.shape().to_string());
  if (t.dtype() == DType::kString) {
    if (!v.is_string()) return invalid("[infer] JSON value {} is not a string", at);
    t.mutable_as<std::string>()[at++] = std::string(v.get_string());
    return {};
  }
  if (v.is_int64() && (t.dtype() == DType::kI64 || t.dtype() == DType::kU64)) {
    t.mutable_as<int64_t>()[at++] = v.get_int64();
    return {};
  }
  if (!v.is_number() && !v.is_bool()) return invalid("[infer] JSON value {} is not a number", at);
  store(t, at++, v.is_bool() ? static_cast<double>(v.get_bool()) : v.to_number<double>());
  return {};
}

}  // namespace

Result<std::pair<std::string, std::string>> split_assignment(const std::string& text) {
  const size_t at = text.find('=');
  if (at == text.npos || at == 0) return invalid("[infer] '{}' is not NAME=VALUE", text);
  return std::pair{text.substr(0, at), text.substr(at + 1)};
}

Result<Tensor> tensor_from_json(std::string_view text, DType dtype) {
  boost::system::error_code ec;
  json::parse_options options;
  options.max_depth = limits::kJsonDepthMax;
  const json::value value = json::parse(text, ec, {}, options);
  if (ec) return invalid("[infer] JSON: {}", ec.message());
  const json::value* data = &value;
  Shape shape;
  if (const json::object* object = value.if_object()) {
    const json::value *dims = object->if_contains("shape"), *elements = object->if_contains("data");
    if (!dims || !elements || !dims->is_array()) return invalid("[infer] a JSON object needs \"shape\" and \"data\"");
    std::string spelled;
    for (const json::value& d : dims->get_array()) spelled += (spelled.empty() ? "" : "x") + json::serialize(d);
    shape = INGOT_TRY(parse_shape(spelled));
    data = elements;
  } else {
    shape = INGOT_TRY(shape_of(value));
  }
  Tensor t = Tensor::allocate(dtype, shape);
  int64_t count = 0;
  INGOT_TRY(fill(*data, t, count));
  if (count != shape.num_elements()) return invalid("[infer] {} JSON values for shape {}", count, shape.to_string());
  return t;
}

namespace {

class InputMaker {
 public:
  InputMaker(const Graph& graph, uint64_t seed) : graph_(graph), random_(seed) {}

  Result<void> read(const InputOptions& options) {
    for (const auto& text : options.inputs) {
      if (text == "random") {
        all_random_ = true;
        continue;
      }
      const auto [name, spec] = INGOT_TRY(split_assignment(text));
      INGOT_TRY(check_name(name));
      specs_[name] = spec;
    }
    for (const auto& text : options.shapes) {
      const auto [name, shape] = INGOT_TRY(split_assignment(text));
      INGOT_TRY(check_name(name));
      shapes_[name] = INGOT_TRY(parse_shape(shape));
    }
    for (const auto& text : options.dims) {
      const auto [name, size] = INGOT_TRY(split_assignment(text));
      dims_[name] = INGOT_TRY(number(size));
    }
    return {};
  }

  Result<Tensor> make(const Value& v) {
    const auto it = specs_.find(v.name);
    if (it == specs_.end() && !all_random_)
      return invalid("[infer] input '{}' ({}) is not given: add --input {}=FILE.npy, or --input random", v.name,
                     v.type.to_string(), v.name);
    const std::string spec = it == specs_.end() ? "random" : it->second;
    if (spec == "random") return random_tensor(v.type.dtype, INGOT_TRY(random_shape(v)), random_);
    if (spec.starts_with("random:"))
      return random_tensor(v.type.dtype, INGOT_TRY(parse_shape(std::string_view(spec).substr(7))), random_);
    Tensor t;
    if (spec.ends_with(".npy")) {
      t = INGOT_TRY(read_npy(spec));
    } else if (spec.ends_with(".json")) {
      std::ifstream in(spec, std::ios::binary);
      if (!in) return not_found("[infer] cannot read '{}'", spec);
      t = INGOT_TRY(tensor_from_json(std::string{std::istreambuf_iterator<char>(in), {}}, v.type.dtype));
    } else {
      t = INGOT_TRY(tensor_from_json(spec, v.type.dtype));
    }
    if (t.dtype() != v.type.dtype)
      return invalid("[infer] input '{}' is {}, '{}' holds {}", v.name, v.type.to_string(), spec,
                     dtype_name(t.dtype()));
    return t;
  }

 private:
  Result<void> check_name(const std::string& name) const {
    std::string names;
    for (ValueId v : graph_.inputs()) {
      if (graph_.value(v).name == name) return {};
      names += " '" + graph_.value(v).name + "'";
    }
    return invalid("[infer] the model has no input '{}'; its inputs are:{}", name, names);
  }

  Result<Shape> random_shape(const Value& v) const {
    if (const auto it = shapes_.find(v.name); it != shapes_.end()) return it->second;
    if (!v.type.ranked()) return invalid("[infer] input '{}' has no rank: add --shape {}=2x3", v.name, v.name);
    Shape shape;
    for (const Dim& d : *v.type.dims) {
      if (d.is_const()) {
        shape.push_back(d.value());
        continue;
      }
      const auto it = dims_.find(d.to_string());
      if (it == dims_.end())
        return invalid("[infer] input '{}' is {}: add --dim {}=SIZE or --shape {}=…", v.name, v.type.to_string(),
                       d.to_string(), v.name);
      shape.push_back(it->second);
    }
    return shape;
  }

  const Graph& graph_;
  std::mt19937_64 random_;
  bool all_random_ = false;
  std::map<std::string, std::string> specs_;
  std::map<std::string, Shape> shapes_;
  std::map<std::string, int64_t> dims_;
};

}  // namespace

Result<std::vector<Tensor>> make_inputs(const Graph& graph, const InputOptions& options) {
  InputMaker maker(graph, options.seed);
  INGOT_TRY(maker.read(options));
  std::vector<Tensor> out;
  for (ValueId v : graph.inputs()) out.push_back(INGOT_TRY(maker.make(graph.value(v))));
  return out;
}

}  // namespace ingot::cli
