// Expressions and calls.
#include "text/jinja/builtins/methods.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/values/print.h"

namespace ingot::jinja {

Value Interpreter::evaluate(const Expr& e, Activation* a) {
  const Depth depth(heap_);
  heap_.step();
  switch (e.kind) {
    case ExprKind::kConst: return e.value;
    case ExprKind::kName: return evaluate_name(e, a);
    case ExprKind::kNamespaceRef:
    case ExprKind::kSlice: return Value::none();
    case ExprKind::kTuple:
    case ExprKind::kList:
    case ExprKind::kDict: return evaluate_container(e, a);
    case ExprKind::kAttribute: {
      const Value object = evaluate(*e.args[0], a);
      heap_.line = e.line;
      return get_attribute(heap_, object, e.value);
    }
    case ExprKind::kItem: return evaluate_item(e, a);
    case ExprKind::kCall: return evaluate_call(e, a, nullptr);
    case ExprKind::kFilter: return evaluate_filter(e, a, nullptr);
    case ExprKind::kTest: return evaluate_test(e, a);
    case ExprKind::kNot: return Value::boolean(!truth(heap_, evaluate(*e.args[0], a)));
    case ExprKind::kNegate: return negate(evaluate(*e.args[0], a));
    case ExprKind::kPlus: return plus(evaluate(*e.args[0], a));
    case ExprKind::kAnd: {
      Value left = evaluate(*e.args[0], a);
      return truth(heap_, left) ? evaluate(*e.args[1], a) : left;
    }
    case ExprKind::kOr: {
      Value left = evaluate(*e.args[0], a);
      return truth(heap_, left) ? left : evaluate(*e.args[1], a);
    }
    case ExprKind::kBinary: {
      const Value left = evaluate(*e.args[0], a);
      const Value right = evaluate(*e.args[1], a);
      heap_.line = e.line;
      return arithmetic(heap_, e.op, left, right);
    }
    case ExprKind::kConcat: return evaluate_concat(e, a);
    case ExprKind::kCompare: return evaluate_compare(e, a);
    case ExprKind::kCondition: return evaluate_condition(e, a);
  }
  return Value::none();
}

Value Interpreter::evaluate_name(const Expr& e, Activation* a) {
  Value value = e.ref.hops >= 0 ? variable(e.ref, a) : resolve(e.value);
  if (value.is_missing()) return Value::undefined(UndefinedBy::kName, e.value);
  return value;
}

Value Interpreter::evaluate_container(const Expr& e, Activation* a) {
  if (e.kind != ExprKind::kDict) {
    std::vector<Value> items;
    items.reserve(e.args.size());
    for (const ExprPtr& item : e.args) items.push_back(evaluate(*item, a));
    return heap_.sequence(e.kind == ExprKind::kList ? Kind::kList : Kind::kTuple, std::move(items));
  }
  std::vector<std::pair<Value, Value>> entries;
  entries.reserve(e.args.size() / 2);
  for (size_t i = 0; i < e.args.size(); i += 2) {
    Value key = evaluate(*e.args[i], a);
    Value value = evaluate(*e.args[i + 1], a);
    heap_.line = e.line;
    require_hashable(key);
    entries.emplace_back(std::move(key), std::move(value));
  }
  return heap_.dict(entries);
}

Value Interpreter::evaluate_item(const Expr& e, Activation* a) {
  const Value object = evaluate(*e.args[0], a);
  if (e.args[1]->kind == ExprKind::kSlice) {
    Value bounds[3];
    for (size_t i = 0; i < 3; ++i) {
      const ExprPtr& bound = e.args[1]->args[i];
      if (bound != nullptr) bounds[i] = evaluate(*bound, a);
    }
    heap_.line = e.line;
    return slice(heap_, object, bounds[0], bounds[1], bounds[2]);
  }
  const Value key = evaluate(*e.args[1], a);
  heap_.line = e.line;
  return get_item(heap_, object, key);
}

Arguments Interpreter::evaluate_arguments(const Expr& e, Activation* a) {
  Arguments args;
  args.positional.reserve(e.args.size() - 1);
  for (size_t i = 1; i < e.args.size(); ++i) args.positional.push_back(evaluate(*e.args[i], a));
  for (const Keyword& k : e.kwargs) args.named.emplace_back(k.name, evaluate(*k.value, a));
  if (e.dyn_args != nullptr) {
    for (const Value& v : to_vector(heap_, evaluate(*e.dyn_args, a))) args.positional.push_back(v);
  }
  if (e.dyn_kwargs != nullptr) {
    const Value more = evaluate(*e.dyn_kwargs, a);
    if (!more.is(Kind::kDict)) fail("argument after ** must be a mapping, not {}", type_name(more));
    for (const auto& [key, value] : more.dict().entries) {
      if (!key.is_string()) fail("keywords must be strings");
      for (const auto& other : args.named) {
        if (equal(other.first, key)) fail("got multiple values for keyword argument '{}'", key.text());
      }
      args.named.emplace_back(key, value);
    }
  }
  return args;
}

Value Interpreter::evaluate_call(const Expr& e, Activation* a, const Value* caller) {
  const Value callee = evaluate(*e.args[0], a);
  Arguments args = evaluate_arguments(e, a);
  if (caller != nullptr) args.named.emplace_back(heap_.string("caller"), *caller);
  heap_.line = e.line;
  return call(callee, args);
}

Value Interpreter::call(const Value& callee, const Arguments& args) {
  switch (callee.kind()) {
    case Kind::kMacro: return invoke(callee.as<Macro>(), args);
    case Kind::kFunction: return call_global(*this, static_cast<int>(callee.as_int()), args);
    case Kind::kMethod: return call_method(*this, callee.method(), args);
    case Kind::kLoop: return call_loop(callee.as<LoopContext>(), args);
    case Kind::kJoiner: {
      auto& joiner = callee.as<Joiner>();
      if (std::exchange(joiner.used, true)) return joiner.separator;
      return heap_.string("");
    }
    case Kind::kUndefined: fail_undefined(callee);
    default: fail("'{}' object is not callable", type_name(callee));
  }
}

Value Interpreter::call_loop(LoopContext& loop, const Arguments& args) {
  if (loop.recursive == nullptr) fail("The loop must have the 'recursive' marker to be called recursively.");
  const Bound bound("loop", "iterable", 1, args);
  return heap_.string(run_recursive(*loop.recursive, loop.home, bound[0], loop.depth0() + 1));
}

Value Interpreter::evaluate_filter(const Expr& e, Activation* a, const Value* input) {
  const Value value = e.args[0] == nullptr                                       ? *input
                      : input != nullptr && e.args[0]->kind == ExprKind::kFilter ? evaluate_filter(*e.args[0], a, input)
                                                                                 : evaluate(*e.args[0], a);
  const Arguments args = evaluate_arguments(e, a);
  heap_.line = e.line;
  if (e.callee < 0) fail("No filter named '{}' found.", e.value.text());
  return call_filter(*this, e.callee, value, args);
}

Value Interpreter::evaluate_test(const Expr& e, Activation* a) {
  const Value value = evaluate(*e.args[0], a);
  const Arguments args = evaluate_arguments(e, a);
  heap_.line = e.line;
  if (e.callee < 0) fail("No test named '{}' found.", e.value.text());
  return Value::boolean(call_test(*this, e.callee, value, args));
}

Value Interpreter::evaluate_compare(const Expr& e, Activation* a) {
  Value left = evaluate(*e.args[0], a);
  for (size_t i = 0; i < e.ops.size(); ++i) {
    Value right = evaluate(*e.args[i + 1], a);
    heap_.line = e.line;
    bool holds = false;
    switch (e.ops[i]) {
      case CompareOp::kEq: holds = equal(left, right); break;
      case CompareOp::kNe: holds = !equal(left, right); break;
      case CompareOp::kLt: holds = less(heap_, left, right); break;
      case CompareOp::kGt: holds = less(heap_, right, left); break;
      case CompareOp::kLe: holds = less_equal(heap_, left, right); break;
      case CompareOp::kGe: holds = less_equal(heap_, right, left); break;
      case CompareOp::kIn: holds = contains(heap_, right, left); break;
      case CompareOp::kNotIn: holds = !contains(heap_, right, left); break;
    }
    if (!holds) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::evaluate_concat(const Expr& e, Activation* a) {
  std::vector<Value> parts;
  parts.reserve(e.args.size());
  for (const ExprPtr& part : e.args) parts.push_back(evaluate(*part, a));
  heap_.line = e.line;
  std::string out;
  for (const Value& part : parts) append_text(heap_, part, out);
  return heap_.string(std::move(out));
}

Value Interpreter::evaluate_condition(const Expr& e, Activation* a) {
  if (truth(heap_, evaluate(*e.args[0], a))) return evaluate(*e.args[1], a);
  if (e.args[2] != nullptr) return evaluate(*e.args[2], a);
  return Value::undefined(UndefinedBy::kHint,
                          heap_.string("the inline if-expression evaluated to false and no else section was defined"));
}

}  // namespace ingot::jinja
