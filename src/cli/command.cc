#include "cli/command.h"

#include "cli/interactive/interrupt.h"

namespace ingot::cli {

int exit_code(const Status& status) {
  if (status.code() == Code::kCancelled) return kExitInterrupted;
  return status.message().starts_with("[cli] ") ? kExitUsage : kExitFailure;
}

}  // namespace ingot::cli
