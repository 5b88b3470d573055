#include "formats/onnx/onnx_import.h"

#include <filesystem>
#include <map>

#include "base/mapped_file.h"
#include "formats/onnx/graph_builder.h"

namespace ingot {
namespace {

using onnx::find_operator;
namespace pb = onnx::pb;

constexpr int64_t kIrMin = 3, kIrMax = 14;
constexpr size_t kNodesNamedMax = 3;  // of one unknown operator

bool standard_domain(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

// Operators that are not built -> their nodes' names.
void collect_unknown(const pb::GraphDef& graph, std::map<std::string, std::vector<std::string>>& out) {
  for (const auto& n : graph.node()) {
    const std::string key = onnx::operator_key(n.domain(), n.op_type());
    if (!find_operator(key)) out[key.substr(0, 200)].push_back(n.name().substr(0, 200));
    for (const auto& a : n.attribute())
      if (a.type() == pb::AttributeDef::GRAPH) collect_unknown(a.g(), out);
  }
}

// Before anything walks the graphs: how many nodes they have together, and how deep they are nested.
Result<void> check_size(const pb::GraphDef& graph, int depth, int64_t& nodes) {
  if (depth > limits::kSubgraphDepthMax)
    return invalid("[onnx] graph '{}' is nested deeper than the limit {}", graph.name().substr(0, 200),
                   limits::kSubgraphDepthMax);
  nodes += graph.node_size();
  if (nodes > limits::kGraphNodesMax) return invalid("[onnx] the model has more than {} nodes", limits::kGraphNodesMax);
  for (const auto& n : graph.node())
    for (const auto& a : n.attribute())
      if (a.type() == pb::AttributeDef::GRAPH) INGOT_TRY(check_size(a.g(), depth + 1, nodes));
  return {};
}

Result<void> check_operators(const pb::Model& model) {
  std::map<std::string, std::vector<std::string>> unknown;
  collect_unknown(model.graph(), unknown);
  if (unknown.empty()) return {};
  std::string list;
  for (const auto& [op, nodes] : unknown) {
    list += (list.empty() ? "" : "; ") + op + " (";
    for (size_t i = 0; i < std::min(nodes.size(), kNodesNamedMax); ++i) list += (i ? ", '" : "'") + nodes[i] + "'";
    list += nodes.size() > kNodesNamedMax ? fmt::format(" and {} more)", nodes.size() - kNodesNamedMax) : ")";
  }
  const bool functions = model.functions_size() > 0;
  return unimplemented("[onnx] operators that are not built: {}{}", list,
                       functions ? " (the model defines functions, which are not supported)" : "");
}

// The versions of the domains that the model imports.
Result<std::map<std::string, int64_t>> check_header(const pb::Model& model) {
  if (!model.has_graph()) return invalid("[onnx] the file holds no graph: it is not an ONNX model");
  if (model.ir_version() < kIrMin || model.ir_version() > kIrMax)
    return unimplemented("[onnx] IR version {} is not in [{}, {}]", model.ir_version(), kIrMin, kIrMax);
  if (model.training_info_size()) return unimplemented("[onnx] training models are not supported");
  std::map<std::string, int64_t> opsets;
  for (const auto& o : model.opset_import()) opsets[standard_domain(o.domain()) ? "" : o.domain()] = o.version();
  const int64_t opset = opsets.contains("") ? opsets[""] : 0;
  if (opsets.empty() && model.graph().node_size()) return invalid("[onnx] the model names no opset");
  if (opset != 0 && (opset < kOnnxOpsetMin || opset > kOnnxOpsetMax))
    return unimplemented("[onnx] opset {} is not in [{}, {}]; convert the model with onnx.version_converter", opset,
                         kOnnxOpsetMin, kOnnxOpsetMax);
  return opsets;
}

// `bytes` need not outlive the call.
Result<Graph> import(std::span<const std::byte> bytes, const std::string& folder) {
  if (bytes.size() > INT32_MAX)
    return invalid("[onnx] {} bytes are over protobuf's limit of 2 GiB; save the model with external data",
                   bytes.size());
  auto model = std::make_shared<pb::Model>();
  if (!model->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return error(Code::kDataLoss,
                 "[onnx] the file is not a complete protobuf message: damaged, or not an ONNX model; export or "
                 "download it again");
  int64_t nodes = 0;
  if (model->has_graph()) {
    INGOT_TRY(check_size(model->graph(), 0, nodes));
    INGOT_TRY(check_operators(*model));
  }
  onnx::ModelContext context{.opsets = INGOT_TRY(check_header(*model)), .tensors = onnx::TensorReader(model, folder)};
  return onnx::GraphBuilder(context).build(model->graph());
}

}  // namespace

Result<Graph> import_onnx_bytes(std::span<const std::byte> bytes, const std::string& folder) {
  return import(bytes, folder);
}

Result<Graph> import_onnx(const std::string& path) {
  const auto file = INGOT_TRY(MappedFile::open(path));
  std::string folder = std::filesystem::path(path).parent_path().string();
  auto graph = import(file->bytes(), folder.empty() ? "." : folder);
  if (!graph) return std::unexpected(graph.error().with_context(path));
  return graph;
}

Result<Tensor> parse_onnx_tensor(std::span<const std::byte> bytes) {
  auto tensor = std::make_shared<pb::TensorDef>();
  if (bytes.size() > INT32_MAX || !tensor->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return error(Code::kDataLoss, "[onnx] not a serialized tensor");
  bool file_backed = false;
  return onnx::TensorReader(tensor, "").read(*tensor, &file_backed);
}

}  // namespace ingot
