// Rendering a long conversation: the cost a chat server pays per request.
#include <benchmark/benchmark.h>

#include <boost/json.hpp>

#include "text/jinja/template.h"

namespace {

constexpr std::string_view kTemplate = R"({{- bos_token }}
{%- if messages[0].role == 'system' %}
    {%- set system = messages[0].content | trim %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set rest = messages %}
{%- endif %}
{%- for message in rest %}
    {%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Roles must alternate') }}
    {%- endif %}
    {{- '<|start|>' + message.role + '\n' }}
    {%- if loop.first and system is defined %}{{- system + '\n' }}{%- endif %}
    {%- if message.content is string %}{{- message.content | trim }}{%- else %}
        {%- for part in message.content %}{{- part.text }}{%- endfor %}
    {%- endif %}
    {%- for call in message.tool_calls or [] %}{{- call.function.arguments | tojson }}{%- endfor %}
    {{- '<|end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start|>assistant\n' }}{%- endif %})";

void renders_messages(benchmark::State& state) {
  boost::json::array messages{boost::json::object{{"role", "system"}, {"content", "You are a helpful assistant."}}};
  const std::string content(400, 'x');
  for (int64_t i = 0; i < state.range(0); ++i) {
    messages.push_back(boost::json::object{{"role", i % 2 == 0 ? "user" : "assistant"}, {"content", content}});
  }
  const boost::json::object context{{"bos_token", "<s>"}, {"messages", messages}, {"add_generation_prompt", true}};
  const auto parsed = ingot::jinja::Template::parse(kTemplate);
  for (auto _ : state) benchmark::DoNotOptimize(parsed->render(context, 0));
}
BENCHMARK(renders_messages)->Arg(10)->Arg(200)->Arg(2000)->Unit(benchmark::kMicrosecond);

void parses(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(ingot::jinja::Template::parse(kTemplate));
}
BENCHMARK(parses)->Unit(benchmark::kMicrosecond);

}  // namespace
