#include "text/jinja/template.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

namespace ingot::jinja {
namespace {

namespace json = boost::json;

Result<std::string> render(std::string_view source, const json::object& context = {}) {
  const auto parsed = Template::parse(source);
  if (!parsed) return std::unexpected(parsed.error());
  return parsed->render(context, 0);
}

std::string error_of(std::string_view source) {
  const auto result = render(source);
  return result ? "no error: " + *result : result.error().message();
}

Code code_of(std::string_view source) {
  const auto result = render(source);
  return result ? Code::kUnknown : result.error().code();
}

json::object read_goldens() {
  std::ifstream file(INGOT_SOURCE_DIR "/tests/goldens/jinja.json");
  std::stringstream text;
  text << file.rdbuf();
  return json::parse(text.str()).as_object();
}

TEST(Template, renders_every_golden_as_jinja2_does) {
  setenv("TZ", "UTC", 1);
  const json::object goldens = read_goldens();
  const auto& context = goldens.at("context").as_object();
  for (const json::value& value : goldens.at("cases").as_array()) {
    const auto& c = value.as_object();
    const auto source = std::string_view(c.at("template").as_string());
    const auto result = render(source, context);
    ASSERT_EQ(result.has_value(), c.at("ok").as_bool()) << c.at("name") << ": " << source << "\n"
                                                        << (result ? *result : result.error().message());
    if (result) {
      EXPECT_EQ(*result, std::string_view(c.at("text").as_string())) << c.at("name") << ": " << source;
    } else if (c.contains("error")) {
      EXPECT_TRUE(result.error().message().ends_with(std::string_view(c.at("error").as_string())))
          << c.at("name") << ": " << result.error().message();
    }
  }
}

TEST(Template, parts_of_a_safe_string_are_safe) {
  EXPECT_EQ(*render("{{ ('a b' | escape).split() }}", {}), "[Markup('a'), Markup('b')]");
  EXPECT_EQ(*render("{{ ('a b' | escape).partition(' ') }}", {}), "(Markup('a'), Markup(' '), Markup('b'))");
  EXPECT_EQ(*render("{{ 'a b'.split() }}", {}), "['a', 'b']");
}

TEST(Template, errors_name_the_line) {
  EXPECT_EQ(error_of("a\nb\n{{ 1 // 0 }}"), "[template] line 3: integer division or modulo by zero");
  EXPECT_EQ(error_of("a\n{% if x %}\nb"),
            "[template] line 3: Unexpected end of template. Jinja was looking for the tag 'endif'. The innermost block "
            "that needs to be closed is 'if'.");
  EXPECT_EQ(error_of("\n{{ x.y }}"), "[template] line 2: 'x' is undefined");
  EXPECT_EQ(error_of("{% macro m() %}\n\n{{ 1 }}{% endmacro %}\n{{ m() + 1 }}"),
            "[template] line 4: unsupported operand type(s) for +: 'str' and 'int'");
}

TEST(Template, raise_exception_brings_its_own_message) {
  EXPECT_EQ(error_of("\n{{ raise_exception('Roles must alternate') }}"), "[template] line 2: Roles must alternate");
  EXPECT_EQ(code_of("{{ raise_exception('x') }}"), Code::kInvalidArgument);
}

TEST(Template, endless_work_ends_with_an_error) {
  const char* nested = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
  EXPECT_EQ(code_of(nested), Code::kResourceExhausted);
  EXPECT_EQ(code_of("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), Code::kResourceExhausted);
  EXPECT_EQ(code_of("{% for x in [[]] recursive %}{{ loop([x]) }}{% endfor %}"), Code::kResourceExhausted);
}

TEST(Template, huge_values_are_refused_before_they_are_made) {
  for (const char* source :
       {"{{ 'a' * 1000000000 }}", "{{ [1] * 1000000000 }}", "{{ 'a' * 9000000000000000000 }}",
        "{{ 'x'|center(999999999) }}", "{{ '%999999999d' % 1 }}", "{{ 'x'|indent(999999999) }}",
        "{{ '{:999999999}'.format(1) }}", "{{ 'x'.zfill(999999999) }}", "{{ [1]|batch(999999999, 0)|list }}",
        "{{ 'x'.ljust(9000000000000000000) }}", "{{ '\t'.expandtabs(999999999) }}",
        "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x * 2 %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set x = 'a' * 1000000 %}{% for i in range(1000) %}{{ x }}{% endfor %}"}) {
    EXPECT_EQ(code_of(source), Code::kResourceExhausted) << source << ": " << error_of(source);
  }
  EXPECT_EQ(code_of("{{ range(1000000000000) }}"), Code::kInvalidArgument);
}

TEST(Template, deep_nesting_is_an_error_not_a_crash) {
  const auto repeat = [](std::string_view what, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += what;
    return out;
  };
  EXPECT_FALSE(render("{{ " + repeat("(", 50000) + "1" + repeat(")", 50000) + " }}"));
  EXPECT_FALSE(render("{{ 1" + repeat("+1", 50000) + " }}"));
  EXPECT_FALSE(render("{{ " + repeat("not ", 50000) + "1 }}"));
  EXPECT_FALSE(render("{{ " + repeat("-", 50000) + "1 }}"));
  EXPECT_FALSE(render(repeat("{% if 1 %}", 50000)));
  EXPECT_FALSE(render("{{ x" + repeat("|upper", 50000) + " }}"));
  EXPECT_TRUE(render("{{ 1" + repeat("+1", 300) + " }}"));
  EXPECT_TRUE(render("{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}"));
  EXPECT_EQ(
      code_of("{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}"),
      Code::kResourceExhausted);
  EXPECT_EQ(
      code_of("{% set ns = namespace(x=[1]) %}{% for i in range(9999) %}{% set ns.x = ns.x|map('string') %}{% endfor %}"
              "{{ ns.x|list }}"),
      Code::kResourceExhausted);
}

TEST(Template, many_names_and_branches_do_not_stall_the_parser) {
  std::string source;
  for (int i = 0; i < 20000; ++i)
    source += "{% if a" + std::to_string(i) + " %}{% set b" + std::to_string(i) + "=1 %}{% endif %}";
  EXPECT_FALSE(render(source));
}

TEST(Template, refuses_bytes_that_are_not_utf8_and_templates_too_long) {
  EXPECT_FALSE(Template::parse("\xff{{ x }}"));
  EXPECT_FALSE(Template::parse(std::string((1u << 20) + 1, 'x')));
}

// In a child process: parses what needs more memory than there is.
[[noreturn]] void run_out_of_memory(const std::string& source) {
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlimit limit{pages * 4096 + (8u << 20), RLIM_INFINITY};
  setrlimit(RLIMIT_AS, &limit);
  const auto result = Template::parse(source);
  std::_Exit(!result && result.error().code() == Code::kResourceExhausted ? 0 : 1);
}

TEST(TemplateDeathTest, memory_that_runs_out_is_a_status) {
#ifdef INGOT_SANITIZED
  GTEST_SKIP() << "a sanitizer's memory does not fit a limited address space";
#endif
  std::string tokens;
  while (tokens.size() < limits::kTemplateBytesMax - 100) tokens += "{{a[1]}}";
  EXPECT_EXIT(run_out_of_memory(tokens), testing::ExitedWithCode(0), "");
}

TEST(Template, integers_past_64_bits_are_errors) {
  EXPECT_FALSE(render("{{ 9223372036854775807 + 1 }}"));
  EXPECT_FALSE(render("{{ 2 ** 64 }}"));
  EXPECT_FALSE(render("{{ 99999999999999999999 }}"));
  EXPECT_EQ(render("{{ -9223372036854775807 - 1 }}").value(), "-9223372036854775808");
}

TEST(Template, one_template_renders_on_many_threads) {
  const auto parsed = Template::parse("{% for i in range(200) %}{{ 'a' ~ i }}{{ x|upper }}{% endfor %}");
  ASSERT_TRUE(parsed);
  const std::string expected = parsed->render({{"x", "q"}}, 0).value();
  std::vector<std::thread> threads;
  std::vector<int> equal(4, 0);
  for (size_t t = 0; t < equal.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) equal[t] += parsed->render({{"x", "q"}}, 0).value() == expected ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, std::vector<int>(4, 50));
}

}  // namespace
}  // namespace ingot::jinja
