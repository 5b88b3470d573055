// Walks a template's tree and writes its output: one Interpreter per render.
//
// Statements are in interpreter.cc, expressions and calls in evaluate.cc. Owns the heap and everything
// that lives as long as the render. Throws TemplateError. Thread-safety: one thread.
#pragma once

#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/builtins/builtins.h"
#include "text/jinja/syntax/ast.h"
#include "text/jinja/syntax/scope.h"
#include "text/jinja/template.h"
#include "text/jinja/values/runtime.h"
#include "text/jinja/values/value.h"

namespace ingot::jinja {

// Text being written; what it holds counts against the heap.
class Buffer {
 public:
  explicit Buffer(Heap& heap) : heap_(heap) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { heap_.credit(text_.size()); }
  void append(std::string_view text);
  std::string_view text() const { return text_; }
  std::string take();

 private:
  Heap& heap_;
  std::string text_;
};

class Interpreter {
 public:
  Interpreter(const RootVariables& root, std::time_t now, const RenderLimits& limits)
      : root_(root), now_(now), heap_(limits.steps, limits.memory_bytes), arena_(heap_) {}

  Heap& heap() { return heap_; }
  Arena& arena() { return arena_; }
  std::time_t now() const { return now_; }

  std::string render(const Body& body, const Scope& scope, Value context);
  Value call(const Value& callee, const Arguments& args);

 private:
  enum class Flow : uint8_t { kNext, kBreak, kContinue };
  struct Frame {
    Activation* activation;
    Buffer& out;
  };

  // statements
  Flow run(const Body& body, const Frame& frame);
  Flow run(const Node& node, const Frame& frame);
  Flow run_for(const ForNode& node, const Frame& frame);
  Flow run_loop(const ForNode& node, Activation* home, const Value& source, int depth0, const Frame& frame);
  std::string run_recursive(const ForNode& node, Activation* home, const Value& source, int depth0);
  Flow run_set_block(const SetBlockNode& node, const Frame& frame);
  Flow run_filter_block(const FilterBlockNode& node, const Frame& frame);
  Flow run_with(const WithNode& node, const Frame& frame);
  void run_call_block(const CallBlockNode& node, const Frame& frame);
  void run_block(const BlockNode& node, const Frame& frame);
  void print(const Expr& e, const Frame& frame);
  void enter(const Scope& scope, Activation* activation);
  void leave(const Scope& scope, Activation* activation);
  void assign(const Expr& target, const Value& value, Activation* activation);
  void check_namespaces(const Expr& target, Activation* activation);
  Value resolve(const Value& name);
  Value filtered(const ForNode& node, Activation* home, const Value& source);

  // expressions
  Value evaluate(const Expr& e, Activation* a);
  Value evaluate_name(const Expr& e, Activation* a);
  Value evaluate_container(const Expr& e, Activation* a);
  Value evaluate_item(const Expr& e, Activation* a);
  Value evaluate_call(const Expr& e, Activation* a, const Value* caller);
  Value evaluate_filter(const Expr& e, Activation* a, const Value* input);
  Value evaluate_test(const Expr& e, Activation* a);
  Value evaluate_compare(const Expr& e, Activation* a);
  Value evaluate_concat(const Expr& e, Activation* a);
  Value evaluate_condition(const Expr& e, Activation* a);
  Arguments evaluate_arguments(const Expr& e, Activation* a);
  Value make_macro(const MacroNode& node, Activation* home);
  Value invoke(const Macro& macro, const Arguments& args);
  Value call_loop(LoopContext& loop, const Arguments& args);

  static Value& variable(VarRef ref, Activation* a) {
    for (int i = 0; i < ref.hops; ++i) a = a->parent;
    return a->slots[static_cast<size_t>(ref.slot)];
  }

  const RootVariables& root_;
  std::time_t now_;
  Heap heap_;
  Arena arena_;
  Value context_;
  Activation* root_activation_ = nullptr;
};

}  // namespace ingot::jinja
