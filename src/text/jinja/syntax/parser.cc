#include "text/jinja/syntax/parser.h"

#include <algorithm>

#include "text/jinja/values/print.h"

namespace ingot::jinja {

Nesting::Nesting(Parser& parser) : parser_(parser) {
  if (parser.depth_ >= limits::kTemplateDepthMax) {
    parser.error(fmt::format("nested deeper than {} levels", limits::kTemplateDepthMax), parser.current().line);
  }
  ++parser.depth_;
}

void Parser::error(std::string message, int line) const { raise(Code::kInvalidArgument, std::move(message), line); }

void Parser::error_expected(std::string_view what) const {
  if (current().is(TokenType::kEnd)) {
    error(fmt::format("unexpected end of template, expected '{}'", what), current().line);
  }
  error(fmt::format("expected token '{}', got '{}'", what, describe(current())), current().line);
}

bool Parser::skip_name(std::string_view name) {
  if (!current().is_name(name)) return false;
  next();
  return true;
}

bool Parser::skip_operator(std::string_view op) {
  if (!current().is_operator(op)) return false;
  next();
  return true;
}

void Parser::expect_operator(std::string_view op) {
  if (!skip_operator(op)) error_expected(op);
}

void Parser::expect_name(std::string_view name) {
  if (!skip_name(name)) error_expected(name);
}

void Parser::expect(TokenType type, std::string_view what) {
  if (!current().is(type)) error_expected(what);
  next();
}

std::string Parser::expect_any_name() {
  if (!current().is(TokenType::kName)) error_expected("name");
  return next().text;
}

Body Parser::parse() {
  Body result = statements_until({});
  if (!current().is(TokenType::kEnd)) error_expected("end of template");
  return result;
}

Body Parser::statements_until(Names end) {
  const Nesting nesting(*this);
  Body result;
  while (!current().is(TokenType::kEnd)) {
    if (current().is(TokenType::kData)) {
      auto node = std::make_unique<DataNode>(current().line);
      node->text = next().text;
      result.push_back(std::move(node));
    } else if (current().is(TokenType::kVariableBegin)) {
      auto node = std::make_unique<PrintNode>(next().line);
      node->values.push_back(tuple({}));
      expect(TokenType::kVariableEnd, "end of print statement");
      result.push_back(std::move(node));
    } else {
      next();
      if (current().is(TokenType::kName) && std::find(end.begin(), end.end(), current().text) != end.end()) {
        return result;
      }
      NodePtr node = statement();
      if (node != nullptr) result.push_back(std::move(node));
      expect(TokenType::kBlockEnd, "end of statement block");
    }
  }
  if (!end.empty()) {
    error(fmt::format("Unexpected end of template. Jinja was looking for the tag '{}'. The innermost block that needs "
                      "to be closed is '{}'.",
                      end.back(), open_tags_.empty() ? "" : open_tags_.back()),
          current().line);
  }
  return result;
}

Body Parser::body(Names end, bool drop_end) {
  skip_operator(":");
  expect(TokenType::kBlockEnd, "end of statement block");
  Body result = statements_until(end);
  if (drop_end) next();
  return result;
}

NodePtr Parser::statement() {
  using Handler = NodePtr (Parser::*)();
  static constexpr std::pair<std::string_view, Handler> kStatements[] = {
      {"for", &Parser::parse_for},
      {"if", &Parser::parse_if},
      {"set", &Parser::parse_set},
      {"with", &Parser::parse_with},
      {"macro", &Parser::parse_macro},
      {"call", &Parser::parse_call_block},
      {"generation", &Parser::parse_generation},
      {"filter", &Parser::parse_filter_block},
      {"print", &Parser::parse_print},
      {"block", &Parser::parse_block},
      {"autoescape", &Parser::parse_autoescape},
      {"include", &Parser::parse_unsupported},
      {"import", &Parser::parse_unsupported},
      {"from", &Parser::parse_unsupported},
      {"extends", &Parser::parse_unsupported},
  };
  const Token& token = current();
  if (!token.is(TokenType::kName)) error("tag name expected", token.line);
  if (token.text == "break" || token.text == "continue") {
    next();
    return std::make_unique<Node>(token.text == "break" ? NodeKind::kBreak : NodeKind::kContinue, token.line);
  }
  for (const auto& [name, handler] : kStatements) {
    if (token.text != name) continue;
    open_tags_.emplace_back(name);
    NodePtr node = (this->*handler)();
    open_tags_.pop_back();
    return node;
  }
  error(fmt::format("Encountered unknown tag {}.{}", repr_of_string(token.text),
                    open_tags_.empty() ? "" : fmt::format(" The innermost open block is '{}'.", open_tags_.back())),
        token.line);
}

NodePtr Parser::parse_for() {
  static constexpr std::string_view kEnds[] = {"else", "endfor"};
  auto node = std::make_unique<ForNode>(next().line);
  node->target = assign_target(false, "in", false);
  expect_name("in");
  node->source = tuple({.with_condition = false, .end_name = "recursive"});
  if (skip_name("if")) node->test = expression();
  node->recursive = skip_name("recursive");
  node->body = body(kEnds, false);
  if (next().text == "else") node->otherwise = body(Names(kEnds).subspan(1), true);
  return node;
}

NodePtr Parser::parse_if() {
  static constexpr std::string_view kEnds[] = {"elif", "else", "endif"};
  auto node = std::make_unique<IfNode>(next().line);
  while (true) {
    IfNode::Branch branch;
    branch.test = tuple({.with_condition = false});
    branch.body = body(kEnds, false);
    node->branches.push_back(std::move(branch));
    const std::string& end = next().text;
    if (end == "elif") continue;
    if (end == "else") node->otherwise = body(Names(kEnds).subspan(2), true);
    return node;
  }
}

NodePtr Parser::parse_set() {
  static constexpr std::string_view kEnds[] = {"endset"};
  const int line = next().line;
  ExprPtr target = assign_target(false, "", true);
  if (skip_operator("=")) {
    auto node = std::make_unique<SetNode>(line);
    node->target = std::move(target);
    node->value = tuple({});
    return node;
  }
  auto node = std::make_unique<SetBlockNode>(line);
  node->target = std::move(target);
  node->filter = filter(nullptr, false);
  node->body = body(kEnds, true);
  return node;
}

NodePtr Parser::parse_with() {
  static constexpr std::string_view kEnds[] = {"endwith"};
  auto node = std::make_unique<WithNode>(next().line);
  while (!current().is(TokenType::kBlockEnd)) {
    if (!node->targets.empty()) expect_operator(",");
    node->targets.push_back(assign_target(false, "", false));
    expect_operator("=");
    node->values.push_back(expression());
  }
  node->body = body(kEnds, true);
  return node;
}

void Parser::parse_signature(MacroNode& macro) {
  expect_operator("(");
  while (!current().is_operator(")")) {
    if (!macro.parameters.empty()) expect_operator(",");
    ExprPtr parameter = assign_target(true, "", false);
    if (skip_operator("=")) {
      macro.defaults.push_back(expression());
    } else if (!macro.defaults.empty()) {
      error("non-default argument follows default argument", current().line);
    }
    macro.parameters.push_back(std::move(parameter));
  }
  expect_operator(")");
}

NodePtr Parser::parse_macro() {
  static constexpr std::string_view kEnds[] = {"endmacro"};
  auto node = std::make_unique<MacroNode>(next().line);
  node->name = assign_target(true, "", false)->value;
  parse_signature(*node);
  node->body = body(kEnds, true);
  return node;
}

NodePtr Parser::parse_call_block() {
  static constexpr std::string_view kEnds[] = {"endcall"};
  auto node = std::make_unique<CallBlockNode>(next().line);
  node->caller = std::make_unique<MacroNode>(node->line);
  node->caller->name = Value::none();
  if (current().is_operator("(")) parse_signature(*node->caller);
  node->call = expression();
  if (node->call->kind != ExprKind::kCall) error("expected call", node->line);
  node->caller->body = body(kEnds, true);
  return node;
}

NodePtr Parser::parse_generation() {
  static constexpr std::string_view kEnds[] = {"endgeneration"};
  auto node = std::make_unique<CallBlockNode>(next().line);
  node->caller = std::make_unique<MacroNode>(node->line);
  node->caller->name = Value::none();
  node->caller->body = body(kEnds, true);
  return node;
}

NodePtr Parser::parse_filter_block() {
  static constexpr std::string_view kEnds[] = {"endfilter"};
  auto node = std::make_unique<FilterBlockNode>(next().line);
  node->filter = filter(nullptr, true);
  node->body = body(kEnds, true);
  return node;
}

NodePtr Parser::parse_print() {
  auto node = std::make_unique<PrintNode>(next().line);
  while (!current().is(TokenType::kBlockEnd)) {
    if (!node->values.empty()) expect_operator(",");
    node->values.push_back(expression());
  }
  return node;
}

NodePtr Parser::parse_block() {
  static constexpr std::string_view kEnds[] = {"endblock"};
  auto node = std::make_unique<BlockNode>(next().line);
  node->name = expect_any_name();
  skip_name("scoped");
  skip_name("required");
  if (current().is_operator("-")) error("block names may not contain hyphens, use an underscore", current().line);
  node->body = body(kEnds, true);
  skip_name(node->name);
  return node;
}

// Escaping is off unless a template asks for it, which no chat template does.
NodePtr Parser::parse_autoescape() {
  static constexpr std::string_view kEnds[] = {"endautoescape"};
  auto node = std::make_unique<WithNode>(next().line);
  const ExprPtr on = expression();
  const bool off =
      on->kind == ExprKind::kConst && (on->value.is_none() || (on->value.is(Kind::kBool) && !on->value.as_bool()));
  if (!off) error("autoescape is only supported as {% autoescape false %}", node->line);
  node->body = body(kEnds, true);
  return node;
}

NodePtr Parser::parse_unsupported() {
  auto node = std::make_unique<UnsupportedNode>(current().line);
  node->what = next().text;
  if (current().is(TokenType::kBlockEnd)) error_expected("name");
  while (!current().is(TokenType::kBlockEnd) && !current().is(TokenType::kEnd)) next();
  return node;
}

}  // namespace ingot::jinja
