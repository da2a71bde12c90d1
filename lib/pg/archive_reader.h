// Reads a pg_dump custom-format archive as it flows by: hands on every byte unchanged, and counts
// and digests the rows of every table on the way. Format: pg_backup_archiver.c and
// pg_backup_custom.c of PostgreSQL 14 to 18 (archive versions 1.14 to 1.16), uncompressed (-Z0).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "crypto/digest.h"
#include "stream/stream.h"

namespace bkp {

// One table's data in the archive. Partitions that pg_dump loads through their root (those by the
// hash of an enum) are one: the root.
struct TableData {
  std::string schema;
  std::string name;
  std::string copy_columns;  // the column list of its COPY statement, "(a, \"B\")", or empty
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;  // of the rows' COPY text, line ends included
  RowDigest digest;         // only if digests were asked for
};

// One line of the table of contents: an object of the database, or the data of one.
struct ArchiveEntry {
  std::int64_t id = 0;
  std::string kind;    // "TABLE", "TABLE DATA", "FK CONSTRAINT", …
  std::string schema;  // empty: none
  std::string tag;     // "orders", "orders orders_pkey", "f(integer, text)", "TABLE orders"
  std::string owner;
  bool has_data = false;
  std::vector<std::int64_t> depends_on;
  friend bool operator==(const ArchiveEntry&, const ArchiveEntry&) = default;
};

// All large objects together. digest: over "<oid>:<content's SHA-256 hex>" as one row each.
struct LargeObjectData {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  RowDigest digest;
};

// Names are UTF-8, whatever the archive's encoding; rows are digested as they are.
struct ArchiveContents {
  int version_major = 0, version_minor = 0;  // of the archive format, 1.14
  std::string server_version;                // "15.20 (Debian …)"
  std::string dump_version;
  std::string database;
  std::string encoding;           // "UTF8": of the archive's texts and rows
  std::vector<TableData> tables;  // every table whose data the archive has, in its order
  LargeObjectData large_objects;
  std::set<std::string> owners;                  // of any entry: roles a restore needs
  std::map<std::string, std::uint64_t> objects;  // entries by kind: "TABLE" → 12
  std::vector<ArchiveEntry> entries;             // in order; for an ArchiveListener only
};

enum class Digests { no, yes };

// read() throws Error(integrity) at the first byte that is not of the format, for a compressed
// archive, and when the input ends before the archive does. Not thread-safe.
class ArchiveReader final : public Source {
 public:
  ArchiveReader(Source& from, Digests digests);
  ~ArchiveReader() override;
  std::size_t read(std::span<std::byte> out) override;
  // Valid once read() returned 0.
  const ArchiveContents& contents() const;
  // The table whose rows flow by now, for progress; empty before and after.
  std::string current_table() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bkp
