// How a failed run ends: what it says, and its exit code.
#pragma once

#include <exception>
#include <string>

#include "base/error.h"

namespace bkp {

// Any exception as an Error: one that is not ours has code failed.
Error as_error(const std::exception_ptr& failure);

// "bkp: error: MESSAGE" and a "hint: " line for each line of the hint, for standard error.
std::string failure_text(const Error& error, bool colours);

// {"error": {"code": 2, "message": …, "hint": …}}: the JSON document of a run that failed.
std::string failure_json(const Error& error);

}  // namespace bkp
