#include "pg/table_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <utility>

#include "base/error.h"
#include "pg/name.h"
#include "pg/text_session.h"
#include "stream/worker_pool.h"

namespace bkp {
namespace {

struct Relation {
  bool partitioned = false;
  std::uint64_t size = 0;
};
using Relations = std::map<std::pair<std::string, std::string>, Relation>;

Relations read_relations(PgConnection& connection) {
  Relations relations;
  for (const PgRow& row : connection.query(R"(
SELECT nspname, relname, relkind = 'p', coalesce(pg_table_size(c.oid), 0)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p', 'm', 'f') AND nspname !~ '^pg_(toast|temp)')"))
    relations[{row.at(0).value(), row.at(1).value()}] = {row.at(2) == "t",
                                                         std::stoull(row.at(3).value())};
  return relations;
}

// `encoding`: the database's, in which pg_dump writes too. Names are UTF-8.
std::string copy_statement(const TableData& table, bool partitioned, const std::string& encoding) {
  const std::string name = qualified_name(table.schema, table.name);
  const std::string to = fmt::format("TO STDOUT (ENCODING '{}')", encoding);
  if (!partitioned) return fmt::format("COPY {} {} {}", name, table.copy_columns, to);
  // COPY reads no partitioned table itself before version 19.
  const std::string& columns = table.copy_columns;
  return fmt::format("COPY (SELECT {} FROM {}) {}",
                     columns.size() > 2 ? columns.substr(1, columns.size() - 2) : "", name, to);
}

// The tables to read, taken by several connections one by one; the first failure stops them all.
class TableReader {
 public:
  using Work = std::vector<std::pair<Relation, TableData*>>;
  TableReader(Work work, Digests digests, std::string encoding)
      : work_(std::move(work)), digests_(digests), encoding_(std::move(encoding)) {}

  void run(PgConnection& connection) noexcept {
    try {
      for (std::size_t i = next_++; i < work_.size() && !failed_; i = next_++)
        read(connection, *work_[i].second, work_[i].first.partitioned);
    } catch (...) {
      fail(std::current_exception());
    }
  }

  void fail(std::exception_ptr error) noexcept {
    if (!failed_.exchange(true)) error_ = std::move(error);
  }

  // After every run() has ended.
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void read(PgConnection& connection, TableData& table, bool partitioned) {
    table.bytes = 0;
    table.digest = RowDigest();
    try {
      table.rows =
          connection.copy_out(copy_statement(table, partitioned, encoding_), [&](ByteView row) {
            if (failed_.load(std::memory_order_relaxed)) throw Error(ErrorCode::failed, "stopped");
            table.bytes += row.size() + 1;
            if (digests_ == Digests::yes) table.digest.add(row);
          });
    } catch (const Error& error) {
      throw error.within(
          fmt::format("cannot read table '{}'", qualified_name(table.schema, table.name)));
    }
  }

  Work work_;
  Digests digests_;
  std::string encoding_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
};

// Those that are there; the others are marked.
TableReader::Work work_of(std::vector<CheckedTable>& tables, const Relations& relations) {
  TableReader::Work work;
  for (CheckedTable& table : tables) {
    const auto found = relations.find({table.data.schema, table.data.name});
    table.missing = found == relations.end();
    if (!table.missing) work.emplace_back(found->second, &table.data);
  }
  return work;
}

constexpr std::uint64_t kWholeObject = 8 << 20;  // read and hashed by the server at once
constexpr std::uint64_t kPiece = 1 << 20;

// A large object in pieces, for one too long to be a value in the server.
std::string large_object_sha256(PgConnection& connection, const std::string& oid,
                                std::uint64_t& bytes) {
  Sha256 sha;
  for (bytes = 0;;) {
    const std::string hex =
        connection.query_value("SELECT encode(lo_get($1::oid, $2::bigint, $3::int), 'hex')",
                               {oid, std::to_string(bytes), std::to_string(kPiece)});
    if (hex.empty()) return to_hex(sha.finish());
    sha.update(from_hex(hex));
    bytes += hex.size() / 2;
  }
}

}  // namespace

std::vector<CheckedTable> check_tables(const std::string& conninfo, std::vector<TableData> tables,
                                       Digests digests, unsigned jobs) {
  std::vector<CheckedTable> checked;
  for (TableData& table : tables) checked.push_back({std::move(table), false});
  PgConnection first(conninfo);
  set_text_session(first);
  const Relations relations = read_relations(first);
  TableReader::Work work = work_of(checked, relations);
  std::stable_sort(work.begin(), work.end(),
                   [](const auto& a, const auto& b) { return a.first.size > b.first.size; });

  const std::size_t connections =
      std::clamp<std::size_t>(jobs, 1, std::max<std::size_t>(work.size(), 1));
  TableReader reader(std::move(work), digests, first.query_value("SHOW server_encoding"));
  {
    WorkerPool pool(static_cast<unsigned>(connections));
    std::vector<std::future<Bytes>> others;
    for (std::size_t i = 1; i < connections; ++i)
      others.push_back(pool.submit([&] {
        try {
          PgConnection connection(conninfo);
          set_text_session(connection);
          reader.run(connection);
        } catch (...) {
          reader.fail(std::current_exception());
        }
        return Bytes();
      }));
    reader.run(first);
    for (std::future<Bytes>& other : others) other.wait();
  }
  reader.rethrow();
  return checked;
}

std::vector<CheckedTable> check_tables(PgConnection& connection, std::vector<TableData> tables,
                                       Digests digests) {
  std::vector<CheckedTable> checked;
  for (TableData& table : tables) checked.push_back({std::move(table), false});
  set_text_session(connection);
  TableReader::Work work = work_of(checked, read_relations(connection));
  TableReader reader(std::move(work), digests, connection.query_value("SHOW server_encoding"));
  reader.run(connection);
  reader.rethrow();
  return checked;
}

LargeObjectData check_large_objects(const std::string& conninfo, Digests digests) {
  PgConnection connection(conninfo);
  set_text_session(connection);
  connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  LargeObjectData data;
  std::uint64_t last = 0;
  while (true) {
    const auto rows = connection.query(
        R"(
SELECT oid, length(start), CASE WHEN $3::bool THEN encode(sha256(start), 'hex') END
FROM (SELECT oid, lo_get(oid, 0, $2::int) AS start
      FROM (SELECT oid FROM pg_largeobject_metadata WHERE oid > $1::oid ORDER BY oid LIMIT 1000)
           AS batch OFFSET 0) AS objects)",
        {std::to_string(last), std::to_string(kWholeObject),
         digests == Digests::yes ? "true" : "false"});
    if (rows.empty()) break;
    for (const PgRow& row : rows) {
      const std::string& oid = row.at(0).value();
      last = std::max<std::uint64_t>(last, std::stoull(oid));
      std::uint64_t bytes = std::stoull(row.at(1).value());
      std::string sha = row.at(2).value_or("");
      if (bytes == kWholeObject) sha = large_object_sha256(connection, oid, bytes);
      ++data.count;
      data.bytes += bytes;
      if (digests == Digests::yes) data.digest.add(as_bytes(oid + ":" + sha));
    }
  }
  connection.execute("COMMIT");
  return data;
}

}  // namespace bkp
