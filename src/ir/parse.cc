// Text -> graph, the inverse of print.cc. Used by pass tests and by people.
//
//   graph "name" {
//     input %x: f32[batch,3]            state %kv: f16[pages,16,4,64]
//     const %s: i64[2] = [0,-1]         const %w: f32[3,4]
//     %y: f32[batch,4], %z: i64[2] = Op(%x, _, %w) {axis=1, eps=1e-05f, perm=[1,0], body=graph "b" {…}} @"node"
//     output %y, %z
//   }
#include <cctype>
#include <charconv>
#include <cstring>

#include "ir/graph.h"

namespace ingot {
namespace {

class GraphParser {
 public:
  using Next = std::function<Result<StoredConstant>(const Type&)>;
  GraphParser(std::string_view text, const Graph* constants, const Next& next)
      : text_(text), constants_(constants), next_(next) {}

  Result<Type> parse_type() {
    Type t = INGOT_TRY(type());
    skip();
    if (pos_ != text_.size()) return fail("end of text");
    return t;
  }

  Result<Graph> parse_all() {
    Graph g = INGOT_TRY(graph(0));
    skip();
    if (pos_ != text_.size()) return fail("end of text");
    return g;
  }

 private:
  std::unexpected<Status> fail(std::string_view wanted) const {
    size_t line = 1;
    for (size_t i = 0; i < pos_ && i < text_.size(); ++i) line += text_[i] == '\n';
    return invalid("[ir] line {}: expected {} before '{}'", line, wanted,
                   text_.substr(std::min(pos_, text_.size()), 20));
  }
  void skip() {
    while (pos_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[pos_]))) ++pos_;
  }
  bool accept(std::string_view token) {
    skip();
    if (!text_.substr(pos_).starts_with(token)) return false;
    pos_ += token.size();
    return true;
  }
  Result<void> expect(std::string_view token) {
    if (!accept(token)) return fail(token);
    return {};
  }
  // Like accept, for a whole word.
  bool accept_word(std::string_view w) {
    skip();
    const size_t end = pos_ + w.size();
    if (!text_.substr(pos_).starts_with(w) ||
        (end < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[end])) || text_[end] == '_')))
      return false;
    pos_ = end;
    return true;
  }

  Result<std::string> quoted() {
    INGOT_TRY(expect("\""));
    std::string out;
    while (pos_ < text_.size() && text_[pos_] != '"') {
      if (text_[pos_] == '\\' && pos_ + 1 < text_.size()) {
        ++pos_;
        out += text_[pos_] == 'n' ? '\n' : text_[pos_];
      } else {
        out += text_[pos_];
      }
      ++pos_;
    }
    if (pos_ == text_.size()) return fail("a closing quote");
    ++pos_;
    return out;
  }

  std::string_view word(std::string_view extra) {
    skip();
    const size_t begin = pos_;
    while (pos_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[pos_])) || extra.contains(text_[pos_])))
      ++pos_;
    return text_.substr(begin, pos_ - begin);
  }

  Result<std::string> value_name() {
    INGOT_TRY(expect("%"));
    if (pos_ < text_.size() && text_[pos_] == '"') return quoted();
    const std::string_view w = word("_./:");
    // The colon before a type is not part of the name.
    const size_t trimmed = w.ends_with(':') ? w.size() - 1 : w.size();
    pos_ -= w.size() - trimmed;
    if (trimmed == 0) return fail("a value name");
    return std::string(w.substr(0, trimmed));
  }

  Result<Type> type(int depth = 0) {
    const std::string_view name = word("_");
    const auto dtype = dtype_from_name(name);
    if (!dtype) return fail("an element type");
    if (is_container(*dtype)) {
      if (depth > limits::kTypeDepthMax) return fail("a type that is less nested");
      INGOT_TRY(expect("("));
      std::vector<Type> elements;
      do elements.push_back(INGOT_TRY(type(depth + 1)));
      while (elements.size() < 2 && accept(","));
      INGOT_TRY(expect(")"));
      Type out = Type::container(*dtype, std::move(elements));
      if (const std::string problem = out.find_problem(); !problem.empty()) return fail("a sane type: " + problem);
      return out;
    }
    INGOT_TRY(expect("["));
    if (accept("*]")) return Type{*dtype, std::nullopt};
    Type out = Type::of(*dtype, INGOT_TRY(dims()));
    if (const std::string problem = out.find_problem(); !problem.empty()) return fail("a sane type: " + problem);
    return out;
  }

  // Up to the closing bracket.
  Result<Dims> dims() {
    Dims dims;
    if (accept("]")) return dims;
    while (true) {
      const size_t begin = pos_;
      for (int depth = 0; pos_ < text_.size(); ++pos_) {
        const char c = text_[pos_];
        if (depth == 0 && (c == ',' || c == ']')) break;
        depth += c == '(' ? 1 : c == ')' ? -1 : 0;
      }
      dims.push_back(INGOT_TRY(Dim::parse(text_.substr(begin, pos_ - begin))));
      if (accept("]")) return dims;
      INGOT_TRY(expect(","));
    }
  }

  Result<double> number(bool* is_float) {
    skip();
    double v = 0;
    const auto [end, ec] = std::from_chars(text_.data() + pos_, text_.data() + text_.size(), v);
    if (ec != std::errc()) return fail("a number");
    const std::string_view spelled(text_.data() + pos_, static_cast<size_t>(end - text_.data()) - pos_);
    pos_ = static_cast<size_t>(end - text_.data());
    *is_float = accept("f");
    if (!*is_float) {
      int64_t exact = 0;
      std::from_chars(spelled.data(), spelled.data() + spelled.size(), exact);
      integer_ = exact;
    }
    return v;
  }

  template <class T>
  Result<void> elements(Tensor& t) {
    for (int64_t i = 0; i < t.shape().num_elements(); ++i) {
      if (i) INGOT_TRY(expect(","));
      bool is_float = false;
      const double v = INGOT_TRY(number(&is_float));
      t.mutable_as<T>()[i] = std::is_integral_v<T> ? static_cast<T>(integer_) : static_cast<T>(v);
    }
    return expect("]");
  }

  // A tensor of a concrete type; its elements follow if "[" does, else they are zeros.
  Result<Tensor> tensor(const Type& t) {
    if (t.is_container()) return fail("a constant that is a tensor");
    const auto shape = t.concrete();
    const bool listed = accept("[");
    const size_t elements_max = listed ? text_.size() : size_t{1} << 30;  // one takes a byte of text at least
    if (!shape || static_cast<size_t>(shape->num_elements()) > elements_max)
      return fail("a constant of concrete shape");
    Tensor out = Tensor::allocate(t.dtype, *shape);
    if (!listed) return out;
    switch (t.dtype) {
      case DType::kF32: INGOT_TRY(elements<float>(out)); break;
      case DType::kF64: INGOT_TRY(elements<double>(out)); break;
      case DType::kI64: INGOT_TRY(elements<int64_t>(out)); break;
      case DType::kI32: INGOT_TRY(elements<int32_t>(out)); break;
      case DType::kU8:
      case DType::kBool: INGOT_TRY(elements<uint8_t>(out)); break;
      case DType::kI8: INGOT_TRY(elements<int8_t>(out)); break;
      default: return fail("a number type that prints inline");
    }
    return out;
  }

  bool looking_at(std::string_view token) {
    skip();
    return text_.substr(pos_).starts_with(token);
  }
  Result<StoredConstant> stored(const Type& t) {
    const auto shape = t.concrete();
    if (!shape) return fail("a constant of concrete shape");
    StoredConstant c = INGOT_TRY(next_(t));
    if (c.tensor.dtype() != t.dtype || !(c.tensor.shape() == *shape)) return fail("the tensor that was stored for it");
    return c;
  }

  Result<Attribute> list() {
    if (accept("]")) return std::vector<int64_t>{};
    std::vector<int64_t> ints;
    std::vector<float> floats;
    std::vector<std::string> strings;
    do {
      skip();
      if (pos_ < text_.size() && text_[pos_] == '"') {
        strings.push_back(INGOT_TRY(quoted()));
        continue;
      }
      bool is_float = false;
      const double v = INGOT_TRY(number(&is_float));
      if (is_float)
        floats.push_back(static_cast<float>(v));
      else
        ints.push_back(integer_);
    } while (accept(","));
    INGOT_TRY(expect("]"));
    if (!strings.empty()) return strings;
    if (!floats.empty()) return floats;
    return ints;
  }

  Result<Attribute> attribute() {
    skip();
    if (accept("[")) return list();
    if (accept("f[]")) return std::vector<float>{};
    if (accept("s[]")) return std::vector<std::string>{};
    if (accept_word("tensor")) {
      const Type t = INGOT_TRY(type());
      if (!next_ || looking_at("[")) return INGOT_TRY(tensor(t));
      return INGOT_TRY(stored(t)).tensor;
    }
    if (pos_ < text_.size() && text_[pos_] == '"') return INGOT_TRY(quoted());
    bool is_float = false;
    const double v = INGOT_TRY(number(&is_float));
    if (is_float) return static_cast<float>(v);
    return integer_;
  }

  Result<ValueId> operand(const Graph& g) {
    if (accept_word("_")) return kNoValue;
    const std::string name = INGOT_TRY(value_name());
    const ValueId v = g.find_value(name);
    if (v == kNoValue) return fail(fmt::format("a value that is defined, not %{},", name));
    return v;
  }

  Result<void> node(Graph& g, int depth) {
    std::vector<Type> types;
    std::vector<std::string> names;
    do {
      names.push_back(INGOT_TRY(value_name()));
      INGOT_TRY(expect(":"));
      types.push_back(INGOT_TRY(type()));
    } while (accept(","));
    INGOT_TRY(expect("="));
    const std::string_view op_text = word("_.");
    const auto op = op_from_name(op_text);
    if (!op) return fail(fmt::format("a known op, not {},", op_text));
    Node n{.op = *op};
    INGOT_TRY(expect("("));
    if (!accept(")")) {
      do n.inputs.push_back(INGOT_TRY(operand(g)));
      while (accept(","));
      INGOT_TRY(expect(")"));
    }
    if (accept("{")) {
      do {
        std::string key(word("_"));
        INGOT_TRY(expect("="));
        skip();
        if (text_.substr(pos_).starts_with("graph"))
          n.subgraphs.emplace_back(key, std::make_shared<Graph>(INGOT_TRY(graph(depth + 1))));
        else
          n.attributes.set(key, INGOT_TRY(attribute()));
      } while (accept(","));
      INGOT_TRY(expect("}"));
    }
    if (accept("@")) n.name = INGOT_TRY(quoted());
    g.add_raw(std::move(n), types, names);
    return {};
  }

  Result<Graph> graph(int depth) {
    if (depth > limits::kSubgraphDepthMax) return fail("fewer nested graphs");
    Graph g;
    INGOT_TRY(expect("graph"));
    g.name = INGOT_TRY(quoted());
    INGOT_TRY(expect("{"));
    while (!accept("}")) {
      if (accept_word("input")) {
        const auto [name, t] = INGOT_TRY(declaration());
        g.add_input(name, t);
      } else if (accept_word("state")) {
        const auto [name, t] = INGOT_TRY(declaration());
        g.add_state(name, t);
      } else if (accept_word("const")) {
        const auto [name, t] = INGOT_TRY(declaration());
        INGOT_TRY(constant(g, name, t));
      } else if (accept_word("output")) {
        do g.add_output(INGOT_TRY(operand(g)));
        while (accept(","));
      } else {
        INGOT_TRY(node(g, depth));
      }
    }
    return g;
  }

  Result<std::pair<std::string, Type>> declaration() {
    std::string name = INGOT_TRY(value_name());
    INGOT_TRY(expect(":"));
    return std::pair{std::move(name), INGOT_TRY(type())};
  }

  Result<void> constant(Graph& g, const std::string& name, const Type& t) {
    if (accept("=")) {
      if (next_ && !looking_at("[")) return fail("[");
      g.add_constant(name, INGOT_TRY(tensor(t)));
      return {};
    }
    if (next_) {
      StoredConstant c = INGOT_TRY(stored(t));
      g.add_constant(name, std::move(c.tensor), c.file_backed);
      return {};
    }
    if (constants_) {
      const Tensor* known = constants_->constant(constants_->find_value(name));
      if (known) return g.add_constant(name, *known), Result<void>{};
    }
    g.add_constant(name, INGOT_TRY(tensor(t)));
    return {};
  }

  std::string_view text_;
  const Graph* constants_;
  const Next next_;
  size_t pos_ = 0;
  int64_t integer_ = 0;
};

}  // namespace

Result<Graph> parse_graph(std::string_view text, const Graph* constants) {
  return GraphParser(text, constants, nullptr).parse_all();
}

Result<Type> parse_type(std::string_view text) { return GraphParser(text, nullptr, nullptr).parse_type(); }

Result<Graph> parse_graph(std::string_view text, const std::function<Result<StoredConstant>(const Type&)>& next) {
  return GraphParser(text, nullptr, next).parse_all();
}

}  // namespace ingot
