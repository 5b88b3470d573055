// Graph -> text. The grammar is in parse.cc.
#include <cctype>

#include "ir/graph.h"

namespace ingot {
namespace {

constexpr int64_t kInlineElementsMax = 16;

std::string quoted(std::string_view s) {
  std::string out = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + '"';
}

std::string value_name(const Graph& g, ValueId v) {
  if (v == kNoValue) return "_";
  const std::string& n = g.value(v).name;
  for (char c : n)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '.' && c != '/' && c != ':')
      return "%" + quoted(n);
  return "%" + n;
}

template <class T>
void append_numbers(std::string& out, const Tensor& t) {
  const T* p = t.as<T>();
  for (int64_t i = 0; i < t.shape().num_elements(); ++i) {
    if (i) out += ',';
    out += fmt::format("{}", +p[i]);
  }
}

// "[1,2,3]" for a small constant of a common type, else "".
std::string inline_elements(const Tensor& t) {
  if (!t.defined() || !t.view().data || t.shape().num_elements() > kInlineElementsMax) return "";
  std::string out = "[";
  switch (t.dtype()) {
    case DType::kF32: append_numbers<float>(out, t); break;
    case DType::kF64: append_numbers<double>(out, t); break;
    case DType::kI64: append_numbers<int64_t>(out, t); break;
    case DType::kI32: append_numbers<int32_t>(out, t); break;
    case DType::kU8:
    case DType::kBool: append_numbers<uint8_t>(out, t); break;
    case DType::kI8: append_numbers<int8_t>(out, t); break;
    default: return "";
  }
  return out + "]";
}

template <class T>
std::string list_text(const std::vector<T>& list) {
  std::string out = "[";
  for (size_t i = 0; i < list.size(); ++i) {
    if (i) out += ',';
    if constexpr (std::is_same_v<T, std::string>)
      out += quoted(list[i]);
    else if constexpr (std::is_same_v<T, float>)
      out += fmt::format("{}f", list[i]);
    else
      out += std::to_string(list[i]);
  }
  return out + "]";
}

struct AttributeText {
  std::vector<const Tensor*>& omitted;
  std::string operator()(int64_t v) const { return std::to_string(v); }
  std::string operator()(float v) const { return fmt::format("{}f", v); }
  std::string operator()(const std::string& v) const { return quoted(v); }
  std::string operator()(const std::vector<int64_t>& v) const { return list_text(v); }
  std::string operator()(const std::vector<float>& v) const { return v.empty() ? "f[]" : list_text(v); }
  std::string operator()(const std::vector<std::string>& v) const { return v.empty() ? "s[]" : list_text(v); }
  std::string operator()(const Tensor& t) const {
    const std::string elements = inline_elements(t);
    if (elements.empty()) omitted.push_back(&t);
    return "tensor " + Type::of(t.view()).to_string() + elements;
  }
};

void print_to(const Graph& g, const std::string& indent, std::string& out, std::vector<const Tensor*>& omitted) {
  const std::string inner = indent + "  ";
  out += "graph " + quoted(g.name) + " {\n";
  for (ValueId v : g.inputs()) out += inner + "input " + value_name(g, v) + ": " + g.value(v).type.to_string() + "\n";
  for (ValueId v : g.states()) out += inner + "state " + value_name(g, v) + ": " + g.value(v).type.to_string() + "\n";
  for (size_t i = 0; i < g.num_values(); ++i) {
    const ValueId v{static_cast<int32_t>(i)};
    const Value& value = g.value(v);
    if (value.kind != ValueKind::kConstant || !value.constant.defined()) continue;
    const std::string elements = inline_elements(value.constant);
    if (elements.empty()) omitted.push_back(&value.constant);
    out += inner + "const " + value_name(g, v) + ": " + value.type.to_string() +
           (elements.empty() ? "" : " = " + elements) + "\n";
  }
  for (NodeId id : g.order()) {
    const Node& n = g.node(id);
    out += inner;
    for (size_t i = 0; i < n.outputs.size(); ++i)
      out += (i ? ", " : "") + value_name(g, n.outputs[i]) + ": " + g.value(n.outputs[i]).type.to_string();
    out += " = " + std::string(op_name(n.op)) + "(";
    for (size_t i = 0; i < n.inputs.size(); ++i) out += (i ? ", " : "") + value_name(g, n.inputs[i]);
    out += ")";
    if (!n.attributes.map().empty() || !n.subgraphs.empty()) {
      out += " {";
      bool first = true;
      for (const auto& [key, a] : n.attributes.map()) {
        out += (first ? "" : ", ") + key + "=" + std::visit(AttributeText{omitted}, a);
        first = false;
      }
      for (const auto& [key, sub] : n.subgraphs) {
        out += (first ? "" : ", ") + key + "=";
        print_to(*sub, inner, out, omitted);
        first = false;
      }
      out += "}";
    }
    if (!n.name.empty()) out += " @" + quoted(n.name);
    out += "\n";
  }
  out += inner + "output ";
  for (size_t i = 0; i < g.outputs().size(); ++i) out += (i ? ", " : "") + value_name(g, g.outputs()[i]);
  out += "\n" + indent + "}";
}

}  // namespace

std::string print(const Graph& graph, std::vector<const Tensor*>& omitted) {
  std::string out;
  print_to(graph, "", out, omitted);
  return out + "\n";
}

std::string print(const Graph& graph) {
  std::vector<const Tensor*> omitted;
  return print(graph, omitted);
}

}  // namespace ingot
