#include "formats/onnx/onnx_import.h"

#include <filesystem>
#include <map>
#include <set>

#include "base/mapped_file.h"
#include "formats/onnx/graph_builder.h"
#include "formats/onnx/types.h"

namespace ingot {
namespace {

using onnx::find_operator;
namespace pb = onnx::pb;

constexpr int64_t kIrMin = 2, kIrMax = 14;
constexpr size_t kNodesNamedMax = 3;  // of one unknown operator
// A loop's body is built again until the types that it carries settle, the bodies in it each time: together so many
// nodes for each node of the model, and for small models these at least.
constexpr int64_t kBuildsMax = 64, kBuiltNodesMin = 1 << 17;

bool standard_domain(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

// Operators that are not built -> their nodes' names; nested graphs, and the functions that are called, included.
class UnknownOperators {
 public:
  explicit UnknownOperators(const onnx::FunctionTable& functions) : functions_(functions) {}

  void collect(const onnx::NodeList& nodes, const std::string& where) {
    for (const auto& n : nodes) {
      if (const pb::Function* f = functions_.find(n)) {
        if (seen_.insert(f).second) collect(f->node(), "function " + f->name().substr(0, 200) + ": ");
        continue;
      }
      const std::string key = onnx::operator_key(n.domain(), n.op_type());
      if (!find_operator(key)) found_[key.substr(0, 200)].push_back(where + n.name().substr(0, 200));
      for (const auto& a : n.attribute())
        if (a.type() == pb::AttributeDef::GRAPH) collect(a.g().node(), where);
    }
  }
  Result<void> check() const {
    if (found_.empty()) return {};
    std::string list;
    for (const auto& [op, nodes] : found_) {
      list += (list.empty() ? "" : "; ") + op + " (";
      for (size_t i = 0; i < std::min(nodes.size(), kNodesNamedMax); ++i) list += (i ? ", '" : "'") + nodes[i] + "'";
      list += nodes.size() > kNodesNamedMax ? fmt::format(" and {} more)", nodes.size() - kNodesNamedMax) : ")";
    }
    return unimplemented("[onnx] operators that are not built: {}", list);
  }

 private:
  const onnx::FunctionTable& functions_;
  std::set<const pb::Function*> seen_;
  std::map<std::string, std::vector<std::string>> found_;
};

// Before anything walks the graphs: how many nodes they have together, and how deep they are nested.
Result<void> check_size(const onnx::NodeList& list, const std::string& name, int depth, int64_t& nodes) {
  if (depth > limits::kSubgraphDepthMax)
    return invalid("[onnx] graph '{}' is nested deeper than the limit {}", name.substr(0, 200),
                   limits::kSubgraphDepthMax);
  nodes += list.size();
  if (nodes > limits::kGraphNodesMax) return invalid("[onnx] the model has more than {} nodes", limits::kGraphNodesMax);
  for (const auto& n : list)
    for (const auto& a : n.attribute())
      if (a.has_g()) INGOT_TRY(check_size(a.g().node(), a.g().name(), depth + 1, nodes));
  return {};
}

// The versions of the domains that the model imports.
Result<std::map<std::string, int64_t>> check_header(const pb::Model& model) {
  if (!model.has_graph()) return invalid("[onnx] the file holds no graph: it is not an ONNX model");
  if (model.ir_version() < kIrMin || model.ir_version() > kIrMax)
    return unimplemented("[onnx] IR version {} is not in [{}, {}]", model.ir_version(), kIrMin, kIrMax);
  std::map<std::string, int64_t> opsets;
  for (const auto& o : model.opset_import()) opsets[standard_domain(o.domain()) ? "" : o.domain()] = o.version();
  if (model.ir_version() < 3 && opsets.empty()) opsets[""] = 1;  // older than the field
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
  INGOT_TRY(check_size(model->graph().node(), model->graph().name(), 0, nodes));
  for (const auto& f : model->functions()) INGOT_TRY(check_size(f.node(), f.name(), 0, nodes));
  auto opsets = INGOT_TRY(check_header(*model));
  auto functions = INGOT_TRY(onnx::FunctionTable::create(*model));
  UnknownOperators unknown(functions);
  unknown.collect(model->graph().node(), "");
  INGOT_TRY(unknown.check());
  const int64_t expanded = functions.count_expanded(model->graph().node());
  if (expanded > limits::kGraphNodesMax)
    return invalid("[onnx] the model has more than {} nodes, with its functions in place", limits::kGraphNodesMax);
  onnx::ModelContext context{
      .opsets = std::move(opsets), .tensors = onnx::TensorReader(model, folder), .functions = std::move(functions)};
  context.nodes_imported_max = kBuildsMax * expanded + kBuiltNodesMin;
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

namespace {

template <class Proto>
Result<Tensor> parse_container(std::span<const std::byte> bytes, const Type& type) {
  auto value = std::make_shared<Proto>();
  if (bytes.size() > INT32_MAX || !value->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return error(Code::kDataLoss, "[onnx] not a serialized {}", type.to_string());
  onnx::TensorReader tensors(value, "");
  return onnx::read_value(*value, type, tensors);
}

}  // namespace

Result<Tensor> parse_onnx_value(std::span<const std::byte> bytes, const Type& type) {
  switch (type.dtype) {
    case DType::kSequence: return parse_container<pb::Sequence>(bytes, type);
    case DType::kOptional: return parse_container<pb::OptionalValue>(bytes, type);
    case DType::kMap: return parse_container<pb::Map>(bytes, type);
    default: return parse_onnx_tensor(bytes);
  }
}

}  // namespace ingot
