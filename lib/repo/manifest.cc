#include "repo/manifest.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "crypto/sealed_box.h"
#include "repo/manifest_envelope.h"

namespace bkp {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;

Uuid parse_uuid(const Json& value) {
  const std::optional<Uuid> uuid = Uuid::parse(value.get<std::string>());
  if (!uuid) throw damaged_manifest("not a UUID: '" + value.get<std::string>() + "'");
  return *uuid;
}

Digest256 parse_digest(const Json& value) {
  const Bytes bytes = from_hex(value.get<std::string>());
  Digest256 digest{};
  if (bytes.size() != digest.size()) throw damaged_manifest("a digest of the wrong length");
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

Json encode_plain(const Manifest& manifest) {
  Json json;
  json["bkp_manifest"] = kFormat;
  json["id"] = manifest.id.text();
  json["type"] = to_text(manifest.type);
  json["cluster"] = manifest.cluster;
  json["cluster_uuid"] = manifest.cluster_uuid.text();
  json["system_identifier"] = manifest.system_identifier;
  json["created_at"] = format_utc(manifest.created_at);
  json["completed_at"] = format_utc(manifest.completed_at);
  json["codec"] = codec_name(manifest.codec);
  json["compression"] = manifest.compression;
  json["cipher"] = suite_name(manifest.suite);
  json["size_bytes"] = manifest.stored_size();
  json["checksum"] = manifest.checksum();
  Json objects = Json::array();
  for (const StoredObject& object : manifest.objects)
    objects.push_back({{"name", object.name},
                       {"size_bytes", object.size},
                       {"sha256", to_hex(object.sha256)},
                       {"slots", encode_slots_json(object.slots)}});
  json["objects"] = std::move(objects);
  json["versions"] = {{"bkp", manifest.bkp_version},
                      {"server", manifest.server_version},
                      {"tool", manifest.tool_version},
                      {"archive", manifest.archive_version}};
  return json;
}

void decode_plain(const Json& json, Manifest& manifest) {
  if (const int format = json.at("bkp_manifest").get<int>(); format != kFormat)
    throw Error(
        ErrorCode::failed,
        "the manifest has format " + std::to_string(format) + ", which this bkp does not know",
        "install the bkp that wrote it, or a newer one");
  manifest.id = parse_uuid(json.at("id"));
  manifest.type = parse_backup_type(json.at("type").get<std::string>());
  manifest.cluster = json.at("cluster").get<std::string>();
  manifest.cluster_uuid = parse_uuid(json.at("cluster_uuid"));
  manifest.system_identifier = json.at("system_identifier").get<std::string>();
  manifest.created_at = parse_rfc3339(json.at("created_at").get<std::string>());
  manifest.completed_at = parse_rfc3339(json.at("completed_at").get<std::string>());
  manifest.codec = parse_codec(json.at("codec").get<std::string>());
  manifest.compression = json.at("compression").get<std::string>();
  manifest.suite = parse_suite(json.at("cipher").get<std::string>());
  for (const Json& entry : json.at("objects"))
    manifest.objects.push_back(
        {entry.at("name").get<std::string>(), entry.at("size_bytes").get<std::uint64_t>(),
         parse_digest(entry.at("sha256")), decode_slots_json(entry.at("slots"))});
  const Json& versions = json.at("versions");
  manifest.bkp_version = versions.at("bkp").get<std::string>();
  manifest.server_version = versions.at("server").get<std::string>();
  manifest.tool_version = versions.at("tool").get<std::string>();
  manifest.archive_version = versions.at("archive").get<std::string>();
}

// What people typed may be of any bytes; a name that is not as it was cannot be compared later.
std::string readable(const std::string& text) {
  const std::string json = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json::parse(json).get<std::string>();
}

std::string json_text(const Json& json) {
  try {
    return json.dump();
  } catch (const Json::exception&) {
    throw Error(
        ErrorCode::failed,
        "a table, column or role has a name that is not UTF-8, which a manifest cannot hold",
        "rename it; databases of encoding SQL_ASCII allow such names");
  }
}

Json encode_sealed(const Manifest& manifest) {
  Json json;
  json["database"] = manifest.database;
  json["tenant"] = manifest.tenant;
  json["plain_size_bytes"] = manifest.plain_size;
  json["plain_checksum"] = to_hex(manifest.plain_sha256);
  Json tables = Json::array();
  for (const ManifestTable& table : manifest.tables) {
    Json entry = {{"schema", table.schema},    {"name", table.name},   {"columns", table.columns},
                  {"rows", table.rows},        {"bytes", table.bytes}, {"digest", table.digest},
                  {"at_least", table.at_least}};
    tables.push_back(std::move(entry));
  }
  json["tables"] = std::move(tables);
  json["large_objects"] = {{"count", manifest.large_objects},
                           {"bytes", manifest.large_object_bytes},
                           {"digest", manifest.large_object_digest}};
  json["note"] = readable(manifest.note);
  json["created_by"] = readable(manifest.created_by);
  json["host"] = manifest.host;
  json["job_id"] = manifest.job_id;
  json["properties"] = Json::parse(manifest.properties);
  json["storages"] = Json::parse(manifest.storages);
  json["owners"] = manifest.owners;
  json["details"] = Json::parse(manifest.details);
  return json;
}

void decode_sealed(const Json& json, Manifest& manifest) {
  manifest.database = json.at("database").get<std::string>();
  manifest.tenant = json.at("tenant").get<std::string>();
  manifest.plain_size = json.at("plain_size_bytes").get<std::uint64_t>();
  manifest.plain_sha256 = parse_digest(json.at("plain_checksum"));
  for (const Json& entry : json.at("tables"))
    manifest.tables.push_back(
        {entry.at("schema").get<std::string>(), entry.at("name").get<std::string>(),
         entry.at("columns").get<std::string>(), entry.at("rows").get<std::uint64_t>(),
         entry.at("bytes").get<std::uint64_t>(), entry.at("digest").get<std::string>(),
         entry.at("at_least").get<bool>()});
  const Json& large = json.at("large_objects");
  manifest.large_objects = large.at("count").get<std::uint64_t>();
  manifest.large_object_bytes = large.at("bytes").get<std::uint64_t>();
  manifest.large_object_digest = large.at("digest").get<std::string>();
  manifest.note = json.at("note").get<std::string>();
  manifest.created_by = json.at("created_by").get<std::string>();
  manifest.host = json.at("host").get<std::string>();
  manifest.job_id = json.at("job_id").get<std::string>();
  manifest.properties = json.at("properties").dump();
  manifest.storages = json.at("storages").dump();
  manifest.owners = json.at("owners").get<std::vector<std::string>>();
  manifest.details = json.at("details").dump();
}

// What the sealed part is bound to, so that it does not open inside another backup's manifest.
Bytes seal_context(const Manifest& manifest) {
  Bytes context;
  append(context, manifest.cluster_uuid.bytes);
  append(context, manifest.id.bytes);
  return context;
}

// Whatever goes wrong inside is damage to the manifest.
template <typename Work>
void strictly(Work work) {
  try {
    work();
  } catch (const Json::exception& error) {
    throw damaged_manifest(error.what());
  } catch (const Error& error) {
    const bool newer = error.code() == ErrorCode::failed && !error.hint().empty();
    if (newer || error.code() == ErrorCode::integrity) throw;
    throw damaged_manifest(error.message());
  }
}

}  // namespace

std::uint64_t Manifest::stored_size() const {
  std::uint64_t total = 0;
  for (const StoredObject& object : objects) total += object.size;
  return total;
}

std::string Manifest::checksum() const {
  if (objects.size() == 1) return to_hex(objects.front().sha256);
  Sha256 all;
  for (const StoredObject& object : objects) all.update(object.sha256);
  return to_hex(all.finish());
}

std::string encode_manifest(const Manifest& manifest, const KeyRing& keys) {
  const Key256 key = random_key();
  Json json = encode_plain(manifest);
  json["slots"] = encode_slots_json(keys.slots_for(key));
  json["sealed"] =
      to_base64(seal_box(derive_key(key, "bkp v1 manifest seal"),
                         as_bytes(json_text(encode_sealed(manifest))), seal_context(manifest)));
  std::string body = with_mac(key, json.dump());
  if (body.size() > kMaxManifest)
    throw Error(ErrorCode::failed, "the manifest of " + std::to_string(manifest.tables.size()) +
                                       " tables would be longer than a manifest may be");
  return body;
}

Manifest decode_manifest(std::string_view text, const KeyRing& keys) {
  Manifest manifest;
  std::string_view digits;
  std::string_view body;
  Json json;
  std::vector<KeySlot> slots;
  strictly([&] {
    body = split_mac(text, digits);
    json = Json::parse(std::string(body) + "}");
    decode_plain(json, manifest);
    slots = decode_slots_json(json.at("slots"));
  });
  const Key256 key = keys.unwrap(slots);  // outside: a key that is not here is no damage
  strictly([&] {
    if (!mac_matches(key, body, digits))
      throw damaged_manifest("its HMAC does not match, it was changed");
    const Bytes sealed = from_base64(json.at("sealed").get<std::string>());
    const Bytes opened =
        open_box(derive_key(key, "bkp v1 manifest seal"), sealed, seal_context(manifest));
    decode_sealed(Json::parse(as_text(opened)), manifest);
  });
  return manifest;
}

Manifest decode_manifest_plain(std::string_view text) {
  Manifest manifest;
  strictly([&] {
    std::string_view digits;
    const std::string_view body = split_mac(text, digits);
    decode_plain(Json::parse(std::string(body) + "}"), manifest);
  });
  return manifest;
}

}  // namespace bkp
