#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/fd.h"
#include "crypto/key.h"

using namespace bkp;

namespace {

constexpr std::string_view kSecret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

std::string key_table(std::string_view id = "11111111-2222-4333-8444-555555555555",
                      std::string_view state = "active",
                      std::string_view created_at = "2026-11-20T02:00:00Z",
                      std::string_view secret = kSecret) {
  return fmt::format("[[key]]\nid = \"{}\"\nstate = \"{}\"\ncreated_at = \"{}\"\nsecret = \"{}\"\n",
                     id, state, created_at, secret);
}

Error error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error;
  }
  FAIL("accepted");
  return {ErrorCode::failed, ""};
}

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("a key file is read as it was saved, and only its owner can read it") {
  const TemporaryDirectory directory("/tmp", "bkp-keys-");
  const auto path = directory.path() / "keys.toml";
  const auto now = parse_rfc3339("2026-11-20T02:00:00.123456Z");
  const KeyRing saved({generate_master_key(KeyState::retired, now),
                       generate_master_key(KeyState::active, now),
                       generate_master_key(KeyState::standby, now)});
  save_key_file(path, saved, KeyFileMode::create_new);
  CHECK(mode_of(path) == 0600);
  const KeyRing loaded = load_key_file(path);
  REQUIRE(loaded.keys().size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(loaded.keys()[i].id == saved.keys()[i].id);
    CHECK(loaded.keys()[i].state == saved.keys()[i].state);
    CHECK(loaded.keys()[i].created_at == now);
    CHECK(to_hex(loaded.keys()[i].secret.reveal()) == to_hex(saved.keys()[i].secret.reveal()));
  }
}

TEST_CASE("a key file that is there is never overwritten, only replaced where that is asked for") {
  const TemporaryDirectory directory("/tmp", "bkp-keys-");
  const auto path = directory.path() / "keys.toml";
  const KeyRing first({generate_master_key(KeyState::active, TimePoint{})});
  const KeyRing second({generate_master_key(KeyState::active, TimePoint{})});
  save_key_file(path, first, KeyFileMode::create_new);
  const Error refused = error_of([&] { save_key_file(path, second, KeyFileMode::create_new); });
  CHECK(refused.code() == ErrorCode::usage);
  CHECK(load_key_file(path).active().id == first.active().id);
  save_key_file(path, second, KeyFileMode::replace);
  CHECK(load_key_file(path).active().id == second.active().id);
  CHECK(mode_of(path) == 0600);
  const std::filesystem::directory_iterator files(directory.path());
  CHECK(std::distance(begin(files), end(files)) == 1);  // no temporary file is left
}

TEST_CASE("a key file that others can use is refused with the command that cures it") {
  const TemporaryDirectory directory("/tmp", "bkp-keys-");
  const auto path = directory.path() / "keys.toml";
  save_key_file(path, KeyRing({generate_master_key(KeyState::active, TimePoint{})}),
                KeyFileMode::create_new);
  for (const unsigned mode : {0640U, 0604U, 0644U, 0620U, 0610U, 0601U}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    const Error error = error_of([&] { load_key_file(path); });
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.message().find(fmt::format("{:04o}", mode)) != std::string::npos);
    CHECK(error.hint() == "chmod 600 '" + path.string() + "'");
  }
  for (const unsigned mode : {0600U, 0400U}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    CHECK_NOTHROW(load_key_file(path));
  }
  if (::geteuid() == 0) {  // only root can give a file away
    REQUIRE(::chown(path.c_str(), 65534, 65534) == 0);
    const Error error = error_of([&] { load_key_file(path); });
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.message().find("65534") != std::string::npos);
  }
}

TEST_CASE("a key file that is missing, a directory or huge is refused by name") {
  const TemporaryDirectory directory("/tmp", "bkp-keys-");
  const auto path = directory.path() / "keys.toml";
  const Error missing = error_of([&] { load_key_file(path); });
  CHECK(missing.code() == ErrorCode::usage);
  CHECK(missing.message().find(path.string()) != std::string::npos);
  CHECK(missing.hint().find("bkp key generate") != std::string::npos);
  CHECK(error_of([&] { load_key_file(directory.path()); }).code() == ErrorCode::usage);
  write_file_atomically(path, std::string(2 << 20, '#'), 0600);
  CHECK(error_of([&] { load_key_file(path); }).message().find("too large") != std::string::npos);
}

TEST_CASE("a damaged key file is refused with the line, and no secret is shown") {
  struct Damage {
    std::string text;
    const char* said;
  };
  const std::string id = "11111111-2222-4333-8444-555555555555";
  const std::string other = "11111111-2222-4333-8444-666666666666";
  const std::string secret(kSecret);
  const std::string good = key_table();
  const Damage table[] = {
      {"", "0 of 0 keys are active"},
      {"\x80", "not TOML"},
      {good + "[[key", "line 6"},
      {good + good, "there twice"},
      {good + key_table(other), "2 of 2 keys are active"},
      {key_table(id, "retired"), "0 of 1 keys are active"},
      {good + "color = 1\n", "line 6: unknown key 'color'"},
      {"version = 1\n" + good, "line 1: unknown key 'version'"},
      {"key = 1\n", "line 1: unknown key 'key'"},
      {"key = [1]\n", "line 1: not a [[key]] table"},
      {"[[key]]\nstate = \"active\"\n", "'id' is missing"},
      {"[[key]]\nid = 5\n", "line 2: 'id' is not a text"},
      {key_table("11111111-2222-4333-8444-55555555555"), "line 2: 'id' is not a UUID"},
      {key_table("AAAAAAAA-2222-4333-8444-555555555555"), "line 2: 'id' is not a UUID"},
      {key_table(id, "Active"), "line 3: 'state' is not active, standby or retired"},
      {key_table(id, "active", "2026-11-20"), "line 4: 'created_at' is not a time"},
      {key_table(id, "active", "2026-11-20T02:00:00"), "line 4: 'created_at' is not a time"},
      {"[[key]]\nid = \"" + id +
           "\"\nstate = \"active\"\ncreated_at = 2026-11-20T02:00:00Z\nsecret = \"" + secret + "\"",
       "line 4: 'created_at' is not a text"},
      {"[[key]]\nid = \"" + id +
           "\"\nstate = \"active\"\ncreated_at = \"2026-11-20T02:00:00Z\"\nsecret = " + secret,
       "line 5"},
      {key_table(id, "active", "2026-11-20T02:00:00Z", ""), "line 5: 'secret' is not 32 bytes"},
      {key_table(id, "active", "2026-11-20T02:00:00Z", secret.substr(1)),
       "line 5: 'secret' is not 32 bytes"},
      {key_table(id, "active", "2026-11-20T02:00:00Z", secret.substr(0, 42) + "=="),
       "line 5: 'secret' is not 32 bytes"},
      {key_table(id, "active", "2026-11-20T02:00:00Z", "!" + secret.substr(1)),
       "line 5: 'secret' is not 32 bytes"},
      {key_table(id, "active", "2026-11-20T02:00:00Z", secret.substr(0, 42) + "9="),
       "line 5: 'secret' is not 32 bytes"},
      {key_table(id, "active", "2026-11-20T02:00:00Z", secret.substr(0, 43) + "A"),
       "line 5: 'secret' is not 32 bytes"},
  };
  for (const Damage& damage : table) {
    INFO(damage.text);
    const Error error = error_of([&] { parse_key_file(damage.text, "keys.toml"); });
    CHECK(error.code() == ErrorCode::usage);
    INFO(error.message());
    CHECK(error.message().find("key file 'keys.toml'") == 0);
    CHECK(error.message().find(damage.said) != std::string::npos);
    CHECK((error.message() + error.hint()).find(secret.substr(8, 8)) == std::string::npos);
  }
  CHECK(to_hex(parse_key_file(good, "keys.toml").active().secret.reveal()).starts_with("00010203"));
}
