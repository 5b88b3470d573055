// Objects that live as long as one render: namespaces, macros, loops, activations.
//
// They may point at each other in cycles, so Arena owns them all and values only point to them; an
// activation that nothing captured goes back as soon as its call returns. Thread-safety: one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/values/operators.h"
#include "text/jinja/values/value.h"

namespace ingot::jinja {

struct MacroNode;

// The variables of one call of a macro, a recursive loop, a block or the template itself.
struct Activation {
  Activation* parent = nullptr;
  std::vector<Value> slots;
  bool captured = false;  // a macro defined here may outlive the call
};

struct Namespace {
  std::vector<std::pair<Value, Value>> entries;
  const Value* find(std::string_view name) const {
    for (const auto& [key, value] : entries) {
      if (key.is_string() && key.text() == name) return &value;
    }
    return nullptr;
  }
  void set(const Value& name, const Value& value);
};

struct Macro {
  const MacroNode* node = nullptr;
  Activation* home = nullptr;
  Value name;  // none for a call block
};

Value macro_arguments(Heap& heap, const Macro& macro);
bool macro_uses_caller(const Macro& macro);

struct Cycler {
  std::vector<Value> items;
  size_t position = 0;
};

struct Joiner {
  Value separator;
  bool used = false;
};

struct ForNode;

// What `loop` is: pulls the items one by one, looks one ahead when asked to.
class LoopContext {
 public:
  LoopContext(Cursor source, std::optional<int64_t> known_length, int depth0)
      : source_(std::move(source)), length_(known_length), depth0_(depth0) {}

  bool advance(Heap& heap, Value& item);
  int64_t index0() const { return index0_; }
  int64_t index() const { return index0_ + 1; }
  int64_t length(Heap& heap);
  bool last(Heap& heap) { return !peek(heap); }
  Value previous(Heap& heap) const;
  Value next(Heap& heap);
  bool changed(std::vector<Value> values);
  int depth0() const { return depth0_; }

  const ForNode* recursive = nullptr;  // set when the loop may call itself
  Activation* home = nullptr;          // where the loop stands

 private:
  bool peek(Heap& heap);

  Cursor source_;
  std::optional<int64_t> length_;
  int depth0_;
  int64_t index0_ = -1;
  std::vector<Value> rest_;  // items that length() had to read ahead
  size_t rest_next_ = 0;
  bool reading_rest_ = false;
  Value before_, current_, after_;
  std::optional<std::vector<Value>> last_changed_;
};

class Arena {
 public:
  explicit Arena(Heap& heap) : heap_(heap) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  Activation* activation(Activation* parent, size_t slots);
  void give_back(Activation* activation);  // the latest one
  Namespace* make_namespace() { return keep(namespaces_); }
  Macro* make_macro() { return keep(macros_); }
  Cycler* make_cycler() { return keep(cyclers_); }
  Joiner* make_joiner() { return keep(joiners_); }
  LoopContext* make_loop(Cursor source, std::optional<int64_t> length, int depth0);

 private:
  template <class T>
  T* keep(std::vector<std::unique_ptr<T>>& all) {
    heap_.charge(sizeof(T) + 16);
    all.push_back(std::make_unique<T>());
    return all.back().get();
  }

  Heap& heap_;
  std::vector<std::unique_ptr<Activation>> activations_;
  std::vector<std::unique_ptr<Namespace>> namespaces_;
  std::vector<std::unique_ptr<Macro>> macros_;
  std::vector<std::unique_ptr<Cycler>> cyclers_;
  std::vector<std::unique_ptr<Joiner>> joiners_;
  std::vector<std::unique_ptr<LoopContext>> loops_;
};

}  // namespace ingot::jinja
