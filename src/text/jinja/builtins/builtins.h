// The tables of filters, tests, methods and global functions, and how arguments reach them.
//
// One row declares one builtin: its name, its parameters as Python names them, and its function. A call
// is bound to the parameters first (positional, then by keyword), so that functions see plain values.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/values/value.h"

namespace ingot::jinja {

class Interpreter;

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<Value, Value>> named;
};

// Arguments in the order of the parameters; missing where not given.
class Bound {
 public:
  Bound(std::string_view function, std::string_view parameters, size_t required, const Arguments& arguments);
  bool has(size_t i) const { return !values_[i].is_missing(); }
  const Value& operator[](size_t i) const { return values_[i]; }
  int64_t integer(size_t i, int64_t otherwise) const;  // fails if it is given and no integer
  std::string_view string(size_t i, std::string_view otherwise) const;
  bool truth(Heap& heap, size_t i, bool otherwise) const;
  // As integer(), but Python's None means "not given".
  int64_t integer_or_none(size_t i, int64_t otherwise) const;

 private:
  std::string_view function_;
  std::vector<Value> values_;
};

using FilterFn = Value (*)(Interpreter&, const Value& input, const Bound& args);
using RawFilterFn = Value (*)(Interpreter&, const Value& input, const Arguments& args);
struct Filter {
  std::string_view name;
  std::string_view parameters;  // "width,first,blank"
  size_t required;
  FilterFn fn;
  RawFilterFn raw = nullptr;  // takes the arguments as they came
};
std::span<const Filter> text_filters();
std::span<const Filter> number_filters();
std::span<const Filter> sequence_filters();
std::span<const Filter> item_filters();

using TestFn = bool (*)(Interpreter&, const Value& input, const Bound& args);
struct Test {
  std::string_view name;
  std::string_view parameters;
  TestFn fn;
};

// -1 if there is none of that name.
int find_filter(std::string_view name);
int find_test(std::string_view name);
Value call_filter(Interpreter& in, int id, const Value& input, const Arguments& args);
bool call_test(Interpreter& in, int id, const Value& input, const Arguments& args);

// Global functions: range, dict, namespace, cycler, joiner, raise_exception, strftime_now.
int find_global(std::string_view name);
Value call_global(Interpreter& in, int id, const Arguments& args);

// Python's int(text, base) and float(text).
bool parse_int(std::string_view text, int64_t base, int64_t& out);
bool parse_float(std::string_view text, double& out);

}  // namespace ingot::jinja
