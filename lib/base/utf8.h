// Text that comes from outside (arguments, messages of programs) made fit for JSON and databases.
#pragma once

#include <string>
#include <string_view>

namespace bkp {

// The same text, with U+FFFD for every byte that is not part of valid UTF-8 and for NUL, which
// PostgreSQL stores in no text.
std::string valid_utf8(std::string_view text);

// The longest beginning of `text` of at most `bytes` bytes that cuts no character of UTF-8 in two.
// What is not UTF-8 is cut anywhere.
std::string cut_utf8(std::string_view text, std::size_t bytes);

}  // namespace bkp
