// Triton's logging extension: the levels of this process's own messages. Thread-safety: all functions.
#pragma once

#include <boost/json/object.hpp>

#include "base/status.h"

namespace ingot::kserve {

// {log_file, log_info, log_warning, log_error, log_verbose_level, log_format}
boost::json::object log_settings();
// Only what changes need be there. Levels are a ladder: with a lower one on, those above it are on, too.
// Errors: kInvalidArgument (unknown, wrong type), kUnimplemented (log_file, log_format: they are fixed).
Result<void> set_log_settings(const boost::json::object& changes);

}  // namespace ingot::kserve
