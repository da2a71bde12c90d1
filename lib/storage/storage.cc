#include "storage/storage.h"

#include <fmt/format.h>

#include <algorithm>

#include "stream/memory_stream.h"

namespace bkp {
namespace {

bool is_name_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-' || c == '/';
}

}  // namespace

bool is_object_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxObjectName || name.ends_with(kTemporarySuffix))
    return false;
  if (!std::all_of(name.begin(), name.end(), is_name_character)) return false;
  for (std::size_t from = 0; from <= name.size();) {
    const std::size_t slash = std::min(name.find('/', from), name.size());
    const std::string_view component = name.substr(from, slash - from);
    if (component.empty() || component == "." || component == "..") return false;
    from = slash + 1;
  }
  return true;
}

void check_object_name(std::string_view name) {
  if (!is_object_name(name))
    throw Error(ErrorCode::failed, fmt::format("'{}' cannot be the name of an object", name));
}

std::optional<Bytes> read_object(Storage& storage, std::string_view name, std::size_t limit) {
  const std::unique_ptr<Source> source = storage.open(name);
  if (!source) return std::nullopt;
  return read_all(*source, limit);
}

void write_object(Storage& storage, std::string_view name, ByteView content, IfExists if_exists) {
  CreateOptions options;
  options.expected_size = content.size();
  options.if_exists = if_exists;
  const std::unique_ptr<Sink> sink = storage.create(name, options);
  sink->write(content);
  sink->finish();
}

std::optional<Object> stat_object(Storage& storage, std::string_view name) {
  for (Object& object : storage.list(name))
    if (object.name == name) return std::move(object);
  return std::nullopt;
}

}  // namespace bkp
