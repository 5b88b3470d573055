#include "text/tools/tool_grammar.h"

#include <boost/json.hpp>

namespace ingot::tools {
namespace {

namespace json = boost::json;
using grammar::Expr;
using grammar::literal;
using grammar::ObjectStyle;
using grammar::sequence;

// Around each call and around all of them.
struct Frame {
  Expr begin, call_begin, call_end, between, end;
};

class Writer {
 public:
  Writer(grammar::Rules& rules, const DemandedCalls& wanted) : rules_(rules), wanted_(wanted) {}

  Result<Expr> write(std::span<const Tool> tools) {
    std::vector<Expr> ways;
    for (size_t i = 0; i < tools.size(); ++i) ways.push_back(INGOT_TRY(call(tools[i], i)));
    const Frame f = frame();
    const Expr one = sequence({f.call_begin, grammar::choice(std::move(ways)), f.call_end});
    std::vector<Expr> parts{f.begin, one};
    if (wanted_.several) parts.push_back(grammar::repeat(sequence({f.between, one}), 0, -1));
    parts.push_back(f.end);
    return sequence(std::move(parts));
  }

 private:
  Expr mark(std::string_view text) const {
    return wanted_.is_special && wanted_.is_special(text) ? grammar::special_token(text) : literal(std::string(text));
  }

  Frame frame() const {
    const Expr none = literal("");
    switch (wanted_.format) {
      case ToolFormat::kHermes:
        return {none, sequence({mark("<tool_call>"), literal("\n")}), sequence({literal("\n"), mark("</tool_call>")}),
                literal("\n"), none};
      case ToolFormat::kLlama3: return {none, none, none, literal("; "), none};
      case ToolFormat::kMistral:
        return {sequence({mark("[TOOL_CALLS]"), literal("[")}), none, none, literal(", "), literal("]")};
      case ToolFormat::kMistralNamed: return {none, mark("[TOOL_CALLS]"), none, none, none};
      case ToolFormat::kPythonic: return {literal("["), none, none, literal(", "), literal("]")};
      case ToolFormat::kGemma: return {literal("```tool_code\n"), none, none, literal("\n"), literal("\n```")};
      case ToolFormat::kFunctionGemma:
        return {none, sequence({mark("<start_function_call>"), literal("call:")}), mark("<end_function_call>"), none,
                none};
    }
    return {none, none, none, none, none};
  }

  // One call of this tool, without what stands around calls.
  Result<Expr> call(const Tool& tool, size_t number) {
    const bool python = wanted_.format == ToolFormat::kPythonic || wanted_.format == ToolFormat::kGemma;
    const auto style = python ? ObjectStyle::kKeywords : ObjectStyle::kJson;
    auto arguments = schema(tool, number, style);
    if (!arguments)
      return std::unexpected(arguments.error().with_context(fmt::format("the parameters of tool '{}'", tool.name)));
    const std::string quoted = json::serialize(json::string(tool.name));
    switch (wanted_.format) {
      case ToolFormat::kHermes:
      case ToolFormat::kMistral:
        return sequence({literal("{\"name\": " + quoted + ", \"arguments\": "), *arguments, literal("}")});
      case ToolFormat::kLlama3:
        return sequence({literal("{\"name\": " + quoted + ", \"parameters\": "), *arguments, literal("}")});
      case ToolFormat::kMistralNamed: return sequence({literal(tool.name), mark("[ARGS]"), *arguments});
      case ToolFormat::kPythonic:
      case ToolFormat::kGemma: return sequence({literal(tool.name + "("), *arguments, literal(")")});
      case ToolFormat::kFunctionGemma: return sequence({literal(tool.name), *arguments});
    }
    return *arguments;
  }

  Result<Expr> schema(const Tool& tool, size_t number, ObjectStyle style) {
    json::value parameters = tool.parameters;
    if (parameters.is_null()) parameters = json::object();
    if (!parameters.is_object()) return invalid("[tools] a JSON Schema of an object must stand here");
    json::object& o = parameters.get_object();
    bool combined = false, empty = true;
    for (const char* key : {"$ref", "anyOf", "oneOf", "allOf", "const", "enum"}) combined |= o.contains(key);
    if (const json::value* type = o.if_contains("type"); type && *type != "object")
      return invalid("[tools] the type of parameters must be 'object', not {}", json::serialize(*type).substr(0, 40));
    if (!combined) o["type"] = "object";
    for (const auto& [key, value] : o)  // an object of which nothing is said has no members here
      empty &= key == "type" || key == "description" || (key == "properties" && value == json::object());
    if (empty) return literal(style == ObjectStyle::kKeywords ? "" : "{}");
    return add_json_schema(rules_, parameters, fmt::format("tool {} ", number), style);
  }

  grammar::Rules& rules_;
  const DemandedCalls& wanted_;
};

}  // namespace

Result<Expr> demanded_calls(grammar::Rules& rules, std::span<const Tool> tools, const DemandedCalls& wanted) {
  if (tools.empty()) return invalid("[tools] there is no tool to call");
  return Writer(rules, wanted).write(tools);
}

}  // namespace ingot::tools
