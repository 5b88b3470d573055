// JSON Schema (2020-12) to a grammar: see grammar.h for what it promises.
//
// Each keyword either shapes the grammar, says nothing about validity (annotations, `format`s that are not known), or
// is an error that names it.
#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <map>
#include <set>

#include "base/limits.h"
#include "formats/json.h"
#include "text/grammar/compose.h"
#include "text/grammar/grammar.h"
#include "text/grammar/json_number.h"
#include "text/grammar/json_parts.h"
#include "text/grammar/regex.h"
#include "text/grammar/schema_facts.h"

namespace ingot::grammar {
namespace {

namespace json = boost::json;

const std::set<std::string_view> kAnnotations = {
    "title",    "description",     "default",          "examples",   "$schema",  "$id",
    "$comment", "$defs",           "definitions",      "deprecated", "readOnly", "writeOnly",
    "$anchor",  "contentEncoding", "contentMediaType", "strict"};
const std::map<std::string_view, std::set<std::string_view>> kOfType = {
    {"object", {"properties", "required", "additionalProperties"}},
    {"array", {"items", "prefixItems", "minItems", "maxItems"}},
    {"string", {"minLength", "maxLength", "pattern", "format"}},
    {"integer", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}},
    {"number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}},
    {"boolean", {}},
    {"null", {}}};

constexpr size_t kOneOfMax = 100;                    // each is compared with each
constexpr int64_t kPrefixItemsMax = 200;             // the text after each is one call deeper
constexpr size_t kNameBytesMax = 1000;               // of a property beside 'additionalProperties'
constexpr size_t kNamesBytesMax = size_t{64} << 10;  // of all such

class SchemaReader {
 public:
  SchemaReader(Rules& rules, const json::value& root, std::string_view scope)
      : root_(root), rules_(rules), scope_(scope) {}

  Result<Expr> read() {
    const int32_t index = rules_.declare(scope_ + "#");
    rules_.define(index, INGOT_TRY(schema(root_, "#", 0)));
    return rule(index);
  }

  // The properties as keyword arguments of a call. Nothing: they cannot be written so.
  Result<std::optional<Expr>> read_keywords() {
    const json::object* o = root_.if_object();
    const json::value* properties = o ? o->if_contains("properties") : nullptr;
    if (!properties || !properties->is_object() || properties->as_object().empty()) return std::nullopt;
    for (const auto& [key, value] : *o)
      if (key != "type" && key != "properties" && key != "required" && !kAnnotations.contains(std::string_view(key)) &&
          !(key == "additionalProperties" && value.is_bool() && !value.as_bool()))
        return std::nullopt;
    for (const auto& [name, value] : properties->as_object())
      if (!is_identifier(name)) return std::nullopt;
    keywords_ = true;
    const std::vector<Property> list = INGOT_TRY(this->properties(*o, "#", 0));
    keywords_ = false;
    Expr rest[2] = {literal(""), literal("")};
    return in_order(list, rest);
  }

  Expr any_object() {
    const Expr pair = sequence({json_string(0, -1), colon(), any_value()});
    return sequence(
        {literal("{"), optional(sequence({pair, repeat(sequence({separator(), pair}), 0, -1)})), literal("}")});
  }

 private:
  using Place = std::string;  // a JSON pointer, for messages

  static std::unexpected<Status> bad(const Place& at, std::string_view key, std::string_view problem) {
    return invalid("[json_schema] {}/{}: {}", at, key, problem);
  }
  static std::unexpected<Status> lacking(const Place& at, std::string_view key) {
    return unimplemented("[json_schema] {}: keyword '{}' is not supported: leave it out", at, key);
  }
  static Expr separator() { return literal_space(","); }
  static bool is_identifier(std::string_view name) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    return !name.empty() && letter(name[0]) &&
           std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
  }
  static Expr colon() { return literal_space(":"); }
  static Expr literal_space(std::string text) { return sequence({literal(std::move(text)), optional(literal(" "))}); }

  // One value; its strings and keys in the shortest way to write them.
  static Expr constant(const json::value& v) {
    std::vector<Expr> parts;
    if (const json::array* list = v.if_array()) {
      parts.push_back(literal("["));
      for (const json::value& item : *list) {
        if (parts.size() > 1) parts.push_back(separator());
        parts.push_back(constant(item));
      }
      parts.push_back(literal("]"));
      return sequence(std::move(parts));
    }
    if (const json::object* object = v.if_object()) {
      parts.push_back(literal("{"));
      for (const auto& [key, value] : *object) {
        if (parts.size() > 1) parts.push_back(separator());
        parts.insert(parts.end(), {literal(json::serialize(json::string(key))), colon(), constant(value)});
      }
      parts.push_back(literal("}"));
      return sequence(std::move(parts));
    }
    if (!v.is_number()) return literal(json::serialize(v));
    const std::string text = number_text(v);
    const bool may_have_point = v.is_double() && text.find_first_of(".e") == text.npos;  // 1 and 1.0
    return sequence({literal(text), may_have_point ? optional(literal(".0")) : literal("")});
  }

  Expr any_value() {
    const int32_t index = rules_.declare("value");
    if (!rules_.defined(index)) {
      rules_.define(index, literal(""));  // while it is being made: it contains itself
      const Expr list = sequence({rule(index), repeat(sequence({separator(), rule(index)}), 0, -1)});
      rules_.define(index,
                    choice({any_object(), sequence({literal("["), optional(list), literal("]")}), json_string(0, -1),
                            *json_number({}), literal("true"), literal("false"), literal("null")}));
    }
    return rule(index);
  }

  Result<Expr> schema(const json::value& s, const Place& at, int depth) {
    if (depth > limits::kJsonDepthMax) return bad(at, "", "schemas are nested too deeply");
    if (s.is_bool()) return s.as_bool() ? Result<Expr>(any_value()) : bad(at, "", "`false` allows no value");
    if (!s.is_object()) return bad(at, "", "a schema is an object or a boolean");
    const json::object& o = s.as_object();
    for (const std::string_view key : {"$ref", "const", "enum", "anyOf", "oneOf", "allOf"})
      if (o.contains(key)) return combined(o, key, at, depth);
    std::vector<std::string_view> types = INGOT_TRY(types_of(o, at));
    INGOT_TRY(check_keys(o, at));
    if (types.empty()) return any_value();
    std::vector<Expr> parts;
    for (std::string_view type : types) parts.push_back(INGOT_TRY(typed(o, type, at, depth)));
    return choice(std::move(parts));
  }

  // The types that it names, or those that its keywords speak of; none: any.
  Result<std::vector<std::string_view>> types_of(const json::object& o, const Place& at) {
    std::vector<std::string_view> types;
    if (const json::value* t = o.if_contains("type")) {
      if (t->is_string()) types.push_back(std::string_view(t->as_string()));
      if (t->is_array())
        for (const json::value& one : t->as_array())
          if (one.is_string()) types.push_back(std::string_view(one.as_string()));
      for (std::string_view type : types)
        if (!kOfType.contains(type)) return bad(at, "type", fmt::format("'{}' is no type", type));
      if (types.empty()) return bad(at, "type", "a type's name or a list of them must stand here");
      return types;
    }
    for (const auto& [type, keys] : kOfType)
      if (type != "integer" && std::ranges::any_of(keys, [&](std::string_view k) { return o.contains(k); }))
        types.push_back(type);
    return types;
  }

  static Result<void> check_keys(const json::object& o, const Place& at) {
    for (const auto& [key, value] : o) {
      const std::string_view k = key;
      if (k == "type" || kAnnotations.contains(k) || k.starts_with("x-")) continue;
      // A keyword of another type says nothing about this one.
      if (std::ranges::any_of(kOfType, [&](const auto& t) { return t.second.contains(k); })) continue;
      if (k == "uniqueItems" && value.is_bool() && !value.as_bool()) continue;
      if (k == "nullable") return bad(at, k, "write \"type\": [..., \"null\"] instead");
      return lacking(at, k);
    }
    return {};
  }

  // Those that say it all; beside them only annotations and a type may stand.
  Result<Expr> combined(const json::object& o, std::string_view key, const Place& at, int depth) {
    const json::value& v = o.at(key);
    for (const auto& [other, value] : o) {
      const std::string_view k = other;
      const bool type = k == "type" && (key == "const" || key == "enum");
      if (k != key && !type && !kAnnotations.contains(k))
        return unimplemented("[json_schema] {}: keyword '{}' beside '{}' is not supported", at, k, key);
    }
    if (key == "$ref") return reference(v, at, depth);
    const auto types = INGOT_TRY(types_of(o, at));
    if (key == "const") {
      if (!fits(v, types)) return bad(at, key, "the value is not of the wanted type");
      return constant(v);
    }
    if (!v.is_array() || v.as_array().empty()) return bad(at, key, "a list that is not empty must stand here");
    const json::array& list = v.as_array();
    if (key == "allOf" && list.size() > 1)
      return unimplemented("[json_schema] {}: keyword 'allOf' with more than one schema is not supported", at);
    if (key == "oneOf") INGOT_TRY(check_disjoint(list, at));
    std::vector<Expr> parts;
    for (size_t i = 0; i < list.size(); ++i) {
      if (key != "enum") {
        parts.push_back(INGOT_TRY(schema(list[i], fmt::format("{}/{}/{}", at, key, i), depth + 1)));
      } else if (fits(list[i], types)) {
        parts.push_back(constant(list[i]));
      }
    }
    if (parts.empty()) return bad(at, key, "no value has the wanted type");
    return choice(std::move(parts));
  }

  static bool fits(const json::value& v, std::span<const std::string_view> types) {
    const std::string_view type = type_of(v);
    return types.empty() || std::ranges::find(types, type) != types.end() ||
           (type == "integer" && std::ranges::find(types, "number") != types.end());
  }

  // Of several branches of `oneOf` exactly one may hold.
  static Result<void> check_disjoint(const json::array& list, const Place& at) {
    if (list.size() > kOneOfMax)
      return bad(at, "oneOf", fmt::format("{} branches are over the limit of {}", list.size(), kOneOfMax));
    for (size_t i = 0; i < list.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        if (!exclude_each_other(list[i], list[j]))
          return unimplemented(
              "[json_schema] {}: keyword 'oneOf' is supported for branches that differ in their type, their 'const' or "
              "'enum', or in that of a required property, and {} and {} do not: use 'anyOf'",
              at, j, i);
    return {};
  }

  Result<Expr> reference(const json::value& v, const Place& at, int depth) {
    if (!v.is_string() || !v.as_string().starts_with('#'))
      return bad(at, "$ref", "only references inside the schema ('#/…') are supported");
    const std::string name(v.as_string());
    const int32_t index = rules_.declare(scope_ + name);
    if (rules_.defined(index) || !open_.insert(name).second) return rule(index);
    boost::system::error_code failed;
    const json::value* target = name == "#" ? &root_ : root_.find_pointer(std::string_view(name).substr(1), failed);
    if (!target) return bad(at, "$ref", fmt::format("'{}' is not in the schema", name));
    rules_.define(index, INGOT_TRY(schema(*target, name, depth + 1)));
    return rule(index);
  }

  Result<Expr> typed(const json::object& o, std::string_view type, const Place& at, int depth) {
    if (type == "object") return object(o, at, depth);
    if (type == "array") return array(o, at, depth);
    if (type == "string") return string(o, at);
    if (type == "integer" || type == "number") return number(o, type, at);
    if (type == "boolean") return choice({literal("true"), literal("false")});
    return literal("null");
  }

  // A rule for each pair of bounds: many digits need many states.
  Result<Expr> number(const json::object& o, std::string_view type, const Place& at) {
    const NumberBounds range = INGOT_TRY(bounds(o, at));
    std::string name(type);
    for (const char* key : {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"})
      if (const json::value* v = o.if_contains(key)) name += fmt::format(" {} {}", key, json::serialize(*v));
    const int32_t index = rules_.declare(name);
    if (rules_.defined(index)) return rule(index);
    auto made = type == "integer" ? json_integer(range) : json_number(range);
    if (!made) return std::unexpected(std::move(made).error().with_context(at));
    rules_.define(index, std::move(*made));
    return rule(index);
  }

  static Result<NumberBounds> bounds(const json::object& o, const Place& at) {
    NumberBounds out;
    for (const auto& [key, lower, exclusive] : {std::tuple{"minimum", true, false},
                                                {"exclusiveMinimum", true, true},
                                                {"maximum", false, false},
                                                {"exclusiveMaximum", false, true}}) {
      const json::value* v = o.if_contains(key);
      if (!v) continue;
      if (!v->is_number()) return bad(at, key, "a number must stand here");
      lower ? out.at_least(*v, exclusive) : out.at_most(*v, exclusive);
    }
    return out;
  }

  static Result<int64_t> count(const json::object& o, const char* key, int64_t otherwise, const Place& at) {
    const json::value* v = o.if_contains(key);
    if (!v) return otherwise;
    const double n = v->is_number() ? v->to_number<double>() : -1;
    if (n < 0 || n != std::floor(n)) return bad(at, key, "a whole number, not negative, must stand here");
    if (n > static_cast<double>(limits::kGrammarRepeatMax))
      return bad(at, key, fmt::format("it is over the limit of {}", limits::kGrammarRepeatMax));
    return static_cast<int64_t>(n);
  }

  Result<Expr> string(const json::object& o, const Place& at) {
    const bool sized = o.contains("minLength") || o.contains("maxLength");
    const json::value* pattern = o.if_contains("pattern");
    const json::value* format = o.if_contains("format");
    std::optional<std::string> text;
    bool anchored = false;
    if (pattern) {
      if (!pattern->is_string()) return bad(at, "pattern", "a string must stand here");
      text = std::string(pattern->as_string());
    } else if (format && format->is_string()) {
      text = format_pattern(std::string_view(format->as_string()));
      anchored = true;
    }
    if (pattern && format && format->is_string() && format_pattern(std::string_view(format->as_string())))
      return unimplemented("[json_schema] {}: 'pattern' beside 'format' is not supported", at);
    if (text && sized)
      return unimplemented("[json_schema] {}: '{}' beside a length is not supported", at,
                           pattern ? "pattern" : "format");
    if (!text) {
      const int64_t min = INGOT_TRY(count(o, "minLength", 0, at)), max = INGOT_TRY(count(o, "maxLength", -1, at));
      if (max >= 0 && max < min) return bad(at, "maxLength", "it is below 'minLength'");
      return json_string(min, max);
    }
    auto inside = parse_regex(*text, anchored, characters({{'\n', '\n'}}, true));
    if (!inside) return std::unexpected(std::move(inside).error().with_context(at + "/pattern"));
    return sequence({literal("\""), json_written(*inside), literal("\"")});
  }

  Result<Expr> array(const json::object& o, const Place& at, int depth) {
    const int64_t min = INGOT_TRY(count(o, "minItems", 0, at)), max = INGOT_TRY(count(o, "maxItems", -1, at));
    if (max >= 0 && max < min) return bad(at, "maxItems", "it is below 'minItems'");
    const json::value* prefix = o.if_contains("prefixItems");
    const json::value* items = o.if_contains("items");
    if (prefix && !prefix->is_array()) return bad(at, "prefixItems", "a list must stand here");
    const auto fixed = prefix ? static_cast<int64_t>(prefix->as_array().size()) : 0;
    const bool more = !(items && items->is_bool() && !items->as_bool());
    if (!more && min > fixed) return bad(at, "minItems", "there are not so many 'prefixItems', and 'items' is false");
    Expr tail = literal("");
    if (more && (max < 0 || max > fixed)) {
      const Expr item = items ? INGOT_TRY(schema(*items, at + "/items", depth + 1)) : any_value();
      const int64_t least = std::max<int64_t>(min - fixed, 0), most = max < 0 ? -1 : max - fixed;
      const Expr next = sequence({separator(), item});
      if (fixed > 0)
        tail = repeat(next, least, most);
      else
        tail = sequence({item, repeat(next, std::max<int64_t>(least - 1, 0), most < 0 ? -1 : most - 1)});
      if (fixed == 0 && least == 0) tail = optional(tail);
    }
    const int32_t number = next_object_++;
    if (fixed > kPrefixItemsMax)
      return bad(at, "prefixItems", fmt::format("{} entries are over the limit of {}", fixed, kPrefixItemsMax));
    for (int64_t i = max < 0 ? fixed : std::min(fixed, max); i-- > 0;) {
      const Expr item = INGOT_TRY(
          schema(prefix->as_array()[static_cast<size_t>(i)], fmt::format("{}/prefixItems/{}", at, i), depth + 1));
      if (i + 1 < fixed) tail = named(fmt::format("list {} after {}", number, i), std::move(tail));
      tail = sequence({i > 0 ? separator() : literal(""), item, tail});
      if (i >= min) tail = optional(tail);
    }
    return sequence({literal("["), tail, literal("]")});
  }

  struct Property {
    std::string name;
    Expr pair;
    bool required = false;
  };

  Result<std::vector<Property>> properties(const json::object& o, const Place& at, int depth) {
    std::set<std::string, std::less<>> required;
    if (const json::value* list = o.if_contains("required")) {
      if (!list->is_array()) return bad(at, "required", "a list must stand here");
      for (const json::value& name : list->as_array())
        if (name.is_string()) required.insert(std::string(name.as_string()));
    }
    std::vector<Property> out;
    const bool keywords = std::exchange(keywords_, false);  // what is inside is JSON again
    const auto add = [&](std::string_view name, Expr value) {
      const Expr key = keywords ? literal(std::string(name) + "=")
                                : sequence({literal(json::serialize(json::string(name))), colon()});
      out.push_back({std::string(name), sequence({key, std::move(value)}), required.erase(std::string(name)) > 0});
    };
    if (const json::value* list = o.if_contains("properties")) {
      if (!list->is_object()) return bad(at, "properties", "an object must stand here");
      for (const auto& [name, value] : list->as_object())
        add(name, INGOT_TRY(schema(value, fmt::format("{}/properties/{}", at, std::string_view(name)), depth + 1)));
    }
    for (const std::string& name : std::set(required)) add(name, any_value());
    return out;
  }

  // Properties in order. Which of the optional ones stand there decides where commas do, so what follows property i
  // is one of two rules: with something before it or without.
  Result<Expr> object(const json::object& o, const Place& at, int depth) {
    const std::vector<Property> list = INGOT_TRY(properties(o, at, depth));
    const json::value* extra = o.if_contains("additionalProperties");
    if (list.empty() && !extra) return any_object();
    Expr rest[2] = {literal(""), literal("")};  // [something stands before]
    if (extra && !(extra->is_bool() && !extra->as_bool())) {
      std::vector<std::string> names;
      for (const Property& p : list) {
        names.push_back(p.name);
        names_bytes_ += p.name.size();
        if (p.name.size() > kNameBytesMax || names_bytes_ > kNamesBytesMax)
          return bad(at, "properties",
                     fmt::format("beside 'additionalProperties' a name may have {} bytes, all of the schema {}",
                                 kNameBytesMax, kNamesBytesMax));
      }
      const Expr value = INGOT_TRY(schema(*extra, at + "/additionalProperties", depth + 1));
      const Expr pair = sequence({json_key_except(names, any_characters()), colon(), value});
      rest[1] = repeat(sequence({separator(), pair}), 0, -1);
      rest[0] = optional(sequence({pair, rest[1]}));
    }
    return sequence({literal("{"), in_order(list, rest), literal("}")});
  }

  // rest: what may follow the properties. [something stands before]
  Expr in_order(const std::vector<Property>& list, Expr (&rest)[2]) {
    const int32_t number = next_object_++;
    std::vector<Expr> first{rest[0]};  // ways to begin
    for (size_t i = list.size(); i-- > 0;) {
      const Expr after = named(fmt::format("object {} after {}", number, i), rest[1]);
      Expr with[2] = {sequence({list[i].pair, after}), sequence({separator(), list[i].pair, after})};
      rest[1] = list[i].required ? with[1] : choice({with[1], after});
      if (list[i].required) first.clear();
      first.push_back(with[0]);  // one list, not nested: there may be many
    }
    return choice(std::move(first));
  }

  Expr any_characters() {
    const int32_t index = rules_.declare("characters");
    if (!rules_.defined(index)) rules_.define(index, repeat(json_character(), 0, -1));
    return rule(index);
  }

  Expr named(const std::string& name, Expr body) {
    const int32_t index = rules_.declare(scope_ + name);
    rules_.define(index, std::move(body));
    return rule(index);
  }

  const json::value& root_;
  Rules& rules_;
  std::string scope_;
  bool keywords_ = false;                    // the next object is written as arguments of a call
  std::set<std::string, std::less<>> open_;  // references that are being read
  int32_t next_object_ = 0;                  // arrays, too
  size_t names_bytes_ = 0;                   // of properties beside 'additionalProperties'
};

}  // namespace

Result<Expr> add_json_schema(Rules& rules, const json::value& schema, std::string_view scope, ObjectStyle style) {
  if (style == ObjectStyle::kJson) return SchemaReader(rules, schema, scope).read();
  if (auto keywords = INGOT_TRY(SchemaReader(rules, schema, fmt::format("{}=", scope)).read_keywords()))
    return std::move(*keywords);
  return sequence({literal("**"), INGOT_TRY(SchemaReader(rules, schema, scope).read())});
}

Expr add_json_object(Rules& rules) {
  const json::value any = true;
  return SchemaReader(rules, any, "").any_object();
}

Result<Expr> add_json_schema_text(Rules& rules, std::string_view text) {
  if (text.size() > limits::kGrammarBytesMax)
    return invalid("[json_schema] {} bytes are over the limit of {}", text.size(), limits::kGrammarBytesMax);
  const json::value schema = INGOT_TRY(parse_json(text, "json_schema"));
  return add_json_schema(rules, schema, "");
}

Compiled from_json_schema(const json::value& schema) {
  Rules rules;
  return rules.compile(INGOT_TRY(add_json_schema(rules, schema, "")));
}

Compiled from_json_schema(std::string_view text) {
  Rules rules;
  return rules.compile(INGOT_TRY(add_json_schema_text(rules, text)));
}

Compiled json_object() {
  Rules rules;
  return rules.compile(add_json_object(rules));
}

}  // namespace ingot::grammar
