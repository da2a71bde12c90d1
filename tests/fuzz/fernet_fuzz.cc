#include "base/fd.h"
#include "crypto/fernet.h"
#include "fuzz/fuzz.h"
#include "stream/memory_stream.h"

using namespace bkp;

// No input that was not made with the key gives a byte: the published one gives five.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TemporaryDirectory directory("/tmp", "bkp-fuzz-");
  static const FernetKey key = parse_fernet_key("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=");
  const auto path = directory.path() / "file";
  write_file_atomically(path, as_text(fuzz::view(data, size)));
  try {
    FernetSource source(path, key);
    fuzz::require(as_text(read_all(source, 4096)) == "hello");
  } catch (const Error& error) {
    fuzz::require(error.code() == ErrorCode::failed || error.code() == ErrorCode::integrity);
  }
  fuzz::accepts(ErrorCode::usage, [&] { parse_fernet_key(as_text(fuzz::view(data, size))); });
  return 0;
}
