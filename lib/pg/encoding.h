// PostgreSQL's encodings, for names that come from an archive in its database's own.
#pragma once

#include <string>
#include <string_view>

namespace bkp {

// `text` of the encoding that PostgreSQL calls `encoding` ("LATIN1") as UTF-8. What cannot be
// converted (an unknown encoding, SQL_ASCII, bytes without a meaning) stays as it is.
std::string to_utf8(std::string_view text, std::string_view encoding);

}  // namespace bkp
