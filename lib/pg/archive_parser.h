// The push half of the archive reader: pg_dump's custom format, byte by byte, in bounded memory.
//
//   header: "PGDMP", version (3 bytes), sizes of integer and offset, format (1), compression,
//           time (7 integers), database, server's version, pg_dump's version
//   table of contents: count, entries
//   blocks: type (1: table data, 3: large objects), entry id, then for each stretch of data (the
//           table's, or after its oid each large object's, until oid 0) chunks of length and
//           bytes, until length 0
//   integers are a sign byte and 4 bytes, least significant first; texts a length (negative: none)
//   and bytes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "crypto/digest.h"
#include "pg/archive_reader.h"
#include "pg/row_scanner.h"

namespace bkp {

// Who wants to know what is in an archive, not only how much. Called from feed(); what it throws
// comes out of there.
class ArchiveListener {
 public:
  virtual ~ArchiveListener() = default;
  // The table of contents is complete, with its entries.
  virtual void on_contents(const ArchiveContents& contents) = 0;
  // The rows of the entry `id`, as COPY text in pieces of any size, the line `\.` included.
  virtual void begin_rows(std::int64_t id, const TableData& table) = 0;
  virtual void rows(ByteView piece) = 0;
  virtual void end_rows() = 0;
};

class ArchiveParser {
 public:
  explicit ArchiveParser(Digests digests, ArchiveListener* listener = nullptr);

  // The next bytes of the archive. Throws Error(integrity) at the first that cannot be there.
  void feed(ByteView data);
  // The archive's end. Throws Error(integrity) where it cannot end.
  void finish();

  const ArchiveContents& contents() const { return contents_; }
  // "schema.name" while its rows flow.
  std::string current_table() const;

 private:
  // In the order in which they come; see follow() for where that is not the next one.
  enum class Step {
    magic,
    major,
    minor,
    revision,
    integer_size,
    offset_size,
    format,
    compression,
    second,
    minute,
    hour,
    day,
    month,
    year,
    summer_time,
    database,
    server_version,
    dump_version,
    count,
    entry_id,
    has_data,
    table_oid,
    oid,
    tag,
    kind,
    section,
    definition,
    drop,
    copy,
    schema,
    tablespace,
    access_method,
    relation_kind,
    owner,
    with_oids,
    dependency,
    offset_state,
    offset,
    block_type,
    block_entry,
    large_object,
    chunks,
  };
  // What a step reads.
  enum class Token { bytes, integer, text };

  // An entry that announced data.
  struct DataEntry {
    bool seen = false;
    bool large_objects = false;
    std::size_t table = 0;  // index into contents_.tables
  };

  // One entry of the table of contents, as far as it matters here.
  struct Entry {
    std::int64_t id = 0;
    bool has_data = false;
    std::string kind, copy, owner;
    std::string tag, schema;  // for a listener only, as depends_on
    std::vector<std::int64_t> depends_on;
  };

  void begin(Step step);
  Token token_of(Step step) const;
  bool kept(Step step) const;
  void take_fixed(ByteView& data);
  void take_text(ByteView& data);
  void take_chunks(ByteView& data);
  std::optional<std::int64_t> chunk_length(ByteView& data);

  void on_bytes();
  void on_integer(std::int64_t value);
  void on_text();
  void set_encoding();
  void keep_entry();
  void follow();
  void check_header_byte(unsigned value);
  void end_of_entry();
  void begin_block(std::int64_t entry);
  void on_chunk(ByteView piece);
  void end_of_stretch();

  std::int64_t integer(const std::byte* at) const;
  [[noreturn]] void damaged(std::string_view what) const;

  ArchiveContents contents_;
  Step step_ = Step::magic;
  std::uint64_t offset_ = 0;  // of the first byte not yet taken

  std::array<std::byte, 8> fixed_{};  // the token being collected
  std::size_t fixed_have_ = 0;
  std::size_t fixed_need_ = 0;
  bool in_text_ = false;
  bool text_is_null_ = false;
  std::uint64_t text_left_ = 0;
  std::string text_;

  std::int64_t entries_left_ = 0;
  Entry entry_;
  std::map<std::int64_t, DataEntry> data_;
  std::map<std::pair<std::string, std::string>, std::size_t> table_by_name_;

  DataEntry* block_ = nullptr;  // whose data flow
  bool large_objects_block_ = false;
  std::uint64_t chunk_left_ = 0;
  std::uint32_t large_object_ = 0;
  std::optional<Sha256> large_object_sha_;
  Digests digests_;
  ArchiveListener* listener_;
  RowScanner rows_;
};

// Schema, name and columns of "COPY schema.name (columns) FROM stdin;"; nullopt for anything else.
std::optional<TableData> parse_copy_statement(std::string_view statement);

}  // namespace bkp
