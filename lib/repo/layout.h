// The names of objects in a storage: bkp-repository(5).
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/uuid.h"
#include "catalog/records.h"
#include "stream/codec.h"

namespace bkp {

std::string cluster_file_name(std::string_view cluster);             // "shop/cluster.json"
std::string type_directory(BackupType type);                         // "full_database"
std::string type_prefix(std::string_view cluster, BackupType type);  // "shop/full_database/"
// "shop/full_database/2026/11/backup_full_database_20261120_020000_1a2b3c4d": what the names of all
// objects of one backup start with.
std::string backup_stem(std::string_view cluster, BackupType type, TimePoint created,
                        const Uuid& id);
std::string data_name(std::string_view stem, BackupType type, Codec codec,
                      unsigned part);               // ….dump.gz.enc, ….dump.gz.enc.2
std::string manifest_name(std::string_view stem);   // ….manifest.json
std::string heartbeat_name(std::string_view stem);  // ….inprogress.json
std::string hold_name(std::string_view stem);       // ….hold.json

enum class ObjectRole { manifest, heartbeat, hold, data, foreign };
ObjectRole role_of(std::string_view object_name);
// The stem an object belongs to; empty for cluster.json, WAL and foreign objects.
std::string stem_of(std::string_view object_name);

}  // namespace bkp
