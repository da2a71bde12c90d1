#include "repo/layout.h"

#include <fmt/format.h>

#include <array>

namespace bkp {
namespace {

// The extension between codec and stem tells people what the plain bytes are.
std::string_view content_extension(BackupType type) {
  switch (type) {
    case BackupType::full_database:
      return ".dump";
    case BackupType::tenant_backup:
      return ".tenant";
    case BackupType::base:
      return ".base";
    case BackupType::configuration:
      return ".tar";
  }
  return "";
}

constexpr std::string_view kManifest = ".manifest.json";
constexpr std::string_view kHeartbeat = ".inprogress.json";
constexpr std::string_view kHold = ".hold.json";
constexpr std::array kTypes = {BackupType::full_database, BackupType::tenant_backup,
                               BackupType::base, BackupType::configuration};

bool ends_with_hex8(std::string_view text) {
  if (text.size() < 9 || text[text.size() - 9] != '_') return false;
  return text.substr(text.size() - 8).find_first_not_of("0123456789abcdef") ==
         std::string_view::npos;
}

}  // namespace

std::string cluster_file_name(std::string_view cluster) {
  return std::string(cluster) + "/cluster.json";
}

std::string type_directory(BackupType type) {
  switch (type) {
    case BackupType::full_database:
      return "full_database";
    case BackupType::tenant_backup:
      return "tenant";
    case BackupType::base:
      return "base";
    case BackupType::configuration:
      return "configuration";
  }
  return "";
}

std::string type_prefix(std::string_view cluster, BackupType type) {
  return fmt::format("{}/{}/", cluster, type_directory(type));
}

std::string backup_stem(std::string_view cluster, BackupType type, TimePoint created,
                        const Uuid& id) {
  const std::string stamp = format_file_stamp(created);
  return fmt::format("{}{}/{}/backup_{}_{}_{}", type_prefix(cluster, type), stamp.substr(0, 4),
                     stamp.substr(4, 2), type_directory(type), stamp, id.short_text());
}

std::string data_name(std::string_view stem, BackupType type, Codec codec, unsigned part) {
  std::string name =
      fmt::format("{}{}{}.enc", stem, content_extension(type), codec_extension(codec));
  if (part > 1) name += fmt::format(".{}", part);
  return name;
}

std::string manifest_name(std::string_view stem) { return fmt::format("{}{}", stem, kManifest); }

std::string heartbeat_name(std::string_view stem) { return fmt::format("{}{}", stem, kHeartbeat); }

std::string hold_name(std::string_view stem) { return fmt::format("{}{}", stem, kHold); }

std::string stem_of(std::string_view object_name) {
  const std::size_t slash = object_name.rfind('/');
  if (slash == std::string_view::npos) return {};
  const std::size_t dot = object_name.find('.', slash);
  if (dot == std::string_view::npos) return {};
  const std::string_view stem = object_name.substr(0, dot);
  const std::string_view file = stem.substr(slash + 1);
  for (const BackupType type : kTypes)
    if (file.starts_with("backup_" + type_directory(type) + "_") && ends_with_hex8(file))
      return std::string(stem);
  return {};
}

ObjectRole role_of(std::string_view object_name) {
  if (stem_of(object_name).empty()) return ObjectRole::foreign;
  if (object_name.ends_with(kManifest)) return ObjectRole::manifest;
  if (object_name.ends_with(kHeartbeat)) return ObjectRole::heartbeat;
  if (object_name.ends_with(kHold)) return ObjectRole::hold;
  return ObjectRole::data;
}

}  // namespace bkp
