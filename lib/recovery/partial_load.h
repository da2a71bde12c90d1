// A part of an archive into a database, in one transaction that is left open for the proof.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pg/archive_parser.h"
#include "pg/connection.h"
#include "pg/copy_stream.h"
#include "policy/table_order.h"
#include "recovery/partial_selection.h"
#include "stream/file_stream.h"

namespace bkp {

struct PartialPattern {
  std::vector<std::string> tables;   // pg_dump's patterns
  std::vector<std::string> schemas;  // names
  PartialContent content = PartialContent::all;
};

// A Sink that takes the archive as it comes. Once the table of contents is there, it finds what is
// wanted, refuses what would collide, begins the transaction and creates what belongs before the
// rows; rows go in as they pass; finish() adds the rest. Nothing is committed: commit() does it.
class PartialLoad final : public Sink, private ArchiveListener {
 public:
  struct Options {
    PartialPattern wanted;
    std::filesystem::path tools;
    std::filesystem::path spool_dir;  // for the table of contents; with rows alone for the rows too
    std::string target;               // the database's name, for messages
  };
  PartialLoad(PgConnection& connection, Options options);
  ~PartialLoad() override;

  void write(ByteView data) override;
  void finish() override;
  void commit();

  // Tables that got rows, and how many each had before (0 for new ones).
  struct Loaded {
    TableData table;
    std::uint64_t before = 0;
  };
  const std::vector<Loaded>& loaded() const { return loaded_; }
  std::size_t objects() const { return selection_.entries.size(); }

 private:
  void on_contents(const ArchiveContents& contents) override;
  void begin_rows(std::int64_t id, const TableData& table) override;
  void rows(ByteView piece) override;
  void end_rows() override;

  std::set<std::int64_t> chosen_relations(const std::vector<ArchiveEntry>& entries);
  void require_schemas(const std::vector<ArchiveEntry>& entries) const;
  void require_no_collision() const;
  void run_section(const std::string& section);
  std::string copy_statement(const TableData& table) const;
  void load_spooled();
  void note_loaded(const TableData& table);
  std::vector<TableReference> references() const;

  struct SpooledRows {
    TableData table;
    std::unique_ptr<SpoolFile> file;
  };

  PgConnection& connection_;
  Options options_;
  ArchiveParser parser_;
  SpoolFile head_file_;
  std::shared_ptr<Fd> head_;
  std::string encoding_;
  std::vector<ArchiveEntry> entries_;
  PartialSelection selection_;
  std::unique_ptr<CopyIn> copy_;
  std::vector<SpooledRows> spooled_;
  SpoolFile* spool_ = nullptr;  // of the rows that flow
  bool rows_alone_ = false;
  std::vector<Loaded> loaded_;
};

}  // namespace bkp
