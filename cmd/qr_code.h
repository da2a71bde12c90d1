// A text as a QR code of half blocks, for a terminal or for paper.
#pragma once

#include <string>
#include <string_view>

namespace bkp {

// Two rows of modules a line, with the quiet zone around it. On paper and in files the blocks are
// the dark modules; for a terminal (`terminal`) the colours are set to black on white, whatever its
// own are. Throws Error(failed) for a text that is too long for one.
std::string qr_code(std::string_view text, bool terminal);

}  // namespace bkp
