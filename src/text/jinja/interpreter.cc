#include "text/jinja/interpreter.h"

#include "text/jinja/values/print.h"

namespace ingot::jinja {

void Buffer::append(std::string_view text) {
  if (text.size() > limits::kTemplateOutputBytesMax - text_.size()) {
    exhausted("the output passes {} bytes", limits::kTemplateOutputBytesMax);
  }
  heap_.charge(text.size());
  text_ += text;
}

std::string Buffer::take() {
  heap_.credit(text_.size());
  return std::exchange(text_, {});
}

std::string Interpreter::render(const Body& body, const Scope& scope, Value context) {
  context_ = std::move(context);
  root_activation_ = arena_.activation(nullptr, static_cast<size_t>(root_.slots));
  Buffer out(heap_);
  enter(scope, root_activation_);
  run(body, {root_activation_, out});
  return out.take();
}

// A name no scope stores: the caller's variable, else a global function.
Value Interpreter::resolve(const Value& name) {
  if (const Value* v = context_.dict().find(name.text()); v != nullptr) return *v;
  const int id = find_global(name.text());
  return id < 0 ? Value() : Value::function(id);
}

void Interpreter::enter(const Scope& scope, Activation* activation) {
  for (const Load& load : scope.loads) {
    Value& slot = activation->slots[static_cast<size_t>(load.slot)];
    switch (load.how) {
      case Load::How::kResolve: slot = resolve(load.name); break;
      case Load::How::kAlias: slot = variable(load.source, activation); break;
      case Load::How::kUndefined: slot = Value(); break;
      case Load::How::kParameter: break;
    }
  }
}

void Interpreter::leave(const Scope& scope, Activation* activation) {
  for (const Load& load : scope.loads) activation->slots[static_cast<size_t>(load.slot)] = Value();
}

void Interpreter::check_namespaces(const Expr& target, Activation* activation) {
  if (target.kind == ExprKind::kTuple) {
    for (const ExprPtr& item : target.args) check_namespaces(*item, activation);
  } else if (target.kind == ExprKind::kNamespaceRef) {
    heap_.line = target.line;
    const bool known = target.ref.hops >= 0;
    if (!known || !variable(target.ref, activation).is(Kind::kNamespace)) {
      fail("cannot assign attribute on non-namespace object '{}'", target.value.text());
    }
  }
}

void Interpreter::assign(const Expr& target, const Value& value, Activation* activation) {
  heap_.step();
  if (target.kind == ExprKind::kName) {
    variable(target.ref, activation) = value;
    return;
  }
  if (target.kind == ExprKind::kNamespaceRef) {
    if (target.attribute.text().starts_with('_')) {
      fail("underscore-prefixed attributes cannot be stored on a namespace: '{}'", target.attribute.text());
    }
    auto& ns = variable(target.ref, activation).as<Namespace>();
    heap_.step(1 + ns.entries.size());
    if (ns.find(target.attribute.text()) == nullptr) heap_.charge(2 * sizeof(Value));
    ns.set(target.attribute, value);
    return;
  }
  heap_.line = target.line;
  if (value.is_undefined() && !target.args.empty()) fail("not enough values to unpack");
  const std::vector<Value> items = to_vector(heap_, value);
  if (items.size() != target.args.size()) {
    fail("{} values to unpack (expected {}, got {})", items.size() < target.args.size() ? "not enough" : "too many",
         target.args.size(), items.size());
  }
  for (size_t i = 0; i < items.size(); ++i) assign(*target.args[i], items[i], activation);
}

Interpreter::Flow Interpreter::run(const Body& body, const Frame& frame) {
  const Depth depth(heap_);
  for (const NodePtr& node : body) {
    const Flow flow = run(*node, frame);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

void Interpreter::print(const Expr& e, const Frame& frame) {
  const Value value = evaluate(e, frame.activation);
  heap_.line = e.line;
  if (value.is_string()) {
    heap_.step_bytes(value.text().size());
    frame.out.append(value.text());
  } else {
    frame.out.append(to_text(heap_, value));
  }
}

Interpreter::Flow Interpreter::run(const Node& node, const Frame& frame) {
  heap_.step();
  heap_.line = node.line;
  switch (node.kind) {
    case NodeKind::kData: frame.out.append(static_cast<const DataNode&>(node).text); return Flow::kNext;
    case NodeKind::kPrint:
      for (const ExprPtr& e : static_cast<const PrintNode&>(node).values) print(*e, frame);
      return Flow::kNext;
    case NodeKind::kIf: {
      const auto& n = static_cast<const IfNode&>(node);
      for (const auto& branch : n.branches) {
        if (truth(heap_, evaluate(*branch.test, frame.activation))) return run(branch.body, frame);
      }
      return run(n.otherwise, frame);
    }
    case NodeKind::kFor: return run_for(static_cast<const ForNode&>(node), frame);
    case NodeKind::kSet: {
      const auto& n = static_cast<const SetNode&>(node);
      check_namespaces(*n.target, frame.activation);
      assign(*n.target, evaluate(*n.value, frame.activation), frame.activation);
      return Flow::kNext;
    }
    case NodeKind::kSetBlock: return run_set_block(static_cast<const SetBlockNode&>(node), frame);
    case NodeKind::kMacro: {
      const auto& n = static_cast<const MacroNode&>(node);
      variable(n.ref, frame.activation) = make_macro(n, frame.activation);
      return Flow::kNext;
    }
    case NodeKind::kCallBlock: run_call_block(static_cast<const CallBlockNode&>(node), frame); return Flow::kNext;
    case NodeKind::kFilterBlock: return run_filter_block(static_cast<const FilterBlockNode&>(node), frame);
    case NodeKind::kWith: return run_with(static_cast<const WithNode&>(node), frame);
    case NodeKind::kBlock: run_block(static_cast<const BlockNode&>(node), frame); return Flow::kNext;
    case NodeKind::kBreak: return Flow::kBreak;
    case NodeKind::kContinue: return Flow::kContinue;
    case NodeKind::kUnsupported:
      fail("'{}' needs other templates, and a chat template stands alone",
           static_cast<const UnsupportedNode&>(node).what);
  }
  return Flow::kNext;
}

// The items of `source` that pass the loop's test, tested as they are asked for.
Value Interpreter::filtered(const ForNode& node, Activation* home, const Value& source) {
  enter(node.test_scope, home);
  return heap_.iterator([this, &node, home, cursor = Cursor(source)](Value& item) mutable {
    while (cursor.next(heap_, item)) {
      assign(*node.test_target, item, home);
      if (truth(heap_, evaluate(*node.test, home))) return true;
    }
    return false;
  });
}

Interpreter::Flow Interpreter::run_for(const ForNode& node, const Frame& frame) {
  const Value source = evaluate(*node.source, frame.activation);
  heap_.line = node.line;
  if (!node.recursive) return run_loop(node, frame.activation, source, 0, frame);
  frame.out.append(run_recursive(node, frame.activation, source, 0));
  return Flow::kNext;
}

std::string Interpreter::run_recursive(const ForNode& node, Activation* home, const Value& source, int depth0) {
  Activation* own = arena_.activation(home, static_cast<size_t>(node.slots));
  Buffer out(heap_);
  run_loop(node, home, source, depth0, {own, out});
  arena_.give_back(own);
  return out.take();
}

Interpreter::Flow Interpreter::run_loop(const ForNode& node, Activation* home, const Value& source, int depth0,
                                        const Frame& frame) {
  const Value items = node.test != nullptr ? filtered(node, home, source) : source;
  std::optional<Cursor> cursor;  // of a loop that does not name `loop`
  LoopContext* loop = nullptr;
  if (node.uses_loop) {
    const bool sized = !items.is(Kind::kIterator) && !items.is(Kind::kLoop);
    loop = arena_.make_loop(Cursor(items), sized ? try_length(heap_, items) : std::nullopt, depth0);
    if (node.recursive) loop->recursive = &node;
    loop->home = home;
    variable(node.loop, frame.activation) = Value::pointer(Kind::kLoop, loop);
  } else {
    cursor.emplace(items);
  }
  bool any = false;
  Value item;
  while (loop != nullptr ? loop->advance(heap_, item) : cursor->next(heap_, item)) {
    any = true;
    if (loop != nullptr) variable(node.loop, frame.activation) = Value::pointer(Kind::kLoop, loop);
    assign(*node.target, item, frame.activation);
    enter(node.scope, frame.activation);
    if (run(node.body, frame) == Flow::kBreak) break;
    heap_.line = node.line;
  }
  leave(node.scope, frame.activation);
  if (any || node.otherwise.empty()) return Flow::kNext;
  enter(node.else_scope, frame.activation);
  const Flow flow = run(node.otherwise, frame);
  leave(node.else_scope, frame.activation);
  return flow;
}

Interpreter::Flow Interpreter::run_set_block(const SetBlockNode& node, const Frame& frame) {
  Buffer out(heap_);
  enter(node.scope, frame.activation);
  const Flow flow = run(node.body, {frame.activation, out});
  if (flow != Flow::kNext) return flow;
  check_namespaces(*node.target, frame.activation);
  Value text = heap_.string(out.take());
  if (node.filter != nullptr) text = evaluate_filter(*node.filter, frame.activation, &text);
  assign(*node.target, text, frame.activation);
  leave(node.scope, frame.activation);
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run_filter_block(const FilterBlockNode& node, const Frame& frame) {
  Buffer out(heap_);
  enter(node.scope, frame.activation);
  const Flow flow = run(node.body, {frame.activation, out});
  if (flow != Flow::kNext) return flow;
  const Value text = heap_.string(out.take());
  const Value result = evaluate_filter(*node.filter, frame.activation, &text);
  leave(node.scope, frame.activation);
  frame.out.append(to_text(heap_, result));
  return Flow::kNext;
}

Interpreter::Flow Interpreter::run_with(const WithNode& node, const Frame& frame) {
  enter(node.scope, frame.activation);
  for (size_t i = 0; i < node.targets.size(); ++i) {
    assign(*node.targets[i], evaluate(*node.values[i], frame.activation), frame.activation);
  }
  const Flow flow = run(node.body, frame);
  leave(node.scope, frame.activation);
  return flow;
}

void Interpreter::run_call_block(const CallBlockNode& node, const Frame& frame) {
  const Value caller = make_macro(*node.caller, frame.activation);
  const Value result =
      node.call != nullptr ? evaluate_call(*node.call, frame.activation, &caller) : invoke(caller.as<Macro>(), {});
  frame.out.append(to_text(heap_, result));
}

// A block sees the caller's variables and what the template has set so far, no loop and no macro around it.
void Interpreter::run_block(const BlockNode& node, const Frame& frame) {
  Activation* own = arena_.activation(nullptr, static_cast<size_t>(node.slots));
  enter(node.scope, own);
  for (const Load& load : node.scope.loads) {
    if (load.how != Load::How::kResolve) continue;
    for (const auto& [name, slot] : root_.names) {
      const Value& value = root_activation_->slots[static_cast<size_t>(slot)];
      if (name == load.name.text() && !value.is_missing()) own->slots[static_cast<size_t>(load.slot)] = value;
    }
  }
  run(node.body, {own, frame.out});
  arena_.give_back(own);
}

Value Interpreter::make_macro(const MacroNode& node, Activation* home) {
  for (Activation* a = home; a != nullptr; a = a->parent) a->captured = true;
  Macro* macro = arena_.make_macro();
  macro->node = &node;
  macro->home = home;
  macro->name = node.name;
  return Value::pointer(Kind::kMacro, macro);
}

// Binds as Jinja's Macro does: positional, then by name, then caller, kwargs and varargs.
Value Interpreter::invoke(const Macro& macro, const Arguments& args) {
  const MacroNode& node = *macro.node;
  const std::string_view name = node.name.is_string() ? node.name.text() : "caller";
  const size_t count = node.parameters.size();
  Activation* own = arena_.activation(macro.home, static_cast<size_t>(node.slots));
  std::vector<std::pair<Value, Value>> extra;
  Value caller;
  enter(node.scope, own);
  for (size_t i = 0; i < count && i < args.positional.size(); ++i) {
    assign(*node.parameters[i], args.positional[i], own);
  }
  for (const auto& [key, value] : args.named) {
    size_t at = std::min(count, args.positional.size());
    while (at < count && node.parameters[at]->value.text() != key.text()) ++at;
    if (at < count) {
      assign(*node.parameters[at], value, own);
    } else if (key.text() == "caller" && node.caller_slot >= 0) {
      caller = value;
    } else {
      extra.emplace_back(key, value);
    }
  }
  if (node.kwargs_slot < 0 && !extra.empty()) {
    fail("macro '{}' takes no keyword argument '{}'", name, extra[0].first.text());
  }
  if (node.varargs_slot < 0 && args.positional.size() > count) {
    fail("macro '{}' takes not more than {} argument(s)", name, count);
  }
  if (node.caller_slot >= 0) {
    const bool none = caller.is_missing() || caller.is_none();
    own->slots[static_cast<size_t>(node.caller_slot)] =
        none ? Value::undefined(UndefinedBy::kHint, heap_.string("No caller defined")) : caller;
  }
  if (node.kwargs_slot >= 0) own->slots[static_cast<size_t>(node.kwargs_slot)] = heap_.dict(extra);
  if (node.varargs_slot >= 0) {
    const auto from = std::min(count, args.positional.size());
    own->slots[static_cast<size_t>(node.varargs_slot)] =
        heap_.tuple({args.positional.begin() + static_cast<long>(from), args.positional.end()});
  }
  for (size_t i = 0; i < count; ++i) {
    Value& slot = variable(node.parameters[i]->ref, own);
    if (!slot.is_missing()) continue;
    const size_t without = count - node.defaults.size();
    Value value = i >= without ? evaluate(*node.defaults[i - without], own)
                               : Value::undefined(UndefinedBy::kHint,
                                                  heap_.string(fmt::format("parameter '{}' was not provided",
                                                                           node.parameters[i]->value.text())));
    variable(node.parameters[i]->ref, own) = std::move(value);
  }
  Buffer out(heap_);
  run(node.body, {own, out});
  arena_.give_back(own);
  return heap_.string(out.take());
}

}  // namespace ingot::jinja
