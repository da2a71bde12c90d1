#include "repo/manifest.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "repo/cluster_file.h"
#include "repo/heartbeat.h"
#include "repo/layout.h"

using namespace bkp;

namespace {

KeyRing one_key() {
  return KeyRing({generate_master_key(KeyState::active, parse_rfc3339("2026-11-20T02:00:00Z"))});
}

Manifest sample(const KeyRing& keys) {
  Manifest manifest;
  manifest.id = Uuid::random();
  manifest.cluster = "shop";
  manifest.cluster_uuid = Uuid::random();
  manifest.system_identifier = "7300000000000000001";
  manifest.created_at = parse_rfc3339("2026-11-20T02:00:00.5Z");
  manifest.completed_at = parse_rfc3339("2026-11-20T02:10:00Z");
  manifest.compression = "gzip:9";
  manifest.objects = {{"shop/full_database/x.dump.gz.enc",
                       4711,
                       sha256(as_bytes("stored")),
                       {keys.wrap(random_key())}}};
  manifest.bkp_version = "0.1.0";
  manifest.server_version = "15.20";
  manifest.tool_version = "15.20";
  manifest.archive_version = "1.14";
  manifest.database = "customers of Müller & Söhne";
  manifest.plain_size = 8'000'000'000;
  manifest.plain_sha256 = sha256(as_bytes("plain"));
  manifest.tables = {{"public", "a \"b\"", "(id, \"Ä\")", 12, 300, "00ff", true}};
  manifest.large_objects = 2;
  manifest.note = "before the migration";
  manifest.created_by = "anna-the-admin";
  manifest.host = "database-host-1";
  manifest.owners = {"shop_owner"};
  manifest.properties = R"({"name":"shop"})";
  return manifest;
}

bool same(const Manifest& a, const Manifest& b) {
  return a.id == b.id && a.cluster_uuid == b.cluster_uuid && a.created_at == b.created_at &&
         a.objects == b.objects && a.tables == b.tables && a.database == b.database &&
         a.plain_size == b.plain_size && a.plain_sha256 == b.plain_sha256 && a.note == b.note &&
         a.owners == b.owners && a.properties == b.properties && a.host == b.host &&
         a.system_identifier == b.system_identifier && a.large_objects == b.large_objects;
}

}  // namespace

TEST_CASE("a manifest goes both ways, and its plain part needs no key") {
  const KeyRing keys = one_key();
  const Manifest manifest = sample(keys);
  const std::string text = encode_manifest(manifest, keys);
  CHECK(same(decode_manifest(text, keys), manifest));
  const Manifest plain = decode_manifest_plain(text);
  CHECK(plain.objects == manifest.objects);
  CHECK(plain.database.empty());
}

TEST_CASE("what tells about customers is not in a manifest's plain text") {
  const KeyRing keys = one_key();
  const std::string text = encode_manifest(sample(keys), keys);
  for (const char* secret :
       {"customers", "migration", "anna-the-admin", "database-host-1", "shop_owner"}) {
    INFO(secret);
    CHECK(text.find(secret) == std::string::npos);
  }
}

TEST_CASE("a manifest with any one byte changed is refused as damaged") {
  const KeyRing keys = one_key();
  const std::string text = encode_manifest(sample(keys), keys);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    INFO("byte " << i << " '" << text[i] << "'");
    try {
      decode_manifest(changed, keys);
      FAIL("it was accepted");
    } catch (const Error& error) {
      // A key id that was changed names a key that is not here; a format, a newer one.
      CHECK((error.code() == ErrorCode::integrity || error.code() == ErrorCode::failed));
    }
  }
}

TEST_CASE("a manifest that is cut anywhere, or goes on behind its end, is refused") {
  const KeyRing keys = one_key();
  const std::string text = encode_manifest(sample(keys), keys);
  for (std::size_t size = 0; size < text.size(); size += size < 100 ? 1 : 37) {
    INFO("cut at " << size);
    CHECK_THROWS_AS(decode_manifest(text.substr(0, size), keys), Error);
  }
  CHECK_THROWS_AS(decode_manifest(text + "\n", keys), Error);
}

TEST_CASE("a manifest of another key says which key is missing, and is not called damaged") {
  const KeyRing keys = one_key();
  const std::string text = encode_manifest(sample(keys), keys);
  try {
    decode_manifest(text, one_key());
    FAIL("it was accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::failed);
    CHECK(error.message().find(keys.active().id.text()) != std::string::npos);
  }
}

TEST_CASE("object names sort by time and give back the stem they belong to") {
  const Uuid id = Uuid::random();
  const TimePoint time = parse_rfc3339("2026-11-20T02:00:00Z");
  const std::string stem = backup_stem("shop", BackupType::full_database, time, id);
  CHECK(stem ==
        "shop/full_database/2026/11/backup_full_database_20261120_020000_" + id.short_text());
  const std::string first = data_name(stem, BackupType::full_database, Codec::gzip, 1);
  CHECK(first == stem + ".dump.gz.enc");
  CHECK(data_name(stem, BackupType::full_database, Codec::zstd, 2) == stem + ".dump.zst.enc.2");
  for (const std::string& name : {first, manifest_name(stem), heartbeat_name(stem)})
    CHECK(stem_of(name) == stem);
  CHECK(role_of(first) == ObjectRole::data);
  CHECK(role_of(manifest_name(stem)) == ObjectRole::manifest);
  CHECK(role_of(heartbeat_name(stem)) == ObjectRole::heartbeat);
  for (const char* foreign : {"shop/cluster.json", "shop/full_database/2026/11/notes.txt",
                              "backup_full_database_20261120_020000_12345678", "x", ""}) {
    INFO(foreign);
    CHECK(stem_of(foreign).empty());
    CHECK(role_of(foreign) == ObjectRole::foreign);
  }
}

TEST_CASE("cluster.json goes both ways, and anything else is refused") {
  const ClusterFile file{1, "shop", Uuid::random(), {"7300000000000000001"}, {"db1", "db2"}};
  CHECK(decode_cluster_file(encode_cluster_file(file)) == file);
  for (const char* text :
       {"", "{}", "[]", R"({"bkp_cluster":1})", "null",
        R"({"bkp_cluster":1,"name":"x","uuid":"no","system_identifiers":[],"hosts":[]})"}) {
    INFO(text);
    CHECK_THROWS_AS(decode_cluster_file(text), Error);
  }
  std::string newer = encode_cluster_file(file);
  newer.replace(newer.find(": 1"), 3, ": 2");
  try {
    decode_cluster_file(newer);
    FAIL("a newer format was accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::failed);
  }
}

TEST_CASE("a heartbeat goes both ways, and anything else is refused") {
  const TimePoint now = parse_rfc3339("2026-11-20T02:00:00Z");
  const Heartbeat heartbeat{
      Uuid::random(), BackupType::full_database, Codec::zstd, "db1", 42, now, now};
  CHECK(decode_heartbeat(encode_heartbeat(heartbeat)) == heartbeat);
  for (const char* text : {"", "{}", "[1]", R"({"bkp_inprogress":2})"}) {
    INFO(text);
    CHECK_THROWS_AS(decode_heartbeat(text), Error);
  }
}

TEST_CASE("a manifest takes a note of any bytes, and refuses names that it cannot hold") {
  const KeyRing keys = one_key();
  Manifest manifest = sample(keys);
  manifest.note = "caf\xe9";
  manifest.created_by = "\xff";
  const Manifest read = decode_manifest(encode_manifest(manifest, keys), keys);
  CHECK(read.note == "caf\uFFFD");
  CHECK(read.tables == manifest.tables);
  manifest.tables[0].name = "caf\xe9";
  CHECK_THROWS_AS(encode_manifest(manifest, keys), Error);
}
