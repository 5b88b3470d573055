// Any bytes as a ModelInferRequest: read, or refused with words.
#include "server/grpc/infer_message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  inference::ModelInferRequest message;
  if (!message.ParseFromArray(data, static_cast<int>(size))) return 0;
  const auto request = ingot::rpc::read_infer(message);
  if (!request && request.error().message().empty()) __builtin_trap();
  return 0;
}
