#include "text/jinja/values/value.h"

#include <bit>

#include "text/jinja/values/operators.h"
#include "text/jinja/values/unicode.h"

namespace ingot::jinja {

Value Value::real(double v) { return {Kind::kFloat, std::bit_cast<int64_t>(v)}; }

Value Value::object(Kind kind, Object* object) {
  Value v(kind, 0);
  v.object_ = object;
  v.retain();
  return v;
}

Value Value::pointer(Kind kind, void* owned_by_interpreter) {
  Value v(kind, 0);
  v.pointer_ = owned_by_interpreter;
  return v;
}

// The name is shared with the string it came from; other names are dropped.
Value Value::undefined(UndefinedBy by, const Value& name, Kind owner) {
  Value v(Kind::kUndefined, 0);
  v.object_ = name.is_string() ? name.object_ : nullptr;
  v.flag_ = static_cast<uint8_t>(by);
  v.aux_ = static_cast<uint16_t>(owner);
  v.retain();
  return v;
}

Value Value::undefined_name() const {
  return object_ == nullptr ? Value::none() : Value::object(Kind::kString, object_);
}

Value Value::as_markup() const {
  Value v = *this;
  v.flag_ = 1;
  return v;
}

Value Value::as_plain() const {
  Value v = *this;
  v.flag_ = 0;
  return v;
}

double Value::as_double() const { return kind_ == Kind::kFloat ? real_ : static_cast<double>(integer_); }

const StringObject& Value::string_object() const { return *static_cast<StringObject*>(object_); }
std::string_view Value::text() const { return static_cast<StringObject*>(object_)->text; }
const std::vector<Value>& Value::items() const { return static_cast<ListObject*>(object_)->items; }
const DictObject& Value::dict() const { return *static_cast<DictObject*>(object_); }
const RangeObject& Value::range() const { return *static_cast<RangeObject*>(object_); }
const ViewObject& Value::view() const { return *static_cast<ViewObject*>(object_); }
IteratorObject& Value::iterator() const { return *static_cast<IteratorObject*>(object_); }
const MethodObject& Value::method() const { return *static_cast<MethodObject*>(object_); }

void Value::release() {
  if (!counted() || object_->heap == nullptr) return;
  if (--object_->refs == 0) object_->heap->bury(object_);
}

int64_t StringObject::count() const {
  if (length < 0) length = static_cast<int64_t>(unicode::length(text));
  return length;
}

int64_t RangeObject::size() const {
  if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
  return start > stop ? (start - stop - 1) / -step + 1 : 0;
}

bool IteratorObject::next(Value& out) {
  if (done) return false;
  Depth depth(*heap);
  heap->step();
  if (pull(out)) return true;
  done = true;
  return false;
}

// -- dict

namespace {
constexpr size_t kSmallDict = 12;
}

int64_t DictObject::position(const Value& key) const {
  if (index.empty()) {
    for (size_t i = 0; i < entries.size(); ++i) {
      if (equal(entries[i].first, key)) return static_cast<int64_t>(i);
    }
    return -1;
  }
  const size_t mask = index.size() - 1;
  for (size_t at = hash(key) & mask; index[at] != 0; at = (at + 1) & mask) {
    if (equal(entries[index[at] - 1].first, key)) return index[at] - 1;
  }
  return -1;
}

const Value* DictObject::find(const Value& key) const {
  const int64_t at = position(key);
  return at < 0 ? nullptr : &entries[static_cast<size_t>(at)].second;
}

const Value* DictObject::find(std::string_view key) const {
  if (index.empty()) {
    for (const auto& [k, v] : entries) {
      if (k.is_string() && k.text() == key) return &v;
    }
    return nullptr;
  }
  const size_t mask = index.size() - 1;
  for (size_t at = hash(key) & mask; index[at] != 0; at = (at + 1) & mask) {
    const auto& [k, v] = entries[index[at] - 1];
    if (k.is_string() && k.text() == key) return &v;
  }
  return nullptr;
}

void DictObject::grow_index() {
  index.assign(std::bit_ceil(entries.size() * 4), 0);
  const size_t mask = index.size() - 1;
  for (size_t i = 0; i < entries.size(); ++i) {
    size_t at = hash(entries[i].first) & mask;
    while (index[at] != 0) at = (at + 1) & mask;
    index[at] = static_cast<uint32_t>(i + 1);
  }
}

void DictObject::set(const Value& key, const Value& value) {
  const int64_t found = position(key);
  if (found >= 0) {
    entries[static_cast<size_t>(found)].second = value;
    return;
  }
  entries.emplace_back(key, value);
  if (entries.size() <= kSmallDict) return;
  if (index.size() < entries.size() * 2) {
    grow_index();
    return;
  }
  const size_t mask = index.size() - 1;
  size_t at = hash(key) & mask;
  while (index[at] != 0) at = (at + 1) & mask;
  index[at] = static_cast<uint32_t>(entries.size());
}

// -- heap

Value Heap::adopt(Kind kind, Object* object, size_t bytes) {
  object->heap = this;
  object->bytes = bytes + sizeof(ListObject);
  live_bytes_ += object->bytes;
  return Value::object(kind, object);
}

void Heap::require(size_t bytes) const {
  if (bytes > bytes_max_ || live_bytes_ + bytes > bytes_max_) {
    exhausted("the template needs more than {} bytes of memory; simplify it or shorten the conversation", bytes_max_);
  }
}

void Heap::charge(size_t bytes) {
  require(bytes);
  live_bytes_ += bytes;
}

void Heap::out_of_steps() const { exhausted("the template runs longer than {} steps; it may never end", steps_max_); }

void Depth::too_deep() const { exhausted("the template recurses deeper than {} evaluations", kMax); }

Value Heap::string(std::string text) {
  require(text.size());
  step_bytes(text.size());
  auto* object = new StringObject;
  object->text = std::move(text);
  return adopt(Kind::kString, object, object->text.capacity());
}

Value Heap::sequence(Kind kind, std::vector<Value> items) {
  const size_t bytes = items.size() * sizeof(Value);
  require(bytes);
  step(1 + items.size());
  auto* object = new ListObject;
  object->items = std::move(items);
  return adopt(kind, object, bytes);
}

Value Heap::dict(const std::vector<std::pair<Value, Value>>& entries) {
  const size_t bytes = entries.size() * (2 * sizeof(Value) + 16);
  require(bytes);
  auto* object = new DictObject;
  Value result = adopt(Kind::kDict, object, bytes);
  object->entries.reserve(entries.size());
  for (const auto& [key, value] : entries) {
    step();
    object->set(key, value);
  }
  return result;
}

Value Heap::range(int64_t start, int64_t stop, int64_t step) {
  auto* object = new RangeObject;
  object->start = start;
  object->stop = stop;
  object->step = step;
  return adopt(Kind::kRange, object, 0);
}

Value Heap::view(const Value& dict, ViewOf of) {
  auto* object = new ViewObject;
  object->owner = dict;
  object->of = of;
  return adopt(Kind::kView, object, 0);
}

Value Heap::iterator(std::function<bool(Value&)> pull) {
  require(sizeof(IteratorObject));
  auto* object = new IteratorObject;
  object->pull = std::move(pull);
  return adopt(Kind::kIterator, object, 256);
}

Value Heap::method(const Value& self, int id) {
  auto* object = new MethodObject;
  object->self = self;
  object->id = id;
  return adopt(Kind::kMethod, object, 0);
}

// Objects die in a loop, not by recursion: a list may be nested as deep as a template likes.
void Heap::bury(Object* object) {
  graveyard_.push_back(object);
  if (!draining_) drain();
}

void Heap::drain() {
  draining_ = true;
  while (!graveyard_.empty()) {
    Object* object = graveyard_.back();
    graveyard_.pop_back();
    live_bytes_ -= object->bytes;
    delete object;
  }
  draining_ = false;
}

// -- constants

Constants::~Constants() {
  for (Object* object : objects_) delete object;
}

Value Constants::string(std::string text) {
  auto* object = new StringObject;
  objects_.push_back(object);
  object->text = std::move(text);
  object->count();
  return Value::object(Kind::kString, object);
}

}  // namespace ingot::jinja
