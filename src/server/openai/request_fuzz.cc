// Any bytes as the body of a completion, chat or tokenize request: an error or a request within its limits.
#include "server/openai/generation_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ingot::openai;
  const auto body = parse_body({reinterpret_cast<const char*>(data), size});
  if (!body) {
    (void)error_json(body.error());
    return 0;
  }
  const auto completion = parse_completion(body->get_object());
  if (!completion)
    (void)error_json(completion.error());
  else if (completion->prompts.empty() || completion->engine.n < 1 || completion->engine.n > kChoicesMax)
    __builtin_trap();
  const auto chat = parse_chat(body->get_object());
  if (!chat)
    (void)error_json(chat.error());
  else if (chat->messages.empty())
    __builtin_trap();
  return 0;
}
