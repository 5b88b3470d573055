// A chat with a language model in C++: chat MODEL [MAX_TOKENS]. One line in, one answer out, as it comes. A model
// without a chat template (a base model) goes on with each line instead.
#include <cstdio>
#include <ingot/ingot.hpp>
#include <iostream>

static std::string json_string(const std::string& text) {
  std::string out = "\"";
  char escaped[8];
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}

static std::string message(const char* role, const std::string& content) {
  return std::string("{\"role\": \"") + role + "\", \"content\": " + json_string(content) + "}";
}

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s MODEL [MAX_TOKENS]\n", argv[0]);
    return 2;
  }
  ingot::Llm llm(argv[1]);
  const bool chats = llm.fact("has_chat_template") != 0;
  std::string conversation, line;
  while (std::getline(std::cin, line)) {
    if (line.empty()) continue;
    conversation += (conversation.empty() ? "" : ", ") + message("user", line);
    ingot::Request request;
    if (chats)
      request.messages("[" + conversation + "]");
    else
      request.prompt(line);
    request.set("max_tokens", argc > 2 ? argv[2] : "200").set("temperature", 0.7).set("seed", 1);
    ingot::Generation generation = llm.submit(request);
    std::string answer;
    while (const ingot_event* event = generation.next()) {
      std::fwrite(event->text, 1, event->text_length, stdout);
      std::fflush(stdout);
      answer.append(event->text, event->text_length);
    }
    conversation += ", " + message("assistant", answer);
    const ingot_usage usage = generation.usage();
    std::printf("\n");
    std::fprintf(stderr, "(%lld tokens, %lld of the prompt's %lld from the cache)\n",
                 static_cast<long long>(usage.completion_tokens), static_cast<long long>(usage.cached_tokens),
                 static_cast<long long>(usage.prompt_tokens));
  }
  return 0;
} catch (const ingot::Error& e) {
  std::fprintf(stderr, "error: %s\n", e.what());
  return 1;
}
