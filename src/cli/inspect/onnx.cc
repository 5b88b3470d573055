#include "cli/inspect/onnx.h"

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <map>

#include "cli/table.h"
#include "formats/printable.h"

namespace ingot::cli {
namespace {

namespace bj = boost::json;

struct Totals {
  std::map<std::string, int64_t> operators;
  int64_t nodes = 0;
  uint64_t constants = 0, parameters = 0, bytes = 0;
};

void count(const Graph& g, Totals& t) {
  for (NodeId id : g.order()) {
    const Node& n = g.node(id);
    ++t.nodes;
    ++t.operators[std::string(op_name(n.op))];
    for (const auto& [name, sub] : n.subgraphs) count(*sub, t);
  }
  for (size_t i = 0; i < g.num_values(); ++i)
    if (const Tensor* c = g.constant(ValueId{static_cast<int32_t>(i)}); c && c->defined()) {
      ++t.constants;
      t.parameters += static_cast<uint64_t>(c->shape().num_elements());
      t.bytes += c->view().num_bytes();
    }
}

std::vector<std::pair<std::string, int64_t>> by_count(const Totals& t) {
  std::vector<std::pair<std::string, int64_t>> list(t.operators.begin(), t.operators.end());
  std::ranges::stable_sort(list, [](const auto& a, const auto& b) { return a.second > b.second; });
  return list;
}

uint64_t file_bytes(const std::string& path) {
  std::error_code ec;
  const auto bytes = std::filesystem::file_size(path, ec);
  return ec ? 0 : bytes;
}

bj::array values_json(const Graph& g, const std::vector<ValueId>& ids) {
  bj::array out;
  for (ValueId v : ids)
    out.push_back(bj::object{{"name", valid_utf8(g.value(v).name)}, {"type", valid_utf8(g.value(v).type.to_string())}});
  return out;
}

}  // namespace

std::string onnx_text(const Graph& g, const std::string& path, bool with_tensors) {
  Totals t;
  count(g, t);
  Table head({"", ""});
  head.add({"format", "ONNX"});
  head.add({"file", fmt::format("{} ({})", printable(path, 400), human_bytes(file_bytes(path)))});
  head.add({"graph", printable(g.name)});
  head.add({"nodes", with_commas(static_cast<uint64_t>(t.nodes))});
  head.add({"weights", fmt::format("{} in {} tensors ({} elements)", human_bytes(t.bytes), with_commas(t.constants),
                                   with_commas(t.parameters))});
  Table values({"", "name", "type"});
  for (ValueId v : g.inputs())
    values.add({"input", printable(g.value(v).name), printable(g.value(v).type.to_string())});
  for (ValueId v : g.outputs())
    values.add({"output", printable(g.value(v).name), printable(g.value(v).type.to_string())});
  Table operators({"operator", ">nodes"});
  for (const auto& [name, number] : by_count(t)) operators.add({name, std::to_string(number)});
  std::string out = fmt::format("{}\n{}\n{}", head.text(), values.text(), operators.text());
  if (!with_tensors) return out;
  Table tensors({"name", "type", ">shape", ">bytes"});
  for (size_t i = 0; i < g.num_values(); ++i) {
    const ValueId v{static_cast<int32_t>(i)};
    if (const Tensor* c = g.constant(v); c && c->defined())
      tensors.add({printable(g.value(v).name), std::string(dtype_name(c->dtype())), c->shape().to_string(),
                   with_commas(c->view().num_bytes())});
  }
  return out + fmt::format("\ntensors ({})\n{}", t.constants, tensors.text("  "));
}

std::string onnx_json(const Graph& g, const std::string& path) {
  Totals t;
  count(g, t);
  bj::object operators;
  for (const auto& [name, number] : by_count(t)) operators[name] = number;
  bj::array tensors;
  for (size_t i = 0; i < g.num_values(); ++i) {
    const ValueId v{static_cast<int32_t>(i)};
    if (const Tensor* c = g.constant(v); c && c->defined())
      tensors.push_back(bj::object{{"name", valid_utf8(g.value(v).name)},
                                   {"dtype", dtype_name(c->dtype())},
                                   {"shape", bj::array(c->shape().begin(), c->shape().end())},
                                   {"bytes", c->view().num_bytes()}});
  }
  const bj::object out{{"format", "ONNX"},
                       {"files", bj::array{bj::object{{"path", valid_utf8(path)}, {"bytes", file_bytes(path)}}}},
                       {"inputs", values_json(g, g.inputs())},
                       {"outputs", values_json(g, g.outputs())},
                       {"operators", std::move(operators)},
                       {"nodes", t.nodes},
                       {"parameters", t.parameters},
                       {"weight_bytes", t.bytes},
                       {"tensors", std::move(tensors)}};
  return bj::serialize(out) + "\n";
}

}  // namespace ingot::cli
