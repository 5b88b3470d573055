// The expression half of the parser: one function per level of precedence, loosest first.
#include <algorithm>

#include "text/jinja/syntax/parser.h"
#include "text/jinja/values/print.h"

namespace ingot::jinja {
namespace {

// The tree may be a little deeper than the grammar nests: "a + b + c" leans to the left.
constexpr int kTreeDepthMax = 4 * limits::kTemplateDepthMax;

}  // namespace

ExprPtr Parser::make(ExprKind kind, int line) {
  auto e = std::make_unique<Expr>();
  e->kind = kind;
  e->line = line;
  return e;
}

ExprPtr Parser::count(Expr& parent, ExprPtr child) {
  if (child != nullptr) {
    parent.depth = std::max(parent.depth, child->depth + 1);
    if (parent.depth > kTreeDepthMax) {
      error(fmt::format("an expression is nested deeper than {} levels", kTreeDepthMax), parent.line);
    }
  }
  return child;
}

void Parser::add(Expr& parent, ExprPtr child) { parent.args.push_back(count(parent, std::move(child))); }

ExprPtr Parser::constant(Value value, int line) {
  ExprPtr e = make(ExprKind::kConst, line);
  e->value = std::move(value);
  return e;
}

void Parser::check_target(const Expr& target) {
  if (target.kind == ExprKind::kTuple) {
    for (const ExprPtr& item : target.args) check_target(*item);
    return;
  }
  if (target.kind == ExprKind::kName || target.kind == ExprKind::kNamespaceRef) return;
  error("can't assign to this expression", target.line);
}

ExprPtr Parser::assign_target(bool name_only, std::string_view end_name, bool with_namespace) {
  ExprPtr target;
  if (name_only) {
    const int line = current().line;
    target = make(ExprKind::kName, line);
    target->value = constants_.string(expect_any_name());
    static constexpr std::string_view kReserved[] = {"true", "false", "none", "True", "False", "None"};
    if (std::find(std::begin(kReserved), std::end(kReserved), target->value.text()) != std::end(kReserved)) {
      error(fmt::format("can't assign to '{}'", target->value.text()), line);
    }
    return target;
  }
  target = tuple({.simplified = true, .end_name = end_name, .with_namespace = with_namespace});
  check_target(*target);
  return target;
}

ExprPtr Parser::expression(bool with_condition) {
  const Nesting nesting(*this);
  return with_condition ? condition() : logical_or();
}

ExprPtr Parser::condition() {
  const int line = current().line;
  ExprPtr then = logical_or();
  while (skip_name("if")) {
    ExprPtr e = make(ExprKind::kCondition, line);
    add(*e, logical_or());
    add(*e, std::move(then));
    ExprPtr otherwise;
    if (skip_name("else")) {
      const Nesting nesting(*this);
      otherwise = condition();
    }
    add(*e, std::move(otherwise));
    then = std::move(e);
  }
  return then;
}

ExprPtr Parser::logical_or() {
  ExprPtr left = logical_and();
  while (current().is_name("or")) {
    ExprPtr e = make(ExprKind::kOr, next().line);
    add(*e, std::move(left));
    add(*e, logical_and());
    left = std::move(e);
  }
  return left;
}

ExprPtr Parser::logical_and() {
  ExprPtr left = logical_not();
  while (current().is_name("and")) {
    ExprPtr e = make(ExprKind::kAnd, next().line);
    add(*e, std::move(left));
    add(*e, logical_not());
    left = std::move(e);
  }
  return left;
}

ExprPtr Parser::logical_not() {
  if (!current().is_name("not")) return compare();
  const Nesting nesting(*this);
  ExprPtr e = make(ExprKind::kNot, next().line);
  add(*e, logical_not());
  return e;
}

ExprPtr Parser::compare() {
  static constexpr std::pair<std::string_view, CompareOp> kOps[] = {{"==", CompareOp::kEq}, {"!=", CompareOp::kNe},
                                                                    {"<", CompareOp::kLt},  {"<=", CompareOp::kLe},
                                                                    {">", CompareOp::kGt},  {">=", CompareOp::kGe}};
  ExprPtr first = sum();
  ExprPtr e;
  while (true) {
    std::optional<CompareOp> op;
    for (const auto& [text, code] : kOps) {
      if (current().is_operator(text)) op = code;
    }
    const int line = current().line;
    if (op) {
      next();
    } else if (skip_name("in")) {
      op = CompareOp::kIn;
    } else if (current().is_name("not") && look().is_name("in")) {
      next();
      next();
      op = CompareOp::kNotIn;
    } else {
      break;
    }
    if (e == nullptr) {
      e = make(ExprKind::kCompare, line);
      add(*e, std::move(first));
    }
    e->ops.push_back(*op);
    add(*e, sum());
  }
  return e != nullptr ? std::move(e) : std::move(first);
}

ExprPtr Parser::sum() {
  ExprPtr left = concat();
  while (current().is_operator("+") || current().is_operator("-")) {
    const Token& op = next();
    ExprPtr e = make(ExprKind::kBinary, op.line);
    e->op = op.text == "+" ? Arithmetic::kAdd : Arithmetic::kSub;
    add(*e, std::move(left));
    add(*e, concat());
    left = std::move(e);
  }
  return left;
}

ExprPtr Parser::concat() {
  ExprPtr first = product();
  if (!current().is_operator("~")) return first;
  ExprPtr e = make(ExprKind::kConcat, current().line);
  add(*e, std::move(first));
  while (skip_operator("~")) add(*e, product());
  return e;
}

ExprPtr Parser::product() {
  static constexpr std::pair<std::string_view, Arithmetic> kOps[] = {
      {"*", Arithmetic::kMul}, {"/", Arithmetic::kDiv}, {"//", Arithmetic::kFloorDiv}, {"%", Arithmetic::kMod}};
  ExprPtr left = power();
  while (true) {
    const auto* op = std::find_if(std::begin(kOps), std::end(kOps),
                                  [this](const auto& o) { return current().is_operator(o.first); });
    if (op == std::end(kOps)) return left;
    ExprPtr e = make(ExprKind::kBinary, next().line);
    e->op = op->second;
    add(*e, std::move(left));
    add(*e, power());
    left = std::move(e);
  }
}

ExprPtr Parser::power() {
  ExprPtr left = unary();
  while (current().is_operator("**")) {
    ExprPtr e = make(ExprKind::kBinary, next().line);
    e->op = Arithmetic::kPow;
    add(*e, std::move(left));
    add(*e, unary());
    left = std::move(e);
  }
  return left;
}

ExprPtr Parser::unary(bool with_filter) {
  const Nesting nesting(*this);
  ExprPtr node;
  if (current().is_operator("-") || current().is_operator("+")) {
    const Token& sign = next();
    node = make(sign.text == "-" ? ExprKind::kNegate : ExprKind::kPlus, sign.line);
    add(*node, unary(false));
  } else {
    node = primary();
  }
  node = postfix(std::move(node));
  return with_filter ? filters_and_tests(std::move(node)) : std::move(node);
}

ExprPtr Parser::primary(bool with_namespace) {
  const Token token = current();
  if (token.is(TokenType::kName)) {
    next();
    if (token.text == "true" || token.text == "True") return constant(Value::boolean(true), token.line);
    if (token.text == "false" || token.text == "False") return constant(Value::boolean(false), token.line);
    if (token.text == "none" || token.text == "None") return constant(Value::none(), token.line);
    const bool is_namespace = with_namespace && current().is_operator(".");
    ExprPtr e = make(is_namespace ? ExprKind::kNamespaceRef : ExprKind::kName, token.line);
    e->value = constants_.string(token.text);
    if (is_namespace) {
      next();
      e->attribute = constants_.string(expect_any_name());
    }
    return e;
  }
  if (token.is(TokenType::kString)) {
    std::string text = next().text;
    while (current().is(TokenType::kString)) text += next().text;
    return constant(constants_.string(std::move(text)), token.line);
  }
  if (token.is(TokenType::kInteger)) return constant(Value::integer(next().integer), token.line);
  if (token.is(TokenType::kFloat)) return constant(Value::real(next().real), token.line);
  if (skip_operator("(")) {
    ExprPtr e = tuple({.parenthesized = true});
    expect_operator(")");
    return e;
  }
  if (token.is_operator("[")) return list();
  if (token.is_operator("{")) return dict();
  error(fmt::format("unexpected '{}'", describe(token)), token.line);
}

bool Parser::is_tuple_end(std::string_view end_name) const {
  return current().is(TokenType::kVariableEnd) || current().is(TokenType::kBlockEnd) || current().is_operator(")") ||
         (!end_name.empty() && current().is_name(end_name));
}

ExprPtr Parser::tuple(const TupleRules& rules) {
  const Nesting nesting(*this);
  const int line = current().line;
  ExprPtr e = make(ExprKind::kTuple, line);
  bool is_tuple = false;
  while (true) {
    if (!e->args.empty()) expect_operator(",");
    if (is_tuple_end(rules.end_name)) break;
    add(*e, rules.simplified ? primary(rules.with_namespace) : expression(rules.with_condition));
    if (!current().is_operator(",")) break;
    is_tuple = true;
  }
  if (is_tuple) return e;
  if (!e->args.empty()) return std::move(e->args[0]);
  if (!rules.parenthesized) error(fmt::format("Expected an expression, got '{}'", describe(current())), current().line);
  return e;
}

ExprPtr Parser::list() {
  ExprPtr e = make(ExprKind::kList, next().line);
  while (!current().is_operator("]")) {
    if (!e->args.empty()) expect_operator(",");
    if (current().is_operator("]")) break;
    add(*e, expression());
  }
  expect_operator("]");
  return e;
}

ExprPtr Parser::dict() {
  ExprPtr e = make(ExprKind::kDict, next().line);
  while (!current().is_operator("}")) {
    if (!e->args.empty()) expect_operator(",");
    if (current().is_operator("}")) break;
    add(*e, expression());
    expect_operator(":");
    add(*e, expression());
  }
  expect_operator("}");
  return e;
}

ExprPtr Parser::postfix(ExprPtr node) {
  while (true) {
    if (current().is_operator(".") || current().is_operator("[")) {
      node = subscript(std::move(node));
    } else if (current().is_operator("(")) {
      node = call(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr Parser::filters_and_tests(ExprPtr node) {
  while (true) {
    if (current().is_operator("|")) {
      node = filter(std::move(node), false);
    } else if (current().is_name("is")) {
      node = test(std::move(node));
    } else if (current().is_operator("(")) {
      node = call(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr Parser::subscript(ExprPtr node) {
  const Token& open = next();
  const int line = open.line;
  if (open.text == ".") {
    const Token& name = next();
    if (!name.is(TokenType::kName) && !name.is(TokenType::kInteger)) error("expected name or number", name.line);
    ExprPtr e = make(name.is(TokenType::kName) ? ExprKind::kAttribute : ExprKind::kItem, line);
    add(*e, std::move(node));
    if (name.is(TokenType::kName)) {
      e->value = constants_.string(name.text);
    } else {
      add(*e, constant(Value::integer(name.integer), name.line));
    }
    return e;
  }
  ExprPtr keys = make(ExprKind::kTuple, line);
  while (!current().is_operator("]")) {
    if (!keys->args.empty()) expect_operator(",");
    add(*keys, subscribed());
  }
  expect_operator("]");
  ExprPtr e = make(ExprKind::kItem, line);
  add(*e, std::move(node));
  add(*e, keys->args.size() == 1 ? std::move(keys->args[0]) : std::move(keys));
  return e;
}

ExprPtr Parser::subscribed() {
  const int line = current().line;
  ExprPtr start;
  if (!current().is_operator(":")) {
    start = expression();
    if (!current().is_operator(":")) return start;
  }
  next();
  const auto bound = [this]() -> ExprPtr {
    if (current().is_operator(":") || current().is_operator("]") || current().is_operator(",")) return nullptr;
    return expression();
  };
  ExprPtr e = make(ExprKind::kSlice, line);
  add(*e, std::move(start));
  add(*e, bound());
  add(*e, skip_operator(":") ? bound() : nullptr);
  return e;
}

void Parser::call_arguments(Expr& call) {
  const int line = current().line;
  const auto ensure = [&](bool ok) {
    if (!ok) error("invalid syntax for function call expression", line);
  };
  expect_operator("(");
  bool require_comma = false;
  while (!current().is_operator(")")) {
    if (require_comma) {
      expect_operator(",");
      if (current().is_operator(")")) break;
    }
    if (skip_operator("*")) {
      ensure(call.dyn_args == nullptr && call.dyn_kwargs == nullptr);
      call.dyn_args = count(call, expression());
    } else if (skip_operator("**")) {
      ensure(call.dyn_kwargs == nullptr);
      call.dyn_kwargs = count(call, expression());
    } else if (current().is(TokenType::kName) && look().is_operator("=")) {
      ensure(call.dyn_kwargs == nullptr);
      Keyword keyword;
      keyword.name = constants_.string(next().text);
      next();
      keyword.value = count(call, expression());
      for (const Keyword& other : call.kwargs) {
        if (equal(other.name, keyword.name))
          error("keyword argument repeated: " + std::string(other.name.text()), line);
      }
      call.kwargs.push_back(std::move(keyword));
    } else {
      ensure(call.dyn_args == nullptr && call.dyn_kwargs == nullptr && call.kwargs.empty());
      add(call, expression());
    }
    require_comma = true;
  }
  expect_operator(")");
}

ExprPtr Parser::call(ExprPtr node) {
  ExprPtr e = make(ExprKind::kCall, current().line);
  add(*e, std::move(node));
  call_arguments(*e);
  return e;
}

std::string Parser::dotted_name() {
  std::string name = expect_any_name();
  while (skip_operator(".")) name += "." + expect_any_name();
  return name;
}

ExprPtr Parser::filter(ExprPtr node, bool start_inline) {
  while (start_inline || current().is_operator("|")) {
    if (!start_inline) next();
    ExprPtr e = make(ExprKind::kFilter, current().line);
    e->value = constants_.string(dotted_name());
    add(*e, std::move(node));
    if (current().is_operator("(")) call_arguments(*e);
    node = std::move(e);
    start_inline = false;
  }
  return node;
}

ExprPtr Parser::test(ExprPtr node) {
  const int line = next().line;
  const bool negated = skip_name("not");
  ExprPtr e = make(ExprKind::kTest, line);
  e->value = constants_.string(dotted_name());
  add(*e, std::move(node));
  const Token& token = current();
  const bool takes_argument = token.is(TokenType::kName) || token.is(TokenType::kString) ||
                              token.is(TokenType::kInteger) || token.is(TokenType::kFloat) || token.is_operator("[") ||
                              token.is_operator("{");
  if (token.is_operator("(")) {
    call_arguments(*e);
  } else if (takes_argument && !token.is_name("else") && !token.is_name("or") && !token.is_name("and")) {
    if (token.is_name("is")) error("You cannot chain multiple tests with is", token.line);
    add(*e, postfix(primary()));
  }
  if (!negated) return e;
  ExprPtr inverse = make(ExprKind::kNot, line);
  add(*inverse, std::move(e));
  return inverse;
}

}  // namespace ingot::jinja
