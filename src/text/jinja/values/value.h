// Value: what a template computes with, and Heap: the memory, steps and depth one render may use.
//
// A Value is a 16-byte tag and payload. Strings and containers are reference counted, immutable and
// owned by the Heap of one render; constants of a parsed template have no heap and are never counted,
// so that many threads may render one template. Objects that can form cycles (namespaces, macros,
// activations, loops) are owned by the interpreter and only pointed to.
// Errors: every function of this folder throws TemplateError; Template turns it into a Status.
// Thread-safety: a Heap and its values belong to one thread.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/status.h"

namespace ingot::jinja {

class Value;
class Heap;

// A failure inside this folder; never crosses its border.
struct TemplateError {
  Code code;
  std::string message;
  int line = 0;  // 0: the line that was being evaluated
};

// The one place of this folder that throws.
[[noreturn]] inline void raise(Code code, std::string message, int line = 0) {
  throw TemplateError{code, std::move(message), line};
}

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  raise(Code::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
[[noreturn]] void exhausted(fmt::format_string<Args...> format, Args&&... args) {
  raise(Code::kResourceExhausted, fmt::format(format, std::forward<Args>(args)...));
}

enum class Kind : uint8_t {
  kMissing,  // an argument not given, a variable not set
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kView,  // dict.keys(), dict.values(), dict.items()
  kRange,
  kIterator,  // a generator: lazy, single use
  kMethod,    // a method bound to its object
  kFunction,  // a global function
  kNamespace,
  kMacro,
  kLoop,
  kCycler,
  kJoiner,
};

struct Object {
  Heap* heap = nullptr;  // nullptr: a constant, lives as long as its template
  uint32_t refs = 0;
  size_t bytes = 0;  // charged to the heap
  virtual ~Object() = default;
};

struct StringObject;
struct ListObject;
struct DictObject;
struct RangeObject;
struct IteratorObject;
struct MethodObject;
struct ViewObject;

// How an undefined value came to be; its message is written only when it is needed.
enum class UndefinedBy : uint8_t { kName, kHint, kAttribute, kElement, kUnsafe };

class Value {
 public:
  Value() : kind_(Kind::kMissing), integer_(0) {}
  Value(const Value& other) : kind_(other.kind_), flag_(other.flag_), aux_(other.aux_), integer_(other.integer_) {
    retain();
  }
  Value(Value&& other) noexcept : kind_(other.kind_), flag_(other.flag_), aux_(other.aux_), integer_(other.integer_) {
    other.kind_ = Kind::kMissing;
    other.integer_ = 0;
  }
  Value& operator=(Value other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(flag_, other.flag_);
    std::swap(aux_, other.aux_);
    std::swap(integer_, other.integer_);
    return *this;
  }
  ~Value() { release(); }

  static Value none() { return Value(Kind::kNone, 0); }
  static Value boolean(bool v) { return Value(Kind::kBool, v ? 1 : 0); }
  static Value integer(int64_t v) { return Value(Kind::kInt, v); }
  static Value real(double v);
  static Value function(int id) { return Value(Kind::kFunction, id); }
  static Value undefined(UndefinedBy by, const Value& name, Kind owner = Kind::kNone);
  static Value object(Kind kind, Object* object);  // takes a share of a counted object
  static Value pointer(Kind kind, void* owned_by_interpreter);

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_missing() const { return kind_ == Kind::kMissing; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_sequence() const { return kind_ == Kind::kList || kind_ == Kind::kTuple; }
  bool is_integral() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool is_number() const { return is_integral() || kind_ == Kind::kFloat; }
  bool is_group() const { return kind_ == Kind::kTuple && flag_ != 0; }  // of the groupby filter
  bool is_markup() const { return kind_ == Kind::kString && flag_ != 0; }
  Value as_markup() const;  // also marks a tuple as a group
  Value as_plain() const;

  bool as_bool() const { return integer_ != 0; }
  int64_t as_int() const { return integer_; }
  double as_double() const;  // of any number
  UndefinedBy undefined_by() const { return static_cast<UndefinedBy>(flag_); }
  Kind undefined_owner() const { return static_cast<Kind>(aux_); }
  Value undefined_name() const;

  const StringObject& string_object() const;
  std::string_view text() const;
  const std::vector<Value>& items() const;  // of a list or tuple
  const DictObject& dict() const;
  const RangeObject& range() const;
  const ViewObject& view() const;
  IteratorObject& iterator() const;
  const MethodObject& method() const;
  template <class T>
  T& as() const {
    return *static_cast<T*>(pointer_);
  }
  bool same_object(const Value& other) const { return kind_ == other.kind_ && integer_ == other.integer_; }

 private:
  Value(Kind kind, int64_t integer) : kind_(kind), integer_(integer) {}
  bool counted() const {
    return ((kind_ >= Kind::kString && kind_ <= Kind::kMethod) || kind_ == Kind::kUndefined) && object_ != nullptr;
  }
  void retain() {
    if (counted() && object_->heap != nullptr) ++object_->refs;
  }
  void release();

  Kind kind_;
  uint8_t flag_ = 0;  // strings: markup; undefined: UndefinedBy
  uint16_t aux_ = 0;  // undefined: Kind of the owner
  union {
    int64_t integer_;
    double real_;
    Object* object_;
    void* pointer_;
  };
};

struct StringObject : Object {
  std::string text;
  mutable int64_t length = -1;  // code points, counted on first use
  int64_t count() const;
  bool ascii() const { return count() == static_cast<int64_t>(text.size()); }
};

struct ListObject : Object {
  std::vector<Value> items;
};

// Insertion ordered; an index of hashes is built once a dict has more than a few entries.
struct DictObject : Object {
  std::vector<std::pair<Value, Value>> entries;
  std::vector<uint32_t> index;                // entry + 1 by hash, open addressing; empty while small
  const Value* find(const Value& key) const;  // key must be hashable
  const Value* find(std::string_view key) const;
  void set(const Value& key, const Value& value);

 private:
  int64_t position(const Value& key) const;
  void grow_index();
};

struct RangeObject : Object {
  int64_t start = 0;
  int64_t stop = 0;
  int64_t step = 1;
  int64_t size() const;
};

enum class ViewOf : uint8_t { kKeys, kValues, kItems };
struct ViewObject : Object {
  Value owner;
  ViewOf of = ViewOf::kKeys;
};

// Calls `pull` until it gives false.
struct IteratorObject : Object {
  std::function<bool(Value&)> pull;
  bool done = false;
  bool next(Value& out);
};

struct MethodObject : Object {
  Value self;
  int id = 0;
};

// Memory, steps and depth of one render.
class Heap {
 public:
  Heap(uint64_t steps_max, size_t bytes_max) : steps_max_(steps_max), steps_left_(steps_max), bytes_max_(bytes_max) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  ~Heap() { drain(); }

  Value string(std::string text);
  Value list(std::vector<Value> items) { return sequence(Kind::kList, std::move(items)); }
  Value tuple(std::vector<Value> items) { return sequence(Kind::kTuple, std::move(items)); }
  Value sequence(Kind kind, std::vector<Value> items);
  Value dict(const std::vector<std::pair<Value, Value>>& entries);  // a later equal key overwrites
  Value range(int64_t start, int64_t stop, int64_t step);
  Value view(const Value& dict, ViewOf of);
  Value iterator(std::function<bool(Value&)> pull);
  Value method(const Value& self, int id);

  // One unit of work; long work over bytes or items says how many.
  void step(uint64_t n = 1) {
    if (n > steps_left_) out_of_steps();
    steps_left_ -= n;
  }
  void step_bytes(size_t bytes) { step(1 + bytes / 32); }
  // Fails now if this many more bytes would pass the limit.
  void require(size_t bytes) const;
  void charge(size_t bytes);
  void credit(size_t bytes) { live_bytes_ -= bytes; }

  void bury(Object* object);
  void drain();

  int line = 1;   // the line that is being evaluated
  int depth = 0;  // nested evaluations, in units of kEvalDepthMax

 private:
  friend class Depth;
  Value adopt(Kind kind, Object* object, size_t bytes);
  [[noreturn]] void out_of_steps() const;

  uint64_t steps_max_;
  uint64_t steps_left_;
  size_t bytes_max_;
  size_t live_bytes_ = 0;
  std::vector<Object*> graveyard_;
  bool draining_ = false;
};

// Held while one more level of evaluation is on the stack.
class Depth {
 public:
  static constexpr int kMax = 8 * limits::kTemplateDepthMax;
  explicit Depth(Heap& heap) : heap_(heap) {
    if (heap_.depth >= kMax) too_deep();
    ++heap_.depth;
  }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;
  ~Depth() { --heap_.depth; }

 private:
  [[noreturn]] void too_deep() const;
  Heap& heap_;
};

// A constant of a template: owned by the template, shared by all renders.
class Constants {
 public:
  Constants() = default;
  Constants(const Constants&) = delete;
  Constants& operator=(const Constants&) = delete;
  ~Constants();
  Value string(std::string text);

 private:
  std::vector<Object*> objects_;
};

}  // namespace ingot::jinja
