#include "backup/configuration.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/utf8.h"

namespace bkp {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<FileType, std::string_view> kTypes[] = {{FileType::file, "file"},
                                                            {FileType::directory, "directory"},
                                                            {FileType::symlink, "symlink"},
                                                            {FileType::hard_link, "hard_link"}};

std::string_view type_name(FileType type) {
  for (const auto& [value, name] : kTypes)
    if (value == type) return name;
  throw Error(ErrorCode::failed, "unknown kind of file");
}

FileType parse_type(std::string_view name) {
  for (const auto& [value, known] : kTypes)
    if (known == name) return value;
  throw Error(ErrorCode::integrity, "unknown kind of file '" + std::string(name) + "'");
}

// A name may be of any bytes, a JSON text may not: those that are no UTF-8 are in base64.
void put_bytes(Json& json, const std::string& key, const std::string& bytes) {
  if (valid_utf8(bytes) == bytes)
    json[key] = bytes;
  else
    json[key + "_base64"] = to_base64(as_bytes(bytes));
}

std::string get_bytes(const Json& json, const std::string& key) {
  if (const auto text = json.find(key); text != json.end()) return text->get<std::string>();
  return to_string(from_base64(json.at(key + "_base64").get<std::string>()));
}

Digest256 parse_digest(const Json& value) {
  const Bytes bytes = from_hex(value.get<std::string>());
  Digest256 digest{};
  if (bytes.size() != digest.size())
    throw Error(ErrorCode::integrity, "a digest of the wrong length");
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

Json encode_entry(const ConfigurationEntry& entry) {
  const TarEntry& tar = entry.tar;
  Json json;
  put_bytes(json, "path", tar.path);
  json["type"] = type_name(tar.type);
  json["mode"] = tar.mode;
  json["uid"] = tar.uid;
  json["gid"] = tar.gid;
  put_bytes(json, "user", tar.user);
  put_bytes(json, "group", tar.group);
  json["mtime"] = tar.mtime;
  json["mtime_ns"] = tar.mtime_ns;
  if (tar.type == FileType::symlink || tar.type == FileType::hard_link)
    put_bytes(json, "link", tar.link);
  if (tar.type == FileType::file) {
    json["size_bytes"] = tar.size;
    json["sha256"] = to_hex(entry.sha256);
  }
  if (entry.secret)
    json["secret"] = {{"key_id", entry.secret->key_id.text()}, {"hmac", to_hex(entry.secret->mac)}};
  return json;
}

ConfigurationEntry decode_entry(const Json& json) {
  ConfigurationEntry entry;
  TarEntry& tar = entry.tar;
  tar.path = get_bytes(json, "path");
  tar.type = parse_type(json.at("type").get<std::string>());
  tar.mode = json.at("mode").get<unsigned>();
  tar.uid = json.at("uid").get<std::uint32_t>();
  tar.gid = json.at("gid").get<std::uint32_t>();
  tar.user = get_bytes(json, "user");
  tar.group = get_bytes(json, "group");
  tar.mtime = json.at("mtime").get<std::int64_t>();
  tar.mtime_ns = json.at("mtime_ns").get<std::uint32_t>();
  if (tar.type == FileType::symlink || tar.type == FileType::hard_link)
    tar.link = get_bytes(json, "link");
  if (tar.type == FileType::file) {
    tar.size = json.at("size_bytes").get<std::uint64_t>();
    entry.sha256 = parse_digest(json.at("sha256"));
  }
  if (const auto secret = json.find("secret"); secret != json.end()) {
    const std::optional<Uuid> id = Uuid::parse(secret->at("key_id").get<std::string>());
    if (!id) throw Error(ErrorCode::integrity, "a key's id that is none");
    entry.secret = {*id, parse_digest(secret->at("hmac"))};
  }
  return entry;
}

// Numbers and texts such that no two lists of them look the same.
class FieldHash {
 public:
  void add(std::uint64_t number) {
    Bytes bytes;
    append_be64(bytes, number);
    hash_.update(bytes);
  }
  void add(ByteView text) {
    add(text.size());
    hash_.update(text);
  }
  void add(std::string_view text) { add(as_bytes(text)); }
  Digest256 finish() { return hash_.finish(); }

 private:
  Sha256 hash_;
};

}  // namespace

std::string ConfigurationEntry::stored_path() const {
  return secret ? tar.path + std::string(kSealedEnding) : tar.path;
}

std::size_t Configuration::problems() const {
  return static_cast<std::size_t>(std::count_if(left_out.begin(), left_out.end(),
                                                [](const LeftOut& out) { return out.counted; }));
}

Digest256 Configuration::digest() const {
  FieldHash hash;
  for (const ConfigurationEntry& entry : entries) {
    const TarEntry& tar = entry.tar;
    hash.add(tar.path);
    hash.add(type_name(tar.type));
    for (const std::uint64_t number :
         {std::uint64_t{tar.mode}, std::uint64_t{tar.uid}, std::uint64_t{tar.gid}, tar.size})
      hash.add(number);
    for (const std::string& text : {tar.user, tar.group, tar.link}) hash.add(text);
    hash.add(entry.secret ? ByteView(entry.secret->key_id.bytes) : ByteView());
    hash.add(entry.secret ? ByteView(entry.secret->mac) : ByteView(entry.sha256));
  }
  return hash.finish();
}

std::string encode_configuration(const Configuration& configuration) {
  Json json;
  json["content_digest"] = to_hex(configuration.digest());
  json["problems"] = configuration.problems();
  json["left_out"] = Json::array();
  for (const LeftOut& out : configuration.left_out) {
    Json each;
    put_bytes(each, "path", out.path);
    each["reason"] = valid_utf8(out.reason);
    each["counted"] = out.counted;
    json["left_out"].push_back(std::move(each));
  }
  json["entries"] = Json::array();
  for (const ConfigurationEntry& entry : configuration.entries)
    json["entries"].push_back(encode_entry(entry));
  return Json{{"configuration", std::move(json)}}.dump();
}

Configuration decode_configuration(std::string_view details) {
  try {
    const Json json = Json::parse(details).at("configuration");
    Configuration configuration;
    for (const Json& out : json.at("left_out"))
      configuration.left_out.push_back({get_bytes(out, "path"), out.at("reason").get<std::string>(),
                                        out.at("counted").get<bool>()});
    for (const Json& entry : json.at("entries"))
      configuration.entries.push_back(decode_entry(entry));
    return configuration;
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::integrity,
                std::string("the manifest does not tell what the snapshot holds: ") + error.what());
  }
}

bool has_configuration(std::string_view details) {
  const Json json = Json::parse(details, nullptr, false);
  return json.is_object() && json.contains("configuration");
}

std::string shown_path(std::string_view archive_path) {
  const bool of_server = archive_path == kServerDirectory ||
                         archive_path.starts_with(std::string(kServerDirectory) + "/");
  return of_server ? std::string(archive_path) : "/" + std::string(archive_path);
}

}  // namespace bkp
