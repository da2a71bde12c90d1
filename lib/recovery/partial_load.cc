#include "recovery/partial_load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/units.h"
#include "pg/name.h"
#include "pg/object_lookup.h"
#include "pg/text_session.h"
#include "pg/tools.h"
#include "stream/process.h"

namespace bkp {
namespace {

constexpr std::size_t kNamed = 10;
constexpr std::size_t kLongestScript = std::size_t{1} << 30;

std::string full_name(const ArchiveEntry& entry) {
  return entry.schema.empty() ? quoted_name(entry.tag) : qualified_name(entry.schema, entry.tag);
}

// A file with a name, for a program that wants one; it holds no data of anybody.
class NamedFile {
 public:
  NamedFile(const std::filesystem::path& directory, const std::string& text)
      : path_((directory / "bkp-list-XXXXXX").string()) {
    const Fd file(::mkostemp(path_.data(), O_CLOEXEC));
    if (!file) throw_errno("cannot create a file in '" + directory.string() + "'");
    write_all(file.get(), as_bytes(text), path_);
  }
  ~NamedFile() { ::unlink(path_.c_str()); }
  NamedFile(const NamedFile&) = delete;
  NamedFile& operator=(const NamedFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::shared_ptr<Fd> duplicate(const Fd& file) {
  auto copy = std::make_shared<Fd>(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
  if (!*copy) throw_errno("cannot duplicate a descriptor");
  return copy;
}

// What pg_restore writes for psql alone (\restrict), and settings that this server does not know,
// up to the first object.
std::string for_server(std::string script, int major) {
  std::string out;
  bool preamble = true;
  std::string key;
  for (std::size_t at = 0; at < script.size();) {
    const std::size_t end = std::min(script.find('\n', at), script.size() - 1) + 1;
    const std::string_view line = std::string_view(script).substr(at, end - at);
    at = end;
    if (preamble && line.starts_with("\\restrict ")) {
      key = line.substr(10);
      continue;
    }
    if (!key.empty() && line == "\\unrestrict " + key) continue;
    if (line.starts_with("-- Name: ")) preamble = false;
    if (preamble && major < 17 && line.starts_with("SET transaction_timeout")) continue;
    out += line;
  }
  return out;
}

template <typename List, typename Text>
std::string named(const List& list, Text text) {
  std::string out;
  for (std::size_t i = 0; i < list.size() && i < kNamed; ++i)
    out += (i == 0 ? "" : ", ") + text(list[i]);
  if (list.size() > kNamed) out += fmt::format(" and {} more", list.size() - kNamed);
  return out;
}

}  // namespace

PartialLoad::PartialLoad(PgConnection& connection, Options options)
    : connection_(connection),
      options_(std::move(options)),
      parser_(Digests::no, this),
      head_file_(options_.spool_dir) {}

PartialLoad::~PartialLoad() = default;

void PartialLoad::write(ByteView data) {
  if (entries_.empty()) head_file_.write(data);
  parser_.feed(data);
}

void PartialLoad::finish() {
  parser_.finish();
  load_spooled();
  run_section("data");
  run_section("post-data");
}

void PartialLoad::commit() { connection_.execute("COMMIT"); }

void PartialLoad::on_contents(const ArchiveContents& contents) {
  entries_ = contents.entries;
  encoding_ = contents.encoding;
  head_ = head_file_.take();
  connection_.execute("BEGIN");
  set_text_session(connection_);
  require_schemas(entries_);
  PartialWish wish;
  wish.relations = chosen_relations(entries_);
  wish.schemas.insert(options_.wanted.schemas.begin(), options_.wanted.schemas.end());
  wish.everything = options_.wanted.tables.empty() && options_.wanted.schemas.empty();
  wish.content = options_.wanted.content;
  selection_ = select_entries(
      entries_, wish, [&](const ArchiveEntry& entry) { return object_exists(connection_, entry); });
  require_no_collision();
  rows_alone_ = wish.content == PartialContent::data;
  run_section("pre-data");
}

std::set<std::int64_t> PartialLoad::chosen_relations(const std::vector<ArchiveEntry>& entries) {
  std::vector<const ArchiveEntry*> relations;
  for (const ArchiveEntry& entry : entries)
    if (is_relation(entry)) relations.push_back(&entry);
  std::set<std::int64_t> chosen;
  for (const std::string& pattern : options_.wanted.tables) {
    const auto found = matching_entries(connection_, relations, pattern);
    for (const ArchiveEntry* entry : found) chosen.insert(entry->id);
    if (!found.empty()) continue;
    std::vector<std::string> names;
    for (const ArchiveEntry* entry : relations) {
      names.push_back(entry->tag);
      names.push_back(entry->schema + "." + entry->tag);
    }
    const std::string near = nearest_word(pattern, names.data(), names.size());
    throw Error(ErrorCode::usage, fmt::format("no table in the backup matches '{}'", pattern),
                near.empty() ? "'bkp show ID --tables' lists them"
                             : fmt::format("did you mean '{}'?", near));
  }
  return chosen;
}

void PartialLoad::require_schemas(const std::vector<ArchiveEntry>& entries) const {
  std::vector<std::string> names;
  for (const ArchiveEntry& entry : entries) {
    if (entry.kind == "SCHEMA") names.push_back(entry.tag);
    if (!entry.schema.empty()) names.push_back(entry.schema);
  }
  for (const std::string& schema : options_.wanted.schemas) {
    if (std::find(names.begin(), names.end(), schema) != names.end()) continue;
    const std::string near = nearest_word(schema, names.data(), names.size());
    throw Error(ErrorCode::usage, fmt::format("no schema '{}' in the backup", schema),
                near.empty() ? "" : fmt::format("did you mean '{}'?", near));
  }
}

void PartialLoad::require_no_collision() const {
  const auto of = [](const ArchiveEntry* entry) {
    return fmt::format("{} {}", entry->kind, full_name(*entry));
  };
  if (!selection_.existing.empty())
    throw Error(ErrorCode::usage,
                fmt::format("in '{}' there is already: {}", options_.target,
                            named(selection_.existing, of)),
                "drop or rename it first, add only rows with --data-only, or restore into another "
                "database");
  if (!selection_.absent.empty())
    throw Error(ErrorCode::usage,
                fmt::format("'{}' lacks {}, which rows are to be added to", options_.target,
                            named(selection_.absent, of)),
                "without --data-only the tables are created too");
  if (!selection_.missing.empty())
    throw Error(ErrorCode::usage,
                fmt::format("'{}' lacks what chosen objects need: {}", options_.target,
                            named(selection_.missing,
                                  [](const MissingRelation& each) {
                                    return fmt::format("{} (for {})", each.name, each.needed_by);
                                  })),
                "name it in --tables too");
  if (selection_.entries.empty())
    throw Error(ErrorCode::usage, "nothing of the backup is chosen by these options");
}

// pg_restore knows how to write each kind of object; the table of contents is all it needs.
void PartialLoad::run_section(const std::string& section) {
  std::set<std::int64_t> listed = selection_.entries;
  for (const ArchiveEntry& entry : entries_)
    if (entry.has_data) listed.erase(entry.id);
  if (listed.empty()) return;
  const NamedFile list(options_.spool_dir, list_file(entries_, listed));
  const std::string script = for_server(
      run_for_output(script_process(options_.tools, section, list.path(), duplicate(*head_)),
                     kLongestScript),
      connection_.major());
  // The text arrives in the archive's encoding, which has to be known before it does.
  connection_.execute("SET client_encoding TO " + connection_.quote_literal(encoding_));
  try {
    connection_.execute(script);
  } catch (const Error& error) {
    throw error.within(
        fmt::format("cannot restore into '{}' ({} objects)", options_.target, section));
  }
  connection_.execute("SET client_encoding TO 'UTF8'");
  set_text_session(connection_);
}

std::string PartialLoad::copy_statement(const TableData& table) const {
  return fmt::format("COPY {} {} FROM STDIN (ENCODING {})",
                     qualified_name(table.schema, table.name), table.copy_columns,
                     connection_.quote_literal(encoding_));
}

void PartialLoad::note_loaded(const TableData& table) {
  const bool again = std::any_of(loaded_.begin(), loaded_.end(), [&](const Loaded& other) {
    return other.table.schema == table.schema && other.table.name == table.name;
  });
  if (again) return;  // partitions that come through their root
  const std::string name = qualified_name(table.schema, table.name);
  loaded_.push_back({table, std::stoull(connection_.query_value("SELECT count(*) FROM " + name))});
}

void PartialLoad::begin_rows(std::int64_t id, const TableData& table) {
  if (!selection_.entries.contains(id)) return;
  note_loaded(table);
  if (!rows_alone_) {
    copy_ = std::make_unique<CopyIn>(connection_, copy_statement(table));
    return;
  }
  spooled_.push_back({table, std::make_unique<SpoolFile>(options_.spool_dir)});
  spool_ = spooled_.back().file.get();
}

void PartialLoad::rows(ByteView piece) {
  if (copy_) copy_->write(piece);
  if (spool_) spool_->write(piece);
}

void PartialLoad::end_rows() {
  spool_ = nullptr;
  if (!copy_) return;
  copy_->finish();
  copy_.reset();
}

std::vector<TableReference> PartialLoad::references() const {
  const auto index = [&](const PgRow& row, std::size_t at) {
    return std::find_if(spooled_.begin(), spooled_.end(), [&](const SpooledRows& rows) {
      return rows.table.schema == row.at(at) && rows.table.name == row.at(at + 1);
    });
  };
  std::vector<TableReference> found;
  for (const PgRow& row : connection_.query(R"(
SELECT cn.nspname, c.relname, pn.nspname, p.relname
FROM pg_constraint JOIN pg_class AS c ON c.oid = conrelid JOIN pg_namespace AS cn ON cn.oid = c.relnamespace
     JOIN pg_class AS p ON p.oid = confrelid JOIN pg_namespace AS pn ON pn.oid = p.relnamespace
WHERE contype = 'f')")) {
    const auto child = index(row, 0), parent = index(row, 2);
    if (child != spooled_.end() && parent != spooled_.end() && child != parent)
      found.push_back({static_cast<std::size_t>(child - spooled_.begin()),
                       static_cast<std::size_t>(parent - spooled_.begin())});
  }
  return found;
}

// The foreign keys are there already: parents go first.
void PartialLoad::load_spooled() {
  for (const std::vector<std::size_t>& group : order_tables(spooled_.size(), references()).groups)
    for (const std::size_t i : group) {
      SpooledRows& rows = spooled_.at(i);
      const std::shared_ptr<Fd> file = rows.file->take();
      if (::lseek(file->get(), 0, SEEK_SET) != 0) throw_errno("cannot read a spool file");
      FileSource source(std::move(*file), "spooled rows");
      CopyIn into(connection_, copy_statement(rows.table));
      copy(source, into);
    }
}

}  // namespace bkp
