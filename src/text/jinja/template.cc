#include "text/jinja/template.h"

#include <new>

#include "text/jinja/interpreter.h"
#include "text/jinja/syntax/parser.h"
#include "text/jinja/values/json.h"
#include "text/jinja/values/unicode.h"
#include "text/unicode/unicode.h"

namespace ingot::jinja {

struct Template::Parsed {
  Constants constants;
  Body body;
  Scope scope;
  RootVariables root;
};

namespace {

std::unexpected<Status> to_status(const TemplateError& e, int line) {
  return error(e.code, "[template] line {}: {}", e.line != 0 ? e.line : line, e.message);
}

}  // namespace

Template::Template(std::unique_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

Result<Template> Template::parse(std::string_view source) {
  if (source.size() > limits::kTemplateBytesMax) {
    return invalid("[template] the template has {} bytes, more than the limit of {}", source.size(),
                   limits::kTemplateBytesMax);
  }
  if (!tokenizer::is_valid_utf8(source)) return invalid("[template] the template is not valid UTF-8");
  auto parsed = std::make_unique<Parsed>();
  try {
    parsed->body = Parser(tokenize(source), parsed->constants).parse();
    parsed->root = resolve_scopes(parsed->body, parsed->scope, parsed->constants);
  } catch (const TemplateError& e) {
    return to_status(e, 1);
  }
  return Template(std::move(parsed));
}

Result<std::string> Template::render(const boost::json::object& variables, std::time_t now,
                                     const RenderLimits& limits) const {
  Interpreter interpreter(parsed_->root, now, limits);
  try {
    std::vector<std::pair<Value, Value>> entries;
    for (const auto& [key, value] : variables) {
      entries.emplace_back(interpreter.heap().string(std::string(key)), from_json(interpreter.heap(), value));
    }
    return interpreter.render(parsed_->body, parsed_->scope, interpreter.heap().dict(std::move(entries)));
  } catch (const TemplateError& e) {
    return to_status(e, interpreter.heap().line);
  } catch (const std::bad_alloc&) {
    return error(Code::kResourceExhausted, "[template] line {}: out of memory", interpreter.heap().line);
  }
}

}  // namespace ingot::jinja
