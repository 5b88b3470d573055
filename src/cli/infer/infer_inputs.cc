#include "cli/infer/infer_inputs.h"

#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <random>

#include "base/mapped_file.h"
#include "base/memory.h"
#include "cli/infer/image_input.h"
#include "cli/option_checks.h"
#include "formats/npy/npy.h"
#include "formats/npy/npz.h"
#include "formats/printable.h"
#include "tensor/half.h"

namespace ingot::cli {
namespace {

namespace json = boost::json;

constexpr int64_t kRandomElementsMax = int64_t{1} << 32;

std::optional<int64_t> parse_size(std::string_view text) {
  int64_t v = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (ec != std::errc() || end != text.data() + text.size() || v < 0 || v > kRandomElementsMax) return std::nullopt;
  return v;
}

// "1x3x224x224"; "" is a scalar.
Result<Shape> parse_shape(std::string_view text) {
  const std::string_view whole = text;
  Shape shape;
  int64_t total = 1;
  while (!text.empty()) {
    const size_t end = std::min(text.find('x'), text.size());
    if (shape.rank() == limits::kRankMax)
      return invalid("'{}' has more than {} dimensions", printable(whole), limits::kRankMax);
    const auto size = parse_size(text.substr(0, end));
    if (!size || end + 1 == text.size())
      return invalid("'{}' is not a shape like 1x3x224x224 with sizes up to {}", printable(whole), kRandomElementsMax);
    shape.push_back(*size);
    total *= std::max<int64_t>(*size, 1);
    if (total > kRandomElementsMax) return invalid("'{}' has more than 2^32 elements", printable(whole));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return shape;
}

// The same error with words before it.
template <class T>
Result<T> with_tag(Result<T> r, std::string_view tag) {
  if (r) return r;
  return std::unexpected(Status(r.error().code(), fmt::format("{} {}", tag, r.error().message())));
}

std::string shown(const json::value& v) { return printable(json::serialize(v), 40); }

void store(Tensor& t, int64_t i, double v) {
  switch (t.dtype()) {
    case DType::kF32: t.mutable_as<float>()[i] = static_cast<float>(v); break;
    case DType::kF64: t.mutable_as<double>()[i] = v; break;
    case DType::kF16: t.mutable_as<uint16_t>()[i] = float_to_half(static_cast<float>(v)); break;
    case DType::kBF16: t.mutable_as<uint16_t>()[i] = float_to_bf16(static_cast<float>(v)); break;
    case DType::kI64: t.mutable_as<int64_t>()[i] = static_cast<int64_t>(v); break;
    case DType::kU64: t.mutable_as<uint64_t>()[i] = static_cast<uint64_t>(v); break;
    case DType::kI32:
    case DType::kU32: t.mutable_as<int32_t>()[i] = static_cast<int32_t>(static_cast<int64_t>(v)); break;
    case DType::kI16:
    case DType::kU16: t.mutable_as<int16_t>()[i] = static_cast<int16_t>(static_cast<int64_t>(v)); break;
    default: t.mutable_as<int8_t>()[i] = static_cast<int8_t>(static_cast<int64_t>(v)); break;
  }
}

// A tensor with room for `shape`. Errors: kResourceExhausted.
Result<Tensor> allocate(DType dtype, const Shape& shape) {
  INGOT_TRY(check_memory("an input of the shape " + shape.to_string(),
                         static_cast<double>(TensorView{dtype, shape, nullptr}.num_bytes()), "choose a smaller shape"));
  return Tensor::allocate(dtype, shape);
}

Result<Tensor> random_tensor(DType dtype, const Shape& shape, std::mt19937_64& random) {
  Tensor t = INGOT_TRY(allocate(dtype, shape));
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

// Whether every array at depth d has shape[d] elements.
bool is_regular(const json::value& v, const Shape& shape, int depth) {
  if (depth == shape.rank()) return !v.is_array();
  if (!v.is_array() || static_cast<int64_t>(v.get_array().size()) != shape[depth]) return false;
  return std::ranges::all_of(v.get_array(), [&](const json::value& e) { return is_regular(e, shape, depth + 1); });
}

// The numbers that an integer type holds.
std::pair<double, double> range_of(DType dtype) {
  const auto of = []<class T>(T) {
    return std::pair{static_cast<double>(std::numeric_limits<T>::min()),
                     static_cast<double>(std::numeric_limits<T>::max())};
  };
  switch (dtype) {
    case DType::kI64: return of(int64_t{});
    case DType::kU64: return of(uint64_t{});
    case DType::kI32: return of(int32_t{});
    case DType::kU32: return of(uint32_t{});
    case DType::kI16: return of(int16_t{});
    case DType::kU16: return of(uint16_t{});
    case DType::kI8: return of(int8_t{});
    case DType::kBool: return {0, 1};
    default: return of(uint8_t{});
  }
}

Result<void> store_json(const json::value& v, Tensor& t, int64_t i) {
  const DType dtype = t.dtype();
  if (dtype == DType::kString) {
    if (!v.is_string()) return invalid("[infer] JSON value {} is {}, not a string", i, shown(v));
    t.mutable_as<std::string>()[i] = std::string(v.get_string());
    return {};
  }
  if (!v.is_number() && !v.is_bool()) return invalid("[infer] JSON value {} is {}, not a number", i, shown(v));
  if (v.is_int64() && dtype == DType::kI64) {
    t.mutable_as<int64_t>()[i] = v.get_int64();
    return {};
  }
  if (dtype == DType::kU64 && !v.is_bool() && !v.is_double()) {
    if (v.is_int64() && v.get_int64() < 0) return invalid("[infer] JSON value {} is {}, not a u64", i, shown(v));
    t.mutable_as<uint64_t>()[i] = v.to_number<uint64_t>();
    return {};
  }
  const double number = v.is_bool() ? static_cast<double>(v.get_bool()) : v.to_number<double>();
  if (!is_float(dtype)) {
    const auto [low, high] = range_of(dtype);
    // 2^63 and 2^64 as doubles are the first numbers that do not fit.
    const bool fits = number >= low && (high > 1e18 ? number < high : number <= high) && number == std::trunc(number);
    if (!fits) return invalid("[infer] JSON value {} is {}, not a {}", i, shown(v), dtype_name(dtype));
  }
  store(t, i, number);
  return {};
}

Result<void> fill(const json::value& v, Tensor& t, int64_t& at) {
  if (v.is_array()) {
    for (const json::value& e : v.get_array()) INGOT_TRY(fill(e, t, at));
    return {};
  }
  return store_json(v, t, at++);
}

int64_t count_leaves(const json::value& v) {
  if (!v.is_array()) return 1;
  int64_t n = 0;
  for (const json::value& e : v.get_array()) n += count_leaves(e);
  return n;
}

}  // namespace

Result<std::pair<std::string, std::string>> split_assignment(const std::string& text) {
  const size_t at = text.find('=');
  if (at == text.npos || at == 0) return invalid("[cli] '{}' is not NAME=VALUE", printable(text));
  return std::pair{text.substr(0, at), text.substr(at + 1)};
}

Result<Tensor> tensor_from_json(std::string_view text, DType dtype) {
  boost::system::error_code ec;
  json::parse_options options;
  options.max_depth = limits::kJsonDepthMax;
  const json::value value = json::parse(text, ec, {}, options);
  if (ec) return invalid("[infer] '{}' is not JSON: {}", printable(text, 60), ec.message());
  const json::value* data = &value;
  Shape shape;
  if (const json::object* object = value.if_object()) {
    const json::value *dims = object->if_contains("shape"), *elements = object->if_contains("data");
    if (!dims || !elements || !dims->is_array()) return invalid("[infer] a JSON object needs \"shape\" and \"data\"");
    std::string spelled;
    for (const json::value& d : dims->get_array()) spelled += (spelled.empty() ? "" : "x") + json::serialize(d);
    shape = INGOT_TRY(with_tag(parse_shape(spelled), "[infer] \"shape\":"));
    data = elements;
    if (const int64_t count = count_leaves(*data); count != shape.num_elements())
      return invalid("[infer] {} JSON values for the shape {}", count, shape.to_string());
  } else {
    shape = INGOT_TRY(shape_of(value));
    if (!is_regular(value, shape, 0))
      return invalid("[infer] the JSON arrays are not all of the shape {} that the first ones have", shape.to_string());
  }
  Tensor t = INGOT_TRY(allocate(dtype, shape));
  int64_t at = 0;
  INGOT_TRY(fill(*data, t, at));
  return t;
}

namespace {

// A sequence is a JSON array of its elements, an empty optional is null.
Result<Tensor> value_from_json(const json::value& v, const Type& type) {
  if (type.dtype == DType::kMap) return unimplemented("[infer] {} is not taken as an input", type.to_string());
  if (!type.is_container()) return tensor_from_json(json::serialize(v), type.dtype);
  if (type.dtype == DType::kSequence && !v.is_array())
    return invalid("[infer] {} is not a JSON array of the elements of {}", shown(v), type.to_string());
  const int64_t n = type.dtype == DType::kSequence ? static_cast<int64_t>(v.get_array().size()) : v.is_null() ? 0 : 1;
  Tensor out = Tensor::allocate(type.dtype, Shape{n});
  for (int64_t i = 0; i < n; ++i)
    out.mutable_as<Tensor>()[i] = INGOT_TRY(
        value_from_json(type.dtype == DType::kSequence ? v.get_array()[static_cast<size_t>(i)] : v, type.element()));
  return out;
}

// JSON, a file of it, or for a sequence FILE.npy,FILE.npy…
Result<Tensor> container_from(const std::string& spec, const Value& input) {
  if (spec.starts_with("random"))
    return invalid("[cli] input '{}' is {}: give it as JSON ({}=[[1,2],[3]]) or, a sequence, as {}=A.npy,B.npy",
                   printable(input.name), input.type.to_string(), printable(input.name), printable(input.name));
  if (spec.ends_with(".npy") && input.type.dtype == DType::kSequence) {
    std::vector<Tensor> elements;
    for (size_t at = 0; at <= spec.size();) {
      const size_t end = std::min(spec.find(',', at), spec.size());
      elements.push_back(INGOT_TRY(read_npy(spec.substr(at, end - at))));
      at = end + 1;
    }
    Tensor out = Tensor::allocate(DType::kSequence, Shape{static_cast<int64_t>(elements.size())});
    std::ranges::move(elements, out.mutable_as<Tensor>());
    return out;
  }
  std::string text = spec;
  if (spec.ends_with(".json")) {
    const auto file = INGOT_TRY(MappedFile::open(spec));
    text.assign(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  }
  boost::system::error_code ec;
  json::parse_options options;
  options.max_depth = limits::kJsonDepthMax;
  const json::value value = json::parse(text, ec, {}, options);
  if (ec) return invalid("[infer] '{}' is not JSON: {}", printable(text, 60), ec.message());
  return with_tag(value_from_json(value, input.type), fmt::format("input '{}':", printable(input.name)));
}

class InputMaker {
 public:
  InputMaker(const Graph& graph, uint64_t seed) : graph_(graph), random_(seed) {}

  Result<void> read(const InputOptions& options) {
    INGOT_TRY(set_channels("--image-mean", options.image_mean, scaling_.mean));
    INGOT_TRY(set_channels("--image-std", options.image_deviation, scaling_.deviation));
    for (const auto& text : options.inputs) {
      if (text == "random") {
        all_random_ = true;
        continue;
      }
      if (text.ends_with(".npz") && !text.contains('=')) {
        for (auto& [name, array] : INGOT_TRY(read_npz(text))) {
          INGOT_TRY(check_name(fmt::format("--input {}", text), name));
          if (!arrays_.emplace(name, std::move(array)).second)
            return invalid("[cli] --input: '{}' is given twice", printable(name));
        }
        continue;
      }
      const auto [name, spec] = INGOT_TRY(split_assignment(text));
      INGOT_TRY(check_name("--input", name));
      if (!specs_.emplace(name, spec).second) return invalid("[cli] --input: '{}' is given twice", printable(name));
    }
    for (const auto& text : options.shapes) {
      const auto [name, shape] = INGOT_TRY(split_assignment(text));
      INGOT_TRY(check_name("--shape", name));
      if (!is_random(name) && !specs_[name].ends_with(".raw"))
        return invalid("[cli] --shape: '{}' is neither random nor raw, its values say its shape", printable(name));
      shapes_[name] = INGOT_TRY(with_tag(parse_shape(shape), "[cli] --shape:"));
    }
    for (const auto& text : options.dims) {
      const auto [name, size] = INGOT_TRY(split_assignment(text));
      INGOT_TRY(check_dim(name));
      const auto value = parse_size(size);
      if (!value) return invalid("[cli] --dim: '{}' is not a size from 0 to 2^32", printable(size));
      dims_[name] = *value;
    }
    return {};
  }

  Result<Tensor> make(const Value& v) {
    const auto it = specs_.find(v.name);
    if (const auto array = arrays_.find(v.name); array != arrays_.end())
      return it == specs_.end() ? check_type(v, "the .npz", array->second)
                                : invalid("[cli] --input: '{}' is given twice", printable(v.name));
    if (it == specs_.end() && !all_random_)
      return invalid("[cli] input '{}' ({}) is not given: add --input {}=FILE.npy, or --input random", v.name,
                     v.type.to_string(), v.name);
    const std::string spec = it == specs_.end() ? "random" : it->second;
    if (v.type.is_container()) return container_from(spec, v);
    if (spec == "random") return random_tensor(v.type.dtype, INGOT_TRY(random_shape(v)), random_);
    if (spec.starts_with("random:"))
      return random_tensor(v.type.dtype,
                           INGOT_TRY(with_tag(parse_shape(std::string_view(spec).substr(7)), "[cli] --input: random:")),
                           random_);
    if (is_image_file(spec)) return read_image(spec, v, scaling_);
    if (spec.ends_with(".raw")) return read_raw(spec, v);
    Tensor t;
    if (spec.ends_with(".npy")) {
      t = INGOT_TRY(read_npy(spec));
    } else if (spec.ends_with(".npz")) {
      auto arrays = INGOT_TRY(read_npz(spec));
      const auto named = arrays.find(v.name);
      if (named == arrays.end()) return invalid("[infer] '{}' holds no array '{}'", printable(spec), printable(v.name));
      t = std::move(named->second);
    } else if (spec.ends_with(".json")) {
      const auto file = INGOT_TRY(MappedFile::open(spec));
      const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
      t = INGOT_TRY(with_tag(tensor_from_json(text, v.type.dtype), fmt::format("input '{}':", printable(v.name))));
    } else {
      t = INGOT_TRY(with_tag(tensor_from_json(spec, v.type.dtype), fmt::format("input '{}':", printable(v.name))));
    }
    return check_type(v, spec, std::move(t));
  }

 private:
  static Result<Tensor> check_type(const Value& v, const std::string& source, Tensor t) {
    if (t.dtype() == v.type.dtype) return t;
    return invalid("[infer] input '{}' is {}, '{}' holds {}", printable(v.name), v.type.to_string(), printable(source),
                   dtype_name(t.dtype()));
  }

  // The file's bytes are the elements, little endian.
  Result<Tensor> read_raw(const std::string& path, const Value& v) const {
    const Shape shape = INGOT_TRY(random_shape(v));
    if (holds_objects(v.type.dtype))
      return invalid("[infer] input '{}' is {}: give it as JSON", printable(v.name), v.type.to_string());
    const auto file = INGOT_TRY(MappedFile::open(path));
    const size_t have = file->bytes().size(), want = TensorView{v.type.dtype, shape, nullptr}.num_bytes();
    if (have != want)
      return invalid("[infer] '{}' has {} bytes, input '{}' ({}{}) {}: give its shape with --shape", printable(path),
                     have, printable(v.name), dtype_name(v.type.dtype), shape.to_string(), want);
    Tensor t = INGOT_TRY(allocate(v.type.dtype, shape));
    if (want) std::memcpy(t.mutable_as<std::byte>(), file->bytes().data(), want);
    return t;
  }

  Result<void> check_name(std::string_view option, const std::string& name) const {
    std::string names;
    for (ValueId v : graph_.inputs()) {
      if (graph_.value(v).name == name) return {};
      names += fmt::format(" '{}'", printable(graph_.value(v).name));
    }
    return invalid("[cli] {}: the model has no input '{}'; its inputs are:{}", option, printable(name),
                   names.empty() ? " none" : names);
  }

  static Result<void> set_channels(std::string_view option, const std::vector<float>& given, std::array<float, 3>& to) {
    if (given.empty()) return {};
    if (given.size() != 1 && given.size() != 3)
      return invalid("[cli] {}: {} numbers, not 1 or 3", option, given.size());
    for (size_t i = 0; i < 3; ++i) to[i] = given[given.size() == 1 ? 0 : i];
    return {};
  }

  bool is_random(const std::string& name) const {
    const auto it = specs_.find(name);
    return it == specs_.end() ? all_random_ && !arrays_.contains(name) : it->second == "random";
  }

  Result<void> check_dim(const std::string& name) const {
    std::string names;
    for (ValueId v : graph_.inputs()) {
      if (!graph_.value(v).type.ranked()) continue;
      for (const Dim& d : *graph_.value(v).type.dims) {
        if (d.is_const()) continue;
        if (d.to_string() == name) return {};
        names += fmt::format(" '{}'", printable(d.to_string()));
      }
    }
    return invalid("[cli] --dim: the inputs have no dimension '{}'; they have:{}", printable(name),
                   names.empty() ? " none" : names);
  }

  Result<Shape> random_shape(const Value& v) const {
    if (const auto it = shapes_.find(v.name); it != shapes_.end()) return it->second;
    if (!v.type.ranked()) return invalid("[cli] input '{}' has no rank: add --shape {}=2x3", v.name, v.name);
    Shape shape;
    for (const Dim& d : *v.type.dims) {
      if (d.is_const()) {
        shape.push_back(d.value());
        continue;
      }
      const auto it = dims_.find(d.to_string());
      if (it == dims_.end())
        return invalid("[cli] input '{}' is {}: add --dim {}=SIZE or --shape {}=…", v.name, v.type.to_string(),
                       d.to_string(), v.name);
      shape.push_back(it->second);
    }
    return shape;
  }

  const Graph& graph_;
  std::mt19937_64 random_;
  bool all_random_ = false;
  std::map<std::string, std::string> specs_;
  std::map<std::string, Tensor> arrays_;  // of .npz files
  ImageScaling scaling_;
  std::map<std::string, Shape> shapes_;
  std::map<std::string, int64_t> dims_;
};

}  // namespace

void add_input_options(CLI::App& command, InputOptions& o) {
  command
      .add_option("-i,--input", o.inputs,
                  "NAME=FILE with .npy, .npz, .json, an image (.png, .jpg, …) or .raw (plain bytes), NAME=JSON, "
                  "NAME=random[:2x3], FILE.npz for all that it names, or random for all others; a sequence is a JSON "
                  "array of its elements or NAME=A.npy,B.npy")
      ->allow_extra_args(false);
  command.add_option("--shape", o.shapes, "NAME=1x3x224x224: the shape of a random or raw input")
      ->allow_extra_args(false);
  command.add_option("--dim", o.dims, "NAME=4: the size of a symbolic dimension")->allow_extra_args(false);
  command.add_option("--seed", o.seed, "Seed of random inputs")->capture_default_str()->check(integer_in(0));
  command.add_option("--image-mean", o.image_mean, "Taken off an image's values, 0 to 1: one number, or R,G,B")
      ->delimiter(',')
      ->check(number_in(-1e6, 1e6));
  command.add_option("--image-std", o.image_deviation, "What they are then divided by")
      ->delimiter(',')
      ->check(number_in(1e-6, 1e6));
}

Result<std::vector<Tensor>> make_inputs(const Graph& graph, const InputOptions& options) {
  InputMaker maker(graph, options.seed);
  INGOT_TRY(maker.read(options));
  std::vector<Tensor> out;
  for (ValueId v : graph.inputs()) out.push_back(INGOT_TRY(maker.make(graph.value(v))));
  return out;
}

}  // namespace ingot::cli
