#include "text/jinja/values/runtime.h"

#include <algorithm>

#include "text/jinja/syntax/ast.h"

namespace ingot::jinja {

void Namespace::set(const Value& name, const Value& value) {
  for (auto& [key, old] : entries) {
    if (equal(key, name)) {
      old = value;
      return;
    }
  }
  entries.emplace_back(name, value);
}

Value macro_arguments(Heap& heap, const Macro& macro) {
  std::vector<Value> names;
  for (const ExprPtr& p : macro.node->parameters) names.push_back(p->value);
  return heap.tuple(std::move(names));
}

bool macro_uses_caller(const Macro& macro) { return macro.node->caller_slot >= 0; }

bool LoopContext::peek(Heap& heap) {
  if (!after_.is_missing()) return true;
  if (reading_rest_) {
    if (rest_next_ >= rest_.size()) return false;
    after_ = rest_[rest_next_++];
    return true;
  }
  Value item;
  if (!source_.next(heap, item)) return false;
  after_ = std::move(item);
  return true;
}

bool LoopContext::advance(Heap& heap, Value& item) {
  if (!peek(heap)) return false;
  item = std::move(after_);
  after_ = Value();
  ++index0_;
  before_ = std::move(current_);
  current_ = item;
  return true;
}

int64_t LoopContext::length(Heap& heap) {
  if (length_) return *length_;
  Value item;
  while (source_.next(heap, item)) {
    heap.require((rest_.size() + 1) * sizeof(Value));
    rest_.push_back(item);
  }
  reading_rest_ = true;
  length_ = static_cast<int64_t>(rest_.size()) + index() + (after_.is_missing() ? 0 : 1);
  return *length_;
}

Value LoopContext::previous(Heap& heap) const {
  if (index0_ == 0) return Value::undefined(UndefinedBy::kHint, heap.string("there is no previous item"));
  return before_;
}

Value LoopContext::next(Heap& heap) {
  if (!peek(heap)) return Value::undefined(UndefinedBy::kHint, heap.string("there is no next item"));
  return after_;
}

bool LoopContext::changed(std::vector<Value> values) {
  if (last_changed_ && std::equal(last_changed_->begin(), last_changed_->end(), values.begin(), values.end(), equal)) {
    return false;
  }
  last_changed_ = std::move(values);
  return true;
}

Activation* Arena::activation(Activation* parent, size_t slots) {
  heap_.charge(sizeof(Activation) + slots * sizeof(Value));
  activations_.push_back(std::make_unique<Activation>());
  Activation* a = activations_.back().get();
  a->parent = parent;
  a->slots.resize(slots);
  return a;
}

void Arena::give_back(Activation* activation) {
  if (activation->captured || activations_.back().get() != activation) return;
  heap_.credit(sizeof(Activation) + activation->slots.size() * sizeof(Value));
  activations_.pop_back();
}

LoopContext* Arena::make_loop(Cursor source, std::optional<int64_t> length, int depth0) {
  heap_.charge(sizeof(LoopContext) + 16);
  loops_.push_back(std::make_unique<LoopContext>(std::move(source), length, depth0));
  return loops_.back().get();
}

// Every reference is dropped before the heap counts what is left.
Arena::~Arena() {
  activations_.clear();
  namespaces_.clear();
  macros_.clear();
  cyclers_.clear();
  joiners_.clear();
  loops_.clear();
}

}  // namespace ingot::jinja
