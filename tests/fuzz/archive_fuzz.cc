// The archive parser takes any bytes, in any pieces, and says the same of them: the first byte of
// the input chooses the pieces.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "base/error.h"
#include "pg/archive_parser.h"

using namespace bkp;

namespace {

// What the parser makes of `data` in pieces of `step`; nullopt: it refuses.
std::optional<std::string> read(ByteView data, std::size_t step) {
  ArchiveParser parser(Digests::yes);
  try {
    for (std::size_t at = 0; at < data.size(); at += step)
      parser.feed(data.subspan(at, std::min(step, data.size() - at)));
    parser.finish();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::integrity) std::abort();
    return std::nullopt;
  }
  std::string seen = parser.contents().large_objects.digest.hex();
  for (const TableData& table : parser.contents().tables)
    seen += table.schema + table.name + std::to_string(table.rows) + "," +
            std::to_string(table.bytes) + table.digest.hex();
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const ByteView archive(reinterpret_cast<const std::byte*>(data + 1), size - 1);
  if (read(archive, std::size_t{1} + data[0]) != read(archive, archive.size())) std::abort();
  parse_copy_statement(as_text(archive));
  return 0;
}
