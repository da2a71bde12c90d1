// Text that comes from outside (arguments, messages of programs) made fit for JSON and databases.
#pragma once

#include <string>
#include <string_view>

namespace bkp {

// The same text, with U+FFFD for every byte that is not part of valid UTF-8 and for NUL, which
// PostgreSQL stores in no text.
std::string valid_utf8(std::string_view text);

}  // namespace bkp
