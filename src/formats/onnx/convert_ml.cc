// Conversions of ai.onnx.ml's operators: older forms of LabelEncoder, names and kinds of attributes.
#include "formats/onnx/convert.h"
#include "formats/onnx/graph_builder.h"

namespace ingot::onnx {
namespace {

// A tensor of strings or of 64-bit integers becomes a list, which an engine file can hold.
void list_of_tensor(NodeDraft& d, const std::string& role) {
  const Tensor* t = d.attributes().tensor(role + "_tensor");
  if (!t || (t->dtype() != DType::kString && t->dtype() != DType::kI64)) return;
  const Tensor given = std::get<Tensor>(*d.take(role + "_tensor"));
  const int64_t n = given.shape().num_elements();
  if (given.dtype() == DType::kString) {
    const auto* p = given.as<std::string>();
    d.attributes().set(role + "_strings", std::vector<std::string>(p, p + n));
  } else {
    d.attributes().set(role + "_int64s", std::vector<int64_t>(given.as<int64_t>(), given.as<int64_t>() + n));
  }
}

bool input_is_string(const NodeDraft& d) {
  return d.has_input(0) && d.builder.known(d.node.inputs[0]).type.dtype == DType::kString;
}

// Between strings and integers: the direction that the input's type tells.
void map_strings_and_ints(NodeDraft& d, std::vector<std::string> strings, std::vector<int64_t> ints) {
  const bool forward = input_is_string(d);
  d.attributes().set(forward ? "keys_strings" : "values_strings", std::move(strings));
  d.attributes().set(forward ? "values_int64s" : "keys_int64s", std::move(ints));
  d.node.op = Op::kLabelEncoder;
}

}  // namespace

// Version 1 had one list of strings, whose places were the integers. Later ones name keys and values; from version 4
// either may be a tensor.
Result<void> convert_label_encoder(NodeDraft& d) {
  if (auto classes = d.take("classes_strings")) {
    auto& strings = std::get<std::vector<std::string>>(*classes);
    std::vector<int64_t> ints;
    for (size_t i = 0; i < strings.size(); ++i) ints.push_back(static_cast<int64_t>(i));
    map_strings_and_ints(d, std::move(strings), std::move(ints));
    return {};
  }
  list_of_tensor(d, "keys");
  list_of_tensor(d, "values");
  const Tensor* otherwise = d.attributes().tensor("default_tensor");
  if (!otherwise || otherwise->shape().num_elements() != 1) return {};
  if (otherwise->dtype() == DType::kString)
    d.attributes().set("default_string", *std::get<Tensor>(*d.take("default_tensor")).as<std::string>());
  else if (otherwise->dtype() == DType::kI64)
    d.attributes().set("default_int64", *std::get<Tensor>(*d.take("default_tensor")).as<int64_t>());
  return {};
}

Result<void> convert_category_mapper(NodeDraft& d) {
  auto strings = d.take("cats_strings"), ints = d.take("cats_int64s");
  if (!strings || !ints) return d.fail("needs cats_strings and cats_int64s");
  map_strings_and_ints(d, std::get<std::vector<std::string>>(*strings), std::get<std::vector<int64_t>>(*ints));
  return {};
}

// `scale` is one number elsewhere.
Result<void> convert_scaler(NodeDraft& d) {
  if (auto scale = d.take("scale")) d.attributes().set("scales", *std::move(scale));
  return {};
}

// multi_class says nothing that the coefficients do not.
Result<void> convert_linear_classifier(NodeDraft& d) {
  d.take("multi_class");
  return {};
}

// n_targets is one, whatever a file says.
Result<void> convert_svm_regressor(NodeDraft& d) {
  d.take("n_targets");
  return {};
}

Result<void> convert_zip_map(NodeDraft& d) {
  if (auto labels = d.take("classlabels_int64s")) d.attributes().set("classlabels_ints", *std::move(labels));
  return {};
}

Result<void> convert_string_normalizer(NodeDraft& d) {
  d.take("locale");  // cases change by Unicode's mappings, everywhere alike
  return {};
}

}  // namespace ingot::onnx
