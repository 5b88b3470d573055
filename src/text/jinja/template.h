// A Jinja template: parsed once, rendered many times. The only header other folders need.
//
// Behaves as jinja2's ImmutableSandboxedEnvironment set up the way Hugging Face does for chat templates:
// trim_blocks, lstrip_blocks, loop controls, {% generation %}, tojson without HTML escapes,
// raise_exception, strftime_now. A template is foreign code: input, output, memory, steps and depth are
// bounded by base/limits.h. Thread-safety: immutable after parse; render from any number of threads.
#pragma once

#include <boost/json/object.hpp>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/status.h"

namespace ingot::jinja {

// What one render may use.
struct RenderLimits {
  uint64_t steps = limits::kTemplateStepsMax;
  size_t memory_bytes = limits::kTemplateMemoryBytesMax;
};

class Template {
 public:
  // Errors: kInvalidArgument "[template] line 12: ...".
  static Result<Template> parse(std::string_view source);

  // Renders with these variables. `now` is what strftime_now formats, in local time.
  // Errors: kInvalidArgument, with raise_exception's own message if the template called it;
  // kResourceExhausted past a limit.
  Result<std::string> render(const boost::json::object& variables, std::time_t now,
                             const RenderLimits& limits = {}) const;

  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

 private:
  struct Parsed;
  explicit Template(std::unique_ptr<const Parsed> parsed);
  std::unique_ptr<const Parsed> parsed_;
};

}  // namespace ingot::jinja
