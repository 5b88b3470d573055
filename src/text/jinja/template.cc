#include "text/jinja/template.h"

#include <new>
#include <optional>
#include <stdexcept>

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

// Runs `work` and turns all that is thrown in it into a Status, the folder's own errors and the library's.
// line: where it happened, if the error does not say.
template <class T, class Line>
Result<T> without_throws(const Line& line, const auto& work) {
  try {
    return work();
  } catch (const TemplateError& e) {
    return error(e.code, "[template] line {}: {}", e.line != 0 ? e.line : line(), e.message);
  } catch (const std::bad_alloc&) {
    return error(Code::kResourceExhausted, "[template] line {}: out of memory", line());
  } catch (const std::length_error&) {
    return error(Code::kResourceExhausted, "[template] line {}: a text or list would be too long", line());
  } catch (const std::exception& e) {
    return error(Code::kInternal, "[template] line {}: {}", line(), e.what());
  }
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
  return without_throws<Template>([] { return 1; },
                                  [&] {
                                    auto parsed = std::make_unique<Parsed>();
                                    parsed->body = Parser(tokenize(source), parsed->constants).parse();
                                    parsed->root = resolve_scopes(parsed->body, parsed->scope, parsed->constants);
                                    return Template(std::move(parsed));
                                  });
}

Result<std::string> Template::render(const boost::json::object& variables, std::time_t now,
                                     const RenderLimits& limits) const {
  std::optional<Interpreter> interpreter;
  const auto line = [&] { return interpreter ? interpreter->heap().line : 1; };
  return without_throws<std::string>(line, [&] {
    Heap& heap = interpreter.emplace(parsed_->root, now, limits).heap();
    std::vector<std::pair<Value, Value>> entries;
    for (const auto& [key, value] : variables)
      entries.emplace_back(heap.string(std::string(key)), from_json(heap, value));
    return interpreter->render(parsed_->body, parsed_->scope, heap.dict(entries));
  });
}

}  // namespace ingot::jinja
