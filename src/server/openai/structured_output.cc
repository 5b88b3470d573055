#include "server/openai/structured_output.h"

#include <array>
#include <boost/json.hpp>

#include "base/limits.h"

namespace ingot::openai {
namespace {

using Kind = llm::GrammarSpec::Kind;

constexpr size_t kGrammarChoicesMax = 10'000;

struct Form {
  const char* name;
  Kind kind;
};
constexpr std::array kForms = {Form{"json", Kind::kJsonSchema}, Form{"regex", Kind::kRegex},
                               Form{"choice", Kind::kChoice}, Form{"grammar", Kind::kGbnf},
                               Form{"json_object", Kind::kJsonObject}};
// What would change the text and is not built.
constexpr std::array kUnbuilt = {"structural_tag", "whitespace_pattern", "disable_any_whitespace",
                                 "disable_additional_properties"};

class ConstraintReader {
 public:
  explicit ConstraintReader(Fields& fields) : f_(fields) {}

  std::optional<Constraint> read() {
    response_format();
    structured_outputs();
    one(f_, "guided_json", Kind::kJsonSchema, "guided_json");
    one(f_, "guided_regex", Kind::kRegex, "guided_regex");
    one(f_, "guided_choice", Kind::kChoice, "guided_choice");
    one(f_, "guided_grammar", Kind::kGbnf, "guided_grammar");
    one(f_, "guided_json_object", Kind::kJsonObject, "guided_json_object");
    one(f_, "json_schema", Kind::kJsonSchema, "json_schema");
    one(f_, "grammar", Kind::kGbnf, "grammar");
    for (const char* name : {"guided_whitespace_pattern", "structural_tag"})
      if (f_.has(name)) f_.fail(name, "is not supported");
    return std::move(found_);
  }

 private:
  void set(const char* field, llm::GrammarSpec grammar) {
    if (found_)
      f_.fail(field, "cannot go together with '{}': ask for one form of the answer", found_->field);
    else
      found_.emplace(std::move(grammar), field);
  }

  // The schema itself, or its JSON as a text. Empty: wrong, and told.
  std::string schema_text(const json::value& v, const char* field) {
    if (v.is_object() || v.is_bool()) return json::serialize(v);
    if (v.is_string() && !v.get_string().empty()) return std::string(v.get_string());
    f_.fail(field, "a JSON Schema must be an object, or a text that holds one; it is {}", kind_name(v));
    return {};
  }

  // `name` in `from`, which is the request's field `field` or inside of it.
  void one(Fields& from, const char* name, Kind kind, const char* field) {
    const json::value* v = from.any(name);
    if (!v) return;
    if (kind == Kind::kJsonObject) {
      if (from.boolean(name, false)) set(field, {.kind = kind});
    } else if (kind == Kind::kJsonSchema) {
      set(field, {.kind = kind, .text = schema_text(*v, field)});
    } else if (kind == Kind::kChoice) {
      if (!v->is_array() || v->get_array().empty())
        from.fail(name, "must be a list of texts that is not empty");
      else
        set(field, {.kind = kind, .choices = from.strings(name, kGrammarChoicesMax)});
    } else {
      std::string text = from.string(name);
      if (!text.empty()) set(field, {.kind = kind, .text = std::move(text)});
    }
    told_inside(from, field);
  }

  void told_inside(const Fields& from, const char* field) {
    if (&from != &f_ && from.failure()) f_.fail(field, "{}", from.failure()->status.message());
  }

  void response_format() {
    const json::object* format = f_.object("response_format");
    if (!format) return;
    Fields inner(*format);
    const std::string type = inner.string("type");
    if (type == "json_object") {
      if (inner.has("schema"))
        one(inner, "schema", Kind::kJsonSchema, "response_format");
      else
        set("response_format", {.kind = Kind::kJsonObject});
    } else if (type == "json_schema") {
      const json::object* holder = inner.object("json_schema");
      Fields described(holder ? *holder : *format);
      described.boolean("strict", false);  // whatever it says, the answer obeys
      described.string("name");
      if (!described.has("schema"))
        f_.fail("response_format", "of type 'json_schema' needs a schema at 'json_schema.schema'");
      one(described, "schema", Kind::kJsonSchema, "response_format");
      told_inside(described, "response_format");
    } else if (type != "text") {
      f_.fail("response_format", "type '{}' is none of text, json_object and json_schema", type.substr(0, 40));
    }
    told_inside(inner, "response_format");
  }

  void structured_outputs() {
    const json::object* options = f_.object("structured_outputs");
    if (!options) return;
    Fields inner(*options);
    for (const Form& form : kForms) one(inner, form.name, form.kind, "structured_outputs");
    for (const char* name : kUnbuilt) {
      const json::value* v = inner.any(name);
      if (v && !(v->is_bool() && !v->get_bool())) f_.fail("structured_outputs", "'{}' is not supported", name);
    }
    if (!found_) f_.fail("structured_outputs", "needs one of json, regex, choice, grammar and json_object");
  }

  Fields& f_;
  std::optional<Constraint> found_;
};

}  // namespace

std::optional<Constraint> read_constraint(Fields& fields) { return ConstraintReader(fields).read(); }

}  // namespace ingot::openai
