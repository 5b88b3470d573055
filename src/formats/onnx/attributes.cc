#include "formats/onnx/attributes.h"

#include <unordered_map>

namespace ingot::onnx {
namespace {

using Kind = pb::AttributeDef;

const std::unordered_map<std::string_view, Kind::Kind>& kinds() {
  static const std::unordered_map<std::string_view, Kind::Kind> map = [] {
    std::unordered_map<std::string_view, Kind::Kind> m;
    for (std::string_view name : {"axis",
                                  "keepdims",
                                  "noop_with_empty_axes",
                                  "select_last_index",
                                  "transA",
                                  "transB",
                                  "group",
                                  "ceil_mode",
                                  "count_include_pad",
                                  "storage_order",
                                  "allowzero",
                                  "start",
                                  "end",
                                  "batch_dims",
                                  "blocksize",
                                  "upper",
                                  "to",
                                  "dtype",
                                  "saturate",
                                  "exclusive",
                                  "reverse",
                                  "largest",
                                  "sorted",
                                  "k",
                                  "fmod",
                                  "detect_negative",
                                  "detect_positive",
                                  "size",
                                  "num_groups",
                                  "stash_type",
                                  "num_outputs",
                                  "antialias",
                                  "exclude_outside",
                                  "training_mode",
                                  "spatial",
                                  "is_test",
                                  "broadcast",
                                  "seed",
                                  "block_size",
                                  "output_dtype",
                                  "value_int",
                                  "precision",
                                  "mask"})
      m[name] = Kind::INT;
    for (std::string_view name : {"alpha", "beta", "gamma", "epsilon", "momentum", "ratio", "bias", "lambd", "min",
                                  "max", "cubic_coeff_a", "extrapolation_value", "value_float"})
      m[name] = Kind::FLOAT;
    for (std::string_view name :
         {"mode", "auto_pad", "approximate", "direction", "reduction", "equation", "nearest_mode",
          "coordinate_transformation_mode", "keep_aspect_ratio_policy", "round_mode", "value_string"})
      m[name] = Kind::STRING;
    for (std::string_view name :
         {"axes", "perm", "pads", "strides", "dilations", "kernel_shape", "output_padding", "output_shape", "split",
          "shape", "starts", "ends", "steps", "repeats", "consumed_inputs", "paddings", "value_ints"})
      m[name] = Kind::INTS;
    for (std::string_view name : {"scales", "value_floats"}) m[name] = Kind::FLOATS;
    m["value_strings"] = Kind::STRINGS;
    m["value"] = Kind::TENSOR;  // Pad's is a float
    return m;
  }();
  return map;
}

}  // namespace

Result<Attributes> read_attributes(const pb::NodeDef& node, TensorReader& tensors) {
  Attributes out;
  for (const pb::AttributeDef& a : node.attribute()) {
    if (a.type() == Kind::GRAPH) continue;
    const auto fail = [&](std::string_view what) {
      return invalid("[onnx] {} '{}': attribute '{}' {}", node.op_type(), node.name(), a.name().substr(0, 100), what);
    };
    if (!a.ref_attr_name().empty()) return fail("refers to a function's attribute outside a function");
    const auto known = kinds().find(a.name());
    if (known == kinds().end()) return fail("is not known");
    const bool pad_value = a.name() == "value" && a.type() == Kind::FLOAT;
    if (a.type() != known->second && !pad_value) return fail("has the wrong type");
    if (out.has(a.name())) return fail("is given twice");
    switch (a.type()) {
      case Kind::INT: out.set(a.name(), a.i()); break;
      case Kind::FLOAT: out.set(a.name(), a.f()); break;
      case Kind::STRING: out.set(a.name(), a.s()); break;
      case Kind::INTS: out.set(a.name(), std::vector<int64_t>(a.ints().begin(), a.ints().end())); break;
      case Kind::FLOATS: out.set(a.name(), std::vector<float>(a.floats().begin(), a.floats().end())); break;
      case Kind::STRINGS: out.set(a.name(), std::vector<std::string>(a.strings().begin(), a.strings().end())); break;
      default: {
        bool file_backed = false;
        out.set(a.name(), INGOT_TRY(tensors.read(a.t(), &file_backed)));
      }
    }
  }
  return out;
}

}  // namespace ingot::onnx
