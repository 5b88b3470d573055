// Inference of ai.onnx.ml's operators. Their inputs are [N,F], or [F] for one row; scores are f32, labels i64 or
// strings.
#include <algorithm>

#include "ir/infer.h"

namespace ingot {
namespace {

constexpr size_t kClassesMax = 65535;

// The classes a node names; 0 if it names none, or both kinds.
size_t num_labels(const InferContext& c) {
  const size_t ints = c.attributes().ints("classlabels_ints").size(),
               strings = c.attributes().strings("classlabels_strings").size();
  return ints && strings ? 0 : ints + strings;
}

Result<void> require_number(InferContext& c, int i) {
  const DType t = c.type(i).dtype;
  if (is_float(t) || t == DType::kI64 || t == DType::kI32) return {};
  return c.fail("operand {} is {}, not a float, i32 or i64", i, c.type(i).to_string());
}

Result<void> require_transform(InferContext& c) {
  static constexpr std::string_view kNames[] = {"NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"};
  const std::string name = c.attributes().get_string("post_transform", "NONE");
  if (std::ranges::find(kNames, name) == std::end(kNames)) return c.fail("post_transform '{}' is not known", name);
  return {};
}

// Rows and features of the input.
struct Matrix {
  Dim rows = Dim::unknown(), features = Dim::unknown();
};
Result<Matrix> matrix(InferContext& c) {
  INGOT_TRY(require_number(c, 0));
  if (!c.ranked(0)) return Matrix{};
  if (c.rank(0) < 1 || c.rank(0) > 2) return c.fail("the input is {}, not [N,F] or [F]", c.type(0).to_string());
  return Matrix{c.rank(0) == 2 ? c.dims(0)[0] : Dim(1), c.dims(0).back()};
}

Result<void> require_features(InferContext& c, const Dim& features, size_t wanted) {
  if (features.is_const() && features.value() != static_cast<int64_t>(wanted))
    return c.fail("the input {} has not {} features", c.type(0).to_string(), wanted);
  return {};
}

Result<void> set_classes(InferContext& c, const Dim& rows, size_t scores) {
  const bool strings = !c.attributes().strings("classlabels_strings").empty();
  c.set(0, strings ? DType::kString : DType::kI64, {rows});
  if (c.num_outputs() > 1) c.set(1, DType::kF32, {rows, static_cast<int64_t>(scores)});
  return require_transform(c);
}

}  // namespace

Result<void> infer_array_feature_extractor(InferContext& c) {
  INGOT_TRY(require_dtype(c, 1, DType::kI64));
  if (!c.ranked(0)) return c.set_unranked(0, c.type(0).dtype), Result<void>{};
  if (c.rank(0) < 1) return c.fail("the input is a scalar");
  Dims out = c.dims(0);
  if (out.size() == 1) out.insert(out.begin(), 1);
  out.back() = 1;
  if (!c.ranked(1)) out.back() = Dim::unknown();
  for (size_t i = 0; c.ranked(1) && i < c.dims(1).size(); ++i) out.back() = out.back() * c.dims(1)[i];
  c.set(0, c.type(0).dtype, std::move(out));
  return {};
}

Result<void> infer_imputer(InferContext& c) {
  INGOT_TRY(require_number(c, 0));
  const size_t n = is_float(c.type(0).dtype) ? c.attributes().floats("imputed_value_floats").size()
                                             : c.attributes().ints("imputed_value_int64s").size();
  if (n == 0) return c.fail("names no imputed values for {}", c.type(0).to_string());
  if (c.ranked(0) && c.rank(0) < 1) return c.fail("the input is a scalar");
  if (n > 1 && c.ranked(0)) INGOT_TRY(require_features(c, c.dims(0).back(), n));
  c.set(0, c.type(0));
  return {};
}

Result<void> infer_scaler(InferContext& c) {
  INGOT_TRY(require_number(c, 0));
  for (const auto& [list, name] :
       {std::pair{&c.attributes().floats("scales"), "scale"}, std::pair{&c.attributes().floats("offset"), "offset"}}) {
    if (list->size() <= 1) continue;
    if (c.ranked(0) && c.rank(0) < 1) return c.fail("the input is a scalar for {} {}s", list->size(), name);
    if (c.ranked(0)) INGOT_TRY(require_features(c, c.dims(0).back(), list->size()));
  }
  c.set(0, Type{DType::kF32, c.type(0).dims});
  return {};
}

Result<void> infer_normalizer(InferContext& c) {
  INGOT_TRY(matrix(c));
  const std::string norm = c.attributes().get_string("norm", "MAX");
  if (norm != "MAX" && norm != "L1" && norm != "L2") return c.fail("norm '{}' is not MAX, L1 or L2", norm);
  c.set(0, Type{DType::kF32, c.type(0).dims});
  return {};
}

Result<void> infer_one_hot_encoder(InferContext& c) {
  const bool strings = c.type(0).dtype == DType::kString;
  if (!strings) INGOT_TRY(require_number(c, 0));
  const size_t n = strings ? c.attributes().strings("cats_strings").size() : c.attributes().ints("cats_int64s").size();
  if (n == 0) return c.fail("names no categories for {}", c.type(0).to_string());
  if (!c.ranked(0)) return c.set_unranked(0, DType::kF32), Result<void>{};
  if (c.rank(0) + 1 > limits::kRankMax) return c.fail("rank {} is over the limit", c.rank(0) + 1);
  Dims out = c.dims(0);
  out.push_back(static_cast<int64_t>(n));
  c.set(0, DType::kF32, std::move(out));
  return {};
}

Result<void> infer_feature_vectorizer(InferContext& c) {
  const auto& sizes = c.attributes().ints("inputdimensions");
  if (!sizes.empty() && static_cast<int>(sizes.size()) != c.num_inputs())
    return c.fail("has {} inputdimensions for {} inputs", sizes.size(), c.num_inputs());
  Dim rows = Dim::unknown(), columns = 0;
  for (int i = 0; i < c.num_inputs(); ++i) {
    if (!c.has_input(i)) return c.fail("input {} is missing", i);
    INGOT_TRY(require_number(c, i));
    if (c.ranked(i) && (c.rank(i) < 1 || c.rank(i) > 2))
      return c.fail("input {} is {}, not [N,F] or [F]", i, c.type(i).to_string());
    if (c.ranked(i) && rows.is_unknown()) rows = c.rank(i) == 2 ? c.dims(i)[0] : Dim(1);
    if (!sizes.empty()) {
      if (sizes[static_cast<size_t>(i)] < 0) return c.fail("inputdimensions hold {}", sizes[static_cast<size_t>(i)]);
      columns = columns + Dim(sizes[static_cast<size_t>(i)]);
    } else {
      columns = c.ranked(i) ? columns + c.dims(i).back() : Dim::unknown();
    }
  }
  c.set(0, DType::kF32, {rows, columns});
  return {};
}

namespace {

// The list or tensor that plays `role`, keys or values: the first that is there, as the kernel takes it.
struct Column {
  DType dtype;
  int64_t size;
};
std::optional<Column> column_of(const Attributes& a, const std::string& role) {
  const auto of = [](DType dtype, size_t size) { return Column{dtype, static_cast<int64_t>(size)}; };
  if (a.has(role + "_strings")) return of(DType::kString, a.strings(role + "_strings").size());
  if (a.has(role + "_int64s")) return of(DType::kI64, a.ints(role + "_int64s").size());
  if (a.has(role + "_floats")) return of(DType::kF32, a.floats(role + "_floats").size());
  if (const Tensor* t = a.tensor(role + "_tensor")) return Column{t->dtype(), t->shape().num_elements()};
  return std::nullopt;
}

}  // namespace

// Keys and values are as many; the values' type is the result's.
Result<void> infer_label_encoder(InferContext& c) {
  const auto keys = column_of(c.attributes(), "keys"), values = column_of(c.attributes(), "values");
  if (!keys || !values) return c.fail("has no keys or no values");
  if (keys->size != values->size) return c.fail("has {} keys and {} values", keys->size, values->size);
  const Tensor* t = c.attributes().tensor("default_tensor");
  if (t && (t->dtype() != values->dtype || t->shape().num_elements() != 1))
    return c.fail("default_tensor is not one {}", dtype_name(values->dtype));
  INGOT_TRY(require_dtype(c, 0, keys->dtype));
  c.set(0, Type{values->dtype, c.type(0).dims});
  return {};
}

Result<void> infer_linear_classifier(InferContext& c) {
  const Matrix x = INGOT_TRY(matrix(c));
  const size_t labels = num_labels(c), intercepts = c.attributes().floats("intercepts").size();
  const size_t coefficients = c.attributes().floats("coefficients").size();
  const size_t scores = intercepts ? intercepts : labels;
  if (!labels || labels > kClassesMax) return c.fail("has {} class labels", labels);
  if (coefficients == 0 || coefficients % scores)
    return c.fail("has {} coefficients for {} scores", coefficients, scores);
  if (scores > 1 ? labels < scores : labels > 2) return c.fail("has {} class labels for {} scores", labels, scores);
  INGOT_TRY(require_features(c, x.features, coefficients / scores));
  return set_classes(c, x.rows, scores == 1 && labels == 2 ? 2 : scores);
}

Result<void> infer_linear_regressor(InferContext& c) {
  const Matrix x = INGOT_TRY(matrix(c));
  const int64_t targets = c.attributes().get_int("targets", 1);
  const size_t coefficients = c.attributes().floats("coefficients").size(),
               intercepts = c.attributes().floats("intercepts").size();
  if (targets < 1 || coefficients == 0 || coefficients % static_cast<size_t>(targets) ||
      (intercepts && intercepts != static_cast<size_t>(targets)))
    return c.fail("has {} coefficients and {} intercepts for {} targets", coefficients, intercepts, targets);
  INGOT_TRY(require_features(c, x.features, coefficients / static_cast<size_t>(targets)));
  c.set(0, DType::kF32, {x.rows, targets});
  return require_transform(c);
}

namespace {

Result<void> require_kernel(InferContext& c) {
  const std::string kernel = c.attributes().get_string("kernel_type", "LINEAR");
  if (kernel != "LINEAR" && kernel != "POLY" && kernel != "RBF" && kernel != "SIGMOID")
    return c.fail("kernel_type '{}' is not LINEAR, POLY, RBF or SIGMOID", kernel);
  const size_t n = c.attributes().floats("kernel_params").size();
  if (n != 0 && n != 3) return c.fail("has {} kernel_params, needs gamma, coef0 and degree", n);
  return {};
}

}  // namespace

Result<void> infer_svm_classifier(InferContext& c) {
  const Matrix x = INGOT_TRY(matrix(c));
  INGOT_TRY(require_kernel(c));
  const Attributes& a = c.attributes();
  const size_t classes = num_labels(c), coefficients = a.floats("coefficients").size();
  if (!classes || classes > kClassesMax) return c.fail("has {} class labels", classes);
  const size_t pairs = classes * (classes - 1) / 2;
  size_t vectors = 0;
  for (int64_t n : a.ints("vectors_per_class")) {
    if (n < 0 || n > limits::kTensorElementsMax) return c.fail("vectors_per_class hold {}", n);
    vectors += static_cast<size_t>(n);
  }
  const size_t proba = a.floats("prob_a").size();
  if (vectors == 0) {  // linear: a row of coefficients a class
    if (coefficients == 0 || coefficients % classes || a.floats("rho").empty())
      return c.fail("has {} coefficients and {} rho for {} classes", coefficients, a.floats("rho").size(), classes);
    INGOT_TRY(require_features(c, x.features, coefficients / classes));
    return set_classes(c, x.rows, classes);
  }
  const size_t support = a.floats("support_vectors").size();
  if (a.ints("vectors_per_class").size() != classes || support == 0 || support % vectors || classes < 2 ||
      coefficients < (classes - 1) * vectors || a.floats("rho").size() < pairs)
    return c.fail("{} classes, {} support vectors, {} coefficients and {} rho do not fit", classes, vectors,
                  coefficients, a.floats("rho").size());
  if (proba != a.floats("prob_b").size() || (proba && proba < pairs))
    return c.fail("has {} prob_a and {} prob_b, needs {}", proba, a.floats("prob_b").size(), pairs);
  INGOT_TRY(require_features(c, x.features, support / vectors));
  return set_classes(c, x.rows, proba || classes == 2 ? classes : pairs);
}

Result<void> infer_svm_regressor(InferContext& c) {
  const Matrix x = INGOT_TRY(matrix(c));
  INGOT_TRY(require_kernel(c));
  const Attributes& a = c.attributes();
  const int64_t supports = a.get_int("n_supports");
  const size_t coefficients = a.floats("coefficients").size(), support = a.floats("support_vectors").size();
  if (a.floats("rho").empty() || coefficients == 0) return c.fail("has no coefficients or no rho");
  if (supports < 0) return c.fail("n_supports is {}", supports);
  if (supports > 0) {
    const size_t n = static_cast<size_t>(supports);
    if (support == 0 || support % n || coefficients < n)
      return c.fail("has {} coefficients and {} numbers for {} support vectors", coefficients, support, n);
    INGOT_TRY(require_features(c, x.features, support / n));
  } else {
    INGOT_TRY(require_features(c, x.features, coefficients));
  }
  c.set(0, DType::kF32, {x.rows, 1});
  return require_transform(c);
}

namespace {

constexpr int64_t kTreeTargetsMax = 1 << 20;

Result<void> require_trees(InferContext& c) {
  const DType t = c.type(1).dtype;
  if (t != DType::kF32 && t != DType::kF64) return c.fail("the splits are {}", c.type(1).to_string());
  for (int i : {2, 3, 4, 5}) INGOT_TRY(require_dtype(c, i, DType::kI32));
  for (int i : {6, 7}) INGOT_TRY(require_dtype(c, i, t));
  return require_transform(c);
}

}  // namespace

Result<void> infer_trees(InferContext& c) {
  const Matrix x = INGOT_TRY(matrix(c));
  INGOT_TRY(require_trees(c));
  const int64_t targets = c.attributes().get_int("n_targets");
  if (targets < 1 || targets > kTreeTargetsMax) return c.fail("n_targets is {}", targets);
  const std::string aggregate = c.attributes().get_string("aggregate_function", "SUM");
  if (aggregate != "SUM" && aggregate != "AVERAGE" && aggregate != "MIN" && aggregate != "MAX")
    return c.fail("aggregate_function '{}' is not SUM, AVERAGE, MIN or MAX", aggregate);
  const auto dtype = dtype_from_name(c.attributes().get_string("output_dtype", "f32"));
  if (!dtype || !is_float(*dtype)) return c.fail("output_dtype is no float");
  c.set(0, *dtype, {x.rows, targets});
  return {};
}

Result<void> infer_tree_classifier(InferContext& c) {
  const Matrix x = INGOT_TRY(matrix(c));
  INGOT_TRY(require_trees(c));
  const size_t classes = num_labels(c);
  if (!classes || classes > kClassesMax) return c.fail("has {} class labels", classes);
  return set_classes(c, x.rows, classes);
}

Result<void> infer_zip_map(InferContext& c) {
  const size_t labels = num_labels(c);
  if (!labels) return c.fail("names no class labels, or two kinds of them");
  INGOT_TRY(require_dtype(c, 0, DType::kF32));
  if (c.ranked(0) && (c.rank(0) < 1 || c.rank(0) > 2))
    return c.fail("the scores are {}, not [N,C] or [C]", c.type(0).to_string());
  if (c.ranked(0)) INGOT_TRY(require_features(c, c.dims(0).back(), labels));
  const bool strings = !c.attributes().strings("classlabels_strings").empty();
  const Dims size{static_cast<int64_t>(labels)};
  c.set(0, Type::sequence(Type::container(
               DType::kMap, {Type::of(strings ? DType::kString : DType::kI64, size), Type::of(DType::kF32, size)})));
  return {};
}

namespace {

// A map's types of keys and values. Errors: the operand is none.
Result<std::pair<DType, DType>> map_types(InferContext& c) {
  const Type& t = c.type(0);
  if (t.dtype != DType::kMap || t.elements.size() != 2) return c.fail("the operand is {}, not a map", t.to_string());
  return std::pair{t.elements[0].dtype, t.elements[1].dtype};
}

}  // namespace

Result<void> infer_dict_vectorizer(InferContext& c) {
  const auto [keys, values] = INGOT_TRY(map_types(c));
  const bool text = keys == DType::kString;
  if ((!text && keys != DType::kI64) || is_quantized(values) || is_container(values))
    return c.fail("the operand is {}", c.type(0).to_string());
  const size_t words =
      text ? c.attributes().strings("string_vocabulary").size() : c.attributes().ints("int64_vocabulary").size();
  if (words == 0) return c.fail("has no vocabulary for {}", c.type(0).to_string());
  c.set(0, values, {1, static_cast<int64_t>(words)});
  return {};
}

Result<void> infer_cast_map(InferContext& c) {
  const auto [keys, values] = INGOT_TRY(map_types(c));
  if (keys != DType::kI64 || (values != DType::kString && values != DType::kF32))
    return c.fail("the operand is {}", c.type(0).to_string());
  const std::string to = c.attributes().get_string("cast_to", "TO_FLOAT"),
                    form = c.attributes().get_string("map_form", "DENSE");
  if (to != "TO_FLOAT" && to != "TO_STRING" && to != "TO_INT64") return c.fail("cast_to '{}' is not known", to);
  if (form != "DENSE" && form != "SPARSE") return c.fail("map_form '{}' is not known", form);
  if (c.attributes().get_int("max_map", 1) < 0) return c.fail("max_map is negative");
  c.set(0, to == "TO_FLOAT" ? DType::kF32 : to == "TO_STRING" ? DType::kString : DType::kI64, {1, Dim::unknown()});
  return {};
}

}  // namespace ingot
