#include "text/jinja/syntax/scope.h"

#include <map>
#include <set>

#include "text/jinja/builtins/builtins.h"
#include "text/jinja/syntax/undeclared.h"
#include "text/jinja/values/print.h"

namespace ingot::jinja {
namespace {

[[noreturn]] void error(std::string message, int line) { raise(Code::kInvalidArgument, std::move(message), line); }

// One activation record: the template, a macro, a recursive loop, a block.
struct Function {
  Function* parent = nullptr;
  std::map<std::pair<int, std::string>, int> slots;  // by nesting level and name
  uint64_t work = 0;                                 // names copied so far, of the outermost function
  int slot(int level, const std::string& name) {
    return slots.try_emplace({level, name}, static_cast<int>(slots.size())).first->second;
  }
};

struct Variable {
  Function* function;
  int slot;
};

struct Entry {
  Load::How how;
  Variable source;
  std::string name;
};

// The names one scope knows. Copied per branch of an if, then merged.
class Symbols {
 public:
  Symbols(Symbols* parent, Function* function, int level) : parent_(parent), function_(function), level_(level) {}

  const Variable* find(const std::string& name) const {
    const auto it = refs_.find(name);
    if (it != refs_.end()) return &it->second;
    return parent_ != nullptr ? parent_->find(name) : nullptr;
  }
  void load(const std::string& name) {
    if (find(name) == nullptr) define(name, Load::How::kResolve, {});
  }
  void store(const std::string& name) {
    stores_.insert(name);
    if (refs_.contains(name)) return;
    const Variable* outer = parent_ != nullptr ? parent_->find(name) : nullptr;
    if (outer != nullptr) {
      define(name, Load::How::kAlias, *outer);
    } else {
      define(name, Load::How::kUndefined, {});
    }
  }
  int declare_parameter(const std::string& name) {
    stores_.insert(name);
    define(name, Load::How::kParameter, {});
    return refs_.at(name).slot;
  }
  void merge(const std::vector<Symbols>& branches) {
    std::set<std::string> stored;
    for (const Symbols& b : branches) stored.insert(b.stores_.begin(), b.stores_.end());
    for (const std::string& name : stores_) stored.erase(name);
    for (const Symbols& b : branches) {
      for (const auto& [name, v] : b.refs_) refs_[name] = v;
      for (const auto& [slot, entry] : b.loads_) loads_[slot] = entry;
      stores_.insert(b.stores_.begin(), b.stores_.end());
    }
    for (const std::string& name : stored) {
      const Variable* outer = parent_ != nullptr ? parent_->find(name) : nullptr;
      const int slot = refs_.at(name).slot;
      loads_[slot] = {outer != nullptr ? Load::How::kAlias : Load::How::kResolve,
                      outer != nullptr ? *outer : Variable{}, name};
    }
  }

  // The branches of an if copy every name; a hostile template could make that take hours.
  void count_copies(int line) const {
    Function* root = function_;
    while (root->parent != nullptr) root = root->parent;
    root->work += 1 + refs_.size() + loads_.size() + stores_.size();
    if (root->work > limits::kTemplateStepsMax / 50) error("the template has too many names and branches", line);
  }

  Function* function() const { return function_; }
  int level() const { return level_; }
  VarRef ref(const Variable& v) const {
    VarRef r{0, v.slot};
    for (Function* f = function_; f != v.function && f != nullptr; f = f->parent) ++r.hops;
    return r;
  }
  VarRef ref(const std::string& name) const {
    const Variable* v = find(name);
    return v == nullptr ? VarRef{} : ref(*v);
  }
  Scope finish(Constants& constants) const {
    Scope scope;
    for (const auto& [slot, entry] : loads_) {
      Load load{entry.how, slot, {}, Value()};
      if (entry.how == Load::How::kAlias) load.source = ref(entry.source);
      if (entry.how == Load::How::kResolve) load.name = constants.string(entry.name);
      scope.loads.push_back(std::move(load));
    }
    return scope;
  }

 private:
  void define(const std::string& name, Load::How how, Variable source) {
    const int slot = function_->slot(level_, name);
    refs_[name] = {function_, slot};
    loads_[slot] = {how, source, name};
  }

  Symbols* parent_;
  Function* function_;
  int level_;
  std::map<std::string, Variable> refs_;
  std::map<int, Entry> loads_;  // by slot, of this scope's own variables
  std::set<std::string> stores_;
};

std::string text_of(const Expr& e) { return std::string(e.value.text()); }

// -- first walk: which names does a scope load and store

void collect_loads(Symbols& s, const Expr& e) {
  if (e.kind == ExprKind::kName) s.load(text_of(e));
  for_each_child(e, [&](const Expr& child) { collect_loads(s, child); });
}

enum class TargetAs : uint8_t { kStore, kParameter };
void collect_target(Symbols& s, const Expr& e, TargetAs as) {
  if (e.kind == ExprKind::kTuple) {
    for (const ExprPtr& item : e.args) collect_target(s, *item, as);
  } else if (e.kind == ExprKind::kNamespaceRef) {
    s.load(text_of(e));
  } else if (as == TargetAs::kParameter) {
    s.declare_parameter(text_of(e));
  } else {
    s.store(text_of(e));
  }
}

void collect(Symbols& s, const Body& body);

void collect_if(Symbols& s, const IfNode& node) {
  s.count_copies(node.line);
  collect_loads(s, *node.branches[0].test);
  std::vector<Symbols> branches(3, s);
  collect(branches[0], node.branches[0].body);
  for (size_t i = 1; i < node.branches.size(); ++i) {  // each elif stands alone, as an if without else
    branches[1].count_copies(node.line);
    collect_loads(branches[1], *node.branches[i].test);
    std::vector<Symbols> inner(1, branches[1]);
    collect(inner[0], node.branches[i].body);
    branches[1].merge(inner);
  }
  collect(branches[2], node.otherwise);
  s.merge(branches);
}

void collect(Symbols& s, const Node& node) {
  switch (node.kind) {
    case NodeKind::kPrint:
      for (const ExprPtr& e : static_cast<const PrintNode&>(node).values) collect_loads(s, *e);
      return;
    case NodeKind::kIf: collect_if(s, static_cast<const IfNode&>(node)); return;
    case NodeKind::kFor: collect_loads(s, *static_cast<const ForNode&>(node).source); return;
    case NodeKind::kSet:
      collect_loads(s, *static_cast<const SetNode&>(node).value);
      collect_target(s, *static_cast<const SetNode&>(node).target, TargetAs::kStore);
      return;
    case NodeKind::kSetBlock:
      collect_target(s, *static_cast<const SetBlockNode&>(node).target, TargetAs::kStore);
      return;
    case NodeKind::kMacro: s.store(std::string(static_cast<const MacroNode&>(node).name.text())); return;
    case NodeKind::kCallBlock:
      if (const auto& call = static_cast<const CallBlockNode&>(node).call; call != nullptr) collect_loads(s, *call);
      return;
    case NodeKind::kFilterBlock: collect_loads(s, *static_cast<const FilterBlockNode&>(node).filter); return;
    case NodeKind::kWith:
      for (const ExprPtr& e : static_cast<const WithNode&>(node).values) collect_loads(s, *e);
      return;
    default: return;
  }
}

void collect(Symbols& s, const Body& body) {
  for (const NodePtr& node : body) collect(s, *node);
}

bool stores_loop(const Expr& e) {
  if (e.kind == ExprKind::kTuple) {
    for (const ExprPtr& item : e.args) {
      if (stores_loop(*item)) return true;
    }
  }
  return e.kind == ExprKind::kName && e.value.text() == "loop";
}

ExprPtr clone_target(const Expr& e) {
  auto copy = std::make_unique<Expr>();
  copy->kind = e.kind;
  copy->line = e.line;
  copy->value = e.value;
  for (const ExprPtr& item : e.args) copy->args.push_back(clone_target(*item));
  return copy;
}

// -- second walk: give every name its slot

class Resolver {
 public:
  explicit Resolver(Constants& constants) : constants_(constants) {}
  struct Place {
    bool in_loop = false;  // break and continue have a loop in this function
    bool soft = false;     // inside an if: an unknown filter fails only when it is reached
  };

  void body(Body& body, Symbols& s, Place place) {
    for (NodePtr& node : body) this->node(*node, s, place);
  }
  void expr(Expr* e, const Symbols& s, bool soft);
  Constants& constants() { return constants_; }

 private:
  void node(Node& node, Symbols& s, Place place);
  void for_loop(ForNode& node, Symbols& s, Place place);
  void macro(MacroNode& node, Symbols& s);
  void set_block(SetBlockNode& node, Symbols& s, Place place);
  void filter_block(FilterBlockNode& node, Symbols& s, Place place);
  void with(WithNode& node, Symbols& s, Place place);
  void block(BlockNode& node);

  Constants& constants_;
  std::set<std::string> blocks_;
};

void Resolver::expr(Expr* e, const Symbols& s, bool soft) {
  if (e == nullptr) return;
  if (e->kind == ExprKind::kName || e->kind == ExprKind::kNamespaceRef) e->ref = s.ref(text_of(*e));
  if (e->kind == ExprKind::kFilter || e->kind == ExprKind::kTest) {
    const bool is_filter = e->kind == ExprKind::kFilter;
    e->callee = is_filter ? find_filter(e->value.text()) : find_test(e->value.text());
    if (e->callee < 0 && !soft) {
      error(fmt::format("No {} named {}.", is_filter ? "filter" : "test", repr_of_string(e->value.text())), e->line);
    }
  }
  const bool inner_soft = soft || e->kind == ExprKind::kCondition;
  for_each_child(*e, [&](const Expr& child) { expr(const_cast<Expr*>(&child), s, inner_soft); });
}

void Resolver::for_loop(ForNode& node, Symbols& s, Place place) {
  if (stores_loop(*node.target)) error("Can't assign to special loop variable in for-loop target", node.line);
  Undeclared u{{"loop"}, {}};
  find_undeclared(u, node.body);
  node.uses_loop = node.recursive || !u.found.empty();

  Function own{s.function(), {}};
  Function* function = node.recursive ? &own : s.function();
  Symbols inner(&s, function, s.level() + 1);
  if (node.uses_loop) node.loop = {0, inner.declare_parameter("loop")};
  collect_target(inner, *node.target, TargetAs::kParameter);
  collect(inner, node.body);
  Symbols otherwise(&s, function, s.level() + 1);
  collect(otherwise, node.otherwise);

  if (node.test != nullptr) {
    Symbols test(&s, s.function(), s.level() + 1 + limits::kTemplateDepthMax);  // apart from the body's slots
    collect_target(test, *node.target, TargetAs::kParameter);
    collect_loads(test, *node.test);
    node.test_target = clone_target(*node.target);
    expr(node.test_target.get(), test, false);
    expr(node.test.get(), test, false);
    node.test_scope = test.finish(constants_);
  }
  expr(node.source.get(), s, false);
  expr(node.target.get(), inner, false);
  body(node.body, inner, {.in_loop = true});
  node.scope = inner.finish(constants_);
  body(node.otherwise, otherwise, {.in_loop = place.in_loop && !node.recursive});
  node.else_scope = otherwise.finish(constants_);
  node.slots = static_cast<int>(own.slots.size());
}

void Resolver::macro(MacroNode& node, Symbols& s) {
  Function own{s.function(), {}};
  Symbols inner(&s, &own, s.level() + 1);
  bool explicit_caller = false;
  std::set<std::string> names;
  for (size_t i = 0; i < node.parameters.size(); ++i) {
    const std::string name = text_of(*node.parameters[i]);
    if (!names.insert(name).second) error(fmt::format("duplicate argument '{}' in a macro", name), node.line);
    if (name == "caller") {
      explicit_caller = true;
      if (i + node.defaults.size() < node.parameters.size()) {
        error("the special \"caller\" argument must be omitted or be given a default", node.line);
      }
    }
    inner.declare_parameter(name);
  }
  for (const ExprPtr& d : node.defaults) collect_loads(inner, *d);
  collect(inner, node.body);

  Undeclared u{{"caller", "kwargs", "varargs"}, {}};
  find_undeclared(u, node.body);
  if (u.found.contains("caller") && !explicit_caller) node.caller_slot = inner.declare_parameter("caller");
  if (u.found.contains("kwargs") && !names.contains("kwargs")) node.kwargs_slot = inner.declare_parameter("kwargs");
  if (u.found.contains("varargs") && !names.contains("varargs")) node.varargs_slot = inner.declare_parameter("varargs");
  for (ExprPtr& p : node.parameters) expr(p.get(), inner, false);
  for (ExprPtr& d : node.defaults) expr(d.get(), inner, false);
  body(node.body, inner, {});
  node.scope = inner.finish(constants_);
  node.slots = static_cast<int>(own.slots.size());
}

void Resolver::set_block(SetBlockNode& node, Symbols& s, Place place) {
  Symbols inner(&s, s.function(), s.level() + 1);
  collect(inner, node.body);
  body(node.body, inner, {.in_loop = place.in_loop});
  node.scope = inner.finish(constants_);
  expr(node.target.get(), s, false);
  expr(node.filter.get(), inner, false);
}

void Resolver::filter_block(FilterBlockNode& node, Symbols& s, Place place) {
  Symbols inner(&s, s.function(), s.level() + 1);
  collect(inner, node.body);
  collect_loads(inner, *node.filter);
  body(node.body, inner, {.in_loop = place.in_loop});
  expr(node.filter.get(), inner, false);
  node.scope = inner.finish(constants_);
}

void Resolver::with(WithNode& node, Symbols& s, Place place) {
  Symbols inner(&s, s.function(), s.level() + 1);
  for (const ExprPtr& t : node.targets) collect_target(inner, *t, TargetAs::kParameter);
  collect(inner, node.body);
  for (ExprPtr& v : node.values) expr(v.get(), s, place.soft);
  for (ExprPtr& t : node.targets) expr(t.get(), inner, false);
  body(node.body, inner, {.in_loop = place.in_loop});
  node.scope = inner.finish(constants_);
}

void Resolver::block(BlockNode& node) {
  if (!blocks_.insert(node.name).second) error(fmt::format("block '{}' defined twice", node.name), node.line);
  Function own;
  Symbols inner(nullptr, &own, 0);
  collect(inner, node.body);
  body(node.body, inner, {});
  node.scope = inner.finish(constants_);
  node.slots = static_cast<int>(own.slots.size());
}

void Resolver::node(Node& node, Symbols& s, Place place) {
  switch (node.kind) {
    case NodeKind::kPrint:
      for (ExprPtr& e : static_cast<PrintNode&>(node).values) expr(e.get(), s, place.soft);
      return;
    case NodeKind::kIf: {
      auto& n = static_cast<IfNode&>(node);
      for (auto& branch : n.branches) {
        expr(branch.test.get(), s, true);
        body(branch.body, s, {.in_loop = place.in_loop, .soft = true});
      }
      body(n.otherwise, s, {.in_loop = place.in_loop, .soft = true});
      return;
    }
    case NodeKind::kFor: for_loop(static_cast<ForNode&>(node), s, place); return;
    case NodeKind::kSet:
      expr(static_cast<SetNode&>(node).value.get(), s, place.soft);
      expr(static_cast<SetNode&>(node).target.get(), s, place.soft);
      return;
    case NodeKind::kSetBlock: set_block(static_cast<SetBlockNode&>(node), s, place); return;
    case NodeKind::kMacro: {
      auto& n = static_cast<MacroNode&>(node);
      macro(n, s);
      n.ref = s.ref(std::string(n.name.text()));
      return;
    }
    case NodeKind::kCallBlock: {
      auto& n = static_cast<CallBlockNode&>(node);
      macro(*n.caller, s);
      expr(n.call.get(), s, place.soft);
      return;
    }
    case NodeKind::kFilterBlock: filter_block(static_cast<FilterBlockNode&>(node), s, place); return;
    case NodeKind::kWith: with(static_cast<WithNode&>(node), s, place); return;
    case NodeKind::kBlock: block(static_cast<BlockNode&>(node)); return;
    case NodeKind::kBreak:
    case NodeKind::kContinue:
      if (!place.in_loop) error("break and continue must stand inside a for loop", node.line);
      return;
    default: return;
  }
}

}  // namespace

RootVariables resolve_scopes(Body& body, Scope& scope, Constants& constants) {
  Function root;
  Symbols symbols(nullptr, &root, 0);
  collect(symbols, body);
  Resolver(constants).body(body, symbols, {});
  scope = symbols.finish(constants);
  RootVariables result;
  result.slots = static_cast<int>(root.slots.size());
  for (const auto& [key, slot] : root.slots) {
    if (key.first == 0) result.names.emplace_back(key.second, slot);
  }
  return result;
}

}  // namespace ingot::jinja
