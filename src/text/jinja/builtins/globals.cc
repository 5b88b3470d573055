// The functions every template can call.
#include <iterator>

#include "text/jinja/interpreter.h"
#include "text/jinja/values/print.h"

namespace ingot::jinja {
namespace {

constexpr int64_t kRangeMax = 100000;  // the sandbox's

Value range(Interpreter& in, const Arguments& args) {
  const Bound bound("range", "/start,stop,step", 1, args);
  const bool one = !bound.has(1);
  const int64_t start = one ? 0 : bound.integer(0, 0);
  const int64_t stop = bound.integer(one ? 0 : 1, 0);
  const int64_t step = bound.integer(2, 1);
  if (step == 0) fail("range() arg 3 must not be zero");
  const __int128 span = step > 0 ? static_cast<__int128>(stop) - start : static_cast<__int128>(start) - stop;
  const __int128 stride = step > 0 ? step : -static_cast<__int128>(step);
  if (span > 0 && (span + stride - 1) / stride > kRangeMax) {
    fail("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).", kRangeMax);
  }
  return in.heap().range(start, stop, step);
}

// dict(pairs or mapping, **more)
std::vector<std::pair<Value, Value>> dict_entries(Interpreter& in, const Arguments& args) {
  std::vector<std::pair<Value, Value>> entries;
  if (args.positional.size() > 1) fail("dict expected at most 1 argument, got {}", args.positional.size());
  if (!args.positional.empty()) {
    const Value& from = args.positional[0];
    if (from.is(Kind::kDict)) {
      entries = from.dict().entries;
    } else {
      for (const Value& pair : to_vector(in.heap(), from)) {
        const std::vector<Value> two = to_vector(in.heap(), pair);
        if (two.size() != 2) fail("dictionary update sequence element has length {}; 2 is required", two.size());
        require_hashable(two[0]);
        entries.emplace_back(two[0], two[1]);
      }
    }
  }
  entries.insert(entries.end(), args.named.begin(), args.named.end());
  return entries;
}

Value make_dict(Interpreter& in, const Arguments& args) { return in.heap().dict(dict_entries(in, args)); }

Value make_namespace(Interpreter& in, const Arguments& args) {
  const auto entries = dict_entries(in, args);
  in.heap().charge(entries.size() * 2 * sizeof(Value));
  Namespace* ns = in.arena().make_namespace();
  for (const auto& [key, value] : entries) {
    if (key.is_string() && key.text().starts_with('_')) {
      fail("underscore-prefixed attributes cannot be stored on a namespace: '{}'", key.text());
    }
    in.heap().step(1 + ns->entries.size());
    ns->set(key, value);
  }
  return Value::pointer(Kind::kNamespace, ns);
}

Value make_cycler(Interpreter& in, const Arguments& args) {
  if (args.positional.empty() || !args.named.empty()) fail("at least one item has to be provided");
  in.heap().charge(args.positional.size() * sizeof(Value));
  Cycler* cycler = in.arena().make_cycler();
  cycler->items = args.positional;
  return Value::pointer(Kind::kCycler, cycler);
}

Value make_joiner(Interpreter& in, const Arguments& args) {
  const Bound bound("joiner", "sep", 0, args);
  Joiner* joiner = in.arena().make_joiner();
  joiner->separator = bound.has(0) ? bound[0] : in.heap().string(", ");
  return Value::pointer(Kind::kJoiner, joiner);
}

// What the template has to say about the conversation, without our tag or line in its way.
Value raise_exception(Interpreter& in, const Arguments& args) {
  const Bound bound("raise_exception", "message", 1, args);
  raise(Code::kInvalidArgument, to_text(in.heap(), bound[0]), in.heap().line);
}

Value strftime_now(Interpreter& in, const Arguments& args) {
  const Bound bound("strftime_now", "format", 1, args);
  std::string format(bound.string(0, ""));
  if (format.empty()) return in.heap().string("");
  if (format.size() > 4096) fail("strftime_now: the format is longer than 4096 bytes");
  for (size_t at = format.find('%'); at != std::string::npos; at = format.find('%', at + 2)) {
    if (format.compare(at, 2, "%f") == 0) format.replace(at, 2, "000000");
  }
  std::tm tm{};
  const std::time_t now = in.now();
  localtime_r(&now, &tm);
  std::string out(format.size() * 64 + 256, '\0');
  out.resize(std::strftime(out.data(), out.size(), format.c_str(), &tm));
  return in.heap().string(std::move(out));
}

struct Global {
  std::string_view name;
  Value (*fn)(Interpreter&, const Arguments&);
};
constexpr Global kGlobals[] = {
    {"range", range},
    {"dict", make_dict},
    {"namespace", make_namespace},
    {"cycler", make_cycler},
    {"joiner", make_joiner},
    {"raise_exception", raise_exception},
    {"strftime_now", strftime_now},
};

}  // namespace

int find_global(std::string_view name) {
  for (size_t i = 0; i < std::size(kGlobals); ++i) {
    if (kGlobals[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

Value call_global(Interpreter& in, int id, const Arguments& args) { return kGlobals[id].fn(in, args); }

}  // namespace ingot::jinja
