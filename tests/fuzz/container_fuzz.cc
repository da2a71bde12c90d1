// An object's first bytes, a frame's head, a trailer, an index and frames, all read from one input.
#include "crypto/container.h"
#include "fuzz/fuzz.h"

using namespace bkp;

namespace {

void check_prefix(ByteView input) {
  const ContainerPrefix prefix = parse_prefix(input);
  Bytes again = encode_header(prefix.header);
  fuzz::require(again == prefix.header_bytes);
  append(again, encode_slots(prefix.slots));
  fuzz::require(again == to_bytes(input.first(prefix.size)));
}

void check_trailer(ByteView input) {
  if (input.size() < kTrailerSize) return;
  fuzz::require(parse_trailer(input.last(kTrailerSize)) > kTrailerSize);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input = fuzz::view(data, size);
  fuzz::accepts(ErrorCode::integrity, [&] { check_prefix(input); });
  fuzz::accepts(ErrorCode::integrity, [&] { parse_frame_head(input); });
  fuzz::accepts(ErrorCode::integrity, [&] { check_trailer(input); });
  for (const Suite suite : {Suite::aes_256_gcm, Suite::aes_256_cbc_hmac_sha256}) {
    const FrameCipher cipher(suite, {}, Key256(ByteView(Bytes(32))));
    fuzz::require(!fuzz::accepts(ErrorCode::integrity, [&] { cipher.open(input, 0, true); }));
    fuzz::require(!fuzz::accepts(ErrorCode::integrity, [&] { cipher.open_index(input); }));
  }
  return 0;
}
