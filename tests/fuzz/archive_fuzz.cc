// The archive parser says the same of its input in whatever pieces it comes: the first byte is
// their size.
#include <algorithm>
#include <string>

#include "fuzz/fuzz.h"
#include "pg/archive_parser.h"

using namespace bkp;

namespace {

// What the parser makes of `data` in pieces of `step`; empty: it refuses.
std::string read(ByteView data, std::size_t step) {
  ArchiveParser parser(Digests::yes);
  const bool accepted = fuzz::accepts(ErrorCode::integrity, [&] {
    for (std::size_t at = 0; at < data.size(); at += step)
      parser.feed(data.subspan(at, std::min(step, data.size() - at)));
    parser.finish();
  });
  if (!accepted) return {};
  std::string seen = parser.contents().large_objects.digest.hex();
  for (const TableData& table : parser.contents().tables)
    seen += table.schema + table.name + std::to_string(table.rows) + "," +
            std::to_string(table.bytes) + table.digest.hex();
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const ByteView archive = fuzz::view(data + 1, size - 1);
  fuzz::require(read(archive, std::size_t{1} + data[0]) == read(archive, archive.size()));
  parse_copy_statement(as_text(archive));
  return 0;
}
