// hub::pull with a progress bar on a terminal; for `ingot pull` and every command that takes hf: or https:.
#pragma once

#include "hub/pull.h"

namespace ingot::cli {

Result<hub::Pulled> pull_with_progress(const hub::ModelCache& cache, const hub::ModelRef& ref,
                                       hub::PullOptions options);

}  // namespace ingot::cli
