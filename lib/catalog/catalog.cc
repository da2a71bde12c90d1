#include "catalog/catalog.h"

#include <array>

#include "catalog/migrations.h"
#include "catalog/rows.h"

namespace bkp {

Catalog::Catalog(std::unique_ptr<SqlDatabase> database, std::string cluster)
    : database_(std::move(database)), cluster_(std::move(cluster)) {
  migrate(*database_);
}

Catalog::~Catalog() = default;
Catalog::Catalog(Catalog&&) noexcept = default;
Catalog& Catalog::operator=(Catalog&&) noexcept = default;

Catalog open_catalog(std::string_view url, SqlAccess access, std::string cluster) {
  if (access == SqlAccess::read) {
    auto database = open_sql_database(url, SqlAccess::read);
    if (stored_version(*database) >= kCatalogVersion)
      return Catalog(std::move(database), std::move(cluster));
  }
  return Catalog(open_sql_database(url, SqlAccess::write), std::move(cluster));
}

int catalog_version(std::string_view url) {
  return stored_version(*open_sql_database(url, SqlAccess::read));
}

void Catalog::transaction(const std::function<void()>& work) { database_->transaction(work); }

std::string Catalog::describe() const { return database_->describe(); }

void Catalog::put_restore(const RestoreRecord& restore) {
  database_->query(upsert_into(kRestores), to_row(restore));
}

std::vector<RestoreRecord> Catalog::restores(std::size_t limit) const {
  std::vector<RestoreRecord> found;
  for (const SqlRow& row :
       database_->query(select_from(kRestores) + " ORDER BY started_at DESC, id LIMIT $1",
                        std::array{to_sql(std::uint64_t{limit})}))
    found.push_back(to_restore(row));
  return found;
}

void Catalog::put_run(const RunRecord& run) { database_->query(upsert_into(kRuns), to_row(run)); }

std::vector<RunRecord> Catalog::runs(std::size_t limit) const {
  std::vector<RunRecord> found;
  for (const SqlRow& row :
       database_->query(select_from(kRuns) + " ORDER BY started_at DESC, id LIMIT $1",
                        std::array{to_sql(std::uint64_t{limit})}))
    found.push_back(to_run(row));
  return found;
}

}  // namespace bkp
