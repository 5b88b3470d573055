// The tree of a parsed template. Immutable after Template::parse, so that many threads may render it.
//
// Variables are resolved to slots by scope.cc: a VarRef says how many activations outwards and which
// slot there. Owned by the Template; constants by its Constants.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/jinja/values/operators.h"
#include "text/jinja/values/value.h"

namespace ingot::jinja {

struct VarRef {
  int hops = -1;  // -1: not a variable of the template; looked up in the context
  int slot = 0;
};

enum class ExprKind : uint8_t {
  kConst,
  kName,
  kNamespaceRef,  // target only: name.attr; value is the name, attr its attribute
  kTuple,
  kList,
  kDict,       // args: key, value, key, value, ...
  kAttribute,  // args[0].value
  kItem,       // args[0][args[1]]
  kSlice,      // in kItem: start, stop, step; each may be null
  kCall,       // args[0](args[1:], kwargs, *dyn_args, **dyn_kwargs)
  kFilter,     // args[0]|value(args[1:], ...); args[0] is null in a filter block
  kTest,       // args[0] is value(args[1:], ...)
  kNot,
  kNegate,
  kPlus,
  kAnd,
  kOr,
  kBinary,
  kConcat,
  kCompare,    // args[0] ops[0] args[1] ops[1] args[2] ...
  kCondition,  // args: test, then, else (may be null)
};

enum class CompareOp : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Keyword {
  Value name;
  ExprPtr value;
};

struct Expr {
  ExprKind kind;
  int line;
  int depth = 1;
  Value value;
  Value attribute;
  std::vector<ExprPtr> args;
  std::vector<Keyword> kwargs;
  ExprPtr dyn_args;
  ExprPtr dyn_kwargs;
  std::vector<CompareOp> ops;
  Arithmetic op = Arithmetic::kAdd;
  VarRef ref;
  int callee = -1;  // filters and tests: index in their table, -1: unknown
};

// Calls f for every sub-expression that is there.
template <class F>
void for_each_child(const Expr& e, F&& f) {
  for (const ExprPtr& a : e.args) {
    if (a != nullptr) f(*a);
  }
  for (const Keyword& k : e.kwargs) f(*k.value);
  if (e.dyn_args != nullptr) f(*e.dyn_args);
  if (e.dyn_kwargs != nullptr) f(*e.dyn_kwargs);
}

// What happens to a scope's variables when it is entered.
struct Load {
  enum class How : uint8_t { kResolve, kAlias, kUndefined, kParameter };
  How how;
  int slot;
  VarRef source;
  Value name;
};
struct Scope {
  std::vector<Load> loads;
};

enum class NodeKind : uint8_t {
  kData,
  kPrint,
  kIf,
  kFor,
  kSet,
  kSetBlock,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kWith,
  kBlock,
  kBreak,
  kContinue,
  kUnsupported,
};

struct Node {
  Node(NodeKind k, int l) : kind(k), line(l) {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  virtual ~Node() = default;
  NodeKind kind;
  int line;
};
using NodePtr = std::unique_ptr<Node>;
using Body = std::vector<NodePtr>;

struct DataNode : Node {
  explicit DataNode(int l) : Node(NodeKind::kData, l) {}
  std::string text;
};
struct PrintNode : Node {
  explicit PrintNode(int l) : Node(NodeKind::kPrint, l) {}
  std::vector<ExprPtr> values;
};
struct IfNode : Node {
  explicit IfNode(int l) : Node(NodeKind::kIf, l) {}
  struct Branch {
    ExprPtr test;
    Body body;
  };
  std::vector<Branch> branches;  // if, elif, elif, ...
  Body otherwise;
};
struct ForNode : Node {
  explicit ForNode(int l) : Node(NodeKind::kFor, l) {}
  ExprPtr target;
  ExprPtr test_target;  // the same target, as the filter sees it
  ExprPtr source;
  ExprPtr test;
  Body body;
  Body otherwise;
  bool recursive = false;
  bool uses_loop = false;
  VarRef loop;
  Scope scope, test_scope, else_scope;
  int slots = 0;  // of the activation, when recursive
};
struct SetNode : Node {
  explicit SetNode(int l) : Node(NodeKind::kSet, l) {}
  ExprPtr target;
  ExprPtr value;
};
struct SetBlockNode : Node {
  explicit SetBlockNode(int l) : Node(NodeKind::kSetBlock, l) {}
  ExprPtr target;
  ExprPtr filter;  // may be null
  Body body;
  Scope scope;
};
// A macro, or the body of a call block (which has no name).
struct MacroNode : Node {
  explicit MacroNode(int l) : Node(NodeKind::kMacro, l) {}
  Value name;
  VarRef ref;
  std::vector<ExprPtr> parameters;  // names
  std::vector<ExprPtr> defaults;    // of the last parameters
  Body body;
  Scope scope;
  int slots = 0;
  int caller_slot = -1;  // -1: the body does not use it
  int kwargs_slot = -1;
  int varargs_slot = -1;
};
struct CallBlockNode : Node {
  explicit CallBlockNode(int l) : Node(NodeKind::kCallBlock, l) {}
  std::unique_ptr<MacroNode> caller;
  ExprPtr call;  // null: a generation block, whose body is simply rendered
};
struct FilterBlockNode : Node {
  explicit FilterBlockNode(int l) : Node(NodeKind::kFilterBlock, l) {}
  ExprPtr filter;
  Body body;
  Scope scope;
};
struct WithNode : Node {
  explicit WithNode(int l) : Node(NodeKind::kWith, l) {}
  std::vector<ExprPtr> targets;
  std::vector<ExprPtr> values;
  Body body;
  Scope scope;
};
struct BlockNode : Node {
  explicit BlockNode(int l) : Node(NodeKind::kBlock, l) {}
  std::string name;
  Body body;
  Scope scope;
  int slots = 0;
};
// A statement that needs other templates: an error, but only if it is reached.
struct UnsupportedNode : Node {
  explicit UnsupportedNode(int l) : Node(NodeKind::kUnsupported, l) {}
  std::string what;
};

}  // namespace ingot::jinja
