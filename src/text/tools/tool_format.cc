#include "text/tools/tool_format.h"

#include <algorithm>
#include <array>

namespace ingot::tools {
namespace {

constexpr std::array<std::string_view, 7> kNames = {"hermes",   "llama3", "mistral",      "mistral-named",
                                                    "pythonic", "gemma",  "functiongemma"};

// The first one that a template holds decides.
struct Sign {
  std::string_view text;
  ToolFormat format;
};
constexpr Sign kSigns[] = {
    {"<start_function_call>", ToolFormat::kFunctionGemma},
    {"[ARGS]", ToolFormat::kMistralNamed},
    {"[TOOL_CALLS]", ToolFormat::kMistral},
    {"<tool_call>", ToolFormat::kHermes},
    {"[func_name1(", ToolFormat::kPythonic},
    {"tool_code", ToolFormat::kGemma},
    {"<|python_tag|>", ToolFormat::kLlama3},
    {"\"parameters\": dictionary", ToolFormat::kLlama3},
    {"<|python_start|>", ToolFormat::kPythonic},
    {"<|start_header_id|>", ToolFormat::kLlama3},
    {"<start_of_turn>", ToolFormat::kGemma},
};

constexpr std::string_view kHermesMarkers[] = {"<tool_call>", "</tool_call>"};
constexpr std::string_view kLlamaMarkers[] = {"<|python_tag|>"};
constexpr std::string_view kMistralMarkers[] = {"[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"};
constexpr std::string_view kPythonicMarkers[] = {"<|python_start|>", "<|python_end|>"};
constexpr std::string_view kFunctionGemmaMarkers[] = {"<start_function_call>", "<end_function_call>", "<escape>"};

}  // namespace

std::string_view tool_format_name(ToolFormat format) { return kNames[static_cast<size_t>(format)]; }

std::optional<ToolFormat> tool_format_named(std::string_view name) {
  const auto at = std::ranges::find(kNames, name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<ToolFormat>(at - kNames.begin());
}

std::span<const std::string_view> tool_format_names() { return kNames; }

ToolFormat detect_tool_format(std::string_view chat_template) {
  for (const Sign& sign : kSigns)
    if (chat_template.find(sign.text) != std::string_view::npos) return sign.format;
  return ToolFormat::kHermes;
}

std::span<const std::string_view> tool_markers(ToolFormat format) {
  switch (format) {
    case ToolFormat::kHermes: return kHermesMarkers;
    case ToolFormat::kLlama3: return kLlamaMarkers;
    case ToolFormat::kMistral:
    case ToolFormat::kMistralNamed: return kMistralMarkers;
    case ToolFormat::kPythonic: return kPythonicMarkers;
    case ToolFormat::kGemma: return {};
    case ToolFormat::kFunctionGemma: return kFunctionGemmaMarkers;
  }
  return {};
}

}  // namespace ingot::tools
