#include "catalog/catalog.h"

#include <array>

#include "catalog/migrations.h"
#include "catalog/rows.h"

namespace bkp {

Catalog::Catalog(std::unique_ptr<SqlDatabase> database) : database_(std::move(database)) {
  migrate(*database_);
}

Catalog::~Catalog() = default;
Catalog::Catalog(Catalog&&) noexcept = default;

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
