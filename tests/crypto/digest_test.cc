#include "crypto/digest.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace bkp;

TEST_CASE("SHA-256 gives FIPS 180-2's digests, however the data is cut") {
  const std::pair<std::string, const char*> vectors[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {std::string(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}};
  for (const auto& [text, expected] : vectors) {
    CHECK(to_hex(sha256(as_bytes(text))) == expected);
    Sha256 digest;
    for (std::size_t at = 0; at < text.size(); at += 7777)
      digest.update(as_bytes(std::string_view(text).substr(at, 7777)));
    CHECK(to_hex(digest.finish()) == expected);
  }
}

TEST_CASE("MD5 gives RFC 1321's digests") {
  CHECK(to_hex(md5({})) == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(to_hex(md5(as_bytes("message digest"))) == "f96b697d7cb7938d525a2f31aaf161d0");
}

TEST_CASE("HMAC-SHA256 gives RFC 4231's codes") {
  struct Vector {
    Bytes key;
    Bytes data;
    const char* code;
  };
  const Vector vectors[] = {
      {Bytes(20, std::byte{0x0b}), to_bytes("Hi There"),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {to_bytes("Jefe"), to_bytes("what do ya want for nothing?"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {Bytes(20, std::byte{0xaa}), Bytes(50, std::byte{0xdd}),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {Bytes(131, std::byte{0xaa}),
       to_bytes("Test Using Larger Than Block-Size Key - Hash Key First"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {{}, {}, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"}};
  for (const Vector& vector : vectors)
    CHECK(to_hex(hmac_sha256(vector.key, vector.data)) == vector.code);
}

TEST_CASE("digests are equal when every byte is") {
  CHECK(equal_digests(sha256({}), sha256({})));
  CHECK_FALSE(equal_digests(sha256({}), sha256(as_bytes("a"))));
  CHECK_FALSE(equal_digests(sha256({}), ByteView(sha256({})).first(31)));
  CHECK(equal_digests({}, {}));
}

TEST_CASE("a table's digest does not depend on the order of its rows") {
  std::vector<std::string> rows;
  for (int i = 0; i < 1000; ++i) rows.push_back(std::to_string(i) + "\tname\t\\N");
  const auto digest = [&] {
    RowDigest all;
    for (const std::string& row : rows) all.add(as_bytes(row));
    return all;
  };
  const RowDigest first = digest();
  std::reverse(rows.begin(), rows.end());
  CHECK(digest() == first);

  // In two parts, as parallel workers take it.
  RowDigest half;
  RowDigest rest;
  for (std::size_t i = 0; i < rows.size(); ++i) (i % 3 == 0 ? half : rest).add(as_bytes(rows[i]));
  half.add(rest);
  CHECK(half == first);
}

TEST_CASE("a table's digest tells rows changed, lost, doubled, and values moved between rows") {
  const auto digest = [](const std::vector<std::string>& rows) {
    RowDigest all;
    for (const std::string& row : rows) all.add(as_bytes(row));
    return all.hex();
  };
  const std::string whole = digest({"1\ta", "2\tb"});
  for (const auto& other : std::vector<std::vector<std::string>>{
           {"1\ta"}, {"1\ta", "2\tB"}, {"1\tb", "2\ta"}, {"1\ta", "2\tb", "2\tb"}, {}})
    CHECK(digest(other) != whole);
  CHECK(digest({}) == std::string(32, '0'));
  CHECK(digest({""}) != digest({}));
}

TEST_CASE("a table's digest is the sum of XXH3-128 with a carry into the high half") {
  RowDigest empty_row;
  empty_row.add(as_bytes(""));
  CHECK(empty_row.hex() == "99aa06d3014798d86001c324468d497f");  // xxhsum -H128 </dev/null
  RowDigest sum = empty_row;
  for (int i = 0; i < 2; ++i) sum.add(empty_row);
  CHECK(sum.hex() == "ccfe147903d6ca892005496cd3a7dc7d");  // three times that, modulo 2^128
}
