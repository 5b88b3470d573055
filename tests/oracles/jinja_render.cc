// jinja_render: one JSON object a line in, one a line out; how the Python oracles talk to the templates.
//   {"template": "...", "context": {...}, "now": 0}            -> {"ok": true, "text": "..."}
//   {"chat": {"template": ..., "tokens": {...}}, "messages": [...], "options": {...}, "now": 0}
//                                                              -> {"ok": false, "error": "[template] line 3: ..."}
#include <boost/json.hpp>
#include <iostream>
#include <string>

#include "text/chat/chat_template.h"
#include "text/jinja/template.h"

namespace {

using ingot::Result;

Result<std::string> render_chat(const boost::json::object& request, std::time_t now) {
  const auto& chat = request.at("chat").as_object();
  auto parsed = ingot::ChatTemplate::parse(std::string(chat.at("template").as_string()), chat.at("tokens").as_object());
  if (!parsed) return std::unexpected(parsed.error());
  auto options = ingot::RenderOptions::from_json(request.at("options").as_object());
  if (!options) return std::unexpected(options.error());
  options->now = now;
  return parsed->render(request.at("messages"), *options);
}

Result<std::string> render(const boost::json::object& request) {
  const boost::json::value* given = request.if_contains("now");
  const std::time_t now = given != nullptr ? given->to_number<std::time_t>() : 0;
  if (request.contains("chat")) return render_chat(request, now);
  auto parsed = ingot::jinja::Template::parse(request.at("template").as_string());
  if (!parsed) return std::unexpected(parsed.error());
  return parsed->render(request.at("context").as_object(), now);
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  std::string line;
  while (std::getline(std::cin, line)) {
    boost::json::object answer;
    try {
      boost::json::parse_options lenient;
      lenient.max_depth = 256;
      const Result<std::string> text = render(boost::json::parse(line, {}, lenient).as_object());
      answer["ok"] = text.has_value();
      answer[text ? "text" : "error"] = text ? *text : text.error().message();
    } catch (const std::exception& e) {
      answer = {{"ok", false}, {"error", e.what()}};
    }
    std::cout << boost::json::serialize(answer) << '\n' << std::flush;
  }
  return 0;
}
