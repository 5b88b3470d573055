#include "text/jinja/syntax/undeclared.h"

namespace ingot::jinja {
namespace {

void find_undeclared(Undeclared& u, const Expr* e, bool store = false) {
  if (e == nullptr) return;
  if (e->kind == ExprKind::kName) {
    if (!store && u.names.contains(std::string(e->value.text()))) {
      u.found.insert(std::string(e->value.text()));
    } else {
      u.names.erase(std::string(e->value.text()));
    }
  }
  for_each_child(*e, [&](const Expr& child) { find_undeclared(u, &child, store); });
}

void find_undeclared(Undeclared& u, const MacroNode& macro) {
  for (const ExprPtr& p : macro.parameters) find_undeclared(u, p.get(), true);
  for (const ExprPtr& d : macro.defaults) find_undeclared(u, d.get());
  find_undeclared(u, macro.body);
}

void find_undeclared(Undeclared& u, const Node& node) {
  switch (node.kind) {
    case NodeKind::kPrint:
      for (const ExprPtr& e : static_cast<const PrintNode&>(node).values) find_undeclared(u, e.get());
      return;
    case NodeKind::kIf: {
      const auto& n = static_cast<const IfNode&>(node);
      for (const auto& b : n.branches) {
        find_undeclared(u, b.test.get());
        find_undeclared(u, b.body);
      }
      find_undeclared(u, n.otherwise);
      return;
    }
    case NodeKind::kFor: {
      const auto& n = static_cast<const ForNode&>(node);
      find_undeclared(u, n.target.get(), true);
      find_undeclared(u, n.source.get());
      find_undeclared(u, n.body);
      find_undeclared(u, n.otherwise);
      find_undeclared(u, n.test.get());
      return;
    }
    case NodeKind::kSet:
      find_undeclared(u, static_cast<const SetNode&>(node).target.get(), true);
      find_undeclared(u, static_cast<const SetNode&>(node).value.get());
      return;
    case NodeKind::kSetBlock:
      find_undeclared(u, static_cast<const SetBlockNode&>(node).target.get(), true);
      find_undeclared(u, static_cast<const SetBlockNode&>(node).filter.get());
      find_undeclared(u, static_cast<const SetBlockNode&>(node).body);
      return;
    case NodeKind::kMacro: find_undeclared(u, static_cast<const MacroNode&>(node)); return;
    case NodeKind::kCallBlock:
      find_undeclared(u, static_cast<const CallBlockNode&>(node).call.get());
      find_undeclared(u, *static_cast<const CallBlockNode&>(node).caller);
      return;
    case NodeKind::kFilterBlock:
      find_undeclared(u, static_cast<const FilterBlockNode&>(node).body);
      find_undeclared(u, static_cast<const FilterBlockNode&>(node).filter.get());
      return;
    case NodeKind::kWith: {
      const auto& n = static_cast<const WithNode&>(node);
      for (const ExprPtr& t : n.targets) find_undeclared(u, t.get(), true);
      for (const ExprPtr& v : n.values) find_undeclared(u, v.get());
      find_undeclared(u, n.body);
      return;
    }
    default: return;
  }
}

}  // namespace

void find_undeclared(Undeclared& u, const Body& body) {
  for (const NodePtr& node : body) find_undeclared(u, *node);
}

}  // namespace ingot::jinja
