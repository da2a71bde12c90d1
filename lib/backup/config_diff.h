// What has changed on a host and in its server since a configuration snapshot.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backup/configuration.h"
#include "backup/context.h"
#include "base/fd.h"

namespace bkp {

struct ConfigurationChange {
  enum class Kind { added, removed, changed } kind = Kind::changed;
  std::string path;  // as shown_path(), any bytes
  // Of a changed one: "content, 120 → 130 bytes", "mode 0644 → 0600"; of what the server says each
  // member: "work_mem: setting \"4096\" → \"8192\"". Never the content of a file.
  std::vector<std::string> what;
};

// By path. Times do not count.
std::vector<ConfigurationChange> compare_configurations(const Configuration& before,
                                                        const Configuration& after);

// The members that differ between two JSON files of the server's; empty where one cannot be read.
std::vector<std::string> compare_server_files(std::string_view before, std::string_view after);

// The archive of a snapshot, proved against its manifest, in a private file without a name.
// `result` (may be null) gets where it came from. Throws Error.
Fd fetch_archive(Context& context, const Manifest& manifest, const std::vector<std::string>& order,
                 GetResult* result);

}  // namespace bkp
