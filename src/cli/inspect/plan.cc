#include "cli/inspect/plan.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <set>

#include "backends/cpu/cpu.h"
#include "backends/ref/ref.h"
#include "cli/command.h"
#include "cli/table.h"
#include "formats/printable.h"
#include "plan/binding.h"
#include "plan/plan.h"
#include "runtime/session.h"

namespace ingot::cli {
namespace {

namespace bj = boost::json;

constexpr std::string_view kAllPasses = "all";

// Numbers for the symbols of dimensions: the given ones, 1 for the others that are met.
class Sizes {
 public:
  explicit Sizes(const std::map<std::string, int64_t>& given) : given_(given) {}

  Result<std::vector<Shape>> shapes(const Graph& graph, const std::vector<ValueId>& values) {
    std::vector<Shape> shapes;
    for (ValueId v : values) {
      Shape& shape = shapes.emplace_back();
      const Type& type = graph.value(v).type;
      if (type.ranked())
        for (const Dim& d : *type.dims) shape.push_back(INGOT_TRY(size(d)));
    }
    return shapes;
  }

  Result<void> check_names() const {
    for (const auto& [name, size] : given_)
      if (!used_.contains(name))
        return invalid("[cli] --dim '{}': the inputs have no such dimension; they have: {}", printable(name), names());
    return {};
  }

  std::string text() const {  // "batch=1, tokens=512"
    std::string out;
    for (const auto& [name, size] : used_) out += fmt::format("{}{}={}", out.empty() ? "" : ", ", name, size);
    return out;
  }
  const std::map<std::string, int64_t>& used() const { return used_; }

 private:
  std::string names() const {
    std::string out;
    for (const auto& [name, size] : used_) out += fmt::format("{}{}", out.empty() ? "" : ", ", name);
    return out.empty() ? "none" : out;
  }

  // "sequences+1" with numbers in place of its symbols, worked out.
  Result<int64_t> size(const Dim& dim) {
    if (dim.is_const()) return dim.value();
    if (dim.is_unknown()) return 1;
    const std::string text = dim.to_string();
    std::string numbers;
    for (size_t i = 0; i < text.size();) {
      size_t end = i;
      while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_')) ++end;
      const std::string word = text.substr(i, std::max<size_t>(end - i, 1));
      const bool function = end < text.size() && text[end] == '(';
      const bool symbol = end > i && !std::isdigit(static_cast<unsigned char>(word[0])) && !function;
      numbers += symbol ? std::to_string(number_of(word)) : word;
      i += word.size();
    }
    const auto value = Dim::parse(numbers);
    return value && value->is_const() ? value->value() : number_of(text);  // a name that is no word ("batch.size")
  }

  int64_t number_of(const std::string& name) {
    const auto it = given_.find(name);
    return used_[name] = it == given_.end() ? 1 : it->second;
  }

  const std::map<std::string, int64_t>& given_;
  std::map<std::string, int64_t> used_;
};

struct Memory {
  size_t packed_bytes, constant_bytes, arena_bytes = 0, state_bytes = 0;
  std::string problem;  // why there is no arena figure
  std::map<std::string, int64_t> sizes;
  std::string sizes_text;
};

Result<Memory> memory_of(const Plan& plan, const PlanOptions& options) {
  const Graph& g = plan.graph();
  Sizes sizes(options.dims);
  const auto inputs = INGOT_TRY(sizes.shapes(g, g.inputs()));
  const auto states = INGOT_TRY(sizes.shapes(g, g.states()));
  INGOT_TRY(sizes.check_names());
  Memory m{.packed_bytes = plan.prepared_bytes(), .constant_bytes = plan.constant_bytes()};
  m.sizes = sizes.used();
  m.sizes_text = sizes.text();
  for (size_t i = 0; i < states.size(); ++i)
    m.state_bytes += TensorView{g.value(g.states()[i]).type.dtype, states[i], nullptr}.num_bytes();
  const auto binding = ingot::bind(plan, inputs, states, 1);
  if (binding)
    m.arena_bytes = (*binding)->arena_bytes;
  else
    m.problem = binding.error().message();
  return m;
}

std::string memory_text(const Memory& m) {
  Table table({"memory", ">"});
  table.add({"weights, packed for the kernels", human_bytes(m.packed_bytes)});
  table.add({"constants read as they are", human_bytes(m.constant_bytes)});
  if (m.state_bytes) table.add({"states (KV cache)", human_bytes(m.state_bytes)});
  table.add({"intermediate values", m.problem.empty() ? human_bytes(m.arena_bytes) : "unknown"});
  std::string out = table.text();
  if (!m.problem.empty()) out += fmt::format("unknown because: {}\n", printable(m.problem, 400));
  return m.sizes_text.empty() ? out : out + fmt::format("for {}; other sizes: --dim NAME=SIZE\n", m.sizes_text);
}

std::string passes_text(const PassReport& report) {
  Table table({"pass", "changed", ">nodes before", ">after", ">ms"});
  double total = 0;
  for (const auto& e : report.entries) {
    table.add({std::string(e.name), e.changed ? "yes" : "", std::to_string(e.nodes_before),
               std::to_string(e.nodes_after), fmt::format("{:.2f}", e.ms)});
    total += e.ms;
  }
  table.add({"all", "", "", "", fmt::format("{:.2f}", total)});
  return table.text();
}

std::string types(const Graph& g, const std::vector<ValueId>& values) {
  std::string out;
  for (ValueId v : values)
    out += fmt::format("{}{}", out.empty() ? "" : " ", v == kNoValue ? "_" : g.value(v).type.to_string());
  return out;
}

std::string kernel_name(const Step& s) { return s.kernel.run ? s.kernel.name : "-"; }

void add_steps(const Plan& plan, bool why, const std::string& indent, Table& table) {
  const Graph& g = plan.graph();
  for (size_t i = 0; i < plan.steps().size(); ++i) {
    const Step& s = plan.steps()[i];
    const Node& n = g.node(s.node);
    table.add({indent + std::to_string(i + 1), std::string(op_name(n.op)), kernel_name(s), std::string(s.backend),
               printable(n.name), printable(types(g, n.outputs)), printable(types(g, n.inputs), 200)});
    if (why && !s.why.empty()) table.add({"", "  why: " + printable(s.why, 400)});
    for (size_t sub = 0; sub < s.subplans.size(); ++sub) {
      table.add({indent + "  " + n.subgraphs[sub].first});
      add_steps(*s.subplans[sub], why, indent + "  ", table);
    }
  }
}

std::string steps_text(const Plan& plan, bool why) {
  Table table({"step", "op", "kernel", "backend", "node", "result", "operands"});
  add_steps(plan, why, "", table);
  return table.text();
}

bj::array type_list(const Graph& g, const std::vector<ValueId>& values) {
  bj::array out;
  for (ValueId v : values)
    out.push_back(v == kNoValue ? bj::value(nullptr) : bj::value(valid_utf8(g.value(v).type.to_string())));
  return out;
}

bj::array steps_json(const Plan& plan) {
  const Graph& g = plan.graph();
  bj::array out;
  for (const Step& s : plan.steps()) {
    const Node& n = g.node(s.node);
    bj::object step{{"op", op_name(n.op)},
                    {"kernel", s.kernel.run ? bj::value(s.kernel.name) : bj::value(nullptr)},
                    {"backend", s.backend},
                    {"node", valid_utf8(n.name)},
                    {"operands", type_list(g, n.inputs)},
                    {"results", type_list(g, n.outputs)},
                    {"why", valid_utf8(s.why)}};
    bj::object subplans;
    for (size_t i = 0; i < s.subplans.size(); ++i) subplans[n.subgraphs[i].first] = steps_json(*s.subplans[i]);
    if (!subplans.empty()) step["subplans"] = std::move(subplans);
    out.push_back(std::move(step));
  }
  return out;
}

bj::array passes_json(const PassReport& report) {
  bj::array out;
  for (const auto& e : report.entries)
    out.push_back(bj::object{{"name", e.name},
                             {"changed", e.changed},
                             {"nodes_before", e.nodes_before},
                             {"nodes_after", e.nodes_after},
                             {"ms", e.ms}});
  return out;
}

bj::object memory_json(const Memory& m) {
  bj::object sizes;
  for (const auto& [name, size] : m.sizes) sizes[valid_utf8(name)] = size;
  return {{"packed_bytes", m.packed_bytes},
          {"constant_bytes", m.constant_bytes},
          {"state_bytes", m.state_bytes},
          {"arena_bytes", m.problem.empty() ? bj::value(m.arena_bytes) : bj::value(nullptr)},
          {"sizes", std::move(sizes)}};
}

}  // namespace

std::vector<std::string> pass_names() {
  std::vector<std::string> names;
  for (const Pass& p : all_passes())
    if (std::ranges::find(names, p.name) == names.end()) names.emplace_back(p.name);
  names.emplace_back(kAllPasses);
  return names;
}

std::vector<std::string> disabled_passes(const std::vector<std::string>& given) {
  std::vector<std::string> names = given;
  if (std::erase(names, kAllPasses) > 0)
    for (const Pass& p : all_passes()) names.emplace_back(p.name);
  return names;
}

Result<std::string> plan_text(Graph graph, const PlanOptions& options) {
  const PassReport report = INGOT_TRY(optimize(graph, ref_backend(), disabled_passes(options.disabled_passes)));
  bj::object json{{"passes", passes_json(report)}};
  std::string text;
  if (options.graph) text = print(graph);
  if (options.graph && options.json) json["graph"] = valid_utf8(text);
  if (options.plan || options.why) {
    ThreadPool pool(ThreadPool::default_threads());
    const auto plan = INGOT_TRY(
        compile(std::move(graph),
                {.backends = {&cpu_backend(), &ref_backend()}, .pool = &pool, .on_progress = options.on_progress}));
    const Memory memory = INGOT_TRY(memory_of(*plan, options));
    if (options.json) {
      json["steps"] = steps_json(*plan);
      json["memory"] = memory_json(memory);
    } else {
      text += fmt::format("{}{}\n{}\n{}", text.empty() ? "" : "\n", passes_text(report), steps_text(*plan, options.why),
                          memory_text(memory));
    }
  }
  return options.json ? bj::serialize(json) + "\n" : text;
}

}  // namespace ingot::cli
