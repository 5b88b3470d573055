#include "text/grammar/expression.h"

#include <algorithm>
#include <optional>

#include "base/limits.h"

namespace ingot::grammar {
namespace {

using Kind = Expression::Kind;

constexpr size_t kExpandedMax = 10 * limits::kGrammarStatesMax;  // expressions, each as often as it is repeated
constexpr uint32_t kCodePointMax = 0x10FFFF;

Expr make(Expression e) { return std::make_shared<const Expression>(std::move(e)); }

std::vector<CodeRange> sorted_disjoint(std::vector<CodeRange> ranges) {
  std::ranges::sort(ranges);
  std::vector<CodeRange> out;
  for (const CodeRange& r : ranges)
    if (!out.empty() && r.first <= out.back().second + 1)
      out.back().second = std::max(out.back().second, r.second);
    else
      out.push_back(r);
  return out;
}

int encode(uint32_t code, uint8_t* out) {
  if (code < 0x80) return out[0] = static_cast<uint8_t>(code), 1;
  const int size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (int i = size; i-- > 1; code >>= 6) out[i] = static_cast<uint8_t>(0x80 | (code & 0x3F));
  out[0] = static_cast<uint8_t>((0xF00 >> size & 0xF0) | code);
  return size;
}

// Builds the states of all rules.
class Compiler {
 public:
  explicit Compiler(Automaton& automaton) : a_(automaton) {}

  int32_t add() {
    if (a_.states.size() >= limits::kGrammarStatesMax) {
      full_ = true;
      return 0;
    }
    a_.states.emplace_back();
    return static_cast<int32_t>(a_.states.size() - 1);
  }
  bool full() const { return full_; }

  // Returns the state after the expression.
  int32_t compile(const Expression& e, int32_t from) {
    if (full_ || ++num_expanded_ > kExpandedMax) {  // parts that add no state count, too
      full_ = true;
      return from;
    }
    switch (e.kind) {
      case Kind::kLiteral:
        for (char c : e.text) from = take(from, static_cast<uint8_t>(c), static_cast<uint8_t>(c));
        return from;
      case Kind::kClass: return compile_class(e, from);
      case Kind::kSequence:
        for (const Expr& part : e.parts) from = compile(*part, from);
        return from;
      case Kind::kChoice: {
        const int32_t to = add();
        for (const Expr& part : e.parts) jump(compile(*part, enter(from)), to);
        return to;
      }
      case Kind::kRepeat: return compile_repeat(e, from);
      case Kind::kRule: {
        const int32_t to = add();
        at(from).calls.push_back({e.rule, to});
        return to;
      }
    }
    return from;
  }

 private:
  AutomatonState& at(int32_t s) { return a_.states[static_cast<size_t>(s)]; }
  void jump(int32_t from, int32_t to) { at(from).jumps.push_back(to); }
  int32_t enter(int32_t from) {
    const int32_t s = add();
    jump(from, s);
    return s;
  }
  int32_t take(int32_t from, uint8_t low, uint8_t high) {
    const int32_t to = add();
    at(from).bytes.push_back({low, high, to});
    return to;
  }

  int32_t compile_repeat(const Expression& e, int32_t from) {
    const Expression& part = *e.parts.front();
    for (int64_t i = 0; i < e.min && !full_; ++i) from = compile(part, from);
    if (e.max < 0) {
      const int32_t loop = enter(from);
      jump(compile(part, loop), loop);
      return enter(loop);
    }
    const int32_t to = add();
    for (int64_t i = e.min; i < e.max && !full_; ++i) {
      jump(from, to);
      from = compile(part, from);
    }
    jump(from, to);
    return to;
  }

  int32_t compile_class(const Expression& e, int32_t from) {
    const int32_t to = add();
    for (const auto& [low, high] : e.ranges) {
      // Each length of encoding, without the surrogates, by itself.
      constexpr CodeRange kParts[] = {
          {0, 0x7F}, {0x80, 0x7FF}, {0x800, 0xD7FF}, {0xE000, 0xFFFF}, {0x10000, kCodePointMax}};
      for (const auto& [first, last] : kParts)
        if (low <= last && high >= first) add_range(from, to, std::max(low, first), std::min(high, last));
    }
    return to;
  }

  // Characters of one length. Split until the bytes after the first are either the same or whole.
  void add_range(int32_t from, int32_t to, uint32_t low, uint32_t high) {
    if (full_) return;
    uint8_t a[4], b[4];
    const int size = encode(low, a);
    encode(high, b);
    for (int i = 1; i < size; ++i) {
      const uint32_t rest = (1U << 6 * i) - 1;
      if ((low & ~rest) == (high & ~rest)) continue;
      if ((low & rest) != 0) {
        add_range(from, to, low, low | rest);
        return add_range(from, to, (low | rest) + 1, high);
      }
      if ((high & rest) != rest) {
        add_range(from, to, low, (high & ~rest) - 1);
        return add_range(from, to, high & ~rest, high);
      }
    }
    for (int i = 0; i + 1 < size; ++i) from = take(from, a[i], b[i]);
    at(from).bytes.push_back({a[size - 1], b[size - 1], to});
  }

  Automaton& a_;
  bool full_ = false;
  size_t num_expanded_ = 0;
};

// Lets edges pass over states that only jump on. A call in a rule's last place then returns to a state that only ends,
// which costs the walk no stack: rules that call each other in a long chain stay as flat as a loop.
void shorten(Automaton& a) {
  const auto target = [&](int32_t s) {
    for (int hops = 0; hops < 64; ++hops) {
      const AutomatonState& state = a.states[static_cast<size_t>(s)];
      if (state.final || !state.bytes.empty() || !state.calls.empty() || state.jumps.size() != 1) break;
      s = state.jumps.front();
    }
    return s;
  };
  for (AutomatonState& state : a.states) {
    for (ByteEdge& e : state.bytes) e.to = target(e.to);
    for (CallEdge& e : state.calls) e.to = target(e.to);
    for (int32_t& to : state.jumps) to = target(to);
  }
}

// Finds a rule that calls itself before it takes a byte (walking it would never end), or too long a chain of such
// calls.
class LeftCalls {
 public:
  struct Found {
    int32_t rule;
    bool is_cycle;
  };

  explicit LeftCalls(const Automaton& a)
      : a_(a), empty_(a.starts.size()), waiting_(a.starts.size()), called_(a.starts.size()), colour_(a.starts.size()) {
    reach();
  }

  std::optional<Found> find() {
    for (size_t r = 0; r < colour_.size(); ++r)
      if (const auto found = visit(static_cast<int32_t>(r), 0)) return found;
    return std::nullopt;
  }

 private:
  // The states that their rule's start reaches without a byte; from them, the rules called there. Linear: what follows
  // a call waits until the rule called proves to have an empty text.
  void reach() {
    std::vector<char> seen(a_.states.size());
    std::vector<int32_t> todo(a_.starts);
    while (!todo.empty()) {
      const int32_t s = todo.back();
      todo.pop_back();
      if (std::exchange(seen[static_cast<size_t>(s)], 1)) continue;
      const AutomatonState& state = a_.states[static_cast<size_t>(s)];
      // A rule's states stand together, its start first.
      const auto rule = static_cast<size_t>(std::ranges::upper_bound(a_.starts, s) - a_.starts.begin() - 1);
      todo.insert(todo.end(), state.jumps.begin(), state.jumps.end());
      for (const CallEdge& c : state.calls) {
        called_[rule].push_back(c.rule);
        if (empty_[static_cast<size_t>(c.rule)])
          todo.push_back(c.to);
        else
          waiting_[static_cast<size_t>(c.rule)].push_back(c.to);
      }
      if (!state.final || empty_[rule]) continue;
      empty_[rule] = true;
      todo.insert(todo.end(), waiting_[rule].begin(), waiting_[rule].end());
    }
  }

  std::optional<Found> visit(int32_t rule, int depth) {
    const auto r = static_cast<size_t>(rule);
    if (colour_[r] == 2) return std::nullopt;
    if (colour_[r] == 1) return Found{rule, true};
    if (depth > limits::kGrammarDepthMax) return Found{rule, false};
    colour_[r] = 1;
    for (int32_t c : called_[r])
      if (const auto found = visit(c, depth + 1)) return found;
    colour_[r] = 2;
    return std::nullopt;
  }

  const Automaton& a_;
  std::vector<char> empty_;
  std::vector<std::vector<int32_t>> waiting_, called_;  // by rule: states; rules
  std::vector<char> colour_;
};

}  // namespace

Expr literal(std::string text) { return make({.kind = Kind::kLiteral, .text = std::move(text)}); }

Expr characters(std::vector<CodeRange> ranges, bool negated) {
  ranges = sorted_disjoint(std::move(ranges));
  if (!negated) return make({.kind = Kind::kClass, .ranges = std::move(ranges)});
  std::vector<CodeRange> others;
  uint32_t next = 0;
  for (const auto& [low, high] : ranges) {
    if (low > next) others.push_back({next, low - 1});
    next = high + 1;
  }
  if (next <= kCodePointMax) others.push_back({next, kCodePointMax});
  return make({.kind = Kind::kClass, .ranges = std::move(others)});
}

Expr sequence(std::vector<Expr> parts) { return make({.kind = Kind::kSequence, .parts = std::move(parts)}); }
Expr choice(std::vector<Expr> parts) { return make({.kind = Kind::kChoice, .parts = std::move(parts)}); }
Expr repeat(Expr part, int64_t min, int64_t max) {
  return make({.kind = Kind::kRepeat, .parts = {std::move(part)}, .min = min, .max = max});
}
Expr rule(int32_t index) { return make({.kind = Kind::kRule, .rule = index}); }

int32_t Rules::declare(std::string_view name) {
  if (const auto it = index_.find(name); it != index_.end()) return it->second;
  const auto index = static_cast<int32_t>(rules_.size());
  index_.emplace(name, index);
  rules_.push_back({std::string(name), nullptr});
  return index;
}

Result<std::shared_ptr<const Automaton>> Rules::compile(Expr root) {
  auto automaton = std::make_shared<Automaton>();
  automaton->root = declare("the whole text");
  define(automaton->root, std::move(root));
  Compiler compiler(*automaton);
  for (const Rule& r : rules_) {
    if (!r.body) return invalid("[grammar] rule '{}' is used but not defined", r.name);
    const int32_t start = compiler.add();
    automaton->starts.push_back(start);
    automaton->states[static_cast<size_t>(compiler.compile(*r.body, start))].final = true;
  }
  if (compiler.full())
    return error(Code::kResourceExhausted, "[grammar] it needs more than {} states: lower its repetitions",
                 limits::kGrammarStatesMax);
  if (const auto found = LeftCalls(*automaton).find())
    return found->is_cycle
               ? invalid("[grammar] rule '{}' calls itself before it takes a character (left recursion): reorder it",
                         rules_[static_cast<size_t>(found->rule)].name)
               : invalid(
                     "[grammar] rule '{}' is the {}th that is called before a character is taken: shorten the chain",
                     rules_[static_cast<size_t>(found->rule)].name, limits::kGrammarDepthMax + 1);
  shorten(*automaton);
  return automaton;
}

}  // namespace ingot::grammar
