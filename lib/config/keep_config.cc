#include "config/keep_config.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"

namespace bkp {

namespace {

constexpr std::string_view kKinds[] = {"dump", "tenant", "configuration", "base", "wal"};

KeepConfig& keep_of(StorageKeep& keep, std::string_view kind) {
  if (kind == "dump") return keep.dump;
  if (kind == "tenant") return keep.tenant;
  if (kind == "configuration") return keep.configuration;
  return kind == "base" ? keep.base : keep.wal;
}

StorageKeep default_keep(StorageType type) {
  using std::chrono::days;
  const bool local = type == StorageType::local;
  const KeepConfig logical{days(local ? 30 : 365), 0};
  return {logical, logical, logical, {days(local ? 8 : 31), 0}, {days(local ? 7 : 30), 0}};
}

std::optional<std::chrono::seconds> parse_keep(const std::string& text) {
  if (text == "forever") return std::nullopt;
  const std::chrono::seconds age = parse_duration(text);
  if (age < std::chrono::hours(1))
    throw Error(ErrorCode::usage, fmt::format("'{}' is less than an hour", text),
                "'m' means minutes; write days such as \"30d\", or \"forever\"");
  return age;
}

}  // namespace

StorageKeep read_keep(const TomlTable& storage, StorageType type) {
  StorageKeep result = default_keep(type);
  if (const auto keep = storage.table("keep", kKinds))
    for (const std::string_view kind : kKinds)
      if (const auto age = keep->parsed<std::optional<std::chrono::seconds>>(kind, parse_keep))
        keep_of(result, kind).age = *age;
  const std::string_view counted[] = {"dump", "tenant", "configuration", "base"};
  if (const auto last = storage.table("keep_last", counted))
    for (const std::string_view kind : counted)
      if (const auto count = last->integer(kind)) {
        if (*count < 0 || *count > 100000)
          throw last->error_at(kind, fmt::format("'{}' must be 0 to 100000", kind));
        keep_of(result, kind).last = static_cast<unsigned>(*count);
      }
  return result;
}

}  // namespace bkp
