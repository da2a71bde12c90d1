#include "crypto/fernet.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/fd.h"
#include "stream/memory_stream.h"

using namespace bkp;

namespace {

// The published vector of the specification.
constexpr std::string_view kKey = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
constexpr std::string_view kToken =
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_"
    "5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA"
    "==";
// Another one.
constexpr std::string_view kOtherKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

struct Opened {
  std::string plain, message;
  int code = 0;
};

Opened open(std::string_view token, std::string_view key = kKey) {
  const TemporaryDirectory directory("/tmp", "bkp-fernet-");
  const auto path = directory.path() / "file";
  write_file_atomically(path, token);
  try {
    FernetSource source(path, parse_fernet_key(key));
    return {to_string(read_all(source, std::size_t{1} << 20)), "", 0};
  } catch (const Error& error) {
    return {"", error.message(), static_cast<int>(error.code())};
  }
}

}  // namespace

TEST_CASE("the published Fernet token opens, in either alphabet, with or without a last newline") {
  CHECK(open(kToken).plain == "hello");
  CHECK(open(std::string(kToken) + "\n").plain == "hello");
  CHECK(open(std::string(kToken) + "\r\n").plain == "hello");
  std::string standard(kToken), key(kKey);
  for (std::string* text : {&standard, &key})
    for (char& c : *text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  CHECK(open(standard).plain == "hello");
  CHECK(open(kToken, key).plain == "hello");
  CHECK(open(kToken, std::string(kKey) + "\n").plain == "hello");
  CHECK(open(kToken, kKey.substr(0, 43)).plain == "hello");
}

TEST_CASE("a token that was cut, changed, or is of another key gives nothing, and says which") {
  const std::string token(kToken);
  for (std::size_t size = 0; size < token.size(); ++size) {
    INFO(size);
    const Opened opened = open(token.substr(0, size));
    CHECK(opened.code != 0);
    CHECK(opened.plain.empty());
    if (size > 0 && size % 4 != 0 && size < 98)
      CHECK(opened.message.find("is cut short") != std::string::npos);
  }
  for (std::size_t at = 0; at < 98; ++at) {
    INFO(at);
    std::string changed = token;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    CHECK(open(changed).code != 0);
    changed[at] = '!';
    CHECK(open(changed).message.find(at == 0 ? "no Fernet token" : "no base64") !=
          std::string::npos);
  }
  CHECK(open(kToken, kOtherKey).code == 1);
  CHECK(open(kToken, kOtherKey).message.find("does not open by this key") != std::string::npos);
  CHECK(open(token + "AAAA").code != 0);
  CHECK(open("PGDMP").message.find("no Fernet token") != std::string::npos);
}

TEST_CASE("what is not a Fernet key is refused without showing it") {
  for (const std::string_view text : {"", "short", "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e",
                                      "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4==",
                                      "!w_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="}) {
    try {
      parse_fernet_key(text);
      FAIL(text);
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::usage);
      CHECK(error.message() == "that is not a Fernet key");
    }
  }
}
