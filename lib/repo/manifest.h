// The manifest: the object beside a backup's data, written last and removed first; without one
// there is no backup. The same bytes in every storage. Specified in bkp-repository(5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "catalog/records.h"
#include "crypto/container.h"
#include "crypto/key.h"

namespace bkp {

// One data object, as stored in each storage.
struct StoredObject {
  std::string name;
  std::uint64_t size = 0;      // stored bytes
  Digest256 sha256{};          // of the stored bytes
  std::vector<KeySlot> slots;  // win over the object's own
  friend bool operator==(const StoredObject&, const StoredObject&) = default;
};

struct ManifestTable {
  std::string schema;
  std::string name;
  std::string columns;  // of its COPY statement
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::string digest;     // hexadecimal; empty: not taken
  bool at_least = false;  // extension configuration: a restore may hold more
  friend bool operator==(const ManifestTable&, const ManifestTable&) = default;
};

struct Manifest {
  // In plain: enough to check a copy without the key.
  Uuid id;
  BackupType type = BackupType::full_database;
  std::string cluster;
  Uuid cluster_uuid;
  std::string system_identifier;  // decimal; empty where the role may not read it
  TimePoint created_at;
  TimePoint completed_at;
  Codec codec = Codec::gzip;
  std::string compression;  // "gzip:9"
  Suite suite = Suite::aes_256_gcm;
  std::vector<StoredObject> objects;
  std::string bkp_version;
  std::string server_version;   // "15.20"
  std::string tool_version;     // pg_dump's
  std::string archive_version;  // "1.14"

  // Sealed: what tells about customers.
  std::string database;
  std::string tenant;
  std::uint64_t plain_size = 0;
  Digest256 plain_sha256{};
  std::vector<ManifestTable> tables;
  std::uint64_t large_objects = 0;
  std::uint64_t large_object_bytes = 0;
  std::string large_object_digest;
  std::string note;
  std::string created_by;
  std::string host;
  std::string job_id;
  std::string properties = "{}";    // JSON: the database's properties
  std::string storages = "[]";      // JSON: storage definitions without secrets
  std::vector<std::string> owners;  // roles that the archive's entries belong to
  std::string details = "{}";       // JSON: what later kinds of backup add

  std::uint64_t stored_size() const;
  // SHA-256 of the stored bytes; of several objects: of their digests in order.
  std::string checksum() const;
};

// The longest manifest: that of some two million tables.
inline constexpr std::size_t kMaxManifest = std::size_t{1} << 30;

// JSON bytes whose last field is an HMAC-SHA256 over all before it, under a key of the manifest's
// own that `keys` wraps. Throws Error(failed) for one that could not be read again.
std::string encode_manifest(const Manifest& manifest, const KeyRing& keys);
// Strict. Throws Error(integrity) when the text is not a manifest, was changed, or does not open.
Manifest decode_manifest(std::string_view text, const KeyRing& keys);
// The plain part alone, unproved: for copies whose key is elsewhere.
Manifest decode_manifest_plain(std::string_view text);

}  // namespace bkp
